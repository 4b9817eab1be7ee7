// Codec svd through kvc.h: the bytes that were asked for, the error that is reported, and pages that survive a restart.
#include <string>

#include "codec_support.h"
#include "persist_support.h"

namespace kvc_test {
namespace {

class SvdTest : public CodecTest {
 protected:
  void reopen(const char* ratio, bool disk = false) {
    space_.reset();
    engine_.reset();
    Options options = {{"codec", "svd"}, {"codec_window", "0"}, {"compression_ratio", ratio}};
    if (disk) options.insert({{"disk_path", directory_.at("store")}, {"disk_limit", "64MiB"}});
    open(options);
  }
  // Root mean square of what the session holds less what was computed, over that of what was computed.
  static double relative_error(kvc_session_t* s, const Model& model, int plane, size_t from) {
    double error = 0, energy = 0;
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      const size_t n = model.tokens.size() - from;
      const std::vector<float> got = read(s, layer, plane, from, n);
      const std::vector<float>& all = plane == KVC_KEY ? model.layers[layer].k : model.layers[layer].v;
      for (size_t i = 0; i < got.size(); ++i) {
        const auto want = static_cast<double>(all[from * kHeads * kDim + i]);
        error += (static_cast<double>(got[i]) - want) * (static_cast<double>(got[i]) - want);
        energy += want * want;
      }
    }
    return std::sqrt(error / energy);
  }

  TemporaryDirectory directory_;
};

TEST_F(SvdTest, TheRatioIsMetAndTheErrorReported) {
  double before = 0;
  for (const char* ratio : {"0.55", "0.3", "0.1"}) {
    reopen(ratio);
    Model model;
    model.extend(some_tokens(4 * kPage, 1));
    kvc_session_t* s = session();
    add(s, &model);
    const kvc_stats_t stats = engine_->stats();
    EXPECT_EQ(stats.pages_encoded, 4u);
    EXPECT_NEAR(static_cast<double>(stats.encoded_bytes) / static_cast<double>(stats.encoded_raw_bytes), std::stod(ratio),
                0.02 * std::stod(ratio));
    EXPECT_EQ(difference(s, model, 0, 4), 0);  // sinks
    // Reported is a layer of every page; what is measured here, all.
    const double keys = relative_error(s, model, KVC_KEY, 0), values = relative_error(s, model, KVC_VALUE, 0);
    EXPECT_NEAR(stats.codec_key_error, keys, 0.1 * keys + 1e-3) << ratio;
    EXPECT_NEAR(stats.codec_value_error, values, 0.1 * values + 1e-3) << ratio;
    EXPECT_GT(values, before) << ratio;  // noise has no low rank
    before = values;
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  }
  EXPECT_GT(before, 0.3);
}

TEST_F(SvdTest, WhatHasALowRankComesBack) {
  reopen("0.2");
  Model model;
  model.extend(some_tokens(2 * kPage, 2));
  for (Layer& layer : model.layers) {
    for (std::vector<float>* rows : {&layer.k, &layer.v}) {
      for (size_t i = 0; i < rows->size(); ++i) {
        const size_t t = i / (kHeads * kDim), d = i % kDim;
        (*rows)[i] = std::sin(static_cast<float>(t)) * static_cast<float>(d) + static_cast<float>(t % 5) * 0.5f;
      }
    }
  }
  kvc_session_t* s = session();
  add(s, &model);
  EXPECT_LT(relative_error(s, model, KVC_KEY, 0), 1e-3);
  EXPECT_LT(relative_error(s, model, KVC_VALUE, 0), 1e-3);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(SvdTest, ARestartFindsPagesOfItsOwnRatioAlone) {
  Model model;
  model.extend(some_tokens(2 * kPage, 3));
  reopen("0.3", true);
  kvc_session_t* s = session();
  add(s, &model);
  const std::vector<float> before = read(s, 1, KVC_KEY, 0, 2 * kPage);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  for (const auto& [ratio, found] : {std::pair{"0.3", 2 * kPage}, {"0.4", 0u}}) {
    reopen(ratio, true);
    s = session();
    size_t reused = 0;
    ASSERT_STATUS(KVC_OK, kvc_session_match(s, model.tokens.data(), model.tokens.size(), &reused), s);
    EXPECT_EQ(reused, found) << ratio;
    if (found > 0) {
      EXPECT_EQ(before, read(s, 1, KVC_KEY, 0, found));
    }
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  }
}

}  // namespace
}  // namespace kvc_test

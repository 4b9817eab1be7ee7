// A caller's codec (kvc_codec_t): its pages like those of any codec, its mistakes, and that no other reads them.
#include <string>
#include <thread>

#include "../toy_codec.h"
#include "codec_support.h"
#include "persist_support.h"

namespace kvc_test {
namespace {

class UserCodecTest : public CodecTest {
 protected:
  void open_with(const kvc_codec_t& codec, Options options = {}) {
    space_.reset();
    engine_.reset();
    options.emplace("codec_window", "0");
    open_on(std::make_unique<Engine>(options, nullptr, nullptr, &codec));
  }
  Options on_disk() const { return {{"disk_path", directory_.at("store")}, {"disk_limit", "64MiB"}}; }
  size_t match(const Model& model) {
    kvc_session_t* s = session();
    size_t reused = 0;
    EXPECT_STATUS(KVC_OK, kvc_session_match(s, model.tokens.data(), model.tokens.size(), &reused), s);
    if (reused > 0) {
      EXPECT_LE(difference(s, model, 0, reused), kError);
    }
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
    return reused;
  }
  static constexpr double kError = 12.0 / 255 * 0.51;  // numbers are from -6 to 6

  TemporaryDirectory directory_;
  ToyCodec toy_;
};

TEST_F(UserCodecTest, PagesAreItsOwnAndSinksAreExact) {
  open_with(toy_.table());
  Model model;
  model.extend(some_tokens(4 * kPage, 1));
  kvc_session_t* s = session();
  add(s, &model);
  EXPECT_EQ(info(s).approximate, 4u * kPage);
  EXPECT_LE(difference(s, model, 0, 4 * kPage), kError);
  EXPECT_GT(difference(s, model, 4, 4 * kPage - 4), 0);
  EXPECT_EQ(difference(s, model, 0, 4), 0);
  const kvc_stats_t stats = engine_->stats();
  EXPECT_EQ(stats.pages_encoded, 4u);
  EXPECT_LT(static_cast<double>(stats.encoded_bytes), 0.3 * static_cast<double>(stats.encoded_raw_bytes));
  EXPECT_EQ(stats.codec_failures, 0u);
  for (const kvc_page_info_t& page : engine_->pages()) EXPECT_STREQ(page.codec, "toy");
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  EXPECT_EQ(match(model), 4u * kPage);
}

TEST_F(UserCodecTest, AttentionReadsTilesAndAgreesWithWhatIsRead) {
  open_with(toy_.table());
  Model model;
  model.extend(some_tokens(3 * kPage + 9, 2));
  kvc_session_t* s = session();
  add(s, &model);
  std::vector<float> query(kHeads * kDim), out(kHeads * kDim);
  for (size_t i = 0; i < query.size(); ++i) query[i] = 0.01f * static_cast<float>(i % 13);
  const kvc_tensor_t q = thd(query, 0, 1), o = thd(out, 0, 1);
  toy_.largest_decode = 0;
  ASSERT_STATUS(KVC_OK, kvc_session_attend(s, 1, nullptr, &q, &o), s);
  EXPECT_LE(toy_.largest_decode, 64u);
  const size_t n = model.tokens.size();
  const std::vector<float> k = read(s, 1, KVC_KEY, 0, n), v = read(s, 1, KVC_VALUE, 0, n);
  for (uint32_t head = 0; head < kHeads; ++head) {
    std::vector<double> weight(n);
    double sum = 0;
    for (size_t t = 0; t < n; ++t) {
      double score = 0;
      for (uint32_t d = 0; d < kDim; ++d) {
        score += static_cast<double>(query[head * kDim + d] * k[(t * kHeads + head) * kDim + d]);
      }
      sum += weight[t] = std::exp(score / std::sqrt(double{kDim}));
    }
    for (uint32_t d = 0; d < kDim; ++d) {
      double want = 0;
      for (size_t t = 0; t < n; ++t) want += weight[t] / sum * static_cast<double>(v[(t * kHeads + head) * kDim + d]);
      EXPECT_NEAR(want, static_cast<double>(out[head * kDim + d]), 1e-4);
    }
  }
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(UserCodecTest, ExactSessionsDoNotMeetIt) {
  open_with(toy_.table());
  Model model;
  model.extend(some_tokens(2 * kPage, 3));
  kvc_session_t* s = session(/*exact=*/true);
  add(s, &model);
  EXPECT_EQ(difference(s, model, 0, 2 * kPage), 0);
  EXPECT_EQ(toy_.encodes, 0u);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(UserCodecTest, PagesThatItDoesNotTakeStayInTheClear) {
  open_with(toy_.table());
  Model model;
  model.extend(some_tokens(2 * kPage, 4));
  model.layers[1].k[kHeads * kDim * 70] = INFINITY;
  kvc_session_t* s = session();
  add(s, &model);
  EXPECT_EQ(info(s).approximate, uint64_t{kPage});
  EXPECT_EQ(engine_->stats().pages_kept_clear, 1u);
  EXPECT_EQ(engine_->stats().codec_failures, 0u);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(UserCodecTest, AFailingEncodeFailsTheCommitAndNothingChanges) {
  open_with(toy_.table());
  Model model;
  model.extend(some_tokens(kPage, 5));
  kvc_session_t* s = session();
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const kvc_tensor_t k = thd(model.layers[layer].k, 0, kPage), v = thd(model.layers[layer].v, 0, kPage);
    ASSERT_STATUS(KVC_OK, kvc_session_append(s, layer, &k, &v, kPage), s);
  }
  for (const auto& [given, expected] : {std::pair{KVC_E_IO, KVC_E_IO}, {KVC_E_USER, KVC_E_USER}, {17, KVC_E_USER},
                                        {KVC_PENDING, KVC_E_USER}, {-12345, KVC_E_USER}}) {
    toy_.encode_status = given;
    EXPECT_STATUS(expected, kvc_session_commit(s, model.tokens.data(), kPage), s);
    EXPECT_NE(words(s).find("toy was told to fail"), std::string::npos) << words(s);
    EXPECT_EQ(info(s).length, 0u);
    EXPECT_EQ(info(s).pending, uint64_t{kPage});
  }
  EXPECT_EQ(engine_->stats().codec_failures, 5u);
  toy_.encode_status = KVC_OK;
  for (const int overrun : {1, 64, -1, -64}) {
    toy_.encode_overrun = overrun;
    EXPECT_STATUS(KVC_E_CORRUPT, kvc_session_commit(s, model.tokens.data(), kPage), s);
    EXPECT_NE(words(s).find("beyond"), std::string::npos) << words(s);
  }
  toy_.encode_overrun = 0;
  EXPECT_STATUS(KVC_OK, kvc_session_commit(s, model.tokens.data(), kPage), s);
  EXPECT_LE(difference(s, model, 0, kPage), kError);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(UserCodecTest, AFailingDecodeFailsTheReadAndTheAttention) {
  open_with(toy_.table());
  Model model;
  model.extend(some_tokens(kPage, 6));
  kvc_session_t* s = session();
  add(s, &model);
  std::vector<float> numbers(kPage * kHeads * kDim), query(kHeads * kDim), out(kHeads * kDim);
  const kvc_tensor_t rows = thd(numbers, 0, kPage), q = thd(query, 0, 1), o = thd(out, 0, 1);
  toy_.decode_status = KVC_E_CORRUPT;
  EXPECT_STATUS(KVC_E_CORRUPT, kvc_session_read(s, 0, KVC_VALUE, 0, kPage, &rows), s);
  EXPECT_STATUS(KVC_E_CORRUPT, kvc_session_attend(s, 0, nullptr, &q, &o), s);
  EXPECT_NE(words(s).find("toy was told to fail"), std::string::npos) << words(s);
  toy_.decode_status = KVC_OK;
  for (const int overrun : {4, -4}) {
    toy_.decode_overrun = overrun;
    EXPECT_STATUS(KVC_E_CORRUPT, kvc_session_read(s, 0, KVC_KEY, 0, kPage, &rows), s);
    EXPECT_STATUS(KVC_E_CORRUPT, kvc_session_attend(s, 0, nullptr, &q, &o), s);
  }
  // Calls of the codec: one for a read that ends at the first, one for each head of an attention.
  EXPECT_EQ(engine_->stats().codec_failures, 3u * (1 + kHeads));
  toy_.decode_overrun = 0;
  EXPECT_STATUS(KVC_OK, kvc_session_attend(s, 0, nullptr, &q, &o), s);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(UserCodecTest, APageOnDiskIsReadByItsNameAndVersionAlone) {
  Model model;
  model.extend(some_tokens(3 * kPage, 7));
  const auto store = [&] {
    kvc_session_t* s = session();
    add(s, &model);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
    ASSERT_STATUS(KVC_OK, kvc_persist(*engine_, UINT64_MAX), *engine_);
  };
  open_with(toy_.table("toy", 1), on_disk());
  store();
  open_with(toy_.table("toy", 1), on_disk());
  EXPECT_EQ(match(model), 3u * kPage);
  for (const auto& [name, version] : {std::pair{"toy", 2u}, {"another", 1u}}) {
    open_with(toy_.table(name, version), on_disk());
    const uint64_t decodes = toy_.decodes;
    EXPECT_EQ(match(model), 0u) << name << version;
    EXPECT_EQ(toy_.decodes, decodes);
    EXPECT_EQ(engine_->stats().disk_damaged, 0u);
  }
  for (const char* codec : {"identity", "int8", "mixed", "klt"}) {
    space_.reset();
    engine_.reset();
    Options options = on_disk();
    options.emplace("codec", codec);
    open(options);
    EXPECT_EQ(match(model), 0u) << codec;
  }
  // And the other way round: what others left is no page of its.
  space_.reset();
  engine_.reset();
  Options int8 = on_disk();
  int8["disk_path"] = directory_.at("other");
  int8.emplace("codec", "int8");
  int8.emplace("codec_window", "0");
  open(int8);
  store();
  int8.erase("codec");
  open_with(toy_.table(), int8);
  EXPECT_EQ(match(model), 0u);
}

TEST_F(UserCodecTest, TablesThatLackSomethingAreRefused) {
  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  const auto refused = [&](kvc_status_t status, auto change) {
    kvc_codec_t codec = toy_.table();
    change(&codec);
    EXPECT_EQ(status, kvc_config_set_codec(config, &codec));
  };
  refused(KVC_E_NULL, [](kvc_codec_t* c) { c->name = nullptr; });
  refused(KVC_E_NULL, [](kvc_codec_t* c) { c->encoded_size = nullptr; });
  refused(KVC_E_NULL, [](kvc_codec_t* c) { c->encode = nullptr; });
  refused(KVC_E_NULL, [](kvc_codec_t* c) { c->decode = nullptr; });
  refused(KVC_E_INVALID, [](kvc_codec_t* c) { c->reserved = 1; });
  for (const char* name : {"", "int8", "identity", "Upper", "with space", "sixteen-letters-", "f\xc3\xbcnf"}) {
    refused(KVC_E_INVALID, [&](kvc_codec_t* c) { c->name = name; });
  }
  refused(KVC_OK, [](kvc_codec_t* c) { c->name = "fifteen_letters"; });
  EXPECT_EQ(KVC_OK, kvc_config_set_codec(config, nullptr));
  kvc_config_destroy(config);
}

TEST_F(UserCodecTest, ManyThreadsUseItAtOnce) {
  open_with(toy_.table());
  std::vector<std::thread> threads;
  for (int seed = 0; seed < 4; ++seed) {
    threads.emplace_back([this, seed] {
      Model model;
      model.extend(some_tokens(2 * kPage, 50 + seed));
      for (int round = 0; round < 3; ++round) {
        kvc_session_t* s = session();
        size_t reused = 0;
        EXPECT_STATUS(KVC_OK, kvc_session_match(s, model.tokens.data(), model.tokens.size(), &reused), s);
        if (reused == 0) add(s, &model);
        EXPECT_LE(difference(s, model, 0, 2 * kPage), kError);
        kvc_session_close(s, KVC_CLOSE_KEEP, 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(engine_->stats().codec_failures, 0u);
}

}  // namespace
}  // namespace kvc_test

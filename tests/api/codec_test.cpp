// Approximate codecs and attention through kvc.h: what is exact, what is not, and that it is said.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include "codec_support.h"

namespace kvc_test {
namespace {

TEST_F(CodecTest, PagesAreSmallerAndWithinTheirError) {
  struct Expected {
    Options options;
    double ratio, error;
  };
  // Ranges are at most 6, of rotated values a little more.
  for (const auto& [options, ratio, error] : {Expected{{{"codec", "int8"}}, 0.30, 0.03},
                                              Expected{{{"codec", "int4"}}, 0.17, 0.8},
                                              Expected{{{"codec", "mixed"}}, 0.24, 0.8},
                                              Expected{{{"codec", "mixed"}, {"codec_key_bits", "4"},
                                                        {"codec_value_bits", "2"}}, 0.14, 4.0}}) {
    open(options);
    Model model;
    model.extend(some_tokens(640, 1));
    kvc_session_t* s = session();
    add(s, &model);
    const kvc_session_info_t of = info(s);
    EXPECT_EQ(of.length, 640u);
    EXPECT_EQ(of.pages, 9u);  // the last 64 tokens are the window
    EXPECT_EQ(of.approximate, 9u * kPage);
    EXPECT_EQ(difference(s, model, 0, 4), 0.0) << "sinks";
    EXPECT_EQ(difference(s, model, 576, 64), 0.0) << "window";
    const double far = difference(s, model, 4, 572);
    EXPECT_GT(far, 0.0);
    EXPECT_LT(far, error);
    const kvc_stats_t stats = engine_->stats();
    EXPECT_EQ(stats.pages_encoded, 9u);
    EXPECT_EQ(stats.encoded_raw_bytes, 9 * space_->info().page_bytes);
    EXPECT_LT(static_cast<double>(stats.encoded_bytes), ratio * static_cast<double>(stats.encoded_raw_bytes));
    EXPECT_GT(stats.codec_key_error, 0.0);
    EXPECT_LT(stats.codec_key_error, error);
    EXPECT_GT(stats.codec_value_error, 0.0);
    uint64_t bytes = 0;
    for (const kvc_page_info_t& page : engine_->pages()) {
      EXPECT_EQ(options.at("codec"), page.codec);
      EXPECT_EQ(page.approximate, 1u);
      bytes += page.bytes;
    }
    EXPECT_EQ(bytes, stats.encoded_bytes);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  }
}

TEST_F(CodecTest, ClosingLeavesWholePagesEncodedAndTheEndExact) {
  open({{"codec", "int4"}});
  Model model;
  model.extend(some_tokens(200, 2));
  kvc_session_t* s = session();
  add(s, &model);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  s = session();
  size_t reused = 0;
  ASSERT_STATUS(KVC_OK, kvc_session_match(s, model.tokens.data(), 200, &reused), s);
  EXPECT_EQ(reused, 200u);
  EXPECT_EQ(info(s).approximate, 192u);
  EXPECT_EQ(engine_->stats().approximate_tokens, 192u);
  EXPECT_EQ(difference(s, model, 192, 8), 0.0);
  // What continues the short page begins with its exact tokens.
  model.extend(some_tokens(100, 3));
  add(s, &model);
  EXPECT_EQ(difference(s, model, 192, 108), 0.0);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(CodecTest, NothingIsQuantisedASecondTime) {
  open({{"codec", "int4"}, {"codec_window", "0"}});
  Model model;
  model.extend(some_tokens(128, 4));
  kvc_session_t* s = session();
  add(s, &model);
  std::vector<float> before[2];
  for (const int plane : {KVC_KEY, KVC_VALUE}) before[plane] = read(s, 1, plane, 0, 100);
  ASSERT_STATUS(KVC_OK, kvc_session_truncate(s, 100), s);  // in the middle of an encoded page
  EXPECT_EQ(info(s).approximate, 100u);
  for (const int plane : {KVC_KEY, KVC_VALUE}) EXPECT_EQ(before[plane], read(s, 1, plane, 0, 100));
  Model other = model;
  other.tokens.resize(100);
  for (Layer& layer : other.layers) layer.k.resize(100 * kHeads * kDim), layer.v.resize(100 * kHeads * kDim);
  other.extend(some_tokens(92, 5));
  add(s, &other);
  const kvc_session_info_t of = info(s);
  EXPECT_EQ(of.pages, 3u);
  // The page with the cut is kept as it is, in the clear, and still called approximate.
  for (const int plane : {KVC_KEY, KVC_VALUE}) EXPECT_EQ(before[plane], read(s, 1, plane, 0, 100));
  EXPECT_EQ(difference(s, other, 100, 28), 0.0);
  EXPECT_EQ(of.approximate, 192u);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(CodecTest, ForksShareATailOfSeveralPagesAndDiverge) {
  open({{"codec", "int8"}, {"codec_window", "150"}});
  Model model;
  model.extend(some_tokens(300, 6));
  kvc_session_t* s = session();
  add(s, &model);
  EXPECT_EQ(info(s).pages, 2u);
  kvc_session_t* fork = nullptr;
  ASSERT_STATUS(KVC_OK, kvc_session_fork(s, &fork), s);
  Model other = model;
  model.extend(some_tokens(90, 7));
  other.extend(some_tokens(90, 8));
  add(s, &model, 33);
  add(fork, &other, 41);
  EXPECT_EQ(difference(s, model, 256, 134), 0.0);
  EXPECT_EQ(difference(fork, other, 256, 134), 0.0);
  // Truncated inside of the tail.
  ASSERT_STATUS(KVC_OK, kvc_session_truncate(fork, 310), fork);
  EXPECT_EQ(difference(fork, other, 256, 54), 0.0);
  EXPECT_EQ(info(fork).length, 310u);
  kvc_session_close(fork, KVC_CLOSE_KEEP, 0);
  EXPECT_EQ(difference(s, model, 256, 134), 0.0);
  kvc_session_close(s, KVC_CLOSE_FINISHED, 0);
}

TEST_F(CodecTest, ExactSessionsSeeAndLeaveNothingApproximate) {
  open({{"codec", "int4"}, {"codec_window", "0"}});
  Model model;
  model.extend(some_tokens(192, 9));
  kvc_session_t* s = session();
  add(s, &model);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);

  kvc_session_t* exact = session(true);
  size_t reused = 99;
  ASSERT_STATUS(KVC_OK, kvc_session_match(exact, model.tokens.data(), 192, &reused), exact);
  EXPECT_EQ(reused, 0u);
  add(exact, &model);
  EXPECT_EQ(info(exact).approximate, 0u);
  EXPECT_EQ(difference(exact, model, 0, 192), 0.0);
  kvc_session_close(exact, KVC_CLOSE_KEEP, 0);

  // Tokens that nobody has stored approximately: its pages are found by all.
  Model second;
  second.extend(some_tokens(192, 10));
  exact = session(true);
  add(exact, &second);
  kvc_session_close(exact, KVC_CLOSE_KEEP, 0);
  for (const bool wants_exact : {true, false}) {
    s = session(wants_exact);
    ASSERT_STATUS(KVC_OK, kvc_session_match(s, second.tokens.data(), 192, &reused), s);
    EXPECT_EQ(reused, 192u);
    EXPECT_EQ(info(s).approximate, 0u);
    EXPECT_EQ(difference(s, second, 0, 192), 0.0);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  }
}

TEST_F(CodecTest, PagesWithNumbersThatAreNotFiniteStayExact) {
  open({{"codec", "int8"}, {"codec_window", "0"}});
  Model model;
  model.extend(some_tokens(192, 11));
  model.layers[1].v[70 * kHeads * kDim + 5] = std::numeric_limits<float>::infinity();
  kvc_session_t* s = session();
  add(s, &model);
  EXPECT_EQ(info(s).approximate, 128u);
  EXPECT_EQ(engine_->stats().pages_kept_clear, 1u);
  EXPECT_TRUE(std::isinf(read(s, 1, KVC_VALUE, 70, 1)[5]));
  for (const kvc_page_info_t& page : engine_->pages()) {
    EXPECT_STREQ(page.position == 64 ? "identity" : "int8", page.codec);
    EXPECT_EQ(page.approximate, page.position == 64 ? 0u : 1u);
  }
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

// Pages from before the codec knew enough are int8, those after it have the size that was asked for.
TEST_F(CodecTest, CodecsThatLearnReachTheirTarget) {
  const double clear = kLayers * 2.0 * kHeads * kPage * kDim * sizeof(float);
  struct Case {
    const char *codec, *option, *value;
    double ratio;
  };
  for (const auto& [codec, option, value, ratio] :
       {Case{"klt", "codec_bits", "5.5", 5.5 / 32}, {"lowrank", "compression_ratio", "0.2", 0.2}}) {
    open({{"codec", codec}, {option, value}, {"codec_learn", "128"}, {"codec_window", "0"}});
    Model model;
    model.extend(some_tokens(7 * kPage, 13));
    kvc_session_t* s = session();
    add(s, &model, kPage);
    EXPECT_LE(difference(s, model, 4, 7 * kPage - 4), 1.0);
    EXPECT_EQ(difference(s, model, 0, 4), 0.0);
    size_t learned = 0;
    for (const kvc_page_info_t& page : engine_->pages()) {
      // 4 of the first 128 tokens are sinks and not learned from: the third page completes them, and is coded at once.
      if (page.position < 2 * kPage) {
        EXPECT_STREQ("int8", page.codec);
      } else {
        EXPECT_STREQ(codec, page.codec);
        EXPECT_NEAR(static_cast<double>(page.bytes) / clear, ratio, 0.02 * ratio);
        ++learned;
      }
      EXPECT_EQ(1u, page.approximate);
    }
    EXPECT_EQ(5u, learned);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
    // Found again by another session, from the same pages.
    kvc_session_t* again = session();
    size_t reused = 0;
    ASSERT_STATUS(KVC_OK, kvc_session_match(again, model.tokens.data(), model.tokens.size(), &reused), again);
    EXPECT_EQ(7u * kPage, reused);
    EXPECT_LE(difference(again, model, 4, 7 * kPage - 4), 1.0);
    kvc_session_close(again, KVC_CLOSE_KEEP, 0);
  }
}

TEST_F(CodecTest, ABoundWithoutQueriesKeepsPagesExact) {
  open({{"codec", "auto"}, {"codec_bound", "0.05"}, {"codec_learn", "64"}, {"codec_window", "0"}});
  Model model;
  model.extend(some_tokens(5 * kPage, 14));
  kvc_session_t* s = session();
  add(s, &model);
  EXPECT_EQ(0.0, difference(s, model, 0, 5 * kPage));
  EXPECT_EQ(5u, engine_->stats().pages_kept_clear);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

// With a directory what was learned is there after a restart: the same pages give the same numbers, and new ones are
// coded with the same calibration.
class CodecDiskTest : public CodecTest {
 protected:
  void SetUp() override {
    char name[] = "/tmp/kvc-codec-XXXXXX";
    ASSERT_NE(nullptr, mkdtemp(name));
    path_ = name;
    model_.extend(some_tokens(7 * kPage, 13));
  }
  void TearDown() override {
    space_.reset();
    engine_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Options options(Options more = {}) const {
    more.insert({{"codec", "klt"}, {"codec_bits", "5.5"}, {"codec_learn", "128"}, {"codec_window", "0"}});
    return more;
  }
  Options with_disk(Options more = {}) const {
    more.insert({{"disk_path", path_ + "/store"}, {"disk_limit", "64MiB"}});
    return options(std::move(more));
  }
  void reopen(const Options& options) {
    space_.reset();
    engine_.reset();
    open(options);
  }
  std::vector<float> numbers(kvc_session_t* session, size_t n) const {
    std::vector<float> all;
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const auto part = read(session, layer, plane, 0, n);
        all.insert(all.end(), part.begin(), part.end());
      }
    }
    return all;
  }
  // Stores the model's tokens; returns the numbers as they are read back.
  std::vector<float> store() {
    kvc_session_t* s = session();
    add(s, &model_, kPage);
    const auto all = numbers(s, model_.tokens.size());
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
    return all;
  }
  size_t match(std::vector<float>* all = nullptr) {
    kvc_session_t* s = session();
    size_t reused = 0;
    EXPECT_STATUS(KVC_OK, kvc_session_match(s, model_.tokens.data(), model_.tokens.size(), &reused), s);
    if (all != nullptr && reused > 0) *all = numbers(s, reused);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
    return reused;
  }
  std::string info() const {
    std::string text(1 << 14, 0);
    size_t length = 0;
    EXPECT_EQ(KVC_OK, kvc_engine_info(*engine_, text.data(), text.size(), &length));
    text.resize(length);
    return text;
  }

  std::string path_;
  Model model_;
};

TEST_F(CodecDiskTest, WhatWasLearnedSurvivesARestart) {
  struct Case {
    const char *codec, *option, *value, *key;
  };
  int number = 0;
  for (const auto& [codec, option, value, key] : {Case{"klt", "codec_bits", "5.5", ""},
                                                  Case{"lowrank", "compression_ratio", "0.2", ""},
                                                  Case{"klt", "codec_bits", "5.5", "a key"}}) {
    const Options all = with_disk({{"codec", codec},
                                   {option, value},
                                   {"disk_key", key},
                                   {"disk_path", path_ + "/" + std::to_string(number++)}});
    reopen(all);
    const std::vector<float> before = store();
    reopen(all);
    EXPECT_NE(info().find("\"learned\""), std::string::npos) << info();
    std::vector<float> after;
    EXPECT_EQ(model_.tokens.size(), match(&after));
    EXPECT_EQ(before, after);
    EXPECT_EQ(0u, engine_->stats().disk_damaged);
    // New pages, from the first on.
    Model other;
    other.extend(some_tokens(2 * kPage, 99));
    kvc_session_t* s = session();
    add(s, &other, kPage);
    EXPECT_LE(difference(s, other, 4, 2 * kPage - 4), 1.0);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
    size_t coded = 0;
    for (const kvc_page_info_t& page : engine_->pages()) coded += std::string_view(codec) == page.codec;
    EXPECT_EQ(5u + 2, coded);
  }
}

TEST_F(CodecDiskTest, AnotherTargetIsLearnedForItselfAndFindsOnlyItsOwn) {
  reopen(with_disk());
  store();
  reopen(with_disk({{"codec_bits", "4.5"}}));
  EXPECT_EQ(info().find("\"learned\""), std::string::npos) << info();
  EXPECT_EQ(2u * kPage, match()) << "the pages of 8 bits that came before learning fit both";
  const std::vector<float> before = store();
  std::vector<float> after;
  reopen(with_disk({{"codec_bits", "4.5"}}));
  EXPECT_EQ(model_.tokens.size(), match(&after));
  EXPECT_EQ(before, after);
}

TEST_F(CodecDiskTest, CopiesAndPacksBringTheirCalibration) {
  open(options({{"secret", "one"}}));
  const std::vector<float> before = store();
  ASSERT_STATUS(KVC_OK, kvc_persist_to(*engine_, nullptr, (path_ + "/copy").c_str(), nullptr), *engine_);
  ASSERT_STATUS(KVC_OK, kvc_pack_write(*space_, nullptr, model_.tokens.data(), model_.tokens.size(),
                                       (path_ + "/pack").c_str(), nullptr), *engine_);
  std::vector<float> after;
  reopen(options({{"secret", "one"}}));
  ASSERT_STATUS(KVC_OK, kvc_load(*engine_, (path_ + "/copy").c_str(), nullptr), *engine_);
  EXPECT_EQ(model_.tokens.size(), match(&after));
  EXPECT_EQ(before, after);
  reopen(options({{"secret", "two"}}));
  ASSERT_STATUS(KVC_OK, kvc_pack_open(*engine_, (path_ + "/pack").c_str(), nullptr), *engine_);
  EXPECT_EQ(model_.tokens.size(), match(&after));
  EXPECT_EQ(before, after);
  // One that has learned for itself reads both kinds.
  reopen(options({{"secret", "two"}}));
  Model other;
  other.extend(some_tokens(7 * kPage, 98));
  kvc_session_t* s = session();
  add(s, &other, kPage);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  ASSERT_STATUS(KVC_OK, kvc_pack_open(*engine_, (path_ + "/pack").c_str(), nullptr), *engine_);
  EXPECT_EQ(model_.tokens.size(), match(&after));
  EXPECT_EQ(before, after);
}

TEST_F(CodecTest, WidthsThatDoNotExistAreRefused) {
  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_config_set(config, "codec", "int5"));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_config_set(config, "codec_key_bits", "9"));
  ASSERT_EQ(KVC_OK, kvc_config_set(config, "codec_key_bits", "5"));
  kvc_engine_t* engine = nullptr;
  kvc_error_t error{};
  error.struct_size = sizeof error;
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_engine_create_with_error(config, &engine, &error));
  EXPECT_NE(std::string(error.message).find("8, 4 or 2"), std::string::npos) << error.message;
  kvc_config_destroy(config);
}

// ----------------------------------------------------------------------------------------------------------- attention

constexpr uint32_t kQueryHeads = 6;

class AttendTest : public CodecTest {
 protected:
  // Softmax attention in doubles over what kvc_session_read gives.
  static std::vector<double> reference(kvc_session_t* session, uint32_t layer, const std::vector<float>& query, size_t n,
                                       const kvc_attend_t& how) {
    const size_t end = info(session).length + info(session).pending;
    const std::vector<float> k = read(session, layer, KVC_KEY, 0, end), v = read(session, layer, KVC_VALUE, 0, end);
    const double scale = how.scale != 0 ? how.scale : 1 / std::sqrt(static_cast<double>(kDim));
    std::vector<double> out;
    for (size_t i = 0; i < n; ++i) {
      const auto position = static_cast<int64_t>(end - how.later - n + i);
      for (uint32_t h = 0; h < kQueryHeads; ++h) {
        const uint32_t kv = h / (kQueryHeads / kHeads);
        std::vector<double> scores;
        std::vector<size_t> seen;
        for (size_t t = 0; t < end; ++t) {
          const int64_t distance = static_cast<int64_t>(t) - position;
          if (how.bidirectional == 0 && distance > 0) continue;
          if (how.window != 0 && static_cast<uint64_t>(std::abs(distance)) >= how.window && t >= how.sinks) continue;
          double s = 0;
          for (uint32_t d = 0; d < kDim; ++d) {
            s += static_cast<double>(query[(i * kQueryHeads + h) * kDim + d]) *
                 static_cast<double>(k[(t * kHeads + kv) * kDim + d]);
          }
          s *= scale;
          if (how.softcap > 0) s = how.softcap * std::tanh(s / how.softcap);
          if (how.alibi_slopes != nullptr) s += static_cast<double>(how.alibi_slopes[h]) * static_cast<double>(distance);
          scores.push_back(s);
          seen.push_back(t);
        }
        const double top = *std::max_element(scores.begin(), scores.end());
        double sum = how.sink_scores != nullptr ? std::exp(static_cast<double>(how.sink_scores[h]) - top) : 0;
        std::vector<double> mixed(kDim);
        for (size_t j = 0; j < seen.size(); ++j) {
          const double p = std::exp(scores[j] - top);
          sum += p;
          for (uint32_t d = 0; d < kDim; ++d) {
            mixed[d] += p * static_cast<double>(v[(seen[j] * kHeads + kv) * kDim + d]);
          }
        }
        for (const double x : mixed) out.push_back(x / sum);
      }
    }
    return out;
  }

  static void expect_reference(kvc_session_t* session, size_t n, const kvc_attend_t& how) {
    std::vector<float> query(n * kQueryHeads * kDim), out(query.size(), -1.0f);
    std::mt19937_64 random(n);
    for (float& x : query) x = static_cast<float>(random() >> 40) * 0x1p-23f - 1;
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      const kvc_tensor_t from = thd(query, 0, n, kQueryHeads), to = thd(out, 0, n, kQueryHeads);
      ASSERT_STATUS(KVC_OK, kvc_session_attend(session, layer, &how, &from, &to), session);
      const std::vector<double> want = reference(session, layer, query, n, how);
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(static_cast<double>(out[i]), want[i], 2e-3) << "number " << i;
    }
  }

  static kvc_attend_t defaults() {
    kvc_attend_t how;
    EXPECT_EQ(KVC_OK, kvc_attend_init(&how, sizeof how));
    return how;
  }
};

TEST_F(AttendTest, EqualsAttentionOverWhatIsReadWhateverTheCodec) {
  for (const char* codec : {"identity", "int8", "int4", "mixed", "klt"}) {
    open({{"codec", codec}, {"codec_learn", "128"}});
    Model model;
    model.extend(some_tokens(333, 12));
    kvc_session_t* s = session();
    add(s, &model);
    for (const size_t n : {size_t{1}, size_t{2}, size_t{7}, size_t{100}, size_t{333}}) {
      expect_reference(s, n, defaults());
      kvc_attend_t how = defaults();
      how.n_threads = 3;
      expect_reference(s, n, how);
      how.n_threads = 8;
      how.window = 90;
      how.sinks = 4;
      expect_reference(s, n, how);
    }
    kvc_attend_t how = defaults();
    const std::vector<float> slopes(kQueryHeads, 0.02f), sinks(kQueryHeads, 1.5f);
    how.alibi_slopes = slopes.data();
    how.sink_scores = sinks.data();
    how.softcap = 3;
    how.scale = 0.3;
    how.later = 20;
    expect_reference(s, 5, how);
    how.bidirectional = 1;
    how.window = 40;
    expect_reference(s, 5, how);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  }
}

TEST_F(AttendTest, SeesBorrowedAndUncommittedTokens) {
  open({{"codec", "int4"}, {"codec_window", "0"}});
  Model model;
  model.extend(some_tokens(256, 13));
  kvc_session_t* s = session();
  add(s, &model);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  s = session();
  size_t reused = 0;
  Tokens prompt = prefix(model.tokens, 150);
  ASSERT_STATUS(KVC_OK, kvc_session_match(s, prompt.data(), 150, &reused), s);
  ASSERT_EQ(reused, 150u);  // ends inside of an encoded page
  expect_reference(s, 3, defaults());
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const kvc_tensor_t k = thd(model.layers[layer].k, 150, 9), v = thd(model.layers[layer].v, 150, 9);
    ASSERT_STATUS(KVC_OK, kvc_session_append(s, layer, &k, &v, 9), s);
  }
  EXPECT_EQ(info(s).pending, 9u);
  expect_reference(s, 9, defaults());
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(AttendTest, WrongArgumentsAreRefusedInWords) {
  open({});
  Model model;
  model.extend(some_tokens(10, 14));
  kvc_session_t* s = session();
  std::vector<float> numbers(12 * kQueryHeads * kDim);
  const kvc_tensor_t one = thd(numbers, 0, 1, kQueryHeads), many = thd(numbers, 0, 11, kQueryHeads);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, nullptr, &one, &one), s);  // no tokens
  add(s, &model);
  EXPECT_STATUS(KVC_OK, kvc_session_attend(s, 0, nullptr, &one, &one), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, kLayers, nullptr, &one, &one), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, nullptr, &many, &many), s);
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_attend(s, 0, nullptr, &one, &many), s);
  const kvc_tensor_t odd = thd(numbers, 0, 1, 3);  // 3 query heads, 2 K/V heads
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_attend(s, 0, nullptr, &odd, &odd), s);
  EXPECT_STATUS(KVC_E_NULL, kvc_session_attend(s, 0, nullptr, nullptr, &one), s);
  kvc_attend_t how = defaults();
  how.scale = -1;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.later = 10;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.softcap = std::numeric_limits<double>::quiet_NaN();
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.n_threads = 5000;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.window = how.sinks = UINT64_MAX;
  EXPECT_STATUS(KVC_OK, kvc_session_attend(s, 0, &how, &one, &one), s);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

}  // namespace

TEST(CodecRequestTest, AnswersSayHowMuchOfThemIsApproximate) {
  for (const char* codec : {"identity", "int8", "int4"}) {
    Engine engine({{"model", "builtin"}, {"codec", codec}, {"threads", "0"}});
    kvc_request_t request;
    ASSERT_EQ(KVC_OK, kvc_request_init(&request, sizeof request));
    std::string prompt;
    while (prompt.size() < 300) prompt += "In the beginning God created the heaven and the earth. ";
    request.prompt = prompt.c_str();
    request.max_tokens = 8;
    for (const bool warm : {false, true}) {
      kvc_response_t* answer = nullptr;
      ASSERT_STATUS(KVC_OK, kvc_process(engine, &request, &answer), engine);
      EXPECT_EQ(answer->cache_hit, warm ? 1u : 0u);
      EXPECT_EQ(answer->n_tokens, 8u);
      const bool lossy = warm && std::string(codec) != "identity";
      EXPECT_EQ(answer->approximate_tokens, lossy ? answer->cached_tokens / 64 * 64 : 0u) << codec;
      kvc_response_free(answer);
    }
  }
}

}  // namespace kvc_test

// Approximate codecs and attention through kvc.h: what is exact, what is not, and that it is said.
#include <algorithm>
#include <cmath>
#include <cstdlib>
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

// Pages at rest, through kvc.h: encoded again when nobody uses them, and said to be.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "../temporary_directory.h"
#include "codec_support.h"

namespace kvc_test {
namespace {

class CodecRestTest : public CodecTest {
 protected:
  void TearDown() override {
    space_.reset();
    engine_.reset();
  }
  void open(Options options) {
    space_.reset();
    engine_.reset();
    options.insert({{"codec_learn", "128"}, {"codec_window", "0"}, {"codec_rest_after", "0s"}});
    CodecTest::open(options);
  }
  // Tokens, and numbers that follow from them; with `attend` each page's queries attend before it is sealed.
  static Tokens tokens_of(int32_t seed, size_t pages) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    return random_tokens(random, pages * kPage);
  }
  static std::vector<float> numbers(int32_t seed, size_t n) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    std::normal_distribution<float> normal;
    std::vector<float> out(n);
    for (float& x : out) x = normal(random);
    return out;
  }
  static std::vector<float> rows_of(int32_t seed, size_t pages, uint32_t layer, int plane) {
    return numbers(seed * 100 + static_cast<int32_t>(layer) * 2 + plane, pages * kPage * kHeads * kDim);
  }
  void add(kvc_session_t* s, int32_t seed, size_t pages, bool attend = false) {
    const Tokens tokens = tokens_of(seed, pages);
    for (size_t at = info(s).length; at < tokens.size(); at += kPage) {
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        std::vector<float> k = rows_of(seed, pages, layer, KVC_KEY), v = rows_of(seed, pages, layer, KVC_VALUE);
        kvc_tensor_t kt{}, vt{}, qt{}, ot{};
        ASSERT_EQ(KVC_OK, kvc_tensor_thd(&kt, k.data() + at * kHeads * kDim, KVC_F32, kPage, kHeads, kDim));
        ASSERT_EQ(KVC_OK, kvc_tensor_thd(&vt, v.data() + at * kHeads * kDim, KVC_F32, kPage, kHeads, kDim));
        ASSERT_STATUS(KVC_OK, kvc_session_append(s, layer, &kt, &vt, kPage), s);
        if (!attend) continue;
        std::vector<float> q = numbers(static_cast<int32_t>(at + layer), kPage * kHeads * kDim), o(q.size());
        ASSERT_EQ(KVC_OK, kvc_tensor_thd(&qt, q.data(), KVC_F32, kPage, kHeads, kDim));
        ASSERT_EQ(KVC_OK, kvc_tensor_thd(&ot, o.data(), KVC_F32, kPage, kHeads, kDim));
        kvc_attend_t call{};
        call.struct_size = sizeof call;
        ASSERT_STATUS(KVC_OK, kvc_session_attend(s, layer, &call, &qt, &ot), s);
      }
      ASSERT_STATUS(KVC_OK, kvc_session_commit(s, tokens.data() + at, kPage), s);
    }
  }
  size_t match(kvc_session_t* s, int32_t seed, size_t pages) {
    const Tokens tokens = tokens_of(seed, pages);
    size_t reused = 0;
    EXPECT_STATUS(KVC_OK, kvc_session_match(s, tokens.data(), tokens.size(), &reused), s);
    return reused;
  }
  // Root mean square difference of what the session holds of a layer's plane from what was appended, over its own.
  static double error(kvc_session_t* s, int32_t seed, size_t pages, uint32_t layer, int plane) {
    const std::vector<float> want = rows_of(seed, pages, layer, plane);
    std::vector<float> got(want.size());
    kvc_tensor_t out{};
    EXPECT_EQ(KVC_OK, kvc_tensor_thd(&out, got.data(), KVC_F32, pages * kPage, kHeads, kDim));
    EXPECT_STATUS(KVC_OK, kvc_session_read(s, layer, plane, 0, pages * kPage, &out), s);
    double off = 0, energy = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      off += static_cast<double>((got[i] - want[i]) * (got[i] - want[i]));
      energy += static_cast<double>(want[i] * want[i]);
    }
    return std::sqrt(off / energy);
  }
  void close(kvc_session_t* s) { kvc_session_close(s, KVC_CLOSE_KEEP, 0); }
  // Lets sessions come and go until nothing more is encoded again.
  void rest() {
    for (int i = 0; i < 40; ++i) close(session());
  }
  size_t aged() {
    size_t n = 0;
    for (const kvc_page_info_t& page : engine_->pages()) n += page.aged;
    return n;
  }

  kvc_test::TemporaryDirectory directory_;
};

TEST_F(CodecRestTest, PagesThatNobodyUsesAreEncodedAgainAndSaySo) {
  open({{"codec", "klt"}, {"codec_bits", "6"}, {"codec_rest_bits", "3"}});
  kvc_session_t* s = session();
  add(s, 1, 10);
  rest();
  EXPECT_EQ(0u, aged()) << "an open session uses them all";
  const double fresh = error(s, 1, 10, 0, KVC_VALUE);
  close(s);
  rest();
  // The first two came before anything was learned, and stay as they are.
  EXPECT_EQ(8u, aged());
  const kvc_stats_t stats = engine_->stats();
  EXPECT_EQ(8u, stats.pages_aged);
  EXPECT_NEAR(0.5, static_cast<double>(stats.aged_bytes) / static_cast<double>(stats.aged_before_bytes), 0.03);
  for (const kvc_page_info_t& page : engine_->pages()) {
    if (page.aged == 0) continue;
    EXPECT_STREQ("klt", page.codec);
    EXPECT_EQ(1u, page.approximate);
    EXPECT_NEAR(3.0 / 32, static_cast<double>(page.bytes) / (kLayers * 2.0 * kHeads * kPage * kDim * 4), 0.003);
  }
  kvc_session_t* again = session();
  EXPECT_EQ(10u * kPage, match(again, 1, 10));
  EXPECT_EQ(10u * kPage, info(again).approximate);
  EXPECT_EQ(8u * kPage, info(again).aged);
  EXPECT_EQ(8u * kPage, engine_->stats().aged_tokens);
  const double worse = error(again, 1, 10, 0, KVC_VALUE);
  EXPECT_GT(worse, 2 * fresh);
  EXPECT_LT(worse, 0.5);
  close(again);
}

TEST_F(CodecRestTest, SessionsThatWantNoAgedPagesGetNone) {
  open({{"codec", "klt"}, {"codec_bits", "6"}, {"codec_rest_bits", "3"}});
  kvc_session_t* s = session();
  add(s, 1, 6);
  close(s);
  rest();
  ASSERT_EQ(4u, aged());
  kvc_session_t* fresh = session(/*exact=*/false, /*no_aged=*/true);
  EXPECT_EQ(2u * kPage, match(fresh, 1, 6));
  add(fresh, 1, 6);
  EXPECT_EQ(0u, info(fresh).aged);
  EXPECT_LT(error(fresh, 1, 6, 1, KVC_VALUE), 0.1);
  close(fresh);
}

TEST_F(CodecRestTest, BranchesRestWhenAllOfThemDo) {
  open({{"codec", "klt"}, {"codec_bits", "6"}, {"codec_rest_bits", "3"}});
  kvc_session_t* s = session();
  add(s, 1, 6);
  kvc_session_t* fork = nullptr;
  ASSERT_STATUS(KVC_OK, kvc_session_fork(s, &fork), s);
  close(s);
  rest();
  EXPECT_EQ(0u, aged());
  ASSERT_STATUS(KVC_OK, kvc_session_truncate(fork, 3 * kPage), fork);
  rest();
  EXPECT_EQ(3u, aged()) << "what follows the fork's end";
  close(fork);
  rest();
  EXPECT_EQ(4u, aged());
}

TEST_F(CodecRestTest, PinnedPagesAndThoseUsedLatelyStay) {
  open({{"codec", "klt"}, {"codec_bits", "6"}, {"codec_rest_bits", "3"}, {"codec_rest_after", "3600s"}});
  kvc_session_t* s = session();
  add(s, 1, 6);
  close(s);
  rest();
  EXPECT_EQ(0u, aged());
  open({{"codec", "klt"}, {"codec_bits", "6"}, {"codec_rest_bits", "3"}});
  s = session();
  add(s, 1, 6);
  ASSERT_STATUS(KVC_OK, kvc_session_pin(s, 1), s);
  close(s);
  rest();
  EXPECT_EQ(0u, aged());
}

TEST_F(CodecRestTest, ABoundHasAnotherOneAtRest) {
  open({{"codec", "auto"}, {"codec_bound", "0.02"}, {"codec_rest_bound", "0.2"}});
  kvc_session_t* s = session();
  add(s, 1, 10, /*attend=*/true);
  close(s);
  const uint64_t before = engine_->stats().encoded_bytes;
  ASSERT_GT(engine_->stats().codec_checked, 0u);
  EXPECT_GT(engine_->stats().codec_bound_error, 0.0);
  EXPECT_LE(engine_->stats().codec_bound_error, 0.02);
  rest();
  EXPECT_GT(aged(), 0u);
  EXPECT_LT(engine_->stats().aged_bytes, before * 3 / 4);
}

TEST_F(CodecRestTest, OnDiskTheFormAtRestTakesThePlaceOfTheOther) {
  const Options options = {{"codec", "klt"}, {"codec_bits", "6"}, {"codec_rest_bits", "3"},
                           {"disk_path", directory_.at("store")}, {"disk_limit", "64MiB"}};
  open(options);
  kvc_session_t* s = session();
  add(s, 1, 6);
  close(s);
  ASSERT_STATUS(KVC_OK, kvc_persist(*engine_, 60'000'000'000), *engine_);
  // Pages that are being written are in use.
  for (int i = 0; i < 8; ++i) {
    rest();
    ASSERT_STATUS(KVC_OK, kvc_persist(*engine_, 60'000'000'000), *engine_);
  }
  ASSERT_EQ(4u, aged());
  s = session();
  ASSERT_EQ(6u * kPage, match(s, 1, 6));
  const double here = error(s, 1, 6, 1, KVC_KEY);
  close(s);
  open(options);
  kvc_session_t* fresh = session(/*exact=*/false, /*no_aged=*/true);
  EXPECT_EQ(2u * kPage, match(fresh, 1, 6)) << "the others are on disk at rest only";
  close(fresh);
  s = session();
  EXPECT_EQ(6u * kPage, match(s, 1, 6));
  EXPECT_EQ(4u * kPage, info(s).aged);
  EXPECT_EQ(here, error(s, 1, 6, 1, KVC_KEY));
  close(s);
  EXPECT_EQ(4u, aged());
}

// Pages of a bound have lengths of their own: read back from disk as they were.
TEST_F(CodecRestTest, CheckedPagesSurviveARestart) {
  const Options options = {{"codec", "auto"}, {"codec_bound", "0.02"}, {"disk_path", directory_.at("store")},
                           {"disk_limit", "64MiB"}};
  open(options);
  kvc_session_t* s = session();
  add(s, 1, 8, /*attend=*/true);
  const double before = error(s, 1, 8, 1, KVC_VALUE);
  EXPECT_GT(before, 0.0);
  close(s);
  ASSERT_STATUS(KVC_OK, kvc_persist(*engine_, 60'000'000'000), *engine_);
  open(options);
  s = session();
  EXPECT_EQ(8u * kPage, match(s, 1, 8));
  EXPECT_EQ(before, error(s, 1, 8, 1, KVC_VALUE));
  close(s);
}

TEST_F(CodecRestTest, TargetsThatAreNoTargetsAreRefused) {
  for (const Options& options : {Options{{"codec", "int4"}, {"codec_rest_bits", "3"}},
                                 Options{{"codec", "klt"}, {"codec_bits", "4"}, {"codec_rest_bits", "4"}},
                                 Options{{"codec", "klt"}, {"codec_rest_bits", "1"}},
                                 Options{{"codec", "klt"}, {"codec_rest_bound", "0.1"}},
                                 Options{{"codec", "auto"}, {"codec_bound", "0.1"}, {"codec_rest_bound", "0.05"}}}) {
    kvc_config_t* config = nullptr;
    ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    kvc_config_set(config, "model", "none");
    for (const auto& [key, value] : options) EXPECT_EQ(KVC_OK, kvc_config_set(config, key.c_str(), value.c_str()));
    kvc_engine_t* engine = nullptr;
    kvc_error_t error{};
    error.struct_size = sizeof error;
    EXPECT_EQ(KVC_E_INVALID, kvc_engine_create_with_error(config, &engine, &error));
    EXPECT_NE(nullptr, std::strstr(error.message, "codec_rest_")) << error.message;
    kvc_config_destroy(config);
  }
}

}  // namespace
}  // namespace kvc_test

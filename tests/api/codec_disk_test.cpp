// What codecs learned, and pages that name it, on disk: after a restart, in copies and in packs.
#include <string>
#include <utility>
#include <vector>

#include "../temporary_directory.h"
#include "codec_support.h"

namespace kvc_test {
namespace {

// With a directory what was learned is there after a restart: the same pages give the same numbers, and new ones are
// coded with the same calibration.
class CodecDiskTest : public CodecTest {
 protected:
  void SetUp() override {
    model_.extend(some_tokens(7 * kPage, 13));
  }
  void TearDown() override {
    space_.reset();
    engine_.reset();
  }
  Options options(Options more = {}) const {
    more.insert({{"codec", "klt"}, {"codec_bits", "5.5"}, {"codec_learn", "128"}, {"codec_window", "0"}});
    return more;
  }
  Options with_disk(Options more = {}) const {
    more.insert({{"disk_path", directory_.at("store")}, {"disk_limit", "64MiB"}});
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

  kvc_test::TemporaryDirectory directory_;
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
                                   {"disk_path", directory_.at(std::to_string(number++))}});
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
  ASSERT_STATUS(KVC_OK, kvc_persist_to(*engine_, nullptr, directory_.at("copy").c_str(), nullptr), *engine_);
  ASSERT_STATUS(KVC_OK, kvc_pack_write(*space_, nullptr, model_.tokens.data(), model_.tokens.size(),
                                       directory_.at("pack").c_str(), nullptr), *engine_);
  std::vector<float> after;
  reopen(options({{"secret", "one"}}));
  ASSERT_STATUS(KVC_OK, kvc_load(*engine_, directory_.at("copy").c_str(), nullptr), *engine_);
  EXPECT_EQ(model_.tokens.size(), match(&after));
  EXPECT_EQ(before, after);
  reopen(options({{"secret", "two"}}));
  ASSERT_STATUS(KVC_OK, kvc_pack_open(*engine_, directory_.at("pack").c_str(), nullptr), *engine_);
  EXPECT_EQ(model_.tokens.size(), match(&after));
  EXPECT_EQ(before, after);
  // One that has learned for itself reads both kinds.
  reopen(options({{"secret", "two"}}));
  Model other;
  other.extend(some_tokens(7 * kPage, 98));
  kvc_session_t* s = session();
  add(s, &other, kPage);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  ASSERT_STATUS(KVC_OK, kvc_pack_open(*engine_, directory_.at("pack").c_str(), nullptr), *engine_);
  EXPECT_EQ(model_.tokens.size(), match(&after));
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace kvc_test

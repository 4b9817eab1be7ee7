// Identity: every field counts, nothing may be forgotten, and a difference can be told.
#include "cache/space.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace kvc {
namespace {

struct Description {
  kvc_space_desc_t desc{};
  kvc_rope_t rope{};
  kvc_adapter_t adapters[2] = {};
  std::string weights = "weights";
  std::string tokenizer = "tokenizer";
  std::string lora = "lora";

  Description() {
    desc.struct_size = sizeof desc;
    rope.struct_size = sizeof rope;
    desc.weights_digest = weights.data();
    desc.weights_digest_size = weights.size();
    desc.tokenizer_digest = tokenizer.data();
    desc.tokenizer_digest_size = tokenizer.size();
    rope.base = 10000;
    rope.freq_scale = 1;
    rope.dims = 64;
    desc.rope = &rope;
    for (kvc_adapter_t& adapter : adapters) {
      adapter.struct_size = sizeof adapter;
      adapter.digest = lora.data();
      adapter.digest_size = lora.size();
      adapter.scale = 1;
    }
    desc.adapters = adapters;
    desc.n_adapters = 1;
    desc.attention = "window=0";
    desc.n_layers = 2;
    desc.dtype = KVC_F16;
    desc.vocab_size = 1000;
  }
  Description(const Description&) = delete;

  Status make(std::shared_ptr<const Space>* out) const { return Space::make(desc, {}, out); }
};

TEST(SpaceTest, LeavesLayoutToTheDefaults) {
  Description d;
  std::shared_ptr<const Space> space;
  ASSERT_TRUE(d.make(&space).is_ok());
  EXPECT_EQ(space->geometry().n_kv_heads, 8u);
  EXPECT_EQ(space->geometry().k_dim, 64u);
  EXPECT_EQ(space->geometry().v_dim, 64u);
  EXPECT_EQ(space->geometry().page_tokens, 64u);
  EXPECT_EQ(space->geometry().page_bytes(), 2u * 2 * 8 * 64 * 64 * 2);
}

TEST(SpaceTest, EveryFieldChangesTheDigestAndIsNamedInTheDifference) {
  const std::string other = "other";
  const std::vector<std::pair<std::string, std::function<void(Description&)>>> changes = {
      {"weights",
       [&](Description& d) { d.desc.weights_digest = other.data(), d.desc.weights_digest_size = other.size(); }},
      {"tokenizer",
       [&](Description& d) { d.desc.tokenizer_digest = other.data(), d.desc.tokenizer_digest_size = other.size(); }},
      {"tokenizer",
       [](Description& d) {
         d.desc.tokenizer_digest = nullptr;
         d.desc.tokenizer_digest_size = 0;
         d.desc.none |= KVC_NONE_TOKENIZER;
       }},
      {"rope_base 10000 != 500000", [](Description& d) { d.rope.base = 500000; }},
      {"rope_freq_scale", [](Description& d) { d.rope.freq_scale = 0.5; }},
      {"rope_scaling none != yarn", [](Description& d) { d.rope.scaling = "yarn"; }},
      {"rope_factor", [](Description& d) { d.rope.factor = 4; }},
      {"rope_attn_factor", [](Description& d) { d.rope.attn_factor = 1; }},
      {"rope_beta_fast", [](Description& d) { d.rope.beta_fast = 32; }},
      {"rope_beta_slow", [](Description& d) { d.rope.beta_slow = 1; }},
      {"rope_dims", [](Description& d) { d.rope.dims = 32; }},
      {"rope_original_context", [](Description& d) { d.rope.original_context = 4096; }},
      {"rope_pairs halves != interleaved", [](Description& d) { d.rope.interleaved = 1; }},
      {"rope_applied", [](Description& d) { d.rope.applied = 1; }},
      {"rope", [](Description& d) { d.desc.rope = nullptr, d.desc.none |= KVC_NONE_ROPE; }},
      {"adapters 1 != 0", [](Description& d) { d.desc.n_adapters = 0, d.desc.none |= KVC_NONE_ADAPTERS; }},
      {"adapters 1 != 2", [](Description& d) { d.desc.n_adapters = 2; }},
      {"adapter_0",
       [&](Description& d) { d.adapters[0].digest = other.data(), d.adapters[0].digest_size = other.size(); }},
      {"adapter_0_scale 1 != 0.5", [](Description& d) { d.adapters[0].scale = 0.5; }},
      {"attention window=0 != window=4096", [](Description& d) { d.desc.attention = "window=4096"; }},
      {"layers 2 != 3", [](Description& d) { d.desc.n_layers = 3; }},
      {"kv_heads 8 != 4", [](Description& d) { d.desc.n_kv_heads = 4; }},
      {"k_head_dim 64 != 32", [](Description& d) { d.desc.k_head_dim = 32, d.desc.v_head_dim = 64; }},
      {"v_head_dim 64 != 32", [](Description& d) { d.desc.v_head_dim = 32; }},
      {"dtype f16 != bf16", [](Description& d) { d.desc.dtype = KVC_BF16; }},
      {"page_tokens 64 != 32", [](Description& d) { d.desc.page_tokens = 32; }},
      {"vocab_size", [](Description& d) { d.desc.vocab_size = 1001; }},
  };
  Description base;
  std::shared_ptr<const Space> a;
  ASSERT_TRUE(base.make(&a).is_ok());
  for (const auto& [name, change] : changes) {
    Description d;
    change(d);
    std::shared_ptr<const Space> b;
    const Status status = d.make(&b);
    ASSERT_TRUE(status.is_ok()) << name << ": " << status.message();
    EXPECT_NE(a->digest(), b->digest()) << name;
    EXPECT_NE(a->diff(*b).find(name), std::string::npos) << name << ": " << a->diff(*b);
  }
}

TEST(SpaceTest, TheLabelIsNoPartOfTheIdentity) {
  Description d, e;
  d.desc.label = "one.gguf";
  e.desc.label = "renamed.gguf";
  std::shared_ptr<const Space> a, b;
  ASSERT_TRUE(d.make(&a).is_ok());
  ASSERT_TRUE(e.make(&b).is_ok());
  EXPECT_EQ(a->digest(), b->digest());
  EXPECT_EQ(a->diff(*b), "");
}

TEST(SpaceTest, BoundariesBetweenFieldsCannotMove) {
  // "ab" + "c" and "a" + "bc" must not meet.
  const std::string text = "abc";
  Description d, e;
  d.desc.weights_digest = text.data(), d.desc.weights_digest_size = 2;
  d.desc.tokenizer_digest = text.data() + 2, d.desc.tokenizer_digest_size = 1;
  e.desc.weights_digest = text.data(), e.desc.weights_digest_size = 1;
  e.desc.tokenizer_digest = text.data() + 1, e.desc.tokenizer_digest_size = 2;
  std::shared_ptr<const Space> a, b;
  ASSERT_TRUE(d.make(&a).is_ok());
  ASSERT_TRUE(e.make(&b).is_ok());
  EXPECT_NE(a->digest(), b->digest());
}

TEST(SpaceTest, AFieldLeftOutIsAnErrorThatNamesIt) {
  const std::vector<std::pair<std::string, std::function<void(Description&)>>> forgotten = {
      {"weights_digest", [](Description& d) { d.desc.weights_digest = nullptr, d.desc.weights_digest_size = 0; }},
      {"tokenizer_digest", [](Description& d) { d.desc.tokenizer_digest = nullptr, d.desc.tokenizer_digest_size = 0; }},
      {"rope", [](Description& d) { d.desc.rope = nullptr; }},
      {"RoPE dims", [](Description& d) { d.rope.dims = 0; }},
      {"adapters", [](Description& d) { d.desc.n_adapters = 0; }},
      {"attention", [](Description& d) { d.desc.attention = nullptr; }},
  };
  for (const auto& [name, forget] : forgotten) {
    Description d;
    forget(d);
    std::shared_ptr<const Space> space;
    const Status status = d.make(&space);
    EXPECT_EQ(status.code(), KVC_E_IDENTITY) << name;
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
  }
}

TEST(SpaceTest, GivenAndNoneContradictEachOther) {
  for (uint32_t bit : {KVC_NONE_TOKENIZER, KVC_NONE_ROPE, KVC_NONE_ADAPTERS, KVC_NONE_ATTENTION}) {
    Description d;
    d.desc.none = bit;
    std::shared_ptr<const Space> space;
    EXPECT_EQ(d.make(&space).code(), KVC_E_IDENTITY) << bit;
  }
  Description d;
  d.desc.none = 16;
  std::shared_ptr<const Space> space;
  EXPECT_EQ(d.make(&space).code(), KVC_E_INVALID);
}

TEST(SpaceTest, ValuesOutsideOfTheirRangeAreRefused) {
  const std::vector<std::function<void(Description&)>> wrong = {
      [](Description& d) { d.desc.n_layers = 0; },
      [](Description& d) { d.desc.n_layers = 1025; },
      [](Description& d) { d.desc.n_kv_heads = 1025; },
      [](Description& d) { d.desc.k_head_dim = 8193; },
      [](Description& d) { d.desc.page_tokens = 4097; },
      [](Description& d) { d.desc.vocab_size = -1; },
      [](Description& d) { d.desc.weights_digest_size = 65; },
      [](Description& d) { d.rope.base = 0; },
      [](Description& d) { d.rope.base = std::numeric_limits<double>::quiet_NaN(); },
      [](Description& d) { d.adapters[0].scale = std::numeric_limits<double>::infinity(); },
      // 1024 layers x 2 planes x 1024 heads x 8192 x 64 tokens x 2 bytes: more than a page may have.
      [](Description& d) { d.desc.n_layers = 1024, d.desc.n_kv_heads = 1024, d.desc.k_head_dim = 8192; },
  };
  for (size_t i = 0; i < wrong.size(); ++i) {
    Description d;
    wrong[i](d);
    std::shared_ptr<const Space> space;
    EXPECT_EQ(d.make(&space).code(), KVC_E_OUT_OF_RANGE) << i;
  }
}

TEST(SpaceTest, TokensAreCheckedAgainstTheVocabulary) {
  Description d;
  std::shared_ptr<const Space> space;
  ASSERT_TRUE(d.make(&space).is_ok());
  EXPECT_EQ(space->token_width(), 2u);
  EXPECT_TRUE(space->check_tokens(std::vector<int32_t>{0, 999}).is_ok());
  const Status beyond = space->check_tokens(std::vector<int32_t>{0, 5, 1000});
  EXPECT_EQ(beyond.code(), KVC_E_TOKEN);
  EXPECT_NE(beyond.message().find("token 2 is 1000"), std::string::npos) << beyond.message();
  EXPECT_EQ(space->check_tokens(std::vector<int32_t>{-1}).code(), KVC_E_TOKEN);
}

}  // namespace
}  // namespace kvc

// Nothing crosses from one space, tenant or secret to another, and a miss says what differs.
#include <functional>
#include <set>

#include "core_support.h"

namespace kvc_test {
namespace {

struct Variation {
  const char* field;  // as the miss text names it
  const char* left;   // value of the asking space
  const char* right;  // value of the space that holds the tokens
  std::function<void(Identity&)> change;
};

std::vector<Variation> variations() {
  return {
      {"weights", "", "", [](Identity& i) { i.weights = "weights-digest-2"; }},
      {"weights", "", "", [](Identity& i) { i.weights += '\0'; }},
      {"tokenizer", "", "", [](Identity& i) { i.tokenizer = "tokenizer-2"; }},
      {"tokenizer", "none", "", [](Identity& i) { i.none |= KVC_NONE_TOKENIZER; }},
      {"rope_base", "500000", "10000", [](Identity& i) { i.rope.base = 500000; }},
      {"rope_freq_scale", "0.5", "1", [](Identity& i) { i.rope.freq_scale = 0.5; }},
      {"rope_scaling", "linear", "none", [](Identity& i) { i.rope.scaling = "linear"; }},
      {"rope_factor", "4", "0", [](Identity& i) { i.rope.factor = 4; }},
      {"rope_attn_factor", "1.5", "0", [](Identity& i) { i.rope.attn_factor = 1.5; }},
      {"rope_beta_fast", "32", "0", [](Identity& i) { i.rope.beta_fast = 32; }},
      {"rope_beta_slow", "2", "0", [](Identity& i) { i.rope.beta_slow = 2; }},
      {"rope_dims", "2", "4", [](Identity& i) { i.rope.dims = 2; }},
      {"rope_original_context", "8192", "0", [](Identity& i) { i.rope.original_context = 8192; }},
      {"rope", "", "", [](Identity& i) { i.rope.interleaved = 1; }},
      {"rope_applied", "", "", [](Identity& i) { i.rope.applied = 0; }},
      {"rope", "none", "", [](Identity& i) { i.none |= KVC_NONE_ROPE; }},
      {"adapter", "", "",
       [](Identity& i) {
         i.none = 0, i.adapters = {{"lora-a", 1.0}};
       }},
      {"attention", "window=4096", "window=none", [](Identity& i) { i.attention = "window=4096"; }},
      {"attention", "none", "window=none", [](Identity& i) { i.none |= KVC_NONE_ATTENTION; }},
      {"dtype", "bf16", "f16", [](Identity& i) { i.geometry.dtype = KVC_BF16; }},
      {"dtype", "f32", "f16", [](Identity& i) { i.geometry.dtype = KVC_F32; }},
      {"layers", "3", "2", [](Identity& i) { i.geometry.layers = 3; }},
      {"kv_heads", "1", "2", [](Identity& i) { i.geometry.heads = 1; }},
      {"k_head_dim", "8", "4", [](Identity& i) { i.geometry.k_dim = 8; }},
      {"v_head_dim", "8", "4", [](Identity& i) { i.geometry.v_dim = 8; }},
      {"page_tokens", "2", "4", [](Identity& i) { i.geometry.page_tokens = 2; }},
      {"vocab_size", "5000", "0", [](Identity& i) { i.geometry.vocab = 5000; }},
  };
}

TEST(CoreIdentityTest, AnyDifferenceIsAMissThatNamesItself) {
  for (const Variation& v : variations()) {
    Engine engine;
    const Identity base;
    Identity other = base;
    v.change(other);
    Space a(engine, base), b(engine, other);
    EXPECT_NE(0, std::memcmp(a.info().digest, b.info().digest, 32)) << v.field;
    Session stored(a);
    ASSERT_STATUS(KVC_OK, stored.add(iota_tokens(12)), stored);
    Session asking(b);
    EXPECT_EQ(0u, asking.match(iota_tokens(12))) << v.field;
    int32_t reason = 0;
    const std::string text = asking.miss(&reason);
    EXPECT_EQ(KVC_MISS_IDENTITY, reason) << v.field;
    EXPECT_NE(std::string::npos, text.find(v.field)) << text;
    EXPECT_NE(std::string::npos, text.find(std::string(v.left) + " != " + v.right)) << v.field << ": " << text;
    // Each keeps its own.
    ASSERT_STATUS(KVC_OK, asking.add(iota_tokens(12)), asking);
    EXPECT_EQ("", asking.check()) << v.field;
    EXPECT_EQ("", stored.check()) << v.field;
    char diff[512] = "";
    size_t length = 0;
    EXPECT_EQ(KVC_OK, kvc_space_diff(b, a, diff, sizeof diff, &length));
    EXPECT_NE(std::string::npos, text.find(diff)) << text << " / " << diff;
  }
}

TEST(CoreIdentityTest, AdaptersCountInDigestScaleNumberAndOrder) {
  Engine engine;
  const std::vector<std::vector<std::pair<std::string, double>>> sets = {
      {{"lora-a", 1.0}},
      {{"lora-a", 0.5}},
      {{"lora-b", 1.0}},
      {{"lora-a", 1.0}, {"lora-b", 1.0}},
      {{"lora-b", 1.0}, {"lora-a", 1.0}},
  };
  std::set<std::string> digests;
  for (const auto& set : sets) {
    Identity identity;
    identity.none = 0;
    identity.adapters = set;
    Space space(engine, identity);
    const kvc_space_info_t info = space.info();
    digests.emplace(reinterpret_cast<const char*>(info.digest), 32);
    Session s(space);
    EXPECT_EQ(0u, s.match(iota_tokens(8)));
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(8)), s);
    EXPECT_EQ("", s.check());
  }
  EXPECT_EQ(sets.size(), digests.size());
}

TEST(CoreIdentityTest, FieldsCannotRunIntoOneAnother) {
  Engine engine;
  Identity a, b;
  a.weights = "xy", a.tokenizer = "z";
  b.weights = "x", b.tokenizer = "yz";
  Space sa(engine, a), sb(engine, b);
  EXPECT_NE(0, std::memcmp(sa.info().digest, sb.info().digest, 32));
}

TEST(CoreIdentityTest, TheSameIdentityTwiceIsOneSpace) {
  Engine engine;
  Identity identity;
  Space a(engine, identity), b(engine, identity);
  EXPECT_EQ(0, std::memcmp(a.info().digest, b.info().digest, 32));
  Session s(a);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(8)), s);
  EXPECT_EQ(8u, Session(b).match(iota_tokens(9)));
  char text[64] = "x";
  size_t length = 9;
  EXPECT_EQ(KVC_OK, kvc_space_diff(a, b, text, sizeof text, &length));
  EXPECT_STREQ("", text);
}

TEST(CoreIdentityTest, PagesOutliveTheHandlesOfTheirSpace) {
  Engine engine;
  Identity identity;
  {
    Space a(engine, identity);
    Session s(a);
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(8)), s);
  }
  Space again(engine, identity);
  Session s(again);
  EXPECT_EQ(8u, s.match(iota_tokens(8)));
  EXPECT_EQ("", s.check());
}

TEST(CoreIdentityTest, TenantsNeverSeeEachOther) {
  Engine engine;
  Space space(engine, Geometry{});
  for (const char* tenant : {static_cast<const char*>(nullptr), "a", "b", "ab", "a "}) {
    Session s(space, tenant);
    EXPECT_EQ(0u, s.match(iota_tokens(8)));
    int32_t reason = 0;
    s.miss(&reason);
    EXPECT_EQ(KVC_MISS_NEW, reason) << "a miss must not tell of other tenants";
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(8)), s);
    EXPECT_EQ("", s.check());
  }
  EXPECT_EQ(10u, engine.stats().pages);
  EXPECT_EQ(10u, engine.pages().size());
  EXPECT_EQ(2u, engine.pages("a").size());
  EXPECT_EQ(0u, engine.pages("c").size());
  Session s(space, "a");
  EXPECT_EQ(8u, s.match(iota_tokens(8)));
  EXPECT_EQ("", s.check());
}

std::string ids(kvc_space_t* space, const char* tenant, const Tokens& tokens) {
  std::string out(32 * tokens.size(), '\0');
  size_t n = 0;
  EXPECT_EQ(KVC_OK, kvc_space_page_ids(space, tenant, tokens.data(), tokens.size(),
                                       reinterpret_cast<uint8_t*>(out.data()), tokens.size(), &n));
  out.resize(32 * n);
  return out;
}

TEST(CoreIdentityTest, PageIdsDependOnTenantSecretAndSpaceAndOnNothingElse) {
  const Tokens tokens = iota_tokens(10);
  Identity other;
  other.rope.base = 500000;
  std::set<std::string> seen;
  for (const char* secret : {"one", "two"}) {
    Engine engine(Options{{"secret", secret}});
    Space a(engine, Identity{}), b(engine, other);
    for (kvc_space_t* space : {static_cast<kvc_space_t*>(a), static_cast<kvc_space_t*>(b)})
      for (const char* tenant : {static_cast<const char*>(nullptr), "a", "b"}) {
        const std::string got = ids(space, tenant, tokens);
        ASSERT_EQ(64u, got.size());
        EXPECT_NE(got.substr(0, 32), got.substr(32));
        EXPECT_TRUE(seen.insert(got.substr(0, 32)).second);
        EXPECT_TRUE(seen.insert(got.substr(32)).second);
      }
    Engine twin(Options{{"secret", secret}, {"policy", "fifo"}});
    Space same(twin, Identity{});
    EXPECT_EQ(ids(a, "a", tokens), ids(same, "a", tokens)) << "two machines with one secret";
  }
}

TEST(CoreIdentityTest, AChainCoversAllTokensBeforeIt) {
  Engine engine;
  Space space(engine, Geometry{});
  Tokens a = iota_tokens(12), b = a;
  b[0] = 99;
  const std::string ia = ids(space, nullptr, a), ib = ids(space, nullptr, b);
  for (int page = 0; page < 3; ++page) EXPECT_NE(ia.substr(32 * page, 32), ib.substr(32 * page, 32));
  EXPECT_EQ(ia.substr(0, 64), ids(space, nullptr, prefix(a, 11)));
  size_t n = 0;
  uint8_t room[32];
  EXPECT_EQ(KVC_E_BUFFER, kvc_space_page_ids(space, nullptr, a.data(), a.size(), room, 1, &n));
  EXPECT_EQ(3u, n);
}

}  // namespace
}  // namespace kvc_test

#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "base/random.h"

namespace kvc {
namespace {

class HashTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(hash_init()); }
  static std::string hex(const Digest& digest) { return to_hex(digest.bytes); }
  static Digest digest(std::string_view text) { return digest_of(std::as_bytes(std::span(text))); }
};

// Values of Python's hashlib.blake2b, an implementation of its own.
TEST_F(HashTest, DigestIsBlake2b256) {
  EXPECT_EQ(hex(digest("")), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(hex(digest("abc")), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST_F(HashTest, TenantKeyIsKeyedBlake2b) {
  Digest secret;
  for (size_t i = 0; i < secret.bytes.size(); ++i) secret.bytes[i] = static_cast<uint8_t>(i);
  EXPECT_EQ(hex(tenant_key(secret, "")), "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d");
  EXPECT_EQ(hex(tenant_key(secret, "acme")), "78349652896b8e899af427cd349f9d57677e2db2d9d481a4ac0f11307f0626cf");
}

TEST_F(HashTest, PageIdIsKeyedPersonalBlake2b) {
  Digest key, parent;
  for (size_t i = 0; i < 32; ++i) {
    key.bytes[i] = static_cast<uint8_t>(i);
    parent.bytes[i] = static_cast<uint8_t>(200 - i);
  }
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 64; ++i) tokens.push_back(i * 1'000'003 % 128'000);
  EXPECT_EQ(hex(page_id(key, parent, tokens)), "f0637aee260957b7b84d9f4d3689a233fe6eb48d52f10c8778f49e471c970041");
  EXPECT_EQ(hex(page_id(key, parent, std::span(tokens).first(1))),
            "97bdf138fe7efbdd78f8662e653f927d389b30e7930d734dd93d00f418567bd1");
  EXPECT_EQ(hex(page_id(key, parent, {})), "499cdcc2d300dce90af2b03b621ffd6d303a642f5d0b9dc37239ed14ca3f3c46");
}

TEST_F(HashTest, EveryInputBitChangesAPageId) {
  Random random(7);
  Digest key, parent;
  for (auto& byte : key.bytes) byte = static_cast<uint8_t>(random.next());
  for (auto& byte : parent.bytes) byte = static_cast<uint8_t>(random.next());
  std::vector<int32_t> tokens(16);
  for (auto& token : tokens) token = static_cast<int32_t>(random.next() >> 33);
  std::set<Digest> ids = {page_id(key, parent, tokens)};
  size_t n = 1;
  for (size_t bit = 0; bit < 256; ++bit) {
    Digest other = key;
    other.bytes[bit / 8] = static_cast<uint8_t>(other.bytes[bit / 8] ^ (1u << bit % 8));
    ids.insert(page_id(other, parent, tokens));
    other = parent;
    other.bytes[bit / 8] = static_cast<uint8_t>(other.bytes[bit / 8] ^ (1u << bit % 8));
    ids.insert(page_id(key, other, tokens));
    n += 2;
  }
  for (size_t bit = 0; bit < tokens.size() * 31; ++bit) {
    std::vector<int32_t> other = tokens;
    other[bit / 31] ^= 1 << bit % 31;
    ids.insert(page_id(key, parent, other));
    ++n;
  }
  for (size_t shorter = 0; shorter < tokens.size(); ++shorter, ++n)
    ids.insert(page_id(key, parent, std::span(tokens).first(shorter)));
  EXPECT_EQ(ids.size(), n);
}

TEST_F(HashTest, KeyAndParentAreNotInterchangeable) {
  const Digest a = digest("a"), b = digest("b");
  EXPECT_NE(page_id(a, b, {}), page_id(b, a, {}));
}

TEST_F(HashTest, InitFromManyThreads) {
  std::vector<std::thread> threads;
  std::vector<Digest> digests(8);
  for (auto& out : digests) {
    threads.emplace_back([&out] {
      if (hash_init()) out = digest("abc");
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& out : digests) EXPECT_EQ(out, digest("abc"));
}

TEST_F(HashTest, ToHex) {
  EXPECT_EQ(to_hex({}), "");
  const uint8_t bytes[] = {0x00, 0x0f, 0xf0, 0xa5};
  EXPECT_EQ(to_hex(bytes), "000ff0a5");
}

TEST_F(HashTest, WordIsTheFirstEightBytes) {
  Digest digest;
  digest.bytes[0] = 1;
  digest.bytes[8] = 0xff;
  uint64_t expected = 0;
  const uint8_t one[8] = {1};
  std::memcpy(&expected, one, 8);
  EXPECT_EQ(digest.word(), expected);
}

}  // namespace
}  // namespace kvc

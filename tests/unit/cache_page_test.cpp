// The treap of a page's children against a plain list.
#include "cache/page.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace kvc {
namespace {

constexpr size_t kTokens = 8;

struct PageDeleter {
  void operator()(Page* page) const {
    page->~Page();
    std::free(page);
  }
};
using OwnedPage = std::unique_ptr<Page, PageDeleter>;

OwnedPage make_page(uint32_t width, const std::vector<int32_t>& tokens, Random* random) {
  void* memory = std::aligned_alloc(alignof(Page), (sizeof(Page) + tokens.size() * width + 63) / 64 * 64);
  OwnedPage page(new (memory) Page());
  page->tokens = page->n_tokens = static_cast<uint32_t>(tokens.size());
  pack_tokens(width, tokens, page->token_bytes());
  for (uint8_t& byte : page->id.bytes) byte = static_cast<uint8_t>(random->next());
  return page;
}

class PageTreapTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(PageTreapTest, FindsExactAndLongestCommonBeginningLikeAList) {
  const uint32_t width = GetParam();
  Random random(7);
  std::vector<OwnedPage> pages;
  std::vector<std::vector<int32_t>> contents;
  Page* treap = nullptr;
  const auto random_tokens = [&] {
    std::vector<int32_t> tokens(kTokens);
    // Few values: long common beginnings are frequent.
    for (int32_t& token : tokens) token = static_cast<int32_t>(random.next() % 3) * 257;
    return tokens;
  };
  for (int step = 0; step < 4000; ++step) {
    if (random.next() % 3 != 0) {
      std::vector<int32_t> tokens = random_tokens();
      if (random.next() % 4 == 0) tokens.resize(1 + random.next() % kTokens);  // a short page
      if (std::find(contents.begin(), contents.end(), tokens) == contents.end()) {
        pages.push_back(make_page(width, tokens, &random));
        contents.push_back(tokens);
        insert_child(&treap, pages.back().get(), width);
      }
    } else if (!pages.empty()) {
      const size_t i = random.next() % pages.size();
      erase_child(&treap, pages[i].get(), width);
      pages.erase(pages.begin() + static_cast<ptrdiff_t>(i));
      contents.erase(contents.begin() + static_cast<ptrdiff_t>(i));
    }
    std::vector<int32_t> key = random_tokens();
    key.resize(1 + random.next() % kTokens);
    std::vector<std::byte> packed(key.size() * width);
    pack_tokens(width, key, packed.data());
    const Found found = find_child(treap, packed.data(), packed.size(), width, kTokens * width);
    size_t best = 0;
    bool exact = false;
    for (const auto& tokens : contents) {
      const auto common =
          static_cast<size_t>(std::mismatch(key.begin(), key.end(), tokens.begin(), tokens.end()).first - key.begin());
      best = std::max(best, common);
      exact = exact || common == kTokens;
    }
    ASSERT_EQ(found.exact != nullptr, exact) << "step " << step;
    if (!exact) {
      ASSERT_EQ(found.common / width, best) << "step " << step;
      if (best > 0) {
        ASSERT_GE(found.best->tokens, best);
        std::vector<int32_t> tokens(found.best->tokens);
        unpack_tokens(width, found.best->token_bytes(), tokens.size(), tokens.data());
        ASSERT_TRUE(std::equal(key.begin(), key.begin() + static_cast<ptrdiff_t>(best), tokens.begin()));
      }
    }
  }
  while (!pages.empty()) {
    erase_child(&treap, pages.back().get(), width);
    pages.pop_back();
  }
  EXPECT_EQ(treap, nullptr);
}

INSTANTIATE_TEST_SUITE_P(TokenWidths, PageTreapTest, ::testing::Values(2u, 4u));

TEST(PackTokensTest, NarrowTokensComeBack) {
  const std::vector<int32_t> tokens = {0, 1, 255, 256, 65535};
  std::byte packed[10];
  pack_tokens(2, tokens, packed);
  std::vector<int32_t> back(tokens.size());
  unpack_tokens(2, packed, tokens.size(), back.data());
  EXPECT_EQ(back, tokens);
}

}  // namespace
}  // namespace kvc

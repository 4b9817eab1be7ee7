#include "attend/copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/random.h"

namespace kvc {
namespace {

constexpr auto kUntouched = std::byte{0xcd};

// Memory that begins `offset` bytes after a cache line's beginning, of exactly the length given: AddressSanitizer sees
// a byte more that is read or written.
class Buffer {
 public:
  Buffer(size_t size, size_t offset) : size_(size) {
    memory_.reset(new (std::align_val_t{64}) std::byte[size + offset]);
    data_ = memory_.get() + offset;
  }
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  struct Delete {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte[], Delete> memory_;
  std::byte* data_;
  size_t size_;
};

void fill_random(const Buffer& buffer, Random& random) {
  for (size_t i = 0; i < buffer.size(); i += 8) {
    const uint64_t word = random.next();
    std::memcpy(buffer.data() + i, &word, std::min<size_t>(8, buffer.size() - i));
  }
}

size_t extent(size_t n_outer, size_t outer, size_t n_inner, size_t inner, size_t row) {
  return n_outer == 0 || n_inner == 0 ? 0 : (n_outer - 1) * outer + (n_inner - 1) * inner + row;
}

// Row by row into untouched memory: what copy_grid must give, to the byte.
void check_grid(const RowGrid& g, size_t src_offset, size_t dst_offset, bool streaming, Random& random) {
  const Buffer src(extent(g.n_outer, g.src_outer, g.n_inner, g.src_inner, g.row_bytes), src_offset);
  const Buffer dst(extent(g.n_outer, g.dst_outer, g.n_inner, g.dst_inner, g.row_bytes), dst_offset);
  fill_random(src, random);
  std::vector<std::byte> want(dst.size(), kUntouched);
  std::fill_n(dst.data(), dst.size(), kUntouched);
  for (size_t i = 0; i < g.n_outer; ++i) {
    for (size_t j = 0; j < g.n_inner; ++j) {
      std::memcpy(want.data() + i * g.dst_outer + j * g.dst_inner, src.data() + i * g.src_outer + j * g.src_inner,
                  g.row_bytes);
    }
  }
  copy_grid(dst.data(), src.data(), g, streaming);
  ASSERT_EQ(std::memcmp(dst.data(), want.data(), want.size()), 0)
      << g.n_outer << " x " << g.n_inner << " rows of " << g.row_bytes << " src " << g.src_outer << "/" << g.src_inner
      << " +" << src_offset << " dst " << g.dst_outer << "/" << g.dst_inner << " +" << dst_offset
      << (streaming ? " streaming" : "");
}

TEST(CopyRowsTest, AllLengthsAndStrides) {
  Random random(1);
  for (size_t row = 1; row <= 300; row += row < 140 ? 1 : 31) {
    for (const size_t gap : {0, 1, 32, 64}) {
      for (const size_t n : {1, 2, 5}) {
        const size_t stride = row + gap;
        const Buffer src((n - 1) * stride + row, 0), dst((n - 1) * row + row, 0), back((n - 1) * stride + row, 0);
        fill_random(src, random);
        copy_rows(dst.data(), row, src.data(), stride, row, n);
        std::fill_n(back.data(), back.size(), kUntouched);
        copy_rows(back.data(), stride, dst.data(), row, row, n);
        for (size_t i = 0; i < n; ++i) {
          ASSERT_EQ(std::memcmp(dst.data() + i * row, src.data() + i * stride, row), 0);
          ASSERT_EQ(std::memcmp(back.data() + i * stride, src.data() + i * stride, row), 0);
          for (size_t at = row; i + 1 < n && at < stride; ++at) ASSERT_EQ(back.data()[i * stride + at], kUntouched);
        }
      }
    }
  }
}

TEST(CopyRowsTest, NothingIsNothing) {
  copy_rows(nullptr, 0, nullptr, 0, 16, 0);
  copy_rows(nullptr, 0, nullptr, 0, 0, 10);
  copy_grid(nullptr, nullptr, RowGrid{0, 3, 0, 0, 0, 0, 16}, true);
  copy_grid(nullptr, nullptr, RowGrid{3, 0, 0, 0, 0, 0, 16}, true);
  copy_grid(nullptr, nullptr, RowGrid{3, 3, 0, 0, 0, 0, 0}, false);
}

// The shapes of real use: a page's plane to and from both layouts of a caller's tensor.
TEST(CopyGridTest, PagesToAndFromTensors) {
  Random random(2);
  for (const bool streaming : {false, true}) {
    for (const size_t row : {6, 32, 64, 96, 128, 160, 256, 512, 1024}) {
      for (const size_t heads : {1, 3, 8, 20}) {
        if (heads * row > 4096) continue;
        for (const size_t tokens : {1, 7, 64}) {
          const size_t head = 64 * row;  // of the page
          const size_t all = 65;         // tokens in the tensor
          const RowGrid to_thd{heads, tokens, head, row, row, heads * row, row};
          const RowGrid to_htd{heads, tokens, head, row, all * row, row, row};
          const RowGrid from_thd{heads, tokens, row, heads * row, head, row, row};
          const RowGrid from_htd{heads, tokens, all * row, row, head, row, row};
          for (const RowGrid& grid : {to_thd, to_htd, from_thd, from_htd}) {
            for (const size_t offset : {0, 2, 32}) {
              ASSERT_NO_FATAL_FAILURE(check_grid(grid, offset, 0, streaming, random));
              ASSERT_NO_FATAL_FAILURE(check_grid(grid, 0, offset, streaming, random));
            }
          }
        }
      }
    }
  }
}

TEST(CopyGridTest, RandomGrids) {
  Random random(3);
  for (int round = 0; round < 3000; ++round) {
    RowGrid g{};
    g.n_outer = 1 + random.next() % 12;
    g.n_inner = 1 + random.next() % 12;
    const size_t unit = size_t{1} << random.next() % 7;
    g.row_bytes = unit * (1 + random.next() % 12);
    // Rows that do not overlap: one loop's stride is at least a row, the other's at least all rows of the first.
    const auto strides = [&](size_t* outer, size_t* inner) {
      const bool inner_is_small = random.next() % 2 != 0;
      size_t& small = inner_is_small ? *inner : *outer;
      size_t& large = inner_is_small ? *outer : *inner;
      const size_t n = inner_is_small ? g.n_inner : g.n_outer;
      small = g.row_bytes + (random.next() % 3) * unit;
      large = n * small + (random.next() % 3) * unit;
    };
    strides(&g.src_outer, &g.src_inner);
    strides(&g.dst_outer, &g.dst_inner);
    // A loop of one round has any stride, as a tensor's dimension of one has.
    if (g.n_outer == 1 && random.next() % 2 != 0) g.dst_outer = random.next();
    if (g.n_inner == 1 && random.next() % 2 != 0) g.src_inner = random.next();
    ASSERT_NO_FATAL_FAILURE(check_grid(g, random.next() % 64, random.next() % 64, random.next() % 2 != 0, random));
  }
}

TEST(CopyGridTest, LongBlocksOfAnyAlignment) {
  Random random(4);
  for (const size_t row : {511, 512, 513, 4096, 4097, 100'003}) {
    for (const size_t offset : {0, 1, 16, 63}) {
      const RowGrid grid{2, 1, row, row, row + 5, 0, row};
      ASSERT_NO_FATAL_FAILURE(check_grid(grid, 3, offset, true, random));
      ASSERT_NO_FATAL_FAILURE(check_grid(grid, offset, 0, true, random));
    }
  }
}

}  // namespace
}  // namespace kvc

// Moving rows of K/V between layouts.
#pragma once

#include <cstddef>

namespace kvc {

// Copies n rows of row_bytes from src + i * src_stride to dst + i * dst_stride (bytes). Rows that lie against one
// another on both sides are copied as one block. No overlap.
void copy_rows(std::byte* dst, size_t dst_stride, const std::byte* src, size_t src_stride, size_t row_bytes,
               size_t n) noexcept;

// The same for a matrix of rows: for each i < n_outer, j < n_inner the row src + i * src_outer + j * src_inner goes to
// dst + i * dst_outer + j * dst_inner. Chooses the loop order that writes the destination in sequence, in tiles where
// the source runs across it. With `streaming` (for copies larger than the processor's caches) stores bypass the cache
// where the processor can: then gathering is faster than memcpy of as many bytes in pieces, because no line is read
// before it is overwritten.
struct RowGrid {
  size_t n_outer, n_inner;
  size_t src_outer, src_inner;
  size_t dst_outer, dst_inner;
  size_t row_bytes;
};
void copy_grid(std::byte* dst, const std::byte* src, const RowGrid& grid, bool streaming) noexcept;

}  // namespace kvc

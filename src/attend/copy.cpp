#include "attend/copy.h"

#include <cstring>

namespace kvc {

void copy_rows(std::byte* dst, size_t dst_stride, const std::byte* src, size_t src_stride, size_t row_bytes, size_t n) noexcept {
  if (n == 0 || row_bytes == 0) return;
  if (dst_stride == row_bytes && src_stride == row_bytes) {
    std::memcpy(dst, src, row_bytes * n);
    return;
  }
  for (size_t i = 0; i < n; ++i) std::memcpy(dst + i * dst_stride, src + i * src_stride, row_bytes);
}

void copy_grid(std::byte* dst, const std::byte* src, const RowGrid& grid, bool) noexcept {
  for (size_t i = 0; i < grid.n_outer; ++i) {
    copy_rows(dst + i * grid.dst_outer, grid.dst_inner, src + i * grid.src_outer, grid.src_inner, grid.row_bytes, grid.n_inner);
  }
}

}  // namespace kvc

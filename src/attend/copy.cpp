#include "attend/copy.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#define KVC_X86 1
#include <immintrin.h>
#endif

namespace kvc {
namespace {

// A kernel: as copy_rows.
using CopyRows = void (*)(std::byte* dst, size_t dst_stride, const std::byte* src, size_t src_stride, size_t row_bytes,
                          size_t n);

void rows_plain(std::byte* dst, size_t dst_stride, const std::byte* src, size_t src_stride, size_t row_bytes,
                size_t n) {
  for (size_t i = 0; i < n; ++i) std::memcpy(dst + i * dst_stride, src + i * src_stride, row_bytes);
}

#ifdef KVC_X86

constexpr size_t kLine = 64;  // bytes of a cache line

bool has_avx2() { return __builtin_cpu_supports("avx2"); }

// Longer rows: memcpy's choices are better than ours, and its call no longer costs.
constexpr size_t kMaxShortRow = 512;

// Short rows of whole vectors: most of memcpy's time would go into finding out how long they are.
__attribute__((target("avx2"))) void rows_short(std::byte* dst, size_t dst_stride, const std::byte* src,
                                                size_t src_stride, size_t row_bytes, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    std::byte* to = dst + i * dst_stride;
    const std::byte* from = src + i * src_stride;
    for (size_t at = 0; at < row_bytes; at += 32) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at)));
    }
  }
}

// n / 64 lines past the cache, to a line's beginning: without this the processor reads every line before it is
// overwritten.
__attribute__((target("avx2"))) inline void stream_lines(std::byte* dst, const std::byte* src, size_t n) {
  for (size_t at = 0; at < n; at += kLine) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src + at));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src + at + 32));
    _mm256_stream_si256(reinterpret_cast<__m256i*>(dst + at), low);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(dst + at + 32), high);
  }
}

// Rows of any length and alignment; the lines that a row shares with its neighbours go the usual way.
__attribute__((target("avx2"))) void rows_stream(std::byte* dst, size_t dst_stride, const std::byte* src,
                                                 size_t src_stride, size_t row_bytes, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    std::byte* to = dst + i * dst_stride;
    const std::byte* from = src + i * src_stride;
    const size_t head = std::min(row_bytes, (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine);
    const size_t lines = (row_bytes - head) / kLine * kLine;
    const size_t tail = row_bytes - head - lines;
    if (head != 0) std::memcpy(to, from, head);
    stream_lines(to + head, from + head, lines);
    if (tail != 0) std::memcpy(to + head + lines, from + head + lines, tail);
  }
}

#endif  // KVC_X86

CopyRows choose([[maybe_unused]] size_t row_bytes) {
#ifdef KVC_X86
  if (row_bytes % 32 == 0 && row_bytes <= kMaxShortRow && has_avx2()) return rows_short;
#endif
  return rows_plain;
}

// nullptr: stores cannot, or should not, bypass the cache here.
CopyRows choose_streaming([[maybe_unused]] const std::byte* dst, [[maybe_unused]] const RowGrid& g) {
#ifdef KVC_X86
  // Rows of whole lines; or long ones, of which the lines at both ends are a small part.
  const bool whole_lines = (reinterpret_cast<uintptr_t>(dst) | g.dst_outer | g.dst_inner | g.row_bytes) % kLine == 0;
  if ((whole_lines || g.row_bytes >= 8 * kLine) && has_avx2()) return rows_stream;
#endif
  return nullptr;
}

}  // namespace

void copy_rows(std::byte* dst, size_t dst_stride, const std::byte* src, size_t src_stride, size_t row_bytes,
               size_t n) noexcept {
  if (n == 0 || row_bytes == 0) return;
  if (dst_stride == row_bytes && src_stride == row_bytes) {
    std::memcpy(dst, src, row_bytes * n);
    return;
  }
  choose(row_bytes)(dst, dst_stride, src, src_stride, row_bytes, n);
}

void copy_grid(std::byte* dst, const std::byte* src, const RowGrid& grid, bool streaming) noexcept {
  RowGrid g = grid;
  if (g.n_outer == 0 || g.n_inner == 0 || g.row_bytes == 0) return;
  if (g.n_inner == 1 || (g.n_outer != 1 && g.dst_inner > g.dst_outer)) {
    std::swap(g.n_outer, g.n_inner);
    std::swap(g.src_outer, g.src_inner);
    std::swap(g.dst_outer, g.dst_inner);
  }
  if (g.src_inner == g.row_bytes && g.dst_inner == g.row_bytes) {  // the rows of the inner loop are one
    g.row_bytes *= g.n_inner;
    g.n_inner = 1;
    g.dst_inner = 0;
  }
  if (g.n_outer == 1) g.src_outer = g.dst_outer = 0;  // whatever they were, they play no part
  const CopyRows stream = streaming ? choose_streaming(dst, g) : nullptr;
  const CopyRows copy = stream != nullptr ? stream : choose(g.row_bytes);
  if (g.n_inner == 1) {
    copy(dst, g.dst_outer, src, g.src_outer, g.row_bytes, g.n_outer);
  } else {
    // Where the source runs across the destination, tiles bound how many places are read (or written) in turn:
    // prefetchers follow about this many.
    const size_t tile = g.src_inner > g.src_outer ? 8 : g.n_inner;
    for (size_t j = 0; j < g.n_inner; j += tile) {
      const size_t n = std::min(tile, g.n_inner - j);
      for (size_t i = 0; i < g.n_outer; ++i) {
        copy(dst + i * g.dst_outer + j * g.dst_inner, g.dst_inner, src + i * g.src_outer + j * g.src_inner, g.src_inner,
             g.row_bytes, n);
      }
    }
  }
#ifdef KVC_X86
  if (stream != nullptr) _mm_sfence();  // streamed stores are not ordered with the usual ones
#endif
}

}  // namespace kvc

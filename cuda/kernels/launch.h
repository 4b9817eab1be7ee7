// How kernels are launched: blocks, threads, shared memory. And what they refuse: kernels check nothing.
#pragma once

#include "kernels/attend_klt.h"
#include "kernels/jacobi.h"
#include "kernels/klt_encode.h"
#include "kernels/merge.h"
#include "kernels/svd_encode.h"

namespace kvc_cuda {

struct Shape {
  uint32_t grid = 0, threads = 0, shared = 0;
};

// Largest heads that fit a block's shared memory when pages are encoded or decoded, in channels.
inline constexpr uint32_t kCodedDim = 512;

inline Shape move_shape(const MoveArgs& a, uint32_t processors) {
  const uint64_t vectors =
      uint64_t{a.planes} * a.layers * a.tokens * a.heads * (a.row_bytes / (a.vector == 0 ? 1 : a.vector));
  const uint64_t blocks = (vectors + 255) / 256, most = uint64_t{processors} * 8;
  return {static_cast<uint32_t>(blocks < most ? blocks : most), 256, 0};
}

// processors: how many the copy may occupy; the others go on with the model.
inline Shape copy_shape(const CopyArgs& a, uint32_t processors) {
  return {a.chunks < processors ? a.chunks : processors, 512, 0};
}

inline Shape code_shape(const CodeArgs& a) {
  const uint32_t tiles = (a.page_tokens + kTile - 1) / kTile;
  return {a.pages * a.n_layers * 2 * a.n_heads * tiles, 128,
          static_cast<uint32_t>((kLanes * value_channels(a.dim[1]) + 2 * 128 + 2 * kLanes) * sizeof(float))};
}

inline Shape svd_shape(const CodeArgs& a) {
  return {a.pages * a.n_layers * 2 * a.n_heads, kSvdThreads, kSvdThreads * static_cast<uint32_t>(sizeof(uint64_t))};
}

struct SvdShapes {
  Shape terms, share, place;
};
inline SvdShapes svd_encode_shapes(const SvdEncodeArgs& e) {
  const SvdRoom room(e.page);
  const uint32_t heads = e.page.pages * room.heads, n = room.terms;
  return {{heads, kSvdEncodeThreads, (2 * n * n + n + 1 + kSvdEncodeThreads) * static_cast<uint32_t>(sizeof(float))},
          {e.page.pages, kSvdEncodeThreads, kSvdEncodeThreads * static_cast<uint32_t>(sizeof(uint32_t))},
          {heads, kSvdThreads, kSvdThreads * static_cast<uint32_t>(sizeof(uint64_t))}};
}

inline Shape klt_shape(const KltArgs& a) {
  const uint32_t keys = a.form.channels() * (a.chunk + kKltPad + 2), values = kLanes * a.form.v_dim;
  return {a.pages * a.form.n_layers * a.form.parts() * a.form.tiles(), kKltThreads,
          static_cast<uint32_t>((keys > values ? keys : values) * sizeof(float))};
}

inline Shape klt_encode_shape(const KltEncodeArgs& e) {
  const KltForm& form = e.page.form;
  const uint32_t keys = form.channels() * (e.page.chunk + kKltPad + kKltEncodeWords),
                 values = e.rows * form.v_dim + (kKltEncodeWords - 1) * kKltTile;
  return {e.page.pages * form.n_layers * form.parts() * form.tiles(), kKltEncodeThreads,
          static_cast<uint32_t>((keys > values ? keys : values) * sizeof(float))};
}

inline uint32_t attend_parts(const AttendArgs& a) { return (a.group + kAttendGroup - 1) / kAttendGroup; }

inline Shape attend_shape(const AttendArgs& a) {
  const uint32_t k = a.page.dim[0], v = a.page.dim[1];
  const uint32_t floats =
      kAttendGroup * k + kAttendTokens * ((k > v ? k : v) | 1u) + kAttendGroup * kAttendTokens + 3 * kAttendGroup;
  return {a.sequences * a.kv_heads * attend_parts(a) * a.splits, kAttendThreads,
          static_cast<uint32_t>(floats * sizeof(float))};
}

inline Shape mma_shape(const AttendArgs& a) {
  const uint32_t parts = (a.group + kMmaHeads - 1) / kMmaHeads;
  const uint32_t shared =
      a.coded_counts != nullptr ? kMmaHeads * a.page.dim[1] * static_cast<uint32_t>(sizeof(float)) : 0;
  return {a.sequences * a.kv_heads * parts * a.splits, kMmaThreads, shared};
}

// Whether attend_mma can do it: what it loads lies at multiples of 16 bytes, and more than one query head shares a
// load.
inline bool fits_mma(const AttendArgs& a) {
  const Number n = a.page.number;
  const uint64_t strides =
      a.clear.base | static_cast<uint64_t>(a.clear.page | a.clear.layer | a.clear.plane | a.clear.head | a.clear.token);
  return (n == Number::f16 || n == Number::bf16) && a.query_number == n && a.group > 1 && a.page.dim[0] % 32 == 0 &&
         a.page.dim[1] % 64 == 0 && a.page.dim[0] <= kMmaDim && a.page.dim[1] <= kMmaDim &&
         a.page.page_tokens % kMmaTokens == 0 && a.clear.layer_bases == nullptr && strides % 16 == 0 &&
         reinterpret_cast<uint64_t>(a.query) % 4 == 0 && (a.coded_counts == nullptr || a.page.exact == 0);
}

inline Shape klt_attend_shape(const KltAttendArgs& a) {
  const KltAttendRoom room(a.form, a.calibration != nullptr, a.chunk);
  const AttendArgs& all = a.attend;
  return {all.sequences * all.kv_heads * attend_parts(all) * all.splits, kAttendThreads, room.end * 4};
}
inline Shape klt_mma_shape(const KltAttendArgs& a) {
  Shape shape = klt_attend_shape(a);
  shape.shared = (KltAttendRoom(a.form, true, a.chunk).coefficients + a.form.channels() / 2 * kKltMmaStride) * 4;
  return shape;
}

// Whether attend_klt_mma can do it: keys that turn, as many channels as its registers hold.
inline bool fits_klt_mma(const KltAttendArgs& a) {
  const KltForm& form = a.form;
  return a.calibration != nullptr && form.pairs > 0 && form.channels() % 16 == 0 && form.channels() <= kKltMmaDim &&
         form.k_dim % 2 == 0 && form.v_dim <= kKltMmaDim && a.chunk == kKltMmaTokens;
}

inline Shape jacobi_shape(const JacobiArgs& a) {
  return {a.matrices, kJacobiThreads, static_cast<uint32_t>((a.dim + 1) / 2 * 2 * sizeof(float))};
}

inline Shape merge_shape(const AttendArgs& a) { return {a.sequences * a.kv_heads * attend_parts(a), 128, 0}; }

inline Shape merge_parts_shape(const MergeArgs& a) {
  return {(a.rows * a.dim + kMergeThreads - 1) / kMergeThreads, kMergeThreads, 0};
}

// Bytes of AttendArgs::partial.
inline uint64_t partial_bytes(const AttendArgs& a) {
  return uint64_t{a.sequences} * a.kv_heads * attend_parts(a) * a.all_splits() * kAttendGroup * (a.page.dim[1] + 2) *
         sizeof(float);
}

// The widest vector that divides everything a move touches: 16, 8, 4, 2 or 1 bytes.
inline uint32_t vector_of(const View& view, uint64_t row_bytes) {
  const uint64_t all = row_bytes | (view.layer_bases != nullptr ? 0 : view.base | static_cast<uint64_t>(view.layer)) |
                       static_cast<uint64_t>(view.page | view.plane | view.head | view.token);
  for (uint32_t width = 16; width > 1; width /= 2) {
    if (all % width == 0) return width;
  }
  return 1;
}

}  // namespace kvc_cuda

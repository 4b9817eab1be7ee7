// Rows by strides (MoveArgs), and runs of bytes (CopyArgs).
#pragma once

#include "kernels/args.h"

namespace kvc_cuda {

struct alignas(16) Bytes16 {
  uint32_t word[4];
};

KVC_BODY void move_vector(unsigned char* to, const unsigned char* from, uint32_t bytes) {
  switch (bytes) {
    case 16:
      *reinterpret_cast<Bytes16*>(to) = *reinterpret_cast<const Bytes16*>(from);
      break;
    case 8:
      *reinterpret_cast<uint64_t*>(to) = *reinterpret_cast<const uint64_t*>(from);
      break;
    case 4:
      *reinterpret_cast<uint32_t*>(to) = *reinterpret_cast<const uint32_t*>(from);
      break;
    case 2:
      *reinterpret_cast<uint16_t*>(to) = *reinterpret_cast<const uint16_t*>(from);
      break;
    default:
      *to = *from;
  }
}

// Threads of a block take neighbouring vectors; rows follow each other by [plane][layer][token][head].
template <class Block>
KVC_BODY void move_rows(Block& block, const MoveArgs& a) {
  const uint32_t per_row = a.row_bytes / a.vector;
  const uint64_t total = uint64_t{a.planes} * a.layers * a.tokens * a.heads * per_row;
  const uint64_t step = uint64_t{block.blocks()} * block.threads();
  block.each([&](uint32_t thread) {
    for (uint64_t i = uint64_t{block.index()} * block.threads() + thread; i < total; i += step) {
      const uint32_t at = static_cast<uint32_t>(i % per_row) * a.vector;
      uint64_t row = i / per_row;
      const uint32_t head = static_cast<uint32_t>(row % a.heads);
      row /= a.heads;
      const uint32_t token = static_cast<uint32_t>(row % a.tokens);
      row /= a.tokens;
      const uint32_t layer = static_cast<uint32_t>(row % a.layers), plane = static_cast<uint32_t>(row / a.layers);
      const int64_t from = a.from_slots != nullptr ? int64_t{a.from_slots[token]} : int64_t{token};
      const int64_t to = a.to_slots != nullptr ? int64_t{a.to_slots[token]} : int64_t{token};
      if (from < 0 || to < 0) continue;
      const unsigned char* source =
          a.from.row(from / a.from_page_tokens, layer, plane, head, static_cast<uint32_t>(from % a.from_page_tokens));
      unsigned char* target =
          a.to.row(to / a.to_page_tokens, layer, plane, head, static_cast<uint32_t>(to % a.to_page_tokens));
      move_vector(target + at, source + at, a.vector);
    }
  });
}

// A block takes chunks of kCopyChunk bytes; four loads of 16 bytes are under way in each thread before the first store.
template <class Block>
KVC_BODY void copy_runs(Block& block, const CopyArgs& a) {
  for (uint32_t chunk = block.index(); chunk < a.chunks; chunk += block.blocks()) {
    uint32_t low = 0, high = a.runs - 1;
    while (low < high) {
      const uint32_t middle = (low + high + 1) / 2;
      if (a.first_chunk[middle] <= chunk) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    const uint64_t at = uint64_t{chunk - a.first_chunk[low]} * kCopyChunk;
    const uint64_t rest = a.run[low].bytes - at;
    const uint32_t bytes = static_cast<uint32_t>(rest < kCopyChunk ? rest : kCopyChunk);
    unsigned char* to = reinterpret_cast<unsigned char*>(a.run[low].to + at);
    const unsigned char* from = reinterpret_cast<const unsigned char*>(a.run[low].from + at);
    const bool aligned = (a.run[low].to | a.run[low].from) % 16 == 0;
    const uint32_t whole = aligned ? bytes / 16 : 0;
    block.each([&](uint32_t thread) {
      const uint32_t n = block.threads();
      const Bytes16* source = reinterpret_cast<const Bytes16*>(from);
      Bytes16* target = reinterpret_cast<Bytes16*>(to);
      uint32_t i = thread;
      for (; i + 3 * n < whole; i += 4 * n) {
        const Bytes16 v0 = source[i], v1 = source[i + n], v2 = source[i + 2 * n], v3 = source[i + 3 * n];
        target[i] = v0, target[i + n] = v1, target[i + 2 * n] = v2, target[i + 3 * n] = v3;
      }
      for (; i < whole; i += n) target[i] = source[i];
      for (uint32_t b = whole * 16 + thread; b < bytes; b += n) to[b] = from[b];
    });
  }
}

}  // namespace kvc_cuda

// Attention of one query token a sequence over its pages, encoded or in the clear, without decoding them to memory.
//
// A sequence's tokens are cut into splits (flash-decoding, Dao et al. 2023), each a block's, with an online softmax
// (Milakov and Gimelshein 2018); merge_splits puts them together. Sums are floats, in a fixed order. The transform of
// encoded values is undone once, on the sum.
#pragma once

#include "kernels/decode.h"

namespace kvc_cuda {

// A split of a sequence, for up to kAttendGroup query heads of one K/V head.
struct AttendIndex {
  uint32_t sequence, head, part, split;
  KVC_BOTH AttendIndex(const AttendArgs& a, uint32_t block) {
    const uint32_t parts = (a.group + kAttendGroup - 1) / kAttendGroup;
    split = block % a.splits;
    block /= a.splits;
    part = block % parts;
    block /= parts;
    head = block % a.kv_heads;
    sequence = block / a.kv_heads;
  }
};

KVC_BOTH float* partial_of(const AttendArgs& a, const AttendIndex& i, uint32_t split, uint32_t column) {
  const uint32_t parts = (a.group + kAttendGroup - 1) / kAttendGroup;
  const uint64_t at =
      (((uint64_t{i.sequence} * a.kv_heads + i.head) * parts + i.part) * a.splits + split) * kAttendGroup + column;
  return a.partial + at * (a.page.dim[1] + 2);
}

// Tokens that a block takes at a time: all encoded or all as they came, all of one page and tile.
struct Chunk {
  uint32_t from, tokens;  // position; number
  uint32_t within;        // of the page, the first one
  const unsigned char* coded;
  int64_t clear_page;
  bool exact;  // rows as they came, in an encoded page
};

KVC_BOTH Chunk chunk_at(const AttendArgs& a, uint32_t sequence, uint32_t from, uint32_t end) {
  Chunk c{};
  const uint32_t page_tokens = a.page.page_tokens, page = from / page_tokens;
  const uint32_t coded = a.coded_counts != nullptr ? a.coded_counts[sequence] : 0;
  c.from = from;
  c.within = from % page_tokens;
  uint32_t stop = c.within / kAttendTokens * kAttendTokens + kAttendTokens;
  if (page < coded) {
    c.coded = reinterpret_cast<const unsigned char*>(a.coded_pages[uint64_t{sequence} * a.coded_stride + page]);
    c.exact = c.within < a.page.exact;
    if (c.exact && stop > a.page.exact) stop = a.page.exact;
  } else {
    c.clear_page = a.clear_pages[uint64_t{sequence} * a.clear_stride + (page - coded)];
  }
  if (stop > page_tokens) stop = page_tokens;
  c.tokens = stop - c.within;
  if (c.tokens > end - from) c.tokens = end - from;
  return c;
}

// Rows of a chunk as floats to shared memory, [token][stride].
template <class Block>
KVC_BODY void load_chunk(Block& block, const AttendArgs& a, const CodedLayout& at, const Chunk& c, uint32_t head,
                         int plane, float* rows, uint32_t stride) {
  const uint32_t dim = a.page.dim_of(plane), size = bytes_of(a.page.number);
  const float by = a.page.number == Number::e4m3 ? (plane == 0 ? a.number_scale[0] : a.number_scale[1]) : 1.0f;
  if (c.coded == nullptr || c.exact) {
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < c.tokens * dim; n += block.threads()) {
        const uint32_t t = c.within + n / dim, d = n % dim;
        const unsigned char* row = c.coded != nullptr
                                       ? c.coded + at.exact_at(a.layer, plane, head) + t * at.row_bytes(plane)
                                       : a.clear.row(c.clear_page, a.layer, static_cast<uint32_t>(plane), head, t);
        rows[n / dim * stride + d] = load_number(a.page.number, row + d * size) * by;
      }
    });
    return;
  }
  const uint32_t tile_index = c.within / kTile;
  const TileReader tile(a.page, at, c.coded, a.layer, plane, head, tile_index);
  const uint32_t first = c.within - tile_index * kTile;
  block.each([&](uint32_t thread) {
    for (uint32_t n = thread; n < c.tokens * dim; n += block.threads()) {
      const uint32_t t = first + n / dim, d = n % dim;
      rows[n / dim * stride + d] = plane == 0 ? tile.key(t, d) : tile.rotated_value(t, d) * tile.unit;
    }
  });
}

template <class Block>
KVC_BODY void attend_pages(Block& block, const AttendArgs& a) {
  const AttendIndex i(a, block.index());
  const CodedLayout at(a.page);
  const uint32_t k_dim = a.page.dim[0], v_dim = a.page.dim[1];
  const uint32_t first_head = i.head * a.group + i.part * kAttendGroup;
  const uint32_t columns =
      a.group - i.part * kAttendGroup < kAttendGroup ? a.group - i.part * kAttendGroup : kAttendGroup;
  const uint32_t length = a.lengths[i.sequence];
  const uint32_t begin = a.window != 0 && a.window < length ? length - static_cast<uint32_t>(a.window) : 0;
  const uint32_t share = up_to((length - begin + a.splits - 1) / a.splits, kAttendTokens);
  const uint32_t from = begin + i.split * share < length ? begin + i.split * share : length;
  const uint32_t end = from + share < length ? from + share : length;

  // Shared memory: queries, one chunk of rows, scores, then the state of each column. The odd stride keeps the threads
  // that read a column of rows on different banks.
  const uint32_t stride = (k_dim > v_dim ? k_dim : v_dim) | 1u;
  float* query = reinterpret_cast<float*>(block.shared());
  float* rows = query + kAttendGroup * k_dim;
  float* scores = rows + kAttendTokens * stride;
  float* top = scores + kAttendGroup * kAttendTokens;
  float* sum = top + kAttendGroup;
  float* keep = sum + kAttendGroup;

  // Each thread has its channels of the sums of all columns, of numbers as they came and of rotated ones.
  struct Sums {
    float plain[kAttendDim / kAttendThreads][kAttendGroup];
    float rotated[kAttendDim / kAttendThreads][kAttendGroup];
  };
  typename Block::template Local<Sums> sums(block);
  const float lowest = float_of(0xff800000u);

  block.each([&](uint32_t thread) {
    const uint32_t size = bytes_of(a.query_number);
    for (uint32_t n = thread; n < columns * k_dim; n += block.threads()) {
      const uint64_t row = uint64_t{i.sequence} * a.kv_heads * a.group + first_head + n / k_dim;
      query[n] = load_number(a.query_number, a.query + (row * k_dim + n % k_dim) * size) * a.scale;
    }
    if (thread < kAttendGroup) top[thread] = lowest, sum[thread] = 0.0f;
  });
  block.sync();

  for (uint32_t position = from; position < end;) {
    const Chunk c = chunk_at(a, i.sequence, position, end);
    load_chunk(block, a, at, c, i.head, 0, rows, stride);
    block.sync();
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < columns * kAttendTokens; n += block.threads()) {
        const uint32_t column = n / kAttendTokens, t = n % kAttendTokens;
        if (t >= c.tokens) continue;
        const float* q = query + column * k_dim;
        const float* k = rows + t * stride;
        float even = 0.0f, odd = 0.0f;
        uint32_t d = 0;
        for (; d + 1 < k_dim; d += 2) {
          even = even + q[d] * k[d];
          odd = odd + q[d + 1] * k[d + 1];
        }
        if (d < k_dim) even = even + q[d] * k[d];
        scores[n] = even + odd;
      }
    });
    block.sync();
    load_chunk(block, a, at, c, i.head, 1, rows, stride);
    block.each([&](uint32_t thread) {
      if (thread >= columns) return;
      float* row = scores + thread * kAttendTokens;
      float most = top[thread];
      for (uint32_t t = 0; t < c.tokens; ++t) most = larger(most, row[t]);
      float total = 0.0f;
      for (uint32_t t = 0; t < c.tokens; ++t) {
        row[t] = exp2_of(row[t] - most);
        total = total + row[t];
      }
      keep[thread] = top[thread] == lowest ? 0.0f : exp2_of(top[thread] - most);
      sum[thread] = sum[thread] * keep[thread] + total;
      top[thread] = most;
    });
    block.sync();
    const bool rotated = c.coded != nullptr && !c.exact;
    block.each([&](uint32_t thread) {
      Sums& own = sums[thread];
      KVC_UNROLL for (uint32_t part = 0; part < kAttendDim / kAttendThreads; ++part) {
        const uint32_t d = part * kAttendThreads + thread;
        if (d >= v_dim) continue;
        KVC_UNROLL for (uint32_t g = 0; g < kAttendGroup; ++g) {
          if (g >= columns) continue;
          float more = 0.0f;
          for (uint32_t t = 0; t < c.tokens; ++t) more = more + scores[g * kAttendTokens + t] * rows[t * stride + d];
          own.plain[part][g] = own.plain[part][g] * keep[g] + (rotated ? 0.0f : more);
          own.rotated[part][g] = own.rotated[part][g] * keep[g] + (rotated ? more : 0.0f);
        }
      }
    });
    block.sync();
    position += c.tokens;
  }

  // The rotated sums turned back, in the room of the rows: kAttendGroup rows of v_dim.
  block.each([&](uint32_t thread) {
    KVC_UNROLL for (uint32_t part = 0; part < kAttendDim / kAttendThreads; ++part) {
      const uint32_t d = part * kAttendThreads + thread;
      if (d >= v_dim) continue;
      KVC_UNROLL for (uint32_t g = 0; g < kAttendGroup; ++g) rows[g * v_dim + d] = sums[thread].rotated[part][g];
    }
  });
  block.sync();
  if (a.coded_counts != nullptr) hadamard_rows(block, rows, kAttendGroup, v_dim, rotated_block(v_dim), a.page.norm);
  block.each([&](uint32_t thread) {
    KVC_UNROLL for (uint32_t part = 0; part < kAttendDim / kAttendThreads; ++part) {
      const uint32_t d = part * kAttendThreads + thread;
      if (d >= v_dim) continue;
      KVC_UNROLL for (uint32_t g = 0; g < kAttendGroup; ++g) {
        if (g < columns) partial_of(a, i, i.split, g)[2 + d] = sums[thread].plain[part][g] + rows[g * v_dim + d];
      }
    }
    if (thread < columns) {
      float* to = partial_of(a, i, i.split, thread);
      to[0] = top[thread];
      to[1] = sum[thread];
    }
  });
}

// A block for each K/V head of each sequence and part of its group.
template <class Block>
KVC_BODY void merge_splits(Block& block, const AttendArgs& a) {
  const AttendIndex i(a, block.index() * a.splits);
  const uint32_t v_dim = a.page.dim[1], size = bytes_of(a.out_number);
  const uint32_t columns =
      a.group - i.part * kAttendGroup < kAttendGroup ? a.group - i.part * kAttendGroup : kAttendGroup;
  const float lowest = float_of(0xff800000u);
  block.each([&](uint32_t thread) {
    for (uint32_t n = thread; n < columns * v_dim; n += block.threads()) {
      const uint32_t column = n / v_dim, d = n % v_dim;
      float most = lowest;
      for (uint32_t s = 0; s < a.splits; ++s) most = larger(most, partial_of(a, i, s, column)[0]);
      float weight = 0.0f, value = 0.0f;
      for (uint32_t s = 0; s < a.splits; ++s) {
        const float* from = partial_of(a, i, s, column);
        if (from[0] == lowest) continue;
        const float by = exp2_of(from[0] - most);
        weight = weight + from[1] * by;
        value = value + from[2 + d] * by;
      }
      const uint64_t row =
          uint64_t{i.sequence} * a.kv_heads * a.group + i.head * a.group + i.part * kAttendGroup + column;
      // NaN in, NaN out; nothing seen: 0.
      store_number(a.out_number, weight == 0.0f ? 0.0f : value / weight, a.out + (row * v_dim + d) * size);
      if (d == 0 && a.state != nullptr) a.state[row * 2] = most, a.state[row * 2 + 1] = weight;
    }
  });
}

}  // namespace kvc_cuda

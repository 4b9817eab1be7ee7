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
      (((uint64_t{i.sequence} * a.kv_heads + i.head) * parts + i.part) * a.all_splits() + split) * kAttendGroup + column;
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

// What a block has of its split: scores, weights and sums over rows that lie in shared memory, a chunk at a time.
// kParts: of heads of up to kParts * kAttendThreads numbers each thread has that many channels of the sums.
template <class Block, uint32_t kParts>
class AttendSplit {
 public:
  // tokens: of a chunk, at most. shared: kAttendGroup * (tokens + 3) floats.
  KVC_BODY AttendSplit(Block& block, const AttendArgs& a, const AttendIndex& i, uint32_t tokens, float* shared)
      : block_(block), a_(a), i_(i), tokens_(tokens), sums_(block) {
    const uint32_t first = i.part * kAttendGroup;
    first_head_ = i.head * a.group + first;
    columns_ = a.group - first < kAttendGroup ? a.group - first : kAttendGroup;
    const uint32_t length = a.lengths[i.sequence];
    const uint32_t begin = a.window != 0 && a.window < length ? length - static_cast<uint32_t>(a.window) : 0;
    const uint32_t share = up_to((length - begin + a.splits - 1) / a.splits, tokens);
    from_ = begin + i.split * share < length ? begin + i.split * share : length;
    end_ = from_ + share < length ? from_ + share : length;
    scores_ = shared;
    top_ = scores_ + kAttendGroup * tokens;
    sum_ = top_ + kAttendGroup;
    keep_ = sum_ + kAttendGroup;
  }
  KVC_BODY uint32_t from() const { return from_; }  // positions
  KVC_BODY uint32_t end() const { return end_; }
  KVC_BODY uint32_t columns() const { return columns_; }

  // The queries times their scale, [column][k_dim]. Then a sync.
  KVC_BODY void load_query(float* query) {
    const uint32_t k_dim = a_.page.dim[0], size = bytes_of(a_.query_number);
    const float lowest = float_of(0xff800000u);
    block_.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < columns_ * k_dim; n += block_.threads()) {
        const uint64_t row = uint64_t{i_.sequence} * a_.kv_heads * a_.group + first_head_ + n / k_dim;
        query[n] = load_number(a_.query_number, a_.query + (row * k_dim + n % k_dim) * size) * a_.scale;
      }
      if (thread < kAttendGroup) top_[thread] = lowest, sum_[thread] = 0.0f;
    });
    block_.sync();
  }

  // Of tokens [low, high) of the chunk. offset: [column], added; nullptr: none. Then a sync.
  KVC_BODY void score(const float* query, uint32_t length, const float* offset, const float* rows, uint32_t stride,
                      uint32_t low, uint32_t high) {
    block_.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < columns_ * tokens_; n += block_.threads()) {
        const uint32_t column = n / tokens_, t = n % tokens_;
        if (t < low || t >= high) continue;
        const float* q = query + column * length;
        const float* k = rows + t * stride;
        float even = 0.0f, odd = 0.0f;
        uint32_t d = 0;
        for (; d + 1 < length; d += 2) {
          even = even + q[d] * k[d];
          odd = odd + q[d + 1] * k[d + 1];
        }
        if (d < length) even = even + q[d] * k[d];
        scores_[n] = offset != nullptr ? even + odd + offset[column] : even + odd;
      }
    });
    block_.sync();
  }

  // Scores to weights. No sync: rows may be loaded beside it.
  KVC_BODY void weigh(uint32_t low, uint32_t high) {
    const float lowest = float_of(0xff800000u);
    block_.each([&](uint32_t thread) {
      if (thread >= columns_) return;
      float* row = scores_ + thread * tokens_;
      float most = top_[thread];
      for (uint32_t t = low; t < high; ++t) most = larger(most, row[t]);
      float total = 0.0f;
      for (uint32_t t = low; t < high; ++t) {
        row[t] = exp2_of(row[t] - most);
        total = total + row[t];
      }
      keep_[thread] = top_[thread] == lowest ? 0.0f : exp2_of(top_[thread] - most);
      sum_[thread] = sum_[thread] * keep_[thread] + total;
      top_[thread] = most;
    });
  }

  // Rows of values; rotated: the transform of encoded ones is still to be undone. Then a sync.
  KVC_BODY void add(const float* rows, uint32_t stride, uint32_t low, uint32_t high, bool rotated) {
    const uint32_t v_dim = a_.page.dim[1];
    block_.each([&](uint32_t thread) {
      Sums& own = sums_[thread];
      KVC_UNROLL for (uint32_t part = 0; part < kParts; ++part) {
        const uint32_t d = part * kAttendThreads + thread;
        if (d >= v_dim) continue;
        KVC_UNROLL for (uint32_t g = 0; g < kAttendGroup; ++g) {
          if (g >= columns_) continue;
          float more = 0.0f;
          for (uint32_t t = low; t < high; ++t) more = more + scores_[g * tokens_ + t] * rows[t * stride + d];
          own.plain[part][g] = own.plain[part][g] * keep_[g] + (rotated ? 0.0f : more);
          own.rotated[part][g] = own.rotated[part][g] * keep_[g] + (rotated ? more : 0.0f);
        }
      }
    });
    block_.sync();
  }

  // rows: room for kAttendGroup * v_dim floats, where rotated sums are turned back.
  KVC_BODY void store(float* rows, bool any_rotated) {
    const uint32_t v_dim = a_.page.dim[1];
    block_.each([&](uint32_t thread) {
      KVC_UNROLL for (uint32_t part = 0; part < kParts; ++part) {
        const uint32_t d = part * kAttendThreads + thread;
        if (d >= v_dim) continue;
        KVC_UNROLL for (uint32_t g = 0; g < kAttendGroup; ++g) rows[g * v_dim + d] = sums_[thread].rotated[part][g];
      }
    });
    block_.sync();
    if (any_rotated) hadamard_rows(block_, rows, kAttendGroup, v_dim, rotated_block(v_dim), a_.page.norm);
    block_.each([&](uint32_t thread) {
      KVC_UNROLL for (uint32_t part = 0; part < kParts; ++part) {
        const uint32_t d = part * kAttendThreads + thread;
        if (d >= v_dim) continue;
        KVC_UNROLL for (uint32_t g = 0; g < kAttendGroup; ++g) {
          if (g < columns_) own_partial(g)[2 + d] = sums_[thread].plain[part][g] + rows[g * v_dim + d];
        }
      }
      if (thread < columns_) {
        float* to = own_partial(thread);
        to[0] = top_[thread];
        to[1] = sum_[thread];
      }
    });
  }

 private:
  // Of numbers as they came and of rotated ones.
  struct Sums {
    float plain[kParts][kAttendGroup];
    float rotated[kParts][kAttendGroup];
  };
  KVC_BODY float* own_partial(uint32_t column) const { return partial_of(a_, i_, a_.first_split + i_.split, column); }

  Block& block_;
  const AttendArgs& a_;
  const AttendIndex i_;
  const uint32_t tokens_;
  typename Block::template Local<Sums> sums_;
  uint32_t first_head_, columns_, from_, end_;
  float *scores_, *top_, *sum_, *keep_;
};

template <class Block>
KVC_BODY void attend_pages(Block& block, const AttendArgs& a) {
  const AttendIndex i(a, block.index());
  const CodedLayout at(a.page);
  const uint32_t k_dim = a.page.dim[0], v_dim = a.page.dim[1];
  // Shared memory: queries, one chunk of rows, then the split's. The odd stride keeps the threads that read a column of
  // rows on different banks.
  const uint32_t stride = (k_dim > v_dim ? k_dim : v_dim) | 1u;
  float* query = reinterpret_cast<float*>(block.shared());
  float* rows = query + kAttendGroup * k_dim;
  AttendSplit<Block, kAttendDim / kAttendThreads> split(block, a, i, kAttendTokens, rows + kAttendTokens * stride);
  split.load_query(query);
  for (uint32_t position = split.from(); position < split.end();) {
    const Chunk c = chunk_at(a, i.sequence, position, split.end());
    load_chunk(block, a, at, c, i.head, 0, rows, stride);
    block.sync();
    split.score(query, k_dim, nullptr, rows, stride, 0, c.tokens);
    load_chunk(block, a, at, c, i.head, 1, rows, stride);
    split.weigh(0, c.tokens);
    block.sync();
    split.add(rows, stride, 0, c.tokens, c.coded != nullptr && !c.exact);
    position += c.tokens;
  }
  split.store(rows, a.coded_counts != nullptr);
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
      for (uint32_t s = 0; s < a.all_splits(); ++s) most = larger(most, partial_of(a, i, s, column)[0]);
      float weight = 0.0f, value = 0.0f;
      for (uint32_t s = 0; s < a.all_splits(); ++s) {
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

// Grouped-query attention of a few consecutive tokens over everything before them and themselves, read from a kvc
// session page by page and in place. Pages in the clear go through the model's own kernels, which keep its promises
// (kernels.h); as soon as a page is encoded, the session attends. Past and present K/V go through the same rounding to f16, so it makes no
// difference which is which.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "cache/session.h"
#include "model/builtin/buffer.h"
#include "model/builtin/kernels.h"
#include "model/builtin/weights.h"

namespace kvc::builtin {

class Attention {
 public:
  Attention(const Config& config, const Kernels* kernels);
  // Tokens [position, position + n) of the session, which has their K and V of this layer; all in one page.
  // query, out: [token][head][kHeadDim]. One thread at a time.
  Status run(Session* session, uint32_t layer, uint32_t position, uint32_t n, const float* query, float* out);

 private:
  Status open_page(Session* session, uint32_t layer, int plane, uint32_t page, uint32_t tokens, PlaneView* view);
  Status run_encoded(Session* session, uint32_t layer, uint32_t position, uint32_t n, const float* query, float* out);

  const Config config_;
  const Kernels* const kernels_;
  const uint32_t group_;                            // query heads that share a K/V head
  const uint32_t columns_;                          // most queries of a K/V head, padded
  Buffer<float> query_, out_, max_, sum_, scores_;  // of all K/V heads, one after the other
  Buffer<float> k_, v_;                             // a block of one head, as floats
  Buffer<uint32_t> visible_;                        // positions of the last page that each column sees
};

}  // namespace kvc::builtin

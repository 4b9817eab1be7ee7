// What codec sparse needs of the cache: which rows the latest queries of a session had use for, and a colder place for
// whole pages of which attention keeps a part.
//
// The colder place is that of plain tensors, in a domain of the library's own: a layer of a page each, compressed without
// loss. With option disk_path they go straight to disk; without, they stay in memory and are the policy's to evict, and
// what was evicted is gone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cache/page.h"

namespace kvc {

// The latest queries of a session, with what their softmax summed up to. The session's lock is held.
class QuerySample {
 public:
  static constexpr uint32_t kKept = 16;  // per layer and K/V head

  explicit QuerySample(Memory* memory)
      : seen_(CountedAllocator<uint32_t>(memory)),
        queries_(CountedAllocator<float>(memory)),
        log_sums_(CountedAllocator<float>(memory)) {}

  // query: k_dim floats, scaled; log_sum: the logarithm of the sum of all exp(score).
  void add(const PageGeometry& geometry, uint32_t layer, uint32_t head, std::span<const float> query, float log_sum);
  // The share of these queries' attention that each token of a page (in the clear) has, summed over the queries:
  // [layer][head][token]. Empty: a layer has no queries.
  std::vector<float> mass(const PageGeometry& geometry, const std::byte* page) const;

 private:
  // All [layer][head]...; empty until there is a query. Of the cache's budget.
  std::vector<uint32_t, CountedAllocator<uint32_t>> seen_;
  std::vector<float, CountedAllocator<float>> queries_;   // [kKept][k_dim]
  std::vector<float, CountedAllocator<float>> log_sums_;  // [kKept]
};

// The share of a page's attention (QuerySample::mass) that the rows have which codec sparse left out.
double mass_left_out(const PageGeometry& geometry, std::span<const float> mass, const Codec& codec,
                     std::span<const std::byte> encoded);

// The name of a layer of a page in that place.
std::string cold_key(const PageId& page, uint32_t layer);

}  // namespace kvc

#include "cache/sparse.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "attend/convert.h"
#include "cache/cache.h"
#include "cache/counters.h"

namespace kvc {
namespace {

// A layer of a page as a tensor of one dim.
TensorView layer_view(const PageGeometry& g, std::byte* data) {
  TensorView view;
  view.data = data;
  view.size = g.layer_bytes();
  view.dtype = g.dtype;
  view.n_dims = 1;
  view.shape[0] = static_cast<int64_t>(g.layer_bytes() / element_bytes(g.dtype));
  view.strides[0] = 1;
  return view;
}

}  // namespace

void QuerySample::add(const PageGeometry& g, uint32_t layer, uint32_t head, std::span<const float> query,
                      float log_sum) {
  if (!std::isfinite(log_sum)) return;  // it saw nothing, or numbers that are not finite
  const size_t heads = size_t{g.n_layers} * g.n_kv_heads, of = size_t{layer} * g.n_kv_heads + head;
  if (log_sums_.empty()) {
    try {
      seen_.resize(heads);
      queries_.resize(heads * kKept * g.k_dim);
      log_sums_.resize(heads * kKept);
    } catch (const std::bad_alloc&) {
      return;  // the latest rows stay, then
    }
  }
  const size_t at = of * kKept + seen_[of]++ % kKept;
  std::copy_n(query.data(), g.k_dim, queries_.data() + at * g.k_dim);
  log_sums_[at] = log_sum;
}

std::vector<float> QuerySample::mass(const PageGeometry& g, const std::byte* page) const {
  std::vector<float> mass;
  if (log_sums_.empty() || std::find(seen_.begin(), seen_.end(), 0u) != seen_.end()) return mass;
  mass.resize(seen_.size() * g.page_tokens);
  std::vector<float> key(g.k_dim);
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
      const size_t of = size_t{layer} * g.n_kv_heads + head;
      const float* queries = queries_.data() + of * kKept * g.k_dim;
      const float* log_sums = log_sums_.data() + of * kKept;
      float* out = mass.data() + of * g.page_tokens;
      const std::byte* rows = page + g.head_offset(layer, KVC_KEY, head);
      for (uint32_t t = 0; t < g.page_tokens; ++t) {
        to_f32(g.dtype, rows + t * g.row_bytes(KVC_KEY), key.data(), g.k_dim);
        float sum = 0;
        for (uint32_t q = 0; q < std::min(seen_[of], kKept); ++q) {
          const float* query = queries + size_t{q} * g.k_dim;
          float score = 0;
          for (uint32_t d = 0; d < g.k_dim; ++d) score += query[d] * key[d];
          // A query of before this token did not see it, and may score higher than all that it saw.
          sum += std::exp(std::min(0.0f, score - log_sums[q]));
        }
        out[t] = std::isfinite(sum) ? sum : 0;
      }
    }
  }
  return mass;
}

double mass_left_out(const PageGeometry& g, std::span<const float> mass, const Codec& codec,
                     std::span<const std::byte> encoded) {
  double all = 0, kept = 0;
  for (const float each : mass) all += static_cast<double>(each);
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
      const float* of_head = mass.data() + (size_t{layer} * g.n_kv_heads + head) * g.page_tokens;
      for (uint32_t from = 0; from < g.page_tokens; from += kTileTokens) {
        AttendTile tile;
        if (!codec.tile(g, encoded, layer, head, from / kTileTokens, &tile).is_ok()) continue;
        for (uint32_t r = 0; r < tile.tokens; ++r) kept += static_cast<double>(of_head[from + tile.offsets[r]]);
      }
    }
  }
  return all > 0 ? std::max(0.0, 1 - kept / all) : 0;
}

std::string cold_key(const PageId& page, uint32_t layer) {
  std::string key("sparse");
  key.append(reinterpret_cast<const char*>(page.bytes.data()), page.bytes.size());
  key.append(reinterpret_cast<const char*>(&layer), sizeof layer);
  return key;
}

Status Cache::keep_cold(const Root& root, const PageId& id, const BlobRef& page) {
  const PageGeometry& g = root.space->geometry();
  const std::string domain = own_domain(root.tenant);
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    // Equal tokens have equal K/V: what is there is not written again.
    if (contains(domain, cold_key(id, layer))) continue;
    const TensorView rows = layer_view(g, page.data() + g.plane_offset(layer, KVC_KEY));
    KVC_RETURN_IF_ERROR(put(domain, cold_key(id, layer), rows, {TensorCodec::lossless, KVC_KEY}, /*to_disk=*/true));
  }
  return Status::ok();
}

Status Cache::read_cold(const Root& root, const PageId& id, uint32_t layer, std::byte* out) {
  const PageGeometry& g = root.space->geometry();
  if (!options_.sparse_restore) {
    return error(KVC_E_NOT_FOUND,
                 "codec sparse left rows of layer %u out, and option sparse_restore is off: attend without them", layer);
  }
  const TensorView to = layer_view(g, out);
  bool found = false;
  KVC_RETURN_IF_ERROR(get(own_domain(root.tenant), cold_key(id, layer), &found, [&](const TensorShape& stored) -> Status {
    if (stored.dtype != to.dtype || stored.n_dims != 1 || stored.shape[0] != to.shape[0]) {
      return error(KVC_E_CORRUPT, "what codec sparse left out of layer %u is of another size", layer);
    }
    return copy_stored(stored, stored.data, to);
  }));
  if (!found) {
    return error(KVC_E_NOT_FOUND,
                 "codec sparse left rows of layer %u out, and their copy was evicted: give the engine a disk_path, or more "
                 "memory",
                 layer);
  }
  counters_->sparse_restored.add();
  return Status::ok();
}

}  // namespace kvc

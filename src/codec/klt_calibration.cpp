#include "codec/klt_calibration.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

#include <sodium.h>

namespace kvc {
namespace {

// Never destroyed: pages may be decoded by threads that outlive static objects.
struct Table {
  std::mutex mutex;
  std::multimap<Digest, std::weak_ptr<const KltCalibration>> entries;  // engines may learn the same
};
Table& table() {
  static Table* const kTable = new Table;
  return *kTable;
}

}  // namespace

KeyRope make_key_rope(double base, double scale, uint32_t dims, bool interleaved) {
  KeyRope rope;
  rope.interleaved = interleaved;
  rope.frequency.resize(dims / 2);
  for (size_t i = 0; i < rope.frequency.size(); ++i) {
    rope.frequency[i] = scale * std::pow(base, -2.0 * static_cast<double>(i) / dims);
  }
  return rope;
}

size_t KltCalibration::bytes() const noexcept {
  return sizeof *this + rope.frequency.size() * sizeof(double) + block_bits.size() * sizeof(uint32_t) +
         (mean.size() + analysis.size() + synthesis.size() + deviation.size() + cancelling.size() + steps.size()) *
             sizeof(float) +
         key_bits.size() + value_bits.size() +
         (order.size() + queries.size() + rest.key_steps.size()) * sizeof(uint16_t) + rest.value_bits.size();
}

void KltCalibration::widths(size_t block, uint32_t steps, uint8_t* out) const noexcept {
  const uint32_t n = channels();
  std::fill_n(out, n, uint8_t{0});
  const uint16_t* at = order.data() + block * n * kMaxBits;
  for (uint32_t i = 0; i < steps; ++i) ++out[at[i]];
}

bool KltCalibration::fits(const KltLevels& levels) const noexcept {
  const auto steps_fit = [this](uint16_t steps) {
    return steps == KltLevels::kRawKeys || steps <= channels() * kMaxBits;
  };
  const auto bits_fit = [](uint8_t bits) {
    return bits == KltLevels::kRawValues || (bits >= 1 && bits <= kMaxBits);
  };
  return !order.empty() && levels.key_steps.size() == size_t{n_layers} * blocks() &&
         levels.value_bits.size() == size_t{n_layers} * n_kv_heads &&
         std::all_of(levels.key_steps.begin(), levels.key_steps.end(), steps_fit) &&
         std::all_of(levels.value_bits.begin(), levels.value_bits.end(), bits_fit);
}

void KltCalibration::seal() {
  block_bits.clear();
  for (size_t at = 0; at < key_bits.size(); at += channels()) {
    block_bits.push_back(std::accumulate(key_bits.begin() + static_cast<ptrdiff_t>(at),
                                         key_bits.begin() + static_cast<ptrdiff_t>(at + channels()), 0u));
  }
  steps.clear();
  for (const double frequency : rope.frequency) {
    for (uint32_t t = 0; t < kTileTokens; ++t) steps.push_back(static_cast<float>(std::cos(t * frequency)));
    for (uint32_t t = 0; t < kTileTokens; ++t) steps.push_back(static_cast<float>(std::sin(t * frequency)));
  }
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, sizeof digest.bytes);
  const auto add = [&state](const void* data, size_t bytes) {
    crypto_generichash_update(&state, static_cast<const unsigned char*>(data), bytes);
  };
  // The counts say where each array ends.
  const uint64_t counts[] = {n_layers, n_kv_heads, k_dim, v_dim, block_heads, rope.interleaved, rope.frequency.size()};
  add(counts, sizeof counts);
  add(rope.frequency.data(), rope.frequency.size() * sizeof(double));
  for (const auto* numbers : {&mean, &analysis, &synthesis, &deviation}) {
    add(numbers->data(), numbers->size() * sizeof(float));
  }
  add(key_bits.data(), key_bits.size());
  add(value_bits.data(), value_bits.size());
  // What older calibrations do not have does not change their digests.
  if (!order.empty()) add(order.data(), order.size() * sizeof(uint16_t));
  if (query_group != 0) {
    add(&query_group, sizeof query_group);
    add(queries.data(), queries.size() * sizeof(uint16_t));
    add(cancelling.data(), cancelling.size() * sizeof(float));
  }
  if (!rest.empty()) {
    add(rest.key_steps.data(), rest.key_steps.size() * sizeof(uint16_t));
    add(rest.value_bits.data(), rest.value_bits.size());
  }
  crypto_generichash_final(&state, digest.bytes.data(), digest.bytes.size());
}

void register_calibration(const std::shared_ptr<const KltCalibration>& calibration) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  std::erase_if(t.entries, [](const auto& entry) { return entry.second.expired(); });
  t.entries.emplace(calibration->digest, calibration);
}

std::shared_ptr<const KltCalibration> find_calibration(const Digest& digest) noexcept {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  for (auto [it, end] = t.entries.equal_range(digest); it != end; ++it) {
    if (auto found = it->second.lock()) return found;
  }
  return nullptr;
}

}  // namespace kvc

#include "cache/device_klt.h"

#include <algorithm>
#include <cstring>

#include "codec/klt_transform.h"

namespace kvc {

using kvc_cuda::KltForm;
using kvc_cuda::KltPage;

static_assert(kvc_cuda::kKltTile == kTileTokens && kvc_cuda::kKltMaxBits == KltCalibration::kMaxBits);
static_assert(kvc_cuda::kKltRaw == KltLevels::kRawKeys && kvc_cuda::kKltRawBits == KltLevels::kRawValues);

KltForm klt_form(const PageGeometry& g, const KltCalibration* calibration) {
  KltForm form;
  form.n_layers = g.n_layers, form.n_heads = g.n_kv_heads, form.k_dim = g.k_dim, form.v_dim = g.v_dim;
  form.page_tokens = g.page_tokens;
  if (calibration == nullptr) return form;
  form.block_heads = calibration->block_heads;
  form.pairs = static_cast<uint32_t>(calibration->rope.frequency.size());
  form.interleaved = calibration->rope.interleaved ? 1 : 0;
  form.has_ranks = calibration->order.empty() ? 0 : 1;
  return form;
}

void write_klt_calibration(const KltCalibration& c, const KltForm& form, std::span<std::byte> out) {
  // Any may be empty.
  const auto put = [&out](uint64_t at, const auto& numbers) {
    std::ranges::copy(std::as_bytes(std::span(numbers)), out.data() + at);
  };
  put(0, c.mean);
  put(form.synthesis_at(), c.synthesis);
  put(form.deviation_at(), c.deviation);
  put(form.steps_at(), c.steps);
  put(form.key_bits_at(), c.key_bits);
  put(form.value_bits_at(), c.value_bits);
  if (form.has_ranks == 0) return;
  // Step i of a block gives its channel one more bit: after i + 1 steps.
  const size_t channels = c.channels(), steps = channels * KltCalibration::kMaxBits;
  std::vector<uint16_t> ranks(steps);
  std::vector<uint8_t> bits(channels);
  for (size_t block = 0; block < c.order.size() / steps; ++block) {
    std::fill(bits.begin(), bits.end(), uint8_t{0});
    for (size_t i = 0; i < steps; ++i) {
      const size_t channel = c.order[block * steps + i];
      ranks[channel * KltCalibration::kMaxBits + bits[channel]++] = static_cast<uint16_t>(i + 1);
    }
    put(form.ranks_at() + block * steps * sizeof(uint16_t), ranks);
  }
}

void write_klt_analysis(const KltCalibration& c, std::span<std::byte> out) {
  std::ranges::copy(std::as_bytes(std::span(c.analysis)), out.data());
}

std::vector<std::byte> make_klt_table(const KltForm& form, const KltPlan& plan) {
  KltPage page;
  page.exact_at = plan.exact_at;
  page.exact = plan.exact;
  page.key_bits = plan.key_bits, page.value_bits = plan.value_bits;
  page.levels = plan.has_levels ? 1 : 0;
  std::vector<std::byte> table(form.page_bytes());
  std::memcpy(table.data(), &page, sizeof page);
  std::vector<uint32_t> tile_at(plan.tile_at.size());
  for (size_t i = 0; i < tile_at.size(); ++i) {
    if (plan.tile_at[i] > UINT32_MAX) return {};
    tile_at[i] = static_cast<uint32_t>(plan.tile_at[i]);
  }
  std::memcpy(table.data() + sizeof page, tile_at.data(), tile_at.size() * sizeof(uint32_t));
  if (form.pairs == 0) return table;
  std::vector<float> turns;
  for (uint32_t tile = 0; tile < form.tiles(); ++tile) {
    for (uint32_t pair = 0; pair < form.pairs; ++pair) {
      const KeyTurn turn = first_turn(plan.calibration->rope, plan.position + size_t{tile} * kTileTokens, pair);
      turns.insert(turns.end(), {turn.cosine, turn.sine});
    }
  }
  std::memcpy(table.data() + form.turns_at(), turns.data(), turns.size() * sizeof(float));
  return table;
}

}  // namespace kvc

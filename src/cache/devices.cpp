#include "cache/devices.h"

namespace kvc {
namespace {

// Of a PCIe 5 link with 16 lanes, measured by others (NVIDIA H100): what matters is that it is the same for all.
constexpr uint64_t kLinkBytesPerSecond = 50'000'000'000;

}  // namespace

Status DeviceSet::open(const DeviceApi& api, std::span<const int32_t> ordinals, uint64_t memory, uint64_t pinned,
                       std::shared_ptr<DeviceSet>* out, std::string* why) {
  std::vector<int32_t> wanted(ordinals.begin(), ordinals.end());
  if (wanted.empty()) {
    uint32_t count = 0;
    kvc_error_t words{};
    words.struct_size = sizeof words;
    const kvc_status_t status = api.devices(&count, &words);
    if (status != KVC_OK) return error(status, "%s", words.message);
    for (uint32_t i = 0; i < count; ++i) wanted.push_back(static_cast<int32_t>(i));
  }
  auto set = std::make_shared<DeviceSet>();
  for (const int32_t ordinal : wanted) {
    DeviceTierOptions options;
    options.ordinal = ordinal;
    options.limit = memory;
    if (set->tiers.empty()) {
      options.pinned_bytes = pinned;
    } else {
      options.pinned_of = set->tiers[0]->handle();
    }
    std::unique_ptr<DeviceTier> tier;
    const Status opened = DeviceTier::open(api, options, &tier);
    if (opened.is_ok()) {
      set->tiers.push_back(std::move(tier));
    } else {
      *why += (why->empty() ? "" : "; ") + opened.message();
    }
  }
  if (set->tiers.empty()) return error(KVC_E_UNSUPPORTED, "%s", why->empty() ? "there is no device" : why->c_str());
  if (pinned > 0) {
    kvc_allocator_t allocator{};
    KVC_RETURN_IF_ERROR(set->tiers[0]->check(api.allocator(set->tiers[0]->handle(), &allocator)));
    set->pinned = allocator;
  }
  *out = std::move(set);
  return Status::ok();
}

Devices::Devices(const DeviceSet& set, std::string_view policy, Memory* memory) {
  for (const auto& tier : set.tiers) {
    std::unique_ptr<Policy> order = make_policy(policy, memory);
    if (order == nullptr) order = make_policy("lru", memory);  // a caller's own knows one tier
    pages_.push_back(std::make_unique<DevicePages>(tier.get(), std::move(order), memory));
  }
}

DevicePages* Devices::find(int32_t ordinal) noexcept {
  for (const auto& pages : pages_) {
    if (pages->tier().ordinal() == ordinal) return pages.get();
  }
  return nullptr;
}

DevicePages* Devices::choose(const Page* last) noexcept {
  uint64_t prefix = 0;
  for (const Page* page = last; page != nullptr; page = page->parent) prefix += page->bytes;
  std::vector<kvc_cuda_candidate_t> candidates;
  try {
    candidates.resize(pages_.size());
  } catch (const std::bad_alloc&) {
    return pages_.empty() ? nullptr : pages_[0].get();
  }
  for (size_t i = 0; i < pages_.size(); ++i) {
    kvc_cuda_candidate_t& candidate = candidates[i];
    candidate.usable = pages_[i]->tier().is_lost() ? 0 : 1;
    candidate.cached_bytes = pages_[i]->cached_bytes(last);
    candidate.queued_bytes = pages_[i]->queued_bytes();
    candidate.free_bytes = pages_[i]->free_bytes();
    candidate.link_bytes_per_s = kLinkBytesPerSecond;
    candidate.busy_ns = pages_[i]->busy_ns();
  }
  uint32_t chosen = 0;
  if (pages_.empty()) return nullptr;
  const DeviceApi& api = pages_[0]->tier().api();
  if (api.choose(candidates.data(), static_cast<uint32_t>(candidates.size()), prefix, &chosen) != KVC_OK)
    return nullptr;
  return pages_[chosen].get();
}

void Devices::forget(const Page* page) noexcept {
  for (const auto& pages : pages_) pages->forget(page);
}

void Devices::collect() noexcept {
  for (const auto& pages : pages_) pages->collect();
}

DeviceStats Devices::stats() noexcept {
  DeviceStats stats;
  for (const auto& pages : pages_) pages->add_stats(&stats);
  return stats;
}

}  // namespace kvc

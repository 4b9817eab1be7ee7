#include "cache/device_pages.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace kvc {
namespace {

constexpr int kAttempts = 3;

}  // namespace

DeviceOrder::DeviceOrder(const DeviceTier& tier, const DeviceCall& call, std::initializer_list<Slot> read,
                         std::initializer_list<Slot> written, std::vector<uint64_t> more)
    : wait(std::move(more)) {
  wait.insert(wait.end(), call.wait.begin(), call.wait.end());
  for (const Slot slot : read) tier.add_slots(slot, &reads);
  for (const Slot slot : written) tier.add_slots(slot, &writes);
  order_.struct_size = sizeof order_;
  order_.stream = call.stream;
}

const kvc_cuda_order_t* DeviceOrder::get() {
  std::erase(wait, uint64_t{0});
  order_.wait = wait.data(), order_.n_wait = static_cast<uint32_t>(wait.size());
  order_.reads = reads.data(), order_.n_reads = static_cast<uint32_t>(reads.size());
  order_.writes = writes.data(), order_.n_writes = static_cast<uint32_t>(writes.size());
  return &order_;
}

DevicePages::DevicePages(DeviceTier* tier, std::unique_ptr<Policy> policy, Memory* memory)
    : tier_(tier), policy_(std::move(policy)), memory_(memory) {}

DevicePages::~DevicePages() {
  for (const Flight& flight : flights_) (void)wait(flight.fence);
  for (const RingPiece& piece : pieces_) (void)wait(piece.fence);
  flights_.clear();
  for (auto& [page, copy] : copies_) {
    policy_->removed(*copy);
    give_back(copy.get());
  }
  for (auto& copy : gone_) give_back(copy.get());
  tier_->release(tables_);
  tier_->release(klt_tables_);
  drop_calibrations();
  if (ring_ != nullptr && tier_->api().unpin(tier_->handle(), ring_) == KVC_OK) std::free(ring_);
}

// The copy of what the page holds. With the lock.
DeviceCopy* DevicePages::known(const Page& page, uint64_t now_ns) noexcept {
  policy_->set_time(now_ns);
  const auto found = copies_.find(&page);
  if (found == copies_.end()) return nullptr;
  DeviceCopy* copy = found->second.get();
  if (copy->source != page.blob.data() || copy->codec != page.codec || copy->bytes != page.bytes) return nullptr;
  copy->priority = page.priority;
  policy_->hit(*copy);
  if (copy->holds++ == 0) policy_->evictable(*copy, false);
  hits_.fetch_add(1, std::memory_order_relaxed);
  return copy;
}

DeviceCopy* DevicePages::hold_known(const Page& page, uint64_t now_ns) noexcept {
  const std::lock_guard lock(mutex_);
  return tier_->is_lost() ? nullptr : known(page, now_ns);
}

Status DevicePages::query(uint64_t fence, bool* done) {
  *done = true;
  if (fence == 0) return Status::ok();
  const kvc_status_t status = tier_->api().query(tier_->handle(), fence);
  *done = status == KVC_OK;
  return tier_->check(status);
}

Status DevicePages::wait(uint64_t fence) {
  return fence == 0 ? Status::ok() : tier_->check(tier_->api().wait(tier_->handle(), fence));
}

// Places and memory that nobody needs any more. With the lock.
void DevicePages::reap() {
  for (auto& copy : gone_) give_back(copy.get());
  gone_.clear();
  const auto landed = std::stable_partition(flights_.begin(), flights_.end(), [&](const Flight& flight) {
    bool done = false;
    // Memory that a lost device may still write to is never given to anybody else.
    return !query(flight.fence, &done).is_ok() || !done;
  });
  for (auto flight = landed; flight != flights_.end() && tier_->api().note != nullptr; ++flight) {
    // Others may hold it still: layers of a page go one by one.
    const auto same = [&](const Flight& other) { return other.blob && other.blob.data() == flight->blob.data(); };
    if (flight->blob && std::none_of(flights_.begin(), landed, same)) {
      tier_->api().note(flight->blob.data(), flight->blob.bytes(), 1);
    }
  }
  flights_.erase(landed, flights_.end());
}

void DevicePages::give_back(DeviceCopy* copy) noexcept {
  tier_->release(copy->slot);
  tier_->release(copy->clear);
  tier_->release(copy->learned.place);
  copy->slot = copy->clear = copy->learned.place = Slot{};
  memory_->unclaim(sizeof(DeviceCopy) + copy->loaded.size() * sizeof(uint64_t), MemoryUse::metadata);
}

// Takes a copy out of the map and the policy. With the lock.
void DevicePages::unlink(DeviceCopy* copy) noexcept {
  const auto found = copies_.find(copy->page);
  policy_->removed(*copy);
  copy->dead = true;
  auto& list = copy->holds > 0 ? held_ : gone_;
  list.push_back(std::move(found->second));
  copies_.erase(found);
}

void DevicePages::drop_lost() noexcept {
  while (!copies_.empty()) unlink(copies_.begin()->second.get());
}

bool DevicePages::demote_one() {
  PolicyEntry* victim = policy_->victim();
  if (victim == nullptr) return false;
  unlink(static_cast<DeviceCopy*>(victim));
  demoted_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Status DevicePages::reserve_locked(size_t bytes, Slot* slot) {
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    reap();
    status = tier_->reserve(bytes, slot);
    if (status.code() == KVC_E_DEVICE) drop_lost();
    if (status.code() != KVC_E_NO_MEMORY) return status;
    // Room for it; at the second attempt more, because it must lie side by side; then for all.
    uint64_t freed = 0;
    const uint64_t wanted = attempt == 0 ? bytes : attempt == 1 ? uint64_t{bytes} * 4 : UINT64_MAX;
    bool any = false;
    while (freed < wanted && demote_one()) {
      any = true;
      freed += std::max<size_t>(gone_.empty() ? 1 : DeviceTier::bytes_of(gone_.back()->slot), 1);
    }
    if (!any) break;
  }
  reap();
  // Calibrations last: every page that needs one waits for it to come again.
  if (tier_->reserve(bytes, slot).is_ok() || (drop_calibrations() && tier_->reserve(bytes, slot).is_ok()))
    return Status::ok();
  return error(
      KVC_E_NO_MEMORY,
      "device %d has no room for %zu bytes: %llu of %llu are in use, and what open calls and sessions' ends hold "
      "cannot go; raise option device_memory",
      tier_->ordinal(), bytes, static_cast<unsigned long long>(tier_->used()),
      static_cast<unsigned long long>(tier_->limit()));
}

Status DevicePages::reserve(size_t bytes, Slot* slot) {
  const std::lock_guard lock(mutex_);
  return reserve_locked(bytes, slot);
}

Status DevicePages::hold(const Page& page, bool coded, size_t table, uint32_t n_layers, uint64_t now_ns,
                         const std::function<Status(BlobRef*)>& decode, DeviceCopy** out) {
  BlobRef decoded;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (tier_->is_lost()) {
        drop_lost();
        return error(KVC_E_DEVICE, "device %d failed: its copies of pages are gone; the pages are not",
                     tier_->ordinal());
      }
      if ((*out = known(page, now_ns)) != nullptr) return Status::ok();
      // Of bytes that the page does not hold any more.
      if (const auto found = copies_.find(&page); found != copies_.end()) unlink(found->second.get());
      if (coded || !decode || decoded) {
        const size_t parts = coded ? 1 : n_layers;
        auto copy = std::make_unique<DeviceCopy>();
        copy->loaded.assign(parts, DeviceCopy::kMissing);
        const size_t own = decoded ? decoded.bytes() : page.blob.bytes();
        const size_t bytes = table > 0 ? behind_codes(own) + table : own;
        const size_t counted = sizeof(DeviceCopy) + parts * sizeof(uint64_t);
        if (!memory_->claim(counted, MemoryUse::metadata) || !policy_->reserve()) {
          return error(KVC_E_NO_MEMORY, "no memory to keep track of a page on device %d", tier_->ordinal());
        }
        const Status reserved = reserve_locked(bytes, &copy->slot);
        if (!reserved.is_ok()) {
          memory_->unclaim(counted, MemoryUse::metadata);
          return reserved;
        }
        copy->page = &page;
        copy->source = page.blob.data();
        copy->codec = page.codec;
        copy->coded = coded;
        copy->decoded = std::move(decoded);
        copy->key = page.key, copy->bytes = page.bytes, copy->depth = page.depth, copy->tokens = page.tokens;
        copy->priority = page.priority;
        copy->holds = 1;
        DeviceCopy* made = copy.get();
        copies_.emplace(&page, std::move(copy));
        policy_->inserted(*made);
        promoted_.fetch_add(1, std::memory_order_relaxed);
        *out = made;
        return Status::ok();
      }
    }
    KVC_RETURN_IF_ERROR(decode(&decoded));
  }
}

void DevicePages::let_go(DeviceCopy* copy) noexcept {
  const std::lock_guard lock(mutex_);
  if (--copy->holds > 0) return;
  if (!copy->dead) {
    policy_->evictable(*copy, true);
    return;
  }
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const auto& held) { return held.get() == copy; });
  gone_.push_back(std::move(*found));
  held_.erase(found);
}

void DevicePages::adopt(const Page& page, Slot slot, bool coded, uint32_t n_layers) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    const size_t parts = coded ? 1 : n_layers;
    auto copy = std::make_unique<DeviceCopy>();
    copy->loaded.assign(parts, 0);
    copy->coded = coded;
    const size_t counted = sizeof(DeviceCopy) + parts * sizeof(uint64_t);
    if (copies_.contains(&page) || tier_->is_lost() || !memory_->claim(counted, MemoryUse::metadata)) {
      tier_->release(slot);
      return;
    }
    if (!policy_->reserve()) {
      memory_->unclaim(counted, MemoryUse::metadata);
      tier_->release(slot);
      return;
    }
    copy->page = &page;
    copy->source = page.blob.data();
    copy->codec = page.codec;
    copy->slot = slot;
    copy->key = page.key, copy->bytes = page.bytes, copy->depth = page.depth, copy->tokens = page.tokens;
    copy->priority = page.priority;
    DeviceCopy* made = copy.get();
    copies_.emplace(&page, std::move(copy));
    policy_->inserted(*made);
    policy_->evictable(*made, true);
  } catch (const std::bad_alloc&) {
    tier_->release(slot);
  }
}

Status DevicePages::transfer(Way way, Slot slot, uint64_t offset, size_t bytes, const BlobRef& host,
                             const DeviceCall& call, uint64_t* fence, bool* unpinned, bool hold) {
  *fence = 0;
  DeviceOrder order(*tier_, call, {}, {});
  tier_->add_slots(slot, way == Way::in ? &order.writes : &order.reads);
  // The bytes of the host lie where they lie in the place.
  std::byte* at = host.data() + offset;
  const kvc_cuda_copy_t copy{tier_->address(slot) + offset, at, bytes};
  const DeviceApi& api = tier_->api();
  const bool in = way != Way::out;
  // Room first: what is on its way must be held.
  std::unique_lock lock(mutex_);
  reap();
  flights_.reserve(flights_.size() + 1);
  if (in && api.note != nullptr) api.note(at, bytes, 0);
  kvc_status_t status = (in ? api.swap_in : api.swap_out)(tier_->handle(), &copy, 1, order.get(), fence);
  if (status == KVC_E_INVALID) {
    if (unpinned != nullptr) {
      *unpinned = true;
      return Status::ok();
    }
    lock.unlock();
    *fence = 0;
    status = in ? api.upload(tier_->handle(), copy.device, at, bytes, order.get())
                : api.download(tier_->handle(), at, copy.device, bytes, order.get());
  }
  // Also after a failure: a part may be on its way.
  if (*fence != 0) flights_.push_back({*fence, bytes, hold ? host : BlobRef()});
  (in ? in_bytes_ : out_bytes_).fetch_add(status == KVC_OK ? bytes : 0, std::memory_order_relaxed);
  return tier_->check(status);
}

void DevicePages::strand(const BlobRef& blob) {
  const std::lock_guard lock(mutex_);
  stranded_.push_back(blob);
}

Status DevicePages::load(DeviceCopy* copy, const PageGeometry& geometry, uint32_t from, uint32_t to,
                         const DeviceCall& call, std::vector<uint64_t>* wait) {
  const BlobRef& host = copy->decoded ? copy->decoded : copy->page->blob;
  if (copy->coded) from = 0, to = 1;
  for (uint32_t layer = from; layer < to; ++layer) {
    uint64_t known;
    bool first;
    {
      const std::lock_guard lock(mutex_);
      known = copy->loaded[layer];
      first = std::all_of(copy->loaded.begin(), copy->loaded.end(),
                          [](uint64_t fence) { return fence == DeviceCopy::kMissing; });
    }
    if (known == DeviceCopy::kMissing) {
      const size_t bytes = copy->coded ? host.bytes() : geometry.layer_bytes();
      KVC_RETURN_IF_ERROR(transfer(first ? Way::in : Way::in_later, copy->slot, layer * geometry.layer_bytes(), bytes,
                                   host, call, &known));
      const std::lock_guard lock(mutex_);
      copy->loaded[layer] = known;
    }
    wait->push_back(known);
  }
  const std::lock_guard lock(mutex_);
  if (copy->decoded &&
      std::find(copy->loaded.begin(), copy->loaded.end(), DeviceCopy::kMissing) == copy->loaded.end()) {
    copy->decoded = BlobRef();
  }
  return Status::ok();
}

Status DevicePages::start_ring() {
  if (ring_ != nullptr) return Status::ok();
  void* at = std::aligned_alloc(4096, kRingBytes);
  if (at == nullptr)
    return error(KVC_E_NO_MEMORY, "no %zu bytes for tables of device %d", kRingBytes, tier_->ordinal());
  const Status status = tier_->check(tier_->api().pin(tier_->handle(), at, kRingBytes));
  if (!status.is_ok()) {
    std::free(at);
    return status;
  }
  ring_ = static_cast<std::byte*>(at);
  return Status::ok();
}

Status DevicePages::put_table(uint64_t to, const void* from, size_t bytes, const std::vector<uint32_t>& writes,
                              const DeviceCall& call, uint64_t* fence) {
  if (bytes > kRingBytes) {
    return error(KVC_E_UNSUPPORTED, "a table of %zu bytes for device %d: %zu is the most", bytes, tier_->ordinal(),
                 kRingBytes);
  }
  const std::lock_guard lock(ring_mutex_);
  KVC_RETURN_IF_ERROR(start_ring());
  if (ring_at_ + bytes > kRingBytes) ring_at_ = 0;
  const size_t begin = ring_at_, end = begin + bytes;
  for (const RingPiece& piece : pieces_) {
    if (piece.begin < end && begin < piece.end) KVC_RETURN_IF_ERROR(wait(piece.fence));
  }
  std::erase_if(pieces_, [&](const RingPiece& piece) { return piece.begin < end && begin < piece.end; });
  pieces_.reserve(pieces_.size() + 1);
  if (tier_->api().note != nullptr) tier_->api().note(ring_ + begin, bytes, 1);
  std::memcpy(ring_ + begin, from, bytes);
  ring_at_ = (end + 63) / 64 * 64;
  DeviceOrder order(*tier_, call, {}, {});
  order.writes = writes;
  const kvc_cuda_copy_t copy{to, ring_ + begin, bytes};
  const kvc_status_t status = tier_->api().swap_in(tier_->handle(), &copy, 1, order.get(), fence);
  if (*fence != 0) pieces_.push_back({begin, end, *fence});
  return tier_->check(status);
}

void DevicePages::collect() noexcept {
  const std::lock_guard lock(mutex_);
  if (!tier_->is_lost()) reap();
}

void DevicePages::forget(const Page* page) noexcept {
  const std::lock_guard lock(mutex_);
  if (const auto found = copies_.find(page); found != copies_.end()) unlink(found->second.get());
}

uint64_t DevicePages::cached_bytes(const Page* last) noexcept {
  const std::lock_guard lock(mutex_);
  if (tier_->is_lost()) return 0;
  uint64_t bytes = 0;
  for (const Page* page = last; page != nullptr; page = page->parent) bytes += copies_.contains(page) ? page->bytes : 0;
  return bytes;
}

uint64_t DevicePages::free_bytes() noexcept {
  const uint64_t used = tier_->used();
  return tier_->limit() - std::min(tier_->limit(), used);
}

uint64_t DevicePages::queued_bytes() noexcept {
  const std::lock_guard lock(mutex_);
  if (!tier_->is_lost()) reap();
  uint64_t bytes = 0;
  for (const Flight& flight : flights_) bytes += flight.bytes;
  return bytes;
}

// A device that is used for a share of the time has that share of the last moments' work before a session's.
uint64_t DevicePages::busy_ns() noexcept {
  constexpr double kMomentNs = 20e6;
  kvc_cuda_stats_t stats{};
  stats.struct_size = sizeof stats;
  if (tier_->api().stats(tier_->handle(), &stats) != KVC_OK || stats.utilization < 0) return 0;
  return static_cast<uint64_t>(stats.utilization * kMomentNs);
}

void DevicePages::add_stats(DeviceStats* stats) noexcept {
  const std::lock_guard lock(mutex_);
  const bool lost = tier_->is_lost();
  stats->devices += lost ? 0 : 1, stats->lost += lost ? 1 : 0;
  stats->limit += lost ? 0 : tier_->limit();
  stats->pages += lost ? 0 : copies_.size();
  stats->bytes += lost ? 0 : tier_->stats().bytes;
  stats->hits += hits_.load(std::memory_order_relaxed), stats->promoted += promoted_.load(std::memory_order_relaxed);
  stats->demoted += demoted_.load(std::memory_order_relaxed);
  stats->in_bytes += in_bytes_.load(std::memory_order_relaxed);
  stats->out_bytes += out_bytes_.load(std::memory_order_relaxed);
}

}  // namespace kvc

// The ring of segments: where the next free one comes from. At most max_segments_ files; then the oldest is emptied.
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <functional>
#include <vector>

#include "tier/disk/store_impl.h"

namespace kvc::disk {

uint32_t StoreImpl::find_state(Segment::State state) const noexcept {
  for (uint32_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i]->state == state) return i;
  }
  return kNone;
}

uint32_t StoreImpl::oldest_sealed() const noexcept {
  uint32_t oldest = kNone;
  for (uint32_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    if (segment.state != Segment::State::sealed) continue;
    if (oldest == kNone || segment.generation < segments_[oldest]->generation) oldest = i;
  }
  return oldest;
}

bool StoreImpl::make_room(Lock* lock) {
  if (making_room_) return false;
  making_room_ = true;
  room_failure_ = Status::ok();
  for (uint32_t i = 0; i < segments_.size(); ++i) {  // retired files give their room back first
    if (segments_[i]->state == Segment::State::retired && segments_[i]->pins == 0) {
      remove_file(lock, segments_[i].get());
    }
  }
  bool made = find_state(Segment::State::free) != kNone;
  try {
    made = made || create_segment(lock);
    for (uint32_t slot; !made && (slot = oldest_sealed()) != kNone;) {
      made = empty_segment(lock, slot, options_.reinsert_share, /*release_file=*/false);
    }
  } catch (const std::bad_alloc&) {
    room_failure_ = Status(KVC_E_NO_MEMORY, "");
  }
  if (made)
    room_failure_ = Status::ok();
  else if (room_failure_.is_ok())
    room_failure_ = error(KVC_E_IO, "no segment of %s can be used", options_.directory.c_str());
  making_room_ = wanted_ = false;
  room_.notify_all();
  return made;
}

// Writes the header of a segment's next lap. Without the lock; the segment is nobody else's.
static int write_lap(const Segment& segment, VfsFile* file, const Uuid& uuid, uint64_t generation, BufferPool* buffers) {
  const Buffer block = buffers->take(kBlock);
  SegmentHeader header{};
  std::memcpy(header.magic, kSegmentMagic, sizeof header.magic);
  header.version = kFormatVersion;
  header.number = segment.number;
  header.uuid = uuid;
  header.generation = generation;
  header.segment_bytes = segment.blocks * kBlock;
  write_segment_header(header, block.data());
  const ssize_t written = transfer_block(file, true, 0, block.data(), kBlock);
  return written == kBlock ? 0 : static_cast<int>(written < 0 ? written : -EIO);
}

bool StoreImpl::create_segment(Lock* lock) {
  uint32_t files = 0;
  std::vector<bool> taken(max_segments_ + 1);
  for (const auto& segment : segments_) {
    if (!segment->file) continue;
    ++files;
    if (segment->number < taken.size()) taken[segment->number] = true;
  }
  if (files >= max_segments_) return false;
  uint32_t slot = find_state(Segment::State::unused);
  if (slot == kNone) {
    slot = static_cast<uint32_t>(segments_.size());
    segments_.push_back(std::make_unique<Segment>(memory_));
  }
  Segment* const segment = segments_[slot].get();
  uint32_t number = 0;
  while (taken[number]) ++number;
  const uint64_t generation = next_generation_++;
  segment->number = number;
  segment->blocks = segment_bytes_ / kBlock;
  segment->state = Segment::State::emptying;  // nobody else's; its file, once it has one, is seen by persist
  lock->unlock();

  const std::string path = path_of(segment_name(number));
  std::unique_ptr<VfsFile> file;
  int status = vfs_->open(path, Vfs::kWrite | Vfs::kCreate | Vfs::kTruncate | (direct_ ? Vfs::kDirect : 0), &file);
  if (status == 0) status = file->allocate(segment_bytes_);
  uint64_t allocated = 0;
  if (status == 0) {
    status = write_lap(*segment, file.get(), uuid_, generation, &buffers_);
    allocated = file->allocated();
  }
  if (status != 0) {
    file.reset();
    vfs_->remove(path);
  }

  lock->lock();
  if (status != 0) {
    segment->state = Segment::State::unused;
    room_failure_ = io_error("make a segment in", options_.directory, status);
    options_.log.write(KVC_LOG_WARN, "%s", room_failure_.message().c_str());
    // A full disk: the ring goes on with the segments it has.
    if ((status == -ENOSPC || status == -EDQUOT) && files >= 2) max_segments_ = files;
    return false;
  }
  segment->file = std::move(file);
  segment->allocated = allocated;
  account(static_cast<int64_t>(allocated));
  segment->generation = generation;
  segment->data_end = 1;
  segment->dirty = true;
  segment->broken = segment->undurable = false;
  stats_.bytes_written += kBlock;
  directory_dirty_ = true;
  segment->state = Segment::State::free;
  return true;
}

bool StoreImpl::judge(const PageId& id, float chance) noexcept {
  const Lock lock(mutex_);
  const Locator locator = index_.find(id);
  if (locator == kNowhere) return false;
  Entry& entry = segments_[locator >> 16]->entries[locator & 0xffff];
  if (chance >= 0) entry.chance = static_cast<uint16_t>(std::min(chance, 1.0F) * (Entry::kUnknown - 1));
  return true;
}

// The pages of a segment that stay, in the order in which they lie: all, or those most worth of what was hit or is as
// likely as not to be, as far as they fit into so many blocks.
std::vector<uint32_t> StoreImpl::worth_keeping(const Segment& segment, uint64_t blocks, bool all) {
  constexpr uint32_t kEven = Entry::kUnknown / 2, kNever = Entry::kUnknown / 64;
  std::vector<uint32_t> kept;
  for (uint32_t i = 0; i < segment.entries.size(); ++i) {
    const Entry& entry = segment.entries[i];
    if (entry.state != Entry::kLive) continue;
    if (all || entry.worth() >= kEven || (entry.hits > 0 && entry.worth() > kNever)) kept.push_back(i);
  }
  if (all) return kept;
  std::ranges::stable_sort(kept, std::ranges::greater(), [&](uint32_t i) { return segment.entries[i].worth(); });
  std::erase_if(kept, [&](uint32_t i) {
    if (segment.entries[i].blocks > blocks) return true;
    blocks -= segment.entries[i].blocks;
    return false;
  });
  std::ranges::sort(kept);
  return kept;
}

// Moves the pages worth keeping to the open segment (up to a share of a segment; all of them if the share is 1), drops
// the others, and makes the segment free, or gives its file back.
bool StoreImpl::empty_segment(Lock* lock, uint32_t slot, double share, bool release_file) {
  Segment& segment = *segments_[slot];
  segment.state = Segment::State::emptying;
  room_.wait(*lock, [&] { return segment.pins == 0; });

  const bool all = share >= 1;
  const std::vector<uint32_t> moving =
      worth_keeping(segment, static_cast<uint64_t>(share * static_cast<double>(segment.blocks)), all);
  bool moved = true;
  for (const uint32_t i : moving) {
    uint16_t& chance = segment.entries[i].chance;
    if (!all && chance != Entry::kUnknown) chance /= 2;  // once around without a use, but for this
    const Entry entry = segment.entries[i];
    if (entry.state != Entry::kLive) continue;  // erased meanwhile
    RecordImage image;
    ++segment.pins;
    lock->unlock();
    const DiskMiss miss = read_image(&segment, entry, &image);
    lock->lock();
    --segment.pins;
    if (miss != DiskMiss::none) {
      if (miss == DiskMiss::damaged) ++stats_.misses[static_cast<size_t>(miss)];
      if (segment.entries[i].state == Entry::kLive) forget(locate(slot, i));
      continue;
    }
    if (!put_image(std::move(image), nullptr, false, lock, locate(slot, i)).is_ok()) {
      moved = false;  // the open segment is full
      break;
    }
  }
  if (!moving.empty()) {
    // Their copies here may be the only ones that survive a power cut: they go when the new ones are safe.
    lock->unlock();
    const Status status = persist();
    lock->lock();
    moved = moved && status.is_ok();
  }
  if (all && !moved) {
    segment.state = Segment::State::sealed;
    return false;
  }
  drop_segment(lock, slot);
  room_.wait(*lock, [&] { return segment.pins == 0; });
  segment.entries.clear();
  segment.table.clear();
  ++stats_.segments_recycled;
  if (release_file) {
    remove_file(lock, &segment);
    return true;
  }
  const uint64_t generation = next_generation_++;
  lock->unlock();
  int status = segment.file->allocate(segment.blocks * kBlock);
  if (status == 0) status = write_lap(segment, segment.file.get(), uuid_, generation, &buffers_);
  const uint64_t allocated = segment.file->allocated();
  lock->lock();
  if (status != 0) {
    room_failure_ = io_error("begin a segment in", options_.directory, status);
    options_.log.write(KVC_LOG_WARN, "%s", room_failure_.message().c_str());
    remove_file(lock, &segment);
    return false;
  }
  account(static_cast<int64_t>(allocated) - static_cast<int64_t>(segment.allocated));
  segment.allocated = allocated;
  segment.generation = generation;
  segment.data_end = 1;
  segment.dirty = true;
  segment.broken = segment.undurable = false;
  stats_.bytes_written += kBlock;
  segment.state = Segment::State::free;
  return true;
}

// Forgets a segment's pages.
void StoreImpl::drop_segment(Lock* lock, uint32_t slot) {
  Segment& segment = *segments_[slot];
  for (uint32_t i = 0; i < segment.entries.size(); ++i) {
    if (segment.entries[i].state == Entry::kLive) {
      forget(locate(slot, i));
      ++stats_.pages_evicted;
    }
    if (i % 1024 == 1023) {  // lookups need not wait for all of them
      lock->unlock();
      lock->lock();
    }
  }
}

void StoreImpl::forget(Locator locator) noexcept {
  Segment& segment = *segments_[locator >> 16];
  Entry& entry = segment.entries[locator & 0xffff];
  index_.erase(locator);
  entry.state = 0;
  --segment.live;
  segment.live_blocks -= entry.blocks;
  --stats_.pages;
  stats_.payload_bytes -= entry.payload_bytes;
  stats_.stored_bytes -= uint64_t{entry.blocks} * kBlock;
}

// With the lock, which it gives up meanwhile.
void StoreImpl::remove_file(Lock* lock, Segment* segment) {
  segment->state = Segment::State::emptying;  // nobody else's
  room_.wait(*lock, [&] { return segment->pins == 0; });  // persist may be syncing it
  std::unique_ptr<VfsFile> file = std::move(segment->file);
  lock->unlock();
  file.reset();
  vfs_->remove(path_of(segment_name(segment->number)));
  lock->lock();
  account(-static_cast<int64_t>(segment->allocated));
  segment->allocated = 0;
  segment->entries.clear();
  segment->table.clear();
  segment->state = Segment::State::unused;
  directory_dirty_ = true;
}

void StoreImpl::unpin(Segment* segment) noexcept { --segment->pins; }

void StoreImpl::account(int64_t change) noexcept {
  stats_.disk_bytes += static_cast<uint64_t>(change);
  stats_.disk_peak = std::max(stats_.disk_peak, stats_.disk_bytes);
}

// The background thread: free segments, and a checkpoint at an interval.
void StoreImpl::maintain() noexcept {
  Lock lock(mutex_);
  const auto interval = std::chrono::nanoseconds(options_.checkpoint_ns);
  auto next = std::chrono::steady_clock::now() + interval;
  while (!ending_) {
    const auto ready = [this] { return ending_ || (wanted_ && !making_room_); };
    if (options_.checkpoint_ns == 0)
      wake_.wait(lock, ready);
    else
      wake_.wait_until(lock, next, ready);
    if (ending_) return;
    if (wanted_ && !making_room_) make_room(&lock);
    if (options_.checkpoint_ns != 0 && std::chrono::steady_clock::now() >= next) {
      bool dirty = false;
      for (const auto& segment : segments_) dirty = dirty || (segment->dirty && segment->file);
      lock.unlock();
      try {
        if (dirty) (void)persist();
      } catch (const std::bad_alloc&) {  // the next one
      }
      lock.lock();
      next = std::chrono::steady_clock::now() + interval;
    }
  }
}

}  // namespace kvc::disk

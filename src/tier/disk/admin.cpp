// Durability, forgetting, and looking at everything.
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "tier/disk/store_impl.h"

namespace kvc::disk {

Status StoreImpl::io_error(const char* what, const std::string& path, int code) const {
  return error(KVC_E_IO, "cannot %s %s: %s", what, path.c_str(), std::strerror(code < 0 ? -code : code));
}

// Nothing in it is believed any more. Its file goes when nobody reads it.
void StoreImpl::retire(Lock* lock, uint32_t slot) {
  Segment& segment = *segments_[slot];
  if (open_ == slot) open_ = kNone;
  segment.state = Segment::State::retired;
  const uint64_t lost = segment.live;
  drop_segment(lock, slot);
  ++stats_.segments_retired;
  options_.log.write(KVC_LOG_WARN, "segment %u of %s could not be made durable: %" PRIu64 " pages are given up",
                     segment.number, options_.directory.c_str(), lost);
}

Status StoreImpl::persist() {
  if (read_only_) return Status::ok();
  const std::lock_guard one(persist_mutex_);
  Lock lock(mutex_);
  const int before = epoch_;
  epoch_ ^= 1;
  room_.wait(lock, [&] { return writing_[before] == 0; });
  ++stats_.persists;
  Status result;
  for (uint32_t i = 0; i < segments_.size(); ++i) {
    Segment* const segment = segments_[i].get();
    if (!segment->file || !segment->dirty || segment->state == Segment::State::retired) continue;
    segment->dirty = false;
    ++segment->pins;
    lock.unlock();
    const int status = segment->file->sync();
    lock.lock();
    unpin(segment);
    if (status != 0 || segment->undurable) {
      ++stats_.syncs_failed;
      // The kernel forgets what it could not write: a second sync would say yes, and mean nothing.
      if (segment->state != Segment::State::retired) retire(&lock, i);
      result = io_error("make pages durable in", options_.directory, status != 0 ? status : -EIO);
    }
  }
  if (directory_dirty_) {
    directory_dirty_ = false;
    lock.unlock();
    const int status = vfs_->sync_directory(options_.directory);
    lock.lock();
    if (status != 0) {
      directory_dirty_ = true;
      if (result.is_ok()) result = io_error("make the file names durable in", options_.directory, status);
    }
  }
  room_.notify_all();
  return result;
}

// In a page of the table that is not written yet. With the lock.
static void erase_from_open_table(Segment* segment, uint32_t record) noexcept {
  for (const auto& page : segment->table) {
    if (page->index != record / kTableEntries) continue;
    Descriptor& d = page->page()->descriptors[record % kTableEntries];
    d = erased(d);
  }
}

// Forgets a page and, if `write`, writes over its record. nullopt: it is not there. false: it may be found again after a
// restart.
std::optional<bool> StoreImpl::erase_page(const PageId& id, bool write, bool all) {
  Segment* segment;
  uint64_t generation;
  uint32_t record;
  int epoch;
  {
    const Lock lock(mutex_);
    const Locator locator = index_.find(id);
    if (locator == kNowhere) return std::nullopt;
    record = locator & 0xffff;
    segment = segments_[locator >> 16].get();
    generation = segment->generation;
    forget(locator);
    erase_from_open_table(segment, record);
    ++segment->pins;
    segment->dirty = true;
    ++writing_[epoch = epoch_];
  }
  bool done = false;
  try {
    done = !write || erase_record(segment, record, generation, all);
  } catch (const std::bad_alloc&) {
    // As if the write had failed.
  }
  const Lock lock(mutex_);
  segment->dirty = true;
  --writing_[epoch];
  unpin(segment);
  room_.notify_all();
  return done;
}

bool StoreImpl::erase(const PageId& id) { return !read_only_ && erase_page(id, true, /*all=*/false).has_value(); }

// Writes over a record, its first block or all of it, and takes it out of the segment's table. The segment is pinned.
bool StoreImpl::erase_record(Segment* segment, uint32_t record, uint64_t generation, bool all) {
  const std::lock_guard one(erase_mutex_);  // two may be in one page of the table
  Entry entry;
  bool in_table;
  {
    Lock lock(mutex_);
    room_.wait(lock, [&] { return segment->tables_in_flight == 0; });
    entry = segment->entries[record];
    in_table = std::none_of(segment->table.begin(), segment->table.end(),
                            [&](const auto& page) { return page->index == record / kTableEntries; });
  }
  const uint64_t bytes = all ? uint64_t{entry.blocks} * kBlock : kBlock;
  const Buffer block = buffers_.take(bytes);
  std::memset(block.data(), 0, bytes);
  RecordHeader header{};
  header.magic = kRecordMagic;
  header.generation = generation;
  header.uuid = uuid_;
  header.descriptor.offset = entry.offset;
  header.descriptor.blocks = entry.blocks;
  header.descriptor = erased(header.descriptor);
  std::memcpy(block.data(), &header, sizeof header);
  seal_record_header(block.data());
  ssize_t written = transfer_block(segment->file.get(), true, uint64_t{entry.offset} * kBlock, block.data(), bytes);
  bool done = written == static_cast<ssize_t>(bytes);
  if (in_table) {
    auto* page = reinterpret_cast<TablePage*>(block.data());
    const uint32_t index = record / kTableEntries;
    const uint64_t at = (segment->blocks - 1 - index) * kBlock;
    if (transfer_block(segment->file.get(), false, at, page, kBlock) == kBlock &&
        check_table_page(*page, uuid_, generation, index)) {
      Descriptor& d = page->descriptors[record % kTableEntries];
      d = erased(d);
      seal_table_page(page);
      const ssize_t table = transfer_block(segment->file.get(), true, at, page, kBlock);
      done = done && table == kBlock;
      written += table;
    }
  }
  const Lock lock(mutex_);
  if (written > 0) stats_.bytes_written += static_cast<uint64_t>(written);
  return done;
}

Status StoreImpl::purge(std::string_view tenant) {
  if (read_only_) return error(KVC_E_UNSUPPORTED, "the store is open read-only: nothing can be purged");
  const uint64_t tag = tenant_tag(uuid_, keys_.get(), tenant);
  Status result;
  if (keys_) {
    const std::lock_guard one(keys_mutex_);
    if (keys_->forget(tag)) result = save_keys();  // from here on its pages are noise
  }
  std::vector<PageId> pages;
  KVC_RETURN_IF_ERROR(for_each([&](const PageDescriptor& page) {
    if (page.tenant == tag) pages.push_back(page.id);
    return true;
  }));
  for (const PageId& id : pages) {
    const bool erased = erase_page(id, keys_ == nullptr, /*all=*/true).value_or(true);
    if (!erased && result.is_ok()) result = io_error("overwrite a purged page in", options_.directory, -EIO);
  }
  const Status durable = persist();
  return result.is_ok() ? durable : result;
}

namespace {

PageDescriptor describe_record(const Descriptor& d, uint64_t generation) {
  PageDescriptor out;
  out.id = d.id;
  out.parent = d.parent;
  out.space = d.space;
  out.n_tokens = d.n_tokens;
  out.codec = d.codec;
  out.payload_bytes = d.payload_bytes;
  out.stored_bytes = uint64_t{d.blocks} * kBlock;
  out.groups = d.groups;
  out.generation = generation;
  out.tenant = d.tenant;
  out.compressed = (d.flags & kCompressed) != 0;
  out.encrypted = (d.flags & kEncrypted) != 0;
  return out;
}

}  // namespace

Status StoreImpl::for_each(const std::function<bool(const PageDescriptor&)>& visit) {
  std::vector<std::pair<uint64_t, uint32_t>> order;
  {
    const Lock lock(mutex_);
    for (uint32_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i]->live > 0) order.emplace_back(segments_[i]->generation, i);
    }
  }
  std::sort(order.begin(), order.end());
  for (const auto& [generation, slot] : order) {
    Segment* const segment = segment_at(slot);
    std::map<uint32_t, Descriptor> found;  // by place
    {
      const Lock lock(mutex_);
      if (segment->generation != generation || !segment->file) continue;
      ++segment->pins;
      for (const auto& page : segment->table) {  // not on disk yet
        for (uint32_t i = 0; i < page->entries; ++i)
          found[page->page()->descriptors[i].offset] = page->page()->descriptors[i];
      }
    }
    std::vector<Descriptor> scanned;
    SegmentHeader header;
    int64_t ignored;
    scan_segment(segment->file.get(), &buffers_, &uuid_, &header, nullptr, &scanned, &ignored);
    for (const Descriptor& d : scanned) found.try_emplace(d.offset, d);
    bool go_on = true;
    for (const auto& [offset, d] : found) {
      if (d.flags & (kErased | kBlob)) continue;
      {
        const Lock lock(mutex_);
        const Locator locator = index_.find(d.id);
        if (locator == kNowhere || locator >> 16 != slot || at(locator).offset != offset) continue;
      }
      if (!(go_on = visit(describe_record(d, generation)))) break;
    }
    const Lock lock(mutex_);
    unpin(segment);
    room_.notify_all();
    if (!go_on) break;
  }
  return Status::ok();
}

// A page for whoever has only its identity; what is not wanted may be nullptr.
Status StoreImpl::read_page(const PageId& id, PageDescriptor* out, std::vector<int32_t>* tokens,
                            std::vector<std::byte>* payload) {
  RecordHeader header;
  Buffer record;
  const DiskMiss miss = read_record(id, &header, &record);
  if (miss == DiskMiss::absent) return error(KVC_E_NOT_FOUND, "no such page in %s", options_.directory.c_str());
  const Descriptor& d = header.descriptor;
  bool right = miss == DiskMiss::none;
  if (right && out != nullptr) *out = describe_record(d, header.generation);
  if (right && (tokens != nullptr || payload != nullptr)) {
    Digest key;
    const Digest* with;
    right = find_key(d, &key, &with);
    RecordReader reader(context(), header, record.data(), with);
    right = right && reader.frames() && (tokens == nullptr || reader.tokens(tokens));
    if (payload != nullptr) payload->resize(d.payload_bytes);
    const uint64_t group_bytes = d.payload_bytes / d.groups;
    for (uint32_t i = 0; right && payload != nullptr && i < d.groups; ++i) {
      right = reader.group(i, record.data() + reader.frame_offset(i),
                           std::span(*payload).subspan(i * group_bytes, group_bytes));
    }
  }
  if (right) return Status::ok();
  return error(KVC_E_CORRUPT, "a page of %s is not readable (%s)", options_.directory.c_str(),
               miss == DiskMiss::none ? "damaged, or its key is gone" : disk_miss_name(miss));
}

Status StoreImpl::describe(const PageId& id, PageDescriptor* out, std::vector<int32_t>* tokens) {
  return read_page(id, out, tokens, nullptr);
}

Status StoreImpl::read_payload(const PageId& id, std::vector<std::byte>* payload) {
  return read_page(id, nullptr, nullptr, payload);
}

Status StoreImpl::verify(const StoreProgress& progress, VerifyReport* report) {
  *report = {};
  const uint64_t of = stats().stored_bytes;
  std::vector<PageDescriptor> pages;
  KVC_RETURN_IF_ERROR(for_each([&](const PageDescriptor& page) {
    pages.push_back(page);
    return true;
  }));
  std::vector<std::byte> payload;
  std::vector<int32_t> tokens;
  for (const PageDescriptor& page : pages) {
    Digest key;
    if (page.encrypted && (!keys_ || !keys_->find(page.tenant, &key))) {
      ++report->locked;
    } else {
      const Status status = read_page(page.id, nullptr, &tokens, &payload);
      if (status.code() == KVC_E_NOT_FOUND) continue;  // evicted meanwhile
      ++report->pages;
      if (!status.is_ok()) {
        ++report->damaged;
        if (report->damaged_ids.size() < 100) report->damaged_ids.push_back(page.id);
        const Lock lock(mutex_);
        ++stats_.misses[static_cast<size_t>(DiskMiss::damaged)];
        if (const Locator locator = index_.find(page.id); locator != kNowhere && !read_only_) forget(locator);
      }
    }
    report->bytes += page.stored_bytes;
    if (progress && !progress(report->bytes, std::max(of, report->bytes))) break;
  }
  return Status::ok();
}

Status StoreImpl::compact(const StoreProgress& progress) {
  if (read_only_) return error(KVC_E_UNSUPPORTED, "the store is open read-only: it cannot be compacted");
  const std::lock_guard one(compact_mutex_);
  Lock lock(mutex_);
  std::vector<std::pair<uint64_t, uint32_t>> sparse;  // emptiest first
  uint64_t of = 0, done = 0;
  for (uint32_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    const bool idle = segment.state == Segment::State::sealed && segment.live_blocks * 2 < segment.blocks;
    if (!idle && segment.state != Segment::State::free) continue;
    sparse.emplace_back(segment.live_blocks, i);
    of += segment.live_blocks * kBlock;
  }
  std::sort(sparse.begin(), sparse.end());
  for (const auto& [blocks, slot] : sparse) {
    Segment* const segment = segments_[slot].get();
    room_.wait(lock, [&] { return !making_room_; });
    if (segment->state == Segment::State::sealed) {
      making_room_ = true;
      const bool emptied = empty_segment(&lock, slot, 1, /*release_file=*/true);
      making_room_ = false;
      room_.notify_all();
      if (!emptied) break;  // the open segment is full
    }
    done += blocks * kBlock;
    lock.unlock();
    const bool go_on = !progress || progress(done, std::max(of, done));
    lock.lock();
    if (!go_on) break;
  }
  lock.unlock();
  return persist();
}

StoreStats StoreImpl::stats() const {
  const Lock lock(mutex_);
  StoreStats out = stats_;
  out.budget = options_.budget;
  out.index_bytes = index_.bytes();
  for (const auto& segment : segments_) {
    out.index_bytes += segment->entries.bytes();
    out.segments += segment->file != nullptr;
  }
  out.in_flight = puts_in_flight_ + gets_in_flight_;
  out.read_only = read_only_;
  out.encrypted = keys_ != nullptr;
  out.uring = io_ && io_->is_uring();
  out.direct = direct_;
  return out;
}

}  // namespace kvc::disk

namespace kvc {

const char* disk_miss_name(DiskMiss miss) noexcept {
  static constexpr const char* kNames[] = {"none", "absent", "identity", "tokens",   "damaged",
                                           "io",   "slow",   "locked",   "cancelled"};
  static_assert(std::size(kNames) == static_cast<size_t>(DiskMiss::count));
  return miss < DiskMiss::count ? kNames[static_cast<size_t>(miss)] : "unknown";
}

}  // namespace kvc

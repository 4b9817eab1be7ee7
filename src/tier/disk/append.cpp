// Putting pages: admission, a place at the end of the open segment, the write, and the table of contents that follows
// it.
#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "tier/disk/store_impl.h"

namespace kvc::disk {

// A record on its way to disk.
struct StoreImpl::PutOp final : Transfer {
  void done(ssize_t bytes) noexcept override { store->end_record(this, bytes); }
  StoreImpl* store = nullptr;
  RecordImage image;
  PutDone when_done;
  PageId id;
  uint32_t slot = 0, record = 0, offset = 0;
  uint64_t generation = 0, begun_ns = 0;
  int epoch = 0;
  OpenTablePage* table = nullptr;
  uint32_t table_entry = 0;
  Locator replaces = kNowhere;  // a page that moves on
  bool reinsertion = false;
};

void OpenTablePage::done(ssize_t bytes) noexcept { store->end_table(this, bytes); }

bool StoreImpl::known(const PageId& id) const noexcept { return index_.find(id) != kNowhere; }

bool StoreImpl::admit(const PageId& id) {
  if (!options_.second_sight) return true;
  // One word per page that was seen once; pages that meet in a word forget each other, which costs a put and no more.
  if (seen_.empty()) seen_.assign(size_t{1} << 16, 0);
  uint64_t& word = seen_[id.word() % seen_.size()];
  uint64_t mark;
  std::memcpy(&mark, id.bytes.data() + 8, sizeof mark);
  const bool seen = word == mark;
  word = seen ? 0 : mark;
  return seen;
}

Status StoreImpl::put(const PutPage& page, PutDone done) {
  if (read_only_) return error(KVC_E_UNSUPPORTED, "the store is open read-only: nothing can be put");
  Lock lock(mutex_);
  const PageId id = page.record.id;
  if (known(id) || pending_.contains(id)) {
    ++stats_.puts_known;
    lock.unlock();
    done(Status::ok());
    return Status::ok();
  }
  if (!page.admit && !admit(id)) {
    ++stats_.puts_refused;
    lock.unlock();
    done(Status::ok());
    return Status::ok();
  }
  if (background_ && puts_in_flight_ >= options_.queue_depth) {
    return error(KVC_E_BUSY, "%u pages are on their way to disk already: try later, or drop the page", puts_in_flight_);
  }
  pending_.insert(id);
  ++puts_in_flight_;
  lock.unlock();

  RecordImage image;
  const Status made = make_image(page, &image);
  lock.lock();
  const Status status = made.is_ok() ? put_image(std::move(image), std::move(done), false, &lock, kNowhere) : made;
  if (!status.is_ok()) {
    pending_.erase(id);
    --puts_in_flight_;
    room_.notify_all();
  }
  return status;
}

Status StoreImpl::put(const PutPage& page) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    Status status;
  } wait;
  const auto done = [&wait](const Status& status) {
    const std::lock_guard lock(wait.mutex);
    wait.status = status;
    wait.done = true;
    wait.changed.notify_one();
  };
  const PageId id = page.record.id;
  for (;;) {
    const Status status = put(page, done);
    if (status.code() == KVC_E_BUSY) {
      Lock lock(mutex_);
      room_.wait(lock, [&] {
        return ending_ || !room_failure_.is_ok() ||
               (puts_in_flight_ < options_.queue_depth && find_state(Segment::State::free) != kNone) ||
               (puts_in_flight_ < options_.queue_depth && !making_room_ && !wanted_);
      });
      if (ending_) return status;
      if (!room_failure_.is_ok() && find_state(Segment::State::free) == kNone) return room_failure_;
      continue;
    }
    if (!status.is_ok()) return status;
    {
      std::unique_lock lock(wait.mutex);
      wait.changed.wait(lock, [&] { return wait.done; });
    }
    // Somebody else may be putting the same page.
    Lock lock(mutex_);
    room_.wait(lock, [&] { return !pending_.contains(id); });
    return wait.status;
  }
}

Status StoreImpl::make_image(const PutPage& page, RecordImage* image) {
  try {
    const uint64_t tag = tenant_tag(uuid_, keys_.get(), page.tenant);
    Digest key;
    if (keys_ && !keys_->find(tag, &key)) {
      const std::lock_guard one(keys_mutex_);
      if (!keys_->find(tag, &key)) {
        key = keys_->make(tag);
        if (const Status saved = save_keys(); !saved.is_ok()) {
          keys_->forget(tag);
          return saved;
        }
      }
    }
    return make_record(context(), page, tag, keys_ ? &key : nullptr, direct_ ? kBlock : 1, image);
  } catch (const std::bad_alloc&) {
    return error(KVC_E_NO_MEMORY, "no memory for a record of %zu bytes", page.record.payload.size());
  }
}

// Appends a record. With the lock, which it gives up meanwhile; `wait`: for a segment, if there is none.
// replaces: the place that a page moves from.
Status StoreImpl::put_image(RecordImage image, PutDone done, bool wait, Lock* lock, Locator replaces) {
  const Descriptor d = image.descriptor();
  const uint64_t most = segment_bytes_ / kBlock - 1 - table_blocks(1);
  if (d.blocks > most) {
    return error(KVC_E_OUT_OF_RANGE,
                 "a page of %u bytes takes %u blocks of %u, a segment has %" PRIu64
                 ": give the store a larger segment size",
                 d.payload_bytes, d.blocks, kBlock, most);
  }
  const auto fits = [&] {
    if (open_ == kNone) return false;
    const Segment& segment = *segments_[open_];
    const uint64_t n = segment.entries.size() + 1;
    uint64_t end = segment.data_end + d.blocks + table_blocks(n);
    // While the next segment is being made free, its pages that move on find room here.
    if (background_ && replaces == kNowhere && (wanted_ || making_room_)) {
      end += static_cast<uint64_t>(std::min(options_.reinsert_share, 1.0) * static_cast<double>(segment.blocks));
    }
    const bool empty = segment.data_end == 1;
    return !segment.broken && n <= kMaxRecords && (end <= segment.blocks || (empty && d.blocks + 2 <= segment.blocks));
  };
  while (!fits()) {
    if (rotate(lock)) continue;
    if (replaces != kNowhere) return error(KVC_E_NO_MEMORY, "no segment has room for a page that moves on");
    if (!background_) {
      if (making_room_)
        room_.wait(*lock, [&] { return !making_room_; });
      else if (!make_room(lock))
        return room_failure_;
      continue;
    }
    wanted_ = true;
    wake_.notify_one();
    if (!wait) {
      if (!room_failure_.is_ok()) return std::exchange(room_failure_, Status::ok());
      return error(KVC_E_BUSY, "the next segment is not ready yet: try later, or drop the page");
    }
    room_.wait(*lock, [&] { return !wanted_ || fits(); });
    if (!room_failure_.is_ok() && !fits()) return room_failure_;
  }

  Segment& segment = *segments_[open_];
  const auto n = static_cast<uint32_t>(segment.entries.size());
  Entry entry{};
  std::memcpy(entry.id, d.id.bytes.data(), sizeof entry.id);
  entry.offset = segment.data_end;
  entry.blocks = d.blocks;
  entry.payload_bytes = d.payload_bytes;
  if (replaces != kNowhere) entry.chance = at(replaces).chance;
  entry.state = Entry::kWriting;
  std::unique_ptr<PutOp> op;
  bool room = index_.reserve(puts_in_flight_ + 1);
  try {
    op = std::make_unique<PutOp>();
    if (room && (segment.table.empty() || segment.table.back()->index != n / kTableEntries)) {
      segment.table.push_back(std::make_unique<OpenTablePage>(this, buffers_.take(kBlock), open_, segment.generation,
                                                              uuid_, n / kTableEntries));
    }
  } catch (const std::bad_alloc&) {
    room = false;
  }
  if (!room || !segment.entries.push_back(entry)) {
    return error(KVC_E_NO_MEMORY, "no memory for the index of one more page on disk: raise the memory budget");
  }
  op->store = this;
  op->table = segment.table.back().get();
  op->table_entry = op->table->entries++;
  Descriptor placed = d;
  placed.offset = entry.offset;
  op->table->page()->descriptors[op->table_entry] = placed;
  segment.data_end += d.blocks;
  segment.dirty = true;
  ++segment.pins;
  op->slot = open_;
  op->record = n;
  op->id = d.id;
  op->offset = entry.offset;
  op->generation = segment.generation;
  op->epoch = epoch_;
  op->replaces = replaces;
  op->when_done = std::move(done);
  op->begun_ns = now();
  ++writing_[epoch_];
  op->file = segment.file.get();
  lock->unlock();

  image.place(op->generation, op->offset);
  op->image = std::move(image);
  op->write = true;
  op->Transfer::offset = uint64_t{op->offset} * kBlock;
  op->parts[0] = {op->image.head.data(), op->image.head_bytes};
  op->parts[1] = {const_cast<std::byte*>(op->image.tail.data()), op->image.tail.size()};
  op->n_parts = op->image.tail.empty() ? 1 : 2;
  io_->submit(op.release());

  lock->lock();
  if (!background_ && wanted_) make_room(lock);
  return Status::ok();
}

void StoreImpl::end_record(PutOp* raw, ssize_t bytes) noexcept {
  const std::unique_ptr<PutOp> op(raw);
  OpenTablePage* tables = nullptr;
  bool stored = bytes == static_cast<ssize_t>(op->image.bytes());
  {
    const Lock lock(mutex_);
    Segment& segment = *segments_[op->slot];
    Entry& entry = segment.entries[op->record];
    TablePage* page = op->table->page();
    if (bytes > 0) stats_.bytes_written += static_cast<uint64_t>(bytes);
    if (!stored) {
      // The records behind it may be found through the table only: nothing more is appended, so that it is written now.
      segment.broken = true;
      if (open_ == op->slot) seal(&segment);
    }
    if (segment.state == Segment::State::retired) stored = false;
    const Locator before = index_.find(op->id);
    if (op->replaces != before) stored = false;  // erased while it moved on
    if (stored) {
      if (before != kNowhere) forget(before);
      entry.state = Entry::kLive;
      index_.insert(locate(op->slot, op->record));
      ++segment.live;
      segment.live_blocks += entry.blocks;
      ++stats_.pages;
      stats_.payload_bytes += entry.payload_bytes;
      stats_.stored_bytes += uint64_t{entry.blocks} * kBlock;
      if (op->replaces == kNowhere) {
        ++stats_.puts;
        stats_.bytes_put += uint64_t{entry.blocks} * kBlock;
        stats_.payload_put += entry.payload_bytes;
        record_latency(stats_.put_latency, op->begun_ns);
      } else {
        ++stats_.pages_reinserted;
      }
    } else {
      entry.state = 0;
      Descriptor& d = page->descriptors[op->table_entry];
      d = erased(d);
      if (op->replaces == kNowhere) ++stats_.puts_failed;
    }
    ++op->table->complete;
    tables = collect_table(op->slot, op->epoch);
    --writing_[op->epoch];
    if (op->replaces == kNowhere) pending_.erase(op->id);
  }
  submit_tables(tables);
  if (op->when_done) {
    Status status;
    try {
      if (!stored) status = io_error("write a page to", options_.directory, bytes < 0 ? static_cast<int>(bytes) : -EIO);
    } catch (const std::bad_alloc&) {
      status = Status(KVC_E_IO, "");
    }
    op->when_done(status);
  }
  const Lock lock(mutex_);
  unpin(segments_[op->slot].get());
  if (op->replaces == kNowhere) --puts_in_flight_;
  room_.notify_all();
}

void StoreImpl::seal(Segment* segment) {
  if (segment->state == Segment::State::open) segment->state = Segment::State::sealed;
  open_ = kNone;
}

// A free segment becomes the open one. False: there is none. With the lock, which it gives up meanwhile.
bool StoreImpl::rotate(Lock* lock) {
  const uint32_t next = find_state(Segment::State::free);
  if (next == kNone) return false;
  OpenTablePage* tables = nullptr;
  if (open_ != kNone) {
    const uint32_t full = open_;
    seal(segments_[full].get());
    segments_[full]->entries.set_capacity(segments_[full]->entries.size());
    tables = collect_table(full, epoch_);
  }
  segments_[next]->state = Segment::State::open;
  open_ = next;
  if (find_state(Segment::State::free) == kNone) {
    wanted_ = true;
    wake_.notify_one();
  }
  if (tables != nullptr) {
    lock->unlock();
    submit_tables(tables);
    lock->lock();
  }
  return true;
}

// Takes the table's pages that are complete, for writing: a list. With the lock.
OpenTablePage* StoreImpl::collect_table(uint32_t slot, int epoch) noexcept {
  Segment& segment = *segments_[slot];
  OpenTablePage* list = nullptr;
  for (auto it = segment.table.begin(); it != segment.table.end();) {
    OpenTablePage& page = **it;
    if (page.complete != page.entries || (page.entries != kTableEntries && segment.state == Segment::State::open)) {
      ++it;
      continue;
    }
    page.epoch = epoch;
    ++writing_[epoch];
    segment.dirty = true;
    ++segment.pins;
    ++segment.tables_in_flight;
    page.file = segment.file.get();
    page.write = true;
    page.offset = (segment.blocks - 1 - page.index) * kBlock;
    page.parts[0] = {page.block.data(), kBlock};
    page.next = list;
    list = it->release();
    it = segment.table.erase(it);
  }
  return list;
}

void StoreImpl::submit_tables(OpenTablePage* list) noexcept {
  while (list != nullptr) {
    OpenTablePage* const page = list;
    list = static_cast<OpenTablePage*>(page->next);
    page->page()->count = page->entries;
    seal_table_page(page->page());
    io_->submit(page);
  }
}

void StoreImpl::end_table(OpenTablePage* raw, ssize_t bytes) noexcept {
  const std::unique_ptr<OpenTablePage> page(raw);
  const Lock lock(mutex_);
  Segment& segment = *segments_[page->slot];
  if (bytes > 0) stats_.bytes_written += static_cast<uint64_t>(bytes);
  // Without its table, what lies behind a failed write would not be found again: it must not be called durable.
  if (bytes != kBlock) segment.undurable = true;
  --writing_[page->epoch];
  --segment.tables_in_flight;
  unpin(&segment);
  room_.notify_all();
}

}  // namespace kvc::disk

// Getting pages: the read, and every check between a record's bytes and the caller.
#include <cstring>

#include "tier/disk/store_impl.h"

namespace kvc::disk {

// A page on its way from disk. Completed by the reading thread, or, for a get that waits, by the waiting one.
struct StoreImpl::GetOp final : Transfer {
  void done(ssize_t bytes) noexcept override;

  StoreImpl* store = nullptr;
  std::shared_ptr<GetOp> self;  // while a read is in flight
  GetPage page;
  GetDone when_done;
  bool waits = false;
  uint64_t ticket = 0, begun_ns = 0;

  uint32_t slot = 0;
  Entry entry{};
  Locator locator = kNowhere;
  uint64_t generation = 0, segment_blocks = 0;

  enum class Stage { whole, beginning, frames } stage = Stage::whole;
  Buffer beginning, frames;  // of the record: all of it, or its header; then the frames asked for
  uint64_t read_from = 0, beginning_bytes = 0;
  RecordHeader header{};
  bool again = false;  // after damage: once more
  uint64_t in_place = 0;  // not 0: so many bytes were read to `beginning`, what follows them to page.out

  std::mutex mutex;
  std::condition_variable changed;
  enum class State { reading, read, decoding, over } state = State::reading;
  std::thread::id decoder;
  ssize_t result = 0;
};

// The frames of a page lie at the end of its room, one behind the other, and are decoded from its beginning on. No frame
// of those to come is overwritten: what is left of them is never larger than the groups that they become (read_frames).
class StoredGroups final : public LaterGroups {
 public:
  // nullptr: there is nothing to decode.
  static std::unique_ptr<StoredGroups> make(Compressor* compressor, const RecordReader& reader, const GetPage& page,
                                            uint32_t groups) {
    auto out = std::make_unique<StoredGroups>();
    out->compressor_ = compressor;
    out->page_ = page.out;
    out->group_bytes_ = page.out.size() / groups;
    bool coded = false;
    uint64_t left = 0;
    for (uint32_t i = groups; i-- > 0;) {
      left += reader.frame_bytes(i);
      coded = coded || reader.frame(i).kind != FrameKind::raw;
    }
    if (!coded) return nullptr;
    uint64_t at = page.out.size() - left;
    for (uint32_t i = 0; i < groups; ++i) {
      out->frames_.push_back({reader.frame(i).kind, at, reader.frame_bytes(i)});
      at += reader.frame_bytes(i);
    }
    return out;
  }
  std::span<std::byte> stored(uint32_t i) const noexcept { return page_.subspan(frames_[i].at, frames_[i].bytes); }
  uint32_t groups() const noexcept override { return static_cast<uint32_t>(frames_.size()); }
  bool decode(uint32_t i) override {
    const std::span<std::byte> out = page_.subspan(i * group_bytes_, group_bytes_), frame = stored(i);
    const bool there = out.data() == frame.data() && out.size() == frame.size();
    if (there && frames_[i].kind == FrameKind::raw) return true;
    if (frame.data() >= out.data() + out.size()) return compressor_->decompress(frames_[i].kind, frame, out);
    const std::vector<std::byte> aside(frame.begin(), frame.end());
    return compressor_->decompress(frames_[i].kind, aside, out);
  }

 private:
  struct Part {
    FrameKind kind;
    uint64_t at, bytes;
  };
  Compressor* compressor_ = nullptr;
  std::span<std::byte> page_;
  uint64_t group_bytes_ = 0;
  std::vector<Part> frames_;
};

bool StoreImpl::contains(const PageId& id, uint64_t* payload_bytes) const noexcept {
  const Lock lock(mutex_);
  const Locator locator = index_.find(id);
  if (locator != kNowhere && payload_bytes != nullptr) *payload_bytes = at(locator).payload_bytes;
  return locator != kNowhere;
}

void StoreImpl::record_latency(uint64_t (&buckets)[StoreStats::kLatencyBuckets], uint64_t begun_ns) const {
  const uint64_t now_ns = now(), us = now_ns > begun_ns ? (now_ns - begun_ns) / 1000 : 0;  // clocks may go back
  ++buckets[std::min<int>(us == 0 ? 0 : std::bit_width(us) - 1, StoreStats::kLatencyBuckets - 1)];
}

// A header that is longer than this is not guessed at.
constexpr uint64_t kMostHeader = 16 * kBlock;

// Finds and pins a page. nullptr: *miss says why.
std::shared_ptr<StoreImpl::GetOp> StoreImpl::begin_get(const GetPage& page, DiskMiss* miss) {
  auto op = std::make_shared<GetOp>();
  op->store = this;
  op->page = page;
  op->begun_ns = now();
  const Lock lock(mutex_);
  op->locator = index_.find(page.id);
  if (op->locator == kNowhere) {
    *miss = DiskMiss::absent;
    ++stats_.misses[static_cast<size_t>(*miss)];
    return nullptr;
  }
  op->slot = op->locator >> 16;
  Segment& segment = *segments_[op->slot];
  op->entry = at(op->locator);
  op->generation = segment.generation;
  op->segment_blocks = segment.blocks;
  op->file = segment.file.get();
  ++segment.pins;
  ++gets_in_flight_;
  return op;
}

// Reads [from, from + bytes) of the record; whole blocks, into the buffer of the stage.
void StoreImpl::start_read(GetOp* op, uint64_t from, uint64_t bytes) {
  Buffer& buffer = op->stage == GetOp::Stage::frames ? op->frames : op->beginning;
  if (buffer.size() < bytes) buffer = op->store->buffers_.take(bytes);
  op->read_from = from;
  if (op->stage != GetOp::Stage::frames) op->beginning_bytes = bytes;
  op->n_parts = 1;
  op->in_place = 0;
  op->parts[0] = {buffer.data(), bytes};
  op->offset = uint64_t{op->entry.offset} * kBlock + from;
  op->store->io_->submit(op);
}

// The first read of a get: what is likely to be all.
void StoreImpl::start_get(GetOp* op) {
  const uint64_t record = uint64_t{op->entry.blocks} * kBlock;
  const std::span<std::byte> out = op->page.out;
  if (op->page.n_groups != 0) {
    op->stage = GetOp::Stage::beginning;
    return start_read(op, 0, kBlock);
  }
  op->stage = GetOp::Stage::whole;
  // A page that is stored as it is takes its own blocks and one or a few for its header; one that was compressed or
  // encrypted begins within a block, and is fewer, or as many by chance: then it is read again.
  const bool straight = op->page.owner != nullptr && op->store->keys_ == nullptr && out.size() % kBlock == 0 &&
                        reinterpret_cast<uintptr_t>(out.data()) % kBlock == 0 && out.size() == op->entry.payload_bytes &&
                        record > out.size() && record - out.size() <= kMostHeader;
  if (!straight) return start_read(op, 0, record);
  const uint64_t head = record - out.size();
  op->beginning = op->store->buffers_.take(head);
  op->beginning_bytes = op->in_place = head;
  op->parts[0] = {op->beginning.data(), head};
  op->parts[1] = {out.data(), out.size()};
  op->n_parts = 2;
  op->offset = uint64_t{op->entry.offset} * kBlock;
  op->store->io_->submit(op);
}

void StoreImpl::GetOp::done(ssize_t bytes) noexcept {
  const std::shared_ptr<GetOp> keep = std::move(self);
  bool mine = false;
  {
    const std::lock_guard lock(mutex);
    result = bytes;
    if (state == State::over) {
      // Cancelled, or nobody waits any more.
    } else if (waits) {
      state = State::read;
      changed.notify_all();
      return;
    } else {
      state = State::decoding;
      decoder = std::this_thread::get_id();
      mine = true;
    }
  }
  DiskMiss miss = DiskMiss::cancelled;
  if (mine) {
    bool more = false;
    try {
      self = keep;
      more = store->step(this, &miss);
    } catch (const std::bad_alloc&) {
      miss = DiskMiss::io;
    }
    if (more) return;
    self.reset();
  }
  store->finish(this, miss);
}

// Goes on after a read. True: another read is under way. Else *miss is the result.
bool StoreImpl::step(GetOp* op, DiskMiss* miss) {
  const uint64_t record_bytes = uint64_t{op->entry.blocks} * kBlock;
  const auto read_on = [&](GetOp::Stage stage, uint64_t from, uint64_t bytes) {
    op->stage = stage;
    {
      const std::lock_guard lock(op->mutex);
      if (op->state == GetOp::State::over) return false;
      op->state = GetOp::State::reading;
      op->changed.notify_all();
    }
    start_read(op, from, bytes);
    return true;
  };
  const auto damaged = [&] {
    *miss = DiskMiss::damaged;
    if (op->again) return false;
    op->again = true;  // a second look: a bad cable is not a bad disk
    return read_on(GetOp::Stage::whole, 0, record_bytes);
  };
  if (op->result < 0) {
    *miss = DiskMiss::io;
    return false;
  }
  if (op->result != static_cast<ssize_t>(op->total())) return damaged();

  Digest key;
  const Digest* with = nullptr;
  if (op->stage != GetOp::Stage::frames) {
    const std::byte* record = op->beginning.data();
    Descriptor d;
    std::memcpy(&d, record + offsetof(RecordHeader, descriptor), sizeof d);
    if (op->stage == GetOp::Stage::beginning && plausible(d, op->segment_blocks)) {
      const uint64_t needed = align_up(header_bytes(d.n_tokens, d.groups), kBlock);
      if (needed > op->beginning_bytes && needed <= record_bytes) return read_on(op->stage, 0, needed);
    }
    if (!check_record_header(record, op->beginning_bytes, uuid_, op->generation, op->entry.offset, op->segment_blocks,
                             &op->header)) {
      return damaged();
    }
  }
  const Descriptor& d = op->header.descriptor;
  const GetPage& page = op->page;
  if (d.flags & (kErased | kBlob)) {
    *miss = DiskMiss::absent;
    return false;
  }
  if (d.blocks != op->entry.blocks) return damaged();
  if (d.id != page.id || d.parent != page.parent || d.space != page.space || d.codec != page.codec ||
      d.payload_bytes != page.payload_bytes) {
    *miss = DiskMiss::identity;
    return false;
  }
  if (!find_key(d, &key, &with)) {
    *miss = DiskMiss::locked;
    return false;
  }
  RecordReader reader(context(), op->header, op->beginning.data(), with);
  if (!reader.frames()) return damaged();
  const bool as_it_is = d.payload_start == op->in_place && !(d.flags & (kCompressed | kEncrypted));
  if (op->in_place != 0 && !as_it_is) return read_on(GetOp::Stage::whole, 0, record_bytes);
  if (op->stage != GetOp::Stage::frames) {
    if (!reader.tokens_are(page.tokens)) {
      std::vector<int32_t> tokens;
      if (!reader.tokens(&tokens)) return damaged();
      *miss = DiskMiss::tokens;
      return false;
    }
    const uint32_t n = page.n_groups == 0 ? d.groups : page.n_groups;
    const uint64_t group_bytes = d.payload_bytes / d.groups;
    if (page.first_group >= d.groups || n > d.groups - page.first_group || page.out.size() != n * group_bytes) {
      *miss = DiskMiss::identity;
      return false;
    }
    if (op->stage == GetOp::Stage::beginning) {
      const uint32_t last = page.first_group + n - 1;
      const uint64_t from = reader.frame_offset(page.first_group) / kBlock * kBlock;
      const uint64_t to = align_up(reader.frame_offset(last) + reader.frame_bytes(last), kBlock);
      if (to > op->beginning_bytes) return read_on(GetOp::Stage::frames, from, to - from);
    }
  }
  *miss = decode(op, reader, op->stage == GetOp::Stage::frames ? op->read_from : 0);
  return *miss == DiskMiss::damaged ? damaged() : false;
}

DiskMiss StoreImpl::decode(GetOp* op, const RecordReader& reader, uint64_t first_byte) {
  const GetPage& page = op->page;
  const Descriptor& d = op->header.descriptor;
  const Buffer& buffer = op->stage == GetOp::Stage::frames ? op->frames : op->beginning;
  const uint32_t n = page.n_groups == 0 ? d.groups : page.n_groups;
  const uint64_t group_bytes = d.payload_bytes / d.groups;
  std::unique_ptr<StoredGroups> later;
  if (page.later != nullptr && n == d.groups) later = StoredGroups::make(&compressor_, reader, page, n);
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t group = page.first_group + i;
    const uint64_t at = reader.frame_offset(group);
    const std::byte* stored = op->in_place != 0 ? page.out.data() + (at - op->in_place) : buffer.data() + (at - first_byte);
    const bool right = later ? reader.stored_group(group, stored, later->stored(i).data())
                             : reader.group(group, stored, page.out.subspan(i * group_bytes, group_bytes));
    if (!right) return DiskMiss::damaged;
  }
  if (later) *page.later = std::move(later);
  return DiskMiss::none;
}

// The end of a get, whatever it is.
void StoreImpl::finish(GetOp* op, DiskMiss miss) {
  if (miss == DiskMiss::damaged || miss == DiskMiss::identity || miss == DiskMiss::absent || miss == DiskMiss::locked) {
    // An identity that does not fit what the page's id stands for is damage as well, unless the caller asked wrongly.
    if (miss != DiskMiss::identity || op->header.descriptor.id != op->page.id) drop(*op);
  }
  GetDone callback;
  bool late;  // somebody answered before
  {
    const std::lock_guard lock(op->mutex);
    late = op->state == GetOp::State::over;
    if (!late) callback = std::move(op->when_done);
  }
  {
    const Lock lock(mutex_);
    if (!late) stats_.misses[static_cast<size_t>(miss)] += miss != DiskMiss::none;
    stats_.bytes_read += op->beginning_bytes + (op->stage == GetOp::Stage::frames ? op->parts[0].iov_len : 0) +
                         (op->in_place != 0 ? op->parts[1].iov_len : 0);
    if (miss == DiskMiss::none) {
      ++stats_.hits;
      stats_.payload_got += op->page.out.size();
      record_latency(stats_.get_latency, op->begun_ns);
      Segment& segment = *segments_[op->slot];
      if (index_.find(op->page.id) == op->locator && segment.generation == op->generation) {
        Entry& entry = segment.entries[op->locator & 0xffff];
        if (entry.hits < UINT8_MAX) ++entry.hits;
      }
    }
    unpin(segments_[op->slot].get());
    gets_.erase(op->ticket);
    room_.notify_all();
  }
  if (callback) callback(miss);
  {
    const std::lock_guard lock(op->mutex);
    op->state = GetOp::State::over;
    op->changed.notify_all();
  }
  const Lock lock(mutex_);
  --gets_in_flight_;
  room_.notify_all();
}

// Forgets a page that turned out to be none.
void StoreImpl::drop(const GetOp& op) noexcept {
  const Lock lock(mutex_);
  Segment& segment = *segments_[op.slot];
  if (segment.generation != op.generation || index_.find(op.page.id) != op.locator) return;
  forget(op.locator);
}

uint64_t StoreImpl::get(const GetPage& page, GetDone done) {
  DiskMiss miss = DiskMiss::none;
  std::shared_ptr<GetOp> op;
  try {
    op = begin_get(page, &miss);
  } catch (const std::bad_alloc&) {
    miss = DiskMiss::io;
  }
  if (!op) {
    done(miss);
    return 0;
  }
  op->when_done = std::move(done);
  uint64_t ticket;
  {
    const Lock lock(mutex_);
    ticket = op->ticket = next_ticket_++;
    gets_[ticket] = op;
  }
  op->self = op;
  start_get(op.get());
  return ticket;
}

DiskMiss StoreImpl::get(const GetPage& page, uint64_t timeout_ns) {
  DiskMiss miss = DiskMiss::none;
  std::shared_ptr<GetOp> op;
  try {
    op = begin_get(page, &miss);
  } catch (const std::bad_alloc&) {
    return DiskMiss::io;
  }
  if (!op) return miss;
  op->waits = true;
  // Of time alone: the injected clock may be a test's, and a wait is real.
  const bool limited = timeout_ns < (uint64_t{1} << 62);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(limited ? timeout_ns : 0);
  op->self = op;
  bool more = true;
  try {
    start_get(op.get());
    while (more) {
      {
        std::unique_lock lock(op->mutex);
        const auto read = [&] { return op->state == GetOp::State::read; };
        if (!limited) {
          op->changed.wait(lock, read);
        } else if (!op->changed.wait_until(lock, deadline, read)) {
          op->state = GetOp::State::over;  // the reading thread finishes it
          op->page.out = {};
          const Lock mine(mutex_);
          ++stats_.misses[static_cast<size_t>(DiskMiss::slow)];
          return DiskMiss::slow;
        }
        op->state = GetOp::State::decoding;
      }
      op->self = op;
      more = step(op.get(), &miss);
    }
  } catch (const std::bad_alloc&) {
    miss = DiskMiss::io;
  }
  op->self.reset();
  finish(op.get(), miss);
  return miss;
}

void StoreImpl::cancel(uint64_t ticket) {
  std::shared_ptr<GetOp> op;
  {
    const Lock lock(mutex_);
    const auto it = gets_.find(ticket);
    if (it == gets_.end()) return;
    op = it->second;
  }
  GetDone callback;
  {
    std::unique_lock lock(op->mutex);
    if (op->state == GetOp::State::decoding && op->decoder != std::this_thread::get_id()) {
      op->changed.wait(lock, [&] { return op->state != GetOp::State::decoding; });
    }
    if (op->state != GetOp::State::reading) return;
    op->state = GetOp::State::over;
    callback = std::move(op->when_done);
  }
  {
    const Lock lock(mutex_);
    ++stats_.misses[static_cast<size_t>(DiskMiss::cancelled)];
  }
  if (callback) callback(DiskMiss::cancelled);
}

}  // namespace kvc::disk

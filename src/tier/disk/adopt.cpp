// What an opening store makes of the segments that are there: their records enter the index, the newest is continued.
#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "base/signals.h"
#include "tier/disk/store_impl.h"

namespace kvc::disk {
namespace {

constexpr size_t kScanThreads = 4;  // at opening; segments are read one after the other by each
constexpr size_t kAhead = 16;

// Calls work(0) to work(n - 1), on so many threads with this one, or as many of them as the system gives. What it throws
// is thrown here, after all have ended.
template <typename Work>
void in_parallel(size_t threads, size_t n, const Work& work) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto run = [&]() noexcept {
    try {
      for (size_t i; (i = next.fetch_add(1)) < n;) work(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      thrown = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  try {
    const SignalsBlocked blocked;
    while (others.size() + 1 < std::min(threads, n)) others.emplace_back(run);
  } catch (const std::exception&) {
    // Fewer, then.
  }
  run();
  for (std::thread& other : others) other.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

Status StoreImpl::adopt_segments() {
  std::vector<std::string> names;
  if (const int status = vfs_->list(options_.directory, &names); status != 0) {
    return io_error("list", options_.directory, status);
  }
  struct Found {
    std::unique_ptr<Segment> segment;
    std::vector<Descriptor> records;
    bool usable = false;
    int64_t table_pages = -1;
  };
  std::vector<Found> all;
  const WholeRecord whole = [this](const RecordHeader& header, const std::byte* r) { return is_whole(header, r); };
  for (const std::string& name : names) {
    Found one;
    one.segment = std::make_unique<Segment>(memory_);
    Segment& segment = *one.segment;
    if (!parse_segment_name(name, &segment.number)) continue;
    const uint32_t flags = (read_only_ ? 0 : Vfs::kWrite) | (direct_ ? Vfs::kDirect : 0);
    if (vfs_->open(path_of(name), flags, &segment.file) != 0) {
      if (!read_only_) vfs_->remove(path_of(name));  // else its room would be nobody's
      continue;
    }
    if (direct_ && segment.file->alignment() == 1) direct_ = false;  // this file system has no O_DIRECT
    all.push_back(std::move(one));
  }
  // Several at a time: while one is checked the next is read.
  in_parallel(options_.io != StoreOptions::Io::sync ? kScanThreads : 1, all.size(), [&](size_t i) {
    Found& one = all[i];
    Segment& segment = *one.segment;
    SegmentHeader header;
    one.usable = scan_segment(segment.file.get(), &buffers_, &uuid_, &header, whole, &one.records, &one.table_pages) &&
                 header.number == segment.number && header.segment_bytes == segment_bytes_;
    segment.generation = one.usable ? header.generation : 0;
    segment.blocks = segment_bytes_ / kBlock;
    segment.allocated = segment.file->allocated();
    segment.state = Segment::State::sealed;
  });
  for (const Found& one : all) next_generation_ = std::max(next_generation_, one.segment->generation + 1);
  // Oldest first: of a page that is there twice the newer one is kept.
  std::sort(all.begin(), all.end(),
            [](const Found& a, const Found& b) { return a.segment->generation < b.segment->generation; });
  while (!read_only_ && all.size() > max_segments_) {  // the budget was larger before
    const std::string path = path_of(segment_name(all.front().segment->number));
    all.erase(all.begin());
    vfs_->remove(path);
  }
  uint64_t total = 0;
  for (const Found& one : all) total += one.usable ? one.records.size() : 0;
  if (!index_.reserve(total)) {
    return error(KVC_E_NO_MEMORY, "the index of %" PRIu64 " pages in %s does not fit the memory budget", total,
                 options_.directory.c_str());
  }
  for (Found& one : all) {
    const auto slot = static_cast<uint32_t>(segments_.size());
    account(static_cast<int64_t>(one.segment->allocated));
    segments_.push_back(std::move(one.segment));
    if (one.usable) KVC_RETURN_IF_ERROR(adopt(segments_.back().get(), slot, one.records));
  }
  stats_.pages_recovered = stats_.pages;
  if (read_only_) return Status::ok();
  // What was written before a kill may not be on the device yet: the next persist is to answer for it.
  for (const auto& segment : segments_) segment->dirty = true;
  directory_dirty_ = !segments_.empty();
  const auto continuable = [&](size_t i) { return all[i].usable && all[i].table_pages >= 0; };
  size_t n = all.size();
  // The newest may have been made ready and not come to use.
  for (; n > 1 && continuable(n - 1) && all[n - 1].records.empty(); --n) segments_[n - 1]->state = Segment::State::free;
  // Appending goes on where it stopped, if that is where the newest segment ends without a gap.
  if (n > 0 && continuable(n - 1)) {
    reopen(static_cast<uint32_t>(n - 1), all[n - 1].records, static_cast<uint32_t>(all[n - 1].table_pages));
  }
  return Status::ok();
}

Status StoreImpl::adopt(Segment* segment, uint32_t slot, const std::vector<Descriptor>& found) {
  if (found.size() > kMaxRecords || !segment->entries.set_capacity(found.size() + 1)) {
    return error(KVC_E_NO_MEMORY, "the index of %s does not fit the memory budget", options_.directory.c_str());
  }
  for (size_t i = 0; i < found.size(); ++i) {
    const Descriptor& d = found[i];
    // Places in the index are far apart: the next ones are on their way meanwhile.
    if (i + kAhead < found.size()) index_.prefetch(found[i + kAhead].id);
    Entry entry{};
    std::memcpy(entry.id, d.id.bytes.data(), sizeof entry.id);
    entry.offset = d.offset;
    entry.blocks = d.blocks;
    entry.payload_bytes = d.payload_bytes;
    const auto record = static_cast<uint32_t>(segment->entries.size());
    segment->entries.push_back(entry);
    segment->data_end = d.offset + d.blocks;
    Digest key;
    const bool readable = !(d.flags & (kErased | kBlob)) && (!keys_ || keys_->find(d.tenant, &key));
    if (!readable) continue;
    if (const Locator before = index_.find(d.id); before != kNowhere) forget(before);
    segment->entries[record].state = Entry::kLive;
    index_.insert(locate(slot, record));
    ++segment->live;
    segment->live_blocks += d.blocks;
    ++stats_.pages;
    stats_.payload_bytes += d.payload_bytes;
    stats_.stored_bytes += uint64_t{d.blocks} * kBlock;
  }
  return Status::ok();
}

void StoreImpl::reopen(uint32_t slot, const std::vector<Descriptor>& found, uint32_t table_pages) {
  Segment& segment = *segments_[slot];
  if (segment.data_end + table_blocks(found.size() + 1) >= segment.blocks) return;
  segment.state = Segment::State::open;
  open_ = slot;
  // What the table on disk does not have yet, from its last page on.
  for (size_t first = uint64_t{table_pages} * kTableEntries; first < found.size(); first += kTableEntries) {
    auto page = std::make_unique<OpenTablePage>(this, buffers_.take(kBlock), slot, segment.generation, uuid_,
                                                static_cast<uint32_t>(first / kTableEntries));
    const size_t n = std::min<size_t>(kTableEntries, found.size() - first);
    std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(first), n, page->page()->descriptors);
    page->entries = page->complete = static_cast<uint32_t>(n);
    segment.table.push_back(std::move(page));
  }
}

}  // namespace kvc::disk

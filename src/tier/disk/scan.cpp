// What a segment says about itself: its table of contents, and the records behind the table's end or in its gaps.
#include <algorithm>
#include <cstring>

#include "tier/disk/store_impl.h"

namespace kvc::disk {
namespace {

// Walks from record to record in blocks [from, to), as long as they make sense.
void walk(VfsFile* file, BufferPool* buffers, const SegmentHeader& header, uint64_t blocks, uint64_t from, uint64_t to,
          const WholeRecord& whole, std::vector<Descriptor>* found) {
  Buffer buffer = buffers->take(kBlock);
  while (from < to) {
    ssize_t available = transfer_block(file, false, from * kBlock, buffer.data(), kBlock);
    if (available < static_cast<ssize_t>(sizeof(RecordHeader))) return;
    Descriptor d;
    std::memcpy(&d, buffer.data() + offsetof(RecordHeader, descriptor), sizeof d);
    if (d.offset != from || !plausible(d, blocks)) return;
    const uint64_t needed = align_up(header_bytes(d.n_tokens, d.groups), kBlock);
    if (needed > kBlock) {  // plausible: inside of the record
      if (buffer.size() < needed) buffer = buffers->take(needed);
      available = transfer_block(file, false, from * kBlock, buffer.data(), needed);
      if (available < 0) return;
    }
    RecordHeader record;
    if (!check_record_header(buffer.data(), static_cast<size_t>(available), header.uuid, header.generation, from,
                             blocks, &record)) {
      return;
    }
    const Descriptor& checked = record.descriptor;
    bool keep = true;
    if (whole && !(checked.flags & kErased)) {
      const uint64_t bytes = uint64_t{checked.blocks} * kBlock;
      if (buffer.size() < bytes) buffer = buffers->take(bytes);
      keep = transfer_block(file, false, from * kBlock, buffer.data(), bytes) == static_cast<ssize_t>(bytes) &&
             whole(record, buffer.data());
    }
    found->push_back(keep ? checked : erased(checked));
    from += checked.blocks;
  }
}

}  // namespace

std::string segment_name(uint32_t number) {
  char name[16];
  snprintf(name, sizeof name, "seg-%05u", number);
  return name;
}

bool parse_segment_name(const std::string& name, uint32_t* number) {
  if (name.size() != 9 || name.compare(0, 4, "seg-") != 0) return false;
  *number = 0;
  for (size_t i = 4; i < name.size(); ++i) {
    if (name[i] < '0' || name[i] > '9') return false;
    *number = *number * 10 + static_cast<uint32_t>(name[i] - '0');
  }
  return true;
}

bool scan_segment(VfsFile* file, BufferPool* buffers, const Uuid* uuid, SegmentHeader* header,
                  const WholeRecord& whole, std::vector<Descriptor>* found, int64_t* table_pages) {
  found->clear();
  *table_pages = -1;
  const int64_t size = file->size();
  if (size < int64_t{2 * kBlock}) return false;
  // Blocks of the table that are read at once.
  const uint64_t chunk = std::min<uint64_t>(64, static_cast<uint64_t>(size) / kBlock);
  Buffer buffer = buffers->take(chunk * kBlock);
  if (transfer_block(file, false, 0, buffer.data(), kBlock) != kBlock || !read_segment_header(buffer.data(), header) ||
      (uuid != nullptr && header->uuid != *uuid)) {
    return false;
  }
  const uint64_t blocks = std::min(header->segment_bytes, static_cast<uint64_t>(size)) / kBlock;
  if (header->segment_bytes % kBlock != 0 || header->segment_bytes > (uint64_t{1} << 44)) return false;
  // A file that was cut has lost its table; its records are still found one after the other.
  const bool uncut = blocks * kBlock == header->segment_bytes;

  uint64_t data_end = 1;
  uint32_t expected = 0, misses = 0;  // of the table's pages
  bool more = uncut, continuable = uncut;
  for (uint64_t top = blocks; more && top > 1;) {
    const uint64_t n = std::min(chunk, top - 1);
    const ssize_t read = transfer_block(file, false, (top - n) * kBlock, buffer.data(), n * kBlock);
    if (read != static_cast<ssize_t>(n * kBlock)) break;
    for (uint64_t i = n; i-- > 0 && more; ++expected) {
      TablePage page;
      std::memcpy(&page, buffer.data() + i * kBlock, sizeof page);
      if (top - n + i < data_end || !check_table_page(page, header->uuid, header->generation, expected)) {
        more = ++misses < 2 && top - n + i >= data_end;  // one may be damaged, with others behind it
        continue;
      }
      if (misses > 0 || found->size() != uint64_t{expected} * kTableEntries) continuable = false;
      misses = 0;
      for (uint32_t j = 0; j < page.count; ++j) {
        const Descriptor& d = page.descriptors[j];
        if (!plausible(d, blocks) || d.offset < data_end) continue;  // forged: the table is in order
        if (d.offset > data_end) walk(file, buffers, *header, blocks, data_end, d.offset, whole, found);
        found->push_back(d);
        data_end = d.offset + d.blocks;
      }
      more = page.count == kTableEntries;  // the last one may be short, and have records behind it
    }
    top -= n;
  }
  const uint64_t table = table_blocks(found->size() + 1);
  if (continuable) *table_pages = static_cast<int64_t>(found->size() / kTableEntries);
  if (data_end + table < blocks || !uncut) walk(file, buffers, *header, blocks, data_end, blocks, whole, found);
  return true;
}

}  // namespace kvc::disk

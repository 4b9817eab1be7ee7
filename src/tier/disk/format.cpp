#include "tier/disk/format.h"

#include <algorithm>
#include <cstring>

#include "tier/disk/checksum_kernel.h"

namespace kvc::disk {
namespace {

// Structs whose last field is the checksum of the others.
template <typename T>
void write_checked(T value, std::byte* block) noexcept {
  value.check = checksum(&value, offsetof(T, check));
  std::memset(block, 0, kBlock);
  std::memcpy(block, &value, sizeof value);
}

template <typename T>
bool read_checked(const std::byte* block, const char (&magic)[8], T* out) noexcept {
  T value;
  std::memcpy(&value, block, sizeof value);
  if (std::memcmp(value.magic, magic, sizeof magic) != 0) return false;
  if (value.check != checksum(&value, offsetof(T, check))) return false;
  // The rest of the block is written as zeros: a byte that differs is damage, too.
  if (!std::all_of(block + sizeof value, block + kBlock, [](std::byte b) { return b == std::byte{0}; })) return false;
  *out = value;
  return true;
}

Checksum record_check(const std::byte* record, const RecordHeader& header) noexcept {
  RecordHeader blank = header;
  blank.check = {};
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, &blank, sizeof blank);
  const Descriptor& d = header.descriptor;
  XXH3_128bits_update(&state, record + sizeof blank, header_bytes(d.n_tokens, d.groups) - sizeof blank);
  Checksum out;
  xxh3_result(XXH3_128bits_digest(&state), out.data());
  return out;
}

}  // namespace

#ifdef __x86_64__
void checksum_avx2(const void* data, size_t bytes, unsigned char* out) noexcept;  // checksum_avx2.cpp
void checksum_copy_avx2(const void* data, size_t bytes, void* to, unsigned char* out) noexcept;
#define KVC_IN_AVX2(call) \
  if (__builtin_cpu_supports("avx2")) return call, out
#else
#define KVC_IN_AVX2(call)
#endif

Checksum checksum(const void* data, size_t bytes) noexcept {
  Checksum out;
  KVC_IN_AVX2(checksum_avx2(data, bytes, out.data()));
  xxh3(data, bytes, out.data());
  return out;
}

Checksum checksum_copy(const void* data, size_t bytes, void* to) noexcept {
  Checksum out;
  KVC_IN_AVX2(checksum_copy_avx2(data, bytes, to, out.data()));
  xxh3_copy(data, bytes, to, out.data());
  return out;
}

void write_super(const Superblock& super, std::byte* block) noexcept { write_checked(super, block); }
bool read_super(const std::byte* block, Superblock* out) noexcept { return read_checked(block, kSuperMagic, out); }
void write_segment_header(const SegmentHeader& header, std::byte* block) noexcept { write_checked(header, block); }
bool read_segment_header(const std::byte* block, SegmentHeader* out) noexcept {
  return read_checked(block, kSegmentMagic, out) && out->version == kFormatVersion;
}

void seal_table_page(TablePage* page) noexcept {
  page->check = {};
  page->check = checksum(page, sizeof *page);
}

bool check_table_page(const TablePage& page, const Uuid& uuid, uint64_t generation, uint32_t index) noexcept {
  if (page.magic != kTableMagic || page.generation != generation || page.uuid != uuid || page.index != index ||
      page.count == 0 || page.count > kTableEntries) {
    return false;
  }
  TablePage copy = page;
  copy.check = {};
  return page.check == checksum(&copy, sizeof copy);
}

bool plausible(const Descriptor& d, uint64_t segment_blocks) noexcept {
  if (d.offset == 0 || d.blocks == 0 || d.offset >= segment_blocks || d.blocks > segment_blocks - d.offset)
    return false;
  if (d.flags & kErased) return d.n_tokens == 0 && d.groups == 0;
  const uint64_t record = uint64_t{d.blocks} * kBlock;
  return d.groups > 0 && d.payload_bytes > 0 && d.payload_bytes % d.groups == 0 && d.payload_start <= record &&
         d.payload_bytes <= record * kMaxExpansion && header_bytes(d.n_tokens, d.groups) <= d.payload_start;
}

void seal_record_header(std::byte* record) noexcept {
  RecordHeader header;
  std::memcpy(&header, record, sizeof header);
  header.check = record_check(record, header);
  std::memcpy(record, &header, sizeof header);
}

bool check_record_header(const std::byte* record, size_t available, const Uuid& uuid, uint64_t generation,
                         uint64_t offset_blocks, uint64_t segment_blocks, RecordHeader* out) noexcept {
  RecordHeader header;
  if (available < sizeof header) return false;
  std::memcpy(&header, record, sizeof header);
  const Descriptor& d = header.descriptor;
  if (header.magic != kRecordMagic || header.generation != generation || header.uuid != uuid ||
      d.offset != offset_blocks || !plausible(d, segment_blocks) || header_bytes(d.n_tokens, d.groups) > available ||
      header.check != record_check(record, header)) {
    return false;
  }
  *out = header;
  return true;
}

bool read_frames(const std::byte* record, const RecordHeader& header, std::vector<Frame>* frames) {
  const Descriptor& d = header.descriptor;
  frames->resize(d.groups);
  std::memcpy(frames->data(), record + header_bytes(d.n_tokens, 0), d.groups * sizeof(Frame));
  uint64_t room = uint64_t{d.blocks} * kBlock - d.payload_start;
  const uint64_t group_bytes = d.payload_bytes / d.groups;
  for (const Frame& frame : *frames) {
    const bool known = frame.kind == FrameKind::raw ? frame.bytes == group_bytes
                                                    : frame.kind <= FrameKind::planes && frame.bytes < group_bytes;
    if (!known || frame.bytes > room) return false;
    room -= frame.bytes;
  }
  return true;
}

}  // namespace kvc::disk

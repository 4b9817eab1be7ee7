// The bytes on disk (README.md beside this file), and the checks that everything read from there passes before use.
//
// All structs are little endian, without padding, and are read by memcpy from bytes that may hold anything.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/hash.h"

namespace kvc::disk {

static_assert(std::endian::native == std::endian::little, "the store's files are little endian");

constexpr uint32_t kFormatVersion = 1;
constexpr uint32_t kBlock = 4096;
constexpr uint64_t align_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }
constexpr uint64_t blocks_of(uint64_t bytes) { return (bytes + kBlock - 1) / kBlock; }

using Checksum = std::array<uint8_t, 16>;
Checksum checksum(const void* data, size_t bytes) noexcept;  // XXH3-128
// The same over bytes that are copied to `out` on the way: memory is walked through once.
Checksum checksum_copy(const void* data, size_t bytes, void* out) noexcept;

using Uuid = std::array<uint8_t, 16>;

// In the file "store", twice: blocks 0 and 1.
struct Superblock {
  char magic[8];
  uint32_t version;
  uint32_t encrypted;
  Uuid uuid;
  uint64_t segment_bytes;
  uint8_t key_check[32];  // keyed digest of the uuid; zeros if not encrypted
  Checksum check;         // of everything before
};
constexpr char kSuperMagic[8] = {'p', 'g', 's', 't', 'o', 'r', 'e', '\n'};

// Block 0 of a segment; of a pack, too.
struct SegmentHeader {
  char magic[8];
  uint32_t version;
  uint32_t number;  // kPackNumber: a pack
  Uuid uuid;
  uint64_t generation;
  uint64_t segment_bytes;
  Checksum check;
};
constexpr char kSegmentMagic[8] = {'p', 'g', 's', 'e', 'g', 'm', 't', '\n'};
constexpr uint32_t kPackNumber = 0xffffffff;

// What is known about a record without reading it. 128 bytes; the same in the record and in the segment's table.
struct Descriptor {
  PageId id;
  PageId parent;
  Digest space;
  uint32_t offset;         // blocks from the segment's beginning
  uint32_t blocks;         // the whole record
  uint32_t payload_bytes;  // as given to put
  uint32_t n_tokens;
  uint64_t tenant;
  uint16_t groups;  // equal parts of the payload, a frame each
  uint8_t codec;
  uint8_t flags;
  uint32_t payload_start;  // bytes from the record's beginning to its first frame
};
static_assert(sizeof(Descriptor) == 128);
enum : uint8_t {
  kCompressed = 1,  // at least one frame is not raw
  kEncrypted = 2,   // with AES-256-GCM if kAes, else XChaCha20-Poly1305
  kAes = 4,
  kErased = 8,  // nothing but its length is left
  kBlob = 16,   // in packs: a named value; its tokens are the name's characters
};

// What is left of a record that was erased, or never came to be.
inline Descriptor erased(const Descriptor& d) noexcept {
  Descriptor out{};
  out.offset = d.offset;
  out.blocks = d.blocks;
  out.flags = kErased;
  return out;
}

enum class FrameKind : uint32_t {
  raw = 0,
  zstd = 1,
  planes = 2,  // frames.h
};
struct Frame {
  uint32_t bytes;  // stored
  FrameKind kind;
  Checksum check;  // of the stored bytes; the tag if encrypted
};
static_assert(sizeof(Frame) == 24);

// The beginning of a record. After it: the tokens, the frames' table, padding up to payload_start, the frames.
struct RecordHeader {
  uint64_t magic;
  uint64_t generation;
  Uuid uuid;
  Descriptor descriptor;
  std::array<uint8_t, 16> salt;  // zeros if not encrypted
  Checksum token_tag;            // zeros if not encrypted
  Checksum check;                // of this (with zeros here), the tokens as stored, and the frames' table
};
static_assert(sizeof(RecordHeader) == 208);
constexpr uint64_t kRecordMagic = 0x64726f6365726770;  // "pgrecord"

// A block of a segment's table of contents. The table grows from the segment's end towards its beginning: page i is the
// (i + 1)-th block from the end.
constexpr uint32_t kTableEntries = 31;
struct TablePage {
  uint64_t magic;
  uint64_t generation;
  Uuid uuid;
  uint32_t index;
  uint32_t count;
  Checksum check;  // of the whole block with zeros here
  uint8_t reserved[72];
  Descriptor descriptors[kTableEntries];
};
static_assert(sizeof(TablePage) == kBlock);
constexpr uint64_t kTableMagic = 0x0a656c6261746770;  // "pgtable\n"

// Blocks that the table of n records takes.
constexpr uint64_t table_blocks(uint64_t n) { return (n + kTableEntries - 1) / kTableEntries; }
// A page is at most so many times as large as its record: nobody makes the store ask for gigabytes with a small file.
constexpr uint64_t kMaxExpansion = 256;
// Bytes from a record's beginning to the end of its frames' table.
constexpr uint64_t header_bytes(uint64_t n_tokens, uint64_t groups) {
  return sizeof(RecordHeader) + n_tokens * sizeof(int32_t) + groups * sizeof(Frame);
}

// Writes a block (`kBlock` bytes) with its checksum.
void write_super(const Superblock& super, std::byte* block) noexcept;
bool read_super(const std::byte* block, Superblock* out) noexcept;  // magic and checksum right; any version
void write_segment_header(const SegmentHeader& header, std::byte* block) noexcept;
bool read_segment_header(const std::byte* block, SegmentHeader* out) noexcept;  // of this version
void seal_table_page(TablePage* page) noexcept;
bool check_table_page(const TablePage& page, const Uuid& uuid, uint64_t generation, uint32_t index) noexcept;

// Whether a descriptor makes sense in a segment of so many blocks: nothing in it leads outside of its record.
bool plausible(const Descriptor& descriptor, uint64_t segment_blocks) noexcept;
// Computes and stores the checksum of a record's beginning (header_bytes() at `record`).
void seal_record_header(std::byte* record) noexcept;
// The header at `record`, of which `available` bytes were read. False: not a whole record of this store and generation
// at this place.
bool check_record_header(const std::byte* record, size_t available, const Uuid& uuid, uint64_t generation,
                         uint64_t offset_blocks, uint64_t segment_blocks, RecordHeader* out) noexcept;
// The table of frames of a checked header; false: the frames do not fit the record.
bool read_frames(const std::byte* record, const RecordHeader& header, std::vector<Frame>* frames);

}  // namespace kvc::disk

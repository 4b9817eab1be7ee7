// Records: a page as it lies in a segment, made from a put and taken apart again for a get.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "tier/disk/buffer.h"
#include "tier/disk/cipher.h"
#include "tier/disk/format.h"
#include "tier/disk/frames.h"
#include "tier/disk/store.h"

namespace kvc::disk {

// What making and reading records needs of its store.
struct RecordContext {
  BufferPool* buffers;
  Compressor* compressor;
  Uuid uuid;
};

// A record in memory, whole blocks: `head`, then `tail`, which lies where the caller has it.
struct RecordImage {
  Buffer head;
  size_t head_bytes = 0;
  std::span<const std::byte> tail;
  uint64_t bytes() const noexcept { return head_bytes + tail.size(); }

  Descriptor descriptor() const noexcept {
    Descriptor d;
    std::memcpy(&d, head.data() + offsetof(RecordHeader, descriptor), sizeof d);
    return d;
  }
  // Gives it its place. Before it is written.
  void place(uint64_t generation, uint32_t offset) noexcept;
};

// key: of the tenant, nullptr for plaintext. tail_alignment: the page's payload may stay where it is if it is aligned
// so. KVC_E_INVALID: a page that no record can hold.
Status make_record(const RecordContext& context, const PutPage& page, uint64_t tenant, const Digest* key,
                   uint32_t tail_alignment, RecordImage* out);

// A record whose header was checked: its parts, verified one by one.
class RecordReader {
 public:
  // key may be nullptr if the record is not encrypted. `record` stays valid.
  RecordReader(const RecordContext& context, const RecordHeader& header, const std::byte* record, const Digest* key);
  // False: damaged.
  bool frames();  // first
  bool tokens(std::vector<int32_t>* out) const;
  bool tokens_are(std::span<const int32_t> expected) const;  // damaged tokens are not
  // Verifies and decodes group `i`, whose stored bytes are at `stored`.
  bool group(uint32_t i, const std::byte* stored, std::span<std::byte> out) const;
  // The stored bytes of group i in the clear (decrypted, still compressed), verified.
  bool stored_group(uint32_t i, const std::byte* stored, std::byte* out) const;
  uint64_t frame_offset(uint32_t i) const noexcept { return offsets_[i]; }  // from the record's beginning
  uint64_t frame_bytes(uint32_t i) const noexcept { return frames_[i].bytes; }
  const Frame& frame(uint32_t i) const noexcept { return frames_[i]; }

 private:
  const RecordContext context_;
  const RecordHeader header_;
  const std::byte* record_;
  std::unique_ptr<RecordCipher> cipher_;
  std::vector<Frame> frames_;
  std::vector<uint64_t> offsets_;
};

}  // namespace kvc::disk

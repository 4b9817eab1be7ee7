#include "tier/disk/record.h"

#include <algorithm>
#include <cstring>

namespace kvc::disk {

void RecordImage::place(uint64_t generation, uint32_t offset) noexcept {
  std::memcpy(head.data() + offsetof(RecordHeader, generation), &generation, sizeof generation);
  std::memcpy(head.data() + offsetof(RecordHeader, descriptor) + offsetof(Descriptor, offset), &offset, sizeof offset);
  seal_record_header(head.data());
}

namespace {

struct Frames {
  std::vector<Frame> table;
  std::vector<std::byte> bytes;  // empty: all raw, the payload as it is
};

// Compression is given up for a page of which the first frames gain nothing.
constexpr uint32_t kFramesTried = 2;

void compress_page(Compressor* compressor, const PutPage& page, uint32_t groups, Frames* out) {
  const std::span<const std::byte> payload = page.record.payload;
  const size_t group_bytes = payload.size() / groups;
  out->table.assign(groups, Frame{static_cast<uint32_t>(group_bytes), FrameKind::raw, {}});
  if (!compressor->enabled()) return;
  GroupShape shape;
  if (page.geometry != nullptr) {
    shape.element_bytes = static_cast<uint32_t>(element_bytes(page.geometry->dtype));
    shape.part_bytes[0] = page.geometry->plane_bytes(KVC_KEY);
    shape.part_bytes[1] = page.geometry->plane_bytes(KVC_VALUE);
  }
  out->bytes.reserve(payload.size());
  bool gained = false;
  for (uint32_t i = 0; i < groups; ++i) {
    const size_t before = out->bytes.size();
    if (gained || i < kFramesTried) {
      out->table[i].kind = compressor->compress(payload.subspan(i * group_bytes, group_bytes), shape, &out->bytes);
      out->table[i].bytes = static_cast<uint32_t>(out->bytes.size() - before);
      gained = gained || out->table[i].kind != FrameKind::raw;
    } else {
      break;
    }
  }
  // Fewer whole blocks on disk is what counts.
  if (!gained || blocks_of(out->bytes.size()) >= blocks_of(payload.size()) ||
      payload.size() > out->bytes.size() * kMaxExpansion) {
    out->table.assign(groups, Frame{static_cast<uint32_t>(group_bytes), FrameKind::raw, {}});
    out->bytes.clear();
  }
}

}  // namespace

Status make_record(const RecordContext& context, const PutPage& page, uint64_t tenant, const Digest* key,
                   uint32_t tail_alignment, RecordImage* out) {
  const PageRecord& record = page.record;
  const std::span<const std::byte> payload = record.payload;
  if (payload.empty() || payload.size() > UINT32_MAX || record.tokens.size() > (1u << 24)) {
    return error(KVC_E_INVALID,
                 "a page of %zu bytes and %zu tokens cannot be stored: 1 to 2^32-1 bytes, at most 2^24 tokens",
                 payload.size(), record.tokens.size());
  }
  uint32_t groups = page.groups;
  if (page.geometry != nullptr && page.geometry->page_bytes() == payload.size()) groups = page.geometry->n_layers;
  if (groups == 0 || groups > UINT16_MAX || payload.size() % groups != 0) groups = 1;

  Frames frames;
  compress_page(context.compressor, page, groups, &frames);
  const bool compressed = !frames.bytes.empty();
  const std::span<const std::byte> stored = compressed ? std::span<const std::byte>(frames.bytes) : payload;
  const uint64_t beginning = header_bytes(record.tokens.size(), groups);

  RecordHeader header{};
  header.magic = kRecordMagic;
  header.uuid = context.uuid;
  Descriptor& d = header.descriptor;
  d.id = record.id;
  d.parent = record.parent;
  d.space = record.space;
  d.payload_bytes = static_cast<uint32_t>(payload.size());
  d.n_tokens = static_cast<uint32_t>(record.tokens.size());
  d.tenant = tenant;
  d.groups = static_cast<uint16_t>(groups);
  d.codec = record.codec;
  d.flags = static_cast<uint8_t>((compressed ? kCompressed : 0) |
                                 (key != nullptr ? kEncrypted | (aes_available() ? kAes : 0) : 0));
  // Raw frames begin on a block's boundary, and stay where the caller has them if their memory allows it.
  const bool raw_in_place = !compressed && key == nullptr && payload.size() % kBlock == 0;
  d.payload_start = static_cast<uint32_t>(align_up(beginning, raw_in_place ? kBlock : 64));
  const uint64_t total = align_up(d.payload_start + stored.size(), kBlock);
  d.blocks = static_cast<uint32_t>(total / kBlock);
  const bool keep_tail = raw_in_place && reinterpret_cast<uintptr_t>(payload.data()) % tail_alignment == 0;
  out->head_bytes = keep_tail ? d.payload_start : total;
  out->head = context.buffers->take(out->head_bytes);
  out->tail = keep_tail ? payload : std::span<const std::byte>{};

  std::byte* at = out->head.data();
  std::byte* tokens = at + sizeof header;
  if (!record.tokens.empty()) std::memcpy(tokens, record.tokens.data(), record.tokens.size_bytes());
  std::memset(at + beginning, 0, d.payload_start - beginning);
  if (!keep_tail) std::memset(at + d.payload_start + stored.size(), 0, total - d.payload_start - stored.size());

  const size_t group_bytes = payload.size() / groups;
  if (key != nullptr) {
    randombytes_buf(header.salt.data(), header.salt.size());
    const RecordCipher cipher(*key, header);
    cipher.seal(kTokensNonce, tokens, record.tokens.size_bytes(), &header.token_tag);
    std::byte* to = at + d.payload_start;
    std::memcpy(to, stored.data(), stored.size());
    for (uint32_t i = 0; i < groups; ++i) {
      cipher.seal(i, to, frames.table[i].bytes, &frames.table[i].check);
      to += frames.table[i].bytes;
    }
  } else {
    size_t offset = 0;
    for (uint32_t i = 0; i < groups; ++i) {
      const std::byte* from = stored.data() + offset;
      const size_t n = compressed ? frames.table[i].bytes : group_bytes;
      frames.table[i].check = keep_tail ? checksum(from, n) : checksum_copy(from, n, at + d.payload_start + offset);
      offset += n;
    }
  }
  std::memcpy(at + header_bytes(d.n_tokens, 0), frames.table.data(), groups * sizeof(Frame));
  std::memcpy(at, &header, sizeof header);
  return Status::ok();
}

RecordReader::RecordReader(const RecordContext& context, const RecordHeader& header, const std::byte* record,
                           const Digest* key)
    : context_(context), header_(header), record_(record) {
  if ((header.descriptor.flags & kEncrypted) && key != nullptr) {
    cipher_ = std::make_unique<RecordCipher>(*key, header);
  }
}

bool RecordReader::frames() {
  if (!read_frames(record_, header_, &frames_)) return false;
  offsets_.resize(frames_.size());
  uint64_t offset = header_.descriptor.payload_start;
  for (size_t i = 0; i < frames_.size(); ++i) {
    offsets_[i] = offset;
    offset += frames_[i].bytes;
  }
  return true;
}

bool RecordReader::tokens(std::vector<int32_t>* out) const {
  const Descriptor& d = header_.descriptor;
  out->resize(d.n_tokens);
  const std::byte* from = record_ + sizeof(RecordHeader);
  if (!(d.flags & kEncrypted)) {
    if (d.n_tokens > 0) std::memcpy(out->data(), from, d.n_tokens * sizeof(int32_t));
    return true;
  }
  return cipher_ && cipher_->open(kTokensNonce, from, d.n_tokens * sizeof(int32_t), header_.token_tag,
                                  reinterpret_cast<std::byte*>(out->data()));
}

bool RecordReader::tokens_are(std::span<const int32_t> expected) const {
  const Descriptor& d = header_.descriptor;
  if (d.n_tokens != expected.size()) return false;
  if (!(d.flags & kEncrypted)) {
    return expected.empty() || std::memcmp(record_ + sizeof(RecordHeader), expected.data(), expected.size_bytes()) == 0;
  }
  std::vector<int32_t> stored;
  return tokens(&stored) && std::equal(stored.begin(), stored.end(), expected.begin());
}

bool RecordReader::stored_group(uint32_t i, const std::byte* stored, std::byte* out) const {
  const Frame& frame = frames_[i];
  if (header_.descriptor.flags & kEncrypted) {
    return cipher_ && cipher_->open(i, stored, frame.bytes, frame.check, out);
  }
  if (stored == out) return checksum(stored, frame.bytes) == frame.check;  // read into its place
  return checksum_copy(stored, frame.bytes, out) == frame.check;
}

bool RecordReader::group(uint32_t i, const std::byte* stored, std::span<std::byte> out) const {
  const Frame& frame = frames_[i];
  if (frame.kind == FrameKind::raw) return frame.bytes == out.size() && stored_group(i, stored, out.data());
  if (header_.descriptor.flags & kEncrypted) {
    std::vector<std::byte> clear(frame.bytes);
    return stored_group(i, stored, clear.data()) && context_.compressor->decompress(frame.kind, clear, out);
  }
  return checksum(stored, frame.bytes) == frame.check &&
         context_.compressor->decompress(frame.kind, {stored, frame.bytes}, out);
}

}  // namespace kvc::disk

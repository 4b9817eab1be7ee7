#include "cache/tensor_form.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "attend/aligned.h"
#include "attend/convert.h"
#include "cache/tensor_store.h"
#include "codec/tile_coding.h"
#include "tier/disk/frames.h"

namespace kvc {
namespace {

constexpr size_t kFrameBytes = size_t{1} << 20;
constexpr uint32_t kLongestRow = 8192;
constexpr int kZstdLevel = 1;

struct Header {
  static constexpr uint32_t kMagic = 0x3146564b;  // "KVF1"
  uint32_t magic = kMagic;
  TensorCodec codec = TensorCodec::identity;
  uint8_t plane = 0;
  uint8_t dtype = 0;
  uint8_t zero = 0;
  uint64_t raw_bytes = 0;
  uint64_t bytes = 0;  // all, this header included
  double error = 0;
  uint8_t zeros[32] = {};
};
static_assert(sizeof(Header) == 64);

struct FrameHeader {
  uint32_t bytes;
  disk::FrameKind kind;
};

constexpr struct {
  TensorCodec codec;
  const char* name;
  uint32_t bits;
} kCodecs[] = {{TensorCodec::identity, "identity", 0},
               {TensorCodec::lossless, "lossless", 0},
               {TensorCodec::int8, "int8", 8},
               {TensorCodec::int4, "int4", 4}};

uint32_t bits_of(TensorCodec codec) {
  for (const auto& each : kCodecs) {
    if (each.codec == codec) return each.bits;
  }
  return 0;
}

// A tensor as groups of consecutive rows, in tiles.
class Tiles {
 public:
  Tiles(const TensorView& tensor, int plane, uint32_t bits)
      : dim_(static_cast<uint32_t>(tensor.shape[tensor.n_dims - 1])),
        rows_(tensor.n_dims > 1 ? static_cast<uint64_t>(tensor.shape[tensor.n_dims - 2]) : 1),
        groups_(tensor.elements() / (rows_ * dim_)),
        plane_(plane),
        bits_(bits) {
    whole_ = tile_bytes(plane, {kTileTokens, dim_, bits}).total();
    group_ = (rows_ / kTileTokens) * whole_;
    if (const auto last = static_cast<uint32_t>(rows_ % kTileTokens); last > 0) {
      group_ += tile_bytes(plane, {last, dim_, bits}).total();
    }
  }
  uint32_t dim() const { return dim_; }
  uint64_t each() const { return (rows_ + kTileTokens - 1) / kTileTokens; }
  uint64_t count() const { return groups_ * each(); }
  TileShape shape(uint64_t tile) const {
    return {static_cast<uint32_t>(std::min<uint64_t>(kTileTokens, rows_ - tile % each() * kTileTokens)), dim_, bits_};
  }
  uint64_t first_row(uint64_t tile) const { return tile / each() * rows_ + tile % each() * kTileTokens; }
  size_t units_at() const { return sizeof(Header); }
  size_t at(uint64_t tile) const {
    return sizeof(Header) + tile_align(count() * sizeof(float)) + tile / each() * group_ + tile % each() * whole_;
  }
  size_t total() const { return at(count()); }

 private:
  uint32_t dim_;
  uint64_t rows_, groups_;
  int plane_;
  uint32_t bits_;
  size_t whole_ = 0, group_ = 0;
};

// Whether codes are for such tensors. An upper bound on the numbers keeps sizes far from overflow.
bool takes_codes(const TensorView& tensor) {
  return tensor.dtype != DType::u8 && tensor.shape[tensor.n_dims - 1] <= kLongestRow &&
         tensor.elements() <= uint64_t{1} << 40;
}

// *gained false: to be kept as it is.
Status to_codes(const TensorView& tensor, const std::byte* compact, const TensorForm& form, const NewBlob& new_blob,
                BlobRef* out, Header* header) {
  const Tiles tiles(tensor, form.plane, bits_of(form.codec));
  if (tiles.total() >= tensor.size) return Status::ok();
  BlobRef blob;
  if (!new_blob(tiles.total(), &blob)) {
    return error(KVC_E_NO_MEMORY, "no room for a tensor of %zu bytes in its coded form: nothing more can be evicted",
                 tiles.total());
  }
  std::byte* const to = blob.data();
  std::memset(to, 0, tiles.at(0));
  const size_t row = tiles.dim() * element_bytes(tensor.dtype);
  AlignedFloats scratch(kTileTokens * scratch_stride(tiles.dim()), AlignedFloats::Fill::none);
  std::vector<std::byte> decoded(kTileTokens * row);
  std::vector<float> want(tiles.dim()), got(tiles.dim());
  double error = 0, energy = 0;
  for (uint64_t i = 0; i < tiles.count(); ++i) {
    const TileShape shape = tiles.shape(i);
    const std::byte* const from = compact + tiles.first_row(i) * row;
    float unit = 1;
    if (!encode_tile(tensor.dtype, from, form.plane, shape, 0, scratch.data(), &unit, to + tiles.at(i))) {
      return Status::ok();
    }
    std::memcpy(to + tiles.units_at() + i * sizeof unit, &unit, sizeof unit);
    const CodedTile tile = coded_tile(form.plane, shape, unit, to + tiles.at(i));
    decode_tile(tensor.dtype, form.plane, tile, 0, shape.tokens, scratch.data(), decoded.data(), row);
    for (uint32_t t = 0; t < shape.tokens; ++t) {
      to_f32(tensor.dtype, from + t * row, want.data(), want.size());
      to_f32(tensor.dtype, decoded.data() + t * row, got.data(), got.size());
      for (size_t d = 0; d < want.size(); ++d) {
        const double difference = static_cast<double>(got[d]) - static_cast<double>(want[d]);
        error += difference * difference;
        energy += static_cast<double>(want[d]) * static_cast<double>(want[d]);
      }
    }
  }
  // A number at the end of f16 may have been rounded beyond it.
  if (!std::isfinite(error) || !std::isfinite(energy)) return Status::ok();
  header->bytes = tiles.total();
  header->error = energy > 0 ? std::sqrt(error / energy) : 0;
  *out = std::move(blob);
  return Status::ok();
}

Status to_frames(const TensorView& tensor, const std::byte* compact, const NewBlob& new_blob, BlobRef* out,
                 Header* header) {
  const uint64_t raw = tensor.size;
  BlobRef room;
  if (raw <= sizeof(Header) || !new_blob(raw, &room)) return Status::ok();
  disk::Compressor compressor(kZstdLevel);
  std::vector<std::byte> frame;
  size_t at = sizeof(Header);
  for (uint64_t from = 0; from < raw; from += kFrameBytes) {
    const std::span<const std::byte> part(compact + from, std::min<uint64_t>(kFrameBytes, raw - from));
    frame.clear();
    const auto element = static_cast<uint32_t>(element_bytes(tensor.dtype));
    const disk::FrameKind kind = compressor.compress(part, {element, {part.size(), 0}}, &frame);
    const FrameHeader head = {static_cast<uint32_t>(frame.size()), kind};
    if (at + sizeof head + frame.size() >= raw) return Status::ok();
    std::memcpy(room.data() + at, &head, sizeof head);
    std::memcpy(room.data() + at + sizeof head, frame.data(), frame.size());
    at += sizeof head + frame.size();
  }
  // What was not needed of the room is given back.
  if (!new_blob(at, out)) return Status::ok();
  std::memcpy(out->data() + sizeof(Header), room.data() + sizeof(Header), at - sizeof(Header));
  header->bytes = at;
  return Status::ok();
}

Status damaged(const char* what) {
  return error(KVC_E_CORRUPT, "a stored tensor does not hold together: %s", what);
}

Status read_header(const TensorShape& stored, const std::byte* data, Header* header) {
  if (stored.stored_bytes < sizeof *header) return damaged("it is shorter than its header");
  std::memcpy(header, data, sizeof *header);
  const bool codes = header->codec == TensorCodec::int8 || header->codec == TensorCodec::int4;
  if (header->magic != Header::kMagic || (!codes && header->codec != TensorCodec::lossless)) {
    return damaged("its form is not known here");
  }
  if (header->bytes != stored.stored_bytes || header->raw_bytes != stored.size ||
      header->dtype != static_cast<uint8_t>(stored.dtype) || header->plane > KVC_VALUE ||
      !(header->error >= 0 && header->error <= 1e30)) {
    return damaged("its header is of another tensor");
  }
  if (!codes) return Status::ok();
  if (!takes_codes(stored)) return damaged("codes of a shape that has none");
  return Tiles(stored, header->plane, bits_of(header->codec)).total() == header->bytes
             ? Status::ok()
             : damaged("its codes are of another shape");
}

void from_codes(const TensorShape& stored, const Header& header, const std::byte* data, std::byte* out) {
  const Tiles tiles(stored, header.plane, bits_of(header.codec));
  const size_t row = tiles.dim() * element_bytes(stored.dtype);
  AlignedFloats scratch(kTileTokens * scratch_stride(tiles.dim()), AlignedFloats::Fill::none);
  for (uint64_t i = 0; i < tiles.count(); ++i) {
    float unit;
    std::memcpy(&unit, data + tiles.units_at() + i * sizeof unit, sizeof unit);
    const TileShape shape = tiles.shape(i);
    decode_tile(stored.dtype, header.plane, coded_tile(header.plane, shape, unit, data + tiles.at(i)), 0, shape.tokens,
                scratch.data(), out + tiles.first_row(i) * row, row);
  }
}

bool from_frames(const TensorShape& stored, const std::byte* data, std::byte* out) {
  disk::Compressor compressor(kZstdLevel);
  uint64_t at = sizeof(Header);
  for (uint64_t to = 0; to < stored.size; to += kFrameBytes) {
    FrameHeader head;
    if (stored.stored_bytes - at < sizeof head) return false;
    std::memcpy(&head, data + at, sizeof head);
    at += sizeof head;
    if (head.bytes > stored.stored_bytes - at) return false;
    const std::span<std::byte> part(out + to, std::min<uint64_t>(kFrameBytes, stored.size - to));
    if (!compressor.decompress(head.kind, {data + at, head.bytes}, part)) return false;
    at += head.bytes;
  }
  return at == stored.stored_bytes;
}

}  // namespace

bool find_tensor_codec(std::string_view name, TensorCodec* out) noexcept {
  for (const auto& each : kCodecs) {
    if (each.name != name) continue;
    *out = each.codec;
    return true;
  }
  return false;
}

TensorShape TensorShape::plain(const TensorView& view) noexcept {
  TensorShape shape;
  static_cast<TensorView&>(shape) = view;
  shape.data = nullptr;
  shape.size = view.elements() * element_bytes(view.dtype);
  shape.stored_bytes = shape.size;
  int64_t stride = 1;
  for (uint32_t d = view.n_dims; d-- > 0; stride *= view.shape[d]) shape.strides[d] = stride;
  return shape;
}

Status code_tensor(const TensorView& tensor, const std::byte* compact, const TensorForm& form, const NewBlob& new_blob,
                   BlobRef* out, uint64_t* stored_bytes) {
  Header header;
  header.codec = form.codec;
  header.plane = static_cast<uint8_t>(form.plane);
  header.dtype = static_cast<uint8_t>(tensor.dtype);
  header.raw_bytes = tensor.size;
  BlobRef coded;
  if (form.codec == TensorCodec::lossless) {
    KVC_RETURN_IF_ERROR(to_frames(tensor, compact, new_blob, &coded, &header));
  } else if (form.codec != TensorCodec::identity && takes_codes(tensor)) {
    KVC_RETURN_IF_ERROR(to_codes(tensor, compact, form, new_blob, &coded, &header));
  }
  if (!coded) return Status::ok();
  std::memcpy(coded.data(), &header, sizeof header);
  *stored_bytes = header.bytes;
  *out = std::move(coded);
  return Status::ok();
}

Status copy_stored(const TensorShape& stored, const std::byte* data, const TensorView& to) {
  if (!stored.coded) {
    copy_from_compact(data, to);
    return Status::ok();
  }
  Header header;
  KVC_RETURN_IF_ERROR(read_header(stored, data, &header));
  std::vector<std::byte> aside;
  std::byte* out = to.data;
  if (!is_compact(to)) {
    aside.resize(stored.size);
    out = aside.data();
  }
  if (header.codec == TensorCodec::lossless) {
    if (!from_frames(stored, data, out)) return damaged("its frames are not what was stored");
  } else {
    from_codes(stored, header, data, out);
  }
  if (out != to.data) copy_from_compact(out, to);
  return Status::ok();
}

Status stored_form(const TensorShape& stored, const std::byte* data, StoredForm* out) {
  *out = {};
  out->bytes = stored.stored_bytes;
  if (!stored.coded) return Status::ok();
  Header header;
  KVC_RETURN_IF_ERROR(read_header(stored, data, &header));
  for (const auto& each : kCodecs) {
    if (each.codec == header.codec) out->codec = each.name;
  }
  out->plane = header.plane;
  out->error = header.error;
  return Status::ok();
}

}  // namespace kvc

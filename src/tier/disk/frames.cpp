#include "tier/disk/frames.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace kvc::disk {
namespace {

constexpr double kPays = 0.97;  // a stream that is not smaller than this share of its bytes stays as it is

// The beginning of a frame of planes; then a uint32 per part and plane, its stored bytes; then the streams in that
// order. A stream as large as its plane is the plane.
struct PlanesHeader {
  uint32_t element_bytes;
  uint32_t part_bytes[2];
};

void split(std::span<const std::byte> bytes, uint32_t element, std::byte* out) noexcept {
  const size_t n = bytes.size() / element;
  if (element == 2) {  // the loop that the compiler turns into shuffles
    for (size_t i = 0; i < n; ++i) {
      out[i] = bytes[2 * i];
      out[n + i] = bytes[2 * i + 1];
    }
    return;
  }
  for (uint32_t plane = 0; plane < element; ++plane) {
    for (size_t i = 0; i < n; ++i) out[plane * n + i] = bytes[i * element + plane];
  }
}

void join(const std::byte* const* planes, size_t n, uint32_t element, std::byte* out) noexcept {
  if (element == 2) {
    const std::byte *low = planes[0], *high = planes[1];
    for (size_t i = 0; i < n; ++i) {
      out[2 * i] = low[i];
      out[2 * i + 1] = high[i];
    }
    return;
  }
  for (uint32_t plane = 0; plane < element; ++plane) {
    for (size_t i = 0; i < n; ++i) out[i * element + plane] = planes[plane][i];
  }
}

}  // namespace

class Compressor::Lease {
 public:
  explicit Lease(Compressor* owner) : owner_(owner) {
    {
      const std::lock_guard lock(owner->mutex_);
      if (!owner->idle_.empty()) {
        context_ = std::move(owner->idle_.back());
        owner->idle_.pop_back();
      }
    }
    if (!context_) context_ = std::make_unique<Context>();
  }
  ~Lease() {
    const std::lock_guard lock(owner_->mutex_);
    if (owner_->idle_.size() < owner_->idle_.capacity() || owner_->idle_.empty()) {
      try {
        owner_->idle_.push_back(std::move(context_));
      } catch (const std::bad_alloc&) {  // then it is made anew
      }
    }
  }
  Context* operator->() const noexcept { return context_.get(); }
  Context* get() const noexcept { return context_.get(); }

 private:
  Compressor* owner_;
  std::unique_ptr<Context> context_;
};

bool Compressor::stream(Context* context, std::span<const std::byte> bytes, std::vector<std::byte>* out) {
  if (context->in == nullptr) {
    context->in = ZSTD_createCCtx();
    if (context->in == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context->in, ZSTD_c_compressionLevel, level_);
    ZSTD_CCtx_setParameter(context->in, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(context->in, ZSTD_c_checksumFlag, 0);
    // Among exponents short matches are chance, and cost more than the bytes' own codes do.
    ZSTD_CCtx_setParameter(context->in, ZSTD_c_minMatch, 7);
  }
  const size_t before = out->size();
  const size_t room = static_cast<size_t>(static_cast<double>(bytes.size()) * kPays);
  out->resize(before + room);
  const size_t n = ZSTD_compress2(context->in, out->data() + before, room, bytes.data(), bytes.size());
  const bool gained = !ZSTD_isError(n) && n < bytes.size();  // an error: it does not fit
  out->resize(before + (gained ? n : 0));
  return gained;
}

FrameKind Compressor::compress(std::span<const std::byte> group, const GroupShape& shape, std::vector<std::byte>* out) {
  Lease context(this);
  const size_t before = out->size();
  const uint32_t element = shape.element_bytes;
  const uint64_t parts[2] = {shape.part_bytes[0], shape.part_bytes[1]};
  const bool planes =
      element > 1 && parts[0] + parts[1] == group.size() && parts[0] % element == 0 && parts[1] % element == 0;
  if (!planes) {
    if (stream(context.get(), group, out)) return FrameKind::zstd;
  } else {
    const PlanesHeader header{element, {static_cast<uint32_t>(parts[0]), static_cast<uint32_t>(parts[1])}};
    std::vector<uint32_t> sizes;
    out->resize(before + sizeof header + 2 * element * sizeof(uint32_t));
    uint64_t offset = 0;
    for (const uint64_t part : parts) {
      context->planes.resize(part);
      split(group.subspan(offset, part), element, context->planes.data());
      offset += part;
      const size_t n = part / element;
      for (uint32_t plane = 0; plane < element; ++plane) {
        const std::span<const std::byte> bytes(context->planes.data() + plane * n, n);
        const size_t at = out->size();
        if (n == 0 || !stream(context.get(), bytes, out)) out->insert(out->end(), bytes.begin(), bytes.end());
        sizes.push_back(static_cast<uint32_t>(out->size() - at));
      }
    }
    std::memcpy(out->data() + before, &header, sizeof header);
    std::memcpy(out->data() + before + sizeof header, sizes.data(), sizes.size() * sizeof(uint32_t));
    if (out->size() - before < static_cast<size_t>(static_cast<double>(group.size()) * kPays)) return FrameKind::planes;
  }
  out->resize(before);
  out->insert(out->end(), group.begin(), group.end());
  return FrameKind::raw;
}

bool Compressor::decompress(FrameKind kind, std::span<const std::byte> frame, std::span<std::byte> out) {
  if (kind == FrameKind::raw) {
    if (frame.size() != out.size()) return false;
    std::copy(frame.begin(), frame.end(), out.begin());
    return true;
  }
  Lease context(this);
  if (context->out == nullptr) context->out = ZSTD_createDCtx();
  if (context->out == nullptr) throw std::bad_alloc();
  // The room bounds what a frame can make of itself, whatever it claims.
  const auto inflate = [&](std::span<const std::byte> from, std::byte* to, size_t n) {
    return ZSTD_decompressDCtx(context->out, to, n, from.data(), from.size()) == n;
  };
  if (kind == FrameKind::zstd) return inflate(frame, out.data(), out.size());
  if (kind != FrameKind::planes) return false;

  PlanesHeader header;
  if (frame.size() < sizeof header) return false;
  std::memcpy(&header, frame.data(), sizeof header);
  const uint32_t element = header.element_bytes;
  if (element < 2 || element > 8) return false;
  const uint64_t table = 2 * element * sizeof(uint32_t);
  if (frame.size() < sizeof header + table) return false;
  if (uint64_t{header.part_bytes[0]} + header.part_bytes[1] != out.size()) return false;
  const std::byte* sizes = frame.data() + sizeof header;
  uint64_t at = sizeof header + table, written = 0;
  for (const uint64_t part : header.part_bytes) {
    if (part % element != 0) return false;
    const size_t n = part / element;
    context->planes.resize(std::max<size_t>(context->planes.size(), part));
    const std::byte* planes[8] = {};
    for (uint32_t plane = 0; plane < element; ++plane) {
      uint32_t stored;
      std::memcpy(&stored, sizes, sizeof stored);
      sizes += sizeof stored;
      if (stored > frame.size() - at) return false;
      planes[plane] = frame.data() + at;
      if (stored != n) {
        std::byte* to = context->planes.data() + plane * n;
        if (!inflate(frame.subspan(at, stored), to, n)) return false;
        planes[plane] = to;
      }
      at += stored;
    }
    join(planes, n, element, out.data() + written);
    written += part;
  }
  return at == frame.size();
}

}  // namespace kvc::disk

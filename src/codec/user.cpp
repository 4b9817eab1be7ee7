#include "codec/user.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "attend/convert.h"
#include "attend/copy.h"

namespace kvc {
namespace {

constexpr size_t kGuardBytes = 64;
constexpr size_t kLongestName = 15;
constexpr size_t kWords = 256;

struct Header {
  static constexpr uint32_t kMagic = 0x3155564b;  // "KVU1"
  uint32_t magic = kMagic;
  uint32_t tokens = 0;
  uint32_t exact = 0;
  uint32_t zero = 0;
  uint64_t bytes = 0;  // that the caller's encode wrote
  Digest format;
  uint8_t zeros[8] = {};
};
static_assert(sizeof(Header) == 64);

// Room that somebody else's code writes into, with bytes on both sides that it must leave alone.
class Guarded {
 public:
  explicit Guarded(size_t bytes)
      : bytes_(bytes), memory_(static_cast<std::byte*>(::operator new(all(), std::align_val_t{64}))) {
    std::memset(memory_, 0, all());
    std::memset(memory_, kPattern, kGuardBytes);
    std::memset(memory_ + kGuardBytes + bytes_, kPattern, kGuardBytes);
  }
  ~Guarded() { ::operator delete(memory_, std::align_val_t{64}); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  std::byte* data() noexcept { return memory_ + kGuardBytes; }
  bool intact() const noexcept {
    const auto left_alone = [](const std::byte* from) {
      return std::all_of(from, from + kGuardBytes, [](std::byte b) { return b == std::byte{kPattern}; });
    };
    return left_alone(memory_) && left_alone(memory_ + kGuardBytes + bytes_);
  }

 private:
  static constexpr uint8_t kPattern = 0xa9;
  size_t all() const noexcept { return bytes_ + 2 * kGuardBytes; }

  const size_t bytes_;
  std::byte* const memory_;
};

kvc_codec_page_t describe(const PageGeometry& g, uint64_t position) noexcept {
  kvc_codec_page_t page{};
  page.struct_size = sizeof page;
  page.n_layers = g.n_layers;
  page.n_kv_heads = g.n_kv_heads;
  page.k_head_dim = g.k_dim;
  page.v_head_dim = g.v_dim;
  page.page_tokens = g.page_tokens;
  page.dtype = static_cast<int32_t>(g.dtype);
  page.position = position;
  return page;
}

// Where the caller's bytes begin.
size_t begin_of(const PageGeometry& g, uint32_t exact) noexcept {
  return tile_align(sizeof(Header) + g.with_tokens(exact).page_bytes());
}

uint32_t exact_tokens(const PageGeometry& g, const EncodeOptions& options) noexcept {
  return std::min(options.exact_tokens, g.page_tokens);
}

Digest format_digest(const kvc_codec_t& table) noexcept {
  std::byte bytes[sizeof table.version + kLongestName] = {};
  const std::string_view name(table.name);
  const size_t n = std::min(name.size(), kLongestName);
  std::memcpy(bytes, &table.version, sizeof table.version);
  std::memcpy(bytes + sizeof table.version, name.data(), n);
  return digest_of(std::span<const std::byte>(bytes).first(sizeof table.version + n));
}

}  // namespace

// What an encoded page says, checked.
struct UserCodec::Encoded {
  uint32_t exact = 0;
  const std::byte* exact_rows = nullptr;
  std::span<const std::byte> payload;
};

Status check_user_codec(const kvc_codec_t& table) {
  const auto required = [](bool present, const char* what) {
    return present ? Status::ok() : error(KVC_E_NULL, "codec.%s is NULL, but required", what);
  };
  KVC_RETURN_IF_ERROR(required(table.name != nullptr, "name"));
  KVC_RETURN_IF_ERROR(required(table.encoded_size != nullptr, "encoded_size"));
  KVC_RETURN_IF_ERROR(required(table.encode != nullptr, "encode"));
  KVC_RETURN_IF_ERROR(required(table.decode != nullptr, "decode"));
  if (table.reserved != 0) return error(KVC_E_INVALID, "codec.reserved is %u; it must be 0", table.reserved);
  const std::string_view name(table.name, strnlen(table.name, kLongestName + 1));
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  if (name.empty() || name.size() > kLongestName || !std::all_of(name.begin(), name.end(), allowed)) {
    return error(KVC_E_INVALID, "codec.name '%.*s' is not allowed: give 1 to %zu of a-z, 0-9, _ and -",
                 static_cast<int>(std::min(name.size(), kLongestName)), name.data(), kLongestName);
  }
  if (find_codec(name) != nullptr) {
    return error(KVC_E_INVALID, "codec.name '%s' is the name of a codec of kvc: give another one", table.name);
  }
  return Status::ok();
}

UserCodec::UserCodec(const kvc_codec_t& table) noexcept : table_(table), format_(format_digest(table)) {}

Digest UserCodec::format_of(std::span<const std::byte> encoded) const noexcept {
  Digest digest;
  if (encoded.size() >= sizeof(Header)) {
    std::memcpy(&digest, encoded.data() + offsetof(Header, format), sizeof digest);
  }
  return digest;
}

size_t UserCodec::encoded_bytes(const PageGeometry& g, const EncodeOptions& options) const noexcept {
  const kvc_codec_page_t page = describe(g, 0);
  const uint64_t bytes = table_.encoded_size(table_.user_data, &page);
  // What is no smaller stays in the clear; whoever asks sees that it is no smaller.
  if (bytes == 0 || bytes >= g.page_bytes()) return g.page_bytes();
  return begin_of(g, exact_tokens(g, options)) + bytes;
}

Status UserCodec::failed(const char* what, kvc_status_t status, const char* words) const {
  failures_.fetch_add(1, std::memory_order_relaxed);
  const bool known = status < 0 && std::strcmp(kvc_status_name(status), "KVC_E_UNKNOWN") != 0;
  return error(known ? status : KVC_E_USER, "codec %s failed to %s a page with status %d: %.200s", table_.name, what,
               status, words[0] != '\0' ? words : "it does not say why");
}

Status UserCodec::overrun(const char* what, size_t bytes) const {
  failures_.fetch_add(1, std::memory_order_relaxed);
  return error(KVC_E_CORRUPT,
               "codec %s wrote beyond the %zu bytes that it was given to %s a page: nothing of it is used; mend the codec "
               "before it is used again",
               table_.name, bytes, what);
}

Status UserCodec::encode(const PageGeometry& g, const EncodeOptions& options, std::span<const std::byte> page,
                         std::span<std::byte> out) const {
  KVC_RETURN_IF_ERROR(check_sizes(name(), g, page, out, encoded_bytes(g, options)));
  Header header;
  header.tokens = g.page_tokens;
  header.exact = exact_tokens(g, options);
  header.format = format_;
  const size_t begin = begin_of(g, header.exact);
  if (out.size() <= begin || out.size() == g.page_bytes()) {
    return error(KVC_E_UNSUPPORTED, "%s: pages of this geometry do not get smaller", table_.name);
  }
  header.bytes = out.size() - begin;
  Guarded room(header.bytes);
  const kvc_codec_page_t described = describe(g, options.position);
  char words[kWords] = {};
  const kvc_status_t status = table_.encode(table_.user_data, &described, page.data(), room.data(), header.bytes, words,
                                            sizeof words - 1);
  if (!room.intact()) return overrun("encode", header.bytes);
  // That is an answer, not a failure.
  if (status == KVC_E_UNSUPPORTED) return error(KVC_E_UNSUPPORTED, "%s: %.200s", table_.name, words);
  if (status != KVC_OK) return failed("encode", status, words);
  std::memset(out.data(), 0, begin);
  std::memcpy(out.data(), &header, sizeof header);
  std::byte* to = out.data() + sizeof header;
  for (uint32_t layer = 0; layer < g.n_layers && header.exact > 0; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const size_t bytes = header.exact * g.row_bytes(plane);
      for (uint32_t head = 0; head < g.n_kv_heads; ++head, to += bytes) {
        std::memcpy(to, page.data() + g.head_offset(layer, plane, head), bytes);
      }
    }
  }
  std::memcpy(out.data() + begin, room.data(), header.bytes);
  return Status::ok();
}

Status UserCodec::open(const PageGeometry& g, std::span<const std::byte> encoded, Encoded* out) const {
  Header header;
  if (encoded.size() < sizeof header) {
    return error(KVC_E_CORRUPT, "%s: an encoded page of %zu bytes, shorter than its header", table_.name,
                 encoded.size());
  }
  std::memcpy(&header, encoded.data(), sizeof header);
  if (header.magic != Header::kMagic || header.format != format_) {
    return error(KVC_E_CORRUPT, "%s: this is no page of the codec and its version %u", table_.name, table_.version);
  }
  if (header.tokens != g.page_tokens || header.exact > g.page_tokens) {
    return error(KVC_E_CORRUPT, "%s: a page of %u tokens, %u of them exact, but this geometry has %u", table_.name,
                 header.tokens, header.exact, g.page_tokens);
  }
  const size_t begin = begin_of(g, header.exact);
  if (encoded.size() <= begin || header.bytes != encoded.size() - begin) {
    return error(KVC_E_CORRUPT, "%s: an encoded page of %zu bytes, but its header says %llu after %zu", table_.name,
                 encoded.size(), static_cast<unsigned long long>(header.bytes), begin);
  }
  *out = {header.exact, encoded.data() + sizeof header, encoded.subspan(begin)};
  return Status::ok();
}

Status UserCodec::rows(const PageGeometry& g, const Encoded& encoded, uint32_t layer, int plane, uint32_t head,
                       uint32_t from, uint32_t n, std::byte* out) const {
  const size_t row = g.row_bytes(plane);
  if (from < encoded.exact) {
    const uint32_t exact = std::min(n, encoded.exact - from);
    const size_t at = g.with_tokens(encoded.exact).head_offset(layer, plane, head) + from * row;
    std::memcpy(out, encoded.exact_rows + at, exact * row);
    from += exact, n -= exact, out += exact * row;
  }
  if (n == 0) return Status::ok();
  Guarded room(n * row);
  const kvc_codec_page_t described = describe(g, 0);
  char words[kWords] = {};
  const kvc_status_t status =
      table_.decode(table_.user_data, &described, encoded.payload.data(), encoded.payload.size(), layer, plane, head,
                    from, n, room.data(), words, sizeof words - 1);
  if (!room.intact()) return overrun("decode", n * row);
  if (status != KVC_OK) return failed("decode", status, words);
  std::memcpy(out, room.data(), n * row);
  return Status::ok();
}

Status UserCodec::decode(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, int plane,
                         uint32_t from, uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const {
  Encoded page;
  KVC_RETURN_IF_ERROR(open(g, encoded, &page));
  KVC_RETURN_IF_ERROR(check_range(name(), g, layer, plane, from, n));
  const size_t row = g.row_bytes(plane);
  std::vector<std::byte> compact(std::min(n, kTileTokens) * row);
  for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
    // In tiles: no copy of a page is made on the way.
    for (uint32_t t = 0; t < n; t += kTileTokens) {
      const uint32_t run = std::min(kTileTokens, n - t);
      KVC_RETURN_IF_ERROR(rows(g, page, layer, plane, head, from + t, run, compact.data()));
      copy_rows(out + head * head_stride + t * token_stride, token_stride, compact.data(), row, row, run);
    }
  }
  return Status::ok();
}

Status UserCodec::tile(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, uint32_t head,
                       uint32_t index, AttendTile* tile) const {
  Encoded page;
  KVC_RETURN_IF_ERROR(open(g, encoded, &page));
  const uint32_t from = index * kTileTokens;
  KVC_RETURN_IF_ERROR(check_range(name(), g, layer, KVC_KEY, from, 1));
  const uint32_t n = std::min(kTileTokens, g.page_tokens - from);
  tile->rows.resize(size_t{n} * (g.k_dim + g.v_dim));
  std::vector<std::byte> compact(n * std::max(g.row_bytes(KVC_KEY), g.row_bytes(KVC_VALUE)));
  float* to = tile->rows.data();
  for (const int plane : {KVC_KEY, KVC_VALUE}) {
    const uint32_t dim = g.dim(plane);
    KVC_RETURN_IF_ERROR(rows(g, page, layer, plane, head, from, n, compact.data()));
    to_f32(g.dtype, compact.data(), to, size_t{n} * dim);
    ClearRows& clear = plane == KVC_KEY ? tile->k : tile->v;
    clear = {DType::f32, reinterpret_cast<const std::byte*>(to), dim * sizeof(float)};
    to += size_t{n} * dim;
  }
  tile->tokens = tile->exact = n;
  return Status::ok();
}

}  // namespace kvc

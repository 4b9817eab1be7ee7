#include "codec/klt_bytes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace kvc {
namespace {

static_assert(std::endian::native == std::endian::little, "calibrations are stored little endian");

constexpr uint32_t kMagic = 0x3143434b;  // "KCC1"
// Of each count; far beyond any model, and small enough that no product of them overflows.
constexpr uint32_t kMost = 1u << 16;

struct Header {
  uint32_t magic;
  uint32_t n_layers, n_kv_heads, k_dim, v_dim, block_heads;
  uint32_t interleaved, frequencies;
};
static_assert(sizeof(Header) == 32);

// How many numbers each array has.
struct Sizes {
  explicit Sizes(const Header& h)
      : channels(uint64_t{h.block_heads} * h.k_dim),
        vectors(uint64_t{h.n_layers} * (h.n_kv_heads / h.block_heads) * channels),
        values(uint64_t{h.n_layers} * h.n_kv_heads) {}
  const uint64_t channels, vectors, values;
};

template <typename T>
void put(std::vector<std::byte>* out, const std::vector<T>& numbers) {
  const auto* from = reinterpret_cast<const std::byte*>(numbers.data());
  out->insert(out->end(), from, from + numbers.size() * sizeof(T));
}

// False: there are not so many bytes left.
template <typename T>
bool take(std::span<const std::byte>* bytes, uint64_t n, std::vector<T>* numbers) {
  if (n > bytes->size() / sizeof(T)) return false;
  numbers->resize(n);
  if (n > 0) std::memcpy(numbers->data(), bytes->data(), n * sizeof(T));
  *bytes = bytes->subspan(n * sizeof(T));
  return true;
}

template <typename T>
bool all_finite(const std::vector<T>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](T x) { return std::isfinite(x); });
}

Status refuse(const char* why) {
  return error(KVC_E_CORRUPT, "stored bytes are no calibration of this page codec: %s; it is learned anew", why);
}

}  // namespace

std::vector<std::byte> save_calibration(const KltCalibration& c) {
  const Header header = {kMagic, c.n_layers, c.n_kv_heads, c.k_dim, c.v_dim, c.block_heads, c.rope.interleaved,
                         static_cast<uint32_t>(c.rope.frequency.size())};
  std::vector<std::byte> out(sizeof header);
  std::memcpy(out.data(), &header, sizeof header);
  out.reserve(c.bytes() + sizeof header);
  put(&out, c.rope.frequency);
  for (const auto* numbers : {&c.mean, &c.analysis, &c.synthesis, &c.deviation}) put(&out, *numbers);
  put(&out, c.key_bits);
  put(&out, c.value_bits);
  return out;
}

Status load_calibration(std::span<const std::byte> bytes, const Digest& digest,
                        std::shared_ptr<const KltCalibration>* out) {
  Header h;
  if (bytes.size() < sizeof h) return refuse("they are shorter than its header");
  std::memcpy(&h, bytes.data(), sizeof h);
  bytes = bytes.subspan(sizeof h);
  if (h.magic != kMagic) return refuse("they begin otherwise");
  for (const uint32_t count : {h.n_layers, h.n_kv_heads, h.k_dim, h.v_dim, h.block_heads}) {
    if (count == 0 || count > kMost) return refuse("a count is out of range");
  }
  if (h.n_kv_heads % h.block_heads != 0 || h.interleaved > 1 || h.frequencies > h.k_dim / 2) {
    return refuse("its counts do not fit each other");
  }
  const Sizes sizes(h);
  // One division instead of products that overflow: every array is at least as long as `vectors`.
  if (sizes.vectors > bytes.size() || sizes.channels > bytes.size()) return refuse("they are too short");
  auto made = std::make_shared<KltCalibration>();
  made->n_layers = h.n_layers;
  made->n_kv_heads = h.n_kv_heads;
  made->k_dim = h.k_dim;
  made->v_dim = h.v_dim;
  made->block_heads = h.block_heads;
  made->rope.interleaved = h.interleaved != 0;
  const uint64_t matrix = sizes.vectors * sizes.channels;
  if (!take(&bytes, h.frequencies, &made->rope.frequency) || !take(&bytes, sizes.vectors, &made->mean) ||
      !take(&bytes, matrix, &made->analysis) || !take(&bytes, matrix, &made->synthesis) ||
      !take(&bytes, sizes.vectors, &made->deviation) || !take(&bytes, sizes.vectors, &made->key_bits) ||
      !take(&bytes, sizes.values, &made->value_bits) || !bytes.empty()) {
    return refuse("their length is not that of their counts");
  }
  const auto is_width = [](uint32_t least) {
    return [least](uint8_t bits) { return bits >= least && bits <= KltCalibration::kMaxBits; };
  };
  if (!all_finite(made->rope.frequency) || !all_finite(made->mean) || !all_finite(made->analysis) ||
      !all_finite(made->synthesis) || !all_finite(made->deviation) ||
      !std::all_of(made->deviation.begin(), made->deviation.end(), [](float x) { return x > 0; }) ||
      !std::all_of(made->key_bits.begin(), made->key_bits.end(), is_width(0)) ||
      !std::all_of(made->value_bits.begin(), made->value_bits.end(), is_width(1))) {
    return refuse("a number is out of range");
  }
  made->seal();
  if (made->digest != digest) return refuse("its digest is another");
  *out = std::move(made);
  return Status::ok();
}

}  // namespace kvc

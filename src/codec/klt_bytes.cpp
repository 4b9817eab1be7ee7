#include "codec/klt_bytes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace kvc {
namespace {

static_assert(std::endian::native == std::endian::little, "calibrations are stored little endian");

constexpr uint32_t kMagic1 = 0x3143434b;  // "KCC1": without an order of bits
constexpr uint32_t kMagic = 0x3243434b;   // "KCC2"
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

// The order in which channels get bits, and what pages at rest have.
bool take_levels(std::span<const std::byte>* bytes, const Sizes& sizes, KltCalibration* made) {
  std::vector<std::byte> has_rest;
  std::vector<uint64_t> queries;
  const uint64_t steps = sizes.channels * KltCalibration::kMaxBits;
  if (sizes.channels >= KltLevels::kRawKeys / KltCalibration::kMaxBits ||
      !take(bytes, sizes.vectors * KltCalibration::kMaxBits, &made->order) || !take(bytes, 2, &queries) ||
      !take(bytes, queries[1], &made->queries) || !take(bytes, queries[0] == 0 ? 0 : sizes.values, &made->cancelling) ||
      !take(bytes, 1, &has_rest)) {
    return false;
  }
  // Whole groups of finite numbers for every head, or none at all.
  const uint64_t group = queries[0], each = sizes.values * group * made->k_dim;
  if (group > kMost || (group == 0) != made->queries.empty() || (group != 0 && queries[1] % each != 0)) return false;
  if (!all_finite(made->cancelling) ||
      std::any_of(made->queries.begin(), made->queries.end(), [](uint16_t x) { return (x & 0x7c00) == 0x7c00; })) {
    return false;
  }
  made->query_group = static_cast<uint32_t>(group);
  // Each channel as often as it can have bits: no prefix gives one more.
  for (size_t block = 0; block < made->order.size(); block += steps) {
    std::vector<uint8_t> seen(sizes.channels);
    for (size_t i = block; i < block + steps; ++i) {
      if (made->order[i] >= sizes.channels || ++seen[made->order[i]] > KltCalibration::kMaxBits) return false;
    }
  }
  if (has_rest[0] == std::byte{0}) return true;
  return take(bytes, sizes.vectors / sizes.channels, &made->rest.key_steps) &&
         take(bytes, sizes.values, &made->rest.value_bits) && made->fits(made->rest);
}

Status refuse(const char* why) {
  return error(KVC_E_CORRUPT, "stored bytes are no calibration of this page codec: %s; it is learned anew", why);
}

}  // namespace

std::vector<std::byte> save_calibration(const KltCalibration& c) {
  const Header header = {c.order.empty() ? kMagic1 : kMagic, c.n_layers, c.n_kv_heads, c.k_dim, c.v_dim, c.block_heads, c.rope.interleaved,
                         static_cast<uint32_t>(c.rope.frequency.size())};
  std::vector<std::byte> out(sizeof header);
  std::memcpy(out.data(), &header, sizeof header);
  out.reserve(c.bytes() + sizeof header);
  put(&out, c.rope.frequency);
  for (const auto* numbers : {&c.mean, &c.analysis, &c.synthesis, &c.deviation}) put(&out, *numbers);
  put(&out, c.key_bits);
  put(&out, c.value_bits);
  if (c.order.empty()) return out;
  put(&out, c.order);
  put(&out, std::vector<uint64_t>{c.query_group, c.queries.size()});
  put(&out, c.queries);
  put(&out, c.cancelling);
  out.push_back(static_cast<std::byte>(!c.rest.empty()));
  put(&out, c.rest.key_steps);
  put(&out, c.rest.value_bits);
  return out;
}

Status load_calibration(std::span<const std::byte> bytes, const Digest& digest,
                        std::shared_ptr<const KltCalibration>* out) {
  Header h;
  if (bytes.size() < sizeof h) return refuse("they are shorter than its header");
  std::memcpy(&h, bytes.data(), sizeof h);
  bytes = bytes.subspan(sizeof h);
  if (h.magic != kMagic && h.magic != kMagic1) return refuse("they begin otherwise");
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
      !take(&bytes, sizes.values, &made->value_bits)) {
    return refuse("their length is not that of their counts");
  }
  if (h.magic == kMagic && !take_levels(&bytes, sizes, made.get())) return refuse("its order of bits is none");
  if (!bytes.empty()) return refuse("their length is not that of their counts");
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

// Decoding of pages that are the fuzzer's: every codec, every range, tiles, and attention over them.
//
// The input: codec, geometry, bytes to cut off; then triples that are written over a page encoded right: where, and
// what.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "attend/attention.h"
#include "attend/convert.h"
#include "codec/codec.h"
#include "codec/klt_calibration.h"
#include "../unit/codec_variants.h"

namespace {

using namespace kvc;  // NOLINT: a program of one file

constexpr struct {
  uint32_t layers, heads, k_dim, v_dim, tokens;
  DType dtype;
} kGeometries[] = {{1, 1, 16, 16, 16, DType::f16}, {2, 2, 24, 8, 20, DType::f16}, {1, 2, 5, 7, 65, DType::f32},
                   {2, 1, 64, 64, 64, DType::bf16}, {1, 1, 1, 1, 1, DType::f16}};

// Of a basis that does nothing, and bits that differ by channel.
std::shared_ptr<const KltCalibration> calibration_for(const PageGeometry& g) {
  auto made = std::make_shared<KltCalibration>();
  made->n_layers = g.n_layers, made->n_kv_heads = g.n_kv_heads, made->k_dim = g.k_dim, made->v_dim = g.v_dim;
  const size_t heads = size_t{g.n_layers} * g.n_kv_heads;
  made->mean.assign(heads * g.k_dim, 0.25f);
  made->deviation.assign(heads * g.k_dim, 1);
  made->analysis.assign(heads * g.k_dim * g.k_dim, 0);
  made->key_bits.resize(heads * g.k_dim);
  made->value_bits.assign(heads, 5);
  for (size_t h = 0; h < heads; ++h) {
    for (size_t i = 0; i < g.k_dim; ++i) {
      made->analysis[(h * g.k_dim + i) * g.k_dim + i] = 1;
      made->key_bits[h * g.k_dim + i] = static_cast<uint8_t>((h + i) % (KltCalibration::kMaxBits + 1));
    }
  }
  made->synthesis = made->analysis;
  made->rope = make_key_rope(10000, 1, g.k_dim / 2 * 2, true);
  made->seal();
  register_calibration(made);
  return made;
}

struct Original {
  PageGeometry geometry;
  std::shared_ptr<const KltCalibration> calibration;
  std::vector<std::byte> encoded;
};

// A page for each codec and geometry; of codecs that learn, one with a calibration and one without.
const std::vector<Original>& originals(size_t codec) {
  static const auto* const all = [] {
    auto* made = new std::vector<std::vector<Original>>;
    for (const CodecVariant& variant : codec_variants()) {
      const Codec* const c = variant.codec;
      std::vector<Original>& of_codec = made->emplace_back();
      for (const auto& shape : kGeometries) {
        PageGeometry g;
        g.n_layers = shape.layers, g.n_kv_heads = shape.heads, g.k_dim = shape.k_dim, g.v_dim = shape.v_dim;
        g.page_tokens = shape.tokens, g.dtype = shape.dtype;
        const auto calibration = calibration_for(g);
        std::vector<float> numbers(g.page_bytes() / element_bytes(g.dtype));
        for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i * 37 % 101) / 25 - 2;
        std::vector<std::byte> page(g.page_bytes());
        from_f32(g.dtype, numbers.data(), page.data(), numbers.size());
        for (const KltCalibration* used : {static_cast<const KltCalibration*>(nullptr), calibration.get()}) {
          EncodeOptions options = variant.options;
          options.calibration = used;
          Original original{g, calibration, std::vector<std::byte>(c->encoded_bytes(g, options))};
          const Status status = c->encode(g, options, page, original.encoded);
          // A caller's codec leaves pages in the clear that it makes no smaller.
          if (status.code() == KVC_E_UNSUPPORTED && c->id() == kUserCodecId) continue;
          if (!status.is_ok()) __builtin_trap();
          of_codec.push_back(std::move(original));
        }
      }
    }
    return made;
  }();
  return (*all)[codec];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  static const auto* const variants = new std::vector<CodecVariant>(codec_variants());
  const size_t which = data[0] % variants->size();
  const Codec& codec = *(*variants)[which].codec;
  const Original& original = originals(which)[data[1] % originals(which).size()];
  const PageGeometry& g = original.geometry;
  // A copy of exactly these bytes, aligned as pages are: the sanitizer sees a step beyond either end.
  const size_t whole = original.encoded.size(), cut = data[2] < 128 ? 0 : data[2] - 128;
  const size_t bytes = whole - std::min(whole, cut);
  const std::unique_ptr<std::byte[], void (*)(std::byte*)> page(
      static_cast<std::byte*>(::operator new[](bytes + (bytes == 0), std::align_val_t{64})),
      [](std::byte* p) { ::operator delete[](p, std::align_val_t{64}); });
  std::copy_n(original.encoded.data(), bytes, page.get());
  for (size_t i = 3; i + 3 <= size && bytes > 0; i += 3) {
    page[(data[i] | size_t{data[i + 1]} << 8) % bytes] = static_cast<std::byte>(data[i + 2]);
  }
  const std::span<const std::byte> encoded(page.get(), bytes);
  const uint32_t from = data[2] % g.page_tokens, n = g.page_tokens - from;
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      std::vector<std::byte> out(g.n_kv_heads * n * g.row_bytes(plane));
      (void)codec.decode(g, encoded, layer, plane, from, n, out.data(), n * g.row_bytes(plane), g.row_bytes(plane));
    }
  }
  AttendOptions options;
  options.k_dim = g.k_dim, options.v_dim = g.v_dim, options.position = g.page_tokens;
  AttendState state(options, 1);
  const std::vector<float> query(g.k_dim, 0.5f);
  std::vector<float> result(g.v_dim);
  state.set_query(0, query.data(), 1, 0);
  for (uint32_t index = 0; index * kTileTokens < g.page_tokens; ++index) {
    AttendTile tile;
    const Status status = codec.tile(g, encoded, g.n_layers - 1, g.n_kv_heads - 1, index, &tile);
    if (status.is_ok() && tile.tokens > 0) state.attend(tile);
  }
  state.finish(0, result.data());
  return 0;
}

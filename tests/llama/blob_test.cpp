// The parser of llama.cpp's state blobs: takes what llama.cpp gives, builds the same bytes again, and refuses, without
// reading beyond them or allocating what they claim, everything else. llama.cpp itself ends the process on some of these.
#include "state_blob.h"

#include <cstring>

#include "llama_support.h"

namespace kvc::llama_test {
namespace {

using kvc_llama::BlobRows;
using kvc_llama::BlobShape;

struct Parsed {
  bool ok = false;
  BlobShape shape;
  BlobRows rows;
  std::vector<int32_t> positions;
  std::string why;
};

Parsed parse(Blob* blob) {
  Parsed p;
  p.ok = kvc_llama::parse_blob(std::as_writable_bytes(std::span(*blob)), &p.shape, &p.rows, &p.positions, &p.why);
  return p;
}

// Everything that a parsed blob points to lies in it.
void expect_inside(const Blob& blob, const Parsed& p) {
  const auto* begin = reinterpret_cast<const std::byte*>(blob.data());
  const std::byte* end = begin + blob.size();
  size_t layer = 0;
  for (const kvc_llama::CacheShape& cache : p.shape.caches) {
    for (size_t i = 0; i < cache.k.size(); ++i, ++layer) {
      EXPECT_GE(p.rows.k[layer], begin);
      EXPECT_LE(p.rows.k[layer] + cache.k[i].row_bytes * p.rows.cells, end);
      EXPECT_GE(p.rows.v[layer], begin);
      EXPECT_LE(p.rows.v[layer] + cache.v[i].row_bytes * p.rows.cells, end);
    }
  }
  EXPECT_EQ(p.positions.size(), p.rows.cells);
}

class LlamaBlob : public testing::TestWithParam<const char*> {
 protected:
  Blob real() const {
    llama_context_params params = context_params();
    const std::string kind = GetParam();
    if (kind == "across") params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    if (kind == "quantised") params.type_k = params.type_v = GGML_TYPE_Q8_0;
    Context context(model_file(kind == "window" ? "swa" : "llama"), params);
    context.decode(some_tokens(20));
    return context.state();
  }
};

TEST_P(LlamaBlob, IsReadAndBuiltAgain) {
  Blob blob = real();
  const Parsed p = parse(&blob);
  ASSERT_TRUE(p.ok) << p.why;
  expect_inside(blob, p);
  EXPECT_EQ(p.rows.cells, 20u);
  for (int32_t i = 0; i < 20; ++i) EXPECT_EQ(p.positions[static_cast<size_t>(i)], i);
  Blob again(p.shape.blob_bytes(20));
  BlobRows rows;
  kvc_llama::build_blob(p.shape, 20, 0, std::as_writable_bytes(std::span(again)), &rows);
  size_t layer = 0;
  for (const kvc_llama::CacheShape& cache : p.shape.caches) {
    for (size_t i = 0; i < cache.k.size(); ++i, ++layer) {
      std::memcpy(rows.k[layer], p.rows.k[layer], cache.k[i].row_bytes * 20);
      std::memcpy(rows.v[layer], p.rows.v[layer], cache.v[i].row_bytes * 20);
    }
  }
  EXPECT_EQ(again, blob);
}

TEST_P(LlamaBlob, IsRefusedWhenItIsCutOrLonger) {
  const Blob blob = real();
  for (size_t n = 0; n < blob.size(); n += 1 + n / 50) {
    Blob cut(blob.begin(), blob.begin() + static_cast<long>(n));
    const Parsed p = parse(&cut);
    EXPECT_FALSE(p.ok) << n << " of " << blob.size() << " bytes";
    EXPECT_FALSE(p.why.empty());
  }
  Blob longer = blob;
  longer.push_back(0);
  EXPECT_FALSE(parse(&longer).ok);
}

TEST_P(LlamaBlob, IsRefusedWithCountsThatItsBytesDoNotHold) {
  const Blob blob = real();
  // magic, sequence, streams, cells
  for (const size_t at : {size_t{0}, size_t{8}, size_t{12}}) {
    for (const uint32_t value : {0u, 2u, 21u, 4096u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      Blob forged = blob;
      std::memcpy(forged.data() + at, &value, sizeof value);
      EXPECT_FALSE(parse(&forged).ok) << value << " at " << at;
    }
  }
}

TEST_P(LlamaBlob, WithAnyBytesFlippedPointsNowhereElse) {
  const Blob blob = real();
  uint32_t x = 7;
  const auto next = [&] { return x = x * 1664525u + 1013904223u, x >> 8; };
  Blob known_bytes = blob;
  const Parsed known = parse(&known_bytes);
  const int rounds = std::getenv("KVC_TEST_QUICK") != nullptr ? 500 : 5000;
  for (int i = 0; i < rounds; ++i) {
    Blob forged = blob;
    // Mostly in the headers, which is where lies matter.
    for (uint32_t n = 1 + next() % 3; n > 0; --n) {
      const size_t range = next() % 4 != 0 ? std::min<size_t>(400, forged.size()) : forged.size();
      forged[next() % range] = static_cast<uint8_t>(next());
    }
    const Parsed p = parse(&forged);
    if (p.ok) expect_inside(forged, p);
    BlobRows rows;
    std::vector<int32_t> positions;
    std::string why;
    if (kvc_llama::parse_known(std::as_writable_bytes(std::span(forged)), known.shape, &rows, &positions, &why)) {
      Parsed as_known{true, known.shape, rows, positions, {}};
      expect_inside(forged, as_known);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, LlamaBlob, testing::Values("plain", "across", "quantised", "window"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace kvc::llama_test

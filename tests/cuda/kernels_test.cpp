// Kernels on the host (host_block.h): copies against loops, encoding and decoding bit for bit against the library's
// codecs, attention against sums in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "attend/convert.h"
#include "base/random.h"
#include "codec/codec.h"
#include "host_kernels.h"

namespace kvc_cuda {
namespace {

using kvc::Codec;
using kvc::DType;
using kvc::EncodeOptions;
using kvc::PageGeometry;
using kvc::Random;

uint64_t address(const void* p) { return reinterpret_cast<uint64_t>(p); }

// A page's view with the library's form: [layer][K|V][head][token][dim]. K and V rows may differ in length, which one
// view cannot say beyond `plane`: pages of unlike dims are laid out with the longer one.
View view_of(void* base, const CodeArgs& a) {
  const int64_t row = static_cast<int64_t>(std::max(a.dim[0], a.dim[1])) * bytes_of(a.number);
  View v;
  v.base = address(base);
  v.token = row;
  v.head = row * a.page_tokens;
  v.plane = v.head * a.n_heads;
  v.layer = v.plane * 2;
  v.page = v.layer * a.n_layers;
  return v;
}

TEST(NumbersTest, ConvertAsTheLibraryDoes) {
  for (uint32_t half = 0; half < 65536; ++half) {
    const uint16_t h = static_cast<uint16_t>(half);
    float theirs;
    kvc::to_f32(DType::f16, &h, &theirs, 1);
    ASSERT_EQ(bits_of(f32_of_f16(half)), bits_of(theirs)) << half;
  }
  Random random(1);
  for (int i = 0; i < 1000000; ++i) {
    const float x = float_of(static_cast<uint32_t>(random.next()));
    uint16_t f16, bf16;
    kvc::from_f32(DType::f16, &x, &f16, 1);
    kvc::from_f32(DType::bf16, &x, &bf16, 1);
    ASSERT_EQ(f16_of_f32(x), f16) << bits_of(x);
    ASSERT_EQ(bf16_of_f32(x), bf16) << bits_of(x);
  }
}

TEST(NumbersTest, EightBitFloatsAreWhatTheStandardSays) {
  EXPECT_EQ(f32_of_e4m3(0x00), 0.0f);
  EXPECT_EQ(f32_of_e4m3(0x01), 0x1p-9f);
  EXPECT_EQ(f32_of_e4m3(0x07), 0x1.cp-7f);
  EXPECT_EQ(f32_of_e4m3(0x08), 0x1p-6f);
  EXPECT_EQ(f32_of_e4m3(0x38), 1.0f);
  EXPECT_EQ(f32_of_e4m3(0xb8), -1.0f);
  EXPECT_EQ(f32_of_e4m3(0x7e), 448.0f);
  EXPECT_TRUE(std::isnan(f32_of_e4m3(0x7f)));
  for (uint32_t i = 1; i < 0x7f; ++i) EXPECT_GT(f32_of_e4m3(i), f32_of_e4m3(i - 1));
}

TEST(NumbersTest, PowersOfTwoAreNear) {
  Random random(2);
  EXPECT_EQ(exp2_of(0), 1.0f);
  EXPECT_EQ(exp2_of(-1), 0.5f);
  EXPECT_EQ(exp2_of(-500), 0.0f);
  EXPECT_EQ(exp2_of(-std::numeric_limits<float>::infinity()), 0.0f);
  for (int i = 0; i < 100000; ++i) {
    const float x = static_cast<float>(-125 * random.unit());
    EXPECT_NEAR(exp2_of(x) / std::exp2(static_cast<double>(x)), 1.0, 2.5e-7) << x;
  }
}

// --- rows by strides
// --------------------------------------------------------------------------------------------------

struct MoveCase {
  uint32_t layers, planes, heads, row_bytes, page_tokens;
};

class MoveTest : public testing::TestWithParam<MoveCase> {};

TEST_P(MoveTest, AppendsThenGathersByTables) {
  const MoveCase c = GetParam();
  Random random(c.row_bytes);
  const uint32_t tokens = 37, pages = 9;
  const size_t row = c.row_bytes, from_bytes = size_t{tokens} * c.planes * c.layers * c.heads * row;
  const size_t page_bytes = size_t{c.layers} * c.planes * c.heads * c.page_tokens * row;
  std::vector<unsigned char> input(from_bytes), pool(pages * page_bytes, 0xee), output(from_bytes, 0xdd);
  for (auto& byte : input) byte = static_cast<unsigned char>(random.next());

  // What a model computes: [plane][layer][token][head][dim]. The pool: pages of [layer][plane][head][token][dim].
  MoveArgs a;
  a.from.base = address(input.data());
  a.from.head = static_cast<int64_t>(row);
  a.from.token = a.from.head * c.heads;
  a.from.layer = a.from.token * tokens;
  a.from.plane = a.from.layer * c.layers;
  a.from_page_tokens = tokens;
  a.to.base = address(pool.data());
  a.to.token = static_cast<int64_t>(row);
  a.to.head = a.to.token * c.page_tokens;
  a.to.plane = a.to.head * c.heads;
  a.to.layer = a.to.plane * c.planes;
  a.to.page = static_cast<int64_t>(page_bytes);
  a.to_page_tokens = c.page_tokens;
  std::vector<int32_t> slots(tokens);
  const uint32_t room = pages * c.page_tokens;
  for (uint32_t t = 0; t < tokens; ++t) slots[t] = t % 5 == 4 ? -1 : static_cast<int32_t>((t * 7 + 3) % room);
  a.to_slots = slots.data();
  a.tokens = tokens, a.layers = c.layers, a.planes = c.planes, a.heads = c.heads, a.row_bytes = c.row_bytes;
  a.vector = std::min(vector_of(a.from, row), vector_of(a.to, row));
  host_move(a, move_shape(a, 2), 1);

  std::vector<unsigned char> expected(pool.size(), 0xee);
  for (uint32_t t = 0; t < tokens; ++t) {
    if (slots[t] < 0) continue;
    for (uint32_t l = 0; l < c.layers; ++l)
      for (uint32_t p = 0; p < c.planes; ++p)
        for (uint32_t h = 0; h < c.heads; ++h) {
          const size_t from = (((size_t{p} * c.layers + l) * tokens + t) * c.heads + h) * row;
          const uint32_t slot = static_cast<uint32_t>(slots[t]), page = slot / c.page_tokens, at = slot % c.page_tokens;
          const size_t to = page * page_bytes + (((size_t{l} * c.planes + p) * c.heads + h) * c.page_tokens + at) * row;
          std::memcpy(&expected[to], &input[from], row);
        }
  }
  EXPECT_EQ(pool, expected);

  MoveArgs back = a;
  std::swap(back.from, back.to);
  std::swap(back.from_page_tokens, back.to_page_tokens);
  back.from_slots = slots.data();
  back.to_slots = nullptr;
  back.to.base = address(output.data());
  host_move(back, move_shape(back, 1), 2);
  for (uint32_t t = 0; t < tokens; ++t) {
    const size_t bytes = c.heads * row;
    for (size_t part = 0; part < size_t{c.planes} * c.layers; ++part) {
      const size_t at = (part * tokens + t) * bytes;
      if (slots[t] < 0) {
        EXPECT_EQ(output[at], 0xdd);
      } else {
        EXPECT_EQ(std::memcmp(&output[at], &input[at], bytes), 0) << t;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, MoveTest,
                         testing::Values(MoveCase{2, 2, 4, 256, 16}, MoveCase{1, 2, 1, 16, 64},
                                         MoveCase{3, 1, 2, 34, 8}, MoveCase{2, 2, 3, 7, 5}, MoveCase{1, 2, 8, 1152, 8}),
                         [](const auto& c) { return "bytes" + std::to_string(c.param.row_bytes); });

TEST(CopyTest, RunsOfAnyLengthAndAlignment) {
  Random random(3);
  std::vector<unsigned char> from(1 << 20), to(1 << 20, 0), expected(1 << 20, 0);
  for (auto& byte : from) byte = static_cast<unsigned char>(random.next());
  CopyArgs a;
  size_t at = 0;
  for (const size_t bytes : {1ul, 16ul, 15ul, 4096ul, 16384ul, 16385ul, 70000ul, 33ul, 131072ul}) {
    const size_t skew = a.runs % 3;
    a.run[a.runs] = {address(&to[at + skew]), address(&from[at + 2 * skew]), bytes};
    std::memcpy(&expected[at + skew], &from[at + 2 * skew], bytes);
    a.first_chunk[a.runs] = a.chunks;
    a.chunks += static_cast<uint32_t>((bytes + kCopyChunk - 1) / kCopyChunk);
    ++a.runs;
    at += up_to(static_cast<uint32_t>(bytes), 64) + 64;
  }
  host_copy(a, copy_shape(a, 4), 5);
  EXPECT_EQ(to, expected);
}

// --- codecs
// -----------------------------------------------------------------------------------------------------------

struct CodeCase {
  const char* codec;
  uint32_t key_bits, value_bits, layers, heads, k_dim, v_dim, tokens, exact;
  DType dtype;
};

void PrintTo(const CodeCase& c, std::ostream* out) {
  *out << c.codec << " " << c.k_dim << "x" << c.v_dim << " " << c.tokens << " tokens";
}

class CodeTest : public testing::TestWithParam<CodeCase> {
 protected:
  static constexpr uint32_t kPages = 2;
  void SetUp() override {
    const CodeCase c = GetParam();
    geometry_.n_layers = c.layers, geometry_.n_kv_heads = c.heads;
    geometry_.k_dim = c.k_dim, geometry_.v_dim = c.v_dim;
    geometry_.page_tokens = c.tokens, geometry_.dtype = c.dtype;
    codec_ = kvc::find_codec(c.codec);
    ASSERT_NE(codec_, nullptr);
    options_.exact_tokens = c.exact, options_.key_bits = c.key_bits, options_.value_bits = c.value_bits;
    args_.pages = kPages;
    args_.n_layers = c.layers, args_.n_heads = c.heads, args_.dim[0] = c.k_dim, args_.dim[1] = c.v_dim;
    args_.page_tokens = c.tokens, args_.exact = std::min({c.exact, c.tokens, kTile});
    args_.bits[0] = c.key_bits, args_.bits[1] = c.value_bits;
    args_.codec = codec_->id();
    args_.number = static_cast<Number>(c.dtype);
    args_.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(c.v_dim)));
    Random random(c.k_dim * 100 + c.tokens);
    strided_.resize(static_cast<size_t>(view_of(nullptr, args_).page) * kPages);
    args_.clear = view_of(strided_.data(), args_);
    for (uint32_t page = 0; page < kPages; ++page) {
      blobs_[page].resize(geometry_.page_bytes());
      for (uint32_t layer = 0; layer < c.layers; ++layer)
        for (int plane = 0; plane < 2; ++plane)
          for (uint32_t head = 0; head < c.heads; ++head)
            for (uint32_t t = 0; t < c.tokens; ++t) {
              std::vector<float> row(geometry_.dim(plane));
              const float size = std::exp2(static_cast<float>(static_cast<int>(random.next() % 9)) - 4.0f);
              for (float& x : row)
                x = size * static_cast<float>(random.unit() * 2 - 1) * (random.next() % 31 == 0 ? 20 : 1);
              std::byte* to =
                  blobs_[page].data() + geometry_.head_offset(layer, plane, head) + t * geometry_.row_bytes(plane);
              kvc::from_f32(c.dtype, row.data(), to, row.size());
              std::memcpy(args_.clear.row(page, layer, static_cast<uint32_t>(plane), head, t), to,
                          geometry_.row_bytes(plane));
            }
      const size_t bytes = codec_->encoded_bytes(geometry_, options_);
      encoded_[page].resize(bytes / 8);
      ASSERT_TRUE(codec_->encode(geometry_, options_, blobs_[page], bytes_of_page(encoded_[page])).is_ok());
      coded_[page].assign(bytes / 8, 0xababababababababu);
      addresses_[page] = address(coded_[page].data());
    }
    args_.coded_pages = addresses_;
    args_.failed = failed_;
  }
  static std::span<std::byte> bytes_of_page(std::vector<uint64_t>& page) {
    return {reinterpret_cast<std::byte*>(page.data()), page.size() * 8};
  }

  PageGeometry geometry_;
  const Codec* codec_ = nullptr;
  EncodeOptions options_;
  CodeArgs args_;
  std::vector<unsigned char> strided_;
  std::vector<std::byte> blobs_[kPages];
  std::vector<uint64_t> encoded_[kPages], coded_[kPages];
  uint64_t addresses_[kPages] = {};
  uint32_t failed_[kPages] = {};
};

TEST_P(CodeTest, EncodesToTheBytesOfTheLibrary) {
  for (const uint64_t seed : {1, 2}) {
    host_encode(args_, code_shape(args_), seed);
    for (uint32_t page = 0; page < kPages; ++page) {
      ASSERT_EQ(CodedLayout(args_).total(), encoded_[page].size() * 8);
      EXPECT_EQ(failed_[page], 0u);
      for (size_t i = 0; i < encoded_[page].size(); ++i) {
        ASSERT_EQ(coded_[page][i], encoded_[page][i]) << "page " << page << " at byte " << i * 8;
      }
    }
  }
}

TEST_P(CodeTest, DecodesToTheBitsOfTheLibrary) {
  for (uint32_t page = 0; page < kPages; ++page) addresses_[page] = address(encoded_[page].data());
  std::vector<unsigned char> out(strided_.size(), 0xcd), expected(strided_.size(), 0xcd);
  CodeArgs a = args_;
  a.clear = view_of(out.data(), a);
  host_decode(a, code_shape(a), 3);
  a.clear = view_of(expected.data(), a);
  for (uint32_t page = 0; page < kPages; ++page)
    for (uint32_t layer = 0; layer < geometry_.n_layers; ++layer)
      for (int plane = 0; plane < 2; ++plane)
        ASSERT_TRUE(
            codec_
                ->decode(geometry_, bytes_of_page(encoded_[page]), layer, plane, 0, geometry_.page_tokens,
                         reinterpret_cast<std::byte*>(a.clear.row(page, layer, static_cast<uint32_t>(plane), 0, 0)),
                         static_cast<size_t>(a.clear.head), static_cast<size_t>(a.clear.token))
                .is_ok());
  EXPECT_EQ(out, expected);
}

TEST_P(CodeTest, SaysWhichPageHasANumberThatIsNotFinite) {
  const bool exact = args_.exact == args_.page_tokens;  // kept as it is, whatever it is
  unsigned char* row = args_.clear.row(1, geometry_.n_layers - 1, 1, 0, args_.page_tokens - 1);
  store_number(args_.number, std::numeric_limits<float>::infinity(), row);
  host_encode(args_, code_shape(args_), 4);
  EXPECT_EQ(failed_[0], 0u);
  EXPECT_EQ(failed_[1], exact ? 0u : 1u);
}

constexpr DType f32 = DType::f32, f16 = DType::f16, bf16 = DType::bf16;
INSTANTIATE_TEST_SUITE_P(Pages, CodeTest,
                         testing::Values(CodeCase{"int8", 8, 8, 2, 2, 64, 64, 64, 0, f16},
                                         CodeCase{"int4", 4, 4, 1, 2, 128, 128, 64, 4, bf16},
                                         CodeCase{"mixed", 8, 4, 2, 1, 64, 64, 64, 4, f16},
                                         CodeCase{"mixed", 4, 2, 1, 1, 128, 128, 16, 1, f16},
                                         CodeCase{"mixed", 2, 8, 1, 2, 80, 96, 48, 0, bf16},
                                         CodeCase{"int8", 8, 8, 1, 1, 192, 128, 150, 64, f32},
                                         CodeCase{"int4", 4, 4, 1, 2, 5, 3, 9, 0, f32},
                                         CodeCase{"int8", 8, 8, 1, 1, 1, 1, 1, 0, f32},
                                         CodeCase{"int4", 4, 4, 2, 3, 8, 8, 7, 7, f16},
                                         CodeCase{"mixed", 2, 2, 1, 1, 20, 24, 33, 2, bf16},
                                         CodeCase{"int4", 4, 4, 1, 1, 256, 256, 128, 4, f16}));

// Pages with terms of their own number in each head, some with exact tokens.
TEST(SvdTest, DecodesToTheBitsOfTheLibrary) {
  const Codec& codec = *kvc::find_codec("svd");
  for (const CodeCase& c :
       {CodeCase{"svd", 8, 8, 2, 2, 64, 64, 64, 4, f16}, CodeCase{"svd", 8, 8, 1, 3, 24, 24, 9, 0, bf16},
        CodeCase{"svd", 8, 8, 2, 1, 33, 33, 130, 64, f32}}) {
    Random random(c.tokens);
    PageGeometry g;
    g.n_layers = c.layers, g.n_kv_heads = c.heads, g.k_dim = g.v_dim = c.k_dim, g.page_tokens = c.tokens,
    g.dtype = c.dtype;
    EncodeOptions options;
    options.exact_tokens = c.exact;
    options.ratio = 0.3;
    std::vector<float> numbers(g.page_bytes() / g.row_bytes(KVC_KEY) * c.k_dim);
    for (float& x : numbers) x = static_cast<float>(random.unit() * 2 - 1);
    std::vector<std::byte> page(g.page_bytes()), expected(g.page_bytes()), got(g.page_bytes());
    kvc::from_f32(c.dtype, numbers.data(), page.data(), numbers.size());
    std::vector<uint64_t> encoded((codec.encoded_bytes(g, options) + 7) / 8);
    const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(encoded.data()), codec.encoded_bytes(g, options));
    const kvc::Status status = codec.encode(g, options, page, bytes);
    ASSERT_TRUE(status.is_ok()) << status.message();
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (int plane = 0; plane < 2; ++plane) {
        ASSERT_TRUE(codec
                        .decode(g, bytes, layer, plane, 0, g.page_tokens,
                                expected.data() + g.plane_offset(layer, plane), g.head_bytes(plane), g.row_bytes(plane))
                        .is_ok());
      }
    }
    const uint64_t at = address(encoded.data());
    CodeArgs a;
    a.n_layers = g.n_layers, a.n_heads = g.n_kv_heads, a.dim[0] = a.dim[1] = c.k_dim, a.page_tokens = c.tokens;
    a.number = static_cast<Number>(c.dtype), a.codec = kSvdCodec, a.pages = 1, a.coded_pages = &at;
    a.clear = view_of(got.data(), a);
    host_decode_svd(a, svd_shape(a), 7);
    EXPECT_EQ(got, expected) << c.tokens;
  }
}

// --- attention
// --------------------------------------------------------------------------------------------------------

struct AttendCase {
  const char* codec;  // of the pages before the ones in the clear; "" for none
  uint32_t key_bits, value_bits, heads, group, k_dim, v_dim, page_tokens, coded, length, splits;
  uint64_t window;
  Number number;
};

void PrintTo(const AttendCase& c, std::ostream* out) {
  *out << c.codec << " group " << c.group << " dim " << c.k_dim << "x" << c.v_dim << " length " << c.length;
}

class AttendTest : public testing::TestWithParam<AttendCase> {};

TEST_P(AttendTest, EqualsSumsInDoublePrecision) {
  const AttendCase c = GetParam();
  constexpr uint32_t kSequences = 2, kLayers = 2, kLayer = 1;
  Random random(c.length + c.group);
  const auto draw = [&] { return static_cast<float>(random.unit() * 2 - 1); };
  AttendArgs a;
  CodeArgs& g = a.page;
  g.n_layers = kLayers, g.n_heads = c.heads, g.dim[0] = c.k_dim, g.dim[1] = c.v_dim, g.page_tokens = c.page_tokens;
  g.number = c.number, g.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(c.v_dim)));
  const uint32_t pages = (c.length + c.page_tokens - 1) / c.page_tokens;
  ASSERT_LE(c.coded, pages);

  // K/V in the clear, [sequence][page]; the codec's own decoding says what the encoded ones stand for.
  std::vector<unsigned char> pool(static_cast<size_t>(view_of(nullptr, g).page) * pages * kSequences);
  a.clear = view_of(pool.data(), g);
  for (uint32_t page = 0; page < pages * kSequences; ++page)
    for (uint32_t layer = 0; layer < kLayers; ++layer)
      for (uint32_t plane = 0; plane < 2; ++plane)
        for (uint32_t head = 0; head < c.heads; ++head)
          for (uint32_t t = 0; t < c.page_tokens; ++t)
            for (uint32_t d = 0; d < g.dim_of(static_cast<int>(plane)); ++d) {
              unsigned char* at = a.clear.row(page, layer, plane, head, t) + d * bytes_of(c.number);
              if (c.number == Number::e4m3) {
                *at = static_cast<unsigned char>(random.next() % 0x79 | (random.next() & 0x80));
              } else {
                store_number(c.number, draw() * 2, at);
              }
            }
  if (c.number == Number::e4m3) a.number_scale[0] = 0.01f, a.number_scale[1] = 0.5f;
  std::vector<unsigned char> truth = pool;
  View truth_view = view_of(truth.data(), g);
  std::vector<std::vector<uint64_t>> encoded;
  std::vector<uint64_t> addresses;
  std::vector<uint32_t> counts(kSequences, c.coded), lengths(kSequences, c.length), failed(pages * kSequences, 0);
  std::vector<int32_t> table;
  if (kSequences > 1) lengths[1] = std::max(1u, c.length - 1);
  if (c.coded > 0) {
    g.codec = kvc::find_codec(c.codec)->id();
    g.bits[0] = c.key_bits, g.bits[1] = c.value_bits, g.exact = std::min(4u, c.page_tokens);
    for (uint32_t s = 0; s < kSequences; ++s)
      for (uint32_t p = 0; p < c.coded; ++p) {
        encoded.emplace_back(CodedLayout(g).total() / 8);
        addresses.push_back(address(encoded.back().data()));
      }
    CodeArgs code = g;
    std::vector<int32_t> which;
    for (uint32_t s = 0; s < kSequences; ++s)
      for (uint32_t p = 0; p < c.coded; ++p) which.push_back(static_cast<int32_t>(s * pages + p));
    code.pages = static_cast<uint32_t>(addresses.size());
    code.clear = a.clear, code.clear_pages = which.data(), code.coded_pages = addresses.data(),
    code.failed = failed.data();
    host_encode(code, code_shape(code), 6);
    code.clear = truth_view;
    host_decode(code, code_shape(code), 7);
    a.coded_counts = counts.data(), a.coded_pages = addresses.data(), a.coded_stride = c.coded;
  }
  const uint32_t rest = pages - c.coded;
  for (uint32_t s = 0; s < kSequences; ++s)
    for (uint32_t p = 0; p < rest; ++p) table.push_back(static_cast<int32_t>(s * pages + c.coded + p));
  a.clear_pages = table.data(), a.clear_stride = rest;

  const uint32_t heads = c.heads * c.group;
  std::vector<float> query(kSequences * heads * c.k_dim), out(kSequences * heads * c.v_dim, -1),
      state(kSequences * heads * 2);
  for (float& x : query) x = draw() * 3;
  a.query = reinterpret_cast<unsigned char*>(query.data());
  a.out = reinterpret_cast<unsigned char*>(out.data());
  a.state = state.data();
  a.lengths = lengths.data();
  a.sequences = kSequences, a.kv_heads = c.heads, a.group = c.group, a.splits = c.splits, a.layer = kLayer;
  const double scale = 1 / std::sqrt(static_cast<double>(c.k_dim));
  a.scale = static_cast<float>(scale * 1.4426950408889634);
  a.window = c.window;
  std::vector<float> partial(partial_bytes(a) / sizeof(float), std::nanf(""));
  a.partial = partial.data();
  ASSERT_LE(attend_shape(a).shared, kSharedBytes);
  host_attend(a, attend_shape(a), 8);
  host_merge(a, merge_shape(a), 9);
  const std::vector<float> first = out;

  for (uint32_t s = 0; s < kSequences; ++s)
    for (uint32_t h = 0; h < heads; ++h) {
      const uint32_t kv = h / c.group;
      const uint32_t from = c.window != 0 && c.window < lengths[s] ? lengths[s] - static_cast<uint32_t>(c.window) : 0;
      const auto number = [&](uint32_t plane, uint32_t t, uint32_t d) {
        const unsigned char* row = truth_view.row(s * pages + t / c.page_tokens, kLayer, plane, kv, t % c.page_tokens);
        return static_cast<double>(load_number(c.number, row + d * bytes_of(c.number))) *
               (c.number == Number::e4m3 ? a.number_scale[plane] : 1.0);
      };
      std::vector<double> sum(c.v_dim, 0.0), scores;
      double total = 0, largest = 0, top = -1e300;
      for (uint32_t t = from; t < lengths[s]; ++t) {
        double score = 0;
        for (uint32_t d = 0; d < c.k_dim; ++d)
          score += static_cast<double>(query[(s * heads + h) * c.k_dim + d]) * number(0, t, d);
        scores.push_back(score * scale);
        top = std::max(top, scores.back());
      }
      for (uint32_t t = from; t < lengths[s]; ++t) {
        const double weight = std::exp(scores[t - from] - top);
        total += weight;
        for (uint32_t d = 0; d < c.v_dim; ++d)
          sum[d] += weight * number(1, t, d), largest = std::max(largest, std::abs(number(1, t, d)));
      }
      // What is decoded was rounded to the page's dtype, what is attended over is not.
      const double rounding = c.coded == 0               ? 0
                              : c.number == Number::bf16 ? 0x1p-7
                              : c.number == Number::f16  ? 0x1p-10
                                                         : 0;
      for (uint32_t d = 0; d < c.v_dim; ++d)
        ASSERT_NEAR(out[(s * heads + h) * c.v_dim + d], sum[d] / total, largest * (2e-5 + 4 * rounding))
            << s << " " << h << " " << d;
      EXPECT_NEAR(state[(s * heads + h) * 2 + 1], total, total * (1e-3 + 16 * rounding));
    }

  // Another order of threads and blocks: the same bits.
  host_attend(a, attend_shape(a), 1234567);
  host_merge(a, merge_shape(a), 7654321);
  EXPECT_EQ(std::memcmp(first.data(), out.data(), out.size() * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(Sequences, AttendTest,
                         testing::Values(AttendCase{"", 0, 0, 2, 1, 64, 64, 16, 0, 100, 1, 0, Number::f32},
                                         AttendCase{"", 0, 0, 2, 4, 128, 128, 64, 0, 300, 3, 0, Number::f16},
                                         AttendCase{"", 0, 0, 1, 12, 64, 96, 16, 0, 65, 2, 0, Number::bf16},
                                         AttendCase{"", 0, 0, 1, 8, 256, 256, 64, 0, 130, 4, 70, Number::f32},
                                         AttendCase{"", 0, 0, 2, 2, 64, 64, 16, 0, 90, 2, 0, Number::e4m3},
                                         AttendCase{"", 0, 0, 1, 1, 5, 3, 7, 0, 1, 4, 0, Number::f32},
                                         AttendCase{"int8", 8, 8, 2, 4, 64, 64, 64, 3, 200, 2, 0, Number::f32},
                                         AttendCase{"int4", 4, 4, 1, 8, 128, 128, 64, 2, 128, 1, 0, Number::f32},
                                         AttendCase{"mixed", 8, 4, 2, 3, 128, 64, 16, 5, 100, 3, 40, Number::f16},
                                         AttendCase{"mixed", 4, 2, 1, 2, 80, 96, 100, 1, 150, 2, 0, Number::f32}));

}  // namespace
}  // namespace kvc_cuda

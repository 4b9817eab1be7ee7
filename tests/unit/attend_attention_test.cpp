// Attention over tiles against a plain reference in doubles, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "attend/aligned.h"
#include "attend/attention.h"
#include "attend/convert.h"
#include "attend/quantize.h"
#include "base/random.h"

namespace kvc {
namespace {

// K/V of one head, in tiles of a chosen form; what the reference sees is what the form stands for.
class Head {
 public:
  enum class Form { f32, f16, bf16, int8, int4, int2, mixed };

  Head(uint32_t tokens, uint32_t k_dim, uint32_t v_dim, Form form, uint32_t exact) : k_dim_(k_dim), v_dim_(v_dim) {
    Random random(tokens * 100 + k_dim);
    for (uint32_t at = 0; at < tokens; at += kTileTokens) {
      const uint32_t n = std::min(kTileTokens, tokens - at);
      Form own = form;
      if (form == Form::mixed) own = static_cast<Form>(at / kTileTokens % 6);
      add_tile(at, n, own, at == 0 ? std::min(exact, n) : 0, &random);
    }
  }
  const std::vector<AttendTile>& tiles() const { return tiles_; }
  double key(size_t t, size_t d) const { return static_cast<double>(k_[t * k_dim_ + d]); }
  double value(size_t t, size_t d) const { return static_cast<double>(v_[t * v_dim_ + d]); }
  size_t tokens() const { return k_.size() / k_dim_; }

 private:
  struct Memory {
    std::vector<std::byte> rows[2];
    std::vector<uint16_t> scale[2], zero[2];
    std::vector<uint8_t> codes[2];
  };

  void add_tile(uint32_t at, uint32_t n, Form form, uint32_t exact, Random* random) {
    auto memory = std::make_unique<Memory>();
    AttendTile tile;
    tile.position = at;
    tile.tokens = n;
    const bool clear = form <= Form::bf16;
    tile.exact = clear ? n : exact;
    const DType dtype = form == Form::f16 ? DType::f16 : form == Form::bf16 ? DType::bf16 : DType::f32;
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const uint32_t dim = plane == KVC_KEY ? k_dim_ : v_dim_;
      const size_t stride = round_up(dim, kUnitLanes);
      AlignedFloats rows(kTileTokens * stride), back(kTileTokens * stride);
      std::vector<float> numbers(n * dim);
      for (float& x : numbers) x = static_cast<float>(random->unit() * 4 - 1);
      std::vector<std::byte> raw(numbers.size() * element_bytes(dtype));
      from_f32(dtype, numbers.data(), raw.data(), numbers.size());
      to_f32(dtype, raw.data(), numbers.data(), numbers.size());
      (plane == KVC_KEY ? tile.k : tile.v) = {dtype, nullptr, dim * element_bytes(dtype)};
      memory->rows[plane] = raw;
      if (!clear) {
        for (uint32_t t = 0; t < n; ++t) std::copy_n(&numbers[t * dim], dim, rows.data() + t * stride);
        const TileShape shape{n, dim, form == Form::int8 ? 8u : form == Form::int4 ? 4u : 2u};
        const TileBytes bytes = plane == KVC_KEY ? key_tile_bytes(shape) : value_tile_bytes(shape);
        memory->scale[plane].resize(bytes.scale / 2);
        memory->zero[plane].resize(bytes.scale / 2);
        memory->codes[plane].resize(bytes.codes);
        float unit = tile_unit(quantize_kernels().largest(rows.data(), n * stride));
        const CodedTileOut out{shape, &unit, memory->scale[plane].data(), memory->zero[plane].data(),
                               memory->codes[plane].data()};
        (plane == KVC_KEY ? quantize_kernels().encode_keys : quantize_kernels().encode_values)(rows.data(), stride,
                                                                                              exact, out);
        const CodedTile in{shape, unit, out.scale, out.zero, out.codes};
        (plane == KVC_KEY ? tile.k_codes : tile.v_codes) = in;
        (plane == KVC_KEY ? quantize_kernels().decode_keys : quantize_kernels().decode_values)(in, 0, n, back.data(),
                                                                                              stride);
        for (uint32_t t = exact; t < n; ++t) std::copy_n(back.data() + t * stride, dim, &numbers[t * dim]);
      }
      auto& all = plane == KVC_KEY ? k_ : v_;
      all.insert(all.end(), numbers.begin(), numbers.end());
    }
    tile.k.data = memory->rows[KVC_KEY].data();
    tile.v.data = memory->rows[KVC_VALUE].data();
    memory_.push_back(std::move(memory));
    tiles_.push_back(tile);
  }

  uint32_t k_dim_, v_dim_;
  std::vector<float> k_, v_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<AttendTile> tiles_;
};

bool visible(const AttendOptions& o, uint64_t query, uint64_t key) {
  if (o.causal && key > query) return false;
  if (o.window == 0 || key < o.sinks) return true;
  const uint64_t distance = key > query ? key - query : query - key;
  return distance < o.window;
}

struct Case {
  AttendOptions options;
  uint32_t queries = 1;
  std::vector<float> slopes;
  bool sink_score = false;
};

std::vector<double> reference(const Head& head, const Case& c, const std::vector<float>& queries, float scale) {
  const AttendOptions& o = c.options;
  std::vector<double> out;
  for (uint32_t column = 0; column < c.queries * o.group; ++column) {
    const uint64_t position = o.position + column / o.group;
    std::vector<double> scores(head.tokens(), -std::numeric_limits<double>::infinity());
    double top = -std::numeric_limits<double>::infinity();
    for (size_t t = 0; t < head.tokens(); ++t) {
      if (!visible(o, position, t)) continue;
      double s = 0;
      for (size_t d = 0; d < o.k_dim; ++d) {
        s += static_cast<double>(queries[column * o.k_dim + d]) * static_cast<double>(scale) * head.key(t, d);
      }
      if (o.softcap > 0) s = static_cast<double>(o.softcap) * std::tanh(s / static_cast<double>(o.softcap));
      if (!c.slopes.empty()) {
        s += static_cast<double>(c.slopes[column % o.group]) * (static_cast<double>(t) - static_cast<double>(position));
      }
      scores[t] = s;
      top = std::max(top, s);
    }
    double sum = c.sink_score ? std::exp(0.5 - top) : 0;
    std::vector<double> mixed(o.v_dim, 0.0);
    for (size_t t = 0; t < head.tokens() && std::isfinite(top); ++t) {
      const double p = std::exp(scores[t] - top);
      sum += p;
      for (size_t d = 0; d < o.v_dim; ++d) mixed[d] += p * head.value(t, d);
    }
    for (double x : mixed) out.push_back(std::isfinite(top) ? x / sum : 0);
  }
  return out;
}

void expect_reference(const Head& head, const Case& c, const std::string& what) {
  const AttendOptions& o = c.options;
  const uint32_t columns = c.queries * o.group;
  Random random(7);
  std::vector<float> queries(columns * o.k_dim);
  for (float& x : queries) x = static_cast<float>(random.unit() * 2 - 1);
  const float scale = 1.0f / std::sqrt(static_cast<float>(o.k_dim));
  const std::vector<double> want = reference(head, c, queries, scale);
  for (const Target target : targets()) {
    // In one go, and in two parts that are merged.
    for (const bool split : {false, true}) {
      AttendState state(o, c.queries), second(o, c.queries);
      for (AttendState* s : {&state, &second}) {
        s->set_target(target);
        for (uint32_t i = 0; i < columns; ++i) {
          s->set_query(i, &queries[i * o.k_dim], scale, c.slopes.empty() ? 0 : c.slopes[i % o.group]);
        }
      }
      for (size_t i = 0; i < head.tiles().size(); ++i) (split && i % 2 == 1 ? second : state).attend(head.tiles()[i]);
      if (split) state.merge(second);
      for (uint32_t column = 0; column < columns; ++column) {
        if (c.sink_score) state.add_sink(column, 0.5f);
        std::vector<float> got(o.v_dim);
        state.finish(column, got.data());
        for (uint32_t d = 0; d < o.v_dim; ++d) {
          // The integers of the query are good to 2^-15 of its largest number.
          ASSERT_NEAR(static_cast<double>(got[d]), want[column * o.v_dim + d], 1e-3)
              << what << ", " << target_name(target) << ", split " << split << ", column " << column << ", dim " << d;
        }
      }
    }
  }
}

constexpr Head::Form kForms[] = {Head::Form::f32,  Head::Form::f16,  Head::Form::bf16, Head::Form::int8,
                                 Head::Form::int4, Head::Form::int2, Head::Form::mixed};

TEST(AttentionTest, EveryFormEqualsTheReference) {
  for (const Head::Form form : kForms) {
    for (const auto& [k_dim, v_dim] : {std::pair{64u, 64u}, {128u, 128u}, {192u, 128u}, {80u, 80u}, {5u, 3u}}) {
      for (const uint32_t tokens : {1u, 63u, 64u, 200u}) {
        for (const uint32_t group : {1u, 3u, 8u}) {
          const Head head(tokens, k_dim, v_dim, form, 4);
          Case c;
          c.options.k_dim = k_dim;
          c.options.v_dim = v_dim;
          c.options.group = group;
          c.options.position = tokens - 1;
          expect_reference(head, c,
                           "form " + std::to_string(static_cast<int>(form)) + ", dims " + std::to_string(k_dim) + "/" +
                               std::to_string(v_dim) + ", " + std::to_string(tokens) + " tokens");
        }
      }
    }
  }
}

TEST(AttentionTest, MasksCapsAndBiasesEqualTheReference) {
  const Head head(200, 64, 64, Head::Form::mixed, 4);
  for (const bool causal : {true, false}) {
    for (const uint64_t window : {uint64_t{0}, uint64_t{1}, uint64_t{50}, uint64_t{150}}) {
      for (const uint64_t sinks : {uint64_t{0}, uint64_t{4}}) {
        for (const float softcap : {0.0f, 2.0f}) {
          for (const bool more : {false, true}) {
            Case c;
            c.options.k_dim = c.options.v_dim = 64;
            c.options.group = 2;
            c.options.causal = causal;
            c.options.window = window;
            c.options.sinks = sinks;
            c.options.softcap = softcap;
            c.queries = 5;
            c.options.position = 60;  // in the middle: later tokens are there
            if (more) c.slopes = {0.5f, 0.0625f};
            c.sink_score = more;
            expect_reference(head, c, "window " + std::to_string(window) + ", causal " + std::to_string(causal));
          }
        }
      }
    }
  }
}

TEST(AttentionTest, AQueryThatSeesNothingGivesZero) {
  const Head head(64, 64, 64, Head::Form::int4, 0);
  AttendOptions options;
  options.k_dim = options.v_dim = 64;
  options.window = 8;
  options.position = 500;  // its window begins after the last token
  AttendState state(options, 1);
  const std::vector<float> query(64, 1.0f);
  state.set_query(0, query.data(), 1, 0);
  for (const AttendTile& tile : head.tiles()) state.attend(tile);
  std::vector<float> out(64, 5.0f);
  state.finish(0, out.data());
  EXPECT_EQ(out, std::vector<float>(64, 0.0f));
}

TEST(AttentionTest, LargeScoresNeitherOverflowNorLoseTheLargest) {
  const Head head(128, 64, 64, Head::Form::mixed, 4);
  Case c;
  c.options.k_dim = c.options.v_dim = 64;
  c.options.causal = false;
  for (const Target target : targets()) {
    AttendState state(c.options, 1);
    state.set_target(target);
    const std::vector<float> query(64, 1e30f);
    state.set_query(0, query.data(), 1, 0);
    for (const AttendTile& tile : head.tiles()) state.attend(tile);
    std::vector<float> out(64);
    state.finish(0, out.data());
    for (const float x : out) EXPECT_TRUE(std::isfinite(x)) << target_name(target);
  }
}

}  // namespace
}  // namespace kvc

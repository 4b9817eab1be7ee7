// kvc-bench-codec, which `kvc bench codec` and `kvc bench attend` start: codecs against memcpy and a plain loop,
// attention over encoded pages against own f16 pages and ggml's flash attention. One thread, in its own CPU time: what
// others do on the machine is not measured, except where they take memory bandwidth. Every round measures kvc and its
// peers in turn; each time is the shortest of the rounds.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "args.h"
#include "attend/convert.h"
#include "codec/klt_learner.h"
#include "ggml_peer.h"
#include "json.h"
#include "report.h"
#include "support.h"

namespace kvc::bench {
namespace {

using cli::Args;
using cli::Config;
using cli::Engine;
using cli::Figure;
using cli::Report;

constexpr Figure kCodecFigures[] = {
    {"session_4k_memory_ratio", "memory of a 4,096-token session, int4, all in, over its f16", 0.40, 0.32, true},
    {"encode_int8_vs_memcpy", "encode int8, speed relative to memcpy of the f16", 0.25, 0.5, false},
    {"encode_int4_vs_memcpy", "encode int4, speed relative to memcpy of the f16", 0.2, 0.4, false},
    {"decode_vs_memcpy", "decode int4 to f16, speed relative to memcpy of the f16", 0.5, 0.8, false},
    {"quantizer_vs_loop", "encode int4, speed relative to a plain loop", 2, 8, false},
    {"compressor_vs_loop", "encode klt (transform and codes), speed relative to a plain loop", 1.5, 4, false},
};

// What bench/quality finds with a real model; option --quality.
constexpr Figure kQualityFigures[] = {
    {"kl_4bit_vs_q4_0", "KL divergence at <= 4.75 bits, no exact window, over rotated q4_0's", 0.4, 0.2, true},
    {"kl_4bit_window_vs_q4_0", "the same at <= 5 bits with first tokens and window exact", 0.1, 0.02, true},
    {"kl_5bit_window_vs_q8_0", "at <= 5.5 bits with the window, over rotated q8_0's", 3, 0.6, true},
    {"kl_3bit_vs_q4_0", "at <= 3.5 bits, no window, over rotated q4_0's", 1, 0.5, true},
    {"kl_2bit_rest_vs_q4_0", "at rest at <= 2.25 bits, over live rotated q4_0's", 1.2, 0.6, true},
    {"auto_bound_met", "codec auto, bound 1e-2: share of heads on other texts that are within it", 1, 1, false},
    {"auto_bits", "bits per number that it takes", 8, 6.5, true},
    {"auto_5e-2_bits", "bits per number with bound 5e-2", 5.5, 4.5, true},
};

constexpr Figure kAttendFigures[] = {
    {"attend_int8_vs_f16", "decode attention beyond the caches, int8 over own f16", 1.8, 1.95, false},
    {"attend_int4_vs_f16", "decode attention beyond the caches, int4 over own f16", 3, 3.7, false},
    {"attend_int4_vs_ggml_f16", "decode attention, 4k keys, GQA 3: int4 over ggml's f16", 3, 6, false},
    {"attend_int4_vs_ggml_q4_0", "decode attention, 4k keys, GQA 3: int4 over ggml's q4_0", 6, 12, false},
};

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double time_of(const std::function<void()>& work) {
  const double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

// Shortest times of several things, taken in turn.
std::vector<double> best_times(int rounds, const std::vector<std::function<void()>>& things) {
  std::vector<double> best(things.size(), 1e9);
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < things.size(); ++i) best[i] = std::min(best[i], time_of(things[i]));
  }
  return best;
}

// The layout of SmolLM2-135M.
PageGeometry geometry() {
  PageGeometry g;
  g.n_layers = 30, g.n_kv_heads = 3, g.k_dim = g.v_dim = 64, g.page_tokens = 64, g.dtype = DType::f16;
  return g;
}

// f16 numbers with a mean per channel.
std::vector<uint16_t> numbers(size_t n, uint32_t dim) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> some(1 << 16);
  for (size_t i = 0; i < some.size(); ++i) some[i] = normal(random) + static_cast<float>(i % dim % 5) - 2;
  std::vector<uint16_t> out(n);
  for (size_t at = 0; at < n; at += some.size()) {
    from_f32(DType::f16, some.data(), out.data() + at, std::min(some.size(), n - at));
  }
  return out;
}

// What one writes first: per head and channel (keys) or token (values), range and codes, no transform, no packing order.
void plain_loop(const PageGeometry& g, const uint16_t* page, uint8_t* out) {
  for (uint32_t plane = 0; plane < g.n_layers * 2 * g.n_kv_heads; ++plane) {
    const uint16_t* head = page + size_t{plane} * 64 * 64;
    const bool keys = plane / g.n_kv_heads % 2 == 0;
    const auto at = [&](size_t group, size_t i) {
      float x;
      to_f32(DType::f16, head + (keys ? i * 64 + group : group * 64 + i), &x, 1);
      return x;
    };
    for (size_t group = 0; group < 64; ++group) {
      float low = at(group, 0), high = low;
      for (size_t i = 1; i < 64; ++i) low = std::min(low, at(group, i)), high = std::max(high, at(group, i));
      const float scale = (high - low) / 15;
      for (size_t i = 0; i < 64; i += 2) {
        const auto code = [&](size_t j) {
          return scale > 0 ? static_cast<uint8_t>(std::lround((at(group, j) - low) / scale)) : uint8_t{0};
        };
        *out++ = static_cast<uint8_t>(code(i) | code(i + 1) << 4);
      }
    }
  }
}

void bench_speed(Report* report) {
  const PageGeometry g = geometry();
  const size_t pages = report->quick() ? 2 : 64;
  const int rounds = report->quick() ? 1 : 7;
  const std::vector<uint16_t> source = numbers(pages * g.page_bytes() / 2, 64);
  std::vector<uint16_t> copy(source.size());
  const auto page = [&](size_t i) {
    return std::span(reinterpret_cast<const std::byte*>(source.data()) + i * g.page_bytes(), g.page_bytes());
  };
  std::vector<std::vector<std::byte>> encoded[2];
  const Codec* const codecs[] = {find_codec("int8"), find_codec("int4")};
  for (int c = 0; c < 2; ++c) {
    encoded[c].assign(pages, std::vector<std::byte>(codecs[c]->encoded_bytes(g, {})));
  }
  const auto encode = [&](int c) {
    for (size_t i = 0; i < pages; ++i) {
      if (!codecs[c]->encode(g, {}, page(i), encoded[c][i]).is_ok()) throw cli::Failure("encode failed");
    }
  };
  const auto decode = [&](int c) {
    auto* out = reinterpret_cast<std::byte*>(copy.data());
    for (size_t i = 0; i < pages; ++i) {
      for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
        for (const int plane : {KVC_KEY, KVC_VALUE}) {
          (void)codecs[c]->decode(g, encoded[c][i], layer, plane, 0, 64, out, g.head_bytes(plane), g.row_bytes(plane));
          out += g.plane_bytes(plane);
        }
      }
    }
  };
  report->progress().show("codec: encode and decode against memcpy");
  std::vector<uint8_t> loop(g.page_bytes() / 4);
  const std::vector<double> t =
      best_times(rounds, {[&] { std::memcpy(copy.data(), source.data(), source.size() * 2); }, [&] { encode(0); },
                          [&] { encode(1); }, [&] { decode(1); }, [&] { decode(0); },
                          [&] { plain_loop(g, source.data(), loop.data()); }});
  const double bytes = static_cast<double>(source.size()) * 2;
  report->add("encode_int8_vs_memcpy", t[0] / t[1]);
  report->add("encode_int4_vs_memcpy", t[0] / t[2]);
  report->add("decode_vs_memcpy", t[0] / t[3]);
  report->add("decode_int8_vs_memcpy", t[0] / t[4]);
  report->add("quantizer_vs_loop", t[5] * static_cast<double>(pages) / t[2]);
  report->add("memcpy_gb_per_s", bytes / t[0] * 1e-9);
  report->add("encode_int8_gb_per_s", bytes / t[1] * 1e-9);
  report->add("encode_int4_gb_per_s", bytes / t[2] * 1e-9);
  report->add("decode_int4_gb_per_s", bytes / t[3] * 1e-9);
}

// What one writes first for klt at 4 bits: each key centred and multiplied with the basis, value by value, and ranges and
// codes of what comes out; values without a transform.
void plain_transform_loop(const PageGeometry& g, const KltCalibration& c, const uint16_t* page, uint8_t* out) {
  std::vector<float> rows(64 * 64), turned(64 * 64);
  for (uint32_t plane = 0; plane < g.n_layers * 2 * g.n_kv_heads; ++plane) {
    const size_t head = plane / (2 * g.n_kv_heads) * g.n_kv_heads + plane % g.n_kv_heads;
    const bool keys = plane / g.n_kv_heads % 2 == 0;
    to_f32(DType::f16, page + size_t{plane} * 64 * 64, rows.data(), rows.size());
    for (size_t t = 0; t < 64; ++t) {
      for (size_t j = 0; j < 64; ++j) {
        float sum = keys ? 0 : rows[t * 64 + j];
        for (size_t i = 0; i < 64 && keys; ++i) {
          sum += (rows[t * 64 + i] - c.mean[head * 64 + i]) * c.analysis[(head * 64 + i) * 64 + j];
        }
        turned[keys ? j * 64 + t : t * 64 + j] = sum;
      }
    }
    for (size_t group = 0; group < 64; ++group) {
      const float* x = turned.data() + group * 64;
      float low = x[0], high = x[0];
      for (size_t i = 1; i < 64; ++i) low = std::min(low, x[i]), high = std::max(high, x[i]);
      const float scale = (high - low) / 15;
      for (size_t i = 0; i < 64; i += 2) {
        const auto code = [&](size_t k) {
          return scale > 0 ? static_cast<uint8_t>(std::lround((x[k] - low) / scale)) : uint8_t{0};
        };
        *out++ = static_cast<uint8_t>(code(i) | code(i + 1) << 4);
      }
    }
  }
}

void bench_transform(Report* report) {
  const PageGeometry g = geometry();
  const size_t pages = report->quick() ? 1 : 8;
  const std::vector<uint16_t> source = numbers(pages * g.page_bytes() / 2, 64);
  const auto page = [&](size_t i) {
    return std::span(reinterpret_cast<const std::byte*>(source.data()) + i * g.page_bytes(), g.page_bytes());
  };
  KltLearner learner(g, {}, {.bits = 4.75}, 64);
  for (size_t i = 0; i < pages; ++i) learner.add_page(i * 64, 0, page(i));
  std::shared_ptr<const KltCalibration> calibration;
  KltReport learned;
  if (!learner.make(&calibration, &learned).is_ok()) throw cli::Failure("nothing was learned");
  EncodeOptions options;
  options.calibration = calibration.get();
  const Codec& klt = *find_codec("klt");
  std::vector<std::byte> out(klt.encoded_bytes(g, options));
  std::vector<uint8_t> loop(g.page_bytes() / 4);
  report->progress().show("codec: klt against a plain loop");
  const std::vector<double> t = best_times(report->quick() ? 1 : 5, {
      [&] {
        for (size_t i = 0; i < pages; ++i) {
          if (!klt.encode(g, options, page(i), out).is_ok()) throw cli::Failure("encode failed");
        }
      },
      [&] {
        for (size_t i = 0; i < pages; ++i) {
          plain_transform_loop(g, *calibration, source.data() + i * g.page_bytes() / 2, loop.data());
        }
      }});
  report->add("compressor_vs_loop", t[1] / t[0]);
  report->add("encode_klt_gb_per_s", static_cast<double>(source.size()) * 2 / t[0] * 1e-9);
}

// ggml's row functions over the same numbers, f16 in and out as a cache has them: it converts to floats on the way.
void bench_ggml_rows(Report* report) {
  std::string why;
  const std::unique_ptr<Ggml> ggml = load_ggml(&why);
  if (ggml == nullptr) {
    report->progress().clear();
    cli::complain("ggml's row functions are not measured: " + why);
    return;
  }
  report->progress().show("codec: ggml's row functions");
  const size_t n = report->quick() ? 1 << 14 : 1 << 23, row = 4096;
  const std::vector<uint16_t> source = numbers(n, 64);
  std::vector<uint16_t> back(n);
  std::vector<float> floats(row);
  std::vector<std::byte> blocks[2] = {std::vector<std::byte>(n / 32 * 18), std::vector<std::byte>(n / 32 * 34)};
  const auto encode = [&](int i, GgmlType type) {
    for (size_t at = 0; at < n; at += row) {
      to_f32(DType::f16, source.data() + at, floats.data(), row);
      ggml->encode_rows(type, floats.data(), blocks[i].data() + at / 32 * (i == 0 ? 18 : 34), static_cast<int64_t>(row));
    }
  };
  const auto decode = [&](int i, GgmlType type) {
    for (size_t at = 0; at < n; at += row) {
      ggml->decode_rows(type, blocks[i].data() + at / 32 * (i == 0 ? 18 : 34), floats.data(), static_cast<int64_t>(row));
      from_f32(DType::f16, floats.data(), back.data() + at, row);
    }
  };
  const std::vector<double> t = best_times(
      report->quick() ? 1 : 5, {[&] { encode(0, GgmlType::q4_0); }, [&] { encode(1, GgmlType::q8_0); },
                                [&] { decode(0, GgmlType::q4_0); }, [&] { decode(1, GgmlType::q8_0); }});
  const double bytes = static_cast<double>(n) * 2e-9;
  report->add("ggml_encode_q4_0_gb_per_s", bytes / t[0]);
  report->add("ggml_encode_q8_0_gb_per_s", bytes / t[1]);
  report->add("ggml_decode_q4_0_gb_per_s", bytes / t[2]);
  report->add("ggml_decode_q8_0_gb_per_s", bytes / t[3]);
  report->add("encode_int4_vs_ggml_q4_0", report->value("encode_int4_gb_per_s") * t[0] / bytes);
  report->add("encode_int8_vs_ggml_q8_0", report->value("encode_int8_gb_per_s") * t[1] / bytes);
  report->add("decode_int4_vs_ggml_q4_0", report->value("decode_int4_gb_per_s") * t[2] / bytes);
}

// A session of so many tokens in an engine with a codec.
class Holder {
 public:
  // rope: the space says how its keys are turned, as SmolLM2's are.
  Holder(const char* codec, size_t tokens, uint32_t layers, bool rope = false) : layers_(layers) {
    Config config("seamless");
    config.set("model", "none").set("memory", "8GiB").set("codec", codec).set("codec_learn", "256");
    engine_ = std::make_unique<Engine>(config);
    kvc_space_desc_t desc;
    cli::check(kvc_space_desc_init(&desc, sizeof desc), "space");
    desc.weights_digest = "bench", desc.weights_digest_size = 5;
    desc.none = KVC_NONE_TOKENIZER | (rope ? 0 : KVC_NONE_ROPE) | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
    kvc_rope_t turn{};
    turn.struct_size = sizeof turn;
    turn.base = 100000, turn.freq_scale = 1, turn.dims = 64, turn.applied = 1;
    if (rope) desc.rope = &turn;
    desc.n_layers = layers, desc.n_kv_heads = 3, desc.k_head_dim = 64, desc.dtype = KVC_F16, desc.page_tokens = 64;
    engine_->check(kvc_space_open(engine_->handle(), &desc, &space_), "space");
    engine_->check(kvc_session_open(space_, nullptr, &session_), "session");
    constexpr size_t kChunk = 256;
    std::vector<uint16_t> rows = numbers(kChunk * 3 * 64, 64);
    std::vector<int32_t> ids(kChunk);
    kvc_tensor_t tensor;
    cli::check(kvc_tensor_thd(&tensor, rows.data(), KVC_F16, kChunk, 3, 64), "tensor");
    const std::vector<kvc_tensor_t> all(layers, tensor);
    for (size_t at = 0; at < tokens; at += kChunk) {
      for (size_t i = 0; i < kChunk; ++i) ids[i] = static_cast<int32_t>((at + i) % 30000);
      cli::check(kvc_session_append_all(session_, all.data(), all.data(), layers, kChunk), "append");
      cli::check(kvc_session_commit(session_, ids.data(), kChunk), "commit");
    }
  }
  ~Holder() {
    kvc_session_close(session_, KVC_CLOSE_FINISHED, 0);
    kvc_space_close(space_);
  }
  uint64_t memory() const {
    const kvc_stats_t stats = engine_->stats();
    return stats.memory_payload + stats.memory_metadata;
  }
  // One decode step: 9 query heads over all layers. Gives the last layer's result.
  void attend(std::vector<float>* query, std::vector<float>* out) {
    kvc_tensor_t q, o;
    cli::check(kvc_tensor_thd(&q, query->data(), KVC_F32, 1, 9, 64), "tensor");
    cli::check(kvc_tensor_thd(&o, out->data(), KVC_F32, 1, 9, 64), "tensor");
    for (uint32_t layer = 0; layer < layers_; ++layer) {
      cli::check(kvc_session_attend(session_, layer, nullptr, &q, &o), "attend");
    }
  }

 private:
  uint32_t layers_;
  std::unique_ptr<Engine> engine_;
  kvc_space_t* space_ = nullptr;
  kvc_session_t* session_ = nullptr;
};

void bench_memory(Report* report) {
  report->progress().show("codec: memory of a session");
  const Holder holder("int4", 4096, 30);
  report->add("session_4k_memory_ratio", static_cast<double>(holder.memory()) / (4096.0 * 30 * 2 * 3 * 64 * 2));
}

// One query head over one K/V head, from the definition.
std::vector<float> reference(const std::vector<float>& kv, const float* query, size_t tokens) {
  std::vector<double> scores(tokens), mixed(64);
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t d = 0; d < 64; ++d) scores[t] += static_cast<double>(query[d]) * static_cast<double>(kv[t * 64 + d]) / 8;
  }
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (size_t t = 0; t < tokens; ++t) {
    const double p = std::exp(scores[t] - top);
    sum += p;
    for (size_t d = 0; d < 64; ++d) mixed[d] += p * static_cast<double>(kv[t * 64 + d]);
  }
  std::vector<float> out(64);
  for (size_t d = 0; d < 64; ++d) out[d] = static_cast<float>(mixed[d] / sum);
  return out;
}

double largest_difference(const std::vector<float>& a, const float* b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i] - b[i])));
  return most;
}

void bench_attend(Report* report) {
  const bool quick = report->quick();
  const int rounds = quick ? 1 : 9;
  std::vector<float> query(9 * 64), out(query.size());
  for (size_t i = 0; i < query.size(); ++i) query[i] = static_cast<float>(i % 13) * 0.1f - 0.6f;
  {
    report->progress().show("attend: pages beyond the caches");
    const size_t tokens = quick ? 512 : 16384;
    const uint32_t layers = quick ? 2 : 30;
    Holder f16("identity", tokens, layers), int8("int8", tokens, layers), int4("int4", tokens, layers);
    Holder klt("klt", tokens, layers, true), klt_still("klt", tokens, layers, false);
    std::vector<uint64_t> memory(f16.memory() / 8 + 1, 1);
    uint64_t sum = 0;
    const std::vector<double> t =
        best_times(rounds, {[&] { f16.attend(&query, &out); }, [&] { int8.attend(&query, &out); },
                            [&] { int4.attend(&query, &out); }, [&] { klt.attend(&query, &out); },
                            [&] { klt_still.attend(&query, &out); },
                            [&] {
                              uint64_t s[8] = {};
                              for (size_t i = 0; i + 8 <= memory.size(); i += 8) {
                                for (size_t j = 0; j < 8; ++j) s[j] += memory[i + j];
                              }
                              for (const uint64_t part : s) sum += part;
                            }});
    if (sum == 0) throw cli::Failure("memory was not read");
    const double rows = static_cast<double>(tokens) * layers * 3;
    report->add("attend_int8_vs_f16", t[0] / t[1]);
    report->add("attend_int4_vs_f16", t[0] / t[2]);
    report->add("attend_f16_ns_per_row", t[0] / rows * 1e9);
    report->add("attend_int8_ns_per_row", t[1] / rows * 1e9);
    report->add("attend_int4_ns_per_row", t[2] / rows * 1e9);
    report->add("attend_klt_vs_f16", t[0] / t[3]);
    report->add("attend_klt_without_rope_vs_f16", t[0] / t[4]);
    report->add("attend_klt_ns_per_row", t[3] / rows * 1e9);
    report->add("attend_klt_without_rope_ns_per_row", t[4] / rows * 1e9);
    report->add("attend_f16_vs_bandwidth", t[5] / t[0]);
    report->add("read_gb_per_s", static_cast<double>(memory.size()) * 8 / t[5] * 1e-9);
  }
  std::string why;
  const std::unique_ptr<Ggml> ggml = load_ggml(&why);
  if (ggml == nullptr) {
    report->progress().clear();
    cli::complain("ggml is not measured: " + why);
    return;
  }
  report->progress().show("attend: against " + ggml->variant());
  const int64_t tokens = quick ? 256 : 4096, layers = quick ? 2 : 30;
  Holder own("int4", static_cast<size_t>(tokens), static_cast<uint32_t>(layers));
  Holder own_f16("identity", static_cast<size_t>(tokens), static_cast<uint32_t>(layers));
  // The same K/V as the holders': rows of a chunk, again and again.
  const std::vector<uint16_t> rows = numbers(256 * 3 * 64, 64);
  std::vector<float> chunk(rows.size()), kv(static_cast<size_t>(tokens) * 3 * 64);
  to_f32(DType::f16, rows.data(), chunk.data(), rows.size());
  for (size_t head = 0; head < 3; ++head) {
    for (size_t token = 0; token < static_cast<size_t>(tokens); ++token) {
      std::memcpy(&kv[(head * static_cast<size_t>(tokens) + token) * 64], &chunk[(token % 256 * 3 + head) * 64],
                  64 * sizeof(float));
    }
  }
  const GgmlShape shape{layers, tokens, 3, 9, 64};
  const auto f16 = ggml->attention(GgmlType::f16, shape, kv, kv, query);
  const auto q4_0 = ggml->attention(GgmlType::q4_0, shape, kv, kv, query);
  const auto q8_0 = ggml->attention(GgmlType::q8_0, shape, kv, kv, query);
  // All compute the same: largest differences of the first head from the definition.
  const std::vector<float> want = reference(kv, query.data(), static_cast<size_t>(tokens));
  own_f16.attend(&query, &out);
  report->add("difference_own_f16", largest_difference(want, out.data()));
  own.attend(&query, &out);
  report->add("difference_own_int4", largest_difference(want, out.data()));
  report->add("difference_ggml_f16", largest_difference(want, f16->run()));
  report->add("difference_ggml_q4_0", largest_difference(want, q4_0->run()));
  const std::vector<double> t =
      best_times(rounds, {[&] { own.attend(&query, &out); }, [&] { f16->run(); }, [&] { q4_0->run(); },
                          [&] { q8_0->run(); }, [&] { own_f16.attend(&query, &out); }});
  report->add("attend_int4_vs_ggml_f16", t[1] / t[0]);
  report->add("attend_int4_vs_ggml_q4_0", t[2] / t[0]);
  report->add("attend_int4_vs_ggml_q8_0", t[3] / t[0]);
  report->add("attend_f16_vs_ggml_f16", t[1] / t[4]);
  const double n = static_cast<double>(tokens) * static_cast<double>(layers) * 3;
  report->add("attend_int4_4k_ns_per_row", t[0] / n * 1e9);
  report->add("ggml_f16_ns_per_row", t[1] / n * 1e9);
  report->add("ggml_q4_0_ns_per_row", t[2] / n * 1e9);
}

// The figures in a file that bench/quality wrote; those that it does not have stay open.
void add_quality(const std::string& path, Report* report) {
  std::ifstream file(path);
  const std::string json((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (json.empty()) throw cli::Failure(path + " cannot be read: bench/quality --figures and --bounds write such files");
  for (const Figure& figure : kQualityFigures) {
    if (const auto value = cli::find_number(json, figure.key)) report->add(figure.key, *value);
  }
}

int run(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const std::vector<cli::Option> options = {
      {"json", nullptr, "print one JSON object, nothing else"},
      {"quality", "FILE", "with codec: adds the figures that bench/quality --figures or --bounds wrote; repeatable"},
      {"quick", nullptr, "tiny sizes: shows that everything runs, measures nothing"},
      {"help", nullptr, "this text"}};
  if (what != "codec" && what != "attend") throw cli::UsageError("bench of what? There is: codec, attend");
  const Args args(options, {argv + 2, argv + argc});
  if (args.has("help")) {
    cli::print("usage: kvc bench " + what + " [options]\n\nOne thread, in its own CPU time, about a minute.\n\n" +
               cli::describe_options(options));
    return cli::kExitOk;
  }
  Report report(args.has("quick"));
  if (what == "codec") {
    bench_speed(&report);
    bench_transform(&report);
    bench_ggml_rows(&report);
    bench_memory(&report);
    for (const std::string& path : args.all("quality")) add_quality(path, &report);
  } else {
    bench_attend(&report);
  }
  report.progress().clear();
  std::vector<Figure> figures;
  if (what == "codec") {
    figures.assign(std::begin(kCodecFigures), std::end(kCodecFigures));
    for (const Figure& figure : kQualityFigures) {
      if (!std::isnan(report.value(figure.key))) figures.push_back(figure);
    }
  } else {
    figures.assign(std::begin(kAttendFigures), std::end(kAttendFigures));
  }
  cli::print(args.has("json") ? report_json(report, figures) : report_table(report, figures));
  return cli::kExitOk;
}

}  // namespace
}  // namespace kvc::bench

int main(int argc, char** argv) {
  try {
    return kvc::bench::run(argc, argv);
  } catch (const kvc::cli::UsageError& error) {
    kvc::cli::complain(error.what());
    return kvc::cli::kExitUsage;
  } catch (const std::exception& error) {
    kvc::cli::complain(error.what());
    return kvc::cli::kExitFailure;
  }
}

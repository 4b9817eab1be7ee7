// Measures how fast K/V goes in and out, against memcpy of the same bytes in the same minute.
//
// The layout is that of a model of about a billion parameters: 16 layers, 8 K/V heads of 64, f16. That is 32 KiB a
// token and 128 MiB for 4,096.
#include <cstring>

#include "bench.h"

namespace kvc::cli {
namespace {

struct Shape {
  uint32_t layers = 16, heads = 8, dim = 64;
  size_t tokens = 4096, chunk = 256;
  size_t plane() const { return chunk * heads * dim; }  // numbers of one plane of one chunk
  size_t numbers() const { return 2 * layers * tokens * heads * dim; }
  size_t bytes() const { return 2 * numbers(); }
};

enum class Order { kHeadsTokens, kTokensHeads };

void describe(kvc_tensor_t* tensor, uint16_t* data, Order order, const Shape& shape, size_t tokens) {
  const auto make = order == Order::kHeadsTokens ? kvc_tensor_htd : kvc_tensor_thd;
  check(make(tensor, data, KVC_F16, tokens, shape.heads, shape.dim), "tensor");
}

// What a model would hand over: chunk after chunk, in each [layer][K|V], each plane compact in some order.
class Source {
 public:
  explicit Source(const Shape& shape) : shape_(shape), numbers_(shape.numbers()) {
    uint32_t x = 1;
    for (uint16_t& number : numbers_) {
      x = x * 1664525u + 1013904223u;
      number = static_cast<uint16_t>((x >> 16) & 0xbbff);  // any f16 below 2: no infinity, no NaN
    }
  }
  const uint16_t* data() const { return numbers_.data(); }

  // The planes of chunk `index` as tensors.
  void tensors(size_t index, Order order, std::vector<kvc_tensor_t>* k, std::vector<kvc_tensor_t>* v) {
    k->resize(shape_.layers);
    v->resize(shape_.layers);
    uint16_t* at = numbers_.data() + index * 2 * shape_.layers * shape_.plane();
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      describe(&(*k)[layer], at, order, shape_, shape_.chunk);
      describe(&(*v)[layer], at + shape_.plane(), order, shape_, shape_.chunk);
      at += 2 * shape_.plane();
    }
  }

  // The `dim` numbers of one token of one head, as they lie in a source of [heads][tokens][dim] planes.
  const uint16_t* row(uint32_t layer, int32_t plane, uint32_t head, size_t token) const {
    const size_t planes = (token / shape_.chunk * shape_.layers + layer) * 2 + static_cast<size_t>(plane);
    return numbers_.data() + planes * shape_.plane() + (head * shape_.chunk + token % shape_.chunk) * shape_.dim;
  }

 private:
  const Shape shape_;
  std::vector<uint16_t> numbers_;
};

// A session that holds the source under `tokens`, appended and committed chunk by chunk.
kvc_session_t* append_source(kvc_space_t* space, const Shape& shape, const std::vector<int32_t>& tokens,
                             const std::vector<std::vector<kvc_tensor_t>>& k,
                             const std::vector<std::vector<kvc_tensor_t>>& v) {
  kvc_session_t* session = nullptr;
  check(kvc_session_open(space, nullptr, &session), "session");
  for (size_t chunk = 0; chunk * shape.chunk < shape.tokens; ++chunk) {
    check(kvc_session_append_all(session, k[chunk].data(), v[chunk].data(), shape.layers, shape.chunk), "append");
    check(kvc_session_commit(session, tokens.data() + chunk * shape.chunk, shape.chunk), "commit");
  }
  return session;
}

// One measurement at a time: the engines hold hundreds of megabytes.
class Copies {
 public:
  explicit Copies(Report* report)
      : report_(report), shape_(shape_of(*report)), source_(shape_), target_(shape_.numbers(), 1) {
    for (size_t chunk = 0; chunk < shape_.tokens / shape_.chunk; ++chunk) {
      htd_k_.emplace_back(), htd_v_.emplace_back(), thd_k_.emplace_back(), thd_v_.emplace_back();
      source_.tensors(chunk, Order::kHeadsTokens, &htd_k_.back(), &htd_v_.back());
      source_.tensors(chunk, Order::kTokensHeads, &thd_k_.back(), &thd_v_.back());
    }
    // Room for three prefixes: one in use, the rest to be recycled.
    config_.set("model", "none").set("memory", std::to_string(shape_.bytes() * 7 / 2 + (16u << 20)));
  }

  void bench_read() {
    const Engine engine(config_);
    kvc_space_t* space = open_bench_space(engine, shape_.layers, shape_.heads, shape_.dim);
    kvc_session_t* session = append_source(space, shape_, fresh_tokens(), htd_k_, htd_v_);
    std::vector<double> htd, thd, copy_speed;
    for (int round = 0; round < rounds(); ++round) {
      const double copy = time_memcpy();
      const double read_htd = time_read(session, Order::kHeadsTokens);
      if (round == 0) verify(Order::kHeadsTokens);
      const double read_thd = time_read(session, Order::kTokensHeads);
      if (round == 0) verify(Order::kTokensHeads);
      htd.push_back(copy / read_htd);
      thd.push_back(copy / read_thd);
      copy_speed.push_back(static_cast<double>(shape_.bytes()) / copy * 1e-9);
    }
    kvc_session_close(session, KVC_CLOSE_FINISHED, 0);
    kvc_space_close(space);
    report_->add("read_vs_memcpy", median(htd));
    report_->add("read_thd_vs_memcpy", median(thd));
    report_->add("memcpy_gb_per_s", median(copy_speed));
  }

  void bench_append() {
    const Engine engine(config_);
    kvc_space_t* space = open_bench_space(engine, shape_.layers, shape_.heads, shape_.dim);
    // Until the budget is full and every further page takes the place of an old one; then once more all through it.
    int filled = 0;
    for (; filled < 1000 && engine.stats().pages_evicted == 0; ++filled) time_append(space, Order::kHeadsTokens);
    if (engine.stats().pages_evicted == 0)
      throw Failure("append was to be measured with a full cache, but it does not fill");
    for (int i = 0; i < filled; ++i) time_append(space, Order::kHeadsTokens);
    std::vector<double> htd, thd;
    for (int round = 0; round < rounds(); ++round) {
      const double copy = time_memcpy_in_chunks();
      htd.push_back(copy / time_append(space, Order::kHeadsTokens));
      thd.push_back(copy / time_append(space, Order::kTokensHeads));
    }
    kvc_space_close(space);
    report_->add("append_vs_memcpy", median(htd));
    report_->add("append_thd_vs_memcpy", median(thd));
  }

 private:
  static Shape shape_of(const Report& report) {
    Shape shape;
    if (report.quick()) shape.layers = 2, shape.heads = 2, shape.tokens = 512;
    return shape;
  }

  int rounds() const { return report_->quick() ? 2 : 21; }

  // Tokens that no prefix begins with yet: a repetition would be found and dropped, not stored.
  std::vector<int32_t> fresh_tokens() {
    std::vector<int32_t> tokens(shape_.tokens);
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>((i * 7919 + 1) % 32000);
    tokens[0] = ++serial_;
    return tokens;
  }

  double time_memcpy() {
    const double start = now_seconds();
    std::memcpy(target_.data(), source_.data(), shape_.bytes());
    return seconds_since(start);
  }

  double time_memcpy_in_chunks() {
    const size_t chunk = 2 * shape_.layers * shape_.plane();
    const double start = now_seconds();
    for (size_t at = 0; at < shape_.numbers(); at += chunk) {
      std::memcpy(target_.data() + at, source_.data() + at, chunk * sizeof(uint16_t));
    }
    return seconds_since(start);
  }

  double time_read(kvc_session_t* session, Order order) {
    std::vector<kvc_tensor_t> k(shape_.layers), v(shape_.layers);
    const size_t plane = shape_.tokens * shape_.heads * shape_.dim;
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      describe(&k[layer], target_.data() + 2 * layer * plane, order, shape_, shape_.tokens);
      describe(&v[layer], target_.data() + (2 * layer + 1) * plane, order, shape_, shape_.tokens);
    }
    const double start = now_seconds();
    check(kvc_session_read_all(session, 0, shape_.tokens, k.data(), v.data(), shape_.layers), "read");
    return seconds_since(start);
  }

  double time_append(kvc_space_t* space, Order order) {
    const bool htd = order == Order::kHeadsTokens;
    const std::vector<int32_t> tokens = fresh_tokens();
    const double start = now_seconds();
    kvc_session_t* session = append_source(space, shape_, tokens, htd ? htd_k_ : thd_k_, htd ? htd_v_ : thd_v_);
    check(kvc_session_close(session, KVC_CLOSE_KEEP, 0), "close");
    return seconds_since(start);
  }

  // The compiler must not think that nobody looks at target_.
  double seconds_since(double start) const {
    __asm__ volatile("" : : "r"(target_.data()) : "memory");
    return now_seconds() - start;
  }

  // What was read is what was appended.
  void verify(Order order) const {
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      for (int32_t plane = KVC_KEY; plane <= KVC_VALUE; ++plane) {
        const uint16_t* read =
            target_.data() + (2 * layer + static_cast<uint32_t>(plane)) * shape_.tokens * shape_.heads * shape_.dim;
        for (uint32_t head = 0; head < shape_.heads; ++head) {
          for (size_t token = 0; token < shape_.tokens; ++token) {
            const size_t at = order == Order::kHeadsTokens ? head * shape_.tokens + token : token * shape_.heads + head;
            if (std::memcmp(read + at * shape_.dim, source_.row(layer, plane, head, token), 2 * shape_.dim) != 0) {
              throw Failure("read gave other numbers than were appended: layer " + std::to_string(layer) + ", token " +
                            std::to_string(token));
            }
          }
        }
      }
    }
  }

  Report* const report_;
  const Shape shape_;
  Source source_;
  std::vector<uint16_t> target_;
  std::vector<std::vector<kvc_tensor_t>> htd_k_, htd_v_, thd_k_, thd_v_;  // of the source, by chunk
  Config config_{"seamless"};
  int32_t serial_ = 0;
};

}  // namespace

void bench_copies(Report* report) {
  report->progress().show("copies: touching memory");
  Copies copies(report);
  report->progress().show("copies: read against memcpy");
  copies.bench_read();
  report->progress().show("copies: append against memcpy");
  copies.bench_append();
}

}  // namespace kvc::cli

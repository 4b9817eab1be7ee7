// What the tests of the page core share: engines and sessions with owners, an allocator that counts, and made-up K/V
// rows.
//
// A row is computed from (salt of the space and tenant, all tokens up to its position, layer, plane, head). Two
// sequences thus have equal rows exactly where a model's would be equal, and a page that was reused where it must not
// be is seen by its numbers.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kvc/kvc.h"

namespace kvc_test {

inline std::string words(kvc_engine_t* engine) {
  char text[512] = "";
  kvc_engine_last_error(engine, text, sizeof text);
  return text;
}
inline std::string words(kvc_session_t* session) {
  char text[512] = "";
  kvc_session_last_error(session, text, sizeof text);
  return text;
}

// EXPECT/ASSERT that a call gives a status, with the names and the handle's words in the report.
#define EXPECT_STATUS(expected, call, handle)                                                              \
  do {                                                                                                     \
    const kvc_status_t got_ = (call);                                                                      \
    EXPECT_EQ(expected, got_) << kvc_status_name(got_) << ": " << ::kvc_test::words(handle) << "\n" #call; \
  } while (0)
#define ASSERT_STATUS(expected, call, handle)                                                              \
  do {                                                                                                     \
    const kvc_status_t got_ = (call);                                                                      \
    ASSERT_EQ(expected, got_) << kvc_status_name(got_) << ": " << ::kvc_test::words(handle) << "\n" #call; \
  } while (0)

// True under a sanitizer or valgrind: long sweeps do less.
inline bool quick() { return std::getenv("KVC_TEST_QUICK") != nullptr; }

// ----------------------------------------------------------------------------------------------------------------------
// Memory that is counted where it is asked for, independently of the library's own books.
class CountingAllocator {
 public:
  kvc_allocator_t table() {
    kvc_allocator_t t{};
    t.struct_size = sizeof t;
    t.user_data = this;
    t.allocate = [](void* user, size_t size, size_t alignment) -> void* {
      auto* self = static_cast<CountingAllocator*>(user);
      void* p = nullptr;
      if (posix_memalign(&p, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) != 0) return nullptr;
      const uint64_t now = self->used_.fetch_add(size) + size;
      uint64_t peak = self->peak_.load();
      while (peak < now && !self->peak_.compare_exchange_weak(peak, now)) {
      }
      return p;
    };
    t.release = [](void* user, void* pointer, size_t size, size_t) {
      static_cast<CountingAllocator*>(user)->used_.fetch_sub(size);
      std::free(pointer);
    };
    return t;
  }
  uint64_t used() const { return used_.load(); }
  uint64_t peak() const { return peak_.load(); }

 private:
  std::atomic<uint64_t> used_{0}, peak_{0};
};

// A clock that the test moves.
class TestClock {
 public:
  kvc_clock_t table() {
    kvc_clock_t t{};
    t.struct_size = sizeof t;
    t.user_data = this;
    t.now_ns = [](void* user) { return static_cast<TestClock*>(user)->now_.fetch_add(1000); };
    return t;
  }
  void advance(uint64_t ns) { now_ += ns; }

 private:
  std::atomic<uint64_t> now_{1'000'000'000};
};

// ----------------------------------------------------------------------------------------------------------------------
using Options = std::map<std::string, std::string>;

class Engine {
 public:
  // Without a model: the core alone.
  explicit Engine(Options options = {}, const kvc_allocator_t* allocator = nullptr,
                  const kvc_clock_t* clock = nullptr, const kvc_codec_t* codec = nullptr) {
    options.emplace("model", "none");
    kvc_config_t* config = nullptr;
    EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    for (const auto& [key, value] : options) {
      const kvc_status_t status = kvc_config_set(config, key.c_str(), value.c_str());
      char text[256] = "";
      kvc_config_last_error(config, text, sizeof text);
      EXPECT_EQ(KVC_OK, status) << key << "=" << value << ": " << text;
    }
    if (allocator != nullptr) {
      EXPECT_EQ(KVC_OK, kvc_config_set_allocator(config, allocator));
    }
    if (clock != nullptr) {
      EXPECT_EQ(KVC_OK, kvc_config_set_clock(config, clock));
    }
    if (codec != nullptr) {
      EXPECT_EQ(KVC_OK, kvc_config_set_codec(config, codec));
    }
    kvc_error_t error{};
    error.struct_size = sizeof error;
    EXPECT_EQ(KVC_OK, kvc_engine_create_with_error(config, &handle_, &error)) << error.message;
    kvc_config_destroy(config);
  }
  ~Engine() { kvc_engine_destroy(handle_); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  operator kvc_engine_t*() const { return handle_; }  // NOLINT: stands for its handle

  kvc_stats_t stats() const {
    kvc_stats_t stats{};
    stats.struct_size = sizeof stats;
    EXPECT_EQ(KVC_OK, kvc_stats(handle_, &stats));
    return stats;
  }
  std::vector<kvc_page_info_t> pages(const char* tenant = nullptr) const {
    std::vector<kvc_page_info_t> all;
    kvc_page_iter_t* iter = nullptr;
    EXPECT_EQ(KVC_OK, kvc_page_iter_open(handle_, tenant, &iter));
    for (;;) {
      kvc_page_info_t info{};
      info.struct_size = sizeof info;
      const kvc_status_t status = kvc_page_iter_next(iter, &info);
      if (status != KVC_OK) {
        EXPECT_EQ(KVC_END, status);
        break;
      }
      all.push_back(info);
    }
    kvc_page_iter_close(iter);
    return all;
  }

 private:
  kvc_engine_t* handle_ = nullptr;
};

// ----------------------------------------------------------------------------------------------------------------------
struct Geometry {
  uint32_t layers = 2;
  uint32_t heads = 2;
  uint32_t k_dim = 4;
  uint32_t v_dim = 4;
  int32_t dtype = KVC_F16;
  uint32_t page_tokens = 4;
  int32_t vocab = 0;

  uint32_t dim(int plane) const { return plane == KVC_KEY ? k_dim : v_dim; }
  size_t element() const { return dtype == KVC_F32 ? 4 : 2; }
  uint64_t page_bytes() const { return uint64_t{layers} * heads * page_tokens * (k_dim + v_dim) * element(); }
};

inline uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9E3779B97F4A7C15ull + b + 0x632BE59BD9B4E019ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// The identity that a test space gets; every field can be varied.
struct Identity {
  std::string weights = "weights-digest-1";
  std::string tokenizer = "tokenizer-1";
  kvc_rope_t rope{sizeof(kvc_rope_t), 10000, 1, "none", 0, 0, 0, 0, 4, 0, 0, 1};
  std::vector<std::pair<std::string, double>> adapters;
  std::string attention = "window=none";
  uint32_t none = KVC_NONE_ADAPTERS;
  Geometry geometry;
};

class Space {
 public:
  Space(kvc_engine_t* engine, const Geometry& geometry) : Space(engine, with(geometry)) {}
  Space(kvc_engine_t* engine, const Identity& identity) : geometry_(identity.geometry) {
    kvc_space_desc_t d;
    EXPECT_EQ(KVC_OK, kvc_space_desc_init(&d, sizeof d));
    d.weights_digest = identity.weights.data();
    d.weights_digest_size = identity.weights.size();
    if ((identity.none & KVC_NONE_TOKENIZER) == 0) {
      d.tokenizer_digest = identity.tokenizer.data();
      d.tokenizer_digest_size = identity.tokenizer.size();
    }
    if ((identity.none & KVC_NONE_ROPE) == 0) d.rope = &identity.rope;
    std::vector<kvc_adapter_t> adapters;
    for (const auto& [digest, scale] : identity.adapters)
      adapters.push_back({sizeof(kvc_adapter_t), digest.data(), digest.size(), scale});
    d.adapters = adapters.empty() ? nullptr : adapters.data();
    d.n_adapters = static_cast<uint32_t>(adapters.size());
    if ((identity.none & KVC_NONE_ATTENTION) == 0) d.attention = identity.attention.c_str();
    d.none = identity.none;
    d.n_layers = geometry_.layers;
    d.n_kv_heads = geometry_.heads;
    d.k_head_dim = geometry_.k_dim;
    d.v_head_dim = geometry_.v_dim;
    d.dtype = geometry_.dtype;
    d.page_tokens = geometry_.page_tokens;
    d.vocab_size = geometry_.vocab;
    EXPECT_STATUS(KVC_OK, kvc_space_open(engine, &d, &handle_), engine);
    kvc_space_info_t i = info();
    std::memcpy(&salt_, i.digest, sizeof salt_);
  }
  ~Space() { kvc_space_close(handle_); }
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  operator kvc_space_t*() const { return handle_; }  // NOLINT: stands for its handle

  kvc_space_info_t info() const {
    kvc_space_info_t info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(KVC_OK, kvc_space_info(handle_, &info));
    return info;
  }
  const Geometry& geometry() const { return geometry_; }
  uint64_t salt() const { return salt_; }

 private:
  static Identity with(const Geometry& geometry) {
    Identity identity;
    identity.geometry = geometry;
    return identity;
  }
  kvc_space_t* handle_ = nullptr;
  Geometry geometry_;
  uint64_t salt_ = 0;
};

using Tokens = std::vector<int32_t>;

inline Tokens random_tokens(std::mt19937_64& random, size_t n, int32_t vocab = 1000) {
  Tokens tokens(n);
  for (int32_t& t : tokens) t = static_cast<int32_t>(random() % static_cast<uint64_t>(vocab));
  return tokens;
}
inline Tokens concat(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
inline Tokens prefix(const Tokens& tokens, size_t n) {
  return Tokens(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(n));
}

// A sequence as a test remembers it: its tokens and, for every position, the hash of all tokens up to there.
struct Sequence {
  uint64_t salt = 0;
  Tokens tokens;
  std::vector<uint64_t> hashes;

  explicit Sequence(uint64_t salt_of_space = 0, const Tokens& initial = {}) : salt(salt_of_space) { extend(initial); }
  void extend(const Tokens& more) {
    for (int32_t t : more) {
      hashes.push_back(mix(hashes.empty() ? salt : hashes.back(), static_cast<uint64_t>(t) + 1));
      tokens.push_back(t);
    }
  }
  void truncate(size_t n) {
    tokens.resize(n);
    hashes.resize(n);
  }
  size_t size() const { return tokens.size(); }
};

// Bits of one number; finite in every dtype.
inline void put_row(const Geometry& g, uint64_t hash, uint32_t layer, int plane, uint32_t head, std::byte* out) {
  uint64_t state = mix(hash, (uint64_t{layer} << 32) | (uint64_t{head} << 1) | static_cast<uint64_t>(plane));
  for (uint32_t d = 0; d < g.dim(plane); ++d) {
    state = mix(state, d);
    if (g.dtype == KVC_F32) {
      const uint32_t bits = static_cast<uint32_t>(state) & 0xBFFFFFFFu;
      std::memcpy(out + 4 * d, &bits, 4);
    } else {
      const uint16_t bits = static_cast<uint16_t>(state) & 0xBFFFu;
      std::memcpy(out + 2 * d, &bits, 2);
    }
  }
}

enum class Layout { thd, htd, padded };

// A buffer for n tokens of a plane, and the tensor that describes it.
struct Block {
  std::vector<std::byte> bytes;
  kvc_tensor_t tensor{};
  int64_t token_stride = 0, head_stride = 0;  // elements
  size_t element = 2;

  Block(const Geometry& g, int plane, size_t n, Layout layout, int32_t dtype = 0) {
    if (dtype == 0) dtype = g.dtype;
    element = dtype == KVC_F32 ? 4 : 2;
    const uint32_t dim = g.dim(plane);
    if (n == 0) n = 1;
    if (layout == Layout::thd) {
      token_stride = int64_t{g.heads} * dim;
      head_stride = dim;
      bytes.assign(n * g.heads * dim * element, std::byte{0xAA});
      EXPECT_EQ(KVC_OK, kvc_tensor_thd(&tensor, bytes.data(), dtype, n, g.heads, dim));
    } else if (layout == Layout::htd) {
      token_stride = dim;
      head_stride = static_cast<int64_t>(n) * dim;
      bytes.assign(n * g.heads * dim * element, std::byte{0xAA});
      EXPECT_EQ(KVC_OK, kvc_tensor_htd(&tensor, bytes.data(), dtype, n, g.heads, dim));
    } else {  // rows three elements apart, tokens five more
      head_stride = dim + 3;
      token_stride = g.heads * head_stride + 5;
      bytes.assign(n * static_cast<size_t>(token_stride) * element, std::byte{0xAA});
      tensor.struct_size = sizeof tensor;
      tensor.data = bytes.data();
      tensor.size = bytes.size();
      tensor.dtype = dtype;
      tensor.n_dims = 3;
      tensor.shape[0] = static_cast<int64_t>(n);
      tensor.shape[1] = g.heads;
      tensor.shape[2] = dim;
      tensor.strides[0] = token_stride;
      tensor.strides[1] = head_stride;
      tensor.strides[2] = 1;
    }
  }
  std::byte* row(size_t token, uint32_t head) {
    return bytes.data() +
           (static_cast<int64_t>(token) * token_stride + int64_t{head} * head_stride) * static_cast<int64_t>(element);
  }
};

// Rows [from, from + n) of a sequence as a block to append.
inline Block rows_of(const Geometry& g, const Sequence& s, uint32_t layer, int plane, size_t from, size_t n,
                     Layout layout = Layout::thd) {
  Block block(g, plane, n, layout);
  for (size_t t = 0; t < n; ++t)
    for (uint32_t h = 0; h < g.heads; ++h) put_row(g, s.hashes[from + t], layer, plane, h, block.row(t, h));
  return block;
}

inline float decode(int32_t dtype, const std::byte* p) {
  if (dtype == KVC_F32) {
    float f;
    std::memcpy(&f, p, 4);
    return f;
  }
  uint16_t bits;
  std::memcpy(&bits, p, 2);
  if (dtype == KVC_BF16) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float f;
    std::memcpy(&f, &wide, 4);
    return f;
  }
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                        : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

class Session {
 public:
  Session() = default;
  explicit Session(const Space& space, const char* tenant = nullptr, int32_t priority = 0, bool publish = true)
      : geometry_(space.geometry()), seq(salt_of(space, tenant)) {
    kvc_session_options_t o{};
    o.struct_size = sizeof o;
    o.tenant = tenant;
    o.priority = priority;
    o.no_publish = publish ? 0 : 1;
    status_ = kvc_session_open(space, &o, &handle_);
  }
  ~Session() { close(); }
  Session(Session&& o) noexcept { *this = std::move(o); }
  Session& operator=(Session&& o) noexcept {
    std::swap(handle_, o.handle_);
    std::swap(geometry_, o.geometry_);
    std::swap(seq, o.seq);
    std::swap(status_, o.status_);
    return *this;
  }
  operator kvc_session_t*() const { return handle_; }  // NOLINT: stands for its handle
  static uint64_t salt_of(const Space& space, const char* tenant) {
    return mix(space.salt(), tenant == nullptr ? 0 : std::hash<std::string>()(tenant));
  }

  kvc_status_t opened() const { return status_; }
  void close(int32_t hint = KVC_CLOSE_KEEP, uint64_t until = 0) {
    if (handle_ != nullptr) {
      EXPECT_EQ(KVC_OK, kvc_session_close(handle_, hint, until));
    }
    handle_ = nullptr;
  }
  // The session's own memory of what it is follows what kvc says that it reused.
  size_t match(const Tokens& tokens) {
    size_t reused = 999999;
    const int32_t none = 0;
    const kvc_status_t status =
        kvc_session_match(handle_, tokens.empty() ? &none : tokens.data(), tokens.size(), &reused);
    EXPECT_EQ(KVC_OK, status) << words(handle_);
    if (status != KVC_OK) return seq.size();
    EXPECT_LE(reused, tokens.size());
    EXPECT_GE(reused, seq.size());
    if (reused > seq.size() && reused <= tokens.size())
      seq.extend(
          Tokens(tokens.begin() + static_cast<ptrdiff_t>(seq.size()), tokens.begin() + static_cast<ptrdiff_t>(reused)));
    return reused;
  }
  // Appends and commits tokens; on a failure nothing is kept, here or there.
  kvc_status_t add(const Tokens& tokens, Layout layout = Layout::thd) {
    if (tokens.empty()) return KVC_OK;
    const size_t before = seq.size();
    seq.extend(tokens);
    std::vector<Block> blocks;
    std::vector<kvc_tensor_t> k, v;
    for (uint32_t l = 0; l < geometry_.layers; ++l) {
      blocks.push_back(rows_of(geometry_, seq, l, KVC_KEY, before, tokens.size(), layout));
      k.push_back(blocks.back().tensor);
      blocks.push_back(rows_of(geometry_, seq, l, KVC_VALUE, before, tokens.size(), layout));
      v.push_back(blocks.back().tensor);
    }
    kvc_status_t status = kvc_session_append_all(handle_, k.data(), v.data(), geometry_.layers, tokens.size());
    if (status == KVC_OK) {
      status = kvc_session_commit(handle_, tokens.data(), tokens.size());
      if (status != KVC_OK) EXPECT_STATUS(KVC_OK, kvc_session_truncate(handle_, before), handle_);
    }
    if (status != KVC_OK) seq.truncate(before);
    return status;
  }
  // Appends one layer's rows of the tokens that seq already names beyond what is committed.
  kvc_status_t append_layer(uint32_t layer, size_t from, size_t n, Layout layout = Layout::thd) {
    Block k = rows_of(geometry_, seq, layer, KVC_KEY, from, n, layout);
    Block v = rows_of(geometry_, seq, layer, KVC_VALUE, from, n, layout);
    return kvc_session_append(handle_, layer, &k.tensor, &v.tensor, n);
  }
  // Match, then compute what is missing: what a runtime does with a prompt.
  kvc_status_t prompt(const Tokens& tokens, size_t* reused = nullptr) {
    const size_t got = match(tokens);
    if (reused != nullptr) *reused = got;
    return add(Tokens(tokens.begin() + static_cast<ptrdiff_t>(got), tokens.end()));
  }
  kvc_status_t truncate(size_t n) {
    const kvc_status_t status = kvc_session_truncate(handle_, n);
    if (status == KVC_OK) seq.truncate(n);
    return status;
  }
  Session fork() {
    Session f;
    f.geometry_ = geometry_;
    f.seq = seq;
    f.status_ = kvc_session_fork(handle_, &f.handle_);
    return f;  // see opened()
  }
  kvc_session_info_t info() const {
    kvc_session_info_t info{};
    info.struct_size = sizeof info;
    EXPECT_STATUS(KVC_OK, kvc_session_info(handle_, &info), handle_);
    return info;
  }
  std::string miss(int32_t* reason = nullptr) const {
    char text[1024] = "";
    int32_t r = -1;
    size_t length = 0;
    EXPECT_EQ(KVC_OK, kvc_session_miss(handle_, &r, text, sizeof text, &length));
    if (reason != nullptr) *reason = r;
    return text;
  }

  // "" if rows [from, from + n) of one plane are what they must be, else where they are not.
  std::string compare(uint32_t layer, int plane, size_t from, size_t n, Layout layout = Layout::thd) const {
    if (n == 0) return "";
    Block got(geometry_, plane, n, layout);
    const kvc_status_t status = kvc_session_read(handle_, layer, plane, from, n, &got.tensor);
    if (status != KVC_OK) return std::string("read: ") + kvc_status_name(status) + " " + words(handle_);
    std::vector<std::byte> want(geometry_.dim(plane) * geometry_.element());
    for (size_t t = 0; t < n; ++t)
      for (uint32_t h = 0; h < geometry_.heads; ++h) {
        put_row(geometry_, seq.hashes[from + t], layer, plane, h, want.data());
        if (std::memcmp(want.data(), got.row(t, h), want.size()) != 0)
          return "wrong numbers: layer " + std::to_string(layer) + " plane " + std::to_string(plane) + " position " +
                 std::to_string(from + t) + " head " + std::to_string(h) + " of a session of " +
                 std::to_string(seq.size());
      }
    return "";
  }
  // Everything: length, tokens, and all numbers of all layers.
  std::string check() const {
    const kvc_session_info_t i = info();
    if (i.length != seq.size()) return "length " + std::to_string(i.length) + ", not " + std::to_string(seq.size());
    Tokens tokens(seq.size() + 1);
    if (kvc_session_tokens(handle_, 0, seq.size(), tokens.data()) != KVC_OK) return "tokens: " + words(handle_);
    tokens.resize(seq.size());
    if (tokens != seq.tokens) return "the tokens differ";
    for (uint32_t l = 0; l < geometry_.layers; ++l)
      for (int plane : {KVC_KEY, KVC_VALUE}) {
        const std::string text = compare(l, plane, 0, seq.size());
        if (!text.empty()) return text;
      }
    return "";
  }

 private:
  kvc_session_t* handle_ = nullptr;
  Geometry geometry_;
  kvc_status_t status_ = KVC_OK;

 public:
  Sequence seq;
};

inline Tokens iota_tokens(size_t n, int32_t first = 1) {
  Tokens tokens(n);
  for (size_t i = 0; i < n; ++i) tokens[i] = first + static_cast<int32_t>(i);
  return tokens;
}

}  // namespace kvc_test

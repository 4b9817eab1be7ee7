// A toy model and a driven clock for the tests of the request engine.
//
// K and V of a token hold the token and its position. Logits are a hash of the whole past as it is read back from the
// session, so that K/V of other tokens, or at other positions, changes the answer. Tokens 0..255 are bytes, 256 is bos,
// 257 eos.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "cache/cache.h"
#include "model/backend.h"
#include "request/request_engine.h"
#include "rows.h"
#include "../small_space.h"

namespace kvc {

// Advances by `tick` each time it is read, and by what the test says.
struct DrivenClock {
  std::atomic<uint64_t> now{1'000'000};
  std::atomic<uint64_t> tick{0};
  Clock clock() {
    kvc_clock_t table{};
    table.struct_size = sizeof table;
    table.user_data = this;
    table.now_ns = [](void* self) {
      auto* c = static_cast<DrivenClock*>(self);
      return c->now.fetch_add(c->tick.load()) + c->tick.load();
    };
    return Clock(table);
  }
};

class ToyBackend : public Backend {
 public:
  static constexpr uint32_t kVocab = 258, kLayers = 2, kDim = 4, kPage = 8;
  static constexpr int32_t kBos = 256, kEos = 257;

  explicit ToyBackend(bool paged = true) : paged_(paged) {
    info_.name = "toy";
    info_.vocab_size = kVocab;
    info_.context = 2000;
    info_.bos = kBos;
    info_.eos = kEos;
    desc_ = kvc_test::small_space(kLayers, kDim, KVC_F32, kPage);
    desc_.vocab_size = kVocab;
  }

  // Set before the engine runs.
  ModelInfo info_;
  kvc_space_desc_t desc_{};
  // If not empty: the answer, after the last '>' of the prompt, as bytes; then eos.
  std::string script;
  bool never_ends = true;                                       // eos is never likely (without a script)
  std::function<Status(std::span<const ForwardItem>)> before;   // a failure here is the call's
  std::function<Status(std::span<const ForwardItem>)> halfway;  // after layer 0 was appended
  std::function<void(float* logits)> spoil;                     // last word on logits
  std::function<Status(uint32_t from, uint32_t n)> on_export;
  bool import_fails = false;
  DrivenClock* time = nullptr;  // advances by ns_per_token
  uint64_t ns_per_token = 0;
  uint64_t ns_per_call = 0;
  bool forgets_logits = false;
  std::function<bool()> stop;  // whether nobody waits for what forward computes

  size_t refuses_states_of = 0;

  // What was seen.
  std::vector<size_t> saved;  // states, by their tokens
  std::atomic<uint64_t> forwards{0}, tokens_computed{0}, largest_batch{0}, largest_tokens{0}, imported{0};
  std::atomic<int64_t> open_sequences{0};
  std::atomic<bool> wrong{false};  // K/V read back, or a position, was not as it must be

  const ModelInfo& info() const noexcept override { return info_; }
  const kvc_space_desc_t& space_desc() const noexcept override { return desc_; }
  bool paged() const noexcept override { return paged_; }

  Status tokenise(std::string_view text, std::vector<int32_t>* out) override {
    for (char c : text) out->push_back(static_cast<unsigned char>(c));
    return Status::ok();
  }
  Status detokenise(int32_t token, std::string* out) override {
    if (token < 256) out->push_back(static_cast<char>(token));
    return Status::ok();
  }
  Status sequence_open(uint64_t sequence) override {
    if (!sequences_.try_emplace(sequence).second) wrong = true;
    ++open_sequences;
    return Status::ok();
  }
  void sequence_close(uint64_t sequence) noexcept override {
    if (sequences_.erase(sequence) != 1) wrong = true;
    --open_sequences;
  }

  Status forward(std::span<const ForwardItem> items) override {
    ++forwards;
    uint64_t n = 0;
    for (const ForwardItem& item : items) n += item.tokens.size();
    largest_batch = std::max<uint64_t>(largest_batch, items.size());
    largest_tokens = std::max(largest_tokens.load(), n);
    if (time != nullptr) time->now += ns_per_token * n + ns_per_call;
    if (before) KVC_RETURN_IF_ERROR(before(items));
    for (const ForwardItem& item : items) {
      if (sequences_.count(item.sequence) == 0 || item.tokens.empty()) wrong = true;
      std::vector<int32_t>& own = sequences_[item.sequence];
      if (paged_) {
        if (item.session->length() != item.position || item.session->appended(0) != item.position) wrong = true;
        KVC_RETURN_IF_ERROR(append(item.session, 0, item.tokens, item.position));
      } else {
        if (own.size() != item.position) wrong = true;
        own.insert(own.end(), item.tokens.begin(), item.tokens.end());
      }
    }
    if (halfway) KVC_RETURN_IF_ERROR(halfway(items));
    for (const ForwardItem& item : items) {
      if (paged_) KVC_RETURN_IF_ERROR(append(item.session, 1, item.tokens, item.position));
      std::vector<int32_t> past = sequences_[item.sequence];
      if (paged_) KVC_RETURN_IF_ERROR(read_back(item.session, 0, item.position + item.tokens.size(), &past));
      if (item.logits != nullptr && !forgets_logits) write_logits(past, item.logits);
      tokens_computed += item.tokens.size();
    }
    return Status::ok();
  }

  Status export_kv(uint64_t sequence, Session* session, uint32_t from, uint32_t n) override {
    if (on_export) KVC_RETURN_IF_ERROR(on_export(from, n));
    const std::vector<int32_t>& own = sequences_.at(sequence);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      KVC_RETURN_IF_ERROR(append(session, layer, std::span(own).subspan(from, n), from));
    }
    return Status::ok();
  }
  Status import_kv(uint64_t sequence, Session* session, std::span<const int32_t> tokens, uint32_t from) override {
    if (import_fails) return error(KVC_E_BACKEND, "import refused");
    std::vector<int32_t> stored;
    KVC_RETURN_IF_ERROR(read_back(session, from, tokens.size(), &stored));
    if (!std::equal(tokens.begin(), tokens.end(), stored.begin(), stored.end())) wrong = true;
    std::vector<int32_t>& own = sequences_.at(sequence);
    if (own.size() != from) wrong = true;
    own.insert(own.end(), stored.begin(), stored.end());
    imported += tokens.size();
    return Status::ok();
  }
  Status save_state(uint64_t sequence, uint32_t n, std::vector<std::byte>* state) override {
    const std::vector<int32_t>& own = sequences_.at(sequence);
    if (own.size() != n) wrong = true;
    saved.push_back(n);
    const auto bytes = std::as_bytes(std::span(own));
    state->assign(bytes.begin(), bytes.end());
    return Status::ok();
  }
  Status load_state(uint64_t sequence, std::span<const int32_t> tokens, std::span<const std::byte> state) override {
    if (tokens.size() == refuses_states_of) return error(KVC_E_BACKEND, "state refused");
    std::vector<int32_t>& own = sequences_.at(sequence);
    const auto bytes = std::as_bytes(tokens);
    if (!own.empty() || !std::equal(bytes.begin(), bytes.end(), state.begin(), state.end())) wrong = true;
    own.assign(tokens.begin(), tokens.end());
    return Status::ok();
  }
  void set_stop(kvc_stop_fn function, void* data) override {
    stop = [function, data] { return function(data) != 0; };
  }
  Status truncate(uint64_t sequence, uint32_t n) override {
    std::vector<int32_t>& own = sequences_.at(sequence);
    if (own.size() < n) wrong = true;
    own.resize(n);
    return Status::ok();
  }

 private:
  static void row(uint32_t layer, int plane, int32_t token, size_t position, float* out) {
    out[0] = static_cast<float>(token);
    out[1] = static_cast<float>(position);
    out[2] = static_cast<float>(layer);
    out[3] = static_cast<float>(plane);
  }

  static Status append(Session* session, uint32_t layer, std::span<const int32_t> tokens, size_t position) {
    std::vector<float> k(tokens.size() * kDim), v(tokens.size() * kDim);
    for (size_t i = 0; i < tokens.size(); ++i) {
      row(layer, KVC_KEY, tokens[i], position + i, &k[i * kDim]);
      row(layer, KVC_VALUE, tokens[i], position + i, &v[i * kDim]);
    }
    return session->append(layer, kvc_test::rows_view(&k, tokens.size(), kDim),
                           kvc_test::rows_view(&v, tokens.size(), kDim), tokens.size());
  }

  Status read_back(Session* session, size_t from, size_t n, std::vector<int32_t>* tokens) {
    tokens->assign(n, -1);
    std::vector<float> rows(n * kDim);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (int plane : {KVC_KEY, KVC_VALUE}) {
        KVC_RETURN_IF_ERROR(session->read(layer, plane, from, n, kvc_test::rows_view(&rows, n, kDim)));
        for (size_t i = 0; i < n; ++i) {
          const auto token = static_cast<int32_t>(rows[i * kDim]);
          float expected[kDim];
          row(layer, plane, layer + static_cast<uint32_t>(plane) == 0 ? token : (*tokens)[i], from + i, expected);
          if (std::memcmp(expected, &rows[i * kDim], sizeof expected) != 0) wrong = true;
          (*tokens)[i] = token;
        }
      }
    }
    return Status::ok();
  }

  void write_logits(const std::vector<int32_t>& past, float* logits) {
    if (!script.empty()) {
      std::fill_n(logits, kVocab, -5.0f);
      const auto mark = std::find(past.rbegin(), past.rend(), '>');
      const size_t at = static_cast<size_t>(mark - past.rbegin());
      logits[at < script.size() ? static_cast<unsigned char>(script[at]) : kEos] = 5.0f;
    } else {
      uint64_t hash = 14695981039346656037u;
      for (int32_t token : past) hash = (hash ^ static_cast<uint64_t>(token)) * 1099511628211u;
      Random random(hash);
      for (uint32_t i = 0; i < kVocab; ++i) logits[i] = static_cast<float>(random.unit() * 6);
      logits[kBos] = -std::numeric_limits<float>::infinity();
      if (never_ends) logits[kEos] = -std::numeric_limits<float>::infinity();
    }
    if (spoil) spoil(logits);
  }

  const bool paged_;
  std::map<uint64_t, std::vector<int32_t>> sequences_;  // tokens, for models that keep their own
};

// A cache, a toy and an engine; the test configures first and then calls open().
struct Toy {
  DrivenClock time;
  ToyBackend model;
  RequestOptions options;
  CacheOptions cache_options;
  const kvc_allocator_t* allocator = nullptr;
  std::unique_ptr<Cache> cache;
  std::shared_ptr<const Space> space;
  std::unique_ptr<RequestEngine> engine;

  explicit Toy(bool paged = true) : model(paged) {
    options.threads = 0;
    cache_options.memory_limit = 8 << 20;
  }
  // Makes what is not there yet.
  RequestEngine& open() {
    if (cache == nullptr) {
      Status status = Cache::make(cache_options, allocator, time.clock(), Log(), &cache);
      if (status.is_ok()) status = cache->open_space(model.space_desc(), &space);
      if (!status.is_ok()) throw std::runtime_error(status.message());
    }
    if (engine == nullptr)
      engine = std::make_unique<RequestEngine>(cache.get(), space, &model, time.clock(), Log(), options);
    return *engine;
  }
  kvc_ticket_t submit(const Request& request) {
    kvc_ticket_t ticket = 0;
    const Status status = open().submit(request, &ticket);
    if (!status.is_ok()) throw std::runtime_error(status.message());
    return ticket;
  }
  Answer wait(kvc_ticket_t ticket) {
    std::unique_ptr<Answer> answer;
    const Status status = open().wait(ticket, UINT64_MAX, &answer);
    if (!status.is_ok()) throw std::runtime_error(status.message());
    return *answer;
  }
  Answer process(const Request& request) { return wait(submit(request)); }
};

inline Request text_request(std::string prompt, uint32_t max_tokens = 8) {
  Request r;
  r.has_text = true;
  r.prompt = std::move(prompt);
  r.max_tokens = max_tokens;
  return r;
}

inline Request token_request(std::vector<int32_t> tokens, uint32_t max_tokens = 8) {
  Request r;
  r.tokens = std::move(tokens);
  r.max_tokens = max_tokens;
  return r;
}

inline std::vector<int32_t> random_tokens(uint64_t seed, size_t n) {
  Random random(seed);
  std::vector<int32_t> tokens(n);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random.next() % 256);
  return tokens;
}

}  // namespace kvc

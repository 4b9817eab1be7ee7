// kvc replay: a trace of requests through the cache itself, to see what each policy hits.
//
// Every block of the trace becomes one page whose first token is the block's number. A page has 16 tokens, each standing
// for 32 of the trace's 512, of the smallest layout there is: the cache does all that it does with real K/V, in 64 bytes
// a page. The engine's clock is the trace's.
#include "replay.h"

#include <kvc/kvc.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <unordered_map>

#include "bench.h"
#include "commands.h"

namespace kvc::cli {
namespace {

constexpr uint32_t kPageTokens = 16;

// Prefill: the attention of a token at this position costs as much as its matrix products (8B model, 32 layers of
// 32 heads; attention grows linearly with the position).
constexpr double kBalancedPosition = 30632;

double prefill_cost(uint64_t tokens) {
  const auto n = static_cast<double>(tokens);
  return n + n * (n - 1) / 2 / kBalancedPosition;
}

// Deterministic draws for hints.
class Draws {
 public:
  double next() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

 private:
  uint64_t state_ = 0x853c49e6748fea9bull;
};

// Writes what the referee recomputes: per request the claimed hits and the changes of what is held.
class Log {
 public:
  Log(const std::string& path, const Engine* engine)
      : path_(path), engine_(engine), file_(std::fopen(path.c_str(), "w")) {
    if (file_ == nullptr) throw Failure("cannot write " + path);
  }
  ~Log() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void add(const TraceRequest& request, size_t hits) {
    std::string line = std::to_string(hits);
    std::unordered_map<std::string, uint32_t> held;
    held.reserve(held_.size() + request.blocks.size());
    kvc_page_iter_t* iter = nullptr;
    engine_->check(kvc_page_iter_open(engine_->handle(), nullptr, &iter), "pages");
    kvc_page_info_t info{};
    info.struct_size = sizeof info;
    while (kvc_page_iter_next(iter, &info) == KVC_OK) {
      std::string id(reinterpret_cast<const char*>(info.id), sizeof info.id);
      const auto before = held_.find(id);
      if (before != held_.end()) {
        held.emplace(std::move(id), before->second);
        continue;
      }
      // Only this request can have brought it.
      const uint32_t block = request.blocks.at(info.position / kPageTokens);
      line += " +" + std::to_string(block);
      held.emplace(std::move(id), block);
    }
    kvc_page_iter_close(iter);
    for (const auto& [id, block] : held_) {
      if (held.count(id) == 0) line += " -" + std::to_string(block);
    }
    held_ = std::move(held);
    line += '\n';
    if (std::fwrite(line.data(), 1, line.size(), file_) != line.size()) throw Failure("cannot write " + path_);
  }
  void close() {
    const bool written = std::fclose(file_) == 0;
    file_ = nullptr;
    if (!written) throw Failure("cannot write " + path_);
  }

 private:
  const std::string path_;
  const Engine* engine_;
  std::FILE* file_;
  std::unordered_map<std::string, uint32_t> held_;  // block of a page
};

// Draws a share of a known number of requests, all equally likely, and exactly so many: selection sampling (Fan et al.
// 1962; Knuth's algorithm S). Of a few thousand requests a coin for each would be off by a percent or two.
class Drawn {
 public:
  Drawn(double share, size_t n) : wanted_(static_cast<size_t>(share * static_cast<double>(n) + 0.5)), left_(n) {}
  bool next(Draws* draws) {
    const bool drawn = draws->next() * static_cast<double>(left_--) < static_cast<double>(wanted_);
    wanted_ -= drawn ? 1 : 0;
    return drawn;
  }

 private:
  size_t wanted_, left_;
};

// Says which requests to close as finished.
std::vector<bool> draw_hints(const Trace& trace, const ReplayOptions& options) {
  size_t n_over = 0;
  for (const TraceRequest& request : trace.requests) n_over += request.over ? 1 : 0;
  const size_t n_on = trace.requests.size() - n_over;
  const double right = options.hint_recall * static_cast<double>(n_over);
  const double wrong = right * options.false_hints / (1 - options.false_hints);
  Drawn over(options.hint_recall, n_over), on(n_on == 0 ? 0 : wrong / static_cast<double>(n_on), n_on);
  Draws draws;
  std::vector<bool> hints;
  hints.reserve(trace.requests.size());
  for (const TraceRequest& request : trace.requests) hints.push_back((request.over ? over : on).next(&draws));
  return hints;
}

void configure(Config& config, const std::string& policy, uint64_t pages, size_t longest, const kvc_clock_t* clock) {
  // Far more memory than the pages need: their number alone decides.
  const uint64_t bytes = (pages + 2 * longest) * 2048 + (64u << 20);
  config.set("model", "none").set("policy", policy).set("page_limit", std::to_string(pages));
  config.set("memory", std::to_string(bytes)).set("gc_threshold", "1").set("gc_target", "1");
  check(kvc_config_set_clock(config.handle(), clock), "clock");
}

kvc_space_t* open_space(const Engine& engine) {
  static constexpr char kDigest[] = "kvc replay: no weights";
  kvc_space_desc_t desc;
  check(kvc_space_desc_init(&desc, sizeof desc), "space");
  desc.label = "replay";
  desc.weights_digest = kDigest;
  desc.weights_digest_size = sizeof kDigest - 1;
  desc.none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
  desc.n_layers = desc.n_kv_heads = desc.k_head_dim = 1;
  desc.dtype = KVC_F16;
  desc.page_tokens = kPageTokens;
  kvc_space_t* space = nullptr;
  engine.check(kvc_space_open(engine.handle(), &desc, &space), "cannot open a space");
  return space;
}

std::vector<int32_t> tokens_of(const Trace& trace, const TraceRequest& request) {
  const size_t n = request.blocks.size();
  const uint64_t rest = request.tokens - uint64_t{trace.block_tokens} * (n - 1);
  const size_t last = rest == trace.block_tokens ? kPageTokens
                                                 : std::max<uint64_t>(1, rest * kPageTokens / trace.block_tokens);
  std::vector<int32_t> tokens((n - 1) * kPageTokens + last, 0);
  for (size_t i = 0; i < n; ++i) tokens[i * kPageTokens] = static_cast<int32_t>(request.blocks[i]);
  return tokens;
}

}  // namespace

ReplayResult ratios(const Trace& trace, const std::vector<uint32_t>& hits) {
  double pages = 0, tokens = 0, saved = 0, cost = 0;
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    const uint64_t hit_tokens = trace.prefix_tokens(trace.requests[i], hits[i]);
    pages += hits[i];
    tokens += static_cast<double>(hit_tokens);
    saved += prefill_cost(hit_tokens);
    cost += prefill_cost(trace.requests[i].tokens);
  }
  ReplayResult result;
  result.page_hit_ratio = pages / static_cast<double>(trace.accesses);
  result.token_hit_ratio = tokens / static_cast<double>(trace.tokens);
  result.flops_saved = saved / cost;
  return result;
}

ReplayResult replay_minimum(const Trace& trace, uint64_t pages) {
  ReplayResult result = ratios(trace, minimum_hits(trace, pages));
  result.policy = "minimum";
  result.pages = pages;
  return result;
}

ReplayResult replay(const Trace& trace, const std::string& policy, uint64_t pages, const ReplayOptions& options) {
  uint64_t now_ns = 0;
  kvc_clock_t clock{};
  clock.struct_size = sizeof clock;
  clock.user_data = &now_ns;
  clock.now_ns = [](void* now) { return *static_cast<uint64_t*>(now); };
  size_t longest = 0;
  for (const TraceRequest& request : trace.requests) longest = std::max(longest, request.blocks.size());
  Config config("seamless");
  configure(config, policy, pages, longest, &clock);
  const Engine engine(config);
  kvc_space_t* space = open_space(engine);
  std::unique_ptr<Log> log;
  if (!options.log.empty()) log = std::make_unique<Log>(options.log, &engine);

  const std::vector<bool> finished = draw_hints(trace, options);
  std::vector<uint16_t> numbers(longest * kPageTokens, 0x3c00);
  std::vector<uint32_t> hits(trace.requests.size());
  const double start = now_seconds();
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    const TraceRequest& request = trace.requests[i];
    now_ns = request.time_ns;
    const std::vector<int32_t> tokens = tokens_of(trace, request);
    kvc_session_t* session = nullptr;
    engine.check(kvc_session_open(space, nullptr, &session), "session");
    size_t reused = 0;
    check(kvc_session_match(session, tokens.data(), tokens.size(), &reused), "match");
    hits[i] = static_cast<uint32_t>(reused == tokens.size() ? request.blocks.size() : reused / kPageTokens);
    if (const size_t rest = tokens.size() - reused; rest > 0) {
      kvc_tensor_t rows;
      check(kvc_tensor_thd(&rows, numbers.data(), KVC_F16, rest, 1, 1), "tensor");
      check(kvc_session_append(session, 0, &rows, &rows, rest), "append");
      check(kvc_session_commit(session, tokens.data() + reused, rest), "commit");
    }
    check(kvc_session_generated(session, request.generated), "generated");
    if (options.finish) check(kvc_session_hint(session, request.hint), "hint");
    check(kvc_session_close(session, finished[i] ? KVC_CLOSE_FINISHED : KVC_CLOSE_KEEP, 0), "close");
    if (log != nullptr) log->add(request, hits[i]);
  }
  const double seconds = now_seconds() - start;
  if (log != nullptr) log->close();
  kvc_whatif_t whatif{};
  whatif.struct_size = sizeof whatif;
  engine.check(kvc_whatif(engine.handle(), 0, nullptr, &whatif), "what-if");
  kvc_space_close(space);
  ReplayResult result = ratios(trace, hits);
  result.policy = policy;
  result.pages = pages;
  result.whatif_token_hit_ratio = whatif.token_hit_rate;
  result.ns_per_access = seconds * 1e9 / static_cast<double>(trace.accesses);
  return result;
}

}  // namespace kvc::cli

// Measures what an index of prefixes costs: identity, match, match on two threads, metadata.
//
// The K/V is as small as a layout allows (one layer, one head of 8), because none of these figures depends on its size:
// so an index of two hundred prompts of 4,096 tokens fits into a few megabytes and is spread over memory as a full one
// would be.
#include <cmath>
#include <cstring>

#include "bench.h"
#include "throughput.h"

namespace kvc::cli {
namespace {

constexpr size_t kPromptTokens = 4096;
constexpr uint32_t kDim = 8;
constexpr int32_t kVocabulary = 32000;

// xorshift: the same tokens in every run, without a library's idea of randomness.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  uint64_t state_;
};

// An engine that holds many prompts, some of which begin alike.
class Index {
 public:
  explicit Index(size_t prompts) : engine_(config()), space_(open_bench_space(engine_, 1, 1, kDim)) {
    const std::vector<uint16_t> numbers(kPromptTokens * kDim, 0x3c00);
    for (size_t i = 0; i < prompts; ++i) {
      Random random(i + 1);
      std::vector<int32_t> tokens(kPromptTokens);
      for (int32_t& token : tokens) token = static_cast<int32_t>(random.next() % kVocabulary);
      // Every second prompt shares 1,024, 2,048 or 3,072 tokens with the first one.
      if (i % 2 == 1) std::copy_n(prompts_[0].begin(), 1024 * (1 + i / 2 % 3), tokens.begin());
      prompts_.push_back(tokens);
      store(tokens, numbers);
    }
  }
  ~Index() { kvc_space_close(space_); }

  const Engine& engine() const { return engine_; }
  kvc_space_t* space() const { return space_; }
  const std::vector<std::vector<int32_t>>& prompts() const { return prompts_; }

  // One match as an application does it: fresh session, match, close. Returns the seconds of the match alone.
  double match(const std::vector<int32_t>& tokens) const {
    kvc_session_t* session = nullptr;
    engine_.check(kvc_session_open(space_, nullptr, &session), "session");
    size_t reused = 0;
    const double start = now_seconds();
    const kvc_status_t status = kvc_session_match(session, tokens.data(), tokens.size(), &reused);
    const double seconds = now_seconds() - start;
    kvc_session_close(session, KVC_CLOSE_KEEP, 0);
    check(status, "match");
    if (reused != tokens.size()) {
      throw Failure("match found " + std::to_string(reused) + " of " + std::to_string(tokens.size()) +
                    " cached tokens");
    }
    return seconds;
  }

 private:
  static const Config& config() {
    static Config config("seamless");
    config.set("model", "none").set("memory", "512MiB");
    return config;
  }

  void store(const std::vector<int32_t>& tokens, const std::vector<uint16_t>& numbers) {
    kvc_session_t* session = nullptr;
    engine_.check(kvc_session_open(space_, nullptr, &session), "session");
    size_t reused = 0;
    check(kvc_session_match(session, tokens.data(), tokens.size(), &reused), "match");
    const size_t n = tokens.size() - reused;
    kvc_tensor_t tensor;
    check(kvc_tensor_thd(&tensor, const_cast<uint16_t*>(numbers.data()), KVC_F16, n, 1, kDim), "tensor");
    check(kvc_session_append(session, 0, &tensor, &tensor, n), "append");
    check(kvc_session_commit(session, tokens.data() + reused, n), "commit");
    check(kvc_session_close(session, KVC_CLOSE_KEEP, 0), "close");
  }

  Engine engine_;
  kvc_space_t* space_;
  std::vector<std::vector<int32_t>> prompts_;
};

void bench_identity(const Index& index, Report* report) {
  const std::vector<int32_t>& tokens = index.prompts()[0];
  std::vector<uint8_t> ids(kPromptTokens * 32);
  std::vector<double> times;
  for (int i = 0; i < (report->quick() ? 20 : 2000); ++i) {
    size_t n = 0;
    const double start = now_seconds();
    check(kvc_space_page_ids(index.space(), nullptr, tokens.data(), tokens.size(), ids.data(), kPromptTokens, &n),
          "identity");
    times.push_back(now_seconds() - start);
  }
  report->add("identity_ns_per_16_tokens", median(times) * 1e9 / (kPromptTokens / 16.0));
}

void bench_match(const Index& index, Report* report) {
  const int rounds = report->quick() ? 2 : 50;
  std::vector<double> turns, same;
  // In turn over all prompts, so that what a match walks is not left in the nearest cache by the one before it.
  for (int round = 0; round < rounds; ++round) {
    for (const std::vector<int32_t>& prompt : index.prompts()) turns.push_back(index.match(prompt));
  }
  for (int i = 0; i < rounds * 50; ++i) same.push_back(index.match(index.prompts()[0]));
  report->add("match_4096_us", median(turns) * 1e6);
  report->add("match_4096_same_prompt_us", median(same) * 1e6);
}

void bench_scaling(const Index& index, Report* report) {
  const int rounds = report->quick() ? 1 : 9;
  const double seconds = report->quick() ? 0.02 : 0.25;
  // Each thread its own prompts; a thread alone does what the first of two does.
  std::vector<size_t> turn(2);
  const auto different = [&](unsigned t) {
    // All prompts, from different places on: one thread has as many in its caches as two together.
    const size_t n = index.prompts().size();
    index.match(index.prompts()[(turn[t]++ + t * n / 2) % n]);
  };
  const auto same = [&](unsigned) { index.match(index.prompts()[0]); };
  std::vector<double> of_different, of_same, of_cpu;
  const auto ratio = [&](const std::function<void(unsigned)>& operation) {
    const double one = throughput(1, seconds, operation);
    return throughput(2, seconds, operation) / one;
  };
  for (int round = 0; round < rounds; ++round) {
    of_different.push_back(ratio(different));
    of_cpu.push_back(cpu_scaling(seconds));
    of_same.push_back(ratio(same));
  }
  report->add("match_scaling_2_threads", median(of_different));
  report->add("match_scaling_2_threads_same_prompt", median(of_same));
  report->add("cpu_scaling_2_threads", median(of_cpu));
}

}  // namespace

void bench_index(Report* report) {
  report->progress().show("index: storing prompts");
  const Index index(report->quick() ? 8 : 200);
  const kvc_stats_t stats = index.engine().stats();
  report->add("metadata_bytes_per_page", static_cast<double>(stats.memory_metadata) / static_cast<double>(stats.pages));
  report->add("metadata_pages", static_cast<double>(stats.pages));
  report->progress().show("index: identity");
  bench_identity(index, report);
  report->progress().show("index: match");
  bench_match(index, report);
  report->progress().show("index: match on two threads");
  bench_scaling(index, report);
}

}  // namespace kvc::cli

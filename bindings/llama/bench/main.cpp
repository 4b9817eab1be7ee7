// kvc-bench-llama, which `kvc bench llama` starts: what kvc saves a real model, measured against llama.cpp alone in the same
// process, on the same tokens, with the same number of threads.
#include <ctime>

#include "args.h"
#include "support.h"
#include "throughput.h"
#include "bench.h"

namespace kvc_llama {

using kvc::cli::Args;
using kvc::cli::check;
using kvc::cli::Config;
using kvc::cli::Engine;
using kvc::cli::Figure;
using kvc::cli::Option;
using kvc::cli::Report;

namespace {

constexpr Figure kFigures[] = {
    {"ttft_warm_over_cold_2048", "time to first token, prefix of 2,048 tokens in kvc over prefill", 1.0 / 100, 1.0 / 180, true},
    {"restore_vs_memcpy", "restore of 2,048 tokens, speed relative to memcpy", 0.4, 0.8, false},
    {"restore_vs_set_data", "restore, time relative to llama_state_seq_set_data", 1.3, 1.0, true},
    {"chat_speedup_vs_recompute", "ten turns, 4k tokens: llama.cpp recomputing, over kvc", 5, 10, false},
    {"chat_speedup_vs_prompt_cache", "ten turns, 4k tokens: llama-server's prompt cache, over kvc", 1.0, 1.1, false},
    {"store_overhead", "time that storing adds to a cold prompt", 0.03, 0.01, true},
};

std::vector<Option> options() {
  return {{"model", "FILE", "the model, a GGUF file; default: environment variable KVC_TEST_MODEL"},
          {"llama", "PATH", "libllama.so or its folder; default: where the llama.cpp module looks"},
          {"threads", "N", "threads of llama.cpp, kvc's and the peers'; default: 1"},
          {"rounds", "N", "each time is the shortest of so many; default: 3"},
          {"only", "NAME", "first_token, restore or chat alone"},
          {"cpu-time", nullptr, "measure what the process computed instead of what passed: where the machine\nis not quiet"},
          {"json", nullptr, "print one JSON object, nothing else"},
          {"quick", nullptr, "a sixteenth of the tokens: shows that everything runs, measures nothing"},
          {"help", nullptr, "this text"}};
}

int run(const std::vector<std::string>& argv) {
  const Args args(options(), argv);
  if (args.has("help")) {
    kvc::cli::print("usage: kvc bench llama [options]\n\nMeasures a model that llama.cpp runs, with kvc and without, some minutes: keep "
                    "the machine quiet.\n\n" + kvc::cli::describe_options(options()));
    return kvc::cli::kExitOk;
  }
  Setup setup;
  const char* named = std::getenv("KVC_TEST_MODEL");
  setup.model = args.text("model", named != nullptr ? named : "");
  if (setup.model.empty()) throw kvc::cli::UsageError("which model? --model FILE; bindings/llama/setup fetches a small one");
  setup.threads = static_cast<uint32_t>(args.number("threads", 1, 1, 1024));
  setup.quick = args.has("quick");
  setup.rounds = static_cast<int>(args.number("rounds", setup.quick ? 1 : 3, 1, 1000));
  setup.cpu_time = args.has("cpu-time");
  setup.library = &load_library(args.text("llama"));
  const std::string only = args.text("only");
  const auto wanted = [&](const char* name) { return only.empty() || only == name; };
  if (!only.empty() && only != "first_token" && only != "restore" && only != "chat")
    throw kvc::cli::UsageError("--only knows first_token, restore and chat, not '" + only + "'");

  Report report(setup.quick);
  if (wanted("first_token")) bench_first_token(setup, &report);
  if (wanted("restore")) bench_restore(setup, &report);
  if (wanted("chat")) bench_chat(setup, &report);
  report.add("cpu_scaling_2_threads", kvc::cli::cpu_scaling(setup.quick ? 0.02 : 0.25));
  report.progress().clear();
  kvc::cli::print(args.has("json") ? report_json(report, kFigures) : report_table(report, kFigures));
  return kvc::cli::kExitOk;
}

}  // namespace

double Setup::now() const {
  timespec time;
  ::clock_gettime(cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Engine open_engine(const Setup& setup, size_t context, size_t cells, uint32_t resident) {
  Config config("seamless");
  config.set("model", setup.model)
      .set("model_library", setup.library->path)
      .set("model_context", std::to_string(context))
      .set("model_cells", std::to_string(cells))
      .set("model_threads", std::to_string(setup.threads))
      .set("model_resident", std::to_string(resident))
      .set("memory", "1GiB");
  return Engine(config);
}

Tokens process(const Engine& engine, const Tokens& prompt, size_t most, bool no_cache, size_t* cached) {
  kvc_request_t request;
  check(kvc_request_init(&request, sizeof request), "request");
  request.tokens = prompt.data();
  request.n_tokens = prompt.size();
  request.max_tokens = static_cast<uint32_t>(most);
  request.no_cache = no_cache;
  kvc_response_t* response = nullptr;
  const kvc_status_t status = kvc_process(engine.handle(), &request, &response);
  Tokens answer;
  if (response != nullptr) {
    answer.assign(response->tokens, response->tokens + response->n_tokens);
    if (cached != nullptr) *cached = response->cached_tokens;
  }
  kvc_response_free(response);
  engine.check(status, "request");
  return answer;
}

}  // namespace kvc_llama

int main(int argc, char** argv) {
  try {
    return kvc_llama::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const kvc::cli::OutputClosed&) {
    return kvc::cli::kExitFailure;
  } catch (const kvc::cli::UsageError& error) {
    kvc::cli::complain(error.what());
    kvc::cli::complain("try 'kvc bench llama --help'");
    return kvc::cli::kExitUsage;
  } catch (const std::exception& error) {
    kvc::cli::complain(error.what());
    return kvc::cli::kExitFailure;
  }
}

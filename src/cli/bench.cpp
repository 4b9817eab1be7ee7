// kvc bench: finds the bench by its name. kvc bench core: the figures of the page core on this machine.
#include "bench.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "commands.h"

namespace kvc::cli {
namespace {

// What every release must reach, and what it wants to.
constexpr Figure kFigures[] = {
    {"identity_ns_per_16_tokens", "identity of a 4,096-token prompt, ns per 16 tokens", 200, 100, true},
    {"match_4096_us", "match of a cached 4,096-token prompt, us", 30, 10, true},
    {"read_vs_memcpy", "read of an f16 prefix, speed relative to memcpy", 0.7, 0.95, false},
    {"append_vs_memcpy", "append and commit, speed relative to memcpy", 0.5, 0.8, false},
    {"match_scaling_2_threads", "match throughput, 2 threads over 1", 1.6, 1.9, false},
    {"metadata_bytes_per_page", "metadata per page, bytes", 512, 256, true},
    {"idle_rss_mb", "idle engine, built-in model, MB above an empty process", 16, 8, true},
    {"ttft_warm_over_cold", "time to first token, warm over cold, 2,000 tokens", 1.0 / 30, 1.0 / 100, true},
    {"lib_mb", "library, stripped, without model weights, MB", 2, 1, true},
};

std::vector<Option> bench_options() {
  return {{"json", nullptr, "print one JSON object, nothing else"},
          {"quick", nullptr, "tiny sizes: shows that everything runs, measures nothing"},
          {"help", nullptr, "this text"}};
}

int bench_core(const std::vector<std::string>& argv) {
  const Args args(bench_options(), argv);
  if (args.has("help")) {
    print(
        "usage: kvc bench core [options]\n\n"
        "Measures the page core on this machine, about a minute: keep it quiet meanwhile.\n\n" +
        describe_options(bench_options()));
    return kExitOk;
  }
  Report report(args.has("quick"));
  bench_footprint(&report);
  bench_index(&report);
  bench_copies(&report);
  bench_first_token(&report);
  report.progress().clear();
  print(args.has("json") ? report_json(report, kFigures) : report_table(report, kFigures));
  return kExitOk;
}

struct Bench {
  const char* name;
  const char* meaning;
  int (*run)(const std::vector<std::string>& argv);
};

constexpr Bench kBenches[] = {
    {"core", "the page core", bench_core},
    {"cuda", "the CUDA module on a device, beside peaks of the same run", bench_cuda},
    {"codec", "page codecs against memcpy and a plain loop", bench_codec},
    {"attend", "attention over encoded pages, against own f16 pages and ggml", bench_attend},
    {"disk", "a prompt read from disk after a restart, against computing it", bench_disk},
    {"store", "pages on disk beside fio and RocksDB, after kills, and with a model", bench_store},
    {"llama", "a model file that llama.cpp runs, with kvc and without", bench_llama},
};

}  // namespace

FirstToken first_token(const Engine& engine, const std::string& prompt, bool no_cache) {
  kvc_request_t request;
  check(kvc_request_init(&request, sizeof request), "request");
  request.prompt = prompt.data();
  request.prompt_size = prompt.size();
  request.max_tokens = 1;
  request.no_cache = no_cache ? 1 : 0;
  kvc_response_t* answer = nullptr;
  const kvc_status_t status = kvc_process(engine.handle(), &request, &answer);
  FirstToken first{};
  if (answer != nullptr) {
    first = {static_cast<double>(answer->ttft_ns) * 1e-9, answer->cached_tokens, answer->prompt_tokens,
             answer->cache_hit != 0};
  }
  kvc_response_free(answer);
  engine.check(status, "request");
  return first;
}

Scratch::Scratch(const std::string& in) : path_(in + "/kvc-bench-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) {
    throw Failure("cannot make a directory in " + in + ": " + std::strerror(errno));
  }
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

kvc_space_t* open_bench_space(const Engine& engine, uint32_t layers, uint32_t heads, uint32_t dim) {
  static constexpr char kDigest[] = "kvc bench: no weights";
  kvc_space_desc_t desc;
  check(kvc_space_desc_init(&desc, sizeof desc), "space");
  desc.label = "bench";
  desc.weights_digest = kDigest;
  desc.weights_digest_size = sizeof kDigest - 1;
  desc.none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
  desc.n_layers = layers;
  desc.n_kv_heads = heads;
  desc.k_head_dim = dim;
  desc.dtype = KVC_F16;
  kvc_space_t* space = nullptr;
  engine.check(kvc_space_open(engine.handle(), &desc, &space), "cannot open a space");
  return space;
}

int command_bench(const std::vector<std::string>& argv) {
  const bool named = !argv.empty() && argv[0][0] != '-';
  std::string all;
  for (const Bench& bench : kBenches) {
    if (named && argv[0] == bench.name) return bench.run({argv.begin() + 1, argv.end()});
    all += format("  %-6s measures %s\n", bench.name, bench.meaning);
  }
  const std::string list = all.substr(0, all.size() - 1);  // without the last end of line
  if (named) throw UsageError("no bench '" + argv[0] + "'; there is:\n" + list);
  const Args args({{"help", nullptr, "this text"}}, argv);
  if (!args.has("help")) throw UsageError("bench of what? There is:\n" + list);
  print("usage: kvc bench NAME [options]\n\n" + all + "\nkvc bench NAME --help: options of one\n");
  return kExitOk;
}

}  // namespace kvc::cli

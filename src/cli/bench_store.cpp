// kvc bench store: the figures of the disk tier in one object. The store by itself and its peers are measured by the
// program kvc-bench-store, which looks beneath kvc.h; what a model gains from it is measured here.
#include <climits>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "bench.h"
#include "json.h"

namespace kvc::cli {
namespace {

constexpr Figure kFigures[] = {
    {"put_vs_fio", "bytes per second of put over fio's, worst of three page sizes", 0.6, 0.85, false},
    {"get_vs_fio", "the same of cold random gets", 0.8, 0.95, false},
    {"put_cpu_s_per_gb", "processor seconds per GB put, worst size", 0.35, 0.25, true},
    {"get_cpu_s_per_gb", "the same of get", 0.25, 0.15, true},
    {"overshoot_bytes", "most room taken beyond the budget", 0, 0, true},
    {"write_amplification", "bytes written over bytes put, at twice the budget", 1.33, 1.1, true},
    {"put_p99_ms", "of the calls of put then (bar: RocksDB's, beside)", 1, 1, true},
    {"reopen_1m_ms", "opening a store of a million pages", 500, 250, true},
    {"ram_bytes_per_page", "its index", 96, 64, true},
    {"hits_kept_after_kill", "pages put before kill -9 that hit after it", 0.98, 0.99, false},
    {"lossless_ratio_f16", "bytes at rest over raw bytes, a model's f16 K/V", 0.87, 0.83, true},
    {"lossless_ratio_bf16", "the same of bf16", 0.72, 0.66, true},
    {"ttft_disk_over_cold", "time to first token, from cold disk over computed", 0.1, 1.0 / 30, true},
};

std::vector<Option> store_options() {
  return {
      {"model", "FILE.gguf", "a model for the figures of real K/V ($KVC_TEST_MODEL)"},
      {"tokens", "N", "of its prompt (4000)"},
      {"directory", "DIR", "where files are made and removed, on the disk to measure ($TMPDIR or /tmp)"},
      {"mib", "N", "of each throughput measurement (512)"},
      {"rounds", "N", "of store and peers, of which the best counts (3)"},
      {"pages", "N", "of the store that is opened again (1000000)"},
      {"json", nullptr, "print one JSON object, nothing else"},
      {"quick", nullptr, "tiny sizes: shows that everything runs, measures nothing"},
      {"help", nullptr, "this text"},
  };
}

// Adds the numbers of a flat JSON object.
void add_figures(const std::string& json, Report* report) {
  for (size_t at = 0; (at = json.find('"', at)) != std::string::npos;) {
    const size_t end = json.find('"', at + 1);
    if (end == std::string::npos) return;
    const size_t colon = json.find_first_not_of(' ', end + 1);
    if (colon == std::string::npos) return;
    const std::string key = json.substr(at + 1, end - at - 1);
    at = end + 1;
    if (json[colon] != ':') continue;
    const char* text = json.c_str() + colon + 1;
    char* rest = nullptr;
    const double value = std::strtod(text, &rest);
    if (rest != text && std::isnan(report->value(key))) report->add(key, value);
  }
}

// Bytes at rest over bytes of K/V: what the records of the engine's own directory take after a prompt, all of them.
double lossless(const std::string& model, const char* type, size_t tokens, const std::string& path) {
  Config config("seamless");
  config.set("model", model).set("model_cache_type_k", type).set("model_cache_type_v", type);
  config.set("model_context", std::to_string(tokens + 64)).set("model_cells", std::to_string(2 * tokens + 256));
  config.set("disk_path", path);
  double raw = 0;
  {
    const Engine engine(config);
    store_prompt(engine, tokens);
    engine.check(kvc_persist(engine.handle(), UINT64_MAX), "persist");
    // Of the tokens, not of the pages: the last page is not full, and zeros cost nothing.
    const std::string info = engine.info();
    raw = find_number(info, "page_bytes").value_or(0) / find_number(info, "page_tokens").value_or(1) *
          static_cast<double>(engine.stats().prompt_tokens);
  }
  kvc_store_report_t report{};
  report.struct_size = sizeof report;
  check(kvc_store_inspect(path.c_str(), nullptr, &report, nullptr), "inspect");
  std::filesystem::remove_all(path);
  return static_cast<double>(report.stored_bytes) / raw;
}

}  // namespace

int bench_store(const std::vector<std::string>& argv) {
  const Args args(store_options(), argv);
  if (args.has("help")) {
    print(
        "usage: kvc bench store [options]\n\n"
        "Measures pages on disk: the store beside fio, RocksDB and a file per page (where they are installed), opening it,\n"
        "killing it, and what a model gains from it. Figures whose peer or model is missing are null.\n\n" +
        describe_options(store_options()));
    return kExitOk;
  }
  const bool quick = args.has("quick");
  const char* known = std::getenv("KVC_TEST_MODEL");
  const Scratch scratch(args.text("directory", temporary_directory()));
  const std::string model = args.text("model", known != nullptr ? known : "");
  const auto number = [&](const char* name, int64_t usual, int64_t small) {
    return std::to_string(static_cast<int64_t>(args.number(name, quick ? small : usual, 0, 1 << 30)));
  };
  Report report(quick);
  report.progress().show("store: beside its peers");
  add_figures(output_of("kvc-bench-store",
                        {"--json", "--directory", scratch.path(), "--mib", number("mib", 512, 16), "--rounds",
                         number("rounds", 3, 1), "--pages", number("pages", 1'000'000, 2000)}),
              &report);
  const auto tokens = static_cast<size_t>(args.number("tokens", quick ? 200 : 4000, 64, 1 << 20));
  if (!model.empty()) {
    for (const char* type : {"f16", "bf16"}) {
      report.progress().show(std::string("store: K/V of the model, ") + type);
      report.add(std::string("lossless_ratio_") + type, lossless(model, type, tokens, scratch.path() + "/lossless"));
    }
    report.progress().show("store: first tokens");
    std::vector<std::string> words{"bench", "disk", "--json", "--model", model, "--tokens", std::to_string(tokens)};
    if (quick) words.emplace_back("--quick");
    add_figures(output_of("kvc", words), &report);
  }
  report.progress().clear();
  print(args.has("json") ? report_json(report, kFigures) : report_table(report, kFigures));
  return kExitOk;
}

}  // namespace kvc::cli

// kvc bench core: the figures of the page core on this machine, as a table or as one JSON object.
#include "bench.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "commands.h"
#include "json.h"

namespace kvc::cli {
namespace {

struct Figure {
  const char* key;
  const char* meaning;
  double bar, goal;
  bool lower_is_better;
};

// The figures that kvc promises. `bar` is what every release must reach, `goal` what it wants to.
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

const Figure* figure_of(const std::string& key) {
  for (const Figure& figure : kFigures) {
    if (key == figure.key) return &figure;
  }
  return nullptr;
}

const char* verdict(const Figure& figure, double value) {
  const auto meets = [&](double limit) { return figure.lower_is_better ? value <= limit : value >= limit; };
  return meets(figure.goal) ? "goal" : meets(figure.bar) ? "bar" : "missed";
}

std::string table(const Report& report) {
  std::string out = format("%-28s %12s %9s %9s  %-8s %s\n", "figure", "measured", "bar", "goal", "reached", "meaning");
  for (const Figure& figure : kFigures) {
    const double value = report.value(figure.key);
    const char* sign = figure.lower_is_better ? "<=" : ">=";
    out += format("%-28s %12.4g %2s %6.3g %2s %6.3g  %-8s %s\n", figure.key, value, sign, figure.bar, sign, figure.goal,
                  verdict(figure, value), figure.meaning);
  }
  out += "\nbeside them\n";
  for (const auto& [key, value] : report.values()) {
    if (figure_of(key) == nullptr) out += format("%-36s %12.4g\n", key.c_str(), value);
  }
  if (report.quick()) out += "\n--quick: the numbers mean nothing, only that everything ran\n";
  return out;
}

std::string json_of(const Report& report) {
  Json json;
  json.open_object();
  for (const Figure& figure : kFigures) json.key(figure.key).real(report.value(figure.key));
  for (const auto& [key, value] : report.values()) {
    if (figure_of(key) == nullptr) json.key(key).real(value);
  }
  json.key("quick").boolean(report.quick()).key("version").text(kvc_version_string());
  return indent_json(json.close_object().str()) + "\n";
}

std::vector<Option> bench_options() {
  return {{"json", nullptr, "print one JSON object, nothing else"},
          {"quick", nullptr, "tiny sizes: shows that everything runs, measures nothing"},
          {"help", nullptr, "this text"}};
}

}  // namespace

double Report::value(const std::string& key) const {
  for (const auto& [name, number] : values_) {
    if (name == key) return number;
  }
  return std::numeric_limits<double>::quiet_NaN();
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
  const Args args(bench_options(), {argv.begin() + (named ? 1 : 0), argv.end()});
  if (args.has("help")) {
    print(
        "usage: kvc bench core [options]\n\n"
        "Measures the page core on this machine, about a minute: keep it quiet meanwhile.\n\n" +
        describe_options(bench_options()));
    return kExitOk;
  }
  if (!named) throw UsageError("bench of what? There is: kvc bench core");
  if (argv[0] != "core") throw UsageError("no bench '" + argv[0] + "'; there is: kvc bench core");
  Report report(args.has("quick"));
  bench_footprint(&report);
  bench_index(&report);
  bench_copies(&report);
  bench_first_token(&report);
  report.progress().clear();
  print(args.has("json") ? json_of(report) : table(report));
  return kExitOk;
}

}  // namespace kvc::cli

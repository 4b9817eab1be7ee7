// The command line of kvc replay.
#include <cmath>
#include <cstdio>
#include <limits>

#include "commands.h"
#include "replay.h"
#include "support.h"

namespace kvc::cli {
namespace {

std::vector<Option> replay_options() {
  return {{"trace", "FILE", "requests as JSON lines: timestamp (ms), input_length, output_length, hash_ids, finish"},
          {"pages", "N[,N...]", "sizes of the cache in pages"},
          {"policy", "NAME[,NAME...]", "policies, as option policy names them; default lru,adaptive"},
          {"hints", "RECALL", "close this share of the conversations that end as finished; default 0"},
          {"false-hints", "SHARE", "share of these hints that are wrong; default 0"},
          {"finish", nullptr, "pass the trace's finish reasons (tool_use, end_turn) on as hints"},
          {"json", nullptr, "print one JSON object, nothing else"},
          {"plot", "FILE", "draw token hit ratio over size into an SVG"},
          {"log", "FILE", "one line per request, '<hit pages> +id -id ...', for checking; one policy and one size"},
          {"help", nullptr, "this text"}};
}

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    if (end > at) words.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

double share(const Args& args, const char* name, double limit) {
  const double value = args.real(name, 0);
  if (!(value >= 0 && value <= limit)) {
    throw UsageError(std::string("--") + name + " takes a number from 0 to " + format("%g", limit));
  }
  return value;
}

}  // namespace

int command_replay(const std::vector<std::string>& argv) {
  const Args args(replay_options(), argv);
  if (args.has("help")) {
    print(
        "usage: kvc replay --trace FILE --pages N[,N...] [options]\n\n"
        "Runs a trace of requests through the cache, with K/V of the smallest layout, and says what each policy hits\n"
        "under prefix semantics, beside the offline minimum (the best that any policy could do).\n\n" +
        describe_options(replay_options()));
    return kExitOk;
  }
  if (args.text("trace").empty()) throw UsageError("--trace is missing");
  std::vector<uint64_t> sizes;
  for (const std::string& word : words_of(args.text("pages"))) {
    const Args one({{"pages", "N", ""}}, {"--pages", word});
    sizes.push_back(one.number("pages", 0, 1, 1'000'000'000));
  }
  if (sizes.empty()) throw UsageError("--pages is missing: give one or more sizes, e.g. 1000,10000");
  const std::vector<std::string> policies = words_of(args.text("policy", "lru,adaptive"));
  ReplayOptions options;
  options.hint_recall = share(args, "hints", 1);
  options.false_hints = share(args, "false-hints", 0.99);
  options.finish = args.has("finish");
  options.log = args.text("log");
  if (!options.log.empty() && (sizes.size() != 1 || policies.size() != 1)) {
    throw UsageError("--log takes one policy and one size");
  }

  const Trace trace = read_trace(args.text("trace"));
  Progress progress;
  std::vector<ReplayResult> results;
  for (uint64_t pages : sizes) {
    const ReplayResult minimum = replay_minimum(trace, pages);
    ReplayOptions plain;
    const double lru = replay(trace, "lru", pages, plain).token_hit_ratio;
    for (const std::string& policy : policies) {
      progress.show(policy + ", " + with_commas(pages) + " pages");
      results.push_back(replay(trace, policy, pages, options));
    }
    results.push_back(minimum);
    for (size_t i = results.size() - policies.size() - 1; i < results.size(); ++i) {
      const double gap = minimum.token_hit_ratio - lru;
      results[i].closure = gap > 0 ? (results[i].token_hit_ratio - lru) / gap : std::numeric_limits<double>::quiet_NaN();
    }
  }
  progress.clear();
  if (const std::string path = args.text("plot"); !path.empty()) {
    const std::string drawing = replay_plot(results);
    std::FILE* file = std::fopen(path.c_str(), "w");
    const bool written = file != nullptr && std::fwrite(drawing.data(), 1, drawing.size(), file) == drawing.size();
    if (file == nullptr || std::fclose(file) != 0 || !written) throw Failure("cannot write " + path);
  }
  print(args.has("json") ? replay_json(trace, options, results) : replay_table(trace, results));
  return kExitOk;
}

}  // namespace kvc::cli

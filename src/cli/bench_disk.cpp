// kvc bench disk: a prompt whose K/V a directory keeps, in a program that has just started, against computing it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "bench.h"

namespace kvc::cli {
namespace {

constexpr Figure kFigures[] = {
    {"ttft_disk_over_cold", "time to first token, from cold disk over computed", 0.1, 1.0 / 30, true},
};

std::vector<Option> disk_options() {
  std::vector<Option> options = engine_options();
  options.push_back({"tokens", "N", "of the prompt (4000; for the built-in model 2000)"});
  options.push_back({"rounds", "N", "restarts, of which the median counts (3)"});
  options.push_back({"directory", "DIR", "where a directory is made and removed; $TMPDIR or /tmp"});
  options.push_back({"json", nullptr, "print one JSON object, nothing else"});
  options.push_back({"quick", nullptr, "tiny sizes: shows that everything runs, measures nothing"});
  options.push_back({"help", nullptr, "this text"});
  return options;
}

// Takes the files of a directory out of the page cache: what is read next comes from the device.
void leave_page_cache(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw Failure("cannot open " + entry.path().string() + ": " + std::strerror(errno));
    ::fdatasync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

// Sentences of made-up words, as many tokens of this model as asked for, or a few less.
std::string prompt_of(const Engine& engine, size_t tokens) {
  std::string text;
  uint32_t x = 1;
  while (text.size() < tokens * 8) {
    x = x * 1664525u + 1013904223u;
    text += (x >> 24) % 6 == 0 ? ' ' : static_cast<char>('a' + (x >> 16) % 26);
  }
  std::vector<int32_t> ids(text.size() + 8);
  for (;;) {
    size_t n = 0;
    engine.check(kvc_tokenize(engine.handle(), text.data(), text.size(), ids.data(), ids.size(), &n), "tokenize");
    if (n <= tokens) return text;
    text.resize(std::min(text.size() - 1, text.size() * tokens / n));
  }
}

// K/V of a small real model's shape, with the exponents of normally distributed numbers: they compress as real ones do.
class LayerReads {
 public:
  LayerReads(const std::string& directory, bool quick)
      : tokens_(quick ? 256 : 4096), plane_(tokens_ * kHeads * kDim), numbers_(2 * kLayers * plane_), ids_(tokens_) {
    config_.set("model", "none").set("memory", std::to_string(6 * numbers_.size() + (64u << 20)));
    config_.set("disk_path", directory).set("disk_timeout", "600s");
    uint64_t x = 1;
    for (uint16_t& number : numbers_) {
      x = x * 6364136223846793005u + 1442695040888963407u;
      const auto below = static_cast<uint32_t>(__builtin_ctz(static_cast<uint32_t>(x >> 34) | 1u << 13));
      number = static_cast<uint16_t>((x >> 63) << 15 | (15 - below) << 10 | (x >> 20 & 0x3ff));
    }
    for (size_t i = 0; i < tokens_; ++i) ids_[i] = static_cast<int32_t>(i % 30000);
    const Engine engine(config_);
    kvc_space_t* space = open_bench_space(engine, kLayers, kHeads, kDim);
    kvc_session_t* session = nullptr;
    check(kvc_session_open(space, nullptr, &session), "session");
    std::vector<kvc_tensor_t> k, v;
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      k.push_back(tensor(numbers_.data() + 2 * layer * plane_));
      v.push_back(tensor(numbers_.data() + (2 * layer + 1) * plane_));
    }
    check(kvc_session_append_all(session, k.data(), v.data(), kLayers, tokens_), "append");
    check(kvc_session_commit(session, ids_.data(), tokens_), "commit");
    kvc_session_close(session, KVC_CLOSE_KEEP, 0);
    kvc_space_close(space);
    engine.check(kvc_persist(engine.handle(), UINT64_MAX), "persist");
    config_.set("disk_mode", "read_only");
  }
  // Seconds until the match is there, layer 0, all layers.
  std::vector<double> restart() {
    const Engine engine(config_);
    kvc_space_t* space = open_bench_space(engine, kLayers, kHeads, kDim);
    kvc_session_t* session = nullptr;
    check(kvc_session_open(space, nullptr, &session), "session");
    std::vector<uint16_t> got(2 * plane_);
    std::vector<double> seconds;
    const double begun = now_seconds();
    size_t reused = 0;
    check(kvc_session_match(session, ids_.data(), tokens_, &reused), "match");
    if (reused != tokens_) throw Failure(format("of %zu tokens %zu came from disk", tokens_, reused));
    seconds.push_back(now_seconds() - begun);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (const int32_t plane : {KVC_KEY, KVC_VALUE}) {
        kvc_tensor_t out = tensor(got.data() + static_cast<size_t>(plane) * plane_);
        check(kvc_session_read(session, layer, plane, 0, tokens_, &out), "read");
      }
      if (layer == 0) seconds.push_back(now_seconds() - begun);
      if (std::memcmp(got.data(), numbers_.data() + 2 * layer * plane_, 4 * plane_) != 0) {
        throw Failure(format("layer %u is not what was stored", layer));
      }
    }
    seconds.push_back(now_seconds() - begun);
    kvc_session_close(session, KVC_CLOSE_KEEP, 0);
    kvc_space_close(space);
    return seconds;
  }

 private:
  static constexpr uint32_t kLayers = 30, kHeads = 3, kDim = 64;
  kvc_tensor_t tensor(uint16_t* data) const {
    kvc_tensor_t out;
    check(kvc_tensor_htd(&out, data, KVC_F16, tokens_, kHeads, kDim), "tensor");
    return out;
  }
  const size_t tokens_, plane_;  // numbers of a layer's K or V
  std::vector<uint16_t> numbers_;
  std::vector<int32_t> ids_;
  Config config_{"seamless"};
};

}  // namespace

std::string store_prompt(const Engine& engine, size_t tokens) {
  std::string prompt = prompt_of(engine, tokens);
  first_token(engine, prompt, false);
  return prompt;
}

int bench_disk(const std::vector<std::string>& argv) {
  const Args args(disk_options(), argv);
  if (args.has("help")) {
    print(
        "usage: kvc bench disk [options]\n\n"
        "Stores the K/V of a prompt in a directory, restarts the engine, and measures the time to the first token with\n"
        "the pages read from the device, against the same prompt computed by the same engine.\n\n" +
        describe_options(disk_options()));
    return kExitOk;
  }
  const bool quick = args.has("quick"), builtin = !args.has("model") || args.text("model") == "builtin";
  const size_t tokens = static_cast<size_t>(args.number("tokens", quick ? 200 : builtin ? 2000 : 4000, 64, 1 << 20));
  const auto rounds = static_cast<int>(args.number("rounds", quick ? 1 : 3, 1, 100));
  const Scratch scratch(args.text("directory", temporary_directory()));
  const std::string store = scratch.path() + "/store";

  Config config(preset_of(args));
  if (!builtin) {
    config.set("model_context", std::to_string(tokens + 64)).set("model_cells", std::to_string(2 * tokens + 256));
  }
  apply_engine_options(args, &config);
  config.set("disk_path", store).set("disk_timeout", "600s");

  Report report(quick);
  report.progress().show("disk: storing a prompt");
  std::string prompt;
  {
    const Engine engine(config);
    prompt = store_prompt(engine, tokens);
  }
  config.set("disk_mode", "read_only");
  std::vector<double> ratios, disk, cold, open;
  FirstToken last{};
  uint64_t read_bytes = 0;
  for (int round = 0; round < rounds; ++round) {
    report.progress().show("disk: restart " + std::to_string(round + 1));
    leave_page_cache(store);
    const double begun = now_seconds();
    const Engine engine(config);
    open.push_back(now_seconds() - begun);
    first_token(engine, "#", true);  // starts its threads and maps its weights: no part of the comparison
    last = first_token(engine, prompt, false);
    if (last.cached + 1 != last.prompt) {
      throw Failure(format("of %u tokens %u came from disk", last.prompt, last.cached));
    }
    read_bytes = engine.stats().disk_read_bytes;
    disk.push_back(last.seconds);
    cold.push_back(first_token(engine, prompt, true).seconds);
    ratios.push_back(disk.back() / cold.back());
  }
  std::vector<double> match, first, all;
  LayerReads layers(scratch.path() + "/layers", quick);
  for (int round = 0; round < 2 * rounds - 1; ++round) {
    report.progress().show("disk: layers, restart " + std::to_string(round + 1));
    leave_page_cache(scratch.path() + "/layers");
    const std::vector<double> seconds = layers.restart();
    match.push_back(seconds[0]);
    first.push_back(seconds[1]);
    all.push_back(seconds[2]);
  }
  report.progress().clear();
  report.add("first_layer_over_all", median(first) / median(all));
  report.add("match_from_disk_ms", median(match) * 1e3);
  report.add("first_layer_ms", median(first) * 1e3);
  report.add("all_layers_ms", median(all) * 1e3);
  report.add("ttft_disk_over_cold", median(ratios));
  report.add("ttft_disk_ms", median(disk) * 1e3);
  report.add("ttft_computed_ms", median(cold) * 1e3);
  report.add("engine_open_ms", median(open) * 1e3);
  report.add("prompt_tokens", last.prompt);
  report.add("disk_read_mb", static_cast<double>(read_bytes) / 1e6);
  print(args.has("json") ? report_json(report, kFigures) : report_table(report, kFigures));
  return kExitOk;
}

}  // namespace kvc::cli

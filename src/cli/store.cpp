// kvc inspect, verify, compact, export: directories of pages and prefix packs.
#include <cstring>

#include "commands.h"
#include "json.h"
#include "support.h"

namespace kvc::cli {
namespace {

std::vector<Option> store_options() {
  return {{"key", "TEXT", "option disk_key of the engine that wrote it, if it had one"},
          {"json", nullptr, "print one JSON object, nothing else"},
          {"help", nullptr, "this text"}};
}

using Work = kvc_status_t (*)(const char* path, const char* key, kvc_progress_fn progress, void* user_data,
                              kvc_store_report_t* report, kvc_error_t* error);

// "Checked 12 of 34 MiB" on stderr while it goes on.
struct Meter {
  const char* verb;
  Progress progress;
  double shown = 0;

  static int32_t show(void* self, uint64_t done, uint64_t total) {
    auto* meter = static_cast<Meter*>(self);
    const double now = now_seconds();
    if (now - meter->shown < 0.1) return 0;
    meter->shown = now;
    const double percent = total > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total) : 100;
    std::string bar(static_cast<size_t>(percent / 2.5), '#');
    bar.resize(40, '.');
    meter->progress.show(format("%s [%s] %3.0f %% of %.1f MiB", meter->verb, bar.c_str(), percent,
                                static_cast<double>(total) / (1 << 20)));
    return 0;
  }
};

std::string report_json(const kvc_store_report_t& r) {
  Json json;
  json.open_object().key("pages").unsigned_integer(r.pages).key("clues").unsigned_integer(r.clues);
  json.key("tensors").unsigned_integer(r.tensors).key("calibrations").unsigned_integer(r.calibrations);
  json.key("payload_bytes").unsigned_integer(r.payload_bytes).key("stored_bytes").unsigned_integer(r.stored_bytes);
  json.key("file_bytes").unsigned_integer(r.file_bytes).key("segments").unsigned_integer(r.segments);
  json.key("checked_bytes").unsigned_integer(r.checked_bytes).key("damaged").unsigned_integer(r.damaged);
  json.key("locked").unsigned_integer(r.locked).key("encrypted").unsigned_integer(r.encrypted);
  json.key("pack").unsigned_integer(r.pack).close_object();
  return json.str() + "\n";
}

std::string report_text(const kvc_store_report_t& r) {
  const auto line = [](const char* name, uint64_t number) {
    return format("%-16s %20s\n", name, with_commas(number).c_str());
  };
  std::string out = r.pack != 0 ? "a prefix pack" : "a directory of pages";
  out += r.encrypted != 0 ? ", encrypted\n" : "\n";
  out += line("pages", r.pages) + line("clues", r.clues);
  out += line("tensors", r.tensors) + line("calibrations", r.calibrations) + line("payload bytes", r.payload_bytes);
  out += line("stored bytes", r.stored_bytes) + line("file bytes", r.file_bytes) + line("segments", r.segments);
  if (r.checked_bytes > 0) out += line("checked bytes", r.checked_bytes);
  out += line("damaged", r.damaged);
  if (r.locked > 0) out += line("locked", r.locked);
  return out;
}

int on_store(const std::vector<std::string>& argv, const char* usage, const char* verb, Work work) {
  const Args args(store_options(), argv, 1);
  if (args.has("help")) {
    print(usage + describe_options(store_options()));
    return kExitOk;
  }
  const std::string key = args.text("key");
  kvc_store_report_t report{};
  report.struct_size = sizeof report;
  kvc_error_t error{};
  error.struct_size = sizeof error;
  kvc_status_t status;
  {
    Meter meter{verb, {}, 0};
    status = work(args.word(0).c_str(), key.c_str(), Meter::show, &meter, &report, &error);
  }
  // Damage is a finding: it is reported in full, and is a failure.
  if (status != KVC_OK && status != KVC_E_CORRUPT) check(status, args.word(0), error.message);
  if (status == KVC_OK || report.checked_bytes > 0) {
    print(args.has("json") ? report_json(report) : report_text(report));
  }
  check(status, args.word(0), error.message);
  return kExitOk;
}

std::vector<Option> export_options() {
  std::vector<Option> options = engine_options();
  options.push_back({"prefix", "TEXT", "the text whose stored prefix is written"});
  options.push_back({"file", "PATH", "the same, read from a file; - is stdin"});
  options.push_back({"tenant", "NAME", "whose pages"});
  options.push_back({"help", nullptr, "this text"});
  return options;
}

}  // namespace

int command_inspect(const std::vector<std::string>& argv) {
  return on_store(argv,
                  "usage: kvc inspect DIRECTORY|PACK [options]\n\n"
                  "Says what a directory of pages or a pack holds, without reading pages.\n\n",
                  "", [](const char* path, const char* key, kvc_progress_fn, void*, kvc_store_report_t* report,
                         kvc_error_t* error) { return kvc_store_inspect(path, key, report, error); });
}

int command_verify(const std::vector<std::string>& argv) {
  return on_store(argv,
                  "usage: kvc verify DIRECTORY|PACK [options]\n\n"
                  "Reads and checks every byte. Exit status 1 if anything is damaged; an engine does not use that, and\n"
                  "everything else stays usable. Changes nothing.\n\n",
                  "checked", kvc_store_verify);
}

int command_compact(const std::vector<std::string>& argv) {
  return on_store(argv,
                  "usage: kvc compact DIRECTORY [options]\n\n"
                  "Writes the pages of sparse files together and gives the others' room back. No engine may have the\n"
                  "directory open.\n\n",
                  "compacted", kvc_store_compact);
}

int command_export(const std::vector<std::string>& argv) {
  const Args args(export_options(), argv, 2);
  if (args.has("help")) {
    print(
        "usage: kvc export DIRECTORY PACK --prefix TEXT [options]\n\n"
        "Writes what is stored of a text's beginning into a pack: one file that any engine with the same model can\n"
        "open (kvc_pack_open), whatever its secret. Whoever has the file can read it. The options describe the engine\n"
        "that wrote the directory: the same model, secret (--set secret=...) and disk_key.\n\n" +
        describe_options(export_options()));
    return kExitOk;
  }
  if (args.has("prefix") == args.has("file")) throw UsageError("give one of --prefix TEXT and --file PATH");
  const std::string text = args.has("prefix") ? args.text("prefix") : read_file(args.text("file"));
  Config config(preset_of(args));
  apply_engine_options(args, &config);
  config.set("disk_path", args.word(0)).set("disk_mode", "read_only");
  const Engine engine(config);

  std::vector<int32_t> tokens(text.size() + 1);
  size_t n = 0;
  engine.check(kvc_tokenize(engine.handle(), text.data(), text.size(), tokens.data() + 1, text.size(), &n), "tokenize");
  tokens.resize(n + 1);
  kvc_space_t* space = nullptr;
  engine.check(kvc_engine_space(engine.handle(), &space), "the model's space");
  const std::string tenant = args.text("tenant");
  const auto write = [&](const int32_t* from, size_t count, size_t* written) {
    return kvc_pack_write(space, tenant.empty() ? nullptr : tenant.c_str(), from, count, args.word(1).c_str(), written);
  };
  // The engine's own prompts begin with a bos where the model has one; pages from elsewhere need not.
  size_t written = 0;
  const auto bos = static_cast<int32_t>(find_number(engine.info(), "bos").value_or(-1));
  tokens[0] = bos;
  kvc_status_t status = bos >= 0 ? write(tokens.data(), n + 1, &written) : KVC_E_NOT_FOUND;
  if (status == KVC_E_NOT_FOUND) status = write(tokens.data() + 1, n, &written);
  kvc_space_close(space);
  engine.check(status, args.word(1));
  print(format("%zu of %zu tokens written to %s\n", written, n + (bos >= 0 ? 1 : 0), args.word(1).c_str()));
  return kExitOk;
}

}  // namespace kvc::cli

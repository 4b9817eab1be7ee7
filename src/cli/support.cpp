#include "support.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kvc::cli {

void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      throw OutputClosed();
    } else if (errno != EINTR) {
      throw Failure(std::string("cannot write to standard output: ") + std::strerror(errno));
    }
  }
}

void complain(const std::string& text) { std::fprintf(stderr, "kvc: %s\n", text.c_str()); }

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

void Progress::show(const std::string& text) {
  if (!stderr_is_terminal()) return;
  std::fprintf(stderr, "\r\033[Kkvc: %s", text.c_str());
  shown_ = true;
}

void Progress::clear() {
  if (shown_) std::fputs("\r\033[K", stderr);
  shown_ = false;
}

std::string read_file(const std::string& path) {
  const std::string name = path == "-" ? "standard input" : "'" + path + "'";
  FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) throw Failure("cannot open " + name + ": " + std::strerror(errno));
  std::string content;
  char buffer[65536];
  size_t n = 0;
  while ((n = std::fread(buffer, 1, sizeof buffer, file)) > 0) content.append(buffer, n);
  const int error = std::ferror(file) ? errno : 0;
  if (file != stdin) std::fclose(file);
  if (error != 0) throw Failure("cannot read " + name + ": " + std::strerror(error));
  return content;
}

void check(kvc_status_t status, const std::string& what, const char* detail) {
  if (status == KVC_OK) return;
  const std::string words = detail[0] == '\0' ? kvc_status_text(status) : detail;
  throw Failure(what + ": " + words + " (" + kvc_status_name(status) + ")");
}

Config::Config(const std::string& preset) {
  const kvc_status_t status = kvc_config_create(preset.c_str(), &config_);
  if (status == KVC_E_INVALID) {
    std::string names;
    for (const std::string& name : preset_names()) names += (names.empty() ? "" : ", ") + name;
    throw UsageError("no preset '" + preset + "'; there are " + names);
  }
  check(status, "cannot make a configuration");
}

Config& Config::set(const std::string& key, const std::string& value) {
  const kvc_status_t status = kvc_config_set(config_, key.c_str(), value.c_str());
  if (status != KVC_OK) {
    char message[512];
    kvc_config_last_error(config_, message, sizeof message);
    throw UsageError(message[0] != '\0' ? message : key + ": " + kvc_status_text(status));
  }
  return *this;
}

std::string Config::get(const std::string& key) const {
  size_t length = 0;
  check(kvc_config_get(config_, key.c_str(), nullptr, 0, &length), "option " + key);
  std::string value(length + 1, '\0');
  check(kvc_config_get(config_, key.c_str(), value.data(), value.size(), &length), "option " + key);
  value.resize(length);
  return value;
}

Engine::Engine(const Config& config) {
  kvc_error_t error;
  std::memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  const kvc_status_t status = kvc_engine_create_with_error(config.handle(), &engine_, &error);
  cli::check(status, "cannot make an engine", error.message);
}

void Engine::check(kvc_status_t status, const std::string& what) const {
  if (status != KVC_OK) cli::check(status, what, last_error().c_str());
}

std::string Engine::last_error() const {
  char message[1024];
  kvc_engine_last_error(engine_, message, sizeof message);
  return message;
}

std::string Engine::info() const {
  size_t length = 0;
  check(kvc_engine_info(engine_, nullptr, 0, &length), "engine info");
  std::string json(length + 1, '\0');
  check(kvc_engine_info(engine_, json.data(), json.size(), &length), "engine info");
  json.resize(length);
  return json;
}

kvc_stats_t Engine::stats() const {
  kvc_stats_t stats;
  std::memset(&stats, 0, sizeof stats);
  stats.struct_size = sizeof stats;
  check(kvc_stats(engine_, &stats), "statistics");
  return stats;
}

std::vector<Option> engine_options() {
  return {
      {"model", "builtin|FILE", "the model; default: builtin"},
      {"preset", "P", "the preset to start from; default: seamless (`kvc info` lists them)"},
      {"set", "key=value", "any option of the engine, may be repeated (`kvc info` lists them)"},
  };
}

void apply_engine_options(const Args& args, Config* config) {
  if (args.has("model")) config->set("model", args.text("model"));
  for (const std::string& assignment : args.all("set")) {
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError("option '--set': '" + assignment + "' is not of the form key=value");
    }
    config->set(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
}

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = {"seamless", "adaptive", "high_performance", "memory_efficient",
                                                 "bulk_optimized"};
  return names;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string format(const char* pattern, ...) {
  va_list list;
  va_start(list, pattern);
  char buffer[1024];
  const int n = std::vsnprintf(buffer, sizeof buffer, pattern, list);
  va_end(list);
  return std::string(buffer, std::min(sizeof buffer - 1, static_cast<size_t>(std::max(n, 0))));
}

std::string temporary_directory() {
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

std::string with_commas(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

}  // namespace kvc::cli

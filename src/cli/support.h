// What every command needs: output that notices a full disk or a closed pipe, failures with words, an engine that
// closes itself.
#pragma once

#include <kvc/kvc.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "args.h"

namespace kvc::cli {

// Exit statuses.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // it was tried and did not work
inline constexpr int kExitUsage = 2;    // the command line makes no sense

// The command was understood and failed; main() prints the words and exits with kExitFailure.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Whoever read stdout is gone: the program ends without a word.
struct OutputClosed {};

// Writes all of it to stdout at once, unbuffered. Throws OutputClosed or Failure.
void print(std::string_view text);
// One line on stderr: "kvc: " and the text.
void complain(const std::string& text);

bool stdout_is_terminal();
bool stderr_is_terminal();

// A line on stderr that the next one overwrites; shown only when stderr is a terminal. Cleared on destruction.
class Progress {
 public:
  Progress() = default;
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text);
  void clear();

 private:
  bool shown_ = false;
};

// Reads a whole file; "-" is stdin. Throws Failure.
std::string read_file(const std::string& path);

// Throws Failure with the status' name and the words of `detail` (by default, what the status means in general) unless
// the status is KVC_OK. `detail` must not be asked of a handle in the same expression as the call: arguments are
// evaluated in any order.
void check(kvc_status_t status, const std::string& what, const char* detail = "");

// Owns a configuration. set() throws UsageError, because its values come from the command line.
class Config {
 public:
  explicit Config(const std::string& preset);
  ~Config() { kvc_config_destroy(config_); }
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;
  Config& set(const std::string& key, const std::string& value);
  std::string get(const std::string& key) const;
  kvc_config_t* handle() const { return config_; }

 private:
  kvc_config_t* config_ = nullptr;
};

// Owns an engine.
class Engine {
 public:
  explicit Engine(const Config& config);
  ~Engine() { kvc_engine_destroy(engine_); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  kvc_engine_t* handle() const { return engine_; }
  // Throws Failure with the engine's own words unless the status, of a call on this engine, is KVC_OK.
  void check(kvc_status_t status, const std::string& what) const;
  std::string last_error() const;
  std::string info() const;  // JSON
  kvc_stats_t stats() const;

 private:
  kvc_engine_t* engine_ = nullptr;
};

// The options by which a command line describes an engine: --preset, --model, --set key=value.
std::vector<Option> engine_options();
// Applies them to a configuration made from the preset that they name.
void apply_engine_options(const Args& args, Config* config);
inline std::string preset_of(const Args& args) { return args.text("preset", "seamless"); }

// The names of the presets, in the order of kvc.h.
const std::vector<std::string>& preset_names();

// Median; the values are taken by value because they get sorted.
double median(std::vector<double> values);
// Seconds on the monotonic clock.
double now_seconds();
// $TMPDIR, or /tmp.
std::string temporary_directory();
// printf into a string.
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
// 12345678 -> "12,345,678"
std::string with_commas(uint64_t number);

}  // namespace kvc::cli

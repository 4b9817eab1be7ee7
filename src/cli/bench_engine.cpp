// Measures a whole engine with the built-in model: time to first token, memory when idle, size of the library.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench.h"
#include "commands.h"
#include "json.h"

extern char** environ;

namespace kvc::cli {
namespace {

// ------------------------------------------------------------------------------------------------ time to first token

double seconds_to_first_token(const Engine& engine, const std::string& prompt, bool expect_hit) {
  const FirstToken first = first_token(engine, prompt);
  if (first.hit != expect_hit) {
    throw Failure(expect_hit ? "a repeated prompt was not found" : "a new prompt was found");
  }
  return first.seconds;
}

// Words of letters, 2,048 bytes: tokens of the built-in model.
std::string long_prompt(size_t bytes) {
  std::string text;
  uint32_t x = 1;
  while (text.size() < bytes) {
    x = x * 1664525u + 1013904223u;
    text += (x >> 24) % 6 == 0 ? ' ' : static_cast<char>('a' + (x >> 16) % 26);
  }
  return text;
}

// ------------------------------------------------------------------------------------------------ other processes

// A program that runs with pipes to its stdin and from its stdout.
class Child {
 public:
  explicit Child(const std::vector<std::string>& words) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
      throw Failure(std::string("pipe: ") + std::strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int error = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    if (error != 0) {
      pid_ = -1;
      ::close(to_);
      ::close(from_);
      throw Failure("cannot start '" + words[0] + "': " + std::strerror(error));
    }
  }
  ~Child() { finish(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Sends a line and waits until the child has answered with one.
  void exchange_line() {
    if (::write(to_, "ready\n", 6) != 6) throw Failure("a measured process ended early");
    char c = 0;
    do {
      if (::read(from_, &c, 1) != 1) throw Failure("a measured process ended early");
    } while (c != '\n');
  }

  // Resident memory, bytes.
  double rss() const {
    const std::string status = read_file("/proc/" + std::to_string(pid_) + "/status");
    const size_t at = status.find("VmRSS:");
    if (at == std::string::npos) throw Failure("/proc says nothing of a process's memory");
    return std::strtod(status.c_str() + at + 6, nullptr) * 1024;
  }

  // Ends its input and waits for its end; its exit status.
  int finish() {
    if (pid_ < 0) return 0;
    ::close(to_);
    ::close(from_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
};

double rss_of(const std::vector<std::string>& words) {
  Child child(words);
  child.exchange_line();
  return child.rss();
}

// ------------------------------------------------------------------------------------------------ the library's file

// The file that the library's functions come from.
std::string library_path() {
  Dl_info info;
  void* function = ::dlsym(RTLD_DEFAULT, "kvc_version_string");
  if (function == nullptr || ::dladdr(function, &info) == 0) throw Failure("cannot find the file of the library");
  return info.dli_fname;
}

// Its size when stripped, bytes; as it is where there is no `strip`.
double stripped_size(const std::string& path, bool* stripped) {
  std::string copy = temporary_directory() + "/kvc-bench-XXXXXX";
  const int file = ::mkstemp(copy.data());
  if (file < 0) throw Failure("cannot make a temporary file " + copy + ": " + std::strerror(errno));
  struct Remove {
    const std::string& name;
    ~Remove() { ::unlink(name.c_str()); }
  } remove{copy};
  const std::string content = read_file(path);
  const bool written = ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  ::close(file);
  if (!written) throw Failure("cannot write " + copy);
  try {
    *stripped = Child({"strip", copy}).finish() == 0;
  } catch (const Failure&) {
    *stripped = false;
  }
  struct stat status;
  if (::stat(copy.c_str(), &status) != 0) throw Failure("cannot look at " + copy);
  return static_cast<double>(status.st_size);
}

}  // namespace

void bench_first_token(Report* report) {
  const std::string prompt = long_prompt(report->quick() ? 200 : 2048);
  std::vector<double> ratios, cold, warm;
  for (int round = 0; round < (report->quick() ? 1 : 5); ++round) {
    report->progress().show("first token: round " + std::to_string(round + 1));
    const Engine engine((Config("seamless")));
    // The first request of an engine starts its thread and maps its weights: no part of the comparison.
    seconds_to_first_token(engine, "#", false);
    cold.push_back(seconds_to_first_token(engine, prompt, false));
    std::vector<double> repeats;
    for (int i = 0; i < 5; ++i) repeats.push_back(seconds_to_first_token(engine, prompt, true));
    warm.push_back(median(repeats));
    ratios.push_back(warm.back() / cold.back());
  }
  report->add("ttft_warm_over_cold", median(ratios));
  report->add("ttft_cold_ms", median(cold) * 1e3);
  report->add("ttft_warm_ms", median(warm) * 1e3);
  report->add("ttft_prompt_tokens", static_cast<double>(prompt.size()));
}

void bench_footprint(Report* report) {
  constexpr double kMb = 1e6;
  report->progress().show("footprint");
  // A measured process that ends early is to be told as a failure of the write to it.
  ::signal(SIGPIPE, SIG_IGN);
  const std::string self = "/proc/self/exe";
  // /proc/self/exe is followed in the child, where it would still be this program: exec comes after the fork.
  const double empty = rss_of({"cat"});
  const double linked = rss_of({self, "__probe", "empty"});
  const double idle = rss_of({self, "__probe", "engine"});
  report->add("idle_rss_mb", (idle - empty) / kMb);
  report->add("idle_rss_above_linked_mb", (idle - linked) / kMb);
  report->add("idle_rss_after_use_mb", (rss_of({self, "__probe", "used"}) - empty) / kMb);
  bool stripped = false;
  const double size = stripped_size(library_path(), &stripped);
  const double weights = find_number(kvc_build_info(), "builtin_weights_bytes").value_or(0);
  report->add("lib_mb", (size - weights) / kMb);
  report->add("lib_with_weights_mb", size / kMb);
  report->add("lib_stripped", stripped ? 1 : 0);
}

// Modes: empty (the program and nothing else), engine (made, its model asked to tokenise), used (one answer given).
int command_probe(const std::vector<std::string>& argv) {
  const std::string mode = argv.empty() ? "" : argv[0];
  if (mode != "empty" && mode != "engine" && mode != "used") throw UsageError("no probe '" + mode + "'");
  const auto wait = [] {
    char c = 0;
    while (::read(STDIN_FILENO, &c, 1) == 1) {
      if (c == '\n') print("ready\n");
    }
  };
  if (mode == "empty") {
    wait();
    return kExitOk;
  }
  const Engine engine((Config("seamless")));
  int32_t tokens[16];
  size_t n = 0;
  engine.check(kvc_tokenize(engine.handle(), "one", 3, tokens, 16, &n), "tokenize");
  if (mode == "used") seconds_to_first_token(engine, "one", false);
  wait();
  return kExitOk;
}

}  // namespace kvc::cli

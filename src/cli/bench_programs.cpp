// Benches that are programs of their own, to which this one hands over: it uses kvc.h alone, they look beneath it or call
// others as well.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "bench.h"

namespace kvc::cli {
namespace {

// The path of the program of that name beside this one.
std::string beside(const std::string& name) {
  char self[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  if (size <= 0) throw Failure(std::string("cannot find the folder of this program: ") + std::strerror(errno));
  const std::string path(self, static_cast<size_t>(size));
  return path.substr(0, path.rfind('/') + 1) + name;
}

// Becomes the program of that name beside this one. `built_with`: what builds it.
[[noreturn]] void hand_over(const char* name, const char* built_with, const std::vector<std::string>& argv) {
  std::string program = beside(name);
  std::vector<char*> words{program.data()};
  std::vector<std::string> copies(argv);
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  throw Failure("cannot start " + program + ": " + std::strerror(errno) +
                (errno == ENOENT ? std::string("; it is built with ") + built_with : ""));
}

}  // namespace

std::string output_of(const std::string& name, const std::vector<std::string>& argv) {
  std::string program = beside(name);
  std::vector<std::string> copies(argv);
  std::vector<char*> words{program.data()};
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Failure(std::string("no pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int code = ::posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string output;
  char buffer[4096];
  for (ssize_t n; code == 0 && (n = ::read(ends[0], buffer, sizeof buffer)) != 0;) {
    if (n > 0) output.append(buffer, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  ::close(ends[0]);
  if (code != 0) {
    throw Failure("cannot start " + program + ": " + std::strerror(code) +
                  (code == ENOENT ? "; it is built with kvc's own tree (bench/)" : ""));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw Failure(program + " failed; what it printed is above");
  return output;
}

int bench_llama(const std::vector<std::string>& argv) {
  hand_over("kvc-bench-llama", "the llama.cpp module (bindings/llama)", argv);
}

int bench_cuda(const std::vector<std::string>& argv) {
  hand_over("kvc-bench-cuda", "the CUDA module, where nvcc is found (cuda/setup)", argv);
}

int bench_codec(const std::vector<std::string>& argv) {
  std::vector<std::string> words{"codec"};
  words.insert(words.end(), argv.begin(), argv.end());
  hand_over("kvc-bench-codec", "kvc's own tree (bench/codec)", words);
}

int bench_attend(const std::vector<std::string>& argv) {
  std::vector<std::string> words{"attend"};
  words.insert(words.end(), argv.begin(), argv.end());
  hand_over("kvc-bench-codec", "kvc's own tree (bench/codec)", words);
}

}  // namespace kvc::cli

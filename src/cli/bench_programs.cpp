// Benches that are programs of their own, to which this one hands over: it uses kvc.h alone, they look beneath it or call
// others as well.
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "bench.h"

namespace kvc::cli {
namespace {

// Becomes the program of that name beside this one. `built_with`: what builds it.
[[noreturn]] void hand_over(const char* name, const char* built_with, const std::vector<std::string>& argv) {
  char self[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  if (size <= 0) throw Failure(std::string("cannot find the folder of this program: ") + std::strerror(errno));
  const std::string path(self, static_cast<size_t>(size));
  std::string program = path.substr(0, path.rfind('/') + 1) + name;
  std::vector<char*> words{program.data()};
  std::vector<std::string> copies(argv);
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  throw Failure("cannot start " + program + ": " + std::strerror(errno) +
                (errno == ENOENT ? std::string("; it is built with ") + built_with : ""));
}

}  // namespace

int bench_llama(const std::vector<std::string>& argv) {
  hand_over("kvc-bench-llama", "the llama.cpp module (bindings/llama)", argv);
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

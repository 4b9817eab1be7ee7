// kvc bench llama: hands over to kvc-bench-llama. This program uses kvc.h alone; that one calls llama.cpp as well.
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "bench.h"

namespace kvc::cli {
namespace {

constexpr const char* kProgram = "kvc-bench-llama";

}  // namespace

int bench_llama(const std::vector<std::string>& argv) {
  char self[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  if (size <= 0) throw Failure(std::string("cannot find the folder of this program: ") + std::strerror(errno));
  const std::string path(self, static_cast<size_t>(size));
  std::string program = path.substr(0, path.rfind('/') + 1) + kProgram;
  std::vector<char*> words{program.data()};
  std::vector<std::string> copies(argv);
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  throw Failure("cannot start " + program + ": " + std::strerror(errno) +
                (errno == ENOENT ? "; it is built with the llama.cpp module (bindings/llama)" : ""));
}

}  // namespace kvc::cli

// The commands of the program. Each takes the words after its name and returns an exit status; failures are thrown
// (support.h).
#pragma once

#include <string>
#include <vector>

namespace kvc::cli {

int command_replay(const std::vector<std::string>& argv);
int command_run(const std::vector<std::string>& argv);
int command_info(const std::vector<std::string>& argv);
int command_bench(const std::vector<std::string>& argv);
// Directories of pages (store.cpp).
int command_inspect(const std::vector<std::string>& argv);
int command_verify(const std::vector<std::string>& argv);
int command_compact(const std::vector<std::string>& argv);
int command_export(const std::vector<std::string>& argv);
// Not for people: a process that waits, so that `kvc bench core` can measure its memory.
int command_probe(const std::vector<std::string>& argv);

}  // namespace kvc::cli

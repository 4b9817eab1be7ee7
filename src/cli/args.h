// Command-line options of one command: a table says what exists, parse() checks and collects.
//
// Accepted forms: `--name value`, `--name=value`, `--flag`, `-h`, and as many words without dashes as a command says.
// What does not fit is a UsageError, which main() turns into exit status 2.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace kvc::cli {

// The command line makes no sense.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Option {
  const char* name;   // without the dashes
  const char* value;  // placeholder for help, e.g. "N"; nullptr for a flag
  const char* doc;    // one line, or several separated by '\n'
};

class Args {
 public:
  // argv: what follows the command's name. words: how many words without dashes are needed, unless help is asked for.
  Args(const std::vector<Option>& options, const std::vector<std::string>& argv, size_t words = 0);

  bool has(const std::string& name) const;
  const std::string& word(size_t i) const { return words_[i]; }
  // The last value given, or `fallback`.
  std::string text(const std::string& name, const std::string& fallback = "") const;
  std::vector<std::string> all(const std::string& name) const;
  // Whole numbers and reals; `fallback` when not given, UsageError when it is no number in the range.
  uint64_t number(const std::string& name, uint64_t fallback, uint64_t minimum, uint64_t maximum) const;
  double real(const std::string& name, double fallback) const;
  // Every option in the order of the command line: (name, value), "" for flags.
  const std::vector<std::pair<std::string, std::string>>& in_order() const { return given_; }

 private:
  std::vector<std::pair<std::string, std::string>> given_;
  std::vector<std::string> words_;
};

// The lines of a help text for these options.
std::string describe_options(const std::vector<Option>& options);

}  // namespace kvc::cli

#include "args.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace kvc::cli {

Args::Args(const std::vector<Option>& options, const std::vector<std::string>& argv, size_t words) {
  for (size_t i = 0; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (word == "-h") {
      given_.emplace_back("help", "");
      continue;
    }
    if (words_.size() < words && !word.empty() && word[0] != '-') {
      words_.push_back(word);
      continue;
    }
    if (word.size() < 3 || word.compare(0, 2, "--") != 0) {
      throw UsageError("unexpected argument '" + word + "'; every input is an option, e.g. --prompt TEXT");
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto known = std::find_if(options.begin(), options.end(), [&](const Option& o) { return name == o.name; });
    if (known == options.end()) throw UsageError("unknown option '--" + name + "'");
    if (known->value == nullptr) {
      if (equals != std::string::npos) throw UsageError("option '--" + name + "' takes no value");
      given_.emplace_back(name, "");
    } else if (equals != std::string::npos) {
      given_.emplace_back(name, word.substr(equals + 1));
    } else {
      if (++i == argv.size()) throw UsageError("option '--" + name + "' needs a value: " + known->value);
      given_.emplace_back(name, argv[i]);
    }
  }
  if (words_.size() < words && !has("help")) {
    throw UsageError(words == 1 ? "name a directory" : "too few words: " + std::to_string(words) + " are needed");
  }
}

bool Args::has(const std::string& name) const {
  return std::any_of(given_.begin(), given_.end(), [&](const auto& g) { return g.first == name; });
}

std::string Args::text(const std::string& name, const std::string& fallback) const {
  const auto last = std::find_if(given_.rbegin(), given_.rend(), [&](const auto& g) { return g.first == name; });
  return last == given_.rend() ? fallback : last->second;
}

std::vector<std::string> Args::all(const std::string& name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : given_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

uint64_t Args::number(const std::string& name, uint64_t fallback, uint64_t minimum, uint64_t maximum) const {
  if (!has(name)) return fallback;
  const std::string value = text(name);
  char* end = nullptr;
  errno = 0;
  const unsigned long long n = std::strtoull(value.c_str(), &end, 10);
  // strtoull takes "-1" and " 1": only digits are a number here.
  const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || errno == ERANGE || n < minimum || n > maximum) {
    throw UsageError("option '--" + name + "': '" + value + "' is not a whole number from " + std::to_string(minimum) +
                     " to " + std::to_string(maximum));
  }
  return n;
}

double Args::real(const std::string& name, double fallback) const {
  if (!has(name)) return fallback;
  const std::string value = text(name);
  char* end = nullptr;
  const double x = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !std::isfinite(x)) {
    throw UsageError("option '--" + name + "': '" + value + "' is not a number");
  }
  return x;
}

std::string describe_options(const std::vector<Option>& options) {
  constexpr size_t kColumn = 24;
  std::string out;
  for (const Option& option : options) {
    std::string line = std::string("  --") + option.name + (option.value ? std::string(" ") + option.value : "");
    line.append(line.size() < kColumn ? kColumn - line.size() : 2, ' ');
    for (const char* c = option.doc; *c != '\0'; ++c) {
      line += *c;
      if (*c == '\n') line.append(kColumn, ' ');
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace kvc::cli

// The figures of one benchmark run, and how they are printed: a table with bar and goal of each, or one JSON object.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support.h"

namespace kvc::cli {

// A figure that kvc promises. `bar` is what every release must reach, `goal` what it wants to.
struct Figure {
  const char* key;
  const char* meaning;
  double bar, goal;
  bool lower_is_better;
};

// The figures of one run, in the order of their measurement.
class Report {
 public:
  explicit Report(bool quick) : quick_(quick) {}
  // quick: sizes and rounds so small that only "does it work" is answered; for tests.
  bool quick() const { return quick_; }
  void add(const std::string& key, double value) { values_.emplace_back(key, value); }
  const std::vector<std::pair<std::string, double>>& values() const { return values_; }
  // NaN if there is none.
  double value(const std::string& key) const;
  Progress& progress() { return progress_; }

 private:
  const bool quick_;
  std::vector<std::pair<std::string, double>> values_;
  Progress progress_;
};

// The promised figures first, then what else was measured.
std::string report_table(const Report& report, std::span<const Figure> figures);
std::string report_json(const Report& report, std::span<const Figure> figures);

}  // namespace kvc::cli

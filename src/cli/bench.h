// The measurements of `kvc bench core`. bench/README.md says what each figure means and against which peer it stands.
//
// Rules: a ratio compares kvc and its peer in the same run, in alternating rounds, and is the median of the rounds'
// ratios; buffers are touched beforehand; what kvc copied is checked against its source.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support.h"

namespace kvc::cli {

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

void bench_index(Report* report);        // identity, match, scaling of match, metadata
void bench_copies(Report* report);       // read and append against memcpy
void bench_first_token(Report* report);  // time to first token, warm over cold
void bench_footprint(Report* report);    // idle memory, size of the library

// A space of f16 K/V that no model made, for measurements of the page core.
kvc_space_t* open_bench_space(const Engine& engine, uint32_t layers, uint32_t heads, uint32_t dim);

}  // namespace kvc::cli

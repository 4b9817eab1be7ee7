// What `kvc bench NAME` runs: the measurements of the page core here, those of a real model in a program of their own. bench/README.md says what each figure means and against which peer it stands.
//
// Rules: a ratio compares kvc and its peer in the same run, in alternating rounds, and is the median of the rounds'
// ratios; buffers are touched beforehand; what kvc copied is checked against its source.
#pragma once

#include <string>
#include <vector>

#include "report.h"

namespace kvc::cli {

void bench_index(Report* report);        // identity, match, scaling of match, metadata
void bench_copies(Report* report);       // read and append against memcpy
void bench_first_token(Report* report);  // time to first token, warm over cold
void bench_footprint(Report* report);    // idle memory, size of the library

// `kvc bench disk`: time to first token with K/V from disk, against computing it.
int bench_disk(const std::vector<std::string>& argv);

// Of a request for one token.
struct FirstToken {
  double seconds;
  uint32_t cached, prompt;  // tokens
  bool hit;
};
FirstToken first_token(const Engine& engine, const std::string& prompt, bool no_cache = false);

// A directory that is gone when this is.
class Scratch {
 public:
  explicit Scratch(const std::string& in);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Stores the K/V of a made-up prompt of about so many tokens; returns it.
std::string store_prompt(const Engine& engine, size_t tokens);

// `kvc bench store`: the figures of the disk tier, those of kvc-bench-store among them.
int bench_store(const std::vector<std::string>& argv);

// What the program of that name beside this one prints. Throws Failure if it fails.
std::string output_of(const std::string& name, const std::vector<std::string>& argv);

// `kvc bench llama`: the program kvc-bench-llama, beside this one, with these arguments.
int bench_llama(const std::vector<std::string>& argv);

// `kvc bench codec` and `kvc bench attend`: the program kvc-bench-codec, likewise.
int bench_codec(const std::vector<std::string>& argv);
int bench_attend(const std::vector<std::string>& argv);

// `kvc bench cuda`: the program kvc-bench-cuda, likewise.
int bench_cuda(const std::vector<std::string>& argv);

// A space of f16 K/V that no model made, for measurements of the page core.
kvc_space_t* open_bench_space(const Engine& engine, uint32_t layers, uint32_t heads, uint32_t dim);

}  // namespace kvc::cli

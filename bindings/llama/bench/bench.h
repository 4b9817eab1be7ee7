// The measurements of kvc-bench-llama. bench/README.md says what each figure means and against which peer it stands.
//
// Rules: kvc and its peers take turns, so that a machine that slows down slows both; a time is the shortest of the
// rounds; every answer is compared with the peer's.
#pragma once

#include <string>

#include "report.h"
#include "llama_loop.h"

namespace kvc_llama {

struct Setup {
  std::string model;     // a GGUF file
  uint32_t threads = 1;  // of llama.cpp's computing, kvc's and the peers'
  int rounds = 3;
  bool quick = false;
  bool cpu_time = false;  // what the process computed, instead of what passed: on a machine that is not quiet
  const Library* library = nullptr;

  // Seconds on the chosen clock.
  double now() const;
  size_t tokens(size_t n) const { return quick ? n / 16 : n; }
};

// An engine of kvc that runs the model. cells: tokens that llama.cpp's own cache holds; resident: finished sequences that
// stay in it while there is room.
kvc::cli::Engine open_engine(const Setup& setup, size_t context, size_t cells, uint32_t resident);

// Answers a prompt through kvc_process; *cached gets the number of prompt tokens that were found, if it is not null.
Tokens process(const kvc::cli::Engine& engine, const Tokens& prompt, size_t most, bool no_cache = false,
               size_t* cached = nullptr);

void bench_first_token(const Setup& setup, kvc::cli::Report* report);  // ttft_*, store_overhead
void bench_restore(const Setup& setup, kvc::cli::Report* report);      // restore_*
void bench_chat(const Setup& setup, kvc::cli::Report* report);         // chat_*
}  // namespace kvc_llama

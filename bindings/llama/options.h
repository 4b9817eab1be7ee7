// What this module reads of an engine's options.
#pragma once

#include <kvc/kvc.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kvc_llama {

struct Lora {
  std::string path;
  float scale = 1;
};

struct Options {
  std::string model, library;
  bool plain_codec = true;    // pages are stored as they are
  bool reproducible = false;  // one sequence at a time, in cells from the first on
  uint32_t context = 0, cells = 0, resident = 4, threads = 0, page_tokens = 64, max_batch = 8, prefill_chunk = 256;
  uint32_t max_tokens = 4096, yarn_context = 0, state_tokens = 1024;
  int32_t type_k = 1, type_v = 1, flash = 1, rope_scaling = -1;
  double rope_base = 0, rope_scale = 0;
  std::vector<Lora> lora;
};

// Throws Failure for a value that makes no sense; options that are missing keep their defaults.
Options read_options(const kvc_module_request_t& request);

const char* type_name(int32_t type) noexcept;  // "f16", "q8_0"
bool is_quantised(int32_t type) noexcept;

}  // namespace kvc_llama

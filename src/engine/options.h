// The options of an engine, as data: one row each, and the rows of presets and modes that change them.
//
// To add an option: its field in Settings, its row in options.cpp. Everything else (set, get, introspection, checks,
// the program's help, every binding) follows from the row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace kvc {

// The values of all options, read.
struct Settings {
  std::string model;
  uint64_t memory = 0;
  uint64_t page_limit = 0;
  std::string policy;
  uint64_t pin_limit = 0;
  uint64_t whatif_memory = 0;
  std::string codec;
  uint32_t codec_window = 0;
  uint32_t codec_key_bits = 0;
  uint32_t codec_value_bits = 0;
  double codec_bits = 0;
  double compression_ratio = 0;
  double codec_bound = 0;
  double codec_rest_bits = 0;
  double codec_rest_bound = 0;
  uint64_t codec_rest_after_ns = 0;
  uint32_t codec_learn = 0;
  double sparse_keep = 0;
  bool sparse_restore = true;
  std::string tensor_codec;
  double gc_threshold = 0;
  double gc_target = 0;
  bool reuse = true;
  uint32_t page_tokens = 0;
  uint32_t num_heads = 0;
  uint32_t head_dim = 0;
  uint32_t max_tokens = 0;
  std::string mode;
  uint32_t threads = 0;
  uint32_t max_batch = 0;
  uint32_t prefill_chunk = 0;
  bool reproducible = false;
  uint32_t max_queue = 0;
  uint64_t deadline_ns = 0;
  std::string secret;
  // What a module of model files is told, by name (model/module.h).
  std::string model_module;
  std::string model_library;
  uint32_t model_context = 0;
  uint32_t model_cells = 0;
  uint32_t model_resident = 0;
  uint32_t model_threads = 0;
  std::string model_cache_type_k;
  std::string model_cache_type_v;
  std::string model_flash_attention;
  std::string model_lora;
  double model_rope_base = 0;
  double model_rope_scale = 0;
  std::string model_rope_scaling;
  uint32_t model_yarn_context = 0;
  uint32_t model_state_tokens = 0;
  std::string disk_path;
  std::string disk_mode;
  uint64_t disk_limit = 0;
  uint64_t disk_interval_ns = 0;
  uint64_t disk_timeout_ns = 0;
  std::string disk_admission;
  uint32_t disk_compression = 0;
  std::string disk_key;
  uint32_t prefetch_size = 0;
  double prefill_speed = 0;
  std::string device;
  uint64_t device_memory = 0;
  bool pin_memory = true;
};

using SettingsField = std::variant<std::string Settings::*, uint64_t Settings::*, uint32_t Settings::*,
                                   double Settings::*, bool Settings::*>;

struct OptionRow {
  const char* name;
  int32_t type;  // KVC_OPTION_*
  const char* default_value;
  const char* minimum;  // "" where there is none
  const char* maximum;
  const char* (
      *choices)();  // words separated by '|', static text; nullptr unless KVC_OPTION_CHOICE. May throw bad_alloc
  const char* doc;
  const char* since;
  SettingsField field;
  bool percent = false;  // a size that may be a share of the machine's memory
};

std::span<const OptionRow> option_rows() noexcept;
// Index of the option, or -1.
int find_option(std::string_view name) noexcept;

// What a preset or a mode sets. `at_least`, for sizes: the value is raised to it.
struct OverrideRow {
  const char* owner;
  const char* option;
  const char* value;
  const char* at_least = nullptr;
};
std::span<const std::string_view> preset_names() noexcept;
std::span<const OverrideRow> preset_rows() noexcept;
std::span<const OverrideRow> mode_rows() noexcept;

// Checks a value against its row and gives its canonical text.
Status canonical_value(const OptionRow& row, std::string_view text, std::string* out);
// Reads a canonical text into its field.
Status read_value(const OptionRow& row, std::string_view canonical, Settings* settings);

}  // namespace kvc

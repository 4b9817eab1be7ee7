// What an engine is to be made of: values of options, and the caller's tables. Copied into every engine made from it.
//
// The value of an option is, in this order: what was set by name, what the mode says, what the preset says, its
// default.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/options.h"
#include "kvc/kvc.h"

namespace kvc {

class Config {
 public:
  // preset: one of preset_names(). KVC_E_INVALID lists them.
  static Status make(std::string_view preset, Config* out);

  // A failure leaves the option as it was.
  Status set(std::string_view key, std::string_view value);
  Status get(std::string_view key, std::string* value) const;
  // All options, read.
  Status resolve(Settings* out) const;
  const std::string& preset() const noexcept { return preset_; }

  // The caller's tables, as full structs.
  std::optional<kvc_backend_t> backend;
  std::optional<kvc_allocator_t> allocator;
  std::optional<kvc_logger_t> logger;
  std::optional<kvc_clock_t> clock;
  std::optional<kvc_policy_t> policy;
  std::optional<kvc_codec_t> codec;

 private:
  Status effective(size_t index, std::string* canonical) const;

  std::string preset_ = "seamless";
  std::vector<std::optional<std::string>> explicit_;  // canonical, by index of option_rows()
};

// All options by name and value, as they may be shown: what is secret is not in them.
std::vector<std::pair<std::string, std::string>> canonical_options(const Config& config);

}  // namespace kvc

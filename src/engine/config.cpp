#include "engine/config.h"

#include <algorithm>

#include "engine/values.h"

namespace kvc {
namespace {

const OverrideRow* find_override(std::span<const OverrideRow> rows, std::string_view owner, std::string_view option) {
  for (const OverrideRow& row : rows) {
    if (owner == row.owner && option == row.option) return &row;
  }
  return nullptr;
}

Status override_value(const OptionRow& option, const OverrideRow& row, std::string* canonical) {
  const Status status = canonical_value(option, row.value, canonical);
  if (row.at_least == nullptr) return status;
  // A machine that does not tell its memory gets the least that the preset asks for.
  uint64_t least = 0;
  KVC_RETURN_IF_ERROR(parse_size(row.at_least, false, &least));
  uint64_t value = 0;
  if (status.is_ok()) KVC_RETURN_IF_ERROR(parse_size(*canonical, false, &value));
  *canonical = format_size(std::max(value, least));
  return Status::ok();
}

Status unknown_option(std::string_view key) {
  std::string known;
  for (const OptionRow& row : option_rows()) known.append(known.empty() ? "" : ", ").append(row.name);
  return error(KVC_E_UNKNOWN_OPTION, "no option '%.*s'; there are: %s",
               static_cast<int>(std::min<size_t>(key.size(), 60)), key.data(), known.c_str());
}

}  // namespace

Status Config::make(std::string_view preset, Config* out) {
  const auto names = preset_names();
  if (std::find(names.begin(), names.end(), preset) == names.end()) {
    std::string known;
    for (std::string_view name : names) known.append(known.empty() ? "" : ", ").append(name);
    return error(KVC_E_INVALID, "no preset '%.*s'; there are: %s",
                 static_cast<int>(std::min<size_t>(preset.size(), 60)), preset.data(), known.c_str());
  }
  out->preset_ = preset;
  out->explicit_.assign(option_rows().size(), std::nullopt);
  return Status::ok();
}

Status Config::set(std::string_view key, std::string_view value) {
  const int index = find_option(key);
  if (index < 0) return unknown_option(key);
  std::string canonical;
  const Status status = canonical_value(option_rows()[static_cast<size_t>(index)], value, &canonical);
  if (!status.is_ok()) {
    return error(status.code(), "option %s: %s", option_rows()[static_cast<size_t>(index)].name,
                 status.message().c_str());
  }
  explicit_[static_cast<size_t>(index)] = std::move(canonical);
  return Status::ok();
}

Status Config::effective(size_t index, std::string* canonical) const {
  const OptionRow& option = option_rows()[index];
  if (explicit_[index]) {
    *canonical = *explicit_[index];
    return Status::ok();
  }
  static constexpr std::string_view kMode = "mode";
  if (option.name != kMode) {
    std::string mode;
    KVC_RETURN_IF_ERROR(effective(static_cast<size_t>(find_option(kMode)), &mode));
    if (const OverrideRow* row = find_override(mode_rows(), mode, option.name))
      return override_value(option, *row, canonical);
  }
  if (const OverrideRow* row = find_override(preset_rows(), preset_, option.name))
    return override_value(option, *row, canonical);
  return canonical_value(option, option.default_value, canonical);
}

Status Config::get(std::string_view key, std::string* value) const {
  const int index = find_option(key);
  if (index < 0) return unknown_option(key);
  return effective(static_cast<size_t>(index), value);
}

Status Config::resolve(Settings* out) const {
  for (size_t i = 0; i < option_rows().size(); ++i) {
    std::string canonical;
    KVC_RETURN_IF_ERROR(effective(i, &canonical));
    KVC_RETURN_IF_ERROR(read_value(option_rows()[i], canonical, out));
  }
  if (out->codec_rest_bits > 0 && (out->codec != "klt" || out->codec_rest_bits < 1.5 || out->codec_rest_bits >= out->codec_bits)) {
    return error(KVC_E_INVALID,
                 "codec_rest_bits is %g with codec %s and codec_bits %g: it goes with codec klt, is at least 1.5 and less than "
                 "codec_bits, or 0",
                 out->codec_rest_bits, out->codec.c_str(), out->codec_bits);
  }
  if (out->codec_rest_bound > 0 && (out->codec != "auto" || out->codec_rest_bound <= out->codec_bound)) {
    return error(KVC_E_INVALID,
                 "codec_rest_bound is %g with codec %s and codec_bound %g: it goes with codec auto and is larger than "
                 "codec_bound, or 0",
                 out->codec_rest_bound, out->codec.c_str(), out->codec_bound);
  }
  if (out->gc_target > out->gc_threshold) {
    return error(KVC_E_OUT_OF_RANGE, "gc_target %s is above gc_threshold %s; set it to at most that",
                 format_real(out->gc_target).c_str(), format_real(out->gc_threshold).c_str());
  }
  return Status::ok();
}

}  // namespace kvc

#include "engine/values.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <system_error>

namespace kvc {
namespace {

struct Unit {
  const char* name;
  uint64_t factor;
};

// Largest first: formatting takes the first that divides. Decimal units are read, never written.
constexpr Unit kSizeUnits[] = {
    {"TiB", 1ull << 40},
    {"GiB", 1ull << 30},
    {"MiB", 1ull << 20},
    {"KiB", 1ull << 10},
    {"TB", 1000000000000ull},
    {"GB", 1000000000},
    {"MB", 1000000},
    {"KB", 1000},
    {"B", 1},
};
constexpr Unit kTimeUnits[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

std::string quoted(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string out = "'" + std::string(text.substr(0, kShown));
  out += text.size() > kShown ? "...'" : "'";
  return out;
}

// A number and the unit after it. Whole numbers are multiplied exactly; fractions are rounded to whole base units.
Status parse_with_unit(std::string_view text, std::span<const Unit> units, const char* kind, const char* example,
                       uint64_t* out) {
  size_t digits = 0;
  while (digits < text.size() && ((text[digits] >= '0' && text[digits] <= '9') || text[digits] == '.')) ++digits;
  if (!text.empty() && text[0] == '-') {
    return error(KVC_E_OUT_OF_RANGE, "%s is below 0, the least %s", quoted(text).c_str(), kind);
  }
  std::string_view unit_text = text.substr(digits);
  while (!unit_text.empty() && unit_text.front() == ' ') unit_text.remove_prefix(1);
  uint64_t factor = unit_text.empty() ? 1 : 0;
  for (const Unit& unit : units) {
    if (equal_ignoring_case(unit_text, unit.name)) factor = unit.factor;
  }
  if (digits == 0 || factor == 0) {
    return error(KVC_E_INVALID, "%s is not a %s; write a number and a unit, e.g. %s", quoted(text).c_str(), kind,
                 example);
  }
  const std::string_view number = text.substr(0, digits);
  const Status too_large = error(KVC_E_OUT_OF_RANGE, "%s is larger than any %s can be", quoted(text).c_str(), kind);
  if (number.find('.') == std::string_view::npos) {
    uint64_t value = 0;
    const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (code != std::errc() || end != number.data() + number.size()) return too_large;
    if (value > std::numeric_limits<uint64_t>::max() / factor) return too_large;
    *out = value * factor;
    return Status::ok();
  }
  double value = 0;
  KVC_RETURN_IF_ERROR(parse_real(number, &value));
  value = std::round(value * static_cast<double>(factor));
  if (value >= 0x1p63) return too_large;
  *out = static_cast<uint64_t>(value);
  return Status::ok();
}

std::string format_with_unit(uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return std::to_string(value / unit.factor) + unit.name;
  }
  return "0" + std::string(units.back().name);
}

}  // namespace

Status parse_size(std::string_view text, bool percent, uint64_t* bytes) {
  if (percent && !text.empty() && text.back() == '%') {
    double share = 0;
    KVC_RETURN_IF_ERROR(parse_real(text.substr(0, text.size() - 1), &share));
    if (!(share >= 0 && share <= 100)) {
      return error(KVC_E_OUT_OF_RANGE, "%s of the machine's memory: write 0%% to 100%%", quoted(text).c_str());
    }
    const uint64_t machine = machine_memory();
    if (machine == 0)
      return error(KVC_E_UNSUPPORTED, "this machine does not tell its memory; write a size, e.g. 512MiB");
    // In whole MiB: a share is no exact figure, and a round one is easier to read back.
    const auto mebibytes = static_cast<uint64_t>(static_cast<double>(machine) * share / 100 / 0x1p20);
    *bytes = mebibytes << 20;
    return Status::ok();
  }
  return parse_with_unit(text, kSizeUnits, "size", "512MiB", bytes);
}

Status parse_time(std::string_view text, uint64_t* ns) { return parse_with_unit(text, kTimeUnits, "time", "30s", ns); }

Status parse_integer(std::string_view text, uint64_t* value) {
  const bool negative = !text.empty() && text[0] == '-';
  const std::string_view digits = text.substr(negative ? 1 : 0);
  const bool is_number =
      !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return error(KVC_E_INVALID, "%s is not a whole number", quoted(text).c_str());
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), *value);
  if (code == std::errc::result_out_of_range) {
    return error(KVC_E_OUT_OF_RANGE, "%s does not fit into 64 bits", quoted(text).c_str());
  }
  if (negative && *value != 0) return error(KVC_E_OUT_OF_RANGE, "%s is below 0", quoted(text).c_str());
  return Status::ok();
}

Status parse_real(std::string_view text, double* value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (code != std::errc() || end != text.data() + text.size() || !std::isfinite(*value)) {
    return error(KVC_E_INVALID, "%s is not a number", quoted(text).c_str());
  }
  return Status::ok();
}

Status parse_switch(std::string_view text, bool* value) {
  for (const char* yes : {"true", "1", "on", "yes"}) {
    if (equal_ignoring_case(text, yes)) return *value = true, Status::ok();
  }
  for (const char* no : {"false", "0", "off", "no"}) {
    if (equal_ignoring_case(text, no)) return *value = false, Status::ok();
  }
  return error(KVC_E_INVALID, "%s is not a switch; write true or false", quoted(text).c_str());
}

std::string format_size(uint64_t bytes) {
  for (const Unit& unit : std::span(kSizeUnits).first(4)) {
    if (bytes != 0 && bytes % unit.factor == 0) return std::to_string(bytes / unit.factor) + unit.name;
  }
  return std::to_string(bytes) + "B";
}

std::string format_time(uint64_t ns) { return format_with_unit(ns, kTimeUnits); }

std::string format_real(double value) {
  char buffer[32];
  const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, code == std::errc() ? end : buffer);
}

uint64_t machine_memory() noexcept {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return 0;
  uint64_t bytes = static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes);
  // A container's limit is what counts: a share of the host's memory would get the process killed.
  const int file = open("/sys/fs/cgroup/memory.max", O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    char text[32];
    const ssize_t n = read(file, text, sizeof text);
    close(file);
    uint64_t limit = 0;
    if (n > 0 && std::from_chars(text, text + n, limit).ec == std::errc() && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

}  // namespace kvc

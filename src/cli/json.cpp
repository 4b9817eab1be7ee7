#include "json.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace kvc::cli {

void Json::before_value() {
  if (comma_) out_ += ", ";
  comma_ = true;
}

Json& Json::open_object() {
  before_value();
  out_ += '{';
  comma_ = false;
  return *this;
}

Json& Json::close_object() {
  out_ += '}';
  comma_ = true;
  return *this;
}

Json& Json::open_array() {
  before_value();
  out_ += '[';
  comma_ = false;
  return *this;
}

Json& Json::close_array() {
  out_ += ']';
  comma_ = true;
  return *this;
}

Json& Json::key(std::string_view name) {
  before_value();
  out_ += quote_json(name) + ": ";
  comma_ = false;
  return *this;
}

Json& Json::text(std::string_view value) { return raw(quote_json(value)); }
Json& Json::integer(int64_t value) { return raw(std::to_string(value)); }
Json& Json::unsigned_integer(uint64_t value) { return raw(std::to_string(value)); }
Json& Json::boolean(bool value) { return raw(value ? "true" : "false"); }

Json& Json::real(double value) {
  if (!std::isfinite(value)) return raw("null");
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return raw(buffer);
}

Json& Json::raw(std::string_view json) {
  before_value();
  out_ += json;
  return *this;
}

std::string quote_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
          out += escape;
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

std::string indent_json(std::string_view json) {
  std::string out;
  size_t depth = 0;
  bool in_text = false;
  const auto new_line = [&] { out += '\n' + std::string(2 * depth, ' '); };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      out += c;
      if (c == '\\' && i + 1 < json.size())
        out += json[++i];
      else if (c == '"')
        in_text = false;
      continue;
    }
    switch (c) {
      case '"':
        in_text = true;
        out += c;
        break;
      case ' ':
      case '\n':
      case '\t':
      case '\r':
        break;
      case ':':
        out += ": ";
        break;
      case ',':
        out += c;
        new_line();
        break;
      case '{':
      case '[': {
        const size_t next = json.find_first_not_of(" \n\t\r", i + 1);
        if (next != std::string_view::npos && (json[next] == '}' || json[next] == ']')) {
          out += c;
          out += json[next];
          i = next;
        } else {
          out += c;
          ++depth;
          new_line();
        }
        break;
      }
      case '}':
      case ']':
        if (depth > 0) --depth;
        new_line();
        out += c;
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::optional<double> find_number(std::string_view json, std::string_view name) {
  const size_t at = json.find(quote_json(name));
  if (at == std::string_view::npos) return std::nullopt;
  const size_t value = json.find_first_not_of(": ", at + name.size() + 2);
  if (value == std::string_view::npos) return std::nullopt;
  const std::string digits(json.substr(value, 40));
  char* end = nullptr;
  const double number = std::strtod(digits.c_str(), &end);
  if (end == digits.c_str()) return std::nullopt;
  return number;
}

}  // namespace kvc::cli

// JSON by hand: the few objects that kvc writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvc {

// text with quotes, escaped; bytes that are not ASCII pass (they are UTF-8 already).
std::string json_string(std::string_view text);

// Writes one object member after another: json.member("a", "1"), then json.text().
class JsonObject {
 public:
  JsonObject& raw(std::string_view name, std::string_view json);
  JsonObject& string(std::string_view name, std::string_view text) { return raw(name, json_string(text)); }
  JsonObject& number(std::string_view name, uint64_t value) { return raw(name, std::to_string(value)); }
  JsonObject& integer(std::string_view name, int64_t value) { return raw(name, std::to_string(value)); }
  JsonObject& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

}  // namespace kvc

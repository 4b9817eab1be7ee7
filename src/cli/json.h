// Writing JSON text, and finding a field again in the small JSON objects that kvc.h hands out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvc::cli {

// Builds one JSON value; commas and nesting are its business. Text must be UTF-8. One line, no spaces but after ':' and
// ','.
class Json {
 public:
  Json& open_object();
  Json& close_object();
  Json& open_array();
  Json& close_array();
  Json& key(std::string_view name);
  Json& text(std::string_view value);
  Json& integer(int64_t value);
  Json& unsigned_integer(uint64_t value);
  Json& real(double value);  // null where JSON has no number for it
  Json& boolean(bool value);
  Json& raw(std::string_view json);  // a value that is JSON already
  const std::string& str() const { return out_; }

 private:
  void before_value();
  std::string out_;
  bool comma_ = false;
};

// The text as a JSON string, quotes included.
std::string quote_json(std::string_view text);

// The same JSON over several lines, two spaces a level.
std::string indent_json(std::string_view json);

// The number under "name" in an object, at any depth; for the flat objects of kvc_build_info and kvc_engine_info.
std::optional<double> find_number(std::string_view json, std::string_view name);

}  // namespace kvc::cli

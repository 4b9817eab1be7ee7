// kvc info: what this library is, what an engine is made of, every option, and what each preset changes.
#include <cstring>

#include "commands.h"
#include "json.h"
#include "support.h"

namespace kvc::cli {
namespace {

std::vector<Option> info_options() {
  std::vector<Option> options = engine_options();
  options.push_back({"json", nullptr, "print one JSON object, nothing else"});
  options.push_back({"help", nullptr, "this text"});
  return options;
}

const char* type_name(int32_t type) {
  static constexpr const char* kNames[] = {"unknown", "integer", "size", "time", "real", "switch", "choice", "text"};
  return type >= KVC_OPTION_INTEGER && type <= KVC_OPTION_TEXT ? kNames[type] : kNames[0];
}

std::vector<kvc_option_info_t> all_options() {
  std::vector<kvc_option_info_t> options;
  for (uint32_t i = 0; i < kvc_option_count(); ++i) {
    kvc_option_info_t info;
    std::memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    check(kvc_option_info(i, &info), "option " + std::to_string(i));
    options.push_back(info);
  }
  return options;
}

struct Setting {
  std::string option, value;
};

// The options in which a preset differs from "seamless".
std::vector<Setting> settings_of(const std::string& preset, const std::vector<kvc_option_info_t>& options) {
  const Config base("seamless"), config(preset);
  std::vector<Setting> settings;
  for (const kvc_option_info_t& option : options) {
    const std::string value = config.get(option.name);
    if (value != base.get(option.name)) settings.push_back({option.name, value});
  }
  return settings;
}

// What runs model files here, as JSON.
std::string module_of(const Config& config) {
  size_t length = 0;
  check(kvc_module_info(config.handle(), nullptr, 0, &length), "module");
  std::string text(length + 1, '\0');
  check(kvc_module_info(config.handle(), text.data(), text.size(), &length), "module");
  text.resize(length);
  return text;
}

std::string info_json(const Config& config, const Engine& engine, const std::vector<kvc_option_info_t>& options) {
  Json json;
  json.open_object().key("version").text(kvc_version_string());
  json.key("abi").unsigned_integer(kvc_abi_version());
  json.key("build").raw(kvc_build_info()).key("engine").raw(engine.info());
  json.key("model_files").raw(module_of(config));
  json.key("options").open_array();
  for (const kvc_option_info_t& option : options) {
    json.open_object().key("name").text(option.name).key("type").text(type_name(option.type));
    json.key("default").text(option.default_value).key("minimum").text(option.minimum);
    json.key("maximum").text(option.maximum).key("choices").text(option.choices);
    json.key("doc").text(option.doc).key("since").text(option.since).close_object();
  }
  json.close_array().key("presets").open_object();
  for (const std::string& preset : preset_names()) {
    json.key(preset).open_object();
    for (const Setting& setting : settings_of(preset, options)) json.key(setting.option).text(setting.value);
    json.close_object();
  }
  return json.close_object().close_object().str() + "\n";
}

// ", 1 .. 4096", ", up to 1TiB", ", one of lru | lfu", or nothing.
std::string range_of(const kvc_option_info_t& option) {
  if (option.choices[0] != '\0') {
    std::string choices;
    for (const char* c = option.choices; *c != '\0'; ++c)
      choices += *c == '|' ? std::string(" | ") : std::string(1, *c);
    return ", one of " + choices;
  }
  const std::string minimum = option.minimum, maximum = option.maximum;
  if (!minimum.empty() && !maximum.empty()) return ", " + minimum + " .. " + maximum;
  if (!minimum.empty()) return ", at least " + minimum;
  return maximum.empty() ? "" : ", up to " + maximum;
}

// The sentence in lines of at most `width` columns, each after `margin` spaces.
std::string wrap(const std::string& sentence, size_t margin, size_t width) {
  std::string out, line;
  size_t at = 0;
  while (at < sentence.size()) {
    size_t end = sentence.find(' ', at);
    if (end == std::string::npos) end = sentence.size();
    const std::string word = sentence.substr(at, end - at);
    if (!line.empty() && margin + line.size() + 1 + word.size() > width) {
      out += std::string(margin, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  return line.empty() ? out : out + std::string(margin, ' ') + line + "\n";
}

std::string info_text(const Config& config, const Engine& engine, const std::vector<kvc_option_info_t>& options) {
  std::string out = std::string("kvc ") + kvc_version_string() + ", ABI " + std::to_string(kvc_abi_version()) + "\n";
  out += "\nbuild\n" + indent_json(kvc_build_info()) + "\n";
  out += "\nengine\n" + indent_json(engine.info()) + "\n";
  out += "\nmodel files\n" + indent_json(module_of(config)) + "\n";
  out += "\noptions (--set name=value, or kvc_config_set)\n";
  for (const kvc_option_info_t& option : options) {
    out += format("  %-22s %-8s default %s", option.name, type_name(option.type),
                  option.default_value[0] != '\0' ? option.default_value : "(empty)");
    out += range_of(option) + "\n" + wrap(option.doc, 6, 118);
  }
  out += "\npresets (--preset name, or kvc_config_create)\n";
  for (const std::string& preset : preset_names()) {
    out += "  " + preset + (preset == preset_names().front() ? ": the defaults above\n" : "\n");
    for (const Setting& setting : settings_of(preset, options)) {
      out += format("      %-22s %s\n", setting.option.c_str(), setting.value.c_str());
    }
  }
  return out;
}

}  // namespace

int command_info(const std::vector<std::string>& argv) {
  const Args args(info_options(), argv);
  if (args.has("help")) {
    print(
        "usage: kvc info [options]\n\n"
        "Prints version, build, what an engine is made of, every option and what each preset sets.\n\n" +
        describe_options(info_options()));
    return kExitOk;
  }
  Config config(preset_of(args));
  apply_engine_options(args, &config);
  const Engine engine(config);
  const std::vector<kvc_option_info_t> options = all_options();
  print(args.has("json") ? info_json(config, engine, options) : info_text(config, engine, options));
  return kExitOk;
}

}  // namespace kvc::cli

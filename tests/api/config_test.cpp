// Options: introspection, values, presets and modes.
#include <thread>

#include "core_support.h"

namespace kvc_test {
namespace {

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config_)); }
  void TearDown() override { kvc_config_destroy(config_); }

  std::string get(const char* key) { return get_of(config_, key); }
  static std::string get_of(kvc_config_t* config, const char* key) {
    char text[8192] = "";
    size_t length = 0;
    EXPECT_EQ(KVC_OK, kvc_config_get(config, key, text, sizeof text, &length)) << key;
    EXPECT_EQ(length, std::strlen(text));
    return text;
  }
  std::string error() {
    char text[2048] = "";
    kvc_config_last_error(config_, text, sizeof text);
    return text;
  }
  static std::vector<kvc_option_info_t> options() {
    std::vector<kvc_option_info_t> all(kvc_option_count());
    for (uint32_t i = 0; i < all.size(); ++i) {
      all[i].struct_size = sizeof all[i];
      EXPECT_EQ(KVC_OK, kvc_option_info(i, &all[i]));
    }
    return all;
  }
  kvc_status_t set(const char* key, const std::string& value) { return kvc_config_set(config_, key, value.c_str()); }

  kvc_config_t* config_ = nullptr;
};

TEST_F(ConfigTest, EveryOptionDescribesItself) {
  ASSERT_GE(kvc_option_count(), 15u);
  std::map<std::string, int> names;
  for (const kvc_option_info_t& option : options()) {
    EXPECT_EQ(1, ++names[option.name]) << option.name;
    EXPECT_GE(option.type, KVC_OPTION_INTEGER);
    EXPECT_LE(option.type, KVC_OPTION_TEXT);
    EXPECT_EQ(0, option.reserved);
    ASSERT_NE(nullptr, option.default_value);
    ASSERT_NE(nullptr, option.minimum);
    ASSERT_NE(nullptr, option.maximum);
    ASSERT_NE(nullptr, option.choices);
    EXPECT_GT(std::strlen(option.doc), 20u) << option.name;
    EXPECT_STREQ("0.1.0", option.since);
    EXPECT_EQ(option.type == KVC_OPTION_CHOICE, *option.choices != '\0') << option.name;
  }
  for (const char* name : {"model", "memory", "policy", "codec", "gc_threshold", "page_tokens", "num_heads", "head_dim",
                           "max_tokens", "mode", "threads"}) {
    EXPECT_EQ(1, names[name]) << name;
  }
}

TEST_F(ConfigTest, NoOptionBeyondTheLast) {
  kvc_option_info_t info{};
  info.struct_size = sizeof info;
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_option_info(kvc_option_count(), &info));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_option_info(UINT32_MAX, &info));
  EXPECT_EQ(KVC_E_NULL, kvc_option_info(0, nullptr));
}

TEST_F(ConfigTest, DefaultsAreInForceAndCanBeSetAgain) {
  for (const kvc_option_info_t& option : options()) {
    EXPECT_EQ(option.default_value, get(option.name)) << option.name;
    EXPECT_EQ(KVC_OK, set(option.name, option.default_value)) << option.name << ": " << error();
    EXPECT_EQ(option.default_value, get(option.name)) << option.name;
  }
}

TEST_F(ConfigTest, TheSpecifiedDefaults) {
  EXPECT_EQ("8", get("num_heads"));
  EXPECT_EQ("64", get("head_dim"));
  EXPECT_EQ("4096", get("max_tokens"));
  EXPECT_EQ("64", get("page_tokens"));
  EXPECT_EQ("0.8", get("gc_threshold"));
  EXPECT_EQ("512MiB", get("memory"));
}

TEST_F(ConfigTest, LimitsHoldAndNothingBeyondThem) {
  for (const kvc_option_info_t& option : options()) {
    const std::string before = get(option.name);
    for (const char* limit : {option.minimum, option.maximum}) {
      if (*limit == '\0') continue;
      EXPECT_EQ(KVC_OK, set(option.name, limit)) << option.name << "=" << limit << ": " << error();
    }
    EXPECT_EQ(KVC_OK, set(option.name, before));
    std::vector<std::string> beyond;
    if (option.type == KVC_OPTION_INTEGER) {
      beyond = {std::to_string(std::stoll(option.minimum) - 1), std::to_string(std::stoull(option.maximum) + 1)};
    } else if (option.type == KVC_OPTION_REAL) {
      beyond = {std::to_string(std::stod(option.minimum) - 0.001), std::to_string(std::stod(option.maximum) + 0.001)};
    } else if (option.type == KVC_OPTION_SIZE) {
      beyond = {"-1", std::to_string(std::stoull(option.maximum) + 1) + "TiB", "99999999999999999999TiB"};
    } else if (option.type == KVC_OPTION_TIME) {
      beyond = {"-1s", "99999999999999999999s"};
    } else if (option.type == KVC_OPTION_CHOICE) {
      beyond = {"none of these", "", "|", std::string(option.choices) + "|"};
    }
    for (const std::string& value : beyond) {
      EXPECT_EQ(KVC_E_OUT_OF_RANGE, set(option.name, value)) << option.name << "=" << value;
      EXPECT_NE(std::string::npos, error().find(option.name)) << error();
      EXPECT_EQ(before, get(option.name));
    }
  }
}

TEST_F(ConfigTest, MessagesHaveTheValueAndTheLimit) {
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, set("page_tokens", "4097"));
  EXPECT_NE(std::string::npos, error().find("4097")) << error();
  EXPECT_NE(std::string::npos, error().find("4096")) << error();
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, set("policy", "random"));
  EXPECT_NE(std::string::npos, error().find("lru")) << error();
}

TEST_F(ConfigTest, EveryChoiceIsTaken) {
  for (const kvc_option_info_t& option : options()) {
    std::string choices = option.choices;
    while (!choices.empty()) {
      const size_t end = choices.find('|');
      const std::string word = choices.substr(0, end);
      EXPECT_EQ(KVC_OK, set(option.name, word)) << option.name << "=" << word;
      EXPECT_EQ(word, get(option.name));
      choices = end == std::string::npos ? "" : choices.substr(end + 1);
    }
  }
}

TEST_F(ConfigTest, WrongTypesAreRefused) {
  for (const kvc_option_info_t& option : options()) {
    if (option.type == KVC_OPTION_TEXT || option.type == KVC_OPTION_CHOICE) continue;
    for (const char* value : {"", "abc", "1x", "0x10", "1 2", "nan", "1e", " 1"}) {
      EXPECT_EQ(KVC_E_INVALID, set(option.name, value)) << option.name << "='" << value << "' " << error();
    }
  }
}

TEST_F(ConfigTest, SizesInAllUnits) {
  const std::pair<const char*, const char*> cases[] = {
      {"0", "0B"},         {"1", "1B"},
      {"1000", "1000B"},   {"1024", "1KiB"},
      {"5B", "5B"},        {"2KB", "2000B"},
      {"2KiB", "2KiB"},    {"3MB", "3000000B"},
      {"3MiB", "3MiB"},    {"1GB", "1000000000B"},
      {"1GiB", "1GiB"},    {"1TB", "976562500KiB"},
      {"2TiB", "2TiB"},    {"1.5GiB", "1536MiB"},
      {"0.5kib", "512B"},  {"512 MiB", "512MiB"},
      {"1048576", "1MiB"}, {"1mib", "1MiB"},
  };
  for (const auto& [text, canonical] : cases) {
    EXPECT_EQ(KVC_OK, set("memory", text)) << text << ": " << error();
    EXPECT_EQ(canonical, get("memory")) << text;
    EXPECT_EQ(KVC_OK, set("memory", canonical)) << error();
    EXPECT_EQ(canonical, get("memory")) << "canonical text reads back as itself";
  }
  EXPECT_EQ(KVC_OK, set("memory", "50%")) << error();
  EXPECT_NE("0B", get("memory"));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, set("memory", "101%"));
}

TEST_F(ConfigTest, TimesInAllUnits) {
  const std::pair<const char*, const char*> cases[] = {
      {"0", "0ns"},      {"7", "7ns"},     {"7ns", "7ns"}, {"5us", "5us"},
      {"5000ns", "5us"}, {"30ms", "30ms"}, {"2s", "2s"},   {"0.25s", "250ms"},
  };
  for (const auto& [text, canonical] : cases) {
    EXPECT_EQ(KVC_OK, set("deadline", text)) << text << ": " << error();
    EXPECT_EQ(canonical, get("deadline")) << text;
  }
}

TEST_F(ConfigTest, SwitchesInAllWords) {
  for (const char* yes : {"true", "1", "on", "ON", "True", "yes"}) {
    EXPECT_EQ(KVC_OK, set("reuse", yes));
    EXPECT_EQ("true", get("reuse"));
  }
  for (const char* no : {"false", "0", "off", "no"}) {
    EXPECT_EQ(KVC_OK, set("reuse", no));
    EXPECT_EQ("false", get("reuse"));
  }
}

TEST_F(ConfigTest, GetShortensAndTellsTheFullLength) {
  char small[4] = {'x', 'x', 'x', 'x'};
  size_t length = 0;
  EXPECT_EQ(KVC_OK, kvc_config_get(config_, "memory", small, sizeof small, &length));
  EXPECT_STREQ("512", small);
  EXPECT_EQ(6u, length);
  EXPECT_EQ(KVC_OK, kvc_config_get(config_, "memory", nullptr, 0, &length));
  EXPECT_EQ(6u, length);
  EXPECT_EQ(KVC_OK, kvc_config_get(config_, "memory", small, sizeof small, nullptr));
  EXPECT_EQ(KVC_E_NULL, kvc_config_get(config_, "memory", nullptr, 5, &length));
  // Cut between characters, never inside one.
  EXPECT_EQ(KVC_OK, set("secret", "a\xc3\xa9\xc3\xa9"));
  EXPECT_EQ(KVC_OK, kvc_config_get(config_, "secret", small, 3, &length));
  EXPECT_STREQ("a", small);
  EXPECT_EQ(5u, length);
}

TEST_F(ConfigTest, UnknownNamesAreListed) {
  EXPECT_EQ(KVC_E_UNKNOWN_OPTION, set("memroy", "1GiB"));
  EXPECT_NE(std::string::npos, error().find("memroy"));
  EXPECT_NE(std::string::npos, error().find("memory"));
  char text[8];
  EXPECT_EQ(KVC_E_UNKNOWN_OPTION, kvc_config_get(config_, "nothing", text, sizeof text, nullptr));
  EXPECT_EQ(KVC_E_NULL, kvc_config_set(config_, nullptr, "1"));
  EXPECT_EQ(KVC_E_NULL, kvc_config_set(config_, "memory", nullptr));
  EXPECT_EQ(KVC_E_UTF8, kvc_config_set(config_, "secret", "\xff"));
  kvc_config_t* other = nullptr;
  EXPECT_EQ(KVC_E_INVALID, kvc_config_create("turbo", &other));
  EXPECT_EQ(nullptr, other);
  EXPECT_EQ(KVC_E_NULL, kvc_config_create("seamless", nullptr));
}

class PresetTest : public ConfigTest, public testing::WithParamInterface<const char*> {};

TEST_P(PresetTest, MakesAWorkingEngine) {
  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(GetParam(), &config));
  kvc_engine_t* engine = nullptr;
  kvc_error_t error{};
  error.struct_size = sizeof error;
  ASSERT_EQ(KVC_OK, kvc_engine_create_with_error(config, &engine, &error)) << error.message;
  EXPECT_EQ(KVC_OK, error.status);
  char info[8192];
  size_t length = 0;
  EXPECT_EQ(KVC_OK, kvc_engine_info(engine, info, sizeof info, &length));
  EXPECT_NE(std::string::npos, std::string(info).find(GetParam())) << info;
  kvc_request_t request;
  ASSERT_EQ(KVC_OK, kvc_request_init(&request, sizeof request));
  request.prompt = "In the beginning";
  request.max_tokens = 3;
  kvc_response_t* answer = nullptr;
  EXPECT_EQ(KVC_OK, kvc_process(engine, &request, &answer));
  ASSERT_NE(nullptr, answer);
  EXPECT_EQ(3u, answer->n_tokens);
  kvc_response_free(answer);
  kvc_engine_destroy(engine);
  kvc_config_destroy(config);
}
INSTANTIATE_TEST_SUITE_P(All, PresetTest,
                         testing::Values("seamless", "adaptive", "high_performance", "memory_efficient",
                                         "bulk_optimized"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(ConfigTest, PresetsDiffer) {
  std::map<std::string, kvc_config_t*> configs;
  for (const char* name : {"adaptive", "high_performance", "memory_efficient", "bulk_optimized"}) {
    ASSERT_EQ(KVC_OK, kvc_config_create(name, &configs[name]));
  }
  EXPECT_EQ("64MiB", get_of(configs["memory_efficient"], "memory"));
  EXPECT_EQ("0.6", get_of(configs["memory_efficient"], "gc_threshold"));
  EXPECT_EQ("adaptive", get_of(configs["adaptive"], "policy"));
  EXPECT_EQ("bulk", get_of(configs["bulk_optimized"], "mode"));
  EXPECT_EQ("32", get_of(configs["bulk_optimized"], "max_batch"));
  EXPECT_EQ("2048", get_of(configs["bulk_optimized"], "prefill_chunk"));
  const std::string high = get_of(configs["high_performance"], "memory");
  EXPECT_TRUE(high.find("GiB") != std::string::npos || high.find("MiB") != std::string::npos) << high;
  EXPECT_GE(std::stoll(high) * (high.find("GiB") != std::string::npos ? 1024 : 1), 1024) << high;
  for (auto& [name, config] : configs) kvc_config_destroy(config);
}

TEST_F(ConfigTest, ModesSetWhatTheirDocumentationSays) {
  EXPECT_EQ(KVC_OK, set("mode", "training"));
  EXPECT_EQ("false", get("reuse"));
  EXPECT_EQ("16", get("max_batch"));
  EXPECT_EQ(KVC_OK, set("mode", "interactive"));
  EXPECT_EQ("true", get("reuse"));
  EXPECT_EQ("64", get("prefill_chunk"));
  EXPECT_EQ(KVC_OK, set("mode", "streaming"));
  EXPECT_EQ("128", get("prefill_chunk"));
  EXPECT_EQ(KVC_OK, set("mode", "bulk"));
  EXPECT_EQ("65536", get("max_queue"));
  EXPECT_EQ(KVC_OK, set("mode", "inference"));
  EXPECT_EQ("1024", get("max_queue"));
}

TEST_F(ConfigTest, WhatIsSetByNameWinsInAnyOrder) {
  EXPECT_EQ(KVC_OK, set("prefill_chunk", "99"));
  EXPECT_EQ(KVC_OK, set("mode", "interactive"));
  EXPECT_EQ("99", get("prefill_chunk"));
  EXPECT_EQ("4", get("max_batch"));
  EXPECT_EQ(KVC_OK, set("max_batch", "7"));
  EXPECT_EQ("7", get("max_batch"));
  kvc_config_t* small = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create("memory_efficient", &small));
  EXPECT_EQ(KVC_OK, kvc_config_set(small, "memory", "1GiB"));
  EXPECT_EQ("1GiB", get_of(small, "memory"));
  EXPECT_EQ(KVC_OK, kvc_config_set(small, "mode", "bulk"));
  EXPECT_EQ("32", get_of(small, "max_batch")) << "the mode wins over the preset";
  kvc_config_destroy(small);
}

TEST_F(ConfigTest, TrainingFindsNothing) {
  Engine engine(Options{{"mode", "training"}});
  Space space(engine, Geometry{});
  Session writer(space);
  EXPECT_EQ(KVC_OK, writer.add(iota_tokens(16)));
  Session reader(space);
  EXPECT_EQ(0u, reader.match(iota_tokens(16)));
  int32_t reason = 0;
  reader.miss(&reason);
  EXPECT_EQ(KVC_MISS_DISABLED, reason);
}

// --- what is wrong only in combination is told when the engine is made
// ----------------------------------------------------

struct CreateCase {
  const char* key;
  const char* value;
  kvc_status_t status;
  const char* words;
};

TEST_F(ConfigTest, CreateRefusesWithWordsInTheStructAndInTheConfig) {
  const CreateCase cases[] = {
      {"memory", "0", KVC_E_BUDGET, "memory"},
      {"memory", "1000B", KVC_E_BUDGET, "1000"},
      {"gc_target", "0.9", KVC_E_OUT_OF_RANGE, "0.9"},
      {"model", "/nonexistent/llama.gguf", KVC_E_UNSUPPORTED, "/nonexistent/llama.gguf"},
  };
  for (const CreateCase& c : cases) {
    kvc_config_t* config = nullptr;
    ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    ASSERT_EQ(KVC_OK, kvc_config_set(config, c.key, c.value));
    kvc_engine_t* engine = nullptr;
    kvc_error_t error{};
    error.struct_size = sizeof error;
    EXPECT_EQ(c.status, kvc_engine_create_with_error(config, &engine, &error)) << c.key;
    EXPECT_EQ(nullptr, engine);
    EXPECT_EQ(c.status, error.status);
    EXPECT_NE(std::string::npos, std::string(error.message).find(c.words)) << error.message;
    char text[1024];
    kvc_config_last_error(config, text, sizeof text);
    EXPECT_STREQ(error.message, text);
    EXPECT_EQ(c.status, kvc_engine_create(config, &engine));
    kvc_config_destroy(config);
  }
}

TEST_F(ConfigTest, TheEngineTellsItsOptionsButNotItsSecret) {
  EXPECT_EQ(KVC_OK, set("secret", "correct horse battery staple"));
  EXPECT_EQ(KVC_OK, set("model", "none"));
  kvc_engine_t* engine = nullptr;
  ASSERT_EQ(KVC_OK, kvc_engine_create(config_, &engine));
  char info[8192];
  EXPECT_EQ(KVC_OK, kvc_engine_info(engine, info, sizeof info, nullptr));
  EXPECT_EQ(std::string::npos, std::string(info).find("horse")) << info;
  for (const kvc_option_info_t& option : options()) {
    EXPECT_NE(std::string::npos, std::string(info).find("\"" + std::string(option.name) + "\"")) << option.name;
  }
  kvc_engine_destroy(engine);
}

TEST_F(ConfigTest, ManyThreadsOnOneConfiguration) {
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string mine = std::to_string(1 + t);
      for (int i = 0; i < 200; ++i) {
        char text[64];
        if (kvc_config_set(config_, "page_tokens", mine.c_str()) != KVC_OK) ++failures;
        if (kvc_config_get(config_, "page_tokens", text, sizeof text, nullptr) != KVC_OK) ++failures;
        if (kvc_config_set(config_, "page_tokens", "0") != KVC_E_OUT_OF_RANGE) ++failures;
        kvc_config_last_error(config_, text, sizeof text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, failures.load());
}

}  // namespace
}  // namespace kvc_test

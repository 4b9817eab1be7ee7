// kvc with a model file, as its tests use it: an engine by options, and the module's table driven by hand.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <kvc/kvc.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llama_support.h"

namespace kvc::llama_test {

using OptionList = std::vector<std::pair<std::string, std::string>>;

// Options of every test: the llama.cpp of the build, one thread, small pages. Later ones win.
inline OptionList model_options(const std::string& file, const OptionList& more = {}) {
  const char* lib = std::getenv("KVC_LLAMA_LIB");
  OptionList options = {{"model", file},
                        {"model_library", lib != nullptr ? lib : KVC_TEST_LLAMA_LIB},
                        {"model_threads", "1"},
                        {"model_context", "1024"},
                        {"page_tokens", "16"},
                        {"threads", "0"},
                        {"model_module", KVC_TEST_LLAMA_MODULE}};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

class Engine {
 public:
  explicit Engine(const OptionList& options) { status_ = create(options); }
  ~Engine() { kvc_engine_destroy(engine_); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  kvc_status_t status() const { return status_; }
  const std::string& error() const { return error_; }
  kvc_engine_t* get() const { return engine_; }

  struct Answer {
    kvc_status_t status = KVC_OK;
    Tokens tokens;
    std::string text, error, miss;
    uint32_t cached = 0, computed = 0;
    int32_t finish = 0;
  };
  Answer ask(const Tokens& prompt, uint32_t n, bool no_cache = false, const char* tenant = nullptr) {
    kvc_request_t request;
    EXPECT_EQ(KVC_OK, kvc_request_init(&request, sizeof request));
    request.tokens = prompt.data();
    request.n_tokens = prompt.size();
    request.max_tokens = n;
    request.no_cache = no_cache ? 1 : 0;
    request.tenant = tenant;
    return ask(request);
  }
  Answer ask(const kvc_request_t& request) {
    kvc_response_t* response = nullptr;
    Answer answer;
    answer.status = kvc_process(engine_, &request, &response);
    if (response != nullptr) {
      answer.tokens.assign(response->tokens, response->tokens + response->n_tokens);
      answer.text = response->text;
      answer.error = response->error;
      answer.miss = response->miss_text;
      answer.cached = response->cached_tokens;
      answer.computed = response->computed_tokens;
      answer.finish = response->finish_reason;
    } else {
      char words[1024];
      kvc_engine_last_error(engine_, words, sizeof words);
      answer.error = words;
    }
    kvc_response_free(response);
    return answer;
  }
  std::string info() const {
    std::string text(65536, 0);
    size_t length = 0;
    EXPECT_EQ(KVC_OK, kvc_engine_info(engine_, text.data(), text.size(), &length));
    text.resize(length);
    return text;
  }

 private:
  kvc_status_t create(const OptionList& options) {
    kvc_config_t* config = nullptr;
    EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    for (const auto& [name, value] : options) {
      EXPECT_EQ(KVC_OK, kvc_config_set(config, name.c_str(), value.c_str())) << name << "=" << value;
    }
    kvc_error_t error;
    error.struct_size = sizeof error;
    const kvc_status_t status = kvc_engine_create_with_error(config, &engine_, &error);
    if (status != KVC_OK) error_ = error.message;
    kvc_config_destroy(config);
    return status;
  }

  kvc_engine_t* engine_ = nullptr;
  kvc_status_t status_ = KVC_OK;
  std::string error_;
};

// The module's table, with the sessions of an engine that has no model of its own: shows logits.
class Module {
 public:
  explicit Module(const OptionList& options) : cache_(OptionList{{"model", "none"}}) {
    void* handle = dlopen(KVC_TEST_LLAMA_MODULE, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      error_ = dlerror();
      return;
    }
    const auto open = reinterpret_cast<kvc_module_open_fn>(dlsym(handle, "kvc_module_open"));
    std::map<std::string, std::string> all(options.begin(), options.end());
    for (const auto& [name, value] : options) all[name] = value;
    std::vector<const char*> names, values;
    for (const auto& [name, value] : all) {
      names.push_back(name.c_str());
      values.push_back(value.c_str());
    }
    static const kvc_module_host_t host = {sizeof host, kvc_session_append_all, kvc_session_read_all, kvc_session_info,
                                           kvc_session_last_error};
    kvc_module_request_t request{sizeof request, KVC_MODULE_VERSION, static_cast<uint32_t>(names.size()),
                                 names.data(),   values.data(),      &host};
    char words[1024] = {};
    const kvc_status_t status = open(&request, &table_, words, sizeof words);
    error_ = words;
    if (status != KVC_OK) return;
    desc_.struct_size = sizeof desc_;
    info_.struct_size = sizeof info_;
    info_.space = &desc_;
    EXPECT_EQ(KVC_OK, table_.describe(table_.user_data, &info_, words, sizeof words));
    desc_.page_tokens = 16;
    EXPECT_EQ(KVC_OK, kvc_space_open(cache_.get(), &desc_, &space_));
    open_ = true;
  }
  ~Module() {
    kvc_space_close(space_);
    if (open_) table_.destroy(table_.user_data);
  }
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  bool is_open() const { return open_; }
  const std::string& error() const { return error_; }
  const kvc_model_info_t& info() const { return info_; }
  const kvc_space_desc_t& desc() const { return desc_; }
  kvc_space_t* space() const { return space_; }

  // Private: else pages of the same tokens, computed in another batch before, would take the place of its own.
  kvc_session_t* session() {
    kvc_session_options_t options{};
    options.struct_size = sizeof options;
    options.no_publish = 1;
    kvc_session_t* session = nullptr;
    EXPECT_EQ(KVC_OK, kvc_session_open(space_, &options, &session));
    return session;
  }
  void open(uint64_t sequence) { check(table_.sequence_open(table_.user_data, sequence, words_, sizeof words_)); }
  void close(uint64_t sequence) { table_.sequence_close(table_.user_data, sequence); }
  Logits forward(uint64_t sequence, const Tokens& tokens, uint32_t position) {
    Logits logits(static_cast<size_t>(desc_.vocab_size));
    kvc_forward_t item{sizeof item, sequence,     nullptr, tokens.data(), static_cast<uint32_t>(tokens.size()),
                       position,    logits.data()};
    check(table_.forward(table_.user_data, &item, 1, words_, sizeof words_));
    return logits;
  }
  void store(uint64_t sequence, kvc_session_t* session, const Tokens& tokens, uint32_t from) {
    const auto n = static_cast<uint32_t>(tokens.size());
    check(table_.export_kv(table_.user_data, sequence, session, from, n, words_, sizeof words_));
    EXPECT_EQ(KVC_OK, kvc_session_commit(session, tokens.data(), tokens.size()));
  }
  void restore(uint64_t sequence, kvc_session_t* session, const Tokens& tokens) {
    const auto n = static_cast<uint32_t>(tokens.size());
    check(table_.import_kv(table_.user_data, sequence, session, tokens.data(), 0, n, words_, sizeof words_));
  }
  kvc_status_t truncate(uint64_t sequence, uint32_t n) {
    return table_.truncate(table_.user_data, sequence, n, words_, sizeof words_);
  }

 private:
  void check(kvc_status_t status) { EXPECT_EQ(KVC_OK, status) << words_; }

  Engine cache_;
  kvc_backend_t table_{};
  kvc_model_info_t info_{};
  kvc_space_desc_t desc_{};
  kvc_space_t* space_ = nullptr;
  bool open_ = false;
  std::string error_;
  char words_[1024] = {};
};

}  // namespace kvc::llama_test

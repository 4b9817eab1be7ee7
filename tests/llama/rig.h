// One cache of kvc, and several ways to run models over it: other files, other options, at the same time. What one of them
// stores, another would find if kvc took it for the same model. Each way is the llama.cpp module's own table of functions,
// driven as the engine drives it: match, import, forward, export, commit.
#pragma once

#include <dlfcn.h>
#include <kvc/kvc.h>

#include <stdexcept>

#include "llama_support.h"

namespace kvc::llama_test {

inline void must(kvc_status_t status, const std::string& what, const char* words = "") {
  if (status != KVC_OK) throw std::runtime_error(what + ": " + kvc_status_name(status) + " " + words);
}

// The cache: an engine without a model.
class Cache {
 public:
  explicit Cache(const std::string& memory = "256MiB", const std::string& disk_path = "") {
    kvc_config_t* config = nullptr;
    must(kvc_config_create("seamless", &config), "config");
    must(kvc_config_set(config, "model", "none"), "model");
    must(kvc_config_set(config, "memory", memory.c_str()), "memory");
    must(kvc_config_set(config, "disk_path", disk_path.c_str()), "disk_path");
    // However fast the model: what is stored is read.
    must(kvc_config_set(config, "prefill_speed", "1"), "prefill_speed");
    const kvc_status_t status = kvc_engine_create(config, &engine_);
    kvc_config_destroy(config);
    must(status, "engine");
  }
  ~Cache() { kvc_engine_destroy(engine_); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  kvc_engine_t* get() const { return engine_; }

 private:
  kvc_engine_t* engine_ = nullptr;
};

struct Answer {
  size_t reused = 0;
  Logits logits;
};

using Options = std::map<std::string, std::string>;

class Runner {
 public:
  Runner(const Cache& cache, const std::string& file, Options options = {}) {
    start_llama();
    options.insert({{"model", file}, {"model_context", "1024"}, {"model_cells", "2048"}, {"model_threads", "1"},
                    {"model_resident", "0"}, {"page_tokens", "64"}, {"max_batch", "4"}, {"prefill_chunk", "512"}});
    std::vector<const char*> names, values;
    for (const auto& [name, value] : options) {
      names.push_back(name.c_str());
      values.push_back(value.c_str());
    }
    static const kvc_module_host_t host = {sizeof(kvc_module_host_t), kvc_session_append_all, kvc_session_read_all,
                                           kvc_session_info, kvc_session_last_error};
    kvc_module_request_t request{};
    request.struct_size = sizeof request;
    request.version = KVC_MODULE_VERSION;
    request.n_options = static_cast<uint32_t>(names.size());
    request.names = names.data();
    request.values = values.data();
    request.host = &host;
    table_.struct_size = sizeof table_;
    char words[512] = "";
    must(open_function()(&request, &table_, words, sizeof words), "module", words);
    kvc_space_desc_t desc;
    must(kvc_space_desc_init(&desc, sizeof desc), "desc");
    kvc_model_info_t info{};
    info.struct_size = sizeof info;
    info.space = &desc;
    must(table_.describe(table_.user_data, &info, words, sizeof words), "describe", words);
    vocabulary_ = static_cast<size_t>(info.space->vocab_size);
    must(kvc_space_open(cache.get(), info.space, &space_), "space");
  }
  ~Runner() {
    kvc_space_close(space_);
    table_.destroy(table_.user_data);
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // A sequence in the making: what is found is taken over, the rest computed by run(), all of it stored by store().
  struct Sequence {
    uint64_t id = 0;
    kvc_session_t* session = nullptr;
    size_t reused = 0, stored = 0;
    Tokens tokens;
    Logits logits;
  };

  // look: whether to look anything up.
  Sequence open(const Tokens& prompt, bool look = true, const char* tenant = nullptr) {
    Sequence s;
    s.id = ++last_id_;
    kvc_session_options_t options{};
    options.struct_size = sizeof options;
    options.tenant = tenant;
    must(kvc_session_open(space_, &options, &s.session), "session");
    call(table_.sequence_open, "open", s.id);
    // The last token is computed in any case: its logits are not stored.
    if (look && prompt.size() > 1) must(kvc_session_match(s.session, prompt.data(), prompt.size() - 1, &s.reused), "match");
    if (s.reused > 0) {
      const kvc_status_t status = call(table_.import_kv, nullptr, s.id, s.session, prompt.data(), 0u, static_cast<uint32_t>(s.reused));
      if (status != KVC_OK) {
        close(&s);
        must(status, "import", words_);
      }
    }
    s.tokens = first(prompt, s.reused);
    s.stored = s.reused;
    return s;
  }
  // Computes further tokens in one call.
  void run(Sequence* s, const Tokens& tokens) {
    kvc_forward_t item{};
    item.struct_size = sizeof item;
    item.sequence = s->id;
    item.tokens = tokens.data();
    item.n = static_cast<uint32_t>(tokens.size());
    item.position = static_cast<uint32_t>(s->tokens.size());
    s->logits.assign(vocabulary_, 0);
    item.logits = s->logits.data();
    call(table_.forward, "forward", &item, 1u);
    s->tokens.insert(s->tokens.end(), tokens.begin(), tokens.end());
  }
  void store(Sequence* s) {
    const auto n = static_cast<uint32_t>(s->tokens.size() - s->stored);
    if (n == 0) return;
    call(table_.export_kv, "export", s->id, s->session, static_cast<uint32_t>(s->stored), n);
    must(kvc_session_commit(s->session, s->tokens.data() + s->stored, n), "commit");
    s->stored = s->tokens.size();
  }
  void close(Sequence* s) {
    if (s->session != nullptr) kvc_session_close(s->session, KVC_CLOSE_KEEP, 0);
    if (table_.sequence_close != nullptr) table_.sequence_close(table_.user_data, s->id);
    s->session = nullptr;
  }

  // A prompt from its beginning to its logits. Without `cached` nothing is looked up, and nothing stored.
  Answer ask(const Tokens& prompt, bool cached = true, const char* tenant = nullptr) {
    Sequence s = open(prompt, cached, tenant);
    run(&s, after(prompt, s.reused));
    if (cached) store(&s);
    close(&s);
    return {s.reused, s.logits};
  }
  // The same prompt computed in the two batches that an answer with `reused` tokens is made of: the numbers that it must
  // have, to the bit.
  Logits computed(const Tokens& prompt, size_t reused) {
    Sequence s = open(prompt, false);
    if (reused > 0) run(&s, first(prompt, reused));
    run(&s, after(prompt, reused));
    close(&s);
    return s.logits;
  }

 private:
  static kvc_module_open_fn open_function() {
    static void* module = dlopen(KVC_TEST_LLAMA_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == nullptr) throw std::runtime_error(dlerror());
    return reinterpret_cast<kvc_module_open_fn>(dlsym(module, "kvc_module_open"));
  }
  // what: nullptr: the status is looked at by the caller.
  template <typename Function, typename... Arguments>
  kvc_status_t call(Function* function, const char* what, Arguments... arguments) {
    words_[0] = '\0';
    const kvc_status_t status = function(table_.user_data, arguments..., words_, sizeof words_);
    if (what != nullptr) must(status, what, words_);
    return status;
  }

  kvc_backend_t table_{};
  kvc_space_t* space_ = nullptr;
  size_t vocabulary_ = 0;
  uint64_t last_id_ = 0;
  char words_[512] = "";
};

}  // namespace kvc::llama_test

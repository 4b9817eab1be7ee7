// kvc_llama.h: pages of kvc for a llama_context of the program's own.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "cells.h"
#include "failure.h"
#include "file_digest.h"
#include "identity.h"
#include "kvc_llama.h"
#include "pages.h"

using namespace kvc_llama;

namespace {

const kvc_module_host_t kHost = {sizeof(kvc_module_host_t), kvc_session_append_all, kvc_session_read_all,
                                 kvc_session_info, kvc_session_last_error};

// A session of one call.
class CallSession {
 public:
  CallSession(kvc_space_t* space, const std::string& tenant) {
    kvc_session_options_t options{};
    options.struct_size = sizeof options;
    options.tenant = tenant.empty() ? nullptr : tenant.c_str();
    check(kvc_session_open(space, &options, &session_), "a session cannot be opened");
  }
  ~CallSession() { kvc_session_close(session_, KVC_CLOSE_KEEP, 0); }
  CallSession(const CallSession&) = delete;
  CallSession& operator=(const CallSession&) = delete;

  kvc_session_t* get() const { return session_; }
  void check(kvc_status_t status, const char* what) const {
    if (status == KVC_OK) return;
    char words[512] = {};
    if (session_ != nullptr) kvc_session_last_error(session_, words, sizeof words);
    fail(status, "%s: %s", what, words[0] != 0 ? words : kvc_status_text(status));
  }

 private:
  kvc_session_t* session_ = nullptr;
};

}  // namespace

struct kvc_llama_t {
  const Library* library = nullptr;
  ::kvc_llama::llama_context* context = nullptr;
  llama_memory* memory = nullptr;
  uint32_t sequences = 0, context_tokens = 0, window = 0;
  bool ahead = false;  // the program computes with several threads: a restore may use a second one
  std::string tenant, error;
  std::unique_ptr<Cells> cells;
  std::unique_ptr<PageCopier> copier;
  std::unique_ptr<Identity> identity;
  kvc_space_t* space = nullptr;

  ~kvc_llama_t() { kvc_space_close(space); }

  void check_sequence(int32_t sequence) const {
    if (sequence < 0 || static_cast<uint32_t>(sequence) + 1 >= sequences) {
      fail(KVC_E_OUT_OF_RANGE, "sequence %d: give 0 to %u, the last one is kvc's", sequence, sequences - 2);
    }
  }
  uint32_t chunk_at(uint32_t position) const {
    const uint32_t chunk = cells->chunk_tokens();
    return window == 0 ? chunk : std::min(chunk, window - position % window);
  }
};

namespace {

template <typename Function>
kvc_status_t call(kvc_llama_t* cache, Function&& function) noexcept {
  if (cache == nullptr) return KVC_E_NULL;
  char words[1024] = {};
  const kvc_status_t status = guarded(words, sizeof words, function);
  if (status != KVC_OK) {
    try {
      cache->error = words;
    } catch (...) {
      cache->error.clear();
    }
  }
  return status;
}

void attach(kvc_engine_t* engine, ::kvc_llama::llama_context* context, const context_params& params, const char* model,
            const kvc_llama_options_t* options, kvc_llama_t* cache) {
  const Library& library = host_library();
  cache->library = &library;
  cache->context = context;
  cache->memory = library.llama_get_memory(context);
  cache->sequences = library.llama_n_seq_max(context);
  cache->context_tokens = library.llama_n_ctx(context);
  const llama_model* of = library.llama_get_model(context);
  // Without one stream of cells llama.cpp aborts where ranges of sequences are copied.
  if (!params.kv_unified || cache->sequences < 2 || params.n_seq_max != cache->sequences || cache->memory == nullptr) {
    fail(KVC_E_UNSUPPORTED,
         "the context has %u sequences and kv_unified is %s: make it with kv_unified = true and n_seq_max of at least "
         "2, and "
         "give the parameters that it was made with",
         cache->sequences, params.kv_unified ? "true" : "false");
  }
  const int32_t window = library.llama_model_n_swa(of);
  if (library.llama_model_is_recurrent(of) || library.llama_model_is_hybrid(of) || (window > 0 && !params.swa_full)) {
    fail(KVC_E_UNSUPPORTED, "%s",
         window > 0 ? "the model has a sliding window: make the context with swa_full = true"
                    : "the model is recurrent: its state cannot be restored for a part of a prompt");
  }
  cache->window = static_cast<uint32_t>(std::max(0, window));
  cache->ahead = params.n_threads_batch > 1;
  for (uint32_t id = 0; id < cache->sequences; ++id) {
    if (library.llama_memory_seq_pos_max(cache->memory, static_cast<int32_t>(id)) >= 0) {
      fail(KVC_E_ORDER, "sequence %u of the context holds tokens: attach before anything is decoded", id);
    }
  }
  const int32_t vocab = library.llama_vocab_n_tokens(library.llama_model_get_vocab(of));
  cache->cells = std::make_unique<Cells>(library, context, static_cast<int32_t>(cache->sequences) - 1);
  std::string why;
  PageLayout layout;
  if (!cache->cells->self_test(vocab, &why)) fail(KVC_E_UNSUPPORTED, "the self-test failed: %s", why.c_str());
  if (!page_layout(cache->cells->shape(), 1, &layout)) {
    fail(KVC_E_UNSUPPORTED, "K/V of a token is more than a page can hold");
  }
  cache->copier = std::make_unique<PageCopier>(&kHost, cache->cells->shape(), layout);

  IdentityInput in;
  in.type_k = params.type_k;
  in.type_v = params.type_v;
  in.flash = params.flash_attn_type;
  in.rope_base = params.rope_freq_base;
  in.rope_scale = params.rope_freq_scale;
  in.rope_scaling = params.rope_scaling_type;
  in.yarn_context = params.yarn_orig_ctx;
  const float yarn[] = {params.yarn_ext_factor, params.yarn_attn_factor, params.yarn_beta_fast, params.yarn_beta_slow};
  const bool changed = std::any_of(std::begin(yarn), std::end(yarn), [](float f) { return f != -1; });
  if (changed) {
    char more[160];
    std::snprintf(more, sizeof more, " yarn=%a,%a,%a,%a", static_cast<double>(yarn[0]), static_cast<double>(yarn[1]),
                  static_cast<double>(yarn[2]), static_cast<double>(yarn[3]));
    in.more = more;
  }
  const Digest digest = digest_of_model(model);
  in.weights_digest.assign(digest.begin(), digest.end());
  if (options != nullptr) {
    if (options->struct_size != sizeof *options) fail(KVC_E_STRUCT_SIZE, "options: set struct_size to sizeof");
    if (options->tenant != nullptr) cache->tenant = options->tenant;
    in.adapters.assign(options->adapters, options->adapters + options->n_adapters);
  }
  cache->identity = std::make_unique<Identity>(library, of, in, cache->copier.get());
  const kvc_status_t status = kvc_space_open(engine, &cache->identity->space(), &cache->space);
  if (status != KVC_OK) {
    char words[512] = {};
    kvc_engine_last_error(engine, words, sizeof words);
    fail(status, "the engine opens no space for this model: %s", words);
  }
}

}  // namespace

extern "C" {

kvc_status_t kvc_llama_attach(kvc_engine_t* engine, struct ::llama_context* context,
                              const struct ::llama_context_params* params, const char* model,
                              const kvc_llama_options_t* options, kvc_llama_t** cache, kvc_error_t* error) noexcept {
  char words[508] = {};
  kvc_status_t status = KVC_E_NULL;
  if (engine == nullptr || context == nullptr || params == nullptr || model == nullptr || cache == nullptr) {
    say(words, sizeof words, "engine, context, params, model or cache is NULL");
  } else {
    status = guarded(words, sizeof words, [&] {
      auto made = std::make_unique<kvc_llama_t>();
      context_params known;
      std::memcpy(&known, params, sizeof known);  // its layout is the library's: host_library() compares it
      attach(engine, reinterpret_cast<::kvc_llama::llama_context*>(context), known, model, options, made.get());
      *cache = made.release();
    });
  }
  if (error != nullptr && error->struct_size >= sizeof *error) {
    error->status = status;
    say(error->message, sizeof error->message, words);
  }
  return status;
}

kvc_status_t kvc_llama_restore(kvc_llama_t* cache, int32_t sequence, const int32_t* tokens, size_t n,
                               size_t* done) noexcept {
  return call(cache, [&] {
    if (tokens == nullptr || done == nullptr || n == 0) fail(KVC_E_NULL, "tokens or done is NULL, or n is 0");
    cache->check_sequence(sequence);
    *done = 0;
    cache->library->llama_memory_seq_rm(cache->memory, sequence, -1, -1);
    const CallSession session(cache->space, cache->tenant);
    size_t found = 0;
    session.check(kvc_session_match(session.get(), tokens, n - 1, &found), "looking the prompt up failed");
    found = std::min<size_t>(found, cache->context_tokens);
    try {
      cache->cells->import_range(
          sequence, 0, static_cast<uint32_t>(found), cache->ahead,
          [&](uint32_t at, const BlobRows& rows) { cache->copier->read(session.get(), at, rows); },
          [](uint32_t, uint32_t) {});
    } catch (...) {
      cache->library->llama_memory_seq_rm(cache->memory, sequence, -1, -1);
      throw;
    }
    *done = found;
  });
}

kvc_status_t kvc_llama_save(kvc_llama_t* cache, int32_t sequence, const int32_t* tokens, size_t n) noexcept {
  return call(cache, [&] {
    if (tokens == nullptr) fail(KVC_E_NULL, "tokens is NULL");
    cache->check_sequence(sequence);
    const int32_t last = cache->library->llama_memory_seq_pos_max(cache->memory, sequence);
    if (n > 0 && (last < 0 || static_cast<size_t>(last) + 1 < n)) {
      fail(KVC_E_ORDER, "sequence %d holds %d tokens, %zu are to be saved", sequence, last + 1, n);
    }
    const CallSession session(cache->space, cache->tenant);
    size_t found = 0;
    session.check(kvc_session_match(session.get(), tokens, n, &found), "looking the tokens up failed");
    for (size_t at = found; at < n;) {
      const auto from = static_cast<uint32_t>(at);
      const auto now = static_cast<uint32_t>(std::min<size_t>(cache->chunk_at(from), n - at));
      cache->copier->append(session.get(), cache->cells->export_rows(sequence, from, now));
      session.check(kvc_session_commit(session.get(), tokens + at, now), "storing failed");
      at += now;
    }
  });
}

const char* kvc_llama_last_error(kvc_llama_t* cache) noexcept { return cache != nullptr ? cache->error.c_str() : ""; }

void kvc_llama_detach(kvc_llama_t* cache) noexcept { delete cache; }

}  // extern "C"

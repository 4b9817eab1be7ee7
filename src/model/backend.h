// The interface of models inside the library: what a kvc_backend_t is once it is adapted, and what the embedded model
// is.
//
// Threads: tokenise and detokenise from any thread; everything else from one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cache/session.h"

namespace kvc {

// What a model is; deep copies of what the backend described.
struct ModelInfo {
  std::string name;
  uint32_t vocab_size = 0;        // number of logits
  uint32_t context = 0;           // longest sequence, tokens
  uint32_t max_batch_tokens = 0;  // 0: no limit
  int32_t bos = -1;
  int32_t eos = -1;
  std::vector<int32_t> ends;   // further tokens that end a text, sorted
  uint32_t total_tokens = 0;   // not paged: most tokens over all open sequences; 0: no limit
  uint32_t state_tokens = 0;   // not paged: 0, or how far apart the states are that sequences are kept as
  std::string details;         // how it works, for people

  bool ends_text(int32_t token) const noexcept {
    return token == eos || std::binary_search(ends.begin(), ends.end(), token);
  }
};

// One sequence's share of a step.
struct ForwardItem {
  uint64_t sequence = 0;
  Session* session = nullptr;       // never nullptr here; backends of kind OWN_KV do not see it
  std::span<const int32_t> tokens;  // the next tokens, at least one
  uint32_t position = 0;            // of tokens[0]
  float* logits = nullptr;          // vocab_size floats for the last token; nullptr: not wanted
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual const ModelInfo& info() const noexcept = 0;
  // Identity and layout; pointers valid as long as the backend.
  virtual const kvc_space_desc_t& space_desc() const noexcept = 0;
  // False: it keeps its own K/V, and the engine calls export_kv and import_kv around forward.
  virtual bool paged() const noexcept = 0;

  // Appends tokens to *out, without bos.
  virtual Status tokenise(std::string_view text, std::vector<int32_t>* out) = 0;
  // Appends the bytes of one token to *out.
  virtual Status detokenise(int32_t token, std::string* out) = 0;

  virtual Status sequence_open(uint64_t sequence) = 0;
  virtual void sequence_close(uint64_t sequence) noexcept = 0;
  // Paged: afterwards every session has its tokens' K/V appended to every layer, not committed. On an error sessions
  // may hold uncommitted tokens; the caller truncates them.
  virtual Status forward(std::span<const ForwardItem> items) = 0;
  // Not paged only. export: appends K/V of [from, from + n) of the sequence to the session, no commit.
  virtual Status export_kv(uint64_t sequence, Session* session, uint32_t from, uint32_t n) = 0;
  virtual Status import_kv(uint64_t sequence, Session* session, std::span<const int32_t> tokens, uint32_t from) = 0;
  virtual Status truncate(uint64_t sequence, uint32_t n) = 0;
  // Not paged and info().state_tokens > 0 only: the state of a sequence of n tokens, as bytes.
  virtual Status save_state(uint64_t, uint32_t, std::vector<std::byte>*) { return no_function("save_state"); }
  virtual Status load_state(uint64_t, std::span<const int32_t>, std::span<const std::byte>) {
    return no_function("load_state");
  }
  // What a long forward may ask, from any thread: whether nobody waits for what it computes. It may then fail with
  // KVC_E_CANCELLED. Called once, before any sequence is opened; valid for the backend's life.
  virtual void set_stop(kvc_stop_fn, void*) {}
  // A conversation as the text of a prompt. From any thread.
  virtual Status chat_text(std::span<const kvc_message_t>, bool, std::string*) { return no_function("chat template"); }

 protected:
  static Status no_function(const char* what) {
    return error(KVC_E_UNSUPPORTED, "this model has no %s", what);
  }
};

// The model that is built into the library (src/model/builtin).
Status make_builtin_backend(std::unique_ptr<Backend>* out);

// Gives sessions public handles, and modules the functions of this library, while a caller's functions run: implemented by src/api, which owns handles.
struct DeviceHost;  // tier/device_api.h

struct SessionHandles {
  void* context = nullptr;
  kvc_session_t* (*expose)(void* context, Session* session) = nullptr;  // nullptr: no memory
  void (*withdraw)(void* context, kvc_session_t* handle) = nullptr;     // afterwards the handle is closed
  const kvc_module_host_t* functions = nullptr;                         // for modules; valid for ever
  const DeviceHost* device_functions = nullptr;                         // the same for the module of devices
};

// A caller's table of functions as a Backend (src/model/table_backend.cpp). Calls describe; on failure destroy is
// called.
Status make_table_backend(const kvc_backend_t& table, const SessionHandles& handles, std::unique_ptr<Backend>* out);

}  // namespace kvc

// A caller's table of functions (kvc_backend_t) as a Backend.
//
// Whatever a function of the table does wrong - an error, a result that is neither an error nor KVC_OK, tokens beyond
// its own vocabulary, K/V that it did not append - becomes KVC_E_BACKEND, with its own words where it has some.
#include <algorithm>
#include <array>
#include <cinttypes>

#include "model/backend.h"
#include "model/description.h"

namespace kvc {
namespace {

// Room for a function to say why it failed.
struct Words {
  char text[512] = {};
  const char* get() noexcept {
    text[sizeof text - 1] = 0;
    return text;
  }
};

Status outcome(const char* function, kvc_status_t status, Words* words) {
  if (status == KVC_OK) return Status::ok();
  const char* text = words->get();
  if (status > 0) {
    return error(KVC_E_BACKEND, "the backend's %s returned %d (%s): it must return KVC_OK or an error%s%s", function,
                 status, kvc_status_name(status), text[0] != 0 ? "; it says: " : "", text);
  }
  return error(KVC_E_BACKEND, "the backend's %s failed: %s (%s, %d)", function,
               text[0] != 0 ? text : "it gave no reason", kvc_status_name(status), status);
}

// Sessions as the table's functions see them, for as long as one call takes.
class Exposed {
 public:
  explicit Exposed(const SessionHandles& handles) : handles_(handles) {}
  ~Exposed() {
    for (kvc_session_t* handle : open_) handles_.withdraw(handles_.context, handle);
  }
  Exposed(const Exposed&) = delete;
  Exposed& operator=(const Exposed&) = delete;

  Status add(Session* session, kvc_session_t** out) {
    open_.reserve(open_.size() + 1);
    kvc_session_t* handle = handles_.expose(handles_.context, session);
    if (handle == nullptr) {
      return error(KVC_E_NO_MEMORY, "no memory for the handle of a session that the backend is to see");
    }
    open_.push_back(handle);
    *out = handle;
    return Status::ok();
  }

 private:
  const SessionHandles& handles_;
  std::vector<kvc_session_t*> open_;
};

// Every layer must hold exactly this many tokens now: the session then commits them.
Status check_appended(const char* function, Session* session, uint64_t sequence, size_t expected) {
  for (uint32_t layer = 0; layer < session->space().geometry().n_layers; ++layer) {
    const size_t has = session->appended(layer);
    if (has == expected) continue;
    return error(KVC_E_BACKEND,
                 "the backend's %s left %zu tokens in layer %u of sequence %" PRIu64
                 " where there must be %zu: append every token to "
                 "every layer once",
                 function, has, layer, sequence, expected);
  }
  return Status::ok();
}

class TableBackend final : public Backend {
 public:
  TableBackend(const kvc_backend_t& table, const SessionHandles& handles) noexcept : table_(table), handles_(handles) {}
  ~TableBackend() override {
    if (table_.destroy != nullptr) table_.destroy(table_.user_data);
  }

  Status start() {
    KVC_RETURN_IF_ERROR(check_table());
    kvc_space_desc_t space{};
    space.struct_size = sizeof space;
    kvc_model_info_t info{};
    info.struct_size = sizeof info;
    info.space = &space;
    info.bos = info.eos = -1;
    Words words;
    KVC_RETURN_IF_ERROR(
        outcome("describe", table_.describe(table_.user_data, &info, words.text, sizeof words.text), &words));
    KVC_RETURN_IF_ERROR(description_.take(info));
    if (info.state_tokens > 0 && (paged() || table_.save_state == nullptr || table_.load_state == nullptr)) {
      return error(KVC_E_BACKEND,
                   "the backend's describe set state_tokens to %u: that is for kind KVC_BACKEND_OWN_KV with "
                   "save_state and load_state",
                   info.state_tokens);
    }
    return Status::ok();
  }

  const ModelInfo& info() const noexcept override { return description_.model(); }
  const kvc_space_desc_t& space_desc() const noexcept override { return description_.space(); }
  bool paged() const noexcept override { return table_.kind == KVC_BACKEND_PAGED; }

  Status tokenise(std::string_view text, std::vector<int32_t>* out) override;
  Status detokenise(int32_t token, std::string* out) override;

  Status sequence_open(uint64_t sequence) override {
    if (table_.sequence_open == nullptr) return Status::ok();
    Words words;
    return outcome("sequence_open", table_.sequence_open(table_.user_data, sequence, words.text, sizeof words.text),
                   &words);
  }

  void sequence_close(uint64_t sequence) noexcept override {
    if (table_.sequence_close != nullptr) table_.sequence_close(table_.user_data, sequence);
  }

  Status forward(std::span<const ForwardItem> items) override;
  Status export_kv(uint64_t sequence, Session* session, uint32_t from, uint32_t n) override;
  Status import_kv(uint64_t sequence, Session* session, std::span<const int32_t> tokens, uint32_t from) override;

  Status truncate(uint64_t sequence, uint32_t n) override {
    KVC_RETURN_IF_ERROR(check_own_kv("truncate"));
    Words words;
    return outcome("truncate", table_.truncate(table_.user_data, sequence, n, words.text, sizeof words.text), &words);
  }
  Status save_state(uint64_t sequence, uint32_t n, std::vector<std::byte>* state) override;
  Status load_state(uint64_t sequence, std::span<const int32_t> tokens, std::span<const std::byte> state) override;
  Status chat_text(std::span<const kvc_message_t> messages, bool answer, std::string* text) override;
  void set_stop(kvc_stop_fn stop, void* data) override {
    if (table_.set_stop != nullptr) table_.set_stop(table_.user_data, stop, data);
  }

 private:
  static Status failure_of_stop() { return error(KVC_E_CANCELLED, "the backend's forward ended early"); }
  Status check_table() const;
  Status check_own_kv(const char* function) const {
    if (!paged()) return Status::ok();
    return error(KVC_E_UNSUPPORTED, "%s is for backends that keep their own K/V; this one is of kind KVC_BACKEND_PAGED",
                 function);
  }

  const kvc_backend_t table_;
  const SessionHandles handles_;
  Description description_;
};

Status TableBackend::check_table() const {
  const kvc_backend_t& t = table_;
  if (t.struct_size != sizeof t) {
    return error(KVC_E_STRUCT_SIZE, "the backend's struct_size is %zu: set it to sizeof(kvc_backend_t), which is %zu",
                 t.struct_size, sizeof t);
  }
  if (t.kind != KVC_BACKEND_PAGED && t.kind != KVC_BACKEND_OWN_KV) {
    return error(KVC_E_OUT_OF_RANGE, "the backend's kind is %d: give KVC_BACKEND_PAGED (1) or KVC_BACKEND_OWN_KV (2)",
                 t.kind);
  }
  struct {
    const char* name;
    bool present;
    bool required;
  } const functions[] = {
      {"describe", t.describe != nullptr, true},       {"tokenize", t.tokenize != nullptr, true},
      {"detokenize", t.detokenize != nullptr, true},   {"forward", t.forward != nullptr, true},
      {"export_kv", t.export_kv != nullptr, !paged()}, {"import_kv", t.import_kv != nullptr, !paged()},
      {"truncate", t.truncate != nullptr, !paged()}};
  for (const auto& function : functions) {
    if (function.required && !function.present) {
      return error(KVC_E_NULL, "the backend's %s is NULL: a backend of kind %s needs it", function.name,
                   paged() ? "KVC_BACKEND_PAGED" : "KVC_BACKEND_OWN_KV");
    }
  }
  return Status::ok();
}

Status TableBackend::tokenise(std::string_view text, std::vector<int32_t>* out) {
  // A tokenizer that says more than this is wrong about its numbers; asking for that much memory would not end well.
  const size_t most = 1024 + 16 * text.size();
  const size_t before = out->size();
  size_t capacity = text.size() + 16;
  // The second call has the room that the first one asked for.
  for (int attempt = 0; attempt < 2; ++attempt) {
    out->resize(before + capacity);
    Words words;
    size_t n = 0;
    const kvc_status_t status = table_.tokenize(table_.user_data, text.data(), text.size(), out->data() + before,
                                                capacity, &n, words.text, sizeof words.text);
    const bool too_small = n > capacity && (status == KVC_OK || status == KVC_E_BUFFER);
    if (!too_small) {
      Status result = outcome("tokenize", status, &words);
      const auto vocab = static_cast<int32_t>(info().vocab_size);
      for (size_t i = 0; result.is_ok() && i < n; ++i) {
        const int32_t token = (*out)[before + i];
        if (token < 0 || token >= vocab) {
          result =
              error(KVC_E_BACKEND, "the backend's tokenize gave token %d: its vocabulary is 0 to %d", token, vocab - 1);
        }
      }
      out->resize(result.is_ok() ? before + n : before);
      return result;
    }
    if (n > most) {
      out->resize(before);
      return error(KVC_E_BACKEND,
                   "the backend's tokenize says that %zu bytes of text are %zu tokens: at most %zu are believed",
                   text.size(), n, most);
    }
    capacity = n;
  }
  out->resize(before);
  return error(KVC_E_BACKEND, "the backend's tokenize asked for room for %zu tokens, got it, and asked for more",
               capacity);
}

Status TableBackend::detokenise(int32_t token, std::string* out) {
  constexpr size_t kMost = 1 << 20;  // no token is longer
  std::array<char, 64> small;
  std::string large;
  char* bytes = small.data();
  size_t capacity = small.size();
  for (int attempt = 0; attempt < 2; ++attempt) {
    Words words;
    size_t size = 0;
    const kvc_status_t status =
        table_.detokenize(table_.user_data, token, bytes, capacity, &size, words.text, sizeof words.text);
    if (size <= capacity || (status != KVC_OK && status != KVC_E_BUFFER)) {
      KVC_RETURN_IF_ERROR(outcome("detokenize", status, &words));
      out->append(bytes, size);
      return Status::ok();
    }
    if (size > kMost) {
      return error(KVC_E_BACKEND, "the backend's detokenize says that token %d has %zu bytes: at most %zu are believed",
                   token, size, kMost);
    }
    large.resize(size);
    bytes = large.data();
    capacity = size;
  }
  return error(KVC_E_BACKEND,
               "the backend's detokenize asked for room for %zu bytes of token %d, got it, and asked for more",
               capacity, token);
}

Status TableBackend::forward(std::span<const ForwardItem> items) {
  Words words;
  {
    std::vector<kvc_forward_t> calls(items.size());
    Exposed exposed(handles_);
    for (size_t i = 0; i < items.size(); ++i) {
      const ForwardItem& item = items[i];
      kvc_forward_t& call = calls[i];
      call.struct_size = sizeof call;
      call.sequence = item.sequence;
      call.tokens = item.tokens.data();
      call.n = static_cast<uint32_t>(item.tokens.size());
      call.position = item.position;
      call.logits = item.logits;
      if (paged()) KVC_RETURN_IF_ERROR(exposed.add(item.session, &call.session));
    }
    const kvc_status_t status = table_.forward(table_.user_data, calls.data(), static_cast<uint32_t>(calls.size()),
                                               words.text, sizeof words.text);
    if (status == KVC_E_CANCELLED && table_.set_stop != nullptr) return failure_of_stop();
    KVC_RETURN_IF_ERROR(outcome("forward", status, &words));
  }
  if (!paged()) return Status::ok();
  for (const ForwardItem& item : items) {
    KVC_RETURN_IF_ERROR(
        check_appended("forward", item.session, item.sequence, size_t{item.position} + item.tokens.size()));
  }
  return Status::ok();
}

Status TableBackend::export_kv(uint64_t sequence, Session* session, uint32_t from, uint32_t n) {
  KVC_RETURN_IF_ERROR(check_own_kv("export_kv"));
  {
    Words words;
    Exposed exposed(handles_);
    kvc_session_t* handle = nullptr;
    KVC_RETURN_IF_ERROR(exposed.add(session, &handle));
    const kvc_status_t status =
        table_.export_kv(table_.user_data, sequence, handle, from, n, words.text, sizeof words.text);
    // What the cache has no room for is no failure of the model.
    if (status == KVC_E_NO_MEMORY) return error(KVC_E_NO_MEMORY, "%s", words.get());
    KVC_RETURN_IF_ERROR(outcome("export_kv", status, &words));
  }
  return check_appended("export_kv", session, sequence, size_t{from} + n);
}

Status TableBackend::import_kv(uint64_t sequence, Session* session, std::span<const int32_t> tokens, uint32_t from) {
  KVC_RETURN_IF_ERROR(check_own_kv("import_kv"));
  Words words;
  Exposed exposed(handles_);
  kvc_session_t* handle = nullptr;
  KVC_RETURN_IF_ERROR(exposed.add(session, &handle));
  const kvc_status_t status = table_.import_kv(table_.user_data, sequence, handle, tokens.data(), from,
                                               static_cast<uint32_t>(tokens.size()), words.text, sizeof words.text);
  return outcome("import_kv", status, &words);
}

Status TableBackend::save_state(uint64_t sequence, uint32_t n, std::vector<std::byte>* state) {
  if (table_.save_state == nullptr) return no_function("save_state");
  size_t size = 0;
  // The second call has the room that the first one asked for.
  for (int attempt = 0; attempt < 2; ++attempt) {
    Words words;
    const size_t capacity = state->size();
    KVC_RETURN_IF_ERROR(outcome(
        "save_state",
        table_.save_state(table_.user_data, sequence, n, state->data(), capacity, &size, words.text, sizeof words.text),
        &words));
    const bool fits = size <= capacity;
    state->resize(size);
    if (fits) return Status::ok();
  }
  return error(KVC_E_BACKEND, "the backend's save_state asked for room for %zu bytes, got it, and asked for more",
               size);
}

Status TableBackend::load_state(uint64_t sequence, std::span<const int32_t> tokens, std::span<const std::byte> state) {
  if (table_.load_state == nullptr) return no_function("load_state");
  Words words;
  return outcome("load_state",
                 table_.load_state(table_.user_data, sequence, tokens.data(), static_cast<uint32_t>(tokens.size()),
                                   state.data(), state.size(), words.text, sizeof words.text),
                 &words);
}

Status TableBackend::chat_text(std::span<const kvc_message_t> messages, bool answer, std::string* text) {
  if (table_.chat_text == nullptr) return no_function("chat template");
  size_t size = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    Words words;
    const size_t capacity = text->size();
    const kvc_status_t status = table_.chat_text(table_.user_data, messages.data(), messages.size(), answer ? 1 : 0,
                                                 text->data(), capacity, &size, words.text, sizeof words.text);
    if (status == KVC_E_UNSUPPORTED) return error(KVC_E_UNSUPPORTED, "%s", words.get());
    KVC_RETURN_IF_ERROR(outcome("chat_text", status, &words));
    text->resize(size);
    if (size <= capacity) return Status::ok();
  }
  return error(KVC_E_BACKEND, "the backend's chat_text asked for room for %zu bytes, got it, and asked for more", size);
}

}  // namespace

Status make_table_backend(const kvc_backend_t& table, const SessionHandles& handles, std::unique_ptr<Backend>* out) {
  std::unique_ptr<TableBackend> backend;
  try {
    backend = std::make_unique<TableBackend>(table, handles);
  } catch (const std::bad_alloc&) {
    // Nobody else can tell the caller that its backend is not used.
    if (table.destroy != nullptr) table.destroy(table.user_data);
    throw;
  }
  KVC_RETURN_IF_ERROR(backend->start());
  *out = std::move(backend);
  return Status::ok();
}

}  // namespace kvc

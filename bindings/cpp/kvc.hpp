// kvc.hpp - kvc for C++17 and later: kvc.h with RAII, strings, vectors and errors.     SPDX-License-Identifier:
// Apache-2.0
//
// Header only; link with libkvc and nothing else. Every class is a thin owner of one C handle: what a call does, which
// errors it has and which threads may call it is said in kvc.h beside the function of the same name, and holds here.
//
//     kvc::Engine engine;
//     kvc::Response answer = engine.process(kvc::Request("In the beginning").max_tokens(64));
//     std::cout << answer.text() << '\n';
//
// ERRORS     With exceptions, a call that fails throws kvc::Error: code(), name() and what(). Without (-fno-exceptions,
// or
//            KVC_NO_EXCEPTIONS defined), the same calls return kvc::Result<T>, which is either the value or a status
//            with its words; the constructors that could fail are then gone, use the static create functions. Below,
//            Return<T> is T or Result<T>. A cache miss is no error in either.
// OWNERSHIP  Classes are move-only and release their handle when they go. A moved-from or closed object may be
// destroyed and
//            assigned to; any call on it fails with KVC_E_NULL. Objects may outlive their engine: calls then fail with
//            KVC_E_CLOSED. Views (std::string_view, pointers) into a Response live as long as it.
// CALLBACKS  Functions given to kvc (on_text, Backend, log, clock) may throw: the exception ends at the border and
// becomes a
//            status. What on_text throws comes out again of process() and wait().
// MIXING     Translation units with and without exceptions may be linked together: they use different inline
// namespaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__has_include) && __cplusplus >= 202002L
#if __has_include(<span>)
#include <span>
#endif
#endif

#include "kvc/kvc.h"

#if !defined(KVC_NO_EXCEPTIONS) && !defined(__cpp_exceptions)
#define KVC_NO_EXCEPTIONS 1
#endif

#ifndef KVC_NO_EXCEPTIONS
#include <exception>
#include <stdexcept>
#endif

namespace kvc {
#ifndef KVC_NO_EXCEPTIONS
inline namespace v0 {
#else
inline namespace v0_result {
#endif

// Waits for ever.
constexpr uint64_t kForever = UINT64_MAX;

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

// A status and its words. Converts from a bare status, so that a callback can `return KVC_OK;`.
class Status {
 public:
  Status() = default;
  Status(kvc_status_t code) : code_(code) {}  // NOLINT: a conversion by design
  Status(kvc_status_t code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const noexcept { return code_ >= 0; }
  kvc_status_t code() const noexcept { return code_; }
  const char* name() const noexcept { return kvc_status_name(code_); }
  // Never empty: where kvc gave no words of its own, the general meaning of the status.
  std::string message() const { return message_.empty() ? std::string(kvc_status_text(code_)) : message_; }

 private:
  kvc_status_t code_ = KVC_OK;
  std::string message_;
};

#ifndef KVC_NO_EXCEPTIONS
// What every failing call throws. what() is "NAME: words".
class Error : public std::runtime_error {
 public:
  explicit Error(const Status& status)
      : std::runtime_error(std::string(status.name()) + ": " + status.message()), code_(status.code()) {}
  Error(kvc_status_t code, const std::string& message) : Error(Status(code, message)) {}
  kvc_status_t code() const noexcept { return code_; }
  const char* name() const noexcept { return kvc_status_name(code_); }

 private:
  kvc_status_t code_;
};

template <typename T>
using Return = T;
#else
// A value, or why there is none. A request that failed midway has both: see has_value().
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT: a conversion by design
  Result(Status status) : status_(std::move(status)) {}  // NOLINT
  Result(Status status, T value) : status_(std::move(status)), value_(std::move(value)) {}

  bool ok() const noexcept { return status_.ok(); }
  explicit operator bool() const noexcept { return ok(); }
  kvc_status_t code() const noexcept { return status_.code(); }
  const char* name() const noexcept { return status_.name(); }
  std::string message() const { return status_.message(); }
  const Status& status() const noexcept { return status_; }
  bool has_value() const noexcept { return value_.has_value(); }
  // Only if has_value().
  T& value() & noexcept { return *value_; }
  const T& value() const& noexcept { return *value_; }
  // Of a Result that goes away at once the value is moved out, so that `for (auto& page : *engine.pages())` is safe.
  T value() && noexcept { return std::move(*value_); }
  T& operator*() & noexcept { return *value_; }
  T operator*() && noexcept { return std::move(*value_); }
  T* operator->() noexcept { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Status status) : status_(std::move(status)) {}  // NOLINT: a conversion by design
  bool ok() const noexcept { return status_.ok(); }
  explicit operator bool() const noexcept { return ok(); }
  kvc_status_t code() const noexcept { return status_.code(); }
  const char* name() const noexcept { return status_.name(); }
  std::string message() const { return status_.message(); }
  const Status& status() const noexcept { return status_; }

 private:
  Status status_;
};

template <typename T>
using Return = Result<T>;
#endif

namespace detail {

// Where the words of a failure are kept.
struct Source {
  enum Kind { none, engine, session, config } kind = none;
  void* handle = nullptr;

  Source() = default;
  explicit Source(kvc_engine_t* e) : kind(engine), handle(e) {}
  explicit Source(kvc_session_t* s) : kind(session), handle(s) {}
  explicit Source(kvc_config_t* c) : kind(config), handle(c) {}

  size_t read(char* buffer, size_t capacity) const {
    switch (kind) {
      case engine:
        return kvc_engine_last_error(static_cast<kvc_engine_t*>(handle), buffer, capacity);
      case session:
        return kvc_session_last_error(static_cast<kvc_session_t*>(handle), buffer, capacity);
      case config:
        return kvc_config_last_error(static_cast<kvc_config_t*>(handle), buffer, capacity);
      case none:
        break;
    }
    return 0;
  }
  Status status(kvc_status_t code) const {
    // A handle that is gone has no words any more.
    if (handle == nullptr || code == KVC_E_CLOSED || code == KVC_E_NULL || code == KVC_E_FORKED) return Status(code);
    std::string text(256, '\0');
    size_t length = read(&text[0], text.size());
    if (length >= text.size()) {
      text.resize(length + 1);
      const size_t again = read(&text[0], text.size());
      if (again < length) length = again;
    }
    text.resize(length);
    return Status(code, std::move(text));
  }
};

#ifndef KVC_NO_EXCEPTIONS
template <typename T>
T finish(kvc_status_t code, const Source& source, T value) {
  if (code < 0) throw Error(source.status(code));
  return value;
}
inline void finish(kvc_status_t code, const Source& source) {
  if (code < 0) throw Error(source.status(code));
}
template <typename T>
T fail(Status status) {
  throw Error(status);
}
#else
template <typename T>
Result<T> finish(kvc_status_t code, const Source& source, T value) {
  if (code < 0) return Result<T>(source.status(code));
  return Result<T>(std::move(value));
}
inline Result<void> finish(kvc_status_t code, const Source& source) {
  return code < 0 ? Result<void>(source.status(code)) : Result<void>();
}
template <typename T>
Result<T> fail(Status status) {
  return Result<T>(std::move(status));
}
#endif

// Runs a caller's function so that no exception leaves it.
template <typename F>
Status guarded(F&& function) noexcept {
#ifndef KVC_NO_EXCEPTIONS
  try {
    return function();
  } catch (const Error& error) {
    try {
      return Status(error.code(), error.what());
    } catch (...) {
      return Status(error.code());
    }
  } catch (const std::bad_alloc&) {
    return Status(KVC_E_NO_MEMORY);
  } catch (const std::exception& error) {
    try {
      return Status(KVC_E_USER, error.what());
    } catch (...) {
      return Status(KVC_E_USER);
    }
  } catch (...) {
    return Status(KVC_E_USER);
  }
#else
  return function();
#endif
}

// Reads a text that kvc writes with (buffer, capacity, *length).
template <typename F>
kvc_status_t read_text(std::string* out, F&& function) {
  out->assign(256, '\0');
  for (;;) {
    size_t length = 0;
    const kvc_status_t status = function(&(*out)[0], out->size(), &length);
    const bool short_of_room = length >= out->size();
    if (short_of_room && (status == KVC_OK || status == KVC_E_BUFFER)) {
      out->assign(length + 1, '\0');  // with room for the zero; a text that grew meanwhile goes round again
      continue;
    }
    out->resize(status == KVC_OK ? length : 0);
    return status;
  }
}

// Keeps what a callback needs, and what it threw.
struct TextCallback {
  std::function<bool(std::string_view)> function;
#ifndef KVC_NO_EXCEPTIONS
  std::exception_ptr exception;
#endif

  static kvc_status_t call(void* user_data, kvc_ticket_t, const char* text, size_t text_size) {
    auto* self = static_cast<TextCallback*>(user_data);
#ifndef KVC_NO_EXCEPTIONS
    try {
      return self->function(std::string_view(text, text_size)) ? KVC_OK : KVC_E_USER;
    } catch (...) {
      self->exception = std::current_exception();
      return KVC_E_USER;
    }
#else
    return self->function(std::string_view(text, text_size)) ? KVC_OK : KVC_E_USER;
#endif
  }
  void rethrow() {
#ifndef KVC_NO_EXCEPTIONS
    if (exception) std::rethrow_exception(std::exchange(exception, nullptr));
#endif
  }
};

// What must live as long as the engine's handle, shared by the Engine and its tickets.
struct EngineState {
  kvc_engine_t* handle = nullptr;
  std::vector<std::shared_ptr<void>> keep;  // backend, logger, clock

  // Callbacks of tickets that were dropped while their request may still run.
  void retire(std::shared_ptr<TextCallback> callback) {
    std::lock_guard<std::mutex> lock(mutex_);
    retired_.push_back(std::move(callback));
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<TextCallback>> retired_;
};

}  // namespace detail

// ---------------------------------------------------------------------------------------------------------------------
// The library
// ---------------------------------------------------------------------------------------------------------------------

inline std::string_view version() noexcept { return kvc_version_string(); }
inline std::string_view build_info() noexcept { return kvc_build_info(); }
inline bool has_feature(const char* name) noexcept { return kvc_has_feature(name) != 0; }
// True if the library that was loaded speaks this header's ABI.
inline bool abi_matches() noexcept { return kvc_abi_version() == KVC_ABI_VERSION; }

// Every option there is; all text is static.
inline std::vector<kvc_option_info_t> options() {
  std::vector<kvc_option_info_t> all(kvc_option_count());
  for (uint32_t i = 0; i < all.size(); ++i) {
    all[i] = kvc_option_info_t{};
    all[i].struct_size = sizeof(kvc_option_info_t);
    (void)kvc_option_info(i, &all[i]);
  }
  return all;
}

// ---------------------------------------------------------------------------------------------------------------------
// Tensors: borrowed memory with a shape (kvc_tensor_t)
// ---------------------------------------------------------------------------------------------------------------------

using Tensor = kvc_tensor_t;

constexpr size_t dtype_size(int32_t dtype) noexcept { return dtype == KVC_F32 ? 4 : dtype == KVC_U8 ? 1 : 2; }

// A compact buffer [tokens][heads][dim]. kvc only writes to a tensor that is an output, so const data is fine for
// inputs.
inline Return<Tensor> tensor_thd(const void* data, int32_t dtype, size_t tokens, uint32_t heads, uint32_t dim) {
  Tensor tensor{};
  const kvc_status_t status = kvc_tensor_thd(&tensor, const_cast<void*>(data), dtype, tokens, heads, dim);
  return detail::finish(status, {}, tensor);
}
// A compact buffer [heads][tokens][dim].
inline Return<Tensor> tensor_htd(const void* data, int32_t dtype, size_t tokens, uint32_t heads, uint32_t dim) {
  Tensor tensor{};
  const kvc_status_t status = kvc_tensor_htd(&tensor, const_cast<void*>(data), dtype, tokens, heads, dim);
  return detail::finish(status, {}, tensor);
}
inline Return<Tensor> tensor_thd(const float* data, size_t tokens, uint32_t heads, uint32_t dim) {
  return tensor_thd(data, KVC_F32, tokens, heads, dim);
}
inline Return<Tensor> tensor_htd(const float* data, size_t tokens, uint32_t heads, uint32_t dim) {
  return tensor_htd(data, KVC_F32, tokens, heads, dim);
}
// A compact buffer of any shape, for put and get.
inline Return<Tensor> tensor(const void* data, int32_t dtype, const std::vector<int64_t>& shape) {
  if (shape.empty() || shape.size() > KVC_MAX_DIMS) {
    return detail::fail<Tensor>(Status(KVC_E_SHAPE, "a tensor has 1.." + std::to_string(KVC_MAX_DIMS) +
                                                        " dimensions, not " + std::to_string(shape.size())));
  }
  Tensor t{};
  t.struct_size = sizeof t;
  t.data = const_cast<void*>(data);
  t.dtype = dtype;
  t.n_dims = static_cast<uint32_t>(shape.size());
  t.size = dtype_size(dtype);
  for (size_t i = 0; i < shape.size(); ++i) {
    t.shape[i] = shape[i];
    t.size *= shape[i] > 0 ? static_cast<uint64_t>(shape[i]) : 0;
  }
  return t;
}
inline Return<Tensor> tensor(const std::vector<float>& data, const std::vector<int64_t>& shape) {
  Return<Tensor> t = tensor(data.data(), KVC_F32, shape);
#ifndef KVC_NO_EXCEPTIONS
  t.size = data.size() * sizeof(float);  // so that a shape larger than the vector is refused
#else
  if (t.ok()) t->size = data.size() * sizeof(float);
#endif
  return t;
}

// ---------------------------------------------------------------------------------------------------------------------
// Backend: derive from it to bring a model
// ---------------------------------------------------------------------------------------------------------------------

// A model. Functions return a Status, or throw: an Error keeps its code, any other exception becomes KVC_E_USER with
// its words. kvc.h says from which threads each is called. The object is shared by the Config and every Engine made
// from it.
class Backend {
 public:
  virtual ~Backend() = default;

  // KVC_BACKEND_PAGED or KVC_BACKEND_OWN_KV.
  virtual int32_t kind() const { return KVC_BACKEND_PAGED; }
  // *info.space is kvc's to be filled in: `*info.space = desc.c_desc()`. Pointers must stay valid as long as this object.
  virtual Status describe(kvc_model_info_t& info) = 0;
  virtual Status tokenize(std::string_view text, std::vector<int32_t>& tokens) = 0;
  virtual Status detokenize(int32_t token, std::string& bytes) = 0;
  virtual Status sequence_open(uint64_t /*sequence*/) { return KVC_OK; }
  virtual void sequence_close(uint64_t /*sequence*/) {}
  // SessionView wraps items[i].session for reading and appending.
  virtual Status forward(const kvc_forward_t* items, uint32_t n) = 0;
  // The three that KVC_BACKEND_OWN_KV needs.
  virtual Status export_kv(uint64_t, kvc_session_t*, uint32_t, uint32_t) { return KVC_E_UNSUPPORTED; }
  virtual Status import_kv(uint64_t, kvc_session_t*, const int32_t*, uint32_t, uint32_t) { return KVC_E_UNSUPPORTED; }
  virtual Status truncate(uint64_t, uint32_t) { return KVC_E_UNSUPPORTED; }
  // A conversation as the model's prompt text.
  virtual Status chat_text(const kvc_message_t*, size_t /*n*/, bool /*answer*/, std::string& /*text*/) {
    return Status(KVC_E_UNSUPPORTED, "this model has no chat template");
  }
  // What a KVC_BACKEND_OWN_KV that describes itself with state_tokens needs as well.
  virtual Status save_state(uint64_t, uint32_t, std::string& /*bytes*/) { return KVC_E_UNSUPPORTED; }
  virtual Status load_state(uint64_t, const int32_t*, uint32_t, std::string_view /*bytes*/) { return KVC_E_UNSUPPORTED; }
  // Called once, before any sequence is opened. While it computes, forward may ask stop(), from any thread: true once
  // nobody waits for any of its sequences. It may then return KVC_E_CANCELLED.
  virtual void set_stop(std::function<bool()> /*stop*/) {}
  // An engine stopped using it.
  virtual void released() {}
};

namespace detail {

// The functions of a kvc_backend_t around a Backend.
struct BackendTable {
  static Backend* self(void* user_data) { return static_cast<Backend*>(user_data); }
  static kvc_status_t tell(const Status& status, char* error, size_t error_size) noexcept {
    if (!status.ok() && error != nullptr && error_size > 0) {
#ifndef KVC_NO_EXCEPTIONS
      try {
#endif
        const std::string text = status.message();
        const size_t n = text.size() < error_size ? text.size() : error_size - 1;
        text.copy(error, n);
        error[n] = '\0';
#ifndef KVC_NO_EXCEPTIONS
      } catch (...) {
        error[0] = '\0';
      }
#endif
    }
    return status.code();
  }
  static kvc_status_t describe(void* user, kvc_model_info_t* info, char* error, size_t error_size) {
    return tell(guarded([&] { return self(user)->describe(*info); }), error, error_size);
  }
  static kvc_status_t tokenize(void* user, const char* text, size_t text_size, int32_t* tokens, size_t capacity,
                               size_t* n, char* error, size_t error_size) {
    return tell(guarded([&] {
                  std::vector<int32_t> out;
                  Status status = self(user)->tokenize(std::string_view(text, text_size), out);
                  *n = out.size();
                  for (size_t i = 0; i < out.size() && i < capacity; ++i) tokens[i] = out[i];
                  return status;
                }),
                error, error_size);
  }
  static kvc_status_t detokenize(void* user, int32_t token, char* bytes, size_t capacity, size_t* size, char* error,
                                 size_t error_size) {
    return tell(guarded([&] {
                  std::string out;
                  Status status = self(user)->detokenize(token, out);
                  *size = out.size();
                  if (capacity > 0) out.copy(bytes, capacity);
                  return status;
                }),
                error, error_size);
  }
  static kvc_status_t sequence_open(void* user, uint64_t sequence, char* error, size_t error_size) {
    return tell(guarded([&] { return self(user)->sequence_open(sequence); }), error, error_size);
  }
  static void sequence_close(void* user, uint64_t sequence) {
    (void)guarded([&] {
      self(user)->sequence_close(sequence);
      return Status();
    });
  }
  static kvc_status_t forward(void* user, const kvc_forward_t* items, uint32_t n, char* error, size_t error_size) {
    return tell(guarded([&] { return self(user)->forward(items, n); }), error, error_size);
  }
  static kvc_status_t export_kv(void* user, uint64_t sequence, kvc_session_t* session, uint32_t from, uint32_t n,
                                char* error, size_t error_size) {
    return tell(guarded([&] { return self(user)->export_kv(sequence, session, from, n); }), error, error_size);
  }
  static kvc_status_t import_kv(void* user, uint64_t sequence, kvc_session_t* session, const int32_t* tokens,
                                uint32_t from, uint32_t n, char* error, size_t error_size) {
    return tell(guarded([&] { return self(user)->import_kv(sequence, session, tokens, from, n); }), error, error_size);
  }
  static kvc_status_t truncate(void* user, uint64_t sequence, uint32_t n, char* error, size_t error_size) {
    return tell(guarded([&] { return self(user)->truncate(sequence, n); }), error, error_size);
  }
  static kvc_status_t chat_text(void* user, const kvc_message_t* messages, size_t n, int32_t answer, char* text,
                                size_t capacity, size_t* size, char* error, size_t error_size) {
    return tell(guarded([&] {
                  std::string out;
                  Status status = self(user)->chat_text(messages, n, answer != 0, out);
                  *size = out.size();
                  if (capacity > 0) out.copy(text, capacity);
                  return status;
                }),
                error, error_size);
  }
  static void set_stop(void* user, kvc_stop_fn stop, void* data) {
    (void)guarded([&] {
      self(user)->set_stop([stop, data] { return stop(data) != 0; });
      return Status();
    });
  }
  static kvc_status_t save_state(void* user, uint64_t sequence, uint32_t n, void* bytes, size_t capacity, size_t* size,
                                 char* error, size_t error_size) {
    return tell(guarded([&] {
                  std::string out;
                  Status status = self(user)->save_state(sequence, n, out);
                  *size = out.size();
                  if (capacity >= out.size()) out.copy(static_cast<char*>(bytes), out.size());
                  return status;
                }),
                error, error_size);
  }
  static kvc_status_t load_state(void* user, uint64_t sequence, const int32_t* tokens, uint32_t n, const void* bytes,
                                 size_t size, char* error, size_t error_size) {
    return tell(guarded([&] {
                  const std::string_view state(static_cast<const char*>(bytes), size);
                  return self(user)->load_state(sequence, tokens, n, state);
                }),
                error, error_size);
  }
  static void destroy(void* user) {
    (void)guarded([&] {
      self(user)->released();
      return Status();
    });
  }
  static kvc_backend_t make(Backend* backend) {
    kvc_backend_t table{};
    table.struct_size = sizeof table;
    table.user_data = backend;
    table.kind = backend->kind();
    table.describe = describe;
    table.tokenize = tokenize;
    table.detokenize = detokenize;
    table.sequence_open = sequence_open;
    table.sequence_close = sequence_close;
    table.forward = forward;
    table.destroy = destroy;
    table.chat_text = chat_text;
    table.set_stop = set_stop;
    if (table.kind == KVC_BACKEND_OWN_KV) {
      table.export_kv = export_kv;
      table.import_kv = import_kv;
      table.truncate = truncate;
      table.save_state = save_state;
      table.load_state = load_state;
    }
    return table;
  }
};

}  // namespace detail

// ---------------------------------------------------------------------------------------------------------------------
// Config
// ---------------------------------------------------------------------------------------------------------------------

class Config {
 public:
#ifndef KVC_NO_EXCEPTIONS
  explicit Config(const char* preset = nullptr) { detail::finish(kvc_config_create(preset, &handle_), {}); }
#endif
  static Return<Config> create(const char* preset = nullptr) {
    Config config(nullptr, 0);
    const kvc_status_t status = kvc_config_create(preset, &config.handle_);
    return detail::finish(status, {}, std::move(config));
  }
  Config(Config&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), keep_(std::move(other.keep_)) {}
  Config& operator=(Config&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(keep_, other.keep_);
    return *this;
  }
  ~Config() { kvc_config_destroy(handle_); }

  Return<void> set(const std::string& key, const std::string& value) {
    return detail::finish(kvc_config_set(handle_, key.c_str(), value.c_str()), source());
  }
  Return<std::string> get(const std::string& key) const {
    std::string text;
    const kvc_status_t status = detail::read_text(
        &text, [&](char* b, size_t c, size_t* l) { return kvc_config_get(handle_, key.c_str(), b, c, l); });
    return detail::finish(status, source(), std::move(text));
  }
  // Sets the options that the engine of a directory had, but secrets. key: its option disk_key.
  Return<void> load(const std::string& path, const std::string& key = {}) {
    return detail::finish(kvc_config_load(handle_, path.c_str(), key.c_str()), source());
  }

  // Gives engines a model; nullptr takes it back.
  Return<void> set_backend(std::shared_ptr<Backend> backend) {
    if (backend == nullptr) return detail::finish(kvc_config_set_backend(handle_, nullptr), source());
    const kvc_backend_t table = detail::BackendTable::make(backend.get());
    keep_.push_back(std::move(backend));
    return detail::finish(kvc_config_set_backend(handle_, &table), source());
  }
  Return<void> set_allocator(const kvc_allocator_t* allocator) {
    return detail::finish(kvc_config_set_allocator(handle_, allocator), source());
  }
  // `log` is called from any thread that uses the engine.
  Return<void> set_logger(int32_t level, std::function<void(int32_t level, std::string_view message)> log) {
    using Function = std::function<void(int32_t, std::string_view)>;
    auto shared = std::make_shared<Function>(std::move(log));
    kvc_logger_t table{};
    table.struct_size = sizeof table;
    table.user_data = shared.get();
    table.level = level;
    table.log = [](void* user, int32_t l, const char* message) {
      (void)detail::guarded([&] {
        (*static_cast<Function*>(user))(l, message);
        return Status();
      });
    };
    keep_.push_back(shared);
    return detail::finish(kvc_config_set_logger(handle_, &table), source());
  }
  // `now_ns` must not throw and must never go backwards.
  Return<void> set_clock(std::function<uint64_t()> now_ns) {
    using Function = std::function<uint64_t()>;
    auto shared = std::make_shared<Function>(std::move(now_ns));
    kvc_clock_t table{};
    table.struct_size = sizeof table;
    table.user_data = shared.get();
    table.now_ns = [](void* user) -> uint64_t {
      uint64_t now = 0;
      (void)detail::guarded([&] {
        now = (*static_cast<Function*>(user))();
        return Status();
      });
      return now;
    };
    keep_.push_back(shared);
    return detail::finish(kvc_config_set_clock(handle_, &table), source());
  }

  // The table is kvc_policy_t as it is: it is called for every page, with a lock held.
  Return<void> set_policy(const kvc_policy_t* policy) {
    return detail::finish(kvc_config_set_policy(handle_, policy), source());
  }

  // The table is kvc_codec_t as it is: its functions are called from any thread.
  Return<void> set_codec(const kvc_codec_t* codec) {
    return detail::finish(kvc_config_set_codec(handle_, codec), source());
  }

  kvc_config_t* handle() const noexcept { return handle_; }

 private:
  friend class Engine;
  Config(std::nullptr_t, int) noexcept {}
  detail::Source source() const { return detail::Source(handle_); }

  kvc_config_t* handle_ = nullptr;
  std::vector<std::shared_ptr<void>> keep_;
};

// What the module of model files works with on this machine, as JSON. config nullptr: the defaults.
inline Return<std::string> module_info(const Config* config = nullptr) {
  std::string text;
  const kvc_status_t status = detail::read_text(&text, [&](char* b, size_t c, size_t* l) {
    return kvc_module_info(config == nullptr ? nullptr : config->handle(), b, c, l);
  });
  return detail::finish(status, {}, std::move(text));
}

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

// A request that owns what it names; every setter returns the request. Copies are independent.
class Request {
 public:
  Request() { (void)kvc_request_init(&c_, sizeof c_); }
  explicit Request(std::string prompt) : Request() { this->prompt(std::move(prompt)); }
  explicit Request(std::vector<int32_t> tokens) : Request() { this->tokens(std::move(tokens)); }

  Request& prompt(std::string text) {
    prompt_ = std::move(text);
    tokens_.reset();
    return *this;
  }
  Request& tokens(std::vector<int32_t> tokens) {
    tokens_ = std::move(tokens);
    prompt_.reset();
    return *this;
  }
  Request& tokens(const int32_t* tokens, size_t n) { return this->tokens(std::vector<int32_t>(tokens, tokens + n)); }
  Request& action(int32_t action) { return c_.action = action, *this; }
  Request& priority(int32_t priority) { return c_.priority = priority, *this; }
  Request& max_tokens(uint32_t n) { return c_.max_tokens = n, *this; }
  Request& temperature(double t) { return c_.temperature = t, *this; }
  Request& top_k(uint32_t k) { return c_.top_k = k, *this; }
  Request& top_p(double p) { return c_.top_p = p, *this; }
  Request& seed(uint64_t seed) { return c_.seed = seed, *this; }
  Request& stop(std::string text) { return stop_.push_back(std::move(text)), *this; }
  Request& no_cache(bool yes = true) { return c_.no_cache = yes ? 1 : 0, *this; }
  Request& session_id(std::string id) { return session_id_ = std::move(id), *this; }
  Request& tenant(std::string tenant) { return tenant_ = std::move(tenant), *this; }
  Request& deadline_ns(uint64_t ns) { return c_.deadline_ns = ns, *this; }
  // Called with each new piece of the answer; false cancels the request.
  Request& on_text(std::function<bool(std::string_view)> function) { return on_text_ = std::move(function), *this; }

 private:
  friend class Engine;
  // The C form; points into this object and `stops`, and to `callback`.
  kvc_request_t c_request(std::vector<const char*>* stops, detail::TextCallback* callback) const {
    kvc_request_t c = c_;
    if (prompt_) {
      c.prompt = prompt_->c_str();
      c.prompt_size = prompt_->size();
    }
    static const int32_t kNoToken = 0;
    if (tokens_) {
      c.tokens = tokens_->empty() ? &kNoToken : tokens_->data();
      c.n_tokens = tokens_->size();
    }
    for (const std::string& text : stop_) stops->push_back(text.c_str());
    c.stop = stops->empty() ? nullptr : stops->data();
    c.n_stop = static_cast<uint32_t>(stops->size());
    if (session_id_) c.session_id = session_id_->c_str();
    if (tenant_) c.tenant = tenant_->c_str();
    if (callback != nullptr) {
      c.on_text = detail::TextCallback::call;
      c.user_data = callback;
    }
    return c;
  }
  std::shared_ptr<detail::TextCallback> callback() const {
    if (!on_text_) return nullptr;
    auto callback = std::make_shared<detail::TextCallback>();
    callback->function = on_text_;
    return callback;
  }

  kvc_request_t c_{};
  std::optional<std::string> prompt_, session_id_, tenant_;
  std::optional<std::vector<int32_t>> tokens_;
  std::vector<std::string> stop_;
  std::function<bool(std::string_view)> on_text_;
};

// An answer. Empty (false) if it was moved from, its request was refused, or wait_for came too early.
class Response {
 public:
  Response() = default;
  explicit Response(kvc_response_t* owned) noexcept : c_(owned) {}
  Response(Response&& other) noexcept : c_(std::exchange(other.c_, nullptr)) {}
  Response& operator=(Response&& other) noexcept {
    kvc_response_t* mine = std::exchange(c_, std::exchange(other.c_, nullptr));
    kvc_response_free(mine);
    return *this;
  }
  ~Response() { kvc_response_free(c_); }

  explicit operator bool() const noexcept { return c_ != nullptr; }
  kvc_status_t status() const noexcept { return c().status; }
  int32_t finish_reason() const noexcept { return c().finish_reason; }
  std::string_view text() const noexcept {
    return c().text == nullptr ? "" : std::string_view(c().text, c().text_size);
  }
  const int32_t* tokens() const noexcept { return c().tokens; }
  size_t n_tokens() const noexcept { return c().n_tokens; }
  std::vector<int32_t> token_vector() const { return std::vector<int32_t>(tokens(), tokens() + n_tokens()); }
  bool cache_hit() const noexcept { return c().cache_hit != 0; }
  uint32_t prompt_tokens() const noexcept { return c().prompt_tokens; }
  uint32_t cached_tokens() const noexcept { return c().cached_tokens; }
  uint32_t computed_tokens() const noexcept { return c().computed_tokens; }
  uint64_t total_ns() const noexcept { return c().total_ns; }
  uint64_t ttft_ns() const noexcept { return c().ttft_ns; }
  uint64_t saved_ns() const noexcept { return c().saved_ns; }
  int32_t miss_reason() const noexcept { return c().miss_reason; }
  std::string_view miss_text() const noexcept { return c().miss_text == nullptr ? "" : c().miss_text; }
  std::string_view error() const noexcept { return c().error == nullptr ? "" : c().error; }
  // All fields; zeros if empty.
  const kvc_response_t& c() const noexcept {
    static const kvc_response_t kNone{};
    return c_ == nullptr ? kNone : *c_;
  }

 private:
  kvc_response_t* c_ = nullptr;
};

#ifndef KVC_NO_EXCEPTIONS
// A request that failed midway: what it had generated is in response(). response() is empty if it was refused.
class RequestError : public Error {
 public:
  RequestError(const Status& status, Response response)
      : Error(status), response_(std::make_shared<const Response>(std::move(response))) {}
  const Response& response() const noexcept { return *response_; }

 private:
  std::shared_ptr<const Response> response_;
};
#endif

namespace detail {

inline Return<Response> finish_request(kvc_status_t status, const Source& source, kvc_response_t* c) {
  Response response(c);
  if (status >= 0) return response;
  Status why =
      response && !response.error().empty() ? Status(status, std::string(response.error())) : source.status(status);
#ifndef KVC_NO_EXCEPTIONS
  throw RequestError(why, std::move(response));
#else
  if (!response) return Result<Response>(std::move(why));
  return Result<Response>(std::move(why), std::move(response));
#endif
}

}  // namespace detail

// A submitted request. Its going cancels the request if that still runs.
class Ticket {
 public:
  Ticket() = default;
  Ticket(Ticket&& other) noexcept
      : state_(std::move(other.state_)), callback_(std::move(other.callback_)), id_(std::exchange(other.id_, 0)) {}
  Ticket& operator=(Ticket&& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(callback_, other.callback_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~Ticket() { drop(); }

  kvc_ticket_t id() const noexcept { return id_; }

  // The answer, when it is complete. Ends the ticket.
  Return<Response> wait() {
    kvc_response_t* response = nullptr;
    const kvc_status_t status = kvc_wait(engine(), id_, kForever, &response);
    return finish(status, response);
  }
  // The same; an empty response if it is not complete within timeout_ns.
  Return<Response> wait_for(uint64_t timeout_ns) {
    kvc_response_t* response = nullptr;
    const kvc_status_t status = kvc_wait(engine(), id_, timeout_ns, &response);
    if (status == KVC_PENDING) return Response();
    return finish(status, response);
  }
  // The next piece of the text; empty: none came in time (`*end` false), or the text is complete (`*end` true).
  Return<std::string> next(uint64_t timeout_ns, bool* end) {
    std::string piece(512, '\0');
    size_t size = 0;
    const kvc_status_t status = kvc_next(engine(), id_, timeout_ns, &piece[0], piece.size(), &size);
    *end = status == KVC_END;
    piece.resize(status == KVC_OK ? size : 0);
    return detail::finish(status, source(), std::move(piece));
  }
  Return<void> cancel() { return detail::finish(kvc_cancel(engine(), id_), source()); }

  // `for (const std::string& piece : ticket.stream())`. Ends with the text; without exceptions it also ends at a
  // failure, which wait() then tells.
  class Stream {
   public:
    class Iterator {
     public:
      using iterator_category = std::input_iterator_tag;
      using value_type = std::string;
      using difference_type = std::ptrdiff_t;
      using pointer = const std::string*;
      using reference = const std::string&;

      Iterator() = default;
      explicit Iterator(Ticket* ticket) : ticket_(ticket) { ++*this; }
      const std::string& operator*() const noexcept { return piece_; }
      const std::string* operator->() const noexcept { return &piece_; }
      Iterator& operator++() {
        bool end = false;
#ifndef KVC_NO_EXCEPTIONS
        piece_ = ticket_->next(kForever, &end);
#else
        Result<std::string> piece = ticket_->next(kForever, &end);
        if (piece.ok())
          piece_ = std::move(piece).value();
        else
          end = true;
#endif
        if (end) ticket_ = nullptr;
        return *this;
      }
      void operator++(int) { ++*this; }
      bool operator==(const Iterator& other) const noexcept { return ticket_ == other.ticket_; }
      bool operator!=(const Iterator& other) const noexcept { return ticket_ != other.ticket_; }

     private:
      Ticket* ticket_ = nullptr;
      std::string piece_;
    };
    explicit Stream(Ticket* ticket) : ticket_(ticket) {}
    Iterator begin() const { return Iterator(ticket_); }
    Iterator end() const { return Iterator(); }

   private:
    Ticket* ticket_;
  };
  Stream stream() { return Stream(this); }

 private:
  friend class Engine;
  Ticket(std::shared_ptr<detail::EngineState> state, std::shared_ptr<detail::TextCallback> callback, kvc_ticket_t id)
      : state_(std::move(state)), callback_(std::move(callback)), id_(id) {}
  kvc_engine_t* engine() const noexcept { return state_ == nullptr ? nullptr : state_->handle; }
  detail::Source source() const { return detail::Source(engine()); }
  Return<Response> finish(kvc_status_t status, kvc_response_t* c) {
    if (c != nullptr) {
      id_ = 0;  // the response is out: nothing runs any more
      if (callback_ != nullptr) {
        const std::shared_ptr<detail::TextCallback> callback = std::move(callback_);
#ifndef KVC_NO_EXCEPTIONS
        if (callback->exception) {
          kvc_response_free(c);
          callback->rethrow();
        }
#endif
      }
    }
    return detail::finish_request(status, source(), c);
  }
  void drop() noexcept {
    if (state_ == nullptr || id_ == 0) return;
    (void)kvc_ticket_free(state_->handle, id_);
    // A step may be inside the callback at this moment.
    if (callback_ != nullptr) state_->retire(std::move(callback_));
  }

  std::shared_ptr<detail::EngineState> state_;
  std::shared_ptr<detail::TextCallback> callback_;
  kvc_ticket_t id_ = 0;
};

// Answers of a batch; responses[i] is empty if request i was refused. status is the first failure.
struct Batch {
  Status status;
  std::vector<Response> responses;
};

// ---------------------------------------------------------------------------------------------------------------------
// Sessions and spaces
// ---------------------------------------------------------------------------------------------------------------------

// Why a match found no more.
struct Miss {
  int32_t reason = KVC_MISS_NONE;
  std::string text;
};

// How Session::attend attends: kvc_attend_t with its defaults, causal and nothing else.
struct Attend : kvc_attend_t {
  Attend() : kvc_attend_t{} { (void)kvc_attend_init(this, sizeof(kvc_attend_t)); }
};

// A session that somebody else owns: what a Backend finds in kvc_forward_t.session.
class SessionView {
 public:
  SessionView() = default;
  explicit SessionView(kvc_session_t* session) noexcept : handle_(session) {}

  // Length of the session afterwards: the tokens that need not be computed.
  Return<size_t> match(const int32_t* tokens, size_t n) {
    size_t reused = 0;
    const kvc_status_t status = kvc_session_match(handle_, tokens, n, &reused);
    return detail::finish(status, source(), reused);
  }
  Return<size_t> match(const std::vector<int32_t>& tokens) { return match(data(tokens), tokens.size()); }
  Return<Miss> miss() const {
    Miss miss;
    const kvc_status_t status = detail::read_text(
        &miss.text, [&](char* b, size_t c, size_t* l) { return kvc_session_miss(handle_, &miss.reason, b, c, l); });
    return detail::finish(status, source(), std::move(miss));
  }
  Return<void> append(uint32_t layer, const Tensor& k, const Tensor& v, size_t n) {
    return detail::finish(kvc_session_append(handle_, layer, &k, &v, n), source());
  }
  Return<void> append_all(const std::vector<Tensor>& k, const std::vector<Tensor>& v, size_t n) {
    if (k.size() != v.size()) return detail::fail<void>(Status(KVC_E_SHAPE, uneven(k.size(), v.size())));
    return detail::finish(kvc_session_append_all(handle_, k.data(), v.data(), static_cast<uint32_t>(k.size()), n),
                          source());
  }
  Return<void> commit(const int32_t* tokens, size_t n) {
    return detail::finish(kvc_session_commit(handle_, tokens, n), source());
  }
  Return<void> commit(const std::vector<int32_t>& tokens) { return commit(data(tokens), tokens.size()); }
  Return<void> read(uint32_t layer, int32_t plane, size_t from, size_t n, const Tensor& out) const {
    return detail::finish(kvc_session_read(handle_, layer, plane, from, n, &out), source());
  }
  // Either vector may be empty: that plane is not wanted.
  Return<void> read_all(size_t from, size_t n, const std::vector<Tensor>& k, const std::vector<Tensor>& v) const {
    if (!k.empty() && !v.empty() && k.size() != v.size())
      return detail::fail<void>(Status(KVC_E_SHAPE, uneven(k.size(), v.size())));
    const size_t layers = k.empty() ? v.size() : k.size();
    return detail::finish(kvc_session_read_all(handle_, from, n, k.empty() ? nullptr : k.data(),
                                               v.empty() ? nullptr : v.data(), static_cast<uint32_t>(layers)),
                          source());
  }
  // Attention of queries [n][heads][k_head_dim] over all that the layer has, into out [n][heads][v_head_dim].
  Return<void> attend(uint32_t layer, const Tensor& query, const Tensor& out, const Attend& how = {}) const {
    return detail::finish(kvc_session_attend(handle_, layer, &how, &query, &out), source());
  }

  Return<void> truncate(size_t n) { return detail::finish(kvc_session_truncate(handle_, n), source()); }
  Return<void> pin(bool pinned = true) { return detail::finish(kvc_session_pin(handle_, pinned ? 1 : 0), source()); }
  Return<void> set_priority(int32_t priority) {
    return detail::finish(kvc_session_set_priority(handle_, priority), source());
  }
  Return<void> hint(int32_t hint) { return detail::finish(kvc_session_hint(handle_, hint), source()); }
  Return<void> expect(uint64_t in_ns) { return detail::finish(kvc_session_expect(handle_, in_ns), source()); }
  Return<void> generated(uint64_t tokens) { return detail::finish(kvc_session_generated(handle_, tokens), source()); }
  Return<kvc_session_info_t> info() const {
    kvc_session_info_t info{};
    info.struct_size = sizeof info;
    const kvc_status_t status = kvc_session_info(handle_, &info);
    return detail::finish(status, source(), info);
  }
  Return<std::vector<int32_t>> tokens(size_t from, size_t n) const {
    kvc_session_info_t info{};
    info.struct_size = sizeof info;
    kvc_status_t status = kvc_session_info(handle_, &info);
    std::vector<int32_t> out;
    if (status == KVC_OK) {
      // A range beyond the end is refused by kvc, in its words; nothing is allocated for it.
      if (from <= info.length && n <= info.length - from) out.resize(n);
      int32_t none = 0;
      status = kvc_session_tokens(handle_, from, n, out.empty() ? &none : out.data());
    }
    return detail::finish(status, source(), std::move(out));
  }
#if defined(__cpp_lib_span)
  Return<size_t> match(std::span<const int32_t> tokens) { return match(tokens.data(), tokens.size()); }
  Return<void> commit(std::span<const int32_t> tokens) { return commit(tokens.data(), tokens.size()); }
#endif
  Return<size_t> match(std::initializer_list<int32_t> tokens) { return match(std::vector<int32_t>(tokens)); }
  Return<void> commit(std::initializer_list<int32_t> tokens) { return commit(std::vector<int32_t>(tokens)); }

  kvc_session_t* handle() const noexcept { return handle_; }

 protected:
  static const int32_t* data(const std::vector<int32_t>& tokens) {
    static const int32_t kNoToken = 0;
    return tokens.empty() ? &kNoToken : tokens.data();
  }
  static std::string uneven(size_t k, size_t v) {
    return std::to_string(k) + " K tensors but " + std::to_string(v) + " V tensors; give one of each for every layer";
  }
  detail::Source source() const { return detail::Source(handle_); }

  kvc_session_t* handle_ = nullptr;
};

struct SessionOptions {
  std::string tenant;      // empty: the default one
  std::string session_id;  // empty: none
  int32_t priority = KVC_PRIORITY_NORMAL;
  bool publish = true;  // false: pages stay private to the session and its forks
  bool exact = false;   // true: no approximate pages, whatever the codec
  bool no_aged = false;  // true: no pages that were encoded again at rest
};

// A session of one's own; its going closes it with KVC_CLOSE_KEEP.
class Session : public SessionView {
 public:
  Session() = default;
  explicit Session(kvc_session_t* owned) noexcept : SessionView(owned) {}
  Session(Session&& other) noexcept : SessionView(std::exchange(other.handle_, nullptr)) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Session() {
    if (handle_ != nullptr) (void)kvc_session_close(handle_, KVC_CLOSE_KEEP, 0);
  }

  Return<Session> fork() {
    kvc_session_t* fork = nullptr;
    const kvc_status_t status = kvc_session_fork(handle_, &fork);
    return detail::finish(status, source(), Session(status == KVC_OK ? fork : nullptr));
  }
  // Closes with a hint: KVC_CLOSE_*. On failure the session stays open.
  Return<void> close(int32_t hint = KVC_CLOSE_KEEP, uint64_t until_ns = 0) {
    const kvc_status_t status = kvc_session_close(handle_, hint, until_ns);
    if (status == KVC_OK) handle_ = nullptr;
    return detail::finish(status, source());
  }
};

// The identity of a model's K/V; owns what it names. Whatever is neither given nor said to be absent is an error of
// open.
class SpaceDesc {
 public:
  SpaceDesc() { (void)kvc_space_desc_init(&c_, sizeof c_); }

  SpaceDesc& label(std::string text) { return label_ = std::move(text), *this; }
  // Digests are bytes: 1..64 of them.
  SpaceDesc& weights(std::string_view digest) { return weights_ = digest, *this; }
  SpaceDesc& tokenizer(std::string_view digest) { return tokenizer_ = digest, *this; }
  SpaceDesc& no_tokenizer() { return c_.none |= KVC_NONE_TOKENIZER, *this; }
  // rope.scaling is copied; rope.struct_size is set here.
  SpaceDesc& rope(kvc_rope_t rope) {
    rope.struct_size = sizeof rope;
    scaling_ = rope.scaling == nullptr ? "none" : rope.scaling;
    rope_ = rope;
    return *this;
  }
  // The common form: theta, all or some dimensions of a head, keys rotated already.
  SpaceDesc& rope(double base, uint32_t dims, bool interleaved = false) {
    kvc_rope_t rope{};
    rope.base = base;
    rope.freq_scale = 1;
    rope.dims = dims;
    rope.interleaved = interleaved ? 1 : 0;
    rope.applied = 1;
    return this->rope(rope);
  }
  SpaceDesc& no_rope() { return c_.none |= KVC_NONE_ROPE, *this; }
  SpaceDesc& adapter(std::string_view digest, double scale) {
    adapters_.emplace_back(std::string(digest), scale);
    return *this;
  }
  SpaceDesc& no_adapters() { return c_.none |= KVC_NONE_ADAPTERS, *this; }
  SpaceDesc& attention(std::string text) { return attention_ = std::move(text), *this; }
  SpaceDesc& no_attention() { return c_.none |= KVC_NONE_ATTENTION, *this; }
  SpaceDesc& layers(uint32_t n) { return c_.n_layers = n, *this; }
  SpaceDesc& kv_heads(uint32_t n) { return c_.n_kv_heads = n, *this; }
  SpaceDesc& head_dim(uint32_t k, uint32_t v = 0) { return c_.k_head_dim = k, c_.v_head_dim = v, *this; }
  SpaceDesc& dtype(int32_t dtype) { return c_.dtype = dtype, *this; }
  SpaceDesc& page_tokens(uint32_t n) { return c_.page_tokens = n, *this; }
  SpaceDesc& vocab_size(int32_t n) { return c_.vocab_size = n, *this; }

  // The C form; valid until this object changes or goes. For Backend::describe keep the SpaceDesc as a member.
  const kvc_space_desc_t& c_desc() {
    kvc_space_desc_t& c = c_;
    c.label = label_ ? label_->c_str() : nullptr;
    c.weights_digest = weights_.empty() ? nullptr : weights_.data();
    c.weights_digest_size = weights_.size();
    c.tokenizer_digest = tokenizer_.empty() ? nullptr : tokenizer_.data();
    c.tokenizer_digest_size = tokenizer_.size();
    if (rope_) {
      rope_->scaling = scaling_.c_str();
      c.rope = &*rope_;
    }
    c_adapters_.clear();
    for (const auto& [digest, scale] : adapters_) {
      kvc_adapter_t adapter{};
      adapter.struct_size = sizeof adapter;
      adapter.digest = digest.data();
      adapter.digest_size = digest.size();
      adapter.scale = scale;
      c_adapters_.push_back(adapter);
    }
    c.adapters = c_adapters_.empty() ? nullptr : c_adapters_.data();
    c.n_adapters = static_cast<uint32_t>(c_adapters_.size());
    c.attention = attention_ ? attention_->c_str() : nullptr;
    return c;
  }

 private:
  kvc_space_desc_t c_{};
  std::optional<std::string> label_, attention_;
  std::string weights_, tokenizer_, scaling_;
  std::optional<kvc_rope_t> rope_;
  std::vector<std::pair<std::string, double>> adapters_;
  std::vector<kvc_adapter_t> c_adapters_;
};

class Space {
 public:
  Space() = default;
  Space(kvc_space_t* owned, kvc_engine_t* engine) noexcept : handle_(owned), engine_(engine) {}
  Space(Space&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), engine_(std::exchange(other.engine_, nullptr)) {}
  Space& operator=(Space&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(engine_, other.engine_);
    return *this;
  }
  ~Space() { kvc_space_close(handle_); }

  Return<Session> open_session(const SessionOptions& options = {}) {
    kvc_session_options_t c{};
    c.struct_size = sizeof c;
    c.tenant = options.tenant.empty() ? nullptr : options.tenant.c_str();
    c.session_id = options.session_id.empty() ? nullptr : options.session_id.c_str();
    c.priority = options.priority;
    c.no_publish = options.publish ? 0 : 1;
    c.exact = options.exact ? 1 : 0;
    c.no_aged = options.no_aged ? 1 : 0;
    kvc_session_t* session = nullptr;
    const kvc_status_t status = kvc_session_open(handle_, &c, &session);
    return detail::finish(status, source(), Session(status == KVC_OK ? session : nullptr));
  }
  Return<kvc_space_info_t> info() const {
    kvc_space_info_t info{};
    info.struct_size = sizeof info;
    const kvc_status_t status = kvc_space_info(handle_, &info);
    return detail::finish(status, source(), info);
  }
  // In what two spaces differ; empty: in nothing.
  Return<std::string> diff(const Space& other) const {
    std::string text;
    const kvc_status_t status = detail::read_text(
        &text, [&](char* b, size_t c, size_t* l) { return kvc_space_diff(handle_, other.handle_, b, c, l); });
    return detail::finish(status, source(), std::move(text));
  }
  // Identities of the whole pages of tokens, each 32 bytes.
  Return<std::vector<std::string>> page_ids(const int32_t* tokens, size_t n_tokens,
                                            const char* tenant = nullptr) const {
    size_t n = 0;
    kvc_status_t status = kvc_space_page_ids(handle_, tenant, tokens, n_tokens, nullptr, 0, &n);
    std::vector<uint8_t> raw;
    if (status == KVC_E_BUFFER) {
      raw.resize(n * 32);
      status = kvc_space_page_ids(handle_, tenant, tokens, n_tokens, raw.data(), n, &n);
    }
    std::vector<std::string> ids;
    for (size_t i = 0; status == KVC_OK && i < raw.size() / 32; ++i)
      ids.emplace_back(reinterpret_cast<const char*>(raw.data()) + 32 * i, 32);
    return detail::finish(status, source(), std::move(ids));
  }
  Return<std::vector<std::string>> page_ids(const std::vector<int32_t>& tokens, const char* tenant = nullptr) const {
    static const int32_t kNoToken = 0;
    return page_ids(tokens.empty() ? &kNoToken : tokens.data(), tokens.size(), tenant);
  }
  // Writes the stored prefix of tokens into a pack; the number of tokens written.
  Return<size_t> write_pack(const std::vector<int32_t>& tokens, const std::string& path,
                            const char* tenant = nullptr) const {
    size_t n = 0;
    const kvc_status_t status = kvc_pack_write(handle_, tenant, tokens.data(), tokens.size(), path.c_str(), &n);
    return detail::finish(status, source(), n);
  }
  kvc_space_t* handle() const noexcept { return handle_; }

 private:
  detail::Source source() const { return detail::Source(engine_); }

  kvc_space_t* handle_ = nullptr;
  kvc_engine_t* engine_ = nullptr;  // only where the words of failures are
};

// ---------------------------------------------------------------------------------------------------------------------
// Pages
// ---------------------------------------------------------------------------------------------------------------------

// A walk over the pages held at the time of Engine::pages, parents before children:
//     for (const kvc_page_info_t& page : engine.pages()) ...
class PageIterator {
 public:
  PageIterator() = default;
  explicit PageIterator(kvc_page_iter_t* owned) noexcept : handle_(owned) {}
  PageIterator(PageIterator&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  PageIterator& operator=(PageIterator&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~PageIterator() { kvc_page_iter_close(handle_); }

  // False at the end.
  Return<bool> next(kvc_page_info_t* info) {
    *info = kvc_page_info_t{};
    info->struct_size = sizeof *info;
    const kvc_status_t status = kvc_page_iter_next(handle_, info);
    return detail::finish(status, {}, status == KVC_OK);
  }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = kvc_page_info_t;
    using difference_type = std::ptrdiff_t;
    using pointer = const kvc_page_info_t*;
    using reference = const kvc_page_info_t&;

    Iterator() = default;
    explicit Iterator(PageIterator* pages) : pages_(pages) { ++*this; }
    const kvc_page_info_t& operator*() const noexcept { return info_; }
    const kvc_page_info_t* operator->() const noexcept { return &info_; }
    Iterator& operator++() {
#ifndef KVC_NO_EXCEPTIONS
      if (!pages_->next(&info_)) pages_ = nullptr;
#else
      Result<bool> more = pages_->next(&info_);
      if (!more.ok() || !more.value()) pages_ = nullptr;
#endif
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const noexcept { return pages_ == other.pages_; }
    bool operator!=(const Iterator& other) const noexcept { return pages_ != other.pages_; }

   private:
    PageIterator* pages_ = nullptr;
    kvc_page_info_t info_{};
  };
  Iterator begin() { return Iterator(this); }
  Iterator end() { return Iterator(); }

 private:
  kvc_page_iter_t* handle_ = nullptr;
};

// ---------------------------------------------------------------------------------------------------------------------
// Engine
// ---------------------------------------------------------------------------------------------------------------------

using Stats = kvc_stats_t;

class Engine {
 public:
#ifndef KVC_NO_EXCEPTIONS
  // All defaults: the preset "seamless" and the built-in model.
  Engine() : Engine(make(nullptr)) {}
  explicit Engine(const Config& config) : Engine(make(&config)) {}
#endif
  static Return<Engine> create() { return make(nullptr); }
  static Return<Engine> create(const Config& config) { return make(&config); }
  Engine(Engine&& other) noexcept = default;
  Engine& operator=(Engine&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Engine() {
    if (state_ != nullptr) kvc_engine_destroy(state_->handle);
  }

  Return<std::string> info() const {
    std::string text;
    const kvc_status_t status =
        detail::read_text(&text, [&](char* b, size_t c, size_t* l) { return kvc_engine_info(handle(), b, c, l); });
    return detail::finish(status, source(), std::move(text));
  }
  Return<Stats> stats() const {
    Stats stats{};
    stats.struct_size = sizeof stats;
    const kvc_status_t status = kvc_stats(handle(), &stats);
    return detail::finish(status, source(), stats);
  }

  // What another budget (0: this one's) and policy ("": this one's) would have hit.
  Return<kvc_whatif_t> whatif(uint64_t budget = 0, const std::string& policy = {}) const {
    kvc_whatif_t result{};
    result.struct_size = sizeof result;
    const kvc_status_t status = kvc_whatif(handle(), budget, policy.c_str(), &result);
    return detail::finish(status, source(), result);
  }
  // KVC_OBJECTIVE_*; tokens per second of prefill, where known.
  Return<void> adapt(int32_t objective, double prefill_speed = 0, double balanced_position = 0) {
    const kvc_metrics_t metrics{sizeof(kvc_metrics_t), objective, 0, prefill_speed, balanced_position};
    return detail::finish(kvc_adapt(handle(), &metrics), source());
  }
  Return<void> trace_start(const std::string& path) {
    return detail::finish(kvc_trace_start(handle(), path.c_str()), source());
  }
  // Sessions written.
  Return<uint64_t> trace_stop() {
    uint64_t sessions = 0;
    const kvc_status_t status = kvc_trace_stop(handle(), &sessions);
    return detail::finish(status, source(), sessions);
  }

  // Prompt in, answer out. With exceptions a failure throws RequestError, which has what was generated until then.
  Return<Response> process(const Request& request) {
    std::vector<const char*> stops;
    const std::shared_ptr<detail::TextCallback> callback = request.callback();
    const kvc_request_t c = request.c_request(&stops, callback.get());
    kvc_response_t* response = nullptr;
    const kvc_status_t status = kvc_process(handle(), &c, &response);
#ifndef KVC_NO_EXCEPTIONS
    if (callback != nullptr && callback->exception) {
      kvc_response_free(response);
      callback->rethrow();
    }
#endif
    return detail::finish_request(status, source(), response);
  }
  Return<Response> process(std::string prompt) { return process(Request(std::move(prompt))); }
  // All together. Failures of single requests are in Batch.status and in each response.
  Batch process_batch(const std::vector<Request>& requests) {
    std::vector<std::vector<const char*>> stops(requests.size());
    std::vector<std::shared_ptr<detail::TextCallback>> callbacks;
    std::vector<kvc_request_t> c;
    for (size_t i = 0; i < requests.size(); ++i) {
      callbacks.push_back(requests[i].callback());
      c.push_back(requests[i].c_request(&stops[i], callbacks[i].get()));
    }
    std::vector<kvc_response_t*> responses(requests.size(), nullptr);
    Batch batch;
    const kvc_status_t status = kvc_process_batch(handle(), c.data(), c.size(), responses.data());
    for (kvc_response_t* response : responses) batch.responses.emplace_back(response);
    if (status < 0) batch.status = source().status(status);
    return batch;
  }
  Return<Ticket> submit(const Request& request) {
    std::vector<const char*> stops;
    std::shared_ptr<detail::TextCallback> callback = request.callback();
    const kvc_request_t c = request.c_request(&stops, callback.get());
    kvc_ticket_t id = 0;
    const kvc_status_t status = kvc_submit(handle(), &c, &id);
    return detail::finish(status, source(), status == KVC_OK ? Ticket(state_, std::move(callback), id) : Ticket());
  }
  // Tickets that completed since the last call.
  Return<std::vector<kvc_ticket_t>> poll(size_t capacity = 64) {
    std::vector<kvc_ticket_t> tickets(capacity);
    size_t n = 0;
    const kvc_status_t status = kvc_poll(handle(), tickets.data(), capacity, &n);
    tickets.resize(status == KVC_OK ? n : 0);
    return detail::finish(status, source(), std::move(tickets));
  }
  // Option threads=0: one step on this thread. True if there is more to do.
  Return<bool> step() {
    int32_t busy = 0;
    const kvc_status_t status = kvc_step(handle(), &busy);
    return detail::finish(status, source(), busy != 0);
  }
  // (role, content) pairs as the text of a prompt in the model's own form; answer: it ends where the answer begins.
  Return<std::string> chat_text(const std::vector<std::pair<std::string, std::string>>& messages,
                                bool answer = true) const {
    std::vector<kvc_message_t> c;
    for (const auto& [role, content] : messages) c.push_back({sizeof(kvc_message_t), role.c_str(), content.c_str()});
    const kvc_message_t none{};
    std::string text;
    const kvc_status_t status = detail::read_text(&text, [&](char* b, size_t capacity, size_t* l) {
      return kvc_chat_text(handle(), c.empty() ? &none : c.data(), c.size(), answer ? 1 : 0, b, capacity, l);
    });
    return detail::finish(status, source(), std::move(text));
  }
  Return<std::vector<int32_t>> tokenize(std::string_view text) const {
    size_t n = 0;
    std::vector<int32_t> tokens(text.size() + 8);
    const char* data = text.data() == nullptr ? "" : text.data();
    kvc_status_t status = kvc_tokenize(handle(), data, text.size(), tokens.data(), tokens.size(), &n);
    if (status == KVC_E_BUFFER) {
      tokens.resize(n);
      status = kvc_tokenize(handle(), data, text.size(), tokens.data(), tokens.size(), &n);
    }
    tokens.resize(status == KVC_OK ? n : 0);
    return detail::finish(status, source(), std::move(tokens));
  }
  Return<std::string> detokenize(const int32_t* tokens, size_t n) const {
    std::string text;
    const kvc_status_t status = detail::read_text(
        &text, [&](char* b, size_t c, size_t* l) { return kvc_detokenize(handle(), tokens, n, b, c, l); });
    return detail::finish(status, source(), std::move(text));
  }
  Return<std::string> detokenize(const std::vector<int32_t>& tokens) const {
    static const int32_t kNoToken = 0;
    return detokenize(tokens.empty() ? &kNoToken : tokens.data(), tokens.size());
  }

  Return<Space> open_space(SpaceDesc desc) {
    kvc_space_t* space = nullptr;
    const kvc_status_t status = kvc_space_open(handle(), &desc.c_desc(), &space);
    return detail::finish(status, source(), status == KVC_OK ? Space(space, handle()) : Space());
  }
  // The space of the engine's own model.
  Return<Space> space() {
    kvc_space_t* space = nullptr;
    const kvc_status_t status = kvc_engine_space(handle(), &space);
    return detail::finish(status, source(), status == KVC_OK ? Space(space, handle()) : Space());
  }

  // Plain tensors under a byte key. tenant nullptr: the default one.
  Return<void> put(std::string_view key, const Tensor& tensor, const char* tenant, const kvc_put_options_t* options) {
    return detail::finish(kvc_put_with(handle(), tenant, key.data(), key.size(), &tensor, options), source());
  }
  Return<void> put(std::string_view key, const Tensor& tensor, const char* tenant = nullptr) {
    return detail::finish(kvc_put(handle(), tenant, key.data(), key.size(), &tensor), source());
  }
  // False: not stored.
  Return<bool> tensor_info(std::string_view key, kvc_tensor_info_t* info, const char* tenant = nullptr) const {
    int32_t found = 0;
    const kvc_status_t status = kvc_tensor_info(handle(), tenant, key.data(), key.size(), info, &found);
    return detail::finish(status, source(), found != 0);
  }
  // False: not stored. out->data nullptr: only the shape is wanted; else its shape must be the stored one.
  Return<bool> get(std::string_view key, Tensor* out, const char* tenant = nullptr) const {
    int32_t found = 0;
    const kvc_status_t status = kvc_get(handle(), tenant, key.data(), key.size(), out, &found);
    return detail::finish(status, source(), found != 0);
  }
  Return<bool> contains(std::string_view key, const char* tenant = nullptr) const {
    int32_t found = 0;
    const kvc_status_t status = kvc_contains(handle(), tenant, key.data(), key.size(), &found);
    return detail::finish(status, source(), found != 0);
  }
  Return<bool> remove(std::string_view key, const char* tenant = nullptr) {
    int32_t removed = 0;
    const kvc_status_t status = kvc_remove(handle(), tenant, key.data(), key.size(), &removed);
    return detail::finish(status, source(), removed != 0);
  }

  // tenant nullptr: all tenants.
  Return<PageIterator> pages(const char* tenant = nullptr) const {
    kvc_page_iter_t* iter = nullptr;
    const kvc_status_t status = kvc_page_iter_open(handle(), tenant, &iter);
    return detail::finish(status, source(), PageIterator(status == KVC_OK ? iter : nullptr));
  }
  // id: the 32 bytes of a page's identity.
  Return<kvc_page_info_t> page_info(const uint8_t* id) const {
    kvc_page_info_t info{};
    info.struct_size = sizeof info;
    const kvc_status_t status = kvc_page_info(handle(), id, &info);
    return detail::finish(status, source(), info);
  }
  Return<std::vector<int32_t>> page_tokens(const uint8_t* id) const {
    size_t n = 0;
    std::vector<int32_t> tokens(64);
    kvc_status_t status = kvc_page_tokens(handle(), id, tokens.data(), tokens.size(), &n);
    if (status == KVC_E_BUFFER) {
      tokens.resize(n);
      status = kvc_page_tokens(handle(), id, tokens.data(), tokens.size(), &n);
    }
    tokens.resize(status == KVC_OK ? n : 0);
    return detail::finish(status, source(), std::move(tokens));
  }
  // Evicts until at most `bytes` are used; the bytes given back.
  Return<uint64_t> trim(uint64_t bytes) {
    uint64_t freed = 0;
    const kvc_status_t status = kvc_trim(handle(), bytes, &freed);
    return detail::finish(status, source(), freed);
  }

  // Pages on disk (option disk_path). persist: false if it goes on in the background after timeout_ns.
  Return<bool> persist(uint64_t timeout_ns = UINT64_MAX) {
    const kvc_status_t status = kvc_persist(handle(), timeout_ns);
    return detail::finish(status == KVC_PENDING ? KVC_OK : status, source(), status == KVC_OK);
  }
  // The others give the number of records written, found or removed. tenant nullptr: all of them.
  Return<uint64_t> persist_to(const std::string& path, const char* tenant = nullptr) {
    uint64_t n = 0;
    const kvc_status_t status = kvc_persist_to(handle(), tenant, path.c_str(), &n);
    return detail::finish(status, source(), n);
  }
  Return<uint64_t> load(const std::string& path) {
    uint64_t n = 0;
    const kvc_status_t status = kvc_load(handle(), path.c_str(), &n);
    return detail::finish(status, source(), n);
  }
  Return<uint64_t> open_pack(const std::string& path) {
    uint64_t n = 0;
    const kvc_status_t status = kvc_pack_open(handle(), path.c_str(), &n);
    return detail::finish(status, source(), n);
  }
  Return<uint64_t> purge(const std::string& tenant) {
    uint64_t n = 0;
    const kvc_status_t status = kvc_tenant_purge(handle(), tenant.c_str(), &n);
    return detail::finish(status, source(), n);
  }

  kvc_engine_t* handle() const noexcept { return state_ == nullptr ? nullptr : state_->handle; }

 private:
  explicit Engine(std::shared_ptr<detail::EngineState> state) noexcept : state_(std::move(state)) {}
  static Return<Engine> make(const Config* config) {
    auto state = std::make_shared<detail::EngineState>();
    if (config != nullptr) state->keep = config->keep_;
    kvc_error_t error{};
    error.struct_size = sizeof error;
    const kvc_status_t status =
        kvc_engine_create_with_error(config == nullptr ? nullptr : config->handle(), &state->handle, &error);
    if (status < 0) return detail::fail<Engine>(Status(status, error.message));
    return Engine(std::move(state));
  }
  detail::Source source() const { return detail::Source(handle()); }

  std::shared_ptr<detail::EngineState> state_;
};

}  // inline namespace
}  // namespace kvc

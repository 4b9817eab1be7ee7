// The frame of every entry point: find the object that a handle names, hold it, carry the call out behind the exception
// barrier, let go.
#pragma once

#include <utility>

#include "api/guard.h"
#include "api/handle_table.h"
#include "api/objects.h"
#include "api/text.h"

namespace kvc {

// The calls that this thread is in, innermost first: a callback may call kvc again. Plain pointers, no destructor:
// nothing is left behind when a thread ends.
class CallFrame {
 public:
  explicit CallFrame(const EngineObject* engine) noexcept : engine_(engine), outer_(innermost_) { innermost_ = this; }
  ~CallFrame() { innermost_ = outer_; }
  CallFrame(const CallFrame&) = delete;
  CallFrame& operator=(const CallFrame&) = delete;

  // Whether this thread is inside `depth` or more calls on the engine.
  static bool inside(const EngineObject* engine, int depth = 1) noexcept {
    for (const CallFrame* frame = innermost_; frame != nullptr; frame = frame->outer_) {
      if (frame->engine_ == engine && --depth == 0) return true;
    }
    return false;
  }

 private:
  static thread_local constinit CallFrame* innermost_;
  const EngineObject* const engine_;
  CallFrame* const outer_;
};

// Which engine a call is on, and where the words of its failure are kept.
inline EngineObject* engine_of(ConfigObject&) noexcept { return nullptr; }
inline EngineObject* engine_of(EngineObject& object) noexcept { return &object; }
inline EngineObject* engine_of(EngineChild& object) noexcept { return &object.parent(); }
inline ErrorText& error_of(ConfigObject& object) noexcept { return object.error; }
inline ErrorText& error_of(EngineObject& object) noexcept { return object.error; }
inline ErrorText& error_of(EngineChild& object) noexcept { return object.parent().error; }
inline ErrorText& error_of(SessionObject& object) noexcept { return object.error; }

// A handle's object, held as long as this lives.
template <typename Object>
class Held {
 public:
  template <typename Public>
  explicit Held(Public* handle) noexcept : handle_(handle_of(handle)) {
    HandleObject* object = nullptr;
    status_ = handle == nullptr ? KVC_E_NULL : handles::acquire(handle_, Object::kKind, &object);
    object_ = static_cast<Object*>(object);
  }
  ~Held() {
    if (object_ != nullptr) handles::release(handle_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  kvc_status_t status() const noexcept { return status_; }
  Object* get() const noexcept { return object_; }

 private:
  const Handle handle_;
  kvc_status_t status_;
  Object* object_;
};

// body(Object&) -> Status
template <typename Object, typename Public, typename Body>
kvc_status_t call(Public* handle, Body&& body) noexcept {
  const Held<Object> held(handle);
  if (held.get() == nullptr) return held.status();
  Object& object = *held.get();
  const CallFrame frame(engine_of(object));
  return guarded(&error_of(object), [&] { return std::forward<Body>(body)(object); });
}

template <typename Body>
kvc_status_t on_engine(kvc_engine_t* handle, Body&& body) noexcept {
  return call<EngineObject>(handle, std::forward<Body>(body));
}
template <typename Body>
kvc_status_t on_space(kvc_space_t* handle, Body&& body) noexcept {
  return call<SpaceObject>(handle, std::forward<Body>(body));
}
template <typename Body>
kvc_status_t on_session(kvc_session_t* handle, Body&& body) noexcept {
  return call<SessionObject>(handle, std::forward<Body>(body));
}

// The words of the last failure on a handle; of a handle that names nothing, what its status means.
template <typename Object, typename Public>
size_t last_error(Public* handle, char* buffer, size_t capacity) noexcept {
  const Held<Object> held(handle);
  if (held.get() == nullptr) return write_text(kvc_status_text(held.status()), buffer, capacity);
  return error_of(*held.get()).copy(buffer, capacity);
}

inline Status null_argument(const char* what) { return error(KVC_E_NULL, "%s is NULL", what); }

}  // namespace kvc

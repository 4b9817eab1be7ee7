// What handles name.
//
// An EngineObject owns an engine; spaces, sessions and page walks are its children. Whoever ends the engine first
// closes its handle and waits for the calls that use it, then closes the children and waits until the last of them is
// gone, and only then destroys the engine: so a child's engine is there as long as the child is.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "api/guard.h"
#include "api/handle_table.h"
#include "cache/cache.h"
#include "engine/config.h"
#include "engine/engine.h"

namespace kvc {

class EngineChild;

struct ConfigObject final : HandleObject {
  static constexpr HandleKind kKind = HandleKind::config;
  std::mutex mutex;
  Config config;  // guarded by mutex
  ErrorText error;
};

class EngineObject final : public HandleObject {
 public:
  static constexpr HandleKind kKind = HandleKind::engine;

  std::unique_ptr<Engine> engine;
  // Failures of calls on the engine, its spaces and its page walks.
  ErrorText error;

  // Publishes `child` under `handle` and keeps account of it. KVC_E_CLOSED: the engine is being ended.
  Status adopt(EngineChild* child, HandleKind kind, Handle handle);
  // Closes all children and returns when none is left. The engine's own handle is closed and nobody uses it.
  void close_children() noexcept;

 private:
  friend class EngineChild;
  std::mutex mutex_;
  std::condition_variable changed_;  // children_ became empty
  EngineChild* children_ = nullptr;  // guarded by mutex_
  bool closing_ = false;
};

class EngineChild : public HandleObject {
 public:
  explicit EngineChild(EngineObject* parent) noexcept : parent_(parent) {}
  ~EngineChild() override;
  EngineChild(const EngineChild&) = delete;
  EngineChild& operator=(const EngineChild&) = delete;
  EngineObject& parent() const noexcept { return *parent_; }

 private:
  friend class EngineObject;
  EngineObject* const parent_;
  // Guarded by the parent's mutex_.
  EngineChild* next_ = nullptr;
  EngineChild* previous_ = nullptr;
  Handle handle_ = 0;
  HandleKind handle_kind_ = HandleKind::none;
  bool adopted_ = false;
  bool asked_ = false;  // close_children has closed the handle
};

struct SpaceObject final : EngineChild {
  static constexpr HandleKind kKind = HandleKind::space;
  using EngineChild::EngineChild;
  std::shared_ptr<const Space> space;
};

struct SessionObject final : EngineChild {
  static constexpr HandleKind kKind = HandleKind::session;
  using EngineChild::EngineChild;
  ~SessionObject() override;

  Session* session = nullptr;
  std::unique_ptr<Session> owned;  // empty for a session that is shown to a backend for the time of a call
  ErrorText error;
  // What kvc_session_close said.
  int32_t close_hint = KVC_CLOSE_KEEP;
  uint64_t close_until_ns = 0;
};

struct PageIterObject final : EngineChild {
  static constexpr HandleKind kKind = HandleKind::page_iter;
  using EngineChild::EngineChild;
  std::mutex mutex;
  std::vector<PageInfo> pages;  // immutable
  size_t next = 0;              // guarded by mutex
};

// Makes a child's handle from an object that is complete. The object is destroyed on a failure.
template <typename Object, typename Public>
Status open_child(std::unique_ptr<Object> object, Public** out) {
  const Handle handle = handles::reserve(Object::kKind);
  if (handle == 0) return error(KVC_E_NO_MEMORY, "no memory for a handle, or 2 million are open; close some");
  const Status status = object->parent().adopt(object.get(), Object::kKind, handle);
  if (!status.is_ok()) {
    handles::abandon(handle);
    return status;
  }
  object.release();  // the handle table's, from now on
  *out = pointer_of<Public>(handle);
  return Status::ok();
}

// How a caller's backend sees sessions: handles that are valid during a call. context is the EngineObject.
SessionHandles session_handles(EngineObject* engine) noexcept;
const DeviceHost* device_host() noexcept;  // device.cpp
// The functions that modules may call.
const kvc_module_host_t* module_host() noexcept;

}  // namespace kvc

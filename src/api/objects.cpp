#include "api/objects.h"

#include <new>

namespace kvc {

Status EngineObject::adopt(EngineChild* child, HandleKind kind, Handle handle) {
  const std::lock_guard lock(mutex_);
  if (closing_) return ::kvc::error(KVC_E_CLOSED, "the engine is being destroyed");
  child->handle_ = handle;
  child->handle_kind_ = kind;
  child->adopted_ = true;
  child->next_ = children_;
  if (children_ != nullptr) children_->previous_ = child;
  children_ = child;
  handles::publish(handle, child);
  return Status::ok();
}

void EngineObject::close_children() noexcept {
  std::unique_lock lock(mutex_);
  closing_ = true;
  for (;;) {
    EngineChild* child = children_;
    while (child != nullptr && child->asked_) child = child->next_;
    if (child == nullptr) break;
    child->asked_ = true;
    const Handle handle = child->handle_;
    const HandleKind kind = child->handle_kind_;
    // Closing destroys the child, or leaves that to the calls that use it; either takes this lock.
    lock.unlock();
    handles::close(handle, kind);
    lock.lock();
  }
  changed_.wait(lock, [this] { return children_ == nullptr; });
}

EngineChild::~EngineChild() {
  if (!adopted_) return;
  const std::lock_guard lock(parent_->mutex_);
  if (previous_ != nullptr) previous_->next_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  if (parent_->children_ == this) parent_->children_ = next_;
  // Under the lock: the waiter may destroy the engine as soon as it has it.
  if (parent_->children_ == nullptr) parent_->changed_.notify_all();
}

SessionObject::~SessionObject() {
  if (owned == nullptr) return;
  // Nothing can be said here any more, and a session whose closing fails is closed all the same by its destructor.
  guarded(nullptr, [this] {
    owned->close(close_hint, close_until_ns);
    return Status::ok();
  });
  owned.reset();
}

namespace {

kvc_session_t* expose(void* context, Session* session) {
  std::unique_ptr<SessionObject> object(new (std::nothrow) SessionObject(static_cast<EngineObject*>(context)));
  const Handle handle = object != nullptr ? handles::reserve(HandleKind::session) : 0;
  if (handle == 0) return nullptr;
  object->session = session;
  handles::publish(handle, object.release());
  return pointer_of<kvc_session_t>(handle);
}

void withdraw(void*, kvc_session_t* handle) {
  // A thread of the backend may still be in a call on it: the session is not to go before that is over.
  delete handles::close_and_wait(handle_of(handle), HandleKind::session);
}

}  // namespace

const kvc_module_host_t* module_host() noexcept {
  static constexpr kvc_module_host_t kHost = {sizeof(kvc_module_host_t), kvc_session_append_all, kvc_session_read_all,
                                              kvc_session_info, kvc_session_last_error};
  return &kHost;
}

SessionHandles session_handles(EngineObject* engine) noexcept { return {engine, expose, withdraw, module_host(), device_host()}; }

}  // namespace kvc

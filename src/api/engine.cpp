// Engines.
#include <algorithm>
#include <cstring>
#include <memory>

#include "api/call.h"
#include "api/structs.h"

namespace kvc {
namespace {

Status create_engine(const Config& config, Handle* out) {
  // The handle first: once the engine exists nothing can fail.
  const Handle handle = handles::reserve(HandleKind::engine);
  if (handle == 0) return error(KVC_E_NO_MEMORY, "no memory for a handle");
  Status status;
  std::unique_ptr<EngineObject> object;
  try {
    object = std::make_unique<EngineObject>();
    status = Engine::create(config, session_handles(object.get()), &object->engine);
  } catch (...) {
    handles::abandon(handle);
    throw;
  }
  if (!status.is_ok()) {
    handles::abandon(handle);
    return status;
  }
  handles::publish(handle, object.release());
  *out = handle;
  return Status::ok();
}

Status default_config(Config* config) { return Config::make("seamless", config); }

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_engine_create(kvc_config_t* config, kvc_engine_t** engine) noexcept {
  return kvc_engine_create_with_error(config, engine, nullptr);
}

kvc_status_t kvc_engine_create_with_error(kvc_config_t* config, kvc_engine_t** engine, kvc_error_t* out) noexcept {
  if (out != nullptr) {
    const kvc_status_t bad = guarded(nullptr, [&] { return check_output(out, "error"); });
    if (bad != KVC_OK) return bad;
  }
  ErrorText text;
  Config copy;
  // A configuration's own callers are not kept waiting: it is copied, and let go.
  kvc_status_t status = KVC_OK;
  if (config == nullptr) {
    status = guarded(&text, [&] { return default_config(&copy); });
  } else {
    const Held<ConfigObject> held(config);
    status = held.status();
    if (held.get() == nullptr) {
      text.set(status, kvc_status_text(status));
    } else {
      status = guarded(&text, [&] {
        const std::lock_guard lock(held.get()->mutex);
        copy = held.get()->config;
        return Status::ok();
      });
    }
  }
  if (status == KVC_OK) {
    status = guarded(&text, [&]() -> Status {
      if (engine == nullptr) return null_argument("engine");
      Handle handle = 0;
      KVC_RETURN_IF_ERROR(create_engine(copy, &handle));
      *engine = pointer_of<kvc_engine_t>(handle);
      return Status::ok();
    });
  }
  if (status != KVC_OK && config != nullptr) {
    const Held<ConfigObject> held(config);
    if (held.get() != nullptr) {
      char words[1024];
      text.copy(words, sizeof words);
      held.get()->error.set(status, words);
    }
  }
  write_error(status, &text, out);
  return status;
}

void kvc_engine_destroy(kvc_engine_t* engine) noexcept {
  if (engine == nullptr) return;
  {
    const Held<EngineObject> held(engine);
    if (held.get() == nullptr) return;
    // From a callback: this thread is in a call on the engine, which would wait for itself. stop() knows the thread of
    // the steps.
    if (CallFrame::inside(held.get())) return;
    bool stopped = true;
    const kvc_status_t status = guarded(nullptr, [&] {
      stopped = held.get()->engine->stop();
      return Status::ok();
    });
    if (status == KVC_OK && !stopped) return;
  }
  // Of several threads that destroy at once, one gets the object.
  std::unique_ptr<HandleObject> object(handles::close_and_wait(handle_of(engine), HandleKind::engine));
  if (object == nullptr) return;
  static_cast<EngineObject*>(object.get())->close_children();
}

size_t kvc_engine_last_error(kvc_engine_t* engine, char* buffer, size_t capacity) noexcept {
  return last_error<EngineObject>(engine, buffer, capacity);
}

kvc_status_t kvc_engine_info(kvc_engine_t* engine, char* buffer, size_t capacity, size_t* length) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    const size_t full = write_text(object.engine->info(), buffer, capacity);
    if (length != nullptr) *length = full;
    return Status::ok();
  });
}

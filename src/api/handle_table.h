// Handles are names, not addresses: a number that leads to a slot of one global table, and says which use of the slot
// and which kind of object it means. So a stale, closed, mistyped or invented handle is recognised instead of followed.
//
//     63    60 59   57 56            52 51          22 21       1 0
//     | 0101 |  kind  |     01000      | generation   |  index   |1|
//
// Odd, and not a canonical address on any 64-bit machine.
//
// A slot has one atomic word: generation, kind, flags and the number of calls that use the object now. Everything here
// is lock-free and lives in constant-initialised storage that is never freed: a fork at any instant leaves a table that
// works in the child, and no static constructor or destructor runs.
//
// Life of a slot: free -> reserved -> open (publish) -> closed (close) -> free, once nobody uses it, with the next
// generation. A slot whose generations are used up is never used again.
#pragma once

#include <cstdint>

#include "kvc/kvc.h"

namespace kvc {

enum class HandleKind : uint8_t { none, config, engine, space, session, page_iter };

// What a handle may name.
class HandleObject {
 public:
  virtual ~HandleObject() = default;
};

// The value of a handle; what is passed as kvc_engine_t* and so on. 0: none.
using Handle = uint64_t;

template <typename T>
Handle handle_of(const T* pointer) noexcept {
  return static_cast<Handle>(reinterpret_cast<uintptr_t>(pointer));
}
template <typename T>
T* pointer_of(Handle handle) noexcept {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(handle));  // NOLINT: never dereferenced
}

namespace handles {

// A slot for an object that is being made. 0: no memory, or 2 million handles are open.
Handle reserve(HandleKind kind) noexcept;
// Gives a reserved slot back.
void abandon(Handle handle) noexcept;
// From now on the handle names the object. It belongs to the process that publishes it.
void publish(Handle handle, HandleObject* object) noexcept;

// KVC_OK: *object stays alive until release(). KVC_E_CLOSED, KVC_E_FORKED: nothing was touched.
kvc_status_t acquire(Handle handle, HandleKind kind, HandleObject** object) noexcept;
// After close(), whoever releases last destroys the object.
void release(Handle handle) noexcept;

// No new call can use the handle. The object is destroyed here, or by the last call that uses it. False: it was not
// open (or is the parent process's).
bool close(Handle handle, HandleKind kind) noexcept;
// The same, but waits for calls in progress and leaves the object to the caller. nullptr: it was not open.
HandleObject* close_and_wait(Handle handle, HandleKind kind) noexcept;

}  // namespace handles
}  // namespace kvc

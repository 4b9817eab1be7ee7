#include "api/handle_table.h"

#include <atomic>
#include <bit>
#include <new>

#include "api/fork_guard.h"

namespace kvc::handles {
namespace {

static_assert(sizeof(void*) == 8, "handles are 64-bit numbers");

// --- the handle's number
// ----------------------------------------------------------------------------------------------

constexpr uint64_t kMark = 0x5080000000000001u;  // bits 63..60 = 0101, 55 = 1, 0 = 1
constexpr uint64_t kMarkMask = 0xf1f0000000000001u;
constexpr int kKindShift = 57;
constexpr int kGenerationShift = 22;
constexpr uint64_t kGenerationMask = (1u << 30) - 1;
constexpr uint64_t kIndexMask = (1u << 21) - 1;

constexpr Handle encode(HandleKind kind, uint64_t generation, uint32_t index) {
  return kMark | static_cast<uint64_t>(kind) << kKindShift | generation << kGenerationShift |
         static_cast<uint64_t>(index) << 1;
}
constexpr uint64_t kind_of(Handle handle) { return handle >> kKindShift & 7; }
constexpr uint64_t generation_of(Handle handle) { return handle >> kGenerationShift & kGenerationMask; }
constexpr uint32_t index_of(Handle handle) { return static_cast<uint32_t>(handle >> 1 & kIndexMask); }

// --- the slot's state word
// ----------------------------------------------------------------------------------------------

// | generation 30 | kind 3 | open 1 | closed 1 | waited for 1 | users 28 |
constexpr int kStateGeneration = 34;
constexpr int kStateKind = 31;
constexpr uint64_t kOpen = 1u << 30;
constexpr uint64_t kClosed = 1u << 29;
constexpr uint64_t kWaitedFor = 1u << 28;
constexpr uint64_t kUsers = (1u << 28) - 1;

// A cache line each: calls on different handles do not meet.
struct alignas(64) Slot {
  std::atomic<uint64_t> state{0};
  std::atomic<uint32_t> epoch{0};      // process that published it
  std::atomic<uint32_t> next_free{0};  // index + 1; 0: none
  HandleObject* object = nullptr;      // valid while open, or closed and in use
};

// --- the table: chunks of slots, each twice as large as the one before
// ---------------------------------------------------

constexpr uint32_t kFirstChunk = 64;
constexpr int kChunks = 15;
constexpr uint32_t kCapacity = kFirstChunk * ((1u << kChunks) - 1);
static_assert(kCapacity <= kIndexMask + 1);

constinit std::atomic<Slot*> chunks[kChunks] = {};
constinit std::atomic<uint32_t> fresh{0};      // slots below were handed out at least once
constinit std::atomic<uint64_t> free_list{0};  // tag (against ABA) << 32 | index + 1 of the first free slot

struct Place {
  int chunk;
  uint32_t offset;
};
constexpr Place place_of(uint32_t index) {
  const uint32_t n = index / kFirstChunk + 1;
  const int chunk = std::bit_width(n) - 1;
  return {chunk, index - kFirstChunk * ((1u << chunk) - 1)};
}

// nullptr: no slot of this index was ever made.
Slot* slot_at(uint32_t index) noexcept {
  if (index >= kCapacity) return nullptr;
  const Place place = place_of(index);
  Slot* chunk = chunks[place.chunk].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : chunk + place.offset;
}

bool ensure_chunk(uint32_t index) noexcept {
  std::atomic<Slot*>& chunk = chunks[place_of(index).chunk];
  if (chunk.load(std::memory_order_acquire) != nullptr) return true;
  auto* made = new (std::nothrow) Slot[kFirstChunk << place_of(index).chunk];
  if (made == nullptr) return false;
  Slot* expected = nullptr;
  if (!chunk.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) delete[] made;
  return true;
}

// Index of a slot that nobody has, or kCapacity.
uint32_t take_slot() noexcept {
  uint64_t head = free_list.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(head) != 0) {
    const uint32_t index = static_cast<uint32_t>(head) - 1;
    const uint64_t next = slot_at(index)->next_free.load(std::memory_order_relaxed);
    const uint64_t new_head = ((head >> 32) + 1) << 32 | next;
    if (free_list.compare_exchange_weak(head, new_head, std::memory_order_acq_rel, std::memory_order_acquire))
      return index;
  }
  uint32_t index = fresh.load(std::memory_order_relaxed);
  do {
    if (index >= kCapacity || !ensure_chunk(index)) return kCapacity;
  } while (!fresh.compare_exchange_weak(index, index + 1, std::memory_order_acq_rel));
  return index;
}

// Makes every handle on the slot stale, then lets it be taken again.
void recycle(Slot* slot, uint32_t index) noexcept {
  const uint64_t generation = (slot->state.load(std::memory_order_relaxed) >> kStateGeneration) + 1;
  slot->object = nullptr;
  if (generation > kGenerationMask) {
    slot->state.store(kClosed, std::memory_order_release);
    return;
  }
  slot->state.store(generation << kStateGeneration, std::memory_order_release);
  uint64_t head = free_list.load(std::memory_order_relaxed);
  uint64_t new_head = 0;
  do {
    slot->next_free.store(static_cast<uint32_t>(head), std::memory_order_relaxed);
    new_head = ((head >> 32) + 1) << 32 | (index + 1);
  } while (!free_list.compare_exchange_weak(head, new_head, std::memory_order_acq_rel));
}

void destroy(Slot* slot, uint32_t index) noexcept {
  HandleObject* object = slot->object;
  recycle(slot, index);
  delete object;
}

// The slot of a well-formed handle.
Slot* find(Handle handle) noexcept { return (handle & kMarkMask) == kMark ? slot_at(index_of(handle)) : nullptr; }

// Whether a state is the open object that the handle names.
bool names(Handle handle, uint64_t state) noexcept {
  return state >> kStateGeneration == generation_of(handle) && (state >> kStateKind & 7) == kind_of(handle) &&
         (state & (kOpen | kClosed)) == kOpen;
}

// Adds `change` to the state if the handle is open, and says how that went.
kvc_status_t update(Handle handle, HandleKind kind, uint64_t change, Slot** found, uint64_t* before) noexcept {
  const uint32_t epoch = process_epoch();
  Slot* slot = kind_of(handle) == static_cast<uint64_t>(kind) ? find(handle) : nullptr;
  if (slot == nullptr) return KVC_E_CLOSED;
  uint64_t state = slot->state.load(std::memory_order_acquire);
  do {
    if (!names(handle, state)) return KVC_E_CLOSED;
    if (slot->epoch.load(std::memory_order_relaxed) != epoch) return KVC_E_FORKED;
  } while (
      !slot->state.compare_exchange_weak(state, state + change, std::memory_order_acq_rel, std::memory_order_acquire));
  *found = slot;
  *before = state;
  return KVC_OK;
}

}  // namespace

Handle reserve(HandleKind kind) noexcept {
  const uint32_t index = take_slot();
  if (index >= kCapacity) return 0;
  Slot* slot = slot_at(index);
  const uint64_t generation = slot->state.load(std::memory_order_relaxed) >> kStateGeneration;
  return encode(kind, generation, index);
}

void abandon(Handle handle) noexcept {
  if (handle != 0) recycle(slot_at(index_of(handle)), index_of(handle));
}

void publish(Handle handle, HandleObject* object) noexcept {
  Slot* slot = slot_at(index_of(handle));
  slot->object = object;
  slot->epoch.store(process_epoch(), std::memory_order_relaxed);
  slot->state.store(generation_of(handle) << kStateGeneration | kind_of(handle) << kStateKind | kOpen,
                    std::memory_order_release);
}

kvc_status_t acquire(Handle handle, HandleKind kind, HandleObject** object) noexcept {
  Slot* slot = nullptr;
  uint64_t before = 0;
  const kvc_status_t status = update(handle, kind, 1, &slot, &before);
  if (status == KVC_OK) *object = slot->object;
  return status;
}

void release(Handle handle) noexcept {
  Slot* slot = slot_at(index_of(handle));
  const uint64_t state = slot->state.fetch_sub(1, std::memory_order_acq_rel) - 1;
  if ((state & kUsers) != 0 || (state & kClosed) == 0) return;
  if ((state & kWaitedFor) != 0) {
    slot->state.notify_all();  // the slot's memory is never freed, so this is safe even if the waiter is gone
  } else {
    destroy(slot, index_of(handle));
  }
}

bool close(Handle handle, HandleKind kind) noexcept {
  Slot* slot = nullptr;
  uint64_t before = 0;
  if (update(handle, kind, kClosed, &slot, &before) != KVC_OK) return false;
  if ((before & kUsers) == 0) destroy(slot, index_of(handle));
  return true;
}

HandleObject* close_and_wait(Handle handle, HandleKind kind) noexcept {
  Slot* slot = nullptr;
  uint64_t before = 0;
  if (update(handle, kind, kClosed | kWaitedFor, &slot, &before) != KVC_OK) return nullptr;
  for (uint64_t state = slot->state.load(std::memory_order_acquire); (state & kUsers) != 0;
       state = slot->state.load(std::memory_order_acquire)) {
    slot->state.wait(state, std::memory_order_acquire);
  }
  HandleObject* object = slot->object;
  recycle(slot, index_of(handle));
  return object;
}

}  // namespace kvc::handles

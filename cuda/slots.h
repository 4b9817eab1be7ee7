// A device's page slots: one allocation, slots of one size, a free list, and for each slot the fences of those who last
// wrote and read it. The memory is claimed once; what it may hold is never exceeded.
//
// What is smaller than a slot gets a part of one: a few slots side by side (a chunk) are cut into parts of one size,
// each with fences of its own. When a chunk's last part is given back, its slots are whole again, for anything. Fences
// pass from slots to parts and back.
//
// A slot that is given back is free at once. Its fences stay with it: whoever writes it next waits for them on the
// device, so neither the processor nor the next owner has to know who still reads.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "device.h"

namespace kvc_cuda {

// What work does to slots, and what else it waits for.
struct Order {
  abi::Stream stream = nullptr;
  std::vector<Fence> wait;
  std::vector<uint32_t> reads, writes;
};

class Slots {
 public:
  // Frees slots if it can; called without locks, on the thread that needs room. Returns whether it is worth trying
  // again.
  using Reclaim = std::function<bool(uint64_t bytes)>;

  Slots(Device* device, Reclaim reclaim) : device_(device), reclaim_(std::move(reclaim)) {}
  ~Slots();

  // Claims the memory, once; no slots: nothing. KVC_E_NO_MEMORY after three attempts with `reclaim` between them.
  Status create(uint64_t slot_bytes, uint32_t count);
  // All n or none. KVC_E_NO_MEMORY likewise.
  Status acquire(uint32_t n, uint32_t* slots);
  // n slots that follow each other. KVC_E_NO_MEMORY: there is no such run; `reclaim` is not asked.
  Status acquire_run(uint32_t n, uint32_t* first);
  // A part of slots, if more of them fit than slots; else slots that follow each other. A part has a number beyond
  // those of slots, count() + its place in units of kSlotUnit, and is used, named and released like a slot.
  // KVC_E_NO_MEMORY: no part of that size and no slot is free; `reclaim` is not asked.
  Status acquire_place(uint64_t bytes, uint32_t* first);
  // KVC_E_INVALID: one is not in use; then none is given back.
  Status release(uint32_t n, const uint32_t* slots);
  Status address(uint32_t slot, abi::DevicePtr* out);

  // Around work that the caller issues on order.stream; both with the device's mutex held and in its Scope, and the
  // mutex held in between. Begin checks and makes the stream wait; end leaves the fence with the slots. KVC_E_ORDER:
  // the stream is being captured, and there is something to wait for.
  Status begin(const Order& order, bool* captured);
  Status end(const Order& order, bool captured, Fence* done);

  uint64_t slot_bytes() const noexcept { return slot_bytes_; }
  uint32_t count() const noexcept { return static_cast<uint32_t>(slots_.size()); }
  uint32_t in_use();

 private:
  struct Slot {
    bool used = false;
    bool cut_up = false;  // its parts are in use, not it
    Fence writer = 0;
    std::vector<Fence> readers;
  };
  using Rooms = std::set<std::pair<uint64_t, uint32_t>>;
  struct Chunk {
    uint32_t slots = 0, free = 0;
    uint64_t part = 0;
    std::vector<Slot> parts;
    Rooms::node_type room;  // while it has none
  };
  using Chunks = std::map<uint32_t, Chunk>;
  // All with the mutex.
  Chunks::iterator chunk_of(uint32_t part);
  Slot* find(uint32_t slot);  // nullptr: there is none, or it is cut up
  Status check_used(uint32_t slot);
  void forget_done(std::vector<Fence>* fences);
  bool try_acquire(uint32_t n, uint32_t* slots);
  bool take_run(uint32_t n, uint32_t* first);
  bool cut_up(uint32_t slots, uint64_t part);
  void make_whole(Chunks::iterator chunk) noexcept;
  void release_part(uint32_t part) noexcept;

  Device* device_;
  Reclaim reclaim_;
  uint64_t slot_bytes_ = 0;
  abi::DevicePtr base_ = 0;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  Chunks chunks_;  // by their first slots
  Rooms rooms_;    // chunks with room: size of parts, first slot
};

}  // namespace kvc_cuda

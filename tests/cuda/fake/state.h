// The state of the fake driver: memory, clocks, streams. One lock around all of it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "fake_driver.h"

namespace fake {

using namespace kvc_cuda::abi;

struct Range {
  uint64_t at = 0, bytes = 0;
  bool write = false;
};

// What has happened before, by actor: 0 is the host, then streams.
class Clock {
 public:
  uint64_t& operator[](size_t actor) {
    if (actor >= ticks_.size()) ticks_.resize(actor + 1);
    return ticks_[actor];
  }
  uint64_t at(size_t actor) const { return actor < ticks_.size() ? ticks_[actor] : 0; }
  void join(const Clock& other) {
    for (size_t i = 0; i < other.ticks_.size(); ++i) (*this)[i] = std::max((*this)[i], other.ticks_[i]);
  }

 private:
  std::vector<uint64_t> ticks_;
};

// One recording of an event.
struct Record {
  bool done = false;
  double us = 0;  // the stream's time
  Clock clock;
  int device = 0;
};

struct Operation {
  std::string name;
  std::function<std::vector<Range>()> ranges;  // asked when it runs: tables may be written by then only
  std::function<void()> run;
  std::shared_ptr<Record> wait, record;
  Clock issued;  // the host's when it was issued
};

struct StreamState {
  int device = 0;
  FakeContext context = FakeContext::primary;
  size_t actor = 0;
  bool destroyed = false, mine = false;
  std::deque<Operation> queue;
  double us = 0;
  Clock clock;
  bool capturing = false, invalid = false;
  int mode = 0, nodes = 0;
};

struct EventState {
  int device = 0;
  std::shared_ptr<Record> record;
  bool captured = false;
};

struct Allocation {
  uint64_t bytes = 0;
  int device = -1;  // -1: registered host memory
  std::unique_ptr<unsigned char[]> memory;
};

struct Access {
  Range range;
  size_t actor;
  uint64_t tick;
  std::string name;
};

class State {
 public:
  FakeOptions options;
  std::mutex mutex;
  kvc::Random random{1};
  std::map<std::string, uint64_t> launches;  // of each kernel
  uint64_t calls = 0, fail_at = 0, operations = 0, fail_operation = 0;
  int fail_code = 0, operation_code = 0;
  std::vector<int> dead{0};                       // by device: the sticky code of its context
  std::vector<bool> told = std::vector<bool>(1);  // whether a call has said so
  std::vector<int> retained{0};                   // by device
  std::vector<uint64_t> used{0};
  std::set<StreamState*> streams;
  std::set<EventState*> events;
  std::map<uint64_t, Allocation> memory;    // devices'
  std::map<uint64_t, uint64_t> registered;  // host address, bytes
  std::map<uint64_t, int> registrars;       // host address, device of the context that registered it
  int libraries = 0;
  size_t actors = 1;
  Clock host;
  std::vector<Access> history;
  uint64_t races = 0, violations = 0;
  std::string first_race, first_violation;

  // A call begins: its result if it is to fail now. device < 0: not of a context.
  int enter(const char* name, int device);
  int violate(int code, const std::string& words);
  void touch(const Range& range, size_t actor, const Clock& clock, uint64_t tick, const std::string& name);
  void issue(StreamState* stream, Operation operation);
  // Lets some stream go on by one operation; false: none can.
  bool step();
  void some_steps();
  bool drain_until(const std::function<bool()>& done);
  bool global_capture() const;
  void invalidate_captures();
  // Whether bytes are a device's, or registered; its host address.
  bool resolve(uint64_t at, uint64_t bytes, uint64_t* host) const;
  void forget(uint64_t at, uint64_t bytes);
};

State& state();
using Lock = std::lock_guard<std::mutex>;

// Of this thread, as in the driver: its contexts and its mode of captures.
struct ThreadState {
  std::vector<int> contexts;
  int capture_mode = 0;
};
ThreadState& thread_state();

// With the lock. nullptr: no such stream.
StreamState* stream_of(Stream stream);
StreamState* new_stream(int device, bool mine);

// What a launch reads and writes, and how it runs; empty name: no such kernel.
struct Launch {
  std::function<std::vector<Range>()> ranges;
  std::function<void()> run;
};
bool launch_of(const std::string& kernel, uint32_t grid, uint32_t threads, uint32_t shared, const void* args,
               uint64_t seed, Launch* out);

}  // namespace fake

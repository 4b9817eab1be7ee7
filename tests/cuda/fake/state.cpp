#include "state.h"

#include <algorithm>

#include "driver.h"

namespace fake {

namespace {

// Neighbouring and overlapping ranges as one.
std::vector<Range> merged(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.write != b.write ? a.write < b.write : a.at < b.at; });
  std::vector<Range> out;
  for (const Range& range : ranges) {
    if (!out.empty() && out.back().write == range.write && range.at <= out.back().at + out.back().bytes) {
      out.back().bytes = std::max(out.back().bytes, range.at + range.bytes - out.back().at);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

}  // namespace

State& state() {
  static State* only = new State;  // lives as long as the library
  return *only;
}

int State::enter(const char* name, int device) {
  ++calls;
  some_steps();
  if (fail_at != 0 && --fail_at == 0) {
    if (kvc_cuda::is_sticky(fail_code)) {
      for (size_t i = 0; i < dead.size(); ++i) {
        if (device < 0 || i == static_cast<size_t>(device)) dead[i] = fail_code, told[i] = true;
      }
    }
    return fail_code;
  }
  if (device >= 0 && dead[static_cast<size_t>(device)] != 0) {
    // Whoever was told once promises to call nothing more.
    const auto at = static_cast<size_t>(device);
    if (told[at]) return violate(dead[at], std::string(name) + " after the context was lost");
    told[at] = true;
    return dead[at];
  }
  return kSuccess;
}

int State::violate(int code, const std::string& words) {
  if (violations++ == 0) first_violation = words;
  return code;
}

void State::touch(const Range& range, size_t actor, const Clock& clock, uint64_t tick, const std::string& name) {
  for (const Access& before : history) {
    if (before.actor == actor || (!before.range.write && !range.write)) continue;
    if (before.range.at >= range.at + range.bytes || range.at >= before.range.at + before.range.bytes) continue;
    if (before.tick <= clock.at(before.actor)) continue;
    if (races++ == 0) {
      first_race = name + (range.write ? " writes " : " reads ") + "what " + before.name +
                   (before.range.write ? " writes" : " reads") + ", unordered";
    }
  }
  history.push_back({range, actor, tick, name});
}

void State::issue(StreamState* stream, Operation operation) {
  if (stream->capturing) {
    ++stream->nodes;
    return;
  }
  ++host[0];
  operation.issued = host;
  stream->queue.push_back(std::move(operation));
}

bool State::step() {
  std::vector<StreamState*> ready;
  for (StreamState* stream : streams) {
    if (stream->queue.empty()) continue;
    const Operation& next = stream->queue.front();
    if (next.wait != nullptr && !next.wait->done) continue;
    ready.push_back(stream);
  }
  if (ready.empty()) return false;
  // By actor: the order of a set of pointers is chance.
  std::sort(ready.begin(), ready.end(), [](const auto* a, const auto* b) { return a->actor < b->actor; });
  StreamState* stream = ready[random.next() % ready.size()];
  Operation operation = std::move(stream->queue.front());
  stream->queue.pop_front();
  stream->clock.join(operation.issued);
  if (operation.wait != nullptr) stream->clock.join(operation.wait->clock);
  const uint64_t tick = ++stream->clock[stream->actor];
  const bool dead_now = dead[static_cast<size_t>(stream->device)] != 0;
  if (operation.run != nullptr && !dead_now) {
    ++operations;
    stream->us += operation.name == "copy" ? options.copy_us : options.kernel_us;
    if (fail_operation != 0 && --fail_operation == 0) {
      dead[static_cast<size_t>(stream->device)] = operation_code;
    } else {
      for (const Range& range : merged(operation.ranges()))
        touch(range, stream->actor, stream->clock, tick, operation.name);
      operation.run();
    }
  }
  if (operation.record != nullptr) {
    operation.record->done = true;
    operation.record->us = stream->us;
    operation.record->clock = stream->clock;
  }
  return true;
}

void State::some_steps() {
  for (uint64_t n = random.next() % 3; n > 0; --n) {
    if (!step()) return;
  }
}

bool State::drain_until(const std::function<bool()>& done) {
  while (!done()) {
    if (!step()) return false;
  }
  return true;
}

bool State::global_capture() const {
  return std::any_of(streams.begin(), streams.end(), [](const auto* s) { return s->capturing && s->mode == 0; });
}

void State::invalidate_captures() {
  for (StreamState* stream : streams) {
    if (stream->capturing) stream->invalid = true;
  }
}

bool State::resolve(uint64_t at, uint64_t bytes, uint64_t* host_address) const {
  auto found = memory.upper_bound(at);
  if (found != memory.begin()) {
    --found;
    if (at + bytes <= found->first + found->second.bytes) {
      *host_address = at;
      return true;
    }
  }
  const uint64_t real = at - options.alias_offset;
  auto range = registered.upper_bound(real);
  if (range == registered.begin()) return false;
  --range;
  if (real + bytes > range->first + range->second) return false;
  *host_address = real;
  return true;
}

void State::forget(uint64_t at, uint64_t bytes) {
  std::erase_if(history, [&](const Access& a) { return a.range.at < at + bytes && at < a.range.at + a.range.bytes; });
}

ThreadState& thread_state() {
  thread_local ThreadState own;
  return own;
}

StreamState* stream_of(Stream stream) {
  auto* found = reinterpret_cast<StreamState*>(stream);
  return state().streams.count(found) != 0 ? found : nullptr;
}

StreamState* new_stream(int device, bool mine) {
  auto* stream = new StreamState;
  stream->device = device;
  stream->actor = state().actors++;
  stream->mine = mine;
  state().streams.insert(stream);
  return stream;
}

}  // namespace fake

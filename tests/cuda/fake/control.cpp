// What tests ask of the fake driver: faults, schedules, what was found, and an application's own work.
#include <cstring>

#include "fake_driver.h"
#include "state.h"

using namespace fake;

KVC_FAKE_API void fake_reset(const FakeOptions* options) {
  State& s = state();
  const Lock lock(s.mutex);
  for (StreamState* stream : s.streams) delete stream;
  for (EventState* event : s.events) delete event;
  s.streams.clear(), s.events.clear(), s.memory.clear(), s.registered.clear(), s.history.clear();
  s.options = *options;
  s.random = kvc::Random(options->seed);
  s.launches.clear();
  s.calls = s.fail_at = s.operations = s.fail_operation = s.races = s.violations = 0;
  s.first_race.clear(), s.first_violation.clear();
  s.dead.assign(static_cast<size_t>(options->devices), 0);
  s.told.assign(static_cast<size_t>(options->devices), false);
  s.retained.assign(static_cast<size_t>(options->devices), 0);
  s.used.assign(static_cast<size_t>(options->devices), 0);
  s.libraries = 0;
  s.actors = 1;
  s.host = Clock();
  thread_state() = {};
}

KVC_FAKE_API void fake_fail_call(uint64_t k, int code) {
  const Lock lock(state().mutex);
  state().fail_at = k, state().fail_code = code;
}
KVC_FAKE_API void fake_fail_operation(uint64_t k, int code) {
  const Lock lock(state().mutex);
  state().fail_operation = k, state().operation_code = code;
}
KVC_FAKE_API uint64_t fake_calls() {
  const Lock lock(state().mutex);
  return state().calls;
}

KVC_FAKE_API uint64_t fake_launches(const char* kernel) {
  const Lock lock(state().mutex);
  const auto found = state().launches.find(kernel);
  return found != state().launches.end() ? found->second : 0;
}
KVC_FAKE_API void fake_drain() {
  const Lock lock(state().mutex);
  while (state().step()) {
  }
}
KVC_FAKE_API void fake_synchronize() {
  const Lock lock(state().mutex);
  while (state().step()) {
  }
  for (const StreamState* stream : state().streams) state().host.join(stream->clock);
}
KVC_FAKE_API uint64_t fake_races() {
  const Lock lock(state().mutex);
  return state().races;
}
KVC_FAKE_API const char* fake_first_race() { return state().first_race.c_str(); }
KVC_FAKE_API uint64_t fake_violations() {
  const Lock lock(state().mutex);
  return state().violations;
}
KVC_FAKE_API const char* fake_first_violation() { return state().first_violation.c_str(); }
KVC_FAKE_API uint64_t fake_live() {
  State& s = state();
  const Lock lock(s.mutex);
  uint64_t n = s.memory.size() + s.registered.size() + s.events.size() + static_cast<uint64_t>(s.libraries);
  for (const StreamState* stream : s.streams) n += stream->mine ? 0 : 1;
  for (const int count : s.retained) n += static_cast<uint64_t>(count);
  return n;
}

KVC_FAKE_API Stream fake_stream(int device, FakeContext context) {
  const Lock lock(state().mutex);
  StreamState* stream = new_stream(device, true);
  stream->context = context;
  return reinterpret_cast<Stream>(stream);
}
KVC_FAKE_API void fake_begin_capture(Stream stream, int mode) {
  const Lock lock(state().mutex);
  StreamState* s = stream_of(stream);
  s->capturing = true, s->invalid = false, s->mode = mode, s->nodes = 0;
}
KVC_FAKE_API int fake_end_capture(Stream stream) {
  const Lock lock(state().mutex);
  StreamState* s = stream_of(stream);
  s->capturing = false;
  return s->invalid ? -1 : s->nodes;
}
KVC_FAKE_API void fake_touch(Stream stream, uint64_t at, uint64_t bytes, int write, uint8_t value) {
  const Lock lock(state().mutex);
  Operation operation;
  operation.name = "the application's kernel";
  operation.ranges = [=] { return std::vector<Range>{{at, bytes, write != 0}}; };
  operation.run = [=] {
    if (write != 0) std::memset(reinterpret_cast<void*>(at), value, bytes);
  };
  state().issue(stream_of(stream), std::move(operation));
}
KVC_FAKE_API void fake_issue(Stream stream, const FakeRange* ranges, int n, void (*run)(void*), void (*drop)(void*),
                             void* context) {
  const Lock lock(state().mutex);
  const std::shared_ptr<void> kept(context, drop);
  std::vector<Range> touched;
  for (int i = 0; i < n; ++i) touched.push_back({ranges[i].at, ranges[i].bytes, ranges[i].write != 0});
  Operation operation;
  operation.name = "a library's kernel";
  operation.ranges = [touched] { return touched; };
  operation.run = [kept, run] { run(kept.get()); };
  state().issue(stream_of(stream), std::move(operation));
}
KVC_FAKE_API int fake_is_device_memory(uint64_t at, uint64_t bytes) {
  const Lock lock(state().mutex);
  uint64_t host = 0;
  return state().resolve(at, bytes, &host) ? 1 : 0;
}
KVC_FAKE_API void kvc_fake_note_host_access(const void* at, size_t bytes, int write) {
  State& s = state();
  const Lock lock(s.mutex);
  ++s.host[0];
  s.touch({reinterpret_cast<uint64_t>(at), bytes, write != 0}, 0, s.host, s.host.at(0), "the processor");
}

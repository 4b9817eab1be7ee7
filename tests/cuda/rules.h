// What a driver must do for the module to be right, asked of the fake driver by kvc_cuda_tests and of the real one by
// kvc_cuda_device_tests: so the fake cannot drift from what it stands for.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "driver.h"

namespace kvc_cuda {

struct Rules {
  const DriverTable& call;
  abi::Context context = nullptr;
  std::function<void(abi::Stream, int mode)> begin_capture;
  std::function<int(abi::Stream)> end_capture;  // nodes, -1: the capture became invalid
};

inline void expect_rules(const Rules& rules) {
  using namespace abi;
  const DriverTable& call = rules.call;
  DevicePtr at = 0;
  EXPECT_EQ(call.cuMemAlloc(&at, 64), kInvalidContext) << "without a context";
  ASSERT_EQ(call.cuCtxPushCurrent(rules.context), kSuccess);
  EXPECT_EQ(call.cuMemAlloc(&at, size_t{1} << 50), kOutOfMemory);
  ASSERT_EQ(call.cuMemAlloc(&at, 1 << 20), kSuccess);
  EXPECT_EQ(at % 256, 0u);

  // Host memory: registered once, and unregistered as often.
  std::vector<unsigned char> memory(3 * 4096);
  auto* page = reinterpret_cast<unsigned char*>((reinterpret_cast<uint64_t>(memory.data()) + 4095) / 4096 * 4096);
  ASSERT_EQ(call.cuMemHostRegister(page, 4096, kHostRegisterPortable | kHostRegisterDeviceMap), kSuccess);
  EXPECT_EQ(call.cuMemHostRegister(page, 4096, kHostRegisterPortable | kHostRegisterDeviceMap),
            kHostMemoryAlreadyRegistered);
  DevicePtr alias = 0;
  EXPECT_EQ(call.cuMemHostGetDevicePointer(&alias, page, 0), kSuccess);
  EXPECT_NE(alias, 0u);

  Stream stream = nullptr, other = nullptr;
  Event event = nullptr, fresh = nullptr;
  ASSERT_EQ(call.cuStreamCreate(&stream, kStreamNonBlocking), kSuccess);
  ASSERT_EQ(call.cuStreamCreate(&other, kStreamNonBlocking), kSuccess);
  ASSERT_EQ(call.cuEventCreate(&event, kEventDisableTiming), kSuccess);
  ASSERT_EQ(call.cuEventCreate(&fresh, kEventDisableTiming), kSuccess);
  EXPECT_EQ(call.cuEventQuery(fresh), kSuccess) << "what was never recorded is done";
  EXPECT_EQ(call.cuStreamWaitEvent(stream, fresh, 0), kSuccess);

  // A wait is for the recording that there is when it is issued; a copy that follows sees what was before.
  page[0] = 17;
  ASSERT_EQ(call.cuMemcpyAsync(at, alias, 4096, stream), kSuccess);
  ASSERT_EQ(call.cuEventRecord(event, stream), kSuccess);
  ASSERT_EQ(call.cuStreamWaitEvent(other, event, 0), kSuccess);
  ASSERT_EQ(call.cuMemcpyAsync(at + 8192, at, 4096, other), kSuccess);
  ASSERT_EQ(call.cuEventRecord(event, other), kSuccess);
  EXPECT_EQ(call.cuEventSynchronize(event), kSuccess);
  EXPECT_EQ(call.cuEventQuery(event), kSuccess);
  page[0] = 0;
  ASSERT_EQ(call.cuMemcpyAsync(alias, at + 8192, 4096, other), kSuccess);
  ASSERT_EQ(call.cuStreamSynchronize(other), kSuccess);
  EXPECT_EQ(page[0], 17);

  // A batch in a capture is refused; the capture is as valid as before, and has no copy.
  int state = -1;
  EXPECT_EQ(call.cuStreamIsCapturing(stream, &state), kSuccess);
  EXPECT_EQ(state, kCaptureNone);
  if (call.cuMemcpyBatchAsync != nullptr) {
    DevicePtr to[2] = {at, at + 4096}, from[2] = {at + 8192, at + 12288};
    size_t bytes[2] = {4096, 4096}, first = 0;
    CopyAttributes attributes{kSourceOrderStream, {0, 0}, {0, 0}, 0};
    EXPECT_EQ(call.cuMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 1, stream), kSuccess);
    EXPECT_EQ(call.cuMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 1, nullptr), kInvalidValue)
        << "on the default stream";
    rules.begin_capture(stream, 0);
    EXPECT_EQ(call.cuStreamIsCapturing(stream, &state), kSuccess);
    EXPECT_NE(state, kCaptureNone);
    EXPECT_EQ(call.cuMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 1, stream), kCaptureUnsupported);
    EXPECT_EQ(rules.end_capture(stream), 0);
  }
  // A copy within the device is a node; waiting for an event of outside ends the capture.
  rules.begin_capture(stream, 0);
  EXPECT_EQ(call.cuMemcpyAsync(at, at + 8192, 4096, stream), kSuccess);
  EXPECT_EQ(rules.end_capture(stream), 1);
  ASSERT_EQ(call.cuEventRecord(event, other), kSuccess);
  rules.begin_capture(stream, 0);
  EXPECT_EQ(call.cuStreamWaitEvent(stream, event, 0), kCaptureIsolation);
  EXPECT_EQ(rules.end_capture(stream), -1);

  // Calls that are unsafe during a capture: forbidden to other threads, and to this one, until a thread says "relaxed".
  const auto elsewhere = [&](bool relaxed) {
    int result = -1;
    std::thread([&] {
      EXPECT_EQ(call.cuCtxPushCurrent(rules.context), kSuccess);
      int mode = kCaptureModeRelaxed;
      if (relaxed) {
        EXPECT_EQ(call.cuThreadExchangeStreamCaptureMode(&mode), kSuccess);
      }
      result = call.cuEventQuery(event);
      if (result == kNotReady) result = kSuccess;
      if (relaxed) {
        EXPECT_EQ(call.cuThreadExchangeStreamCaptureMode(&mode), kSuccess);
      }
      Context popped = nullptr;
      EXPECT_EQ(call.cuCtxPopCurrent(&popped), kSuccess);
    }).join();
    return result;
  };
  rules.begin_capture(stream, 0);
  EXPECT_EQ(elsewhere(true), kSuccess);
  EXPECT_EQ(rules.end_capture(stream), 0);
  rules.begin_capture(stream, 0);
  EXPECT_EQ(elsewhere(false), kCaptureUnsupported);
  EXPECT_EQ(rules.end_capture(stream), -1);

  EXPECT_EQ(call.cuStreamSynchronize(stream), kSuccess);
  EXPECT_EQ(call.cuStreamSynchronize(other), kSuccess);
  EXPECT_EQ(call.cuMemHostUnregister(page), kSuccess);
  EXPECT_EQ(call.cuEventDestroy(event), kSuccess);
  EXPECT_EQ(call.cuEventDestroy(fresh), kSuccess);
  EXPECT_EQ(call.cuStreamDestroy(stream), kSuccess);
  EXPECT_EQ(call.cuStreamDestroy(other), kSuccess);
  EXPECT_EQ(call.cuMemFree(at), kSuccess);
  Context popped = nullptr;
  EXPECT_EQ(call.cuCtxPopCurrent(&popped), kSuccess);
  EXPECT_EQ(popped, rules.context);
}

}  // namespace kvc_cuda

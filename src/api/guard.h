// The exception barrier: nothing that is thrown inside kvc, or by a caller's callback, passes the C boundary.
#pragma once

#include <cstddef>
#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace kvc {

// The words of the last failure on a handle. Any thread.
class ErrorText {
 public:
  // When there is no memory for the words, what the status means in general stands in for them.
  void set(kvc_status_t status, std::string_view message) noexcept;
  // Writes what fits; returns the full length.
  size_t copy(char* buffer, size_t capacity) noexcept;

 private:
  std::mutex mutex_;
  std::string text_;
  const char* fallback_ = nullptr;  // static text, in place of text_
};

// Runs body() -> Status. Failures, thrown ones included, leave their words in *sink (may be nullptr).
template <typename Body>
kvc_status_t guarded(ErrorText* sink, Body&& body) noexcept {
  const auto failed = [sink](kvc_status_t status, std::string_view message) noexcept {
    if (sink != nullptr) sink->set(status, message);
    return status;
  };
  try {
    const Status status = std::forward<Body>(body)();
    return status.code() < 0 ? failed(status.code(), status.message()) : status.code();
  } catch (const std::bad_alloc&) {
    return failed(KVC_E_NO_MEMORY,
                  "no memory for this call: the budget or the machine has no room; what is stored stays usable");
  } catch (const std::length_error&) {
    return failed(KVC_E_OUT_OF_RANGE, "a length is larger than anything that fits into memory");
  } catch (const std::exception& exception) {
    return failed(KVC_E_INTERNAL, exception.what());
  } catch (...) {
    return failed(KVC_E_INTERNAL, "something unknown was thrown, by kvc or by a callback");
  }
}

}  // namespace kvc

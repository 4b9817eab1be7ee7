// Failures inside this module: an exception with a status and words, which never passes the C interface (guarded()).
#pragma once

#include <kvc/kvc.h>

#include <cstdarg>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

namespace kvc_llama {

class Failure : public std::exception {
 public:
  Failure(kvc_status_t status, std::string words) : status_(status), words_(std::move(words)) {}
  const char* what() const noexcept override { return words_.c_str(); }
  kvc_status_t status() const noexcept { return status_; }

 private:
  kvc_status_t status_;
  std::string words_;
};

[[noreturn, gnu::format(printf, 2, 3)]] inline void fail(kvc_status_t status, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Failure(status, text);
}

// Writes words where a caller of the C interface wants them. Shortened if need be.
inline void say(char* error, size_t error_size, const char* words) noexcept {
  if (error != nullptr && error_size > 0) std::snprintf(error, error_size, "%s", words);
}

// Calls what may throw; the status and the words of what was thrown.
template <typename Function>
kvc_status_t guarded(char* error, size_t error_size, Function&& function) noexcept {
  try {
    function();
    return KVC_OK;
  } catch (const Failure& failure) {
    say(error, error_size, failure.what());
    return failure.status();
  } catch (const std::bad_alloc&) {
    say(error, error_size, "no memory");
    return KVC_E_NO_MEMORY;
  } catch (const std::exception& e) {
    say(error, error_size, e.what());
    return KVC_E_INTERNAL;
  } catch (...) {
    say(error, error_size, "an unknown exception");
    return KVC_E_INTERNAL;
  }
}

}  // namespace kvc_llama

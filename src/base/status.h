// The result of an operation inside kvc: a public status code and, if it failed, the words for the user.
//
// Rules: a function that can fail returns Status; std::bad_alloc may be thrown anywhere that allocates and is turned
// into KVC_E_NO_MEMORY at the C boundary (src/api), so code must keep its objects consistent when it passes.
#pragma once

#include <string>
#include <utility>

#include "kvc/kvc.h"

namespace kvc {

class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(kvc_status_t code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status ok() noexcept { return {}; }
  bool is_ok() const noexcept { return code_ == KVC_OK; }
  kvc_status_t code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }

 private:
  kvc_status_t code_ = KVC_OK;
  std::string message_;
};

// A failure with a printf-style message: say what was wrong, how much, and what to do.
Status error(kvc_status_t code, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace kvc

// Passes a failure on to the caller.
#define KVC_RETURN_IF_ERROR(expression)                                         \
  do {                                                                          \
    if (::kvc::Status status_ = (expression); !status_.is_ok()) return status_; \
  } while (false)

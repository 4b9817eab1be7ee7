// Answers as public structs: one block of memory owns everything, so that any thread can release it, also after the
// engine is gone.
#pragma once

#include "kvc/kvc.h"
#include "request/request.h"

namespace kvc {

// Throws std::bad_alloc.
kvc_response_t* make_response(const Answer& answer);
void free_response(kvc_response_t* response) noexcept;

}  // namespace kvc

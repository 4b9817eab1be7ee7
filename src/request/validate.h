// What a request must fulfil before it may wait.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "model/backend.h"
#include "request/request.h"

namespace kvc {

// The parameters. KVC_E_INVALID (action, an empty stop string), KVC_E_OUT_OF_RANGE, KVC_E_UTF8.
Status check_request(const Request& request);

// The prompt as tokens: text is tokenised, and bos put before it if the model has one. `limit`: longest sequence
// allowed by the options. KVC_E_UTF8, KVC_E_TOKEN, KVC_E_INVALID (nothing to compute), KVC_E_CONTEXT; the backend's own
// failures.
Status prompt_tokens(const Request& request, Backend* backend, uint32_t limit, std::vector<int32_t>* out);

}  // namespace kvc

#include "request/validate.h"

#include <algorithm>
#include <cmath>

#include "request/utf8.h"

namespace kvc {
namespace {

constexpr size_t kMaxStops = 16;
constexpr size_t kMaxName = 1024;  // as sessions allow

}  // namespace

Status check_request(const Request& r) {
  if (r.action < KVC_ACTION_PROCESS || r.action > KVC_ACTION_RETRIEVE) {
    return error(KVC_E_INVALID, "the request's action is %d: give a KVC_ACTION_*, 0 to 3", r.action);
  }
  if (r.priority < KVC_PRIORITY_BACKGROUND || r.priority > KVC_PRIORITY_CRITICAL) {
    return error(KVC_E_OUT_OF_RANGE, "the request's priority is %d: give %d to %d", r.priority, KVC_PRIORITY_BACKGROUND,
                 KVC_PRIORITY_CRITICAL);
  }
  if (r.action == KVC_ACTION_PROCESS && r.max_tokens < 1) {
    return error(KVC_E_OUT_OF_RANGE,
                 "the request's max_tokens is 0: give 1 or more, or KVC_ACTION_STORE to generate nothing");
  }
  if (!std::isfinite(r.temperature) || r.temperature < 0 || r.temperature > 100) {
    return error(KVC_E_OUT_OF_RANGE, "the request's temperature is %g: give 0 (always the likeliest) to 100",
                 r.temperature);
  }
  if (!(r.top_p > 0 && r.top_p <= 1)) {
    return error(KVC_E_OUT_OF_RANGE, "the request's top_p is %g: give more than 0 and at most 1 (all)", r.top_p);
  }
  if (r.tenant.size() > kMaxName || r.session_id.size() > kMaxName) {
    return error(KVC_E_OUT_OF_RANGE, "tenant and session_id may have %zu bytes each, these have %zu and %zu", kMaxName,
                 r.tenant.size(), r.session_id.size());
  }
  if (r.stop.size() > kMaxStops) {
    return error(KVC_E_OUT_OF_RANGE, "the request has %zu stop strings: give at most %zu", r.stop.size(), kMaxStops);
  }
  for (size_t i = 0; i < r.stop.size(); ++i) {
    if (r.stop[i].empty())
      return error(KVC_E_INVALID, "stop string %zu is empty: it would end every answer; leave it out", i);
    if (const size_t at = utf8_error(r.stop[i]); at != std::string::npos) {
      return error(KVC_E_UTF8, "stop string %zu is not UTF-8 at byte %zu of %zu: give whole characters", i, at,
                   r.stop[i].size());
    }
  }
  return Status::ok();
}

Status prompt_tokens(const Request& r, Backend* backend, uint32_t limit, std::vector<int32_t>* out) {
  const ModelInfo& model = backend->info();
  out->clear();
  if (r.has_text) {
    if (const size_t at = utf8_error(r.prompt); at != std::string::npos) {
      return error(KVC_E_UTF8, "the prompt is not UTF-8 at byte %zu of %zu (0x%02x): convert it, or give tokens", at,
                   r.prompt.size(), static_cast<unsigned>(static_cast<unsigned char>(r.prompt[at])));
    }
    if (model.bos >= 0) out->push_back(model.bos);
    KVC_RETURN_IF_ERROR(backend->tokenise(r.prompt, out));
  } else {
    *out = r.tokens;
  }
  for (size_t i = 0; i < out->size(); ++i) {
    const int32_t token = (*out)[i];
    if (token >= 0 && static_cast<uint32_t>(token) < model.vocab_size) continue;
    if (r.has_text) {
      return error(KVC_E_BACKEND, "the model's tokenizer gave token %d, but its vocabulary is 0 to %u", token,
                   model.vocab_size - 1);
    }
    return error(KVC_E_TOKEN, "token %zu of the prompt is %d: the model's vocabulary is 0 to %u", i, token,
                 model.vocab_size - 1);
  }
  if (out->empty()) {
    return error(KVC_E_INVALID, "the prompt is empty%s: give at least one token",
                 r.has_text ? " and the model has no token to begin a text with" : "");
  }
  const uint64_t longest = model.context != 0 ? std::min(model.context, limit) : limit;
  const uint64_t answer = r.action == KVC_ACTION_PROCESS ? r.max_tokens : 0;
  if (out->size() + answer > longest) {
    return error(KVC_E_CONTEXT,
                 "the prompt has %zu tokens and the answer may have %llu, together %llu: at most %llu fit (model "
                 "context %u, option "
                 "max_tokens %u); shorten the prompt or lower max_tokens",
                 out->size(), static_cast<unsigned long long>(answer),
                 static_cast<unsigned long long>(out->size() + answer), static_cast<unsigned long long>(longest),
                 model.context, limit);
  }
  return Status::ok();
}

}  // namespace kvc

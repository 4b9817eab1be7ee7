#include "api/response.h"

#include <cstring>
#include <new>
#include <string_view>

namespace kvc {
namespace {

// [kvc_response_t][tokens][text 0][miss_text 0][error 0]
char* put_text(std::string_view text, char* to, const char** place) noexcept {
  std::memcpy(to, text.data(), text.size());
  to[text.size()] = '\0';
  *place = to;
  return to + text.size() + 1;
}

}  // namespace

kvc_response_t* make_response(const Answer& answer) {
  static_assert(alignof(kvc_response_t) >= alignof(int32_t) && sizeof(kvc_response_t) % alignof(int32_t) == 0);
  const size_t token_bytes = answer.tokens.size() * sizeof(int32_t);
  const size_t text_bytes = answer.text.size() + answer.miss_text.size() + answer.error.size() + 3;
  auto* block = static_cast<char*>(::operator new(sizeof(kvc_response_t) + token_bytes + text_bytes));
  auto* response = new (block) kvc_response_t{};

  response->struct_size = sizeof *response;
  response->status = answer.status;
  response->finish_reason = answer.finish_reason;
  auto* tokens = reinterpret_cast<int32_t*>(block + sizeof *response);
  if (token_bytes > 0) std::memcpy(tokens, answer.tokens.data(), token_bytes);
  response->tokens = tokens;
  response->n_tokens = answer.tokens.size();
  char* end = block + sizeof *response + token_bytes;
  end = put_text(answer.text, end, &response->text);
  response->text_size = answer.text.size();
  end = put_text(answer.miss_text, end, &response->miss_text);
  put_text(answer.error, end, &response->error);
  response->cache_hit = answer.cached_tokens > 0 ? 1 : 0;
  response->prompt_tokens = answer.prompt_tokens;
  response->cached_tokens = answer.cached_tokens;
  response->computed_tokens = answer.computed_tokens;
  response->queue_ns = answer.queue_ns;
  response->prefill_ns = answer.prefill_ns;
  response->decode_ns = answer.decode_ns;
  response->total_ns = answer.total_ns;
  response->ttft_ns = answer.ttft_ns;
  response->saved_ns = answer.saved_ns;
  response->miss_reason = answer.miss_reason;
  response->ticket = answer.ticket;
  response->approximate_tokens = answer.approximate_tokens;
  return response;
}

void free_response(kvc_response_t* response) noexcept { ::operator delete(response); }

}  // namespace kvc

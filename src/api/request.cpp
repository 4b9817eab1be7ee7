// Requests.
#include <algorithm>
#include <cstring>
#include <memory>

#include "api/call.h"
#include "api/response.h"
#include "api/structs.h"

namespace kvc {
namespace {

constexpr uint64_t kForEver = UINT64_MAX;

kvc_request_t default_request() {
  kvc_request_t request{};
  request.struct_size = sizeof request;
  request.prompt_size = static_cast<size_t>(-1);
  request.max_tokens = 128;
  request.top_p = 1;
  return request;
}

Status requests_of(EngineObject& object, RequestEngine** out) {
  *out = object.engine->requests();
  if (*out != nullptr) return Status::ok();
  return error(KVC_E_UNSUPPORTED,
               "this engine has no model (option model is none): set model=builtin, or give a model with "
               "kvc_config_set_backend");
}

// The owning form. What can be told from the request alone is checked by the request engine; here is what needs the C
// struct.
Status read_request(const kvc_request_t& in, uint64_t default_deadline_ns, Request* out) {
  out->action = in.action;
  out->priority = in.priority;
  if (in.prompt != nullptr && in.tokens != nullptr)
    return error(KVC_E_INVALID, "prompt and tokens are both given; give one of them");
  if (in.prompt == nullptr && in.tokens == nullptr)
    return error(KVC_E_NULL, "prompt and tokens are both NULL; give one of them");
  if (in.prompt != nullptr) {
    out->has_text = true;
    out->prompt.assign(in.prompt, in.prompt_size == static_cast<size_t>(-1) ? std::strlen(in.prompt) : in.prompt_size);
  } else {
    if (in.n_tokens > static_cast<size_t>(INT32_MAX)) {
      return error(KVC_E_CONTEXT, "n_tokens is %zu, longer than any context", in.n_tokens);
    }
    out->tokens.assign(in.tokens, in.tokens + in.n_tokens);
  }
  out->max_tokens = in.max_tokens;
  out->top_k = in.top_k;
  out->temperature = in.temperature;
  out->top_p = in.top_p;
  out->seed = in.seed;
  constexpr uint32_t kMostStops = 16;
  if (in.n_stop > kMostStops)
    return error(KVC_E_OUT_OF_RANGE, "n_stop is %u; give at most %u stop strings", in.n_stop, kMostStops);
  if (in.n_stop > 0 && in.stop == nullptr) return error(KVC_E_NULL, "stop is NULL, but n_stop is %u", in.n_stop);
  for (uint32_t i = 0; i < in.n_stop; ++i) {
    if (in.stop[i] == nullptr) return error(KVC_E_NULL, "stop[%u] is NULL, but n_stop is %u", i, in.n_stop);
    out->stop.emplace_back(in.stop[i]);
  }
  if (in.no_cache > 1) return error(KVC_E_OUT_OF_RANGE, "no_cache is %u; give 0 or 1", in.no_cache);
  out->no_cache = in.no_cache == 1;
  KVC_RETURN_IF_ERROR(name_argument(in.session_id, "session_id", &out->session_id));
  KVC_RETURN_IF_ERROR(name_argument(in.tenant, "tenant", &out->tenant));
  out->deadline_ns = in.deadline_ns != 0 ? in.deadline_ns : default_deadline_ns;
  out->on_text = in.on_text;
  out->user_data = in.user_data;
  return Status::ok();
}

// Status of reading a struct -> a queued request. What is refused before the request engine sees it is counted here.
Status submit(EngineObject& object, const Status& read, const kvc_request_t& in, kvc_ticket_t* ticket) {
  RequestEngine* requests = nullptr;
  KVC_RETURN_IF_ERROR(requests_of(object, &requests));
  Request request;
  const Status status = read.is_ok() ? read_request(in, object.engine->settings().deadline_ns, &request) : read;
  if (!status.is_ok()) {
    object.engine->count_refused(1);
    return status;
  }
  return requests->submit(std::move(request), ticket);
}

Status submit(EngineObject& object, const kvc_request_t* request, kvc_ticket_t* ticket) {
  kvc_request_t full = default_request();
  const Status read = read_struct(request, "request", &full);
  return submit(object, read, full, ticket);
}

// The answer of a ticket as a public struct, and its own status as the result.
Status take(RequestEngine& requests, kvc_ticket_t ticket, uint64_t timeout_ns, kvc_response_t** response) {
  std::unique_ptr<Answer> answer;
  const Status waited = requests.wait(ticket, timeout_ns, &answer);
  if (waited.code() != KVC_OK || answer == nullptr) return waited;
  *response = make_response(*answer);
  return answer->status == KVC_OK ? Status::ok() : Status(answer->status, std::move(answer->error));
}

// A ticket that is dropped unless its answer was taken: no request is left behind when memory runs out half-way.
class TicketOwner {
 public:
  explicit TicketOwner(RequestEngine* requests) noexcept : requests_(requests) {}
  ~TicketOwner() {
    if (ticket != 0) {
      guarded(nullptr, [this] {
        const Status ignored = requests_->forget(ticket);
        (void)ignored;  // unknown by now: the answer was taken
        return Status::ok();
      });
    }
  }
  TicketOwner(const TicketOwner&) = delete;
  TicketOwner& operator=(const TicketOwner&) = delete;
  TicketOwner(TicketOwner&& other) noexcept : ticket(std::exchange(other.ticket, 0)), requests_(other.requests_) {}

  kvc_ticket_t ticket = 0;

 private:
  RequestEngine* requests_;
};

// A call that waits for the engine's steps must not come from one of them.
Status refuse_callback(const EngineObject& object, const char* function) {
  if (!CallFrame::inside(&object, 2)) return Status::ok();
  return error(KVC_E_BUSY, "%s was called from a callback of the same engine, which waits for it; use kvc_submit",
               function);
}

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_request_init(kvc_request_t* request, size_t size) noexcept {
  return guarded(nullptr, [&]() -> Status {
    if (request == nullptr) return null_argument("request");
    KVC_RETURN_IF_ERROR(check_struct_size<kvc_request_t>(size, "request"));
    request->struct_size = size;
    write_struct(default_request(), request);
    return Status::ok();
  });
}

kvc_status_t kvc_process(kvc_engine_t* engine, const kvc_request_t* request, kvc_response_t** response) noexcept {
  if (response != nullptr) *response = nullptr;
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (response == nullptr) return null_argument("response");
    KVC_RETURN_IF_ERROR(refuse_callback(object, "kvc_process"));
    TicketOwner owner(object.engine->requests());
    KVC_RETURN_IF_ERROR(submit(object, request, &owner.ticket));
    return take(*object.engine->requests(), owner.ticket, kForEver, response);
  });
}

kvc_status_t kvc_process_batch(kvc_engine_t* engine, const kvc_request_t* requests, size_t n,
                               kvc_response_t** responses) noexcept {
  if (responses != nullptr) std::fill_n(responses, n, nullptr);
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (n == 0) return Status::ok();
    if (requests == nullptr) return null_argument("requests");
    if (responses == nullptr) return null_argument("responses");
    KVC_RETURN_IF_ERROR(refuse_callback(object, "kvc_process_batch"));
    RequestEngine* request_engine = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &request_engine));
    size_t stride = 0;
    if (Status sized = array_stride(requests, "requests", &stride); !sized.is_ok()) {
      object.engine->count_refused(n);
      return sized;
    }

    Status first;
    const auto note = [&](Status status) {
      if (first.is_ok() && !status.is_ok()) first = std::move(status);
    };
    std::vector<TicketOwner> owners;
    owners.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      owners.emplace_back(request_engine);
      kvc_request_t full = default_request();
      const Status read = read_element(requests, stride, i, "requests", &full);
      const Status submitted = submit(object, read, full, &owners[i].ticket);
      if (!submitted.is_ok()) note(error(submitted.code(), "requests[%zu]: %s", i, submitted.message().c_str()));
    }
    for (size_t i = 0; i < n; ++i) {
      if (owners[i].ticket == 0) continue;
      const Status taken = take(*request_engine, owners[i].ticket, kForEver, &responses[i]);
      if (!taken.is_ok()) note(error(taken.code(), "requests[%zu]: %s", i, taken.message().c_str()));
    }
    return first;
  });
}

kvc_status_t kvc_submit(kvc_engine_t* engine, const kvc_request_t* request, kvc_ticket_t* ticket) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (ticket == nullptr) return null_argument("ticket");
    return submit(object, request, ticket);
  });
}

kvc_status_t kvc_wait(kvc_engine_t* engine, kvc_ticket_t ticket, uint64_t timeout_ns,
                      kvc_response_t** response) noexcept {
  if (response != nullptr) *response = nullptr;
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (response == nullptr) return null_argument("response");
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    return take(*requests, ticket, timeout_ns, response);
  });
}

kvc_status_t kvc_poll(kvc_engine_t* engine, kvc_ticket_t* tickets, size_t capacity, size_t* n) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (n == nullptr) return null_argument("n");
    if (tickets == nullptr && capacity > 0)
      return error(KVC_E_NULL, "tickets is NULL, but its capacity is %zu", capacity);
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    *n = requests->poll(tickets, capacity);
    return Status::ok();
  });
}

kvc_status_t kvc_next(kvc_engine_t* engine, kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity,
                      size_t* text_size) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (buffer == nullptr) return null_argument("buffer");
    if (text_size == nullptr) return null_argument("text_size");
    constexpr size_t kLeast = 5;  // the longest character and the zero
    if (capacity < kLeast) return error(KVC_E_BUFFER, "capacity is %zu; give at least %zu bytes", capacity, kLeast);
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    return requests->next(ticket, timeout_ns, buffer, capacity, text_size);
  });
}

kvc_status_t kvc_cancel(kvc_engine_t* engine, kvc_ticket_t ticket) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    return requests->cancel(ticket);
  });
}

kvc_status_t kvc_ticket_free(kvc_engine_t* engine, kvc_ticket_t ticket) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    return requests->forget(ticket);
  });
}

kvc_status_t kvc_step(kvc_engine_t* engine, int32_t* busy) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    bool more = false;
    KVC_RETURN_IF_ERROR(requests->step(&more));
    if (busy != nullptr) *busy = more ? 1 : 0;
    return Status::ok();
  });
}

void kvc_response_free(kvc_response_t* response) noexcept { free_response(response); }

kvc_status_t kvc_chat_text(kvc_engine_t* engine, const kvc_message_t* messages, size_t n, int32_t answer, char* buffer,
                           size_t capacity, size_t* length) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (messages == nullptr) return null_argument("messages");
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    constexpr size_t kMostMessages = 65536;
    if (n < 1 || n > kMostMessages) {
      return error(KVC_E_OUT_OF_RANGE, "n is %zu; give 1 to %zu messages", n, kMostMessages);
    }
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    size_t stride = 0;
    KVC_RETURN_IF_ERROR(array_stride(messages, "messages", &stride));
    std::vector<kvc_message_t> full(n);
    for (size_t i = 0; i < n; ++i) {
      KVC_RETURN_IF_ERROR(read_element(messages, stride, i, "messages", &full[i]));
      if (full[i].role == nullptr || full[i].content == nullptr) {
        return error(KVC_E_NULL, "the %s of messages[%zu] is NULL", full[i].role == nullptr ? "role" : "content", i);
      }
      std::string_view checked;
      KVC_RETURN_IF_ERROR(text_argument(full[i].role, static_cast<size_t>(-1), "role", &checked));
      KVC_RETURN_IF_ERROR(text_argument(full[i].content, static_cast<size_t>(-1), "content", &checked));
    }
    std::string text;
    KVC_RETURN_IF_ERROR(object.engine->backend()->chat_text(full, answer != 0, &text));
    const size_t written = write_text(text, buffer, capacity);
    if (length != nullptr) *length = written;
    return Status::ok();
  });
}

kvc_status_t kvc_tokenize(kvc_engine_t* engine, const char* text, size_t text_size, int32_t* tokens, size_t capacity,
                          size_t* n) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (n == nullptr) return null_argument("n");
    if (tokens == nullptr && capacity > 0)
      return error(KVC_E_NULL, "tokens is NULL, but its capacity is %zu", capacity);
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    std::string_view view;
    KVC_RETURN_IF_ERROR(text_argument(text, text_size, "text", &view));
    std::vector<int32_t> all;
    KVC_RETURN_IF_ERROR(object.engine->backend()->tokenise(view, &all));
    *n = all.size();
    std::copy_n(all.begin(), std::min(capacity, all.size()), tokens);
    if (all.size() > capacity)
      return error(KVC_E_BUFFER, "the text has %zu tokens, but capacity is %zu", all.size(), capacity);
    return Status::ok();
  });
}

kvc_status_t kvc_detokenize(kvc_engine_t* engine, const int32_t* tokens, size_t n, char* buffer, size_t capacity,
                            size_t* length) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (tokens == nullptr && n > 0) return error(KVC_E_NULL, "tokens is NULL, but n is %zu", n);
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    RequestEngine* requests = nullptr;
    KVC_RETURN_IF_ERROR(requests_of(object, &requests));
    Backend& backend = *object.engine->backend();
    std::string bytes;
    for (size_t i = 0; i < n; ++i) {
      if (tokens[i] < 0 || static_cast<uint32_t>(tokens[i]) >= backend.info().vocab_size) {
        return error(KVC_E_TOKEN, "tokens[%zu] is %d; the model has tokens 0 to %u", i, tokens[i],
                     backend.info().vocab_size - 1);
      }
      KVC_RETURN_IF_ERROR(backend.detokenise(tokens[i], &bytes));
    }
    const size_t full = write_text(utf8_repaired(bytes), buffer, capacity);
    if (length != nullptr) *length = full;
    return Status::ok();
  });
}

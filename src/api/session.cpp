// Sessions.
#include <memory>
#include <span>
#include <vector>

#include "api/call.h"
#include "api/structs.h"

namespace kvc {
namespace {

Status tensor_argument(const kvc_tensor_t* tensor, const char* what, TensorView* view) {
  kvc_tensor_t full{};
  KVC_RETURN_IF_ERROR(read_struct(tensor, what, &full));
  return view_of(full, what, view);
}

// An array with one tensor per layer. NULL gives an empty one.
Status tensor_array(const kvc_tensor_t* tensors, uint32_t n_layers, const char* what, std::vector<TensorView>* views) {
  views->clear();
  if (tensors == nullptr || n_layers == 0) return Status::ok();
  size_t stride = 0;
  KVC_RETURN_IF_ERROR(array_stride(tensors, what, &stride));
  views->resize(n_layers);
  for (uint32_t layer = 0; layer < n_layers; ++layer) {
    kvc_tensor_t full{};
    KVC_RETURN_IF_ERROR(read_element(tensors, stride, layer, what, &full));
    const Status status = view_of(full, what, &(*views)[layer]);
    if (!status.is_ok()) return error(status.code(), "layer %u: %s", layer, status.message().c_str());
  }
  return Status::ok();
}

Status check_layers(const Session& session, uint32_t n_layers) {
  const uint32_t needed = session.space().geometry().n_layers;
  if (n_layers == needed) return Status::ok();
  return error(KVC_E_SHAPE, "tensors for %u layers were given; the space has %u", n_layers, needed);
}

Status token_argument(const int32_t* tokens, size_t n, std::span<const int32_t>* out) {
  if (tokens == nullptr && n > 0) return error(KVC_E_NULL, "tokens is NULL, but n is %zu", n);
  // A count beyond this is a negative number that was converted: nothing of that size can be in memory.
  if (n > static_cast<size_t>(PTRDIFF_MAX) / sizeof(int32_t)) return error(KVC_E_OUT_OF_RANGE, "n is %zu tokens", n);
  *out = {tokens, n};
  return Status::ok();
}

Status check_priority(int32_t priority) {
  if (priority >= KVC_PRIORITY_BACKGROUND && priority <= KVC_PRIORITY_CRITICAL) return Status::ok();
  return error(KVC_E_OUT_OF_RANGE, "priority is %d; give %d to %d", priority, KVC_PRIORITY_BACKGROUND,
               KVC_PRIORITY_CRITICAL);
}

Status check_owned(const SessionObject& object, const char* function) {
  if (object.owned != nullptr) return Status::ok();
  return error(KVC_E_BUSY,
               "%s: this session belongs to the engine and is only lent to the backend for the time of the call",
               function);
}

Status read_options(const kvc_session_options_t* in, SessionOptions* out) {
  if (in == nullptr) return Status::ok();
  kvc_session_options_t full{};
  KVC_RETURN_IF_ERROR(read_struct(in, "options", &full));
  KVC_RETURN_IF_ERROR(name_argument(full.tenant, "options.tenant", &out->tenant));
  KVC_RETURN_IF_ERROR(name_argument(full.session_id, "options.session_id", &out->session_id));
  KVC_RETURN_IF_ERROR(check_priority(full.priority));
  out->priority = full.priority;
  if (full.no_publish > 1) return error(KVC_E_OUT_OF_RANGE, "options.no_publish is %u; give 0 or 1", full.no_publish);
  out->publish = full.no_publish == 0;
  if (full.exact > 1) return error(KVC_E_OUT_OF_RANGE, "options.exact is %u; give 0 or 1", full.exact);
  if (full.no_aged > 1) return error(KVC_E_OUT_OF_RANGE, "options.no_aged is %u; give 0 or 1", full.no_aged);
  out->exact = full.exact == 1;
  out->no_aged = full.no_aged == 1;
  return Status::ok();
}

Status positive(double number, const char* what, float* out) {
  if (!(number >= 0) || number > 1e30) return error(KVC_E_OUT_OF_RANGE, "how.%s is %g; give 0 or more", what, number);
  *out = static_cast<float>(number);
  return Status::ok();
}

// n_query, n_heads: of the query's tensor; end: tokens that the layer has.
Status read_attend(const kvc_attend_t* in, const TensorView& query, uint64_t end, AttendCall* out) {
  kvc_attend_t how{};
  if (in != nullptr) KVC_RETURN_IF_ERROR(read_struct(in, "how", &how));
  if (how.bidirectional > 1) {
    return error(KVC_E_OUT_OF_RANGE, "how.bidirectional is %u; give 0 or 1", how.bidirectional);
  }
  constexpr uint32_t kMostThreads = 1024;
  if (how.restore > 1 || how.reserved != 0) {
    return error(KVC_E_OUT_OF_RANGE, "how.restore is %u and how.reserved %u; give 0 or 1, and 0", how.restore,
                 how.reserved);
  }
  if (how.n_threads > kMostThreads) {
    return error(KVC_E_OUT_OF_RANGE, "how.n_threads is %u; give 0 to %u", how.n_threads, kMostThreads);
  }
  KVC_RETURN_IF_ERROR(positive(how.scale, "scale", &out->scale));
  KVC_RETURN_IF_ERROR(positive(how.softcap, "softcap", &out->softcap));
  if (query.n_dims != 3) return error(KVC_E_SHAPE, "query has %u dims: give 3, [query][head][dim]", query.n_dims);
  const auto n = static_cast<uint64_t>(query.shape[0]);
  if (how.later > end || n > end - how.later) {
    return error(KVC_E_OUT_OF_RANGE, "%llu queries with %llu tokens after them, but the layer has %llu tokens",
                 static_cast<unsigned long long>(n), static_cast<unsigned long long>(how.later),
                 static_cast<unsigned long long>(end));
  }
  out->position = end - how.later - n;
  out->causal = how.bidirectional == 0;
  // Longer than any sequence is no limit; sums with positions must not wrap.
  constexpr uint64_t kNoLimit = uint64_t{1} << 62;
  out->window = how.window < kNoLimit ? how.window : 0;
  out->sinks = std::min(how.sinks, kNoLimit);
  out->threads = how.n_threads;
  out->restore = how.restore == 1;
  out->left_out = how.left_out;
  const auto heads = static_cast<size_t>(query.shape[1]);
  if (how.alibi_slopes != nullptr) out->slopes = {how.alibi_slopes, heads};
  if (how.sink_scores != nullptr) out->sink_scores = {how.sink_scores, heads};
  return Status::ok();
}

Status open_session_handle(EngineObject& parent, std::unique_ptr<Session> session, kvc_session_t** out) {
  auto child = std::make_unique<SessionObject>(&parent);
  child->session = session.get();
  child->owned = std::move(session);
  return open_child(std::move(child), out);
}

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_session_open(kvc_space_t* space, const kvc_session_options_t* options,
                              kvc_session_t** session) noexcept {
  return on_space(space, [&](SpaceObject& object) -> Status {
    if (session == nullptr) return null_argument("session");
    SessionOptions read;
    KVC_RETURN_IF_ERROR(read_options(options, &read));
    std::unique_ptr<Session> opened;
    KVC_RETURN_IF_ERROR(object.parent().engine->cache().open_session(object.space, std::move(read), &opened));
    return open_session_handle(object.parent(), std::move(opened), session);
  });
}

kvc_status_t kvc_session_close(kvc_session_t* session, int32_t hint, uint64_t until_ns) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_owned(object, "kvc_session_close"));
    if (hint < KVC_CLOSE_KEEP || hint > KVC_CLOSE_IDLE) {
      return error(KVC_E_OUT_OF_RANGE,
                   "hint is %d; give KVC_CLOSE_KEEP (0), KVC_CLOSE_FINISHED (1) or KVC_CLOSE_IDLE (2)", hint);
    }
    if (until_ns != 0 && hint != KVC_CLOSE_IDLE) {
      return error(KVC_E_OUT_OF_RANGE, "until_ns is %llu, but hint is %d; it goes with KVC_CLOSE_IDLE (2) only",
                   static_cast<unsigned long long>(until_ns), hint);
    }
    // No new call can begin after this. The last one in progress, often this very one, destroys the object and so
    // closes the session; until then the fields below are this thread's, as only one thread can close a handle.
    if (!handles::close(handle_of(session), HandleKind::session))
      return error(KVC_E_CLOSED, "closed by another thread");
    object.close_hint = hint;
    object.close_until_ns = until_ns;
    return Status::ok();
  });
}

kvc_status_t kvc_session_match(kvc_session_t* session, const int32_t* tokens, size_t n, size_t* reused) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    if (reused == nullptr) return null_argument("reused");
    std::span<const int32_t> all;
    KVC_RETURN_IF_ERROR(token_argument(tokens, n, &all));
    return object.session->match(all, reused);
  });
}

kvc_status_t kvc_session_miss(kvc_session_t* session, int32_t* reason, char* buffer, size_t capacity,
                              size_t* length) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    std::string text;
    const int32_t why = object.session->miss(&text);
    const size_t full = write_text(text, buffer, capacity);
    if (reason != nullptr) *reason = why;
    if (length != nullptr) *length = full;
    return Status::ok();
  });
}

kvc_status_t kvc_session_append(kvc_session_t* session, uint32_t layer, const kvc_tensor_t* k, const kvc_tensor_t* v,
                                size_t n) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    TensorView keys;
    TensorView values;
    KVC_RETURN_IF_ERROR(tensor_argument(k, "k", &keys));
    KVC_RETURN_IF_ERROR(tensor_argument(v, "v", &values));
    return object.session->append(layer, keys, values, n);
  });
}

kvc_status_t kvc_session_append_all(kvc_session_t* session, const kvc_tensor_t* k, const kvc_tensor_t* v,
                                    uint32_t n_layers, size_t n) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    if (k == nullptr) return null_argument("k");
    if (v == nullptr) return null_argument("v");
    KVC_RETURN_IF_ERROR(check_layers(*object.session, n_layers));
    std::vector<TensorView> keys;
    std::vector<TensorView> values;
    KVC_RETURN_IF_ERROR(tensor_array(k, n_layers, "k", &keys));
    KVC_RETURN_IF_ERROR(tensor_array(v, n_layers, "v", &values));
    return object.session->append_all(keys, values, n);
  });
}

kvc_status_t kvc_session_commit(kvc_session_t* session, const int32_t* tokens, size_t n) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    std::span<const int32_t> all;
    KVC_RETURN_IF_ERROR(token_argument(tokens, n, &all));
    return object.session->commit(all);
  });
}

kvc_status_t kvc_session_read(kvc_session_t* session, uint32_t layer, int32_t plane, size_t from, size_t n,
                              const kvc_tensor_t* out) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    TensorView view;
    KVC_RETURN_IF_ERROR(tensor_argument(out, "out", &view));
    return object.session->read(layer, plane, from, n, view);
  });
}

kvc_status_t kvc_session_read_all(kvc_session_t* session, size_t from, size_t n, const kvc_tensor_t* k,
                                  const kvc_tensor_t* v, uint32_t n_layers) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_layers(*object.session, n_layers));
    std::vector<TensorView> keys;
    std::vector<TensorView> values;
    KVC_RETURN_IF_ERROR(tensor_array(k, n_layers, "k", &keys));
    KVC_RETURN_IF_ERROR(tensor_array(v, n_layers, "v", &values));
    return object.session->read_all(from, n, keys, values);
  });
}

kvc_status_t kvc_attend_init(kvc_attend_t* how, size_t size) noexcept {
  return guarded(nullptr, [&]() -> Status {
    if (how == nullptr) return null_argument("how");
    KVC_RETURN_IF_ERROR(check_struct_size<kvc_attend_t>(size, "how"));
    how->struct_size = size;
    write_struct(kvc_attend_t{}, how);
    return Status::ok();
  });
}

kvc_status_t kvc_session_attend(kvc_session_t* session, uint32_t layer, const kvc_attend_t* how,
                                const kvc_tensor_t* query, const kvc_tensor_t* out) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    TensorView queries;
    TensorView result;
    KVC_RETURN_IF_ERROR(tensor_argument(query, "query", &queries));
    KVC_RETURN_IF_ERROR(tensor_argument(out, "out", &result));
    AttendCall call;
    KVC_RETURN_IF_ERROR(read_attend(how, queries, object.session->appended(layer), &call));
    return object.session->attend(layer, call, queries, result);
  });
}

kvc_status_t kvc_session_truncate(kvc_session_t* session, size_t n) noexcept {
  return on_session(session, [&](SessionObject& object) { return object.session->truncate(n); });
}

kvc_status_t kvc_session_fork(kvc_session_t* session, kvc_session_t** fork) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    if (fork == nullptr) return null_argument("fork");
    std::unique_ptr<Session> second;
    KVC_RETURN_IF_ERROR(object.session->fork(&second));
    return open_session_handle(object.parent(), std::move(second), fork);
  });
}

kvc_status_t kvc_session_pin(kvc_session_t* session, int32_t pinned) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    if (pinned != 0 && pinned != 1) return error(KVC_E_OUT_OF_RANGE, "pinned is %d; give 0 or 1", pinned);
    return object.session->pin(pinned == 1);
  });
}

kvc_status_t kvc_session_set_priority(kvc_session_t* session, int32_t priority) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_priority(priority));
    return object.session->set_priority(priority);
  });
}

kvc_status_t kvc_session_hint(kvc_session_t* session, int32_t hint) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    constexpr SessionHint kHints[] = {SessionHint::none, SessionHint::turn_end, SessionHint::tool_call,
                                      SessionHint::one_off, SessionHint::shared};
    if (hint < KVC_HINT_NONE || hint > KVC_HINT_SHARED) {
      return error(KVC_E_OUT_OF_RANGE, "hint %d is none of KVC_HINT_* (%d to %d)", hint, KVC_HINT_NONE,
                   KVC_HINT_SHARED);
    }
    return object.session->set_hint(kHints[hint], 0);
  });
}

kvc_status_t kvc_session_expect(kvc_session_t* session, uint64_t in_ns) noexcept {
  return on_session(session, [&](SessionObject& object) {
    return object.session->set_hint(in_ns == 0 ? SessionHint::none : SessionHint::expected, in_ns);
  });
}

kvc_status_t kvc_session_generated(kvc_session_t* session, uint64_t tokens) noexcept {
  return on_session(session, [&](SessionObject& object) { return object.session->set_generated(tokens); });
}

kvc_status_t kvc_session_info(kvc_session_t* session, kvc_session_info_t* info) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_output(info, "info"));
    const SessionInfo of = object.session->info();
    kvc_session_info_t full{};
    full.length = of.length;
    full.matched = of.matched;
    full.pages = of.pages;
    full.pending = of.pending;
    full.tail_bytes = of.tail_bytes;
    full.approximate = of.approximate;
    full.aged = of.aged;
    full.sparse = of.sparse;
    full.priority = of.priority;
    full.pinned = of.pinned ? 1 : 0;
    full.domain = of.domain;
    write_struct(full, info);
    return Status::ok();
  });
}

kvc_status_t kvc_session_tokens(kvc_session_t* session, size_t from, size_t n, int32_t* tokens) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    if (tokens == nullptr && n > 0) return error(KVC_E_NULL, "tokens is NULL, but n is %zu", n);
    return object.session->tokens(from, n, tokens);
  });
}

size_t kvc_session_last_error(kvc_session_t* session, char* buffer, size_t capacity) noexcept {
  return last_error<SessionObject>(session, buffer, capacity);
}

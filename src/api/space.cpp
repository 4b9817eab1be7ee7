// Spaces.
#include <cstring>
#include <memory>
#include <optional>

#include "api/call.h"
#include "api/structs.h"

namespace kvc {
namespace {

Status open_space_handle(EngineObject& object, std::shared_ptr<const Space> space, kvc_space_t** out) {
  auto child = std::make_unique<SpaceObject>(&object);
  child->space = std::move(space);
  return open_child(std::move(child), out);
}

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_space_desc_init(kvc_space_desc_t* desc, size_t size) noexcept {
  return guarded(nullptr, [&]() -> Status {
    if (desc == nullptr) return null_argument("desc");
    KVC_RETURN_IF_ERROR(check_struct_size<kvc_space_desc_t>(size, "desc"));
    desc->struct_size = size;
    write_struct(kvc_space_desc_t{}, desc);
    return Status::ok();
  });
}

kvc_status_t kvc_space_open(kvc_engine_t* engine, const kvc_space_desc_t* desc, kvc_space_t** space) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (space == nullptr) return null_argument("space");
    SpaceDesc full;
    KVC_RETURN_IF_ERROR(full.read(desc));
    std::shared_ptr<const Space> opened;
    KVC_RETURN_IF_ERROR(object.engine->cache().open_space(full.get(), &opened));
    return open_space_handle(object, std::move(opened), space);
  });
}

kvc_status_t kvc_engine_space(kvc_engine_t* engine, kvc_space_t** space) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (space == nullptr) return null_argument("space");
    if (object.engine->model_space() == nullptr) {
      return error(KVC_E_UNSUPPORTED,
                   "this engine has no model (option model is none); open a space with kvc_space_open");
    }
    return open_space_handle(object, object.engine->model_space(), space);
  });
}

void kvc_space_close(kvc_space_t* space) noexcept {
  if (space != nullptr) handles::close(handle_of(space), HandleKind::space);
}

kvc_status_t kvc_space_info(kvc_space_t* space, kvc_space_info_t* info) noexcept {
  return on_space(space, [&](SpaceObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_output(info, "info"));
    const PageGeometry& geometry = object.space->geometry();
    kvc_space_info_t full{};
    std::memcpy(full.digest, object.space->digest().bytes.data(), sizeof full.digest);
    full.n_layers = geometry.n_layers;
    full.n_kv_heads = geometry.n_kv_heads;
    full.k_head_dim = geometry.k_dim;
    full.v_head_dim = geometry.v_dim;
    full.dtype = static_cast<int32_t>(geometry.dtype);
    full.page_tokens = geometry.page_tokens;
    full.page_bytes = geometry.page_bytes();
    full.vocab_size = object.space->vocab_size();
    write_struct(full, info);
    return Status::ok();
  });
}

kvc_status_t kvc_space_diff(kvc_space_t* a, kvc_space_t* b, char* buffer, size_t capacity, size_t* length) noexcept {
  return on_space(a, [&](SpaceObject& left) -> Status {
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    const Held<SpaceObject> right(b);
    if (right.get() == nullptr) return error(right.status(), "b: %s", kvc_status_text(right.status()));
    if (&right.get()->parent() != &left.parent())
      return error(KVC_E_INVALID, "a and b are spaces of two engines; give two of one");
    const size_t full = write_text(left.space->diff(*right.get()->space), buffer, capacity);
    if (length != nullptr) *length = full;
    return Status::ok();
  });
}

kvc_status_t kvc_space_page_ids(kvc_space_t* space, const char* tenant, const int32_t* tokens, size_t n_tokens,
                                uint8_t* ids, size_t capacity, size_t* n) noexcept {
  return on_space(space, [&](SpaceObject& object) -> Status {
    if (n == nullptr) return null_argument("n");
    if (tokens == nullptr && n_tokens > 0) return error(KVC_E_NULL, "tokens is NULL, but n_tokens is %zu", n_tokens);
    if (ids == nullptr && capacity > 0) return error(KVC_E_NULL, "ids is NULL, but its capacity is %zu", capacity);
    std::string name;
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    const size_t pages = n_tokens / object.space->geometry().page_tokens;
    *n = pages;
    if (pages > capacity) return error(KVC_E_BUFFER, "the tokens fill %zu pages, but capacity is %zu", pages, capacity);
    std::vector<PageId> found;
    KVC_RETURN_IF_ERROR(object.parent().engine->cache().page_ids(*object.space, name, {tokens, n_tokens}, &found));
    for (size_t i = 0; i < found.size(); ++i)
      std::memcpy(ids + i * sizeof(PageId::bytes), found[i].bytes.data(), sizeof(PageId::bytes));
    return Status::ok();
  });
}

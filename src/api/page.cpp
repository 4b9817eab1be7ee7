// Pages.
#include <algorithm>
#include <cstring>
#include <memory>

#include "api/call.h"
#include "api/structs.h"

namespace kvc {
namespace {

kvc_page_info_t public_info(const PageInfo& page) {
  kvc_page_info_t info{};
  info.struct_size = sizeof info;
  std::memcpy(info.id, page.id.bytes.data(), sizeof info.id);
  std::memcpy(info.parent, page.parent.bytes.data(), sizeof info.parent);
  std::memcpy(info.space, page.space.bytes.data(), sizeof info.space);
  info.position = page.position;
  info.bytes = page.bytes;
  info.metadata_bytes = page.metadata_bytes;
  info.hits = page.hits;
  info.age_ns = page.age_ns;
  info.idle_ns = page.idle_ns;
  info.n_tokens = page.tokens;
  info.references = page.references;
  info.children = page.children;
  info.tier = page.tier;
  info.priority = page.priority;
  info.pinned = page.pinned ? 1 : 0;
  info.approximate = page.approximate ? 1 : 0;
  info.aged = page.aged ? 1 : 0;
  write_text(page.codec, info.codec, sizeof info.codec);
  return info;
}

PageId page_id_of(const uint8_t* id) {
  PageId out;
  std::memcpy(out.bytes.data(), id, out.bytes.size());
  return out;
}

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_page_iter_open(kvc_engine_t* engine, const char* tenant, kvc_page_iter_t** iter) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (iter == nullptr) return null_argument("iter");
    std::string name;
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    auto child = std::make_unique<PageIterObject>(&object);
    child->pages = object.engine->cache().pages(tenant != nullptr ? &name : nullptr);
    return open_child(std::move(child), iter);
  });
}

kvc_status_t kvc_page_iter_next(kvc_page_iter_t* iter, kvc_page_info_t* info) noexcept {
  return call<PageIterObject>(iter, [&](PageIterObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_output(info, "info"));
    const std::lock_guard lock(object.mutex);
    if (object.next == object.pages.size()) return {KVC_END, ""};
    write_struct(public_info(object.pages[object.next++]), info);
    return Status::ok();
  });
}

void kvc_page_iter_close(kvc_page_iter_t* iter) noexcept {
  if (iter != nullptr) handles::close(handle_of(iter), HandleKind::page_iter);
}

kvc_status_t kvc_page_info(kvc_engine_t* engine, const uint8_t* id, kvc_page_info_t* info) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (id == nullptr) return null_argument("id");
    KVC_RETURN_IF_ERROR(check_output(info, "info"));
    PageInfo page;
    KVC_RETURN_IF_ERROR(object.engine->cache().page_info(page_id_of(id), &page));
    write_struct(public_info(page), info);
    return Status::ok();
  });
}

kvc_status_t kvc_page_tokens(kvc_engine_t* engine, const uint8_t* id, int32_t* tokens, size_t capacity,
                             size_t* n) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    if (id == nullptr) return null_argument("id");
    if (n == nullptr) return null_argument("n");
    if (tokens == nullptr && capacity > 0)
      return error(KVC_E_NULL, "tokens is NULL, but its capacity is %zu", capacity);
    std::vector<int32_t> all;
    KVC_RETURN_IF_ERROR(object.engine->cache().page_tokens(page_id_of(id), &all));
    *n = all.size();
    if (all.size() > capacity)
      return error(KVC_E_BUFFER, "the page has %zu tokens, but capacity is %zu", all.size(), capacity);
    std::copy(all.begin(), all.end(), tokens);
    return Status::ok();
  });
}

kvc_status_t kvc_trim(kvc_engine_t* engine, uint64_t bytes, uint64_t* freed) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    const uint64_t given_back = object.engine->cache().trim(bytes);
    if (freed != nullptr) *freed = given_back;
    return Status::ok();
  });
}

// Pages on disk: an engine's own directory, copies, packs.
#include "api/call.h"

namespace kvc {
namespace {

// The caller's number is set also where the call was a success in part.
struct Number {
  uint64_t value = 0;
  void give(uint64_t* out) const noexcept {
    if (out != nullptr) *out = value;
  }
};

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_persist(kvc_engine_t* engine, uint64_t timeout_ns) noexcept {
  return on_engine(engine, [&](EngineObject& object) { return object.engine->cache().disk().persist(timeout_ns); });
}

kvc_status_t kvc_persist_to(kvc_engine_t* engine, const char* tenant, const char* path, uint64_t* n) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string name, where;
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    KVC_RETURN_IF_ERROR(path_argument(path, &where));
    Number pages;
    KVC_RETURN_IF_ERROR(
        object.engine->cache().persist_to(tenant != nullptr ? &name : nullptr, where, &pages.value));
    pages.give(n);
    return Status::ok();
  });
}

kvc_status_t kvc_load(kvc_engine_t* engine, const char* path, uint64_t* n) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string where;
    KVC_RETURN_IF_ERROR(path_argument(path, &where));
    Number pages;
    KVC_RETURN_IF_ERROR(object.engine->cache().disk().attach_directory(where, &pages.value));
    pages.give(n);
    return Status::ok();
  });
}

kvc_status_t kvc_pack_open(kvc_engine_t* engine, const char* path, uint64_t* n) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string where;
    KVC_RETURN_IF_ERROR(path_argument(path, &where));
    Number pages;
    KVC_RETURN_IF_ERROR(object.engine->cache().disk().attach_pack(where, &pages.value));
    pages.give(n);
    return Status::ok();
  });
}

kvc_status_t kvc_pack_write(kvc_space_t* space, const char* tenant, const int32_t* tokens, size_t n_tokens,
                            const char* path, size_t* n) noexcept {
  return on_space(space, [&](SpaceObject& object) -> Status {
    if (tokens == nullptr) return null_argument("tokens");
    if (n_tokens > static_cast<size_t>(PTRDIFF_MAX) / sizeof(int32_t)) {
      return error(KVC_E_OUT_OF_RANGE, "n_tokens is %zu", n_tokens);
    }
    std::string name, where;
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    KVC_RETURN_IF_ERROR(path_argument(path, &where));
    size_t written = 0;
    KVC_RETURN_IF_ERROR(
        object.parent().engine->cache().write_pack(object.space, name, {tokens, n_tokens}, where, &written));
    if (n != nullptr) *n = written;
    return Status::ok();
  });
}

kvc_status_t kvc_tenant_purge(kvc_engine_t* engine, const char* tenant, uint64_t* n) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string name;
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    Number removed;
    Status status = object.engine->cache().purge(name, &removed.value);
    if (status.is_ok() || status.code() == KVC_E_BUSY) removed.give(n);
    return status;
  });
}

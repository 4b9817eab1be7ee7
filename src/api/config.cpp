// Configurations.
#include <algorithm>
#include <cstring>
#include <memory>

#include "api/call.h"
#include "api/structs.h"
#include "codec/user.h"
#include "model/module.h"

namespace kvc {
namespace {

template <typename Body>
kvc_status_t on_config(kvc_config_t* handle, Body&& body) noexcept {
  return call<ConfigObject>(handle, [&](ConfigObject& object) -> Status {
    const std::lock_guard lock(object.mutex);
    return body(object.config);
  });
}

// A caller's table into its place; NULL empties the place.
template <typename Table, typename Check>
Status set_table(const Table* table, const char* what, std::optional<Table>* place, Check&& check) {
  if (table == nullptr) {
    place->reset();
    return Status::ok();
  }
  Table full{};
  KVC_RETURN_IF_ERROR(read_struct(table, what, &full));
  KVC_RETURN_IF_ERROR(check(full));
  *place = full;
  return Status::ok();
}

Status required(bool present, const char* function) {
  return present ? Status::ok() : error(KVC_E_NULL, "%s is NULL, but required", function);
}

Status check_backend(const kvc_backend_t& table) {
  if (table.kind != KVC_BACKEND_PAGED && table.kind != KVC_BACKEND_OWN_KV) {
    return error(KVC_E_OUT_OF_RANGE, "backend.kind is %d; give KVC_BACKEND_PAGED (1) or KVC_BACKEND_OWN_KV (2)",
                 table.kind);
  }
  if (table.reserved != 0) return error(KVC_E_INVALID, "backend.reserved is %d; it must be 0", table.reserved);
  KVC_RETURN_IF_ERROR(required(table.describe != nullptr, "backend.describe"));
  KVC_RETURN_IF_ERROR(required(table.tokenize != nullptr, "backend.tokenize"));
  KVC_RETURN_IF_ERROR(required(table.detokenize != nullptr, "backend.detokenize"));
  KVC_RETURN_IF_ERROR(required(table.forward != nullptr, "backend.forward"));
  if (table.kind == KVC_BACKEND_OWN_KV) {
    KVC_RETURN_IF_ERROR(required(table.export_kv != nullptr, "backend.export_kv (of a KVC_BACKEND_OWN_KV)"));
    KVC_RETURN_IF_ERROR(required(table.import_kv != nullptr, "backend.import_kv (of a KVC_BACKEND_OWN_KV)"));
    KVC_RETURN_IF_ERROR(required(table.truncate != nullptr, "backend.truncate (of a KVC_BACKEND_OWN_KV)"));
  }
  return Status::ok();
}

Status check_allocator(const kvc_allocator_t& table) {
  KVC_RETURN_IF_ERROR(required(table.allocate != nullptr, "allocator.allocate"));
  return required(table.release != nullptr, "allocator.release");
}

Status check_logger(const kvc_logger_t& table) {
  if (table.level < KVC_LOG_ERROR || table.level > KVC_LOG_DEBUG) {
    return error(KVC_E_OUT_OF_RANGE, "logger.level is %d; give KVC_LOG_ERROR (1) to KVC_LOG_DEBUG (4)", table.level);
  }
  return required(table.log != nullptr, "logger.log");
}

Status check_policy(const kvc_policy_t& table) {
  KVC_RETURN_IF_ERROR(required(table.name != nullptr, "policy.name"));
  return required(table.score != nullptr, "policy.score");
}

Status check_clock(const kvc_clock_t& table) { return required(table.now_ns != nullptr, "clock.now_ns"); }

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_config_create(const char* preset, kvc_config_t** config) noexcept {
  if (config == nullptr) return KVC_E_NULL;
  return guarded(nullptr, [&]() -> Status {
    auto object = std::make_unique<ConfigObject>();
    KVC_RETURN_IF_ERROR(Config::make(preset == nullptr ? "seamless" : preset, &object->config));
    const Handle handle = handles::reserve(HandleKind::config);
    if (handle == 0) return error(KVC_E_NO_MEMORY, "no memory for a handle");
    handles::publish(handle, object.release());
    *config = pointer_of<kvc_config_t>(handle);
    return Status::ok();
  });
}

void kvc_config_destroy(kvc_config_t* config) noexcept {
  if (config != nullptr) handles::close(handle_of(config), HandleKind::config);
}

kvc_status_t kvc_config_set(kvc_config_t* config, const char* key, const char* value) noexcept {
  return on_config(config, [&](Config& options) -> Status {
    if (key == nullptr) return null_argument("key");
    if (value == nullptr) return error(KVC_E_NULL, "value of option '%.60s' is NULL", key);
    std::string_view text;
    KVC_RETURN_IF_ERROR(text_argument(value, static_cast<size_t>(-1), "value", &text));
    return options.set(key, text);
  });
}

kvc_status_t kvc_config_get(kvc_config_t* config, const char* key, char* buffer, size_t capacity,
                            size_t* length) noexcept {
  return on_config(config, [&](Config& options) -> Status {
    if (key == nullptr) return null_argument("key");
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    std::string value;
    KVC_RETURN_IF_ERROR(options.get(key, &value));
    const size_t full = write_text(value, buffer, capacity);
    if (length != nullptr) *length = full;
    return Status::ok();
  });
}

size_t kvc_config_last_error(kvc_config_t* config, char* buffer, size_t capacity) noexcept {
  return last_error<ConfigObject>(config, buffer, capacity);
}

kvc_status_t kvc_module_info(kvc_config_t* config, char* buffer, size_t capacity, size_t* length) noexcept {
  const auto describe = [&](const Config& options) -> Status {
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    Settings settings;
    KVC_RETURN_IF_ERROR(options.resolve(&settings));
    const std::string text = describe_module(settings.model_module, canonical_options(options), module_host());
    const size_t full = write_text(text, buffer, capacity);
    if (length != nullptr) *length = full;
    return Status::ok();
  };
  if (config != nullptr) return on_config(config, describe);
  return guarded(nullptr, [&]() -> Status {
    Config defaults;
    KVC_RETURN_IF_ERROR(Config::make("seamless", &defaults));
    return describe(defaults);
  });
}

kvc_status_t kvc_config_set_backend(kvc_config_t* config, const kvc_backend_t* backend) noexcept {
  return on_config(config,
                   [&](Config& options) { return set_table(backend, "backend", &options.backend, check_backend); });
}

kvc_status_t kvc_config_set_allocator(kvc_config_t* config, const kvc_allocator_t* allocator) noexcept {
  return on_config(
      config, [&](Config& options) { return set_table(allocator, "allocator", &options.allocator, check_allocator); });
}

kvc_status_t kvc_config_set_logger(kvc_config_t* config, const kvc_logger_t* logger) noexcept {
  return on_config(config, [&](Config& options) { return set_table(logger, "logger", &options.logger, check_logger); });
}

kvc_status_t kvc_config_set_clock(kvc_config_t* config, const kvc_clock_t* clock) noexcept {
  return on_config(config, [&](Config& options) { return set_table(clock, "clock", &options.clock, check_clock); });
}

kvc_status_t kvc_config_set_policy(kvc_config_t* config, const kvc_policy_t* policy) noexcept {
  return on_config(config, [&](Config& options) { return set_table(policy, "policy", &options.policy, check_policy); });
}

kvc_status_t kvc_config_set_codec(kvc_config_t* config, const kvc_codec_t* codec) noexcept {
  return on_config(config,
                   [&](Config& options) { return set_table(codec, "codec", &options.codec, check_user_codec); });
}

uint32_t kvc_option_count() noexcept { return static_cast<uint32_t>(option_rows().size()); }

kvc_status_t kvc_option_info(uint32_t index, kvc_option_info_t* info) noexcept {
  return guarded(nullptr, [&]() -> Status {
    KVC_RETURN_IF_ERROR(check_output(info, "info"));
    if (index >= option_rows().size()) {
      return error(KVC_E_OUT_OF_RANGE, "option %u does not exist: there are %zu", index, option_rows().size());
    }
    const OptionRow& row = option_rows()[index];
    kvc_option_info_t full{};
    full.type = row.type;
    full.name = row.name;
    full.default_value = row.default_value;
    full.minimum = row.minimum;
    full.maximum = row.maximum;
    full.choices = row.choices != nullptr ? row.choices() : "";
    full.doc = row.doc;
    full.since = row.since;
    write_struct(full, info);
    return Status::ok();
  });
}

// Directories and packs of pages, without an engine.
#include <filesystem>
#include <memory>
#include <string>

#include "api/call.h"
#include "api/structs.h"

namespace kvc {
namespace {

struct Opened {
  std::unique_ptr<DiskStore> store;
  Digest key;
  bool pack = false;
};

Status open_store(const char* path, const char* key, bool read_only, Opened* out) {
  if (path == nullptr) return null_argument("path");
  if (!hash_init()) return error(KVC_E_INTERNAL, "libsodium does not start on this machine; check its installation");
  std::error_code code;
  const auto type = std::filesystem::status(path, code).type();
  if (type == std::filesystem::file_type::not_found) return error(KVC_E_NOT_FOUND, "'%.200s' is not there", path);
  out->pack = type == std::filesystem::file_type::regular;
  StoreOptions options;
  options.directory = path;
  options.read_only = true;
  if (key != nullptr && *key != '\0') {
    out->key = secret_of(key);
    options.key = std::as_bytes(std::span(out->key.bytes));
  }
  options.checkpoint_ns = 0;
  if (out->pack) return DiskStore::open_pack(options, path, &out->store);
  KVC_RETURN_IF_ERROR(DiskStore::open(options, &out->store));
  if (read_only) return Status::ok();
  // To change it: with the budget that it was made with, so that nothing leaves it.
  const uint64_t budget = out->store->stats().budget;
  out->store.reset();
  options.read_only = false;
  options.create = false;
  options.budget = budget;
  return DiskStore::open(options, &out->store);
}

Status describe_store(const Opened& opened, kvc_store_report_t* report) {
  KVC_RETURN_IF_ERROR(opened.store->for_each([&](const PageDescriptor& page) {
    ++(page.codec == kClueCodec          ? report->clues
       : page.codec == kTensorCodec      ? report->tensors
       : page.codec == kCalibrationCodec ? report->calibrations
                                         : report->pages);
    return true;
  }));
  const StoreStats stats = opened.store->stats();
  report->payload_bytes = stats.payload_bytes;
  report->stored_bytes = stats.stored_bytes;
  report->file_bytes = stats.disk_bytes;
  report->segments = stats.segments;
  report->encrypted = stats.encrypted ? 1 : 0;
  report->pack = opened.pack ? 1 : 0;
  return Status::ok();
}

StoreProgress progress_of(kvc_progress_fn progress, void* user_data, bool* stopped) {
  if (progress == nullptr) return nullptr;
  return [=](uint64_t done, uint64_t of) {
    *stopped = progress(user_data, done, of) != 0;
    return !*stopped;
  };
}

Status cancelled() { return {KVC_E_CANCELLED, "progress asked to end"}; }

// A call without a handle: its words go into the caller's struct.
template <typename Body>
kvc_status_t with_error(kvc_error_t* out, Body&& body) noexcept {
  if (out != nullptr) {
    const kvc_status_t bad = guarded(nullptr, [&] { return check_output(out, "error"); });
    if (bad != KVC_OK) return bad;
  }
  ErrorText text;
  const kvc_status_t status = guarded(&text, std::forward<Body>(body));
  write_error(status, &text, out);
  return status;
}

Status read_text(const char* path, const char* key, const char* name, std::string* out) {
  if (name == nullptr) return null_argument("name");
  Opened opened;
  KVC_RETURN_IF_ERROR(open_store(path, key, true, &opened));
  std::vector<std::byte> bytes;
  KVC_RETURN_IF_ERROR(opened.store->get_blob(name, &bytes));
  out->assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return Status::ok();
}

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_store_inspect(const char* path, const char* key, kvc_store_report_t* report,
                               kvc_error_t* error) noexcept {
  return with_error(error, [&]() -> Status {
    KVC_RETURN_IF_ERROR(check_output(report, "report"));
    Opened opened;
    KVC_RETURN_IF_ERROR(open_store(path, key, true, &opened));
    kvc_store_report_t full{};
    KVC_RETURN_IF_ERROR(describe_store(opened, &full));
    write_struct(full, report);
    return Status::ok();
  });
}

kvc_status_t kvc_store_verify(const char* path, const char* key, kvc_progress_fn progress, void* user_data,
                              kvc_store_report_t* report, kvc_error_t* error_out) noexcept {
  return with_error(error_out, [&]() -> Status {
    KVC_RETURN_IF_ERROR(check_output(report, "report"));
    Opened opened;
    KVC_RETURN_IF_ERROR(open_store(path, key, true, &opened));
    kvc_store_report_t full{};
    KVC_RETURN_IF_ERROR(describe_store(opened, &full));
    VerifyReport verified;
    bool stopped = false;
    const Status status = opened.store->verify(progress_of(progress, user_data, &stopped), &verified);
    if (stopped) return cancelled();
    KVC_RETURN_IF_ERROR(status);
    full.checked_bytes = verified.bytes;
    full.damaged = verified.damaged;
    full.locked = verified.locked;
    write_struct(full, report);
    if (verified.damaged == 0) return Status::ok();
    return error(KVC_E_CORRUPT, "%llu of %llu records in %.200s are damaged; they are not used, the others are",
                 static_cast<unsigned long long>(verified.damaged), static_cast<unsigned long long>(verified.pages), path);
  });
}

kvc_status_t kvc_store_compact(const char* path, const char* key, kvc_progress_fn progress, void* user_data,
                               kvc_store_report_t* report, kvc_error_t* error_out) noexcept {
  return with_error(error_out, [&]() -> Status {
    KVC_RETURN_IF_ERROR(check_output(report, "report"));
    Opened opened;
    KVC_RETURN_IF_ERROR(open_store(path, key, false, &opened));
    if (opened.pack) return error(KVC_E_UNSUPPORTED, "'%.200s' is a pack: it holds nothing that could go", path);
    bool stopped = false;
    const Status status = opened.store->compact(progress_of(progress, user_data, &stopped));
    if (stopped) return cancelled();
    KVC_RETURN_IF_ERROR(status);
    kvc_store_report_t full{};
    KVC_RETURN_IF_ERROR(describe_store(opened, &full));
    write_struct(full, report);
    return Status::ok();
  });
}

kvc_status_t kvc_store_text(const char* path, const char* key, const char* name, char* buffer, size_t capacity,
                            size_t* length, kvc_error_t* error) noexcept {
  return with_error(error, [&]() -> Status {
    KVC_RETURN_IF_ERROR(check_buffer(buffer, capacity));
    std::string text;
    KVC_RETURN_IF_ERROR(read_text(path, key, name, &text));
    const size_t full = write_text(text, buffer, capacity);
    if (length != nullptr) *length = full;
    return Status::ok();
  });
}

kvc_status_t kvc_config_load(kvc_config_t* config, const char* path, const char* key) noexcept {
  return call<ConfigObject>(config, [&](ConfigObject& object) -> Status {
    std::string text;
    KVC_RETURN_IF_ERROR(read_text(path, key, std::string(kSettingsBlob).c_str(), &text));
    const std::lock_guard lock(object.mutex);
    Config loaded = object.config;  // all or nothing
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      const size_t equals = line.find('=');
      if (equals == std::string::npos) continue;
      const Status status = loaded.set(line.substr(0, equals), line.substr(equals + 1));
      if (!status.is_ok() && status.code() != KVC_E_UNKNOWN_OPTION) return status;
    }
    object.config = std::move(loaded);
    return Status::ok();
  });
}

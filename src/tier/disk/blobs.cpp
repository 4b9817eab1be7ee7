// Small named values, a file each: written aside, synced, renamed, so that a crash leaves the old one or the new one.
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "tier/disk/store_impl.h"

namespace kvc::disk {
namespace {

struct BlobHeader {
  char magic[8];
  uint32_t version;
  uint32_t sealed;
  Uuid uuid;
  uint64_t bytes;  // that follow
  Checksum name_check, check;
};
constexpr char kBlobMagic[8] = {'p', 'g', 's', 'b', 'l', 'o', 'b', '\n'};
constexpr char kTemporary[] = "blob.tmp";
constexpr char kKeys[] = ".keys";  // not a name that callers may use

std::string file_of(const std::string& name) { return "blob-" + name; }
uint64_t room_of(uint64_t bytes) { return align_up(sizeof(BlobHeader) + bytes, kBlock); }

}  // namespace

Status StoreImpl::check_blob_name(std::string_view name) const {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= 64 && name[0] != '.' && std::all_of(name.begin(), name.end(), allowed)) {
    return Status::ok();
  }
  return error(KVC_E_INVALID, "a blob cannot be named '%.64s': 1 to 64 of [a-z0-9._-], not beginning with a dot",
               std::string(name).c_str());
}

Status StoreImpl::put_blob(std::string_view name, std::span<const std::byte> value) {
  KVC_RETURN_IF_ERROR(check_blob_name(name));
  if (read_only_) return error(KVC_E_UNSUPPORTED, "the store is open read-only: no blob can be put");
  if (!keys_) return write_blob(std::string(name), value, false);
  std::vector<std::byte> sealed(value.size() + kSealedOverhead);
  seal_value(keys_->blob_key(), value, sealed.data());
  return write_blob(std::string(name), sealed, false);
}

// wipe: what the file held before is overwritten first.
Status StoreImpl::write_blob(const std::string& name, std::span<const std::byte> value, bool wipe) {
  const std::lock_guard one(blob_mutex_);
  uint64_t others = 0;
  {
    const Lock lock(mutex_);
    for (const auto& [other, bytes] : blob_bytes_) others += bytes;  // the old value stays until the new one is there
  }
  if (others + room_of(value.size()) > blob_limit_) {
    return error(KVC_E_NO_MEMORY, "no room for a blob of %zu bytes: %" PRIu64 " of %" PRIu64 " are in use in %s",
                 value.size(), others, blob_limit_, options_.directory.c_str());
  }
  std::vector<std::byte> bytes(sizeof(BlobHeader) + value.size());
  BlobHeader header{};
  std::memcpy(header.magic, kBlobMagic, sizeof header.magic);
  header.version = kFormatVersion;
  header.sealed = keys_ != nullptr;
  header.uuid = uuid_;
  header.bytes = value.size();
  header.name_check = checksum(name.data(), name.size());
  if (!value.empty()) std::memcpy(bytes.data() + sizeof header, value.data(), value.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  header.check = checksum(bytes.data(), bytes.size());
  std::memcpy(bytes.data(), &header, sizeof header);

  const std::string temporary = path_of(kTemporary), path = path_of(file_of(name));
  std::unique_ptr<VfsFile> file;
  int status = vfs_->open(temporary, Vfs::kWrite | Vfs::kCreate | Vfs::kTruncate, &file);
  if (status == 0) {
    const ssize_t written = transfer_block(file.get(), true, 0, bytes.data(), bytes.size());
    status = written == static_cast<ssize_t>(bytes.size()) ? file->sync()
             : written < 0                                 ? static_cast<int>(written)
                                                           : -EIO;
    file.reset();
  }
  std::unique_ptr<VfsFile> old;
  if (wipe && status == 0 && vfs_->open(path, Vfs::kWrite, &old) == 0) {
    // From here to the rename a crash would lose both: so the new one takes its place first, the old one stays open.
    status = vfs_->rename(temporary, path);
    std::vector<std::byte> zeros(static_cast<size_t>(std::clamp<int64_t>(old->size(), 0, int64_t{1} << 24)));
    if (status == 0 && transfer_block(old.get(), true, 0, zeros.data(), zeros.size()) >= 0) (void)old->sync();
  } else if (status == 0) {
    status = vfs_->rename(temporary, path);
  }
  if (status == 0) status = vfs_->sync_directory(options_.directory);
  if (status != 0) {
    vfs_->remove(temporary);
    return io_error("write a blob in", options_.directory, status);
  }
  const Lock lock(mutex_);
  stats_.bytes_written += bytes.size();
  uint64_t& room = blob_bytes_[name];
  account(static_cast<int64_t>(room_of(value.size())));  // both were there for a moment
  account(-static_cast<int64_t>(room));
  room = room_of(value.size());
  return Status::ok();
}

bool StoreImpl::read_blob_file(const std::string& name, std::vector<std::byte>* value, Status* status) {
  std::unique_ptr<VfsFile> file;
  const int opened = vfs_->open(path_of(file_of(name)), 0, &file);
  if (opened != 0) {
    *status = opened == -ENOENT ? error(KVC_E_NOT_FOUND, "no blob '%s' in %s", name.c_str(), options_.directory.c_str())
                                : io_error("open a blob in", options_.directory, opened);
    return false;
  }
  const int64_t size = file->size();
  *status = error(KVC_E_CORRUPT, "the blob '%s' in %s is damaged", name.c_str(), options_.directory.c_str());
  if (size < static_cast<int64_t>(sizeof(BlobHeader)) || size > static_cast<int64_t>(options_.budget)) return false;
  std::vector<std::byte> bytes(static_cast<size_t>(size));
  if (transfer_block(file.get(), false, 0, bytes.data(), bytes.size()) != size) return false;
  BlobHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const Checksum check = header.check;
  std::memset(bytes.data() + offsetof(BlobHeader, check), 0, sizeof header.check);
  if (std::memcmp(header.magic, kBlobMagic, sizeof header.magic) != 0 || header.version != kFormatVersion ||
      header.uuid != uuid_ || header.bytes != bytes.size() - sizeof header || header.sealed != (keys_ != nullptr) ||
      header.name_check != checksum(name.data(), name.size()) || check != checksum(bytes.data(), bytes.size())) {
    return false;
  }
  value->assign(bytes.begin() + sizeof header, bytes.end());
  *status = Status::ok();
  return true;
}

Status StoreImpl::get_blob(std::string_view name, std::vector<std::byte>* value) {
  KVC_RETURN_IF_ERROR(check_blob_name(name));
  if (pack_) {
    const auto it = pack_blobs_.find(std::string(name));
    if (it == pack_blobs_.end()) return error(KVC_E_NOT_FOUND, "no blob '%s' in the pack", std::string(name).c_str());
    *value = it->second;
    return Status::ok();
  }
  Status status;
  std::vector<std::byte> stored;
  const std::lock_guard one(blob_mutex_);
  if (!read_blob_file(std::string(name), &stored, &status)) return status;
  if (!keys_) {
    *value = std::move(stored);
    return Status::ok();
  }
  value->resize(stored.size() - std::min(stored.size(), kSealedOverhead));
  if (open_value(keys_->blob_key(), stored, value->data())) return Status::ok();
  return error(KVC_E_CORRUPT, "the blob '%s' in %s does not open with the store's key", std::string(name).c_str(),
               options_.directory.c_str());
}

Status StoreImpl::erase_blob(std::string_view name) {
  KVC_RETURN_IF_ERROR(check_blob_name(name));
  if (read_only_) return error(KVC_E_UNSUPPORTED, "the store is open read-only: no blob can be erased");
  const std::lock_guard one(blob_mutex_);
  int status = vfs_->remove(path_of(file_of(std::string(name))));
  if (status == 0) status = vfs_->sync_directory(options_.directory);
  if (status != 0 && status != -ENOENT) return io_error("erase a blob in", options_.directory, status);
  const Lock lock(mutex_);
  if (const auto it = blob_bytes_.find(std::string(name)); it != blob_bytes_.end()) {
    account(-static_cast<int64_t>(it->second));
    blob_bytes_.erase(it);
  }
  return Status::ok();
}

std::vector<std::string> StoreImpl::blobs() {
  std::vector<std::string> names;
  const Lock lock(mutex_);
  for (const auto& [name, bytes] : blob_bytes_) {
    if (name[0] != '.') names.push_back(name);
  }
  for (const auto& [name, value] : pack_blobs_) names.push_back(name);
  return names;
}

Status StoreImpl::save_keys() { return write_blob(kKeys, keys_->save(), /*wipe=*/true); }

bool StoreImpl::load_keys() {
  std::vector<std::byte> wrapped;
  Status status;
  if (!read_blob_file(kKeys, &wrapped, &status)) return status.code() == KVC_E_NOT_FOUND;
  return keys_->load(wrapped);
}

}  // namespace kvc::disk

// Opening and closing a store.
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "tier/disk/store_impl.h"

namespace kvc::disk {
namespace {

// The room of what is not a segment and not a blob: the superblock's file, and the directory.
constexpr uint64_t kFixedRoom = 4 * kBlock;
// Beside its bytes a segment may take a block that maps them.
constexpr uint64_t kSegmentOverhead = kBlock;
constexpr uint32_t kMinSegments = 3;  // open, sealed, free

uint64_t choose_segment_bytes(uint64_t budget) {
  // An eighth of a small budget, 64 to 256 MiB of a large one, more only where there would be too many.
  uint64_t bytes = uint64_t{64} << 20;
  if (budget < bytes * 16)
    bytes = std::max<uint64_t>(budget / 16, 16 * kBlock);
  else if (budget > bytes * 256)
    bytes = std::min<uint64_t>(budget / 256, uint64_t{256} << 20);
  return bytes / kBlock * kBlock;
}

}  // namespace

uint64_t tenant_tag(const Uuid& uuid, const Keys* keys, std::string_view tenant) noexcept {
  Digest key{};
  if (keys != nullptr)
    key = keys->tag_key();
  else
    std::memcpy(key.bytes.data(), uuid.data(), uuid.size());
  return derive(key, "tenant", {reinterpret_cast<const uint8_t*>(tenant.data()), tenant.size()}).word();
}

StoreImpl::StoreImpl(const StoreOptions& options)
    : options_(options),
      vfs_(options.vfs != nullptr ? options.vfs : &posix_vfs()),
      own_memory_(options.memory == nullptr ? std::make_unique<Memory>(nullptr, UINT64_MAX) : nullptr),
      memory_(options.memory != nullptr ? options.memory : own_memory_.get()),
      buffers_(size_t{64} << 20),
      compressor_(options.zstd_level),
      read_only_(options.read_only),
      index_(memory_, this, randombytes_uniform(UINT32_MAX) | uint64_t{randombytes_uniform(UINT32_MAX)} << 32) {
  options_.queue_depth = std::clamp<uint32_t>(options_.queue_depth, 1, 1024);
  key_.assign(options.key.begin(), options.key.end());
  options_.key = {};  // the caller's memory
}

StoreImpl::~StoreImpl() {
  {
    Lock lock(mutex_);
    ending_ = true;
    wake_.notify_all();
    room_.notify_all();
    room_.wait(lock, [&] { return puts_in_flight_ == 0 && gets_in_flight_ == 0 && writing_[0] + writing_[1] == 0; });
  }
  if (background_thread_.joinable()) background_thread_.join();
  if (!read_only_ && io_ && super_) {
    try {
      // The table's last page, short as it is: opening need not go from record to record.
      for (size_t i = 0; open_ != kNone && i < segments_[open_]->table.size(); ++i) {
        Segment& segment = *segments_[open_];
        const auto& page = segment.table[i];
        page->page()->count = page->entries;
        seal_table_page(page->page());
        transfer_block(segment.file.get(), true, (segment.blocks - 1 - page->index) * kBlock, page->page(), kBlock);
        segment.dirty = true;
      }
      (void)persist();
    } catch (const std::bad_alloc&) {  // what is not durable is lost by a power cut only
    }
  }
  io_.reset();
}

Status StoreImpl::start(const std::string* pack) {
  using Io = StoreOptions::Io;
  if (!hash_init()) return error(KVC_E_INTERNAL, "libsodium does not start on this machine; check its installation");
  const uint64_t begun = now();
  KVC_RETURN_IF_ERROR(pack != nullptr ? open_pack_file(*pack) : open_directory());
  stats_.recovery_ns = now() - begun;
  sodium_memzero(key_.data(), key_.size());
  if (options_.io == Io::uring || (options_.io == Io::automatic && options_.vfs == nullptr)) {
    io_ = make_uring_engine(std::max(64u, std::bit_ceil(options_.queue_depth * 2)));
    if (!io_ && options_.io == Io::uring) {
      return error(KVC_E_UNSUPPORTED, "io_uring is not available here: %s", std::strerror(errno));
    }
  }
  if (options_.io == Io::sync) io_ = make_sync_engine();
  try {
    if (!io_) io_ = make_thread_engine(std::min(options_.queue_depth, 16u));
    background_ = options_.io != Io::sync;
    if (!read_only_) {
      Lock lock(mutex_);
      // A disk without room is found out now. What is stored already is not emptied before something is put.
      if (segments_.empty() && !make_room(&lock)) return room_failure_;
      lock.unlock();
      if (background_) background_thread_ = std::thread([this] { maintain(); });
    }
  } catch (const std::system_error& failure) {
    return error(KVC_E_IO, "the store's threads cannot be started: %s", failure.what());
  }
  return Status::ok();
}

// Reads the superblock's two copies. *found false: there is none that this store can use; *cold says why, if there is
// one.
Status StoreImpl::read_superblock(bool* found, std::string* cold) {
  Buffer buffer = buffers_.take(2 * kBlock);
  std::memset(buffer.data(), 0, 2 * kBlock);
  const ssize_t bytes = transfer_block(super_.get(), false, 0, buffer.data(), 2 * kBlock);
  if (bytes < 0) return io_error("read the superblock of", options_.directory, static_cast<int>(bytes));
  *found = false;
  if (bytes == 0) return Status::ok();
  Superblock super;
  for (int copy = 0; copy < 2; ++copy) {
    if (!read_super(buffer.data() + copy * kBlock, &super)) continue;
    if (super.version != kFormatVersion) {
      *cold = "its format version is " + std::to_string(super.version) + ", this kvc reads and writes version " +
              std::to_string(kFormatVersion);
      return Status::ok();
    }
    if (super.segment_bytes % kBlock != 0 || super.segment_bytes < 4 * kBlock || super.segment_bytes > UINT32_MAX)
      continue;
    *found = true;
    uuid_ = super.uuid;
    segment_bytes_ = super.segment_bytes;
    if ((super.encrypted != 0) != !key_.empty()) {
      return error(KVC_E_IDENTITY, "%s is %s, and %s key was given", options_.directory.c_str(),
                   super.encrypted ? "encrypted" : "not encrypted", super.encrypted ? "no" : "a");
    }
    if (super.encrypted) {
      keys_ = std::make_unique<Keys>(key_, uuid_);
      if (sodium_memcmp(keys_->check().bytes.data(), super.key_check, sizeof super.key_check) != 0) {
        return error(KVC_E_IDENTITY, "%s is encrypted with another key", options_.directory.c_str());
      }
    }
    return Status::ok();
  }
  *cold = "its superblock is damaged";
  return Status::ok();
}

// Divides the budget. found: the store is there, and its segments have the size that they have.
Status StoreImpl::plan_budget(bool found) {
  const uint64_t budget = options_.budget;
  blob_limit_ = std::clamp<uint64_t>(budget / 64, 8 * kBlock, uint64_t{16} << 20);
  const uint64_t fixed = kFixedRoom + blob_limit_;
  max_segments_ = static_cast<uint32_t>(
      std::min<uint64_t>((std::max(budget, fixed) - fixed) / (segment_bytes_ + kSegmentOverhead), kMaxSegments));
  if (max_segments_ < kMinSegments && !read_only_) {
    return error(
        KVC_E_OUT_OF_RANGE,
        "a disk budget of %" PRIu64 " bytes holds %u segments of %" PRIu64 ", %u are needed: raise it to %" PRIu64 "%s",
        budget, max_segments_, segment_bytes_, kMinSegments, fixed + kMinSegments * (segment_bytes_ + kSegmentOverhead),
        found ? ", or remove the directory" : ", or make segments smaller");
  }
  return Status::ok();
}

// Makes the directory a new, empty store.
Status StoreImpl::begin_store(const std::string& cold) {
  stats_.cold_reason = cold;
  if (!cold.empty()) {
    options_.log.write(KVC_LOG_WARN, "%s starts cold: %s", options_.directory.c_str(), cold.c_str());
  }
  std::vector<std::string> names;
  if (const int status = vfs_->list(options_.directory, &names); status != 0) {
    return io_error("list", options_.directory, status);
  }
  uint32_t number;
  for (const std::string& name : names) {  // nothing that a store did not write
    if (parse_segment_name(name, &number) || name.compare(0, 5, "blob-") == 0 || name == "blob.tmp") {
      vfs_->remove(path_of(name));
    }
  }
  randombytes_buf(uuid_.data(), uuid_.size());
  segment_bytes_ = options_.segment_bytes != 0 ? options_.segment_bytes : choose_segment_bytes(options_.budget);
  if (segment_bytes_ % kBlock != 0 || segment_bytes_ < 4 * kBlock || segment_bytes_ > (uint64_t{256} << 20)) {
    return error(KVC_E_OUT_OF_RANGE, "a segment of %" PRIu64 " bytes: give a multiple of %u, 16 KiB to 256 MiB",
                 segment_bytes_, kBlock);
  }
  KVC_RETURN_IF_ERROR(plan_budget(false));
  Superblock super{};
  std::memcpy(super.magic, kSuperMagic, sizeof super.magic);
  super.version = kFormatVersion;
  super.uuid = uuid_;
  super.segment_bytes = segment_bytes_;
  if (!key_.empty()) {
    keys_ = std::make_unique<Keys>(key_, uuid_);
    super.encrypted = 1;
    std::memcpy(super.key_check, keys_->check().bytes.data(), sizeof super.key_check);
  }
  Buffer buffer = buffers_.take(2 * kBlock);
  write_super(super, buffer.data());
  write_super(super, buffer.data() + kBlock);
  const ssize_t written = transfer_block(super_.get(), true, 0, buffer.data(), 2 * kBlock);
  int status = written == 2 * kBlock ? super_->sync() : written < 0 ? static_cast<int>(written) : -EIO;
  if (status == 0) status = vfs_->sync_directory(options_.directory);
  if (status != 0) return io_error("write the superblock of", options_.directory, status);
  stats_.bytes_written += 2 * kBlock;
  return Status::ok();
}

Status StoreImpl::open_directory() {
  if (!options_.directory.empty() && options_.directory.size() > 1 && options_.directory.back() == '/') {
    options_.directory.pop_back();
  }
  if (!read_only_ && options_.budget < StoreOptions::kMinBudget) {
    return error(KVC_E_OUT_OF_RANGE, "a disk budget of %" PRIu64 " bytes: give at least %" PRIu64, options_.budget,
                 StoreOptions::kMinBudget);
  }
  const std::string path = path_of(kSuperName);
  int status = vfs_->open(path, read_only_ ? 0 : Vfs::kWrite, &super_);
  if (status == -ENOENT && (read_only_ || !options_.create)) {
    return error(KVC_E_NOT_FOUND, "there is no store in %s", options_.directory.c_str());
  }
  if (status == -ENOENT) {
    status = vfs_->make_directory(options_.directory);
    if (status != 0) return io_error("make the directory", options_.directory, status);
    status = vfs_->open(path, Vfs::kWrite | Vfs::kCreate, &super_);
  }
  if (status != 0) return io_error("open the store in", options_.directory, status);
  if (!read_only_) {
    status = super_->lock_exclusive();
    if (status == -EAGAIN) {
      return error(KVC_E_BUSY, "%s is open for writing elsewhere: close it there, or open it read-only",
                   options_.directory.c_str());
    }
    if (status != 0) return io_error("lock the store in", options_.directory, status);
  }
  bool found = false;
  std::string cold;
  KVC_RETURN_IF_ERROR(read_superblock(&found, &cold));
  if (!found) {
    if (read_only_) {
      return error(KVC_E_CORRUPT, "the store in %s cannot be read: %s", options_.directory.c_str(),
                   cold.empty() ? "it is empty" : cold.c_str());
    }
    KVC_RETURN_IF_ERROR(begin_store(cold));
  }
  KVC_RETURN_IF_ERROR(plan_budget(found));
  account(static_cast<int64_t>(kFixedRoom));
  direct_ = options_.direct == StoreOptions::Direct::on ||
            (options_.direct == StoreOptions::Direct::automatic && segment_bytes_ >= (uint64_t{4} << 20));
  std::vector<std::string> names;
  status = vfs_->list(options_.directory, &names);
  if (status != 0) return io_error("list", options_.directory, status);
  for (const std::string& name : names) {
    if (name.compare(0, 5, "blob-") != 0) continue;
    std::unique_ptr<VfsFile> file;
    if (vfs_->open(path_of(name), 0, &file) != 0) continue;
    const uint64_t room = align_up(static_cast<uint64_t>(std::max<int64_t>(file->size(), 0)), kBlock);
    blob_bytes_[name.substr(5)] = room;
    account(static_cast<int64_t>(room));
  }
  if (!read_only_) vfs_->remove(path_of("blob.tmp"));
  if (keys_ && !load_keys()) {
    options_.log.write(KVC_LOG_WARN, "the keys of %s are damaged: what was stored for its tenants is lost",
                       options_.directory.c_str());
  }
  return adopt_segments();
}

}  // namespace kvc::disk

namespace kvc {

Status DiskStore::open(const StoreOptions& options, std::unique_ptr<DiskStore>* out) {
  if (options.directory.empty()) return error(KVC_E_INVALID, "a store needs a directory");
  if (!options.key.empty() && options.key.size() != 32) {
    return error(KVC_E_INVALID, "a store's key has 32 bytes, %zu were given", options.key.size());
  }
  if (!hash_init()) return error(KVC_E_INTERNAL, "libsodium does not start on this machine; check its installation");
  auto store = std::make_unique<disk::StoreImpl>(options);
  KVC_RETURN_IF_ERROR(store->start(nullptr));
  *out = std::move(store);
  return Status::ok();
}

Status DiskStore::open_pack(const StoreOptions& options, const std::string& path, std::unique_ptr<DiskStore>* out) {
  if (!hash_init()) return error(KVC_E_INTERNAL, "libsodium does not start on this machine; check its installation");
  StoreOptions reading = options;
  reading.read_only = true;
  reading.key = {};
  auto store = std::make_unique<disk::StoreImpl>(reading);
  KVC_RETURN_IF_ERROR(store->start(&path));
  *out = std::move(store);
  return Status::ok();
}

}  // namespace kvc

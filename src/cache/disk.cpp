#include "cache/disk.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "cache/cache.h"

namespace kvc {
namespace {

// Of a measured speed, what a new measurement counts.
constexpr double kNewest = 0.25;
// Of so many pages that were left alone because reading is slow, one is read after all: disks get better too.
constexpr uint32_t kTryAgain = 16;

}  // namespace

PageId clue_id(const Digest& key, const PageId& parent, int32_t first_token) noexcept {
  const int32_t tokens[2] = {first_token, -1};
  return page_id(key, parent, tokens);
}

PageId form_id(const Digest& key, const PageId& page, const PageForm& form) noexcept {
  if (!form.approximate) return page;
  int32_t tokens[4 + 8] = {form.aged ? -5 : -2, form.codec, static_cast<int32_t>(form.key_bits),
                           static_cast<int32_t>(form.value_bits)};
  // No codec has both.
  const Digest& named = form.format != Digest{} ? form.format : form.calibration;
  static_assert(sizeof named == 8 * sizeof(int32_t));
  std::memcpy(tokens + 4, &named, sizeof named);
  return page_id(key, page, std::span<const int32_t>(tokens, named != Digest{} ? 12 : 4));
}

size_t clue_bytes(const PageGeometry& geometry) noexcept { return sizeof(uint32_t) + geometry.page_tokens * size_t{4}; }

std::vector<std::byte> make_clue(const PageGeometry& geometry, std::span<const int32_t> tokens) {
  std::vector<std::byte> clue(clue_bytes(geometry));
  const auto n = static_cast<uint32_t>(tokens.size());
  std::memcpy(clue.data(), &n, sizeof n);
  std::memcpy(clue.data() + sizeof n, tokens.data(), tokens.size_bytes());
  return clue;
}

Digest pack_key() noexcept {
  constexpr std::string_view kPublic = "kvc prefix pack v1";
  return tenant_key(digest_of(std::as_bytes(std::span(kPublic))), kPublic);
}

PutPage page_record(const Root& root, const Codec& codec, const PageId& id, const PageId& parent,
                    std::span<const int32_t> tokens, std::span<const std::byte> payload) noexcept {
  PutPage put;
  put.record = {id, parent, root.space->digest(), tokens, codec.id(), payload};
  put.tenant = root.tenant;
  if (codec.is_clear()) put.geometry = &root.space->geometry();
  return put;
}

PutPage clue_record(const Root& root, const Digest& key, const PageId& parent, std::span<const int32_t> tokens,
                    std::span<const std::byte> clue) noexcept {
  PutPage put;
  put.record = {clue_id(key, parent, tokens[0]), parent, root.space->digest(), tokens, kClueCodec, clue};
  put.tenant = root.tenant;
  put.admit = true;
  return put;
}

Disk::Disk(const DiskOptions& options, Cache* cache, const Log& log) : options_(options), cache_(cache), log_(log) {}

StoreOptions Disk::store_options(const DiskOptions& options, const Log& log) {
  StoreOptions store;
  if (options.key) store.key = std::as_bytes(std::span(options.key->bytes));
  store.zstd_level = options.zstd_level;
  store.second_sight = options.second_sight;
  store.checkpoint_ns = 0;  // the writer syncs, when it has written something
  store.vfs = options.vfs;
  store.log = log;
  return store;
}

Status Disk::open(const DiskOptions& options, Cache* cache, const Log& log, std::unique_ptr<Disk>* out) {
  std::unique_ptr<Disk> disk(new Disk(options, cache, log));
  if (!options.path.empty()) {
    StoreOptions store = store_options(disk->options_, log);
    store.directory = options.path;
    store.budget = options.limit;
    store.read_only = options.read_only;
    store.memory = &cache->memory_;
    std::unique_ptr<DiskStore> opened;
    KVC_RETURN_IF_ERROR(DiskStore::open(store, &opened));
    const StoreStats stats = opened->stats();
    if (!stats.cold_reason.empty()) {
      log.write(KVC_LOG_WARN, "pages in %s are not used: %s", options.path.c_str(), stats.cold_reason.c_str());
    }
    log.write(KVC_LOG_INFO, "%s: %llu records found in %llu us", options.path.c_str(),
              static_cast<unsigned long long>(stats.pages), static_cast<unsigned long long>(stats.recovery_ns / 1000));
    disk->own_ = opened.get();
    KVC_RETURN_IF_ERROR(disk->attach(std::move(opened), std::nullopt, nullptr));
  }
  *out = std::move(disk);
  return Status::ok();
}

Disk::~Disk() {
  close();
  // Reads that are under way come back to this object.
  for (DiskSource& source : sources_) source.store.reset();
}

bool Disk::close(uint64_t patience_ns) noexcept {
  constexpr auto kSlice = std::chrono::milliseconds(20);
  stop_waiting();
  std::unique_lock lock(queue_mutex_);
  // Whoever used the directory leaves settings and statistics in it, also without a page.
  if (writes() && !stop_) (void)start_writer();
  stop_ = true;
  work_.notify_one();
  uint64_t seen = progress_;
  auto last = std::chrono::steady_clock::now();
  const auto waits = [&] {
    if (started_ && !ended_) return true;
    const size_t n = n_sources_.load(std::memory_order_acquire);
    return std::any_of(sources_, sources_ + n, [](const DiskSource& s) { return s.store->stats().in_flight > 0; });
  };
  while (waits()) {
    // In slices: reads that come back do not say so here.
    news_.wait_for(lock, kSlice);
    const auto now = std::chrono::steady_clock::now();
    if (std::exchange(seen, progress_) != progress_) last = now;
    if (waits() && static_cast<uint64_t>(std::chrono::nanoseconds(now - last).count()) >= patience_ns) return false;
  }
  lock.unlock();
  if (thread_.joinable()) thread_.join();
  return true;
}

void Disk::set_checkpoint(std::function<Texts()> texts) {
  const std::lock_guard lock(checkpoint_mutex_);
  checkpoint_ = std::move(texts);
}

void Disk::keep_texts() {
  Texts texts;
  {
    const std::lock_guard lock(checkpoint_mutex_);
    if (checkpoint_) texts = checkpoint_();
  }
  for (const auto& [name, text] : texts) {
    const Status status = own_->put_blob(name, std::as_bytes(std::span(text)));
    if (!status.is_ok()) log_.write(KVC_LOG_WARN, "%s was not kept: %s", name.c_str(), status.message().c_str());
  }
}

Status Disk::attach(std::unique_ptr<DiskStore> store, std::optional<Digest> key, uint64_t* pages) {
  if (pages != nullptr) *pages = store->stats().pages;
  const std::lock_guard lock(attach_mutex_);
  const size_t n = n_sources_.load(std::memory_order_relaxed);
  if (n == kMostSources) {
    return error(KVC_E_OUT_OF_RANGE, "%zu directories and packs are open already, the most that an engine takes", n);
  }
  sources_[n].store = std::move(store);
  sources_[n].key = key;
  n_sources_.store(n + 1, std::memory_order_release);
  return Status::ok();
}

size_t Disk::sources(DiskSource** out, size_t most) noexcept {
  const size_t n = std::min(n_sources_.load(std::memory_order_acquire), most);
  for (size_t i = 0; i < n; ++i) out[i] = &sources_[i];
  return n;
}

// The choice between reading pages and computing them, by the speeds measured so far. What is unknown speaks for
// reading: it is how the speed becomes known.
bool Disk::worth_reading(const Space& space, size_t tokens, size_t bytes) noexcept {
  const double compute =
      options_.prefill_speed > 0 ? 1e9 / options_.prefill_speed : space.prefill_ns().load(std::memory_order_relaxed);
  const double read = read_ns_per_byte_.load(std::memory_order_relaxed);
  if (compute <= 0 || read <= 0) return true;
  if (read * static_cast<double>(bytes) <= compute * static_cast<double>(tokens)) return true;
  return left_alone_.fetch_add(1, std::memory_order_relaxed) % kTryAgain == kTryAgain - 1;
}

void Disk::measured_read(size_t bytes, uint64_t ns) noexcept {
  if (bytes == 0) return;
  const double now = static_cast<double>(ns) / static_cast<double>(bytes);
  const double before = read_ns_per_byte_.load(std::memory_order_relaxed);
  read_ns_per_byte_.store(before == 0 ? now : before + kNewest * (now - before), std::memory_order_relaxed);
}

DiskStats Disk::stats() const {
  DiskStats s;
  s.hits = counters_.hits.get();
  s.hit_tokens = counters_.hit_tokens.get();
  s.misses = counters_.misses.get();
  s.written = counters_.written.get();
  s.demoted = counters_.demoted.get();
  s.dropped = counters_.dropped.get();
  s.damaged = counters_.damaged.get();
  s.timeouts = counters_.timeouts.get();
  s.recomputed = counters_.recomputed.get();
  s.errors = counters_.read_errors.get() + counters_.write_errors.get();
  s.waiting = waiting_.load(std::memory_order_relaxed);
  const size_t n = n_sources_.load(std::memory_order_acquire);
  for (size_t i = 0; i < n; ++i) {
    const StoreStats store = sources_[i].store->stats();
    s.read_bytes += store.bytes_read;
    if (sources_[i].store.get() != own_) continue;
    s.limit = options_.limit;
    s.pages = store.pages;
    s.bytes = store.disk_bytes;
    s.written_bytes = store.bytes_written;
    s.errors += store.syncs_failed;
  }
  if (const uint64_t at = durable_at_.load(std::memory_order_relaxed); at != 0) {
    s.durable_ns = std::max<uint64_t>(cache_->clock_.now_ns() - at, 1);
  }
  return s;
}

Status Disk::attach_directory(const std::string& path, uint64_t* pages) {
  StoreOptions store = store_options(options_, log_);
  store.directory = path;
  store.read_only = true;
  store.memory = &cache_->memory_;
  std::unique_ptr<DiskStore> opened;
  KVC_RETURN_IF_ERROR(DiskStore::open(store, &opened));
  return attach(std::move(opened), std::nullopt, pages);
}

Status Disk::attach_pack(const std::string& path, uint64_t* pages) {
  StoreOptions store = store_options(options_, log_);
  store.key = {};
  store.memory = &cache_->memory_;
  std::unique_ptr<DiskStore> opened;
  KVC_RETURN_IF_ERROR(DiskStore::open_pack(store, path, &opened));
  return attach(std::move(opened), pack_key(), pages);
}

}  // namespace kvc

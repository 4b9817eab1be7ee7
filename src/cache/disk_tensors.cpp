// Plain tensors on disk. One record a key; what was put or removed last waits here until it is there, and hides what is
// there until then.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "cache/cache.h"
#include "cache/disk.h"

namespace kvc {
namespace {

constexpr int32_t kTokens[] = {-5};  // of a tensor's record: no page has a negative token
constexpr std::string_view kSpace = "kvc plain tensors v1";
// What the store's tables may need at a time.
constexpr size_t kStoreRoom = size_t{128} << 10;

// A record's payload is the tensor, compact, its key, zeros up to a multiple of 8, and this.
struct Tail {
  uint32_t magic;
  int32_t dtype;
  uint32_t n_dims, key_bytes;
  uint64_t bytes;  // of the tensor, as it is stored
  int64_t shape[KVC_MAX_DIMS];
};
static_assert(sizeof(Tail) == 24 + 8 * KVC_MAX_DIMS);
constexpr uint32_t kMagic = 0x3154564b;       // "KVT1": compact
constexpr uint32_t kCodedMagic = 0x3254564b;  // "KVT2": coded (tensor_form.h)

Digest key_digest(std::string_view key) noexcept { return digest_of(std::as_bytes(std::span(key))); }
Digest space_digest() noexcept { return digest_of(std::as_bytes(std::span(kSpace))); }
size_t payload_bytes(size_t bytes, size_t key) { return (bytes + key + 7) / 8 * 8 + sizeof(Tail); }

// The tensor in a payload that may hold anything. False: not one of this key.
bool parse(std::span<const std::byte> payload, std::string_view key, TensorShape* shape) {
  Tail tail;
  if (payload.size() < sizeof tail) return false;
  std::memcpy(&tail, payload.data() + payload.size() - sizeof tail, sizeof tail);
  *shape = {};
  if ((tail.magic != kMagic && tail.magic != kCodedMagic) || tail.key_bytes != key.size() || !parse_dtype(tail.dtype, &shape->dtype) ||
      tail.n_dims == 0 || tail.n_dims > KVC_MAX_DIMS || tail.bytes > payload.size() ||
      payload_bytes(tail.bytes, key.size()) != payload.size() ||
      std::memcmp(payload.data() + tail.bytes, key.data(), key.size()) != 0) {
    return false;
  }
  // Of codes there are several a byte; of frames no shape can be told from the bytes.
  constexpr uint64_t kMostElements = uint64_t{1} << 40;
  shape->coded = tail.magic == kCodedMagic;
  shape->stored_bytes = tail.bytes;
  const uint64_t most = shape->coded ? kMostElements : tail.bytes;
  uint64_t elements = 1;
  shape->n_dims = tail.n_dims;
  for (uint32_t d = tail.n_dims; d-- > 0;) {
    if (tail.shape[d] <= 0 || static_cast<uint64_t>(tail.shape[d]) > most / elements) return false;
    shape->shape[d] = tail.shape[d];
    shape->strides[d] = static_cast<int64_t>(elements);
    elements *= static_cast<uint64_t>(tail.shape[d]);
  }
  shape->size = elements * element_bytes(shape->dtype);
  StoredForm form;
  return shape->coded ? stored_form(*shape, payload.data(), &form).is_ok() : shape->size == tail.bytes;
}

size_t waiting_bytes(const TensorChange& change) { return change.blob ? change.shape.stored_bytes : 0; }

}  // namespace

PageId tensor_id(const Digest& tenant_key, std::string_view key) noexcept {
  return page_id(tenant_key, key_digest(key), kTokens);
}

PreparedChange Disk::prepare(std::string_view tenant, std::string_view key, const BlobRef& blob,
                             const TensorShape& shape, bool admit) const {
  PreparedChange prepared;
  const size_t n = n_sources_.load(std::memory_order_acquire);
  if (n == 0) return prepared;
  const PageId id = tensor_id(tenant_key(cache_->options().secret, tenant), key);
  for (size_t i = 0; i < n; ++i) {
    if ((i == 0 && writes()) || sources_[i].key || !sources_[i].store->contains(id)) continue;
    std::set<PageId> one = {id};
    prepared.shadow = one.extract(one.begin());
    break;
  }
  if (!writes()) return prepared;
  TensorChanges one;
  one.emplace(id, std::make_shared<TensorChange>(
                      TensorChange{std::string(tenant), std::string(key), blob, shape, admit}));
  prepared.change = one.extract(one.begin());
  return prepared;
}

bool Disk::note(PreparedChange* prepared, bool only_if_room) noexcept {
  const size_t most = cache_->memory_.limit() / 8;
  const std::lock_guard lock(queue_mutex_);
  if (!prepared->shadow.empty()) shadowed_.insert(std::move(prepared->shadow));
  if (prepared->change.empty()) return true;
  TensorChange& change = *prepared->change.mapped();
  const size_t bytes = waiting_bytes(change);
  const bool room = queued_bytes_ == 0 || queued_bytes_ + bytes <= most;
  if (stop_ ? !only_if_room : !start_writer()) return false;
  if (!room && only_if_room) return false;
  if (!room) prepared->spare = std::move(change.blob);
  queued_bytes_ += waiting_bytes(change);
  auto [at, inserted, left] = changes_.insert(std::move(prepared->change));
  if (inserted) {
    waiting_.fetch_add(1, std::memory_order_relaxed);
  } else {
    queued_bytes_ -= waiting_bytes(*at->second);
    std::swap(at->second, left.mapped());
    prepared->change = std::move(left);
  }
  work_.notify_one();
  return true;
}

void Disk::tensor_evicted(const StoredTensor& tensor) noexcept {
  // With second sight it was offered once: to leave memory is not to be seen again.
  if (!writes() || options_.second_sight) return;
  try {
    if (!wants_tensor(tensor_id(tenant_key(cache_->options().secret, tensor.tenant()), tensor.name()))) return;
    PreparedChange prepared = prepare(tensor.tenant(), tensor.name(), tensor.blob, tensor.shape, false);
    if (!note(&prepared, /*only_if_room=*/true)) counters_.dropped.add();
  } catch (const std::bad_alloc&) {
    counters_.dropped.add();
  }
}

bool Disk::wants_tensor(const PageId& id) noexcept {
  if (!writes()) return false;
  {
    const std::lock_guard lock(queue_mutex_);
    if (changes_.contains(id)) return false;
  }
  return !own_->contains(id);
}

DiskStore* Disk::tensor_holder(const PageId& id, BlobRef* blob, TensorShape* shape, uint64_t* bytes) noexcept {
  bool shadowed;
  {
    const std::lock_guard lock(queue_mutex_);
    if (const auto it = changes_.find(id); it != changes_.end()) {
      if (it->second->blob) {
        *blob = it->second->blob;
        *shape = it->second->shape;
      }
      return nullptr;
    }
    shadowed = shadowed_.contains(id);
  }
  const size_t n = n_sources_.load(std::memory_order_acquire);
  for (size_t i = 0; i < n; ++i) {
    const bool changes = i == 0 && writes();
    if (sources_[i].key || (shadowed && !changes)) continue;
    if (sources_[i].store->contains(id, bytes)) return sources_[i].store.get();
  }
  return nullptr;
}

bool Disk::has_tensor(std::string_view tenant, std::string_view key) noexcept {
  if (!reads()) return false;
  BlobRef blob;
  TensorShape shape;
  uint64_t bytes = 0;
  const PageId id = tensor_id(tenant_key(cache_->options().secret, tenant), key);
  return tensor_holder(id, &blob, &shape, &bytes) != nullptr || blob;
}

bool Disk::read_tensor(std::string_view tenant, std::string_view key, BlobRef* blob, TensorShape* shape) {
  if (!reads()) return false;
  const PageId id = tensor_id(tenant_key(cache_->options().secret, tenant), key);
  uint64_t bytes = 0;
  DiskStore* const store = tensor_holder(id, blob, shape, &bytes);
  if (store == nullptr) return static_cast<bool>(*blob);
  // Outlives the call if the disk does not answer in time.
  struct Read {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false, given_up = false;
    DiskMiss result = DiskMiss::none;
    BlobRef blob;
  };
  const auto read = std::make_shared<Read>();
  if (overdue_.load(std::memory_order_relaxed) > 0) {
    counters_.timeouts.add();
    return false;
  }
  if (bytes > cache_->memory_.limit() || !cache_->new_blob(bytes, &read->blob)) return false;
  GetPage page;
  page.id = id;
  page.parent = key_digest(key);
  page.space = space_digest();
  page.tokens = kTokens;
  page.codec = kTensorCodec;
  page.payload_bytes = bytes;
  page.out = {read->blob.data(), bytes};
  (void)store->get(page, [read, this](DiskMiss result) {
    const std::lock_guard lock(read->mutex);
    read->done = true;
    read->result = result;
    if (read->given_up) overdue_.fetch_sub(1, std::memory_order_relaxed);
    read->changed.notify_one();
  });
  {
    constexpr uint64_t kForever = uint64_t{1} << 60;
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::nanoseconds(std::min<uint64_t>(options_.timeout_ns, kForever));
    std::unique_lock lock(read->mutex);
    // In slices, so that an engine that ends is not waited for long.
    while (!read->done && !stopping_.load(std::memory_order_relaxed)) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= until) break;
      read->changed.wait_until(lock, std::min(until, now + std::chrono::milliseconds(50)));
    }
    if (!read->done) {
      read->given_up = true;
      overdue_.fetch_add(1, std::memory_order_relaxed);
      counters_.timeouts.add();
      return false;
    }
  }
  if (read->result == DiskMiss::none && parse({read->blob.data(), bytes}, key, shape)) {
    counters_.hits.add();
    *blob = std::move(read->blob);
    return true;
  }
  if (read->result == DiskMiss::none || read->result == DiskMiss::damaged || read->result == DiskMiss::tokens) {
    counters_.damaged.add();
  } else if (read->result == DiskMiss::io) {
    counters_.read_errors.add();
  }
  return false;
}

Status Disk::put_tensor(DiskStore& store, const TensorChange& tensor, const PageId& id) {
  const size_t bytes = tensor.shape.stored_bytes, all = payload_bytes(bytes, tensor.key.size());
  BlobRef payload;
  if (!cache_->new_blob(all, &payload)) {
    return error(KVC_E_NO_MEMORY, "no room to write a tensor of %zu bytes: nothing more can be evicted", bytes);
  }
  Tail tail = {tensor.shape.coded ? kCodedMagic : kMagic, static_cast<int32_t>(tensor.shape.dtype), tensor.shape.n_dims,
               static_cast<uint32_t>(tensor.key.size()), bytes, {}};
  std::copy_n(tensor.shape.shape, tail.n_dims, tail.shape);
  std::memcpy(payload.data(), tensor.blob.data(), bytes);
  std::memset(payload.data() + bytes, 0, all - bytes);
  std::memcpy(payload.data() + bytes, tensor.key.data(), tensor.key.size());
  std::memcpy(payload.data() + all - sizeof tail, &tail, sizeof tail);
  PutPage page;
  page.record = {id, key_digest(tensor.key), space_digest(), kTokens, kTensorCodec, {payload.data(), all}};
  page.tenant = tensor.tenant;
  page.admit = tensor.admit;
  for (int room = 8;;) {
    Status status = store.put(page);
    // The store does not evict for its tables: pages make room for them.
    if (status.code() != KVC_E_NO_MEMORY || room-- == 0 || !Cache::reclaim(cache_, kStoreRoom)) return status;
  }
}

// Brings one key on disk to where it was left. False: none waits.
bool Disk::write_tensor() noexcept {
  PageId id;
  std::shared_ptr<TensorChange> change;
  {
    const std::lock_guard lock(queue_mutex_);
    if (changes_.empty()) return false;
    id = changes_.begin()->first;
    change = changes_.begin()->second;
  }
  if (own_->contains(id)) (void)own_->erase(id);
  if (change->blob) {
    Status status;
    try {
      status = put_tensor(*own_, *change, id);
    } catch (const std::bad_alloc&) {
      status = Status(KVC_E_NO_MEMORY, {});
    }
    if (!status.is_ok()) {
      counters_.write_errors.add();
      log_.write(KVC_LOG_WARN, "a tensor was not written to disk: %s", status.message().c_str());
    } else if (own_->contains(id)) {
      counters_.written.add();
    }
  }
  TensorChanges::node_type done;  // freed without the lock
  const std::lock_guard lock(queue_mutex_);
  ++progress_;
  const auto it = changes_.find(id);
  // Changed again meanwhile: once more.
  if (it == changes_.end() || it->second != change) return true;
  queued_bytes_ -= waiting_bytes(*change);
  done = changes_.extract(it);
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

}  // namespace kvc

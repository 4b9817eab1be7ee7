// Plain tensors under a key.
#include <cstring>
#include <new>
#include <vector>

#include "attend/copy.h"
#include "cache/cache.h"
#include "cache/counters.h"

namespace kvc {
namespace {

// Copies between a strided tensor and a compact one of the same shape, row by row of the last dimension.
template <typename Row>
void for_each_row(const TensorView& tensor, Row row) {
  const size_t last = tensor.n_dims - 1;
  int64_t index[KVC_MAX_DIMS] = {};
  const size_t element = element_bytes(tensor.dtype);
  for (;;) {
    int64_t offset = 0;
    for (size_t d = 0; d < last; ++d) offset += index[d] * tensor.strides[d];
    row(tensor.data + static_cast<size_t>(offset) * element);
    size_t d = last;
    while (d > 0 && ++index[d - 1] == tensor.shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

}  // namespace

bool is_compact(const TensorView& tensor) noexcept {
  int64_t stride = 1;
  for (size_t d = tensor.n_dims; d-- > 0;) {
    if (tensor.shape[d] != 1 && tensor.strides[d] != stride) return false;
    stride *= tensor.shape[d];
  }
  return true;
}

void copy_to_compact(const TensorView& from, std::byte* to) {
  const size_t element = element_bytes(from.dtype);
  if (is_compact(from)) {
    std::memcpy(to, from.data, from.elements() * element);
    return;
  }
  const auto n = static_cast<size_t>(from.shape[from.n_dims - 1]);
  const auto stride = static_cast<size_t>(from.strides[from.n_dims - 1]) * element;
  for_each_row(from, [&](const std::byte* row) {
    copy_rows(to, element, row, stride, element, n);
    to += n * element;
  });
}

void copy_from_compact(const std::byte* from, const TensorView& to) {
  const size_t element = element_bytes(to.dtype);
  if (is_compact(to)) {
    std::memcpy(to.data, from, to.elements() * element);
    return;
  }
  const auto n = static_cast<size_t>(to.shape[to.n_dims - 1]);
  const auto stride = static_cast<size_t>(to.strides[to.n_dims - 1]) * element;
  for_each_row(to, [&](std::byte* row) {
    copy_rows(row, stride, from, element, element, n);
    from += n * element;
  });
}

void Cache::free_tensor(StoredTensor* tensor) noexcept {
  const size_t size = sizeof(StoredTensor) + tensor->tenant_bytes + tensor->key_bytes;
  tensor->~StoredTensor();
  memory_.release(tensor, size, alignof(StoredTensor), MemoryUse::metadata);
}

Status Cache::no_room(size_t bytes) const {
  return error(KVC_E_NO_MEMORY,
               "no room for a tensor of %zu bytes: %llu of %llu bytes are in use and nothing more can be evicted", bytes,
               static_cast<unsigned long long>(live_bytes()), static_cast<unsigned long long>(memory_.limit()));
}

Status Cache::put(std::string_view tenant, std::string_view key, const TensorView& view, const TensorForm& form,
                  bool to_disk) {
  TensorShape shape = TensorShape::plain(view);
  if (shape.size > memory_.limit()) {
    return error(KVC_E_NO_MEMORY, "the tensor takes %llu bytes, the whole memory budget is %llu: raise option memory",
                 static_cast<unsigned long long>(shape.size), static_cast<unsigned long long>(memory_.limit()));
  }
  BlobRef blob;
  if (form.codec == TensorCodec::identity || !is_compact(view)) {
    if (!new_blob(shape.size, &blob)) return no_room(shape.size);
    copy_to_compact(view, blob.data());
  }
  if (form.codec != TensorCodec::identity) {
    BlobRef coded;
    KVC_RETURN_IF_ERROR(code_tensor(shape, blob ? blob.data() : view.data, form,
                                    [this](size_t bytes, BlobRef* out) { return new_blob(bytes, out); }, &coded,
                                    &shape.stored_bytes));
    shape.coded = static_cast<bool>(coded);
    if (shape.coded) {
      blob = std::move(coded);
    } else if (!blob) {
      if (!new_blob(shape.size, &blob)) return no_room(shape.size);
      copy_to_compact(view, blob.data());
    }
  }
  if (to_disk && disk_->writes()) {
    PreparedChange change = disk_->prepare(tenant, key, blob, shape, /*admit=*/true);
    const std::unique_lock index(index_mutex_);
    // In memory there may be one of the same key, brought back from disk: equal, for nothing is put under it twice with
    // other numbers.
    ++tensor_changes_;
    if (disk_->note(&change, /*only_if_room=*/true)) return Status::ok();
  }
  return keep_tensor(tenant, key, std::move(blob), shape, nullptr);
}

Status Cache::keep_tensor(std::string_view tenant, std::string_view key, BlobRef blob, const TensorShape& shape,
                          const uint64_t* since) {
  const size_t bytes = shape.stored_bytes;
  // Everything that allocates comes before the lock: the map's node is made in a map of its own.
  void* memory =
      memory_.allocate(sizeof(StoredTensor) + tenant.size() + key.size(), alignof(StoredTensor), MemoryUse::metadata);
  if (memory == nullptr) return no_room(bytes);
  auto* tensor = new (memory) StoredTensor();
  tensor->is_tensor = true;
  tensor->bytes = blob.bytes();
  tensor->blob = std::move(blob);
  tensor->shape = shape;
  tensor->tenant_bytes = static_cast<uint32_t>(tenant.size());
  tensor->key_bytes = static_cast<uint32_t>(key.size());
  auto* text = reinterpret_cast<char*>(tensor + 1);
  std::memcpy(text, tenant.data(), tenant.size());
  std::memcpy(text + tenant.size(), key.data(), key.size());
  const TensorKey name{tensor->tenant(), tensor->name()};
  PolicyEntry& entry = *tensor;
  entry.key = std::hash<std::string_view>{}(tensor->name());

  TensorMap one(tensors_.get_allocator());
  PreparedChange change;
  try {
    one.emplace(name, tensor);
    if (since == nullptr) change = disk_->prepare(tenant, key, tensor->blob, shape, /*admit=*/false);
  } catch (const std::bad_alloc&) {
    one.clear();
    free_tensor(tensor);
    return no_room(bytes);
  }
  TensorMap::node_type node = one.extract(one.begin());
  TensorMap::node_type old;
  {
    std::unique_lock index(index_mutex_);
    std::lock_guard policy(policy_mutex_);
    if ((since == nullptr || *since == tensor_changes_) && policy_->reserve()) {
      if (since == nullptr) {
        ++tensor_changes_;
        disk_->note(&change);
      }
      old = tensors_.extract(name);
      if (!old.empty()) policy_->removed(*old.mapped());
      policy_->inserted(*tensor);
      policy_->evictable(*tensor, true);
      tensors_.insert(std::move(node));
      if (old.empty()) counters_->tensors.fetch_add(1, std::memory_order_relaxed);
      tensor = nullptr;
    }
  }
  if (!old.empty()) free_tensor(old.mapped());
  if (tensor != nullptr) {
    free_tensor(tensor);
    return no_room(bytes);
  }
  collect();
  return Status::ok();
}

Status Cache::get(std::string_view tenant, std::string_view key, bool* found,
                  const std::function<Status(const TensorShape& stored)>& copy) {
  BlobRef blob;
  TensorShape shape;
  uint64_t since = 0;
  {
    std::shared_lock index(index_mutex_);
    since = tensor_changes_;
    const auto it = tensors_.find(TensorKey{tenant, key});
    *found = it != tensors_.end();
    if (*found) {
      StoredTensor& tensor = *it->second;
      blob = tensor.blob;  // keeps the bytes, whatever happens to the entry, once the lock is gone
      shape = tensor.shape;
      std::lock_guard policy(policy_mutex_);
      policy_->hit(tensor);
    }
  }
  if (!*found) {
    *found = disk_->read_tensor(tenant, key, &blob, &shape);
    if (!*found) return Status::ok();
    (void)keep_tensor(tenant, key, blob, shape, &since);  // without room it is read again next time
  }
  shape.data = blob.data();
  return copy(shape);
}

bool Cache::contains(std::string_view tenant, std::string_view key) {
  {
    std::shared_lock index(index_mutex_);
    if (tensors_.find(TensorKey{tenant, key}) != tensors_.end()) return true;
  }
  return disk_->has_tensor(tenant, key);
}

bool Cache::remove(std::string_view tenant, std::string_view key) {
  PreparedChange change = disk_->prepare(tenant, key, {}, {}, false);
  bool stored = false;
  // Freed when the locks are given back.
  const TensorMap::node_type node = [&] {
    std::unique_lock index(index_mutex_);
    std::lock_guard policy(policy_mutex_);
    stored = disk_->has_tensor(tenant, key);
    if (stored) disk_->note(&change);
    ++tensor_changes_;
    TensorMap::node_type taken = tensors_.extract(TensorKey{tenant, key});
    if (!taken.empty()) {
      policy_->removed(*taken.mapped());
      counters_->tensors.fetch_sub(1, std::memory_order_relaxed);
    }
    return taken;
  }();
  if (node.empty()) return stored;
  free_tensor(node.mapped());
  return true;
}

bool Cache::note_tensors(bool admit) {
  std::vector<PreparedChange> prepared;  // outlives the lock
  bool noted = false;
  // Shared: no tensor is put or removed meanwhile.
  std::shared_lock index(index_mutex_);
  for (const auto& [name, tensor] : tensors_) {
    if (!disk_->wants_tensor(tensor_id(tenant_key(options_.secret, name.first), name.second))) continue;
    prepared.push_back(disk_->prepare(name.first, name.second, tensor->blob, tensor->shape, admit));
    if (!disk_->note(&prepared.back(), /*only_if_room=*/true)) return noted;
    noted = true;
  }
  return noted;
}

}  // namespace kvc

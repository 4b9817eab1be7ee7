// Tensors: describing them, and plain ones under a key.
#include <algorithm>
#include <cstring>

#include "api/call.h"
#include "api/structs.h"
#include "cache/tensor_form.h"

namespace kvc {
namespace {

Status describe(kvc_tensor_t* tensor, void* data, int32_t dtype, size_t tokens, uint32_t heads, uint32_t dim,
                bool heads_first) {
  if (tensor == nullptr) return null_argument("tensor");
  if (data == nullptr) return null_argument("data");
  DType type{};
  if (!parse_dtype(dtype, &type))
    return error(KVC_E_DTYPE, "dtype is %d; give KVC_F32 (1), KVC_F16 (2) or KVC_BF16 (3)", dtype);
  uint64_t bytes = element_bytes(type);
  for (const uint64_t extent : {uint64_t{tokens}, uint64_t{heads}, uint64_t{dim}}) {
    if (extent == 0 || __builtin_mul_overflow(bytes, extent, &bytes) || bytes > INT64_MAX) {
      return error(KVC_E_OUT_OF_RANGE,
                   "%zu tokens x %u heads x %u: each must be at least 1, and the bytes fit into 63 bits", tokens, heads,
                   dim);
    }
  }
  *tensor = {};
  tensor->struct_size = sizeof *tensor;
  tensor->data = data;
  tensor->size = bytes;
  tensor->dtype = dtype;
  tensor->n_dims = 3;
  tensor->shape[0] = static_cast<int64_t>(tokens);
  tensor->shape[1] = heads;
  tensor->shape[2] = dim;
  tensor->strides[0] = heads_first ? dim : int64_t{heads} * dim;
  tensor->strides[1] = heads_first ? static_cast<int64_t>(tokens) * dim : dim;
  tensor->strides[2] = 1;
  return Status::ok();
}

Status key_argument(const void* key, size_t size, std::string_view* out) {
  if (key == nullptr) return null_argument("key");
  constexpr size_t kLongestKey = 4096;
  if (size < 1 || size > kLongestKey) {
    return error(KVC_E_OUT_OF_RANGE, "key_size is %zu; give 1 to %zu bytes", size, kLongestKey);
  }
  *out = {static_cast<const char*>(key), size};
  return Status::ok();
}

std::string shape_text(uint32_t n_dims, const int64_t* shape) {
  std::string text;
  for (uint32_t i = 0; i < n_dims; ++i) text.append("[").append(std::to_string(shape[i])).append("]");
  return text;
}

void describe_stored(const TensorShape& stored, kvc_tensor_t* out) {
  out->data = nullptr;
  out->size = stored.size;
  out->dtype = static_cast<int32_t>(stored.dtype);
  out->n_dims = stored.n_dims;
  std::copy(std::begin(stored.shape), std::end(stored.shape), out->shape);
  std::copy(std::begin(stored.strides), std::end(stored.strides), out->strides);
}

Status copy_out(const TensorShape& stored, const kvc_tensor_t& wanted) {
  TensorView view;
  KVC_RETURN_IF_ERROR(view_of(wanted, "tensor", &view));
  if (view.dtype != stored.dtype) {
    return error(KVC_E_DTYPE, "the tensor is stored as %s, the buffer is %s; give one of the same dtype",
                 dtype_name(stored.dtype), dtype_name(view.dtype));
  }
  if (view.n_dims != stored.n_dims || !std::equal(view.shape, view.shape + view.n_dims, stored.shape)) {
    return error(KVC_E_SHAPE, "the stored tensor is %s, the buffer is %s; ask for the shape with data NULL",
                 shape_text(stored.n_dims, stored.shape).c_str(), shape_text(view.n_dims, view.shape).c_str());
  }
  return copy_stored(stored, stored.data, view);
}

Status form_argument(const kvc_put_options_t* in, const Settings& settings, TensorForm* form) {
  kvc_put_options_t options{};
  if (in != nullptr) KVC_RETURN_IF_ERROR(read_struct(in, "options", &options));
  std::string name;
  KVC_RETURN_IF_ERROR(name_argument(options.codec, "options.codec", &name));
  if (options.codec == nullptr) name = settings.tensor_codec;
  if (!find_tensor_codec(name, &form->codec)) {
    return error(KVC_E_INVALID, "options.codec is '%.60s'; give one of %s", name.c_str(), kTensorCodecs);
  }
  if (options.plane != KVC_KEY && options.plane != KVC_VALUE) {
    return error(KVC_E_OUT_OF_RANGE, "options.plane is %d; give KVC_KEY (0) or KVC_VALUE (1)", options.plane);
  }
  if (options.reserved != 0) return error(KVC_E_INVALID, "options.reserved is %u; it must be 0", options.reserved);
  form->plane = options.plane;
  return Status::ok();
}

Status put(EngineObject& object, const char* tenant, const void* key, size_t key_size, const kvc_tensor_t* tensor,
           const kvc_put_options_t* options) {
  std::string name;
  std::string_view key_bytes;
  kvc_tensor_t full{};
  TensorView view;
  TensorForm form;
  KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
  KVC_RETURN_IF_ERROR(key_argument(key, key_size, &key_bytes));
  KVC_RETURN_IF_ERROR(read_struct(tensor, "tensor", &full));
  KVC_RETURN_IF_ERROR(view_of(full, "tensor", &view));
  KVC_RETURN_IF_ERROR(form_argument(options, object.engine->settings(), &form));
  return object.engine->cache().put(name, key_bytes, view, form);
}

}  // namespace
}  // namespace kvc

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_tensor_thd(kvc_tensor_t* tensor, void* data, int32_t dtype, size_t tokens, uint32_t heads,
                            uint32_t dim) noexcept {
  return guarded(nullptr, [&] { return describe(tensor, data, dtype, tokens, heads, dim, false); });
}

kvc_status_t kvc_tensor_htd(kvc_tensor_t* tensor, void* data, int32_t dtype, size_t tokens, uint32_t heads,
                            uint32_t dim) noexcept {
  return guarded(nullptr, [&] { return describe(tensor, data, dtype, tokens, heads, dim, true); });
}

kvc_status_t kvc_put(kvc_engine_t* engine, const char* tenant, const void* key, size_t key_size,
                     const kvc_tensor_t* tensor) noexcept {
  return on_engine(engine,
                   [&](EngineObject& object) { return put(object, tenant, key, key_size, tensor, nullptr); });
}

kvc_status_t kvc_put_with(kvc_engine_t* engine, const char* tenant, const void* key, size_t key_size,
                          const kvc_tensor_t* tensor, const kvc_put_options_t* options) noexcept {
  return on_engine(engine,
                   [&](EngineObject& object) { return put(object, tenant, key, key_size, tensor, options); });
}

kvc_status_t kvc_tensor_info(kvc_engine_t* engine, const char* tenant, const void* key, size_t key_size,
                             kvc_tensor_info_t* info, int32_t* found) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string name;
    std::string_view key_bytes;
    if (found == nullptr) return null_argument("found");
    KVC_RETURN_IF_ERROR(check_output(info, "info"));
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    KVC_RETURN_IF_ERROR(key_argument(key, key_size, &key_bytes));
    bool hit = false;
    kvc_tensor_info_t full{};
    KVC_RETURN_IF_ERROR(object.engine->cache().get(name, key_bytes, &hit, [&](const TensorShape& stored) -> Status {
      StoredForm form;
      KVC_RETURN_IF_ERROR(stored_form(stored, stored.data, &form));
      full.codec = form.codec;
      full.bytes = form.bytes;
      full.raw_bytes = stored.size;
      full.error = form.error;
      full.approximate = form.error > 0 ? 1 : 0;
      full.plane = form.plane;
      return Status::ok();
    }));
    if (hit) write_struct(full, info);
    *found = hit ? 1 : 0;
    return Status::ok();
  });
}

kvc_status_t kvc_get(kvc_engine_t* engine, const char* tenant, const void* key, size_t key_size, kvc_tensor_t* tensor,
                     int32_t* found) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string name;
    std::string_view key_bytes;
    kvc_tensor_t full{};
    if (found == nullptr) return null_argument("found");
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    KVC_RETURN_IF_ERROR(key_argument(key, key_size, &key_bytes));
    KVC_RETURN_IF_ERROR(read_struct(tensor, "tensor", &full));
    bool hit = false;
    KVC_RETURN_IF_ERROR(object.engine->cache().get(name, key_bytes, &hit, [&](const TensorShape& stored) -> Status {
      if (full.data != nullptr) return copy_out(stored, full);
      describe_stored(stored, &full);
      write_struct(full, tensor);
      return Status::ok();
    }));
    *found = hit ? 1 : 0;
    return Status::ok();
  });
}

kvc_status_t kvc_contains(kvc_engine_t* engine, const char* tenant, const void* key, size_t key_size,
                          int32_t* found) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string name;
    std::string_view key_bytes;
    if (found == nullptr) return null_argument("found");
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    KVC_RETURN_IF_ERROR(key_argument(key, key_size, &key_bytes));
    *found = object.engine->cache().contains(name, key_bytes) ? 1 : 0;
    return Status::ok();
  });
}

kvc_status_t kvc_remove(kvc_engine_t* engine, const char* tenant, const void* key, size_t key_size,
                        int32_t* removed) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string name;
    std::string_view key_bytes;
    KVC_RETURN_IF_ERROR(name_argument(tenant, "tenant", &name));
    KVC_RETURN_IF_ERROR(key_argument(key, key_size, &key_bytes));
    const bool was_stored = object.engine->cache().remove(name, key_bytes);
    if (removed != nullptr) *removed = was_stored ? 1 : 0;
    return Status::ok();
  });
}

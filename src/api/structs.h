// Versions of public structs: the rule of clone3(2).
//
// In:  a struct from an older caller is shorter; what it lacks has its default. One from a newer caller is longer; what
//      this library does not know must be zero. Shorter than the first release, or longer than any struct will be, is an error.
// Out: what this library knows is written, up to the caller's struct_size; the rest of a longer struct is zeroed.
// In an array all elements have the struct_size of the first, which is the distance between them.
//
// Structs inside structs: never by value, so that each may grow. kvc_space_desc_t points to kvc_rope_t and kvc_adapter_t
// (SpaceDesc, below), kvc_model_info_t to kvc_space_desc_t (model/description); each is read by its own struct_size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "api/guard.h"
#include "base/status.h"
#include "kvc/kvc.h"

namespace kvc {

// sizeof of each struct when it was first released: never changes, however the struct grows.
template <typename T>
struct FirstSize;
#define KVC_FIRST_SIZE(type, size)              \
  template <>                                   \
  struct FirstSize<type> {                      \
    static constexpr size_t kBytes = size;      \
    static constexpr const char* kName = #type; \
    static_assert(sizeof(type) >= size);        \
  }
KVC_FIRST_SIZE(kvc_error_t, 520);
KVC_FIRST_SIZE(kvc_allocator_t, 32);
KVC_FIRST_SIZE(kvc_logger_t, 32);
KVC_FIRST_SIZE(kvc_clock_t, 24);
KVC_FIRST_SIZE(kvc_option_info_t, 72);
KVC_FIRST_SIZE(kvc_request_t, 136);
KVC_FIRST_SIZE(kvc_adapter_t, 32);
KVC_FIRST_SIZE(kvc_rope_t, 80);
KVC_FIRST_SIZE(kvc_space_desc_t, 112);
KVC_FIRST_SIZE(kvc_space_info_t, 80);
KVC_FIRST_SIZE(kvc_tensor_t, 160);
KVC_FIRST_SIZE(kvc_session_options_t, 32);
KVC_FIRST_SIZE(kvc_session_info_t, 56);
KVC_FIRST_SIZE(kvc_page_info_t, 192);
KVC_FIRST_SIZE(kvc_stats_t, 456);
KVC_FIRST_SIZE(kvc_attend_t, 72);
KVC_FIRST_SIZE(kvc_backend_t, 104);
KVC_FIRST_SIZE(kvc_message_t, 24);
KVC_FIRST_SIZE(kvc_store_report_t, 88);
KVC_FIRST_SIZE(kvc_policy_t, 40);
KVC_FIRST_SIZE(kvc_whatif_t, 72);
KVC_FIRST_SIZE(kvc_metrics_t, 32);
KVC_FIRST_SIZE(kvc_codec_t, 56);
KVC_FIRST_SIZE(kvc_put_options_t, 24);
KVC_FIRST_SIZE(kvc_tensor_info_t, 48);
#undef KVC_FIRST_SIZE

// No public struct will be larger: a struct_size beyond is an uninitialised one.
constexpr size_t kLargestStruct = 4096;

template <typename T>
Status check_struct_size(size_t size, const char* what) {
  if (size < FirstSize<T>::kBytes || size > kLargestStruct) {
    return error(KVC_E_STRUCT_SIZE, "%s: struct_size is %zu; set it to sizeof(%s), which is %zu here", what, size,
                 FirstSize<T>::kName, sizeof(T));
  }
  return Status::ok();
}

template <typename T>
Status read_struct_bytes(const void* in, size_t size, const char* what, T* out) {
  KVC_RETURN_IF_ERROR(check_struct_size<T>(size, what));
  const auto* bytes = static_cast<const unsigned char*>(in);
  if (size > sizeof(T)) {
    const auto* unknown = std::find_if(bytes + sizeof(T), bytes + size, [](unsigned char byte) { return byte != 0; });
    if (unknown != bytes + size) {
      return error(KVC_E_STRUCT_SIZE,
                   "%s: struct_size is %zu and byte %zu is set, but this library (%s) knows %zu bytes of %s: set the "
                   "newer fields to 0 or "
                   "update the library",
                   what, size, static_cast<size_t>(unknown - bytes), kvc_version_string(), sizeof(T),
                   FirstSize<T>::kName);
    }
  }
  std::memcpy(static_cast<void*>(out), bytes, std::min(size, sizeof(T)));
  out->struct_size = sizeof(T);
  return Status::ok();
}

// *out holds the defaults before the call, and is of full size after it. `what` is the parameter's name.
template <typename T>
Status read_struct(const T* in, const char* what, T* out) {
  if (in == nullptr) return error(KVC_E_NULL, "%s is NULL", what);
  size_t size = 0;
  std::memcpy(&size, in, sizeof size);
  return read_struct_bytes(in, size, what, out);
}

// Element i of an array; `stride` is the struct_size of the first one.
template <typename T>
Status read_element(const T* array, size_t stride, size_t i, const char* what, T* out) {
  const unsigned char* at = reinterpret_cast<const unsigned char*>(array) + i * stride;
  size_t size = 0;
  std::memcpy(&size, at, sizeof size);
  if (size != stride) {
    return error(KVC_E_STRUCT_SIZE, "%s[%zu]: struct_size is %zu, but that of %s[0] is %zu; all elements have the same",
                 what, i, size, what, stride);
  }
  return read_struct_bytes(at, size, what, out);
}

// The distance between the elements of an array.
template <typename T>
Status array_stride(const T* array, const char* what, size_t* stride) {
  std::memcpy(stride, array, sizeof *stride);
  return check_struct_size<T>(*stride, what);
}

// To be called before work is done for an output, so that the work is not lost.
template <typename T>
Status check_output(const T* out, const char* what) {
  if (out == nullptr) return error(KVC_E_NULL, "%s is NULL", what);
  size_t size = 0;
  std::memcpy(&size, out, sizeof size);
  return check_struct_size<T>(size, what);
}

template <typename T>
void write_struct(const T& full, T* out) noexcept {
  size_t size = 0;
  std::memcpy(&size, out, sizeof size);
  const size_t known = std::min(size, sizeof(T));
  auto* to = reinterpret_cast<unsigned char*>(out);
  const auto* from = reinterpret_cast<const unsigned char*>(&full);
  std::memcpy(to + sizeof size, from + sizeof size, known - sizeof size);
  if (size > known) std::memset(to + known, 0, size - known);
}

// The words of a failure for a caller without a handle; out may be NULL.
inline void write_error(kvc_status_t status, ErrorText* text, kvc_error_t* out) noexcept {
  if (out == nullptr) return;
  kvc_error_t full{};
  full.status = status;
  if (status != KVC_OK) text->copy(full.message, sizeof full.message);
  write_struct(full, out);
}

// A kvc_space_desc_t of full size, with the structs that it points to.
class SpaceDesc {
 public:
  Status read(const kvc_space_desc_t* in);
  const kvc_space_desc_t& get() const noexcept { return desc_; }

 private:
  kvc_space_desc_t desc_{};
  kvc_rope_t rope_{};
  std::vector<kvc_adapter_t> adapters_;
};

}  // namespace kvc

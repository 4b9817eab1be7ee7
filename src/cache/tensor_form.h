// The forms in which a plain tensor is kept: as it is, compressed without loss, or in codes of 8 or 4 bits.
//
// A coded tensor's bytes:
//   Header                       64 bytes; says the form, its own bytes and the tensor's, and the measured error
//   lossless   frames of at most 1 MiB (tier/disk/frames.h), each its size, its kind, its bytes
//   int8/int4  units f32 [tile], padded to 64 bytes; tiles (attend/tile.h): 64 rows each, or what is left of the last but
//              one dim
// They may come from a disk: decoding checks all that it reads besides numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/status.h"
#include "base/tensor.h"
#include "cache/blob.h"

namespace kvc {

// Pinned for ever: it is stored with tensors.
enum class TensorCodec : uint8_t { identity = 1, int8 = 2, int4 = 3, lossless = 101 };
// Names of kvc_put_options_t.codec, separated by '|'.
inline constexpr const char* kTensorCodecs = "identity|lossless|int8|int4";
bool find_tensor_codec(std::string_view name, TensorCodec* out) noexcept;

// How a tensor is asked to be kept.
struct TensorForm {
  TensorCodec codec = TensorCodec::identity;
  int plane = KVC_KEY;  // of codes: KVC_KEY, a range per channel of 64 rows; KVC_VALUE, per row, rotated
};

// A tensor's shape, with how many bytes it takes where it is kept. `size` is of the tensor itself; compact, without data.
struct TensorShape : TensorView {
  uint64_t stored_bytes = 0;
  bool coded = false;
  static TensorShape plain(const TensorView& view) noexcept;
};

// How a tensor is kept.
struct StoredForm {
  const char* codec = "identity";  // static text
  int plane = KVC_KEY;
  uint64_t bytes = 0;
  double error = 0;  // root mean square, relative; 0: bit for bit
};

using NewBlob = std::function<bool(size_t bytes, BlobRef* out)>;

// Codes a compact tensor. *out stays empty where that gains nothing, is not possible (codes of opaque bytes, of rows beyond
// 8192 numbers) or a number is not finite: it is to be kept as it is. KVC_E_NO_MEMORY. Throws std::bad_alloc.
Status code_tensor(const TensorView& tensor, const std::byte* compact, const TensorForm& form, const NewBlob& new_blob,
                   BlobRef* out, uint64_t* stored_bytes);
// Gives a tensor's numbers, whatever its form, to a tensor of the same dtype and shape. KVC_E_CORRUPT. Throws
// std::bad_alloc.
Status copy_stored(const TensorShape& stored, const std::byte* data, const TensorView& to);
// KVC_E_CORRUPT: the bytes are no form of such a tensor.
Status stored_form(const TensorShape& stored, const std::byte* data, StoredForm* out);

}  // namespace kvc

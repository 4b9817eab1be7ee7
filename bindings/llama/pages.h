// How the rows of llama.cpp's cells lie in pages of kvc, and the copying between a session and a state blob.
//
// Plain: all layers alike, of f16, bf16 or f32. A layer of kvc is a layer of the cache, with the model's heads, so that
//        kvc's codecs see what they are made for.
// Bytes: all layers alike, quantised. The rows are opaque (KVC_U8), stored as they are.
// Mixed: layers that differ, or values that are none. The rows of a token, one after the other, are opaque bytes of one
//        layer, half of them its K and half its V.
//
// Rows of sessions are read straight into the blob and appended straight from it; only transposed values and mixed
// layers go through a buffer.
#pragma once

#include <kvc/kvc.h>

#include <cstdint>
#include <span>
#include <vector>

#include "state_blob.h"

namespace kvc_llama {

struct PageLayout {
  enum class Kind { plain, bytes, mixed } kind = Kind::plain;
  uint32_t n_layers = 0, n_heads = 0, k_dim = 0, v_dim = 0;  // as in kvc_space_desc_t
  int32_t dtype = KVC_F16;
};

// heads: K/V heads of the model, for plain layouts; where a row does not divide by them it is one head. False: the rows
// of a token are more than pages can hold.
bool page_layout(const BlobShape& shape, uint32_t heads, PageLayout* out);

class PageCopier {
 public:
  PageCopier(const kvc_module_host_t* host, BlobShape shape, PageLayout layout);

  const BlobShape& shape() const noexcept { return shape_; }
  const PageLayout& layout() const noexcept { return layout_; }

  // Tokens [from, from + n) of a session into the rows of a blob of n cells. Throws Failure.
  void read(kvc_session_t* session, size_t from, const BlobRows& rows);
  // The rows of a blob, whose cells are in the order of their positions, to the end of a session. Throws Failure.
  void append(kvc_session_t* session, const BlobRows& rows);

 private:
  void describe(const BlobRows& rows, bool reading);
  void transpose(const BlobRows& rows, bool into_blob);
  void mix(const BlobRows& rows, bool into_blob);
  [[noreturn]] void fail_as(kvc_session_t* session, kvc_status_t status, const char* what) const;

  const kvc_module_host_t* const host_;
  const BlobShape shape_;
  const PageLayout layout_;
  std::vector<Rows> k_, v_;         // of all caches, in the order of BlobRows
  bool transposed_ = false;         // of any cache
  std::vector<bool> v_transposed_;  // by layer
  std::vector<kvc_tensor_t> k_tensors_, v_tensors_;
  std::vector<std::byte> buffer_;  // transposed values [layer][token][channel], or mixed rows [token][row]
};

// Brings the rows of a blob whose cells lie in any order into the order of their positions. scratch: room, kept by the
// caller.
void sort_rows(const BlobShape& shape, const std::vector<int32_t>& positions, const BlobRows& rows,
               std::vector<std::byte>* scratch);

}  // namespace kvc_llama

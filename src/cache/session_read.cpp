// Reading.
#include <algorithm>
#include <vector>

#include "attend/convert.h"
#include "attend/copy.h"
#include "cache/cache.h"
#include "cache/copy_size.h"

namespace kvc {

Status Session::check_range(uint32_t layer, int plane, size_t from, size_t n) const {
  const PageGeometry& g = geometry();
  if (layer >= g.n_layers)
    return error(KVC_E_OUT_OF_RANGE, "layer %u does not exist: the space has %u (0 to %u)", layer, g.n_layers,
                 g.n_layers - 1);
  if (plane != KVC_KEY && plane != KVC_VALUE)
    return error(KVC_E_OUT_OF_RANGE, "plane is %d: give KVC_KEY or KVC_VALUE", plane);
  const size_t end = sealed_tokens() + cursor_[layer];
  if (from > end || n > end - from) {
    return error(KVC_E_OUT_OF_RANGE, "tokens %zu to %zu were asked for, but layer %u has %zu", from, from + n, layer,
                 end);
  }
  return Status::ok();
}

Status Session::check_read(uint32_t layer, int plane, size_t from, size_t n, const TensorView& out) const {
  const PageGeometry& g = geometry();
  KVC_RETURN_IF_ERROR(check_range(layer, plane, from, n));
  if (n == 0) return Status::ok();
  if (out.dtype != g.dtype && g.dtype == DType::u8) {
    return error(KVC_E_DTYPE, "cannot read opaque bytes (u8) as %s: ask for u8", dtype_name(out.dtype));
  }
  if (out.dtype != g.dtype && out.dtype != DType::f32) {
    return error(KVC_E_DTYPE, "cannot read %s as %s: ask for %s or f32", dtype_name(g.dtype), dtype_name(out.dtype),
                 dtype_name(g.dtype));
  }
  const int64_t want[3] = {static_cast<int64_t>(n), g.n_kv_heads, g.dim(plane)};
  if (out.n_dims != 3 || !std::equal(want, want + 3, out.shape)) {
    return error(
        KVC_E_SHAPE,
        "the destination has %u dims and shape [%lld][%lld][%lld], needed is [%lld tokens][%lld heads][%lld dim]",
        out.n_dims, static_cast<long long>(out.shape[0]), static_cast<long long>(out.shape[1]),
        static_cast<long long>(out.shape[2]), static_cast<long long>(want[0]), static_cast<long long>(want[1]),
        static_cast<long long>(want[2]));
  }
  if (out.strides[2] != 1 && want[2] != 1) {
    return error(KVC_E_SHAPE, "the destination has stride %lld between the numbers of a head: needed is 1",
                 static_cast<long long>(out.strides[2]));
  }
  return Status::ok();
}

Status Session::gather(uint32_t layer, int plane, size_t from, size_t n, const TensorView& out, bool streaming) {
  const PageGeometry& g = geometry();
  const size_t sealed = sealed_pages();
  const size_t row = g.row_bytes(plane);
  const size_t out_element = element_bytes(out.dtype);
  const size_t out_head = static_cast<size_t>(out.strides[1]) * out_element;
  const size_t out_token = static_cast<size_t>(out.strides[0]) * out_element;
  const bool convert = out.dtype != g.dtype;
  std::vector<std::byte> decoded;
  std::byte* to = out.data;
  while (n > 0) {
    const size_t index = from / g.page_tokens;
    const auto in_page = static_cast<uint32_t>(from % g.page_tokens);
    const auto run = static_cast<uint32_t>(std::min<size_t>(n, g.page_tokens - in_page));
    const Page* page = index < sealed ? page_at(index) : open_[index - sealed].source;
    const BlobRef& blob = page != nullptr ? page->blob : open_[index - sealed].blob;
    const Codec& codec = page != nullptr ? cache_->codec_of(*page) : *find_codec("identity");
    const bool clear = codec.is_clear();

    // Rows in the clear: in place, or decoded straight to their destination, or (decoded and to be converted) on the
    // side.
    const std::byte* rows = nullptr;
    size_t head_stride = g.head_bytes(plane);
    if (clear) {
      rows = blob.data() + g.plane_offset(layer, plane) + in_page * row;
    } else if (codec.id() == kSparseCodecId) {
      decoded.resize(std::max(g.layer_bytes(), size_t{g.n_kv_heads} * run * row));
      head_stride = run * row;
      rows = decoded.data();
      const Status there =
          codec.decode(g, {blob.data(), blob.bytes()}, layer, plane, in_page, run, decoded.data(), head_stride, row);
      if (there.code() == KVC_E_NOT_FOUND) {
        KVC_RETURN_IF_ERROR(cache_->read_cold(*root_, page->id, layer, decoded.data()));
        head_stride = g.head_bytes(plane);
        rows = decoded.data() + g.plane_offset(0, plane) + in_page * row;
      } else {
        KVC_RETURN_IF_ERROR(there);
      }
    } else if (!convert) {
      KVC_RETURN_IF_ERROR(
          codec.decode(g, {blob.data(), blob.bytes()}, layer, plane, in_page, run, to, out_head, out_token));
    } else {
      head_stride = run * row;
      decoded.resize(g.n_kv_heads * head_stride);
      KVC_RETURN_IF_ERROR(
          codec.decode(g, {blob.data(), blob.bytes()}, layer, plane, in_page, run, decoded.data(), head_stride, row));
      rows = decoded.data();
    }
    if (convert) {
      for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
        for (uint32_t t = 0; t < run; ++t) {
          to_f32(g.dtype, rows + head * head_stride + t * row,
                 reinterpret_cast<float*>(to + head * out_head + t * out_token), g.dim(plane));
        }
      }
    } else if (rows != nullptr) {
      const RowGrid grid{g.n_kv_heads, run, head_stride, row, out_head, out_token, row};
      copy_grid(to, rows, grid, streaming);
    }
    to += run * out_token;
    from += run;
    n -= run;
  }
  return Status::ok();
}

Status Session::read(uint32_t layer, int plane, size_t from, size_t n, const TensorView& out) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(check_read(layer, plane, from, n, out));
  KVC_RETURN_IF_ERROR(wait_layer(layer));
  KVC_RETURN_IF_ERROR(settle_device());
  fill_path();
  return gather(layer, plane, from, n, out, n * geometry().row_bytes(plane) * geometry().n_kv_heads >= kStreamingBytes);
}

Status Session::read_all(size_t from, size_t n, std::span<const TensorView> k, std::span<const TensorView> v) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  const PageGeometry& g = geometry();
  for (const auto& tensors : {k, v}) {
    if (!tensors.empty() && tensors.size() != g.n_layers) {
      return error(KVC_E_SHAPE, "tensors for %zu layers were given, the space has %u", tensors.size(), g.n_layers);
    }
  }
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    if (!k.empty()) KVC_RETURN_IF_ERROR(check_read(layer, KVC_KEY, from, n, k[layer]));
    if (!v.empty()) KVC_RETURN_IF_ERROR(check_read(layer, KVC_VALUE, from, n, v[layer]));
  }
  KVC_RETURN_IF_ERROR(settle_device());
  const bool streaming = streams(n, g.n_layers);
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    KVC_RETURN_IF_ERROR(wait_layer(layer));
    fill_path();
    if (!k.empty()) KVC_RETURN_IF_ERROR(gather(layer, KVC_KEY, from, n, k[layer], streaming));
    if (!v.empty()) KVC_RETURN_IF_ERROR(gather(layer, KVC_VALUE, from, n, v[layer], streaming));
  }
  return Status::ok();
}

Status Session::view(uint32_t layer, int plane, size_t index, PlaneView* view) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  const PageGeometry& g = geometry();
  const size_t at = index * g.page_tokens;
  if (layer >= g.n_layers || at >= sealed_tokens() + cursor_[layer]) {
    return error(KVC_E_OUT_OF_RANGE, "page %zu of layer %u does not exist", index, layer);
  }
  KVC_RETURN_IF_ERROR(settle());  // afterwards pages stay where they are
  KVC_RETURN_IF_ERROR(settle_device());
  fill_path();
  const size_t sealed = sealed_pages();
  const Page* page = index < sealed ? page_at(index) : open_[index - sealed].source;
  if (page != nullptr && !cache_->codec_of(*page).is_clear()) return error(KVC_E_UNSUPPORTED, "the page is not in the clear");
  const BlobRef& blob = page != nullptr ? page->blob : open_[index - sealed].blob;
  view->data = blob.data() + g.plane_offset(layer, plane);
  view->head_stride = g.head_bytes(plane);
  view->token_stride = g.row_bytes(plane);
  view->tokens = static_cast<uint32_t>(std::min<size_t>(g.page_tokens, sealed_tokens() + cursor_[layer] - at));
  return Status::ok();
}

}  // namespace kvc

// The C interface to pages and their codes: encoding, decoding, attention.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "api.h"
#include "handle.h"

namespace kvc_cuda {
namespace {

Status read_pages(const kvc_cuda_pages_t* given, CodeArgs* out) {
  KVC_RETURN_IF_ERROR(check_struct(given, "pages"));
  struct Codec {
    const char* name;
    uint32_t id, bits;
  };
  // Numbers that are stored with pages: src/codec/quantized.cpp.
  static constexpr Codec kCodecs[] = {{"", 0, 8}, {"int8", 2, 8}, {"int4", 3, 4}, {"mixed", 4, 0}, {"svd", kSvdCodec, 8}};
  const Codec* codec = nullptr;
  for (const Codec& known : kCodecs) {
    if (std::strncmp(known.name, given->codec, sizeof given->codec) == 0) codec = &known;
  }
  if (codec == nullptr) {
    return error(KVC_E_UNSUPPORTED, "codec \"%.16s\" has no kernels; int8, int4, mixed and, to be decoded, svd have", given->codec);
  }
  if (!is_number(given->dtype) && given->dtype != KVC_CUDA_E4M3) {
    return error(KVC_E_DTYPE, "dtype %d of pages in the clear", given->dtype);
  }
  out->clear = read_view(given->clear);
  out->n_layers = given->n_layers, out->n_heads = given->n_kv_heads;
  out->dim[0] = given->k_head_dim, out->dim[1] = given->v_head_dim, out->page_tokens = given->page_tokens;
  out->number = static_cast<Number>(given->dtype);
  out->codec = codec->id;
  out->bits[0] = codec->bits != 0 ? codec->bits : given->key_bits;
  out->bits[1] = codec->bits != 0 ? codec->bits : given->value_bits;
  out->exact = std::min(given->exact_tokens, given->page_tokens);
  out->norm = 1.0f / std::sqrt(static_cast<float>(std::max(rotated_block(given->v_head_dim), 1u)));
  return Gpu::check_page(*out);
}

Status read_code(const kvc_cuda_pages_t* pages, uint32_t n, const int32_t* clear_pages, const uint64_t* encoded_pages,
                 CodeArgs* args) {
  KVC_RETURN_IF_ERROR(read_pages(pages, args));
  if (pages->codec[0] == 0) return error(KVC_E_INVALID, "no codec is named");
  if (n > 0 && encoded_pages == nullptr) return error(KVC_E_NULL, "encoded_pages is NULL");
  args->pages = n, args->clear_pages = clear_pages, args->coded_pages = encoded_pages;
  return Status::ok();
}

}  // namespace

Status read_attend(const kvc_cuda_pages_t* pages, const kvc_cuda_attend_t* given, AttendArgs* out) {
  KVC_RETURN_IF_ERROR(read_pages(pages, &out->page));
  KVC_RETURN_IF_ERROR(check_struct(given, "attend"));
  if (!is_number(given->query_dtype) || !is_number(given->out_dtype)) {
    return error(KVC_E_DTYPE, "dtypes %d of queries, %d of results", given->query_dtype, given->out_dtype);
  }
  if (given->n_encoded != nullptr && pages->codec[0] == 0) {
    return error(KVC_E_INVALID, "there are encoded pages, but no codec is named");
  }
  out->query = static_cast<const unsigned char*>(given->query), out->out = static_cast<unsigned char*>(given->out);
  out->state = given->state, out->partial = static_cast<float*>(given->room), out->lengths = given->lengths;
  out->coded_counts = given->n_encoded, out->coded_pages = given->encoded_pages, out->clear_pages = given->clear_pages;
  out->clear = out->page.clear;
  out->coded_stride = given->encoded_stride, out->clear_stride = given->clear_stride;
  out->sequences = given->n_sequences, out->kv_heads = pages->n_kv_heads, out->group = given->group;
  out->splits = given->splits, out->layer = given->layer, out->window = given->window;
  out->query_number = static_cast<Number>(given->query_dtype), out->out_number = static_cast<Number>(given->out_dtype);
  const float scale = given->scale != 0 ? given->scale : 1.0f / std::sqrt(static_cast<float>(pages->k_head_dim));
  out->scale = scale * 1.44269504088896341f;
  out->number_scale[0] = given->key_scale, out->number_scale[1] = given->value_scale;
  return Status::ok();
}

}  // namespace kvc_cuda

using namespace kvc_cuda;

kvc_status_t kvc_cuda_encoded_bytes(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, uint64_t* bytes) noexcept {
  return guarded(cuda, [&](Gpu&) -> Status {
    CodeArgs args;
    KVC_RETURN_IF_ERROR(read_pages(pages, &args));
    if (bytes == nullptr) return error(KVC_E_NULL, "bytes is NULL");
    if (args.codec == kSvdCodec) return error(KVC_E_UNSUPPORTED, "pages of codec svd are of no one length");
    *bytes = CodedLayout(args).total();
    return Status::ok();
  });
}

kvc_status_t kvc_cuda_encode(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, uint32_t n, const int32_t* clear_pages,
                             const uint64_t* encoded_pages, uint32_t* failed, const kvc_cuda_order_t* order,
                             uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    CodeArgs args;
    KVC_RETURN_IF_ERROR(read_code(pages, n, clear_pages, encoded_pages, &args));
    if (failed == nullptr) return error(KVC_E_NULL, "failed is NULL");
    args.failed = failed;
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.encode(args, own, fence);
  });
}

namespace kvc_cuda {

uint64_t svd_room_bytes(const kvc_cuda_pages_t* pages) noexcept {
  CodeArgs args;
  if (!read_pages(pages, &args).is_ok() || !Gpu::check_svd(args).is_ok()) return 0;
  return SvdRoom(args).bytes();
}

kvc_status_t encode_svd_pages(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const kvc::DeviceSvd* svd,
                              const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (svd == nullptr || svd->room == 0 || svd->failed == nullptr) return error(KVC_E_NULL, "room or failed is NULL");
    SvdEncodeArgs args;
    KVC_RETURN_IF_ERROR(read_code(pages, svd->pages, svd->clear_pages, svd->encoded_pages, &args.page));
    args.page.failed = svd->failed;
    args.room = reinterpret_cast<unsigned char*>(svd->room);
    args.bytes = svd->bytes;
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.encode_svd(args, own, fence);
  });
}

kvc_status_t merge_results(kvc_cuda_t* cuda, const kvc::DeviceMerge* merge, const kvc_cuda_order_t* order,
                           uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (merge == nullptr || merge->values == nullptr || merge->state == nullptr || merge->out == nullptr)
      return error(KVC_E_NULL, "results to be merged are NULL");
    MergeArgs args;
    args.values = static_cast<const unsigned char*>(merge->values);
    args.state = static_cast<const unsigned char*>(merge->state);
    args.out = static_cast<unsigned char*>(merge->out);
    args.stride = merge->stride;
    args.parts = merge->parts, args.rows = merge->rows, args.dim = merge->dim;
    args.number = static_cast<Number>(merge->out_dtype);
    if (!is_number(merge->out_dtype)) return error(KVC_E_DTYPE, "dtype %d of results", merge->out_dtype);
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.merge(args, own, fence);
  });
}

}  // namespace kvc_cuda

kvc_status_t kvc_cuda_decode(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, uint32_t n, const int32_t* clear_pages,
                             const uint64_t* encoded_pages, const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    CodeArgs args;
    KVC_RETURN_IF_ERROR(read_code(pages, n, clear_pages, encoded_pages, &args));
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.decode(args, own, fence);
  });
}

kvc_status_t kvc_cuda_attend_bytes(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const kvc_cuda_attend_t* attend,
                                   uint64_t* bytes) noexcept {
  return guarded(cuda, [&](Gpu&) -> Status {
    AttendArgs args;
    KVC_RETURN_IF_ERROR(read_attend(pages, attend, &args));
    if (bytes == nullptr) return error(KVC_E_NULL, "bytes is NULL");
    *bytes = partial_bytes(args);
    return Status::ok();
  });
}

kvc_status_t kvc_cuda_attend(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const kvc_cuda_attend_t* attend,
                             const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    AttendArgs args;
    KVC_RETURN_IF_ERROR(read_attend(pages, attend, &args));
    if (attend->query == nullptr || attend->out == nullptr || attend->lengths == nullptr) {
      return error(KVC_E_NULL, "query, out or lengths is NULL");
    }
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.attend(args, own, fence);
  });
}

// The C interface to bases of few directions.
#include "handle.h"

using namespace kvc_cuda;

namespace {

Status read_low_rank(const kvc_cuda_low_rank_t* given) {
  KVC_RETURN_IF_ERROR(check_struct(given, "low_rank"));
  if (!is_number(given->dtype)) return error(KVC_E_DTYPE, "dtype %d: low rank takes f32, f16 and bf16", given->dtype);
  if (given->dim == 0 || given->dim > kJacobiDim || given->rank == 0 || given->rank > given->dim ||
      given->tokens == 0) {
    return error(KVC_E_INVALID, "%u tokens of %u numbers in rank %u: rows of at most %u, and a rank of 1 to that",
                 given->tokens, given->dim, given->rank, kJacobiDim);
  }
  const int64_t size = bytes_of(static_cast<Number>(given->dtype)), row = size * given->dim;
  if (given->token_stride < row || given->token_stride % size != 0 || given->matrix_stride % size != 0 ||
      given->matrix_stride < 0) {
    return error(KVC_E_INVALID, "rows %lld and matrices %lld bytes apart: at least %lld, and multiples of %lld",
                 static_cast<long long>(given->token_stride), static_cast<long long>(given->matrix_stride),
                 static_cast<long long>(row), static_cast<long long>(size));
  }
  return Status::ok();
}

kvc_status_t low_rank_call(kvc_cuda_t* cuda, LowRank::Step step, const kvc_cuda_low_rank_t* low_rank,
                           const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    KVC_RETURN_IF_ERROR(read_low_rank(low_rank));
    if (low_rank->rows == 0 || low_rank->basis == nullptr || low_rank->room == nullptr ||
        (step != LowRank::Step::fit && low_rank->coefficients == nullptr)) {
      return error(KVC_E_NULL, "rows, basis, room or coefficients are NULL");
    }
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return cuda->low_rank.run(gpu, step, *low_rank, own, fence);
  });
}

}  // namespace

kvc_status_t kvc_cuda_low_rank_bytes(kvc_cuda_t* cuda, const kvc_cuda_low_rank_t* low_rank, uint64_t* bytes) noexcept {
  return guarded(cuda, [&](Gpu&) -> Status {
    KVC_RETURN_IF_ERROR(read_low_rank(low_rank));
    if (bytes == nullptr) return error(KVC_E_NULL, "bytes is NULL");
    *bytes = LowRank::room_bytes(*low_rank);
    return Status::ok();
  });
}

kvc_status_t kvc_cuda_low_rank_fit(kvc_cuda_t* cuda, const kvc_cuda_low_rank_t* low_rank, const kvc_cuda_order_t* order,
                                   uint64_t* fence) noexcept {
  return low_rank_call(cuda, LowRank::Step::fit, low_rank, order, fence);
}

kvc_status_t kvc_cuda_low_rank_project(kvc_cuda_t* cuda, const kvc_cuda_low_rank_t* low_rank,
                                       const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return low_rank_call(cuda, LowRank::Step::project, low_rank, order, fence);
}

kvc_status_t kvc_cuda_low_rank_restore(kvc_cuda_t* cuda, const kvc_cuda_low_rank_t* low_rank,
                                       const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return low_rank_call(cuda, LowRank::Step::restore, low_rank, order, fence);
}

// Every kernel of the module as the host runs it, by its name.
#pragma once

#include "host_block.h"
#include "kernels/attend_klt.h"
#include "kernels/launch.h"
#include "kernels/move.h"

namespace kvc_cuda {

inline void host_move(const MoveArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const MoveArgs& x) { move_rows(b, x); });
}
inline void host_copy(const CopyArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const CopyArgs& x) { copy_runs(b, x); });
}
inline void host_encode(const CodeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const CodeArgs& x) { encode_pages(b, x); });
}
inline void host_decode(const CodeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const CodeArgs& x) { decode_pages(b, x); });
}
inline void host_decode_svd(const CodeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const CodeArgs& x) { decode_svd(b, x); });
}
inline void host_svd_terms(const SvdEncodeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const SvdEncodeArgs& x) { svd_terms(b, x); });
}
inline void host_svd_share(const SvdEncodeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const SvdEncodeArgs& x) { svd_share(b, x); });
}
inline void host_svd_place(const SvdEncodeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const SvdEncodeArgs& x) { svd_place(b, x); });
}
inline void host_decode_klt(const KltArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const KltArgs& x) { decode_klt(b, x); });
}
inline void host_encode_klt(const KltEncodeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const KltEncodeArgs& x) { encode_klt(b, x); });
}
inline void host_attend(const AttendArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const AttendArgs& x) { attend_pages(b, x); });
}
inline void host_attend_mma(const AttendArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const AttendArgs& x) { attend_mma(b, x); });
}
inline void host_attend_klt(const KltAttendArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const KltAttendArgs& x) { attend_klt(b, x); });
}
inline void host_attend_klt_mma(const KltAttendArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const KltAttendArgs& x) { attend_klt_mma(b, x); });
}
inline void host_jacobi(const JacobiArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const JacobiArgs& x) { jacobi(b, x); });
}
inline void host_merge_parts(const MergeArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const MergeArgs& x) { merge_parts(b, x); });
}
inline void host_merge(const AttendArgs& a, Shape s, uint64_t seed) {
  run_on_host(s.grid, s.threads, s.shared, a, seed, [](HostBlock& b, const AttendArgs& x) { merge_splits(b, x); });
}

}  // namespace kvc_cuda

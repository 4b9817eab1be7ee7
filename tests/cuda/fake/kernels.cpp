// The module's kernels as the fake driver runs them, and what they touch.
#include "../host_kernels.h"
#include "state.h"

namespace fake {

using namespace kvc_cuda;

namespace {

void add(std::vector<Range>* ranges, const void* at, uint64_t bytes, bool write) {
  const uint64_t from = reinterpret_cast<uint64_t>(at);
  if (!ranges->empty() && ranges->back().write == write && ranges->back().at + ranges->back().bytes == from) {
    ranges->back().bytes += bytes;
  } else {
    ranges->push_back({from, bytes, write});
  }
}

// Of layers [from, to).
void rows(const View& view, int64_t page, uint32_t tokens, const CodeArgs& g, uint32_t from, uint32_t to, bool write,
          std::vector<Range>* out) {
  for (uint32_t layer = from; layer < to; ++layer)
    for (uint32_t plane = 0; plane < 2; ++plane)
      for (uint32_t head = 0; head < g.n_heads; ++head)
        for (uint32_t t = 0; t < tokens; ++t)
          add(out, view.row(page, layer, plane, head, t),
              uint64_t{g.dim_of(static_cast<int>(plane))} * bytes_of(g.number), write);
}

std::vector<Range> touched(const MoveArgs& a) {
  std::vector<Range> out;
  for (const bool write : {false, true}) {
    const int32_t* slots = write ? a.to_slots : a.from_slots;
    const View& view = write ? a.to : a.from;
    const uint32_t page_tokens = write ? a.to_page_tokens : a.from_page_tokens;
    if (slots != nullptr) add(&out, slots, a.tokens * 4ull, false);
    for (uint32_t plane = 0; plane < a.planes; ++plane)
      for (uint32_t layer = 0; layer < a.layers; ++layer)
        for (uint32_t head = 0; head < a.heads; ++head)
          for (uint32_t t = 0; t < a.tokens; ++t) {
            const int64_t from = a.from_slots != nullptr ? a.from_slots[t] : int64_t{t};
            const int64_t to = a.to_slots != nullptr ? a.to_slots[t] : int64_t{t};
            if (from < 0 || to < 0) continue;
            const int64_t at = write ? to : from;
            add(&out, view.row(at / page_tokens, layer, plane, head, static_cast<uint32_t>(at % page_tokens)),
                a.row_bytes, write);
          }
  }
  return out;
}

std::vector<Range> touched(const CopyArgs& a) {
  std::vector<Range> out;
  for (uint32_t i = 0; i < a.runs; ++i) {
    out.push_back({a.run[i].from, a.run[i].bytes, false});
    out.push_back({a.run[i].to, a.run[i].bytes, true});
  }
  return out;
}

std::vector<Range> touched(const CodeArgs& a, bool encode) {
  std::vector<Range> out;
  add(&out, a.coded_pages, a.pages * 8ull, false);
  if (a.clear_pages != nullptr) add(&out, a.clear_pages, a.pages * 4ull, false);
  for (uint32_t page = 0; page < a.pages; ++page) {
    rows(a.clear, a.clear_pages != nullptr ? a.clear_pages[page] : page, a.page_tokens, a, 0, a.n_layers,
         !encode, &out);
    uint64_t bytes = 0;
    if (a.codec == kSvdCodec) {
      const SvdPage svd(a, a.coded_pages[page]);
      bytes = svd.terms_at();
      for (uint32_t i = 0; i < svd.heads(); ++i) bytes += svd.bytes(i);
    } else {
      bytes = CodedLayout(a).total();
    }
    out.push_back({a.coded_pages[page], bytes, encode});
  }
  if (encode) out.push_back({reinterpret_cast<uint64_t>(a.failed), a.pages * 4ull, true});
  return out;
}

// A page from `header` on, and everything to its last tile's begin at least; tiles follow one another.
Range coded_of(const KltForm& form, const unsigned char* table, uint64_t header, bool write) {
  const uint32_t last = (form.n_layers * form.parts() * form.tiles() - 1) * 4;
  return {reinterpret_cast<const KltPage*>(table)->coded + header,
          uint64_t{*reinterpret_cast<const uint32_t*>(table + form.tile_at(0, 0, 0) + last)} + 4 - header, write};
}

std::vector<Range> touched(const KltArgs& a, bool encode) {
  std::vector<Range> out;
  add(&out, a.tables, a.pages * a.table_bytes, false);
  if (a.calibration != nullptr) add(&out, a.calibration, a.form.calibration_bytes(), false);
  CodeArgs geometry;
  geometry.n_layers = a.form.n_layers, geometry.n_heads = a.form.n_heads, geometry.number = a.number;
  geometry.dim[0] = a.form.k_dim, geometry.dim[1] = a.form.v_dim;
  for (uint32_t i = 0; i < a.pages; ++i) {
    const auto* table = a.tables + i * a.table_bytes;
    const auto* page = reinterpret_cast<const KltPage*>(table);
    rows(a.clear, page->clear, a.form.page_tokens, geometry, 0, a.form.n_layers, !encode, &out);
    // The header is written by others.
    out.push_back(coded_of(a.form, table, encode ? kKltHeader : 0, encode));
  }
  return out;
}

std::vector<Range> touched(const KltEncodeArgs& e) {
  std::vector<Range> out = touched(e.page, true);
  add(&out, e.analysis, e.page.form.analysis_bytes(), false);
  add(&out, e.failed, e.page.pages * 4ull, true);
  return out;
}

// terms: the first of the three kernels; else one of those that write the page.
std::vector<Range> touched(const SvdEncodeArgs& e, bool terms) {
  const CodeArgs& a = e.page;
  std::vector<Range> out;
  add(&out, e.room, a.pages * SvdRoom(a).bytes(), terms);
  add(&out, a.failed, a.pages * 4ull, terms);
  if (a.clear_pages != nullptr) add(&out, a.clear_pages, a.pages * 4ull, false);
  if (!terms) add(&out, a.coded_pages, a.pages * 8ull, false);
  for (uint32_t page = 0; page < a.pages; ++page) {
    rows(a.clear, a.clear_pages != nullptr ? a.clear_pages[page] : page, a.page_tokens, a, 0, a.n_layers, false, &out);
    if (!terms) out.push_back({a.coded_pages[page], e.bytes, true});
  }
  return out;
}

std::vector<Range> touched(const AttendArgs& a, bool merge) {
  std::vector<Range> out;
  const uint64_t heads = uint64_t{a.sequences} * a.kv_heads * a.group;
  add(&out, a.partial, partial_bytes(a), !merge);
  if (merge) {
    add(&out, a.out, heads * a.page.dim[1] * bytes_of(a.out_number), true);
    if (a.state != nullptr) add(&out, a.state, heads * 8, true);
    return out;
  }
  add(&out, a.query, heads * a.page.dim[0] * bytes_of(a.query_number), false);
  add(&out, a.lengths, a.sequences * 4ull, false);
  for (uint32_t s = 0; s < a.sequences; ++s) {
    const uint32_t pages = (a.lengths[s] + a.page.page_tokens - 1) / a.page.page_tokens;
    const uint32_t coded = a.coded_counts != nullptr ? a.coded_counts[s] : 0;
    for (uint32_t p = 0; p < pages; ++p) {
      if (p < coded) {
        out.push_back({a.coded_pages[uint64_t{s} * a.coded_stride + p], CodedLayout(a.page).total(), false});
      } else {
        const uint32_t rest = a.lengths[s] - p * a.page.page_tokens;
        rows(a.clear, a.clear_pages[uint64_t{s} * a.clear_stride + p - coded], std::min(rest, a.page.page_tokens),
             a.page, a.layer, a.layer + 1, false, &out);
      }
    }
  }
  return out;
}

std::vector<Range> touched(const KltAttendArgs& a) {
  const AttendArgs& rest = a.attend;
  std::vector<Range> out;
  const uint64_t heads = uint64_t{rest.sequences} * rest.kv_heads * rest.group;
  add(&out, rest.partial, partial_bytes(rest), true);
  add(&out, rest.query, heads * a.form.k_dim * bytes_of(rest.query_number), false);
  add(&out, rest.lengths, rest.sequences * 4ull, false);
  if (a.calibration != nullptr) add(&out, a.calibration, a.form.calibration_bytes(), false);
  for (uint32_t s = 0; s < rest.sequences; ++s) {
    const uint32_t pages = (rest.lengths[s] + a.form.page_tokens - 1) / a.form.page_tokens;
    add(&out, rest.coded_pages + uint64_t{s} * rest.coded_stride, pages * 8ull, false);
    for (uint32_t p = 0; p < pages; ++p) {
      const uint64_t table = rest.coded_pages[uint64_t{s} * rest.coded_stride + p];
      out.push_back({table, a.form.page_bytes(), false});
      out.push_back(coded_of(a.form, reinterpret_cast<const unsigned char*>(table), 0, false));
    }
  }
  return out;
}

std::vector<Range> touched(const MergeArgs& a) {
  std::vector<Range> out;
  for (uint32_t part = 0; part < a.parts; ++part) {
    add(&out, a.values + part * a.stride, uint64_t{a.rows} * a.dim * 4, false);
    add(&out, a.state + part * a.stride, a.rows * 8ull, false);
  }
  add(&out, a.out, uint64_t{a.rows} * a.dim * bytes_of(a.number), true);
  return out;
}

// Arguments are copied: a launch reads them when it is issued, the kernel runs later.
template <typename Args, typename Touch, typename Run>
void fill(const void* args, Shape shape, uint64_t seed, Touch touch, Run run, Launch* out) {
  const Args copy = *static_cast<const Args*>(args);
  out->ranges = [copy, touch] { return touch(copy); };
  out->run = [copy, shape, seed, run] { run(copy, shape, seed); };
}

}  // namespace

bool launch_of(const std::string& kernel, uint32_t grid, uint32_t threads, uint32_t shared, const void* args,
               uint64_t seed, Launch* out) {
  const Shape shape{grid, threads, shared};
  if (kernel == "kvc_move_rows") {
    fill<MoveArgs>(
        args, shape, seed, [](const MoveArgs& a) { return touched(a); }, host_move, out);
  } else if (kernel == "kvc_copy_runs") {
    fill<CopyArgs>(
        args, shape, seed, [](const CopyArgs& a) { return touched(a); }, host_copy, out);
  } else if (kernel == "kvc_encode_pages") {
    fill<CodeArgs>(
        args, shape, seed, [](const CodeArgs& a) { return touched(a, true); }, host_encode, out);
  } else if (kernel == "kvc_decode_pages") {
    fill<CodeArgs>(
        args, shape, seed, [](const CodeArgs& a) { return touched(a, false); }, host_decode, out);
  } else if (kernel == "kvc_decode_svd") {
    fill<CodeArgs>(
        args, shape, seed, [](const CodeArgs& a) { return touched(a, false); }, host_decode_svd, out);
  } else if (kernel == "kvc_decode_klt") {
    fill<KltArgs>(
        args, shape, seed, [](const KltArgs& a) { return touched(a, false); }, host_decode_klt, out);
  } else if (kernel == "kvc_encode_klt") {
    fill<KltEncodeArgs>(
        args, shape, seed, [](const KltEncodeArgs& a) { return touched(a); }, host_encode_klt, out);
  } else if (kernel == "kvc_svd_terms") {
    fill<SvdEncodeArgs>(
        args, shape, seed, [](const SvdEncodeArgs& a) { return touched(a, true); }, host_svd_terms, out);
  } else if (kernel == "kvc_svd_share") {
    fill<SvdEncodeArgs>(
        args, shape, seed, [](const SvdEncodeArgs& a) { return touched(a, false); }, host_svd_share, out);
  } else if (kernel == "kvc_svd_place") {
    fill<SvdEncodeArgs>(
        args, shape, seed, [](const SvdEncodeArgs& a) { return touched(a, false); }, host_svd_place, out);
  } else if (kernel == "kvc_attend_pages") {
    fill<AttendArgs>(
        args, shape, seed, [](const AttendArgs& a) { return touched(a, false); }, host_attend, out);
  } else if (kernel == "kvc_attend_mma") {
    fill<AttendArgs>(
        args, shape, seed, [](const AttendArgs& a) { return touched(a, false); }, host_attend_mma, out);
  } else if (kernel == "kvc_attend_klt") {
    fill<KltAttendArgs>(
        args, shape, seed, [](const KltAttendArgs& a) { return touched(a); }, host_attend_klt, out);
  } else if (kernel == "kvc_attend_klt_mma") {
    fill<KltAttendArgs>(
        args, shape, seed, [](const KltAttendArgs& a) { return touched(a); }, host_attend_klt_mma, out);
  } else if (kernel == "kvc_jacobi") {
    fill<JacobiArgs>(
        args, shape, seed,
        [](const JacobiArgs& a) {
          std::vector<Range> out;
          const uint64_t n = a.dim, all = uint64_t{a.matrices} * n;
          add(&out, a.gram, all * n * 4, true);
          add(&out, a.vectors, all * n * 4, true);
          add(&out, a.basis, all * a.rank * bytes_of(a.number), true);
          if (a.values != nullptr) add(&out, a.values, all * 4, true);
          return out;
        },
        host_jacobi, out);
  } else if (kernel == "kvc_merge_parts") {
    fill<MergeArgs>(
        args, shape, seed, [](const MergeArgs& a) { return touched(a); }, host_merge_parts, out);
  } else if (kernel == "kvc_merge_splits") {
    fill<AttendArgs>(
        args, shape, seed, [](const AttendArgs& a) { return touched(a, true); }, host_merge, out);
  } else {
    return false;
  }
  return true;
}

}  // namespace fake

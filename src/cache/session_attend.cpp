// Attention over a session's pages where they lie.
//
// Work is split by K/V head and, where there are more threads than heads, along the keys as well (flash-decoding): each
// task has a state of its own, and states of one head are merged at the end.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "attend/convert.h"
#include "cache/cache.h"

namespace kvc {
namespace {

Status check_rows(const TensorView& rows, const char* what, const char* width, int64_t n, int64_t heads, int64_t dim) {
  if (rows.n_dims != 3 || rows.shape[0] != n || rows.shape[1] != heads || rows.shape[2] != dim) {
    return error(KVC_E_SHAPE, "%s has %u dims and shape [%lld][%lld][%lld], needed is [%lld queries][%lld heads][%lld %s]",
                 what, rows.n_dims, static_cast<long long>(rows.shape[0]), static_cast<long long>(rows.shape[1]),
                 static_cast<long long>(rows.shape[2]), static_cast<long long>(n), static_cast<long long>(heads),
                 static_cast<long long>(dim), width);
  }
  if (rows.strides[2] == 1 || dim == 1) return Status::ok();
  return error(KVC_E_SHAPE, "%s has stride %lld between the numbers of a head: needed is 1", what,
               static_cast<long long>(rows.strides[2]));
}

std::byte* row_of(const TensorView& tensor, int64_t token, int64_t head) {
  return tensor.data +
         static_cast<size_t>(token * tensor.strides[0] + head * tensor.strides[1]) * element_bytes(tensor.dtype);
}

}  // namespace

// One K/V head over a range of pages.
struct Session::AttendTask {
  uint32_t head;
  size_t first_page, end_page;
  std::unique_ptr<AttendState> state;
  Status status;
  uint64_t rows = 0, left_out = 0;  // that there are, and of these what codec sparse left out
};

namespace {

// A tile whose rows do not follow one another as tiles whose rows do, for where positions matter.
template <typename Take>
void for_each_run(const AttendTile& tile, Take take) {
  for (uint32_t r = 0; r < tile.tokens;) {
    uint32_t end = r + 1;
    while (end < tile.tokens && tile.offsets[end] == tile.offsets[end - 1] + 1) ++end;
    AttendTile run;
    run.position = tile.position + tile.offsets[r];
    run.tokens = run.exact = end - r;
    run.k = {tile.k.dtype, tile.k.data + r * tile.k.stride, tile.k.stride};
    run.v = {tile.v.dtype, tile.v.data + r * tile.v.stride, tile.v.stride};
    take(std::move(run));
    r = end;
  }
}

}  // namespace

Status Session::check_attend(uint32_t layer, const AttendCall& call, const TensorView& query,
                             const TensorView& out) const {
  const PageGeometry& g = geometry();
  if (layer >= g.n_layers) {
    return error(KVC_E_OUT_OF_RANGE, "layer %u does not exist: the space has %u (0 to %u)", layer, g.n_layers,
                 g.n_layers - 1);
  }
  for (const DType dtype : {g.dtype, query.dtype, out.dtype}) {
    if (dtype == DType::u8) return error(KVC_E_DTYPE, "opaque bytes (u8) are no numbers to attend with");
  }
  const int64_t n = query.shape[0], heads = query.n_dims == 3 ? query.shape[1] : 0;
  if (heads == 0 || heads % g.n_kv_heads != 0 || n > (int64_t{1} << 24) || heads > (int64_t{1} << 20)) {
    return error(KVC_E_SHAPE,
                 "query has %u dims and %lld heads: give [queries][heads][k_head_dim] with a multiple of the space's %u "
                 "K/V heads",
                 query.n_dims, static_cast<long long>(heads), g.n_kv_heads);
  }
  KVC_RETURN_IF_ERROR(check_rows(query, "query", "k_head_dim", n, heads, g.k_dim));
  KVC_RETURN_IF_ERROR(check_rows(out, "out", "v_head_dim", n, heads, g.v_dim));
  for (const auto& [numbers, what] : {std::pair{call.slopes, "slopes"}, {call.sink_scores, "sink_scores"}}) {
    if (numbers.empty() || numbers.size() == static_cast<size_t>(heads)) continue;
    return error(KVC_E_SHAPE, "%s are for %zu heads, but query has %lld", what, numbers.size(),
                 static_cast<long long>(heads));
  }
  const size_t end = sealed_tokens() + cursor_[layer];
  if (end == 0) return error(KVC_E_OUT_OF_RANGE, "layer %u has no tokens to attend to: append some first", layer);
  if (call.position > end || static_cast<uint64_t>(n) > end - call.position) {
    return error(KVC_E_OUT_OF_RANGE, "queries of tokens %llu to %llu, but layer %u has %zu tokens",
                 static_cast<unsigned long long>(call.position), static_cast<unsigned long long>(call.position + n),
                 layer, end);
  }
  return Status::ok();
}

Status Session::restore_layer(uint32_t layer, size_t pages, Restored* out) const {
  const PageGeometry& g = geometry();
  const size_t sealed = sealed_pages();
  out->resize(pages);
  for (size_t index = 0; index < pages; ++index) {
    const Page* page = index < sealed ? page_at(index) : open_[index - sealed].source;
    if (page == nullptr || page->codec != kSparseCodecId) continue;
    (*out)[index] = std::make_unique<AlignedFloats>((g.layer_bytes() + 3) / sizeof(float), AlignedFloats::Fill::none);
    KVC_RETURN_IF_ERROR(
        cache_->read_cold(*root_, page->id, layer, reinterpret_cast<std::byte*>((*out)[index]->data())));
  }
  return Status::ok();
}

Status Session::attend_pages(uint32_t layer, const AttendCall& call, const Restored& restored, AttendTask* task) const {
  const PageGeometry& g = geometry();
  PageGeometry one_layer = g;
  one_layer.n_layers = 1;
  const size_t sealed = sealed_pages();
  const size_t end = sealed_tokens() + cursor_[layer];
  const Codec& clear = *find_codec("identity");
  AttendState* const state = task->state.get();
  // The tile that is attended to next, while its bytes are on their way.
  AttendTile waiting;
  bool has_waiting = false;
  std::vector<float> room;  // of the tile before it, for the next one
  const auto take = [&](AttendTile tile) {
    if (!state->sees(tile)) return;
    prefetch(tile);
    if (has_waiting) state->attend(waiting);
    room = std::move(waiting.rows);
    waiting = std::move(tile);  // not copied: it may own its rows
    has_waiting = true;
  };
  for (size_t index = task->first_page; index < task->end_page; ++index) {
    const Page* page = index < sealed ? page_at(index) : open_[index - sealed].source;
    const BlobRef& blob = page != nullptr ? page->blob : open_[index - sealed].blob;
    const Codec& codec = page != nullptr ? cache_->codec_of(*page) : clear;
    const size_t at = index * g.page_tokens;
    const auto there = static_cast<uint32_t>(std::min<size_t>(g.page_tokens, end - at));
    const bool whole = !restored.empty() && restored[index] != nullptr;
    // Whether every query sees all of the page, wherever in it a row is.
    const bool anywhere =
        call.window == 0 && call.slopes.empty() && (!call.causal || at + there <= call.position + 1);
    task->rows += there;
    for (uint32_t from = 0; from < there; from += kTileTokens) {
      AttendTile tile;
      tile.rows = std::move(room);
      if (whole) {
        const auto* rows = reinterpret_cast<const std::byte*>(restored[index]->data());
        KVC_RETURN_IF_ERROR(
            clear.tile(one_layer, {rows, g.layer_bytes()}, 0, task->head, from / kTileTokens, &tile));
      } else {
        KVC_RETURN_IF_ERROR(
            codec.tile(g, {blob.data(), blob.bytes()}, layer, task->head, from / kTileTokens, &tile));
      }
      tile.position = at + from;
      // Of a page that is open, or borrowed up to some token, the rest is not the session's.
      if (tile.gathered) {
        while (tile.tokens > 0 && tile.offsets[tile.tokens - 1] >= there - from) --tile.tokens;
        task->left_out += std::min(kTileTokens, there - from) - tile.tokens;
        if (tile.tokens == 0) continue;
      } else {
        tile.tokens = std::min(tile.tokens, there - from);
      }
      tile.exact = std::min(tile.exact, tile.tokens);
      if (tile.gathered && !anywhere) {
        for_each_run(tile, take);
      } else {
        take(std::move(tile));
      }
    }
  }
  if (has_waiting) state->attend(waiting);
  return Status::ok();
}

// A codec that learns is shown queries, and the check of a page is given the last ones: of many, some.
Status Session::learn_queries(uint32_t layer, const AttendCall& call, const TensorView& query) {
  Calibrator* calibrator = cache_->calibrator_of(*space_);
  const bool learns = calibrator != nullptr && calibrator->wants_queries();
  const bool checks = calibrator != nullptr && calibrator->target().bound > 0;
  if (!learns && !checks) return Status::ok();
  if (checks && recent_ == nullptr) {
    recent_ = std::make_unique<RecentQueries>(geometry(), &cache_->calibration_memory_);
  }
  const auto n = static_cast<uint32_t>(query.shape[0]), heads = static_cast<uint32_t>(query.shape[1]);
  const uint32_t dim = geometry().k_dim;
  // Both take scores for products over sqrt(dim).
  const float scale = call.scale != 0 ? call.scale * std::sqrt(static_cast<float>(dim)) : 1;
  std::vector<float> rows(size_t{heads} * dim);
  const auto read = [&](uint32_t i) {
    for (uint32_t head = 0; head < heads; ++head) {
      to_f32(query.dtype, row_of(query, i, head), rows.data() + size_t{head} * dim, dim);
    }
    for (float& x : rows) x *= scale;
  };
  for (uint32_t i = 0; i < n && learns; i += std::max(1u, n / 64)) {
    read(i);
    calibrator->learn_query(layer, call.position + i, heads, rows.data());
  }
  const uint32_t kept = std::min(n, RecentQueries::kKept);
  for (uint32_t k = 0; k < kept && checks; ++k) {
    const uint32_t i = n - 1 - k * n / kept;
    read(i);
    recent_->add(layer, space_->key_rope(), call.position + i, heads, rows.data());
  }
  return Status::ok();
}

Status Session::attend(uint32_t layer, const AttendCall& call, const TensorView& query, const TensorView& out) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(check_attend(layer, call, query, out));
  KVC_RETURN_IF_ERROR(wait_layer(layer));
  KVC_RETURN_IF_ERROR(settle_device());
  fill_path();
  const PageGeometry& g = geometry();
  const auto n = static_cast<uint32_t>(query.shape[0]);
  const auto heads = static_cast<uint32_t>(query.shape[1]);
  AttendOptions options;
  options.k_dim = g.k_dim;
  options.v_dim = g.v_dim;
  options.group = heads / g.n_kv_heads;
  options.softcap = call.softcap;
  options.causal = call.causal;
  options.window = call.window;
  options.sinks = call.sinks;
  options.position = call.position;
  const float scale = call.scale != 0 ? call.scale : 1.0f / std::sqrt(static_cast<float>(g.k_dim));

  // Threads beyond one per head share a head's pages.
  const size_t pages = (sealed_tokens() + cursor_[layer] + g.page_tokens - 1) / g.page_tokens;
  const size_t threads = std::max<size_t>(1, call.threads);
  const size_t parts = std::min(pages, (threads + g.n_kv_heads - 1) / g.n_kv_heads);
  KVC_RETURN_IF_ERROR(learn_queries(layer, call, query));
  const bool sparse = !options_.exact && cache_->codec_of(g).id() == kSparseCodecId;
  Restored restored;
  if (call.restore) KVC_RETURN_IF_ERROR(restore_layer(layer, pages, &restored));
  std::vector<AttendTask> tasks;
  std::vector<float> row(std::max(g.k_dim, g.v_dim));
  for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
    for (size_t part = 0; part < parts; ++part) {
      AttendTask task{head, pages * part / parts, pages * (part + 1) / parts,
                      std::make_unique<AttendState>(options, n), Status::ok()};
      for (uint32_t column = 0; column < n * options.group; ++column) {
        const uint32_t query_head = head * options.group + column % options.group;
        to_f32(query.dtype, row_of(query, column / options.group, query_head), row.data(), g.k_dim);
        task.state->set_query(column, row.data(), scale, call.slopes.empty() ? 0 : call.slopes[query_head]);
      }
      tasks.push_back(std::move(task));
    }
  }

  std::atomic<size_t> next{0};
  const auto work = [&]() noexcept {
    for (size_t i = next.fetch_add(1); i < tasks.size(); i = next.fetch_add(1)) {
      AttendTask& task = tasks[i];
      try {
        task.status = attend_pages(layer, call, restored, &task);
      } catch (...) {
        task.status = Status(KVC_E_NO_MEMORY, {});
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    const size_t wanted = std::min(threads, tasks.size()) - 1;
    helpers.reserve(wanted);
    try {
      while (helpers.size() < wanted) helpers.emplace_back(work);
    } catch (const std::system_error&) {
      // The system gives no more: those that there are do it.
    }
    work();
  }

  uint64_t rows = 0, left_out = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    AttendTask& task = tasks[i];
    KVC_RETURN_IF_ERROR(task.status);
    rows += task.rows;
    left_out += task.left_out;
    AttendTask& first = tasks[i / parts * parts];
    if (&task != &first) first.state->merge(*task.state);
    if ((i + 1) % parts != 0) continue;
    for (uint32_t column = 0; column < n * options.group; ++column) {
      const uint32_t query_head = task.head * options.group + column % options.group;
      if (sparse && column + QuerySample::kKept >= n * options.group) {
        const AttendState& seen = *first.state;
        queries_.add(g, layer, task.head, {seen.query + size_t{column} * seen.k_stride, g.k_dim},
                     seen.max[column] + std::log(seen.sum[column]));
      }
      if (!call.sink_scores.empty()) first.state->add_sink(column, call.sink_scores[query_head]);
      first.state->finish(column, row.data());
      from_f32(out.dtype, row.data(), row_of(out, column / options.group, query_head), g.v_dim);
    }
  }
  if (call.left_out != nullptr) {
    *call.left_out = rows > 0 ? static_cast<double>(left_out) / static_cast<double>(rows) : 0;
  }
  return Status::ok();
}

bool Session::has_encoded() {
  std::lock_guard lock(mutex_);
  if (cache_->codec_->is_clear()) return false;
  for (const OpenPage& open : open_) {
    if (open.source != nullptr && !cache_->codec_of(*open.source).is_clear()) return true;
  }
  for (const Page* page = last_; page != nullptr; page = page->parent) {
    if (!cache_->codec_of(*page).is_clear()) return true;
  }
  return false;
}

uint64_t Session::approximate_locked(uint64_t* aged) const noexcept {
  uint64_t approximate = 0, of_aged = 0;
  for (const Page* page = last_; page != nullptr; page = page->parent) {
    approximate += page->approximate ? page->n_tokens : 0;
    of_aged += page->aged ? page->n_tokens : 0;
  }
  const size_t page_tokens = geometry().page_tokens;
  for (size_t i = 0; i < open_.size() && i * page_tokens < tail_tokens_.size(); ++i) {
    const OpenPage& open = open_[i];
    const size_t tokens = std::min(page_tokens, tail_tokens_.size() - i * page_tokens);
    if (open.source != nullptr ? open.source->approximate : open.approximate) approximate += tokens;
    if (open.source != nullptr ? open.source->aged : open.aged) of_aged += tokens;
  }
  if (aged != nullptr) *aged = of_aged;
  return approximate;
}

uint64_t Session::sparse_locked() const noexcept {
  const auto is_sparse = [](const Page* page) { return page != nullptr && page->codec == kSparseCodecId; };
  uint64_t tokens = 0;
  for (const Page* page = last_; page != nullptr; page = page->parent) tokens += is_sparse(page) ? page->n_tokens : 0;
  const size_t page_tokens = geometry().page_tokens;
  for (size_t i = 0; i < open_.size() && i * page_tokens < tail_tokens_.size(); ++i) {
    if (is_sparse(open_[i].source)) tokens += std::min(page_tokens, tail_tokens_.size() - i * page_tokens);
  }
  return tokens;
}

uint64_t Session::approximate() {
  std::lock_guard lock(mutex_);
  return approximate_locked();
}

}  // namespace kvc

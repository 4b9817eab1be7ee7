#include "cells.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>

#include "failure.h"

namespace kvc_llama {
namespace {

// A state larger than this is no state of a few tokens: the library says something this module does not understand.
constexpr size_t kMostTestBytes = size_t{64} << 20;
// The rows are written, and then read again: few enough to stay in a last-level cache, and fewer than what kvc copies
// past the caches (4 MiB). llama.cpp looks through all its cells for each chunk: many enough that this does not count.
constexpr size_t kChunkBytes = size_t{3} << 20;
// Tokens of a page as they are by default: chunks that end with pages read them in whole runs.
constexpr uint32_t kPage = 64;

}  // namespace

Cells::Cells(const Library& library, llama_context* context, int32_t scratch)
    : lib_(library), context_(context), memory_(library.llama_get_memory(context)), scratch_(scratch) {}

std::span<std::byte> Cells::buffer(size_t bytes) {
  if (bytes_.size() < bytes) bytes_.resize(bytes);
  return {bytes_.data(), bytes};
}

void Cells::clear_scratch() noexcept { lib_.llama_memory_seq_rm(memory_, scratch_, -1, -1); }

void Cells::scratch_from(int32_t sequence, uint32_t from, uint32_t n) {
  lib_.llama_memory_seq_cp(memory_, sequence, scratch_, static_cast<int32_t>(from), static_cast<int32_t>(from + n));
}

const BlobRows& Cells::export_rows(int32_t sequence, uint32_t from, uint32_t n) {
  const std::span<std::byte> bytes = buffer(shape_.blob_bytes(n));
  scratch_from(sequence, from, n);
  const size_t written =
      lib_.llama_state_seq_get_data(context_, reinterpret_cast<uint8_t*>(bytes.data()), bytes.size(), scratch_);
  clear_scratch();
  std::string why;
  if (written != bytes.size()) {
    fail(KVC_E_BACKEND,
         "llama.cpp gave %zu bytes for %u tokens from position %u, %zu are expected: it does not have them all",
         written, n, from, bytes.size());
  }
  if (!parse_known(bytes, shape_, &rows_, &positions_, &why)) fail(KVC_E_BACKEND, "%s", why.c_str());
  sort_rows(shape_, positions_, rows_, &sort_room_);
  std::sort(positions_.begin(), positions_.end());
  for (uint32_t i = 0; i < n; ++i) {
    if (positions_[i] == static_cast<int32_t>(from + i)) continue;
    fail(KVC_E_BACKEND, "llama.cpp gave position %d where %u was asked for", positions_[i], from + i);
  }
  return rows_;
}

void Cells::prepare(Chunk* chunk, uint32_t at, uint32_t n) {
  chunk->at = at;
  chunk->bytes.resize(shape_.blob_bytes(n));
  build_blob(shape_, n, static_cast<int32_t>(at), chunk->bytes, &chunk->rows);
}

void Cells::take(int32_t sequence, const Chunk& chunk) {
  const size_t read = lib_.llama_state_seq_set_data(context_, reinterpret_cast<const uint8_t*>(chunk.bytes.data()),
                                                    chunk.bytes.size(), scratch_);
  if (read != chunk.bytes.size()) {
    clear_scratch();  // it may have kept cells without their bytes
    fail(KVC_E_NO_MEMORY,
         "llama.cpp took no %u tokens at position %u: it has no room for them (option model_cells)%s%s",
         chunk.rows.cells, chunk.at, "; it says: ", take_log().c_str());
  }
  lib_.llama_memory_seq_cp(memory_, scratch_, sequence, -1, -1);
  clear_scratch();
}

void Cells::import_rows(int32_t sequence, uint32_t from, uint32_t n, const std::function<void(const BlobRows&)>& fill) {
  prepare(&chunks_[0], from, n);
  fill(chunks_[0].rows);
  take(sequence, chunks_[0]);
}

void Cells::import_range(int32_t sequence, uint32_t from, uint32_t n, bool ahead, const Fill& fill,
                         const Taken& taken) {
  const uint32_t chunk = chunk_tokens();
  if (ahead && n > 2 * chunk) return import_ahead(sequence, from, n, fill, taken);
  for (uint32_t at = from; at < from + n;) {
    const uint32_t now = std::min(chunk, from + n - at);
    import_rows(sequence, at, now, [&](const BlobRows& rows) { fill(at, rows); });
    taken(at, now);
    at += now;
  }
}

void Cells::import_ahead(int32_t sequence, uint32_t from, uint32_t n, const Fill& fill, const Taken& taken) {
  const uint32_t chunk = chunk_tokens(), chunks = (n + chunk - 1) / chunk;
  const auto size = [&](uint32_t i) { return std::min(chunk, n - i * chunk); };
  enum { empty, full, failed, over };
  std::atomic<int> state[2] = {empty, empty};
  std::exception_ptr failure;  // the filler's, read once it has said so
  const auto set = [&](uint32_t i, int value) {
    state[i % 2].store(value, std::memory_order_release);
    state[i % 2].notify_one();
  };
  const auto fill_all = [&] {
    for (uint32_t i = 0; i < chunks; ++i) {
      state[i % 2].wait(full, std::memory_order_acquire);
      if (state[i % 2].load(std::memory_order_acquire) == over) return;
      try {
        Chunk& c = chunks_[i % 2];
        prepare(&c, from + i * chunk, size(i));
        fill(c.at, c.rows);
      } catch (...) {
        failure = std::current_exception();
        return set(i, failed);
      }
      // Unless it was told meanwhile that no more is wanted.
      int was = empty;
      if (!state[i % 2].compare_exchange_strong(was, full, std::memory_order_acq_rel)) return;
      state[i % 2].notify_one();
    }
  };
  std::thread filler;
  try {
    filler = std::thread(fill_all);
  } catch (const std::system_error&) {
    return import_range(sequence, from, n, false, fill, taken);  // no thread to be had
  }
  try {
    for (uint32_t i = 0; i < chunks; ++i) {
      state[i % 2].wait(empty, std::memory_order_acquire);
      if (state[i % 2].load(std::memory_order_acquire) == failed) std::rethrow_exception(failure);
      take(sequence, chunks_[i % 2]);
      taken(chunks_[i % 2].at, chunks_[i % 2].rows.cells);
      set(i, empty);
    }
  } catch (...) {
    set(0, over);
    set(1, over);
    filler.join();
    throw;
  }
  filler.join();
}

uint32_t Cells::chunk_tokens() const noexcept {
  const auto n =
      static_cast<uint32_t>(std::clamp<size_t>(kChunkBytes / std::max<uint64_t>(1, shape_.token_bytes()), 1, 4096));
  return n > kPage ? n / kPage * kPage : n;
}

bool Cells::decode(int32_t sequence, const int32_t* tokens, int32_t n, int32_t position, int32_t vocab,
                   std::vector<float>* logits) {
  std::vector<int32_t> token(tokens, tokens + n), pos(n), count(n, 1);
  std::vector<int32_t*> sequences(n, &sequence);
  std::vector<int8_t> wanted(n, 0);
  for (int32_t i = 0; i < n; ++i) pos[i] = position + i;
  wanted[n - 1] = 1;
  const batch b{n, token.data(), nullptr, pos.data(), count.data(), sequences.data(), wanted.data()};
  if (lib_.llama_decode(context_, b) != 0) return false;
  const float* row = lib_.llama_get_logits_ith(context_, n - 1);
  if (row == nullptr) return false;
  logits->assign(row, row + vocab);
  return true;
}

bool Cells::self_test(int32_t vocab, std::string* why) {
  lib_.llama_memory_clear(memory_, false);
  const bool passed = try_out(vocab, why);
  lib_.llama_memory_clear(memory_, false);
  return passed;
}

bool Cells::try_out(int32_t vocab, std::string* why) {
  constexpr int32_t kTokens = 6, kBefore = kTokens - 1, kCut = 2;
  const int32_t sequence = scratch_ == 0 ? 1 : 0;
  int32_t tokens[kTokens];
  for (int32_t i = 0; i < kTokens; ++i) tokens[i] = static_cast<int32_t>((i + 1) * int64_t{7919} % vocab);
  std::vector<float> before, after;
  const auto failed = [&](const char* words) {
    *why = words;
    const std::string log = take_log();
    if (!log.empty()) *why += " (" + log + ")";
    return false;
  };

  if (!decode(sequence, tokens, kBefore, 0, vocab, &before)) return failed("decoding the test's tokens failed");
  scratch_from(sequence, 0, kBefore);
  const size_t size = lib_.llama_state_seq_get_size(context_, scratch_);
  if (size == 0 || size > kMostTestBytes) return failed("the state of the test's tokens has an impossible size");
  std::vector<std::byte> state(size);
  const size_t written =
      lib_.llama_state_seq_get_data(context_, reinterpret_cast<uint8_t*>(state.data()), size, scratch_);
  clear_scratch();
  if (written != size) return failed("the state has another size than it was said to have");

  BlobRows rows;
  std::vector<int32_t> positions;
  if (!parse_blob(state, &shape_, &rows, &positions, why)) return false;
  if (rows.cells != static_cast<uint32_t>(kBefore) || shape_.blob_bytes(kBefore) != size) {
    return failed("the state has not one cell for each token");
  }
  for (int32_t i = 0; i < kBefore; ++i) {
    if (positions[i] != i) return failed("the state's cells are not in the order of their positions");
  }
  // Rebuilt from its parts it must be the same bytes, but for the id of the scratch sequence.
  std::vector<std::byte> rebuilt(size);
  BlobRows copies;
  build_blob(shape_, kBefore, 0, rebuilt, &copies);
  size_t layer = 0, value = 0;
  for (const CacheShape& cache : shape_.caches) {
    for (const Rows& plane : cache.k) {
      std::memcpy(copies.k[layer], rows.k[layer], plane.row_bytes * kBefore);
      ++layer;
    }
    for (const Rows& plane : cache.v) {
      std::memcpy(copies.v[value], rows.v[value], plane.row_bytes * kBefore);
      ++value;
    }
  }
  if (scratch_ == 0 && state != rebuilt) return failed("a state that was taken apart and rebuilt is not the same");

  // A range of it must be the same rows.
  {
    const BlobRows& range = export_rows(sequence, kCut, kBefore - kCut);
    const size_t row = shape_.caches[0].k[0].row_bytes;
    if (std::memcmp(range.k[0], rows.k[0] + kCut * row, (kBefore - kCut) * row) != 0) {
      return failed("a range of a state is not what the whole state has there");
    }
  }
  if (!decode(sequence, tokens + kBefore, 1, kBefore, vocab, &before))
    return failed("decoding the test's last token failed");

  std::vector<std::vector<std::byte>> k, v;
  const auto keep = [&](const BlobRows& from, std::vector<std::vector<std::byte>>* planes, bool values) {
    size_t i = 0;
    for (const CacheShape& cache : shape_.caches) {
      for (const Rows& plane : values ? cache.v : cache.k) {
        const std::byte* data = (values ? from.v : from.k)[i++];
        planes->emplace_back(data, data + plane.row_bytes * from.cells);
      }
    }
  };
  const auto give = [&](const BlobRows& to) {
    for (size_t i = 0; i < to.k.size(); ++i) std::copy(k[i].begin(), k[i].end(), to.k[i]);
    for (size_t i = 0; i < to.v.size(); ++i) std::copy(v[i].begin(), v[i].end(), to.v[i]);
  };
  struct Range {
    uint32_t from, n;
  };
  const Range ranges[] = {{0, kCut}, {kCut, kBefore - kCut}};
  std::vector<std::vector<std::vector<std::byte>>> all_k, all_v;
  for (const Range& r : ranges) {
    const BlobRows& from = export_rows(sequence, r.from, r.n);
    keep(from, &all_k.emplace_back(), false);
    keep(from, &all_v.emplace_back(), true);
  }
  lib_.llama_memory_clear(memory_, false);
  for (size_t i = 0; i < 2; ++i) {
    k = all_k[i];
    v = all_v[i];
    import_rows(sequence, ranges[i].from, ranges[i].n, give);
  }
  if (!decode(sequence, tokens + kBefore, 1, kBefore, vocab, &after)) return failed("decoding after the import failed");
  if (std::memcmp(before.data(), after.data(), before.size() * sizeof(float)) != 0) {
    return failed("the logits after an import are not those from before it");
  }
  return true;
}

}  // namespace kvc_llama

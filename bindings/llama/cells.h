// The K/V cells of one llama_context, moved in and out range by range through a scratch sequence.
//
// Export copies the cells of a range of a sequence to the scratch sequence (a change of bookkeeping, no bytes), has
// that one's state written, and parses it. Import builds a state from verified rows, has it read into the scratch
// sequence and gives its cells to the target. So neither ever handles more than a chunk, and no bytes reach llama.cpp
// that were not built here. Ranges come in the order of positions: cells in another order change the sums of attention.
//
// One thread at a time; nothing here synchronises with a decode in progress on another thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "library.h"
#include "pages.h"
#include "state_blob.h"

namespace kvc_llama {

class Cells {
 public:
  // scratch: a sequence id of the context that nobody else uses.
  Cells(const Library& library, llama_context* context, int32_t scratch);

  // What exchange of ranges needs of the library, tried out on it: decodes a few tokens, exports, parses, rebuilds,
  // compares, imports in two parts and compares the logits that follow, bit for bit. Empties the context. False and
  // *why: ranges cannot be exchanged with this library and model.
  bool self_test(int32_t vocab, std::string* why);

  // After a self-test that passed.
  const BlobShape& shape() const noexcept { return shape_; }

  // Rows of positions [from, from + n) of a sequence, in the order of positions. They are valid until the next call
  // here. Throws Failure if the sequence does not have them all.
  const BlobRows& export_rows(int32_t sequence, uint32_t from, uint32_t n);

  // Appends n cells at positions from, from + 1, ... to a sequence; `fill` writes their rows. Throws Failure, or what
  // fill throws: the sequence is as before then.
  void import_rows(int32_t sequence, uint32_t from, uint32_t n, const std::function<void(const BlobRows&)>& fill);

  // The same for a range of any length, chunk by chunk: fill(at, rows) writes the rows of positions [at, at + rows.cells),
  // taken(at, n) hears of those that the sequence has. ahead: a thread of its own fills a chunk while llama.cpp takes
  // the one before; both wait for memory most of the time. On a failure the sequence has what was taken.
  using Fill = std::function<void(uint32_t at, const BlobRows& rows)>;
  using Taken = std::function<void(uint32_t at, uint32_t n)>;
  void import_range(int32_t sequence, uint32_t from, uint32_t n, bool ahead, const Fill& fill, const Taken& taken);

  // Tokens in a chunk of about the size that copies stay within a core's cache with.
  uint32_t chunk_tokens() const noexcept;

 private:
  // Cells on their way in.
  struct Chunk {
    std::vector<std::byte> bytes;
    BlobRows rows;
    uint32_t at = 0;
  };
  void prepare(Chunk* chunk, uint32_t at, uint32_t n);
  void take(int32_t sequence, const Chunk& chunk);
  void import_ahead(int32_t sequence, uint32_t from, uint32_t n, const Fill& fill, const Taken& taken);
  std::span<std::byte> buffer(size_t bytes);
  void scratch_from(int32_t sequence, uint32_t from, uint32_t n);
  void clear_scratch() noexcept;
  bool try_out(int32_t vocab, std::string* why);
  bool decode(int32_t sequence, const int32_t* tokens, int32_t n, int32_t position, int32_t vocab,
              std::vector<float>* logits);

  const Library& lib_;
  llama_context* const context_;
  llama_memory* const memory_;
  const int32_t scratch_;
  BlobShape shape_;
  BlobRows rows_;
  std::vector<int32_t> positions_;
  std::vector<std::byte> bytes_, sort_room_;
  Chunk chunks_[2];
};

}  // namespace kvc_llama

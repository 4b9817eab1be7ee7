// A model file that llama.cpp runs, as a kvc backend that keeps its own K/V.
//
// Pages or states: where the self-test shows that ranges of cells can be exchanged, sequences are stored as pages of
// kvc; else (recurrent and hybrid models, libraries of another format) as whole states, which kvc keeps with a digest
// and which can be restored only where they were taken.
//
// Sequences that have ended stay resident while there is room, as far as they are stored: what continues one gets its
// cells without a copy. Only sequences of the same domain (tenant) do, and only for tokens that kvc has found for them.
//
// Threads: tokens_of, text_of and chat_text from any; all else from one at a time.
#pragma once

#include <kvc/kvc.h>

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cells.h"
#include "identity.h"
#include "library.h"
#include "options.h"
#include "pages.h"

namespace kvc_llama {

class Model {
 public:
  Model(const Library& library, Options options, const kvc_module_host_t* host);  // throws Failure
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void describe(kvc_model_info_t* info) const noexcept;
  void tokens_of(std::string_view text, std::vector<int32_t>* out) const;
  size_t text_of(int32_t token, char* bytes, size_t capacity) const;  // the full size
  std::string chat_text(const kvc_message_t* messages, size_t n, bool answer) const;

  void open(uint64_t sequence);
  void close(uint64_t sequence) noexcept;
  void forward(const kvc_forward_t* items, uint32_t n);
  void store(uint64_t sequence, kvc_session_t* session, uint32_t from, uint32_t n);
  void restore(uint64_t sequence, kvc_session_t* session, const int32_t* tokens, uint32_t from, uint32_t n);
  void truncate(uint64_t sequence, uint32_t n);
  size_t save_state(uint64_t sequence, uint32_t n, void* bytes, size_t capacity);
  void load_state(uint64_t sequence, const int32_t* tokens, uint32_t n, const void* bytes, size_t size);
  void set_stop(kvc_stop_fn stop, void* data) noexcept {
    stop_ = stop;
    stop_data_ = data;
  }

 private:
  struct Sequence {
    int32_t id = -1;              // llama.cpp's
    uint64_t domain = 0;          // of the session it was stored to or restored from
    uint32_t stored = 0;          // of its tokens, from the front, that kvc has
    std::vector<int32_t> tokens;  // in its cells
  };

  void load();
  void load_adapters();
  void make_context();
  void identify();
  Sequence& find(uint64_t sequence);
  int32_t take_id();
  void adopt(Sequence* sequence, const int32_t* tokens, uint32_t n);
  void drop_resident(std::list<Sequence>::iterator at) noexcept;
  void make_room(uint32_t n) noexcept;
  bool cut(int32_t id, int32_t from) noexcept;
  void guard(int32_t id, uint32_t from, uint32_t to) noexcept;
  uint32_t chunk_at(uint32_t position) const;
  uint64_t domain_of(kvc_session_t* session) const;
  bool try_decode();

  struct ContextFree {
    const Library* library;
    void operator()(llama_context* context) const { library->llama_free(context); }
  };
  struct ModelFree {
    const Library* library;
    void operator()(llama_model* model) const { library->llama_model_free(model); }
  };

  const Library& lib_;
  const Options options_;
  const kvc_module_host_t* const host_;
  kvc_stop_fn stop_ = nullptr;  // asked between two operations of a decode
  void* stop_data_ = nullptr;
  std::unique_ptr<llama_model, ModelFree> model_;
  std::unique_ptr<llama_context, ContextFree> context_;
  llama_memory* memory_ = nullptr;
  const llama_vocab* vocab_ = nullptr;
  int32_t n_vocab_ = 0;
  uint32_t context_tokens_ = 0, cells_total_ = 0, batch_tokens_ = 0, n_sequences_ = 0, threads_ = 0;
  uint32_t window_ = 0;  // tokens that some layers see; 0: all
  bool pages_ = false;   // else states
  std::string why_states_;
  std::unique_ptr<Cells> cells_;
  std::unique_ptr<PageCopier> copier_;

  // What describe() points to.
  std::unique_ptr<Identity> identity_;
  std::string details_;
  std::vector<uint8_t> weights_digest_;
  std::vector<std::vector<uint8_t>> adapter_digests_;
  std::vector<kvc_adapter_t> adapters_;
  std::vector<int32_t> ends_;

  std::map<uint64_t, Sequence> sequences_;
  std::list<Sequence> residents_;  // oldest first
  std::vector<int32_t> free_ids_;

  // A batch's arrays, kept for the next.
  std::vector<int32_t> token_, position_, count_, id_;
  std::vector<int32_t*> id_pointer_;
  std::vector<int8_t> wanted_;
};

}  // namespace kvc_llama

// A stored prefix of 2,048 tokens into an empty sequence of llama.cpp, by the way that the backend takes: page by page, from
// sessions through a scratch sequence. Against memcpy of as many bytes, and against llama_state_seq_set_data of the whole
// sequence, which needs the state in one piece.
#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>

#include "bench.h"
#include "cells.h"
#include "failure.h"
#include "pages.h"
#include "text.h"

namespace kvc_llama {
namespace {

using kvc::cli::Engine;

constexpr kvc_module_host_t kHost = {sizeof(kvc_module_host_t), kvc_session_append_all, kvc_session_read_all,
                                     kvc_session_info, kvc_session_last_error};

// Pages that hold what the cells of a context held.
class Stored {
 public:
  Stored(const BlobShape& shape, uint32_t heads) : engine_(config()) {
    PageLayout layout;
    if (!page_layout(shape, heads, &layout)) fail(KVC_E_UNSUPPORTED, "the cells of this model do not fit pages");
    copier_ = std::make_unique<PageCopier>(&kHost, shape, layout);
    static constexpr char kDigest[] = "kvc bench: restore";
    kvc_space_desc_t desc;
    kvc::cli::check(kvc_space_desc_init(&desc, sizeof desc), "space");
    desc.weights_digest = kDigest;
    desc.weights_digest_size = sizeof kDigest - 1;
    desc.none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
    desc.n_layers = layout.n_layers;
    desc.n_kv_heads = layout.n_heads;
    desc.k_head_dim = layout.k_dim;
    desc.v_head_dim = layout.v_dim;
    desc.dtype = layout.dtype;
    engine_.check(kvc_space_open(engine_.handle(), &desc, &space_), "cannot open a space");
  }
  ~Stored() { kvc_space_close(space_); }

  void store(Cells* cells, const Tokens& tokens) {
    kvc_session_t* session = open();
    for (size_t at = 0; at < tokens.size(); at += cells->chunk_tokens()) {
      const size_t n = std::min<size_t>(cells->chunk_tokens(), tokens.size() - at);
      copier_->append(session, cells->export_rows(0, static_cast<uint32_t>(at), static_cast<uint32_t>(n)));
    }
    engine_.check(kvc_session_commit(session, tokens.data(), tokens.size()), "commit");
    kvc_session_close(session, KVC_CLOSE_KEEP, 0);
  }

  void restore(Cells* cells, const Tokens& tokens, bool ahead) {
    kvc_session_t* session = open();
    size_t found = 0;
    engine_.check(kvc_session_match(session, tokens.data(), tokens.size(), &found), "match");
    if (found != tokens.size()) throw kvc::cli::Failure("a stored prefix was not found whole");
    cells->import_range(
        0, 0, static_cast<uint32_t>(found), ahead,
        [&](uint32_t at, const BlobRows& rows) { copier_->read(session, at, rows); }, [](uint32_t, uint32_t) {});
    kvc_session_close(session, KVC_CLOSE_KEEP, 0);
  }

 private:
  static kvc::cli::Config& config() {
    static kvc::cli::Config config("seamless");
    return config.set("model", "none").set("memory", "1GiB");
  }
  kvc_session_t* open() {
    kvc_session_t* session = nullptr;
    engine_.check(kvc_session_open(space_, nullptr, &session), "session");
    return session;
  }

  const Engine engine_;
  std::unique_ptr<PageCopier> copier_;
  kvc_space_t* space_ = nullptr;
};

}  // namespace

void bench_restore(const Setup& setup, kvc::cli::Report* report) {
  const size_t length = setup.tokens(2048);
  report->progress().show("restore: computing a prefix");
  LlamaLoop loop(*setup.library, setup.model, static_cast<uint32_t>(length + 256), setup.threads, 2);
  Cells cells(*setup.library, loop.context(), 1);
  std::string why;
  if (!cells.self_test(static_cast<int32_t>(loop.n_vocab()), &why)) fail(KVC_E_UNSUPPORTED, "%s", why.c_str());
  Tokens prompt = loop.tokenize(words(length, 7));
  prompt.resize(length);
  const Tokens first(prompt.begin(), prompt.end() - 1);
  loop.clear();
  loop.forward(first, 0);
  Stored stored(cells.shape(), 1);  // one head: as the backend keeps rows that no codec looks into
  stored.store(&cells, first);
  Bytes state(loop.state_size());
  loop.get_state(&state);
  const int32_t expected = loop.forward(prompt, first.size());

  const size_t bytes = cells.shape().token_bytes() * first.size();
  const Bytes source(bytes, 1);
  Bytes target(bytes, 2);
  double by_pages = 1e9, alone = 1e9, by_state = 1e9, copy = 1e9;
  // As the backend does with as many threads as there are processors, which is its default. Their time is not one's.
  const bool ahead = std::thread::hardware_concurrency() > 1 && !setup.cpu_time;
  for (int round = 0; round < (setup.quick ? 2 : 10 * setup.rounds); ++round) {
    report->progress().show(kvc::cli::format("restore: round %d", round + 1));
    double start = setup.now();
    std::memcpy(target.data(), source.data(), bytes);
    asm volatile("" : : "r"(target.data()) : "memory");  // the copy counts as used
    copy = std::min(copy, setup.now() - start);

    const auto measure = [&](double* best, const auto& restore) {
      loop.clear();
      start = setup.now();
      restore();
      *best = std::min(*best, setup.now() - start);
      if (loop.forward(prompt, first.size()) != expected) throw kvc::cli::Failure("a restored prefix gives another answer");
    };
    measure(&by_pages, [&] { stored.restore(&cells, first, ahead); });
    measure(&alone, [&] { stored.restore(&cells, first, false); });
    measure(&by_state, [&] { loop.set_state(state); });
  }
  const double gb = static_cast<double>(bytes) * 1e-9;
  report->add("restore_vs_memcpy", copy / by_pages);
  report->add("restore_vs_set_data", by_pages / by_state);
  report->add("restore_vs_set_data_one_thread", alone / by_state);
  report->add("restore_ms", by_pages * 1e3);
  report->add("restore_gb_per_s", gb / by_pages);
  report->add("set_data_gb_per_s", gb / by_state);
  report->add("memcpy_gb_per_s", gb / copy);
}

}  // namespace kvc_llama

#include "model.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "failure.h"
#include "file_digest.h"

namespace kvc_llama {
namespace {

constexpr uint32_t kDefaultContext = 4096;
constexpr int32_t kScratch = 0;
constexpr size_t kLongestText = size_t{1} << 30;

// llama.cpp's words for why something failed.
std::string because() {
  const std::string log = take_log();
  return log.empty() ? "" : "; llama.cpp says: " + log;
}

}  // namespace

Model::Model(const Library& library, Options options, const kvc_module_host_t* host)
    : lib_(library),
      options_(std::move(options)),
      host_(host),
      model_(nullptr, {&library}),
      context_(nullptr, {&library}) {
  load();
  make_context();
  load_adapters();
  std::string why;
  cells_ = std::make_unique<Cells>(lib_, context_.get(), kScratch);
  if (lib_.llama_model_is_recurrent(model_.get()) || lib_.llama_model_is_hybrid(model_.get())) {
    why_states_ = "the model is recurrent";
  } else if (!cells_->self_test(n_vocab_, &why)) {
    why_states_ = "the self-test failed: " + why;
  } else {
    PageLayout layout;
    // A codec is to see the model's heads. Without one all heads of a token are one: their rows lie together in the
    // page as they do in llama.cpp, and are copied at once.
    const int32_t heads = options_.plain_codec ? 1 : lib_.llama_model_n_head_kv(model_.get());
    if (page_layout(cells_->shape(), heads > 0 ? static_cast<uint32_t>(heads) : 1, &layout)) {
      pages_ = true;
      copier_ = std::make_unique<PageCopier>(host_, cells_->shape(), layout);
    } else {
      why_states_ = "K/V of a token is more than a page can hold";
    }
  }
  lib_.llama_memory_clear(memory_, false);
  identify();
}

Model::~Model() = default;

// --- making ----------------------------------------------------------------------------------------------------------

void Model::load() {
  const FileStamp before = stamp_of(options_.model);
  char magic[4] = {};
  std::FILE* file = std::fopen(options_.model.c_str(), "rb");
  const bool is_gguf = file != nullptr && std::fread(magic, 1, 4, file) == 4 && std::memcmp(magic, "GGUF", 4) == 0;
  if (file != nullptr) std::fclose(file);
  if (!is_gguf) fail(KVC_E_BACKEND, "%s is no GGUF file", options_.model.c_str());
  const Digest digest = digest_of_model(options_.model);
  weights_digest_.assign(digest.begin(), digest.end());

  take_log();
  model_.reset(lib_.llama_model_load_from_file(options_.model.c_str(), lib_.model_defaults));
  if (model_ == nullptr) {
    fail(KVC_E_BACKEND, "llama.cpp cannot load %s%s", options_.model.c_str(), because().c_str());
  }
  if (!(stamp_of(options_.model) == before)) {
    fail(KVC_E_BACKEND, "%s changed while it was loaded: try again when it is complete", options_.model.c_str());
  }
  if (lib_.llama_model_has_encoder(model_.get()) || !lib_.llama_model_has_decoder(model_.get())) {
    fail(KVC_E_UNSUPPORTED, "%s is no decoder-only model: kvc runs models that continue text", options_.model.c_str());
  }
  vocab_ = lib_.llama_model_get_vocab(model_.get());
  n_vocab_ = lib_.llama_vocab_n_tokens(vocab_);
  if (n_vocab_ < 1) fail(KVC_E_UNSUPPORTED, "%s has no vocabulary", options_.model.c_str());
  for (int32_t token = 0; token < n_vocab_; ++token) {
    if (lib_.llama_vocab_is_eog(vocab_, token)) ends_.push_back(token);
  }
  window_ = static_cast<uint32_t>(std::max(0, lib_.llama_model_n_swa(model_.get())));
}

void Model::make_context() {
  const int32_t trained = lib_.llama_model_n_ctx_train(model_.get());
  context_tokens_ = options_.context;
  if (context_tokens_ == 0) {
    context_tokens_ = trained > 0 ? std::min(static_cast<uint32_t>(trained), kDefaultContext) : kDefaultContext;
  }
  const uint64_t cells = options_.cells != 0 ? options_.cells : uint64_t{2} * context_tokens_;
  cells_total_ = static_cast<uint32_t>(std::clamp<uint64_t>(cells, context_tokens_, UINT32_MAX / 2));
  cells_total_ = (cells_total_ + 255) / 256 * 256;
  const auto most = static_cast<uint32_t>(std::min<size_t>(lib_.llama_max_parallel_sequences(), 4096));
  n_sequences_ = options_.max_batch + options_.resident + 1;
  if (n_sequences_ > (window_ == 0 ? most : most / 2)) {
    fail(KVC_E_OUT_OF_RANGE,
         "options max_batch (%u) and model_resident (%u) need %u sequences, this llama.cpp has at most %u: lower one",
         options_.max_batch, options_.resident, n_sequences_, window_ == 0 ? most : most / 2);
  }
  batch_tokens_ = std::max(512u, options_.prefill_chunk + options_.max_batch);

  context_params p = lib_.context_defaults;
  p.n_ctx = cells_total_;
  p.n_batch = batch_tokens_;
  // In one piece where cells outside of a window could be taken by the next piece, before guard() has them.
  p.n_ubatch = window_ == 0 ? 512 : batch_tokens_;
  p.n_seq_max = window_ == 0 ? n_sequences_ : 2 * n_sequences_;  // guard()
  p.n_outputs_max = p.n_seq_max;  // llama.cpp insists on one for each sequence; room for all tokens is a lot of memory
  const unsigned processors = std::max(1u, std::thread::hardware_concurrency());
  threads_ = options_.threads != 0 ? options_.threads : processors;
  p.n_threads = p.n_threads_batch = static_cast<int32_t>(threads_);
  p.flash_attn_type = options_.flash;
  p.type_k = options_.type_k;
  p.type_v = options_.type_v;
  p.rope_freq_base = static_cast<float>(options_.rope_base);
  p.rope_freq_scale = static_cast<float>(options_.rope_scale);
  p.rope_scaling_type = options_.rope_scaling;
  p.yarn_orig_ctx = options_.yarn_context;
  // One stream of cells for all sequences: ranges can then be handed from one to another. All positions of layers with
  // a window: without them a prefix could not be cut.
  p.kv_unified = true;
  p.swa_full = true;
  p.abort_callback = [](void* self) {
    const auto* model = static_cast<const Model*>(self);
    return model->stop_ != nullptr && model->stop_(model->stop_data_) != 0;
  };
  p.abort_callback_data = this;
  take_log();
  context_.reset(lib_.llama_init_from_model(model_.get(), p));
  if (context_ == nullptr) {
    fail(KVC_E_BACKEND,
         "llama.cpp makes no context of %u tokens (K %s, V %s) for %s%s; fewer model_cells take less memory",
         cells_total_, type_name(options_.type_k), type_name(options_.type_v), options_.model.c_str(),
         because().c_str());
  }
  memory_ = lib_.llama_get_memory(context_.get());
  if (memory_ == nullptr) fail(KVC_E_UNSUPPORTED, "%s keeps no state between tokens", options_.model.c_str());
  for (auto id = static_cast<int32_t>(n_sequences_) - 1; id > kScratch; --id) free_ids_.push_back(id);
}

void Model::load_adapters() {
  std::vector<llama_adapter_lora*> adapters;
  std::vector<float> scales;
  for (const Lora& lora : options_.lora) {
    const Digest digest = digest_of_file(lora.path, digest_cache_path());
    adapter_digests_.emplace_back(digest.begin(), digest.end());
    take_log();
    // It belongs to the model and ends with it.
    llama_adapter_lora* adapter = lib_.llama_adapter_lora_init(model_.get(), lora.path.c_str());
    if (adapter == nullptr) {
      fail(KVC_E_BACKEND, "llama.cpp cannot load the adapter %s%s", lora.path.c_str(), because().c_str());
    }
    adapters.push_back(adapter);
    scales.push_back(lora.scale);
  }
  if (adapters.empty()) return;
  if (lib_.llama_set_adapters_lora(context_.get(), adapters.data(), adapters.size(), scales.data()) != 0) {
    fail(KVC_E_BACKEND, "llama.cpp does not apply the adapters%s", because().c_str());
  }
  for (size_t i = 0; i < adapter_digests_.size(); ++i) {
    kvc_adapter_t a{};
    a.struct_size = sizeof a;
    a.digest = adapter_digests_[i].data();
    a.digest_size = adapter_digests_[i].size();
    a.scale = scales[i];
    adapters_.push_back(a);
  }
}

// Everything that K/V depends on. The file's digest covers what the file says; what options change is said besides.
void Model::identify() {
  IdentityInput in;
  in.type_k = options_.type_k;
  in.type_v = options_.type_v;
  in.flash = options_.flash;
  in.rope_base = options_.rope_base;
  in.rope_scale = options_.rope_scale;
  in.rope_scaling = options_.rope_scaling;
  in.yarn_context = options_.yarn_context;
  // How many threads there are, and of which instruction set, is how llama.cpp cuts and rounds its sums.
  if (options_.reproducible) {
    in.more = " threads=" + std::to_string(threads_) + " devices=" + device_names(lib_);
  }
  in.adapters = adapters_;
  in.weights_digest = weights_digest_;
  identity_ = std::make_unique<Identity>(lib_, model_.get(), in, copier_.get());
  details_ = "llama.cpp " + lib_.version + " on " + device_names(lib_) + "; cache K " + type_name(options_.type_k) +
             ", V " + type_name(options_.type_v) + ", " + std::to_string(cells_total_) + " cells; ";
  if (pages_) {
    static constexpr const char* kKinds[] = {"through kvc's codecs", "as opaque bytes",
                                             "as opaque bytes of mixed layers"};
    details_ += std::string("self-test passed, stored in pages, ") + kKinds[static_cast<int>(copier_->layout().kind)] +
                (identity_->transposed() ? ", values transposed" : "") +
                (window_ > 0 ? ", all positions of the layers with a sliding window are kept" : "");
  } else {
    details_ +=
        "stored as whole states about every " + std::to_string(options_.state_tokens) + " tokens: " + why_states_;
  }
}

void Model::describe(kvc_model_info_t* info) const noexcept {
  info->name = identity_->name().c_str();
  *info->space = identity_->space();
  info->context = context_tokens_;
  info->max_batch_tokens = batch_tokens_;
  info->bos = lib_.llama_vocab_get_add_bos(vocab_) ? lib_.llama_vocab_bos(vocab_) : -1;
  info->eos = lib_.llama_vocab_eos(vocab_);
  if (info->bos < -1 || info->bos >= n_vocab_) info->bos = -1;
  if (info->eos < -1 || info->eos >= n_vocab_) info->eos = -1;
  info->ends = ends_.data();
  info->n_ends = static_cast<uint32_t>(ends_.size());
  info->total_tokens = cells_total_;
  info->state_tokens = pages_ ? 0 : options_.state_tokens;
  info->details = details_.c_str();
}

// --- text ------------------------------------------------------------------------------------------------------------

void Model::tokens_of(std::string_view text, std::vector<int32_t>* out) const {
  if (text.size() > kLongestText) fail(KVC_E_OUT_OF_RANGE, "a text of %zu bytes is too long", text.size());
  if (text.empty()) return;
  out->resize(text.size() + 16);
  // Markers of special tokens in the text are those tokens: chat templates are made of them.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const int32_t n = lib_.llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), out->data(),
                                          static_cast<int32_t>(out->size()), false, true);
    if (n == INT32_MIN) break;
    out->resize(static_cast<size_t>(n < 0 ? -int64_t{n} : n));
    if (n >= 0) return;
  }
  fail(KVC_E_BACKEND, "llama.cpp makes no tokens of a text of %zu bytes%s", text.size(), because().c_str());
}

size_t Model::text_of(int32_t token, char* bytes, size_t capacity) const {
  if (token < 0 || token >= n_vocab_) fail(KVC_E_TOKEN, "token %d: the vocabulary is 0 to %d", token, n_vocab_ - 1);
  char none;
  const auto room = static_cast<int32_t>(std::min<size_t>(capacity, INT32_MAX));
  const int32_t n = lib_.llama_token_to_piece(vocab_, token, capacity != 0 ? bytes : &none, room, 0, false);
  return static_cast<size_t>(n < 0 ? -int64_t{n} : n);
}

std::string Model::chat_text(const kvc_message_t* messages, size_t n, bool answer) const {
  const char* form = lib_.llama_model_chat_template(model_.get(), nullptr);
  if (form == nullptr) fail(KVC_E_UNSUPPORTED, "%s has no chat template", options_.model.c_str());
  std::vector<chat_message> chat(n);
  size_t bytes = 256;
  for (size_t i = 0; i < n; ++i) {
    chat[i] = {messages[i].role, messages[i].content};
    bytes += 64 + std::strlen(messages[i].role) + std::strlen(messages[i].content);
  }
  if (bytes > kLongestText) fail(KVC_E_OUT_OF_RANGE, "a conversation of %zu bytes is too long", bytes);
  std::string text(bytes, 0);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const int32_t size =
        lib_.llama_chat_apply_template(form, chat.data(), n, answer, text.data(), static_cast<int32_t>(text.size()));
    if (size < 0) fail(KVC_E_UNSUPPORTED, "llama.cpp does not know the form of this model's chat template");
    const bool fits = static_cast<size_t>(size) <= text.size();
    text.resize(static_cast<size_t>(size));
    if (fits) return text;
  }
  fail(KVC_E_BACKEND, "llama.cpp's chat template asked for room, got it, and asked for more");
}

// --- sequences -------------------------------------------------------------------------------------------------------

Model::Sequence& Model::find(uint64_t sequence) {
  const auto at = sequences_.find(sequence);
  if (at == sequences_.end())
    fail(KVC_E_BACKEND, "sequence %llu is not open", static_cast<unsigned long long>(sequence));
  return at->second;
}

int32_t Model::take_id() {
  if (free_ids_.empty() && !residents_.empty()) drop_resident(residents_.begin());
  if (free_ids_.empty()) fail(KVC_E_BACKEND, "all %u sequences of the context are in use", n_sequences_ - 1);
  const int32_t id = free_ids_.back();
  free_ids_.pop_back();
  return id;
}

// Takes a sequence's tokens from a position on out of its cells. False: its state cannot be cut.
bool Model::cut(int32_t id, int32_t from) noexcept {
  if (window_ != 0) lib_.llama_memory_seq_rm(memory_, id + static_cast<int32_t>(n_sequences_), from, -1);
  return lib_.llama_memory_seq_rm(memory_, id, from, -1);
}

// llama.cpp gives cells that the window of their sequence has left to others, also where there is room besides: a
// shorter prefix of that sequence would then lack its past, without a word. Cells that belong to two sequences it leaves
// alone; so each sequence has a second one, which nothing is ever computed for.
void Model::guard(int32_t id, uint32_t from, uint32_t to) noexcept {
  if (window_ == 0) return;
  lib_.llama_memory_seq_cp(memory_, id, id + static_cast<int32_t>(n_sequences_), static_cast<int32_t>(from),
                           static_cast<int32_t>(to));
}

void Model::drop_resident(std::list<Sequence>::iterator at) noexcept {
  cut(at->id, -1);
  free_ids_.push_back(at->id);  // its capacity was there before
  residents_.erase(at);
}

// Drops residents until n more tokens have room. Cells that two sequences share are counted twice: better too much
// room.
void Model::make_room(uint32_t n) noexcept {
  uint64_t used = n;
  for (const auto& [number, sequence] : sequences_) used += sequence.tokens.size();
  for (const Sequence& resident : residents_) used += resident.tokens.size();
  while (used > cells_total_ && !residents_.empty()) {
    used -= residents_.front().tokens.size();
    drop_resident(residents_.begin());
  }
}

void Model::open(uint64_t sequence) {
  if (sequences_.count(sequence) != 0) {
    fail(KVC_E_BACKEND, "sequence %llu is open already", static_cast<unsigned long long>(sequence));
  }
  Sequence s;
  s.id = take_id();
  sequences_.emplace(sequence, std::move(s));
}

void Model::close(uint64_t sequence) noexcept {
  const auto at = sequences_.find(sequence);
  if (at == sequences_.end()) return;
  Sequence& s = at->second;
  bool keeps = pages_ && options_.resident > 0 && s.stored > 0;
  if (keeps) keeps = cut(s.id, static_cast<int32_t>(s.stored));
  if (keeps) {
    s.tokens.resize(s.stored);
    // What it continues is of no more use.
    for (auto it = residents_.begin(); it != residents_.end();) {
      const auto next = std::next(it);
      if (it->domain == s.domain && it->tokens.size() <= s.tokens.size() &&
          std::equal(it->tokens.begin(), it->tokens.end(), s.tokens.begin())) {
        drop_resident(it);
      }
      it = next;
    }
    while (residents_.size() >= options_.resident) drop_resident(residents_.begin());
    try {
      residents_.push_back(std::move(s));
    } catch (const std::bad_alloc&) {
      keeps = false;
    }
  }
  if (!keeps) {
    cut(s.id, -1);
    free_ids_.push_back(s.id);
  }
  sequences_.erase(at);
  // Nothing is left: the next sequence begins at the first cell again.
  if (sequences_.empty() && residents_.empty()) lib_.llama_memory_clear(memory_, false);
}

void Model::forward(const kvc_forward_t* items, uint32_t n) {
  token_.clear();
  position_.clear();
  id_.clear();
  wanted_.clear();
  uint64_t total = 0;
  for (uint32_t i = 0; i < n; ++i) total += items[i].n;
  if (total > batch_tokens_)
    fail(KVC_E_BACKEND, "%llu tokens in one step, the limit is %u", static_cast<unsigned long long>(total),
         batch_tokens_);
  for (uint32_t i = 0; i < n; ++i) {
    const kvc_forward_t& item = items[i];
    Sequence& s = find(item.sequence);
    if (item.position != s.tokens.size()) {
      fail(KVC_E_BACKEND, "position %u does not continue a sequence of %zu tokens", item.position, s.tokens.size());
    }
    if (uint64_t{item.position} + item.n > context_tokens_) {
      fail(KVC_E_CONTEXT, "%u tokens after %u are more than the context of %u", item.n, item.position, context_tokens_);
    }
    for (uint32_t t = 0; t < item.n; ++t) {
      if (item.tokens[t] < 0 || item.tokens[t] >= n_vocab_) fail(KVC_E_TOKEN, "token %d is none", item.tokens[t]);
      token_.push_back(item.tokens[t]);
      position_.push_back(static_cast<int32_t>(item.position + t));
      id_.push_back(s.id);
      wanted_.push_back(item.logits != nullptr && t + 1 == item.n ? 1 : 0);
    }
    s.tokens.reserve(s.tokens.size() + item.n);
  }
  count_.assign(token_.size(), 1);
  id_pointer_.resize(token_.size());
  for (size_t i = 0; i < id_.size(); ++i) id_pointer_[i] = &id_[i];
  make_room(static_cast<uint32_t>(token_.size()));
  if (!try_decode()) {
    // Cells can be scattered more than the count says: once more, with all there is.
    while (!residents_.empty()) drop_resident(residents_.begin());
    if (!try_decode()) {
      fail(KVC_E_NO_MEMORY, "llama.cpp has no room for %zu tokens in its %u cells: raise option model_cells",
           token_.size(), cells_total_);
    }
  }

  size_t row = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const kvc_forward_t& item = items[i];
    row += item.n;
    if (item.logits == nullptr) continue;
    const float* logits = lib_.llama_get_logits_ith(context_.get(), static_cast<int32_t>(row - 1));
    if (logits == nullptr) fail(KVC_E_BACKEND, "llama.cpp gave no logits%s", because().c_str());
    std::memcpy(item.logits, logits, sizeof(float) * static_cast<size_t>(n_vocab_));
  }
  for (uint32_t i = 0; i < n; ++i) {
    Sequence& s = find(items[i].sequence);
    s.tokens.insert(s.tokens.end(), items[i].tokens, items[i].tokens + items[i].n);
    guard(s.id, items[i].position, items[i].position + items[i].n);
  }
}

// False: no room.
bool Model::try_decode() {
  const batch b{static_cast<int32_t>(token_.size()),
                token_.data(),
                nullptr,
                position_.data(),
                count_.data(),
                id_pointer_.data(),
                wanted_.data()};
  take_log();
  const int32_t result = lib_.llama_decode(context_.get(), b);
  if (result == 0) return true;
  constexpr int32_t kNoRoom = 1, kAborted = 2;
  if (result == kNoRoom) return false;
  if (result == kAborted) fail(KVC_E_CANCELLED, "llama_decode of %zu tokens was ended early", token_.size());
  fail(KVC_E_BACKEND, "llama_decode of %zu tokens failed (%d)%s", token_.size(), result, because().c_str());
}

uint64_t Model::domain_of(kvc_session_t* session) const {
  kvc_session_info_t info{};
  info.struct_size = sizeof info;
  if (host_->session_info(session, &info) != KVC_OK) fail(KVC_E_BACKEND, "the session of a sequence cannot be asked");
  return info.domain;
}

// Most tokens that can be exported together from a position. llama.cpp leaves out what is beyond a layer's window, seen
// from the last token of the range, or in another part of a sequence that is cut into parts of that size.
uint32_t Model::chunk_at(uint32_t position) const {
  const uint32_t chunk = cells_->chunk_tokens();
  return window_ == 0 ? chunk : std::min(chunk, window_ - position % window_);
}

void Model::store(uint64_t sequence, kvc_session_t* session, uint32_t from, uint32_t n) {
  Sequence& s = find(sequence);
  if (uint64_t{from} + n > s.tokens.size()) {
    fail(KVC_E_BACKEND, "tokens %u to %u of a sequence of %zu", from, from + n, s.tokens.size());
  }
  if (pages_) {
    for (uint32_t at = from; at < from + n;) {
      const uint32_t now = std::min(chunk_at(at), from + n - at);
      copier_->append(session, cells_->export_rows(s.id, at, now));
      at += now;
    }
    s.domain = domain_of(session);
    if (s.stored == from) s.stored = from + n;
    return;
  }
  std::vector<unsigned char> nothing(2 * size_t{n});
  kvc_tensor_t k{};
  k.struct_size = sizeof k;
  k.data = nothing.data();
  k.size = n;
  k.dtype = KVC_U8;
  k.n_dims = 3;
  k.shape[0] = n;
  k.shape[1] = k.shape[2] = 1;
  kvc_tensor_t v = k;
  v.data = nothing.data() + n;
  if (host_->session_append_all(session, &k, &v, 1, n) != KVC_OK) {
    fail(KVC_E_NO_MEMORY, "there is no room for the tokens of a sequence in the cache");
  }
}

// Takes the cells of the resident sequence with the most tokens in common.
void Model::adopt(Sequence* sequence, const int32_t* tokens, uint32_t n) {
  auto best = residents_.end();
  size_t most = 0;
  for (auto it = residents_.begin(); it != residents_.end(); ++it) {
    if (it->domain != sequence->domain) continue;
    const size_t limit = std::min<size_t>(n, it->tokens.size());
    const auto common = static_cast<size_t>(std::mismatch(tokens, tokens + limit, it->tokens.begin()).first - tokens);
    // Cells out of the window of a sequence's end may have been given to others: it cannot be shortened.
    if (window_ > 0 && common != it->tokens.size()) continue;
    if (common > most) {
      most = common;
      best = it;
    }
  }
  if (best == residents_.end()) return;
  if (most == best->tokens.size()) {
    free_ids_.push_back(sequence->id);
    sequence->id = best->id;
    residents_.erase(best);
  } else {
    lib_.llama_memory_seq_cp(memory_, best->id, sequence->id, 0, static_cast<int32_t>(most));
    guard(sequence->id, 0, static_cast<uint32_t>(most));
    residents_.splice(residents_.end(), residents_, best);
  }
  sequence->tokens.assign(tokens, tokens + most);
  sequence->stored = static_cast<uint32_t>(most);
}

void Model::restore(uint64_t sequence, kvc_session_t* session, const int32_t* tokens, uint32_t from, uint32_t n) {
  if (!pages_) fail(KVC_E_UNSUPPORTED, "this model is restored from states only");
  Sequence& s = find(sequence);
  if (from != s.tokens.size()) fail(KVC_E_BACKEND, "position %u does not continue %zu tokens", from, s.tokens.size());
  if (uint64_t{from} + n > context_tokens_) fail(KVC_E_CONTEXT, "%u tokens are more than the context", from + n);
  s.domain = domain_of(session);
  const uint32_t end = from + n;
  uint32_t at = from;
  if (from == 0) {
    adopt(&s, tokens, n);
    at = static_cast<uint32_t>(s.tokens.size());
  }
  make_room(end - at);
  try {
    cells_->import_range(
        s.id, at, end - at, threads_ > 1, [&](uint32_t to, const BlobRows& rows) { copier_->read(session, to, rows); },
        [&](uint32_t to, uint32_t count) {
          guard(s.id, to, to + count);
          s.tokens.insert(s.tokens.end(), tokens + (to - from), tokens + (to - from) + count);
        });
  } catch (const std::exception&) {
    truncate(sequence, from);
    throw;
  }
  s.stored = std::max(s.stored, end);
}

void Model::truncate(uint64_t sequence, uint32_t n) {
  Sequence& s = find(sequence);
  if (n > s.tokens.size()) fail(KVC_E_BACKEND, "a sequence of %zu tokens cannot be cut to %u", s.tokens.size(), n);
  if (!cut(s.id, static_cast<int32_t>(n))) {
    fail(KVC_E_BACKEND, "the state of this model cannot be cut to %u tokens", n);
  }
  s.tokens.resize(n);
  s.stored = std::min(s.stored, n);
}

size_t Model::save_state(uint64_t sequence, uint32_t n, void* bytes, size_t capacity) {
  const Sequence& s = find(sequence);
  if (n != s.tokens.size()) fail(KVC_E_BACKEND, "the state of %u tokens of %zu", n, s.tokens.size());
  const size_t size = lib_.llama_state_seq_get_size(context_.get(), s.id);
  if (size == 0) fail(KVC_E_BACKEND, "llama.cpp gives no state of a sequence%s", because().c_str());
  if (size > capacity) return size;
  if (lib_.llama_state_seq_get_data(context_.get(), static_cast<uint8_t*>(bytes), size, s.id) != size) {
    fail(KVC_E_BACKEND, "llama.cpp gave another state than it announced%s", because().c_str());
  }
  return size;
}

void Model::load_state(uint64_t sequence, const int32_t* tokens, uint32_t n, const void* bytes, size_t size) {
  Sequence& s = find(sequence);
  if (!s.tokens.empty())
    fail(KVC_E_BACKEND, "a state is for an empty sequence, this one has %zu tokens", s.tokens.size());
  if (n > context_tokens_) fail(KVC_E_CONTEXT, "%u tokens are more than the context", n);
  take_log();
  const size_t read = lib_.llama_state_seq_set_data(context_.get(), static_cast<const uint8_t*>(bytes), size, s.id);
  const int32_t last = lib_.llama_memory_seq_pos_max(memory_, s.id);
  if (read != size || last != static_cast<int32_t>(n) - 1) {
    lib_.llama_memory_seq_rm(memory_, s.id, -1, -1);
    fail(KVC_E_BACKEND, "llama.cpp did not take a state of %zu bytes for %u tokens%s", size, n, because().c_str());
  }
  s.tokens.assign(tokens, tokens + n);
}

}  // namespace kvc_llama

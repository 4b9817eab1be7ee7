// What models that keep their own K/V leave in the cache: pages when they fill and the rest when a request ends; where
// sequences cannot be rebuilt from K/V, states.
//
// A state is kept as a plain tensor of bytes: the identity of the prefix whose state it is, the state, and a digest of
// both. Its key is that identity, in a domain that no tenant's name can have, so that no caller can put a state of its
// own there. With a directory it lies there as other tensors do, and is found again after a restart.
#include <algorithm>
#include <cstring>

#include "request/scheduler.h"

namespace kvc {
namespace {

constexpr size_t kDigestBytes = sizeof(PageId);

std::string_view key_of(const PageId& id) { return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()}; }

// The bytes of a state as a tensor.
TensorView view_of(std::vector<std::byte>& bytes) {
  TensorView view;
  view.data = bytes.data();
  view.size = bytes.size();
  view.dtype = DType::u8;
  view.n_dims = 1;
  view.shape[0] = static_cast<int64_t>(bytes.size());
  view.strides[0] = 1;
  return view;
}

// Whether bytes are the state of this prefix, whole.
bool is_sound(const PageId& id, std::span<const std::byte> bytes) {
  if (bytes.size() <= 2 * kDigestBytes || std::memcmp(bytes.data(), id.bytes.data(), kDigestBytes) != 0) return false;
  const Digest check = digest_of(bytes.first(bytes.size() - kDigestBytes));
  return std::memcmp(check.bytes.data(), bytes.data() + bytes.size() - kDigestBytes, kDigestBytes) == 0;
}

// The tokens that a request's sequence has, from position `from`.
std::vector<int32_t> sequence_tokens(const Job& job, size_t from, size_t to) {
  std::vector<int32_t> tokens;
  tokens.reserve(to - from);
  for (size_t i = from; i < to; ++i) {
    tokens.push_back(i < job.prompt.size() ? job.prompt[i] : job.answer->tokens[i - job.prompt.size()]);
  }
  return tokens;
}

}  // namespace

// After a forward call: what is whole is stored, for those who come with the same beginning.
Status Scheduler::keep_own(Job* job) {
  Run& run = job->run;
  if (!run.stores) return Status::ok();
  const uint32_t page = space_->geometry().page_tokens;
  KVC_RETURN_IF_ERROR(store(job, run.committed / page * page));
  const bool at_state = run.phase == Phase::prefill && is_state_place(*job, run.committed);
  return at_state && run.committed == run.stored ? save_state(job) : Status::ok();
}

Status Scheduler::store(Job* job, uint32_t upto) {
  Run& run = job->run;
  // Answers, and the end of a prompt, are computed in batches that no longer prompt has.
  if (fixed_batch() != 0) upto = std::min(upto, static_cast<uint32_t>(whole_batches(job->prompt.size())));
  if (!run.stores || upto <= run.stored) return Status::ok();
  const std::vector<int32_t> tokens = sequence_tokens(*job, run.stored, upto);
  Status status = backend_->export_kv(job->ticket, run.session.get(), run.stored, upto - run.stored);
  if (status.is_ok()) status = run.session->commit(tokens);
  if (status.is_ok()) {
    run.stored = upto;
    return status;
  }
  // The model goes on without: what has no room in the cache is computed again by whoever comes next.
  KVC_RETURN_IF_ERROR(run.session->truncate(run.stored));
  if (status.code() != KVC_E_NO_MEMORY) return status;
  log_.write(KVC_LOG_WARN, "request %llu stores no more than its first %u tokens: %s",
             static_cast<unsigned long long>(job->ticket), run.stored, status.message().c_str());
  run.stores = false;
  return Status::ok();
}

// At a request's end, before its sequence is closed.
void Scheduler::store_rest(Job* job) noexcept {
  try {
    Status status = store(job, job->run.committed);
    if (status.is_ok() && backend_->info().state_tokens > 0 && job->run.stored == job->run.committed) {
      status = save_state(job);
    }
    if (!status.is_ok()) {
      log_.write(KVC_LOG_WARN, "request %llu could not be stored to its end: %s",
                 static_cast<unsigned long long>(job->ticket), status.message().c_str());
    }
  } catch (...) {
    // Without memory its end is not stored.
  }
}

// Whether a state is to be taken after n tokens of a prompt: at regular distances, and at the last whole page that a
// longer prompt with this beginning, or this prompt again, can go on from. The latter is of this prompt's length: with
// fixed batches there is none.
bool Scheduler::is_state_place(const Job& job, uint32_t n) const noexcept {
  const auto end = static_cast<uint32_t>(job.prompt.size());
  const uint32_t every = backend_->info().state_tokens;
  if (every == 0 || n == 0 || n >= end) return false;
  const uint32_t page = space_->geometry().page_tokens;
  const uint32_t batch = fixed_batch();
  const uint32_t unit = batch != 0 ? batch : page;
  return n % ((every + unit - 1) / unit * unit) == 0 || (batch == 0 && n == (end - 1) / page * page);
}

// Where the next step of a prompt has to end: at its end, or before at a place where a state is to be taken.
uint32_t Scheduler::next_state(const Job& job) const noexcept {
  const auto end = static_cast<uint32_t>(job.prompt.size());
  if (backend_->info().state_tokens == 0 || !job.run.stores) return end;
  // Both kinds of places are ends of pages, or of batches.
  const uint32_t unit = fixed_batch() != 0 ? fixed_batch() : space_->geometry().page_tokens;
  for (uint32_t n = (job.run.committed / unit + 1) * unit; n < end; n += unit) {
    if (is_state_place(job, n)) return n;
  }
  return end;
}

Status Scheduler::save_state(Job* job) {
  const Run& run = job->run;
  if (run.committed == 0) return Status::ok();
  const std::vector<int32_t> tokens = sequence_tokens(*job, 0, run.committed);
  const PageId id = cache_->prefix_ids(*space_, job->request.tenant, tokens, run.committed).back();
  const std::string domain = Cache::own_domain(job->request.tenant);
  if (cache_->contains(domain, key_of(id))) return Status::ok();
  std::vector<std::byte> state;
  KVC_RETURN_IF_ERROR(backend_->save_state(job->ticket, run.committed, &state));
  const size_t size = state.size();
  state.resize(size + 2 * kDigestBytes);
  std::memmove(state.data() + kDigestBytes, state.data(), size);
  std::memcpy(state.data(), id.bytes.data(), kDigestBytes);
  const Digest check = digest_of({state.data(), size + kDigestBytes});
  std::memcpy(state.data() + kDigestBytes + size, check.bytes.data(), kDigestBytes);
  if (Status status = cache_->put(domain, key_of(id), view_of(state)); !status.is_ok()) {
    log_.write(KVC_LOG_WARN, "request %llu: the state of %u tokens is not kept: %s",
               static_cast<unsigned long long>(job->ticket), run.committed, status.message().c_str());
  }
  return Status::ok();
}

// The most of `tokens` of which a state is kept; 0: none.
size_t Scheduler::find_state(const Request& request, std::span<const int32_t> tokens, PageId* id) {
  const std::string domain = Cache::own_domain(request.tenant);
  const std::vector<PageId> ids = cache_->prefix_ids(*space_, request.tenant, tokens, 1);
  for (size_t n = ids.size(); n > 0; --n) {
    if (!cache_->contains(domain, key_of(ids[n - 1]))) continue;
    *id = ids[n - 1];
    return n;
  }
  return 0;
}

// Restores the deepest state of a prefix into the request's sequence. A state that is damaged is dropped, as one that
// the model does not take: the next one down is tried.
Status Scheduler::load_state(Job* job, std::span<const int32_t> tokens, size_t* restored) {
  const std::string domain = Cache::own_domain(job->request.tenant);
  *restored = 0;
  for (;;) {
    PageId id;
    const size_t n = find_state(job->request, tokens, &id);
    if (n == 0) return Status::ok();
    if (!job->run.sequence_open) {  // only asked how much there is
      *restored = n;
      return Status::ok();
    }
    std::vector<std::byte> bytes;
    bool found = false;
    KVC_RETURN_IF_ERROR(cache_->get(domain, key_of(id), &found, [&](const TensorView& stored) {
      bytes.assign(stored.data, stored.data + stored.size);
      return Status::ok();
    }));
    if (!found) {
      tokens = tokens.first(n - 1);  // gone, or on a disk that is too slow: the next one down
      continue;
    }
    const bool sound = is_sound(id, bytes);
    Status status = sound ? backend_->load_state(job->ticket, tokens.first(n),
                                                 {bytes.data() + kDigestBytes, bytes.size() - 2 * kDigestBytes})
                          : error(KVC_E_CORRUPT, "its digest is wrong");
    if (status.is_ok()) {
      *restored = n;
      return status;
    }
    log_.write(KVC_LOG_ERROR, "request %llu: the state of %zu tokens is dropped: %s",
               static_cast<unsigned long long>(job->ticket), n, status.message().c_str());
    cache_->remove(domain, key_of(id));
    tokens = tokens.first(n - 1);
  }
}

}  // namespace kvc

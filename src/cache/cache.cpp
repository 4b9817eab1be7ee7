#include "cache/cache.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>
#include <thread>

#include "base/signals.h"
#include "cache/counters.h"
#include "cache/disk_fetch.h"

namespace kvc {

Cache::Cache(const CacheOptions& options, const kvc_allocator_t* allocator, const Clock& clock, const Log& log)
    : options_(options),
      clock_(clock),
      log_(log),
      memory_(allocator, options.memory_limit,
              options.devices != nullptr && options.devices->pinned ? &*options.devices->pinned : nullptr),
      pool_(&memory_),
      host_(&memory_, &pool_),
      history_(&memory_, std::min(options.history_bytes, options.memory_limit / 64)),
      prefill_speed_(options.prefill_speed),
      counters_(std::make_unique<Counters>()),
      tensors_(CountedAllocator<std::pair<const TensorKey, StoredTensor*>>(&memory_)),
      sessions_(CountedAllocator<std::pair<const uint64_t, Session*>>(&memory_)) {
  memory_.set_reclaim(&Cache::reclaim, this);
  if (options.codec_target.rest > 0) rest_.enable();
}

namespace {

bool learns(const Codec& codec) {
  return codec.name() == "klt" || codec.name() == "lowrank" || codec.name() == "auto";
}

}  // namespace

Status Cache::make(const CacheOptions& options, const kvc_allocator_t* allocator, const Clock& clock, const Log& log,
                   std::unique_ptr<Cache>* out) {
  if (!hash_init()) return error(KVC_E_INTERNAL, "libsodium could not be initialised");
  if (options.memory_limit == 0) {
    return error(KVC_E_BUDGET, "the memory budget is 0 bytes: set option memory, e.g. to 512MiB");
  }
  std::unique_ptr<Cache> cache(new Cache(options, allocator, clock, log));
  cache->policy_ = options.custom_policy ? make_custom_policy(*options.custom_policy, &cache->memory_)
                                         : make_policy(options.policy, &cache->memory_);
  if (cache->policy_ == nullptr)
    return error(KVC_E_UNSUPPORTED, "there is no policy '%s' in this build", options.policy.c_str());
  if (options.user_codec) cache->user_codec_ = std::make_unique<UserCodec>(*options.user_codec);
  cache->codec_ = options.user_codec ? cache->user_codec_.get() : find_codec(options.codec);
  if (cache->codec_ == nullptr)
    return error(KVC_E_UNSUPPORTED, "there is no codec '%s' in this build", options.codec.c_str());
  for (const uint32_t bits : {options.codec_key_bits, options.codec_value_bits}) {
    if (bits == 8 || bits == 4 || bits == 2) continue;
    return error(KVC_E_OUT_OF_RANGE, "codes of %u bits: options codec_key_bits and codec_value_bits take 8, 4 or 2", bits);
  }
  if (options.devices != nullptr) {
    cache->devices_ = std::make_unique<Devices>(*options.devices, options.policy, &cache->memory_);
  }
  KVC_RETURN_IF_ERROR(Disk::open(options.disk, cache.get(), log, &cache->disk_));
  *out = std::move(cache);
  return Status::ok();
}

Cache::~Cache() {
  if (disk_ != nullptr) disk_->close();
  memory_.set_reclaim(nullptr, nullptr);
  // Unpinned and unused is all that is left to be: everything is a candidate once pins are lifted, leaves first.
  if (policy_ != nullptr) {
    for (auto& [name, root] : roots_) {
      // Depth first without recursion or allocation: descend to a leaf, free it, go back to its parent.
      while (Page* page = root->children) {
        while (page->children != nullptr) page = page->children;
        Page** siblings = page->parent != nullptr ? &page->parent->children : &page->root->children;
        erase_child(siblings, page, root->space->token_width());
        policy_->removed(*page);
        free_page(page);
      }
    }
    for (auto& [key, tensor] : tensors_) policy_->removed(*tensor);
  }
  disk_.reset();
  while (!tensors_.empty()) {
    auto node = tensors_.extract(tensors_.begin());
    free_tensor(node.mapped());
  }
}

void Cache::end_later(std::unique_ptr<Cache> cache, std::shared_ptr<void> keeps) noexcept {
  const SignalsBlocked blocked;
  try {
    std::thread([ended = std::move(cache), kept = std::move(keeps)]() mutable {
      ended.reset();
      kept.reset();
    }).detach();
  } catch (const std::exception&) {
    // No thread, no memory: destroyed with the function object.
  }
}

const Codec& Cache::codec_of(const PageGeometry& geometry) const noexcept {
  return geometry.dtype == DType::u8 ? *find_codec("identity") : *codec_;
}

const Codec* Cache::codec_with(uint8_t id) const noexcept {
  return id == kUserCodecId ? user_codec_.get() : find_codec(id);
}

Calibrator* Cache::calibrator_of(const Space& space) {
  if (!learns(*codec_) || codec_of(space.geometry()).is_clear()) return nullptr;
  std::lock_guard lock(spaces_mutex_);
  std::unique_ptr<Calibrator>& known = calibrators_[space.digest()];
  if (known == nullptr) {
    KltTarget target = options_.codec_target;
    // A ratio is of the space's own numbers.
    if (target.ratio > 0) target.bits = target.ratio * 8 * static_cast<double>(element_bytes(space.geometry().dtype));
    known = std::make_unique<Calibrator>(space, target, options_.codec_learn, &memory_, &calibration_memory_, log_);
  }
  return known.get();
}

std::vector<CalibrationInfo> Cache::calibrations() {
  std::lock_guard lock(spaces_mutex_);
  std::vector<CalibrationInfo> out;
  for (const auto& [digest, calibrator] : calibrators_) out.push_back(calibrator->info());
  return out;
}

Status Cache::open_space(const kvc_space_desc_t& desc, std::shared_ptr<const Space>* out) {
  std::shared_ptr<const Space> space;
  KVC_RETURN_IF_ERROR(Space::make(desc, options_.space_defaults, &space));
  if (space->geometry().page_bytes() > options_.memory_limit) {
    return error(KVC_E_BUDGET,
                 "one page of this layout takes %zu bytes, the whole memory budget is %llu: raise option memory or "
                 "lower page_tokens (%u)",
                 space->geometry().page_bytes(), static_cast<unsigned long long>(options_.memory_limit),
                 space->geometry().page_tokens);
  }
  {
    std::lock_guard lock(spaces_mutex_);
    std::weak_ptr<const Space>& known = spaces_[space->digest()];
    if (std::shared_ptr<const Space> same = known.lock()) {
      *out = std::move(same);
      return Status::ok();
    }
    known = space;
    std::erase_if(spaces_, [](const auto& entry) { return entry.second.expired(); });
  }
  load_calibrations(*space);
  *out = std::move(space);
  return Status::ok();
}

Root* Cache::acquire_root(const std::shared_ptr<const Space>& space, std::string_view tenant) {
  const std::pair<std::string, Digest> name(std::string(tenant), space->digest());
  {
    std::shared_lock index(index_mutex_);
    if (auto it = roots_.find(name); it != roots_.end()) {
      it->second->references.fetch_add(1, std::memory_order_relaxed);
      return it->second.get();
    }
  }
  auto root = std::make_unique<Root>();
  root->space = space;
  root->tenant = name.first;
  root->tenant_key = tenant_key(options_.secret, tenant);
  std::unique_lock index(index_mutex_);
  const auto place = roots_.try_emplace(name, std::move(root)).first;
  Root* there = place->second.get();
  there->self = place;
  there->references.fetch_add(1, std::memory_order_relaxed);
  return there;
}

void Cache::release_root(Root* root) noexcept {
  {
    std::shared_lock index(index_mutex_);
    if (root->references.load(std::memory_order_acquire) > 1 || root->children != nullptr) {
      // Usual: others are there. Whoever brings it to "no users, no pages" looks again below, with the lock to itself.
      if (root->references.fetch_sub(1, std::memory_order_acq_rel) > 1 || root->children != nullptr) return;
      root->references.fetch_add(1, std::memory_order_relaxed);
    }
  }
  std::unique_ptr<Root> dropped;
  std::unique_lock index(index_mutex_);
  if (root->references.fetch_sub(1, std::memory_order_acq_rel) > 1 || root->children != nullptr) return;
  dropped = std::move(root->self->second);
  roots_.erase(root->self);
}

Status Cache::open_session(std::shared_ptr<const Space> space, SessionOptions options, std::unique_ptr<Session>* out) {
  if (options.tenant.size() > 1024 || options.session_id.size() > 1024) {
    return error(KVC_E_OUT_OF_RANGE, "tenant and session_id may have 1024 bytes each, these have %zu and %zu",
                 options.tenant.size(), options.session_id.size());
  }
  if (options.priority < KVC_PRIORITY_BACKGROUND || options.priority > KVC_PRIORITY_CRITICAL) {
    return error(KVC_E_OUT_OF_RANGE, "priority %d is outside of %d to %d", options.priority, KVC_PRIORITY_BACKGROUND,
                 KVC_PRIORITY_CRITICAL);
  }
  Root* root = acquire_root(space, options.tenant);
  try {
    *out = std::unique_ptr<Session>(new Session(this, space, root, std::move(options)));
  } catch (...) {
    release_root(root);
    throw;
  }
  return Status::ok();
}

Status Cache::page_ids(const Space& space, std::string_view tenant, std::span<const int32_t> tokens,
                       std::vector<PageId>* out) const {
  KVC_RETURN_IF_ERROR(space.check_tokens(tokens));
  const Digest key = tenant_key(options_.secret, tenant);
  const size_t page = space.geometry().page_tokens;
  out->resize(tokens.size() / page);
  PageId parent = space.digest();
  for (size_t i = 0; i < out->size(); ++i) parent = (*out)[i] = page_id(key, parent, tokens.subspan(i * page, page));
  return Status::ok();
}

std::vector<PageId> Cache::prefix_ids(const Space& space, std::string_view tenant, std::span<const int32_t> tokens,
                                      size_t first) const {
  const Digest key = tenant_key(options_.secret, tenant);
  const size_t page = space.geometry().page_tokens;
  std::vector<PageId> ids;
  if (tokens.size() >= first) ids.reserve(tokens.size() - first + 1);
  PageId parent = space.digest();
  for (size_t begin = 0; begin < tokens.size(); begin += page) {
    const size_t end = std::min(begin + page, tokens.size());
    PageId id;
    for (size_t n = std::min(std::max(begin + 1, first), end); n <= end; ++n) {
      id = page_id(key, parent, tokens.subspan(begin, n - begin));
      if (n >= first) ids.push_back(id);
    }
    parent = id;
  }
  return ids;
}

size_t Cache::probe(const Space& space, std::string_view tenant, std::span<const int32_t> tokens) {
  if (!options_.reuse || !space.check_tokens(tokens).is_ok()) return 0;
  size_t in_memory = 0;
  {
    std::shared_lock index(index_mutex_);
    if (const auto it = roots_.find({std::string(tenant), space.digest()}); it != roots_.end()) {
      const Walk found = walk(*it->second, nullptr, tokens, Accept::any);
      const size_t pages = found.last != nullptr ? found.last->depth + size_t{1} : 0;
      in_memory = pages * space.geometry().page_tokens + found.common;
    }
  }
  if (in_memory == tokens.size()) return in_memory;
  const std::unique_ptr<Fetch> fetch = begin_fetch(space.shared_from_this(), tenant, tokens);
  return fetch != nullptr ? std::max(in_memory, fetch->stored_tokens()) : in_memory;
}

CacheStats Cache::stats() {
  CacheStats s;
  s.matches = counters_->matches.get();
  s.match_hits = counters_->match_hits.get();
  s.matched_tokens = counters_->matched_tokens.get();
  s.match_asked_tokens = counters_->match_asked_tokens.get();
  for (int i = 0; i < KVC_MISS_COUNT; ++i) s.misses_by_reason[i] = counters_->misses[i].get();
  s.pages_sealed = counters_->pages_sealed.get();
  s.pages_deduplicated = counters_->pages_deduplicated.get();
  s.pages_evicted = counters_->pages_evicted.get();
  s.tensors_evicted = counters_->tensors_evicted.get();
  s.pages = static_cast<uint64_t>(counters_->pages.load(std::memory_order_relaxed));
  s.pages_pinned = static_cast<uint64_t>(counters_->pages_pinned.load(std::memory_order_relaxed));
  s.sessions = static_cast<uint64_t>(counters_->sessions.load(std::memory_order_relaxed));
  s.tensors = static_cast<uint64_t>(counters_->tensors.load(std::memory_order_relaxed));
  s.memory_limit = memory_.limit();
  s.memory_payload = memory_.used(MemoryUse::payload);
  s.memory_metadata = memory_.used(MemoryUse::metadata);
  s.memory_pooled = memory_.used(MemoryUse::pooled);
  s.memory_used = memory_.used();
  s.memory_peak = memory_.peak();
  s.host_bytes = host_.stats().bytes;
  s.approximate_tokens = counters_->approximate_tokens.get();
  s.codec_failures = user_codec_ != nullptr ? user_codec_->failures() : 0;
  s.pages_sparse = counters_->pages_sparse.get();
  s.sparse_by_recency = counters_->sparse_by_recency.get();
  s.sparse_restored = counters_->sparse_restored.get();
  if (const uint64_t chosen = s.pages_sparse - std::min(s.pages_sparse, s.sparse_by_recency); chosen > 0) {
    s.sparse_mass_left_out = counters_->mass_left_out.load(std::memory_order_relaxed) / static_cast<double>(chosen);
  }
  s.pages_encoded = counters_->pages_encoded.get();
  s.pages_kept_clear = counters_->pages_kept_clear.get();
  s.encoded_raw_bytes = counters_->encoded_raw_bytes.get();
  s.encoded_bytes = counters_->encoded_bytes.get();
  const auto relative = [&](int plane) {
    const double energy = counters_->energy[plane].load(std::memory_order_relaxed);
    return energy > 0 ? std::sqrt(counters_->error[plane].load(std::memory_order_relaxed) / energy) : 0.0;
  };
  s.pages_checked = counters_->pages_checked.get();
  s.pages_raised = counters_->pages_raised.get();
  s.heads_raw = counters_->heads_raw.get();
  s.bound_error = counters_->bound_error.load(std::memory_order_relaxed);
  s.pages_aged = counters_->pages_aged.get();
  s.aged_before_bytes = counters_->aged_before_bytes.get();
  s.aged_bytes = counters_->aged_bytes.get();
  s.aged_tokens = counters_->aged_tokens.get();
  s.key_error = relative(KVC_KEY);
  s.value_error = relative(KVC_VALUE);
  s.disk = disk_->stats();
  if (devices_ != nullptr) s.device = devices_->stats();
  std::lock_guard policy(policy_mutex_);
  s.policy = policy_->state();
  if (s.policy.changes > 0) s.policy.changed_ns = std::max<uint64_t>(1, clock_.now_ns() - s.policy.changed_ns);
  return s;
}

}  // namespace kvc

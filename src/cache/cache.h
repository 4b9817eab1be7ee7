// The page core: spaces, the prefix index, sessions, plain tensors, eviction. The room's front door.
//
// The index is a tree of pages per (tenant, space): the children of a page are the pages that continue it, found by
// comparing tokens, never by hash alone. Eviction takes leaves only, so a page's whole chain is there as long as the
// page is.
//
// Locks, in this order: sessions_mutex_; a session's own; index_mutex_ (shared to walk and to take references, exclusive to link and
// unlink); the policy's. Nothing slow happens under the last two: no hashing, copying, allocation or callback. Uses
// that matches report go to small striped buffers and reach the policy later, so that matches on several threads do not
// wait for one another.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/spinning_mutex.h"
#include "base/striped_mutex.h"
#include "cache/access_buffer.h"
#include "cache/calibrator.h"
#include "cache/devices.h"
#include "cache/disk.h"
#include "cache/page.h"
#include "cache/rest_queue.h"
#include "cache/session.h"
#include "cache/space.h"
#include "cache/tensor_store.h"
#include "cache/trace_writer.h"
#include "codec/user.h"
#include "memory/memory.h"
#include "memory/page_pool.h"
#include "policy/history.h"
#include "policy/policy.h"
#include "tier/host_tier.h"

namespace kvc {

class Fetch;

struct CacheOptions {
  uint64_t memory_limit = 0;  // bytes, hard
  double gc_threshold = 0.8;  // collection starts above this share of the limit ...
  double gc_target = 0.7;     // ... and stops at this one
  uint64_t page_limit = 0;    // pages kept when no session is open; 0: what the memory holds
  std::string policy = "lru";
  std::optional<kvc_policy_t> custom_policy;  // of full size; instead of `policy`
  uint64_t history_bytes = 0;  // for what_if
  uint64_t pin_limit = 0;      // bytes of pinned pages; 0: no limit
  double prefill_speed = 0;    // tokens per second; 0: not known
  std::string codec = "identity";
  std::optional<kvc_codec_t> user_codec;  // of full size; instead of `codec`
  // For lossy codecs: a page is encoded once so many tokens follow it; until then it is part of the session's tail.
  uint32_t codec_window = 64;
  uint32_t codec_key_bits = 8, codec_value_bits = 4;  // for codec "mixed"
  KltTarget codec_target;       // for codecs that learn
  uint32_t codec_learn = 1024;  // tokens they learn from
  uint64_t codec_rest_after_ns = 0;  // with codec_target.rest
  double svd_ratio = 0.3;       // codec "svd"
  double sparse_keep = 0.5;     // codec "sparse": share of the rows that stay
  bool sparse_restore = true;   // the others may be brought back
  Space::Defaults space_defaults;
  Digest secret{};    // tenants' keys derive from it; equal secrets make equal identities
  bool reuse = true;  // false: matches find nothing (mode "training")
  DiskOptions disk;
  std::shared_ptr<DeviceSet> devices;  // nullptr: none, for a reason
  std::string devices_why;
};

struct CacheStats {
  uint64_t matches = 0, match_hits = 0, matched_tokens = 0, match_asked_tokens = 0;
  uint64_t misses_by_reason[KVC_MISS_COUNT] = {};
  uint64_t pages = 0, pages_sealed = 0, pages_deduplicated = 0, pages_evicted = 0, pages_pinned = 0;
  uint64_t sessions = 0, tensors = 0, tensors_evicted = 0;
  uint64_t memory_limit = 0, memory_used = 0, memory_payload = 0, memory_metadata = 0, memory_pooled = 0,
           memory_peak = 0;
  uint64_t host_bytes = 0;
  uint64_t approximate_tokens = 0;  // of matched_tokens
  uint64_t codec_failures = 0, pages_sparse = 0, sparse_by_recency = 0, sparse_restored = 0;
  double sparse_mass_left_out = 0;
  uint64_t pages_encoded = 0, pages_kept_clear = 0, encoded_raw_bytes = 0, encoded_bytes = 0;
  PolicyState policy;
  uint64_t pages_checked = 0, pages_raised = 0, heads_raw = 0;  // codec auto
  uint64_t pages_aged = 0, aged_before_bytes = 0, aged_bytes = 0, aged_tokens = 0;
  double bound_error = 0;                 // the largest that a check found in a page as it was kept
  double key_error = 0, value_error = 0;  // root mean square, relative; sampled
  DiskStats disk;
  DeviceStats device;
};

struct PageInfo {
  PageId id, parent;
  Digest space;
  uint64_t position = 0, bytes = 0, metadata_bytes = 0, hits = 0, age_ns = 0, idle_ns = 0;
  uint32_t tokens = 0, references = 0, children = 0;
  int32_t tier = 0, priority = 0;
  bool pinned = false;
  bool approximate = false, aged = false;
  std::string_view codec;
};

class Cache {
 public:
  // KVC_E_BUDGET: limit 0. KVC_E_UNSUPPORTED: no such policy or codec. `allocator` may be nullptr (mimalloc).
  static Status make(const CacheOptions& options, const kvc_allocator_t* allocator, const Clock& clock, const Log& log,
                     std::unique_ptr<Cache>* out);
  ~Cache();  // every session must be gone
  // Destroys a cache whose disk hangs when the disk answers, on a thread that nobody waits for; if there is none, here and
  // now. `keeps` lives as long.
  static void end_later(std::unique_ptr<Cache> cache, std::shared_ptr<void> keeps) noexcept;
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // The space of an identity; equal identities give the same object. KVC_E_BUDGET: a page is larger than the limit.
  Status open_space(const kvc_space_desc_t& desc, std::shared_ptr<const Space>* out);
  Status open_session(std::shared_ptr<const Space> space, SessionOptions options, std::unique_ptr<Session>* out);
  // Identities of the whole pages of `tokens`.
  Status page_ids(const Space& space, std::string_view tenant, std::span<const int32_t> tokens,
                  std::vector<PageId>* out) const;
  // Identities of the prefixes of `tokens` with `first` (at least 1), first + 1, ... tokens; of whole pages those of page_ids.
  // tokens are in the vocabulary.
  std::vector<PageId> prefix_ids(const Space& space, std::string_view tenant, std::span<const int32_t> tokens,
                                 size_t first) const;
  // Tokens of the longest stored prefix, without attaching it and without counting as a use.
  size_t probe(const Space& space, std::string_view tenant, std::span<const int32_t> tokens);

  // Begins to bring what is stored of a prompt from disk into memory (disk_fetch.h). nullptr: there is nothing to read
  // from, or reuse is off.
  std::unique_ptr<Fetch> begin_fetch(const std::shared_ptr<const Space>& space, std::string_view tenant,
                                     std::span<const int32_t> tokens, Accept accept = Accept::any);
  // Copies of pages on devices; nullptr: there are none.
  Devices* devices() noexcept { return devices_.get(); }
  // Pages on disk beyond option disk_path; persistence.cpp.
  Disk& disk() noexcept { return *disk_; }
  Status persist_to(const std::string* tenant, const std::string& path, uint64_t* pages);
  Status write_pack(std::shared_ptr<const Space> space, std::string_view tenant, std::span<const int32_t> tokens,
                    const std::string& path, size_t* written);
  // Removes what is kept of a tenant, in memory and on disk. KVC_E_BUSY: but for pages that open sessions use.
  Status purge(const std::string& tenant, uint64_t* pages);

  // Plain tensors.
  // to_disk: where there is a disk that writes, it goes there without staying in memory.
  Status put(std::string_view tenant, std::string_view key, const TensorView& tensor, const TensorForm& form = {},
             bool to_disk = false);
  // The stored tensor's shape and dtype, and its bytes (`data`; coded: see tensor_form.h), to `copy` while they cannot go
  // away. *found false: a miss, copy is not called.
  Status get(std::string_view tenant, std::string_view key, bool* found,
             const std::function<Status(const TensorShape& stored)>& copy);
  bool contains(std::string_view tenant, std::string_view key);
  // The domain of tensors that the library keeps for a tenant itself, states of sequences: no tenant can have this name.
  static std::string own_domain(const std::string& tenant) { return std::string(1, '\0') + "state" + tenant; }
  bool remove(std::string_view tenant, std::string_view key);

  // Pages, parents before children. tenant nullptr: all.
  std::vector<PageInfo> pages(const std::string* tenant);
  Status page_info(const PageId& id, PageInfo* out);
  Status page_tokens(const PageId& id, std::vector<int32_t>* out);

  // Evicts until at most `bytes` are used, or nothing more can go; returns the bytes given back.
  uint64_t trim(uint64_t bytes);
  CacheStats stats();
  const CacheOptions& options() const noexcept { return options_; }
  const Clock& clock() const noexcept { return clock_; }
  // What the policy learned, for a store to keep and to give back after a restart; false: not what it can take.
  std::vector<std::byte> policy_state();
  bool load_policy_state(std::span<const std::byte> state);
  // Tells the policy what hits are to be weighed by. KVC_E_UNSUPPORTED: it cannot.
  Status adapt(const PolicyObjective& objective, double prefill_speed);
  // kvc_whatif. ns_per_token: of prefill, where neither adapt nor an option told its speed; 0: not known.
  Status what_if(uint64_t budget, std::string_view policy, double ns_per_token, kvc_whatif_t* out);
  TraceWriter& trace() noexcept { return trace_; }
  std::string_view policy_name() const noexcept { return policy_->name(); }
  // What codecs that learn have picked.
  std::vector<CalibrationInfo> calibrations();
  std::string_view codec_name() const noexcept { return codec_->name(); }
  // How pages of this geometry are encoded: opaque bytes always as they are.
  const Codec& codec_of(const PageGeometry& geometry) const noexcept;
  // What encoded a page. An id that no page of this cache has: nullptr.
  const Codec* codec_with(uint8_t id) const noexcept;
  const Codec& codec_of(const Page& page) const noexcept { return *codec_with(page.codec); }

 private:
  friend class Session;
  friend class Disk;
  friend class Fetch;
  friend class Promotion;
  struct Counters;

  Cache(const CacheOptions& options, const kvc_allocator_t* allocator, const Clock& clock, const Log& log);

  // Roots (cache.cpp). acquire counts its user; release drops a root that has neither users nor pages.
  Root* acquire_root(const std::shared_ptr<const Space>& space, std::string_view tenant);
  void release_root(Root* root) noexcept;

  // Pages (index.cpp).
  Page* new_page(Root* root, std::span<const int32_t> tokens, const PageId& id, uint32_t depth, BlobRef blob,
                 uint8_t codec, bool approximate);  // may throw
  void free_page(Page* page) noexcept;
  Page* publish(Page* page, Accept accept) noexcept;
  Page* extend(Page* last, Page* page, bool may, Accept accept) noexcept;
  void reference(Page* page) noexcept;
  void unreference(Page* page) noexcept;
  void unreference_locked(Page* page) noexcept;
  struct Walk {
    Page* last = nullptr;     // deepest page that matches whole
    Page* partial = nullptr;  // a page after it that matches to its first `common` tokens
    size_t common = 0;
  };
  Walk walk(const Root& root, Page* from, std::span<const int32_t> tokens, Accept accept) const noexcept;
  std::shared_ptr<const Space> find_elsewhere(const Root& root, std::span<const int32_t> tokens);

  // For the disk (persistence.cpp). take_unwritten: up to `most` published pages that are not on disk, each referenced;
  // refused: also those that disk_admission did not let in.
  // visit_tails: copies of the unfinished ends of open sessions, as pages that the visitor owns.
  void take_unwritten(size_t most, bool refused, std::vector<Page*>* pages);
  void visit_tails(const std::function<void(Page* page, const PageId& parent)>& visit);
  PageForm form_of(const Page& page) const noexcept;
  // What tells pages of codecs apart that have an option of their own, in the place of bits.
  uint32_t own_bits(uint8_t codec, const PageGeometry& geometry) const noexcept;
  PageId disk_id(const Page& page) const noexcept {
    return form_id(page.root->tenant_key, page.id, form_of(page));
  }
  bool payload_for_disk(const Page& page, uint32_t n_tokens, BlobRef* payload) noexcept;
  Status copy_page(DiskStore& store, const Page& page, uint32_t n_tokens, const Digest& key, const PageId& parent,
                   PageId* id, std::vector<PageId>* calibration = nullptr);
  // Notes plain tensors that are in memory alone for the disk, as many as there is room for; false: there were none.
  bool note_tensors(bool admit);
  // Calibrations in stores (disk_calibrations.cpp). load: looks for those of a space in places not looked through yet;
  // waits for the disk at most as long as a match does. keep: the store holds what the page needs to be decoded, or it is
  // put there, under names that `key` gives; their ids are added to *ids.
  void load_calibrations(const Space& space) noexcept;
  Status keep_calibration(DiskStore& store, const Page& page, const Digest& key, std::vector<PageId>* ids = nullptr);
  Digest calibrations_key() const noexcept;
  void purge_memory(const std::string& tenant, uint64_t* removed, uint64_t* in_use);

  // What the policy is told (eviction.cpp).
  void note_access(const AccessNote& note) noexcept;
  void record_use(Page* page) noexcept;
  void drain_uses() noexcept;
  void tell_access(const AccessNote& note) noexcept;
  void tell_use(Page* last, uint64_t now) noexcept;
  void settle(Page* page) noexcept;
  void settle_locked(Page* page) noexcept;
  void set_candidate(Page* page, bool yes) noexcept;
  void raise_priority(Page* last, int32_t priority) noexcept;
  bool set_pinned(Page* last, bool pinned) noexcept;
  void tell_closed(Page* last, const SessionEnd& end) noexcept;
  void hint_closed(Page* last, int32_t hint, int32_t priority) noexcept;

  // Room (eviction.cpp).
  bool evict_one() noexcept;
  static bool reclaim(void* cache, size_t bytes) noexcept;
  void collect() noexcept;
  void collect_pages() noexcept;
  uint64_t live_bytes() const noexcept;
  bool new_blob(size_t bytes, BlobRef* out) noexcept;
  void free_tensor(StoredTensor* tensor) noexcept;
  Status no_room(size_t bytes) const;
  // A tensor of these bytes takes the place of what was under its key (tensors.cpp). since: only if no tensor was put or
  // removed since then, and it is of the disk, which is not told.
  Status keep_tensor(std::string_view tenant, std::string_view key, BlobRef blob, const TensorShape& shape,
                     const uint64_t* since);

  // Encodes a page, whole and in the clear (encode.cpp). *blob is replaced, *codec set to what it now holds. recent, sample:
  // what the page's session asked last, for codec auto (or nullptr) and for codec sparse.
  Status encode(const Space& space, uint32_t depth, const RecentQueries* recent, const QuerySample& sample, BlobRef* blob,
                uint8_t* codec);
  // Encodes some of the pages again that are at rest (aging.cpp). No lock is held.
  void age_pages() noexcept;
  bool age_one(bool* encoded);
  double rest_bound() const noexcept;
  bool at_rest(const Page& page, uint64_t now) const noexcept;
  Status encode_at_rest(const Page& page, const BlobRef& blob, BlobRef* out);
  // Whole pages of which codec sparse keeps a part (sparse.cpp). read: layer_bytes() of one layer. KVC_E_NOT_FOUND: gone, or
  // it is not wanted.
  Status keep_cold(const Root& root, const PageId& id, const BlobRef& page);
  Status read_cold(const Root& root, const PageId& id, uint32_t layer, std::byte* out);
  // What a codec that learns knows of a space; nullptr: the codec does not learn. Throws std::bad_alloc.
  Calibrator* calibrator_of(const Space& space);

  const Page* find_page(const PageId& id) const;  // inspect.cpp
  void describe(const Page& page, uint64_t now, PageInfo* out) const;

  const CacheOptions options_;
  const Clock clock_;
  const Log log_;
  Memory memory_;
  PagePool pool_;
  HostTier host_;
  std::unique_ptr<Devices> devices_;
  std::unique_ptr<Policy> policy_;
  History history_;            // guarded by the policy's lock, as the two below
  PolicyObjective objective_;
  double prefill_speed_;
  TraceWriter trace_;
  std::unique_ptr<UserCodec> user_codec_;
  const Codec* codec_ = nullptr;
  std::unique_ptr<Counters> counters_;

  StripedSharedMutex index_mutex_;
  SpinningMutex policy_mutex_;
  AccessBuffer uses_;
  RestQueue rest_{&memory_};  // guarded by index_mutex_
  MemoryResource calibration_memory_{&memory_};
  std::mutex spaces_mutex_;
  std::map<Digest, std::unique_ptr<Calibrator>> calibrators_;  // guarded by spaces_mutex_; as long as the cache
  std::map<Digest, std::weak_ptr<const Space>> spaces_;
  RootMap roots_;      // guarded by index_mutex_
  TensorMap tensors_;  // guarded by index_mutex_
  uint64_t tensor_changes_ = 0;  // guarded by index_mutex_
  std::mutex sessions_mutex_;
  using SessionMap = std::map<uint64_t, Session*, std::less<>, CountedAllocator<std::pair<const uint64_t, Session*>>>;
  SessionMap sessions_;  // all that are open, in the order of their opening; guarded by sessions_mutex_
  uint64_t last_session_ = 0;
  std::unique_ptr<Disk> disk_;  // last: it reads from and writes to all of the above
};

}  // namespace kvc

// What a cache keeps on disk: pages are written behind, found again by identity, and brought back on a match.
//
// Writing. A page is queued when it is published, and written by one background thread; so eviction finds most pages
// written already, and a program that is killed loses the queue alone. A queued page is referenced: it cannot be evicted
// before it is written, which is why the queue is bounded (`queue_bytes`). A page that finds it full waits for the next
// sweep, or goes to disk when it is evicted, if there is room then; else it is lost to the disk and counted.
//
// Finding. A whole page is found by its identity, which follows from its parent and its tokens. A prompt that ends or
// differs inside a page does not know that identity: a small record beside each page, its clue, is found by the parent
// and the page's first token, and holds the page's tokens. Clues are compared like everything else.
//
// Reading is asynchronous (disk_fetch.h); nobody waits longer than `timeout_ns`, and nobody waits at all while a read
// that was given up has not come back: a disk that hangs stops one match, not all.
//
// Plain tensors are written by the same thread. What was put or removed last under a key waits in `changes_`, and counts
// before anything on disk; what waits for no change is on disk as it was left, or not at all (disk_tensors.cpp).
//
// Locks: queue_mutex_ is a leaf beside the policy's; nothing is called with it held. No lock is held during I/O.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "base/log.h"
#include "cache/page.h"
#include "cache/tensor_store.h"
#include "memory/memory.h"
#include "observe/metrics.h"
#include "tier/disk/store.h"

namespace kvc {

class Cache;
struct Root;

struct DiskOptions {
  std::string path;  // of the directory that is written to; empty: none, attached ones may be read all the same
  bool read_only = false;
  uint64_t limit = 0;
  uint64_t interval_ns = 0;
  uint64_t timeout_ns = 1'000'000'000;
  bool second_sight = false;
  bool by_worth = false;  // pages are written when they are evicted, and if they are worth it (Disk::worth_writing)
  int zstd_level = 1;
  std::optional<Digest> key;
  uint32_t prefetch = 4;
  double prefill_speed = 0;  // tokens per second; 0: as measured, Space::prefill_ns()
  // A match whose pages are at least so large together gets its layers decoded behind it (promotion.h), by a thread of
  // their own besides the reader's.
  uint64_t layerwise_bytes = 1 << 20;
  bool promotion_thread = true;
  Vfs* vfs = nullptr;        // tests put their own files here
};

struct DiskStats {
  uint64_t limit = 0, pages = 0, bytes = 0, hits = 0, hit_tokens = 0, misses = 0, written = 0, demoted = 0, dropped = 0;
  uint64_t damaged = 0, timeouts = 0, recomputed = 0, errors = 0, written_bytes = 0, read_bytes = 0, waiting = 0;
  uint64_t durable_ns = 0;  // age of what is durable; 0: nothing yet
};

// A place where pages are looked for. Lives as long as the cache.
struct DiskSource {
  std::unique_ptr<DiskStore> store;
  std::optional<Digest> key;  // a pack's own, in place of the tenant's
};

// A clue's record: codec kClueCodec, tokens {first, -1} (no page has a negative token), payload: number of tokens and
// the tokens, padded to a whole page's.
inline constexpr uint8_t kClueCodec = 255;
// What a page whose K/V went through a lossy codec is stored as: another encoding is another record, and an exact page
// is never mistaken for it. A page in the clear with the numbers that were computed is stored as itself.
struct PageForm {
  uint8_t codec = 0;
  bool approximate = false;
  bool aged = false;  // encoded again at rest: another record than the page had before
  uint32_t key_bits = 0, value_bits = 0;  // of the codec, where it has no calibration
  Digest calibration = {};                // that the page names; all 0: none
  Digest format = {};                     // Codec::format(); all 0: none
};
PageId form_id(const Digest& key, const PageId& page, const PageForm& form) noexcept;
PageId clue_id(const Digest& key, const PageId& parent, int32_t first_token) noexcept;
size_t clue_bytes(const PageGeometry& geometry) noexcept;
std::vector<std::byte> make_clue(const PageGeometry& geometry, std::span<const int32_t> tokens);

// Calibrations of codecs that learn are records beside the pages that name them, written before them. The content has a
// name that follows from its digest; a notice, under a name that follows from the space and from what the codec was
// asked for, says which is the newest, so that a later engine goes on with it (disk_calibrations.cpp). A page whose
// calibration is not there is not looked for.
inline constexpr uint8_t kCalibrationCodec = 254;

// What a store is told of a page and of its clue (`tokens` of the clue: {first, -1}). They point to the arguments.
PutPage page_record(const Root& root, const Codec& codec, const PageId& id, const PageId& parent,
                    std::span<const int32_t> tokens, std::span<const std::byte> payload) noexcept;
PutPage clue_record(const Root& root, const Digest& key, const PageId& parent, std::span<const int32_t> tokens,
                    std::span<const std::byte> clue) noexcept;

// A plain tensor's record: its bytes, compact or coded, then its key and shape.
inline constexpr uint8_t kTensorCodec = 253;
PageId tensor_id(const Digest& tenant_key, std::string_view key) noexcept;

// What is to become of a key on disk.
struct TensorChange {
  std::string tenant, key;
  BlobRef blob;  // empty: removed, or no room to keep it until it is written
  TensorShape shape;
  bool admit = false;
};
using TensorChanges = std::map<PageId, std::shared_ptr<TensorChange>>;
// Made before locks are taken, because it allocates; destroyed after they are given back, because it frees.
struct PreparedChange {
  TensorChanges::node_type change;  // empty: nothing to write
  std::set<PageId>::node_type shadow;
  BlobRef spare;
};

// Tenant and secret of packs are public: whoever has the file may read it.
Digest pack_key() noexcept;

class Disk {
 public:
  // Opens options.path, if there is one, and starts no thread yet.
  static Status open(const DiskOptions& options, Cache* cache, const Log& log, std::unique_ptr<Disk>* out);
  ~Disk();  // writes what still waits, makes it durable
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // --- writing (disk_write.cpp)
  // A page was published; the caller holds a reference.
  void sealed(Page* page) noexcept;
  // A page was encoded again; the caller holds a reference. What was stored of it, under this name, gives way to it.
  void aged(Page* page, const PageId& former) noexcept;
  // A page was evicted: unlinked, unused. True: it is the disk's from now on, and with it the reference on its root.
  // chance: that it would have been used again, negative where the policy does not know.
  bool evicted(Page* page, const PageId& parent, float chance) noexcept;
  // --- plain tensors (disk_tensors.cpp)
  // prepare throws std::bad_alloc. note is called with the index lock held, so that changes are noted in the order in
  // which they are made. blob empty: the key is removed. Without room for the blob until it is written, the key is
  // removed from disk alone; or, with only_if_room, nothing is done and the answer is false.
  PreparedChange prepare(std::string_view tenant, std::string_view key, const BlobRef& blob, const TensorShape& shape,
                         bool admit) const;
  bool note(PreparedChange* prepared, bool only_if_room = false) noexcept;
  // A tensor leaves memory. As note.
  void tensor_evicted(const StoredTensor& tensor) noexcept;
  // What is kept under a key beyond memory. has: by the tables alone. read waits as a match does; false: a miss.
  bool has_tensor(std::string_view tenant, std::string_view key) noexcept;
  bool read_tensor(std::string_view tenant, std::string_view key, BlobRef* blob, TensorShape* shape);
  // Into a store of its own.
  Status put_tensor(DiskStore& store, const TensorChange& tensor, const PageId& id);
  bool wants_tensor(const PageId& id) noexcept;  // neither there nor waiting

  // Everything that is published now, and the tails of open sessions, durable. KVC_PENDING: not within timeout_ns.
  Status persist(uint64_t timeout_ns);
  // Nothing more is waited for: matches that wait for reads go on without them.
  // A page that had been verified could not be decoded: its file was made by hand. From now on pages are decoded before
  // they are a hit, so that the next match finds out in time.
  void promotion_failed() noexcept {
    counters_.damaged.add();
    decode_at_once_.store(true, std::memory_order_relaxed);
  }
  void stop_waiting() noexcept { stopping_.store(true, std::memory_order_relaxed); }
  // What else is to be kept in the store, by name: asked on the writer's thread by kvc_persist and at the end. After
  // set_checkpoint has returned, the one before is not called any more.
  using Texts = std::vector<std::pair<std::string, std::string>>;
  void set_checkpoint(std::function<Texts()> texts);
  // Writes what waits and ends the writer. Nothing is queued any more. False: for patience_ns the disk completed nothing,
  // and the writer or reads that were given up still wait for it; may be called again.
  bool close(uint64_t patience_ns = UINT64_MAX) noexcept;

  // --- other stores
  Status attach_directory(const std::string& path, uint64_t* pages);
  Status attach_pack(const std::string& path, uint64_t* pages);
  // Sources that may hold pages, own first. Grows only; entries never move.
  size_t sources(DiskSource** out, size_t most) noexcept;

  DiskStats stats() const;
  bool reads() const noexcept { return n_sources_.load(std::memory_order_acquire) > 0; }
  bool writes() const noexcept { return own_ != nullptr && !options_.read_only; }
  const DiskOptions& options() const noexcept { return options_; }
  DiskStore* store() noexcept { return own_; }
  static StoreOptions store_options(const DiskOptions& options, const Log& log);

 private:
  friend class Fetch;
  struct Job {
    Page* page;     // referenced; or, `owned`, unlinked and with a reference on its root
    PageId parent;  // identity
    bool owned;
    bool demoted;   // it was evicted from memory
    bool admit;     // whatever disk_admission says
    float chance = -1;  // that it is used again; negative: not known
  };
  struct Put;
  struct Counters {
    Counter hits, hit_tokens, misses, written, demoted, dropped, damaged, timeouts, recomputed, read_errors, write_errors;
  };

  Disk(const DiskOptions& options, Cache* cache, const Log& log);

  // writer thread
  void run() noexcept;
  bool start_writer() noexcept;
  bool enqueue(const Job& job) noexcept;
  bool worth_writing(float chance) noexcept;
  void write(const Job& job) noexcept;
  void write_now(const Job& job) noexcept;
  PutPage described(const Put& put) const noexcept;
  void begin(std::shared_ptr<Put> put) noexcept;
  void finished(Put& put, bool ok) noexcept;
  void release(const Job& job) noexcept;
  void settle_puts(size_t most_in_flight) noexcept;
  void sweep() noexcept;
  bool write_tensor() noexcept;
  // Who holds a tensor; nullptr: it waits to be written (*blob), or nobody.
  DiskStore* tensor_holder(const PageId& id, BlobRef* blob, TensorShape* shape, uint64_t* bytes) noexcept;
  Status do_persist(bool admit) noexcept;

  Status attach(std::unique_ptr<DiskStore> store, std::optional<Digest> key, uint64_t* pages);
  bool worth_reading(const Space& space, size_t tokens, size_t bytes) noexcept;
  void measured_read(size_t bytes, uint64_t ns) noexcept;

  const DiskOptions options_;
  Cache* const cache_;
  const Log log_;
  Counters counters_;

  static constexpr size_t kMostQueued = 8192;
  static constexpr size_t kMostSources = 64;
  std::atomic<size_t> n_sources_{0};
  std::mutex attach_mutex_;
  DiskSource sources_[kMostSources];
  DiskStore* own_ = nullptr;

  // Reads that were given up and have not come back.
  std::atomic<uint32_t> overdue_{0};
  std::atomic<bool> displaces_{false};          // the disk is full: what is written takes the place of something
  std::atomic<float> written_chance_{0};  // mean of the pages offered lately
  std::atomic<bool> stopping_{false}, decode_at_once_{false};
  std::atomic<double> read_ns_per_byte_{0};
  std::atomic<uint32_t> left_alone_{0};

  std::mutex queue_mutex_;
  std::condition_variable work_, news_;
  // Guarded, like all below. Not from the cache's memory, which may evict and come back here; bounded by kMostQueued.
  std::deque<Job> queue_;
  std::deque<std::pair<std::shared_ptr<Put>, bool>> done_;  // puts that came back, and whether they went well
  TensorChanges changes_;
  std::set<PageId> shadowed_;  // keys that other directories have, and that were put or removed here
  size_t queued_bytes_ = 0;
  size_t in_flight_ = 0;
  bool skipped_ = false;  // a page found the queue full and waits for a sweep
  bool started_ = false, stop_ = false, ended_ = false;
  uint64_t progress_ = 0;  // counts what the disk completed
  uint64_t errors_told_ = 0;  // of writes; the writer's
  uint64_t persists_asked_ = 0, persists_done_ = 0, persists_told_ = 0;
  Status persist_result_;
  std::thread thread_;
  std::atomic<uint64_t> durable_at_{0};   // clock of the cache
  std::atomic<uint64_t> waiting_{0};
  void keep_texts();
  std::mutex checkpoint_mutex_;
  std::function<Texts()> checkpoint_;  // guarded by checkpoint_mutex_
};

}  // namespace kvc

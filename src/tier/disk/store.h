// The disk store: pages in segment files, found again after any crash, or counted as a miss.
//
// A hit is the page: identity, space, parent, codec and every token are compared and every byte is checksummed (or
// authenticated, in an encrypted store) before a byte is given out. Whatever a disk, a crash, a user or an attacker did
// to the files, the answer is the right page or a miss with a reason; nothing in them makes the store fail.
//
// Crash model. put() does not sync. A page is found as soon as its bytes are written (kill -9 loses only what was in
// flight); persist(), and a checkpoint at an interval, make everything before them survive a power cut. A segment whose
// sync failed is retired with all its pages, never synced again and believed.
//
// Budget. The files never take more than `budget` bytes, at no instant, metadata and blobs included. Segments form a
// ring: when all are full the oldest is emptied; pages that were hit since they were written move on to the newest, up
// to a quarter of a segment, the others are gone. README.md beside this file describes the bytes.
//
// Threads. Any thread may call anything at any time. No lock is held during I/O, compression or a callback. Callbacks
// run on a thread of the store (or, with Io::sync, on the caller's); they may call back into the store but must not
// block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/status.h"
#include "codec/codec.h"
#include "memory/memory.h"
#include "tier/disk/vfs.h"
#include "tier/tier.h"

namespace kvc {

struct StoreOptions {
  std::string directory;                // made if missing (not when read_only)
  uint64_t budget = uint64_t{1} << 30;  // bytes on disk, hard; at least kMinBudget
  uint64_t segment_bytes = 0;           // 0: chosen from the budget, 64 to 256 MiB, less when the budget is small
  bool read_only = false;  // beside a writer, too: sees what was there at open, takes no lock, writes nothing
  bool create = true;      // false: KVC_E_NOT_FOUND if there is no store in the directory

  // 32 bytes: encrypts what is written, per tenant; empty: plaintext. A store made with a key opens only with that key.
  std::span<const std::byte> key;

  int zstd_level = 1;            // 0: store pages as they are
  bool second_sight = false;     // admit a page at its second put only: one-off pages do not wear the disk
  double reinsert_share = 0.25;  // of a segment, for pages that were hit or are likely to be; 0: plain FIFO

  enum class Io { automatic, uring, threads, sync };  // sync: in the calling thread, nothing runs in the background
  Io io = Io::automatic;
  enum class Direct { automatic, on, off };  // O_DIRECT
  Direct direct = Direct::automatic;
  uint32_t queue_depth = 32;               // reads and writes in flight
  uint64_t checkpoint_ns = 5'000'000'000;  // what a power cut may lose; 0: only persist() syncs. None with Io::sync

  Vfs* vfs = nullptr;        // nullptr: the machine's files; else outlives the store
  Memory* memory = nullptr;  // where the index counts; nullptr: uncounted. Else outlives the store
  Clock clock;               // for latencies only
  Log log;

  static constexpr uint64_t kMinBudget = 256 << 10;
};

// Why a page was not given. Each is counted.
enum class DiskMiss : uint8_t {
  none,      // a hit
  absent,    // not stored (or evicted)
  identity,  // stored under this id for another space, parent, codec or size
  tokens,    // the id is right, the tokens are not: a collision, or a forged file
  damaged,   // a checksum or tag did not match, or a length made no sense
  io,        // the operating system refused the read
  slow,      // not there within the time-out
  locked,    // encrypted for a tenant whose key was purged
  cancelled,
  count
};
const char* disk_miss_name(DiskMiss miss) noexcept;

// A page to store. Everything it points to stays valid until the put's completion.
struct PutPage {
  PageRecord record;  // payload: the codec's bytes
  std::string_view tenant;
  const PageGeometry* geometry = nullptr;  // given if the payload is in the clear (Codec::is_clear): lets layers be
                                           // compressed and read one by one, 16-bit planes split
  uint32_t groups = 0;  // without geometry: equal parts of the payload that can be read one by one; 0: 1
  bool admit = false;   // admit it now, whatever second_sight says (persisting, packing)
};

// What is left to do for a page that is there (GetPage::later). Not after the store; `out` stays where it was.
class LaterGroups {
 public:
  virtual ~LaterGroups() = default;
  virtual uint32_t groups() const noexcept = 0;
  // Decodes a group into its place in `out`; each once, in order, any thread. False: the bytes are those that were
  // stored, but no page: the file was made by hand, or memory failed. Throws std::bad_alloc.
  virtual bool decode(uint32_t group) = 0;
};

// A page to read.
struct GetPage {
  PageId id;
  PageId parent;
  Digest space;
  std::span<const int32_t> tokens;  // compared with what is stored
  uint8_t codec = 0;
  uint64_t payload_bytes = 0;  // of the whole page; another size is DiskMiss::identity
  // Groups (layers) wanted: [first, first + n); n 0: all. out takes exactly their bytes. It is written only on a hit
  // path: after a miss its contents are unspecified.
  uint32_t first_group = 0, n_groups = 0;
  std::span<std::byte> out;
  // Optional: keeps `out` alive. A page that is stored as it is may then be read straight into `out`, if that begins on a
  // block's boundary; the store may write to it after a time-out or cancel, too, until it lets go of this.
  std::shared_ptr<const void> owner;
  // Optional, for a whole page: if it is compressed, a hit leaves its groups in `out` verified and decrypted but not
  // decoded, and sets *later, which decodes them. Not set: out is the page.
  std::unique_ptr<LaterGroups>* later = nullptr;
};

// What the descriptors alone know about a stored page.
struct PageDescriptor {
  PageId id, parent;
  Digest space;
  uint32_t n_tokens = 0;
  uint8_t codec = 0;
  uint64_t payload_bytes = 0;  // as given to put
  uint64_t stored_bytes = 0;   // on disk, whole 4-KiB blocks, header included
  uint32_t groups = 0;
  uint64_t generation = 0;  // of its segment: larger is newer
  uint64_t tenant = 0;      // keyed tag of the tenant's name
  bool compressed = false, encrypted = false;
};

struct StoreStats {
  uint64_t pages = 0, payload_bytes = 0;   // findable now (payload: as given to put)
  uint64_t stored_bytes = 0;               // their records, on disk
  uint64_t disk_bytes = 0, disk_peak = 0;  // room that all files take, and the most they ever took since open
  uint64_t budget = 0;
  uint64_t index_bytes = 0;  // RAM of the index
  uint64_t segments = 0, segments_retired = 0, segments_recycled = 0;
  uint64_t puts = 0, puts_known = 0, puts_refused = 0, puts_failed = 0, pages_evicted = 0, pages_reinserted = 0;
  uint64_t hits = 0, misses[static_cast<size_t>(DiskMiss::count)] = {};
  uint64_t bytes_put = 0;      // of records accepted by put
  uint64_t bytes_written = 0;  // to the device, all of it: / bytes_put is the write amplification
  uint64_t bytes_read = 0;
  uint64_t payload_put = 0, payload_got = 0;
  uint64_t persists = 0, syncs_failed = 0;
  uint64_t pages_recovered = 0, recovery_ns = 0;
  uint64_t in_flight = 0;
  static constexpr int kLatencyBuckets = 32;
  uint64_t get_latency[kLatencyBuckets] = {};  // [i]: 2^i <= microseconds < 2^(i+1); [0] also below 1
  uint64_t put_latency[kLatencyBuckets] = {};
  bool read_only = false, encrypted = false, uring = false, direct = false;
  std::string cold_reason;  // why what was in the directory was not used at open; "" if it was, or it was empty
};

struct VerifyReport {
  uint64_t pages = 0, bytes = 0;    // looked at
  uint64_t damaged = 0;             // dropped from the index (kept, in a read-only store)
  uint64_t locked = 0;              // without a key: not looked into
  std::vector<PageId> damaged_ids;  // the first 100
};

// done: bytes looked at so far; of: all. False: stop.
using StoreProgress = std::function<bool(uint64_t done, uint64_t of)>;

class DiskStore {
 public:
  // KVC_E_BUSY: another writer has the directory (open it read-only). KVC_E_OUT_OF_RANGE: budget or segment size.
  // KVC_E_IDENTITY: encrypted, and the key is missing or another. KVC_E_NOT_FOUND: nothing there, and read_only or not
  // `create`. KVC_E_IO. Files of an unknown format, or damaged beyond use, are no error: the store starts cold and
  // stats().cold_reason says why (read-only: KVC_E_CORRUPT).
  static Status open(const StoreOptions& options, std::unique_ptr<DiskStore>* out);
  // Opens a pack read-only: a store of one file, in which everything that reads works.
  static Status open_pack(const StoreOptions& options, const std::string& path, std::unique_ptr<DiskStore>* out);
  virtual ~DiskStore() = default;  // completes what is in flight, then persists

  // True if get is likely to hit; *payload_bytes, if given, gets the page's size then. Costs a hash lookup.
  virtual bool contains(const PageId& id, uint64_t* payload_bytes = nullptr) const noexcept = 0;

  // Whether it is there; and if so, notes how likely it is to be used again (0 to 1, negative: not known). When a segment
  // is made free, reinsert_share of it stays: the likeliest of the pages that were hit, or that are as likely as not to
  // be. A page that stays counts as half as likely from then on, until somebody says otherwise. Lives in
  // memory only. Any thread.
  virtual bool judge(const PageId& id, float chance) noexcept = 0;

  // Compresses, checksums and encrypts on the calling thread, then writes in the background. `done` is called exactly
  // once if put returns OK; a page that is stored already, or is not admitted, is OK too. After a failure nothing is
  // stored and `done` is not called. KVC_E_BUSY: queue_depth writes are in flight; try later or drop the page.
  // KVC_E_OUT_OF_RANGE: larger than a segment. KVC_E_UNSUPPORTED: read-only. KVC_E_NO_MEMORY. KVC_E_IO.
  using PutDone = std::function<void(const Status&)>;
  virtual Status put(const PutPage& page, PutDone done) = 0;
  // Waits for room in the queue, and until the page can be found.
  virtual Status put(const PutPage& page) = 0;

  // Reads in the background; `done` is called exactly once, maybe before get returns. `page.tokens` and `page.out` stay
  // valid until then. Returns a ticket for cancel.
  using GetDone = std::function<void(DiskMiss)>;
  virtual uint64_t get(const GetPage& page, GetDone done) = 0;
  // Waits, at most timeout_ns (UINT64_MAX: for ever); after that, and after cancel, `out` is not touched (but for
  // GetPage::owner).
  virtual DiskMiss get(const GetPage& page, uint64_t timeout_ns = UINT64_MAX) = 0;
  // Ends a get early: its `done` is called with DiskMiss::cancelled, unless it is complete. Unknown tickets are
  // ignored.
  virtual void cancel(uint64_t ticket) = 0;

  // Forgets a page, also for later opens (as far as the disk obeys). False: it was not there.
  virtual bool erase(const PageId& id) = 0;
  // Makes every page, blob and erasure before it survive a power cut. KVC_E_IO: some could not be; what is lost is lost
  // to this store as well, never believed.
  virtual Status persist() = 0;
  // Destroys what was stored for a tenant: its key in an encrypted store, else the bytes. Durable when it returns OK.
  virtual Status purge(std::string_view tenant) = 0;

  // Every page that can be found, oldest segment first; pages put or evicted meanwhile may or may not appear. Reads the
  // descriptors from disk. visit: false stops.
  virtual Status for_each(const std::function<bool(const PageDescriptor&)>& visit) = 0;
  // One page's descriptor and its tokens, which are read from disk and verified. KVC_E_NOT_FOUND, KVC_E_CORRUPT.
  virtual Status describe(const PageId& id, PageDescriptor* out, std::vector<int32_t>* tokens = nullptr) = 0;
  // A page's payload for whoever does not know the tokens (export, verify): verified against its own descriptor.
  virtual Status read_payload(const PageId& id, std::vector<std::byte>* payload) = 0;

  // Small named values (settings, statistics, descriptions of spaces) that are replaced as a whole: after a crash the
  // old or the new one is there. Names: 1 to 64 of [a-z0-9._-], not beginning with a dot. Durable when put_blob
  // returns. Together they take a share of the budget (blob_limit()); KVC_E_NO_MEMORY beyond. Encrypted with the
  // store's key.
  virtual Status put_blob(std::string_view name, std::span<const std::byte> value) = 0;
  virtual Status get_blob(std::string_view name, std::vector<std::byte>* value) = 0;  // KVC_E_NOT_FOUND, KVC_E_CORRUPT
  virtual Status erase_blob(std::string_view name) = 0;                               // OK if it is not there
  virtual std::vector<std::string> blobs() = 0;                                       // names, sorted
  virtual uint64_t blob_limit() const noexcept = 0;

  // Reads every page and checks every byte.
  virtual Status verify(const StoreProgress& progress, VerifyReport* report) = 0;
  // Writes the live pages of sparse segments together and gives the emptied segments' room back.
  virtual Status compact(const StoreProgress& progress) = 0;
  // Writes pages (parents before children, by convention) and blobs to one file, which open_pack opens. The file
  // appears whole or not at all. KVC_E_NOT_FOUND: a page is not stored or not readable. Never encrypted.
  virtual Status write_pack(const std::string& path, std::span<const PageId> pages,
                            std::span<const std::string> blob_names, const StoreProgress& progress) = 0;

  virtual StoreStats stats() const = 0;
  virtual const StoreOptions& options() const noexcept = 0;
};

}  // namespace kvc

// The store behind store.h: the ring of segments, the index, and who may touch what.
//
// mutex_ guards everything in memory and is never held during I/O or compression. A segment is pinned while transfers
// use it; only an unpinned segment is emptied, removed or written anew.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "tier/disk/index.h"
#include "tier/disk/io.h"
#include "tier/disk/keys.h"
#include "tier/disk/record.h"
#include "tier/disk/store.h"

namespace kvc::disk {

class StoreImpl;

// A page of a segment's table that is not on disk yet, and then on its way there.
struct OpenTablePage final : Transfer {
  OpenTablePage(StoreImpl* owner, Buffer b, uint32_t segment, uint64_t generation, const Uuid& uuid,
                uint32_t i) noexcept
      : store(owner), block(std::move(b)), slot(segment), index(i) {
    std::memset(block.data(), 0, kBlock);
    page()->magic = kTableMagic;
    page()->generation = generation;
    page()->uuid = uuid;
    page()->index = i;
  }
  void done(ssize_t bytes) noexcept override;
  TablePage* page() const noexcept { return reinterpret_cast<TablePage*>(block.data()); }

  StoreImpl* store;
  Buffer block;  // a TablePage
  uint32_t slot, index;
  uint32_t entries = 0, complete = 0;  // records begun and ended
  int epoch = 0;
};

struct Segment {
  explicit Segment(Memory* memory) noexcept : entries(memory) {}
  enum class State {
    unused,  // no file
    free,    // a file whose records are of no use
    open,    // appended to
    sealed,
    emptying,  // its pages move on or go
    retired    // a sync failed: nothing in it counts any more
  };
  State state = State::unused;
  std::unique_ptr<VfsFile> file;
  uint32_t number = 0;  // of the file
  uint64_t generation = 0;
  uint64_t blocks = 0;  // of the file
  uint64_t allocated = 0;
  CountedArray<Entry> entries;
  uint32_t data_end = 1;  // blocks; the first is the header
  uint64_t live = 0, live_blocks = 0;
  uint32_t pins = 0;
  uint32_t tables_in_flight = 0;  // pages of the table
  bool dirty = false;             // written to since the last sync began
  bool broken = false;            // a write failed: nothing is appended any more
  bool undurable = false;         // a page of the table could not be written: no sync makes this lap durable
  std::vector<std::unique_ptr<OpenTablePage>> table;
};

class StoreImpl final : public DiskStore {
 public:
  explicit StoreImpl(const StoreOptions& options);
  ~StoreImpl() override;
  Status start(const std::string* pack);

  bool contains(const PageId& id, uint64_t* payload_bytes) const noexcept override;
  bool judge(const PageId& id, float chance) noexcept override;
  Status put(const PutPage& page, PutDone done) override;
  Status put(const PutPage& page) override;
  uint64_t get(const GetPage& page, GetDone done) override;
  DiskMiss get(const GetPage& page, uint64_t timeout_ns) override;
  void cancel(uint64_t ticket) override;
  bool erase(const PageId& id) override;
  Status persist() override;
  Status purge(std::string_view tenant) override;
  Status for_each(const std::function<bool(const PageDescriptor&)>& visit) override;
  Status describe(const PageId& id, PageDescriptor* out, std::vector<int32_t>* tokens) override;
  Status read_payload(const PageId& id, std::vector<std::byte>* payload) override;
  Status put_blob(std::string_view name, std::span<const std::byte> value) override;
  Status get_blob(std::string_view name, std::vector<std::byte>* value) override;
  Status erase_blob(std::string_view name) override;
  std::vector<std::string> blobs() override;
  uint64_t blob_limit() const noexcept override { return blob_limit_; }
  Status verify(const StoreProgress& progress, VerifyReport* report) override;
  Status compact(const StoreProgress& progress) override;
  Status write_pack(const std::string& path, std::span<const PageId> pages, std::span<const std::string> blob_names,
                    const StoreProgress& progress) override;
  StoreStats stats() const override;
  const StoreOptions& options() const noexcept override { return options_; }

  // For Index.
  const Entry& at(Locator locator) const noexcept { return segments_[locator >> 16]->entries[locator & 0xffff]; }

 private:
  struct PutOp;
  struct GetOp;
  using Lock = std::unique_lock<std::mutex>;

  // open.cpp
  Status open_directory();
  Status read_superblock(bool* found, std::string* cold);
  Status plan_budget(bool found);
  Status begin_store(const std::string& cold);
  Status adopt_segments();
  Status adopt(Segment* segment, uint32_t slot, const std::vector<Descriptor>& found);
  void reopen(uint32_t slot, const std::vector<Descriptor>& found, uint32_t table_pages);

  // pack.cpp
  Status open_pack_file(const std::string& path);
  Status copy_record(const PageId& id, RecordImage* out);

  // append.cpp
  friend struct OpenTablePage;
  Status make_image(const PutPage& page, RecordImage* image);
  Status put_image(RecordImage image, PutDone done, bool wait, Lock* lock, Locator replaces);
  void end_record(PutOp* op, ssize_t bytes) noexcept;
  void end_table(OpenTablePage* page, ssize_t bytes) noexcept;
  bool rotate(Lock* lock);
  void seal(Segment* segment);
  OpenTablePage* collect_table(uint32_t slot, int epoch) noexcept;
  void submit_tables(OpenTablePage* list) noexcept;
  bool known(const PageId& id) const noexcept;
  bool admit(const PageId& id);

  // ring.cpp
  bool make_room(Lock* lock);  // a free segment; true if there is one now
  bool create_segment(Lock* lock);
  static std::vector<uint32_t> worth_keeping(const Segment& segment, uint64_t blocks, bool all);
  bool empty_segment(Lock* lock, uint32_t slot, double share, bool release_file);
  void drop_segment(Lock* lock, uint32_t slot);
  void remove_file(Lock* lock, Segment* segment);
  void maintain() noexcept;
  uint32_t oldest_sealed() const noexcept;
  void retire(Lock* lock, uint32_t slot);
  uint32_t find_state(Segment::State state) const noexcept;

  // get.cpp
  static void start_get(GetOp* op);
  static void start_read(GetOp* op, uint64_t from, uint64_t bytes);
  std::shared_ptr<GetOp> begin_get(const GetPage& page, DiskMiss* miss);
  bool step(GetOp* op, DiskMiss* miss);
  DiskMiss decode(GetOp* op, const RecordReader& reader, uint64_t first_byte);
  void finish(GetOp* op, DiskMiss miss);
  void drop(const GetOp& op) noexcept;
  void forget(Locator locator) noexcept;  // with the lock
  DiskMiss read_image(Segment* segment, const Entry& entry, RecordImage* image);
  bool is_whole(const RecordHeader& header, const std::byte* record);
  bool begun_anew(Segment* segment);
  DiskMiss read_record(const PageId& id, RecordHeader* header, Buffer* record);
  void record_latency(uint64_t (&buckets)[StoreStats::kLatencyBuckets], uint64_t begun_ns) const;
  bool find_key(const Descriptor& descriptor, Digest* key, const Digest** out) const;

  // admin.cpp
  std::optional<bool> erase_page(const PageId& id, bool write, bool all);
  Status read_page(const PageId& id, PageDescriptor* out, std::vector<int32_t>* tokens, std::vector<std::byte>* payload);
  bool erase_record(Segment* segment, uint32_t record, uint64_t generation, bool all);

  // blobs.cpp
  Status save_keys();
  bool load_keys();
  Status write_blob(const std::string& name, std::span<const std::byte> value, bool wipe);
  bool read_blob_file(const std::string& name, std::vector<std::byte>* value, Status* status);

  // Common.
  Segment* segment_at(uint32_t slot) const noexcept {
    const Lock lock(mutex_);
    return segments_[slot].get();
  }
  RecordContext context() noexcept { return {&buffers_, &compressor_, uuid_}; }
  void unpin(Segment* segment) noexcept;  // with the lock
  Status io_error(const char* what, const std::string& path, int code) const;
  std::string path_of(const std::string& name) const { return options_.directory + "/" + name; }
  void account(int64_t change) noexcept;  // of disk_bytes, with the lock
  Status check_blob_name(std::string_view name) const;
  uint64_t now() const { return options_.clock.now_ns(); }

  StoreOptions options_;
  Vfs* const vfs_;
  std::unique_ptr<Memory> own_memory_;
  Memory* const memory_;
  BufferPool buffers_;
  Compressor compressor_;
  Uuid uuid_{};
  std::vector<std::byte> key_;  // wiped once the store is open
  uint64_t segment_bytes_ = 0, blob_limit_ = 0;
  uint32_t max_segments_ = 0;
  bool background_ = false, direct_ = false, read_only_ = false, pack_ = false;
  std::unique_ptr<VfsFile> super_;  // holds the writer's lock
  std::unique_ptr<IoEngine> io_;
  std::unique_ptr<Keys> keys_;  // nullptr: plaintext

  mutable std::mutex mutex_;
  std::condition_variable room_;                    // queue places, segments, ends of transfers
  std::vector<std::unique_ptr<Segment>> segments_;  // slots never move
  Index<StoreImpl> index_;
  uint32_t open_ = kNone;
  uint64_t next_generation_ = 1;
  int epoch_ = 0;             // changed by persist, which waits for the writes of the one before
  uint32_t writing_[2] = {};  // writes in flight, by epoch
  std::set<PageId> pending_;  // being put
  uint32_t puts_in_flight_ = 0, gets_in_flight_ = 0;
  bool making_room_ = false, directory_dirty_ = false, ending_ = false, wanted_ = false;
  Status room_failure_;
  std::vector<uint64_t> seen_;                  // second sight
  std::map<std::string, uint64_t> blob_bytes_;  // room of each on disk
  std::map<std::string, std::vector<std::byte>> pack_blobs_;
  std::map<uint64_t, std::shared_ptr<GetOp>> gets_;
  uint64_t next_ticket_ = 1;
  StoreStats stats_;

  std::mutex keys_mutex_;     // one new tenant at a time
  std::mutex persist_mutex_;  // one at a time: a second must not return while the first still syncs
  std::mutex erase_mutex_;
  std::mutex compact_mutex_;
  std::mutex blob_mutex_;
  std::condition_variable wake_;  // the background thread
  std::thread background_thread_;

  static constexpr uint32_t kNone = 0xffffffff;
};

std::string segment_name(uint32_t number);
bool parse_segment_name(const std::string& name, uint32_t* number);
constexpr char kSuperName[] = "store";

// The tag that stands for a tenant's name in descriptors: keyed by the store, so that names cannot be read off.
uint64_t tenant_tag(const Uuid& uuid, const Keys* keys, std::string_view tenant) noexcept;

// Whether all of a record is there and right; its header was checked.
using WholeRecord = std::function<bool(const RecordHeader& header, const std::byte* record)>;

// Reads a segment's descriptors: its table, then, where the table has gaps or ends, from record to record. What is found
// from record to record may have been on its way when its writer was killed: if `whole` is given, a record that it
// refuses counts as erased.
// *table_pages: of its table, or -1 if nothing may be appended behind the last record. False: its header is not that of
// a segment of this store.
bool scan_segment(VfsFile* file, BufferPool* buffers, const Uuid* uuid, SegmentHeader* header,
                  const WholeRecord& whole, std::vector<Descriptor>* found, int64_t* table_pages);

}  // namespace kvc::disk

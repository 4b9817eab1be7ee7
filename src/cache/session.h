// A session: a token sequence that is being extended. It ends in a sealed page of a chain (shared with everyone who has
// the same prefix) and goes on in its own tail.
//
//     sealed pages (immutable, shared)             tail (private, or borrowed until it is written to)
//   [ page 0 ]<-[ page 1 ]<-...<-[ last_ ]   [ open page 0 | open page 1 | ... ]
//                                              ^ committed_tail_ tokens named, cursor_[layer] tokens appended
//
// Invariants:
//   - last_ is held by a reference, and by leaf-first eviction so is every page before it.
//   - open pages are written only while nobody else refers to them: a fork and a match that ends inside a page borrow
//     them, and the first append copies the one that it writes to (copy on write).
//   - with a lossy codec the tail is as long as option codec_window says: pages are exact until then.
//   - pages that came from disk may be private at first, and not all of their layers there (promotion_): who reads one
//     layer waits for that one, who does anything else with sealed pages for all (settle()).
//   - committed_tail_ <= cursor_[layer] for every layer; a failed call changes neither.
// Every public function takes the session's own lock: any thread may call, calls follow one another.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "attend/aligned.h"
#include "base/status.h"
#include "base/tensor.h"
#include "cache/page.h"
#include "cache/sparse.h"
#include "cache/space.h"
#include "codec/klt_check.h"
#include "cuda/kvc_cuda.h"

namespace kvc {

class Cache;
class Fetch;
class Promotion;
struct DeviceAttend;
struct KeptRoom;
struct DeviceCall;
struct DeviceCopy;
struct DeviceEnd;
struct DeviceOrder;
struct DeviceRows;
struct Root;

struct SessionOptions {
  std::string tenant;
  std::string session_id;
  int32_t priority = KVC_PRIORITY_NORMAL;
  bool publish = true;
  bool exact = false;  // finds no approximate pages, and keeps its own in the clear
  bool no_aged = false;  // finds no pages that were encoded again at rest
  Accept accept() const noexcept { return exact ? Accept::exact : no_aged ? Accept::not_aged : Accept::any; }
};

// What a call of attend computes, besides its tensors.
struct AttendCall {
  uint64_t position = 0;  // of the first query
  float scale = 0;        // of scores; 0: 1 / sqrt(k_dim)
  float softcap = 0;
  bool causal = true;
  uint64_t window = 0, sinks = 0;
  std::span<const float> slopes;       // ALiBi, per query head; empty: none
  std::span<const float> sink_scores;  // per query head; empty: none
  uint32_t threads = 1;
  bool restore = false;        // what codec sparse dropped is brought back first
  double* left_out = nullptr;  // gets the share of rows that it dropped
};

struct SessionInfo {
  uint64_t length = 0, matched = 0, approximate = 0, aged = 0, pages = 0, pending = 0, tail_bytes = 0;
  int32_t priority = 0;
  bool pinned = false;
  uint64_t domain = 0;  // equal for sessions of one tenant
  uint64_t sparse = 0;  // of approximate: in pages of which attention sees a part
};

// K or V of consecutive tokens of one layer, in the clear and in place: row of (head h, token t) at
// data + h * head_stride + t * token_stride. Valid until the session is changed or closed.
struct PlaneView {
  const std::byte* data = nullptr;
  size_t head_stride = 0;
  size_t token_stride = 0;
  uint32_t tokens = 0;
};

class Session {
 public:
  ~Session();  // closes with KVC_CLOSE_KEEP if close() was not called
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Waits for pages on disk, at most option disk_timeout, unless a fetch for these tokens has ended already (its miss
  // then tells why there is no more).
  Status match(std::span<const int32_t> tokens, size_t* reused, const Fetch* fetched = nullptr);
  Status append(uint32_t layer, const TensorView& k, const TensorView& v, size_t n);
  Status append_all(std::span<const TensorView> k, std::span<const TensorView> v, size_t n);
  Status commit(std::span<const int32_t> tokens);
  Status read(uint32_t layer, int plane, size_t from, size_t n, const TensorView& out);
  Status read_all(size_t from, size_t n, std::span<const TensorView> k,
                  std::span<const TensorView> v);  // either empty: not wanted
  // Attention of queries [n][heads][k_dim] over everything that the layer has, pages of any codec and the tail, into
  // out [n][heads][v_dim]; heads a multiple of the space's.
  Status attend(uint32_t layer, const AttendCall& call, const TensorView& query, const TensorView& out);
  Status truncate(size_t n);
  Status fork(std::unique_ptr<Session>* out);
  Status pin(bool pinned);
  Status set_priority(int32_t priority);
  Status tokens(size_t from, size_t n, int32_t* out);
  SessionInfo info();
  // Why the last match found no more: a KVC_MISS_* and words.
  int32_t miss(std::string* text);
  // What is known of the session's future, until it closes with a hint that says more.
  Status set_hint(SessionHint hint, uint64_t return_ns);
  Status set_generated(uint64_t tokens);
  void close(int32_t hint, uint64_t until_ns);

  // On a device: kvc_cuda_session_* of cuda/kvc_cuda.h (session_device.cpp). handle: the module's, of the device that is
  // the session's; ordinal -1: any. *fence: when what was issued is done.
  Status device(int32_t ordinal, kvc_cuda_t** handle);
  Status device_load(uint32_t from, uint32_t to, const DeviceCall& call, uint64_t* fence);
  Status device_read(uint32_t layer, int plane, size_t from, size_t n, const DeviceRows& rows, const DeviceCall& call,
                     uint64_t* fence);
  Status device_append(uint32_t layer, const DeviceRows& k, const DeviceRows& v, size_t n, const DeviceCall& call,
                       uint64_t* fence);
  Status device_attend_bytes(const DeviceAttend& attend, size_t tokens, uint64_t* bytes);
  Status device_attend(const DeviceAttend& attend, const DeviceCall& call, uint64_t* fence);

  // For models inside the library. Page `index` of a plane counts from position index * page_tokens and holds
  // `view->tokens` tokens, appended but uncommitted ones included. KVC_E_UNSUPPORTED if the page is not in the clear:
  // use read().
  Status view(uint32_t layer, int plane, size_t index, PlaneView* view);
  const Space& space() const noexcept { return *space_; }
  // Whether any page is not in the clear.
  bool has_encoded();
  // Committed tokens whose K/V is approximate.
  uint64_t approximate();
  // Tokens that this layer has, committed or not.
  size_t appended(uint32_t layer);
  size_t length();
  // Layers that are there to be read; the others are being decoded.
  uint32_t layers_ready();

 private:
  friend class Cache;

  Session(Cache* cache, std::shared_ptr<const Space> space, Root* root, SessionOptions options);

  // All below: the session's lock is held.
  const PageGeometry& geometry() const noexcept { return space_->geometry(); }
  size_t sealed_pages() const noexcept { return last_ != nullptr ? last_->depth + size_t{1} : 0; }
  size_t sealed_tokens() const noexcept { return sealed_pages() * geometry().page_tokens; }
  size_t length_locked() const noexcept { return sealed_tokens() + tail_tokens_.size(); }
  bool has_uncommitted() const noexcept;
  Status check_open() const;
  void set_tail(Page* source, size_t tokens) noexcept;
  void drop_tail() noexcept;
  bool attach_promotion(std::span<const int32_t> tokens, Fetch* fetch);
  Status settle();
  Status wait_layer(uint32_t layer);
  void drop_promotion() noexcept;
  void finish_promotion(const std::string& tenant);  // takes the lock
  void fill_path() noexcept;
  Page* page_at(size_t i) const noexcept;
  Status copy_tokens(size_t from, size_t n, int32_t* out);
  bool streams(size_t n_tokens, size_t n_layers) const noexcept;

  // session_device.cpp. settle_device*: before host memory is read (to_write: or written, to_cut: or cut to n tokens of the tail).
  Status settle_device();
  Status settle_device_to_write();
  Status settle_device_to_cut(size_t n);
  void settle_device_or_cut() noexcept;
  Status settle_page(size_t i);
  size_t safe_tokens() const noexcept;
  size_t arrived(size_t pages);
  void hand_places(std::span<Page* const> sealed) noexcept;
  void drop_places() noexcept;
  void leave_device() noexcept;
  Status on_device(int32_t ordinal);
  kvc_cuda_pages_t device_form(std::string_view codec) const;
  static bool attends_to(std::string_view codec) noexcept;
  bool kernels_fit() const noexcept;
  bool learns() const noexcept;
  bool is_coded_there(const Page& page, size_t* table = nullptr) const noexcept;
  Status place_table(const Page& page, DeviceCopy* copy, const DeviceCall& call);
  Status decode_there(const Page& page, DeviceCopy* copy, const DeviceCall& call);
  std::shared_ptr<const KltCalibration> device_calibration() const;
  Status decode_here(const Page& page, BlobRef* out);
  bool attends_to_kept() const noexcept;
  Status kept_room(const DeviceAttend& attend, size_t tokens, KeptRoom* room, uint64_t* bytes);
  Status attend_to_kept(const DeviceAttend& attend, const DeviceCall& call, uint64_t* fence);
  Status encode_place(size_t i, const DeviceCall& call);
  bool drop_codes() noexcept;
  bool has_codes(size_t i);
  bool take_codes(size_t i, BlobRef* blob, uint8_t* codec);
  Status hold_page(const Page& page, DeviceCopy** copy);
  Status open_place(size_t i, const DeviceCall& call);
  Status device_move(const kvc_cuda_move_t& move, DeviceOrder* order, uint64_t* fence);
  Status send_full_pages(const DeviceCall& call);
  Status attend_room(const DeviceAttend& attend, size_t pages, uint64_t* bytes, uint64_t* tables);

  // session_write.cpp
  Status check_append_range(uint32_t layer, size_t n) const;
  Status check_append(uint32_t layer, const TensorView& k, const TensorView& v, size_t n) const;
  Status make_room(size_t tail_tokens);
  size_t sealable(size_t tail) const noexcept;
  Status own_last_page();
  void write_rows(uint32_t layer, int plane, size_t tail_from, size_t n, const TensorView& rows,
                  bool streaming) noexcept;
  Status prepare_pages(size_t n, std::vector<Page*, CountedAllocator<Page*>>* pages);
  void publish_pages(std::span<Page*> pages) noexcept;
  void drop_sealed(size_t pages) noexcept;
  Status seal(size_t pages);
  bool leaves_tail() const noexcept;
  void keep_tail() noexcept;
  void end_in_borrowed() noexcept;
  Page* make_tail(BlobRef blob);
  // Takes the lock. The unfinished end as an unpublished page with a reference on its root; nullptr: there is none that
  // others may find, or no memory.
  Page* copy_tail(PageId* parent) noexcept;

  // session_attend.cpp
  Status learn_queries(uint32_t layer, const AttendCall& call, const TensorView& query);
  struct AttendTask;
  Status check_attend(uint32_t layer, const AttendCall& call, const TensorView& query, const TensorView& out) const;
  uint64_t approximate_locked(uint64_t* aged = nullptr) const noexcept;
  // A layer of the pages of which codec sparse keeps a part, brought back, by page; empty: not wanted.
  using Restored = std::vector<std::unique_ptr<AlignedFloats>>;
  Status restore_layer(uint32_t layer, size_t pages, Restored* out) const;
  Status attend_pages(uint32_t layer, const AttendCall& call, const Restored& restored, AttendTask* task) const;
  uint64_t sparse_locked() const noexcept;

  // session_read.cpp
  Status check_range(uint32_t layer, int plane, size_t from, size_t n) const;
  Status check_read(uint32_t layer, int plane, size_t from, size_t n, const TensorView& out) const;
  Status gather(uint32_t layer, int plane, size_t from, size_t n, const TensorView& out, bool streaming);

  Status fetch(std::span<const int32_t> tokens, std::unique_ptr<Fetch>* fetch);

  Cache* const cache_;
  uint64_t number_ = 0;  // in Cache::sessions_
  const std::shared_ptr<const Space> space_;
  Root* const root_;
  const SessionOptions options_;
  std::mutex mutex_;
  int32_t priority_;
  SessionEnd end_;
  bool pinned_ = false;
  bool closed_ = false;
  Page* last_ = nullptr;                              // deepest sealed page, referenced; nullptr: none
  std::vector<Page*, CountedAllocator<Page*>> path_;  // pages from first to last_; filled when first needed
  std::vector<OpenPage, CountedAllocator<OpenPage>> open_;
  std::vector<int32_t, CountedAllocator<int32_t>> tail_tokens_;  // committed tokens after last_
  std::vector<uint32_t, CountedAllocator<uint32_t>> cursor_;     // per layer, tokens after last_
  std::unique_ptr<Promotion> promotion_;  // nullptr: every layer of every page is there
  std::unique_ptr<RecentQueries> recent_;  // with codec auto, once there are any
  QuerySample queries_;  // for codec sparse
  std::unique_ptr<DeviceEnd> device_;  // nullptr: no call was on a device
  uint64_t matched_ = 0;
  int32_t miss_reason_ = KVC_MISS_NONE;
  std::shared_ptr<const Space> miss_space_;  // for KVC_MISS_IDENTITY: where the tokens are stored
  size_t miss_at_ = 0;
};

}  // namespace kvc

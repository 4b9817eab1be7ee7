// Copies of pages on one device.
//
// The pages themselves stay in host memory: what a device holds can go at any time, by the order of the policy, and a
// device that fails takes nothing with it. A copy is made when a session's call needs the page there, layer by layer,
// on the stream of that call; it is found again by the page, as long as the page holds the bytes that were copied.
//
// What is under way. A copy's place carries fences of whoever uses it (the module keeps them): it is given back at
// once, and its next owner waits on the device. Host memory that the device still reads or writes is held (a Flight)
// until that is done; who waits for host memory asks settled().
//
// Locks: mutex_ is a leaf; forget() is called with the cache's index lock held, so nothing is called under mutex_ that
// takes one of the cache's. The driver's calls under it issue, none waits for a device.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cache/page.h"
#include "cuda/kernels/klt_tables.h"
#include "codec/klt_plan.h"
#include "policy/policy.h"
#include "tier/device_tier.h"

namespace kvc {

// What a call on a device is issued with: the caller's stream, and what it waits for besides.
struct DeviceCall {
  void* stream = nullptr;
  std::vector<uint64_t> wait;
};

struct DeviceStats {
  uint64_t limit = 0, pages = 0, bytes = 0, hits = 0, promoted = 0, demoted = 0, in_bytes = 0, out_bytes = 0;
  uint64_t devices = 0, lost = 0;
};

struct DeviceCopy : PolicyEntry {
  const Page* page = nullptr;
  const std::byte* source = nullptr;  // of which bytes it is a copy
  uint8_t codec = 0;                  // of the page then
  Slot slot;
  bool coded = false;            // as the codec left it; else in the clear
  std::vector<uint64_t> loaded;  // the fence of each layer (of a coded one: of all); kMissing: not there
  Slot clear;                    // of a coded one, decoded there
  BlobRef decoded;               // the page in the clear, where the device gets that and the page is none
  // Of a coded one of klt, lowrank or auto: what its kernels are given, found out once (place_table).
  struct Learned {
    kvc_cuda::KltForm form;
    std::shared_ptr<const KltCalibration> calibration;  // nullptr: none
    uint64_t table = 0;                                 // address of its table, behind its codes; 0: not there yet
    Slot place;                                         // or where there is no room behind them
  } learned;
  uint32_t holds = 0;
  bool dead = false;  // its page is gone, or it is
  static constexpr uint64_t kMissing = UINT64_MAX;
};

// A page in the clear that a kernel of the device encoded, there and on its way to host memory.
struct DeviceEncoded {
  Slot slot;
  BlobRef blob;    // given: where it goes, of the encoded page's size
  BlobRef failed;  // given: of 4 bytes; not 0: a number is not finite, the page stays in the clear
  uint64_t fence = 0;
  bool here = false;  // it goes to host memory, by `fence`; else fetch() brings it
  bool good = false;  // after fetch()
};

class DevicePages {
 public:
  // Memory of the cache; false: there is none.
  using NewBlob = std::function<bool(size_t bytes, BlobRef*)>;

  // policy: whose order copies leave by. tier outlives this.
  DevicePages(DeviceTier* tier, std::unique_ptr<Policy> policy, Memory* memory);
  ~DevicePages();
  DevicePages(const DevicePages&) = delete;
  DevicePages& operator=(const DevicePages&) = delete;

  DeviceTier& tier() noexcept { return *tier_; }

  // A place, letting copies go for it: three tries. KVC_E_NO_MEMORY.
  Status reserve(size_t bytes, Slot* slot);

  // The copy of a page, held until let_go; nullptr: there is none. The caller keeps the page.
  DeviceCopy* hold_known(const Page& page, uint64_t now_ns) noexcept;
  // The same, made if there is none. `decode` gives the page in the clear where the device cannot take it as it is
  // (coded false and the page's codec not clear); called without locks. table: bytes of what place_table will put behind
  // a coded one.
  Status hold(const Page& page, bool coded, size_t table, uint32_t n_layers, uint64_t now_ns,
              const std::function<Status(BlobRef*)>& decode, DeviceCopy** out);
  void let_go(DeviceCopy* copy) noexcept;
  // A place that a session filled becomes the copy of the page that it sealed. coded: it has what the page has,
  // encoded.
  void adopt(const Page& page, Slot slot, bool coded, uint32_t n_layers) noexcept;
  // Brings layers [from, to) of a held copy, where they are missing; what waits for them is added to call->wait.
  Status load(DeviceCopy* copy, const PageGeometry& geometry, uint32_t from, uint32_t to, const DeviceCall& call,
              std::vector<uint64_t>* wait);
  // A coded copy's place in the clear. codec, bits: as kvc_cuda_pages_t.
  Status decode(DeviceCopy* copy, const kvc_cuda_pages_t& pages, const DeviceCall& call);
  // A coded copy's place in the clear from host memory: of codecs that have rows elsewhere.
  Status place_clear(DeviceCopy* copy, const BlobRef& clear, const DeviceCall& call);
  // Whether kernels have room for pages of klt, lowrank and auto, and the device for their calibration: at most a
  // quarter of its budget; to encode them, with what that needs besides.
  bool takes(const kvc_cuda::KltForm& form) const noexcept;
  bool encodes(const kvc_cuda::KltForm& form) const noexcept;
  // Whether a block has room to attend to their codes.
  bool attends(const DeviceCopy::Learned& learned) const noexcept;
  // What kernels are given of such a page goes to the device, the first time; from then on copy->learned is there.
  // plan: what plan_klt says of the page.
  Status place_table(DeviceCopy* copy, const PageGeometry& geometry, const std::function<Status(KltPlan*)>& plan,
                     const DeviceCall& call);
  // The calibration of such a page that has one, on the device; to be let go when what reads it was issued. It goes there
  // with the first page that needs it, and blocks then where new_blob gives memory that is not pinned.
  Status hold_calibration(const DeviceCopy& copy, const NewBlob& new_blob, const DeviceCall& call, Slot* slot);
  void let_go_calibration(const Digest& digest) noexcept;
  // decode() of such pages, after place_table(). view: of a page in the clear.
  Status decode_klt(DeviceCopy* copy, const PageGeometry& geometry, const kvc_cuda_view_t& view,
                    const NewBlob& new_blob, const DeviceCall& call);
  bool is_decoded(const DeviceCopy& copy);

  // A place in the clear is encoded into another one, which is sent to out->blob. Also after a failure out->slot is the
  // caller's to release. pages: with its exact_tokens. KVC_E_NO_MEMORY: also where kernels do not take such pages.
  Status encode(Slot clear, const kvc_cuda_pages_t& pages, DeviceEncoded* out, const DeviceCall& call);
  // The same with klt and lowrank. plan, header: plan_klt_encoding.
  Status encode_klt(Slot clear, const KltPlan& plan, std::span<const std::byte> header, const PageGeometry& geometry,
                    const kvc_cuda_view_t& view, const NewBlob& new_blob, DeviceEncoded* out, const DeviceCall& call);
  // Host memory has it. Blocks.
  Status fetch(DeviceEncoded* encoded);

  // Copies between host memory and a place. in: the place is written; in_later: it is being filled, and this is another
  // part; out: it is read. The host's memory is held until that is done, or, without `hold`, is the caller's to keep.
  // *fence 0: it is done. Blocks where the host's memory is not pinned; then, if `unpinned` is given, it does nothing
  // but set that.
  enum class Way { in, in_later, out };
  Status transfer(Way way, Slot slot, uint64_t offset, size_t bytes, const BlobRef& host, const DeviceCall& call,
                  uint64_t* fence, bool* unpinned = nullptr, bool hold = true);
  // Keeps memory that a lost device may still write to.
  void strand(const BlobRef& blob);
  // Small tables to device memory, through a ring of pinned memory. Blocks when the ring is on its way as a whole.
  Status put_table(uint64_t to, const void* from, size_t bytes, const std::vector<uint32_t>& writes,
                   const DeviceCall& call, uint64_t* fence);
  // KVC_OK or KVC_PENDING.
  Status query(uint64_t fence, bool* done);
  Status wait(uint64_t fence);

  // Places and memory that devices are done with are given back. Without locks of the cache.
  void collect() noexcept;
  // A page goes. Any lock may be held but this object's.
  void forget(const Page* page) noexcept;
  // Bytes of a chain's pages that are here.
  uint64_t cached_bytes(const Page* last) noexcept;
  void add_stats(DeviceStats* stats) noexcept;
  uint64_t free_bytes() noexcept;
  uint64_t queued_bytes() noexcept;  // copies that are on their way
  uint64_t busy_ns() noexcept;       // work of others, as far as it is known

 private:
  struct Flight {
    uint64_t fence;
    size_t bytes;
    BlobRef blob;
  };
  struct DeviceCalibration {
    Digest digest;
    Slot slot;
    Slot analysis;  // once a page was encoded with it
    uint32_t uses;  // calls that are about to issue what reads it
  };
  static constexpr size_t kRingBytes = size_t{1} << 20;
  struct RingPiece {
    size_t begin, end;
    uint64_t fence;
  };

  DeviceCopy* known(const Page& page, uint64_t now_ns) noexcept;
  bool demote_one();
  void unlink(DeviceCopy* copy) noexcept;
  void give_back(DeviceCopy* copy) noexcept;
  void drop_lost() noexcept;
  void reap();
  Status reserve_locked(size_t bytes, Slot* slot);
  Status start_ring();
  Status place_calibration(const KltCalibration& calibration, const kvc_cuda::KltForm& form, const NewBlob& new_blob,
                           const DeviceCall& call, Slot* slot);
  Status place_analysis(const KltCalibration& calibration, const kvc_cuda::KltForm& form, const NewBlob& new_blob,
                        const DeviceCall& call, Slot* slot);
  Status place_made(size_t bytes, const std::function<void(std::span<std::byte>)>& write, const NewBlob& new_blob,
                    const DeviceCall& call, Slot* slot);
  Status place_klt_table(size_t bytes);
  Status send_codes(DeviceEncoded* out, const DeviceCall& call);
  bool drop_calibrations() noexcept;

  DeviceTier* const tier_;
  const std::unique_ptr<Policy> policy_;
  Memory* const memory_;
  std::mutex mutex_;
  std::unordered_map<const Page*, std::unique_ptr<DeviceCopy>> copies_;
  std::vector<std::unique_ptr<DeviceCopy>> gone_;  // of pages that are no more: given back at the next call
  std::vector<std::unique_ptr<DeviceCopy>> held_;  // dead, but held
  std::vector<Flight> flights_;
  std::vector<BlobRef> stranded_;
  std::vector<DeviceCalibration> calibrations_;
  Slot tables_;      // a small place for the tables of decode()
  Slot klt_tables_;  // ... and of encode_klt()
  std::byte* ring_ = nullptr;
  size_t ring_at_ = 0;
  std::vector<RingPiece> pieces_;
  std::mutex ring_mutex_;
  // decode() and what is of klt, from the table to the kernel, and DeviceCopy::learned; before the two others
  std::mutex decode_mutex_;
  std::atomic<uint64_t> hits_{0}, promoted_{0}, demoted_{0}, in_bytes_{0}, out_bytes_{0};
};

// Where something more lies behind the codes of a page.
constexpr size_t behind_codes(size_t bytes) { return (bytes + 63) / 64 * 64; }

// The slots of places, and an order that names them. Points to its own lists: made where it is used.
struct DeviceOrder {
  DeviceOrder(const DeviceTier& tier, const DeviceCall& call, std::initializer_list<Slot> reads,
              std::initializer_list<Slot> writes, std::vector<uint64_t> more = {});
  DeviceOrder(const DeviceOrder&) = delete;
  std::vector<uint64_t> wait;
  std::vector<uint32_t> reads, writes;
  const kvc_cuda_order_t* get();

 private:
  kvc_cuda_order_t order_{};
};

}  // namespace kvc

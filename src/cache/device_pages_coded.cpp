// Pages that kernels of a device encode and decode, where they lie there.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "cache/device_klt.h"
#include "cache/device_pages.h"

namespace kvc {
namespace {

constexpr size_t kTableBytes = 256;  // of decode()

// What encode() gives the kernel, and gets, behind the encoded page.
struct EncodeTable {
  uint64_t coded;
  int32_t clear;
  uint32_t failed;
};

}  // namespace

bool DevicePages::is_decoded(const DeviceCopy& copy) {
  const std::lock_guard lock(mutex_);
  return static_cast<bool>(copy.clear);
}

Status DevicePages::decode(DeviceCopy* copy, const kvc_cuda_pages_t& pages, const DeviceCall& call) {
  const size_t bytes = size_t{pages.n_layers} * static_cast<size_t>(pages.clear.layer_stride);
  const std::lock_guard one(decode_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (copy->clear) return Status::ok();
    if (!tables_) KVC_RETURN_IF_ERROR(reserve_locked(kTableBytes, &tables_));
    KVC_RETURN_IF_ERROR(reserve_locked(bytes, &copy->clear));
  }
  struct {
    uint64_t coded;
    int32_t clear;
  } table{tier_->address(copy->slot), tier_->page(copy->clear)};
  const uint64_t at = tier_->address(tables_);
  // One decodes after the other: they share the place of the table.
  const auto issue = [&]() -> Status {
    std::vector<uint32_t> slots;
    tier_->add_slots(tables_, &slots);
    uint64_t fence = 0;
    KVC_RETURN_IF_ERROR(put_table(at, &table, 12, slots, call, &fence));
    DeviceOrder order(*tier_, call, {tables_, copy->slot}, {copy->clear}, {fence, copy->loaded[0]});
    return tier_->check(tier_->api().decode(tier_->handle(), &pages, 1, reinterpret_cast<const int32_t*>(at + 8),
                                            reinterpret_cast<const uint64_t*>(at), order.get(), &fence));
  };
  const Status status = issue();
  if (!status.is_ok()) {
    const std::lock_guard lock(mutex_);
    tier_->release(copy->clear);
    copy->clear = Slot{};
  }
  return status;
}

// With the lock: klt_tables_ has room for a table.
Status DevicePages::place_klt_table(size_t bytes) {
  if (klt_tables_ && DeviceTier::bytes_of(klt_tables_) < bytes) {
    tier_->release(klt_tables_);
    klt_tables_ = Slot{};
  }
  return klt_tables_ ? Status::ok() : reserve_locked(bytes, &klt_tables_);
}

Status DevicePages::place_clear(DeviceCopy* copy, const BlobRef& clear, const DeviceCall& call) {
  const std::lock_guard one(decode_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (copy->clear) return Status::ok();
    KVC_RETURN_IF_ERROR(reserve_locked(clear.bytes(), &copy->clear));
  }
  uint64_t fence = 0;
  const Status sent = transfer(Way::in, copy->clear, 0, clear.bytes(), clear, call, &fence);
  if (!sent.is_ok()) {
    const std::lock_guard lock(mutex_);
    tier_->release(copy->clear);
    copy->clear = Slot{};
  }
  return sent;
}

Status DevicePages::encode(Slot clear, const kvc_cuda_pages_t& pages, DeviceEncoded* out, const DeviceCall& call) {
  EncodeTable table{0, tier_->page(clear), 0};
  const size_t bytes = out->blob.bytes();
  if (pages.codec == std::string_view("svd") && tier_->api().svd_room(&pages) == 0)
    return error(KVC_E_NO_MEMORY, "kernels of device %d do not take pages of this form", tier_->ordinal());
  KVC_RETURN_IF_ERROR(reserve(behind_codes(bytes) + sizeof table, &out->slot));
  table.coded = tier_->address(out->slot);
  const uint64_t at = table.coded + behind_codes(bytes);
  std::vector<uint32_t> slots;
  tier_->add_slots(out->slot, &slots);
  uint64_t fence = 0;
  KVC_RETURN_IF_ERROR(put_table(at, &table, sizeof table, slots, call, &fence));
  const DeviceApi& api = tier_->api();
  DeviceSvd svd;
  svd.clear_pages = reinterpret_cast<const int32_t*>(at + offsetof(EncodeTable, clear));
  svd.encoded_pages = reinterpret_cast<const uint64_t*>(at);
  svd.failed = reinterpret_cast<uint32_t*>(at + offsetof(EncodeTable, failed));
  svd.pages = 1;
  svd.bytes = bytes;
  if (pages.codec != std::string_view("svd")) {
    DeviceOrder order(*tier_, call, {clear}, {out->slot}, {fence});
    KVC_RETURN_IF_ERROR(tier_->check(api.encode(tier_->handle(), &pages, svd.pages, svd.clear_pages, svd.encoded_pages,
                                                svd.failed, order.get(), &fence)));
    return send_codes(out, call);
  }
  Slot room;
  KVC_RETURN_IF_ERROR(reserve(api.svd_room(&pages), &room));
  svd.room = tier_->address(room);
  DeviceOrder order(*tier_, call, {clear}, {out->slot, room}, {fence});
  const Status encoded = tier_->check(api.encode_svd(tier_->handle(), &pages, &svd, order.get(), &fence));
  // At once: its next owner waits on the device.
  tier_->release(room);
  KVC_RETURN_IF_ERROR(encoded);
  return send_codes(out, call);
}

Status DevicePages::encode_klt(Slot clear, const KltPlan& plan, std::span<const std::byte> header,
                               const PageGeometry& g, const kvc_cuda_view_t& view, const NewBlob& new_blob,
                               DeviceEncoded* out, const DeviceCall& call) {
  const kvc_cuda::KltForm form = klt_form(g, plan.calibration.get());
  std::vector<std::byte> table = make_klt_table(form, plan);
  if (table.empty()) return error(KVC_E_NO_MEMORY, "an encoded page of more than 4 GiB");
  const size_t bytes = out->blob.bytes();
  const std::lock_guard one(decode_mutex_);
  Slot calibration, analysis;
  KVC_RETURN_IF_ERROR(place_calibration(*plan.calibration, form, new_blob, call, &calibration));
  const auto issue = [&]() -> Status {
    KVC_RETURN_IF_ERROR(place_analysis(*plan.calibration, form, new_blob, call, &analysis));
    {
      const std::lock_guard lock(mutex_);
      KVC_RETURN_IF_ERROR(place_klt_table(table.size()));
      // Of the page that it becomes this is the place of the table (place_table).
      KVC_RETURN_IF_ERROR(
          reserve_locked(behind_codes(bytes) + std::max(sizeof(EncodeTable), table.size()), &out->slot));
    }
    auto* page = reinterpret_cast<kvc_cuda::KltPage*>(table.data());
    page->coded = tier_->address(out->slot);
    page->clear = tier_->page(clear);
    DeviceKlt pages;
    pages.clear = view;
    pages.form = form;
    pages.tables = tier_->address(klt_tables_);
    pages.calibration = tier_->address(calibration), pages.analysis = tier_->address(analysis);
    pages.failed = page->coded + behind_codes(bytes) + offsetof(EncodeTable, failed);
    pages.pages = 1;
    pages.dtype = static_cast<int32_t>(g.dtype);
    std::vector<uint32_t> tables, slots;
    tier_->add_slots(klt_tables_, &tables);
    tier_->add_slots(out->slot, &slots);
    constexpr uint32_t kNone = 0;
    std::vector<uint64_t> fences(3);
    KVC_RETURN_IF_ERROR(put_table(pages.tables, table.data(), table.size(), tables, call, &fences[0]));
    KVC_RETURN_IF_ERROR(put_table(page->coded, header.data(), header.size(), slots, call, &fences[1]));
    KVC_RETURN_IF_ERROR(put_table(pages.failed, &kNone, sizeof kNone, slots, call, &fences[2]));
    DeviceOrder order(*tier_, call, {klt_tables_, clear, calibration, analysis}, {out->slot}, std::move(fences));
    uint64_t fence = 0;
    return tier_->check(tier_->api().encode_klt(tier_->handle(), &pages, order.get(), &fence));
  };
  const Status status = issue();
  let_go_calibration(plan.calibration->digest);
  return status.is_ok() ? send_codes(out, call) : status;
}

// An encoded page, and whether it is one, to host memory.
Status DevicePages::send_codes(DeviceEncoded* out, const DeviceCall& call) {
  const size_t bytes = out->blob.bytes();
  const uint64_t at = tier_->address(out->slot);
  const kvc_cuda_copy_t copies[2] = {
      {at, out->blob.data(), bytes},
      {at + behind_codes(bytes) + offsetof(EncodeTable, failed), out->failed.data(), sizeof(uint32_t)}};
  DeviceOrder read(*tier_, call, {out->slot}, {});
  const std::lock_guard lock(mutex_);
  reap();
  flights_.reserve(flights_.size() + 2);
  const kvc_status_t status = tier_->api().swap_out(tier_->handle(), copies, 2, read.get(), &out->fence);
  if (out->fence != 0) {
    flights_.push_back({out->fence, bytes, out->blob});
    flights_.push_back({out->fence, 0, out->failed});
  }
  // Memory that is not pinned: fetch() waits for it, when somebody needs it.
  out->here = status == KVC_OK;
  if (status == KVC_E_INVALID) return Status::ok();
  out_bytes_.fetch_add(status == KVC_OK ? bytes : 0, std::memory_order_relaxed);
  return tier_->check(status);
}

Status DevicePages::fetch(DeviceEncoded* encoded) {
  const DeviceApi& api = tier_->api();
  if (encoded->here) {
    KVC_RETURN_IF_ERROR(wait(encoded->fence));
    encoded->fence = 0;
  } else {
    const size_t bytes = encoded->blob.bytes();
    const uint64_t at = tier_->address(encoded->slot);
    DeviceOrder order(*tier_, {}, {encoded->slot}, {});
    KVC_RETURN_IF_ERROR(tier_->check(api.download(tier_->handle(), encoded->blob.data(), at, bytes, order.get())));
    KVC_RETURN_IF_ERROR(tier_->check(api.download(tier_->handle(), encoded->failed.data(),
                                                  at + behind_codes(bytes) + offsetof(EncodeTable, failed),
                                                  sizeof(uint32_t), order.get())));
    out_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    encoded->here = true;
  }
  if (api.note != nullptr) {
    api.note(encoded->blob.data(), encoded->blob.bytes(), 0);
    api.note(encoded->failed.data(), sizeof(uint32_t), 0);
  }
  uint32_t failed = 0;
  std::memcpy(&failed, encoded->failed.data(), sizeof failed);
  encoded->good = failed == 0;
  return Status::ok();
}

}  // namespace kvc

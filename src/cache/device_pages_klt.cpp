// Pages of klt, lowrank and auto on a device: their tables, their calibrations, how they are decoded there.
#include <algorithm>

#include "cache/device_klt.h"
#include "cache/device_pages.h"

namespace kvc {

bool DevicePages::takes(const kvc_cuda::KltForm& form) const noexcept {
  return kvc_cuda::klt_chunk(form.channels()) > 0 && form.v_dim <= kvc_cuda::kKltValueDim &&
         form.page_bytes() <= kRingBytes && form.calibration_bytes() <= tier_->limit() / 4;
}

bool DevicePages::encodes(const kvc_cuda::KltForm& form) const noexcept {
  return takes(form) && kvc_cuda::klt_encode_chunk(form.channels()) > 0 &&
         form.calibration_bytes() + form.analysis_bytes() <= tier_->limit() / 4;
}

bool DevicePages::attends(const DeviceCopy::Learned& learned) const noexcept {
  constexpr uint32_t kMostDims = 256;
  const kvc_cuda::KltForm& form = learned.form;
  return form.k_dim <= kMostDims && form.v_dim <= kMostDims &&
         kvc_cuda::klt_attend_chunk(form, learned.calibration != nullptr) > 0;
}

// With the lock. Those that a call under way does not use go; whether there were any.
bool DevicePages::drop_calibrations() noexcept {
  bool any = false;
  std::erase_if(calibrations_, [&](const DeviceCalibration& calibration) {
    if (calibration.uses > 0) return false;
    tier_->release(calibration.slot);
    tier_->release(calibration.analysis);
    return any = true;
  });
  return any;
}

// A place with what `write` writes.
Status DevicePages::place_made(size_t bytes, const std::function<void(std::span<std::byte>)>& write,
                               const NewBlob& new_blob, const DeviceCall& call, Slot* slot) {
  BlobRef blob;
  if (!new_blob(bytes, &blob))
    return error(KVC_E_NO_MEMORY, "no room for a calibration of %zu bytes on its way to a device", bytes);
  write({blob.data(), bytes});
  Slot made;
  KVC_RETURN_IF_ERROR(reserve(bytes, &made));
  uint64_t fence = 0;
  const Status sent = transfer(Way::in, made, 0, bytes, blob, call, &fence);
  if (!sent.is_ok()) {
    tier_->release(made);
    return sent;
  }
  *slot = made;
  return Status::ok();
}

// The calibration stays until let_go_calibration().
Status DevicePages::place_calibration(const KltCalibration& calibration, const kvc_cuda::KltForm& form,
                                      const NewBlob& new_blob, const DeviceCall& call, Slot* slot) {
  {
    const std::lock_guard lock(mutex_);
    for (DeviceCalibration& known : calibrations_) {
      if (known.digest != calibration.digest) continue;
      ++known.uses;
      *slot = known.slot;
      return Status::ok();
    }
    calibrations_.reserve(calibrations_.size() + 1);
  }
  KVC_RETURN_IF_ERROR(place_made(
      form.calibration_bytes(),
      [&](std::span<std::byte> out) { write_klt_calibration(calibration, form, out); }, new_blob, call, slot));
  const std::lock_guard lock(mutex_);
  calibrations_.push_back({calibration.digest, *slot, {}, 1});
  return Status::ok();
}

// After place_calibration().
Status DevicePages::place_analysis(const KltCalibration& calibration, const kvc_cuda::KltForm& form,
                                   const NewBlob& new_blob, const DeviceCall& call, Slot* slot) {
  const auto known = [&] {
    return std::find_if(calibrations_.begin(), calibrations_.end(),
                        [&](const DeviceCalibration& each) { return each.digest == calibration.digest; });
  };
  {
    const std::lock_guard lock(mutex_);
    *slot = known()->analysis;
    if (*slot) return Status::ok();
  }
  KVC_RETURN_IF_ERROR(place_made(
      form.analysis_bytes(), [&](std::span<std::byte> out) { write_klt_analysis(calibration, out); }, new_blob, call,
      slot));
  const std::lock_guard lock(mutex_);
  known()->analysis = *slot;
  return Status::ok();
}

void DevicePages::let_go_calibration(const Digest& digest) noexcept {
  const std::lock_guard lock(mutex_);
  for (DeviceCalibration& known : calibrations_) {
    if (known.digest == digest) --known.uses;
  }
}

Status DevicePages::hold_calibration(const DeviceCopy& copy, const NewBlob& new_blob, const DeviceCall& call,
                                     Slot* slot) {
  const std::lock_guard one(decode_mutex_);
  const DeviceCopy::Learned& learned = copy.learned;
  return place_calibration(*learned.calibration, learned.form, new_blob, call, slot);
}

Status DevicePages::place_table(DeviceCopy* copy, const PageGeometry& geometry,
                                const std::function<Status(KltPlan*)>& make_plan, const DeviceCall& call) {
  const std::lock_guard one(decode_mutex_);
  DeviceCopy::Learned& learned = copy->learned;
  if (learned.table != 0) return Status::ok();
  KltPlan plan;
  KVC_RETURN_IF_ERROR(make_plan(&plan));
  const kvc_cuda::KltForm form = klt_form(geometry, plan.calibration.get());
  std::vector<std::byte> table = make_klt_table(form, plan);
  if (table.empty())
    return error(KVC_E_UNSUPPORTED, "an encoded page of more than 4 GiB for device %d", tier_->ordinal());
  Slot own;
  const size_t behind = behind_codes(copy->bytes);
  if (DeviceTier::bytes_of(copy->slot) < behind + table.size()) {
    const std::lock_guard lock(mutex_);
    KVC_RETURN_IF_ERROR(reserve_locked(table.size(), &own));
  }
  const uint64_t at = own ? tier_->address(own) : tier_->address(copy->slot) + behind;
  reinterpret_cast<kvc_cuda::KltPage*>(table.data())->coded = tier_->address(copy->slot);
  std::vector<uint32_t> slots;
  tier_->add_slots(own ? own : copy->slot, &slots);
  uint64_t fence = 0;
  const Status put = put_table(at, table.data(), table.size(), slots, call, &fence);
  if (!put.is_ok()) {
    const std::lock_guard lock(mutex_);
    tier_->release(own);
    return put;
  }
  learned.form = form, learned.calibration = plan.calibration;
  learned.table = at, learned.place = own;
  return Status::ok();
}

Status DevicePages::decode_klt(DeviceCopy* copy, const PageGeometry& g, const kvc_cuda_view_t& view,
                               const NewBlob& new_blob, const DeviceCall& call) {
  const std::lock_guard one(decode_mutex_);
  if (is_decoded(*copy)) return Status::ok();
  const KltCalibration* learned = copy->learned.calibration.get();
  Slot calibration;
  if (learned != nullptr)
    KVC_RETURN_IF_ERROR(place_calibration(*learned, copy->learned.form, new_blob, call, &calibration));
  const auto issue = [&]() -> Status {
    {
      const std::lock_guard lock(mutex_);
      KVC_RETURN_IF_ERROR(reserve_locked(g.page_bytes(), &copy->clear));
    }
    DeviceKlt pages;
    // The page's table says page 0 of the view.
    pages.clear = view;
    pages.clear.base = tier_->address(copy->clear);
    pages.form = copy->learned.form;
    pages.tables = copy->learned.table;
    pages.calibration = calibration ? tier_->address(calibration) : 0;
    pages.pages = 1;
    pages.dtype = static_cast<int32_t>(g.dtype);
    DeviceOrder order(*tier_, call, {copy->slot}, {copy->clear}, {copy->loaded[0]});
    for (const Slot slot : {copy->learned.place, calibration}) {
      if (slot) tier_->add_slots(slot, &order.reads);
    }
    uint64_t fence = 0;
    return tier_->check(tier_->api().decode_klt(tier_->handle(), &pages, order.get(), &fence));
  };
  const Status status = issue();
  if (learned != nullptr) let_go_calibration(learned->digest);
  if (!status.is_ok()) {
    const std::lock_guard lock(mutex_);
    tier_->release(copy->clear);
    copy->clear = Slot{};
  }
  return status;
}

}  // namespace kvc

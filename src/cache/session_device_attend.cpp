// Attention of sessions on a device, over pages as they lie there: codes or rows in the clear.
#include <algorithm>
#include <span>

#include "cache/cache.h"
#include "cache/devices.h"
#include "cache/session_device.h"

namespace kvc {

// Whether pages may come to be of klt, lowrank or auto.
bool Session::learns() const noexcept { return is_klt(cache_->codec_of(geometry())); }

Status Session::device_attend_bytes(const DeviceAttend& attend, size_t tokens, uint64_t* bytes) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(on_device(-1));
  KeptRoom kept;
  if (attends_to_kept()) return kept_room(attend, tokens, &kept, bytes);
  return attend_room(attend, (tokens + geometry().page_tokens - 1) / geometry().page_tokens, bytes, nullptr);
}

// Tables first, then what the module needs. tables: bytes of the former.
Status Session::attend_room(const DeviceAttend& attend, size_t pages, uint64_t* bytes, uint64_t* tables) {
  const DeviceTier& tier = device_->pages->tier();
  kvc_cuda_attend_t call{};
  call.struct_size = sizeof call;
  call.n_sequences = 1, call.group = attend.group, call.splits = attend.splits, call.layer = attend.layer;
  call.query_dtype = attend.query_dtype, call.out_dtype = attend.out_dtype;
  const kvc_cuda_pages_t form = device_form("");
  uint64_t own = 0;
  KVC_RETURN_IF_ERROR(tier.check(tier.api().attend_bytes(tier.handle(), &form, &call, &own)));
  // Pages of codecs that learn are another kernel's, with as many splits.
  if (learns()) own *= 2;
  const uint64_t table = align_room(pages * sizeof(uint64_t) + 3 * sizeof(uint32_t));
  if (tables != nullptr) *tables = table;
  *bytes = table + own;
  return Status::ok();
}

Status Session::device_attend(const DeviceAttend& attend, const DeviceCall& call, uint64_t* fence) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(on_device(-1));
  const PageGeometry& g = geometry();
  if (g.k_dim != g.v_dim) {
    return error(KVC_E_UNSUPPORTED, "attention on a device needs K and V heads of one length; these have %u and %u",
                 g.k_dim, g.v_dim);
  }
  if (attend.layer >= g.n_layers) return error(KVC_E_OUT_OF_RANGE, "layer %u of %u", attend.layer, g.n_layers);
  fill_path();
  if (attends_to_kept()) return attend_to_kept(attend, call, fence);
  DevicePages& pages = *device_->pages;
  const size_t tokens = sealed_tokens() + cursor_[attend.layer];
  const size_t n = (tokens + g.page_tokens - 1) / g.page_tokens, sealed = sealed_pages();

  // A query sees everything before it, so the order of whole pages is nothing to it: encoded ones come first, and of
  // those in the clear the last may be short. One codec of rounded numbers and one calibration at a time: pages of
  // another go in the clear.
  std::vector<HeldCopy> held;
  std::vector<Slot> reads;
  std::vector<uint64_t> wait, encoded, learned;
  std::vector<int32_t> clear;
  std::string_view codec;
  const DeviceCopy* first_learned = nullptr;
  for (size_t i = 0; i < n; ++i) {
    const Page* page = i < sealed ? page_at(i) : open_[i - sealed].source;
    if (page == nullptr) {
      KVC_RETURN_IF_ERROR(open_place(i - sealed, call));
      reads.push_back(device_->places[i - sealed].slot);
      clear.push_back(pages.tier().page(reads.back()));
      continue;
    }
    held.emplace_back(&pages);
    KVC_RETURN_IF_ERROR(hold_page(*page, &held.back().copy));
    DeviceCopy* copy = held.back().copy;
    KVC_RETURN_IF_ERROR(pages.load(copy, g, attend.layer, attend.layer + 1, call, &wait));
    const bool codes = copy->coded && page->n_tokens == g.page_tokens && (i + 1) * g.page_tokens <= tokens;
    const Codec& by = cache_->codec_of(*page);
    if (codes && attends_to(by.name()) && (codec.empty() || codec == by.name())) {
      codec = by.name();
      reads.push_back(copy->slot);
      encoded.push_back(pages.tier().address(copy->slot));
      continue;
    }
    if (codes && learns() && is_klt(by)) {
      KVC_RETURN_IF_ERROR(place_table(*page, copy, call));
      const auto& theirs = copy->learned.calibration;
      if (first_learned == nullptr ? pages.attends(copy->learned) : first_learned->learned.calibration == theirs) {
        if (first_learned == nullptr) first_learned = copy;
        reads.push_back(copy->slot);
        if (copy->learned.place) reads.push_back(copy->learned.place);
        learned.push_back(copy->learned.table);
        continue;
      }
    }
    if (copy->coded) KVC_RETURN_IF_ERROR(decode_there(*page, copy, call));
    reads.push_back(copy->coded ? copy->clear : copy->slot);
    clear.push_back(pages.tier().page(reads.back()));
  }

  uint64_t room = 0, table = 0;
  KVC_RETURN_IF_ERROR(attend_room(attend, n, &room, &table));
  if (attend.room_bytes < room) {
    return error(KVC_E_INVALID, "room of %llu bytes; kvc_cuda_session_attend_bytes says %llu for %zu tokens",
                 static_cast<unsigned long long>(attend.room_bytes), static_cast<unsigned long long>(room), tokens);
  }
  std::vector<std::byte> tables;
  const auto put = [&tables](const auto& numbers) {
    const size_t at = tables.size();
    const auto bytes = std::as_bytes(std::span(numbers));
    tables.insert(tables.end(), bytes.begin(), bytes.end());
    return at;
  };
  const size_t learned_tokens = learned.size() * g.page_tokens;
  const uint32_t counts[3] = {static_cast<uint32_t>(tokens - learned_tokens), static_cast<uint32_t>(encoded.size()),
                              static_cast<uint32_t>(learned_tokens)};
  const size_t encoded_at = put(encoded), learned_at = put(learned), clear_at = put(clear), counts_at = put(counts);
  uint64_t placed = 0;
  KVC_RETURN_IF_ERROR(pages.put_table(attend.room, tables.data(), tables.size(), {}, call, &placed));

  kvc_cuda_attend_t given{};
  given.struct_size = sizeof given;
  given.query = attend.query, given.out = attend.out;
  given.room = reinterpret_cast<void*>(attend.room + table);
  given.lengths = reinterpret_cast<const uint32_t*>(attend.room + counts_at);
  given.n_encoded = codec.empty() ? nullptr : given.lengths + 1;
  given.encoded_pages = reinterpret_cast<const uint64_t*>(attend.room + encoded_at);
  given.clear_pages = reinterpret_cast<const int32_t*>(attend.room + clear_at);
  given.encoded_stride = static_cast<uint32_t>(encoded.size()),
  given.clear_stride = static_cast<uint32_t>(clear.size());
  given.n_sequences = 1, given.group = attend.group, given.splits = attend.splits, given.layer = attend.layer;
  given.query_dtype = attend.query_dtype, given.out_dtype = attend.out_dtype, given.scale = attend.scale;
  const kvc_cuda_pages_t form = device_form(codec);
  wait.push_back(placed);
  DeviceOrder order(pages.tier(), call, {}, {}, std::move(wait));
  for (const Slot slot : reads) pages.tier().add_slots(slot, &order.reads);
  const DeviceApi& api = pages.tier().api();
  if (learned.empty()) return pages.tier().check(api.attend(pages.tier().handle(), &form, &given, order.get(), fence));

  const KltCalibration* by = first_learned->learned.calibration.get();
  Slot calibration;
  if (by != nullptr) {
    KVC_RETURN_IF_ERROR(pages.hold_calibration(
        *first_learned, [this](size_t bytes, BlobRef* out) { return cache_->new_blob(bytes, out); }, call,
        &calibration));
    pages.tier().add_slots(calibration, &order.reads);
  }
  DeviceKltAttend klt;
  klt.form = first_learned->learned.form;
  klt.calibration = calibration ? pages.tier().address(calibration) : 0;
  klt.tokens = given.lengths + 2;
  klt.tables = reinterpret_cast<const uint64_t*>(attend.room + learned_at);
  const Status status =
      pages.tier().check(api.attend_klt(pages.tier().handle(), &form, &given, &klt, order.get(), fence));
  if (by != nullptr) pages.let_go_calibration(by->digest);
  return status;
}

}  // namespace kvc

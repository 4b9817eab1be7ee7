// Encoded pages of a session on a device: which go there as they are, and full pages that are encoded there.
#include <algorithm>

#include "cache/cache.h"
#include "cache/counters.h"
#include "cache/device_klt.h"
#include "cache/devices.h"
#include "cache/session_device.h"

namespace kvc {

kvc_cuda_pages_t Session::device_form(std::string_view codec) const {
  const PageGeometry& g = geometry();
  const DeviceTier& tier = device_->pages->tier();
  kvc_cuda_pages_t pages{};
  pages.struct_size = sizeof pages;
  pages.clear.base = tier.base();
  pages.clear.page_stride = static_cast<int64_t>(DeviceTier::kPageStride);
  pages.clear.layer_stride = static_cast<int64_t>(g.layer_bytes());
  pages.clear.plane_stride = static_cast<int64_t>(g.plane_bytes(KVC_KEY));
  pages.clear.head_stride = static_cast<int64_t>(g.head_bytes(KVC_KEY));
  pages.clear.token_stride = static_cast<int64_t>(g.row_bytes(KVC_KEY));
  pages.n_layers = g.n_layers, pages.n_kv_heads = g.n_kv_heads;
  pages.k_head_dim = g.k_dim, pages.v_head_dim = g.v_dim, pages.page_tokens = g.page_tokens;
  pages.dtype = static_cast<int32_t>(g.dtype);
  codec.copy(pages.codec, sizeof pages.codec - 1);
  pages.key_bits = cache_->options_.codec_key_bits, pages.value_bits = cache_->options_.codec_value_bits;
  return pages;
}

// Whether attention on a device reads the codes of a codec.
bool Session::attends_to(std::string_view codec) noexcept {
  return codec == "int8" || codec == "int4" || codec == "mixed";
}

// Whether kernels take pages of this geometry.
bool Session::kernels_fit() const noexcept {
  constexpr uint32_t kMostDims = 512;
  const PageGeometry& g = geometry();
  return g.k_dim == g.v_dim && g.k_dim <= kMostDims && g.dtype != DType::u8;
}

// Whether the device gets a page as its codec left it. The first page of a sequence has exact tokens, and so, but for
// codecs that learn, another form. table: bytes that it needs besides there.
bool Session::is_coded_there(const Page& page, size_t* table) const noexcept {
  const Codec& codec = cache_->codec_of(page);
  if (!kernels_fit()) return false;
  if (codec.id() == kSvdCodecId || codec.id() == kSparseCodecId) return true;
  if (!is_klt(codec)) return attends_to(codec.name()) && page.depth > 0;
  const Digest digest = codec.calibration_of({page.blob.data(), page.blob.bytes()});
  const std::shared_ptr<const KltCalibration> calibration = find_calibration(digest);
  const kvc_cuda::KltForm form = klt_form(geometry(), calibration.get());
  if (table != nullptr) *table = form.page_bytes();
  return device_->pages->takes(form);
}

// What kernels need to know of a page of klt, lowrank or auto, with a held copy, is on the device.
Status Session::place_table(const Page& page, DeviceCopy* copy, const DeviceCall& call) {
  return device_->pages->place_table(
      copy, geometry(),
      [&](KltPlan* plan) {
        return plan_klt(cache_->codec_of(page), geometry(), {page.blob.data(), page.blob.bytes()}, plan);
      },
      call);
}

// A held copy of a page that the device has as its codec left it gets its place in the clear.
Status Session::decode_there(const Page& page, DeviceCopy* copy, const DeviceCall& call) {
  DevicePages& pages = *device_->pages;
  const Codec& codec = cache_->codec_of(page);
  const std::span<const std::byte> encoded(page.blob.data(), page.blob.bytes());
  if (pages.is_decoded(*copy)) return Status::ok();
  if (codec.id() == kSparseCodecId) {
    BlobRef clear;
    KVC_RETURN_IF_ERROR(decode_here(page, &clear));
    return pages.place_clear(copy, clear, call);
  }
  // Kernels check nothing: of no rows, the codec looks at everything but the numbers.
  if (codec.id() == kSvdCodecId) {
    KVC_RETURN_IF_ERROR(codec.decode(geometry(), encoded, 0, KVC_KEY, 0, 0, nullptr, 0, 0));
  }
  if (!is_klt(codec)) return pages.decode(copy, device_form(codec.name()), call);
  KVC_RETURN_IF_ERROR(place_table(page, copy, call));
  return pages.decode_klt(
      copy, geometry(), device_form("").clear,
      [this](size_t bytes, BlobRef* out) { return cache_->new_blob(bytes, out); }, call);
}

// What a session's full pages are encoded with where codes depend on nothing but the page and a calibration; nullptr:
// the processor learns from them still, or weighs each page with queries.
std::shared_ptr<const KltCalibration> Session::device_calibration() const {
  const Codec& codec = cache_->codec_of(geometry());
  Calibrator* calibrator = is_klt(codec) ? cache_->calibrator_of(*space_) : nullptr;
  std::shared_ptr<const KltCalibration> made = calibrator != nullptr ? calibrator->made() : nullptr;
  if (made == nullptr || made->query_group > 0) return nullptr;
  return device_->pages->encodes(klt_form(geometry(), made.get())) ? made : nullptr;
}

// The page that open page i becomes, by the session's codec: made by the device from what it has in the clear. Without
// room there, or for another codec, nothing: the processor encodes it.
Status Session::encode_place(size_t i, const DeviceCall& call) {
  const PageGeometry& g = geometry();
  DeviceEnd::Place& place = device_->places[i];
  const Codec& codec = cache_->codec_of(g);
  if (place.encoded.blob || options_.exact || open_[i].approximate || !kernels_fit()) return Status::ok();
  const std::shared_ptr<const KltCalibration> calibration = device_calibration();
  if (calibration == nullptr && !attends_to(codec.name()) && codec.id() != kSvdCodecId) return Status::ok();
  EncodeOptions options;
  options.exact_tokens = sealed_pages() + i == 0 ? kSinkTokens : 0;
  options.key_bits = cache_->options_.codec_key_bits, options.value_bits = cache_->options_.codec_value_bits;
  options.position = (sealed_pages() + i) * g.page_tokens;
  options.calibration = calibration.get();
  options.ratio = cache_->options_.svd_ratio;
  const size_t bytes = codec.encoded_bytes(g, options);
  DeviceEncoded encoded;
  if (bytes >= g.page_bytes() || !cache_->new_blob(bytes, &encoded.blob) ||
      !cache_->new_blob(sizeof(uint32_t), &encoded.failed)) {
    return Status::ok();
  }
  Status status;
  if (calibration != nullptr) {
    KltPlan plan;
    std::byte header[64];
    plan_klt_encoding(codec, g, options, calibration, &plan, std::span<std::byte, 64>(header));
    status = device_->pages->encode_klt(
        place.slot, plan, header, g, device_form("").clear,
        [this](size_t size, BlobRef* out) { return cache_->new_blob(size, out); }, &encoded, call);
  } else {
    kvc_cuda_pages_t form = device_form(codec.name());
    form.exact_tokens = std::min(options.exact_tokens, g.page_tokens);
    status = device_->pages->encode(place.slot, form, &encoded, call);
  }
  if (status.is_ok()) {
    place.encoded = std::move(encoded);
    return status;
  }
  device_->pages->tier().release(encoded.slot);
  return status.code() == KVC_E_NO_MEMORY ? Status::ok() : status;
}

// Codes that are on their way to host memory need not stay on the device: they give room to what has nowhere else to
// be. Whether there were any.
bool Session::drop_codes() noexcept {
  bool any = false;
  for (DeviceEnd::Place& place : device_->places) {
    if (!place.encoded.slot || !place.encoded.here) continue;
    device_->pages->tier().release(place.encoded.slot);
    place.encoded.slot = Slot{};
    any = true;
  }
  return any;
}

// Whether open page i is encoded by the device. If that has arrived it is `good`, or it was none and is gone: a number
// is not finite, and the page stays in the clear.
bool Session::has_codes(size_t i) {
  DeviceEnd::Place& place = device_->places[i];
  DeviceEncoded& encoded = place.encoded;
  if (!encoded.blob) return false;
  DevicePages& pages = *device_->pages;
  for (uint64_t* fence : {&place.in, &encoded.fence}) {
    bool done = false;
    if (!pages.query(*fence, &done).is_ok() || !done) return true;
    *fence = 0;
  }
  if (!encoded.good && (!pages.fetch(&encoded).is_ok() || !encoded.good)) {
    pages.tier().release(encoded.slot);
    encoded = DeviceEncoded{};
    return false;
  }
  return true;
}

// What the device made of open page i, if it is here.
bool Session::take_codes(size_t i, BlobRef* blob, uint8_t* codec) {
  if (device_ == nullptr || i >= device_->places.size() || !device_->places[i].encoded.good) return false;
  *blob = device_->places[i].encoded.blob;
  *codec = cache_->codec_of(geometry()).id();
  cache_->counters_->pages_encoded.add();
  cache_->counters_->encoded_raw_bytes.add(geometry().page_bytes());
  cache_->counters_->encoded_bytes.add(blob->bytes());
  return true;
}

// Pages that are full are on their way to host memory from now on.
Status Session::send_full_pages(const DeviceCall& call) {
  DeviceEnd& end = *device_;
  const PageGeometry& g = geometry();
  const size_t full = *std::min_element(cursor_.begin(), cursor_.end()) / g.page_tokens;
  for (size_t i = 0; i < std::min(full, end.places.size()); ++i) {
    DeviceEnd::Place& place = end.places[i];
    if (!place.stale) continue;
    KVC_RETURN_IF_ERROR(encode_place(i, call));
    // Its codes are what host memory will keep; a window keeps the page open, and there it is read.
    if (place.encoded.blob && cache_->options_.codec_window == 0) continue;
    bool unpinned = false;
    KVC_RETURN_IF_ERROR(end.pages->transfer(DevicePages::Way::out, place.slot, 0, g.page_bytes(), open_[i].blob, call,
                                            &place.out, &unpinned, false));
    if (unpinned) return Status::ok();
    place.stale = false;
  }
  return Status::ok();
}

}  // namespace kvc

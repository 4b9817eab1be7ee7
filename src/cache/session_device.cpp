// Sessions on a device: reading and appending by a caller's stream. Rows that are appended there reach host
// memory by page; who needs them there earlier waits (settle).
#include "cache/session_device.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "cache/cache.h"
#include "cache/counters.h"
#include "cache/devices.h"

namespace kvc {
Status Session::device(int32_t ordinal, kvc_cuda_t** handle) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(on_device(ordinal));
  *handle = device_->pages->tier().handle();
  return Status::ok();
}

// Chooses the device. -1: any, or the one that it is.
Status Session::on_device(int32_t ordinal) {
  Devices* devices = cache_->devices();
  if (devices == nullptr || devices->size() == 0) {
    return error(
        KVC_E_UNSUPPORTED, "the engine keeps nothing on a device: %s",
        cache_->options_.devices_why.empty() ? "set option device_memory" : cache_->options_.devices_why.c_str());
  }
  KVC_RETURN_IF_ERROR(settle());  // pages from disk whose layers are still to come
  DeviceEnd* end = device_.get();
  if (end != nullptr && !end->pages->tier().is_lost() && (ordinal < 0 || end->pages->tier().ordinal() == ordinal)) {
    return Status::ok();
  }
  DevicePages* pages = nullptr;
  if (ordinal >= 0) {
    pages = devices->find(ordinal);
    if (pages == nullptr)
      return error(KVC_E_UNSUPPORTED, "the engine keeps nothing on device %d: see option device", ordinal);
    if (pages->tier().is_lost()) return error(KVC_E_DEVICE, "device %d failed", ordinal);
  } else {
    pages = devices->choose(last_);
    if (pages == nullptr) return error(KVC_E_DEVICE, "every device of the engine failed; its memory and disk serve on");
  }
  KVC_RETURN_IF_ERROR(settle_device());
  leave_device();
  device_ = std::make_unique<DeviceEnd>(pages);
  return Status::ok();
}

// Tokens of the tail that host memory has whatever becomes of the device.
size_t Session::safe_tokens() const noexcept {
  if (device_ != nullptr) {
    for (size_t i = 0; i < device_->places.size(); ++i) {
      const DeviceEnd::Place& place = device_->places[i];
      if (!place.stale && place.out == 0) continue;
      return std::min(i * geometry().page_tokens + place.safe, tail_tokens_.size());
    }
  }
  return tail_tokens_.size();
}

// The host's page i is true, and the device does nothing to it. Blocks.
Status Session::settle_page(size_t i) {
  DeviceEnd::Place& place = device_->places[i];
  DeviceTier& tier = device_->pages->tier();
  const BlobRef& blob = open_[i].blob;
  for (uint64_t* fence : {&place.in, &place.out}) {
    if (*fence == 0) continue;
    const Status status = device_->pages->wait(*fence);
    if (!status.is_ok()) {
      // It is lost, but nobody knows when it stops: the memory is not given to anybody else.
      device_->pages->strand(blob);
      // What was read from the host is true there.
      if (fence == &place.out) return status;
    }
    *fence = 0;
  }
  if (place.stale) {
    KVC_RETURN_IF_ERROR(tier.read(place.slot, {blob.data(), blob.bytes()}));
    place.stale = false;
  }
  if (tier.api().note != nullptr) tier.api().note(blob.data(), blob.bytes(), 1);
  return Status::ok();
}

// Host memory has all that the session has. Blocks for what is on its way.
Status Session::settle_device() {
  if (device_ == nullptr) return Status::ok();
  for (size_t i = 0; i < device_->places.size(); ++i) {
    const Status status = settle_page(i);
    if (status.code() == KVC_E_DEVICE) {
      return error(KVC_E_DEVICE,
                   "tokens from %zu on were on a device alone, and it failed: truncate the session to that (%s)",
                   sealed_tokens() + safe_tokens(), status.message().c_str());
    }
    KVC_RETURN_IF_ERROR(status);
  }
  return Status::ok();
}

// As settle_device(); then host memory may be written: what the device has of the end is not true any more.
Status Session::settle_device_to_write() {
  if (device_ == nullptr) return Status::ok();
  KVC_RETURN_IF_ERROR(settle_device());
  drop_places();
  return Status::ok();
}

// The session keeps at most n tokens of its tail; what a lost device had is not missed.
Status Session::settle_device_to_cut(size_t n) {
  if (device_ == nullptr) return Status::ok();
  const Status status = settle_device();
  if (!status.is_ok() && (status.code() != KVC_E_DEVICE || n > safe_tokens())) return status;
  leave_device();
  return Status::ok();
}

// For the end of a session: what host memory cannot have is cut.
void Session::settle_device_or_cut() noexcept {
  if (device_ == nullptr) return;
  Status status;
  try {
    status = settle_device();
  } catch (const std::bad_alloc&) {
    status = Status(KVC_E_NO_MEMORY, {});
  }
  if (status.is_ok()) return;
  tail_tokens_.resize(safe_tokens());
  leave_device();
}

void Session::drop_places() noexcept {
  for (const DeviceEnd::Place& place : device_->places) {
    device_->pages->tier().release(place.slot);
    device_->pages->tier().release(place.encoded.slot);
  }
  device_->places.clear();
}

void Session::leave_device() noexcept {
  if (device_ == nullptr) return;
  drop_places();
  device_.reset();
}

// How many of the first open pages host memory has. Nothing is waited for, but where memory is not pinned.
size_t Session::arrived(size_t pages) {
  if (device_ == nullptr) return pages;
  for (size_t i = 0; i < std::min(pages, device_->places.size()); ++i) {
    DeviceEnd::Place& place = device_->places[i];
    if (has_codes(i)) {
      if (!place.encoded.good) return i;  // on its way
      continue;
    }
    for (const uint64_t fence : {place.in, place.out}) {
      bool done = false;
      if (!device_->pages->query(fence, &done).is_ok() || !done) return i;
    }
    if (!settle_page(i).is_ok()) return i;
  }
  return pages;
}

// The first open pages are pages of the chain now; those in the clear are their copies.
void Session::hand_places(std::span<Page* const> sealed) noexcept {
  DeviceEnd* end = device_.get();
  if (end == nullptr) return;
  const size_t n = std::min(sealed.size(), end->places.size());
  for (size_t i = 0; i < n; ++i) {
    const DeviceEnd::Place& place = end->places[i];
    // Not of a page that another session sealed before, nor of one that the processor encoded: its bytes are others.
    const auto give = [&](Slot slot, const BlobRef& blob, bool coded) {
      if (slot && sealed[i]->blob.data() == blob.data() && (!coded || is_coded_there(*sealed[i]))) {
        end->pages->adopt(*sealed[i], slot, coded, geometry().n_layers);
      } else {
        end->pages->tier().release(slot);
      }
    };
    give(place.slot, open_[i].blob, false);
    give(place.encoded.slot, place.encoded.blob, true);
  }
  end->places.erase(end->places.begin(), end->places.begin() + static_cast<ptrdiff_t>(n));
}

// The device's copy of a page, as its codec left it or in the clear, is held.
// A page in the clear as a read on the host gives it, rows that codec sparse keeps elsewhere among them.
Status Session::decode_here(const Page& page, BlobRef* out) {
  const PageGeometry& g = geometry();
  if (!cache_->new_blob(g.page_bytes(), out)) {
    return error(KVC_E_NO_MEMORY, "no room to decode a page of %zu bytes for a device", g.page_bytes());
  }
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      TensorView rows;
      rows.data = out->data() + g.plane_offset(layer, plane);
      rows.size = g.plane_bytes(plane);
      rows.dtype = g.dtype;
      rows.n_dims = 3;
      rows.shape[0] = page.n_tokens, rows.shape[1] = g.n_kv_heads, rows.shape[2] = g.dim(plane);
      rows.strides[0] = g.dim(plane), rows.strides[1] = int64_t{g.page_tokens} * g.dim(plane), rows.strides[2] = 1;
      KVC_RETURN_IF_ERROR(
          gather(layer, plane, size_t{page.depth} * g.page_tokens, page.n_tokens, rows, /*streaming=*/false));
    }
  }
  return Status::ok();
}

Status Session::hold_page(const Page& page, DeviceCopy** copy) {
  *copy = device_->pages->hold_known(page, cache_->clock_.now_ns());
  if (*copy != nullptr) return Status::ok();
  size_t table = 0;
  const bool coded = is_coded_there(page, &table);
  std::function<Status(BlobRef*)> decode;
  if (!coded && !cache_->codec_of(page).is_clear()) {
    decode = [this, &page](BlobRef* out) { return decode_here(page, out); };
  }
  device_->pages->tier().expect(geometry().page_bytes());
  const auto hold = [&] {
    return device_->pages->hold(page, coded, coded ? table : 0, geometry().n_layers, cache_->clock_.now_ns(), decode, copy);
  };
  const Status held = hold();
  return held.code() == KVC_E_NO_MEMORY && drop_codes() ? hold() : held;
}

// Open page i has a place on the device, with what host memory has of it.
Status Session::open_place(size_t i, const DeviceCall& call) {
  DeviceEnd& end = *device_;
  const PageGeometry& g = geometry();
  while (end.places.size() <= i) {
    const size_t index = end.places.size();
    DeviceEnd::Place place;
    Status reserved = end.pages->reserve(g.page_bytes(), &place.slot);
    if (reserved.code() == KVC_E_NO_MEMORY && drop_codes()) reserved = end.pages->reserve(g.page_bytes(), &place.slot);
    KVC_RETURN_IF_ERROR(reserved);
    const size_t begin = index * g.page_tokens;
    Status status;
    if (*std::max_element(cursor_.begin(), cursor_.end()) > begin && open_[index].blob) {
      status = end.pages->transfer(DevicePages::Way::in, place.slot, 0, g.page_bytes(), open_[index].blob, call,
                                   &place.in, nullptr, false);
    }
    if (!status.is_ok()) {
      end.pages->tier().release(place.slot);
      return status;
    }
    try {
      end.places.push_back(place);
    } catch (const std::bad_alloc&) {
      end.pages->tier().release(place.slot);
      throw;
    }
  }
  return Status::ok();
}

Status Session::device_load(uint32_t from, uint32_t to, const DeviceCall& call, uint64_t* fence) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(on_device(-1));
  if (from > to || to > geometry().n_layers) {
    return error(KVC_E_OUT_OF_RANGE, "layers %u to %u of %u", from, to, geometry().n_layers);
  }
  fill_path();
  std::vector<uint64_t> wait;
  const auto bring = [&](const Page& page) -> Status {
    HeldCopy held(device_->pages);
    KVC_RETURN_IF_ERROR(hold_page(page, &held.copy));
    return device_->pages->load(held.copy, geometry(), from, to, call, &wait);
  };
  for (size_t i = 0; i < sealed_pages(); ++i) KVC_RETURN_IF_ERROR(bring(*page_at(i)));
  for (const OpenPage& page : open_) {
    if (page.source != nullptr) KVC_RETURN_IF_ERROR(bring(*page.source));
  }
  // Loads may be of several streams: one fence after all of them.
  const DeviceTier& tier = device_->pages->tier();
  std::sort(wait.begin(), wait.end());
  wait.erase(std::unique(wait.begin(), wait.end()), wait.end());
  DeviceOrder order(tier, call, {}, {}, std::move(wait));
  KVC_RETURN_IF_ERROR(tier.check(tier.api().begin(tier.handle(), order.get())));
  return tier.check(tier.api().end(tier.handle(), order.get(), fence));
}

Status Session::device_move(const kvc_cuda_move_t& move, DeviceOrder* order, uint64_t* fence) {
  const DeviceTier& tier = device_->pages->tier();
  return tier.check(tier.api().move(tier.handle(), &move, order->get(), fence));
}

namespace {

// Rows [0, n) of one layer's plane between two strided places.
kvc_cuda_move_t row_move(const PageGeometry& g, int plane, uint32_t n) {
  kvc_cuda_move_t move{};
  move.struct_size = sizeof move;
  move.tokens = n, move.n_layers = 1, move.n_planes = 1, move.n_heads = g.n_kv_heads;
  move.from_page_tokens = move.to_page_tokens = n;
  move.row_bytes = static_cast<uint32_t>(g.row_bytes(plane));
  return move;
}

void set_view(kvc_cuda_view_t* view, const DeviceRows& rows) {
  view->base = rows.address;
  view->token_stride = rows.token_stride, view->head_stride = rows.head_stride;
}

DeviceRows rows_in_page(const PageGeometry& g, uint64_t page, uint32_t layer, int plane, size_t token) {
  return {page + g.plane_offset(layer, plane) + token * g.row_bytes(plane), static_cast<int64_t>(g.row_bytes(plane)),
          static_cast<int64_t>(g.head_bytes(plane))};
}

}  // namespace

Status Session::device_read(uint32_t layer, int plane, size_t from, size_t n, const DeviceRows& rows,
                            const DeviceCall& call, uint64_t* fence) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(on_device(-1));
  KVC_RETURN_IF_ERROR(check_range(layer, plane, from, n));
  fill_path();
  const PageGeometry& g = geometry();
  DevicePages& pages = *device_->pages;
  DeviceRows to = rows;
  while (n > 0) {
    const size_t index = from / g.page_tokens, in_page = from % g.page_tokens;
    const auto run = static_cast<uint32_t>(std::min<size_t>(n, g.page_tokens - in_page));
    const size_t sealed = sealed_pages();
    const Page* page = index < sealed ? page_at(index) : open_[index - sealed].source;
    HeldCopy held(&pages);
    Slot slot;
    std::vector<uint64_t> wait;
    if (page != nullptr) {
      KVC_RETURN_IF_ERROR(hold_page(*page, &held.copy));
      KVC_RETURN_IF_ERROR(pages.load(held.copy, g, layer, layer + 1, call, &wait));
      const bool coded = held.copy->coded;
      if (coded) KVC_RETURN_IF_ERROR(decode_there(*page, held.copy, call));
      slot = coded ? held.copy->clear : held.copy->slot;
    } else {
      KVC_RETURN_IF_ERROR(open_place(index - sealed, call));
      slot = device_->places[index - sealed].slot;
    }
    kvc_cuda_move_t move = row_move(g, plane, run);
    set_view(&move.from, rows_in_page(g, pages.tier().address(slot), layer, plane, in_page));
    set_view(&move.to, to);
    DeviceOrder order(pages.tier(), call, {slot}, {}, std::move(wait));
    KVC_RETURN_IF_ERROR(device_move(move, &order, fence));
    to.address += static_cast<uint64_t>(run * to.token_stride);
    from += run;
    n -= run;
  }
  return Status::ok();
}

Status Session::device_append(uint32_t layer, const DeviceRows& k, const DeviceRows& v, size_t n,
                              const DeviceCall& call, uint64_t* fence) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(on_device(-1));
  KVC_RETURN_IF_ERROR(check_append_range(layer, n));
  const PageGeometry& g = geometry();
  const size_t at = cursor_[layer];
  KVC_RETURN_IF_ERROR(make_room(at + n));
  DevicePages& pages = *device_->pages;
  if (n > 0) KVC_RETURN_IF_ERROR(open_place((at + n - 1) / g.page_tokens, call));
  DeviceRows from[2] = {k, v};
  size_t done = 0;
  while (done < n) {
    const size_t index = (at + done) / g.page_tokens, in_page = (at + done) % g.page_tokens;
    const auto run = static_cast<uint32_t>(std::min<size_t>(n - done, g.page_tokens - in_page));
    DeviceEnd::Place& place = device_->places[index];
    // From here on the host's page is not true, also if only a part of this can be issued.
    if (!place.stale) {
      const size_t least = *std::min_element(cursor_.begin(), cursor_.end()), begin = index * g.page_tokens;
      place.safe = static_cast<uint32_t>(std::min<size_t>(least > begin ? least - begin : 0, g.page_tokens));
    }
    place.stale = true;
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      kvc_cuda_move_t move = row_move(g, plane, run);
      set_view(&move.from, from[plane]);
      set_view(&move.to, rows_in_page(g, pages.tier().address(place.slot), layer, plane, in_page));
      DeviceOrder order(pages.tier(), call, {}, {place.slot});
      KVC_RETURN_IF_ERROR(device_move(move, &order, fence));
      from[plane].address += static_cast<uint64_t>(run * from[plane].token_stride);
    }
    done += run;
  }
  cursor_[layer] = static_cast<uint32_t>(at + n);
  return send_full_pages(call);
}

}  // namespace kvc

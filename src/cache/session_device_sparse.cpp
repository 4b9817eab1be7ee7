// Attention on a device in spaces of codec sparse: over what is kept of pages, as Session::attend does on the host.
//
// What an encoded page keeps is a page in the clear of fewer tokens, so the device attends to it as it lies there.
// Pages that keep as many rows are one part, those in the clear another; each part has a softmax of its own, and a
// kernel puts them together. A query sees everything before it, so the order of rows is nothing to it.
#include <algorithm>
#include <cstring>

#include "cache/cache.h"
#include "cache/session_device.h"
#include "codec/sparse_rows.h"

namespace kvc {
namespace {

// A sequence's first page may keep more rows than others: its exact ones.
constexpr size_t kMostParts = 3;

struct Part {
  uint32_t kept = 0;  // rows of a page
  size_t at = 0;      // bytes from its begin
  std::vector<int32_t> pages;
  size_t tokens = 0;
};

}  // namespace

bool Session::attends_to_kept() const noexcept {
  return kernels_fit() && cache_->codec_of(geometry()).id() == kSparseCodecId;
}

Status Session::kept_room(const DeviceAttend& attend, size_t tokens, KeptRoom* room, uint64_t* bytes) {
  const PageGeometry& g = geometry();
  DeviceAttend part = attend;
  part.out_dtype = KVC_F32;
  uint64_t own = 0;
  KVC_RETURN_IF_ERROR(attend_room(part, (tokens + g.page_tokens - 1) / g.page_tokens, &own, &room->tables));
  const uint64_t rows = uint64_t{g.n_kv_heads} * attend.group;
  room->values = align_room(own);
  room->state = room->values + align_room(rows * g.v_dim * sizeof(float));
  room->each = room->state + align_room(rows * 2 * sizeof(float));
  *bytes = kMostParts * room->each;
  return Status::ok();
}

Status Session::attend_to_kept(const DeviceAttend& attend, const DeviceCall& call, uint64_t* fence) {
  const PageGeometry& g = geometry();
  DevicePages& pages = *device_->pages;
  DeviceTier& tier = pages.tier();
  const size_t tokens = sealed_tokens() + cursor_[attend.layer], sealed = sealed_pages();
  KeptRoom room;
  uint64_t bytes = 0;
  KVC_RETURN_IF_ERROR(kept_room(attend, tokens, &room, &bytes));
  if (attend.room_bytes < bytes) {
    return error(KVC_E_INVALID, "room of %llu bytes; kvc_cuda_session_attend_bytes says %llu for %zu tokens",
                 static_cast<unsigned long long>(attend.room_bytes), static_cast<unsigned long long>(bytes), tokens);
  }

  std::vector<Part> parts(1);  // the first: in the clear
  parts[0].kept = g.page_tokens;
  std::vector<HeldCopy> held;
  std::vector<Slot> reads;
  std::vector<uint64_t> wait;
  for (size_t i = 0; i * g.page_tokens < tokens; ++i) {
    const size_t seen = std::min<size_t>(tokens - i * g.page_tokens, g.page_tokens);
    const Page* page = i < sealed ? page_at(i) : open_[i - sealed].source;
    Part* part = parts.data();
    Slot slot;
    if (page == nullptr) {
      KVC_RETURN_IF_ERROR(open_place(i - sealed, call));
      slot = device_->places[i - sealed].slot;
    } else {
      held.emplace_back(&pages);
      KVC_RETURN_IF_ERROR(hold_page(*page, &held.back().copy));
      DeviceCopy* copy = held.back().copy;
      KVC_RETURN_IF_ERROR(pages.load(copy, g, attend.layer, attend.layer + 1, call, &wait));
      slot = copy->slot;
      if (copy->coded && page->codec == kSparseCodecId && seen == g.page_tokens) {
        Part own;
        KVC_RETURN_IF_ERROR(find_sparse_rows(g, {page->blob.data(), page->blob.bytes()}, &own.kept, &own.at));
        // What a page keeps says where.
        auto same = std::find_if(parts.begin() + 1, parts.end(), [&](const Part& p) { return p.kept == own.kept; });
        if (same == parts.end() && parts.size() < kMostParts) same = parts.insert(same, std::move(own));
        part = same != parts.end() ? &*same : parts.data();
      }
      if (copy->coded && part == parts.data()) {
        KVC_RETURN_IF_ERROR(decode_there(*page, copy, call));
        slot = copy->clear;
      }
    }
    part->pages.push_back(tier.page(slot));
    part->tokens += part == parts.data() ? seen : part->kept;
    reads.push_back(slot);
  }

  DeviceMerge merge;
  merge.values = reinterpret_cast<const void*>(attend.room + room.values);
  merge.state = reinterpret_cast<const void*>(attend.room + room.state);
  merge.out = attend.out, merge.out_dtype = attend.out_dtype;
  merge.stride = room.each;
  merge.rows = g.n_kv_heads * attend.group, merge.dim = g.v_dim;
  for (const Part& part : parts) {
    // Also of nothing: it says so itself.
    const uint64_t at = attend.room + merge.parts++ * room.each;
    std::vector<uint32_t> table(1 + part.pages.size());
    table[0] = static_cast<uint32_t>(part.tokens);
    if (!part.pages.empty()) std::memcpy(&table[1], part.pages.data(), part.pages.size() * sizeof(int32_t));
    uint64_t placed = 0;
    KVC_RETURN_IF_ERROR(pages.put_table(at, table.data(), table.size() * sizeof(uint32_t), {}, call, &placed));
    kvc_cuda_pages_t form = device_form("");
    if (&part != parts.data()) {
      const PageGeometry kept = g.with_tokens(part.kept);
      form.clear.base += part.at;
      form.clear.layer_stride = static_cast<int64_t>(kept.layer_bytes());
      form.clear.plane_stride = static_cast<int64_t>(kept.plane_bytes(KVC_KEY));
      form.clear.head_stride = static_cast<int64_t>(kept.head_bytes(KVC_KEY));
      form.page_tokens = part.kept;
    }
    kvc_cuda_attend_t given{};
    given.struct_size = sizeof given;
    given.query = attend.query;
    given.out = reinterpret_cast<void*>(at + room.values), given.state = reinterpret_cast<float*>(at + room.state);
    given.room = reinterpret_cast<void*>(at + room.tables);
    given.lengths = reinterpret_cast<const uint32_t*>(at);
    given.clear_pages = reinterpret_cast<const int32_t*>(at + sizeof(uint32_t));
    given.clear_stride = static_cast<uint32_t>(part.pages.size());
    given.n_sequences = 1, given.group = attend.group, given.splits = attend.splits, given.layer = attend.layer;
    given.query_dtype = attend.query_dtype, given.out_dtype = KVC_F32, given.scale = attend.scale;
    std::vector<uint64_t> before = wait;
    before.push_back(placed);
    DeviceOrder order(tier, call, {}, {}, std::move(before));
    for (const Slot slot : reads) tier.add_slots(slot, &order.reads);
    KVC_RETURN_IF_ERROR(tier.check(tier.api().attend(tier.handle(), &form, &given, order.get(), fence)));
  }
  DeviceOrder order(tier, call, {}, {}, {*fence});
  return tier.check(tier.api().merge(tier.handle(), &merge, order.get(), fence));
}

}  // namespace kvc

// Records as they are stored, read for the store itself: to move them, to look through them, to put them into a pack.
#include "tier/disk/store_impl.h"

namespace kvc::disk {

bool StoreImpl::find_key(const Descriptor& descriptor, Digest* key, const Digest** out) const {
  *out = nullptr;
  if (!(descriptor.flags & kEncrypted)) return !keys_ || pack_;  // plaintext put into an encrypted store is nobody's
  if (!keys_ || !keys_->find(descriptor.tenant, key)) return false;
  *out = key;
  return true;
}

// Whether a record's tokens and frames are right, without decoding them. One that cannot be opened here - its key is
// gone, this processor has no AES - is let pass.
bool StoreImpl::is_whole(const RecordHeader& header, const std::byte* record) {
  Digest key;
  const Digest* with = nullptr;
  if (!find_key(header.descriptor, &key, &with)) return true;
  if ((header.descriptor.flags & kAes) && !aes_available()) return true;
  RecordReader reader(context(), header, record, with);
  if (!reader.frames()) return false;
  std::vector<int32_t> tokens;
  if (!reader.tokens(&tokens)) return false;
  std::vector<std::byte> scratch;
  for (uint32_t i = 0; i < header.descriptor.groups; ++i) {
    scratch.resize(reader.frame_bytes(i));
    if (!reader.stored_group(i, record + reader.frame_offset(i), scratch.data())) return false;
  }
  return true;
}

// A record as it is stored, verified, for another place in this store.
DiskMiss StoreImpl::read_image(Segment* segment, const Entry& entry, RecordImage* image) {
  const uint64_t bytes = uint64_t{entry.blocks} * kBlock;
  try {
    image->head = buffers_.take(bytes);
    image->head_bytes = bytes;
    const ssize_t read =
        transfer_block(segment->file.get(), false, uint64_t{entry.offset} * kBlock, image->head.data(), bytes);
    RecordHeader header;
    if (read != static_cast<ssize_t>(bytes) ||
        !check_record_header(image->head.data(), bytes, uuid_, segment->generation, entry.offset, segment->blocks,
                             &header)) {
      return DiskMiss::damaged;
    }
    if (header.descriptor.flags & kErased) return DiskMiss::absent;
    Digest key;
    const Digest* with;
    if (!find_key(header.descriptor, &key, &with)) return DiskMiss::locked;
    const bool right = header.descriptor.blocks == entry.blocks && entry.is(header.descriptor.id);
    return right && is_whole(header, image->head.data()) ? DiskMiss::none : DiskMiss::damaged;
  } catch (const std::bad_alloc&) {
    return DiskMiss::io;
  }
}

// Whether the writer beside this read-only store has begun a new lap of the segment since it was opened.
bool StoreImpl::begun_anew(Segment* segment) {
  if (!read_only_ || pack_) return false;
  const Buffer block = buffers_.take(kBlock);
  SegmentHeader header;
  return transfer_block(segment->file.get(), false, 0, block.data(), kBlock) == kBlock &&
         read_segment_header(block.data(), &header) && header.uuid == uuid_ && header.generation > segment->generation;
}

// A page's record, for whoever has only its identity. The header is checked, the rest is not.
DiskMiss StoreImpl::read_record(const PageId& id, RecordHeader* header, Buffer* record) {
  Segment* segment = nullptr;
  Entry entry;
  {
    const Lock lock(mutex_);
    const Locator locator = index_.find(id);
    if (locator == kNowhere) return DiskMiss::absent;
    entry = at(locator);
    segment = segments_[locator >> 16].get();
    ++segment->pins;
  }
  const uint64_t bytes = uint64_t{entry.blocks} * kBlock;
  *record = buffers_.take(bytes);
  const ssize_t result =
      transfer_block(segment->file.get(), false, uint64_t{entry.offset} * kBlock, record->data(), bytes);
  DiskMiss miss = DiskMiss::none;
  if (result < 0) {
    miss = DiskMiss::io;
  } else if (result != static_cast<ssize_t>(bytes) ||
             !check_record_header(record->data(), bytes, uuid_, segment->generation, entry.offset, segment->blocks,
                                  header)) {
    miss = begun_anew(segment) ? DiskMiss::absent : DiskMiss::damaged;
  } else if (header->descriptor.flags & kErased) {
    miss = DiskMiss::absent;  // its writer ended before the table said so
  } else if (header->descriptor.id != id || (header->descriptor.flags & kBlob)) {
    miss = DiskMiss::damaged;
  }
  const Lock lock(mutex_);
  unpin(segment);
  room_.notify_all();
  return miss;
}

}  // namespace kvc::disk

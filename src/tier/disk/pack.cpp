// Packs: a segment in a file of its own, to ship with an application. Records as in a store, never encrypted; named
// values are records too.
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "tier/disk/store_impl.h"

namespace kvc::disk {
namespace {

constexpr uint64_t kPackGeneration = 1;

PageId blob_id(std::string_view name) {
  return digest_of(std::as_bytes(std::span(std::string("kvc blob ").append(name))));
}

// A named value as a page: its name in the place of the tokens. A byte before the value: it may be empty, a page may
// not.
Status blob_image(const RecordContext& context, const std::string& name, std::span<const std::byte> value,
                  RecordImage* out) {
  const std::vector<int32_t> letters(name.begin(), name.end());
  std::vector<std::byte> payload(1 + value.size());
  std::copy(value.begin(), value.end(), payload.begin() + 1);
  PutPage page;
  page.record.id = blob_id(name);
  page.record.tokens = letters;
  page.record.payload = payload;
  KVC_RETURN_IF_ERROR(make_record(context, page, 0, nullptr, UINT32_MAX, out));
  auto* flags = out->head.data() + offsetof(RecordHeader, descriptor) + offsetof(Descriptor, flags);
  *flags |= std::byte{kBlob};
  return Status::ok();
}

}  // namespace

// A page's record in plaintext, for another store.
Status StoreImpl::copy_record(const PageId& id, RecordImage* out) {
  RecordHeader header;
  Buffer record;
  const DiskMiss miss = read_record(id, &header, &record);
  const auto unreadable = [&] {
    return error(KVC_E_NOT_FOUND, "page %s cannot be packed: %s", to_hex(id.bytes).c_str(),
                 miss == DiskMiss::none ? "it is damaged, or its key is gone" : disk_miss_name(miss));
  };
  Digest key;
  const Digest* with;
  if (miss != DiskMiss::none || !find_key(header.descriptor, &key, &with)) return unreadable();
  const Descriptor& d = header.descriptor;
  RecordReader reader(context(), header, record.data(), with);
  std::vector<int32_t> tokens;
  if (!reader.frames() || !reader.tokens(&tokens)) return unreadable();
  const uint64_t bytes = uint64_t{d.blocks} * kBlock;
  out->head = buffers_.take(bytes);
  out->head_bytes = bytes;
  std::byte* to = out->head.data();
  std::memset(to, 0, bytes);
  header.descriptor.flags &= kCompressed;
  header.descriptor.tenant = 0;
  header.salt = {};
  header.token_tag = {};
  std::memcpy(to, &header, sizeof header);
  if (!tokens.empty()) std::memcpy(to + sizeof header, tokens.data(), tokens.size() * sizeof(int32_t));
  for (uint32_t i = 0; i < d.groups; ++i) {
    Frame frame = reader.frame(i);
    std::byte* stored = to + reader.frame_offset(i);
    if (!reader.stored_group(i, record.data() + reader.frame_offset(i), stored)) return unreadable();
    frame.check = checksum(stored, frame.bytes);
    std::memcpy(to + header_bytes(d.n_tokens, 0) + i * sizeof frame, &frame, sizeof frame);
  }
  return Status::ok();
}

Status StoreImpl::write_pack(const std::string& path, std::span<const PageId> pages,
                             std::span<const std::string> blob_names, const StoreProgress& progress) {
  const uint64_t n = pages.size() + blob_names.size();
  if (n == 0 || n > kMaxRecords) {
    return error(KVC_E_OUT_OF_RANGE, "a pack of %" PRIu64 " pages and blobs: 1 to %u fit one", n, kMaxRecords);
  }
  const std::string temporary = path + ".tmp";
  std::unique_ptr<VfsFile> file;
  int status = vfs_->open(temporary, Vfs::kWrite | Vfs::kCreate | Vfs::kTruncate, &file);
  if (status != 0) return io_error("make", temporary, status);
  SegmentHeader header{};
  std::memcpy(header.magic, kSegmentMagic, sizeof header.magic);
  header.version = kFormatVersion;
  header.number = kPackNumber;
  randombytes_buf(header.uuid.data(), header.uuid.size());
  header.generation = kPackGeneration;

  const auto write = [&](uint64_t block, void* data, size_t bytes) {
    const ssize_t written = transfer_block(file.get(), true, block * kBlock, data, bytes);
    return written == static_cast<ssize_t>(bytes)
               ? Status::ok()
               : io_error("write", temporary, written < 0 ? static_cast<int>(written) : -EIO);
  };
  const auto fill = [&] {
    std::vector<Descriptor> records;
    uint64_t end = 1;
    for (uint64_t i = 0; i < n; ++i) {
      RecordImage image;
      if (i < pages.size()) {
        KVC_RETURN_IF_ERROR(copy_record(pages[i], &image));
      } else {
        std::vector<std::byte> value;
        const std::string& name = blob_names[i - pages.size()];
        KVC_RETURN_IF_ERROR(get_blob(name, &value));
        KVC_RETURN_IF_ERROR(blob_image(context(), name, value, &image));
      }
      std::memcpy(image.head.data() + offsetof(RecordHeader, uuid), header.uuid.data(), header.uuid.size());
      image.place(kPackGeneration, static_cast<uint32_t>(end));
      KVC_RETURN_IF_ERROR(write(end, image.head.data(), image.head_bytes));
      records.push_back(image.descriptor());
      end += records.back().blocks;
      if (end > UINT32_MAX) return error(KVC_E_OUT_OF_RANGE, "a pack larger than 16 TiB");
      if (progress && !progress(i + 1, n)) return error(KVC_E_CANCELLED, "packing was stopped");
    }
    const uint64_t blocks = end + table_blocks(n);
    for (uint32_t i = 0; i < table_blocks(n); ++i) {
      OpenTablePage table(this, buffers_.take(kBlock), 0, kPackGeneration, header.uuid, i);
      const size_t first = size_t{i} * kTableEntries, count = std::min<size_t>(kTableEntries, n - first);
      std::copy_n(records.begin() + static_cast<std::ptrdiff_t>(first), count, table.page()->descriptors);
      table.page()->count = static_cast<uint32_t>(count);
      seal_table_page(table.page());
      KVC_RETURN_IF_ERROR(write(blocks - 1 - i, table.page(), kBlock));
    }
    header.segment_bytes = blocks * kBlock;
    Buffer block = buffers_.take(kBlock);
    write_segment_header(header, block.data());
    return write(0, block.data(), kBlock);
  };
  Status result = fill();
  if (result.is_ok() && (status = file->sync()) != 0) result = io_error("sync", temporary, status);
  file.reset();
  if (result.is_ok() && (status = vfs_->rename(temporary, path)) != 0) result = io_error("name", path, status);
  if (!result.is_ok()) {
    vfs_->remove(temporary);
    return result;
  }
  const size_t slash = path.rfind('/');
  status = vfs_->sync_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
  return status == 0 ? Status::ok() : io_error("make durable the name of", path, status);
}

Status StoreImpl::open_pack_file(const std::string& path) {
  pack_ = true;
  options_.directory = path;
  auto segment = std::make_unique<Segment>(memory_);
  const int status = vfs_->open(path, 0, &segment->file);
  if (status == -ENOENT) return error(KVC_E_NOT_FOUND, "there is no pack %s", path.c_str());
  if (status != 0) return io_error("open the pack", path, status);
  SegmentHeader header;
  std::vector<Descriptor> found;
  int64_t ignored;
  if (!scan_segment(segment->file.get(), &buffers_, nullptr, &header, nullptr, &found, &ignored) ||
      header.number != kPackNumber) {
    return error(KVC_E_CORRUPT, "%s is not a pack, is of another format version, or its beginning is damaged",
                 path.c_str());
  }
  uuid_ = header.uuid;
  segment->generation = header.generation;
  segment->blocks = header.segment_bytes / kBlock;
  segment->allocated = segment->file->allocated();
  segment->state = Segment::State::sealed;
  segments_.push_back(std::move(segment));
  if (!index_.reserve(found.size()))
    return error(KVC_E_NO_MEMORY, "the index of %s does not fit the memory budget", path.c_str());
  KVC_RETURN_IF_ERROR(adopt(segments_.back().get(), 0, found));
  stats_.pages_recovered = stats_.pages;
  stats_.disk_bytes = stats_.disk_peak = segments_.back()->allocated;

  for (const Descriptor& d : found) {
    if (!(d.flags & kBlob) || (d.flags & kErased)) continue;
    const Buffer record = buffers_.take(uint64_t{d.blocks} * kBlock);
    const uint64_t bytes = uint64_t{d.blocks} * kBlock;
    RecordHeader checked;
    if (transfer_block(segments_.back()->file.get(), false, uint64_t{d.offset} * kBlock, record.data(), bytes) !=
            static_cast<ssize_t>(bytes) ||
        !check_record_header(record.data(), bytes, uuid_, header.generation, d.offset, segments_.back()->blocks,
                             &checked)) {
      continue;
    }
    RecordReader reader(context(), checked, record.data(), nullptr);
    std::vector<int32_t> letters;
    std::vector<std::byte> value(checked.descriptor.payload_bytes);
    if (!(checked.descriptor.flags & kBlob) || checked.descriptor.groups != 1 || !reader.frames() ||
        !reader.tokens(&letters) || !reader.group(0, record.data() + reader.frame_offset(0), value)) {
      continue;
    }
    std::string name;
    for (const int32_t letter : letters) name.push_back(static_cast<char>(letter));
    if (!check_blob_name(name).is_ok() || blob_id(name) != checked.descriptor.id) continue;
    value.erase(value.begin());
    pack_blobs_[name] = std::move(value);
  }
  return Status::ok();
}

}  // namespace kvc::disk

// Opening a store whose files are the fuzzer's, with checksums made right, so that what lies behind them is reached.
//
// The input: a byte that chooses what is patched, then the superblock's and one segment's beginning and end.
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "../unit/disk_simulated.h"
#include "tier/disk/format.h"
#include "tier/disk/store.h"

namespace {

using namespace kvc;  // NOLINT: a program of one file

constexpr size_t kSegment = 8 * disk::kBlock;

StoreOptions options_for(disk_test::SimulatedDisk* files) {
  StoreOptions options;
  options.directory = "/store";
  options.budget = StoreOptions::kMinBudget;
  options.segment_bytes = kSegment;
  options.io = StoreOptions::Io::sync;
  options.vfs = files;
  return options;
}

struct Template {
  disk_test::SimulatedDisk files;
  std::vector<PageId> ids;
  std::vector<int32_t> tokens = {1, 2, 3};
  Template() {
    std::unique_ptr<DiskStore> store;
    if (!DiskStore::open(options_for(&files), &store).is_ok()) __builtin_trap();
    std::vector<std::byte> payload(4800);
    for (size_t i = 0; i < payload.size(); ++i)
      payload[i] = static_cast<std::byte>(i % 2 == 0 ? i * 37 >> 3 : 60 + i % 3);
    const PageGeometry halves{.n_layers = 4, .n_kv_heads = 1, .k_dim = 30, .v_dim = 30, .page_tokens = 10};
    PageGeometry floats = halves.with_tokens(5);
    floats.dtype = DType::f32;
    for (uint8_t i = 1; i < 4; ++i) {
      PutPage page;
      page.record.id.bytes[0] = i;
      page.record.tokens = tokens;
      page.record.payload = payload;
      if (i != 2) page.geometry = i == 1 ? &halves : &floats;
      if (!store->put(page).is_ok()) __builtin_trap();
      ids.push_back(page.record.id);
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Template* const original = new Template;
  if (size < 4) return 0;
  auto files = original->files.clone();
  auto& bytes = files->files().at("/store/seg-00000")->now;
  // Triples of the input: where, and what.
  const uint8_t mode = data[0];
  for (size_t i = 1; i + 3 <= size; i += 3) {
    size_t at = data[i] | static_cast<size_t>(data[i + 1]) << 8;
    if (mode & 1) at = (1 + at / 512 % 7) * disk::kBlock + at % 512;  // where headers are
    if (mode & 2) at = bytes.size() - disk::kBlock + at % disk::kBlock;
    bytes[at % bytes.size()] = static_cast<std::byte>(data[i + 2]);
  }
  for (size_t block = 1; block < bytes.size() / disk::kBlock; ++block) {
    std::byte* record = bytes.data() + block * disk::kBlock;
    disk::RecordHeader header;
    std::memcpy(&header, record, sizeof header);
    const uint64_t n = disk::header_bytes(header.descriptor.n_tokens, header.descriptor.groups);
    if (header.magic == disk::kRecordMagic && n <= bytes.size() - block * disk::kBlock) {
      disk::Frame frame;  // frames' checksums, too
      uint64_t offset = header.descriptor.payload_start;
      for (uint32_t g = 0; g < header.descriptor.groups; ++g) {
        std::byte* const at = record + disk::header_bytes(header.descriptor.n_tokens, g);
        std::memcpy(&frame, at, sizeof frame);
        if (offset + frame.bytes > bytes.size() - block * disk::kBlock) break;
        frame.check = disk::checksum(record + offset, frame.bytes);
        std::memcpy(at, &frame, sizeof frame);
        offset += frame.bytes;
      }
      disk::seal_record_header(record);
    }
  }
  disk::TablePage page;
  std::byte* const table = bytes.data() + bytes.size() - disk::kBlock;
  std::memcpy(&page, table, sizeof page);
  disk::seal_table_page(&page);
  std::memcpy(table, &page, sizeof page);

  std::unique_ptr<DiskStore> store;
  if (!DiskStore::open(options_for(files.get()), &store).is_ok()) return 0;
  std::vector<std::byte> out(4800);
  for (const PageId& id : original->ids) {
    GetPage get;
    get.id = id;
    get.tokens = original->tokens;
    get.payload_bytes = out.size();
    get.out = out;
    store->get(get);
    std::unique_ptr<LaterGroups> later;
    get.later = &later;
    if (store->get(get) == DiskMiss::none && later != nullptr) {
      for (uint32_t group = 0; group < later->groups() && later->decode(group); ++group) {
      }
    }
    get.later = nullptr;
    get.out = std::span(out).first(1200);
    get.first_group = 2;
    get.n_groups = 1;
    store->get(get);
  }
  VerifyReport report;
  (void)store->verify(nullptr, &report);
  (void)store->compact(nullptr);
  return 0;
}

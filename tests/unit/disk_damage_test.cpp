// Files that a disk, a user or an attacker changed: a page comes back right, or it is a miss. Never wrong, never a
// crash.
#include <cstdlib>

#include "disk_fixture.h"
#include "disk_simulated.h"
#include "tier/disk/format.h"

namespace kvc {
namespace {

using disk_test::get;
using disk_test::open_store;
using disk_test::SimulatedDisk;
using disk_test::TestPage;

const bool kQuick = std::getenv("KVC_TEST_QUICK") != nullptr;

class DiskDamageTest : public testing::TestWithParam<bool> {  // encrypted
 protected:
  StoreOptions options(SimulatedDisk* disk) const {
    StoreOptions options;
    options.directory = "/store";
    options.budget = StoreOptions::kMinBudget;
    options.segment_bytes = 64 << 10;
    options.io = StoreOptions::Io::sync;
    options.vfs = disk;
    if (GetParam()) options.key = key_;
    return options;
  }
  void SetUp() override {
    for (uint64_t n = 0; n < 26; ++n) pages_.emplace_back(n, 300 + n % 3 * 900, 3 + n % 4, n % 2 == 0);
    auto store = open_store(options(&disk_));
    for (const TestPage& page : pages_) ASSERT_TRUE(store->put(page.put()).is_ok());
    ASSERT_TRUE(store->put_blob("settings", std::as_bytes(std::span("value", 5))).is_ok());
    store.reset();
    store = open_store(options(&disk_));
    for (const TestPage& page : pages_) hits_ += get(*store, page) == DiskMiss::none;
    ASSERT_EQ(hits_, pages_.size());
  }
  // Opens a damaged disk; the pages that are still found. get() sees to it that they are right.
  size_t survivors(SimulatedDisk* disk) {
    std::unique_ptr<DiskStore> store;
    const Status status = DiskStore::open(options(disk), &store);
    if (!status.is_ok()) {
      EXPECT_FALSE(status.message().empty());
      return 0;
    }
    size_t hits = 0;
    for (const TestPage& page : pages_) hits += get(*store, page) == DiskMiss::none;
    std::vector<std::byte> value;
    if (store->get_blob("settings", &value).is_ok()) {
      EXPECT_EQ(std::memcmp(value.data(), "value", 5), 0);
    }
    return hits;
  }

  const std::vector<std::byte> key_ = std::vector<std::byte>(32, std::byte{3});
  std::vector<TestPage> pages_;
  size_t hits_ = 0;
  SimulatedDisk disk_;
};

TEST_P(DiskDamageTest, EveryByteOfMetadataMayFlip) {
  // A block at a time is looked at in a copy, so that the copying does not dominate: each byte of it is flipped, looked
  // at, and put back.
  uint64_t flipped = 0;
  auto disk = disk_.clone();
  for (auto& [name, node] : disk->files()) {
    std::vector<size_t> metadata;
    const size_t bytes = node->now.size();
    if (name.find("seg-") == std::string::npos) {
      for (size_t i = 0; i < bytes; ++i) metadata.push_back(i);
    } else {
      for (size_t i = 0; i < 128; ++i) metadata.push_back(i);                           // the header
      for (size_t i = bytes - 2 * disk::kBlock; i < bytes; ++i) metadata.push_back(i);  // the table
      for (size_t block = disk::kBlock; block < bytes; block += disk::kBlock) {  // records' headers, tokens, frames
        for (size_t i = 0; i < 300; ++i) metadata.push_back(block + i);
      }
    }
    size_t step = 0;
    for (const size_t at : metadata) {
      if (++step % (kQuick ? 37 : 1) != 0) continue;
      const auto saved = node->now;
      node->now[at] ^= static_cast<std::byte>(1 << flipped % 8);
      const size_t left = survivors(disk.get());
      if (HasFailure()) FAIL() << name << " byte " << at;
      if (name.find("seg-") != std::string::npos && at >= disk::kBlock && at < bytes - 2 * disk::kBlock) {
        EXPECT_GE(left + 1, hits_) << "one record costs one page: " << name << " byte " << at;
      }
      node->now = saved;
      ++flipped;
    }
  }
  EXPECT_GT(flipped, kQuick ? 300u : 5000u);
}

TEST_P(DiskDamageTest, AHundredThousandPayloadFlips) {
  // The store stays open, as it does when a disk rots under it; what was found damaged is put again.
  Random random(5);
  auto disk = disk_.clone();
  auto store = open_store(options(disk.get()));
  const uint64_t flips = kQuick ? 5000 : 100'000;
  std::vector<SimulatedDisk::Node*> segments;
  for (auto& [name, node] : disk->files()) {
    if (name.find("seg-") != std::string::npos) segments.push_back(node.get());
  }
  uint64_t found = 0;
  for (uint64_t i = 0; i < flips; ++i) {
    SimulatedDisk::Node& node = *segments[random.next() % segments.size()];
    // Where records are: the blocks behind the header, before the table.
    const size_t at = disk::kBlock + random.next() % 20 * disk::kBlock / 2 + random.next() % 2048;
    const std::byte bit = static_cast<std::byte>(1 << random.next() % 8);
    node.now[at % node.now.size()] ^= bit;
    const TestPage& page = pages_[i % pages_.size()];
    const DiskMiss miss = get(*store, page);
    if (HasFailure()) FAIL() << "flip " << i;
    node.now[at % node.now.size()] ^= bit;
    if (miss != DiskMiss::none) {
      ++found;
      ASSERT_TRUE(store->put(page.put()).is_ok());
    }
  }
  EXPECT_GT(found, 0u);
}

TEST_P(DiskDamageTest, TruncatedSplicedAndSwappedFiles) {
  for (const auto& [name, original] : disk_.files()) {
    for (size_t size = 0; size < original->now.size(); size += kQuick ? 4099 : 1021) {
      auto disk = disk_.clone();
      disk->files()[name]->now.resize(size);
      survivors(disk.get());
      if (HasFailure()) FAIL() << name << " cut to " << size;
    }
  }
  // Another store's segments, an own segment under another's name, blocks of one in another.
  SimulatedDisk other;
  {
    auto store = open_store(options(&other));
    for (const TestPage& page : pages_) {
      TestPage forged = page;
      for (auto& byte : forged.payload) byte ^= std::byte{0x55};
      ASSERT_TRUE(store->put(forged.put()).is_ok());
    }
  }
  auto disk = disk_.clone();
  for (auto& [name, node] : disk->files()) {
    if (name.find("seg-") != std::string::npos) node->now = other.files().at(name)->now;
  }
  EXPECT_EQ(survivors(disk.get()), 0u) << "another store's segments";
  disk = disk_.clone();
  std::swap(disk->files().at("/store/seg-00000"), disk->files().at("/store/seg-00001"));
  survivors(disk.get());
  Random random(3);
  for (int i = 0; i < (kQuick ? 100 : 2000); ++i) {
    disk = disk_.clone();
    auto& from = random.next() % 2 == 0 ? other.files() : disk_.files();
    const std::string a = "/store/seg-0000" + std::to_string(random.next() % 2);
    const std::string b = "/store/seg-0000" + std::to_string(random.next() % 2);
    const size_t blocks = disk->files()[a]->now.size() / disk::kBlock;
    for (uint64_t n = 1 + random.next() % 4; n-- > 0;) {
      std::memcpy(disk->files()[a]->now.data() + random.next() % blocks * disk::kBlock,
                  from.at(b)->now.data() + random.next() % blocks * disk::kBlock, disk::kBlock);
    }
    survivors(disk.get());
    ASSERT_FALSE(HasFailure());
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, DiskDamageTest, testing::Values(false, true),
                         [](const auto& test) { return test.param ? "encrypted" : "plain"; });

// Checksums are no defence against somebody who computes them: with them made right again, every length and number in a
// record, a table page and a header may be anything.
TEST(DiskForgedTest, FieldsWithRightChecksumsAreNotBelieved) {
  SimulatedDisk original;
  StoreOptions options;
  options.directory = "/store";
  options.budget = StoreOptions::kMinBudget;
  options.segment_bytes = 64 << 10;
  options.io = StoreOptions::Io::sync;
  options.vfs = &original;
  std::vector<TestPage> pages;
  for (uint64_t n = 0; n < 60; ++n) pages.emplace_back(n, 400, 3, false);
  {
    auto store = open_store(options);
    for (const TestPage& page : pages) ASSERT_TRUE(store->put(page.put()).is_ok());
  }
  Random random(8);
  const uint64_t interesting[] = {0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 4096, UINT64_MAX};
  for (int i = 0; i < (kQuick ? 2000 : 30'000); ++i) {
    auto disk = original.clone();
    auto& bytes = disk->files().at(i % 2 == 0 ? "/store/seg-00000" : "/store/seg-00001")->now;
    for (uint64_t n = 1 + random.next() % 3; n-- > 0;) {
      const uint64_t value =
          random.next() % 2 == 0 ? interesting[random.next() % std::size(interesting)] : random.next();
      const size_t width = size_t{1} << random.next() % 4;
      if (random.next() % 2 == 0) {  // a record
        std::byte* record = bytes.data() + (1 + random.next() % 14) * disk::kBlock;
        std::memcpy(record + random.next() % 72 * 4, &value, width);
        disk::RecordHeader header;
        std::memcpy(&header, record, sizeof header);
        const auto& d = header.descriptor;
        const auto left = static_cast<uint64_t>(bytes.data() + bytes.size() - record);
        if (disk::header_bytes(d.n_tokens, d.groups) <= left) disk::seal_record_header(record);
      } else {
        disk::TablePage page;
        std::byte* block = bytes.data() + bytes.size() - disk::kBlock;
        std::memcpy(&page, block, sizeof page);
        std::memcpy(reinterpret_cast<std::byte*>(&page) + random.next() % 1000 * 4, &value, width);
        disk::seal_table_page(&page);
        std::memcpy(block, &page, sizeof page);
      }
    }
    options.vfs = disk.get();
    std::unique_ptr<DiskStore> store;
    ASSERT_TRUE(DiskStore::open(options, &store).is_ok());
    for (size_t n = 0; n < pages.size(); n += 3)
      get(*store, pages[n]);  // right, or a miss: 400 bytes are always checked
    VerifyReport report;
    ASSERT_TRUE(store->verify(nullptr, &report).is_ok());
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace kvc

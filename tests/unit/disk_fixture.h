// What the tests of the disk store share: pages made from a number, and a directory that goes away.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "../temporary_directory.h"
#include "base/random.h"
#include "tier/disk/store.h"

namespace kvc::disk_test {

// A page whose every field follows from its number. Compressible or not by `noise`.
struct TestPage {
  PageId id, parent;
  Digest space;
  std::vector<int32_t> tokens;
  std::vector<std::byte> payload;

  explicit TestPage(uint64_t number, size_t payload_bytes = 3000, size_t n_tokens = 4, bool noise = true,
                    uint64_t space_number = 7) {
    Random random(number * 2654435761u + 17);
    const auto digest = [&](uint64_t salt) {
      Random words(number * 31 + salt);
      Digest out;
      for (size_t i = 0; i < 4; ++i) {
        const uint64_t word = words.next();
        std::memcpy(out.bytes.data() + i * 8, &word, 8);
      }
      return out;
    };
    id = digest(1);
    parent = digest(2);
    Random space_words(space_number);
    for (auto& byte : space.bytes) byte = static_cast<uint8_t>(space_words.next());
    for (size_t i = 0; i < n_tokens; ++i) tokens.push_back(static_cast<int32_t>(random.next() % 50000));
    payload.resize(payload_bytes);
    for (size_t i = 0; i < payload_bytes; ++i) {
      payload[i] =
          noise || i % 2 == 0 ? static_cast<std::byte>(random.next()) : static_cast<std::byte>(random.next() % 3);
    }
  }
  PutPage put() const {
    PutPage page;
    page.record.id = id;
    page.record.parent = parent;
    page.record.space = space;
    page.record.tokens = tokens;
    page.record.codec = 1;
    page.record.payload = payload;
    return page;
  }
  GetPage get(std::span<std::byte> out) const {
    GetPage page;
    page.id = id;
    page.parent = parent;
    page.space = space;
    page.tokens = tokens;
    page.codec = 1;
    page.payload_bytes = payload.size();
    page.out = out;
    return page;
  }
};

// Gets a page, in one of the ways there are: copied, straight into its place, decoded later. A hit whose bytes are not the
// page's is a failure of the test, whatever it tests.
inline DiskMiss get(DiskStore& store, const TestPage& page) {
  static std::atomic<uint32_t> turn{0};
  const uint32_t way = turn.fetch_add(1) % 3;
  const size_t bytes = page.payload.size();
  const std::shared_ptr<std::byte> room(
      static_cast<std::byte*>(::operator new(std::max<size_t>(bytes, 1), std::align_val_t(4096))),
      [](std::byte* data) { ::operator delete(data, std::align_val_t(4096)); });
  const std::span<std::byte> out(room.get(), bytes);
  GetPage get = page.get(out);
  std::unique_ptr<LaterGroups> later;
  if (way == 1) get.owner = room;
  if (way == 2) get.later = &later;
  const DiskMiss miss = store.get(get);
  if (miss != DiskMiss::none) return miss;
  for (uint32_t i = 0; later != nullptr && i < later->groups(); ++i) {
    if (!later->decode(i)) return DiskMiss::damaged;  // checksums that were made right
  }
  if (!std::equal(out.begin(), out.end(), page.payload.begin())) ADD_FAILURE() << "a hit with wrong bytes";
  return miss;
}

using kvc_test::TemporaryDirectory;

inline std::unique_ptr<DiskStore> open_store(const StoreOptions& options) {
  std::unique_ptr<DiskStore> store;
  const Status status = DiskStore::open(options, &store);
  EXPECT_TRUE(status.is_ok()) << status.message();
  return store;
}

// A directory and the options of a small store in it.
class DiskTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.directory = directory_.path() + "/store";
    options_.budget = 8 << 20;
    options_.checkpoint_ns = 0;
  }
  static std::vector<std::byte> key(int seed) { return std::vector<std::byte>(32, static_cast<std::byte>(seed)); }
  static uint64_t misses(DiskStore& store, DiskMiss miss) { return store.stats().misses[static_cast<size_t>(miss)]; }

  TemporaryDirectory directory_;
  StoreOptions options_;
};

}  // namespace kvc::disk_test

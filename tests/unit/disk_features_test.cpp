// What the disk store offers beside put and get: layers, admission, encryption, named values, packs, sharing.
#include <fstream>
#include <map>
#include <set>

#include "disk_fixture.h"
#include "disk_simulated.h"

namespace kvc {
namespace {

using disk_test::DiskTest;
using disk_test::get;
using disk_test::open_store;
using disk_test::SimulatedDisk;
using disk_test::TestPage;

constexpr uint64_t kMiB = 1 << 20;

class DiskFeaturesTest : public DiskTest {
 protected:
  std::string everything() const {  // all bytes of the directory
    std::string out;
    for (const auto& file : std::filesystem::recursive_directory_iterator(directory_.path())) {
      if (!file.is_regular_file()) continue;
      std::ifstream in(file.path(), std::ios::binary);
      out.append(std::istreambuf_iterator<char>(in), {});
    }
    return out;
  }
};

// Keys: real-looking f16 numbers, whose exponents are alike and whose mantissas are noise.
std::vector<std::byte> smooth_page(const PageGeometry& geometry, uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> out(geometry.page_bytes());
  for (size_t i = 0; i < out.size(); i += 2) {
    const uint64_t word = random.next();
    const auto value = static_cast<uint16_t>((word & 0x8000) | (13 + word % 3) << 10 | (word >> 20 & 1023));
    std::memcpy(out.data() + i, &value, 2);
  }
  return out;
}

// A hit that leaves decoding for later gives the same page.
void expect_later(DiskStore& store, const TestPage& page) {
  std::vector<std::byte> out(page.payload.size());
  GetPage get = page.get(out);
  std::unique_ptr<LaterGroups> later;
  get.later = &later;
  ASSERT_EQ(store.get(get), DiskMiss::none);
  const size_t layer = later != nullptr ? out.size() / later->groups() : 0;
  for (uint32_t i = 0; later != nullptr && i < later->groups(); ++i) {
    ASSERT_TRUE(later->decode(i));
    ASSERT_EQ(std::memcmp(out.data(), page.payload.data(), (i + 1) * layer), 0) << "group " << i;
  }
  ASSERT_EQ(out, page.payload);
}

TEST_F(DiskFeaturesTest, LayersAreCompressedAndReadOneByOne) {
  const PageGeometry geometry{
      .n_layers = 6, .n_kv_heads = 2, .k_dim = 64, .v_dim = 32, .page_tokens = 32, .dtype = DType::f16};
  for (const bool encrypted : {false, true}) {
    const auto secret = key(1);
    StoreOptions options = options_;
    options.directory += encrypted ? "-e" : "-p";
    if (encrypted) options.key = secret;
    auto store = open_store(options);
    TestPage page(1);
    page.payload = smooth_page(geometry, 3);
    PutPage put = page.put();
    put.geometry = &geometry;
    ASSERT_TRUE(store->put(put).is_ok());
    const StoreStats before = store->stats();
    EXPECT_LT(before.stored_bytes, before.payload_bytes * 95 / 100);
    EXPECT_EQ(get(*store, page), DiskMiss::none);
    expect_later(*store, page);
    for (uint32_t first = 0; first < 6; ++first) {
      for (uint32_t n = 1; first + n <= 6; ++n) {
        std::vector<std::byte> out(n * geometry.layer_bytes());
        GetPage layers = page.get(out);
        layers.first_group = first;
        layers.n_groups = n;
        ASSERT_EQ(store->get(layers), DiskMiss::none);
        EXPECT_EQ(std::memcmp(out.data(), page.payload.data() + first * geometry.layer_bytes(), out.size()), 0);
      }
    }
    // One layer is read with less than half of the record.
    const uint64_t read = store->stats().bytes_read;
    std::vector<std::byte> out(geometry.layer_bytes());
    GetPage last = page.get(out);
    last.first_group = 5;
    last.n_groups = 1;
    ASSERT_EQ(store->get(last), DiskMiss::none);
    EXPECT_LT(store->stats().bytes_read - read, before.stored_bytes / 2);
    last.first_group = 6;
    EXPECT_EQ(store->get(last), DiskMiss::identity);
  }
}

// A page that is stored as it is comes straight into its place; compressed, encrypted or damaged ones take the other way.
TEST_F(DiskFeaturesTest, PagesThatMayBeReadIntoTheirPlaceAreTheSame) {
  struct Room {
    explicit Room(size_t bytes) : data(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(4096)))) {}
    ~Room() { ::operator delete(data, std::align_val_t(4096)); }
    std::byte* data;
  };
  const std::vector<std::byte> key(32, std::byte{7});
  for (const bool encrypted : {false, true}) {
    StoreOptions options = options_;
    options.directory += encrypted ? "-encrypted" : "-clear";
    if (encrypted) options.key = key;
    auto store = open_store(options);
    uint64_t number = 1;
    for (const size_t bytes : {size_t{4096}, size_t{65536}, size_t{65536 + 64}, size_t{1} << 18}) {
      for (const bool noise : {true, false}) {
        TestPage page(number++, bytes, noise ? 64 : 3000, noise);
        ASSERT_TRUE(store->put(page.put()).is_ok());
        for (const size_t off : {size_t{0}, size_t{64}}) {
          const auto room = std::make_shared<Room>(bytes + 64);
          std::memset(room->data, 0x11, bytes + 64);
          GetPage get = page.get({room->data + off, bytes});
          get.owner = room;
          ASSERT_EQ(store->get(get), DiskMiss::none) << bytes;
          EXPECT_EQ(std::memcmp(room->data + off, page.payload.data(), bytes), 0) << bytes;
          get.tokens = get.tokens.first(get.tokens.size() - 1);
          EXPECT_EQ(store->get(get), DiskMiss::tokens);
          std::weak_ptr<const void> watched = get.owner;
          get.owner.reset();
          while (watched.use_count() > 1) std::this_thread::yield();  // the store lets go of it
        }
      }
    }
  }
}

// Every value of 16 bits, in shapes of odd numbers.
TEST_F(DiskFeaturesTest, NumbersComeBackBitForBit) {
  auto store = open_store(options_);
  uint64_t number = 100;
  Random random(5);
  for (const DType dtype : {DType::f16, DType::bf16}) {
    for (const auto& [rows, k_dim, v_dim] : {std::tuple{64u, 64u, 64u}, {64u, 576u, 0u}, {31u, 257u, 3u}, {1u, 300u, 7u}}) {
      const PageGeometry geometry{
          .n_layers = 2, .n_kv_heads = 3, .k_dim = k_dim, .v_dim = v_dim, .page_tokens = rows, .dtype = dtype};
      TestPage page(number++, geometry.page_bytes());
      auto* words = reinterpret_cast<uint16_t*>(page.payload.data());
      const size_t n = page.payload.size() / 2;
      for (size_t i = 0; i < n; ++i) {
        // Few exponents, so that it pays; in places anything: zeros, infinities, numbers that are none.
        words[i] = static_cast<uint16_t>(i % 97 == 0 ? random.next() : 0x3800 + random.next() % 0x700);
        if (i % k_dim % 3 == 0) words[i] |= 0x8000;
      }
      PutPage put = page.put();
      put.geometry = &geometry;
      const uint64_t before = store->stats().stored_bytes;
      ASSERT_TRUE(store->put(put).is_ok());
      if (n > 20000) {
        EXPECT_LT(store->stats().stored_bytes - before, page.payload.size() * 9 / 10);
      }
      EXPECT_EQ(get(*store, page), DiskMiss::none);
      expect_later(*store, page);
    }
  }
}

TEST_F(DiskFeaturesTest, EveryShapeOfPageComesBack) {
  auto store = open_store(options_);
  uint64_t number = 1;
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    for (const uint32_t v_dim : {0u, 3u, 64u}) {
      const PageGeometry geometry{
          .n_layers = 3, .n_kv_heads = 1, .k_dim = 5, .v_dim = v_dim, .page_tokens = 7, .dtype = dtype};
      for (const bool zeros : {false, true}) {
        TestPage page(number++, geometry.page_bytes());
        if (zeros) std::fill(page.payload.begin(), page.payload.end(), std::byte{0});
        PutPage put = page.put();
        put.geometry = &geometry;
        ASSERT_TRUE(store->put(put).is_ok());
        EXPECT_EQ(get(*store, page), DiskMiss::none);
        expect_later(*store, page);
      }
    }
  }
  TestPage zeros(number, 4 * kMiB / 16);
  std::fill(zeros.payload.begin(), zeros.payload.end(), std::byte{0});
  ASSERT_TRUE(store->put(zeros.put()).is_ok());
  EXPECT_EQ(get(*store, zeros), DiskMiss::none);
  EXPECT_EQ(store->put(TestPage(number + 1, 4 * kMiB).put()).code(), KVC_E_OUT_OF_RANGE);
}

TEST_F(DiskFeaturesTest, OnlyTheVeryPageIsAHit) {
  auto store = open_store(options_);
  const TestPage page(1);
  ASSERT_TRUE(store->put(page.put()).is_ok());
  TestPage other = page;
  other.tokens[2] ^= 1;
  EXPECT_EQ(get(*store, other), DiskMiss::tokens);
  other = page;
  other.tokens.pop_back();
  EXPECT_EQ(get(*store, other), DiskMiss::tokens);
  other = page;
  other.space.bytes[31] ^= 1;
  EXPECT_EQ(get(*store, other), DiskMiss::identity);
  other = page;
  other.parent.bytes[0] ^= 1;
  EXPECT_EQ(get(*store, other), DiskMiss::identity);
  other = page;
  other.payload.push_back(std::byte{0});
  EXPECT_EQ(get(*store, other), DiskMiss::identity);
  std::vector<std::byte> out(page.payload.size());
  GetPage wrong_codec = page.get(out);
  wrong_codec.codec = 2;
  EXPECT_EQ(store->get(wrong_codec), DiskMiss::identity);
  other = page;
  other.id.bytes[31] ^= 1;  // beyond what the index keeps
  EXPECT_EQ(get(*store, other), DiskMiss::identity);
  EXPECT_EQ(misses(*store, DiskMiss::identity), 5u);
  EXPECT_EQ(misses(*store, DiskMiss::tokens), 2u);
}

TEST_F(DiskFeaturesTest, SecondSightKeepsOneOffPagesAway) {
  options_.second_sight = true;
  auto store = open_store(options_);
  const TestPage page(1), pinned(2);
  ASSERT_TRUE(store->put(page.put()).is_ok());
  EXPECT_FALSE(store->contains(page.id));
  EXPECT_EQ(store->stats().puts_refused, 1u);
  ASSERT_TRUE(store->put(page.put()).is_ok());
  EXPECT_TRUE(store->contains(page.id));
  PutPage put = pinned.put();
  put.admit = true;
  ASSERT_TRUE(store->put(put).is_ok());
  EXPECT_TRUE(store->contains(pinned.id));
}

TEST_F(DiskFeaturesTest, ASecondWriterIsToldAndReadersAreWelcome) {
  auto store = open_store(options_);
  const TestPage page(1);
  ASSERT_TRUE(store->put(page.put()).is_ok());
  std::unique_ptr<DiskStore> second;
  const Status status = DiskStore::open(options_, &second);
  EXPECT_EQ(status.code(), KVC_E_BUSY);
  EXPECT_NE(status.message().find("read-only"), std::string::npos);
  StoreOptions reading = options_;
  reading.read_only = true;
  auto reader = open_store(reading), another = open_store(reading);
  EXPECT_EQ(get(*reader, page), DiskMiss::none);
  EXPECT_EQ(get(*another, page), DiskMiss::none);
  EXPECT_EQ(reader->put(TestPage(2).put()).code(), KVC_E_UNSUPPORTED);
  EXPECT_EQ(reader->put_blob("a", {}).code(), KVC_E_UNSUPPORTED);
  EXPECT_EQ(reader->purge("x").code(), KVC_E_UNSUPPORTED);
  EXPECT_FALSE(reader->erase(page.id));
  // The writer laps the reader: what was written over is a miss.
  for (uint64_t n = 10; n < 600; ++n) ASSERT_TRUE(store->put(TestPage(n, 20'000).put()).is_ok());
  EXPECT_NE(get(*reader, page), DiskMiss::none);
  store.reset();
  EXPECT_TRUE(open_store(options_));
}

TEST_F(DiskFeaturesTest, TenantsAreSealedFromOneAnotherAndPurged) {
  const auto secret = key(7);
  options_.key = secret;
  TestPage a(1), b(2);
  const std::string words = "the quick brown fox jumps over the lazy dog";
  for (TestPage* page : {&a, &b}) {
    for (size_t i = 0; i + words.size() < page->payload.size(); i += words.size()) {
      std::memcpy(page->payload.data() + i, words.data(), words.size());
    }
    page->tokens.assign(64, 0x64636261);
  }
  options_.zstd_level = 0;  // so that plaintext would be found
  {
    auto store = open_store(options_);
    PutPage put = a.put();
    put.tenant = "alice";
    ASSERT_TRUE(store->put(put).is_ok());
    put = b.put();
    put.tenant = "bob";
    ASSERT_TRUE(store->put(put).is_ok());
    ASSERT_TRUE(store->put_blob("settings", std::as_bytes(std::span(words))).is_ok());
  }
  EXPECT_EQ(everything().find("quick brown"), std::string::npos);
  EXPECT_EQ(everything().find("abcdabcd"), std::string::npos);
  {
    auto store = open_store(options_);
    EXPECT_EQ(get(*store, a), DiskMiss::none);
    std::vector<int32_t> tokens;
    PageDescriptor descriptor;
    ASSERT_TRUE(store->describe(b.id, &descriptor, &tokens).is_ok());
    EXPECT_EQ(tokens, b.tokens);
    EXPECT_TRUE(descriptor.encrypted);
    ASSERT_TRUE(store->purge("alice").is_ok());
    EXPECT_EQ(get(*store, a), DiskMiss::absent);
    EXPECT_EQ(get(*store, b), DiskMiss::none);
    ASSERT_TRUE(store->purge("nobody").is_ok());
  }
  {
    auto store = open_store(options_);
    EXPECT_FALSE(store->contains(a.id));
    EXPECT_EQ(get(*store, b), DiskMiss::none);
    std::vector<std::byte> value;
    ASSERT_TRUE(store->get_blob("settings", &value).is_ok());
    EXPECT_EQ(value.size(), words.size());
  }
  std::unique_ptr<DiskStore> store;
  const auto other = key(8);
  options_.key = other;
  EXPECT_EQ(DiskStore::open(options_, &store).code(), KVC_E_IDENTITY);
  options_.key = {};
  EXPECT_EQ(DiskStore::open(options_, &store).code(), KVC_E_IDENTITY);
  options_.key = std::span(other).first(31);
  EXPECT_EQ(DiskStore::open(options_, &store).code(), KVC_E_INVALID);
}

TEST_F(DiskFeaturesTest, PurgingAPlaintextStoreOverwritesTheBytes) {
  options_.zstd_level = 0;
  TestPage page(1, 20'000);
  const std::string words = "a secret that nobody should find";
  std::memcpy(page.payload.data() + 10'000, words.data(), words.size());
  auto store = open_store(options_);
  PutPage put = page.put();
  put.tenant = "alice";
  ASSERT_TRUE(store->put(put).is_ok());
  ASSERT_TRUE(store->put(TestPage(2).put()).is_ok());
  EXPECT_NE(everything().find(words), std::string::npos);
  ASSERT_TRUE(store->purge("alice").is_ok());
  EXPECT_EQ(everything().find(words), std::string::npos);
  EXPECT_EQ(get(*store, TestPage(2)), DiskMiss::none);
  EXPECT_EQ(get(*store, page), DiskMiss::absent);
}

TEST_F(DiskFeaturesTest, NamedValuesAreReplacedAsAWhole) {
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  {
    auto store = open_store(options_);
    std::vector<std::byte> value;
    EXPECT_EQ(store->get_blob("settings", &value).code(), KVC_E_NOT_FOUND);
    ASSERT_TRUE(store->put_blob("settings", bytes("one")).is_ok());
    ASSERT_TRUE(store->put_blob("settings", bytes("two!")).is_ok());
    ASSERT_TRUE(store->put_blob("empty", {}).is_ok());
    for (const char* name : {"", ".keys", "A", "a/b", "../x"})
      EXPECT_EQ(store->put_blob(name, {}).code(), KVC_E_INVALID);
    const std::vector<std::byte> large(store->blob_limit());
    EXPECT_EQ(store->put_blob("large", large).code(), KVC_E_NO_MEMORY);
  }
  auto store = open_store(options_);
  std::vector<std::byte> value;
  ASSERT_TRUE(store->get_blob("settings", &value).is_ok());
  EXPECT_EQ(std::memcmp(value.data(), "two!", 4), 0);
  EXPECT_EQ(store->blobs(), (std::vector<std::string>{"empty", "settings"}));
  ASSERT_TRUE(store->erase_blob("settings").is_ok());
  EXPECT_TRUE(store->erase_blob("settings").is_ok());
  EXPECT_EQ(store->get_blob("settings", &value).code(), KVC_E_NOT_FOUND);
}

TEST_F(DiskFeaturesTest, PacksShipPagesAndValues) {
  const std::string path = directory_.path() + "/prefix.pack";
  std::vector<TestPage> pages;
  for (uint64_t n = 0; n < 70; ++n) pages.emplace_back(n, 1000 + n * 100, n % 9, n % 2 == 0);
  for (const bool encrypted : {false, true}) {
    const auto secret = key(2);
    StoreOptions options = options_;
    options.directory += encrypted ? "-e" : "-p";
    if (encrypted) options.key = secret;
    auto store = open_store(options);
    std::vector<PageId> ids;
    for (const TestPage& page : pages) {
      ASSERT_TRUE(store->put(page.put()).is_ok());
      ids.push_back(page.id);
    }
    ASSERT_TRUE(store->put_blob("space", std::as_bytes(std::span("model", 5))).is_ok());
    const std::string blobs[] = {"space"};
    ASSERT_TRUE(store->write_pack(path, ids, blobs, nullptr).is_ok());
    const PageId unknown = TestPage(1000).id;
    EXPECT_EQ(store->write_pack(path + "2", std::span(&unknown, 1), {}, nullptr).code(), KVC_E_NOT_FOUND);
    EXPECT_FALSE(std::filesystem::exists(path + "2"));
    std::unique_ptr<DiskStore> pack;
    const Status status = DiskStore::open_pack(options_, path, &pack);
    ASSERT_TRUE(status.is_ok()) << status.message();
    EXPECT_EQ(pack->stats().pages, pages.size());
    for (const TestPage& page : pages) EXPECT_EQ(get(*pack, page), DiskMiss::none);
    std::vector<std::byte> value;
    ASSERT_TRUE(pack->get_blob("space", &value).is_ok());
    EXPECT_EQ(std::memcmp(value.data(), "model", 5), 0);
    size_t visited = 0;
    ASSERT_TRUE(pack->for_each([&](const PageDescriptor& page) { return ++visited, !page.encrypted; }).is_ok());
    EXPECT_EQ(visited, pages.size());
    VerifyReport report;
    ASSERT_TRUE(pack->verify(nullptr, &report).is_ok());
    EXPECT_EQ(report.pages, pages.size());
    EXPECT_EQ(report.damaged, 0u);
    EXPECT_EQ(pack->put(TestPage(99).put()).code(), KVC_E_UNSUPPORTED);
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 + 900);
    file.put('\x55');
  }
  std::unique_ptr<DiskStore> pack;
  ASSERT_TRUE(DiskStore::open_pack(options_, path, &pack).is_ok());
  VerifyReport report;
  ASSERT_TRUE(pack->verify(nullptr, &report).is_ok());
  EXPECT_EQ(report.damaged, 1u);
  EXPECT_EQ(DiskStore::open_pack(options_, directory_.path() + "/none", &pack).code(), KVC_E_NOT_FOUND);
  std::ofstream(directory_.path() + "/text") << std::string(10'000, 'x');
  EXPECT_EQ(DiskStore::open_pack(options_, directory_.path() + "/text", &pack).code(), KVC_E_CORRUPT);
}

TEST_F(DiskFeaturesTest, LooksAtEveryPageAndGivesRoomBack) {
  auto store = open_store(options_);
  std::set<PageId> all;
  for (uint64_t n = 0; n < 150; ++n) {
    const TestPage page(n, 20'000, 5);
    ASSERT_TRUE(store->put(page.put()).is_ok());
    all.insert(page.id);
  }
  std::set<PageId> seen;
  ASSERT_TRUE(store
                  ->for_each([&](const PageDescriptor& page) {
                    EXPECT_EQ(page.n_tokens, 5u);
                    EXPECT_EQ(page.payload_bytes, 20'000u);
                    return seen.insert(page.id).second;
                  })
                  .is_ok());
  EXPECT_EQ(seen, all);
  for (uint64_t n = 0; n < 150; ++n) {
    if (n % 5 != 0) {
      EXPECT_TRUE(store->erase(TestPage(n, 20'000, 5).id));
    }
  }
  const uint64_t before = store->stats().disk_bytes;
  ASSERT_TRUE(store->compact(nullptr).is_ok());
  EXPECT_LT(store->stats().disk_bytes, before * 3 / 4);
  for (uint64_t n = 0; n < 150; ++n) {
    EXPECT_EQ(get(*store, TestPage(n, 20'000, 5)), n % 5 == 0 ? DiskMiss::none : DiskMiss::absent) << n;
  }
  store.reset();
  store = open_store(options_);
  EXPECT_EQ(store->stats().pages, 30u);
}

// The same operations on the store and on a map: the store knows no page that the map does not, and none differently.
TEST_F(DiskFeaturesTest, DifferentialAgainstAMap) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SimulatedDisk disk;
    options_.vfs = &disk;
    options_.directory = "/store";
    options_.budget = 2 * kMiB;
    options_.io = seed % 2 == 0 ? StoreOptions::Io::sync : StoreOptions::Io::threads;
    const auto secret = key(static_cast<int>(seed));
    options_.key = seed % 3 == 0 ? std::span<const std::byte>(secret) : std::span<const std::byte>{};
    auto store = open_store(options_);
    std::map<uint64_t, TestPage> map;
    uint64_t hits = 0, evicted = 0;
    Random random(seed);
    for (int step = 0; step < 2000; ++step) {
      const uint64_t n = random.next() % 300;
      const TestPage page(n, 200 + n * 37, n % 6, n % 2 == 0);
      switch (random.next() % 16) {
        case 0:
          store->erase(page.id);
          map.erase(n);
          break;
        case 1:
          if (random.next() % 10 == 0) {
            store.reset();
            store = open_store(options_);
          }
          break;
        case 2:
          EXPECT_TRUE(random.next() % 8 != 0 || store->compact(nullptr).is_ok());
          break;
        case 3:
          EXPECT_TRUE(store->persist().is_ok());
          break;
        case 4:
        case 5:
        case 6:
        case 7:
          ASSERT_TRUE(store->put(page.put()).is_ok());
          map.emplace(n, page);
          ASSERT_TRUE(store->contains(page.id));
          break;
        default: {
          const DiskMiss miss = get(*store, page);
          if (miss == DiskMiss::none) {
            ASSERT_TRUE(map.contains(n));
            ++hits;
          } else {
            ASSERT_EQ(miss, DiskMiss::absent);
            evicted += map.erase(n);
          }
        }
      }
    }
    EXPECT_GT(hits, 200u);
    EXPECT_GT(evicted + store->stats().pages_evicted, 0u);
  }
}

}  // namespace
}  // namespace kvc

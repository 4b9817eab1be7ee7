// Stores that earlier versions wrote. They are never written anew: a format that cannot read them gets a new version,
// and a test that they start cold with a reason.
//
// A new format's: KVC_WRITE_GOLDEN=DIR kvc_unit_tests --gtest_filter=DiskGoldenTest.*
// Of the sealed ones, "sealed" is of a processor with AES and opens on such alone; "sealed_portable" is of one without.
#include <cstdlib>

#include "disk_fixture.h"
#include "tier/disk/cipher.h"

namespace kvc {
namespace {

using disk_test::get;
using disk_test::open_store;
using disk_test::TemporaryDirectory;
using disk_test::TestPage;

const std::vector<TestPage>& golden_pages() {
  static const std::vector<TestPage> pages = [] {
    std::vector<TestPage> out;
    out.emplace_back(1, 1000, 5, true);    // raw
    out.emplace_back(2, 9000, 64, false);  // compressed
    out.emplace_back(3, 4096, 0, true);    // raw, in whole blocks
    return out;
  }();
  return pages;
}

// Pages of numbers, compressed as their dtype asks for.
PageGeometry number_geometry(DType dtype) {
  return {.n_layers = 2, .n_kv_heads = 2, .k_dim = 16, .v_dim = 8, .page_tokens = 24, .dtype = dtype};
}
constexpr DType kNumbers[] = {DType::f16, DType::bf16, DType::f32};
TestPage number_page(DType dtype) {
  return TestPage(10 + static_cast<uint64_t>(dtype), number_geometry(dtype).page_bytes(), 24, false);
}

StoreOptions golden_options(const std::string& directory, std::span<const std::byte> key) {
  StoreOptions options;
  options.directory = directory;
  options.budget = StoreOptions::kMinBudget;
  options.segment_bytes = 32 << 10;
  options.io = StoreOptions::Io::sync;
  options.direct = StoreOptions::Direct::off;
  options.key = key;
  return options;
}

void write_golden(const std::string& directory, std::span<const std::byte> key) {
  auto store = open_store(golden_options(directory, key));
  for (const TestPage& page : golden_pages()) {
    PutPage put = page.put();
    put.groups = page.payload.size() % 4 == 0 ? 4 : 1;
    ASSERT_TRUE(store->put(put).is_ok());
  }
  ASSERT_TRUE(store->put_blob("settings", std::as_bytes(std::span("golden", 6))).is_ok());
  if (!key.empty()) return;
  std::vector<PageId> ids;
  for (const TestPage& page : golden_pages()) ids.push_back(page.id);
  const std::string blobs[] = {"settings"};
  ASSERT_TRUE(store->write_pack(directory + ".pack", ids, blobs, nullptr).is_ok());
}

void write_numbers(const std::string& directory) {
  auto store = open_store(golden_options(directory, {}));
  for (const DType dtype : kNumbers) {
    const TestPage page = number_page(dtype);
    const PageGeometry geometry = number_geometry(dtype);
    PutPage put = page.put();
    put.geometry = &geometry;
    ASSERT_TRUE(store->put(put).is_ok());
  }
  EXPECT_LT(store->stats().stored_bytes, store->stats().payload_bytes);
}

const std::vector<std::byte>& golden_key() {
  static const std::vector<std::byte> key(32, std::byte{0x21});
  return key;
}

void open_golden(const std::string& name) {
  const TemporaryDirectory directory;
  std::filesystem::copy(std::string(KVC_TEST_DATA_DIR) + "/disk_golden_1/" + name, directory.path(),
                        std::filesystem::copy_options::recursive);
  for (const bool read_only : {true, false}) {
    StoreOptions options = golden_options(directory.path(), {});
    if (name != "plain") options.key = golden_key();
    options.read_only = read_only;
    auto store = open_store(options);
    ASSERT_TRUE(store);
    EXPECT_EQ(store->stats().cold_reason, "");
    EXPECT_EQ(store->stats().pages, golden_pages().size());
    for (const TestPage& page : golden_pages()) EXPECT_EQ(get(*store, page), DiskMiss::none);
    std::vector<std::byte> value;
    ASSERT_TRUE(store->get_blob("settings", &value).is_ok());
    EXPECT_EQ(std::memcmp(value.data(), "golden", 6), 0);
  }
}

TEST(DiskGoldenTest, StoresOfFormat1OpenAndHit) {
  if (const char* target = std::getenv("KVC_WRITE_GOLDEN")) {
    write_golden(std::string(target) + "/plain", {});
    write_golden(std::string(target) + (disk::aes_available() ? "/sealed" : "/sealed_portable"), golden_key());
    GTEST_SKIP() << "written";
  }
  open_golden("plain");
  open_golden("sealed_portable");
  std::unique_ptr<DiskStore> pack;
  const std::string path = std::string(KVC_TEST_DATA_DIR) + "/disk_golden_1/plain.pack";
  ASSERT_TRUE(DiskStore::open_pack({}, path, &pack).is_ok());
  for (const TestPage& page : golden_pages()) EXPECT_EQ(get(*pack, page), DiskMiss::none);
}

TEST(DiskGoldenTest, PlanesOfNumbersAreRead) {
  if (const char* target = std::getenv("KVC_WRITE_GOLDEN")) {
    write_numbers(std::string(target) + "/planes");
    GTEST_SKIP() << "written";
  }
  StoreOptions options = golden_options(std::string(KVC_TEST_DATA_DIR) + "/disk_golden_1/planes", {});
  options.read_only = true;
  auto store = open_store(options);
  for (const DType dtype : kNumbers) EXPECT_EQ(get(*store, number_page(dtype)), DiskMiss::none);
}

TEST(DiskGoldenTest, StoresOfFormat1ThatAreSealedWithAesOpenAndHit) {
  if (!disk::aes_available()) {
    GTEST_SKIP() << "SKIPPED: this processor has no AES instructions; it cannot read what one with them has sealed";
  }
  open_golden("sealed");
}

}  // namespace
}  // namespace kvc

// Plain tensors on disk, through the public interface: what was put or removed last counts, as in memory.
#include <gtest/gtest.h>

#include "persist_support.h"
#include "plain_tensor.h"

namespace kvc_test {
namespace {

class PersistTensorTest : public PersistTest {
 protected:
  static std::vector<float> numbers(size_t n, int seed) {
    std::vector<float> all(n);
    for (size_t i = 0; i < n; ++i) all[i] = static_cast<float>((i * 31 + static_cast<size_t>(seed) * 1009) % 4099);
    return all;
  }
  static kvc_tensor_t in_rows(std::vector<float>* data) {
    return plain_tensor(*data, {3, static_cast<int64_t>(data->size()) / 3});
  }
  static void put(const Engine& engine, const std::string& key, int seed, size_t n = 600,
                  const char* tenant = nullptr) {
    auto data = numbers(n, seed);
    const kvc_tensor_t t = in_rows(&data);
    ASSERT_STATUS(KVC_OK, kvc_put(engine, tenant, key.data(), key.size(), &t), engine);
  }
  // The seed of what is stored under the key, -1: nothing, -2: something else.
  static int get(const Engine& engine, const std::string& key, int most = 8, size_t n = 600,
                 const char* tenant = nullptr) {
    std::vector<float> data(n);
    kvc_tensor_t t = in_rows(&data);
    int32_t found = 0, contained = 0;
    EXPECT_EQ(KVC_OK, kvc_contains(engine, tenant, key.data(), key.size(), &contained));
    EXPECT_STATUS(KVC_OK, kvc_get(engine, tenant, key.data(), key.size(), &t, &found), engine);
    EXPECT_EQ(contained, found) << key;
    if (found == 0) return -1;
    for (int seed = 0; seed < most; ++seed) {
      if (data == numbers(n, seed)) return seed;
    }
    return -2;
  }
  static bool remove(const Engine& engine, const std::string& key) {
    int32_t removed = 0;
    EXPECT_STATUS(KVC_OK, kvc_remove(engine, nullptr, key.data(), key.size(), &removed), engine);
    return removed != 0;
  }
};

TEST_F(PersistTensorTest, TensorsSurviveARestartAsTheyWereLeft) {
  for (const char* key : {"", "a key"}) {
    const Options set = options({{"disk_key", key}, {"disk_path", directory_.at(std::string("store") + key)}});
    {
      const Engine engine(set);
      put(engine, "a", 1);
      put(engine, "b", 2);
      put(engine, "c", 3);
      put(engine, "a", 4);  // maybe before the first was written, maybe after
      ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
      put(engine, "b", 5);
      EXPECT_TRUE(remove(engine, "c"));
      put(engine, "a", 6, 600, "someone else");
    }
    const Engine engine(set);
    EXPECT_EQ(4, get(engine, "a"));
    EXPECT_EQ(5, get(engine, "b"));
    EXPECT_EQ(-1, get(engine, "c"));
    EXPECT_EQ(6, get(engine, "a", 8, 600, "someone else"));
    EXPECT_EQ(-1, get(engine, "b", 8, 600, "someone else"));
    EXPECT_FALSE(remove(engine, "c"));
    EXPECT_TRUE(remove(engine, "b"));
    EXPECT_EQ(-1, get(engine, "b"));
    ASSERT_STATUS(KVC_OK, kvc_tenant_purge(engine, "someone else", nullptr), engine);
    EXPECT_EQ(-1, get(engine, "a", 8, 600, "someone else"));
    EXPECT_EQ(4, get(engine, "a"));
    ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
    kvc_store_report_t report{};
    report.struct_size = sizeof report;
    ASSERT_EQ(KVC_OK, kvc_store_inspect(set.at("disk_path").c_str(), key, &report, nullptr));
    EXPECT_GE(report.tensors, 1u);  // by the tables, in which removed ones may still be
    EXPECT_EQ(0u, report.pages + report.clues + report.calibrations);
  }
}

TEST_F(PersistTensorTest, EvictedTensorsComeBackAndMoreThanMemoryIsKept) {
  const Engine engine(options({{"memory", "1MiB"}}));
  constexpr size_t kNumbers = 15'000;  // 60 kB: 64 of them are 4 MB
  for (int i = 0; i < 64; ++i) {
    put(engine, "key " + std::to_string(i), i, kNumbers);
    // An eighth of the memory waits for the disk at most: two of them.
    if (i % 2 == 1) ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
  }
  int kept = 0;
  for (int i = 0; i < 64; ++i) {
    const int seed = get(engine, "key " + std::to_string(i), 64, kNumbers);
    EXPECT_TRUE(seed == i || seed == -1) << i << ": " << seed;
    kept += seed == i;
  }
  EXPECT_EQ(64, kept) << "memory alone holds about 14";
  EXPECT_LE(engine.stats().memory_peak, uint64_t{1} << 20);
}

TEST_F(PersistTensorTest, RandomPutsRemovesAndEvictionsNeverShowAnOldValue) {
  const Options set = options({{"memory", "512KiB"}});
  auto engine = std::make_unique<Engine>(set);
  std::map<std::string, int> truth;
  uint64_t from_disk = 0;
  for (int step = 0; step < 3000; ++step) {
    const std::string key = std::to_string(random_() % 24);
    const int seed = static_cast<int>(random_() % 8);
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        put(*engine, key, seed, 3000);
        truth[key] = seed;
        break;
      case 3:
        remove(*engine, key);
        truth[key] = -1;
        break;
      case 4:
        if (step % 5 == 0) {
          ASSERT_EQ(KVC_OK, kvc_trim(*engine, 0, nullptr));
        }
        break;
      case 5:
        if (step % 40 == 0) {
          from_disk += engine->stats().disk_hits;
          engine.reset();
          engine = std::make_unique<Engine>(set);
        }
        break;
      default: {
        const int got = get(*engine, key, 8, 3000);
        const auto it = truth.find(key);
        ASSERT_TRUE(got == -1 || (it != truth.end() && got == it->second)) << key << " at " << step << ": " << got;
      }
    }
  }
  EXPECT_GT(from_disk + engine->stats().disk_hits, 10u);
}

TEST_F(PersistTensorTest, CopiesBringTensorsUntilTheyAreReplacedOrRemoved) {
  {
    const Engine engine(Options{{"secret", "s"}});
    put(engine, "a", 1);
    put(engine, "b", 2);
    put(engine, "c", 3);
    ASSERT_STATUS(KVC_OK, kvc_persist_to(engine, nullptr, directory_.at("copy").c_str(), nullptr), engine);
  }
  const Engine engine(Options{{"secret", "s"}});
  ASSERT_STATUS(KVC_OK, kvc_load(engine, directory_.at("copy").c_str(), nullptr), engine);
  EXPECT_EQ(1, get(engine, "a"));
  put(engine, "b", 4);
  EXPECT_TRUE(remove(engine, "c"));
  ASSERT_EQ(KVC_OK, kvc_trim(engine, 0, nullptr));
  EXPECT_EQ(1, get(engine, "a"));
  EXPECT_EQ(-1, get(engine, "b")) << "not the value before";
  EXPECT_EQ(-1, get(engine, "c"));
  const Engine other(Options{{"secret", "another"}});
  ASSERT_STATUS(KVC_OK, kvc_load(other, directory_.at("copy").c_str(), nullptr), other);
  EXPECT_EQ(-1, get(other, "a"));
}

}  // namespace
}  // namespace kvc_test

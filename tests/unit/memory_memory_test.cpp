#include "memory/memory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/random.h"

namespace kvc {
namespace {

// An allocator of the caller that checks what it is told, and refuses on request.
struct CheckedAllocator {
  struct Block {
    size_t size, alignment;
  };
  std::mutex mutex;
  std::map<void*, Block> blocks;
  uint64_t bytes = 0;
  uint64_t most_bytes = 0;
  int calls = 0;
  int refuse_from = -1;  // the number of the first call that is refused
  int refusals = 0;      // how many are, from there on

  kvc_allocator_t table() {
    kvc_allocator_t t{};
    t.struct_size = sizeof t;
    t.user_data = this;
    t.allocate = [](void* user_data, size_t size, size_t alignment) {
      return static_cast<CheckedAllocator*>(user_data)->allocate(size, alignment);
    };
    t.release = [](void* user_data, void* pointer, size_t size, size_t alignment) {
      static_cast<CheckedAllocator*>(user_data)->release(pointer, size, alignment);
    };
    return t;
  }

  void* allocate(size_t size, size_t alignment) {
    std::lock_guard lock(mutex);
    const int call = calls++;
    if (refuse_from >= 0 && call >= refuse_from && call < refuse_from + refusals) return nullptr;
    void* p = std::aligned_alloc(alignment < 8 ? 8 : alignment, (size + 63) / 64 * 64);
    blocks[p] = {size, alignment};
    bytes += size;
    most_bytes = std::max(most_bytes, bytes);
    return p;
  }

  void release(void* pointer, size_t size, size_t alignment) {
    std::lock_guard lock(mutex);
    const auto it = blocks.find(pointer);
    ASSERT_NE(it, blocks.end());
    EXPECT_EQ(it->second.size, size);
    EXPECT_EQ(it->second.alignment, alignment);
    blocks.erase(it);
    bytes -= size;
    std::free(pointer);
  }
};

constexpr MemoryUse kPayload = MemoryUse::payload;
constexpr MemoryUse kMetadata = MemoryUse::metadata;
constexpr MemoryUse kPooled = MemoryUse::pooled;

TEST(MemoryTest, CountsByUse) {
  Memory memory(nullptr, 1000);
  void* a = memory.allocate(100, 64, kPayload);
  void* b = memory.allocate(30, 8, kMetadata);
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  std::memset(a, 1, 100);
  EXPECT_EQ(memory.limit(), 1000u);
  EXPECT_EQ(memory.used(), 130u);
  EXPECT_EQ(memory.used(kPayload), 100u);
  EXPECT_EQ(memory.used(kMetadata), 30u);
  memory.recount(100, kPayload, kPooled);
  EXPECT_EQ(memory.used(kPayload), 0u);
  EXPECT_EQ(memory.used(kPooled), 100u);
  EXPECT_EQ(memory.used(), 130u);
  memory.release(a, 100, 64, kPooled);
  memory.release(b, 30, 8, kMetadata);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(memory.used(kPooled), 0u);
  EXPECT_EQ(memory.peak(), 130u);
}

TEST(MemoryTest, LimitIsExact) {
  Memory memory(nullptr, 100);
  void* a = memory.allocate(60, 8, kPayload);
  EXPECT_EQ(memory.allocate(41, 8, kPayload), nullptr);
  EXPECT_EQ(memory.used(), 60u);
  void* b = memory.allocate(40, 8, kPayload);
  EXPECT_NE(b, nullptr);
  EXPECT_EQ(memory.allocate(1, 8, kPayload), nullptr);
  memory.release(a, 60, 8, kPayload);
  memory.release(b, 40, 8, kPayload);
  EXPECT_EQ(memory.used(), 0u);
}

TEST(MemoryTest, ZeroBytesAreSafe) {
  CheckedAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  Memory memory(&table, 100);
  void* a = memory.allocate(0, 8, kMetadata);
  void* b = memory.allocate(0, 8, kMetadata);
  EXPECT_NE(a, nullptr);
  EXPECT_NE(a, b);
  memory.release(a, 0, 8, kMetadata);
  memory.release(b, 0, 8, kMetadata);
  memory.release(nullptr, 10, 8, kMetadata);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(memory.used(kMetadata), 0u);
  EXPECT_TRUE(allocator.blocks.empty());
}

TEST(MemoryTest, HugeSizesAreRefused) {
  Memory memory(nullptr, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(memory.allocate(std::numeric_limits<size_t>::max() / 2, 64, kPayload), nullptr);
  EXPECT_EQ(memory.used(), 0u);
  void* a = memory.allocate(10, 8, kPayload);
  EXPECT_EQ(memory.allocate(std::numeric_limits<size_t>::max(), 8, kPayload), nullptr);
  EXPECT_EQ(memory.used(), 10u);
  memory.release(a, 10, 8, kPayload);
}

TEST(MemoryTest, AlignsAsAsked) {
  Memory memory(nullptr, 1 << 24);
  for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    for (const size_t size : {size_t{1}, size_t{63}, size_t{1000}, size_t{1} << 20}) {
      void* p = memory.allocate(size, alignment, kPayload);
      ASSERT_NE(p, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignment, 0u) << size;
      memory.release(p, size, alignment, kPayload);
    }
  }
}

TEST(MemoryTest, UsesTheCallersAllocatorAlone) {
  CheckedAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  Memory memory(&table, 1000);
  void* a = memory.allocate(100, 64, kPayload);
  EXPECT_EQ(allocator.blocks.count(a), 1u);
  EXPECT_EQ(allocator.bytes, 100u);
  memory.release(a, 100, 64, kPayload);
  EXPECT_EQ(allocator.bytes, 0u);
}

TEST(MemoryTest, ARefusalGivesTheRoomBack) {
  CheckedAllocator allocator;
  allocator.refuse_from = 0;
  allocator.refusals = 1;
  const kvc_allocator_t table = allocator.table();
  Memory memory(&table, 100);
  EXPECT_EQ(memory.allocate(100, 8, kPayload), nullptr);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(memory.used(kPayload), 0u);
  EXPECT_EQ(memory.peak(), 0u);
  void* p = memory.allocate(100, 8, kPayload);
  EXPECT_NE(p, nullptr);
  memory.release(p, 100, 8, kPayload);
}

// Something that can be freed on request: blocks of 10 bytes.
struct Reclaimer {
  explicit Reclaimer(Memory* m) : memory(m) {
    memory->set_reclaim(
        [](void* context, size_t bytes) noexcept { return static_cast<Reclaimer*>(context)->reclaim(bytes); }, this);
  }
  ~Reclaimer() {
    while (!blocks.empty()) free_one();
  }
  void fill(size_t n) {
    while (n-- > 0) blocks.push_back(memory->allocate(10, 8, kPayload));
  }
  void free_one() {
    memory->release(blocks.back(), 10, 8, kPayload);
    blocks.pop_back();
  }
  bool reclaim(size_t bytes) {
    asked.push_back(bytes);
    bool any = false;
    for (size_t freed = 0; freed < bytes && !blocks.empty() && freed < most_at_once; freed += 10, any = true)
      free_one();
    return any || lies;
  }
  Memory* memory;
  std::vector<void*> blocks;
  std::vector<size_t> asked;
  size_t most_at_once = std::numeric_limits<size_t>::max();
  bool lies = false;
};

TEST(MemoryReclaimTest, IsAskedForWhatIsMissing) {
  Memory memory(nullptr, 100);
  Reclaimer reclaimer(&memory);
  reclaimer.fill(8);
  void* p = memory.allocate(55, 8, kPayload);
  EXPECT_NE(p, nullptr);
  EXPECT_EQ(reclaimer.asked, std::vector<size_t>{35});
  EXPECT_EQ(reclaimer.blocks.size(), 4u);
  memory.release(p, 55, 8, kPayload);
}

TEST(MemoryReclaimTest, IsAskedAgainWhenItFreedTooLittle) {
  Memory memory(nullptr, 100);
  Reclaimer reclaimer(&memory);
  reclaimer.most_at_once = 10;
  reclaimer.fill(10);
  void* p = memory.allocate(30, 8, kPayload);
  EXPECT_NE(p, nullptr);
  EXPECT_EQ(reclaimer.asked, (std::vector<size_t>{30, 20, 10}));
  memory.release(p, 30, 8, kPayload);
}

TEST(MemoryReclaimTest, IsNotAskedForTheImpossible) {
  Memory memory(nullptr, 100);
  Reclaimer reclaimer(&memory);
  reclaimer.fill(10);
  EXPECT_EQ(memory.allocate(101, 8, kPayload), nullptr);
  EXPECT_TRUE(reclaimer.asked.empty());
  EXPECT_EQ(reclaimer.blocks.size(), 10u);
}

TEST(MemoryReclaimTest, IsNotAskedWhenItMustNotBe) {
  Memory memory(nullptr, 100);
  Reclaimer reclaimer(&memory);
  reclaimer.fill(10);
  EXPECT_EQ(memory.allocate(10, 8, kPayload, /*may_reclaim=*/false), nullptr);
  EXPECT_TRUE(reclaimer.asked.empty());
}

TEST(MemoryReclaimTest, EndsWhenNothingComesOfIt) {
  Memory memory(nullptr, 100);
  Reclaimer reclaimer(&memory);
  void* all = memory.allocate(100, 8, kPayload);
  EXPECT_EQ(memory.allocate(10, 8, kPayload), nullptr);
  EXPECT_EQ(reclaimer.asked.size(), 1u);
  reclaimer.lies = true;  // says that it freed something, for ever
  EXPECT_EQ(memory.allocate(10, 8, kPayload), nullptr);
  EXPECT_LT(reclaimer.asked.size(), 100u);
  memory.release(all, 100, 8, kPayload);
}

TEST(MemoryReclaimTest, IsAskedForAllWhenTheAllocatorRefuses) {
  CheckedAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  Memory memory(&table, 1000);
  Reclaimer reclaimer(&memory);
  reclaimer.fill(10);
  allocator.refuse_from = 10;
  allocator.refusals = 1;
  void* p = memory.allocate(40, 8, kPayload);
  EXPECT_NE(p, nullptr);
  EXPECT_EQ(reclaimer.asked, std::vector<size_t>{40});
  memory.release(p, 40, 8, kPayload);
}

TEST(MemoryThreadsTest, NeverExceedsTheLimit) {
  constexpr uint64_t kLimit = 10'000;
  CheckedAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  Memory memory(&table, kLimit);
  std::vector<std::thread> threads;
  std::atomic<int> refused{0};
  std::atomic<bool> exceeded{false};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      Random random(seed);
      std::vector<std::pair<void*, size_t>> mine;
      for (int i = 0; i < 3000; ++i) {
        if (random.next() % 2 == 0 || mine.empty()) {
          const size_t size = 1 + random.next() % 1000;
          void* p = memory.allocate(size, 16, MemoryUse::payload);
          if (p != nullptr) {
            mine.emplace_back(p, size);
          } else {
            refused.fetch_add(1);
          }
        } else {
          memory.release(mine.back().first, mine.back().second, 16, MemoryUse::payload);
          mine.pop_back();
        }
        if (memory.used() > kLimit) exceeded = true;
      }
      for (const auto& [p, size] : mine) memory.release(p, size, 16, MemoryUse::payload);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_LE(allocator.most_bytes, kLimit);
  EXPECT_LE(memory.peak(), kLimit);
  EXPECT_GE(memory.peak(), allocator.most_bytes);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(memory.used(MemoryUse::payload), 0u);
  EXPECT_TRUE(allocator.blocks.empty());
}

TEST(CountedAllocatorTest, ContainersCountAsMetadata) {
  Memory memory(nullptr, 10'000);
  {
    std::vector<uint64_t, CountedAllocator<uint64_t>> numbers{CountedAllocator<uint64_t>(&memory)};
    numbers.resize(100);
    EXPECT_EQ(memory.used(kMetadata), 800u);
    EXPECT_THROW(numbers.resize(1200), std::bad_alloc);
    EXPECT_EQ(numbers.size(), 100u);
    EXPECT_EQ(memory.used(), 800u);
    CountedAllocator<uint64_t> allocator(&memory);
    EXPECT_THROW((void)allocator.allocate(std::numeric_limits<size_t>::max() / 4), std::bad_alloc);
    EXPECT_TRUE(allocator == CountedAllocator<char>(&memory));
    using Map = std::map<int, int, std::less<>, CountedAllocator<std::pair<const int, int>>>;
    Map map{CountedAllocator<std::pair<const int, int>>(&memory)};
    map[1] = 2;
    EXPECT_GT(memory.used(kMetadata), 800u);
  }
  EXPECT_EQ(memory.used(), 0u);
}

}  // namespace
}  // namespace kvc

// What src/tier/tier.h promises, as tests over every tier: included by a test file that instantiates them.
//
// The disk store is a ring: it never says that it is full, it forgets its oldest pages. That is its one difference, and
// every test says what it means there: a page that was forgotten is no answer, never another one.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tier/tier.h"

namespace kvc {

// A tier with everything that it stands on.
struct Place {
  virtual ~Place() = default;
  virtual Tier& tier() = 0;
  virtual uint64_t used() const = 0;  // bytes that count against the limit
  virtual uint64_t limit() const = 0;
};

struct TierCase {
  const char* name;
  int32_t kind;
  bool forgets;
  std::function<std::unique_ptr<Place>(uint64_t limit)> make;
};

class TierContractTest : public testing::TestWithParam<TierCase> {
 protected:
  static constexpr uint64_t kLimit = 1 << 20;

  void SetUp() override {
    place_ = GetParam().make(kLimit);
    tier_ = &place_->tier();
  }

  static std::vector<std::byte> bytes(size_t n, uint64_t seed) {
    Random random(seed);
    std::vector<std::byte> out(n);
    for (auto& byte : out) byte = static_cast<std::byte>(random.next());
    return out;
  }

  Status write(Slot slot, std::span<const std::byte> payload) {
    PageRecord record;
    record.codec = 1;
    record.tokens = tokens_;
    record.payload = payload;
    return tier_->write(slot, record);
  }

  Slot store(std::span<const std::byte> payload) {
    Slot slot;
    const Status reserved = tier_->reserve(payload.size(), &slot);
    EXPECT_TRUE(reserved.is_ok()) << reserved.message();
    const Status written = write(slot, payload);
    EXPECT_TRUE(written.is_ok()) << written.message();
    return slot;
  }

  // A tier that forgets has the newest, and nothing wrong.
  void overflow() {
    constexpr size_t kBytes = 10'000;
    std::vector<Slot> slots;
    for (size_t i = 0; i < 2 * place_->limit() / kBytes; ++i) {
      slots.push_back(store(bytes(kBytes, i)));
      ASSERT_LE(place_->used(), place_->limit());
    }
    size_t found = 0;
    std::vector<std::byte> out(kBytes);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (!tier_->read(slots[i], out).is_ok()) continue;
      ++found;
      ASSERT_EQ(out, bytes(kBytes, i)) << i;
    }
    EXPECT_EQ(found, tier_->stats().pages);
    EXPECT_GT(found, slots.size() / 8);
    EXPECT_LT(found, slots.size());
    for (size_t i = slots.size() - slots.size() / 10; i < slots.size(); ++i) {
      EXPECT_TRUE(tier_->read(slots[i], out).is_ok()) << "of the newest, " << i;
    }
    for (const Slot slot : slots) tier_->release(slot);
    EXPECT_EQ(tier_->stats().pages, 0u);
    tier_->release(store(bytes(kLimit / 10 * 9, 9)));
  }

  // Any other says that it is full, and keeps serving.
  void fill() {
    constexpr size_t kBytes = 10'000;
    std::vector<Slot> slots;
    Status status;
    for (;;) {
      Slot slot;
      status = tier_->reserve(kBytes, &slot);
      if (!status.is_ok()) {
        EXPECT_FALSE(slot);
        break;
      }
      ASSERT_TRUE(write(slot, bytes(kBytes, slots.size())).is_ok());
      slots.push_back(slot);
      ASSERT_LE(place_->used(), place_->limit());
      ASSERT_LT(slots.size(), 1000u);
    }
    EXPECT_EQ(status.code(), KVC_E_NO_MEMORY);
    EXPECT_NE(status.message().find("10000"), std::string::npos) << status.message();
    EXPECT_GE(slots.size(), kLimit / kBytes * 9 / 10);
    const uint64_t used = place_->used();
    for (int i = 0; i < 5; ++i) {
      Slot slot;
      EXPECT_EQ(tier_->reserve(kBytes, &slot).code(), KVC_E_NO_MEMORY);
    }
    EXPECT_EQ(place_->used(), used) << "refusals cost room";
    std::vector<std::byte> out(kBytes);
    for (size_t i = 0; i < slots.size(); ++i) {
      ASSERT_TRUE(tier_->read(slots[i], out).is_ok());
      EXPECT_EQ(out, bytes(kBytes, i));
    }
    // The room of one that leaves is room for the next, of another size too.
    tier_->release(slots.back());
    slots.back() = store(bytes(kBytes - 100, 1));
    tier_->release(slots.back());
    slots.pop_back();
    for (const Slot slot : slots) tier_->release(slot);
    const auto large = bytes(kLimit / 10 * 9, 9);
    tier_->release(store(large));
  }

  const std::vector<int32_t> tokens_ = {1, 2, 3};
  std::unique_ptr<Place> place_;
  Tier* tier_ = nullptr;
};

TEST_P(TierContractTest, SaysWhatItIs) {
  EXPECT_EQ(tier_->name(), GetParam().name);
  EXPECT_EQ(tier_->kind(), GetParam().kind);
}

TEST_P(TierContractTest, ReadsBackWhatWasWritten) {
  std::vector<std::pair<Slot, std::vector<std::byte>>> stored;
  for (const size_t n : {size_t{1}, size_t{63}, size_t{64}, size_t{4096}, size_t{100'001}}) {
    auto payload = bytes(n, n);
    stored.emplace_back(store(payload), payload);
  }
  for (const auto& [slot, payload] : stored) {
    std::vector<std::byte> out(payload.size());
    ASSERT_TRUE(tier_->read(slot, out).is_ok());
    EXPECT_EQ(out, payload);
    const std::byte* mapped = tier_->map(slot);
    EXPECT_TRUE(mapped == nullptr || std::memcmp(mapped, payload.data(), payload.size()) == 0);
  }
  EXPECT_EQ(tier_->stats().pages, 5u);
  EXPECT_EQ(tier_->stats().bytes, 1u + 63 + 64 + 4096 + 100'001);
  for (const auto& [slot, payload] : stored) tier_->release(slot);
  EXPECT_EQ(tier_->stats().pages, 0u);
  EXPECT_EQ(tier_->stats().bytes, 0u);
}

TEST_P(TierContractTest, SlotsAreDistinctAndNeverNone) {
  const auto payload = bytes(1000, 1);
  const Slot a = store(payload), b = store(payload);
  EXPECT_TRUE(a);
  EXPECT_TRUE(b);
  EXPECT_NE(a.value, b.value);
  tier_->release(a);
  tier_->release(b);
}

TEST_P(TierContractTest, WrongSizesAreRefused) {
  Slot slot;
  EXPECT_EQ(tier_->reserve(0, &slot).code(), KVC_E_INVALID);
  EXPECT_FALSE(slot);
  const auto payload = bytes(1000, 1);
  slot = store(payload);
  EXPECT_EQ(write(slot, std::span(payload).first(999)).code(), KVC_E_INVALID);
  std::vector<std::byte> out(1001);
  EXPECT_EQ(tier_->read(slot, out).code(), KVC_E_INVALID);
  EXPECT_EQ(tier_->read(slot, std::span(out).first(999)).code(), KVC_E_INVALID);
  EXPECT_TRUE(tier_->read(slot, std::span(out).first(1000)).is_ok());
  tier_->release(slot);
}

TEST_P(TierContractTest, NoSlotIsHarmless) {
  std::vector<std::byte> out(10);
  EXPECT_EQ(tier_->read(Slot{}, out).code(), KVC_E_INVALID);
  EXPECT_EQ(write(Slot{}, out).code(), KVC_E_INVALID);
  EXPECT_EQ(tier_->map(Slot{}), nullptr);
  tier_->release(Slot{});
  EXPECT_EQ(tier_->stats().pages, 0u);
}

TEST_P(TierContractTest, WritingInPlaceIsAllowed) {
  const auto payload = bytes(5000, 3);
  Slot slot;
  ASSERT_TRUE(tier_->reserve(payload.size(), &slot).is_ok());
  std::byte* mapped = tier_->map(slot);
  EXPECT_EQ(mapped == nullptr, GetParam().kind != KVC_TIER_HOST);
  if (mapped != nullptr) std::memcpy(mapped, payload.data(), payload.size());
  ASSERT_TRUE(write(slot, {mapped != nullptr ? mapped : payload.data(), payload.size()}).is_ok());
  std::vector<std::byte> out(payload.size());
  ASSERT_TRUE(tier_->read(slot, out).is_ok());
  EXPECT_EQ(out, payload);
  tier_->release(slot);
}

TEST_P(TierContractTest, AFullTierKeepsServing) {
  if (GetParam().forgets) {
    overflow();
  } else {
    fill();
  }
}

TEST_P(TierContractTest, EndsWithNothingInUse) {
  Random random(11);
  std::vector<std::pair<Slot, uint64_t>> live;
  for (int step = 0; step < 500; ++step) {
    if (random.next() % 2 == 0 && live.size() < 30) {
      live.emplace_back(store(bytes(1000 + random.next() % 3 * 1000, step)), step);
    } else if (!live.empty()) {
      const size_t i = random.next() % live.size();
      tier_->release(live[i].first);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
    }
    EXPECT_EQ(tier_->stats().pages, live.size());
    EXPECT_LE(place_->used(), place_->limit());
  }
  for (const auto& [slot, seed] : live) tier_->release(slot);
  EXPECT_EQ(tier_->stats().pages, 0u);
  EXPECT_EQ(tier_->stats().bytes, 0u);
}

TEST_P(TierContractTest, ManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  std::atomic<int> full{0};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      Random random(seed);
      struct Mine {
        Slot slot;
        std::vector<std::byte> payload;
      };
      std::vector<Mine> mine;
      for (int step = 0; step < 400; ++step) {
        if (random.next() % 3 != 0) {
          Slot slot;
          const size_t n = 4096 << random.next() % 4;
          const Status status = tier_->reserve(n, &slot);
          if (status.is_ok()) {
            mine.push_back({slot, bytes(n, seed * 1000 + static_cast<uint64_t>(step))});
            if (!write(slot, mine.back().payload).is_ok()) ++wrong;
          } else {
            if (status.code() != KVC_E_NO_MEMORY) ++wrong;
            ++full;
          }
        } else if (!mine.empty()) {
          std::vector<std::byte> out(mine.back().payload.size());
          const bool read = tier_->read(mine.back().slot, out).is_ok();
          if (read ? out != mine.back().payload : !GetParam().forgets) ++wrong;
          tier_->release(mine.back().slot);
          mine.pop_back();
        }
        if (place_->used() > place_->limit()) ++wrong;
      }
      for (const Mine& one : mine) tier_->release(one.slot);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(full > 0, !GetParam().forgets);
  EXPECT_EQ(tier_->stats().pages, 0u);
  EXPECT_EQ(tier_->stats().bytes, 0u);
}

}  // namespace kvc

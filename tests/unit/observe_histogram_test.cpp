#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"
#include "observe/metrics.h"

namespace kvc {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

TEST(CounterTest, AddsFromManyThreads) {
  Counter counter;
  counter.add(5);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counter] {
      for (int i = 0; i < 10'000; ++i) counter.add();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.get(), 40'005u);
}

TEST(HistogramTest, EmptyIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.mean(), 0u);
  EXPECT_EQ(histogram.quantile(0.5), 0u);
}

TEST(HistogramTest, SmallValuesAreExact) {
  for (uint64_t value = 0; value < 128; ++value) {
    Histogram histogram;
    histogram.record(value);
    EXPECT_EQ(histogram.quantile(0), value);
    EXPECT_EQ(histogram.quantile(1), value);
    EXPECT_EQ(histogram.mean(), value);
  }
}

TEST(HistogramTest, ErrorIsBelowOneInSixtyFour) {
  Random random(1);
  std::vector<uint64_t> values = {127, 128, 129, 4095, 4096, kMax - 1, kMax, uint64_t{1} << 63};
  for (int i = 0; i < 64; ++i) {
    for (const uint64_t around : {-1, 0, 1}) values.push_back((uint64_t{1} << i) + around);
  }
  for (int i = 0; i < 5000; ++i) values.push_back(random.next() >> random.next() % 64);
  auto histogram = std::make_unique<Histogram>();
  for (const uint64_t value : values) {
    histogram = std::make_unique<Histogram>();
    histogram->record(value);
    const uint64_t answer = histogram->quantile(0.5);
    EXPECT_GE(answer, value);
    EXPECT_LE(answer - value, value / 64) << value;
  }
}

TEST(HistogramTest, QuantilesOfKnownValues) {
  Histogram histogram;
  std::vector<uint64_t> values;
  Random random(2);
  uint64_t sum = 0;
  for (int i = 0; i < 10'001; ++i) {
    values.push_back(static_cast<uint64_t>(std::exp(random.unit() * 20)));
    sum += values.back();
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(histogram.count(), values.size());
  EXPECT_EQ(histogram.mean(), sum / values.size());
  for (const double q : {0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0}) {
    const auto rank = std::max<size_t>(1, static_cast<size_t>(std::ceil(q * static_cast<double>(values.size()))));
    const uint64_t exact = values[rank - 1];
    EXPECT_GE(histogram.quantile(q), exact) << q;
    EXPECT_LE(histogram.quantile(q), exact + exact / 64) << q;
  }
}

TEST(HistogramTest, QuantileBoundsAreForgiving) {
  Histogram histogram;
  histogram.record(10);
  histogram.record(20);
  EXPECT_EQ(histogram.quantile(-1), 10u);
  EXPECT_EQ(histogram.quantile(0.5), 10u);
  EXPECT_EQ(histogram.quantile(0.51), 20u);
  EXPECT_EQ(histogram.quantile(2), 20u);
  EXPECT_EQ(histogram.quantile(std::nan("")), 10u);
}

TEST(HistogramTest, NothingIsLostBetweenThreads) {
  Histogram histogram;
  std::vector<std::thread> threads;
  for (uint64_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&histogram, t] {
      for (int i = 0; i < 10'000; ++i) histogram.record(t * 1000);
    });
  }
  for (int i = 0; i < 100; ++i) {  // reading at the same time
    const uint64_t median = histogram.quantile(0.5);
    EXPECT_LE(median, 4000u + 4000 / 64);
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(histogram.count(), 40'000u);
  EXPECT_EQ(histogram.mean(), 2500u);
  EXPECT_GE(histogram.quantile(0.25), 1000u);
  EXPECT_LE(histogram.quantile(0.25), 1000u + 1000 / 64);
  EXPECT_GE(histogram.quantile(0.26), 2000u);
  EXPECT_LE(histogram.quantile(1), 4000u + 4000 / 64);
}

}  // namespace
}  // namespace kvc

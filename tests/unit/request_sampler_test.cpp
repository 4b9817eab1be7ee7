#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "request/sampler.h"

namespace kvc {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class RequestSamplerTest : public ::testing::Test {
 protected:
  Request request_;

  int32_t one(const std::vector<float>& logits) {
    Sampler sampler(request_);
    int32_t token = -1;
    EXPECT_EQ(sampler.next(logits, &token).code(), KVC_OK);
    return token;
  }
  std::vector<int> counts(const std::vector<float>& logits, int n) {
    Sampler sampler(request_);
    std::vector<int> counts(logits.size());
    for (int i = 0; i < n; ++i) {
      int32_t token = -1;
      EXPECT_EQ(sampler.next(logits, &token).code(), KVC_OK);
      counts.at(static_cast<size_t>(token))++;
    }
    return counts;
  }
};

TEST_F(RequestSamplerTest, TakesTheLikeliestAtTemperatureZero) {
  EXPECT_EQ(one({-1, 3, 2}), 1);
  EXPECT_EQ(one({7, 3, 7}), 0);  // of equals the lowest
  EXPECT_EQ(one({-kInfinity, -1e30f}), 1);
}

TEST_F(RequestSamplerTest, RefusesLogitsThatAreNoNumbers) {
  for (double temperature : {0.0, 1.0}) {
    request_.temperature = temperature;
    Sampler sampler(request_);
    int32_t token = -1;
    EXPECT_EQ(sampler.next(std::vector<float>{0, NAN, 1}, &token).code(), KVC_E_BACKEND);
    EXPECT_EQ(sampler.next(std::vector<float>{0, kInfinity}, &token).code(), KVC_E_BACKEND);
    EXPECT_EQ(sampler.next(std::vector<float>{-kInfinity, -kInfinity}, &token).code(), KVC_E_BACKEND);
    EXPECT_EQ(token, -1);
  }
}

TEST_F(RequestSamplerTest, DrawsBySoftmax) {
  request_.temperature = 2;
  const std::vector<float> logits = {0, 2, 4, -kInfinity};
  const int n = 40000;
  const auto seen = counts(logits, n);
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(seen[i] / static_cast<double>(n), std::exp(static_cast<double>(i)) / sum, 0.01) << i;
  }
  EXPECT_EQ(seen[3], 0);
}

TEST_F(RequestSamplerTest, KeepsTheTopK) {
  request_.temperature = 100;
  request_.top_k = 2;
  const auto seen = counts({1, 4, 3, 2, 4}, 2000);
  EXPECT_EQ(seen[0] + seen[2] + seen[3], 0);
  EXPECT_GT(seen[1], 800);
  EXPECT_GT(seen[4], 800);
  request_.top_k = 1;
  EXPECT_EQ(counts({1, 4, 3, 2, 4}, 100)[1], 100);  // of equals the lowest
}

TEST_F(RequestSamplerTest, KeepsTheNucleus) {
  request_.temperature = 1;
  // probabilities 0.5, 0.3, 0.15, 0.05
  const std::vector<float> logits = {std::log(0.15f), std::log(0.5f), std::log(0.05f), std::log(0.3f)};
  request_.top_p = 0.79;
  auto seen = counts(logits, 8000);
  EXPECT_EQ(seen[0] + seen[2], 0);
  EXPECT_NEAR(seen[1] / 8000.0, 0.625, 0.02);
  request_.top_p = 0.81;
  seen = counts(logits, 8000);
  EXPECT_GT(seen[0], 0);
  EXPECT_EQ(seen[2], 0);
  request_.top_p = 1e-9;
  EXPECT_EQ(counts(logits, 50)[1], 50);
}

TEST_F(RequestSamplerTest, CutsTopKBeforeTopP) {
  request_.temperature = 1;
  request_.top_k = 2;
  request_.top_p = 0.6;  // of 0.5 and 0.3 the first alone has 0.625
  EXPECT_EQ(counts({std::log(0.15f), std::log(0.5f), std::log(0.05f), std::log(0.3f)}, 200)[1], 200);
}

TEST_F(RequestSamplerTest, RepeatsWithTheSameSeedOnly) {
  request_.temperature = 1;
  const std::vector<float> logits(100, 0.0f);
  const auto draw = [&](uint64_t seed) {
    request_.seed = seed;
    Sampler sampler(request_);
    std::vector<int32_t> tokens(20);
    for (int32_t& token : tokens) EXPECT_EQ(sampler.next(logits, &token).code(), KVC_OK);
    return tokens;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST_F(RequestSamplerTest, SurvivesExtremeTemperatures) {
  request_.temperature = 1e-300;
  EXPECT_EQ(one({1, 2, 3}), 2);
  request_.temperature = 100;
  EXPECT_GE(one({-1e38f, 1e38f}), 0);
}

}  // namespace
}  // namespace kvc

// Codec sparse: attention over the rows that it had use for, and every row back bit for bit.
#include <string>

#include "codec_support.h"
#include "persist_support.h"

namespace kvc_test {
namespace {

class SparseTest : public CodecTest {
 protected:
  void reopen(Options options = {}, bool disk = false) {
    space_.reset();
    engine_.reset();
    options.insert({{"codec", "sparse"}, {"codec_window", "0"}, {"sparse_keep", "0.25"}});
    if (disk) options.insert({{"disk_path", directory_.at("store")}, {"disk_limit", "64MiB"}});
    open(options);
  }
  static std::vector<float> query_of(uint32_t seed) {
    std::vector<float> query(kHeads * kDim);
    for (size_t i = 0; i < query.size(); ++i) query[i] = static_cast<float>((i * 31 + seed * 17) % 23) / 11 - 1;
    return query;
  }
  static std::vector<float> attend(kvc_session_t* s, uint32_t layer, uint32_t seed, double* left_out = nullptr,
                                   bool restore = false, uint64_t window = 0, uint32_t threads = 1,
                                   kvc_status_t expected = KVC_OK) {
    std::vector<float> query = query_of(seed), out(kHeads * kDim);
    const kvc_tensor_t q = thd(query, 0, 1), o = thd(out, 0, 1);
    kvc_attend_t how;
    EXPECT_EQ(KVC_OK, kvc_attend_init(&how, sizeof how));
    how.left_out = left_out;
    how.restore = restore ? 1 : 0;
    how.window = window;
    how.n_threads = threads;
    EXPECT_STATUS(expected, kvc_session_attend(s, layer, &how, &q, &o), s);
    return out;
  }
  // As attend, by hand, over the rows that `sees` names.
  template <typename Sees>
  static std::vector<double> by_hand(const Model& model, uint32_t layer, uint32_t seed, Sees sees) {
    const std::vector<float> query = query_of(seed);
    std::vector<double> out(kHeads * kDim);
    for (uint32_t head = 0; head < kHeads; ++head) {
      double sum = 0;
      for (size_t t = 0; t < model.tokens.size(); ++t) {
        if (!sees(head, t)) continue;
        double score = 0;
        const size_t at = (t * kHeads + head) * kDim;
        for (uint32_t d = 0; d < kDim; ++d) {
          score += static_cast<double>(query[head * kDim + d]) * static_cast<double>(model.layers[layer].k[at + d]);
        }
        const double weight = std::exp(score / std::sqrt(double{kDim}));
        sum += weight;
        for (uint32_t d = 0; d < kDim; ++d) {
          out[head * kDim + d] += weight * static_cast<double>(model.layers[layer].v[at + d]);
        }
      }
      for (uint32_t d = 0; d < kDim; ++d) out[head * kDim + d] /= sum;
    }
    return out;
  }
  static void near(const std::vector<double>& want, const std::vector<float>& got, double error) {
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(want[i], static_cast<double>(got[i]), error) << i;
  }
  // Appends everything, attends as a model does while it reads a prompt, commits.
  void add_observed(kvc_session_t* s, Model* model, uint32_t seed = 1) {
    const size_t n = model->tokens.size();
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      const kvc_tensor_t k = thd(model->layers[layer].k, 0, n), v = thd(model->layers[layer].v, 0, n);
      ASSERT_STATUS(KVC_OK, kvc_session_append(s, layer, &k, &v, n), s);
      attend(s, layer, seed);
    }
    ASSERT_STATUS(KVC_OK, kvc_session_commit(s, model->tokens.data(), n), s);
  }
  static bool all(uint32_t, size_t) { return true; }

  TemporaryDirectory directory_;
};

TEST_F(SparseTest, RowsThatWereLeftOutComeBackBitForBit) {
  for (const bool disk : {false, true}) {
    reopen({}, disk);
    Model model;
    model.extend(some_tokens(4 * kPage, 1));
    kvc_session_t* s = session();
    add_observed(s, &model);
    EXPECT_EQ(info(s).approximate, 4u * kPage);
    EXPECT_EQ(info(s).sparse, 4u * kPage);
    kvc_stats_t stats = engine_->stats();
    EXPECT_EQ(stats.pages_sparse, 4u);
    EXPECT_EQ(stats.sparse_by_recency, 0u);
    EXPECT_EQ(stats.sparse_restored, 0u);
    EXPECT_GT(stats.sparse_mass_left_out, 0);
    EXPECT_LT(stats.sparse_mass_left_out, 0.6);  // a quarter of the rows, chosen, has more than a quarter of the weight
    EXPECT_LT(static_cast<double>(stats.encoded_bytes), 0.28 * static_cast<double>(stats.encoded_raw_bytes));
    EXPECT_EQ(difference(s, model, 0, 4 * kPage), 0) << disk;
    EXPECT_EQ(difference(s, model, 5, 3), 0);
    EXPECT_GT(engine_->stats().sparse_restored, 0u);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  }
}

TEST_F(SparseTest, AttentionSaysWhatItLeftOutAndIsWholeWhenAsked) {
  reopen();
  Model model;
  model.extend(some_tokens(4 * kPage + 10, 2));
  kvc_session_t* s = session();
  add_observed(s, &model);
  for (const uint32_t threads : {1u, 3u}) {
    double left_out = -1;
    const std::vector<float> part = attend(s, 1, 1, &left_out, false, 0, threads);
    EXPECT_NEAR(left_out, 0.75 * 4 * kPage / (4 * kPage + 10), 1e-9);
    near(by_hand(model, 1, 1, all), part, 2.0);  // numbers are up to 3
    const std::vector<float> whole = attend(s, 1, 1, &left_out, true, 0, threads);
    EXPECT_EQ(left_out, 0);
    near(by_hand(model, 1, 1, all), whole, 1e-4);
  }
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(SparseTest, RowsAreChosenByTheAttentionOfTheLatestQueries) {
  // One row in eight has most of the weight: its key looks like the query.
  reopen({{"sparse_keep", "0.2"}});
  Model model;
  model.extend(some_tokens(3 * kPage, 3));
  const std::vector<float> query = query_of(1);
  for (Layer& layer : model.layers) {
    for (size_t t = 0; t < model.tokens.size(); t += 8) {
      for (size_t i = 0; i < kHeads * kDim; ++i) layer.k[t * kHeads * kDim + i] = 3 * query[i];
    }
  }
  kvc_session_t* s = session();
  add_observed(s, &model);
  EXPECT_LT(engine_->stats().sparse_mass_left_out, 0.1);
  double left_out = 0;
  near(by_hand(model, 0, 1, all), attend(s, 0, 1, &left_out), 0.1);
  EXPECT_GT(left_out, 0.7);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(SparseTest, WithoutAttentionTheLatestRowsStayAndItIsSaid) {
  reopen();
  Model model;
  model.extend(some_tokens(2 * kPage, 4));
  kvc_session_t* s = session();
  add(s, &model);
  EXPECT_EQ(engine_->stats().sparse_by_recency, 2u);
  EXPECT_EQ(engine_->stats().sparse_mass_left_out, 0);
  // Of each page the last 16; of the first one the 4 sinks are among the 16 that stay.
  const auto stays = [](uint32_t, size_t t) { return t < kPage ? t < 4 || t >= kPage - 12 : t >= 2 * kPage - 16; };
  near(by_hand(model, 0, 5, stays), attend(s, 0, 5), 1e-4);
  // Where positions matter: a window of 70 tokens, from 58 to 127.
  near(by_hand(model, 0, 5, [&](uint32_t head, size_t t) { return t >= 58 && stays(head, t); }),
       attend(s, 0, 5, nullptr, false, 70), 1e-4);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(SparseTest, OthersFindItAsApproximateAndExactSessionsNotAtAll) {
  reopen();
  Model model;
  model.extend(some_tokens(3 * kPage, 6));
  kvc_session_t* s = session();
  add_observed(s, &model);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  s = session();
  size_t reused = 0;
  ASSERT_STATUS(KVC_OK, kvc_session_match(s, model.tokens.data(), model.tokens.size(), &reused), s);
  EXPECT_EQ(reused, 3u * kPage);
  EXPECT_EQ(info(s).approximate, 3u * kPage);
  EXPECT_EQ(engine_->stats().approximate_tokens, 3u * kPage);
  EXPECT_EQ(difference(s, model, 0, 3 * kPage), 0);
  kvc_session_t* exact = session(/*exact=*/true);
  ASSERT_STATUS(KVC_OK, kvc_session_match(exact, model.tokens.data(), model.tokens.size(), &reused), exact);
  EXPECT_EQ(reused, 0u);
  kvc_session_close(exact, KVC_CLOSE_KEEP, 0);
  // A session that goes on inside a sparse page goes on from all of its rows.
  ASSERT_STATUS(KVC_OK, kvc_session_truncate(s, kPage + 40), s);
  Model branch;
  branch.extend(Tokens(model.tokens.begin(), model.tokens.begin() + kPage + 40));
  branch.extend(some_tokens(30, 77));
  add(s, &branch);
  EXPECT_EQ(difference(s, branch, 0, kPage + 70), 0);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(SparseTest, RestoringCanBeSwitchedOffWhichIsSaid) {
  reopen({{"sparse_restore", "off"}});
  Model model;
  model.extend(some_tokens(2 * kPage, 8));
  kvc_session_t* s = session();
  add(s, &model);
  std::vector<float> numbers(kPage * kHeads * kDim);
  const kvc_tensor_t out = thd(numbers, 0, kPage);
  EXPECT_STATUS(KVC_E_NOT_FOUND, kvc_session_read(s, 0, KVC_KEY, 0, kPage, &out), s);
  EXPECT_NE(words(s).find("sparse_restore"), std::string::npos) << words(s);
  attend(s, 0, 1, nullptr, true, 0, 1, KVC_E_NOT_FOUND);
  // The rows that stayed can be read.
  EXPECT_EQ(difference(s, model, kPage - 12, 12), 0);
  EXPECT_EQ(difference(s, model, 0, 4), 0);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(SparseTest, ARestartBringsPagesAndTheRestOfTheirRows) {
  Model model;
  model.extend(some_tokens(3 * kPage, 9));
  std::vector<float> before;
  {
    reopen({}, true);
    kvc_session_t* s = session();
    add_observed(s, &model);
    before = attend(s, 1, 3);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
    ASSERT_STATUS(KVC_OK, kvc_persist(*engine_, UINT64_MAX), *engine_);
    EXPECT_EQ(engine_->stats().tensors, 0u) << "what was left out is on disk alone";
  }
  reopen({}, true);
  kvc_session_t* s = session();
  size_t reused = 0;
  ASSERT_STATUS(KVC_OK, kvc_session_match(s, model.tokens.data(), model.tokens.size(), &reused), s);
  EXPECT_EQ(reused, 3u * kPage);
  EXPECT_EQ(info(s).sparse, 3u * kPage);
  EXPECT_EQ(before, attend(s, 1, 3));
  EXPECT_EQ(difference(s, model, 0, 3 * kPage), 0);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  // Another share is another form, and a miss.
  reopen({{"sparse_keep", "0.5"}}, true);
  s = session();
  ASSERT_STATUS(KVC_OK, kvc_session_match(s, model.tokens.data(), model.tokens.size(), &reused), s);
  EXPECT_EQ(reused, 0u);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(SparseTest, WhatWasEvictedWithoutADiskIsGoneAndAttentionGoesOn) {
  reopen();
  Model model;
  model.extend(some_tokens(2 * kPage, 10));
  kvc_session_t* s = session();
  add_observed(s, &model);
  const std::vector<float> before = attend(s, 0, 2);
  uint64_t freed = 0;
  ASSERT_STATUS(KVC_OK, kvc_trim(*engine_, 0, &freed), *engine_);
  EXPECT_GT(freed, 0u);
  std::vector<float> numbers(kPage * kHeads * kDim);
  const kvc_tensor_t out = thd(numbers, 0, kPage);
  EXPECT_STATUS(KVC_E_NOT_FOUND, kvc_session_read(s, 0, KVC_KEY, 0, kPage, &out), s);
  EXPECT_NE(words(s).find("evicted"), std::string::npos) << words(s);
  EXPECT_EQ(before, attend(s, 0, 2));
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

}  // namespace
}  // namespace kvc_test

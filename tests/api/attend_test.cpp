// Attention through kvc.h: over pages in the clear and encoded, it is attention over what can be read.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include "codec_support.h"

namespace kvc_test {
namespace {

constexpr uint32_t kQueryHeads = 6;

class AttendTest : public CodecTest {
 protected:
  // Softmax attention in doubles over what kvc_session_read gives.
  static std::vector<double> reference(kvc_session_t* session, uint32_t layer, const std::vector<float>& query, size_t n,
                                       const kvc_attend_t& how) {
    const size_t end = info(session).length + info(session).pending;
    const std::vector<float> k = read(session, layer, KVC_KEY, 0, end), v = read(session, layer, KVC_VALUE, 0, end);
    const double scale = how.scale != 0 ? how.scale : 1 / std::sqrt(static_cast<double>(kDim));
    std::vector<double> out;
    for (size_t i = 0; i < n; ++i) {
      const auto position = static_cast<int64_t>(end - how.later - n + i);
      for (uint32_t h = 0; h < kQueryHeads; ++h) {
        const uint32_t kv = h / (kQueryHeads / kHeads);
        std::vector<double> scores;
        std::vector<size_t> seen;
        for (size_t t = 0; t < end; ++t) {
          const int64_t distance = static_cast<int64_t>(t) - position;
          if (how.bidirectional == 0 && distance > 0) continue;
          if (how.window != 0 && static_cast<uint64_t>(std::abs(distance)) >= how.window && t >= how.sinks) continue;
          double s = 0;
          for (uint32_t d = 0; d < kDim; ++d) {
            s += static_cast<double>(query[(i * kQueryHeads + h) * kDim + d]) *
                 static_cast<double>(k[(t * kHeads + kv) * kDim + d]);
          }
          s *= scale;
          if (how.softcap > 0) s = how.softcap * std::tanh(s / how.softcap);
          if (how.alibi_slopes != nullptr) s += static_cast<double>(how.alibi_slopes[h]) * static_cast<double>(distance);
          scores.push_back(s);
          seen.push_back(t);
        }
        const double top = *std::max_element(scores.begin(), scores.end());
        double sum = how.sink_scores != nullptr ? std::exp(static_cast<double>(how.sink_scores[h]) - top) : 0;
        std::vector<double> mixed(kDim);
        for (size_t j = 0; j < seen.size(); ++j) {
          const double p = std::exp(scores[j] - top);
          sum += p;
          for (uint32_t d = 0; d < kDim; ++d) {
            mixed[d] += p * static_cast<double>(v[(seen[j] * kHeads + kv) * kDim + d]);
          }
        }
        for (const double x : mixed) out.push_back(x / sum);
      }
    }
    return out;
  }

  static void expect_reference(kvc_session_t* session, size_t n, const kvc_attend_t& how) {
    std::vector<float> query(n * kQueryHeads * kDim), out(query.size(), -1.0f);
    std::mt19937_64 random(n);
    for (float& x : query) x = static_cast<float>(random() >> 40) * 0x1p-23f - 1;
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      const kvc_tensor_t from = thd(query, 0, n, kQueryHeads), to = thd(out, 0, n, kQueryHeads);
      ASSERT_STATUS(KVC_OK, kvc_session_attend(session, layer, &how, &from, &to), session);
      const std::vector<double> want = reference(session, layer, query, n, how);
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(static_cast<double>(out[i]), want[i], 2e-3) << "number " << i;
    }
  }

  static kvc_attend_t defaults() {
    kvc_attend_t how;
    EXPECT_EQ(KVC_OK, kvc_attend_init(&how, sizeof how));
    return how;
  }
};

TEST_F(AttendTest, EqualsAttentionOverWhatIsReadWhateverTheCodec) {
  for (const char* codec : {"identity", "int8", "int4", "mixed", "klt"}) {
    open({{"codec", codec}, {"codec_learn", "128"}});
    Model model;
    model.extend(some_tokens(333, 12));
    kvc_session_t* s = session();
    add(s, &model);
    for (const size_t n : {size_t{1}, size_t{2}, size_t{7}, size_t{100}, size_t{333}}) {
      expect_reference(s, n, defaults());
      kvc_attend_t how = defaults();
      how.n_threads = 3;
      expect_reference(s, n, how);
      how.n_threads = 8;
      how.window = 90;
      how.sinks = 4;
      expect_reference(s, n, how);
    }
    kvc_attend_t how = defaults();
    const std::vector<float> slopes(kQueryHeads, 0.02f), sinks(kQueryHeads, 1.5f);
    how.alibi_slopes = slopes.data();
    how.sink_scores = sinks.data();
    how.softcap = 3;
    how.scale = 0.3;
    how.later = 20;
    expect_reference(s, 5, how);
    how.bidirectional = 1;
    how.window = 40;
    expect_reference(s, 5, how);
    kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  }
}

TEST_F(AttendTest, SeesBorrowedAndUncommittedTokens) {
  open({{"codec", "int4"}, {"codec_window", "0"}});
  Model model;
  model.extend(some_tokens(256, 13));
  kvc_session_t* s = session();
  add(s, &model);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
  s = session();
  size_t reused = 0;
  Tokens prompt = prefix(model.tokens, 150);
  ASSERT_STATUS(KVC_OK, kvc_session_match(s, prompt.data(), 150, &reused), s);
  ASSERT_EQ(reused, 150u);  // ends inside of an encoded page
  expect_reference(s, 3, defaults());
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const kvc_tensor_t k = thd(model.layers[layer].k, 150, 9), v = thd(model.layers[layer].v, 150, 9);
    ASSERT_STATUS(KVC_OK, kvc_session_append(s, layer, &k, &v, 9), s);
  }
  EXPECT_EQ(info(s).pending, 9u);
  expect_reference(s, 9, defaults());
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

TEST_F(AttendTest, WrongArgumentsAreRefusedInWords) {
  open({});
  Model model;
  model.extend(some_tokens(10, 14));
  kvc_session_t* s = session();
  std::vector<float> numbers(12 * kQueryHeads * kDim);
  const kvc_tensor_t one = thd(numbers, 0, 1, kQueryHeads), many = thd(numbers, 0, 11, kQueryHeads);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, nullptr, &one, &one), s);  // no tokens
  add(s, &model);
  EXPECT_STATUS(KVC_OK, kvc_session_attend(s, 0, nullptr, &one, &one), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, kLayers, nullptr, &one, &one), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, nullptr, &many, &many), s);
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_attend(s, 0, nullptr, &one, &many), s);
  const kvc_tensor_t odd = thd(numbers, 0, 1, 3);  // 3 query heads, 2 K/V heads
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_attend(s, 0, nullptr, &odd, &odd), s);
  EXPECT_STATUS(KVC_E_NULL, kvc_session_attend(s, 0, nullptr, nullptr, &one), s);
  kvc_attend_t how = defaults();
  how.scale = -1;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.later = 10;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.softcap = std::numeric_limits<double>::quiet_NaN();
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.n_threads = 5000;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_attend(s, 0, &how, &one, &one), s);
  how = defaults();
  how.window = how.sinks = UINT64_MAX;
  EXPECT_STATUS(KVC_OK, kvc_session_attend(s, 0, &how, &one, &one), s);
  kvc_session_close(s, KVC_CLOSE_KEEP, 0);
}

}  // namespace
}  // namespace kvc_test

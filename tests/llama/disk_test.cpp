// K/V of model files that a directory kept: a restarted program's prompts hit, and the logits are those of what was
// computed, to the bit.
#include "../temporary_directory.h"
#include "kvc_support.h"
#include "rig.h"

namespace kvc::llama_test {
namespace {

class LlamaDisk : public testing::TestWithParam<std::pair<const char*, const char*>> {  // model, type of its cache
 protected:
  Options options() const {
    return {{"model_cache_type_k", GetParam().second}, {"model_cache_type_v", GetParam().second},
            {"model_flash_attention", "on"}};
  }
  kvc_test::TemporaryDirectory directory_;
};

TEST_P(LlamaDisk, PromptsHitAfterARestartAndTheirLogitsAreTheComputedOnes) {
  const std::string file = model_file(GetParam().first);
  const Tokens text = some_tokens(260, 3);
  {
    const Cache cache("256MiB", directory_.path());
    Runner runner(cache, file, options());
    EXPECT_EQ(runner.ask(text).reused, 0u);
  }
  const Cache cache("256MiB", directory_.path());
  Runner runner(cache, file, options());
  const Answer whole = runner.ask(text);
  EXPECT_EQ(whole.reused, text.size() - 1);
  EXPECT_LT(difference(whole.logits, runner.computed(text, 0)), 0.5f);  // computed in one batch: up to rounding
  // Cut inside and at the border of a page, and going on otherwise.
  for (const size_t n : {64, 100, 192}) {
    Tokens other = first(text, n);
    const Tokens more = some_tokens(30, 9);
    other.insert(other.end(), more.begin() + 1, more.end());
    const Answer answer = runner.ask(other);
    EXPECT_GE(answer.reused, n);
    EXPECT_LT(difference(answer.logits, runner.computed(other, 0)), 0.5f);
  }
  kvc_stats_t stats{};
  stats.struct_size = sizeof stats;
  ASSERT_EQ(KVC_OK, kvc_stats(cache.get(), &stats));
  EXPECT_GE(stats.disk_hit_tokens, text.size() - 1);
  EXPECT_EQ(stats.disk_damaged, 0u);
}

// What was stored in two batches is read back and gives what the same two batches give.
TEST_P(LlamaDisk, TheSameBatchesGiveTheSameBits) {
  const std::string file = model_file(GetParam().first);
  const Tokens text = some_tokens(230, 4);
  const size_t n = 193;
  {
    const Cache cache("256MiB", directory_.path());
    Runner runner(cache, file, options());
    Runner::Sequence s = runner.open(first(text, n));
    runner.run(&s, first(text, n));
    runner.store(&s);
    runner.close(&s);
  }
  const Cache cache("256MiB", directory_.path());
  Runner runner(cache, file, options());
  const Answer answer = runner.ask(text);
  EXPECT_EQ(answer.reused, n);
  EXPECT_EQ(difference(answer.logits, runner.computed(text, n)), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, LlamaDisk,
                         testing::Values(std::pair{"llama", "f16"}, std::pair{"llama", "f32"},
                                         std::pair{"llama", "q8_0"}, std::pair{"swa", "f16"}),
                         [](const auto& info) { return std::string(info.param.first) + "_" + info.param.second; });

}  // namespace
}  // namespace kvc::llama_test

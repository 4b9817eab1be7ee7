// Random conversations against kvc, each answer compared with one that is computed without any cache.
#include <random>

#include "kvc_support.h"

namespace kvc::llama_test {
namespace {

struct Play {
  const char* name;
  const char* model;  // "": the real one
  int operations;
  OptionList options;
};

class LlamaShadow : public testing::TestWithParam<Play> {};

TEST_P(LlamaShadow, AnswersAsARecomputation) {
  const Play& play = GetParam();
  const std::string file = play.model[0] != 0 ? model_file(play.model) : real_model_file();
  if (file.empty()) GTEST_SKIP() << "no real model in build/llama: bindings/llama/setup fetches it";
  OptionList options = model_options(file, {{"memory", "3MiB"}, {"model_context", "512"}, {"model_cells", "1536"}});
  options.insert(options.end(), play.options.begin(), play.options.end());
  const int operations = std::getenv("KVC_TEST_QUICK") != nullptr ? play.operations / 5 : play.operations;

  auto engine = std::make_unique<Engine>(options);
  ASSERT_EQ(KVC_OK, engine->status()) << engine->error();
  const bool small = play.model[0] != 0;
  std::mt19937 random(20261121);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  std::vector<Tokens> talks = {some_tokens(20)};
  uint64_t cached = 0, restarts = 0;
  const auto extend = [&](Tokens* talk, size_t n) {
    const Tokens more = small ? some_tokens(n + 1, static_cast<uint32_t>(random())) : Tokens();
    for (size_t i = 0; i < n; ++i)
      talk->push_back(small ? more[i + 1] : static_cast<llama_token>(random() % 40000 + 100));
  };
  for (int i = 0; i < operations; ++i) {
    Tokens& talk = talks[below(talks.size())];
    Tokens prompt = talk;
    const size_t what = below(20);
    if (what < 8) {
      extend(&prompt, 1 + below(40));
    } else if (what < 12) {  // fork: the beginning of one, then something else
      prompt.resize(1 + below(prompt.size()));
      extend(&prompt, 1 + below(30));
    } else if (what < 15) {  // truncate
      prompt.resize(1 + below(prompt.size()));
    } else if (what == 18) {
      EXPECT_EQ(KVC_OK, kvc_trim(engine->get(), below(2) == 0 ? 0 : 1 << 20, nullptr));
    } else if (what == 19 && small) {
      engine.reset();
      engine = std::make_unique<Engine>(options);
      ASSERT_EQ(KVC_OK, engine->status()) << engine->error();
      ++restarts;
    }  // else: the same again
    if (prompt.size() > 400) prompt.resize(5 + below(100));
    const auto n = static_cast<uint32_t>(1 + below(8));
    const Engine::Answer answer = engine->ask(prompt, n);
    const Engine::Answer shadow = engine->ask(prompt, n, true);
    ASSERT_EQ(KVC_OK, answer.status) << answer.error;
    ASSERT_EQ(KVC_OK, shadow.status) << shadow.error;
    ASSERT_EQ(answer.tokens, shadow.tokens)
        << "operation " << i << ", " << answer.cached << " of " << prompt.size() << " tokens from the cache";
    ASSERT_EQ(0u, shadow.cached);
    cached += answer.cached;
    prompt.insert(prompt.end(), answer.tokens.begin(), answer.tokens.end());
    if (talks.size() < 12) {
      talks.push_back(prompt);
    } else {
      talks[below(talks.size())] = prompt;
    }
  }
  EXPECT_GT(cached, static_cast<uint64_t>(operations));  // it is reuse that was compared
}

// f32: numbers that come out in another order differ too little to change the likeliest token.
const OptionList kF32 = {{"model_cache_type_k", "f32"}, {"model_cache_type_v", "f32"}};

OptionList f32_and(OptionList more) {
  more.insert(more.begin(), kF32.begin(), kF32.end());
  return more;
}

INSTANTIATE_TEST_SUITE_P(
    Models, LlamaShadow,
    testing::Values(Play{"Plain", "llama", 500, kF32},
                    Play{"PlainNoResidents", "llama", 200, f32_and({{"model_resident", "0"}})},
                    Play{"PlainNoFlash", "llama", 200, f32_and({{"model_flash_attention", "off"}})},
                    Play{"Window", "swa", 300, kF32}, Play{"Recurrent", "mamba", 200, {{"model_state_tokens", "64"}}},
                    Play{"Hybrid", "hybrid", 200, f32_and({{"model_state_tokens", "64"}})},
                    Play{"Real", "", 12, f32_and({{"memory", "256MiB"}})}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace kvc::llama_test

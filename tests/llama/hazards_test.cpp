// What llama.cpp takes without a word (controls_test.cpp), tried on kvc: each is a miss, or restored to the bit
// (restore_test.cpp has the lengths and layouts of what is restored).
#include <cstdlib>

#include "kvc_support.h"
#include "rig.h"

namespace kvc::llama_test {
namespace {

constexpr size_t kPrefix = 160;

class LlamaHazards : public testing::Test {
 protected:
  // Stores a prompt one way, asks it another way: nothing may be found, and the answer is that of a run without a cache.
  static void expect_strangers(const std::string& stored_file, const Options& stored, const std::string& file,
                               const Options& options) {
    const Cache cache;
    const Tokens tokens = some_tokens(kPrefix + 10);
    Runner one(cache, stored_file, stored);
    one.ask(tokens);
    Runner other(cache, file, options);
    const Answer answer = other.ask(tokens);
    EXPECT_EQ(answer.reused, 0u);
    EXPECT_EQ(difference(answer.logits, other.computed(tokens, 0)), 0);
    // Neither keeps the other from its own.
    const Answer own = one.ask(tokens);
    EXPECT_EQ(own.reused, tokens.size() - 1);
    EXPECT_EQ(difference(own.logits, one.computed(tokens, own.reused)), 0);
  }
  const std::string llama_ = model_file("llama");
};

TEST_F(LlamaHazards, OtherWeightsOfTheSameShapeAreStrangers) {
  expect_strangers(model_file("llama_weights"), {}, llama_, {});
}

TEST_F(LlamaHazards, AnotherRopeBaseIsAStranger) {
  expect_strangers(model_file("llama_rope"), {}, llama_, {});
  expect_strangers(llama_, {{"model_rope_base", "500000"}}, llama_, {});
  expect_strangers(llama_, {{"model_rope_scale", "0.5"}}, llama_, {});
}

TEST_F(LlamaHazards, ARopeBaseThatIsGivenCountsAsWhatItIs) {
  // The same base, once from the file and once by option: the same model, and found.
  const Cache cache;
  const Tokens tokens = some_tokens(kPrefix);
  Runner file(cache, llama_), option(cache, llama_, {{"model_rope_base", "10000"}});
  file.ask(tokens);
  EXPECT_EQ(option.ask(tokens).reused, tokens.size() - 1);
}

TEST_F(LlamaHazards, AnotherRotationIsAStranger) {
  const Options quantized = {{"model_cache_type_k", "q8_0"}, {"model_cache_type_v", "q8_0"}};
  const Cache cache;
  const Tokens tokens = some_tokens(kPrefix + 10);
  Runner rotated(cache, llama_, quantized);
  rotated.ask(tokens);
  setenv("LLAMA_ATTN_ROT_DISABLE", "1", 1);
  {
    Runner plain(cache, llama_, quantized);
    const Answer answer = plain.ask(tokens);
    EXPECT_EQ(answer.reused, 0u);
    EXPECT_EQ(difference(answer.logits, plain.computed(tokens, 0)), 0);
  }
  unsetenv("LLAMA_ATTN_ROT_DISABLE");
  EXPECT_EQ(rotated.ask(tokens).reused, tokens.size() - 1);
}

TEST_F(LlamaHazards, OtherShapesAndTypesAreStrangers) {
  const Options quantized = {{"model_cache_type_k", "q8_0"}, {"model_cache_type_v", "q8_0"}};
  expect_strangers(llama_, {{"model_flash_attention", "off"}}, llama_, {});
  expect_strangers(llama_, quantized, llama_, {});
  expect_strangers(llama_, quantized, llama_, {{"model_cache_type_k", "q4_0"}, {"model_cache_type_v", "q4_0"}});
  expect_strangers(llama_, {{"model_cache_type_k", "q8_0"}}, llama_, {{"model_cache_type_v", "q8_0"}});
}

// Two sequences that grow in turn lie in cells between each other; without flash attention their values lie across.
TEST_F(LlamaHazards, SequencesBetweenEachOthersCellsAreStoredInOrder) {
  for (const char* flash : {"on", "off"}) {
    const Cache cache;
    Runner runner(cache, llama_, {{"model_flash_attention", flash}});
    const Tokens prompts[2] = {some_tokens(200, 5), some_tokens(200, 6)};
    Runner::Sequence grown[2] = {runner.open(prompts[0]), runner.open(prompts[1])};
    for (size_t at = 0; at < 200; at += 20) {
      for (int i = 0; i < 2; ++i) runner.run(&grown[i], Tokens(prompts[i].begin() + at, prompts[i].begin() + at + 20));
    }
    for (Runner::Sequence& s : grown) {
      runner.store(&s);
      runner.close(&s);
    }
    for (const Tokens& prompt : prompts) {
      const Answer answer = runner.ask(prompt);
      EXPECT_EQ(answer.reused, prompt.size() - 1);
      // The numbers of a sequence that grew by itself, in the same steps; attention sums over cells in their order.
      Runner::Sequence alone = runner.open(prompt, false);
      for (size_t at = 0; at < 180; at += 20) runner.run(&alone, Tokens(prompt.begin() + at, prompt.begin() + at + 20));
      runner.run(&alone, Tokens(prompt.begin() + 180, prompt.begin() + 199));
      runner.run(&alone, Tokens{prompt[199]});
      EXPECT_LT(difference(answer.logits, alone.logits), 0.5f) << "flash attention " << flash;
      runner.close(&alone);
    }
  }
}

TEST_F(LlamaHazards, ARestoreWithoutRoomLeavesNothingBehind) {
  const Cache cache;
  const Tokens tokens = some_tokens(400);
  Runner roomy(cache, llama_);
  roomy.ask(tokens);
  Runner tight(cache, llama_, {{"model_context", "512"}, {"model_cells", "512"}});
  Runner::Sequence holds = tight.open(some_tokens(300, 9), false);
  tight.run(&holds, some_tokens(300, 9));
  EXPECT_THROW(tight.ask(tokens), std::runtime_error) << "300 and 400 tokens have no room in 512 cells";
  // What was there computes on as if nothing had been tried, and afterwards there is room.
  tight.run(&holds, some_tokens(30, 10));
  Runner::Sequence reference = roomy.open(some_tokens(300, 9), false);
  roomy.run(&reference, some_tokens(300, 9));
  roomy.run(&reference, some_tokens(30, 10));
  EXPECT_EQ(difference(holds.logits, reference.logits), 0);
  roomy.close(&reference);
  tight.close(&holds);
  const Answer answer = tight.ask(tokens);
  EXPECT_EQ(answer.reused, tokens.size() - 1);
  EXPECT_EQ(difference(answer.logits, roomy.computed(tokens, answer.reused)), 0);
}

// A shift of positions leaves keys unturned until the next decode; kvc never shifts: what is too long is refused.
TEST_F(LlamaHazards, AFullContextIsAnErrorNotAShift) {
  Engine engine(model_options(llama_, {{"model_context", "256"}}));
  ASSERT_EQ(engine.status(), KVC_OK) << engine.error();
  const Engine::Answer refused = engine.ask(some_tokens(300), 4);
  EXPECT_EQ(refused.status, KVC_E_CONTEXT) << refused.error;
  EXPECT_FALSE(refused.error.empty());
  const Tokens prompt = some_tokens(250);
  const Tokens expected = engine.ask(prompt, 6, true).tokens;
  EXPECT_EQ(engine.ask(prompt, 6).tokens, expected);
  EXPECT_EQ(engine.ask(prompt, 6).tokens, expected);
}

// A long prompt in one batch: a deadline ends it inside llama_decode, and leaves the model fit for the next one.
TEST_F(LlamaHazards, ADeadlineEndsALongBatch) {
  const std::string real = real_model_file();
  if (real.empty()) GTEST_SKIP() << "SKIPPED: no real model; bindings/llama/setup fetches it";
  Engine engine(model_options(real, {{"model_context", "4096"}, {"prefill_chunk", "4096"}}));
  ASSERT_EQ(engine.status(), KVC_OK) << engine.error();
  const Tokens prompt = some_tokens(4000);
  kvc_request_t request;
  ASSERT_EQ(KVC_OK, kvc_request_init(&request, sizeof request));
  request.tokens = prompt.data();
  request.n_tokens = prompt.size();
  request.max_tokens = 1;
  request.deadline_ns = 200'000'000;  // all of it takes seconds
  const Engine::Answer ended = engine.ask(request);
  EXPECT_EQ(ended.status, KVC_E_DEADLINE) << ended.error;
  EXPECT_EQ(ended.finish, KVC_FINISH_DEADLINE);
  EXPECT_EQ(ended.computed, 0u) << "the batch was computed to its end";
  const Tokens question = some_tokens(20);
  EXPECT_EQ(engine.ask(question, 2).tokens, engine.ask(question, 2, true).tokens);
}

}  // namespace
}  // namespace kvc::llama_test

// What llama.cpp alone does with states that do not belong where they are put. Each of these accepts, or damages, without
// a word: these are the reasons for the checks that the tests of kvc beside them (hazards_test.cpp) show at work. Should a
// later llama.cpp refuse by itself, a test here says so by failing.
#include "llama_support.h"

namespace kvc::llama_test {
namespace {

constexpr size_t kPrefix = 160;

// The answer of a context that computes everything.
Logits fresh(const std::string& file, const Tokens& tokens, const llama_context_params& params = context_params()) {
  Context context(file, params);
  context.decode(first(tokens, kPrefix));
  return context.decode(after(tokens, kPrefix), kPrefix);
}

Blob state_of(const std::string& file, const Tokens& tokens, const llama_context_params& params = context_params()) {
  Context context(file, params);
  context.decode(first(tokens, kPrefix));
  return context.state();
}

// The answer of a context that is given a state for the prefix; empty if it was refused.
Logits restored(const std::string& file, const Blob& blob, const Tokens& tokens,
                const llama_context_params& params = context_params()) {
  Context context(file, params);
  if (!context.set_state(blob)) return {};
  return context.decode(after(tokens, kPrefix), kPrefix);
}

llama_context_params quantized(llama_context_params params = context_params()) {
  params.type_k = params.type_v = GGML_TYPE_Q8_0;
  return params;
}

class LlamaAlone : public testing::Test {
 protected:
  const std::string llama_ = model_file("llama");
  const Tokens tokens_ = some_tokens(kPrefix + 10);
};

TEST_F(LlamaAlone, RestoresItsOwnStateToTheBit) {
  for (const llama_context_params& params : {context_params(), quantized()}) {
    EXPECT_EQ(difference(restored(llama_, state_of(llama_, tokens_, params), tokens_, params),
                         fresh(llama_, tokens_, params)),
              0);
  }
}

TEST_F(LlamaAlone, TakesTheStateOfOtherWeights) {
  const Blob blob = state_of(model_file("llama_weights"), tokens_);
  EXPECT_GT(difference(restored(llama_, blob, tokens_), fresh(llama_, tokens_)), 0.5f);
}

TEST_F(LlamaAlone, TakesTheStateOfAnotherRopeBase) {
  const Blob blob = state_of(model_file("llama_rope"), tokens_);
  EXPECT_GT(difference(restored(llama_, blob, tokens_), fresh(llama_, tokens_)), 0.5f);
  llama_context_params params = context_params();
  params.rope_freq_base = 500000;  // given to the context instead of the file
  EXPECT_GT(difference(restored(llama_, state_of(llama_, tokens_, params), tokens_), fresh(llama_, tokens_)), 0.5f);
}

TEST_F(LlamaAlone, TakesTheStateOfAnotherRotation) {
  const Blob rotated = state_of(llama_, tokens_, quantized());
  const Logits expected = fresh(llama_, tokens_, quantized());
  setenv("LLAMA_ATTN_ROT_DISABLE", "1", 1);
  const Logits answer = restored(llama_, rotated, tokens_, quantized());
  const Logits plain = fresh(llama_, tokens_, quantized());
  unsetenv("LLAMA_ATTN_ROT_DISABLE");
  EXPECT_GT(difference(answer, expected), 0.5f);
  EXPECT_LT(difference(plain, expected), 0.5f * difference(answer, expected)) << "rotation itself changes little";
}

TEST_F(LlamaAlone, ExportsUnshiftedKeysUnderShiftedPositions) {
  // The middle of a sequence is dropped and the rest moved up; llama.cpp turns the keys at the next decode only.
  const auto shifted = [&](Context* context) {
    context->decode(first(tokens_, kPrefix));
    ASSERT_TRUE(llama_memory_seq_rm(context->memory(), 0, 20, 60));
    llama_memory_seq_add(context->memory(), 0, 60, -1, -40);
  };
  const Tokens rest = after(tokens_, kPrefix);
  constexpr llama_pos kAt = kPrefix - 40;
  Context reference(llama_);
  shifted(&reference);
  const Logits expected = reference.decode(rest, kAt);

  Context early(llama_);
  shifted(&early);
  Context target(llama_);
  ASSERT_TRUE(target.set_state(early.state()));
  EXPECT_GT(difference(target.decode(rest, kAt), expected), 0.5f);
}

TEST_F(LlamaAlone, RefusesOtherShapes) {
  const Blob blob = state_of(llama_, tokens_);
  llama_context_params other = context_params();
  other.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  EXPECT_TRUE(restored(llama_, blob, tokens_, other).empty()) << "values in another order";
  EXPECT_TRUE(restored(llama_, blob, tokens_, quantized()).empty()) << "another type";
  other = context_params();
  other.kv_unified = false;
  EXPECT_TRUE(restored(llama_, blob, tokens_, other).empty()) << "another number of streams";
}

TEST_F(LlamaAlone, ComputesOtherNumbersFromCellsInAnotherOrder) {
  // Two halves of a prefix, restored one by one: as they follow each other, and the other way round.
  Context source(llama_);
  source.decode(first(tokens_, kPrefix));
  Blob halves[2];
  for (int half = 0; half < 2; ++half) {
    llama_memory_seq_rm(source.memory(), 1, -1, -1);
    llama_memory_seq_cp(source.memory(), 0, 1, half * kPrefix / 2, (half + 1) * kPrefix / 2);
    halves[half] = source.state(1);
  }
  const Logits expected = source.decode(after(tokens_, kPrefix), kPrefix);
  for (const bool in_order : {true, false}) {
    Context target(llama_);
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(target.set_state(halves[in_order ? i : 1 - i], 1));
      llama_memory_seq_cp(target.memory(), 1, 0, -1, -1);
      llama_memory_seq_rm(target.memory(), 1, -1, -1);
    }
    const float d = difference(target.decode(after(tokens_, kPrefix), kPrefix), expected);
    if (in_order) {
      EXPECT_EQ(d, 0);
    } else {
      EXPECT_GT(d, 0);
      EXPECT_LT(d, 0.5f) << "the sums are of the same numbers";
    }
  }
}

TEST_F(LlamaAlone, RefusesAStateThatIsCutShort) {
  Blob blob = state_of(llama_, tokens_);
  blob.resize(blob.size() / 2);
  Context context(llama_);
  EXPECT_FALSE(context.set_state(blob));
}

TEST_F(LlamaAlone, CannotCutTheStateOfARecurrentModel) {
  Context context(model_file("mamba"));
  ASSERT_FALSE(context.decode(tokens_).empty());
  EXPECT_FALSE(llama_memory_seq_rm(context.memory(), 0, kPrefix, -1));
}

TEST_F(LlamaAlone, ForgetsWhatHasLeftTheSlidingWindow) {
  const std::string swa = model_file("swa");
  const Tokens tokens = some_tokens(600);
  llama_context_params params = context_params();
  params.n_seq_max = 1;  // with these, the cache of the window is as small as it gets: 256 cells
  params.n_batch = params.n_ubatch = 64;
  const auto extend = [&](Context* context, size_t from, size_t to) {
    Logits last;
    for (; from < to; from += 20) {
      const Tokens some(tokens.begin() + static_cast<long>(from), tokens.begin() + static_cast<long>(from) + 20);
      last = context->decode(some, static_cast<llama_pos>(from));
    }
    return last;
  };
  Context context(swa, params);
  ASSERT_FALSE(extend(&context, 0, 600).empty());
  EXPECT_GT(llama_memory_seq_pos_min(context.memory(), 0), 100);
  // Cut back to where the window no longer reaches: what is computed from there on lacks its past.
  ASSERT_TRUE(llama_memory_seq_rm(context.memory(), 0, 100, -1));
  Context again(swa, params);
  EXPECT_GT(difference(extend(&context, 100, 120), extend(&again, 0, 120)), 0.05f);
}

}  // namespace
}  // namespace kvc::llama_test

// The small random models are what the other tests take them for: each loads, computes, and remembers.
#include "llama_support.h"

namespace kvc::llama_test {
namespace {

class SmallModels : public testing::TestWithParam<const char*> {};

TEST_P(SmallModels, ComputesFromWhatCameBefore) {
  Context context(model_file(GetParam()));
  ASSERT_NE(context.get(), nullptr);
  const Tokens tokens = some_tokens(200);
  const Logits whole = context.decode(tokens);
  ASSERT_FALSE(whole.empty());
  for (const float value : whole) ASSERT_TRUE(std::isfinite(value));

  context.clear();
  Tokens other = tokens;
  const Tokens replaced = some_tokens(tokens.size(), 2);
  std::copy(replaced.begin() + 150, replaced.begin() + 199, other.begin() + 150);
  EXPECT_GT(difference(whole, context.decode(other)), 0.2f) << "what came before leaves no trace";

  context.clear();
  EXPECT_EQ(difference(whole, context.decode(tokens)), 0) << "the same numbers are not the same again";
}

INSTANTIATE_TEST_SUITE_P(Llama, SmallModels,
                         testing::Values("llama", "llama_copy", "llama_weights", "llama_rope", "swa", "mamba", "hybrid"),
                         [](const auto& info) { return std::string(info.param); });

TEST(SmallModelKinds, AreWhatTheirNamesSay) {
  EXPECT_TRUE(llama_model_is_recurrent(model_of(model_file("mamba"))));
  EXPECT_TRUE(llama_model_is_hybrid(model_of(model_file("hybrid"))));
  EXPECT_EQ(llama_model_n_swa(model_of(model_file("swa"))), 32);
  EXPECT_EQ(llama_model_n_swa(model_of(model_file("llama"))), 0);
  EXPECT_EQ(llama_model_n_head_kv(model_of(model_file("llama"))), 2);
}

TEST(SmallModelKinds, AdaptersChangeWhatIsComputed) {
  llama_model* model = model_of(model_file("llama"));
  const Tokens tokens = some_tokens(100);
  std::vector<Logits> answers;
  for (const char* name : {"", "lora_a", "lora_b"}) {
    Context context(model_file("llama"));
    if (*name != '\0') {
      llama_adapter_lora* adapter = llama_adapter_lora_init(model, model_file(name).c_str());
      ASSERT_NE(adapter, nullptr);
      float scale = 1;
      ASSERT_EQ(llama_set_adapters_lora(context.get(), &adapter, 1, &scale), 0);
    }
    answers.push_back(context.decode(tokens));
  }
  EXPECT_GT(difference(answers[0], answers[1]), 0.05f);
  EXPECT_GT(difference(answers[1], answers[2]), 0.05f);
}

}  // namespace
}  // namespace kvc::llama_test

// A program's own llama_context, with kvc beside it (kvc_llama.h).
#include <kvc_llama.h>

#include "kvc_support.h"

namespace kvc::llama_test {
namespace {

class LlamaAdapter : public testing::Test {
 protected:
  // nullptr, and error_ says why.
  kvc_llama_t* attach(Context* context, const llama_context_params& params, const std::string& file) {
    kvc_llama_t* cache = nullptr;
    kvc_error_t error{};
    error.struct_size = sizeof error;
    status_ = kvc_llama_attach(engine_.get(), context->get(), &params, file.c_str(), nullptr, &cache, &error);
    error_ = error.message;
    return cache;
  }

  Engine engine_{OptionList{{"model", "none"}, {"page_tokens", "16"}}};
  const std::string file_ = model_file("llama");
  kvc_status_t status_ = KVC_OK;
  std::string error_;
};

TEST_F(LlamaAdapter, RestoresInAnotherContextToTheBit) {
  const llama_context_params params = context_params();
  const Tokens tokens = some_tokens(150);
  Logits fresh;
  {
    Context context(file_, params);
    kvc_llama_t* cache = attach(&context, params, file_);
    ASSERT_NE(nullptr, cache) << error_;
    size_t done = 1;
    EXPECT_EQ(KVC_OK, kvc_llama_restore(cache, 0, tokens.data(), tokens.size(), &done)) << kvc_llama_last_error(cache);
    EXPECT_EQ(0u, done);
    context.decode(first(tokens, 140));
    EXPECT_EQ(KVC_OK, kvc_llama_save(cache, 0, tokens.data(), 140)) << kvc_llama_last_error(cache);
    EXPECT_EQ(KVC_E_ORDER, kvc_llama_save(cache, 0, tokens.data(), 150));
    EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_llama_save(cache, 3, tokens.data(), 10)) << "kvc's own sequence";
    fresh = context.decode(after(tokens, 140), 140);
    kvc_llama_detach(cache);
  }
  Context context(file_, params);
  kvc_llama_t* cache = attach(&context, params, file_);
  ASSERT_NE(nullptr, cache) << error_;
  size_t done = 0;
  EXPECT_EQ(KVC_OK, kvc_llama_restore(cache, 0, tokens.data(), tokens.size(), &done)) << kvc_llama_last_error(cache);
  EXPECT_EQ(140u, done);
  EXPECT_EQ(fresh, context.decode(after(tokens, done), static_cast<llama_pos>(done)));
  // The whole prompt: its last token is left to be decoded.
  EXPECT_EQ(KVC_OK, kvc_llama_restore(cache, 1, tokens.data(), 140, &done));
  EXPECT_EQ(139u, done);
  kvc_llama_detach(cache);
}

// K/V of the real model is many chunks: a thread of its own fills the next one while llama.cpp takes the last.
TEST_F(LlamaAdapter, RestoresWithASecondThreadToTheBitOrNotAtAll) {
  const std::string real = real_model_file();
  if (real.empty()) GTEST_SKIP() << "SKIPPED: no real model; bindings/llama/setup fetches it";
  llama_context_params params = context_params(), two = params;
  two.n_threads_batch = 2;  // what the program is said to compute with: it restores as it likes
  const Tokens tokens = some_tokens(610);
  Logits fresh;
  {
    Context context(real, params);
    kvc_llama_t* cache = attach(&context, params, real);
    ASSERT_NE(nullptr, cache) << error_;
    context.decode(first(tokens, 300));
    context.decode(Tokens(tokens.begin() + 300, tokens.begin() + 600), 300);
    EXPECT_EQ(KVC_OK, kvc_llama_save(cache, 0, tokens.data(), 600)) << kvc_llama_last_error(cache);
    fresh = context.decode(after(tokens, 600), 600);
    kvc_llama_detach(cache);
  }
  Context context(real, params);
  kvc_llama_t* cache = attach(&context, two, real);
  ASSERT_NE(nullptr, cache) << error_;
  size_t done = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(KVC_OK, kvc_llama_restore(cache, 0, tokens.data(), tokens.size(), &done)) << kvc_llama_last_error(cache);
    ASSERT_EQ(600u, done);
  }
  EXPECT_EQ(fresh, context.decode(after(tokens, done), static_cast<llama_pos>(done)));
  // A second one has no room for all of its chunks beside the first: nothing of it is left.
  EXPECT_EQ(KVC_E_NO_MEMORY, kvc_llama_restore(cache, 1, tokens.data(), tokens.size(), &done));
  EXPECT_EQ(-1, llama_memory_seq_pos_max(context.memory(), 1));
  EXPECT_EQ(KVC_OK, kvc_llama_restore(cache, 0, tokens.data(), tokens.size(), &done));
  EXPECT_EQ(fresh, context.decode(after(tokens, done), static_cast<llama_pos>(done)));
  kvc_llama_detach(cache);
}

TEST_F(LlamaAdapter, OtherWeightsAndParametersFindNothing) {
  const Tokens tokens = some_tokens(100);
  llama_context_params params = context_params();
  {
    Context context(file_, params);
    kvc_llama_t* cache = attach(&context, params, file_);
    ASSERT_NE(nullptr, cache) << error_;
    context.decode(tokens);
    EXPECT_EQ(KVC_OK, kvc_llama_save(cache, 0, tokens.data(), tokens.size()));
    kvc_llama_detach(cache);
  }
  const auto found = [&](const std::string& file, const llama_context_params& with) {
    Context context(file, with);
    kvc_llama_t* cache = attach(&context, with, file);
    EXPECT_NE(nullptr, cache) << error_;
    size_t done = 0;
    EXPECT_EQ(KVC_OK, kvc_llama_restore(cache, 0, tokens.data(), tokens.size(), &done));
    kvc_llama_detach(cache);
    return done;
  };
  EXPECT_EQ(99u, found(file_, params));
  EXPECT_EQ(99u, found(model_file("llama_copy"), params));
  EXPECT_EQ(0u, found(model_file("llama_weights"), params));
  llama_context_params rope = params, quantised = params, flash = params;
  rope.rope_freq_base = 500000;
  quantised.type_k = quantised.type_v = GGML_TYPE_Q8_0;
  flash.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  EXPECT_EQ(0u, found(file_, rope));
  EXPECT_EQ(0u, found(file_, quantised));
  EXPECT_EQ(0u, found(file_, flash));
}

TEST_F(LlamaAdapter, RefusesContextsInWhichRangesCannotBeExchanged) {
  llama_context_params params = context_params();
  params.kv_unified = false;
  Context split(file_, params);
  EXPECT_EQ(nullptr, attach(&split, params, file_));
  EXPECT_EQ(KVC_E_UNSUPPORTED, status_) << error_;
  params = context_params();
  Context used(file_, params);
  used.decode(some_tokens(5));
  EXPECT_EQ(nullptr, attach(&used, params, file_));
  EXPECT_EQ(KVC_E_ORDER, status_) << error_;
  Context recurrent(model_file("mamba"), params);
  EXPECT_EQ(nullptr, attach(&recurrent, params, model_file("mamba")));
  EXPECT_EQ(KVC_E_UNSUPPORTED, status_) << error_;
}

}  // namespace
}  // namespace kvc::llama_test

// Wrong answers after reuse that users of other caches have reported, acted out against kvc with llama.cpp: named for what
// happened, with the report beside it. Each asks for two things: nothing wrong is reused, and what is right is found.
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "kvc_support.h"
#include "rig.h"

namespace kvc::llama_test {
namespace {

namespace fs = std::filesystem;

class WrongReuse : public testing::Test {
 protected:
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  std::string folder() {
    if (folder_.empty()) {
      folder_ = testing::TempDir() + "kvc_wrong_reuse_" + std::to_string(getpid());
      fs::create_directories(folder_);
    }
    return folder_;
  }
  // Asked the way of `stored` first, then of `asked`: the second finds nothing, and computes what it would alone.
  static void expect_apart(Runner* stored, Runner* asked, const Tokens& prompt) {
    stored->ask(prompt);
    const Answer answer = asked->ask(prompt);
    EXPECT_EQ(answer.reused, 0u);
    EXPECT_EQ(difference(answer.logits, asked->computed(prompt, 0)), 0);
  }
  // The answer to a prompt that is stored up to its last token, whole or cut by eviction: never other numbers.
  static void expect_own(Runner* runner, const Tokens& prompt, bool whole) {
    const Answer answer = runner->ask(prompt);
    if (whole) {
      EXPECT_EQ(answer.reused, prompt.size() - 1);
    }
    EXPECT_EQ(difference(answer.logits, runner->computed(prompt, answer.reused)), 0) << answer.reused << " tokens reused";
  }

  const std::string llama_ = model_file("llama");
  std::string folder_;
};

// LMCache #4385: returning sessions answer with other requests' content.
TEST_F(WrongReuse, ReturningSessionsAnsweredWithOthersContent) {
  const Cache cache;
  Runner runner(cache, llama_);
  std::vector<Tokens> prompts;
  for (uint32_t i = 0; i < 12; ++i) {
    // Every third begins as the one before it; ends differ.
    Tokens prompt = i % 3 == 1 ? first(prompts.back(), 100) : Tokens();
    const Tokens own = some_tokens(150 + 7 * i, 50 + i);
    prompt.insert(prompt.end(), own.begin(), own.end());
    prompts.push_back(prompt);
    runner.ask(prompt);
  }
  for (const Tokens& prompt : prompts) {
    const Answer answer = runner.ask(prompt);
    EXPECT_EQ(answer.reused, prompt.size() - 1);
    // Computed in the batches that the stored tokens were computed in: alike up to rounding, and never another's.
    EXPECT_LT(difference(answer.logits, runner.computed(prompt, 0)), 0.5f);
  }
}

// LMCache #4463: another layout of the same shape was taken for the known one (it cannot be told apart with 2 K/V heads).
TEST_F(WrongReuse, LayoutsOfTheSameShapeTakenForEachOther) {
  const Tokens prompt = some_tokens(180);
  const Cache cache;
  Runner f16(cache, llama_), bf16(cache, llama_, {{"model_cache_type_k", "bf16"}, {"model_cache_type_v", "bf16"}});
  Runner across(cache, llama_, {{"model_flash_attention", "off"}});
  expect_apart(&f16, &bf16, prompt);
  const Answer answer = across.ask(prompt);
  EXPECT_EQ(answer.reused, 0u);
  EXPECT_EQ(difference(answer.logits, across.computed(prompt, 0)), 0);
  for (Runner* runner : {&f16, &bf16, &across}) expect_own(runner, prompt, true);
}

// LMCache #4991: what could not be stored stayed visible to lookups, and came back as garbage.
TEST_F(WrongReuse, FailedStoresStayedVisible) {
  const Cache cache("640KiB");  // 1.5 KiB a token: not all of a prompt has room
  Runner runner(cache, llama_);
  size_t refused = 0;
  for (uint32_t i = 0; i < 6; ++i) {
    const Tokens prompt = some_tokens(500, 70 + i);
    Runner::Sequence s = runner.open(prompt);
    runner.run(&s, after(prompt, s.reused));
    try {
      runner.store(&s);
    } catch (const std::runtime_error&) {
      ++refused;
    }
    runner.close(&s);
    Tokens next = first(prompt, 300);
    next.push_back(259);
    Runner::Sequence again = runner.open(next);
    EXPECT_LE(again.reused, 300u);
    runner.run(&again, after(next, again.reused));
    EXPECT_LT(difference(again.logits, runner.computed(next, 0)), 0.5f) << again.reused << " tokens reused";
    runner.close(&again);
  }
  EXPECT_GT(refused, 0u) << "the cache was to be too small";
}

// SGLang #24758: pages of one model loaded into another of the same shape. And its reverse: a renamed file finds its own.
TEST_F(WrongReuse, AnotherModelsPagesLoaded) {
  const Tokens prompt = some_tokens(180);
  const Cache cache;
  Runner model(cache, llama_), renamed(cache, model_file("llama_copy")), other(cache, model_file("llama_weights"));
  expect_apart(&model, &other, prompt);
  const Answer answer = renamed.ask(prompt);
  EXPECT_EQ(answer.reused, prompt.size() - 1);
  EXPECT_EQ(difference(answer.logits, model.computed(prompt, answer.reused)), 0);
}

// SGLang #33268: keys that leave out the type of the cache.
TEST_F(WrongReuse, CacheTypesLeftOutOfTheKey) {
  const Tokens prompt = some_tokens(180);
  const Cache cache;
  Runner f16(cache, llama_), q8(cache, llama_, {{"model_cache_type_k", "q8_0"}, {"model_cache_type_v", "q8_0"}}),
      q4(cache, llama_, {{"model_cache_type_k", "q4_0"}, {"model_cache_type_v", "q4_0"}}),
      mixed(cache, llama_, {{"model_cache_type_k", "q8_0"}});
  expect_apart(&f16, &q8, prompt);
  expect_apart(&f16, &q4, prompt);
  expect_apart(&q8, &mixed, prompt);
  for (Runner* runner : {&f16, &q8, &q4, &mixed}) expect_own(runner, prompt, true);
}

// SGLang #26792, lmdeploy #4917: pages of the weights before an update. Here the file keeps its name, its size, and, by
// intent, its time.
TEST_F(WrongReuse, PagesFromBeforeAnUpdateOfTheWeights) {
  const std::string file = folder() + "/model.gguf";
  const Tokens prompt = some_tokens(180);
  const Cache cache;
  fs::copy_file(llama_, file);
  struct stat before;
  ASSERT_EQ(stat(file.c_str(), &before), 0);
  {
    Runner runner(cache, file);
    runner.ask(prompt);
  }
  fs::copy_file(model_file("llama_weights"), file, fs::copy_options::overwrite_existing);
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  Runner updated(cache, file);
  const Answer answer = updated.ask(prompt);
  EXPECT_EQ(answer.reused, 0u);
  Runner truth(cache, model_file("llama_weights"));
  EXPECT_EQ(difference(answer.logits, truth.computed(prompt, 0)), 0);
  EXPECT_EQ(truth.ask(prompt).reused, prompt.size() - 1) << "the new file is the other model, and finds what it stored";
}

// SGLang #26747, LMCache #2961, vLLM #44701: adapters left out of the key, or known by their name alone.
TEST_F(WrongReuse, AdaptersConfused) {
  fs::create_directories(folder() + "/one");
  fs::create_directories(folder() + "/two");
  fs::copy_file(model_file("lora_a"), folder() + "/one/adapter.gguf");
  fs::copy_file(model_file("lora_b"), folder() + "/two/adapter.gguf");
  const Tokens prompt = some_tokens(180);
  const Cache cache;
  const std::string a = folder() + "/one/adapter.gguf", b = folder() + "/two/adapter.gguf";
  Runner none(cache, llama_), with_a(cache, llama_, {{"model_lora", a}}), with_b(cache, llama_, {{"model_lora", b}}),
      half_a(cache, llama_, {{"model_lora", a + "=0.5"}}), both(cache, llama_, {{"model_lora", a + "," + b}});
  Runner* const all[] = {&none, &with_a, &with_b, &half_a, &both};
  for (Runner* runner : all) {
    const Answer answer = runner->ask(prompt);
    EXPECT_EQ(answer.reused, 0u);
    EXPECT_EQ(difference(answer.logits, runner->computed(prompt, 0)), 0);
  }
  for (Runner* runner : all) expect_own(runner, prompt, true);
  Runner same_a(cache, llama_, {{"model_lora", model_file("lora_a") + "=1"}});
  EXPECT_EQ(same_a.ask(prompt).reused, prompt.size() - 1) << "the same adapter in another file is the same";
}

// TensorRT-LLM #8813: answers with tokens of other prompts once the cache is under pressure.
TEST_F(WrongReuse, PromptsMixedUnderPressure) {
  const Cache cache("1500KiB");
  Runner runner(cache, llama_);
  uint32_t x = 1;
  size_t partly = 0;
  for (int i = 0; i < (std::getenv("KVC_TEST_QUICK") != nullptr ? 30 : 120); ++i) {
    x = x * 1664525u + 1013904223u;
    const Tokens prompt = some_tokens(40 + (x >> 20) % 160, 200 + (x >> 12) % 12);
    Runner::Sequence s = runner.open(prompt);
    partly += s.reused > 1 && s.reused + 1 < prompt.size();
    runner.run(&s, after(prompt, s.reused));
    runner.store(&s);
    EXPECT_LT(difference(s.logits, runner.computed(prompt, 0)), 0.5f) << s.reused << " tokens reused";
    runner.close(&s);
  }
  EXPECT_GT(partly, 0u);
}

// TensorRT-LLM #15503, #2217: logits moved by reuse. Here a text grows by what is restored and stored again, many times.
TEST_F(WrongReuse, LogitsMovedByReuse) {
  const Cache cache;
  const Tokens text = some_tokens(600);
  for (const char* type : {"f16", "q8_0"}) {
    Runner runner(cache, llama_, {{"model_cache_type_k", type}, {"model_cache_type_v", type}});
    Runner::Sequence steady = runner.open(text, false);
    for (size_t at = 0; at < text.size(); at += 37) {
      const size_t end = std::min(at + 37, text.size());
      const Tokens step(text.begin() + static_cast<long>(at), text.begin() + static_cast<long>(end));
      runner.run(&steady, step);
    }
    runner.close(&steady);
    Logits grown;
    for (size_t at = 0; at < text.size(); at += 37) {
      const size_t end = std::min(at + 37, text.size());
      Runner::Sequence s = runner.open(first(text, std::min(end, at + 1)));
      ASSERT_EQ(s.reused, at);
      runner.run(&s, Tokens(text.begin() + static_cast<long>(at), text.begin() + static_cast<long>(end)));
      runner.store(&s);
      grown = s.logits;
      runner.close(&s);
    }
    EXPECT_EQ(difference(grown, steady.logits), 0) << type;
  }
}

// llama.cpp #18552, #25295: restoring the state of a sliding window gave something else each time.
TEST_F(WrongReuse, SlidingWindowsRestoredDifferentlyEachTime) {
  Engine engine(model_options(model_file("swa"), {{"model_resident", "0"}}));
  ASSERT_EQ(engine.status(), KVC_OK) << engine.error();
  const Tokens prompt = some_tokens(300);
  Tokens branch = first(prompt, 150);  // far behind the window of the stored end
  const Tokens other = some_tokens(60, 4);
  branch.insert(branch.end(), other.begin() + 1, other.end());
  const Tokens expected = engine.ask(prompt, 12, true).tokens, expected_branch = engine.ask(branch, 12, true).tokens;
  engine.ask(prompt, 12);
  for (int i = 0; i < 5; ++i) {
    const Engine::Answer again = engine.ask(prompt, 12), branched = engine.ask(branch, 12);
    EXPECT_EQ(again.tokens, expected) << again.error;
    EXPECT_EQ(branched.tokens, expected_branch) << branched.error;
    EXPECT_GE(again.cached, 256u);
    EXPECT_GE(branched.cached, 128u);
  }
}

// llama.cpp #28276: a restored sequence kept a longer stored one from being found.
TEST_F(WrongReuse, ALongerPrefixHiddenByAShorterOne) {
  const Cache cache;
  Runner runner(cache, llama_);
  const Tokens text = some_tokens(400);
  runner.ask(first(text, 300));
  runner.ask(first(text, 100));
  runner.ask(first(text, 100));
  const Answer answer = runner.ask(text);
  EXPECT_EQ(answer.reused, 300u);
  EXPECT_EQ(difference(answer.logits, runner.computed(text, 300)), 0);
}

// LMCache #4247, Mooncake #4153, transformers #48947: prompts with a common beginning, mixed up on hybrid models.
// llama.cpp #25913, #28194, #27813: no reuse at all on such models, without a word.
TEST_F(WrongReuse, HybridAndRecurrentModelsMixedUpOrNeverReused) {
  for (const char* name : {"hybrid", "mamba", "swa"}) {
    Engine engine(model_options(model_file(name), {{"model_state_tokens", "64"}, {"model_resident", "0"}}));
    ASSERT_EQ(engine.status(), KVC_OK) << engine.error();
    const Tokens shared = some_tokens(200);
    std::vector<Tokens> prompts;
    for (uint32_t i = 0; i < 4; ++i) {
      Tokens prompt = shared;
      const Tokens own = some_tokens(60, 30 + i);
      prompt.insert(prompt.end(), own.begin() + 1, own.end());
      prompts.push_back(prompt);
    }
    std::vector<Tokens> expected;
    for (const Tokens& prompt : prompts) expected.push_back(engine.ask(prompt, 12, true).tokens);
    for (int round = 0; round < 3; ++round) {
      for (size_t i = 0; i < prompts.size(); ++i) {
        const Engine::Answer answer = engine.ask(prompts[i], 12);
        EXPECT_EQ(answer.status, KVC_OK) << answer.error;
        EXPECT_EQ(answer.tokens, expected[i]) << name << ", round " << round << ", " << answer.cached << " cached";
        if (round > 0 || i > 1) {
          EXPECT_GE(answer.cached, 128u) << name << ": a checkpoint of what is shared was to be found";
        }
      }
    }
  }
}

// llama.cpp #27148: under concurrent load, a fresh slot got the content of an unrelated conversation.
TEST_F(WrongReuse, UnrelatedConversationsRestoredUnderLoad) {
  Engine engine(model_options(llama_, {{"threads", "1"}, {"max_batch", "4"}, {"memory", "3MiB"}, {"model_resident", "2"}}));
  ASSERT_EQ(engine.status(), KVC_OK) << engine.error();
  constexpr int kThreads = 4, kPrompts = 6;
  const auto prompt_of = [](int thread, int i) { return some_tokens(150 + 10 * static_cast<size_t>(i), 300 + thread * 10 + i); };
  std::vector<std::vector<Tokens>> expected(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kPrompts; ++i) expected[t].push_back(engine.ask(prompt_of(t, i), 8, true).tokens);
  }
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0}, failed{0};
  for (int t = 0; t < kThreads; ++t) {
    clients.emplace_back([&, t] {
      for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < kPrompts; ++i) {
          const Engine::Answer answer = engine.ask(prompt_of(t, i), 8);
          failed += answer.status != KVC_OK;
          wrong += answer.status == KVC_OK && answer.tokens != expected[t][i];
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0);
}

// vLLM #44701: a name chosen by one tenant met another's. Tenants with the same prompt find nothing of each other.
TEST_F(WrongReuse, TenantsFoundEachOthersPages) {
  const Cache cache;
  Runner runner(cache, llama_);
  const Tokens prompt = some_tokens(180);
  runner.ask(prompt, true, "one");
  EXPECT_EQ(runner.ask(prompt, true, "two").reused, 0u);
  EXPECT_EQ(runner.ask(prompt).reused, 0u);
  EXPECT_EQ(runner.ask(prompt, true, "one").reused, prompt.size() - 1);
}

}  // namespace
}  // namespace kvc::llama_test

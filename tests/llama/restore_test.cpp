// What is restored from pages gives the logits of what was computed, to the bit where the batches are the same.
#include "kvc_support.h"

namespace kvc::llama_test {
namespace {

struct Cache {
  const char* name;
  const char* model;
  const char* k;
  const char* v;
  const char* flash;
  const char* codec = "identity";
};

class LlamaRestore : public testing::TestWithParam<Cache> {
 protected:
  OptionList options(const OptionList& more = {}) const {
    const Cache& c = GetParam();
    OptionList all = {{"model_cache_type_k", c.k},
                      {"model_cache_type_v", c.v},
                      {"model_flash_attention", c.flash},
                      {"codec", c.codec}};
    all.insert(all.end(), more.begin(), more.end());
    return model_options(model_file(c.model), all);
  }
};

// A prefix of every length around borders of pages (16 tokens) and of the chunks that are copied.
TEST_P(LlamaRestore, GivesTheLogitsOfAFreshRunAroundPageBorders) {
  Module module(options({{"model_resident", "0"}}));
  ASSERT_TRUE(module.is_open()) << module.error();
  ASSERT_EQ(module.info().state_tokens, 0u) << module.info().details;
  const Tokens all = some_tokens(220);
  uint64_t sequence = 0;
  for (const size_t n : {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 207, 208, 209}) {
    const Tokens prefix = first(all, n), rest(all.begin() + n, all.begin() + n + 5);
    module.open(++sequence);
    module.forward(sequence, prefix, 0);
    kvc_session_t* session = module.session();
    module.store(sequence, session, prefix, 0);
    const Logits fresh = module.forward(sequence, rest, static_cast<uint32_t>(n));
    module.close(sequence);

    module.open(++sequence);
    module.restore(sequence, session, prefix);
    EXPECT_EQ(module.forward(sequence, rest, static_cast<uint32_t>(n)), fresh) << n;
    module.close(sequence);
    EXPECT_EQ(KVC_OK, kvc_session_close(session, KVC_CLOSE_FINISHED, 0));
  }
}

// The same when it is stored bit by bit, late, and cut when it is restored.
TEST_P(LlamaRestore, TakesTheBeginningOfWhatWasStoredInPieces) {
  Module module(options({{"model_resident", "0"}}));
  ASSERT_TRUE(module.is_open()) << module.error();
  const Tokens all = some_tokens(150);
  module.open(1);
  module.forward(1, first(all, 100), 0);
  kvc_session_t* session = module.session();
  for (uint32_t at = 0; at < 96;) {
    const uint32_t n = std::min(96 - at, 7 + at % 13);
    module.store(1, session, Tokens(all.begin() + at, all.begin() + at + n), at);
    at += n;
  }
  module.close(1);
  for (const size_t n : {1, 16, 40, 95, 96}) {
    module.open(2);
    module.restore(2, session, first(all, n));
    const Tokens rest(all.begin() + n, all.begin() + n + 40);
    const Logits restored = module.forward(2, rest, static_cast<uint32_t>(n));
    module.close(2);
    module.open(3);
    module.forward(3, first(all, n), 0);
    const Logits fresh = module.forward(3, rest, static_cast<uint32_t>(n));
    module.close(3);
    // K/V of a prefix depend in their last bits on the batch that they were computed in.
    EXPECT_LT(difference(restored, fresh), 0.5f) << n;  // logits are spread over 40
  }
  EXPECT_EQ(KVC_OK, kvc_session_close(session, KVC_CLOSE_FINISHED, 0));
}

// A sequence that ended and stays in the cells is as good as one that is restored.
TEST_P(LlamaRestore, ContinuesAResidentSequence) {
  Module module(options({{"model_resident", "2"}}));
  ASSERT_TRUE(module.is_open()) << module.error();
  const Tokens all = some_tokens(120);
  const Tokens rest(all.begin() + 100, all.begin() + 105);
  module.open(1);
  module.forward(1, first(all, 100), 0);
  kvc_session_t* session = module.session();
  module.store(1, session, first(all, 100), 0);
  const Logits fresh = module.forward(1, rest, 100);
  module.close(1);
  for (uint64_t sequence = 2; sequence < 5; ++sequence) {
    module.open(sequence);
    module.restore(sequence, session, first(all, 100));
    EXPECT_EQ(module.forward(sequence, rest, 100), fresh) << sequence;
    module.close(sequence);
  }
  // Half of it, and then something else.
  const Tokens other = some_tokens(20, 5);
  module.open(9);
  module.restore(9, session, first(all, 50));
  const Logits forked = module.forward(9, other, 50);
  module.close(9);
  module.open(10);
  module.forward(10, first(all, 50), 0);
  EXPECT_LT(difference(module.forward(10, other, 50), forked), 0.5f);  // logits are spread over 40
  module.close(10);
  EXPECT_EQ(KVC_OK, kvc_session_close(session, KVC_CLOSE_FINISHED, 0));
}

INSTANTIATE_TEST_SUITE_P(
    Caches, LlamaRestore,
    testing::Values(Cache{"F16Flash", "llama", "f16", "f16", "on"}, Cache{"F16NoFlash", "llama", "f16", "f16", "off"},
                    Cache{"F32NoFlash", "llama", "f32", "f32", "off"},
                    Cache{"Bf16Flash", "llama", "bf16", "bf16", "on"}, Cache{"Q8Flash", "llama", "q8_0", "q8_0", "on"},
                    Cache{"Q8KeysNoFlash", "llama", "q8_0", "f16", "off"},
                    Cache{"Q4Flash", "llama", "q4_0", "q4_0", "on"}, Cache{"WindowF16Flash", "swa", "f16", "f16", "on"},
                    Cache{"WindowF16NoFlash", "swa", "f16", "f16", "off"},
                    Cache{"WindowQ8Flash", "swa", "q8_0", "q8_0", "on"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace kvc::llama_test

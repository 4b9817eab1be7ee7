// What a token gets - K, V and logits, to the last bit - depends on the tokens before it alone: not on how they were
// cut into calls, not on what else was in the call, not on whether they came from the cache.
#include "builtin_fixture.h"
#include "model/builtin/decoder.h"

namespace kvc::test {
namespace {

class BuiltinReuseTest : public BuiltinTest {
 protected:
  // Words of a small vocabulary, so that prompts look a little like text and repeat themselves.
  Tokens random_prompt(size_t n) {
    static constexpr std::string_view kWords[] = {"and ",  "the ", "LORD ",     "said ",    "unto ", "Moses, ",
                                                  "king ", "of ",  "Israel.\n", "\xc3\xa9", "I "};
    Tokens tokens{256};
    while (tokens.size() < n) {
      for (char c : kWords[random_.next() % std::size(kWords)]) tokens.push_back(static_cast<uint8_t>(c));
    }
    tokens.resize(n);
    return tokens;
  }

  Random random_{20};
};

TEST_F(BuiltinReuseTest, ChunksDoNotMatter) {
  const auto fresh = new_cache(false);
  for (size_t n : {1, 2, 63, 64, 65, 128, 300, 701, 1500}) {
    if (quick() && n > 128) break;
    const Tokens prompt = random_prompt(n);
    const auto whole = open(fresh.get());
    const Logits expected = step(whole.get(), prompt);
    const auto expected_kv = kv(whole.get());
    for (int round = 0; round < (quick() ? 2 : 6); ++round) {
      std::vector<size_t> chunks = random_chunks(random_, n);
      if (round == 0 && n <= 300) chunks.assign(n, 1);
      const auto session = open(fresh.get());
      ASSERT_EQ(steps(session.get(), prompt, chunks), expected) << n << " tokens, round " << round;
      ASSERT_EQ(kv(session.get()), expected_kv) << n << " tokens, round " << round;
    }
  }
}

TEST_F(BuiltinReuseTest, NeighboursInTheBatchDoNotMatter) {
  const auto fresh = new_cache(false);
  for (int round = 0; round < (quick() ? 2 : 12); ++round) {
    // Each sequence goes its own way through calls that it shares with the others.
    struct Sequence {
      Tokens tokens;
      std::vector<size_t> chunks;
      std::unique_ptr<Session> session;
      size_t done = 0, next = 0;
      Logits logits;
    };
    std::vector<Sequence> sequences(2 + random_.next() % 9);
    for (Sequence& s : sequences) {
      s.tokens = random_prompt(1 + random_.next() % 200);
      s.chunks = random_chunks(random_, s.tokens.size());
      s.session = open(fresh.get());
      s.logits.resize(backend_->info().vocab_size);
    }
    for (;;) {
      std::vector<ForwardItem> items;
      std::vector<Sequence*> in_call;
      for (Sequence& s : sequences) {
        if (s.next == s.chunks.size() || random_.next() % 4 == 0) continue;
        const size_t n = s.chunks[s.next];
        items.push_back(item(s.session.get(), std::span(s.tokens).subspan(s.done, n),
                             random_.next() % 2 ? s.logits.data() : nullptr));
        if (s.next + 1 == s.chunks.size()) items.back().logits = s.logits.data();
        in_call.push_back(&s);
      }
      if (!items.empty()) check(backend_->forward(items));
      for (Sequence* s : in_call) {
        check(s->session->commit(std::span(s->tokens).subspan(s->done, s->chunks[s->next])));
        s->done += s->chunks[s->next++];
      }
      const auto finished = [](const Sequence& s) { return s.next == s.chunks.size(); };
      if (std::all_of(sequences.begin(), sequences.end(), finished)) break;
    }
    for (Sequence& s : sequences) {
      const auto alone = open(fresh.get());
      ASSERT_EQ(step(alone.get(), s.tokens), s.logits) << "round " << round;
      ASSERT_EQ(kv(alone.get()), kv(s.session.get())) << "round " << round;
    }
  }
}

// Hundreds of prompts that share beginnings, with sessions that fork, are cut and go on; answers are compared with
// those of a cache that never reuses anything.
TEST_F(BuiltinReuseTest, AnswersWithReuseEqualAnswersWithout) {
  const auto fresh = new_cache(false);
  std::vector<Tokens> known{random_prompt(400), random_prompt(150)};
  size_t reused_tokens = 0, whole_pages = 0, inside_pages = 0;
  const int rounds = quick() ? 8 : 300;
  for (int round = 0; round < rounds; ++round) {
    // A known text up to some place, then something new.
    Tokens prompt = known[random_.next() % known.size()];
    prompt.resize(1 + random_.next() % prompt.size());
    const Tokens more = random_prompt(1 + random_.next() % 90);
    prompt.insert(prompt.end(), more.begin() + 1, more.end());

    auto session = open();
    size_t reused = 0;
    check(session->match(prompt, &reused));
    ASSERT_LE(reused, prompt.size());
    if (reused == prompt.size()) {
      check(session->truncate(--reused));  // logits need a token
    }
    reused_tokens += reused;
    (reused % 64 == 0 ? whole_pages : inside_pages) += reused > 0;
    const auto rest = std::span<const int32_t>(prompt).subspan(reused);
    Logits logits = steps(session.get(), rest, random_chunks(random_, rest.size()));

    // Sometimes by way of a fork, or of a detour that is cut off again.
    if (round % 3 == 1) {
      std::unique_ptr<Session> twin;
      check(session->fork(&twin));
      step(session.get(), random_prompt(1 + random_.next() % 100));  // must not reach the twin
      session = std::move(twin);
    } else if (round % 3 == 2) {
      step(session.get(), random_prompt(1 + random_.next() % 100));
      check(session->truncate(prompt.size() - 1));
      ASSERT_EQ(step(session.get(), std::span(prompt).last(1)), logits) << "round " << round;
    }
    const Tokens answer = continue_with(session.get(), logits, 6);

    const auto plain = open(fresh.get());
    const Logits expected = step(plain.get(), prompt);
    ASSERT_EQ(logits, expected) << "round " << round << ", " << reused << " of " << prompt.size() << " tokens reused";
    ASSERT_EQ(answer, continue_with(plain.get(), expected, 6)) << "round " << round;
    if (round % 10 == 0) {
      ASSERT_EQ(kv(session.get()), kv(plain.get())) << "round " << round;
    }
    prompt.insert(prompt.end(), answer.begin(), answer.end());
    if (prompt.size() < 500) known.push_back(std::move(prompt));
  }
  // The test is about reuse only if there was some, of both kinds.
  EXPECT_GT(reused_tokens, size_t(rounds) * 20);
  EXPECT_GT(inside_pages, 0u);
  if (!quick()) {
    EXPECT_GT(whole_pages, 0u);
  }
}

// Machines without AVX2 get other roundings, but the same rule and nearly the same numbers.
TEST_F(BuiltinReuseTest, ChunksDoNotMatterWithoutAvx2) {
  builtin::Weights weights;
  check(builtin::parse_weights(builtin::embedded_weights(), &weights));
  builtin::Decoder decoder(&weights, builtin::baseline_kernels());
  const auto fresh = new_cache(false);
  const Tokens prompt = random_prompt(quick() ? 90 : 330);
  const auto run = [&](const std::vector<size_t>& chunks) {
    const auto session = open(fresh.get());
    Logits logits(backend_->info().vocab_size);
    size_t at = 0;
    for (size_t n : chunks) {
      const auto tokens = std::span(prompt).subspan(at, n);
      const ForwardItem one = item(session.get(), tokens, logits.data());
      check(decoder.forward({&one, 1}));
      check(session->commit(tokens));
      at += n;
    }
    return logits;
  };
  const Logits whole = run({prompt.size()});
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(run(random_chunks(random_, prompt.size())), whole) << "round " << round;
  }
  const Logits best = step(open(fresh.get()).get(), prompt);
  for (size_t i = 0; i < best.size(); ++i) ASSERT_NEAR(whole[i], best[i], 1e-2) << "token " << i;
}

TEST_F(BuiltinReuseTest, TokensWithoutLogitsGetTheSameKv) {
  const Tokens prompt = random_prompt(200);
  const auto fresh = new_cache(false);
  const auto with = open(fresh.get()), without = open(fresh.get());
  step(with.get(), prompt);
  const ForwardItem one = item(without.get(), prompt, nullptr);
  check(backend_->forward({&one, 1}));
  check(without->commit(prompt));
  EXPECT_EQ(kv(with.get()), kv(without.get()));
}

}  // namespace
}  // namespace kvc::test

// With reuse or without, alone or in company, with much memory or little: the same answer, token for token.
#include "answers_support.h"

namespace kvc_test {
namespace {

size_t common(const Tokens& a, const Tokens& b) {
  size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

TEST_F(AnswersTest, ATraceTellsHowLongAnswersWere) {
  const std::string path = testing::TempDir() + "kvc_answers_trace.jsonl";
  Engine engine(with_model({}));
  ASSERT_STATUS(KVC_OK, kvc_trace_start(engine, path.c_str()), engine);
  for (uint32_t n : {3u, 7u}) {
    Ask question;
    question.prompt = corpus().substr(100 * n, 200);
    question.max_tokens = n;
    ASSERT_EQ(n, ask(engine, question).tokens.size());
  }
  ASSERT_STATUS(KVC_OK, kvc_trace_stop(engine, nullptr), engine);
  std::ifstream file(path);
  std::stringstream lines;
  lines << file.rdbuf();
  EXPECT_NE(std::string::npos, lines.str().find("\"output_length\": 3,")) << lines.str();
  EXPECT_NE(std::string::npos, lines.str().find("\"output_length\": 7,")) << lines.str();
  std::remove(path.c_str());
}

TEST_F(AnswersTest, ReuseChangesNoAnswer) {
  Engine engine(with_model({}));
  std::mt19937_64 random(20260);
  struct Stored {
    Tokens prompt, all;
  };
  std::vector<Stored> stored;
  uint64_t hits = 0;
  const int n = quick() ? 40 : 320;
  for (int i = 0; i < n; ++i) {
    SCOPED_TRACE("prompt " + std::to_string(i));
    const Ask question = random_ask(random, i);
    const Reply with = ask(engine, question);
    const Reply without = plain(question);
    ASSERT_EQ(without, with) << "prompt: " << question.prompt << "\nwithout: " << without.text
                             << "\nwith: " << with.text;
    ASSERT_EQ(question.max_tokens,
              with.tokens.size() + (with.finish == KVC_FINISH_EOS ? question.max_tokens - with.tokens.size() : 0));
    // All of earlier prompts is found, and perhaps of their answers; the last token is always computed.
    Tokens prompt = tokenize(engine, question.prompt);
    if (prompt.size() + 1 == with.prompt_tokens)
      prompt.insert(prompt.begin(), -1);  // stands for the token that begins a text
    ASSERT_EQ(prompt.size(), with.prompt_tokens);
    size_t least = 0, most = 0;
    for (const Stored& s : stored) {
      least = std::max(least, common(prompt, s.prompt));
      most = std::max(most, common(prompt, s.all));
    }
    least = std::min(least, prompt.size() - 1);
    if (least == 1) least = 0;  // the token that begins every text is no hit
    ASSERT_GE(with.cached, least);
    ASSERT_LE(with.cached, std::min(most, prompt.size() - 1));
    hits += with.hit;
    stored.push_back({prompt, concat(prompt, with.tokens)});
  }
  EXPECT_GT(hits, static_cast<uint64_t>(n) / 3) << "too few prompts met to prove anything";
  EXPECT_EQ(0u, engine.stats().pages_evicted);
  EXPECT_EQ(0u, reference_->stats().pages) << "no_cache stores nothing";
}

TEST_F(AnswersTest, ConversationsOfSeveralTenantsUnderPressure) {
  const kvc_space_info_t info = layout(*reference_);
  // Room for one long conversation and a half.
  Options options = {{"memory", std::to_string(24 * info.page_bytes) + "B"}};
  Engine engine(with_model(options));
  std::mt19937_64 random(77);
  struct Talk {
    std::string tenant, id, text;
  };
  std::vector<Talk> talks;
  for (int i = 0; i < 6; ++i)
    talks.push_back({i % 2 == 0 ? "a" : "b", "talk-" + std::to_string(i), corpus().substr(100 * (i / 2), 200)});
  const int n = quick() ? 20 : 120;
  uint64_t hits = 0;
  for (int i = 0; i < n; ++i) {
    SCOPED_TRACE("turn " + std::to_string(i));
    Talk& talk = talks[random() % talks.size()];
    if (talk.text.size() > 900)
      talk.text = talk.text.substr(0, random() % 600 + 1);  // forgets the end and goes on differently
    talk.text += cut(random, 60) + "?\n";
    Ask question;
    question.prompt = talk.text;
    question.tenant = talk.tenant;
    question.session_id = talk.id;
    question.max_tokens = 6;
    question.temperature = i % 3 == 0 ? 0.8 : 0;
    question.seed = random();
    const Reply with = ask(engine, question);
    ASSERT_EQ(plain(question), with) << question.prompt;
    hits += with.hit;
    talk.text += with.text;
    const kvc_stats_t stats = engine.stats();
    ASSERT_LE(stats.memory_peak, stats.memory_budget);
  }
  EXPECT_GT(hits, 0u);
  EXPECT_GT(engine.stats().pages_evicted, 0u) << "there was no pressure";
}

TEST_F(AnswersTest, BatchesAnswerAsEachAlone) {
  Engine engine(with_model({}));
  std::mt19937_64 random(5);
  for (int round = 0; round < (quick() ? 2 : 8); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::vector<Ask> questions;
    for (int i = 0; i < 10; ++i) questions.push_back(random_ask(random, i));
    for (int i = 0; i < 3; ++i)
      questions.push_back(questions[static_cast<size_t>(i)]);  // the very same, at the same time
    questions[4].no_cache = true;
    std::vector<kvc_request_t> requests;
    for (const Ask& q : questions) requests.push_back(q.request());
    std::vector<kvc_response_t*> responses(requests.size(), nullptr);
    ASSERT_STATUS(KVC_OK, kvc_process_batch(engine, requests.data(), requests.size(), responses.data()),
                  static_cast<kvc_engine_t*>(engine));
    for (size_t i = 0; i < questions.size(); ++i) {
      const Reply reply = take(responses[i]);
      ASSERT_EQ(plain(questions[i]), reply) << "request " << i << ": " << questions[i].prompt;
    }
  }
}

TEST_F(AnswersTest, SubmittedAnswersStreamTheirText) {
  for (const char* threads : {"1", "0"}) {
    SCOPED_TRACE(std::string("threads ") + threads);
    Engine engine(with_model({{"threads", threads}}));
    std::mt19937_64 random(9);
    const int n = quick() ? 8 : 32;
    std::vector<Ask> questions;
    std::vector<kvc_ticket_t> tickets;
    for (int i = 0; i < n; ++i) {
      questions.push_back(random_ask(random, i));
      const kvc_request_t request = questions.back().request();
      kvc_ticket_t ticket = 0;
      ASSERT_STATUS(KVC_OK, kvc_submit(engine, &request, &ticket), static_cast<kvc_engine_t*>(engine));
      ASSERT_NE(0u, ticket);
      tickets.push_back(ticket);
    }
    for (int i = 0; i < n; ++i) {
      std::string text;
      char piece[8];
      for (;;) {
        size_t size = 0;
        const kvc_status_t status = kvc_next(engine, tickets[i], UINT64_MAX, piece, sizeof piece, &size);
        if (status == KVC_END) break;
        ASSERT_STATUS(KVC_OK, status, static_cast<kvc_engine_t*>(engine));
        ASSERT_GT(size, 0u);
        ASSERT_EQ(0, piece[size]);
        text.append(piece, size);
      }
      kvc_response_t* response = nullptr;
      ASSERT_STATUS(KVC_OK, kvc_wait(engine, tickets[i], UINT64_MAX, &response), static_cast<kvc_engine_t*>(engine));
      const Reply reply = take(response);
      EXPECT_EQ(reply.text, text);
      ASSERT_EQ(plain(questions[static_cast<size_t>(i)]), reply) << i;
      EXPECT_EQ(KVC_E_NOT_FOUND, kvc_wait(engine, tickets[i], 0, &response));
    }
  }
}

TEST_F(AnswersTest, CallbacksStreamTheSameText) {
  Engine engine(with_model({}));
  std::mt19937_64 random(31);
  for (int i = 0; i < 10; ++i) {
    const Ask question = random_ask(random, i);
    kvc_request_t request = question.request();
    std::string text;
    request.user_data = &text;
    request.on_text = [](void* user, kvc_ticket_t, const char* piece, size_t size) -> kvc_status_t {
      static_cast<std::string*>(user)->append(piece, size);
      return KVC_OK;
    };
    kvc_response_t* response = nullptr;
    ASSERT_STATUS(KVC_OK, kvc_process(engine, &request, &response), static_cast<kvc_engine_t*>(engine));
    const Reply reply = take(response);
    EXPECT_EQ(reply.text, text);
    EXPECT_EQ(plain(question), reply);
  }
}

TEST_F(AnswersTest, StatisticsAddUp) {
  Engine engine(with_model({}));
  std::mt19937_64 random(13);
  uint64_t prompt = 0, cached = 0, computed = 0, generated = 0, hits = 0;
  const int n = 30;
  for (int i = 0; i < n; ++i) {
    const Reply reply = ask(engine, random_ask(random, i));
    prompt += reply.prompt_tokens;
    cached += reply.cached;
    computed += reply.computed;
    generated += reply.tokens.size();
    hits += reply.hit;
  }
  const kvc_stats_t s = engine.stats();
  EXPECT_EQ(static_cast<uint64_t>(n), s.requests);
  EXPECT_EQ(static_cast<uint64_t>(n), s.requests_completed);
  EXPECT_EQ(0u, s.requests_failed + s.requests_cancelled + s.requests_refused + s.requests_queued + s.requests_active);
  EXPECT_EQ(hits, s.request_hits);
  EXPECT_EQ(static_cast<uint64_t>(n) - hits, s.request_misses);
  EXPECT_DOUBLE_EQ(static_cast<double>(hits) / n, s.hit_rate);
  EXPECT_EQ(prompt, s.prompt_tokens);
  EXPECT_EQ(cached, s.cached_tokens);
  EXPECT_EQ(computed, s.computed_tokens);
  EXPECT_EQ(generated, s.generated_tokens);
  EXPECT_DOUBLE_EQ(static_cast<double>(cached) / static_cast<double>(cached + computed), s.token_hit_rate);
  EXPECT_GT(s.latency_p99_ns, 0u);
  EXPECT_LE(s.latency_p50_ns, s.latency_p95_ns);
  EXPECT_LE(s.latency_p95_ns, s.latency_p99_ns);
  EXPECT_LE(s.ttft_p50_ns, s.latency_p99_ns + s.latency_p99_ns / 32);
  EXPECT_GT(s.saved_ns, 0u);
  EXPECT_EQ(0u, s.sessions) << "requests leave no session open";
  EXPECT_EQ(s.pages, engine.pages().size());
  EXPECT_EQ(s.memory_payload, s.host_bytes);
}

}  // namespace
}  // namespace kvc_test

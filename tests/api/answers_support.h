// What the tests of answers share: the built-in model's engine, requests in one line, and prompts cut and spliced from
// real text.
#pragma once

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "core_support.h"

namespace kvc_test {

// The held-out text of the model's tests, printable ASCII only, so that it can be cut anywhere.
inline const std::string& corpus() {
  static const std::string* text = [] {
    std::ifstream file(std::string(KVC_TEST_DATA_DIR) + "/../model/heldout.txt");
    std::stringstream buffer;
    buffer << file.rdbuf();
    auto* out = new std::string;
    for (char c : buffer.str())
      if (c == '\n' || (c >= 32 && c < 127)) out->push_back(c);
    EXPECT_GT(out->size(), 10000u) << "heldout.txt is missing";
    if (out->empty()) out->assign(20000, 'x');
    return out;
  }();
  return *text;
}
inline std::string cut(std::mt19937_64& random, size_t most) {
  const size_t n = random() % (most + 1);
  return corpus().substr(random() % (corpus().size() - n), n);
}

// One of a few long texts up to a random place, then something else, sometimes twice: prompts that share prefixes of
// all lengths.
inline std::string spliced(std::mt19937_64& random, size_t most = 300) {
  const size_t document = random() % 5;
  std::string prompt = corpus().substr(document * 2000, 1 + random() % most);
  if (random() % 3 != 0) prompt += cut(random, 80);
  if (random() % 4 == 0) prompt += corpus().substr(document * 2000, random() % 100);
  return prompt;
}

struct Ask {
  std::string prompt;
  uint32_t max_tokens = 8;
  double temperature = 0;
  uint64_t seed = 0;
  bool no_cache = false;
  std::string tenant;
  std::string session_id;
  uint32_t top_k = 0;
  double top_p = 1;

  // Valid as long as this object.
  kvc_request_t request() const {
    kvc_request_t r;
    EXPECT_EQ(KVC_OK, kvc_request_init(&r, sizeof r));
    r.prompt = prompt.data();
    r.prompt_size = prompt.size();
    r.max_tokens = max_tokens;
    r.temperature = temperature;
    r.seed = seed;
    r.top_k = top_k;
    r.top_p = top_p;
    r.no_cache = no_cache ? 1 : 0;
    r.tenant = tenant.empty() ? nullptr : tenant.c_str();
    r.session_id = session_id.empty() ? nullptr : session_id.c_str();
    return r;
  }
};

inline Ask random_ask(std::mt19937_64& random, int i) {
  Ask ask;
  ask.prompt = spliced(random);
  ask.max_tokens = 1 + static_cast<uint32_t>(random() % 8);
  if (i % 2 == 1) {
    ask.temperature = 0.8;
    ask.seed = random();
    if (i % 4 == 1) ask.top_k = 20;
    if (i % 8 == 3) ask.top_p = 0.9;
  }
  return ask;
}

struct Reply {
  kvc_status_t status = KVC_OK;
  std::string text, error;
  Tokens tokens;
  uint32_t prompt_tokens = 0, cached = 0, computed = 0, hit = 0;
  int32_t finish = 0, miss_reason = 0;

  bool operator==(const Reply& o) const { return tokens == o.tokens && text == o.text && finish == o.finish; }
};

inline Reply take(kvc_response_t* response) {
  Reply reply;
  EXPECT_NE(nullptr, response);
  if (response == nullptr) return reply;
  reply.status = response->status;
  reply.text.assign(response->text, response->text_size);
  EXPECT_EQ(reply.text.size(), std::strlen(response->text));
  reply.error = response->error;
  if (response->n_tokens > 0) reply.tokens.assign(response->tokens, response->tokens + response->n_tokens);
  reply.prompt_tokens = response->prompt_tokens;
  reply.cached = response->cached_tokens;
  reply.computed = response->computed_tokens;
  reply.hit = response->cache_hit;
  reply.finish = response->finish_reason;
  reply.miss_reason = response->miss_reason;
  EXPECT_EQ(reply.cached > 0 ? 1u : 0u, reply.hit);
  if (reply.status == KVC_OK) {
    EXPECT_EQ(reply.prompt_tokens, reply.cached + reply.computed);
    EXPECT_EQ(response->total_ns, response->queue_ns + response->prefill_ns + response->decode_ns);
  }
  kvc_response_free(response);
  return reply;
}

// Engines with the built-in model, with reuse as the test wants it, and one beside it that always computes everything.
class AnswersTest : public ::testing::Test {
 protected:
  static Options with_model(Options options) {
    options.emplace("model", "builtin");
    return options;
  }
  Reply ask(kvc_engine_t* engine, const Ask& question) {
    const kvc_request_t request = question.request();
    kvc_response_t* response = nullptr;
    EXPECT_STATUS(KVC_OK, kvc_process(engine, &request, &response), engine);
    return take(response);
  }
  // The same question, with nothing looked up and nothing stored.
  Reply plain(Ask question) {
    question.no_cache = true;
    const Reply reply = ask(*reference_, question);
    EXPECT_EQ(0u, reply.cached);
    return reply;
  }
  Tokens tokenize(kvc_engine_t* engine, const std::string& text) {
    Tokens tokens(text.size() + 8);
    size_t n = 0;
    EXPECT_STATUS(KVC_OK, kvc_tokenize(engine, text.data(), text.size(), tokens.data(), tokens.size(), &n), engine);
    tokens.resize(n);
    return tokens;
  }
  kvc_space_info_t layout(kvc_engine_t* engine) {
    kvc_space_t* space = nullptr;
    EXPECT_STATUS(KVC_OK, kvc_engine_space(engine, &space), engine);
    kvc_space_info_t info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(KVC_OK, kvc_space_info(space, &info));
    kvc_space_close(space);
    return info;
  }

  std::unique_ptr<Engine> reference_ = std::make_unique<Engine>(with_model({}));
};

}  // namespace kvc_test

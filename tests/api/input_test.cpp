// Bad input: a clear error that has the numbers, and nothing is lost.
#include <thread>

#include "api_toy_backend.h"
#include "core_support.h"

namespace kvc_test {
namespace {

#define EXPECT_WORDS(handle, text) \
  EXPECT_NE(std::string::npos, words(handle).find(text)) << "looked for '" << (text) << "' in: " << words(handle)

// --- requests
// ---------------------------------------------------------------------------------------------------------------

class RequestInputTest : public testing::Test {
 protected:
  RequestInputTest() : engine_(&toy_, {{"max_queue", "2"}}) {}

  // The request is refused with this status and these words, by every function that takes one; then a good one is
  // answered.
  void refused(const kvc_request_t& request, kvc_status_t status, const char* text) {
    auto* engine = static_cast<kvc_engine_t*>(engine_);
    auto* marker = reinterpret_cast<kvc_response_t*>(&toy_);  // NOLINT: to see that it is overwritten
    kvc_response_t* response = marker;
    EXPECT_EQ(status, kvc_process(engine, &request, &response)) << text;
    EXPECT_EQ(nullptr, response);
    EXPECT_WORDS(engine, text);
    kvc_ticket_t ticket = 0;
    EXPECT_EQ(status, kvc_submit(engine, &request, &ticket));
    EXPECT_EQ(0u, ticket);
    response = marker;
    EXPECT_EQ(status, kvc_process_batch(engine, &request, 1, &response));
    EXPECT_EQ(nullptr, response);
    refusals_ += 3;
    const kvc_request_t good = toy_request("a", 3);
    ASSERT_EQ(KVC_OK, kvc_process(engine, &good, &response)) << words(engine);
    EXPECT_STREQ("bcd", response->text);
    EXPECT_STREQ("", response->error);
    kvc_response_free(response);
    kvc_stats_t stats{};
    stats.struct_size = sizeof stats;
    ASSERT_EQ(KVC_OK, kvc_stats(engine, &stats));
    EXPECT_EQ(refusals_, stats.requests_refused);
  }
  template <typename Change>
  void refused(kvc_status_t status, const char* text, Change change) {
    kvc_request_t request = toy_request("hello", 4);
    change(request);
    refused(request, status, text);
  }

  ToyBackend toy_;
  ToyEngine engine_;
  uint64_t refusals_ = 0;
};

TEST_F(RequestInputTest, ParametersOutOfRange) {
  refused(KVC_E_OUT_OF_RANGE, "-0.5", [](kvc_request_t& r) { r.temperature = -0.5; });
  refused(KVC_E_OUT_OF_RANGE, "101", [](kvc_request_t& r) { r.temperature = 101; });
  refused(KVC_E_OUT_OF_RANGE, "nan", [](kvc_request_t& r) { r.temperature = std::nan(""); });
  refused(KVC_E_OUT_OF_RANGE, "1.5", [](kvc_request_t& r) { r.top_p = 1.5; });
  refused(KVC_E_OUT_OF_RANGE, "top_p", [](kvc_request_t& r) { r.top_p = 0; });
  refused(KVC_E_OUT_OF_RANGE, "max_tokens", [](kvc_request_t& r) { r.max_tokens = 0; });
  refused(KVC_E_OUT_OF_RANGE, "201", [](kvc_request_t& r) { r.priority = 201; });
  refused(KVC_E_INVALID, "17", [](kvc_request_t& r) { r.action = 17; });
  refused(KVC_E_OUT_OF_RANGE, "2", [](kvc_request_t& r) { r.no_cache = 2; });
}

TEST_F(RequestInputTest, PointersThatDoNotFit) {
  refused(KVC_E_NULL, "prompt", [](kvc_request_t& r) { r.prompt = nullptr; });
  static const int32_t tokens[] = {1, 2};
  refused(KVC_E_INVALID, "both", [](kvc_request_t& r) {
    r.tokens = tokens;
    r.n_tokens = 2;
  });
  refused(KVC_E_NULL, "stop", [](kvc_request_t& r) { r.n_stop = 1; });
  static const char* const stops[] = {"x", nullptr};
  refused(KVC_E_NULL, "stop[1]", [](kvc_request_t& r) {
    r.stop = stops;
    r.n_stop = 2;
  });
  static const char* const empty[] = {""};
  refused(KVC_E_INVALID, "stop", [](kvc_request_t& r) {
    r.stop = empty;
    r.n_stop = 1;
  });
  refused(KVC_E_OUT_OF_RANGE, "17", [](kvc_request_t& r) {
    r.stop = stops;
    r.n_stop = 17;
  });
  refused(KVC_E_STRUCT_SIZE, "40", [](kvc_request_t& r) { r.struct_size = 40; });
  auto* engine = static_cast<kvc_engine_t*>(engine_);
  kvc_response_t* response = nullptr;
  EXPECT_EQ(KVC_E_NULL, kvc_process(engine, nullptr, &response));
  const kvc_request_t good = toy_request("a");
  EXPECT_EQ(KVC_E_NULL, kvc_process(engine, &good, nullptr));
  EXPECT_EQ(KVC_E_NULL, kvc_submit(engine, &good, nullptr));
  EXPECT_EQ(KVC_E_NULL, kvc_process_batch(engine, nullptr, 1, &response));
  EXPECT_EQ(KVC_E_NULL, kvc_process_batch(engine, &good, 1, nullptr));
  EXPECT_EQ(KVC_OK, kvc_process_batch(engine, nullptr, 0, nullptr)) << "nothing to do";
}

TEST_F(RequestInputTest, TokensBeyondTheVocabulary) {
  static const int32_t negative[] = {1, -3}, beyond[] = {5, 6, 256};
  refused(KVC_E_TOKEN, "-3", [](kvc_request_t& r) {
    r.prompt = nullptr;
    r.tokens = negative;
    r.n_tokens = 2;
  });
  refused(KVC_E_TOKEN, "256", [](kvc_request_t& r) {
    r.prompt = nullptr;
    r.tokens = beyond;
    r.n_tokens = 3;
  });
}

TEST_F(RequestInputTest, TextThatIsNoUtf8) {
  refused(KVC_E_UTF8, "2", [](kvc_request_t& r) { r.prompt = "ok\xff"; });
  refused(KVC_E_UTF8, "UTF-8", [](kvc_request_t& r) { r.prompt = "\xed\xa0\x80"; });  // a surrogate
  refused(KVC_E_UTF8, "UTF-8", [](kvc_request_t& r) { r.prompt = "\xc0\x80"; });      // overlong
  refused(KVC_E_UTF8, "tenant", [](kvc_request_t& r) { r.tenant = "\x80"; });
  refused(KVC_E_UTF8, "session_id", [](kvc_request_t& r) { r.session_id = "\xf5"; });
  static const char* const stops[] = {"\xe2\x82"};  // half a character
  refused(KVC_E_UTF8, "top", [](kvc_request_t& r) {
    r.stop = stops;
    r.n_stop = 1;
  });
}

TEST_F(RequestInputTest, LongerThanTheContext) {
  const std::string prompt(600, 'x');
  refused(KVC_E_CONTEXT, "600", [&](kvc_request_t& r) { r.prompt = prompt.c_str(); });
  refused(KVC_E_CONTEXT, "512", [&](kvc_request_t& r) { r.max_tokens = 508; });
}

TEST_F(RequestInputTest, ADeadlineThatHasPassed) {
  ToyBackend toy;
  TestClock clock;  // a microsecond passes with every look at it
  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  const kvc_backend_t table = toy.table();
  ASSERT_EQ(KVC_OK, kvc_config_set_backend(config, &table));
  const kvc_clock_t clock_table = clock.table();
  ASSERT_EQ(KVC_OK, kvc_config_set_clock(config, &clock_table));
  kvc_engine_t* engine = nullptr;
  ASSERT_EQ(KVC_OK, kvc_engine_create(config, &engine));
  kvc_request_t request = toy_request("a");
  request.deadline_ns = 1;
  kvc_response_t* response = nullptr;
  EXPECT_EQ(KVC_E_DEADLINE, kvc_process(engine, &request, &response));
  EXPECT_WORDS(engine, "1 ns");
  kvc_response_free(response);
  kvc_engine_destroy(engine);
  // The option holds for requests that say nothing.
  ASSERT_EQ(KVC_OK, kvc_config_set(config, "deadline", "1ns"));
  ASSERT_EQ(KVC_OK, kvc_engine_create(config, &engine));
  request.deadline_ns = 0;
  EXPECT_EQ(KVC_E_DEADLINE, kvc_process(engine, &request, &response));
  kvc_response_free(response);
  request.deadline_ns = 3600ull * 1000000000;
  EXPECT_EQ(KVC_OK, kvc_process(engine, &request, &response)) << words(engine);
  kvc_response_free(response);
  kvc_engine_destroy(engine);
  kvc_config_destroy(config);
}

TEST_F(RequestInputTest, AFullQueue) {
  std::mutex gate;
  gate.lock();
  toy_.before_forward = [&](const kvc_forward_t*, uint32_t, char*, size_t) -> kvc_status_t {
    const std::lock_guard wait(gate);
    return KVC_OK;
  };
  auto* engine = static_cast<kvc_engine_t*>(engine_);
  std::vector<kvc_ticket_t> tickets;
  kvc_status_t status = KVC_OK;
  kvc_request_t request = toy_request("a", 2);
  request.session_id = "one after the other";
  for (int i = 0; i < 8 && status == KVC_OK; ++i) {
    kvc_ticket_t ticket = 0;
    status = kvc_submit(engine, &request, &ticket);
    if (status == KVC_OK) tickets.push_back(ticket);
  }
  EXPECT_EQ(KVC_E_QUEUE_FULL, status);
  EXPECT_WORDS(engine, "2");
  gate.unlock();
  for (kvc_ticket_t ticket : tickets) {
    kvc_response_t* response = nullptr;
    EXPECT_EQ(KVC_OK, kvc_wait(engine, ticket, UINT64_MAX, &response)) << words(engine);
    ASSERT_NE(nullptr, response);
    EXPECT_STREQ("bc", response->text);
    kvc_response_free(response);
  }
}

TEST_F(RequestInputTest, UnknownTickets) {
  auto* engine = static_cast<kvc_engine_t*>(engine_);
  const kvc_request_t request = toy_request("a", 2);
  kvc_ticket_t ticket = 0;
  ASSERT_EQ(KVC_OK, kvc_submit(engine, &request, &ticket));
  kvc_response_t* response = nullptr;
  ASSERT_EQ(KVC_OK, kvc_wait(engine, ticket, UINT64_MAX, &response));
  kvc_response_free(response);
  char text[16];
  size_t n = 0;
  for (const kvc_ticket_t unknown : {kvc_ticket_t{0}, ticket, ticket + 1, UINT64_MAX}) {
    EXPECT_EQ(KVC_E_NOT_FOUND, kvc_wait(engine, unknown, UINT64_MAX, &response));
    EXPECT_EQ(nullptr, response);
    EXPECT_EQ(KVC_E_NOT_FOUND, kvc_next(engine, unknown, UINT64_MAX, text, sizeof text, &n));
    EXPECT_EQ(KVC_E_NOT_FOUND, kvc_cancel(engine, unknown));
    EXPECT_EQ(KVC_E_NOT_FOUND, kvc_ticket_free(engine, unknown));
  }
  EXPECT_WORDS(engine, std::to_string(UINT64_MAX));
  EXPECT_EQ(KVC_E_BUFFER, kvc_next(engine, ticket, 0, text, 4, &n));
  EXPECT_WORDS(engine, "4");
}

TEST_F(RequestInputTest, ABackendThatFailsMidway) {
  int calls = 0;
  toy_.before_forward = [&](const kvc_forward_t*, uint32_t, char* error, size_t size) -> kvc_status_t {
    if (++calls < 3) return KVC_OK;
    std::snprintf(error, size, "the machine room is on fire, rack 42");
    return KVC_E_USER;
  };
  auto* engine = static_cast<kvc_engine_t*>(engine_);
  const kvc_request_t request = toy_request("abcdefgh", 8);
  kvc_response_t* response = nullptr;
  EXPECT_EQ(KVC_E_BACKEND, kvc_process(engine, &request, &response));
  EXPECT_WORDS(engine, "rack 42");
  ASSERT_NE(nullptr, response);
  EXPECT_EQ(KVC_E_BACKEND, response->status);
  EXPECT_EQ(KVC_FINISH_ERROR, response->finish_reason);
  EXPECT_NE(std::string::npos, std::string(response->error).find("rack 42"));
  EXPECT_EQ(std::string("ijklmnop").substr(0, response->text_size), response->text) << "what was generated until then";
  kvc_response_free(response);
  toy_.before_forward = nullptr;
  ASSERT_EQ(KVC_OK, kvc_process(engine, &request, &response)) << words(engine);
  EXPECT_STREQ("ijklmnop", response->text) << "what was stored before is right";
  kvc_response_free(response);
}

TEST_F(RequestInputTest, TokenizeAndDetokenize) {
  auto* engine = static_cast<kvc_engine_t*>(engine_);
  int32_t tokens[4] = {};
  size_t n = 0;
  EXPECT_EQ(KVC_OK, kvc_tokenize(engine, "abc", static_cast<size_t>(-1), tokens, 4, &n));
  EXPECT_EQ(3u, n);
  EXPECT_EQ('c', tokens[2]);
  EXPECT_EQ(KVC_E_BUFFER, kvc_tokenize(engine, "abcdef", 6, tokens, 4, &n));
  EXPECT_EQ(6u, n);
  EXPECT_WORDS(engine, "6");
  EXPECT_EQ(KVC_E_BUFFER, kvc_tokenize(engine, "abcdef", 6, nullptr, 0, &n));
  EXPECT_EQ(KVC_E_NULL, kvc_tokenize(engine, nullptr, 3, tokens, 4, &n));
  EXPECT_EQ(KVC_OK, kvc_tokenize(engine, nullptr, 0, tokens, 4, &n));
  EXPECT_EQ(0u, n);
  EXPECT_EQ(KVC_E_UTF8, kvc_tokenize(engine, "a\xff", 2, tokens, 4, &n));
  char text[32];
  size_t length = 0;
  const int32_t ok[] = {'h', 'i'}, bad[] = {'h', 256}, broken[] = {'a', 0xff, 'b'};
  EXPECT_EQ(KVC_OK, kvc_detokenize(engine, ok, 2, text, sizeof text, &length));
  EXPECT_STREQ("hi", text);
  EXPECT_EQ(2u, length);
  EXPECT_EQ(KVC_E_TOKEN, kvc_detokenize(engine, bad, 2, text, sizeof text, &length));
  EXPECT_WORDS(engine, "256");
  EXPECT_EQ(KVC_OK, kvc_detokenize(engine, broken, 3, text, sizeof text, &length));
  EXPECT_STREQ(
      "a\xef\xbf\xbd"
      "b",
      text)
      << "text is UTF-8 always";
}

TEST(NoModelTest, SaysThatThereIsNone) {
  Engine engine;
  auto* handle = static_cast<kvc_engine_t*>(engine);
  const kvc_request_t request = toy_request("a");
  kvc_response_t* response = nullptr;
  EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_process(handle, &request, &response));
  EXPECT_WORDS(handle, "model");
  EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_process_batch(handle, &request, 1, &response));
  kvc_ticket_t ticket = 0;
  EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_submit(handle, &request, &ticket));
  EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_step(handle, nullptr));
  kvc_space_t* space = nullptr;
  EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_engine_space(handle, &space));
  size_t n = 0;
  EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_tokenize(handle, "a", 1, nullptr, 0, &n));
}

// --- spaces and sessions
// ------------------------------------------------------------------------------------------------------

class CoreInputTest : public testing::Test {
 protected:
  CoreInputTest() : engine_(Options{{"memory", "256KiB"}}), space_(engine_, geometry()), session_(space_) {
    EXPECT_EQ(KVC_OK, session_.add(iota_tokens(6)));
  }
  ~CoreInputTest() override { EXPECT_EQ("", session_.check()) << "nothing was lost"; }
  static Geometry geometry() {
    Geometry g;
    g.vocab = 1000;
    return g;
  }
  kvc_session_t* s() { return session_; }

  Engine engine_;
  Space space_;
  Session session_;
};

TEST_F(CoreInputTest, TokensNegativeOrBeyondTheVocabulary) {
  const int32_t tokens[] = {1, 2, 3, 4, 5, 6, 1000};
  size_t reused = 99;
  EXPECT_EQ(KVC_E_TOKEN, kvc_session_match(s(), tokens, 7, &reused));
  EXPECT_WORDS(s(), "1000");
  EXPECT_EQ(99u, reused);
  size_t n = 0;
  const int32_t negative[] = {-7, 1, 2, 3};
  uint8_t ids[64];
  EXPECT_EQ(KVC_E_TOKEN, kvc_space_page_ids(space_, nullptr, negative, 4, ids, 2, &n));
  EXPECT_WORDS(static_cast<kvc_engine_t*>(engine_), "-7");
  EXPECT_EQ(KVC_E_NULL, kvc_session_match(s(), nullptr, 7, &reused));
  EXPECT_EQ(KVC_E_NULL, kvc_session_match(s(), tokens, 7, nullptr));
  EXPECT_NE(KVC_OK, kvc_session_match(s(), tokens, SIZE_MAX, &reused)) << "a negative count";
  session_.seq.extend({1000});
  EXPECT_EQ(KVC_OK, session_.append_layer(0, 6, 1));
  EXPECT_EQ(KVC_OK, session_.append_layer(1, 6, 1));
  EXPECT_EQ(KVC_E_TOKEN, kvc_session_commit(s(), tokens + 6, 1));
  EXPECT_WORDS(s(), "1000");
  EXPECT_EQ(KVC_OK, kvc_session_truncate(s(), 6));
  session_.seq.truncate(6);
}

TEST_F(CoreInputTest, ShapesAndDtypesThatDoNotFit) {
  const Geometry g = geometry();
  Block k(g, KVC_KEY, 2, Layout::thd), v(g, KVC_VALUE, 2, Layout::thd);
  Block f32(g, KVC_KEY, 2, Layout::thd, KVC_F32);
  EXPECT_EQ(KVC_E_DTYPE, kvc_session_append(s(), 0, &f32.tensor, &v.tensor, 2));
  EXPECT_WORDS(s(), "f32");
  EXPECT_EQ(KVC_E_SHAPE, kvc_session_append(s(), 0, &k.tensor, &v.tensor, 3));
  EXPECT_WORDS(s(), "3");
  kvc_tensor_t wrong = k.tensor;
  wrong.shape[2] = 5;
  EXPECT_EQ(KVC_E_SHAPE, kvc_session_append(s(), 0, &wrong, &v.tensor, 2));
  wrong = k.tensor;
  wrong.size = 3;
  EXPECT_EQ(KVC_E_SHAPE, kvc_session_append(s(), 0, &wrong, &v.tensor, 2));
  EXPECT_WORDS(s(), "size is 3;");
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_append(s(), 2, &k.tensor, &v.tensor, 2));
  EXPECT_WORDS(s(), "2");
  EXPECT_EQ(KVC_E_NULL, kvc_session_append(s(), 0, nullptr, &v.tensor, 2));
  EXPECT_EQ(KVC_E_NULL, kvc_session_append(s(), 0, &k.tensor, nullptr, 2));
  wrong = k.tensor;
  wrong.data = nullptr;
  EXPECT_EQ(KVC_E_NULL, kvc_session_append(s(), 0, &wrong, &v.tensor, 2));
  const kvc_tensor_t three[] = {k.tensor, k.tensor, k.tensor};
  EXPECT_EQ(KVC_E_SHAPE, kvc_session_append_all(s(), three, three, 3, 2));
  EXPECT_WORDS(s(), "3 layers");
  EXPECT_EQ(KVC_E_SHAPE, kvc_session_read_all(s(), 0, 2, three, three, 1));
  EXPECT_EQ(KVC_E_NULL, kvc_session_append_all(s(), nullptr, three, 2, 2));
}

TEST_F(CoreInputTest, ReadsBeyondTheEnd) {
  const Geometry g = geometry();
  Block out(g, KVC_KEY, 3, Layout::thd);
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_read(s(), 0, KVC_KEY, 5, 3, &out.tensor));
  EXPECT_WORDS(s(), "6");
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_read(s(), 0, KVC_KEY, SIZE_MAX, 3, &out.tensor));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_read(s(), 7, KVC_KEY, 0, 3, &out.tensor));
  EXPECT_WORDS(s(), "7");
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_read(s(), 0, 2, 0, 3, &out.tensor));
  EXPECT_EQ(KVC_E_NULL, kvc_session_read(s(), 0, KVC_KEY, 0, 3, nullptr));
  int32_t tokens[8];
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_tokens(s(), 3, 4, tokens));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_tokens(s(), SIZE_MAX, 2, tokens));
  EXPECT_EQ(KVC_E_NULL, kvc_session_tokens(s(), 0, 4, nullptr));
  EXPECT_EQ(KVC_OK, kvc_session_tokens(s(), 6, 0, nullptr));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_truncate(s(), 7));
  EXPECT_WORDS(s(), "7");
}

TEST_F(CoreInputTest, CallsInTheWrongOrder) {
  session_.seq.extend({7, 8});
  ASSERT_EQ(KVC_OK, session_.append_layer(0, 6, 2));
  const int32_t tokens[] = {7, 8};
  EXPECT_EQ(KVC_E_MISSING_LAYERS, kvc_session_commit(s(), tokens, 2));
  EXPECT_WORDS(s(), "layer 1");
  size_t reused = 0;
  EXPECT_EQ(KVC_E_ORDER, kvc_session_match(s(), session_.seq.tokens.data(), 8, &reused));
  kvc_session_t* fork = nullptr;
  EXPECT_EQ(KVC_E_ORDER, kvc_session_fork(s(), &fork));
  EXPECT_EQ(nullptr, fork);
  ASSERT_EQ(KVC_OK, session_.append_layer(1, 6, 2));
  EXPECT_EQ(KVC_E_MISSING_LAYERS, kvc_session_commit(s(), tokens, 1));
  EXPECT_EQ(KVC_OK, kvc_session_commit(s(), tokens, 2));
  const int32_t other[] = {2, 1};
  EXPECT_EQ(KVC_E_ORDER, kvc_session_match(s(), other, 2, &reused));
}

TEST_F(CoreInputTest, NumbersOutOfRange) {
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_set_priority(s(), 201));
  EXPECT_WORDS(s(), "201");
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_set_priority(s(), -201));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_pin(s(), 2));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_close(s(), 3, 0));
  EXPECT_WORDS(s(), "3");
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_close(s(), KVC_CLOSE_FINISHED, 5));
  kvc_session_options_t options{};
  options.struct_size = sizeof options;
  options.priority = 300;
  kvc_session_t* session = nullptr;
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_open(space_, &options, &session));
  EXPECT_WORDS(static_cast<kvc_engine_t*>(engine_), "300");
  options.priority = 0;
  options.tenant = "\xff";
  EXPECT_EQ(KVC_E_UTF8, kvc_session_open(space_, &options, &session));
  const std::string long_name(1025, 't');
  options.tenant = long_name.c_str();
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_session_open(space_, &options, &session));
  EXPECT_WORDS(static_cast<kvc_engine_t*>(engine_), "1025");
  EXPECT_EQ(nullptr, session);
  EXPECT_EQ(KVC_E_NULL, kvc_session_open(space_, nullptr, nullptr));
}

TEST_F(CoreInputTest, IdentitiesThatAreIncompleteOrTooLarge) {
  auto* e = static_cast<kvc_engine_t*>(engine_);
  kvc_space_desc_t good;
  ASSERT_EQ(KVC_OK, kvc_space_desc_init(&good, sizeof good));
  good.weights_digest = "w";
  good.weights_digest_size = 1;
  good.none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
  good.n_layers = 1;
  good.dtype = KVC_F16;
  kvc_space_t* space = nullptr;
  ASSERT_STATUS(KVC_OK, kvc_space_open(e, &good, &space), e);
  kvc_space_info_t info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(KVC_OK, kvc_space_info(space, &info));
  EXPECT_EQ(8u, info.n_kv_heads) << "what is left out comes from the options";
  EXPECT_EQ(64u, info.k_head_dim);
  EXPECT_EQ(64u, info.v_head_dim);
  EXPECT_EQ(64u, info.page_tokens);
  EXPECT_EQ(uint64_t{8 * 64 * 64 * 2 * 2}, info.page_bytes);
  kvc_space_close(space);
  space = nullptr;
  const auto refused = [&](kvc_status_t status, const char* text, auto change) {
    kvc_space_desc_t desc = good;
    change(desc);
    EXPECT_EQ(status, kvc_space_open(e, &desc, &space)) << text;
    EXPECT_EQ(nullptr, space);
    EXPECT_WORDS(e, text);
  };
  refused(KVC_E_IDENTITY, "weights", [](kvc_space_desc_t& d) {
    d.weights_digest = nullptr;
    d.weights_digest_size = 0;
  });
  refused(KVC_E_IDENTITY, "tokenizer", [](kvc_space_desc_t& d) { d.none &= ~KVC_NONE_TOKENIZER; });
  refused(KVC_E_IDENTITY, "rope", [](kvc_space_desc_t& d) { d.none &= ~KVC_NONE_ROPE; });
  refused(KVC_E_IDENTITY, "adapters", [](kvc_space_desc_t& d) { d.none &= ~KVC_NONE_ADAPTERS; });
  refused(KVC_E_IDENTITY, "attention", [](kvc_space_desc_t& d) { d.none &= ~KVC_NONE_ATTENTION; });
  refused(KVC_E_OUT_OF_RANGE, "1025", [](kvc_space_desc_t& d) { d.n_layers = 1025; });
  refused(KVC_E_OUT_OF_RANGE, "8193", [](kvc_space_desc_t& d) { d.k_head_dim = 8193; });
  refused(KVC_E_OUT_OF_RANGE, "65", [](kvc_space_desc_t& d) { d.weights_digest_size = 65; });
  // One page of 80 such layers does not go into 256 KiB.
  refused(KVC_E_BUDGET, "262144", [](kvc_space_desc_t& d) { d.n_layers = 80; });
  EXPECT_EQ(KVC_E_NULL, kvc_space_open(e, nullptr, &space));
  EXPECT_EQ(KVC_E_NULL, kvc_space_open(e, &good, nullptr));
  Engine other;
  Space elsewhere(other, geometry());
  char text[64];
  EXPECT_EQ(KVC_E_INVALID, kvc_space_diff(space_, elsewhere, text, sizeof text, nullptr));
  EXPECT_EQ(KVC_E_NULL, kvc_space_diff(space_, nullptr, text, sizeof text, nullptr));
}

TEST_F(CoreInputTest, BuffersThatAreTooSmall) {
  auto* e = static_cast<kvc_engine_t*>(engine_);
  const Tokens tokens = iota_tokens(12);
  uint8_t ids[3 * 32];
  size_t n = 0;
  EXPECT_EQ(KVC_E_BUFFER, kvc_space_page_ids(space_, nullptr, tokens.data(), 12, ids, 2, &n));
  EXPECT_EQ(3u, n);
  EXPECT_WORDS(e, "3");
  EXPECT_EQ(KVC_OK, kvc_space_page_ids(space_, nullptr, tokens.data(), 12, ids, 3, &n));
  EXPECT_EQ(3u, n);
  const std::vector<kvc_page_info_t> pages = engine_.pages();
  ASSERT_EQ(1u, pages.size());
  int32_t out[4];
  EXPECT_EQ(KVC_E_BUFFER, kvc_page_tokens(e, pages[0].id, out, 3, &n));
  EXPECT_EQ(4u, n);
  EXPECT_EQ(KVC_OK, kvc_page_tokens(e, pages[0].id, out, 4, &n));
  EXPECT_EQ(4, out[3]);
  uint8_t unknown[32] = {1};
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_page_tokens(e, unknown, out, 4, &n));
  EXPECT_EQ(KVC_E_NULL, kvc_page_tokens(e, nullptr, out, 4, &n));
  kvc_page_info_t info{};
  info.struct_size = sizeof info;
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_page_info(e, unknown, &info));
}

// --- tables that are given to configurations
// ----------------------------------------------------------------------------------

TEST(TablesTest, FunctionsThatAreMissingAreNamed) {
  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  const auto error = [&] {
    char text[512];
    kvc_config_last_error(config, text, sizeof text);
    return std::string(text);
  };
  ToyBackend toy;
  const auto refused = [&](kvc_status_t status, const char* text, auto change) {
    kvc_backend_t table = toy.table();
    change(table);
    EXPECT_EQ(status, kvc_config_set_backend(config, &table)) << text;
    EXPECT_NE(std::string::npos, error().find(text)) << error();
  };
  refused(KVC_E_NULL, "describe", [](kvc_backend_t& t) { t.describe = nullptr; });
  refused(KVC_E_NULL, "tokenize", [](kvc_backend_t& t) { t.tokenize = nullptr; });
  refused(KVC_E_NULL, "detokenize", [](kvc_backend_t& t) { t.detokenize = nullptr; });
  refused(KVC_E_NULL, "forward", [](kvc_backend_t& t) { t.forward = nullptr; });
  refused(KVC_E_NULL, "export_kv", [](kvc_backend_t& t) { t.kind = KVC_BACKEND_OWN_KV; });
  refused(KVC_E_OUT_OF_RANGE, "9", [](kvc_backend_t& t) { t.kind = 9; });
  kvc_allocator_t allocator{};
  allocator.struct_size = sizeof allocator;
  EXPECT_EQ(KVC_E_NULL, kvc_config_set_allocator(config, &allocator));
  kvc_logger_t logger{};
  logger.struct_size = sizeof logger;
  logger.level = KVC_LOG_INFO;
  EXPECT_EQ(KVC_E_NULL, kvc_config_set_logger(config, &logger));
  logger.log = [](void*, int32_t, const char*) {};
  logger.level = 77;
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_config_set_logger(config, &logger));
  EXPECT_NE(std::string::npos, error().find("77")) << error();
  kvc_clock_t clock{};
  clock.struct_size = sizeof clock;
  EXPECT_EQ(KVC_E_NULL, kvc_config_set_clock(config, &clock));
  kvc_config_destroy(config);
  EXPECT_EQ(0, toy.destroyed) << "no engine was made";
}

}  // namespace
}  // namespace kvc_test

// kvc.hpp as a C++ program uses it: nothing but the wrapper is called here.
#include <cmath>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <kvc/kvc.hpp>
#include <numeric>
#include <thread>
#include <type_traits>

namespace {

template <typename T>
constexpr bool kMoveOnly = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                           std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>;
static_assert(kMoveOnly<kvc::Config> && kMoveOnly<kvc::Engine> && kMoveOnly<kvc::Space> && kMoveOnly<kvc::Session>);
static_assert(kMoveOnly<kvc::Response> && kMoveOnly<kvc::Ticket> && kMoveOnly<kvc::PageIterator>);
static_assert(std::is_copy_constructible_v<kvc::Request> && std::is_copy_constructible_v<kvc::SpaceDesc>);

kvc::Engine core(const char* memory = "64MiB") {
  kvc::Config config;
  config.set("model", "none");
  config.set("memory", memory);
  return kvc::Engine(config);
}

kvc::SpaceDesc desc() {
  return kvc::SpaceDesc()
      .weights("w")
      .tokenizer("t")
      .rope(10000, 4)
      .no_adapters()
      .no_attention()
      .layers(2)
      .kv_heads(2)
      .head_dim(4)
      .dtype(KVC_F32)
      .page_tokens(4);
}

std::vector<int32_t> count(int32_t n) {
  std::vector<int32_t> tokens(static_cast<size_t>(n));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

std::vector<float> rows(size_t from, size_t n) {
  std::vector<float> out(n * 8);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(from * 8 + i);
  return out;
}

void add(kvc::Session& session, const std::vector<int32_t>& tokens, size_t from) {
  const std::vector<float> data = rows(from, tokens.size() - from);
  const kvc::Tensor t = kvc::tensor_thd(data.data(), tokens.size() - from, 2, 4);
  session.append_all({t, t}, {t, t}, tokens.size() - from);
  session.commit(tokens.data() + from, tokens.size() - from);
}

template <typename F>
kvc_status_t code_of(F&& function) {
  try {
    function();
  } catch (const kvc::Error& error) {
    EXPECT_STREQ(kvc_status_name(error.code()), error.name());
    EXPECT_EQ(0u, std::string(error.what()).find(error.name())) << error.what();
    EXPECT_GT(std::string(error.what()).size(), std::string(error.name()).size() + 5) << "no words";
    return error.code();
  }
  return KVC_OK;
}

TEST(CppTest, TellsWhatTheLibraryIs) {
  EXPECT_TRUE(kvc::abi_matches());
  EXPECT_EQ("0.1.0", kvc::version());
  EXPECT_NE(std::string::npos, kvc::build_info().find('{'));
  EXPECT_FALSE(kvc::has_feature("no such thing"));
  bool memory = false;
  for (const kvc_option_info_t& option : kvc::options()) memory = memory || option.name == std::string("memory");
  EXPECT_TRUE(memory);
}

TEST(CppTest, ConfigSetsGetsAndRefuses) {
  kvc::Config config("memory_efficient");
  config.set("page_tokens", "16");
  EXPECT_EQ("16", config.get("page_tokens"));
  EXPECT_EQ(KVC_E_UNKNOWN_OPTION, code_of([&] { config.set("no_such_option", "1"); }));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, code_of([&] { config.set("page_tokens", "0"); }));
  EXPECT_EQ("16", config.get("page_tokens"));
  EXPECT_EQ(KVC_E_INVALID, code_of([] { kvc::Config unknown("no such preset"); }));
  const std::string long_value(3000, 's');
  config.set("secret", long_value);
  EXPECT_EQ(long_value, config.get("secret")) << "longer than any buffer inside";
  EXPECT_EQ(KVC_OK, code_of([] { (void)kvc::Config::create("seamless"); }));
}

TEST(CppTest, AFailingEngineSaysWhy) {
  kvc::Config config;
  config.set("memory", "1B");
  try {
    kvc::Engine engine(config);
    FAIL();
  } catch (const kvc::Error& error) {
    EXPECT_EQ(KVC_E_BUDGET, error.code());
    EXPECT_NE(std::string::npos, std::string(error.what()).find("memory")) << error.what();
  }
}

TEST(CppTest, SessionsAttend) {
  kvc::Engine engine = core();
  kvc::Space space = engine.open_space(desc());
  kvc::SessionOptions exact;
  exact.exact = true;
  kvc::Session session = space.open_session(exact);
  add(session, count(10), 0);
  // Queries of zeros weigh all positions alike: the first query sees 9 of them, the second 10.
  std::vector<float> query(2 * 4 * 4, 0.0f), out(query.size()), values(10 * 8);
  session.attend(1, kvc::tensor_thd(query.data(), 2, 4, 4), kvc::tensor_thd(out.data(), 2, 4, 4));
  session.read(1, KVC_VALUE, 0, 10, kvc::tensor_thd(values.data(), 10, 2, 4));
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t n = 9 + i / 16, head = i % 16 / 8;  // two query heads share one of K/V
    float mean = 0;
    for (size_t t = 0; t < n; ++t) mean += values[t * 8 + head * 4 + i % 4] / static_cast<float>(n);
    EXPECT_NEAR(mean, out[i], 1e-3f * std::abs(mean) + 1e-6f) << i;
  }
  kvc::Attend how;
  how.later = 10;
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, code_of([&] {
              session.attend(1, kvc::tensor_thd(query.data(), 2, 4, 4), kvc::tensor_thd(out.data(), 2, 4, 4), how);
            }));
}

TEST(CppTest, SessionsKeepAndFindTensors) {
  kvc::Engine engine = core();
  kvc::Space space = engine.open_space(desc());
  EXPECT_EQ(4u, space.info().page_tokens);
  const std::vector<int32_t> tokens = count(10);
  {
    kvc::Session session = space.open_session();
    EXPECT_EQ(0u, session.match(tokens));
    add(session, tokens, 0);
    session.close(KVC_CLOSE_KEEP);
    EXPECT_EQ(KVC_E_NULL, code_of([&] { (void)session.info(); }));
  }
  kvc::Session session = space.open_session({"", "named", KVC_PRIORITY_HIGH, true});
  EXPECT_EQ(9u, session.match({0, 1, 2, 3, 4, 5, 6, 7, 8, 99}));
  EXPECT_EQ(KVC_MISS_PARTIAL, session.miss().reason);
  EXPECT_FALSE(session.miss().text.empty());
  add(session, tokens, 9);
  EXPECT_EQ(tokens, session.tokens(0, 10));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, code_of([&] { (void)session.tokens(5, 6); }));
  std::vector<float> out(10 * 8);
  session.read(1, KVC_VALUE, 0, 10, kvc::tensor_thd(out.data(), 10, 2, 4));
  EXPECT_EQ(rows(0, 10), out);
  std::vector<float> k0(16), k1(16);
  session.read_all(3, 2, {kvc::tensor_thd(k0.data(), 2, 2, 4), kvc::tensor_thd(k1.data(), 2, 2, 4)}, {});
  EXPECT_EQ(rows(3, 2), k1);
  kvc::Session fork = session.fork();
  fork.truncate(2);
  EXPECT_EQ(10u, session.info().length);
  EXPECT_EQ(2u, fork.info().length);
  session.pin();
  EXPECT_EQ(1u, session.info().pinned);
  session.pin(false);
  session.set_priority(KVC_PRIORITY_LOW);
  EXPECT_EQ(KVC_E_MISSING_LAYERS, code_of([&] { session.commit({1, 2, 3}); }));
  EXPECT_EQ(KVC_E_SHAPE, code_of([&] { session.append_all({}, {kvc::Tensor{}}, 1); }));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, code_of([&] { session.set_priority(10000); }));
}

TEST(CppTest, SpacesExplainTheirDifference) {
  kvc::Engine engine = core();
  kvc::Space a = engine.open_space(desc());
  kvc::Space b = engine.open_space(desc().rope(500000, 4));
  kvc::Space c = engine.open_space(desc().label("only for people"));
  EXPECT_EQ("rope_base 10000 != 500000", a.diff(b));
  EXPECT_EQ("", a.diff(c));
  EXPECT_EQ(2u, a.page_ids(count(10)).size());
  EXPECT_NE(a.page_ids(count(10)), b.page_ids(count(10)));
  EXPECT_NE(a.page_ids(count(10)), a.page_ids(count(10), "tenant"));
  EXPECT_TRUE(a.page_ids({}).empty());
  EXPECT_EQ(KVC_E_IDENTITY, code_of([&] { (void)engine.open_space(kvc::SpaceDesc().weights("w")); }));
}

TEST(CppTest, PagesAreAWalk) {
  kvc::Engine engine = core();
  kvc::Space space = engine.open_space(desc());
  kvc::Session session = space.open_session();
  add(session, count(13), 0);
  size_t n = 0;
  uint64_t bytes = 0;
  for (const kvc_page_info_t& page : engine.pages()) {
    EXPECT_EQ(4 * n, page.position);
    EXPECT_EQ(4u, engine.page_tokens(page.id).size());
    EXPECT_EQ(static_cast<int32_t>(4 * n), engine.page_tokens(page.id)[0]);
    EXPECT_EQ(page.bytes, engine.page_info(page.id).bytes);
    bytes += page.bytes;
    ++n;
  }
  EXPECT_EQ(3u, n);
  EXPECT_EQ(engine.stats().pages, n);
  EXPECT_EQ(3 * space.info().page_bytes, bytes);
  for (const kvc_page_info_t& page : engine.pages("nobody")) ADD_FAILURE() << page.position;
  const uint8_t nobody[32] = {};
  EXPECT_EQ(KVC_E_NOT_FOUND, code_of([&] { (void)engine.page_info(nobody); }));
  session.close();
  EXPECT_GT(engine.trim(0), 0u);
  EXPECT_EQ(0u, engine.stats().pages);
}

TEST(CppTest, PagesOnDisk) {
  char directory[] = "/tmp/kvc-cpp-XXXXXX";
  ASSERT_NE(nullptr, mkdtemp(directory));
  const std::string store = std::string(directory) + "/store", pack = std::string(directory) + "/pack";
  kvc::Config config;
  config.set("model", "none");
  config.set("disk_path", store);
  config.set("policy", "fifo");
  const std::vector<int32_t> tokens{1, 2, 3, 4, 5, 6};
  {
    kvc::Engine engine(config);
    kvc::Space space = engine.open_space(desc());
    kvc::Session session = space.open_session();
    add(session, tokens, 0);
    EXPECT_TRUE(engine.persist());
    EXPECT_EQ(6u, space.write_pack(tokens, pack));
    EXPECT_GT(engine.persist_to(std::string(directory) + "/copy"), 0u);
  }
  kvc::Config again;
  again.load(store);
  EXPECT_EQ("fifo", again.get("policy"));
  {
    kvc::Engine engine(again);
    kvc::Space space = engine.open_space(desc());
    EXPECT_EQ(6u, space.open_session().match(tokens));
    EXPECT_GT(engine.purge(""), 0u);
    EXPECT_EQ(0u, space.open_session().match(tokens));
    EXPECT_GT(engine.load(std::string(directory) + "/copy"), 0u);
    EXPECT_EQ(6u, space.open_session().match(tokens));
  }
  again.set("disk_path", "");
  kvc::Engine engine(again);
  kvc::Space space = engine.open_space(desc());
  EXPECT_GT(engine.open_pack(pack), 0u);
  EXPECT_EQ(6u, space.open_session().match(tokens));
  std::filesystem::remove_all(directory);
}

TEST(CppTest, PlainTensors) {
  kvc::Engine engine = core();
  const std::vector<float> data = rows(0, 3);
  engine.put(std::string_view("key\0with a zero", 15), kvc::tensor(data, {2, 3, 4}));
  EXPECT_TRUE(engine.contains(std::string_view("key\0with a zero", 15)));
  EXPECT_FALSE(engine.contains("key"));
  kvc::Tensor shape{};
  shape.struct_size = sizeof shape;
  EXPECT_TRUE(engine.get(std::string_view("key\0with a zero", 15), &shape));
  EXPECT_EQ(3u, shape.n_dims);
  std::vector<float> out(24);
  kvc::Tensor target = kvc::tensor(out, {2, 3, 4});
  EXPECT_TRUE(engine.get(std::string_view("key\0with a zero", 15), &target));
  EXPECT_EQ(data, out);
  EXPECT_FALSE(engine.get("other", &target));
  EXPECT_EQ(KVC_E_SHAPE, code_of([&] { engine.put("k", kvc::tensor(data, {100, 3, 4})); })) << "larger than the vector";
  EXPECT_EQ(KVC_E_SHAPE, code_of([&] { (void)kvc::tensor(data, {}); }));
  EXPECT_TRUE(engine.remove(std::string_view("key\0with a zero", 15)));
  EXPECT_FALSE(engine.remove(std::string_view("key\0with a zero", 15)));
}

TEST(CppTest, MovedFromAndOrphanedObjectsFailCleanly) {
  kvc::Session session;
  kvc::Space space;
  {
    kvc::Engine engine = core();
    space = engine.open_space(desc());
    session = space.open_session();
    kvc::Engine other = std::move(engine);
    EXPECT_EQ(KVC_E_NULL, code_of([&] { (void)engine.stats(); }));  // NOLINT: the point of the test
    EXPECT_EQ(1u, other.stats().sessions);
  }
  EXPECT_EQ(KVC_E_CLOSED, code_of([&] { (void)session.match(count(3)); }));
  EXPECT_EQ(KVC_E_CLOSED, code_of([&] { (void)space.info(); }));
  EXPECT_EQ(KVC_E_NULL, code_of([] { (void)kvc::Session().match({1}); }));
  EXPECT_FALSE(kvc::Response());
  EXPECT_EQ("", kvc::Response().text());
}

TEST(CppTest, TheBuiltInModelAnswers) {
  kvc::Engine engine;
  const std::string prompt(300, 'a');
  const kvc::Response first = engine.process(kvc::Request(prompt).max_tokens(6));
  EXPECT_EQ(6u, first.n_tokens());
  EXPECT_EQ(KVC_FINISH_LENGTH, first.finish_reason());
  const kvc::Response second = engine.process(kvc::Request(prompt).max_tokens(6));
  EXPECT_TRUE(second.cache_hit());
  EXPECT_EQ(first.text(), second.text());
  EXPECT_EQ(first.token_vector(), second.token_vector());
  EXPECT_EQ(second.prompt_tokens(), second.cached_tokens() + second.computed_tokens());
  EXPECT_EQ(2u, engine.stats().requests_completed);
  const std::vector<int32_t> tokens = engine.tokenize("in the beginning");
  EXPECT_NE(std::string::npos, engine.detokenize(tokens).find("in the beginning"));
  const kvc::Response as_tokens = engine.process(kvc::Request(tokens).max_tokens(6));
  EXPECT_EQ(tokens.size(), as_tokens.prompt_tokens());
  EXPECT_EQ(6u, as_tokens.n_tokens());
  EXPECT_NE(std::string::npos, engine.info().find('{'));
  EXPECT_GT(engine.space().info().n_layers, 0u);
}

TEST(CppTest, RefusedRequestsThrow) {
  kvc::Engine engine;
  try {
    (void)engine.process(kvc::Request("x").temperature(-1));
    FAIL();
  } catch (const kvc::RequestError& error) {
    EXPECT_EQ(KVC_E_OUT_OF_RANGE, error.code());
    EXPECT_FALSE(error.response());
  }
  EXPECT_EQ(KVC_E_UTF8, code_of([&] { (void)engine.process("\xff\xfe"); }));
  kvc::Engine none = core();
  EXPECT_EQ(KVC_E_UNSUPPORTED, code_of([&] { (void)none.process("x"); }));
}

TEST(CppTest, StreamsByPullAndByPush) {
  kvc::Engine engine;
  const kvc::Request request = kvc::Request("In the beginning").max_tokens(20);
  const std::string want(engine.process(request).text());
  kvc::Ticket ticket = engine.submit(request);
  EXPECT_NE(0u, ticket.id());
  std::string text;
  for (const std::string& piece : ticket.stream()) text += piece;
  EXPECT_EQ(want, text);
  EXPECT_EQ(want, ticket.wait().text());
  EXPECT_EQ(KVC_E_NOT_FOUND, code_of([&] { (void)ticket.wait(); }));
  text.clear();
  kvc::Request pushed = request;
  pushed.on_text([&](std::string_view piece) { return text += piece, true; });
  EXPECT_EQ(want, engine.process(pushed).text());
  EXPECT_EQ(want, text);
  // Not complete at once, complete in the end.
  kvc::Ticket other = engine.submit(request);
  kvc::Response response;
  while (!response) response = other.wait_for(1000000);
  EXPECT_EQ(want, response.text());
}

TEST(CppTest, CallbacksMayThrow) {
  kvc::Engine engine;
  kvc::Request request("In the beginning");
  request.max_tokens(50).on_text([](std::string_view) -> bool { throw std::out_of_range("mine"); });
  EXPECT_THROW((void)engine.process(request), std::out_of_range);
  kvc::Ticket ticket = engine.submit(request);
  EXPECT_THROW((void)ticket.wait(), std::out_of_range);
  // false cancels, and what was generated is there.
  try {
    (void)engine.process(request.on_text([](std::string_view) { return false; }));
    FAIL();
  } catch (const kvc::RequestError& error) {
    EXPECT_EQ(KVC_E_CANCELLED, error.code());
    EXPECT_EQ(KVC_FINISH_CANCELLED, error.response().finish_reason());
    EXPECT_GT(error.response().n_tokens(), 0u);
  }
  EXPECT_EQ(KVC_OK, code_of([&] { (void)engine.process("x"); })) << "the engine goes on";
}

TEST(CppTest, DroppedTicketsAreSafe) {
  kvc::Engine engine;
  for (int i = 0; i < 20; ++i) {
    auto text = std::make_shared<std::string>();
    kvc::Ticket ticket =
        engine.submit(kvc::Request("And it came to pass").max_tokens(100).on_text([text](std::string_view piece) {
          *text += piece;
          return true;
        }));
    if (i % 2 == 0) ticket.cancel();
  }
  EXPECT_EQ(KVC_OK, code_of([&] { (void)engine.process("x"); }));
}

TEST(CppTest, TicketsMayOutliveTheirEngine) {
  kvc::Ticket ticket;
  {
    kvc::Engine engine;
    ticket = engine.submit(kvc::Request("And it came to pass").max_tokens(1000));
  }
  EXPECT_EQ(KVC_E_CLOSED, code_of([&] { (void)ticket.wait(); }));
}

TEST(CppTest, BatchesTellEachOnesFate) {
  kvc::Engine engine;
  kvc::Batch batch = engine.process_batch(
      {kvc::Request("In the").max_tokens(3), kvc::Request("x").temperature(-1), kvc::Request("And the").max_tokens(4)});
  ASSERT_EQ(3u, batch.responses.size());
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, batch.status.code());
  EXPECT_EQ(3u, batch.responses[0].n_tokens());
  EXPECT_FALSE(batch.responses[1]);
  EXPECT_EQ(4u, batch.responses[2].n_tokens());
}

TEST(CppTest, StopStringsAndActions) {
  kvc::Engine engine;
  const std::string text(engine.process(kvc::Request("In the beginning").max_tokens(40)).text());
  ASSERT_GT(text.size(), 12u);
  const std::string stop = text.substr(8, 2);
  const kvc::Response cut = engine.process(kvc::Request("In the beginning").max_tokens(40).stop(stop));
  EXPECT_EQ(text.substr(0, text.find(stop)), cut.text());
  EXPECT_EQ(KVC_FINISH_STOP, cut.finish_reason());
  const std::string prompt(200, 'q');
  // No more than the token that begins every text, which the first request left.
  EXPECT_LE(engine.process(kvc::Request(prompt).action(KVC_ACTION_RETRIEVE)).cached_tokens(), 1u);
  const kvc::Response stored = engine.process(kvc::Request(prompt).action(KVC_ACTION_STORE));
  EXPECT_EQ(0u, stored.n_tokens());
  EXPECT_GT(engine.process(kvc::Request(prompt).action(KVC_ACTION_RETRIEVE)).cached_tokens(), 190u);
  EXPECT_EQ(0u, engine.process(kvc::Request(prompt).action(KVC_ACTION_RETRIEVE).tenant("other")).cached_tokens());
}

TEST(CppTest, TheHostMayDriveTheEngine) {
  kvc::Config config;
  config.set("threads", "0");
  kvc::Engine engine(config);
  kvc::Ticket ticket = engine.submit(kvc::Request("In the").max_tokens(3));
  int steps = 0;
  while (engine.step() && steps < 1000) ++steps;
  EXPECT_LT(steps, 1000);
  EXPECT_EQ(std::vector<kvc_ticket_t>{ticket.id()}, engine.poll());
  EXPECT_EQ(3u, ticket.wait().n_tokens());
}

TEST(CppTest, LoggerAndClockAreFunctions) {
  auto now = std::make_shared<std::atomic<uint64_t>>(1);
  kvc::Config config;
  config.set("model", "none");
  config.set_logger(KVC_LOG_DEBUG, [](int32_t, std::string_view) { throw 1; });
  config.set_clock([now] { return now->fetch_add(10); });
  kvc::Engine engine(config);
  { kvc::Config gone = std::move(config); }  // the engine keeps what it calls
  (void)engine.stats();
  EXPECT_GT(now->load(), 1u);
}

// A model of five tokens that says the token after the last one. It keeps its K/V in kvc and reads its last row back.
class Counter : public kvc::Backend {
 public:
  explicit Counter(int fail_at = -1) : fail_at_(fail_at) {}
  kvc::Status describe(kvc_model_info_t& info) override {
    space_ = kvc::SpaceDesc()
                 .weights("counter")
                 .no_tokenizer()
                 .no_rope()
                 .no_adapters()
                 .no_attention()
                 .layers(1)
                 .kv_heads(1)
                 .head_dim(4)
                 .dtype(KVC_F32)
                 .page_tokens(4)
                 .vocab_size(5);
    info.name = "counter";
    *info.space = space_.c_desc();
    info.context = 4096;
    info.bos = info.eos = -1;
    return KVC_OK;
  }
  kvc::Status tokenize(std::string_view text, std::vector<int32_t>& tokens) override {
    for (char c : text) {
      if (c < 'a' || c > 'e') throw std::invalid_argument("only a to e");
      tokens.push_back(c - 'a');
    }
    return KVC_OK;
  }
  kvc::Status detokenize(int32_t token, std::string& bytes) override {
    bytes.push_back(static_cast<char>('a' + token));
    return KVC_OK;
  }
  kvc::Status forward(const kvc_forward_t* items, uint32_t n) override {
    for (uint32_t i = 0; i < n; ++i) {
      const kvc_forward_t& item = items[i];
      if (fail_at_ >= 0 && static_cast<int>(item.position + item.n) > fail_at_)
        throw kvc::Error(KVC_E_USER, "I cannot go on");
      kvc::SessionView session(item.session);
      std::vector<float> kv(item.n * 4);
      for (uint32_t t = 0; t < item.n; ++t) std::fill_n(kv.begin() + 4 * t, 4, static_cast<float>(item.tokens[t]));
      const kvc::Tensor rows = kvc::tensor_thd(kv.data(), item.n, 1, 4);
      session.append(0, rows, rows, item.n);
      if (item.logits == nullptr) continue;
      float last[4];
      session.read(0, KVC_KEY, item.position + item.n - 1, 1,
                   kvc::tensor_thd(static_cast<const float*>(last), 1, 1, 4));
      for (int v = 0; v < 5; ++v) item.logits[v] = v == (static_cast<int>(last[0]) + 1) % 5 ? 1.0f : 0.0f;
    }
    return KVC_OK;
  }
  void released() override { ++releases; }
  int releases = 0;

 private:
  kvc::SpaceDesc space_;
  int fail_at_;
};

TEST(CppTest, ABackendIsADerivedClass) {
  auto model = std::make_shared<Counter>();
  {
    kvc::Config config;
    config.set_backend(model);
    kvc::Engine engine(config);
    { kvc::Config gone = std::move(config); }
    EXPECT_EQ("deabcd", engine.process(kvc::Request("abcdeabc").max_tokens(6)).text());
    const kvc::Response again = engine.process(kvc::Request("abcdeabc").max_tokens(6));
    EXPECT_EQ("deabcd", again.text());
    EXPECT_EQ(7u, again.cached_tokens());
    try {
      (void)engine.process("xyz");
      FAIL();
    } catch (const kvc::Error& error) {
      EXPECT_NE(std::string::npos, std::string(error.what()).find("only a to e")) << error.what();
    }
  }
  EXPECT_EQ(1, model->releases);
}

TEST(CppTest, ABackendsExceptionBecomesTheRequestsError) {
  kvc::Config config;
  config.set_backend(std::make_shared<Counter>(10));
  kvc::Engine engine(config);
  try {
    (void)engine.process(kvc::Request("abcdeabc").max_tokens(6));
    FAIL();
  } catch (const kvc::RequestError& error) {
    EXPECT_NE(std::string::npos, std::string(error.what()).find("I cannot go on")) << error.what();
    EXPECT_EQ(0u, std::string("deabcd").find(std::string(error.response().text())));
  }
  EXPECT_EQ("de", engine.process(kvc::Request("abcdeabc").max_tokens(2)).text()) << "the engine goes on";
}

}  // namespace

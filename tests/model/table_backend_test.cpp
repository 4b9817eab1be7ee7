// A caller's table of functions as a backend, against a fake model whose every answer a test can bend.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cache/cache.h"
#include "model/backend.h"

namespace kvc::test {
namespace {

constexpr uint32_t kLayers = 2, kHeads = 2, kDim = 4;

kvc_status_t fail(kvc_status_t status, const char* words, char* error, size_t error_size) {
  std::snprintf(error, error_size, "%s", words);
  return status;
}

// Handles as src/api would give them: here numbers, looked up in a map.
struct FakeHandles {
  std::map<kvc_session_t*, Session*> open;
  uintptr_t next = 0x1000;
  int exposed = 0;
  int fail_at = -1;  // this exposure finds no memory

  static kvc_session_t* expose(void* context, Session* session) {
    auto* self = static_cast<FakeHandles*>(context);
    if (self->exposed++ == self->fail_at) return nullptr;
    auto* handle = reinterpret_cast<kvc_session_t*>(self->next++);
    self->open[handle] = session;
    return handle;
  }
  static void withdraw(void* context, kvc_session_t* handle) {
    EXPECT_EQ(static_cast<FakeHandles*>(context)->open.erase(handle), 1u);
  }
  SessionHandles table() { return {this, expose, withdraw}; }
};

// Words are tokens: the token of a byte is its value, "[n]" stands for token n when going back.
struct FakeModel {
  FakeHandles* handles = nullptr;
  int destroyed = 0, tokenize_calls = 0, detokenize_calls = 0;
  uint32_t skip_layer = ~0u;  // forward and export_kv forget this layer
  size_t claim_tokens = 0;    // what tokenize says on its first call, if not 0
  std::vector<kvc_forward_t> forwards;
  std::vector<std::string> log;
  // When set, the function of that name returns this status, with words.
  std::map<std::string, kvc_status_t> status;
  std::string words = "out of cheese";

  // describe's material lives only as long as the call, to see that it is copied.
  std::function<void(kvc_model_info_t*)> change;

  kvc_status_t result(const char* name, char* error, size_t error_size) {
    log.push_back(name);
    const auto found = status.find(name);
    return found == status.end() ? KVC_OK : fail(found->second, words.c_str(), error, error_size);
  }

  static FakeModel& of(void* user_data) { return *static_cast<FakeModel*>(user_data); }

  static kvc_status_t describe(void* user_data, kvc_model_info_t* info, char* error, size_t error_size) {
    static char name[] = "fake", label[] = "fake-1", weights[] = "WEIGHTS", tokenizer[] = "TOK", scaling[] = "yarn",
                attention[] = "window=9";
    static char lora[] = "LORA";
    static kvc_rope_t rope{};
    static kvc_adapter_t adapters[2]{};
    std::strcpy(name, "fake"), std::strcpy(label, "fake-1"), std::strcpy(weights, "WEIGHTS"),
        std::strcpy(tokenizer, "TOK");
    std::strcpy(scaling, "yarn"), std::strcpy(attention, "window=9"), std::strcpy(lora, "LORA");
    rope = {};
    rope.struct_size = sizeof rope;
    rope.base = 10000;
    rope.scaling = scaling;
    rope.dims = kDim;
    for (auto& adapter : adapters) adapter = {sizeof adapter, lora, 4, 0.5};
    EXPECT_EQ(info->struct_size, sizeof *info);
    info->name = name;
    info->context = 100;
    info->max_batch_tokens = 7;
    info->bos = 1;
    info->eos = -1;
    kvc_space_desc_t& s = *info->space;
    s.struct_size = sizeof s;
    s.label = label;
    s.weights_digest = weights;
    s.weights_digest_size = 7;
    s.tokenizer_digest = tokenizer;
    s.tokenizer_digest_size = 3;
    s.rope = &rope;
    s.adapters = adapters;
    s.n_adapters = 2;
    s.attention = attention;
    s.n_layers = kLayers;
    s.n_kv_heads = kHeads;
    s.k_head_dim = s.v_head_dim = kDim;
    s.dtype = KVC_F32;
    s.page_tokens = 4;
    s.vocab_size = 256;
    FakeModel& self = of(user_data);
    if (self.change) self.change(info);
    return self.result("describe", error, error_size);
  }
  static void forget_description() {
    kvc_space_desc_t space{};
    kvc_model_info_t info{};
    info.struct_size = sizeof info;
    info.space = &space;
    FakeModel scratch;
    describe(&scratch, &info, nullptr, 0);
    for (const void* text :
         {static_cast<const void*>(info.name), static_cast<const void*>(space.label), space.weights_digest,
          space.tokenizer_digest, static_cast<const void*>(space.rope->scaling),
          static_cast<const void*>(space.attention), space.adapters[0].digest}) {
      std::memset(const_cast<void*>(text), '?', 3);
    }
    const_cast<kvc_rope_t*>(space.rope)->base = 1;
    const_cast<kvc_adapter_t*>(space.adapters)[1].scale = 99;
  }

  static kvc_status_t tokenize(void* user_data, const char* text, size_t size, int32_t* tokens, size_t capacity,
                               size_t* n, char* error, size_t error_size) {
    FakeModel& self = of(user_data);
    ++self.tokenize_calls;
    // '!' makes 12 tokens of a byte, so that texts need more room than they have bytes.
    std::vector<int32_t> all;
    for (size_t i = 0; i < size; ++i) all.insert(all.end(), text[i] == '!' ? 12 : 1, static_cast<uint8_t>(text[i]));
    std::copy_n(all.begin(), std::min(capacity, all.size()), tokens);
    *n = self.claim_tokens != 0 ? self.claim_tokens : all.size();
    return self.result("tokenize", error, error_size);
  }
  static kvc_status_t detokenize(void* user_data, int32_t token, char* bytes, size_t capacity, size_t* size,
                                 char* error, size_t error_size) {
    FakeModel& self = of(user_data);
    ++self.detokenize_calls;
    const std::string text(static_cast<size_t>(token), 'x');
    std::copy_n(text.begin(), std::min(capacity, text.size()), bytes);
    *size = text.size();
    return self.result("detokenize", error, error_size);
  }
  static kvc_status_t sequence_open(void* user_data, uint64_t, char* error, size_t error_size) {
    return of(user_data).result("sequence_open", error, error_size);
  }
  static void sequence_close(void* user_data, uint64_t) { of(user_data).log.push_back("sequence_close"); }

  void append(Session* session, uint32_t n) {
    std::vector<float> rows(n * kHeads * kDim, 1.5f);
    kvc_tensor_t tensor{};
    tensor.data = rows.data();
    tensor.size = rows.size() * 4;
    tensor.dtype = KVC_F32;
    tensor.n_dims = 3;
    tensor.shape[0] = n, tensor.shape[1] = kHeads, tensor.shape[2] = kDim;
    TensorView view;
    ASSERT_TRUE(view_of(tensor, "rows", &view).is_ok());
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      if (layer == skip_layer) continue;
      const Status status = session->append(layer, view, view, n);
      ASSERT_TRUE(status.is_ok()) << status.message();
    }
  }
  static kvc_status_t forward(void* user_data, const kvc_forward_t* items, uint32_t n, char* error, size_t error_size) {
    FakeModel& self = of(user_data);
    self.forwards.assign(items, items + n);
    for (uint32_t i = 0; i < n; ++i) {
      EXPECT_EQ(items[i].struct_size, sizeof items[i]);
      if (items[i].session != nullptr) self.append(self.handles->open.at(items[i].session), items[i].n);
      if (items[i].logits != nullptr) {
        std::fill_n(items[i].logits, 256, static_cast<float>(items[i].tokens[items[i].n - 1]));
      }
    }
    return self.result("forward", error, error_size);
  }
  static kvc_status_t export_kv(void* user_data, uint64_t, kvc_session_t* session, uint32_t, uint32_t n, char* error,
                                size_t error_size) {
    FakeModel& self = of(user_data);
    self.append(self.handles->open.at(session), n);
    return self.result("export_kv", error, error_size);
  }
  static kvc_status_t import_kv(void* user_data, uint64_t, kvc_session_t* session, const int32_t* tokens, uint32_t from,
                                uint32_t n, char* error, size_t error_size) {
    FakeModel& self = of(user_data);
    EXPECT_EQ(self.handles->open.count(session), 1u);
    self.log.push_back("import " + std::to_string(n) + " from " + std::to_string(from) + " first " +
                       std::to_string(tokens[0]));
    return self.result("import_kv", error, error_size);
  }
  static kvc_status_t truncate(void* user_data, uint64_t, uint32_t n, char* error, size_t error_size) {
    of(user_data).log.push_back("truncate to " + std::to_string(n));
    return of(user_data).result("truncate", error, error_size);
  }
  static void destroy(void* user_data) { ++of(user_data).destroyed; }

  kvc_backend_t table(int32_t kind) {
    kvc_backend_t t{};
    t.struct_size = sizeof t;
    t.user_data = this;
    t.kind = kind;
    t.describe = describe;
    t.tokenize = tokenize;
    t.detokenize = detokenize;
    t.sequence_open = sequence_open;
    t.sequence_close = sequence_close;
    t.forward = forward;
    t.export_kv = export_kv;
    t.import_kv = import_kv;
    t.truncate = truncate;
    t.destroy = destroy;
    return t;
  }
};

class TableBackendTest : public testing::Test {
 protected:
  TableBackendTest() { model_.handles = &handles_; }

  void make(int32_t kind = KVC_BACKEND_PAGED) {
    const Status status = make_table_backend(model_.table(kind), handles_.table(), &backend_);
    ASSERT_TRUE(status.is_ok()) << status.message();
  }
  // That making fails with this code and these words, and destroys the model once.
  void expect_refused(const kvc_backend_t& table, kvc_status_t code, const std::string& words) {
    const int before = model_.destroyed;
    std::unique_ptr<Backend> backend;
    const Status status = make_table_backend(table, handles_.table(), &backend);
    expect_failure(status, code, words);
    EXPECT_EQ(backend, nullptr);
    EXPECT_EQ(model_.destroyed, before + 1);
  }
  void expect_bad_description(std::function<void(kvc_model_info_t*)> change, const std::string& words) {
    model_.change = std::move(change);
    expect_refused(model_.table(KVC_BACKEND_PAGED), KVC_E_BACKEND, words);
  }
  static void expect_failure(const Status& status, kvc_status_t code, const std::string& words) {
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message() << "\nlacks: " << words;
  }
  static void check(const Status& status) { ASSERT_TRUE(status.is_ok()) << status.message(); }

  std::unique_ptr<Session> open() {
    if (cache_ == nullptr) {
      CacheOptions options;
      options.memory_limit = 16 << 20;
      check(Cache::make(options, nullptr, Clock(), Log(), &cache_));
    }
    std::shared_ptr<const Space> space;
    std::unique_ptr<Session> session;
    check(cache_->open_space(backend_->space_desc(), &space));
    check(cache_->open_session(space, {}, &session));
    return session;
  }

  FakeHandles handles_;
  FakeModel model_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Cache> cache_;
};

TEST_F(TableBackendTest, KeepsACopyOfTheDescription) {
  make();
  FakeModel::forget_description();
  const ModelInfo& info = backend_->info();
  EXPECT_EQ(info.name, "fake");
  EXPECT_EQ(info.vocab_size, 256u);
  EXPECT_EQ(info.context, 100u);
  EXPECT_EQ(info.max_batch_tokens, 7u);
  EXPECT_EQ(info.bos, 1);
  EXPECT_EQ(info.eos, -1);
  const kvc_space_desc_t& s = backend_->space_desc();
  EXPECT_STREQ(s.label, "fake-1");
  EXPECT_EQ(std::string(static_cast<const char*>(s.weights_digest), s.weights_digest_size), "WEIGHTS");
  EXPECT_EQ(std::string(static_cast<const char*>(s.tokenizer_digest), s.tokenizer_digest_size), "TOK");
  EXPECT_STREQ(s.attention, "window=9");
  EXPECT_EQ(s.rope->base, 10000);
  EXPECT_STREQ(s.rope->scaling, "yarn");
  ASSERT_EQ(s.n_adapters, 2u);
  EXPECT_EQ(std::string(static_cast<const char*>(s.adapters[1].digest), s.adapters[1].digest_size), "LORA");
  EXPECT_EQ(s.adapters[1].scale, 0.5);
  EXPECT_EQ(s.page_tokens, 4u);
  EXPECT_TRUE(backend_->paged());
  EXPECT_EQ(model_.log, std::vector<std::string>{"describe"});
}

TEST_F(TableBackendTest, LeavesOutWhatWasLeftOut) {
  model_.change = [](kvc_model_info_t* info) {
    info->name = nullptr;
    info->space->rope = nullptr;
    info->space->n_adapters = 0;
    info->space->attention = nullptr;
    info->space->tokenizer_digest = nullptr;
    info->space->tokenizer_digest_size = 0;
    info->space->none = KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION | KVC_NONE_TOKENIZER;
  };
  make(KVC_BACKEND_OWN_KV);
  EXPECT_EQ(backend_->info().name, "fake-1");  // the label, where there is no name
  const kvc_space_desc_t& s = backend_->space_desc();
  EXPECT_EQ(s.struct_size, sizeof s);
  EXPECT_EQ(s.rope, nullptr);
  EXPECT_EQ(s.adapters, nullptr);
  EXPECT_EQ(s.attention, nullptr);
  EXPECT_EQ(s.tokenizer_digest, nullptr);
  EXPECT_FALSE(backend_->paged());
}

TEST_F(TableBackendTest, DestroysOnceAtTheEnd) {
  make();
  EXPECT_EQ(model_.destroyed, 0);
  backend_.reset();
  EXPECT_EQ(model_.destroyed, 1);
}

TEST_F(TableBackendTest, WorksWithoutTheOptionalFunctions) {
  kvc_backend_t table = model_.table(KVC_BACKEND_PAGED);
  table.sequence_open = nullptr;
  table.sequence_close = nullptr;
  table.destroy = nullptr;
  table.export_kv = nullptr;
  table.import_kv = nullptr;
  table.truncate = nullptr;
  check(make_table_backend(table, handles_.table(), &backend_));
  check(backend_->sequence_open(1));
  backend_->sequence_close(1);
  backend_.reset();
  EXPECT_EQ(model_.destroyed, 0);
}

TEST_F(TableBackendTest, RefusesIncompleteTables) {
  const auto refuse = [&](int32_t kind, std::function<void(kvc_backend_t*)> change, kvc_status_t code,
                          const char* words) {
    kvc_backend_t table = model_.table(kind);
    change(&table);
    expect_refused(table, code, words);
  };
  refuse(
      KVC_BACKEND_PAGED, [](auto* t) { t->struct_size = 8; }, KVC_E_STRUCT_SIZE, "struct_size is 8");
  refuse(
      3, [](auto*) {}, KVC_E_OUT_OF_RANGE, "kind is 3");
  refuse(
      0, [](auto*) {}, KVC_E_OUT_OF_RANGE, "kind is 0");
  refuse(
      KVC_BACKEND_PAGED, [](auto* t) { t->describe = nullptr; }, KVC_E_NULL, "describe");
  refuse(
      KVC_BACKEND_PAGED, [](auto* t) { t->tokenize = nullptr; }, KVC_E_NULL, "tokenize");
  refuse(
      KVC_BACKEND_PAGED, [](auto* t) { t->detokenize = nullptr; }, KVC_E_NULL, "detokenize");
  refuse(
      KVC_BACKEND_PAGED, [](auto* t) { t->forward = nullptr; }, KVC_E_NULL, "forward");
  refuse(
      KVC_BACKEND_OWN_KV, [](auto* t) { t->export_kv = nullptr; }, KVC_E_NULL, "export_kv");
  refuse(
      KVC_BACKEND_OWN_KV, [](auto* t) { t->import_kv = nullptr; }, KVC_E_NULL, "import_kv");
  refuse(
      KVC_BACKEND_OWN_KV, [](auto* t) { t->truncate = nullptr; }, KVC_E_NULL, "truncate");
}

TEST_F(TableBackendTest, RefusesBadDescriptions) {
  expect_bad_description([](auto* i) { i->space->vocab_size = 0; }, "vocab_size to 0");
  expect_bad_description([](auto* i) { i->space->vocab_size = -5; }, "vocab_size to -5");
  expect_bad_description([](auto* i) { i->context = 0; }, "context to 0");
  expect_bad_description([](auto* i) { i->bos = 256; }, "bos to 256");
  expect_bad_description([](auto* i) { i->eos = -2; }, "eos to -2");
  expect_bad_description([](auto* i) { i->space->struct_size = 8; }, "struct_size 8 in a kvc_space_desc_t");
  expect_bad_description([](auto* i) { i->space = nullptr; }, "space to NULL");
  expect_bad_description([](auto* i) { i->space->weights_digest = nullptr; }, "weights_digest");
  expect_bad_description([](auto* i) { i->space->tokenizer_digest_size = 65; }, "tokenizer_digest of 65 bytes");
  expect_bad_description([](auto* i) { i->space->adapters = nullptr; }, "n_adapters to 2");
  expect_bad_description([](auto* i) { i->space->n_adapters = 5000; }, "n_adapters to 5000");
  expect_bad_description([](auto* i) { const_cast<kvc_adapter_t*>(i->space->adapters)[1].struct_size = 40; },
                         "adapter 1");
  expect_bad_description([](auto* i) { const_cast<kvc_adapter_t*>(i->space->adapters)[0].struct_size = 0; },
                         "kvc_adapter_t");
  expect_bad_description([](auto* i) { const_cast<kvc_adapter_t*>(i->space->adapters)[1].digest = nullptr; },
                         "adapter's digest");
  expect_bad_description([](auto* i) { const_cast<kvc_rope_t*>(i->space->rope)->struct_size = 5000; }, "kvc_rope_t");
}

TEST_F(TableBackendTest, TakesADescriptionOfTheBackendsOwn) {
  model_.change = [](kvc_model_info_t* info) {
    static kvc_space_desc_t own;
    own = *info->space;
    own.n_layers = kLayers + 1;
    info->space = &own;
  };
  make();
  EXPECT_EQ(backend_->space_desc().n_layers, kLayers + 1);
}

TEST_F(TableBackendTest, ReadsStructsOfNewerCallers) {
  struct Newer {
    kvc_rope_t rope;
    uint64_t more;
  };
  static Newer newer{};
  newer.rope.struct_size = sizeof newer;
  newer.rope.base = 7;
  newer.more = 0;
  model_.change = [](kvc_model_info_t* info) { info->space->rope = &newer.rope; };
  make();
  EXPECT_EQ(backend_->space_desc().rope->base, 7);
  EXPECT_EQ(backend_->space_desc().rope->struct_size, sizeof(kvc_rope_t));
  newer.more = 1;
  expect_refused(model_.table(KVC_BACKEND_PAGED), KVC_E_BACKEND, "newer kvc_rope_t");
}

TEST_F(TableBackendTest, PassesOnTheWordsOfAFailure) {
  for (kvc_status_t code : {KVC_E_USER, KVC_E_NO_MEMORY, KVC_E_CORRUPT}) {
    model_.status = {{"describe", code}};
    expect_refused(model_.table(KVC_BACKEND_PAGED), KVC_E_BACKEND,
                   std::string("describe failed: out of cheese (") + kvc_status_name(code));
  }
  model_.status.clear();
  make(KVC_BACKEND_OWN_KV);
  const auto session = open();
  for (const char* name :
       {"tokenize", "detokenize", "sequence_open", "forward", "export_kv", "import_kv", "truncate"}) {
    model_.status[name] = KVC_E_USER;
  }
  const int32_t token = 65;
  std::vector<int32_t> tokens{1};
  std::string text = "a";
  const ForwardItem one{1, session.get(), {&token, 1}, 0, nullptr};
  const auto failed = [](const char* name) {
    return std::string("backend's ") + name + " failed: out of cheese (KVC_E_USER, -900)";
  };
  expect_failure(backend_->tokenise("hi", &tokens), KVC_E_BACKEND, failed("tokenize"));
  expect_failure(backend_->detokenise(65, &text), KVC_E_BACKEND, failed("detokenize"));
  expect_failure(backend_->sequence_open(1), KVC_E_BACKEND, failed("sequence_open"));
  expect_failure(backend_->forward({&one, 1}), KVC_E_BACKEND, failed("forward"));
  expect_failure(backend_->export_kv(1, session.get(), 0, 1), KVC_E_BACKEND, failed("export_kv"));
  expect_failure(backend_->import_kv(1, session.get(), {&token, 1}, 0), KVC_E_BACKEND, failed("import_kv"));
  expect_failure(backend_->truncate(1, 0), KVC_E_BACKEND, failed("truncate"));
  EXPECT_EQ(tokens, std::vector<int32_t>{1});
  EXPECT_EQ(text, "a");
  EXPECT_TRUE(handles_.open.empty());
}

TEST_F(TableBackendTest, NonsenseResultsAreFailures) {
  make();
  std::vector<int32_t> tokens;
  model_.status["tokenize"] = KVC_PENDING;
  expect_failure(backend_->tokenise("hi", &tokens), KVC_E_BACKEND, "returned 2 (KVC_PENDING)");
  model_.status["tokenize"] = 12345;
  expect_failure(backend_->tokenise("hi", &tokens), KVC_E_BACKEND, "returned 12345 (KVC_E_UNKNOWN)");
  model_.status["tokenize"] = -12345;
  model_.words = "";
  expect_failure(backend_->tokenise("hi", &tokens), KVC_E_BACKEND, "it gave no reason (KVC_E_UNKNOWN, -12345)");
  EXPECT_TRUE(tokens.empty());
}

TEST_F(TableBackendTest, WordsWithoutAnEndAreCut) {
  make();
  kvc_backend_t table = model_.table(KVC_BACKEND_PAGED);
  table.sequence_open = [](void*, uint64_t, char* error, size_t size) {
    std::memset(error, 'w', size);
    return kvc_status_t{KVC_E_USER};
  };
  check(make_table_backend(table, handles_.table(), &backend_));
  const Status status = backend_->sequence_open(1);
  expect_failure(status, KVC_E_BACKEND, "wwww");
  EXPECT_LT(status.message().size(), 700u);
}

TEST_F(TableBackendTest, TokenisesInOneCallOrTwo) {
  make();
  std::vector<int32_t> tokens{9};
  check(backend_->tokenise("hello", &tokens));
  EXPECT_EQ(tokens, (std::vector<int32_t>{9, 'h', 'e', 'l', 'l', 'o'}));
  EXPECT_EQ(model_.tokenize_calls, 1);
  tokens.clear();
  check(backend_->tokenise("", &tokens));
  EXPECT_TRUE(tokens.empty());
  model_.tokenize_calls = 0;
  check(backend_->tokenise("!!!!", &tokens));
  EXPECT_EQ(tokens, std::vector<int32_t>(48, '!'));
  EXPECT_EQ(model_.tokenize_calls, 2);
}

TEST_F(TableBackendTest, RefusesWhatATokenizerCannotMean) {
  make();
  std::vector<int32_t> tokens{9};
  model_.claim_tokens = size_t{1} << 60;
  expect_failure(backend_->tokenise("hi", &tokens), KVC_E_BACKEND, "at most 1056 are believed");
  kvc_backend_t table = model_.table(KVC_BACKEND_PAGED);
  table.tokenize = [](void*, const char*, size_t, int32_t*, size_t capacity, size_t* n, char*, size_t) {
    *n = capacity + 1;
    return kvc_status_t{KVC_OK};
  };
  check(make_table_backend(table, handles_.table(), &backend_));
  expect_failure(backend_->tokenise("hi", &tokens), KVC_E_BACKEND, "asked for more");
  table.tokenize = [](void*, const char*, size_t, int32_t* out, size_t, size_t* n, char*, size_t) {
    out[0] = 5;
    out[1] = 256;
    *n = 2;
    return kvc_status_t{KVC_OK};
  };
  check(make_table_backend(table, handles_.table(), &backend_));
  expect_failure(backend_->tokenise("hi", &tokens), KVC_E_BACKEND, "token 256");
  EXPECT_EQ(tokens, std::vector<int32_t>{9});
}

TEST_F(TableBackendTest, DetokenisesInOneCallOrTwo) {
  make();
  std::string text = "=";
  check(backend_->detokenise(0, &text));
  check(backend_->detokenise(64, &text));
  EXPECT_EQ(text, "=" + std::string(64, 'x'));
  EXPECT_EQ(model_.detokenize_calls, 2);
  check(backend_->detokenise(200, &text));
  EXPECT_EQ(text, "=" + std::string(264, 'x'));
  EXPECT_EQ(model_.detokenize_calls, 4);
  expect_failure(backend_->detokenise(2 << 20, &text), KVC_E_BACKEND, "at most 1048576 are believed");
}

TEST_F(TableBackendTest, PagedForwardSeesSessionsWhileItRuns) {
  make();
  const auto a = open(), b = open();
  const std::vector<int32_t> long_tokens{5, 6, 7}, short_tokens{8};
  std::vector<float> logits(256);
  const ForwardItem items[] = {{11, a.get(), long_tokens, 0, nullptr}, {12, b.get(), short_tokens, 0, logits.data()}};
  check(backend_->forward(items));
  ASSERT_EQ(model_.forwards.size(), 2u);
  EXPECT_EQ(model_.forwards[0].sequence, 11u);
  EXPECT_EQ(model_.forwards[0].n, 3u);
  EXPECT_EQ(model_.forwards[0].tokens, long_tokens.data());
  EXPECT_EQ(model_.forwards[0].logits, nullptr);
  EXPECT_EQ(model_.forwards[1].position, 0u);
  EXPECT_EQ(logits[255], 8.0f);
  EXPECT_TRUE(handles_.open.empty());
  EXPECT_EQ(a->appended(0), 3u);
  EXPECT_EQ(b->appended(kLayers - 1), 1u);
}

TEST_F(TableBackendTest, PagedForwardMustAppendToEveryLayer) {
  make();
  const auto session = open();
  const std::vector<int32_t> tokens{5, 6, 7};
  model_.skip_layer = 1;
  const ForwardItem one{11, session.get(), tokens, 0, nullptr};
  expect_failure(backend_->forward({&one, 1}), KVC_E_BACKEND,
                 "forward left 0 tokens in layer 1 of sequence 11 where there must be 3");
}

TEST_F(TableBackendTest, WithdrawsHandlesWhenThereIsNoMemoryForAll) {
  make();
  const auto a = open(), b = open();
  const std::vector<int32_t> tokens{5};
  const ForwardItem items[] = {{1, a.get(), tokens, 0, nullptr}, {2, b.get(), tokens, 0, nullptr}};
  handles_.fail_at = 1;
  expect_failure(backend_->forward(items), KVC_E_NO_MEMORY, "no memory");
  EXPECT_TRUE(handles_.open.empty());
  EXPECT_TRUE(model_.forwards.empty());
}

TEST_F(TableBackendTest, OwnKvForwardSeesNoSession) {
  make(KVC_BACKEND_OWN_KV);
  const auto session = open();
  const std::vector<int32_t> tokens{5, 6};
  const ForwardItem one{3, session.get(), tokens, 10, nullptr};
  check(backend_->forward({&one, 1}));
  ASSERT_EQ(model_.forwards.size(), 1u);
  EXPECT_EQ(model_.forwards[0].session, nullptr);
  EXPECT_EQ(model_.forwards[0].position, 10u);
  EXPECT_EQ(session->appended(0), 0u);
}

TEST_F(TableBackendTest, OwnKvIsExportedImportedAndCut) {
  make(KVC_BACKEND_OWN_KV);
  const auto session = open();
  const std::vector<int32_t> tokens{5, 6};
  check(backend_->export_kv(3, session.get(), 0, 2));
  EXPECT_EQ(session->appended(1), 2u);
  check(session->commit(tokens));
  check(backend_->import_kv(4, session.get(), tokens, 0));
  check(backend_->truncate(4, 1));
  const auto has = [&](const char* line) { return std::count(model_.log.begin(), model_.log.end(), line); };
  EXPECT_EQ(has("import 2 from 0 first 5"), 1);
  EXPECT_EQ(has("truncate to 1"), 1);
  EXPECT_TRUE(handles_.open.empty());
  model_.skip_layer = 0;
  expect_failure(backend_->export_kv(3, session.get(), 2, 1), KVC_E_BACKEND, "export_kv left 2 tokens in layer 0");
}

TEST_F(TableBackendTest, PagedBackendsHaveNoOwnKv) {
  make();
  const auto session = open();
  const int32_t token = 1;
  EXPECT_EQ(backend_->export_kv(1, session.get(), 0, 1).code(), KVC_E_UNSUPPORTED);
  EXPECT_EQ(backend_->import_kv(1, session.get(), {&token, 1}, 0).code(), KVC_E_UNSUPPORTED);
  EXPECT_EQ(backend_->truncate(1, 0).code(), KVC_E_UNSUPPORTED);
}

TEST_F(TableBackendTest, OpensAndClosesSequences) {
  make();
  check(backend_->sequence_open(1));
  backend_->sequence_close(1);
  EXPECT_EQ(model_.log, (std::vector<std::string>{"describe", "sequence_open", "sequence_close"}));
}

}  // namespace
}  // namespace kvc::test

// A caller's table of functions as a backend.
#include "table_fixture.h"

namespace kvc::test {
namespace {

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

// A fake model behind a caller's table of functions, whose every answer a test can bend.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache/cache.h"
#include "model/backend.h"

namespace kvc::test {

constexpr uint32_t kLayers = 2, kHeads = 2, kDim = 4;

inline kvc_status_t fail(kvc_status_t status, const char* words, char* error, size_t error_size) {
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

}  // namespace kvc::test

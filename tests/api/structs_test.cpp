// struct_size: every public struct, as an older, a newer and a confused caller would pass it.
#include <functional>
#include <string_view>

#include "api_toy_backend.h"
#include "core_support.h"

namespace kvc_test {
namespace {

// A struct in a buffer that is larger than it, filled by the test, with guard bytes behind.
struct StructCase {
  const char* name;
  size_t size;                      // sizeof at the first release
  bool input;                       // read by kvc (its unknown tail is checked), else filled by kvc
  std::function<void(void*)> fill;  // a valid struct
  std::function<kvc_status_t(void*)> call;
};

class StructsTest : public testing::Test {
 protected:
  StructsTest()
      : engine_(Options{{"memory", "1MiB"}}), space_(engine_, Geometry{}), session_(space_), numbers_(64, 1.0f) {
    EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config_));
    EXPECT_EQ(KVC_OK, session_.add(iota_tokens(8)));
    EXPECT_GT(engine_.pages().size(), 0u);
  }
  ~StructsTest() override { kvc_config_destroy(config_); }

  void fill_tensor(void* at) {
    auto* tensor = static_cast<kvc_tensor_t*>(at);
    tensor->data = numbers_.data();
    tensor->size = numbers_.size() * sizeof(float);
    tensor->dtype = KVC_F32;
    tensor->n_dims = 1;
    tensor->shape[0] = 64;
  }
  void fill_desc(void* at) {
    auto* desc = static_cast<kvc_space_desc_t*>(at);
    desc->weights_digest = "w";
    desc->weights_digest_size = 1;
    desc->none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
    desc->n_layers = 1;
    desc->n_kv_heads = 1;
    desc->k_head_dim = 4;
    desc->dtype = KVC_F16;
    desc->page_tokens = 4;
  }
  static kvc_status_t close_if_ok(kvc_status_t status, kvc_space_t* space) {
    if (status == KVC_OK) kvc_space_close(space);
    return status;
  }
  kvc_status_t open_with(const kvc_rope_t* rope, const kvc_adapter_t* adapters) {
    kvc_space_desc_t desc;
    EXPECT_EQ(KVC_OK, kvc_space_desc_init(&desc, sizeof desc));
    fill_desc(&desc);
    desc.rope = rope;
    desc.adapters = adapters;
    desc.n_adapters = adapters != nullptr ? 1 : 0;
    desc.none &= ~(rope != nullptr ? KVC_NONE_ROPE : 0u) & ~(adapters != nullptr ? KVC_NONE_ADAPTERS : 0u);
    kvc_space_t* space = nullptr;
    return close_if_ok(kvc_space_open(engine_, &desc, &space), space);
  }

  std::vector<StructCase> cases() {
    std::vector<StructCase> all;
    const auto add = [&](const char* name, size_t size, bool input, std::function<void(void*)> fill,
                         std::function<kvc_status_t(void*)> call) {
      all.push_back({name, size, input, std::move(fill), std::move(call)});
    };
    const auto nothing = [](void*) {};
    add("kvc_error_t", sizeof(kvc_error_t), false, nothing, [](void* p) {
      kvc_engine_t* engine = nullptr;
      kvc_config_t* config = nullptr;
      EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
      EXPECT_EQ(KVC_OK, kvc_config_set(config, "model", "none"));
      const kvc_status_t status = kvc_engine_create_with_error(config, &engine, static_cast<kvc_error_t*>(p));
      kvc_engine_destroy(engine);
      kvc_config_destroy(config);
      return status;
    });
    add(
        "kvc_allocator_t", sizeof(kvc_allocator_t), true,
        [](void* p) {
          static CountingAllocator allocator;
          *static_cast<kvc_allocator_t*>(p) = allocator.table();
        },
        [this](void* p) { return kvc_config_set_allocator(config_, static_cast<kvc_allocator_t*>(p)); });
    add(
        "kvc_logger_t", sizeof(kvc_logger_t), true,
        [](void* p) {
          static_cast<kvc_logger_t*>(p)->level = KVC_LOG_ERROR;
          static_cast<kvc_logger_t*>(p)->log = [](void*, int32_t, const char*) {};
        },
        [this](void* p) { return kvc_config_set_logger(config_, static_cast<kvc_logger_t*>(p)); });
    add(
        "kvc_clock_t", sizeof(kvc_clock_t), true,
        [](void* p) { static_cast<kvc_clock_t*>(p)->now_ns = [](void*) { return uint64_t{1}; }; },
        [this](void* p) { return kvc_config_set_clock(config_, static_cast<kvc_clock_t*>(p)); });
    add(
        "kvc_policy_t", sizeof(kvc_policy_t), true,
        [](void* p) {
          static_cast<kvc_policy_t*>(p)->name = "none";
          static_cast<kvc_policy_t*>(p)->score = [](void*, const kvc_policy_page_t*, int32_t) { return 0.0; };
        },
        [this](void* p) { return kvc_config_set_policy(config_, static_cast<kvc_policy_t*>(p)); });
    add(
        "kvc_codec_t", sizeof(kvc_codec_t), true,
        [](void* p) {
          auto* codec = static_cast<kvc_codec_t*>(p);
          codec->name = "none-of-yours";
          codec->encoded_size = [](void*, const kvc_codec_page_t*) { return uint64_t{0}; };
          codec->encode = [](void*, const kvc_codec_page_t*, const void*, void*, uint64_t, char*, size_t) {
            return KVC_E_UNSUPPORTED;
          };
          codec->decode = [](void*, const kvc_codec_page_t*, const void*, uint64_t, uint32_t, int32_t, uint32_t, uint32_t,
                             uint32_t, void*, char*, size_t) { return KVC_E_UNSUPPORTED; };
        },
        [this](void* p) { return kvc_config_set_codec(config_, static_cast<kvc_codec_t*>(p)); });
    add("kvc_metrics_t", sizeof(kvc_metrics_t), true, nothing,
        [this](void* p) { return kvc_adapt(engine_, static_cast<kvc_metrics_t*>(p)); });
    add(
        "kvc_backend_t", sizeof(kvc_backend_t), true,
        [](void* p) {
          static ToyBackend toy;
          *static_cast<kvc_backend_t*>(p) = toy.table();
        },
        [this](void* p) { return kvc_config_set_backend(config_, static_cast<kvc_backend_t*>(p)); });
    add("kvc_option_info_t", sizeof(kvc_option_info_t), false, nothing,
        [](void* p) { return kvc_option_info(0, static_cast<kvc_option_info_t*>(p)); });
    add(
        "kvc_space_desc_t", sizeof(kvc_space_desc_t), true, [this](void* p) { fill_desc(p); },
        [this](void* p) {
          kvc_space_t* space = nullptr;
          return close_if_ok(kvc_space_open(engine_, static_cast<kvc_space_desc_t*>(p), &space), space);
        });
    add(
        "kvc_rope_t", sizeof(kvc_rope_t), true,
        [](void* p) {
          auto* rope = static_cast<kvc_rope_t*>(p);
          rope->base = 10000;
          rope->freq_scale = 1;
          rope->dims = 4;
        },
        [this](void* p) { return open_with(static_cast<kvc_rope_t*>(p), nullptr); });
    add(
        "kvc_adapter_t", sizeof(kvc_adapter_t), true,
        [](void* p) {
          auto* adapter = static_cast<kvc_adapter_t*>(p);
          adapter->digest = "lora";
          adapter->digest_size = 4;
          adapter->scale = 1;
        },
        [this](void* p) { return open_with(nullptr, static_cast<kvc_adapter_t*>(p)); });
    add("kvc_space_info_t", sizeof(kvc_space_info_t), false, nothing,
        [this](void* p) { return kvc_space_info(space_, static_cast<kvc_space_info_t*>(p)); });
    add("kvc_session_options_t", sizeof(kvc_session_options_t), true, nothing, [this](void* p) {
      kvc_session_t* session = nullptr;
      const kvc_status_t status = kvc_session_open(space_, static_cast<kvc_session_options_t*>(p), &session);
      if (status == KVC_OK) {
        EXPECT_EQ(KVC_OK, kvc_session_close(session, KVC_CLOSE_KEEP, 0));
      }
      return status;
    });
    add("kvc_session_info_t", sizeof(kvc_session_info_t), false, nothing,
        [this](void* p) { return kvc_session_info(session_, static_cast<kvc_session_info_t*>(p)); });
    add(
        "kvc_tensor_t (put)", sizeof(kvc_tensor_t), true, [this](void* p) { fill_tensor(p); },
        [this](void* p) { return kvc_put(engine_, nullptr, "key", 3, static_cast<kvc_tensor_t*>(p)); });
    add("kvc_tensor_t (get)", sizeof(kvc_tensor_t), true, nothing, [this](void* p) {
      int32_t found = 0;
      return kvc_get(engine_, nullptr, "key", 3, static_cast<kvc_tensor_t*>(p), &found);
    });
    add("kvc_page_info_t", sizeof(kvc_page_info_t), false, nothing, [this](void* p) {
      const std::vector<kvc_page_info_t> pages = engine_.pages();
      return kvc_page_info(engine_, pages.at(0).id, static_cast<kvc_page_info_t*>(p));
    });
    add("kvc_page_info_t (iter)", sizeof(kvc_page_info_t), false, nothing, [this](void* p) {
      kvc_page_iter_t* iter = nullptr;
      EXPECT_EQ(KVC_OK, kvc_page_iter_open(engine_, nullptr, &iter));
      const kvc_status_t status = kvc_page_iter_next(iter, static_cast<kvc_page_info_t*>(p));
      kvc_page_iter_close(iter);
      return status;
    });
    add("kvc_stats_t", sizeof(kvc_stats_t), false, nothing,
        [this](void* p) { return kvc_stats(engine_, static_cast<kvc_stats_t*>(p)); });
    return all;
  }

  Engine engine_;
  Space space_;
  Session session_;
  kvc_config_t* config_ = nullptr;
  std::vector<float> numbers_;
};

constexpr size_t kRoom = 1024;

struct alignas(16) Buffer {
  unsigned char bytes[kRoom];
  explicit Buffer(const StructCase& c, size_t struct_size) {
    std::memset(bytes, 0, sizeof bytes);
    c.fill(bytes);
    std::memcpy(bytes, &struct_size, sizeof struct_size);
  }
};

TEST_F(StructsTest, TheSizeOfToday) {
  for (const StructCase& c : cases()) {
    Buffer buffer(c, c.size);
    EXPECT_EQ(KVC_OK, c.call(buffer.bytes)) << c.name;
    size_t size = 0;
    std::memcpy(&size, buffer.bytes, sizeof size);
    EXPECT_EQ(c.size, size) << c.name << ": struct_size is the caller's";
  }
}

// Structs that have grown, as they first were.
size_t first_size(const StructCase& c) {
  const std::string_view name = c.name;
  if (name == "kvc_backend_t") return 104;
  if (name == "kvc_stats_t") return 456;
  if (name == "kvc_session_info_t") return 56;
  if (name == "kvc_session_options_t") return 32;
  if (name.starts_with("kvc_page_info_t")) return 192;
  if (name == "kvc_stats_t") return 456;
  return c.size;
}

TEST_F(StructsTest, TheSizeOfTheFirstRelease) {
  for (const StructCase& c : cases()) {
    Buffer buffer(c, first_size(c));
    EXPECT_EQ(KVC_OK, c.call(buffer.bytes)) << c.name;
  }
}

TEST_F(StructsTest, SmallerThanTheFirstReleaseIsRefused) {
  for (const StructCase& c : cases()) {
    const size_t first = first_size(c);
    for (const size_t size : {size_t{0}, size_t{1}, size_t{8}, first - 8, first - 1}) {
      Buffer buffer(c, size);
      EXPECT_EQ(KVC_E_STRUCT_SIZE, c.call(buffer.bytes)) << c.name << " " << size;
    }
  }
}

TEST_F(StructsTest, UninitialisedSizesAreRefused) {
  for (const StructCase& c : cases()) {
    for (const size_t size : {size_t{4097}, size_t{1} << 32, SIZE_MAX}) {
      Buffer buffer(c, size);
      EXPECT_EQ(KVC_E_STRUCT_SIZE, c.call(buffer.bytes)) << c.name << " " << size;
    }
  }
}

TEST_F(StructsTest, ANewerCallersZerosAreAccepted) {
  for (const StructCase& c : cases()) {
    Buffer buffer(c, c.size + 32);
    EXPECT_EQ(KVC_OK, c.call(buffer.bytes)) << c.name;
  }
}

TEST_F(StructsTest, ANewerCallersFieldsAreRefused) {
  for (const StructCase& c : cases()) {
    if (!c.input) continue;
    for (const size_t at : {c.size, c.size + 31}) {
      Buffer buffer(c, c.size + 32);
      buffer.bytes[at] = 1;
      EXPECT_EQ(KVC_E_STRUCT_SIZE, c.call(buffer.bytes)) << c.name << " byte " << at;
    }
    // What lies behind the struct is not the struct.
    Buffer buffer(c, c.size + 32);
    buffer.bytes[c.size + 32] = 1;
    EXPECT_EQ(KVC_OK, c.call(buffer.bytes)) << c.name;
  }
}

TEST_F(StructsTest, OutputsAreFilledToTheCallersSizeAndNoFurther) {
  for (const StructCase& c : cases()) {
    if (c.input) continue;
    for (const size_t size : {c.size, c.size + 32}) {
      Buffer buffer(c, size);
      std::memset(buffer.bytes + sizeof(size_t), 0xee, sizeof buffer.bytes - sizeof(size_t));
      ASSERT_EQ(KVC_OK, c.call(buffer.bytes)) << c.name;
      for (size_t i = c.size; i < size; ++i)
        EXPECT_EQ(0, buffer.bytes[i]) << c.name << ": unknown fields have their default";
      for (size_t i = size; i < sizeof buffer.bytes; ++i) ASSERT_EQ(0xee, buffer.bytes[i]) << c.name << " byte " << i;
      size_t after = 0;
      std::memcpy(&after, buffer.bytes, sizeof after);
      EXPECT_EQ(size, after) << c.name;
    }
  }
}

TEST_F(StructsTest, MessagesHaveTheSizes) {
  kvc_stats_t stats{};
  stats.struct_size = 17;
  EXPECT_EQ(KVC_E_STRUCT_SIZE, kvc_stats(engine_, &stats));
  EXPECT_NE(std::string::npos, words(engine_).find("17")) << words(engine_);
  EXPECT_NE(std::string::npos, words(engine_).find(std::to_string(sizeof stats))) << words(engine_);
}

TEST_F(StructsTest, InitFunctionsKeepToTheSize) {
  struct {
    kvc_request_t request;
    unsigned char behind[64];
  } big;
  std::memset(&big, 0xee, sizeof big);
  EXPECT_EQ(KVC_OK, kvc_request_init(&big.request, sizeof big.request));
  EXPECT_EQ(sizeof big.request, big.request.struct_size);
  EXPECT_EQ(128u, big.request.max_tokens);
  EXPECT_EQ(static_cast<size_t>(-1), big.request.prompt_size);
  EXPECT_EQ(1.0, big.request.top_p);
  EXPECT_EQ(0.0, big.request.temperature);
  EXPECT_EQ(nullptr, big.request.prompt);
  EXPECT_EQ(0xee, big.behind[0]);
  EXPECT_EQ(KVC_OK, kvc_request_init(&big.request, sizeof big.request + 32));
  EXPECT_EQ(sizeof big.request + 32, big.request.struct_size);
  EXPECT_EQ(0, big.behind[31]);
  EXPECT_EQ(0xee, big.behind[32]);
  EXPECT_EQ(KVC_E_STRUCT_SIZE, kvc_request_init(&big.request, sizeof big.request - 1));
  EXPECT_EQ(KVC_E_NULL, kvc_request_init(nullptr, sizeof big.request));
  kvc_space_desc_t desc;
  EXPECT_EQ(KVC_E_STRUCT_SIZE, kvc_space_desc_init(&desc, 8));
  EXPECT_EQ(KVC_E_NULL, kvc_space_desc_init(nullptr, sizeof desc));
}

// --- arrays
// -----------------------------------------------------------------------------------------------------------------

TEST_F(StructsTest, ArraysAreWalkedByTheCallersSize) {
  // Tensors of a newer caller: 32 bytes more each, all zero.
  const Geometry g;
  struct Newer {
    kvc_tensor_t tensor;
    unsigned char more[32];
  };
  Session session(space_);
  session.seq.extend(iota_tokens(3));
  std::vector<Block> blocks;
  std::vector<Newer> k(g.layers), v(g.layers);
  for (uint32_t layer = 0; layer < g.layers; ++layer) {
    for (int plane : {KVC_KEY, KVC_VALUE}) {
      blocks.push_back(rows_of(g, session.seq, layer, plane, 0, 3));
      Newer& newer = (plane == KVC_KEY ? k : v)[layer];
      newer = {};
      newer.tensor = blocks.back().tensor;
      newer.tensor.struct_size = sizeof(Newer);
    }
  }
  EXPECT_STATUS(KVC_OK, kvc_session_append_all(session, &k[0].tensor, &v[0].tensor, g.layers, 3),
                static_cast<kvc_session_t*>(session));
  EXPECT_STATUS(KVC_OK, kvc_session_commit(session, session.seq.tokens.data(), 3),
                static_cast<kvc_session_t*>(session));
  EXPECT_EQ("", session.check());
  v[1].tensor.struct_size = sizeof(kvc_tensor_t);
  EXPECT_EQ(KVC_E_STRUCT_SIZE, kvc_session_append_all(session, &k[0].tensor, &v[0].tensor, g.layers, 3));
  EXPECT_NE(std::string::npos, words(static_cast<kvc_session_t*>(session)).find("v[1]"))
      << words(static_cast<kvc_session_t*>(session));
  v[1].tensor.struct_size = sizeof(Newer);
  v[1].more[5] = 1;
  EXPECT_EQ(KVC_E_STRUCT_SIZE, kvc_session_read_all(session, 0, 3, &k[0].tensor, &v[0].tensor, g.layers));
  v[1].more[5] = 0;
  EXPECT_STATUS(KVC_OK, kvc_session_read_all(session, 0, 3, &k[0].tensor, &v[0].tensor, g.layers),
                static_cast<kvc_session_t*>(session));
}

TEST(StructArraysTest, BatchesAreWalkedByTheCallersSize) {
  struct Newer {
    kvc_request_t request;
    unsigned char more[24];
  };
  ToyBackend toy;
  ToyEngine engine(&toy);
  Newer requests[3];
  const char* prompts[] = {"a", "k", "s"};
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(KVC_OK, kvc_request_init(&requests[i].request, sizeof(Newer)));
    requests[i].request.prompt = prompts[i];
    requests[i].request.max_tokens = 2;
  }
  kvc_response_t* answers[3] = {};
  EXPECT_STATUS(KVC_OK, kvc_process_batch(engine, &requests[0].request, 3, answers),
                static_cast<kvc_engine_t*>(engine));
  const char* texts[] = {"bc", "lm", "tu"};
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(nullptr, answers[i]);
    EXPECT_STREQ(texts[i], answers[i]->text);
    kvc_response_free(answers[i]);
  }
  // One with fields of the future is refused; the others are carried out.
  requests[1].more[3] = 9;
  EXPECT_EQ(KVC_E_STRUCT_SIZE, kvc_process_batch(engine, &requests[0].request, 3, answers));
  EXPECT_NE(std::string::npos, words(static_cast<kvc_engine_t*>(engine)).find("requests[1]"));
  ASSERT_NE(nullptr, answers[0]);
  EXPECT_EQ(nullptr, answers[1]);
  ASSERT_NE(nullptr, answers[2]);
  EXPECT_STREQ("tu", answers[2]->text);
  kvc_response_free(answers[0]);
  kvc_response_free(answers[2]);
}

}  // namespace
}  // namespace kvc_test

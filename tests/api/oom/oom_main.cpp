// Running out of memory, at every single allocation: the scenario below uses the whole API; for n = 1, 2, 3 ... its
// n-th allocation fails, be it operator new or the caller's allocator, until it runs through without a failure.
//
// Every call must succeed or say KVC_E_NO_MEMORY; what failed must succeed when it is repeated, because the failure has
// left everything as it was; and at the end nothing may be left. A second sweep lets everything fail from the n-th
// allocation on: then nothing can succeed any more, but closing and destroying must.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "kvc/kvc.h"

namespace {

// --- memory that fails when it is told to
// -------------------------------------------------------------------------------------

bool armed = false;         // inside a call of kvc
bool from_then_on = false;  // all later ones fail, too
int64_t countdown = 0;      // allocations until one fails; 0: none does
int64_t failures = 0;
int64_t live = 0;        // allocations that were not given back
int64_t live_pages = 0;  // the same, of the caller's allocator

bool fails() {
  if (!armed || countdown == 0) return false;
  if (countdown > 1) {
    --countdown;
    return false;
  }
  if (!from_then_on) countdown = 0;
  ++failures;
  return true;
}

void* take(size_t size, size_t alignment) noexcept {
  if (fails()) return nullptr;
  void* pointer = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    pointer = std::malloc(size == 0 ? 1 : size);
  } else if (posix_memalign(&pointer, alignment, size) != 0) {
    pointer = nullptr;
  }
  if (pointer != nullptr) ++live;
  return pointer;
}

void* take_or_throw(size_t size, size_t alignment) {
  void* pointer = take(size, alignment);
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

void give_back(void* pointer) noexcept {
  if (pointer == nullptr) return;
  --live;
  std::free(pointer);
}

constexpr size_t kPlain = alignof(std::max_align_t);

}  // namespace

void* operator new(size_t n) { return take_or_throw(n, kPlain); }
void* operator new[](size_t n) { return take_or_throw(n, kPlain); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return take(n, kPlain); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return take(n, kPlain); }
void* operator new(size_t n, std::align_val_t a) { return take_or_throw(n, static_cast<size_t>(a)); }
void* operator new[](size_t n, std::align_val_t a) { return take_or_throw(n, static_cast<size_t>(a)); }
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return take(n, static_cast<size_t>(a));
}
void* operator new[](size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return take(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { give_back(p); }
void operator delete[](void* p) noexcept { give_back(p); }
void operator delete(void* p, size_t) noexcept { give_back(p); }
void operator delete[](void* p, size_t) noexcept { give_back(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give_back(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { give_back(p); }
void operator delete(void* p, std::align_val_t) noexcept { give_back(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give_back(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { give_back(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { give_back(p); }

namespace {

// --- a model without memory of its own
// ----------------------------------------------------------------------------------------

constexpr int32_t kVocab = 256;
constexpr uint32_t kLayers = 2, kDim = 4, kMost = 64;

kvc_status_t describe(void*, kvc_model_info_t* info, char*, size_t) {
  info->name = "toy";
  info->space->weights_digest = "toy";
  info->space->weights_digest_size = 3;
  info->space->none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
  info->space->n_layers = kLayers;
  info->space->n_kv_heads = 1;
  info->space->k_head_dim = kDim;
  info->space->dtype = KVC_F32;
  info->space->page_tokens = 4;
  info->space->vocab_size = kVocab;
  info->context = kMost;
  info->bos = info->eos = -1;
  return KVC_OK;
}

kvc_status_t tokenize(void*, const char* text, size_t size, int32_t* tokens, size_t capacity, size_t* n, char*,
                      size_t) {
  for (size_t i = 0; i < size && i < capacity; ++i) tokens[i] = static_cast<unsigned char>(text[i]);
  *n = size;
  return KVC_OK;
}

kvc_status_t detokenize(void*, int32_t token, char* bytes, size_t capacity, size_t* size, char*, size_t) {
  if (capacity > 0) bytes[0] = static_cast<char>(token);
  *size = 1;
  return KVC_OK;
}

kvc_status_t forward(void*, const kvc_forward_t* items, uint32_t n, char*, size_t) {
  static float rows[kMost * kDim];
  for (uint32_t i = 0; i < n; ++i) {
    kvc_tensor_t tensor;
    kvc_status_t status = kvc_tensor_thd(&tensor, rows, KVC_F32, items[i].n, 1, kDim);
    for (uint32_t layer = 0; layer < kLayers && status == KVC_OK; ++layer) {
      status = kvc_session_append(items[i].session, layer, &tensor, &tensor, items[i].n);
    }
    if (status != KVC_OK) return status;
    if (items[i].logits != nullptr) {
      for (int32_t v = 0; v < kVocab; ++v)
        items[i].logits[v] = v == (items[i].tokens[items[i].n - 1] + 1) % kVocab ? 1.0f : 0.0f;
    }
  }
  return KVC_OK;
}

// --- the scenario
// --------------------------------------------------------------------------------------------------------------

int broken = 0;
int64_t now_failing = 0;

void complain(const char* what, kvc_status_t status, const char* words) {
  if (++broken <= 20) {
    std::fprintf(stderr, "allocation %lld%s: %s: %s (%d) %s\n", static_cast<long long>(now_failing),
                 from_then_on ? " and later" : "", what, kvc_status_name(status), status, words);
  }
}

// Calls; on KVC_E_NO_MEMORY, once more with all memory there is. The result of the last call.
template <typename Call>
kvc_status_t step(const char* name, bool runs_model, Call call) {
  armed = true;
  kvc_status_t status = call();
  armed = false;
  if (status == KVC_OK) return status;
  // A model that gets KVC_E_NO_MEMORY from kvc passes it on as its own failure.
  if (status != KVC_E_NO_MEMORY && !(runs_model && status == KVC_E_BACKEND)) complain(name, status, "");
  if (from_then_on) return status;
  if (failures == 0) complain(name, status, "without a failure");
  status = call();
  if (status != KVC_OK) complain(name, status, "when repeated");
  return status;
}

struct Handles {
  kvc_config_t* config = nullptr;
  kvc_engine_t* engine = nullptr;
  kvc_space_t* space = nullptr;
  kvc_session_t* session = nullptr;
  kvc_session_t* fork = nullptr;
  kvc_page_iter_t* iter = nullptr;
};

kvc_request_t request_of(const char* prompt) {
  kvc_request_t request;
  kvc_request_init(&request, sizeof request);
  request.prompt = prompt;
  request.max_tokens = 3;
  return request;
}

void use_requests(const Handles& h) {
  char text[512];
  size_t n = 0;
  const kvc_request_t request = request_of("hello world");
  step("kvc_process", true, [&] {
    kvc_response_t* response = nullptr;
    const kvc_status_t status = kvc_process(h.engine, &request, &response);
    if (status == KVC_OK && std::strcmp(response->text, "efg") != 0) complain("kvc_process", status, response->text);
    kvc_response_free(response);
    return status;
  });
  step("kvc_process_batch", true, [&] {
    kvc_request_t both[2] = {request_of("hello world"), request_of("abcdefgh")};
    static const char* const stops[] = {"zz", "yy"};
    both[0].stop = stops;
    both[0].n_stop = 2;
    both[1].session_id = "a name that is longer than a short string has room for";
    both[1].tenant = "another name that is longer than a short string has room for";
    kvc_response_t* responses[2];
    const kvc_status_t status = kvc_process_batch(h.engine, both, 2, responses);
    kvc_response_free(responses[0]);
    kvc_response_free(responses[1]);
    return status;
  });
  kvc_ticket_t ticket = 0;
  if (step("kvc_submit", true, [&] { return kvc_submit(h.engine, &request, &ticket); }) == KVC_OK) {
    step("kvc_next", true, [&] {
      const kvc_status_t status = kvc_next(h.engine, ticket, UINT64_MAX, text, sizeof text, &n);
      return status == KVC_END ? KVC_OK : status;
    });
    // A response that found no memory is lost with its ticket: repeating says so.
    armed = true;
    kvc_response_t* response = nullptr;
    const kvc_status_t status = kvc_wait(h.engine, ticket, UINT64_MAX, &response);
    armed = false;
    if (status != KVC_OK && status != KVC_E_NO_MEMORY && status != KVC_E_BACKEND) complain("kvc_wait", status, "");
    kvc_response_free(response);
  }
  step("kvc_poll", false, [&] { return kvc_poll(h.engine, &ticket, 1, &n); });
  step("kvc_step", false, [&] { return kvc_step(h.engine, nullptr); });
  int32_t tokens[32];
  step("kvc_tokenize", false,
       [&] { return kvc_tokenize(h.engine, "some text of some length", static_cast<size_t>(-1), tokens, 32, &n); });
  step("kvc_detokenize", false, [&] { return kvc_detokenize(h.engine, tokens, 24, text, sizeof text, &n); });
}

void use_session(Handles& h) {
  static float rows[kMost * kDim];
  kvc_tensor_t layers[kLayers];
  const auto tensors = [&](size_t n) {
    for (kvc_tensor_t& layer : layers) kvc_tensor_thd(&layer, rows, KVC_F32, n, 1, kDim);
  };
  int32_t tokens[kMost];
  for (uint32_t i = 0; i < kMost; ++i) tokens[i] = static_cast<int32_t>(i % 200);
  kvc_session_options_t options{};
  options.struct_size = sizeof options;
  options.tenant = "a tenant with a name that is longer than a short string";
  if (step("kvc_session_open", false, [&] { return kvc_session_open(h.space, &options, &h.session); }) != KVC_OK)
    return;
  size_t reused = 0;
  step("kvc_session_match", false, [&] { return kvc_session_match(h.session, tokens, 20, &reused); });
  step("kvc_session_miss", false, [&] { return kvc_session_miss(h.session, nullptr, nullptr, 0, nullptr); });
  tensors(10);
  if (step("kvc_session_append_all", false,
           [&] { return kvc_session_append_all(h.session, layers, layers, kLayers, 10); }) == KVC_OK) {
    step("kvc_session_commit", false, [&] { return kvc_session_commit(h.session, tokens, 10); });
  }
  kvc_session_info_t info{};
  info.struct_size = sizeof info;
  step("kvc_session_info", false, [&] { return kvc_session_info(h.session, &info); });
  if (info.length != 10 && !from_then_on) complain("kvc_session_commit", KVC_OK, "did not keep 10 tokens");
  if (info.length == 10) {
    tensors(10);
    step("kvc_session_read", false, [&] { return kvc_session_read(h.session, 1, KVC_VALUE, 0, 10, &layers[0]); });
    step("kvc_session_read_all", false,
         [&] { return kvc_session_read_all(h.session, 0, 10, layers, layers, kLayers); });
    step("kvc_session_pin", false, [&] { return kvc_session_pin(h.session, 1); });
    step("kvc_session_set_priority", false, [&] { return kvc_session_set_priority(h.session, KVC_PRIORITY_HIGH); });
    if (step("kvc_session_fork", false, [&] { return kvc_session_fork(h.session, &h.fork); }) == KVC_OK) {
      tensors(3);
      if (step("kvc_session_append (fork)", false, [&] {
            kvc_status_t status = kvc_session_truncate(h.fork, 10);
            for (uint32_t layer = 0; layer < kLayers && status == KVC_OK; ++layer) {
              status = kvc_session_append(h.fork, layer, &layers[0], &layers[1], 3);
            }
            return status;
          }) == KVC_OK) {
        step("kvc_session_commit (fork)", false, [&] { return kvc_session_commit(h.fork, tokens + 20, 3); });
      }
      step("kvc_session_truncate", false, [&] { return kvc_session_truncate(h.fork, 5); });
    }
    step("kvc_session_pin", false, [&] { return kvc_session_pin(h.session, 0); });
  }
  size_t n = 0;
  uint8_t ids[5 * 32];
  step("kvc_space_page_ids", false,
       [&] { return kvc_space_page_ids(h.space, options.tenant, tokens, 20, ids, 5, &n); });
}

void use_cache(Handles& h) {
  float numbers[64] = {};
  kvc_tensor_t tensor;
  kvc_tensor_thd(&tensor, numbers, KVC_F32, 4, 4, 4);
  const char key[] = "a key that is longer than a short string has room for";
  int32_t found = 0;
  step("kvc_put", false, [&] { return kvc_put(h.engine, "tenant", key, sizeof key, &tensor); });
  step("kvc_put again", false, [&] { return kvc_put(h.engine, "tenant", key, sizeof key, &tensor); });
  step("kvc_get", false, [&] { return kvc_get(h.engine, "tenant", key, sizeof key, &tensor, &found); });
  if (found != 1 && !from_then_on) complain("kvc_get", KVC_OK, "did not find what was put");
  step("kvc_contains", false, [&] { return kvc_contains(h.engine, "tenant", key, sizeof key, &found); });
  step("kvc_remove", false, [&] { return kvc_remove(h.engine, "tenant", key, sizeof key, nullptr); });
  if (step("kvc_page_iter_open", false, [&] { return kvc_page_iter_open(h.engine, nullptr, &h.iter); }) == KVC_OK) {
    kvc_page_info_t info{};
    info.struct_size = sizeof info;
    armed = true;
    kvc_status_t status = KVC_OK;
    while (status == KVC_OK) status = kvc_page_iter_next(h.iter, &info);
    armed = false;
    if (status != KVC_END) complain("kvc_page_iter_next", status, "");
    if (info.n_tokens > 0) {
      int32_t tokens[8];
      size_t n = 0;
      step("kvc_page_info", false, [&] { return kvc_page_info(h.engine, info.id, &info); });
      step("kvc_page_tokens", false, [&] { return kvc_page_tokens(h.engine, info.id, tokens, 8, &n); });
    }
  }
  kvc_stats_t stats{};
  stats.struct_size = sizeof stats;
  step("kvc_stats", false, [&] { return kvc_stats(h.engine, &stats); });
  char text[64];
  step("kvc_engine_info", false, [&] { return kvc_engine_info(h.engine, text, sizeof text, nullptr); });
  step("kvc_trim", false, [&] { return kvc_trim(h.engine, 0, nullptr); });
}

void use_engine(Handles& h) {
  kvc_allocator_t allocator{};
  allocator.struct_size = sizeof allocator;
  allocator.allocate = [](void*, size_t size, size_t alignment) -> void* {
    if (fails()) return nullptr;
    void* pointer = nullptr;
    if (posix_memalign(&pointer, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) != 0) return nullptr;
    ++live_pages;
    return pointer;
  };
  allocator.release = [](void*, void* pointer, size_t, size_t) {
    --live_pages;
    std::free(pointer);
  };
  kvc_backend_t backend{};
  backend.struct_size = sizeof backend;
  backend.kind = KVC_BACKEND_PAGED;
  backend.describe = describe;
  backend.tokenize = tokenize;
  backend.detokenize = detokenize;
  backend.forward = forward;
  if (step("kvc_config_create", false, [&] { return kvc_config_create("memory_efficient", &h.config); }) != KVC_OK)
    return;
  step("kvc_config_set", false, [&] { return kvc_config_set(h.config, "memory", "1MiB"); });
  step("kvc_config_set", false,
       [&] { return kvc_config_set(h.config, "secret", "a secret that is longer than a short string"); });
  // One thread, so that allocations have an order.
  if (step("kvc_config_set", false, [&] { return kvc_config_set(h.config, "threads", "0"); }) != KVC_OK) return;
  char text[64];
  step("kvc_config_get", false, [&] { return kvc_config_get(h.config, "mode", text, sizeof text, nullptr); });
  if (kvc_config_set_allocator(h.config, &allocator) != KVC_OK ||
      kvc_config_set_backend(h.config, &backend) != KVC_OK) {
    complain("tables", KVC_OK, "refused");
  }
  kvc_error_t error{};
  error.struct_size = sizeof error;
  if (step("kvc_engine_create", false, [&] { return kvc_engine_create_with_error(h.config, &h.engine, &error); }) !=
      KVC_OK)
    return;
  use_requests(h);
  if (step("kvc_engine_space", false, [&] { return kvc_engine_space(h.engine, &h.space); }) == KVC_OK) use_session(h);
  use_cache(h);
}

void scenario() {
  Handles h;
  use_engine(h);
  // Ending never fails; half of the handles are left to kvc_engine_destroy.
  armed = true;
  if (h.session != nullptr) {
    const kvc_status_t status = kvc_session_close(h.session, KVC_CLOSE_FINISHED, 0);
    if (status != KVC_OK) complain("kvc_session_close", status, "");
  }
  kvc_page_iter_close(h.iter);
  kvc_engine_destroy(h.engine);
  kvc_config_destroy(h.config);
  armed = false;
}

int64_t sweep(bool sticky, int64_t stride) {
  int64_t n = 0;
  const int64_t live_before = live;
  do {
    n += stride;
    now_failing = n;
    from_then_on = sticky;
    countdown = n;
    failures = 0;
    scenario();
    countdown = 0;
    if (live != live_before || live_pages != 0) {
      std::fprintf(stderr, "allocation %lld: %lld allocations and %lld pages were not given back\n",
                   static_cast<long long>(n), static_cast<long long>(live - live_before),
                   static_cast<long long>(live_pages));
      return -1;
    }
  } while (failures > 0 && broken <= 20);
  return n;
}

}  // namespace

int main() {
  scenario();  // what stays for ever is made now
  const int64_t before = live;
  scenario();
  if (live != before || live_pages != 0 || broken > 0) {
    std::fprintf(stderr, "without any failure: %d complaints, %lld allocations left\n", broken,
                 static_cast<long long>(live - before));
    return 1;
  }
  const bool quick = std::getenv("KVC_TEST_QUICK") != nullptr;
  const int64_t one = sweep(false, 1);
  const int64_t all = sweep(true, quick ? 7 : 1);
  std::printf("swept %lld single failures and %lld onsets, %d complaints\n", static_cast<long long>(one),
              static_cast<long long>(all), broken);
  return one < 0 || all < 0 || broken > 0 ? 1 : 0;
}

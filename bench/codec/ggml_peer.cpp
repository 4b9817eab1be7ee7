#include "ggml_peer.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace kvc::bench {
namespace {

struct Context;
struct Tensor;
struct Graph;
struct InitParams {  // ggml_init_params
  size_t mem_size;
  void* mem_buffer;
  bool no_alloc;
};

struct Api {
  Context* (*init)(InitParams);
  void (*free)(Context*);
  Tensor* (*new_tensor_3d)(Context*, int type, int64_t, int64_t, int64_t);
  void* (*get_data)(const Tensor*);
  size_t (*nbytes)(const Tensor*);
  size_t (*quantize_chunk)(int type, const float* src, void* dst, int64_t start, int64_t rows, int64_t per_row,
                           const float* imatrix);
  Tensor* (*flash_attn_ext)(Context*, Tensor* q, Tensor* k, Tensor* v, Tensor* mask, float scale, float max_bias,
                            float softcap);
  Graph* (*new_graph)(Context*);
  void (*build_forward_expand)(Graph*, Tensor*);
  int (*compute)(Context*, Graph*, int threads);
  // By type: q4_0, q8_0.
  void (*encode[2])(const float* from, void* to, int64_t n);
  void (*decode[2])(const void* from, float* to, int64_t n);
};

class Attention final : public GgmlAttention {
 public:
  Attention(const Api& api, GgmlType type, const GgmlShape& s, const std::vector<float>& k, const std::vector<float>& v,
            const std::vector<float>& query)
      : api_(api) {
    const size_t plane = static_cast<size_t>(s.tokens * s.kv_heads * s.dim) * 2;
    context_ = api.init({static_cast<size_t>(s.layers) * (2 * plane + (4u << 20)) + (256u << 20), nullptr, false});
    graph_ = api.new_graph(context_);
    for (int64_t layer = 0; layer < s.layers; ++layer) {
      Tensor* q = api.new_tensor_3d(context_, 0, s.dim, 1, s.heads);
      std::memcpy(api.get_data(q), query.data(), query.size() * sizeof(float));
      Tensor* kv[2];
      for (int i = 0; i < 2; ++i) {
        kv[i] = api.new_tensor_3d(context_, static_cast<int>(type), s.dim, s.tokens, s.kv_heads);
        api.quantize_chunk(static_cast<int>(type), (i == 0 ? k : v).data(), api.get_data(kv[i]), 0,
                           s.tokens * s.kv_heads, s.dim, nullptr);
      }
      Tensor* out = api.flash_attn_ext(context_, q, kv[0], kv[1], nullptr, 0.125f, 0, 0);
      if (layer == 0) result_ = out;
      api.build_forward_expand(graph_, out);
    }
  }
  ~Attention() override { api_.free(context_); }
  const float* run() override {
    api_.compute(context_, graph_, 1);
    return static_cast<const float*>(api_.get_data(result_));
  }

 private:
  const Api& api_;
  Context* context_;
  Graph* graph_;
  Tensor* result_ = nullptr;
};

class Loaded final : public Ggml {
 public:
  Api api{};
  std::string name;
  const std::string& variant() const override { return name; }
  void encode_rows(GgmlType type, const float* from, void* to, int64_t n) override {
    api.encode[type == GgmlType::q8_0](from, to, n);
  }
  void decode_rows(GgmlType type, const void* from, float* to, int64_t n) override {
    api.decode[type == GgmlType::q8_0](from, to, n);
  }
  std::unique_ptr<GgmlAttention> attention(GgmlType type, const GgmlShape& shape, const std::vector<float>& k,
                                           const std::vector<float>& v, const std::vector<float>& query) override {
    return std::make_unique<Attention>(api, type, shape, k, v, query);
  }
};

template <typename F>
bool find(void* library, const char* name, F* out) {
  *out = reinterpret_cast<F>(::dlsym(library, name));
  return *out != nullptr;
}

std::filesystem::path folder() {
  if (const char* named = std::getenv("KVC_LLAMA_LIB")) return named;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root = cache != nullptr ? cache : std::filesystem::path(home != nullptr ? home : "") / ".cache";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(root / "kvc", ignored)) {
    if (entry.path().filename().string().starts_with("llama.cpp-")) return entry.path() / "lib";
  }
  return {};
}

}  // namespace

std::unique_ptr<Ggml> load_ggml(std::string* why) {
  std::filesystem::path where = folder();
  std::error_code ignored;
  if (!std::filesystem::is_directory(where, ignored)) where = where.parent_path();
  void* base = ::dlopen((where / "libggml-base.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (base == nullptr) {
    *why = "no libggml-base.so in '" + where.string() + "': bindings/llama/setup fetches it, KVC_LLAMA_LIB names its folder";
    return nullptr;
  }
  void* best = nullptr;
  int best_score = 0;
  auto loaded = std::make_unique<Loaded>();
  for (const auto& entry : std::filesystem::directory_iterator(where, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("libggml-cpu-")) continue;
    void* library = ::dlopen(entry.path().c_str(), RTLD_NOW | RTLD_LOCAL);
    int (*score)() = nullptr;
    if (library == nullptr || !find(library, "ggml_backend_score", &score) || score() <= best_score) continue;
    best = library;
    best_score = score();
    loaded->name = name;
  }
  void (*cpu_init)() = nullptr;
  Api& api = loaded->api;
  if (best == nullptr || !find(best, "ggml_cpu_init", &cpu_init) ||
      !find(best, "ggml_graph_compute_with_ctx", &api.compute) || !find(base, "ggml_init", &api.init) ||
      !find(base, "ggml_free", &api.free) || !find(base, "ggml_new_tensor_3d", &api.new_tensor_3d) ||
      !find(base, "ggml_get_data", &api.get_data) || !find(base, "ggml_nbytes", &api.nbytes) ||
      !find(base, "ggml_quantize_chunk", &api.quantize_chunk) ||
      !find(base, "ggml_flash_attn_ext", &api.flash_attn_ext) || !find(base, "ggml_new_graph", &api.new_graph) ||
      !find(base, "ggml_build_forward_expand", &api.build_forward_expand) ||
      !find(best, "quantize_row_q4_0", &api.encode[0]) || !find(best, "quantize_row_q8_0", &api.encode[1]) ||
      !find(base, "dequantize_row_q4_0", &api.decode[0]) || !find(base, "dequantize_row_q8_0", &api.decode[1])) {
    *why = "the libraries in '" + where.string() + "' lack functions of ggml";
    return nullptr;
  }
  cpu_init();
  return loaded;
}

}  // namespace kvc::bench

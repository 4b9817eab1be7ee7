// What this module uses of llama.cpp's C interface, in its own words: it is built without llama.cpp, and loads a
// library that is there at run time. The layouts are those of llama.cpp release v0.5.0 (llama.h of that release: model
// parameters of 80 bytes, context parameters of 160, batches of 56). library.cpp compares sizes and known defaults with
// the library that it loads, and refuses one that differs: nothing here is taken on trust.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace kvc_llama {

// Opaque objects of llama.cpp.
struct llama_model;
struct llama_context;
struct llama_vocab;
struct llama_memory;
struct llama_adapter_lora;
struct ggml_device;

// Element types of tensors (ggml_type), those that a K/V cache may have.
inline constexpr int32_t kTypeF32 = 0, kTypeF16 = 1, kTypeQ4_0 = 2, kTypeQ4_1 = 3, kTypeQ5_0 = 6, kTypeQ5_1 = 7,
                         kTypeQ8_0 = 8, kTypeIq4Nl = 20, kTypeBf16 = 30;

inline constexpr int32_t kFlashAuto = -1, kFlashOff = 0, kFlashOn = 1;
inline constexpr int32_t kRopeNone = -1, kRopeNorm = 0;
inline constexpr int32_t kRopeScalingUnspecified = -1, kRopeScalingNone = 0, kRopeScalingLinear = 1,
                         kRopeScalingYarn = 2, kRopeScalingLong = 3;

struct model_params {
  void* devices;
  const void* buffer_overrides;
  int32_t n_gpu_layers;
  int32_t split_mode;
  int32_t load_mode;
  int32_t lazy_mode;
  int32_t main_gpu;
  const float* tensor_split;
  bool (*progress)(float progress, void* user_data);
  void* progress_user_data;
  const void* kv_overrides;
  bool vocab_only, check_tensors, use_extra_buffers, no_host, no_alloc, load_mtp;
};
static_assert(sizeof(model_params) == 80);

struct context_params {
  uint32_t n_ctx;
  uint32_t n_batch;
  uint32_t n_ubatch;
  uint32_t n_seq_max;
  uint32_t n_rs_seq;
  uint32_t n_outputs_max;
  uint32_t n_outputs_max_per_seq;
  int32_t n_threads;
  int32_t n_threads_batch;
  int32_t context_type;
  int32_t rope_scaling_type;
  int32_t pooling_type;
  int32_t attention_type;
  int32_t flash_attn_type;
  float rope_freq_base;
  float rope_freq_scale;
  float yarn_ext_factor;
  float yarn_attn_factor;
  float yarn_beta_fast;
  float yarn_beta_slow;
  uint32_t yarn_orig_ctx;
  float defrag_threshold;
  void* eval_callback;
  void* eval_callback_data;
  int32_t type_k;
  int32_t type_v;
  bool (*abort_callback)(void* data);
  void* abort_callback_data;
  bool embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified;
  void* samplers;
  size_t n_samplers;
  llama_context* other;
};
static_assert(sizeof(context_params) == 160);

struct batch {
  int32_t n_tokens;
  int32_t* token;
  float* embd;
  int32_t* pos;
  int32_t* n_seq_id;
  int32_t** seq_id;
  int8_t* logits;
};
static_assert(sizeof(batch) == 56);

struct chat_message {
  const char* role;
  const char* content;
};

using log_function = void (*)(int32_t level, const char* text, void* user_data);

// Every function used: X(result, name, parameters). All must be there.
#define KVC_LLAMA_FUNCTIONS(X)                                                                            \
  X(const char*, llama_version, (void))                                                                   \
  X(void, llama_backend_init, (void))                                                                     \
  X(void, llama_log_set, (log_function, void*))                                                           \
  X(size_t, llama_max_parallel_sequences, (void))                                                         \
  X(model_params, llama_model_default_params, (void))                                                     \
  X(context_params, llama_context_default_params, (void))                                                 \
  X(llama_model*, llama_model_load_from_file, (const char*, model_params))                                \
  X(void, llama_model_free, (llama_model*))                                                               \
  X(llama_context*, llama_init_from_model, (llama_model*, context_params))                                \
  X(void, llama_free, (llama_context*))                                                                   \
  X(llama_memory*, llama_get_memory, (const llama_context*))                                              \
  X(const llama_model*, llama_get_model, (const llama_context*))                                          \
  X(uint32_t, llama_n_ctx, (const llama_context*))                                                        \
  X(uint32_t, llama_n_ctx_seq, (const llama_context*))                                                    \
  X(uint32_t, llama_n_batch, (const llama_context*))                                                      \
  X(uint32_t, llama_n_seq_max, (const llama_context*))                                                    \
  X(const llama_vocab*, llama_model_get_vocab, (const llama_model*))                                      \
  X(int32_t, llama_model_rope_type, (const llama_model*))                                                 \
  X(int32_t, llama_model_n_ctx_train, (const llama_model*))                                               \
  X(int32_t, llama_model_n_embd, (const llama_model*))                                                    \
  X(int32_t, llama_model_n_layer, (const llama_model*))                                                   \
  X(int32_t, llama_model_n_head, (const llama_model*))                                                    \
  X(int32_t, llama_model_n_head_kv, (const llama_model*))                                                 \
  X(int32_t, llama_model_n_swa, (const llama_model*))                                                     \
  X(bool, llama_model_is_recurrent, (const llama_model*))                                                 \
  X(bool, llama_model_is_hybrid, (const llama_model*))                                                    \
  X(bool, llama_model_has_encoder, (const llama_model*))                                                  \
  X(bool, llama_model_has_decoder, (const llama_model*))                                                  \
  X(int32_t, llama_model_meta_val_str, (const llama_model*, const char*, char*, size_t))                  \
  X(int32_t, llama_model_desc, (const llama_model*, char*, size_t))                                       \
  X(const char*, llama_model_chat_template, (const llama_model*, const char*))                            \
  X(int32_t, llama_vocab_n_tokens, (const llama_vocab*))                                                  \
  X(int32_t, llama_vocab_bos, (const llama_vocab*))                                                       \
  X(int32_t, llama_vocab_eos, (const llama_vocab*))                                                       \
  X(bool, llama_vocab_is_eog, (const llama_vocab*, int32_t))                                              \
  X(bool, llama_vocab_get_add_bos, (const llama_vocab*))                                                  \
  X(int32_t, llama_tokenize, (const llama_vocab*, const char*, int32_t, int32_t*, int32_t, bool, bool))   \
  X(int32_t, llama_token_to_piece, (const llama_vocab*, int32_t, char*, int32_t, int32_t, bool))          \
  X(int32_t, llama_chat_apply_template, (const char*, const chat_message*, size_t, bool, char*, int32_t)) \
  X(int32_t, llama_decode, (llama_context*, batch))                                                       \
  X(float*, llama_get_logits_ith, (llama_context*, int32_t))                                              \
  X(void, llama_synchronize, (llama_context*))                                                            \
  X(void, llama_memory_clear, (llama_memory*, bool))                                                      \
  X(bool, llama_memory_seq_rm, (llama_memory*, int32_t, int32_t, int32_t))                                \
  X(void, llama_memory_seq_cp, (llama_memory*, int32_t, int32_t, int32_t, int32_t))                       \
  X(int32_t, llama_memory_seq_pos_min, (llama_memory*, int32_t))                                          \
  X(int32_t, llama_memory_seq_pos_max, (llama_memory*, int32_t))                                          \
  X(size_t, llama_state_seq_get_size, (llama_context*, int32_t))                                          \
  X(size_t, llama_state_seq_get_data, (llama_context*, uint8_t*, size_t, int32_t))                        \
  X(size_t, llama_state_seq_set_data, (llama_context*, const uint8_t*, size_t, int32_t))                  \
  X(llama_adapter_lora*, llama_adapter_lora_init, (llama_model*, const char*))                            \
  X(int32_t, llama_set_adapters_lora, (llama_context*, llama_adapter_lora**, size_t, float*))             \
  X(void, ggml_backend_load_all_from_path, (const char*))                                                 \
  X(size_t, ggml_backend_dev_count, (void))                                                               \
  X(ggml_device*, ggml_backend_dev_get, (size_t))                                                         \
  X(const char*, ggml_backend_dev_name, (ggml_device*))                                                   \
  X(const char*, ggml_backend_dev_description, (ggml_device*))

}  // namespace kvc_llama

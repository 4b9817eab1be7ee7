/* kvc_llama.h - kvc for programs that use llama.cpp themselves.          SPDX-License-Identifier: Apache-2.0
 *
 * The program keeps its llama_context and its way of decoding. Before it decodes a prompt it asks kvc to restore what is stored of
 * it; afterwards it has kvc save what was computed:
 *
 *     kvc_llama_attach(engine, ctx, &params, "model.gguf", NULL, &cache, &error);
 *     ...
 *     kvc_llama_restore(cache, 0, tokens, n, &done);      decode tokens[done..n) at positions done..n
 *     kvc_llama_save(cache, 0, tokens, n);                also after generating, with the new tokens
 *     ...
 *     kvc_llama_detach(cache);
 *
 * Link with -lkvc_llama -lkvc. The context must have been made with kv_unified = true and n_seq_max >= 2: the last sequence id is kvc's
 * own. After llama_memory_seq_add, decode once before saving: llama.cpp moves positions before it moves the keys.
 *
 * Threads: one at a time on one context, decoding included.
 */
#ifndef KVC_LLAMA_H
#define KVC_LLAMA_H

#include <kvc/kvc.h>

struct llama_context;
struct llama_context_params;

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kvc_llama_t kvc_llama_t;

typedef struct kvc_llama_options_t {
    size_t struct_size;
    const char *tenant;              /* security domain; NULL = the default one                                        */
    const kvc_adapter_t *adapters;   /* LoRA adapters that are applied to the context, by content and scale            */
    uint32_t n_adapters;
    uint32_t reserved;               /* 0                                                                              */
} kvc_llama_options_t;

/* Joins an engine (option model may be none) and a context, which must be empty: a self-test decodes a few tokens in it.
 *   params  those the context was made with: K/V depends on them
 *   model   the GGUF file that its model was loaded from: its content is part of the identity
 * options and error may be NULL. Errors: KVC_E_UNSUPPORTED (another llama.cpp, not unified, a model whose state cannot be cut),
 * KVC_E_ORDER (the context is not empty), KVC_E_IO. Ownership: kvc_llama_detach, before engine and context end. */
KVC_API kvc_status_t kvc_llama_attach(kvc_engine_t *engine, struct llama_context *context,
                                      const struct llama_context_params *params, const char *model,
                                      const kvc_llama_options_t *options, kvc_llama_t **cache,
                                      kvc_error_t *error) KVC_NOEXCEPT;

/* Empties a sequence and gives it the longest stored prefix of tokens, at most n - 1: the last token is to be decoded for its
 * logits. *done gets the number restored; 0 is no error. After an error the sequence is empty. */
KVC_API kvc_status_t kvc_llama_restore(kvc_llama_t *cache, int32_t sequence, const int32_t *tokens, size_t n,
                                       size_t *done) KVC_NOEXCEPT;

/* Stores the K/V of a sequence that holds (at least) these tokens, as far as it is not stored.
 * Errors: KVC_E_ORDER (it does not hold so many), KVC_E_NO_MEMORY, KVC_E_BACKEND. */
KVC_API kvc_status_t kvc_llama_save(kvc_llama_t *cache, int32_t sequence, const int32_t *tokens, size_t n) KVC_NOEXCEPT;

/* Text of the last failure; valid until the next call. */
KVC_API const char *kvc_llama_last_error(kvc_llama_t *cache) KVC_NOEXCEPT;

/* Ends it. What is stored stays in the engine. NULL is allowed. */
KVC_API void kvc_llama_detach(kvc_llama_t *cache) KVC_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* KVC_LLAMA_H */

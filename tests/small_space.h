// The space that tests use where its particulars do not matter: one head, keys and values of one size, no weights behind.
#ifndef KVC_TESTS_SMALL_SPACE_H_
#define KVC_TESTS_SMALL_SPACE_H_

#include "kvc/kvc.h"

namespace kvc_test {

inline kvc_space_desc_t small_space(uint32_t layers, uint32_t head_dim, int32_t dtype, uint32_t page_tokens) {
  kvc_space_desc_t desc{};
  desc.struct_size = sizeof desc;
  desc.weights_digest = "w";
  desc.weights_digest_size = 1;
  desc.none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
  desc.n_layers = layers;
  desc.n_kv_heads = 1;
  desc.k_head_dim = head_dim;
  desc.dtype = dtype;
  desc.page_tokens = page_tokens;
  return desc;
}

}  // namespace kvc_test

#endif  // KVC_TESTS_SMALL_SPACE_H_

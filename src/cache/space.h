// A space: the full identity of a model's K/V, and the geometry of its pages.
//
// Everything that the bytes of a page depend on besides the tokens is a typed, length-framed field of the identity; the
// digest over the fields is the root of every chain. The fields are kept (the preimage), so that a miss can be
// explained.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "codec/codec.h"
#include "codec/klt_calibration.h"

namespace kvc {

class Space : public std::enable_shared_from_this<Space> {
 public:
  // Defaults for what a description leaves to the engine (options num_heads, head_dim, page_tokens).
  struct Defaults {
    uint32_t n_kv_heads = 8;
    uint32_t head_dim = 64;
    uint32_t page_tokens = 64;
  };

  // Checks a description (already of full size, see api) and makes its space. KVC_E_IDENTITY names the field left out.
  static Status make(const kvc_space_desc_t& desc, const Defaults& defaults, std::shared_ptr<const Space>* out);

  const Digest& digest() const noexcept { return digest_; }
  const PageGeometry& geometry() const noexcept { return geometry_; }
  int32_t vocab_size() const noexcept { return vocab_size_; }  // 0: unknown
  const std::string& label() const noexcept { return label_; }
  // How its keys are rotated, where that is known and plain (no scaling but a factor for all positions); else empty.
  const KeyRope& key_rope() const noexcept { return key_rope_; }
  // Bytes per token id as stored with pages: 2 if every id fits, else 4.
  uint32_t token_width() const noexcept { return token_width_; }
  // KVC_E_TOKEN if a token is negative or beyond the vocabulary; the message says which and where.
  Status check_tokens(std::span<const int32_t> tokens) const;
  // Measured cost of computing the K/V of a token, ns; 0: unknown. Told by who runs the model, read by who chooses
  // between computing a page and reading it.
  std::atomic<double>& prefill_ns() const noexcept { return prefill_ns_; }
  // "rope_base 10000 != 500000; dtype f16 != bf16": `*this` on the left. "" if equal.
  std::string diff(const Space& other) const;

 private:
  struct Field {
    std::string name;
    std::string bytes;  // what is hashed
    std::string text;   // what people read
  };
  struct Builder;

  std::string label_;
  std::vector<Field> fields_;
  Digest digest_;
  PageGeometry geometry_;
  int32_t vocab_size_ = 0;
  uint32_t token_width_ = 4;
  mutable std::atomic<double> prefill_ns_{0};
  KeyRope key_rope_;
};

}  // namespace kvc

// What a caller's backend said of itself, kept: a deep copy of kvc_model_info_t.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/backend.h"

namespace kvc {

class Description {
 public:
  // Checks and copies. KVC_E_BACKEND: the message names the field. Call it once; afterwards the object stays where it
  // is.
  Status take(const kvc_model_info_t& info);

  const ModelInfo& model() const noexcept { return model_; }
  const kvc_space_desc_t& space() const noexcept { return space_; }

  Description() = default;
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;

 private:
  Status take_ends(const kvc_model_info_t& info, int32_t vocab);
  Status take_rope(const kvc_rope_t* rope);
  Status take_adapters(const kvc_adapter_t* adapters, uint32_t n);

  ModelInfo model_;
  kvc_space_desc_t space_{};  // its pointers lead into the members below
  std::string label_, weights_, tokenizer_, attention_, rope_scaling_;
  kvc_rope_t rope_{};
  std::vector<kvc_adapter_t> adapters_;
  std::vector<std::string> adapter_digests_;
};

}  // namespace kvc

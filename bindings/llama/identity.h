// Everything that the K/V of a model depends on, as the identity of a space of kvc.
#pragma once

#include <kvc/kvc.h>

#include <string>
#include <vector>

#include "library.h"
#include "pages.h"

namespace kvc_llama {

// What a model file does not say: how its context was made.
struct IdentityInput {
  int32_t type_k = kTypeF16, type_v = kTypeF16, flash = kFlashOn;
  double rope_base = 0, rope_scale = 0;  // 0: the model's own
  int32_t rope_scaling = kRopeScalingUnspecified;
  uint32_t yarn_context = 0;
  std::string more;                     // what else there is, " name=value" each
  std::vector<kvc_adapter_t> adapters;  // their digests stay the caller's
  std::vector<uint8_t> weights_digest;
};

class Identity {
 public:
  // copier nullptr: sequences are kept as states. The library and what the adapters point to must outlive this.
  Identity(const Library& library, const llama_model* model, const IdentityInput& in, const PageCopier* copier);
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  const std::string& name() const noexcept { return name_; }
  const kvc_space_desc_t& space() const noexcept { return space_; }  // its pointers lead into this
  bool transposed() const noexcept { return transposed_; }

 private:
  std::string metadata(const std::string& key) const;
  double number(const std::string& key, double otherwise) const;

  const Library& lib_;
  const llama_model* const model_;
  const std::vector<uint8_t> weights_digest_;
  const std::vector<kvc_adapter_t> adapters_;
  std::string name_, arch_, rope_scaling_, attention_;
  kvc_rope_t rope_{};
  kvc_space_desc_t space_{};
  bool transposed_ = false;
};

}  // namespace kvc_llama

#include "options.h"

#include <cstdlib>
#include <cstring>

#include "failure.h"
#include "llama_abi.h"

namespace kvc_llama {
namespace {

struct Word {
  const char* name;
  int32_t value;
};
constexpr Word kTypes[] = {{"f32", kTypeF32},   {"f16", kTypeF16},   {"bf16", kTypeBf16},
                           {"q8_0", kTypeQ8_0}, {"q5_1", kTypeQ5_1}, {"q5_0", kTypeQ5_0},
                           {"q4_1", kTypeQ4_1}, {"q4_0", kTypeQ4_0}, {"iq4_nl", kTypeIq4Nl}};
constexpr Word kFlash[] = {{"on", kFlashOn}, {"off", kFlashOff}, {"auto", kFlashAuto}};
constexpr Word kScalings[] = {{"model", kRopeScalingUnspecified},
                              {"none", kRopeScalingNone},
                              {"linear", kRopeScalingLinear},
                              {"yarn", kRopeScalingYarn}};

template <size_t n>
int32_t word(const char* option, const char* value, const Word (&words)[n]) {
  for (const Word& w : words) {
    if (std::strcmp(w.name, value) == 0) return w.value;
  }
  fail(KVC_E_OUT_OF_RANGE, "option %s is '%s', which this module does not know", option, value);
}

// "path[=scale],path[=scale]"
std::vector<Lora> read_lora(const std::string& text) {
  std::vector<Lora> adapters;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find(',', at);
    if (end == std::string::npos) end = text.size();
    Lora lora{text.substr(at, end - at), 1};
    if (const size_t equals = lora.path.rfind('='); equals != std::string::npos) {
      char* rest = nullptr;
      const std::string number = lora.path.substr(equals + 1);
      lora.scale = std::strtof(number.c_str(), &rest);
      if (number.empty() || *rest != 0) fail(KVC_E_OUT_OF_RANGE, "option model_lora: '%s' is no scale", number.c_str());
      lora.path.resize(equals);
    }
    if (lora.path.empty()) fail(KVC_E_OUT_OF_RANGE, "option model_lora names an adapter without a path");
    adapters.push_back(lora);
    at = end + 1;
  }
  return adapters;
}

}  // namespace

Options read_options(const kvc_module_request_t& request) {
  Options o;
  for (uint32_t i = 0; i < request.n_options; ++i) {
    const char* name = request.names[i];
    const char* value = request.values[i];
    const auto is = [&](const char* what) { return std::strcmp(name, what) == 0; };
    const auto number = [&] { return static_cast<uint32_t>(std::strtoull(value, nullptr, 10)); };
    if (is("model")) o.model = value;
    if (is("model_library")) o.library = value;
    if (is("model_context")) o.context = number();
    if (is("model_cells")) o.cells = number();
    if (is("model_resident")) o.resident = number();
    if (is("model_threads")) o.threads = number();
    if (is("model_cache_type_k")) o.type_k = word(name, value, kTypes);
    if (is("model_cache_type_v")) o.type_v = word(name, value, kTypes);
    if (is("model_flash_attention")) o.flash = word(name, value, kFlash);
    if (is("model_lora")) o.lora = read_lora(value);
    if (is("model_rope_base")) o.rope_base = std::strtod(value, nullptr);
    if (is("model_rope_scale")) o.rope_scale = std::strtod(value, nullptr);
    if (is("model_rope_scaling")) o.rope_scaling = word(name, value, kScalings);
    if (is("model_yarn_context")) o.yarn_context = number();
    if (is("model_state_tokens")) o.state_tokens = number();
    if (is("reproducible")) o.reproducible = std::strcmp(value, "true") == 0;
    if (is("codec")) o.plain_codec = std::strcmp(value, "identity") == 0;
    if (is("page_tokens")) o.page_tokens = number();
    if (is("max_batch")) o.max_batch = number();
    if (is("prefill_chunk")) o.prefill_chunk = number();
    if (is("max_tokens")) o.max_tokens = number();
  }
  if (o.reproducible) {
    // llama.cpp adds attention up in blocks of cells, and cuts them between threads: where a sequence's cells lie, and how
    // many others are in use, changes its last bits. A sequence that is alone has the first ones, in order.
    o.max_batch = 1;
    o.resident = 0;
  }
  if (is_quantised(o.type_v) && o.flash == kFlashOff) {
    fail(
        KVC_E_OUT_OF_RANGE,
        "model_cache_type_v is %s, which needs flash attention: set model_flash_attention to on, or model_cache_type_v "
        "to f16",
        type_name(o.type_v));
  }
  return o;
}

const char* type_name(int32_t type) noexcept {
  for (const Word& w : kTypes) {
    if (w.value == type) return w.name;
  }
  return "unknown";
}

bool is_quantised(int32_t type) noexcept { return type != kTypeF32 && type != kTypeF16 && type != kTypeBf16; }

}  // namespace kvc_llama

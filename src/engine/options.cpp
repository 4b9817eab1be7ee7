#include "engine/options.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "cache/tensor_form.h"
#include "codec/codec.h"
#include "engine/values.h"
#include "policy/policy.h"

namespace kvc {
namespace {

// Text that is made once and stays: whoever is first publishes it. No lock, so that a fork cannot find one held.
const char* keep(std::atomic<const std::string*>& slot, std::string text) {
  const std::string* kept = slot.load(std::memory_order_acquire);
  if (kept == nullptr) {
    auto made = std::make_unique<const std::string>(std::move(text));
    if (slot.compare_exchange_strong(kept, made.get(), std::memory_order_acq_rel)) kept = made.release();
  }
  return kept->c_str();
}

const char* policy_choices() {
  static constinit std::atomic<const std::string*> kept{nullptr};
  std::string text;
  for (std::string_view name : policy_names()) text.append(text.empty() ? "" : "|").append(name);
  return keep(kept, std::move(text));
}

const char* codec_choices() {
  static constinit std::atomic<const std::string*> kept{nullptr};
  std::string text;
  for (const Codec* codec : codecs()) text.append(text.empty() ? "" : "|").append(codec->name());
  return keep(kept, std::move(text));
}

const char* tensor_codec_choices() { return kTensorCodecs; }
const char* disk_mode_choices() { return "read_write|read_only"; }
const char* disk_admission_choices() { return "always|second_sight|worth"; }
const char* mode_choices() { return "training|inference|bulk|streaming|interactive"; }

const char* cache_types() { return "f16|bf16|f32|q8_0|q5_1|q5_0|q4_1|q4_0|iq4_nl"; }
const char* flash_choices() { return "on|off|auto"; }
const char* rope_scalings() { return "model|none|linear|yarn"; }

constexpr OptionRow kOptions[] = {
    {"model", KVC_OPTION_TEXT, "builtin", "", "", nullptr,
     "The model of the request engine: builtin (the small model in the library), none (the engine keeps tensors "
     "only), or the path of a GGUF file, which llama.cpp runs (module libkvc_llama.so). A model of the "
     "program's own is given with kvc_config_set_backend.",
     "0.1.0", &Settings::model},
    {"memory", KVC_OPTION_SIZE, "512MiB", "", "1024TiB", nullptr,
     "Hard budget for pages, tensors and their metadata; also a share of this machine's (or container's) memory, e.g. "
     "25%.",
     "0.1.0", &Settings::memory, true},
    {"policy", KVC_OPTION_CHOICE, "adaptive", "", "", policy_choices,
     "Which pages leave first when the budget is used up. adaptive learns online what comes back, and when, and is "
     "otherwise lru.",
     "0.1.0", &Settings::policy},
    {"page_limit", KVC_OPTION_INTEGER, "0", "0", "1000000000", nullptr,
     "Most pages kept when no session is open; what open sessions use comes on top, within the budget. 0: as many as "
     "the budget holds.",
     "0.1.0", &Settings::page_limit},
    {"pin_limit", KVC_OPTION_SIZE, "0B", "0B", "1024TiB", nullptr,
     "Most bytes of pages that kvc_session_pin may hold in memory; 0: all of the budget.", "0.1.0",
     &Settings::pin_limit},
    {"whatif_memory", KVC_OPTION_SIZE, "1MiB", "0B", "1GiB", nullptr,
     "Room within the budget, at most a 64th of it, for what kvc_whatif looks back on; 0: kvc_whatif has nothing to "
     "say.",
     "0.1.0", &Settings::whatif_memory},
    {"codec", KVC_OPTION_CHOICE, "identity", "", "", codec_choices,
     "How sealed pages are encoded. identity keeps every bit. int8, int4 and mixed are smaller by about 1.9, 3.5 and 2.5, "
     "and approximate: keys are rounded per channel, values per token; the first 4 tokens of a sequence stay exact. "
     "klt, lowrank and auto learn a space's keys from its first pages (and queries, where kvc_session_attend is used) and "
     "code them in the basis that suits both: klt to codec_bits, lowrank to compression_ratio, auto to codec_bound. "
     "svd truncates each page to a low rank within compression_ratio: far worse than lowrank at the same bytes. "
     "sparse keeps some rows bit for bit (sparse_keep) and leaves the others to a colder place.",
     "0.1.0", &Settings::codec},
    {"codec_window", KVC_OPTION_INTEGER, "64", "0", "1048576", nullptr,
     "With an approximate codec: as many of an open session's last tokens stay exact; a page is encoded, and findable "
     "for others, once that many tokens follow it or the session is closed.",
     "0.1.0", &Settings::codec_window},
    {"codec_key_bits", KVC_OPTION_INTEGER, "8", "2", "8", nullptr, "Bits per key with codec=mixed: 8, 4 or 2.", "0.1.0",
     &Settings::codec_key_bits},
    {"codec_value_bits", KVC_OPTION_INTEGER, "4", "2", "8", nullptr, "Bits per value with codec=mixed: 8, 4 or 2.",
     "0.1.0", &Settings::codec_value_bits},
    {"codec_bits", KVC_OPTION_REAL, "4.75", "1.5", "8.5", nullptr,
     "Bits per number of a page with codec=klt, everything in the page included.", "0.1.0", &Settings::codec_bits},
    {"compression_ratio", KVC_OPTION_REAL, "0.3", "0.1", "0.55", nullptr,
     "With codec=lowrank and codec=svd: bytes of an encoded page over its bytes in the clear, met within 2 percent.", "0.1.0",
     &Settings::compression_ratio},
    {"codec_bound", KVC_OPTION_REAL, "0.01", "0.0001", "1", nullptr,
     "With codec=auto: largest relative error of a query head's attention output, in the 2-norm over a text's queries. Needs "
     "kvc_session_attend, whose queries it measures with, and leaves a margin for other texts; until then, and where no "
     "bits can meet it, pages stay exact.",
     "0.1.0", &Settings::codec_bound},
    {"codec_rest_bits", KVC_OPTION_REAL, "0", "0", "8.5", nullptr,
     "With codec=klt: bits per number of pages at rest, those that no session has used for codec_rest_after: they are "
     "encoded again, in host memory and on disk, and say so. 0: pages stay as they are.",
     "0.1.0", &Settings::codec_rest_bits},
    {"codec_rest_bound", KVC_OPTION_REAL, "0", "0", "1", nullptr,
     "With codec=auto: the bound of pages at rest, in place of codec_bound; larger, or 0: pages stay as they are.", "0.1.0",
     &Settings::codec_rest_bound},
    {"codec_rest_after", KVC_OPTION_TIME, "600s", "0ns", "", nullptr,
     "When a page that no session uses is at rest. Looked at when sessions seal pages and close.", "0.1.0",
     &Settings::codec_rest_after_ns},
    {"codec_learn", KVC_OPTION_INTEGER, "1024", "64", "1048576", nullptr,
     "Tokens that klt, lowrank and auto learn a space from. Pages until then are kept as int8 (klt, lowrank) or exact "
     "(auto).",
     "0.1.0", &Settings::codec_learn},
    {"sparse_keep", KVC_OPTION_REAL, "0.5", "0.05", "1", nullptr,
     "With codec=sparse: share of a page's rows that stay for attention, for every K/V head those with most of the latest queries' "
     "attention (kvc_session_attend; without it the latest rows). The others go to disk, or without disk_path are kept compressed "
     "in memory until they are evicted.",
     "0.1.0", &Settings::sparse_keep},
    {"sparse_restore", KVC_OPTION_SWITCH, "true", "", "", nullptr,
     "With codec=sparse: whether reads bring rows back that were left out, bit for bit; if not, they fail with KVC_E_NOT_FOUND.",
     "0.1.0", &Settings::sparse_restore},
    {"tensor_codec", KVC_OPTION_CHOICE, "identity", "", "", tensor_codec_choices,
     "How kvc_put keeps plain tensors. identity: as they are. lossless: compressed, bit for bit. int8, int4: approximate, a range "
     "per channel for every 64 rows. kvc_put_with says it for one tensor, kvc_tensor_info what came of it.",
     "0.1.0", &Settings::tensor_codec},
    {"gc_threshold", KVC_OPTION_REAL, "0.8", "0.01", "1", nullptr,
     "Share of the budget above which pages are evicted ahead of need.", "0.1.0", &Settings::gc_threshold},
    {"gc_target", KVC_OPTION_REAL, "0.7", "0", "1", nullptr,
     "Share of the budget at which that eviction stops; at most gc_threshold.", "0.1.0", &Settings::gc_target},
    {"reuse", KVC_OPTION_SWITCH, "true", "", "", nullptr,
     "Whether stored prefixes are looked up; with false every match finds nothing.", "0.1.0", &Settings::reuse},
    {"page_tokens", KVC_OPTION_INTEGER, "64", "1", "4096", nullptr,
     "Tokens per page where a space does not say. Smaller pages share more, larger ones cost less metadata.", "0.1.0",
     &Settings::page_tokens},
    {"num_heads", KVC_OPTION_INTEGER, "8", "1", "1024", nullptr, "K/V heads where a space does not say.", "0.1.0",
     &Settings::num_heads},
    {"head_dim", KVC_OPTION_INTEGER, "64", "1", "8192", nullptr, "Dimensions of a head where a space does not say.",
     "0.1.0", &Settings::head_dim},
    {"max_tokens", KVC_OPTION_INTEGER, "4096", "1", "16777216", nullptr,
     "Longest sequence (prompt and answer) that a request may have; the model's own context is a limit besides.",
     "0.1.0", &Settings::max_tokens},
    {"mode", KVC_OPTION_CHOICE, "inference", "", "", mode_choices,
     "What the engine is for. inference: sets nothing. training: reuse=false max_batch=16 prefill_chunk=1024. bulk: "
     "max_batch=32 "
     "prefill_chunk=2048 max_queue=65536. streaming: max_batch=8 prefill_chunk=128. interactive: max_batch=4 "
     "prefill_chunk=64. "
     "Options set by name win over the mode, the mode wins over the preset.",
     "0.1.0", &Settings::mode},
    {"threads", KVC_OPTION_INTEGER, "1", "0", "1", nullptr,
     "Threads of the request engine: 1 is its own, started by the first request; 0 means that callers that wait, and "
     "kvc_step, do the "
     "work.",
     "0.1.0", &Settings::threads},
    {"max_batch", KVC_OPTION_INTEGER, "8", "1", "1024", nullptr, "Requests that are computed together.", "0.1.0",
     &Settings::max_batch},
    {"prefill_chunk", KVC_OPTION_INTEGER, "256", "1", "65536", nullptr,
     "Most prompt tokens in one step, over all requests. Small: answers in progress go on evenly. Large: prompts are "
     "done sooner.",
     "0.1.0", &Settings::prefill_chunk},
    {"reproducible", KVC_OPTION_SWITCH, "false", "", "", nullptr,
     "With a model that keeps its own K/V (llama.cpp): a request is answered the same, to the bit, whatever is stored and "
     "whatever else runs. Models round differently in batches of other sizes; so one request is computed at a time, its "
     "prompt in batches that end at multiples of prefill_chunk, and only such batches are stored and reused: max_batch is "
     "1, and a hit computes up to prefill_chunk tokens again.",
     "0.1.0", &Settings::reproducible},
    {"max_queue", KVC_OPTION_INTEGER, "1024", "1", "1000000", nullptr,
     "Requests that may wait; one more is refused with KVC_E_QUEUE_FULL.", "0.1.0", &Settings::max_queue},
    {"deadline", KVC_OPTION_TIME, "0ns", "0ns", "", nullptr,
     "Time allowed to requests that name no deadline of their own; 0 is none.", "0.1.0", &Settings::deadline_ns},
    {"disk_path", KVC_OPTION_TEXT, "", "", "", nullptr,
     "Directory in which pages are kept, so that prompts hit again after a restart or a crash; made if it is missing. "
     "Empty: nothing is written anywhere. One engine at a time writes to a directory.",
     "0.1.0", &Settings::disk_path},
    {"disk_mode", KVC_OPTION_CHOICE, "read_write", "", "", disk_mode_choices,
     "read_write, or read_only: pages are found in the directory (which another engine may be writing), nothing is "
     "written.",
     "0.1.0", &Settings::disk_mode},
    {"disk_limit", KVC_OPTION_SIZE, "8GiB", "16MiB", "1024TiB", nullptr,
     "Hard budget for the files in disk_path; the oldest pages that nobody used leave first.", "0.1.0",
     &Settings::disk_limit},
    {"disk_interval", KVC_OPTION_TIME, "5s", "0ns", "", nullptr,
     "How often what was written since is made durable, for the case of a power cut; 0: by kvc_persist alone. A program "
     "that is killed loses nothing that was written.",
     "0.1.0", &Settings::disk_interval_ns},
    {"disk_timeout", KVC_OPTION_TIME, "1s", "0ns", "", nullptr,
     "Longest time that a match or a request waits for the disk; what has not come by then is computed. A disk that "
     "hangs is not waited for again until it answers.",
     "0.1.0", &Settings::disk_timeout_ns},
    {"disk_admission", KVC_OPTION_CHOICE, "always", "", "", disk_admission_choices,
     "Which pages are written: always all of them; or those that are seen a second time (second_sight), which spares "
     "the disk one-off prompts; or, as they leave memory and once the disk is full, those that policy adaptive expects "
     "to be used again more often than what they would displace (worth). kvc_persist writes all of them.",
     "0.1.0", &Settings::disk_admission},
    {"disk_compression", KVC_OPTION_INTEGER, "1", "0", "19", nullptr,
     "Level of zstd for pages on disk, lossless; 0 is off. Data that does not shrink is kept as it is.", "0.1.0",
     &Settings::disk_compression},
    {"disk_key", KVC_OPTION_TEXT, "", "", "", nullptr,
     "Encrypts pages on disk, with a key per tenant derived from this one: 64 hex digits are the 32 bytes themselves, "
     "any other text is hashed. Empty: not encrypted.",
     "0.1.0", &Settings::disk_key},
    {"prefetch_size", KVC_OPTION_INTEGER, "4", "0", "256", nullptr,
     "Pages of a prompt that are read from disk ahead of the one that is waited for.", "0.1.0",
     &Settings::prefetch_size},
    {"prefill_speed", KVC_OPTION_REAL, "0", "0", "1e9", nullptr,
     "Prompt tokens per second that the program computes, for the choice between reading a page from disk and computing "
     "it; 0: as measured by the request engine, and stored pages are always read where it has measured nothing.",
     "0.1.0", &Settings::prefill_speed},
    {"device_memory", KVC_OPTION_SIZE, "0B", "0B", "1024TiB", nullptr,
     "Device memory for copies of pages, of each device in use; claimed when the first page goes there, never exceeded. For programs "
     "that run a model on a device themselves (kvc/kvc_cuda.h). 0: no device is touched. Without a module, driver or device the "
     "engine works without, and kvc_engine_info says why.",
     "0.1.0", &Settings::device_memory},
    {"device", KVC_OPTION_TEXT, "all", "", "", nullptr,
     "Devices that device_memory is of: all, or numbers as the driver counts them, e.g. 0,1.", "0.1.0", &Settings::device},
    {"pin_memory", KVC_OPTION_SWITCH, "true", "", "", nullptr,
     "With device_memory: registers all of option memory with the driver, in the background, so that copies to and from devices block "
     "nobody. It is then in use at once. No effect with an allocator of the program's own.",
     "0.1.0", &Settings::pin_memory},
    {"secret", KVC_OPTION_TEXT, "", "", "", nullptr,
     "Keys the identities of pages: 64 hex digits are the 32 bytes themselves, any other text is hashed, empty is the "
     "zero key. Machines "
     "with equal secrets give equal prompts equal page identities; with different ones nobody can tell what is cached.",
     "0.1.0", &Settings::secret},
    {"model_module", KVC_OPTION_TEXT, "", "", "", nullptr,
     "File of the module that runs model files. Empty: environment variable KVC_LLAMA_MODULE, else libkvc_llama.so "
     "beside "
     "this library, else on the loader's path.",
     "0.1.0", &Settings::model_module},
    {"model_library", KVC_OPTION_TEXT, "", "", "", nullptr,
     "llama.cpp for that module: the file libllama.so, or its folder. Empty: environment variable KVC_LLAMA_LIB, else "
     "beside the module, else in ~/.cache/kvc (bindings/llama/setup), else on the loader's path.",
     "0.1.0", &Settings::model_library},
    {"model_context", KVC_OPTION_INTEGER, "0", "0", "16777216", nullptr,
     "Longest sequence of a model file, in tokens. 0: what the model was trained for, at most 4096.", "0.1.0",
     &Settings::model_context},
    {"model_cells", KVC_OPTION_INTEGER, "0", "0", "16777216", nullptr,
     "Tokens that the runtime of a model file keeps over all sequences; requests wait where there is no room. 0: twice "
     "model_context.",
     "0.1.0", &Settings::model_cells},
    {"model_resident", KVC_OPTION_INTEGER, "4", "0", "200", nullptr,
     "Finished sequences that the runtime of a model file keeps while there is room: a prompt that continues one needs "
     "no "
     "restore.",
     "0.1.0", &Settings::model_resident},
    {"model_threads", KVC_OPTION_INTEGER, "0", "0", "1024", nullptr,
     "Threads of one forward call of a model file; 0: one for each processor.", "0.1.0", &Settings::model_threads},
    {"model_cache_type_k", KVC_OPTION_CHOICE, "f16", "", "", cache_types,
     "How the runtime of a model file keeps keys; the quantised ones are stored in pages as they are.", "0.1.0",
     &Settings::model_cache_type_k},
    {"model_cache_type_v", KVC_OPTION_CHOICE, "f16", "", "", cache_types,
     "The same for values; the quantised ones need flash attention.", "0.1.0", &Settings::model_cache_type_v},
    {"model_flash_attention", KVC_OPTION_CHOICE, "on", "", "", flash_choices,
     "Flash attention of a model file; off lays values out transposed, which is slower to restore.", "0.1.0",
     &Settings::model_flash_attention},
    {"model_lora", KVC_OPTION_TEXT, "", "", "", nullptr,
     "LoRA adapters of a model file: paths of GGUF files separated by commas, each may end in =SCALE (default 1).",
     "0.1.0", &Settings::model_lora},
    {"model_rope_base", KVC_OPTION_REAL, "0", "0", "1e12", nullptr, "RoPE base of a model file; 0: the model's own.",
     "0.1.0", &Settings::model_rope_base},
    {"model_rope_scale", KVC_OPTION_REAL, "0", "0", "1e6", nullptr,
     "RoPE frequency scale of a model file; 0: the model's own.", "0.1.0", &Settings::model_rope_scale},
    {"model_rope_scaling", KVC_OPTION_CHOICE, "model", "", "", rope_scalings,
     "RoPE scaling of a model file; model: its own.", "0.1.0", &Settings::model_rope_scaling},
    {"model_yarn_context", KVC_OPTION_INTEGER, "0", "0", "16777216", nullptr,
     "Original context of YaRN scaling; 0: the model's own.", "0.1.0", &Settings::model_yarn_context},
    {"model_state_tokens", KVC_OPTION_INTEGER, "1024", "1", "1048576", nullptr,
     "Models whose state cannot be cut (recurrent ones): about every so many tokens of a prompt a state is kept.",
     "0.1.0", &Settings::model_state_tokens},
};

constexpr std::string_view kPresets[] = {"seamless", "adaptive", "high_performance", "memory_efficient",
                                         "bulk_optimized"};

constexpr OverrideRow kPresetRows[] = {
    {"adaptive", "memory", "15%", "512MiB"},
    {"adaptive", "policy", "adaptive"},
    {"adaptive", "gc_threshold", "0.85"},
    {"adaptive", "gc_target", "0.75"},
    {"adaptive", "max_batch", "16"},
    {"high_performance", "memory", "25%", "1GiB"},
    {"high_performance", "gc_threshold", "0.95"},
    {"high_performance", "gc_target", "0.9"},
    {"high_performance", "max_batch", "32"},
    {"high_performance", "prefill_chunk", "512"},
    {"high_performance", "max_queue", "8192"},
    {"memory_efficient", "memory", "64MiB"},
    {"memory_efficient", "gc_threshold", "0.6"},
    {"memory_efficient", "gc_target", "0.5"},
    {"memory_efficient", "page_tokens", "32"},
    {"memory_efficient", "max_batch", "2"},
    {"memory_efficient", "prefill_chunk", "128"},
    {"memory_efficient", "max_queue", "64"},
    {"bulk_optimized", "mode", "bulk"},
    {"bulk_optimized", "memory", "1GiB"},
    {"bulk_optimized", "gc_threshold", "0.9"},
    {"bulk_optimized", "gc_target", "0.8"},
};

constexpr OverrideRow kModeRows[] = {
    {"training", "reuse", "false"},        {"training", "max_batch", "16"},
    {"training", "prefill_chunk", "1024"}, {"bulk", "max_batch", "32"},
    {"bulk", "prefill_chunk", "2048"},     {"bulk", "max_queue", "65536"},
    {"streaming", "max_batch", "8"},       {"streaming", "prefill_chunk", "128"},
    {"interactive", "max_batch", "4"},     {"interactive", "prefill_chunk", "64"},
};

bool is_choice(std::string_view choices, std::string_view word) {
  while (!word.empty()) {
    const size_t end = choices.find('|');
    if (choices.substr(0, end) == word) return true;
    if (end == std::string_view::npos) break;
    choices.remove_prefix(end + 1);
  }
  return false;
}

// Reads a number of any of the numeric types.
template <typename T>
Status parse_number(const OptionRow& row, std::string_view text, T* value) {
  if constexpr (std::is_same_v<T, double>) {
    return parse_real(text, value);
  } else {
    switch (row.type) {
      case KVC_OPTION_SIZE:
        return parse_size(text, row.percent, value);
      case KVC_OPTION_TIME:
        return parse_time(text, value);
      default:
        return parse_integer(text, value);
    }
  }
}

template <typename T>
Status check_number(const OptionRow& row, std::string_view text, T* value) {
  KVC_RETURN_IF_ERROR(parse_number(row, text, value));
  T limit{};
  if (*row.minimum != '\0') {
    KVC_RETURN_IF_ERROR(parse_number(row, row.minimum, &limit));
    if (*value < limit) {
      return error(KVC_E_OUT_OF_RANGE, "%.*s is below %s, the least allowed",
                   static_cast<int>(std::min<size_t>(text.size(), 60)), text.data(), row.minimum);
    }
  }
  if (*row.maximum != '\0') {
    KVC_RETURN_IF_ERROR(parse_number(row, row.maximum, &limit));
    if (*value > limit) {
      return error(KVC_E_OUT_OF_RANGE, "%.*s is above %s, the most allowed",
                   static_cast<int>(std::min<size_t>(text.size(), 60)), text.data(), row.maximum);
    }
  }
  return Status::ok();
}

}  // namespace

std::span<const OptionRow> option_rows() noexcept { return kOptions; }
std::span<const std::string_view> preset_names() noexcept { return kPresets; }
std::span<const OverrideRow> preset_rows() noexcept { return kPresetRows; }
std::span<const OverrideRow> mode_rows() noexcept { return kModeRows; }

int find_option(std::string_view name) noexcept {
  for (size_t i = 0; i < std::size(kOptions); ++i) {
    if (name == kOptions[i].name) return static_cast<int>(i);
  }
  return -1;
}

Status canonical_value(const OptionRow& row, std::string_view text, std::string* out) {
  uint64_t number = 0;
  switch (row.type) {
    case KVC_OPTION_INTEGER:
      KVC_RETURN_IF_ERROR(check_number(row, text, &number));
      *out = std::to_string(number);
      return Status::ok();
    case KVC_OPTION_SIZE:
      KVC_RETURN_IF_ERROR(check_number(row, text, &number));
      *out = format_size(number);
      return Status::ok();
    case KVC_OPTION_TIME:
      KVC_RETURN_IF_ERROR(check_number(row, text, &number));
      *out = format_time(number);
      return Status::ok();
    case KVC_OPTION_REAL: {
      double real = 0;
      KVC_RETURN_IF_ERROR(check_number(row, text, &real));
      *out = format_real(real);
      return Status::ok();
    }
    case KVC_OPTION_SWITCH: {
      bool on = false;
      KVC_RETURN_IF_ERROR(parse_switch(text, &on));
      *out = on ? "true" : "false";
      return Status::ok();
    }
    case KVC_OPTION_CHOICE:
      if (!is_choice(row.choices(), text)) {
        return error(KVC_E_OUT_OF_RANGE, "'%.*s' is none of %s", static_cast<int>(std::min<size_t>(text.size(), 60)),
                     text.data(), row.choices());
      }
      *out = text;
      return Status::ok();
    default: {
      constexpr size_t kLongestText = 4096;
      if (text.size() > kLongestText) {
        return error(KVC_E_OUT_OF_RANGE, "the text has %zu bytes; the longest allowed is %zu", text.size(),
                     kLongestText);
      }
      *out = text;
      return Status::ok();
    }
  }
}

Status read_value(const OptionRow& row, std::string_view canonical, Settings* settings) {
  return std::visit(
      [&](auto field) -> Status {
        auto& target = settings->*field;
        using T = std::remove_reference_t<decltype(target)>;
        if constexpr (std::is_same_v<T, std::string>) {
          target = canonical;
          return Status::ok();
        } else if constexpr (std::is_same_v<T, bool>) {
          return parse_switch(canonical, &target);
        } else if constexpr (std::is_same_v<T, double>) {
          return parse_real(canonical, &target);
        } else {
          uint64_t number = 0;
          KVC_RETURN_IF_ERROR(parse_number(row, canonical, &number));
          target = static_cast<T>(number);  // the row's maximum fits: canonical_value held it
          return Status::ok();
        }
      },
      row.field);
}

}  // namespace kvc

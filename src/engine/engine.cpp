#include "engine/engine.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include "model/module.h"

namespace kvc {
namespace {

// Destroys a caller's backend when an engine fails before anybody else is responsible for it.
class BackendTableOwner {
 public:
  explicit BackendTableOwner(const std::optional<kvc_backend_t>& table) noexcept : table_(table ? &*table : nullptr) {}
  ~BackendTableOwner() {
    if (table_ != nullptr && table_->destroy != nullptr) table_->destroy(table_->user_data);
  }
  BackendTableOwner(const BackendTableOwner&) = delete;
  BackendTableOwner& operator=(const BackendTableOwner&) = delete;
  void hand_over() noexcept { table_ = nullptr; }

 private:
  const kvc_backend_t* table_;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Digest secret_of(std::string_view text) {
  Digest digest;
  if (text.empty()) return digest;
  const bool is_hex = text.size() == 2 * digest.bytes.size() &&
                      std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
  if (!is_hex) return digest_of(std::as_bytes(std::span(text)));
  for (size_t i = 0; i < digest.bytes.size(); ++i) {
    digest.bytes[i] = static_cast<uint8_t>(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
  }
  return digest;
}

std::vector<std::pair<std::string, std::string>> canonical_options(const Config& config) {
  std::vector<std::pair<std::string, std::string>> options;
  for (const OptionRow& row : option_rows()) {
    std::string value;
    const Status status = config.get(row.name, &value);
    // What is printed must not give secrets away.
    const std::string_view name(row.name);
    if ((name == "secret" || name == "disk_key") && !value.empty()) value = "(set)";
    if (status.is_ok()) options.emplace_back(row.name, std::move(value));
  }
  return options;
}

namespace {

DiskOptions disk_options(const Settings& settings) {
  DiskOptions options;
  options.path = settings.disk_path;
  options.read_only = settings.disk_mode == "read_only";
  options.limit = settings.disk_limit;
  options.interval_ns = settings.disk_interval_ns;
  options.timeout_ns = settings.disk_timeout_ns;
  options.second_sight = settings.disk_admission == "second_sight";
  options.by_worth = settings.disk_admission == "worth";
  options.zstd_level = static_cast<int>(settings.disk_compression);
  if (!settings.disk_key.empty()) options.key = secret_of(settings.disk_key);
  options.prefetch = settings.prefetch_size;
  options.prefill_speed = settings.prefill_speed;
  return options;
}

CacheOptions cache_options(const Settings& settings, const Config& config) {
  CacheOptions options;
  options.custom_policy = config.policy;
  options.user_codec = config.codec;
  options.history_bytes = settings.whatif_memory;
  options.pin_limit = settings.pin_limit;
  options.prefill_speed = settings.prefill_speed;
  options.memory_limit = settings.memory;
  options.gc_threshold = settings.gc_threshold;
  options.gc_target = settings.gc_target;
  options.policy = settings.policy;
  options.page_limit = settings.page_limit;
  options.codec = settings.codec;
  options.codec_window = settings.codec_window;
  options.codec_key_bits = settings.codec_key_bits;
  options.codec_value_bits = settings.codec_value_bits;
  options.codec_target.bits = settings.codec_bits;
  if (settings.codec == "lowrank") options.codec_target.ratio = settings.compression_ratio;
  if (settings.codec == "auto") options.codec_target.bound = settings.codec_bound;
  options.codec_target.rest = settings.codec == "auto" ? settings.codec_rest_bound : settings.codec_rest_bits;
  options.codec_rest_after_ns = settings.codec_rest_after_ns;
  options.codec_learn = settings.codec_learn;
  options.svd_ratio = settings.compression_ratio;
  options.sparse_keep = settings.sparse_keep;
  options.sparse_restore = settings.sparse_restore;
  options.space_defaults = {settings.num_heads, settings.head_dim, settings.page_tokens};
  options.secret = secret_of(settings.secret);
  options.reuse = settings.reuse;
  options.disk = disk_options(settings);
  return options;
}

// Opens the devices of option device, where there are any: that there are none is no failure.
Status open_devices(const Settings& settings, const SessionHandles& handles, bool has_allocator, const Log& log,
                    CacheOptions* out) {
  std::vector<int32_t> ordinals;
  if (settings.device != "all") {
    for (size_t at = 0; at <= settings.device.size();) {
      const size_t end = std::min(settings.device.find(',', at), settings.device.size());
      const std::string number = settings.device.substr(at, end - at);
      if (number.empty() || number.size() > 4 || number.find_first_not_of("0123456789") != std::string::npos) {
        return error(KVC_E_INVALID, "option device is '%.100s': give all, or numbers with commas between, e.g. 0,1",
                     settings.device.c_str());
      }
      ordinals.push_back(std::stoi(number));
      at = end + 1;
    }
  }
  DeviceApi api;
  Status status = open_device_module(handles.device_functions, &api);
  if (status.is_ok()) {
    const uint64_t pinned = settings.pin_memory && !has_allocator ? settings.memory : 0;
    status = DeviceSet::open(api, ordinals, settings.device_memory, pinned, &out->devices, &out->devices_why);
  }
  if (!status.is_ok()) out->devices_why = status.message();
  if (!out->devices_why.empty()) {
    log.write(KVC_LOG_WARN, "option device_memory has no effect%s: %s", status.is_ok() ? " on some devices" : "",
              out->devices_why.c_str());
  }
  return Status::ok();
}

Status make_backend(const Config& config, const Settings& settings, const SessionHandles& handles,
                    BackendTableOwner* owner, std::unique_ptr<Backend>* out) {
  if (config.backend) {
    // From here on the adapter calls `destroy`, whatever happens.
    owner->hand_over();
    return make_table_backend(*config.backend, handles, out);
  }
  if (settings.model == "builtin") return make_builtin_backend(out);
  if (settings.model == "none") return Status::ok();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(settings.model, ignored)) {
    return error(KVC_E_UNSUPPORTED,
                 "model '%.200s' is neither builtin nor none, and no file has that name: give the path of a GGUF file, or "
                 "a model with kvc_config_set_backend",
                 settings.model.c_str());
  }
  kvc_backend_t table{};
  KVC_RETURN_IF_ERROR(open_module(settings.model_module, canonical_options(config), handles.functions, &table));
  return make_table_backend(table, handles, out);
}

// What the model's pages are of. With option reproducible K/V is of batches that end at certain tokens: what other
// batches left differs in its last bits, and is another space's.
Status open_model_space(Cache* cache, const Backend& backend, const Settings& settings,
                        std::shared_ptr<const Space>* out) {
  kvc_space_desc_t desc = backend.space_desc();
  std::string attention = desc.attention != nullptr ? desc.attention : "";
  if (settings.reproducible && !backend.paged()) {
    attention += " batches=" + std::to_string(settings.prefill_chunk);
    desc.attention = attention.c_str();
    desc.none &= ~static_cast<decltype(desc.none)>(KVC_NONE_ATTENTION);
  }
  return cache->open_space(desc, out);
}

}  // namespace

Engine::Engine(const Config& config, Settings settings)
    : settings_(std::move(settings)),
      preset_(config.preset()),
      options_(canonical_options(config)),
      has_allocator_(config.allocator.has_value()),
      needs_caller_(config.allocator || config.clock || config.policy || config.codec),
      log_gate_(std::make_shared<LogGate>(config.logger)),
      log_(log_gate_->table()),
      clock_(config.clock ? Clock(*config.clock) : Clock()),
      created_ns_(clock_.now_ns()) {}

Engine::~Engine() {
  if (requests_ != nullptr) requests_->stop();
  if (cache_ == nullptr) return;
  // A disk is slow, or it hangs: the last statistics and what waits are written while all that is counted is there, as
  // long as something is completed.
  constexpr uint64_t kLeastPatience = 10'000'000'000;
  const uint64_t timeout = cache_->disk().options().timeout_ns;
  const uint64_t patience = std::max(kLeastPatience, timeout > UINT64_MAX / 10 ? UINT64_MAX : timeout * 10);
  const bool closed = cache_->disk().close(needs_caller_ ? UINT64_MAX : patience);
  if (closed) {
    log_.write(KVC_LOG_INFO, "engine destroyed");
    return;
  }
  log_.write(KVC_LOG_WARN, "engine destroyed, but its disk hangs: files and memory are given back when it answers");
  cache_->disk().set_checkpoint(nullptr);
  requests_.reset();
  backend_.reset();
  space_.reset();
  log_gate_->shut();
  Cache::end_later(std::move(cache_), log_gate_);
}

Status Engine::create(const Config& config, const SessionHandles& handles, std::unique_ptr<Engine>* out) {
  BackendTableOwner owner(config.backend);
  Settings settings;
  KVC_RETURN_IF_ERROR(config.resolve(&settings));
  if (settings.memory == 0) {
    return error(KVC_E_BUDGET, "option memory is 0: the cache needs room for at least one page; set it, e.g. to 64MiB");
  }
  if (!hash_init()) return error(KVC_E_INTERNAL, "libsodium does not start on this machine; check its installation");

  std::unique_ptr<Engine> engine(new Engine(config, std::move(settings)));
  const Settings& set = engine->settings_;
  CacheOptions options_of_cache = cache_options(set, config);
  if (set.device_memory > 0) {
    KVC_RETURN_IF_ERROR(open_devices(set, handles, config.allocator.has_value(), engine->log_, &options_of_cache));
  }
  KVC_RETURN_IF_ERROR(Cache::make(options_of_cache, config.allocator ? &*config.allocator : nullptr, engine->clock_,
                                  engine->log_, &engine->cache_));
  KVC_RETURN_IF_ERROR(make_backend(config, set, handles, &owner, &engine->backend_));
  if (engine->backend_ != nullptr) {
    KVC_RETURN_IF_ERROR(open_model_space(engine->cache_.get(), *engine->backend_, set, &engine->space_));
    RequestOptions options;
    options.threads = set.threads;
    options.max_batch = set.max_batch;
    options.prefill_chunk = set.prefill_chunk;
    options.reproducible = set.reproducible;
    options.max_queue = set.max_queue;
    options.max_tokens = set.max_tokens;
    engine->requests_ = std::make_unique<RequestEngine>(engine->cache_.get(), engine->space_, engine->backend_.get(),
                                                        engine->clock_, engine->log_, options);
  }
  engine->take_up_policy();
  engine->cache_->disk().set_checkpoint([made = engine.get()] { return made->checkpoint(); });
  engine->log_.write(KVC_LOG_INFO, "engine created: preset %s, model %s, memory %llu bytes, policy %s, codec %s",
                     engine->preset_.c_str(), engine->backend_ ? engine->backend_->info().name.c_str() : "none",
                     static_cast<unsigned long long>(set.memory), std::string(engine->cache_->policy_name()).c_str(), set.codec.c_str());
  *out = std::move(engine);
  return Status::ok();
}

// What the policy of an earlier engine learned, where this one's policy can take it.
void Engine::take_up_policy() noexcept {
  DiskStore* store = cache_->disk().store();
  if (store == nullptr) return;
  try {
    std::vector<std::byte> learned;
    if (!store->get_blob(kPolicyBlob, &learned).is_ok()) return;
    const bool taken = cache_->load_policy_state(learned);
    log_.write(KVC_LOG_DEBUG, "policy %s %s what an earlier engine learned", std::string(cache_->policy_name()).c_str(),
               taken ? "took up" : "cannot use");
  } catch (const std::bad_alloc&) {
    log_.write(KVC_LOG_WARN, "no memory to take up what the policy had learned");
  }
}

Status Engine::what_if(uint64_t budget, std::string_view policy, kvc_whatif_t* out) {
  const double measured = space_ != nullptr ? space_->prefill_ns().load(std::memory_order_relaxed) : 0;
  return cache_->what_if(budget, policy, measured, out);
}

bool Engine::stop() {
  cache_->disk().stop_waiting();
  return requests_ == nullptr || requests_->stop();
}

}  // namespace kvc

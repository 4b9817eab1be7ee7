"""kvc.h for ctypes: structs, callbacks, signatures.

Written by bindings/generate from include/kvc/kvc.h; do not edit."""
from ctypes import (CFUNCTYPE, Structure, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8,
                    c_uint32, c_uint64, c_void_p, sizeof)

ABI_VERSION = 0
VERSION = "0.1.0"


class _Struct(Structure):
    def __init__(self, *args, **values):
        super().__init__(*args, **values)
        self.struct_size = sizeof(self)


kvc_stream_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_size_t)
kvc_progress_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)
kvc_stop_fn = CFUNCTYPE(c_int32, c_void_p)
kvc_module_open_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_size_t)
kvc_module_describe_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_void_p)
kvc_allocator_allocate_fn = CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)
kvc_allocator_release_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_size_t)
kvc_logger_log_fn = CFUNCTYPE(None, c_void_p, c_int32, c_void_p)
kvc_clock_now_ns_fn = CFUNCTYPE(c_uint64, c_void_p)
kvc_policy_score_fn = CFUNCTYPE(c_double, c_void_p, c_void_p, c_int32)
kvc_policy_removed_fn = CFUNCTYPE(None, c_void_p, c_void_p)
kvc_codec_encoded_size_fn = CFUNCTYPE(c_uint64, c_void_p, c_void_p)
kvc_codec_encode_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_void_p, c_uint64, c_void_p, c_size_t)
kvc_codec_decode_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_uint64, c_uint32, c_int32, c_uint32, c_uint32, c_uint32, c_void_p, c_void_p, c_size_t)
kvc_backend_describe_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_size_t)
kvc_backend_tokenize_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p, c_size_t)
kvc_backend_detokenize_fn = CFUNCTYPE(c_int32, c_void_p, c_int32, c_void_p, c_size_t, c_void_p, c_void_p, c_size_t)
kvc_backend_sequence_open_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_size_t)
kvc_backend_sequence_close_fn = CFUNCTYPE(None, c_void_p, c_uint64)
kvc_backend_forward_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint32, c_void_p, c_size_t)
kvc_backend_export_kv_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_uint32, c_uint32, c_void_p, c_size_t)
kvc_backend_import_kv_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_void_p, c_uint32, c_uint32, c_void_p, c_size_t)
kvc_backend_truncate_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint32, c_void_p, c_size_t)
kvc_backend_destroy_fn = CFUNCTYPE(None, c_void_p)
kvc_backend_chat_text_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_int32, c_void_p, c_size_t, c_void_p, c_void_p, c_size_t)
kvc_backend_save_state_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint32, c_void_p, c_size_t, c_void_p, c_void_p, c_size_t)
kvc_backend_load_state_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_uint32, c_void_p, c_size_t, c_void_p, c_size_t)
kvc_backend_set_stop_fn = CFUNCTYPE(None, c_void_p, kvc_stop_fn, c_void_p)
kvc_module_host_session_append_all_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_uint32, c_size_t)
kvc_module_host_session_read_all_fn = CFUNCTYPE(c_int32, c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_uint32)
kvc_module_host_session_info_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p)
kvc_module_host_session_last_error_fn = CFUNCTYPE(c_size_t, c_void_p, c_void_p, c_size_t)


class kvc_error_t(_Struct):  # 520 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("status", c_int32),
        ("message", c_char * 508),
    ]


class kvc_allocator_t(_Struct):  # 32 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("allocate", kvc_allocator_allocate_fn),
        ("release", kvc_allocator_release_fn),
    ]


class kvc_logger_t(_Struct):  # 32 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("level", c_int32),
        ("log", kvc_logger_log_fn),
    ]


class kvc_clock_t(_Struct):  # 24 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("now_ns", kvc_clock_now_ns_fn),
    ]


class kvc_policy_page_t(_Struct):  # 72 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("key", c_uint64),
        ("now_ns", c_uint64),
        ("score", c_double),
        ("bytes", c_uint64),
        ("depth", c_uint32),
        ("tokens", c_uint32),
        ("hits", c_uint32),
        ("hint", c_int32),
        ("return_ns", c_uint64),
        ("generated", c_uint64),
    ]


class kvc_policy_t(_Struct):  # 40 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("name", c_char_p),
        ("score", kvc_policy_score_fn),
        ("removed", kvc_policy_removed_fn),
    ]


class kvc_codec_page_t(_Struct):  # 40 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_layers", c_uint32),
        ("n_kv_heads", c_uint32),
        ("k_head_dim", c_uint32),
        ("v_head_dim", c_uint32),
        ("page_tokens", c_uint32),
        ("dtype", c_int32),
        ("position", c_uint64),
    ]


class kvc_codec_t(_Struct):  # 56 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("name", c_char_p),
        ("version", c_uint32),
        ("reserved", c_uint32),
        ("encoded_size", kvc_codec_encoded_size_fn),
        ("encode", kvc_codec_encode_fn),
        ("decode", kvc_codec_decode_fn),
    ]


class kvc_option_info_t(_Struct):  # 72 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("type", c_int32),
        ("reserved", c_int32),
        ("name", c_char_p),
        ("default_value", c_char_p),
        ("minimum", c_char_p),
        ("maximum", c_char_p),
        ("choices", c_char_p),
        ("doc", c_char_p),
        ("since", c_char_p),
    ]


class kvc_request_t(_Struct):  # 136 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("action", c_int32),
        ("priority", c_int32),
        ("prompt", c_void_p),
        ("prompt_size", c_size_t),
        ("tokens", c_void_p),
        ("n_tokens", c_size_t),
        ("max_tokens", c_uint32),
        ("top_k", c_uint32),
        ("temperature", c_double),
        ("top_p", c_double),
        ("seed", c_uint64),
        ("stop", c_void_p),
        ("n_stop", c_uint32),
        ("no_cache", c_uint32),
        ("session_id", c_char_p),
        ("tenant", c_char_p),
        ("deadline_ns", c_uint64),
        ("on_text", kvc_stream_fn),
        ("user_data", c_void_p),
    ]


class kvc_response_t(_Struct):  # 152 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("status", c_int32),
        ("finish_reason", c_int32),
        ("text", c_void_p),
        ("text_size", c_size_t),
        ("tokens", c_void_p),
        ("n_tokens", c_size_t),
        ("cache_hit", c_uint32),
        ("prompt_tokens", c_uint32),
        ("cached_tokens", c_uint32),
        ("computed_tokens", c_uint32),
        ("queue_ns", c_uint64),
        ("prefill_ns", c_uint64),
        ("decode_ns", c_uint64),
        ("total_ns", c_uint64),
        ("ttft_ns", c_uint64),
        ("saved_ns", c_uint64),
        ("miss_reason", c_int32),
        ("reserved", c_int32),
        ("miss_text", c_char_p),
        ("error", c_char_p),
        ("ticket", c_uint64),
        ("approximate_tokens", c_uint32),
        ("reserved2", c_uint32),
    ]


class kvc_message_t(_Struct):  # 24 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("role", c_char_p),
        ("content", c_char_p),
    ]


class kvc_adapter_t(_Struct):  # 32 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("digest", c_void_p),
        ("digest_size", c_size_t),
        ("scale", c_double),
    ]


class kvc_rope_t(_Struct):  # 80 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("base", c_double),
        ("freq_scale", c_double),
        ("scaling", c_char_p),
        ("factor", c_double),
        ("attn_factor", c_double),
        ("beta_fast", c_double),
        ("beta_slow", c_double),
        ("dims", c_uint32),
        ("original_context", c_uint32),
        ("interleaved", c_int32),
        ("applied", c_int32),
    ]


class kvc_space_desc_t(_Struct):  # 112 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("label", c_char_p),
        ("weights_digest", c_void_p),
        ("weights_digest_size", c_size_t),
        ("tokenizer_digest", c_void_p),
        ("tokenizer_digest_size", c_size_t),
        ("rope", c_void_p),
        ("adapters", c_void_p),
        ("n_adapters", c_uint32),
        ("none", c_uint32),
        ("attention", c_char_p),
        ("n_layers", c_uint32),
        ("n_kv_heads", c_uint32),
        ("k_head_dim", c_uint32),
        ("v_head_dim", c_uint32),
        ("dtype", c_int32),
        ("page_tokens", c_uint32),
        ("vocab_size", c_int32),
        ("reserved", c_uint32),
    ]


class kvc_space_info_t(_Struct):  # 80 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("digest", c_uint8 * 32),
        ("n_layers", c_uint32),
        ("n_kv_heads", c_uint32),
        ("k_head_dim", c_uint32),
        ("v_head_dim", c_uint32),
        ("dtype", c_int32),
        ("page_tokens", c_uint32),
        ("page_bytes", c_uint64),
        ("vocab_size", c_int32),
        ("reserved", c_int32),
    ]


class kvc_tensor_t(_Struct):  # 160 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("data", c_void_p),
        ("size", c_uint64),
        ("dtype", c_int32),
        ("n_dims", c_uint32),
        ("shape", c_int64 * 8),
        ("strides", c_int64 * 8),
    ]


class kvc_session_options_t(_Struct):  # 48 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("tenant", c_char_p),
        ("session_id", c_char_p),
        ("priority", c_int32),
        ("no_publish", c_uint32),
        ("exact", c_uint32),
        ("reserved", c_uint32),
        ("no_aged", c_uint32),
    ]


class kvc_attend_t(_Struct):  # 88 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("scale", c_double),
        ("softcap", c_double),
        ("window", c_uint64),
        ("sinks", c_uint64),
        ("later", c_uint64),
        ("bidirectional", c_uint32),
        ("n_threads", c_uint32),
        ("alibi_slopes", c_void_p),
        ("sink_scores", c_void_p),
        ("left_out", c_void_p),
        ("restore", c_uint32),
        ("reserved", c_uint32),
    ]


class kvc_session_info_t(_Struct):  # 88 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("length", c_uint64),
        ("matched", c_uint64),
        ("pages", c_uint64),
        ("pending", c_uint64),
        ("tail_bytes", c_uint64),
        ("priority", c_int32),
        ("pinned", c_uint32),
        ("domain", c_uint64),
        ("approximate", c_uint64),
        ("sparse", c_uint64),
        ("aged", c_uint64),
    ]


class kvc_put_options_t(_Struct):  # 24 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("codec", c_char_p),
        ("plane", c_int32),
        ("reserved", c_uint32),
    ]


class kvc_tensor_info_t(_Struct):  # 48 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("codec", c_char_p),
        ("bytes", c_uint64),
        ("raw_bytes", c_uint64),
        ("error", c_double),
        ("approximate", c_uint32),
        ("plane", c_int32),
    ]


class kvc_page_info_t(_Struct):  # 208 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("id", c_uint8 * 32),
        ("parent", c_uint8 * 32),
        ("space", c_uint8 * 32),
        ("position", c_uint64),
        ("bytes", c_uint64),
        ("metadata_bytes", c_uint64),
        ("hits", c_uint64),
        ("age_ns", c_uint64),
        ("idle_ns", c_uint64),
        ("n_tokens", c_uint32),
        ("references", c_uint32),
        ("children", c_uint32),
        ("tier", c_int32),
        ("priority", c_int32),
        ("pinned", c_uint32),
        ("codec", c_char * 16),
        ("approximate", c_uint32),
        ("reserved", c_uint32),
        ("aged", c_uint32),
        ("reserved2", c_uint32),
    ]


class kvc_store_report_t(_Struct):  # 104 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("pages", c_uint64),
        ("clues", c_uint64),
        ("payload_bytes", c_uint64),
        ("stored_bytes", c_uint64),
        ("file_bytes", c_uint64),
        ("segments", c_uint64),
        ("checked_bytes", c_uint64),
        ("damaged", c_uint64),
        ("locked", c_uint64),
        ("encrypted", c_uint32),
        ("pack", c_uint32),
        ("tensors", c_uint64),
        ("calibrations", c_uint64),
    ]


class kvc_stats_t(_Struct):  # 848 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("requests", c_uint64),
        ("requests_completed", c_uint64),
        ("requests_failed", c_uint64),
        ("requests_cancelled", c_uint64),
        ("requests_refused", c_uint64),
        ("requests_queued", c_uint64),
        ("requests_active", c_uint64),
        ("request_hits", c_uint64),
        ("request_misses", c_uint64),
        ("hit_rate", c_double),
        ("prompt_tokens", c_uint64),
        ("cached_tokens", c_uint64),
        ("computed_tokens", c_uint64),
        ("generated_tokens", c_uint64),
        ("token_hit_rate", c_double),
        ("saved_ns", c_uint64),
        ("latency_avg_ns", c_uint64),
        ("latency_p50_ns", c_uint64),
        ("latency_p95_ns", c_uint64),
        ("latency_p99_ns", c_uint64),
        ("ttft_avg_ns", c_uint64),
        ("ttft_p50_ns", c_uint64),
        ("ttft_p95_ns", c_uint64),
        ("ttft_p99_ns", c_uint64),
        ("matches", c_uint64),
        ("match_hits", c_uint64),
        ("matched_tokens", c_uint64),
        ("match_asked_tokens", c_uint64),
        ("misses_by_reason", c_uint64 * 8),
        ("pages", c_uint64),
        ("pages_sealed", c_uint64),
        ("pages_deduplicated", c_uint64),
        ("pages_evicted", c_uint64),
        ("pages_pinned", c_uint64),
        ("sessions", c_uint64),
        ("tensors", c_uint64),
        ("tensors_evicted", c_uint64),
        ("memory_budget", c_uint64),
        ("memory_used", c_uint64),
        ("memory_payload", c_uint64),
        ("memory_metadata", c_uint64),
        ("memory_pooled", c_uint64),
        ("memory_peak", c_uint64),
        ("host_bytes", c_uint64),
        ("device_bytes", c_uint64),
        ("disk_bytes", c_uint64),
        ("remote_bytes", c_uint64),
        ("gpu_utilization", c_double),
        ("uptime_ns", c_uint64),
        ("approximate_tokens", c_uint64),
        ("pages_encoded", c_uint64),
        ("pages_kept_clear", c_uint64),
        ("encoded_raw_bytes", c_uint64),
        ("encoded_bytes", c_uint64),
        ("codec_key_error", c_double),
        ("codec_value_error", c_double),
        ("misses_damaged", c_uint64),
        ("disk_limit", c_uint64),
        ("disk_pages", c_uint64),
        ("disk_hits", c_uint64),
        ("disk_hit_tokens", c_uint64),
        ("disk_misses", c_uint64),
        ("disk_written", c_uint64),
        ("disk_demoted", c_uint64),
        ("disk_dropped", c_uint64),
        ("disk_damaged", c_uint64),
        ("disk_timeouts", c_uint64),
        ("disk_recomputed", c_uint64),
        ("disk_errors", c_uint64),
        ("disk_written_bytes", c_uint64),
        ("disk_read_bytes", c_uint64),
        ("disk_waiting", c_uint64),
        ("disk_durable_ns", c_uint64),
        ("policy_strategy", c_int32),
        ("policy_reason", c_int32),
        ("policy_changes", c_uint64),
        ("policy_changed_ns", c_uint64),
        ("device_limit", c_uint64),
        ("device_pages", c_uint64),
        ("device_hits", c_uint64),
        ("device_promoted", c_uint64),
        ("device_demoted", c_uint64),
        ("device_in_bytes", c_uint64),
        ("device_out_bytes", c_uint64),
        ("devices", c_uint64),
        ("devices_lost", c_uint64),
        ("codec_failures", c_uint64),
        ("pages_sparse", c_uint64),
        ("sparse_by_recency", c_uint64),
        ("sparse_restored", c_uint64),
        ("sparse_mass_left_out", c_double),
        ("codec_checked", c_uint64),
        ("codec_raised", c_uint64),
        ("codec_heads_exact", c_uint64),
        ("codec_bound_error", c_double),
        ("pages_aged", c_uint64),
        ("aged_before_bytes", c_uint64),
        ("aged_bytes", c_uint64),
        ("aged_tokens", c_uint64),
    ]


class kvc_whatif_t(_Struct):  # 72 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("token_hit_rate", c_double),
        ("page_hit_rate", c_double),
        ("pages", c_uint64),
        ("sessions", c_uint64),
        ("tokens", c_uint64),
        ("span_ns", c_uint64),
        ("saved_ns", c_uint64),
        ("sampled", c_double),
    ]


class kvc_metrics_t(_Struct):  # 32 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("objective", c_int32),
        ("reserved", c_int32),
        ("prefill_speed", c_double),
        ("balanced_position", c_double),
    ]


class kvc_model_info_t(_Struct):  # 72 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("space", c_void_p),
        ("context", c_uint32),
        ("max_batch_tokens", c_uint32),
        ("bos", c_int32),
        ("eos", c_int32),
        ("ends", c_void_p),
        ("n_ends", c_uint32),
        ("total_tokens", c_uint32),
        ("state_tokens", c_uint32),
        ("reserved", c_uint32),
        ("details", c_char_p),
    ]


class kvc_forward_t(_Struct):  # 48 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("sequence", c_uint64),
        ("session", c_void_p),
        ("tokens", c_void_p),
        ("n", c_uint32),
        ("position", c_uint32),
        ("logits", c_void_p),
    ]


class kvc_backend_t(_Struct):  # 136 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("kind", c_int32),
        ("reserved", c_int32),
        ("describe", kvc_backend_describe_fn),
        ("tokenize", kvc_backend_tokenize_fn),
        ("detokenize", kvc_backend_detokenize_fn),
        ("sequence_open", kvc_backend_sequence_open_fn),
        ("sequence_close", kvc_backend_sequence_close_fn),
        ("forward", kvc_backend_forward_fn),
        ("export_kv", kvc_backend_export_kv_fn),
        ("import_kv", kvc_backend_import_kv_fn),
        ("truncate", kvc_backend_truncate_fn),
        ("destroy", kvc_backend_destroy_fn),
        ("chat_text", kvc_backend_chat_text_fn),
        ("save_state", kvc_backend_save_state_fn),
        ("load_state", kvc_backend_load_state_fn),
        ("set_stop", kvc_backend_set_stop_fn),
    ]


class kvc_module_host_t(_Struct):  # 40 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("session_append_all", kvc_module_host_session_append_all_fn),
        ("session_read_all", kvc_module_host_session_read_all_fn),
        ("session_info", kvc_module_host_session_info_fn),
        ("session_last_error", kvc_module_host_session_last_error_fn),
    ]


class kvc_module_request_t(_Struct):  # 40 bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("version", c_uint32),
        ("n_options", c_uint32),
        ("names", c_void_p),
        ("values", c_void_p),
        ("host", c_void_p),
    ]


# name -> (result, parameters)
FUNCTIONS = {
    "kvc_version_string": (c_char_p, ()),
    "kvc_abi_version": (c_uint32, ()),
    "kvc_build_info": (c_char_p, ()),
    "kvc_has_feature": (c_int32, (c_char_p,)),
    "kvc_status_name": (c_char_p, (c_int32,)),
    "kvc_status_text": (c_char_p, (c_int32,)),
    "kvc_config_create": (c_int32, (c_char_p, c_void_p,)),
    "kvc_config_destroy": (None, (c_void_p,)),
    "kvc_config_set": (c_int32, (c_void_p, c_char_p, c_char_p,)),
    "kvc_config_get": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_config_last_error": (c_size_t, (c_void_p, c_void_p, c_size_t,)),
    "kvc_config_set_backend": (c_int32, (c_void_p, c_void_p,)),
    "kvc_config_set_allocator": (c_int32, (c_void_p, c_void_p,)),
    "kvc_config_set_logger": (c_int32, (c_void_p, c_void_p,)),
    "kvc_config_set_clock": (c_int32, (c_void_p, c_void_p,)),
    "kvc_config_set_policy": (c_int32, (c_void_p, c_void_p,)),
    "kvc_config_set_codec": (c_int32, (c_void_p, c_void_p,)),
    "kvc_option_count": (c_uint32, ()),
    "kvc_option_info": (c_int32, (c_uint32, c_void_p,)),
    "kvc_engine_create": (c_int32, (c_void_p, c_void_p,)),
    "kvc_engine_create_with_error": (c_int32, (c_void_p, c_void_p, c_void_p,)),
    "kvc_engine_destroy": (None, (c_void_p,)),
    "kvc_engine_last_error": (c_size_t, (c_void_p, c_void_p, c_size_t,)),
    "kvc_engine_info": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_request_init": (c_int32, (c_void_p, c_size_t,)),
    "kvc_process": (c_int32, (c_void_p, c_void_p, c_void_p,)),
    "kvc_process_batch": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_submit": (c_int32, (c_void_p, c_void_p, c_void_p,)),
    "kvc_wait": (c_int32, (c_void_p, c_uint64, c_uint64, c_void_p,)),
    "kvc_poll": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_next": (c_int32, (c_void_p, c_uint64, c_uint64, c_void_p, c_size_t, c_void_p,)),
    "kvc_cancel": (c_int32, (c_void_p, c_uint64,)),
    "kvc_ticket_free": (c_int32, (c_void_p, c_uint64,)),
    "kvc_step": (c_int32, (c_void_p, c_void_p,)),
    "kvc_response_free": (None, (c_void_p,)),
    "kvc_chat_text": (c_int32, (c_void_p, c_void_p, c_size_t, c_int32, c_void_p, c_size_t, c_void_p,)),
    "kvc_tokenize": (c_int32, (c_void_p, c_char_p, c_size_t, c_void_p, c_size_t, c_void_p,)),
    "kvc_detokenize": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p,)),
    "kvc_space_desc_init": (c_int32, (c_void_p, c_size_t,)),
    "kvc_space_open": (c_int32, (c_void_p, c_void_p, c_void_p,)),
    "kvc_engine_space": (c_int32, (c_void_p, c_void_p,)),
    "kvc_space_close": (None, (c_void_p,)),
    "kvc_space_info": (c_int32, (c_void_p, c_void_p,)),
    "kvc_space_diff": (c_int32, (c_void_p, c_void_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_space_page_ids": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p,)),
    "kvc_tensor_thd": (c_int32, (c_void_p, c_void_p, c_int32, c_size_t, c_uint32, c_uint32,)),
    "kvc_tensor_htd": (c_int32, (c_void_p, c_void_p, c_int32, c_size_t, c_uint32, c_uint32,)),
    "kvc_session_open": (c_int32, (c_void_p, c_void_p, c_void_p,)),
    "kvc_session_close": (c_int32, (c_void_p, c_int32, c_uint64,)),
    "kvc_session_match": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_session_miss": (c_int32, (c_void_p, c_void_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_session_append": (c_int32, (c_void_p, c_uint32, c_void_p, c_void_p, c_size_t,)),
    "kvc_session_append_all": (c_int32, (c_void_p, c_void_p, c_void_p, c_uint32, c_size_t,)),
    "kvc_session_commit": (c_int32, (c_void_p, c_void_p, c_size_t,)),
    "kvc_session_read": (c_int32, (c_void_p, c_uint32, c_int32, c_size_t, c_size_t, c_void_p,)),
    "kvc_session_read_all": (c_int32, (c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_uint32,)),
    "kvc_attend_init": (c_int32, (c_void_p, c_size_t,)),
    "kvc_session_attend": (c_int32, (c_void_p, c_uint32, c_void_p, c_void_p, c_void_p,)),
    "kvc_session_truncate": (c_int32, (c_void_p, c_size_t,)),
    "kvc_session_fork": (c_int32, (c_void_p, c_void_p,)),
    "kvc_session_pin": (c_int32, (c_void_p, c_int32,)),
    "kvc_session_set_priority": (c_int32, (c_void_p, c_int32,)),
    "kvc_session_hint": (c_int32, (c_void_p, c_int32,)),
    "kvc_session_expect": (c_int32, (c_void_p, c_uint64,)),
    "kvc_session_generated": (c_int32, (c_void_p, c_uint64,)),
    "kvc_session_info": (c_int32, (c_void_p, c_void_p,)),
    "kvc_session_tokens": (c_int32, (c_void_p, c_size_t, c_size_t, c_void_p,)),
    "kvc_session_last_error": (c_size_t, (c_void_p, c_void_p, c_size_t,)),
    "kvc_put": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_put_with": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p, c_void_p,)),
    "kvc_tensor_info": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p, c_void_p,)),
    "kvc_get": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p, c_void_p,)),
    "kvc_contains": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_remove": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_page_iter_open": (c_int32, (c_void_p, c_char_p, c_void_p,)),
    "kvc_page_iter_next": (c_int32, (c_void_p, c_void_p,)),
    "kvc_page_iter_close": (None, (c_void_p,)),
    "kvc_page_info": (c_int32, (c_void_p, c_void_p, c_void_p,)),
    "kvc_page_tokens": (c_int32, (c_void_p, c_void_p, c_void_p, c_size_t, c_void_p,)),
    "kvc_trim": (c_int32, (c_void_p, c_uint64, c_void_p,)),
    "kvc_persist": (c_int32, (c_void_p, c_uint64,)),
    "kvc_persist_to": (c_int32, (c_void_p, c_char_p, c_char_p, c_void_p,)),
    "kvc_load": (c_int32, (c_void_p, c_char_p, c_void_p,)),
    "kvc_tenant_purge": (c_int32, (c_void_p, c_char_p, c_void_p,)),
    "kvc_pack_write": (c_int32, (c_void_p, c_char_p, c_void_p, c_size_t, c_char_p, c_void_p,)),
    "kvc_pack_open": (c_int32, (c_void_p, c_char_p, c_void_p,)),
    "kvc_store_inspect": (c_int32, (c_char_p, c_char_p, c_void_p, c_void_p,)),
    "kvc_store_verify": (c_int32, (c_char_p, c_char_p, kvc_progress_fn, c_void_p, c_void_p, c_void_p,)),
    "kvc_store_compact": (c_int32, (c_char_p, c_char_p, kvc_progress_fn, c_void_p, c_void_p, c_void_p,)),
    "kvc_store_text": (c_int32, (c_char_p, c_char_p, c_char_p, c_void_p, c_size_t, c_void_p, c_void_p,)),
    "kvc_config_load": (c_int32, (c_void_p, c_char_p, c_char_p,)),
    "kvc_stats": (c_int32, (c_void_p, c_void_p,)),
    "kvc_whatif": (c_int32, (c_void_p, c_uint64, c_char_p, c_void_p,)),
    "kvc_trace_start": (c_int32, (c_void_p, c_char_p,)),
    "kvc_trace_stop": (c_int32, (c_void_p, c_void_p,)),
    "kvc_adapt": (c_int32, (c_void_p, c_void_p,)),
    "kvc_module_info": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p,)),
}

// kvc.h for C#: structs, delegates, functions.
// Written by bindings/generate from include/kvc/kvc.h; do not edit.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

#pragma warning disable 169, 649, IDE1006, CS8981

namespace Kvc
{
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_error_t
    {
        public ulong struct_size;
        public int status;
        public fixed byte message[508];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_allocator_t
    {
        public ulong struct_size;
        public ulong user_data;
        public IntPtr allocate;
        public IntPtr release;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_logger_t
    {
        public ulong struct_size;
        public ulong user_data;
        public int level;
        public IntPtr log;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_clock_t
    {
        public ulong struct_size;
        public ulong user_data;
        public IntPtr now_ns;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_policy_page_t
    {
        public ulong struct_size;
        public ulong key;
        public ulong now_ns;
        public double score;
        public ulong bytes;
        public uint depth;
        public uint tokens;
        public uint hits;
        public int hint;
        public ulong return_ns;
        public ulong generated;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_policy_t
    {
        public ulong struct_size;
        public ulong user_data;
        public byte* name;
        public IntPtr score;
        public IntPtr removed;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_codec_page_t
    {
        public ulong struct_size;
        public uint n_layers;
        public uint n_kv_heads;
        public uint k_head_dim;
        public uint v_head_dim;
        public uint page_tokens;
        public int dtype;
        public ulong position;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_codec_t
    {
        public ulong struct_size;
        public ulong user_data;
        public byte* name;
        public uint version;
        public uint reserved;
        public IntPtr encoded_size;
        public IntPtr encode;
        public IntPtr decode;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_option_info_t
    {
        public ulong struct_size;
        public int type;
        public int reserved;
        public byte* name;
        public byte* default_value;
        public byte* minimum;
        public byte* maximum;
        public byte* choices;
        public byte* doc;
        public byte* since;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_request_t
    {
        public ulong struct_size;
        public int action;
        public int priority;
        public byte* prompt;
        public ulong prompt_size;
        public int* tokens;
        public ulong n_tokens;
        public uint max_tokens;
        public uint top_k;
        public double temperature;
        public double top_p;
        public ulong seed;
        public byte** stop;
        public uint n_stop;
        public uint no_cache;
        public byte* session_id;
        public byte* tenant;
        public ulong deadline_ns;
        public IntPtr on_text;
        public ulong user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_response_t
    {
        public ulong struct_size;
        public int status;
        public int finish_reason;
        public byte* text;
        public ulong text_size;
        public int* tokens;
        public ulong n_tokens;
        public uint cache_hit;
        public uint prompt_tokens;
        public uint cached_tokens;
        public uint computed_tokens;
        public ulong queue_ns;
        public ulong prefill_ns;
        public ulong decode_ns;
        public ulong total_ns;
        public ulong ttft_ns;
        public ulong saved_ns;
        public int miss_reason;
        public int reserved;
        public byte* miss_text;
        public byte* error;
        public ulong ticket;
        public uint approximate_tokens;
        public uint reserved2;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_message_t
    {
        public ulong struct_size;
        public byte* role;
        public byte* content;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_adapter_t
    {
        public ulong struct_size;
        public void* digest;
        public ulong digest_size;
        public double scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_rope_t
    {
        public ulong struct_size;
        public double @base;
        public double freq_scale;
        public byte* scaling;
        public double factor;
        public double attn_factor;
        public double beta_fast;
        public double beta_slow;
        public uint dims;
        public uint original_context;
        public int interleaved;
        public int applied;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_space_desc_t
    {
        public ulong struct_size;
        public byte* label;
        public void* weights_digest;
        public ulong weights_digest_size;
        public void* tokenizer_digest;
        public ulong tokenizer_digest_size;
        public kvc_rope_t* rope;
        public kvc_adapter_t* adapters;
        public uint n_adapters;
        public uint @none;
        public byte* attention;
        public uint n_layers;
        public uint n_kv_heads;
        public uint k_head_dim;
        public uint v_head_dim;
        public int dtype;
        public uint page_tokens;
        public int vocab_size;
        public uint reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_space_info_t
    {
        public ulong struct_size;
        public fixed byte digest[32];
        public uint n_layers;
        public uint n_kv_heads;
        public uint k_head_dim;
        public uint v_head_dim;
        public int dtype;
        public uint page_tokens;
        public ulong page_bytes;
        public int vocab_size;
        public int reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_tensor_t
    {
        public ulong struct_size;
        public void* data;
        public ulong size;
        public int dtype;
        public uint n_dims;
        public fixed long shape[8];
        public fixed long strides[8];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_session_options_t
    {
        public ulong struct_size;
        public byte* tenant;
        public byte* session_id;
        public int priority;
        public uint no_publish;
        public uint exact;
        public uint reserved;
        public uint no_aged;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_attend_t
    {
        public ulong struct_size;
        public double scale;
        public double softcap;
        public ulong window;
        public ulong sinks;
        public ulong later;
        public uint bidirectional;
        public uint n_threads;
        public float* alibi_slopes;
        public float* sink_scores;
        public double* left_out;
        public uint restore;
        public uint reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_session_info_t
    {
        public ulong struct_size;
        public ulong length;
        public ulong matched;
        public ulong pages;
        public ulong pending;
        public ulong tail_bytes;
        public int priority;
        public uint pinned;
        public ulong domain;
        public ulong approximate;
        public ulong sparse;
        public ulong aged;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_put_options_t
    {
        public ulong struct_size;
        public byte* codec;
        public int plane;
        public uint reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_tensor_info_t
    {
        public ulong struct_size;
        public byte* codec;
        public ulong bytes;
        public ulong raw_bytes;
        public double error;
        public uint approximate;
        public int plane;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_page_info_t
    {
        public ulong struct_size;
        public fixed byte id[32];
        public fixed byte parent[32];
        public fixed byte space[32];
        public ulong position;
        public ulong bytes;
        public ulong metadata_bytes;
        public ulong hits;
        public ulong age_ns;
        public ulong idle_ns;
        public uint n_tokens;
        public uint references;
        public uint children;
        public int tier;
        public int priority;
        public uint pinned;
        public fixed byte codec[16];
        public uint approximate;
        public uint reserved;
        public uint aged;
        public uint reserved2;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_store_report_t
    {
        public ulong struct_size;
        public ulong pages;
        public ulong clues;
        public ulong payload_bytes;
        public ulong stored_bytes;
        public ulong file_bytes;
        public ulong segments;
        public ulong checked_bytes;
        public ulong damaged;
        public ulong locked;
        public uint encrypted;
        public uint pack;
        public ulong tensors;
        public ulong calibrations;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_stats_t
    {
        public ulong struct_size;
        public ulong requests;
        public ulong requests_completed;
        public ulong requests_failed;
        public ulong requests_cancelled;
        public ulong requests_refused;
        public ulong requests_queued;
        public ulong requests_active;
        public ulong request_hits;
        public ulong request_misses;
        public double hit_rate;
        public ulong prompt_tokens;
        public ulong cached_tokens;
        public ulong computed_tokens;
        public ulong generated_tokens;
        public double token_hit_rate;
        public ulong saved_ns;
        public ulong latency_avg_ns;
        public ulong latency_p50_ns;
        public ulong latency_p95_ns;
        public ulong latency_p99_ns;
        public ulong ttft_avg_ns;
        public ulong ttft_p50_ns;
        public ulong ttft_p95_ns;
        public ulong ttft_p99_ns;
        public ulong matches;
        public ulong match_hits;
        public ulong matched_tokens;
        public ulong match_asked_tokens;
        public fixed ulong misses_by_reason[8];
        public ulong pages;
        public ulong pages_sealed;
        public ulong pages_deduplicated;
        public ulong pages_evicted;
        public ulong pages_pinned;
        public ulong sessions;
        public ulong tensors;
        public ulong tensors_evicted;
        public ulong memory_budget;
        public ulong memory_used;
        public ulong memory_payload;
        public ulong memory_metadata;
        public ulong memory_pooled;
        public ulong memory_peak;
        public ulong host_bytes;
        public ulong device_bytes;
        public ulong disk_bytes;
        public ulong remote_bytes;
        public double gpu_utilization;
        public ulong uptime_ns;
        public ulong approximate_tokens;
        public ulong pages_encoded;
        public ulong pages_kept_clear;
        public ulong encoded_raw_bytes;
        public ulong encoded_bytes;
        public double codec_key_error;
        public double codec_value_error;
        public ulong misses_damaged;
        public ulong disk_limit;
        public ulong disk_pages;
        public ulong disk_hits;
        public ulong disk_hit_tokens;
        public ulong disk_misses;
        public ulong disk_written;
        public ulong disk_demoted;
        public ulong disk_dropped;
        public ulong disk_damaged;
        public ulong disk_timeouts;
        public ulong disk_recomputed;
        public ulong disk_errors;
        public ulong disk_written_bytes;
        public ulong disk_read_bytes;
        public ulong disk_waiting;
        public ulong disk_durable_ns;
        public int policy_strategy;
        public int policy_reason;
        public ulong policy_changes;
        public ulong policy_changed_ns;
        public ulong device_limit;
        public ulong device_pages;
        public ulong device_hits;
        public ulong device_promoted;
        public ulong device_demoted;
        public ulong device_in_bytes;
        public ulong device_out_bytes;
        public ulong devices;
        public ulong devices_lost;
        public ulong codec_failures;
        public ulong pages_sparse;
        public ulong sparse_by_recency;
        public ulong sparse_restored;
        public double sparse_mass_left_out;
        public ulong codec_checked;
        public ulong codec_raised;
        public ulong codec_heads_exact;
        public double codec_bound_error;
        public ulong pages_aged;
        public ulong aged_before_bytes;
        public ulong aged_bytes;
        public ulong aged_tokens;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_whatif_t
    {
        public ulong struct_size;
        public double token_hit_rate;
        public double page_hit_rate;
        public ulong pages;
        public ulong sessions;
        public ulong tokens;
        public ulong span_ns;
        public ulong saved_ns;
        public double sampled;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_metrics_t
    {
        public ulong struct_size;
        public int objective;
        public int reserved;
        public double prefill_speed;
        public double balanced_position;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_model_info_t
    {
        public ulong struct_size;
        public byte* name;
        public kvc_space_desc_t* space;
        public uint context;
        public uint max_batch_tokens;
        public int bos;
        public int eos;
        public int* ends;
        public uint n_ends;
        public uint total_tokens;
        public uint state_tokens;
        public uint reserved;
        public byte* details;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_forward_t
    {
        public ulong struct_size;
        public ulong sequence;
        public ulong session;
        public int* tokens;
        public uint n;
        public uint position;
        public float* logits;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_backend_t
    {
        public ulong struct_size;
        public ulong user_data;
        public int kind;
        public int reserved;
        public IntPtr describe;
        public IntPtr tokenize;
        public IntPtr detokenize;
        public IntPtr sequence_open;
        public IntPtr sequence_close;
        public IntPtr forward;
        public IntPtr export_kv;
        public IntPtr import_kv;
        public IntPtr truncate;
        public IntPtr destroy;
        public IntPtr chat_text;
        public IntPtr save_state;
        public IntPtr load_state;
        public IntPtr set_stop;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_module_host_t
    {
        public ulong struct_size;
        public IntPtr session_append_all;
        public IntPtr session_read_all;
        public IntPtr session_info;
        public IntPtr session_last_error;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct kvc_module_request_t
    {
        public ulong struct_size;
        public uint version;
        public uint n_options;
        public byte** names;
        public byte** values;
        public kvc_module_host_t* host;
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_stream_fn(ulong user_data, ulong ticket, byte* text, ulong text_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_progress_fn(ulong user_data, ulong done, ulong total);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_stop_fn(void* stop_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_module_open_fn(kvc_module_request_t* request, kvc_backend_t* backend, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_module_describe_fn(kvc_module_request_t* request, byte* text, ulong capacity, ulong* length);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate void* kvc_allocator_allocate_fn(ulong user_data, ulong size, ulong alignment);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate void kvc_allocator_release_fn(ulong user_data, void* pointer, ulong size, ulong alignment);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate void kvc_logger_log_fn(ulong user_data, int level, byte* message);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate ulong kvc_clock_now_ns_fn(ulong user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate double kvc_policy_score_fn(ulong user_data, kvc_policy_page_t* page, int @event);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate void kvc_policy_removed_fn(ulong user_data, kvc_policy_page_t* page);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate ulong kvc_codec_encoded_size_fn(ulong user_data, kvc_codec_page_t* page);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_codec_encode_fn(ulong user_data, kvc_codec_page_t* page, void* clear, void* encoded, ulong encoded_size, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_codec_decode_fn(ulong user_data, kvc_codec_page_t* page, void* encoded, ulong encoded_size, uint layer, int plane, uint head, uint from, uint n, void* rows, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_describe_fn(ulong user_data, kvc_model_info_t* info, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_tokenize_fn(ulong user_data, byte* text, ulong text_size, int* tokens, ulong capacity, ulong* n, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_detokenize_fn(ulong user_data, int token, byte* bytes, ulong capacity, ulong* size, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_sequence_open_fn(ulong user_data, ulong sequence, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate void kvc_backend_sequence_close_fn(ulong user_data, ulong sequence);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_forward_fn(ulong user_data, kvc_forward_t* items, uint n, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_export_kv_fn(ulong user_data, ulong sequence, ulong session, uint from, uint n, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_import_kv_fn(ulong user_data, ulong sequence, ulong session, int* tokens, uint from, uint n, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_truncate_fn(ulong user_data, ulong sequence, uint n, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate void kvc_backend_destroy_fn(ulong user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_chat_text_fn(ulong user_data, kvc_message_t* messages, ulong n, int answer, byte* text, ulong capacity, ulong* size, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_save_state_fn(ulong user_data, ulong sequence, uint n, void* bytes, ulong capacity, ulong* size, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_backend_load_state_fn(ulong user_data, ulong sequence, int* tokens, uint n, void* bytes, ulong size, byte* error, ulong error_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate void kvc_backend_set_stop_fn(ulong user_data, IntPtr stop, void* stop_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_module_host_session_append_all_fn(ulong session, kvc_tensor_t* k, kvc_tensor_t* v, uint n_layers, ulong n);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_module_host_session_read_all_fn(ulong session, ulong from, ulong n, kvc_tensor_t* k, kvc_tensor_t* v, uint n_layers);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate int kvc_module_host_session_info_fn(ulong session, kvc_session_info_t* info);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal unsafe delegate ulong kvc_module_host_session_last_error_fn(ulong session, byte* buffer, ulong capacity);

    /// <summary>The functions of kvc.h. Library.Load must have been called.</summary>
    internal static unsafe partial class Raw
    {
        public const string Version = "0.1.0";
        public const uint AbiVersion = 0;
        public const string Name = "libkvc.so.0";

#if NET7_0_OR_GREATER
        [LibraryImport(Name)]
        public static partial byte* kvc_version_string();
        [LibraryImport(Name)]
        public static partial uint kvc_abi_version();
        [LibraryImport(Name)]
        public static partial byte* kvc_build_info();
        [LibraryImport(Name)]
        public static partial int kvc_has_feature(byte* name);
        [LibraryImport(Name)]
        public static partial byte* kvc_status_name(int status);
        [LibraryImport(Name)]
        public static partial byte* kvc_status_text(int status);
        [LibraryImport(Name)]
        public static partial int kvc_config_create(byte* preset, ulong* config);
        [LibraryImport(Name)]
        public static partial void kvc_config_destroy(ulong config);
        [LibraryImport(Name)]
        public static partial int kvc_config_set(ulong config, byte* key, byte* value);
        [LibraryImport(Name)]
        public static partial int kvc_config_get(ulong config, byte* key, byte* buffer, ulong capacity, ulong* length);
        [LibraryImport(Name)]
        public static partial ulong kvc_config_last_error(ulong config, byte* buffer, ulong capacity);
        [LibraryImport(Name)]
        public static partial int kvc_config_set_backend(ulong config, kvc_backend_t* backend);
        [LibraryImport(Name)]
        public static partial int kvc_config_set_allocator(ulong config, kvc_allocator_t* allocator);
        [LibraryImport(Name)]
        public static partial int kvc_config_set_logger(ulong config, kvc_logger_t* logger);
        [LibraryImport(Name)]
        public static partial int kvc_config_set_clock(ulong config, kvc_clock_t* clock);
        [LibraryImport(Name)]
        public static partial int kvc_config_set_policy(ulong config, kvc_policy_t* policy);
        [LibraryImport(Name)]
        public static partial int kvc_config_set_codec(ulong config, kvc_codec_t* codec);
        [LibraryImport(Name)]
        public static partial uint kvc_option_count();
        [LibraryImport(Name)]
        public static partial int kvc_option_info(uint index, kvc_option_info_t* info);
        [LibraryImport(Name)]
        public static partial int kvc_engine_create(ulong config, ulong* engine);
        [LibraryImport(Name)]
        public static partial int kvc_engine_create_with_error(ulong config, ulong* engine, kvc_error_t* error);
        [LibraryImport(Name)]
        public static partial void kvc_engine_destroy(ulong engine);
        [LibraryImport(Name)]
        public static partial ulong kvc_engine_last_error(ulong engine, byte* buffer, ulong capacity);
        [LibraryImport(Name)]
        public static partial int kvc_engine_info(ulong engine, byte* buffer, ulong capacity, ulong* length);
        [LibraryImport(Name)]
        public static partial int kvc_request_init(kvc_request_t* request, ulong size);
        [LibraryImport(Name)]
        public static partial int kvc_process(ulong engine, kvc_request_t* request, kvc_response_t** response);
        [LibraryImport(Name)]
        public static partial int kvc_process_batch(ulong engine, kvc_request_t* requests, ulong n, kvc_response_t** responses);
        [LibraryImport(Name)]
        public static partial int kvc_submit(ulong engine, kvc_request_t* request, ulong* ticket);
        [LibraryImport(Name)]
        public static partial int kvc_wait(ulong engine, ulong ticket, ulong timeout_ns, kvc_response_t** response);
        [LibraryImport(Name)]
        public static partial int kvc_poll(ulong engine, ulong* tickets, ulong capacity, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_next(ulong engine, ulong ticket, ulong timeout_ns, byte* buffer, ulong capacity, ulong* text_size);
        [LibraryImport(Name)]
        public static partial int kvc_cancel(ulong engine, ulong ticket);
        [LibraryImport(Name)]
        public static partial int kvc_ticket_free(ulong engine, ulong ticket);
        [LibraryImport(Name)]
        public static partial int kvc_step(ulong engine, int* busy);
        [LibraryImport(Name)]
        public static partial void kvc_response_free(kvc_response_t* response);
        [LibraryImport(Name)]
        public static partial int kvc_chat_text(ulong engine, kvc_message_t* messages, ulong n, int answer, byte* buffer, ulong capacity, ulong* length);
        [LibraryImport(Name)]
        public static partial int kvc_tokenize(ulong engine, byte* text, ulong text_size, int* tokens, ulong capacity, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_detokenize(ulong engine, int* tokens, ulong n, byte* buffer, ulong capacity, ulong* length);
        [LibraryImport(Name)]
        public static partial int kvc_space_desc_init(kvc_space_desc_t* desc, ulong size);
        [LibraryImport(Name)]
        public static partial int kvc_space_open(ulong engine, kvc_space_desc_t* desc, ulong* space);
        [LibraryImport(Name)]
        public static partial int kvc_engine_space(ulong engine, ulong* space);
        [LibraryImport(Name)]
        public static partial void kvc_space_close(ulong space);
        [LibraryImport(Name)]
        public static partial int kvc_space_info(ulong space, kvc_space_info_t* info);
        [LibraryImport(Name)]
        public static partial int kvc_space_diff(ulong a, ulong b, byte* buffer, ulong capacity, ulong* length);
        [LibraryImport(Name)]
        public static partial int kvc_space_page_ids(ulong space, byte* tenant, int* tokens, ulong n_tokens, byte* ids, ulong capacity, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_tensor_thd(kvc_tensor_t* tensor, void* data, int dtype, ulong tokens, uint heads, uint dim);
        [LibraryImport(Name)]
        public static partial int kvc_tensor_htd(kvc_tensor_t* tensor, void* data, int dtype, ulong tokens, uint heads, uint dim);
        [LibraryImport(Name)]
        public static partial int kvc_session_open(ulong space, kvc_session_options_t* options, ulong* session);
        [LibraryImport(Name)]
        public static partial int kvc_session_close(ulong session, int hint, ulong until_ns);
        [LibraryImport(Name)]
        public static partial int kvc_session_match(ulong session, int* tokens, ulong n, ulong* reused);
        [LibraryImport(Name)]
        public static partial int kvc_session_miss(ulong session, int* reason, byte* buffer, ulong capacity, ulong* length);
        [LibraryImport(Name)]
        public static partial int kvc_session_append(ulong session, uint layer, kvc_tensor_t* k, kvc_tensor_t* v, ulong n);
        [LibraryImport(Name)]
        public static partial int kvc_session_append_all(ulong session, kvc_tensor_t* k, kvc_tensor_t* v, uint n_layers, ulong n);
        [LibraryImport(Name)]
        public static partial int kvc_session_commit(ulong session, int* tokens, ulong n);
        [LibraryImport(Name)]
        public static partial int kvc_session_read(ulong session, uint layer, int plane, ulong from, ulong n, kvc_tensor_t* @out);
        [LibraryImport(Name)]
        public static partial int kvc_session_read_all(ulong session, ulong from, ulong n, kvc_tensor_t* k, kvc_tensor_t* v, uint n_layers);
        [LibraryImport(Name)]
        public static partial int kvc_attend_init(kvc_attend_t* how, ulong size);
        [LibraryImport(Name)]
        public static partial int kvc_session_attend(ulong session, uint layer, kvc_attend_t* how, kvc_tensor_t* query, kvc_tensor_t* @out);
        [LibraryImport(Name)]
        public static partial int kvc_session_truncate(ulong session, ulong n);
        [LibraryImport(Name)]
        public static partial int kvc_session_fork(ulong session, ulong* fork);
        [LibraryImport(Name)]
        public static partial int kvc_session_pin(ulong session, int pinned);
        [LibraryImport(Name)]
        public static partial int kvc_session_set_priority(ulong session, int priority);
        [LibraryImport(Name)]
        public static partial int kvc_session_hint(ulong session, int hint);
        [LibraryImport(Name)]
        public static partial int kvc_session_expect(ulong session, ulong in_ns);
        [LibraryImport(Name)]
        public static partial int kvc_session_generated(ulong session, ulong tokens);
        [LibraryImport(Name)]
        public static partial int kvc_session_info(ulong session, kvc_session_info_t* info);
        [LibraryImport(Name)]
        public static partial int kvc_session_tokens(ulong session, ulong from, ulong n, int* tokens);
        [LibraryImport(Name)]
        public static partial ulong kvc_session_last_error(ulong session, byte* buffer, ulong capacity);
        [LibraryImport(Name)]
        public static partial int kvc_put(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_t* tensor);
        [LibraryImport(Name)]
        public static partial int kvc_put_with(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_t* tensor, kvc_put_options_t* options);
        [LibraryImport(Name)]
        public static partial int kvc_tensor_info(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_info_t* info, int* found);
        [LibraryImport(Name)]
        public static partial int kvc_get(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_t* tensor, int* found);
        [LibraryImport(Name)]
        public static partial int kvc_contains(ulong engine, byte* tenant, void* key, ulong key_size, int* found);
        [LibraryImport(Name)]
        public static partial int kvc_remove(ulong engine, byte* tenant, void* key, ulong key_size, int* removed);
        [LibraryImport(Name)]
        public static partial int kvc_page_iter_open(ulong engine, byte* tenant, ulong* iter);
        [LibraryImport(Name)]
        public static partial int kvc_page_iter_next(ulong iter, kvc_page_info_t* info);
        [LibraryImport(Name)]
        public static partial void kvc_page_iter_close(ulong iter);
        [LibraryImport(Name)]
        public static partial int kvc_page_info(ulong engine, byte* id, kvc_page_info_t* info);
        [LibraryImport(Name)]
        public static partial int kvc_page_tokens(ulong engine, byte* id, int* tokens, ulong capacity, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_trim(ulong engine, ulong bytes, ulong* freed);
        [LibraryImport(Name)]
        public static partial int kvc_persist(ulong engine, ulong timeout_ns);
        [LibraryImport(Name)]
        public static partial int kvc_persist_to(ulong engine, byte* tenant, byte* path, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_load(ulong engine, byte* path, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_tenant_purge(ulong engine, byte* tenant, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_pack_write(ulong space, byte* tenant, int* tokens, ulong n_tokens, byte* path, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_pack_open(ulong engine, byte* path, ulong* n);
        [LibraryImport(Name)]
        public static partial int kvc_store_inspect(byte* path, byte* key, kvc_store_report_t* report, kvc_error_t* error);
        [LibraryImport(Name)]
        public static partial int kvc_store_verify(byte* path, byte* key, IntPtr progress, ulong user_data, kvc_store_report_t* report, kvc_error_t* error);
        [LibraryImport(Name)]
        public static partial int kvc_store_compact(byte* path, byte* key, IntPtr progress, ulong user_data, kvc_store_report_t* report, kvc_error_t* error);
        [LibraryImport(Name)]
        public static partial int kvc_store_text(byte* path, byte* key, byte* name, byte* buffer, ulong capacity, ulong* length, kvc_error_t* error);
        [LibraryImport(Name)]
        public static partial int kvc_config_load(ulong config, byte* path, byte* key);
        [LibraryImport(Name)]
        public static partial int kvc_stats(ulong engine, kvc_stats_t* stats);
        [LibraryImport(Name)]
        public static partial int kvc_whatif(ulong engine, ulong budget, byte* policy, kvc_whatif_t* result);
        [LibraryImport(Name)]
        public static partial int kvc_trace_start(ulong engine, byte* path);
        [LibraryImport(Name)]
        public static partial int kvc_trace_stop(ulong engine, ulong* sessions);
        [LibraryImport(Name)]
        public static partial int kvc_adapt(ulong engine, kvc_metrics_t* metrics);
        [LibraryImport(Name)]
        public static partial int kvc_module_info(ulong config, byte* buffer, ulong capacity, ulong* length);
#else
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern byte* kvc_version_string();
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern uint kvc_abi_version();
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern byte* kvc_build_info();
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_has_feature(byte* name);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern byte* kvc_status_name(int status);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern byte* kvc_status_text(int status);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_create(byte* preset, ulong* config);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern void kvc_config_destroy(ulong config);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_set(ulong config, byte* key, byte* value);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_get(ulong config, byte* key, byte* buffer, ulong capacity, ulong* length);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern ulong kvc_config_last_error(ulong config, byte* buffer, ulong capacity);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_set_backend(ulong config, kvc_backend_t* backend);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_set_allocator(ulong config, kvc_allocator_t* allocator);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_set_logger(ulong config, kvc_logger_t* logger);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_set_clock(ulong config, kvc_clock_t* clock);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_set_policy(ulong config, kvc_policy_t* policy);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_set_codec(ulong config, kvc_codec_t* codec);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern uint kvc_option_count();
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_option_info(uint index, kvc_option_info_t* info);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_engine_create(ulong config, ulong* engine);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_engine_create_with_error(ulong config, ulong* engine, kvc_error_t* error);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern void kvc_engine_destroy(ulong engine);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern ulong kvc_engine_last_error(ulong engine, byte* buffer, ulong capacity);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_engine_info(ulong engine, byte* buffer, ulong capacity, ulong* length);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_request_init(kvc_request_t* request, ulong size);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_process(ulong engine, kvc_request_t* request, kvc_response_t** response);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_process_batch(ulong engine, kvc_request_t* requests, ulong n, kvc_response_t** responses);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_submit(ulong engine, kvc_request_t* request, ulong* ticket);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_wait(ulong engine, ulong ticket, ulong timeout_ns, kvc_response_t** response);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_poll(ulong engine, ulong* tickets, ulong capacity, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_next(ulong engine, ulong ticket, ulong timeout_ns, byte* buffer, ulong capacity, ulong* text_size);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_cancel(ulong engine, ulong ticket);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_ticket_free(ulong engine, ulong ticket);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_step(ulong engine, int* busy);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern void kvc_response_free(kvc_response_t* response);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_chat_text(ulong engine, kvc_message_t* messages, ulong n, int answer, byte* buffer, ulong capacity, ulong* length);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_tokenize(ulong engine, byte* text, ulong text_size, int* tokens, ulong capacity, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_detokenize(ulong engine, int* tokens, ulong n, byte* buffer, ulong capacity, ulong* length);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_space_desc_init(kvc_space_desc_t* desc, ulong size);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_space_open(ulong engine, kvc_space_desc_t* desc, ulong* space);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_engine_space(ulong engine, ulong* space);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern void kvc_space_close(ulong space);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_space_info(ulong space, kvc_space_info_t* info);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_space_diff(ulong a, ulong b, byte* buffer, ulong capacity, ulong* length);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_space_page_ids(ulong space, byte* tenant, int* tokens, ulong n_tokens, byte* ids, ulong capacity, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_tensor_thd(kvc_tensor_t* tensor, void* data, int dtype, ulong tokens, uint heads, uint dim);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_tensor_htd(kvc_tensor_t* tensor, void* data, int dtype, ulong tokens, uint heads, uint dim);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_open(ulong space, kvc_session_options_t* options, ulong* session);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_close(ulong session, int hint, ulong until_ns);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_match(ulong session, int* tokens, ulong n, ulong* reused);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_miss(ulong session, int* reason, byte* buffer, ulong capacity, ulong* length);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_append(ulong session, uint layer, kvc_tensor_t* k, kvc_tensor_t* v, ulong n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_append_all(ulong session, kvc_tensor_t* k, kvc_tensor_t* v, uint n_layers, ulong n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_commit(ulong session, int* tokens, ulong n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_read(ulong session, uint layer, int plane, ulong from, ulong n, kvc_tensor_t* @out);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_read_all(ulong session, ulong from, ulong n, kvc_tensor_t* k, kvc_tensor_t* v, uint n_layers);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_attend_init(kvc_attend_t* how, ulong size);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_attend(ulong session, uint layer, kvc_attend_t* how, kvc_tensor_t* query, kvc_tensor_t* @out);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_truncate(ulong session, ulong n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_fork(ulong session, ulong* fork);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_pin(ulong session, int pinned);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_set_priority(ulong session, int priority);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_hint(ulong session, int hint);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_expect(ulong session, ulong in_ns);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_generated(ulong session, ulong tokens);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_info(ulong session, kvc_session_info_t* info);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_session_tokens(ulong session, ulong from, ulong n, int* tokens);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern ulong kvc_session_last_error(ulong session, byte* buffer, ulong capacity);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_put(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_t* tensor);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_put_with(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_t* tensor, kvc_put_options_t* options);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_tensor_info(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_info_t* info, int* found);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_get(ulong engine, byte* tenant, void* key, ulong key_size, kvc_tensor_t* tensor, int* found);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_contains(ulong engine, byte* tenant, void* key, ulong key_size, int* found);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_remove(ulong engine, byte* tenant, void* key, ulong key_size, int* removed);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_page_iter_open(ulong engine, byte* tenant, ulong* iter);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_page_iter_next(ulong iter, kvc_page_info_t* info);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern void kvc_page_iter_close(ulong iter);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_page_info(ulong engine, byte* id, kvc_page_info_t* info);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_page_tokens(ulong engine, byte* id, int* tokens, ulong capacity, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_trim(ulong engine, ulong bytes, ulong* freed);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_persist(ulong engine, ulong timeout_ns);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_persist_to(ulong engine, byte* tenant, byte* path, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_load(ulong engine, byte* path, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_tenant_purge(ulong engine, byte* tenant, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_pack_write(ulong space, byte* tenant, int* tokens, ulong n_tokens, byte* path, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_pack_open(ulong engine, byte* path, ulong* n);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_store_inspect(byte* path, byte* key, kvc_store_report_t* report, kvc_error_t* error);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_store_verify(byte* path, byte* key, IntPtr progress, ulong user_data, kvc_store_report_t* report, kvc_error_t* error);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_store_compact(byte* path, byte* key, IntPtr progress, ulong user_data, kvc_store_report_t* report, kvc_error_t* error);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_store_text(byte* path, byte* key, byte* name, byte* buffer, ulong capacity, ulong* length, kvc_error_t* error);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_config_load(ulong config, byte* path, byte* key);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_stats(ulong engine, kvc_stats_t* stats);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_whatif(ulong engine, ulong budget, byte* policy, kvc_whatif_t* result);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_trace_start(ulong engine, byte* path);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_trace_stop(ulong engine, ulong* sessions);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_adapt(ulong engine, kvc_metrics_t* metrics);
        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]
        public static extern int kvc_module_info(ulong config, byte* buffer, ulong capacity, ulong* length);
#endif
    }

    /// <summary>For the test that compares with what a C compiler says.</summary>
    internal static class Layouts
    {
        public static readonly Dictionary<string, Type> Structs = new Dictionary<string, Type>
        {
            { "kvc_error_t", typeof(kvc_error_t) },
            { "kvc_allocator_t", typeof(kvc_allocator_t) },
            { "kvc_logger_t", typeof(kvc_logger_t) },
            { "kvc_clock_t", typeof(kvc_clock_t) },
            { "kvc_policy_page_t", typeof(kvc_policy_page_t) },
            { "kvc_policy_t", typeof(kvc_policy_t) },
            { "kvc_codec_page_t", typeof(kvc_codec_page_t) },
            { "kvc_codec_t", typeof(kvc_codec_t) },
            { "kvc_option_info_t", typeof(kvc_option_info_t) },
            { "kvc_request_t", typeof(kvc_request_t) },
            { "kvc_response_t", typeof(kvc_response_t) },
            { "kvc_message_t", typeof(kvc_message_t) },
            { "kvc_adapter_t", typeof(kvc_adapter_t) },
            { "kvc_rope_t", typeof(kvc_rope_t) },
            { "kvc_space_desc_t", typeof(kvc_space_desc_t) },
            { "kvc_space_info_t", typeof(kvc_space_info_t) },
            { "kvc_tensor_t", typeof(kvc_tensor_t) },
            { "kvc_session_options_t", typeof(kvc_session_options_t) },
            { "kvc_attend_t", typeof(kvc_attend_t) },
            { "kvc_session_info_t", typeof(kvc_session_info_t) },
            { "kvc_put_options_t", typeof(kvc_put_options_t) },
            { "kvc_tensor_info_t", typeof(kvc_tensor_info_t) },
            { "kvc_page_info_t", typeof(kvc_page_info_t) },
            { "kvc_store_report_t", typeof(kvc_store_report_t) },
            { "kvc_stats_t", typeof(kvc_stats_t) },
            { "kvc_whatif_t", typeof(kvc_whatif_t) },
            { "kvc_metrics_t", typeof(kvc_metrics_t) },
            { "kvc_model_info_t", typeof(kvc_model_info_t) },
            { "kvc_forward_t", typeof(kvc_forward_t) },
            { "kvc_backend_t", typeof(kvc_backend_t) },
            { "kvc_module_host_t", typeof(kvc_module_host_t) },
            { "kvc_module_request_t", typeof(kvc_module_request_t) },
        };

        public static readonly Dictionary<string, long> Constants = new Dictionary<string, long>
        {
            { "KVC_VERSION_MAJOR", 0 },
            { "KVC_VERSION_MINOR", 1 },
            { "KVC_VERSION_PATCH", 0 },
            { "KVC_ABI_VERSION", 0 },
            { "KVC_OK", 0 },
            { "KVC_END", 1 },
            { "KVC_PENDING", 2 },
            { "KVC_E_INVALID", -100 },
            { "KVC_E_NULL", -101 },
            { "KVC_E_STRUCT_SIZE", -102 },
            { "KVC_E_UNKNOWN_OPTION", -103 },
            { "KVC_E_OUT_OF_RANGE", -104 },
            { "KVC_E_SHAPE", -105 },
            { "KVC_E_DTYPE", -106 },
            { "KVC_E_TOKEN", -107 },
            { "KVC_E_UTF8", -108 },
            { "KVC_E_IDENTITY", -109 },
            { "KVC_E_CLOSED", -200 },
            { "KVC_E_ORDER", -201 },
            { "KVC_E_MISSING_LAYERS", -202 },
            { "KVC_E_FORKED", -203 },
            { "KVC_E_BUSY", -204 },
            { "KVC_E_CANCELLED", -205 },
            { "KVC_E_DEADLINE", -206 },
            { "KVC_E_NOT_FOUND", -207 },
            { "KVC_E_NO_MEMORY", -300 },
            { "KVC_E_BUDGET", -301 },
            { "KVC_E_CONTEXT", -302 },
            { "KVC_E_QUEUE_FULL", -303 },
            { "KVC_E_BUFFER", -304 },
            { "KVC_E_IO", -400 },
            { "KVC_E_CORRUPT", -500 },
            { "KVC_E_DEVICE", -600 },
            { "KVC_E_BACKEND", -650 },
            { "KVC_E_INTERNAL", -700 },
            { "KVC_E_UNSUPPORTED", -701 },
            { "KVC_E_USER", -900 },
            { "KVC_F32", 1 },
            { "KVC_F16", 2 },
            { "KVC_BF16", 3 },
            { "KVC_U8", 4 },
            { "KVC_KEY", 0 },
            { "KVC_VALUE", 1 },
            { "KVC_PRIORITY_BACKGROUND", -200 },
            { "KVC_PRIORITY_LOW", -100 },
            { "KVC_PRIORITY_NORMAL", 0 },
            { "KVC_PRIORITY_HIGH", 100 },
            { "KVC_PRIORITY_CRITICAL", 200 },
            { "KVC_CLOSE_KEEP", 0 },
            { "KVC_CLOSE_FINISHED", 1 },
            { "KVC_CLOSE_IDLE", 2 },
            { "KVC_HINT_NONE", 0 },
            { "KVC_HINT_TURN_END", 1 },
            { "KVC_HINT_TOOL_CALL", 2 },
            { "KVC_HINT_ONE_OFF", 3 },
            { "KVC_HINT_SHARED", 4 },
            { "KVC_ACTION_PROCESS", 0 },
            { "KVC_ACTION_PREFETCH", 1 },
            { "KVC_ACTION_STORE", 2 },
            { "KVC_ACTION_RETRIEVE", 3 },
            { "KVC_FINISH_NONE", 0 },
            { "KVC_FINISH_LENGTH", 1 },
            { "KVC_FINISH_STOP", 2 },
            { "KVC_FINISH_EOS", 3 },
            { "KVC_FINISH_CANCELLED", 4 },
            { "KVC_FINISH_DEADLINE", 5 },
            { "KVC_FINISH_ERROR", 6 },
            { "KVC_MISS_NONE", 0 },
            { "KVC_MISS_NEW", 1 },
            { "KVC_MISS_PARTIAL", 2 },
            { "KVC_MISS_IDENTITY", 3 },
            { "KVC_MISS_DISABLED", 4 },
            { "KVC_MISS_SHORT", 5 },
            { "KVC_MISS_TIMEOUT", 6 },
            { "KVC_MISS_RECOMPUTE", 7 },
            { "KVC_MISS_DAMAGED", 8 },
            { "KVC_MISS_COUNT", 9 },
            { "KVC_TIER_HOST", 1 },
            { "KVC_TIER_DEVICE", 2 },
            { "KVC_TIER_DISK", 3 },
            { "KVC_TIER_REMOTE", 4 },
            { "KVC_LOG_ERROR", 1 },
            { "KVC_LOG_WARN", 2 },
            { "KVC_LOG_INFO", 3 },
            { "KVC_LOG_DEBUG", 4 },
            { "KVC_POLICY_INSERTED", 1 },
            { "KVC_POLICY_USED", 2 },
            { "KVC_POLICY_ENDED", 3 },
            { "KVC_OPTION_INTEGER", 1 },
            { "KVC_OPTION_SIZE", 2 },
            { "KVC_OPTION_TIME", 3 },
            { "KVC_OPTION_REAL", 4 },
            { "KVC_OPTION_SWITCH", 5 },
            { "KVC_OPTION_CHOICE", 6 },
            { "KVC_OPTION_TEXT", 7 },
            { "KVC_NONE_TOKENIZER", 1 },
            { "KVC_NONE_ROPE", 2 },
            { "KVC_NONE_ADAPTERS", 4 },
            { "KVC_NONE_ATTENTION", 8 },
            { "KVC_MAX_DIMS", 8 },
            { "KVC_STRATEGY_FIXED", 0 },
            { "KVC_STRATEGY_LEARNED", 1 },
            { "KVC_STRATEGY_RECENCY", 2 },
            { "KVC_REASON_NONE", 0 },
            { "KVC_REASON_LOST", 1 },
            { "KVC_REASON_RETRY", 2 },
            { "KVC_REASON_METRICS", 3 },
            { "KVC_OBJECTIVE_HITS", 0 },
            { "KVC_OBJECTIVE_TIME", 1 },
            { "KVC_BACKEND_PAGED", 1 },
            { "KVC_BACKEND_OWN_KV", 2 },
            { "KVC_MODULE_VERSION", 1 },
        };
    }
}

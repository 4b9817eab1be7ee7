//! `kvc.h` for Rust: types, constants, and the functions as a table to be filled from a library.
//!
//! Written by bindings/generate from include/kvc/kvc.h; do not edit.
#![allow(non_camel_case_types, missing_docs, clippy::all)]
use std::mem::{align_of, offset_of, size_of};
use std::os::raw::{c_char, c_void};

pub const KVC_VERSION_MAJOR: i32 = 0;
pub const KVC_VERSION_MINOR: i32 = 1;
pub const KVC_VERSION_PATCH: i32 = 0;
pub const KVC_ABI_VERSION: i32 = 0;
pub const KVC_OK: i32 = 0;
pub const KVC_END: i32 = 1;
pub const KVC_PENDING: i32 = 2;
pub const KVC_E_INVALID: i32 = -100;
pub const KVC_E_NULL: i32 = -101;
pub const KVC_E_STRUCT_SIZE: i32 = -102;
pub const KVC_E_UNKNOWN_OPTION: i32 = -103;
pub const KVC_E_OUT_OF_RANGE: i32 = -104;
pub const KVC_E_SHAPE: i32 = -105;
pub const KVC_E_DTYPE: i32 = -106;
pub const KVC_E_TOKEN: i32 = -107;
pub const KVC_E_UTF8: i32 = -108;
pub const KVC_E_IDENTITY: i32 = -109;
pub const KVC_E_CLOSED: i32 = -200;
pub const KVC_E_ORDER: i32 = -201;
pub const KVC_E_MISSING_LAYERS: i32 = -202;
pub const KVC_E_FORKED: i32 = -203;
pub const KVC_E_BUSY: i32 = -204;
pub const KVC_E_CANCELLED: i32 = -205;
pub const KVC_E_DEADLINE: i32 = -206;
pub const KVC_E_NOT_FOUND: i32 = -207;
pub const KVC_E_NO_MEMORY: i32 = -300;
pub const KVC_E_BUDGET: i32 = -301;
pub const KVC_E_CONTEXT: i32 = -302;
pub const KVC_E_QUEUE_FULL: i32 = -303;
pub const KVC_E_BUFFER: i32 = -304;
pub const KVC_E_IO: i32 = -400;
pub const KVC_E_CORRUPT: i32 = -500;
pub const KVC_E_DEVICE: i32 = -600;
pub const KVC_E_BACKEND: i32 = -650;
pub const KVC_E_INTERNAL: i32 = -700;
pub const KVC_E_UNSUPPORTED: i32 = -701;
pub const KVC_E_USER: i32 = -900;
pub const KVC_F32: i32 = 1;
pub const KVC_F16: i32 = 2;
pub const KVC_BF16: i32 = 3;
pub const KVC_U8: i32 = 4;
pub const KVC_KEY: i32 = 0;
pub const KVC_VALUE: i32 = 1;
pub const KVC_PRIORITY_BACKGROUND: i32 = -200;
pub const KVC_PRIORITY_LOW: i32 = -100;
pub const KVC_PRIORITY_NORMAL: i32 = 0;
pub const KVC_PRIORITY_HIGH: i32 = 100;
pub const KVC_PRIORITY_CRITICAL: i32 = 200;
pub const KVC_CLOSE_KEEP: i32 = 0;
pub const KVC_CLOSE_FINISHED: i32 = 1;
pub const KVC_CLOSE_IDLE: i32 = 2;
pub const KVC_HINT_NONE: i32 = 0;
pub const KVC_HINT_TURN_END: i32 = 1;
pub const KVC_HINT_TOOL_CALL: i32 = 2;
pub const KVC_HINT_ONE_OFF: i32 = 3;
pub const KVC_HINT_SHARED: i32 = 4;
pub const KVC_ACTION_PROCESS: i32 = 0;
pub const KVC_ACTION_PREFETCH: i32 = 1;
pub const KVC_ACTION_STORE: i32 = 2;
pub const KVC_ACTION_RETRIEVE: i32 = 3;
pub const KVC_FINISH_NONE: i32 = 0;
pub const KVC_FINISH_LENGTH: i32 = 1;
pub const KVC_FINISH_STOP: i32 = 2;
pub const KVC_FINISH_EOS: i32 = 3;
pub const KVC_FINISH_CANCELLED: i32 = 4;
pub const KVC_FINISH_DEADLINE: i32 = 5;
pub const KVC_FINISH_ERROR: i32 = 6;
pub const KVC_MISS_NONE: i32 = 0;
pub const KVC_MISS_NEW: i32 = 1;
pub const KVC_MISS_PARTIAL: i32 = 2;
pub const KVC_MISS_IDENTITY: i32 = 3;
pub const KVC_MISS_DISABLED: i32 = 4;
pub const KVC_MISS_SHORT: i32 = 5;
pub const KVC_MISS_TIMEOUT: i32 = 6;
pub const KVC_MISS_RECOMPUTE: i32 = 7;
pub const KVC_MISS_DAMAGED: i32 = 8;
pub const KVC_MISS_COUNT: i32 = 9;
pub const KVC_TIER_HOST: i32 = 1;
pub const KVC_TIER_DEVICE: i32 = 2;
pub const KVC_TIER_DISK: i32 = 3;
pub const KVC_TIER_REMOTE: i32 = 4;
pub const KVC_LOG_ERROR: i32 = 1;
pub const KVC_LOG_WARN: i32 = 2;
pub const KVC_LOG_INFO: i32 = 3;
pub const KVC_LOG_DEBUG: i32 = 4;
pub const KVC_POLICY_INSERTED: i32 = 1;
pub const KVC_POLICY_USED: i32 = 2;
pub const KVC_POLICY_ENDED: i32 = 3;
pub const KVC_OPTION_INTEGER: i32 = 1;
pub const KVC_OPTION_SIZE: i32 = 2;
pub const KVC_OPTION_TIME: i32 = 3;
pub const KVC_OPTION_REAL: i32 = 4;
pub const KVC_OPTION_SWITCH: i32 = 5;
pub const KVC_OPTION_CHOICE: i32 = 6;
pub const KVC_OPTION_TEXT: i32 = 7;
pub const KVC_NONE_TOKENIZER: i32 = 1;
pub const KVC_NONE_ROPE: i32 = 2;
pub const KVC_NONE_ADAPTERS: i32 = 4;
pub const KVC_NONE_ATTENTION: i32 = 8;
pub const KVC_MAX_DIMS: i32 = 8;
pub const KVC_STRATEGY_FIXED: i32 = 0;
pub const KVC_STRATEGY_LEARNED: i32 = 1;
pub const KVC_STRATEGY_RECENCY: i32 = 2;
pub const KVC_REASON_NONE: i32 = 0;
pub const KVC_REASON_LOST: i32 = 1;
pub const KVC_REASON_RETRY: i32 = 2;
pub const KVC_REASON_METRICS: i32 = 3;
pub const KVC_OBJECTIVE_HITS: i32 = 0;
pub const KVC_OBJECTIVE_TIME: i32 = 1;
pub const KVC_BACKEND_PAGED: i32 = 1;
pub const KVC_BACKEND_OWN_KV: i32 = 2;
pub const KVC_MODULE_VERSION: i32 = 1;
/// Of the header that this crate was made from.
pub const VERSION: &str = "0.1.0";

pub type kvc_status_t = i32;
pub type kvc_ticket_t = u64;

/// options for an engine to be made
#[repr(C)]
pub struct kvc_config_t {
    _private: [u8; 0],
}

/// a cache, its memory, and a request engine around a model
#[repr(C)]
pub struct kvc_engine_t {
    _private: [u8; 0],
}

/// the identity and layout of one model's K/V
#[repr(C)]
pub struct kvc_space_t {
    _private: [u8; 0],
}

/// a token sequence that is being extended
#[repr(C)]
pub struct kvc_session_t {
    _private: [u8; 0],
}

/// a walk over the pages that an engine holds
#[repr(C)]
pub struct kvc_page_iter_t {
    _private: [u8; 0],
}

pub type kvc_stream_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, ticket: kvc_ticket_t, text: *const c_char, text_size: usize) -> kvc_status_t>;
pub type kvc_progress_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, done: u64, total: u64) -> i32>;
pub type kvc_stop_fn = Option<unsafe extern "C" fn(stop_data: *mut c_void) -> i32>;
pub type kvc_module_open_fn = Option<unsafe extern "C" fn(request: *const kvc_module_request_t, backend: *mut kvc_backend_t, error: *mut c_char, error_size: usize) -> kvc_status_t>;
pub type kvc_module_describe_fn = Option<unsafe extern "C" fn(request: *const kvc_module_request_t, text: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_error_t {
    pub struct_size: usize,
    pub status: kvc_status_t,
    pub message: [c_char; 508],
}
impl Default for kvc_error_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_error_t>() == 520);
    assert!(align_of::<kvc_error_t>() == 8);
    assert!(offset_of!(kvc_error_t, struct_size) == 0);
    assert!(offset_of!(kvc_error_t, status) == 8);
    assert!(offset_of!(kvc_error_t, message) == 12);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_allocator_t {
    pub struct_size: usize,
    pub user_data: *mut c_void,
    pub allocate: Option<unsafe extern "C" fn(user_data: *mut c_void, size: usize, alignment: usize) -> *mut c_void>,
    pub release: Option<unsafe extern "C" fn(user_data: *mut c_void, pointer: *mut c_void, size: usize, alignment: usize)>,
}
impl Default for kvc_allocator_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_allocator_t>() == 32);
    assert!(align_of::<kvc_allocator_t>() == 8);
    assert!(offset_of!(kvc_allocator_t, struct_size) == 0);
    assert!(offset_of!(kvc_allocator_t, user_data) == 8);
    assert!(offset_of!(kvc_allocator_t, allocate) == 16);
    assert!(offset_of!(kvc_allocator_t, release) == 24);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_logger_t {
    pub struct_size: usize,
    pub user_data: *mut c_void,
    pub level: i32,
    pub log: Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>,
}
impl Default for kvc_logger_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_logger_t>() == 32);
    assert!(align_of::<kvc_logger_t>() == 8);
    assert!(offset_of!(kvc_logger_t, struct_size) == 0);
    assert!(offset_of!(kvc_logger_t, user_data) == 8);
    assert!(offset_of!(kvc_logger_t, level) == 16);
    assert!(offset_of!(kvc_logger_t, log) == 24);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_clock_t {
    pub struct_size: usize,
    pub user_data: *mut c_void,
    pub now_ns: Option<unsafe extern "C" fn(user_data: *mut c_void) -> u64>,
}
impl Default for kvc_clock_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_clock_t>() == 24);
    assert!(align_of::<kvc_clock_t>() == 8);
    assert!(offset_of!(kvc_clock_t, struct_size) == 0);
    assert!(offset_of!(kvc_clock_t, user_data) == 8);
    assert!(offset_of!(kvc_clock_t, now_ns) == 16);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_policy_page_t {
    pub struct_size: usize,
    pub key: u64,
    pub now_ns: u64,
    pub score: f64,
    pub bytes: u64,
    pub depth: u32,
    pub tokens: u32,
    pub hits: u32,
    pub hint: i32,
    pub return_ns: u64,
    pub generated: u64,
}
impl Default for kvc_policy_page_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_policy_page_t>() == 72);
    assert!(align_of::<kvc_policy_page_t>() == 8);
    assert!(offset_of!(kvc_policy_page_t, struct_size) == 0);
    assert!(offset_of!(kvc_policy_page_t, key) == 8);
    assert!(offset_of!(kvc_policy_page_t, now_ns) == 16);
    assert!(offset_of!(kvc_policy_page_t, score) == 24);
    assert!(offset_of!(kvc_policy_page_t, bytes) == 32);
    assert!(offset_of!(kvc_policy_page_t, depth) == 40);
    assert!(offset_of!(kvc_policy_page_t, tokens) == 44);
    assert!(offset_of!(kvc_policy_page_t, hits) == 48);
    assert!(offset_of!(kvc_policy_page_t, hint) == 52);
    assert!(offset_of!(kvc_policy_page_t, return_ns) == 56);
    assert!(offset_of!(kvc_policy_page_t, generated) == 64);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_policy_t {
    pub struct_size: usize,
    pub user_data: *mut c_void,
    pub name: *const c_char,
    pub score: Option<unsafe extern "C" fn(user_data: *mut c_void, page: *const kvc_policy_page_t, event: i32) -> f64>,
    pub removed: Option<unsafe extern "C" fn(user_data: *mut c_void, page: *const kvc_policy_page_t)>,
}
impl Default for kvc_policy_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_policy_t>() == 40);
    assert!(align_of::<kvc_policy_t>() == 8);
    assert!(offset_of!(kvc_policy_t, struct_size) == 0);
    assert!(offset_of!(kvc_policy_t, user_data) == 8);
    assert!(offset_of!(kvc_policy_t, name) == 16);
    assert!(offset_of!(kvc_policy_t, score) == 24);
    assert!(offset_of!(kvc_policy_t, removed) == 32);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_codec_page_t {
    pub struct_size: usize,
    pub n_layers: u32,
    pub n_kv_heads: u32,
    pub k_head_dim: u32,
    pub v_head_dim: u32,
    pub page_tokens: u32,
    pub dtype: i32,
    pub position: u64,
}
impl Default for kvc_codec_page_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_codec_page_t>() == 40);
    assert!(align_of::<kvc_codec_page_t>() == 8);
    assert!(offset_of!(kvc_codec_page_t, struct_size) == 0);
    assert!(offset_of!(kvc_codec_page_t, n_layers) == 8);
    assert!(offset_of!(kvc_codec_page_t, n_kv_heads) == 12);
    assert!(offset_of!(kvc_codec_page_t, k_head_dim) == 16);
    assert!(offset_of!(kvc_codec_page_t, v_head_dim) == 20);
    assert!(offset_of!(kvc_codec_page_t, page_tokens) == 24);
    assert!(offset_of!(kvc_codec_page_t, dtype) == 28);
    assert!(offset_of!(kvc_codec_page_t, position) == 32);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_codec_t {
    pub struct_size: usize,
    pub user_data: *mut c_void,
    pub name: *const c_char,
    pub version: u32,
    pub reserved: u32,
    pub encoded_size: Option<unsafe extern "C" fn(user_data: *mut c_void, page: *const kvc_codec_page_t) -> u64>,
    pub encode: Option<unsafe extern "C" fn(user_data: *mut c_void, page: *const kvc_codec_page_t, clear: *const c_void, encoded: *mut c_void, encoded_size: u64, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub decode: Option<unsafe extern "C" fn(user_data: *mut c_void, page: *const kvc_codec_page_t, encoded: *const c_void, encoded_size: u64, layer: u32, plane: i32, head: u32, from: u32, n: u32, rows: *mut c_void, error: *mut c_char, error_size: usize) -> kvc_status_t>,
}
impl Default for kvc_codec_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_codec_t>() == 56);
    assert!(align_of::<kvc_codec_t>() == 8);
    assert!(offset_of!(kvc_codec_t, struct_size) == 0);
    assert!(offset_of!(kvc_codec_t, user_data) == 8);
    assert!(offset_of!(kvc_codec_t, name) == 16);
    assert!(offset_of!(kvc_codec_t, version) == 24);
    assert!(offset_of!(kvc_codec_t, reserved) == 28);
    assert!(offset_of!(kvc_codec_t, encoded_size) == 32);
    assert!(offset_of!(kvc_codec_t, encode) == 40);
    assert!(offset_of!(kvc_codec_t, decode) == 48);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_option_info_t {
    pub struct_size: usize,
    pub r#type: i32,
    pub reserved: i32,
    pub name: *const c_char,
    pub default_value: *const c_char,
    pub minimum: *const c_char,
    pub maximum: *const c_char,
    pub choices: *const c_char,
    pub doc: *const c_char,
    pub since: *const c_char,
}
impl Default for kvc_option_info_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_option_info_t>() == 72);
    assert!(align_of::<kvc_option_info_t>() == 8);
    assert!(offset_of!(kvc_option_info_t, struct_size) == 0);
    assert!(offset_of!(kvc_option_info_t, r#type) == 8);
    assert!(offset_of!(kvc_option_info_t, reserved) == 12);
    assert!(offset_of!(kvc_option_info_t, name) == 16);
    assert!(offset_of!(kvc_option_info_t, default_value) == 24);
    assert!(offset_of!(kvc_option_info_t, minimum) == 32);
    assert!(offset_of!(kvc_option_info_t, maximum) == 40);
    assert!(offset_of!(kvc_option_info_t, choices) == 48);
    assert!(offset_of!(kvc_option_info_t, doc) == 56);
    assert!(offset_of!(kvc_option_info_t, since) == 64);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_request_t {
    pub struct_size: usize,
    pub action: i32,
    pub priority: i32,
    pub prompt: *const c_char,
    pub prompt_size: usize,
    pub tokens: *const i32,
    pub n_tokens: usize,
    pub max_tokens: u32,
    pub top_k: u32,
    pub temperature: f64,
    pub top_p: f64,
    pub seed: u64,
    pub stop: *const *const c_char,
    pub n_stop: u32,
    pub no_cache: u32,
    pub session_id: *const c_char,
    pub tenant: *const c_char,
    pub deadline_ns: u64,
    pub on_text: kvc_stream_fn,
    pub user_data: *mut c_void,
}
impl Default for kvc_request_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_request_t>() == 136);
    assert!(align_of::<kvc_request_t>() == 8);
    assert!(offset_of!(kvc_request_t, struct_size) == 0);
    assert!(offset_of!(kvc_request_t, action) == 8);
    assert!(offset_of!(kvc_request_t, priority) == 12);
    assert!(offset_of!(kvc_request_t, prompt) == 16);
    assert!(offset_of!(kvc_request_t, prompt_size) == 24);
    assert!(offset_of!(kvc_request_t, tokens) == 32);
    assert!(offset_of!(kvc_request_t, n_tokens) == 40);
    assert!(offset_of!(kvc_request_t, max_tokens) == 48);
    assert!(offset_of!(kvc_request_t, top_k) == 52);
    assert!(offset_of!(kvc_request_t, temperature) == 56);
    assert!(offset_of!(kvc_request_t, top_p) == 64);
    assert!(offset_of!(kvc_request_t, seed) == 72);
    assert!(offset_of!(kvc_request_t, stop) == 80);
    assert!(offset_of!(kvc_request_t, n_stop) == 88);
    assert!(offset_of!(kvc_request_t, no_cache) == 92);
    assert!(offset_of!(kvc_request_t, session_id) == 96);
    assert!(offset_of!(kvc_request_t, tenant) == 104);
    assert!(offset_of!(kvc_request_t, deadline_ns) == 112);
    assert!(offset_of!(kvc_request_t, on_text) == 120);
    assert!(offset_of!(kvc_request_t, user_data) == 128);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_response_t {
    pub struct_size: usize,
    pub status: kvc_status_t,
    pub finish_reason: i32,
    pub text: *const c_char,
    pub text_size: usize,
    pub tokens: *const i32,
    pub n_tokens: usize,
    pub cache_hit: u32,
    pub prompt_tokens: u32,
    pub cached_tokens: u32,
    pub computed_tokens: u32,
    pub queue_ns: u64,
    pub prefill_ns: u64,
    pub decode_ns: u64,
    pub total_ns: u64,
    pub ttft_ns: u64,
    pub saved_ns: u64,
    pub miss_reason: i32,
    pub reserved: i32,
    pub miss_text: *const c_char,
    pub error: *const c_char,
    pub ticket: kvc_ticket_t,
    pub approximate_tokens: u32,
    pub reserved2: u32,
}
impl Default for kvc_response_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_response_t>() == 152);
    assert!(align_of::<kvc_response_t>() == 8);
    assert!(offset_of!(kvc_response_t, struct_size) == 0);
    assert!(offset_of!(kvc_response_t, status) == 8);
    assert!(offset_of!(kvc_response_t, finish_reason) == 12);
    assert!(offset_of!(kvc_response_t, text) == 16);
    assert!(offset_of!(kvc_response_t, text_size) == 24);
    assert!(offset_of!(kvc_response_t, tokens) == 32);
    assert!(offset_of!(kvc_response_t, n_tokens) == 40);
    assert!(offset_of!(kvc_response_t, cache_hit) == 48);
    assert!(offset_of!(kvc_response_t, prompt_tokens) == 52);
    assert!(offset_of!(kvc_response_t, cached_tokens) == 56);
    assert!(offset_of!(kvc_response_t, computed_tokens) == 60);
    assert!(offset_of!(kvc_response_t, queue_ns) == 64);
    assert!(offset_of!(kvc_response_t, prefill_ns) == 72);
    assert!(offset_of!(kvc_response_t, decode_ns) == 80);
    assert!(offset_of!(kvc_response_t, total_ns) == 88);
    assert!(offset_of!(kvc_response_t, ttft_ns) == 96);
    assert!(offset_of!(kvc_response_t, saved_ns) == 104);
    assert!(offset_of!(kvc_response_t, miss_reason) == 112);
    assert!(offset_of!(kvc_response_t, reserved) == 116);
    assert!(offset_of!(kvc_response_t, miss_text) == 120);
    assert!(offset_of!(kvc_response_t, error) == 128);
    assert!(offset_of!(kvc_response_t, ticket) == 136);
    assert!(offset_of!(kvc_response_t, approximate_tokens) == 144);
    assert!(offset_of!(kvc_response_t, reserved2) == 148);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_message_t {
    pub struct_size: usize,
    pub role: *const c_char,
    pub content: *const c_char,
}
impl Default for kvc_message_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_message_t>() == 24);
    assert!(align_of::<kvc_message_t>() == 8);
    assert!(offset_of!(kvc_message_t, struct_size) == 0);
    assert!(offset_of!(kvc_message_t, role) == 8);
    assert!(offset_of!(kvc_message_t, content) == 16);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_adapter_t {
    pub struct_size: usize,
    pub digest: *const c_void,
    pub digest_size: usize,
    pub scale: f64,
}
impl Default for kvc_adapter_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_adapter_t>() == 32);
    assert!(align_of::<kvc_adapter_t>() == 8);
    assert!(offset_of!(kvc_adapter_t, struct_size) == 0);
    assert!(offset_of!(kvc_adapter_t, digest) == 8);
    assert!(offset_of!(kvc_adapter_t, digest_size) == 16);
    assert!(offset_of!(kvc_adapter_t, scale) == 24);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_rope_t {
    pub struct_size: usize,
    pub base: f64,
    pub freq_scale: f64,
    pub scaling: *const c_char,
    pub factor: f64,
    pub attn_factor: f64,
    pub beta_fast: f64,
    pub beta_slow: f64,
    pub dims: u32,
    pub original_context: u32,
    pub interleaved: i32,
    pub applied: i32,
}
impl Default for kvc_rope_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_rope_t>() == 80);
    assert!(align_of::<kvc_rope_t>() == 8);
    assert!(offset_of!(kvc_rope_t, struct_size) == 0);
    assert!(offset_of!(kvc_rope_t, base) == 8);
    assert!(offset_of!(kvc_rope_t, freq_scale) == 16);
    assert!(offset_of!(kvc_rope_t, scaling) == 24);
    assert!(offset_of!(kvc_rope_t, factor) == 32);
    assert!(offset_of!(kvc_rope_t, attn_factor) == 40);
    assert!(offset_of!(kvc_rope_t, beta_fast) == 48);
    assert!(offset_of!(kvc_rope_t, beta_slow) == 56);
    assert!(offset_of!(kvc_rope_t, dims) == 64);
    assert!(offset_of!(kvc_rope_t, original_context) == 68);
    assert!(offset_of!(kvc_rope_t, interleaved) == 72);
    assert!(offset_of!(kvc_rope_t, applied) == 76);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_space_desc_t {
    pub struct_size: usize,
    pub label: *const c_char,
    pub weights_digest: *const c_void,
    pub weights_digest_size: usize,
    pub tokenizer_digest: *const c_void,
    pub tokenizer_digest_size: usize,
    pub rope: *const kvc_rope_t,
    pub adapters: *const kvc_adapter_t,
    pub n_adapters: u32,
    pub none: u32,
    pub attention: *const c_char,
    pub n_layers: u32,
    pub n_kv_heads: u32,
    pub k_head_dim: u32,
    pub v_head_dim: u32,
    pub dtype: i32,
    pub page_tokens: u32,
    pub vocab_size: i32,
    pub reserved: u32,
}
impl Default for kvc_space_desc_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_space_desc_t>() == 112);
    assert!(align_of::<kvc_space_desc_t>() == 8);
    assert!(offset_of!(kvc_space_desc_t, struct_size) == 0);
    assert!(offset_of!(kvc_space_desc_t, label) == 8);
    assert!(offset_of!(kvc_space_desc_t, weights_digest) == 16);
    assert!(offset_of!(kvc_space_desc_t, weights_digest_size) == 24);
    assert!(offset_of!(kvc_space_desc_t, tokenizer_digest) == 32);
    assert!(offset_of!(kvc_space_desc_t, tokenizer_digest_size) == 40);
    assert!(offset_of!(kvc_space_desc_t, rope) == 48);
    assert!(offset_of!(kvc_space_desc_t, adapters) == 56);
    assert!(offset_of!(kvc_space_desc_t, n_adapters) == 64);
    assert!(offset_of!(kvc_space_desc_t, none) == 68);
    assert!(offset_of!(kvc_space_desc_t, attention) == 72);
    assert!(offset_of!(kvc_space_desc_t, n_layers) == 80);
    assert!(offset_of!(kvc_space_desc_t, n_kv_heads) == 84);
    assert!(offset_of!(kvc_space_desc_t, k_head_dim) == 88);
    assert!(offset_of!(kvc_space_desc_t, v_head_dim) == 92);
    assert!(offset_of!(kvc_space_desc_t, dtype) == 96);
    assert!(offset_of!(kvc_space_desc_t, page_tokens) == 100);
    assert!(offset_of!(kvc_space_desc_t, vocab_size) == 104);
    assert!(offset_of!(kvc_space_desc_t, reserved) == 108);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_space_info_t {
    pub struct_size: usize,
    pub digest: [u8; 32],
    pub n_layers: u32,
    pub n_kv_heads: u32,
    pub k_head_dim: u32,
    pub v_head_dim: u32,
    pub dtype: i32,
    pub page_tokens: u32,
    pub page_bytes: u64,
    pub vocab_size: i32,
    pub reserved: i32,
}
impl Default for kvc_space_info_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_space_info_t>() == 80);
    assert!(align_of::<kvc_space_info_t>() == 8);
    assert!(offset_of!(kvc_space_info_t, struct_size) == 0);
    assert!(offset_of!(kvc_space_info_t, digest) == 8);
    assert!(offset_of!(kvc_space_info_t, n_layers) == 40);
    assert!(offset_of!(kvc_space_info_t, n_kv_heads) == 44);
    assert!(offset_of!(kvc_space_info_t, k_head_dim) == 48);
    assert!(offset_of!(kvc_space_info_t, v_head_dim) == 52);
    assert!(offset_of!(kvc_space_info_t, dtype) == 56);
    assert!(offset_of!(kvc_space_info_t, page_tokens) == 60);
    assert!(offset_of!(kvc_space_info_t, page_bytes) == 64);
    assert!(offset_of!(kvc_space_info_t, vocab_size) == 72);
    assert!(offset_of!(kvc_space_info_t, reserved) == 76);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_tensor_t {
    pub struct_size: usize,
    pub data: *mut c_void,
    pub size: u64,
    pub dtype: i32,
    pub n_dims: u32,
    pub shape: [i64; 8],
    pub strides: [i64; 8],
}
impl Default for kvc_tensor_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_tensor_t>() == 160);
    assert!(align_of::<kvc_tensor_t>() == 8);
    assert!(offset_of!(kvc_tensor_t, struct_size) == 0);
    assert!(offset_of!(kvc_tensor_t, data) == 8);
    assert!(offset_of!(kvc_tensor_t, size) == 16);
    assert!(offset_of!(kvc_tensor_t, dtype) == 24);
    assert!(offset_of!(kvc_tensor_t, n_dims) == 28);
    assert!(offset_of!(kvc_tensor_t, shape) == 32);
    assert!(offset_of!(kvc_tensor_t, strides) == 96);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_session_options_t {
    pub struct_size: usize,
    pub tenant: *const c_char,
    pub session_id: *const c_char,
    pub priority: i32,
    pub no_publish: u32,
    pub exact: u32,
    pub reserved: u32,
    pub no_aged: u32,
}
impl Default for kvc_session_options_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_session_options_t>() == 48);
    assert!(align_of::<kvc_session_options_t>() == 8);
    assert!(offset_of!(kvc_session_options_t, struct_size) == 0);
    assert!(offset_of!(kvc_session_options_t, tenant) == 8);
    assert!(offset_of!(kvc_session_options_t, session_id) == 16);
    assert!(offset_of!(kvc_session_options_t, priority) == 24);
    assert!(offset_of!(kvc_session_options_t, no_publish) == 28);
    assert!(offset_of!(kvc_session_options_t, exact) == 32);
    assert!(offset_of!(kvc_session_options_t, reserved) == 36);
    assert!(offset_of!(kvc_session_options_t, no_aged) == 40);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_attend_t {
    pub struct_size: usize,
    pub scale: f64,
    pub softcap: f64,
    pub window: u64,
    pub sinks: u64,
    pub later: u64,
    pub bidirectional: u32,
    pub n_threads: u32,
    pub alibi_slopes: *const f32,
    pub sink_scores: *const f32,
    pub left_out: *mut f64,
    pub restore: u32,
    pub reserved: u32,
}
impl Default for kvc_attend_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_attend_t>() == 88);
    assert!(align_of::<kvc_attend_t>() == 8);
    assert!(offset_of!(kvc_attend_t, struct_size) == 0);
    assert!(offset_of!(kvc_attend_t, scale) == 8);
    assert!(offset_of!(kvc_attend_t, softcap) == 16);
    assert!(offset_of!(kvc_attend_t, window) == 24);
    assert!(offset_of!(kvc_attend_t, sinks) == 32);
    assert!(offset_of!(kvc_attend_t, later) == 40);
    assert!(offset_of!(kvc_attend_t, bidirectional) == 48);
    assert!(offset_of!(kvc_attend_t, n_threads) == 52);
    assert!(offset_of!(kvc_attend_t, alibi_slopes) == 56);
    assert!(offset_of!(kvc_attend_t, sink_scores) == 64);
    assert!(offset_of!(kvc_attend_t, left_out) == 72);
    assert!(offset_of!(kvc_attend_t, restore) == 80);
    assert!(offset_of!(kvc_attend_t, reserved) == 84);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_session_info_t {
    pub struct_size: usize,
    pub length: u64,
    pub matched: u64,
    pub pages: u64,
    pub pending: u64,
    pub tail_bytes: u64,
    pub priority: i32,
    pub pinned: u32,
    pub domain: u64,
    pub approximate: u64,
    pub sparse: u64,
    pub aged: u64,
}
impl Default for kvc_session_info_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_session_info_t>() == 88);
    assert!(align_of::<kvc_session_info_t>() == 8);
    assert!(offset_of!(kvc_session_info_t, struct_size) == 0);
    assert!(offset_of!(kvc_session_info_t, length) == 8);
    assert!(offset_of!(kvc_session_info_t, matched) == 16);
    assert!(offset_of!(kvc_session_info_t, pages) == 24);
    assert!(offset_of!(kvc_session_info_t, pending) == 32);
    assert!(offset_of!(kvc_session_info_t, tail_bytes) == 40);
    assert!(offset_of!(kvc_session_info_t, priority) == 48);
    assert!(offset_of!(kvc_session_info_t, pinned) == 52);
    assert!(offset_of!(kvc_session_info_t, domain) == 56);
    assert!(offset_of!(kvc_session_info_t, approximate) == 64);
    assert!(offset_of!(kvc_session_info_t, sparse) == 72);
    assert!(offset_of!(kvc_session_info_t, aged) == 80);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_put_options_t {
    pub struct_size: usize,
    pub codec: *const c_char,
    pub plane: i32,
    pub reserved: u32,
}
impl Default for kvc_put_options_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_put_options_t>() == 24);
    assert!(align_of::<kvc_put_options_t>() == 8);
    assert!(offset_of!(kvc_put_options_t, struct_size) == 0);
    assert!(offset_of!(kvc_put_options_t, codec) == 8);
    assert!(offset_of!(kvc_put_options_t, plane) == 16);
    assert!(offset_of!(kvc_put_options_t, reserved) == 20);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_tensor_info_t {
    pub struct_size: usize,
    pub codec: *const c_char,
    pub bytes: u64,
    pub raw_bytes: u64,
    pub error: f64,
    pub approximate: u32,
    pub plane: i32,
}
impl Default for kvc_tensor_info_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_tensor_info_t>() == 48);
    assert!(align_of::<kvc_tensor_info_t>() == 8);
    assert!(offset_of!(kvc_tensor_info_t, struct_size) == 0);
    assert!(offset_of!(kvc_tensor_info_t, codec) == 8);
    assert!(offset_of!(kvc_tensor_info_t, bytes) == 16);
    assert!(offset_of!(kvc_tensor_info_t, raw_bytes) == 24);
    assert!(offset_of!(kvc_tensor_info_t, error) == 32);
    assert!(offset_of!(kvc_tensor_info_t, approximate) == 40);
    assert!(offset_of!(kvc_tensor_info_t, plane) == 44);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_page_info_t {
    pub struct_size: usize,
    pub id: [u8; 32],
    pub parent: [u8; 32],
    pub space: [u8; 32],
    pub position: u64,
    pub bytes: u64,
    pub metadata_bytes: u64,
    pub hits: u64,
    pub age_ns: u64,
    pub idle_ns: u64,
    pub n_tokens: u32,
    pub references: u32,
    pub children: u32,
    pub tier: i32,
    pub priority: i32,
    pub pinned: u32,
    pub codec: [c_char; 16],
    pub approximate: u32,
    pub reserved: u32,
    pub aged: u32,
    pub reserved2: u32,
}
impl Default for kvc_page_info_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_page_info_t>() == 208);
    assert!(align_of::<kvc_page_info_t>() == 8);
    assert!(offset_of!(kvc_page_info_t, struct_size) == 0);
    assert!(offset_of!(kvc_page_info_t, id) == 8);
    assert!(offset_of!(kvc_page_info_t, parent) == 40);
    assert!(offset_of!(kvc_page_info_t, space) == 72);
    assert!(offset_of!(kvc_page_info_t, position) == 104);
    assert!(offset_of!(kvc_page_info_t, bytes) == 112);
    assert!(offset_of!(kvc_page_info_t, metadata_bytes) == 120);
    assert!(offset_of!(kvc_page_info_t, hits) == 128);
    assert!(offset_of!(kvc_page_info_t, age_ns) == 136);
    assert!(offset_of!(kvc_page_info_t, idle_ns) == 144);
    assert!(offset_of!(kvc_page_info_t, n_tokens) == 152);
    assert!(offset_of!(kvc_page_info_t, references) == 156);
    assert!(offset_of!(kvc_page_info_t, children) == 160);
    assert!(offset_of!(kvc_page_info_t, tier) == 164);
    assert!(offset_of!(kvc_page_info_t, priority) == 168);
    assert!(offset_of!(kvc_page_info_t, pinned) == 172);
    assert!(offset_of!(kvc_page_info_t, codec) == 176);
    assert!(offset_of!(kvc_page_info_t, approximate) == 192);
    assert!(offset_of!(kvc_page_info_t, reserved) == 196);
    assert!(offset_of!(kvc_page_info_t, aged) == 200);
    assert!(offset_of!(kvc_page_info_t, reserved2) == 204);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_store_report_t {
    pub struct_size: usize,
    pub pages: u64,
    pub clues: u64,
    pub payload_bytes: u64,
    pub stored_bytes: u64,
    pub file_bytes: u64,
    pub segments: u64,
    pub checked_bytes: u64,
    pub damaged: u64,
    pub locked: u64,
    pub encrypted: u32,
    pub pack: u32,
    pub tensors: u64,
    pub calibrations: u64,
}
impl Default for kvc_store_report_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_store_report_t>() == 104);
    assert!(align_of::<kvc_store_report_t>() == 8);
    assert!(offset_of!(kvc_store_report_t, struct_size) == 0);
    assert!(offset_of!(kvc_store_report_t, pages) == 8);
    assert!(offset_of!(kvc_store_report_t, clues) == 16);
    assert!(offset_of!(kvc_store_report_t, payload_bytes) == 24);
    assert!(offset_of!(kvc_store_report_t, stored_bytes) == 32);
    assert!(offset_of!(kvc_store_report_t, file_bytes) == 40);
    assert!(offset_of!(kvc_store_report_t, segments) == 48);
    assert!(offset_of!(kvc_store_report_t, checked_bytes) == 56);
    assert!(offset_of!(kvc_store_report_t, damaged) == 64);
    assert!(offset_of!(kvc_store_report_t, locked) == 72);
    assert!(offset_of!(kvc_store_report_t, encrypted) == 80);
    assert!(offset_of!(kvc_store_report_t, pack) == 84);
    assert!(offset_of!(kvc_store_report_t, tensors) == 88);
    assert!(offset_of!(kvc_store_report_t, calibrations) == 96);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_stats_t {
    pub struct_size: usize,
    pub requests: u64,
    pub requests_completed: u64,
    pub requests_failed: u64,
    pub requests_cancelled: u64,
    pub requests_refused: u64,
    pub requests_queued: u64,
    pub requests_active: u64,
    pub request_hits: u64,
    pub request_misses: u64,
    pub hit_rate: f64,
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub computed_tokens: u64,
    pub generated_tokens: u64,
    pub token_hit_rate: f64,
    pub saved_ns: u64,
    pub latency_avg_ns: u64,
    pub latency_p50_ns: u64,
    pub latency_p95_ns: u64,
    pub latency_p99_ns: u64,
    pub ttft_avg_ns: u64,
    pub ttft_p50_ns: u64,
    pub ttft_p95_ns: u64,
    pub ttft_p99_ns: u64,
    pub matches: u64,
    pub match_hits: u64,
    pub matched_tokens: u64,
    pub match_asked_tokens: u64,
    pub misses_by_reason: [u64; 8],
    pub pages: u64,
    pub pages_sealed: u64,
    pub pages_deduplicated: u64,
    pub pages_evicted: u64,
    pub pages_pinned: u64,
    pub sessions: u64,
    pub tensors: u64,
    pub tensors_evicted: u64,
    pub memory_budget: u64,
    pub memory_used: u64,
    pub memory_payload: u64,
    pub memory_metadata: u64,
    pub memory_pooled: u64,
    pub memory_peak: u64,
    pub host_bytes: u64,
    pub device_bytes: u64,
    pub disk_bytes: u64,
    pub remote_bytes: u64,
    pub gpu_utilization: f64,
    pub uptime_ns: u64,
    pub approximate_tokens: u64,
    pub pages_encoded: u64,
    pub pages_kept_clear: u64,
    pub encoded_raw_bytes: u64,
    pub encoded_bytes: u64,
    pub codec_key_error: f64,
    pub codec_value_error: f64,
    pub misses_damaged: u64,
    pub disk_limit: u64,
    pub disk_pages: u64,
    pub disk_hits: u64,
    pub disk_hit_tokens: u64,
    pub disk_misses: u64,
    pub disk_written: u64,
    pub disk_demoted: u64,
    pub disk_dropped: u64,
    pub disk_damaged: u64,
    pub disk_timeouts: u64,
    pub disk_recomputed: u64,
    pub disk_errors: u64,
    pub disk_written_bytes: u64,
    pub disk_read_bytes: u64,
    pub disk_waiting: u64,
    pub disk_durable_ns: u64,
    pub policy_strategy: i32,
    pub policy_reason: i32,
    pub policy_changes: u64,
    pub policy_changed_ns: u64,
    pub device_limit: u64,
    pub device_pages: u64,
    pub device_hits: u64,
    pub device_promoted: u64,
    pub device_demoted: u64,
    pub device_in_bytes: u64,
    pub device_out_bytes: u64,
    pub devices: u64,
    pub devices_lost: u64,
    pub codec_failures: u64,
    pub pages_sparse: u64,
    pub sparse_by_recency: u64,
    pub sparse_restored: u64,
    pub sparse_mass_left_out: f64,
    pub codec_checked: u64,
    pub codec_raised: u64,
    pub codec_heads_exact: u64,
    pub codec_bound_error: f64,
    pub pages_aged: u64,
    pub aged_before_bytes: u64,
    pub aged_bytes: u64,
    pub aged_tokens: u64,
}
impl Default for kvc_stats_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_stats_t>() == 848);
    assert!(align_of::<kvc_stats_t>() == 8);
    assert!(offset_of!(kvc_stats_t, struct_size) == 0);
    assert!(offset_of!(kvc_stats_t, requests) == 8);
    assert!(offset_of!(kvc_stats_t, requests_completed) == 16);
    assert!(offset_of!(kvc_stats_t, requests_failed) == 24);
    assert!(offset_of!(kvc_stats_t, requests_cancelled) == 32);
    assert!(offset_of!(kvc_stats_t, requests_refused) == 40);
    assert!(offset_of!(kvc_stats_t, requests_queued) == 48);
    assert!(offset_of!(kvc_stats_t, requests_active) == 56);
    assert!(offset_of!(kvc_stats_t, request_hits) == 64);
    assert!(offset_of!(kvc_stats_t, request_misses) == 72);
    assert!(offset_of!(kvc_stats_t, hit_rate) == 80);
    assert!(offset_of!(kvc_stats_t, prompt_tokens) == 88);
    assert!(offset_of!(kvc_stats_t, cached_tokens) == 96);
    assert!(offset_of!(kvc_stats_t, computed_tokens) == 104);
    assert!(offset_of!(kvc_stats_t, generated_tokens) == 112);
    assert!(offset_of!(kvc_stats_t, token_hit_rate) == 120);
    assert!(offset_of!(kvc_stats_t, saved_ns) == 128);
    assert!(offset_of!(kvc_stats_t, latency_avg_ns) == 136);
    assert!(offset_of!(kvc_stats_t, latency_p50_ns) == 144);
    assert!(offset_of!(kvc_stats_t, latency_p95_ns) == 152);
    assert!(offset_of!(kvc_stats_t, latency_p99_ns) == 160);
    assert!(offset_of!(kvc_stats_t, ttft_avg_ns) == 168);
    assert!(offset_of!(kvc_stats_t, ttft_p50_ns) == 176);
    assert!(offset_of!(kvc_stats_t, ttft_p95_ns) == 184);
    assert!(offset_of!(kvc_stats_t, ttft_p99_ns) == 192);
    assert!(offset_of!(kvc_stats_t, matches) == 200);
    assert!(offset_of!(kvc_stats_t, match_hits) == 208);
    assert!(offset_of!(kvc_stats_t, matched_tokens) == 216);
    assert!(offset_of!(kvc_stats_t, match_asked_tokens) == 224);
    assert!(offset_of!(kvc_stats_t, misses_by_reason) == 232);
    assert!(offset_of!(kvc_stats_t, pages) == 296);
    assert!(offset_of!(kvc_stats_t, pages_sealed) == 304);
    assert!(offset_of!(kvc_stats_t, pages_deduplicated) == 312);
    assert!(offset_of!(kvc_stats_t, pages_evicted) == 320);
    assert!(offset_of!(kvc_stats_t, pages_pinned) == 328);
    assert!(offset_of!(kvc_stats_t, sessions) == 336);
    assert!(offset_of!(kvc_stats_t, tensors) == 344);
    assert!(offset_of!(kvc_stats_t, tensors_evicted) == 352);
    assert!(offset_of!(kvc_stats_t, memory_budget) == 360);
    assert!(offset_of!(kvc_stats_t, memory_used) == 368);
    assert!(offset_of!(kvc_stats_t, memory_payload) == 376);
    assert!(offset_of!(kvc_stats_t, memory_metadata) == 384);
    assert!(offset_of!(kvc_stats_t, memory_pooled) == 392);
    assert!(offset_of!(kvc_stats_t, memory_peak) == 400);
    assert!(offset_of!(kvc_stats_t, host_bytes) == 408);
    assert!(offset_of!(kvc_stats_t, device_bytes) == 416);
    assert!(offset_of!(kvc_stats_t, disk_bytes) == 424);
    assert!(offset_of!(kvc_stats_t, remote_bytes) == 432);
    assert!(offset_of!(kvc_stats_t, gpu_utilization) == 440);
    assert!(offset_of!(kvc_stats_t, uptime_ns) == 448);
    assert!(offset_of!(kvc_stats_t, approximate_tokens) == 456);
    assert!(offset_of!(kvc_stats_t, pages_encoded) == 464);
    assert!(offset_of!(kvc_stats_t, pages_kept_clear) == 472);
    assert!(offset_of!(kvc_stats_t, encoded_raw_bytes) == 480);
    assert!(offset_of!(kvc_stats_t, encoded_bytes) == 488);
    assert!(offset_of!(kvc_stats_t, codec_key_error) == 496);
    assert!(offset_of!(kvc_stats_t, codec_value_error) == 504);
    assert!(offset_of!(kvc_stats_t, misses_damaged) == 512);
    assert!(offset_of!(kvc_stats_t, disk_limit) == 520);
    assert!(offset_of!(kvc_stats_t, disk_pages) == 528);
    assert!(offset_of!(kvc_stats_t, disk_hits) == 536);
    assert!(offset_of!(kvc_stats_t, disk_hit_tokens) == 544);
    assert!(offset_of!(kvc_stats_t, disk_misses) == 552);
    assert!(offset_of!(kvc_stats_t, disk_written) == 560);
    assert!(offset_of!(kvc_stats_t, disk_demoted) == 568);
    assert!(offset_of!(kvc_stats_t, disk_dropped) == 576);
    assert!(offset_of!(kvc_stats_t, disk_damaged) == 584);
    assert!(offset_of!(kvc_stats_t, disk_timeouts) == 592);
    assert!(offset_of!(kvc_stats_t, disk_recomputed) == 600);
    assert!(offset_of!(kvc_stats_t, disk_errors) == 608);
    assert!(offset_of!(kvc_stats_t, disk_written_bytes) == 616);
    assert!(offset_of!(kvc_stats_t, disk_read_bytes) == 624);
    assert!(offset_of!(kvc_stats_t, disk_waiting) == 632);
    assert!(offset_of!(kvc_stats_t, disk_durable_ns) == 640);
    assert!(offset_of!(kvc_stats_t, policy_strategy) == 648);
    assert!(offset_of!(kvc_stats_t, policy_reason) == 652);
    assert!(offset_of!(kvc_stats_t, policy_changes) == 656);
    assert!(offset_of!(kvc_stats_t, policy_changed_ns) == 664);
    assert!(offset_of!(kvc_stats_t, device_limit) == 672);
    assert!(offset_of!(kvc_stats_t, device_pages) == 680);
    assert!(offset_of!(kvc_stats_t, device_hits) == 688);
    assert!(offset_of!(kvc_stats_t, device_promoted) == 696);
    assert!(offset_of!(kvc_stats_t, device_demoted) == 704);
    assert!(offset_of!(kvc_stats_t, device_in_bytes) == 712);
    assert!(offset_of!(kvc_stats_t, device_out_bytes) == 720);
    assert!(offset_of!(kvc_stats_t, devices) == 728);
    assert!(offset_of!(kvc_stats_t, devices_lost) == 736);
    assert!(offset_of!(kvc_stats_t, codec_failures) == 744);
    assert!(offset_of!(kvc_stats_t, pages_sparse) == 752);
    assert!(offset_of!(kvc_stats_t, sparse_by_recency) == 760);
    assert!(offset_of!(kvc_stats_t, sparse_restored) == 768);
    assert!(offset_of!(kvc_stats_t, sparse_mass_left_out) == 776);
    assert!(offset_of!(kvc_stats_t, codec_checked) == 784);
    assert!(offset_of!(kvc_stats_t, codec_raised) == 792);
    assert!(offset_of!(kvc_stats_t, codec_heads_exact) == 800);
    assert!(offset_of!(kvc_stats_t, codec_bound_error) == 808);
    assert!(offset_of!(kvc_stats_t, pages_aged) == 816);
    assert!(offset_of!(kvc_stats_t, aged_before_bytes) == 824);
    assert!(offset_of!(kvc_stats_t, aged_bytes) == 832);
    assert!(offset_of!(kvc_stats_t, aged_tokens) == 840);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_whatif_t {
    pub struct_size: usize,
    pub token_hit_rate: f64,
    pub page_hit_rate: f64,
    pub pages: u64,
    pub sessions: u64,
    pub tokens: u64,
    pub span_ns: u64,
    pub saved_ns: u64,
    pub sampled: f64,
}
impl Default for kvc_whatif_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_whatif_t>() == 72);
    assert!(align_of::<kvc_whatif_t>() == 8);
    assert!(offset_of!(kvc_whatif_t, struct_size) == 0);
    assert!(offset_of!(kvc_whatif_t, token_hit_rate) == 8);
    assert!(offset_of!(kvc_whatif_t, page_hit_rate) == 16);
    assert!(offset_of!(kvc_whatif_t, pages) == 24);
    assert!(offset_of!(kvc_whatif_t, sessions) == 32);
    assert!(offset_of!(kvc_whatif_t, tokens) == 40);
    assert!(offset_of!(kvc_whatif_t, span_ns) == 48);
    assert!(offset_of!(kvc_whatif_t, saved_ns) == 56);
    assert!(offset_of!(kvc_whatif_t, sampled) == 64);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_metrics_t {
    pub struct_size: usize,
    pub objective: i32,
    pub reserved: i32,
    pub prefill_speed: f64,
    pub balanced_position: f64,
}
impl Default for kvc_metrics_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_metrics_t>() == 32);
    assert!(align_of::<kvc_metrics_t>() == 8);
    assert!(offset_of!(kvc_metrics_t, struct_size) == 0);
    assert!(offset_of!(kvc_metrics_t, objective) == 8);
    assert!(offset_of!(kvc_metrics_t, reserved) == 12);
    assert!(offset_of!(kvc_metrics_t, prefill_speed) == 16);
    assert!(offset_of!(kvc_metrics_t, balanced_position) == 24);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_model_info_t {
    pub struct_size: usize,
    pub name: *const c_char,
    pub space: *mut kvc_space_desc_t,
    pub context: u32,
    pub max_batch_tokens: u32,
    pub bos: i32,
    pub eos: i32,
    pub ends: *const i32,
    pub n_ends: u32,
    pub total_tokens: u32,
    pub state_tokens: u32,
    pub reserved: u32,
    pub details: *const c_char,
}
impl Default for kvc_model_info_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_model_info_t>() == 72);
    assert!(align_of::<kvc_model_info_t>() == 8);
    assert!(offset_of!(kvc_model_info_t, struct_size) == 0);
    assert!(offset_of!(kvc_model_info_t, name) == 8);
    assert!(offset_of!(kvc_model_info_t, space) == 16);
    assert!(offset_of!(kvc_model_info_t, context) == 24);
    assert!(offset_of!(kvc_model_info_t, max_batch_tokens) == 28);
    assert!(offset_of!(kvc_model_info_t, bos) == 32);
    assert!(offset_of!(kvc_model_info_t, eos) == 36);
    assert!(offset_of!(kvc_model_info_t, ends) == 40);
    assert!(offset_of!(kvc_model_info_t, n_ends) == 48);
    assert!(offset_of!(kvc_model_info_t, total_tokens) == 52);
    assert!(offset_of!(kvc_model_info_t, state_tokens) == 56);
    assert!(offset_of!(kvc_model_info_t, reserved) == 60);
    assert!(offset_of!(kvc_model_info_t, details) == 64);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_forward_t {
    pub struct_size: usize,
    pub sequence: u64,
    pub session: *mut kvc_session_t,
    pub tokens: *const i32,
    pub n: u32,
    pub position: u32,
    pub logits: *mut f32,
}
impl Default for kvc_forward_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_forward_t>() == 48);
    assert!(align_of::<kvc_forward_t>() == 8);
    assert!(offset_of!(kvc_forward_t, struct_size) == 0);
    assert!(offset_of!(kvc_forward_t, sequence) == 8);
    assert!(offset_of!(kvc_forward_t, session) == 16);
    assert!(offset_of!(kvc_forward_t, tokens) == 24);
    assert!(offset_of!(kvc_forward_t, n) == 32);
    assert!(offset_of!(kvc_forward_t, position) == 36);
    assert!(offset_of!(kvc_forward_t, logits) == 40);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_backend_t {
    pub struct_size: usize,
    pub user_data: *mut c_void,
    pub kind: i32,
    pub reserved: i32,
    pub describe: Option<unsafe extern "C" fn(user_data: *mut c_void, info: *mut kvc_model_info_t, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub tokenize: Option<unsafe extern "C" fn(user_data: *mut c_void, text: *const c_char, text_size: usize, tokens: *mut i32, capacity: usize, n: *mut usize, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub detokenize: Option<unsafe extern "C" fn(user_data: *mut c_void, token: i32, bytes: *mut c_char, capacity: usize, size: *mut usize, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub sequence_open: Option<unsafe extern "C" fn(user_data: *mut c_void, sequence: u64, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub sequence_close: Option<unsafe extern "C" fn(user_data: *mut c_void, sequence: u64)>,
    pub forward: Option<unsafe extern "C" fn(user_data: *mut c_void, items: *const kvc_forward_t, n: u32, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub export_kv: Option<unsafe extern "C" fn(user_data: *mut c_void, sequence: u64, session: *mut kvc_session_t, from: u32, n: u32, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub import_kv: Option<unsafe extern "C" fn(user_data: *mut c_void, sequence: u64, session: *mut kvc_session_t, tokens: *const i32, from: u32, n: u32, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub truncate: Option<unsafe extern "C" fn(user_data: *mut c_void, sequence: u64, n: u32, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub destroy: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    pub chat_text: Option<unsafe extern "C" fn(user_data: *mut c_void, messages: *const kvc_message_t, n: usize, answer: i32, text: *mut c_char, capacity: usize, size: *mut usize, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub save_state: Option<unsafe extern "C" fn(user_data: *mut c_void, sequence: u64, n: u32, bytes: *mut c_void, capacity: usize, size: *mut usize, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub load_state: Option<unsafe extern "C" fn(user_data: *mut c_void, sequence: u64, tokens: *const i32, n: u32, bytes: *const c_void, size: usize, error: *mut c_char, error_size: usize) -> kvc_status_t>,
    pub set_stop: Option<unsafe extern "C" fn(user_data: *mut c_void, stop: kvc_stop_fn, stop_data: *mut c_void)>,
}
impl Default for kvc_backend_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_backend_t>() == 136);
    assert!(align_of::<kvc_backend_t>() == 8);
    assert!(offset_of!(kvc_backend_t, struct_size) == 0);
    assert!(offset_of!(kvc_backend_t, user_data) == 8);
    assert!(offset_of!(kvc_backend_t, kind) == 16);
    assert!(offset_of!(kvc_backend_t, reserved) == 20);
    assert!(offset_of!(kvc_backend_t, describe) == 24);
    assert!(offset_of!(kvc_backend_t, tokenize) == 32);
    assert!(offset_of!(kvc_backend_t, detokenize) == 40);
    assert!(offset_of!(kvc_backend_t, sequence_open) == 48);
    assert!(offset_of!(kvc_backend_t, sequence_close) == 56);
    assert!(offset_of!(kvc_backend_t, forward) == 64);
    assert!(offset_of!(kvc_backend_t, export_kv) == 72);
    assert!(offset_of!(kvc_backend_t, import_kv) == 80);
    assert!(offset_of!(kvc_backend_t, truncate) == 88);
    assert!(offset_of!(kvc_backend_t, destroy) == 96);
    assert!(offset_of!(kvc_backend_t, chat_text) == 104);
    assert!(offset_of!(kvc_backend_t, save_state) == 112);
    assert!(offset_of!(kvc_backend_t, load_state) == 120);
    assert!(offset_of!(kvc_backend_t, set_stop) == 128);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_module_host_t {
    pub struct_size: usize,
    pub session_append_all: Option<unsafe extern "C" fn(session: *mut kvc_session_t, k: *const kvc_tensor_t, v: *const kvc_tensor_t, n_layers: u32, n: usize) -> kvc_status_t>,
    pub session_read_all: Option<unsafe extern "C" fn(session: *mut kvc_session_t, from: usize, n: usize, k: *const kvc_tensor_t, v: *const kvc_tensor_t, n_layers: u32) -> kvc_status_t>,
    pub session_info: Option<unsafe extern "C" fn(session: *mut kvc_session_t, info: *mut kvc_session_info_t) -> kvc_status_t>,
    pub session_last_error: Option<unsafe extern "C" fn(session: *mut kvc_session_t, buffer: *mut c_char, capacity: usize) -> usize>,
}
impl Default for kvc_module_host_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_module_host_t>() == 40);
    assert!(align_of::<kvc_module_host_t>() == 8);
    assert!(offset_of!(kvc_module_host_t, struct_size) == 0);
    assert!(offset_of!(kvc_module_host_t, session_append_all) == 8);
    assert!(offset_of!(kvc_module_host_t, session_read_all) == 16);
    assert!(offset_of!(kvc_module_host_t, session_info) == 24);
    assert!(offset_of!(kvc_module_host_t, session_last_error) == 32);
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct kvc_module_request_t {
    pub struct_size: usize,
    pub version: u32,
    pub n_options: u32,
    pub names: *const *const c_char,
    pub values: *const *const c_char,
    pub host: *const kvc_module_host_t,
}
impl Default for kvc_module_request_t {
    /// All zero, and its own size.
    fn default() -> Self {
        // Integers, floats, null pointers and absent functions: zero is a value of each.
        let mut zero: Self = unsafe { std::mem::zeroed() };
        zero.struct_size = size_of::<Self>();
        zero
    }
}
const _: () = {
    assert!(size_of::<kvc_module_request_t>() == 40);
    assert!(align_of::<kvc_module_request_t>() == 8);
    assert!(offset_of!(kvc_module_request_t, struct_size) == 0);
    assert!(offset_of!(kvc_module_request_t, version) == 8);
    assert!(offset_of!(kvc_module_request_t, n_options) == 12);
    assert!(offset_of!(kvc_module_request_t, names) == 16);
    assert!(offset_of!(kvc_module_request_t, values) == 24);
    assert!(offset_of!(kvc_module_request_t, host) == 32);
};

/// Every function of `kvc.h`, from one library.
pub struct Api {
    pub kvc_version_string: unsafe extern "C" fn() -> *const c_char,
    pub kvc_abi_version: unsafe extern "C" fn() -> u32,
    pub kvc_build_info: unsafe extern "C" fn() -> *const c_char,
    pub kvc_has_feature: unsafe extern "C" fn(name: *const c_char) -> i32,
    pub kvc_status_name: unsafe extern "C" fn(status: kvc_status_t) -> *const c_char,
    pub kvc_status_text: unsafe extern "C" fn(status: kvc_status_t) -> *const c_char,
    pub kvc_config_create: unsafe extern "C" fn(preset: *const c_char, config: *mut *mut kvc_config_t) -> kvc_status_t,
    pub kvc_config_destroy: unsafe extern "C" fn(config: *mut kvc_config_t),
    pub kvc_config_set: unsafe extern "C" fn(config: *mut kvc_config_t, key: *const c_char, value: *const c_char) -> kvc_status_t,
    pub kvc_config_get: unsafe extern "C" fn(config: *mut kvc_config_t, key: *const c_char, buffer: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t,
    pub kvc_config_last_error: unsafe extern "C" fn(config: *mut kvc_config_t, buffer: *mut c_char, capacity: usize) -> usize,
    pub kvc_config_set_backend: unsafe extern "C" fn(config: *mut kvc_config_t, backend: *const kvc_backend_t) -> kvc_status_t,
    pub kvc_config_set_allocator: unsafe extern "C" fn(config: *mut kvc_config_t, allocator: *const kvc_allocator_t) -> kvc_status_t,
    pub kvc_config_set_logger: unsafe extern "C" fn(config: *mut kvc_config_t, logger: *const kvc_logger_t) -> kvc_status_t,
    pub kvc_config_set_clock: unsafe extern "C" fn(config: *mut kvc_config_t, clock: *const kvc_clock_t) -> kvc_status_t,
    pub kvc_config_set_policy: unsafe extern "C" fn(config: *mut kvc_config_t, policy: *const kvc_policy_t) -> kvc_status_t,
    pub kvc_config_set_codec: unsafe extern "C" fn(config: *mut kvc_config_t, codec: *const kvc_codec_t) -> kvc_status_t,
    pub kvc_option_count: unsafe extern "C" fn() -> u32,
    pub kvc_option_info: unsafe extern "C" fn(index: u32, info: *mut kvc_option_info_t) -> kvc_status_t,
    pub kvc_engine_create: unsafe extern "C" fn(config: *mut kvc_config_t, engine: *mut *mut kvc_engine_t) -> kvc_status_t,
    pub kvc_engine_create_with_error: unsafe extern "C" fn(config: *mut kvc_config_t, engine: *mut *mut kvc_engine_t, error: *mut kvc_error_t) -> kvc_status_t,
    pub kvc_engine_destroy: unsafe extern "C" fn(engine: *mut kvc_engine_t),
    pub kvc_engine_last_error: unsafe extern "C" fn(engine: *mut kvc_engine_t, buffer: *mut c_char, capacity: usize) -> usize,
    pub kvc_engine_info: unsafe extern "C" fn(engine: *mut kvc_engine_t, buffer: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t,
    pub kvc_request_init: unsafe extern "C" fn(request: *mut kvc_request_t, size: usize) -> kvc_status_t,
    pub kvc_process: unsafe extern "C" fn(engine: *mut kvc_engine_t, request: *const kvc_request_t, response: *mut *mut kvc_response_t) -> kvc_status_t,
    pub kvc_process_batch: unsafe extern "C" fn(engine: *mut kvc_engine_t, requests: *const kvc_request_t, n: usize, responses: *mut *mut kvc_response_t) -> kvc_status_t,
    pub kvc_submit: unsafe extern "C" fn(engine: *mut kvc_engine_t, request: *const kvc_request_t, ticket: *mut kvc_ticket_t) -> kvc_status_t,
    pub kvc_wait: unsafe extern "C" fn(engine: *mut kvc_engine_t, ticket: kvc_ticket_t, timeout_ns: u64, response: *mut *mut kvc_response_t) -> kvc_status_t,
    pub kvc_poll: unsafe extern "C" fn(engine: *mut kvc_engine_t, tickets: *mut kvc_ticket_t, capacity: usize, n: *mut usize) -> kvc_status_t,
    pub kvc_next: unsafe extern "C" fn(engine: *mut kvc_engine_t, ticket: kvc_ticket_t, timeout_ns: u64, buffer: *mut c_char, capacity: usize, text_size: *mut usize) -> kvc_status_t,
    pub kvc_cancel: unsafe extern "C" fn(engine: *mut kvc_engine_t, ticket: kvc_ticket_t) -> kvc_status_t,
    pub kvc_ticket_free: unsafe extern "C" fn(engine: *mut kvc_engine_t, ticket: kvc_ticket_t) -> kvc_status_t,
    pub kvc_step: unsafe extern "C" fn(engine: *mut kvc_engine_t, busy: *mut i32) -> kvc_status_t,
    pub kvc_response_free: unsafe extern "C" fn(response: *mut kvc_response_t),
    pub kvc_chat_text: unsafe extern "C" fn(engine: *mut kvc_engine_t, messages: *const kvc_message_t, n: usize, answer: i32, buffer: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t,
    pub kvc_tokenize: unsafe extern "C" fn(engine: *mut kvc_engine_t, text: *const c_char, text_size: usize, tokens: *mut i32, capacity: usize, n: *mut usize) -> kvc_status_t,
    pub kvc_detokenize: unsafe extern "C" fn(engine: *mut kvc_engine_t, tokens: *const i32, n: usize, buffer: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t,
    pub kvc_space_desc_init: unsafe extern "C" fn(desc: *mut kvc_space_desc_t, size: usize) -> kvc_status_t,
    pub kvc_space_open: unsafe extern "C" fn(engine: *mut kvc_engine_t, desc: *const kvc_space_desc_t, space: *mut *mut kvc_space_t) -> kvc_status_t,
    pub kvc_engine_space: unsafe extern "C" fn(engine: *mut kvc_engine_t, space: *mut *mut kvc_space_t) -> kvc_status_t,
    pub kvc_space_close: unsafe extern "C" fn(space: *mut kvc_space_t),
    pub kvc_space_info: unsafe extern "C" fn(space: *mut kvc_space_t, info: *mut kvc_space_info_t) -> kvc_status_t,
    pub kvc_space_diff: unsafe extern "C" fn(a: *mut kvc_space_t, b: *mut kvc_space_t, buffer: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t,
    pub kvc_space_page_ids: unsafe extern "C" fn(space: *mut kvc_space_t, tenant: *const c_char, tokens: *const i32, n_tokens: usize, ids: *mut u8, capacity: usize, n: *mut usize) -> kvc_status_t,
    pub kvc_tensor_thd: unsafe extern "C" fn(tensor: *mut kvc_tensor_t, data: *mut c_void, dtype: i32, tokens: usize, heads: u32, dim: u32) -> kvc_status_t,
    pub kvc_tensor_htd: unsafe extern "C" fn(tensor: *mut kvc_tensor_t, data: *mut c_void, dtype: i32, tokens: usize, heads: u32, dim: u32) -> kvc_status_t,
    pub kvc_session_open: unsafe extern "C" fn(space: *mut kvc_space_t, options: *const kvc_session_options_t, session: *mut *mut kvc_session_t) -> kvc_status_t,
    pub kvc_session_close: unsafe extern "C" fn(session: *mut kvc_session_t, hint: i32, until_ns: u64) -> kvc_status_t,
    pub kvc_session_match: unsafe extern "C" fn(session: *mut kvc_session_t, tokens: *const i32, n: usize, reused: *mut usize) -> kvc_status_t,
    pub kvc_session_miss: unsafe extern "C" fn(session: *mut kvc_session_t, reason: *mut i32, buffer: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t,
    pub kvc_session_append: unsafe extern "C" fn(session: *mut kvc_session_t, layer: u32, k: *const kvc_tensor_t, v: *const kvc_tensor_t, n: usize) -> kvc_status_t,
    pub kvc_session_append_all: unsafe extern "C" fn(session: *mut kvc_session_t, k: *const kvc_tensor_t, v: *const kvc_tensor_t, n_layers: u32, n: usize) -> kvc_status_t,
    pub kvc_session_commit: unsafe extern "C" fn(session: *mut kvc_session_t, tokens: *const i32, n: usize) -> kvc_status_t,
    pub kvc_session_read: unsafe extern "C" fn(session: *mut kvc_session_t, layer: u32, plane: i32, from: usize, n: usize, out: *const kvc_tensor_t) -> kvc_status_t,
    pub kvc_session_read_all: unsafe extern "C" fn(session: *mut kvc_session_t, from: usize, n: usize, k: *const kvc_tensor_t, v: *const kvc_tensor_t, n_layers: u32) -> kvc_status_t,
    pub kvc_attend_init: unsafe extern "C" fn(how: *mut kvc_attend_t, size: usize) -> kvc_status_t,
    pub kvc_session_attend: unsafe extern "C" fn(session: *mut kvc_session_t, layer: u32, how: *const kvc_attend_t, query: *const kvc_tensor_t, out: *const kvc_tensor_t) -> kvc_status_t,
    pub kvc_session_truncate: unsafe extern "C" fn(session: *mut kvc_session_t, n: usize) -> kvc_status_t,
    pub kvc_session_fork: unsafe extern "C" fn(session: *mut kvc_session_t, fork: *mut *mut kvc_session_t) -> kvc_status_t,
    pub kvc_session_pin: unsafe extern "C" fn(session: *mut kvc_session_t, pinned: i32) -> kvc_status_t,
    pub kvc_session_set_priority: unsafe extern "C" fn(session: *mut kvc_session_t, priority: i32) -> kvc_status_t,
    pub kvc_session_hint: unsafe extern "C" fn(session: *mut kvc_session_t, hint: i32) -> kvc_status_t,
    pub kvc_session_expect: unsafe extern "C" fn(session: *mut kvc_session_t, in_ns: u64) -> kvc_status_t,
    pub kvc_session_generated: unsafe extern "C" fn(session: *mut kvc_session_t, tokens: u64) -> kvc_status_t,
    pub kvc_session_info: unsafe extern "C" fn(session: *mut kvc_session_t, info: *mut kvc_session_info_t) -> kvc_status_t,
    pub kvc_session_tokens: unsafe extern "C" fn(session: *mut kvc_session_t, from: usize, n: usize, tokens: *mut i32) -> kvc_status_t,
    pub kvc_session_last_error: unsafe extern "C" fn(session: *mut kvc_session_t, buffer: *mut c_char, capacity: usize) -> usize,
    pub kvc_put: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, key: *const c_void, key_size: usize, tensor: *const kvc_tensor_t) -> kvc_status_t,
    pub kvc_put_with: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, key: *const c_void, key_size: usize, tensor: *const kvc_tensor_t, options: *const kvc_put_options_t) -> kvc_status_t,
    pub kvc_tensor_info: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, key: *const c_void, key_size: usize, info: *mut kvc_tensor_info_t, found: *mut i32) -> kvc_status_t,
    pub kvc_get: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, key: *const c_void, key_size: usize, tensor: *mut kvc_tensor_t, found: *mut i32) -> kvc_status_t,
    pub kvc_contains: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, key: *const c_void, key_size: usize, found: *mut i32) -> kvc_status_t,
    pub kvc_remove: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, key: *const c_void, key_size: usize, removed: *mut i32) -> kvc_status_t,
    pub kvc_page_iter_open: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, iter: *mut *mut kvc_page_iter_t) -> kvc_status_t,
    pub kvc_page_iter_next: unsafe extern "C" fn(iter: *mut kvc_page_iter_t, info: *mut kvc_page_info_t) -> kvc_status_t,
    pub kvc_page_iter_close: unsafe extern "C" fn(iter: *mut kvc_page_iter_t),
    pub kvc_page_info: unsafe extern "C" fn(engine: *mut kvc_engine_t, id: *const u8, info: *mut kvc_page_info_t) -> kvc_status_t,
    pub kvc_page_tokens: unsafe extern "C" fn(engine: *mut kvc_engine_t, id: *const u8, tokens: *mut i32, capacity: usize, n: *mut usize) -> kvc_status_t,
    pub kvc_trim: unsafe extern "C" fn(engine: *mut kvc_engine_t, bytes: u64, freed: *mut u64) -> kvc_status_t,
    pub kvc_persist: unsafe extern "C" fn(engine: *mut kvc_engine_t, timeout_ns: u64) -> kvc_status_t,
    pub kvc_persist_to: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, path: *const c_char, n: *mut u64) -> kvc_status_t,
    pub kvc_load: unsafe extern "C" fn(engine: *mut kvc_engine_t, path: *const c_char, n: *mut u64) -> kvc_status_t,
    pub kvc_tenant_purge: unsafe extern "C" fn(engine: *mut kvc_engine_t, tenant: *const c_char, n: *mut u64) -> kvc_status_t,
    pub kvc_pack_write: unsafe extern "C" fn(space: *mut kvc_space_t, tenant: *const c_char, tokens: *const i32, n_tokens: usize, path: *const c_char, n: *mut usize) -> kvc_status_t,
    pub kvc_pack_open: unsafe extern "C" fn(engine: *mut kvc_engine_t, path: *const c_char, n: *mut u64) -> kvc_status_t,
    pub kvc_store_inspect: unsafe extern "C" fn(path: *const c_char, key: *const c_char, report: *mut kvc_store_report_t, error: *mut kvc_error_t) -> kvc_status_t,
    pub kvc_store_verify: unsafe extern "C" fn(path: *const c_char, key: *const c_char, progress: kvc_progress_fn, user_data: *mut c_void, report: *mut kvc_store_report_t, error: *mut kvc_error_t) -> kvc_status_t,
    pub kvc_store_compact: unsafe extern "C" fn(path: *const c_char, key: *const c_char, progress: kvc_progress_fn, user_data: *mut c_void, report: *mut kvc_store_report_t, error: *mut kvc_error_t) -> kvc_status_t,
    pub kvc_store_text: unsafe extern "C" fn(path: *const c_char, key: *const c_char, name: *const c_char, buffer: *mut c_char, capacity: usize, length: *mut usize, error: *mut kvc_error_t) -> kvc_status_t,
    pub kvc_config_load: unsafe extern "C" fn(config: *mut kvc_config_t, path: *const c_char, key: *const c_char) -> kvc_status_t,
    pub kvc_stats: unsafe extern "C" fn(engine: *mut kvc_engine_t, stats: *mut kvc_stats_t) -> kvc_status_t,
    pub kvc_whatif: unsafe extern "C" fn(engine: *mut kvc_engine_t, budget: u64, policy: *const c_char, result: *mut kvc_whatif_t) -> kvc_status_t,
    pub kvc_trace_start: unsafe extern "C" fn(engine: *mut kvc_engine_t, path: *const c_char) -> kvc_status_t,
    pub kvc_trace_stop: unsafe extern "C" fn(engine: *mut kvc_engine_t, sessions: *mut u64) -> kvc_status_t,
    pub kvc_adapt: unsafe extern "C" fn(engine: *mut kvc_engine_t, metrics: *const kvc_metrics_t) -> kvc_status_t,
    pub kvc_module_info: unsafe extern "C" fn(config: *mut kvc_config_t, buffer: *mut c_char, capacity: usize, length: *mut usize) -> kvc_status_t,
}

impl Api {
    /// Fills the table. `find` gives the address of a name.
    ///
    /// # Safety
    /// The addresses must be of the functions that `kvc.h` declares under these names.
    pub unsafe fn fill<E>(mut find: impl FnMut(&'static str) -> Result<*mut c_void, E>) -> Result<Self, E> {
        Ok(Self {
            kvc_version_string: std::mem::transmute(find("kvc_version_string")?),
            kvc_abi_version: std::mem::transmute(find("kvc_abi_version")?),
            kvc_build_info: std::mem::transmute(find("kvc_build_info")?),
            kvc_has_feature: std::mem::transmute(find("kvc_has_feature")?),
            kvc_status_name: std::mem::transmute(find("kvc_status_name")?),
            kvc_status_text: std::mem::transmute(find("kvc_status_text")?),
            kvc_config_create: std::mem::transmute(find("kvc_config_create")?),
            kvc_config_destroy: std::mem::transmute(find("kvc_config_destroy")?),
            kvc_config_set: std::mem::transmute(find("kvc_config_set")?),
            kvc_config_get: std::mem::transmute(find("kvc_config_get")?),
            kvc_config_last_error: std::mem::transmute(find("kvc_config_last_error")?),
            kvc_config_set_backend: std::mem::transmute(find("kvc_config_set_backend")?),
            kvc_config_set_allocator: std::mem::transmute(find("kvc_config_set_allocator")?),
            kvc_config_set_logger: std::mem::transmute(find("kvc_config_set_logger")?),
            kvc_config_set_clock: std::mem::transmute(find("kvc_config_set_clock")?),
            kvc_config_set_policy: std::mem::transmute(find("kvc_config_set_policy")?),
            kvc_config_set_codec: std::mem::transmute(find("kvc_config_set_codec")?),
            kvc_option_count: std::mem::transmute(find("kvc_option_count")?),
            kvc_option_info: std::mem::transmute(find("kvc_option_info")?),
            kvc_engine_create: std::mem::transmute(find("kvc_engine_create")?),
            kvc_engine_create_with_error: std::mem::transmute(find("kvc_engine_create_with_error")?),
            kvc_engine_destroy: std::mem::transmute(find("kvc_engine_destroy")?),
            kvc_engine_last_error: std::mem::transmute(find("kvc_engine_last_error")?),
            kvc_engine_info: std::mem::transmute(find("kvc_engine_info")?),
            kvc_request_init: std::mem::transmute(find("kvc_request_init")?),
            kvc_process: std::mem::transmute(find("kvc_process")?),
            kvc_process_batch: std::mem::transmute(find("kvc_process_batch")?),
            kvc_submit: std::mem::transmute(find("kvc_submit")?),
            kvc_wait: std::mem::transmute(find("kvc_wait")?),
            kvc_poll: std::mem::transmute(find("kvc_poll")?),
            kvc_next: std::mem::transmute(find("kvc_next")?),
            kvc_cancel: std::mem::transmute(find("kvc_cancel")?),
            kvc_ticket_free: std::mem::transmute(find("kvc_ticket_free")?),
            kvc_step: std::mem::transmute(find("kvc_step")?),
            kvc_response_free: std::mem::transmute(find("kvc_response_free")?),
            kvc_chat_text: std::mem::transmute(find("kvc_chat_text")?),
            kvc_tokenize: std::mem::transmute(find("kvc_tokenize")?),
            kvc_detokenize: std::mem::transmute(find("kvc_detokenize")?),
            kvc_space_desc_init: std::mem::transmute(find("kvc_space_desc_init")?),
            kvc_space_open: std::mem::transmute(find("kvc_space_open")?),
            kvc_engine_space: std::mem::transmute(find("kvc_engine_space")?),
            kvc_space_close: std::mem::transmute(find("kvc_space_close")?),
            kvc_space_info: std::mem::transmute(find("kvc_space_info")?),
            kvc_space_diff: std::mem::transmute(find("kvc_space_diff")?),
            kvc_space_page_ids: std::mem::transmute(find("kvc_space_page_ids")?),
            kvc_tensor_thd: std::mem::transmute(find("kvc_tensor_thd")?),
            kvc_tensor_htd: std::mem::transmute(find("kvc_tensor_htd")?),
            kvc_session_open: std::mem::transmute(find("kvc_session_open")?),
            kvc_session_close: std::mem::transmute(find("kvc_session_close")?),
            kvc_session_match: std::mem::transmute(find("kvc_session_match")?),
            kvc_session_miss: std::mem::transmute(find("kvc_session_miss")?),
            kvc_session_append: std::mem::transmute(find("kvc_session_append")?),
            kvc_session_append_all: std::mem::transmute(find("kvc_session_append_all")?),
            kvc_session_commit: std::mem::transmute(find("kvc_session_commit")?),
            kvc_session_read: std::mem::transmute(find("kvc_session_read")?),
            kvc_session_read_all: std::mem::transmute(find("kvc_session_read_all")?),
            kvc_attend_init: std::mem::transmute(find("kvc_attend_init")?),
            kvc_session_attend: std::mem::transmute(find("kvc_session_attend")?),
            kvc_session_truncate: std::mem::transmute(find("kvc_session_truncate")?),
            kvc_session_fork: std::mem::transmute(find("kvc_session_fork")?),
            kvc_session_pin: std::mem::transmute(find("kvc_session_pin")?),
            kvc_session_set_priority: std::mem::transmute(find("kvc_session_set_priority")?),
            kvc_session_hint: std::mem::transmute(find("kvc_session_hint")?),
            kvc_session_expect: std::mem::transmute(find("kvc_session_expect")?),
            kvc_session_generated: std::mem::transmute(find("kvc_session_generated")?),
            kvc_session_info: std::mem::transmute(find("kvc_session_info")?),
            kvc_session_tokens: std::mem::transmute(find("kvc_session_tokens")?),
            kvc_session_last_error: std::mem::transmute(find("kvc_session_last_error")?),
            kvc_put: std::mem::transmute(find("kvc_put")?),
            kvc_put_with: std::mem::transmute(find("kvc_put_with")?),
            kvc_tensor_info: std::mem::transmute(find("kvc_tensor_info")?),
            kvc_get: std::mem::transmute(find("kvc_get")?),
            kvc_contains: std::mem::transmute(find("kvc_contains")?),
            kvc_remove: std::mem::transmute(find("kvc_remove")?),
            kvc_page_iter_open: std::mem::transmute(find("kvc_page_iter_open")?),
            kvc_page_iter_next: std::mem::transmute(find("kvc_page_iter_next")?),
            kvc_page_iter_close: std::mem::transmute(find("kvc_page_iter_close")?),
            kvc_page_info: std::mem::transmute(find("kvc_page_info")?),
            kvc_page_tokens: std::mem::transmute(find("kvc_page_tokens")?),
            kvc_trim: std::mem::transmute(find("kvc_trim")?),
            kvc_persist: std::mem::transmute(find("kvc_persist")?),
            kvc_persist_to: std::mem::transmute(find("kvc_persist_to")?),
            kvc_load: std::mem::transmute(find("kvc_load")?),
            kvc_tenant_purge: std::mem::transmute(find("kvc_tenant_purge")?),
            kvc_pack_write: std::mem::transmute(find("kvc_pack_write")?),
            kvc_pack_open: std::mem::transmute(find("kvc_pack_open")?),
            kvc_store_inspect: std::mem::transmute(find("kvc_store_inspect")?),
            kvc_store_verify: std::mem::transmute(find("kvc_store_verify")?),
            kvc_store_compact: std::mem::transmute(find("kvc_store_compact")?),
            kvc_store_text: std::mem::transmute(find("kvc_store_text")?),
            kvc_config_load: std::mem::transmute(find("kvc_config_load")?),
            kvc_stats: std::mem::transmute(find("kvc_stats")?),
            kvc_whatif: std::mem::transmute(find("kvc_whatif")?),
            kvc_trace_start: std::mem::transmute(find("kvc_trace_start")?),
            kvc_trace_stop: std::mem::transmute(find("kvc_trace_stop")?),
            kvc_adapt: std::mem::transmute(find("kvc_adapt")?),
            kvc_module_info: std::mem::transmute(find("kvc_module_info")?),
        })
    }
}

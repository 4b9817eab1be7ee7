// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;
import java.util.Map;

/** How the structs of kvc.h lie in memory, and its constants by their C names. */
final class Structs {
    private Structs() {}

    private static long at(StructLayout layout, String field) {
        return layout.byteOffset(PathElement.groupElement(field));
    }

    static final class kvc_error_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_INT.withName("status"),
            MemoryLayout.sequenceLayout(508, JAVA_BYTE).withName("message"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long STATUS = at(LAYOUT, "status");
        static final long MESSAGE = at(LAYOUT, "message");
    }

    static final class kvc_allocator_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("user_data"),
            JAVA_LONG.withName("allocate"),
            JAVA_LONG.withName("release"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long USER_DATA = at(LAYOUT, "user_data");
        static final long ALLOCATE = at(LAYOUT, "allocate");
        static final long RELEASE = at(LAYOUT, "release");
    }

    static final class kvc_logger_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("user_data"),
            JAVA_INT.withName("level"),
            MemoryLayout.paddingLayout(4),
            JAVA_LONG.withName("log"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long USER_DATA = at(LAYOUT, "user_data");
        static final long LEVEL = at(LAYOUT, "level");
        static final long LOG = at(LAYOUT, "log");
    }

    static final class kvc_clock_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("user_data"),
            JAVA_LONG.withName("now_ns"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long USER_DATA = at(LAYOUT, "user_data");
        static final long NOW_NS = at(LAYOUT, "now_ns");
    }

    static final class kvc_policy_page_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("key"),
            JAVA_LONG.withName("now_ns"),
            JAVA_DOUBLE.withName("score"),
            JAVA_LONG.withName("bytes"),
            JAVA_INT.withName("depth"),
            JAVA_INT.withName("tokens"),
            JAVA_INT.withName("hits"),
            JAVA_INT.withName("hint"),
            JAVA_LONG.withName("return_ns"),
            JAVA_LONG.withName("generated"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long KEY = at(LAYOUT, "key");
        static final long NOW_NS = at(LAYOUT, "now_ns");
        static final long SCORE = at(LAYOUT, "score");
        static final long BYTES = at(LAYOUT, "bytes");
        static final long DEPTH = at(LAYOUT, "depth");
        static final long TOKENS = at(LAYOUT, "tokens");
        static final long HITS = at(LAYOUT, "hits");
        static final long HINT = at(LAYOUT, "hint");
        static final long RETURN_NS = at(LAYOUT, "return_ns");
        static final long GENERATED = at(LAYOUT, "generated");
    }

    static final class kvc_policy_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("user_data"),
            JAVA_LONG.withName("name"),
            JAVA_LONG.withName("score"),
            JAVA_LONG.withName("removed"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long USER_DATA = at(LAYOUT, "user_data");
        static final long NAME = at(LAYOUT, "name");
        static final long SCORE = at(LAYOUT, "score");
        static final long REMOVED = at(LAYOUT, "removed");
    }

    static final class kvc_codec_page_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_INT.withName("n_layers"),
            JAVA_INT.withName("n_kv_heads"),
            JAVA_INT.withName("k_head_dim"),
            JAVA_INT.withName("v_head_dim"),
            JAVA_INT.withName("page_tokens"),
            JAVA_INT.withName("dtype"),
            JAVA_LONG.withName("position"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long N_LAYERS = at(LAYOUT, "n_layers");
        static final long N_KV_HEADS = at(LAYOUT, "n_kv_heads");
        static final long K_HEAD_DIM = at(LAYOUT, "k_head_dim");
        static final long V_HEAD_DIM = at(LAYOUT, "v_head_dim");
        static final long PAGE_TOKENS = at(LAYOUT, "page_tokens");
        static final long DTYPE = at(LAYOUT, "dtype");
        static final long POSITION = at(LAYOUT, "position");
    }

    static final class kvc_codec_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("user_data"),
            JAVA_LONG.withName("name"),
            JAVA_INT.withName("version"),
            JAVA_INT.withName("reserved"),
            JAVA_LONG.withName("encoded_size"),
            JAVA_LONG.withName("encode"),
            JAVA_LONG.withName("decode"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long USER_DATA = at(LAYOUT, "user_data");
        static final long NAME = at(LAYOUT, "name");
        static final long VERSION = at(LAYOUT, "version");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long ENCODED_SIZE = at(LAYOUT, "encoded_size");
        static final long ENCODE = at(LAYOUT, "encode");
        static final long DECODE = at(LAYOUT, "decode");
    }

    static final class kvc_option_info_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_INT.withName("type"),
            JAVA_INT.withName("reserved"),
            JAVA_LONG.withName("name"),
            JAVA_LONG.withName("default_value"),
            JAVA_LONG.withName("minimum"),
            JAVA_LONG.withName("maximum"),
            JAVA_LONG.withName("choices"),
            JAVA_LONG.withName("doc"),
            JAVA_LONG.withName("since"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long TYPE = at(LAYOUT, "type");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long NAME = at(LAYOUT, "name");
        static final long DEFAULT_VALUE = at(LAYOUT, "default_value");
        static final long MINIMUM = at(LAYOUT, "minimum");
        static final long MAXIMUM = at(LAYOUT, "maximum");
        static final long CHOICES = at(LAYOUT, "choices");
        static final long DOC = at(LAYOUT, "doc");
        static final long SINCE = at(LAYOUT, "since");
    }

    static final class kvc_request_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_INT.withName("action"),
            JAVA_INT.withName("priority"),
            JAVA_LONG.withName("prompt"),
            JAVA_LONG.withName("prompt_size"),
            JAVA_LONG.withName("tokens"),
            JAVA_LONG.withName("n_tokens"),
            JAVA_INT.withName("max_tokens"),
            JAVA_INT.withName("top_k"),
            JAVA_DOUBLE.withName("temperature"),
            JAVA_DOUBLE.withName("top_p"),
            JAVA_LONG.withName("seed"),
            JAVA_LONG.withName("stop"),
            JAVA_INT.withName("n_stop"),
            JAVA_INT.withName("no_cache"),
            JAVA_LONG.withName("session_id"),
            JAVA_LONG.withName("tenant"),
            JAVA_LONG.withName("deadline_ns"),
            JAVA_LONG.withName("on_text"),
            JAVA_LONG.withName("user_data"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long ACTION = at(LAYOUT, "action");
        static final long PRIORITY = at(LAYOUT, "priority");
        static final long PROMPT = at(LAYOUT, "prompt");
        static final long PROMPT_SIZE = at(LAYOUT, "prompt_size");
        static final long TOKENS = at(LAYOUT, "tokens");
        static final long N_TOKENS = at(LAYOUT, "n_tokens");
        static final long MAX_TOKENS = at(LAYOUT, "max_tokens");
        static final long TOP_K = at(LAYOUT, "top_k");
        static final long TEMPERATURE = at(LAYOUT, "temperature");
        static final long TOP_P = at(LAYOUT, "top_p");
        static final long SEED = at(LAYOUT, "seed");
        static final long STOP = at(LAYOUT, "stop");
        static final long N_STOP = at(LAYOUT, "n_stop");
        static final long NO_CACHE = at(LAYOUT, "no_cache");
        static final long SESSION_ID = at(LAYOUT, "session_id");
        static final long TENANT = at(LAYOUT, "tenant");
        static final long DEADLINE_NS = at(LAYOUT, "deadline_ns");
        static final long ON_TEXT = at(LAYOUT, "on_text");
        static final long USER_DATA = at(LAYOUT, "user_data");
    }

    static final class kvc_response_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_INT.withName("status"),
            JAVA_INT.withName("finish_reason"),
            JAVA_LONG.withName("text"),
            JAVA_LONG.withName("text_size"),
            JAVA_LONG.withName("tokens"),
            JAVA_LONG.withName("n_tokens"),
            JAVA_INT.withName("cache_hit"),
            JAVA_INT.withName("prompt_tokens"),
            JAVA_INT.withName("cached_tokens"),
            JAVA_INT.withName("computed_tokens"),
            JAVA_LONG.withName("queue_ns"),
            JAVA_LONG.withName("prefill_ns"),
            JAVA_LONG.withName("decode_ns"),
            JAVA_LONG.withName("total_ns"),
            JAVA_LONG.withName("ttft_ns"),
            JAVA_LONG.withName("saved_ns"),
            JAVA_INT.withName("miss_reason"),
            JAVA_INT.withName("reserved"),
            JAVA_LONG.withName("miss_text"),
            JAVA_LONG.withName("error"),
            JAVA_LONG.withName("ticket"),
            JAVA_INT.withName("approximate_tokens"),
            JAVA_INT.withName("reserved2"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long STATUS = at(LAYOUT, "status");
        static final long FINISH_REASON = at(LAYOUT, "finish_reason");
        static final long TEXT = at(LAYOUT, "text");
        static final long TEXT_SIZE = at(LAYOUT, "text_size");
        static final long TOKENS = at(LAYOUT, "tokens");
        static final long N_TOKENS = at(LAYOUT, "n_tokens");
        static final long CACHE_HIT = at(LAYOUT, "cache_hit");
        static final long PROMPT_TOKENS = at(LAYOUT, "prompt_tokens");
        static final long CACHED_TOKENS = at(LAYOUT, "cached_tokens");
        static final long COMPUTED_TOKENS = at(LAYOUT, "computed_tokens");
        static final long QUEUE_NS = at(LAYOUT, "queue_ns");
        static final long PREFILL_NS = at(LAYOUT, "prefill_ns");
        static final long DECODE_NS = at(LAYOUT, "decode_ns");
        static final long TOTAL_NS = at(LAYOUT, "total_ns");
        static final long TTFT_NS = at(LAYOUT, "ttft_ns");
        static final long SAVED_NS = at(LAYOUT, "saved_ns");
        static final long MISS_REASON = at(LAYOUT, "miss_reason");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long MISS_TEXT = at(LAYOUT, "miss_text");
        static final long ERROR = at(LAYOUT, "error");
        static final long TICKET = at(LAYOUT, "ticket");
        static final long APPROXIMATE_TOKENS = at(LAYOUT, "approximate_tokens");
        static final long RESERVED2 = at(LAYOUT, "reserved2");
    }

    static final class kvc_message_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("role"),
            JAVA_LONG.withName("content"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long ROLE = at(LAYOUT, "role");
        static final long CONTENT = at(LAYOUT, "content");
    }

    static final class kvc_adapter_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("digest"),
            JAVA_LONG.withName("digest_size"),
            JAVA_DOUBLE.withName("scale"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long DIGEST = at(LAYOUT, "digest");
        static final long DIGEST_SIZE = at(LAYOUT, "digest_size");
        static final long SCALE = at(LAYOUT, "scale");
    }

    static final class kvc_rope_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_DOUBLE.withName("base"),
            JAVA_DOUBLE.withName("freq_scale"),
            JAVA_LONG.withName("scaling"),
            JAVA_DOUBLE.withName("factor"),
            JAVA_DOUBLE.withName("attn_factor"),
            JAVA_DOUBLE.withName("beta_fast"),
            JAVA_DOUBLE.withName("beta_slow"),
            JAVA_INT.withName("dims"),
            JAVA_INT.withName("original_context"),
            JAVA_INT.withName("interleaved"),
            JAVA_INT.withName("applied"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long BASE = at(LAYOUT, "base");
        static final long FREQ_SCALE = at(LAYOUT, "freq_scale");
        static final long SCALING = at(LAYOUT, "scaling");
        static final long FACTOR = at(LAYOUT, "factor");
        static final long ATTN_FACTOR = at(LAYOUT, "attn_factor");
        static final long BETA_FAST = at(LAYOUT, "beta_fast");
        static final long BETA_SLOW = at(LAYOUT, "beta_slow");
        static final long DIMS = at(LAYOUT, "dims");
        static final long ORIGINAL_CONTEXT = at(LAYOUT, "original_context");
        static final long INTERLEAVED = at(LAYOUT, "interleaved");
        static final long APPLIED = at(LAYOUT, "applied");
    }

    static final class kvc_space_desc_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("label"),
            JAVA_LONG.withName("weights_digest"),
            JAVA_LONG.withName("weights_digest_size"),
            JAVA_LONG.withName("tokenizer_digest"),
            JAVA_LONG.withName("tokenizer_digest_size"),
            JAVA_LONG.withName("rope"),
            JAVA_LONG.withName("adapters"),
            JAVA_INT.withName("n_adapters"),
            JAVA_INT.withName("none"),
            JAVA_LONG.withName("attention"),
            JAVA_INT.withName("n_layers"),
            JAVA_INT.withName("n_kv_heads"),
            JAVA_INT.withName("k_head_dim"),
            JAVA_INT.withName("v_head_dim"),
            JAVA_INT.withName("dtype"),
            JAVA_INT.withName("page_tokens"),
            JAVA_INT.withName("vocab_size"),
            JAVA_INT.withName("reserved"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long LABEL = at(LAYOUT, "label");
        static final long WEIGHTS_DIGEST = at(LAYOUT, "weights_digest");
        static final long WEIGHTS_DIGEST_SIZE = at(LAYOUT, "weights_digest_size");
        static final long TOKENIZER_DIGEST = at(LAYOUT, "tokenizer_digest");
        static final long TOKENIZER_DIGEST_SIZE = at(LAYOUT, "tokenizer_digest_size");
        static final long ROPE = at(LAYOUT, "rope");
        static final long ADAPTERS = at(LAYOUT, "adapters");
        static final long N_ADAPTERS = at(LAYOUT, "n_adapters");
        static final long NONE = at(LAYOUT, "none");
        static final long ATTENTION = at(LAYOUT, "attention");
        static final long N_LAYERS = at(LAYOUT, "n_layers");
        static final long N_KV_HEADS = at(LAYOUT, "n_kv_heads");
        static final long K_HEAD_DIM = at(LAYOUT, "k_head_dim");
        static final long V_HEAD_DIM = at(LAYOUT, "v_head_dim");
        static final long DTYPE = at(LAYOUT, "dtype");
        static final long PAGE_TOKENS = at(LAYOUT, "page_tokens");
        static final long VOCAB_SIZE = at(LAYOUT, "vocab_size");
        static final long RESERVED = at(LAYOUT, "reserved");
    }

    static final class kvc_space_info_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            MemoryLayout.sequenceLayout(32, JAVA_BYTE).withName("digest"),
            JAVA_INT.withName("n_layers"),
            JAVA_INT.withName("n_kv_heads"),
            JAVA_INT.withName("k_head_dim"),
            JAVA_INT.withName("v_head_dim"),
            JAVA_INT.withName("dtype"),
            JAVA_INT.withName("page_tokens"),
            JAVA_LONG.withName("page_bytes"),
            JAVA_INT.withName("vocab_size"),
            JAVA_INT.withName("reserved"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long DIGEST = at(LAYOUT, "digest");
        static final long N_LAYERS = at(LAYOUT, "n_layers");
        static final long N_KV_HEADS = at(LAYOUT, "n_kv_heads");
        static final long K_HEAD_DIM = at(LAYOUT, "k_head_dim");
        static final long V_HEAD_DIM = at(LAYOUT, "v_head_dim");
        static final long DTYPE = at(LAYOUT, "dtype");
        static final long PAGE_TOKENS = at(LAYOUT, "page_tokens");
        static final long PAGE_BYTES = at(LAYOUT, "page_bytes");
        static final long VOCAB_SIZE = at(LAYOUT, "vocab_size");
        static final long RESERVED = at(LAYOUT, "reserved");
    }

    static final class kvc_tensor_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("data"),
            JAVA_LONG.withName("size"),
            JAVA_INT.withName("dtype"),
            JAVA_INT.withName("n_dims"),
            MemoryLayout.sequenceLayout(8, JAVA_LONG).withName("shape"),
            MemoryLayout.sequenceLayout(8, JAVA_LONG).withName("strides"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long DATA = at(LAYOUT, "data");
        static final long SIZE = at(LAYOUT, "size");
        static final long DTYPE = at(LAYOUT, "dtype");
        static final long N_DIMS = at(LAYOUT, "n_dims");
        static final long SHAPE = at(LAYOUT, "shape");
        static final long STRIDES = at(LAYOUT, "strides");
    }

    static final class kvc_session_options_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("tenant"),
            JAVA_LONG.withName("session_id"),
            JAVA_INT.withName("priority"),
            JAVA_INT.withName("no_publish"),
            JAVA_INT.withName("exact"),
            JAVA_INT.withName("reserved"),
            JAVA_INT.withName("no_aged"),
            MemoryLayout.paddingLayout(4));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long TENANT = at(LAYOUT, "tenant");
        static final long SESSION_ID = at(LAYOUT, "session_id");
        static final long PRIORITY = at(LAYOUT, "priority");
        static final long NO_PUBLISH = at(LAYOUT, "no_publish");
        static final long EXACT = at(LAYOUT, "exact");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long NO_AGED = at(LAYOUT, "no_aged");
    }

    static final class kvc_attend_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_DOUBLE.withName("scale"),
            JAVA_DOUBLE.withName("softcap"),
            JAVA_LONG.withName("window"),
            JAVA_LONG.withName("sinks"),
            JAVA_LONG.withName("later"),
            JAVA_INT.withName("bidirectional"),
            JAVA_INT.withName("n_threads"),
            JAVA_LONG.withName("alibi_slopes"),
            JAVA_LONG.withName("sink_scores"),
            JAVA_LONG.withName("left_out"),
            JAVA_INT.withName("restore"),
            JAVA_INT.withName("reserved"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long SCALE = at(LAYOUT, "scale");
        static final long SOFTCAP = at(LAYOUT, "softcap");
        static final long WINDOW = at(LAYOUT, "window");
        static final long SINKS = at(LAYOUT, "sinks");
        static final long LATER = at(LAYOUT, "later");
        static final long BIDIRECTIONAL = at(LAYOUT, "bidirectional");
        static final long N_THREADS = at(LAYOUT, "n_threads");
        static final long ALIBI_SLOPES = at(LAYOUT, "alibi_slopes");
        static final long SINK_SCORES = at(LAYOUT, "sink_scores");
        static final long LEFT_OUT = at(LAYOUT, "left_out");
        static final long RESTORE = at(LAYOUT, "restore");
        static final long RESERVED = at(LAYOUT, "reserved");
    }

    static final class kvc_session_info_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("length"),
            JAVA_LONG.withName("matched"),
            JAVA_LONG.withName("pages"),
            JAVA_LONG.withName("pending"),
            JAVA_LONG.withName("tail_bytes"),
            JAVA_INT.withName("priority"),
            JAVA_INT.withName("pinned"),
            JAVA_LONG.withName("domain"),
            JAVA_LONG.withName("approximate"),
            JAVA_LONG.withName("sparse"),
            JAVA_LONG.withName("aged"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long LENGTH = at(LAYOUT, "length");
        static final long MATCHED = at(LAYOUT, "matched");
        static final long PAGES = at(LAYOUT, "pages");
        static final long PENDING = at(LAYOUT, "pending");
        static final long TAIL_BYTES = at(LAYOUT, "tail_bytes");
        static final long PRIORITY = at(LAYOUT, "priority");
        static final long PINNED = at(LAYOUT, "pinned");
        static final long DOMAIN = at(LAYOUT, "domain");
        static final long APPROXIMATE = at(LAYOUT, "approximate");
        static final long SPARSE = at(LAYOUT, "sparse");
        static final long AGED = at(LAYOUT, "aged");
    }

    static final class kvc_put_options_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("codec"),
            JAVA_INT.withName("plane"),
            JAVA_INT.withName("reserved"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long CODEC = at(LAYOUT, "codec");
        static final long PLANE = at(LAYOUT, "plane");
        static final long RESERVED = at(LAYOUT, "reserved");
    }

    static final class kvc_tensor_info_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("codec"),
            JAVA_LONG.withName("bytes"),
            JAVA_LONG.withName("raw_bytes"),
            JAVA_DOUBLE.withName("error"),
            JAVA_INT.withName("approximate"),
            JAVA_INT.withName("plane"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long CODEC = at(LAYOUT, "codec");
        static final long BYTES = at(LAYOUT, "bytes");
        static final long RAW_BYTES = at(LAYOUT, "raw_bytes");
        static final long ERROR = at(LAYOUT, "error");
        static final long APPROXIMATE = at(LAYOUT, "approximate");
        static final long PLANE = at(LAYOUT, "plane");
    }

    static final class kvc_page_info_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            MemoryLayout.sequenceLayout(32, JAVA_BYTE).withName("id"),
            MemoryLayout.sequenceLayout(32, JAVA_BYTE).withName("parent"),
            MemoryLayout.sequenceLayout(32, JAVA_BYTE).withName("space"),
            JAVA_LONG.withName("position"),
            JAVA_LONG.withName("bytes"),
            JAVA_LONG.withName("metadata_bytes"),
            JAVA_LONG.withName("hits"),
            JAVA_LONG.withName("age_ns"),
            JAVA_LONG.withName("idle_ns"),
            JAVA_INT.withName("n_tokens"),
            JAVA_INT.withName("references"),
            JAVA_INT.withName("children"),
            JAVA_INT.withName("tier"),
            JAVA_INT.withName("priority"),
            JAVA_INT.withName("pinned"),
            MemoryLayout.sequenceLayout(16, JAVA_BYTE).withName("codec"),
            JAVA_INT.withName("approximate"),
            JAVA_INT.withName("reserved"),
            JAVA_INT.withName("aged"),
            JAVA_INT.withName("reserved2"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long ID = at(LAYOUT, "id");
        static final long PARENT = at(LAYOUT, "parent");
        static final long SPACE = at(LAYOUT, "space");
        static final long POSITION = at(LAYOUT, "position");
        static final long BYTES = at(LAYOUT, "bytes");
        static final long METADATA_BYTES = at(LAYOUT, "metadata_bytes");
        static final long HITS = at(LAYOUT, "hits");
        static final long AGE_NS = at(LAYOUT, "age_ns");
        static final long IDLE_NS = at(LAYOUT, "idle_ns");
        static final long N_TOKENS = at(LAYOUT, "n_tokens");
        static final long REFERENCES = at(LAYOUT, "references");
        static final long CHILDREN = at(LAYOUT, "children");
        static final long TIER = at(LAYOUT, "tier");
        static final long PRIORITY = at(LAYOUT, "priority");
        static final long PINNED = at(LAYOUT, "pinned");
        static final long CODEC = at(LAYOUT, "codec");
        static final long APPROXIMATE = at(LAYOUT, "approximate");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long AGED = at(LAYOUT, "aged");
        static final long RESERVED2 = at(LAYOUT, "reserved2");
    }

    static final class kvc_store_report_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("pages"),
            JAVA_LONG.withName("clues"),
            JAVA_LONG.withName("payload_bytes"),
            JAVA_LONG.withName("stored_bytes"),
            JAVA_LONG.withName("file_bytes"),
            JAVA_LONG.withName("segments"),
            JAVA_LONG.withName("checked_bytes"),
            JAVA_LONG.withName("damaged"),
            JAVA_LONG.withName("locked"),
            JAVA_INT.withName("encrypted"),
            JAVA_INT.withName("pack"),
            JAVA_LONG.withName("tensors"),
            JAVA_LONG.withName("calibrations"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long PAGES = at(LAYOUT, "pages");
        static final long CLUES = at(LAYOUT, "clues");
        static final long PAYLOAD_BYTES = at(LAYOUT, "payload_bytes");
        static final long STORED_BYTES = at(LAYOUT, "stored_bytes");
        static final long FILE_BYTES = at(LAYOUT, "file_bytes");
        static final long SEGMENTS = at(LAYOUT, "segments");
        static final long CHECKED_BYTES = at(LAYOUT, "checked_bytes");
        static final long DAMAGED = at(LAYOUT, "damaged");
        static final long LOCKED = at(LAYOUT, "locked");
        static final long ENCRYPTED = at(LAYOUT, "encrypted");
        static final long PACK = at(LAYOUT, "pack");
        static final long TENSORS = at(LAYOUT, "tensors");
        static final long CALIBRATIONS = at(LAYOUT, "calibrations");
    }

    static final class kvc_stats_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("requests"),
            JAVA_LONG.withName("requests_completed"),
            JAVA_LONG.withName("requests_failed"),
            JAVA_LONG.withName("requests_cancelled"),
            JAVA_LONG.withName("requests_refused"),
            JAVA_LONG.withName("requests_queued"),
            JAVA_LONG.withName("requests_active"),
            JAVA_LONG.withName("request_hits"),
            JAVA_LONG.withName("request_misses"),
            JAVA_DOUBLE.withName("hit_rate"),
            JAVA_LONG.withName("prompt_tokens"),
            JAVA_LONG.withName("cached_tokens"),
            JAVA_LONG.withName("computed_tokens"),
            JAVA_LONG.withName("generated_tokens"),
            JAVA_DOUBLE.withName("token_hit_rate"),
            JAVA_LONG.withName("saved_ns"),
            JAVA_LONG.withName("latency_avg_ns"),
            JAVA_LONG.withName("latency_p50_ns"),
            JAVA_LONG.withName("latency_p95_ns"),
            JAVA_LONG.withName("latency_p99_ns"),
            JAVA_LONG.withName("ttft_avg_ns"),
            JAVA_LONG.withName("ttft_p50_ns"),
            JAVA_LONG.withName("ttft_p95_ns"),
            JAVA_LONG.withName("ttft_p99_ns"),
            JAVA_LONG.withName("matches"),
            JAVA_LONG.withName("match_hits"),
            JAVA_LONG.withName("matched_tokens"),
            JAVA_LONG.withName("match_asked_tokens"),
            MemoryLayout.sequenceLayout(8, JAVA_LONG).withName("misses_by_reason"),
            JAVA_LONG.withName("pages"),
            JAVA_LONG.withName("pages_sealed"),
            JAVA_LONG.withName("pages_deduplicated"),
            JAVA_LONG.withName("pages_evicted"),
            JAVA_LONG.withName("pages_pinned"),
            JAVA_LONG.withName("sessions"),
            JAVA_LONG.withName("tensors"),
            JAVA_LONG.withName("tensors_evicted"),
            JAVA_LONG.withName("memory_budget"),
            JAVA_LONG.withName("memory_used"),
            JAVA_LONG.withName("memory_payload"),
            JAVA_LONG.withName("memory_metadata"),
            JAVA_LONG.withName("memory_pooled"),
            JAVA_LONG.withName("memory_peak"),
            JAVA_LONG.withName("host_bytes"),
            JAVA_LONG.withName("device_bytes"),
            JAVA_LONG.withName("disk_bytes"),
            JAVA_LONG.withName("remote_bytes"),
            JAVA_DOUBLE.withName("gpu_utilization"),
            JAVA_LONG.withName("uptime_ns"),
            JAVA_LONG.withName("approximate_tokens"),
            JAVA_LONG.withName("pages_encoded"),
            JAVA_LONG.withName("pages_kept_clear"),
            JAVA_LONG.withName("encoded_raw_bytes"),
            JAVA_LONG.withName("encoded_bytes"),
            JAVA_DOUBLE.withName("codec_key_error"),
            JAVA_DOUBLE.withName("codec_value_error"),
            JAVA_LONG.withName("misses_damaged"),
            JAVA_LONG.withName("disk_limit"),
            JAVA_LONG.withName("disk_pages"),
            JAVA_LONG.withName("disk_hits"),
            JAVA_LONG.withName("disk_hit_tokens"),
            JAVA_LONG.withName("disk_misses"),
            JAVA_LONG.withName("disk_written"),
            JAVA_LONG.withName("disk_demoted"),
            JAVA_LONG.withName("disk_dropped"),
            JAVA_LONG.withName("disk_damaged"),
            JAVA_LONG.withName("disk_timeouts"),
            JAVA_LONG.withName("disk_recomputed"),
            JAVA_LONG.withName("disk_errors"),
            JAVA_LONG.withName("disk_written_bytes"),
            JAVA_LONG.withName("disk_read_bytes"),
            JAVA_LONG.withName("disk_waiting"),
            JAVA_LONG.withName("disk_durable_ns"),
            JAVA_INT.withName("policy_strategy"),
            JAVA_INT.withName("policy_reason"),
            JAVA_LONG.withName("policy_changes"),
            JAVA_LONG.withName("policy_changed_ns"),
            JAVA_LONG.withName("device_limit"),
            JAVA_LONG.withName("device_pages"),
            JAVA_LONG.withName("device_hits"),
            JAVA_LONG.withName("device_promoted"),
            JAVA_LONG.withName("device_demoted"),
            JAVA_LONG.withName("device_in_bytes"),
            JAVA_LONG.withName("device_out_bytes"),
            JAVA_LONG.withName("devices"),
            JAVA_LONG.withName("devices_lost"),
            JAVA_LONG.withName("codec_failures"),
            JAVA_LONG.withName("pages_sparse"),
            JAVA_LONG.withName("sparse_by_recency"),
            JAVA_LONG.withName("sparse_restored"),
            JAVA_DOUBLE.withName("sparse_mass_left_out"),
            JAVA_LONG.withName("codec_checked"),
            JAVA_LONG.withName("codec_raised"),
            JAVA_LONG.withName("codec_heads_exact"),
            JAVA_DOUBLE.withName("codec_bound_error"),
            JAVA_LONG.withName("pages_aged"),
            JAVA_LONG.withName("aged_before_bytes"),
            JAVA_LONG.withName("aged_bytes"),
            JAVA_LONG.withName("aged_tokens"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long REQUESTS = at(LAYOUT, "requests");
        static final long REQUESTS_COMPLETED = at(LAYOUT, "requests_completed");
        static final long REQUESTS_FAILED = at(LAYOUT, "requests_failed");
        static final long REQUESTS_CANCELLED = at(LAYOUT, "requests_cancelled");
        static final long REQUESTS_REFUSED = at(LAYOUT, "requests_refused");
        static final long REQUESTS_QUEUED = at(LAYOUT, "requests_queued");
        static final long REQUESTS_ACTIVE = at(LAYOUT, "requests_active");
        static final long REQUEST_HITS = at(LAYOUT, "request_hits");
        static final long REQUEST_MISSES = at(LAYOUT, "request_misses");
        static final long HIT_RATE = at(LAYOUT, "hit_rate");
        static final long PROMPT_TOKENS = at(LAYOUT, "prompt_tokens");
        static final long CACHED_TOKENS = at(LAYOUT, "cached_tokens");
        static final long COMPUTED_TOKENS = at(LAYOUT, "computed_tokens");
        static final long GENERATED_TOKENS = at(LAYOUT, "generated_tokens");
        static final long TOKEN_HIT_RATE = at(LAYOUT, "token_hit_rate");
        static final long SAVED_NS = at(LAYOUT, "saved_ns");
        static final long LATENCY_AVG_NS = at(LAYOUT, "latency_avg_ns");
        static final long LATENCY_P50_NS = at(LAYOUT, "latency_p50_ns");
        static final long LATENCY_P95_NS = at(LAYOUT, "latency_p95_ns");
        static final long LATENCY_P99_NS = at(LAYOUT, "latency_p99_ns");
        static final long TTFT_AVG_NS = at(LAYOUT, "ttft_avg_ns");
        static final long TTFT_P50_NS = at(LAYOUT, "ttft_p50_ns");
        static final long TTFT_P95_NS = at(LAYOUT, "ttft_p95_ns");
        static final long TTFT_P99_NS = at(LAYOUT, "ttft_p99_ns");
        static final long MATCHES = at(LAYOUT, "matches");
        static final long MATCH_HITS = at(LAYOUT, "match_hits");
        static final long MATCHED_TOKENS = at(LAYOUT, "matched_tokens");
        static final long MATCH_ASKED_TOKENS = at(LAYOUT, "match_asked_tokens");
        static final long MISSES_BY_REASON = at(LAYOUT, "misses_by_reason");
        static final long PAGES = at(LAYOUT, "pages");
        static final long PAGES_SEALED = at(LAYOUT, "pages_sealed");
        static final long PAGES_DEDUPLICATED = at(LAYOUT, "pages_deduplicated");
        static final long PAGES_EVICTED = at(LAYOUT, "pages_evicted");
        static final long PAGES_PINNED = at(LAYOUT, "pages_pinned");
        static final long SESSIONS = at(LAYOUT, "sessions");
        static final long TENSORS = at(LAYOUT, "tensors");
        static final long TENSORS_EVICTED = at(LAYOUT, "tensors_evicted");
        static final long MEMORY_BUDGET = at(LAYOUT, "memory_budget");
        static final long MEMORY_USED = at(LAYOUT, "memory_used");
        static final long MEMORY_PAYLOAD = at(LAYOUT, "memory_payload");
        static final long MEMORY_METADATA = at(LAYOUT, "memory_metadata");
        static final long MEMORY_POOLED = at(LAYOUT, "memory_pooled");
        static final long MEMORY_PEAK = at(LAYOUT, "memory_peak");
        static final long HOST_BYTES = at(LAYOUT, "host_bytes");
        static final long DEVICE_BYTES = at(LAYOUT, "device_bytes");
        static final long DISK_BYTES = at(LAYOUT, "disk_bytes");
        static final long REMOTE_BYTES = at(LAYOUT, "remote_bytes");
        static final long GPU_UTILIZATION = at(LAYOUT, "gpu_utilization");
        static final long UPTIME_NS = at(LAYOUT, "uptime_ns");
        static final long APPROXIMATE_TOKENS = at(LAYOUT, "approximate_tokens");
        static final long PAGES_ENCODED = at(LAYOUT, "pages_encoded");
        static final long PAGES_KEPT_CLEAR = at(LAYOUT, "pages_kept_clear");
        static final long ENCODED_RAW_BYTES = at(LAYOUT, "encoded_raw_bytes");
        static final long ENCODED_BYTES = at(LAYOUT, "encoded_bytes");
        static final long CODEC_KEY_ERROR = at(LAYOUT, "codec_key_error");
        static final long CODEC_VALUE_ERROR = at(LAYOUT, "codec_value_error");
        static final long MISSES_DAMAGED = at(LAYOUT, "misses_damaged");
        static final long DISK_LIMIT = at(LAYOUT, "disk_limit");
        static final long DISK_PAGES = at(LAYOUT, "disk_pages");
        static final long DISK_HITS = at(LAYOUT, "disk_hits");
        static final long DISK_HIT_TOKENS = at(LAYOUT, "disk_hit_tokens");
        static final long DISK_MISSES = at(LAYOUT, "disk_misses");
        static final long DISK_WRITTEN = at(LAYOUT, "disk_written");
        static final long DISK_DEMOTED = at(LAYOUT, "disk_demoted");
        static final long DISK_DROPPED = at(LAYOUT, "disk_dropped");
        static final long DISK_DAMAGED = at(LAYOUT, "disk_damaged");
        static final long DISK_TIMEOUTS = at(LAYOUT, "disk_timeouts");
        static final long DISK_RECOMPUTED = at(LAYOUT, "disk_recomputed");
        static final long DISK_ERRORS = at(LAYOUT, "disk_errors");
        static final long DISK_WRITTEN_BYTES = at(LAYOUT, "disk_written_bytes");
        static final long DISK_READ_BYTES = at(LAYOUT, "disk_read_bytes");
        static final long DISK_WAITING = at(LAYOUT, "disk_waiting");
        static final long DISK_DURABLE_NS = at(LAYOUT, "disk_durable_ns");
        static final long POLICY_STRATEGY = at(LAYOUT, "policy_strategy");
        static final long POLICY_REASON = at(LAYOUT, "policy_reason");
        static final long POLICY_CHANGES = at(LAYOUT, "policy_changes");
        static final long POLICY_CHANGED_NS = at(LAYOUT, "policy_changed_ns");
        static final long DEVICE_LIMIT = at(LAYOUT, "device_limit");
        static final long DEVICE_PAGES = at(LAYOUT, "device_pages");
        static final long DEVICE_HITS = at(LAYOUT, "device_hits");
        static final long DEVICE_PROMOTED = at(LAYOUT, "device_promoted");
        static final long DEVICE_DEMOTED = at(LAYOUT, "device_demoted");
        static final long DEVICE_IN_BYTES = at(LAYOUT, "device_in_bytes");
        static final long DEVICE_OUT_BYTES = at(LAYOUT, "device_out_bytes");
        static final long DEVICES = at(LAYOUT, "devices");
        static final long DEVICES_LOST = at(LAYOUT, "devices_lost");
        static final long CODEC_FAILURES = at(LAYOUT, "codec_failures");
        static final long PAGES_SPARSE = at(LAYOUT, "pages_sparse");
        static final long SPARSE_BY_RECENCY = at(LAYOUT, "sparse_by_recency");
        static final long SPARSE_RESTORED = at(LAYOUT, "sparse_restored");
        static final long SPARSE_MASS_LEFT_OUT = at(LAYOUT, "sparse_mass_left_out");
        static final long CODEC_CHECKED = at(LAYOUT, "codec_checked");
        static final long CODEC_RAISED = at(LAYOUT, "codec_raised");
        static final long CODEC_HEADS_EXACT = at(LAYOUT, "codec_heads_exact");
        static final long CODEC_BOUND_ERROR = at(LAYOUT, "codec_bound_error");
        static final long PAGES_AGED = at(LAYOUT, "pages_aged");
        static final long AGED_BEFORE_BYTES = at(LAYOUT, "aged_before_bytes");
        static final long AGED_BYTES = at(LAYOUT, "aged_bytes");
        static final long AGED_TOKENS = at(LAYOUT, "aged_tokens");
    }

    static final class kvc_whatif_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_DOUBLE.withName("token_hit_rate"),
            JAVA_DOUBLE.withName("page_hit_rate"),
            JAVA_LONG.withName("pages"),
            JAVA_LONG.withName("sessions"),
            JAVA_LONG.withName("tokens"),
            JAVA_LONG.withName("span_ns"),
            JAVA_LONG.withName("saved_ns"),
            JAVA_DOUBLE.withName("sampled"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long TOKEN_HIT_RATE = at(LAYOUT, "token_hit_rate");
        static final long PAGE_HIT_RATE = at(LAYOUT, "page_hit_rate");
        static final long PAGES = at(LAYOUT, "pages");
        static final long SESSIONS = at(LAYOUT, "sessions");
        static final long TOKENS = at(LAYOUT, "tokens");
        static final long SPAN_NS = at(LAYOUT, "span_ns");
        static final long SAVED_NS = at(LAYOUT, "saved_ns");
        static final long SAMPLED = at(LAYOUT, "sampled");
    }

    static final class kvc_metrics_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_INT.withName("objective"),
            JAVA_INT.withName("reserved"),
            JAVA_DOUBLE.withName("prefill_speed"),
            JAVA_DOUBLE.withName("balanced_position"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long OBJECTIVE = at(LAYOUT, "objective");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long PREFILL_SPEED = at(LAYOUT, "prefill_speed");
        static final long BALANCED_POSITION = at(LAYOUT, "balanced_position");
    }

    static final class kvc_model_info_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("name"),
            JAVA_LONG.withName("space"),
            JAVA_INT.withName("context"),
            JAVA_INT.withName("max_batch_tokens"),
            JAVA_INT.withName("bos"),
            JAVA_INT.withName("eos"),
            JAVA_LONG.withName("ends"),
            JAVA_INT.withName("n_ends"),
            JAVA_INT.withName("total_tokens"),
            JAVA_INT.withName("state_tokens"),
            JAVA_INT.withName("reserved"),
            JAVA_LONG.withName("details"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long NAME = at(LAYOUT, "name");
        static final long SPACE = at(LAYOUT, "space");
        static final long CONTEXT = at(LAYOUT, "context");
        static final long MAX_BATCH_TOKENS = at(LAYOUT, "max_batch_tokens");
        static final long BOS = at(LAYOUT, "bos");
        static final long EOS = at(LAYOUT, "eos");
        static final long ENDS = at(LAYOUT, "ends");
        static final long N_ENDS = at(LAYOUT, "n_ends");
        static final long TOTAL_TOKENS = at(LAYOUT, "total_tokens");
        static final long STATE_TOKENS = at(LAYOUT, "state_tokens");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long DETAILS = at(LAYOUT, "details");
    }

    static final class kvc_forward_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("sequence"),
            JAVA_LONG.withName("session"),
            JAVA_LONG.withName("tokens"),
            JAVA_INT.withName("n"),
            JAVA_INT.withName("position"),
            JAVA_LONG.withName("logits"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long SEQUENCE = at(LAYOUT, "sequence");
        static final long SESSION = at(LAYOUT, "session");
        static final long TOKENS = at(LAYOUT, "tokens");
        static final long N = at(LAYOUT, "n");
        static final long POSITION = at(LAYOUT, "position");
        static final long LOGITS = at(LAYOUT, "logits");
    }

    static final class kvc_backend_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("user_data"),
            JAVA_INT.withName("kind"),
            JAVA_INT.withName("reserved"),
            JAVA_LONG.withName("describe"),
            JAVA_LONG.withName("tokenize"),
            JAVA_LONG.withName("detokenize"),
            JAVA_LONG.withName("sequence_open"),
            JAVA_LONG.withName("sequence_close"),
            JAVA_LONG.withName("forward"),
            JAVA_LONG.withName("export_kv"),
            JAVA_LONG.withName("import_kv"),
            JAVA_LONG.withName("truncate"),
            JAVA_LONG.withName("destroy"),
            JAVA_LONG.withName("chat_text"),
            JAVA_LONG.withName("save_state"),
            JAVA_LONG.withName("load_state"),
            JAVA_LONG.withName("set_stop"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long USER_DATA = at(LAYOUT, "user_data");
        static final long KIND = at(LAYOUT, "kind");
        static final long RESERVED = at(LAYOUT, "reserved");
        static final long DESCRIBE = at(LAYOUT, "describe");
        static final long TOKENIZE = at(LAYOUT, "tokenize");
        static final long DETOKENIZE = at(LAYOUT, "detokenize");
        static final long SEQUENCE_OPEN = at(LAYOUT, "sequence_open");
        static final long SEQUENCE_CLOSE = at(LAYOUT, "sequence_close");
        static final long FORWARD = at(LAYOUT, "forward");
        static final long EXPORT_KV = at(LAYOUT, "export_kv");
        static final long IMPORT_KV = at(LAYOUT, "import_kv");
        static final long TRUNCATE = at(LAYOUT, "truncate");
        static final long DESTROY = at(LAYOUT, "destroy");
        static final long CHAT_TEXT = at(LAYOUT, "chat_text");
        static final long SAVE_STATE = at(LAYOUT, "save_state");
        static final long LOAD_STATE = at(LAYOUT, "load_state");
        static final long SET_STOP = at(LAYOUT, "set_stop");
    }

    static final class kvc_module_host_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_LONG.withName("session_append_all"),
            JAVA_LONG.withName("session_read_all"),
            JAVA_LONG.withName("session_info"),
            JAVA_LONG.withName("session_last_error"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long SESSION_APPEND_ALL = at(LAYOUT, "session_append_all");
        static final long SESSION_READ_ALL = at(LAYOUT, "session_read_all");
        static final long SESSION_INFO = at(LAYOUT, "session_info");
        static final long SESSION_LAST_ERROR = at(LAYOUT, "session_last_error");
    }

    static final class kvc_module_request_t {
        static final StructLayout LAYOUT = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"),
            JAVA_INT.withName("version"),
            JAVA_INT.withName("n_options"),
            JAVA_LONG.withName("names"),
            JAVA_LONG.withName("values"),
            JAVA_LONG.withName("host"));
        static final long SIZEOF = LAYOUT.byteSize();
        static final long STRUCT_SIZE = at(LAYOUT, "struct_size");
        static final long VERSION = at(LAYOUT, "version");
        static final long N_OPTIONS = at(LAYOUT, "n_options");
        static final long NAMES = at(LAYOUT, "names");
        static final long VALUES = at(LAYOUT, "values");
        static final long HOST = at(LAYOUT, "host");
    }

    /** For the test that compares them with what a C compiler says. */
    static final Map<String, StructLayout> ALL = Map.ofEntries(
        Map.entry("kvc_error_t", kvc_error_t.LAYOUT),
        Map.entry("kvc_allocator_t", kvc_allocator_t.LAYOUT),
        Map.entry("kvc_logger_t", kvc_logger_t.LAYOUT),
        Map.entry("kvc_clock_t", kvc_clock_t.LAYOUT),
        Map.entry("kvc_policy_page_t", kvc_policy_page_t.LAYOUT),
        Map.entry("kvc_policy_t", kvc_policy_t.LAYOUT),
        Map.entry("kvc_codec_page_t", kvc_codec_page_t.LAYOUT),
        Map.entry("kvc_codec_t", kvc_codec_t.LAYOUT),
        Map.entry("kvc_option_info_t", kvc_option_info_t.LAYOUT),
        Map.entry("kvc_request_t", kvc_request_t.LAYOUT),
        Map.entry("kvc_response_t", kvc_response_t.LAYOUT),
        Map.entry("kvc_message_t", kvc_message_t.LAYOUT),
        Map.entry("kvc_adapter_t", kvc_adapter_t.LAYOUT),
        Map.entry("kvc_rope_t", kvc_rope_t.LAYOUT),
        Map.entry("kvc_space_desc_t", kvc_space_desc_t.LAYOUT),
        Map.entry("kvc_space_info_t", kvc_space_info_t.LAYOUT),
        Map.entry("kvc_tensor_t", kvc_tensor_t.LAYOUT),
        Map.entry("kvc_session_options_t", kvc_session_options_t.LAYOUT),
        Map.entry("kvc_attend_t", kvc_attend_t.LAYOUT),
        Map.entry("kvc_session_info_t", kvc_session_info_t.LAYOUT),
        Map.entry("kvc_put_options_t", kvc_put_options_t.LAYOUT),
        Map.entry("kvc_tensor_info_t", kvc_tensor_info_t.LAYOUT),
        Map.entry("kvc_page_info_t", kvc_page_info_t.LAYOUT),
        Map.entry("kvc_store_report_t", kvc_store_report_t.LAYOUT),
        Map.entry("kvc_stats_t", kvc_stats_t.LAYOUT),
        Map.entry("kvc_whatif_t", kvc_whatif_t.LAYOUT),
        Map.entry("kvc_metrics_t", kvc_metrics_t.LAYOUT),
        Map.entry("kvc_model_info_t", kvc_model_info_t.LAYOUT),
        Map.entry("kvc_forward_t", kvc_forward_t.LAYOUT),
        Map.entry("kvc_backend_t", kvc_backend_t.LAYOUT),
        Map.entry("kvc_module_host_t", kvc_module_host_t.LAYOUT),
        Map.entry("kvc_module_request_t", kvc_module_request_t.LAYOUT));

    static final Map<String, Integer> CONSTANTS = Map.ofEntries(
        Map.entry("KVC_VERSION_MAJOR", 0),
        Map.entry("KVC_VERSION_MINOR", 1),
        Map.entry("KVC_VERSION_PATCH", 0),
        Map.entry("KVC_ABI_VERSION", 0),
        Map.entry("KVC_OK", 0),
        Map.entry("KVC_END", 1),
        Map.entry("KVC_PENDING", 2),
        Map.entry("KVC_E_INVALID", -100),
        Map.entry("KVC_E_NULL", -101),
        Map.entry("KVC_E_STRUCT_SIZE", -102),
        Map.entry("KVC_E_UNKNOWN_OPTION", -103),
        Map.entry("KVC_E_OUT_OF_RANGE", -104),
        Map.entry("KVC_E_SHAPE", -105),
        Map.entry("KVC_E_DTYPE", -106),
        Map.entry("KVC_E_TOKEN", -107),
        Map.entry("KVC_E_UTF8", -108),
        Map.entry("KVC_E_IDENTITY", -109),
        Map.entry("KVC_E_CLOSED", -200),
        Map.entry("KVC_E_ORDER", -201),
        Map.entry("KVC_E_MISSING_LAYERS", -202),
        Map.entry("KVC_E_FORKED", -203),
        Map.entry("KVC_E_BUSY", -204),
        Map.entry("KVC_E_CANCELLED", -205),
        Map.entry("KVC_E_DEADLINE", -206),
        Map.entry("KVC_E_NOT_FOUND", -207),
        Map.entry("KVC_E_NO_MEMORY", -300),
        Map.entry("KVC_E_BUDGET", -301),
        Map.entry("KVC_E_CONTEXT", -302),
        Map.entry("KVC_E_QUEUE_FULL", -303),
        Map.entry("KVC_E_BUFFER", -304),
        Map.entry("KVC_E_IO", -400),
        Map.entry("KVC_E_CORRUPT", -500),
        Map.entry("KVC_E_DEVICE", -600),
        Map.entry("KVC_E_BACKEND", -650),
        Map.entry("KVC_E_INTERNAL", -700),
        Map.entry("KVC_E_UNSUPPORTED", -701),
        Map.entry("KVC_E_USER", -900),
        Map.entry("KVC_F32", 1),
        Map.entry("KVC_F16", 2),
        Map.entry("KVC_BF16", 3),
        Map.entry("KVC_U8", 4),
        Map.entry("KVC_KEY", 0),
        Map.entry("KVC_VALUE", 1),
        Map.entry("KVC_PRIORITY_BACKGROUND", -200),
        Map.entry("KVC_PRIORITY_LOW", -100),
        Map.entry("KVC_PRIORITY_NORMAL", 0),
        Map.entry("KVC_PRIORITY_HIGH", 100),
        Map.entry("KVC_PRIORITY_CRITICAL", 200),
        Map.entry("KVC_CLOSE_KEEP", 0),
        Map.entry("KVC_CLOSE_FINISHED", 1),
        Map.entry("KVC_CLOSE_IDLE", 2),
        Map.entry("KVC_HINT_NONE", 0),
        Map.entry("KVC_HINT_TURN_END", 1),
        Map.entry("KVC_HINT_TOOL_CALL", 2),
        Map.entry("KVC_HINT_ONE_OFF", 3),
        Map.entry("KVC_HINT_SHARED", 4),
        Map.entry("KVC_ACTION_PROCESS", 0),
        Map.entry("KVC_ACTION_PREFETCH", 1),
        Map.entry("KVC_ACTION_STORE", 2),
        Map.entry("KVC_ACTION_RETRIEVE", 3),
        Map.entry("KVC_FINISH_NONE", 0),
        Map.entry("KVC_FINISH_LENGTH", 1),
        Map.entry("KVC_FINISH_STOP", 2),
        Map.entry("KVC_FINISH_EOS", 3),
        Map.entry("KVC_FINISH_CANCELLED", 4),
        Map.entry("KVC_FINISH_DEADLINE", 5),
        Map.entry("KVC_FINISH_ERROR", 6),
        Map.entry("KVC_MISS_NONE", 0),
        Map.entry("KVC_MISS_NEW", 1),
        Map.entry("KVC_MISS_PARTIAL", 2),
        Map.entry("KVC_MISS_IDENTITY", 3),
        Map.entry("KVC_MISS_DISABLED", 4),
        Map.entry("KVC_MISS_SHORT", 5),
        Map.entry("KVC_MISS_TIMEOUT", 6),
        Map.entry("KVC_MISS_RECOMPUTE", 7),
        Map.entry("KVC_MISS_DAMAGED", 8),
        Map.entry("KVC_MISS_COUNT", 9),
        Map.entry("KVC_TIER_HOST", 1),
        Map.entry("KVC_TIER_DEVICE", 2),
        Map.entry("KVC_TIER_DISK", 3),
        Map.entry("KVC_TIER_REMOTE", 4),
        Map.entry("KVC_LOG_ERROR", 1),
        Map.entry("KVC_LOG_WARN", 2),
        Map.entry("KVC_LOG_INFO", 3),
        Map.entry("KVC_LOG_DEBUG", 4),
        Map.entry("KVC_POLICY_INSERTED", 1),
        Map.entry("KVC_POLICY_USED", 2),
        Map.entry("KVC_POLICY_ENDED", 3),
        Map.entry("KVC_OPTION_INTEGER", 1),
        Map.entry("KVC_OPTION_SIZE", 2),
        Map.entry("KVC_OPTION_TIME", 3),
        Map.entry("KVC_OPTION_REAL", 4),
        Map.entry("KVC_OPTION_SWITCH", 5),
        Map.entry("KVC_OPTION_CHOICE", 6),
        Map.entry("KVC_OPTION_TEXT", 7),
        Map.entry("KVC_NONE_TOKENIZER", 1),
        Map.entry("KVC_NONE_ROPE", 2),
        Map.entry("KVC_NONE_ADAPTERS", 4),
        Map.entry("KVC_NONE_ATTENTION", 8),
        Map.entry("KVC_MAX_DIMS", 8),
        Map.entry("KVC_STRATEGY_FIXED", 0),
        Map.entry("KVC_STRATEGY_LEARNED", 1),
        Map.entry("KVC_STRATEGY_RECENCY", 2),
        Map.entry("KVC_REASON_NONE", 0),
        Map.entry("KVC_REASON_LOST", 1),
        Map.entry("KVC_REASON_RETRY", 2),
        Map.entry("KVC_REASON_METRICS", 3),
        Map.entry("KVC_OBJECTIVE_HITS", 0),
        Map.entry("KVC_OBJECTIVE_TIME", 1),
        Map.entry("KVC_BACKEND_PAGED", 1),
        Map.entry("KVC_BACKEND_OWN_KV", 2),
        Map.entry("KVC_MODULE_VERSION", 1));
}

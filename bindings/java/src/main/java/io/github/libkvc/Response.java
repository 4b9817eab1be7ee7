// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_response_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_response_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param status KVC_OK, or why it failed; what was generated until then is here all the same
 * @param finishReason KVC_FINISH_*
 * @param text the answer, zero-terminated UTF-8 (bytes that are no UTF-8 become U+FFFD)
 * @param tokens the answer's tokens
 * @param cacheHit 1 if any token of the prompt, but a bos alone, was found in the cache
 * @param promptTokens length of the prompt
 * @param cachedTokens tokens of the prompt whose K/V was reused
 * @param computedTokens tokens of the prompt whose K/V was computed
 * @param queueNs submission to first step
 * @param prefillNs first step to first token
 * @param decodeNs first token to last
 * @param totalNs submission to end; queue + prefill + decode
 * @param ttftNs submission to first token; 0 if there was none
 * @param savedNs estimate: cached_tokens at the measured speed of prefill
 * @param missReason KVC_MISS_*
 * @param missText in words, e.g. "miss: rope_base 10000 != 500000"; "" if there was none
 * @param error message of `status`; "" if KVC_OK
 * @param ticket of the request
 * @param approximateTokens of cached_tokens: their K/V went through a lossy codec
 * @param reserved2 0
 */
public record Response(
    int status,
    int finishReason,
    String text,
    int[] tokens,
    int cacheHit,
    int promptTokens,
    int cachedTokens,
    int computedTokens,
    long queueNs,
    long prefillNs,
    long decodeNs,
    long totalNs,
    long ttftNs,
    long savedNs,
    int missReason,
    String missText,
    String error,
    long ticket,
    int approximateTokens,
    int reserved2) {
    static Response of(MemorySegment s) {
        return new Response(
            s.get(JAVA_INT, kvc_response_t.STATUS),
            s.get(JAVA_INT, kvc_response_t.FINISH_REASON),
            Mem.text(s, kvc_response_t.TEXT, kvc_response_t.TEXT_SIZE),
            Mem.ints(s, kvc_response_t.TOKENS, kvc_response_t.N_TOKENS),
            s.get(JAVA_INT, kvc_response_t.CACHE_HIT),
            s.get(JAVA_INT, kvc_response_t.PROMPT_TOKENS),
            s.get(JAVA_INT, kvc_response_t.CACHED_TOKENS),
            s.get(JAVA_INT, kvc_response_t.COMPUTED_TOKENS),
            s.get(JAVA_LONG, kvc_response_t.QUEUE_NS),
            s.get(JAVA_LONG, kvc_response_t.PREFILL_NS),
            s.get(JAVA_LONG, kvc_response_t.DECODE_NS),
            s.get(JAVA_LONG, kvc_response_t.TOTAL_NS),
            s.get(JAVA_LONG, kvc_response_t.TTFT_NS),
            s.get(JAVA_LONG, kvc_response_t.SAVED_NS),
            s.get(JAVA_INT, kvc_response_t.MISS_REASON),
            Mem.text(s, kvc_response_t.MISS_TEXT),
            Mem.text(s, kvc_response_t.ERROR),
            s.get(JAVA_LONG, kvc_response_t.TICKET),
            s.get(JAVA_INT, kvc_response_t.APPROXIMATE_TOKENS),
            s.get(JAVA_INT, kvc_response_t.RESERVED2));
    }
}

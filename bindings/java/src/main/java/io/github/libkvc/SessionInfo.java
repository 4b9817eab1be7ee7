// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_session_info_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_session_info_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param length committed tokens
 * @param matched of these, found by kvc_session_match
 * @param pages sealed pages
 * @param pending tokens appended to every layer and not committed
 * @param tailBytes memory of pages that are not sealed and not shared
 * @param priority priority
 * @param pinned 1 if the sealed pages are pinned
 * @param domain equal for sessions of one tenant, else different; means nothing outside this engine
 * @param approximate of length: tokens whose K/V went through a lossy codec
 * @param sparse of approximate: tokens of pages of which attention sees a part (codec sparse)
 * @param aged of approximate: tokens whose pages were encoded again, to fewer bits, at rest
 */
public record SessionInfo(
    long length,
    long matched,
    long pages,
    long pending,
    long tailBytes,
    int priority,
    int pinned,
    long domain,
    long approximate,
    long sparse,
    long aged) {
    static SessionInfo of(MemorySegment s) {
        return new SessionInfo(
            s.get(JAVA_LONG, kvc_session_info_t.LENGTH),
            s.get(JAVA_LONG, kvc_session_info_t.MATCHED),
            s.get(JAVA_LONG, kvc_session_info_t.PAGES),
            s.get(JAVA_LONG, kvc_session_info_t.PENDING),
            s.get(JAVA_LONG, kvc_session_info_t.TAIL_BYTES),
            s.get(JAVA_INT, kvc_session_info_t.PRIORITY),
            s.get(JAVA_INT, kvc_session_info_t.PINNED),
            s.get(JAVA_LONG, kvc_session_info_t.DOMAIN),
            s.get(JAVA_LONG, kvc_session_info_t.APPROXIMATE),
            s.get(JAVA_LONG, kvc_session_info_t.SPARSE),
            s.get(JAVA_LONG, kvc_session_info_t.AGED));
    }
}

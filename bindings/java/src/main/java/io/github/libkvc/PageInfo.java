// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_page_info_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_page_info_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param id id
 * @param parent the space's root for a first page
 * @param space digest of the space
 * @param position of its first token
 * @param bytes K/V as stored
 * @param metadataBytes metadata bytes
 * @param hits matches that used it
 * @param ageNs since it was sealed
 * @param idleNs since it was last used
 * @param nTokens page_tokens; fewer in the last page of a session that was closed
 * @param references sessions that end in this page
 * @param children pages that continue it
 * @param tier KVC_TIER_*
 * @param priority priority
 * @param pinned pinned
 * @param codec name of its codec, e.g. "identity"
 * @param approximate 1: its K/V is not bit for bit what was appended
 * @param aged 1: encoded again, to fewer bits, after nobody had used it for codec_rest_after
 * @param reserved2 0
 */
public record PageInfo(
    byte[] id,
    byte[] parent,
    byte[] space,
    long position,
    long bytes,
    long metadataBytes,
    long hits,
    long ageNs,
    long idleNs,
    int nTokens,
    int references,
    int children,
    int tier,
    int priority,
    int pinned,
    String codec,
    int approximate,
    int aged,
    int reserved2) {
    static PageInfo of(MemorySegment s) {
        return new PageInfo(
            s.asSlice(kvc_page_info_t.ID, 32).toArray(JAVA_BYTE),
            s.asSlice(kvc_page_info_t.PARENT, 32).toArray(JAVA_BYTE),
            s.asSlice(kvc_page_info_t.SPACE, 32).toArray(JAVA_BYTE),
            s.get(JAVA_LONG, kvc_page_info_t.POSITION),
            s.get(JAVA_LONG, kvc_page_info_t.BYTES),
            s.get(JAVA_LONG, kvc_page_info_t.METADATA_BYTES),
            s.get(JAVA_LONG, kvc_page_info_t.HITS),
            s.get(JAVA_LONG, kvc_page_info_t.AGE_NS),
            s.get(JAVA_LONG, kvc_page_info_t.IDLE_NS),
            s.get(JAVA_INT, kvc_page_info_t.N_TOKENS),
            s.get(JAVA_INT, kvc_page_info_t.REFERENCES),
            s.get(JAVA_INT, kvc_page_info_t.CHILDREN),
            s.get(JAVA_INT, kvc_page_info_t.TIER),
            s.get(JAVA_INT, kvc_page_info_t.PRIORITY),
            s.get(JAVA_INT, kvc_page_info_t.PINNED),
            s.getString(kvc_page_info_t.CODEC),
            s.get(JAVA_INT, kvc_page_info_t.APPROXIMATE),
            s.get(JAVA_INT, kvc_page_info_t.AGED),
            s.get(JAVA_INT, kvc_page_info_t.RESERVED2));
    }
}

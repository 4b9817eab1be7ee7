// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_space_info_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_space_info_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param digest of the identity; the root of every chain
 * @param nLayers n layers
 * @param nKvHeads n kv heads
 * @param kHeadDim k head dim
 * @param vHeadDim v head dim
 * @param dtype dtype
 * @param pageTokens page tokens
 * @param pageBytes K/V bytes of one page before any codec
 * @param vocabSize vocab size
 */
public record SpaceInfo(
    byte[] digest,
    int nLayers,
    int nKvHeads,
    int kHeadDim,
    int vHeadDim,
    int dtype,
    int pageTokens,
    long pageBytes,
    int vocabSize) {
    static SpaceInfo of(MemorySegment s) {
        return new SpaceInfo(
            s.asSlice(kvc_space_info_t.DIGEST, 32).toArray(JAVA_BYTE),
            s.get(JAVA_INT, kvc_space_info_t.N_LAYERS),
            s.get(JAVA_INT, kvc_space_info_t.N_KV_HEADS),
            s.get(JAVA_INT, kvc_space_info_t.K_HEAD_DIM),
            s.get(JAVA_INT, kvc_space_info_t.V_HEAD_DIM),
            s.get(JAVA_INT, kvc_space_info_t.DTYPE),
            s.get(JAVA_INT, kvc_space_info_t.PAGE_TOKENS),
            s.get(JAVA_LONG, kvc_space_info_t.PAGE_BYTES),
            s.get(JAVA_INT, kvc_space_info_t.VOCAB_SIZE));
    }
}

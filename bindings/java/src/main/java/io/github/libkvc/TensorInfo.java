// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_tensor_info_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_tensor_info_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param codec as in kvc_put_options_t; static text
 * @param bytes of memory that its numbers take
 * @param rawBytes as it is given back
 * @param error measured when it was stored: root mean square of (decoded - original) over that of the original; 0 = bit for bit
 * @param approximate 1: not bit for bit what was put
 * @param plane as it was asked for
 */
public record TensorInfo(
    String codec,
    long bytes,
    long rawBytes,
    double error,
    int approximate,
    int plane) {
    static TensorInfo of(MemorySegment s) {
        return new TensorInfo(
            Mem.text(s, kvc_tensor_info_t.CODEC),
            s.get(JAVA_LONG, kvc_tensor_info_t.BYTES),
            s.get(JAVA_LONG, kvc_tensor_info_t.RAW_BYTES),
            s.get(JAVA_DOUBLE, kvc_tensor_info_t.ERROR),
            s.get(JAVA_INT, kvc_tensor_info_t.APPROXIMATE),
            s.get(JAVA_INT, kvc_tensor_info_t.PLANE));
    }
}

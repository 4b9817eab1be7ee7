// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_DTYPE_* of kvc.h. More may come; so they are numbers. */
public final class DType {
    private DType() {}

    /** IEEE 754 binary32 */
    public static final int F32 = 1;

    /** IEEE 754 binary16 */
    public static final int F16 = 2;

    /** bfloat16 */
    public static final int BF16 = 3;

    /** opaque bytes, e.g. rows that a runtime has quantised: stored and given back as they are */
    public static final int U8 = 4;
}

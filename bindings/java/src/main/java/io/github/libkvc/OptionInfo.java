// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_option_info_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_option_info_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param type KVC_OPTION_*
 * @param name name
 * @param defaultValue of the preset "seamless"
 * @param minimum "" where there is none
 * @param maximum "" where there is none
 * @param choices "" unless type is KVC_OPTION_CHOICE
 * @param doc one or two sentences
 * @param since version that introduced it
 */
public record OptionInfo(
    int type,
    String name,
    String defaultValue,
    String minimum,
    String maximum,
    String choices,
    String doc,
    String since) {
    static OptionInfo of(MemorySegment s) {
        return new OptionInfo(
            s.get(JAVA_INT, kvc_option_info_t.TYPE),
            Mem.text(s, kvc_option_info_t.NAME),
            Mem.text(s, kvc_option_info_t.DEFAULT_VALUE),
            Mem.text(s, kvc_option_info_t.MINIMUM),
            Mem.text(s, kvc_option_info_t.MAXIMUM),
            Mem.text(s, kvc_option_info_t.CHOICES),
            Mem.text(s, kvc_option_info_t.DOC),
            Mem.text(s, kvc_option_info_t.SINCE));
    }
}

package io.github.libkvc;

import java.lang.foreign.MemoryLayout;
import java.util.Map;

/** What the layouts say is what a C compiler found in kvc.h (tests/abi/layout.json). */
public final class LayoutTest {
    private LayoutTest() {}

    /** Problems, one a line; "" if there are none. */
    @SuppressWarnings("unchecked")
    public static String problems(Object json) {
        StringBuilder out = new StringBuilder();
        var golden = (Map<String, Map<String, Object>>) json;
        golden.get("structs").forEach((name, wanted) -> {
            var layout = Structs.ALL.get(name);
            var want = (Map<String, Object>) wanted;
            if (layout == null || layout.byteSize() != ((Double) want.get("size")).longValue()) {
                out.append(name).append(" has another size\n");
                return;
            }
            ((Map<String, Map<String, Double>>) want.get("fields")).forEach((field, place) -> {
                var path = MemoryLayout.PathElement.groupElement(field);
                if (layout.byteOffset(path) != place.get("offset").longValue() || layout.select(path).byteSize() != place.get("size").longValue()) {
                    out.append(name).append('.').append(field).append(" lies elsewhere\n");
                }
            });
        });
        golden.get("constants").forEach((name, value) -> {
            if (!Integer.valueOf(((Double) value).intValue()).equals(Structs.CONSTANTS.get(name))) {
                out.append(name).append(" has another value\n");
            }
        });
        if (golden.get("structs").size() < 20 || golden.get("constants").size() < 90) {
            out.append("the golden file is not whole\n");
        }
        return out.toString();
    }
}

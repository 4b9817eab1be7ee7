package io.github.libkvc;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The library itself. It is loaded when the first function is used, from where {@link #load} says, KVC_LIBRARY (a file),
 * KVC_LIBRARY_PATH (a folder), this jar, or the system's loader finds it.
 */
public final class Kvc {
    private Kvc() {}

    /** Loads the library now, from a path. */
    public static void load(String path) {
        Library.load(path);
    }

    /** The library's version. */
    public static String version() {
        return Mem.textAt(Raw.kvc_version_string());
    }

    /** The library's ABI; one that this package was not made for is not loaded. */
    public static int abiVersion() {
        return Raw.kvc_abi_version();
    }

    /** How the library was built, as one JSON object. */
    public static String buildInfo() {
        return Mem.textAt(Raw.kvc_build_info());
    }

    /** Whether the library has a feature; unknown ones it has not. */
    public static boolean hasFeature(String name) {
        try (Arena arena = Arena.ofConfined()) {
            return Raw.kvc_has_feature(Mem.text(arena, name)) != 0;
        }
    }

    /** "KVC_E_NO_MEMORY" for -300. */
    public static String statusName(int status) {
        return Mem.textAt(Raw.kvc_status_name(status));
    }

    /** Every option there is. */
    public static List<OptionInfo> options() {
        List<OptionInfo> found = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < Raw.kvc_option_count(); i++) {
                MemorySegment info = Mem.struct(arena, Structs.kvc_option_info_t.LAYOUT);
                KvcException.check(Raw.kvc_option_info(i, info.address()), null, 0);
                found.add(OptionInfo.of(info));
            }
        }
        return found;
    }

    /** What the module of model files works with on this machine, or why it cannot, as JSON. config may be null. */
    public static String moduleInfo(Config config) {
        long raw = config == null ? 0 : config.raw;
        return Mem.written((b, c, n) -> KvcException.check(Raw.kvc_module_info(raw, b, c, n), null, 0));
    }
}

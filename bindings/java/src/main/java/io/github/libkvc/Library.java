package io.github.libkvc;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Finds libkvc.so and loads it once; it is never unloaded, for other threads may be inside. */
final class Library {
    private Library() {}

    private static final String NAME = "libkvc.so." + Raw.ABI_VERSION;
    private static final String BUNDLED = "/META-INF/native/" + platform() + "/";

    private static String path;
    private static SymbolLookup symbols;

    private static String platform() {
        String machine = System.getProperty("os.arch");
        return System.getProperty("os.name").toLowerCase(java.util.Locale.ROOT).replace(' ', '_') + "-" + (machine.equals("amd64") ? "x86_64" : machine);
    }

    /** Loads from a path, or, with null, from where KVC_LIBRARY, KVC_LIBRARY_PATH, this jar or the system's loader has it. */
    static synchronized String load(String wanted) {
        if (symbols != null) {
            if (wanted != null && !wanted.equals(path)) {
                throw new IllegalStateException("kvc is loaded already, from " + path);
            }
            return path;
        }
        String file = System.getenv("KVC_LIBRARY");
        String folder = System.getenv("KVC_LIBRARY_PATH");
        // What is named explicitly has no alternative.
        if (wanted != null) {
            open(wanted);
        } else if (file != null && !file.isEmpty()) {
            open(file);
        } else if (folder != null && !folder.isEmpty()) {
            open(Path.of(folder, NAME).toString());
        } else if (Library.class.getResource(BUNDLED + "files") != null) {
            openBundled();
        } else {
            open(NAME);
        }
        return path;
    }

    private static void open(String candidate) {
        SymbolLookup found;
        try {
            found = SymbolLookup.libraryLookup(candidate, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new UnsatisfiedLinkError("libkvc could not be loaded: " + e.getMessage() + ". Name it by Kvc.load(path), by KVC_LIBRARY "
                + "(a file) or by KVC_LIBRARY_PATH (a folder)");
        }
        int abi;
        try {
            MethodHandle ask = Linker.nativeLinker().downcallHandle(
                found.find("kvc_abi_version").orElseThrow(() -> new UnsatisfiedLinkError(candidate + " is no libkvc")),
                FunctionDescriptor.of(ValueLayout.JAVA_INT));
            abi = (int) ask.invokeExact();
        } catch (Throwable e) {
            throw unexpected(e);
        }
        if (abi != Raw.ABI_VERSION) {
            throw new UnsatisfiedLinkError(candidate + " speaks ABI " + abi + ", this package ABI " + Raw.ABI_VERSION
                + ": install the library that belongs to it, or name another by KVC_LIBRARY");
        }
        symbols = found;
        path = candidate;
    }

    /** The loader needs files: those of this jar are written into a folder, loaded, and removed again. */
    private static void openBundled() {
        List<Path> written = new ArrayList<>();
        try {
            Path folder = Files.createTempDirectory("kvc");
            written.add(folder);
            for (String name : new String(resource("files").readAllBytes(), StandardCharsets.UTF_8).strip().split("\n")) {
                Path target = folder.resolve(name);
                written.add(0, target);
                try (InputStream in = resource(name)) {
                    Files.copy(in, target);
                }
            }
            open(folder.resolve(NAME).toString());
        } catch (IOException e) {
            throw new UncheckedIOException("the library inside the jar could not be written to a folder; name one by KVC_LIBRARY", e);
        } finally {
            for (Path file : written) {
                file.toFile().delete();
            }
        }
    }

    private static InputStream resource(String name) throws IOException {
        InputStream in = Library.class.getResourceAsStream(BUNDLED + name);
        if (in == null) {
            throw new IOException("the jar has no " + BUNDLED + name);
        }
        return in;
    }

    /** A function of the library; one that it does not have throws when it is called. */
    static MethodHandle function(String name, FunctionDescriptor descriptor) {
        load(null);
        return symbols.find(name).map(address -> Linker.nativeLinker().downcallHandle(address, descriptor)).orElseGet(() -> {
            var type = descriptor.toMethodType();
            var missing = new UnsupportedOperationException(path + " has no " + name + ": it is older than this package (" + Raw.VERSION + ")");
            return MethodHandles.dropArguments(MethodHandles.throwException(type.returnType(), RuntimeException.class).bindTo(missing), 0,
                type.parameterList());
        });
    }

    static RuntimeException unexpected(Throwable e) {
        if (e instanceof RuntimeException r) {
            throw r;
        }
        if (e instanceof Error r) {
            throw r;
        }
        return new IllegalStateException(e);
    }
}

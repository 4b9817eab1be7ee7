package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_backend_t;
import io.github.libkvc.Structs.kvc_forward_t;
import io.github.libkvc.Structs.kvc_message_t;
import io.github.libkvc.Structs.kvc_model_info_t;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The table of functions of a backend: what kvc calls, and how it gets to the Java object. */
final class Backends {
    private Backends() {}

    /** A backend that kvc has; its arena holds what kvc_model_info_t points to. */
    static final class Running {
        final Backend backend;
        Arena arena;
        int vocabSize;

        Running(Backend backend) {
            this.backend = backend;
        }
    }

    private interface Body {
        void run(Running running) throws Throwable;
    }

    /** Runs a callback's body: whatever it throws becomes a status and words. */
    private static int guard(long user, long words, long size, Body body) {
        try {
            body.run(Registry.find(user, Running.class));
            return Status.OK;
        } catch (Throwable e) {
            try {
                byte[] text = (e instanceof KvcException k ? k.words() : e.toString()).getBytes(StandardCharsets.UTF_8);
                if (words != 0 && size > 0) {
                    MemorySegment buffer = Mem.at(words, size);
                    int n = (int) Math.min(text.length, size - 1);
                    MemorySegment.copy(text, 0, buffer, JAVA_BYTE, 0, n);
                    buffer.set(JAVA_BYTE, n, (byte) 0);
                }
                return e instanceof KvcException k && k.code() < 0 ? k.code() : Status.USER;
            } catch (Throwable worse) {
                return Status.USER;
            }
        }
    }

    private static void give(byte[] bytes, long target, long capacity, long size) {
        Mem.at(size, 8).set(JAVA_LONG, 0, bytes.length);
        if (target != 0 && capacity > 0) {
            MemorySegment.copy(bytes, 0, Mem.at(target, capacity), JAVA_BYTE, 0, (int) Math.min(bytes.length, capacity));
        }
    }

    static int describe(long user, long address, long words, long size) {
        return guard(user, words, size, running -> {
            ModelInfo told = running.backend.describe();
            Arena arena = running.arena = Arena.ofShared();
            MemorySegment info = Mem.at(address, kvc_model_info_t.SIZEOF);
            running.vocabSize = told.space.vocabSize();
            info.set(JAVA_LONG, kvc_model_info_t.NAME, Mem.text(arena, told.name));
            // The space that kvc gives may be the smaller struct of an older library: point to ours, which says its own size.
            info.set(JAVA_LONG, kvc_model_info_t.SPACE, told.space.c(arena).address());
            info.set(JAVA_INT, kvc_model_info_t.CONTEXT, told.context);
            info.set(JAVA_INT, kvc_model_info_t.MAX_BATCH_TOKENS, told.maxBatchTokens);
            info.set(JAVA_INT, kvc_model_info_t.BOS, told.bos);
            info.set(JAVA_INT, kvc_model_info_t.EOS, told.eos);
            info.set(JAVA_LONG, kvc_model_info_t.ENDS, told.ends.length == 0 ? 0 : Mem.ints(arena, told.ends));
            info.set(JAVA_INT, kvc_model_info_t.N_ENDS, told.ends.length);
            info.set(JAVA_INT, kvc_model_info_t.TOTAL_TOKENS, told.totalTokens);
            info.set(JAVA_INT, kvc_model_info_t.STATE_TOKENS, told.stateTokens);
            info.set(JAVA_LONG, kvc_model_info_t.DETAILS, Mem.text(arena, told.details));
        });
    }

    static int tokenize(long user, long text, long length, long tokens, long capacity, long n, long words, long size) {
        return guard(user, words, size, running -> {
            int[] found = running.backend.tokenize(Mem.bytesAt(text, length));
            Mem.at(n, 8).set(JAVA_LONG, 0, found.length);
            if (tokens != 0 && capacity > 0) {
                MemorySegment.copy(found, 0, Mem.at(tokens, capacity * 4), JAVA_INT, 0, (int) Math.min(found.length, capacity));
            }
        });
    }

    static int detokenize(long user, int token, long bytes, long capacity, long n, long words, long size) {
        return guard(user, words, size, running -> give(running.backend.detokenize(token), bytes, capacity, n));
    }

    static int sequenceOpen(long user, long sequence, long words, long size) {
        return guard(user, words, size, running -> ((Backend.Sequences) running.backend).sequenceOpen(sequence));
    }

    static void sequenceClose(long user, long sequence) {
        try {
            ((Backend.Sequences) Registry.find(user, Running.class).backend).sequenceClose(sequence);
        } catch (Throwable e) {
            Callbacks.report(e);
        }
    }

    private static SessionView view(long session) {
        return session == 0 ? null : new SessionView(session, null);
    }

    static int forward(long user, long items, int n, long words, long size) {
        return guard(user, words, size, running -> {
            List<Backend.Forward> all = new ArrayList<>(n);
            long address = items;
            for (int i = 0; i < n; i++) {
                MemorySegment c = Mem.at(address, kvc_forward_t.SIZEOF);
                long logits = c.get(JAVA_LONG, kvc_forward_t.LOGITS);
                all.add(new Backend.Forward(c.get(JAVA_LONG, kvc_forward_t.SEQUENCE), view(c.get(JAVA_LONG, kvc_forward_t.SESSION)),
                    Mem.intsAt(c.get(JAVA_LONG, kvc_forward_t.TOKENS), c.get(JAVA_INT, kvc_forward_t.N)), c.get(JAVA_INT, kvc_forward_t.POSITION),
                    logits == 0 ? null : Mem.at(logits, 4L * running.vocabSize)));
                address += c.get(JAVA_LONG, kvc_forward_t.STRUCT_SIZE); // kvc's elements may be larger than this package's struct
            }
            running.backend.forward(all);
        });
    }

    static int exportKv(long user, long sequence, long session, int from, int n, long words, long size) {
        return guard(user, words, size, running -> ((Backend.OwnKv) running.backend).exportKv(sequence, view(session), from, n));
    }

    static int importKv(long user, long sequence, long session, long tokens, int from, int n, long words, long size) {
        return guard(user, words, size, running -> ((Backend.OwnKv) running.backend).importKv(sequence, view(session), Mem.intsAt(tokens, n), from));
    }

    static int truncate(long user, long sequence, int n, long words, long size) {
        return guard(user, words, size, running -> ((Backend.OwnKv) running.backend).truncate(sequence, n));
    }

    static void destroy(long user) {
        try {
            Running running = Registry.find(user, Running.class);
            running.backend.released();
            if (running.arena != null) {
                running.arena.close();
            }
        } catch (Throwable e) {
            Callbacks.report(e);
        }
    }

    static int chatText(long user, long messages, long n, int answer, long text, long capacity, long length, long words, long size) {
        return guard(user, words, size, running -> {
            List<Message> list = new ArrayList<>();
            long address = messages;
            for (long i = 0; i < n; i++) {
                MemorySegment c = Mem.at(address, kvc_message_t.SIZEOF);
                list.add(new Message(Mem.text(c, kvc_message_t.ROLE), Mem.text(c, kvc_message_t.CONTENT)));
                address += c.get(JAVA_LONG, kvc_message_t.STRUCT_SIZE);
            }
            give(((Backend.Chat) running.backend).chatText(list, answer != 0).getBytes(StandardCharsets.UTF_8), text, capacity, length);
        });
    }

    static int saveState(long user, long sequence, int n, long bytes, long capacity, long length, long words, long size) {
        return guard(user, words, size, running -> {
            byte[] state = ((Backend.States) running.backend).saveState(sequence, n);
            give(state, capacity >= state.length ? bytes : 0, capacity, length);
        });
    }

    static int loadState(long user, long sequence, long tokens, int n, long bytes, long length, long words, long size) {
        return guard(user, words, size,
            running -> ((Backend.States) running.backend).loadState(sequence, Mem.intsAt(tokens, n), Mem.bytesAt(bytes, length)));
    }

    private static long stub(String name, FunctionDescriptor descriptor) {
        return Callbacks.stub(Backends.class, name, descriptor);
    }

    /** One C function of each kind for the whole process, made when the first backend is given. */
    private static final class Stubs {
        static final long DESCRIBE = stub("describe", Raw.Callbacks.KVC_BACKEND_DESCRIBE);
        static final long TOKENIZE = stub("tokenize", Raw.Callbacks.KVC_BACKEND_TOKENIZE);
        static final long DETOKENIZE = stub("detokenize", Raw.Callbacks.KVC_BACKEND_DETOKENIZE);
        static final long SEQUENCE_OPEN = stub("sequenceOpen", Raw.Callbacks.KVC_BACKEND_SEQUENCE_OPEN);
        static final long SEQUENCE_CLOSE = stub("sequenceClose", Raw.Callbacks.KVC_BACKEND_SEQUENCE_CLOSE);
        static final long FORWARD = stub("forward", Raw.Callbacks.KVC_BACKEND_FORWARD);
        static final long EXPORT_KV = stub("exportKv", Raw.Callbacks.KVC_BACKEND_EXPORT_KV);
        static final long IMPORT_KV = stub("importKv", Raw.Callbacks.KVC_BACKEND_IMPORT_KV);
        static final long TRUNCATE = stub("truncate", Raw.Callbacks.KVC_BACKEND_TRUNCATE);
        static final long DESTROY = stub("destroy", Raw.Callbacks.KVC_BACKEND_DESTROY);
        static final long CHAT_TEXT = stub("chatText", Raw.Callbacks.KVC_BACKEND_CHAT_TEXT);
        static final long SAVE_STATE = stub("saveState", Raw.Callbacks.KVC_BACKEND_SAVE_STATE);
        static final long LOAD_STATE = stub("loadState", Raw.Callbacks.KVC_BACKEND_LOAD_STATE);
    }

    static MemorySegment table(Arena arena, Backend backend, long number) {
        MemorySegment c = Mem.struct(arena, kvc_backend_t.LAYOUT);
        c.set(JAVA_LONG, kvc_backend_t.USER_DATA, number);
        c.set(JAVA_INT, kvc_backend_t.KIND, backend instanceof Backend.OwnKv ? BackendKind.OWN_KV : BackendKind.PAGED);
        c.set(JAVA_LONG, kvc_backend_t.DESCRIBE, Stubs.DESCRIBE);
        c.set(JAVA_LONG, kvc_backend_t.TOKENIZE, Stubs.TOKENIZE);
        c.set(JAVA_LONG, kvc_backend_t.DETOKENIZE, Stubs.DETOKENIZE);
        c.set(JAVA_LONG, kvc_backend_t.FORWARD, Stubs.FORWARD);
        c.set(JAVA_LONG, kvc_backend_t.DESTROY, Stubs.DESTROY);
        if (backend instanceof Backend.Sequences) {
            c.set(JAVA_LONG, kvc_backend_t.SEQUENCE_OPEN, Stubs.SEQUENCE_OPEN);
            c.set(JAVA_LONG, kvc_backend_t.SEQUENCE_CLOSE, Stubs.SEQUENCE_CLOSE);
        }
        if (backend instanceof Backend.OwnKv) {
            c.set(JAVA_LONG, kvc_backend_t.EXPORT_KV, Stubs.EXPORT_KV);
            c.set(JAVA_LONG, kvc_backend_t.IMPORT_KV, Stubs.IMPORT_KV);
            c.set(JAVA_LONG, kvc_backend_t.TRUNCATE, Stubs.TRUNCATE);
        }
        if (backend instanceof Backend.Chat) {
            c.set(JAVA_LONG, kvc_backend_t.CHAT_TEXT, Stubs.CHAT_TEXT);
        }
        if (backend instanceof Backend.States) {
            c.set(JAVA_LONG, kvc_backend_t.SAVE_STATE, Stubs.SAVE_STATE);
            c.set(JAVA_LONG, kvc_backend_t.LOAD_STATE, Stubs.LOAD_STATE);
        }
        return c;
    }
}

package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_session_options_t;
import io.github.libkvc.Structs.kvc_space_info_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The identity of one model's K/V. Two spaces with any difference never share a page. */
public final class Space extends Handle {
    private final Engine engine;

    Space(long raw, Engine engine) {
        super(raw, Raw::kvc_space_close);
        this.engine = engine;
    }

    private int check(int status) {
        java.lang.ref.Reference.reachabilityFence(this);
        return engine.check(status);
    }

    /** Its layout as resolved, and its digest. */
    public SpaceInfo info() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = Mem.struct(arena, kvc_space_info_t.LAYOUT);
            check(Raw.kvc_space_info(raw, info.address()));
            return SpaceInfo.of(info);
        }
    }

    /** In what it differs from another of the same engine; "" if in nothing. */
    public String diff(Space other) {
        return Mem.written((b, c, n) -> check(Raw.kvc_space_diff(raw, other.raw, b, c, n)));
    }

    /** The identities of the whole pages of a token sequence. tenant may be null. */
    public List<byte[]> pageIds(String tenant, int... tokens) {
        for (long capacity = 64; ; ) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment n = arena.allocate(JAVA_LONG);
                MemorySegment ids = arena.allocate(32 * capacity);
                int status = Raw.kvc_space_page_ids(raw, Mem.text(arena, tenant), Mem.ints(arena, tokens), tokens.length, ids.address(), capacity,
                    n.address());
                if (status == Status.BUFFER) {
                    capacity = n.get(JAVA_LONG, 0);
                    continue;
                }
                check(status);
                List<byte[]> found = new ArrayList<>();
                for (long i = 0; i < n.get(JAVA_LONG, 0); i++) {
                    found.add(Mem.bytesAt(ids.address() + 32 * i, 32));
                }
                return found;
            }
        }
    }

    /** Writes the stored prefix of tokens into a prefix pack, one file to ship with an application; the number of tokens in it. */
    public long packWrite(String path, String tenant, int... tokens) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment n = arena.allocate(JAVA_LONG);
            check(Raw.kvc_pack_write(raw, Mem.text(arena, tenant), Mem.ints(arena, tokens), tokens.length, Mem.text(arena, path), n.address()));
            return n.get(JAVA_LONG, 0);
        }
    }

    /** Opens an empty session. */
    public Session openSession() {
        return openSession(SessionOptions.DEFAULT);
    }

    /** Opens an empty session. */
    public Session openSession(SessionOptions options) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment c = Mem.struct(arena, kvc_session_options_t.LAYOUT);
            c.set(JAVA_LONG, kvc_session_options_t.TENANT, Mem.text(arena, options.tenant()));
            c.set(JAVA_LONG, kvc_session_options_t.SESSION_ID, Mem.text(arena, options.sessionId()));
            c.set(JAVA_INT, kvc_session_options_t.PRIORITY, options.priority());
            c.set(JAVA_INT, kvc_session_options_t.NO_PUBLISH, options.noPublish() ? 1 : 0);
            c.set(JAVA_INT, kvc_session_options_t.EXACT, options.exact() ? 1 : 0);
            c.set(JAVA_INT, kvc_session_options_t.NO_AGED, options.noAged() ? 1 : 0);
            MemorySegment out = arena.allocate(JAVA_LONG);
            check(Raw.kvc_session_open(raw, c.address(), out.address()));
            return new Session(out.get(JAVA_LONG, 0), engine);
        }
    }
}

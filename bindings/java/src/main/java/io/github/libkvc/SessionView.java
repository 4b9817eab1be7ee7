package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_attend_t;
import io.github.libkvc.Structs.kvc_session_info_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.function.LongConsumer;

/** A token sequence that is being extended. A view is of one that somebody else owns: what a Backend finds, for the time of that call. */
public sealed class SessionView extends Handle permits Session {
    SessionView(long raw, LongConsumer release) {
        super(raw, release);
    }

    final int check(int status) {
        KvcException.check(status, Raw::kvc_session_last_error, raw);
        java.lang.ref.Reference.reachabilityFence(this);
        return status;
    }

    /** Attaches the longest stored prefix of tokens; the session's length afterwards: so many need not be computed. */
    public long match(int... tokens) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment reused = arena.allocate(JAVA_LONG);
            check(Raw.kvc_session_match(raw, Mem.ints(arena, tokens), tokens.length, reused.address()));
            return reused.get(JAVA_LONG, 0);
        }
    }

    /**
     * Why the last match found no more.
     *
     * @param reason a MissReason
     * @param text in words
     */
    public record Miss(int reason, String text) {}

    /** Why the last match found no more. */
    public Miss miss() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment reason = arena.allocate(JAVA_INT);
            String text = Mem.written((b, c, n) -> check(Raw.kvc_session_miss(raw, reason.address(), b, c, n)));
            return new Miss(reason.get(JAVA_INT, 0), text);
        }
    }

    /** Adds K and V, [n][heads][dim], of the next n tokens of one layer. */
    public void append(int layer, Tensor k, Tensor v, long n) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor.Given ks = Tensor.in(arena, List.of(k));
            Tensor.Given vs = Tensor.in(arena, List.of(v));
            check(Raw.kvc_session_append(raw, layer, ks.address, vs.address, n));
            keep(k, v);
        }
    }

    /** The same for all layers at once; all or nothing. */
    public void appendAll(List<Tensor> k, List<Tensor> v, long n) {
        if (k.isEmpty() || k.size() != v.size()) {
            throw new KvcException(Status.SHAPE, k.size() + " K tensors but " + v.size() + " V tensors; give one of each for every layer");
        }
        try (Arena arena = Arena.ofConfined()) {
            Tensor.Given ks = Tensor.in(arena, k);
            Tensor.Given vs = Tensor.in(arena, v);
            check(Raw.kvc_session_append_all(raw, ks.address, vs.address, k.size(), n));
            keep(k, v);
        }
    }

    private static void keep(Object k, Object v) {
        java.lang.ref.Reference.reachabilityFence(k);
        java.lang.ref.Reference.reachabilityFence(v);
    }

    /** Names the tokens that were appended; full pages can be found from now on. */
    public void commit(int... tokens) {
        try (Arena arena = Arena.ofConfined()) {
            check(Raw.kvc_session_commit(raw, Mem.ints(arena, tokens), tokens.length));
        }
    }

    /** Gathers n tokens of one Plane of one layer into out, [n][heads][dim]. */
    public void read(int layer, int plane, long from, long n, Tensor out) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor.Given given = Tensor.out(arena, List.of(out));
            check(Raw.kvc_session_read(raw, layer, plane, from, n, given.address));
            given.back();
        }
    }

    /** K and V of all layers; an empty list: that plane is not wanted. */
    public void readAll(long from, long n, List<Tensor> k, List<Tensor> v) {
        if (!k.isEmpty() && !v.isEmpty() && k.size() != v.size()) {
            throw new KvcException(Status.SHAPE, k.size() + " K tensors but " + v.size() + " V tensors");
        }
        try (Arena arena = Arena.ofConfined()) {
            Tensor.Given ks = Tensor.out(arena, k);
            Tensor.Given vs = Tensor.out(arena, v);
            check(Raw.kvc_session_read_all(raw, from, n, ks.address, vs.address, Math.max(k.size(), v.size())));
            ks.back();
            vs.back();
        }
    }

    /** Attention of queries [n][heads][k_head_dim] over all that one layer has, into out [n][heads][v_head_dim]. */
    public void attend(int layer, Attend how, Tensor query, Tensor out) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment c = Mem.struct(arena, kvc_attend_t.LAYOUT);
            KvcException.check(Raw.kvc_attend_init(c.address(), kvc_attend_t.SIZEOF), null, 0);
            c.set(JAVA_DOUBLE, kvc_attend_t.SCALE, how.scale());
            c.set(JAVA_DOUBLE, kvc_attend_t.SOFTCAP, how.softcap());
            c.set(JAVA_LONG, kvc_attend_t.WINDOW, how.window());
            c.set(JAVA_LONG, kvc_attend_t.SINKS, how.sinks());
            c.set(JAVA_LONG, kvc_attend_t.LATER, how.later());
            c.set(JAVA_INT, kvc_attend_t.BIDIRECTIONAL, how.bidirectional() ? 1 : 0);
            c.set(JAVA_INT, kvc_attend_t.N_THREADS, how.nThreads());
            c.set(JAVA_LONG, kvc_attend_t.ALIBI_SLOPES, perHead(arena, how.alibiSlopes(), query));
            c.set(JAVA_LONG, kvc_attend_t.SINK_SCORES, perHead(arena, how.sinkScores(), query));
            Tensor.Given queries = Tensor.in(arena, List.of(query));
            Tensor.Given answers = Tensor.out(arena, List.of(out));
            check(Raw.kvc_session_attend(raw, layer, c.address(), queries.address, answers.address));
            answers.back();
            keep(query, out);
        }
    }

    private static long perHead(Arena arena, float[] numbers, Tensor query) {
        if (numbers == null) {
            return 0;
        }
        if (numbers.length != query.dim(1)) {
            throw new KvcException(Status.SHAPE, "a list has " + numbers.length + " numbers, the query " + query.dim(1) + " heads");
        }
        return arena.allocateFrom(JAVA_FLOAT, numbers).address();
    }

    /** Cuts it to its first n committed tokens. */
    public void truncate(long n) {
        check(Raw.kvc_session_truncate(raw, n));
    }

    /** Keeps its sealed pages from eviction, even after it is closed; false takes it back. */
    public void pin(boolean pinned) {
        check(Raw.kvc_session_pin(raw, pinned ? 1 : 0));
    }

    /** A Priority, for its pages, present and to come. */
    public void setPriority(int priority) {
        check(Raw.kvc_session_set_priority(raw, priority));
    }

    /** A Hint on its future. */
    public void hint(int hint) {
        check(Raw.kvc_session_hint(raw, hint));
    }

    /** Its tokens are expected to be used again so long after it closes; zero takes it back. */
    public void expect(Duration in) {
        check(Raw.kvc_session_expect(raw, in.toNanos()));
    }

    /** How many tokens the model generated in this session, held by it or not. */
    public void generated(long tokens) {
        check(Raw.kvc_session_generated(raw, tokens));
    }

    /** Describes it. */
    public SessionInfo info() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = Mem.struct(arena, kvc_session_info_t.LAYOUT);
            check(Raw.kvc_session_info(raw, info.address()));
            return SessionInfo.of(info);
        }
    }

    /** n committed tokens. */
    public int[] tokens(long from, int n) {
        // A range beyond the end is refused by kvc, in its words; no memory is taken for it.
        boolean fits = from >= 0 && n >= 0 && from + n <= info().length();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_INT, fits ? Math.max(n, 1) : 1);
            check(Raw.kvc_session_tokens(raw, from, n, out.address()));
            return Mem.intsAt(out.address(), n);
        }
    }

    /** Does nothing for a session that somebody else owns. */
    @Override
    public void close() {
        super.close();
    }
}

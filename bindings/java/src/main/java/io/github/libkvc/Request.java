package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_request_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.function.Predicate;

/** What to ask: {@code Request.of("In the beginning").maxTokens(64)}. What is not set has kvc's default. */
public final class Request {
    private final byte[] prompt;
    private final int[] tokens;
    private int maxTokens = -1;
    private int topK;
    private double temperature;
    private double topP = Double.NaN;
    private long seed;
    private List<String> stop = List.of();
    private boolean noCache;
    private int action;
    private int priority;
    private String sessionId;
    private String tenant;
    private Duration deadline = Duration.ZERO;
    private Predicate<String> onText;

    private Request(byte[] prompt, int[] tokens) {
        this.prompt = prompt;
        this.tokens = tokens;
    }

    /** A prompt as text. */
    public static Request of(String prompt) {
        return new Request(prompt.getBytes(StandardCharsets.UTF_8), null);
    }

    /** A prompt as tokens. */
    public static Request of(int[] tokens) {
        return new Request(null, tokens.clone());
    }

    /** Of the answer. */
    public Request maxTokens(int n) {
        if (n < 0) {
            throw new KvcException(Status.OUT_OF_RANGE, "max_tokens is " + n + "; it must be 1 or more");
        }
        maxTokens = n;
        return this;
    }

    /** 0: always the likeliest. */
    public Request temperature(double value) {
        temperature = value;
        return this;
    }

    /** Sample among the k likeliest; 0: all. */
    public Request topK(int k) {
        topK = k;
        return this;
    }

    /** Sample within this probability mass. */
    public Request topP(double value) {
        topP = value;
        return this;
    }

    /** Same seed, same answer. */
    public Request seed(long value) {
        seed = value;
        return this;
    }

    /** The answer ends before the first of these that is met. */
    public Request stop(String... texts) {
        stop = List.of(texts);
        return this;
    }

    /** Neither look up nor store. */
    public Request noCache(boolean yes) {
        noCache = yes;
        return this;
    }

    /** An Action. */
    public Request action(int value) {
        action = value;
        return this;
    }

    /** A Priority, or any value between. */
    public Request priority(int value) {
        priority = value;
        return this;
    }

    /** Names a conversation: its requests run in the order submitted. */
    public Request sessionId(String name) {
        sessionId = name;
        return this;
    }

    /** Security domain. */
    public Request tenant(String name) {
        tenant = name;
        return this;
    }

    /** Time allowed from submission. */
    public Request deadline(Duration time) {
        deadline = time;
        return this;
    }

    /** Gets each new piece, on the engine's thread; false cancels. What it throws is thrown to whoever asked. */
    public Request onText(Predicate<String> pieces) {
        onText = pieces;
        return this;
    }

    /** A request as C sees it. */
    static final class Given {
        final Callbacks.Sink sink;
        final Registry.Entry entry;

        private Given(Callbacks.Sink sink) {
            this.sink = sink;
            entry = sink == null ? null : new Registry.Entry(sink);
        }

        void drop() {
            if (entry != null) {
                entry.drop();
            }
        }
    }

    Given fill(Arena arena, MemorySegment c) {
        KvcException.check(Raw.kvc_request_init(c.address(), kvc_request_t.SIZEOF), null, 0);
        if (tokens != null) {
            c.set(JAVA_LONG, kvc_request_t.TOKENS, Mem.ints(arena, tokens));
            c.set(JAVA_LONG, kvc_request_t.N_TOKENS, tokens.length);
        } else {
            c.set(JAVA_LONG, kvc_request_t.PROMPT, Mem.bytes(arena, prompt));
            c.set(JAVA_LONG, kvc_request_t.PROMPT_SIZE, prompt.length);
        }
        if (maxTokens >= 0) {
            c.set(JAVA_INT, kvc_request_t.MAX_TOKENS, maxTokens);
        }
        if (!Double.isNaN(topP)) {
            c.set(JAVA_DOUBLE, kvc_request_t.TOP_P, topP);
        }
        c.set(JAVA_DOUBLE, kvc_request_t.TEMPERATURE, temperature);
        c.set(JAVA_INT, kvc_request_t.TOP_K, topK);
        c.set(JAVA_LONG, kvc_request_t.SEED, seed);
        if (!stop.isEmpty()) {
            MemorySegment stops = arena.allocate(JAVA_LONG, stop.size());
            for (int i = 0; i < stop.size(); i++) {
                stops.setAtIndex(JAVA_LONG, i, Mem.text(arena, stop.get(i)));
            }
            c.set(JAVA_LONG, kvc_request_t.STOP, stops.address());
            c.set(JAVA_INT, kvc_request_t.N_STOP, stop.size());
        }
        c.set(JAVA_INT, kvc_request_t.NO_CACHE, noCache ? 1 : 0);
        c.set(JAVA_INT, kvc_request_t.ACTION, action);
        c.set(JAVA_INT, kvc_request_t.PRIORITY, priority);
        c.set(JAVA_LONG, kvc_request_t.SESSION_ID, Mem.text(arena, sessionId));
        c.set(JAVA_LONG, kvc_request_t.TENANT, Mem.text(arena, tenant));
        c.set(JAVA_LONG, kvc_request_t.DEADLINE_NS, deadline.toNanos());
        Given given = new Given(onText == null ? null : new Callbacks.Sink(onText));
        if (given.entry != null) {
            c.set(JAVA_LONG, kvc_request_t.ON_TEXT, Callbacks.TEXT);
            c.set(JAVA_LONG, kvc_request_t.USER_DATA, given.entry.number);
        }
        return given;
    }
}

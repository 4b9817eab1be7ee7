package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_error_t;
import io.github.libkvc.Structs.kvc_message_t;
import io.github.libkvc.Structs.kvc_page_info_t;
import io.github.libkvc.Structs.kvc_request_t;
import io.github.libkvc.Structs.kvc_response_t;
import io.github.libkvc.Structs.kvc_stats_t;
import io.github.libkvc.Structs.kvc_tensor_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** A cache, its memory, and requests around a model. Any thread may use it; close() cancels what runs and lets calls end. */
public final class Engine extends Handle {
    // Threads, made when needed, in which answers are waited for on behalf of futures.
    private static final ExecutorService WAITERS = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work, "kvc-wait");
        thread.setDaemon(true);
        return thread;
    });

    private Engine(long raw, LongConsumer release) {
        super(raw, release);
    }

    /** From the preset "seamless" and the built-in model. */
    public static Engine open() {
        return open(Map.of());
    }

    /** The same, with options. */
    public static Engine open(Map<String, ?> options) {
        try (Config config = new Config()) {
            options.forEach(config::set);
            return open(config);
        }
    }

    /** From a configuration, which is copied. */
    public static Engine open(Config config) {
        List<Registry.Entry> entries = config.share();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            MemorySegment error = Mem.struct(arena, kvc_error_t.LAYOUT);
            int status = Raw.kvc_engine_create_with_error(config.raw, out.address(), error.address());
            if (status < 0) {
                throw KvcException.of(status, error.getString(kvc_error_t.MESSAGE), null);
            }
            var kept = entries;
            entries = List.of();
            return new Engine(out.get(JAVA_LONG, 0), raw -> {
                Raw.kvc_engine_destroy(raw);
                kept.forEach(Registry.Entry::drop);
            });
        } finally {
            entries.forEach(Registry.Entry::drop);
            java.lang.ref.Reference.reachabilityFence(config);
        }
    }

    int check(int status) {
        if (status < 0) {
            KvcException.check(status, Raw::kvc_engine_last_error, raw);
        }
        java.lang.ref.Reference.reachabilityFence(this);
        return status;
    }

    // --- requests

    /** The response, or the exception: what onText threw, or what kvc says. */
    Response finish(int status, long answer, Callbacks.Sink sink) {
        Response response = take(answer);
        if (sink != null && sink.thrown != null) {
            throw Library.unexpected(sink.thrown);
        }
        if (status >= 0) {
            return response;
        }
        String words = response == null || response.error().isEmpty() ? KvcException.wordsOf(status, Raw::kvc_engine_last_error, raw) : response.error();
        java.lang.ref.Reference.reachabilityFence(this);
        throw KvcException.of(status, words, response);
    }

    private static Response take(long answer) {
        if (answer == 0) {
            return null;
        }
        try {
            return Response.of(Mem.at(answer, kvc_response_t.SIZEOF));
        } finally {
            Raw.kvc_response_free(answer);
        }
    }

    /** Prompt in, answer out. */
    public Response process(Request request) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment c = arena.allocate(kvc_request_t.LAYOUT);
            MemorySegment out = arena.allocate(JAVA_LONG);
            Request.Given given = request.fill(arena, c);
            try {
                int status = Raw.kvc_process(raw, c.address(), out.address());
                return finish(status, out.get(JAVA_LONG, 0), given.sink);
            } finally {
                given.drop();
            }
        }
    }

    /** Process for programs that do not wait. Cancelling the future cancels the request. */
    public CompletableFuture<Response> processAsync(Request request) {
        Ticket ticket = submit(request);
        var future = new CompletableFuture<Response>() {
            @Override
            public boolean cancel(boolean mayInterruptIfRunning) {
                boolean cancelled = super.cancel(mayInterruptIfRunning);
                if (cancelled) {
                    ticket.close();
                }
                return cancelled;
            }
        };
        WAITERS.execute(() -> {
            try (ticket) {
                future.complete(ticket.await());
            } catch (Throwable e) {
                future.completeExceptionally(e);
            }
        });
        return future;
    }

    /** All together. */
    public Batch processBatch(List<Request> requests) {
        int n = requests.size();
        List<Request.Given> all = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment cs = arena.allocate(kvc_request_t.LAYOUT, Math.max(n, 1));
            MemorySegment outs = arena.allocate(JAVA_LONG, Math.max(n, 1));
            for (int i = 0; i < n; i++) {
                all.add(requests.get(i).fill(arena, cs.asSlice(i * kvc_request_t.SIZEOF, kvc_request_t.SIZEOF)));
            }
            int status = Raw.kvc_process_batch(raw, cs.address(), n, outs.address());
            KvcException error = status < 0 ? KvcException.of(status, KvcException.wordsOf(status, Raw::kvc_engine_last_error, raw), null) : null;
            List<Response> responses = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                responses.add(take(outs.getAtIndex(JAVA_LONG, i)));
            }
            for (Request.Given given : all) {
                if (given.sink != null && given.sink.thrown != null) {
                    throw Library.unexpected(given.sink.thrown);
                }
            }
            java.lang.ref.Reference.reachabilityFence(this);
            return new Batch(error, responses);
        } finally {
            all.forEach(Request.Given::drop);
        }
    }

    /** Queues a request and returns at once. */
    public Ticket submit(Request request) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment c = arena.allocate(kvc_request_t.LAYOUT);
            MemorySegment out = arena.allocate(JAVA_LONG);
            Request.Given given = request.fill(arena, c);
            try {
                check(Raw.kvc_submit(raw, c.address(), out.address()));
            } catch (Throwable e) {
                given.drop();
                throw e;
            }
            return new Ticket(this, out.get(JAVA_LONG, 0), given);
        }
    }

    /** The answer's text piece by piece. Closing the stream cancels the request: use it in a try block. */
    public Stream<String> stream(Request request) {
        Ticket ticket = submit(request);
        return StreamSupport.stream(ticket.spliterator(), false).onClose(ticket::close);
    }

    /** Ids of tickets that completed since the last call, without waiting. */
    public long[] poll() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment n = arena.allocate(JAVA_LONG);
            MemorySegment tickets = arena.allocate(JAVA_LONG, 64);
            check(Raw.kvc_poll(raw, tickets.address(), 64, n.address()));
            return tickets.asSlice(0, 8 * n.get(JAVA_LONG, 0)).toArray(JAVA_LONG);
        }
    }

    /** Option threads=0: one step on this thread; true if there is more to do. */
    public boolean step() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment busy = arena.allocate(JAVA_INT);
            check(Raw.kvc_step(raw, busy.address()));
            return busy.get(JAVA_INT, 0) != 0;
        }
    }

    /** Text to tokens, without the bos that a request puts before it. */
    public int[] tokenize(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (long capacity = bytes.length + 8L; ; ) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment n = arena.allocate(JAVA_LONG);
                MemorySegment tokens = arena.allocate(JAVA_INT, capacity);
                int status = Raw.kvc_tokenize(raw, Mem.bytes(arena, bytes), bytes.length, tokens.address(), capacity, n.address());
                if (status != Status.BUFFER) {
                    check(status);
                    return Mem.intsAt(tokens.address(), n.get(JAVA_LONG, 0));
                }
                capacity = n.get(JAVA_LONG, 0);
            }
        }
    }

    /** Tokens to text. */
    public String detokenize(int... tokens) {
        try (Arena arena = Arena.ofConfined()) {
            long address = Mem.ints(arena, tokens);
            return Mem.written((b, c, n) -> check(Raw.kvc_detokenize(raw, address, tokens.length, b, c, n)));
        }
    }

    /** A conversation as the text of a prompt, in the model's own form. answer: it ends where the model's answer begins. */
    public String chatText(List<Message> messages, boolean answer) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment all = Mem.structs(arena, kvc_message_t.LAYOUT, messages.size());
            for (int i = 0; i < messages.size(); i++) {
                all.set(JAVA_LONG, i * kvc_message_t.SIZEOF + kvc_message_t.ROLE, Mem.text(arena, messages.get(i).role()));
                all.set(JAVA_LONG, i * kvc_message_t.SIZEOF + kvc_message_t.CONTENT, Mem.text(arena, messages.get(i).content()));
            }
            return Mem.written((b, c, n) -> check(Raw.kvc_chat_text(raw, all.address(), messages.size(), answer ? 1 : 0, b, c, n)));
        }
    }

    // --- tensors

    /** The space of an identity. */
    public Space openSpace(SpaceDesc desc) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            check(Raw.kvc_space_open(raw, desc.c(arena).address(), out.address()));
            return new Space(out.get(JAVA_LONG, 0), this);
        }
    }

    /** The space of the engine's own model. */
    public Space space() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            check(Raw.kvc_engine_space(raw, out.address()));
            return new Space(out.get(JAVA_LONG, 0), this);
        }
    }

    /** Stores a copy of a tensor under a key of 1..4096 bytes. tenant may be null, here and below. */
    public void put(String tenant, byte[] key, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor.Given given = Tensor.in(arena, List.of(tensor));
            check(Raw.kvc_put(raw, Mem.text(arena, tenant), Mem.bytes(arena, key), key.length, given.address));
            java.lang.ref.Reference.reachabilityFence(tensor);
        }
    }

    /** Copies what is stored under a key into a tensor of its shape and type; false if nothing is. */
    public boolean get(String tenant, byte[] key, Tensor into) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment found = arena.allocate(JAVA_INT);
            Tensor.Given given = Tensor.out(arena, List.of(into));
            check(Raw.kvc_get(raw, Mem.text(arena, tenant), Mem.bytes(arena, key), key.length, given.address, found.address()));
            if (found.get(JAVA_INT, 0) == 0) {
                return false;
            }
            given.back();
            return true;
        }
    }

    /** What is stored under a key, in memory of its own; empty if nothing is. */
    public Optional<Tensor> get(String tenant, byte[] key) {
        while (true) {
            Tensor asked;
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment c = Mem.struct(arena, kvc_tensor_t.LAYOUT);
                MemorySegment found = arena.allocate(JAVA_INT);
                check(Raw.kvc_get(raw, Mem.text(arena, tenant), Mem.bytes(arena, key), key.length, c.address(), found.address()));
                if (found.get(JAVA_INT, 0) == 0) {
                    return Optional.empty();
                }
                long[] all = c.asSlice(kvc_tensor_t.SHAPE, 64).toArray(JAVA_LONG);
                long[] shape = Arrays.copyOf(all, c.get(JAVA_INT, kvc_tensor_t.N_DIMS));
                asked = Tensor.of(Arena.ofAuto().allocate(c.get(JAVA_LONG, kvc_tensor_t.SIZE), 64), c.get(JAVA_INT, kvc_tensor_t.DTYPE), shape);
            }
            try {
                return get(tenant, key, asked) ? Optional.of(asked) : Optional.empty();
            } catch (KvcException e) {
                if (e.code() != Status.SHAPE && e.code() != Status.DTYPE) {
                    throw e;
                }
                // Another thread stored a tensor of another shape meanwhile.
            }
        }
    }

    // The cheapest call there is would spend most of its time on memory for the answer (8 bytes) and the key: each thread keeps some.
    private static final ThreadLocal<MemorySegment> SCRATCH = new ThreadLocal<>();
    private static final int LONGEST_KEY = 4096;

    /** Whether a key is stored; no use of it. */
    public boolean contains(String tenant, byte[] key) {
        if (tenant != null || key.length > LONGEST_KEY) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment found = arena.allocate(JAVA_INT);
                check(Raw.kvc_contains(raw, Mem.text(arena, tenant), Mem.bytes(arena, key), key.length, found.address()));
                return found.get(JAVA_INT, 0) != 0;
            }
        }
        MemorySegment memory = SCRATCH.get();
        if (memory == null) {
            memory = Arena.ofAuto().allocate(8 + LONGEST_KEY, 8);
            SCRATCH.set(memory);
        }
        MemorySegment.copy(key, 0, memory, java.lang.foreign.ValueLayout.JAVA_BYTE, 8, key.length);
        check(Raw.kvc_contains(raw, 0, memory.address() + 8, key.length, memory.address()));
        boolean found = memory.get(JAVA_INT, 0) != 0;
        java.lang.ref.Reference.reachabilityFence(memory);
        return found;
    }

    /** True if it was stored. */
    public boolean remove(String tenant, byte[] key) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment removed = arena.allocate(JAVA_INT);
            check(Raw.kvc_remove(raw, Mem.text(arena, tenant), Mem.bytes(arena, key), key.length, removed.address()));
            return removed.get(JAVA_INT, 0) != 0;
        }
    }

    // --- pages and figures

    /** The pages held now, parents before children; tenant null: of all. */
    public List<PageInfo> pages(String tenant) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            check(Raw.kvc_page_iter_open(raw, Mem.text(arena, tenant), out.address()));
            long walk = out.get(JAVA_LONG, 0);
            List<PageInfo> pages = new ArrayList<>();
            try {
                MemorySegment info = Mem.struct(arena, kvc_page_info_t.LAYOUT);
                while (check(Raw.kvc_page_iter_next(walk, info.address())) != Status.END) {
                    pages.add(PageInfo.of(info));
                }
            } finally {
                Raw.kvc_page_iter_close(walk);
            }
            return pages;
        }
    }

    private static long id(Arena arena, byte[] page) {
        if (page.length != 32) {
            throw new KvcException(Status.INVALID, "a page's identity has 32 bytes, not " + page.length);
        }
        return Mem.bytes(arena, page);
    }

    /** The page with this identity. */
    public PageInfo pageInfo(byte[] page) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = Mem.struct(arena, kvc_page_info_t.LAYOUT);
            check(Raw.kvc_page_info(raw, id(arena, page), info.address()));
            return PageInfo.of(info);
        }
    }

    /** Its tokens. */
    public int[] pageTokens(byte[] page) {
        for (long capacity = 256; ; ) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment n = arena.allocate(JAVA_LONG);
                MemorySegment tokens = arena.allocate(JAVA_INT, capacity);
                int status = Raw.kvc_page_tokens(raw, id(arena, page), tokens.address(), capacity, n.address());
                if (status != Status.BUFFER) {
                    check(status);
                    return Mem.intsAt(tokens.address(), n.get(JAVA_LONG, 0));
                }
                capacity = n.get(JAVA_LONG, 0);
            }
        }
    }

    private interface Count {
        int of(long n);
    }

    private long count(Arena arena, Count call) {
        MemorySegment n = arena.allocate(JAVA_LONG);
        check(call.of(n.address()));
        return n.get(JAVA_LONG, 0);
    }

    /** Evicts until at most so many bytes are used; the bytes given back. */
    public long trim(long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            return count(arena, n -> Raw.kvc_trim(raw, bytes, n));
        }
    }

    /** The statistics of now. */
    public Stats stats() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stats = Mem.struct(arena, kvc_stats_t.LAYOUT);
            check(Raw.kvc_stats(raw, stats.address()));
            return Stats.of(stats);
        }
    }

    /** What this engine is made of, as JSON. */
    public String info() {
        return Mem.written((b, c, n) -> check(Raw.kvc_engine_info(raw, b, c, n)));
    }

    /** What another budget in bytes (0: the engine's own) and policy (null: its own) would have hit over the sessions so far. */
    public Whatif whatif(long budget, String policy) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = Mem.struct(arena, Structs.kvc_whatif_t.LAYOUT);
            check(Raw.kvc_whatif(raw, budget, Mem.text(arena, policy), result.address()));
            return Whatif.of(result);
        }
    }

    /** Tells the policy what to go for (an Objective) and what prefill costs: tokens per second, and balanced_position of kvc.h; 0: not known. */
    public void adapt(int objective, double prefillSpeed, double balancedPosition) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment c = Mem.struct(arena, Structs.kvc_metrics_t.LAYOUT);
            c.set(JAVA_INT, Structs.kvc_metrics_t.OBJECTIVE, objective);
            c.set(java.lang.foreign.ValueLayout.JAVA_DOUBLE, Structs.kvc_metrics_t.PREFILL_SPEED, prefillSpeed);
            c.set(java.lang.foreign.ValueLayout.JAVA_DOUBLE, Structs.kvc_metrics_t.BALANCED_POSITION, balancedPosition);
            check(Raw.kvc_adapt(raw, c.address()));
        }
    }

    /** Writes a line per session that closes to a file, for `kvc replay`; pages are in it as digests. */
    public void traceStart(String path) {
        try (Arena arena = Arena.ofConfined()) {
            check(Raw.kvc_trace_start(raw, Mem.text(arena, path)));
        }
    }

    /** Ends the trace; the number of sessions in it. */
    public long traceStop() {
        try (Arena arena = Arena.ofConfined()) {
            return count(arena, n -> Raw.kvc_trace_stop(raw, n));
        }
    }

    // --- pages on disk (option disk_path)

    /** Makes everything sealed durable, however long it takes. */
    public void persist() {
        check(Raw.kvc_persist(raw, -1));
    }

    /** The same for a time; false if it goes on in the background. */
    public boolean persist(Duration timeout) {
        return check(Raw.kvc_persist(raw, timeout.toNanos())) != Status.PENDING;
    }

    /** Copies the pages in memory into a directory of their own; the number of records in it. tenant null: of all. */
    public long persistTo(String path, String tenant) {
        try (Arena arena = Arena.ofConfined()) {
            return count(arena, n -> Raw.kvc_persist_to(raw, Mem.text(arena, tenant), Mem.text(arena, path), n));
        }
    }

    /** Lets the pages of a directory be found; their number. */
    public long load(String path) {
        try (Arena arena = Arena.ofConfined()) {
            return count(arena, n -> Raw.kvc_load(raw, Mem.text(arena, path), n));
        }
    }

    /** Lets the pages of a prefix pack be found; their number. */
    public long packOpen(String path) {
        try (Arena arena = Arena.ofConfined()) {
            return count(arena, n -> Raw.kvc_pack_open(raw, Mem.text(arena, path), n));
        }
    }

    /** Removes what is kept of a tenant, in memory and on disk; the number of pages, tensors and records. */
    public long purge(String tenant) {
        try (Arena arena = Arena.ofConfined()) {
            return count(arena, n -> Raw.kvc_tenant_purge(raw, Mem.text(arena, tenant), n));
        }
    }
}

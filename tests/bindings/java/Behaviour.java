import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import io.github.libkvc.*;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.function.BooleanSupplier;

/** What the conformance script does not show: life, threads, callbacks, exceptions, models. Behaviour LAYOUT. */
final class Behaviour {
    private static final String PROMPT = "In the beginning God created the heaven and the earth.";

    interface Test {
        void run() throws Exception;
    }

    private static void require(boolean yes, Object words) {
        if (!yes) {
            throw new AssertionError(words);
        }
    }

    private static <T extends Throwable> T thrown(Class<T> kind, Test test) {
        try {
            test.run();
        } catch (Throwable e) {
            if (kind.isInstance(e)) {
                return kind.cast(e);
            }
            throw new AssertionError("another exception", e);
        }
        throw new AssertionError("no exception");
    }

    private static void until(BooleanSupplier condition) throws InterruptedException {
        for (long end = System.nanoTime() + 30_000_000_000L; !condition.getAsBoolean(); Thread.sleep(1)) {
            require(System.nanoTime() < end, "waited in vain");
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Test> tests = new LinkedHashMap<>();
        tests.put("layout is that of C", () -> {
            String problems = LayoutTest.problems(Json.read(Files.readString(Path.of(arguments[0]))));
            require(problems.isEmpty(), problems);
        });
        tests.put("errors have codes, names and kinds", Behaviour::errors);
        tests.put("closing lets a running call end and may be repeated", Behaviour::closing);
        tests.put("futures answer, and cancel", Behaviour::futures);
        tests.put("closing a stream cancels", Behaviour::streams);
        tests.put("onText may refuse and may throw", Behaviour::onText);
        tests.put("logger, clock and allocator are used and may throw", Behaviour::plugs);
        tests.put("tensors of other types, orders and memory", Behaviour::tensors);
        tests.put("a model in Java answers and gets its K/V back", Behaviour::models);
        tests.put("exceptions of a model fail the request with their words", Behaviour::brokenModels);
        tests.put("pages outlive their engine on disk", Behaviour::disk);
        tests.put("what is dropped is closed by the collector", Behaviour::dropped);
        tests.put("a thousand engines leave no memory behind", Behaviour::cycles);
        int failed = 0;
        for (var test : tests.entrySet()) {
            try {
                test.getValue().run();
            } catch (Throwable e) {
                failed++;
                System.out.println("FAILED: " + test.getKey());
                e.printStackTrace(System.out);
            }
        }
        System.out.println(tests.size() - failed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    private static void errors() {
        try (Engine engine = Engine.open()) {
            KvcException e = thrown(KvcException.class, () -> engine.process(Request.of(PROMPT).maxTokens(100_000)));
            require(e.code() == Status.CONTEXT && e.name().equals("KVC_E_CONTEXT") && e.getMessage().startsWith("KVC_E_CONTEXT: "), e);
            require(thrown(KvcException.class, () -> engine.process(Request.of("x").tenant("a\0b"))).code() == Status.INVALID, "a zero inside");
        }
        thrown(KvcException.OutOfMemory.class, () -> Engine.open(Map.of("memory", "1KiB")));
        thrown(KvcException.Unsupported.class, () -> Engine.open(Map.of("model", "none")).process(Request.of("x")));
    }

    private static void closing() throws Exception {
        Engine engine = Engine.open();
        var asking = CompletableFuture.supplyAsync(() -> thrown(KvcException.Cancelled.class, () -> engine.process(Request.of(PROMPT).maxTokens(4000))));
        until(() -> engine.stats().requestsActive() == 1);
        engine.close();
        engine.close();
        require(asking.get(30, TimeUnit.SECONDS).code() == Status.CANCELLED, "not cancelled");
        thrown(KvcException.Closed.class, engine::stats);
    }

    private static void futures() throws Exception {
        try (Engine engine = Engine.open()) {
            require(engine.processAsync(Request.of(PROMPT).maxTokens(3)).get(30, TimeUnit.SECONDS).tokens().length == 3, "not 3 tokens");
            var failing = engine.processAsync(Request.of(PROMPT).maxTokens(4000).deadline(Duration.ofMillis(1)));
            require(thrown(ExecutionException.class, () -> failing.get(30, TimeUnit.SECONDS)).getCause() instanceof KvcException, "not ours");
            var endless = engine.processAsync(Request.of(PROMPT).maxTokens(4000));
            long before = engine.stats().requestsCancelled();
            until(() -> engine.stats().requestsActive() == 1);
            require(endless.cancel(true), "not cancelled");
            until(() -> engine.stats().requestsCancelled() == before + 1);
        }
    }

    private static void streams() throws Exception {
        try (Engine engine = Engine.open()) {
            try (var pieces = engine.stream(Request.of(PROMPT).maxTokens(4000))) {
                require(pieces.limit(3).noneMatch(String::isEmpty), "an empty piece");
            }
            until(() -> engine.stats().requestsCancelled() == 1);
            String whole = engine.process(Request.of(PROMPT).maxTokens(20)).text();
            try (var pieces = engine.stream(Request.of(PROMPT).maxTokens(20))) {
                require(pieces.reduce("", String::concat).equals(whole), "another text");
            }
            try (Ticket ticket = engine.submit(Request.of(PROMPT).maxTokens(4000))) {
                require(ticket.await(Duration.ofMillis(1)).isEmpty() && ticket.next(Duration.ofSeconds(20)).isPresent(), "not pending");
            }
            until(() -> engine.stats().requestsCancelled() == 2);
        }
    }

    private static void onText() {
        try (Engine engine = Engine.open()) {
            var refused = thrown(KvcException.Cancelled.class, () -> engine.process(Request.of(PROMPT).maxTokens(500).onText(text -> false)));
            require(refused.response() != null && refused.response().tokens().length < 500, refused);
            var said = thrown(IllegalStateException.class, () -> engine.process(Request.of(PROMPT).onText(text -> {
                throw new IllegalStateException("no more");
            })));
            require(said.getMessage().equals("no more"), said);
            Set<Thread> threads = ConcurrentHashMap.newKeySet();
            require(engine.process(Request.of(PROMPT).maxTokens(3).onText(text -> threads.add(Thread.currentThread()) || true)).tokens().length == 3, "");
            require(!threads.isEmpty() && !threads.contains(Thread.currentThread()), "the engine's thread calls");
        }
    }

    private static void plugs() {
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> require(e.getMessage().equals("in the logger"), e));
        AtomicLong lines = new AtomicLong();
        AtomicLong now = new AtomicLong();
        AtomicLong held = new AtomicLong();
        AtomicLong taken = new AtomicLong();
        Map<Long, Arena> arenas = new ConcurrentHashMap<>();
        Allocator allocator = new Allocator() {
            @Override
            public long allocate(long size, long alignment) {
                Arena arena = Arena.ofShared();
                long address = arena.allocate(size, alignment).address();
                arenas.put(address, arena);
                taken.incrementAndGet();
                held.addAndGet(size);
                return address;
            }

            @Override
            public void release(long address, long size, long alignment) {
                arenas.remove(address).close();
                held.addAndGet(-size);
            }
        };
        try (Config config = new Config()) {
            config.allocator(allocator).clock(() -> now.addAndGet(1000)).logger(LogLevel.DEBUG, (line, level) -> {
                lines.incrementAndGet();
                throw new IllegalStateException("in the logger");
            });
            try (Engine engine = Engine.open(config)) {
                config.logger(0, null).clock(null).allocator(null); // the engine keeps what it was given
                engine.process(Request.of(PROMPT).maxTokens(2));
            }
        }
        require(lines.get() > 0 && now.get() > 1000 && taken.get() > 0 && held.get() == 0, lines + " " + now + " " + taken + " " + held);
    }

    private static void tensors() {
        byte[] h = {'h'};
        try (Engine engine = Engine.open(); Arena arena = Arena.ofConfined()) {
            engine.put(null, h, Tensor.of(new short[] {1, 2, 3}, DType.F16, 3));
            Tensor found = engine.get(null, h).orElseThrow();
            require(found.dtype() == DType.F16 && Arrays.equals(found.data().toArray(java.lang.foreign.ValueLayout.JAVA_SHORT), new short[] {1, 2, 3}), "f16");
            require(thrown(KvcException.class, () -> engine.get(null, h, Tensor.of(new float[3], 3))).code() == Status.DTYPE, "dtype");
            MemorySegment rows = arena.allocateFrom(JAVA_FLOAT, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11); // [2 heads][3 tokens][2]
            engine.put(null, h, Tensor.htd(rows, DType.F32, 2, 3, 2));
            found = engine.get(null, h).orElseThrow();
            require(Arrays.equals(found.shape(), new long[] {3, 2, 2})
                && Arrays.equals(found.toFloats(), new float[] {0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}), Arrays.toString(found.toFloats()));
            float[] larger = new float[14];
            Arrays.fill(larger, -1);
            require(engine.get(null, h, Tensor.of(larger, 3, 2, 2)) && larger[11] == 11 && larger[12] == -1, Arrays.toString(larger));
            require(thrown(KvcException.class, () -> engine.put(null, h, Tensor.of(new float[3], 5, 5))).code() == Status.SHAPE, "shape");
        }
    }

    private static SpaceDesc desc() {
        return new SpaceDesc("counting".getBytes()).nothingElse().layers(2).kvHeads(1).headDim(4, 0).pageTokens(8).vocabSize(256);
    }

    private static float[] rows(int[] tokens) {
        float[] rows = new float[tokens.length * 4];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = tokens[i / 4];
        }
        return rows;
    }

    private static int[] expected(String prompt, int n) {
        int sum = prompt.chars().sum();
        int[] answer = new int[n];
        for (int i = 0; i < n; i++) {
            answer[i] = sum % 256;
            sum += answer[i];
        }
        return answer;
    }

    /** The next token is the sum of all before it, read back from K/V: every page is looked at. */
    private static class Counting implements Backend, Backend.Chat {
        volatile RuntimeException broken;
        volatile boolean released;

        @Override
        public ModelInfo describe() {
            return new ModelInfo("counting", desc(), 512).eos(-1, 255).details("adds");
        }

        @Override
        public int[] tokenize(byte[] text) {
            int[] tokens = new int[text.length];
            for (int i = 0; i < text.length; i++) {
                tokens[i] = text[i] & 255;
            }
            return tokens;
        }

        @Override
        public byte[] detokenize(int token) {
            return new byte[] {(byte) token};
        }

        @Override
        public void forward(List<Forward> items) {
            if (broken != null) {
                throw broken;
            }
            for (Forward item : items) {
                int n = item.tokens().length;
                Tensor tensor = Tensor.of(rows(item.tokens()), n, 1, 4);
                item.session().appendAll(List.of(tensor, tensor), List.of(tensor, tensor), n);
                float[] past = new float[(item.position() + n) * 4];
                item.session().read(1, Plane.VALUE, 0, item.position() + n, Tensor.of(past, item.position() + n, 1, 4));
                int sum = 0;
                for (int i = 0; i < past.length; i += 4) {
                    sum += (int) past[i];
                }
                answer(item, sum);
            }
        }

        static void answer(Forward item, int sum) {
            if (item.logits() != null) {
                item.logits().fill((byte) 0).setAtIndex(JAVA_FLOAT, sum % 256, 1);
            }
        }

        @Override
        public String chatText(List<Message> messages, boolean answer) {
            StringBuilder text = new StringBuilder();
            messages.forEach(m -> text.append(m.role()).append(": ").append(m.content()).append('\n'));
            return text + (answer ? ">" : "");
        }

        @Override
        public void released() {
            released = true;
        }
    }

    /** The same with K/V of its own. */
    private static final class Keeping extends Counting implements Backend.OwnKv {
        final Map<Long, int[]> sequences = new ConcurrentHashMap<>();
        int imported;

        private static int[] join(int[] a, int[] b) {
            int[] both = Arrays.copyOf(a, a.length + b.length);
            System.arraycopy(b, 0, both, a.length, b.length);
            return both;
        }

        @Override
        public void sequenceOpen(long sequence) {
            sequences.put(sequence, new int[0]);
        }

        @Override
        public void sequenceClose(long sequence) {
            sequences.remove(sequence);
        }

        @Override
        public void forward(List<Forward> items) {
            for (Forward item : items) {
                require(sequences.get(item.sequence()).length == item.position() && item.session() == null, "another position");
                answer(item, Arrays.stream(sequences.merge(item.sequence(), item.tokens(), Keeping::join)).sum());
            }
        }

        @Override
        public void exportKv(long sequence, SessionView session, int from, int n) {
            Tensor tensor = Tensor.of(rows(Arrays.copyOfRange(sequences.get(sequence), from, from + n)), n, 1, 4);
            session.append(0, tensor, tensor, n);
            session.append(1, tensor, tensor, n);
        }

        @Override
        public void importKv(long sequence, SessionView session, int[] tokens, int from) {
            float[] data = new float[tokens.length * 4];
            session.read(0, Plane.KEY, from, tokens.length, Tensor.of(data, tokens.length, 1, 4));
            require(Arrays.equals(data, rows(tokens)), "other K/V than was exported");
            imported += tokens.length;
            sequences.merge(sequence, tokens, Keeping::join);
        }

        @Override
        public void truncate(long sequence, int n) {
            sequences.computeIfPresent(sequence, (id, tokens) -> Arrays.copyOf(tokens, n));
        }
    }

    private static Engine with(Backend backend) {
        try (Config config = new Config().set("memory", "16MiB").backend(backend)) {
            return Engine.open(config);
        }
    }

    private static void models() {
        for (Counting backend : List.of(new Counting(), new Keeping())) {
            int cached = 0;
            try (Engine engine = with(backend)) {
                String[] prompts = {"counting", "counting again", "counting again and again", "counting"};
                for (int i = 0; i < prompts.length; i++) {
                    Response response = engine.process(Request.of(prompts[i]).maxTokens(12));
                    require(Arrays.equals(response.tokens(), expected(prompts[i], 12)) && (response.cachedTokens() > 0) == (i > 0), response);
                    cached += response.cachedTokens();
                }
                require(engine.chatText(List.of(new Message("user", "Hi")), true).equals("user: Hi\n>"), "chat");
                require(engine.info().contains("\"counting\""), engine.info());
            }
            require(backend.released, "not released");
            if (backend instanceof Keeping keeping) {
                require(keeping.imported == cached && keeping.sequences.isEmpty(), keeping.imported);
            }
        }
    }

    private static void brokenModels() {
        Counting backend = new Counting();
        try (Engine engine = with(backend)) {
            backend.broken = new IllegalStateException("the accelerator is on fire");
            var e = thrown(KvcException.class, () -> engine.process(Request.of("hello").maxTokens(4)));
            require(e.getMessage().contains("the accelerator is on fire"), e);
            backend.broken = null;
            require(Arrays.equals(engine.process(Request.of("hello").maxTokens(4)).tokens(), expected("hello", 4)), "after it");
        }
        var e = thrown(KvcException.class, () -> with(new Counting() {
            @Override
            public ModelInfo describe() {
                throw new IllegalStateException("no weights");
            }
        }));
        require(e.getMessage().contains("no weights"), e);
    }

    private static void disk() throws Exception {
        Path folder = Files.createTempDirectory("kvc-java");
        for (int round = 0; round < 2; round++) {
            try (Engine engine = Engine.open(Map.of("disk_path", folder.resolve("store"), "secret", "s"))) {
                int cached = engine.process(Request.of(PROMPT).maxTokens(4)).cachedTokens();
                require(round == 0 ? cached == 0 : cached >= 54, cached);
                engine.persist();
            }
        }
        try (var files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        }
    }

    private static void dropped() throws Exception {
        Counting backend = new Counting();
        require(with(backend) != null, "");
        until(() -> {
            System.gc();
            return backend.released;
        });
    }

    private static long residentKib() {
        try {
            return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static void cycles() {
        long before = 0;
        for (int cycle = 0; cycle < 2000; cycle++) {
            try (Engine engine = Engine.open(Map.of("memory", "4MiB", "model", "none")); Space space = engine.openSpace(desc());
                Session session = space.openSession()) {
                session.match(1, 2, 3);
            }
            if (cycle == 1000) {
                before = residentKib();
            }
        }
        // A thousand cycles warm the JVM up, a thousand are judged.
        require(residentKib() < before + 6144, "grew from " + before + " KiB to " + residentKib());
    }
}

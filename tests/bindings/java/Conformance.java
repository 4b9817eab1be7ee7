import io.github.libkvc.*;
import java.lang.reflect.Array;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;

/** Replays tests/bindings/conformance.json: Conformance SCRIPT. */
final class Conformance {
    private final Map<String, Object> named = new HashMap<>();
    private Path folder;

    @SuppressWarnings("unchecked")
    public static void main(String[] arguments) throws Exception {
        var cases = (List<Map<String, Object>>) ((Map<String, Object>) Json.read(Files.readString(Path.of(arguments[0])))).get("cases");
        int failed = 0;
        int steps = 0;
        for (var one : cases) {
            var replay = new Conformance();
            var list = (List<Map<String, Object>>) one.get("steps");
            steps += list.size();
            try {
                for (int i = 0; i < list.size(); i++) {
                    replay.run(one.get("name") + ", step " + (i + 1) + " (" + list.get(i).get("do") + ")", list.get(i));
                }
            } catch (AssertionError | RuntimeException e) {
                failed++;
                System.out.println(e);
            }
            for (Object item : replay.named.values()) {
                if (item instanceof AutoCloseable c) {
                    c.close();
                }
            }
        }
        System.out.println(cases.size() + " cases, " + steps + " steps, " + failed + " failed");
        System.exit(failed == 0 && cases.size() >= 18 ? 0 : 1);
    }

    private void run(String where, Map<String, Object> s) throws Exception {
        Object result;
        try {
            result = act(s);
        } catch (KvcException e) {
            if (!e.name().equals(s.get("error"))) {
                throw new AssertionError(where + ": " + e + ", expected " + s.getOrDefault("error", "success"));
            }
            return;
        }
        require(!s.containsKey("error"), where + ": succeeded, expected " + s.get("error"));
        if (s.containsKey("as")) {
            named.put((String) s.get("as"), result);
        }
        if (s.containsKey("expect")) {
            compare(where, result, s.get("expect"));
        }
    }

    static void require(boolean yes, String words) {
        if (!yes) {
            throw new AssertionError(words);
        }
    }

    @SuppressWarnings("unchecked")
    private void compare(String where, Object result, Object expected) throws Exception {
        if (!(expected instanceof Map)) {
            require(Objects.equals(plain(result), expected), where + ": " + plain(result) + ", expected " + expected);
            return;
        }
        for (var wanted : ((Map<String, Object>) expected).entrySet()) {
            String name = wanted.getKey();
            Object value = wanted.getValue();
            if (name.equals("same as")) {
                require(plain(member(result, "ids")).equals(plain(member(named.get(value), "ids"))), where + ": other identities");
                continue;
            }
            if (value instanceof Map<?, ?> same) {
                value = plain(member(named.get(same.get("same as")), name));
            }
            Object found = plain(member(result, name));
            require(Objects.equals(found, value), where + ": " + name + " is " + found + ", expected " + value);
        }
    }

    /** As JSON would give it. */
    private static Object plain(Object value) {
        if (value instanceof Number n) {
            return n.doubleValue();
        }
        if (value instanceof List<?> list) {
            return list.stream().map(Conformance::plain).toList();
        }
        if (value != null && value.getClass().isArray()) {
            List<Object> list = new ArrayList<>();
            for (int i = 0; i < Array.getLength(value); i++) {
                list.add(plain(Array.get(value, i)));
            }
            return list;
        }
        return value;
    }

    /** cached_tokens is cachedTokens(). */
    private static Object member(Object result, String name) throws Exception {
        if (result instanceof Map<?, ?> m) {
            return m.get(name);
        }
        if (result instanceof Response r && name.equals("n_tokens")) {
            return r.tokens().length;
        }
        for (var part : result.getClass().getRecordComponents()) {
            if (part.getName().equalsIgnoreCase(name.replace("_", ""))) {
                return part.getAccessor().invoke(result);
            }
        }
        throw new AssertionError("no " + name + " in " + result);
    }

    private static int number(Map<String, Object> s, String name) {
        return s.get(name) instanceof Double d ? d.intValue() : 0;
    }

    private static String text(Map<String, Object> s, String name) {
        return (String) s.get(name);
    }

    private static int[] tokens(Map<String, Object> s) {
        List<?> list = (List<?>) s.get("tokens");
        if (list.size() == 3 && list.get(1).equals("to")) {
            return java.util.stream.IntStream.range(((Double) list.get(0)).intValue(), ((Double) list.get(2)).intValue()).toArray();
        }
        return list.stream().mapToInt(t -> ((Double) t).intValue()).toArray();
    }

    static float[] kv(int layer, int plane, int from, int n, int heads, int dim) {
        float[] rows = new float[n * heads * dim];
        int at = 0;
        for (int t = from; t < from + n; t++) {
            for (int h = 0; h < heads; h++) {
                for (int d = 0; d < dim; d++) {
                    rows[at++] = (2 * layer + plane) * 1000 + t * 10 + h + d / 16f;
                }
            }
        }
        return rows;
    }

    private static Tensor kv(Map<String, Object> s, int layer, int plane) {
        int n = number(s, "n");
        int heads = number(s, "heads");
        int dim = number(s, "dim");
        return Tensor.of(kv(layer, plane, number(s, "from"), n, heads, dim), n, heads, dim);
    }

    private static long[] shape(Map<String, Object> s) {
        return ((List<?>) s.get("shape")).stream().mapToLong(n -> ((Double) n).longValue()).toArray();
    }

    private static float[] halves(long[] shape) {
        float[] data = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
        for (int i = 0; i < data.length; i++) {
            data[i] = i / 2f;
        }
        return data;
    }

    private static Request request(Map<String, Object> s) {
        Request request = s.containsKey("tokens") ? Request.of(tokens(s)) : Request.of(text(s, "prompt"));
        if (s.containsKey("max_tokens")) {
            request.maxTokens(number(s, "max_tokens"));
        }
        if (s.get("top_p") instanceof Double p) {
            request.topP(p);
        }
        if (s.get("stop") instanceof List<?> stops) {
            request.stop(stops.toArray(String[]::new));
        }
        return request.priority(number(s, "priority")).action(number(s, "action")).noCache(Boolean.TRUE.equals(s.get("no_cache")))
            .tenant(text(s, "tenant")).sessionId(text(s, "session_id"));
    }

    private String path(Map<String, Object> s) throws Exception {
        if (folder == null) {
            folder = Files.createTempDirectory("kvc-conformance");
        }
        return folder.resolve(text(s, "path")).toString();
    }

    @SuppressWarnings("unchecked")
    private Object act(Map<String, Object> s) throws Exception {
        String what = text(s, "do");
        return switch (named.get(text(s, "on"))) {
            case Engine e -> onEngine(e, what, s);
            case Space space -> onSpace(space, what, s);
            case Session session -> onSession(session, what, s);
            case Config c -> what.equals("config.set") ? c.set(text(s, "key"), s.get("value")) : c.get(text(s, "key"));
            case Ticket t -> switch (what) {
                case "wait" -> t.await();
                case "cancel" -> {
                    t.cancel();
                    yield null;
                }
                default -> {
                    StringBuilder whole = new StringBuilder();
                    t.forEach(whole::append);
                    yield Map.of("text", whole.toString());
                }
            };
            case Response r -> {
                require(!r.text().contains(text(s, "what")), "the text has it");
                yield null;
            }
            case null -> switch (what) {
                case "status_name" -> Kvc.statusName(number(s, "code"));
                case "has_feature" -> Kvc.hasFeature(text(s, "name"));
                case "option" -> Kvc.options().stream().filter(o -> o.name().equals(s.get("name"))).findFirst().orElseThrow();
                case "config" -> new Config(text(s, "preset"));
                case "engine" -> {
                    Map<String, Object> options = new HashMap<>((Map<String, Object>) s.getOrDefault("options", Map.of()));
                    if (options.get("disk_path") != null) {
                        options.put("disk_path", path(Map.of("path", options.get("disk_path"))));
                    }
                    yield Engine.open(options);
                }
                default -> throw new AssertionError("unknown operation " + what);
            };
            case Object other -> throw new AssertionError("unknown object " + other);
        };
    }

    @SuppressWarnings("unchecked")
    private byte[] page(Map<String, Object> s) {
        if (s.get("page") instanceof String name) {
            return ((List<byte[]>) ((Map<String, Object>) named.get(name)).get("ids")).get(number(s, "index"));
        }
        byte[] id = new byte[32];
        Arrays.fill(id, (byte) Integer.parseInt(text(s, "id"), 16));
        return id;
    }

    @SuppressWarnings("unchecked")
    private Object onEngine(Engine e, String what, Map<String, Object> s) throws Exception {
        byte[] key = text(s, "key") == null ? null : text(s, "key").getBytes();
        String tenant = text(s, "tenant");
        return switch (what) {
            case "engine.close" -> {
                e.close();
                yield null;
            }
            case "process" -> e.process(request(s));
            case "process_batch" -> {
                Batch batch = e.processBatch(((List<Map<String, Object>>) s.get("requests")).stream().map(Conformance::request).toList());
                var answered = batch.responses().stream().filter(Objects::nonNull).toList();
                yield Map.of("error", batch.error().name(), "answered", batch.responses().stream().map(Objects::nonNull).toList(), "text",
                    answered.getFirst().text());
            }
            case "submit" -> e.submit(request(s));
            case "poll" -> e.poll().length;
            case "step" -> e.step();
            case "stats" -> e.stats();
            case "tokenize" -> e.tokenize(text(s, "text"));
            case "detokenize" -> e.detokenize(tokens(s));
            case "chat_text" -> e.chatText(((List<List<String>>) s.get("messages")).stream().map(m -> new Message(m.get(0), m.get(1))).toList(),
                !Boolean.FALSE.equals(s.get("answer")));
            case "space" -> {
                Map<String, Object> d = (Map<String, Object>) s.get("desc");
                String without = text(d, "without");
                SpaceDesc desc = new SpaceDesc(text(d, "weights").getBytes()).noAdapters().attention(null);
                if (!"rope".equals(without)) {
                    desc.rope(null);
                }
                if (!"tokenizer".equals(without)) {
                    desc.tokenizer(null);
                }
                yield e.openSpace(desc.layers(number(d, "layers")).kvHeads(number(d, "heads")).headDim(number(d, "dim"), 0)
                    .pageTokens(number(d, "page_tokens")));
            }
            case "trim" -> e.trim(number(s, "bytes"));
            case "pages" -> {
                var pages = e.pages(null);
                yield Map.of("count", pages.size(), "positions", pages.stream().map(PageInfo::position).toList(), "n_tokens",
                    pages.stream().map(PageInfo::nTokens).toList(), "codec", pages.getFirst().codec(), "ids", pages.stream().map(PageInfo::id).toList());
            }
            case "page_tokens" -> e.pageTokens(page(s));
            case "page_info" -> e.pageInfo(page(s));
            case "put" -> {
                e.put(tenant, key, Tensor.of(halves(shape(s)), shape(s)));
                yield null;
            }
            case "get" -> {
                var found = e.get(tenant, key);
                found.ifPresent(t -> require(Arrays.equals(t.toFloats(), halves(t.shape())), "other numbers"));
                yield found.map(Tensor::shape).orElse(null);
            }
            case "contains" -> e.contains(tenant, key);
            case "remove" -> e.remove(tenant, key);
            case "persist" -> e.persist(Duration.ofSeconds(60));
            case "persist_to" -> e.persistTo(path(s), tenant);
            case "load" -> e.load(path(s));
            case "pack_open" -> e.packOpen(path(s));
            case "purge" -> e.purge(tenant);
            case "trace_start" -> {
                e.traceStart(path(s));
                yield null;
            }
            case "trace_stop" -> e.traceStop();
            case "whatif" -> e.whatif(number(s, "budget"), text(s, "policy"));
            case "adapt" -> {
                e.adapt(number(s, "objective"), number(s, "prefill_speed"), 0);
                yield null;
            }
            default -> throw new AssertionError("unknown operation " + what);
        };
    }

    private Object onSpace(Space space, String what, Map<String, Object> s) throws Exception {
        return switch (what) {
            case "space.info" -> space.info();
            case "diff" -> space.diff((Space) named.get(text(s, "other")));
            case "page_ids" -> {
                var ids = space.pageIds(null, tokens(s));
                yield Map.of("count", ids.size(), "ids", ids);
            }
            case "pack_write" -> space.packWrite(path(s), text(s, "tenant"), tokens(s));
            case "session" -> {
                SessionOptions options = SessionOptions.DEFAULT.tenant(text(s, "tenant"));
                yield space.openSession(Boolean.FALSE.equals(s.get("publish")) ? options.privately() : options);
            }
            default -> throw new AssertionError("unknown operation " + what);
        };
    }

    private Object onSession(Session session, String what, Map<String, Object> s) {
        int n = number(s, "n");
        int from = number(s, "from");
        int heads = number(s, "heads");
        int dim = number(s, "dim");
        int layer = number(s, "layer");
        switch (what) {
            case "session.close" -> session.close(number(s, "hint"), Duration.ofNanos(number(s, "until_ns")));
            case "match" -> {
                return session.match(tokens(s));
            }
            case "miss" -> {
                return session.miss().reason();
            }
            case "append" -> session.append(layer, kv(s, layer, 0), kv(s, layer, 1), n);
            case "append_all" -> {
                List<Tensor> k = new ArrayList<>();
                List<Tensor> v = new ArrayList<>();
                for (int l = 0; l < number(s, "layers"); l++) {
                    k.add(kv(s, l, 0));
                    v.add(kv(s, l, 1));
                }
                session.appendAll(k, v, n);
            }
            case "commit" -> session.commit(tokens(s));
            case "read" -> {
                float[] out = new float[n * heads * dim];
                session.read(layer, number(s, "plane"), from, n, Tensor.of(out, n, heads, dim));
                require(Arrays.equals(out, kv(layer, number(s, "plane"), from, n, heads, dim)), "other numbers");
            }
            case "read_all" -> {
                List<List<Tensor>> planes = List.of(new ArrayList<>(), new ArrayList<>());
                List<float[]> data = new ArrayList<>();
                for (int plane = 0; plane < 2; plane++) {
                    for (int l = 0; l < number(s, "layers"); l++) {
                        data.add(new float[n * heads * dim]);
                        planes.get(plane).add(Tensor.of(data.getLast(), n, heads, dim));
                    }
                }
                session.readAll(from, n, planes.get(0), planes.get(1));
                for (int i = 0; i < data.size(); i++) {
                    int layers = number(s, "layers");
                    require(Arrays.equals(data.get(i), kv(i % layers, i / layers, from, n, heads, dim)), "other numbers");
                }
            }
            case "attend" -> {
                int queryHeads = number(s, "query_heads");
                float[] out = new float[n * queryHeads * dim];
                session.attend(layer, Attend.CAUSAL.window(number(s, "window"), 0), Tensor.of(new float[out.length], n, queryHeads, dim),
                    Tensor.of(out, n, queryHeads, dim));
                List<?> span = (List<?>) s.get("mean_of_tokens");
                near(out, ((Double) span.get(0)).intValue(), ((Double) span.get(1)).intValue(), layer, heads, dim);
            }
            case "session.info" -> {
                return session.info();
            }
            case "session.tokens" -> {
                return session.tokens(from, n);
            }
            case "truncate" -> session.truncate(n);
            case "fork" -> {
                return session.fork();
            }
            case "pin" -> session.pin(Boolean.TRUE.equals(s.get("pinned")));
            case "set_priority" -> session.setPriority(number(s, "priority"));
            case "hint" -> session.hint(number(s, "hint"));
            case "expect" -> session.expect(Duration.ofNanos(number(s, "in_ns")));
            default -> throw new AssertionError("unknown operation " + what);
        }
        return null;
    }

    /** Attention of queries of zeros is the mean of V over the tokens that they see. */
    private static void near(float[] out, int first, int to, int layer, int heads, int dim) {
        float[] values = kv(layer, 1, first, to - first, heads, dim);
        int group = out.length / dim / heads;
        for (int i = 0; i < out.length; i++) {
            double mean = 0;
            for (int t = 0; t < to - first; t++) {
                mean += values[(t * heads + i / dim / group) * dim + i % dim] / (double) (to - first);
            }
            require(Math.abs(out[i] - mean) < mean / 1000, "attention gives " + out[i] + ", expected " + mean);
        }
    }
}

import io.github.libkvc.*;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** bench.c through the Java package: the same figures. The read is into memory outside the heap, Java's own for such uses. */
final class Bench {
    private static final int CALLS = 10_000;
    private static final int TOKENS = 4096;
    private static final int HEADS = 8;
    private static final int DIM = 64;

    public static void main(String[] arguments) {
        byte[] key = "key".getBytes();
        try (Engine engine = Engine.open(); Arena arena = Arena.ofConfined()) {
            engine.put(null, key, Tensor.of(new float[] {1}, 1));
            long took = Long.MAX_VALUE;
            for (int chunk = 0; chunk < 60; chunk++) { // the first ones are the compiler's
                long begin = System.nanoTime();
                for (int i = 0; i < CALLS; i++) {
                    engine.contains(null, key);
                }
                took = Math.min(took, System.nanoTime() - begin);
            }
            System.out.printf("contains_ns %.2f%n", (double) took / CALLS);

            SpaceDesc desc = new SpaceDesc("w".getBytes()).nothingElse().layers(1).kvHeads(HEADS).headDim(DIM, 0).pageTokens(64);
            Session session = engine.openSpace(desc).openSession();
            Tensor rows = Tensor.of(arena.allocate(4L * TOKENS * HEADS * DIM, 64), DType.F32, TOKENS, HEADS, DIM);
            session.appendAll(List.of(rows), List.of(rows), TOKENS);
            session.commit(IntStream.range(0, TOKENS).toArray());
            long best = Long.MAX_VALUE;
            for (int i = 0; i < 20; i++) {
                long begin = System.nanoTime();
                session.read(0, Plane.KEY, 0, TOKENS, rows);
                best = Math.min(best, System.nanoTime() - begin);
            }
            System.out.println("read_ns " + best);
        }
        try (Engine engine = Engine.open(Map.of("threads", 0)); Ticket ticket = engine.submit(Request.of("In the beginning").maxTokens(400))) {
            List<Long> took = new ArrayList<>();
            long begin = System.nanoTime();
            for (String piece : ticket) {
                took.add(System.nanoTime() - begin);
                begin = System.nanoTime();
            }
            took.sort(null);
            System.out.println("piece_ns " + took.get(took.size() / 2));
        }
    }
}

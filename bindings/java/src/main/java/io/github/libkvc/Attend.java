package io.github.libkvc;

/**
 * How a session attends.
 *
 * @param scale of scores; 0 = 1 / sqrt(head dim)
 * @param softcap 0: none
 * @param window a query sees only tokens less than so many positions away; 0: no limit
 * @param sinks so many first tokens are seen whatever the window
 * @param later tokens that the layer has after the last query
 * @param bidirectional a query sees later tokens too
 * @param nThreads threads at work; 0 or 1: the caller's
 * @param alibiSlopes one per query head, or null
 * @param sinkScores one per query head, or null
 */
public record Attend(double scale, double softcap, long window, long sinks, long later, boolean bidirectional, int nThreads, float[] alibiSlopes,
    float[] sinkScores) {
    /** Causal attention, nothing else. */
    public static final Attend CAUSAL = new Attend(0, 0, 0, 0, 0, false, 0, null, null);

    /** With a window and first tokens that are always seen. */
    public Attend window(long tokens, long sinks) {
        return new Attend(scale, softcap, tokens, sinks, later, bidirectional, nThreads, alibiSlopes, sinkScores);
    }
}

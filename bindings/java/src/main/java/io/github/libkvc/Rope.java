package io.github.libkvc;

/**
 * Rotary position embedding.
 *
 * @param base theta
 * @param dims dimensions of a head that turn
 * @param freqScale position scale; 1 = none
 * @param scaling "none", "linear", "yarn", ...
 * @param factor of the scaling; 0 where it has none, like the next four
 * @param attnFactor see kvc.h
 * @param betaFast see kvc.h
 * @param betaSlow see kvc.h
 * @param originalContext see kvc.h
 * @param interleaved pairs (2i, 2i+1) instead of (i, i + dims/2)
 * @param applied keys come in after RoPE
 */
public record Rope(double base, int dims, double freqScale, String scaling, double factor, double attnFactor, double betaFast, double betaSlow,
    int originalContext, boolean interleaved, boolean applied) {
    /** The common form: no scaling, halves, keys turned already. */
    public Rope(double base, int dims) {
        this(base, dims, 1, "none", 0, 0, 0, 0, 0, false, true);
    }
}

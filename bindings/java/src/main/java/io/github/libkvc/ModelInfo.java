package io.github.libkvc;

/** What a model is: {@code new ModelInfo("name", space, 4096).eos(2)}; the space's vocabSize is the number of logits. */
public final class ModelInfo {
    final String name;
    final SpaceDesc space;
    final int context;
    int maxBatchTokens;
    int bos = -1;
    int eos = -1;
    int[] ends = {};
    int totalTokens;
    int stateTokens;
    String details;

    /** context: the longest sequence, tokens. */
    public ModelInfo(String name, SpaceDesc space, int context) {
        this.name = name;
        this.space = space;
        this.context = context;
    }

    /** Most tokens in one forward; 0: no limit. */
    public ModelInfo maxBatchTokens(int n) {
        maxBatchTokens = n;
        return this;
    }

    /** Token put before a text prompt; -1: none. */
    public ModelInfo bos(int token) {
        bos = token;
        return this;
    }

    /** Token that ends a text; -1: none. further: more of them. */
    public ModelInfo eos(int token, int... further) {
        eos = token;
        ends = further.clone();
        return this;
    }

    /** Own K/V: most tokens over all open sequences; 0: no limit. */
    public ModelInfo totalTokens(int n) {
        totalTokens = n;
        return this;
    }

    /** States: one about every so many tokens. */
    public ModelInfo stateTokens(int n) {
        stateTokens = n;
        return this;
    }

    /** For people: how it works. */
    public ModelInfo details(String text) {
        details = text;
        return this;
    }
}

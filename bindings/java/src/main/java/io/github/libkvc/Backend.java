package io.github.libkvc;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A model. One that keeps its own K/V is an {@link OwnKv}; without that, forward reads the past from the session and appends the new to it.
 * What is thrown fails the request with its words. tokenize and detokenize are called from any thread at any time, the others from one at
 * a time.
 */
public interface Backend {
    /** Called once, when an engine is made. */
    ModelInfo describe();

    /** Text (UTF-8) to tokens, without bos. */
    int[] tokenize(byte[] text);

    /** The bytes of one token. */
    byte[] detokenize(int token);

    /** Computes the next tokens of some sequences. When it throws, kvc rolls all of them back. */
    void forward(List<Forward> items);

    /** It is no longer used. */
    default void released() {}

    /**
     * One sequence's share of a call.
     *
     * @param sequence as given to sequenceOpen
     * @param session null for OwnKv
     * @param tokens the next ones
     * @param position of the first of them
     * @param logits float32, to be filled in for the last of the tokens; null if nobody wants them
     */
    record Forward(long sequence, SessionView session, int[] tokens, int position, MemorySegment logits) {}

    /** For models that keep state of a sequence. */
    interface Sequences extends Backend {
        /** A new, empty one. */
        void sequenceOpen(long sequence);

        /** Its end. */
        void sequenceClose(long sequence);
    }

    /** For models that keep their own K/V, which kvc has exported to, and imported from, sessions. */
    interface OwnKv extends Sequences {
        /** Appends K/V of tokens [from, from + n) of every layer to the session. */
        void exportKv(long sequence, SessionView session, int from, int n);

        /** Reads K/V of tokens from a position on out of the session. */
        void importKv(long sequence, SessionView session, int[] tokens, int from);

        /** Cuts a sequence to its first n tokens. */
        void truncate(long sequence, int n);
    }

    /** For models whose sequences cannot be rebuilt from K/V (ModelInfo.stateTokens). */
    interface States extends OwnKv {
        /** The whole state of a sequence of n tokens. */
        byte[] saveState(long sequence, int n);

        /** Takes it into an empty sequence. */
        void loadState(long sequence, int[] tokens, byte[] state);
    }

    /** For models that know how a conversation is written as a prompt. */
    interface Chat extends Backend {
        /** answer: the text ends where the model's answer begins. */
        String chatText(List<Message> messages, boolean answer);
    }
}

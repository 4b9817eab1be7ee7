package io.github.libkvc;

/**
 * Of a session to be opened.
 *
 * @param tenant security domain; null: the default one
 * @param sessionId a name for messages and statistics; may be null
 * @param priority of its pages, a Priority
 * @param noPublish its pages stay private to it and its forks
 * @param exact finds no approximate pages, and keeps its own in the clear
 * @param noAged finds no pages that were encoded again at rest
 */
public record SessionOptions(
    String tenant, String sessionId, int priority, boolean noPublish, boolean exact, boolean noAged) {
    /** What a session is without any. */
    public static final SessionOptions DEFAULT = new SessionOptions(null, null, 0, false, false, false);

    /** In a security domain. */
    public SessionOptions tenant(String name) {
        return new SessionOptions(name, sessionId, priority, noPublish, exact, noAged);
    }

    /** Keeps its pages to itself. */
    public SessionOptions privately() {
        return new SessionOptions(tenant, sessionId, priority, true, exact, noAged);
    }
}

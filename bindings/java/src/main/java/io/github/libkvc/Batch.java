package io.github.libkvc;

import java.util.List;

/**
 * Answers of processBatch.
 *
 * @param error the first failure, or null
 * @param responses in the order of the requests; null where a request was refused
 */
public record Batch(KvcException error, List<Response> responses) {}

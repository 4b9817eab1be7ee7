import io.github.libkvc.*;
import java.util.Map;

/** Asks for text twice - the second time the prompt's K/V is found in the cache -, reads an answer as it comes, and meets an error. */
final class Hello {
    private static final String PROMPT = "In the beginning God created the heaven and the earth. And the earth was without form, and void; and "
        + "darkness was upon the face of the deep. And the Spirit of God moved upon the face of";

    public static void main(String[] arguments) {
        try (var engine = Engine.open(Map.of("memory", "256MiB"))) {
            for (int i = 0; i < 2; i++) {
                Response answer = engine.process(Request.of(PROMPT).maxTokens(24));
                System.out.printf("\"%s\" (%d of %d prompt tokens were cached)%n", answer.text(), answer.cachedTokens(), answer.promptTokens());
            }
            // Closing the stream before its end would cancel the request.
            try (var pieces = engine.stream(Request.of("And God said, Let there be light: and").maxTokens(16))) {
                pieces.forEach(System.out::print);
            }
            System.out.println();
            try {
                engine.process(Request.of(PROMPT).maxTokens(100_000));
            } catch (KvcException e) {
                System.out.println(e.name());
            }
        }
    }
}

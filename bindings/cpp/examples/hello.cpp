// Ask for text twice: the second time the prompt's K/V is found in the cache.
#include <iostream>
#include <kvc/kvc.hpp>

int main() {
  try {
    kvc::Engine engine;
    const std::string prompt =
        "In the beginning God created the heaven and the earth. And the earth was without form, and void; "
        "and darkness was upon the face of the deep. And the Spirit of God moved upon the face of";
    for (int i = 0; i < 2; ++i) {
      const kvc::Response answer = engine.process(kvc::Request(prompt).max_tokens(24));
      std::cout << answer.text() << "\n(" << answer.cached_tokens() << " of " << answer.prompt_tokens()
                << " prompt tokens were cached)\n";
    }
  } catch (const kvc::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

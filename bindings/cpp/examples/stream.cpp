// Several requests at once, their text piece by piece.
#include <iostream>
#include <kvc/kvc.hpp>

int main() {
  try {
    kvc::Engine engine;
    std::vector<kvc::Ticket> tickets;
    for (const char* prompt : {"And it came to pass", "The LORD is my", "Blessed are the"})
      tickets.push_back(engine.submit(kvc::Request(prompt).max_tokens(32).priority(KVC_PRIORITY_HIGH)));

    // They are computed together; here they are read one after the other.
    for (kvc::Ticket& ticket : tickets) {
      for (const std::string& piece : ticket.stream()) std::cout << piece << std::flush;
      std::cout << "  [" << ticket.wait().n_tokens() << " tokens]\n";
    }

    // The same, pushed: false ends the answer.
    size_t pieces = 0;
    try {
      engine.process(
          kvc::Request("And God said").max_tokens(1000).on_text([&](std::string_view) { return ++pieces < 5; }));
    } catch (const kvc::RequestError& stopped) {
      std::cout << stopped.name() << " after \"" << stopped.response().text() << "\"\n";
    }
  } catch (const kvc::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

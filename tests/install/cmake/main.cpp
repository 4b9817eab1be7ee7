// The same from C++: with the wrapper where it is installed, else with the C header.
#include <kvc/kvc.h>

#include <iostream>

#if __has_include(<kvc/kvc.hpp>)
#include <kvc/kvc.hpp>

int main() {
  kvc::Engine engine;
  const kvc::Response answer = engine.process(kvc::Request("In the beginning").max_tokens(8));
  std::cout << answer.text() << '\n';
  return answer.text().empty() ? 1 : 0;
}
#else
int main() {
  std::cout << kvc_version_string() << '\n';
  return 0;
}
#endif

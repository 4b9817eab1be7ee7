// The bytes of an answer's tokens on their way to text.
//
// A token may end inside a character, and inside what could become a stop string. Both are held back until it is known
// what they are, so that what was given out once is never taken back. What comes out does not depend on how the bytes
// were cut into tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvc {

class TextStream {
 public:
  TextStream() = default;
  // Stop strings: valid UTF-8, not empty.
  explicit TextStream(const std::vector<std::string>& stop);

  // Takes bytes; appends to *out the text that is now certain. True: a stop string is complete; the text ends before it
  // and whatever comes later is ignored. Of several stop strings the one that is complete first counts, of several that
  // are complete at the same character the longest.
  bool feed(std::string_view bytes, std::string* out);
  // The answer is over: half a character becomes U+FFFD, what looked like the beginning of a stop string is text. True
  // as above.
  bool finish(std::string* out);

 private:
  // Knuth, Morris and Pratt: `matched` bytes of the word are the end of the text so far.
  struct Stop {
    std::string word;
    std::vector<uint32_t> border;  // of the prefix of i + 1 bytes: longest proper prefix that is also its end
    uint32_t matched = 0;
  };

  bool take(std::string_view character, std::string* out);

  std::vector<Stop> stop_;
  std::string bytes_;  // the beginning of a character
  std::string held_;   // whole characters: the beginning of a stop string
  bool stopped_ = false;
};

}  // namespace kvc

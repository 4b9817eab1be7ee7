#include <gtest/gtest.h>

#include "request/text_stream.h"
#include "request/utf8.h"

namespace kvc {
namespace {

// What comes out when the bytes come in pieces of `size`, each piece's output separately checked to be UTF-8.
std::string stream(std::string_view bytes, size_t size, const std::vector<std::string>& stop, bool* stopped = nullptr) {
  TextStream s(stop);
  std::string text;
  bool met = false;
  for (size_t at = 0; at < bytes.size(); at += size) {
    std::string piece;
    met = s.feed(bytes.substr(at, size), &piece);
    EXPECT_EQ(utf8_error(piece), std::string::npos);
    text += piece;
    if (met) break;
  }
  std::string piece;
  met = s.finish(&piece);
  text += piece;
  if (stopped != nullptr) *stopped = met;
  return text;
}

TEST(RequestUtf8Test, AcceptsWhatIsUtf8) {
  for (std::string_view text : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF",
                                "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xC2\x80", "\xE0\xA0\x80", "\xF0\x90\x80\x80"}) {
    EXPECT_EQ(utf8_error(text), std::string::npos) << text;
  }
  EXPECT_EQ(utf8_error(std::string_view("a\0b", 3)), std::string::npos);
}

TEST(RequestUtf8Test, NamesTheFirstBadByte) {
  EXPECT_EQ(utf8_error("ab\x80"), 2u);
  EXPECT_EQ(utf8_error("\xC0\x80"), 0u);          // overlong
  EXPECT_EQ(utf8_error("\xE0\x9F\xBF"), 0u);      // overlong
  EXPECT_EQ(utf8_error("\xF0\x8F\xBF\xBF"), 0u);  // overlong
  EXPECT_EQ(utf8_error("x\xED\xA0\x80"), 1u);     // surrogate
  EXPECT_EQ(utf8_error("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(utf8_error("\xF5\x80\x80\x80"), 0u);
  EXPECT_EQ(utf8_error("\xC3\xA9\xE2\x82"), 2u);  // cut
}

TEST(RequestUtf8Test, CutsBetweenCharacters) {
  const std::string_view text =
      "a\xE2\x82\xAC"
      "b";
  EXPECT_EQ(utf8_cut(text, 5), 5u);
  EXPECT_EQ(utf8_cut(text, 4), 4u);
  EXPECT_EQ(utf8_cut(text, 3), 1u);
  EXPECT_EQ(utf8_cut(text, 2), 1u);
  EXPECT_EQ(utf8_cut(text, 1), 1u);
}

TEST(RequestTextStreamTest, HoldsBackHalfACharacter) {
  TextStream s;
  std::string out;
  EXPECT_FALSE(s.feed("a\xE2\x82", &out));
  EXPECT_EQ(out, "a");
  EXPECT_FALSE(s.feed("\xAC", &out));
  EXPECT_EQ(out, "a\xE2\x82\xAC");
}

TEST(RequestTextStreamTest, ReplacesWhatIsNoUtf8InMaximalSubparts) {
  const struct {
    std::string_view in, out;
  } cases[] = {
      {"\x80", "\xEF\xBF\xBD"},
      {"a\xFF"
       "b",
       "a\xEF\xBF\xBD"
       "b"},
      {"\xE2\x82"
       "x",
       "\xEF\xBF\xBDx"},                                         // one for the two bytes that began a character
      {"\xE2\x82", "\xEF\xBF\xBD"},                              // at the end
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},  // surrogate: three
      {"\xF0\x9F\x98", "\xEF\xBF\xBD"},
      {"\xF0\x9F\x98\xC3\xA9", "\xEF\xBF\xBD\xC3\xA9"},
      {"\xC3\xC3\xA9", "\xEF\xBF\xBD\xC3\xA9"},
  };
  for (const auto& c : cases) {
    for (size_t size = 1; size <= 4; ++size) EXPECT_EQ(stream(c.in, size, {}), c.out) << size;
  }
}

TEST(RequestTextStreamTest, FindsStopStringsHoweverTheBytesAreCut) {
  const struct {
    std::string_view in;
    std::vector<std::string> stop;
    std::string_view out;
    bool stopped;
  } cases[] = {
      {"hello END more", {"END"}, "hello ", true},
      {"hello ENOUGH", {"END"}, "hello ENOUGH", false},
      {"aab", {"ab"}, "a", true},
      {"aaab", {"aab"}, "a", true},  // needs the border, not a restart
      {"ababac", {"abac"}, "ab", true},
      {"abcd", {"abcd", "bc"}, "a", true},     // complete first
      {"xyz", {"yz", "xyz", "z"}, "", true},   // longest of those complete together
      {"tail EN", {"END"}, "tail EN", false},  // the beginning of one is text in the end
      {"END", {"END"}, "", true},
      {"caf\xC3\xA9!", {"\xC3\xA9"}, "caf", true},
      {"caf\xC3\xA8!", {"\xC3\xA9"}, "caf\xC3\xA8!", false},
      {"a\xFF"
       "b",
       {"\xEF\xBF\xBD"},
       "a",
       true},                                  // the replacement character counts as text
      {"a\xC3", {"\xEF\xBF\xBD"}, "a", true},  // also at the end
  };
  for (const auto& c : cases) {
    for (size_t size = 1; size <= c.in.size(); ++size) {
      bool stopped = false;
      EXPECT_EQ(stream(c.in, size, c.stop, &stopped), c.out) << c.in << " in pieces of " << size;
      EXPECT_EQ(stopped, c.stopped) << c.in << " in pieces of " << size;
    }
  }
}

TEST(RequestTextStreamTest, HoldsBackOnlyWhatMayBecomeAStop) {
  TextStream s({"END"});
  std::string out;
  EXPECT_FALSE(s.feed("abcE", &out));
  EXPECT_EQ(out, "abc");
  EXPECT_FALSE(s.feed("N", &out));
  EXPECT_EQ(out, "abc");
  EXPECT_FALSE(s.feed("x", &out));
  EXPECT_EQ(out, "abcENx");
}

TEST(RequestTextStreamTest, IgnoresWhatComesAfterAStop) {
  TextStream s({"."});
  std::string out;
  EXPECT_TRUE(s.feed("one.two", &out));
  EXPECT_TRUE(s.feed("three", &out));
  EXPECT_TRUE(s.finish(&out));
  EXPECT_EQ(out, "one");
}

}  // namespace
}  // namespace kvc

// The built-in model against an independent computation of the same weights (builtin_reference.json, written by
// src/model/builtin/train/export.py), and against text that it was not trained on.
#include <cctype>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "builtin_fixture.h"

namespace kvc::test {
namespace {

// As much JSON as the file has: objects, arrays, numbers, and strings without escapes that matter.
struct Json {
  std::map<std::string, Json> fields;
  std::vector<Json> items;
  double number = 0;
  std::string text;

  const Json& at(const std::string& name) const {
    const auto found = fields.find(name);
    if (found == fields.end()) throw std::runtime_error("builtin_reference.json has no field " + name);
    return found->second;
  }
  Tokens tokens() const {
    Tokens out;
    for (const Json& item : items) out.push_back(static_cast<int32_t>(item.number));
    return out;
  }
};

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}
  Json parse() {
    Json value;
    const char c = peek();
    if (c == '{') {
      ++at_;
      while (peek() != '}') {
        const std::string name = string();
        expect(':');
        value.fields[name] = parse();
        if (peek() == ',') ++at_;
      }
      ++at_;
    } else if (c == '[') {
      ++at_;
      while (peek() != ']') {
        value.items.push_back(parse());
        if (peek() == ',') ++at_;
      }
      ++at_;
    } else if (c == '"') {
      value.text = string();
    } else {
      size_t used = 0;
      value.number = std::stod(text_.substr(at_, 40), &used);
      at_ += used;
    }
    return value;
  }

 private:
  char peek() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    if (at_ >= text_.size()) throw std::runtime_error("builtin_reference.json ends too early");
    return text_[at_];
  }
  void expect(char c) {
    if (peek() != c) throw std::runtime_error(std::string("builtin_reference.json: expected ") + c);
    ++at_;
  }
  std::string string() {
    expect('"');
    std::string out;
    while (text_.at(at_) != '"') {
      if (text_[at_] == '\\') ++at_;
      out.push_back(text_.at(at_++));
    }
    ++at_;
    return out;
  }

  const std::string& text_;
  size_t at_ = 0;
};

std::string file(const char* name) {
  std::ifstream in(std::string(KVC_TEST_DATA_DIR "/") + name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class BuiltinReferenceTest : public BuiltinTest {
 protected:
  void SetUp() override {
    BuiltinTest::SetUp();
    const std::string text = file("builtin_reference.json");
    ASSERT_FALSE(text.empty())
        << "tests/model/builtin_reference.json is missing: src/model/builtin/train/export.py writes it";
    reference_ = Parser(text).parse();
  }
  Json reference_;
};

TEST_F(BuiltinReferenceTest, DimensionsAreThoseOfTheReference) {
  const Json& config = reference_.at("config");
  EXPECT_EQ(backend_->info().vocab_size, config.at("vocab").number);
  EXPECT_EQ(backend_->info().context, config.at("context").number);
  EXPECT_EQ(backend_->space_desc().n_layers, config.at("n_layers").number);
  EXPECT_EQ(backend_->space_desc().n_kv_heads, config.at("n_kv_heads").number);
}

TEST_F(BuiltinReferenceTest, LogitsAndGreedyTokensAreThoseOfTheReference) {
  constexpr double kTolerance = 1e-2;
  ASSERT_FALSE(reference_.at("cases").items.empty());
  for (const Json& c : reference_.at("cases").items) {
    const std::string& name = c.at("name").text;
    const auto session = open();
    Logits logits = step(session.get(), c.at("prompt").tokens());
    for (const Json& top : c.at("top5").items) {
      const auto token = static_cast<size_t>(top.items.at(0).number);
      EXPECT_NEAR(logits.at(token), top.items.at(1).number, kTolerance) << name << ", token " << token;
    }
    const Tokens greedy = c.at("greedy").tokens();
    ASSERT_EQ(greedy.size(), c.at("margins").items.size());
    size_t compared = 0;
    for (size_t i = 0; i < greedy.size(); ++i) {
      // Where two tokens are nearly equal, rounding decides, and from there on the texts may differ.
      if (c.at("margins").items[i].number < 2 * kTolerance) break;
      ASSERT_EQ(argmax(logits), greedy[i]) << name << ", step " << i;
      logits = step(session.get(), std::span(greedy).subspan(i, 1));
      ++compared;
    }
    EXPECT_GE(compared, 1u) << name;
  }
}

TEST_F(BuiltinReferenceTest, PredictsHeldOutText) {
  const std::string text = file("heldout.txt");
  const size_t window = backend_->info().context - 1;
  ASSERT_GE(text.size(), window);
  // Logits come for the last token of an item only, so each byte is one call: a part of the first window will do.
  const size_t scored = quick() ? 100 : 2000;
  const auto session = open();
  Tokens tokens = tokens_of(std::string_view(text).substr(0, window));
  double bits = 0;
  for (size_t i = 0; i < scored; ++i) {
    const Logits logits = step(session.get(), std::span(tokens).subspan(i, 1));
    double sum = 0;
    const double max = *std::max_element(logits.begin(), logits.end());
    for (float l : logits) sum += std::exp(l - max);
    bits -= (logits[tokens[i + 1]] - max - std::log(sum)) / std::log(2.0);
  }
  RecordProperty("bits_per_byte", std::to_string(bits / static_cast<double>(scored)));
  if (!quick()) {
    EXPECT_LT(bits / static_cast<double>(scored), 2.2);
    EXPECT_LT(reference_.at("heldout_bits_per_byte").number, 2.2);
  }
}

}  // namespace
}  // namespace kvc::test

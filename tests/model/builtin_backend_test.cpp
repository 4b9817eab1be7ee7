// The built-in model as a Backend: what it says of itself, its tokens, its refusals.
#include <cstring>

#include "builtin_fixture.h"
#include "model/builtin/weights.h"

namespace kvc::test {
namespace {

using BuiltinBackendTest = BuiltinTest;

TEST_F(BuiltinBackendTest, DescribesItself) {
  EXPECT_TRUE(backend_->paged());
  EXPECT_EQ(backend_->info().name, "builtin");
  EXPECT_EQ(backend_->info().vocab_size, 258u);
  EXPECT_GE(backend_->info().context, 4096u);
  EXPECT_EQ(backend_->info().bos, 256);
  EXPECT_EQ(backend_->info().eos, 257);
  const kvc_space_desc_t& desc = backend_->space_desc();
  EXPECT_EQ(desc.page_tokens, 64u);
  EXPECT_EQ(desc.dtype, KVC_F16);
  EXPECT_EQ(desc.k_head_dim, 64u);
  EXPECT_GE(desc.n_kv_heads, 2u);
  EXPECT_EQ(desc.weights_digest_size, 32u);
  std::unique_ptr<Backend> other;
  check(make_builtin_backend(&other));
  EXPECT_EQ(std::memcmp(other->space_desc().weights_digest, desc.weights_digest, 32), 0);
}

TEST_F(BuiltinBackendTest, TokensAreBytes) {
  const std::string text("In the beginning\0 \xff\xc3\xa9", 21);
  Tokens tokens{7};
  check(backend_->tokenise(text, &tokens));
  ASSERT_EQ(tokens.size(), 1 + text.size());
  EXPECT_EQ(tokens[0], 7);
  EXPECT_EQ(tokens[1], 'I');
  EXPECT_EQ(tokens[19], 0xff);
  std::string back;
  for (size_t i = 1; i < tokens.size(); ++i) check(backend_->detokenise(tokens[i], &back));
  EXPECT_EQ(back, text);
  check(backend_->detokenise(256, &back));
  check(backend_->detokenise(257, &back));
  EXPECT_EQ(back, text);
  EXPECT_EQ(backend_->detokenise(258, &back).code(), KVC_E_TOKEN);
  EXPECT_EQ(backend_->detokenise(-1, &back).code(), KVC_E_TOKEN);
}

TEST_F(BuiltinBackendTest, RefusesWhatMakesNoSense) {
  const auto session = open();
  Logits logits(258);
  const auto forward = [&](Tokens tokens, uint32_t position, Session* on) {
    const ForwardItem one{1, on, tokens, position, logits.data()};
    const Status status = backend_->forward({&one, 1});
    EXPECT_EQ(session->appended(0), 0u);
    return status.code();
  };
  EXPECT_EQ(forward({1}, 0, nullptr), KVC_E_NULL);
  EXPECT_EQ(forward({}, 0, session.get()), KVC_E_INVALID);
  EXPECT_EQ(forward({1, 258}, 0, session.get()), KVC_E_TOKEN);
  EXPECT_EQ(forward({-1}, 0, session.get()), KVC_E_TOKEN);
  EXPECT_EQ(forward({1}, 1, session.get()), KVC_E_ORDER);
  EXPECT_EQ(forward(Tokens(4097, 1), 0, session.get()), KVC_E_CONTEXT);
  EXPECT_EQ(forward({1}, UINT32_MAX, session.get()), KVC_E_CONTEXT);

  kvc_space_desc_t desc = backend_->space_desc();
  desc.n_layers += 1;
  std::shared_ptr<const Space> space;
  std::unique_ptr<Session> alien;
  check(cache_->open_space(desc, &space));
  check(cache_->open_session(space, {}, &alien));
  EXPECT_EQ(forward({1}, 0, alien.get()), KVC_E_SHAPE);

  EXPECT_EQ(backend_->export_kv(1, session.get(), 0, 1).code(), KVC_E_UNSUPPORTED);
  EXPECT_EQ(backend_->truncate(1, 0).code(), KVC_E_UNSUPPORTED);
}

TEST_F(BuiltinBackendTest, FailsWhenTheCacheIsFullAndGoesOnAfterwards) {
  const PageGeometry g = open()->space().geometry();
  const auto small = new_cache(true, 4 * g.page_bytes());
  Tokens prompt(1000, 'a');
  Logits logits(258), expected;
  {
    const auto session = open(small.get());
    const ForwardItem one = item(session.get(), prompt, logits.data());
    EXPECT_EQ(backend_->forward({&one, 1}).code(), KVC_E_NO_MEMORY);
    check(session->truncate(0));
    prompt.resize(50);
    expected = step(session.get(), prompt);
  }
  const auto session = open();
  EXPECT_EQ(step(session.get(), prompt), expected);
}

TEST_F(BuiltinBackendTest, ReachesTheEndOfTheContext) {
  if (quick()) GTEST_SKIP() << "too slow here";
  const auto session = open();
  Tokens tokens(backend_->info().context, 'x');
  step(session.get(), tokens);
  tokens.resize(1);
  const ForwardItem one = item(session.get(), tokens, nullptr);
  EXPECT_EQ(backend_->forward({&one, 1}).code(), KVC_E_CONTEXT);
}

class WeightsTest : public testing::Test {
 protected:
  WeightsTest() {
    const auto file = builtin::embedded_weights();
    bytes_ = static_cast<std::byte*>(::operator new (file.size() + 128, std::align_val_t{64}));
    size_ = file.size();
    std::memcpy(bytes_, file.data(), size_);
    std::memset(bytes_ + size_, 0, 128);
  }
  ~WeightsTest() override { ::operator delete (bytes_, std::align_val_t{64}); }

  kvc_status_t parse(size_t size) {
    builtin::Weights weights;
    const Status status = builtin::parse_weights({bytes_, size}, &weights);
    EXPECT_EQ(status.is_ok(), status.message().empty());
    return status.code();
  }
  kvc_status_t with_field(size_t index, uint32_t value) {
    std::byte* at = bytes_ + 8 + 4 * index;
    std::byte old[4];
    std::memcpy(old, at, 4);
    std::memcpy(at, &value, 4);
    const kvc_status_t code = parse(size_);
    std::memcpy(at, old, 4);
    return code;
  }

  std::byte* bytes_;
  size_t size_;
};

TEST_F(WeightsTest, TakesTheEmbeddedFile) {
  builtin::Weights weights;
  ASSERT_TRUE(builtin::parse_weights(builtin::embedded_weights(), &weights).is_ok());
  EXPECT_EQ(weights.layers.size(), weights.config.n_layers);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weights.final_norm) % 64, 0u);
  EXPECT_LE(size_, 4u << 20);
  EXPECT_EQ(parse(size_), KVC_OK);
}

TEST_F(WeightsTest, RefusesDamagedFiles) {
  for (size_t size :
       {size_t{0}, size_t{7}, size_t{47}, size_t{48}, size_t{1000}, size_ - 64, size_ - 1, size_ + 64, size_ + 128}) {
    EXPECT_EQ(parse(size), KVC_E_CORRUPT) << size;
  }
  for (size_t field = 0; field < 7; ++field) {
    for (uint32_t value : {0u, 1u, 3u, 0x7fffffffu, 0xffffffffu}) {
      if (field == 2 && value == 1) continue;
      EXPECT_EQ(with_field(field, value), KVC_E_CORRUPT) << "field " << field << " = " << value;
    }
  }
  EXPECT_EQ(with_field(0, 5), KVC_E_CORRUPT);
  EXPECT_EQ(with_field(7, 0), KVC_E_CORRUPT);
  EXPECT_EQ(with_field(8, 0x7fc00000), KVC_E_CORRUPT);
  EXPECT_EQ(with_field(9, 0), KVC_E_CORRUPT);
  bytes_[0] = std::byte{'X'};
  EXPECT_EQ(parse(size_), KVC_E_CORRUPT);
}

}  // namespace
}  // namespace kvc::test

// The wrapper without exceptions and RTTI: every call gives a Result. Linked with a second unit that includes the
// header too.
#include <cstdio>
#include <kvc/kvc.hpp>
#include <memory>

#ifndef KVC_NO_EXCEPTIONS
#error "-fno-exceptions was not noticed"
#endif

int other_unit();  // no_exceptions_other.cpp

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
  if (condition) return;
  std::printf("not so: %s\n", what);
  ++failures;
}

class Failing : public kvc::Backend {
 public:
  kvc::Status describe(kvc_model_info_t&) override { return kvc::Status(KVC_E_USER, "no model today"); }
  kvc::Status tokenize(std::string_view, std::vector<int32_t>&) override { return KVC_OK; }
  kvc::Status detokenize(int32_t, std::string&) override { return KVC_OK; }
  kvc::Status forward(const kvc_forward_t*, uint32_t) override { return KVC_OK; }
};

void core() {
  kvc::Result<kvc::Config> config = kvc::Config::create();
  expect(config.ok(), "a configuration");
  expect(config->set("model", "none").ok(), "model=none");
  const kvc::Result<void> unknown = config->set("no_such_option", "1");
  expect(!unknown && unknown.code() == KVC_E_UNKNOWN_OPTION && unknown.message().size() > 5,
         "an unknown option says so");
  kvc::Result<kvc::Engine> engine = kvc::Engine::create(*config);
  expect(engine.ok(), "an engine");
  kvc::Result<kvc::Space> incomplete = engine->open_space(kvc::SpaceDesc().weights("w"));
  expect(!incomplete && !incomplete.has_value() && incomplete.code() == KVC_E_IDENTITY, "an incomplete identity");
  expect(std::string(incomplete.name()) == "KVC_E_IDENTITY", "its name");
  kvc::Result<kvc::Space> space = engine->open_space(kvc::SpaceDesc()
                                                         .weights("w")
                                                         .no_tokenizer()
                                                         .no_rope()
                                                         .no_adapters()
                                                         .no_attention()
                                                         .layers(1)
                                                         .kv_heads(1)
                                                         .head_dim(4)
                                                         .dtype(KVC_F32)
                                                         .page_tokens(2));
  expect(space.ok(), "a space");
  kvc::Result<kvc::Session> session = space->open_session();
  expect(session.ok(), "a session");
  const float data[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  kvc::Result<kvc::Tensor> rows = kvc::tensor_thd(data, 3, 1, 4);
  expect(rows.ok() && session->append(0, *rows, *rows, 3).ok(), "append");
  expect(session->commit({7, 8, 9}).ok(), "commit");
  kvc::Result<kvc::Session> second = space->open_session();
  kvc::Result<size_t> reused = second->match({7, 8, 9});
  expect(reused.ok() && *reused == 2, "a match of the whole page");
  float out[8] = {};
  expect(
      second->read(0, KVC_VALUE, 0, 2, *kvc::tensor_thd(static_cast<const float*>(out), 2, 1, 4)).ok() && out[7] == 8,
      "read");
  size_t pages = 0;
  for (const kvc_page_info_t& page : *engine->pages()) pages += page.n_tokens == 2;
  expect(pages == 1, "one page");
}

void requests() {
  kvc::Result<kvc::Engine> engine = kvc::Engine::create();
  expect(engine.ok(), "an engine with the built-in model");
  kvc::Result<kvc::Response> answer = engine->process(kvc::Request("In the beginning").max_tokens(8));
  expect(answer.ok() && answer->n_tokens() == 8, "an answer");
  kvc::Result<kvc::Ticket> ticket = engine->submit(kvc::Request("In the beginning").max_tokens(8));
  std::string text;
  for (const std::string& piece : ticket->stream()) text += piece;
  expect(text == answer->text(), "the stream is the text");
  expect(ticket->wait().ok(), "wait");
  kvc::Result<kvc::Response> cancelled =
      engine->process(kvc::Request("In the beginning").max_tokens(50).on_text([](std::string_view) { return false; }));
  expect(!cancelled && cancelled.code() == KVC_E_CANCELLED && cancelled.has_value(), "a cancelled answer has its text");
  kvc::Result<kvc::Config> config = kvc::Config::create();
  expect(config->set_backend(std::make_shared<Failing>()).ok(), "a backend");
  kvc::Result<kvc::Engine> failing = kvc::Engine::create(*config);
  expect(!failing && failing.message().find("no model today") != std::string::npos, "a backend's words");
}

}  // namespace

int main() {
  core();
  requests();
  failures += other_unit();
  return failures == 0 ? 0 : 1;
}

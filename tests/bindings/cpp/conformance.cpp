// Replays tests/bindings/conformance.json with kvc.hpp.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <kvc/kvc.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

namespace {

using Json = nlohmann::json;

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What steps name. An optional that is empty was closed.
struct Named {
  std::optional<kvc::Config> config;
  std::optional<kvc::Engine> engine;
  std::optional<kvc::Space> space;
  std::optional<kvc::Session> session;
  std::optional<kvc::Ticket> ticket;
  Json value;  // of an answer: "text"; of pages: "ids"
};

std::vector<int32_t> tokens_of(const Json& step) {
  const Json& t = step.at("tokens");
  if (t.size() != 3 || t[1] != "to") return t.get<std::vector<int32_t>>();
  std::vector<int32_t> tokens;
  for (int32_t i = t[0]; i < t[2].get<int32_t>(); ++i) tokens.push_back(i);
  return tokens;
}

std::vector<float> kv(uint32_t layer, int plane, uint32_t from, uint32_t n, uint32_t heads, uint32_t dim) {
  std::vector<float> out;
  for (uint32_t t = from; t < from + n; ++t)
    for (uint32_t h = 0; h < heads; ++h)
      for (uint32_t d = 0; d < dim; ++d)
        out.push_back(static_cast<float>((2 * layer + static_cast<uint32_t>(plane)) * 1000 + t * 10 + h) +
                      static_cast<float>(d) / 16);
  return out;
}

kvc::Request request_of(const Json& s) {
  kvc::Request r;
  if (s.contains("prompt"))
    r.prompt(s["prompt"].get<std::string>());
  else
    r.tokens(tokens_of(s));
  if (s.contains("max_tokens")) r.max_tokens(s["max_tokens"]);
  if (s.contains("top_p")) r.top_p(s["top_p"]);
  if (s.contains("priority")) r.priority(s["priority"]);
  if (s.contains("action")) r.action(s["action"]);
  if (s.contains("no_cache")) r.no_cache(s["no_cache"].get<bool>());
  if (s.contains("tenant")) r.tenant(s["tenant"]);
  if (s.contains("stop"))
    for (const Json& text : s["stop"]) r.stop(text);
  return r;
}

Json answer(const kvc::Response& r) {
  return {{"text", std::string(r.text())},
          {"finish_reason", r.finish_reason()},
          {"prompt_tokens", r.prompt_tokens()},
          {"cached_tokens", r.cached_tokens()},
          {"computed_tokens", r.computed_tokens()},
          {"n_tokens", r.n_tokens()},
          {"cache_hit", r.cache_hit() ? 1 : 0},
          {"miss_reason", r.miss_reason()}};
}

std::string hex(const uint8_t* id) {
  std::string out;
  for (int i = 0; i < 32; ++i) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", id[i]);
    out += two;
  }
  return out;
}

std::array<uint8_t, 32> unhex(const std::string& text) {
  std::array<uint8_t, 32> id{};
  for (size_t i = 0; i < 32; ++i) id[i] = static_cast<uint8_t>(std::stoi(text.substr(2 * i % text.size(), 2), nullptr, 16));
  return id;
}

class Replay {
 public:
  Replay() = default;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay() {
    named_.clear();
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  void run(const Json& scenario) {
    size_t index = 0;
    for (const Json& step : scenario["steps"]) {
      const std::string where = scenario["name"].get<std::string>() + ", step " + std::to_string(++index) + " (" +
                                step["do"].get<std::string>() + ")";
      const std::string error = step.value("error", "");
      Json result;
      try {
        result = perform(step);
      } catch (const kvc::Error& e) {
        if (e.name() != error) throw Failure(where + ": " + e.what() + ", expected " + (error.empty() ? "success" : error));
        continue;
      }
      if (!error.empty()) throw Failure(where + ": succeeded, expected " + error);
      if (step.contains("as")) named_[step["as"]].value = result;
      if (step.contains("expect")) compare(result, step["expect"], where);
    }
  }

 private:
  void compare(const Json& result, const Json& expected, const std::string& where) {
    if (!expected.is_object()) {
      if (result != expected) throw Failure(where + ": " + result.dump() + ", expected " + expected.dump());
      return;
    }
    for (const auto& [name, value] : expected.items()) {
      const bool ids = name == "same as";
      const Json& found = result.at(ids ? "ids" : name);
      const Json wanted = ids                 ? named_.at(value).value.at("ids")
                          : value.is_object() ? named_.at(value.at("same as")).value.at("text")
                                              : value;
      if (found != wanted) throw Failure(where + ": " + name + " is " + found.dump() + ", expected " + wanted.dump());
    }
  }

  Named& on(const Json& s) { return named_.at(s.at("on")); }
  kvc::Engine& engine(const Json& s) { return *on(s).engine; }
  kvc::Session& session(const Json& s) { return *on(s).session; }
  Named& make(const Json& s) { return named_[s.value("as", "")]; }

  // Keeps rows alive while a call looks at them.
  kvc::Tensor rows(const Json& s, uint32_t layer, int plane) {
    data_.push_back(kv(layer, plane, s["from"], s["n"], s["heads"], s["dim"]));
    return kvc::tensor_thd(data_.back().data(), s["n"].get<size_t>(), s["heads"], s["dim"]);
  }
  kvc::Tensor room(const Json& s) {
    data_.emplace_back(s["n"].get<size_t>() * s["heads"].get<size_t>() * s["dim"].get<size_t>());
    return kvc::tensor_thd(data_.back().data(), s["n"].get<size_t>(), s["heads"], s["dim"]);
  }
  void check_rows(const kvc::Tensor& t, const Json& s, uint32_t layer, int plane) {
    const std::vector<float> wanted = kv(layer, plane, s["from"], s["n"], s["heads"], s["dim"]);
    if (!std::equal(wanted.begin(), wanted.end(), static_cast<const float*>(t.data))) throw Failure("other numbers: " + s.dump());
  }

  // Attention of queries of zeros is the mean of V over the tokens that they see.
  void attend(const Json& s) {
    const size_t n = s["n"], heads = s["heads"], dim = s["dim"], queries = s["query_heads"];
    const size_t first = s["mean_of_tokens"][0], seen = s["mean_of_tokens"][1].get<size_t>() - first;
    const uint32_t layer = s["layer"];
    std::vector<float> zeros(n * queries * dim), out(n * queries * dim);
    kvc::Attend how;
    how.window = s.value("window", uint64_t{0});
    session(s).attend(layer, kvc::tensor_thd(zeros.data(), n, static_cast<uint32_t>(queries), static_cast<uint32_t>(dim)),
                      kvc::tensor_thd(out.data(), n, static_cast<uint32_t>(queries), static_cast<uint32_t>(dim)), how);
    const std::vector<float> values = kv(layer, 1, first, seen, heads, dim);
    for (size_t i = 0; i < out.size(); ++i) {
      double mean = 0;
      for (size_t t = 0; t < seen; ++t) mean += values[(t * heads + i / dim / (queries / heads) % heads) * dim + i % dim];
      mean /= static_cast<double>(seen);
      if (std::abs(out[i] - mean) > mean / 1000) throw Failure("attention gives " + std::to_string(out[i]));
    }
  }

  // A name in a folder of this case's own.
  std::string path(const std::string& name) {
    if (folder_.empty()) {
      std::string made = (std::filesystem::temp_directory_path() / "kvc-conformance-XXXXXX").string();
      if (!mkdtemp(made.data())) throw Failure("no temporary folder");
      folder_ = made;
    }
    return folder_ + "/" + name;
  }

  Json perform(const Json& s) {
    data_.clear();
    const auto operation = operations_.find(s["do"]);
    if (operation == operations_.end()) throw Failure("no operation " + s["do"].dump());
    return operation->second(s);
  }

  Json pages(const Json& s) {
    Json out = {{"count", 0}, {"positions", Json::array()}, {"n_tokens", Json::array()}, {"ids", Json::array()}};
    for (const kvc_page_info_t& page : engine(s).pages()) {
      out["count"] = out["count"].get<int>() + 1;
      out["positions"].push_back(page.position);
      out["n_tokens"].push_back(page.n_tokens);
      out["ids"].push_back(hex(page.id));
      out["codec"] = page.codec;
    }
    return out;
  }
  std::array<uint8_t, 32> page_id(const Json& s) {
    return unhex(s.contains("page") ? named_.at(s["page"]).value["ids"][s["index"].get<size_t>()].get<std::string>()
                                    : s["id"].get<std::string>());
  }
  Json batch(const Json& s) {
    std::vector<kvc::Request> requests;
    for (const Json& r : s["requests"]) requests.push_back(request_of(r));
    const kvc::Batch batch = engine(s).process_batch(requests);
    Json out = {{"error", batch.status.ok() ? Json() : Json(batch.status.name())}, {"answered", Json::array()}};
    for (const kvc::Response& r : batch.responses) {
      out["answered"].push_back(static_cast<bool>(r));
      if (r && out.contains("text") && out["text"] != std::string(r.text())) throw Failure("answers of a batch differ");
      if (r) out["text"] = std::string(r.text());
    }
    return out;
  }
  Json get(const Json& s) {
    const std::string key = s["key"], tenant = s.value("tenant", "");
    kvc::Tensor t{};
    t.struct_size = sizeof t;
    const char* who = tenant.empty() ? nullptr : tenant.c_str();
    if (!engine(s).get(key, &t, who)) return nullptr;
    data_.emplace_back(t.size / sizeof(float));
    t.data = data_.back().data();
    engine(s).get(key, &t, who);
    for (size_t i = 0; i < data_.back().size(); ++i)
      if (data_.back()[i] != static_cast<float>(i) / 2) throw Failure("other numbers: " + s.dump());
    return std::vector<int64_t>(t.shape, t.shape + t.n_dims);
  }
  void put(const Json& s) {
    const std::vector<int64_t> shape = s["shape"];
    size_t n = 1;
    for (int64_t d : shape) n *= static_cast<size_t>(d);
    data_.emplace_back(n);
    for (size_t i = 0; i < n; ++i) data_.back()[i] = static_cast<float>(i) / 2;
    engine(s).put(s["key"].get<std::string>(), kvc::tensor(data_.back(), shape));
  }
  void open_space(const Json& s) {
    const Json& d = s["desc"];
    const std::string without = d.value("without", "");
    kvc::SpaceDesc desc;
    desc.weights(d["weights"].get<std::string>()).layers(d["layers"]).kv_heads(d["heads"]).head_dim(d["dim"].get<uint32_t>());
    desc.dtype(KVC_F32).page_tokens(d["page_tokens"]).no_adapters().no_attention();
    if (without != "rope") desc.no_rope();
    if (without != "tokenizer") desc.no_tokenizer();
    kvc::Space space = engine(s).open_space(desc);
    make(s).space = std::move(space);
  }

  std::map<std::string, Named> named_;
  std::string folder_;
  std::vector<std::vector<float>> data_;
  using Operation = std::function<Json(const Json&)>;
  const std::map<std::string, Operation> operations_ = {
      {"status_name", [](const Json& s) { return kvc_status_name(s["code"]); }},
      {"has_feature", [](const Json& s) { return kvc::has_feature(s["name"].get<std::string>().c_str()); }},
      {"option",
       [](const Json& s) {
         for (const kvc_option_info_t& o : kvc::options())
           if (s["name"] == o.name) return Json{{"type", o.type}, {"default_value", o.default_value}};
         return Json();
       }},
      {"config",
       [this](const Json& s) {
         kvc::Config config(s.contains("preset") ? s["preset"].get<std::string>().c_str() : nullptr);
         make(s).config = std::move(config);
         return Json();
       }},
      {"config.set", [this](const Json& s) { return on(s).config->set(s["key"], s["value"]), Json(); }},
      {"config.get", [this](const Json& s) { return on(s).config->get(s["key"]); }},
      {"engine",
       [this](const Json& s) {
         kvc::Config config;
         const Json options = s.value("options", Json::object());
         for (const auto& [key, value] : options.items())
           config.set(key, key == "disk_path" ? path(value) : value.get<std::string>());
         kvc::Engine engine(config);
         make(s).engine = std::move(engine);
         return Json();
       }},
      {"engine.close", [this](const Json& s) { return kvc_engine_destroy(engine(s).handle()), Json(); }},
      {"process", [this](const Json& s) { return answer(engine(s).process(request_of(s))); }},
      {"process_batch", [this](const Json& s) { return batch(s); }},
      {"text_lacks",
       [this](const Json& s) {
         if (on(s).value["text"].get<std::string>().find(s["what"]) != std::string::npos) throw Failure("found " + s.dump());
         return Json();
       }},
      {"submit",
       [this](const Json& s) {
         kvc::Ticket ticket = engine(s).submit(request_of(s));
         make(s).ticket = std::move(ticket);
         return Json();
       }},
      {"stream",
       [this](const Json& s) {
         std::string text;
         for (const std::string& piece : on(s).ticket->stream()) text += piece;
         return Json{{"text", text}};
       }},
      {"wait", [this](const Json& s) { return answer(on(s).ticket->wait()); }},
      {"cancel", [this](const Json& s) { return on(s).ticket->cancel(), Json(); }},
      {"poll", [this](const Json& s) { return engine(s).poll().size(); }},
      {"step", [this](const Json& s) { return engine(s).step(); }},
      {"stats",
       [this](const Json& s) {
         const kvc::Stats x = engine(s).stats();
         return Json{{"requests", x.requests},
                     {"requests_completed", x.requests_completed},
                     {"requests_failed", x.requests_failed},
                     {"requests_refused", x.requests_refused},
                     {"requests_cancelled", x.requests_cancelled},
                     {"requests_active", x.requests_active},
                     {"requests_queued", x.requests_queued},
                     {"request_hits", x.request_hits},
                     {"prompt_tokens", x.prompt_tokens},
                     {"cached_tokens", x.cached_tokens},
                     {"generated_tokens", x.generated_tokens},
                     {"matches", x.matches},
                     {"match_hits", x.match_hits},
                     {"matched_tokens", x.matched_tokens},
                     {"pages", x.pages},
                     {"pages_pinned", x.pages_pinned},
                     {"sessions", x.sessions},
                     {"tensors", x.tensors},
                     {"memory_payload", x.memory_payload}};
       }},
      {"tokenize", [this](const Json& s) { return engine(s).tokenize(s["text"].get<std::string>()); }},
      {"detokenize", [this](const Json& s) { return engine(s).detokenize(tokens_of(s)); }},
      {"space", [this](const Json& s) { return open_space(s), Json(); }},
      {"space.info",
       [this](const Json& s) {
         const kvc_space_info_t i = on(s).space->info();
         return Json{{"n_layers", i.n_layers}, {"n_kv_heads", i.n_kv_heads}, {"k_head_dim", i.k_head_dim},
                     {"v_head_dim", i.v_head_dim}, {"dtype", i.dtype}, {"page_tokens", i.page_tokens},
                     {"page_bytes", i.page_bytes}};
       }},
      {"diff", [this](const Json& s) { return on(s).space->diff(*named_.at(s["other"]).space); }},
      {"page_ids",
       [this](const Json& s) {
         Json ids = Json::array();
         for (const std::string& id : on(s).space->page_ids(tokens_of(s)))
           ids.push_back(hex(reinterpret_cast<const uint8_t*>(id.data())));
         return Json{{"count", ids.size()}, {"ids", ids}};
       }},
      {"session",
       [this](const Json& s) {
         kvc::SessionOptions options;
         options.tenant = s.value("tenant", "");
         options.publish = s.value("publish", true);
         kvc::Session session = on(s).space->open_session(options);
         make(s).session = std::move(session);
         return Json();
       }},
      {"session.close",
       [this](const Json& s) {
         // A second close of the same object: it has no handle any more, so there is nothing to close.
         if (session(s).handle() != nullptr) session(s).close(s.value("hint", 0), s.value("until_ns", uint64_t{0}));
         return Json();
       }},
      {"match",
       [this](const Json& s) {
         if (session(s).handle() == nullptr) throw kvc::Error(KVC_E_CLOSED, "closed");
         return session(s).match(tokens_of(s));
       }},
      {"miss", [this](const Json& s) { return session(s).miss().reason; }},
      {"append",
       [this](const Json& s) {
         const uint32_t layer = s["layer"];
         data_.reserve(2);
         const kvc::Tensor k = rows(s, layer, KVC_KEY), v = rows(s, layer, KVC_VALUE);
         return session(s).append(layer, k, v, s["n"].get<size_t>()), Json();
       }},
      {"append_all",
       [this](const Json& s) {
         std::vector<kvc::Tensor> k, v;
         for (uint32_t layer = 0; layer < s["layers"].get<uint32_t>(); ++layer) {
           k.push_back(rows(s, layer, KVC_KEY));
           v.push_back(rows(s, layer, KVC_VALUE));
         }
         return session(s).append_all(k, v, s["n"].get<size_t>()), Json();
       }},
      {"commit", [this](const Json& s) { return session(s).commit(tokens_of(s)), Json(); }},
      {"read",
       [this](const Json& s) {
         const kvc::Tensor out = room(s);
         session(s).read(s["layer"], s["plane"], s["from"].get<size_t>(), s["n"].get<size_t>(), out);
         return check_rows(out, s, s["layer"], s["plane"]), Json();
       }},
      {"read_all",
       [this](const Json& s) {
         std::vector<kvc::Tensor> k, v;
         for (uint32_t layer = 0; layer < s["layers"].get<uint32_t>(); ++layer) {
           k.push_back(room(s));
           v.push_back(room(s));
         }
         session(s).read_all(s["from"].get<size_t>(), s["n"].get<size_t>(), k, v);
         for (uint32_t layer = 0; layer < k.size(); ++layer) {
           check_rows(k[layer], s, layer, KVC_KEY);
           check_rows(v[layer], s, layer, KVC_VALUE);
         }
         return Json();
       }},
      {"session.info",
       [this](const Json& s) {
         const kvc_session_info_t i = session(s).info();
         return Json{{"length", i.length}, {"matched", i.matched}, {"pages", i.pages},
                     {"pending", i.pending}, {"pinned", i.pinned}, {"priority", i.priority}};
       }},
      {"session.tokens", [this](const Json& s) { return session(s).tokens(s["from"].get<size_t>(), s["n"].get<size_t>()); }},
      {"truncate", [this](const Json& s) { return session(s).truncate(s["n"].get<size_t>()), Json(); }},
      {"fork",
       [this](const Json& s) {
         kvc::Session fork = session(s).fork();
         make(s).session = std::move(fork);
         return Json();
       }},
      {"pin", [this](const Json& s) { return session(s).pin(s["pinned"].get<bool>()), Json(); }},
      {"set_priority", [this](const Json& s) { return session(s).set_priority(s["priority"]), Json(); }},
      {"attend",
       [this](const Json& s) {
         attend(s);
         return Json();
       }},
      {"hint", [this](const Json& s) { return session(s).hint(s["hint"]), Json(); }},
      {"expect", [this](const Json& s) { return session(s).expect(s["in_ns"]), Json(); }},
      {"chat_text",
       [this](const Json& s) {
         std::vector<std::pair<std::string, std::string>> messages;
         for (const Json& m : s["messages"]) messages.emplace_back(m[0], m[1]);
         return engine(s).chat_text(messages, s.value("answer", true));
       }},
      {"persist", [this](const Json& s) { return engine(s).persist(); }},
      {"persist_to", [this](const Json& s) { return engine(s).persist_to(path(s["path"])); }},
      {"load", [this](const Json& s) { return engine(s).load(path(s["path"])); }},
      {"pack_write", [this](const Json& s) { return on(s).space->write_pack(tokens_of(s), path(s["path"])); }},
      {"pack_open", [this](const Json& s) { return engine(s).open_pack(path(s["path"])); }},
      {"purge", [this](const Json& s) { return engine(s).purge(s["tenant"].get<std::string>()); }},
      {"trace_start", [this](const Json& s) { return engine(s).trace_start(path(s["path"])), Json(); }},
      {"trace_stop", [this](const Json& s) { return engine(s).trace_stop(); }},
      {"whatif",
       [this](const Json& s) {
         const kvc_whatif_t found = engine(s).whatif(s.value("budget", uint64_t{0}), s.value("policy", ""));
         return Json{{"sessions", found.sessions}};
       }},
      {"adapt",
       [this](const Json& s) { return engine(s).adapt(s.value("objective", 0), s.value("prefill_speed", 0.0)), Json(); }},
      {"trim", [this](const Json& s) { return engine(s).trim(s["bytes"].get<uint64_t>()); }},
      {"pages", [this](const Json& s) { return pages(s); }},
      {"page_tokens", [this](const Json& s) { return engine(s).page_tokens(page_id(s).data()); }},
      {"page_info",
       [this](const Json& s) {
         const kvc_page_info_t i = engine(s).page_info(page_id(s).data());
         return Json{{"position", i.position}, {"n_tokens", i.n_tokens}, {"bytes", i.bytes}, {"tier", i.tier}};
       }},
      {"put", [this](const Json& s) { return put(s), Json(); }},
      {"get", [this](const Json& s) { return get(s); }},
      {"contains", [this](const Json& s) { return engine(s).contains(s["key"].get<std::string>()); }},
      {"remove", [this](const Json& s) { return engine(s).remove(s["key"].get<std::string>()); }},
  };
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::puts("usage: conformance SCRIPT"), 2;
  std::ifstream file(argv[1]);
  const Json script = Json::parse(file);
  size_t steps = 0, failed = 0;
  for (const Json& scenario : script["cases"]) {
    steps += scenario["steps"].size();
    try {
      Replay().run(scenario);
    } catch (const std::exception& e) {
      ++failed;
      std::printf("%s: %s\n", scenario["name"].get<std::string>().c_str(), e.what());
    }
  }
  std::printf("%zu cases, %zu steps, %zu failed\n", script["cases"].size(), steps, failed);
  return failed == 0 && steps > 0 ? 0 : 1;
}

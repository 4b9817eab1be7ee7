// kvc run: prompts in, answers out, on one engine, so that each may reuse what the ones before it computed.
#include <unistd.h>

#include <functional>
#include <iostream>
#include <iterator>

#include "commands.h"
#include "json.h"
#include "support.h"

namespace kvc::cli {
namespace {

std::vector<Option> run_options() {
  std::vector<Option> options = {
      {"prompt", "TEXT", "a prompt; may be repeated and mixed with --file: answered in order"},
      {"file", "F", "a prompt from a file; - is standard input"},
      {"conversation", nullptr,
       "each further prompt continues the text: it is sent after all prompts\nand answers before it"},
      {"chat", nullptr,
       "the prompts, or without any the lines of standard input, are what a\nuser says to a model that is trained for conversations"},
      {"system", "TEXT", "with --chat: what the model is told before the conversation"},
      {"repeat", "N", "answer each prompt N times; default: 1"},
      {"max-tokens", "N", "longest answer, in tokens; default: 128"},
      {"temperature", "T", "0: always the likeliest token (default); higher: more varied"},
      {"top-k", "N", "sample among the N likeliest tokens; default: all"},
      {"top-p", "P", "sample within this probability mass, up to 1; default: 1"},
      {"seed", "N", "same seed, same answer; default: 0"},
      {"stop", "S", "end the answer before this text; may be repeated, 16 at most"},
      {"session", "S", "names the conversation that the prompts belong to"},
      {"tenant", "T", "security domain; tenants never reuse each other's tokens"},
      {"no-cache", nullptr, "neither look up nor store"},
  };
  for (const Option& option : engine_options()) options.push_back(option);
  options.push_back({"json", nullptr, "print a JSON array, one object per answer, nothing else"});
  options.push_back({"help", nullptr, "this text"});
  return options;
}

const char* finish_name(int32_t reason) {
  static constexpr const char* kNames[] = {"none", "length", "stop", "eos", "cancelled", "deadline", "error"};
  return reason >= 0 && reason <= KVC_FINISH_ERROR ? kNames[reason] : "unknown";
}

const char* miss_name(int32_t reason) {
  static constexpr const char* kNames[] = {"none",  "new",     "partial",   "identity", "disabled",
                                           "short", "timeout", "recompute", "damaged"};
  static_assert(std::size(kNames) == KVC_MISS_COUNT);
  return reason >= 0 && reason < KVC_MISS_COUNT ? kNames[reason] : "unknown";
}

std::string answer_json(const kvc_response_t& answer) {
  Json json;
  json.open_object();
  json.key("status").integer(answer.status).key("status_name").text(kvc_status_name(answer.status));
  json.key("finish_reason").text(finish_name(answer.finish_reason));
  json.key("text").text({answer.text, answer.text_size}).key("text_size").unsigned_integer(answer.text_size);
  json.key("tokens").open_array();
  for (size_t i = 0; i < answer.n_tokens; ++i) json.integer(answer.tokens[i]);
  json.close_array().key("n_tokens").unsigned_integer(answer.n_tokens);
  json.key("cache_hit").boolean(answer.cache_hit != 0);
  json.key("prompt_tokens").unsigned_integer(answer.prompt_tokens);
  json.key("cached_tokens").unsigned_integer(answer.cached_tokens);
  json.key("computed_tokens").unsigned_integer(answer.computed_tokens);
  json.key("queue_ns").unsigned_integer(answer.queue_ns).key("prefill_ns").unsigned_integer(answer.prefill_ns);
  json.key("decode_ns").unsigned_integer(answer.decode_ns).key("total_ns").unsigned_integer(answer.total_ns);
  json.key("ttft_ns").unsigned_integer(answer.ttft_ns).key("saved_ns").unsigned_integer(answer.saved_ns);
  json.key("miss_reason").text(miss_name(answer.miss_reason)).key("miss_text").text(answer.miss_text);
  json.key("error").text(answer.error).key("ticket").unsigned_integer(answer.ticket);
  return json.close_object().str();
}

// What a refused request has in place of an answer.
std::string refusal_json(kvc_status_t status, const std::string& words) {
  Json json;
  json.open_object().key("status").integer(status).key("status_name").text(kvc_status_name(status));
  return json.key("error").text(words).close_object().str();
}

std::string figures(const kvc_response_t& answer) {
  const double second = 1e-9;
  std::string line = with_commas(answer.prompt_tokens) + " prompt tokens: " + with_commas(answer.cached_tokens) +
                     " cached, " + with_commas(answer.computed_tokens) + " computed; first token after " +
                     format("%.3f s", static_cast<double>(answer.ttft_ns) * second) + "; " +
                     with_commas(answer.n_tokens) + " tokens in " +
                     format("%.3f s", static_cast<double>(answer.total_ns) * second);
  if (answer.saved_ns > 0) line += format("; saved about %.3f s", static_cast<double>(answer.saved_ns) * second);
  return line + " (" + finish_name(answer.finish_reason) + ")";
}

// The pieces of one `kvc run`.
class Run {
 public:
  explicit Run(const Args& args)
      : json_(args.has("json")), stream_(!json_ && (args.has("chat") || stdout_is_terminal())), config_(preset_of(args)) {
    apply_engine_options(args, &config_);
    read_request(args);
  }

  int go(const std::vector<std::string>& prompts, bool conversation, uint64_t repeat) {
    const Engine engine(config_);
    int exit_status = kExitOk;
    std::string history;
    for (const std::string& prompt : prompts) {
      const std::string text = conversation ? history + prompt : prompt;
      for (uint64_t i = 0; i < repeat && exit_status == kExitOk; ++i) {
        std::string answer;
        exit_status = one(engine, text, &answer);
        history = text + answer;
      }
      if (exit_status != kExitOk) break;
    }
    end_json();
    return exit_status;
  }

  // Answers what `next` gives until it gives nothing more (false). Each turn sends the whole conversation.
  int chat(const std::function<bool(std::string*)>& next, const std::string& system) {
    const Engine engine(config_);
    int exit_status = kExitOk;
    std::vector<std::pair<const char*, std::string>> said;
    if (!system.empty()) said.emplace_back("system", system);
    std::string words;
    while (exit_status == kExitOk && next(&words)) {
      said.emplace_back("user", words);
      std::string answer;
      exit_status = one(engine, chat_text(engine, said), &answer);
      said.emplace_back("assistant", answer);
    }
    end_json();
    return exit_status;
  }

 private:
  void end_json() const {
    if (json_) print(answers_ == 0 ? "[]\n" : "\n]\n");
  }

  static std::string chat_text(const Engine& engine, const std::vector<std::pair<const char*, std::string>>& said) {
    std::vector<kvc_message_t> messages;
    for (const auto& [role, text] : said) messages.push_back({sizeof(kvc_message_t), role, text.c_str()});
    std::string text;
    size_t length = 0;
    kvc_status_t status = kvc_chat_text(engine.handle(), messages.data(), messages.size(), 1, nullptr, 0, &length);
    if (status == KVC_OK || status == KVC_E_BUFFER) {
      text.resize(length + 1);
      status = kvc_chat_text(engine.handle(), messages.data(), messages.size(), 1, text.data(), text.size(), &length);
    }
    engine.check(status, "the conversation cannot be put to this model");
    text.resize(length);
    return text;
  }

  void read_request(const Args& args) {
    check(kvc_request_init(&request_, sizeof request_), "request");
    request_.max_tokens = static_cast<uint32_t>(args.number("max-tokens", request_.max_tokens, 1, UINT32_MAX));
    request_.top_k = static_cast<uint32_t>(args.number("top-k", request_.top_k, 0, UINT32_MAX));
    request_.seed = args.number("seed", request_.seed, 0, UINT64_MAX);
    request_.temperature = args.real("temperature", request_.temperature);
    request_.top_p = args.real("top-p", request_.top_p);
    request_.no_cache = args.has("no-cache") ? 1 : 0;
    session_ = args.text("session");
    tenant_ = args.text("tenant");
    if (args.has("session")) request_.session_id = session_.c_str();
    if (args.has("tenant")) request_.tenant = tenant_.c_str();
    stop_ = args.all("stop");
    for (const std::string& text : stop_) stop_pointers_.push_back(text.c_str());
    request_.stop = stop_pointers_.data();
    request_.n_stop = static_cast<uint32_t>(stop_pointers_.size());
  }

  // Answers one prompt; *answer_text gets the answer. Returns an exit status.
  int one(const Engine& engine, const std::string& prompt, std::string* answer_text) {
    request_.prompt = prompt.data();
    request_.prompt_size = prompt.size();
    kvc_ticket_t ticket = 0;
    const kvc_status_t refused = kvc_submit(engine.handle(), &request_, &ticket);
    if (refused != KVC_OK) {
      const std::string words = engine.last_error();
      if (json_) print_json(refusal_json(refused, words));
      complain(words + " (" + kvc_status_name(refused) + ")");
      return refused == KVC_E_OUT_OF_RANGE || refused == KVC_E_INVALID ? kExitUsage : kExitFailure;
    }
    stream(engine, ticket, prompt.size());

    kvc_response_t* answer = nullptr;
    const kvc_status_t status = kvc_wait(engine.handle(), ticket, UINT64_MAX, &answer);
    if (answer == nullptr) engine.check(status == KVC_OK ? KVC_E_INTERNAL : status, "no answer");
    struct Release {
      kvc_response_t* response;
      ~Release() { kvc_response_free(response); }
    } release{answer};
    ++answers_counted_;
    answer_text->assign(answer->text, answer->text_size);
    if (json_) {
      print_json(answer_json(*answer));
    } else {
      print(stream_ ? "\n" : *answer_text + "\n");
      complain(figures(*answer));
    }
    if (status == KVC_OK) return kExitOk;
    complain(std::string(answer->error) + " (" + kvc_status_name(status) + ")");
    return kExitFailure;
  }

  // Follows the answer until its text is complete: shows it where it streams, and how long it takes on stderr's terminal.
  void stream(const Engine& engine, kvc_ticket_t ticket, size_t prompt_bytes) {
    constexpr uint64_t kLookNs = 200'000'000;
    const double start = now_seconds();
    Progress progress;
    size_t received = 0;
    for (;;) {
      char piece[4096];
      size_t size = 0;
      const kvc_status_t status = kvc_next(engine.handle(), ticket, kLookNs, piece, sizeof piece, &size);
      if (status == KVC_OK) {
        received += size;
        if (stream_) {
          progress.clear();
          print({piece, size});
          continue;
        }
      } else if (status != KVC_PENDING) {
        return;  // KVC_END, or a failure that kvc_wait will tell
      }
      if (received == 0) {
        progress.show(
            format("reading a prompt of %s bytes: %.1f s", with_commas(prompt_bytes).c_str(), now_seconds() - start));
      } else if (!stream_) {
        progress.show(format("answer %zu: %zu bytes, %.1f s", answers_counted_ + 1, received, now_seconds() - start));
      }
    }
  }

  void print_json(const std::string& object) { print((answers_++ == 0 ? "[\n" : ",\n") + object); }

  const bool json_;
  const bool stream_;  // the text is shown piece by piece
  Config config_;
  kvc_request_t request_;
  std::string session_, tenant_;
  std::vector<std::string> stop_;
  std::vector<const char*> stop_pointers_;
  size_t answers_ = 0;          // objects printed
  size_t answers_counted_ = 0;  // answers given
};

// A line that somebody says; empty ones are passed over. False at the end of standard input.
bool next_line(std::string* line) {
  const bool asks = isatty(STDIN_FILENO) != 0 && stderr_is_terminal();
  do {
    if (asks) std::cerr << "> " << std::flush;
    if (!std::getline(std::cin, *line)) return false;
    if (!line->empty() && line->back() == '\r') line->pop_back();
  } while (line->empty());
  return true;
}

}  // namespace

int command_run(const std::vector<std::string>& argv) {
  const Args args(run_options(), argv);
  if (args.has("help")) {
    print(
        "usage: kvc run --prompt TEXT|--file F|--chat [options]\n\n"
        "Answers prompts. The text goes to stdout, figures of each answer go to stderr.\n\n" +
        describe_options(run_options()) +
        "\nexample: kvc run --file story.txt --repeat 2 --json     cold, then with everything cached\n"
        "         kvc run --model model.gguf --chat            a conversation, line by line\n");
    return kExitOk;
  }
  const uint64_t repeat = args.number("repeat", 1, 1, 1'000'000);
  const bool conversation = args.has("conversation");
  if (conversation && repeat > 1) throw UsageError("--conversation and --repeat do not go together");
  const bool chat = args.has("chat"), given = args.has("prompt") || args.has("file");
  if (chat && (conversation || repeat > 1)) throw UsageError("--chat goes with neither --conversation nor --repeat");
  if (!chat && args.has("system")) throw UsageError("--system goes with --chat");
  if (!chat && !given) throw UsageError("no prompt: give --prompt TEXT or --file F");
  Run run(args);  // before any file is read: a wrong option should not wait for standard input
  std::vector<std::string> prompts;
  for (const auto& [name, value] : args.in_order()) {
    if (name == "prompt") prompts.push_back(value);
    if (name == "file") prompts.push_back(read_file(value));
  }
  if (!chat) return run.go(prompts, conversation, repeat);
  if (!given) return run.chat(next_line, args.text("system"));
  size_t at = 0;
  const auto next_prompt = [&](std::string* words) {
    if (at < prompts.size()) *words = prompts[at];
    return at++ < prompts.size();
  };
  return run.chat(next_prompt, args.text("system"));
}

}  // namespace kvc::cli

#include "trace.h"

#include <kvc/kvc.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <queue>
#include <string_view>
#include <unordered_map>

#include "support.h"

namespace kvc::cli {
namespace {

// The value's text after "name":, or empty.
std::string_view value_of(std::string_view line, std::string_view name) {
  const std::string quoted = '"' + std::string(name) + '"';
  size_t at = line.find(quoted);
  if (at == std::string_view::npos) return {};
  at = line.find_first_not_of(" \t", at + quoted.size());
  if (at == std::string_view::npos || line[at] != ':') return {};
  at = line.find_first_not_of(" \t", at + 1);
  return at == std::string_view::npos ? std::string_view() : line.substr(at);
}

bool read_number(std::string_view* text, uint64_t* value) {
  const size_t start = text->find_first_not_of(" \t,");
  if (start == std::string_view::npos) return false;
  text->remove_prefix(start);
  size_t n = 0;
  *value = 0;
  while (n < text->size() && n < 19 && (*text)[n] >= '0' && (*text)[n] <= '9') {
    *value = *value * 10 + static_cast<uint64_t>((*text)[n++] - '0');
  }
  text->remove_prefix(n);
  return n > 0;
}

bool read_request(std::string_view line, std::unordered_map<uint64_t, uint32_t>* numbers, TraceRequest* request) {
  uint64_t time_ms = 0;
  std::string_view text = value_of(line, "timestamp");
  if (!read_number(&text, &time_ms)) return false;
  request->time_ns = time_ms * 1'000'000;
  text = value_of(line, "input_length");
  if (!read_number(&text, &request->tokens)) return false;
  text = value_of(line, "hash_ids");
  if (text.empty() || text[0] != '[') return false;
  text.remove_prefix(1);
  for (uint64_t id = 0; read_number(&text, &id);) {
    request->blocks.push_back(numbers->emplace(id, static_cast<uint32_t>(numbers->size())).first->second);
  }
  if (std::string_view output = value_of(line, "output_length"); !output.empty()) {
    if (!read_number(&output, &request->generated)) return false;
  }
  const std::string_view finish = value_of(line, "finish");
  if (finish.substr(0, 10) == "\"tool_use\"") request->hint = KVC_HINT_TOOL_CALL;
  if (finish.substr(0, 10) == "\"end_turn\"") request->hint = KVC_HINT_TURN_END;
  return text.find(']') != std::string_view::npos;
}

}  // namespace

Trace read_trace(const std::string& path) {
  const std::string file = read_file(path);
  Trace trace;
  std::unordered_map<uint64_t, uint32_t> numbers;
  size_t number = 0;
  for (size_t at = 0; at < file.size();) {
    const size_t end = std::min(file.find('\n', at), file.size());
    const std::string_view line = std::string_view(file).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    TraceRequest request;
    if (!read_request(line, &numbers, &request)) {
      throw Failure(path + ":" + std::to_string(number) +
                    ": no request; needed are timestamp, input_length and hash_ids (docs: kvc replay --help)");
    }
    std::string_view size = value_of(line, "block_tokens");
    uint64_t block_tokens = 0;
    if (read_number(&size, &block_tokens) && block_tokens > 0 && block_tokens <= 1 << 20) {
      trace.block_tokens = static_cast<uint32_t>(block_tokens);
    }
    if (request.blocks.empty()) continue;
    const uint64_t n = request.blocks.size();
    request.tokens = std::clamp(request.tokens, (n - 1) * trace.block_tokens + 1, n * trace.block_tokens);
    if (!trace.requests.empty()) request.time_ns = std::max(request.time_ns, trace.requests.back().time_ns);
    trace.accesses += n;
    trace.tokens += request.tokens;
    trace.requests.push_back(std::move(request));
  }
  if (trace.requests.empty()) throw Failure(path + " holds no request");
  trace.n_blocks = static_cast<uint32_t>(numbers.size());
  std::vector<size_t> last_use(numbers.size());
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    for (uint32_t block : trace.requests[i].blocks) last_use[block] = i;
  }
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    TraceRequest& request = trace.requests[i];
    const size_t whole = request.tokens / trace.block_tokens;
    request.over = last_use[request.blocks[whole > 0 ? whole - 1 : 0]] == i;
  }
  return trace;
}

std::vector<uint32_t> minimum_hits(const Trace& trace, uint64_t pages) {
  constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();
  // next[i][j]: the request after i that uses the j-th block of i.
  std::vector<uint32_t> coming(trace.n_blocks, kNever);
  std::vector<std::vector<uint32_t>> next(trace.requests.size());
  for (size_t i = trace.requests.size(); i-- > 0;) {
    const auto& blocks = trace.requests[i].blocks;
    next[i].resize(blocks.size());
    for (size_t j = 0; j < blocks.size(); ++j) next[i][j] = coming[blocks[j]];
    for (uint32_t block : blocks) coming[block] = static_cast<uint32_t>(i);
  }
  struct Candidate {
    uint32_t next, depth, block;
    bool operator<(const Candidate& other) const {  // the largest goes first
      return next != other.next ? next < other.next : depth < other.depth;
    }
  };
  std::priority_queue<Candidate> farthest;
  constexpr uint32_t kAbsent = kNever - 1;
  std::vector<uint32_t> held(trace.n_blocks, kAbsent);  // next use of what is held
  uint64_t n_held = 0;
  std::vector<uint32_t> hits(trace.requests.size());
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    const auto& blocks = trace.requests[i].blocks;
    while (hits[i] < blocks.size() && held[blocks[hits[i]]] != kAbsent) ++hits[i];
    for (size_t j = 0; j < blocks.size(); ++j) {
      n_held += held[blocks[j]] == kAbsent ? 1 : 0;
      held[blocks[j]] = next[i][j];
      farthest.push({next[i][j], static_cast<uint32_t>(j), blocks[j]});
    }
    while (n_held > pages) {
      const Candidate out = farthest.top();
      farthest.pop();
      if (held[out.block] != out.next) continue;  // it was used since, or is gone
      held[out.block] = kAbsent;
      --n_held;
    }
  }
  return hits;
}

}  // namespace kvc::cli

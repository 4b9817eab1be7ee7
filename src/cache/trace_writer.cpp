#include "cache/trace_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "cache/page.h"

namespace kvc {
namespace {

// Numbers that every JSON reader takes.
constexpr uint64_t kIdMask = (uint64_t{1} << 52) - 1;

const char* finish_of(SessionHint hint) noexcept {
  switch (hint) {
    case SessionHint::turn_end: return "end_turn";
    case SessionHint::tool_call: return "tool_use";
    case SessionHint::finished: return "finished";
    case SessionHint::one_off: return "one_off";
    default: return nullptr;
  }
}

}  // namespace

TraceWriter::~TraceWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

Status TraceWriter::start(const std::string& path, uint64_t now_ns) {
  std::lock_guard lock(mutex_);
  if (file_ != nullptr) {
    return error(KVC_E_BUSY, "a trace is being written to %.200s: end it first with kvc_trace_stop", path_.c_str());
  }
  path_ = path;
  file_ = std::fopen(path.c_str(), "we");
  if (file_ == nullptr) return error(KVC_E_IO, "cannot write %.200s: %s", path.c_str(), std::strerror(errno));
  key_ = random_digest();
  started_ns_ = now_ns;
  sessions_ = 0;
  failed_ = false;
  active_.store(true, std::memory_order_relaxed);
  return Status::ok();
}

Status TraceWriter::stop(uint64_t* sessions) {
  std::lock_guard lock(mutex_);
  if (file_ == nullptr) return error(KVC_E_NOT_FOUND, "no trace is being written: begin one with kvc_trace_start");
  active_.store(false, std::memory_order_relaxed);
  *sessions = sessions_;
  const bool closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (failed_ || !closed) {
    return error(KVC_E_IO, "only %llu sessions could be written to %.200s: is the disk full?",
                 static_cast<unsigned long long>(sessions_), path_.c_str());
  }
  return Status::ok();
}

void TraceWriter::add(const Page* last, const SessionEnd& end, uint64_t now_ns) noexcept {
  try {
    std::vector<const Page*> chain(last->depth + size_t{1});
    for (const Page* page = last; page != nullptr; page = page->parent) chain[page->depth] = page;
    const uint64_t page_tokens = last->root->space->geometry().page_tokens;
    std::lock_guard lock(mutex_);
    if (file_ == nullptr || failed_) return;
    std::string line = "{\"timestamp\": " + std::to_string((now_ns - std::min(now_ns, started_ns_)) / 1'000'000) +
                       ", \"input_length\": " + std::to_string(last->depth * page_tokens + last->n_tokens) +
                       ", \"output_length\": " + std::to_string(end.generated) +
                       ", \"block_tokens\": " + std::to_string(page_tokens);
    if (const char* finish = finish_of(end.hint); finish != nullptr) {
      line += std::string(", \"finish\": \"") + finish + '"';
    }
    line += ", \"hash_ids\": [";
    for (const Page* page : chain) {
      if (page->depth > 0) line += ", ";
      line += std::to_string(keyed_word(key_, page->id) & kIdMask);
    }
    line += "]}\n";
    failed_ = std::fwrite(line.data(), 1, line.size(), file_) != line.size();
    if (!failed_) ++sessions_;
  } catch (...) {
    std::lock_guard lock(mutex_);
    failed_ = true;
  }
}

}  // namespace kvc

// A prefix cache without bytes: what a policy would hit under prefix semantics. What-if questions, tests and the
// choice of policies run on it; the cache itself is in cache/.
//
// A request names the pages of its chain by key. Its hits are the leading pages that are held; afterwards all of its
// pages are held, and the policy takes leaves until at most `capacity` pages are left: what the cache does with option
// page_limit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>

#include "policy/policy.h"

namespace kvc {

class PrefixSimulator {
 public:
  struct Request {
    std::span<const uint64_t> pages;  // keys, first page first
    uint64_t time_ns = 0;
    uint32_t page_tokens = 0;
    uint32_t last_tokens = 0;  // in the last page
    SessionEnd end;
  };

  PrefixSimulator(std::string_view policy, uint64_t capacity);
  ~PrefixSimulator();

  // Leading pages found. May throw bad_alloc.
  size_t request(const Request& request);
  Policy& policy() noexcept { return *policy_; }
  uint64_t size() const noexcept { return held_.size(); }

 private:
  struct Node : PolicyEntry {
    Node* parent = nullptr;
    uint32_t n_children = 0;
  };
  static PolicyEntry* up(PolicyEntry& entry) noexcept { return static_cast<Node&>(entry).parent; }
  void evict() noexcept;

  Memory memory_;
  std::unique_ptr<Policy> policy_;
  uint64_t capacity_;
  std::unordered_map<uint64_t, std::unique_ptr<Node>> held_;
};

}  // namespace kvc

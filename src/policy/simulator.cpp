#include "policy/simulator.h"

#include <limits>
#include <new>
#include <stdexcept>

namespace kvc {

PrefixSimulator::PrefixSimulator(std::string_view policy, uint64_t capacity)
    : memory_(nullptr, std::numeric_limits<uint64_t>::max() / 2),
      policy_(make_policy(policy, &memory_)),
      capacity_(capacity) {}

PrefixSimulator::~PrefixSimulator() {
  if (policy_ == nullptr) return;
  for (auto& [key, node] : held_) policy_->removed(*node);
}

size_t PrefixSimulator::request(const Request& request) {
  policy_->set_time(request.time_ns);
  Node* last = nullptr;
  size_t hits = 0;
  while (hits < request.pages.size()) {
    const auto found = held_.find(request.pages[hits]);
    if (found == held_.end()) break;
    last = found->second.get();
    ++hits;
  }
  for (Node* node = last; node != nullptr; node = node->parent) policy_->hit(*node);
  for (size_t i = hits; i < request.pages.size(); ++i) {
    // Another chain's page has the same key: what-if questions know half of it. The request ends before it.
    if (held_.count(request.pages[i]) != 0) break;
    auto made = std::make_unique<Node>();
    Node* node = made.get();
    node->key = request.pages[i];
    node->depth = static_cast<uint32_t>(i);
    node->tokens = i + 1 == request.pages.size() ? request.last_tokens : request.page_tokens;
    node->bytes = request.page_tokens;  // pages take the same room, full or not
    node->parent = last;
    if (!policy_->reserve()) throw std::bad_alloc();
    held_[node->key] = std::move(made);
    policy_->inserted(*node);
    if (last != nullptr) {
      last->n_children++;
      if (last->candidate) policy_->evictable(*last, false);
    }
    last = node;
  }
  if (last == nullptr) return hits;
  policy_->closed(*last, &up, request.end);
  if (last->n_children == 0) policy_->evictable(*last, true);
  while (held_.size() > capacity_) evict();
  return hits;
}

void PrefixSimulator::evict() noexcept {
  auto* node = static_cast<Node*>(policy_->victim());
  policy_->removed(*node);
  Node* parent = node->parent;
  held_.erase(node->key);
  if (parent != nullptr && --parent->n_children == 0) policy_->evictable(*parent, true);
}

}  // namespace kvc

// A caller's policy (kvc_policy_t): its scores, in the heap and with the rules that all policies of one number have.
#include <bit>
#include <cmath>

#include "policy/score_policy.h"

namespace kvc {
namespace {

// Doubles as integers of the same order; NaN before all.
uint64_t ordered(double score) noexcept {
  if (std::isnan(score)) return 0;
  const auto bits = std::bit_cast<uint64_t>(score);
  return bits >> 63 != 0 ? ~bits : bits | uint64_t{1} << 63;
}
double score_of(uint64_t ordered) noexcept {
  return ordered == 0 ? std::nan("") : std::bit_cast<double>(ordered >> 63 != 0 ? ordered & ~(uint64_t{1} << 63) : ~ordered);
}

class Custom final : public ScorePolicy {
 public:
  Custom(const kvc_policy_t& table, Memory* memory) noexcept : ScorePolicy(memory), table_(table) {}
  std::string_view name() const noexcept override { return table_.name; }

  void removed(PolicyEntry& entry) noexcept override {
    if (table_.removed != nullptr) {
      const kvc_policy_page_t page = describe(entry);
      table_.removed(table_.user_data, &page);
    }
    ScorePolicy::removed(entry);
  }

  void closed(PolicyEntry& last, Up up, const SessionEnd& end) noexcept override {
    for (PolicyEntry* entry = &last; entry != nullptr; entry = up(*entry)) {
      kvc_policy_page_t page = describe(*entry);
      page.hint = hint_of(end.hint);
      page.return_ns = end.return_ns;
      page.generated = end.generated;
      set_score(*entry, ask(page, KVC_POLICY_ENDED));
    }
  }

 protected:
  uint64_t score_inserted(const PolicyEntry& entry, uint64_t) noexcept override {
    kvc_policy_page_t page = describe(entry);
    page.score = 0;  // what it had in an earlier life is no score
    return ask(page, KVC_POLICY_INSERTED);
  }
  uint64_t score_hit(const PolicyEntry& entry, uint64_t) noexcept override {
    return ask(describe(entry), KVC_POLICY_USED);
  }

 private:
  static int32_t hint_of(SessionHint hint) noexcept {
    switch (hint) {
      case SessionHint::turn_end: return KVC_HINT_TURN_END;
      case SessionHint::tool_call: return KVC_HINT_TOOL_CALL;
      case SessionHint::one_off: return KVC_HINT_ONE_OFF;
      case SessionHint::shared: return KVC_HINT_SHARED;
      default: return KVC_HINT_NONE;
    }
  }
  kvc_policy_page_t describe(const PolicyEntry& entry) const noexcept {
    kvc_policy_page_t page{};
    page.struct_size = sizeof page;
    page.key = entry.key;
    page.now_ns = now_ns_;
    page.score = score_of(entry.score);
    page.bytes = entry.bytes;
    page.depth = entry.depth;
    page.tokens = entry.tokens;
    page.hits = entry.hits;
    return page;
  }
  uint64_t ask(const kvc_policy_page_t& page, int32_t event) const noexcept {
    return ordered(table_.score(table_.user_data, &page, event));
  }

  const kvc_policy_t table_;
};

}  // namespace

std::unique_ptr<Policy> make_custom_policy(const kvc_policy_t& table, Memory* memory) {
  return std::make_unique<Custom>(table, memory);
}

}  // namespace kvc

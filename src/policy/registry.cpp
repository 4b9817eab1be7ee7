// Every policy has its line here; make_<name>() is in its file.
#include "policy/policy.h"

#define KVC_POLICIES(X) \
  X(lru)                \
  X(lfu)                \
  X(fifo)               \
  X(clock)              \
  X(sieve)              \
  X(s3fifo)             \
  X(arc)                \
  X(wtinylfu)           \
  X(lecar)              \
  X(gdsf)               \
  X(adaptive)

namespace kvc {

#define KVC_DECLARE(name) std::unique_ptr<Policy> make_##name(Memory* memory);
KVC_POLICIES(KVC_DECLARE)
#undef KVC_DECLARE

std::span<const std::string_view> policy_names() noexcept {
#define KVC_NAME(name) #name,
  static constexpr std::string_view kNames[] = {KVC_POLICIES(KVC_NAME)};
#undef KVC_NAME
  return kNames;
}

std::unique_ptr<Policy> make_policy(std::string_view name, Memory* memory) {
#define KVC_MAKE(policy) \
  if (name == #policy) return make_##policy(memory);
  KVC_POLICIES(KVC_MAKE)
#undef KVC_MAKE
  return nullptr;
}

}  // namespace kvc

// Thousands of random operations against a simple model of what must be: a list of sessions, each a list of tokens, and
// the set of all prefixes ever published. What kvc says is compared after each; numbers are compared in full.
#include <algorithm>
#include <set>

#include "core_support.h"

namespace kvc_test {
namespace {

struct World {
  Engine* engine = nullptr;
  std::vector<std::unique_ptr<Space>> spaces;
  std::vector<const char*> tenants = {nullptr, "t1"};
  struct Live {
    Session session;
    size_t space = 0, tenant = 0;
    bool publish = true;
  };
  std::vector<Live> live;
  // Per (space, tenant): every prefix that was published. With no pressure it must be found; under pressure it may.
  std::map<std::pair<size_t, size_t>, std::set<Tokens>> published;
  bool may_evict = false;
  std::string trace;

  void publish(const Live& l) {
    if (!l.publish) return;
    const size_t p = spaces[l.space]->geometry().page_tokens;
    for (size_t n = p; n <= l.session.seq.size(); n += p)
      published[{l.space, l.tenant}].insert(prefix(l.session.seq.tokens, n));
  }
  // A session that ends unfinished leaves everything behind, one that is finished its whole pages.
  void leave(const Live& l, int32_t hint) {
    if (l.publish && hint != KVC_CLOSE_FINISHED) published[{l.space, l.tenant}].insert(l.session.seq.tokens);
  }
  // Longest prefix of `tokens` that some published chain has.
  size_t longest(size_t space, size_t tenant, const Tokens& tokens) const {
    size_t best = 0;
    const auto it = published.find({space, tenant});
    if (it == published.end()) return 0;
    for (const Tokens& t : it->second) {
      const size_t n = std::min(t.size(), tokens.size());
      const size_t same = static_cast<size_t>(
          std::mismatch(t.begin(), t.begin() + static_cast<ptrdiff_t>(n), tokens.begin()).first - t.begin());
      best = std::max(best, same);
    }
    return best;
  }
};

// A small alphabet and few beginnings, so that prompts meet in many places.
Tokens some_prompt(std::mt19937_64& random) {
  Tokens t;
  const size_t pieces = random() % 5;
  for (size_t i = 0; i < pieces; ++i)
    t = concat(t, iota_tokens(1 + random() % 9, static_cast<int32_t>(10 * (random() % 3))));
  return t;
}

void step(World& w, std::mt19937_64& random) {
  const auto pick = [&] { return &w.live[random() % w.live.size()]; };
  const auto allowed = [&](kvc_status_t status) {
    return status == KVC_OK || (w.may_evict && status == KVC_E_NO_MEMORY);
  };
  const unsigned what = static_cast<unsigned>(random() % 100);
  if (w.live.empty() || (what < 14 && w.live.size() < 8)) {
    World::Live l;
    l.space = random() % w.spaces.size();
    l.tenant = random() % w.tenants.size();
    l.publish = random() % 6 != 0;
    const int32_t priorities[] = {KVC_PRIORITY_LOW, KVC_PRIORITY_NORMAL, KVC_PRIORITY_NORMAL, KVC_PRIORITY_HIGH};
    l.session = Session(*w.spaces[l.space], w.tenants[l.tenant], priorities[random() % 4], l.publish);
    w.trace = "open";
    ASSERT_TRUE(allowed(l.session.opened()));
    if (l.session.opened() == KVC_OK) w.live.push_back(std::move(l));
    return;
  }
  World::Live* l = pick();
  Session& s = l->session;
  if (what < 34) {
    w.trace = "match";
    Tokens t = concat(s.seq.tokens, some_prompt(random));
    if (random() % 2 == 0 && s.seq.size() == 0) t = some_prompt(random);
    const size_t before = s.seq.size();
    const size_t expected = std::max(before, w.longest(l->space, l->tenant, t));
    const size_t got = s.match(t);
    if (w.may_evict || !l->publish) {
      // A private session continues its own pages, under which nothing public may be; and what is evicted is not found.
      ASSERT_LE(got, expected);
      ASSERT_GE(got, before);
    } else {
      ASSERT_EQ(expected, got);
    }
  } else if (what < 62) {
    w.trace = "append, commit";
    const kvc_status_t status = s.add(some_prompt(random), static_cast<Layout>(random() % 3));
    ASSERT_TRUE(allowed(status)) << words(s);
    if (status == KVC_OK) w.publish(*l);
  } else if (what < 70) {
    w.trace = "append some layers, give up";
    const size_t length = s.seq.size();
    s.seq.extend(some_prompt(random));
    const size_t n = s.seq.size() - length;
    if (n > 0) {
      const uint32_t layer = static_cast<uint32_t>(random() % w.spaces[l->space]->geometry().layers);
      const kvc_status_t status = s.append_layer(layer, length, n);
      ASSERT_TRUE(allowed(status)) << words(s);
      if (status == KVC_OK) {
        ASSERT_EQ("", s.compare(layer, static_cast<int>(random() % 2), 0, length + n));
      }
    }
    ASSERT_STATUS(KVC_OK, s.truncate(length), s);
  } else if (what < 78) {
    w.trace = "truncate";
    ASSERT_STATUS(KVC_OK, s.truncate(random() % (s.seq.size() + 1)), s);
  } else if (what < 85) {
    w.trace = "fork";
    if (w.live.size() < 8) {
      World::Live f;
      f.session = s.fork();
      ASSERT_TRUE(allowed(f.session.opened())) << words(s);
      if (f.session.opened() != KVC_OK) return;
      f.space = l->space, f.tenant = l->tenant, f.publish = l->publish;
      w.live.push_back(std::move(f));
      l = &w.live.back();
    }
  } else if (what < 94) {
    w.trace = "close";
    const int32_t hint = static_cast<int32_t>(random() % 3);
    w.leave(*l, hint);
    s.close(hint, hint == KVC_CLOSE_IDLE ? 1000 : 0);
    w.live.erase(w.live.begin() + (l - w.live.data()));
    return;
  } else if (what < 96) {
    w.trace = "priority";
    ASSERT_STATUS(KVC_OK, kvc_session_set_priority(s, KVC_PRIORITY_LOW), s);
  } else if (what < 98) {
    w.trace = "pin, unpin";
    ASSERT_STATUS(KVC_OK, kvc_session_pin(s, 1), s);
    ASSERT_STATUS(KVC_OK, kvc_session_pin(s, 0), s);
  } else if (w.may_evict) {
    w.trace = "trim";
    ASSERT_EQ(KVC_OK, kvc_trim(*w.engine, random() % 65536, nullptr));
  }
  ASSERT_EQ("", l->session.check());
}

void run(uint64_t seed, const Options& options, bool may_evict, int steps) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  CountingAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  {
    Engine engine(options, &table);
    World w;
    w.engine = &engine;
    w.may_evict = may_evict;
    Geometry g;
    g.page_tokens = 1 + static_cast<uint32_t>(seed % 6);
    g.dtype = static_cast<int32_t>(1 + seed % 3);
    g.vocab = seed % 2 == 0 ? 0 : 3000;  // ids kept in four bytes, or in two
    w.spaces.push_back(std::make_unique<Space>(engine, g));
    Identity other;
    other.geometry = g;
    other.rope.base = 500000;
    w.spaces.push_back(std::make_unique<Space>(engine, other));
    for (int i = 0; i < steps; ++i) {
      step(w, random);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "step " << i << ": " << w.trace;
      const kvc_stats_t stats = engine.stats();
      ASSERT_LE(stats.memory_used, stats.memory_budget);
      ASSERT_EQ(allocator.used(), stats.memory_used);
      ASSERT_EQ(w.live.size(), stats.sessions);
      if (i % 50 == 0) {
        for (World::Live& l : w.live)
          ASSERT_EQ("", l.session.check()) << "step " << i << ": another session was harmed";
        ASSERT_EQ(stats.pages, engine.pages().size());
      }
    }
    ASSERT_LE(allocator.peak(), engine.stats().memory_budget);
    w.live.clear();
    ASSERT_EQ(KVC_OK, kvc_trim(engine, 0, nullptr));
    ASSERT_EQ(0u, engine.stats().pages) << "something is still referenced";
    ASSERT_EQ(0u, engine.stats().memory_payload);
  }
  ASSERT_EQ(0u, allocator.used());
}

TEST(CoreRandomTest, AgreesWithAModelWhenNothingIsEvicted) {
  for (uint64_t seed = 1; seed <= (quick() ? 4u : 24u); ++seed) {
    run(seed, {}, false, 600);
    if (HasFatalFailure()) return;
  }
}

TEST(CoreRandomTest, AgreesWithAModelUnderPressure) {
  const char* policies[] = {"lru", "lfu", "fifo"};
  for (uint64_t seed = 101; seed <= (quick() ? 106u : 130u); ++seed) {
    run(seed, {{"memory", std::to_string(20000 + 1000 * (seed % 10)) + "B"}, {"policy", policies[seed % 3]}}, true,
        600);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace kvc_test

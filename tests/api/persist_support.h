// A directory with a store in it, and visits of prompts that check every number they find.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "../temporary_directory.h"
#include "core_support.h"

namespace kvc_test {

class PersistTest : public ::testing::Test {
 protected:
  Options options(Options more = {}) const {
    more.emplace("disk_path", directory_.at("store"));
    more.emplace("disk_limit", "64MiB");
    return more;
  }

  // Computes what is not stored of `tokens` and checks every number that is; returns the tokens reused.
  static size_t visit(const Space& space, const Tokens& tokens, const char* tenant = nullptr, bool whole = true) {
    return visit_as(space, tokens, tenant, tenant, whole);
  }
  // The same, with the numbers that another tenant's K/V has: what a pack brings.
  static size_t visit_as(const Space& space, const Tokens& tokens, const char* tenant, const char* numbers, bool whole) {
    Session session(space, tenant);
    session.seq = Sequence(Session::salt_of(space, numbers));
    const size_t reused = session.match(tokens);
    EXPECT_EQ("", session.check());
    if (whole) session.add(Tokens(tokens.begin() + static_cast<ptrdiff_t>(reused), tokens.end()));
    return reused;
  }
  // Tokens that a match finds, checked; nothing is stored.
  static size_t found(const Space& space, const Tokens& tokens, const char* tenant = nullptr) {
    return visit(space, tokens, tenant, false);
  }

  TemporaryDirectory directory_;
  std::mt19937_64 random_{1234};
  Geometry geometry_;
};

}  // namespace kvc_test

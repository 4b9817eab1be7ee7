// A toy engine whose counts must add up, and whose sequences and sessions must all be closed, when a test ends.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "request_toy.h"

namespace kvc {

class RequestEngineTest : public ::testing::Test {
 protected:
  explicit RequestEngineTest(bool paged = true) : toy_(paged) {}

  Toy toy_;

  void TearDown() override {
    if (toy_.engine == nullptr) return;
    EXPECT_FALSE(toy_.model.wrong);
    const RequestStats s = toy_.engine->stats();
    EXPECT_EQ(s.requests, s.completed + s.failed + s.cancelled + s.queued + s.active);
    toy_.engine->stop();
    EXPECT_EQ(toy_.model.open_sequences, 0);
    EXPECT_EQ(toy_.cache->stats().sessions, 0u);
  }
  Status refused(const Request& request) {
    kvc_ticket_t ticket = 0;
    const uint64_t before = toy_.open().stats().refused;
    Status status = toy_.open().submit(request, &ticket);
    EXPECT_FALSE(status.is_ok());
    EXPECT_EQ(ticket, 0u);
    EXPECT_EQ(toy_.engine->stats().refused, before + 1);
    EXPECT_EQ(toy_.engine->stats().requests, 0u);
    return status;
  }
  void expect_refused(const Request& request, kvc_status_t code, const std::string& words) {
    const Status status = refused(request);
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  }
  // Steps until nothing is left; the number of steps.
  int drain() {
    int n = 0;
    for (bool busy = true; busy; ++n) EXPECT_TRUE(toy_.engine->step(&busy).is_ok());
    return n;
  }
};

}  // namespace kvc

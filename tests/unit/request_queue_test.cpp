#include <gtest/gtest.h>

#include "request/queue.h"

namespace kvc {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class RequestQueueTest : public ::testing::Test {
 protected:
  Queue queue_;
  std::vector<std::shared_ptr<Job>> jobs_;

  Job* push(int32_t priority, uint64_t at = 0, std::string session_id = "", std::string tenant = "") {
    Request r;
    r.priority = priority;
    r.session_id = std::move(session_id);
    r.tenant = std::move(tenant);
    jobs_.push_back(std::make_shared<Job>(std::move(r)));
    jobs_.back()->ticket = jobs_.size();
    queue_.push(jobs_.back().get(), at);
    return jobs_.back().get();
  }
  Job* take() {
    Job* job = queue_.best();
    if (job != nullptr) queue_.take(job);
    return job;
  }
};

TEST_F(RequestQueueTest, OrdersByPriorityThenArrival) {
  Job* normal = push(KVC_PRIORITY_NORMAL);
  Job* background = push(KVC_PRIORITY_BACKGROUND);
  Job* critical = push(KVC_PRIORITY_CRITICAL);
  Job* second = push(KVC_PRIORITY_NORMAL);
  Job* between = push(1);
  EXPECT_EQ(take(), critical);
  EXPECT_EQ(take(), between);
  EXPECT_EQ(take(), normal);
  EXPECT_EQ(take(), second);
  EXPECT_EQ(take(), background);
  EXPECT_EQ(take(), nullptr);
}

TEST_F(RequestQueueTest, AgesSoThatNothingStarves) {
  Job* background = push(KVC_PRIORITY_BACKGROUND, 0);
  Job* early = push(KVC_PRIORITY_CRITICAL, 20 * kSecond - 1);
  Job* late = push(KVC_PRIORITY_CRITICAL, 20 * kSecond + 1);
  EXPECT_EQ(take(), early);
  EXPECT_EQ(take(), background);
  EXPECT_EQ(take(), late);
}

TEST_F(RequestQueueTest, LetsASessionsRequestsFollowOneAnother) {
  Job* first = push(KVC_PRIORITY_LOW, 0, "chat");
  Job* second = push(KVC_PRIORITY_CRITICAL, 0, "chat");
  Job* third = push(KVC_PRIORITY_NORMAL, 0, "chat");
  Job* stranger = push(KVC_PRIORITY_BACKGROUND, 0, "chat", "other tenant");
  EXPECT_EQ(take(), first);
  EXPECT_EQ(take(), stranger);
  EXPECT_EQ(take(), nullptr);  // the first one still runs
  queue_.leave_lane(first);
  EXPECT_EQ(queue_.best(), second);
  // One that leaves from the middle of the lane opens nothing and breaks nothing.
  Job* fourth = push(KVC_PRIORITY_NORMAL, 0, "chat");
  queue_.take(third);
  queue_.leave_lane(third);
  EXPECT_EQ(take(), second);
  EXPECT_EQ(take(), nullptr);
  queue_.leave_lane(second);
  EXPECT_EQ(take(), fourth);
  queue_.leave_lane(fourth);
  queue_.leave_lane(stranger);
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(RequestQueueTest, FindsWhatIsLate) {
  push(0);
  EXPECT_EQ(queue_.expired(UINT64_MAX), nullptr);
  Request r;
  auto late = std::make_shared<Job>(std::move(r));
  late->ticket = 99;
  late->deadline_at = 500;
  queue_.push(late.get(), 0);
  EXPECT_EQ(queue_.expired(499), nullptr);
  EXPECT_EQ(queue_.expired(500), late.get());
  queue_.take(late.get());
  EXPECT_EQ(queue_.expired(500), nullptr);
}

}  // namespace
}  // namespace kvc

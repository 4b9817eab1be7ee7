#include "base/status.h"

#include <gtest/gtest.h>

namespace kvc {
namespace {

TEST(StatusTest, OkHasNoMessage) {
  const Status status = Status::ok();
  EXPECT_TRUE(status.is_ok());
  EXPECT_EQ(status.code(), KVC_OK);
  EXPECT_EQ(status.message(), "");
}

TEST(StatusTest, ErrorFormatsItsMessage) {
  const Status status = error(KVC_E_SHAPE, "%s has %d of %zu", "k", -3, size_t{7});
  EXPECT_FALSE(status.is_ok());
  EXPECT_EQ(status.code(), KVC_E_SHAPE);
  EXPECT_EQ(status.message(), "k has -3 of 7");
}

TEST(StatusTest, LongMessagesAreWhole) {
  const std::string name(100'000, 'x');
  const Status status = error(KVC_E_INVALID, "<%s>", name.c_str());
  EXPECT_EQ(status.message(), "<" + name + ">");
}

TEST(StatusTest, EmptyMessageIsAllowed) {
  const Status status = error(KVC_E_INTERNAL, "%s", "");
  EXPECT_EQ(status.code(), KVC_E_INTERNAL);
  EXPECT_EQ(status.message(), "");
}

Status fail_if(bool fail, int* reached) {
  KVC_RETURN_IF_ERROR(fail ? error(KVC_E_ORDER, "failed") : Status::ok());
  ++*reached;
  return Status::ok();
}

TEST(StatusTest, ReturnIfErrorPassesFailuresOn) {
  int reached = 0;
  EXPECT_EQ(fail_if(true, &reached).code(), KVC_E_ORDER);
  EXPECT_EQ(reached, 0);
  EXPECT_TRUE(fail_if(false, &reached).is_ok());
  EXPECT_EQ(reached, 1);
}

}  // namespace
}  // namespace kvc

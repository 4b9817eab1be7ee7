// The fake driver keeps the rules that the real one is asked for.
#include "rules.h"

#include "fake_rig.h"

namespace kvc_cuda {
namespace {

TEST(RulesTest, HoldForTheFakeDriver) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    FakeOptions fake;
    fake.seed = seed;
    fake_reset(&fake);
    std::shared_ptr<const Driver> driver;
    ASSERT_OK(Driver::open(KVC_TEST_FAKE_DRIVER, &driver));
    abi::Context context = nullptr;
    ASSERT_EQ(driver->call().cuDevicePrimaryCtxRetain(&context, 0), abi::kSuccess);
    expect_rules({driver->call(), context, fake_begin_capture, fake_end_capture});
    ASSERT_EQ(driver->call().cuDevicePrimaryCtxRelease(0), abi::kSuccess);
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_races(), 0u) << fake_first_race();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace kvc_cuda

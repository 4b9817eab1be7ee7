// Host memory that is registered: pools in chunks, and memory of the program.
#include <algorithm>

#include "fake_rig.h"

namespace kvc_cuda {
namespace {

using abi::DevicePtr;

TEST(PinnedTest, PoolIsRegisteredInChunksAndPiecesLieInOne) {
  Rig rig;
  ASSERT_OK(rig.status);
  Pinned& pinned = rig.gpu->pinned();
  EXPECT_EQ(pinned.allocate(64, 64), nullptr) << "there is no pool";
  ASSERT_OK(pinned.start_pool(10 * 8192 + 100, 8192));
  EXPECT_EQ(pinned.start_pool(1, 1).code(), KVC_E_ORDER);
  ASSERT_OK(pinned.wait_ready());
  const Pinned::Counts counts = pinned.counts();
  EXPECT_EQ(counts.pool_ready, 10u * 8192 + 4096);
  std::vector<void*> pieces;
  while (void* at = pinned.allocate(3000, 64)) {
    DevicePtr alias = 0;
    EXPECT_TRUE(pinned.find(at, 3000, &alias)) << "it lies in two chunks";
    std::memset(at, 1, 3000);
    pieces.push_back(at);
  }
  EXPECT_EQ(pieces.size(), 21u);
  EXPECT_EQ(pinned.allocate(9000, 64), nullptr);
  std::sort(pieces.begin(), pieces.end());
  for (size_t i = 1; i < pieces.size(); ++i) {
    EXPECT_GE(static_cast<char*>(pieces[i]) - static_cast<char*>(pieces[i - 1]), 3000);
  }
  EXPECT_TRUE(pinned.release(pieces[5], 3000));
  EXPECT_EQ(pinned.allocate(3000, 64), pieces[5]);
  int own = 0;
  EXPECT_FALSE(pinned.release(&own, 4));
  rig.gpu.reset();
  EXPECT_EQ(fake_live(), 0u);
}

TEST(PinnedTest, PoolKeepsWhatItHasWhenTheDriverRefusesMore) {
  Rig rig;
  ASSERT_OK(rig.status);
  rig.gpu->pinned().pause(true);
  ASSERT_OK(rig.gpu->pinned().start_pool(64 * 4096, 4096));
  // Five calls for each chunk; the third chunk's registration fails.
  fake_fail_call(5 * 2 + 3 + 2, abi::kOutOfMemory);
  rig.gpu->pinned().pause(false);
  EXPECT_EQ(rig.gpu->pinned().wait_ready().code(), KVC_E_NO_MEMORY);
  const Pinned::Counts counts = rig.gpu->pinned().counts();
  EXPECT_GT(counts.pool_ready, 0u);
  EXPECT_LT(counts.pool_ready, counts.pool);
  EXPECT_NE(rig.gpu->pinned().allocate(4096, 4096), nullptr);
  rig.gpu.reset();
  EXPECT_EQ(fake_live(), 0u);
}

TEST(PinnedTest, RefusesWhatOverlaps) {
  Rig rig;
  Pinned& pinned = rig.gpu->pinned();
  std::vector<unsigned char> bytes(10000);
  ASSERT_OK(pinned.pin(&bytes[1000], 1000));
  EXPECT_EQ(pinned.pin(&bytes[500], 501).code(), KVC_E_INVALID);
  EXPECT_EQ(pinned.pin(&bytes[1999], 10).code(), KVC_E_INVALID);
  EXPECT_EQ(pinned.pin(&bytes[1200], 10).code(), KVC_E_INVALID);
  EXPECT_EQ(pinned.pin(&bytes[0], 0).code(), KVC_E_INVALID);
  EXPECT_OK(pinned.pin(&bytes[2000], 10));
  EXPECT_EQ(pinned.unpin(&bytes[1001]).code(), KVC_E_INVALID);
  DevicePtr alias = 0;
  EXPECT_TRUE(pinned.find(&bytes[1500], 500, &alias));
  EXPECT_FALSE(pinned.find(&bytes[1500], 501, &alias));
  EXPECT_FALSE(pinned.find(&bytes[999], 1, &alias));
  EXPECT_OK(pinned.unpin(&bytes[1000]));
  EXPECT_FALSE(pinned.find(&bytes[1500], 1, &alias));
  EXPECT_OK(pinned.unpin(&bytes[2000]));
}

}  // namespace
}  // namespace kvc_cuda

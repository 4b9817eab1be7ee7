// Digests of model files: of the content alone, and never a remembered one that is not of this content.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "failure.h"
#include "file_digest.h"

namespace kvc_llama {
namespace {

namespace fs = std::filesystem;

class FileDigest : public testing::Test {
 protected:
  FileDigest() {
    char name[] = "/tmp/kvc-digest-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~FileDigest() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  std::string cache() const { return (folder_ / "cache" / "digests").string(); }
  // Files are remembered only when they have not changed for a while: the time of the last change cannot be set, so the
  // cache is made by hand as it would be.
  fs::path folder_;
};

TEST_F(FileDigest, IsOfTheContentAndNotOfTheName) {
  const std::string a = write("a", "weights"), b = write("b", "weights"), c = write("c", "weightz");
  EXPECT_EQ(digest_of_file(a, ""), digest_of_file(b, ""));
  EXPECT_NE(digest_of_file(a, ""), digest_of_file(c, ""));
  const Digest before = digest_of_file(a, "");
  fs::rename(a, folder_ / "renamed");
  EXPECT_EQ(digest_of_file((folder_ / "renamed").string(), ""), before);
}

TEST_F(FileDigest, CoversAllPartsOfAModel) {
  const std::string one = write("m-00001-of-00002.gguf", "first");
  const std::string two = write("m-00002-of-00002.gguf", "second");
  const Digest both = digest_of_model(one);
  EXPECT_EQ(digest_of_model(two), both);
  std::ofstream(two, std::ios::binary) << "other";
  EXPECT_NE(digest_of_model(one), both);
  fs::remove(two);
  EXPECT_THROW(digest_of_model(one), Failure);
}

TEST_F(FileDigest, AMissingFileIsAnErrorWithItsName) {
  try {
    digest_of_file((folder_ / "none").string(), "");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.status(), KVC_E_IO);
    EXPECT_NE(std::string(failure.what()).find("none"), std::string::npos);
  }
}

// What was changed just now could change again within the same time stamp.
TEST_F(FileDigest, AFileThatJustChangedIsNotRemembered) {
  const std::string a = write("a", "weights");
  digest_of_file(a, cache());
  EXPECT_FALSE(fs::exists(cache()));
}

TEST_F(FileDigest, ADamagedCacheIsNotBelieved) {
  // A file that is old enough to be remembered: this test's own program.
  const std::string program = fs::read_symlink("/proc/self/exe").string();
  const FileStamp stamp = stamp_of(program);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (static_cast<uint64_t>(now.tv_sec) * 1000000000 < stamp.changed_ns + 3000000000ull) sleep(3);
  const Digest right = digest_of_file(program, "");
  EXPECT_EQ(digest_of_file(program, cache()), right);
  ASSERT_EQ(fs::file_size(cache()), 88u);
  EXPECT_EQ(digest_of_file(program, cache()), right);
  std::string record(88, 0);
  std::ifstream(cache(), std::ios::binary).read(record.data(), 88);
  for (size_t i = 0; i < record.size(); ++i) {
    std::string damaged = record;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    std::ofstream(cache(), std::ios::binary | std::ios::trunc) << damaged;
    if (i % 8 == 0) {
      EXPECT_EQ(digest_of_file(program, cache()), right) << i;
    }
  }
  // Cut, and grown: it starts anew.
  std::ofstream(cache(), std::ios::binary | std::ios::trunc) << record.substr(0, 50);
  EXPECT_EQ(digest_of_file(program, cache()), right);
  EXPECT_EQ(fs::file_size(cache()), 88u);
}

}  // namespace
}  // namespace kvc_llama

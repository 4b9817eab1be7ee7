// kill -9 at any instant: the directory opens, everything in it is right, and what was written is found.
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "../api/core_support.h"
#include "../temporary_directory.h"

namespace kvc_test {
namespace {

constexpr size_t kPromptTokens = 26;  // six pages and a short one

Options options_of(const std::string& path) {
  return {{"disk_path", path}, {"disk_limit", "64MiB"}, {"disk_interval", "10ms"}, {"memory", "64MiB"}};
}

Tokens prompt_of(uint64_t life, uint64_t number) {
  std::mt19937_64 random(life * 1000003 + number);
  return random_tokens(random, kPromptTokens);
}

// A life: prompts one after the other, and after each that is on disk, with all before it, its number into the pipe.
[[noreturn]] void live(const std::string& path, uint64_t life, int out) {
  Engine engine(options_of(path));
  Space space(engine, Geometry{});
  for (uint64_t number = 0;; ++number) {
    Session session(space);
    if (session.add(prompt_of(life, number)) != KVC_OK) _exit(3);
    session.close();
    if (number % 50 == 49) (void)kvc_persist(engine, 0);
    // Every eighth time the disk catches up; in between pages wait to be written when the end comes.
    while (number % 8 == 7 && engine.stats().disk_waiting > 0) usleep(50);
    if (engine.stats().disk_waiting == 0 && write(out, &number, sizeof number) != sizeof number) _exit(4);
  }
}

// The number of prompts that were reported, from a life that ends in `microseconds`.
uint64_t end_a_life(const std::string& path, uint64_t life, useconds_t microseconds) {
  int ends[2];
  EXPECT_EQ(0, pipe(ends));
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    live(path, life, ends[1]);
  }
  EXPECT_GT(child, 0);
  close(ends[1]);
  uint64_t reported = 0, number = 0;
  // Every fourth life may end while the directory is opened, the others when there is something to lose.
  if (life % 4 != 0 && read(ends[0], &number, sizeof number) == sizeof number) reported = number + 1;
  usleep(microseconds);
  kill(child, SIGKILL);
  int status = 0;
  EXPECT_EQ(child, waitpid(child, &status, 0));
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, status " << WEXITSTATUS(status);
  while (read(ends[0], &number, sizeof number) == sizeof number) reported = number + 1;
  close(ends[0]);
  return reported;
}

TEST(KillTest, WhatWasWrittenIsFoundAfterAKillAtAnyInstant) {
  const int lives = quick() ? 40 : 200;
  const TemporaryDirectory directory;
  std::mt19937_64 random(20);
  uint64_t asked = 0, found = 0;
  for (int life = 0; life < lives; ++life) {
    // Ten lives to a directory: it is opened after a kill, killed again while it is opened, and so on.
    const std::string path = directory.at(std::to_string(life / 10));
    const uint64_t reported = end_a_life(path, static_cast<uint64_t>(life), random() % 30'000);
    Engine engine(options_of(path));
    Space space(engine, Geometry{});
    for (uint64_t number = 0; number < reported + 3; ++number) {
      Session session(space);
      const size_t hit = session.match(prompt_of(static_cast<uint64_t>(life), number));
      ASSERT_EQ("", session.check()) << "life " << life << " prompt " << number;
      if (number >= reported) continue;
      asked += kPromptTokens;
      found += hit;
    }
    ASSERT_EQ(0u, engine.stats().disk_damaged) << "life " << life;
    if (life % 10 != 9) continue;
    kvc_store_report_t report{};
    report.struct_size = sizeof report;
    kvc_error_t error{};
    error.struct_size = sizeof error;
    // What a kill found half written is dropped, not damaged; neither is what is written while it is looked at.
    EXPECT_EQ(KVC_OK, kvc_store_verify(path.c_str(), nullptr, nullptr, nullptr, &report, &error)) << error.message;
    EXPECT_EQ(0u, report.damaged) << error.message;
    EXPECT_GT(report.pages, 0u);
  }
  EXPECT_GT(asked, 0u);
  EXPECT_EQ(asked, found);
  RecordProperty("hits_kept", std::to_string(static_cast<double>(found) / static_cast<double>(asked)));
}

}  // namespace
}  // namespace kvc_test

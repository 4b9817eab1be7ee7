// Answers of the built-in model with K/V that a directory kept, after a restart and after a kill, are those without.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>


#include "../temporary_directory.h"
#include "answers_support.h"

namespace kvc_test {
namespace {

class AnswersDiskTest : public AnswersTest {
 protected:
  Options stored() const {
    // However fast the model: what is stored is read.
    return with_model({{"disk_path", directory_.at("store")}, {"disk_limit", "256MiB"}, {"prefill_speed", "1"}});
  }
  // Asks of what was stored, some of it as it was, some of it going on otherwise; the tokens that came from disk.
  uint64_t ask_again(const std::vector<Ask>& before, std::mt19937_64& random) {
    Engine engine(stored());
    for (size_t i = 0; i < before.size(); ++i) {
      Ask question = before[i];
      if (i % 3 == 1) question.prompt += cut(random, 60);
      if (i % 3 == 2) question.prompt = question.prompt.substr(0, 1 + random() % question.prompt.size()) + " So";
      const Reply with = ask(engine, question);
      EXPECT_EQ(plain(question), with) << question.prompt;
    }
    EXPECT_EQ(0u, engine.stats().disk_damaged);
    return engine.stats().disk_hit_tokens;
  }

  kvc_test::TemporaryDirectory directory_;
};

TEST_F(AnswersDiskTest, AfterARestartTheyAreTheSame) {
  std::mt19937_64 random(11);
  std::vector<Ask> asked;
  const int rounds = quick() ? 1 : 3, n = quick() ? 8 : 30;
  for (int round = 0; round < rounds; ++round) {
    {
      Engine engine(stored());
      for (int i = 0; i < n; ++i) {
        asked.push_back(random_ask(random, i));
        EXPECT_EQ(plain(asked.back()), ask(engine, asked.back()));
      }
    }
    EXPECT_GT(ask_again(asked, random), 0u);
  }
}

TEST_F(AnswersDiskTest, AfterAKillTheyAreTheSame) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer does not follow threads through fork";
#endif
  std::mt19937_64 random(12);
  std::vector<Ask> asked;
  for (int i = 0; i < (quick() ? 8 : 24); ++i) asked.push_back(random_ask(random, i));
  reference_.reset();  // no threads in the process that forks
  int ends[2];
  ASSERT_EQ(0, pipe(ends));
  const pid_t child = fork();
  if (child == 0) {
    Engine engine(stored());
    for (const Ask& question : asked) {
      if (ask(engine, question).status != KVC_OK || write(ends[1], "x", 1) != 1) _exit(3);
    }
    for (;;) pause();
  }
  ASSERT_GT(child, 0);
  close(ends[1]);
  char byte;
  for (size_t i = 0; i < asked.size(); ++i) ASSERT_EQ(1, read(ends[0], &byte, 1));
  ASSERT_EQ(0, kill(child, SIGKILL));
  ASSERT_EQ(child, waitpid(child, nullptr, 0));
  close(ends[0]);
  reference_ = std::make_unique<Engine>(with_model({}));
  EXPECT_GT(ask_again(asked, random), 0u);
}

}  // namespace
}  // namespace kvc_test

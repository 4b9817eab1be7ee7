// Pages on disk, through the public interface: restarts, other identities, tails, copies, packs, purges, limits.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <thread>

#include "persist_support.h"

namespace kvc_test {
namespace {

TEST_F(PersistTest, PromptsHitAfterARestartToTheLastToken) {
  std::vector<Tokens> prompts;
  for (size_t n : {3u, 4u, 5u, 17u, 64u, 203u}) prompts.push_back(random_tokens(random_, n));
  {
    Engine engine(options());
    Space space(engine, geometry_);
    for (const Tokens& prompt : prompts) EXPECT_EQ(0u, visit(space, prompt));
  }
  Engine engine(options());
  Space space(engine, geometry_);
  for (const Tokens& prompt : prompts) EXPECT_EQ(prompt.size(), found(space, prompt));
  const kvc_stats_t stats = engine.stats();
  EXPECT_GT(stats.disk_hits, 0u);
  EXPECT_EQ(3u + 4 + 5 + 17 + 64 + 203, stats.disk_hit_tokens);
  EXPECT_EQ(0u, stats.disk_damaged);
  EXPECT_EQ(0u, stats.disk_errors);
}

TEST_F(PersistTest, PromptsThatEndOrDifferInsideAPageHitToTheirLastCommonToken) {
  const Tokens prompt = random_tokens(random_, 43);
  {
    Engine engine(options());
    Space space(engine, geometry_);
    visit(space, prompt);
  }
  for (size_t n = 1; n < prompt.size(); ++n) {
    Engine engine(options({{"disk_mode", "read_only"}}));
    Space space(engine, geometry_);
    EXPECT_EQ(n, found(space, prefix(prompt, n))) << n;
    Tokens other = prefix(prompt, n);
    other.push_back(prompt[n] + 1);
    other.push_back(7);
    EXPECT_EQ(n, found(space, other)) << n;
  }
}

TEST_F(PersistTest, EvictedPagesComeBackFromDisk) {
  Engine engine(options());
  Space space(engine, geometry_);
  const Tokens prompt = random_tokens(random_, 400);
  visit(space, prompt);
  ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
  ASSERT_EQ(KVC_OK, kvc_trim(engine, 0, nullptr));
  ASSERT_EQ(0u, engine.stats().pages);
  EXPECT_EQ(400u, found(space, prompt));
  EXPECT_EQ(100u, engine.stats().disk_hits);
  // Now they are in memory, and the disk is not asked.
  EXPECT_EQ(400u, found(space, prompt));
  EXPECT_EQ(100u, engine.stats().disk_hits);
}

TEST_F(PersistTest, ADiskHoldsFarMoreThanMemory) {
  Engine engine(options({{"memory", "2MiB"}}));
  Geometry geometry = geometry_;
  geometry.k_dim = geometry.v_dim = 64;
  Space space(engine, geometry);
  std::vector<Tokens> prompts;
  for (int i = 0; i < 40; ++i) {
    prompts.push_back(random_tokens(random_, 200));
    visit(space, prompts.back());
    ASSERT_LE(engine.stats().memory_used, engine.stats().memory_budget);
    // A model is slower than this test: the disk keeps up with it.
    while (engine.stats().disk_waiting > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  EXPECT_GT(engine.stats().pages_evicted, 1000u);
  EXPECT_EQ(0u, engine.stats().disk_dropped);
  EXPECT_EQ(40u * 50, engine.stats().disk_written);
  for (const Tokens& prompt : prompts) EXPECT_EQ(200u, found(space, prompt));
  const kvc_stats_t stats = engine.stats();
  EXPECT_GT(stats.disk_hits, 1000u);
  EXPECT_LE(stats.memory_peak, stats.memory_budget);
}

TEST_F(PersistTest, OtherIdentitiesNeverHit) {
  const Tokens prompt = random_tokens(random_, 64);
  {
    Engine engine(options());
    Space space(engine, geometry_);
    visit(space, prompt, "alice");
  }
  Identity identity;
  identity.geometry = geometry_;
  {
    Engine engine(options());
    Space space(engine, geometry_);
    EXPECT_EQ(64u, found(space, prompt, "alice"));
    EXPECT_EQ(0u, found(space, prompt, "bob"));
    EXPECT_EQ(0u, found(space, prompt));
    identity.weights = "another model";
    Space other(engine, identity);
    EXPECT_EQ(0u, found(other, prompt, "alice"));
    identity.weights = Identity().weights;
    identity.rope.base = 500000;
    Space turned(engine, identity);
    EXPECT_EQ(0u, found(turned, prompt, "alice"));
  }
  Engine engine(options({{"secret", "another secret"}}));
  Space space(engine, geometry_);
  EXPECT_EQ(0u, found(space, prompt, "alice"));
}

TEST_F(PersistTest, PersistKeepsTheTailsOfOpenSessions) {
  const Tokens prompt = random_tokens(random_, 30);
  Engine engine(options());
  Space space(engine, geometry_);
  Session session(space);
  session.match(prompt);
  session.add(prompt);
  ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
  EXPECT_GT(engine.stats().disk_durable_ns, 0u);
  EXPECT_EQ(0u, engine.stats().disk_waiting);
  Engine second(options({{"disk_mode", "read_only"}}));
  Space same(second, geometry_);
  EXPECT_EQ(30u, found(same, prompt));
}

TEST_F(PersistTest, PersistCanBeBegunAndAskedFor) {
  Engine engine(options());
  Space space(engine, geometry_);
  visit(space, random_tokens(random_, 300));
  kvc_status_t status = kvc_persist(engine, 0);
  for (int i = 0; status == KVC_PENDING && i < 100000; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    status = kvc_persist(engine, 0);
  }
  EXPECT_STATUS(KVC_OK, status, engine);
}

TEST_F(PersistTest, PrivateSessionsAndFinishedTailsAreNotKept) {
  const Tokens hidden = random_tokens(random_, 20), finished = random_tokens(random_, 22);
  {
    Engine engine(options());
    Space space(engine, geometry_);
    Session own(space, nullptr, 0, false);
    own.add(hidden);
    own.close();
    Session done(space);
    done.add(finished);
    done.close(KVC_CLOSE_FINISHED);
  }
  Engine engine(options());
  Space space(engine, geometry_);
  EXPECT_EQ(0u, found(space, hidden));
  EXPECT_EQ(20u, found(space, finished));
}

TEST_F(PersistTest, ADirectoryHasOneWriterAndManyReaders) {
  Engine engine(options());
  Space space(engine, geometry_);
  const Tokens prompt = random_tokens(random_, 40);
  visit(space, prompt);
  ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);

  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  for (const auto& [key, value] : options({{"model", "none"}})) {
    ASSERT_EQ(KVC_OK, kvc_config_set(config, key.c_str(), value.c_str()));
  }
  kvc_engine_t* second = nullptr;
  kvc_error_t error{};
  error.struct_size = sizeof error;
  EXPECT_EQ(KVC_E_BUSY, kvc_engine_create_with_error(config, &second, &error)) << error.message;
  EXPECT_NE(std::string(error.message).find("read"), std::string::npos) << error.message;
  kvc_config_destroy(config);

  for (int i = 0; i < 2; ++i) {
    Engine reader(options({{"disk_mode", "read_only"}}));
    Space same(reader, geometry_);
    EXPECT_EQ(40u, found(same, prompt));
    EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_persist(reader, UINT64_MAX));
    visit(same, random_tokens(random_, 40));
    EXPECT_EQ(0u, reader.stats().disk_written);
  }
}

// What an engine with this policy says as it opens a directory.
std::string words_at_open(const std::string& path, const char* policy) {
  std::string said;
  kvc_logger_t logger{};
  logger.struct_size = sizeof logger;
  logger.user_data = &said;
  logger.level = KVC_LOG_DEBUG;
  logger.log = [](void* user, int32_t, const char* message) { *static_cast<std::string*>(user) += message; };
  kvc_config_t* config = nullptr;
  EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  for (const auto& [name, value] : Options{{"model", "none"}, {"disk_path", path}, {"policy", policy}}) {
    EXPECT_EQ(KVC_OK, kvc_config_set(config, name.c_str(), value.c_str()));
  }
  EXPECT_EQ(KVC_OK, kvc_config_set_logger(config, &logger));
  kvc_engine_t* engine = nullptr;
  EXPECT_EQ(KVC_OK, kvc_engine_create(config, &engine));
  kvc_config_destroy(config);
  kvc_engine_destroy(engine);
  return said;
}

TEST_F(PersistTest, WhatThePolicyLearnedIsTakenUpAfterARestart) {
  {
    Engine engine(options({{"policy", "adaptive"}}));
    Space space(engine, geometry_);
    for (int i = 0; i < 20; ++i) visit(space, random_tokens(random_, 40));
    ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
  }
  const std::string path = directory_.at("store");
  EXPECT_NE(std::string::npos, words_at_open(path, "adaptive").find("took up what an earlier engine learned"));
  EXPECT_NE(std::string::npos, words_at_open(path, "lru").find("cannot use what an earlier engine learned"));
  EXPECT_NE(std::string::npos, words_at_open(path, "adaptive").find("took up what an earlier engine learned"));
  EXPECT_EQ(std::string::npos, words_at_open(directory_.at("new"), "adaptive").find("an earlier engine learned"));
}

TEST_F(PersistTest, WithoutADirectoryNothingIsKept) {
  Engine engine;
  Space space(engine, geometry_);
  visit(space, random_tokens(random_, 40));
  EXPECT_EQ(KVC_E_UNSUPPORTED, kvc_persist(engine, 0));
  EXPECT_NE(words(static_cast<kvc_engine_t*>(engine)).find("disk_path"), std::string::npos);
  EXPECT_EQ(0u, engine.stats().disk_pages);
}

TEST_F(PersistTest, CopiesCanBeLoaded) {
  const Tokens mine = random_tokens(random_, 50), open = random_tokens(random_, 33);
  const Tokens theirs = random_tokens(random_, 50);
  const std::string all = directory_.at("all"), one = directory_.at("one");
  {
    Engine engine;
    Space space(engine, geometry_);
    visit(space, mine);
    visit(space, theirs, "bob");
    Session session(space);
    session.add(open);
    uint64_t n = 0;
    ASSERT_STATUS(KVC_OK, kvc_persist_to(engine, nullptr, all.c_str(), &n), engine);
    EXPECT_GE(n, 13u + 13 + 9);
    ASSERT_STATUS(KVC_OK, kvc_persist_to(engine, "bob", one.c_str(), nullptr), engine);
  }
  Engine engine;
  Space space(engine, geometry_);
  ASSERT_STATUS(KVC_OK, kvc_load(engine, one.c_str(), nullptr), engine);
  EXPECT_EQ(0u, found(space, mine));
  EXPECT_EQ(50u, found(space, theirs, "bob"));
  uint64_t n = 0;
  ASSERT_STATUS(KVC_OK, kvc_load(engine, all.c_str(), &n), engine);
  EXPECT_GT(n, 0u);
  EXPECT_EQ(50u, found(space, mine));
  EXPECT_EQ(33u, found(space, open));
  EXPECT_EQ(0u, found(space, mine, "bob"));
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_load(engine, directory_.at("nothing").c_str(), nullptr));
}

TEST_F(PersistTest, APackServesEveryTenantAndSecret) {
  const Tokens system = random_tokens(random_, 45);
  const std::string pack = directory_.at("system.pack");
  {
    Engine engine(Options{{"secret", "of the maker"}});
    Space space(engine, geometry_);
    visit(space, concat(system, random_tokens(random_, 20)), "maker");
    size_t n = 0;
    ASSERT_STATUS(KVC_OK, kvc_pack_write(space, "maker", system.data(), system.size(), pack.c_str(), &n), engine);
    EXPECT_EQ(45u, n);
    const Tokens other = random_tokens(random_, 10);
    EXPECT_EQ(KVC_E_NOT_FOUND, kvc_pack_write(space, "maker", other.data(), 10, pack.c_str(), nullptr));
  }
  Engine engine(options({{"secret", "of the user"}}));
  Space space(engine, geometry_);
  EXPECT_EQ(0u, found(space, system));
  uint64_t n = 0;
  ASSERT_STATUS(KVC_OK, kvc_pack_open(engine, pack.c_str(), &n), engine);
  EXPECT_GT(n, 0u);
  for (const char* tenant : {static_cast<const char*>(nullptr), "alice", "bob"}) {
    Tokens prompt = concat(system, random_tokens(random_, 30));
    // The page that the prompts share in part held another continuation: it is used to its last common token.
    EXPECT_EQ(45u, visit_as(space, prompt, tenant, "maker", true)) << (tenant != nullptr ? tenant : "-");
    EXPECT_EQ(prompt.size(), visit_as(space, prompt, tenant, "maker", false));
  }
  Identity identity;
  identity.geometry = geometry_;
  identity.weights = "another model";
  Space other(engine, identity);
  EXPECT_EQ(0u, found(other, system));
}

// A pack is shipped: what followed its tokens in the page where they end may be somebody's secret.
TEST_F(PersistTest, APackHoldsNothingBehindItsTokens) {
  const Tokens system = random_tokens(random_, 45), whole = concat(system, random_tokens(random_, 35));
  const std::string pack = directory_.at("cut.pack");
  {
    Engine engine;
    Space space(engine, geometry_);
    visit(space, whole, "maker");
    size_t n = 0;
    ASSERT_STATUS(KVC_OK, kvc_pack_write(space, "maker", system.data(), system.size(), pack.c_str(), &n), engine);
    EXPECT_EQ(45u, n);
  }
  Engine engine;
  Space space(engine, geometry_);
  ASSERT_STATUS(KVC_OK, kvc_pack_open(engine, pack.c_str(), nullptr), engine);
  EXPECT_EQ(45u, visit_as(space, whole, "reader", "maker", true));
}

TEST_F(PersistTest, APackOfAnApproximateCodecEndsWithAWholePage) {
  Geometry geometry = geometry_;
  geometry.k_dim = geometry.v_dim = 64;
  geometry.page_tokens = 32;
  const Options lossy{{"codec", "int8"}, {"codec_window", "0"}};
  const Tokens whole = random_tokens(random_, 96);
  const std::string pack = directory_.at("whole.pack");
  auto match = [&](const Space& space, const char* tenant) {
    Session session(space, tenant);
    return session.match(whole);
  };
  Engine maker(lossy);
  Space space(maker, geometry);
  {
    Session session(space, "maker");
    session.add(whole);
  }
  ASSERT_EQ(96u, match(space, "maker"));
  size_t n = 0;
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_pack_write(space, "maker", whole.data(), 31, pack.c_str(), &n));
  ASSERT_STATUS(KVC_OK, kvc_pack_write(space, "maker", whole.data(), 67, pack.c_str(), &n), maker);
  EXPECT_EQ(64u, n);
  Engine reader(lossy);
  Space same(reader, geometry);
  ASSERT_STATUS(KVC_OK, kvc_pack_open(reader, pack.c_str(), nullptr), reader);
  EXPECT_EQ(64u, match(same, "reader"));
}

TEST_F(PersistTest, APurgedTenantIsGoneEverywhere) {
  const Tokens mine = random_tokens(random_, 50), theirs = random_tokens(random_, 50);
  const Options set = options({{"disk_key", "a key"}});
  {
    Engine engine(set);
    Space space(engine, geometry_);
    visit(space, mine, "alice");
    visit(space, theirs, "bob");
    {
      Session session(space, "alice");
      ASSERT_EQ(50u, session.match(mine));
      EXPECT_EQ(KVC_E_BUSY, kvc_tenant_purge(engine, "alice", nullptr));
    }
    uint64_t n = 0;
    ASSERT_STATUS(KVC_OK, kvc_tenant_purge(engine, "alice", &n), engine);
    EXPECT_GT(n, 0u);
    EXPECT_EQ(0u, found(space, mine, "alice"));
    EXPECT_EQ(50u, found(space, theirs, "bob"));
  }
  Engine engine(set);
  Space space(engine, geometry_);
  EXPECT_EQ(0u, found(space, mine, "alice"));
  EXPECT_EQ(50u, found(space, theirs, "bob"));
  // The tenant may come back.
  EXPECT_EQ(0u, visit(space, mine, "alice"));
  EXPECT_EQ(50u, found(space, mine, "alice"));
}

TEST_F(PersistTest, WhatIsFasterToComputeIsNotRead) {
  const Tokens prompt = random_tokens(random_, 200);
  {
    Engine engine(options());
    Space space(engine, geometry_);
    visit(space, prompt);
  }
  Engine engine(options({{"prefill_speed", "1e9"}, {"disk_mode", "read_only"}}));
  Space space(engine, geometry_);
  EXPECT_EQ(200u, found(space, prompt));  // nothing is known of the disk yet
  ASSERT_EQ(KVC_OK, kvc_trim(engine, 0, nullptr));
  Session session(space);
  EXPECT_EQ(0u, session.match(prompt));
  int32_t reason = 0;
  char text[256];
  ASSERT_EQ(KVC_OK, kvc_session_miss(session, &reason, text, sizeof text, nullptr));
  EXPECT_EQ(KVC_MISS_RECOMPUTE, reason) << text;
  EXPECT_EQ(50u, engine.stats().disk_recomputed);
}

TEST_F(PersistTest, SettingsAndStatisticsSurvive) {
  {
    Engine engine(options({{"policy", "fifo"}, {"secret", "hush"}, {"disk_key", "hush"}}));
    Space space(engine, geometry_);
    visit(space, random_tokens(random_, 40));
  }
  const std::string path = directory_.at("store");
  char text[8192] = "";
  kvc_error_t error{};
  error.struct_size = sizeof error;
  ASSERT_EQ(KVC_OK, kvc_store_text(path.c_str(), "hush", "settings", text, sizeof text, nullptr, &error))
      << error.message;
  EXPECT_NE(std::string(text).find("policy=fifo\n"), std::string::npos) << text;
  EXPECT_EQ(std::string(text).find("hush"), std::string::npos);
  ASSERT_EQ(KVC_OK, kvc_store_text(path.c_str(), "hush", "statistics.json", text, sizeof text, nullptr, &error));
  EXPECT_NE(std::string(text).find("\"pages_sealed\": 10"), std::string::npos) << text;
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_store_text(path.c_str(), "hush", "nothing", text, sizeof text, nullptr, &error));
  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  ASSERT_EQ(KVC_OK, kvc_config_load(config, path.c_str(), "hush"));
  ASSERT_EQ(KVC_OK, kvc_config_get(config, "policy", text, sizeof text, nullptr));
  EXPECT_STREQ("fifo", text);
  ASSERT_EQ(KVC_OK, kvc_config_get(config, "disk_path", text, sizeof text, nullptr));
  EXPECT_EQ(path, text);
  kvc_config_destroy(config);
}

TEST_F(PersistTest, WithSecondSightOnePersistWritesWhatWasSeenOnce) {
  const Tokens once = random_tokens(random_, 43), after = random_tokens(random_, 40);
  {
    Engine engine(options({{"disk_admission", "second_sight"}}));
    Space space(engine, geometry_);
    visit(space, once);
    while (engine.stats().disk_waiting > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    EXPECT_EQ(0u, engine.stats().disk_written);
    ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
    const uint64_t written = engine.stats().disk_written;
    EXPECT_GE(written, 10u);
    ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
    EXPECT_EQ(written, engine.stats().disk_written);
    kvc_trim(engine, 0, nullptr);
    EXPECT_LE(40u, found(space, once));
    visit(space, after);
  }
  Engine engine(options({{"disk_mode", "read_only"}}));
  Space space(engine, geometry_);
  EXPECT_LE(40u, found(space, once));
}

TEST_F(PersistTest, AStoreCanBeLookedAt) {
  {
    Engine engine(options());
    Space space(engine, geometry_);
    visit(space, random_tokens(random_, 400));
  }
  const std::string path = directory_.at("store");
  kvc_store_report_t report{};
  report.struct_size = sizeof report;
  kvc_error_t error{};
  error.struct_size = sizeof error;
  ASSERT_EQ(KVC_OK, kvc_store_inspect(path.c_str(), nullptr, &report, &error)) << error.message;
  EXPECT_EQ(100u, report.pages);
  EXPECT_EQ(100u, report.clues);
  uint64_t calls = 0;
  const kvc_progress_fn count = [](void* user, uint64_t done, uint64_t of) -> int32_t {
    EXPECT_LE(done, of);
    ++*static_cast<uint64_t*>(user);
    return 0;
  };
  ASSERT_EQ(KVC_OK, kvc_store_verify(path.c_str(), nullptr, count, &calls, &report, &error)) << error.message;
  EXPECT_GT(calls, 0u);
  EXPECT_GT(report.checked_bytes, 0u);
  EXPECT_EQ(0u, report.damaged);
  const kvc_progress_fn stop = [](void*, uint64_t, uint64_t) -> int32_t { return 1; };
  EXPECT_EQ(KVC_E_CANCELLED, kvc_store_verify(path.c_str(), nullptr, stop, nullptr, &report, &error));
  ASSERT_EQ(KVC_OK, kvc_store_compact(path.c_str(), nullptr, count, &calls, &report, &error)) << error.message;
  EXPECT_EQ(100u, report.pages);
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_store_inspect(directory_.at("no").c_str(), nullptr, &report, &error));
  EXPECT_NE(error.message[0], 0);
}

}  // namespace
}  // namespace kvc_test

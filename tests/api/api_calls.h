// Every public function that takes a handle, with otherwise valid arguments: for tests of what any handle can be.
#pragma once

#include <functional>
#include <vector>

#include "../small_space.h"
#include "core_support.h"

namespace kvc_test {

struct Call {
  const char* name;
  std::function<kvc_status_t(void*)> call;
};

// Functions that return a status, by the kind of their handle.
inline std::vector<Call> config_calls() {
  return {
      {"kvc_config_set", [](void* h) { return kvc_config_set(static_cast<kvc_config_t*>(h), "memory", "1MiB"); }},
      {"kvc_config_get",
       [](void* h) {
         char text[16];
         return kvc_config_get(static_cast<kvc_config_t*>(h), "memory", text, sizeof text, nullptr);
       }},
      {"kvc_config_set_backend",
       [](void* h) { return kvc_config_set_backend(static_cast<kvc_config_t*>(h), nullptr); }},
      {"kvc_config_set_allocator",
       [](void* h) { return kvc_config_set_allocator(static_cast<kvc_config_t*>(h), nullptr); }},
      {"kvc_config_set_logger", [](void* h) { return kvc_config_set_logger(static_cast<kvc_config_t*>(h), nullptr); }},
      {"kvc_config_set_clock", [](void* h) { return kvc_config_set_clock(static_cast<kvc_config_t*>(h), nullptr); }},
  };
}

inline std::vector<Call> engine_calls() {
  static float numbers[4] = {1, 2, 3, 4};
  static uint8_t id[32] = {};
  const auto tensor = [] {
    kvc_tensor_t t;
    EXPECT_EQ(KVC_OK, kvc_tensor_thd(&t, numbers, KVC_F32, 4, 1, 1));
    return t;
  };
  const auto request = [] {
    kvc_request_t r;
    EXPECT_EQ(KVC_OK, kvc_request_init(&r, sizeof r));
    r.prompt = "a";
    r.max_tokens = 1;
    return r;
  };
#define ENGINE static_cast<kvc_engine_t*>(h)
  return {
      {"kvc_engine_info",
       [](void* h) {
         char text[16];
         return kvc_engine_info(ENGINE, text, sizeof text, nullptr);
       }},
      {"kvc_process",
       [=](void* h) {
         const kvc_request_t r = request();
         kvc_response_t* response = nullptr;
         const kvc_status_t status = kvc_process(ENGINE, &r, &response);
         kvc_response_free(response);
         return status;
       }},
      {"kvc_process_batch",
       [=](void* h) {
         const kvc_request_t r = request();
         kvc_response_t* response = nullptr;
         const kvc_status_t status = kvc_process_batch(ENGINE, &r, 1, &response);
         kvc_response_free(response);
         return status;
       }},
      {"kvc_submit",
       [=](void* h) {
         const kvc_request_t r = request();
         kvc_ticket_t ticket = 0;
         const kvc_status_t status = kvc_submit(ENGINE, &r, &ticket);
         if (status == KVC_OK) {
           EXPECT_EQ(KVC_OK, kvc_ticket_free(ENGINE, ticket));
         }
         return status;
       }},
      {"kvc_wait",
       [](void* h) {
         kvc_response_t* response = nullptr;
         return kvc_wait(ENGINE, 77, 0, &response);
       }},
      {"kvc_poll",
       [](void* h) {
         kvc_ticket_t ticket = 0;
         size_t n = 0;
         return kvc_poll(ENGINE, &ticket, 1, &n);
       }},
      {"kvc_next",
       [](void* h) {
         char text[16];
         size_t n = 0;
         return kvc_next(ENGINE, 77, 0, text, sizeof text, &n);
       }},
      {"kvc_cancel", [](void* h) { return kvc_cancel(ENGINE, 77); }},
      {"kvc_ticket_free", [](void* h) { return kvc_ticket_free(ENGINE, 77); }},
      {"kvc_step", [](void* h) { return kvc_step(ENGINE, nullptr); }},
      {"kvc_tokenize",
       [](void* h) {
         int32_t tokens[4];
         size_t n = 0;
         return kvc_tokenize(ENGINE, "a", 1, tokens, 4, &n);
       }},
      {"kvc_detokenize",
       [](void* h) {
         const int32_t token = 97;
         char text[8];
         return kvc_detokenize(ENGINE, &token, 1, text, sizeof text, nullptr);
       }},
      {"kvc_space_open",
       [](void* h) {
         const kvc_space_desc_t d = small_space(1, 4, KVC_F32, 4);
         kvc_space_t* space = nullptr;
         const kvc_status_t status = kvc_space_open(ENGINE, &d, &space);
         kvc_space_close(space);
         return status;
       }},
      {"kvc_engine_space",
       [](void* h) {
         kvc_space_t* space = nullptr;
         const kvc_status_t status = kvc_engine_space(ENGINE, &space);
         kvc_space_close(space);
         return status;
       }},
      {"kvc_put",
       [=](void* h) {
         const kvc_tensor_t t = tensor();
         return kvc_put(ENGINE, nullptr, "key", 3, &t);
       }},
      {"kvc_put_with",
       [=](void* h) {
         const kvc_tensor_t t = tensor();
         return kvc_put_with(ENGINE, nullptr, "key", 3, &t, nullptr);
       }},
      {"kvc_tensor_info",
       [](void* h) {
         kvc_tensor_info_t info{};
         info.struct_size = sizeof info;
         int32_t found = 0;
         return kvc_tensor_info(ENGINE, nullptr, "key", 3, &info, &found);
       }},
      {"kvc_get",
       [=](void* h) {
         kvc_tensor_t t = tensor();
         t.data = nullptr;
         int32_t found = 0;
         return kvc_get(ENGINE, nullptr, "key", 3, &t, &found);
       }},
      {"kvc_contains",
       [](void* h) {
         int32_t found = 0;
         return kvc_contains(ENGINE, nullptr, "key", 3, &found);
       }},
      {"kvc_remove", [](void* h) { return kvc_remove(ENGINE, nullptr, "key", 3, nullptr); }},
      {"kvc_page_iter_open",
       [](void* h) {
         kvc_page_iter_t* iter = nullptr;
         const kvc_status_t status = kvc_page_iter_open(ENGINE, nullptr, &iter);
         kvc_page_iter_close(iter);
         return status;
       }},
      {"kvc_page_info",
       [](void* h) {
         kvc_page_info_t info{};
         info.struct_size = sizeof info;
         return kvc_page_info(ENGINE, id, &info);
       }},
      {"kvc_page_tokens",
       [](void* h) {
         int32_t tokens[4];
         size_t n = 0;
         return kvc_page_tokens(ENGINE, id, tokens, 4, &n);
       }},
      {"kvc_trim", [](void* h) { return kvc_trim(ENGINE, 0, nullptr); }},
      {"kvc_stats",
       [](void* h) {
         kvc_stats_t stats{};
         stats.struct_size = sizeof stats;
         return kvc_stats(ENGINE, &stats);
       }},
  };
#undef ENGINE
}

inline std::vector<Call> space_calls() {
#define SPACE static_cast<kvc_space_t*>(h)
  return {
      {"kvc_space_info",
       [](void* h) {
         kvc_space_info_t info{};
         info.struct_size = sizeof info;
         return kvc_space_info(SPACE, &info);
       }},
      {"kvc_space_diff",
       [](void* h) {
         char text[8];
         return kvc_space_diff(SPACE, SPACE, text, sizeof text, nullptr);
       }},
      {"kvc_space_page_ids",
       [](void* h) {
         size_t n = 0;
         return kvc_space_page_ids(SPACE, nullptr, nullptr, 0, nullptr, 0, &n);
       }},
      {"kvc_session_open",
       [](void* h) {
         kvc_session_t* session = nullptr;
         const kvc_status_t status = kvc_session_open(SPACE, nullptr, &session);
         if (status == KVC_OK) {
           EXPECT_EQ(KVC_OK, kvc_session_close(session, KVC_CLOSE_KEEP, 0));
         }
         return status;
       }},
  };
#undef SPACE
}

// For an empty session of a space with one layer, one head, four dims of f32.
inline std::vector<Call> session_calls() {
  static float numbers[4] = {1, 2, 3, 4};
  const auto tensor = [] {
    kvc_tensor_t t;
    EXPECT_EQ(KVC_OK, kvc_tensor_thd(&t, numbers, KVC_F32, 1, 1, 4));
    return t;
  };
#define SESSION static_cast<kvc_session_t*>(h)
  return {
      {"kvc_session_match",
       [](void* h) {
         const int32_t token = 1;
         size_t reused = 0;
         return kvc_session_match(SESSION, &token, 1, &reused);
       }},
      {"kvc_session_miss", [](void* h) { return kvc_session_miss(SESSION, nullptr, nullptr, 0, nullptr); }},
      {"kvc_session_append",
       [=](void* h) {
         const kvc_tensor_t t = tensor();
         return kvc_session_append(SESSION, 0, &t, &t, 1);
       }},
      {"kvc_session_truncate", [](void* h) { return kvc_session_truncate(SESSION, 0); }},
      {"kvc_session_append_all",
       [=](void* h) {
         const kvc_tensor_t t = tensor();
         return kvc_session_append_all(SESSION, &t, &t, 1, 1);
       }},
      {"kvc_session_commit",
       [](void* h) {
         const int32_t token = 1;
         return kvc_session_commit(SESSION, &token, 1);
       }},
      {"kvc_session_read",
       [=](void* h) {
         const kvc_tensor_t t = tensor();
         return kvc_session_read(SESSION, 0, KVC_KEY, 0, 1, &t);
       }},
      {"kvc_session_read_all",
       [=](void* h) {
         const kvc_tensor_t t = tensor();
         return kvc_session_read_all(SESSION, 0, 1, &t, nullptr, 1);
       }},
      {"kvc_session_fork",
       [](void* h) {
         kvc_session_t* fork = nullptr;
         const kvc_status_t status = kvc_session_fork(SESSION, &fork);
         if (status == KVC_OK) {
           EXPECT_EQ(KVC_OK, kvc_session_close(fork, KVC_CLOSE_KEEP, 0));
         }
         return status;
       }},
      {"kvc_session_pin", [](void* h) { return kvc_session_pin(SESSION, 0); }},
      {"kvc_session_set_priority", [](void* h) { return kvc_session_set_priority(SESSION, 0); }},
      {"kvc_session_hint", [](void* h) { return kvc_session_hint(SESSION, KVC_HINT_NONE); }},
      {"kvc_session_expect", [](void* h) { return kvc_session_expect(SESSION, 0); }},
      {"kvc_session_generated", [](void* h) { return kvc_session_generated(SESSION, 0); }},
      {"kvc_session_info",
       [](void* h) {
         kvc_session_info_t info{};
         info.struct_size = sizeof info;
         return kvc_session_info(SESSION, &info);
       }},
      {"kvc_session_tokens",
       [](void* h) {
         int32_t token = 0;
         return kvc_session_tokens(SESSION, 0, 1, &token);
       }},
      {"kvc_session_close", [](void* h) { return kvc_session_close(SESSION, KVC_CLOSE_FINISHED, 0); }},
  };
#undef SESSION
}

inline std::vector<Call> iter_calls() {
  return {{"kvc_page_iter_next", [](void* h) {
             kvc_page_info_t info{};
             info.struct_size = sizeof info;
             return kvc_page_iter_next(static_cast<kvc_page_iter_t*>(h), &info);
           }}};
}

}  // namespace kvc_test

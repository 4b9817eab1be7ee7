# Processes that are killed. Not under ThreadSanitizer, which does not follow threads through fork.
if(NOT KVC_SANITIZE MATCHES "thread")
  kvc_gtest(crash crash kvc)
endif()

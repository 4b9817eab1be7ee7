# Processes that are killed. Not under ThreadSanitizer, which does not follow threads through fork.
if(NOT KVC_SANITIZE MATCHES "thread")
  kvc_gtest(crash crash kvc)
endif()

# The sweeps of power cuts and failing calls, twenty times as long: tests/run --label stress.
if(NOT KVC_SANITIZE)
  add_test(NAME stress/power_cuts COMMAND kvc_unit_tests --gtest_filter=DiskCrashTest.*)
  set_tests_properties(stress/power_cuts PROPERTIES LABELS stress TIMEOUT 7200 ENVIRONMENT KVC_TEST_LONG=1)
endif()

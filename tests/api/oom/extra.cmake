# A program of its own: it replaces the global operator new.
add_executable(kvc_oom_test ${CMAKE_CURRENT_LIST_DIR}/oom_main.cpp)
target_link_libraries(kvc_oom_test PRIVATE kvc)
target_compile_options(kvc_oom_test PRIVATE -Wall -Wextra $<$<BOOL:${KVC_WERROR}>:-Werror>)
set_target_properties(kvc_oom_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
add_test(NAME api/oom COMMAND kvc_oom_test)
set_tests_properties(api/oom PROPERTIES LABELS api TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")

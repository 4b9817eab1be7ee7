# The parts of the llama.cpp module that need no llama.cpp: its files are compiled into a program of their own.
set(llama_module ${PROJECT_SOURCE_DIR}/bindings/llama)
add_executable(kvc_llama_parts_tests ${CMAKE_CURRENT_LIST_DIR}/blob_test.cpp ${CMAKE_CURRENT_LIST_DIR}/digest_test.cpp
  ${llama_module}/state_blob.cpp ${llama_module}/pages.cpp ${llama_module}/file_digest.cpp)
target_include_directories(kvc_llama_parts_tests PRIVATE ${llama_module} ${PROJECT_SOURCE_DIR}/include ${KVC_SODIUM_INCLUDE})
target_link_libraries(kvc_llama_parts_tests PRIVATE ${KVC_SODIUM_LIBRARY} GTest::gtest GTest::gtest_main Threads::Threads)
target_compile_options(kvc_llama_parts_tests PRIVATE -O1 -Wall -Wextra $<$<BOOL:${KVC_WERROR}>:-Werror>)
set_target_properties(kvc_llama_parts_tests PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
gtest_discover_tests(kvc_llama_parts_tests
  TEST_PREFIX "llama_parts/"
  DISCOVERY_MODE PRE_TEST
  DISCOVERY_TIMEOUT 60
  PROPERTIES LABELS unit TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")

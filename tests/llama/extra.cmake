# Tests of kvc with llama.cpp: built and run where bindings/llama/setup has fetched it, or KVC_LLAMA_LIB names one.
set(llama_include "${PROJECT_SOURCE_DIR}/build/llama/include")
set(llama_lib "$ENV{KVC_LLAMA_LIB}")
if(NOT llama_lib)
  set(llama_lib "${PROJECT_SOURCE_DIR}/build/llama/lib")
endif()
if(NOT EXISTS "${llama_include}/llama.h" OR NOT EXISTS "${llama_lib}/libllama.so")
  kvc_script(llama/all model ${CMAKE_COMMAND} -E env sh -c
    "echo 'SKIPPED: no llama.cpp in build/llama, bindings/llama/setup fetches it' && exit 77")
  return()
endif()

set(llama_models "${PROJECT_BINARY_DIR}/tests/llama_models")
set(llama_script ${CMAKE_CURRENT_LIST_DIR}/make_models.py)
add_custom_command(OUTPUT ${llama_models}/llama.gguf
  COMMAND ${Python3_EXECUTABLE} -B ${llama_script} ${llama_models} DEPENDS ${llama_script} VERBATIM)
add_custom_target(kvc_llama_models DEPENDS ${llama_models}/llama.gguf)

kvc_gtest(llama model kvc)
target_sources(kvc_llama_tests PRIVATE ${PROJECT_SOURCE_DIR}/bindings/llama/state_blob.cpp)
target_include_directories(kvc_llama_tests PRIVATE ${PROJECT_SOURCE_DIR}/bindings/llama)
add_dependencies(kvc_llama_tests kvc_llama_models kvc_llama)
target_include_directories(kvc_llama_tests SYSTEM PRIVATE ${llama_include})
target_link_libraries(kvc_llama_tests PRIVATE kvc_llama)
target_link_libraries(kvc_llama_tests PRIVATE ${llama_lib}/libllama.so ${llama_lib}/libggml.so ${llama_lib}/libggml-base.so)
target_compile_definitions(kvc_llama_tests PRIVATE
  KVC_TEST_LLAMA_LIB="${llama_lib}" KVC_TEST_LLAMA_MODELS="${llama_models}"
  KVC_TEST_LLAMA_MODULE="$<TARGET_FILE:kvc_llama>"
  KVC_TEST_REAL_MODEL="${PROJECT_SOURCE_DIR}/build/llama/model.gguf")
set_target_properties(kvc_llama_tests PROPERTIES BUILD_RPATH "${llama_lib}")

if(TARGET kvc_cli)
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  add_test(NAME llama/chat
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/chat_test.py
      $<TARGET_FILE:kvc_cli> ${llama_lib} $<TARGET_FILE:kvc_llama> ${llama_models}/llama.gguf
      ${PROJECT_SOURCE_DIR}/build/llama/model.gguf)
  add_test(NAME llama/kill
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/kill_test.py
      $<TARGET_FILE:kvc_cli> ${llama_lib} $<TARGET_FILE:kvc_llama> ${llama_models})
  set_tests_properties(llama/kill PROPERTIES LABELS crash TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")
  set_tests_properties(llama/chat PROPERTIES LABELS model TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")
endif()

# The example without kvc and with it, built as their users do.
configure_file(${PROJECT_SOURCE_DIR}/bindings/llama/kvc_llama.h ${PROJECT_BINARY_DIR}/tests/llama_include/kvc/kvc_llama.h
  COPYONLY)
foreach(example ask ask_kvc)
  add_executable(kvc_llama_${example} ${PROJECT_SOURCE_DIR}/bindings/llama/examples/${example}.cpp)
  target_include_directories(kvc_llama_${example} SYSTEM PRIVATE ${llama_include})
  target_link_libraries(kvc_llama_${example} PRIVATE
    ${llama_lib}/libllama.so ${llama_lib}/libggml.so ${llama_lib}/libggml-base.so)
  set_target_properties(kvc_llama_${example} PROPERTIES BUILD_RPATH "${llama_lib}")
endforeach()
target_include_directories(kvc_llama_ask_kvc PRIVATE ${PROJECT_BINARY_DIR}/tests/llama_include ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(kvc_llama_ask_kvc PRIVATE kvc_llama kvc)
add_dependencies(kvc_llama_ask_kvc kvc_llama_models)
find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME llama/example
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/example_test.py ${PROJECT_SOURCE_DIR}/bindings/llama/examples
    $<TARGET_FILE:kvc_llama_ask> $<TARGET_FILE:kvc_llama_ask_kvc> ${llama_lib} $<TARGET_FILE:kvc_llama>
    ${llama_models}/llama.gguf)
set_tests_properties(llama/example PROPERTIES LABELS model TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")

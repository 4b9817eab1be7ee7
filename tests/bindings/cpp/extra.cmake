# The C++ wrapper: its GoogleTest program, its examples, and that it compiles the ways that people compile.
set(cpp_tests ${CMAKE_CURRENT_LIST_DIR})
set(cpp_binding ${PROJECT_SOURCE_DIR}/bindings/cpp)

# Seen as <kvc/kvc.hpp>, as it is installed.
set(cpp_include ${CMAKE_CURRENT_BINARY_DIR}/cpp_include)
configure_file(${cpp_binding}/kvc.hpp ${cpp_include}/kvc/kvc.hpp COPYONLY)

# kvc_cpp(NAME STANDARD SOURCES...): a program of the wrapper, with every warning that a user might have on.
function(kvc_cpp name standard)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${cpp_include})
  target_link_libraries(${name} PRIVATE kvc Threads::Threads)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${KVC_WERROR}>:-Werror>)
  set_target_properties(${name} PROPERTIES
    CXX_STANDARD ${standard} CXX_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
endfunction()

function(kvc_cpp_test name)
  add_test(NAME bindings/cpp/${name} COMMAND ${ARGN})
  set_tests_properties(bindings/cpp/${name} PROPERTIES LABELS bindings TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")
endfunction()

kvc_cpp(kvc_cpp_tests 17 ${cpp_tests}/cpp_test.cpp)
target_link_libraries(kvc_cpp_tests PRIVATE GTest::gtest GTest::gtest_main)
gtest_discover_tests(kvc_cpp_tests
  TEST_PREFIX "bindings/"
  DISCOVERY_MODE PRE_TEST
  DISCOVERY_TIMEOUT 60
  PROPERTIES LABELS bindings TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")

foreach(standard 17 20)
  kvc_cpp(kvc_cpp_no_exceptions_${standard} ${standard} ${cpp_tests}/no_exceptions.cpp ${cpp_tests}/no_exceptions_other.cpp)
  target_compile_options(kvc_cpp_no_exceptions_${standard} PRIVATE -fno-exceptions -fno-rtti)
  kvc_cpp_test(no_exceptions_${standard} kvc_cpp_no_exceptions_${standard})
endforeach()

kvc_cpp(kvc_cpp_mixed 17 ${cpp_tests}/mixed.cpp ${cpp_tests}/no_exceptions_other.cpp)
set_source_files_properties(${cpp_tests}/no_exceptions_other.cpp PROPERTIES COMPILE_OPTIONS "-fno-exceptions")
kvc_cpp_test(mixed kvc_cpp_mixed)

find_path(KVC_NLOHMANN_JSON nlohmann/json.hpp)
mark_as_advanced(KVC_NLOHMANN_JSON)
if(KVC_SANITIZE)
  # A heavy header, and the label does not run there.
elseif(KVC_NLOHMANN_JSON)
  kvc_cpp(kvc_cpp_conformance 17 ${cpp_tests}/conformance.cpp)
  kvc_cpp_test(conformance kvc_cpp_conformance ${CMAKE_CURRENT_LIST_DIR}/../conformance.json)
else()
  kvc_cpp_test(conformance ${CMAKE_COMMAND} -E echo "SKIPPED: no nlohmann/json.hpp here; .ci/setup installs it")
  set_tests_properties(bindings/cpp/conformance PROPERTIES SKIP_REGULAR_EXPRESSION "^SKIPPED")
endif()

foreach(example hello own_tensors stream)
  kvc_cpp(kvc_cpp_${example} 17 ${cpp_binding}/examples/${example}.cpp)
  kvc_cpp_test(${example} kvc_cpp_${example})
endforeach()
set_tests_properties(bindings/cpp/own_tensors PROPERTIES
  PASS_REGULAR_EXPRESSION "0 tokens reused, 200 computed.*200 tokens reused, 0 computed.*stored: 1, pages: 4")
set_tests_properties(bindings/cpp/stream PROPERTIES PASS_REGULAR_EXPRESSION "32 tokens.*KVC_E_CANCELLED after")
set_tests_properties(bindings/cpp/hello PROPERTIES PASS_REGULAR_EXPRESSION "\\(0 of [0-9]+ .*\\([1-9][0-9]* of [0-9]+ ")

# Other compilers and standards need only accept it.
foreach(compiler g++ clang++)
  find_program(KVC_CPP_${compiler} ${compiler})
  mark_as_advanced(KVC_CPP_${compiler})
  if(KVC_CPP_${compiler})
    foreach(standard 17 20)
      kvc_cpp_test(compiles_${compiler}_${standard} ${KVC_CPP_${compiler}} -std=c++${standard} -Wall -Wextra -Wpedantic -Wshadow -Werror
        -fsyntax-only -I${cpp_include} -I${PROJECT_SOURCE_DIR}/include ${cpp_tests}/mixed.cpp ${cpp_binding}/examples/own_tensors.cpp
        ${cpp_binding}/examples/stream.cpp)
      kvc_cpp_test(compiles_${compiler}_${standard}_no_exceptions ${KVC_CPP_${compiler}} -std=c++${standard} -fno-exceptions -fno-rtti
        -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only -I${cpp_include} -I${PROJECT_SOURCE_DIR}/include
        ${cpp_tests}/no_exceptions.cpp)
    endforeach()
  endif()
endforeach()

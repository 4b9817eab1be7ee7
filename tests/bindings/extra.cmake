# The language bindings: that what is generated is up to date, and each language's tests. They load the library as it is shipped.
if(KVC_SANITIZE)
  return()
endif()
set(bindings_tests ${CMAKE_CURRENT_LIST_DIR})

kvc_script(bindings/generated bindings ${Python3_EXECUTABLE} -B ${bindings_tests}/check_generated.py)
kvc_script(bindings/coverage bindings ${Python3_EXECUTABLE} -B ${bindings_tests}/check_coverage.py)

# kvc_python(NAME ENVIRONMENT SCRIPT [ARGUMENT]...): a script of the Python binding's tests.
function(kvc_python name environment script)
  kvc_script(bindings/python/${name} bindings ${Python3_EXECUTABLE} -B ${bindings_tests}/python/run.py $<TARGET_FILE:kvc> ${environment}
    ${script} ${ARGN})
endfunction()
kvc_python(conformance python ${bindings_tests}/python/conformance.py)
kvc_python(package python ${bindings_tests}/python/test_package.py)
kvc_python(examples python ${bindings_tests}/python/examples_test.py)
kvc_python(wheel python ${bindings_tests}/python/package_test.py $<TARGET_FILE:kvc> ${CMAKE_CURRENT_BINARY_DIR}/python_wheel)
kvc_python(fastapi python ${bindings_tests}/python/test_fastapi.py)
kvc_python(transformers transformers ${bindings_tests}/python/test_transformers.py)

# kvc_language(NAME): a folder with run.py, which tests the binding and its package.
function(kvc_language name)
  foreach(part tests package)
    kvc_script(bindings/${name}/${part} bindings ${Python3_EXECUTABLE} -B ${bindings_tests}/${name}/run.py ${part} $<TARGET_FILE:kvc>
      ${CMAKE_CURRENT_BINARY_DIR}/${name})
  endforeach()
endfunction()
kvc_language(rust)
kvc_language(go)
kvc_language(java)
kvc_language(node)
kvc_language(csharp)
# Both write to one target folder.
set_tests_properties(bindings/rust/tests bindings/rust/package PROPERTIES RESOURCE_LOCK kvc_cargo)

# The example for games. A hundred frames; how long they take is no matter of this test.
add_executable(kvc_game ${PROJECT_SOURCE_DIR}/bindings/c/game/game.c)
target_link_libraries(kvc_game PRIVATE kvc)
target_compile_options(kvc_game PRIVATE -Wall -Wextra -Wpedantic $<$<BOOL:${KVC_WERROR}>:-Werror>)
set_target_properties(kvc_game PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
kvc_script(bindings/game bindings kvc_game 100)
set_tests_properties(bindings/game PROPERTIES PASS_REGULAR_EXPRESSION "lines said.*at most [0-9.]+ of 24 MiB, 0 refusals; threads begun by kvc: 0")

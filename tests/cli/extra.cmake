# The kvc program, driven from outside as a user drives it, and the programs of README.md.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
set(program)
if(TARGET kvc_cli)
  set(program $<TARGET_FILE:kvc_cli>)
  add_test(NAME cli
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/cli_test.py $<TARGET_FILE:kvc_cli>)
  set_tests_properties(cli PROPERTIES LABELS api TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")
endif()
# A program without a sanitizer's runtime cannot load a library that needs it.
if(NOT KVC_SANITIZE)
  add_test(NAME readme
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/readme_test.py
      ${PROJECT_SOURCE_DIR} $<TARGET_FILE_DIR:kvc> ${program})
  set_tests_properties(readme PROPERTIES LABELS api TIMEOUT ${KVC_TEST_SECONDS})
endif()

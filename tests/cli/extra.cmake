# The kvc program, driven from outside as a user drives it.
if(TARGET kvc_cli)
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  add_test(NAME cli
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/cli_test.py $<TARGET_FILE:kvc_cli>)
  set_tests_properties(cli PROPERTIES LABELS api TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")
endif()

# The CUDA module without a device: kernels on the host, the module on a driver of our own (fake/fake_driver.h).
file(GLOB fake_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/fake/*.cpp)
add_library(kvc_cuda_fake SHARED ${fake_sources} ${PROJECT_SOURCE_DIR}/cuda/driver.cpp ${PROJECT_SOURCE_DIR}/src/base/status.cpp)
target_include_directories(kvc_cuda_fake PUBLIC
  ${PROJECT_SOURCE_DIR}/cuda ${CMAKE_CURRENT_LIST_DIR} ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_options(kvc_cuda_fake PRIVATE -O1 -Wall -Wextra -ffp-contract=off -fvisibility=hidden
  $<$<BOOL:${KVC_WERROR}>:-Werror>)
target_link_libraries(kvc_cuda_fake PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(kvc_cuda_fake PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")

add_library(kvc_cuda_fake_nvml SHARED ${CMAKE_CURRENT_LIST_DIR}/nvml/fake_nvml.cpp)
set_target_properties(kvc_cuda_fake_nvml PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")

add_library(kvc_cuda_fake_cublas SHARED ${CMAKE_CURRENT_LIST_DIR}/cublas/fake_cublas.cpp)
target_link_libraries(kvc_cuda_fake_cublas PRIVATE kvc_cuda_fake)
target_compile_options(kvc_cuda_fake_cublas PRIVATE -O1 -Wall -Wextra $<$<BOOL:${KVC_WERROR}>:-Werror>)
set_target_properties(kvc_cuda_fake_cublas PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")

kvc_gtest(cuda unit kvc_objects)
target_include_directories(kvc_cuda_tests PRIVATE ${PROJECT_SOURCE_DIR}/cuda ${CMAKE_CURRENT_LIST_DIR})
# Kernels have the bits of the library's own code: one operation at a time, nothing fused.
target_compile_options(kvc_cuda_tests PRIVATE -ffp-contract=off)
target_sources(kvc_cuda_tests PRIVATE $<TARGET_OBJECTS:kvc_cuda_objects>)
target_link_libraries(kvc_cuda_tests PRIVATE kvc_cuda_objects kvc_cuda_fake kvc_cuda_fake_nvml kvc_cuda_fake_cublas)
target_compile_definitions(kvc_cuda_tests PRIVATE KVC_TEST_FAKE_DRIVER="$<TARGET_FILE:kvc_cuda_fake>"
  KVC_TEST_FAKE_NVML="$<TARGET_FILE:kvc_cuda_fake_nvml>" KVC_TEST_FAKE_CUBLAS="$<TARGET_FILE:kvc_cuda_fake_cublas>")

if(NOT KVC_SANITIZE)
  if(TARGET kvc_cuda)
    set(program "")
    if(TARGET kvc_cli)
      set(program $<TARGET_FILE:kvc_cli>)
    endif()
    # On a device, where there is one (label cuda): tests/run --label cuda.
    file(GLOB device_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/device/*.cpp)
    add_executable(kvc_cuda_device_tests ${device_sources} ${PROJECT_SOURCE_DIR}/cuda/embedded_kernels.cpp
      ${PROJECT_SOURCE_DIR}/src/base/json.cpp ${PROJECT_SOURCE_DIR}/src/base/status.cpp $<TARGET_OBJECTS:kvc_cuda_objects>)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/cuda/embedded_kernels.cpp PROPERTIES
      COMPILE_DEFINITIONS "KVC_CUDA_FATBIN=\"${KVC_CUDA_FATBIN}\"")
    add_dependencies(kvc_cuda_device_tests kvc_cuda kvc_cuda_fake)
    target_include_directories(kvc_cuda_device_tests PRIVATE ${CMAKE_CURRENT_LIST_DIR})
    target_link_libraries(kvc_cuda_device_tests PRIVATE kvc_cuda_objects GTest::gtest GTest::gtest_main)
    target_compile_options(kvc_cuda_device_tests PRIVATE -O1 -Wall -Wextra -ffp-contract=off $<$<BOOL:${KVC_WERROR}>:-Werror>)
    set_target_properties(kvc_cuda_device_tests PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    gtest_discover_tests(kvc_cuda_device_tests TEST_PREFIX "cuda_device/" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      PROPERTIES LABELS cuda TIMEOUT ${KVC_TEST_SECONDS} ENVIRONMENT "${test_environment}")

    add_test(NAME cuda/device_tests_on_fake COMMAND kvc_cuda_device_tests)
    set_tests_properties(cuda/device_tests_on_fake PROPERTIES LABELS unit TIMEOUT ${KVC_TEST_SECONDS}
      ENVIRONMENT "KVC_CUDA_TEST_DRIVER=$<TARGET_FILE:kvc_cuda_fake>")

    # The bench goes through all that it measures, on the driver of ours; and says that it is skipped where there is none.
    if(TARGET kvc_bench_cuda)
      add_dependencies(kvc_bench_cuda kvc_cuda_fake)
      kvc_script(cuda/bench_on_fake abi $<TARGET_FILE:kvc_bench_cuda> --quick --json --driver $<TARGET_FILE:kvc_cuda_fake>)
      kvc_script(cuda/bench_without_driver abi $<TARGET_FILE:kvc_bench_cuda> --driver libcuda_that_is_nowhere.so.1)
      set_tests_properties(cuda/bench_without_driver PROPERTIES PASS_REGULAR_EXPRESSION "SKIPPED: no NVIDIA driver")
    endif()

    # A program as users write it.
    configure_file(${PROJECT_SOURCE_DIR}/cuda/kvc_cuda.h ${PROJECT_BINARY_DIR}/tests/cuda_include/kvc/kvc_cuda.h COPYONLY)
    add_executable(kvc_cuda_host ${CMAKE_CURRENT_LIST_DIR}/host.c)
    target_include_directories(kvc_cuda_host PRIVATE ${PROJECT_BINARY_DIR}/tests/cuda_include ${PROJECT_SOURCE_DIR}/include)
    target_compile_options(kvc_cuda_host PRIVATE -Wall -Wextra -Wpedantic $<$<BOOL:${KVC_WERROR}>:-Werror>)
    target_link_libraries(kvc_cuda_host PRIVATE kvc_cuda)
    # An engine with a device tier, without a driver and with the one of ours in its place.
    add_executable(kvc_cuda_session ${CMAKE_CURRENT_LIST_DIR}/session.c)
    target_include_directories(kvc_cuda_session PRIVATE ${PROJECT_BINARY_DIR}/tests/cuda_include ${PROJECT_SOURCE_DIR}/include)
    target_compile_options(kvc_cuda_session PRIVATE -Wall -Wextra -Wpedantic $<$<BOOL:${KVC_WERROR}>:-Werror>)
    target_link_libraries(kvc_cuda_session PRIVATE kvc_cuda kvc ${CMAKE_DL_LIBS})
    add_dependencies(kvc_cuda_session kvc_cuda_fake)
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/tests/fake_driver)
    file(CREATE_LINK ${PROJECT_BINARY_DIR}/tests/libkvc_cuda_fake.so ${PROJECT_BINARY_DIR}/tests/fake_driver/libcuda.so.1 SYMBOLIC)
    kvc_script(cuda/session_without_driver abi ${CMAKE_COMMAND} -E env KVC_CUDA_MODULE=$<TARGET_FILE:kvc_cuda>
      LD_LIBRARY_PATH=${PROJECT_BINARY_DIR}/tests/no_driver $<TARGET_FILE:kvc_cuda_session>)
    kvc_script(cuda/session_on_fake abi ${CMAKE_COMMAND} -E env KVC_CUDA_MODULE=$<TARGET_FILE:kvc_cuda>
      LD_LIBRARY_PATH=${PROJECT_BINARY_DIR}/tests/fake_driver $<TARGET_FILE:kvc_cuda_session> device)
    kvc_script(cuda/abi abi ${KVC_NVCC} -std=c++20 -I${PROJECT_SOURCE_DIR}/cuda -arch compute_75 -ptx
      -o ${CMAKE_CURRENT_BINARY_DIR}/cuda_abi.ptx ${CMAKE_CURRENT_LIST_DIR}/abi_check.cu)
    kvc_script(cuda/host abi $<TARGET_FILE:kvc_cuda_host>)
    kvc_script(cuda/module abi ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/check_module.py $<TARGET_FILE:kvc_cuda>
      ${KVC_CUDA_REPORT} ${CMAKE_CURRENT_LIST_DIR}/budgets.json "${program}")
  else()
    kvc_script(cuda/module abi ${CMAKE_COMMAND} -E env sh -c "echo 'SKIPPED: no nvcc, cuda/setup fetches it' && exit 77")
  endif()
endif()

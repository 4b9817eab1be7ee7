# Flags of single files of this room; included by src/CMakeLists.txt.

set(builtin "${CMAKE_CURRENT_SOURCE_DIR}/model/builtin")
set(weights "${builtin}/weights.bin")

# The weights of the built-in model are data of the library. A change of them alone makes the build configure and compile again.
file(SHA256 "${weights}" weights_sha256)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${weights}")
set_source_files_properties("${builtin}/embedded_weights.cpp" PROPERTIES
  COMPILE_DEFINITIONS "KVC_BUILTIN_WEIGHTS=\"${weights}\""
  OBJECT_DEPENDS "${weights}")
set_source_files_properties("${builtin}/builtin_backend.cpp" PROPERTIES
  COMPILE_DEFINITIONS "KVC_BUILTIN_WEIGHTS_SHA256=\"${weights_sha256}\"")

# Arithmetic is optimised in every kind of build: unoptimised it is a hundred times slower. No contraction: see kernels.h.
set(kernel_options -O3 -ffp-contract=off)
set_source_files_properties("${builtin}/kernels_baseline.cpp" PROPERTIES
  COMPILE_OPTIONS "${kernel_options};${KVC_SHARED_TEMPLATES}")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  list(APPEND kernel_options -mavx2 -mfma)
endif()
set_source_files_properties("${builtin}/kernels_avx2.cpp" PROPERTIES COMPILE_OPTIONS "${kernel_options}")
set_source_files_properties("${builtin}/rope.cpp" "${builtin}/decoder.cpp" "${builtin}/attention.cpp" PROPERTIES
  COMPILE_OPTIONS "-ffp-contract=off")

# Flags of single files of this room; included by src/CMakeLists.txt.

# Loops over bytes, written for the compiler to vectorise.
if(NOT KVC_SANITIZE)
  set_source_files_properties(tier/disk/frames.cpp PROPERTIES COMPILE_OPTIONS "-O3")
endif()
# The same checksum in another processor's instructions, chosen at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set_source_files_properties(tier/disk/checksum_avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2")
endif()

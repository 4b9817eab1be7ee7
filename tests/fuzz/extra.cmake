# Fuzzing needs clang, whatever compiler builds the rest: the library's files below the cache are compiled once more with it.
find_program(KVC_CLANGXX clang++)
mark_as_advanced(KVC_CLANGXX)
if(KVC_CLANGXX AND NOT KVC_SANITIZE)
  set(fuzz ${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
  foreach(target disk_store codec)
    kvc_script(fuzz/${target} fuzz ${fuzz}/run ${target} ${KVC_CLANGXX} ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${target})
  endforeach()
endif()

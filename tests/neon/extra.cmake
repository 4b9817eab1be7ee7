# Kernels of another processor, in an emulator: half a minute, once.
if(NOT KVC_SANITIZE)
  kvc_script(neon/kernels unit ${CMAKE_CURRENT_SOURCE_DIR}/neon/run ${CMAKE_CURRENT_BINARY_DIR}/neon)
endif()

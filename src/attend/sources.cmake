# Flags of single files of this room; included by src/CMakeLists.txt.

# Arithmetic is optimised in every kind of build; sums in arrays stay in registers only where loops are unrolled. No
# contraction: all instruction sets are to give the same codes. Under a sanitizer -O3 takes the compiler minutes over them.
set(kvc_kernel_optimisation -O3)
if(KVC_SANITIZE)
  set(kvc_kernel_optimisation -O1)
endif()
set_property(SOURCE attend/quantize.cpp attend/attention.cpp attend/attend_state.cpp attend/transform.cpp APPEND PROPERTY
  COMPILE_OPTIONS "${kvc_kernel_optimisation};-ffp-contract=off;-fno-tree-vectorize")

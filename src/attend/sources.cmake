# Flags of single files of this room; included by src/CMakeLists.txt.

# Arithmetic is optimised in every kind of build; sums in arrays stay in registers only where loops are unrolled. No contraction: all instruction sets are to give the same codes.
# Under a sanitizer -O3 takes the compiler minutes over them.
set_source_files_properties(attend/quantize.cpp attend/attention.cpp attend/attend_state.cpp PROPERTIES
  COMPILE_OPTIONS "$<IF:$<BOOL:${KVC_SANITIZE}>,-O1,-O3>;-ffp-contract=off;-fno-tree-vectorize")

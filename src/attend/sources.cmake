# Flags of single files of this room; included by src/CMakeLists.txt.

# Arithmetic is optimised in every kind of build; sums in arrays stay in registers only where loops are unrolled. No contraction: all instruction sets are to give the same codes.
set_source_files_properties(attend/quantize.cpp attend/attention.cpp attend/attend_state.cpp PROPERTIES
  COMPILE_OPTIONS "-O3;-ffp-contract=off;-fno-tree-vectorize")

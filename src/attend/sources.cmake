# Flags of single files of this room; included by src/CMakeLists.txt.

# Arithmetic is optimised in every kind of build. No contraction: all instruction sets are to give the same codes.
set_source_files_properties(attend/quantize.cpp attend/attention.cpp PROPERTIES
  COMPILE_OPTIONS "-O2;-ffp-contract=off;-fno-tree-vectorize")

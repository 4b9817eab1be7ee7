# Flags of single files of this room; included by src/CMakeLists.txt.

# Loops over channels, written for the compiler to vectorise. No contraction: every processor is to give the same codes.
set_source_files_properties(codec/klt.cpp codec/klt_bound.cpp codec/klt_check.cpp codec/klt_tile.cpp codec/klt_transform.cpp
  codec/klt_trial.cpp PROPERTIES
  COMPILE_OPTIONS "-O3;-ffp-contract=off")
# Eigen's assertions would abort the host program.
set_source_files_properties(codec/klt_bound.cpp codec/klt_check.cpp codec/eigenbasis.cpp codec/klt_learner.cpp codec/klt_trial.cpp codec/svd.cpp PROPERTIES
  COMPILE_DEFINITIONS "EIGEN_NO_DEBUG")

# Flags of single files of this room; included by src/CMakeLists.txt.

# Loops over channels, written for the compiler to vectorise. No contraction: every processor is to give the same codes.
set_property(SOURCE codec/klt.cpp codec/klt_bound.cpp codec/klt_check.cpp codec/klt_tile.cpp codec/klt_transform.cpp
  codec/klt_trial.cpp APPEND PROPERTY COMPILE_OPTIONS "-O3;-ffp-contract=off")
# Eigen's assertions would abort the host program. Its products are the same functions in all of these files, which the
# linker keeps once, but for copies that the compiler makes of them for one caller.
set_property(SOURCE codec/eigenbasis.cpp codec/klt_bound.cpp codec/klt_check.cpp codec/klt_learner.cpp
  codec/klt_trial.cpp codec/svd.cpp APPEND PROPERTY COMPILE_DEFINITIONS "EIGEN_NO_DEBUG")
set_property(SOURCE codec/eigenbasis.cpp codec/klt_bound.cpp codec/klt_check.cpp codec/klt_learner.cpp
  codec/klt_trial.cpp codec/svd.cpp APPEND PROPERTY COMPILE_OPTIONS ${KVC_SHARED_TEMPLATES})

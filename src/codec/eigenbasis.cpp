#include "codec/eigenbasis.h"

#include <Eigen/Eigenvalues>

namespace kvc {

bool find_eigenbasis(const Matrix& symmetric, Eigenbasis* out) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric);
  if (solver.info() != Eigen::Success) return false;
  // Ascending in Eigen.
  out->vectors = solver.eigenvectors().rowwise().reverse();
  out->values = solver.eigenvalues().reverse();
  return true;
}

}  // namespace kvc

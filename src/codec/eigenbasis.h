// Eigenvectors of symmetric matrices, by Eigen, which is compiled in one place: it is the largest piece of the library.
#pragma once

#include <Eigen/Core>

namespace kvc {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Eigenbasis {
  Matrix vectors;          // a column each
  Eigen::VectorXd values;  // the largest first
};

// False: there is none, as of numbers that are not finite. Throws std::bad_alloc.
bool find_eigenbasis(const Matrix& symmetric, Eigenbasis* out);

}  // namespace kvc

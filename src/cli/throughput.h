// How much several threads do together.
#pragma once

#include <functional>

namespace kvc::cli {

// Operations per second of n threads that repeat `operation(thread)` for `seconds`. Throws what an operation throws.
double throughput(unsigned threads, double seconds, const std::function<void(unsigned)>& operation);

// What the machine gives two threads over one: arithmetic that shares nothing. 2 where two cores are free.
double cpu_scaling(double seconds);

}  // namespace kvc::cli

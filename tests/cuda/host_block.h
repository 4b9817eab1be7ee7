// Kernel bodies on the host: what cuda/kernels/block.h says a block is, played by one thread.
//
// Each each() runs the threads of the block one after the other, in an order that a seed chooses anew every time. A
// body that needs a sync() it does not have gives results that depend on the seed. Shared memory is exactly as large as
// the launch asked for, on the heap, where a sanitizer sees its ends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "kernels/numbers.h"

namespace kvc_cuda {

class HostBlock {
 public:
  template <typename T>
  class Local {
   public:
    explicit Local(HostBlock& block) : values_(block.threads()) {}
    T& operator[](uint32_t thread) { return values_[thread]; }

   private:
    std::vector<T> values_;
  };

  HostBlock(uint32_t index, uint32_t blocks, uint32_t threads, unsigned char* shared, uint64_t seed)
      : index_(index), blocks_(blocks), threads_(threads), shared_(shared), state_(seed * 2 + 1) {}
  uint32_t index() const { return index_; }
  uint32_t blocks() const { return blocks_; }
  uint32_t threads() const { return threads_; }
  unsigned char* shared() const { return shared_; }
  void sync() {}

  // Products as mma.sync m16n8k16 lays them over a warp (PTX ISA, "Matrix fragments for mma.m16n8k16"). A device sums
  // in an order of its own, with more or fewer bits; here one after the other.
  template <class C, class A, class B>
  void mma(bool bf16, C&& c, A&& a, B&& b) {
    const auto number = [&](uint32_t word, uint32_t which) {
      const uint32_t bits = word >> (which * 16) & 0xffffu;
      return bf16 ? float_of(bits << 16) : f32_of_f16(bits);
    };
    for (uint32_t warp = 0; warp < threads_; warp += 32) {
      float left[16][16], right[16][8];
      for (uint32_t lane = 0; lane < 32; ++lane) {
        const uint32_t g = lane / 4, q = lane % 4;
        for (uint32_t e = 0; e < 2; ++e) {
          left[g][q * 2 + e] = number(a(warp + lane)[0], e);
          left[g + 8][q * 2 + e] = number(a(warp + lane)[1], e);
          left[g][q * 2 + 8 + e] = number(a(warp + lane)[2], e);
          left[g + 8][q * 2 + 8 + e] = number(a(warp + lane)[3], e);
          right[q * 2 + e][g] = number(b(warp + lane)[0], e);
          right[q * 2 + 8 + e][g] = number(b(warp + lane)[1], e);
        }
      }
      for (uint32_t lane = 0; lane < 32; ++lane) {
        float* to = c(warp + lane);
        for (uint32_t e = 0; e < 4; ++e) {
          const uint32_t row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
          for (uint32_t k = 0; k < 16; ++k) to[e] = to[e] + left[row][k] * right[k][column];
        }
      }
    }
  }
  template <class Get>
  void quad_max(Get&& get) {
    quads(get, [](float x, float y) { return y > x ? y : x; });
  }
  template <class Get>
  void quad_sum(Get&& get) {
    quads(get, [](float x, float y) { return x + y; });
  }
  template <typename Function>
  void each(Function&& function) {
    // A start and an odd step through a power of two: every thread once, in an order of its own.
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    uint32_t size = 1;
    while (size < threads_) size *= 2;
    const uint32_t step = static_cast<uint32_t>(state_ >> 40) | 1u, start = static_cast<uint32_t>(state_ >> 20);
    for (uint32_t i = 0; i < size; ++i) {
      const uint32_t thread = (start + i * step) & (size - 1);
      if (thread < threads_) function(thread);
    }
  }

 private:
  template <class Get, class Combine>
  void quads(Get&& get, Combine&& combine) {
    for (uint32_t e = 0; e < 2; ++e) {
      for (uint32_t by = 1; by < 4; by *= 2) {
        float before[32];
        for (uint32_t lane = 0; lane < 32; ++lane) before[lane] = get(lane)[e];
        for (uint32_t lane = 0; lane < 32; ++lane) get(lane)[e] = combine(before[lane], before[lane ^ by]);
      }
    }
  }
  uint32_t index_, blocks_, threads_;
  unsigned char* shared_;
  uint64_t state_;
};

// A launch: all blocks, in an order that the seed chooses.
template <typename Args, typename Body>
void run_on_host(uint32_t grid, uint32_t threads, uint32_t shared_bytes, const Args& args, uint64_t seed, Body&& body) {
  std::vector<uint32_t> order(grid);
  std::iota(order.begin(), order.end(), 0u);
  for (uint32_t i = grid; i > 1; --i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    std::swap(order[i - 1], order[(seed >> 33) % i]);
  }
  const auto shared = std::make_unique<float[]>((shared_bytes + 3) / 4);
  for (const uint32_t index : order) {
    // A device does not clear shared memory either.
    std::fill_n(shared.get(), (shared_bytes + 3) / 4, -7.0e33f);
    HostBlock block(index, grid, threads, reinterpret_cast<unsigned char*>(shared.get()), seed + index);
    body(block, args);
  }
}

}  // namespace kvc_cuda

// Eigenvectors of symmetric matrices, one block for each, by Jacobi's rotations: in a round every channel is in one
// pair (round-robin, Brent and Luk 1985), so that the pairs of a round do not touch each other. A fixed number of
// sweeps: Gram matrices of K/V rows are there after 7 to 8, to the last bits of a float after 10.
#pragma once

#include "kernels/numbers.h"

namespace kvc_cuda {

inline constexpr uint32_t kJacobiSweeps = 10;
inline constexpr uint32_t kJacobiThreads = 256;
inline constexpr uint32_t kJacobiDim = 512;  // largest matrix

struct JacobiArgs {
  float* gram = nullptr;           // [matrix][dim][dim]; destroyed
  float* vectors = nullptr;        // [matrix][dim][dim]: room, eigenvectors in columns
  unsigned char* basis = nullptr;  // [matrix][dim][rank] of `number`: those of the largest eigenvalues, in their order
  float* values = nullptr;         // [matrix][dim], largest first; may be null
  uint32_t matrices = 0, dim = 0, rank = 0;
  Number number = Number::f32;
};

// Which two channels pair i of a round has, of an even number of players: the last stays, the others go round.
KVC_BOTH void pair_of(uint32_t players, uint32_t round, uint32_t i, uint32_t* p, uint32_t* q) {
  const uint32_t turn = players - 1;
  const uint32_t a = i == 0 ? players - 1 : (round + i) % turn;
  const uint32_t b = (round + turn - i) % turn;
  *p = a < b ? a : b;
  *q = a < b ? b : a;
}

// Turns two numbers of a row, a column or an eigenvector.
KVC_BOTH void turn_pair(float c, float s, float* left, float* right) {
  const float x = *left, y = *right;
  *left = c * x - s * y;
  *right = s * x + c * y;
}

// Turns g, symmetric and n x n, until its diagonal has the eigenvalues; v gets the eigenvectors, in columns. turns: room for
// n + 1 floats, of shared memory. Begins and ends synchronised.
template <class Block>
KVC_BODY void turn_to_diagonal(Block& block, uint32_t n, float* g, float* v, float* turns) {
  const uint32_t players = n + n % 2, pairs = players / 2;
  block.each([&](uint32_t thread) {
    for (uint32_t i = thread; i < n * n; i += block.threads()) v[i] = i / n == i % n ? 1.0f : 0.0f;
  });
  block.sync();
  for (uint32_t sweep = 0; sweep < kJacobiSweeps; ++sweep) {
    for (uint32_t round = 0; round + 1 < players; ++round) {
      block.each([&](uint32_t thread) {
        for (uint32_t i = thread; i < pairs; i += block.threads()) {
          uint32_t p, q;
          pair_of(players, round, i, &p, &q);
          float c = 1.0f, s = 0.0f;
          if (q < n) {
            const float off = g[p * n + q], one = g[p * n + p], two = g[q * n + q];
            const float size = one < 0 ? -one : one, other = two < 0 ? -two : two, small = off < 0 ? -off : off;
            // Nothing to turn where it would change no bit.
            if (small > 0.0f && (small + size != size || small + other != other)) {
              const float angle = (two - one) / (2.0f * off);
              const float t =
                  (angle < 0 ? -1.0f : 1.0f) / ((angle < 0 ? -angle : angle) + root_of(angle * angle + 1.0f));
              c = 1.0f / root_of(t * t + 1.0f);
              s = t * c;
            }
          }
          turns[2 * i] = c, turns[2 * i + 1] = s;
        }
      });
      block.sync();
      // Rows, then columns and eigenvectors: all pairs at once.
      block.each([&](uint32_t thread) {
        for (uint32_t i = thread; i < pairs * n; i += block.threads()) {
          uint32_t p, q;
          pair_of(players, round, i / n, &p, &q);
          const float c = turns[2 * (i / n)], s = turns[2 * (i / n) + 1];
          if (q >= n || s == 0.0f) continue;
          const uint32_t k = i % n;
          turn_pair(c, s, &g[p * n + k], &g[q * n + k]);
        }
      });
      block.sync();
      block.each([&](uint32_t thread) {
        for (uint32_t i = thread; i < pairs * n; i += block.threads()) {
          uint32_t p, q;
          pair_of(players, round, i / n, &p, &q);
          const float c = turns[2 * (i / n)], s = turns[2 * (i / n) + 1];
          if (q >= n || s == 0.0f) continue;
          const uint32_t k = i % n;
          turn_pair(c, s, &g[k * n + p], &g[k * n + q]);
          turn_pair(c, s, &v[k * n + p], &v[k * n + q]);
        }
      });
      block.sync();
    }
  }
}

// A channel's place by its eigenvalue; of equals the first.
KVC_BOTH uint32_t place_of(const float* g, uint32_t n, uint32_t i) {
  const float own = g[i * n + i];
  uint32_t place = 0;
  for (uint32_t j = 0; j < n; ++j) {
    const float other = g[j * n + j];
    place += other > own || (other == own && j < i) ? 1 : 0;
  }
  return place;
}

template <class Block>
KVC_BODY void jacobi(Block& block, const JacobiArgs& a) {
  const uint32_t n = a.dim;
  float* g = a.gram + uint64_t{block.index()} * n * n;
  float* v = a.vectors + uint64_t{block.index()} * n * n;
  turn_to_diagonal(block, n, g, v, reinterpret_cast<float*>(block.shared()));
  block.each([&](uint32_t thread) {
    for (uint32_t i = thread; i < n; i += block.threads()) {
      const uint32_t place = place_of(g, n, i);
      if (a.values != nullptr) a.values[uint64_t{block.index()} * n + place] = g[i * n + i];
      if (place >= a.rank) continue;
      const uint32_t size = bytes_of(a.number);
      unsigned char* to = a.basis + (uint64_t{block.index()} * n * a.rank + place) * size;
      for (uint32_t k = 0; k < n; ++k) store_number(a.number, v[k * n + i], to + uint64_t{k} * a.rank * size);
    }
  });
}

}  // namespace kvc_cuda

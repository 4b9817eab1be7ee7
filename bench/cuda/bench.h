// `kvc bench cuda`: a device, memory on both sides, a clock, and the figures. What is measured is in a file of its own
// each: copies.cpp, codes.cpp, attention.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gpu.h"

namespace kvc_cuda {

using abi::DevicePtr;
using abi::Event;
using abi::Stream;

class Bench {
 public:
  // quick: small sizes, whose figures say nothing.
  Bench(std::shared_ptr<const Driver> driver, bool quick) : driver_(std::move(driver)), quick_(quick) {}
  ~Bench();

  // Measures everything.
  Status run();
  std::string json() const;
  void print() const;

 private:
  struct Figure {
    std::string key;
    double value;
    double least, goal;  // 0: none
    const char* unit;
    bool less_is_better = false;
  };

  // Sizes that are measured, or small ones.
  uint64_t size(uint64_t measured, uint64_t quick) const { return quick_ ? quick : measured; }

  void add(std::string key, double value, double least, double goal, const char* unit, bool less = false) {
    figures_.push_back({std::move(key), value, least, goal, unit, less});
  }

  Status start();
  // Device memory until the end.
  Status take(uint64_t bytes, DevicePtr* out);
  // The same with what lies at `from`.
  Status take_with(const void* from, uint64_t bytes, DevicePtr* out);
  // Seconds of one call on the device: the best of some rounds, each of `repeat` calls.
  Status time(int repeat, const std::function<Status(Stream)>& issue, double* seconds);
  // What was issued is done.
  Status drain();

  // copies.cpp
  Status peaks();
  // Fragments over the link, as the measured table routes them.
  Status links();
  Status moves();
  // How much slower a kernel gets while copies go on all the time.
  Status interference();
  Status peers();

  // codes.cpp. Pages of a model with 8 K/V heads of 128 numbers, 64 tokens, in the clear from a_ on.
  CodeArgs pages(uint32_t bits, uint32_t layers) const;
  // Where a's pages are encoded: `each` bytes from `coded` on; and where a kernel says which it refuses.
  Status place_codes(CodeArgs* a, DevicePtr coded, uint64_t each);
  Status check_encoded(const CodeArgs& a);
  void add_code(const char* name, const CodeArgs& a, uint64_t coded, double seconds, double least, double goal);
  Status codes();
  // Of the rows that codes() left, so many bytes.
  Status encode_klt(uint64_t bytes);
  Status encode_svd(uint64_t bytes);

  // attention.cpp. Seconds of attention of b sequences of n tokens; bytes: of K/V that it reads. kind: 0 as it is, else
  // bits of codes; 1: e4m3.
  Status attend_once(uint32_t b, uint32_t n, uint32_t group, int kind, double* seconds, double* bytes);
  // The same of pages of klt. Where codes lie are pages of others: only sizes count for time.
  Status attend_klt_once(uint32_t b, uint32_t n, uint32_t group, double* seconds);
  // Device memory for queries, results, and results of splits.
  Status take_attend_room(AttendArgs* a);
  Status attention();

  const std::shared_ptr<const Driver> driver_;
  const bool quick_;
  std::unique_ptr<Gpu> gpu_;
  std::string name_;
  std::vector<Figure> figures_;
  std::vector<DevicePtr> memory_;
  Event first_ = nullptr, last_ = nullptr;
  Stream other_ = nullptr;
  unsigned char* host_ = nullptr;
  uint64_t host_bytes_ = 0, large_ = 0;
  DevicePtr alias_ = 0, a_ = 0, b_ = 0;
  double hbm_ = 1, link_[2] = {1, 1};
};

}  // namespace kvc_cuda

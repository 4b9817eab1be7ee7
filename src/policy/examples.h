// Uses of pages that wait to be judged: was the page used again? A ring of fixed size in the order of time, found by
// key.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "policy/reuse_model.h"

namespace kvc {

class Examples {
 public:
  Examples() : ring_(kCapacity), heads_(kCapacity, kNone) {}

  // The page was used: if a use of it waits, that use was followed by one.
  void used(uint64_t key, uint32_t now, ReuseModel* model) noexcept {
    uint16_t* link = link_to(key);
    if (*link == kNone) return;
    Example& example = ring_[*link];
    model->learn_gap(features_of(example), example.time_class, now > example.time ? now - example.time : 0);
    example.returned = true;
    *link = example.next;
    example.key = 0;
    example.next = kNone;
  }

  void add(uint64_t key, uint32_t time, const Features& features, uint8_t time_class, ReuseModel* model) noexcept {
    if (*link_to(key) != kNone) return;
    const uint16_t place = end_;
    end_ = next_place(end_);
    for (uint32_t m = 0; m < ReuseModel::kModels; ++m) {
      if (due_[m] == end_) judge(m, model);  // the ring is full: the oldest is judged early
    }
    Example& example = ring_[place];
    if (example.key != 0) unlink(place);
    const uint64_t bits = features.bits();
    example = Example{tag_of(key), time, static_cast<uint32_t>(bits), static_cast<uint16_t>(bits >> 32), kNone,
                      static_cast<uint8_t>(bits >> 48), time_class, false};
    *link_to(key) = place;
  }

  // Judges those that have waited long enough.
  void expire(uint32_t now, ReuseModel* model) noexcept {
    for (uint32_t m = 0; m < ReuseModel::kModels; ++m) {
      const uint32_t patience = model->patience(m);
      if (patience == 0) continue;
      while (due_[m] != end_) {
        const uint32_t time = ring_[due_[m]].time;
        if (time > now || now - time <= patience) break;
        judge(m, model);
      }
    }
  }

 private:
  static constexpr uint16_t kCapacity = 8192;
  static constexpr uint16_t kNone = 0xffff;
  static_assert(kFeatures <= 14, "four bits each, in seven bytes");
  struct Example {
    uint32_t key = 0;  // a part of it; 0: none, or it was used again
    uint32_t time = 0;
    uint32_t features = 0;  // their lower bits
    uint16_t more_features = 0;
    uint16_t next = kNone;  // of the same hash
    uint8_t most_features = 0;
    uint8_t time_class = 0;
    bool returned = false;
  };
  static_assert(sizeof(Example) == 20);
  static Features features_of(const Example& example) noexcept {
    return Features::of_bits(uint64_t{example.most_features} << 48 | uint64_t{example.more_features} << 32 |
                             example.features);
  }

  uint16_t next_place(uint16_t place) const noexcept {
    return static_cast<uint16_t>((place + 1) % kCapacity);
  }
  static uint32_t tag_of(uint64_t key) noexcept {
    const auto tag = static_cast<uint32_t>(key ^ key >> 32);
    return tag == 0 ? 1 : tag;
  }
  uint16_t* link_to(uint64_t key) noexcept {
    const uint32_t tag = tag_of(key);
    uint16_t* link = &heads_[tag % kCapacity];
    while (*link != kNone && ring_[*link].key != tag) link = &ring_[*link].next;
    return link;
  }
  void unlink(uint16_t place) noexcept {
    uint16_t* link = &heads_[ring_[place].key % kCapacity];
    while (*link != place) link = &ring_[*link].next;
    *link = ring_[place].next;
  }
  void judge(uint32_t m, ReuseModel* model) noexcept {
    const Example& example = ring_[due_[m]];
    model->learn(m, features_of(example), example.time_class, example.returned);
    due_[m] = next_place(due_[m]);
  }

  std::vector<Example> ring_;
  std::vector<uint16_t> heads_;
  uint16_t end_ = 0;
  std::array<uint16_t, ReuseModel::kModels> due_{};
};

}  // namespace kvc

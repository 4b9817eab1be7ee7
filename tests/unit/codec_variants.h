// Every codec as it may be set up, a caller's included: for tests that hold for all of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "../toy_codec.h"
#include "codec/codec.h"
#include "codec/user.h"

namespace kvc {

inline const UserCodec& toy_user_codec() {
  static kvc_test::ToyCodec toy;
  static const UserCodec codec(toy.table());
  return codec;
}

// All that are registered, and a caller's.
inline std::vector<const Codec*> all_codecs() {
  std::vector<const Codec*> all(codecs().begin(), codecs().end());
  all.push_back(&toy_user_codec());
  return all;
}

struct CodecVariant {
  std::string name;
  const Codec* codec;
  EncodeOptions options;
};

// With options that make each do what it is for.
inline std::vector<CodecVariant> codec_variants() {
  std::vector<CodecVariant> all;
  for (const Codec* codec : all_codecs()) {
    CodecVariant variant{std::string(codec->name()), codec, {}};
    variant.options.exact_tokens = 4;
    if (codec->name() == "sparse") variant.options.sparse_keep = 0.5;
    if (codec->name() == "svd") variant.options.ratio = 0.3;
    all.push_back(variant);
  }
  CodecVariant fewest{"mixed_2_bits", find_codec("mixed"), {}};
  fewest.options.key_bits = fewest.options.value_bits = 2;
  all.push_back(fewest);
  return all;
}

inline void PrintTo(const CodecVariant& variant, std::ostream* os) { *os << variant.name; }

}  // namespace kvc

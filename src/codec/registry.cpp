// Every codec has its line here.
#include "codec/codec.h"

#define KVC_CODECS(X) X(identity) X(int8) X(int4) X(mixed) X(klt) X(lowrank) X(auto) X(sparse) X(svd)

namespace kvc {

#define KVC_DECLARE(name) const Codec* name##_codec() noexcept;
KVC_CODECS(KVC_DECLARE)
#undef KVC_DECLARE

std::span<const Codec* const> codecs() noexcept {
#define KVC_ENTRY(name) name##_codec(),
  static const Codec* const kCodecs[] = {KVC_CODECS(KVC_ENTRY)};
#undef KVC_ENTRY
  return kCodecs;
}

const Codec* find_codec(std::string_view name) noexcept {
  for (const Codec* codec : codecs()) {
    if (codec->name() == name) return codec;
  }
  return nullptr;
}

const Codec* find_codec(uint8_t id) noexcept {
  for (const Codec* codec : codecs()) {
    if (codec->id() == id) return codec;
  }
  return nullptr;
}

}  // namespace kvc

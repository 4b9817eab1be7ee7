// The header of encoded pages that say of themselves no more than how many of something they have.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "codec/codec.h"

namespace kvc {

struct PageHeader {
  uint32_t magic = 0;
  uint32_t tokens = 0;
  uint32_t count = 0;
  uint8_t zeros[52] = {};
};
static_assert(sizeof(PageHeader) == 64);

// KVC_E_CORRUPT: too few bytes, another magic or other tokens than the geometry's, or more than one of each token
// counted.
Status read_header(std::string_view codec, uint32_t magic, const PageGeometry& geometry,
                   std::span<const std::byte> encoded, PageHeader* out);

}  // namespace kvc

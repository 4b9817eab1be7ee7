// Where the rows lie that codec sparse keeps of a page.
#pragma once

#include <span>

#include "codec/codec.h"

namespace kvc {

// How many rows of each head an encoded page has, and how many bytes from its begin they lie: as a page in the clear of so
// many tokens. KVC_E_CORRUPT.
Status find_sparse_rows(const PageGeometry& geometry, std::span<const std::byte> encoded, uint32_t* kept, size_t* at);

}  // namespace kvc

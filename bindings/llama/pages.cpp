#include "pages.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "failure.h"
#include "llama_abi.h"

namespace kvc_llama {
namespace {

constexpr uint32_t kMostHeads = 1024, kLongestHead = 8192;

int32_t plain_dtype(int32_t type) {
  switch (type) {
    case kTypeF32:
      return KVC_F32;
    case kTypeF16:
      return KVC_F16;
    case kTypeBf16:
      return KVC_BF16;
    default:
      return 0;
  }
}

uint32_t element_bytes(int32_t dtype) { return dtype == KVC_F32 ? 4 : dtype == KVC_U8 ? 1 : 2; }

// Heads into which rows of a and of b divide, both of at most kLongestHead. 0: none.
uint32_t heads_for(uint64_t a, uint64_t b) {
  for (uint32_t heads = 1; heads <= kMostHeads; ++heads) {
    if (a % heads == 0 && b % heads == 0 && a / heads <= kLongestHead && b / heads <= kLongestHead) return heads;
  }
  return 0;
}

void flatten(const BlobShape& shape, std::vector<Rows>* k, std::vector<Rows>* v, std::vector<bool>* v_transposed) {
  for (const CacheShape& cache : shape.caches) {
    k->insert(k->end(), cache.k.begin(), cache.k.end());
    v->insert(v->end(), cache.v.begin(), cache.v.end());
    v_transposed->insert(v_transposed->end(), cache.v.size(), cache.transposed);
  }
}

// rows x columns elements into columns x rows. In squares, so that both sides stay in the cache.
template <typename T>
void transpose_elements(const std::byte* from, std::byte* to, size_t rows, size_t columns) {
  constexpr size_t kSquare = 32;
  for (size_t r0 = 0; r0 < rows; r0 += kSquare) {
    for (size_t c0 = 0; c0 < columns; c0 += kSquare) {
      for (size_t r = r0; r < std::min(rows, r0 + kSquare); ++r) {
        for (size_t c = c0; c < std::min(columns, c0 + kSquare); ++c) {
          std::memcpy(to + (c * rows + r) * sizeof(T), from + (r * columns + c) * sizeof(T), sizeof(T));
        }
      }
    }
  }
}

void transpose_plane(const std::byte* from, std::byte* to, size_t rows, size_t columns, size_t element) {
  if (element == 2) return transpose_elements<uint16_t>(from, to, rows, columns);
  if (element == 4) return transpose_elements<uint32_t>(from, to, rows, columns);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c)
      std::memcpy(to + (c * rows + r) * element, from + (r * columns + c) * element, element);
  }
}

kvc_tensor_t tensor(std::byte* data, int32_t dtype, uint32_t n, uint32_t heads, uint32_t dim, size_t token_elements) {
  kvc_tensor_t t{};
  t.struct_size = sizeof t;
  t.data = data;
  t.dtype = dtype;
  t.n_dims = 3;
  t.shape[0] = n;
  t.shape[1] = heads;
  t.shape[2] = dim;
  t.strides[0] = static_cast<int64_t>(token_elements);
  t.strides[1] = dim;
  t.strides[2] = 1;
  t.size = ((n - 1) * token_elements + size_t{heads} * dim) * element_bytes(dtype);
  return t;
}

}  // namespace

bool page_layout(const BlobShape& shape, uint32_t heads, PageLayout* out) {
  std::vector<Rows> k, v;
  std::vector<bool> transposed;
  flatten(shape, &k, &v, &transposed);
  PageLayout layout;
  const bool alike = k.size() == v.size() && std::equal(k.begin() + 1, k.end(), k.begin()) &&
                     std::equal(v.begin() + 1, v.end(), v.begin());
  if (alike) {
    layout.n_layers = static_cast<uint32_t>(k.size());
    layout.dtype = k[0].type == v[0].type ? plain_dtype(k[0].type) : 0;
    if (layout.dtype != 0) {
      const uint64_t element = element_bytes(layout.dtype);
      const uint64_t k_elements = k[0].row_bytes / element, v_elements = v[0].row_bytes / element;
      const bool divides = heads > 0 && heads <= kMostHeads && k_elements % heads == 0 && v_elements % heads == 0 &&
                           k_elements / heads <= kLongestHead && v_elements / heads <= kLongestHead;
      layout.n_heads = divides ? heads : heads_for(k_elements, v_elements);
      if (layout.n_heads == 0) return false;
      layout.k_dim = static_cast<uint32_t>(k_elements / layout.n_heads);
      layout.v_dim = static_cast<uint32_t>(v_elements / layout.n_heads);
    } else {
      // One head if it may be so long: its rows then lie together, whatever the model's heads are.
      layout.kind = PageLayout::Kind::bytes;
      layout.dtype = KVC_U8;
      layout.n_heads = heads_for(k[0].row_bytes, v[0].row_bytes);
      if (layout.n_heads == 0) return false;
      layout.k_dim = static_cast<uint32_t>(k[0].row_bytes / layout.n_heads);
      layout.v_dim = static_cast<uint32_t>(v[0].row_bytes / layout.n_heads);
    }
  } else {
    layout.kind = PageLayout::Kind::mixed;
    layout.dtype = KVC_U8;
    layout.n_layers = 1;
    const uint64_t half = shape.token_bytes() / 2;
    if (half == 0 || shape.token_bytes() % 2 != 0) return false;
    layout.n_heads = heads_for(half, half);
    if (layout.n_heads == 0) return false;
    layout.k_dim = layout.v_dim = static_cast<uint32_t>(half / layout.n_heads);
  }
  *out = layout;
  return layout.n_layers <= 1024;
}

PageCopier::PageCopier(const kvc_module_host_t* host, BlobShape shape, PageLayout layout)
    : host_(host), shape_(std::move(shape)), layout_(layout) {
  flatten(shape_, &k_, &v_, &v_transposed_);
  transposed_ = std::find(v_transposed_.begin(), v_transposed_.end(), true) != v_transposed_.end();
}

// Tensors over the rows of a blob, or over the buffer where rows do not lie as kvc takes them.
void PageCopier::describe(const BlobRows& rows, bool reading) {
  const uint32_t n = rows.cells;
  k_tensors_.clear();
  v_tensors_.clear();
  if (layout_.kind == PageLayout::Kind::mixed) {
    const size_t row = shape_.token_bytes();
    buffer_.resize(row * n);
    if (!reading) mix(rows, false);
    k_tensors_.push_back(tensor(buffer_.data(), KVC_U8, n, layout_.n_heads, layout_.k_dim, row));
    v_tensors_.push_back(tensor(buffer_.data() + row / 2, KVC_U8, n, layout_.n_heads, layout_.v_dim, row));
    return;
  }
  const size_t v_row = v_[0].row_bytes;
  if (transposed_) buffer_.resize(v_row * n * v_.size());
  if (transposed_ && !reading) transpose(rows, false);
  for (size_t layer = 0; layer < k_.size(); ++layer) {
    std::byte* v = v_transposed_[layer] ? buffer_.data() + layer * v_row * n : rows.v[layer];
    k_tensors_.push_back(tensor(rows.k[layer], layout_.dtype, n, layout_.n_heads, layout_.k_dim,
                                size_t{layout_.n_heads} * layout_.k_dim));
    v_tensors_.push_back(
        tensor(v, layout_.dtype, n, layout_.n_heads, layout_.v_dim, size_t{layout_.n_heads} * layout_.v_dim));
  }
}

void PageCopier::transpose(const BlobRows& rows, bool into_blob) {
  const size_t n = rows.cells;
  for (size_t layer = 0; layer < v_.size(); ++layer) {
    if (!v_transposed_[layer]) continue;
    const Rows& plane = v_[layer];
    const size_t element = plane.row_bytes / plane.channels;
    std::byte* staged = buffer_.data() + layer * plane.row_bytes * n;
    if (into_blob) {
      transpose_plane(staged, rows.v[layer], n, plane.channels, element);
    } else {
      transpose_plane(rows.v[layer], staged, plane.channels, n, element);
    }
  }
}

// Between the rows of a blob and the buffer [token][rows of all layers].
void PageCopier::mix(const BlobRows& rows, bool into_blob) {
  const size_t n = rows.cells, token = shape_.token_bytes();
  size_t offset = 0;
  const auto move = [&](const Rows& plane, std::byte* data, bool transposed) {
    const size_t element = transposed ? plane.row_bytes / plane.channels : plane.row_bytes;
    const size_t parts = transposed ? plane.channels : 1;
    for (size_t part = 0; part < parts; ++part) {
      for (size_t t = 0; t < n; ++t) {
        std::byte* in_blob = data + (part * n + t) * element;
        std::byte* mixed = buffer_.data() + t * token + offset + part * element;
        std::memcpy(into_blob ? in_blob : mixed, into_blob ? mixed : in_blob, element);
      }
    }
    offset += plane.row_bytes;
  };
  for (size_t i = 0; i < k_.size(); ++i) move(k_[i], rows.k[i], false);
  for (size_t i = 0; i < v_.size(); ++i) move(v_[i], rows.v[i], v_transposed_[i]);
}

void PageCopier::fail_as(kvc_session_t* session, kvc_status_t status, const char* what) const {
  char words[512] = {};
  host_->session_last_error(session, words, sizeof words);
  fail(status, "%s: %s", what, words[0] != 0 ? words : "no reason given");
}

void PageCopier::read(kvc_session_t* session, size_t from, const BlobRows& rows) {
  describe(rows, true);
  const kvc_status_t status = host_->session_read_all(session, from, rows.cells, k_tensors_.data(), v_tensors_.data(),
                                                      static_cast<uint32_t>(k_tensors_.size()));
  if (status != KVC_OK) fail_as(session, status, "reading K/V from the cache failed");
  if (layout_.kind == PageLayout::Kind::mixed) {
    mix(rows, true);
  } else if (transposed_) {
    transpose(rows, true);
  }
}

void PageCopier::append(kvc_session_t* session, const BlobRows& rows) {
  describe(rows, false);
  const kvc_status_t status = host_->session_append_all(session, k_tensors_.data(), v_tensors_.data(),
                                                        static_cast<uint32_t>(k_tensors_.size()), rows.cells);
  if (status != KVC_OK) fail_as(session, status, "storing K/V in the cache failed");
}

void sort_rows(const BlobShape& shape, const std::vector<int32_t>& positions, const BlobRows& rows,
               std::vector<std::byte>* scratch) {
  if (std::is_sorted(positions.begin(), positions.end())) return;
  std::vector<uint32_t> order(positions.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return positions[a] < positions[b]; });
  // `parts` runs of one element for each cell.
  const auto arrange = [&](std::byte* data, size_t element, size_t parts) {
    const size_t run = element * order.size();
    scratch->resize(run);
    for (size_t part = 0; part < parts; ++part, data += run) {
      for (size_t i = 0; i < order.size(); ++i) {
        std::memcpy(scratch->data() + i * element, data + order[i] * element, element);
      }
      std::memcpy(data, scratch->data(), run);
    }
  };
  size_t layer = 0, value = 0;
  for (const CacheShape& cache : shape.caches) {
    for (const Rows& plane : cache.k) arrange(rows.k[layer++], plane.row_bytes, 1);
    for (const Rows& plane : cache.v) {
      const bool transposed = cache.transposed;
      arrange(rows.v[value++], transposed ? plane.row_bytes / plane.channels : plane.row_bytes,
              transposed ? plane.channels : 1);
    }
  }
}

}  // namespace kvc_llama

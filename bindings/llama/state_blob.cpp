#include "state_blob.h"

#include <cstring>

namespace kvc_llama {
namespace {

constexpr uint32_t kMagic = 0xaf143cd8;
constexpr size_t kCellBytes = 12, kRowsHeader = 12, kMostLayers = 4096;
constexpr size_t kMostCaches = 8;

// Reads from the front of bytes; stays failed once they are too few.
class Reader {
 public:
  explicit Reader(std::span<std::byte> bytes) : at_(bytes.data()), left_(bytes.size()) {}

  template <typename T>
  T number() {
    T value{};
    if (const std::byte* from = take(sizeof value); from != nullptr) std::memcpy(&value, from, sizeof value);
    return value;
  }
  // nullptr: there are not so many.
  std::byte* take(uint64_t n) {
    if (failed_ || n > left_) {
      failed_ = true;
      return nullptr;
    }
    std::byte* from = at_;
    at_ += n;
    left_ -= n;
    return from;
  }
  // a * b bytes without overflow.
  std::byte* take(uint64_t a, uint64_t b) {
    if (b != 0 && a > left_ / b) {
      failed_ = true;
      return nullptr;
    }
    return take(a * b);
  }
  bool failed() const { return failed_; }
  size_t left() const { return left_; }

 private:
  std::byte* at_;
  size_t left_;
  bool failed_ = false;
};

template <typename T>
std::byte* put(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

// Sequential reading of one cache. `known` nullptr: the shape is learned into *shape.
class CacheReader {
 public:
  CacheReader(Reader* in, const CacheShape* known, bool first, CacheShape* shape, BlobRows* rows,
              std::vector<int32_t>* positions)
      : in_(*in), known_(known), first_(first), shape_(shape), rows_(rows), positions_(positions) {}

  // nullptr, or what is wrong.
  const char* read() {
    if (in_.number<uint32_t>() != 1 || in_.failed()) return "it does not have one stream";
    const auto cells = in_.number<uint32_t>();
    if (cells == 0 || in_.failed()) return "it has no cells";
    if (!first_ && cells != rows_->cells) return "its caches differ in their numbers of cells";
    if (const char* wrong = read_cells(cells); wrong != nullptr) return wrong;
    rows_->cells = cells;
    const auto transposed = in_.number<uint32_t>();
    const auto layers = in_.number<uint32_t>();
    if (in_.failed() || transposed > 1 || layers == 0 || layers > kMostLayers) return "its layers are out of range";
    if (known_ != nullptr && (transposed != 0) != known_->transposed) return "its values are laid out in another way";
    if (known_ != nullptr && layers != known_->k.size()) return "it has another number of layers";
    if (shape_ != nullptr) shape_->transposed = transposed != 0;
    for (uint32_t i = 0; i < layers; ++i) {
      if (!read_rows(cells, false, i, KeyOrValue::key)) return "its keys are not as they must be";
    }
    const size_t values = known_ != nullptr ? known_->v.size() : in_.left() == 0 ? 0 : layers;
    for (uint32_t i = 0; i < values; ++i) {
      if (!read_rows(cells, transposed != 0, i, KeyOrValue::value)) return "its values are not as they must be";
    }
    return nullptr;
  }

 private:
  enum class KeyOrValue { key, value };

  const char* read_cells(uint32_t cells) {
    const std::byte* meta = in_.take(cells, kCellBytes);
    if (meta == nullptr) return "it is cut off in its cells";
    if (first_) positions_->resize(cells);
    for (uint32_t i = 0; i < cells; ++i, meta += kCellBytes) {
      int32_t position;
      uint32_t sequences;
      std::memcpy(&position, meta, 4);
      std::memcpy(&sequences, meta + 4, 4);
      if (position < 0 || sequences != 1) return "a cell is not of one sequence";
      if (first_) {
        (*positions_)[i] = position;
      } else if ((*positions_)[i] != position) {
        return "its caches differ in their cells";
      }
    }
    return nullptr;
  }

  bool read_rows(uint32_t cells, bool transposed, uint32_t i, KeyOrValue plane) {
    Rows rows;
    rows.type = in_.number<int32_t>();
    std::byte* data = nullptr;
    if (transposed) {
      const auto element = in_.number<uint32_t>();
      rows.channels = in_.number<uint32_t>();
      rows.row_bytes = uint64_t{element} * rows.channels;
    } else {
      rows.row_bytes = in_.number<uint64_t>();
    }
    if (in_.failed() || rows.row_bytes == 0) return false;
    data = in_.take(rows.row_bytes, cells);
    if (data == nullptr) return false;
    if (known_ != nullptr) {
      if (!(rows == (plane == KeyOrValue::key ? known_->k : known_->v)[i])) return false;
    } else {
      (plane == KeyOrValue::key ? shape_->k : shape_->v).push_back(rows);
    }
    (plane == KeyOrValue::key ? rows_->k : rows_->v).push_back(data);
    return true;
  }

  Reader& in_;
  const CacheShape* known_;
  const bool first_;
  CacheShape* shape_;
  BlobRows* rows_;
  std::vector<int32_t>* positions_;
};

bool parse(std::span<std::byte> bytes, const BlobShape* known, BlobShape* shape, BlobRows* rows,
           std::vector<int32_t>* positions, std::string* why) {
  rows->cells = 0;
  rows->k.clear();
  rows->v.clear();
  Reader in(bytes);
  const auto magic = in.number<uint32_t>();
  (void)in.number<int32_t>();
  const char* wrong = in.failed() || magic != kMagic ? "it does not begin as a state of llama.cpp does" : nullptr;
  size_t n = 0;
  for (; wrong == nullptr && in.left() > 0; ++n) {
    if (n >= (known != nullptr ? known->caches.size() : kMostCaches)) {
      wrong = "there is more of it than there must be";
      break;
    }
    CacheShape* learned = shape != nullptr ? &shape->caches.emplace_back() : nullptr;
    wrong = CacheReader(&in, known != nullptr ? &known->caches[n] : nullptr, n == 0, learned, rows, positions).read();
  }
  if (wrong == nullptr && (n == 0 || (known != nullptr && n != known->caches.size())))
    wrong = "there is too little of it";
  if (wrong == nullptr) return true;
  *why = std::string("the state is not what this module knows: ") + wrong;
  return false;
}

}  // namespace

size_t BlobShape::blob_bytes(uint32_t cells) const noexcept {
  size_t bytes = 8;
  for (const CacheShape& cache : caches)
    bytes += 16 + size_t{cells} * kCellBytes + kRowsHeader * (cache.k.size() + cache.v.size());
  return bytes + token_bytes() * cells;
}

uint64_t BlobShape::token_bytes() const noexcept {
  uint64_t bytes = 0;
  for (const CacheShape& cache : caches) {
    for (const Rows& rows : cache.k) bytes += rows.row_bytes;
    for (const Rows& rows : cache.v) bytes += rows.row_bytes;
  }
  return bytes;
}

bool parse_blob(std::span<std::byte> bytes, BlobShape* shape, BlobRows* rows, std::vector<int32_t>* positions,
                std::string* why) {
  BlobShape learned;
  if (!parse(bytes, nullptr, &learned, rows, positions, why)) return false;
  *shape = std::move(learned);
  return true;
}

bool parse_known(std::span<std::byte> bytes, const BlobShape& shape, BlobRows* rows, std::vector<int32_t>* positions,
                 std::string* why) {
  return parse(bytes, &shape, nullptr, rows, positions, why);
}

void build_blob(const BlobShape& shape, uint32_t cells, int32_t from, std::span<std::byte> bytes, BlobRows* rows) {
  rows->cells = cells;
  rows->k.clear();
  rows->v.clear();
  std::byte* at = put(put(bytes.data(), kMagic), int32_t{0});
  for (const CacheShape& cache : shape.caches) {
    at = put(put(at, uint32_t{1}), cells);
    for (uint32_t i = 0; i < cells; ++i) {
      at = put(put(put(at, from + static_cast<int32_t>(i)), uint32_t{1}), int32_t{0});
    }
    at = put(put(at, static_cast<uint32_t>(cache.transposed)), static_cast<uint32_t>(cache.k.size()));
    for (const Rows& plane : cache.k) {
      at = put(put(at, plane.type), plane.row_bytes);
      rows->k.push_back(at);
      at += plane.row_bytes * cells;
    }
    for (const Rows& plane : cache.v) {
      at = put(at, plane.type);
      if (cache.transposed) {
        at = put(put(at, static_cast<uint32_t>(plane.row_bytes / plane.channels)), plane.channels);
      } else {
        at = put(at, plane.row_bytes);
      }
      rows->v.push_back(at);
      at += plane.row_bytes * cells;
    }
  }
}

}  // namespace kvc_llama

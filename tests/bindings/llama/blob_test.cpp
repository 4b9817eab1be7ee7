// The reader and the builder of llama.cpp's states: what is built is read back, and no bytes harm the reader.
#include "state_blob.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "llama_abi.h"
#include "pages.h"

namespace kvc_llama {
namespace {

CacheShape cache_of(uint32_t layers, uint64_t k_bytes, uint64_t v_bytes, bool transposed, bool values = true) {
  CacheShape cache;
  cache.transposed = transposed;
  for (uint32_t i = 0; i < layers; ++i) {
    cache.k.push_back({kTypeF16, k_bytes, 0});
    if (values) cache.v.push_back({kTypeF16, v_bytes, transposed ? static_cast<uint32_t>(v_bytes / 2) : 0});
  }
  return cache;
}

std::vector<BlobShape> shapes() {
  return {{{cache_of(3, 64, 64, false)}},
          {{cache_of(2, 64, 32, true)}},
          {{cache_of(2, 64, 64, false), cache_of(3, 64, 64, false)}},
          {{cache_of(1, 96, 0, false, false)}},
          {{cache_of(2, 34, 18, false)}}};
}

// A blob with rows of random bytes.
std::vector<std::byte> build(const BlobShape& shape, uint32_t cells, int32_t from, uint32_t seed) {
  std::vector<std::byte> bytes(shape.blob_bytes(cells));
  std::mt19937 random(seed);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  BlobRows rows;
  build_blob(shape, cells, from, bytes, &rows);
  return bytes;
}

TEST(StateBlob, WhatIsBuiltIsReadBack) {
  for (const BlobShape& shape : shapes()) {
    for (const uint32_t cells : {1u, 2u, 17u, 100u}) {
      std::vector<std::byte> bytes = build(shape, cells, 40, cells);
      BlobShape learned;
      BlobRows rows, built;
      std::vector<int32_t> positions;
      std::string why;
      ASSERT_TRUE(parse_blob(bytes, &learned, &rows, &positions, &why)) << why;
      EXPECT_EQ(learned, shape);
      ASSERT_EQ(rows.cells, cells);
      for (uint32_t i = 0; i < cells; ++i) EXPECT_EQ(positions[i], static_cast<int32_t>(40 + i));
      const std::vector<std::byte> before = bytes;
      build_blob(shape, cells, 40, bytes, &built);
      EXPECT_EQ(bytes, before) << "building touches no row";
      EXPECT_EQ(rows.k, built.k);
      EXPECT_EQ(rows.v, built.v);
      EXPECT_TRUE(parse_known(bytes, shape, &rows, &positions, &why)) << why;
    }
  }
}

TEST(StateBlob, EveryCutIsRefused) {
  for (const BlobShape& shape : shapes()) {
    const std::vector<std::byte> bytes = build(shape, 5, 0, 1);
    for (size_t n = 0; n < bytes.size(); ++n) {
      std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      BlobRows rows;
      std::vector<int32_t> positions;
      std::string why;
      EXPECT_FALSE(parse_known(cut, shape, &rows, &positions, &why)) << n;
      EXPECT_FALSE(why.empty());
    }
    std::vector<std::byte> longer = bytes;
    longer.push_back(std::byte{0});
    BlobRows rows;
    std::vector<int32_t> positions;
    std::string why;
    EXPECT_FALSE(parse_known(longer, shape, &rows, &positions, &why));
  }
}

TEST(StateBlob, AnotherShapeIsRefused) {
  const std::vector<BlobShape> all = shapes();
  for (size_t a = 0; a < all.size(); ++a) {
    for (size_t b = 0; b < all.size(); ++b) {
      std::vector<std::byte> bytes = build(all[a], 4, 0, 1);
      BlobRows rows;
      std::vector<int32_t> positions;
      std::string why;
      EXPECT_EQ(parse_known(bytes, all[b], &rows, &positions, &why), a == b) << a << " " << b;
    }
  }
}

// Hostile bytes: each word of the head, and words anywhere, replaced by what hurts. The reader returns, and what it
// accepts lies within the bytes.
TEST(StateBlob, NoBytesLeadTheReaderAstray) {
  const uint32_t words[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 1u << 20, 12, 4096, 4097};
  std::mt19937 random(1);
  const int rounds = std::getenv("KVC_TEST_QUICK") != nullptr ? 2000 : 20000;
  for (const BlobShape& shape : shapes()) {
    const std::vector<std::byte> sound = build(shape, 3, 0, 1);
    for (int round = 0; round < rounds; ++round) {
      std::vector<std::byte> bytes = sound;
      for (size_t changes = 1 + random() % 3; changes > 0; --changes) {
        const uint32_t word = random() % 4 == 0 ? random() : words[random() % std::size(words)];
        const size_t room = random() % 2 == 0 ? 80 : bytes.size();
        std::memcpy(bytes.data() + random() % (std::min(room, bytes.size()) - 3), &word, 4);
      }
      if (random() % 4 == 0) bytes.resize(random() % bytes.size());
      BlobShape learned;
      BlobRows rows;
      std::vector<int32_t> positions;
      std::string why;
      if (!parse_blob(bytes, &learned, &rows, &positions, &why)) continue;
      size_t plane = 0, value = 0;
      const auto within = [&](const std::byte* data, uint64_t row) {
        return data >= bytes.data() && data + row * rows.cells <= bytes.data() + bytes.size();
      };
      for (const CacheShape& cache : learned.caches) {
        for (const Rows& r : cache.k) EXPECT_TRUE(within(rows.k.at(plane++), r.row_bytes));
        for (const Rows& r : cache.v) EXPECT_TRUE(within(rows.v.at(value++), r.row_bytes));
      }
      EXPECT_LE(positions.size() * 12, bytes.size());
    }
  }
}

TEST(StateBlob, RowsAreBroughtIntoTheOrderOfPositions) {
  const BlobShape shape{{cache_of(2, 4, 4, false), cache_of(1, 4, 4, true)}};
  std::vector<std::byte> bytes(shape.blob_bytes(3));
  BlobRows rows;
  build_blob(shape, 3, 0, bytes, &rows);
  const std::vector<int32_t> positions = {7, 5, 6};
  for (std::byte* plane : {rows.k[0], rows.k[1], rows.k[2], rows.v[0], rows.v[1]}) {
    for (int cell = 0; cell < 3; ++cell) std::memset(plane + 4 * cell, positions[static_cast<size_t>(cell)], 4);
  }
  for (int channel = 0; channel < 2; ++channel) {
    for (int cell = 0; cell < 3; ++cell) {
      std::memset(rows.v[2] + (channel * 3 + cell) * 2, positions[static_cast<size_t>(cell)], 2);
    }
  }
  std::vector<std::byte> room;
  sort_rows(shape, positions, rows, &room);
  for (std::byte* plane : {rows.k[0], rows.k[1], rows.k[2], rows.v[0], rows.v[1]}) {
    for (int i = 0; i < 12; ++i) EXPECT_EQ(static_cast<int>(plane[i]), 5 + i / 4);
  }
  for (int i = 0; i < 12; ++i) EXPECT_EQ(static_cast<int>(rows.v[2][i]), 5 + i / 2 % 3);
}

TEST(PageLayoutTest, SeesTheModelsHeadsOrOpaqueBytes) {
  PageLayout layout;
  ASSERT_TRUE(page_layout({{cache_of(4, 384, 384, false)}}, 3, &layout));
  EXPECT_EQ(layout.kind, PageLayout::Kind::plain);
  EXPECT_EQ(layout.n_layers, 4u);
  EXPECT_EQ(layout.n_heads, 3u);
  EXPECT_EQ(layout.k_dim, 64u);
  EXPECT_EQ(layout.dtype, KVC_F16);

  BlobShape quantised{{cache_of(4, 204, 204, false)}};
  for (Rows& r : quantised.caches[0].k) r.type = kTypeQ8_0;
  for (Rows& r : quantised.caches[0].v) r.type = kTypeQ8_0;
  ASSERT_TRUE(page_layout(quantised, 3, &layout));
  EXPECT_EQ(layout.kind, PageLayout::Kind::bytes);
  EXPECT_EQ(layout.dtype, KVC_U8);
  EXPECT_EQ(layout.n_heads * layout.k_dim, 204u);

  // Layers that differ, and values that are none.
  ASSERT_TRUE(page_layout({{cache_of(2, 64, 64, false), cache_of(2, 128, 64, false)}}, 2, &layout));
  EXPECT_EQ(layout.kind, PageLayout::Kind::mixed);
  EXPECT_EQ(layout.n_layers, 1u);
  EXPECT_EQ(layout.n_heads * (layout.k_dim + layout.v_dim), 640u);
  ASSERT_TRUE(page_layout({{cache_of(1, 96, 0, false, false)}}, 2, &layout));
  EXPECT_EQ(layout.kind, PageLayout::Kind::mixed);
}

// A session that is a plain array: what is appended is what is read, whatever the layout.
struct Memory {
  std::vector<std::vector<std::byte>> k, v;  // by layer
  uint32_t element = 1;
};
Memory* g_memory = nullptr;

size_t row_of(const kvc_tensor_t& t, uint32_t element) {
  return static_cast<size_t>(t.shape[1] * t.shape[2]) * element;
}

void move(const kvc_tensor_t& t, std::vector<std::byte>* plane, size_t from, bool reading, uint32_t element) {
  const size_t row = row_of(t, element);
  for (int64_t i = 0; i < t.shape[0]; ++i) {
    auto* at = static_cast<std::byte*>(t.data) + i * t.strides[0] * element;
    if (reading) {
      std::memcpy(at, plane->data() + (from + static_cast<size_t>(i)) * row, row);
    } else {
      plane->insert(plane->end(), at, at + row);
    }
  }
}

TEST(PageCopierTest, GivesBackWhatItWasGiven) {
  static const kvc_module_host_t host = {
      sizeof host,
      [](kvc_session_t*, const kvc_tensor_t* k, const kvc_tensor_t* v, uint32_t n, size_t) -> kvc_status_t {
        g_memory->k.resize(n);
        g_memory->v.resize(n);
        for (uint32_t i = 0; i < n; ++i) {
          move(k[i], &g_memory->k[i], 0, false, g_memory->element);
          move(v[i], &g_memory->v[i], 0, false, g_memory->element);
        }
        return KVC_OK;
      },
      [](kvc_session_t*, size_t from, size_t, const kvc_tensor_t* k, const kvc_tensor_t* v,
         uint32_t n) -> kvc_status_t {
        for (uint32_t i = 0; i < n; ++i) {
          move(k[i], &g_memory->k[i], from, true, g_memory->element);
          move(v[i], &g_memory->v[i], from, true, g_memory->element);
        }
        return KVC_OK;
      },
      nullptr, nullptr};
  std::vector<BlobShape> all = shapes();
  all.push_back({{cache_of(2, 64, 64, false), cache_of(2, 128, 64, false)}});
  all.push_back({{cache_of(2, 64, 64, true), cache_of(1, 128, 64, true)}});
  all.push_back({{cache_of(3, 64, 64, true)}});
  for (const BlobShape& shape : all) {
    PageLayout layout;
    ASSERT_TRUE(page_layout(shape, 2, &layout));
    PageCopier copier(&host, shape, layout);
    Memory memory;
    memory.element = layout.dtype == KVC_U8 ? 1 : 2;
    g_memory = &memory;
    // Two pieces in, one out.
    std::vector<std::byte> a = build(shape, 5, 0, 1), b = build(shape, 40, 5, 2), out = build(shape, 30, 3, 3);
    BlobRows rows;
    std::vector<int32_t> positions;
    std::string why;
    ASSERT_TRUE(parse_known(a, shape, &rows, &positions, &why)) << why;
    copier.append(nullptr, rows);
    ASSERT_TRUE(parse_known(b, shape, &rows, &positions, &why)) << why;
    copier.append(nullptr, rows);
    ASSERT_TRUE(parse_known(out, shape, &rows, &positions, &why)) << why;
    copier.read(nullptr, 3, rows);
    // Cells 3 and 4 of the first, then 0 to 27 of the second.
    BlobRows ra, rb;
    ASSERT_TRUE(parse_known(a, shape, &ra, &positions, &why));
    ASSERT_TRUE(parse_known(b, shape, &rb, &positions, &why));
    size_t k = 0, v = 0;
    for (const CacheShape& cache : shape.caches) {
      const auto check = [&](const Rows& r, bool transposed, std::byte* got, std::byte* first, std::byte* second) {
        const size_t parts = transposed ? r.channels : 1, unit = r.row_bytes / parts;
        for (size_t part = 0; part < parts; ++part) {
          EXPECT_EQ(0, std::memcmp(got + part * 30 * unit, first + (part * 5 + 3) * unit, 2 * unit));
          EXPECT_EQ(0, std::memcmp(got + (part * 30 + 2) * unit, second + part * 40 * unit, 28 * unit));
        }
      };
      for (const Rows& r : cache.k) {
        check(r, false, rows.k[k], ra.k[k], rb.k[k]);
        ++k;
      }
      for (const Rows& r : cache.v) {
        check(r, cache.transposed, rows.v[v], ra.v[v], rb.v[v]);
        ++v;
      }
    }
  }
}

}  // namespace
}  // namespace kvc_llama

// On a device, where there is one: kernels against the same bodies on the host, bit for bit; copies; the driver's
// rules. Without one every test says that it was skipped, and why. KVC_CUDA_TEST_DRIVER names another driver: the fake
// one, on which these tests show that they are right themselves.
#include <dlfcn.h>

#include "device_rig.h"
#include "rules.h"

namespace kvc_cuda {
namespace {

TEST_F(DeviceTest, TheDriverKeepsTheRulesThatTheFakeOneHas) {
  void* library = dlopen(driver_library(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr);
  using Graph = struct CUgraph_st*;
  const auto begin = reinterpret_cast<int (*)(abi::Stream, int)>(dlsym(library, "cuStreamBeginCapture_v2"));
  const auto end = reinterpret_cast<int (*)(abi::Stream, Graph*)>(dlsym(library, "cuStreamEndCapture"));
  const auto nodes = reinterpret_cast<int (*)(Graph, void*, size_t*)>(dlsym(library, "cuGraphGetNodes"));
  const auto destroy = reinterpret_cast<int (*)(Graph)>(dlsym(library, "cuGraphDestroy"));
  ASSERT_TRUE(begin != nullptr && end != nullptr && nodes != nullptr && destroy != nullptr);
  expect_rules({driver_->call(), gpu_->device().context(),
                [&](abi::Stream stream, int mode) { ASSERT_EQ(begin(stream, mode), 0); },
                [&](abi::Stream stream) {
                  Graph graph = nullptr;
                  if (end(stream, &graph) != 0 || graph == nullptr) return -1;
                  size_t n = 0;
                  EXPECT_EQ(nodes(graph, nullptr, &n), 0);
                  EXPECT_EQ(destroy(graph), 0);
                  return static_cast<int>(n);
                }});
}

TEST_F(DeviceTest, StagedCopiesComeBack) {
  const std::vector<unsigned char> bytes = noise(5'000'001, 1);
  std::vector<unsigned char> back(bytes.size());
  put(0, bytes.data(), bytes.size());
  get(0, back.data(), back.size());
  EXPECT_EQ(bytes, back);
}

TEST_F(DeviceTest, BothEnginesCopyEveryFragment) {
  std::vector<unsigned char> host = noise(1 << 20, 2), back(1 << 20);
  ASSERT_OK(gpu_->pinned().pin(host.data(), host.size()));
  ASSERT_OK(gpu_->pinned().pin(back.data(), back.size()));
  for (const double processors : {0.1, 10.0}) {
    for (int d = 0; d < 2; ++d)
      for (int i = 0; i < CopyTable::kByteSteps; ++i)
        for (int j = 0; j < CopyTable::kCountSteps; ++j)
          gpu_->table().set(static_cast<Direction>(d), i, j, 1, processors);
    for (const uint64_t fragment : {333ull, 4096ull, 70000ull}) {
      std::vector<CopyRun> in, out;
      for (uint64_t at = 0; at + 2 * fragment < host.size(); at += fragment + 16) {
        in.push_back({at_[0] + at, reinterpret_cast<uint64_t>(&host[at]), fragment});
        out.push_back({reinterpret_cast<uint64_t>(&back[at]), at_[0] + at, fragment});
      }
      std::fill(back.begin(), back.end(), 0);
      Fence done = 0;
      ASSERT_OK(gpu_->copy(Direction::to_device, in, order({}, {0}), nullptr));
      ASSERT_OK(gpu_->copy(Direction::to_host, out, order({0}, {}), &done));
      ASSERT_OK(gpu_->wait(done));
      for (const CopyRun& run : out) {
        const size_t at = run.from - at_[0];
        ASSERT_EQ(std::memcmp(&host[at], &back[at], fragment), 0) << fragment << " at " << at;
      }
    }
  }
  ASSERT_OK(gpu_->pinned().unpin(host.data()));
  ASSERT_OK(gpu_->pinned().unpin(back.data()));
}

TEST_F(DeviceTest, MovesRowsAsTheHostDoes) {
  for (const uint32_t row : {2u, 34u, 256u, 1152u}) {
    MoveArgs a;
    a.tokens = 300, a.layers = 3, a.planes = 2, a.heads = 4, a.row_bytes = row;
    a.from_page_tokens = 300, a.to_page_tokens = 64;
    a.from.head = row, a.from.token = row * 4, a.from.layer = a.from.token * 300, a.from.plane = a.from.layer * 3;
    a.to.token = row, a.to.head = row * 64, a.to.plane = a.to.head * 4, a.to.layer = a.to.plane * 2,
    a.to.page = a.to.layer * 3;
    const std::vector<unsigned char> source = noise(static_cast<size_t>(a.from.plane) * 2, row);
    std::vector<unsigned char> pool(static_cast<size_t>(a.to.page) * 8, 7), expected = pool;
    std::vector<int32_t> slots(300);
    for (int32_t i = 0; i < 300; ++i) slots[static_cast<size_t>(i)] = i % 9 == 8 ? -1 : (i * 7 + 5) % 512;
    put(0, source.data(), source.size());
    put(1, pool.data(), pool.size());
    put(2, slots.data(), slots.size() * 4);
    MoveArgs host = a;
    host.from.base = reinterpret_cast<uint64_t>(source.data()),
    host.to.base = reinterpret_cast<uint64_t>(expected.data());
    host.to_slots = slots.data(), host.vector = 1;
    host_move(host, move_shape(host, 1), 1);
    a.from.base = at_[0], a.to.base = at_[1], a.to_slots = in<int32_t>(2);
    ASSERT_OK(gpu_->move(a, order({0, 2}, {1}), nullptr));
    get(1, pool.data(), pool.size());
    EXPECT_EQ(pool, expected) << row;
  }
}

struct Form {
  uint32_t codec, key_bits, value_bits, k_dim, v_dim, tokens, exact;
  Number number;
};
constexpr Form kForms[] = {{2, 8, 8, 128, 128, 64, 4, Number::bf16},  {3, 4, 4, 128, 128, 64, 4, Number::f16},
                           {4, 8, 4, 64, 64, 128, 0, Number::f16},    {4, 4, 2, 80, 96, 48, 1, Number::f32},
                           {4, 2, 8, 192, 128, 150, 64, Number::f32}, {3, 4, 4, 5, 3, 9, 0, Number::f32}};

CodeArgs args_of(const Form& form, uint32_t pages) {
  CodeArgs a;
  a.pages = pages, a.n_layers = 2, a.n_heads = 2, a.dim[0] = form.k_dim, a.dim[1] = form.v_dim,
  a.page_tokens = form.tokens;
  a.bits[0] = form.key_bits, a.bits[1] = form.value_bits, a.exact = form.exact, a.codec = form.codec,
  a.number = form.number;
  a.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(form.v_dim)));
  a.clear.token = static_cast<int64_t>(std::max(form.k_dim, form.v_dim)) * bytes_of(form.number);
  a.clear.head = a.clear.token * form.tokens, a.clear.plane = a.clear.head * 2, a.clear.layer = a.clear.plane * 2;
  a.clear.page = a.clear.layer * 2;
  return a;
}

TEST_F(DeviceTest, EncodesAndDecodesToTheBitsOfTheHost) {
  constexpr uint32_t kPages = 3;
  for (const Form& form : kForms) {
    CodeArgs a = args_of(form, kPages);
    const uint64_t total = CodedLayout(a).total(), clear_bytes = static_cast<uint64_t>(a.clear.page) * kPages;
    std::vector<unsigned char> clear = numbers(form.number, clear_bytes / bytes_of(form.number), form.k_dim);
    std::vector<uint64_t> coded(kPages * total / 8), expected(kPages * total / 8);
    uint64_t device_pages[kPages], host_pages[kPages];
    uint32_t failed[kPages] = {};
    for (uint32_t i = 0; i < kPages; ++i) {
      device_pages[i] = at_[1] + i * total;
      host_pages[i] = reinterpret_cast<uint64_t>(expected.data()) + i * total;
    }
    CodeArgs host = a;
    host.clear.base = reinterpret_cast<uint64_t>(clear.data()), host.coded_pages = host_pages, host.failed = failed;
    host_encode(host, code_shape(host), 1);
    put(0, clear.data(), clear.size());
    put(2, device_pages, sizeof device_pages);
    put(3, failed, sizeof failed);
    a.clear.base = at_[0], a.coded_pages = in<uint64_t>(2), a.failed = in<uint32_t>(3);
    ASSERT_OK(gpu_->encode(a, order({0, 2}, {1, 3}), nullptr));
    get(1, coded.data(), coded.size() * 8);
    EXPECT_EQ(coded, expected) << "dims " << form.k_dim << ", " << form.v_dim;

    std::vector<unsigned char> decoded(clear_bytes, 9), host_decoded(clear_bytes, 9);
    host.clear.base = reinterpret_cast<uint64_t>(host_decoded.data());
    host_decode(host, code_shape(host), 2);
    put(0, decoded.data(), decoded.size());
    ASSERT_OK(gpu_->decode(a, order({1, 2}, {0}), nullptr));
    get(0, decoded.data(), decoded.size());
    EXPECT_EQ(decoded, host_decoded) << "dims " << form.k_dim << ", " << form.v_dim;
  }
}

// Any bits are a page of klt: its tables say where tiles lie, and what its numbers stand for.
TEST_F(DeviceTest, DecodesAndEncodesLearnedPagesToTheBitsOfTheHost) {
  for (const Number number : {Number::f16, Number::bf16, Number::f32}) {
    KltForm form;
    form.n_layers = 2, form.n_heads = 4, form.k_dim = form.v_dim = 128, form.page_tokens = 72;
    form.pairs = 64, form.has_ranks = 1;
    constexpr uint32_t kBits = 4;
    std::vector<unsigned char> table(form.page_bytes()), calibration(form.calibration_bytes());
    std::vector<float> sane(calibration.size() / 4);
    kvc::Random random(5);
    for (float& x : sane) x = static_cast<float>(random.unit());
    std::memcpy(calibration.data(), sane.data(), form.ranks_at());
    std::memset(calibration.data() + form.key_bits_at(), kBits, calibration.size() - form.key_bits_at());
    uint64_t next = kKltHeader;
    for (uint32_t layer = 0; layer < form.n_layers; ++layer) {
      for (uint32_t part = 0; part < form.parts(); ++part) {
        for (uint32_t tile = 0; tile < form.tiles(); ++tile) {
          const auto at = static_cast<uint32_t>(next);
          std::memcpy(table.data() + form.tile_at(layer, part, tile), &at, 4);
          const uint32_t tokens = form.tokens(tile), groups = part < form.blocks() ? form.k_dim : tokens,
                         count = part < form.blocks() ? tokens : form.v_dim;
          next += 4 + 2 * groups + groups * kBits * ((count + 7) / 8);
        }
      }
    }
    std::memcpy(table.data() + form.turns_at(), sane.data(), uint64_t{form.tiles()} * form.pairs * 8);
    KltPage page;
    page.exact_at = next, page.exact = 3;
    const uint64_t row = 128 * bytes_of(number);
    std::vector<unsigned char> coded = noise(next + page.exact * form.n_layers * 2 * form.n_heads * row, 3);
    for (uint32_t i = 0; i < form.n_layers * form.parts() * form.tiles(); ++i) {
      uint32_t at = 0;
      std::memcpy(&at, table.data() + form.tile_at(0, 0, 0) + 4 * i, 4);
      std::memcpy(coded.data() + at, &sane[i], 4);  // its unit
    }
    KltArgs a;
    a.form = form, a.table_bytes = form.page_bytes(), a.pages = 1, a.number = number;
    a.chunk = klt_chunk(form.channels()), a.norm = 1.0f / std::sqrt(128.0f);
    a.clear.token = static_cast<int64_t>(row), a.clear.head = a.clear.token * form.page_tokens;
    a.clear.plane = a.clear.head * form.n_heads, a.clear.layer = 2 * a.clear.plane, a.clear.page = 2 * a.clear.layer;
    std::vector<unsigned char> got(static_cast<size_t>(a.clear.page)), expected(got.size());
    const auto run = [&](uint64_t coded_at, const void* at, const void* learned, uint64_t clear) {
      page.coded = coded_at;
      std::memcpy(table.data(), &page, sizeof page);
      a.tables = static_cast<const unsigned char*>(at), a.calibration = static_cast<const unsigned char*>(learned);
      a.clear.base = clear;
    };
    run(reinterpret_cast<uint64_t>(coded.data()), table.data(), calibration.data(),
        reinterpret_cast<uint64_t>(expected.data()));
    host_decode_klt(a, klt_shape(a), 1);
    run(at_[1], in<void>(2), in<void>(3), at_[0]);
    put(0, got.data(), got.size());
    put(1, coded.data(), coded.size());
    put(2, table.data(), table.size());
    put(3, calibration.data(), calibration.size());
    ASSERT_OK(gpu_->decode_klt(a, order({1, 2, 3}, {0}), nullptr));
    get(0, got.data(), got.size());
    EXPECT_EQ(got, expected) << static_cast<int>(number);

    // And back, by any basis; deviations are above 0.
    KltEncodeArgs e;
    e.page = a, e.page.chunk = klt_encode_chunk(form.channels()), e.rows = klt_encode_rows(form.v_dim);
    std::vector<float> analysis(form.analysis_bytes() / 4);
    for (float& x : analysis) x = static_cast<float>(random.unit()) - .5f;
    for (size_t i = form.deviation_at() / 4; i < form.steps_at() / 4; ++i) sane[i] += .01f;
    std::memcpy(calibration.data(), sane.data(), form.ranks_at());
    got = expected = numbers(number, got.size() / bytes_of(number), 8);
    std::vector<unsigned char> made(coded.size()), host_made(coded.size());
    uint32_t failed = 0, host_failed = 0;
    const auto encode = [&](uint64_t coded_at, const void* at, const void* learned, const void* basis, uint32_t* fails,
                            uint64_t clear) {
      run(coded_at, at, learned, clear);
      e.page.tables = a.tables, e.page.calibration = a.calibration, e.page.clear = a.clear;
      e.analysis = static_cast<const unsigned char*>(basis), e.failed = fails;
    };
    encode(reinterpret_cast<uint64_t>(host_made.data()), table.data(), calibration.data(), analysis.data(), &host_failed,
           reinterpret_cast<uint64_t>(expected.data()));
    host_encode_klt(e, klt_encode_shape(e), 1);
    encode(at_[1], in<void>(2), in<void>(3), in<void>(4), in<uint32_t>(5), at_[0]);
    put(0, got.data(), got.size());
    put(1, made.data(), made.size());
    put(2, table.data(), table.size());
    put(3, calibration.data(), calibration.size());
    put(4, analysis.data(), analysis.size() * 4);
    put(5, &failed, 4);
    ASSERT_OK(gpu_->encode_klt(e, order({0, 2, 3, 4}, {1, 5}), nullptr));
    get(1, made.data(), made.size());
    get(5, &failed, 4);
    EXPECT_EQ(made, host_made) << static_cast<int>(number);
    EXPECT_EQ(failed, host_failed);
  }
}

TEST_F(DeviceTest, DecodesTruncatedPagesToTheBitsOfTheHost) {
  CodeArgs a = args_of(kForms[0], 1);
  a.codec = kSvdCodec;
  const uint32_t heads = a.n_layers * 2 * a.n_heads;
  std::vector<unsigned char> page(64 + heads * 8), terms = numbers(Number::f16, heads * 5 * 2 * 1024, 4);
  kvc::Random random(6);
  for (uint32_t i = 0; i < heads; ++i) {
    const float unit = static_cast<float>(random.unit());
    const auto rank = static_cast<uint32_t>(random.next() % 5);
    std::memcpy(&page[64 + i * 8], &unit, 4);
    std::memcpy(&page[64 + i * 8 + 4], &rank, 4);
  }
  page.insert(page.end(), terms.begin(), terms.end());
  std::vector<unsigned char> got(static_cast<size_t>(a.clear.page)), expected(got.size());
  uint64_t at = reinterpret_cast<uint64_t>(page.data());
  CodeArgs host = a;
  host.clear.base = reinterpret_cast<uint64_t>(expected.data()), host.coded_pages = &at;
  host_decode_svd(host, svd_shape(host), 1);
  put(0, got.data(), got.size());
  put(1, page.data(), page.size());
  put(2, &at_[1], 8);
  a.clear.base = at_[0], a.coded_pages = in<uint64_t>(2);
  ASSERT_OK(gpu_->decode(a, order({1, 2}, {0}), nullptr));
  get(0, got.data(), got.size());
  EXPECT_EQ(got, expected);
}

TEST_F(DeviceTest, TruncatesPagesToTheBitsOfTheHost) {
  SvdEncodeArgs e;
  CodeArgs& a = e.page;
  a.n_layers = 2, a.n_heads = 2, a.dim[0] = a.dim[1] = 64, a.page_tokens = 40, a.exact = 3, a.pages = 1;
  a.codec = kSvdCodec, a.number = Number::f16;
  a.clear.token = 64 * 2, a.clear.head = a.clear.token * a.page_tokens, a.clear.plane = a.clear.head * a.n_heads;
  a.clear.layer = 2 * a.clear.plane, a.clear.page = 2 * a.clear.layer;
  const std::vector<unsigned char> clear = numbers(a.number, static_cast<size_t>(a.clear.page) / 2, 7);
  std::vector<unsigned char> got(static_cast<size_t>(a.clear.page) / 3), expected(got.size());
  std::vector<float> room(SvdRoom(a).bytes() / 4);
  e.bytes = got.size();
  uint32_t failed = 0, host_failed = 0;
  uint64_t at = reinterpret_cast<uint64_t>(expected.data());
  SvdEncodeArgs host = e;
  host.page.clear.base = reinterpret_cast<uint64_t>(clear.data());
  host.page.coded_pages = &at, host.page.failed = &host_failed;
  host.room = reinterpret_cast<unsigned char*>(room.data());
  const SvdShapes shapes = svd_encode_shapes(e);
  host_svd_terms(host, shapes.terms, 1);
  host_svd_share(host, shapes.share, 1);
  host_svd_place(host, shapes.place, 1);
  put(0, clear.data(), clear.size());
  put(1, got.data(), got.size());
  put(2, &at_[1], 8);
  put(3, &failed, 4);
  a.clear.base = at_[0], a.coded_pages = in<uint64_t>(2), a.failed = in<uint32_t>(3);
  e.room = in<unsigned char>(4);
  ASSERT_OK(gpu_->encode_svd(e, order({0, 2}, {1, 3, 4}), nullptr));
  get(1, got.data(), got.size());
  get(3, &failed, 4);
  EXPECT_EQ(got, expected);
  EXPECT_EQ(failed, host_failed);
}

TEST_F(DeviceTest, AttendsToTheBitsOfTheHost) {
  for (const Form& form : {kForms[0], kForms[2], kForms[3], kForms[5]}) {
    for (const uint32_t group : {1u, 4u, 9u}) {
      constexpr uint32_t kSequences = 2, kPages = 3;
      CodeArgs g = args_of(form, kSequences * kPages);
      const uint64_t total = CodedLayout(g).total();
      std::vector<unsigned char> clear = numbers(
          form.number, static_cast<uint64_t>(g.clear.page) * kPages * kSequences / bytes_of(form.number), group);
      // Two encoded pages and one in the clear, half full.
      std::vector<uint64_t> coded(kSequences * 2 * total / 8);
      uint64_t device_pages[4], host_pages[4];
      uint32_t failed[4] = {}, counts[2] = {2, 1},
               lengths[2] = {form.tokens * 2 + (form.tokens + 1) / 2, form.tokens * 2};
      int32_t which[4] = {0, 1, 3, 4}, rest[4] = {2, 2, 4, 5};
      for (uint32_t i = 0; i < 4; ++i) {
        device_pages[i] = at_[1] + i * total;
        host_pages[i] = reinterpret_cast<uint64_t>(coded.data()) + i * total;
      }
      CodeArgs encode = g;
      encode.pages = 4, encode.clear_pages = which, encode.coded_pages = host_pages, encode.failed = failed;
      encode.clear.base = reinterpret_cast<uint64_t>(clear.data());
      host_encode(encode, code_shape(encode), 1);
      AttendArgs a;
      a.page = g, a.sequences = kSequences, a.kv_heads = 2, a.group = group, a.splits = 3, a.layer = 1;
      a.scale = 1.44269504f / std::sqrt(static_cast<float>(form.k_dim));
      a.coded_stride = 2, a.clear_stride = 2;
      std::vector<float> query(kSequences * 2 * group * form.k_dim), out(kSequences * 2 * group * form.v_dim),
          expected(out.size());
      kvc::Random random(group);
      for (float& x : query) x = static_cast<float>(random.unit() * 4 - 2);
      std::vector<float> partial(partial_bytes(a) / 4);

      AttendArgs host = a;
      host.clear = g.clear, host.clear.base = reinterpret_cast<uint64_t>(clear.data());
      host.query = reinterpret_cast<unsigned char*>(query.data()),
      host.out = reinterpret_cast<unsigned char*>(expected.data());
      host.partial = partial.data(), host.lengths = lengths, host.coded_counts = counts, host.coded_pages = host_pages;
      host.clear_pages = rest;
      host_attend(host, attend_shape(host), 1);
      host_merge(host, merge_shape(host), 1);

      struct Tables {
        uint64_t pages[4];
        uint32_t counts[2], lengths[2];
        int32_t rest[4];
      } tables;
      std::memcpy(tables.pages, device_pages, sizeof device_pages);
      std::memcpy(tables.counts, counts, sizeof counts);
      std::memcpy(tables.lengths, lengths, sizeof lengths);
      std::memcpy(tables.rest, rest, sizeof rest);
      put(0, clear.data(), clear.size());
      put(1, coded.data(), coded.size() * 8);
      put(2, &tables, sizeof tables);
      put(3, query.data(), query.size() * 4);
      a.clear = g.clear, a.clear.base = at_[0];
      a.query = in<unsigned char>(3), a.out = in<unsigned char>(4), a.partial = in<float>(5);
      a.coded_pages = in<uint64_t>(2), a.coded_counts = in<uint32_t>(2, offsetof(Tables, counts));
      a.lengths = in<uint32_t>(2, offsetof(Tables, lengths)), a.clear_pages = in<int32_t>(2, offsetof(Tables, rest));
      ASSERT_OK(gpu_->attend(a, order({0, 1, 2, 3}, {4, 5}), nullptr));
      get(4, out.data(), out.size() * 4);
      EXPECT_EQ(std::memcmp(out.data(), expected.data(), out.size() * 4), 0)
          << "dims " << form.k_dim << ", group " << group;
    }
  }
}

// Tensor cores sum in an order of their own: within the rounding of sums, not to the bit.
TEST_F(DeviceTest, AttendsByTensorCoresAsTheHostDoes) {
  if (!gpu_->device().has_mma()) GTEST_SKIP() << "SKIPPED: a device without mma.sync m16n8k16";
  const Form forms[] = {{2, 8, 8, 128, 128, 64, 0, Number::f16}, {3, 4, 4, 64, 128, 64, 0, Number::bf16}};
  for (const Form& form : forms) {
    for (const uint32_t group : {2u, 8u, 16u, 20u}) {
      constexpr uint32_t kPages = 3;
      CodeArgs g = args_of(form, 1);
      g.pages = 1;
      const uint64_t total = CodedLayout(g).total();
      std::vector<unsigned char> clear = numbers(form.number, static_cast<uint64_t>(g.clear.page) * kPages / 2, group);
      std::vector<uint64_t> coded(total / 8 + 8);
      const uint64_t host_page = (reinterpret_cast<uint64_t>(coded.data()) + 63) / 64 * 64, device_page = at_[1];
      uint32_t failed = 0, count = 1, length = form.tokens * 2 + 21;
      const int32_t rest[2] = {1, 2};
      CodeArgs encode = g;
      encode.coded_pages = &host_page, encode.failed = &failed,
      encode.clear.base = reinterpret_cast<uint64_t>(clear.data());
      host_encode(encode, code_shape(encode), 1);
      AttendArgs a;
      a.page = g, a.sequences = 1, a.kv_heads = 2, a.group = group, a.splits = 3, a.layer = 1;
      a.scale = 1.44269504f / std::sqrt(static_cast<float>(form.k_dim));
      a.coded_stride = 1, a.clear_stride = 2, a.query_number = form.number;
      std::vector<unsigned char> query = numbers(form.number, 2 * group * form.k_dim, group + 1);
      std::vector<float> out(2 * group * form.v_dim), expected(out.size()), partial(partial_bytes(a) / 4);
      AttendArgs host = a;
      host.query = query.data(), host.out = reinterpret_cast<unsigned char*>(expected.data()),
      host.partial = partial.data();
      host.lengths = &length, host.coded_counts = &count, host.coded_pages = &host_page, host.clear_pages = rest;
      host.clear = g.clear;
      std::vector<unsigned char> room(clear.size() + 16);
      unsigned char* lined = room.data() + (16 - reinterpret_cast<uint64_t>(room.data()) % 16) % 16;
      std::memcpy(lined, clear.data(), clear.size());
      host.clear.base = reinterpret_cast<uint64_t>(lined);
      ASSERT_TRUE(fits_mma(host));
      host_attend_mma(host, mma_shape(host), 1);
      host_merge(host, merge_shape(host), 2);

      put(0, clear.data(), clear.size());
      put(1, reinterpret_cast<const void*>(host_page), total);
      put(2, &device_page, 8);
      put(3, query.data(), query.size());
      const uint32_t lengths[2] = {length, count};
      put(4, lengths, sizeof lengths);
      put(5, rest, sizeof rest);
      a.query = in<unsigned char>(3), a.out = in<unsigned char>(6), a.partial = in<float>(7);
      a.lengths = in<uint32_t>(4), a.coded_counts = in<uint32_t>(4, 4), a.coded_pages = in<uint64_t>(2);
      a.clear_pages = in<int32_t>(5), a.clear = g.clear, a.clear.base = at_[0];
      ASSERT_TRUE(fits_mma(a));
      ASSERT_OK(gpu_->attend(a, order({0, 1, 2, 3, 4, 5}, {6, 7}), nullptr));
      get(6, out.data(), out.size() * 4);
      float largest = 0;
      for (const float x : expected) largest = std::max(largest, std::abs(x));
      for (size_t i = 0; i < out.size(); ++i) {
        ASSERT_NEAR(out[i], expected[i], largest * (form.number == Number::bf16 ? 0x1p-7f : 0x1p-9f))
            << group << " " << i;
      }
    }
  }
}

TEST_F(DeviceTest, FindsEigenvectorsToTheBitsOfTheHost) {
  constexpr uint32_t kMatrices = 3, kDim = 48, kRank = 12;
  kvc::Random random(5);
  std::vector<float> gram(kMatrices * kDim * kDim), vectors(gram.size()), basis(kMatrices * kDim * kRank),
      got(basis.size());
  for (uint32_t m = 0; m < kMatrices; ++m) {
    for (uint32_t i = 0; i < kDim; ++i) {
      for (uint32_t j = 0; j <= i; ++j) {
        const float x = static_cast<float>(random.unit() * 2 - 1) + (i == j ? 8.0f + static_cast<float>(i) : 0.0f);
        gram[(m * kDim + i) * kDim + j] = gram[(m * kDim + j) * kDim + i] = x;
      }
    }
  }
  put(0, gram.data(), gram.size() * 4);
  JacobiArgs a;
  a.matrices = kMatrices, a.dim = kDim, a.rank = kRank;
  JacobiArgs host = a;
  host.gram = gram.data(), host.vectors = vectors.data(), host.basis = reinterpret_cast<unsigned char*>(basis.data());
  host_jacobi(host, jacobi_shape(host), 1);
  a.gram = in<float>(0), a.vectors = in<float>(1), a.basis = in<unsigned char>(2);
  const Order on = order({}, {0, 1, 2});
  ASSERT_OK(gpu_->use(on));
  ASSERT_OK(gpu_->eigenvectors(a, on.stream));
  ASSERT_OK(gpu_->used(on, nullptr));
  get(2, got.data(), got.size() * 4);
  EXPECT_EQ(got, basis);
}

}  // namespace
}  // namespace kvc_cuda

// How pages that are sealed are encoded.
#include <vector>

#include "cache/cache.h"
#include "cache/counters.h"
#include "cache/sparse.h"
#include "codec/klt_check.h"

namespace kvc {
namespace {

void raise_to(std::atomic<double>* most, double x) noexcept {
  double now = most->load(std::memory_order_relaxed);
  while (x > now && !most->compare_exchange_weak(now, x, std::memory_order_relaxed)) {
  }
}

}  // namespace

// A page stays in the clear where encoding would not make it smaller, or where a number is not finite.
Status Cache::encode(const Space& space, uint32_t depth, const RecentQueries* recent, const QuerySample& sample,
                     BlobRef* blob, uint8_t* id) {
  const PageGeometry& g = space.geometry();
  *id = find_codec("identity")->id();
  const Codec* chosen = &codec_of(g);
  if (chosen->is_clear()) return Status::ok();
  EncodeOptions options;
  options.exact_tokens = depth == 0 ? kSinkTokens : 0;
  options.key_bits = options_.codec_key_bits;
  options.value_bits = options_.codec_value_bits;
  options.position = uint64_t{depth} * g.page_tokens;
  std::shared_ptr<const KltCalibration> calibration;
  if (Calibrator* calibrator = calibrator_of(space); calibrator != nullptr) {
    calibration = calibrator->learn(options.position, options.exact_tokens, {blob->data(), blob->bytes()});
    options.calibration = calibration.get();
    // Until enough is learned: with a bound nothing is rounded, else to 8 bits.
    if (calibration == nullptr) chosen = find_codec(options_.codec_target.bound > 0 ? "identity" : "int8");
    if (chosen->is_clear()) {
      counters_->pages_kept_clear.add();
      return Status::ok();
    }
  }
  const Codec& codec = *chosen;
  const std::span<const std::byte> page(blob->data(), blob->bytes());
  PageCheck check;
  if (calibration != nullptr && calibration->query_group > 0) {
    const Status checked = check_page(*calibration, g, options.position, options.exact_tokens, page, recent,
                                      options_.codec_target.bound, &check);
    if (checked.code() == KVC_E_UNSUPPORTED) {
      counters_->pages_kept_clear.add();
      return Status::ok();
    }
    KVC_RETURN_IF_ERROR(checked);
    options.levels = &check.levels;
  }
  const bool sparse = codec.id() == kSparseCodecId;
  std::vector<float> mass;
  if (sparse) mass = sample.mass(g, blob->data());
  options.mass = mass.empty() ? nullptr : mass.data();
  options.sparse_keep = options_.sparse_keep;
  options.ratio = options_.svd_ratio;
  const size_t bytes = codec.encoded_bytes(g, options);
  if (bytes >= g.page_bytes()) {
    counters_->pages_kept_clear.add();
    return Status::ok();
  }
  BlobRef encoded;
  if (!new_blob(bytes, &encoded)) return error(KVC_E_NO_MEMORY, "no room for an encoded page of %zu bytes", bytes);
  const Status status = codec.encode(g, options, page, {encoded.data(), bytes});
  if (status.code() == KVC_E_UNSUPPORTED) {
    counters_->pages_kept_clear.add();
    return Status::ok();
  }
  KVC_RETURN_IF_ERROR(status);
  if (sparse) {
    counters_->pages_sparse.add();
    if (mass.empty()) {
      counters_->sparse_by_recency.add();
    } else {
      counters_->mass_left_out.fetch_add(mass_left_out(g, mass, codec, {encoded.data(), bytes}),
                                         std::memory_order_relaxed);
    }
  }
  // The error of one layer, another one for every page: as good an estimate as that of all, at a fraction of the cost.
  for (const int plane : {KVC_KEY, KVC_VALUE}) {
    if (sparse) break;  // what it keeps is exact
    PlaneError measured;
    KVC_RETURN_IF_ERROR(
        measure_error(codec, g, page, {encoded.data(), bytes}, depth % g.n_layers, plane, &measured));
    counters_->error[plane].fetch_add(measured.error, std::memory_order_relaxed);
    counters_->energy[plane].fetch_add(measured.energy, std::memory_order_relaxed);
  }
  counters_->pages_encoded.add();
  counters_->encoded_raw_bytes.add(g.page_bytes());
  counters_->encoded_bytes.add(bytes);
  if (options.levels != nullptr) {
    counters_->pages_checked.add();
    if (check.raised + check.raw > 0) counters_->pages_raised.add();
    counters_->heads_raw.add(check.raw);
    raise_to(&counters_->bound_error, check.worst_error);
  }
  *blob = std::move(encoded);
  *id = codec.id();
  return Status::ok();
}

}  // namespace kvc

// Where the pages of a prompt lie: behind what is in memory, in which store, and in which of the forms that a page may
// be stored in.
#include <iterator>

#include "cache/cache.h"
#include "cache/disk_fetch.h"

namespace kvc {

DiskStore* Fetch::holder(const PageId& id, bool packs) noexcept {
  for (size_t i = 0; i < n_sources_; ++i) {
    DiskSource& source = *sources_[i];
    if (source.key.has_value() == packs && source.store->contains(id)) return source.store.get();
  }
  return nullptr;
}

void Fetch::list_forms() {
  const Space& space = *root_->space;
  const CacheOptions& options = cache_->options();
  const Codec& clear = *find_codec("identity");
  const Codec& codec = cache_->codec_of(space.geometry());
  forms_.push_back({.codec = clear.id()});
  if (accept_ == Accept::exact) return;
  const auto in_bits = [&](const Codec& coded) {
    forms_.push_back({.codec = coded.id(),
                      .approximate = true,
                      .key_bits = options.codec_key_bits,
                      .value_bits = options.codec_value_bits});
  };
  std::vector<std::shared_ptr<const KltCalibration>> known;
  if (Calibrator* calibrator = cache_->calibrator_of(space); calibrator != nullptr) {
    known = calibrator->known();
    for (const auto& each : known) {
      forms_.push_back({.codec = codec.id(), .approximate = true, .calibration = each->digest});
    }
    in_bits(*find_codec("int8"));  // what was sealed before it had learned
  } else if (const uint32_t own = cache_->own_bits(codec.id(), space.geometry()); own > 0) {
    forms_.push_back({.codec = codec.id(), .approximate = true, .key_bits = own});
  } else if (codec.format() != Digest{}) {
    forms_.push_back({.codec = codec.id(), .approximate = true, .format = codec.format()});
  } else if (!codec.is_clear()) {
    in_bits(codec);
  }
  forms_.push_back({.codec = clear.id(), .approximate = true});
  if (accept_ == Accept::not_aged) return;
  for (const auto& each : known) {
    forms_.push_back({.codec = codec.id(), .approximate = true, .aged = true, .calibration = each->digest});
  }
  if (!known.empty()) forms_.push_back({.codec = clear.id(), .approximate = true, .aged = true});
}

// A page in the best of the forms that it may be stored in.
bool Fetch::find(const Digest& key, const PageId& id, size_t depth, bool packs, Place* place) noexcept {
  const PageGeometry& g = root_->space->geometry();
  const CacheOptions& options = cache_->options();
  for (const PageForm& form : forms_) {
    place->stored = form_id(key, id, form);
    place->store = holder(place->stored, packs);
    if (place->store == nullptr) continue;
    place->pack = packs;
    place->form = form;
    EncodeOptions encoding;
    encoding.exact_tokens = depth == 0 ? kSinkTokens : 0;
    encoding.key_bits = form.key_bits;
    encoding.sparse_keep = options.sparse_keep;
    encoding.ratio = options.svd_ratio;
    encoding.value_bits = form.value_bits;
    const bool calibrated = form.calibration != Digest{};
    const auto calibration = calibrated ? find_calibration(form.calibration) : nullptr;
    if (calibrated && (calibration == nullptr || !calibration->fits(g))) continue;
    encoding.calibration = calibration.get();
    place->bytes = cache_->codec_with(form.codec)->encoded_bytes(g, encoding);
    // Pages of one calibration may have bits of their own, and are as long as they are; never longer than in the clear.
    uint64_t stored = 0;
    if (calibrated && place->store->contains(place->stored, &stored)) {
      if (stored > g.page_bytes()) continue;
      place->bytes = static_cast<size_t>(stored);
    }
    return true;
  }
  return false;
}

void Fetch::look_up() {
  n_sources_ = disk_->sources(sources_, std::size(sources_));
  for (size_t i = 0; i < n_sources_; ++i) packs_ = packs_ || sources_[i]->key.has_value();
  {
    std::shared_lock index(cache_->index_mutex_);
    const Cache::Walk found = cache_->walk(*root_, nullptr, tokens_, accept_);
    if (found.last != nullptr) {
      cache_->reference(found.last);
      last_ = found.last;
      from_ = (last_->depth + size_t{1}) * page_tokens_;
    }
    common_ = found.common;
  }
  if (from_ + common_ == tokens_.size() || n_sources_ == 0) {
    stage_ = Stage::over;
    return;
  }
  const std::span<const int32_t> tokens(tokens_);
  PageId parent = last_ != nullptr ? last_->id : root_->space->digest();
  PageId pack_parent = root_->space->digest();
  const Digest pack = pack_key();
  for (size_t at = 0; packs_ && at < from_; at += page_tokens_) {
    pack_parent = page_id(pack, pack_parent, tokens.subspan(at, page_tokens_));
  }
  pack_parent_ = pack_parent;
  for (size_t at = from_; at + page_tokens_ <= tokens.size(); at += page_tokens_) {
    const auto part = tokens.subspan(at, page_tokens_);
    const PageId id = page_id(root_->tenant_key, parent, part);
    const PageId pack_id = packs_ ? page_id(pack, pack_parent, part) : PageId{};
    Place place;
    place.id = id;
    if (find(root_->tenant_key, id, at / page_tokens_, false, &place)) {
      place.stored_parent = parent;
    } else if (packs_ && find(pack, pack_id, at / page_tokens_, true, &place)) {
      place.stored_parent = pack_parent;
    } else {
      break;
    }
    plan_.push_back(place);
    parent = id;
    pack_parent = pack_id;
  }
}

}  // namespace kvc

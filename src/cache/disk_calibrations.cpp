// Calibrations of codecs that learn, in the stores: put before the first page that names them, found again by a later
// engine. Whatever is lost or damaged here costs pages that are not found, never a number that is wrong: a page names
// its calibration by a digest of all its contents.
#include <cstring>
#include <memory_resource>
#include <vector>

#include "cache/cache.h"
#include "codec/klt_bytes.h"

namespace kvc {
namespace {

// They belong to no tenant: what is learned of a space serves all of them, and is not purged with one.
constexpr std::string_view kOwner = "kvc calibrations";

// What a space's calibration is, and where.
struct Notice {
  Digest digest;
  uint64_t bytes = 0;
  double bits = 0, worst_error = 0;  // KltReport
  uint32_t queries = 0, zero = 0;
};
static_assert(sizeof(Notice) == 64);

// The record of a calibration: its name, as tokens that no page has.
struct Name {
  int32_t tokens[9] = {};
  PageId id;
};

Name content_name(const Digest& key, const Space& space, const Digest& digest) {
  Name name;
  name.tokens[0] = -3;
  static_assert(sizeof digest == 8 * sizeof(int32_t));
  std::memcpy(name.tokens + 1, &digest, sizeof digest);
  name.id = page_id(key, space.digest(), name.tokens);
  return name;
}

// By what the codec was asked for: another request is another calibration.
Name notice_name(const Digest& key, const Space& space, const Codec& codec, const KltTarget& target) {
  Name name;
  name.tokens[0] = -4;
  name.tokens[1] = codec.id();
  const double asked[] = {target.bits, target.ratio, target.bound};
  static_assert(sizeof asked == 6 * sizeof(int32_t));
  std::memcpy(name.tokens + 2, asked, sizeof asked);
  const auto rest = static_cast<float>(target.rest);  // 0 in what older versions wrote
  std::memcpy(name.tokens + 8, &rest, sizeof rest);
  name.id = page_id(key, space.digest(), name.tokens);
  return name;
}

Status put_record(DiskStore& store, const Space& space, const Name& name, std::span<const std::byte> bytes) {
  PutPage page;
  page.record = {name.id, space.digest(), space.digest(), name.tokens, kCalibrationCodec, bytes};
  page.tenant = kOwner;
  page.admit = true;
  return store.put(page);
}

DiskMiss get_record(DiskStore& store, const Space& space, const Name& name, uint64_t timeout_ns,
                    std::span<std::byte> out) {
  GetPage page;
  page.id = name.id;
  page.parent = page.space = space.digest();
  page.tokens = name.tokens;
  page.codec = kCalibrationCodec;
  page.payload_bytes = out.size();
  page.out = out;
  return store.get(page, timeout_ns);
}

}  // namespace

Digest Cache::calibrations_key() const noexcept { return tenant_key(options_.secret, kOwner); }

void Cache::load_calibrations(const Space& space) noexcept {
  try {
    Calibrator* const calibrator = disk_->reads() ? calibrator_of(space) : nullptr;
    if (calibrator == nullptr) return;
    DiskSource* sources[64];
    const size_t n = disk_->sources(sources, std::size(sources));
    size_t at = 0;
    if (!calibrator->begin_loading(n, &at)) return;
    bool slow = false;
    try {
      for (; at < n && !slow; at += slow ? 0 : 1) {
        DiskStore& store = *sources[at]->store;
        const Digest key = sources[at]->key.value_or(calibrations_key());
        Notice notice;
        DiskMiss miss =
            get_record(store, space, notice_name(key, space, codec_of(space.geometry()), calibrator->target()),
                       disk_->options().timeout_ns, std::as_writable_bytes(std::span(&notice, 1)));
        std::pmr::vector<std::byte> bytes(&calibration_memory_);
        if (miss == DiskMiss::none && notice.bytes <= memory_.limit()) {
          bytes.resize(notice.bytes);
          miss = get_record(store, space, content_name(key, space, notice.digest), disk_->options().timeout_ns, bytes);
        }
        slow = miss == DiskMiss::slow;
        if (miss != DiskMiss::none) continue;
        std::shared_ptr<const KltCalibration> stored;
        const Status status = load_calibration(bytes, notice.digest, &stored);
        if (!status.is_ok() || !stored->fits(space.geometry())) {
          log_.write(KVC_LOG_WARN, "a stored calibration is not used: %s", status.message().c_str());
          continue;
        }
        calibrator->adopt(std::move(stored), {notice.bits, notice.worst_error, notice.queries});
        log_.write(KVC_LOG_INFO, "codec: a calibration of %zu bytes was read from disk", bytes.size());
      }
    } catch (const std::bad_alloc&) {
      log_.write(KVC_LOG_WARN, "no memory for a stored calibration: pages on disk that name it are not found");
      at = n;
    }
    calibrator->end_loading(at, slow);
  } catch (const std::bad_alloc&) {
    // Nothing was begun; the next match tries again.
  }
}

Status Cache::keep_calibration(DiskStore& store, const Page& page, const Digest& key, std::vector<PageId>* ids) {
  const Digest digest = codec_of(page).calibration_of({page.blob.data(), page.blob.bytes()});
  if (digest == Digest{}) return Status::ok();
  const Space& space = *page.root->space;
  const Name content = content_name(key, space, digest);
  Calibrator* const calibrator = calibrator_of(space);
  const auto all = calibrator != nullptr ? calibrator->known() : std::vector<std::shared_ptr<const KltCalibration>>();
  const bool newest = !all.empty() && all.front()->digest == digest;
  Name notice;
  if (newest) notice = notice_name(key, space, codec_of(page), calibrator->target());
  if (ids != nullptr) {
    ids->push_back(content.id);
    if (newest) ids->push_back(notice.id);
  }
  const bool known = store.contains(content.id);
  if (known && (!newest || store.contains(notice.id))) return Status::ok();
  const auto calibration = find_calibration(digest);
  if (calibration == nullptr) return error(KVC_E_INTERNAL, "a page names a calibration that nobody has");
  const std::vector<std::byte> bytes = save_calibration(*calibration);
  if (!known) KVC_RETURN_IF_ERROR(put_record(store, space, content, bytes));
  if (!newest) return Status::ok();
  const KltReport report = calibrator->info().report;
  const Notice words{digest, bytes.size(), report.bits, report.worst_error, report.queries, 0};
  if (store.contains(notice.id)) (void)store.erase(notice.id);
  return put_record(store, space, notice, std::as_bytes(std::span(&words, 1)));
}

}  // namespace kvc

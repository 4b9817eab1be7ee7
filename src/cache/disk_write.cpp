// Write-behind: the queue, the thread that empties it, and what is durable.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <system_error>

#include "base/signals.h"
#include "cache/cache.h"
#include "cache/disk.h"

namespace kvc {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Puts that the writer keeps going at a time; the store's own queue is deeper.
constexpr size_t kPutsInFlight = 8;

// What the store's tables may need at a time.
constexpr size_t kStoreRoom = size_t{128} << 10;

// Pages that one sweep takes up; more come with the next one.
constexpr size_t kSweep = 1024;

PageId parent_id(const Page& page) { return page.parent != nullptr ? page.parent->id : page.root->space->digest(); }

}  // namespace

// What a put needs until it is done.
struct Disk::Put {
  Job job;
  std::vector<int32_t> tokens;
  std::vector<std::byte> clue;  // a clue's payload, else empty
  BlobRef payload;
};

void Disk::sealed(Page* page) noexcept {
  if (!writes() || options_.by_worth || page->on_disk.exchange(true, std::memory_order_relaxed)) return;
  cache_->reference(page);
  const Job job{page, parent_id(*page), false, false, false};
  if (enqueue(job)) return;
  page->on_disk.store(false, std::memory_order_relaxed);
  cache_->unreference(page);
}

void Disk::aged(Page* page, const PageId& former) noexcept {
  if (!writes() || !page->on_disk.load(std::memory_order_relaxed)) return;
  try {
    own_->erase(former);
  } catch (const std::exception&) {
    return;  // it stays the better of the two
  }
  page->on_disk.store(false, std::memory_order_relaxed);
  sealed(page);
}

// While the disk has room, everything is. Then what is written displaces the oldest of what is there, pages that were
// once like those that are offered now: one that is less likely to be used again than half of these on average is worth
// less than what it would displace.
bool Disk::worth_writing(float chance) noexcept {
  if (!options_.by_worth || chance < 0) return true;
  constexpr float kShare = 0.5F, kMemory = 1.0F / 256;
  const float mean = written_chance_.load(std::memory_order_relaxed);
  written_chance_.store(mean + (chance - mean) * kMemory, std::memory_order_relaxed);
  return !displaces_.load(std::memory_order_relaxed) || chance >= kShare * mean;
}

bool Disk::evicted(Page* page, const PageId& parent, float chance) noexcept {
  if (!writes() || own_->judge(cache_->disk_id(*page), chance)) return false;
  // With second sight it was offered once, when it was sealed: to leave memory is not to be seen again.
  if (options_.second_sight && page->on_disk.load(std::memory_order_relaxed)) return false;
  return worth_writing(chance) && enqueue({page, parent, true, true, false, chance});
}

// False: the queue is full, or there is no thread to empty it.
bool Disk::enqueue(const Job& job) noexcept {
  // An eighth of the memory at most is kept from being evicted.
  const size_t most = std::max<size_t>(cache_->memory_.limit() / 8, job.page->bytes);
  const std::lock_guard lock(queue_mutex_);
  if (!stop_ && start_writer() && queued_bytes_ + job.page->bytes <= most && queue_.size() < kMostQueued) {
    try {
      queue_.push_back(job);
      queued_bytes_ += job.page->bytes;
      waiting_.fetch_add(1, std::memory_order_relaxed);
      work_.notify_one();
      return true;
    } catch (const std::bad_alloc&) {
      // As if it were full.
    }
  }
  if (job.owned) {
    counters_.dropped.add();
  } else {
    skipped_ = true;
  }
  return false;
}

bool Disk::start_writer() noexcept {
  if (started_) return true;
  const SignalsBlocked blocked;
  try {
    thread_ = std::thread(&Disk::run, this);
    started_ = true;
  } catch (const std::system_error&) {
    log_.write(KVC_LOG_WARN, "the system gives no thread to write pages to disk: they are kept in memory only");
  }
  return started_;
}

void Disk::run() noexcept {
  std::unique_lock lock(queue_mutex_);
  bool synced = true;  // nothing was written since
  auto next_sync = SteadyClock::now();
  for (;;) {
    const auto has_work = [this] {
      return stop_ || !queue_.empty() || !changes_.empty() || !done_.empty() || persists_asked_ > persists_done_;
    };
    if (!synced && options_.interval_ns > 0) {
      work_.wait_until(lock, next_sync, has_work);
    } else {
      work_.wait(lock, has_work);
    }
    if (!queue_.empty()) {
      const Job job = queue_.front();
      queue_.pop_front();
      lock.unlock();
      if (synced) next_sync = SteadyClock::now() + std::chrono::nanoseconds(options_.interval_ns);
      synced = false;
      settle_puts(kPutsInFlight - 1);
      write(job);
      lock.lock();
      continue;
    }
    const bool ending = stop_;
    if (!changes_.empty() && synced) next_sync = SteadyClock::now() + std::chrono::nanoseconds(options_.interval_ns);
    lock.unlock();
    settle_puts(0);
    if (write_tensor()) {
      synced = false;
      lock.lock();
      continue;
    }
    lock.lock();
    if (!queue_.empty()) continue;
    if (persists_asked_ > persists_done_ || ending) {
      const uint64_t asked = persists_asked_;
      const bool admit = asked > persists_done_;
      lock.unlock();
      Status result = do_persist(admit);
      synced = true;
      lock.lock();
      persist_result_ = std::move(result);
      persists_done_ = asked;
      ended_ = ending;
      news_.notify_all();
      if (ending) return;
    } else if (!synced && options_.interval_ns > 0 && SteadyClock::now() >= next_sync) {
      const bool skipped = std::exchange(skipped_, false);
      lock.unlock();
      if (skipped) {
        sweep();
      } else {
        const uint64_t now = cache_->clock_.now_ns();
        if (own_->persist().is_ok()) durable_at_.store(now, std::memory_order_relaxed);
        synced = true;
      }
      lock.lock();
    }
  }
}

// Waits until at most so many puts are under way, and lets go of what came back.
void Disk::settle_puts(size_t most_in_flight) noexcept {
  std::unique_lock lock(queue_mutex_);
  for (;;) {
    while (!done_.empty()) {
      const auto [put, ok] = std::move(done_.front());
      done_.pop_front();
      --in_flight_;
      lock.unlock();
      finished(*put, ok);
      lock.lock();
    }
    if (in_flight_ <= most_in_flight) return;
    work_.wait(lock, [this] { return !done_.empty(); });
  }
}

// Begins to write a page; on a failure it is let go at once.
void Disk::write(const Job& job) noexcept {
  Status status;
  try {
    auto put = std::make_shared<Put>();
    put->job = job;
    const Page& page = *job.page;
    put->tokens.resize(page.n_tokens);
    unpack_tokens(page.root->space->token_width(), page.token_bytes(), page.n_tokens, put->tokens.data());
    status = cache_->keep_calibration(*own_, page, cache_->calibrations_key());
    if (status.is_ok() && cache_->payload_for_disk(page, page.n_tokens, &put->payload)) {
      begin(std::move(put));
      return;
    }
    if (status.is_ok()) status = Status(KVC_E_NO_MEMORY, {});
  } catch (const std::bad_alloc&) {
    status = Status(KVC_E_NO_MEMORY, {});
  }
  if (!status.message().empty()) {
    log_.write(KVC_LOG_WARN, "a page was not written to disk: %s", status.message().c_str());
  }
  counters_.write_errors.add();
  if (!job.owned) job.page->on_disk.store(false, std::memory_order_relaxed);  // the next kvc_persist tries again
  release(job);
}

PutPage Disk::described(const Put& put) const noexcept {
  const Root& root = *put.job.page->root;
  if (!put.clue.empty()) return clue_record(root, root.tenant_key, put.job.parent, put.tokens, put.clue);
  const PageId id = form_id(root.tenant_key, put.job.page->id, cache_->form_of(*put.job.page));
  PutPage page = page_record(root, cache_->codec_of(*put.job.page), id, put.job.parent, put.tokens,
                             {put.payload.data(), put.payload.bytes()});
  page.admit = put.job.admit;
  return page;
}

void Disk::begin(std::shared_ptr<Put> put) noexcept {
  Status status;
  int room = 8;
  try {
    {
      const std::lock_guard lock(queue_mutex_);
      ++in_flight_;
    }
    for (;;) {
      status = own_->put(described(*put), [this, put](const Status& result) {
        const std::lock_guard lock(queue_mutex_);
        done_.emplace_back(put, result.is_ok());
        ++progress_;
        work_.notify_one();
      });
      if (status.code() == KVC_E_BUSY) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the store's queue is full
      } else if (status.code() == KVC_E_NO_MEMORY && room-- > 0 && Cache::reclaim(cache_, kStoreRoom)) {
        // The store does not evict for its tables: pages make room for them.
      } else {
        break;
      }
    }
  } catch (const std::bad_alloc&) {
    status = Status(KVC_E_NO_MEMORY, {});
  }
  if (status.is_ok()) return;
  log_.write(KVC_LOG_WARN, "a page was not written to disk: %s", status.message().c_str());
  {
    const std::lock_guard lock(queue_mutex_);
    --in_flight_;
  }
  finished(*put, false);
}

// A put came back. A page's clue follows it; with the clue the job is done.
void Disk::finished(Put& put, bool ok) noexcept {
  const Job job = put.job;
  if (!ok) {
    counters_.write_errors.add();
    // The next kvc_persist tries again.
    if (put.clue.empty() && !job.owned) job.page->on_disk.store(false, std::memory_order_relaxed);
  }
  const bool stored = put.clue.empty() && ok && own_->judge(cache_->disk_id(*job.page), job.chance);
  if (put.clue.empty() && ok && !stored && !job.admit && !job.owned) {
    job.page->refused.store(true, std::memory_order_relaxed);  // by disk_admission; kvc_persist does not ask it
  }
  if (stored) {
    counters_.written.add();
    if (options_.by_worth && !displaces_.load(std::memory_order_relaxed) && own_->stats().pages_evicted > 0) {
      displaces_.store(true, std::memory_order_relaxed);
    }
    if (job.demoted) counters_.demoted.add();
    try {
      auto clue = std::make_shared<Put>();
      clue->job = job;
      clue->clue = make_clue(job.page->root->space->geometry(), put.tokens);
      clue->tokens = {put.tokens[0], -1};
      const PageId id = clue_id(job.page->root->tenant_key, job.parent, put.tokens[0]);
      if (own_->contains(id)) (void)own_->erase(id);  // the newest page is the likeliest to be asked for
      begin(std::move(clue));
      return;
    } catch (const std::bad_alloc&) {
      // Without its clue the page is still found as a whole.
    }
  }
  release(job);
}

void Disk::release(const Job& job) noexcept {
  {
    const std::lock_guard lock(queue_mutex_);
    queued_bytes_ -= job.page->bytes;
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  if (!job.owned) {
    cache_->unreference(job.page);
    return;
  }
  Root* const root = job.page->root;
  cache_->free_page(job.page);
  cache_->release_root(root);
}

// Writes what did not wait in the queue.
void Disk::write_now(const Job& job) noexcept {
  {
    const std::lock_guard lock(queue_mutex_);
    queued_bytes_ += job.page->bytes;
  }
  waiting_.fetch_add(1, std::memory_order_relaxed);
  write(job);
}

// Takes up pages that found the queue full.
void Disk::sweep() noexcept {
  try {
    std::vector<Page*> pages;
    cache_->take_unwritten(kSweep, /*refused=*/false, &pages);
    for (Page* page : pages) {
      sealed(page);
      cache_->unreference(page);
    }
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(queue_mutex_);
    skipped_ = true;
  }
}

// admit: also what disk_admission refused.
Status Disk::do_persist(bool admit) noexcept {
  const uint64_t now = cache_->clock_.now_ns();
  try {
    // Everything that is published and not written, as often as it takes.
    for (;;) {
      const uint64_t errors = counters_.write_errors.get();
      std::vector<Page*> pages;
      cache_->take_unwritten(kSweep, admit, &pages);
      for (Page* page : pages) {
        settle_puts(kPutsInFlight - 1);
        const bool refused = admit && page->refused.exchange(false, std::memory_order_relaxed);
        if (page->on_disk.exchange(true, std::memory_order_relaxed) && !refused) {
          cache_->unreference(page);
          continue;
        }
        write_now({page, parent_id(*page), false, false, admit});
      }
      settle_puts(0);
      if (pages.size() < kSweep || counters_.write_errors.get() != errors) break;
    }
    cache_->visit_tails([&](Page* page, const PageId& parent) noexcept {
      settle_puts(kPutsInFlight - 1);
      write_now({page, parent, true, false, admit});
    });
    settle_puts(0);
    for (const uint64_t errors = counters_.write_errors.get();;) {
      while (write_tensor()) {
      }
      if (counters_.write_errors.get() != errors || !cache_->note_tensors(admit)) break;
    }
    keep_texts();
    KVC_RETURN_IF_ERROR(own_->persist());
  } catch (const std::bad_alloc&) {
    return Status(KVC_E_NO_MEMORY, "no memory to write pages to disk; what was written before stays");
  }
  durable_at_.store(now, std::memory_order_relaxed);
  // Also those that failed since the last one: nobody else was told.
  const uint64_t errors = counters_.write_errors.get();
  const uint64_t failed = errors - std::exchange(errors_told_, errors);
  if (failed > 0) {
    return error(KVC_E_IO, "%llu writes to %s failed; everything else is durable: see to the disk and call again",
                 static_cast<unsigned long long>(failed), options_.path.c_str());
  }
  return Status::ok();
}

Status Disk::persist(uint64_t timeout_ns) {
  if (own_ == nullptr) {
    return error(KVC_E_UNSUPPORTED, "the engine has no directory: set option disk_path, or use kvc_persist_to");
  }
  if (!writes()) return error(KVC_E_UNSUPPORTED, "the directory is opened read_only (option disk_mode)");
  std::unique_lock lock(queue_mutex_);
  if (stop_ || !start_writer()) return error(KVC_E_NO_MEMORY, "the system gives no thread to write pages to disk");
  // To ask without waiting is to ask for the one that was begun last.
  uint64_t mine = persists_asked_;
  if (timeout_ns > 0 || persists_told_ == persists_asked_) mine = ++persists_asked_;
  work_.notify_one();
  const auto done = [&] { return persists_done_ >= mine; };
  constexpr uint64_t kForever = uint64_t{1} << 60;
  if (timeout_ns >= kForever) {
    news_.wait(lock, done);
  } else if (!news_.wait_until(lock, SteadyClock::now() + std::chrono::nanoseconds(timeout_ns), done)) {
    return {KVC_PENDING, ""};
  }
  persists_told_ = std::max(persists_told_, persists_done_);
  return persist_result_;
}

}  // namespace kvc

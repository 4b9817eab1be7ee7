// Which process is this? A child made by fork() has the parent's memory, but not its threads, and locks may be held for
// ever in it: kvc must notice before it touches anything. Checked on every call, so it must cost about one load.
//
// A page of memory that the kernel empties in a child (MADV_WIPEONFORK) holds the number of this process's epoch; where
// the kernel has no such pages, the process id is compared. No pthread_atfork: a handler would stay behind after
// dlclose.
#pragma once

#include <cstdint>

namespace kvc {

// A number that differs between a process and every child it forks; never 0. Any thread; never fails.
uint32_t process_epoch() noexcept;

}  // namespace kvc

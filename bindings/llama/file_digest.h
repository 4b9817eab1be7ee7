// The digest of a model file's content: BLAKE2b-256. Reading gigabytes takes seconds, so digests are remembered between
// processes in a file of the user's ($XDG_CACHE_HOME/kvc/digests, else ~/.cache/kvc/digests), by the file's device,
// inode, size, time of modification and time of change.
//
// A record that was damaged is not used: each carries a digest of itself. A file that was touched in the last two
// seconds is not remembered, because a further change might leave its times as they are. What is remembered is as
// trustworthy as the user's own files: who can write there can replace the model as well.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace kvc_llama {

using Digest = std::array<uint8_t, 32>;

// When a file is the same.
struct FileStamp {
  uint64_t device = 0, inode = 0, size = 0, modified_ns = 0, changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};

// Throws Failure (KVC_E_IO) if there is no such regular file.
FileStamp stamp_of(const std::string& path);

// The digest of a file; of a model in several parts (NAME-00001-of-00003.gguf), of all of them. Throws Failure.
Digest digest_of_model(const std::string& path);

// The digest of one file, remembered or computed. `cache` is the file of digests; "" for none.
Digest digest_of_file(const std::string& path, const std::string& cache);

// Where digests are remembered; "" if the user has no such place.
std::string digest_cache_path();

}  // namespace kvc_llama

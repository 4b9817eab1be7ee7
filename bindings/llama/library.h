// The llama.cpp library of this process: found and loaded once, checked against llama_abi.h, never unloaded.
//
// Where it is looked for, in this order: the place that is asked for (a file, or a folder), the environment variable
// KVC_LLAMA_LIB (the same), the folder of this module, ~/.cache/kvc/llama.cpp/lib (bindings/llama/setup), the system
// loader's path. A place that is asked for and does not
// hold a usable library is an error; the search does not go on.
//
// Threads: any.
#pragma once

#include <string>

#include "llama_abi.h"

namespace kvc_llama {

struct Library {
#define KVC_LLAMA_MEMBER(result, name, parameters) result(*name) parameters = nullptr;
  KVC_LLAMA_FUNCTIONS(KVC_LLAMA_MEMBER)
#undef KVC_LLAMA_MEMBER
  std::string path;     // of the file that was loaded
  std::string version;  // as llama_version() says it
  // Defaults as the library gives them: the start of every set of parameters.
  model_params model_defaults{};
  context_params context_defaults{};
};

// The library; loads it the first time. Throws Failure (KVC_E_UNSUPPORTED) with what was looked for and why it does not
// do. A later call that names another place gets an error: one process has one llama.cpp.
const Library& load_library(const std::string& place);

// The llama.cpp that the host program itself is linked to or has loaded globally, for the adapter. Its log and its
// backends are the host's business and are left alone.
const Library& host_library();

// The devices that compute, "CPU (sapphirerapids ...)".
std::string device_names(const Library& library);

// The last lines of llama.cpp's log that are errors or warnings since the call before; llama.cpp says in them why
// something failed. "" if there are none.
std::string take_log();

}  // namespace kvc_llama

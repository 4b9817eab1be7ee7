// Option values as text: "512MiB", "30s", "0.8", "on". Reading never looks at the locale.
//
// Every value has one canonical text, which is what kvc_config_get returns and what reads back as the same value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace kvc {

// Bytes: a number, also a fraction, and B, KB, KiB, MB, MiB, GB, GiB, TB or TiB in any case; no unit means bytes.
// With `percent`, "25%" is that share of the machine's memory.
Status parse_size(std::string_view text, bool percent, uint64_t* bytes);
// Nanoseconds: a number, also a fraction, and ns, us, ms or s; no unit means nanoseconds.
Status parse_time(std::string_view text, uint64_t* ns);
Status parse_integer(std::string_view text, uint64_t* value);
Status parse_real(std::string_view text, double* value);
// true, false, 1, 0, on, off, yes, no
Status parse_switch(std::string_view text, bool* value);

std::string format_size(uint64_t bytes);  // in the largest binary unit that divides it: "512MiB", "1000B"
std::string format_time(uint64_t ns);     // in the largest unit that divides it: "30s", "1500us"
std::string format_real(double value);    // the shortest text that reads back equal

// What this machine, or the container that the process runs in, has of main memory; 0 if it cannot be told.
uint64_t machine_memory() noexcept;

}  // namespace kvc

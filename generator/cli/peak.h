// What this machine's dot product can do at best, measured now: the yardstick of `octet bench`.
#pragma once

#include "targets/target.h"

namespace octet::cli {

// Multiply-accumulates per second of `threads` threads that only run the target's fastest dot on registers; 0 where
// there is no machine code for the target. Takes some 10 ms.
double measured_peak(const Target& target, int threads);

}  // namespace octet::cli

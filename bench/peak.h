// What the machine could do at most: the yardstick of every "share of peak".
#pragma once

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

// Measured now, in a few milliseconds, by the target's best dot form on nothing but registers: u8 x s8 multiplications
// with accumulation, in units of 1e9 per second on one core. 0 where this machine cannot run the target's machine code.
double peak_gmacs(const Target& target);

// What the probe runs.
Program peak_program(const Target& target);

}  // namespace octet

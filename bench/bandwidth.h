// What a core moves to and from each level of memory: the other half of a roofline, next to peak.h.
#pragma once

#include <cstdint>
#include <vector>

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

struct Bandwidth {
  const char* level;  // "L1", "L2", "L3", "DRAM"
  int64_t bytes = 0;  // of the buffer that was gone through: well inside the level, well beyond the one before
  double read = 0;    // bytes per second
  double copy = 0;    // bytes read plus bytes written per second
};

// Measured now, in about a fifth of a second, by the target's widest vectors on one core; nearest level first. Where
// the system does not report sizes, those of a Zen 4 core are taken. Empty where this machine cannot run the target's
// machine code.
std::vector<Bandwidth> measure_bandwidth(const Target& target);

// What the probe runs: `bytes` (a multiple of 1024) are read `passes` times into registers, or half of them are copied
// to the place that OCTET_DST points to.
Program read_program(const Target& target, int64_t bytes, int passes);
Program copy_program(const Target& target, int64_t bytes, int passes);

}  // namespace octet

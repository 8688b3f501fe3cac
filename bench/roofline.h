// The least time that a machine can take for a kernel: its multiply-accumulates at the measured peak, or its bytes at
// the measured bandwidth of the level of memory that holds them.
#pragma once

#include <vector>

#include "bench/bandwidth.h"
#include "generator/kernel/spec.h"
#include "generator/schedule/cost.h"
#include "targets/target.h"

namespace octet {

// What was measured of this machine, for one target.
struct Machine {
  int threads = 1;
  double macs_per_second = 0;        // of all threads at once; 0 where the target has no machine code
  std::vector<Bandwidth> bandwidth;  // of one thread, by Level; empty where the target has no machine code
};
Machine measure_machine(const Target& target, int threads);
// The clock of a shared machine drifts: measures the peak once more and keeps the better.
void measure_peak_again(Machine& machine, const Target& target);

struct Roofline {
  double compute = 0, memory = 0;  // seconds; all threads share the work
  const char* level = "";          // of memory that most of `memory` goes to
  double seconds() const { return compute > memory ? compute : memory; }
  // "compute", a level's name, or "overhead" where the call around the kernel takes longer than both.
  const char* bound() const;
};

// In a network that touches `network_bytes` (constants and arena) in a run. Work and bytes are those of the kernel's
// own form, where `cost` knows them: taps that lie in the padding are no work. All zero where nothing was measured.
Roofline roofline(const KernelSpec& spec, const Cost& cost, int64_t network_bytes, const Machine& machine);

}  // namespace octet

// How long a kernel takes, in cycles of one core, from its spec and schedule alone: what chooses between schedules,
// shares layers among threads and stands beside the measurement in `octet explain`. Constants: cost_table.h.
//
// cycles = max(core + exposed, stream). `core` is the time with all operands in the nearest cache, `exposed` what is
// waited for in spite of prefetching where they come from further away, `stream` the time their bytes take at best.
#pragma once

#include <cstdint>

#include "generator/kernel/spec.h"
#include "generator/schedule/cost_table.h"
#include "generator/schedule/depthwise.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

// Bytes that a kernel moves, each counted once however often it is used.
struct Traffic {
  int64_t activations = 0;  // sources and destination, with the gaps that their pitch leaves
  int64_t constants = 0;    // weights, biases, tables
  int64_t bytes() const { return activations + constants; }
};
Traffic traffic(const KernelSpec& spec);

enum class Level : uint8_t { l1, l2, l3, dram };
const char* level_name(Level level);  // "L1", "L2", "L3", "DRAM"
Level level_of(int64_t bytes);        // the nearest level that holds so many bytes on a Zen 4 server core

// Which level holds a kernel's operands when it starts. Activations were just written by the layer before: where all of
// this layer's fit. Constants were last used a whole run ago: where everything fits that a run touches.
struct Residence {
  Level activations = Level::l2, constants = Level::l3;
};
// `network_bytes`: all constants and the arena; 0: this kernel's own.
Residence residence(const Traffic& traffic, int64_t network_bytes);

// Multiply-accumulates that are carried out: without the taps in the padding.
int64_t executed_macs(const ConvSpec& spec);

// What is known of one kernel before it runs.
struct Cost {
  double core = 0;  // cycles; 0: nothing is known (no cost table, or a reference)
  Traffic traffic;
  int64_t macs = 0;  // carried out, those of 16-bit words counted twice as the time that they take
};
// Convolutions as merge_groups leaves them.
Cost cost_of(const ConvSpec& spec, const ConvSchedule& schedule, const CostTable& table);
Cost cost_of(const ConvSpec& spec, const DepthwiseSchedule& schedule, const CostTable& table);
Cost cost_of(const KernelSpec& spec, const CostTable& table);  // every op but convolutions

// Cycles of the kernel inside a network that touches `network_bytes` in a run; 0 where nothing is known.
double total_cycles(const Cost& cost, int64_t network_bytes, const CostTable& table);

// The same for a layer without a schedule yet, by the one that choose_conv or choose_depthwise would take for weights
// that let the best dot form be used. 0 where there is no table for the target.
double predict_cycles(const KernelSpec& spec, const Target& target, int64_t network_bytes = 0);

}  // namespace octet

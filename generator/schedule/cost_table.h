// What the cost model (cost.h) knows of a target on the machine that it was measured on: one row of constants each.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "targets/target.h"

namespace octet {

// Every op but convolutions: cycles for 16 outputs, and for 16 operands of a window.
struct OpCost {
  std::string_view op;  // spec_op_name
  double outputs = 0;
  double taps = 0;
};

// Cycles unless said otherwise. A "vector" is a register of s32 lanes; a "full" one is as wide as the target's.
struct CostTable {
  const char* target;
  const char* machine;    // where the constants come from
  double clock;           // Hz under this target's vector load
  double macs_per_cycle;  // of the best dot form, on registers alone
  int vector_bytes;       // of a full vector

  // Convolutions, per k-step: four input channels of one tap.
  std::array<double, 4> dot;               // one full vector, by DotForm; matched ones have several forms
  std::array<double, 4> activation_split;  // one pixel made ready for all of its dots, by DotForm
  double permutation;                      // matched: one chunk of a pixel to the scratch
  double narrow;                           // share of a full vector's time that a half or quarter vector takes
  double dot_latency;                      // before an accumulator can take its next dot
  double weight_load;                      // a full vector of weights from the nearest cache
  double weight_stream;                    // the same where a block's weights are more than that cache keeps
  double activation_load;                  // one pixel
  double share_lost;                       // of the k-steps' time, to addresses and jumps

  // Convolutions, around the k-steps.
  std::array<double, 3> epilogue;  // requantize and store a vector of a group of 1, 2 or 4
  double residual;                 // more, where another tensor is added
  double tile;                     // a register tile
  double kernel_row;               // the loops of one kernel row of a tile

  // Winograd, per full vector: a pair of input channels against a vector of output channels; a vector of words of the
  // inputs of one tile, from bytes to 36 points; a vector of sums of one tile, 36 points to 16 pixels, without what
  // `epilogue` counts. pair_dot 0: never measured.
  double pair_dot = 0, tile_inputs = 0, tile_sums = 0;

  // Depthwise, per vector.
  double interleave;                    // of one input column
  double interleave_unaligned;          // more, where pixels are no whole vectors apart
  std::array<double, 3> dot_depthwise;  // by DotForm
  double epilogue_depthwise;

  double kernel;  // call and set-up
  // By Level: what a byte from there adds to the core's time, and bytes a cycle when nothing else is done.
  std::array<double, 4> exposed;
  std::array<double, 4> bytes_per_cycle;
  std::vector<OpCost> ops;
};

// nullptr where nothing was measured (scalar): then nothing is predicted, and rules alone choose schedules.
const CostTable* cost_table(const Target& target);

}  // namespace octet

// Register tiles of convolutions: the candidates, and which of them to take.
#pragma once

#include <string>
#include <vector>

#include "generator/kernel/spec.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

constexpr int kMostUnroll = 8;

std::string to_string(const Tiling& tiling);  // "v4 a28 u1"

// Sets the tiling, the blocks and the unrolling of a schedule whose dot form is decided. A tiling with more
// accumulators than the registers allow gets as many as they do.
void apply(const Tiling& tiling, const ConvSpec& spec, const Target& target, ConvSchedule& schedule);

// Candidates that lead to different tiles, at most six; the first is the one that rules made from measurements take.
// Reads the schedule's dot form and register budget.
std::vector<Tiling> tilings(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target);

// The candidate that the cost model finds cheapest; the first one where it sees no clear difference or has no constants
// for the target.
Tiling choose_tiling(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target);

// What is worth measuring: choose_tiling's answer, then candidates that the cost model cannot tell from it, and other
// unrollings; at most six.
std::vector<Tiling> tilings_to_measure(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target);

// A layer in a file of measured choices: all that a choice depends on. On one line, without " | ".
std::string tuned_layer(const ConvSpec& spec, const ConvSchedule& schedule);

// As `choice` says: a measured tiling, a candidate to be measured, or else choose_tiling's.
Tiling pick_tiling(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target,
                   const TilingChoice& choice);

}  // namespace octet

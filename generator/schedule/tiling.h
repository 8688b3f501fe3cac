// Register tiles of convolutions: the candidates, and which of them to take.
#pragma once

#include <string>
#include <vector>

#include "generator/kernel/spec.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

// What a register tile is made from; everything else about it follows from the spec. A measured choice is stored as
// this (see tune), so its meaning must not depend on the rules below.
struct Tiling {
  int vectors = 4;        // of output channels in a block, at most
  int accumulators = 28;  // of a tile, at most
  int unroll = 1;         // k-steps per loop trip
  bool operator==(const Tiling&) const = default;
};
std::string to_string(const Tiling& tiling);  // "v4 a28 u1"

// Sets the blocks and the unrolling of a schedule whose dot form is decided.
void apply(const Tiling& tiling, const ConvSpec& spec, const Target& target, ConvSchedule& schedule);

// Candidates that lead to different tiles, at most six; the first is the one that rules made from measurements take.
// Reads the schedule's dot form and register budget.
std::vector<Tiling> tilings(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target);

// The candidate that the cost model finds cheapest; the first one where it sees no clear difference or has no constants
// for the target.
Tiling choose_tiling(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target);

}  // namespace octet

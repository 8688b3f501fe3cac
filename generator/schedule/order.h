// What must wait for what when several threads share the steps of a network. Knows bytes, not graphs: where two steps
// touch the same bytes and one of them writes, the later one waits, whatever the reason (a value, or memory that the
// plan gave to two tensors one after the other).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/plan.h"

namespace octet {

// `rows` stretches of `bytes`, `pitch` apart, in one of the spaces of OctetSpace.
struct Region {
  uint32_t space = 0, index = 0;
  int64_t begin = 0, rows = 1, bytes = 0, pitch = 0;
};

// Whether the regions have a byte in common; may say yes of regions with different pitches that interleave.
bool overlap(const Region& a, const Region& b);

// How many bytes they have in common; an estimate where the pitches differ.
int64_t common_bytes(const Region& a, const Region& b);

struct StepAccess {
  uint32_t thread = 0;
  uint32_t group = 0;  // steps of one group are independent of each other, whatever their regions seem
  std::vector<Region> reads, writes;
};

// As few waits as make every run equal to one in the order of `steps`; sorted by step.
std::vector<StepWait> order(std::span<const StepAccess> steps);

}  // namespace octet

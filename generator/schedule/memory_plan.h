// Sizes and lifetimes in, offsets out. The planner knows nothing of graphs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace octet {

struct Buffer {
  int64_t bytes = 0;
  int first = 0, last = 0;  // steps at which it is first written and last read, both included
};

struct MemoryPlan {
  std::vector<int64_t> offset;  // one per buffer, aligned to 64
  int64_t arena_bytes = 0;
};

enum class PlanMode {
  reuse,     // buffers that never live together share memory
  separate,  // every buffer for itself: to bisect bugs, and to read any tensor after a run
};

// Every buffer gets `slack` readable bytes behind it that may overlap later buffers (reads only) but not the arena's
// end. Always checks that no two living buffers overlap; internal error if they do.
MemoryPlan plan_memory(std::span<const Buffer> buffers, PlanMode mode, int64_t slack);

// Text picture: steps across, arena down; one letter per buffer.
std::string picture(std::span<const Buffer> buffers, const MemoryPlan& plan, int columns = 96, int rows = 24);

}  // namespace octet

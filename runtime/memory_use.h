// What this process holds in memory, for reports.
#pragma once

#include <cstddef>

namespace octet {

struct MemoryUse {
  size_t resident = 0;  // bytes now
  size_t peak = 0;      // the most there ever were
};

// Zeros where the system does not say (/proc/self/status).
MemoryUse memory_use();

}  // namespace octet

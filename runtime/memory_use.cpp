#include "runtime/memory_use.h"

#include <cstdio>

namespace octet {

MemoryUse memory_use() {
  MemoryUse use;
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (!status) return use;
  char line[256];
  for (size_t kib; std::fgets(line, sizeof line, status);) {
    if (std::sscanf(line, "VmRSS: %zu", &kib) == 1) use.resident = kib << 10;
    if (std::sscanf(line, "VmHWM: %zu", &kib) == 1) use.peak = kib << 10;
  }
  std::fclose(status);
  return use;
}

}  // namespace octet

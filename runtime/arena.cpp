#include "runtime/arena.h"

#include <cstring>

namespace octet {

AlignedBytes allocate_aligned(size_t bytes) {
  const size_t rounded = (bytes + OCTET_SLACK_BYTES + OCTET_ALIGNMENT - 1) / OCTET_ALIGNMENT * OCTET_ALIGNMENT;
  void* p = std::aligned_alloc(OCTET_ALIGNMENT, rounded);
  if (!p) user_error("out of memory: " + std::to_string(rounded) + " bytes asked for");
  std::memset(p, 0, rounded);
  return AlignedBytes(static_cast<uint8_t*>(p));
}

}  // namespace octet

// Aligned memory that a context owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "runtime/abi.h"
#include "runtime/status.h"

namespace octet {

struct FreeDeleter {
  void operator()(void* p) const { std::free(p); }
};
using AlignedBytes = std::unique_ptr<uint8_t[], FreeDeleter>;

// Zeroed, OCTET_ALIGNMENT-aligned, with OCTET_SLACK_BYTES readable behind the end.
AlignedBytes allocate_aligned(size_t bytes);

}  // namespace octet

#pragma once

#include <cstddef>

namespace octet {

// The first multiple of `to` that is no less than `bytes`.
inline size_t align_up(size_t bytes, size_t to) {
  return (bytes + to - 1) / to * to;
}

}  // namespace octet

// The whole buffers that a kernel's arguments point into, guards and slack included: an engine that runs elsewhere
// takes them there and brings them back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace octet {

using Memory = std::vector<std::span<const uint8_t>>;

template <class T>
std::span<const uint8_t> memory_of(const std::vector<T>& v) {
  return {reinterpret_cast<const uint8_t*>(v.data()), v.size() * sizeof(T)};
}

}  // namespace octet

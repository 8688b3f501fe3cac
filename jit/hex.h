// Bytes as text, two digits each.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace octet {

inline std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t b : bytes) {
    text += "0123456789abcdef"[b >> 4];
    text += "0123456789abcdef"[b & 15];
  }
  return text;
}

}  // namespace octet

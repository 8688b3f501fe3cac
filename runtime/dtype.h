// Element types of tensors, shared by the generator and the runtime.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octet {

enum class DType : uint8_t { f32, u8, s8, s32, s64, boolean };

inline const char* dtype_name(DType dtype) {
  static const char* const names[] = {"f32", "u8", "s8", "s32", "s64", "bool"};
  return names[static_cast<size_t>(dtype)];
}

inline size_t dtype_bytes(DType dtype) {
  static const size_t bytes[] = {4, 1, 1, 4, 8, 1};
  return bytes[static_cast<size_t>(dtype)];
}

}  // namespace octet

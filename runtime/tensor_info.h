// What a caller needs to know about a graph input or output. Part of the public API (octet.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dtype.h"  // beside this file, here and where it is installed

namespace octet {

// A graph input or output: dense, row-major, in the file's own order of dimensions.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  // How the network quantizes this tensor where it enters or leaves (scale 0: it does not). An f32 input may then be
  // given as integers of `quantized` type, and an f32 output read as such, by whoever converts at the edge.
  DType quantized = DType::u8;
  float scale = 0;
  int32_t zero_point = 0;

  int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
  size_t bytes() const { return static_cast<size_t>(elements()) * dtype_bytes(dtype); }
};

}  // namespace octet

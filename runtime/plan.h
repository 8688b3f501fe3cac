// A network as flat data: what an executor needs to run it, and what a caller needs to know about its tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/abi.h"
#include "runtime/dtype.h"

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

// Where an inner tensor lives while the network runs.
struct TensorPlace {
  std::string name;
  DType dtype = DType::u8;           // s8 tensors are stored as q ^ 0x80
  std::vector<int64_t> shape;        // as stored: last dimension contiguous, rows of it `pitch` apart
  std::vector<int64_t> file_shape;   // as in the file
  bool channels_last = false;        // stored n, h, w, c where the file has n, c, h, w
  int64_t pitch = 0;                 // bytes
  OctetRef ref{};
};

struct Plan {
  std::vector<OctetStep> steps;
  std::vector<uint8_t> blob;     // packed weights, constants, parameters; wants OCTET_ALIGNMENT
  int64_t arena_bytes = 0;       // slack included
  std::vector<TensorInfo> inputs, outputs;
  std::vector<TensorPlace> tensors;  // every quantized tensor that survived fusion
};

}  // namespace octet

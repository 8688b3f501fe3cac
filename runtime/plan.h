// A network as flat data: what an executor needs to run it, and what a caller needs to know about its tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/abi.h"
#include "runtime/blob.h"
#include "runtime/dtype.h"
#include "runtime/tensor_info.h"

namespace octet {

// Where an inner tensor lives while the network runs.
struct TensorPlace {
  std::string name;
  DType dtype = DType::u8;
  bool quantized = true;            // then s8 is stored as q ^ 0x80; else dense and as in the file
  std::vector<int64_t> shape;       // as stored: last dimension contiguous, rows of it `pitch` apart
  std::vector<int64_t> file_shape;  // as in the file
  bool channels_last = false;       // stored n, h, w, c where the file has n, c, h, w
  int64_t pitch = 0;                // bytes
  OctetRef ref{};
};

// `step` may not start before `on`, an earlier step of another thread, has finished.
struct StepWait {
  uint32_t step, on;
  bool operator==(const StepWait&) const = default;
};

struct Plan {
  std::vector<OctetStep> steps;
  int threads = 1;
  std::vector<uint32_t> thread_of;  // per step, which thread runs it, in the order of steps; empty: all thread 0
  std::vector<StepWait> waits;      // by step; with each thread's own order they make any run equal to one thread's
  Blob blob;
  int64_t arena_bytes = 0;  // slack included
  std::vector<TensorInfo> inputs, outputs;
  std::vector<TensorPlace> tensors;  // every inner tensor that survived fusion
};

}  // namespace octet

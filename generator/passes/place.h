// Where each tensor lives: which root buffer, at which offset, at which pitch. Concats are free where their inputs can
// be written straight into a slice of the output; reshapes, channel slices and requantizations that keep every storage
// byte are views.
#pragma once

#include <vector>

#include "generator/graph/graph.h"

namespace octet {

struct Place {
  TensorId root = kNoTensor;  // the tensor whose buffer this one is part of (itself for most)
  int64_t offset = 0;         // bytes from the root's first byte
  int64_t pitch = 0;          // bytes between rows of the last dimension (pixels)
};

// One place per tensor of the (channels-last) graph. With `views` false channel slices and concats copy: for
// bisecting.
std::vector<Place> place_tensors(const Graph& graph, bool views = true);

// A constant as kernels read it, with slack behind: of a quantized one storage bytes (spec.h) in rows of `pitch` bytes.
std::vector<std::byte> stored_constant(const Tensor& constant, int64_t pitch);

}  // namespace octet

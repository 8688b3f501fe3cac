// Where a resize outside of int8 looks along one axis, as the file's formula says (graph.h): `in` elements become
// `out`.
#pragma once

#include <cstdint>
#include <vector>

#include "generator/graph/graph.h"

namespace octet {

// Where output index `o` lies among the input's, in binary32.
float resize_source(const Resize& resize, size_t axis, int64_t in, int64_t out, int64_t o);

// Mode nearest: the input index that it takes.
int32_t nearest_pixel(const Resize& resize, size_t axis, int64_t in, int64_t out, int64_t o);

// Sums of weighted elements: `count` of them for every output index.
struct Taps {
  int64_t count = 0;
  std::vector<int32_t> index;
  std::vector<float> weight;
};

// Modes linear and cubic, in binary64 rounded once. With d the distance from the source, the kernel is max(1 - |d|, 0),
// or of the free coefficient a (ONNX, Keys 1981):
//   |d| <= 1: (a + 2) |d|^3 - (a + 3) |d|^2 + 1;  |d| < 2: a |d|^3 - 5a |d|^2 + 8a |d| - 4a
// antialias: d is in units of elements of the result where these are larger. Weights are divided by their sum; elements
// outside are the nearest inside, or none (exclude_outside).
Taps resize_taps(const Resize& resize, size_t axis, int64_t in, int64_t out);
int64_t tap_count(const Resize& resize, size_t axis, int64_t in, int64_t out);  // Taps::count alone

}  // namespace octet

// Ops outside of int8: a table of nodes with the types and shapes of their tensors, values for them, and what they mean
// in binary64.
#pragma once

#include <string>
#include <vector>

#include "generator/graph/graph.h"

namespace octet {

struct IslandTensor {
  DType dtype = DType::f32;
  Shape shape;
  bool constant = false;
  bool absent = false;           // an optional input that is not given
  int64_t least = -9, most = 9;  // of integers
};

struct IslandCase {
  std::string name;
  Node node;  // without tensors
  std::vector<IslandTensor> inputs, outputs;
  double tolerance = 0;  // of floats, relative to the largest expected value
  bool channels_last = false;
};

using IslandValues = std::vector<std::vector<double>>;  // row-major, one per tensor

// Every op with every type that it takes, shapes of rank 0 to 6, broadcasts, axes at both ends, odd sizes.
std::vector<IslandCase> island_cases();

// Values of the inputs; floats have infinities and NaN where the op defines what becomes of them.
IslandValues island_values(const IslandCase& c, uint32_t seed);

// One per output, as the op's definition has them.
IslandValues island_meaning(const IslandCase& c, const IslandValues& inputs);

}  // namespace octet

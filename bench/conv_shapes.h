// Convolution layers from text files, for benchmarks and tests alike.
#pragma once

#include <string>
#include <vector>

#include "generator/kernel/spec.h"

namespace octet {

// One line of tests/shapes/*.txt: `[nN] IHxIWxIC -> OC [kKHxKW] [sSHxSW] [dDHxDW] [pTOP,LEFT,BOTTOM,RIGHT] [gGROUPS]
// network:layer`; k3 means k3x3, p1 all four sides. Geometry only; `name` is the network:layer.
struct ConvShape {
  std::string name;
  ConvSpec spec;
};
std::vector<ConvShape> read_conv_shapes(const std::string& file);
ConvShape parse_conv_shape(const std::string& line);

}  // namespace octet

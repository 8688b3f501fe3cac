// The accumulators of convolutions and linear layers, and the windows that feed them.
#pragma once

#include <vector>

#include "generator/graph/graph.h"

namespace octet {

// How many taps of a window lie inside the image along one dimension: the fewest and the most of all its positions.
struct TapsInside {
  int fewest = 0, most = 0;
  bool operator==(const TapsInside&) const = default;
};
TapsInside taps_inside(int in, int out, int taps, int stride, int dilation, int pad_before);

// Whether some window of a convolution or pool (channels last) has taps outside the image.
bool reads_padding(const Graph& graph, const Node& node);

// The s32 bias of a conv or linear, zeros where there is none; and its float bias where the profile keeps those (then
// the other is zeros), else nothing.
std::vector<int32_t> bias_of(const Graph& graph, const Node& node);
std::vector<float> float_bias_of(const Graph& graph, const Node& node);

// Per output channel of a conv or linear (channels last), the bias included.
std::vector<SumRange> sums_of(const Graph& graph, const Node& node);

}  // namespace octet

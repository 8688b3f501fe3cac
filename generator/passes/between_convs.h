// Tensors that only convolutions see.
#pragma once

#include <vector>

#include "generator/graph/graph.h"
#include "generator/passes/place.h"

namespace octet {

// For every tensor of the graph, whether its whole buffer (its place's root) is written by convolutions, read by
// convolutions and seen by nobody else. In what form its bytes lie there is then up to them (ConvSpec::Flips).
std::vector<bool> between_convs(const Graph& graph, const std::vector<Place>& places);

}  // namespace octet

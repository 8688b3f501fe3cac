// What the lowerings of ops outside of int8 share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "generator/passes/lowering.h"
#include "runtime/status.h"

namespace octet {

inline const Node& node_of(const Lowering& to, int node) {
  return to.graph.nodes[static_cast<size_t>(node)];
}

// The last entries of a parameter's array, the others being `rest`.
template <size_t N>
void fill_last(const Lowering& to, int node, int64_t (&array)[N], const std::vector<int64_t>& values, int64_t rest) {
  if (values.size() > N)
    user_error(fmt::format("{}: works in {} dimensions that cannot be joined; supported are {}",
                           describe(node_of(to, node)), values.size(), N));
  std::fill(std::begin(array), std::end(array), rest);
  std::copy(values.begin(), values.end(), std::end(array) - values.size());
}

void lower_float_image(Lowering& to, int node);  // convolutions, linear layers, pools
void lower_gather(Lowering& to, int node);       // gather, gather_nd, nearest resize: elements of any type

}  // namespace octet

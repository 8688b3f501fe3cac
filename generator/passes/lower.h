// Graph nodes -> kernel calls: specs complete with pitches, and the data they read, unpacked.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/kernel/spec.h"
#include "generator/passes/place.h"
#include "runtime/abi.h"

namespace octet {

struct LoweredNode {
  int node = 0;  // index into graph.nodes; a concat may give several
  KernelSpec spec;
  TensorId src = kNoTensor, src2 = kNoTensor, dst = kNoTensor;
  std::vector<std::pair<OctetArg, TensorId>> operands;  // further tensors that are read whole
  int64_t src_offset = 0, dst_offset = 0;  // bytes beyond the tensors' places (a concat's slice, a slice's start)
  ConvData conv;                           // conv only
  // Everything else: raw data by OctetArg (tables by OCTET_WEIGHTS, f32 vectors by OCTET_SCALE and OCTET_BIAS).
  std::array<std::vector<std::byte>, OCTET_ARG_COUNT> data;
};

// The graph has been through all passes; `take` sees its kernel calls one after the other, in order. Nodes that are
// pure views (their output's place lies in an input's place, or an input's place lies in the output's) give nothing.
// User errors name node and channel (accumulators that could leave s32, multipliers outside numerics.md section 1).
void lower_each(const Graph& graph, const std::vector<Place>& places, const std::function<void(LoweredNode&)>& take);

// The same as a list, which holds the weights of the whole network once more.
std::vector<LoweredNode> lower(const Graph& graph, const std::vector<Place>& places);

}  // namespace octet

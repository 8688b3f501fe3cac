// A network's layers shared among threads: which are split, in which way, and whose every part is. A greedy choice,
// layer by layer, by predicted time; it knows whose cache holds what, so layers in a row tend to be cut at the same
// rows.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "generator/schedule/split.h"

namespace octet {

// How many cycles a kernel takes on one core; 0: unknown, then it is not split.
using Cycles = std::function<double(const KernelSpec&)>;

// Where an operand of a layer starts. Buffers are numbered by the caller; -1: none that a layer writes.
struct Operand {
  int64_t buffer = -1, offset = 0;
};
struct Layer {
  KernelSpec spec;
  Operand src, src2, dst;
};

// What sharing costs, in cycles; measured on a Zen 4 server with both cores at one L3.
struct SharingCosts {
  double wake = 8000;        // once a run: starting the threads, and meeting at the end
  double step = 600;         // once a layer that is shared: the others are never done at the same moment
  double remote_byte = 0.3;  // reading what another core wrote: 0.1 where they share their L3, 0.5 where they do not
  double shared_row = 80;    // parts that end inside a cache line, in every row of the destination
};

struct Share {
  Part part;
  uint32_t thread = 0;
};

// The shares of every layer, at most one for each thread. All is thread 0's where sharing would gain less than it
// costs.
std::vector<std::vector<Share>> share(const std::vector<Layer>& layers, int threads, const Cycles& cycles,
                                      const SharingCosts& costs = {});

}  // namespace octet

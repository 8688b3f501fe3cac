// One layer as independent parts for several threads. A part is an ordinary spec (fewer rows with the padding that is
// left to them, or fewer output channels) plus offsets, so nothing behind this knows about threads.
#pragma once

#include <cstdint>
#include <vector>

#include "generator/kernel/spec.h"

namespace octet {

struct Part {
  KernelSpec spec;
  int64_t src_offset = 0, src2_offset = 0, dst_offset = 0;  // bytes
  int oc_begin = 0, oc_count = 0;                           // conv: the output channels whose data this part needs
};

// At most `threads` parts; one (the spec itself) where splitting does not pay or is not possible. The parts write
// disjoint bytes and together exactly what the whole writes.
std::vector<Part> split(const KernelSpec& spec, int threads);

// The data of output channels [begin, begin + count).
ConvData select_channels(const ConvSpec& spec, const ConvData& data, int begin, int count);

}  // namespace octet

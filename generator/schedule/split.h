// One layer as independent parts for several threads. A part is an ordinary spec (fewer images, rows, pixels or
// channels) plus offsets, so nothing behind this knows about threads.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "generator/kernel/spec.h"

namespace octet {

struct Part {
  KernelSpec spec;
  int64_t src_offset = 0, src2_offset = 0, dst_offset = 0;  // bytes
  int oc_begin = 0, oc_count = 0;                           // conv: the output channels whose data this part needs
};

// The layer as one part.
Part unsplit(const KernelSpec& spec);

// Every way to make 2 to `threads` parts of a layer, none where there is no way. The parts of a way write disjoint
// bytes and together exactly what the whole writes.
std::vector<std::vector<Part>> splits(const KernelSpec& spec, int threads);

// The data of output channels [begin, begin + count).
ConvData select_channels(const ConvSpec& spec, const ConvData& data, int begin, int count);

// The bytes of one operand: `rows` stretches of `bytes`, `pitch` apart.
struct Rows {
  int64_t rows = 0, bytes = 0, pitch = 0;
};

// What a kernel reads and writes, from its pointers on. Nothing for ops that are never split.
struct Footprint {
  Rows src, src2, dst;
};
std::optional<Footprint> footprint(const KernelSpec& spec);

}  // namespace octet

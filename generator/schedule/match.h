// Which input channels share a 16-bit sum of vpmaddubsw. A pair of channels can saturate for the weights of one output
// channel and be harmless for another, so the channels are re-paired for every block of output channels and tap: a byte
// permutation of the activations, which costs far less than 16-bit products for the whole layer.
#pragma once

#include <cstdint>
#include <vector>

#include "generator/kernel/spec.h"
#include "generator/schedule/schedule.h"

namespace octet {

struct ChannelMatch {
  std::vector<ChunkRun> runs;
  std::vector<ChunkOrder> orders;
  // Chunks by the best form that was found for them; `moved` have an order other than the memory's.
  int64_t chained = 0, paired = 0, partly = 0, widened = 0, moved = 0;
  // Time per product against plain maddubs, as measured on a Zen 4 (generator/schedule/README.md).
  double cost = 0;
};

// For every group, block, weight term and tap of the layer, in this order, its chunks: first those that run chained,
// then as maddubs, then with more and more k-steps widened. Every tap has as many of each as the worst one needs, so
// that one loop nest serves all. The bytes of an activation are in data.source. Gives up where hardly anything can be
// matched: `runs` are empty then.
ChannelMatch match_channels(const ConvSpec& spec, const ConvData& data, const std::vector<OcBlock>& blocks);

}  // namespace octet

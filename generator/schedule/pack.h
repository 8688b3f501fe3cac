// Weights, biases and multipliers in the order in which a convolution kernel reads them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "generator/kernel/spec.h"
#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {

// Order, outermost first: group, block of output channels, then
//   weights  term, kh, kw, 4 input channels (one k-step), vector, lane, e < 4: one byte each; where the dot is widened,
//            per vector first e = 0, 2 of every lane and then e = 1, 3, as s16; where it is matched, every tap begins
//            with the headers of its chunks (ChunkHeader), in the order of the schedule's runs, and then come the
//            k-steps of these chunks, widened or not as the run says;
//            where it is a matrix, two k-steps together: vector, lane, eight input channels;
//   bias     pixel class (rows outer), vector, lane: bias - zero_of(spec, dot) * sum of the weights of the taps that
//   exist; scale    vector, word (scales.h), lane.
// Channels beyond oc and beyond ic have zero weights, zero bias and zero scale.
struct PackedConv {
  std::vector<int8_t> weights;
  std::vector<int32_t> bias;
  std::vector<uint32_t> scale;
};
PackedConv pack_conv(const ConvSpec& spec, const ConvSchedule& schedule, const ConvData& data);

// The weights again, for tests.
std::vector<int8_t> unpack_weights(const ConvSpec& spec, const ConvSchedule& schedule, const PackedConv& packed);

// The permutation of a chunk's activations, and where they start in a pixel's channels.
struct ChunkHeader {
  std::array<uint8_t, kChunkChannels> order;
  int64_t channel;
  std::array<uint8_t, 24> padding;
};
static_assert(sizeof(ChunkHeader) == 64);

// K-steps of one tap with so many input channels: four each; matrices take them by twos.
int step_count(int ic, DotForm dot);

// Bytes of one k-step of a block; of the k-steps of a chunk; of all that one tap has.
int step_bytes(const OcBlock& block, DotForm dot);
int chunk_bytes(const OcBlock& block, const ChunkRun& run);
int64_t tap_bytes(const OcBlock& block, const ConvSchedule& schedule, int steps);

// Grouped convolutions (depthwise excepted) whose groups are no multiple of 4 input and 4 output channels become fewer,
// larger groups with zero weights, which is exact; one group at the worst.
void merge_groups(ConvSpec& spec, ConvData& data);
int merged_groups(const ConvSpec& spec);  // how many groups that leaves

}  // namespace octet

// Schedule: how a kernel is computed. Builders and pack_conv read it; nothing else decides.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "generator/kernel/spec.h"
#include "targets/target.h"

namespace octet {

// Vectors of s32 lanes that the epilogue packs into one vector of bytes. Vector j, lane l holds channel
// 4 * vectors * (l / 4) + 4 * j + l % 4 of the group, so that packing inside 16-byte blocks leaves channels in order.
struct VectorGroup {
  int vectors = 1;  // 1, 2 or 4
  int bytes = 16;   // of each vector: 16, 32 or 64
  int oc = 0;       // first channel, relative to the block's first
  int channels() const { return vectors * bytes / 4; }
  int channel(int vector, int lane) const { return oc + 4 * vectors * (lane / 4) + 4 * vector + lane % 4; }
  bool operator==(const VectorGroup&) const = default;
};

// Output channels that one register tile covers; `count` equal blocks follow each other.
struct OcBlock {
  std::vector<VectorGroup> groups;
  int oc = 0, channels = 0, count = 1;
  int pixels = 1;  // of the register tile (winograd: tiles of 4x4); narrower by one where the row does not divide
  int vectors() const;
  int widest() const;  // bytes of its widest vector
  bool operator==(const OcBlock&) const = default;
};

// Input channels that the matched form permutes together: two 16-byte blocks, eight k-steps.
inline constexpr int kChunkChannels = 32;

// Chunks of one tap that are computed alike.
struct ChunkRun {
  DotForm form = DotForm::widened;  // chained, maddubs or widened
  int wide_steps = 0;               // the last k-steps of every 16 channels that are widened all the same
  int channels = kChunkChannels;    // fewer in the tail, which is the last run
  int count = 1;
  int steps() const { return (channels + 3) / 4; }
  DotForm form_of(int step) const;
  bool operator==(const ChunkRun&) const = default;
};

// Where the bytes of one chunk come from: byte i of its k-steps is channel `channel` + i / 16 * 16 + order[i].
struct ChunkOrder {
  std::array<uint8_t, kChunkChannels> order{};
  int32_t channel = 0;  // first, of the group's
  bool operator==(const ChunkOrder&) const = default;
};

// Covers round_up(channels, 4) channels, never more, by blocks of at most `max_vectors` vectors of at most
// `vector_bytes`: narrower vectors take the tail.
std::vector<OcBlock> split_channels(int channels, int max_vectors, int vector_bytes);

// Whose register budget a schedule keeps: a JIT's, or that of a C++ compiler (design/program.md 6.1).
enum class Emitter : uint8_t { jit, compiler };
int pixel_step(DotForm dot);  // pixels that are computed together: tiles are multiples of it, but for a row's last
Emitter emitter_of(const Target& target);  // of `--engine jit`; what is interpreted is meant for compilers
const char* dot_name(DotForm dot);

// What register tiles are made from; everything else about them follows from the spec. Measured choices are stored as
// this (tuned.h), so its meaning is not up to the rules that choose.
struct Tiling {
  int vectors = 4;        // of output channels in a block, at most
  int accumulators = 28;  // of a tile, at most
  int unroll = 1;         // k-steps per loop trip
  bool operator==(const Tiling&) const = default;
};

// Where 3x3 convolutions take the form `winograd`: nowhere, where it clearly pays, everywhere that it is exact (tests).
enum class WinogradUse : uint8_t { never, where_it_pays, everywhere };

// Who decides on the tiling, and what choose_conv may take.
class TunedTilings;
struct TilingChoice {
  const TunedTilings* tuned = nullptr;  // measurements, where they know the layer
  int candidate = 0;                    // of tilings_to_measure(), as far as there are so many; 0: cost model and rules
  WinogradUse winograd = WinogradUse::where_it_pays;
};

struct ConvSchedule {
  DotForm dot = DotForm::fused;
  int registers = 16;           // vector registers that the kernel may keep alive
  int unroll = 1;               // k-steps (4 input channels each) per loop trip
  Tiling tiling;                // what made the blocks
  std::vector<OcBlock> blocks;  // cover the output channels of one group
  // Where dot is matched: the chunks of every tap in the order of computing, and for every group, block, weight term
  // and tap what they hold. The orders are data like the weights: kernels of equal runs are equal.
  std::vector<ChunkRun> runs;
  std::vector<ChunkOrder> orders;
  std::string reason;  // why this dot form and this tile, in words
  int pixels() const;  // of the main tile
  int vectors() const;
  int chunks() const;         // of a tap, where dot is matched
  int scratch_pitch() const;  // bytes of one pixel's permuted activations
  bool operator==(const ConvSchedule&) const = default;
};

// What the kernel wants at OCTET_SCRATCH.
int scratch_bytes(const ConvSpec& spec, const ConvSchedule& schedule);

// One line; equal text if and only if the kernels are equal, given equal specs.
std::string to_string(const ConvSchedule& schedule);

// Dense and grouped convolution and linear; groups as merge_groups leaves them. Reads the weights only where the
// target's dot form needs a proof.
ConvSchedule choose_conv(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter,
                         const TilingChoice& choice = {});

// Whether choose_conv takes the form winograd, given weights for which it is exact.
bool winograd_wanted(const ConvSpec& spec, const Target& target, Emitter emitter, const TilingChoice& choice = {});

// The same where the dot form is known already.
ConvSchedule conv_schedule(const ConvSpec& spec, DotForm dot, const Target& target, Emitter emitter,
                           const TilingChoice& choice = {});

}  // namespace octet

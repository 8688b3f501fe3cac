#include <fmt/format.h>

#include <algorithm>

#include "generator/schedule/edges.h"
#include "generator/schedule/exactness.h"
#include "generator/schedule/match.h"
#include "generator/schedule/schedule.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Accumulators that leave room for what else lives in the inner loop: one activation and the weights of a step
// (fused); activation, ones, product (maddubs); activation, its halves, the mask, product (widened).
int accumulators(const Target& target, int registers, DotForm dot) {
  if (target.vector_bytes == 16) return 16;  // small vectors: the loop's other work is in proportion
  switch (dot) {
    case DotForm::fused: return registers - 4;
    case DotForm::maddubs:
    case DotForm::chained:
    case DotForm::matched: return registers - 6;
    case DotForm::widened: return std::max(8, registers - 8);
  }
  return 8;
}

// The widest tile of at most `most` accumulators such that all tiles of a row are equal or differ by one pixel.
int tile_pixels(int row, int vectors, int most) {
  int widest = std::max(1, most / vectors);
  // One vector of channels: four pixels make one store, and more than 8 buy nothing, but a short row is one tile.
  if (vectors == 1 && row > 14) widest = std::min(widest, 8);
  const int tiles = (row + widest - 1) / widest;
  return (row + tiles - 1) / tiles;
}

// Short loops pay for their jump; long ones do not, and edge tiles would fill the instruction cache.
int unroll_of(const ConvSpec& flat, int steps) {
  const bool one_tap = flat.window.kh * flat.window.kw == 1;
  if (!one_tap) return 1;
  if (flat.oh * flat.ow == 1) return 4;
  if (steps > 32) return 1;
  for (int u : {4, 3, 2})
    if (steps % u == 0) return u;
  return 1;
}

// Each tile permutes its activations for every block of output channels, which a few pixels do not repay.
bool matching_may_pay(const ConvSpec& spec) {
  return flattened(spec).ow >= 4 && spec.oc / spec.groups >= 8 && spec.ic / spec.groups >= kChunkChannels / 2;
}

// Where the target's dot needs a proof: plain maddubs where no pair saturates, else channels in another order, else
// wide. `match` is filled in where the answer is matched.
DotForm dot_form(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter, ChannelMatch& match,
                 std::string& reason) {
  if (target.best_dot != DotForm::maddubs) {
    reason = fmt::format("{} dot", dot_name(target.best_dot));
    return target.best_dot;
  }
  const PairScan scan = scan_pairs(spec, data, {data.source.lo, data.source.hi});
  if (scan.exact()) {
    reason = fmt::format("maddubs: none of {} weight pairs can saturate", scan.pairs);
    return DotForm::maddubs;
  }
  reason = fmt::format("{} of {} weight pairs could saturate maddubs", scan.saturating, scan.pairs);
  if (matching_may_pay(spec)) {
    constexpr double kWidenedCost = 1.38;  // in the units of ChannelMatch
    match = match_channels(spec, data, conv_schedule(spec, DotForm::matched, target, emitter).blocks);
    if (!match.runs.empty() && match.cost < kWidenedCost) {
      reason = fmt::format(
          "matched: {}, so {} of {} chunks of {} channels are re-ordered: {} can be chained, {} pair, {} pair in part, "
          "{} stay widened",
          reason, match.moved, match.orders.size(), kChunkChannels, match.chained, match.paired, match.partly,
          match.widened);
      return DotForm::matched;
    }
    reason += " and re-ordering channels helps too few";
  }
  reason = "widened: " + reason;
  return DotForm::widened;
}

}  // namespace

int OcBlock::vectors() const {
  int n = 0;
  for (const VectorGroup& g : groups) n += g.vectors;
  return n;
}

int OcBlock::widest() const {
  int bytes = 0;
  for (const VectorGroup& g : groups) bytes = std::max(bytes, g.bytes);
  return bytes;
}

std::vector<OcBlock> split_channels(int channels, int max_vectors, int vector_bytes) {
  std::vector<OcBlock> blocks;
  const int all = round_up(channels, 4);
  for (int oc = 0; oc < all;) {
    OcBlock block{.oc = oc};
    int left = max_vectors, bytes = vector_bytes;
    // A tail of less than a full vector joins the block before it, by at most two narrower vectors.
    for (int rest = all - oc; rest > 0 && (left > 0 || rest < vector_bytes / 4); rest = all - oc - block.channels) {
      while (bytes / 4 > rest) bytes /= 2;
      const int n = rest >= bytes && left >= 4 ? 4 : rest >= bytes / 2 && left >= 2 ? 2 : 1;
      block.groups.push_back({n, bytes, block.channels});
      block.channels += block.groups.back().channels();
      left -= n;
    }
    oc += block.channels;
    if (!blocks.empty() && blocks.back().groups == block.groups)
      ++blocks.back().count;
    else
      blocks.push_back(std::move(block));
  }
  return blocks;
}

const char* dot_name(DotForm dot) {
  static const char* const names[] = {"fused", "maddubs", "widened", "chained", "matched"};
  return names[static_cast<size_t>(dot)];
}

DotForm ChunkRun::form_of(int step) const {
  const int left = std::min(4, steps() - step / 4 * 4) - step % 4;  // of its 16 channels, this one included
  return left <= wide_steps ? DotForm::widened : form;
}

int ConvSchedule::pixels() const {
  return blocks.front().pixels;
}
int ConvSchedule::vectors() const {
  return blocks.front().vectors();
}

int ConvSchedule::chunks() const {
  int n = 0;
  for (const ChunkRun& run : runs) n += run.count;
  return n;
}

int ConvSchedule::scratch_pitch() const {
  return (chunks() + 1) * kChunkChannels;  // one more: pixels a power of two apart would meet in the same cache sets
}

int ConvSchedule::scratch_bytes() const {
  if (dot != DotForm::matched) return 0;
  int widest = 0;
  for (const OcBlock& b : blocks) widest = std::max(widest, b.pixels);
  return widest * scratch_pitch();
}

std::string to_string(const ConvSchedule& s) {
  std::string text = fmt::format("{} dot,", dot_name(s.dot));
  for (const ChunkRun& r : s.runs)
    text += fmt::format(" {} x {} channels {}{},", r.count, r.channels, dot_name(r.form),
                        r.wide_steps ? fmt::format(" - {} steps", r.wide_steps) : "");
  text += fmt::format(" unroll {}, {} registers, tiles", s.unroll, s.registers);
  for (const OcBlock& b : s.blocks) {
    text += fmt::format(" {}x(", b.pixels);
    for (const VectorGroup& g : b.groups) text += fmt::format("{}{}x{}B", g.oc ? "+" : "", g.vectors, g.bytes);
    text += fmt::format(")*{}", b.count);
  }
  return text;
}

ConvSchedule choose_conv(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter) {
  std::string reason;
  ChannelMatch match;
  const DotForm dot = dot_form(spec, data, target, emitter, match, reason);
  ConvSchedule s = conv_schedule(spec, dot, target, emitter);
  if (dot == DotForm::matched) {
    s.runs = std::move(match.runs);
    s.orders = std::move(match.orders);
  }
  s.reason = reason + s.reason;
  return s;
}

ConvSchedule conv_schedule(const ConvSpec& spec, DotForm dot, const Target& target, Emitter emitter) {
  if (spec.groups > 1 && (spec.ic / spec.groups % 4 != 0 || spec.oc / spec.groups % 4 != 0))
    internal_error("conv_schedule: groups of channels that are no multiple of 4; merge_groups comes first");
  ConvSchedule s;
  s.dot = dot;
  s.registers = emitter == Emitter::jit ? target.vector_registers : target.compiler_registers;
  const ConvSpec flat = flattened(spec);
  const int row = flat.ow;
  const bool scalar = target.vector_bytes == 16 && target.act_groups == 1;
  const int most = scalar ? 8 : accumulators(target, s.registers, s.dot);
  const bool few_pixels = static_cast<int64_t>(flat.n) * flat.oh * row * 4 <= most;
  const int vectors = few_pixels || most >= 24 || target.vector_bytes == 16 ? 4 : 2;
  s.blocks = split_channels(spec.oc / spec.groups, vectors, target.vector_bytes);
  // Where few dots stand before each epilogue, small tiles let the core run one tile's epilogue beside the next one's
  // dots: 1 to 6 % on a Zen 4 for up to 16 k-steps.
  const int steps = (spec.ic / spec.groups + 3) / 4;
  const bool short_sums = steps * spec.window.kh * spec.window.kw <= 16;
  const int tile = short_sums ? std::min(most, 16) : most;
  for (OcBlock& b : s.blocks) b.pixels = tile_pixels(row, b.vectors(), tile);
  s.unroll = dot == DotForm::matched ? 1 : unroll_of(flat, steps);
  s.reason = fmt::format("; tile {} pixels x {} vectors for {} registers", s.pixels(), s.vectors(), s.registers);
  return s;
}

}  // namespace octet

#include <fmt/format.h>

#include <algorithm>

#include "generator/schedule/cost.h"
#include "generator/schedule/edges.h"
#include "generator/schedule/exactness.h"
#include "generator/schedule/match.h"
#include "generator/schedule/schedule.h"
#include "generator/schedule/tiling.h"
#include "generator/schedule/winograd.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Each tile permutes its activations for every block of output channels, which a few pixels do not repay.
bool matching_may_pay(const ConvSpec& spec) {
  return flattened(spec).ow >= 4 && spec.oc / spec.groups >= 8 && spec.ic / spec.groups >= kChunkChannels / 2;
}

// Whether the form winograd wins although its weights are eight times as large: a clear gain even where they come from
// memory in every run, and no layer so large that it fills the cache that the whole network lives from.
bool winograd_pays(const ConvSpec& spec, const Target& target, Emitter emitter, const TilingChoice& choice) {
  constexpr int64_t kMostBytes = 2 << 20;
  constexpr double kClearGain = 0.9;
  const CostTable* costs = cost_table(target);
  if (!costs || costs->pair_dot == 0 || winograd_bytes(spec) > kMostBytes) return false;
  const auto cycles = [&](DotForm dot) {
    const Cost cost = cost_of(spec, conv_schedule(spec, dot, target, emitter, choice), *costs);
    const double bytes_per_cycle = costs->bytes_per_cycle[static_cast<size_t>(Level::dram)];
    return cost.core + static_cast<double>(cost.traffic.constants) / bytes_per_cycle;
  };
  return cycles(DotForm::winograd) < kClearGain * cycles(target.best_dot);
}

// Where the target's dot needs a proof: plain maddubs where no pair saturates, else channels in another order, else
// wide. `match` is filled in where the answer is matched.
DotForm dot_form(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter,
                 const TilingChoice& choice, ChannelMatch& match, std::string& reason) {
  if (winograd_wanted(spec, target, emitter, choice) && fits_winograd(spec, data)) {
    reason = "winograd: 36 products for 16 outputs, and every sum fits in 26 bits";
    return DotForm::winograd;
  }
  if (target.best_dot == DotForm::matrix && flattened(spec).ow == 1) {
    reason = "fused dot for one pixel";
    return DotForm::fused;
  }
  if (target.best_dot == DotForm::matrix && spec.ic / spec.groups <= 4) {
    reason = "fused dot: half of each matrix would be padding";
    return DotForm::fused;
  }
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
    constexpr double kWidenedCost = 1.3;  // in the units of ChannelMatch
    match = match_channels(spec, data, conv_schedule(spec, DotForm::matched, target, emitter, choice).blocks);
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

bool winograd_wanted(const ConvSpec& spec, const Target& target, Emitter emitter, const TilingChoice& choice) {
  if (choice.winograd == WinogradUse::never || spec.flips.src || !has_winograd(spec)) return false;
  return choice.winograd == WinogradUse::everywhere || winograd_pays(spec, target, emitter, choice);
}

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

int pixel_step(DotForm dot) {
  return dot == DotForm::matrix ? 2 : 1;
}

Emitter emitter_of(const Target& target) {
  return target.backend == Backend::none ? Emitter::compiler : Emitter::jit;
}

const char* dot_name(DotForm dot) {
  static const char* const names[] = {"fused",   "maddubs", "widened", "chained",
                                      "matched", "matrix",  "flipped", "winograd"};
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

int scratch_bytes(const ConvSpec& spec, const ConvSchedule& s) {
  if (s.dot == DotForm::winograd) return static_cast<int>(WinogradLayout(spec, s).bytes);
  if (s.dot != DotForm::matched) return 0;
  int widest = 0;
  for (const OcBlock& b : s.blocks) widest = std::max(widest, b.pixels);
  return widest * s.scratch_pitch();
}

std::string to_string(const ConvSchedule& s) {
  std::string text = fmt::format("{} dot,", dot_name(s.dot));
  for (const ChunkRun& r : s.runs)
    text += fmt::format(" {} x {} channels {}{},", r.count, r.channels, dot_name(r.form),
                        r.wide_steps ? fmt::format(" - {} steps", r.wide_steps) : "");
  text += fmt::format(" unroll {}, {} registers, tiles", s.unroll, s.registers);
  for (const OcBlock& b : s.blocks) {
    text += fmt::format(" {}x(", b.pixels);
    for (size_t k = 0, n; k < b.groups.size(); k += n) {
      const VectorGroup& g = b.groups[k];
      n = 1;
      while (k + n < b.groups.size() && b.groups[k + n].vectors == g.vectors && b.groups[k + n].bytes == g.bytes) ++n;
      text += fmt::format("{}{}{}x{}B", k ? "+" : "", n > 1 ? fmt::format("{}*", n) : "", g.vectors, g.bytes);
    }
    text += fmt::format(")*{}", b.count);
  }
  return text;
}

ConvSchedule choose_conv(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter,
                         const TilingChoice& choice) {
  std::string reason;
  ChannelMatch match;
  const DotForm dot = dot_form(spec, data, target, emitter, choice, match, reason);
  ConvSchedule s = conv_schedule(spec, dot, target, emitter, choice);
  if (dot == DotForm::matched) {
    s.runs = std::move(match.runs);
    s.orders = std::move(match.orders);
  }
  s.reason = reason + s.reason;
  return s;
}

ConvSchedule conv_schedule(const ConvSpec& spec, DotForm dot, const Target& target, Emitter emitter,
                           const TilingChoice& choice) {
  if (spec.groups > 1 && (spec.ic / spec.groups % 4 != 0 || spec.oc / spec.groups % 4 != 0))
    internal_error("conv_schedule: groups of channels that are no multiple of 4; merge_groups comes first");
  ConvSchedule s;
  s.dot = dot;
  s.registers = emitter == Emitter::jit ? target.vector_registers : target.compiler_registers;
  apply(pick_tiling(spec, s, target, choice), spec, target, s);
  s.reason = fmt::format("; tile {} {} x {} vectors for {} registers", s.pixels(),
                         dot == DotForm::winograd ? "times 4x4 pixels" : "pixels", s.vectors(), s.registers);
  return s;
}

}  // namespace octet

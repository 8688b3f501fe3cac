#include <fmt/format.h>

#include <algorithm>

#include "generator/schedule/exactness.h"
#include "generator/schedule/schedule.h"
#include "generator/schedule/tiling.h"
#include "runtime/status.h"

namespace octet {
namespace {

DotForm dot_form(const ConvSpec& spec, const ConvData& data, const Target& target, std::string& reason) {
  if (target.best_dot != DotForm::maddubs) {
    reason = fmt::format("{} dot", dot_name(target.best_dot));
    return target.best_dot;
  }
  const PairScan scan = scan_pairs(spec, data, {data.source.lo, data.source.hi});
  if (scan.exact()) {
    reason = fmt::format("maddubs: none of {} weight pairs can saturate", scan.pairs);
    return DotForm::maddubs;
  }
  reason = fmt::format("widened: {} of {} weight pairs could saturate maddubs", scan.saturating, scan.pairs);
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
  static const char* const names[] = {"fused", "maddubs", "widened"};
  return names[static_cast<size_t>(dot)];
}

int ConvSchedule::pixels() const {
  return blocks.front().pixels;
}
int ConvSchedule::vectors() const {
  return blocks.front().vectors();
}

std::string to_string(const ConvSchedule& s) {
  std::string text = fmt::format("{} dot, unroll {}, {} registers, tiles", dot_name(s.dot), s.unroll, s.registers);
  for (const OcBlock& b : s.blocks) {
    text += fmt::format(" {}x(", b.pixels);
    for (const VectorGroup& g : b.groups) text += fmt::format("{}{}x{}B", g.oc ? "+" : "", g.vectors, g.bytes);
    text += fmt::format(")*{}", b.count);
  }
  return text;
}

ConvSchedule choose_conv(const ConvSpec& spec, const ConvData& data, const Target& target, Emitter emitter) {
  std::string reason;
  const DotForm dot = dot_form(spec, data, target, reason);
  ConvSchedule s = conv_schedule(spec, dot, target, emitter);
  s.reason = reason + s.reason;
  return s;
}

ConvSchedule conv_schedule(const ConvSpec& spec, DotForm dot, const Target& target, Emitter emitter) {
  if (spec.groups > 1 && (spec.ic / spec.groups % 4 != 0 || spec.oc / spec.groups % 4 != 0))
    internal_error("conv_schedule: groups of channels that are no multiple of 4; merge_groups comes first");
  ConvSchedule s;
  s.dot = dot;
  s.registers = emitter == Emitter::jit ? target.vector_registers : target.compiler_registers;
  apply(choose_tiling(spec, s, target), spec, target, s);
  s.reason = fmt::format("; tile {} pixels x {} vectors for {} registers", s.pixels(), s.vectors(), s.registers);
  return s;
}

}  // namespace octet

#include "generator/schedule/tiling.h"

#include <fmt/format.h>

#include <algorithm>

#include "generator/schedule/cost.h"
#include "generator/schedule/edges.h"
#include "generator/schedule/tuned.h"
#include "generator/schedule/winograd.h"

namespace octet {
namespace {

constexpr size_t kMostCandidates = 6;
constexpr int kMostVectors = 4;           // of output channels in a tile
constexpr double kClearlyCheaper = 0.97;  // of the rule's predicted cycles: the model's mean error is 1 to 3 %
constexpr double kPerhapsAsFast = 1.1;    // within this the model cannot tell candidates apart: they are measured

// Accumulators of a tile of `vectors`, at most: so many that there is room for what else lives in the inner loop. One
// activation and the weights of a step (fused); activation, ones, product (maddubs); mask, two halves of the
// activation, product (widened). By element, every pixel's activation and one weight. For matrices the work beside the
// products is that of putting two pixels into one register, in proportion to the pixels: more of them only crowd the
// registers, and with few vectors sooner.
int accumulators(const Target& target, int registers, DotForm dot, int vectors) {
  if (target.act_groups > 1) {
    const int most = (registers - 1 - (dot == DotForm::flipped)) / (vectors + 1) * vectors;
    return dot == DotForm::matrix ? std::min(most, vectors < kMostVectors ? 12 : 16) : most;
  }
  if (target.vector_bytes == 16) return 8;  // the loop's other work is in proportion
  switch (dot) {
    case DotForm::matrix: break;
    case DotForm::winograd:
    case DotForm::flipped:
    case DotForm::fused: return registers - 4;
    case DotForm::maddubs:
    case DotForm::chained:
    case DotForm::matched: return registers - 6;
    case DotForm::widened: return registers - 4;
  }
  return 8;
}

// The same channels in groups of one vector, which hold them in their order.
std::vector<VectorGroup> single_vectors(const std::vector<VectorGroup>& groups) {
  std::vector<VectorGroup> all;
  for (const VectorGroup& g : groups)
    for (int j = 0; j < g.vectors; ++j) all.push_back({1, g.bytes, g.oc + j * g.bytes / 4});
  return all;
}

// The widest tile of at most `most` accumulators such that all tiles of a row are equal or differ by one step: a pixel,
// or two of them.
int tile_pixels(int row, int vectors, int most, int step) {
  if (step > 1) return step * tile_pixels((row + step - 1) / step, vectors, most / step, 1);
  int widest = std::max(1, most / vectors);
  // One vector of channels: four pixels make one store, and more than 8 buy nothing, but a short row is one tile.
  if (vectors == 1 && row > 14) widest = std::min(widest, 8);
  const int tiles = (row + widest - 1) / widest;
  return (row + tiles - 1) / tiles;
}

// Short loops pay for their jump; long ones do not, and edge tiles would fill the instruction cache.
int unroll_of(const ConvSpec& flat, int steps, const Target& target) {
  const bool one_tap = flat.window.kh * flat.window.kw == 1;
  if (!one_tap || target.act_groups > 1) return 1;  // by element a trip has several k-steps as it is
  if (flat.oh * flat.ow == 1) return 4;
  if (steps > 32) return 1;
  for (int u : {4, 3, 2})
    if (steps % u == 0) return u;
  return 1;
}

Tiling by_rule(const ConvSpec& flat, const ConvSchedule& s, const Target& target) {
  const int most = accumulators(target, s.registers, s.dot, kMostVectors);
  const bool few_pixels = static_cast<int64_t>(flat.n) * flat.oh * flat.ow * 4 <= most;
  const int steps = (flat.ic / flat.groups + 3) / 4;
  if (s.dot == DotForm::winograd) return {.vectors = kMostVectors, .accumulators = most, .unroll = 1};
  // Where few dots stand before each epilogue, small tiles let the core run one tile's epilogue beside the next one's
  // dots: 1 to 6 % on a Zen 4 for up to 16 k-steps.
  const bool short_sums = steps * flat.window.kh * flat.window.kw <= 16;
  // Four vectors share an activation's broadcast; where it is split into words as well, they share that too.
  const bool four = few_pixels || most >= 24 || target.vector_bytes == 16 || s.dot == DotForm::widened;
  return {.vectors = four ? kMostVectors : 2,
          .accumulators = short_sums ? std::min(most, 16) : most,
          .unroll = s.dot == DotForm::matched ? 1 : unroll_of(flat, steps, target)};
}

// Cycles of the kernel with that tiling; 0 where the target has no cost table.
double predicted(const Tiling& t, const ConvSpec& spec, const ConvSchedule& schedule, const Target& target) {
  const CostTable* costs = cost_table(target);
  if (!costs) return 0;
  ConvSchedule s = schedule;
  apply(t, spec, target, s);
  return cost_of(spec, s, *costs).core;
}

}  // namespace

std::string to_string(const Tiling& t) {
  return fmt::format("v{} a{} u{}", t.vectors, t.accumulators, t.unroll);
}

void apply(const Tiling& t, const ConvSpec& spec, const Target& target, ConvSchedule& s) {
  s.tiling = t;
  s.blocks = split_channels(spec.oc / spec.groups, t.vectors, target.vector_bytes);
  int row = flattened(spec).ow;
  if (s.dot == DotForm::winograd) {
    row = winograd_tiles(spec);
    for (OcBlock& b : s.blocks) b.groups = single_vectors(b.groups);
  }
  for (OcBlock& b : s.blocks) {
    const int most = accumulators(target, s.registers, s.dot, b.vectors());
    b.pixels = tile_pixels(row, b.vectors(), std::min(t.accumulators, most), pixel_step(s.dot));
  }
  s.unroll = t.unroll;
}

std::vector<Tiling> tilings(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target) {
  const ConvSpec flat = flattened(spec);
  const int most = accumulators(target, schedule.registers, schedule.dot, kMostVectors);
  const Tiling rule = by_rule(flat, schedule, target);
  std::vector<Tiling> all;
  std::vector<std::vector<OcBlock>> seen;
  const auto add = [&](const Tiling& t) {
    ConvSchedule s = schedule;
    apply(t, spec, target, s);
    if (all.size() == kMostCandidates || std::find(seen.begin(), seen.end(), s.blocks) != seen.end()) return;
    seen.push_back(std::move(s.blocks));
    all.push_back(t);
  };
  add(rule);
  if (schedule.dot == DotForm::matched) return all;  // channels are matched for the rule's blocks
  for (const int vectors : {4, 2, 1})
    for (const int limit : {most, 16, 8})
      if (limit <= most) add({vectors, limit, rule.unroll});
  return all;
}

Tiling choose_tiling(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target) {
  const std::vector<Tiling> all = tilings(spec, schedule, target);
  Tiling best = all.front();
  double least = kClearlyCheaper * predicted(best, spec, schedule, target);
  for (size_t i = 1; i < all.size(); ++i)
    if (const double c = predicted(all[i], spec, schedule, target); c < least) best = all[i], least = c;
  return best;
}

std::vector<Tiling> tilings_to_measure(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target) {
  const Tiling chosen = choose_tiling(spec, schedule, target);
  const double most = kPerhapsAsFast * predicted(chosen, spec, schedule, target);
  std::vector<Tiling> all = {chosen};
  if (schedule.dot == DotForm::matched) return all;
  const auto add = [&](const Tiling& t) {
    if (all.size() < kMostCandidates && std::find(all.begin(), all.end(), t) == all.end()) all.push_back(t);
  };
  for (const Tiling& t : tilings(spec, schedule, target))
    if (predicted(t, spec, schedule, target) <= most) add(t);
  for (const int unroll : {4, 2, 1, kMostUnroll}) add({chosen.vectors, chosen.accumulators, unroll});
  return all;
}

std::string tuned_layer(const ConvSpec& spec, const ConvSchedule& s) {
  return fmt::format("{} dot, {} registers, {}", dot_name(s.dot), s.registers, to_string(KernelSpec(spec)));
}

Tiling pick_tiling(const ConvSpec& spec, const ConvSchedule& schedule, const Target& target,
                   const TilingChoice& choice) {
  if (choice.candidate > 0) {
    const std::vector<Tiling> all = tilings_to_measure(spec, schedule, target);
    if (const auto at = static_cast<size_t>(choice.candidate); at < all.size()) return all[at];
  }
  if (choice.tuned)
    if (const Tiling* t = choice.tuned->find(target.name, host_cpu(), tuned_layer(spec, schedule))) return *t;
  return choose_tiling(spec, schedule, target);
}

}  // namespace octet

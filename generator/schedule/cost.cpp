#include "generator/schedule/cost.h"

#include <algorithm>
#include <array>
#include <utility>

#include "generator/schedule/edges.h"
#include "generator/schedule/pack.h"
#include "generator/schedule/winograd.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr std::array<int64_t, 3> kLevelBytes = {32 << 10, 1 << 20, 8 << 20};  // what a core can count on

int64_t taps_of(const AxisClasses& axis) {
  if (axis.of.empty()) return int64_t{axis.count} * axis.classes[0].count();
  int64_t n = 0;
  for (const int c : axis.of) n += axis.classes[static_cast<size_t>(c)].count();
  return n;
}

int64_t rows(int64_t pixels, int pitch) {
  return pixels * pitch;
}

Traffic traffic_of(const ConvSpec& s) {
  const int64_t out = int64_t{s.n} * s.oh * s.ow;
  Traffic t;
  // Of a strided pointwise layer's source whole cache lines are left out, where a pixel has several.
  const bool skips = s.window.kh * s.window.kw == 1 && s.src_pitch >= 64;
  const int64_t in = skips ? out : int64_t{s.n} * s.ih * s.iw;
  t.activations = rows(in, s.src_pitch) + rows(out, s.dst_pitch) + (s.residual ? rows(out, s.src2_pitch) : 0);
  t.constants = int64_t{s.weight_terms} * s.oc * s.window.kh * s.window.kw * (s.ic / s.groups) + 8 * int64_t{s.oc};
  return t;
}
Traffic traffic_of(const AddSpec& s) {
  const int64_t all = int64_t{s.n} * s.pixels;
  return {rows(s.broadcast == Broadcast::a ? s.n : all, s.a_pitch) +
          rows(s.broadcast == Broadcast::b ? s.n : all, s.b_pitch) + rows(all, s.dst_pitch)};
}
template <class Spec>
Traffic traffic_of_pair(const Spec& s) {
  const int64_t all = int64_t{s.n} * s.pixels;
  return {rows(all, s.a_pitch) + rows(s.broadcast ? s.n : all, s.b_pitch) + rows(all, s.dst_pitch)};
}
Traffic traffic_of(const MulSpec& s) {
  return traffic_of_pair(s);
}
Traffic traffic_of(const PairSpec& s) {
  return traffic_of_pair(s);
}
Traffic traffic_of(const PoolSpec& s) {
  return {rows(int64_t{s.n} * s.ih * s.iw, s.src_pitch) + rows(int64_t{s.n} * s.oh * s.ow, s.dst_pitch)};
}
Traffic traffic_of(const ResizeSpec& s) {
  return {rows(int64_t{s.n} * s.ih * s.iw, s.src_pitch) + rows(int64_t{s.n} * s.oh * s.ow, s.dst_pitch),
          int64_t{16} * (s.oh + s.ow)};
}
Traffic traffic_of(const MatMulSpec& s) {
  const int64_t matrices = element_count(s.batch);
  return {matrices * (rows(s.m, s.a_pitch) + rows(s.k, s.b_pitch) + rows(s.m, s.dst_pitch))};
}
Traffic traffic_of(const AffineSpec& s) {
  return {rows(s.pixels, s.src_pitch) + rows(s.pixels, s.dst_pitch), 8 * int64_t{s.channels}};
}
Traffic traffic_of(const LutSpec& s) {
  return {rows(s.pixels, s.src_pitch) + rows(s.pixels, s.dst_pitch), s.copy ? 0 : 256};
}
Traffic traffic_of(const ChannelPermuteSpec& s) {
  return {rows(s.pixels, s.src_pitch) + rows(s.pixels, s.dst_pitch), 2 * int64_t{s.channels}};
}
Traffic traffic_of(const InterleaveSpec& s) {
  return {rows(s.pixels, s.a_pitch) + rows(s.pixels, s.b_pitch) + rows(s.pixels, s.dst_pitch)};
}
Traffic traffic_of(const QuantizeSpec& s) {  // one side f32
  const int64_t all = int64_t{s.n} * s.pixels;
  return {4 * all * s.channels + rows(all, s.pitch)};
}
Traffic traffic_of(const EdgeSpec& s) {
  const int64_t all = int64_t{s.n} * s.pixels;
  return {all * s.channels + rows(all, s.pitch)};
}
Traffic traffic_of(const SoftmaxSpec& s) {
  const int64_t pixels = s.pixels > 0 ? int64_t{s.rows} * s.length * s.pixels : s.rows;
  return {rows(pixels, s.src_pitch) + rows(pixels, s.dst_pitch), 1024};
}
Traffic traffic_of(const CopySpec& s) {
  int64_t bytes = 2 * int64_t{s.bytes};
  for (const int64_t d : s.dims) bytes *= d;
  return {bytes + (s.fill ? s.fill_bytes : 0)};
}
Traffic traffic_of(const FloatSpec& s) {
  return {float_bytes(s)};
}

// What 16 outputs of an op cost depends on how many there are and how many taps each has.
struct Work {
  double outputs = 0, taps = 0;  // vectors of 16
};

double sixteens(int64_t pixels, int channels) {
  return static_cast<double>(pixels) * round_up(channels, 16) / 16;
}
Work work_of(const ConvSpec&) {
  internal_error("core_cycles: a convolution's time depends on its schedule");
}
Work work_of(const AddSpec& s) {
  return {sixteens(int64_t{s.n} * s.pixels, s.channels)};
}
Work work_of(const MulSpec& s) {
  return {sixteens(int64_t{s.n} * s.pixels, s.channels)};
}
Work work_of(const PairSpec& s) {
  return {sixteens(int64_t{s.n} * s.pixels, s.channels)};
}
Work work_of(const PoolSpec& s) {
  const double taps = s.kind == PoolKind::whole ? s.ih * s.iw : s.window.kh * s.window.kw;
  const double outputs = sixteens(int64_t{s.n} * s.oh * s.ow, s.channels);
  return {outputs, outputs * taps};
}
Work work_of(const ResizeSpec& s) {
  const double outputs = sixteens(int64_t{s.n} * s.oh * s.ow, s.channels);
  return {outputs, 4 * outputs};
}
Work work_of(const MatMulSpec& s) {
  const double outputs = sixteens(element_count(s.batch) * s.m, s.n);
  return {outputs, outputs * s.k};
}
Work work_of(const QuantizeSpec& s) {
  return {static_cast<double>(s.n) * s.pixels * s.channels / 16};
}
Work work_of(const SoftmaxSpec& s) {
  return {sixteens(s.pixels > 0 ? int64_t{s.rows} * s.pixels * s.channels : s.rows, s.length)};
}
Work work_of(const CopySpec& s) {
  double elements = 1;
  for (const int64_t d : s.dims) elements *= static_cast<double>(d);
  return {elements / 16};
}
Work work_of(const FloatSpec&) {
  return {};  // nothing is known of their time
}
template <class Spec>
Work work_of(const Spec& s) {
  return {sixteens(s.pixels, s.channels)};
}

// One k-step of a register tile: the slowest of what the core does side by side.
double step_cycles(const OcBlock& block, int pixels, DotForm dot, int full_bytes, bool weights_near,
                   const CostTable& t) {
  double vectors = 0, loads = 0;
  for (const VectorGroup& g : block.groups) {
    vectors += g.vectors * (g.bytes < full_bytes ? t.narrow : 1.0);
    loads += g.vectors * static_cast<double>(g.bytes) / full_bytes;
  }
  if (dot == DotForm::widened) loads *= 2;
  const auto form = static_cast<size_t>(dot);
  const double dots = pixels * (vectors * t.dot[form] + t.activation_split[form]);
  const double loading = loads * (weights_near ? t.weight_load : t.weight_stream) + pixels * t.activation_load;
  return std::max({dots, loading, t.dot_latency}) * (1 + t.share_lost);
}

// All k-steps of a tap.
double tap_cycles(const OcBlock& block, int pixels, const ConvSchedule& s, int steps, bool weights_near,
                  const CostTable& t) {
  if (s.dot != DotForm::matched) return steps * step_cycles(block, pixels, s.dot, t.vector_bytes, weights_near, t);
  double cycles = s.chunks() * pixels * t.permutation;
  for (const ChunkRun& run : s.runs)
    for (int k = 0; k < run.steps(); ++k)
      cycles += run.count * step_cycles(block, pixels, run.form_of(k), t.vector_bytes, weights_near, t);
  return cycles;
}

// One pixel of a tile after its k-steps.
double epilogue_cycles(const OcBlock& block, bool residual, int full_bytes, const CostTable& t) {
  double cycles = 0;
  for (const VectorGroup& g : block.groups)
    cycles += g.vectors * (t.epilogue[static_cast<size_t>(g.vectors / 2)] + (residual ? t.residual : 0)) *
              (g.bytes < full_bytes ? t.narrow : 1.0);
  return cycles;
}

// Tiles of 4x4 outputs: inputs transformed, 36 products of matrices, sums transformed and requantized.
double winograd_cycles(const ConvSpec& s, const ConvSchedule& schedule, const WinogradLayout& at, const CostTable& t) {
  const int tiles = at.tiles(), full = t.vector_bytes, pairs = winograd_pairs(s);
  double cycles = std::max(0.5, 2.0 * at.pixel / full) * tiles * t.tile_inputs;
  for (const OcBlock& b : schedule.blocks) {
    const int groups = (tiles + b.pixels - 1) / b.pixels;
    double width = 0;
    for (const VectorGroup& g : b.groups) width += g.bytes < full ? t.narrow : 1.0;
    const bool near = int64_t{4} * b.channels * pairs <= kLevelBytes[0];
    const double dots = static_cast<double>(tiles) / groups * width * t.pair_dot;
    const double loads =
        width * (near ? t.weight_load : t.weight_stream) + static_cast<double>(tiles) / groups * t.activation_load;
    // A sum's start and end take as long as two products.
    const double products =
        kWinogradPoints * groups * (pairs * std::max({dots, loads, t.dot_latency}) + 2 * dots + t.tile);
    cycles += b.count * (products + tiles * width * t.tile_sums +
                         kWinogradTile * kWinogradTile * tiles * epilogue_cycles(b, s.residual, full, t));
  }
  return s.n * at.regions * cycles;
}

}  // namespace

Traffic traffic(const KernelSpec& spec) {
  return std::visit([](const auto& s) { return traffic_of(s); }, spec);
}

const char* level_name(Level level) {
  static const char* const names[] = {"L1", "L2", "L3", "DRAM"};
  return names[static_cast<size_t>(level)];
}

Level level_of(int64_t bytes) {
  const auto at = std::find_if(kLevelBytes.begin(), kLevelBytes.end(), [&](int64_t size) { return bytes <= size; });
  return static_cast<Level>(at - kLevelBytes.begin());
}

Residence residence(const Traffic& traffic, int64_t network_bytes) {
  return {level_of(traffic.bytes()), level_of(std::max(network_bytes, traffic.bytes()))};
}

int64_t executed_macs(const ConvSpec& s) {
  const PixelClasses p = pixel_classes(s);
  return s.n * taps_of(p.rows) * taps_of(p.columns) * s.oc * (s.ic / s.groups);
}

Cost cost_of(const ConvSpec& spec, const ConvSchedule& schedule, const CostTable& t) {
  if (schedule.dot == DotForm::winograd) {
    Traffic moved = traffic(spec);
    moved.constants = winograd_bytes(spec) + 8 * int64_t{spec.oc};
    const WinogradLayout at(spec, schedule);
    const int64_t tiles = int64_t{spec.n} * at.regions * at.tiles();
    return {t.kernel + winograd_cycles(spec, schedule, at, t), moved, 2 * kWinogradPoints * tiles * spec.ic * spec.oc};
  }
  const ConvSpec flat = flattened(spec);
  const PixelClasses classes = pixel_classes(flat);
  const int steps = (flat.ic / flat.groups + 3) / 4;  // of a tap
  const int taps = flat.window.kh * flat.window.kw, full = t.vector_bytes;
  const double rows = static_cast<double>(flat.n) * flat.oh;
  const auto row_taps = static_cast<double>(flat.n * taps_of(classes.rows));
  // Pixels lack taps at the borders only, so a tile's share of them stands for all.
  const double column_taps = static_cast<double>(taps_of(classes.columns)) / flat.ow;
  double cycles = 0;
  for (const OcBlock& b : schedule.blocks) {
    const int tiles = (flat.ow + b.pixels - 1) / b.pixels, wider = flat.ow % tiles, narrower = flat.ow / tiles;
    const bool near = int64_t{4} * b.channels * taps * steps * flat.weight_terms <= kLevelBytes[0];
    const double epilogue = epilogue_cycles(b, flat.residual, full, t);
    for (const auto& [count, pixels] : {std::pair{wider, narrower + 1}, std::pair{tiles - wider, narrower}}) {
      const double k_loop = column_taps * flat.weight_terms * tap_cycles(b, pixels, schedule, steps, near, t);
      cycles += b.count * count * (rows * (t.tile + pixels * epilogue) + row_taps * (t.kernel_row + k_loop));
    }
  }
  Traffic moved = traffic(spec);
  if (schedule.dot == DotForm::widened) moved.constants *= 2;
  if (schedule.dot == DotForm::matched) moved.constants += moved.constants / 8;  // the chunks' headers
  return {t.kernel + flat.groups * cycles, moved, executed_macs(spec)};
}

Cost cost_of(const ConvSpec& s, const DepthwiseSchedule& d, const CostTable& t) {
  const Window& w = s.window;
  const double outputs = static_cast<double>(d.tiles.size()) * d.rows * round_up(s.ow, d.columns);
  double vectors = 0;  // of a pixel, in full ones
  for (const DepthwiseBlocks& b : d.blocks)
    vectors += static_cast<double>(b.starts.size()) * b.group.vectors * (b.group.bytes < t.vector_bytes ? t.narrow : 1);
  // Input columns that a row of tiles interleaves: tiles share none, unless two columns are carried from one to the
  // next between the borders.
  const int tiles = (s.ow + d.columns - 1) / d.columns;
  const int columns = d.carry ? tiles * d.columns * w.stride_w + 4
                              : tiles * std::min(d.columns * w.kw, (d.columns - 1) * w.stride_w + w.kw);
  const double interleaves = static_cast<double>(columns) * d.quads(s) / (d.rows * tiles * d.columns);
  const double each = t.interleave + (s.src_pitch % t.vector_bytes ? t.interleave_unaligned : 0);
  const double dots = w.kw * d.quads(s) * t.dot_depthwise[static_cast<size_t>(d.dot)];
  const double epilogue = t.epilogue_depthwise + (s.residual ? t.residual : 0);
  return {t.kernel + s.n * outputs * vectors * (interleaves * each + dots + epilogue), traffic(s), executed_macs(s)};
}

Cost cost_of(const KernelSpec& spec, const CostTable& t) {
  const Work work = std::visit([](const auto& s) { return work_of(s); }, spec);
  const auto at = std::find_if(t.ops.begin(), t.ops.end(), [&](const OpCost& c) { return c.op == spec_op_name(spec); });
  if (at == t.ops.end()) return {};
  return {t.kernel + work.outputs * at->outputs + work.taps * at->taps, traffic(spec)};
}

double total_cycles(const Cost& cost, int64_t network_bytes, const CostTable& t) {
  if (cost.core == 0) return 0;
  const Residence from = residence(cost.traffic, network_bytes);
  double exposed = 0, stream = 0;
  const auto add = [&](int64_t bytes, Level level) {
    exposed += static_cast<double>(bytes) * t.exposed[static_cast<size_t>(level)];
    stream += static_cast<double>(bytes) / t.bytes_per_cycle[static_cast<size_t>(level)];
  };
  add(cost.traffic.activations, from.activations);
  add(cost.traffic.constants, from.constants);
  return std::max(cost.core + exposed, stream);
}

double predict_cycles(const KernelSpec& spec, const Target& target, int64_t network_bytes) {
  const CostTable* table = cost_table(target);
  if (!table) return 0;
  const auto cost = [&] {
    const auto* conv = std::get_if<ConvSpec>(&spec);
    if (!conv) return cost_of(spec, *table);
    if (conv->is_depthwise())
      return cost_of(*conv, depthwise_schedule(*conv, target.best_dot, target, Emitter::jit), *table);
    ConvSpec merged = *conv;
    merged.groups = merged_groups(merged);
    const DotForm dot = winograd_wanted(merged, target, Emitter::jit) ? DotForm::winograd : target.best_dot;
    return cost_of(merged, conv_schedule(merged, dot, target, Emitter::jit), *table);
  };
  return total_cycles(cost(), network_bytes, *table);
}

}  // namespace octet

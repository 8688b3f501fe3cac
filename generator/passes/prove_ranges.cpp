// Interval analysis over the finished graph: what every channel of every activation can hold, and every accumulator.
// All formulas are monotonic in each operand (their scales are positive, and binary32 rounding keeps order), so the
// kernels' own functions at the ends of the ranges give exact ends. What is unknown gives all that the type holds.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "generator/passes/lowering.h"
#include "generator/passes/passes.h"
#include "generator/passes/sums.h"
#include "generator/passes/table.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Ranges = std::vector<QRange>;

// Beyond that a proof costs more memory than it can save; constants of such tensors are in the file.
constexpr int64_t kMostChannels = 1 << 16;
constexpr int64_t kMostSummed = 1 << 22;  // values, for one mean of a pool

bool too_many_channels(const Graph& graph, const Node& n) {
  if (n.op == OpKind::conv || n.op == OpKind::linear) return false;
  const auto beyond = [&](TensorId t) {
    return t != kNoTensor && graph.tensor(t).is_quantized() && channel_count(graph.tensor(t)) > kMostChannels;
  };
  return std::any_of(n.inputs.begin(), n.inputs.end(), beyond) ||
         std::any_of(n.outputs.begin(), n.outputs.end(), beyond);
}

Ranges constant_ranges(const Tensor& t) {
  const std::vector<int32_t> values = integers(t);
  const auto channels = static_cast<size_t>(channel_count(t));
  Ranges out(channels, {type_max(t.dtype), type_min(t.dtype)});
  for (size_t i = 0; i < values.size(); ++i) out[i % channels] = united(out[i % channels], {values[i], values[i]});
  return out;
}

QRange hull(const Ranges& ranges) {
  return std::accumulate(ranges.begin() + 1, ranges.end(), ranges.front(), united);
}

// The result of one node, channel by channel.
class Result {
 public:
  Result(const Graph& graph, const Node& node)
      : graph_(graph),
        n_(node),
        out_(graph.tensor(node.outputs[0])),
        channels_(static_cast<size_t>(channel_count(out_))) {}

  // One per output.
  std::vector<Ranges> run() {
    if (n_.op == OpKind::split) return split();
    return {of_op()};
  }

  // What the conv before a fused add would give without a clamp of its own.
  QRange own_unclamped() const {
    Requant requant = conv_requant(graph_, n_);
    requant.lo = 0;
    requant.hi = 255;
    const int offset = own_result(graph_, n_).offset();
    QRange all{255, -128};
    const std::vector<ChannelScale> scales = channel_scales(graph_, n_);
    for (size_t c = 0; c < channels_; ++c) {
      const ByteRange r = requantized(n_.sums[c], scales[c], requant);
      all = united(all, {r.lo - offset, r.hi - offset});
    }
    return all;
  }

 private:
  Ranges of_op() {
    switch (n_.op) {
      case OpKind::conv:
      case OpKind::linear: return conv();
      case OpKind::add:
      case OpKind::sub:
      case OpKind::mul:
      case OpKind::maximum:
      case OpKind::minimum: return binary();
      case OpKind::prelu: return unknown();  // its least value may lie between the ends of its source's
      case OpKind::max_pool: return max_pool();
      case OpKind::average_pool:
      case OpKind::global_average_pool: return average_pool();
      case OpKind::batch_norm: return affine();
      case OpKind::unary:
      case OpKind::requantize: return table();
      case OpKind::concat: return concat();
      case OpKind::reshape: return reshape();
      case OpKind::transpose: return n_.perm.back() + 1 == static_cast<int64_t>(n_.perm.size()) ? of(0) : all_of(0);
      case OpKind::slice: return slice();
      case OpKind::pad: return pad();
      case OpKind::expand: return of(0).size() == channels_ ? of(0) : all_of(0);
      case OpKind::channel_permute: return picked([this](size_t c) { return static_cast<size_t>(n_.perm[c]); });
      case OpKind::identity: return all_of(0);  // at the edges the order may change
      default: return Ranges(channels_, type_range(out_.dtype));
    }
  }

  Ranges of(size_t input) const {
    const Tensor& t = graph_.tensor(n_.inputs[input]);
    if (t.is_constant()) return constant_ranges(t);
    if (t.proved.empty()) return Ranges(static_cast<size_t>(channel_count(t)), type_range(t.dtype));
    return t.proved;
  }

  // Where channels mix: any of them.
  Ranges all_of(size_t input) const { return Ranges(channels_, hull(of(input))); }

  // Of an op that clamps to its node's range.
  Ranges unknown() const { return Ranges(channels_, clamp_after(type_range(out_.dtype), n_.range)); }

  template <class From>
  Ranges picked(From from) const {
    const Ranges x = of(0);
    Ranges out;
    for (size_t c = 0; c < channels_; ++c) out.push_back(x[from(c)]);
    return out;
  }

  static uint8_t byte_of(int32_t q, const QuantView& view) { return static_cast<uint8_t>(q + view.offset()); }

  Ranges conv() const {
    const QuantView y = quant_view(out_);
    const Requant requant = conv_requant(graph_, n_);
    const std::optional<AddFormula> add = n_.fused_add ? std::optional(fused_add_formula(graph_, n_)) : std::nullopt;
    if (add && !is_monotonic(*add)) return unknown();
    const Ranges other = add ? of(3) : Ranges();
    Ranges out;
    const std::vector<ChannelScale> scales = channel_scales(graph_, n_);
    for (size_t c = 0; c < channels_; ++c) {
      const ByteRange inner = requantized(n_.sums[c], scales[c], requant);
      if (!add) {
        out.push_back({inner.lo - y.offset(), inner.hi - y.offset()});
        continue;
      }
      const QuantView residual = quant_view(graph_.tensor(n_.inputs[3]));
      const auto sum = [&](int own_byte, int32_t q) {
        const auto a = static_cast<uint8_t>(own_byte), b = byte_of(q, residual);
        return (n_.fused_add->conv_is_first ? add_bytes(a, b, *add) : add_bytes(b, a, *add)) - y.offset();
      };
      out.push_back({sum(inner.lo, other[c].lo), sum(inner.hi, other[c].hi)});
    }
    return out;
  }

  // Sums that leave s32 and multipliers that are out of range are refused when the graph is lowered.
  static ByteRange requantized(SumRange sum, const ChannelScale& scale, const Requant& requant) {
    constexpr int64_t kLeast = std::numeric_limits<int32_t>::min(), kMost = std::numeric_limits<int32_t>::max();
    if (sum.lo < kLeast || sum.hi > kMost || !in_window(scale)) return {requant.lo, requant.hi};
    return {requantize(static_cast<int32_t>(sum.lo), scale, requant),
            requantize(static_cast<int32_t>(sum.hi), scale, requant)};
  }

  bool ordered() const {
    switch (n_.op) {
      case OpKind::mul: return is_monotonic(product_formula(graph_, n_));
      case OpKind::add:
      case OpKind::sub: return is_monotonic(sum_formula(graph_, n_));
      default: return true;
    }
  }

  Ranges binary() const {
    const Ranges a = of(0), b = of(1);
    if (!ordered() || a.size() != channels_ || b.size() != channels_) return unknown();
    const BinaryFormula formula(graph_, n_);
    Ranges out;
    for (size_t c = 0; c < channels_; ++c) {
      // Sums, differences and products are least and most at corners.
      const std::array<int32_t, 4> corners = {formula(a[c].lo, b[c].lo), formula(a[c].lo, b[c].hi),
                                              formula(a[c].hi, b[c].lo), formula(a[c].hi, b[c].hi)};
      const auto [lo, hi] = std::minmax_element(corners.begin(), corners.end());
      out.push_back({*lo, *hi});
    }
    return out;
  }

  Ranges max_pool() const {
    const PoolSpec s = pool_formula(graph_, n_);
    const auto [h, w] = taps(s);
    Ranges out = of(0);
    for (QRange& r : out) {
      if (h.fewest * w.fewest == 0) r = united(r, {type_min(out_.dtype), type_min(out_.dtype)});
      r = clamp_after(r, n_.range);
    }
    return out;
  }

  static std::pair<TapsInside, TapsInside> taps(const PoolSpec& s) {
    const Window& w = s.window;
    return {taps_inside(s.ih, s.oh, w.kh, w.stride_h, w.dilation_h, w.pad_top),
            taps_inside(s.iw, s.ow, w.kw, w.stride_w, w.dilation_w, w.pad_left)};
  }

  // A mean of equal values lies beside means of smaller and larger ones, whatever the order of the sum.
  Ranges average_pool() const {
    if (is_images_mean(graph_, n_)) return unknown();
    const PoolSpec s = pool_formula(graph_, n_);
    const QuantView x = quant_view(graph_.tensor(n_.inputs[0]));
    const int offset = quant_view(out_).offset();
    if (values_to_sum(s) > kMostSummed) return unknown();
    std::array<std::optional<QRange>, 256> known;
    const auto mean_of = [&](int32_t q) {
      std::optional<QRange>& mean = known[byte_of(q, x)];
      if (!mean) mean = mean_of_equal(s, byte_of(q, x));
      return QRange{mean->lo - offset, mean->hi - offset};
    };
    Ranges out = of(0);
    for (QRange& r : out) r = {mean_of(r.lo).lo, mean_of(r.hi).hi};
    return out;
  }

  // Of all windows that mean_of_equal tries.
  static int64_t values_to_sum(const PoolSpec& s) {
    if (s.kind == PoolKind::whole) return int64_t{s.ih} * s.iw;
    const auto [h, w] = taps(s);
    return int64_t{h.most} * w.most * (h.most - h.fewest + 1) * (w.most - w.fewest + 1);
  }

  // The results for windows full of one byte: of every size that occurs, summed in every order that occurs.
  static QRange mean_of_equal(const PoolSpec& s, uint8_t byte) {
    QRange range{255, 0};
    const auto note = [&range](int result) { range = united(range, {result, result}); };
    const auto full = [byte](int count) { return std::vector<uint8_t>(static_cast<size_t>(count), byte); };
    if (s.kind == PoolKind::whole) {
      const int pixels = s.ih * s.iw;
      for (int64_t row = 0; row < (s.mean.form == MeanForm::vectors ? 4 : 1); ++row)
        note(mean_bytes(full(pixels), pixels, row, s.mean));
      return range;
    }
    const auto [h, w] = taps(s);
    for (int y = h.fewest; y <= h.most; ++y)
      for (int x = w.fewest; x <= w.most; ++x)
        note(mean_bytes(full(y * x), s.count_include_pad ? s.window.kh * s.window.kw : y * x, 0, s.mean));
    return range;
  }

  Ranges affine() const {
    const AffineSpec s = affine_formula(graph_, n_);
    const std::vector<Affine> affine = affine_channels(graph_, n_);
    Ranges out = of(0);
    for (size_t c = 0; c < channels_; ++c) {
      const auto at = [&](int32_t q) {
        return affine_byte(byte_of(q, s.src), affine[c].scale, affine[c].shift, s) - s.dst.offset();
      };
      const auto [lo, hi] = std::minmax({at(out[c].lo), at(out[c].hi)});  // falls where the scale is negative
      out[c] = {lo, hi};
    }
    return out;
  }

  Ranges table() const {
    const Table values = table_of(graph_, n_);
    const auto at = [&](int32_t q) { return values[static_cast<size_t>(byte_of_value(q))]; };
    const QRange type = type_range(graph_.tensor(n_.inputs[0]).dtype);
    bool rises = true;
    for (int32_t q = type.lo; q < type.hi; ++q) rises = rises && at(q) <= at(q + 1);
    Ranges out = of(0);
    for (QRange& r : out) {
      QRange image{at(r.lo), at(r.hi)};
      for (int32_t q = r.lo; q <= r.hi && !rises; ++q) image = united(image, {at(q), at(q)});
      r = image;
    }
    return out;
  }

  Ranges concat() const {
    Ranges out;
    const bool channels = n_.axis + 1 == static_cast<int>(out_.shape.size());
    for (size_t k = 0; k < n_.inputs.size(); ++k) {
      const Ranges piece = of(k);
      if (channels || k == 0)
        out.insert(out.end(), piece.begin(), piece.end());
      else
        std::transform(out.begin(), out.end(), piece.begin(), out.begin(), united);
    }
    return out;
  }

  Ranges reshape() const {
    const size_t channels = of(0).size();
    if (channels_ % channels != 0) return all_of(0);
    return picked([channels](size_t c) { return c % channels; });
  }

  Ranges slice() const {
    return picked(
        [this](size_t c) { return static_cast<size_t>(n_.starts.back() + static_cast<int64_t>(c) * n_.steps.back()); });
  }

  std::vector<Ranges> split() const {
    const Ranges x = of(0);
    const bool channels = n_.axis + 1 == static_cast<int>(graph_.tensor(n_.inputs[0]).shape.size());
    std::vector<Ranges> out;
    auto from = x.begin();
    for (TensorId t : n_.outputs) {
      const auto end = channels ? from + channel_count(graph_.tensor(t)) : x.end();
      out.emplace_back(from, end);
      if (channels) from = end;
    }
    return out;
  }

  Ranges pad() const {
    const size_t rank = out_.shape.size();
    Ranges out = n_.pads[rank - 1] == 0 && n_.pads[2 * rank - 1] == 0 ? of(0) : all_of(0);
    if (n_.pad_mode != PadMode::constant) return out;
    const int32_t fill = quantize_value(n_.alpha, out_.quant->scale[0], out_.quant->zero_point[0], out_.dtype);
    for (QRange& r : out) r = united(r, {fill, fill});
    return out;
  }

  const Graph& graph_;
  const Node& n_;
  const Tensor& out_;
  size_t channels_;
};

}  // namespace

void prove_ranges(Graph& graph) {
  for (Node& n : graph.nodes) {
    if (!graph.tensor(n.outputs[0]).is_quantized() || too_many_channels(graph, n)) continue;
    if (n.op == OpKind::conv || n.op == OpKind::linear) n.sums = sums_of(graph, n);
    std::vector<Ranges> results = Result(graph, n).run();
    for (size_t k = 0; k < results.size(); ++k) graph.tensor(n.outputs[k]).proved = std::move(results[k]);
  }
}

void forget_ranges(Graph& graph) {
  for (Tensor& t : graph.tensors) t.proved.clear();
}

void drop_clamps(Graph& graph) {
  // A side of `range` that nothing reaches, given what comes without the clamp.
  const auto drop = [](QRange& range, QRange free) {
    if (free.lo >= range.lo) range.lo = QRange{}.lo;
    if (free.hi <= range.hi) range.hi = QRange{}.hi;
  };
  for (Node& n : graph.nodes) {
    if (!graph.tensor(n.outputs[0]).is_quantized()) continue;
    if (n.fused_add) drop(n.fused_add->range, Result(graph, n).own_unclamped());
    if (n.range == QRange{} || too_many_channels(graph, n)) continue;
    Node free = n;
    free.range = {};
    drop(n.range, hull(Result(graph, free).run().front()));
  }
}

}  // namespace octet

// conv and linear: weights as s8 terms, multipliers, and the refusal of sums that prove_ranges saw leave s32.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "generator/kernel/conv_scale.h"
#include "generator/kernel/requant.h"
#include "generator/passes/channel_ties.h"
#include "generator/passes/lowering.h"
#include "generator/passes/sums.h"
#include "runtime/status.h"

namespace octet {
namespace {

// O, I, kh, kw (or O, I, kw, or O, I) as in the file -> O, kh, kw, I.
std::vector<int8_t> in_kernel_order(const Tensor& w) {
  if (dtype_bytes(w.dtype) != 1 || w.shape.size() < 2)
    internal_error(fmt::format("weights {} of shape {}, {}", w.name, to_string(w.shape), dtype_name(w.dtype)));
  const auto values = w.values<int8_t>();
  const int64_t oc = w.shape[0], ic = w.shape[1], taps = element_count(w.shape) / (oc * ic);
  if (taps == 1) return {values.begin(), values.end()};
  std::vector<int8_t> out(values.size());
  transpose_rows(values.data(), out.data(), oc, ic, taps);
  return out;
}

// w - z_w for every weight of a tensor of u8 or s8; rows of one output channel are contiguous.
std::vector<int32_t> centred_weights(const Tensor& w, const std::vector<int8_t>& bytes) {
  std::vector<int32_t> values(bytes.begin(), bytes.end());
  if (w.dtype == DType::u8)
    for (int32_t& v : values) v &= 255;
  const size_t row = values.size() / static_cast<size_t>(w.shape[0]);
  for (size_t i = 0; i < values.size(); ++i) values[i] -= w.quant->zero_point[w.quant->per_tensor() ? 0 : i / row];
  return values;
}

// The bytes that a source can hold, padding included.
ByteRange source_bytes(const Tensor& x) {
  const QuantView view = quant_view(x);
  QRange all{view.zero_point, view.zero_point};
  for (const QRange& r : x.proved) all = united(all, r);
  return x.proved.empty() ? ByteRange{} : byte_range(all, view);
}

// The weights as a sum of as few s8 terms as hold them: [term][..]. Two reach from -256 to 254, so only +255 (a u8
// weight of 255 with zero point 0) wants three.
std::vector<int8_t> s8_terms(std::vector<int32_t> rest, int& terms) {
  std::vector<int8_t> out;
  for (terms = 0; terms == 0 || std::any_of(rest.begin(), rest.end(), [](int32_t w) { return w != 0; }); ++terms) {
    for (int32_t& w : rest) {
      const bool fits = w >= -128 && w <= 127;
      const int32_t part = fits ? w : std::clamp(w / 2, -128, 127);
      out.push_back(static_cast<int8_t>(part));
      w -= part;
    }
  }
  return out;
}

// Fills data.weights and says how many terms they are. Most networks have s8 weights around 0, which are the answer as
// they are.
void fill_weights(const Tensor& w, ConvData& data, int& terms) {
  const auto& zeros = w.quant->zero_point;
  data.weights = in_kernel_order(w);
  terms = 1;
  if (w.dtype != DType::s8 || std::any_of(zeros.begin(), zeros.end(), [](int32_t z) { return z != 0; }))
    data.weights = s8_terms(centred_weights(w, data.weights), terms);
}

// The largest magnitude that an accumulator can have.
int64_t largest_of(SumRange sum) {
  return std::max(std::abs(sum.lo), std::abs(sum.hi));
}

// The largest accumulator that a form's kernels hold: fixed point shifts it left by two bits more than it must.
int64_t largest_held(const ChannelScale& c, RequantForm form) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  switch (form) {
    case RequantForm::fixed_away:
    case RequantForm::fixed_up: return kMost >> (2 + std::max(0, c.fixed.exponent));
    case RequantForm::shift: return kMost - (int64_t{1} << 30);
    default: return kMost;
  }
}

void check_channel(const Graph& graph, const Node& n, size_t c, const ChannelScale& scale, SumRange sums,
                   RequantForm form) {
  if (!in_window(scale))
    user_error(
        fmt::format("{}: multiplier {} of output channel {} is out of range; supported are input scale times "
                    "weight scale over output scale below 256",
                    describe(n), scale.real, c));
  if (form == RequantForm::shift && scale.real != 0 && !power_of_two(scale.real))
    user_error(
        fmt::format("{}: multiplier {} of output channel {}; supported in profile {} are powers of two from "
                    "2^-30 to 1",
                    describe(n), scale.real, c, profile_name(graph.profile)));
  const int64_t largest = largest_of(sums), most = largest_held(scale, form);
  if (largest > most)
    user_error(
        fmt::format("{}: the sum of output channel {} can reach {}; supported are sums below {}{}", describe(n), c,
                    largest, most == std::numeric_limits<int32_t>::max() ? "2^31" : std::to_string(most + 1),
                    graph.profile == Profile::ort ? "" : fmt::format(" in profile {}", profile_name(graph.profile))));
}

// Whether a form that rounds ties away from zero may as well round them up: where no sum is negative, and where what is
// not positive is clamped to the zero point or above.
bool may_round_up(const Node& n, const Requant& r) {
  return r.lo >= r.zero || std::all_of(n.sums.begin(), n.sums.end(), [](const SumRange& s) { return s.lo >= 0; });
}

// A channel whose sums are too large for fixed point, but all give one byte (its bias is far beyond what its scale lets
// through), gives that byte from a bias alone. Otherwise the sums stay.
SumRange settle_constant(const ConvSpec& spec, size_t c, SumRange sums, ConvData& data) {
  const Requant& r = spec.requant;
  const ChannelScale& scale = data.scale[c];
  const int64_t largest = largest_of(sums);
  if (!is_fixed(r.form) || scale.fixed.exponent > 0 || largest <= largest_held(scale, r.form) ||
      largest > std::numeric_limits<int32_t>::max())
    return sums;
  const uint8_t byte = requantize(static_cast<int32_t>(sums.lo), scale, r);
  if (byte != requantize(static_cast<int32_t>(sums.hi), scale, r)) return sums;
  const auto channels = static_cast<size_t>(spec.oc), terms = static_cast<size_t>(spec.weight_terms);
  const size_t row = data.weights.size() / (channels * terms);
  for (size_t term = 0; term < terms; ++term)
    std::fill_n(data.weights.begin() + static_cast<int64_t>((term * channels + c) * row), row, int8_t{0});
  data.bias[c] = 4 * (byte - r.zero);
  data.scale[c] = {.m = 0.25f, .fixed = fixed_point(0.25), .real = 0.25};
  return {data.bias[c], data.bias[c]};
}

void fill_data(const Lowering& to, const Node& n, ConvSpec& spec, ConvData& data) {
  const auto oc = static_cast<size_t>(spec.oc);
  fill_weights(to.tensor(n.inputs[1]), data, spec.weight_terms);
  data.bias = bias_of(to.graph, n);
  if (data.bias.size() != oc || n.sums.size() != oc)
    internal_error(
        fmt::format("{}: {} biases and {} sums for {} channels", describe(n), data.bias.size(), n.sums.size(), oc));
  data.source = source_bytes(to.tensor(n.inputs[0]));
  data.scale = channel_scales(to.graph, n);
  Requant& r = spec.requant;
  if (r.form == RequantForm::fixed_away && may_round_up(n, r)) r.form = RequantForm::fixed_up;
  const bool fixed = is_fixed(r.form);
  for (size_t c = 0; c < oc; ++c) {
    const SumRange sums = settle_constant(spec, c, n.sums[c], data);
    const ChannelScale& scale = data.scale[c];
    check_channel(to.graph, n, c, scale, sums, r.form);
    r.wide = r.wide || requant_is_wide(largest_of(sums), scale, r);
    r.mixed = r.mixed || (fixed && scale.fixed.multiplier != 0 && scale.fixed.exponent >= 0) ||
              (r.form == RequantForm::fixed_away && scale.ties_up);
  }
}

void set_shape(const Lowering& to, const Node& n, ConvSpec& spec) {
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  if (n.op == OpKind::linear) {
    spec.iw = spec.ow = to.rows(dst);
    spec.ic = to.channels(src);
    spec.oc = to.channels(dst);
    return;
  }
  const Image in = image_of(to.tensor(src)), out = image_of(to.tensor(dst));
  spec.n = in.n;
  spec.ih = in.h;
  spec.iw = in.w;
  spec.ic = in.c;
  spec.oh = out.h;
  spec.ow = out.w;
  spec.oc = out.c;
  if (out.h >= 1 << 24 || out.w >= 1 << 24)
    user_error(fmt::format("{}: makes images of {} by {}; supported are sides below 2^24", describe(n), out.h, out.w));
  spec.window = settled_window(to.graph, n);
  spec.groups = static_cast<int>(n.group);
}

}  // namespace

QuantView own_result(const Graph& graph, const Node& n) {
  if (!n.fused_add) return quant_view(graph.tensor(n.outputs[0]));
  const FusedAdd& f = *n.fused_add;
  return {f.quant.scale[0], f.quant.zero_point[0], f.dtype == DType::s8};
}

namespace {

ConvKind kind_of(const Graph& graph, const Node& n) {
  if (n.source == "TRANSPOSE_CONV" || n.source == "ConvTranspose") return ConvKind::transposed;
  if (n.op == OpKind::conv)
    return n.source == "DEPTHWISE_CONV_2D" || is_depthwise(graph, n) ? ConvKind::depthwise : ConvKind::conv;
  return n.source == "BATCH_MATMUL" ? ConvKind::matmul : ConvKind::fully_connected;
}

ConvTraits traits_of(const Graph& graph, const Node& n) {
  const Tensor &x = graph.tensor(n.inputs[0]), &w = graph.tensor(n.inputs[1]);
  const auto& zeros = w.quant->zero_point;
  return {.profile = n.undelegated ? Profile::tfl_ruy : graph.profile,
          .kind = kind_of(graph, n),
          .groups = n.group,
          .channels = w.shape[0] / n.residues,
          .is_signed = x.dtype == DType::s8,
          .per_tensor = w.quant->per_tensor(),
          .centred = std::all_of(zeros.begin(), zeros.end(), [](int32_t z) { return z == 0; }),
          .src_scale = x.quant->scale[0],
          .weight_scale = w.quant->scale[0],
          .dst_scale = own_result(graph, n).scale};
}

}  // namespace

Requant conv_requant(const Graph& graph, const Node& n) {
  const QuantView y = own_result(graph, n);
  const ByteRange range = byte_range(n.fused_add ? n.fused_add->range : n.range, y);
  Requant r{.zero = y.zero(), .lo = range.lo, .hi = range.hi, .offset = 0};
  const std::vector<float> bias = float_bias_of(graph, n);
  set_form(traits_of(graph, n), std::any_of(bias.begin(), bias.end(), [](float b) { return b != 0; }), r);
  if (r.form == RequantForm::affine) r.offset = y.offset();
  return r;
}

AddFormula fused_add_formula(const Graph& graph, const Node& n) {
  const QuantView own = own_result(graph, n), other = quant_view(graph.tensor(n.inputs[3]));
  const QuantView sum = quant_view(graph.tensor(n.outputs[0]));
  const ByteRange range = byte_range(n.range, sum);
  const bool own_first = n.fused_add->conv_is_first;
  return named(n, [&] {
    return add_formula(graph.profile, own_first ? own : other, own_first ? other : own, sum, range.lo, range.hi);
  });
}

bool in_window(const ChannelScale& c) {
  return c.real < 256 && c.m < 256.0f && std::isfinite(c.b);
}

std::vector<ChannelScale> channel_scales(const Graph& graph, const Node& n) {
  const ConvTraits traits = traits_of(graph, n);
  const QuantParams& w = *graph.tensor(n.inputs[1]).quant;
  const std::vector<float> bias = float_bias_of(graph, n);
  std::vector<ChannelScale> scales;
  const RequantForm form = conv_requant(graph, n).form;
  const bool product = form == RequantForm::scaled || form == RequantForm::biased;
  for (size_t c = 0; c < n.sums.size(); ++c) {
    ChannelScale s = channel_scale(traits, static_cast<int64_t>(c) % traits.channels, w.scale[w.per_tensor() ? 0 : c],
                                   bias.empty() ? 0.0f : bias[c]);
    // Below 2^-32 every product rounds to 0, and so it does at 2^-32; a channel that is always 0 needs no multiplier.
    if (largest_of(n.sums[c]) == 0 && s.b == 0)
      s = {.m = 0x1p-32f};
    else if (s.b == 0 && product)
      s.m = std::max(s.m, 0x1p-32f);
    scales.push_back(s);
  }
  return scales;
}

namespace {

// Kernels step over whole images in 32 bits, and pixels have gaps in memory.
void check_bytes(const Node& n, int64_t bytes) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (bytes > kMost)
    user_error(fmt::format("{}: an operand takes {} bytes in memory; supported are {}", describe(n), bytes, kMost));
}

}  // namespace

void lower_conv(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  ConvSpec spec;
  set_shape(to, n, spec);
  spec.src_pitch = to.pitch(src);
  spec.dst_pitch = to.pitch(dst);
  check_bytes(n, int64_t{spec.n} * spec.ih * spec.iw * spec.src_pitch);
  check_bytes(n, int64_t{spec.n} * spec.oh * spec.ow * spec.dst_pitch);
  spec.src_zero = to.view(src).zero();
  TensorId other = kNoTensor;
  if (n.fused_add) {
    other = n.inputs[3];
    spec.residual = true;
    spec.residual_is_first = !n.fused_add->conv_is_first;
    spec.src2_pitch = to.pitch(other);
    spec.add = fused_add_formula(to.graph, n);
  }
  spec.requant = conv_requant(to.graph, n);
  ConvData data;
  fill_data(to, n, spec, data);
  to.add(node, spec, src, dst, other).conv = std::move(data);
}

}  // namespace octet

// conv and linear: weights as s8 terms, multipliers, and the refusal of sums that prove_ranges saw leave s32.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "generator/kernel/requant.h"
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

void fill_data(const Lowering& to, const Node& n, ConvSpec& spec, ConvData& data) {
  const auto oc = static_cast<size_t>(spec.oc);
  fill_weights(to.tensor(n.inputs[1]), data, spec.weight_terms);
  data.bias = bias_of(to.graph, n);
  if (data.bias.size() != oc || n.sums.size() != oc)
    internal_error(
        fmt::format("{}: {} biases and {} sums for {} channels", describe(n), data.bias.size(), n.sums.size(), oc));
  data.source = source_bytes(to.tensor(n.inputs[0]));
  for (size_t c = 0; c < oc; ++c) {
    const int64_t largest = largest_of(n.sums[c]);
    if (largest > std::numeric_limits<int32_t>::max())
      user_error(fmt::format("{}: the sum of output channel {} can reach {}; supported are sums below 2^31",
                             describe(n), c, largest));
    const float m = channel_multiplier(to.graph, n, c);
    if (!(m < 256.0f))
      user_error(
          fmt::format("{}: multiplier {} of output channel {} is out of range; supported are input scale times "
                      "weight scale over output scale below 256",
                      describe(n), m, c));
    spec.requant.wide = spec.requant.wide || requant_is_wide(largest, m);
    data.multiplier.push_back(m);
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
  spec.window = n.window;
  spec.groups = static_cast<int>(n.group);
}

}  // namespace

QuantView own_result(const Graph& graph, const Node& n) {
  if (!n.fused_add) return quant_view(graph.tensor(n.outputs[0]));
  const FusedAdd& f = *n.fused_add;
  return {f.quant.scale[0], f.quant.zero_point[0], f.dtype == DType::s8};
}

Requant conv_requant(const Graph& graph, const Node& n) {
  const QuantView y = own_result(graph, n);
  const ByteRange range = byte_range(n.fused_add ? n.fused_add->range : n.range, y);
  return {.zero = y.zero(), .lo = range.lo, .hi = range.hi};
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

float channel_multiplier(const Graph& graph, const Node& n, size_t c) {
  const QuantParams& w = *graph.tensor(n.inputs[1]).quant;
  const float m = conv_multiplier(graph.profile, quant_view(graph.tensor(n.inputs[0])).scale,
                                  w.scale[w.per_tensor() ? 0 : c], own_result(graph, n).scale);
  // Below 2^-32 every product rounds to 0, and so it does at 2^-32; a channel that is always 0 needs no multiplier.
  return m < 0x1p-32f || largest_of(n.sums[c]) == 0 ? 0x1p-32f : m;
}

void lower_conv(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  ConvSpec spec{.profile = to.graph.profile};
  set_shape(to, n, spec);
  spec.src_pitch = to.pitch(src);
  spec.dst_pitch = to.pitch(dst);
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

// conv and linear: weights as s8 terms, multipliers, and the proof that no accumulator leaves s32 (numerics.md 3.5).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "generator/kernel/requant.h"
#include "generator/passes/lowering.h"
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

// Sums of an output channel's positive and negative weights: all that the proof needs of them.
struct WeightSums {
  int64_t positive = 0, negative = 0;
};

template <class T>
WeightSums weight_sums(const T* weights, size_t count) {
  int32_t positive = 0, negative = 0;  // at most 2^22 taps of 9 bits
  WeightSums sums;
  for (size_t i = 0; i < count;) {
    const size_t end = std::min(count, i + (size_t{1} << 22));
    for (; i < end; ++i) {
      positive += std::max<int32_t>(weights[i], 0);
      negative += std::min<int32_t>(weights[i], 0);
    }
    sums.positive += std::exchange(positive, 0);
    sums.negative += std::exchange(negative, 0);
  }
  return sums;
}

// The largest magnitude that an accumulator can have, bias included, for inputs x - zero or 0 (a tap in the padding).
int64_t largest_sum(WeightSums w, int64_t bias, QRange x, int32_t zero) {
  const int64_t most = std::max(x.hi - zero, 0), least = std::min(x.lo - zero, 0);
  const int64_t hi = bias + w.positive * most + w.negative * least;
  const int64_t lo = bias + w.positive * least + w.negative * most;
  return std::max(std::abs(hi), std::abs(lo));
}

// Fills data.weights and says how many terms they are; returns each output channel's sums. Most networks have s8
// weights around 0, which are the answer as they are.
std::vector<WeightSums> fill_weights(const Tensor& w, size_t oc, ConvData& data, int& terms) {
  std::vector<WeightSums> sums(oc);
  const auto& zeros = w.quant->zero_point;
  data.weights = in_kernel_order(w);
  const size_t row = data.weights.size() / oc;
  if (w.dtype == DType::s8 && std::all_of(zeros.begin(), zeros.end(), [](int32_t z) { return z == 0; })) {
    terms = 1;
    for (size_t c = 0; c < oc; ++c) sums[c] = weight_sums(&data.weights[c * row], row);
    return sums;
  }
  const std::vector<int32_t> weights = centred_weights(w, data.weights);
  for (size_t c = 0; c < oc; ++c) sums[c] = weight_sums(&weights[c * row], row);
  data.weights = s8_terms(weights, terms);
  return sums;
}

struct Scales {
  QuantView x, y;  // y: of the conv's own result
};

void fill_data(const Lowering& to, const Node& n, const Scales& s, ConvSpec& spec, ConvData& data) {
  const Tensor& w = to.tensor(n.inputs[1]);
  const auto oc = static_cast<size_t>(spec.oc);
  const std::vector<WeightSums> sums = fill_weights(w, oc, data, spec.weight_terms);
  data.bias.assign(oc, 0);
  if (n.inputs.size() > 2 && n.inputs[2] != kNoTensor) data.bias = integers(to.tensor(n.inputs[2]));
  if (data.bias.size() != oc)
    internal_error(fmt::format("{}: {} biases for {} channels", describe(n), data.bias.size(), oc));
  const QRange x = to.ranges[static_cast<size_t>(n.inputs[0])];
  data.source = byte_range({std::min(x.lo, s.x.zero_point), std::max(x.hi, s.x.zero_point)}, s.x);
  for (size_t c = 0; c < oc; ++c) {
    const int64_t largest = largest_sum(sums[c], data.bias[c], x, s.x.zero_point);
    if (largest > std::numeric_limits<int32_t>::max())
      user_error(fmt::format("{}: the sum of output channel {} can reach {}; supported are sums below 2^31",
                             describe(n), c, largest));
    float m = conv_multiplier(spec.profile, s.x.scale, w.quant->scale[w.quant->per_tensor() ? 0 : c], s.y.scale);
    // Below 2^-32 every product rounds to 0, and so it does at 2^-32; a channel that is always 0 needs no multiplier.
    if (m < 0x1p-32f || largest == 0) m = 0x1p-32f;
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

void lower_conv(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  ConvSpec spec;
  set_shape(to, n, spec);
  spec.src_pitch = to.pitch(src);
  spec.dst_pitch = to.pitch(dst);
  Scales s{to.view(src), to.view(dst)};
  spec.src_zero = s.x.zero();
  TensorId other = kNoTensor;
  QRange own_range = n.range;
  if (n.fused_add) {
    const FusedAdd& f = *n.fused_add;
    other = n.inputs[3];
    s.y = {f.quant.scale[0], f.quant.zero_point[0], f.dtype == DType::s8};
    own_range = f.range;
    spec.residual = true;
    spec.residual_is_first = !f.conv_is_first;
    spec.src2_pitch = to.pitch(other);
    const QuantView addend = to.view(other), sum = to.view(dst);
    const ByteRange range = byte_range(n.range, sum);
    spec.add = f.conv_is_first ? add_formula(spec.profile, s.y, addend, sum, range.lo, range.hi)
                               : add_formula(spec.profile, addend, s.y, sum, range.lo, range.hi);
  }
  const ByteRange range = byte_range(own_range, s.y);
  spec.requant = {.zero = s.y.zero(), .lo = range.lo, .hi = range.hi};
  ConvData data;
  fill_data(to, n, s, spec, data);
  to.add(node, spec, src, dst, other).conv = std::move(data);
}

}  // namespace octet

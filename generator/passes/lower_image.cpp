// Convolutions, linear layers and pools outside of int8, and gathers.
#include <cmath>

#include "generator/passes/lower_float.h"
#include "generator/passes/resize_axis.h"

namespace octet {
namespace {

namespace f = octet_float;

constexpr int64_t kSide = 16;  // channels that stand side by side in packed weights

// A tensor of rank 2 to 4 as images: sizes, and distances in elements.
struct Pixels {
  int64_t n, c, h, w;
  f::Image strides;
};

Pixels pixels_of(const Tensor& t, bool channels_last) {
  const Shape& s = t.shape;
  const size_t rank = s.size();
  if (rank < 2 || rank > 4)
    user_error(fmt::format("tensor '{}' of shape {}: supported are images of rank 2 to 4", t.name, to_string(s)));
  Pixels p{.n = s[0], .c = channels_last ? s.back() : s[1], .h = 1, .w = 1};
  if (rank == 4) p.h = s[channels_last ? 1 : 2];
  if (rank >= 3) p.w = s[channels_last ? rank - 2 : rank - 1];
  const int64_t image = p.c * p.h * p.w;
  p.strides = channels_last ? f::Image{image, 1, p.w * p.c, p.c} : f::Image{image, p.h * p.w, p.w, 1};
  return p;
}

f::Window window_of(const Window& w) {
  return {w.kh, w.kw, w.stride_h, w.stride_w, w.dilation_h, w.dilation_w, w.pad_top, w.pad_left};
}

template <class Params>
void set_images(Params& p, const Pixels& in, const Pixels& out) {
  p.images = in.n;
  p.ih = in.h, p.iw = in.w, p.oh = out.h, p.ow = out.w;
  p.src = in.strides;
  p.dst = out.strides;
}

std::span<const float> constant(const Lowering& to, const Node& n, size_t k) {
  const Tensor& t = to.tensor(n.inputs[k]);
  if (!t.is_constant() || t.dtype != DType::f32)
    user_error(
        fmt::format("{}: '{}' is no f32 constant; supported are constant weights and biases", describe(n), t.name));
  return t.values<float>();
}

// weight(group, oc, ic, tap) -> float_params.h's order.
template <class Weight>
std::vector<float> packed(const f::Conv& p, Weight weight) {
  const int64_t taps = p.window.kh * p.window.kw;
  if (p.ic == 1 && p.oc == 1 && p.groups > 1) {
    std::vector<float> out(static_cast<size_t>((p.groups + kSide - 1) / kSide * kSide * taps));
    for (int64_t g = 0; g < p.groups; ++g)
      for (int64_t t = 0; t < taps; ++t)
        out[static_cast<size_t>((g / kSide * taps + t) * kSide + g % kSide)] = weight(g, 0, 0, t);
    return out;
  }
  const int64_t blocks = (p.oc + kSide - 1) / kSide;
  std::vector<float> out(static_cast<size_t>(p.groups * blocks * taps * p.ic * kSide));
  for (int64_t g = 0; g < p.groups; ++g)
    for (int64_t o = 0; o < p.oc; ++o)
      for (int64_t t = 0; t < taps; ++t)
        for (int64_t i = 0; i < p.ic; ++i)
          out[static_cast<size_t>((((g * blocks + o / kSide) * taps + t) * p.ic + i) * kSide + o % kSide)] =
              weight(g, o, i, t);
  return out;
}

std::vector<float> packed_bias(const f::Conv& p, std::span<const float> bias) {
  if (p.ic == 1 && p.oc == 1 && p.groups > 1) {
    std::vector<float> out(bias.begin(), bias.end());
    out.resize(static_cast<size_t>((p.groups + kSide - 1) / kSide * kSide));
    return out;
  }
  const int64_t blocks = (p.oc + kSide - 1) / kSide;
  std::vector<float> out(static_cast<size_t>(p.groups * blocks * kSide));
  for (size_t c = 0; c < bias.size(); ++c) {
    const auto oc = static_cast<size_t>(p.oc), group = c / oc, o = c % oc;
    out[group * static_cast<size_t>(blocks * kSide) + o] = bias[c];
  }
  return out;
}

f::Conv unclamped() {
  return {.lo = -std::numeric_limits<float>::infinity(), .hi = std::numeric_limits<float>::infinity()};
}

template <class Weight>
void add_conv(Lowering& to, int node, const f::Conv& p, Weight weight, std::span<const float> bias) {
  const Node& n = node_of(to, node);
  const auto channels = static_cast<size_t>(p.groups * p.oc);
  std::vector<float> values(bias.begin(), bias.end());
  if (values.size() == 1) values.resize(channels, values[0]);
  if (!values.empty() && values.size() != channels)
    user_error(fmt::format("{}: {} biases for {} channels", describe(n), values.size(), channels));
  LoweredNode& lowered = to.add(node, FloatSpec{p}, n.inputs[0], n.outputs[0]);
  put(lowered, OCTET_WEIGHTS, packed(p, weight));
  if (!values.empty()) put(lowered, OCTET_BIAS, packed_bias(p, values));
}

std::span<const float> bias_of_node(const Lowering& to, const Node& n) {
  return n.inputs.size() > 2 && n.inputs[2] != kNoTensor ? constant(to, n, 2) : std::span<const float>();
}

void lower_conv_f32(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const bool transposed = n.op == OpKind::conv_transpose;
  const Pixels in = pixels_of(to.tensor(n.inputs[0]), n.channels_last),
               out = pixels_of(to.tensor(n.outputs[0]), n.channels_last);
  f::Conv p = unclamped();
  set_images(p, in, out);
  p.groups = n.group;
  p.ic = in.c / n.group;
  p.oc = out.c / n.group;
  p.window = window_of(n.window);
  p.transposed = transposed;
  const std::span<const float> w = constant(to, n, 1);
  const int64_t taps = p.window.kh * p.window.kw;
  if (static_cast<int64_t>(w.size()) != p.groups * p.ic * p.oc * taps)
    user_error(fmt::format("{}: {} weights for {} groups of {} to {} channels and {} taps", describe(n), w.size(),
                           p.groups, p.ic, p.oc, taps));
  // [oc][ic / group], or transposed [ic][oc / group], then taps.
  const auto weight = [&](int64_t g, int64_t o, int64_t i, int64_t t) {
    const int64_t row = transposed ? (g * p.ic + i) * p.oc + o : (g * p.oc + o) * p.ic + i;
    return w[static_cast<size_t>(row * taps + t)];
  };
  add_conv(to, node, p, weight, bias_of_node(to, n));
}

// x [.., k] times weights [oc, k]: rows are pixels.
void lower_linear_f32(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const std::span<const float> w = constant(to, n, 1);
  f::Conv p = unclamped();
  p.images = p.groups = p.ih = p.oh = 1;
  p.window = window_of({});
  p.ic = to.tensor(n.inputs[0]).shape.back();
  p.oc = to.tensor(n.outputs[0]).shape.back();
  p.iw = p.ow = to.rows(n.inputs[0]);
  p.src = {0, 1, 0, p.ic};
  p.dst = {0, 1, 0, p.oc};
  const auto weight = [&](int64_t, int64_t o, int64_t i, int64_t) { return w[static_cast<size_t>(o * p.ic + i)]; };
  add_conv(to, node, p, weight, bias_of_node(to, n));
}

// A depthwise convolution of one tap.
void lower_batch_norm_f32(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const Pixels x = pixels_of(to.tensor(n.inputs[0]), n.channels_last);
  const auto gamma = constant(to, n, 1), beta = constant(to, n, 2), mean = constant(to, n, 3),
             variance = constant(to, n, 4);
  std::vector<float> scale, shift;
  for (size_t c = 0; c < static_cast<size_t>(x.c); ++c) {
    const Affine a = batch_norm_affine(gamma[c], beta[c], mean[c], variance[c], n.alpha);
    scale.push_back(a.scale);
    shift.push_back(a.shift);
  }
  f::Conv p = unclamped();
  set_images(p, x, x);
  p.groups = x.c;
  p.ic = p.oc = 1;
  p.window = window_of({});
  add_conv(
      to, node, p, [&](int64_t g, int64_t, int64_t, int64_t) { return scale[static_cast<size_t>(g)]; }, shift);
}

void lower_integer_conv(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const Pixels in = pixels_of(to.tensor(n.inputs[0]), n.channels_last),
               out = pixels_of(to.tensor(n.outputs[0]), n.channels_last);
  f::IntegerConv p{};
  set_images(p, in, out);
  p.groups = n.group;
  p.ic = in.c / n.group;
  p.oc = out.c / n.group;
  p.window = window_of(n.window);
  p.type = static_cast<int32_t>(to.tensor(n.inputs[0]).dtype);
  p.weight_type = static_cast<int32_t>(to.tensor(n.inputs[1]).dtype);
  const auto has = [&](size_t k) { return n.inputs.size() > k && n.inputs[k] != kNoTensor; };
  const auto zeros = [&](size_t k) { return has(k) ? element_count(to.tensor(n.inputs[k]).shape) : 1; };
  if (zeros(2) != 1 || (zeros(3) != 1 && zeros(3) != out.c))
    user_error(fmt::format("{}: {} and {} zero points; supported: one of x, one or {} of the weights", describe(n),
                           zeros(2), zeros(3), out.c));
  p.zero_step = zeros(3) != 1;
  LoweredNode& lowered = to.add(node, FloatSpec{p}, n.inputs[0], n.outputs[0], n.inputs[1]);
  if (has(2)) lowered.operands.emplace_back(OCTET_SCALE, n.inputs[2]);
  if (has(3)) lowered.operands.emplace_back(OCTET_BIAS, n.inputs[3]);
}

void lower_pool_f32(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const Pixels in = pixels_of(to.tensor(n.inputs[0]), n.channels_last),
               out = pixels_of(to.tensor(n.outputs[0]), n.channels_last);
  f::Pool p{};
  set_images(p, in, out);
  p.channels = in.c;
  p.window = window_of(n.window);
  p.pad_bottom = n.window.pad_bottom;
  p.pad_right = n.window.pad_right;
  p.largest = n.op == OpKind::max_pool;
  p.count_include_pad = n.count_include_pad;
  to.add(node, FloatSpec{p}, n.inputs[0], n.outputs[0]);
}

// ---- gathers --------------------------------------------------------------------------------------------------------

// The dimensions from `first` on, as rows of whole bytes.
struct Block {
  int64_t rows = 1, bytes = 0, pitch = 0;
};

Block block_of(const Lowering& to, TensorId t, size_t first) {
  const Tensor& tensor = to.tensor(t);
  const auto width = static_cast<int64_t>(dtype_bytes(tensor.dtype));
  const Shape inner(tensor.shape.begin() + static_cast<int64_t>(std::min(first, tensor.shape.size())),
                    tensor.shape.end());
  if (inner.empty()) return {1, width, width};
  return {element_count(inner) / inner.back(), inner.back() * width, to.place(t).pitch};
}

// out[.., i, ..] = in[.., index i, ..] along the axis; indices come by src2 or as data.
LoweredNode& add_gather(Lowering& to, int node, int64_t count, DType index_type, TensorId indices) {
  const Node& n = node_of(to, node);
  const TensorId in = n.inputs[0], out = n.outputs[0];
  const auto axis = static_cast<size_t>(n.axis);
  const std::vector<int64_t> src = byte_strides(to, in), dst = byte_strides(to, out);
  const Shape& shape = to.tensor(in).shape;
  const auto before = [axis](const std::vector<int64_t>& v) {
    return std::vector(v.begin(), v.begin() + static_cast<int64_t>(axis));
  };
  const Walk outer = joined({before(shape), {before(src), before(dst)}});
  f::Gather p{};
  fill_last(to, node, p.outer, outer.dims, 1);
  fill_last(to, node, p.src_outer, outer.strides[0], 0);
  fill_last(to, node, p.dst_outer, outer.strides[1], 0);
  const Block from = block_of(to, in, axis + 1);
  p.count = count;
  p.axis = shape[axis];
  p.rows = from.rows;
  p.row_bytes = from.bytes;
  p.src_step = src[axis];
  p.dst_step = dst[axis];
  p.src_row = from.pitch;
  p.dst_row = block_of(to, out, axis + 1).pitch;
  p.index_type = static_cast<int64_t>(index_type);
  return to.add(node, FloatSpec{p}, in, out, indices);
}

void lower_gather_nd(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId in = n.inputs[0], out = n.outputs[0], indices = n.inputs[1];
  const Shape& shape = to.tensor(in).shape;
  const std::vector<int64_t> src = byte_strides(to, in);
  f::GatherNd p{};
  p.depth = to.tensor(indices).shape.back();
  if (p.depth > f::kRank)
    user_error(fmt::format("{}: tuples of {} indices; supported: {}", describe(n), p.depth, int{f::kRank}));
  std::fill(std::begin(p.sizes), std::end(p.sizes), 1);
  const auto depth = static_cast<size_t>(p.depth);
  std::copy_n(shape.begin(), depth, p.sizes);
  std::copy_n(src.begin(), depth, p.strides);
  const Block from = block_of(to, in, depth), result = block_of(to, out, 1);
  p.count = element_count(to.tensor(indices).shape) / p.depth;
  p.rows = from.rows;
  p.row_bytes = from.bytes;
  p.src_row = from.pitch;
  p.dst_row = result.pitch;
  p.dst_step = byte_strides(to, out)[0];
  p.index_type = static_cast<int64_t>(to.tensor(indices).dtype);
  to.add(node, FloatSpec{p}, in, out, indices);
}

void lower_nearest(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const auto axis = static_cast<size_t>(n.axis);
  const int64_t in = to.tensor(n.inputs[0]).shape[axis], out = to.tensor(n.outputs[0]).shape[axis];
  std::vector<int32_t> indices;
  for (int64_t o = 0; o < out; ++o) indices.push_back(nearest_pixel(n.resize, axis, in, out, o));
  put(add_gather(to, node, out, DType::s32, kNoTensor), OCTET_SRC2, indices);
}

}  // namespace

void lower_float_image(Lowering& to, int node) {
  switch (node_of(to, node).op) {
    case OpKind::linear: return lower_linear_f32(to, node);
    case OpKind::batch_norm: return lower_batch_norm_f32(to, node);
    case OpKind::integer_conv: return lower_integer_conv(to, node);
    case OpKind::conv:
    case OpKind::conv_transpose: return lower_conv_f32(to, node);
    default: return lower_pool_f32(to, node);
  }
}

void lower_gather(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  if (n.op == OpKind::resize) return lower_nearest(to, node);
  if (n.op == OpKind::gather_nd) return lower_gather_nd(to, node);
  const Tensor& indices = to.tensor(n.inputs[1]);
  add_gather(to, node, element_count(indices.shape), indices.dtype, n.inputs[1]);
}

}  // namespace octet

#include "generator/passes/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "generator/kernel/lut.h"
#include "generator/kernel/requant.h"
#include "generator/passes/integer_form.h"
#include "generator/passes/lower_float.h"
#include "generator/passes/lowering.h"
#include "generator/passes/table.h"
#include "runtime/status.h"

namespace octet {
QuantView Lowering::view(TensorId t) const {
  return quant_view(tensor(t));
}

int Lowering::pitch(TensorId t) const {
  const int64_t pitch = place(t).pitch;
  if (pitch > std::numeric_limits<int>::max())
    user_error(fmt::format("tensor '{}' has rows of {} bytes; supported are rows below 2^31", tensor(t).name, pitch));
  return static_cast<int>(pitch);
}

int Lowering::channels(TensorId t) const {
  return tensor(t).shape.empty() ? 1 : static_cast<int>(tensor(t).shape.back());
}

int Lowering::rows(TensorId t) const {
  const int64_t count = element_count(tensor(t).shape);
  if (count > std::numeric_limits<int>::max())
    user_error(fmt::format("tensor '{}' of shape {} has {} elements; supported are tensors below 2^31", tensor(t).name,
                           to_string(tensor(t).shape), count));
  return static_cast<int>(count / channels(t));
}

bool Lowering::placed_in(TensorId inner, TensorId outer, int64_t offset) const {
  return place(inner).root == place(outer).root && place(inner).offset == place(outer).offset + offset;
}

LoweredNode& Lowering::add(int node, KernelSpec spec, TensorId src, TensorId dst, TensorId src2) {
  LoweredNode lowered;
  lowered.node = node;
  lowered.spec = std::move(spec);
  lowered.src = src;
  lowered.src2 = src2;
  lowered.dst = dst;
  out.push_back(std::move(lowered));
  return out.back();
}

Image image_of(const Tensor& t) {
  const auto d = [&t](size_t i) { return static_cast<int>(t.shape[i]); };
  switch (t.shape.size()) {
    case 4: return {d(0), d(1), d(2), d(3)};
    case 3: return {d(0), 1, d(1), d(2)};
    case 2: return {d(0), 1, 1, d(1)};
    default:
      user_error(
          fmt::format("tensor '{}' of shape {}: supported are images of rank 2 to 4", t.name, to_string(t.shape)));
  }
}

namespace {

// How the operands of an add or mul meet.
struct Meeting {
  Broadcast broadcast = Broadcast::none;
  int n = 1, pixels = 1;  // pixels per image
};

Meeting meeting(const Lowering& to, TensorId a, TensorId b, TensorId out) {
  const Shape &sa = to.tensor(a).shape, &sb = to.tensor(b).shape, &so = to.tensor(out).shape;
  Meeting m{.pixels = to.rows(out)};
  if (sa == so && sb == so) return m;
  m.broadcast = sa == so ? Broadcast::b : Broadcast::a;
  const TensorId small = sa == so ? b : a;
  if ((sa != so && sb != so) || to.tensor(small).shape != pixel_per_image(to.tensor(small).shape, so))
    internal_error(fmt::format("operands {} and {} of {}", to_string(sa), to_string(sb), to_string(so)));
  m.n = to.rows(small);
  m.pixels /= m.n;
  return m;
}

void lower_add(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId a = n.inputs[0], b = n.inputs[1], out = n.outputs[0];
  const Meeting m = meeting(to, a, b, out);
  to.add(node,
         AddSpec{.n = m.n,
                 .pixels = m.pixels,
                 .channels = to.channels(out),
                 .broadcast = m.broadcast,
                 .a_pitch = to.pitch(a),
                 .b_pitch = to.pitch(b),
                 .dst_pitch = to.pitch(out),
                 .add = sum_formula(to.graph, n)},
         a, out, b);
}

// A spec whose second operand may be one pixel per image, but for its formula.
template <class Spec>
Spec spread(const Lowering& to, const Meeting& m, TensorId a, TensorId b, TensorId out) {
  Spec spec;
  spec.n = m.n;
  spec.pixels = m.pixels;
  spec.channels = to.channels(out);
  spec.broadcast = m.broadcast != Broadcast::none;
  spec.a_pitch = to.pitch(a);
  spec.b_pitch = to.pitch(b);
  spec.dst_pitch = to.pitch(out);
  return spec;
}

void lower_mul(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  TensorId a = n.inputs[0], b = n.inputs[1];
  const TensorId out = n.outputs[0];
  const Meeting m = meeting(to, a, b, out);
  MulFormula mul = product_formula(to.graph, n);
  if (m.broadcast == Broadcast::a) {  // the formula is symmetric
    std::swap(a, b);
    std::swap(mul.a_zero, mul.b_zero);
  }
  auto spec = spread<MulSpec>(to, m, a, b, out);
  spec.mul = mul;
  to.add(node, spec, a, out, b);
}

// Quantization of both ends and the node's clamp, for an op of one source.
template <class Spec>
void set_edges(const Graph& graph, const Node& n, Spec& spec) {
  spec.src = quant_view(graph.tensor(n.inputs[0]));
  spec.dst = quant_view(graph.tensor(n.outputs[0]));
  const ByteRange range = byte_range(n.range, spec.dst);
  spec.lo = range.lo;
  spec.hi = range.hi;
}

}  // namespace

AddFormula sum_formula(const Graph& graph, const Node& n) {
  const QuantView a = quant_view(graph.tensor(n.inputs[0])), b = quant_view(graph.tensor(n.inputs[1])),
                  out = quant_view(graph.tensor(n.outputs[0]));
  const ByteRange range = byte_range(n.range, out);
  const auto formula = n.op == OpKind::sub ? sub_formula : add_formula;
  return named(n, [&] { return formula(graph.profile, a, b, out, range.lo, range.hi); });
}

MulFormula product_formula(const Graph& graph, const Node& n) {
  const QuantView out = quant_view(graph.tensor(n.outputs[0]));
  const ByteRange range = byte_range(n.range, out);
  return named(n, [&] {
    return mul_formula(graph.profile, quant_view(graph.tensor(n.inputs[0])), quant_view(graph.tensor(n.inputs[1])), out,
                       range.lo, range.hi);
  });
}

PairFormula pair_formula(const Graph& graph, const Node& n) {
  const QuantView a = quant_view(graph.tensor(n.inputs[0])), b = quant_view(graph.tensor(n.inputs[1])),
                  out = quant_view(graph.tensor(n.outputs[0]));
  const ByteRange range = byte_range(n.range, out);
  return named(n, [&] {
    if (n.op == OpKind::prelu) return prelu_formula(graph.profile, a, b, out, range.lo, range.hi);
    return extremum_formula(n.op == OpKind::maximum, a, b, out, range.lo, range.hi);
  });
}

namespace {

MeanFormula mean_of(const Graph& graph, const Node& n, int count) {
  const QuantView src = quant_view(graph.tensor(n.inputs[0])), dst = quant_view(graph.tensor(n.outputs[0]));
  const auto [lo, hi] = byte_range(n.range, dst);
  if (n.op == OpKind::max_pool) return {.src = src, .dst = dst, .lo = lo, .hi = hi};
  if (n.op == OpKind::average_pool) return average_formula(graph.profile, src, dst, lo, hi);
  if (!n.axes.empty() && n.reduction == Reduction::sum) return sum_formula(graph.profile, src, dst, count, lo, hi);
  const auto formula = n.source == "ReduceMean" ? reduce_mean_formula : global_average_formula;
  return formula(graph.profile, src, dst, count, lo, hi);
}

}  // namespace

bool is_images_mean(const Graph& graph, const Node& n) {
  // pool_reductions leaves the axes of other means.
  return graph.profile == Profile::tfl_ruy && n.op == OpKind::global_average_pool && n.axes.empty();
}

Window settled_window(const Graph& graph, const Node& n) {
  constexpr int64_t kMostBytes = 1 << 30;
  const Image in = image_of(graph.tensor(n.inputs[0])), out = image_of(graph.tensor(n.outputs[0]));
  Window w = n.window;
  // Not to 1: a pointwise convolution of stride 1 has as many outputs as inputs.
  if (out.h == 1) w.stride_h = std::min(w.stride_h, in.h);
  if (out.w == 1) w.stride_w = std::min(w.stride_w, in.w);
  if (w.kh == 1) w.dilation_h = 1;
  if (w.kw == 1) w.dilation_w = 1;
  const auto check = [&](const char* what, int step, int64_t bytes) {
    if (step * bytes > kMostBytes)
      user_error(fmt::format("{}: {} {} of {} bytes each; supported are {} bytes together", describe(n), step, what,
                             bytes, kMostBytes));
  };
  check("rows between taps, outputs or to the padding's end",
        std::max({w.stride_h, w.dilation_h, w.pad_top, w.pad_bottom}), int64_t{in.w} * in.c);
  check("columns between taps, outputs or to the padding's end",
        std::max({w.stride_w, w.dilation_w, w.pad_left, w.pad_right}), in.c);
  return w;
}

PoolSpec pool_formula(const Graph& graph, const Node& n) {
  const Image in = image_of(graph.tensor(n.inputs[0])), out = image_of(graph.tensor(n.outputs[0]));
  PoolSpec spec{.kind = n.op == OpKind::max_pool ? PoolKind::max : PoolKind::average,
                .n = in.n,
                .ih = in.h,
                .iw = in.w,
                .oh = out.h,
                .ow = out.w,
                .channels = in.c};
  constexpr int64_t kMostValues = std::numeric_limits<int32_t>::max() / 255;  // whose sum fits s32
  if (const int64_t values = int64_t{in.h} * in.w; spec.kind == PoolKind::average && values > kMostValues)
    user_error(fmt::format("{}: its images have {} values a channel; supported are means of images of up to {}",
                           describe(n), values, kMostValues));
  spec.mean = named(n, [&] { return mean_of(graph, n, in.h * in.w); });
  spec.window = settled_window(graph, n);
  spec.count_include_pad = n.count_include_pad;
  // A window over the whole image needs no window where the order of additions does not count.
  const bool covers =
      spec.kind == PoolKind::average && spec.mean.form != MeanForm::sequential &&
      n.window == Window{.kh = in.h, .kw = in.w, .stride_h = n.window.stride_h, .stride_w = n.window.stride_w};
  if (n.op == OpKind::global_average_pool || covers) {
    spec.kind = PoolKind::whole;
    spec.window = {};
    spec.count_include_pad = false;
    spec.oh = spec.ow = 1;
  }
  return spec;
}

std::vector<Affine> affine_channels(const Graph& graph, const Node& n) {
  const auto vector = [&](size_t k) { return graph.tensor(n.inputs[k]).values<float>(); };
  const auto gamma = vector(1), beta = vector(2), mean = vector(3), variance = vector(4);
  const auto channels = static_cast<size_t>(graph.tensor(n.inputs[0]).shape.back());
  if (gamma.size() != channels || beta.size() != channels || mean.size() != channels || variance.size() != channels)
    user_error(fmt::format("{}: its parameters are not {} values each, one per channel", describe(n), channels));
  std::vector<Affine> affine(channels);
  for (size_t c = 0; c < channels; ++c) {
    affine[c] = batch_norm_affine(gamma[c], beta[c], mean[c], variance[c], n.alpha);
    if (!std::isfinite(affine[c].scale) || !std::isfinite(affine[c].shift))
      user_error(
          fmt::format("{}: channel {} has variance {} and epsilon {}; supported are parameters with finite scale "
                      "and shift",
                      describe(n), c, variance[c], n.alpha));
  }
  return affine;
}

AffineSpec affine_formula(const Graph& graph, const Node& n) {
  AffineSpec spec{.channels = static_cast<int>(graph.tensor(n.inputs[0]).shape.back())};
  set_edges(graph, n, spec);
  return spec;
}

namespace {

void lower_pair(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  TensorId a = n.inputs[0], b = n.inputs[1];
  const TensorId out = n.outputs[0];
  const Meeting m = meeting(to, a, b, out);
  const PairFormula pair = pair_formula(to.graph, n);
  if (m.broadcast == Broadcast::a) {
    if (n.op == OpKind::prelu) internal_error(describe(n) + " has more slopes than values");
    std::swap(a, b);  // the larger and the smaller of two are symmetric
  }
  auto spec = spread<PairSpec>(to, m, a, b, out);
  spec.pair = pair;
  to.add(node, spec, a, out, b);
}

// TensorFlow Lite's optimized mean rounds the channels that fill vectors of 16 and the others in two ways.
void lower_images_mean(Lowering& to, int node, const PoolSpec& all) {
  const Node& n = node_of(to, node);
  const QuantView src = to.view(n.inputs[0]), dst = to.view(n.outputs[0]);
  const int in_vectors = all.channels / 16 * 16;
  const auto add = [&](bool vectors, int first, int count) {
    if (count == 0) return;
    PoolSpec spec = all;
    spec.channels = count;
    spec.mean =
        named(n, [&] { return images_mean_formula(vectors, src, dst, all.ih * all.iw, all.mean.lo, all.mean.hi); });
    LoweredNode& lowered = to.add(node, spec, n.inputs[0], n.outputs[0]);
    lowered.src_offset = lowered.dst_offset = first;
  };
  add(true, 0, in_vectors);
  add(false, in_vectors, all.channels - in_vectors);
}

void lower_pool(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  PoolSpec spec = pool_formula(to.graph, n);
  spec.src_pitch = to.pitch(src);
  spec.dst_pitch = to.pitch(dst);
  if (is_images_mean(to.graph, n)) return lower_images_mean(to, node, spec);
  to.add(node, spec, src, dst);
}

// unary and requantize: the table on storage bytes.
void lower_table(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  if (to.placed_in(dst, src, 0)) return;
  const Lut table = storage_table(to.graph, n);
  const bool identity = is_identity(table);
  const LutSpec spec{.pixels = to.rows(dst),
                     .channels = to.channels(dst),
                     .src_pitch = to.pitch(src),
                     .dst_pitch = to.pitch(dst),
                     .copy = identity};
  LoweredNode& lowered = to.add(node, spec, src, dst);
  if (!identity) put(lowered, OCTET_WEIGHTS, std::vector<uint8_t>(table.begin(), table.end()));
}

void lower_batch_norm(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  std::vector<float> scale, shift;
  for (const Affine& a : affine_channels(to.graph, n)) {
    scale.push_back(a.scale);
    shift.push_back(a.shift);
  }
  AffineSpec spec = affine_formula(to.graph, n);
  spec.pixels = to.rows(src);
  spec.src_pitch = to.pitch(src);
  spec.dst_pitch = to.pitch(dst);
  LoweredNode& lowered = to.add(node, spec, src, dst);
  put(lowered, OCTET_SCALE, scale);
  put(lowered, OCTET_BIAS, shift);
}

// The shape of an edge between the file's order and a stored tensor.
QuantizeSpec edge_shape(const Lowering& to, TensorId stored) {
  const Tensor& t = to.tensor(stored);
  QuantizeSpec spec{.pixels = to.rows(stored), .channels = to.channels(stored), .channels_first = false};
  if (!t.file_shape.empty()) {
    spec.n = static_cast<int>(t.shape[0]);
    spec.pixels /= spec.n;
    spec.channels_first = true;
  }
  spec.pitch = to.pitch(stored);
  spec.quant = to.view(stored);
  return spec;
}

void lower_quantize(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const std::optional<QuantizeForm> form = quantize_form(to.graph.profile);
  if (!form)
    user_error(
        fmt::format("{}: profile {} rounds some elements in one way and some in another; supported is every "
                    "other profile",
                    describe(n), profile_name(to.graph.profile)));
  QuantizeSpec spec = edge_shape(to, n.outputs[0]);
  spec.form = *form;
  to.add(node, spec, n.inputs[0], n.outputs[0]);
}

void lower_dequantize(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const DequantizeSpec spec{edge_shape(to, n.inputs[0])};
  if (to.graph.profile == Profile::tfl_ruy && spec.quant.zero_point != 0)
    user_error(
        fmt::format("{}: profile tfl-ruy rounds some elements in one way and some in another; supported are zero "
                    "points of 0, and every other profile",
                    describe(n)));
  to.add(node, spec, n.inputs[0], n.outputs[0]);
}

void lower_edge(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  const auto among = [](const std::vector<TensorId>& ids, TensorId t) {
    return std::find(ids.begin(), ids.end(), t) != ids.end();
  };
  switch (n.op) {
    case OpKind::quantize: return lower_quantize(to, node);
    case OpKind::dequantize: return lower_dequantize(to, node);
    default: break;
  }
  const bool enters = among(to.graph.inputs, src), leaves = among(to.graph.outputs, dst);
  if (!to.tensor(dst).is_quantized()) {  // as the file has them
    to.add(node, EdgeSpec{edge_shape(to, src), false}, src, dst);
    return;
  }
  if (enters == leaves) {
    if (!enters && to.placed_in(dst, src, 0)) return;
    internal_error(describe(n) + " is an identity inside the graph");
  }
  to.add(node, EdgeSpec{edge_shape(to, enters ? dst : src), enters}, src, dst);
}

void lower_softmax(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  const Shape& shape = to.tensor(src).shape;
  const auto axis = static_cast<size_t>(n.axis);
  const auto elements = [&shape](size_t from, size_t end) {
    return static_cast<int>(
        element_count(Shape(shape.begin() + static_cast<int64_t>(from), shape.begin() + static_cast<int64_t>(end))));
  };
  SoftmaxSpec spec{.rows = elements(0, axis), .length = static_cast<int>(shape[axis])};
  const float beta = n.alpha == 0 ? 1 : n.alpha;
  spec.form = named(n, [&] {
    return softmax_form(to.graph.profile, n.op == OpKind::log_softmax, spec.length, to.view(src), to.view(dst), beta);
  });
  if (axis + 1 < shape.size()) {
    spec.pixels = elements(axis + 1, shape.size() - 1);
    spec.channels = to.channels(src);
  }
  spec.src_pitch = to.pitch(src);
  spec.dst_pitch = to.pitch(dst);
  spec.src = to.view(src);
  spec.dst = to.view(dst);
  to.add(node, spec, src, dst).data[OCTET_WEIGHTS] = softmax_tables(spec.form, spec.src, spec.length, beta);
}

void lower_permute(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId src = n.inputs[0], dst = n.outputs[0];
  if (n.inputs.size() == 2) {  // join_interleaves
    const TensorId second = n.inputs[1];
    to.add(node,
           InterleaveSpec{.pixels = to.rows(dst),
                          .channels = to.channels(dst),
                          .a_pitch = to.pitch(src),
                          .b_pitch = to.pitch(second),
                          .dst_pitch = to.pitch(dst)},
           src, dst, second);
    return;
  }
  if (n.perm.size() > 65536)
    user_error(fmt::format("{}: permutes {} channels; supported are 65536", describe(n), n.perm.size()));
  const ChannelPermuteSpec spec{
      .pixels = to.rows(dst), .channels = to.channels(dst), .src_pitch = to.pitch(src), .dst_pitch = to.pitch(dst)};
  put(to.add(node, spec, src, dst), OCTET_WEIGHTS, std::vector<uint16_t>(n.perm.begin(), n.perm.end()));
}

void lower_node(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  if (n.op == OpKind::resize && n.resize.mode == Resize::Mode::linear && !is_float(to.graph, n))
    return lower_resize(to, node);
  if (is_move(n.op)) return lower_move(to, node);
  if (n.op == OpKind::gather || n.op == OpKind::gather_nd ||
      (n.op == OpKind::resize && n.resize.mode == Resize::Mode::nearest))
    return lower_gather(to, node);
  const bool bytes = n.op == OpKind::identity && to.tensor(n.inputs[0]).is_quantized();
  if (is_float(to.graph, n) && !bytes && !to.placed_in(n.outputs[0], n.inputs[0], 0)) return lower_float(to, node);
  switch (n.op) {
    case OpKind::conv:
    case OpKind::linear: return lower_conv(to, node);
    case OpKind::matmul: return lower_matmul(to, node);
    case OpKind::add:
    case OpKind::sub: return lower_add(to, node);
    case OpKind::mul: return lower_mul(to, node);
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::prelu: return lower_pair(to, node);
    case OpKind::max_pool:
    case OpKind::average_pool:
    case OpKind::global_average_pool: return lower_pool(to, node);
    case OpKind::batch_norm: return lower_batch_norm(to, node);
    case OpKind::unary:
    case OpKind::requantize: return lower_table(to, node);
    case OpKind::softmax:
    case OpKind::log_softmax: return lower_softmax(to, node);
    case OpKind::quantize:
    case OpKind::dequantize:
    case OpKind::identity: return lower_edge(to, node);
    case OpKind::channel_permute: return lower_permute(to, node);
    default: user_error(fmt::format("{}: {} of quantized tensors is not supported", describe(n), op_name(n.op)));
  }
}

}  // namespace

void lower_each(const Graph& graph, const std::vector<Place>& places, const std::function<void(LoweredNode&)>& take) {
  if (!graph.channels_last) internal_error("lower wants a graph that the passes have laid out");
  Lowering to(graph, places);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    lower_node(to, static_cast<int>(i));
    for (LoweredNode& n : to.out) take(n);
    to.out.clear();
  }
}

std::vector<LoweredNode> lower(const Graph& graph, const std::vector<Place>& places) {
  std::vector<LoweredNode> nodes;
  lower_each(graph, places, [&nodes](LoweredNode& n) { nodes.push_back(std::move(n)); });
  return nodes;
}

}  // namespace octet

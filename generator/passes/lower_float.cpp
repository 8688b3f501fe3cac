// Ops outside of int8 -> plain ops of templates/float_*.h. make_islands has checked their types.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "generator/passes/lower_float.h"
#include "generator/passes/lowering.h"
#include "generator/passes/resize_axis.h"
#include "runtime/status.h"

namespace octet {
namespace {

namespace f = octet_float;

static_assert(f::kLogicalNot == static_cast<int>(Unary::logical_not) && f::kProd == static_cast<int>(Reduction::prod) &&
              f::kBool == static_cast<int>(DType::boolean));

int32_t type_of(const Lowering& to, TensorId t) {
  return static_cast<int32_t>(to.tensor(t).dtype);
}

LoweredNode& add_float(Lowering& to, int node, FloatSpec::Params params, TensorId src, TensorId src2 = kNoTensor) {
  return to.add(node, FloatSpec{std::move(params)}, src, node_of(to, node).outputs[0], src2);
}

// Elements between neighbours of t along the dimensions of `out`, to which it broadcasts; aligned at the right.
std::vector<int64_t> broadcast_strides(const Shape& shape, const Shape& out) {
  std::vector<int64_t> strides(out.size(), 0);
  int64_t step = 1;
  for (size_t d = shape.size(), o = out.size(); d-- > 0;) {
    --o;
    if (shape[d] != 1) strides[o] = step;
    step *= shape[d];
  }
  return strides;
}

// Operands that broadcast to the node's dense output.
Walk broadcast_walk(const Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const Shape& out = to.tensor(n.outputs[0]).shape;
  Walk walk{out, {}};
  for (TensorId t : n.inputs) walk.strides.push_back(broadcast_strides(to.tensor(t).shape, out));
  return joined(walk);
}

void lower_unary(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId x = n.inputs[0];
  add_float(
      to, node,
      f::Unary{element_count(to.tensor(x).shape), static_cast<int32_t>(n.function), type_of(to, x), n.alpha, n.beta},
      x);
}

void lower_cast(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId x = n.inputs[0];
  add_float(to, node, f::Cast{element_count(to.tensor(x).shape), type_of(to, x), type_of(to, n.outputs[0])}, x);
}

f::Operator operator_of(const Node& n) {
  switch (n.op) {
    case OpKind::add: return f::kAdd;
    case OpKind::sub: return f::kSub;
    case OpKind::mul: return f::kMul;
    case OpKind::div: return f::kDiv;
    case OpKind::maximum: return f::kMaximum;
    case OpKind::minimum: return f::kMinimum;
    case OpKind::pow: return f::kPow;
    case OpKind::floor_div: return f::kFloorDiv;
    case OpKind::floor_mod: return f::kFloorMod;
    case OpKind::squared_difference: return f::kSquaredDifference;
    case OpKind::prelu: return f::kPrelu;
    case OpKind::compare: return static_cast<f::Operator>(f::kEqual + static_cast<int32_t>(n.relation));
    case OpKind::logic: return static_cast<f::Operator>(f::kAnd + static_cast<int32_t>(n.connective));
    default: internal_error(describe(n) + " is no binary op");
  }
}

void lower_binary(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  f::Binary p{};
  p.op = operator_of(n);
  const Walk walk = broadcast_walk(to, node);
  fill_last(to, node, p.dims, walk.dims, 1);
  fill_last(to, node, p.a, walk.strides[0], 0);
  fill_last(to, node, p.b, walk.strides[1], 0);
  p.type = type_of(to, n.inputs[0]);
  add_float(to, node, p, n.inputs[0], n.inputs[1]);
}

void lower_where(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const Walk walk = broadcast_walk(to, node);
  f::Where p{};
  fill_last(to, node, p.dims, walk.dims, 1);
  fill_last(to, node, p.condition, walk.strides[0], 0);
  fill_last(to, node, p.a, walk.strides[1], 0);
  fill_last(to, node, p.b, walk.strides[2], 0);
  p.bytes = static_cast<int64_t>(dtype_bytes(to.tensor(n.inputs[1]).dtype));
  add_float(to, node, p, n.inputs[1], n.inputs[2]).operands = {{OCTET_WEIGHTS, n.inputs[0]}};
}

// matmul and integer_matmul; zero points are one, or one per row of x and per column of y.
void lower_float_matmul(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const Shape &x = to.tensor(n.inputs[0]).shape, &y = to.tensor(n.inputs[1]).shape;
  f::MatMul p{};
  p.m = x.size() > 1 ? x[x.size() - 2] : 1;
  p.k = x.back();
  p.n = y.size() > 1 ? y.back() : 1;
  Shape x_batch(x.begin(), x.end() - std::min<int64_t>(2, static_cast<int64_t>(x.size())));
  Shape y_batch(y.begin(), y.end() - std::min<int64_t>(2, static_cast<int64_t>(y.size())));
  Walk walk;
  walk.dims.resize(std::max(x_batch.size(), y_batch.size()), 1);
  for (const Shape& s : {x_batch, y_batch})
    for (size_t d = 1; d <= s.size(); ++d)
      walk.dims[walk.dims.size() - d] = std::max(walk.dims[walk.dims.size() - d], s[s.size() - d]);
  walk.strides = {broadcast_strides(x_batch, walk.dims), broadcast_strides(y_batch, walk.dims)};
  for (int64_t& s : walk.strides[0]) s *= p.m * p.k;
  for (int64_t& s : walk.strides[1]) s *= p.k * p.n;
  walk = joined(walk);
  fill_last(to, node, p.batch, walk.dims, 1);
  fill_last(to, node, p.a, walk.strides[0], 0);
  fill_last(to, node, p.b, walk.strides[1], 0);
  p.a_type = type_of(to, n.inputs[0]);
  p.b_type = type_of(to, n.inputs[1]);
  LoweredNode& lowered = add_float(to, node, p, n.inputs[0], n.inputs[1]);
  auto& params = std::get<f::MatMul>(std::get<FloatSpec>(lowered.spec).params);
  const auto zero = [&](size_t k, OctetArg arg, int64_t count, int32_t& step) {
    if (n.inputs.size() <= k || n.inputs[k] == kNoTensor) return;
    const int64_t given = element_count(to.tensor(n.inputs[k]).shape);
    if (given != 1 && given != count)
      user_error(fmt::format("{}: {} zero points; supported: one, or {} (one per {})", describe(n), given, count,
                             k == 2 ? "row" : "column"));
    step = given == 1 ? 0 : 1;
    lowered.operands.emplace_back(arg, n.inputs[k]);
  };
  zero(2, OCTET_SCALE, p.m, params.a_zero_step);
  zero(3, OCTET_BIAS, p.n, params.b_zero_step);
}

void add_reduce(Lowering& to, int node, const std::vector<int64_t>& axes, Reduction reduction) {
  const Node& n = node_of(to, node);
  const Shape& shape = to.tensor(n.inputs[0]).shape;
  // Neighbours that are both reduced or both kept are one dimension: a second operand tells them apart.
  std::vector<int64_t> strides = broadcast_strides(shape, shape), kind(shape.size());
  for (size_t d = 0; d < shape.size(); ++d)
    kind[d] = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
  std::vector<int64_t> kept, kept_strides, reduced, reduced_strides;
  bool last_is_kept = false, fresh = true;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    std::vector<int64_t>&dims = kind[d] ? reduced : kept, &steps = kind[d] ? reduced_strides : kept_strides;
    if (!fresh && last_is_kept == !kind[d]) {
      dims.back() *= shape[d];
      steps.back() = strides[d];
    } else {
      dims.push_back(shape[d]);
      steps.push_back(strides[d]);
    }
    last_is_kept = !kind[d];
    fresh = false;
  }
  f::Reduce p{};
  p.inner = 1;
  if (last_is_kept) {
    p.inner = kept.back();
    kept.pop_back();
    kept_strides.pop_back();
  }
  fill_last(to, node, p.kept, kept, 1);
  fill_last(to, node, p.kept_strides, kept_strides, 0);
  fill_last(to, node, p.reduced, reduced, 1);
  fill_last(to, node, p.reduced_strides, reduced_strides, 0);
  p.reducer = static_cast<int32_t>(reduction);
  p.type = type_of(to, n.inputs[0]);
  add_float(to, node, p, n.inputs[0]);
}

void lower_global_pool(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const auto rank = static_cast<int64_t>(to.tensor(n.inputs[0]).shape.size());
  std::vector<int64_t> axes;
  for (int64_t d = 2; d < rank; ++d) axes.push_back(n.channels_last ? d - 1 : d);
  add_reduce(to, node, axes, Reduction::mean);
}

// Around an axis.
f::Along along(const Shape& shape, int axis) {
  const auto at = shape.begin() + axis;
  return {element_count(Shape(shape.begin(), at)), *at, element_count(Shape(at + 1, shape.end()))};
}

void lower_arg(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId x = n.inputs[0];
  add_float(to, node,
            f::Arg{along(to.tensor(x).shape, n.axis), type_of(to, x), type_of(to, n.outputs[0]),
                   n.reduction == Reduction::min, n.select_last},
            x);
}

void lower_softmax_f32(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const TensorId x = n.inputs[0];
  add_float(to, node, f::Softmax{along(to.tensor(x).shape, n.axis), n.op == OpKind::log_softmax}, x);
}

void lower_norm(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const Shape& shape = to.tensor(n.inputs[0]).shape;
  f::Norm p{.per_row = 0, .epsilon = static_cast<double>(n.alpha)};
  int64_t parameters = 0;
  if (n.op == OpKind::layer_norm) {
    p.length = element_count(Shape(shape.begin() + n.axis, shape.end()));
    p.period = p.inner = 1;
    parameters = p.per_row = p.length;
  } else {
    const int64_t channels = shape[1], pixels = element_count(shape) / (shape[0] * channels);
    p.period = n.op == OpKind::group_norm ? n.group : channels;
    p.per_row = channels / p.period;
    p.length = p.per_row * pixels;
    p.inner = pixels;
    parameters = channels;
  }
  p.rows = element_count(shape) / p.length;
  LoweredNode& lowered = add_float(to, node, p, n.inputs[0]);
  for (size_t k = 1; k < n.inputs.size(); ++k) {
    if (n.inputs[k] == kNoTensor) continue;
    if (const int64_t given = element_count(to.tensor(n.inputs[k]).shape); given != parameters)
      user_error(fmt::format("{}: '{}' has {} values; supported: {}, one per {}", describe(n),
                             to.tensor(n.inputs[k]).name, given, parameters,
                             n.op == OpKind::layer_norm ? "normalized element" : "channel"));
    lowered.operands.emplace_back(k == 1 ? OCTET_SCALE : OCTET_BIAS, n.inputs[k]);
  }
}

void lower_dynamic_quantize(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const f::Dynamic parts[] = {f::kDynamicValues, f::kDynamicScale, f::kDynamicZero};
  for (size_t k = 0; k < n.outputs.size(); ++k) {
    const f::DynamicQuantize p{element_count(to.tensor(n.inputs[0]).shape), parts[k],
                               to.tensor(n.outputs[0]).dtype == DType::s8};
    to.add(node, FloatSpec{p}, n.inputs[0], n.outputs[k]);
  }
}

// One axis of a linear or cubic resize; make_islands has made it so.
void lower_interpolate(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const auto axis = static_cast<size_t>(n.axis);
  const int64_t in = to.tensor(n.inputs[0]).shape[axis], out = to.tensor(n.outputs[0]).shape[axis];
  f::Interpolate p{along(to.tensor(n.inputs[0]).shape, n.axis), out, 0};
  if (n.resize.mode == Resize::Mode::cubic || n.resize.antialias) {
    constexpr int64_t kMostTaps = 1 << 22;
    p.taps = tap_count(n.resize, axis, in, out);
    if (p.taps > kMostTaps / out)
      user_error(fmt::format("{}: {} elements along axis {} with {} weights each; supported are {} weights",
                             describe(n), out, axis, p.taps, kMostTaps));
    const Taps taps = resize_taps(n.resize, axis, in, out);
    LoweredNode& lowered = add_float(to, node, p, n.inputs[0]);
    put(lowered, OCTET_WEIGHTS, taps.index);
    put(lowered, OCTET_SCALE, taps.weight);
    return;
  }
  std::vector<int32_t> pairs;
  std::vector<float> weights;
  const auto last = static_cast<int32_t>(in - 1);
  for (int64_t o = 0; o < out; ++o) {
    const float x = std::clamp(resize_source(n.resize, axis, in, out, o), 0.0f, static_cast<float>(last));
    const auto lo = static_cast<int32_t>(x);
    pairs.insert(pairs.end(), {lo, std::min(lo + 1, last)});
    weights.push_back(x - static_cast<float>(lo));
  }
  LoweredNode& lowered = add_float(to, node, p, n.inputs[0]);
  put(lowered, OCTET_WEIGHTS, pairs);
  put(lowered, OCTET_SCALE, weights);
}

// The same type, where a name of its own is wanted.
void lower_copy(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  const int64_t bytes =
      element_count(to.tensor(n.inputs[0]).shape) * static_cast<int64_t>(dtype_bytes(to.tensor(n.inputs[0]).dtype));
  to.add(node, CopySpec{.dims = {bytes}, .src_strides = {1}, .dst_strides = {1}}, n.inputs[0], n.outputs[0]);
}

}  // namespace

void lower_float(Lowering& to, int node) {
  const Node& n = node_of(to, node);
  switch (n.op) {
    case OpKind::unary: return lower_unary(to, node);
    case OpKind::cast: return lower_cast(to, node);
    case OpKind::where: return lower_where(to, node);
    case OpKind::matmul:
    case OpKind::integer_matmul: return lower_float_matmul(to, node);
    case OpKind::reduce: return add_reduce(to, node, n.axes, n.reduction);
    case OpKind::global_average_pool: return lower_global_pool(to, node);
    case OpKind::arg: return lower_arg(to, node);
    case OpKind::softmax:
    case OpKind::log_softmax: return lower_softmax_f32(to, node);
    case OpKind::layer_norm:
    case OpKind::instance_norm:
    case OpKind::group_norm: return lower_norm(to, node);
    case OpKind::dynamic_quantize: return lower_dynamic_quantize(to, node);
    case OpKind::resize: return lower_interpolate(to, node);
    case OpKind::identity: return lower_copy(to, node);
    case OpKind::conv:
    case OpKind::conv_transpose:
    case OpKind::linear:
    case OpKind::batch_norm:
    case OpKind::integer_conv:
    case OpKind::max_pool:
    case OpKind::average_pool: return lower_float_image(to, node);
    default: return lower_binary(to, node);
  }
}

}  // namespace octet

// Conv and pooling: geometry, and the ops themselves.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

using importing::kMostWindow;

// One attribute with a value per spatial axis, in [least, kMostWindow].
Ints per_axis(NodeImport& n, std::string_view name, size_t count, int64_t least, int64_t otherwise) {
  const auto given = n.integers(name);
  if (!given) return Ints(count, otherwise);
  for (int64_t v : *given)
    if (v < least || v > kMostWindow)
      n.fail_attribute(name, fmt::format("[{}]", fmt::join(*given, ", ")), fmt::format("{} to {}", least, kMostWindow));
  if (given->size() != count)
    n.fail_attribute(name, fmt::format("[{}]", fmt::join(*given, ", ")), fmt::format("{} values here", count));
  return *given;
}

struct Axis {
  int64_t in, kernel, stride, dilation, begin, end;
  int64_t extent() const { return dilation * (kernel - 1) + 1; }
};

void resolve_auto_pad(Axis& a, const std::string& mode) {
  a.begin = a.end = 0;
  if (mode == "VALID") return;
  const int64_t out = (a.in + a.stride - 1) / a.stride;
  const int64_t total = std::max<int64_t>((out - 1) * a.stride + a.extent() - a.in, 0);
  a.begin = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
  a.end = total - a.begin;
}

int64_t output_size(const NodeImport& n, const Axis& a, bool ceil) {
  const int64_t room = a.in + a.begin + a.end - a.extent();
  if (room < 0)
    n.fail(fmt::format("a window of {} on {} pixels with {} of padding; supported: windows that fit", a.extent(), a.in,
                       a.begin + a.end));
  int64_t out = (ceil ? room + a.stride - 1 : room) / a.stride + 1;
  // No window starts in the padding behind the image.
  if (ceil && (out - 1) * a.stride >= a.in + a.begin) --out;
  return out;
}

Window to_window(const std::vector<Axis>& axes) {
  Window w;
  const auto number = [](int64_t v) { return static_cast<int>(v); };
  const Axis& x = axes.back();
  w.kw = number(x.kernel), w.stride_w = number(x.stride), w.dilation_w = number(x.dilation);
  w.pad_left = number(x.begin), w.pad_right = number(x.end);
  if (axes.size() == 1) return w;
  const Axis& y = axes.front();
  w.kh = number(y.kernel), w.stride_h = number(y.stride), w.dilation_h = number(y.dilation);
  w.pad_top = number(y.begin), w.pad_bottom = number(y.end);
  return w;
}

void conv_into(NodeImport& n, TensorId x, TensorId w, TensorId bias, DType dtype, std::optional<QuantParams> quant) {
  n.expect_rank(x, 3, 4);
  const Shape xs = n.graph.tensor(x).shape, ws = n.graph.tensor(w).shape;
  if (ws.size() != xs.size())
    n.fail(fmt::format("weights of shape {} for an input of shape {}; supported: 1-D and 2-D convolution",
                       to_string(ws), to_string(xs)));
  const int64_t group = n.integer("group", 1);
  if (group < 1 || xs[1] % group || ws[0] % group || ws[1] != xs[1] / group)
    n.fail_attribute("group", fmt::format("{} with weights {} and input {}", group, to_string(ws), to_string(xs)),
                     "groups that divide both channels, weights [oc, ic / group, ...]");
  if (bias != kNoTensor && n.graph.tensor(bias).shape != Shape{ws[0]})
    n.fail(fmt::format("bias of shape {}; supported: {}", to_string(n.graph.tensor(bias).shape), ws[0]));
  const Ints kernel(ws.begin() + 2, ws.end());
  if (const auto stated = n.integers("kernel_shape"); stated && *stated != kernel)
    n.fail_attribute("kernel_shape", fmt::format("[{}]", fmt::join(*stated, ", ")),
                     fmt::format("that of the weights, {}", to_string(ws)));
  Spatial s = read_window(n, xs, ws[0], kernel, false);
  std::vector<TensorId> inputs = {x, w};
  if (bias != kNoTensor) inputs.push_back(bias);
  const TensorId y = n.output(dtype, std::move(s.shape), std::move(quant));
  Node& node = n.emit(OpKind::conv, std::move(inputs), {y});
  node.window = s.window;
  node.group = group;
}

void conv(NodeImport& n) {
  n.expect_inputs(2, 3);
  for (size_t i = 0; i < n.input_count(); ++i)
    if (n.has(i)) n.expect_dtype(n.input(i), {DType::f32});
  check_weights(n, n.input(1, "weights"));
  const TensorId bias = n.has(2) ? n.input(2) : kNoTensor;
  if (bias != kNoTensor && !n.graph.tensor(bias).is_constant()) {
    const Node* source = n.state.producer_of(bias);
    if (!source || source->op != OpKind::dequantize || !n.graph.tensor(source->inputs[0]).is_constant())
      n.fail(fmt::format("bias {} is not constant; supported: constants, f32 or dequantized",
                         in_quotes(n.graph.tensor(bias).name)));
  }
  conv_into(n, n.input(0), n.input(1), bias, DType::f32, {});
}

void qlinear_conv(NodeImport& n) {
  n.expect_inputs(8, 9);
  n.expect_dtype(n.input(0), {DType::u8, DType::s8});
  n.expect_dtype(n.input(3, "weights"), {DType::u8, DType::s8});
  n.expect_dtype(n.input(7, "output zero point"), {DType::u8, DType::s8});
  if (!n.is_constant(3)) n.fail(fmt::format("weights {} are not constant", in_quotes(n.tensor(3).name)));
  if (n.has(8)) n.expect_dtype(n.input(8), {DType::s32});
  if (n.has(8) && !n.is_constant(8)) n.fail(fmt::format("bias {} is not constant", in_quotes(n.tensor(8).name)));
  const DType dtype = n.tensor(7).dtype;
  const TensorId x = n.with_quant(n.input(0), n.quant_params(1, 2, n.input(0), 1));
  const TensorId w = n.with_quant(n.input(3), n.quant_params(4, 5, n.input(3), 0));
  if (!n.graph.tensor(x).quant->per_tensor()) n.fail("input quantized per channel; supported: per tensor");
  QuantParams quant = n.quant_params(6, 7, dtype, {}, 0);
  conv_into(n, x, w, n.has(8) ? n.input(8) : kNoTensor, dtype, std::move(quant));
}

Spatial pool_window(NodeImport& n, const Shape& x) {
  n.ignore({"storage_order"});  // of the indices output, which is refused
  const auto kernel = n.integers("kernel_shape");
  if (!kernel) n.fail("attribute kernel_shape is missing");
  for (int64_t k : *kernel)
    if (k < 1 || k > kMostWindow)
      n.fail_attribute("kernel_shape", fmt::format("[{}]", fmt::join(*kernel, ", ")),
                       fmt::format("1 to {}", kMostWindow));
  if (kernel->size() + 2 != x.size())
    n.fail_attribute("kernel_shape",
                     fmt::format("[{}] for an input of shape {}", fmt::join(*kernel, ", "), to_string(x)),
                     "1-D and 2-D pooling");
  return read_window(n, x, x[1], *kernel, true);
}

void max_pool(NodeImport& n) {
  n.expect_inputs(1, 1);
  const TensorId x = n.input(0);
  n.expect_dtype(x, {DType::f32, DType::u8, DType::s8});
  n.expect_rank(x, 3, 4);
  const Tensor& t = n.graph.tensor(x);
  Spatial s = pool_window(n, t.shape);
  const TensorId y = n.output(t.dtype, std::move(s.shape), t.quant);
  n.emit(OpKind::max_pool, {x}, {y}).window = s.window;
}

void average_pool_into(NodeImport& n, TensorId x, DType dtype, std::optional<QuantParams> quant) {
  n.expect_rank(x, 3, 4);
  const bool counted = n.integer("count_include_pad", 0) != 0;
  Spatial s = pool_window(n, n.graph.tensor(x).shape);
  const TensorId y = n.output(dtype, std::move(s.shape), std::move(quant));
  Node& node = n.emit(OpKind::average_pool, {x}, {y});
  node.window = s.window;
  node.count_include_pad = counted;
}

void average_pool(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32});
  average_pool_into(n, n.input(0), DType::f32, {});
}

// x and the output's parameters of a com.microsoft op: X, x_scale, x_zero_point, y_scale, y_zero_point.
QuantParams one_to_one(NodeImport& n, TensorId& x) {
  n.expect_inputs(4, 5);
  n.expect_dtype(n.input(0), {DType::u8, DType::s8});
  x = n.with_quant(n.input(0), n.quant_params(1, 2, n.input(0), 1));
  if (n.has(4)) n.expect_dtype(n.input(4), {n.tensor(0).dtype});
  return n.quant_params(3, 4, n.tensor(0).dtype, {}, 0);
}

void qlinear_average_pool(NodeImport& n) {
  TensorId x;
  QuantParams quant = one_to_one(n, x);
  if (n.integer("channels_last", 0)) n.fail_attribute("channels_last", "1", "0");
  average_pool_into(n, x, n.graph.tensor(x).dtype, std::move(quant));
}

Shape pooled(const Shape& shape) {
  Shape s(shape.size(), 1);
  s[0] = shape[0], s[1] = shape[1];
  return s;
}

void global_average_pool(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32});
  n.expect_rank(n.input(0), 3, 4);
  const TensorId y = n.output(DType::f32, pooled(n.tensor(0).shape));
  n.emit(OpKind::global_average_pool, {n.input(0)}, {y});
}

void qlinear_global_average_pool(NodeImport& n) {
  TensorId x;
  QuantParams quant = one_to_one(n, x);
  const bool last = n.integer("channels_last", 0) != 0;
  n.expect_rank(x, last ? 4 : 3, 4);
  const Tensor t = n.graph.tensor(x);
  if (!last) {
    const TensorId y = n.output(t.dtype, pooled(t.shape), std::move(quant));
    n.emit(OpKind::global_average_pool, {x}, {y});
    return;
  }
  const Shape first = {t.shape[0], t.shape[3], t.shape[1], t.shape[2]};
  const TensorId turned = n.temporary("/first", t.dtype, first, t.quant);
  Node& before = n.emit(OpKind::transpose, {x}, {turned});
  before.perm = {0, 3, 1, 2};
  before.name += "/first";
  const TensorId mean = n.temporary("/mean", t.dtype, pooled(first), quant);
  n.emit(OpKind::global_average_pool, {turned}, {mean});
  Node& after = n.emit(OpKind::transpose, {mean}, {n.output(t.dtype, {first[0], 1, 1, first[1]}, std::move(quant))});
  after.perm = {0, 2, 3, 1};
  after.name += "/last";
}

// Over all spatial axes it is a global average pool.
void reduce_mean(NodeImport& n) {
  n.expect_inputs(1, 2);
  n.expect_dtype(n.input(0), {DType::f32});
  const TensorId x = n.input(0);
  const Shape shape = n.tensor(0).shape;
  Ints axes = n.integers("axes", 1, 18).value_or(Ints{});
  const bool keep = n.integer("keepdims", 1) != 0;
  const bool noop = n.opset >= 18 && n.integer("noop_with_empty_axes", 0) != 0;
  if (noop && axes.empty()) return n.alias(x);
  for (int64_t& a : axes) a = n.axis(a, shape.size());
  std::sort(axes.begin(), axes.end());
  Ints spatial;
  for (size_t d = 2; d < shape.size(); ++d) spatial.push_back(static_cast<int64_t>(d));
  if (shape.size() < 3 || shape.size() > 4 || axes != spatial)
    n.fail_attribute("axes",
                     axes.empty() ? "empty" : fmt::format("[{}] on shape {}", fmt::join(axes, ", "), to_string(shape)),
                     "the mean over height and width of n, c, h, w (or the width of n, c, w)");
  if (keep) {
    n.emit(OpKind::global_average_pool, {x}, {n.output(DType::f32, pooled(shape))});
    return;
  }
  const TensorId kept = n.temporary("/kept", DType::f32, pooled(shape));
  n.emit(OpKind::global_average_pool, {x}, {kept});
  const TensorId y = n.output(DType::f32, {shape[0], shape[1]});
  n.emit(OpKind::reshape, {kept}, {y}).name += "/reshape";
}

}  // namespace

Spatial read_window(NodeImport& n, const Shape& x, int64_t channels, const Ints& kernel, bool pool) {
  const size_t count = kernel.size();
  const Ints strides = per_axis(n, "strides", count, 1, 1), dilations = per_axis(n, "dilations", count, 1, 1);
  const Ints pads = per_axis(n, "pads", 2 * count, 0, 0);
  const std::string mode = n.text("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER")
    n.fail_attribute("auto_pad", in_quotes(mode), "NOTSET, VALID, SAME_UPPER, SAME_LOWER");
  if (mode != "NOTSET" && std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p != 0; }))
    n.fail_attribute("pads", fmt::format("[{}] beside auto_pad {}", fmt::join(pads, ", "), mode), "one of the two");
  const bool ceil = pool && n.integer("ceil_mode", 0) != 0;
  Spatial s{.shape = {x[0], channels}};
  std::vector<Axis> axes;
  for (size_t d = 0; d < count; ++d) {
    if (kernel[d] < 1 || kernel[d] > kMostWindow)
      n.fail(fmt::format("a kernel of {} pixels; supported: 1 to {}", kernel[d], kMostWindow));
    Axis a{x[d + 2], kernel[d], strides[d], dilations[d], pads[d], pads[d + count]};
    if (mode != "NOTSET") resolve_auto_pad(a, mode);
    if (pool && std::max(a.begin, a.end) >= a.extent())
      n.fail_attribute("pads", fmt::format("[{}]", fmt::join(pads, ", ")), "less than the kernel");
    s.shape.push_back(output_size(n, a, ceil));
    axes.push_back(a);
  }
  s.window = to_window(axes);
  return s;
}

void add_window_ops(std::unordered_map<std::string, Handler>& table) {
  table["Conv"] = conv;
  table["QLinearConv"] = qlinear_conv;
  table["MaxPool"] = max_pool;
  table["AveragePool"] = average_pool;
  table["GlobalAveragePool"] = global_average_pool;
  table["ReduceMean"] = reduce_mean;
  table["com.microsoft.QLinearAveragePool"] = qlinear_average_pool;
  table["com.microsoft.QLinearGlobalAveragePool"] = qlinear_global_average_pool;
}

}  // namespace octet::onnx_import

// The geometry of windows, and pooling.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

using importing::kMostWindow;

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
                     "one per spatial axis");
  return read_window(n, x, x[1], *kernel, true);
}

// The pool of x that `like` describes; over three axes as two, for maxima and means over a box are those over its depth
// of those over its planes.
void pool_into(NodeImport& n, const Node& like, TensorId x, const Spatial& s, DType dtype,
               const std::optional<QuantParams>& quant) {
  const auto emit = [&](TensorId from, const std::vector<Axis>& axes, const std::string& suffix, Shape shape) {
    Node& node = n.step(like.op, {from}, suffix, dtype, std::move(shape), quant);
    node.window = to_window(axes);
    node.count_include_pad = like.count_include_pad;
    return node.outputs[0];
  };
  const auto reshaped = [&](TensorId from, const std::string& suffix, Shape shape) {
    return n.step(OpKind::reshape, {from}, suffix, dtype, std::move(shape), quant).outputs[0];
  };
  const Shape& y = s.shape;
  if (s.axes.size() < 3) {
    emit(x, s.axes, "", y);
    return;
  }
  const Axis &depth = s.axes[0], &height = s.axes[1], &width = s.axes[2];
  const int64_t planes = y[1] * depth.in, pixels = y[3] * y[4];
  n.check_shape({y[0], planes, y[3], y[4]}, dtype);
  TensorId t = reshaped(x, "/planes", {y[0], planes, height.in, width.in});
  t = emit(t, {height, width}, "/plane", {y[0], planes, y[3], y[4]});
  t = reshaped(t, "/depths", {y[0], y[1], depth.in, pixels});
  t = emit(t, {depth, Axis{pixels, 1, 1, 1, 0, 0}}, "/depth", {y[0], y[1], y[2], pixels});
  reshaped(t, "", y);
}

void max_pool(NodeImport& n) {
  n.expect_inputs(1, 1);
  const TensorId x = n.input(0);
  n.expect_dtype(x, {DType::f32, DType::u8, DType::s8});
  n.expect_rank(x, 3, 5);
  const Tensor t = n.graph.tensor(x);
  pool_into(n, {.op = OpKind::max_pool}, x, pool_window(n, t.shape), t.dtype, t.quant);
}

void average_pool_into(NodeImport& n, TensorId x, DType dtype, const std::optional<QuantParams>& quant) {
  n.expect_rank(x, 3, quant ? 4 : 5);  // two pools would round twice
  const bool counted = n.integer("count_include_pad", 0) != 0;
  const Spatial s = pool_window(n, n.graph.tensor(x).shape);
  pool_into(n, {.op = OpKind::average_pool, .count_include_pad = counted}, x, s, dtype, quant);
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
  average_pool_into(n, x, n.graph.tensor(x).dtype, quant);
}

Shape pooled(const Shape& shape) {
  Shape s(shape.size(), 1);
  s[0] = shape[0], s[1] = shape[1];
  return s;
}

// Over all spatial axes at once, in float.
void reduce_image(NodeImport& n, Reduction reduction) {
  const Tensor t = n.tensor(0);
  Node& node = n.step(OpKind::reduce, {n.input(0)}, "", t.dtype, pooled(t.shape), t.quant);
  node.reduction = reduction;
  for (size_t d = 2; d < t.shape.size(); ++d) node.axes.push_back(static_cast<int64_t>(d));
}

void global_average_pool(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32});
  n.expect_rank(n.input(0), 3, 5);
  if (n.tensor(0).shape.size() == 5) return reduce_image(n, Reduction::mean);
  const TensorId y = n.output(DType::f32, pooled(n.tensor(0).shape));
  n.emit(OpKind::global_average_pool, {n.input(0)}, {y});
}

void global_max_pool(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32});
  n.expect_rank(n.input(0), 3, 5);
  const Shape x = n.tensor(0).shape;
  Spatial s{.shape = pooled(x)};
  for (size_t d = 2; d < x.size(); ++d) s.axes.push_back({x[d], x[d], 1, 1, 0, 0});
  if (std::any_of(x.begin() + 2, x.end(), [](int64_t side) { return side > kMostWindow; }))
    return reduce_image(n, Reduction::max);
  pool_into(n, {.op = OpKind::max_pool}, n.input(0), s, DType::f32, {});
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

}  // namespace

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

std::string auto_pad(NodeImport& n, const Ints& pads) {
  std::string mode = n.text("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER")
    n.fail_attribute("auto_pad", in_quotes(mode), "NOTSET, VALID, SAME_UPPER, SAME_LOWER");
  if (mode != "NOTSET" && std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p != 0; }))
    n.fail_attribute("pads", fmt::format("[{}] beside auto_pad {}", fmt::join(pads, ", "), mode), "one of the two");
  return mode;
}

Window to_window(const std::vector<Axis>& axes) {
  Window w;
  const auto number = [](int64_t v) { return static_cast<int>(v); };
  const Axis& x = axes.back();
  w.kw = number(x.kernel), w.stride_w = number(x.stride), w.dilation_w = number(x.dilation);
  w.pad_left = number(x.begin), w.pad_right = number(x.end);
  if (axes.size() == 1) return w;
  const Axis& y = axes[axes.size() - 2];
  w.kh = number(y.kernel), w.stride_h = number(y.stride), w.dilation_h = number(y.dilation);
  w.pad_top = number(y.begin), w.pad_bottom = number(y.end);
  return w;
}

Spatial read_window(NodeImport& n, const Shape& x, int64_t channels, const Ints& kernel, bool pool) {
  const size_t count = kernel.size();
  const Ints strides = per_axis(n, "strides", count, 1, 1), dilations = per_axis(n, "dilations", count, 1, 1);
  const Ints pads = per_axis(n, "pads", 2 * count, 0, 0);
  const std::string mode = auto_pad(n, pads);
  const bool ceil = pool && n.integer("ceil_mode", 0) != 0;
  Spatial s{.shape = {x[0], channels}};
  for (size_t d = 0; d < count; ++d) {
    if (kernel[d] < 1 || kernel[d] > kMostWindow)
      n.fail(fmt::format("a kernel of {} pixels; supported: 1 to {}", kernel[d], kMostWindow));
    Axis a{x[d + 2], kernel[d], strides[d], dilations[d], pads[d], pads[d + count]};
    if (mode != "NOTSET") resolve_auto_pad(a, mode);
    if (pool && std::max(a.begin, a.end) >= a.extent())
      n.fail_attribute("pads", fmt::format("[{}]", fmt::join(pads, ", ")), "less than the kernel");
    s.shape.push_back(output_size(n, a, ceil));
    s.axes.push_back(a);
  }
  s.window = to_window(s.axes);
  return s;
}

void add_window_ops(std::unordered_map<std::string, Handler>& table) {
  table["MaxPool"] = max_pool;
  table["AveragePool"] = average_pool;
  table["GlobalAveragePool"] = global_average_pool;
  table["GlobalMaxPool"] = global_max_pool;
  table["com.microsoft.QLinearAveragePool"] = qlinear_average_pool;
  table["com.microsoft.QLinearGlobalAveragePool"] = qlinear_global_average_pool;
}

}  // namespace octet::onnx_import

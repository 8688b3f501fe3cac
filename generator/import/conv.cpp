// Convolutions of all kinds.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// The bias of a float convolution, or kNoTensor.
TensorId real_bias(const NodeImport& n) {
  if (!n.has(2)) return kNoTensor;
  const TensorId bias = n.input(2);
  if (!n.graph.tensor(bias).is_constant() && !is_dequantized_constant(n, bias))
    n.fail(fmt::format("bias {} is not constant; supported: constants, f32 or dequantized",
                       in_quotes(n.graph.tensor(bias).name)));
  return bias;
}

std::vector<TensorId> present(std::initializer_list<TensorId> ids) {
  std::vector<TensorId> all(ids);
  while (all.back() == kNoTensor) all.pop_back();
  return all;
}

void conv(NodeImport& n) {
  n.expect_inputs(2, 3);
  for (size_t i = 0; i < n.input_count(); ++i)
    if (n.has(i)) n.expect_dtype(n.input(i), {DType::f32});
  const auto computed = [&n](size_t i) {
    return n.has(i) && !n.is_constant(i) && !is_dequantized_constant(n, n.input(i));
  };
  if (computed(1) || computed(2))
    return conv_computed_into(n, n.input(0), n.input(1), n.has(2) ? n.input(2) : kNoTensor);
  check_weights(n, n.input(1, "weights"));
  const TensorId bias = real_bias(n);
  if (n.tensor(0).shape.size() == 5) return conv3d_into(n, n.input(0), n.input(1), bias);
  conv_into(n, OpKind::conv, present({n.input(0), n.input(1), bias}), DType::f32, {});
}

// Zero points may be computed; the result is the sums.
void conv_integer(NodeImport& n) {
  n.expect_inputs(2, 4);
  for (size_t i = 0; i < n.input_count(); ++i)
    if (n.has(i)) n.expect_dtype(n.input(i), {DType::u8, DType::s8});
  if (!n.is_constant(1)) n.fail(fmt::format("weights {} are not constant", in_quotes(n.tensor(1).name)));
  const auto zero = [&n](size_t i) { return n.has(i) ? n.input(i) : kNoTensor; };
  conv_into(n, OpKind::integer_conv, present({n.input(0), n.input(1), zero(2), zero(3)}), DType::s32, {});
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
  conv_into(n, OpKind::conv, present({x, w, n.has(8) ? n.input(8) : kNoTensor}), dtype, std::move(quant));
}

// Along one axis of a transposed convolution: `a.begin` and `a.end` crop the result.
int64_t transposed_size(NodeImport& n, Axis& a, int64_t extra, const std::string& mode, int64_t wanted) {
  const int64_t full = a.stride * (a.in - 1) + extra + a.extent();
  if (mode != "NOTSET" && mode != "VALID" && wanted < 0) wanted = a.in * a.stride;
  if (wanted < 0) return full - a.begin - a.end;
  const int64_t crop = full - wanted;
  if (crop < 0) n.fail_attribute("output_shape", fmt::format("{}", wanted), fmt::format("at most {} here", full));
  a.begin = mode == "SAME_UPPER" ? crop / 2 : crop - crop / 2;
  a.end = crop - a.begin;
  return wanted;
}

TensorId emit_transposed(NodeImport& n, std::vector<TensorId> inputs, const std::string& suffix, const Shape& shape,
                         const Window& window, int64_t group) {
  Node& node = n.step(OpKind::conv_transpose, std::move(inputs), suffix, DType::f32, shape);
  node.window = window;
  node.group = group;
  return node.outputs[0];
}

void conv_transpose(NodeImport& n) {
  n.expect_inputs(2, 3);
  for (size_t i = 0; i < n.input_count(); ++i)
    if (n.has(i)) n.expect_dtype(n.input(i), {DType::f32});
  const TensorId x = n.input(0), w = n.input(1, "weights"), bias = real_bias(n);
  n.expect_rank(x, 3, 4);
  const Shape xs = n.tensor(0).shape, ws = n.tensor(1).shape;
  const size_t count = xs.size() - 2;
  if (!n.is_constant(1) && !is_dequantized_constant(n, w))
    n.fail(fmt::format("weights {} are not constant; supported: constants, f32 or dequantized",
                       in_quotes(n.tensor(1).name)));
  const int64_t group = n.integer("group", 1);
  if (ws.size() != xs.size() || group < 1 || xs[1] != ws[0] || xs[1] % group)
    n.fail_attribute("group", fmt::format("{} with weights {} and input {}", group, to_string(ws), to_string(xs)),
                     "groups that divide the input channels, weights [ic, oc / group, ...]");
  const Ints kernel(ws.begin() + 2, ws.end());
  if (const auto stated = n.integers("kernel_shape"); stated && *stated != kernel)
    n.fail_attribute("kernel_shape", fmt::format("[{}]", fmt::join(*stated, ", ")),
                     fmt::format("that of the weights, {}", to_string(ws)));
  const Ints strides = per_axis(n, "strides", count, 1, 1), dilations = per_axis(n, "dilations", count, 1, 1),
             pads = per_axis(n, "pads", 2 * count, 0, 0), extra = per_axis(n, "output_padding", count, 0, 0),
             wanted = per_axis(n, "output_shape", count, 1, -1);
  const std::string mode = auto_pad(n, pads);
  Shape shape = {xs[0], ws[1] * group};
  std::vector<Axis> axes;
  for (size_t d = 0; d < count; ++d) {
    Axis a{xs[d + 2], kernel[d], strides[d], dilations[d], pads[d], pads[d + count]};
    if (extra[d] >= std::max(a.stride, a.dilation))
      n.fail_attribute("output_padding", fmt::format("[{}]", fmt::join(extra, ", ")), "less than stride or dilation");
    shape.push_back(transposed_size(n, a, extra[d], mode, wanted[d]));
    axes.push_back(a);
  }
  if (bias != kNoTensor && n.graph.tensor(bias).shape != Shape{shape[1]})
    n.fail(fmt::format("bias of shape {}; supported: {}", to_string(n.graph.tensor(bias).shape), shape[1]));
  const Window window = to_window(axes);
  if (count == 2) {
    emit_transposed(n, present({x, w, bias}), "", shape, window, group);
    return;
  }
  // In one dimension: an image of one row.
  const TensorId image = n.step(OpKind::reshape, {x}, "/image", DType::f32, {xs[0], xs[1], 1, xs[2]}).outputs[0];
  const TensorId row = changed_weights(n, w, "/row", [&ws](Tensor& weights) {
    weights.shape = {ws[0], ws[1], 1, ws[2]};
  });
  const Shape wide = {shape[0], shape[1], 1, shape[2]};
  const TensorId result = emit_transposed(n, present({image, row, bias}), "/wide", wide, window, group);
  n.step(OpKind::reshape, {result}, "", DType::f32, shape);
}

}  // namespace

TensorId changed_weights(NodeImport& n, TensorId weights, const std::string& suffix,
                         const std::function<void(Tensor&)>& change) {
  const Node* source = n.state.producer_of(weights);
  const Node dequantize = source ? *source : Node{};
  const std::string name = n.graph.tensor(weights).name + suffix;
  Tensor w = n.graph.tensor(source ? dequantize.inputs[0] : weights);
  w.name += suffix;
  change(w);
  const Shape shape = w.shape;
  const TensorId constant = n.state.add(std::move(w));
  if (!source) return constant;
  const TensorId real = n.state.add({.name = name, .shape = shape});
  Node again = dequantize;
  again.name += suffix;
  again.inputs = {constant};
  again.outputs = {real};
  n.state.add(std::move(again));
  return real;
}

ConvHead read_conv(NodeImport& n, TensorId x, TensorId weights, TensorId bias) {
  const Shape xs = n.graph.tensor(x).shape, ws = n.graph.tensor(weights).shape;
  if (ws.size() != xs.size())
    n.fail(fmt::format("weights of shape {} for an input of shape {}; supported: as many dimensions", to_string(ws),
                       to_string(xs)));
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
  return {group, read_window(n, xs, ws[0], kernel, false)};
}

void conv_into(NodeImport& n, OpKind op, std::vector<TensorId> inputs, DType dtype, std::optional<QuantParams> quant) {
  n.expect_rank(inputs[0], 3, 4);
  const TensorId bias = op == OpKind::conv && inputs.size() > 2 ? inputs[2] : kNoTensor;
  auto [group, spatial] = read_conv(n, inputs[0], inputs[1], bias);
  Node& node = n.step(op, std::move(inputs), "", dtype, std::move(spatial.shape), std::move(quant));
  node.window = spatial.window;
  node.group = group;
}

void add_conv_ops(std::unordered_map<std::string, Handler>& table) {
  table["Conv"] = conv;
  table["QLinearConv"] = qlinear_conv;
  table["ConvInteger"] = conv_integer;
  table["ConvTranspose"] = conv_transpose;
}

}  // namespace octet::onnx_import

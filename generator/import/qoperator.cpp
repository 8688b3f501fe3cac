// com.microsoft's elementwise ops on integers; conv, pools and matrices are with their float forms.
#include <fmt/format.h>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// The quantized tensor at input i, its scale and zero point behind it.
TensorId quantized_input(NodeImport& n, size_t i) {
  n.expect_dtype(n.input(i), {DType::u8, DType::s8});
  const TensorId id = n.with_quant(n.input(i), n.quant_params(i + 1, i + 2, n.input(i), 1));
  if (!n.graph.tensor(id).quant->per_tensor())
    n.fail(fmt::format("input {} is quantized per channel; supported: per tensor", in_quotes(n.tensor(i).name)));
  return id;
}

// The result's parameters from input i on; its type is the first input's.
QuantParams result_quant(NodeImport& n, size_t i, DType dtype) {
  if (n.has(i + 1)) n.expect_dtype(n.input(i + 1), {dtype});
  return n.quant_params(i, i + 1, dtype, {}, 0);
}

template <OpKind op>
void binary(NodeImport& n) {
  n.expect_inputs(7, 8);
  const TensorId a = quantized_input(n, 0), b = quantized_input(n, 3);
  const DType dtype = n.graph.tensor(a).dtype;
  if (n.graph.tensor(b).dtype != dtype) n.fail("inputs of different types; supported: both u8 or both s8");
  QuantParams quant = result_quant(n, 6, dtype);
  const auto shape = broadcast(n.graph.tensor(a).shape, n.graph.tensor(b).shape);
  if (!shape)
    n.fail(fmt::format("shapes {} and {} do not broadcast", to_string(n.graph.tensor(a).shape),
                       to_string(n.graph.tensor(b).shape)));
  const TensorId y = n.output(dtype, *shape, std::move(quant));
  n.emit(op, {a, b}, {y});
}

template <Unary function>
void unary(NodeImport& n) {
  n.expect_inputs(4, 5);
  const TensorId x = quantized_input(n, 0);
  const Tensor t = n.graph.tensor(x);
  QuantParams quant = result_quant(n, 3, t.dtype);
  const float alpha = function == Unary::leaky_relu ? n.real("alpha", 0.01F) : 0;
  const TensorId y = n.output(t.dtype, t.shape, std::move(quant));
  Node& node = n.emit(OpKind::unary, {x}, {y});
  node.function = function;
  node.alpha = alpha;
}

void softmax(NodeImport& n) {
  n.expect_inputs(4, 5);
  const TensorId x = quantized_input(n, 0);
  QuantParams quant = result_quant(n, 3, n.graph.tensor(x).dtype);
  const int64_t version = n.integer("opset", 13);
  emit_softmax(n, OpKind::softmax, x, n.integer("axis", -1), version, std::move(quant));
}

// y_scale, y_zero_point, then x, scale, zero point for each part.
void concat(NodeImport& n) {
  const size_t parts = n.input_count() / 3;
  if (parts < 1 || n.input_count() != 2 + 3 * parts)
    n.fail(fmt::format("{} inputs; supported: two, and three for each part", n.input_count()));
  std::vector<TensorId> inputs;
  for (size_t p = 0; p < parts; ++p) inputs.push_back(quantized_input(n, 2 + 3 * p));
  const Tensor first = n.graph.tensor(inputs[0]);
  QuantParams quant = result_quant(n, 0, first.dtype);
  const size_t axis = static_cast<size_t>(n.axis(n.integer("axis", 1), first.shape.size()));
  Shape shape = first.shape;
  shape[axis] = 0;
  for (TensorId id : inputs) {
    const Tensor& t = n.graph.tensor(id);
    Shape other = t.shape;
    if (other.size() == shape.size()) other[axis] = shape[axis];
    if (other != shape || t.dtype != first.dtype)
      n.fail(fmt::format("part {} is {} {} beside {} {} along axis {}; supported: equal types and other dimensions",
                         in_quotes(t.name), dtype_name(t.dtype), to_string(t.shape), dtype_name(first.dtype),
                         to_string(first.shape), axis));
    shape[axis] += t.shape[axis];
    n.check_shape(shape, first.dtype);
  }
  const TensorId y = n.output(first.dtype, std::move(shape), std::move(quant));
  n.emit(OpKind::concat, std::move(inputs), {y}).axis = static_cast<int>(axis);
}

}  // namespace

void add_qoperator_ops(std::unordered_map<std::string, Handler>& table) {
  table["com.microsoft.QLinearAdd"] = binary<OpKind::add>;
  table["com.microsoft.QLinearMul"] = binary<OpKind::mul>;
  table["com.microsoft.QLinearSigmoid"] = unary<Unary::sigmoid>;
  table["com.microsoft.QLinearLeakyRelu"] = unary<Unary::leaky_relu>;
  table["com.microsoft.QLinearSoftmax"] = softmax;
  table["com.microsoft.QLinearConcat"] = concat;
}

}  // namespace octet::onnx_import

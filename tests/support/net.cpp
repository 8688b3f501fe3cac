#include "tests/support/net.h"

#include <algorithm>

#include "generator/passes/edit.h"

namespace octet {

TensorId Net::input(const std::string& name, Shape shape) {
  const TensorId t = graph.add({.name = name, .shape = std::move(shape)});
  graph.inputs.push_back(t);
  return t;
}

TensorId Net::constant(const std::string& name, Shape shape, const std::vector<float>& values) {
  return graph.add_constant<float>(name, DType::f32, std::move(shape), values);
}

TensorId Net::weights(const std::string& name, DType dtype, Shape shape, const std::vector<int32_t>& values,
                      QuantParams quant) {
  const TensorId t = add_integers(graph, name, dtype, std::move(shape), values);
  graph.tensor(t).quant = std::move(quant);
  return dequantize(t);
}

TensorId Net::quantize(TensorId x, const std::string& name, float scale, int32_t zero, DType dtype) {
  const TensorId q =
      graph.add({.name = name, .dtype = dtype, .shape = shape(x), .quant = QuantParams{{scale}, {zero}, -1}});
  graph.nodes.push_back(
      {.op = OpKind::quantize, .name = name, .source = "QuantizeLinear", .inputs = {x}, .outputs = {q}});
  return q;
}

TensorId Net::dequantize(TensorId q) {
  const std::string name = graph.tensor(q).name + "_real";
  const TensorId x = graph.add({.name = name, .shape = shape(q)});
  graph.nodes.push_back(
      {.op = OpKind::dequantize, .name = name, .source = "DequantizeLinear", .inputs = {q}, .outputs = {x}});
  return x;
}

TensorId Net::node(Node node, std::vector<TensorId> inputs, Shape shape) {
  const TensorId t = graph.add({.name = node.name + "_out", .shape = std::move(shape)});
  node.inputs = std::move(inputs);
  node.outputs = {t};
  if (node.source.empty()) node.source = op_name(node.op);
  graph.nodes.push_back(std::move(node));
  return t;
}

TensorId Net::conv(const std::string& name, TensorId x, TensorId w, TensorId bias, Window window, Shape shape,
                   int64_t group) {
  std::vector<TensorId> inputs = {x, w};
  if (bias != kNoTensor) inputs.push_back(bias);
  return node({.op = OpKind::conv, .name = name, .window = window, .group = group}, inputs, std::move(shape));
}

TensorId Net::unary(const std::string& name, TensorId x, Unary function, float alpha, float beta) {
  return node({.op = OpKind::unary, .name = name, .function = function, .alpha = alpha, .beta = beta}, {x}, shape(x));
}

int count(const Graph& graph, OpKind op) {
  return static_cast<int>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [op](const Node& n) { return n.op == op; }));
}

const Node* find(const Graph& graph, OpKind op) {
  for (const Node& n : graph.nodes)
    if (n.op == op) return &n;
  return nullptr;
}

}  // namespace octet

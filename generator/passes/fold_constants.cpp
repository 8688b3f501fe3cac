// What only depends on constants, and forms that constants decide: weights through transposes, matmul as linear.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

// A constant with its dimensions permuted, quantization axis included.
TensorId transposed(Graph& graph, const Tensor& from, const std::vector<int64_t>& perm) {
  const size_t rank = from.shape.size(), width = dtype_bytes(from.dtype);
  std::vector<int64_t> stride(rank, 1);
  for (size_t d = rank; d-- > 1;) stride[d - 1] = stride[d] * from.shape[d];
  Tensor to = from;
  for (size_t d = 0; d < rank; ++d) to.shape[d] = from.shape[static_cast<size_t>(perm[d])];
  if (to.quant && !to.quant->per_tensor())
    to.quant->axis = static_cast<int>(std::find(perm.begin(), perm.end(), from.quant->axis) - perm.begin());
  std::vector<std::byte> data(from.data->size());
  std::vector<int64_t> at(rank, 0);
  for (size_t i = 0; i * width < data.size(); ++i) {
    int64_t source = 0;
    for (size_t d = 0; d < rank; ++d) source += at[d] * stride[static_cast<size_t>(perm[d])];
    std::memcpy(&data[i * width], from.data->data() + static_cast<size_t>(source) * width, width);
    for (size_t d = rank; d-- > 0;) {
      if (++at[d] < to.shape[d]) break;
      at[d] = 0;
    }
  }
  to.data = std::make_shared<const ConstantBytes>(std::move(data));
  return graph.add(std::move(to));
}

// A constant with another shape; kNoTensor where its quantization axis would lose its meaning.
TensorId reshaped(Graph& graph, const Tensor& from, const Shape& shape) {
  if (from.quant && !from.quant->per_tensor() && from.shape != shape) return kNoTensor;
  Tensor to = from;
  to.shape = shape;
  return graph.add(std::move(to));
}

TensorId moved(Graph& graph, const Node& node, TensorId from) {
  const Tensor source = graph.tensor(from);  // by value: adding a tensor moves the others
  if (node.op == OpKind::transpose) return transposed(graph, source, node.perm);
  return reshaped(graph, source, graph.tensor(node.outputs[0]).shape);
}

// quantize of an f32 constant: weights that the exporter left in float.
TensorId quantized(Graph& graph, const Tensor& from, const Tensor& like) {
  Tensor to = like;
  const QuantParams& quant = *like.quant;
  const auto values = from.values<float>();
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(quant.axis) + 1; !quant.per_tensor() && d < like.shape.size(); ++d)
    inner *= like.shape[d];
  std::vector<int32_t> q(values.size());
  for (size_t i = 0; i < q.size(); ++i) {
    const size_t c = quant.per_tensor() ? 0 : i / static_cast<size_t>(inner) % quant.scale.size();
    q[i] = quantize_value(values[i], quant.scale[c], quant.zero_point[c], like.dtype);
  }
  const TensorId id = add_integers(graph, like.name, like.dtype, like.shape, q);
  graph.tensor(id).quant = quant;
  return id;
}

// The node's result does not depend on any input: what it computes, or kNoTensor where that is not folded.
void fold_node(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  const TensorId in = node.inputs.empty() ? kNoTensor : node.inputs[0];
  if (in == kNoTensor || node.outputs.size() != 1) return;
  if (node.op == OpKind::identity && node.range != QRange{} && !graph.tensor(in).is_constant()) {
    edit.node(i).op = OpKind::requantize;  // a clamp of integers
    return;
  }
  if (edit.is_output(node.outputs[0])) return;
  const bool moves = node.op == OpKind::transpose || node.op == OpKind::reshape || node.op == OpKind::identity;
  TensorId result = kNoTensor;
  if (moves && graph.tensor(in).is_constant()) {
    result = moved(graph, node, in);
  } else if (const TensorId q = dequantized_from(edit, in); moves && q != kNoTensor && graph.tensor(q).is_constant()) {
    const TensorId constant = moved(graph, node, q);
    if (constant == kNoTensor) return;
    Node dequantize = edit.node(edit.producer(in));
    dequantize.inputs = {constant};
    dequantize.outputs = node.outputs;
    edit.remove(i);
    edit.add_node(std::move(dequantize), i);
    return;
  } else if (node.op == OpKind::quantize && graph.tensor(in).is_constant()) {
    result = quantized(graph, Tensor(graph.tensor(in)), Tensor(graph.tensor(node.outputs[0])));
  } else if (node.op == OpKind::identity && !edit.is_input(in)) {
    result = in;
  }
  if (result == kNoTensor) return;
  edit.replace_uses(node.outputs[0], result);
  edit.remove(i);
}

}  // namespace

void fold_constants(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) fold_node(edit, i);
  // Batch norm reads its parameters as f32 constants.
  for (int i : edit.order()) {
    if (edit.node(i).op != OpKind::batch_norm) continue;
    for (size_t k = 1; k < edit.node(i).inputs.size(); ++k) {
      const TensorId t = edit.node(i).inputs[k];
      const std::vector<float> values = constant_floats(edit, graph, t);
      if (graph.tensor(t).is_constant() || values.empty()) continue;
      const std::string name = graph.tensor(t).name;
      const Shape shape = graph.tensor(t).shape;
      edit.set_input(i, k, graph.add_constant<float>(name, DType::f32, shape, values));
    }
  }
  edit.finish();
}

namespace {

bool is_constant_weight(const Edit& edit, const Graph& graph, TensorId t) {
  const TensorId q = dequantized_from(edit, t);
  return graph.tensor(t).is_constant() || (q != kNoTensor && graph.tensor(q).is_constant());
}

// x [.., k] * w [k, n] -> linear with weights [n, k].
bool make_linear(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const TensorId w = edit.node(i).inputs[1];
  if (!is_constant_weight(edit, graph, w) || graph.tensor(w).shape.size() != 2) return false;
  const TensorId q = dequantized_from(edit, w);
  const TensorId constant = transposed(graph, Tensor(graph.tensor(q == kNoTensor ? w : q)), {1, 0});
  TensorId weights = constant;
  if (q != kNoTensor) {
    Node dequantize = edit.node(edit.producer(w));
    weights = edit.add_tensor({.name = graph.tensor(w).name, .shape = graph.tensor(constant).shape});
    dequantize.inputs = {constant};
    dequantize.outputs = {weights};
    edit.add_node(std::move(dequantize), i);
  }
  edit.node(i).op = OpKind::linear;
  edit.set_input(i, 1, weights);
  return true;
}

// linear -> add of a constant vector, with nothing between: the vector is the bias.
void take_bias(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node& linear = edit.node(i);
  if (linear.inputs.size() > 2 && linear.inputs[2] != kNoTensor) return;
  const TensorId out = linear.outputs[0];
  const int reader = edit.only_consumer(out);
  if (reader < 0 || edit.node(reader).op != OpKind::add || graph.tensor(out).dtype != DType::f32) return;
  const Node& add = edit.node(reader);
  const TensorId bias = add.inputs[0] == out ? add.inputs[1] : add.inputs[0];
  const Shape& shape = graph.tensor(bias).shape;
  const int64_t oc = graph.tensor(linear.inputs[1]).shape[0];
  if (bias == out || constant_floats(edit, graph, bias).empty() || shape.empty() || shape.back() != oc ||
      element_count(shape) != oc || graph.tensor(add.outputs[0]).shape != graph.tensor(out).shape)
    return;
  const TensorId sum = add.outputs[0];
  edit.set_inputs(i, {linear.inputs[0], linear.inputs[1], bias});
  edit.remove(reader);
  edit.set_output(i, 0, sum);
  edit.move(i, reader);
}

}  // namespace

void match_linear(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.removed(i)) continue;
    const OpKind op = edit.node(i).op;
    if (op == OpKind::linear || (op == OpKind::matmul && make_linear(edit, i))) take_bias(edit, i);
  }
  edit.finish();
}

}  // namespace octet

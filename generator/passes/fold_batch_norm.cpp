// Batch norm, and factors per channel in front of it, inside the weights and the bias of a conv or linear. Weights may
// be f32 constants, or quantized: then the factor of a channel joins its scale. The latter is how a network in
// quantization-aware training looks (conv -> div -> batch norm, whose factors all but cancel): its weights are
// quantized after they took the batch norm's factor, which is divided out again for the batch norm's statistics.
#include <algorithm>
#include <cmath>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"

namespace octet {
namespace {

// y = x * gain + shift, per channel, in binary64 until it is folded.
struct Gain {
  std::vector<double> gain, shift;
};

size_t channel_axis(const Graph& graph, const Node& node) {
  return node.op == OpKind::linear ? graph.tensor(node.outputs[0]).shape.size() - 1 : 1;
}

// Constants with one value, or one per channel along `axis` of a tensor of that rank; empty otherwise.
std::vector<float> per_channel(const Edit& edit, const Graph& graph, TensorId t, size_t rank, size_t axis,
                               size_t channels) {
  std::vector<float> values = constant_floats(edit, graph, t);
  const Shape& shape = graph.tensor(t).shape;
  if (values.size() == 1)
    values.resize(channels, values[0]);
  else if (shape.size() + axis < rank || shape[shape.size() + axis - rank] != static_cast<int64_t>(values.size()))
    return {};
  return values.size() == channels ? values : std::vector<float>{};
}

// What node `i` does to the channels of its input `x`, if it is a factor or a batch norm.
bool gain_of(const Edit& edit, const Graph& graph, int i, TensorId x, size_t axis, Gain& out) {
  const Node& n = edit.node(i);
  const size_t rank = graph.tensor(x).shape.size(), channels = out.gain.size();
  if (n.op == OpKind::batch_norm) {
    std::vector<std::vector<float>> p;  // scale, bias, mean, variance
    for (size_t k = 1; k < 5; ++k) p.push_back(constant_floats(edit, graph, n.inputs[k]));
    for (const auto& v : p)
      if (v.size() != channels || axis != 1) return false;
    for (size_t c = 0; c < channels; ++c) {
      const double g = static_cast<double>(p[0][c]) / std::sqrt(static_cast<double>(p[3][c]) + n.alpha);
      out.gain[c] *= g;
      out.shift[c] = (out.shift[c] - p[2][c]) * g + p[1][c];
    }
    return true;
  }
  if (n.op != OpKind::mul && n.op != OpKind::div) return false;
  if (graph.tensor(n.outputs[0]).shape != graph.tensor(x).shape || (n.op == OpKind::div && n.inputs[0] != x))
    return false;
  const std::vector<float> factors = per_channel(edit, graph, n.inputs[n.inputs[0] == x ? 1 : 0], rank, axis, channels);
  if (factors.empty()) return false;
  for (size_t c = 0; c < channels; ++c) {
    const double f = n.op == OpKind::mul ? factors[c] : 1.0 / factors[c];
    out.gain[c] *= f;
    out.shift[c] *= f;
  }
  return true;
}

// Weights of [oc, ...] with every row times its gain; kNoTensor where quantized ones cannot take it.
TensorId scaled_weights(Edit& edit, int near, TensorId weights, const std::vector<double>& gain) {
  Graph& graph = edit.graph();
  const TensorId from = dequantized_from(edit, weights);
  Tensor w = graph.tensor(from == kNoTensor ? weights : from);
  if (!w.is_constant()) return kNoTensor;
  if (from == kNoTensor) {
    std::vector<float> values(w.values<float>().begin(), w.values<float>().end());
    const size_t row = values.size() / gain.size();
    for (size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(values[k] * gain[k / row]);
    return graph.add_constant<float>(w.name, DType::f32, w.shape, values);
  }
  QuantParams& q = *w.quant;
  if (!q.per_tensor() && q.axis != 0) return kNoTensor;
  if (q.per_tensor()) {
    q.scale.resize(gain.size(), q.scale[0]);
    q.zero_point.resize(gain.size(), q.zero_point[0]);
    q.axis = 0;
  }
  for (size_t c = 0; c < gain.size(); ++c) {
    q.scale[c] = static_cast<float>(q.scale[c] * gain[c]);
    if (!(q.scale[c] > 0) || !std::isnormal(q.scale[c])) return kNoTensor;
  }
  const Shape shape = w.shape;
  const TensorId scaled = edit.add_tensor(std::move(w));
  const TensorId real = edit.add_tensor({.name = graph.tensor(weights).name, .shape = shape});
  Node dequantize = edit.node(edit.producer(weights));
  dequantize.inputs = {scaled};
  dequantize.outputs = {real};
  edit.add_node(std::move(dequantize), near);
  return real;
}

// The nodes behind `conv` that a batch norm ends, each the only reader of the one before.
std::vector<int> up_to_batch_norm(const Edit& edit, int conv) {
  std::vector<int> chain;
  for (int at = conv;;) {
    at = edit.only_consumer(edit.node(at).outputs[0]);
    if (at < 0 || chain.size() == 3) return {};
    chain.push_back(at);
    const OpKind op = edit.node(at).op;
    if (op == OpKind::batch_norm) return chain;
    if (op != OpKind::mul && op != OpKind::div) return {};
  }
}

void fold_into(Edit& edit, int conv) {
  Graph& graph = edit.graph();
  const Node node = edit.node(conv);
  const std::vector<int> chain = up_to_batch_norm(edit, conv);
  if (chain.empty() || graph.tensor(node.outputs[0]).dtype != DType::f32) return;
  const auto channels = static_cast<size_t>(graph.tensor(node.inputs[1]).shape[0]);
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoTensor;
  std::vector<float> bias(channels, 0.0f);
  if (has_bias) bias = constant_floats(edit, graph, node.inputs[2]);
  if (bias.size() != channels) return;
  Gain total{std::vector<double>(channels, 1.0), {bias.begin(), bias.end()}};
  TensorId x = node.outputs[0];
  for (int i : chain) {
    if (!gain_of(edit, graph, i, x, channel_axis(graph, node), total)) return;
    x = edit.node(i).outputs[0];
  }
  const TensorId weights = scaled_weights(edit, conv, node.inputs[1], total.gain);
  if (weights == kNoTensor) return;
  const Node last = edit.node(chain.back());
  const std::vector<float> shift(total.shift.begin(), total.shift.end());
  const TensorId folded =
      graph.add_constant<float>(last.name + "_bias", DType::f32, {static_cast<int64_t>(channels)}, shift);
  edit.set_inputs(conv, {node.inputs[0], weights, folded});
  for (int i : chain) edit.remove(i);
  edit.set_output(conv, 0, last.outputs[0]);
}

}  // namespace

void fold_batch_norm(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    const OpKind op = edit.removed(i) ? OpKind::identity : edit.node(i).op;
    if (op == OpKind::conv || op == OpKind::linear) fold_into(edit, i);
  }
  edit.finish();
}

}  // namespace octet

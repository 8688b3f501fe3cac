// dequantize -> op -> [relu | clip]* -> quantize becomes the op on quantized tensors.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "generator/kernel/conv_scale.h"
#include "generator/kernel/requant.h"
#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

// How many inputs are activations; the rest are weights and parameters. 0: the op has no quantized form of this kind.
size_t activation_inputs(OpKind op) {
  switch (op) {
    case OpKind::conv:
    case OpKind::conv_transpose:
    case OpKind::linear:
    case OpKind::average_pool:
    case OpKind::global_average_pool:
    case OpKind::batch_norm:
    case OpKind::softmax: return 1;
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::prelu:
    case OpKind::matmul: return 2;
    default: return 0;
  }
}

bool has_weights(OpKind op) {
  return op == OpKind::conv || op == OpKind::conv_transpose || op == OpKind::linear;
}

// `range` narrowed by a clamp in real numbers (numerics.md 2.2).
QRange narrowed(const QRange& range, const Node& clamp, const Tensor& t, Profile profile) {
  const bool relu = clamp.function == Unary::relu;
  const float lo = relu ? 0.0f : clamp.alpha, hi = relu ? std::numeric_limits<float>::infinity() : clamp.beta;
  return clamp_range(lo, hi, quant_view(t), range, quantize_form(profile).value_or(QuantizeForm::quotient_even));
}

struct Tail {
  std::vector<int> clamps;  // in order
  int quantize = -1;
};

// The clamps and the quantize that alone read the node's result; quantize stays -1 where something else does.
Tail quantized_tail(const Edit& edit, TensorId out) {
  Tail tail;
  for (;;) {
    const int reader = edit.only_consumer(out);
    if (reader < 0) return tail;
    const Node& n = edit.node(reader);
    if (n.op == OpKind::quantize) {
      tail.quantize = reader;
      return tail;
    }
    if (!is_clamp(n)) return tail;
    tail.clamps.push_back(reader);
    out = n.outputs[0];
  }
}

void fold(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  const size_t activations = activation_inputs(node.op);
  if (activations == 0 || graph.tensor(node.outputs[0]).dtype != DType::f32 || !node.island.empty()) return;
  const Tail tail = quantized_tail(edit, node.outputs[0]);
  if (tail.quantize < 0 || (node.op == OpKind::softmax && !tail.clamps.empty())) return;
  const TensorId out = edit.node(tail.quantize).outputs[0];
  if (!graph.tensor(out).quant->per_tensor()) return;
  std::vector<TensorId> inputs = node.inputs;
  for (size_t k = 0; k < activations + (has_weights(node.op) ? 1 : 0); ++k) {
    inputs[k] = dequantized_from(edit, inputs[k]);
    if (inputs[k] == kNoTensor) return;
    const Tensor& t = graph.tensor(inputs[k]);
    const bool is_weight = k >= activations;
    if (!t.is_quantized() || (is_weight ? !t.is_constant() : !t.quant->per_tensor())) return;
  }
  QRange range;
  for (int clamp : tail.clamps) range = narrowed(range, edit.node(clamp), graph.tensor(out), graph.profile);
  edit.node(i).range = drop_implied(range, graph.tensor(out).dtype);
  edit.set_inputs(i, inputs);
  edit.remove(tail.quantize);
  for (int clamp : tail.clamps) edit.remove(clamp);
  edit.set_output(i, 0, out);
}

}  // namespace

void fold_qdq(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order())
    if (!edit.removed(i)) fold(edit, i);
  edit.finish();
}

namespace {

// A transposed convolution's scales are those of one group's channels, and every group has the same.
float weight_scale(const Tensor& w, size_t channel) {
  return w.quant->scale[channel % w.quant->scale.size()];
}

int64_t output_channels(const Node& n, const Tensor& weights) {
  return n.op == OpKind::conv_transpose ? weights.shape[1] * n.group : weights.shape[0];
}

// The s32 constant behind a bias whose scale is what the accumulators have: RN32(s_x * s_w) for each channel.
TensorId matching_integers(const Edit& edit, const Graph& graph, TensorId bias, float x_scale, const Tensor& weights) {
  const Tensor& direct = graph.tensor(bias);
  if (direct.is_constant() && direct.dtype == DType::s32 && !direct.quant) return bias;  // QLinearConv
  const TensorId q = direct.dtype == DType::s32 ? bias : dequantized_from(edit, bias);
  if (q == kNoTensor || graph.tensor(q).dtype != DType::s32 || !graph.tensor(q).is_constant()) return kNoTensor;
  const QuantParams& quant = *graph.tensor(q).quant;
  const auto channels = static_cast<size_t>(element_count(graph.tensor(q).shape));
  for (size_t c = 0; c < channels; ++c) {
    const size_t p = quant.per_tensor() ? 0 : c;
    if (quant.scale[p] != x_scale * weight_scale(weights, c) || quant.zero_point[p] != 0) return kNoTensor;
  }
  return q;
}

int32_t bias_or_error(const Node& node, Profile profile, size_t channel, float bias, float x_scale, float w_scale) {
  const std::optional<int32_t> q = octet::quantize_bias(profile, bias, x_scale, w_scale);
  if (!q)
    user_error(
        fmt::format("{}: bias {} of output channel {} does not fit s32 at its scale, {} (the input's) times {} "
                    "(the weights'); supported are biases that fit",
                    describe(node), bias, channel, x_scale, w_scale));
  return *q;
}

void fold_bias(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  const Tensor &x = graph.tensor(node.inputs[0]), &weights = graph.tensor(node.inputs[1]);
  const TensorId bias = node.inputs.size() > 2 ? node.inputs[2] : kNoTensor;
  if (bias == kNoTensor || !x.is_quantized() || !weights.is_quantized() || !weights.is_constant()) return;
  const float x_scale = x.quant->scale[0];
  TensorId result = matching_integers(edit, graph, bias, x_scale, weights);
  if (result == kNoTensor) {
    std::vector<float> values = constant_floats(edit, graph, bias);
    const auto channels = static_cast<size_t>(output_channels(node, weights));
    if (values.size() == 1) values.resize(channels, values[0]);  // Gemm broadcasts its C
    if (values.size() != channels)
      user_error(
          fmt::format("{}: bias '{}' of shape {} is not a constant of {} values; supported are constant biases, "
                      "one value per output channel",
                      describe(node), graph.tensor(bias).name, to_string(graph.tensor(bias).shape), channels));
    const std::string name = graph.tensor(bias).name;
    if (keeps_float_bias(graph.profile)) {
      result = graph.add_constant<float>(name, DType::f32, {output_channels(node, weights)}, values);
    } else {
      std::vector<int32_t> q(channels);
      for (size_t c = 0; c < channels; ++c)
        q[c] = bias_or_error(node, graph.profile, c, values[c], x_scale, weight_scale(weights, c));
      result = add_integers(graph, name, DType::s32, {output_channels(node, weights)}, q);
    }
  }
  edit.set_input(i, 2, result);
}

}  // namespace

void quantize_biases(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order())
    if (has_weights(edit.node(i).op)) fold_bias(edit, i);
  edit.finish();
}

}  // namespace octet

// Quantize and dequantize commute with ops that only move values, so they move to where arithmetic is.
#include <fmt/format.h>

#include <algorithm>

#include "generator/kernel/tables.h"
#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "generator/passes/table.h"

namespace octet {

void merge_quantize(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.removed(i) || edit.node(i).op != OpKind::quantize) continue;
    const TensorId in = edit.node(i).inputs[0], out = edit.node(i).outputs[0];
    const std::vector<int> readers = edit.consumers(in);
    for (int other : readers) {
      if (other == i || edit.node(other).op != OpKind::quantize) continue;
      const TensorId twin = edit.node(other).outputs[0];
      if (!same_quant(graph.tensor(out), graph.tensor(twin)) || edit.is_output(twin)) continue;
      edit.replace_uses(twin, out);
      edit.remove(other);
    }
  }
  edit.finish();
}

namespace {

// Every output element is some input element (or, for max pooling, the greatest of some: order survives quantization).
bool moves_values(const Node& node) {
  switch (node.op) {
    case OpKind::reshape:
    case OpKind::transpose:
    case OpKind::slice:
    case OpKind::split:
    case OpKind::identity:
    case OpKind::channel_permute:
    case OpKind::gather:
    case OpKind::gather_nd:
    case OpKind::tile:
    case OpKind::expand:
    case OpKind::depth_to_space:
    case OpKind::space_to_depth:
    case OpKind::max_pool: return true;
    case OpKind::resize: return node.resize.mode == Resize::Mode::nearest;
    default: return false;
  }
}

// These, and those that put values beside each other.
bool moves_bytes(const Node& node) {
  return moves_values(node) || node.op == OpKind::concat || node.op == OpKind::pad;
}

bool exact_in(float value, const Tensor& t) {
  const float scale = t.quant->scale[0];
  const int32_t zero = t.quant->zero_point[0];
  return dequantize_value(quantize_value(value, scale, zero, t.dtype), scale, zero) == value;
}

// The activation that a float tensor is dequantized from, per tensor; kNoTensor otherwise.
TensorId activation_source(const Edit& edit, const Graph& graph, TensorId t) {
  const TensorId q = dequantized_from(edit, t);
  return q != kNoTensor && graph.tensor(q).is_quantized() && graph.tensor(q).quant->per_tensor() ? q : kNoTensor;
}

// What the moved tensor is called: as the file's quantized tensor if it has one with these parameters.
std::string moved_name(const Edit& edit, const Graph& graph, TensorId out, const Tensor& like) {
  for (int reader : edit.consumers(out)) {
    const Node& n = edit.node(reader);
    if (n.op == OpKind::quantize && same_quant(graph.tensor(n.outputs[0]), like))
      return graph.tensor(n.outputs[0]).name;
  }
  return graph.tensor(out).name + "_quantized";
}

// dequantize -> op becomes op -> dequantize.
void sink(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  std::vector<TensorId> inputs = node.inputs;
  const size_t data_inputs = node.op == OpKind::concat ? inputs.size() : 1;
  for (size_t k = 0; k < data_inputs; ++k) {
    inputs[k] = activation_source(edit, graph, inputs[k]);
    if (inputs[k] == kNoTensor || !same_quant(graph.tensor(inputs[k]), graph.tensor(inputs[0]))) return;
  }
  const Tensor like = graph.tensor(inputs[0]);
  if (node.op == OpKind::pad && node.pad_mode == PadMode::constant && !exact_in(node.alpha, like)) return;
  const Node dequantize = edit.node(edit.producer(node.inputs[0]));
  edit.set_inputs(i, inputs);
  for (size_t k = 0; k < node.outputs.size(); ++k) {
    const TensorId out = node.outputs[k];
    const TensorId q = edit.add_tensor({.name = moved_name(edit, graph, out, like),
                                        .dtype = like.dtype,
                                        .shape = graph.tensor(out).shape,
                                        .quant = like.quant});
    edit.set_output(i, k, q);
    Node after = dequantize;
    after.inputs = {q};
    after.outputs = {out};
    edit.add_node(std::move(after), i);
  }
}

// The clamps between `out` and the quantize that alone reads it, in order, and that quantize; -1 where there is none.
int quantizer(const Edit& edit, TensorId out, std::vector<int>& clamps) {
  for (;;) {
    const int reader = edit.only_consumer(out);
    if (reader < 0 || edit.node(reader).op == OpKind::quantize) return reader;
    if (!is_clamp(edit.node(reader))) return -1;
    clamps.push_back(reader);
    out = edit.node(reader).outputs[0];
  }
}

// `like` on x instead, directly before node `near`.
TensorId put_before(Edit& edit, int near, Node like, TensorId x, Tensor result) {
  const TensorId y = edit.add_tensor(std::move(result));
  like.inputs = {x};
  like.outputs = {y};
  edit.add_node(std::move(like), near);
  return y;
}

// op -> [clamps] -> quantize becomes [clamps] -> quantize -> op; a split needs equal parameters on all its pieces, and
// no clamps.
void raise(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  std::vector<int> quantizers, clamps;
  for (TensorId out : node.outputs) {
    const int reader = quantizer(edit, out, clamps);
    if (reader < 0) return;
    const Tensor& first = graph.tensor(edit.node(quantizers.empty() ? reader : quantizers[0]).outputs[0]);
    const Tensor& q = graph.tensor(edit.node(reader).outputs[0]);
    if (!q.quant->per_tensor() || !same_quant(q, first)) return;
    quantizers.push_back(reader);
  }
  if (!clamps.empty() && (node.outputs.size() > 1 || node.op == OpKind::pad)) return;
  const Tensor like = graph.tensor(edit.node(quantizers[0]).outputs[0]);
  const Node quantize = edit.node(quantizers[0]);
  std::vector<TensorId> inputs = node.inputs;
  const size_t data_inputs = node.op == OpKind::concat ? inputs.size() : 1;
  for (size_t k = 0; k < data_inputs; ++k) {
    const Tensor from = graph.tensor(inputs[k]);
    for (int clamp : clamps) {
      const std::string name = fmt::format("{}_for_{}", edit.node(clamp).name, from.name);
      inputs[k] = put_before(edit, i, edit.node(clamp), inputs[k], {.name = name, .shape = from.shape});
    }
    inputs[k] = put_before(edit, i, quantize, inputs[k],
                           {.name = fmt::format("{}_for_{}", from.name, node.name),
                            .dtype = like.dtype,
                            .shape = from.shape,
                            .quant = like.quant});
  }
  edit.set_inputs(i, inputs);
  for (int clamp : clamps) edit.remove(clamp);
  for (size_t k = 0; k < node.outputs.size(); ++k) {
    const TensorId out = edit.node(quantizers[k]).outputs[0];
    edit.remove(quantizers[k]);
    edit.set_output(i, k, out);
  }
}

bool gives_f32(const Graph& graph, const Node& node) {
  return !node.outputs.empty() && graph.tensor(node.outputs[0]).dtype == DType::f32;
}

}  // namespace

void move_quantization(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order())
    if (moves_values(edit.node(i)) && gives_f32(graph, edit.node(i))) sink(edit, i);
  std::vector<int> upwards = edit.order();
  std::reverse(upwards.begin(), upwards.end());
  for (int i : upwards) {
    if (edit.removed(i)) continue;
    if (moves_bytes(edit.node(i)) && gives_f32(graph, edit.node(i))) raise(edit, i);
  }
  // Padding and joining that no quantize follows: exact where the parameters allow it.
  for (int i : edit.order())
    if (moves_bytes(edit.node(i)) && gives_f32(graph, edit.node(i))) sink(edit, i);
  edit.finish();
}

namespace {

TensorId requantized(Edit& edit, int near, TensorId from, const Tensor& like, const std::string& name) {
  Graph& graph = edit.graph();
  const TensorId q =
      edit.add_tensor({.name = name, .dtype = like.dtype, .shape = graph.tensor(from).shape, .quant = like.quant});
  edit.add_node(
      {.op = OpKind::requantize, .name = name, .source = edit.node(near).source, .inputs = {from}, .outputs = {q}},
      near);
  return q;
}

// Runtimes have rules of their own for what a concatenation rescales.
void become_concat_table(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node n = edit.node(i);
  const Tensor from = graph.tensor(n.inputs[0]), to = graph.tensor(n.outputs[0]);
  const Lut table = concat_table(graph.profile, quant_view(from), quant_view(to));
  edit.node(i).op = OpKind::unary;
  edit.set_inputs(i, {n.inputs[0], add_table(graph, n.name, to.dtype, values_of(table, from, to))});
}

}  // namespace

// Moving ops whose output has other parameters than their inputs: as QLinearConcat, or as the file wishes.
void requantize_moves(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    const Node node = edit.node(i);
    if (!moves_bytes(node) || !graph.tensor(node.inputs[0]).is_quantized()) continue;
    // Joining and padding want the parameters first; a split with several outputs may want different ones after.
    const bool before = node.op == OpKind::concat || node.op == OpKind::pad;
    const size_t data_inputs = node.op == OpKind::concat ? node.inputs.size() : 1;
    for (size_t k = 0; before && k < data_inputs; ++k) {
      const Tensor like = graph.tensor(node.outputs[0]);
      const Tensor& from = graph.tensor(node.inputs[k]);
      if (same_quant(from, like)) continue;
      const std::string name = fmt::format("{}_for_{}", from.name, node.name);
      if (from.is_constant() && node.op == OpKind::concat) {
        const Lut table = concat_table(graph.profile, quant_view(from), quant_view(like));
        edit.set_input(i, k, mapped_constant(graph, name, from, like, values_of(table, from, like)));
        continue;
      }
      const TensorId q = requantized(edit, i, node.inputs[k], like, name);
      if (node.op == OpKind::concat && graph.profile != Profile::ort) become_concat_table(edit, edit.producer(q));
      edit.set_input(i, k, q);
    }
    for (size_t k = 0; !before && k < node.outputs.size(); ++k) {
      const TensorId out = node.outputs[k];
      const Tensor like = graph.tensor(node.inputs[0]);
      if (same_quant(graph.tensor(out), like)) continue;
      const TensorId inner = edit.add_tensor({.name = graph.tensor(out).name + "_unscaled",
                                              .dtype = like.dtype,
                                              .shape = graph.tensor(out).shape,
                                              .quant = like.quant});
      edit.set_output(i, k, inner);
      edit.add_node({.op = OpKind::requantize,
                     .name = graph.tensor(out).name,
                     .source = node.source,
                     .inputs = {inner},
                     .outputs = {out}},
                    i);
    }
  }
  edit.finish();
}

namespace {

// What node i, a requantize or as good as one, gives for a constant.
TensorId requantized_constant(Edit& edit, int i, TensorId from) {
  Graph& graph = edit.graph();
  Node node = edit.node(i);
  node.op = OpKind::requantize;
  node.inputs = {from};
  const Tensor like = graph.tensor(node.outputs[0]);
  edit.node(i).range = {};
  return mapped_constant(graph, like.name, graph.tensor(from), like, table_of(graph, node));
}

}  // namespace

void fold_requantize(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.removed(i)) continue;
    const Node node = edit.node(i);
    TensorId from = kNoTensor;
    if (node.op == OpKind::quantize) from = activation_source(edit, graph, node.inputs[0]);
    if (node.op == OpKind::requantize) from = node.inputs[0];
    const TensorId out = node.outputs.empty() ? kNoTensor : node.outputs[0];
    if (from == kNoTensor || !graph.tensor(out).quant->per_tensor()) continue;
    // Otherwise, in TensorFlow Lite, it is two float operations.
    const bool is_one = node.op == OpKind::requantize || !is_tflite(graph.profile);
    if (is_one && graph.tensor(from).is_constant()) from = requantized_constant(edit, i, from);
    if (same_quant(graph.tensor(from), graph.tensor(out)) && edit.node(i).range == QRange{}) {
      if (edit.is_output(out)) {
        edit.node(i).op = OpKind::identity;
        edit.set_input(i, 0, from);
      } else {
        edit.replace_uses(out, from);
        edit.remove(i);
      }
    } else if (node.op == OpKind::quantize && is_one) {
      edit.node(i).op = OpKind::requantize;
      edit.set_input(i, 0, from);
    }
  }
  edit.finish();
}

}  // namespace octet

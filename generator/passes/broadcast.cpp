// Operands of add, sub and mul that are smaller than the result: brought to equal rank in the file's order, and after
// layout to one of the two shapes that kernels read, the result's own or one pixel per image.
#include <fmt/format.h>

#include <algorithm>

#include "generator/kernel/tables.h"
#include "generator/passes/edit.h"
#include "generator/passes/lowering.h"
#include "generator/passes/passes.h"

namespace octet {
namespace {

bool is_quantized_binary(const Graph& graph, const Node& n) {
  return is_binary(n.op) && graph.tensor(n.outputs[0]).is_quantized();
}

// Whether ORT takes the first operand for a scalar: in the innermost dimension that both have and where one of the two
// is not 1 (if there is none, in the outermost that both have) it is 1. Its add then computes b + a, which rounds
// differently: of 3.9 million sums whose orders differ in 10,765, 0 differ from this rule (ORT 1.31).
bool first_is_scalar(const Shape& a, const Shape& b) {
  const size_t common = std::min(a.size(), b.size());
  if (common == 0) return a.empty();
  for (size_t d = 1; d < common; ++d) {
    const int64_t x = a[a.size() - d], y = b[b.size() - d];
    if (x != 1 || y != 1) return x == 1;
  }
  return a[a.size() - common] == 1;
}

std::string name_for(const Graph& graph, TensorId t, const Node& n) {
  return fmt::format("{}_for_{}", graph.tensor(t).name, n.name);
}

// The same values with dimensions of one element in front.
TensorId with_rank(Edit& edit, int i, TensorId from, size_t rank) {
  Graph& graph = edit.graph();
  Tensor to = graph.tensor(from);
  to.shape.insert(to.shape.begin(), rank - to.shape.size(), 1);
  if (to.is_constant()) return graph.add(std::move(to));
  to.name = name_for(graph, from, edit.node(i));
  const TensorId out = edit.add_tensor(to);
  edit.add_node(
      {.op = OpKind::reshape, .name = to.name, .source = edit.node(i).source, .inputs = {from}, .outputs = {out}}, i);
  return out;
}

// The same values with the parameters of `like`: what runtimes compute the larger of two in. Quantizing keeps order, so
// it may as well come first.
TensorId with_parameters(Edit& edit, int i, TensorId from, const Tensor& like) {
  Graph& graph = edit.graph();
  const Tensor t = graph.tensor(from);
  if (same_quant(t, like)) return from;
  Tensor to{.name = name_for(graph, from, edit.node(i)), .dtype = like.dtype, .shape = t.shape, .quant = like.quant};
  if (t.is_constant()) {
    const QuantView in = quant_view(t), out = quant_view(like);
    const Lut table = requantize_table(graph.profile, in, out);
    std::vector<int32_t> values = integers(t);
    for (int32_t& v : values) v = table[static_cast<size_t>(v + in.offset())] - out.offset();
    const TensorId constant = add_integers(graph, to.name, to.dtype, to.shape, values);
    graph.tensor(constant).quant = to.quant;
    return constant;
  }
  const TensorId out = edit.add_tensor(to);
  edit.add_node(
      {.op = OpKind::requantize, .name = to.name, .source = edit.node(i).source, .inputs = {from}, .outputs = {out}},
      i);
  return out;
}

}  // namespace

void align_operands(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    const Node n = edit.node(i);
    if (!is_quantized_binary(graph, n)) continue;
    TensorId a = n.inputs[0], b = n.inputs[1];
    if (graph.profile == Profile::ort && n.op == OpKind::add &&
        first_is_scalar(graph.tensor(a).shape, graph.tensor(b).shape))
      std::swap(a, b);
    if ((n.op == OpKind::maximum || n.op == OpKind::minimum) && !is_tflite(graph.profile))
      for (TensorId* t : {&a, &b}) *t = with_parameters(edit, i, *t, graph.tensor(n.outputs[0]));
    const size_t rank = graph.tensor(n.outputs[0]).shape.size();
    for (TensorId* t : {&a, &b})
      if (graph.tensor(*t).shape.size() < rank) *t = with_rank(edit, i, *t, rank);
    if (n.inputs != std::vector{a, b}) edit.set_inputs(i, {a, b});
  }
  edit.finish();
}

namespace {

// Row-major elements of a constant, repeated up to `shape`.
std::vector<int32_t> repeated(const Tensor& from, const Shape& shape) {
  const std::vector<int32_t> values = integers(from);
  const size_t rank = shape.size();
  std::vector<int64_t> stride(rank, 0), at(rank, 0);
  for (int64_t d = static_cast<int64_t>(rank) - 1, step = 1; d >= 0; --d) {
    const auto k = static_cast<size_t>(d);
    if (from.shape[k] != 1) stride[k] = step;
    step *= from.shape[k];
  }
  std::vector<int32_t> out(static_cast<size_t>(element_count(shape)));
  for (int32_t& v : out) {
    int64_t source = 0;
    for (size_t d = 0; d < rank; ++d) source += at[d] * stride[d];
    v = values[static_cast<size_t>(source)];
    for (size_t d = rank; d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
  return out;
}

TensorId expanded(Edit& edit, int i, TensorId from, const Shape& shape) {
  Graph& graph = edit.graph();
  Tensor to = graph.tensor(from);
  if (to.is_constant()) {
    const TensorId constant = add_integers(graph, to.name, to.dtype, shape, repeated(to, shape));
    graph.tensor(constant).quant = to.quant;
    return constant;
  }
  to.name = name_for(graph, from, edit.node(i));
  to.shape = shape;
  to.file_shape.clear();
  const TensorId out = edit.add_tensor(to);
  edit.add_node(
      {.op = OpKind::expand, .name = to.name, .source = edit.node(i).source, .inputs = {from}, .outputs = {out}}, i);
  return out;
}

}  // namespace

Shape pixel_per_image(const Shape& shape, const Shape& out) {
  Shape target = out;
  for (size_t d = out.size() - 1; d-- > 0 && shape[d] == 1;) target[d] = 1;
  return target;
}

void expand_operands(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    const Node n = edit.node(i);
    if (!is_quantized_binary(graph, n)) continue;
    const Shape out = graph.tensor(n.outputs[0]).shape;
    for (size_t k : {size_t{0}, size_t{1}}) {
      const Shape shape = graph.tensor(n.inputs[k]).shape;
      // Kernels keep one operand's pixel at a time.
      const bool whole = k == 0 && graph.tensor(n.inputs[1]).shape != out;
      const Shape target = whole || out.empty() ? out : pixel_per_image(shape, out);
      if (shape != target) edit.set_input(i, k, expanded(edit, i, n.inputs[k], target));
    }
  }
  edit.finish();
}

}  // namespace octet

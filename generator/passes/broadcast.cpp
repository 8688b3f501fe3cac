// Operands of add, sub and mul that are smaller than the result: brought to equal rank in the file's order, and after
// layout to one of the two shapes that kernels read, the result's own or one pixel per image.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "generator/kernel/tables.h"
#include "generator/passes/edit.h"
#include "generator/passes/lowering.h"
#include "generator/passes/passes.h"
#include "generator/passes/table.h"
#include "runtime/status.h"

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
    const Lut table = requantize_table(graph.profile, quant_view(t), quant_view(like));
    return mapped_constant(graph, to.name, t, like, values_of(table, t, like));
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

// A constant's elements, row-major, repeated up to `shape`: each dimension's block is written once, then copied.
std::vector<std::byte> repeated(const Tensor& from, const Shape& shape) {
  const size_t element = dtype_bytes(from.dtype);
  std::vector<std::byte> out(static_cast<size_t>(element_count(shape)) * element);
  const std::byte* next = from.data->data();
  size_t at = 0;
  const auto write = [&](const auto& self, size_t d) -> void {
    const size_t start = at;
    if (d == shape.size()) {
      std::copy_n(next, element, out.begin() + static_cast<ptrdiff_t>(at));
      next += element;
      at += element;
      return;
    }
    for (int64_t i = 0; i < from.shape[d]; ++i) self(self, d + 1);
    const size_t block = at - start;
    for (int64_t i = from.shape[d]; i < shape[d]; ++i, at += block) std::memcpy(&out[at], &out[start], block);
  };
  write(write, 0);
  return out;
}

TensorId expanded(Edit& edit, int i, TensorId from, const Shape& shape) {
  Graph& graph = edit.graph();
  const Tensor& t = graph.tensor(from);
  Tensor to = t;
  to.shape = shape;
  to.file_shape.clear();
  if (t.is_constant()) {
    constexpr int64_t kMostBytes = int64_t{1} << 26;
    const int64_t bytes = element_count(shape) * static_cast<int64_t>(dtype_bytes(t.dtype));
    if (bytes > kMostBytes)
      user_error(fmt::format("{}: its constant operand {} spread over {} takes {} bytes; supported are {}",
                             describe(edit.node(i)), t.name, to_string(shape), bytes, kMostBytes));
    to.data = std::make_shared<const ConstantBytes>(repeated(t, shape));
    return graph.add(std::move(to));
  }
  to.name = name_for(graph, from, edit.node(i));
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

// A quantized product of two activations: sums in s32, and the requantization of linear layers spelled out in f32, each
// step rounded where the formula rounds. rne(RN32(f32(sum) * m)) + z, m = RN32(RN32(s_a * s_b) / s_y): what ONNX
// Runtime's QLinearMatMul computes, and PyTorch's quantized matmul (design/numerics.md 2.1, 2.3). The rounded result
// times s_y is what quantize takes back exactly: |q| is below 2^9, and its two roundings cannot reach half a step.
#include <fmt/format.h>

#include <cmath>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"

namespace octet {
namespace {

bool has_formula(Profile profile) {
  return profile == Profile::ort || (is_torch(profile) && profile != Profile::qnnpack);
}

class Chain {
 public:
  Chain(Edit& edit, int near, const Node& owner) : edit_(edit), near_(near), owner_(owner) {}

  TensorId zero_point(TensorId q) {
    const Tensor t = edit_.graph().tensor(q);
    return add_integers(edit_.graph(), t.name + "_zero", t.dtype, {}, {t.quant->zero_point[0]});
  }
  TensorId step(Node node, std::vector<TensorId> inputs, const char* suffix, DType dtype, const Shape& shape) {
    node.name = owner_.name + suffix;
    node.source = owner_.source;
    node.inputs = std::move(inputs);
    const TensorId y = edit_.add_tensor({.name = node.name, .dtype = dtype, .shape = shape});
    node.outputs = {y};
    edit_.add_node(std::move(node), near_);
    return y;
  }
  TensorId times(TensorId x, float factor, const char* suffix, const Shape& shape) {
    const std::vector<float> value = {factor};
    const TensorId c = edit_.graph().add_constant<float>(owner_.name + suffix + "_factor", DType::f32, {}, value);
    return step({.op = OpKind::mul}, {x, c}, suffix, DType::f32, shape);
  }

 private:
  Edit& edit_;
  int near_;
  Node owner_;
};

void expand(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  const Tensor a = graph.tensor(node.inputs[0]), b = graph.tensor(node.inputs[1]), y = graph.tensor(node.outputs[0]);
  for (const Tensor* t : {&a, &b, &y})
    if (!t->is_quantized() || !t->quant->per_tensor()) return;
  const float s_y = y.quant->scale[0], m = a.quant->scale[0] * b.quant->scale[0] / s_y;
  if (!std::isnormal(m)) return;
  const QRange range = clamp_after(type_range(y.dtype), node.range);
  const int32_t z = y.quant->zero_point[0];
  Chain chain(edit, i, node);
  const TensorId za = chain.zero_point(node.inputs[0]), zb = chain.zero_point(node.inputs[1]);
  TensorId v =
      chain.step({.op = OpKind::integer_matmul}, {node.inputs[0], node.inputs[1], za, zb}, "/sum", DType::s32, y.shape);
  v = chain.step({.op = OpKind::cast}, {v}, "/real", DType::f32, y.shape);
  v = chain.times(v, m, "/scaled", y.shape);
  v = chain.step({.op = OpKind::unary, .function = Unary::round}, {v}, "/rounded", DType::f32, y.shape);
  Node clip{.op = OpKind::unary, .function = Unary::clip};
  clip.alpha = static_cast<float>(range.lo - z);
  clip.beta = static_cast<float>(range.hi - z);
  v = chain.step(std::move(clip), {v}, "/clamped", DType::f32, y.shape);
  v = chain.times(v, s_y, "/result", y.shape);
  Node quantize{.op = OpKind::quantize, .name = node.name, .source = node.source, .inputs = {v}};
  quantize.outputs = node.outputs;
  edit.remove(i);
  edit.add_node(std::move(quantize), i);
}

}  // namespace

void expand_matmul(Graph& graph) {
  if (!has_formula(graph.profile)) return;
  Edit edit(graph);
  for (int i : edit.order())
    if (edit.node(i).op == OpKind::matmul) expand(edit, i);
  edit.finish();
}

}  // namespace octet

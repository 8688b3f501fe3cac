// Functions that exporters spell out, where they are left in float: layer normalisation (PyTorch below opset 17) and
// Gelu (below opset 20). What stands between quantized tensors has become a table before.
#include <cmath>
#include <optional>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"

namespace octet {
namespace {

class Match {
 public:
  explicit Match(Edit& edit) : edit_(edit), graph_(edit.graph()) {}

  const Node* producer(TensorId t, OpKind op) const {
    const int p = edit_.producer(t);
    return p >= 0 && edit_.node(p).op == op ? &edit_.node(p) : nullptr;
  }
  const Node* function(TensorId t, Unary which) const {
    const Node* n = producer(t, OpKind::unary);
    return n && n->function == which ? n : nullptr;
  }
  std::optional<float> scalar(TensorId t) const {
    if (element_count(graph_.tensor(t).shape) != 1) return {};
    const std::vector<float> values = constant_floats(edit_, graph_, t);
    return values.empty() ? std::nullopt : std::optional(values[0]);
  }
  // The other operand of a commutative node whose one operand is that number, nearly.
  TensorId beside(const Node& n, float number) const {
    for (size_t k : {0, 1})
      if (const auto s = scalar(n.inputs[k]); s && std::abs(*s - number) <= 1e-6f * std::abs(number))
        return n.inputs[1 - k];
    return kNoTensor;
  }
  // x of the mean over the last dimensions, and where those begin; axis -1 where t is no such mean.
  TensorId mean_of(TensorId t, int& axis) const {
    axis = -1;
    const Node* n = producer(t, OpKind::reduce);
    const bool pool = !n;
    if (pool) n = producer(t, OpKind::global_average_pool);
    if (!n || (!pool && n->reduction != Reduction::mean)) return kNoTensor;
    const size_t rank = graph_.tensor(n->inputs[0]).shape.size();
    const size_t count = pool ? rank - 2 : n->axes.size();
    for (size_t k = 0; !pool && k < count; ++k)
      if (n->axes[k] != static_cast<int64_t>(rank - count + k)) return kNoTensor;
    if (count == 0 || graph_.tensor(t).shape.size() != rank) return kNoTensor;
    axis = static_cast<int>(rank - count);
    return n->inputs[0];
  }
  // t is x minus its mean over the dimensions from `axis` on.
  bool centred(TensorId t, TensorId& x, int& axis) const {
    const Node* sub = producer(t, OpKind::sub);
    if (!sub) return false;
    x = mean_of(sub->inputs[1], axis);
    return x != kNoTensor && x == sub->inputs[0];
  }
  // What t is the square of.
  TensorId root(TensorId t) const {
    if (const Node* n = producer(t, OpKind::pow)) {
      const auto exponent = scalar(n->inputs[1]);
      return exponent && *exponent == 2.0f ? n->inputs[0] : kNoTensor;
    }
    if (const Node* n = function(t, Unary::square)) return n->inputs[0];
    const Node* n = producer(t, OpKind::mul);
    return n && n->inputs[0] == n->inputs[1] ? n->inputs[0] : kNoTensor;
  }

  Edit& edit_;
  const Graph& graph_;
};

// A constant of the shape of what is normalized, read by the only reader of t, a node of that kind.
TensorId parameter(const Match& m, TensorId t, OpKind op, const Shape& row, int& node) {
  node = m.edit_.only_consumer(t);
  if (node < 0 || m.edit_.node(node).op != op) return kNoTensor;
  const Node& n = m.edit_.node(node);
  const TensorId p = n.inputs[n.inputs[0] == t ? 1 : 0];
  return p != t && m.graph_.tensor(p).is_constant() && m.graph_.tensor(p).shape == row ? p : kNoTensor;
}

// (x - mean) / sqrt(mean((x - mean)^2) + epsilon) [* gamma [+ beta]]
void match_layer_norm(Edit& edit, int i) {
  const Match m(edit);
  Graph& graph = edit.graph();
  const Node div = edit.node(i);
  TensorId x = kNoTensor, again = kNoTensor;
  int axis = -1, squared_axis = -1, mean_axis = -1;
  const Node* root = m.function(div.inputs[1], Unary::sqrt);
  const Node* sum = root ? m.producer(root->inputs[0], OpKind::add) : nullptr;
  if (!sum || !m.centred(div.inputs[0], x, axis)) return;
  const size_t side = m.scalar(sum->inputs[1]) ? 1 : 0;
  const auto epsilon = m.scalar(sum->inputs[side]);
  const TensorId squares = m.mean_of(sum->inputs[1 - side], mean_axis);
  if (!epsilon || squares == kNoTensor || mean_axis != axis) return;
  const TensorId base = m.root(squares);
  if (base == kNoTensor || !m.centred(base, again, squared_axis) || again != x || squared_axis != axis) return;
  const Shape shape = graph.tensor(x).shape, row(shape.begin() + axis, shape.end());
  if (graph.tensor(div.outputs[0]).shape != shape) return;
  Node norm{.op = OpKind::layer_norm, .name = div.name, .source = div.source, .inputs = {x}, .axis = axis};
  norm.alpha = *epsilon;
  norm.outputs = div.outputs;
  std::vector<int> gone = {i};
  int reader = -1;
  for (const OpKind op : {OpKind::mul, OpKind::add}) {
    const TensorId p = parameter(m, norm.outputs[0], op, row, reader);
    if (p == kNoTensor) break;
    norm.inputs.push_back(p);
    norm.outputs = edit.node(reader).outputs;
    gone.push_back(reader);
  }
  for (int g : gone) edit.remove(g);
  edit.add_node(std::move(norm), gone.back());
}

// x * (erf(x / sqrt(2)) + 1) * 0.5, with the half at either factor.
void match_gelu(Edit& edit, int i) {
  const Match m(edit);
  const Graph& graph = edit.graph();
  const Node product = edit.node(i);
  const auto gate_of = [&m](TensorId t) -> TensorId {  // x of erf(x / sqrt(2)) + 1
    const Node* plus = m.producer(t, OpKind::add);
    const TensorId bell = plus ? m.beside(*plus, 1) : kNoTensor;
    const Node* erf = bell == kNoTensor ? nullptr : m.function(bell, Unary::erf);
    if (!erf) return kNoTensor;
    if (const Node* div = m.producer(erf->inputs[0], OpKind::div)) {
      const auto by = m.scalar(div->inputs[1]);
      return by && std::abs(*by - 1.41421356f) < 1e-6f ? div->inputs[0] : kNoTensor;
    }
    const Node* mul = m.producer(erf->inputs[0], OpKind::mul);
    return mul ? m.beside(*mul, 0.70710678f) : kNoTensor;
  };
  const auto halved = [&m](TensorId t) {  // u of 0.5 u
    const Node* mul = m.producer(t, OpKind::mul);
    return mul ? m.beside(*mul, 0.5f) : kNoTensor;
  };
  TensorId x = kNoTensor;
  const auto is_pair = [&](TensorId a, TensorId b) {
    x = gate_of(b);
    return x != kNoTensor && x == a;
  };
  bool found = false;
  if (const TensorId whole = m.beside(product, 0.5f); whole != kNoTensor) {  // (x * gate) * 0.5
    const Node* inner = m.producer(whole, OpKind::mul);
    found = inner && (is_pair(inner->inputs[0], inner->inputs[1]) || is_pair(inner->inputs[1], inner->inputs[0]));
  }
  for (size_t k = 0; !found && k < 2; ++k) {  // (0.5 x) * gate, x * (0.5 gate)
    const TensorId a = product.inputs[k], b = product.inputs[1 - k];
    const TensorId half_a = halved(a), half_b = halved(b);
    found = (half_a != kNoTensor && is_pair(half_a, b)) || (half_b != kNoTensor && is_pair(a, half_b));
  }
  if (!found || graph.tensor(x).shape != graph.tensor(product.outputs[0]).shape) return;
  Node gelu{.op = OpKind::unary, .name = product.name, .source = product.source, .inputs = {x}};
  gelu.function = Unary::gelu;
  gelu.outputs = product.outputs;
  edit.remove(i);
  edit.add_node(std::move(gelu), i);
}

}  // namespace

void match_functions(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.removed(i) || graph.tensor(edit.node(i).outputs[0]).dtype != DType::f32) continue;
    const OpKind op = edit.node(i).op;
    if (op == OpKind::div) match_layer_norm(edit, i);
    if (op == OpKind::mul) match_gelu(edit, i);
  }
  edit.finish();
}

}  // namespace octet

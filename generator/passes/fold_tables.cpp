// Whatever maps one quantized tensor to another element by element is a table of 256 entries: single functions, chains,
// and the spelled-out forms of hard swish, silu and gelu alike.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "generator/kernel/lut.h"
#include "generator/kernel/requant.h"
#include "generator/kernel/tables.h"
#include "generator/passes/lowering.h"
#include "generator/passes/passes.h"
#include "generator/passes/table.h"
#include "runtime/status.h"

namespace octet {

Table values_of(const Lut& lut, const Tensor& from, const Tensor& to) {
  const int in = quant_view(from).offset(), out = quant_view(to).offset();
  Table table{};
  for (int byte = 0; byte < 256; ++byte)
    table[static_cast<size_t>(byte_of_value(byte - in))] = lut[static_cast<size_t>(byte)] - out;
  return table;
}

TensorId mapped_constant(Graph& graph, std::string name, const Tensor& from, const Tensor& like, const Table& table) {
  const Shape shape = from.shape;  // adding a tensor may move `from` and `like`
  const std::optional<QuantParams> quant = like.quant;
  std::vector<int32_t> values = integers(from);
  for (int32_t& v : values) v = table[static_cast<size_t>(byte_of_value(v))];
  const TensorId constant = add_integers(graph, std::move(name), like.dtype, shape, values);
  graph.tensor(constant).quant = quant;
  return constant;
}

namespace {

// LiteRT's optimized kernels round the last elements of a tensor in another way than the others.
void check_ties(const Graph& graph, const Node& node) {
  const Tensor &from = graph.tensor(node.inputs[0]), &to = graph.tensor(node.outputs[0]);
  if (element_count(to.shape) % 16 != 0 && differs_at_ties(graph.profile, quant_view(from), quant_view(to)))
    user_error(
        fmt::format("profile {} rounds ties at scales {} and {} in another way in the last {} of {} elements; "
                    "supported are multiples of 16, and every other profile",
                    profile_name(graph.profile), from.quant->scale[0], to.quant->scale[0], element_count(to.shape) % 16,
                    element_count(to.shape)));
}

Table requantize_values(const Graph& graph, const Node& node) {
  const Tensor &from = graph.tensor(node.inputs[0]), &to = graph.tensor(node.outputs[0]);
  return named(node, [&] {
    check_ties(graph, node);
    const ByteRange range = byte_range(node.range, quant_view(to));
    return values_of(requantize_table(graph.profile, quant_view(from), quant_view(to), range.lo, range.hi), from, to);
  });
}

}  // namespace

Table table_of(const Graph& graph, const Node& node) {
  if (node.op == OpKind::requantize) return requantize_values(graph, node);
  if (node.op != OpKind::unary || node.inputs.size() != 2) internal_error(describe(node) + " has no table");
  const std::vector<int32_t> values = integers(graph.tensor(node.inputs[1]));
  Table table{};
  std::copy(values.begin(), values.end(), table.begin());
  return table;
}

Lut storage_table(const Graph& graph, const Node& node) {
  const Table values = table_of(graph, node);
  const int from = quant_view(graph.tensor(node.inputs[0])).offset();
  const int to = quant_view(graph.tensor(node.outputs[0])).offset();
  Lut table;
  for (int byte = 0; byte < 256; ++byte)
    table[static_cast<size_t>(byte)] =
        static_cast<uint8_t>(values[static_cast<size_t>(byte_of_value(byte - from))] + to);
  return table;
}

BinaryFormula::BinaryFormula(const Graph& graph, const Node& node)
    : a_(quant_view(graph.tensor(node.inputs[0]))),
      b_(quant_view(graph.tensor(node.inputs[1]))),
      out_(quant_view(graph.tensor(node.outputs[0]))),
      op_(node.op) {
  switch (op_) {
    case OpKind::mul: mul_ = product_formula(graph, node); break;
    case OpKind::add:
    case OpKind::sub: add_ = sum_formula(graph, node); break;
    default: pair_ = pair_formula(graph, node);
  }
}

int32_t BinaryFormula::operator()(int32_t a, int32_t b) const {
  const auto a_byte = static_cast<uint8_t>(a + a_.offset()), b_byte = static_cast<uint8_t>(b + b_.offset());
  switch (op_) {
    case OpKind::mul: return mul_bytes(a_byte, b_byte, mul_) - out_.offset();
    case OpKind::add:
    case OpKind::sub: return add_bytes(a_byte, b_byte, add_) - out_.offset();
    default: return pair_bytes(a_byte, b_byte, pair_) - out_.offset();
  }
}

TensorId add_table(Graph& graph, const std::string& name, DType dtype, const Table& table) {
  return add_integers(graph, name + "_table", dtype, {256}, {table.begin(), table.end()});
}

namespace {

using Values = std::array<float, 256>;  // one real value per byte of the source

// A float tensor as a function of one quantized tensor, if it is one.
class Expression {
 public:
  explicit Expression(const Edit& edit, const Graph& graph) : edit_(edit), graph_(graph) {}

  bool evaluate(TensorId t, Values& out) {
    if (const auto known = known_.find(t); known != known_.end()) {
      out = known->second;
      return true;
    }
    if (!leaf(t, out) && !inner(t, out)) return false;
    known_.emplace(t, out);
    return true;
  }

  TensorId source() const { return source_; }
  const Node* function() const { return function_; }  // the first function met, for the node's description
  int operations() const { return operations_; }

 private:
  bool leaf(TensorId t, Values& out) {
    if (element_count(graph_.tensor(t).shape) == 1) {
      const std::vector<float> constant = constant_floats(edit_, graph_, t);
      if (!constant.empty()) {
        out.fill(constant[0]);
        return true;
      }
    }
    const TensorId q = dequantized_from(edit_, t);
    if (q == kNoTensor || (source_ != kNoTensor && source_ != q)) return false;
    const Tensor& from = graph_.tensor(q);
    if (from.is_constant() || !from.is_quantized() || !from.quant->per_tensor()) return false;
    source_ = q;
    for (int i = 0; i < 256; ++i)
      out[static_cast<size_t>(i)] =
          dequantize_value(value_of_byte(i, from.dtype), from.quant->scale[0], from.quant->zero_point[0]);
    return true;
  }

  bool inner(TensorId t, Values& out) {
    const int p = edit_.producer(t);
    if (p < 0) return false;
    const Node& n = edit_.node(p);
    if (!n.island.empty()) return false;
    ++operations_;
    if (n.op == OpKind::unary) {
      if (!evaluate(n.inputs[0], out)) return false;
      for (float& v : out) v = unary_value(n.function, n.alpha, n.beta, v);
      if (function_ == nullptr || n.function != Unary::relu) function_ = &n;
      return true;
    }
    Values b{};
    if (!is_arithmetic(n.op) || !evaluate(n.inputs[0], out) || !evaluate(n.inputs[1], b)) return false;
    for (size_t i = 0; i < out.size(); ++i) out[i] = combine(n.op, out[i], b[i]);
    return true;
  }

  static bool is_arithmetic(OpKind op) {
    return op == OpKind::add || op == OpKind::sub || op == OpKind::mul || op == OpKind::div;
  }

  static float combine(OpKind op, float a, float b) {
    switch (op) {
      case OpKind::add: return a + b;
      case OpKind::sub: return a - b;
      case OpKind::mul: return a * b;
      default: return a / b;
    }
  }

  const Edit& edit_;
  const Graph& graph_;
  std::map<TensorId, Values> known_;
  TensorId source_ = kNoTensor;
  const Node* function_ = nullptr;
  int operations_ = 0;
};

Table quantized(const Values& values, QuantizeForm form, const Tensor& to) {
  const QuantView view = quant_view(to);
  Table table{};
  for (size_t i = 0; i < values.size(); ++i) table[i] = quantize_as(form, values[i], view) - view.offset();
  return table;
}

// The function of one quantized tensor that this expression is, if it is no more than that.
const Node* single_function(const Edit& edit, const Expression& expression, int quantize) {
  const int p = edit.producer(edit.node(quantize).inputs[0]);
  return expression.operations() == 1 && p >= 0 && edit.node(p).op == OpKind::unary ? &edit.node(p) : nullptr;
}

// quantize of an expression: the node becomes the table.
void fold_expression(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node quantize = edit.node(i);
  const TensorId out = quantize.outputs[0];
  Expression expression(edit, graph);
  Values values{};
  if (!graph.tensor(out).quant->per_tensor() || !expression.evaluate(quantize.inputs[0], values) ||
      expression.source() == kNoTensor || expression.operations() == 0 ||
      graph.tensor(expression.source()).shape != graph.tensor(out).shape)
    return;
  const int last = edit.producer(quantize.inputs[0]);
  Node unary{.op = OpKind::unary, .name = edit.node(last).name, .source = edit.node(last).source};
  if (const Node* f = expression.function()) {
    unary.function = f->function;
    unary.alpha = f->alpha;
    unary.beta = f->beta;
  }
  const std::optional<QuantizeForm> form = quantize_form(graph.profile);
  if (!form) return;
  const Tensor &from = graph.tensor(expression.source()), &to = graph.tensor(out);
  // PyTorch's quantized functions dequantize in their own way; several in a row are float operations.
  const Node* single = is_torch(graph.profile) ? single_function(edit, expression, i) : nullptr;
  const Table table = single ? values_of(function_table(graph.profile, single->function, single->alpha, single->beta,
                                                        quant_view(from), quant_view(to)),
                                         from, to)
                             : quantized(values, *form, to);
  unary.inputs = {expression.source(), add_table(graph, unary.name, graph.tensor(out).dtype, table)};
  unary.outputs = {out};
  edit.remove(i);
  edit.add_node(std::move(unary), i);
}

// A function that the file itself gives on quantized tensors (QLinearSigmoid, TensorFlow Lite's LOGISTIC).
void fold_function(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node n = edit.node(i);
  if (n.inputs.size() != 1 || !graph.tensor(n.inputs[0]).is_quantized()) return;
  const Tensor from = graph.tensor(n.inputs[0]), to = graph.tensor(n.outputs[0]);
  if (!to.is_quantized() || !from.quant->per_tensor() || !to.quant->per_tensor()) return;
  const ByteRange range = byte_range(n.range, quant_view(to));
  const Lut table = named(n, [&] {
    return function_table(graph.profile, n.function, n.alpha, n.beta, quant_view(from), quant_view(to), range.lo,
                          range.hi);
  });
  const TensorId x = n.inputs[0];
  edit.set_inputs(i, {x, add_table(graph, n.name, to.dtype, values_of(table, from, to))});
  edit.node(i).range = {};
}

// A quantized op of two tensors one of which is a constant scalar: its formula tabulated.
void fold_scalar(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node& n = edit.node(i);
  if (!graph.tensor(n.outputs[0]).is_quantized()) return;
  const Tensor &a = graph.tensor(n.inputs[0]), &b = graph.tensor(n.inputs[1]), &to = graph.tensor(n.outputs[0]);
  const bool a_is_scalar = a.is_constant() && element_count(a.shape) == 1;
  const bool b_is_scalar = b.is_constant() && element_count(b.shape) == 1;
  if (a_is_scalar == b_is_scalar || (a_is_scalar ? b : a).shape != to.shape) return;
  const int32_t scalar = integers(a_is_scalar ? a : b)[0];
  const BinaryFormula formula(graph, n);
  Table table{};
  for (int byte = 0; byte < 256; ++byte) {
    const int32_t q = value_of_byte(byte, a_is_scalar ? b.dtype : a.dtype);
    table[static_cast<size_t>(byte)] = a_is_scalar ? formula(scalar, q) : formula(q, scalar);
  }
  const TensorId x = n.inputs[a_is_scalar ? 1 : 0];
  const TensorId constant = add_table(graph, n.name, to.dtype, table);
  edit.set_inputs(i, {x, constant});
  edit.node(i).op = OpKind::unary;
  edit.node(i).range = {};
}

}  // namespace

void fold_tables(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    const OpKind op = edit.node(i).op;
    if (op == OpKind::quantize)
      fold_expression(edit, i);
    else if (op == OpKind::unary)
      fold_function(edit, i);
    else if (is_binary(op))
      fold_scalar(edit, i);
  }
  edit.finish();
}

}  // namespace octet

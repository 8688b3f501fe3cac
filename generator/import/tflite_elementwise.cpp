// Functions of one, two and three tensors, element by element; softmax; conversions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generator/import/fold.h"
#include "generator/import/tflite_importer.h"

namespace octet::tflite_import {
namespace {

Shape broadcast_shape(const NodeImport& n, const Shape& a, const Shape& b) {
  const auto shape = importing::broadcast(a, b);
  if (!shape) n.fail(fmt::format("shapes {} and {} do not broadcast", to_string(a), to_string(b)));
  return *shape;
}

// --- one tensor

Node unary_node(NodeImport& n, Unary function) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  Node node = n.node(OpKind::unary, {n.input(0)});
  node.function = function;
  return node;
}

void emit_unary(NodeImport& n, Node node) {
  const DType dtype = n.expect_real(n.input(0));
  n.emit(std::move(node), n.output(dtype, n.tensor(0).shape));
}

template <Unary function>
void unary(NodeImport& n) {
  emit_unary(n, unary_node(n, function));
}

// Also of integers that are no quantized numbers.
template <Unary function>
void any_unary(NodeImport& n) {
  Node node = unary_node(n, function);
  const DType dtype = n.tensor(0).dtype;
  if (dtype != DType::s32 && dtype != DType::s64) return emit_unary(n, std::move(node));
  n.emit(std::move(node), n.output(dtype, n.tensor(0).shape));
}

template <int lo, int hi>
void clip(NodeImport& n) {
  Node node = unary_node(n, Unary::clip);
  node.alpha = lo;
  node.beta = hi;
  emit_unary(n, std::move(node));
}

void leaky_relu(NodeImport& n) {
  Node node = unary_node(n, Unary::leaky_relu);
  node.alpha = n.real("alpha");
  emit_unary(n, std::move(node));
}

void elu(NodeImport& n) {
  Node node = unary_node(n, Unary::elu);
  node.alpha = 1;
  emit_unary(n, std::move(node));
}

void gelu(NodeImport& n) {
  Node node = unary_node(n, Unary::gelu);
  if (n.flag("approximate")) node.alpha = 1;
  emit_unary(n, std::move(node));
}

void logical_not(NodeImport& n) {
  n.expect_dtype(n.input(0), {DType::boolean});
  Node node = unary_node(n, Unary::logical_not);
  n.emit(std::move(node), n.output(DType::boolean, n.tensor(0).shape));
}

// A tensor of real numbers times a constant.
TensorId times(NodeImport& n, TensorId x, float factor) {
  const std::vector<float> value = {factor};
  const TensorId by = n.graph.add_constant<float>("beta", DType::f32, {}, value);
  const TensorId y = n.temporary("/scaled", DType::f32, n.graph.tensor(x).shape, {});
  Node node = n.node(OpKind::mul, {x, by});
  node.name += "/scaled";
  n.emit(std::move(node), y);
  return y;
}

template <OpKind op>
void softmax(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  const float beta = op == OpKind::softmax ? n.real("beta", 0) : 1;
  if (!(beta > 0) || !std::isfinite(beta)) n.fail_attribute("beta", fmt::format("{}", beta), "positive numbers");
  const TensorId x = n.input(0);
  n.expect_rank(x, 1, importing::kMostRank);
  const DType dtype = n.expect_real(x);
  const Shape shape = n.graph.tensor(x).shape;
  Node node = n.node(op, {beta != 1 && dtype == DType::f32 ? times(n, x, beta) : x});
  node.axis = static_cast<int>(shape.size()) - 1;
  node.alpha = beta == 1 || dtype == DType::f32 ? 0 : beta;
  n.emit(std::move(node), n.output(dtype, shape));
}

// --- two tensors

bool is_integer(DType dtype) {
  return dtype == DType::s32 || dtype == DType::s64;
}

// Both of one type: real numbers, or integers that are no quantized numbers.
DType operand_type(const NodeImport& n, TensorId a, TensorId b) {
  const DType dtype = n.graph.tensor(a).dtype;
  n.expect_dtype(b, {dtype});
  if (is_integer(dtype)) return dtype;
  n.expect_real(a);
  return n.expect_real(b);
}

bool fold_binary(NodeImport& n, OpKind op, const Shape& shape) {
  const Tensor &a = n.tensor(0), &b = n.tensor(1);
  if ((op != OpKind::add && op != OpKind::sub && op != OpKind::mul) || !a.is_constant() || !b.is_constant() ||
      !is_integer(a.dtype))
    return false;
  n.check_shape(shape, a.dtype);
  n.charge(2 * importing::byte_count(shape, a.dtype));
  n.folded(a.dtype, shape, importing::combined(n, {.op = op}, a, b, shape));
  return true;
}

template <OpKind op>
void binary(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  const TensorId a = n.input(0), b = n.input(1);
  const DType dtype = operand_type(n, a, b);
  Shape shape = broadcast_shape(n, n.tensor(0).shape, n.tensor(1).shape);
  if (fold_binary(n, op, shape)) return;
  constexpr bool kActivated = op == OpKind::add || op == OpKind::sub || op == OpKind::mul || op == OpKind::div;
  if (kActivated && !is_integer(dtype)) return n.emit_activated(n.node(op, {a, b}), dtype, std::move(shape));
  n.emit(n.node(op, {a, b}), n.output(dtype, std::move(shape)));
}

template <Relation relation>
void compare(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  const TensorId a = n.input(0), b = n.input(1);
  if (n.tensor(0).dtype == DType::boolean)
    n.expect_dtype(b, {DType::boolean});
  else
    operand_type(n, a, b);
  Node node = n.node(OpKind::compare, {a, b});
  node.relation = relation;
  n.emit(std::move(node), n.output(DType::boolean, broadcast_shape(n, n.tensor(0).shape, n.tensor(1).shape)));
}

template <Connective connective>
void logic(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  for (size_t i : {size_t{0}, size_t{1}}) n.expect_dtype(n.input(i), {DType::boolean});
  Node node = n.node(OpKind::logic, {n.input(0), n.input(1)});
  node.connective = connective;
  n.emit(std::move(node), n.output(DType::boolean, broadcast_shape(n, n.tensor(0).shape, n.tensor(1).shape)));
}

// --- prelu, select

void prelu(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  const TensorId x = n.input(0), slope = n.input(1, "slope");
  const DType dtype = n.expect_real(x);
  n.expect_dtype(slope, {dtype});
  n.expect_real(slope);
  const Shape shape = n.tensor(0).shape;
  if (broadcast_shape(n, shape, n.tensor(1).shape) != shape)
    n.fail(fmt::format("slope of shape {} for an input of {}; supported: what broadcasts to the input",
                       to_string(n.tensor(1).shape), to_string(shape)));
  n.emit(n.node(OpKind::prelu, {x, slope}), n.output(dtype, shape));
}

// Values are chosen as they are stored: all have the same parameters.
template <bool broadcasts>
void select(NodeImport& n) {
  n.expect_inputs(3, 3);
  n.expect_outputs(1);
  const TensorId condition = n.input(0), a = n.input(1), b = n.input(2);
  n.expect_dtype(condition, {DType::boolean});
  n.expect_dtype(b, {n.graph.tensor(a).dtype});
  n.expect_same_quant(a, n.graph.tensor(b).quant, n.graph.tensor(b).name);
  const Shape cs = n.tensor(0).shape, as = n.tensor(1).shape, bs = n.tensor(2).shape;
  if (!broadcasts && (as != bs || (cs != as && element_count(cs) != 1)))
    n.fail(fmt::format("condition {}, values {} and {}; supported: equal shapes", to_string(cs), to_string(as),
                       to_string(bs)));
  Shape shape = broadcast_shape(n, cs, broadcast_shape(n, as, bs));
  n.emit(n.node(OpKind::where, {condition, a, b}), n.output_like(a, std::move(shape)));
}

// --- conversions

void quantize(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  const bool real = n.expect_real(x) == DType::f32;
  const DType to = n.state.file.tensors[static_cast<size_t>(n.file.outputs[0])].dtype;
  if (to != DType::u8 && to != DType::s8) n.fail(fmt::format("result of {}; supported: u8, s8", dtype_name(to)));
  n.emit(n.node(real ? OpKind::quantize : OpKind::requantize, {x}), n.output(to, n.tensor(0).shape));
}

// Of constants in float16 too, which are f32 by now.
void dequantize(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  const Tensor t = n.tensor(0);
  n.expect_dtype(n.input(0), {DType::u8, DType::s8, DType::f32});
  if (t.dtype == DType::f32) {
    if (!t.is_constant())
      n.fail(fmt::format("input {} is f32; supported: u8, s8, constant float16", in_quotes(t.name)));
    return n.folded(DType::f32, t.shape, t.data);
  }
  if (!t.quant) n.fail(fmt::format("input {} has no scale", in_quotes(t.name)));
  n.emit(n.node(OpKind::dequantize, {n.input(0)}), n.output(DType::f32, t.shape));
}

void cast(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  n.ignore({"in_data_type", "out_data_type"});  // the tensors say it
  const Tensor t = n.tensor(0);
  const DType to = n.state.file.tensors[static_cast<size_t>(n.file.outputs[0])].dtype;
  if (t.is_constant()) {
    n.charge(importing::byte_count(t.shape, to));
    return n.folded(to, t.shape, importing::cast_values(n, t, to));
  }
  n.emit(n.node(OpKind::cast, {n.input(0)}), n.output(to, t.shape));
}

}  // namespace

void add_elementwise_ops(std::unordered_map<std::string, Handler>& table) {
  table["LOGISTIC"] = unary<Unary::sigmoid>;
  table["TANH"] = unary<Unary::tanh>;
  table["RELU"] = unary<Unary::relu>;
  table["RELU6"] = clip<0, 6>;
  table["RELU_N1_TO_1"] = clip<-1, 1>;
  table["RELU_0_TO_1"] = clip<0, 1>;
  table["LEAKY_RELU"] = leaky_relu;
  table["HARD_SWISH"] = unary<Unary::hard_swish>;
  table["ELU"] = elu;
  table["GELU"] = gelu;
  table["SQRT"] = unary<Unary::sqrt>;
  table["RSQRT"] = unary<Unary::rsqrt>;
  table["EXP"] = unary<Unary::exp>;
  table["LOG"] = unary<Unary::log>;
  table["SQUARE"] = any_unary<Unary::square>;
  table["ABS"] = any_unary<Unary::abs>;
  table["NEG"] = any_unary<Unary::neg>;
  table["SIGN"] = any_unary<Unary::sign>;
  table["FLOOR"] = unary<Unary::floor>;
  table["CEIL"] = unary<Unary::ceil>;
  table["ROUND"] = unary<Unary::round>;
  table["SIN"] = unary<Unary::sin>;
  table["COS"] = unary<Unary::cos>;
  table["LOGICAL_NOT"] = logical_not;
  table["SOFTMAX"] = softmax<OpKind::softmax>;
  table["LOG_SOFTMAX"] = softmax<OpKind::log_softmax>;
  table["ADD"] = binary<OpKind::add>;
  table["SUB"] = binary<OpKind::sub>;
  table["MUL"] = binary<OpKind::mul>;
  table["DIV"] = binary<OpKind::div>;
  table["MAXIMUM"] = binary<OpKind::maximum>;
  table["MINIMUM"] = binary<OpKind::minimum>;
  table["POW"] = binary<OpKind::pow>;
  table["FLOOR_DIV"] = binary<OpKind::floor_div>;
  table["FLOOR_MOD"] = binary<OpKind::floor_mod>;
  table["SQUARED_DIFFERENCE"] = binary<OpKind::squared_difference>;
  table["EQUAL"] = compare<Relation::equal>;
  table["NOT_EQUAL"] = compare<Relation::not_equal>;
  table["LESS"] = compare<Relation::less>;
  table["LESS_EQUAL"] = compare<Relation::less_equal>;
  table["GREATER"] = compare<Relation::greater>;
  table["GREATER_EQUAL"] = compare<Relation::greater_equal>;
  table["LOGICAL_AND"] = logic<Connective::all>;
  table["LOGICAL_OR"] = logic<Connective::any>;
  table["PRELU"] = prelu;
  table["SELECT"] = select<false>;
  table["SELECT_V2"] = select<true>;
  table["QUANTIZE"] = quantize;
  table["DEQUANTIZE"] = dequantize;
  table["CAST"] = cast;
}

}  // namespace octet::tflite_import

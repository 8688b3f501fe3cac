// Ops of two and more operands that broadcast: arithmetic, comparisons, logic, a choice.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "generator/import/fold.h"
#include "generator/import/importer.h"

namespace octet::onnx_import {

TensorId binary(NodeImport& n, const Node& like, TensorId a, TensorId b, const std::string& suffix) {
  const Tensor &ta = n.graph.tensor(a), &tb = n.graph.tensor(b);
  const DType dtype = ta.dtype;
  if (tb.dtype != dtype)
    n.fail(fmt::format("operands of types {} and {}; supported: equal ones", dtype_name(dtype), dtype_name(tb.dtype)));
  const auto shape = broadcast(ta.shape, tb.shape);
  if (!shape) n.fail(fmt::format("shapes {} and {} do not broadcast", to_string(ta.shape), to_string(tb.shape)));
  const bool narrow = dtype == DType::u8 || dtype == DType::s8 || dtype == DType::boolean;
  const bool truth = like.op == OpKind::compare || like.op == OpKind::logic;
  if (like.op == OpKind::logic) {
    n.expect_dtype(a, {DType::boolean});
  } else if (narrow) {
    const TensorId x = cast_to(n, a, DType::s32, suffix + "/a"), y = cast_to(n, b, DType::s32, suffix + "/b");
    if (truth) return binary(n, like, x, y, suffix);
    return cast_to(n, binary(n, like, x, y, suffix + "/s32"), dtype, suffix);
  }
  const DType to = truth ? DType::boolean : dtype;
  if (ta.is_constant() && tb.is_constant()) {
    n.check_shape(*shape, dtype);
    n.charge(3 * byte_count(*shape, dtype));
    return n.constant_step(suffix, to, *shape, importing::combined(n, like, ta, tb, *shape));
  }
  Node& node = n.step(like.op, {a, b}, suffix, to, *shape);
  node.relation = like.relation;
  node.connective = like.connective;
  return node.outputs[0];
}

namespace {

template <OpKind op>
void plain(NodeImport& n) {
  n.expect_inputs(2, 2);
  binary(n, {.op = op}, n.input(0), n.input(1));
}

template <Relation relation>
void compare(NodeImport& n) {
  n.expect_inputs(2, 2);
  binary(n, {.op = OpKind::compare, .relation = relation}, n.input(0), n.input(1));
}

template <Connective connective>
void logic(NodeImport& n) {
  n.expect_inputs(2, 2);
  binary(n, {.op = OpKind::logic, .connective = connective}, n.input(0), n.input(1));
}

// One after the other, from the left.
template <OpKind op>
void several(NodeImport& n) {
  constexpr size_t kMost = 1 << 10;
  n.expect_inputs(1, kMost);
  TensorId sum = n.input(0);
  if (n.input_count() == 1) return n.alias(sum);
  for (size_t i = 1; i < n.input_count(); ++i)
    sum = binary(n, {.op = op}, sum, n.input(i), i + 1 < n.input_count() ? fmt::format("/{}", i) : "");
}

// The exponent may have a type of its own.
void power(NodeImport& n) {
  n.expect_inputs(2, 2);
  const DType dtype = n.tensor(0).dtype;
  n.expect_dtype(n.input(0), {DType::f32, DType::s32, DType::s64});
  const TensorId e = n.input(1);
  binary(n, {.op = OpKind::pow}, n.input(0), n.tensor(1).dtype == dtype ? e : cast_to(n, e, dtype, "/exponent"));
}

// fmod 0: the sign of the divisor, of integers only. fmod 1: the sign of the dividend, as in C.
void modulo(NodeImport& n) {
  n.expect_inputs(2, 2);
  const bool c = n.integer("fmod", 0) != 0;
  const TensorId a = n.input(0), b = n.input(1);
  n.expect_dtype(a, {DType::u8, DType::s8, DType::s32, DType::s64});
  if (!c) {
    binary(n, {.op = OpKind::floor_mod}, a, b);
    return;
  }
  const TensorId quotient = binary(n, {.op = OpKind::div}, a, b, "/quotient");
  binary(n, {.op = OpKind::sub}, a, binary(n, {.op = OpKind::mul}, quotient, b, "/product"));
}

// Bytes, as products and quotients of powers of two; from 8 bits on nothing is left.
void bit_shift(NodeImport& n) {
  n.expect_inputs(2, 2);
  const TensorId x = n.input(0), bits = n.input(1);
  for (TensorId t : {x, bits}) n.expect_dtype(t, {DType::u8});
  const std::string direction = n.text("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") n.fail_attribute("direction", in_quotes(direction), "LEFT, RIGHT");
  const auto number = [&n](const char* suffix, int32_t value) {
    return n.constant_step(suffix, DType::s32, {}, std::vector<int32_t>{value});
  };
  const TensorId few =
      binary(n, {.op = OpKind::minimum}, cast_to(n, bits, DType::s32, "/bits"), number("/most", 8), "/few");
  const TensorId power = binary(n, {.op = OpKind::pow}, number("/two", 2), few, "/power");
  const OpKind op = direction == "LEFT" ? OpKind::mul : OpKind::floor_div;
  cast_to(n, binary(n, {.op = op}, cast_to(n, x, DType::s32, "/wide"), power, "/shifted"), DType::u8, "");
}

template <class T>
std::vector<std::byte> chosen(const std::vector<std::byte>& condition, const std::vector<std::byte>& a,
                              const std::vector<std::byte>& b) {
  std::vector<std::byte> out(a.size());
  for (size_t i = 0; i < condition.size(); ++i)
    std::memcpy(out.data() + i * sizeof(T), (condition[i] != std::byte{} ? a : b).data() + i * sizeof(T), sizeof(T));
  return out;
}

void where(NodeImport& n) {
  n.expect_inputs(3, 3);
  const TensorId condition = n.input(0), a = n.input(1), b = n.input(2);
  n.expect_dtype(condition, {DType::boolean});
  const DType dtype = n.tensor(1).dtype;
  n.expect_dtype(b, {dtype});
  const auto pair = broadcast(n.tensor(1).shape, n.tensor(2).shape);
  const auto shape = pair ? broadcast(n.tensor(0).shape, *pair) : std::nullopt;
  if (!shape)
    n.fail(fmt::format("shapes {}, {} and {} do not broadcast", to_string(n.tensor(0).shape),
                       to_string(n.tensor(1).shape), to_string(n.tensor(2).shape)));
  if (n.is_constant(0) && n.is_constant(1) && n.is_constant(2)) {
    n.check_shape(*shape, dtype);
    n.charge(4 * byte_count(*shape, dtype));
    const auto c = importing::repeated(n.tensor(0), *shape), x = importing::repeated(n.tensor(1), *shape),
               y = importing::repeated(n.tensor(2), *shape);
    const size_t size = dtype_bytes(dtype);
    n.folded(dtype, *shape,
             size == 1   ? chosen<uint8_t>(c, x, y)
             : size == 4 ? chosen<int32_t>(c, x, y)
                         : chosen<int64_t>(c, x, y));
    return;
  }
  n.step(OpKind::where, {condition, a, b}, "", dtype, *shape);
}

// The slope broadcasts to x, never the other way.
void prelu(NodeImport& n) {
  n.expect_inputs(2, 2);
  const TensorId x = n.input(0), slope = n.input(1);
  n.expect_dtype(x, {DType::f32});
  n.expect_dtype(slope, {DType::f32});
  const Shape shape = n.tensor(0).shape;
  if (broadcast(shape, n.tensor(1).shape) != shape)
    n.fail(fmt::format("slopes of shape {} for {}; supported: what broadcasts to it", to_string(n.tensor(1).shape),
                       to_string(shape)));
  n.step(OpKind::prelu, {x, slope}, "", DType::f32, shape);
}

}  // namespace

void add_arithmetic_ops(std::unordered_map<std::string, Handler>& table) {
  table["Add"] = plain<OpKind::add>;
  table["Sub"] = plain<OpKind::sub>;
  table["Mul"] = plain<OpKind::mul>;
  table["Div"] = plain<OpKind::div>;
  table["Max"] = several<OpKind::maximum>;
  table["Min"] = several<OpKind::minimum>;
  table["Sum"] = several<OpKind::add>;
  table["Pow"] = power;
  table["Mod"] = modulo;
  table["BitShift"] = bit_shift;
  table["Equal"] = compare<Relation::equal>;
  table["Less"] = compare<Relation::less>;
  table["LessOrEqual"] = compare<Relation::less_equal>;
  table["Greater"] = compare<Relation::greater>;
  table["GreaterOrEqual"] = compare<Relation::greater_equal>;
  table["And"] = logic<Connective::all>;
  table["Or"] = logic<Connective::any>;
  table["Xor"] = logic<Connective::odd>;
  table["Where"] = where;
  table["PRelu"] = prelu;
}

}  // namespace octet::onnx_import

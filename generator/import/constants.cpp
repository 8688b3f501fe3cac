// Constants, and the folding of subgraphs on them: what exporters need to compute the targets of Reshape and the like.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

template <class T>
std::vector<std::byte> to_bytes(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span<const T>(values));
  return {bytes.begin(), bytes.end()};
}

[[noreturn]] void fail_not_constant(const NodeImport& n, size_t i) {
  n.fail(fmt::format("input {} is not constant; supported: {} on constants and shapes", in_quotes(n.tensor(i).name),
                     n.file.op));
}

const Tensor& constant_input(const NodeImport& n, size_t i, std::string_view role) {
  const Tensor& t = n.tensor(i, role);
  if (!t.is_constant()) fail_not_constant(n, i);
  return t;
}

// --- the ops

void constant(NodeImport& n) {
  n.expect_inputs(0, 0);
  if (n.file.attributes.size() != 1)
    n.fail(fmt::format("{} attributes; supported: one value", n.file.attributes.size()));
  const std::string& kind = n.file.attributes[0].name;
  if (kind == "value") {
    const Constant* c = n.constant("value");
    n.folded(c->shape, c->data, {.dtype = c->dtype});
  } else if (kind == "value_float") {
    n.folded(DType::f32, {}, to_bytes(std::vector<float>{n.real("value_float", 0)}));
  } else if (kind == "value_int") {
    n.folded(DType::s64, {}, to_bytes(Ints{n.integer("value_int", 0)}));
  } else if (kind == "value_floats") {
    const auto reals = n.reals("value_floats");
    n.folded(DType::f32, {static_cast<int64_t>(reals->size())}, to_bytes(*reals));
  } else if (kind == "value_ints") {
    const auto ints = n.integers("value_ints");
    n.folded(DType::s64, {static_cast<int64_t>(ints->size())}, to_bytes(*ints));
  } else {
    n.fail(
        fmt::format("attribute {} is not supported; supported: value, value_float(s), value_int(s)", in_quotes(kind)));
  }
}

void shape_of(NodeImport& n) {
  n.expect_inputs(1, 1);
  const Shape& shape = n.tensor(0).shape;
  const int64_t rank = static_cast<int64_t>(shape.size());
  const auto clamped = [rank](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const int64_t begin = clamped(n.integer("start", 0)), end = clamped(n.integer("end", rank));
  const Ints part = begin < end ? Ints(shape.begin() + begin, shape.begin() + end) : Ints{};
  n.folded(DType::s64, {static_cast<int64_t>(part.size())}, to_bytes(part));
}

void constant_of_shape(NodeImport& n) {
  n.expect_inputs(1, 1);
  const Shape shape = n.integers_in(0, "shape");
  const Constant* value = n.constant("value");
  if (value && element_count(value->shape) != 1) n.fail_attribute("value", to_string(value->shape), "one element");
  const DType dtype = value ? value->dtype : DType::f32;
  n.check_shape(shape, dtype);
  const size_t size = dtype_bytes(dtype);
  n.charge(byte_count(shape, dtype));
  std::vector<std::byte> bytes(static_cast<size_t>(byte_count(shape, dtype)));
  if (value)
    for (size_t i = 0; i < bytes.size(); i += size) std::memcpy(bytes.data() + i, value->data->data(), size);
  n.folded(dtype, shape, std::move(bytes));
}

template <class T>
void range_of(NodeImport& n) {
  const auto value = [&n](size_t i) { return n.tensor(i).values<T>()[0]; };
  const T start = value(0), delta = value(2);
  const double count =
      std::ceil((static_cast<double>(value(1)) - static_cast<double>(start)) / static_cast<double>(delta));
  constexpr double kMost = 1 << 20;
  if (!(count <= kMost)) n.fail(fmt::format("a range of {} values; supported: up to {}", count, kMost));
  std::vector<T> values;
  for (int64_t i = 0; i < static_cast<int64_t>(std::max(count, 0.0)); ++i)
    values.push_back(static_cast<T>(static_cast<double>(start) + static_cast<double>(i) * static_cast<double>(delta)));
  n.charge(static_cast<int64_t>(values.size() * sizeof(T)));
  n.folded(n.tensor(0).dtype, {static_cast<int64_t>(values.size())}, to_bytes(values));
}

void range(NodeImport& n) {
  n.expect_inputs(3, 3);
  for (size_t i = 0; i < 3; ++i) {
    const Tensor& t = constant_input(n, i, "range");
    if (element_count(t.shape) != 1 || t.dtype != n.tensor(0).dtype)
      n.fail(fmt::format("input {} is {} {}; supported: three scalars of one type", i, dtype_name(t.dtype),
                         to_string(t.shape)));
    // Beyond that doubles lose integers; also keeps NaN out.
    constexpr double kExact = 1e15;
    const double v = t.dtype == DType::s64   ? static_cast<double>(t.values<int64_t>()[0])
                     : t.dtype == DType::f32 ? static_cast<double>(t.values<float>()[0])
                                             : 0.0;
    if (!(std::abs(v) <= kExact)) n.fail(fmt::format("range input {} is {}", i, v));
  }
  switch (n.tensor(0).dtype) {
    case DType::s64: return range_of<int64_t>(n);
    case DType::s32: return range_of<int32_t>(n);
    case DType::f32: return range_of<float>(n);
    default: n.expect_dtype(n.input(0), {DType::s64, DType::s32, DType::f32});
  }
}

template <class To, class From>
std::vector<std::byte> converted(const NodeImport& n, const Tensor& t) {
  std::vector<std::byte> bytes(static_cast<size_t>(element_count(t.shape)) * sizeof(To));
  std::byte* to = bytes.data();
  for (const From v : t.values<From>()) {
    To r;
    if constexpr (std::is_same_v<To, bool>) {
      r = v != From{};
    } else if constexpr (std::is_same_v<From, float> && std::is_integral_v<To>) {
      const double d = std::trunc(static_cast<double>(v));
      // 2^63 itself is no s64: the limit is exclusive where it does not fit a double.
      const double top = std::ldexp(1.0, std::numeric_limits<To>::digits);
      if (!(d >= static_cast<double>(std::numeric_limits<To>::min()) && d < top))
        n.fail(fmt::format("value {} does not fit the type cast to", v));
      r = static_cast<To>(d);
    } else {
      r = static_cast<To>(v);
    }
    std::memcpy(to, &r, sizeof(To));
    to += sizeof(To);
  }
  return bytes;
}

template <class From>
std::vector<std::byte> converted_to(const NodeImport& n, const Tensor& t, DType to) {
  switch (to) {
    case DType::f32: return converted<float, From>(n, t);
    case DType::u8: return converted<uint8_t, From>(n, t);
    case DType::s8: return converted<int8_t, From>(n, t);
    case DType::s32: return converted<int32_t, From>(n, t);
    case DType::s64: return converted<int64_t, From>(n, t);
    case DType::boolean: break;
  }
  return converted<bool, From>(n, t);
}

std::vector<std::byte> cast_values(const NodeImport& n, const Tensor& t, DType to) {
  switch (t.dtype) {
    case DType::f32: return converted_to<float>(n, t, to);
    case DType::u8:
    case DType::boolean: return converted_to<uint8_t>(n, t, to);
    case DType::s8: return converted_to<int8_t>(n, t, to);
    case DType::s32: return converted_to<int32_t>(n, t, to);
    case DType::s64: break;
  }
  return converted_to<int64_t>(n, t, to);
}

void cast(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.ignore({"saturate"});
  const int64_t code = n.integer("to", 0);
  const int known = static_cast<int>(std::clamp<int64_t>(code, -1, 1000));
  DType to;
  if (!onnx_file::dtype_of(known, to))
    n.fail_attribute("to", onnx_file::type_name(known), "float, uint8, int8, int32, int64, bool");
  const Tensor& t = n.tensor(0);
  if (t.dtype == to) return n.alias(n.input(0));
  if (!t.is_constant())
    n.fail(fmt::format(
        "from {} to {} on {}, which is not constant; supported: casts that change nothing, and on constants",
        dtype_name(t.dtype), dtype_name(to), in_quotes(t.name)));
  n.charge(byte_count(t.shape, to));
  n.folded(to, t.shape, cast_values(n, t, to));
}

void gather(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Tensor& data = constant_input(n, 0, "data");
  const Tensor& indices = constant_input(n, 1, "indices");
  const size_t axis = static_cast<size_t>(n.axis(n.integer("axis", 0), data.shape.size()));
  const Ints at = n.integers_in(1, "indices");
  const int64_t rows = data.shape[axis];
  Shape shape(data.shape.begin(), data.shape.begin() + static_cast<long>(axis));
  const int64_t outer = element_count(shape);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), data.shape.begin() + static_cast<long>(axis) + 1, data.shape.end());
  n.check_shape(shape, data.dtype);
  n.charge(byte_count(shape, data.dtype));
  const Shape rest(data.shape.begin() + static_cast<long>(axis) + 1, data.shape.end());
  const size_t bytes = static_cast<size_t>(byte_count(rest, data.dtype));
  std::vector<std::byte> out;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i : at) {
      if (i < -rows || i >= rows) n.fail(fmt::format("index {} of {} rows", i, rows));
      const size_t row = static_cast<size_t>(o * rows + (i < 0 ? i + rows : i));
      const auto* from = data.data->data() + row * bytes;
      out.insert(out.end(), from, from + bytes);
    }
  n.folded(data.dtype, shape, std::move(out));
}

void expand(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Tensor& t = n.tensor(0);
  const auto shape = broadcast(t.shape, n.integers_in(1, "shape"));
  if (!shape) n.fail(fmt::format("shape {} does not broadcast with the target", to_string(t.shape)));
  if (*shape == t.shape) return n.alias(n.input(0));
  if (!t.is_constant()) fail_not_constant(n, 0);
  n.check_shape(*shape, t.dtype);
  n.charge(byte_count(*shape, t.dtype));
  Ints strides = row_major_strides(t.shape);
  for (size_t d = 0; d < strides.size(); ++d)
    if (t.shape[d] == 1) strides[d] = 0;
  strides.insert(strides.begin(), shape->size() - strides.size(), 0);
  n.folded(t.dtype, *shape, strided_copy(t, *shape, 0, strides));
}

// --- arithmetic

template <class T>
bool apply(char op, T a, T b, T& r) {
  if constexpr (std::is_same_v<T, float>) {
    r = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;
    return true;
  } else {
    switch (op) {
      case '+': return !__builtin_add_overflow(a, b, &r);
      case '-': return !__builtin_sub_overflow(a, b, &r);
      case '*': return !__builtin_mul_overflow(a, b, &r);
      default: break;
    }
    if (b == 0 || (b == -1 && a == std::numeric_limits<T>::min())) return false;
    r = static_cast<T>(a / b);
    return true;
  }
}

template <class T>
void fold_as(NodeImport& n, char op, const Shape& shape) {
  const auto operand = [&](size_t i) {
    const Tensor& t = n.tensor(i);
    Ints strides = row_major_strides(t.shape);
    for (size_t d = 0; d < strides.size(); ++d)
      if (t.shape[d] == 1) strides[d] = 0;
    strides.insert(strides.begin(), shape.size() - strides.size(), 0);
    return strided_copy(t, shape, 0, strides);
  };
  std::vector<std::byte> a = operand(0);
  const std::vector<std::byte> b = operand(1);
  for (size_t i = 0; i < a.size(); i += sizeof(T)) {
    T x, y, r;
    std::memcpy(&x, a.data() + i, sizeof(T));
    std::memcpy(&y, b.data() + i, sizeof(T));
    if (!apply(op, x, y, r)) n.fail(fmt::format("constants {} {} {} have no result", x, op, y));
    std::memcpy(a.data() + i, &r, sizeof(T));
  }
  n.folded(n.tensor(0).dtype, shape, std::move(a));
}

}  // namespace

bool fold_binary(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Tensor &a = n.tensor(0), &b = n.tensor(1);
  if (!a.is_constant() || !b.is_constant() || a.dtype != b.dtype) return false;
  const auto shape = broadcast(a.shape, b.shape);
  if (!shape) return false;
  n.check_shape(*shape, a.dtype);
  n.charge(2 * byte_count(*shape, a.dtype));
  const char op = n.file.op == "Add" ? '+' : n.file.op == "Sub" ? '-' : n.file.op == "Mul" ? '*' : '/';
  switch (a.dtype) {
    case DType::f32: fold_as<float>(n, op, *shape); return true;
    case DType::s32: fold_as<int32_t>(n, op, *shape); return true;
    case DType::s64: fold_as<int64_t>(n, op, *shape); return true;
    default: return false;
  }
}

TensorId transposed(NodeImport& n, TensorId matrix) {
  if (const auto at = n.state.transposed.find(matrix); at != n.state.transposed.end()) return at->second;
  const Tensor t = n.graph.tensor(matrix);
  TensorId made = kNoTensor;
  if (t.is_constant()) {
    const Shape shape = {t.shape[1], t.shape[0]};
    n.charge(byte_count(shape, t.dtype));
    auto data = std::make_shared<const ConstantBytes>(strided_copy(t, shape, 0, {1, t.shape[1]}));
    Tensor turned{.name = t.name + "^T", .dtype = t.dtype, .shape = shape, .quant = t.quant, .data = std::move(data)};
    if (turned.quant && turned.quant->axis >= 0) turned.quant->axis = 1 - turned.quant->axis;
    made = n.state.add(std::move(turned));
  } else {
    const Node source = *n.state.producer_of(matrix);
    const TensorId q = transposed(n, source.inputs[0]);
    made = n.state.add({.name = t.name + "^T", .shape = {t.shape[1], t.shape[0]}});
    n.state.add(Node{.op = OpKind::dequantize,
                     .name = source.name + "^T",
                     .source = source.source,
                     .inputs = {q},
                     .outputs = {made}});
  }
  n.state.transposed.emplace(matrix, made);
  return made;
}

void add_constant_ops(std::unordered_map<std::string, Handler>& table) {
  table["Constant"] = constant;
  table["Shape"] = shape_of;
  table["ConstantOfShape"] = constant_of_shape;
  table["Range"] = range;
  table["Cast"] = cast;
  table["Gather"] = gather;
  table["Expand"] = expand;
}

}  // namespace octet::onnx_import

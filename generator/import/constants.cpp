// Constants, and the folding of subgraphs on them: what exporters need to compute the targets of Reshape and the like.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "generator/import/fold.h"
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

void cast(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.ignore({"saturate"});
  const int64_t code = n.integer("to", 0);
  const int known = static_cast<int>(std::clamp<int64_t>(code, -1, 1000));
  DType to;
  if (!onnx_file::dtype_of(known, to))
    n.fail_attribute("to", onnx_file::type_name(known), "float, uint8, int8, int32, int64, bool");
  if (n.tensor(0).dtype == to) return n.alias(n.input(0));
  cast_to(n, n.input(0), to, "");
}

}  // namespace

TensorId cast_to(NodeImport& n, TensorId id, DType to, const std::string& suffix) {
  const Tensor t = n.graph.tensor(id);
  if (!t.is_constant()) return n.step(OpKind::cast, {id}, suffix, to, t.shape).outputs[0];
  n.charge(byte_count(t.shape, to));
  return n.constant_step(suffix, to, t.shape, importing::cast_values(n, t, to));
}

bool is_dequantized_constant(const NodeImport& n, TensorId id) {
  const Node* source = n.state.producer_of(id);
  return source && source->op == OpKind::dequantize && n.graph.tensor(source->inputs[0]).is_constant();
}

TensorId reshaped_constant(NodeImport& n, TensorId id, Shape shape) {
  Tensor t = n.graph.tensor(id);
  t.shape = std::move(shape);
  return n.state.add(std::move(t));
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
}

}  // namespace octet::onnx_import

// QuantizeLinear, DequantizeLinear, and quantization parameters as inputs of nodes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

std::vector<int32_t> zero_points(const Tensor& t) {
  switch (t.dtype) {
    case DType::u8: return {t.values<uint8_t>().begin(), t.values<uint8_t>().end()};
    case DType::s8: return {t.values<int8_t>().begin(), t.values<int8_t>().end()};
    default: return {t.values<int32_t>().begin(), t.values<int32_t>().end()};
  }
}

// The type that QuantizeLinear makes.
DType quantized_type(NodeImport& n) {
  DType dtype = DType::u8;
  const int64_t asked = n.integer("output_dtype", 0);
  if (asked) {
    const bool known = asked > 0 && asked < 100 && onnx_file::dtype_of(static_cast<int>(asked), dtype);
    if (!known || (dtype != DType::u8 && dtype != DType::s8))
      n.fail_attribute("output_dtype", onnx_file::type_name(static_cast<int>(std::clamp<int64_t>(asked, -1, 100))),
                       "uint8, int8");
  }
  if (!n.has(2)) return dtype;
  n.expect_dtype(n.input(2), {DType::u8, DType::s8});
  const DType type = n.tensor(2).dtype;
  if (asked && type != dtype)
    n.fail_attribute("output_dtype", dtype_name(dtype), std::string("the zero point's ") + dtype_name(type));
  return type;
}

template <class T>
std::vector<std::byte> quantize_values(const Tensor& t, const QuantParams& q) {
  const auto x = t.values<float>();
  std::vector<std::byte> bytes(x.size());
  size_t inner = 1;
  if (q.axis >= 0)
    for (size_t d = static_cast<size_t>(q.axis) + 1; d < t.shape.size(); ++d) inner *= static_cast<size_t>(t.shape[d]);
  constexpr float kLo = std::numeric_limits<T>::min(), kHi = std::numeric_limits<T>::max();
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = q.per_tensor() ? 0 : i / inner % q.scale.size();
    // max first: NaN becomes the lowest value.
    const float v = std::nearbyint(x[i] / q.scale[c]) + static_cast<float>(q.zero_point[c]);
    bytes[i] = static_cast<std::byte>(static_cast<T>(std::min(std::fmax(kLo, v), kHi)));
  }
  return bytes;
}

void quantize(NodeImport& n) {
  n.expect_inputs(2, 3);
  n.expect_dtype(n.input(0), {DType::f32});
  n.ignore({"saturate", "axis", "block_size"});
  const DType dtype = quantized_type(n);
  if (has_computed_parameters(n)) return quantize_in_steps(n, dtype);
  const Tensor& x = n.tensor(0);
  const QuantParams quant = n.quant_params(1, 2, dtype, x.shape, n.integer("axis", 1));
  if (!quant.per_tensor() && !comes_from_constants(n, n.input(0))) return quantize_in_steps(n, dtype);
  if (x.is_constant()) {
    n.charge(element_count(x.shape));
    n.folded(dtype, x.shape,
             dtype == DType::u8 ? quantize_values<uint8_t>(x, quant) : quantize_values<int8_t>(x, quant));
    return;
  }
  const TensorId y = n.output(dtype, Shape(x.shape), quant);
  n.emit(OpKind::quantize, {n.input(0)}, {y});
}

void dequantize(NodeImport& n) {
  n.expect_inputs(2, 3);
  n.expect_dtype(n.input(0), {DType::u8, DType::s8, DType::s32});
  n.ignore({"axis", "block_size"});
  if (has_computed_parameters(n)) return dequantize_in_steps(n);
  const QuantParams quant = n.quant_params(1, 2, n.input(0), n.integer("axis", 1));
  if (!comes_from_constants(n, n.input(0)) && (!quant.per_tensor() || n.tensor(0).dtype == DType::s32))
    return dequantize_in_steps(n);
  const TensorId x = n.with_quant(n.input(0), quant);
  const TensorId y = n.output(DType::f32, Shape(n.graph.tensor(x).shape));
  n.emit(OpKind::dequantize, {x}, {y});
}

}  // namespace

QuantParams NodeImport::quant_params(size_t scale, size_t zero_point, TensorId of, int64_t axis_value) const {
  const Tensor& t = graph.tensor(of);
  if (has(zero_point) && tensor(zero_point).dtype != t.dtype)
    fail(fmt::format("zero point {} is {}, {} is {}; supported: the same type", in_quotes(tensor(zero_point).name),
                     dtype_name(tensor(zero_point).dtype), in_quotes(t.name), dtype_name(t.dtype)));
  return quant_params(scale, zero_point, t.dtype, t.shape, axis_value);
}

QuantParams NodeImport::quant_params(size_t scale, size_t zero_point, DType dtype, const Shape& shape,
                                     int64_t axis_value) const {
  const Tensor& s = tensor(scale, "scale");
  const auto name = in_quotes(s.name);
  if (!s.is_constant()) fail(fmt::format("scale {} is not constant; supported: constant scales", name));
  if (s.dtype != DType::f32) fail(fmt::format("scale {} has dtype {}; supported: f32", name, dtype_name(s.dtype)));
  QuantParams q{.scale = {s.values<float>().begin(), s.values<float>().end()}};
  for (float v : q.scale)
    if (!(v > 0) || !std::isnormal(v))
      fail(fmt::format("scale {} holds {}; supported: positive normal numbers", name, v));
  if (q.scale.size() != 1) {
    charge(static_cast<int64_t>(q.scale.size() * 2 * sizeof(float)));
    if (s.shape.size() != 1)
      fail(fmt::format("scale {} has shape {}; supported: one scale, or one per channel", name, to_string(s.shape)));
    q.axis = static_cast<int>(axis(axis_value, shape.size()));
    if (shape[static_cast<size_t>(q.axis)] != s.shape[0])
      fail(fmt::format("scale {} has {} values for axis {} of shape {}; supported: one per channel", name, s.shape[0],
                       q.axis, to_string(shape)));
  }
  if (!has(zero_point)) {
    q.zero_point.assign(q.scale.size(), 0);
    return q;
  }
  const Tensor& z = tensor(zero_point);
  if (!z.is_constant())
    fail(fmt::format("zero point {} is not constant; supported: constant zero points", in_quotes(z.name)));
  expect_dtype(input(zero_point), {DType::u8, DType::s8, DType::s32});
  q.zero_point = zero_points(z);
  if (q.zero_point.size() == 1) q.zero_point.resize(q.scale.size(), q.zero_point[0]);
  if (q.zero_point.size() != q.scale.size())
    fail(fmt::format("{} zero points for {} scales", q.zero_point.size(), q.scale.size()));
  for (int32_t v : q.zero_point)
    if (dtype == DType::s32 && v) fail(fmt::format("zero point {} of an s32 tensor; supported: 0", v));
  return q;
}

TensorId NodeImport::with_quant(TensorId id, const QuantParams& quant) {
  Tensor& t = graph.tensor(id);
  if (!t.is_constant()) {
    if (!t.quant) t.quant = quant;
    if (*t.quant == quant) return id;
    fail(fmt::format("input {} is read with scale {} and zero point {}, but has {} and {}; supported: the same",
                     in_quotes(t.name), quant.scale[0], quant.zero_point[0], t.quant->scale[0],
                     t.quant->zero_point[0]));
  }
  // A missed one is only stored twice; looking through all would be quadratic in a hostile file.
  auto [it, end] = state.requantized.equal_range(id);
  for (int k = 0; k < 16 && it != end; ++k, ++it)
    if (graph.tensor(it->second).quant == quant) return it->second;
  Tensor copy = t;
  copy.quant = quant;
  const TensorId made = state.add(std::move(copy));
  state.requantized.emplace(id, made);
  return made;
}

void add_quant_ops(std::unordered_map<std::string, Handler>& table) {
  table["QuantizeLinear"] = table["com.microsoft.QuantizeLinear"] = quantize;
  table["DequantizeLinear"] = table["com.microsoft.DequantizeLinear"] = dequantize;
}

}  // namespace octet::onnx_import

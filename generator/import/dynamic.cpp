// Integers whose scale and zero point are found at run time, and products whose result is the sums themselves.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// q, its scale and its zero point. Without a suffix they are the node's outputs.
struct Quantized {
  TensorId q, scale, zero;
};

Quantized quantize_at_run_time(NodeImport& n, TensorId x, const std::string& suffix) {
  n.expect_dtype(x, {DType::f32});
  const Shape shape = n.graph.tensor(x).shape;
  Quantized r{};
  if (suffix.empty()) {
    r = {n.output(DType::u8, shape, {}, 0), n.output(DType::f32, {}, {}, 1), n.output(DType::u8, {}, {}, 2)};
  } else {
    r = {n.temporary(suffix, DType::u8, shape), n.temporary(suffix + "/scale", DType::f32, {}),
         n.temporary(suffix + "/zero", DType::u8, {})};
  }
  n.emit(OpKind::dynamic_quantize, {x}, {r.q, r.scale, r.zero}).name += suffix;
  return r;
}

void dynamic_quantize(NodeImport& n) {
  n.expect_inputs(1, 1);
  quantize_at_run_time(n, n.input(0), "");
}

TensorId integer_product(NodeImport& n, TensorId a, TensorId b, TensorId a_zero, TensorId b_zero,
                         const std::string& suffix) {
  for (TensorId id : {a, b, a_zero, b_zero})
    if (id != kNoTensor) n.expect_dtype(id, {DType::u8, DType::s8});
  std::vector<TensorId> inputs = {a, b, a_zero, b_zero};
  while (inputs.back() == kNoTensor) inputs.pop_back();
  Shape shape = matmul_shape(n, n.graph.tensor(a).shape, n.graph.tensor(b).shape);
  return n.step(OpKind::integer_matmul, std::move(inputs), suffix, DType::s32, std::move(shape)).outputs[0];
}

TensorId optional_input(const NodeImport& n, size_t i) {
  return n.has(i) ? n.input(i) : kNoTensor;
}

void matmul_integer(NodeImport& n) {
  n.expect_inputs(2, 4);
  integer_product(n, n.input(0), n.input(1), optional_input(n, 2), optional_input(n, 3), "");
}

// RN32(f32(sum) * RN32(scale * scale)) + bias, each step rounded, as ONNX Runtime does.
void scaled_product(NodeImport& n, TensorId sum, TensorId a_scale, TensorId b_scale, TensorId bias) {
  const bool has_bias = bias != kNoTensor;
  const TensorId scale = binary(n, {.op = OpKind::mul}, a_scale, b_scale, "/scales");
  const TensorId real = cast_to(n, sum, DType::f32, "/real");
  const TensorId product = binary(n, {.op = OpKind::mul}, real, scale, has_bias ? "/scaled" : "");
  if (has_bias) binary(n, {.op = OpKind::add}, product, bias);
}

// A, B, B's scale, B's zero point, bias.
void dynamic_quantize_matmul(NodeImport& n) {
  n.expect_inputs(3, 5);
  const Quantized a = quantize_at_run_time(n, n.input(0), "/quantized");
  const TensorId sum = integer_product(n, a.q, n.input(1), a.zero, optional_input(n, 3), "/sum");
  scaled_product(n, sum, a.scale, n.input(2), optional_input(n, 4));
}

// A, B, their scales, their zero points, bias.
void matmul_integer_to_float(NodeImport& n) {
  n.expect_inputs(4, 7);
  const TensorId sum = integer_product(n, n.input(0), n.input(1), optional_input(n, 4), optional_input(n, 5), "/sum");
  scaled_product(n, sum, n.input(2), n.input(3), optional_input(n, 6));
}

}  // namespace

void add_dynamic_ops(std::unordered_map<std::string, Handler>& table) {
  table["DynamicQuantizeLinear"] = dynamic_quantize;
  table["MatMulInteger"] = matmul_integer;
  table["com.microsoft.DynamicQuantizeMatMul"] = dynamic_quantize_matmul;
  table["com.microsoft.MatMulIntegerToFloat"] = matmul_integer_to_float;
}

}  // namespace octet::onnx_import

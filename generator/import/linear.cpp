// Gemm and MatMul become linear where their right side is constant: weights [oc, k], one bias per channel.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// The matrix behind 2-D transposes of dequantized constants; `flips` counts them.
TensorId behind_transposes(const NodeImport& n, TensorId id, int& flips) {
  const Node* source = n.state.producer_of(id);
  // Few: nobody writes more, and a long chain read by every node would take quadratic time.
  for (int k = 0; k < 4 && source && source->op == OpKind::transpose && source->perm == Ints{1, 0}; ++k) {
    id = source->inputs[0];
    source = n.state.producer_of(id);
    ++flips;
  }
  return id;
}

// Weights as [oc, k], or kNoTensor where they are not a constant matrix.
TensorId linear_weights(NodeImport& n, TensorId id, bool is_transposed) {
  int flips = is_transposed ? 0 : 1;
  id = behind_transposes(n, id, flips);
  const Tensor& t = n.graph.tensor(id);
  const bool constant = t.is_constant() && (t.dtype == DType::f32 || t.quant);
  if (t.shape.size() != 2 || !(constant || is_dequantized_constant(n, id))) return kNoTensor;
  if (flips % 2) id = transposed(n, id);
  const Node* source = n.state.producer_of(id);
  const Tensor& w = n.graph.tensor(source ? source->inputs[0] : id);
  if (w.quant && w.quant->axis > 0)
    n.fail(
        fmt::format("weights {} are quantized along their inner dimension; supported: per tensor or per output channel",
                    in_quotes(w.name)));
  return id;
}

// A constant of the same values and shape [count]; single ones are repeated.
TensorId as_row(NodeImport& n, TensorId id, int64_t count) {
  const Tensor t = n.graph.tensor(id);
  if (t.shape == Shape{count}) return id;
  Tensor row = t;
  row.shape = {count};
  if (row.quant && !row.quant->per_tensor()) row.quant->axis = 0;
  if (element_count(t.shape) != count) {
    n.charge(count * 4);
    std::vector<std::byte> bytes;
    for (int64_t i = 0; i < count; ++i) bytes.insert(bytes.end(), t.data->begin(), t.data->end());
    row.data = std::make_shared<const ConstantBytes>(std::move(bytes));
  }
  return n.state.add(std::move(row));
}

// Gemm's C as a bias of shape [oc], or kNoTensor where it is something else.
TensorId linear_bias(NodeImport& n, TensorId id, int64_t oc) {
  const Shape& shape = n.graph.tensor(id).shape;
  const int64_t count = element_count(shape);
  const bool row = (shape.empty() || shape.back() == count) && (count == oc || count == 1);
  if (!row) return kNoTensor;
  if (n.graph.tensor(id).is_constant()) return as_row(n, id, oc);
  if (!is_dequantized_constant(n, id)) return kNoTensor;
  const Node source = *n.state.producer_of(id);
  const Tensor& q = n.graph.tensor(source.inputs[0]);
  if (q.dtype != DType::s32 || count != oc) return kNoTensor;
  if (shape == Shape{oc}) return id;
  const TensorId flat = as_row(n, source.inputs[0], oc);
  const TensorId real = n.state.add({.name = n.graph.tensor(id).name, .shape = {oc}});
  n.state.add(Node{
      .op = OpKind::dequantize, .name = source.name, .source = source.source, .inputs = {flat}, .outputs = {real}});
  return real;
}

Shape linear_shape(const NodeImport& n, TensorId x, TensorId weights) {
  Shape shape = n.graph.tensor(x).shape;
  const Shape& w = n.graph.tensor(weights).shape;
  if (shape.empty() || shape.back() != w[1])
    n.fail(fmt::format("input of shape {} with weights [{}, {}] (outputs, inputs); supported: equal inner dimensions",
                       to_string(shape), w[0], w[1]));
  shape.back() = w[0];
  return shape;
}

// alpha and beta other than 1 go into float constants.
TensorId scaled(NodeImport& n, TensorId id, std::string_view attribute, float factor) {
  if (factor == 1 || id == kNoTensor) return id;
  const Tensor& t = n.graph.tensor(id);
  if (!t.is_constant() || t.dtype != DType::f32)
    n.fail_attribute(attribute, fmt::format("{}", factor), "1, or any factor of an f32 constant");
  n.charge(element_count(t.shape) * 4);
  std::vector<std::byte> data(t.data->size());
  auto* to = reinterpret_cast<float*>(data.data());
  for (float v : t.values<float>()) *to++ = v * factor;
  Tensor product = t;
  product.data = std::make_shared<const ConstantBytes>(std::move(data));
  return n.state.add(std::move(product));
}

TensorId flipped(NodeImport& n, TensorId matrix, const std::string& suffix) {
  const Tensor t = n.graph.tensor(matrix);
  if (t.is_constant()) return transposed(n, matrix);
  Node& node = n.step(OpKind::transpose, {matrix}, suffix, t.dtype, {t.shape[1], t.shape[0]});
  node.perm = {1, 0};
  return node.outputs[0];
}

TensorId times(NodeImport& n, TensorId x, float factor, const std::string& suffix) {
  const auto bytes = std::as_bytes(std::span<const float>(&factor, 1));
  const TensorId f = n.constant_step(suffix + "/factor", DType::f32, {}, {bytes.begin(), bytes.end()});
  return binary(n, {.op = OpKind::mul}, x, f, suffix);
}

// What is no linear with weights and bias, as products and sums.
void general_gemm(NodeImport& n, TensorId a, bool trans_b, float alpha, float beta) {
  const bool adds = n.has(2) && beta != 0;
  const TensorId b = trans_b ? flipped(n, n.input(1), "/B") : n.input(1);
  const Shape shape = matmul_shape(n, n.graph.tensor(a).shape, n.graph.tensor(b).shape);
  TensorId y = n.step(OpKind::matmul, {a, b}, alpha != 1 || adds ? "/product" : "", DType::f32, shape).outputs[0];
  if (alpha != 1) y = times(n, y, alpha, adds ? "/alpha" : "");
  if (!adds) return;
  if (broadcast(shape, n.tensor(2).shape) != shape)
    n.fail(
        fmt::format("C of shape {}; supported: what broadcasts to {}", to_string(n.tensor(2).shape), to_string(shape)));
  binary(n, {.op = OpKind::add}, y, beta == 1 ? n.input(2) : times(n, n.input(2), beta, "/beta"));
}

void gemm(NodeImport& n) {
  n.expect_inputs(2, 3);
  for (size_t i = 0; i < n.input_count(); ++i)
    if (n.has(i)) n.expect_dtype(n.input(i), {DType::f32});
  const bool trans_a = n.integer("transA", 0) != 0, trans_b = n.integer("transB", 0) != 0;
  const float alpha = n.real("alpha", 1), beta = n.real("beta", 1);
  n.expect_rank(n.input(0), 2, 2);
  n.expect_rank(n.input(1, "weights"), 2, 2);
  const TensorId a = trans_a ? flipped(n, n.input(0), "/A") : n.input(0);
  const auto takes = [&n](TensorId id, float factor) { return factor == 1 || n.graph.tensor(id).is_constant(); };
  const bool folds = takes(n.input(1), alpha) && (!n.has(2) || takes(n.input(2), beta));
  const TensorId w = folds ? linear_weights(n, scaled(n, n.input(1), "alpha", alpha), trans_b) : kNoTensor;
  if (w == kNoTensor) return general_gemm(n, a, trans_b, alpha, beta);
  Shape shape = linear_shape(n, a, w);
  const TensorId c = scaled(n, n.has(2) ? n.input(2) : kNoTensor, "beta", beta);
  const TensorId bias = c == kNoTensor ? kNoTensor : linear_bias(n, c, shape[1]);
  if (c == kNoTensor || bias != kNoTensor) return emit_linear(n, a, w, bias, n.output(DType::f32, std::move(shape)));
  if (broadcast(shape, n.graph.tensor(c).shape) != shape)
    n.fail(fmt::format("C of shape {}; supported: what broadcasts to {}", to_string(n.graph.tensor(c).shape),
                       to_string(shape)));
  const TensorId product = n.temporary("/product", DType::f32, shape);
  emit_linear(n, a, w, kNoTensor, product);
  const TensorId y = n.output(DType::f32, std::move(shape));
  n.emit(OpKind::add, {product, c}, {y}).name += "/add";
}

void matmul(NodeImport& n) {
  n.expect_inputs(2, 2);
  const TensorId a = n.input(0), b = n.input(1);
  n.expect_dtype(a, {DType::f32});
  n.expect_dtype(b, {DType::f32});
  if (const TensorId w = linear_weights(n, b, false); w != kNoTensor)
    return emit_linear(n, a, w, kNoTensor, n.output(DType::f32, linear_shape(n, a, w)));
  const TensorId y = n.output(DType::f32, matmul_shape(n, n.graph.tensor(a).shape, n.graph.tensor(b).shape));
  n.emit(OpKind::matmul, {a, b}, {y});
}

// Both sides and the result of QLinearMatMul: a, a_scale, a_zero_point, b, ...
void qlinear_matmul(NodeImport& n) {
  n.expect_inputs(8, 8);
  for (size_t i : {0, 3, 7}) n.expect_dtype(n.input(i), {DType::u8, DType::s8});
  const TensorId a = n.with_quant(n.input(0), n.quant_params(1, 2, n.input(0), -1));
  const TensorId b = n.with_quant(n.input(3), n.quant_params(4, 5, n.input(3), -1));
  if (!n.graph.tensor(a).quant->per_tensor()) n.fail("left side quantized per row; supported: per tensor");
  const DType dtype = n.tensor(7).dtype;
  QuantParams quant = n.quant_params(6, 7, dtype, {}, 0);
  if (const TensorId w = linear_weights(n, b, false); w != kNoTensor)
    return emit_linear(n, a, w, kNoTensor, n.output(dtype, linear_shape(n, a, w), std::move(quant)));
  const TensorId y =
      n.output(dtype, matmul_shape(n, n.graph.tensor(a).shape, n.graph.tensor(b).shape), std::move(quant));
  n.emit(OpKind::matmul, {a, b}, {y});
}

// Without an output scale the result is float: the QDQ form of the same.
void float_qgemm(NodeImport& n, TensorId a, TensorId w, TensorId bias) {
  const auto real = [&n](TensorId q, const char* suffix) {
    const TensorId id = n.temporary(suffix, DType::f32, n.graph.tensor(q).shape);
    n.emit(OpKind::dequantize, {q}, {id}).name += suffix;
    return id;
  };
  if (bias != kNoTensor) {
    const QuantParams& wq = *n.graph.tensor(w).quant;
    QuantParams grid{.zero_point = std::vector<int32_t>(wq.scale.size(), 0), .axis = wq.axis};
    for (float s : wq.scale) grid.scale.push_back(n.graph.tensor(a).quant->scale[0] * s);
    for (float s : grid.scale)
      if (!std::isnormal(s)) n.fail(fmt::format("bias scale {} (input times weights); supported: normal numbers", s));
    bias = real(n.with_quant(bias, grid), "/bias");
  }
  const TensorId x = real(a, "/input"), weights = real(w, "/weights");
  emit_linear(n, x, weights, bias, n.output(DType::f32, linear_shape(n, x, weights)));
}

// A, a_scale, a_zero_point, B, b_scale, b_zero_point, [C], [y_scale], [y_zero_point]
void qgemm(NodeImport& n) {
  n.expect_inputs(6, 9);
  for (size_t i : {0, 3}) n.expect_dtype(n.input(i), {DType::u8, DType::s8});
  if (const int64_t trans = n.integer("transA", 0)) n.fail_attribute("transA", fmt::format("{}", trans), "0");
  if (const float alpha = n.real("alpha", 1); alpha != 1) n.fail_attribute("alpha", fmt::format("{}", alpha), "1");
  const bool trans_b = n.integer("transB", 0) != 0;
  n.expect_rank(n.input(0), 2, 2);
  const TensorId a = n.with_quant(n.input(0), n.quant_params(1, 2, n.input(0), 1));
  const TensorId b = n.with_quant(n.input(3), n.quant_params(4, 5, n.input(3), trans_b ? 0 : 1));
  if (!n.graph.tensor(a).quant->per_tensor()) n.fail("left side quantized per row; supported: per tensor");
  const TensorId w = linear_weights(n, b, trans_b);
  if (w == kNoTensor) n.fail(fmt::format("weights {} are not a constant matrix", in_quotes(n.tensor(3).name)));
  TensorId bias = kNoTensor;
  if (n.has(6)) {
    n.expect_dtype(n.input(6), {DType::s32});
    bias = linear_bias(n, n.input(6), n.graph.tensor(w).shape[0]);
    if (bias == kNoTensor || !n.is_constant(6))
      n.fail(fmt::format("C ({} of shape {}) is not a constant with one value per output", in_quotes(n.tensor(6).name),
                         to_string(n.tensor(6).shape)));
  }
  if (!n.has(7)) return float_qgemm(n, a, w, bias);
  n.expect_dtype(n.input(8, "output zero point"), {DType::u8, DType::s8});
  const DType dtype = n.tensor(8).dtype;
  QuantParams quant = n.quant_params(7, 8, dtype, {}, 0);
  emit_linear(n, a, w, bias, n.output(dtype, linear_shape(n, a, w), std::move(quant)));
}

}  // namespace

Shape matmul_shape(const NodeImport& n, const Shape& a, const Shape& b) {
  const auto refuse = [&] {
    n.fail(fmt::format("shapes {} and {}; supported: matrices (or stacks of them) with equal inner dimensions",
                       to_string(a), to_string(b)));
  };
  if (a.size() < 2 || b.size() < 2 || a.back() != b[b.size() - 2]) refuse();
  const auto stack = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!stack) refuse();
  Shape shape = *stack;
  shape.push_back(a[a.size() - 2]);
  shape.push_back(b.back());
  return shape;
}

void check_weights(const NodeImport& n, TensorId id) {
  if (n.graph.tensor(id).is_constant()) return;
  if (!is_dequantized_constant(n, id))
    n.fail(fmt::format("weights {} are not constant; supported: constants, f32 or dequantized",
                       in_quotes(n.graph.tensor(id).name)));
  const Tensor& q = n.graph.tensor(n.state.producer_of(id)->inputs[0]);
  if (q.quant->axis > 0)
    n.fail(fmt::format("weights {} are quantized along axis {}; supported: per tensor or along axis 0",
                       in_quotes(q.name), q.quant->axis));
}

void emit_linear(NodeImport& n, TensorId x, TensorId weights, TensorId bias, TensorId output) {
  std::vector<TensorId> inputs = {x, weights};
  if (bias != kNoTensor) inputs.push_back(bias);
  n.emit(OpKind::linear, std::move(inputs), {output});
}

void add_linear_ops(std::unordered_map<std::string, Handler>& table) {
  table["Gemm"] = gemm;
  table["MatMul"] = matmul;
  table["QLinearMatMul"] = qlinear_matmul;
  table["com.microsoft.QGemm"] = qgemm;
}

}  // namespace octet::onnx_import

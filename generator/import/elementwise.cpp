// Unary and binary ops, batch normalization, softmax.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

Node& emit_unary(NodeImport& n, Unary function) {
  n.expect_dtype(n.input(0), {DType::f32});
  const TensorId y = n.output(DType::f32, Shape(n.tensor(0).shape));
  Node& node = n.emit(OpKind::unary, {n.input(0)}, {y});
  node.function = function;
  return node;
}

template <Unary function>
void plain(NodeImport& n) {
  n.expect_inputs(1, 1);
  emit_unary(n, function);
}

// alpha, and beta for those that have one.
template <Unary function>
void with_alpha(NodeImport& n) {
  n.expect_inputs(1, 1);
  constexpr bool kHard = function == Unary::hard_sigmoid;
  const float alpha = n.real("alpha", kHard ? 0.2F : function == Unary::elu ? 1.0F : 0.01F);
  const float beta = kHard ? n.real("beta", 0.5F) : 0;
  Node& node = emit_unary(n, function);
  node.alpha = alpha;
  node.beta = beta;
}

void gelu(NodeImport& n) {
  n.expect_inputs(1, 1);
  if (const std::string mode = n.text("approximate", "none"); mode != "none")
    n.fail_attribute("approximate", in_quotes(mode), "none");
  emit_unary(n, Unary::gelu);
}

// Relu and Clip between integers compare quantized values: a range, not a function of real ones.
void emit_range(NodeImport& n, QRange range) {
  const Tensor t = n.tensor(0);
  if (t.is_constant()) {
    std::vector<std::byte> bytes(t.data->begin(), t.data->end());
    n.charge(static_cast<int64_t>(bytes.size()));
    for (std::byte& b : bytes) {
      const int32_t v = t.dtype == DType::u8 ? static_cast<uint8_t>(b) : static_cast<int8_t>(b);
      b = static_cast<std::byte>(std::min(std::max(v, range.lo), range.hi));
    }
    return n.folded(t.dtype, t.shape, std::move(bytes));
  }
  const TensorId y = n.output(t.dtype, t.shape, t.quant);
  n.emit(OpKind::identity, {n.input(0)}, {y}).range = range;
}

void relu(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32, DType::s8});
  if (n.tensor(0).dtype == DType::s8) return emit_range(n, {.lo = 0, .hi = 127});
  emit_unary(n, Unary::relu);
}

void clip_integers(NodeImport& n) {
  const DType dtype = n.tensor(0).dtype;
  const auto bound = [&](size_t i, int32_t otherwise) {
    if (!n.has(i)) return otherwise;
    const Tensor& t = n.tensor(i);
    if (!t.is_constant() || t.dtype != dtype || t.data->size() != 1)
      n.fail(fmt::format("bound {} is not one constant {}", in_quotes(t.name), dtype_name(dtype)));
    return dtype == DType::u8 ? int32_t{t.values<uint8_t>()[0]} : int32_t{t.values<int8_t>()[0]};
  };
  const QRange range{bound(1, dtype == DType::u8 ? 0 : -128), bound(2, dtype == DType::u8 ? 255 : 127)};
  if (range.lo > range.hi) n.fail(fmt::format("min {} is above max {}", range.lo, range.hi));
  emit_range(n, range);
}

void clip(NodeImport& n) {
  n.expect_inputs(1, 3);
  n.expect_dtype(n.input(0), {DType::f32, DType::u8, DType::s8});
  if (n.tensor(0).dtype != DType::f32) return clip_integers(n);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const bool attributes = n.opset < 11;
  const float lo = attributes ? n.real("min", -kInfinity) : n.has(1) ? n.real_in(1, "min") : -kInfinity;
  const float hi = attributes ? n.real("max", kInfinity) : n.has(2) ? n.real_in(2, "max") : kInfinity;
  if (!(lo <= hi)) n.fail(fmt::format("min {} and max {}; supported: min up to max", lo, hi));
  Node& node = emit_unary(n, Unary::clip);
  node.alpha = lo;
  node.beta = hi;
}

template <OpKind op>
void binary(NodeImport& n) {
  if (fold_binary(n)) return;
  const TensorId a = n.input(0), b = n.input(1);
  n.expect_dtype(a, {DType::f32});
  n.expect_dtype(b, {DType::f32});
  const auto shape = broadcast(n.tensor(0).shape, n.tensor(1).shape);
  if (!shape)
    n.fail(
        fmt::format("shapes {} and {} do not broadcast", to_string(n.tensor(0).shape), to_string(n.tensor(1).shape)));
  n.emit(op, {a, b}, {n.output(DType::f32, *shape)});
}

// A parameter vector, dequantized here where the file quantizes it (RN32(f32(q - z) * s), as ONNX Runtime does).
TensorId parameter(NodeImport& n, size_t i, int64_t channels) {
  const TensorId id = n.input(i, "parameters");
  n.expect_dtype(id, {DType::f32});
  const Tensor& t = n.graph.tensor(id);
  const Node* source = n.state.producer_of(id);
  const bool quantized = source && source->op == OpKind::dequantize && n.graph.tensor(source->inputs[0]).is_constant();
  if (!(t.is_constant() || quantized) || t.shape != Shape{channels})
    n.fail(fmt::format("input {} is {}constant, of shape {}; supported: constants with one value per channel",
                       in_quotes(t.name), t.is_constant() || quantized ? "" : "not ", to_string(t.shape)));
  if (!quantized) return id;
  const Tensor& q = n.graph.tensor(source->inputs[0]);
  std::vector<float> values;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const int64_t v = q.dtype == DType::u8   ? int64_t{q.values<uint8_t>()[c]}
                      : q.dtype == DType::s8 ? int64_t{q.values<int8_t>()[c]}
                                             : int64_t{q.values<int32_t>()[c]};
    const size_t k = q.quant->per_tensor() ? 0 : c;
    values.push_back(static_cast<float>(v - q.quant->zero_point[k]) * q.quant->scale[k]);
  }
  n.charge(channels * 4);
  const std::string name = t.name;
  const auto bytes = std::as_bytes(std::span<const float>(values));
  return n.state.add(
      {.name = name,
       .shape = {channels},
       .data = std::make_shared<const ConstantBytes>(std::vector<std::byte>(bytes.begin(), bytes.end()))});
}

void batch_norm(NodeImport& n) {
  n.expect_inputs(5, 5);
  n.ignore({"momentum"});
  if (n.integer("training_mode", 0)) n.fail_attribute("training_mode", "1", "0");
  const float epsilon = n.real("epsilon", 1e-5F);
  const TensorId x = n.input(0);
  n.expect_dtype(x, {DType::f32});
  n.expect_rank(x, 2, 4);
  const Shape shape = n.tensor(0).shape;
  std::vector<TensorId> inputs = {x};
  for (size_t i = 1; i < 5; ++i) inputs.push_back(parameter(n, i, shape[1]));
  const TensorId y = n.output(DType::f32, shape);
  n.emit(OpKind::batch_norm, std::move(inputs), {y}).alpha = epsilon;
}

}  // namespace

// Below opset 13 everything from `axis` on is one row. That is one axis if the others are 1; else a 2-D detour.
void emit_softmax(NodeImport& n, TensorId x, int64_t axis_value, int64_t softmax_opset,
                  std::optional<QuantParams> quant) {
  const Tensor t = n.graph.tensor(x);
  int64_t axis = n.axis(axis_value, t.shape.size());
  const auto tail = t.shape.begin() + axis;
  const auto wide = [](int64_t d) { return d != 1; };
  const bool rows = softmax_opset < 13 && std::count_if(tail, t.shape.end(), wide) > 1;
  if (softmax_opset < 13 && !rows)
    if (const auto at = std::find_if(tail, t.shape.end(), wide); at != t.shape.end()) axis = at - t.shape.begin();
  if (!rows) {
    const TensorId y = n.output(t.dtype, t.shape, std::move(quant));
    n.emit(OpKind::softmax, {x}, {y}).axis = static_cast<int>(axis);
    return;
  }
  const Shape flat = {element_count(Shape(t.shape.begin(), tail)), element_count(Shape(tail, t.shape.end()))};
  const TensorId before = n.temporary("/rows", t.dtype, flat, t.quant),
                 after = n.temporary("/softmax", t.dtype, flat, quant);
  n.emit(OpKind::reshape, {x}, {before}).name += "/rows";
  n.emit(OpKind::softmax, {before}, {after}).axis = 1;
  const TensorId y = n.output(t.dtype, t.shape, std::move(quant));
  n.emit(OpKind::reshape, {after}, {y}).name += "/reshape";
}

namespace {

void softmax(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32});
  emit_softmax(n, n.input(0), n.integer("axis", n.opset < 13 ? 1 : -1), n.opset, {});
}

}  // namespace

void add_elementwise_ops(std::unordered_map<std::string, Handler>& table) {
  table["Relu"] = relu;
  table["Clip"] = clip;
  table["Sigmoid"] = plain<Unary::sigmoid>;
  table["Tanh"] = plain<Unary::tanh>;
  table["HardSwish"] = plain<Unary::hard_swish>;
  table["Exp"] = plain<Unary::exp>;
  table["Sqrt"] = plain<Unary::sqrt>;
  table["Neg"] = plain<Unary::neg>;
  table["Abs"] = plain<Unary::abs>;
  table["Erf"] = plain<Unary::erf>;
  table["Softplus"] = plain<Unary::softplus>;
  table["Reciprocal"] = plain<Unary::reciprocal>;
  table["Log"] = plain<Unary::log>;
  table["HardSigmoid"] = with_alpha<Unary::hard_sigmoid>;
  table["LeakyRelu"] = with_alpha<Unary::leaky_relu>;
  table["Elu"] = with_alpha<Unary::elu>;
  table["Gelu"] = table["com.microsoft.Gelu"] = gelu;
  table["Add"] = binary<OpKind::add>;
  table["Sub"] = binary<OpKind::sub>;
  table["Mul"] = binary<OpKind::mul>;
  table["Div"] = binary<OpKind::div>;
  table["BatchNormalization"] = batch_norm;
  table["Softmax"] = softmax;
}

}  // namespace octet::onnx_import

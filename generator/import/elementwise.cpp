// Functions of one tensor.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

TensorId scalar(NodeImport& n, float value, const std::string& suffix) {
  const auto bytes = std::as_bytes(std::span<const float>(&value, 1));
  return n.constant_step(suffix, DType::f32, {}, {bytes.begin(), bytes.end()});
}

Node& emit_unary(NodeImport& n, Unary function) {
  n.expect_dtype(n.input(0), {DType::f32});
  Node& node = n.step(OpKind::unary, {n.input(0)}, "", DType::f32, Shape(n.tensor(0).shape));
  node.function = function;
  return node;
}

// What the computing of shapes needs; everything else stays a node.
std::optional<float> folded(Unary function, float x) {
  switch (function) {
    case Unary::neg: return -x;
    case Unary::abs: return std::fabs(x);
    case Unary::floor: return std::floor(x);
    case Unary::ceil: return std::ceil(x);
    case Unary::round: return std::nearbyint(x);
    case Unary::sqrt: return std::sqrt(x);
    case Unary::reciprocal: return 1.0F / x;
    case Unary::square: return x * x;
    case Unary::sign: return static_cast<float>((x > 0) - (x < 0));
    default: return {};
  }
}

bool fold_reals(NodeImport& n, Unary function, TensorId id, const std::string& suffix, TensorId& result) {
  const Tensor t = n.graph.tensor(id);
  if (!t.is_constant() || !folded(function, 1)) return false;
  n.charge(byte_count(t.shape, t.dtype));
  std::vector<float> values;
  for (float x : t.values<float>()) values.push_back(*folded(function, x));
  const auto bytes = std::as_bytes(std::span<const float>(values));
  result = n.constant_step(suffix, t.dtype, t.shape, {bytes.begin(), bytes.end()});
  return true;
}

template <Unary function>
void plain(NodeImport& n) {
  n.expect_inputs(1, 1);
  unary(n, function, n.input(0), "");
}

// Neg and Abs of integers: 0 - x, and the greater of both.
template <Unary function>
void signed_plain(NodeImport& n) {
  n.expect_inputs(1, 1);
  const TensorId x = n.input(0);
  const DType dtype = n.tensor(0).dtype;
  if (dtype == DType::f32) return plain<function>(n);
  n.expect_dtype(x, {DType::f32, DType::s8, DType::s32, DType::s64});
  const TensorId zero = n.constant_step("/zero", dtype, {}, std::vector<std::byte>(dtype_bytes(dtype)));
  const bool negates = function == Unary::neg;
  const TensorId minus = binary(n, {.op = OpKind::sub}, zero, x, negates ? "" : "/minus");
  if (!negates) binary(n, {.op = OpKind::maximum}, x, minus);
}

void logical_not(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::boolean});
  const Tensor t = n.tensor(0);
  if (!t.is_constant()) {
    n.step(OpKind::unary, {n.input(0)}, "", t.dtype, t.shape).function = Unary::logical_not;
    return;
  }
  std::vector<std::byte> bytes(t.data->begin(), t.data->end());
  n.charge(static_cast<int64_t>(bytes.size()));
  for (std::byte& b : bytes) b = b == std::byte{} ? std::byte{1} : std::byte{};
  n.folded(t.dtype, t.shape, std::move(bytes));
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

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), step by step.
void gelu_by_tanh(NodeImport& n) {
  const TensorId x = n.input(0);
  const auto times = [&](TensorId a, TensorId b, const std::string& suffix) {
    return binary(n, {.op = OpKind::mul}, a, b, suffix);
  };
  const TensorId cube = times(times(x, x, "/square"), x, "/cube");
  const TensorId bent = times(cube, scalar(n, 0.044715F, "/bend"), "/bent");
  const TensorId inner = binary(n, {.op = OpKind::add}, x, bent, "/sum");
  const TensorId tanh = unary(n, Unary::tanh, times(inner, scalar(n, 0.797884583F, "/rate"), "/inner"), "/tanh");
  const TensorId gate = binary(n, {.op = OpKind::add}, tanh, scalar(n, 1, "/one"), "/gate");
  times(times(x, scalar(n, 0.5F, "/half"), "/halved"), gate, "");
}

void gelu(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32});
  const std::string mode = n.text("approximate", "none");
  if (mode == "tanh") return gelu_by_tanh(n);
  if (mode != "none") n.fail_attribute("approximate", in_quotes(mode), "none, tanh");
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

// The greater or lesser of x and an input of one element; x itself where the input is absent.
TensorId bounded(NodeImport& n, TensorId x, size_t i, OpKind op, const std::string& suffix) {
  if (!n.has(i)) return x;
  if (element_count(n.tensor(i).shape) != 1)
    n.fail(fmt::format("bound {} has shape {}; supported: one element", in_quotes(n.tensor(i).name),
                       to_string(n.tensor(i).shape)));
  return binary(n, {.op = op}, x, n.input(i), suffix);
}

void relu(NodeImport& n) {
  n.expect_inputs(1, 1);
  const DType dtype = n.tensor(0).dtype;
  n.expect_dtype(n.input(0), {DType::f32, DType::s8, DType::s32, DType::s64});
  if (dtype == DType::f32) return plain<Unary::relu>(n);
  if (dtype == DType::s8) return emit_range(n, {.lo = 0, .hi = 127});
  const TensorId zero = n.constant_step("/zero", dtype, {}, std::vector<std::byte>(dtype_bytes(dtype)));
  binary(n, {.op = OpKind::maximum}, n.input(0), zero);
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

// Bounds that are known make one function.
void clip_reals(NodeImport& n) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const bool attributes = n.opset < 11;
  const float lo = attributes ? n.real("min", -kInfinity) : n.has(1) ? n.real_in(1, "min") : -kInfinity;
  const float hi = attributes ? n.real("max", kInfinity) : n.has(2) ? n.real_in(2, "max") : kInfinity;
  if (!(lo <= hi)) n.fail(fmt::format("min {} and max {}; supported: min up to max", lo, hi));
  Node& node = emit_unary(n, Unary::clip);
  node.alpha = lo;
  node.beta = hi;
}

void clip(NodeImport& n) {
  n.expect_inputs(1, 3);
  const DType dtype = n.tensor(0).dtype;
  const auto known = [&n](size_t i) { return !n.has(i) || n.is_constant(i); };
  if (dtype == DType::f32 && known(1) && known(2)) return clip_reals(n);
  if ((dtype == DType::u8 || dtype == DType::s8) && known(1) && known(2)) return clip_integers(n);
  if (!n.has(1) && !n.has(2)) return n.alias(n.input(0));
  const TensorId above = bounded(n, n.input(0), 1, OpKind::maximum, n.has(2) ? "/above" : "");
  bounded(n, above, 2, OpKind::minimum, "");
}

}  // namespace

TensorId unary(NodeImport& n, Unary function, TensorId x, const std::string& suffix) {
  n.expect_dtype(x, {DType::f32});
  if (TensorId constant = kNoTensor; fold_reals(n, function, x, suffix, constant)) return constant;
  Node& node = n.step(OpKind::unary, {x}, suffix, DType::f32, Shape(n.graph.tensor(x).shape));
  node.function = function;
  return node.outputs[0];
}

void add_elementwise_ops(std::unordered_map<std::string, Handler>& table) {
  table["Relu"] = relu;
  table["Clip"] = clip;
  table["Sigmoid"] = plain<Unary::sigmoid>;
  table["Tanh"] = plain<Unary::tanh>;
  table["HardSwish"] = plain<Unary::hard_swish>;
  table["Exp"] = plain<Unary::exp>;
  table["Sqrt"] = plain<Unary::sqrt>;
  table["Neg"] = signed_plain<Unary::neg>;
  table["Abs"] = signed_plain<Unary::abs>;
  table["Floor"] = plain<Unary::floor>;
  table["Ceil"] = plain<Unary::ceil>;
  table["Round"] = plain<Unary::round>;
  table["Sign"] = plain<Unary::sign>;
  table["Sin"] = plain<Unary::sin>;
  table["Cos"] = plain<Unary::cos>;
  table["Not"] = logical_not;
  table["Erf"] = plain<Unary::erf>;
  table["Softplus"] = plain<Unary::softplus>;
  table["Reciprocal"] = plain<Unary::reciprocal>;
  table["Log"] = plain<Unary::log>;
  table["HardSigmoid"] = with_alpha<Unary::hard_sigmoid>;
  table["LeakyRelu"] = with_alpha<Unary::leaky_relu>;
  table["Elu"] = with_alpha<Unary::elu>;
  table["Gelu"] = table["com.microsoft.Gelu"] = gelu;
}

}  // namespace octet::onnx_import

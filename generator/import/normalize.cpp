// Normalisations: by stored statistics, over a layer, an image or groups of channels; softmax.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// A constant's values in f32, dequantized here where the file quantizes it (RN32(f32(q - z) * s), as ONNX Runtime
// does).
std::vector<float> real_values(const NodeImport& n, TensorId id) {
  const Tensor& t = n.graph.tensor(id);
  if (t.is_constant()) return {t.values<float>().begin(), t.values<float>().end()};
  const Tensor& q = n.graph.tensor(n.state.producer_of(id)->inputs[0]);
  std::vector<float> values;
  for (size_t c = 0; c < static_cast<size_t>(element_count(q.shape)); ++c) {
    const int64_t v = q.dtype == DType::u8   ? int64_t{q.values<uint8_t>()[c]}
                      : q.dtype == DType::s8 ? int64_t{q.values<int8_t>()[c]}
                                             : int64_t{q.values<int32_t>()[c]};
    const size_t k = q.quant->per_tensor() ? 0 : c;
    values.push_back(static_cast<float>(v - q.quant->zero_point[k]) * q.quant->scale[k]);
  }
  return values;
}

TensorId real_constant(NodeImport& n, const std::string& name, Shape shape, const std::vector<float>& values) {
  n.charge(static_cast<int64_t>(values.size() * sizeof(float)));
  const auto bytes = std::as_bytes(std::span<const float>(values));
  return n.state.add(
      {.name = name,
       .shape = std::move(shape),
       .data = std::make_shared<const ConstantBytes>(std::vector<std::byte>(bytes.begin(), bytes.end()))});
}

}  // namespace

TensorId channel_vector(NodeImport& n, size_t i, int64_t channels) {
  const TensorId id = n.input(i, "parameters");
  n.expect_dtype(id, {DType::f32});
  const Tensor t = n.graph.tensor(id);
  const bool constant = t.is_constant() || is_dequantized_constant(n, id);
  if (!constant || t.shape != Shape{channels})
    n.fail(fmt::format("input {} is {}constant, of shape {}; supported: constants with one value per channel",
                       in_quotes(t.name), constant ? "" : "not ", to_string(t.shape)));
  return t.is_constant() ? id : real_constant(n, t.name, {channels}, real_values(n, id));
}

namespace {

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
  for (size_t i = 1; i < 5; ++i) inputs.push_back(channel_vector(n, i, shape[1]));
  const TensorId y = n.output(DType::f32, shape);
  n.emit(OpKind::batch_norm, std::move(inputs), {y}).alpha = epsilon;
}

// Mean and 1 / sqrt(variance + epsilon) of every row, where the file reads them: outputs 1 and 2.
void layer_moments(NodeImport& n, TensorId x, int64_t axis, float epsilon) {
  const auto is_read = [&n](size_t i) { return n.file.outputs.size() > i && n.state.read.count(n.file.outputs[i]); };
  const bool mean_read = is_read(1), scale_read = is_read(2);
  if (!mean_read && !scale_read) return;
  Shape kept = n.graph.tensor(x).shape;
  std::fill(kept.begin() + axis, kept.end(), 1);
  const auto mean_of = [&](TensorId of, TensorId to) {
    Node& node = n.emit(OpKind::reduce, {of}, {to});
    node.reduction = Reduction::mean;
    for (auto d = axis; d < static_cast<int64_t>(kept.size()); ++d) node.axes.push_back(d);
    return to;
  };
  const TensorId mean =
      mean_of(x, mean_read ? n.output(DType::f32, kept, {}, 1) : n.temporary("/mean", DType::f32, kept));
  if (!scale_read) return;
  const TensorId distance = binary(n, {.op = OpKind::sub}, x, mean, "/distance");
  const TensorId square = unary(n, Unary::square, distance, "/square");
  const TensorId variance = mean_of(square, n.temporary("/variance", DType::f32, kept));
  const TensorId sum = binary(n, {.op = OpKind::add}, variance, real_constant(n, "epsilon", {}, {epsilon}), "/sum");
  n.emit(OpKind::unary, {sum}, {n.output(DType::f32, kept, {}, 2)}).function = Unary::rsqrt;
}

void layer_norm(NodeImport& n) {
  n.expect_inputs(2, 3);
  n.ignore({"stash_type"});  // sums are f32 at least
  const TensorId x = n.input(0);
  n.expect_dtype(x, {DType::f32});
  const Shape shape = n.tensor(0).shape;
  const int64_t axis = n.axis(n.integer("axis", -1), shape.size());
  const float epsilon = n.real("epsilon", 1e-5F);
  const Shape row(shape.begin() + axis, shape.end());
  std::vector<TensorId> inputs = {x};
  for (size_t i = 1; i < n.input_count(); ++i) {
    if (!n.has(i)) continue;
    n.expect_dtype(n.input(i), {DType::f32});
    if (n.tensor(i).shape != row)
      n.fail(fmt::format("input {} has shape {}; supported: {}, that of what is normalized",
                         in_quotes(n.tensor(i).name), to_string(n.tensor(i).shape), to_string(row)));
    inputs.push_back(n.input(i));
  }
  Node& node = n.step(OpKind::layer_norm, std::move(inputs), "", DType::f32, shape);
  node.axis = static_cast<int>(axis);
  node.alpha = epsilon;
  layer_moments(n, x, axis, epsilon);
}

void instance_norm(NodeImport& n) {
  n.expect_inputs(3, 3);
  const TensorId x = n.input(0);
  n.expect_dtype(x, {DType::f32});
  n.expect_rank(x, 3, importing::kMostRank);
  const Shape shape = n.tensor(0).shape;
  const float epsilon = n.real("epsilon", 1e-5F);
  const TensorId gamma = channel_vector(n, 1, shape[1]), beta = channel_vector(n, 2, shape[1]);
  n.step(OpKind::instance_norm, {x, gamma, beta}, "", DType::f32, shape).alpha = epsilon;
}

// Below opset 21 gamma and beta have one value per group.
void group_norm(NodeImport& n) {
  n.expect_inputs(3, 3);
  n.ignore({"stash_type"});
  const TensorId x = n.input(0);
  n.expect_dtype(x, {DType::f32});
  n.expect_rank(x, 2, importing::kMostRank);
  const Shape shape = n.tensor(0).shape;
  const float epsilon = n.real("epsilon", 1e-5F);
  const int64_t groups = n.integer("num_groups", 0);
  if (groups < 1 || shape[1] % groups)
    n.fail_attribute("num_groups", fmt::format("{} for {}", groups, to_string(shape)), "divisors of the channels");
  std::vector<TensorId> inputs = {x};
  for (size_t i = 1; i < 3; ++i) {
    TensorId id = channel_vector(n, i, n.opset < 21 ? groups : shape[1]);
    if (n.opset < 21) {
      const std::vector<float> values = real_values(n, id);
      std::vector<float> repeated;
      for (float v : values) repeated.insert(repeated.end(), static_cast<size_t>(shape[1] / groups), v);
      id = real_constant(n, n.tensor(i).name + "/channels", {shape[1]}, repeated);
    }
    inputs.push_back(id);
  }
  Node& node = n.step(OpKind::group_norm, std::move(inputs), "", DType::f32, shape);
  node.group = groups;
  node.alpha = epsilon;
}

}  // namespace

// Below opset 13 everything from `axis` on is one row. That is one axis if the others are 1; else a 2-D detour.
void emit_softmax(NodeImport& n, OpKind op, TensorId x, int64_t axis_value, int64_t softmax_opset,
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
    n.emit(op, {x}, {y}).axis = static_cast<int>(axis);
    return;
  }
  const Shape flat = {element_count(Shape(t.shape.begin(), tail)), element_count(Shape(tail, t.shape.end()))};
  const TensorId before = n.temporary("/rows", t.dtype, flat, t.quant),
                 after = n.temporary("/softmax", t.dtype, flat, quant);
  n.emit(OpKind::reshape, {x}, {before}).name += "/rows";
  n.emit(op, {before}, {after}).axis = 1;
  const TensorId y = n.output(t.dtype, t.shape, std::move(quant));
  n.emit(OpKind::reshape, {after}, {y}).name += "/reshape";
}

namespace {

template <OpKind op>
void softmax(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32});
  emit_softmax(n, op, n.input(0), n.integer("axis", n.opset < 13 ? 1 : -1), n.opset, {});
}

}  // namespace

void add_normalize_ops(std::unordered_map<std::string, Handler>& table) {
  table["BatchNormalization"] = batch_norm;
  table["LayerNormalization"] = layer_norm;
  table["InstanceNormalization"] = instance_norm;
  table["GroupNormalization"] = group_norm;
  table["Softmax"] = softmax<OpKind::softmax>;
  table["LogSoftmax"] = softmax<OpKind::log_softmax>;
}

}  // namespace octet::onnx_import

// Ops that only move or repeat values.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/tflite_importer.h"

namespace octet::tflite_import {
namespace {

void reshape_to(NodeImport& n, Shape shape) {
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  const Tensor t = n.graph.tensor(x);
  n.check_shape(shape, t.dtype);
  if (element_count(shape) != element_count(t.shape))
    n.fail(fmt::format("from {} to {}: the numbers of elements differ", to_string(t.shape), to_string(shape)));
  if (t.is_constant() && !t.quant) return n.folded(t.dtype, std::move(shape), t.data);
  n.emit(n.node(OpKind::reshape, {x}), n.output_like(x, std::move(shape)));
}

// The second input counts where there is one, else the option; one dimension may be -1.
void reshape(NodeImport& n) {
  n.expect_inputs(1, 2);
  const auto option = n.integers("new_shape");
  if (!n.has(1) && !option) n.fail("no new shape");
  Shape to = n.has(1) ? n.integers_in(1, "new shape") : *option;
  if (!n.has(1) && to == Shape{0}) to.clear();  // how old files say that the result is one number
  const std::string target = fmt::format("[{}]", fmt::join(to, ", ")).substr(0, 80);
  if (to.size() > importing::kMostRank)
    n.fail(fmt::format("a target of {} dimensions; supported: at most {}", to.size(), importing::kMostRank));
  int64_t known = 1;
  const auto open = std::find(to.begin(), to.end(), -1);
  for (auto d = to.begin(); d != to.end(); ++d)
    if (d != open && (*d < 1 || __builtin_mul_overflow(known, *d, &known)))
      n.fail(fmt::format("target {}; supported: positive dimensions, one -1", target));
  const int64_t count = element_count(n.tensor(0).shape);
  if (open != to.end() && count % known)
    n.fail(fmt::format("target {} for {}: the rest does not divide", target, to_string(n.tensor(0).shape)));
  if (open != to.end()) *open = count / known;
  reshape_to(n, std::move(to));
}

void squeeze(NodeImport& n) {
  n.expect_inputs(1, 1);
  const Shape from = n.tensor(0).shape;
  Ints axes = n.integers("squeeze_dims").value_or(Ints{});
  for (int64_t& a : axes) {
    a = n.axis(a, from.size());
    if (from[static_cast<size_t>(a)] != 1) n.fail(fmt::format("dimension {} of {} is not 1", a, to_string(from)));
  }
  Shape to;
  for (size_t d = 0; d < from.size(); ++d) {
    const bool named = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
    if (axes.empty() ? from[d] != 1 : !named) to.push_back(from[d]);
  }
  reshape_to(n, std::move(to));
}

void expand_dims(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Ints axis = n.integers_in(1, "axis");
  if (axis.size() != 1) n.fail(fmt::format("{} axes; supported: 1", axis.size()));
  Shape to = n.tensor(0).shape;
  to.insert(to.begin() + n.axis(axis[0], to.size() + 1), 1);
  reshape_to(n, std::move(to));
}

void transpose(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  const Tensor t = n.graph.tensor(x);
  Ints perm = n.integers_in(1, "perm");
  const size_t rank = t.shape.size();
  if (perm.size() != rank) n.fail(fmt::format("a permutation of {} dimensions for a tensor of {}", perm.size(), rank));
  for (int64_t& p : perm) p = n.axis(p, rank);
  Ints sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    n.fail(fmt::format("perm [{}]; supported: each dimension once", fmt::join(perm, ", ")));
  if (t.is_constant() && !t.quant) {
    n.charge(importing::byte_count(t.shape, t.dtype));
    const Tensor& turned = n.graph.tensor(n.turned(x, perm));
    return n.folded(t.dtype, turned.shape, turned.data);
  }
  Shape shape;
  for (int64_t p : perm) shape.push_back(t.shape[static_cast<size_t>(p)]);
  Node node = n.node(OpKind::transpose, {x});
  node.perm = perm;
  n.emit(std::move(node), n.output_like(x, std::move(shape)));
}

// Begins then ends over every axis, from rows of two.
Ints paddings(const NodeImport& n, size_t rank) {
  const Ints rows = n.integers_in(1, "paddings");
  if (rows.size() != 2 * rank) n.fail(fmt::format("{} paddings for a tensor of rank {}", rows.size(), rank));
  Ints pads(2 * rank);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0 || rows[i] > importing::kMostBytes)
      n.fail(fmt::format("padding {} of dimension {}; supported: 0 and more", rows[i], i / 2));
    pads[i / 2 + i % 2 * rank] = rows[i];
  }
  return pads;
}

void emit_pad(NodeImport& n, PadMode mode, float value) {
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  n.expect_real(x);
  Shape shape = n.tensor(0).shape;
  const size_t rank = shape.size();
  Node node = n.node(OpKind::pad, {x});
  node.pads = paddings(n, rank);
  node.pad_mode = mode;
  node.alpha = value;
  for (size_t i = 0; mode != PadMode::constant && i < node.pads.size(); ++i)
    if (const int64_t most = shape[i % rank] - (mode == PadMode::reflect ? 1 : 0); node.pads[i] > most)
      n.fail(fmt::format("mirrors {} elements of {}; supported: up to {}", node.pads[i], shape[i % rank], most));
  for (size_t d = 0; d < rank; ++d) shape[d] += node.pads[d] + node.pads[d + rank];
  n.emit(std::move(node), n.output_like(x, std::move(shape)));
}

// With real 0.
void pad(NodeImport& n) {
  n.expect_inputs(2, 2);
  emit_pad(n, PadMode::constant, 0);
}

// The constant counts on x's own grid.
void pad_v2(NodeImport& n) {
  n.expect_inputs(3, 3);
  if (n.tensor(0).dtype == DType::f32) return emit_pad(n, PadMode::constant, n.real_in(2, "constant"));
  const Tensor &x = n.tensor(0), &value = n.tensor(2, "constant");
  n.expect_dtype(n.input(2), {n.expect_real(n.input(0))});
  if (!value.is_constant() || element_count(value.shape) != 1)
    n.fail(fmt::format("the constant ({}) is {}; supported: one constant number", in_quotes(value.name),
                       to_string(value.shape)));
  n.expect_same_quant(n.input(0), value.quant, value.name);
  const int q = x.dtype == DType::u8 ? int{value.values<uint8_t>()[0]} : int{value.values<int8_t>()[0]};
  emit_pad(n, PadMode::constant, static_cast<float>(q - x.quant->zero_point[0]) * x.quant->scale[0]);
}

void mirror_pad(NodeImport& n) {
  n.expect_inputs(2, 2);
  const std::string mode = n.choice("mode", "REFLECT");
  if (mode != "REFLECT" && mode != "SYMMETRIC") n.fail_attribute("mode", mode, "REFLECT, SYMMETRIC");
  emit_pad(n, mode == "REFLECT" ? PadMode::reflect : PadMode::symmetric, 0);
}

void broadcast_to(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  const Shape target = n.integers_in(1, "shape");
  n.check_shape(target, n.tensor(0).dtype);
  if (importing::broadcast(n.tensor(0).shape, target) != target)
    n.fail(fmt::format("from {} to {}; supported: what broadcasts", to_string(n.tensor(0).shape), to_string(target)));
  n.emit(n.node(OpKind::expand, {x}), n.output_like(x, target));
}

void tile(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  Shape shape = n.tensor(0).shape;
  const Ints multiples = n.integers_in(1, "multiples");
  if (multiples.size() != shape.size())
    n.fail(fmt::format("{} multiples for a tensor of rank {}", multiples.size(), shape.size()));
  for (size_t d = 0; d < shape.size(); ++d) {
    if (multiples[d] < 1 || multiples[d] > importing::kMostBytes)
      n.fail(fmt::format("multiple {} of dimension {}; supported: positive ones", multiples[d], d));
    shape[d] *= multiples[d];
  }
  n.emit(n.node(OpKind::tile, {x}), n.output_like(x, std::move(shape)));
}

void expect_indices(const NodeImport& n) {
  n.expect_dtype(n.input(1, "indices"), {DType::s32, DType::s64});
}

void gather(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  expect_indices(n);
  if (const int64_t dims = n.integer("batch_dims")) n.fail_attribute("batch_dims", fmt::format("{}", dims), "0");
  const TensorId x = n.input(0);
  const Shape from = n.tensor(0).shape, indices = n.tensor(1).shape;
  const int64_t axis = n.axis(n.integer("axis"), from.size());
  Shape shape(from.begin(), from.begin() + axis);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), from.begin() + axis + 1, from.end());
  Node node = n.node(OpKind::gather, {x, n.input(1)});
  node.axis = static_cast<int>(axis);
  n.emit(std::move(node), n.output_like(x, std::move(shape)));
}

void gather_nd(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  expect_indices(n);
  const TensorId x = n.input(0);
  const Shape from = n.tensor(0).shape, indices = n.tensor(1).shape;
  if (indices.empty() || indices.back() < 1 || indices.back() > static_cast<int64_t>(from.size()))
    n.fail(fmt::format("indices of shape {} for {}; supported: up to one index per dimension", to_string(indices),
                       to_string(from)));
  Shape shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), from.begin() + indices.back(), from.end());
  n.emit(n.node(OpKind::gather_nd, {x, n.input(1)}), n.output_like(x, std::move(shape)));
}

void shape_of(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  n.ignore({"out_type"});  // the output says it
  const Shape shape = n.tensor(0).shape;
  const DType to = n.state.file.tensors[static_cast<size_t>(n.file.outputs[0])].dtype;
  std::vector<std::byte> bytes;
  const auto append = [&bytes](const auto value) {
    const auto raw = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  };
  for (int64_t d : shape)
    if (to == DType::s64)
      append(d);
    else
      append(static_cast<int32_t>(d));
  n.folded(to == DType::s64 ? to : DType::s32, {static_cast<int64_t>(shape.size())}, std::move(bytes));
}

}  // namespace

void add_movement_ops(std::unordered_map<std::string, Handler>& table) {
  table["RESHAPE"] = reshape;
  table["SQUEEZE"] = squeeze;
  table["EXPAND_DIMS"] = expand_dims;
  table["TRANSPOSE"] = transpose;
  table["PAD"] = pad;
  table["PADV2"] = pad_v2;
  table["MIRROR_PAD"] = mirror_pad;
  table["BROADCAST_TO"] = broadcast_to;
  table["TILE"] = tile;
  table["GATHER"] = gather;
  table["GATHER_ND"] = gather_nd;
  table["SHAPE"] = shape_of;
}

}  // namespace octet::tflite_import

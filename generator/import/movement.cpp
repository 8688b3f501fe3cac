// Ops that only move values, of any type. On constants they fold.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "generator/import/fold.h"
#include "generator/import/importer.h"

namespace octet::onnx_import {

std::optional<QuantParams> moved_quant(const NodeImport& n, TensorId x) {
  const Tensor& t = n.graph.tensor(x);
  if (t.quant && !t.quant->per_tensor())
    n.fail(fmt::format("input {} is quantized per channel; supported: per tensor", in_quotes(t.name)));
  return t.quant;
}

Ints sorted_axes(const NodeImport& n, Ints axes, size_t rank) {
  for (int64_t& a : axes) a = n.axis(a, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) n.fail("an axis appears twice");
  return axes;
}

namespace {

void drop(NodeImport& n) {
  n.ignore({"ratio", "seed"});
  n.expect_inputs(1, n.file.op == "Dropout" ? 3 : 1);
  if (n.has(2)) {
    const Tensor& training = n.tensor(2);
    if (!training.is_constant() || training.dtype != DType::boolean || training.data->empty() ||
        (*training.data)[0] != std::byte{0})
      n.fail("training_mode is not false; supported: inference");
  }
  n.alias(n.input(0));
}

void reshape_to(NodeImport& n, Shape shape) {
  const Tensor& t = n.tensor(0);
  n.check_shape(shape, t.dtype);
  if (element_count(shape) != element_count(t.shape))
    n.fail(fmt::format("from {} to {}: the numbers of elements differ", to_string(t.shape), to_string(shape)));
  if (t.is_constant()) return n.folded(std::move(shape), t.data, Tensor(t));
  const TensorId x = n.input(0);
  auto quant = moved_quant(n, x);
  n.emit(OpKind::reshape, {x}, {n.output(t.dtype, std::move(shape), std::move(quant))});
}

void reshape(NodeImport& n) {
  n.expect_inputs(2, 2);
  const bool zero_is_zero = n.integer("allowzero", 0) != 0;
  const Shape from = n.tensor(0).shape;
  Shape to = n.integers_in(1, "shape");
  if (to.size() > importing::kMostRank)
    n.fail(fmt::format("a target of {} dimensions; supported: at most {}", to.size(), importing::kMostRank));
  const Shape target = to;
  int open = -1;
  int64_t known = 1;
  for (size_t d = 0; d < to.size(); ++d) {
    if (to[d] == 0 && !zero_is_zero) {
      if (d >= from.size())
        n.fail(
            fmt::format("target [{}]: dimension {} of an input of rank {}", fmt::join(target, ", "), d, from.size()));
      to[d] = from[d];
    }
    const bool second = to[d] == -1 && open >= 0;
    if (to[d] < -1 || second || (to[d] >= 0 && __builtin_mul_overflow(known, to[d], &known)))
      n.fail(
          fmt::format("target [{}]; supported: positive dimensions, 0 to copy one, one -1", fmt::join(target, ", ")));
    if (to[d] == -1) open = static_cast<int>(d);
  }
  if (open >= 0) {
    const int64_t count = element_count(from);
    if (known < 1 || count % known)
      n.fail(fmt::format("target [{}] for {}: the rest does not divide", fmt::join(target, ", "), to_string(from)));
    to[static_cast<size_t>(open)] = count / known;
  }
  reshape_to(n, std::move(to));
}

void flatten(NodeImport& n) {
  n.expect_inputs(1, 1);
  const Shape shape = n.tensor(0).shape;
  const int64_t rank = static_cast<int64_t>(shape.size());
  int64_t axis = n.integer("axis", 1);
  if (axis < -rank || axis > rank)
    n.fail_attribute("axis", fmt::format("{}", axis), fmt::format("{} to {}", -rank, rank));
  if (axis < 0) axis += rank;
  reshape_to(n, {element_count(Shape(shape.begin(), shape.begin() + axis)),
                 element_count(Shape(shape.begin() + axis, shape.end()))});
}

void squeeze(NodeImport& n) {
  n.expect_inputs(1, 2);
  const Shape from = n.tensor(0).shape;
  const auto given = n.integers("axes", 1, 13);
  const Ints axes = sorted_axes(n, given.value_or(Ints{}), from.size());
  Shape to;
  for (size_t d = 0; d < from.size(); ++d) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    if (named && from[d] != 1) n.fail(fmt::format("axis {} of {} is not 1", d, to_string(from)));
    if (given ? !named : from[d] != 1) to.push_back(from[d]);
  }
  reshape_to(n, std::move(to));
}

void unsqueeze(NodeImport& n) {
  n.expect_inputs(1, 2);
  const auto given = n.integers("axes", 1, 13);
  if (!given) n.fail("axes are missing");
  Shape to = n.tensor(0).shape;
  if (given->size() + to.size() > importing::kMostRank)
    n.fail(fmt::format("{} axes added; supported: at most {} in all", given->size(), importing::kMostRank));
  for (int64_t a : sorted_axes(n, *given, to.size() + given->size())) to.insert(to.begin() + a, 1);
  reshape_to(n, std::move(to));
}

void transpose(NodeImport& n) {
  n.expect_inputs(1, 1);
  const Tensor t = n.tensor(0);
  Ints perm(t.shape.size());
  for (size_t d = 0; d < perm.size(); ++d) perm[d] = static_cast<int64_t>(perm.size() - 1 - d);
  perm = n.integers("perm").value_or(perm);
  Ints sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool valid = perm.size() == t.shape.size();
  for (size_t d = 0; d < sorted.size(); ++d) valid = valid && sorted[d] == static_cast<int64_t>(d);
  if (!valid)
    n.fail_attribute("perm", fmt::format("[{}]", fmt::join(perm, ", ")),
                     fmt::format("a permutation of {} axes", t.shape.size()));
  const Ints strides = row_major_strides(t.shape);
  Shape shape;
  Ints turned;
  for (int64_t p : perm) {
    shape.push_back(t.shape[static_cast<size_t>(p)]);
    turned.push_back(strides[static_cast<size_t>(p)]);
  }
  if (t.is_constant()) {
    n.charge(byte_count(shape, t.dtype));
    return n.folded(t.dtype, shape, strided_copy(t, shape, 0, turned));
  }
  auto quant = moved_quant(n, n.input(0));
  const TensorId y = n.output(t.dtype, std::move(shape), std::move(quant));
  n.emit(OpKind::transpose, {n.input(0)}, {y}).perm = perm;
}

// Starts, sizes and steps over every axis.
struct Cut {
  Ints starts, steps;
  Shape shape;
};

void cut_axis(const NodeImport& n, Cut& cut, size_t axis, int64_t start, int64_t end, int64_t step) {
  const int64_t size = cut.shape[axis];
  if (step == 0 || step == std::numeric_limits<int64_t>::min()) n.fail(fmt::format("step {}", step));
  const auto bound = [size](int64_t v, int64_t lo, int64_t hi) { return std::clamp(v < 0 ? v + size : v, lo, hi); };
  if (step > 0) {
    start = bound(start, 0, size), end = bound(end, 0, size);
    cut.shape[axis] = start < end ? 1 + (end - start - 1) / step : 0;
  } else {
    start = bound(start, 0, size - 1), end = bound(end, -1, size - 1);
    cut.shape[axis] = start > end ? 1 + (start - end - 1) / -step : 0;
  }
  cut.starts[axis] = start;
  cut.steps[axis] = step;
}

void slice(NodeImport& n) {
  n.expect_inputs(3, 5);
  const Tensor t = n.tensor(0);
  const Ints starts = n.integers_in(1, "starts"), ends = n.integers_in(2, "ends");
  Ints axes(starts.size()), steps(starts.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (n.has(3)) axes = n.integers_in(3, "axes");
  if (n.has(4)) steps = n.integers_in(4, "steps");
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    n.fail(fmt::format("{} starts, {} ends, {} axes, {} steps; supported: equal numbers", starts.size(), ends.size(),
                       axes.size(), steps.size()));
  sorted_axes(n, axes, t.shape.size());
  Cut cut{Ints(t.shape.size(), 0), Ints(t.shape.size(), 1), t.shape};
  for (size_t i = 0; i < axes.size(); ++i)
    cut_axis(n, cut, static_cast<size_t>(n.axis(axes[i], t.shape.size())), starts[i], ends[i], steps[i]);
  if (t.is_constant()) {
    Ints strides = row_major_strides(t.shape);
    int64_t offset = 0;
    for (size_t d = 0; d < strides.size(); ++d) {
      offset += cut.starts[d] * strides[d];
      if (__builtin_mul_overflow(strides[d], cut.steps[d], &strides[d])) strides[d] = 0;  // one element: never taken
    }
    n.charge(byte_count(cut.shape, t.dtype));
    return n.folded(t.dtype, cut.shape, strided_copy(t, cut.shape, offset, strides));
  }
  auto quant = moved_quant(n, n.input(0));
  const TensorId y = n.output(t.dtype, cut.shape, std::move(quant));
  Node& node = n.emit(OpKind::slice, {n.input(0)}, {y});
  node.starts = cut.starts;
  node.steps = cut.steps;
}

Ints split_sizes(NodeImport& n, int64_t size) {
  const int64_t count = static_cast<int64_t>(n.file.outputs.size());
  if (auto given = n.integers("split", 1, 13)) return *given;
  const int64_t asked = n.opset >= 18 ? n.integer("num_outputs", count) : count;
  if (asked != count) n.fail_attribute("num_outputs", fmt::format("{}", asked), fmt::format("the {} outputs", count));
  const int64_t piece = count ? (size + count - 1) / count : 0;
  if (count > size || (n.opset < 18 && size % count)) n.fail(fmt::format("{} equal pieces of {}", count, size));
  Ints sizes(static_cast<size_t>(count), piece);
  sizes.back() = size - piece * (count - 1);
  return sizes;
}

void split(NodeImport& n) {
  n.expect_inputs(1, 2);
  const Tensor t = n.tensor(0);
  const TensorId x = n.input(0);
  if (n.file.outputs.empty()) n.fail("no outputs");
  const size_t axis = static_cast<size_t>(n.axis(n.integer("axis", 0), t.shape.size()));
  const Ints sizes = split_sizes(n, t.shape[axis]);
  int64_t left = t.shape[axis];
  for (int64_t s : sizes) left = s < 0 || s > left ? -1 : left - s;
  if (left != 0 || sizes.size() != n.file.outputs.size())
    n.fail(fmt::format("pieces [{}] of {} along axis {} for {} outputs",
                       fmt::format("{}", fmt::join(sizes, ", ")).substr(0, 80), to_string(t.shape), axis,
                       n.file.outputs.size()));
  const auto quant = t.is_constant() ? std::nullopt : moved_quant(n, x);
  const Ints strides = row_major_strides(t.shape);
  std::vector<TensorId> pieces;
  int64_t at = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape shape = t.shape;
    shape[axis] = sizes[i];
    if (t.is_constant()) {
      n.charge(byte_count(shape, t.dtype));
      n.folded(t.dtype, shape, strided_copy(t, shape, at * strides[axis], strides), i);
    } else {
      pieces.push_back(n.output(t.dtype, shape, quant, i));
    }
    at += sizes[i];
  }
  if (!t.is_constant()) n.emit(OpKind::split, {x}, pieces).axis = static_cast<int>(axis);
}

// Constants: outer rows of each input, one after the other.
void fold_concat(NodeImport& n, size_t axis, const Shape& shape) {
  const DType dtype = n.tensor(0).dtype;
  n.charge(byte_count(shape, dtype));
  std::vector<const Tensor*> pieces;
  for (size_t i = 0; i < n.input_count(); ++i) pieces.push_back(&n.tensor(i));
  const int64_t outer = element_count(Shape(shape.begin(), shape.begin() + static_cast<long>(axis)));
  n.folded(dtype, shape, importing::joined(pieces, outer));
}

void concat(NodeImport& n) {
  n.expect_inputs(1, 1 << 16);
  const Tensor first = n.tensor(0);
  const size_t axis = static_cast<size_t>(n.axis(n.integer("axis", 0), first.shape.size()));
  Shape shape = first.shape;
  shape[axis] = 0;
  bool constant = true;
  std::vector<TensorId> inputs;
  for (size_t i = 0; i < n.input_count(); ++i) {
    const Tensor& t = n.tensor(i);
    Shape other = t.shape;
    if (other.size() == shape.size()) other[axis] = shape[axis];
    if (other != shape || t.dtype != first.dtype)
      n.fail(fmt::format("input {} is {} {} beside {} {} along axis {}; supported: equal types and other dimensions", i,
                         dtype_name(t.dtype), to_string(t.shape), dtype_name(first.dtype), to_string(first.shape),
                         axis));
    shape[axis] += t.shape[axis];
    n.check_shape(shape, first.dtype);
    constant = constant && t.is_constant();
    inputs.push_back(n.input(i));
  }
  if (constant) return fold_concat(n, axis, shape);
  for (TensorId id : inputs) moved_quant(n, id);
  const TensorId y = n.output(first.dtype, std::move(shape));
  n.emit(OpKind::concat, std::move(inputs), {y}).axis = static_cast<int>(axis);
}

}  // namespace

void add_movement_ops(std::unordered_map<std::string, Handler>& table) {
  table["Identity"] = table["Dropout"] = drop;
  table["Reshape"] = reshape;
  table["Flatten"] = flatten;
  table["Squeeze"] = squeeze;
  table["Unsqueeze"] = unsqueeze;
  table["Transpose"] = transpose;
  table["Slice"] = slice;
  table["Split"] = split;
  table["Concat"] = concat;
}

}  // namespace octet::onnx_import

// Reductions over axes, and the index of the greatest or least along one.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// Which axes, and what shapes the result has with and without them.
struct Reduced {
  Ints axes;
  Shape kept, shape;  // kept: 1 for each
};

Reduced read_axes(NodeImport& n, const Shape& x, std::optional<Ints> given, bool keep) {
  Reduced r{.axes = given.value_or(Ints{}), .kept = x};
  if (r.axes.empty())
    for (size_t d = 0; d < x.size(); ++d) r.axes.push_back(static_cast<int64_t>(d));
  r.axes = sorted_axes(n, r.axes, x.size());
  for (int64_t a : r.axes) r.kept[static_cast<size_t>(a)] = 1;
  for (size_t d = 0; d < x.size(); ++d)
    if (keep || !std::binary_search(r.axes.begin(), r.axes.end(), static_cast<int64_t>(d)))
      r.shape.push_back(r.kept[d]);
  return r;
}

template <class T>
void accumulate(const NodeImport& n, Reduction reduction, T& sum, T v, bool first) {
  if (first) {
    sum = v;
  } else if (reduction == Reduction::max || reduction == Reduction::min) {
    sum = (reduction == Reduction::max) == (v > sum) ? v : sum;
  } else if constexpr (std::is_same_v<T, float>) {
    sum = reduction == Reduction::prod ? sum * v : sum + v;
  } else if (reduction == Reduction::prod ? __builtin_mul_overflow(sum, v, &sum)
                                          : __builtin_add_overflow(sum, v, &sum)) {
    n.fail("constants whose reduction overflows");
  }
}

// The elements in row-major order; each joins the one of `kept` that it lies above.
template <class T>
std::vector<std::byte> fold_as(const NodeImport& n, Reduction reduction, const Tensor& t, const Reduced& r) {
  const auto x = t.values<T>();
  std::vector<T> sums(static_cast<size_t>(element_count(r.kept)));
  std::vector<size_t> counts(sums.size(), 0);
  const Ints strides = row_major_strides(t.shape), to = row_major_strides(r.kept);
  for (size_t i = 0; i < x.size(); ++i) {
    int64_t at = 0, rest = static_cast<int64_t>(i);
    for (size_t d = 0; d < t.shape.size(); ++d) {
      if (r.kept[d] != 1) at += rest / strides[d] * to[d];
      rest %= strides[d];
    }
    const auto k = static_cast<size_t>(at);
    accumulate(n, reduction, sums[k], x[i], counts[k]++ == 0);
  }
  for (size_t k = 0; reduction == Reduction::mean && k < sums.size(); ++k) sums[k] /= static_cast<T>(counts[k]);
  const auto bytes = std::as_bytes(std::span<const T>(sums));
  return {bytes.begin(), bytes.end()};
}

// True where the input is a constant of a type that folds, and has elements.
bool fold(NodeImport& n, Reduction reduction, const Reduced& r) {
  const Tensor t = n.tensor(0);
  if (!t.is_constant() || element_count(t.shape) == 0) return false;
  n.charge(2 * byte_count(t.shape, t.dtype));
  switch (t.dtype) {
    case DType::f32: n.folded(t.dtype, r.shape, fold_as<float>(n, reduction, t, r)); return true;
    case DType::s32: n.folded(t.dtype, r.shape, fold_as<int32_t>(n, reduction, t, r)); return true;
    case DType::s64: n.folded(t.dtype, r.shape, fold_as<int64_t>(n, reduction, t, r)); return true;
    default: return false;
  }
}

// The mean over all of h, w (or w) is a global average pool.
bool is_global_pool(const Shape& x, const Ints& axes) {
  Ints spatial;
  for (size_t d = 2; d < x.size(); ++d) spatial.push_back(static_cast<int64_t>(d));
  return x.size() >= 3 && x.size() <= 4 && axes == spatial;
}

void emit_global_pool(NodeImport& n, const Reduced& r) {
  const TensorId x = n.input(0);
  if (r.shape == r.kept) {
    n.step(OpKind::global_average_pool, {x}, "", DType::f32, r.kept);
    return;
  }
  const TensorId kept = n.temporary("/kept", DType::f32, r.kept);
  n.emit(OpKind::global_average_pool, {x}, {kept});
  n.step(OpKind::reshape, {kept}, "", DType::f32, r.shape).name += "/reshape";
}

// ReduceL1, ReduceL2 and ReduceSumSquare are sums between other functions.
struct Form {
  Reduction reduction;
  std::optional<Unary> before, after;
  int64_t axes_are_input_since = 18;
};

void reduce_as(NodeImport& n, const Form& form) {
  n.expect_inputs(1, 2);
  const bool whole = !form.before && (form.reduction == Reduction::max || form.reduction == Reduction::min);
  if (whole)
    n.expect_dtype(n.input(0), {DType::f32, DType::s32, DType::s64, DType::u8, DType::s8});
  else if (form.before || form.reduction == Reduction::mean)
    n.expect_dtype(n.input(0), {DType::f32});
  else
    n.expect_dtype(n.input(0), {DType::f32, DType::s32, DType::s64});
  const int64_t since = form.axes_are_input_since;
  const auto axes = n.integers("axes", 1, since);
  const bool keep = n.integer("keepdims", 1) != 0;
  const bool noop = n.opset >= since && n.integer("noop_with_empty_axes", 0) != 0;
  if (noop && (!axes || axes->empty())) {
    if (form.before) n.fail_attribute("noop_with_empty_axes", "1 without axes", "0, or axes");
    return n.alias(n.input(0));
  }
  const Tensor t = n.tensor(0);
  const Reduced r = read_axes(n, t.shape, axes, keep);
  if (!form.before && fold(n, form.reduction, r)) return;
  if (form.reduction == Reduction::mean && is_global_pool(t.shape, r.axes)) return emit_global_pool(n, r);
  const TensorId x = form.before ? unary(n, *form.before, n.input(0), "/elements") : n.input(0);
  Node& node = n.step(OpKind::reduce, {x}, form.after ? "/sum" : "", t.dtype, r.shape, t.quant);
  node.reduction = form.reduction;
  node.axes = r.axes;
  const TensorId sum = node.outputs[0];
  if (form.after) unary(n, *form.after, sum, "");
}

template <Reduction reduction>
void reduce(NodeImport& n) {
  reduce_as(n, {.reduction = reduction, .axes_are_input_since = reduction == Reduction::sum ? 13 : 18});
}

void reduce_l1(NodeImport& n) {
  reduce_as(n, {.reduction = Reduction::sum, .before = Unary::abs});
}

void reduce_l2(NodeImport& n) {
  reduce_as(n, {.reduction = Reduction::sum, .before = Unary::square, .after = Unary::sqrt});
}

void reduce_sum_square(NodeImport& n) {
  reduce_as(n, {.reduction = Reduction::sum, .before = Unary::square});
}

template <Reduction reduction>
void arg(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_dtype(n.input(0), {DType::f32, DType::u8, DType::s8, DType::s32});
  const Shape shape = n.tensor(0).shape;
  const int64_t axis = n.axis(n.integer("axis", 0), shape.size());
  const bool keep = n.integer("keepdims", 1) != 0;
  const bool last = n.opset >= 12 && n.integer("select_last_index", 0) != 0;
  Node& node = n.step(OpKind::arg, {n.input(0)}, "", DType::s64, read_axes(n, shape, Ints{axis}, keep).shape);
  node.axis = static_cast<int>(axis);
  node.reduction = reduction;
  node.select_last = last;
}

}  // namespace

void add_reduce_ops(std::unordered_map<std::string, Handler>& table) {
  table["ReduceMean"] = reduce<Reduction::mean>;
  table["ReduceSum"] = reduce<Reduction::sum>;
  table["ReduceMax"] = reduce<Reduction::max>;
  table["ReduceMin"] = reduce<Reduction::min>;
  table["ReduceProd"] = reduce<Reduction::prod>;
  table["ReduceL1"] = reduce_l1;
  table["ReduceL2"] = reduce_l2;
  table["ReduceSumSquare"] = reduce_sum_square;
  table["ArgMax"] = arg<Reduction::max>;
  table["ArgMin"] = arg<Reduction::min>;
}

}  // namespace octet::onnx_import

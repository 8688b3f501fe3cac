// Ops that pick and repeat elements. Negative indices count from the end.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/fold.h"
#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// An integer constant's values against the sizes that they index.
void check_indices(const NodeImport& n, size_t i, const Ints& sizes) {
  if (!n.is_constant(i)) return;
  const Ints at = n.integers_in(i, "indices");
  for (size_t k = 0; k < at.size(); ++k)
    if (const int64_t size = sizes[k % sizes.size()]; at[k] < -size || at[k] >= size)
      n.fail(fmt::format("index {} of {} rows", at[k], size));
}

void gather(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Tensor data = n.tensor(0);
  n.expect_dtype(n.input(1), {DType::s32, DType::s64});
  const Shape indices = n.tensor(1).shape;
  const size_t axis = static_cast<size_t>(n.axis(n.integer("axis", 0), data.shape.size()));
  const int64_t rows = data.shape[axis];
  check_indices(n, 1, {rows});
  Shape shape(data.shape.begin(), data.shape.begin() + static_cast<long>(axis));
  const int64_t outer = element_count(shape);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), data.shape.begin() + static_cast<long>(axis) + 1, data.shape.end());
  n.check_shape(shape, data.dtype);
  if (!data.is_constant() || !n.is_constant(1)) {
    auto quant = moved_quant(n, n.input(0));
    n.step(OpKind::gather, {n.input(0), n.input(1)}, "", data.dtype, std::move(shape), std::move(quant)).axis =
        static_cast<int>(axis);
    return;
  }
  n.charge(byte_count(shape, data.dtype));
  const Shape rest(data.shape.begin() + static_cast<long>(axis) + 1, data.shape.end());
  const size_t bytes = static_cast<size_t>(byte_count(rest, data.dtype));
  const Ints at = n.integers_in(1, "indices");
  std::vector<std::byte> out;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i : at) {
      const size_t row = static_cast<size_t>(o * rows + (i < 0 ? i + rows : i));
      const auto* from = data.data->data() + row * bytes;
      out.insert(out.end(), from, from + bytes);
    }
  n.folded(data.dtype, shape, std::move(out));
}

void gather_nd(NodeImport& n) {
  n.expect_inputs(2, 2);
  if (const int64_t batch = n.integer("batch_dims", 0)) n.fail_attribute("batch_dims", fmt::format("{}", batch), "0");
  const Tensor data = n.tensor(0);
  const Shape indices = n.tensor(1).shape;
  n.expect_dtype(n.input(1), {DType::s32, DType::s64});
  if (indices.empty() || indices.back() < 1 || indices.back() > static_cast<int64_t>(data.shape.size()))
    n.fail(fmt::format("indices of shape {} into {}; supported: a last dimension of 1 to the data's rank",
                       to_string(indices), to_string(data.shape)));
  const auto depth = static_cast<long>(indices.back());
  check_indices(n, 1, Ints(data.shape.begin(), data.shape.begin() + depth));
  Shape shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), data.shape.begin() + depth, data.shape.end());
  auto quant = moved_quant(n, n.input(0));
  n.step(OpKind::gather_nd, {n.input(0), n.input(1)}, "", data.dtype, std::move(shape), std::move(quant));
}

// Of every place in the indices: how far it lies from the first element of x, dimension `axis` left out.
Ints element_offsets(const Shape& indices, const Shape& x, size_t axis) {
  Ints offsets = {0};
  const Ints strides = row_major_strides(x);
  for (size_t d = 0; d < x.size(); ++d) {
    Ints next;
    next.reserve(offsets.size() * static_cast<size_t>(indices[d]));
    for (int64_t at : offsets)
      for (int64_t i = 0; i < indices[d]; ++i) next.push_back(at + (d == axis ? 0 : i * strides[d]));
    offsets = std::move(next);
  }
  return offsets;
}

// y[i][j][k] = x[i][index[i][j][k]][k] along axis 1, as a gather from all elements in one row.
void gather_elements(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Tensor data = n.tensor(0);
  n.expect_dtype(n.input(1), {DType::s32, DType::s64});
  const Shape indices = n.tensor(1).shape;
  const size_t axis = static_cast<size_t>(n.axis(n.integer("axis", 0), data.shape.size()));
  bool within = indices.size() == data.shape.size();
  for (size_t d = 0; d < indices.size() && within; ++d) within = d == axis || indices[d] <= data.shape[d];
  if (!within)
    n.fail(fmt::format("indices of shape {} into {}; supported: as many dimensions, no larger but along axis {}",
                       to_string(indices), to_string(data.shape), axis));
  check_indices(n, 1, {data.shape[axis]});
  n.check_shape(indices, DType::s64);
  n.charge(2 * byte_count(indices, DType::s64));
  const auto number = [&n](const char* suffix, int64_t value) {
    return n.constant_step(suffix, DType::s64, {}, Ints{value});
  };
  const TensorId from = n.constant_step("/offsets", DType::s64, indices, element_offsets(indices, data.shape, axis));
  // Modulo the size: negative indices count from the end.
  const TensorId size = number("/size", data.shape[axis]);
  TensorId at = n.tensor(1).dtype == DType::s64 ? n.input(1) : cast_to(n, n.input(1), DType::s64, "/wide");
  at = binary(n, {.op = OpKind::floor_mod}, at, size, "/positive");
  at = binary(n, {.op = OpKind::mul}, at, number("/stride", row_major_strides(data.shape)[axis]), "/steps");
  at = binary(n, {.op = OpKind::add}, at, from, "/places");
  const auto quant = moved_quant(n, n.input(0));
  const TensorId row =
      data.is_constant()
          ? reshaped_constant(n, n.input(0), {element_count(data.shape)})
          : n.step(OpKind::reshape, {n.input(0)}, "/row", data.dtype, {element_count(data.shape)}, quant).outputs[0];
  n.step(OpKind::gather, {row, at}, "", data.dtype, indices, quant).axis = 0;
}

void expand(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Tensor t = n.tensor(0);
  const auto shape = broadcast(t.shape, n.integers_in(1, "shape"));
  if (!shape) n.fail(fmt::format("shape {} does not broadcast with the target", to_string(t.shape)));
  if (*shape == t.shape) return n.alias(n.input(0));
  n.check_shape(*shape, t.dtype);
  if (t.is_constant()) {
    n.charge(byte_count(*shape, t.dtype));
    return n.folded(t.dtype, *shape, importing::repeated(t, *shape));
  }
  const auto quant = moved_quant(n, n.input(0));
  TensorId x = n.input(0);
  if (t.shape.size() < shape->size()) {
    Shape wide = t.shape;
    wide.insert(wide.begin(), shape->size() - t.shape.size(), 1);
    if (wide == *shape) {
      n.step(OpKind::reshape, {x}, "", t.dtype, *shape, quant);
      return;
    }
    x = n.step(OpKind::reshape, {x}, "/rank", t.dtype, std::move(wide), quant).outputs[0];
  }
  n.step(OpKind::expand, {x}, "", t.dtype, *shape, quant);
}

void tile(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Tensor t = n.tensor(0);
  const Ints repeats = n.integers_in(1, "repeats");
  if (repeats.size() != t.shape.size())
    n.fail(fmt::format("{} repeats for {}; supported: one per dimension", repeats.size(), to_string(t.shape)));
  Shape shape = t.shape, pairs;
  Ints strides;
  const Ints from = row_major_strides(t.shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (repeats[d] < 0 || __builtin_mul_overflow(shape[d], repeats[d], &shape[d]))
      n.fail(fmt::format("repeats [{}]; supported: 0 and more", fmt::join(repeats, ", ")));
    pairs.insert(pairs.end(), {repeats[d], t.shape[d]});
    strides.insert(strides.end(), {0, from[d]});
  }
  if (shape == t.shape) return n.alias(n.input(0));
  n.check_shape(shape, t.dtype);
  if (t.is_constant()) {
    n.charge(byte_count(shape, t.dtype));
    return n.folded(t.dtype, shape, strided_copy(t, pairs, 0, strides));
  }
  n.step(OpKind::tile, {n.input(0)}, "", t.dtype, std::move(shape), moved_quant(n, n.input(0)));
}

}  // namespace

void add_gather_ops(std::unordered_map<std::string, Handler>& table) {
  table["Gather"] = gather;
  table["GatherElements"] = gather_elements;
  table["GatherND"] = gather_nd;
  table["Expand"] = expand;
  table["Tile"] = tile;
}

}  // namespace octet::onnx_import

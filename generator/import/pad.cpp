// Pad.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// Begins then ends over every axis.
Ints pad_amounts(NodeImport& n, size_t rank) {
  const auto given = n.integers("pads", 1, 11);
  if (!given) n.fail("pads are missing");
  Ints axes(rank);
  for (size_t d = 0; d < rank; ++d) axes[d] = static_cast<int64_t>(d);
  if (n.opset >= 18 && n.has(3)) {
    axes = n.integers_in(3, "axes");
    sorted_axes(n, axes, rank);
  }
  Ints pads(2 * rank, 0);
  if (given->size() != 2 * axes.size())
    n.fail(fmt::format("{} pads for {} axes; supported: two each", given->size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t d = static_cast<size_t>(n.axis(axes[i], rank));
    pads[d] = (*given)[i];
    pads[d + rank] = (*given)[i + axes.size()];
  }
  for (int64_t p : pads)
    if (p < 0 || p > importing::kMostBytes)
      n.fail_attribute("pads", fmt::format("[{}]", fmt::join(*given, ", ")), "0 and more");
  return pads;
}

// Both ends of every axis get what stands at the other end, one axis after the other.
void wrap(NodeImport& n, const Ints& pads) {
  TensorId t = n.input(0);
  const DType dtype = n.tensor(0).dtype;
  const size_t rank = n.tensor(0).shape.size();
  size_t last = rank;
  for (size_t d = 0; d < rank; ++d)
    if (pads[d] != 0 || pads[d + rank] != 0) last = d;
  if (last == rank) return n.alias(t);
  for (size_t d = 0; d <= last; ++d) {
    const int64_t begin = pads[d], end = pads[d + rank];
    const Shape shape = n.graph.tensor(t).shape;
    if (begin == 0 && end == 0) continue;
    if (begin < 0 || end < 0 || begin > shape[d] || end > shape[d])
      n.fail(fmt::format("wraps {} and {} elements around {}; supported: up to as many as there are", begin, end,
                         shape[d]));
    const auto part = [&](int64_t from, int64_t count, const char* what) {
      Shape some = shape;
      some[d] = count;
      Node& slice = n.step(OpKind::slice, {t}, fmt::format("/{}{}", what, d), dtype, std::move(some));
      slice.starts.assign(rank, 0);
      slice.starts[d] = from;
      slice.steps.assign(rank, 1);
      return slice.outputs[0];
    };
    std::vector<TensorId> parts;
    if (begin > 0) parts.push_back(part(shape[d] - begin, begin, "tail"));
    parts.push_back(t);
    if (end > 0) parts.push_back(part(0, end, "head"));
    Shape joined = shape;
    joined[d] += begin + end;
    Node& concat = n.step(OpKind::concat, std::move(parts), d == last ? "" : fmt::format("/axis{}", d), dtype, joined);
    concat.axis = static_cast<int>(d);
    t = concat.outputs[0];
  }
}

// What a constant pad holds.
float pad_value(NodeImport& n) {
  if (n.opset < 11) return n.real("value", 0);
  if (!n.has(2)) return 0;
  if (n.tensor(0).dtype == DType::f32) return n.real_in(2, "constant_value");
  constexpr int64_t kExact = 1 << 24;  // in binary32
  const Ints value = n.integers_in(2, "constant_value");
  if (value.size() != 1 || value[0] < -kExact || value[0] > kExact)
    n.fail(fmt::format("pads with [{}]; supported: one integer of up to {}", fmt::join(value, ", "), kExact));
  return static_cast<float>(value[0]);
}

void pad(NodeImport& n) {
  n.expect_inputs(1, 4);
  const TensorId x = n.input(0);
  n.expect_dtype(x, {DType::f32, DType::s32, DType::s64});
  const std::string mode = n.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    n.fail_attribute("mode", in_quotes(mode), "constant, reflect, edge, wrap");
  const DType dtype = n.tensor(0).dtype;
  Shape shape = n.tensor(0).shape;
  const Ints pads = pad_amounts(n, shape.size());
  for (size_t i = 0; mode == "reflect" && i < pads.size(); ++i)
    if (pads[i] >= shape[i % shape.size()])
      n.fail(fmt::format("reflects {} elements of an axis of {}; supported: fewer than there are", pads[i],
                         shape[i % shape.size()]));
  for (size_t d = 0; d < shape.size(); ++d) shape[d] += pads[d] + pads[d + shape.size()];
  n.check_shape(shape, dtype);
  const float value = pad_value(n);
  if (mode == "wrap") return wrap(n, pads);
  const TensorId y = n.output(dtype, std::move(shape));
  Node& node = n.emit(OpKind::pad, {x}, {y});
  node.pads = pads;
  node.pad_mode = mode == "reflect" ? PadMode::reflect : mode == "edge" ? PadMode::edge : PadMode::constant;
  if (mode == "constant") node.alpha = value;
}

}  // namespace

void add_pad_ops(std::unordered_map<std::string, Handler>& table) {
  table["Pad"] = pad;
}

}  // namespace octet::onnx_import

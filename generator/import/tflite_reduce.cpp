// Ops that combine values along axes, and changes of the image's size.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/tflite_importer.h"

namespace octet::tflite_import {
namespace {

// Axes of input i, made non-negative; ascending, each once.
Ints axes_in(const NodeImport& n, size_t i, size_t rank) {
  Ints axes = n.integers_in(i, "axes");
  for (int64_t& a : axes) a = n.axis(a, rank);
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

Shape without(const Shape& shape, const Ints& axes, bool keep) {
  Shape to;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool reduced = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    if (!reduced) to.push_back(shape[d]);
    if (reduced && keep) to.push_back(1);
  }
  return to;
}

template <Reduction reduction>
void reduce(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  const DType dtype = n.tensor(0).dtype;
  if (dtype != DType::s32 && dtype != DType::s64) n.expect_real(x);
  const Shape shape = n.tensor(0).shape;
  const Ints axes = axes_in(n, 1, shape.size());
  const bool keep = n.flag("keep_dims");
  if (axes.empty()) n.fail("no axes; supported: at least one");
  Node node = n.node(OpKind::reduce, {x});
  node.reduction = reduction;
  node.axes = axes;
  Shape to = without(shape, axes, keep);
  constexpr bool kMoves = reduction == Reduction::max || reduction == Reduction::min;
  n.emit(std::move(node), kMoves ? n.output_like(x, std::move(to)) : n.output(dtype, std::move(to)));
}

// Over h and w, where they stay as 1, it is a global average pool.
void mean(NodeImport& n) {
  n.expect_inputs(2, 2);
  const TensorId x = n.input(0);
  const Shape shape = n.tensor(0).shape;
  const Ints axes = axes_in(n, 1, shape.size());
  const DType dtype = n.tensor(0).dtype;
  if (shape.size() != 4 || axes != Ints{1, 2} || dtype == DType::s32 || dtype == DType::s64 || !n.flag("keep_dims"))
    return reduce<Reduction::mean>(n);
  n.expect_outputs(1);
  n.expect_real(x);
  n.emit(n.node(OpKind::global_average_pool, {x}), n.output(dtype, {shape[0], 1, 1, shape[3]}));
}

template <Reduction reduction>
void arg(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  n.ignore({"output_type"});  // the output says it
  const TensorId x = n.input(0);
  const DType dtype = n.tensor(0).dtype;
  if (dtype != DType::s32 && dtype != DType::s64) n.expect_real(x);
  const Shape shape = n.tensor(0).shape;
  const Ints axes = axes_in(n, 1, shape.size());
  if (axes.size() != 1) n.fail(fmt::format("{} axes; supported: 1", axes.size()));
  const DType to = n.state.file.tensors[static_cast<size_t>(n.file.outputs[0])].dtype;
  if (to != DType::s32 && to != DType::s64) n.fail(fmt::format("result of {}; supported: s32, s64", dtype_name(to)));
  Node node = n.node(OpKind::arg, {x});
  node.reduction = reduction;
  node.axis = static_cast<int>(axes[0]);
  n.emit(std::move(node), n.output(to, without(shape, axes, false)));
}

// The coordinates that the two flags select; nearest then truncates, or rounds half up where corners are aligned.
void set_coordinates(NodeImport& n, Resize& resize) {
  using C = Resize::Coordinates;
  const bool nearest = resize.mode == Resize::Mode::nearest;
  const bool corners = n.flag("align_corners"), half = n.flag("half_pixel_centers");
  if (corners && half) n.fail("align_corners and half_pixel_centers; supported: at most one of them");
  resize.coordinates = corners   ? C::align_corners
                       : !half   ? C::asymmetric
                       : nearest ? C::tf_half_pixel_nearest
                                 : C::half_pixel;
  if (nearest) resize.nearest = corners ? Resize::Nearest::round_prefer_ceil : Resize::Nearest::floor;
}

template <Resize::Mode mode>
void resize(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  n.ignore({"new_height", "new_width"});  // of old files; the second input counts
  const TensorId x = n.input(0);
  n.expect_rank(x, 4, 4);
  n.expect_real(x);
  const Ints size = n.integers_in(1, "size");
  if (size.size() != 2) n.fail(fmt::format("{} sizes; supported: height and width", size.size()));
  const Shape shape = n.tensor(0).shape;
  const Shape resized = {shape[0], size[0], size[1], shape[3]};
  n.check_resized(shape, resized);
  Node node = n.node(OpKind::resize, {x});
  node.resize.mode = mode;
  set_coordinates(n, node.resize);
  n.emit(std::move(node), n.output_like(x, resized));
}

template <OpKind op>
void blocks(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  n.expect_rank(x, 4, 4);
  const Shape s = n.tensor(0).shape;
  const int64_t block = n.integer("block_size");
  constexpr bool kToSpace = op == OpKind::depth_to_space;
  constexpr int64_t kMost = 1 << 10;
  const bool divides =
      block >= 1 && block <= kMost && (kToSpace ? s[3] % (block * block) == 0 : s[1] % block == 0 && s[2] % block == 0);
  if (!divides)
    n.fail_attribute("block_size", fmt::format("{} for an input of {}", block, to_string(s)),
                     kToSpace ? "what divides the channels, squared" : "what divides height and width");
  Node node = n.node(op, {x});
  node.block = block;
  const Shape to = kToSpace ? Shape{s[0], s[1] * block, s[2] * block, s[3] / (block * block)}
                            : Shape{s[0], s[1] / block, s[2] / block, s[3] * block * block};
  n.emit(std::move(node), n.output_like(x, to));
}

}  // namespace

void add_reduce_ops(std::unordered_map<std::string, Handler>& table) {
  table["MEAN"] = mean;
  table["SUM"] = reduce<Reduction::sum>;
  table["REDUCE_MAX"] = reduce<Reduction::max>;
  table["REDUCE_MIN"] = reduce<Reduction::min>;
  table["REDUCE_PROD"] = reduce<Reduction::prod>;
  table["ARG_MAX"] = arg<Reduction::max>;
  table["ARG_MIN"] = arg<Reduction::min>;
  table["RESIZE_BILINEAR"] = resize<Resize::Mode::linear>;
  table["RESIZE_NEAREST_NEIGHBOR"] = resize<Resize::Mode::nearest>;
  table["DEPTH_TO_SPACE"] = blocks<OpKind::depth_to_space>;
  table["SPACE_TO_DEPTH"] = blocks<OpKind::space_to_depth>;
}

}  // namespace octet::tflite_import

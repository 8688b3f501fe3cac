// A convolution over depth, height and width as one over height and width: the planes that a depth of the kernel meets
// lie behind each other as channels, and every output plane is an image of its own. Only moves are added, so quantized
// ones stay quantized.
#include <fmt/format.h>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

TensorId moved(NodeImport& n, OpKind op, TensorId x, const std::string& suffix, Shape shape) {
  return n.step(op, {x}, suffix, DType::f32, std::move(shape)).outputs[0];
}

// [oc, ic, kd, kh, kw] -> [oc, kd * ic, kh, kw]
TensorId planes_of_weights(NodeImport& n, TensorId weights) {
  return changed_weights(n, weights, "/planes", [&n](Tensor& w) {
    const Shape s = w.shape;
    const Ints at = row_major_strides(s);
    n.charge(byte_count(s, w.dtype));
    w.data = std::make_shared<const ConstantBytes>(
        strided_copy(w, {s[0], s[2], s[1], s[3], s[4]}, 0, {at[0], at[2], at[1], at[3], at[4]}));
    w.shape = {s[0], s[2] * s[1], s[3], s[4]};
  });
}

TensorId padded(NodeImport& n, TensorId x, const Axis& depth) {
  if (depth.begin == 0 && depth.end == 0) return x;
  Shape shape = n.graph.tensor(x).shape;
  shape[2] += depth.begin + depth.end;
  Node& pad = n.step(OpKind::pad, {x}, "/padded", DType::f32, std::move(shape));
  pad.pads = {0, 0, depth.begin, 0, 0, 0, 0, depth.end, 0, 0};
  return pad.outputs[0];
}

// [n, g, ic, d, h, w] of every depth of the kernel, one behind the other: [n, g, kd * ic, od, h, w]
TensorId stacked(NodeImport& n, TensorId x, const Axis& depth, int64_t out, int64_t group) {
  const Shape s = n.graph.tensor(x).shape;
  std::vector<TensorId> planes;
  for (int64_t k = 0; k < depth.kernel; ++k) {
    const std::string suffix = fmt::format("/depth{}", k);
    Node& slice = n.step(OpKind::slice, {x}, suffix, DType::f32, {s[0], s[1], out, s[3], s[4]});
    slice.starts = {0, 0, k * depth.dilation, 0, 0};
    slice.steps = {1, 1, depth.stride, 1, 1};
    planes.push_back(
        moved(n, OpKind::reshape, slice.outputs[0], suffix + "/grouped", {s[0], group, s[1] / group, out, s[3], s[4]}));
  }
  const Shape whole = {s[0], group, depth.kernel * s[1] / group, out, s[3], s[4]};
  Node& concat = n.step(OpKind::concat, std::move(planes), "/planes", DType::f32, whole);
  concat.axis = 2;
  return concat.outputs[0];
}

}  // namespace

void conv3d_into(NodeImport& n, TensorId x, TensorId weights, TensorId bias) {
  const Shape xs = n.graph.tensor(x).shape;
  const auto [group, s] = read_conv(n, x, weights, bias);
  const Shape& y = s.shape;  // n, oc, od, oh, ow
  const TensorId planes = stacked(n, padded(n, x, s.axes[0]), s.axes[0], y[2], group);
  const int64_t channels = s.axes[0].kernel * xs[1];
  const TensorId merged = moved(n, OpKind::reshape, planes, "/merged", {xs[0], channels, y[2], xs[3], xs[4]});
  Node& turn = n.step(OpKind::transpose, {merged}, "/turned", DType::f32, {xs[0], y[2], channels, xs[3], xs[4]});
  turn.perm = {0, 2, 1, 3, 4};
  const TensorId turned = turn.outputs[0];
  const TensorId images = moved(n, OpKind::reshape, turned, "/images", {xs[0] * y[2], channels, xs[3], xs[4]});
  std::vector<TensorId> inputs = {images, planes_of_weights(n, weights)};
  if (bias != kNoTensor) inputs.push_back(bias);
  Node& conv = n.step(OpKind::conv, std::move(inputs), "/conv", DType::f32, {xs[0] * y[2], y[1], y[3], y[4]});
  conv.window = s.window;
  conv.group = group;
  const TensorId result = conv.outputs[0];
  const TensorId depths = moved(n, OpKind::reshape, result, "/depths", {xs[0], y[2], y[1], y[3], y[4]});
  n.step(OpKind::transpose, {depths}, "", DType::f32, y).perm = {0, 2, 1, 3, 4};
}

}  // namespace octet::onnx_import

// A convolution whose weights or bias the network computes: its windows are gathered, and matrices multiplied.
#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

TensorId reshaped(NodeImport& n, TensorId x, const std::string& suffix, Shape shape) {
  return n.step(OpKind::reshape, {x}, suffix, DType::f32, std::move(shape)).outputs[0];
}

// x with its padding.
TensorId padded(NodeImport& n, TensorId x, const std::vector<Axis>& axes) {
  Shape shape = n.graph.tensor(x).shape;
  const size_t rank = shape.size();
  Ints pads(2 * rank, 0);
  for (size_t d = 0; d < axes.size(); ++d) {
    pads[d + 2] = axes[d].begin;
    pads[d + 2 + rank] = axes[d].end;
    shape[d + 2] += axes[d].begin + axes[d].end;
  }
  if (shape == n.graph.tensor(x).shape) return x;
  n.check_shape(shape, DType::f32);
  Node& pad = n.step(OpKind::pad, {x}, "/padded", DType::f32, std::move(shape));
  pad.pads = std::move(pads);
  return pad.outputs[0];
}

// For every tap of the kernel and then every output, row-major: where the tap lies in a channel of the padded input.
std::vector<int32_t> places(const std::vector<Axis>& axes, const Shape& outputs) {
  Shape dims;
  Ints steps;
  const auto add = [&](bool taps) {
    int64_t stride = 1;
    for (size_t d = axes.size(); d-- > 0;) {
      const Axis& a = axes[d];
      dims.insert(dims.begin(), taps ? a.kernel : outputs[d + 2]);
      steps.insert(steps.begin(), stride * (taps ? a.dilation : a.stride));
      stride *= a.in + a.begin + a.end;
    }
  };
  add(false);
  add(true);
  std::vector<int32_t> all = {0};
  for (size_t d = 0; d < dims.size(); ++d) {
    std::vector<int32_t> next;
    next.reserve(all.size() * static_cast<size_t>(dims[d]));
    for (int32_t at : all)
      for (int64_t i = 0; i < dims[d]; ++i) next.push_back(at + static_cast<int32_t>(i * steps[d]));
    all = std::move(next);
  }
  return all;
}

}  // namespace

void conv_computed_into(NodeImport& n, TensorId x, TensorId weights, TensorId bias) {
  n.expect_rank(x, 3, 5);
  const Shape xs = n.graph.tensor(x).shape, ws = n.graph.tensor(weights).shape;
  const auto [group, s] = read_conv(n, x, weights, bias);
  const int64_t taps = element_count(Shape(ws.begin() + 2, ws.end()));
  const int64_t outputs = element_count(Shape(s.shape.begin() + 2, s.shape.end()));
  const Shape windows = {xs[0], group, ws[1] * taps, outputs}, gathered = {xs[0], xs[1], taps * outputs};
  n.check_shape(s.shape, DType::f32);
  n.check_shape(gathered, DType::f32);
  n.charge(byte_count({taps, outputs}, DType::s32));
  const TensorId image = padded(n, x, s.axes);
  const Shape image_shape = n.graph.tensor(image).shape;
  const TensorId flat =
      reshaped(n, image, "/flat", {xs[0], xs[1], element_count(Shape(image_shape.begin() + 2, image_shape.end()))});
  const TensorId indices = n.constant_step("/places", DType::s32, {taps * outputs}, places(s.axes, s.shape));
  Node& gather = n.step(OpKind::gather, {flat, indices}, "/windows", DType::f32, gathered);
  gather.axis = 2;
  const TensorId columns = reshaped(n, gather.outputs[0], "/columns", windows);
  const TensorId rows = reshaped(n, weights, "/rows", {group, ws[0] / group, ws[1] * taps});
  const TensorId product =
      n.step(OpKind::matmul, {rows, columns}, "/product", DType::f32, {xs[0], group, ws[0] / group, outputs})
          .outputs[0];
  if (bias == kNoTensor) {
    reshaped(n, product, "", s.shape);
    return;
  }
  Shape along(s.shape.size() - 1, 1);
  along[0] = ws[0];
  const TensorId sums = reshaped(n, product, "/sums", s.shape);
  binary(n, {.op = OpKind::add}, sums, reshaped(n, bias, "/bias", along));
}

}  // namespace octet::onnx_import

// Networks for the tests of the passes, in the file's form. Scales are powers of two, so that every int8 formula is
// exact and every rounding tie is a real one.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/net.h"
#include "tests/support/random.h"

namespace octet {

inline constexpr float kIn = 0x1p-4f, kWeight = 0x1p-5f, kOut = 0x1p-2f;

inline std::vector<int32_t> random_weights(size_t count, DType dtype, uint32_t seed) {
  Random random(seed);
  const int lo = dtype == DType::u8 ? 0 : -128;
  std::vector<int32_t> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = lo + (i % 7 == 0 ? 0 : i % 11 == 0 ? 255 : static_cast<int>(random() % 256));
  return values;
}

inline size_t elements(const Shape& shape) {
  return static_cast<size_t>(element_count(shape));
}

// Per output channel: scales of three sizes; zero points of u8 weights at both ends and between.
inline QuantParams per_channel(int64_t channels, DType dtype) {
  QuantParams q{{}, {}, 0};
  for (int64_t c = 0; c < channels; ++c) {
    q.scale.push_back(c % 3 == 0 ? kWeight : c % 3 == 1 ? kWeight / 4 : kWeight * 2);
    q.zero_point.push_back(dtype == DType::s8 ? 0 : c % 3 == 0 ? 255 : c % 3 == 1 ? 0 : 131);
  }
  return q;
}

// Types and zero points of a network.
struct Flavour {
  DType activations, weights;
  int32_t zero_in, zero_out;
};
inline const std::vector<Flavour> kFlavours = {{DType::u8, DType::s8, 113, 0},
                                               {DType::u8, DType::u8, 255, 129},
                                               {DType::s8, DType::s8, -128, 127},
                                               {DType::s8, DType::s8, -3, 5}};

class QuantizedNet : public Net {
 public:
  explicit QuantizedNet(Flavour f) : f_(f) {}

  TensorId start(Shape shape) { return q(input("x", std::move(shape)), "x_q", kIn, f_.zero_in); }
  TensorId q(TensorId x, const std::string& name, float scale, int32_t zero) {
    return qdq(x, name, scale, zero, f_.activations);
  }
  TensorId out_q(TensorId x, const std::string& name) { return q(x, name, kOut, f_.zero_out); }
  // Output channels of the layers to come that are to have tiny sums beside a bias of this much (0: an ordinary one).
  std::function<float(int64_t channel)> stuck = [](int64_t) { return 0.0f; };

  TensorId some_weights(const std::string& name, Shape shape) {
    const int64_t oc = shape[0];
    const QuantParams quant = per_channel(oc, f_.weights);
    std::vector<int32_t> values = random_weights(elements(shape), f_.weights, ++seed_);
    const size_t row = values.size() / static_cast<size_t>(oc);
    for (size_t i = 0; i < values.size(); ++i)
      if (const int32_t zero = quant.zero_point[i / row]; stuck(static_cast<int64_t>(i / row)) != 0)
        values[i] = zero + (zero == 255 ? -1 : 1) * static_cast<int32_t>(i % 3 == 0);
    return weights(name, f_.weights, shape, values, quant);
  }
  TensorId some_bias(const std::string& name, int64_t oc) {
    std::vector<float> values(static_cast<size_t>(oc));
    for (size_t c = 0; c < values.size(); ++c)
      values[c] = static_cast<float>(static_cast<int>(c % 5) - 2) * 0x1p-3f + stuck(static_cast<int64_t>(c));
    return constant(name, {oc}, values);
  }
  TensorId conv3(const std::string& name, TensorId x, int64_t oc, int stride = 1, int64_t group = 1) {
    const Shape s = shape(x);
    const Window w{.kh = 3,
                   .kw = 3,
                   .stride_h = stride,
                   .stride_w = stride,
                   .pad_top = 1,
                   .pad_left = 1,
                   .pad_bottom = 1,
                   .pad_right = 1};
    const Shape to = {s[0], oc, (s[2] - 1) / stride + 1, (s[3] - 1) / stride + 1};
    return conv(name, x, some_weights(name + "_w", {oc, s[1] / group, 3, 3}), some_bias(name + "_b", oc), w, to, group);
  }
  TensorId conv1(const std::string& name, TensorId x, int64_t oc) {
    const Shape s = shape(x);
    return conv(name, x, some_weights(name + "_w", {oc, s[1], 1, 1}), kNoTensor, {}, {s[0], oc, s[2], s[3]});
  }
  // `extra`: output_padding.
  TensorId conv_transpose(const std::string& name, TensorId x, int64_t oc, const Window& w, int64_t group = 1,
                          int extra = 0) {
    const Shape s = shape(x);
    const auto out = [&](int64_t in, int stride, int taps, int dilation, int pads) {
      return (in - 1) * stride + (taps - 1) * dilation + 1 - pads + extra;
    };
    const int64_t oh = out(s[2], w.stride_h, w.kh, w.dilation_h, w.pad_top + w.pad_bottom);
    const int64_t ow = out(s[3], w.stride_w, w.kw, w.dilation_w, w.pad_left + w.pad_right);
    const Shape shape{s[1], oc / group, w.kh, w.kw};
    QuantParams quant = per_channel(oc / group, f_.weights);
    quant.axis = 1;
    const TensorId weight =
        weights(name + "_w", f_.weights, shape, random_weights(elements(shape), f_.weights, ++seed_), quant);
    return node({.op = OpKind::conv_transpose, .name = name, .source = "ConvTranspose", .window = w, .group = group},
                {x, weight, some_bias(name + "_b", oc)}, {s[0], oc, oh, ow});
  }
  TensorId reshape(const std::string& name, TensorId x, Shape to) {
    return node({.op = OpKind::reshape, .name = name}, {x}, std::move(to));
  }
  TensorId transpose(const std::string& name, TensorId x, std::vector<int64_t> perm) {
    Shape to;
    for (int64_t d : perm) to.push_back(shape(x)[static_cast<size_t>(d)]);
    return node({.op = OpKind::transpose, .name = name, .perm = std::move(perm)}, {x}, to);
  }
  TensorId concat(const std::string& name, const std::vector<TensorId>& xs, int axis) {
    Shape to = shape(xs[0]);
    to[static_cast<size_t>(axis)] = 0;
    for (TensorId x : xs) to[static_cast<size_t>(axis)] += shape(x)[static_cast<size_t>(axis)];
    return node({.op = OpKind::concat, .name = name, .axis = axis}, xs, to);
  }
  TensorId slice(const std::string& name, TensorId x, std::vector<int64_t> starts, std::vector<int64_t> steps,
                 Shape to) {
    return node({.op = OpKind::slice, .name = name, .starts = std::move(starts), .steps = std::move(steps)}, {x},
                std::move(to));
  }
  TensorId pad(const std::string& name, TensorId x, std::vector<int64_t> pads, float value,
               PadMode mode = PadMode::constant) {
    Shape to = shape(x);
    for (size_t d = 0; d < to.size(); ++d) to[d] += pads[d] + pads[to.size() + d];
    return node({.op = OpKind::pad, .name = name, .alpha = value, .pads = std::move(pads), .pad_mode = mode}, {x}, to);
  }
  TensorId linear(const std::string& name, TensorId x, int64_t oc) {
    Shape to = shape(x);
    const int64_t k = to.back();
    to.back() = oc;
    return node({.op = OpKind::linear, .name = name},
                {x, some_weights(name + "_w", {oc, k}), some_bias(name + "_b", oc)}, to);
  }
  TensorId add(const std::string& name, TensorId a, TensorId b) { return binary(OpKind::add, name, a, b); }
  TensorId mul(const std::string& name, TensorId a, TensorId b) { return binary(OpKind::mul, name, a, b); }
  TensorId binary(OpKind op, const std::string& name, TensorId a, TensorId b) {
    Shape to = shape(a).size() > shape(b).size() ? shape(a) : shape(b);
    for (size_t d = 1; d <= std::min(shape(a).size(), shape(b).size()); ++d)
      to[to.size() - d] = std::max(shape(a)[shape(a).size() - d], shape(b)[shape(b).size() - d]);
    return node({.op = op, .name = name}, {a, b}, to);
  }
  TensorId some_constant(const std::string& name, Shape shape) {  // one scale, an activation's type
    const DType t = f_.activations;
    return weights(name, t, shape, random_weights(elements(shape), t, ++seed_), {{kIn}, {f_.zero_out}, -1});
  }
  TensorId max_pool(const std::string& name, TensorId x, Window w, Shape to) {
    return node({.op = OpKind::max_pool, .name = name, .window = w}, {x}, std::move(to));
  }
  TensorId global_pool(const std::string& name, TensorId x) {
    Shape to = shape(x);
    for (size_t d = 2; d < to.size(); ++d) to[d] = 1;
    return node({.op = OpKind::global_average_pool, .name = name}, {x}, to);
  }
  const Flavour& flavour() const { return f_; }

 private:
  Flavour f_;
  uint32_t seed_ = 0;
};

// Values for every input: sixteenths of a quantum, beyond both ends of the range; integers as they are.
inline Arrays some_inputs(const Graph& graph, uint32_t seed) {
  Arrays inputs;
  Random random(seed);
  for (TensorId t : graph.inputs) {
    const Tensor& tensor = graph.tensor(t);
    std::vector<double> values(elements(tensor.shape));
    for (double& v : values)
      v = tensor.dtype == DType::f32 ? (static_cast<int>(random() % 8192) - 4096) * 0x1p-8
                                     : static_cast<int>(random() % 256) - (tensor.dtype == DType::s8 ? 128 : 0);
    inputs.push_back(values);
  }
  return inputs;
}

}  // namespace octet

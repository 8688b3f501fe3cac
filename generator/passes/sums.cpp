// What an accumulator can hold: every product at its least and its most, exact for each output channel by itself. Reads
// every weight of a model while it loads.
#include "generator/passes/sums.h"

#include <algorithm>

#include "generator/passes/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Products of s16 values whose sum over kBlock of them fits s32: |weight - zero point| and |x - zero point| are at most
// 255, and a weight is positive or negative.
constexpr size_t kBlock = size_t{1} << 14;

// x - zero point at its least and most, for each weight of one output channel.
struct Factors {
  std::vector<int16_t> least, most;
};

Factors factors_of(const Tensor& x, int64_t first, int64_t channels, int64_t taps, bool padded) {
  const int32_t zero = x.quant->zero_point[0];
  Factors f;
  for (int64_t c = 0; c < channels; ++c) {
    const QRange r = x.proved.empty() ? type_range(x.dtype) : x.proved[static_cast<size_t>(first + c)];
    const int least = r.lo - zero, most = r.hi - zero;
    f.least.insert(f.least.end(), static_cast<size_t>(taps), static_cast<int16_t>(padded ? std::min(least, 0) : least));
    f.most.insert(f.most.end(), static_cast<size_t>(taps), static_cast<int16_t>(padded ? std::max(most, 0) : most));
  }
  return f;
}

template <class T>
SumRange sum_of(const T* weights, int zero, const Factors& f) {
  SumRange sum;
  for (size_t i = 0; i < f.least.size();) {
    const size_t end = std::min(f.least.size(), i + kBlock);
    int32_t lo = 0, hi = 0;
    for (; i < end; ++i) {
      const auto w = static_cast<int16_t>(weights[i] - zero);
      const int16_t positive = std::max<int16_t>(w, 0), negative = std::min<int16_t>(w, 0);
      hi += positive * f.most[i] + negative * f.least[i];
      lo += positive * f.least[i] + negative * f.most[i];
    }
    sum.lo += lo;
    sum.hi += hi;
  }
  return sum;
}

SumRange sum_of(const Tensor& w, size_t channel, const Factors& f) {
  const int zero = w.quant->zero_point[w.quant->per_tensor() ? 0 : channel];
  const size_t first = channel * f.least.size();
  return w.dtype == DType::u8 ? sum_of(w.values<uint8_t>().data() + first, zero, f)
                              : sum_of(w.values<int8_t>().data() + first, zero, f);
}

}  // namespace

TapsInside taps_inside(int in, int out, int taps, int stride, int dilation, int pad_before) {
  TapsInside inside{taps, 0};
  for (int64_t o = 0; o < out; ++o) {
    const int64_t begin = o * stride - pad_before, behind = in - 1 - begin;
    const int64_t first = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    const int64_t last = behind < 0 ? -1 : std::min<int64_t>(taps - 1, behind / dilation);
    const auto count = static_cast<int>(std::max<int64_t>(0, last - first + 1));
    inside = {std::min(inside.fewest, count), std::max(inside.most, count)};
    // All windows from the first to the last that lie inside do so: images may be long.
    if (count == taps)
      o = std::max(o, std::min<int64_t>(out - 1, (in - 1 - int64_t{taps - 1} * dilation + pad_before) / stride));
  }
  return inside;
}

bool reads_padding(const Graph& graph, const Node& n) {
  const Image in = image_of(graph.tensor(n.inputs[0])), out = image_of(graph.tensor(n.outputs[0]));
  const Window& w = n.window;
  return taps_inside(in.h, out.h, w.kh, w.stride_h, w.dilation_h, w.pad_top).fewest < w.kh ||
         taps_inside(in.w, out.w, w.kw, w.stride_w, w.dilation_w, w.pad_left).fewest < w.kw;
}

namespace {

const Tensor* bias_tensor(const Graph& graph, const Node& n) {
  return n.inputs.size() > 2 && n.inputs[2] != kNoTensor ? &graph.tensor(n.inputs[2]) : nullptr;
}

}  // namespace

std::vector<float> float_bias_of(const Graph& graph, const Node& n) {
  const Tensor* bias = bias_tensor(graph, n);
  if (!bias || bias->dtype != DType::f32) return {};
  const auto values = bias->values<float>();
  return {values.begin(), values.end()};
}

std::vector<int32_t> bias_of(const Graph& graph, const Node& n) {
  const Tensor* bias = bias_tensor(graph, n);
  if (bias && bias->dtype != DType::f32) return integers(*bias);
  return std::vector<int32_t>(static_cast<size_t>(graph.tensor(n.inputs[1]).shape[0]), 0);
}

std::vector<SumRange> sums_of(const Graph& graph, const Node& n) {
  const Tensor &x = graph.tensor(n.inputs[0]), &w = graph.tensor(n.inputs[1]);
  const bool padded = n.op == OpKind::conv && reads_padding(graph, n);
  const int64_t oc = w.shape[0], groups = n.op == OpKind::conv ? n.group : 1;
  const int64_t row = element_count(w.shape) / oc, channels = w.shape[1], taps = row / channels;
  const std::vector<int32_t> bias = bias_of(graph, n);
  if (static_cast<int64_t>(bias.size()) != oc || oc % groups != 0 || groups * channels != channel_count(x))
    internal_error(describe(n) + ": shapes of source, weights and bias disagree");
  std::vector<SumRange> sums;
  Factors factors;
  for (int64_t c = 0; c < oc; ++c) {
    const int64_t group = c / (oc / groups);
    if (c % (oc / groups) == 0) factors = factors_of(x, group * channels, channels, taps, padded);
    const SumRange sum = sum_of(w, static_cast<size_t>(c), factors);
    const int64_t b = bias[static_cast<size_t>(c)];
    sums.push_back({sum.lo + b, sum.hi + b});
  }
  return sums;
}

}  // namespace octet

// A quantized transposed convolution as an ordinary one, whose kernels are fast.
//
// Along one axis, with stride s, dilation d and `crop` cut off in front, output o sums x[i] w[t] over i s + t d = o +
// crop. Write o + crop = s v + p: only taps with t d mod s = p take part, at i = v - floor(t d / s). So the outputs of
// one phase p are a convolution of x with every s-th tap, back to front, and all phases read the same window: they
// become output channels of one convolution, which moves then interleave. Taps that a phase lacks have weight 0, and no
// product or sum changes.
#include <algorithm>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"

namespace octet {
namespace {

struct Axis {
  int64_t in, out, kernel, stride, dilation, crop;
  int64_t reach() const { return (kernel - 1) * dilation / stride; }  // window - 1
  // Outputs of a phase beyond those of the input: in front where the crop is negative, and behind.
  int64_t before() const { return crop < 0 ? (stride - 1 - crop) / stride : 0; }
  int64_t after() const { return std::max<int64_t>(0, (crop + out - 1) / stride + 1 - in); }
  int64_t made() const { return before() + in + after(); }
  int64_t start() const { return crop + before() * stride; }  // of what stays
};

struct Shapes {
  Axis h, w;
  int64_t n, group, ic, oc;  // channels of one group
  int64_t phases() const { return h.stride * w.stride; }
  int64_t channels() const { return group * phases() * oc; }
  // Output channel of the convolution: groups, phases, the group's own channels.
  int64_t channel(int64_t g, int64_t ph, int64_t pw, int64_t c) const {
    return ((g * h.stride + ph) * w.stride + pw) * oc + c;
  }
};

Shapes shapes_of(const Graph& graph, const Node& n) {
  const Shape &x = graph.tensor(n.inputs[0]).shape, &y = graph.tensor(n.outputs[0]).shape,
              &w = graph.tensor(n.inputs[1]).shape;
  const size_t rank = x.size(), column = graph.channels_last ? rank - 2 : rank - 1, row = column - 1;
  const Window& k = n.window;
  const bool flat = rank == 3;
  return {.h = {flat ? 1 : x[row], flat ? 1 : y[row], k.kh, k.stride_h, k.dilation_h, k.pad_top},
          .w = {x[column], y[column], k.kw, k.stride_w, k.dilation_w, k.pad_left},
          .n = x[0],
          .group = n.group,
          .ic = w[0] / n.group,
          .oc = w[1]};
}

// Of [ic, oc / group, kh, kw]: the convolution's, [channels, ic / group, window, window].
TensorId phase_weights(Edit& edit, const Shapes& s, TensorId from, bool flat) {
  const Tensor w = edit.graph().tensor(from);
  const std::vector<int32_t> values = integers(w);
  const QuantParams& q = *w.quant;
  const auto scale_of = [&q](int64_t c) { return q.per_tensor() ? 0 : static_cast<size_t>(c); };
  const int64_t kh = s.h.reach() + 1, kw = s.w.reach() + 1;
  QuantParams quant = q;
  if (!q.per_tensor()) quant = {std::vector<float>(static_cast<size_t>(s.channels())), {}, 0};
  quant.zero_point.resize(quant.scale.size());
  std::vector<int32_t> out(static_cast<size_t>(s.channels() * s.ic * kh * kw));
  for (int64_t g = 0; g < s.group; ++g)
    for (int64_t ph = 0; ph < s.h.stride; ++ph)
      for (int64_t pw = 0; pw < s.w.stride; ++pw)
        for (int64_t c = 0; c < s.oc; ++c) {
          const int64_t channel = s.channel(g, ph, pw, c);
          if (!q.per_tensor()) {
            quant.scale[static_cast<size_t>(channel)] = q.scale[scale_of(c)];
            quant.zero_point[static_cast<size_t>(channel)] = q.zero_point[scale_of(c)];
          }
          const auto row = out.begin() + channel * s.ic * kh * kw;
          std::fill(row, row + s.ic * kh * kw, q.zero_point[scale_of(c)]);
          for (int64_t i = 0; i < s.ic; ++i)
            for (int64_t th = 0; th < s.h.kernel; ++th)
              for (int64_t tw = 0; tw < s.w.kernel; ++tw) {
                const int64_t uh = th * s.h.dilation, uw = tw * s.w.dilation;
                if (uh % s.h.stride != ph || uw % s.w.stride != pw) continue;
                const int64_t source = (((g * s.ic + i) * s.oc + c) * s.h.kernel + th) * s.w.kernel + tw;
                const int64_t at = (i * kh + s.h.reach() - uh / s.h.stride) * kw + s.w.reach() - uw / s.w.stride;
                row[at] = values[static_cast<size_t>(source)];
              }
        }
  const Shape shape = flat ? Shape{s.channels(), s.ic, kw} : Shape{s.channels(), s.ic, kh, kw};
  const TensorId id = add_integers(edit.graph(), w.name + "_phases", w.dtype, shape, out);
  edit.graph().tensor(id).quant = quant;
  return id;
}

template <class T>
std::vector<T> repeated(const Shapes& s, const std::vector<T>& values) {
  std::vector<T> out(static_cast<size_t>(s.channels()));
  for (int64_t g = 0; g < s.group; ++g)
    for (int64_t ph = 0; ph < s.h.stride; ++ph)
      for (int64_t pw = 0; pw < s.w.stride; ++pw)
        for (int64_t c = 0; c < s.oc; ++c)
          out[static_cast<size_t>(s.channel(g, ph, pw, c))] = values[static_cast<size_t>(g * s.oc + c)];
  return out;
}

// One value per output channel, for every phase; s32 ones stay integers. kNoTensor where it is no such constant.
TensorId phase_bias(Edit& edit, const Shapes& s, int near, TensorId bias) {
  Graph& graph = edit.graph();
  const TensorId behind = dequantized_from(edit, bias);
  const Tensor from = graph.tensor(behind == kNoTensor ? bias : behind);
  const auto count = static_cast<size_t>(s.group * s.oc);
  if (!from.is_constant() || static_cast<size_t>(element_count(from.shape)) != count) return kNoTensor;
  const std::string name = from.name + "_phases";
  if (from.dtype == DType::f32) {
    const std::vector<float> values(from.values<float>().begin(), from.values<float>().end());
    return graph.add_constant<float>(name, DType::f32, {s.channels()}, repeated(s, values));
  }
  const TensorId id = add_integers(graph, name, from.dtype, {s.channels()}, repeated(s, integers(from)));
  if (from.quant) {
    QuantParams quant = *from.quant;
    if (!quant.per_tensor()) quant = {repeated(s, quant.scale), repeated(s, quant.zero_point), 0};
    graph.tensor(id).quant = quant;
  }
  if (behind == kNoTensor) return id;
  const TensorId real = edit.add_tensor({.name = name, .shape = {s.channels()}});
  Node dequantize = edit.node(edit.producer(bias));
  dequantize.inputs = {id};
  dequantize.outputs = {real};
  edit.add_node(std::move(dequantize), near);
  return real;
}

TensorId moved(Edit& edit, int near, Node node, TensorId x, Shape shape) {
  Tensor y = edit.graph().tensor(x);
  y.name = node.name;
  y.shape = std::move(shape);
  node.source = edit.node(near).source;
  node.inputs = {x};
  const TensorId id = edit.add_tensor(std::move(y));
  node.outputs = {id};
  edit.add_node(std::move(node), near);
  return id;
}

void expand(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  const Tensor &x = graph.tensor(node.inputs[0]), &w = graph.tensor(node.inputs[1]);
  if (!x.is_quantized() || !w.is_constant() || !w.is_quantized() || !graph.tensor(node.outputs[0]).is_quantized())
    return;
  if (!w.quant->per_tensor() && w.quant->axis != 1) return;
  const bool flat = x.shape.size() == 3, last = graph.channels_last;
  const Shapes s = shapes_of(graph, node);
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoTensor;
  const TensorId bias = has_bias ? phase_bias(edit, s, i, node.inputs[2]) : kNoTensor;
  if (has_bias && bias == kNoTensor) return;
  const TensorId weights = phase_weights(edit, s, node.inputs[1], flat);
  Node conv = node;
  conv.op = OpKind::conv;
  conv.window = {.kh = static_cast<int>(s.h.reach() + 1),
                 .kw = static_cast<int>(s.w.reach() + 1),
                 .pad_top = static_cast<int>(s.h.reach() + s.h.before()),
                 .pad_left = static_cast<int>(s.w.reach() + s.w.before()),
                 .pad_bottom = static_cast<int>(s.h.after()),
                 .pad_right = static_cast<int>(s.w.after())};
  conv.inputs = {node.inputs[0], weights};
  if (has_bias) conv.inputs.push_back(bias);
  const int64_t hm = s.h.made(), wm = s.w.made(), hs = s.h.stride, ws = s.w.stride;
  Tensor phases = graph.tensor(node.outputs[0]);
  phases.name += "_phases";
  phases.shape = last   ? Shape{s.n, hm, wm, s.channels()}
                 : flat ? Shape{s.n, s.channels(), wm}
                        : Shape{s.n, s.channels(), hm, wm};
  if (last && flat) phases.shape.erase(phases.shape.begin() + 1);
  TensorId y = edit.add_tensor(std::move(phases));
  conv.outputs = {y};
  edit.add_node(std::move(conv), i);
  const auto step = [&](const char* suffix, Node move, Shape shape) {
    move.name = node.name + suffix;
    y = moved(edit, i, std::move(move), y, std::move(shape));
  };
  const int64_t channels = s.group * s.oc;
  if (s.phases() > 1 && last) {
    step("/apart", {.op = OpKind::reshape}, {s.n, hm, wm, s.group, hs, ws, s.oc});
    step("/woven", {.op = OpKind::transpose, .perm = {0, 1, 4, 2, 5, 3, 6}}, {s.n, hm, hs, wm, ws, s.group, s.oc});
  } else if (s.phases() > 1) {
    step("/apart", {.op = OpKind::reshape}, {s.n, s.group, hs, ws, s.oc, hm, wm});
    step("/woven", {.op = OpKind::transpose, .perm = {0, 1, 4, 5, 2, 6, 3}}, {s.n, s.group, s.oc, hm, hs, wm, ws});
  }
  Shape whole = last   ? Shape{s.n, hm * hs, wm * ws, channels}
                : flat ? Shape{s.n, channels, wm * ws}
                       : Shape{s.n, channels, hm * hs, wm * ws};
  if (last && flat) whole.erase(whole.begin() + 1);
  if (s.phases() > 1) step("/whole", {.op = OpKind::reshape}, whole);
  std::vector<int64_t> starts(whole.size(), 0);
  const size_t column = last ? whole.size() - 2 : whole.size() - 1;
  starts[column] = s.w.start();
  if (!flat) starts[column - 1] = s.h.start();
  const TensorId out = node.outputs[0];
  Node cut{.op = OpKind::slice, .name = node.name, .source = node.source, .inputs = {y}, .outputs = {out}};
  cut.starts = starts;
  cut.steps.assign(whole.size(), 1);
  edit.remove(i);
  edit.add_node(std::move(cut), i);
}

}  // namespace

void expand_conv_transpose(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order())
    if (edit.node(i).op == OpKind::conv_transpose) expand(edit, i);
  edit.finish();
}

}  // namespace octet

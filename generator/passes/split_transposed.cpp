// A transposed convolution becomes an ordinary one that computes every residue of the output's position modulo the
// stride as output channels of its own, and moves that put them side by side. Channels last.
//
// Output o takes the taps k with o + pad = s * i + k. Let o = s * j + r, b = (r + pad) / s and a = (r + pad) % s: then
// k = a + s * m and i = j + b - m, which is an ordinary convolution over i for every r. All residues share one window
// over i - j, with zero weights where one has no tap; padding adds nothing to a sum, as the gaps of the definition.
#include <fmt/format.h>

#include <algorithm>

#include "generator/passes/edit.h"
#include "generator/passes/lowering.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr int64_t kMostWeights = int64_t{1} << 28;  // of all residues

// One dimension.
struct Axis {
  int stride = 1, pad = 0, taps = 1, dilation = 1, in = 1, out = 1;
  int least = 0;  // the window over i - j is [least, most()], which holds 0 so that no input is skipped

  int length() const { return (taps - 1) * dilation + 1; }
  int residues() const { return std::min(stride, out); }     // that the output has
  int steps() const { return (out + stride - 1) / stride; }  // positions j
  int shift(int r) const { return (r + pad) / stride; }
  int first_tap(int r) const { return (r + pad) % stride; }
  int most() const { return shift(residues() - 1); }
  int window() const { return most() - least + 1; }
  // The tap of the kernel that residue r has at i - j = least + q, or -1.
  int tap(int r, int q) const {
    const int m = shift(r) - least - q;
    const int64_t k = first_tap(r) + int64_t{stride} * m;
    return m < 0 || k >= length() || k % dilation != 0 ? -1 : static_cast<int>(k) / dilation;
  }
};

Axis axis(int stride, int pad, int taps, int dilation, int in, int out) {
  Axis a{stride, pad, taps, dilation, in, out};
  for (int r = 0; r < a.residues(); ++r)
    if (const int behind = a.length() - 1 - a.first_tap(r); behind >= 0)
      a.least = std::min(a.least, a.shift(r) - behind / stride);
  return a;
}

class Splitter {
 public:
  Splitter(Edit& edit, int i) : edit_(edit), graph_(edit.graph()), i_(i), n_(edit.node(i)) {}

  void run() {
    const Tensor &x = tensor(n_.inputs[0]), &w = tensor(n_.inputs[1]), &y = tensor(n_.outputs[0]);
    if (x.shape.size() < 3 || x.shape.size() > 4 || !w.is_constant() || !w.is_quantized())
      user_error(fmt::format(
          "{}: supported are transposed convolutions over one or two dimensions with constant weights", describe(n_)));
    const Window& v = n_.window;
    const Image from = image_of(x), to = image_of(y);
    h_ = axis(v.stride_h, v.pad_top, v.kh, v.dilation_h, from.h, to.h);
    w_ = axis(v.stride_w, v.pad_left, v.kw, v.dilation_w, from.w, to.w);
    in_group_ = w.shape[1];
    const double bytes =
        static_cast<double>(residues()) * static_cast<double>(in_group_ * w.shape[0]) * h_.window() * w_.window();
    if (bytes > kMostWeights)
      user_error(fmt::format(
          "{}: strides {}x{}, dilations {}x{} and an output of {}x{} pixels make {:.3g} weights; "
          "supported: {}",
          describe(n_), v.stride_h, v.stride_w, v.dilation_h, v.dilation_w, to.h, to.w, bytes, kMostWeights));
    replace();
  }

 private:
  const Tensor& tensor(TensorId t) const { return graph_.tensor(t); }
  int64_t residues() const { return int64_t{h_.residues()} * w_.residues(); }

  // A tensor on the way to the result, with its quantization.
  TensorId between(const char* what, Shape shape) {
    Tensor t = tensor(n_.outputs[0]);
    t.name += what;
    t.shape = std::move(shape);
    t.file_shape.clear();
    return edit_.add_tensor(std::move(t));
  }

  TensorId move(OpKind op, const char* what, TensorId from, Shape shape, std::vector<int64_t> perm = {}) {
    const TensorId to = between(what, std::move(shape));
    Node n{.op = op, .name = n_.name + what, .source = n_.source, .inputs = {from}, .outputs = {to}};
    n.perm = std::move(perm);
    edit_.add_node(std::move(n), i_);
    return to;
  }

  void replace() {
    const TensorId out = n_.outputs[0];
    const int64_t n = tensor(out).shape[0], rows = h_.steps(), columns = w_.steps(), sh = h_.residues(),
                  sw = w_.residues(), channels = in_group_ * n_.group;
    edit_.remove(i_);
    Node conv = n_;
    conv.op = OpKind::conv;
    conv.residues = residues();
    conv.undelegated =
        graph_.profile == Profile::xnn && (n_.window.stride_h > n_.window.kh || n_.window.stride_w > n_.window.kw);
    conv.window = {.kh = h_.window(), .kw = w_.window(), .pad_top = -h_.least, .pad_left = -w_.least};
    conv.window.pad_bottom = std::max(0, static_cast<int>(rows) + h_.most() - h_.in);
    conv.window.pad_right = std::max(0, static_cast<int>(columns) + w_.most() - w_.in);
    conv.inputs[1] = weights();
    if (conv.inputs.size() > 2 && conv.inputs[2] != kNoTensor) conv.inputs[2] = bias(conv.inputs[2]);
    if (residues() > 1) conv.outputs = {between("_residues", {n, rows, columns, sh * sw * channels})};
    TensorId t = conv.outputs[0];
    edit_.add_node(std::move(conv), i_);
    if (residues() == 1) return;
    if (n_.group > 1) t = move(OpKind::channel_permute, "_ungrouped", t, tensor(t).shape, ungrouped());
    t = move(OpKind::reshape, "_split", t, {n, rows, columns, sh, sw, channels});
    t = move(OpKind::transpose, "_turned", t, {n, rows, sh, columns, sw, channels}, {0, 1, 3, 2, 4, 5});
    const bool cropped = rows * sh != h_.out || columns * sw != w_.out;
    if (cropped) t = move(OpKind::reshape, "_joined", t, {n, rows * sh, columns * sw, channels});
    Node last{.op = cropped ? OpKind::slice : OpKind::reshape,
              .name = n_.name + "_result",
              .source = n_.source,
              .inputs = {t},
              .outputs = {out}};
    if (cropped) last.starts.assign(4, 0), last.steps.assign(4, 1);
    if (cropped && tensor(out).shape.size() == 3) {  // over one dimension: rows of one
      last.outputs = {between("_cropped", {n, 1, w_.out, channels})};
      edit_.add_node({.op = OpKind::reshape,
                      .name = n_.name + "_row",
                      .source = n_.source,
                      .inputs = last.outputs,
                      .outputs = {out}},
                     i_);
    }
    edit_.add_node(std::move(last), i_);
  }

  // Channels in the order group, residue, channel of the group -> residue, group, channel of the group.
  std::vector<int64_t> ungrouped() const {
    std::vector<int64_t> perm;
    for (int64_t r = 0; r < residues(); ++r)
      for (int64_t g = 0; g < n_.group; ++g)
        for (int64_t c = 0; c < in_group_; ++c) perm.push_back((g * residues() + r) * in_group_ + c);
    return perm;
  }

  // [ic, oc / group, kh, kw] -> [group, residue row, residue column, oc / group] x [ic / group, window], with the zero
  // point where no tap is.
  TensorId weights() {
    const Tensor w = tensor(n_.inputs[1]);
    const int64_t ic = w.shape[0] / n_.group, rows = h_.window(), columns = w_.window(), oc = in_group_ * n_.group;
    const QuantParams& from = *w.quant;
    const auto zero = [&](int64_t c) {
      return from.zero_point[from.per_tensor() ? 0 : static_cast<size_t>(c % in_group_)];
    };
    std::vector<std::byte> values;
    QuantParams quant{.axis = 0};
    values.reserve(static_cast<size_t>(residues() * oc * ic * rows * columns));
    for (int64_t g = 0; g < n_.group; ++g)
      for (int ry = 0; ry < h_.residues(); ++ry)
        for (int rx = 0; rx < w_.residues(); ++rx)
          for (int64_t c = 0; c < in_group_; ++c) {
            const size_t p = from.per_tensor() ? 0 : static_cast<size_t>(c);
            quant.scale.push_back(from.scale[p]);
            quant.zero_point.push_back(from.zero_point[p]);
            for (int64_t i = g * ic; i < (g + 1) * ic; ++i)
              for (int qy = 0; qy < rows; ++qy)
                for (int qx = 0; qx < columns; ++qx) {
                  const int ky = h_.tap(ry, qy), kx = w_.tap(rx, qx);
                  const auto at = static_cast<size_t>(((i * in_group_ + c) * h_.taps + ky) * w_.taps + kx);
                  values.push_back(ky < 0 || kx < 0 ? static_cast<std::byte>(zero(c)) : w.data->data()[at]);
                }
          }
    const TensorId id = graph_.add_constant<std::byte>(w.name, w.dtype, {residues() * oc, ic, rows, columns}, values);
    graph_.tensor(id).quant = from.per_tensor() ? from : quant;
    return id;
  }

  // The bias of every residue.
  TensorId bias(TensorId id) {
    const Tensor b = tensor(id);
    const size_t bytes = dtype_bytes(b.dtype), group_bytes = static_cast<size_t>(in_group_) * bytes;
    std::vector<std::byte> values;
    for (int64_t g = 0; g < n_.group; ++g)
      for (int64_t r = 0; r < residues(); ++r) {
        const std::byte* from = b.data->data() + static_cast<size_t>(g) * group_bytes;
        values.insert(values.end(), from, from + group_bytes);
      }
    return graph_.add_constant<std::byte>(b.name, b.dtype, {residues() * in_group_ * n_.group}, values);
  }

  Edit& edit_;
  Graph& graph_;
  int i_;
  const Node n_;
  Axis h_, w_;
  int64_t in_group_ = 1;  // output channels of a group
};

}  // namespace

void split_transposed(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order())
    if (edit.node(i).op == OpKind::conv_transpose && graph.tensor(edit.node(i).outputs[0]).is_quantized())
      Splitter(edit, i).run();
  edit.finish();
}

}  // namespace octet

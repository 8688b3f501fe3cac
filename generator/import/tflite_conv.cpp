// Convolutions, pooling, and products of matrices.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "generator/import/tflite_importer.h"

namespace octet::tflite_import {
namespace {

using importing::kMostWindow;

int pixels(NodeImport& n, std::string_view option, int64_t otherwise) {
  const int64_t v = n.integer(option, otherwise);
  if (v < 1 || v > kMostWindow) n.fail_attribute(option, fmt::format("{}", v), fmt::format("1 to {}", kMostWindow));
  return static_cast<int>(v);
}

bool is_same(NodeImport& n) {
  const std::string padding = n.choice("padding", "SAME");
  if (padding != "SAME" && padding != "VALID") n.fail_attribute("padding", padding, "SAME, VALID");
  return padding == "SAME";
}

// A window of that many pixels, with the strides of the options.
Window strided(NodeImport& n, int64_t kh, int64_t kw) {
  for (int64_t k : {kh, kw})
    if (k < 1 || k > kMostWindow) n.fail(fmt::format("a kernel of {} pixels; supported: 1 to {}", k, kMostWindow));
  return {.kh = static_cast<int>(kh),
          .kw = static_cast<int>(kw),
          .stride_h = pixels(n, "stride_h", 0),
          .stride_w = pixels(n, "stride_w", 0)};
}

// Where SAME puts an odd pixel of padding: at the end.
int64_t same_padding(int64_t in, int64_t stride, int64_t extent) {
  return std::max<int64_t>(((in - 1) / stride * stride) + extent - in, 0);
}

// The number of outputs along one axis; fills in its padding.
int64_t slide(const NodeImport& n, bool same, int64_t in, int kernel, int stride, int dilation, int& begin, int& end) {
  const int64_t extent = int64_t{dilation} * (kernel - 1) + 1;
  if (same) {
    const int64_t total = same_padding(in, stride, extent);
    begin = static_cast<int>(total / 2);
    end = static_cast<int>(total - total / 2);
    return (in - 1) / stride + 1;
  }
  if (in < extent)
    n.fail(fmt::format("a window of {} on {} pixels with padding VALID; supported: windows that fit", extent, in));
  return (in - extent) / stride + 1;
}

// n, h, w, channels of the output of a window that slides over x; fills in the window's padding.
Shape slide(NodeImport& n, const Shape& x, Window& w, int64_t channels) {
  const bool same = is_same(n);
  const int64_t h = slide(n, same, x[1], w.kh, w.stride_h, w.dilation_h, w.pad_top, w.pad_bottom);
  const int64_t width = slide(n, same, x[2], w.kw, w.stride_w, w.dilation_w, w.pad_left, w.pad_right);
  return {x[0], h, width, channels};
}

// Weights must be constant and of x's kind, with their scales along dimension `axis`. Integers beside a float input
// (what converters call dynamic range) stand for the real numbers that they are.
void check_weights(const NodeImport& n, TensorId x, TensorId weights, size_t rank, int axis) {
  n.expect_rank(weights, rank, rank);
  n.expect_elements(n.graph.tensor(weights).shape);
  const Tensor& w = n.graph.tensor(weights);
  if (!w.is_constant()) n.fail(fmt::format("weights {} are not constant; supported: constants", in_quotes(w.name)));
  if (n.expect_real(x) == DType::f32 && w.dtype == DType::f32) return;
  n.expect_dtype(weights, {DType::u8, DType::s8});
  if (!w.quant || (w.quant->axis != axis && !w.quant->per_tensor()))
    n.fail(fmt::format("weights {} have {}; supported: one scale, or one per output channel (dimension {})",
                       in_quotes(w.name),
                       w.quant ? fmt::format("scales along dimension {}", w.quant->axis) : "no scale", axis));
}

// The weights in the Graph's order, as real numbers where x is real.
TensorId turned_weights(NodeImport& n, TensorId x, TensorId weights, const Ints& perm) {
  const TensorId turned = n.turned(weights, perm);
  if (n.graph.tensor(x).dtype != DType::f32 || n.graph.tensor(turned).dtype == DType::f32) return turned;
  const TensorId real = n.temporary("/weights", DType::f32, n.graph.tensor(turned).shape, {});
  Node node = n.node(OpKind::dequantize, {turned});
  node.name += "/weights";
  n.emit(std::move(node), real);
  return real;
}

// Input i as a bias of `channels` values, appended where there is one. Its grid is s_x * s_w, whatever the file says.
void take_bias(NodeImport& n, size_t i, int64_t channels, std::vector<TensorId>& inputs) {
  if (!n.has(i)) return;
  Tensor bias = n.tensor(i);
  const DType wanted = n.graph.tensor(inputs[0]).dtype == DType::f32 ? DType::f32 : DType::s32;
  n.expect_dtype(n.input(i), {wanted});
  if (!bias.is_constant() || element_count(bias.shape) != channels)
    n.fail(
        fmt::format("bias {} is {}constant, of shape {}; supported: a constant with one value per output channel, {}",
                    in_quotes(bias.name), bias.is_constant() ? "" : "not ", to_string(bias.shape), channels));
  bias.shape = {channels};
  bias.quant.reset();
  inputs.push_back(n.graph.add(std::move(bias)));
}

void dilate(NodeImport& n, Window& w) {
  w.dilation_h = pixels(n, "dilation_h_factor", 1);
  w.dilation_w = pixels(n, "dilation_w_factor", 1);
}

// Weights have kh and kw as dimensions 1 and 2 and become the Graph's by `turn`; the bias is input 2.
void emit_conv(NodeImport& n, TensorId x, TensorId weights, const Ints& turn, int64_t channels, int64_t group) {
  const Shape xs = n.graph.tensor(x).shape, ws = n.graph.tensor(weights).shape;
  Window window = strided(n, ws[1], ws[2]);
  dilate(n, window);
  Shape shape = slide(n, xs, window, channels);
  std::vector<TensorId> inputs = {x, turned_weights(n, x, weights, turn)};
  take_bias(n, 2, channels, inputs);
  Node node = n.node(OpKind::conv, std::move(inputs));
  node.window = window;
  node.group = group;
  n.emit_activated(std::move(node), n.graph.tensor(x).dtype, std::move(shape));
}

void conv(NodeImport& n) {
  n.expect_inputs(2, 3);
  n.expect_outputs(1);
  const TensorId x = n.input(0), weights = n.input(1, "weights");
  n.expect_rank(x, 4, 4);
  check_weights(n, x, weights, 4, 0);
  const Shape xs = n.graph.tensor(x).shape, ws = n.graph.tensor(weights).shape;
  if (xs[3] % ws[3] || ws[0] % (xs[3] / ws[3]))
    n.fail(fmt::format("weights {} (oc, kh, kw, ic) for an input of {} channels; supported: groups that divide both",
                       to_string(ws), xs[3]));
  emit_conv(n, x, weights, {0, 3, 1, 2}, ws[0], xs[3] / ws[3]);
}

void depthwise_conv(NodeImport& n) {
  n.expect_inputs(2, 3);
  n.expect_outputs(1);
  const TensorId x = n.input(0), weights = n.input(1, "weights");
  n.expect_rank(x, 4, 4);
  check_weights(n, x, weights, 4, 3);
  const Shape xs = n.graph.tensor(x).shape, ws = n.graph.tensor(weights).shape;
  if (ws[0] != 1 || ws[3] % xs[3])
    n.fail(fmt::format("weights {} (1, kh, kw, c * m) for an input of {} channels; supported: a whole multiplier",
                       to_string(ws), xs[3]));
  // What the shapes say counts; a multiplier of 0 is an old file's way not to say it twice.
  if (const int64_t m = n.integer("depth_multiplier"); m && m != ws[3] / xs[3])
    n.fail_attribute("depth_multiplier", fmt::format("{}", m), fmt::format("{} for these shapes", ws[3] / xs[3]));
  emit_conv(n, x, weights, {3, 0, 1, 2}, ws[3], xs[3]);
}

// Pads of one axis: what the runtime takes off in front follows from the output's size, the rest from what is left.
void crop(const NodeImport& n, bool same, int64_t in, int64_t out, int kernel, int stride, int& begin, int& end) {
  begin = same ? static_cast<int>(same_padding(out, stride, kernel) / 2) : 0;
  const int64_t rest = (in - 1) * stride + kernel - begin - out;
  if (std::abs(rest) > kMostWindow)
    n.fail(
        fmt::format("an output of {} pixels for an input of {} with stride {} and kernel {}; supported: up to {} "
                    "pixels from what the windows reach",
                    out, in, stride, kernel, kMostWindow));
  end = static_cast<int>(rest);
}

// output shape, weights [oc, kh, kw, ic], x, [bias]
void transpose_conv(NodeImport& n) {
  n.expect_inputs(3, 4);
  n.expect_outputs(1);
  const Ints shape = n.integers_in(0, "output shape");
  const TensorId weights = n.input(1, "weights"), x = n.input(2);
  n.expect_rank(x, 4, 4);
  check_weights(n, x, weights, 4, 0);
  const Shape xs = n.graph.tensor(x).shape, ws = n.graph.tensor(weights).shape;
  const bool positive = std::all_of(shape.begin(), shape.end(), [](int64_t d) { return d > 0; });
  if (shape.size() != 4 || !positive || shape[0] != xs[0] || shape[3] != ws[0] || ws[3] != xs[3])
    n.fail(
        fmt::format("output shape [{}] with weights {} (oc, kh, kw, ic) and an input of {}; supported: equal images "
                    "and channels",
                    fmt::format("{}", fmt::join(shape, ", ")).substr(0, 80), to_string(ws), to_string(xs)));
  Window window = strided(n, ws[1], ws[2]);
  const bool same = is_same(n);
  crop(n, same, xs[1], shape[1], window.kh, window.stride_h, window.pad_top, window.pad_bottom);
  crop(n, same, xs[2], shape[2], window.kw, window.stride_w, window.pad_left, window.pad_right);
  std::vector<TensorId> inputs = {x, turned_weights(n, x, weights, {3, 0, 1, 2})};
  take_bias(n, 3, ws[0], inputs);
  Node node = n.node(OpKind::conv_transpose, std::move(inputs));
  node.window = window;
  n.emit_activated(std::move(node), n.graph.tensor(x).dtype, shape);
}

// Inputs of more than two dimensions are taken as rows of k values.
void fully_connected(NodeImport& n) {
  n.expect_inputs(2, 3);
  n.expect_outputs(1);
  n.ignore({"asymmetric_quantize_inputs"});  // of a float input beside integer weights, which are made real here
  TensorId x = n.input(0);
  const TensorId weights = n.input(1, "weights");
  check_weights(n, x, weights, 2, 0);
  if (const std::string format = n.choice("weights_format", "DEFAULT"); format != "DEFAULT")
    n.fail_attribute("weights_format", format, "DEFAULT");
  Shape shape = n.graph.tensor(x).shape;
  const Shape ws = n.graph.tensor(weights).shape;
  const int64_t oc = ws[0], k = ws[1];
  const bool keep = n.flag("keep_num_dims");
  if (shape.empty() || element_count(shape) % k || (keep && shape.back() != k))
    n.fail(fmt::format("an input of {} with weights {} (outputs, inputs); supported: rows of {} values",
                       to_string(shape), to_string(ws), k));
  if (!keep) shape = {element_count(shape) / k, k};
  x = n.reshaped(x, shape, "/rows");
  std::vector<TensorId> inputs = {x, turned_weights(n, x, weights, {0, 1})};
  take_bias(n, 2, oc, inputs);
  shape.back() = oc;
  n.emit_activated(n.node(OpKind::linear, std::move(inputs)), n.graph.tensor(x).dtype, std::move(shape));
}

// Input i with its last two dimensions swapped.
TensorId adjoint(NodeImport& n, size_t i, const std::string& suffix) {
  const TensorId id = n.input(i);
  const Tensor t = n.graph.tensor(id);
  Ints perm;
  for (size_t d = 0; d < t.shape.size(); ++d) perm.push_back(static_cast<int64_t>(d));
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  if (t.is_constant()) return n.turned(id, perm);
  Shape shape = t.shape;
  std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  const TensorId y = n.temporary(suffix, t.dtype, std::move(shape), t.quant);
  Node node = n.node(OpKind::transpose, {id});
  node.name += suffix;
  node.perm = perm;
  n.emit(std::move(node), y);
  return y;
}

void batch_matmul(NodeImport& n) {
  n.expect_inputs(2, 2);
  n.expect_outputs(1);
  n.ignore({"asymmetric_quantize_inputs"});
  for (size_t i : {size_t{0}, size_t{1}}) n.expect_rank(n.input(i), 2, importing::kMostRank);
  const DType dtype = n.expect_real(n.input(0));
  n.expect_dtype(n.input(1), {dtype});
  n.expect_real(n.input(1));
  const TensorId a = n.flag("adj_x") ? adjoint(n, 0, "/x") : n.input(0);
  const TensorId b = n.flag("adj_y") ? adjoint(n, 1, "/y") : n.input(1);
  const Shape as = n.graph.tensor(a).shape, bs = n.graph.tensor(b).shape;
  const auto stack = importing::broadcast(Shape(as.begin(), as.end() - 2), Shape(bs.begin(), bs.end() - 2));
  if (!stack || as.back() != bs[bs.size() - 2])
    n.fail(fmt::format("shapes {} and {}; supported: matrices (or stacks of them) with equal inner dimensions",
                       to_string(as), to_string(bs)));
  Shape shape = *stack;
  shape.push_back(as[as.size() - 2]);
  shape.push_back(bs.back());
  n.emit(n.node(OpKind::matmul, {a, b}), n.output(dtype, std::move(shape)));
}

template <OpKind op>
void pool(NodeImport& n) {
  n.expect_inputs(1, 1);
  n.expect_outputs(1);
  const TensorId x = n.input(0);
  n.expect_rank(x, 4, 4);
  const DType dtype = n.expect_real(x);
  const Shape xs = n.graph.tensor(x).shape;
  const std::optional<QuantParams> quant = n.graph.tensor(x).quant;
  Window window = strided(n, n.integer("filter_height"), n.integer("filter_width"));
  Shape shape = slide(n, xs, window, xs[3]);
  Node node = n.node(op, {x});
  node.window = window;
  n.emit_activated(std::move(node), dtype, std::move(shape));
  const Tensor& y = n.graph.tensor(n.state.tensors[static_cast<size_t>(n.file.outputs[0])]);
  n.expect_same_quant(x, y.quant, y.name);
}

}  // namespace

void add_conv_ops(std::unordered_map<std::string, Handler>& table) {
  table["CONV_2D"] = conv;
  table["DEPTHWISE_CONV_2D"] = depthwise_conv;
  table["TRANSPOSE_CONV"] = transpose_conv;
  table["FULLY_CONNECTED"] = fully_connected;
  table["BATCH_MATMUL"] = batch_matmul;
  table["AVERAGE_POOL_2D"] = pool<OpKind::average_pool>;
  table["MAX_POOL_2D"] = pool<OpKind::max_pool>;
}

}  // namespace octet::tflite_import

#include <fmt/format.h>

#include <algorithm>

#include "generator/graph/graph.h"

namespace octet {
namespace {

// By the values of the enumerations in graph.h.
constexpr const char* kPadModes[] = {"with a constant", "reflecting", "reflecting edges too", "with edges"};
constexpr const char* kReductions[] = {"sum", "mean", "max", "min", "prod"};
constexpr const char* kRelations[] = {"==", "!=", "<", "<=", ">", ">="};
constexpr const char* kConnectives[] = {"and", "or", "xor"};

std::string quant_text(const QuantParams& q) {
  if (q.scale.size() == 1) return fmt::format(" ({:.6g}, {})", q.scale[0], q.zero_point[0]);
  const auto [lo, hi] = std::minmax_element(q.scale.begin(), q.scale.end());
  const bool zeros = std::all_of(q.zero_point.begin(), q.zero_point.end(), [](int32_t z) { return z == 0; });
  return fmt::format(" ({:.4g}..{:.4g} by axis {}{})", *lo, *hi, q.axis, zeros ? "" : ", zero points");
}

std::string type_text(const Tensor& t) {
  return fmt::format("{} {}{}", dtype_name(t.dtype), to_string(t.shape), t.quant ? quant_text(*t.quant) : "");
}

// Constants with their type, since no node introduces them.
std::string operand(const Graph& graph, TensorId id) {
  if (id == kNoTensor) return "-";
  const Tensor& t = graph.tensor(id);
  return t.is_constant() ? fmt::format("{}: const {}", t.name, type_text(t)) : t.name;
}

std::string window_text(const Window& w) {
  std::string s = fmt::format(" {}x{}", w.kh, w.kw);
  if (w.stride_h != 1 || w.stride_w != 1)
    s += w.stride_h == w.stride_w ? fmt::format(" s{}", w.stride_h) : fmt::format(" s{}x{}", w.stride_h, w.stride_w);
  if (w.dilation_h != 1 || w.dilation_w != 1) s += fmt::format(" d{}x{}", w.dilation_h, w.dilation_w);
  const bool even = w.pad_top == w.pad_left && w.pad_top == w.pad_bottom && w.pad_top == w.pad_right;
  if (!even) return s + fmt::format(" p{},{},{},{}", w.pad_top, w.pad_left, w.pad_bottom, w.pad_right);
  return w.pad_top ? s + fmt::format(" p{}", w.pad_top) : s;
}

std::string range_text(const QRange& r) {
  if (r == QRange{}) return "";
  const auto end = [](int32_t v) {
    const bool open = v == QRange{}.lo || v == QRange{}.hi;
    return open ? std::string() : fmt::format("{}", v);
  };
  return fmt::format(" [{}..{}]", end(r.lo), end(r.hi));
}

std::string unary_text(const Node& n) {
  const std::string name = std::string(" ") + unary_name(n.function);
  switch (n.function) {
    case Unary::clip: return name + fmt::format(" {:g}..{:g}", n.alpha, n.beta);
    case Unary::hard_sigmoid: return name + fmt::format(" {:g} {:g}", n.alpha, n.beta);
    case Unary::leaky_relu:
    case Unary::elu: return name + fmt::format(" {:g}", n.alpha);
    default: return name;
  }
}

std::string attributes(const Node& n) {
  switch (n.op) {
    case OpKind::conv: return window_text(n.window) + (n.group == 1 ? "" : fmt::format(" g{}", n.group));
    case OpKind::max_pool: return window_text(n.window);
    case OpKind::average_pool: return window_text(n.window) + (n.count_include_pad ? " counting pads" : "");
    case OpKind::batch_norm: return fmt::format(" epsilon {:g}", n.alpha);
    case OpKind::unary: return unary_text(n);
    case OpKind::concat:
    case OpKind::softmax:
    case OpKind::split: return fmt::format(" axis {}", n.axis);
    case OpKind::log_softmax:
    case OpKind::gather:
    case OpKind::layer_norm: return fmt::format(" axis {}", n.axis);
    case OpKind::conv_transpose:
    case OpKind::integer_conv: return window_text(n.window) + (n.group == 1 ? "" : fmt::format(" g{}", n.group));
    case OpKind::compare: return std::string(" ") + kRelations[static_cast<size_t>(n.relation)];
    case OpKind::logic: return std::string(" ") + kConnectives[static_cast<size_t>(n.connective)];
    case OpKind::reduce:
      return fmt::format(" {} over {}", kReductions[static_cast<size_t>(n.reduction)], fmt::join(n.axes, ","));
    case OpKind::arg: return fmt::format(" {} axis {}", kReductions[static_cast<size_t>(n.reduction)], n.axis);
    case OpKind::resize:
      return n.resize.mode == Resize::Mode::nearest  ? " nearest"
             : n.resize.mode == Resize::Mode::linear ? " linear"
                                                     : " cubic";
    case OpKind::depth_to_space:
    case OpKind::space_to_depth: return fmt::format(" {}", n.block);
    case OpKind::group_norm: return fmt::format(" of {}", n.group);
    case OpKind::transpose: return fmt::format(" {}", fmt::join(n.perm, ","));
    case OpKind::channel_permute: return fmt::format(" of {}", n.perm.size());
    case OpKind::slice: return fmt::format(" from {} step {}", fmt::join(n.starts, ","), fmt::join(n.steps, ","));
    case OpKind::pad:
      return fmt::format(" {} ", fmt::join(n.pads, ",")) + (n.pad_mode == PadMode::constant
                                                                ? fmt::format("with {:g}", n.alpha)
                                                                : kPadModes[static_cast<size_t>(n.pad_mode)]);
    default: return "";
  }
}

std::string line(const Graph& graph, const Node& n) {
  std::string text = fmt::format("{:<28}", op_name(n.op) + attributes(n) + range_text(n.range));
  for (size_t i = 0; i < n.inputs.size(); ++i) text += (i ? ", " : " ") + operand(graph, n.inputs[i]);
  if (n.fused_add) {
    const FusedAdd& f = *n.fused_add;
    text += fmt::format(" [adds {} to {} {}{}{}]", f.conv_is_first ? "second" : "first", f.tensor, dtype_name(f.dtype),
                        quant_text(f.quant), range_text(f.range));
  }
  text += " ->";
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    const Tensor& t = graph.tensor(n.outputs[i]);
    text += fmt::format("{}{}: {}", i ? ", " : " ", t.name, type_text(t));
  }
  return text;
}

}  // namespace

std::string print(const Graph& graph) {
  std::string text =
      fmt::format("graph {}: {}{}{}, {} nodes, {}\n", graph.name, graph.format, graph.producer.empty() ? "" : ", by ",
                  graph.producer, graph.nodes.size(), graph.channels_last ? "channels last" : "channels first");
  for (TensorId id : graph.inputs)
    text += fmt::format("  input  {}: {}\n", graph.tensor(id).name, type_text(graph.tensor(id)));
  for (size_t k = 0; k < graph.nodes.size(); ++k) text += fmt::format("{:5}  {}\n", k, line(graph, graph.nodes[k]));
  for (TensorId id : graph.outputs)
    text += fmt::format("  output {}: {}\n", graph.tensor(id).name, type_text(graph.tensor(id)));
  return text;
}

}  // namespace octet

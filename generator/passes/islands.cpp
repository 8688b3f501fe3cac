// Islands: where no integer form exists, quantized tensors are dequantized, the op works on f32, and its result is
// quantized again, as the graph says. Tensors in between stay in the file's order.
#include <fmt/format.h>

#include <algorithm>

#include "generator/passes/integer_form.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

class Islands {
 public:
  explicit Islands(Graph& graph) : graph_(graph), edit_(graph) {}

  void run() {
    for (int i : edit_.order()) leave_int8(i);
    for (int i : edit_.order()) settle_dequantize(i);
    for (int i : edit_.order()) flatten_indices(i);
    for (int i : edit_.order()) split_resize(i);
    for (int i : edit_.order()) describe_island(i);
    edit_.finish();
  }

 private:
  const Tensor& tensor(TensorId t) const { return graph_.tensor(t); }

  // A node on quantized tensors without an integer form: dequantize, the op, quantize.
  void leave_int8(int i) {
    const Node node = edit_.node(i);
    if (node.op == OpKind::quantize) return check_quantize(node);
    if (node.op == OpKind::dequantize) return;
    if (is_float(graph_, node)) return free_inputs(i);
    const std::string why = why_not_integer(graph_, node);
    if (why.empty()) return;
    check_leaves(node, why);
    std::vector<TensorId> inputs = node.inputs;
    for (TensorId& t : inputs)
      if (t != kNoTensor && tensor(t).is_quantized()) t = dequantized(t, i);
    edit_.set_inputs(i, inputs);
    for (size_t k = 0; k < node.outputs.size(); ++k)
      if (tensor(node.outputs[k]).is_quantized()) quantize_output(i, k);
    edit_.node(i).range = {};
    edit_.node(i).island = reason(why);
  }

  void check_quantize(const Node& node) const {
    const Tensor& to = tensor(node.outputs[0]);
    if (!to.is_quantized() || !to.quant->per_tensor())
      user_error(fmt::format("{}: '{}' is {} with {} scales along axis {}; supported is one scale for an activation",
                             describe(node), to.name, dtype_name(to.dtype), to.quant ? to.quant->scale.size() : 0,
                             to.quant ? to.quant->axis : -1));
  }

  // A refusal without what would be supported.
  static std::string reason(const std::string& refusal) { return refusal.substr(0, refusal.find("; supported ")); }

  // Quantized tensors that an op outside of int8 reads: as real numbers, or as integers where it works on those.
  void free_inputs(int i) {
    const Node node = edit_.node(i);
    const DType to = tensor(node.outputs[0]).dtype;
    const bool integers = node.op == OpKind::integer_matmul || node.op == OpKind::integer_conv ||
                          node.op == OpKind::arg || node.op == OpKind::cast || to == DType::u8 || to == DType::s8;
    std::vector<TensorId> inputs = node.inputs;
    for (TensorId& t : inputs) {
      if (t == kNoTensor || !tensor(t).is_quantized()) continue;
      if (!integers) check_leaves(node, fmt::format("{} of quantized tensors is not supported", op_name(node.op)));
      t = integers ? plain(t, i) : dequantized(t, i);
    }
    if (inputs != node.inputs) edit_.set_inputs(i, inputs);
  }

  // The integers as the file has them, without parameters.
  TensorId plain(TensorId q, int near) {
    Tensor to = tensor(q);
    to.quant.reset();
    if (to.is_constant()) return graph_.add(std::move(to));
    to.name += "_plain";
    const TensorId out = edit_.add_tensor(std::move(to));
    edit_.add_node({.op = OpKind::identity,
                    .name = tensor(q).name,
                    .source = op_name(OpKind::identity),
                    .inputs = {q},
                    .outputs = {out}},
                   near);
    return out;
  }

  // Profiles of runtimes that compute such an op in integers say nothing about a detour by f32.
  void check_leaves(const Node& node, const std::string& why) const {
    const bool weights = node.op == OpKind::conv || node.op == OpKind::linear;
    const bool by_float = graph_.profile == Profile::ort || is_torch(graph_.profile);
    if (weights) user_error(fmt::format("{}: {}", describe(node), why));
    if (!by_float)
      user_error(fmt::format("{}: {}; profile {} has no formula for it in f32", describe(node), why,
                             profile_name(graph_.profile)));
    for (const auto* tensors : {&node.inputs, &node.outputs})
      for (TensorId t : *tensors)
        if (t != kNoTensor && tensor(t).quant && !tensor(t).quant->per_tensor() && !tensor(t).is_constant())
          user_error(fmt::format("{}: {}", describe(node), why));
  }

  TensorId dequantized(TensorId q, int near) {
    const Tensor from = tensor(q);
    const TensorId real = edit_.add_tensor({.name = from.name + "_real", .shape = from.shape});
    edit_.add_node({.op = OpKind::dequantize,
                    .name = from.name,
                    .source = op_name(OpKind::dequantize),
                    .inputs = {q},
                    .outputs = {real}},
                   near);
    return real;
  }

  // The op's own clamp acts on quantized values.
  void quantize_output(int i, size_t k) {
    const Node node = edit_.node(i);
    const TensorId out = node.outputs[k];
    const Tensor to = tensor(out);
    const TensorId real = edit_.add_tensor({.name = to.name + "_real", .shape = to.shape});
    edit_.set_output(i, k, real);
    TensorId q = out;
    if (node.range != QRange{}) {
      q = edit_.add_tensor({.name = to.name + "_unclamped", .dtype = to.dtype, .shape = to.shape, .quant = to.quant});
      edit_.add_node({.op = OpKind::requantize,
                      .name = node.name,
                      .source = op_name(OpKind::requantize),
                      .inputs = {q},
                      .outputs = {out},
                      .range = node.range},
                     i);
    }
    edit_.add_node({.op = OpKind::quantize,
                    .name = node.name,
                    .source = op_name(OpKind::quantize),
                    .inputs = {real},
                    .outputs = {q}},
                   i);
  }

  // Constants behind dequantize become f32; s32 activations are converted and scaled.
  void settle_dequantize(int i) {
    const Node node = edit_.node(i);
    if (node.op != OpKind::dequantize) return;
    const Tensor from = tensor(node.inputs[0]);
    const TensorId out = node.outputs[0];
    if (from.is_constant()) {
      const std::vector<float> values = constant_floats(edit_, graph_, out);
      const TensorId constant = graph_.add_constant<float>(tensor(out).name, DType::f32, from.shape, values);
      edit_.replace_uses(out, constant);
      if (!edit_.is_output(out)) return edit_.remove(i);
      edit_.node(i).op = OpKind::identity;
      return edit_.set_inputs(i, {constant});
    }
    if (!from.quant || !from.quant->per_tensor())
      user_error(fmt::format("{}: '{}' has {} scales along axis {}; supported is one scale for an activation",
                             describe(node), from.name, from.quant ? from.quant->scale.size() : 0,
                             from.quant ? from.quant->axis : -1));
    if (from.is_quantized()) return;
    if (from.quant->zero_point[0] != 0)
      user_error(fmt::format("{}: '{}' is {} with zero point {}; supported: 0", describe(node), from.name,
                             dtype_name(from.dtype), from.quant->zero_point[0]));
    const TensorId real = edit_.add_tensor({.name = from.name + "_real", .shape = from.shape});
    const TensorId scale = graph_.add_constant<float>(from.name + "_scale", DType::f32, {}, from.quant->scale);
    Node cast = node;
    cast.op = OpKind::cast;
    cast.outputs = {real};
    edit_.node(i).op = OpKind::mul;
    edit_.set_inputs(i, {real, scale});
    edit_.add_node(std::move(cast), i);
  }

  TensorId reshaped(TensorId t, Shape shape, int near) {
    Tensor to = tensor(t);
    to.shape = std::move(shape);
    if (to.is_constant()) return graph_.add(std::move(to));
    to.name += "_flat";
    const TensorId out = edit_.add_tensor(std::move(to));
    edit_.add_node({.op = OpKind::reshape,
                    .name = edit_.node(near).name,
                    .source = op_name(OpKind::reshape),
                    .inputs = {t},
                    .outputs = {out}},
                   near);
    return out;
  }

  // The node writes `shape` instead, and a reshape follows.
  void reshape_output(int i, Shape shape) {
    const Node node = edit_.node(i);
    Tensor flat = tensor(node.outputs[0]);
    flat.shape = std::move(shape);
    flat.name += "_flat";
    const TensorId written = edit_.add_tensor(std::move(flat));
    edit_.set_output(i, 0, written);
    edit_.add_node({.op = OpKind::reshape,
                    .name = node.name,
                    .source = op_name(OpKind::reshape),
                    .inputs = {written},
                    .outputs = node.outputs},
                   i);
  }

  // Kernels take a list of indices, or of tuples.
  void flatten_indices(int i) {
    const Node node = edit_.node(i);
    if (node.op != OpKind::gather && node.op != OpKind::gather_nd) return;
    const Shape x = tensor(node.inputs[0]).shape, indices = tensor(node.inputs[1]).shape;
    const bool tuples = node.op == OpKind::gather_nd;
    if (indices.size() == (tuples ? 2u : 1u)) return;
    const int64_t count = element_count(indices) / (tuples ? indices.back() : 1);
    Shape flat = {count}, out;
    if (tuples) {
      flat.push_back(indices.back());
      out = {count};
      out.insert(out.end(), x.begin() + indices.back(), x.end());
    } else {
      out = x;
      out[static_cast<size_t>(node.axis)] = count;
    }
    edit_.set_input(i, 1, reshaped(node.inputs[1], flat, i));
    reshape_output(i, out);
  }

  // One axis after the other; linear ones of quantized tensors round once, and are one kernel.
  void split_resize(int i) {
    const Node node = edit_.node(i);
    if (node.op != OpKind::resize) return;
    if (node.resize.mode == Resize::Mode::linear && tensor(node.inputs[0]).is_quantized()) return;
    const Shape from = tensor(node.inputs[0]).shape, to = tensor(node.outputs[0]).shape;
    std::vector<int> axes;
    for (size_t d = 0; d < from.size(); ++d)
      if (from[d] != to[d] || (!node.resize.scales.empty() && node.resize.scales[d] != 1.0f))
        axes.push_back(static_cast<int>(d));
    if (axes.empty()) {
      edit_.node(i).op = OpKind::reshape;
      return;
    }
    TensorId x = node.inputs[0];
    Shape shape = from;
    for (size_t k = 0; k + 1 < axes.size(); ++k) {
      const auto axis = static_cast<size_t>(axes[k]);
      shape[axis] = to[axis];
      Tensor inner = tensor(node.outputs[0]);
      inner.name += fmt::format("_axis{}", axis);
      inner.shape = shape;
      const TensorId out = edit_.add_tensor(std::move(inner));
      Node part = node;
      part.source = op_name(OpKind::resize);
      part.axis = axes[k];
      part.inputs = {x};
      part.outputs = {out};
      edit_.add_node(std::move(part), i);
      x = out;
    }
    edit_.node(i).axis = axes.back();
    edit_.set_input(i, 0, x);
  }

  void describe_island(int i) {
    Node& node = edit_.node(i);
    node.channels_last = graph_.channels_last;
    if (!is_float(graph_, node) || node.op == OpKind::identity) return;
    if (node.island.empty()) node.island = reason(why_float(edit_, graph_, node));
    check_island(graph_, node);
  }

  Graph& graph_;
  Edit edit_;
};

}  // namespace

void make_islands(Graph& graph) {
  Islands(graph).run();
}

}  // namespace octet

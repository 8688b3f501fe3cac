// What has no integer form is refused by name, with the reason that the graph shows.
#include <fmt/format.h>

#include <algorithm>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

[[noreturn]] void refuse(const Node& node, const std::string& why) {
  user_error(fmt::format("{}: {}", describe(node), why));
}

std::string quoted(const Tensor& t) {
  return fmt::format("'{}' ({} {})", t.name, dtype_name(t.dtype), to_string(t.shape));
}

// Float at the end of the network: softmax and what only moves its values.
bool is_float_tail(OpKind op) {
  return op == OpKind::softmax || op == OpKind::reshape;
}

class Check {
 public:
  explicit Check(Graph& graph) : graph_(graph), edit_(graph) {}

  void run() {
    for (int i : edit_.order()) {
      const Node& n = edit_.node(i);
      check_op(n);
      if (n.op == OpKind::quantize)
        check_quantize(n);
      else if (n.op == OpKind::dequantize)
        check_dequantize(n);
      else if (is_float(n))
        check_float(n);
      else
        check_quantized(n);
    }
  }

 private:
  bool is_float(const Node& n) const {
    const auto f32 = [this](TensorId t) { return graph_.tensor(t).dtype == DType::f32; };
    return std::any_of(n.outputs.begin(), n.outputs.end(), f32) || f32(n.inputs[0]);
  }

  void check_op(const Node& n) {
    if (n.op == OpKind::matmul)
      refuse(n, "a product of two activations is not supported; supported is a constant right side of two dimensions");
    if (n.op == OpKind::div)
      refuse(
          n,
          "div of two activations is not supported; supported are add, sub and mul, and any function of one quantized "
          "tensor");
  }

  void check_quantize(const Node& n) {
    if (!edit_.is_input(n.inputs[0])) {
      const int p = edit_.producer(n.inputs[0]);
      refuse(p < 0 ? n : edit_.node(p),
             "its result is quantized, but it has no integer form here: every activation input must come from a "
             "DequantizeLinear with one scale, and its result must go to one QuantizeLinear only (relu and clip may "
             "stand between)");
    }
    check_per_tensor(n, n.outputs[0]);
  }

  void check_dequantize(const Node& n) {
    if (!graph_.tensor(n.inputs[0]).is_constant()) check_per_tensor(n, n.inputs[0]);
    for (int reader : edit_.consumers(n.outputs[0])) {
      const Node& r = edit_.node(reader);
      if (!is_float_tail(r.op)) refuse_float(r);
    }
  }

  void check_float(const Node& n) {
    if (!is_float_tail(n.op)) refuse_float(n);
    for (int reader : edit_.consumers(n.outputs[0]))
      if (!is_float_tail(edit_.node(reader).op)) refuse_float(edit_.node(reader));
  }

  [[noreturn]] void refuse_float(const Node& n) {
    check_op(n);
    for (TensorId t : n.inputs) {
      if (t == kNoTensor || graph_.tensor(t).dtype != DType::f32 || dequantized_from(edit_, t) != kNoTensor) continue;
      const bool constant = graph_.tensor(t).is_constant();
      refuse(n,
             fmt::format("its {} {} is not quantized; supported are nodes whose inputs come from DequantizeLinear and "
                         "whose result goes to QuantizeLinear (float is supported for a softmax at the end)",
                         constant ? "constant" : "input", quoted(graph_.tensor(t))));
    }
    const TensorId out = n.outputs[0];
    refuse(n, fmt::format("its result {} is not quantized by one QuantizeLinear; supported are nodes between "
                          "DequantizeLinear and QuantizeLinear (float is supported for a softmax at the end)",
                          quoted(graph_.tensor(out))));
  }

  void check_quantized(const Node& n) {
    const size_t activations =
        n.op == OpKind::conv || n.op == OpKind::linear || n.op == OpKind::batch_norm ? 1 : n.inputs.size();
    for (size_t k = 0; k < activations; ++k)
      if (!(n.op == OpKind::unary && k == 1)) check_activation(n, n.inputs[k]);
    for (TensorId t : n.outputs) check_per_tensor(n, t);
    if (n.op == OpKind::conv || n.op == OpKind::linear) check_weights(n);
    if (n.op == OpKind::unary && n.inputs.size() != 2)
      refuse(n, fmt::format("{} on these tensors has no table", unary_name(n.function)));
  }

  void check_activation(const Node& n, TensorId t) {
    if (graph_.tensor(t).is_constant() && !is_binary(n.op))
      refuse(n, fmt::format("constant operand {} is not supported; supported are constants in add, sub and mul",
                            quoted(graph_.tensor(t))));
    check_per_tensor(n, t);
  }

  void check_per_tensor(const Node& n, TensorId t) {
    const Tensor& tensor = graph_.tensor(t);
    if (!tensor.is_quantized())
      refuse(n, fmt::format("{} is not quantized to u8 or s8; supported are u8 and s8 activations", quoted(tensor)));
    if (!tensor.quant->per_tensor())
      refuse(n, fmt::format("{} has {} scales along axis {}; supported is one scale for an activation", quoted(tensor),
                            tensor.quant->scale.size(), tensor.quant->axis));
  }

  void check_weights(const Node& n) {
    const Tensor& w = graph_.tensor(n.inputs[1]);
    if (!w.is_constant() || !w.is_quantized())
      refuse(n, fmt::format("weights {} are not constants of type u8 or s8; supported are constant quantized weights",
                            quoted(w)));
    if (!w.quant->per_tensor() && w.quant->axis != 0)
      refuse(n,
             fmt::format("weights {} have scales along axis {}; supported are scales per tensor or per output channel "
                         "(axis 0)",
                         quoted(w), w.quant->axis));
  }

  const Graph& graph_;
  Edit edit_;
};

}  // namespace

void check_integer(Graph& graph) {
  Check(graph).run();
}

}  // namespace octet

// Whether nodes have an integer form; --strict-int8 refuses by name what has none, with the reason that the graph
// shows.
#include <fmt/format.h>

#include <algorithm>

#include "generator/passes/integer_form.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

std::string quoted(const Tensor& t) {
  return fmt::format("'{}' ({} {})", t.name, dtype_name(t.dtype), to_string(t.shape));
}

// Float at the end of the network: softmax and what only moves its values.
bool is_float_tail(OpKind op) {
  return op == OpKind::softmax || op == OpKind::reshape;
}

// Why the op itself has none, whatever its tensors.
std::string why_not(Profile profile, const Node& n) {
  if (n.op == OpKind::matmul && !is_tflite(profile))
    return "a product of two activations is not supported; supported is a constant right side of two dimensions";
  if (n.op == OpKind::div)
    return "div of two activations is not supported; supported are add, sub and mul, and any function of one quantized "
           "tensor";
  return "";
}

// Ops on quantized tensors that have kernels.
bool has_kernel(Profile profile, const Node& n) {
  switch (n.op) {
    case OpKind::conv:
    case OpKind::conv_transpose:
    case OpKind::linear:
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::prelu:
    case OpKind::concat:
    case OpKind::max_pool:
    case OpKind::average_pool:
    case OpKind::global_average_pool:
    case OpKind::batch_norm:
    case OpKind::unary:
    case OpKind::softmax:
    case OpKind::log_softmax:
    case OpKind::reshape:
    case OpKind::transpose:
    case OpKind::slice:
    case OpKind::split:
    case OpKind::pad:
    case OpKind::requantize:
    case OpKind::expand:
    case OpKind::channel_permute:
    case OpKind::depth_to_space:
    case OpKind::space_to_depth:
    case OpKind::gather:
    case OpKind::gather_nd:
    case OpKind::tile:
    case OpKind::identity: return true;
    case OpKind::matmul: return is_tflite(profile);
    case OpKind::resize: return n.resize.mode == Resize::Mode::nearest || is_tflite(profile);
    default: return false;
  }
}

// Inputs that are activations of the quantized op; the others are parameters.
size_t activation_count(const Node& n) {
  switch (n.op) {
    case OpKind::conv:
    case OpKind::conv_transpose:
    case OpKind::linear:
    case OpKind::batch_norm:
    case OpKind::unary:
    case OpKind::gather:
    case OpKind::gather_nd: return 1;
    default: return n.inputs.size();
  }
}

std::string why_not_per_tensor(const Tensor& t) {
  if (!t.is_quantized())
    return fmt::format("{} is not quantized to u8 or s8; supported are u8 and s8 activations", quoted(t));
  if (!t.quant->per_tensor())
    return fmt::format("{} has {} scales along axis {}; supported is one scale for an activation", quoted(t),
                       t.quant->scale.size(), t.quant->axis);
  return "";
}

// Ops of several activations, some of which may be constants.
bool takes_constants(OpKind op) {
  return is_binary(op) || op == OpKind::concat || op == OpKind::matmul;
}

std::string why_not_activation(const Node& n, const Tensor& t) {
  if (t.is_constant() && !takes_constants(n.op))
    return fmt::format(
        "constant operand {} is not supported; supported are constants in elementwise ops of two tensors, among the "
        "pieces of a concatenation and in matrix products",
        quoted(t));
  return why_not_per_tensor(t);
}

std::string why_not_weights(const Tensor& w, int axis) {
  if (!w.is_constant() || !w.is_quantized())
    return fmt::format("weights {} are not constants of type u8 or s8; supported are constant quantized weights",
                       quoted(w));
  if (!w.quant->per_tensor() && w.quant->axis != axis)
    return fmt::format(
        "weights {} have scales along axis {}; supported are scales per tensor or per output channel (axis {})",
        quoted(w), w.quant->axis, axis);
  return "";
}

class Check {
 public:
  explicit Check(Graph& graph) : graph_(graph), edit_(graph) {}

  void run() {
    for (int i : edit_.order()) {
      const Node& n = edit_.node(i);
      refuse(n, why_not(graph_.profile, n));
      if (n.op == OpKind::quantize)
        check_quantize(n);
      else if (n.op == OpKind::dequantize)
        check_dequantize(n);
      else if (is_float(graph_, n))
        check_float(n);
      else
        refuse(n, why_not_integer(graph_, n));
    }
  }

 private:
  static void refuse(const Node& n, const std::string& why) {
    if (!why.empty()) user_error(fmt::format("{}: {}", describe(n), why));
  }

  void check_quantize(const Node& n) {
    if (!edit_.is_input(n.inputs[0])) {
      const int p = edit_.producer(n.inputs[0]);
      refuse(p < 0 ? n : edit_.node(p),
             "its result is quantized, but it has no integer form here: every activation input must come from a "
             "DequantizeLinear with one scale, and its result must go to one QuantizeLinear only (relu and clip may "
             "stand between)");
    }
    refuse(n, why_not_per_tensor(graph_.tensor(n.outputs[0])));
  }

  void check_dequantize(const Node& n) {
    const Tensor& from = graph_.tensor(n.inputs[0]);
    if (!from.is_constant()) refuse(n, why_not_per_tensor(from));
    refuse_readers(n);
  }

  void check_float(const Node& n) {
    if (!is_float_tail(n.op)) refuse(n, why_float(edit_, graph_, n));
    refuse_readers(n);
  }

  void refuse_readers(const Node& n) {
    for (int reader : edit_.consumers(n.outputs[0]))
      if (const Node& r = edit_.node(reader); !is_float_tail(r.op)) refuse(r, why_float(edit_, graph_, r));
  }

  const Graph& graph_;
  Edit edit_;
};

}  // namespace

bool is_float(const Graph& graph, const Node& n) {
  return n.op != OpKind::quantize && n.op != OpKind::dequantize &&
         std::none_of(n.outputs.begin(), n.outputs.end(), [&](TensorId t) { return graph.tensor(t).is_quantized(); });
}

std::string why_float(const Edit& edit, const Graph& graph, const Node& n) {
  if (std::string why = why_not(graph.profile, n); !why.empty()) return why;
  const char* supported =
      "supported are nodes between DequantizeLinear and QuantizeLinear (float is supported for a softmax at the end)";
  for (TensorId t : n.inputs) {
    if (t == kNoTensor || graph.tensor(t).dtype != DType::f32 || dequantized_from(edit, t) != kNoTensor) continue;
    return fmt::format(
        "its {} {} is not quantized; supported are nodes whose inputs come from DequantizeLinear and whose result goes "
        "to QuantizeLinear (float is supported for a softmax at the end)",
        graph.tensor(t).is_constant() ? "constant" : "input", quoted(graph.tensor(t)));
  }
  return fmt::format("its result {} is not quantized by one QuantizeLinear; {}", quoted(graph.tensor(n.outputs[0])),
                     supported);
}

std::string why_not_integer(const Graph& graph, const Node& n) {
  if (std::string why = why_not(graph.profile, n); !why.empty()) return why;
  if (!has_kernel(graph.profile, n)) return fmt::format("{} of quantized tensors is not supported", op_name(n.op));
  std::string why;
  for (size_t k = 0; k < activation_count(n) && why.empty(); ++k)
    why = why_not_activation(n, graph.tensor(n.inputs[k]));
  for (size_t k = 0; k < n.outputs.size() && why.empty(); ++k) why = why_not_per_tensor(graph.tensor(n.outputs[k]));
  const bool transposed = n.op == OpKind::conv_transpose;
  const bool weights = n.op == OpKind::conv || transposed || n.op == OpKind::linear;
  if (weights && why.empty()) why = why_not_weights(graph.tensor(n.inputs[1]), transposed ? 1 : 0);
  if (n.op == OpKind::unary && n.inputs.size() != 2 && why.empty())
    why = fmt::format("{} on these tensors has no table", unary_name(n.function));
  return why;
}

void check_integer(Graph& graph) {
  Check(graph).run();
}

}  // namespace octet

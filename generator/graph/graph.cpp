#include "generator/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/status.h"

namespace octet {
namespace {

struct OpFacts {
  const char* name;
  int least_inputs, most_inputs;  // most 0: any number
  int required;                   // inputs from here on may be kNoTensor
};

const OpFacts& facts(OpKind op) {
  static constexpr std::array<OpFacts, static_cast<size_t>(OpKind::identity) + 1> kFacts = {{
      {"conv", 2, 4, 2},
      {"linear", 2, 4, 2},
      {"matmul", 2, 2, 2},
      {"add", 2, 2, 2},
      {"sub", 2, 2, 2},
      {"mul", 2, 2, 2},
      {"div", 2, 2, 2},
      {"concat", 1, 0, 1},
      {"max_pool", 1, 1, 1},
      {"average_pool", 1, 1, 1},
      {"global_average_pool", 1, 1, 1},
      {"batch_norm", 5, 5, 5},
      {"unary", 1, 2, 1},
      {"softmax", 1, 1, 1},
      {"reshape", 1, 1, 1},
      {"transpose", 1, 1, 1},
      {"slice", 1, 1, 1},
      {"split", 1, 1, 1},
      {"pad", 1, 1, 1},
      {"quantize", 1, 1, 1},
      {"dequantize", 1, 1, 1},
      {"requantize", 1, 1, 1},
      {"expand", 1, 1, 1},
      {"channel_permute", 1, 2, 1},
      {"conv_transpose", 2, 3, 2},
      {"maximum", 2, 2, 2},
      {"minimum", 2, 2, 2},
      {"pow", 2, 2, 2},
      {"floor_div", 2, 2, 2},
      {"floor_mod", 2, 2, 2},
      {"squared_difference", 2, 2, 2},
      {"compare", 2, 2, 2},
      {"logic", 2, 2, 2},
      {"where", 3, 3, 3},
      {"reduce", 1, 1, 1},
      {"arg", 1, 1, 1},
      {"resize", 1, 1, 1},
      {"depth_to_space", 1, 1, 1},
      {"space_to_depth", 1, 1, 1},
      {"prelu", 2, 2, 2},
      {"log_softmax", 1, 1, 1},
      {"cast", 1, 1, 1},
      {"gather", 2, 2, 2},
      {"gather_nd", 2, 2, 2},
      {"tile", 1, 1, 1},
      {"layer_norm", 1, 3, 1},
      {"instance_norm", 3, 3, 3},
      {"group_norm", 3, 3, 3},
      {"dynamic_quantize", 1, 1, 1},
      {"integer_matmul", 2, 4, 2},
      {"integer_conv", 2, 4, 2},
      {"identity", 1, 1, 1},
  }};
  return kFacts[static_cast<size_t>(op)];
}

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), written_(graph.tensors.size(), false) {}

  void run() {
    for (size_t id = 0; id < graph_.tensors.size(); ++id) {
      check_tensor(graph_.tensors[id]);
      written_[id] = graph_.tensors[id].is_constant();
    }
    for (TensorId id : graph_.inputs) write(id, "graph inputs");
    for (const Node& n : graph_.nodes) check_node(n);
    for (TensorId id : graph_.outputs) read(id, "graph outputs");
  }

 private:
  static void check_tensor(const Tensor& t) {
    if (std::any_of(t.shape.begin(), t.shape.end(), [](int64_t d) { return d < 1; }))
      internal_error(fmt::format("tensor {}: shape {} is not positive", t.name, to_string(t.shape)));
    if (t.data && t.data->size() != static_cast<size_t>(element_count(t.shape)) * dtype_bytes(t.dtype))
      internal_error(fmt::format("tensor {}: {} bytes of data for {} {}", t.name, t.data->size(), dtype_name(t.dtype),
                                 to_string(t.shape)));
    if (t.quant) check_quant(t, *t.quant);
  }

  static void check_quant(const Tensor& t, const QuantParams& q) {
    const auto fail = [&t](const std::string& what) {
      internal_error(fmt::format("tensor {}: quantization {}", t.name, what));
    };
    if (t.dtype != DType::u8 && t.dtype != DType::s8 && t.dtype != DType::s32)
      fail(fmt::format("on dtype {}", dtype_name(t.dtype)));
    if (q.scale.empty() || q.scale.size() != q.zero_point.size())
      fail(fmt::format("of {} scales and {} zero points", q.scale.size(), q.zero_point.size()));
    if (q.axis < 0 && q.scale.size() != 1) fail(fmt::format("of {} scales without an axis", q.scale.size()));
    if (q.axis >= static_cast<int>(t.shape.size())) fail(fmt::format("axis {} beyond its shape", q.axis));
    if (q.axis >= 0 && static_cast<int64_t>(q.scale.size()) != t.shape[static_cast<size_t>(q.axis)])
      fail(fmt::format("of {} scales along axis {} of {}", q.scale.size(), q.axis, to_string(t.shape)));
    for (float s : q.scale)
      if (!(s > 0) || !std::isfinite(s)) fail(fmt::format("scale {}", s));
    const int lo = t.dtype == DType::u8 ? 0 : -128, hi = t.dtype == DType::u8 ? 255 : 127;
    for (int32_t z : q.zero_point)
      if (t.dtype != DType::s32 && (z < lo || z > hi)) fail(fmt::format("zero point {}", z));
  }

  void check_node(const Node& n) {
    const OpFacts& f = facts(n.op);
    const int count = static_cast<int>(n.inputs.size());
    if (count < f.least_inputs || (f.most_inputs && count > f.most_inputs))
      internal_error(fmt::format("node {} ({}): {} inputs", n.name, f.name, count));
    if (n.outputs.empty() || (n.outputs.size() > 1 && n.op != OpKind::split && n.op != OpKind::dynamic_quantize))
      internal_error(fmt::format("node {} ({}): {} outputs", n.name, f.name, n.outputs.size()));
    for (int i = 0; i < count; ++i) {
      const TensorId id = n.inputs[static_cast<size_t>(i)];
      const bool optional = i >= f.required && n.op != OpKind::concat;
      if (id != kNoTensor || !optional) read(id, "node " + n.name);
    }
    for (TensorId id : n.outputs) write(id, "node " + n.name);
  }

  void check_id(TensorId id, const std::string& who) const {
    if (id < 0 || id >= static_cast<TensorId>(graph_.tensors.size()))
      internal_error(fmt::format("{}: tensor id {} of {}", who, id, graph_.tensors.size()));
  }

  void read(TensorId id, const std::string& who) const {
    check_id(id, who);
    if (!written_[static_cast<size_t>(id)])
      internal_error(fmt::format("{}: tensor {} is read before it is written", who, graph_.tensor(id).name));
  }

  void write(TensorId id, const std::string& who) {
    check_id(id, who);
    if (written_[static_cast<size_t>(id)])
      internal_error(fmt::format("{}: tensor {} is constant or written twice", who, graph_.tensor(id).name));
    written_[static_cast<size_t>(id)] = true;
  }

  const Graph& graph_;
  std::vector<bool> written_;
};

}  // namespace

int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t d : shape) count *= d;
  return count;
}

std::string to_string(const Shape& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

const char* op_name(OpKind op) {
  return facts(op).name;
}

const char* unary_name(Unary function) {
  static const char* const names[] = {
      "relu",   "clip",  "sigmoid", "tanh", "hard_sigmoid", "hard_swish", "leaky_relu", "elu",        "exp",
      "sqrt",   "neg",   "abs",     "erf",  "silu",         "gelu",       "softplus",   "reciprocal", "log",
      "square", "rsqrt", "floor",   "ceil", "round",        "sin",        "cos",        "sign",       "logical_not"};
  return names[static_cast<size_t>(function)];
}

TensorId Graph::add(Tensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(tensors.size() - 1);
}

GraphIndex::GraphIndex(const Graph& graph) : producer(graph.tensors.size(), -1), consumers(graph.tensors.size()) {
  for (size_t k = 0; k < graph.nodes.size(); ++k) {
    const int node = static_cast<int>(k);
    for (TensorId id : graph.nodes[k].outputs) producer[static_cast<size_t>(id)] = node;
    for (TensorId id : graph.nodes[k].inputs) {
      if (id == kNoTensor) continue;
      auto& readers = consumers[static_cast<size_t>(id)];
      if (readers.empty() || readers.back() != node) readers.push_back(node);
    }
  }
}

void verify(const Graph& graph) {
  Verifier(graph).run();
}

void remove_dead_nodes(Graph& graph) {
  std::vector<bool> wanted(graph.tensors.size(), false);
  const auto want = [&wanted](TensorId id) {
    if (id != kNoTensor) wanted[static_cast<size_t>(id)] = true;
  };
  for (TensorId id : graph.outputs) want(id);
  std::vector<bool> alive(graph.nodes.size(), false);
  for (size_t k = graph.nodes.size(); k-- > 0;) {
    const Node& n = graph.nodes[k];
    alive[k] =
        std::any_of(n.outputs.begin(), n.outputs.end(), [&](TensorId id) { return wanted[static_cast<size_t>(id)]; });
    if (alive[k])
      for (TensorId id : n.inputs) want(id);
  }
  size_t kept = 0;
  for (size_t k = 0; k < graph.nodes.size(); ++k) {
    if (!alive[k]) continue;
    if (kept != k) graph.nodes[kept] = std::move(graph.nodes[k]);
    ++kept;
  }
  graph.nodes.resize(kept);
}

}  // namespace octet

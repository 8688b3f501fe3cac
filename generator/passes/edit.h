// Rewriting a graph while looking at it: who writes and who reads a tensor stays known after every change.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/kernel/spec.h"
#include "runtime/status.h"

namespace octet {

// Nodes keep their index until finish(), which drops the removed ones and restores the topological order, near the
// order that the file had: a new node stands where the node it was made for stands.
class Edit {
 public:
  explicit Edit(Graph& graph);

  Graph& graph() { return graph_; }
  int node_count() const { return static_cast<int>(graph_.nodes.size()); }
  Node& node(int i) { return graph_.nodes[static_cast<size_t>(i)]; }
  const Node& node(int i) const { return graph_.nodes[static_cast<size_t>(i)]; }
  bool quantizes(int i) const { return graph_.tensor(node(i).outputs[0]).is_quantized(); }  // its result
  bool removed(int i) const { return removed_[static_cast<size_t>(i)]; }
  std::vector<int> order() const;  // living nodes in topological order, as they stand now

  int producer(TensorId t) const { return t < 0 ? -1 : producer_[static_cast<size_t>(t)]; }
  const std::vector<int>& consumers(TensorId t) const { return consumers_[static_cast<size_t>(t)]; }
  bool is_output(TensorId t) const;
  bool is_input(TensorId t) const;
  // The only node that reads t, or -1 (also where t is a graph output).
  int only_consumer(TensorId t) const;

  TensorId add_tensor(Tensor tensor);
  int add_node(Node node, int near);  // directly before `near` in the order, as far as its inputs allow
  void set_input(int node, size_t i, TensorId t);
  void set_inputs(int node, std::vector<TensorId> inputs);
  void set_output(int node, size_t i, TensorId t);
  void move(int node, int near) { key_[static_cast<size_t>(node)] = key_[static_cast<size_t>(near)]; }
  void replace_uses(TensorId from, TensorId to);  // in nodes; graph outputs keep their tensor
  void remove(int node);
  void finish();

 private:
  void note_inputs(int node);
  void forget_inputs(int node);

  Graph& graph_;
  std::vector<int> producer_;
  std::vector<std::vector<int>> consumers_;
  std::vector<std::pair<int, int>> key_;  // place in the order: index of the original node, then how far before it
  std::vector<bool> removed_;
};

// "Conv 'features.0'": how errors call a node.
std::string describe(const Node& node);

// What `make` gives; a user error that it throws gets the node's description in front.
template <class Make>
auto named(const Node& node, Make make) {
  try {
    return make();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::user) throw;
    user_error(describe(node) + ": " + e.what());
  }
}

// Elementwise ops of two tensors that have kernels of their own on quantized ones.
bool is_binary(OpKind op);

bool is_clamp(const Node& node);  // relu or clip, of real numbers

int32_t type_min(DType dtype);
int32_t type_max(DType dtype);

// A per-tensor quantized tensor as formulas see it.
QuantView quant_view(const Tensor& tensor);

// The same quantization: type, scale and zero point.
bool same_quant(const Tensor& a, const Tensor& b);

// requant.h's quantize in q values (u8, s8), and RN32(f32(q - z) * s) for every integer type.
int32_t quantize_value(float x, float scale, int32_t zero_point, DType dtype);
float dequantize_value(int32_t q, float scale, int32_t zero_point);

// Elements of an integer constant (u8, s8, s32), widened.
std::vector<int32_t> integers(const Tensor& constant);
TensorId add_integers(Graph& graph, std::string name, DType dtype, Shape shape, const std::vector<int32_t>& values);

// [rows][a][b] -> [rows][b][a], one byte an element.
template <class Byte>
void transpose_rows(const Byte* from, Byte* to, int64_t rows, int64_t a, int64_t b) {
  for (int64_t r = 0; r < rows; ++r, from += a * b, to += a * b)
    for (int64_t j = 0; j < b; ++j)
      for (int64_t i = 0; i < a; ++i) to[j * a + i] = from[i * b + j];
}

// The values of a constant, given as f32 or through a DequantizeLinear; empty where t is neither.
std::vector<float> constant_floats(const Edit& edit, const Graph& graph, TensorId t);
// The quantized tensor that t is dequantized from, or kNoTensor.
TensorId dequantized_from(const Edit& edit, TensorId t);

int64_t channel_count(const Tensor& tensor);  // the last dimension

// Node ranges: the values that are left after a further clamp.
QRange type_range(DType dtype);
QRange united(QRange a, QRange b);
QRange clamp_after(QRange first, QRange then);
QRange drop_implied(QRange range, DType dtype);

}  // namespace octet

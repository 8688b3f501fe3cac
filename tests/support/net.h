// Small QDQ networks for the tests of the passes, built as the importer would, and two ways to run them: the meaning of
// the graph in binary64, and the lowered kernels through their references.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "generator/graph/graph.h"

namespace octet {

class Net {
 public:
  Graph graph;

  TensorId input(const std::string& name, Shape shape);  // f32
  TensorId constant(const std::string& name, Shape shape, const std::vector<float>& values);
  TensorId weights(const std::string& name, DType dtype, Shape shape, const std::vector<int32_t>& values,
                   QuantParams quant);  // dequantize(constant)
  TensorId quantize(TensorId x, const std::string& name, float scale, int32_t zero, DType dtype = DType::u8);
  TensorId dequantize(TensorId q);
  TensorId qdq(TensorId x, const std::string& name, float scale, int32_t zero, DType dtype = DType::u8) {
    return dequantize(quantize(x, name, scale, zero, dtype));
  }
  // Appends the node; its one output is f32, of this shape, and called like the node.
  TensorId node(Node node, std::vector<TensorId> inputs, Shape shape);
  TensorId conv(const std::string& name, TensorId x, TensorId w, TensorId bias, Window window, Shape shape,
                int64_t group = 1);
  TensorId unary(const std::string& name, TensorId x, Unary function, float alpha = 0, float beta = 0);
  void output(TensorId t) { graph.outputs.push_back(t); }

  const Shape& shape(TensorId t) const { return graph.tensor(t).shape; }
};

int count(const Graph& graph, OpKind op);
const Node* find(const Graph& graph, OpKind op);  // the first one; nullptr if none

using Arrays = std::vector<std::vector<double>>;  // one per graph input or output, in the file's order

// What the graph says, in binary64 and in the file's order: before layout only. Where scales are powers of two and sums
// are exact, every int8 formula gives exactly this.
Arrays evaluate(const Graph& graph, const Arrays& inputs);

// The kernels that lower() makes, through their references; checks the bytes around every buffer.
Arrays run_lowered(const Graph& graph, const Arrays& inputs, bool views);

}  // namespace octet

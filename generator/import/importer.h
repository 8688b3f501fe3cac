// The importer's inside: one NodeImport per node of the file, handled by a function that the operator's name selects.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/import/common.h"
#include "generator/import/onnx.h"
#include "generator/import/onnx_file.h"

namespace octet::onnx_import {

using importing::broadcast;
using importing::byte_count;
using importing::in_quotes;
using importing::Ints;
using importing::row_major_strides;
using importing::strided_copy;
using onnx_file::Attribute;
using onnx_file::Constant;

class NodeImport;
using Handler = void (*)(NodeImport& n);

// The graph so far and the names that lead to its tensors.
struct State {
  Graph graph;
  int64_t opset = 0;
  std::unordered_map<std::string, TensorId> tensors;           // by name in the file
  std::unordered_map<std::string, const Constant*> constants;  // initializers, taken into the graph when first read
  std::unordered_set<std::string> read;                        // names that some node or graph output reads
  std::unordered_set<std::string> outputs;                     // of the graph
  std::vector<int> producer;                                   // node per tensor, -1: none
  std::map<TensorId, TensorId> transposed;                     // constants and dequantized constants, 2-D
  std::multimap<TensorId, TensorId> requantized;               // constant -> the same with QuantParams
  int64_t folded_bytes = 0;                                    // made by folding; bounded

  TensorId add(Tensor t);
  Node& add(Node n);  // registers it as its outputs' producer
  const Node* producer_of(TensorId id) const;
  // kNoTensor where the name is unknown. Throws where the constant of that name is unusable.
  TensorId find(const std::string& name);
};

class NodeImport : public importing::NodeInputs {
 public:
  NodeImport(State& state, const onnx_file::FileNode& file);

  State& state;
  const onnx_file::FileNode& file;
  const int64_t opset;

  // Attributes. Reading one marks it as known; done() refuses the others.
  int64_t integer(std::string_view name, int64_t otherwise);
  float real(std::string_view name, float otherwise);
  std::string text(std::string_view name, const std::string& otherwise);
  std::optional<Ints> integers(std::string_view name);
  std::optional<std::vector<float>> reals(std::string_view name);
  const Constant* constant(std::string_view name);
  void ignore(std::initializer_list<std::string_view> names);  // known to make no difference
  // An attribute that became an input with opset `since`.
  std::optional<Ints> integers(std::string_view name, size_t index, int64_t since);
  void done() const;

  // Results. `output` makes the tensor of the node's index-th output; `temporary` one that the file does not have.
  TensorId output(DType dtype, Shape shape, std::optional<QuantParams> quant = {}, size_t index = 0);
  TensorId temporary(const std::string& suffix, DType dtype, Shape shape, std::optional<QuantParams> quant = {});
  void alias(TensorId id);  // the output is that tensor
  void folded(DType dtype, Shape shape, std::vector<std::byte> bytes, size_t index = 0);
  void folded(Shape shape, std::shared_ptr<const ConstantBytes> data, const Tensor& like);
  Node& emit(OpKind op, std::vector<TensorId> inputs, std::vector<TensorId> outputs);

  // Quantization (quant.cpp).
  QuantParams quant_params(size_t scale, size_t zero_point, TensorId of, int64_t axis) const;
  QuantParams quant_params(size_t scale, size_t zero_point, DType dtype, const Shape& shape, int64_t axis) const;
  TensorId with_quant(TensorId id, const QuantParams& quant);  // constants may be read in several ways

 private:
  std::string who() const override;
  const Attribute* find(std::string_view name, onnx_file::AttributeType type);
  void register_output(size_t index, TensorId id);

  std::vector<std::string_view> known_;
};

// Constants (constants.cpp). `transposed` makes NAME^T, once.
TensorId transposed(NodeImport& n, TensorId matrix);
bool fold_binary(NodeImport& n);  // both inputs constant: done

// Weights and bias of conv and linear (linear.cpp).
void check_weights(const NodeImport& n, TensorId weights);
void emit_linear(NodeImport& n, TensorId x, TensorId weights, TensorId bias, TensorId output);

// Softmax as of that opset (elementwise.cpp).
void emit_softmax(NodeImport& n, TensorId x, int64_t axis, int64_t softmax_opset, std::optional<QuantParams> quant);

// Geometry (window.cpp).
struct Spatial {
  Window window;
  Shape shape;  // of the output; n and channels filled in
};
Spatial read_window(NodeImport& n, const Shape& x, int64_t channels, const Ints& kernel, bool pool);

const std::unordered_map<std::string, Handler>& handlers();
void add_constant_ops(std::unordered_map<std::string, Handler>& table);
void add_elementwise_ops(std::unordered_map<std::string, Handler>& table);
void add_linear_ops(std::unordered_map<std::string, Handler>& table);
void add_movement_ops(std::unordered_map<std::string, Handler>& table);
void add_quant_ops(std::unordered_map<std::string, Handler>& table);
void add_qoperator_ops(std::unordered_map<std::string, Handler>& table);
void add_window_ops(std::unordered_map<std::string, Handler>& table);

}  // namespace octet::onnx_import

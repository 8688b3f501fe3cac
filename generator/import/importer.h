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
#include "generator/import/onnx.h"
#include "generator/import/onnx_file.h"

namespace octet::onnx_import {

using onnx_file::Attribute;
using onnx_file::Constant;
using onnx_file::in_quotes;
using Ints = std::vector<int64_t>;

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

class NodeImport {
 public:
  NodeImport(State& state, const onnx_file::FileNode& file);

  State& state;
  Graph& graph;
  const onnx_file::FileNode& file;
  const int64_t opset;

  [[noreturn]] void fail(const std::string& what) const;  // "node 'name' (Op): what"
  [[noreturn]] void fail_attribute(std::string_view name, const std::string& value, std::string_view supported) const;

  // Inputs. Reading one that is absent is an error that names `role`.
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != kNoTensor; }
  size_t input_count() const { return inputs_.size(); }
  TensorId input(size_t i, std::string_view role = "input") const;
  const Tensor& tensor(size_t i, std::string_view role = "input") const { return graph.tensor(input(i, role)); }
  void expect_inputs(size_t least, size_t most) const;
  void expect_dtype(TensorId id, std::initializer_list<DType> allowed) const;
  void expect_rank(TensorId id, size_t least, size_t most) const;
  bool is_constant(size_t i) const { return has(i) && tensor(i).is_constant(); }
  // The values of a constant of integers (any shape), or of one float.
  Ints integers_in(size_t i, std::string_view role) const;
  float real_in(size_t i, std::string_view role) const;

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
  int64_t axis(int64_t value, size_t rank) const;  // made non-negative; checks the range
  void done() const;

  // Results. `output` makes the tensor of the node's index-th output; `temporary` one that the file does not have.
  TensorId output(DType dtype, Shape shape, std::optional<QuantParams> quant = {}, size_t index = 0);
  TensorId temporary(const std::string& suffix, DType dtype, Shape shape, std::optional<QuantParams> quant = {});
  void alias(TensorId id);  // the output is that tensor
  void folded(DType dtype, Shape shape, std::vector<std::byte> bytes, size_t index = 0);
  void folded(Shape shape, std::shared_ptr<const ConstantBytes> data, const Tensor& like);
  Node& emit(OpKind op, std::vector<TensorId> inputs, std::vector<TensorId> outputs);
  void charge(int64_t bytes) const;  // against the limit on what is made from constants
  void check_shape(const Shape& shape, DType dtype) const;

  // Quantization (quant.cpp).
  QuantParams quant_params(size_t scale, size_t zero_point, TensorId of, int64_t axis) const;
  QuantParams quant_params(size_t scale, size_t zero_point, DType dtype, const Shape& shape, int64_t axis) const;
  TensorId with_quant(TensorId id, const QuantParams& quant);  // constants may be read in several ways

 private:
  const Attribute* find(std::string_view name, onnx_file::AttributeType type);
  void register_output(size_t index, TensorId id);

  std::vector<TensorId> inputs_;
  std::vector<std::string_view> known_;
};

// Constants (constants.cpp). `transposed` makes NAME^T, once.
TensorId transposed(NodeImport& n, TensorId matrix);
std::optional<Ints> broadcast(const Shape& a, const Shape& b);
std::vector<std::byte> strided_copy(const Tensor& t, const Shape& shape, int64_t offset, const Ints& strides);
Ints row_major_strides(const Shape& shape);
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

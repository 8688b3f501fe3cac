// The importer's inside: one NodeImport per node of the file, handled by a function that the operator's name selects.
#pragma once

#include <functional>
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
  // Of a node that becomes several: one whose name and tensor have the suffix, or (without one) the file's own output.
  Node& step(OpKind op, std::vector<TensorId> inputs, const std::string& suffix, DType dtype, Shape shape,
             std::optional<QuantParams> quant = {});
  // The same for a constant.
  TensorId constant_step(const std::string& suffix, DType dtype, Shape shape, std::vector<std::byte> bytes);
  template <class T>
  TensorId constant_step(const std::string& suffix, DType dtype, Shape shape, const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span<const T>(values));
    return constant_step(suffix, dtype, std::move(shape), std::vector<std::byte>(bytes.begin(), bytes.end()));
  }

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

// QuantizeLinear and DequantizeLinear that no quantized tensor stands for (quant_steps.cpp): parameters that are
// computed or given by block, several of them for an activation, s32 activations.
bool has_computed_parameters(NodeImport& n);                  // or blocks
bool comes_from_constants(const NodeImport& n, TensorId id);  // values that passes will find
void quantize_in_steps(NodeImport& n, DType to);
void dequantize_in_steps(NodeImport& n);

// Constants (constants.cpp). `transposed` makes NAME^T, once.
TensorId transposed(NodeImport& n, TensorId matrix);
TensorId cast_to(NodeImport& n, TensorId id, DType to, const std::string& suffix);  // a constant where `id` is
bool is_dequantized_constant(const NodeImport& n, TensorId id);
// A constant of the same bytes and another shape of as many elements.
TensorId reshaped_constant(NodeImport& n, TensorId id, Shape shape);

// Arithmetic (arithmetic.cpp): the op of two operands that `like` describes (op, relation, connective), which
// broadcast; a constant where both are. u8, s8 and boolean ones compute in s32.
TensorId binary(NodeImport& n, const Node& like, TensorId a, TensorId b, const std::string& suffix = "");

// One function of one tensor (elementwise.cpp).
TensorId unary(NodeImport& n, Unary function, TensorId x, const std::string& suffix);

// A vector with one value per channel, as an f32 constant (normalize.cpp).
TensorId channel_vector(NodeImport& n, size_t i, int64_t channels);

// Weights and bias of conv and linear (linear.cpp).
void check_weights(const NodeImport& n, TensorId weights);
Shape matmul_shape(const NodeImport& n, const Shape& a, const Shape& b);  // [.., m, k] times [.., k, n]
void emit_linear(NodeImport& n, TensorId x, TensorId weights, TensorId bias, TensorId output);

// Softmax as of that opset (normalize.cpp).
void emit_softmax(NodeImport& n, OpKind op, TensorId x, int64_t axis, int64_t softmax_opset,
                  std::optional<QuantParams> quant);

// Geometry (window.cpp).
struct Axis {
  int64_t in, kernel, stride, dilation, begin, end;
  int64_t extent() const { return dilation * (kernel - 1) + 1; }
};
struct Spatial {
  Window window;           // of the last two
  Shape shape;             // of the output; n and channels filled in
  std::vector<Axis> axes;  // with their pads
};
Window to_window(const std::vector<Axis>& axes);
// One attribute with a value per spatial axis, from `least` to a limit.
Ints per_axis(NodeImport& n, std::string_view name, size_t count, int64_t least, int64_t otherwise);
std::string auto_pad(NodeImport& n, const Ints& pads);  // NOTSET, VALID, SAME_UPPER or SAME_LOWER
Spatial read_window(NodeImport& n, const Shape& x, int64_t channels, const Ints& kernel, bool pool);
// Convolutions (conv.cpp). What the attributes say, for weights [oc, ic / group, ...] and a bias (or kNoTensor) that
// are checked against the input x.
struct ConvHead {
  int64_t group;
  Spatial spatial;
};
ConvHead read_conv(NodeImport& n, TensorId x, TensorId weights, TensorId bias);
// One from its parts.
void conv_into(NodeImport& n, OpKind op, std::vector<TensorId> inputs, DType dtype, std::optional<QuantParams> quant);
// Constant weights, or what they are dequantized from, as `change` leaves them; the file's own stay.
TensorId changed_weights(NodeImport& n, TensorId weights, const std::string& suffix,
                         const std::function<void(Tensor&)>& change);
// Three spatial axes, as a 2-D convolution (conv3d.cpp).
void conv3d_into(NodeImport& n, TensorId x, TensorId weights, TensorId bias);
// One to three spatial axes, weights or bias computed at run time (conv_computed.cpp).
void conv_computed_into(NodeImport& n, TensorId x, TensorId weights, TensorId bias);

// Movement (movement.cpp). What an op that moves integers hands on: its input's parameters, where it has any.
std::optional<QuantParams> moved_quant(const NodeImport& n, TensorId x);
Ints sorted_axes(const NodeImport& n, Ints axes, size_t rank);  // non-negative, ascending; each at most once

const std::unordered_map<std::string, Handler>& handlers();
void add_arithmetic_ops(std::unordered_map<std::string, Handler>& table);
void add_constant_ops(std::unordered_map<std::string, Handler>& table);
void add_conv_ops(std::unordered_map<std::string, Handler>& table);
void add_dynamic_ops(std::unordered_map<std::string, Handler>& table);
void add_elementwise_ops(std::unordered_map<std::string, Handler>& table);
void add_gather_ops(std::unordered_map<std::string, Handler>& table);
void add_linear_ops(std::unordered_map<std::string, Handler>& table);
void add_movement_ops(std::unordered_map<std::string, Handler>& table);
void add_normalize_ops(std::unordered_map<std::string, Handler>& table);
void add_pad_ops(std::unordered_map<std::string, Handler>& table);
void add_quant_ops(std::unordered_map<std::string, Handler>& table);
void add_qoperator_ops(std::unordered_map<std::string, Handler>& table);
void add_reduce_ops(std::unordered_map<std::string, Handler>& table);
void add_resize_ops(std::unordered_map<std::string, Handler>& table);
void add_window_ops(std::unordered_map<std::string, Handler>& table);

}  // namespace octet::onnx_import

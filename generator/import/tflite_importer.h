// The importer's inside: one NodeImport per node of the file, handled by a function that the operator's name selects.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/import/common.h"
#include "generator/import/tflite.h"
#include "generator/import/tflite_file.h"

namespace octet::tflite_import {

using importing::in_quotes;
using importing::Ints;
using tflite_file::FileNode;
using tflite_file::FileTensor;
using tflite_file::Option;

class NodeImport;
using Handler = void (*)(NodeImport& n);

// The graph so far, and which of the file's tensors it has.
struct State {
  Graph graph;
  const tflite_file::Model& file;
  std::vector<TensorId> tensors;                         // by number in the file; kNoTensor: not computed yet
  std::map<std::pair<TensorId, Ints>, TensorId> turned;  // constants with their dimensions permuted
  int64_t folded_bytes = 0;                              // made by folding; bounded

  // kNoTensor where nothing has computed it. Throws where the file's tensor is unusable.
  TensorId find(int number);
};

class NodeImport : public importing::NodeInputs {
 public:
  NodeImport(State& state, const FileNode& file);

  State& state;
  const FileNode& file;

  // Options. Reading one marks it as known; done() refuses the others where they say something.
  int64_t integer(std::string_view name, int64_t otherwise = 0);
  bool flag(std::string_view name) { return integer(name) != 0; }
  float real(std::string_view name, float otherwise = 0);
  std::string choice(std::string_view name, const std::string& otherwise);  // a name of an enumeration
  std::optional<Ints> integers(std::string_view name);
  void ignore(std::initializer_list<std::string_view> names);  // known to make no difference
  void done() const;

  // Inputs and outputs.
  void expect_outputs(size_t count) const;
  void expect_elements(const Shape& shape) const;  // positive dimensions
  // f32, or u8 or s8 with one scale; the type.
  DType expect_real(TensorId id) const;
  void expect_same_quant(TensorId a, const std::optional<QuantParams>& b, std::string_view b_name) const;

  // Results. `output` makes the tensor of the node's index-th output, of the type and parameters that the file gives
  // it; `output_like` one that has those of an input, as ops that move values have; `temporary` one that is not in the
  // file.
  TensorId output(DType dtype, Shape shape, size_t index = 0);
  TensorId output_like(TensorId input, Shape shape, size_t index = 0);
  TensorId temporary(const std::string& suffix, DType dtype, Shape shape, std::optional<QuantParams> quant);
  void folded(DType dtype, Shape shape, std::vector<std::byte> bytes, size_t index = 0);
  void folded(DType dtype, Shape shape, std::shared_ptr<const ConstantBytes> data, size_t index = 0);

  // A node with this one's name and source; `emit` adds it to the graph.
  Node node(OpKind op, std::vector<TensorId> inputs) const;
  void emit(Node node, TensorId output);
  void emit(Node node);  // with the outputs that it has
  // The same, followed by the activation that the options name; makes the output.
  void emit_activated(Node node, DType dtype, Shape shape);
  // input -> reshape -> a temporary NAME/SUFFIX; nothing where it has that shape.
  TensorId reshaped(TensorId input, Shape shape, const std::string& suffix);

  // A constant with its dimensions permuted, once for the file.
  TensorId turned(TensorId constant, const Ints& perm);

 private:
  std::string who() const override;
  const Option* find(std::string_view name);
  const FileTensor& file_output(size_t index) const;
  TensorId register_output(size_t index, Tensor tensor);

  std::vector<std::string_view> known_;
};

// What an activation leaves of the output's quantized values.
QRange activation_range(const NodeImport& n, const std::string& activation, const Tensor& output);

const std::unordered_map<std::string, Handler>& handlers();
void add_conv_ops(std::unordered_map<std::string, Handler>& table);
void add_elementwise_ops(std::unordered_map<std::string, Handler>& table);
void add_movement_ops(std::unordered_map<std::string, Handler>& table);
void add_reduce_ops(std::unordered_map<std::string, Handler>& table);
void add_slice_ops(std::unordered_map<std::string, Handler>& table);

}  // namespace octet::tflite_import

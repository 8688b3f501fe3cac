#include "generator/import/importer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/status.h"

namespace octet::onnx_import {

using onnx_file::AttributeType;

TensorId State::add(Tensor t) {
  producer.push_back(-1);
  return graph.add(std::move(t));
}

Node& State::add(Node n) {
  for (TensorId id : n.outputs) producer[static_cast<size_t>(id)] = static_cast<int>(graph.nodes.size());
  graph.nodes.push_back(std::move(n));
  return graph.nodes.back();
}

const Node* State::producer_of(TensorId id) const {
  const int node = producer[static_cast<size_t>(id)];
  return node < 0 ? nullptr : &graph.nodes[static_cast<size_t>(node)];
}

TensorId State::find(const std::string& name) {
  if (const auto at = tensors.find(name); at != tensors.end()) return at->second;
  const auto at = constants.find(name);
  if (at == constants.end()) return kNoTensor;
  const Constant& c = *at->second;
  if (!c.problem.empty()) user_error(fmt::format("initializer {}: {}", in_quotes(name), c.problem));
  const TensorId id = add({.name = name, .dtype = c.dtype, .shape = c.shape, .data = c.data});
  tensors.emplace(name, id);
  return id;
}

NodeImport::NodeImport(State& s, const onnx_file::FileNode& f)
    : NodeInputs(s.graph, s.folded_bytes), state(s), file(f), opset(s.opset) {
  for (const std::string& name : file.inputs) {
    const TensorId id = name.empty() ? kNoTensor : state.find(name);
    if (id == kNoTensor && !name.empty())
      fail(
          fmt::format("input {} is no graph input, initializer or output of an earlier node (nodes must be in order, "
                      "without cycles)",
                      in_quotes(name)));
    inputs_.push_back(id);
  }
}

std::string NodeImport::who() const {
  return fmt::format("{} ({}{}{})", in_quotes(file.name), file.domain, file.domain.empty() ? "" : ".",
                     file.op.substr(0, 80));
}

const Attribute* NodeImport::find(std::string_view name, AttributeType type) {
  known_.push_back(name);
  for (const Attribute& a : file.attributes) {
    if (a.name != name) continue;
    static const char* const names[] = {"another type", "float", "int", "string", "tensor", "floats", "ints"};
    if (a.type != type)
      fail_attribute(name, std::string("of type ") + names[static_cast<size_t>(a.type)],
                     names[static_cast<size_t>(type)]);
    return &a;
  }
  return nullptr;
}

int64_t NodeImport::integer(std::string_view name, int64_t otherwise) {
  const Attribute* a = find(name, AttributeType::integer);
  return a ? a->integer : otherwise;
}

float NodeImport::real(std::string_view name, float otherwise) {
  const Attribute* a = find(name, AttributeType::real);
  if (a && !std::isfinite(a->real)) fail_attribute(name, fmt::format("{}", a->real), "finite numbers");
  return a ? a->real : otherwise;
}

std::string NodeImport::text(std::string_view name, const std::string& otherwise) {
  const Attribute* a = find(name, AttributeType::text);
  return a ? a->text : otherwise;
}

std::optional<Ints> NodeImport::integers(std::string_view name) {
  const Attribute* a = find(name, AttributeType::integers);
  return a ? std::optional(a->integers) : std::nullopt;
}

std::optional<std::vector<float>> NodeImport::reals(std::string_view name) {
  const Attribute* a = find(name, AttributeType::reals);
  return a ? std::optional(a->reals) : std::nullopt;
}

const Constant* NodeImport::constant(std::string_view name) {
  const Attribute* a = find(name, AttributeType::tensor);
  if (a && !a->tensor.problem.empty()) fail(fmt::format("attribute {}: {}", name, a->tensor.problem));
  return a ? &a->tensor : nullptr;
}

void NodeImport::ignore(std::initializer_list<std::string_view> names) {
  known_.insert(known_.end(), names);
}

std::optional<Ints> NodeImport::integers(std::string_view name, size_t index, int64_t since) {
  if (opset < since) return integers(name);
  return has(index) ? std::optional(integers_in(index, name)) : std::nullopt;
}

void NodeImport::done() const {
  for (const Attribute& a : file.attributes)
    if (std::find(known_.begin(), known_.end(), a.name) == known_.end())
      fail(fmt::format("attribute {} is not supported; supported: {}", in_quotes(a.name),
                       known_.empty() ? "none" : fmt::format("{}", fmt::join(known_, ", "))));
  for (size_t i = 0; i < file.outputs.size(); ++i)
    if (const std::string& name = file.outputs[i]; state.read.count(name) && !state.tensors.count(name))
      fail(fmt::format("output {} ({}) is not supported", i, in_quotes(name)));
}

void NodeImport::register_output(size_t index, TensorId id) {
  const std::string& name = file.outputs[index];
  if (!state.tensors.emplace(name, id).second || state.constants.count(name))
    fail(fmt::format("output {} is written twice", in_quotes(name)));
}

TensorId NodeImport::output(DType dtype, Shape shape, std::optional<QuantParams> quant, size_t index) {
  check_shape(shape, dtype);
  for (int64_t d : shape)
    if (d < 1) fail(fmt::format("result has shape {}; supported: positive dimensions", to_string(shape)));
  const bool named = index < file.outputs.size() && !file.outputs[index].empty();
  if (!named && index == 0) fail("output 0 is missing");
  Tensor t{.name = named ? file.outputs[index] : fmt::format("{}/{}", file.name, index),
           .dtype = dtype,
           .shape = std::move(shape),
           .quant = std::move(quant)};
  const TensorId id = state.add(std::move(t));
  if (named) register_output(index, id);
  return id;
}

TensorId NodeImport::temporary(const std::string& suffix, DType dtype, Shape shape, std::optional<QuantParams> quant) {
  check_shape(shape, dtype);
  if (file.outputs.empty()) fail("output 0 is missing");
  return state.add(
      {.name = file.outputs[0] + suffix, .dtype = dtype, .shape = std::move(shape), .quant = std::move(quant)});
}

// A graph output keeps its name: the tensor takes it where it can, otherwise it is copied.
void NodeImport::alias(TensorId id) {
  if (file.outputs.empty() || file.outputs[0].empty()) fail("output 0 is missing");
  Tensor& t = graph.tensor(id);
  if (!state.outputs.count(file.outputs[0]) || t.is_constant()) return register_output(0, id);
  if (state.producer_of(id) && !state.outputs.count(t.name)) {
    t.name = file.outputs[0];
    return register_output(0, id);
  }
  const DType dtype = t.dtype;
  Shape shape = t.shape;
  auto quant = t.quant;
  emit(OpKind::identity, {id}, {output(dtype, std::move(shape), std::move(quant))});
}

void NodeImport::folded(DType dtype, Shape shape, std::vector<std::byte> bytes, size_t index) {
  check_shape(shape, dtype);
  if (index >= file.outputs.size() || file.outputs[index].empty()) return;
  auto data = std::make_shared<const ConstantBytes>(std::move(bytes));
  register_output(
      index,
      state.add({.name = file.outputs[index], .dtype = dtype, .shape = std::move(shape), .data = std::move(data)}));
}

void NodeImport::folded(Shape shape, std::shared_ptr<const ConstantBytes> data, const Tensor& like) {
  check_shape(shape, like.dtype);
  if (file.outputs.empty()) return;
  Tensor t{.name = file.outputs[0], .dtype = like.dtype, .shape = std::move(shape), .data = std::move(data)};
  register_output(0, state.add(std::move(t)));
}

Node& NodeImport::emit(OpKind op, std::vector<TensorId> inputs, std::vector<TensorId> outputs) {
  return state.add(
      Node{.op = op, .name = file.name, .source = file.op, .inputs = std::move(inputs), .outputs = std::move(outputs)});
}

Node& NodeImport::step(OpKind op, std::vector<TensorId> inputs, const std::string& suffix, DType dtype, Shape shape,
                       std::optional<QuantParams> quant) {
  const TensorId y = suffix.empty() ? output(dtype, std::move(shape), std::move(quant))
                                    : temporary(suffix, dtype, std::move(shape), std::move(quant));
  Node& node = emit(op, std::move(inputs), {y});
  node.name += suffix;
  return node;
}

TensorId NodeImport::constant_step(const std::string& suffix, DType dtype, Shape shape, std::vector<std::byte> bytes) {
  if (suffix.empty()) {
    folded(dtype, std::move(shape), std::move(bytes));
    return file.outputs.empty() ? kNoTensor : state.find(file.outputs[0]);
  }
  check_shape(shape, dtype);
  if (file.outputs.empty()) fail("output 0 is missing");
  return state.add({.name = file.outputs[0] + suffix,
                    .dtype = dtype,
                    .shape = std::move(shape),
                    .data = std::make_shared<const ConstantBytes>(std::move(bytes))});
}

const std::unordered_map<std::string, Handler>& handlers() {
  static const auto table = [] {
    std::unordered_map<std::string, Handler> t;
    add_arithmetic_ops(t);
    add_constant_ops(t);
    add_conv_ops(t);
    add_dynamic_ops(t);
    add_elementwise_ops(t);
    add_gather_ops(t);
    add_linear_ops(t);
    add_movement_ops(t);
    add_normalize_ops(t);
    add_pad_ops(t);
    add_quant_ops(t);
    add_qoperator_ops(t);
    add_reduce_ops(t);
    add_resize_ops(t);
    add_window_ops(t);
    return t;
  }();
  return table;
}

}  // namespace octet::onnx_import

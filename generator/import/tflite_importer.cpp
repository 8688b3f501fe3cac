#include "generator/import/tflite_importer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/status.h"

namespace octet::tflite_import {

TensorId State::find(int number) {
  const auto k = static_cast<size_t>(number);
  if (tensors[k] != kNoTensor) return tensors[k];
  const FileTensor& t = file.tensors[k];
  if (!t.problem.empty()) user_error(fmt::format("tensor {} ({}): {}", number, in_quotes(t.name), t.problem));
  if (!t.data) return kNoTensor;
  tensors[k] = graph.add({.name = t.name, .dtype = t.dtype, .shape = t.shape, .quant = t.quant, .data = t.data});
  return tensors[k];
}

NodeImport::NodeImport(State& s, const FileNode& f) : NodeInputs(s.graph, s.folded_bytes), state(s), file(f) {
  for (int number : file.inputs) {
    const TensorId id = number < 0 ? kNoTensor : state.find(number);
    if (id == kNoTensor && number >= 0)
      fail(
          fmt::format("input {} is no graph input, constant or output of an earlier node (nodes must be in order, "
                      "without cycles)",
                      in_quotes(state.file.tensors[static_cast<size_t>(number)].name)));
    inputs_.push_back(id);
  }
}

std::string NodeImport::who() const {
  return fmt::format("{} ({})", tflite_file::node_name(state.file, file), file.op.substr(0, 80));
}

// --- options

const Option* NodeImport::find(std::string_view name) {
  known_.push_back(name);
  for (const Option& o : file.options)
    if (o.name == name) return &o;
  return nullptr;
}

int64_t NodeImport::integer(std::string_view name, int64_t otherwise) {
  const Option* o = find(name);
  return o ? o->integer : otherwise;
}

float NodeImport::real(std::string_view name, float otherwise) {
  const Option* o = find(name);
  if (o && !std::isfinite(o->real)) fail_attribute(name, fmt::format("{}", o->real), "finite numbers");
  return o ? o->real : otherwise;
}

std::string NodeImport::choice(std::string_view name, const std::string& otherwise) {
  const Option* o = find(name);
  return o ? o->text : otherwise;
}

std::optional<Ints> NodeImport::integers(std::string_view name) {
  const Option* o = find(name);
  return o ? std::optional(o->integers) : std::nullopt;
}

void NodeImport::ignore(std::initializer_list<std::string_view> names) {
  known_.insert(known_.end(), names);
}

void NodeImport::done() const {
  for (const Option& o : file.options) {
    const bool says_nothing = o.integer == 0 && o.real == 0 && o.integers.empty();
    if (says_nothing || std::find(known_.begin(), known_.end(), o.name) != known_.end()) continue;
    fail(fmt::format("option {} is not supported; supported: {}", in_quotes(o.name),
                     known_.empty() ? "none" : fmt::format("{}", fmt::join(known_, ", "))));
  }
  for (int number : file.outputs)
    if (state.tensors[static_cast<size_t>(number)] == kNoTensor)
      fail(fmt::format("output {} is not supported", in_quotes(state.file.tensors[static_cast<size_t>(number)].name)));
}

// --- inputs and outputs

const FileTensor& NodeImport::file_output(size_t index) const {
  return state.file.tensors[static_cast<size_t>(file.outputs[index])];
}

void NodeImport::expect_outputs(size_t count) const {
  if (file.outputs.size() != count) fail(fmt::format("{} outputs; supported: {}", file.outputs.size(), count));
}

DType NodeImport::expect_real(TensorId id) const {
  expect_dtype(id, {DType::f32, DType::u8, DType::s8});
  const Tensor& t = graph.tensor(id);
  if (t.dtype != DType::f32 && (!t.quant || !t.quant->per_tensor()))
    fail(fmt::format("{} is {} with {}; supported: one scale", in_quotes(t.name), dtype_name(t.dtype),
                     t.quant ? "one scale per channel" : "no scale"));
  return t.dtype;
}

void NodeImport::expect_same_quant(TensorId a, const std::optional<QuantParams>& b, std::string_view b_name) const {
  const Tensor& t = graph.tensor(a);
  if (!t.quant || !b || *t.quant == *b) return;
  fail(fmt::format("{} has scale {} and zero point {}, {} has {} and {}; supported: the same for both",
                   in_quotes(t.name), t.quant->scale[0], t.quant->zero_point[0], in_quotes(b_name), b->scale[0],
                   b->zero_point[0]));
}

TensorId NodeImport::register_output(size_t index, Tensor tensor) {
  check_shape(tensor.shape, tensor.dtype);
  if (index >= file.outputs.size()) fail(fmt::format("output {} is missing", index));
  const auto number = static_cast<size_t>(file.outputs[index]);
  const FileTensor& f = state.file.tensors[number];
  if (!f.problem.empty()) fail(fmt::format("output {}: {}", in_quotes(f.name), f.problem));
  if (f.data || state.tensors[number] != kNoTensor)
    fail(fmt::format("output {} is constant, or written twice", in_quotes(f.name)));
  if (f.dtype != tensor.dtype)
    fail(fmt::format("output {} is {}; supported: {} for these inputs", in_quotes(f.name), dtype_name(f.dtype),
                     dtype_name(tensor.dtype)));
  tensor.name = f.name;
  state.tensors[number] = graph.add(std::move(tensor));
  return state.tensors[number];
}

void NodeImport::expect_elements(const Shape& shape) const {
  if (std::any_of(shape.begin(), shape.end(), [](int64_t d) { return d < 1; }))
    fail(fmt::format("a tensor of shape {}; supported: positive dimensions", to_string(shape)));
}

TensorId NodeImport::output(DType dtype, Shape shape, size_t index) {
  expect_elements(shape);
  const bool integer = dtype == DType::u8 || dtype == DType::s8;
  const auto quant = integer && index < file.outputs.size() ? file_output(index).quant : std::nullopt;
  const TensorId id = register_output(index, {.dtype = dtype, .shape = std::move(shape), .quant = quant});
  if (integer) expect_real(id);
  return id;
}

TensorId NodeImport::output_like(TensorId input, Shape shape, size_t index) {
  expect_elements(shape);
  const Tensor& t = graph.tensor(input);
  if (t.quant && !t.quant->per_tensor())
    fail(fmt::format("input {} is quantized per channel; supported: per tensor", in_quotes(t.name)));
  if (index < file.outputs.size() && (t.dtype == DType::u8 || t.dtype == DType::s8))
    expect_same_quant(input, file_output(index).quant, file_output(index).name);
  return register_output(index, {.dtype = t.dtype, .shape = std::move(shape), .quant = t.quant});
}

TensorId NodeImport::temporary(const std::string& suffix, DType dtype, Shape shape, std::optional<QuantParams> quant) {
  check_shape(shape, dtype);
  if (file.outputs.empty()) fail("no outputs");
  return graph.add(
      {.name = file_output(0).name + suffix, .dtype = dtype, .shape = std::move(shape), .quant = std::move(quant)});
}

void NodeImport::folded(DType dtype, Shape shape, std::vector<std::byte> bytes, size_t index) {
  folded(dtype, std::move(shape), std::make_shared<const ConstantBytes>(std::move(bytes)), index);
}

void NodeImport::folded(DType dtype, Shape shape, std::shared_ptr<const ConstantBytes> data, size_t index) {
  register_output(index, {.dtype = dtype, .shape = std::move(shape), .data = std::move(data)});
}

Node NodeImport::node(OpKind op, std::vector<TensorId> inputs) const {
  if (file.outputs.empty()) fail("no outputs");
  return {.op = op, .name = file_output(0).name, .source = file.op, .inputs = std::move(inputs)};
}

void NodeImport::emit(Node node, TensorId output) {
  node.outputs.push_back(output);
  emit(std::move(node));
}

namespace {

// Ops whose result does not depend on whether their tensors are quantized.
bool moves_values(OpKind op) {
  switch (op) {
    case OpKind::concat:
    case OpKind::dequantize:
    case OpKind::expand:
    case OpKind::gather:
    case OpKind::gather_nd:
    case OpKind::max_pool:
    case OpKind::pad:
    case OpKind::reshape:
    case OpKind::slice:
    case OpKind::split:
    case OpKind::tile:
    case OpKind::transpose: return true;
    default: return false;
  }
}

}  // namespace

// A float op between DEQUANTIZE and QUANTIZE is just that: no notation for a quantized op, as it is in ONNX files.
void NodeImport::emit(Node node) {
  if (graph.tensor(node.outputs[0]).dtype == DType::f32 && !moves_values(node.op)) node.island = "float in the file";
  for (TensorId id : node.inputs)
    if (id != kNoTensor) expect_elements(graph.tensor(id).shape);
  graph.nodes.push_back(std::move(node));
}

void NodeImport::emit_activated(Node made, DType dtype, Shape shape) {
  const std::string activation = choice("fused_activation_function", "NONE");
  if (dtype != DType::f32 || activation == "NONE") {
    const TensorId y = output(dtype, std::move(shape));
    made.range = activation_range(*this, activation, graph.tensor(y));
    return emit(std::move(made), y);
  }
  Node after = node(OpKind::unary, {});
  after.name += "/activation";
  if (activation == "RELU") {
    after.function = Unary::relu;
  } else if (activation == "TANH") {
    after.function = Unary::tanh;
  } else if (activation == "RELU6" || activation == "RELU_N1_TO_1") {
    after.function = Unary::clip;
    after.alpha = activation == "RELU6" ? 0.0F : -1.0F;
    after.beta = activation == "RELU6" ? 6.0F : 1.0F;
  } else {
    fail_attribute("fused_activation_function", activation, "NONE, RELU, RELU_N1_TO_1, RELU6, TANH");
  }
  const TensorId linear = temporary("/linear", dtype, shape, {});
  emit(std::move(made), linear);
  after.inputs = {linear};
  emit(std::move(after), output(dtype, std::move(shape)));
}

// TensorFlow Lite's own rounding of the bounds, half away from zero: z + haz(RN32(bound / s)) (numerics.md 2.2).
QRange activation_range(const NodeImport& n, const std::string& activation, const Tensor& y) {
  QRange range;
  if (activation == "NONE") return range;
  const bool quantized = y.is_quantized();
  if (!quantized || (activation != "RELU" && activation != "RELU6" && activation != "RELU_N1_TO_1"))
    n.fail_attribute("fused_activation_function", activation, quantized ? "NONE, RELU, RELU_N1_TO_1, RELU6" : "NONE");
  const auto q = [&y](float bound) {
    constexpr float kFar = 1000;  // beyond every 8-bit type
    const float steps = std::round(bound / y.quant->scale[0]);
    return y.quant->zero_point[0] + static_cast<int32_t>(std::clamp(steps, -kFar, kFar));
  };
  const int32_t least = y.dtype == DType::u8 ? 0 : -128, most = y.dtype == DType::u8 ? 255 : 127;
  // What the type implies is no clamp.
  if (const int32_t lo = q(activation == "RELU_N1_TO_1" ? -1.0F : 0.0F); lo > least) range.lo = lo;
  if (activation == "RELU") return range;
  if (const int32_t hi = q(activation == "RELU6" ? 6.0F : 1.0F); hi < most) range.hi = hi;
  return range;
}

TensorId NodeImport::reshaped(TensorId input, Shape shape, const std::string& suffix) {
  const Tensor& t = graph.tensor(input);
  if (t.shape == shape) return input;
  const TensorId to = temporary(suffix, t.dtype, std::move(shape), t.quant);
  Node made = node(OpKind::reshape, {input});
  made.name += suffix;
  emit(std::move(made), to);
  return to;
}

TensorId NodeImport::turned(TensorId constant, const Ints& perm) {
  const auto known = state.turned.find({constant, perm});
  if (known != state.turned.end()) return known->second;
  Tensor t = graph.tensor(constant);
  const Ints strides = importing::row_major_strides(t.shape);
  Shape shape;
  Ints taken;
  int64_t before = -1;
  bool moves = false;
  for (int64_t p : perm) {
    const auto d = static_cast<size_t>(p);
    shape.push_back(t.shape[d]);
    taken.push_back(strides[d]);
    if (t.shape[d] == 1) continue;
    moves = moves || p < before;
    before = p;
  }
  if (moves) t.data = std::make_shared<const ConstantBytes>(importing::strided_copy(t, shape, 0, taken));
  t.shape = std::move(shape);
  if (t.quant && !t.quant->per_tensor())
    t.quant->axis = static_cast<int>(std::find(perm.begin(), perm.end(), t.quant->axis) - perm.begin());
  const TensorId made = graph.add(std::move(t));
  state.turned.emplace(std::pair(constant, perm), made);
  return made;
}

const std::unordered_map<std::string, Handler>& handlers() {
  static const auto table = [] {
    std::unordered_map<std::string, Handler> t;
    add_conv_ops(t);
    add_elementwise_ops(t);
    add_movement_ops(t);
    add_reduce_ops(t);
    add_slice_ops(t);
    return t;
  }();
  return table;
}

}  // namespace octet::tflite_import

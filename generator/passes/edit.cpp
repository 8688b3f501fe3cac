#include "generator/passes/edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "generator/kernel/requant.h"
#include "runtime/status.h"

namespace octet {

Edit::Edit(Graph& graph) : graph_(graph), producer_(graph.tensors.size(), -1), consumers_(graph.tensors.size()) {
  for (int i = 0; i < node_count(); ++i) {
    key_.push_back({i, 0});
    removed_.push_back(false);
    for (TensorId t : node(i).outputs) producer_[static_cast<size_t>(t)] = i;
    note_inputs(i);
  }
}

void Edit::note_inputs(int i) {
  for (TensorId t : node(i).inputs)
    if (t != kNoTensor) consumers_[static_cast<size_t>(t)].push_back(i);
}

void Edit::forget_inputs(int i) {
  for (TensorId t : node(i).inputs) {
    if (t == kNoTensor) continue;
    std::vector<int>& readers = consumers_[static_cast<size_t>(t)];
    readers.erase(std::find(readers.begin(), readers.end(), i));
  }
}

bool Edit::is_output(TensorId t) const {
  return std::find(graph_.outputs.begin(), graph_.outputs.end(), t) != graph_.outputs.end();
}

bool Edit::is_input(TensorId t) const {
  return std::find(graph_.inputs.begin(), graph_.inputs.end(), t) != graph_.inputs.end();
}

int Edit::only_consumer(TensorId t) const {
  const std::vector<int>& readers = consumers(t);
  return readers.size() == 1 && !is_output(t) ? readers[0] : -1;
}

TensorId Edit::add_tensor(Tensor tensor) {
  const TensorId id = graph_.add(std::move(tensor));
  producer_.resize(graph_.tensors.size(), -1);
  consumers_.resize(graph_.tensors.size());
  return id;
}

int Edit::add_node(Node added, int near) {
  producer_.resize(graph_.tensors.size(), -1);  // constants may have come by Graph::add
  consumers_.resize(graph_.tensors.size());
  const int i = node_count();
  const auto place = near < 0 ? std::pair{-1, 0} : key_[static_cast<size_t>(near)];
  key_.push_back({place.first, place.second - 1});
  removed_.push_back(false);
  graph_.nodes.push_back(std::move(added));
  for (TensorId t : node(i).outputs) producer_[static_cast<size_t>(t)] = i;
  note_inputs(i);
  return i;
}

void Edit::set_inputs(int i, std::vector<TensorId> inputs) {
  consumers_.resize(graph_.tensors.size());
  producer_.resize(graph_.tensors.size(), -1);
  forget_inputs(i);
  node(i).inputs = std::move(inputs);
  note_inputs(i);
}

void Edit::set_input(int i, size_t k, TensorId t) {
  std::vector<TensorId> inputs = node(i).inputs;
  inputs[k] = t;
  set_inputs(i, std::move(inputs));
}

void Edit::set_output(int i, size_t k, TensorId t) {
  TensorId& out = node(i).outputs[k];
  if (producer(out) == i) producer_[static_cast<size_t>(out)] = -1;
  out = t;
  producer_[static_cast<size_t>(t)] = i;
}

void Edit::replace_uses(TensorId from, TensorId to) {
  const std::vector<int> readers = consumers(from);
  for (int i : readers) {
    std::vector<TensorId> inputs = node(i).inputs;
    std::replace(inputs.begin(), inputs.end(), from, to);
    set_inputs(i, std::move(inputs));
  }
}

void Edit::remove(int i) {
  forget_inputs(i);
  node(i).inputs.clear();
  for (TensorId t : node(i).outputs)
    if (producer(t) == i) producer_[static_cast<size_t>(t)] = -1;
  removed_[static_cast<size_t>(i)] = true;
}

std::vector<int> Edit::order() const {
  std::vector<int> missing(graph_.nodes.size(), 0);
  using Entry = std::pair<std::pair<int, int>, int>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  const auto offer = [&](int i) { ready.push({key_[static_cast<size_t>(i)], i}); };
  int living = 0;
  for (int i = 0; i < node_count(); ++i) {
    if (removed(i)) continue;
    ++living;
    for (TensorId t : node(i).inputs) missing[static_cast<size_t>(i)] += producer(t) >= 0 ? 1 : 0;
    if (missing[static_cast<size_t>(i)] == 0) offer(i);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    const int i = ready.top().second;
    ready.pop();
    order.push_back(i);
    for (TensorId t : node(i).outputs)
      for (int reader : consumers(t))
        if (--missing[static_cast<size_t>(reader)] == 0) offer(reader);
  }
  if (static_cast<int>(order.size()) != living) internal_error("a pass made a cycle in graph " + graph_.name);
  return order;
}

void Edit::finish() {
  std::vector<Node> nodes;
  for (int i : order()) nodes.push_back(std::move(node(i)));
  graph_.nodes = std::move(nodes);
}

std::string describe(const Node& node) {
  return fmt::format("{} '{}'", node.source.empty() ? op_name(node.op) : node.source, node.name);
}

bool is_binary(OpKind op) {
  switch (op) {
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::prelu: return true;
    default: return false;
  }
}

bool is_clamp(const Node& node) {
  return node.op == OpKind::unary && (node.function == Unary::relu || node.function == Unary::clip);
}

int32_t type_min(DType dtype) {
  switch (dtype) {
    case DType::u8: return 0;
    case DType::s8: return -128;
    default: return std::numeric_limits<int32_t>::min();
  }
}

int32_t type_max(DType dtype) {
  switch (dtype) {
    case DType::u8: return 255;
    case DType::s8: return 127;
    default: return std::numeric_limits<int32_t>::max();
  }
}

QuantView quant_view(const Tensor& t) {
  return {t.quant->scale[0], t.quant->zero_point[0], t.dtype == DType::s8};
}

bool same_quant(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.quant == b.quant;
}

int32_t quantize_value(float x, float scale, int32_t zero_point, DType dtype) {
  const QuantView view{scale, zero_point, dtype == DType::s8};
  return quantize(x, view) - view.offset();
}

float dequantize_value(int32_t q, float scale, int32_t zero_point) {
  return static_cast<float>(int64_t{q} - zero_point) * scale;
}

int64_t channel_count(const Tensor& t) {
  return t.shape.empty() ? 1 : t.shape.back();
}

std::vector<int32_t> integers(const Tensor& constant) {
  const auto widen = [](auto values) { return std::vector<int32_t>(values.begin(), values.end()); };
  switch (constant.dtype) {
    case DType::u8: return widen(constant.values<uint8_t>());
    case DType::s8: return widen(constant.values<int8_t>());
    case DType::s32: return widen(constant.values<int32_t>());
    default: internal_error("constant '" + constant.name + "' is not of an integer type");
  }
}

TensorId add_integers(Graph& graph, std::string name, DType dtype, Shape shape, const std::vector<int32_t>& values) {
  const auto add = [&]<class T>(T) {
    const std::vector<T> narrow(values.begin(), values.end());
    return graph.add_constant<T>(std::move(name), dtype, std::move(shape), narrow);
  };
  switch (dtype) {
    case DType::u8: return add(uint8_t{});
    case DType::s8: return add(int8_t{});
    case DType::s32: return add(int32_t{});
    default: internal_error("add_integers wants an integer type");
  }
}

TensorId dequantized_from(const Edit& edit, TensorId t) {
  const int p = edit.producer(t);
  return p >= 0 && edit.node(p).op == OpKind::dequantize ? edit.node(p).inputs[0] : kNoTensor;
}

std::vector<float> constant_floats(const Edit& edit, const Graph& graph, TensorId t) {
  if (t == kNoTensor) return {};
  const Tensor& direct = graph.tensor(t);
  if (direct.is_constant() && direct.dtype == DType::f32) {
    const auto values = direct.values<float>();
    return {values.begin(), values.end()};
  }
  const TensorId from = dequantized_from(edit, t);
  if (from == kNoTensor || !graph.tensor(from).is_constant() || !graph.tensor(from).quant) return {};
  const Tensor& quantized = graph.tensor(from);
  const QuantParams& quant = *quantized.quant;
  // Per channel: the parameter index is the position along the axis.
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(quant.axis) + 1; !quant.per_tensor() && d < quantized.shape.size(); ++d)
    inner *= quantized.shape[d];
  const std::vector<int32_t> q = integers(quantized);
  std::vector<float> out(q.size());
  for (size_t i = 0; i < q.size(); ++i) {
    const size_t c = quant.per_tensor() ? 0 : i / static_cast<size_t>(inner) % quant.scale.size();
    out[i] = dequantize_value(q[i], quant.scale[c], quant.zero_point[c]);
  }
  return out;
}

QRange type_range(DType dtype) {
  return {type_min(dtype), type_max(dtype)};
}

QRange united(QRange a, QRange b) {
  return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)};
}

QRange clamp_after(QRange first, QRange then) {
  return {std::clamp(first.lo, then.lo, then.hi), std::clamp(first.hi, then.lo, then.hi)};
}

QRange drop_implied(QRange range, DType dtype) {
  QRange out;
  if (range.lo > type_min(dtype)) out.lo = range.lo;
  if (range.hi < type_max(dtype)) out.hi = range.hi;
  return out;
}

}  // namespace octet

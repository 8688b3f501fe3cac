// Fewer nodes, the same bytes: every rounding and clamp of the nodes that vanish is kept in the one that stays.
#include <algorithm>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "generator/passes/table.h"

namespace octet {
namespace {

// Ops whose kernels clamp their result to node.range.
bool clamps(OpKind op) {
  switch (op) {
    case OpKind::conv:
    case OpKind::conv_transpose:
    case OpKind::linear:
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::prelu:
    case OpKind::average_pool:
    case OpKind::global_average_pool:
    case OpKind::max_pool:
    case OpKind::batch_norm:
    case OpKind::requantize: return true;
    default: return false;
  }
}

// The range that a table (or a requantize) leaves, if clamping is all it does.
bool is_clamp_table(const Table& table, DType dtype, QRange& range) {
  const auto [lo, hi] = std::minmax_element(table.begin(), table.end());
  range = {*lo, *hi};
  for (int i = 0; i < 256; ++i)
    if (table[static_cast<size_t>(i)] != std::clamp(value_of_byte(i, dtype), range.lo, range.hi)) return false;
  return true;
}

// The node that alone feeds input 0 of node i, or -1.
int only_feeder(const Edit& edit, int i) {
  const TensorId in = edit.node(i).inputs[0];
  return edit.only_consumer(in) == i ? edit.producer(in) : -1;
}

}  // namespace

void fuse_ranges(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    const Node node = edit.node(i);
    if ((node.op != OpKind::unary && node.op != OpKind::requantize) || !edit.quantizes(i)) continue;
    const int p = only_feeder(edit, i);
    const TensorId out = node.outputs[0];
    QRange range;
    if (p < 0 || !clamps(edit.node(p).op) || !same_quant(graph.tensor(node.inputs[0]), graph.tensor(out)) ||
        !is_clamp_table(table_of(graph, node), graph.tensor(out).dtype, range))
      continue;
    edit.node(p).range = drop_implied(clamp_after(edit.node(p).range, range), graph.tensor(out).dtype);
    edit.remove(i);
    edit.set_output(p, 0, out);
  }
  edit.finish();
}

namespace {

bool is_table(const Edit& edit, int i) {
  return i >= 0 && (edit.node(i).op == OpKind::unary || edit.node(i).op == OpKind::requantize) && edit.quantizes(i);
}

// Node i becomes the function of x that `table` says; `like` is where its description comes from.
void become_table(Edit& edit, int i, TensorId x, const Table& table, const Node& like) {
  Graph& graph = edit.graph();
  Node& n = edit.node(i);
  n.op = OpKind::unary;
  n.function = like.function;
  n.alpha = like.alpha;
  n.beta = like.beta;
  n.range = {};
  const TensorId constant = add_table(graph, n.name, graph.tensor(n.outputs[0]).dtype, table);
  edit.set_inputs(i, {x, constant});
}

void join_tables(Edit& edit, int i) {
  const int p = only_feeder(edit, i);
  if (!is_table(edit, p)) return;
  const Table first = table_of(edit.graph(), edit.node(p)), second = table_of(edit.graph(), edit.node(i));
  Table both{};
  for (size_t k = 0; k < both.size(); ++k) both[k] = second[static_cast<size_t>(byte_of_value(first[k]))];
  const Node like = edit.node(edit.node(i).op == OpKind::requantize ? p : i);
  become_table(edit, i, edit.node(p).inputs[0], both, like);
  edit.remove(p);
}

// An addend or factor as a function of some tensor: the table that makes it for node i alone, or itself.
struct Operand {
  TensorId source = kNoTensor;
  int table = -1;
  int32_t at(const Graph& graph, const Edit& edit, int byte) const {
    if (table < 0) return value_of_byte(byte, graph.tensor(source).dtype);
    return table_of(graph, edit.node(table))[static_cast<size_t>(byte)];
  }
};

Operand operand(const Edit& edit, int i, TensorId t) {
  const int p = edit.producer(t);
  if (is_table(edit, p) && edit.only_consumer(t) == i) return {edit.node(p).inputs[0], p};
  return {t, -1};
}

// x * T[x] (hard swish as exporters spell it) and the like: both operands come from one tensor.
void join_operands(Edit& edit, int i) {
  Graph& graph = edit.graph();
  const Node node = edit.node(i);
  const Operand a = operand(edit, i, node.inputs[0]), b = operand(edit, i, node.inputs[1]);
  if (a.source != b.source || (a.table < 0 && b.table < 0) ||
      graph.tensor(a.source).shape != graph.tensor(node.outputs[0]).shape)
    return;
  const BinaryFormula formula(graph, node);
  Table table{};
  for (int byte = 0; byte < 256; ++byte)
    table[static_cast<size_t>(byte)] = formula(a.at(graph, edit, byte), b.at(graph, edit, byte));
  const Node like = edit.node(b.table >= 0 ? b.table : a.table);
  become_table(edit, i, a.source, table, like);
  for (int table_node : {a.table, b.table})
    if (table_node >= 0) edit.remove(table_node);
}

}  // namespace

void fuse_tables(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.removed(i)) continue;
    if (edit.quantizes(i) && is_binary(edit.node(i).op)) join_operands(edit, i);
    if (is_table(edit, i)) join_tables(edit, i);
  }
  edit.finish();
}

void fuse_concats(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    const Node node = edit.node(i);
    if (node.op != OpKind::concat || node.inputs.size() != 1 || edit.is_output(node.outputs[0])) continue;
    edit.replace_uses(node.outputs[0], node.inputs[0]);
    edit.remove(i);
  }
  edit.finish();
}

namespace {

// Takes the pads of h and w into the window; false where the pad touches other axes, cuts, or is not the zero point.
bool take_pads(const Graph& graph, const Node& pad, Window& window) {
  const Tensor& x = graph.tensor(pad.inputs[0]);
  const size_t rank = x.shape.size();
  if (rank < 3 || rank > 4 || !x.is_quantized()) return false;
  const float scale = x.quant->scale[0];
  const int32_t zero = x.quant->zero_point[0];
  const size_t width = graph.channels_last ? rank - 2 : rank - 1, channels = graph.channels_last ? rank - 1 : 1;
  if (pad.pad_mode != PadMode::constant || quantize_value(pad.alpha, scale, zero, x.dtype) != zero) return false;
  for (size_t d = 0; d < 2 * rank; ++d)
    if (pad.pads[d] < 0 || pad.pads[d] > 4096 || ((d % rank == 0 || d % rank == channels) && pad.pads[d] != 0))
      return false;
  if (rank == 4) {
    window.pad_top += static_cast<int>(pad.pads[width - 1]);
    window.pad_bottom += static_cast<int>(pad.pads[rank + width - 1]);
  }
  window.pad_left += static_cast<int>(pad.pads[width]);
  window.pad_right += static_cast<int>(pad.pads[rank + width]);
  return true;
}

}  // namespace

void fuse_pads(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.node(i).op != OpKind::conv) continue;
    const int p = edit.producer(edit.node(i).inputs[0]);
    if (p < 0 || edit.node(p).op != OpKind::pad) continue;
    Window window = edit.node(i).window;
    if (!take_pads(graph, edit.node(p), window)) continue;
    edit.node(i).window = window;
    edit.set_input(i, 0, edit.node(p).inputs[0]);
  }
  edit.finish();
}

namespace {

// [n, c, ..] -> [n, g, c/g, ..] -> [n, c/g, g, ..] -> [n, c, ..]: output channel j * g + k is input channel k * (c/g) +
// j. Channels last: [.., c] -> [.., g, c/g] -> [.., c/g, g] -> [.., c].
std::vector<int64_t> shuffle_perm(const Graph& graph, const Node& split, const Node& turn, const Node& join) {
  const Shape &x = graph.tensor(split.inputs[0]).shape, &mid = graph.tensor(split.outputs[0]).shape;
  if (x.size() < 3 || mid.size() != x.size() + 1 || graph.tensor(join.outputs[0]).shape != x) return {};
  const size_t c = graph.channels_last ? x.size() - 1 : 1;
  const auto at = static_cast<std::ptrdiff_t>(c);
  if (!std::equal(x.begin(), x.begin() + at, mid.begin()) || mid[c] * mid[c + 1] != x[c] ||
      !std::equal(x.begin() + at + 1, x.end(), mid.begin() + at + 2))
    return {};
  for (size_t d = 0; d < turn.perm.size(); ++d)
    if (turn.perm[d] != static_cast<int64_t>(d == c ? c + 1 : d == c + 1 ? c : d)) return {};
  std::vector<int64_t> perm;
  for (int64_t j = 0; j < mid[c + 1]; ++j)
    for (int64_t k = 0; k < mid[c]; ++k) perm.push_back(k * mid[c + 1] + j);
  return perm;
}

bool match_shuffle(Edit& edit, int join) {
  if (edit.node(join).op != OpKind::reshape) return false;
  const int turn = only_feeder(edit, join);
  if (turn < 0 || edit.node(turn).op != OpKind::transpose) return false;
  const int split = only_feeder(edit, turn);
  if (split < 0 || edit.node(split).op != OpKind::reshape) return false;
  std::vector<int64_t> perm = shuffle_perm(edit.graph(), edit.node(split), edit.node(turn), edit.node(join));
  if (perm.empty() || !edit.graph().tensor(edit.node(split).inputs[0]).is_quantized()) return false;
  const TensorId x = edit.node(split).inputs[0];
  Node& n = edit.node(join);
  n.op = OpKind::channel_permute;
  n.perm = std::move(perm);
  edit.set_input(join, 0, x);
  edit.remove(turn);
  edit.remove(split);
  return true;
}

}  // namespace

void fuse_shuffles(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.removed(i)) continue;
    match_shuffle(edit, i);
    if (edit.node(i).op != OpKind::channel_permute) continue;
    const int p = only_feeder(edit, i);
    if (p < 0 || edit.node(p).op != OpKind::channel_permute) continue;
    for (int64_t& channel : edit.node(i).perm) channel = edit.node(p).perm[static_cast<size_t>(channel)];
    edit.set_input(i, 0, edit.node(p).inputs[0]);
    edit.remove(p);
  }
  edit.finish();
}

namespace {

// The two pieces that a concat in front of node i joins along the channels, each half of them; empty otherwise.
std::vector<TensorId> joined_halves(const Edit& edit, const Graph& graph, int i) {
  const int p = only_feeder(edit, i);
  if (p < 0 || edit.node(p).op != OpKind::concat || edit.node(p).inputs.size() != 2) return {};
  const std::vector<TensorId>& pieces = edit.node(p).inputs;
  const Shape& a = graph.tensor(pieces[0]).shape;
  const bool channels = edit.node(p).axis == static_cast<int>(a.size()) - 1;
  return channels && a == graph.tensor(pieces[1]).shape ? pieces : std::vector<TensorId>{};
}

bool alternates_halves(const std::vector<int64_t>& perm) {
  const auto half = static_cast<int64_t>(perm.size() / 2);
  for (size_t c = 0; c < perm.size(); ++c)
    if (perm[c] != static_cast<int64_t>(c / 2) + (c % 2 ? half : 0)) return false;
  return true;
}

}  // namespace

void join_interleaves(Graph& graph) {
  Edit edit(graph);
  for (int i : edit.order()) {
    if (edit.node(i).op != OpKind::channel_permute || !alternates_halves(edit.node(i).perm)) continue;
    const std::vector<TensorId> halves = joined_halves(edit, graph, i);
    if (halves.empty()) continue;
    const int concat = edit.producer(edit.node(i).inputs[0]);
    edit.set_inputs(i, halves);
    edit.remove(concat);
  }
  edit.finish();
}

namespace {

// The conv or linear that makes this addend for the add alone, or -1.
int fusible_producer(const Edit& edit, const Graph& graph, int add, TensorId addend) {
  if (edit.only_consumer(addend) != add) return -1;
  const int p = edit.producer(addend);
  if (p < 0 || edit.node(p).fused_add) return -1;
  const OpKind op = edit.node(p).op;
  return (op == OpKind::conv || op == OpKind::linear) && graph.tensor(addend).is_quantized() ? p : -1;
}

}  // namespace

void fuse_adds(Graph& graph) {
  Edit edit(graph);
  const std::vector<int> order = edit.order();
  std::vector<size_t> position(graph.nodes.size());
  for (size_t k = 0; k < order.size(); ++k) position[static_cast<size_t>(order[k])] = k;
  for (int i : order) {
    const Node add = edit.node(i);
    if (add.op != OpKind::add || graph.tensor(add.inputs[0]).shape != graph.tensor(add.inputs[1]).shape) continue;
    const int first = fusible_producer(edit, graph, i, add.inputs[0]);
    const int second = fusible_producer(edit, graph, i, add.inputs[1]);
    if (first < 0 && second < 0) continue;
    // The one computed last has the other addend ready, and its own inputs live on the least.
    const bool take_first =
        second < 0 || (first >= 0 && position[static_cast<size_t>(first)] > position[static_cast<size_t>(second)]);
    const int conv = take_first ? first : second;
    const TensorId own = add.inputs[take_first ? 0 : 1], other = add.inputs[take_first ? 1 : 0];
    const Tensor& inner = graph.tensor(own);
    Node& n = edit.node(conv);
    n.fused_add = FusedAdd{.dtype = inner.dtype,
                           .quant = *inner.quant,
                           .range = n.range,
                           .conv_is_first = take_first,
                           .tensor = inner.name};
    n.range = add.range;
    std::vector<TensorId> inputs = n.inputs;
    inputs.resize(3, kNoTensor);
    inputs.push_back(other);
    edit.set_inputs(conv, std::move(inputs));
    edit.remove(i);
    edit.set_output(conv, 0, add.outputs[0]);
    edit.move(conv, i);
  }
  edit.finish();
}

}  // namespace octet

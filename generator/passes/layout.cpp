// Channels last: rank-4 activations become n, h, w, c, and so do the rank-3 ones around 1-D convolutions (n, w, c).
// Everything else, and every float tensor, keeps the file's order. Where an op wants the other order, an explicit
// transpose stands before it, unless the bytes are the same in both, or a linear's weights can be permuted instead.
// A conv's weights stay as in the file; lower() turns them. Graphs that come channels last get their edges only.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Axes = std::vector<int64_t>;

// stored dimension j is file dimension order(..)[j].
Axes stored_order(size_t rank, bool channels_last) {
  Axes order(rank);
  std::iota(order.begin(), order.end(), 0);
  if (channels_last) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

Axes inverse(const Axes& perm) {
  Axes out(perm.size());
  for (size_t d = 0; d < perm.size(); ++d) out[static_cast<size_t>(perm[d])] = static_cast<int64_t>(d);
  return out;
}

template <class T>
std::vector<T> picked(const std::vector<T>& values, const Axes& order, size_t base = 0) {
  std::vector<T> out;
  for (int64_t d : order) out.push_back(values[base + static_cast<size_t>(d)]);
  return out;
}

bool is_spatial(OpKind op) {
  return op == OpKind::conv || op == OpKind::conv_transpose || op == OpKind::max_pool || op == OpKind::average_pool ||
         op == OpKind::global_average_pool || op == OpKind::batch_norm || op == OpKind::channel_permute ||
         op == OpKind::depth_to_space || op == OpKind::space_to_depth;
}

// Ops that work in any order as long as their tensors agree.
bool keeps_order(OpKind op) {
  switch (op) {
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::prelu:
    case OpKind::unary:
    case OpKind::requantize:
    case OpKind::concat:
    case OpKind::slice:
    case OpKind::split:
    case OpKind::pad:
    case OpKind::tile:
    case OpKind::resize:
    case OpKind::softmax:
    case OpKind::log_softmax: return true;
    default: return false;
  }
}

class Layout {
 public:
  explicit Layout(Graph& graph) : graph_(graph), edit_(graph) {}

  void run() {
    settle_outputs();
    add_edges();
    last_.assign(graph_.tensors.size(), false);
    if (graph_.channels_last)
      drop_idle_transposes();
    else
      turn();
    edit_.finish();
    graph_.channels_last = true;
  }

 private:
  // Files that are channels last are stored as they are: every tensor keeps the file's order.
  void drop_idle_transposes() {
    for (int i : edit_.order())
      if (edit_.node(i).op == OpKind::transpose) convert_transpose(i);
  }

  void turn() {
    decide();
    for (int i : edit_.order()) convert(i);
    for (size_t t = 0; t < last_.size(); ++t) {
      if (!last_[t]) continue;
      Tensor& tensor = graph_.tensors[t];
      tensor.file_shape = tensor.shape;
      tensor.shape = picked(tensor.shape, stored_order(tensor.shape.size(), true));
    }
  }

  bool last(TensorId t) const { return last_[static_cast<size_t>(t)]; }
  Axes order_of(TensorId t) const { return stored_order(graph_.tensor(t).shape.size(), last(t)); }

  // Outputs that are an input, a constant, or another output once more become copies of it.
  void settle_outputs() {
    for (size_t k = 0; k < graph_.outputs.size(); ++k) {
      const TensorId id = graph_.outputs[k];
      const auto end = graph_.outputs.begin() + static_cast<int64_t>(k);
      if (edit_.producer(id) >= 0 && std::find(graph_.outputs.begin(), end, id) == end) continue;
      Tensor copy = graph_.tensor(id);
      copy.data = nullptr;
      const TensorId out = edit_.add_tensor(std::move(copy));
      edit_.add_node(edge(id, out, "output"), edit_.producer(id) >= 0 ? edit_.producer(id) : edit_.node_count() - 1);
      graph_.outputs[k] = out;
    }
  }

  // Where quantized integers enter or leave the graph: an identity between the file's tensor and the stored one.
  void add_edges() {
    for (TensorId id : graph_.inputs) {
      if (!graph_.tensor(id).is_quantized()) continue;
      const TensorId inner = edit_.add_tensor(Tensor(graph_.tensor(id)));
      edit_.replace_uses(id, inner);
      edit_.add_node(edge(id, inner, "input"), -1);
    }
    for (TensorId id : graph_.outputs) {
      const int p = edit_.producer(id);
      if (!graph_.tensor(id).is_quantized() || edit_.node(p).op == OpKind::identity) continue;
      const TensorId inner = edit_.add_tensor(Tensor(graph_.tensor(id)));
      std::vector<TensorId>& outs = edit_.node(p).outputs;
      edit_.set_output(p, static_cast<size_t>(std::find(outs.begin(), outs.end(), id) - outs.begin()), inner);
      edit_.replace_uses(id, inner);
      edit_.add_node(edge(inner, id, "output"), p);
    }
  }

  Node edge(TensorId from, TensorId to, const char* kind) const {
    return {.op = OpKind::identity,
            .name = graph_.tensor(from).name,
            .source = fmt::format("graph {}", kind),
            .inputs = {from},
            .outputs = {to}};
  }

  bool may_be_last(TensorId t) const {
    const Tensor& tensor = graph_.tensor(t);
    return tensor.is_quantized() && !tensor.is_constant() && !edit_.is_input(t) && !edit_.is_output(t);
  }

  // Whether only the network's edges, transposes and matrix products touch t. It stays in the file's order: images that
  // enter or leave channels last are then stored as they come, and transposes beside them and products move nothing.
  bool stays_in_file_order(TensorId t) const {
    const auto is_edge = [](OpKind op) {
      return op == OpKind::identity || op == OpKind::quantize || op == OpKind::dequantize;
    };
    const auto is_ordered = [](OpKind op) { return op == OpKind::transpose || op == OpKind::matmul; };
    std::vector<int> nodes = edit_.consumers(t);
    if (edit_.producer(t) >= 0) nodes.push_back(edit_.producer(t));
    int ordered = 0;
    for (int i : nodes) {
      if (!is_ordered(edit_.node(i).op) && !is_edge(edit_.node(i).op)) return false;
      ordered += is_ordered(edit_.node(i).op);
    }
    return ordered > 0;
  }

  void decide() {
    for (size_t t = 0; t < last_.size(); ++t) {
      const auto id = static_cast<TensorId>(t);
      last_[t] = graph_.tensors[t].shape.size() == 4 && may_be_last(id) && !stays_in_file_order(id);
    }
    // Rank 3: what touches a 1-D convolution or pool, and what agrees with that.
    for (bool changed = true; changed;) {
      changed = false;
      for (const Node& n : graph_.nodes) {
        if (!is_spatial(n.op) && !keeps_order(n.op)) continue;
        std::vector<TensorId> tensors = n.outputs;
        std::copy_if(n.inputs.begin(), n.inputs.end(), std::back_inserter(tensors),
                     [](TensorId t) { return t != kNoTensor; });
        std::erase_if(tensors, [&](TensorId t) { return graph_.tensor(t).shape.size() != 3 || !may_be_last(t); });
        const bool spatial =
            is_spatial(n.op) || std::any_of(tensors.begin(), tensors.end(), [&](TensorId t) { return last(t); });
        for (TensorId t : tensors) {
          if (!spatial || last(t)) continue;
          last_[static_cast<size_t>(t)] = true;
          changed = true;
        }
      }
    }
  }

  // Whether both orders are the same bytes.
  bool trivial(TensorId t) const {
    const Shape& s = graph_.tensor(t).shape;
    if (!last(t) || s[1] == 1) return true;
    return std::all_of(s.begin() + 2, s.end(), [](int64_t d) { return d == 1; });
  }

  // The same values in the other order, by a transpose before node i.
  TensorId reordered(TensorId t, int i) {
    const bool to_last = !last(t);
    if (const auto known = reordered_.find(t); known != reordered_.end()) return known->second;
    Tensor copy = graph_.tensor(t);
    copy.name += to_last ? " (channels last)" : " (file order)";
    const TensorId other = edit_.add_tensor(std::move(copy));
    last_.push_back(to_last);
    edit_.add_node(transpose(t, other, edit_.node(i)), i);
    reordered_.emplace(t, other);
    return other;
  }

  // A transpose node between two orders of the same values.
  Node transpose(TensorId from, TensorId to, const Node& owner) const {
    return {.op = OpKind::transpose,
            .name = owner.name,
            .source = owner.source,
            .inputs = {from},
            .outputs = {to},
            .perm = picked(inverse(order_of(from)), order_of(to))};
  }

  void want(int i, size_t k, bool channels_last) {
    const TensorId t = edit_.node(i).inputs[k];
    if (t == kNoTensor || graph_.tensor(t).shape.size() < 3) return;
    if (graph_.tensor(t).is_constant()) {
      if (channels_last) edit_.set_input(i, k, constant_channels_last(t));
      return;
    }
    if (last(t) != channels_last) edit_.set_input(i, k, reordered(t, i));
  }

  // The same constant in stored order.
  TensorId constant_channels_last(TensorId id) {
    const Tensor t = graph_.tensor(id);
    const int64_t images = t.shape[0], channels = t.shape[1];
    const int64_t pixels = element_count(t.shape) / (images * channels);
    return new_constant(t, picked(t.shape, stored_order(t.shape.size(), true)),
                        transposed_rows(t, images, channels, pixels));
  }

  // The node writes its output in the given order; if the tensor is decided otherwise, a transpose follows.
  void give(int i, size_t k, bool channels_last) {
    const TensorId t = edit_.node(i).outputs[k];
    if (graph_.tensor(t).shape.size() < 3 || last(t) == channels_last) return;
    Tensor copy = graph_.tensor(t);
    copy.name += channels_last ? " (channels last)" : " (file order)";
    const TensorId written = edit_.add_tensor(std::move(copy));
    last_.push_back(channels_last);
    edit_.set_output(i, k, written);
    edit_.add_node(transpose(written, t, edit_.node(i)), i);
  }

  void convert(int i) {
    switch (edit_.node(i).op) {
      case OpKind::quantize:
      case OpKind::dequantize:
      case OpKind::identity: return;  // their kernels convert
      case OpKind::linear:
        want(i, 0, false);
        if (edit_.node(i).inputs.size() > 3) want(i, 3, false);
        give(i, 0, false);
        return;
      case OpKind::transpose: return convert_transpose(i);
      case OpKind::reshape: return convert_reshape(i);
      default: break;
    }
    if (!touches_quantized(edit_.node(i))) return;
    if (is_spatial(edit_.node(i).op)) return convert_spatial(i);
    if (keeps_order(edit_.node(i).op)) return convert_ordered(i);
    for (size_t k = 0; k < edit_.node(i).inputs.size(); ++k) want(i, k, false);
    for (size_t k = 0; k < edit_.node(i).outputs.size(); ++k) give(i, k, false);
  }

  bool touches_quantized(const Node& n) const {
    const auto quantized = [this](TensorId t) { return t != kNoTensor && graph_.tensor(t).is_quantized(); };
    return std::any_of(n.inputs.begin(), n.inputs.end(), quantized) ||
           std::any_of(n.outputs.begin(), n.outputs.end(), quantized);
  }

  void convert_spatial(int i) {
    const bool channels_last = graph_.tensor(edit_.node(i).outputs[0]).shape.size() >= 3;
    want(i, 0, channels_last);
    if (edit_.node(i).op == OpKind::conv && edit_.node(i).inputs.size() > 3) want(i, 3, true);
    give(i, 0, channels_last);
    edit_.node(i).channels_last = channels_last;
  }

  using Bytes = std::shared_ptr<const ConstantBytes>;

  static Bytes transposed_rows(const Tensor& w, int64_t rows, int64_t a, int64_t b) {
    if (dtype_bytes(w.dtype) != 1) internal_error("constant '" + w.name + "' is not of 8 bits");
    if (a == 1 || b == 1) return w.data;
    std::vector<std::byte> out(w.data->size());
    transpose_rows(w.data->data(), out.data(), rows, a, b);
    return std::make_shared<const ConstantBytes>(std::move(out));
  }

  TensorId new_constant(const Tensor& like, Shape shape, Bytes values) {
    const TensorId id = graph_.add({.name = like.name,
                                    .dtype = like.dtype,
                                    .shape = std::move(shape),
                                    .quant = like.quant,
                                    .data = std::move(values)});
    last_.push_back(false);
    return id;
  }

  void convert_ordered(int i) {
    const TensorId out = edit_.node(i).outputs[0];
    const size_t rank = graph_.tensor(out).shape.size();
    const bool channels_last = last(out);
    for (size_t k = 0; k < edit_.node(i).inputs.size(); ++k) want(i, k, channels_last);
    for (size_t k = 1; k < edit_.node(i).outputs.size(); ++k) give(i, k, channels_last);
    Node& n = edit_.node(i);
    if (!channels_last) return;
    const Axes order = stored_order(rank, true);
    n.axis = static_cast<int>(inverse(order)[static_cast<size_t>(n.axis)]);
    if (!n.starts.empty()) n.starts = picked(n.starts, order);
    if (!n.steps.empty()) n.steps = picked(n.steps, order);
    if (!n.resize.scales.empty()) n.resize.scales = picked(n.resize.scales, order);
    if (!n.pads.empty()) {
      std::vector<int64_t> pads = picked(n.pads, order), ends = picked(n.pads, order, rank);
      pads.insert(pads.end(), ends.begin(), ends.end());
      n.pads = std::move(pads);
    }
  }

  void convert_transpose(int i) {
    Node& n = edit_.node(i);
    const TensorId in = n.inputs[0], out = n.outputs[0];
    n.perm = picked(picked(inverse(order_of(in)), n.perm), order_of(out));
    // Only dimensions of one element move: the bytes stay.
    const Shape stored = picked(graph_.tensor(in).shape, order_of(in));
    int64_t before = -1;
    for (int64_t d : n.perm) {
      if (stored[static_cast<size_t>(d)] == 1) continue;
      if (d < before) return;
      before = d;
    }
    n.op = OpKind::reshape;
    n.perm.clear();
  }

  void convert_reshape(int i) {
    const TensorId in = edit_.node(i).inputs[0], out = edit_.node(i).outputs[0];
    const Shape &a = graph_.tensor(in).shape, &b = graph_.tensor(out).shape;
    if (trivial(in) && trivial(out)) return;
    if (last(in) && last(out) && a[0] == b[0] && a[1] == b[1]) return;
    if (!last(out) && permute_linears(in, out)) return;
    if (!trivial(in)) want(i, 0, false);
    if (!trivial(out)) give(i, 0, false);
  }

  // A flatten that only linears read: their columns take the stored order instead.
  bool permute_linears(TensorId in, TensorId out) {
    const Shape x = graph_.tensor(in).shape;
    const Shape flat = graph_.tensor(out).shape;
    const std::vector<int>& readers = edit_.consumers(out);
    if (flat.size() != 2 || flat[0] != x[0] || readers.empty() || edit_.is_output(out)) return false;
    for (int r : readers)
      if (edit_.node(r).op != OpKind::linear || edit_.node(r).inputs[0] != out ||
          std::count(edit_.node(r).inputs.begin(), edit_.node(r).inputs.end(), out) != 1)
        return false;
    const std::vector<int> linears = readers;
    for (int r : linears) edit_.set_input(r, 1, permuted_columns(edit_.node(r).inputs[1], x[1], flat[1] / x[1]));
    return true;
  }

  // Column c * pixels + p becomes column p * channels + c.
  TensorId permuted_columns(TensorId id, int64_t channels, int64_t pixels) {
    const Tensor w = graph_.tensor(id);
    return new_constant(w, w.shape, transposed_rows(w, w.shape[0], channels, pixels));
  }

  Graph& graph_;
  Edit edit_;
  std::vector<bool> last_;                  // per tensor, those made here included
  std::map<TensorId, TensorId> reordered_;  // tensor -> the same values in the other order
};

}  // namespace

void layout(Graph& graph) {
  Layout(graph).run();
}

}  // namespace octet

#include "generator/passes/place.h"

#include <algorithm>

#include "generator/kernel/spec.h"
#include "generator/passes/table.h"
#include "runtime/abi.h"

namespace octet {
namespace {

int64_t last_dim(const Tensor& t) {
  return t.shape.empty() ? 1 : t.shape.back();
}

struct Link {  // a tensor inside another one's buffer
  TensorId parent = kNoTensor;
  int64_t offset = 0;
  bool other_rows = false;  // a dense parent seen in rows of another length: the pitch is the tensor's own
};

class Placer {
 public:
  explicit Placer(const Graph& graph) : graph_(graph), index_(graph), link_(graph.tensors.size()) {}

  std::vector<Place> run(bool views) {
    if (views)
      for (const Node& n : graph_.nodes)
        if (n.op == OpKind::concat) join_concat(n);
    for (const Node& n : graph_.nodes) {
      if (n.op == OpKind::reshape || n.op == OpKind::identity) view_reshape(n);
      if (keeps_storage(n)) view_requantized(n);
      if (views && (n.op == OpKind::slice || n.op == OpKind::split)) view_slice(n);
    }
    std::vector<Place> places(graph_.tensors.size());
    for (size_t t = 0; t < places.size(); ++t) {
      Place& p = places[t];
      p.root = static_cast<TensorId>(t);
      TensorId rows_of = kNoTensor;
      while (link(p.root).parent != kNoTensor) {
        if (link(p.root).other_rows && rows_of == kNoTensor) rows_of = p.root;
        p.offset += link(p.root).offset;
        p.root = link(p.root).parent;
      }
      p.pitch = natural_pitch(rows_of == kNoTensor ? p.root : rows_of);
    }
    return places;
  }

 private:
  // Bytes between rows where the tensor has a buffer of its own.
  int64_t natural_pitch(TensorId id) const {
    const Tensor& t = graph_.tensor(id);
    if (!t.is_quantized()) return last_dim(t) * static_cast<int64_t>(dtype_bytes(t.dtype));
    return enters_as_bytes(id) && only_dense_convs_read(id) ? last_dim(t) : (last_dim(t) + 3) / 4 * 4;
  }

  // Integers that enter the network in the stored order: without gaps their edge is a plain copy.
  bool enters_as_bytes(TensorId t) const {
    const int producer = index_.producer[static_cast<size_t>(t)];
    if (producer < 0 || !graph_.tensor(t).file_shape.empty()) return false;
    const Node& edge = graph_.nodes[static_cast<size_t>(producer)];
    return edge.op == OpKind::identity && is_edge(edge.inputs[0]);
  }

  // Whether all readers are dense convolutions, which can read pixels at any distance.
  bool only_dense_convs_read(TensorId t) const {
    const std::vector<int>& readers = index_.consumers[static_cast<size_t>(t)];
    return std::all_of(readers.begin(), readers.end(), [&](int i) {
      const Node& n = graph_.nodes[static_cast<size_t>(i)];
      const Tensor& out = graph_.tensor(n.outputs[0]);
      if (n.op == OpKind::reshape || keeps_storage(n))
        return last_dim(out) == last_dim(graph_.tensor(t)) && !is_edge(n.outputs[0]) &&
               only_dense_convs_read(n.outputs[0]);
      return n.op == OpKind::conv && n.group == 1 && std::count(n.inputs.begin(), n.inputs.end(), t) == 1 &&
             n.inputs[0] == t;
    });
  }

  // Whether a table changes no storage byte: u8 that becomes s8 at a zero point 128 lower, and the like.
  bool keeps_storage(const Node& n) const {
    const bool has_table = n.op == OpKind::requantize || (n.op == OpKind::unary && n.inputs.size() == 2);
    return has_table && graph_.tensor(n.outputs[0]).is_quantized() && is_identity(storage_table(graph_, n));
  }

  Link& link(TensorId t) { return link_[static_cast<size_t>(t)]; }

  bool is_edge(TensorId t) const {
    const auto among = [t](const std::vector<TensorId>& ids) {
      return std::find(ids.begin(), ids.end(), t) != ids.end();
    };
    return among(graph_.inputs) || among(graph_.outputs);
  }

  // Whether a kernel writes this tensor, so that it can write it anywhere.
  bool is_written(TensorId t) const {
    const int producer = index_.producer[static_cast<size_t>(t)];
    if (producer < 0 || is_edge(t)) return false;
    switch (graph_.nodes[static_cast<size_t>(producer)].op) {
      case OpKind::reshape:
      case OpKind::identity:
      case OpKind::slice:
      case OpKind::split: return false;
      default: return true;
    }
  }

  // Rows of a view keep their parent's pitch, so other rows than the parent's need a dense parent.
  static bool same_bytes(const Tensor& a, const Tensor& b) { return a.dtype == b.dtype && a.quant == b.quant; }

  void join_concat(const Node& n) {
    const TensorId out = n.outputs[0];
    const Tensor& whole = graph_.tensor(out);
    if (n.axis != static_cast<int>(whole.shape.size()) - 1 || !whole.is_quantized() || is_edge(out)) return;
    int64_t offset = 0;
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      const TensorId t = n.inputs[i];
      const Tensor& piece = graph_.tensor(t);
      const int64_t channels = last_dim(piece);
      // Kernels write channels in fours: a piece must not spill into its right-hand neighbour.
      const bool fits = offset % 4 == 0 && (channels % 4 == 0 || i + 1 == n.inputs.size());
      const bool once = std::count(n.inputs.begin(), n.inputs.end(), t) == 1;
      if (fits && once && same_bytes(piece, whole) && is_written(t) && link(t).parent == kNoTensor)
        link(t) = {out, offset};
      offset += channels;
    }
  }

  void view_reshape(const Node& n) {
    const TensorId in = n.inputs[0], out = n.outputs[0];
    const Tensor &a = graph_.tensor(in), &b = graph_.tensor(out);
    if (is_edge(in) || is_edge(out) || a.is_constant() || !same_bytes(a, b) || link(out).parent != kNoTensor) return;
    const bool dense = link(in).parent == kNoTensor &&
                       natural_pitch(in) == last_dim(a) * static_cast<int64_t>(dtype_bytes(a.dtype)) &&
                       natural_pitch(out) == last_dim(b) * static_cast<int64_t>(dtype_bytes(b.dtype));
    if (last_dim(a) == last_dim(b) || dense) link(out) = {in, 0, last_dim(a) != last_dim(b)};
  }

  void view_requantized(const Node& n) {
    const TensorId in = n.inputs[0], out = n.outputs[0];
    if (is_edge(in) || is_edge(out) || graph_.tensor(in).is_constant() || link(out).parent != kNoTensor) return;
    link(out) = {in, 0};
  }

  void view_slice(const Node& n) {
    const TensorId in = n.inputs[0];
    const Tensor& whole = graph_.tensor(in);
    const int axis = static_cast<int>(whole.shape.size()) - 1;
    if (is_edge(in) || whole.is_constant() || !whole.is_quantized()) return;
    int64_t offset = 0;
    if (n.op == OpKind::slice) {
      for (int d = 0; d <= axis; ++d) {
        const auto i = static_cast<size_t>(d);
        const bool channel = d == axis;
        if (n.steps[i] != 1 || (!channel && graph_.tensor(n.outputs[0]).shape[i] != whole.shape[i])) return;
      }
      offset = n.starts[static_cast<size_t>(axis)];
    } else if (n.axis != axis) {
      return;
    }
    for (TensorId out : n.outputs) {
      if (!is_edge(out) && same_bytes(graph_.tensor(out), whole) && link(out).parent == kNoTensor)
        link(out) = {in, offset};
      offset += last_dim(graph_.tensor(out));
    }
  }

  const Graph& graph_;
  GraphIndex index_;
  std::vector<Link> link_;
};

}  // namespace

std::vector<Place> place_tensors(const Graph& graph, bool views) {
  return Placer(graph).run(views);
}

std::vector<std::byte> stored_constant(const Tensor& constant, int64_t pitch) {
  if (!constant.is_quantized()) {
    std::vector<std::byte> out(constant.data->begin(), constant.data->end());
    out.resize(out.size() + OCTET_SLACK_BYTES);
    return out;
  }
  const int64_t channels = last_dim(constant), rows = element_count(constant.shape) / channels;
  const std::byte flip{static_cast<uint8_t>(constant.dtype == DType::s8 ? 0x80 : 0)};
  std::vector<std::byte> out(static_cast<size_t>(rows * pitch) + OCTET_SLACK_BYTES);
  for (int64_t i = 0; i < rows * channels; ++i)
    out[static_cast<size_t>(i / channels * pitch + i % channels)] = (*constant.data)[static_cast<size_t>(i)] ^ flip;
  return out;
}

}  // namespace octet

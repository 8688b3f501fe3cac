// Means and sums of quantized tensors over any axes, as TensorFlow Lite has them, become means over whole images: the
// reduced dimensions are brought side by side, and the image's pixels are what is reduced.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "generator/passes/edit.h"
#include "generator/passes/passes.h"

namespace octet {
namespace {

bool wanted(const Graph& graph, const Node& n) {
  const auto per_tensor = [&](TensorId t) { return graph.tensor(t).is_quantized() && !graph.tensor(t).is_constant(); };
  return n.op == OpKind::reduce && (n.reduction == Reduction::mean || n.reduction == Reduction::sum) &&
         per_tensor(n.inputs[0]) && per_tensor(n.outputs[0]);
}

class Pooling {
 public:
  Pooling(Edit& edit, int node) : edit_(edit), graph_(edit.graph()), node_(node), n_(edit.node(node)) {}

  void run() {
    const TensorId in = n_.inputs[0], out = n_.outputs[0];
    const Shape shape = graph_.tensor(in).shape;
    std::vector<int64_t> order = n_.axes;  // reduced dimensions first, where they are not neighbours
    size_t before = 0;                     // dimensions in front of the reduced ones
    for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d)
      if (!std::binary_search(n_.axes.begin(), n_.axes.end(), d)) order.push_back(d);
    TensorId at = in;
    const auto first = static_cast<size_t>(n_.axes.front());
    if (static_cast<size_t>(n_.axes.back()) - first + 1 == n_.axes.size() && first + n_.axes.size() < shape.size())
      before = first;
    else
      at = turned(in, order);
    const Shape& sides = graph_.tensor(at).shape;
    const auto split = sides.begin() + static_cast<int64_t>(before);
    const int64_t images = element_count(Shape(sides.begin(), split));
    const int64_t pixels = element_count(Shape(split, split + static_cast<int64_t>(n_.axes.size())));
    const int64_t channels = element_count(Shape(split + static_cast<int64_t>(n_.axes.size()), sides.end()));
    at = reshaped(at, {images, pixels, 1, channels});
    at = added({.op = OpKind::global_average_pool, .source = n_.source, .axes = n_.axes, .reduction = n_.reduction}, at,
               out, {images, 1, 1, channels}, "pooled");
    edit_.remove(node_);
    edit_.add_node({.op = OpKind::reshape, .name = n_.name, .source = n_.source, .inputs = {at}, .outputs = {out}},
                   node_);
  }

 private:
  // A new tensor quantized as `like`, computed by `node` from `from`.
  TensorId added(Node node, TensorId from, TensorId like, Shape shape, const char* what) {
    Tensor t = graph_.tensor(like);
    t.name = fmt::format("{}/{}", n_.name, what);
    t.shape = std::move(shape);
    t.data = nullptr;
    node.name = t.name;
    node.inputs = {from};
    node.outputs = {edit_.add_tensor(std::move(t))};
    const TensorId out = node.outputs[0];
    edit_.add_node(std::move(node), node_);
    return out;
  }

  TensorId reshaped(TensorId from, Shape shape) {
    if (graph_.tensor(from).shape == shape) return from;
    return added({.op = OpKind::reshape, .source = n_.source}, from, from, std::move(shape), "reshaped");
  }

  TensorId turned(TensorId from, const std::vector<int64_t>& order) {
    if (std::is_sorted(order.begin(), order.end())) return from;
    Shape shape;
    for (int64_t d : order) shape.push_back(graph_.tensor(from).shape[static_cast<size_t>(d)]);
    return added({.op = OpKind::transpose, .source = n_.source, .perm = order}, from, from, std::move(shape), "turned");
  }

  Edit& edit_;
  Graph& graph_;
  const int node_;
  const Node n_;  // edits move nodes
};

}  // namespace

void pool_reductions(Graph& graph) {
  if (!graph.channels_last) return;  // other files' means are means of floats
  Edit edit(graph);
  for (int i : edit.order())
    if (wanted(graph, edit.node(i))) Pooling(edit, i).run();
  edit.finish();
}

}  // namespace octet

// LiteRT's optimized kernels requantize sixteen elements at a time with ties up, and the rest of a tensor with ties
// away from zero. Where any byte tells the two apart, both parts get a table of their own.
#include "generator/kernel/requant.h"
#include "generator/kernel/tables.h"
#include "generator/passes/edit.h"
#include "generator/passes/passes.h"
#include "generator/passes/table.h"

namespace octet {
namespace {

constexpr int64_t kAtATime = 16;

bool differs(const Graph& graph, const Node& n) {
  if (n.op != OpKind::requantize) return false;
  const Tensor &from = graph.tensor(n.inputs[0]), &to = graph.tensor(n.outputs[0]);
  return !from.is_constant() && element_count(to.shape) % kAtATime != 0 &&
         differs_at_ties(graph.profile, quant_view(from), quant_view(to));
}

class TieSplitter {
 public:
  TieSplitter(Edit& edit, int i) : edit_(edit), graph_(edit.graph()), i_(i), n_(edit.node(i)) {}

  void run() {
    const Tensor from = graph_.tensor(n_.inputs[0]), to = graph_.tensor(n_.outputs[0]);
    const int64_t count = element_count(to.shape), rest = count % kAtATime, most = count - rest;
    edit_.remove(i_);
    const TensorId flat = tensor("/flat", from, {1, count});
    add(OpKind::reshape, "/flat", {n_.inputs[0]}, {flat});
    if (most == 0) return finish(mapped("/rest", flat, Profile::tfl_ref, to));
    const TensorId head = tensor("/head", from, {1, most}), tail = tensor("/tail", from, {1, rest});
    add(OpKind::split, "/parts", {flat}, {head, tail}).axis = 1;
    const TensorId first = mapped("/most", head, graph_.profile, to),
                   last = mapped("/rest", tail, Profile::tfl_ref, to);
    const TensorId joined = tensor("/joined", to, {1, count});
    add(OpKind::concat, "/joined", {first, last}, {joined}).axis = 1;
    finish(joined);
  }

 private:
  TensorId tensor(const char* suffix, const Tensor& like, Shape shape) {
    return edit_.add_tensor(
        {.name = n_.name + suffix, .dtype = like.dtype, .shape = std::move(shape), .quant = like.quant});
  }

  Node& add(OpKind op, const char* suffix, std::vector<TensorId> inputs, std::vector<TensorId> outputs) {
    return edit_.node(edit_.add_node({.op = op,
                                      .name = n_.name + suffix,
                                      .source = n_.source,
                                      .inputs = std::move(inputs),
                                      .outputs = std::move(outputs)},
                                     i_));
  }

  // The elements of x by the table that a profile has.
  TensorId mapped(const char* suffix, TensorId x, Profile profile, const Tensor& to) {
    const Tensor from = graph_.tensor(x);
    const QuantView view = quant_view(to);
    const ByteRange range = byte_range(n_.range, view);
    const Lut lut = requantize_table(profile, quant_view(from), view, range.lo, range.hi);
    const TensorId table = add_table(graph_, n_.name + suffix, to.dtype, values_of(lut, from, to));
    const TensorId y = tensor(suffix, to, from.shape);
    add(OpKind::unary, suffix, {x, table}, {y});
    return y;
  }

  void finish(TensorId flat) { add(OpKind::reshape, "", {flat}, {n_.outputs[0]}); }

  Edit& edit_;
  Graph& graph_;
  int i_;
  const Node n_;  // edits move nodes
};

}  // namespace

void split_ties(Graph& graph) {
  if (!is_tflite(graph.profile)) return;
  Edit edit(graph);
  for (int i : edit.order())
    if (differs(graph, edit.node(i))) TieSplitter(edit, i).run();
  edit.finish();
}

}  // namespace octet

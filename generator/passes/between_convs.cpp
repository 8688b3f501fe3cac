#include "generator/passes/between_convs.h"

#include <variant>

#include "generator/passes/lower.h"

namespace octet {

std::vector<bool> between_convs(const Graph& graph, const std::vector<Place>& places) {
  std::vector<bool> written(places.size(), false), others(places.size(), false);
  const auto root = [&places](TensorId t) { return static_cast<size_t>(places[static_cast<size_t>(t)].root); };
  const auto mark = [&root](std::vector<bool>& set, TensorId t) {
    if (t != kNoTensor) set[root(t)] = true;
  };
  for (const auto* edges : {&graph.inputs, &graph.outputs})
    for (const TensorId t : *edges) mark(others, t);
  for (size_t t = 0; t < places.size(); ++t)
    if (graph.tensors[t].is_constant()) mark(others, static_cast<TensorId>(t));
  lower_each(graph, places, [&](const LoweredNode& n) {
    for (const auto& [arg, tensor] : n.operands) mark(others, tensor);
    if (std::holds_alternative<ConvSpec>(n.spec)) return mark(written, n.dst);
    for (const TensorId t : {n.src, n.src2, n.dst}) mark(others, t);
  });
  std::vector<bool> between(places.size());
  for (size_t t = 0; t < places.size(); ++t) {
    const size_t at = root(static_cast<TensorId>(t));
    between[t] = written[at] && !others[at];
  }
  return between;
}

}  // namespace octet

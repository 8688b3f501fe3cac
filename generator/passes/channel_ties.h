// Which channels of which tensors must stay together, and which of them nobody needs.
#pragma once

#include <cstdint>
#include <vector>

#include "generator/passes/edit.h"

namespace octet {

bool is_depthwise(const Graph& graph, const Node& node);

// The bias that keeps the sums of a conv (of one group) or linear when its source keeps only the channels `kept`: each
// other one is a single value.
std::vector<int32_t> folded_bias(const Graph& graph, const Node& node, const std::vector<size_t>& kept);

class ChannelTies {
 public:
  // Of a graph that has been through prove_ranges.
  explicit ChannelTies(const Graph& graph);

  // The activations that nodes write and that have proved ranges; all others keep their channels.
  bool tracked(TensorId t) const;
  std::vector<size_t> kept(TensorId t) const;  // of a tracked tensor: channels that stay, in order; at least one
  bool any_dropped() const;

 private:
  using Item = uint32_t;  // one channel of one tensor

  Item item(TensorId t, int64_t channel) const { return first_[static_cast<size_t>(t)] + static_cast<Item>(channel); }
  Item root(Item i) const;
  void tie(Item a, Item b);
  // `count` channels of each; those whose partner is not tracked are kept.
  void tie_or_keep(TensorId a, int64_t first_a, TensorId b, int64_t first_b, int64_t count);
  void keep(Item i) { kept_[root(i)] = true; }
  void keep_all(TensorId t);

  void visit(const Node& node);
  void visit_dense(const Node& node);
  void visit_concat(const Node& node);
  void visit_split(const Node& node);
  void tie_all(TensorId a, TensorId b);  // channel by channel; a's repeat if b has a multiple of them
  void keep_round_numbers();

  const Graph& graph_;
  std::vector<Item> first_;           // per tensor
  mutable std::vector<Item> parent_;  // union-find
  std::vector<bool> kept_;            // per root
};

}  // namespace octet

#include "generator/passes/channel_ties.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "generator/passes/edit.h"
#include "generator/passes/lowering.h"
#include "generator/passes/sums.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Kernels read input channels in fours and concats without copies want their pieces so.
constexpr int64_t kRoundTo = 4;

// Columns (source channels) of a dense layer's weights in which every weight is its zero point.
std::vector<bool> zero_columns(const Tensor& w) {
  const auto oc = static_cast<size_t>(w.shape[0]), ic = static_cast<size_t>(w.shape[1]);
  const size_t taps = w.data->size() / (oc * ic);
  std::vector<bool> zero(ic, true);
  size_t left = ic;
  for (size_t o = 0; o < oc && left > 0; ++o) {
    const auto z = static_cast<std::byte>(w.quant->zero_point[w.quant->per_tensor() ? 0 : o]);
    for (size_t c = 0; c < ic; ++c) {
      const std::byte* first = w.data->data() + (o * ic + c) * taps;
      if (!zero[c] || std::all_of(first, first + taps, [z](std::byte b) { return b == z; })) continue;
      zero[c] = false;
      --left;
    }
  }
  return zero;
}

// Whether a bias takes in any of the source's channels: it is an integer, and the sum surely fits s32.
bool can_fold(const Graph& graph, const Node& n) {
  if (!float_bias_of(graph, n).empty()) return false;
  const Tensor& w = graph.tensor(n.inputs[1]);
  int64_t largest = 0;
  for (int64_t b : bias_of(graph, n)) largest = std::max(largest, std::abs(b));
  return largest + element_count(w.shape) / w.shape[0] * 255 * 255 <= std::numeric_limits<int32_t>::max();
}

}  // namespace

bool is_depthwise(const Graph& graph, const Node& n) {
  return n.op == OpKind::conv && n.group > 1 && n.group == channel_count(graph.tensor(n.inputs[0])) &&
         n.group == channel_count(graph.tensor(n.outputs[0]));
}

std::vector<int32_t> folded_bias(const Graph& graph, const Node& n, const std::vector<size_t>& kept) {
  const Tensor &x = graph.tensor(n.inputs[0]), &w = graph.tensor(n.inputs[1]);
  std::vector<int64_t> value(x.proved.size());  // minus the zero point; 0 for what stays
  for (size_t c = 0; c < value.size(); ++c) value[c] = x.proved[c].lo - x.quant->zero_point[0];
  for (size_t c : kept) value[c] = 0;
  std::vector<int32_t> bias = bias_of(graph, n);
  if (std::all_of(value.begin(), value.end(), [](int64_t v) { return v == 0; })) return bias;
  const std::vector<int32_t> weights = integers(w);
  const size_t row = weights.size() / bias.size(), taps = row / value.size();
  for (size_t o = 0; o < bias.size(); ++o) {
    const int32_t zero = w.quant->zero_point[w.quant->per_tensor() ? 0 : o];
    int64_t sum = bias[o];
    for (size_t i = 0; i < row; ++i) sum += (weights[o * row + i] - zero) * value[i / taps];
    bias[o] = static_cast<int32_t>(sum);
  }
  return bias;
}

ChannelTies::ChannelTies(const Graph& graph) : graph_(graph) {
  Item items = 0;
  for (const Tensor& t : graph.tensors) {
    first_.push_back(items);
    if (!t.proved.empty()) items += static_cast<Item>(channel_count(t));
  }
  parent_.resize(items);
  std::iota(parent_.begin(), parent_.end(), Item{0});
  kept_.assign(items, false);
  for (const Node& n : graph.nodes) visit(n);
  for (TensorId t : graph.outputs) keep_all(t);
  keep_round_numbers();
}

ChannelTies::Item ChannelTies::root(Item i) const {
  while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
  return i;
}

void ChannelTies::tie(Item a, Item b) {
  a = root(a);
  b = root(b);
  const bool kept = kept_[a] || kept_[b];
  parent_[a] = b;
  kept_[b] = kept;
}

void ChannelTies::tie_or_keep(TensorId a, int64_t first_a, TensorId b, int64_t first_b, int64_t count) {
  const bool has_a = tracked(a), has_b = tracked(b);
  if (!has_a && !has_b) return;  // such a tensor may have 2^31 channels
  for (int64_t c = 0; c < count; ++c) {
    if (has_a && has_b)
      tie(item(a, first_a + c), item(b, first_b + c));
    else
      keep(has_a ? item(a, first_a + c) : item(b, first_b + c));
  }
}

bool ChannelTies::tracked(TensorId t) const {
  return t != kNoTensor && !graph_.tensor(t).proved.empty();
}

void ChannelTies::keep_all(TensorId t) {
  if (!tracked(t)) return;
  for (int64_t c = 0; c < channel_count(graph_.tensor(t)); ++c) keep(item(t, c));
}

void ChannelTies::tie_all(TensorId a, TensorId b) {
  if (graph_.tensor(a).is_constant()) return;
  if (!tracked(a)) return keep_all(b);
  if (!tracked(b)) return keep_all(a);
  const int64_t channels = channel_count(graph_.tensor(a));
  for (int64_t c = 0; c < channel_count(graph_.tensor(b)); ++c) tie(item(a, c % channels), item(b, c));
}

void ChannelTies::visit(const Node& n) {
  const TensorId x = n.inputs[0], y = n.outputs[0];
  const auto channels = [this](TensorId t) { return channel_count(graph_.tensor(t)); };
  const auto keep_both = [&] {
    for (TensorId t : n.inputs) keep_all(t);
    for (TensorId t : n.outputs) keep_all(t);
  };
  if (!graph_.tensor(x).is_quantized() || !graph_.tensor(y).is_quantized()) return keep_both();
  switch (n.op) {
    case OpKind::conv:
    case OpKind::linear:
      if (n.fused_add) tie_all(n.inputs[3], y);
      if (is_depthwise(graph_, n)) return tie_all(x, y);
      if (n.op == OpKind::conv && n.group > 1) {
        keep_all(x);
        return keep_all(y);
      }
      return visit_dense(n);
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::prelu:
      for (TensorId t : n.inputs) {
        if (channels(t) != channels(y)) return keep_both();
        tie_all(t, y);
      }
      return;
    case OpKind::global_average_pool: {
      if (is_images_mean(graph_, n)) return keep_both();
      // ORT's order of additions in a mean depends on where a channel's row of pixels starts.
      const Image in = image_of(graph_.tensor(x));
      if (graph_.profile == Profile::ort && n.source == "ReduceMean" && in.h * in.w % 4 != 0) return keep_both();
      return tie_all(x, y);
    }
    case OpKind::max_pool:
    case OpKind::average_pool:
    case OpKind::batch_norm:
    case OpKind::unary:
    case OpKind::requantize: return tie_all(x, y);
    case OpKind::reshape:
      if (channels(y) % channels(x) != 0) return keep_both();
      return tie_all(x, y);
    case OpKind::expand:
      if (channels(x) != channels(y)) return keep_both();
      return tie_all(x, y);
    case OpKind::transpose:
      if (n.perm.back() + 1 != static_cast<int64_t>(n.perm.size())) return keep_both();
      return tie_all(x, y);
    case OpKind::pad:
      if (channels(x) != channels(y) || n.pads[n.pads.size() / 2 - 1] != 0) return keep_both();
      return tie_all(x, y);
    case OpKind::slice:
      if (n.steps.back() != 1) return keep_both();
      return tie_or_keep(x, n.starts.back(), y, 0, channels(y));
    case OpKind::channel_permute:
      for (int64_t c = 0; c < channels(y); ++c) tie_or_keep(x, n.perm[static_cast<size_t>(c)], y, c, 1);
      return;
    case OpKind::concat: return visit_concat(n);
    case OpKind::split: return visit_split(n);
    default: return keep_both();
  }
}

void ChannelTies::visit_dense(const Node& n) {
  const TensorId x = n.inputs[0];
  if (!tracked(x)) return;
  const std::vector<bool> unread = zero_columns(graph_.tensor(n.inputs[1]));
  const bool folds = can_fold(graph_, n), padded = n.op == OpKind::conv && reads_padding(graph_, n);
  const Tensor& source = graph_.tensor(x);
  for (size_t c = 0; c < unread.size(); ++c) {
    const QRange r = source.proved[c];
    const bool foldable = r.lo == r.hi && ((folds && !padded) || r.lo == source.quant->zero_point[0]);
    if (!unread[c] && !foldable) keep(item(x, static_cast<int64_t>(c)));
  }
}

void ChannelTies::visit_concat(const Node& n) {
  const TensorId y = n.outputs[0];
  const bool by_channel = n.axis + 1 == static_cast<int>(graph_.tensor(y).shape.size());
  int64_t at = 0;
  for (TensorId t : n.inputs) {
    const int64_t channels = channel_count(graph_.tensor(t));
    tie_or_keep(t, 0, y, at, channels);
    if (by_channel) at += channels;
  }
}

void ChannelTies::visit_split(const Node& n) {
  const TensorId x = n.inputs[0];
  const bool by_channel = n.axis + 1 == static_cast<int>(graph_.tensor(x).shape.size());
  int64_t at = 0;
  for (TensorId t : n.outputs) {
    const int64_t channels = channel_count(graph_.tensor(t));
    tie_or_keep(x, at, t, 0, channels);
    if (by_channel) at += channels;
  }
}

// Some that could go stay, so that each tensor that loses channels keeps a round number of them, and at least one.
void ChannelTies::keep_round_numbers() {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t t = 0; t < first_.size(); ++t) {
      const auto id = static_cast<TensorId>(t);
      if (!tracked(id)) continue;
      const int64_t channels = channel_count(graph_.tensor(id));
      auto kept_count = static_cast<int64_t>(kept(id).size());
      if (kept_count == channels) continue;
      for (int64_t c = 0; c < channels && (kept_count == 0 || kept_count % kRoundTo != 0); ++c) {
        if (kept_[root(item(id, c))]) continue;
        keep(item(id, c));
        kept_count = static_cast<int64_t>(kept(id).size());
        changed = true;
      }
    }
  }
}

std::vector<size_t> ChannelTies::kept(TensorId t) const {
  std::vector<size_t> out;
  for (int64_t c = 0; c < channel_count(graph_.tensor(t)); ++c)
    if (kept_[root(item(t, c))]) out.push_back(static_cast<size_t>(c));
  return out;
}

bool ChannelTies::any_dropped() const {
  for (Item i = 0; i < parent_.size(); ++i)
    if (!kept_[root(i)]) return true;
  return false;
}

}  // namespace octet

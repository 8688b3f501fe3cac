// Channels that nobody needs leave the network: those whose every reader can take their one value into its bias, those
// that meet only zero weights, and what only such channels needed.
//
// A channel goes from all tensors that ops tie together channel by channel (a depthwise convolution's source and
// result, the operands of an add), or it stays in all of them.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "generator/passes/channel_ties.h"
#include "generator/passes/passes.h"
#include "generator/passes/sums.h"

namespace octet {
namespace {

using Kept = std::vector<size_t>;  // the channels of a tensor that stay, in order

template <class T>
std::vector<T> picked(const std::vector<T>& values, const Kept& kept) {
  std::vector<T> out;
  out.reserve(kept.size());
  for (size_t c : kept) out.push_back(values[c]);
  return out;
}

class Dropper {
 public:
  Dropper(Graph& graph, const ChannelTies& ties) : graph_(graph), kept_(graph.tensors.size()) {
    for (size_t t = 0; t < kept_.size(); ++t)
      if (ties.tracked(static_cast<TensorId>(t))) kept_[t] = ties.kept(static_cast<TensorId>(t));
  }

  void run() {
    // Nodes first: they look at the channels as they are.
    for (Node& n : graph_.nodes) shrink_node(n);
    for (size_t t = 0; t < kept_.size(); ++t)
      if (!whole(static_cast<TensorId>(t))) shrink_tensor(graph_.tensors[t], kept_[t]);
  }

 private:
  const Kept& kept(TensorId t) const { return kept_[static_cast<size_t>(t)]; }
  bool whole(TensorId t) const {  // at least one channel of each tensor stays: none says that nothing is known
    return kept(t).empty() || kept(t).size() == static_cast<size_t>(channel_count(graph_.tensor(t)));
  }
  Kept stay(TensorId t) const {
    if (!whole(t)) return kept(t);
    Kept all(static_cast<size_t>(channel_count(graph_.tensor(t))));
    std::iota(all.begin(), all.end(), size_t{0});
    return all;
  }

  static void shrink_tensor(Tensor& t, const Kept& kept) {
    if (t.file_shape.empty()) t.file_shape = t.shape;
    t.shape.back() = static_cast<int64_t>(kept.size());
    t.proved = picked(t.proved, kept);
  }

  void shrink_node(Node& n) {
    switch (n.op) {
      case OpKind::conv:
      case OpKind::linear: return shrink_conv(n);
      case OpKind::add:
      case OpKind::sub:
      case OpKind::mul:
      case OpKind::maximum:
      case OpKind::minimum:
      case OpKind::prelu:
        if (!whole(n.outputs[0])) shrink_operands(n, kept(n.outputs[0]));
        return;
      case OpKind::batch_norm:
        if (whole(n.outputs[0])) return;
        for (size_t k = 1; k < n.inputs.size(); ++k) n.inputs[k] = last_picked(n.inputs[k], kept(n.outputs[0]));
        return;
      case OpKind::slice: {
        if (whole(n.inputs[0])) return;
        const Kept& from = kept(n.inputs[0]);
        const auto start = static_cast<size_t>(n.starts.back());
        n.starts.back() = std::lower_bound(from.begin(), from.end(), start) - from.begin();
        return;
      }
      case OpKind::channel_permute: {
        if (whole(n.inputs[0])) return;
        const Kept &from = kept(n.inputs[0]), &to = kept(n.outputs[0]);
        std::vector<int64_t> perm;
        for (size_t c : to)
          perm.push_back(std::lower_bound(from.begin(), from.end(), static_cast<size_t>(n.perm[c])) - from.begin());
        n.perm = std::move(perm);
        return;
      }
      default: return;
    }
  }

  void shrink_operands(Node& n, const Kept& kept) {
    for (TensorId& t : n.inputs)
      if (graph_.tensor(t).is_constant()) t = last_picked(t, kept);
  }

  // A constant with some of its last dimension.
  TensorId last_picked(TensorId id, const Kept& kept) {
    const Tensor t = graph_.tensor(id);
    const auto channels = static_cast<size_t>(channel_count(t)), bytes = dtype_bytes(t.dtype);
    if (kept.size() == channels) return id;
    std::vector<std::byte> values;
    for (size_t row = 0; row < t.data->size() / (channels * bytes); ++row)
      for (size_t c : kept) {
        const std::byte* from = t.data->data() + (row * channels + c) * bytes;
        values.insert(values.end(), from, from + bytes);
      }
    Shape shape = t.shape;
    shape.back() = static_cast<int64_t>(kept.size());
    return constant_like(t, std::move(shape), std::move(values));
  }

  TensorId constant_like(const Tensor& like, Shape shape, std::vector<std::byte> values) {
    const TensorId id = graph_.add_constant<std::byte>(like.name, like.dtype, std::move(shape), values);
    graph_.tensor(id).quant = like.quant;
    return id;
  }

  void shrink_conv(Node& n) {
    const bool depthwise = is_depthwise(graph_, n);
    if (whole(n.outputs[0]) && (depthwise || whole(n.inputs[0]))) return;
    const Kept out = stay(n.outputs[0]), in = depthwise ? Kept{0} : stay(n.inputs[0]);
    set_bias(n, out, depthwise ? std::vector<int32_t>(bias_of(graph_, n)) : folded_bias(graph_, n, in));
    n.inputs[1] = weights(n.inputs[1], out, in);
    n.sums = picked(n.sums, out);
    if (depthwise) n.group = static_cast<int64_t>(out.size());
  }

  void set_bias(Node& n, const Kept& out, const std::vector<int32_t>& bias) {
    const std::vector<float> floats = float_bias_of(graph_, n);
    if (!floats.empty()) {  // no channel that goes adds to a sum
      const std::vector<float> left = picked(floats, out);
      n.inputs[2] = graph_.add_constant<float>(graph_.tensor(n.inputs[2]).name, DType::f32,
                                               {static_cast<int64_t>(out.size())}, left);
      return;
    }
    const bool had_one = n.inputs.size() > 2 && n.inputs[2] != kNoTensor;
    const std::string name = had_one ? graph_.tensor(n.inputs[2]).name : n.name + "_bias";
    const std::vector<int32_t> values = picked(bias, out);
    if (n.inputs.size() < 3) n.inputs.resize(3, kNoTensor);
    n.inputs[2] = graph_.add_constant<int32_t>(name, DType::s32, {static_cast<int64_t>(out.size())}, values);
  }

  TensorId weights(TensorId id, const Kept& out, const Kept& in) {
    const Tensor w = graph_.tensor(id);
    const auto oc = static_cast<size_t>(w.shape[0]), ic = static_cast<size_t>(w.shape[1]);
    const size_t taps = w.data->size() / (oc * ic);
    std::vector<std::byte> values(out.size() * taps * in.size());
    std::byte* to = values.data();
    for (size_t c : out)
      for (size_t k = 0, run = 1; k < in.size(); k += run, run = 1) {
        while (k + run < in.size() && in[k + run] == in[k] + run) ++run;  // neighbours stay together
        std::memcpy(to, w.data->data() + (c * ic + in[k]) * taps, run * taps);
        to += run * taps;
      }
    Shape shape = w.shape;
    shape[0] = static_cast<int64_t>(out.size());
    shape[1] = static_cast<int64_t>(in.size());
    const TensorId shrunk = constant_like(w, std::move(shape), std::move(values));
    QuantParams& quant = *graph_.tensor(shrunk).quant;
    if (!quant.per_tensor()) quant = {picked(quant.scale, out), picked(quant.zero_point, out), quant.axis};
    return shrunk;
  }

  Graph& graph_;
  std::vector<Kept> kept_;
};

}  // namespace

void drop_channels(Graph& graph) {
  // What is dropped may leave columns of zeros alone with a channel, or nothing.
  for (;;) {
    const ChannelTies ties(graph);
    if (!ties.any_dropped()) return;
    Dropper(graph, ties).run();
  }
}

}  // namespace octet

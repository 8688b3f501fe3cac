// What the parts of lower() share: the graph, the places, and tensors as kernels see them.
#pragma once

#include <vector>

#include "generator/kernel/requant.h"
#include "generator/passes/edit.h"
#include "generator/passes/lower.h"

namespace octet {

struct Lowering {
  const Graph& graph;
  const std::vector<Place>& places;
  std::vector<LoweredNode> out;  // of the node at hand

  Lowering(const Graph& graph, const std::vector<Place>& places) : graph(graph), places(places) {}

  const Tensor& tensor(TensorId t) const { return graph.tensor(t); }
  const Place& place(TensorId t) const { return places[static_cast<size_t>(t)]; }
  QuantView view(TensorId t) const;
  int pitch(TensorId t) const;     // bytes between rows of the last dimension
  int channels(TensorId t) const;  // the last dimension
  int rows(TensorId t) const;      // everything before it
  // Whether `inner`'s bytes lie where `offset` bytes into `outer`'s place are: nothing to do.
  bool placed_in(TensorId inner, TensorId outer, int64_t offset) const;

  LoweredNode& add(int node, KernelSpec spec, TensorId src, TensorId dst, TensorId src2 = kNoTensor);
};

// n, h, w, c of a channels-last tensor; rank 3 has h = 1, rank 2 is n, c.
struct Image {
  int n = 1, h = 1, w = 1, c = 1;
};
Image image_of(const Tensor& tensor);

// What kernels and proofs share: the formula of a node, without pitches. User errors name the node.
AddFormula sum_formula(const Graph& graph, const Node& node);  // add, sub
MulFormula product_formula(const Graph& graph, const Node& node);
PairFormula pair_formula(const Graph& graph, const Node& node);  // maximum, minimum, prelu
// Whether a mean's channels are not all rounded alike: pool_formula is then not the whole of it.
bool is_images_mean(const Graph& graph, const Node& node);
PoolSpec pool_formula(const Graph& graph, const Node& node);
// The window of a node over images: a stride is at most the image's side where there is one output, and a dilation is 1
// where there is one tap, for they say nothing. User error where a step or a padding spans more bytes than kernels step
// over at once.
Window settled_window(const Graph& graph, const Node& node);
// Per channel; user error where a scale or shift is not finite.
std::vector<Affine> affine_channels(const Graph& graph, const Node& node);
AffineSpec affine_formula(const Graph& graph, const Node& node);
// The conv's own result, before a fused add where there is one.
QuantView own_result(const Graph& graph, const Node& conv);
Requant conv_requant(const Graph& graph, const Node& conv);  // `wide` and `mixed` are not set
AddFormula fused_add_formula(const Graph& graph, const Node& conv);
// What kernels scale each output channel by; node.sums are known.
std::vector<ChannelScale> channel_scales(const Graph& graph, const Node& conv);
// Real factor of a channel that fixed point, binary32 and the kernels' shifts can hold.
bool in_window(const ChannelScale& scale);

template <class T>
void put(LoweredNode& node, OctetArg arg, const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  node.data[arg].assign(bytes, bytes + values.size() * sizeof(T));
}

// Stored shapes: `out` with ones for the dimensions before the last that trail as ones in `shape`, one pixel per image.
// Equal to `out` where the operand has all pixels.
Shape pixel_per_image(const Shape& shape, const Shape& out);

// Neighbouring dimensions joined and those of one element dropped, for any number of operands with strides.
struct Walk {
  std::vector<int64_t> dims;
  std::vector<std::vector<int64_t>> strides;  // per operand
};
Walk joined(const Walk& walk);
// Bytes between neighbours along each stored dimension.
std::vector<int64_t> byte_strides(const Lowering& to, TensorId t);
// The same for an operand of so many dimensions: t's are the last of them, and those of one element have stride 0.
std::vector<int64_t> broadcast_byte_strides(const Lowering& to, TensorId t, size_t rank);

void lower_conv(Lowering& to, int node);    // and linear
void lower_float(Lowering& to, int node);   // what works outside of int8, and gathers of any elements
void lower_matmul(Lowering& to, int node);  // of two quantized activations
void lower_resize(Lowering& to, int node);  // linear, of quantized images
void lower_move(Lowering& to, int node);    // what copies with strides can do
bool is_move(OpKind op);

}  // namespace octet

// Ops that only move bytes: nothing where the tensors' places already agree, copies elsewhere.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "generator/passes/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

LoweredNode& add_copy(Lowering& to, int node, const CopySpec& spec, TensorId src, TensorId dst) {
  CopySpec copy = spec;
  copy.bytes = static_cast<int>(dtype_bytes(to.tensor(dst).dtype));
  const Walk walk = joined({spec.dims, {spec.src_strides, spec.dst_strides}});
  copy.dims = walk.dims;
  copy.src_strides = walk.strides[0];
  copy.dst_strides = walk.strides[1];
  if (copy.dims.empty()) {
    copy.dims = {1};
    copy.src_strides = copy.dst_strides = {copy.bytes};
  }
  if (copy.dims.size() > 6)
    user_error(fmt::format("{}: moves values in {} dimensions; supported are 6",
                           describe(to.graph.nodes[static_cast<size_t>(node)]), copy.dims.size()));
  return to.add(node, copy, src, dst);
}

// One input of a concat, `at` elements into the output along the axis.
void concat_input(Lowering& to, int node, TensorId in, int64_t at) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId out = n.outputs[0];
  const auto axis = static_cast<size_t>(n.axis);
  const std::vector<int64_t> strides = byte_strides(to, out);
  const int64_t offset = at * strides[axis];
  if (to.placed_in(in, out, offset)) return;
  const bool channels = to.tensor(out).is_quantized() && axis + 1 == to.tensor(out).shape.size();
  const bool last = at + to.tensor(in).shape[axis] == to.tensor(out).shape[axis];
  // Kernels may write channels in fours, where that cannot touch the next piece.
  if (channels && at % 4 == 0 && (last || to.channels(in) % 4 == 0)) {
    const LutSpec spec{.pixels = to.rows(in),
                       .channels = to.channels(in),
                       .src_pitch = to.pitch(in),
                       .dst_pitch = to.pitch(out),
                       .copy = true};
    to.add(node, spec, in, out).dst_offset = offset;
    return;
  }
  CopySpec spec{.dims = to.tensor(in).shape, .src_strides = byte_strides(to, in), .dst_strides = strides};
  add_copy(to, node, spec, in, out).dst_offset = offset;
}

void lower_concat(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  int64_t at = 0;
  for (TensorId in : n.inputs) {
    concat_input(to, node, in, at);
    at += to.tensor(in).shape[static_cast<size_t>(n.axis)];
  }
}

// The part of x that starts at `starts` and goes in `steps`, to output k.
void take_part(Lowering& to, int node, size_t k, const std::vector<int64_t>& starts,
               const std::vector<int64_t>& steps) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId in = n.inputs[0], out = n.outputs[k];
  std::vector<int64_t> strides = byte_strides(to, in);
  int64_t offset = 0;
  bool plain = true;
  for (size_t d = 0; d < strides.size(); ++d) {
    offset += starts[d] * strides[d];
    strides[d] *= steps[d];
    plain = plain && steps[d] == 1;
  }
  if (plain && to.placed_in(out, in, offset)) return;
  CopySpec spec{.dims = to.tensor(out).shape, .src_strides = strides, .dst_strides = byte_strides(to, out)};
  add_copy(to, node, spec, in, out).src_offset = offset;
}

void lower_split(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const size_t rank = to.tensor(n.inputs[0]).shape.size(), axis = static_cast<size_t>(n.axis);
  const std::vector<int64_t> steps(rank, 1);
  int64_t at = 0;
  for (size_t k = 0; k < n.outputs.size(); ++k) {
    std::vector<int64_t> starts(rank, 0);
    starts[axis] = at;
    take_part(to, node, k, starts, steps);
    at += to.tensor(n.outputs[k]).shape[axis];
  }
}

void lower_transpose(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId in = n.inputs[0], out = n.outputs[0];
  const std::vector<int64_t> from = byte_strides(to, in);
  CopySpec spec{.dims = to.tensor(out).shape, .dst_strides = byte_strides(to, out)};
  for (int64_t d : n.perm) spec.src_strides.push_back(from[static_cast<size_t>(d)]);
  add_copy(to, node, spec, in, out);
}

template <class T>
std::vector<std::byte> bytes_of(T value) {
  const auto* p = reinterpret_cast<const std::byte*>(&value);
  return {p, p + sizeof value};
}

// `value` as an element of t, in storage.
std::vector<std::byte> fill_element(const Lowering& to, TensorId t, float value) {
  const Tensor& tensor = to.tensor(t);
  if (tensor.is_quantized()) {
    const QuantView view = to.view(t);
    const int fill = quantize_value(value, view.scale, view.zero_point, tensor.dtype) + view.offset();
    return bytes_of(static_cast<uint8_t>(fill));
  }
  switch (tensor.dtype) {
    case DType::f32: return bytes_of(value);
    case DType::s32: return bytes_of(static_cast<int32_t>(value));
    case DType::s64: return bytes_of(static_cast<int64_t>(value));
    default: return bytes_of(static_cast<uint8_t>(static_cast<int32_t>(value)));
  }
}

// The output's rows all at once: it may be a slice whose neighbours must stay.
void fill_output(Lowering& to, int node, float value) {
  const TensorId out = to.graph.nodes[static_cast<size_t>(node)].outputs[0];
  const std::vector<std::byte> element = fill_element(to, out, value);
  const auto width = static_cast<int64_t>(element.size());
  const int channels = to.channels(out);
  CopySpec whole{.dims = {to.rows(out), channels},
                 .src_strides = {0, width},
                 .dst_strides = {to.place(out).pitch, width},
                 .bytes = static_cast<int>(width)};
  std::vector<std::byte> row(static_cast<size_t>(channels * width) + OCTET_SLACK_BYTES);
  for (size_t i = 0; i < row.size(); ++i) row[i] = element[i % element.size()];
  put(to.add(node, whole, kNoTensor, out), OCTET_SRC, row);
}

// Reflected and repeated edges, one axis after the other: each copies from what the output holds by then. `held` is
// that part of it.
void pad_from_output(Lowering& to, int node, const CopySpec& held, int64_t held_offset) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId out = n.outputs[0];
  const bool mirrors = n.pad_mode != PadMode::edge, reflects = n.pad_mode == PadMode::reflect;
  CopySpec spec = held;
  int64_t offset = held_offset;
  for (size_t d = 0; d < held.dims.size(); ++d) {
    const int64_t begin = n.pads[d], end = n.pads[held.dims.size() + d], count = held.dims[d];
    const int64_t stride = held.dst_strides[d], before = offset - begin * stride, last = offset + (count - 1) * stride;
    const auto copy = [&](int64_t elements, int64_t from, int64_t at) {
      if (elements == 0) return;
      CopySpec edge = spec;
      edge.dims[d] = elements;
      edge.src_strides[d] = mirrors ? -stride : 0;
      LoweredNode& lowered = add_copy(to, node, edge, out, out);
      lowered.src_offset = from;
      lowered.dst_offset = at;
    };
    copy(begin, mirrors ? offset + (begin - !reflects) * stride : offset, before);
    copy(end, reflects ? last - stride : last, last + stride);
    spec.dims[d] += begin + end;
    offset = before;
  }
}

void lower_pad(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId in = n.inputs[0], out = n.outputs[0];
  const Shape& shape = to.tensor(in).shape;
  CopySpec spec{.dims = shape, .src_strides = byte_strides(to, in), .dst_strides = byte_strides(to, out)};
  int64_t src_offset = 0, dst_offset = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t begin = n.pads[d], end = n.pads[shape.size() + d];  // negative: cut
    spec.dims[d] += std::min<int64_t>(begin, 0) + std::min<int64_t>(end, 0);
    src_offset += std::max<int64_t>(-begin, 0) * spec.src_strides[d];
    dst_offset += std::max<int64_t>(begin, 0) * spec.dst_strides[d];
  }
  if (n.pad_mode == PadMode::constant) fill_output(to, node, n.alpha);
  LoweredNode& copy = add_copy(to, node, spec, in, out);
  copy.src_offset = src_offset;
  copy.dst_offset = dst_offset;
  if (n.pad_mode == PadMode::constant) return;
  spec.src_strides = spec.dst_strides;
  pad_from_output(to, node, spec, dst_offset);
}

void lower_expand(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId in = n.inputs[0], out = n.outputs[0];
  const Shape& shape = to.tensor(out).shape;
  CopySpec spec{
      .dims = shape, .src_strides = broadcast_byte_strides(to, in, shape.size()), .dst_strides = byte_strides(to, out)};
  add_copy(to, node, spec, in, out);
}

// The same elements in the same order, in rows of another length: a copy for each stretch that both rows share, over
// all repetitions of the pattern.
void lower_reshape(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId in = n.inputs[0], out = n.outputs[0];
  if (to.placed_in(out, in, 0)) return;
  const int64_t la = to.channels(in), lb = to.channels(out), pa = to.place(in).pitch, pb = to.place(out).pitch;
  const int64_t bytes = static_cast<int64_t>(dtype_bytes(to.tensor(in).dtype));
  const int64_t period = std::lcm(la, lb), repeats = element_count(to.tensor(in).shape) / period;
  const int64_t step = std::min(la, lb);
  if (period == std::max(la, lb)) {
    CopySpec spec{.dims = {repeats, period / step, step}, .bytes = static_cast<int>(bytes)};
    spec.src_strides = {pa * (period / la), la == step ? pa : step * bytes, bytes};
    spec.dst_strides = {pb * (period / lb), lb == step ? pb : step * bytes, bytes};
    add_copy(to, node, spec, in, out);
    return;
  }
  constexpr int64_t kMostPieces = 1 << 16;
  if (const int64_t pieces = period / la + period / lb; pieces > kMostPieces)
    user_error(
        fmt::format("{}: rows of {} and of {} elements, with gaps between them, meet in {} pieces; supported are {}",
                    describe(n), la, lb, pieces, kMostPieces));
  for (int64_t at = 0; at < period;) {
    const int64_t count = std::min(la - at % la, lb - at % lb);
    CopySpec spec{.dims = {repeats, count}, .bytes = static_cast<int>(bytes)};
    spec.src_strides = {pa * (period / la), bytes};
    spec.dst_strides = {pb * (period / lb), bytes};
    LoweredNode& copy = add_copy(to, node, spec, in, out);
    copy.src_offset = at / la * pa + at % la * bytes;
    copy.dst_offset = at / lb * pb + at % lb * bytes;
    at += count;
  }
}

// The same elements repeated: each dimension is its repetitions, then its own.
void lower_tile(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId in = n.inputs[0], out = n.outputs[0];
  const Shape &from = to.tensor(in).shape, &shape = to.tensor(out).shape;
  const std::vector<int64_t> src = byte_strides(to, in), dst = byte_strides(to, out);
  CopySpec spec;
  for (size_t d = 0; d < shape.size(); ++d) {
    spec.dims.insert(spec.dims.end(), {shape[d] / from[d], from[d]});
    spec.src_strides.insert(spec.src_strides.end(), {0, src[d]});
    spec.dst_strides.insert(spec.dst_strides.end(), {from[d] * dst[d], dst[d]});
  }
  add_copy(to, node, spec, in, out);
}

// Bytes between images, channels, rows and pixels of a rank-4 tensor.
struct ImageStrides {
  int64_t n, c, h, w;
};
ImageStrides image_strides(const Lowering& to, TensorId t, bool channels_last) {
  const std::vector<int64_t> s = byte_strides(to, t);
  if (channels_last) return {s[0], s[3], s[1], s[2]};
  return {s[0], s[1], s[2], s[3]};
}

// Between depth and blocks of pixels: one copy over n, block row, block column, channel, row, column.
void lower_blocks(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const bool to_space = n.op == OpKind::depth_to_space;
  const TensorId in = n.inputs[0], out = n.outputs[0];
  const TensorId small = to_space ? in : out, wide = to_space ? out : in;  // fewer pixels, more of them
  const Shape &from = to.tensor(small).shape, &large = to.tensor(wide).shape;
  const bool last = n.channels_last;
  const int64_t b = n.block, channels = large[last ? 3 : 1], h = from[last ? 1 : 2], w = from[last ? 2 : 3];
  const ImageStrides s = image_strides(to, small, last), l = image_strides(to, wide, last);
  // Which of the small side's channels: block, block, c, or c, block, block.
  const int64_t channel = n.column_row_depth ? b * b : 1, row = n.column_row_depth ? b : b * channels;
  const int64_t column = n.column_row_depth ? 1 : channels;
  CopySpec spec{.dims = {from[0], b, b, channels, h, w}};
  spec.src_strides = {s.n, row * s.c, column * s.c, channel * s.c, s.h, s.w};
  spec.dst_strides = {l.n, l.h, l.w, l.c, b * l.h, b * l.w};
  if (!to_space) std::swap(spec.src_strides, spec.dst_strides);
  add_copy(to, node, spec, in, out);
}

}  // namespace

std::vector<int64_t> byte_strides(const Lowering& to, TensorId t) {
  const Tensor& tensor = to.tensor(t);
  const size_t rank = tensor.shape.size();
  std::vector<int64_t> strides(rank, static_cast<int64_t>(dtype_bytes(tensor.dtype)));
  for (size_t d = rank; d-- > 0;) {
    if (d + 2 == rank)
      strides[d] = to.place(t).pitch;
    else if (d + 2 < rank)
      strides[d] = strides[d + 1] * tensor.shape[d + 1];
  }
  return strides;
}

std::vector<int64_t> broadcast_byte_strides(const Lowering& to, TensorId t, size_t rank) {
  std::vector<int64_t> strides = byte_strides(to, t);
  for (size_t d = 0; d < strides.size(); ++d)
    if (to.tensor(t).shape[d] == 1) strides[d] = 0;
  strides.insert(strides.begin(), rank - strides.size(), 0);
  return strides;
}

Walk joined(const Walk& walk) {
  Walk out{{}, std::vector<std::vector<int64_t>>(walk.strides.size())};
  for (size_t d = 0; d < walk.dims.size(); ++d) {
    if (walk.dims[d] == 1) continue;
    bool runs_on = !out.dims.empty();
    for (size_t k = 0; k < walk.strides.size() && runs_on; ++k)
      runs_on = out.strides[k].back() == walk.dims[d] * walk.strides[k][d];
    if (runs_on)
      out.dims.back() *= walk.dims[d];
    else
      out.dims.push_back(walk.dims[d]);
    for (size_t k = 0; k < walk.strides.size(); ++k) {
      if (runs_on)
        out.strides[k].back() = walk.strides[k][d];
      else
        out.strides[k].push_back(walk.strides[k][d]);
    }
  }
  return out;
}

bool is_move(OpKind op) {
  switch (op) {
    case OpKind::concat:
    case OpKind::slice:
    case OpKind::split:
    case OpKind::transpose:
    case OpKind::pad:
    case OpKind::expand:
    case OpKind::tile:
    case OpKind::depth_to_space:
    case OpKind::space_to_depth:
    case OpKind::reshape: return true;
    default: return false;
  }
}

void lower_move(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  switch (n.op) {
    case OpKind::concat: return lower_concat(to, node);
    case OpKind::slice: return take_part(to, node, 0, n.starts, n.steps);
    case OpKind::split: return lower_split(to, node);
    case OpKind::transpose: return lower_transpose(to, node);
    case OpKind::pad: return lower_pad(to, node);
    case OpKind::expand: return lower_expand(to, node);
    case OpKind::tile: return lower_tile(to, node);
    case OpKind::depth_to_space:
    case OpKind::space_to_depth: return lower_blocks(to, node);
    default: return lower_reshape(to, node);
  }
}

}  // namespace octet

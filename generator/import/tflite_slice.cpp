// Ops that take parts of tensors, and ops that put them together.
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/fold.h"
#include "generator/import/tflite_importer.h"

namespace octet::tflite_import {
namespace {

using importing::byte_count;

// What a slice takes, for every dimension.
struct Cut {
  Ints starts, steps;
  Shape shape;  // of what is taken
};

// The part itself, then its dimensions of one element dropped or added: `shape`.
void emit_cut(NodeImport& n, const Cut& cut, const Shape& shape) {
  n.expect_outputs(1);
  n.expect_elements(cut.shape);
  const TensorId x = n.input(0);
  const Tensor t = n.graph.tensor(x);
  if (t.is_constant()) {
    Ints strides = importing::row_major_strides(t.shape);
    int64_t offset = 0;
    for (size_t d = 0; d < strides.size(); ++d) {
      offset += cut.starts[d] * strides[d];
      strides[d] *= cut.shape[d] > 1 ? cut.steps[d] : 0;
    }
    n.charge(byte_count(cut.shape, t.dtype));
    return n.folded(t.dtype, shape, importing::strided_copy(t, cut.shape, offset, strides));
  }
  Node node = n.node(OpKind::slice, {x});
  node.starts = cut.starts;
  node.steps = cut.steps;
  if (cut.shape == shape) return n.emit(std::move(node), n.output_like(x, shape));
  const TensorId part = n.temporary("/part", t.dtype, cut.shape, t.quant);
  n.emit(std::move(node), part);
  Node after = n.node(OpKind::reshape, {part});
  after.name += "/reshape";
  n.emit(std::move(after), n.output_like(x, shape));
}

void slice(NodeImport& n) {
  n.expect_inputs(3, 3);
  const Shape x = n.tensor(0).shape;
  Cut cut{n.integers_in(1, "begin"), Ints(x.size(), 1), n.integers_in(2, "size")};
  if (cut.starts.size() != x.size() || cut.shape.size() != x.size())
    n.fail(
        fmt::format("{} begins and {} sizes for a tensor of rank {}", cut.starts.size(), cut.shape.size(), x.size()));
  for (size_t d = 0; d < x.size(); ++d) {
    const int64_t begin = cut.starts[d];
    if (begin < 0 || begin > x[d] || cut.shape[d] < -1 || cut.shape[d] > x[d] - begin)
      n.fail(fmt::format("begin {} and size {} along dimension {} of {}", begin, cut.shape[d], d, to_string(x)));
    if (cut.shape[d] == -1) cut.shape[d] = x[d] - begin;
  }
  emit_cut(n, cut, cut.shape);
}

// One dimension of a strided slice, as in Python: negative numbers count from the end, what is beyond is cut off.
class StridedSlice {
 public:
  explicit StridedSlice(NodeImport& n) : n_(n), x_(n.tensor(0).shape) {
    begins_ = n.integers_in(1, "begin");
    ends_ = n.integers_in(2, "end");
    steps_ = n.integers_in(3, "strides");
    if (ends_.size() != begins_.size() || steps_.size() != begins_.size() || begins_.size() > kMostEntries)
      n.fail(fmt::format("{} begins, {} ends, {} strides; supported: equal numbers, up to {}", begins_.size(),
                         ends_.size(), steps_.size(), kMostEntries));
    for (const char* mask : {"begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"})
      masks_.push_back(n.integer(mask));
    offset_ = n.flag("offset");
  }

  void run() {
    size_t taken = 0;  // dimensions of x that entries speak of
    for (size_t i = 0; i < begins_.size(); ++i) taken += !has(kNewAxis, i) && !has(kEllipsis, i);
    for (size_t i = 0; i < begins_.size(); ++i) {
      if (has(kEllipsis, i))
        for (size_t k = taken; k < x_.size(); ++k) whole();
      else if (has(kNewAxis, i))
        shape_.push_back(1);
      else
        take(i);
    }
    while (cut_.shape.size() < x_.size()) whole();
    if (shape_.size() > importing::kMostRank)
      n_.fail(fmt::format("a result of {} dimensions; supported: at most {}", shape_.size(), importing::kMostRank));
    emit_cut(n_, cut_, shape_);
  }

 private:
  static constexpr size_t kMostEntries = 16;
  enum Mask : uint8_t { kBegin, kEnd, kEllipsis, kNewAxis, kShrink };
  bool has(Mask mask, size_t i) const { return masks_[mask] >> i & 1; }

  int64_t next_size() const {
    const size_t d = cut_.shape.size();
    if (d >= x_.size()) n_.fail(fmt::format("more dimensions than {} has", to_string(x_)));
    return x_[d];
  }

  void add(int64_t start, int64_t step, int64_t count) {
    cut_.starts.push_back(start);
    cut_.steps.push_back(step);
    cut_.shape.push_back(count);
  }

  void whole() {
    const int64_t size = next_size();
    add(0, 1, size);
    shape_.push_back(size);
  }

  void take(size_t i) {
    const int64_t size = next_size();
    const auto from_end = [size](int64_t v) { return v < 0 ? v + size : v; };
    if (has(kShrink, i)) {
      const int64_t at = from_end(begins_[i]);
      if (at < 0 || at >= size) n_.fail(fmt::format("index {} of {}", begins_[i], to_string(x_)));
      return add(at, 1, 1);
    }
    const int64_t step = steps_[i];
    if (step == 0 || step < -importing::kMostBytes || step > importing::kMostBytes)
      n_.fail(fmt::format("stride {}; supported: any that is not 0", step));
    const int64_t end = offset_ ? begins_[i] + ends_[i] : ends_[i];
    const int64_t least = step > 0 ? 0 : -1, most = step > 0 ? size : size - 1;
    const int64_t first = step > 0 ? least : most, last = step > 0 ? most : least;
    const int64_t start = has(kBegin, i) ? first : std::clamp(from_end(begins_[i]), least, most);
    const int64_t stop = has(kEnd, i) ? last : std::clamp(from_end(end), least, most);
    const int64_t distance = step > 0 ? stop - start : start - stop;
    const int64_t count = distance > 0 ? (distance - 1) / (step > 0 ? step : -step) + 1 : 0;
    add(start, step, count);
    shape_.push_back(count);
  }

  NodeImport& n_;
  const Shape x_;
  Ints begins_, ends_, steps_, masks_;
  bool offset_ = false;
  Cut cut_;
  Shape shape_;  // of the result
};

void strided_slice(NodeImport& n) {
  n.expect_inputs(4, 4);
  StridedSlice(n).run();
}

// --- split

// Equal types and parameters follow from x; one piece per output along the axis.
void emit_split(NodeImport& n, TensorId x, size_t axis, const Ints& sizes) {
  const Shape shape = n.graph.tensor(x).shape;
  int64_t left = shape[axis];
  for (int64_t s : sizes) left = s < 1 || s > left ? -1 : left - s;
  if (left != 0 || sizes.size() != n.file.outputs.size())
    n.fail(fmt::format("pieces [{}] of {} along dimension {} for {} outputs",
                       fmt::format("{}", fmt::join(sizes, ", ")).substr(0, 80), to_string(shape), axis,
                       n.file.outputs.size()));
  Node node = n.node(OpKind::split, {x});
  node.axis = static_cast<int>(axis);
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape piece = shape;
    piece[axis] = sizes[i];
    node.outputs.push_back(n.output_like(x, std::move(piece), i));
  }
  n.emit(std::move(node));
}

size_t one_axis(const NodeImport& n, size_t i, size_t rank) {
  const Ints axis = n.integers_in(i, "axis");
  if (axis.size() != 1) n.fail(fmt::format("{} axes; supported: 1", axis.size()));
  return static_cast<size_t>(n.axis(axis[0], rank));
}

// axis, x
void split(NodeImport& n) {
  n.expect_inputs(2, 2);
  const Shape shape = n.tensor(1).shape;
  const size_t axis = one_axis(n, 0, shape.size());
  const int64_t count = n.integer("num_splits");
  if (count < 1 || shape[axis] % count)
    n.fail_attribute("num_splits", fmt::format("{} for {}", count, to_string(shape)), "what divides the axis");
  n.expect_outputs(static_cast<size_t>(count));
  emit_split(n, n.input(1), axis, Ints(static_cast<size_t>(count), shape[axis] / count));
}

// x, sizes, axis
void split_v(NodeImport& n) {
  n.expect_inputs(3, 3);
  n.ignore({"num_splits"});  // the sizes say it
  const Shape shape = n.tensor(0).shape;
  const size_t axis = one_axis(n, 2, shape.size());
  Ints sizes = n.integers_in(1, "sizes");
  int64_t known = 0;
  for (int64_t s : sizes) known += std::clamp<int64_t>(s, 0, importing::kMostBytes);
  if (const auto rest = std::find(sizes.begin(), sizes.end(), -1); rest != sizes.end()) *rest = shape[axis] - known;
  emit_split(n, n.input(0), axis, sizes);
}

// --- putting together

void expect_like_first(const NodeImport& n, size_t i, size_t axis) {
  Shape first = n.tensor(0).shape, other = n.tensor(i).shape;
  if (axis < first.size() && axis < other.size()) other[axis] = first[axis];
  if (other != first || n.tensor(i).dtype != n.tensor(0).dtype)
    n.fail(fmt::format("input {} is {} {} beside {} {}; supported: equal types and shapes but for the axis", i,
                       dtype_name(n.tensor(i).dtype), to_string(n.tensor(i).shape), dtype_name(n.tensor(0).dtype),
                       to_string(first)));
}

bool all_constant(const NodeImport& n) {
  for (size_t i = 0; i < n.input_count(); ++i)
    if (!n.is_constant(i)) return false;
  return true;
}

// `outer` rows of each input's bytes in turn.
void fold_joined(NodeImport& n, Shape shape, int64_t outer) {
  std::vector<const Tensor*> pieces;
  for (size_t i = 0; i < n.input_count(); ++i) pieces.push_back(&n.tensor(i));
  const DType dtype = n.tensor(0).dtype;
  n.charge(byte_count(shape, dtype));
  n.folded(dtype, std::move(shape), importing::joined(pieces, outer));
}

int64_t outer_count(const Shape& shape, size_t axis) {
  return element_count(Shape(shape.begin(), shape.begin() + static_cast<long>(axis)));
}

// Several scales are met by requantizing, which the runtimes do for u8 only.
void concatenation(NodeImport& n) {
  constexpr size_t kMost = 1 << 16;
  n.expect_inputs(1, kMost);
  n.expect_outputs(1);
  Shape shape = n.tensor(0).shape;
  const DType dtype = n.tensor(0).dtype;
  const size_t axis = static_cast<size_t>(n.axis(n.integer("axis"), shape.size()));
  if (const std::string a = n.choice("fused_activation_function", "NONE"); a != "NONE")
    n.fail_attribute("fused_activation_function", a, "NONE");
  shape[axis] = 0;
  std::vector<TensorId> inputs;
  for (size_t i = 0; i < n.input_count(); ++i) {
    expect_like_first(n, i, axis);
    shape[axis] += n.tensor(i).shape[axis];
    n.check_shape(shape, dtype);
    inputs.push_back(n.input(i));
  }
  if (all_constant(n)) return fold_joined(n, shape, outer_count(shape, axis));
  const TensorId y = n.output(dtype, std::move(shape));
  const Tensor& t = n.graph.tensor(y);
  for (TensorId id : inputs) {
    if (dtype == DType::u8) n.expect_real(id);
    if (dtype == DType::s8) n.expect_same_quant(id, t.quant, t.name);
  }
  Node node = n.node(OpKind::concat, std::move(inputs));
  node.axis = static_cast<int>(axis);
  n.emit(std::move(node), y);
}

// Equal tensors along a new axis.
void pack(NodeImport& n) {
  constexpr size_t kMost = 1 << 16;
  n.expect_inputs(1, kMost);
  n.expect_outputs(1);
  n.ignore({"values_count"});  // the inputs say it
  const Shape shape = n.tensor(0).shape;
  const auto axis = static_cast<size_t>(n.axis(n.integer("axis"), shape.size() + 1));
  Shape wide = shape;
  wide.insert(wide.begin() + static_cast<long>(axis), 1);
  for (size_t i = 0; i < n.input_count(); ++i) {
    expect_like_first(n, i, shape.size());
    n.expect_same_quant(n.input(0), n.tensor(i).quant, n.tensor(i).name);
  }
  Shape to = wide;
  to[axis] = static_cast<int64_t>(n.input_count());
  if (all_constant(n)) return fold_joined(n, to, outer_count(shape, axis));
  std::vector<TensorId> pieces;
  for (size_t i = 0; i < n.input_count(); ++i)
    pieces.push_back(n.reshaped(n.input(i), wide, fmt::format("/piece{}", i)));
  Node node = n.node(OpKind::concat, std::move(pieces));
  node.axis = static_cast<int>(axis);
  n.emit(std::move(node), n.output_like(n.input(0), std::move(to)));
}

// Pieces of one index, without the axis.
void unpack(NodeImport& n) {
  n.expect_inputs(1, 1);
  const TensorId x = n.input(0);
  const Tensor t = n.graph.tensor(x);
  const auto axis = static_cast<size_t>(n.axis(n.integer("axis"), t.shape.size()));
  if (const int64_t count = n.integer("num"); count != t.shape[axis])
    n.fail_attribute("num", fmt::format("{}", count), fmt::format("the {} of the axis", t.shape[axis]));
  n.expect_outputs(static_cast<size_t>(t.shape[axis]));
  Shape piece = t.shape, narrow = t.shape;
  piece[axis] = 1;
  narrow.erase(narrow.begin() + static_cast<long>(axis));
  Node node = n.node(OpKind::split, {x});
  node.axis = static_cast<int>(axis);
  for (size_t i = 0; i < n.file.outputs.size(); ++i)
    node.outputs.push_back(n.temporary(fmt::format("/piece{}", i), t.dtype, piece, t.quant));
  const std::vector<TensorId> pieces = node.outputs;
  n.emit(std::move(node));
  for (size_t i = 0; i < pieces.size(); ++i) {
    Node flat = n.node(OpKind::reshape, {pieces[i]});
    flat.name += fmt::format("/reshape{}", i);
    n.emit(std::move(flat), n.output_like(x, narrow, i));
  }
}

}  // namespace

void add_slice_ops(std::unordered_map<std::string, Handler>& table) {
  table["SLICE"] = slice;
  table["STRIDED_SLICE"] = strided_slice;
  table["SPLIT"] = split;
  table["SPLIT_V"] = split_v;
  table["CONCATENATION"] = concatenation;
  table["PACK"] = pack;
  table["UNPACK"] = unpack;
}

}  // namespace octet::tflite_import

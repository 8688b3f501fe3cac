// QuantizeLinear and DequantizeLinear in single steps: where parameters are found at run time, or vary within an
// activation (by channel or by block). The quantized side is then integers without parameters.
//   q = clip(rne(RN32(x / s)) + z), cast;  RN32(f32(q - z) * s): what ONNX Runtime computes
#include <fmt/format.h>

#include <algorithm>

#include "generator/import/importer.h"

namespace octet::onnx_import {
namespace {

// A parameter as a tensor that broadcasts to x: one number, one per index of the axis, or one per block along it.
class Parameters {
 public:
  explicit Parameters(NodeImport& n)
      : n_(n), shape_(n.tensor(0).shape), axis_(n.integer("axis", 1)), block_(n.integer("block_size", 0)) {}

  TensorId operator()(size_t i, const std::string& suffix) const {
    const Shape shape = n_.tensor(i).shape;
    if (block_ != 0) return blocks(i, suffix);
    if (element_count(shape) == 1) return reshaped(n_.input(i), {}, suffix);
    const auto axis = static_cast<size_t>(n_.axis(axis_, shape_.size()));
    if (shape != Shape{shape_[axis]})
      n_.fail(fmt::format("input {} has shape {}; supported for axis {} of {}: one value, or {}",
                          in_quotes(n_.tensor(i).name), to_string(shape), axis, to_string(shape_), shape_[axis]));
    Shape along(shape_.size() - axis, 1);
    along[0] = shape_[axis];
    return reshaped(n_.input(i), along, suffix);
  }

 private:
  TensorId reshaped(TensorId id, Shape shape, const std::string& suffix) const {
    const Tensor t = n_.graph.tensor(id);
    if (t.shape == shape) return id;
    if (t.is_constant()) return reshaped_constant(n_, id, std::move(shape));
    return n_.step(OpKind::reshape, {id}, suffix, t.dtype, std::move(shape)).outputs[0];
  }

  // Every value for the elements of its block.
  TensorId blocks(size_t i, const std::string& suffix) const {
    const auto axis = static_cast<size_t>(n_.axis(axis_, shape_.size()));
    const Tensor t = n_.tensor(i);
    const int64_t count = shape_[axis];
    Shape wanted = shape_;
    if (block_ > 0) wanted[axis] = (count - 1) / block_ + 1;
    if (block_ < 0 || t.shape != wanted)
      n_.fail_attribute("block_size",
                        fmt::format("{} with {} of shape {}", block_, in_quotes(t.name), to_string(t.shape)),
                        fmt::format("blocks of {}, of shape {}", to_string(shape_), to_string(wanted)));
    n_.charge(count * static_cast<int64_t>(sizeof(int64_t)));
    Ints of(static_cast<size_t>(count));
    for (int64_t k = 0; k < count; ++k) of[static_cast<size_t>(k)] = k / block_;
    const TensorId indices = n_.constant_step(suffix + "/blocks", DType::s64, {count}, of);
    n_.check_shape(shape_, t.dtype);
    Node& gather = n_.step(OpKind::gather, {n_.input(i), indices}, suffix, t.dtype, shape_);
    gather.axis = static_cast<int>(axis);
    return gather.outputs[0];
  }

  NodeImport& n_;
  const Shape shape_;
  const int64_t axis_, block_;
};

TensorId real_zero(NodeImport& n, const Parameters& parameters) {
  return cast_to(n, parameters(2, "/zero"), DType::f32, "/zero_real");
}

}  // namespace

bool comes_from_constants(const NodeImport& n, TensorId id) {
  constexpr int kFar = 16;  // steps back: looking through all would be quadratic in a hostile file
  for (int k = 0; k < kFar; ++k) {
    const Node* from = n.state.producer_of(id);
    if (!from || (from->op != OpKind::quantize && from->op != OpKind::dequantize && from->op != OpKind::transpose &&
                  from->op != OpKind::reshape))
      break;
    id = from->inputs[0];
  }
  return n.graph.tensor(id).is_constant();
}

bool has_computed_parameters(NodeImport& n) {
  return n.integer("block_size", 0) != 0 || !n.tensor(1, "scale").is_constant() ||
         (n.has(2) && !n.tensor(2).is_constant());
}

void quantize_in_steps(NodeImport& n, DType to) {
  n.expect_dtype(n.input(1), {DType::f32});
  const Parameters parameters(n);
  const bool narrow = to == DType::u8;
  TensorId v = binary(n, {.op = OpKind::div}, n.input(0), parameters(1, "/scale"), "/divided");
  v = unary(n, Unary::round, v, "/rounded");
  if (n.has(2)) v = binary(n, {.op = OpKind::add}, v, real_zero(n, parameters), "/moved");
  Node& clip = n.step(OpKind::unary, {v}, "/clipped", DType::f32, n.tensor(0).shape);
  clip.function = Unary::clip;
  clip.alpha = narrow ? 0 : -128;
  clip.beta = narrow ? 255 : 127;
  cast_to(n, clip.outputs[0], to, "");
}

void dequantize_in_steps(NodeImport& n) {
  n.expect_dtype(n.input(1), {DType::f32});
  if (n.has(2)) n.expect_dtype(n.input(2), {n.tensor(0).dtype});
  const Parameters parameters(n);
  TensorId v = cast_to(n, n.input(0), DType::f32, "/real");
  if (n.has(2)) v = binary(n, {.op = OpKind::sub}, v, real_zero(n, parameters), "/moved");
  binary(n, {.op = OpKind::mul}, v, parameters(1, "/scale"));
}

}  // namespace octet::onnx_import

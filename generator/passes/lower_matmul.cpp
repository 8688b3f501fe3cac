// Products of two quantized activations, in the profiles of TensorFlow Lite: the others have expand_matmul.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "generator/kernel/conv_scale.h"
#include "generator/passes/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

FixedPoint factor_of(const Lowering& to, const Node& n) {
  const QuantView a = to.view(n.inputs[0]), b = to.view(n.inputs[1]), y = to.view(n.outputs[0]);
  const ConvTraits traits{.profile = to.graph.profile,
                          .kind = ConvKind::product,
                          .is_signed = a.is_signed,
                          .src_scale = a.scale,
                          .weight_scale = b.scale,
                          .dst_scale = y.scale};
  Requant r;
  set_form(traits, false, r);
  if (r.form != RequantForm::fixed_away)
    internal_error(fmt::format("{}: a product in profile {}", describe(n), profile_name(to.graph.profile)));
  const ChannelScale scale = channel_scale(traits, 0, b.scale, 0);
  if (!in_window(scale))
    user_error(
        fmt::format("{}: multiplier {} is out of range; supported are products of the inputs' scales over output scale "
                    "below 256",
                    describe(n), scale.real));
  return scale.fixed;
}

// No sum may leave s32, shifted as the factor shifts it.
void check_sums(const Lowering& to, const Node& n, const MatMulSpec& s) {
  const int64_t a = std::max(s.a_zero, 255 - s.a_zero), b = std::max(s.b_zero, 255 - s.b_zero);
  const int64_t most = int64_t{std::numeric_limits<int32_t>::max()} >> std::max(0, s.factor.exponent);
  if (s.k > most / (a * b))
    user_error(fmt::format("{}: its sums of {} products can reach {}; supported in profile {} are sums up to {}",
                           describe(n), s.k, s.k * a * b, profile_name(to.graph.profile), most));
}

// The stack of matrices.
void set_batch(const Lowering& to, const Node& n, MatMulSpec& s) {
  const Shape& shape = to.tensor(n.outputs[0]).shape;
  Walk walk{.dims = shape};
  for (TensorId t : {n.inputs[0], n.inputs[1], n.outputs[0]})
    walk.strides.push_back(broadcast_byte_strides(to, t, shape.size()));
  walk.dims.resize(shape.size() - 2);
  for (std::vector<int64_t>& strides : walk.strides) strides.resize(shape.size() - 2);
  walk = joined(walk);
  if (walk.dims.size() > 4)
    user_error(fmt::format("{}: a stack of {} dimensions that cannot be joined; supported are 4", describe(n),
                           walk.dims.size()));
  s.batch = walk.dims;
  s.a_strides = walk.strides[0];
  s.b_strides = walk.strides[1];
  s.dst_strides = walk.strides[2];
}

}  // namespace

void lower_matmul(Lowering& to, int node) {
  const Node& n = to.graph.nodes[static_cast<size_t>(node)];
  const TensorId a = n.inputs[0], b = n.inputs[1], dst = n.outputs[0];
  const QuantView y = to.view(dst);
  const ByteRange range = byte_range(n.range, y);
  const Shape& shape = to.tensor(dst).shape;
  if (to.tensor(a).shape.size() < 2 || to.tensor(b).shape.size() < 2)
    user_error(fmt::format("{}: multiplies {} by {}; supported are matrices and stacks of them", describe(n),
                           to_string(to.tensor(a).shape), to_string(to.tensor(b).shape)));
  MatMulSpec spec{.m = static_cast<int>(shape[shape.size() - 2]),
                  .k = to.channels(a),
                  .n = to.channels(b),
                  .a_pitch = to.pitch(a),
                  .b_pitch = to.pitch(b),
                  .dst_pitch = to.pitch(dst),
                  .a_zero = to.view(a).zero(),
                  .b_zero = to.view(b).zero(),
                  .factor = factor_of(to, n),
                  .zero = y.zero(),
                  .lo = range.lo,
                  .hi = range.hi};
  check_sums(to, n, spec);
  set_batch(to, n, spec);
  to.add(node, spec, a, dst, b);
}

}  // namespace octet

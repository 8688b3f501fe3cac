// What has no integer form is refused by name, with the reason and what is supported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conv_net.h"

namespace octet {
namespace {

using testing::HasSubstr;

TEST(Refusals, FloatWeights) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 1, 2, 2}), "x_q", 0.5f, 7);
  net.output(net.qdq(net.conv("c0", x, net.constant("w", {1, 1, 1, 1}, {1}), kNoTensor, {}, {1, 1, 2, 2}), "y", 1, 0));
  EXPECT_THAT(refusal(net), HasSubstr("conv 'c0': its constant 'w' (f32 1x1x1x1) is not quantized"));
}

TEST(Refusals, FloatResult) {
  ConvNet net;
  net.output(net.y);
  EXPECT_THAT(refusal(net), HasSubstr("conv 'conv': its result 'conv_out' (f32 1x2x3x3) is not quantized"));
}

// As QGemm without an output scale arrives: its bias is no activation, so the result is what is to blame.
TEST(Refusals, FloatResultWithAQuantizedBias) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 2}), "x_q", 0.5f, 7);
  const TensorId w = net.weights("w", DType::s8, {3, 2}, {1, 2, 3, 4, 5, 6}, {{0.25f}, {0}, -1});
  const TensorId b = net.weights("b", DType::s32, {3}, {1, 2, 3}, {{0.125f}, {0}, -1});
  net.output(net.node({.op = OpKind::linear, .name = "fc"}, {x, w, b}, {1, 3}));
  EXPECT_THAT(refusal(net), HasSubstr("linear 'fc': its result 'fc_out' (f32 1x3) is not quantized by one"));
}

TEST(Refusals, FloatInput) {
  Net net;
  const TensorId x = net.input("x", {1, 2});
  net.output(net.qdq(net.unary("act", x, Unary::tanh), "y", 1, 0));
  EXPECT_THAT(refusal(net), HasSubstr("unary 'act': its input 'x' (f32 1x2) is not quantized"));
}

TEST(Refusals, FloatBetween) {
  ConvNet net;
  net.output(net.qdq(net.unary("act", net.y, Unary::hard_swish), "y_q", 1, 0));
  EXPECT_THAT(refusal(net), HasSubstr("conv 'conv': its result 'conv_out' (f32 1x2x3x3) is not quantized"));
}

TEST(Refusals, PerChannelActivations) {
  Net net;
  const TensorId x = net.input("x", {1, 2});
  const TensorId q = net.quantize(x, "x_q", 1, 0);
  net.graph.tensor(q).quant = QuantParams{{1, 2}, {0, 0}, 1};
  net.output(net.dequantize(q));
  EXPECT_THAT(refusal(net), HasSubstr("QuantizeLinear 'x_q': 'x_q' (u8 1x2) has 2 scales along axis 1"));
}

TEST(Refusals, WeightScalesAlongAnotherAxis) {
  ConvNet net(0.5f, {}, {{0.25f, 0.5f}, {0, 0}, 1});
  net.output(net.qdq(net.y, "y_q", 1, 0));
  EXPECT_THAT(refusal(net), HasSubstr("conv 'conv': weights 'w' (s8 2x2x1x1) have scales along axis 1"));
}

TEST(Refusals, TwoActivations) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {2, 2}), "x_q", 0.5f, 7);
  for (const OpKind op : {OpKind::matmul, OpKind::div}) {
    Net other = net;
    const TensorId y = other.qdq(other.input("y", {2, 2}), "y_q", 0.5f, 7);
    other.output(other.qdq(other.node({.op = op, .name = "both"}, {x, y}, {2, 2}), "z_q", 1, 0));
    const std::string error = refusal(other);
    EXPECT_THAT(error, HasSubstr(std::string(op_name(op)) + " 'both': "));
    EXPECT_THAT(error, HasSubstr("two activations is not supported"));
  }
}

TEST(Refusals, ConstantOperands) {
  Net net;
  const TensorId c = net.weights("c", DType::u8, {1, 1, 2, 2}, {1, 2, 3, 4}, {{0.5f}, {7}, -1});
  const TensorId y =
      net.node({.op = OpKind::max_pool, .name = "pool", .window = {.kh = 2, .kw = 2}}, {c}, {1, 1, 1, 1});
  net.output(net.qdq(y, "y", 0.5f, 7));
  EXPECT_THAT(refusal(net), HasSubstr("max_pool 'pool': constant operand 'c' (u8 1x1x2x2) is not supported"));
}

TEST(Refusals, OperandsWithAScalePerChannel) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 2}), "x_q", 0.5f, 7);
  const TensorId c = net.weights("c", DType::u8, {1, 2}, {1, 2}, {{0.5f, 1.0f}, {7, 7}, 1});
  net.output(net.qdq(net.node({.op = OpKind::add, .name = "add"}, {x, c}, {1, 2}), "y", 0.5f, 7));
  EXPECT_THAT(refusal(net), HasSubstr("add 'add': its result 'add_out' (f32 1x2) is not quantized"));
}

TEST(Refusals, ConcatWithoutQuantize) {
  Net net;
  const TensorId a = net.qdq(net.input("a", {1, 2}), "a_q", 0.5f, 7),
                 b = net.qdq(net.input("b", {1, 2}), "b_q", 0.25f, 7);
  net.output(net.node({.op = OpKind::concat, .name = "cat", .axis = 1}, {a, b}, {1, 4}));
  EXPECT_THAT(refusal(net), HasSubstr("concat 'cat': its result 'cat_out' (f32 1x4) is not quantized"));
}

TEST(FloatTail, SoftmaxAtTheEndStaysFloat) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 5}), "x_q", 0.5f, 7);
  net.output(net.node({.op = OpKind::softmax, .name = "softmax", .axis = 1}, {x}, {1, 5}));
  run_passes(net.graph);
  EXPECT_EQ(net.graph.nodes.size(), 3u) << print(net.graph);
}

TEST(FloatTail, NothingElseMayFollowIt) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 5}), "x_q", 0.5f, 7);
  net.output(
      net.unary("exp", net.node({.op = OpKind::softmax, .name = "softmax", .axis = 1}, {x}, {1, 5}), Unary::exp));
  EXPECT_THAT(refusal(net), HasSubstr("unary 'exp': its input 'softmax_out' (f32 1x5) is not quantized"));
}

}  // namespace
}  // namespace octet

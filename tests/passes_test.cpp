// Each pass alone: what it makes of a small graph, and what it refuses in which words.
#include "generator/passes/passes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "generator/passes/edit.h"
#include "generator/passes/table.h"
#include "runtime/status.h"
#include "tests/support/conv_net.h"

namespace octet {
namespace {

using testing::HasSubstr;

void run(Graph& graph, std::initializer_list<void (*)(Graph&)> passes) {
  for (auto* pass : passes) {
    pass(graph);
    remove_dead_nodes(graph);
    verify(graph);
  }
}

// ---- to integers

struct ClampCase {
  const char* name;
  Unary function;
  float lo, hi, scale;
  int32_t zero;
  DType dtype;
  QRange expected;
};

class Clamps : public testing::TestWithParam<ClampCase> {};

TEST_P(Clamps, BecomeTheConvsRange) {
  const ClampCase& c = GetParam();
  ConvNet net;
  net.output(net.qdq(net.unary("act", net.y, c.function, c.lo, c.hi), "y_q", c.scale, c.zero, c.dtype));
  run(net.graph, {fold_qdq});
  const Node* conv = find(net.graph, OpKind::conv);
  ASSERT_TRUE(conv);
  EXPECT_EQ(count(net.graph, OpKind::unary), 0);
  EXPECT_EQ(conv->range, c.expected) << conv->range.lo << ".." << conv->range.hi;
  EXPECT_EQ(net.graph.tensor(conv->inputs[0]).name, "x_q");
  EXPECT_EQ(net.graph.tensor(conv->outputs[0]).name, "y_q");
}

constexpr int32_t kOpenLo = QRange{}.lo, kOpenHi = QRange{}.hi;
INSTANTIATE_TEST_SUITE_P(
    All, Clamps,
    testing::Values(
        ClampCase{"relu", Unary::relu, 0, 0, 0.5f, 10, DType::u8, {10, kOpenHi}},
        ClampCase{"relu_implied", Unary::relu, 0, 0, 0.5f, 0, DType::u8, {}},
        ClampCase{"relu_s8_implied", Unary::relu, 0, 0, 0.5f, -128, DType::s8, {}},
        ClampCase{"relu_leaves_zero_only", Unary::relu, 0, 0, 0.5f, 255, DType::u8, {255, kOpenHi}},
        ClampCase{"relu6", Unary::clip, 0, 6, 0.5f, 10, DType::u8, {10, 22}},
        ClampCase{"relu6_implied", Unary::clip, 0, 6, 6.0f / 255, 0, DType::u8, {}},
        // 6 / 4 = 1.5 and 6 / 2.4 = 2.5: both ties go to 2.
        ClampCase{"tie_up", Unary::clip, 0, 6, 4.0f, 3, DType::s8, {3, 5}},
        ClampCase{"tie_down", Unary::clip, 0, 5, 2.0f, 3, DType::s8, {3, 5}},
        ClampCase{"tie_below_zero", Unary::clip, -5, 5, 2.0f, 1, DType::s8, {-1, 3}},
        ClampCase{
            "open_above", Unary::clip, 1, std::numeric_limits<float>::infinity(), 0.5f, 0, DType::s8, {2, kOpenHi}},
        ClampCase{"open_both",
                  Unary::clip,
                  -std::numeric_limits<float>::infinity(),
                  std::numeric_limits<float>::infinity(),
                  0.5f,
                  0,
                  DType::s8,
                  {}}),
    [](const auto& info) { return info.param.name; });

TEST(FoldQdq, ClampsComposeInTheirOrder) {
  ConvNet net;
  const TensorId low = net.unary("low", net.y, Unary::clip, 0, 2);
  net.output(net.qdq(net.unary("high", low, Unary::clip, 5, 9), "y_q", 1.0f, 0));  // whatever it was: 5
  run(net.graph, {fold_qdq});
  EXPECT_EQ(find(net.graph, OpKind::conv)->range, (QRange{5, 5}));
}

// TFLite files mean their float ops: there the nodes around them are no notation.
TEST(FoldQdq, AnIslandOfTheFileStaysFloat) {
  ConvNet net;
  net.output(net.qdq(net.unary("tanh", net.y, Unary::tanh), "y_q", 0.5f, 0));
  for (Node& n : net.graph.nodes)
    if (n.op == OpKind::conv || n.op == OpKind::unary) n.island = "float in the file";
  run(net.graph, {fold_qdq, fold_tables});
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::conv)->outputs[0]).dtype, DType::f32);
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::unary)->outputs[0]).dtype, DType::f32);
}

TEST(FoldQdq, AResultThatIsReadTwiceStaysFloat) {
  ConvNet net;
  net.output(net.qdq(net.y, "y_q", 0.5f, 0));
  net.output(net.y);
  run(net.graph, {fold_qdq});
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::conv)->outputs[0]).dtype, DType::f32);
}

TEST(Biases, FloatIsRoundedToNearestEven) {
  // One quantum is 0.5 * 0.25; halves of it are ties.
  ConvNet net(0.5f, {0.0625f, 0.1875f});
  net.output(net.qdq(net.y, "y_q", 1.0f, 0));
  run(net.graph, {fold_qdq, quantize_biases});
  EXPECT_EQ(integers(net.graph.tensor(find(net.graph, OpKind::conv)->inputs[2])), (std::vector<int32_t>{0, 2}));
}

TEST(Biases, IntegersOnTheAccumulatorsGridAreTaken) {
  for (const float scale : {0.125f, 0.25f}) {  // the grid is 0.125; integers on another count as the floats they mean
    ConvNet net;
    const TensorId b = add_integers(net.graph, "b", DType::s32, {2}, {2147483647, -5});
    net.graph.tensor(b).quant = QuantParams{{scale}, {0}, -1};
    const TensorId real = net.dequantize(b);
    std::swap(net.graph.nodes.back(), net.graph.nodes[net.graph.nodes.size() - 2]);
    net.graph.nodes.back().inputs.push_back(real);
    net.output(net.qdq(net.y, "y_q", 1.0f, 0));
    if (scale == 0.125f) {
      run(net.graph, {fold_qdq, quantize_biases});
      EXPECT_EQ(find(net.graph, OpKind::conv)->inputs[2], b);
    } else {
      const std::string error = refusal(net);
      EXPECT_THAT(error, HasSubstr("conv 'conv'"));
      EXPECT_THAT(error, HasSubstr("output channel 0"));
    }
  }
}

TEST(Biases, OverflowNamesNodeAndChannel) {
  ConvNet net(0x1p-20f, {1.0f, 3.0e5f}, {{0x1p-10f}, {0}, -1});
  net.output(net.qdq(net.y, "y_q", 1.0f, 0));
  const std::string error = refusal(net);
  EXPECT_THAT(error, HasSubstr("conv 'conv': bias 300000 of output channel 1 does not fit s32"));
}

TEST(Biases, WrongLengthIsRefused) {
  ConvNet net(0.5f, {1, 2, 3});
  net.output(net.qdq(net.y, "y_q", 1.0f, 0));
  EXPECT_THAT(refusal(net), HasSubstr("conv 'conv': bias 'b' of shape 3 is not a constant of 2 values"));
}

TEST(Constants, BatchNormParametersAreDequantized) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 2, 3, 3}), "x_q", 0.5f, 7);
  const TensorId scale = net.weights("scale", DType::s8, {2}, {-128, 127}, {{0.1f}, {0}, -1});
  const TensorId bias = net.weights("bias", DType::u8, {2}, {0, 255}, {{0.1f, 0.3f}, {10, 255}, 0});
  const TensorId zeros = net.constant("mean", {2}, {0, 0}), ones = net.constant("variance", {2}, {1, 1});
  net.output(net.qdq(
      net.node({.op = OpKind::batch_norm, .name = "bn", .alpha = 0}, {x, scale, bias, zeros, ones}, {1, 2, 3, 3}), "y",
      1, 0));
  run(net.graph, {fold_constants});
  const Node* bn = find(net.graph, OpKind::batch_norm);
  const auto s = net.graph.tensor(bn->inputs[1]).values<float>(), b = net.graph.tensor(bn->inputs[2]).values<float>();
  EXPECT_EQ(std::vector<float>(s.begin(), s.end()), (std::vector<float>{-128 * 0.1f, 127 * 0.1f}));
  EXPECT_EQ(std::vector<float>(b.begin(), b.end()), (std::vector<float>{-10 * 0.1f, 0}));
}

TEST(Constants, QuantizedTransposesKeepTheirAxis) {
  Net net;
  const TensorId w = net.weights("w", DType::s8, {2, 3}, {1, 2, 3, 4, 5, 6}, {{1, 2, 3}, {0, 0, 0}, 1});
  const TensorId t = net.node({.op = OpKind::transpose, .name = "t", .perm = {1, 0}}, {w}, {3, 2});
  const TensorId x = net.qdq(net.input("x", {1, 2}), "x_q", 0.5f, 7);
  net.output(net.qdq(net.node({.op = OpKind::linear, .name = "fc"}, {x, t}, {1, 3}), "y", 1, 0));
  run(net.graph, {fold_constants, fold_qdq});
  const Tensor& folded = net.graph.tensor(find(net.graph, OpKind::linear)->inputs[1]);
  EXPECT_EQ(integers(folded), (std::vector<int32_t>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(folded.quant->axis, 0);
  EXPECT_EQ(folded.shape, (Shape{3, 2}));
}

TEST(Constants, FloatWeightsBehindQuantizeAreQuantized) {
  Net net;
  const TensorId w = net.qdq(net.constant("w", {2, 2}, {0.25f, 0.75f, 100, -100}), "w_q", 0.5f, 0, DType::s8);
  const TensorId x = net.qdq(net.input("x", {1, 2}), "x_q", 0.5f, 7);
  net.output(net.qdq(net.node({.op = OpKind::linear, .name = "fc"}, {x, w}, {1, 2}), "y", 1, 0));
  run(net.graph, {fold_constants, fold_qdq});
  EXPECT_EQ(integers(net.graph.tensor(find(net.graph, OpKind::linear)->inputs[1])),
            (std::vector<int32_t>{0, 2, 127, -128}));
}

TEST(MatchLinear, MatmulTakesTransposedWeightsAndItsBias) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {4, 2}), "x_q", 0.5f, 7);
  const TensorId w = net.weights("w", DType::s8, {2, 3}, {1, 2, 3, 4, 5, 6}, {{1, 2, 3}, {0, 0, 0}, 1});
  const TensorId y = net.node({.op = OpKind::matmul, .name = "mm"}, {x, w}, {4, 3});
  const TensorId z = net.node({.op = OpKind::add, .name = "add"}, {net.constant("b", {1, 3}, {1, 2, 3}), y}, {4, 3});
  net.output(net.qdq(z, "y", 1, 0));
  run(net.graph, {match_linear, fold_qdq, quantize_biases});
  const Node* linear = find(net.graph, OpKind::linear);
  ASSERT_TRUE(linear);
  EXPECT_EQ(count(net.graph, OpKind::add), 0);
  EXPECT_EQ(integers(net.graph.tensor(linear->inputs[1])), (std::vector<int32_t>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(integers(net.graph.tensor(linear->inputs[2])), (std::vector<int32_t>{2, 2, 2}));
}

TEST(FoldBatchNorm, JoinsAFloatConv) {
  Net net;
  const TensorId x = net.input("x", {1, 1, 2, 2});
  const TensorId y =
      net.conv("conv", x, net.constant("w", {2, 1, 1, 1}, {1, 2}), net.constant("b", {2}, {10, 20}), {}, {1, 2, 2, 2});
  net.output(net.node({.op = OpKind::batch_norm, .name = "bn", .alpha = 0},
                      {y, net.constant("s", {2}, {3, -1}), net.constant("o", {2}, {5, 6}),
                       net.constant("m", {2}, {4, 0}), net.constant("v", {2}, {4, 1})},
                      {1, 2, 2, 2}));
  run(net.graph, {fold_batch_norm});
  ASSERT_EQ(net.graph.nodes.size(), 1u);
  const auto w = net.graph.tensor(net.graph.nodes[0].inputs[1]).values<float>();
  const auto b = net.graph.tensor(net.graph.nodes[0].inputs[2]).values<float>();
  EXPECT_EQ(std::vector<float>(w.begin(), w.end()), (std::vector<float>{1.5f, -2}));
  EXPECT_EQ(std::vector<float>(b.begin(), b.end()), (std::vector<float>{14, -14}));
}

TEST(Requantize, EqualPairsVanishAndTheNameOfTheFileStays) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, 7);
  const TensorId r = net.node({.op = OpKind::reshape, .name = "r"}, {x}, {2, 3});
  const TensorId q = net.quantize(r, "r_q", 0.5f, 7);
  net.output(net.dequantize(net.quantize(net.dequantize(q), "s_q", 0.25f, 7)));
  run(net.graph, {merge_quantize, move_quantization, requantize_moves, fold_requantize, check_integer});
  EXPECT_EQ(count(net.graph, OpKind::requantize), 1);
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::reshape)->outputs[0]).name, "r_q");
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::requantize)->outputs[0]).name, "s_q");
}

TEST(Tables, AChainBetweenTwoQuantizedTensorsIsOneTable) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, 128);
  const TensorId c = net.constant("three", {}, {3});
  const TensorId sum = net.node({.op = OpKind::add, .name = "plus"}, {x, c}, {1, 6});
  const TensorId clip = net.unary("clip", sum, Unary::clip, 0, 6);
  const TensorId mul = net.node({.op = OpKind::mul, .name = "times"}, {x, clip}, {1, 6});
  net.output(net.qdq(net.node({.op = OpKind::div, .name = "over"}, {mul, net.constant("six", {1}, {6})}, {1, 6}), "y_q",
                     0.5f, 3, DType::s8));
  run(net.graph, {fold_constants, move_quantization, fold_qdq, fold_tables, check_integer});
  ASSERT_EQ(net.graph.nodes.size(), 3u) << print(net.graph);
  const Table table = table_of(net.graph, *find(net.graph, OpKind::unary));
  for (int q = 0; q < 256; ++q) {
    const float d = static_cast<float>(q - 128) * 0.5f;
    const float h = d * std::min(std::max(d + 3, 0.0f), 6.0f) / 6;
    EXPECT_EQ(table[static_cast<size_t>(q)], quantize_value(h, 0.5f, 3, DType::s8)) << q;
  }
}

// ---- to fewer nodes

TEST(FuseRanges, AReluOnTheSameParametersJoinsTheAdd) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, 128),
                 y = net.qdq(net.input("y", {1, 6}), "y_q", 0.5f, 128);
  const TensorId sum = net.qdq(net.node({.op = OpKind::add, .name = "add"}, {x, y}, {1, 6}), "sum", 0.5f, 100);
  net.output(net.qdq(net.unary("relu", sum, Unary::clip, 0, 6), "z", 0.5f, 100));
  run(net.graph, {fold_qdq, fold_tables, fuse_ranges});
  EXPECT_EQ(count(net.graph, OpKind::unary), 0);
  EXPECT_EQ(find(net.graph, OpKind::add)->range, (QRange{100, 112}));
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::add)->outputs[0]).name, "z");
}

TEST(FuseRanges, OtherParametersOrReadersKeepTheTable) {
  for (const bool second_reader : {false, true}) {
    Net net;
    const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, 128),
                   y = net.qdq(net.input("y", {1, 6}), "y_q", 0.5f, 128);
    const TensorId sum = net.qdq(net.node({.op = OpKind::add, .name = "add"}, {x, y}, {1, 6}), "sum", 0.5f, 100);
    net.output(net.qdq(net.unary("relu", sum, Unary::relu), "z", second_reader ? 0.5f : 0.25f, 100));
    if (second_reader) net.output(net.qdq(net.unary("neg", sum, Unary::neg), "n", 0.5f, 100));
    run(net.graph, {fold_qdq, fold_tables, fuse_ranges});
    EXPECT_EQ(count(net.graph, OpKind::unary), second_reader ? 2 : 1);
    EXPECT_EQ(find(net.graph, OpKind::add)->range, QRange{});
  }
}

TEST(FuseTables, TableAfterTableKeepsBothRoundings) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, 3, DType::s8);
  const TensorId a = net.qdq(net.unary("neg", x, Unary::neg), "a", 3.0f, 7);
  net.output(net.qdq(net.qdq(a, "b", 0.7f, -5, DType::s8), "c", 1.1f, 9));
  run(net.graph, {move_quantization, fold_tables, fold_requantize});
  EXPECT_EQ(count(net.graph, OpKind::requantize), 2);
  run(net.graph, {fuse_tables});
  ASSERT_EQ(net.graph.nodes.size(), 3u) << print(net.graph);
  const Table table = table_of(net.graph, *find(net.graph, OpKind::unary));
  for (int q = -128; q < 128; ++q) {
    int32_t v = quantize_value(-dequantize_value(q, 0.5f, 3), 3.0f, 7, DType::u8);
    v = quantize_value(dequantize_value(v, 3.0f, 7), 0.7f, -5, DType::s8);
    v = quantize_value(dequantize_value(v, 0.7f, -5), 1.1f, 9, DType::u8);
    EXPECT_EQ(table[static_cast<size_t>(byte_of_value(q))], v) << q;
  }
}

TEST(FuseTables, AFactorThatIsAFunctionOfTheOther) {
  // Hard swish as the exporter spells it, with every rounding: x * q(hard_sigmoid(x)).
  for (const bool other_reader : {false, true}) {
    Net net;
    const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.05f, 100);
    const TensorId h = net.qdq(net.unary("hs", x, Unary::hard_sigmoid, 1.0f / 6, 0.5f), "h_q", 1.0f / 255, 0);
    net.output(net.qdq(net.node({.op = OpKind::mul, .name = "mul"}, {h, x}, {1, 6}), "y", 0.03f, 13));
    if (other_reader) net.output(h);
    run(net.graph, {fold_qdq, fold_tables});
    const BinaryFormula formula(net.graph, *find(net.graph, OpKind::mul));
    const Table hs = table_of(net.graph, *find(net.graph, OpKind::unary));
    run(net.graph, {fuse_tables});
    EXPECT_EQ(count(net.graph, OpKind::mul), other_reader ? 1 : 0);
    if (other_reader) continue;
    const Table table = table_of(net.graph, *find(net.graph, OpKind::unary));
    for (int q = 0; q < 256; ++q) EXPECT_EQ(table[static_cast<size_t>(q)], formula(hs[static_cast<size_t>(q)], q)) << q;
  }
}

TEST(FuseConcats, OnePieceIsNothing) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, 3);
  const TensorId c = net.qdq(net.node({.op = OpKind::concat, .name = "cat", .axis = 1}, {x}, {1, 6}), "c_q", 0.5f, 3);
  net.output(net.qdq(net.unary("neg", c, Unary::neg), "y", 0.5f, 3));
  run_passes(net.graph);
  EXPECT_EQ(count(net.graph, OpKind::concat), 0);
}

struct PadCase {
  const char* name;
  std::vector<int64_t> pads;
  float value;
  bool joins;
};
class Pads : public testing::TestWithParam<PadCase> {};

TEST_P(Pads, JoinTheConvWhereTheyHoldZero) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 2, 4, 4}), "x_q", 0.5f, 7);
  Shape padded = {1, 2, 4, 4};
  for (size_t d = 0; d < 4; ++d) padded[d] += GetParam().pads[d] + GetParam().pads[4 + d];
  const TensorId p =
      net.node({.op = OpKind::pad, .name = "pad", .alpha = GetParam().value, .pads = GetParam().pads}, {x}, padded);
  const TensorId w = net.weights("w", DType::s8, {1, padded[1], 1, 1},
                                 std::vector<int32_t>(static_cast<size_t>(padded[1]), 1), {{1}, {0}, -1});
  const Window window{.pad_left = 1};
  net.output(net.qdq(
      net.conv("conv", net.qdq(p, "p_q", 0.5f, 7), w, kNoTensor, window, {1, 1, padded[2], padded[3] + 1}), "y", 1, 0));
  run(net.graph, {move_quantization, fold_qdq, fold_requantize, fuse_pads});
  EXPECT_EQ(count(net.graph, OpKind::pad), GetParam().joins ? 0 : 1);
  const Window expected =
      GetParam().joins ? Window{.pad_top = 1, .pad_left = 3, .pad_bottom = 3, .pad_right = 4} : window;
  EXPECT_EQ(find(net.graph, OpKind::conv)->window, expected);
}

INSTANTIATE_TEST_SUITE_P(All, Pads,
                         testing::Values(PadCase{"zero", {0, 0, 1, 2, 0, 0, 3, 4}, 0, true},
                                         PadCase{"rounds_to_zero", {0, 0, 1, 2, 0, 0, 3, 4}, 0.25f, true},
                                         PadCase{"another_value", {0, 0, 1, 2, 0, 0, 3, 4}, 1, false},
                                         PadCase{"channels", {0, 1, 1, 2, 0, 0, 3, 4}, 0, false},
                                         PadCase{"cut", {0, 0, -1, 2, 0, 0, 3, 4}, 0, false}),
                         [](const auto& info) { return info.param.name; });

// reshape {1, 6, 2, 2} -> `mid`, transpose by `perm`, reshape back.
Net shuffle_net(Shape mid, std::vector<int64_t> perm) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6, 2, 2}), "x_q", 0.5f, 7);
  Shape turned;
  for (int64_t d : perm) turned.push_back(mid[static_cast<size_t>(d)]);
  const TensorId a = net.node({.op = OpKind::reshape, .name = "a"}, {x}, mid);
  const TensorId b = net.node({.op = OpKind::transpose, .name = "b", .perm = std::move(perm)}, {a}, turned);
  net.output(net.node({.op = OpKind::reshape, .name = "c"}, {b}, {1, 6, 2, 2}));
  return net;
}

TEST(Shuffles, BecomeChannelPermute) {
  Net net = shuffle_net({1, 2, 3, 2, 2}, {0, 2, 1, 3, 4});
  run(net.graph, {move_quantization, fuse_shuffles});
  const Node* permute = find(net.graph, OpKind::channel_permute);
  ASSERT_TRUE(permute);
  EXPECT_EQ(permute->perm, (std::vector<int64_t>{0, 3, 1, 4, 2, 5}));
}

TEST(Shuffles, OtherShapesAndTurnsAreNotTaken) {
  for (Net net : {shuffle_net({1, 2, 3, 2, 2}, {0, 1, 2, 4, 3}), shuffle_net({1, 2, 3, 4, 1}, {0, 2, 1, 3, 4}),
                  shuffle_net({1, 3, 2, 2, 2}, {0, 3, 2, 1, 4})}) {
    run(net.graph, {move_quantization, fuse_shuffles});
    EXPECT_EQ(count(net.graph, OpKind::channel_permute), 0);
  }
}

// A shuffle of `groups` groups, as layout leaves it, of a concat of `pieces`, which `readers` nodes read.
Net shuffled_concat(const std::vector<int64_t>& pieces, int64_t groups, int readers) {
  Net net;
  std::vector<TensorId> inputs;
  int64_t channels = 0;
  const auto quantized = [&](const std::string& name, int64_t c) {
    return net.graph.add({.name = name, .dtype = DType::u8, .shape = {1, 2, 2, c}, .quant = QuantParams{{0.5f}, {7}}});
  };
  for (int64_t c : pieces) {
    inputs.push_back(quantized("x" + std::to_string(inputs.size()), c));
    net.graph.inputs.push_back(inputs.back());
    channels += c;
  }
  const TensorId whole = quantized("cat", channels);
  net.graph.nodes.push_back({.op = OpKind::concat, .name = "cat", .inputs = inputs, .outputs = {whole}, .axis = 3});
  std::vector<int64_t> perm;
  for (int64_t j = 0; j < channels / groups; ++j)
    for (int64_t k = 0; k < groups; ++k) perm.push_back(k * (channels / groups) + j);
  for (int r = 0; r < readers; ++r) {
    const TensorId y = quantized("y" + std::to_string(r), channels);
    net.graph.nodes.push_back(
        {.op = OpKind::channel_permute, .name = "shuffle", .inputs = {whole}, .outputs = {y}, .perm = perm});
    net.graph.outputs.push_back(y);
  }
  return net;
}

TEST(Shuffles, OfTwoHalvesReadThemWhereTheyLie) {
  Net net = shuffled_concat({3, 3}, 2, 1);
  run(net.graph, {join_interleaves});
  EXPECT_EQ(count(net.graph, OpKind::concat), 0);
  EXPECT_EQ(find(net.graph, OpKind::channel_permute)->inputs, net.graph.inputs);
}

TEST(Shuffles, OfOtherPiecesOrOfAConcatThatIsReadElsewhereStay) {
  for (Net net : {shuffled_concat({2, 4}, 2, 1), shuffled_concat({2, 2, 2}, 2, 1), shuffled_concat({6, 6}, 3, 1),
                  shuffled_concat({3, 3}, 2, 2)}) {
    run(net.graph, {join_interleaves});
    EXPECT_EQ(count(net.graph, OpKind::concat), 1);
  }
}

TEST(Adds, JoinTheConvThatIsComputedLast) {
  for (const bool late_first : {false, true}) {
    ConvNet net;
    const TensorId early = net.qdq(net.y, "early_q", 0.5f, 1);
    const TensorId late = net.qdq(net.conv("late", net.x, net.w, kNoTensor, {}, {1, 2, 3, 3}), "late_q", 0.25f, 2);
    const TensorId relu = net.unary("relu",
                                    net.node({.op = OpKind::add, .name = "add"},
                                             {late_first ? late : early, late_first ? early : late}, {1, 2, 3, 3}),
                                    Unary::relu);
    net.output(net.qdq(relu, "y", 1.0f, 3));
    run(net.graph, {fold_qdq, fuse_adds});
    EXPECT_EQ(count(net.graph, OpKind::add), 0);
    const Node& fused = net.graph.nodes[net.graph.nodes.size() - 2];
    EXPECT_EQ(fused.name, "late");
    ASSERT_TRUE(fused.fused_add);
    EXPECT_EQ(fused.fused_add->conv_is_first, late_first);
    EXPECT_EQ(fused.fused_add->quant, (QuantParams{{0.25f}, {2}, -1}));
    EXPECT_EQ(fused.fused_add->tensor, "late_q");
    EXPECT_EQ(fused.range, (QRange{3, kOpenHi}));
    EXPECT_EQ(net.graph.tensor(fused.inputs[3]).name, "early_q");
  }
}

TEST(Adds, AResultWithOtherReadersKeepsItsAdd) {
  ConvNet net;
  const TensorId c = net.qdq(net.y, "c_q", 0.5f, 1);
  net.output(net.qdq(net.node({.op = OpKind::add, .name = "add"}, {c, net.x}, {1, 2, 3, 3}), "y", 1.0f, 3));
  net.output(c);
  run(net.graph, {fold_qdq, fuse_adds});
  EXPECT_EQ(count(net.graph, OpKind::add), 1);
}

TEST(Adds, TwiceTheSameTensorStaysAnAdd) {
  ConvNet net;
  const TensorId c = net.qdq(net.y, "c_q", 0.5f, 1);
  net.output(net.qdq(net.node({.op = OpKind::add, .name = "add"}, {c, c}, {1, 2, 3, 3}), "y", 1.0f, 3));
  run(net.graph, {fold_qdq, fuse_adds});
  EXPECT_EQ(count(net.graph, OpKind::add), 1);
}

// ---- to memory

TEST(Layout, ShapesWeightsAndAxes) {
  ConvNet net;
  const TensorId c = net.qdq(net.y, "c_q", 0.5f, 1);
  net.output(
      net.qdq(net.node({.op = OpKind::concat, .name = "cat", .axis = 1}, {c, net.x}, {1, 4, 3, 3}), "y", 0.5f, 1));
  run_passes(net.graph);
  EXPECT_TRUE(net.graph.channels_last);
  const Node* cat = find(net.graph, OpKind::concat);
  EXPECT_EQ(cat->axis, 3);
  EXPECT_EQ(net.graph.tensor(cat->outputs[0]).shape, (Shape{1, 3, 3, 4}));
  EXPECT_EQ(net.graph.tensor(cat->outputs[0]).file_shape, (Shape{1, 4, 3, 3}));
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::conv)->inputs[1]).shape, (Shape{2, 2, 1, 1})) << "as in the file";
  EXPECT_EQ(net.graph.tensor(net.graph.inputs[0]).shape, (Shape{1, 2, 3, 3})) << "float tensors keep the file's order";
}

TEST(Layout, FlattenPermutesTheLinearsColumns) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 2, 1, 3}), "x_q", 0.5f, 7);
  const TensorId flat = net.node({.op = OpKind::reshape, .name = "flat"}, {x}, {1, 6});
  const TensorId w = net.weights("w", DType::s8, {2, 6}, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15}, {{1}, {0}, -1});
  net.output(net.qdq(net.node({.op = OpKind::linear, .name = "fc"}, {flat, w}, {1, 2}), "y", 1, 0));
  run_passes(net.graph);
  EXPECT_EQ(count(net.graph, OpKind::transpose), 0);
  EXPECT_EQ(integers(net.graph.tensor(find(net.graph, OpKind::linear)->inputs[1])),
            (std::vector<int32_t>{0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15}));
}

// ONNX Runtime computes b + a where its first operand is a scalar along the innermost dimension that is not 1.
struct OrderCase {
  Shape a, b;
  bool swaps;
};
class AddOrder : public testing::TestWithParam<OrderCase> {};

TEST_P(AddOrder, IsOnnxRuntimes) {
  const OrderCase& c = GetParam();
  Shape sum = c.a.size() > c.b.size() ? c.a : c.b;
  for (size_t d = 1; d <= std::min(c.a.size(), c.b.size()); ++d)
    sum[sum.size() - d] = std::max(c.a[c.a.size() - d], c.b[c.b.size() - d]);
  for (const OpKind op : {OpKind::add, OpKind::mul}) {
    Net net;
    const TensorId a = net.qdq(net.input("a", c.a), "a_q", 0.5f, 7), b = net.qdq(net.input("b", c.b), "b_q", 0.25f, 9);
    net.output(net.qdq(net.node({.op = op, .name = "sum"}, {a, b}, sum), "y", 1, 0));
    run(net.graph, {fold_qdq, align_operands});
    const Node* n = find(net.graph, op);
    ASSERT_TRUE(n);
    const bool swaps = c.swaps && op == OpKind::add;  // a product is the same either way
    EXPECT_EQ(net.graph.tensor(n->inputs[0]).quant->zero_point[0], swaps ? 9 : 7);
    EXPECT_EQ(net.graph.tensor(n->inputs[1]).quant->zero_point[0], swaps ? 7 : 9);
    for (TensorId t : n->inputs) EXPECT_EQ(net.shape(t).size(), sum.size());
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, AddOrder,
    testing::Values(OrderCase{{2, 6, 5, 4}, {2, 6, 5, 4}, false}, OrderCase{{2, 6, 5, 4}, {2, 6, 1, 1}, false},
                    OrderCase{{2, 6, 1, 1}, {2, 6, 5, 4}, true}, OrderCase{{4}, {5, 4}, false},
                    OrderCase{{5, 1}, {5, 4}, true}, OrderCase{{1}, {5, 4}, true}, OrderCase{{}, {5, 4}, true},
                    OrderCase{{5, 4}, {}, false}, OrderCase{{1, 8, 1, 1}, {1, 8, 1, 1}, false},
                    OrderCase{{1, 8, 1, 1}, {1, 1}, true}, OrderCase{{1, 1}, {1, 1}, true},
                    OrderCase{{9, 1, 5}, {1, 31, 1}, false}, OrderCase{{1, 31, 1}, {9, 1, 5}, true}));

TEST(Passes, DumpsAndReportsEachPass) {
  const std::filesystem::path dir = std::filesystem::path(testing::TempDir()) / "octet_passes";
  ConvNet net;
  net.output(net.qdq(net.y, "y_q", 1, 0));
  std::vector<std::string> names;
  run_passes(net.graph, {.dump_dir = dir.string(),
                         .report = [&](const char* pass, double, const Graph&) { names.push_back(pass); }});
  EXPECT_EQ(names.size() + 2, all_passes().size());  // but forget_ranges and check_integer
  EXPECT_TRUE(std::filesystem::exists(dir / "graph_00_import.txt"));
  EXPECT_TRUE(std::filesystem::exists(dir / fmt::format("graph_{:02}_{}.txt", all_passes().size(), names.back())));
  ConvNet other;
  other.output(other.qdq(other.y, "y_q", 1, 0));
  EXPECT_THAT(error_of([&] { run_passes(other.graph, {.dump_dir = (dir / "graph_00_import.txt").string()}); }),
              HasSubstr("cannot make the folder"));
  std::filesystem::remove_all(dir);
}

TEST(Passes, WithoutFusionEveryQuantizedTensorOfTheFileStays) {
  ConvNet net;
  const TensorId c = net.qdq(net.y, "c_q", 0.5f, 1);
  net.output(net.qdq(net.node({.op = OpKind::add, .name = "add"}, {c, net.x}, {1, 2, 3, 3}), "sum_q", 1.0f, 3));
  run_passes(net.graph, {.fuse = false});
  EXPECT_EQ(count(net.graph, OpKind::add), 1);
}

}  // namespace
}  // namespace octet

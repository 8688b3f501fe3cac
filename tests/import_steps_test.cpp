// ONNX operators that the importer puts together from others: what they become.
#include <gtest/gtest.h>

#include "tests/support/onnx_builder.h"

namespace octet::test {
namespace {

using Ops = std::vector<OpKind>;
using enum OpKind;

Ops ops_of(const Graph& g) {
  Ops ops;
  for (const Node& n : g.nodes) ops.push_back(n.op);
  return ops;
}

Graph graph_of(OnnxBuilder& b, const char* output = "y") {
  b.output(output);
  return b.import();
}

TEST(Steps, ComputedScalesAreArithmetic) {
  OnnxBuilder b(13);
  b.input("x", {2, 3, 4}), b.input("s", {3}), b.constant<uint8_t>("z", {3}, {0, 128, 255});
  b.node("QuantizeLinear", {"x", "s", "z"}, "y", {attr("axis", 1)});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), (Ops{reshape, div, unary, add, unary, cast})) << print(g);
  EXPECT_EQ(g.tensor(g.nodes[0].outputs[0]).shape, (Shape{3, 1}));
  const Node& clip = g.nodes[4];
  EXPECT_EQ(clip.function, Unary::clip);
  EXPECT_EQ(clip.alpha, 0);
  EXPECT_EQ(clip.beta, 255);
  EXPECT_EQ(g.tensor(g.outputs[0]).dtype, DType::u8);
  EXPECT_FALSE(g.tensor(g.outputs[0]).quant);
}

TEST(Steps, ScalesPerChannelOfActivationsAreArithmetic) {
  OnnxBuilder b(13);
  b.input("x", {2, 3, 4}, Type::INT8), b.constant<float>("s", {3}, {1, 2, 3});
  b.node("DequantizeLinear", {"x", "s"}, "y", {attr("axis", -2)});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), (Ops{cast, mul})) << print(g);
}

TEST(Steps, ScalesPerChannelOfWeightsStay) {
  OnnxBuilder b(13);
  b.constant<float>("w", {3, 2}, {1, 2, 3, 4, 5, 6}), b.constant<float>("s", {3}, {1, 2, 3});
  b.constant<int8_t>("z", {3}, {0, 0, 0});
  b.node("QuantizeLinear", {"w", "s", "z"}, "q", {attr("axis", 0)});
  b.node("DequantizeLinear", {"q", "s", "z"}, "y", {attr("axis", 0)});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), Ops{dequantize}) << print(g);
  EXPECT_EQ(g.tensor(g.nodes[0].inputs[0]).quant->axis, 0);
}

TEST(Steps, BlocksRepeatTheirScales) {
  OnnxBuilder b(21);
  b.input("x", {2, 5}), b.input("s", {2, 3});
  b.node("QuantizeLinear", {"x", "s"}, "y", {attr("axis", 1), attr("block_size", 2)});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), (Ops{gather, div, unary, unary, cast})) << print(g);
  const auto blocks = g.tensor(g.nodes[0].inputs[1]).values<int64_t>();
  EXPECT_EQ(Ints(blocks.begin(), blocks.end()), (Ints{0, 0, 1, 1, 2}));
}

TEST(Steps, SumsAreDequantizedAsTheyAre) {
  OnnxBuilder b(13);
  b.input("x", {4}, Type::INT32), b.scalar("s", 0.5F);
  b.node("DequantizeLinear", {"x", "s"}, "y");
  EXPECT_EQ(ops_of(graph_of(b)), (Ops{cast, mul}));
}

TEST(Steps, ElementsAreGatheredFromOneRow) {
  OnnxBuilder b(13);
  b.input("x", {2, 3}), b.input("i", {2, 2}, Type::INT64);
  b.node("GatherElements", {"x", "i"}, "y", {attr("axis", 1)});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), (Ops{floor_mod, mul, add, reshape, gather})) << print(g);
  const auto offsets = g.tensor(g.nodes[2].inputs[1]).values<int64_t>();
  EXPECT_EQ(Ints(offsets.begin(), offsets.end()), (Ints{0, 0, 3, 3}));
}

TEST(Steps, PoolsOverThreeAxesAreTwo) {
  OnnxBuilder b(19);
  b.input("x", {1, 2, 4, 5, 6});
  b.node("MaxPool", {"x"}, "y", {attr("kernel_shape", Ints{2, 3, 1}), attr("pads", Ints{1, 0, 0, 0, 1, 0})});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), (Ops{reshape, max_pool, reshape, max_pool, reshape})) << print(g);
  EXPECT_EQ(g.nodes[1].window, (Window{.kh = 3, .pad_bottom = 1}));
  EXPECT_EQ(g.nodes[3].window, (Window{.kh = 2, .pad_top = 1}));
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, (Shape{1, 2, 4, 4, 6}));
}

TEST(Steps, ConvolutionsOfComputedWeightsAreProducts) {
  OnnxBuilder b(13);
  b.input("x", {2, 4, 5, 6}), b.input("w", {6, 2, 3, 2}), b.input("c", {6});
  b.node("Conv", {"x", "w", "c"}, "y", {attr("group", 2), attr("pads", Ints{1, 0, 1, 0}), attr("strides", Ints{2, 1})});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), (Ops{pad, reshape, gather, reshape, reshape, matmul, reshape, reshape, add})) << print(g);
  const auto places = g.tensor(g.nodes[2].inputs[1]).values<int32_t>();
  ASSERT_EQ(places.size(), size_t{6 * 15});  // taps times outputs
  EXPECT_EQ(places[1], 1);                   // the next output
  EXPECT_EQ(places[5], 12);                  // two rows below
  EXPECT_EQ(places[15], 1);                  // the next tap
  EXPECT_EQ(places[30], 6);                  // a row below
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, (Shape{2, 6, 3, 5}));
}

TEST(Steps, MomentsOfLayersAreReductions) {
  OnnxBuilder b(17);
  b.input("x", {2, 3, 4}), b.constant<float>("k", {4}, {1, 2, 3, 4});
  b.node("LayerNormalization", {"x", "k"}, "y", {}, 3);
  const Graph g = graph_of(b, "y:2");
  EXPECT_EQ(ops_of(g), (Ops{reduce, sub, unary, reduce, add, unary})) << print(g);
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, (Shape{2, 3, 1}));
}

TEST(Steps, SizesKeepTheImagesProportions) {
  OnnxBuilder b(18);
  b.input("x", {1, 1, 6, 8});
  b.node("Resize", {"x", "", "", b.ints("z", {9, 10})}, "y",
         {attr("axes", Ints{2, 3}), attr("keep_aspect_ratio_policy", "not_larger"), attr("mode", "cubic"),
          attr("cubic_coeff_a", -0.5F), attr("exclude_outside", 1), attr("antialias", 1)});
  const Graph g = graph_of(b);
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, (Shape{1, 1, 8, 10}));
  const Resize& r = g.nodes[0].resize;
  EXPECT_EQ(r.mode, Resize::Mode::cubic);
  EXPECT_EQ(r.cubic_a, -0.5F);
  EXPECT_TRUE(r.exclude_outside && r.antialias);
}

TEST(Steps, WrappedPadsAreJoined) {
  OnnxBuilder b(19);
  b.input("x", {2, 4}, Type::INT32);
  b.node("Pad", {"x", b.ints("p", {0, 1, 0, 3})}, "y", {attr("mode", "wrap")});
  const Graph g = graph_of(b);
  EXPECT_EQ(ops_of(g), (Ops{slice, slice, concat})) << print(g);
  EXPECT_EQ(g.nodes[0].starts, (Ints{0, 3}));
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, (Shape{2, 8}));
}

}  // namespace
}  // namespace octet::test

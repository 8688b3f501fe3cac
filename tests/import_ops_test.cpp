// Every plain op: output shapes, and attributes in all the forms that opsets gave them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/onnx_builder.h"

namespace octet::test {
namespace {

// One op on x; its result is the graph's output "y".
struct OpCase {
  const char* name;
  int64_t opset;
  Ints x;
  void (*build)(OnnxBuilder& b);  // adds the node "y"
  Shape shape;
  OpKind op;
};

class Op : public testing::TestWithParam<OpCase> {};

TEST_P(Op, HasThatShape) {
  const OpCase& c = GetParam();
  OnnxBuilder b(c.opset);
  b.input("x", c.x);
  c.build(b);
  b.output("y");
  const Graph g = b.import();
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, c.shape);
  EXPECT_EQ(g.nodes.back().op, c.op) << print(g);
}

const Ints kSquare = {1, 3, 7, 7};

void pool(OnnxBuilder& b, const char* op, std::vector<Attr> attributes) {
  attributes.push_back(attr("kernel_shape", Ints{3, 3}));
  b.node(op, {"x"}, "y", attributes);
}

void conv(OnnxBuilder& b, std::vector<Attr> attributes) {
  b.constant<float>("w", {2, 3, 3, 3}, Floats(54, 1));
  b.node("Conv", {"x", "w"}, "y", attributes);
}

INSTANTIATE_TEST_SUITE_P(
    Windows, Op,
    testing::Values(OpCase{"Conv", 10, kSquare, [](OnnxBuilder& b) { conv(b, {}); }, {1, 2, 5, 5}, OpKind::conv},
                    OpCase{"ConvSameUpper",
                           17,
                           kSquare,
                           [](OnnxBuilder& b) {
                             conv(b, {attr("auto_pad", "SAME_UPPER"), attr("strides", Ints{2, 3})});
                           },
                           {1, 2, 4, 3},
                           OpKind::conv},
                    OpCase{"ConvValid",
                           17,
                           kSquare,
                           [](OnnxBuilder& b) {
                             conv(b, {attr("auto_pad", "VALID"), attr("strides", Ints{2, 2})});
                           },
                           {1, 2, 3, 3},
                           OpKind::conv},
                    OpCase{"ConvDilated",
                           17,
                           kSquare,
                           [](OnnxBuilder& b) {
                             conv(b, {attr("dilations", Ints{3, 2})});
                           },
                           {1, 2, 1, 3},
                           OpKind::conv},
                    OpCase{"Pool",
                           17,
                           kSquare,
                           [](OnnxBuilder& b) {
                             pool(b, "MaxPool", {attr("strides", Ints{3, 3})});
                           },
                           {1, 3, 2, 2},
                           OpKind::max_pool},
                    OpCase{"PoolCeil",
                           17,
                           kSquare,
                           [](OnnxBuilder& b) {
                             pool(b, "MaxPool", {attr("strides", Ints{3, 3}), attr("ceil_mode", 1)});
                           },
                           {1, 3, 3, 3},
                           OpKind::max_pool},
                    // The last window would start in the padding: it is dropped.
                    OpCase{"PoolCeilPadded",
                           17,
                           {1, 1, 4, 4},
                           [](OnnxBuilder& b) {
                             b.node("AveragePool", {"x"}, "y",
                                    {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{3, 3}),
                                     attr("pads", Ints{1, 1, 1, 1}), attr("ceil_mode", 1)});
                           },
                           {1, 1, 2, 2},
                           OpKind::average_pool},
                    OpCase{"PoolDilated",
                           17,
                           kSquare,
                           [](OnnxBuilder& b) {
                             pool(b, "MaxPool", {attr("dilations", Ints{2, 1})});
                           },
                           {1, 3, 3, 5},
                           OpKind::max_pool},
                    OpCase{"Pool1d",
                           17,
                           {2, 3, 8},
                           [](OnnxBuilder& b) { b.node("AveragePool", {"x"}, "y", {attr("kernel_shape", Ints{4})}); },
                           {2, 3, 5},
                           OpKind::average_pool},
                    OpCase{"GlobalAveragePool",
                           17,
                           {2, 3, 8},
                           [](OnnxBuilder& b) { b.node("GlobalAveragePool", {"x"}, "y"); },
                           {2, 3, 1},
                           OpKind::global_average_pool},
                    OpCase{"ReduceMeanAttribute",
                           13,
                           kSquare,
                           [](OnnxBuilder& b) {
                             b.node("ReduceMean", {"x"}, "y", {attr("axes", Ints{3, -2})});
                           },
                           {1, 3, 1, 1},
                           OpKind::global_average_pool},
                    OpCase{"ReduceMeanInput",
                           18,
                           kSquare,
                           [](OnnxBuilder& b) {
                             b.node("ReduceMean", {"x", b.ints("a", {-1, -2})}, "y", {attr("keepdims", 0)});
                           },
                           {1, 3},
                           OpKind::reshape}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Movement, Op,
    testing::Values(
        OpCase{"Flatten",
               17,
               {2, 3, 4},
               [](OnnxBuilder& b) { b.node("Flatten", {"x"}, "y", {attr("axis", -1)}); },
               {6, 4},
               OpKind::reshape},
        OpCase{"FlattenAll",
               17,
               {2, 3, 4},
               [](OnnxBuilder& b) { b.node("Flatten", {"x"}, "y", {attr("axis", 0)}); },
               {1, 24},
               OpKind::reshape},
        OpCase{"Reshape",
               17,
               {2, 3, 4},
               [](OnnxBuilder& b) {
                 b.node("Reshape", {"x", b.ints("s", {0, -1, 2})}, "y");
               },
               {2, 6, 2},
               OpKind::reshape},
        OpCase{"ReshapeAllowZero",
               18,
               {2, 3, 4},
               [](OnnxBuilder& b) {
                 b.node("Reshape", {"x", b.ints("s", {-1, 8})}, "y", {attr("allowzero", 1)});
               },
               {3, 8},
               OpKind::reshape},
        OpCase{"SqueezeAttribute",
               11,
               {1, 3, 1},
               [](OnnxBuilder& b) { b.node("Squeeze", {"x"}, "y", {attr("axes", Ints{-1})}); },
               {1, 3},
               OpKind::reshape},
        OpCase{"SqueezeInput",
               13,
               {1, 3, 1},
               [](OnnxBuilder& b) {
                 b.node("Squeeze", {"x", b.ints("a", {0})}, "y");
               },
               {3, 1},
               OpKind::reshape},
        OpCase{
            "SqueezeAll", 13, {1, 3, 1}, [](OnnxBuilder& b) { b.node("Squeeze", {"x"}, "y"); }, {3}, OpKind::reshape},
        OpCase{"UnsqueezeAttribute",
               11,
               {3},
               [](OnnxBuilder& b) {
                 b.node("Unsqueeze", {"x"}, "y", {attr("axes", Ints{2, 0})});
               },
               {1, 3, 1},
               OpKind::reshape},
        OpCase{"UnsqueezeInput",
               13,
               {3},
               [](OnnxBuilder& b) {
                 b.node("Unsqueeze", {"x", b.ints("a", {-1})}, "y");
               },
               {3, 1},
               OpKind::reshape},
        OpCase{"TransposeDefault",
               17,
               {2, 3, 4},
               [](OnnxBuilder& b) { b.node("Transpose", {"x"}, "y"); },
               {4, 3, 2},
               OpKind::transpose},
        OpCase{"Slice",
               10,
               {2, 9},
               [](OnnxBuilder& b) {
                 b.node("Slice", {"x", b.ints("s", {-7}), b.ints("e", {INT64_MAX}), b.ints("a", {1}), b.ints("t", {3})},
                        "y");
               },
               {2, 3},
               OpKind::slice},
        OpCase{"SliceBackwards",
               17,
               {2, 9},
               [](OnnxBuilder& b) {
                 b.node("Slice",
                        {"x", b.ints("s", {-1}), b.ints("e", {INT64_MIN}), b.ints("a", {-1}), b.ints("t", {-2})}, "y");
               },
               {2, 5},
               OpKind::slice},
        OpCase{"SplitAttribute",
               11,
               {2, 5},
               [](OnnxBuilder& b) {
                 b.node("Split", {"x"}, "s", {attr("axis", 1), attr("split", Ints{2, 3})}, 2);
                 b.node("Relu", {"s:1"}, "y");
               },
               {2, 3},
               OpKind::unary},
        OpCase{"SplitInput",
               13,
               {2, 5},
               [](OnnxBuilder& b) {
                 b.node("Split", {"x", b.ints("p", {4, 1})}, "s", {attr("axis", 1)}, 2);
                 b.node("Relu", {"s:1"}, "y");
               },
               {2, 1},
               OpKind::unary},
        OpCase{"SplitUneven",
               18,
               {2, 5},
               [](OnnxBuilder& b) {
                 b.node("Split", {"x"}, "s", {attr("axis", 1), attr("num_outputs", 2)}, 2);
                 b.node("Relu", {"s:1"}, "y");
               },
               {2, 2},
               OpKind::unary},
        OpCase{"PadAttribute",
               10,
               {2, 5},
               [](OnnxBuilder& b) {
                 b.node("Pad", {"x"}, "y", {attr("pads", Ints{0, 1, 2, 3}), attr("value", 0.5F)});
               },
               {4, 9},
               OpKind::pad},
        OpCase{"PadAxes",
               18,
               {2, 5},
               [](OnnxBuilder& b) {
                 b.node("Pad", {"x", b.ints("p", {1, 2}), "", b.ints("a", {-1})}, "y");
               },
               {2, 8},
               OpKind::pad},
        OpCase{"Concat",
               17,
               {2, 5},
               [](OnnxBuilder& b) {
                 b.node("Concat", {"x", "x", "x"}, "y", {attr("axis", -1)});
               },
               {2, 15},
               OpKind::concat},
        OpCase{"Dropout",
               11,
               {2, 5},
               [](OnnxBuilder& b) {
                 b.node("Relu", {"x"}, "r");
                 b.node("Dropout", {"r"}, "y", {attr("ratio", 0.5F)});
               },
               {2, 5},
               OpKind::unary}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Elementwise, Op,
    testing::Values(OpCase{"BroadcastChannels",
                           17,
                           {2, 3, 4, 4},
                           [](OnnxBuilder& b) {
                             b.constant<float>("k", {3, 1, 1}, {1, 2, 3});
                             b.node("Mul", {"k", "x"}, "y");
                           },
                           {2, 3, 4, 4},
                           OpKind::mul},
                    OpCase{"BroadcastBoth",
                           17,
                           {2, 1, 4},
                           [](OnnxBuilder& b) {
                             b.constant<float>("k", {3, 1}, {1, 2, 3});
                             b.node("Sub", {"x", "k"}, "y");
                           },
                           {2, 3, 4},
                           OpKind::sub},
                    OpCase{"BatchNormalization",
                           14,
                           {2, 3, 4},
                           [](OnnxBuilder& b) {
                             b.constant<float>("k", {3}, {1, 2, 3});
                             b.node("BatchNormalization", {"x", "k", "k", "k", "k"}, "y",
                                    {attr("momentum", 0.9F), attr("training_mode", 0)});
                           },
                           {2, 3, 4},
                           OpKind::batch_norm},
                    OpCase{"SoftmaxOneAxis",
                           11,
                           {2, 10},
                           [](OnnxBuilder& b) { b.node("Softmax", {"x"}, "y"); },
                           {2, 10},
                           OpKind::softmax},
                    OpCase{"SoftmaxOldButFlat",
                           11,
                           {2, 10, 1, 1},
                           [](OnnxBuilder& b) { b.node("Softmax", {"x"}, "y"); },
                           {2, 10, 1, 1},
                           OpKind::softmax},
                    OpCase{"SoftmaxOldOverTwoAxes",
                           11,
                           {2, 3, 5},
                           [](OnnxBuilder& b) { b.node("Softmax", {"x"}, "y"); },
                           {2, 3, 5},
                           OpKind::reshape},
                    OpCase{"SoftmaxNew",
                           13,
                           {2, 3, 5},
                           [](OnnxBuilder& b) { b.node("Softmax", {"x"}, "y"); },
                           {2, 3, 5},
                           OpKind::softmax},
                    OpCase{"Gelu",
                           20,
                           {7},
                           [](OnnxBuilder& b) { b.node("Gelu", {"x"}, "y", {attr("approximate", "none")}); },
                           {7},
                           OpKind::unary},
                    OpCase{"Scalar", 17, {}, [](OnnxBuilder& b) { b.node("Neg", {"x"}, "y"); }, {}, OpKind::unary}),
    [](const auto& info) { return info.param.name; });

TEST(ImportOps, AttributesArrive) {
  OnnxBuilder b(17);
  b.input("x", {1, 2, 6, 6});
  b.node("Slice", {"x", b.ints("s", {4}), b.ints("e", {0}), b.ints("a", {2}), b.ints("t", {-2})}, "slice");
  b.node("Pad", {"x", b.ints("p", {0, 0, 1, 2, 0, 0, 3, 4}), b.scalar("v", -1.5F)}, "pad");
  b.node("HardSigmoid", {"x"}, "hard");
  b.node("LeakyRelu", {"x"}, "leaky", {attr("alpha", 0.3F)});
  b.node("Elu", {"x"}, "elu");
  b.node("MaxPool", {"x"}, "same",
         {attr("kernel_shape", Ints{2, 3}), attr("strides", Ints{1, 2}), attr("auto_pad", "SAME_LOWER")});
  for (const char* name : {"slice", "pad", "hard", "leaky", "elu", "same"}) b.output(name);
  const Graph g = b.import();
  EXPECT_EQ(g.nodes[0].starts, (Ints{0, 0, 4, 0}));
  EXPECT_EQ(g.nodes[0].steps, (Ints{1, 1, -2, 1}));
  EXPECT_EQ(g.nodes[1].pads, (Ints{0, 0, 1, 2, 0, 0, 3, 4}));
  EXPECT_EQ(g.nodes[1].alpha, -1.5F);
  EXPECT_EQ(g.nodes[2].alpha, 0.2F);
  EXPECT_EQ(g.nodes[2].beta, 0.5F);
  EXPECT_EQ(g.nodes[3].alpha, 0.3F);
  EXPECT_EQ(g.nodes[4].alpha, 1.0F);
  // 6 rows by 1: one pad above; 3 columns by 2 over 6: one pad, on the left.
  EXPECT_EQ(g.nodes[5].window, (Window{.kh = 2, .kw = 3, .stride_w = 2, .pad_top = 1, .pad_left = 1}));
}

struct ClipCase {
  const char* name;
  int64_t opset;
  void (*build)(OnnxBuilder& b);
  float lo, hi;
};

class Clip : public testing::TestWithParam<ClipCase> {};

TEST_P(Clip, HasThatRange) {
  OnnxBuilder b(GetParam().opset);
  b.input("x", {3});
  GetParam().build(b);
  b.output("y");
  const Graph g = b.import();
  EXPECT_EQ(g.nodes[0].function, Unary::clip);
  EXPECT_EQ(g.nodes[0].alpha, GetParam().lo);
  EXPECT_EQ(g.nodes[0].beta, GetParam().hi);
}

INSTANTIATE_TEST_SUITE_P(
    ImportOps, Clip,
    testing::Values(ClipCase{"Attributes", 10,
                             [](OnnxBuilder& b) {
                               b.node("Clip", {"x"}, "y", {attr("min", 0.0F), attr("max", 6.0F)});
                             },
                             0, 6},
                    ClipCase{"AttributeMin", 10,
                             [](OnnxBuilder& b) { b.node("Clip", {"x"}, "y", {attr("min", -1.0F)}); }, -1, INFINITY},
                    ClipCase{"Inputs", 11,
                             [](OnnxBuilder& b) {
                               b.node("Clip", {"x", b.scalar("l", 0), b.scalar("h", 6)}, "y");
                             },
                             0, 6},
                    ClipCase{"InputMax", 13,
                             [](OnnxBuilder& b) {
                               b.node("Clip", {"x", "", b.scalar("h", 6)}, "y");
                             },
                             -INFINITY, 6},
                    ClipCase{"Nothing", 13, [](OnnxBuilder& b) { b.node("Clip", {"x"}, "y"); }, -INFINITY, INFINITY}),
    [](const auto& info) { return info.param.name; });

TEST(ImportOps, EverySupportedOpIsListed) {
  const auto ops = supported_onnx_ops();
  EXPECT_TRUE(std::is_sorted(ops.begin(), ops.end()));
  for (const char* op : {"Conv", "QLinearConv", "Gemm", "com.microsoft.QGemm", "DequantizeLinear", "Split"})
    EXPECT_NE(std::find(ops.begin(), ops.end(), op), ops.end()) << op;
}

}  // namespace
}  // namespace octet::test

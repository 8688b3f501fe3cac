// Every plain op: output shapes, attributes in all the forms that opsets gave them, and folding.
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

#define BUILD [](OnnxBuilder & b)
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
    testing::Values(
        OpCase{"Conv", 10, kSquare, BUILD { conv(b, {});
}  // namespace
, {1, 2, 5, 5}, OpKind::conv
}  // namespace octet::test
, OpCase{"ConvSameUpper", 17, kSquare, BUILD{conv(b, {attr("auto_pad", "SAME_UPPER"), attr("strides", Ints{2, 3})});
}
, {1, 2, 4, 3}, OpKind::conv
}
, OpCase{"ConvValid", 17, kSquare, BUILD{conv(b, {attr("auto_pad", "VALID"), attr("strides", Ints{2, 2})});
}
, {1, 2, 3, 3}, OpKind::conv
}
, OpCase{"ConvDilated", 17, kSquare, BUILD{conv(b, {attr("dilations", Ints{3, 2})});
}
, {1, 2, 1, 3}, OpKind::conv
}
, OpCase{"Pool", 17, kSquare, BUILD{pool(b, "MaxPool", {attr("strides", Ints{3, 3})});
}
, {1, 3, 2, 2}, OpKind::max_pool
}
, OpCase{"PoolCeil", 17, kSquare, BUILD{pool(b, "MaxPool", {attr("strides", Ints{3, 3}), attr("ceil_mode", 1)});
}
, {1, 3, 3, 3}, OpKind::max_pool
}
,
    // The last window would start in the padding: it is dropped.
    OpCase{"PoolCeilPadded", 17, {1, 1, 4, 4},
           BUILD{b.node("AveragePool", {"x"}, "y",
                        {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{3, 3}), attr("pads", Ints{1, 1, 1, 1}),
                         attr("ceil_mode", 1)});
}
, {1, 1, 2, 2}, OpKind::average_pool
}
, OpCase{"PoolDilated", 17, kSquare, BUILD{pool(b, "MaxPool", {attr("dilations", Ints{2, 1})});
}
, {1, 3, 3, 5}, OpKind::max_pool
}
, OpCase{"Pool1d", 17, {2, 3, 8}, BUILD{b.node("AveragePool", {"x"}, "y", {attr("kernel_shape", Ints{4})});
}
, {2, 3, 5}, OpKind::average_pool
}
, OpCase{"GlobalAveragePool", 17, {2, 3, 8}, BUILD{b.node("GlobalAveragePool", {"x"}, "y");
}
, {2, 3, 1}, OpKind::global_average_pool
}
, OpCase{"ReduceMeanAttribute", 13, kSquare, BUILD{b.node("ReduceMean", {"x"}, "y", {attr("axes", Ints{3, -2})});
}
, {1, 3, 1, 1}, OpKind::global_average_pool
}
, OpCase{"ReduceMeanInput", 18, kSquare,
         BUILD{b.node("ReduceMean", {"x", b.ints("a", {-1, -2})}, "y", {attr("keepdims", 0)});
}
, {1, 3}, OpKind::reshape
}),
    [](const auto& info) {
  return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Movement, Op,
    testing::Values(
        OpCase{"Flatten", 17, {2, 3, 4}, BUILD { b.node("Flatten", {"x"}, "y", {attr("axis", -1)});
}
, {6, 4}, OpKind::reshape
}
, OpCase{"FlattenAll", 17, {2, 3, 4}, BUILD{b.node("Flatten", {"x"}, "y", {attr("axis", 0)});
}
, {1, 24}, OpKind::reshape
}
, OpCase{"Reshape", 17, {2, 3, 4}, BUILD{b.node("Reshape", {"x", b.ints("s", {0, -1, 2})}, "y");
}
, {2, 6, 2}, OpKind::reshape
}
, OpCase{"ReshapeAllowZero", 18, {2, 3, 4},
         BUILD{b.node("Reshape", {"x", b.ints("s", {-1, 8})}, "y", {attr("allowzero", 1)});
}
, {3, 8}, OpKind::reshape
}
, OpCase{"SqueezeAttribute", 11, {1, 3, 1}, BUILD{b.node("Squeeze", {"x"}, "y", {attr("axes", Ints{-1})});
}
, {1, 3}, OpKind::reshape
}
, OpCase{"SqueezeInput", 13, {1, 3, 1}, BUILD{b.node("Squeeze", {"x", b.ints("a", {0})}, "y");
}
, {3, 1}, OpKind::reshape
}
, OpCase{"SqueezeAll", 13, {1, 3, 1}, BUILD{b.node("Squeeze", {"x"}, "y");
}
, {3}, OpKind::reshape
}
, OpCase{"UnsqueezeAttribute", 11, {3}, BUILD{b.node("Unsqueeze", {"x"}, "y", {attr("axes", Ints{2, 0})});
}
, {1, 3, 1}, OpKind::reshape
}
, OpCase{"UnsqueezeInput", 13, {3}, BUILD{b.node("Unsqueeze", {"x", b.ints("a", {-1})}, "y");
}
, {3, 1}, OpKind::reshape
}
, OpCase{"TransposeDefault", 17, {2, 3, 4}, BUILD{b.node("Transpose", {"x"}, "y");
}
, {4, 3, 2}, OpKind::transpose
}
, OpCase{"Slice", 10, {2, 9},
         BUILD{b.node("Slice", {"x", b.ints("s", {-7}), b.ints("e", {INT64_MAX}), b.ints("a", {1}), b.ints("t", {3})},
                      "y");
}
, {2, 3}, OpKind::slice
}
, OpCase{"SliceBackwards", 17, {2, 9},
         BUILD{b.node("Slice", {"x", b.ints("s", {-1}), b.ints("e", {INT64_MIN}), b.ints("a", {-1}), b.ints("t", {-2})},
                      "y");
}
, {2, 5}, OpKind::slice
}
, OpCase{"SplitAttribute", 11, {2, 5},
         BUILD{b.node("Split", {"x"}, "s", {attr("axis", 1), attr("split", Ints{2, 3})}, 2);
b.node("Relu", {"s:1"}, "y");
}
, {2, 3}, OpKind::unary
}
, OpCase{"SplitInput", 13, {2, 5}, BUILD{b.node("Split", {"x", b.ints("p", {4, 1})}, "s", {attr("axis", 1)}, 2);
b.node("Relu", {"s:1"}, "y");
}
, {2, 1}, OpKind::unary
}
, OpCase{"SplitUneven", 18, {2, 5}, BUILD{b.node("Split", {"x"}, "s", {attr("axis", 1), attr("num_outputs", 2)}, 2);
b.node("Relu", {"s:1"}, "y");
}
, {2, 2}, OpKind::unary
}
, OpCase{"PadAttribute", 10, {2, 5},
         BUILD{b.node("Pad", {"x"}, "y", {attr("pads", Ints{0, 1, 2, 3}), attr("value", 0.5F)});
}
, {4, 9}, OpKind::pad
}
, OpCase{"PadAxes", 18, {2, 5}, BUILD{b.node("Pad", {"x", b.ints("p", {1, 2}), "", b.ints("a", {-1})}, "y");
}
, {2, 8}, OpKind::pad
}
, OpCase{"Concat", 17, {2, 5}, BUILD{b.node("Concat", {"x", "x", "x"}, "y", {attr("axis", -1)});
}
, {2, 15}, OpKind::concat
}
, OpCase{"Dropout", 11, {2, 5}, BUILD{b.node("Relu", {"x"}, "r");
b.node("Dropout", {"r"}, "y", {attr("ratio", 0.5F)});
}
, {2, 5}, OpKind::unary
}),
    [](const auto& info) {
  return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Elementwise, Op,
    testing::Values(
        OpCase{"BroadcastChannels", 17, {2, 3, 4, 4}, BUILD { b.constant<float>("k", {3, 1, 1}, {1, 2, 3}); b.node("Mul", {"k", "x"}, "y");
}
, {2, 3, 4, 4}, OpKind::mul
}
, OpCase{"BroadcastBoth", 17, {2, 1, 4}, BUILD{b.constant<float>("k", {3, 1}, {1, 2, 3});
b.node("Sub", {"x", "k"}, "y");
}
, {2, 3, 4}, OpKind::sub
}
, OpCase{"BatchNormalization", 14, {2, 3, 4}, BUILD{b.constant<float>("k", {3}, {1, 2, 3});
b.node("BatchNormalization", {"x", "k", "k", "k", "k"}, "y", {attr("momentum", 0.9F), attr("training_mode", 0)});
}
, {2, 3, 4}, OpKind::batch_norm
}
, OpCase{"SoftmaxOneAxis", 11, {2, 10}, BUILD{b.node("Softmax", {"x"}, "y");
}
, {2, 10}, OpKind::softmax
}
, OpCase{"SoftmaxOldButFlat", 11, {2, 10, 1, 1}, BUILD{b.node("Softmax", {"x"}, "y");
}
, {2, 10, 1, 1}, OpKind::softmax
}
, OpCase{"SoftmaxOldOverTwoAxes", 11, {2, 3, 5}, BUILD{b.node("Softmax", {"x"}, "y");
}
, {2, 3, 5}, OpKind::reshape
}
, OpCase{"SoftmaxNew", 13, {2, 3, 5}, BUILD{b.node("Softmax", {"x"}, "y");
}
, {2, 3, 5}, OpKind::softmax
}
, OpCase{"Gelu", 20, {7}, BUILD{b.node("Gelu", {"x"}, "y", {attr("approximate", "none")});
}
, {7}, OpKind::unary
}
, OpCase{"Scalar", 17, {}, BUILD{b.node("Neg", {"x"}, "y");
}
, {}, OpKind::unary
}),
    [](const auto& info) {
  return info.param.name; });

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
    testing::Values(ClipCase{"Attributes", 10, BUILD { b.node("Clip", {"x"}, "y", {attr("min", 0.0F), attr("max", 6.0F)});
}
, 0, 6
}
, ClipCase{"AttributeMin", 10, BUILD{b.node("Clip", {"x"}, "y", {attr("min", -1.0F)});
}
, -1, INFINITY
}
, ClipCase{"Inputs", 11, BUILD{b.node("Clip", {"x", b.scalar("l", 0), b.scalar("h", 6)}, "y");
}
, 0, 6
}
, ClipCase{"InputMax", 13, BUILD{b.node("Clip", {"x", "", b.scalar("h", 6)}, "y");
}
, -INFINITY, 6
}
, ClipCase{"Nothing", 13, BUILD{b.node("Clip", {"x"}, "y");
}
, -INFINITY, INFINITY
}),
    [](const auto& info) {
  return info.param.name; });

// --- folding: the value is the target of a Reshape of 24 elements

struct FoldCase {
  const char* name;
  void (*build)(OnnxBuilder& b);  // makes "t" from x of shape 2, 3, 4
  Shape shape;
};

class Fold : public testing::TestWithParam<FoldCase> {};

TEST_P(Fold, GivesThatTarget) {
  OnnxBuilder b(17);
  b.input("x", {-1, 3, 4});
  GetParam().build(b);
  b.output(b.node("Reshape", {"x", "t"}, "y"));
  const Graph g = b.import({.batch = 2});
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, GetParam().shape);
  EXPECT_EQ(g.nodes.size(), 1U) << print(g);
}

INSTANTIATE_TEST_SUITE_P(
    ImportOps, Fold,
    testing::Values(
        FoldCase{"Shape", BUILD { b.node("Shape", {"x"}, "t");
}
, {
  2, 3, 4
}
}
, FoldCase{"ShapePart", BUILD{b.node("Concat", {b.node("Shape", {"x"}, "a", {attr("start", -1)}), b.ints("r", {-1})},
                                     "t", {attr("axis", 0)});
}
, {
  4, 6
}
}
, FoldCase{"GatherUnsqueezeConcat",
           BUILD{b.node("Gather", {b.node("Shape", {"x"}, "a"), b.constant<int64_t>("i", {}, {0})}, "g");
b.node("Concat", {b.node("Unsqueeze", {"g", b.ints("z", {0})}, "u"), b.ints("r", {-1})}, "t", {attr("axis", 0)});
}
, {
  2, 12
}
}
, FoldCase{"GatherBackwards", BUILD{b.node("Gather", {b.node("Shape", {"x"}, "a"), b.ints("i", {-1, 0, 1})}, "t");
}
, {
  4, 2, 3
}
}
, FoldCase{"SliceReversed", BUILD{b.node("Slice",
                                         {b.node("Shape", {"x"}, "a"), b.ints("s", {-1}), b.ints("e", {INT64_MIN}),
                                          b.ints("z", {0}), b.ints("p", {-1})},
                                         "t");
}
, {
  4, 3, 2
}
}
, FoldCase{"Arithmetic", BUILD{b.node("Mul", {b.node("Shape", {"x"}, "a"), b.ints("two", {2})}, "m");  // 4 6 8
b.node("Sub", {"m", b.ints("c", {2, 5, 0})}, "s");                                                     // 2 1 8
b.node("Div", {"s", b.ints("d", {2, 1, 4})}, "q");                                                     // 1 1 2
b.node("Add", {"q", b.ints("e", {3, 2, 0})}, "t");
}
, {
  4, 3, 2
}
}
, FoldCase{"Casts", BUILD{b.node("Cast",
                                 {
                                     b.node("Shape", {"x"}, "a"),
                                 },
                                 "f", {attr("to", int{Type::FLOAT})});
b.node("Mul", {"f", b.scalar("h", 0.5F)}, "h2");  // 1 1.5 2
b.node("Concat", {b.node("Cast", {"h2"}, "c", {attr("to", int{Type::INT64})}), b.ints("r", {-1})}, "t",
       {attr("axis", 0)});
}
, {
  1, 1, 2, 12
}
}
, FoldCase{"ConstantOfShape",
           BUILD{b.node("ConstantOfShape", {b.ints("n", {2})}, "c", {Attr{"value", tensor<int64_t>("", {1}, {12})}});
b.node("Div", {"c", b.ints("d", {1, 6})}, "t");
}
, {
  12, 2
}
}
, FoldCase{"Range", BUILD{b.node("Range",
                                 {b.constant<int64_t>("s", {}, {4}), b.constant<int64_t>("l", {}, {1}),
                                  b.constant<int64_t>("d", {}, {-1})},
                                 "t");
}
, {
  4, 3, 2
}
}
, FoldCase{"Expand", BUILD{b.node("Expand", {b.ints("o", {1}), b.ints("n", {3})}, "c");
b.node("Mul", {"c", b.ints("d", {2, 2, 6})}, "t");
}
, {
  2, 2, 6
}
}
, FoldCase{"SplitSqueeze", BUILD{b.node("Split", {b.node("Shape", {"x"}, "a")}, "p", {}, 3);
b.node("Concat", {"p:2", b.ints("r", {-1}), "p:0"}, "t", {attr("axis", 0)});
}
, {
  4, 3, 2
}
}
, FoldCase{"ConstantAttributes", BUILD{b.node("Constant", {}, "t", {attr("value_ints", Ints{24})});
}
, {
  24
}
}
, FoldCase{"TransposeReshape", BUILD{b.constant<int64_t>("m", {2, 2}, {2, 3, 4, 1});
b.node("Reshape", {b.node("Transpose", {"m"}, "mt"), b.ints("n", {-1})}, "t");
}
, {
  2, 4, 3, 1
}
}),
    [](const auto& info) {
  return info.param.name; });

// Weights go through layout changes and float arithmetic at import.
TEST(ImportOps, FloatConstantsFold) {
  OnnxBuilder b(17);
  b.input("x", {2, 2});
  b.constant<float>("k", {4}, {1, 2, 3, 4});
  b.node("Transpose", {b.node("Reshape", {"k", b.ints("s", {2, 2})}, "r")}, "t");
  b.node("Div", {"t", b.scalar("d", 2)}, "h");
  b.output(b.node("Add", {"x", "h"}, "y"));
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 1U);
  const auto v = g.tensor(g.nodes[0].inputs[1]).values<float>();
  EXPECT_EQ(Floats(v.begin(), v.end()), (Floats{0.5F, 1.5F, 1, 2}));
}

TEST(ImportOps, BatchNormParametersAreDequantized) {
  OnnxBuilder b(17);
  b.input("x", {1, 3, 2, 2});
  const auto scale = b.dequantize<uint8_t>(b.constant<uint8_t>("q", {3}, {0, 128, 255}), 0.1F, 3, "scale");
  b.constant<float>("k", {3}, {1, 2, 3});
  b.output(b.node("BatchNormalization", {"x", scale, "k", "k", "k"}, "y", {attr("epsilon", 0.5F)}));
  const Graph g = b.import();
  const Node& n = find(g, OpKind::batch_norm);
  const auto v = g.tensor(n.inputs[1]).values<float>();
  EXPECT_EQ(Floats(v.begin(), v.end()), (Floats{-3 * 0.1F, 125 * 0.1F, 252 * 0.1F}));
  EXPECT_EQ(n.alpha, 0.5F);
  EXPECT_EQ(g.nodes.size(), 1U);
}

TEST(ImportOps, EverySupportedOpIsListed) {
  const auto ops = supported_onnx_ops();
  EXPECT_TRUE(std::is_sorted(ops.begin(), ops.end()));
  for (const char* op : {"Conv", "QLinearConv", "Gemm", "com.microsoft.QGemm", "DequantizeLinear", "Split"})
    EXPECT_NE(std::find(ops.begin(), ops.end(), op), ops.end()) << op;
}

}  // namespace
}  // namespace octet::test

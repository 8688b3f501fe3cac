// Ops that have no integer form of their own, and those that the importer spells out in others: shapes, and attributes
// in the forms that opsets gave them; what computes shapes, folded.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/onnx_builder.h"

namespace octet::test {
namespace {

struct OpCase {
  const char* name;
  int64_t opset;
  Ints x;
  void (*build)(OnnxBuilder& b);  // adds the node "y"
  Shape shape;
  OpKind op;  // of the last node
  size_t nodes = 1;
};

void PrintTo(const OpCase& c, std::ostream* out) {
  *out << c.name;
}

class MoreOps : public testing::TestWithParam<OpCase> {};

TEST_P(MoreOps, HasThatShape) {
  const OpCase& c = GetParam();
  OnnxBuilder b(c.opset);
  b.input("x", c.x);
  c.build(b);
  b.output("y");
  const Graph g = b.import();
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, c.shape);
  EXPECT_EQ(g.nodes.back().op, c.op) << print(g);
  EXPECT_EQ(g.nodes.size(), c.nodes) << print(g);
}

const auto kName = [](const auto& info) { return info.param.name; };

void constant(OnnxBuilder& b, const Ints& dims, const char* name = "k") {
  b.constant<float>(name, dims, Floats(static_cast<size_t>(element_count(dims)), 0.5F));
}

INSTANTIATE_TEST_SUITE_P(
    Arithmetic, MoreOps,
    testing::Values(
        OpCase{"MaxOfThree",
               13,
               {2, 3},
               [](OnnxBuilder& b) {
                 constant(b, {3}), b.node("Max", {"x", "k", "x"}, "y");
               },
               {2, 3},
               OpKind::maximum,
               2},
        OpCase{"MinBroadcasts",
               13,
               {2, 1},
               [](OnnxBuilder& b) {
                 constant(b, {4}), b.node("Min", {"x", "k"}, "y");
               },
               {2, 4},
               OpKind::minimum},
        OpCase{"Sum",
               13,
               {2},
               [](OnnxBuilder& b) {
                 b.node("Sum", {"x", "x"}, "y");
               },
               {2},
               OpKind::add},
        OpCase{"PowOfAnotherType",
               13,
               {2},
               [](OnnxBuilder& b) {
                 b.node("Pow", {"x", b.ints("e", {2})}, "y");
               },
               {2},
               OpKind::pow},
        OpCase{"PRelu",
               16,
               {2, 3, 4},
               [](OnnxBuilder& b) {
                 constant(b, {3, 1}), b.node("PRelu", {"x", "k"}, "y");
               },
               {2, 3, 4},
               OpKind::prelu},
        OpCase{"Where",
               16,
               {2, 3},
               [](OnnxBuilder& b) {
                 b.node("Cast", {b.ints("c0", {1, 0, 2})}, "c", {attr("to", int{Type::BOOL})}), b.scalar("z", 0);
                 b.node("Where", {"c", "x", "z"}, "y");
               },
               {2, 3},
               OpKind::where},
        OpCase{"WhereLess",
               16,
               {2, 3},
               [](OnnxBuilder& b) {
                 constant(b, {}), b.node("Less", {"x", "k"}, "c"), b.node("Where", {"c", "x", "k"}, "y");
               },
               {2, 3},
               OpKind::where,
               2},
        OpCase{"ClipComputed",
               13,
               {2, 3},
               [](OnnxBuilder& b) {
                 b.node("ReduceMin", {"x"}, "l", {attr("keepdims", 0)}), b.node("Clip", {"x", "l"}, "y");
               },
               {2, 3},
               OpKind::maximum,
               2},
        OpCase{"GeluByTanh",
               20,
               {3},
               [](OnnxBuilder& b) { b.node("Gelu", {"x"}, "y", {attr("approximate", "tanh")}); },
               {3},
               OpKind::mul,
               9},
        OpCase{"Round", 11, {3}, [](OnnxBuilder& b) { b.node("Round", {"x"}, "y"); }, {3}, OpKind::unary},
        OpCase{"ExpandRank",
               13,
               {3, 1},
               [](OnnxBuilder& b) {
                 b.node("Expand", {"x", b.ints("s", {2, 3, 4})}, "y");
               },
               {2, 3, 4},
               OpKind::expand,
               2},
        OpCase{"Tile",
               13,
               {3, 1},
               [](OnnxBuilder& b) {
                 b.node("Tile", {"x", b.ints("r", {2, 4})}, "y");
               },
               {6, 4},
               OpKind::tile},
        OpCase{"Gather",
               13,
               {5, 2},
               [](OnnxBuilder& b) {
                 b.node("Gather", {"x", b.constant<int64_t>("i", {1, 3}, {-1, 0, 4})}, "y");
               },
               {1, 3, 2},
               OpKind::gather},
        OpCase{"GatherND",
               13,
               {5, 2},
               [](OnnxBuilder& b) {
                 b.node("GatherND", {"x", b.constant<int64_t>("i", {3, 2}, {-1, 0, 4, 1, 0, 0})}, "y");
               },
               {3},
               OpKind::gather_nd}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Reductions, MoreOps,
    testing::Values(OpCase{"SumAttribute",
                           11,
                           {2, 3, 4},
                           [](OnnxBuilder& b) {
                             b.node("ReduceSum", {"x"}, "y", {attr("axes", Ints{-1}), attr("keepdims", 0)});
                           },
                           {2, 3},
                           OpKind::reduce},
                    OpCase{"SumInput",
                           13,
                           {2, 3, 4},
                           [](OnnxBuilder& b) {
                             b.node("ReduceSum", {"x", b.ints("a", {0, 2})}, "y");
                           },
                           {1, 3, 1},
                           OpKind::reduce},
                    OpCase{"MaxOverAll",
                           13,
                           {2, 3},
                           [](OnnxBuilder& b) { b.node("ReduceMax", {"x"}, "y", {attr("keepdims", 0)}); },
                           {},
                           OpKind::reduce},
                    OpCase{"MeanOverChannels",
                           18,
                           {2, 3, 4, 5},
                           [](OnnxBuilder& b) {
                             b.node("ReduceMean", {"x", b.ints("a", {1})}, "y", {attr("keepdims", 0)});
                           },
                           {2, 4, 5},
                           OpKind::reduce},
                    OpCase{"SumNothing",
                           13,
                           {2, 3},
                           [](OnnxBuilder& b) {
                             b.node("Relu", {"x"}, "r"),
                                 b.node("ReduceSum", {"r"}, "y", {attr("noop_with_empty_axes", 1)});
                           },
                           {2, 3},
                           OpKind::unary},
                    OpCase{"L2",
                           13,
                           {2, 3},
                           [](OnnxBuilder& b) { b.node("ReduceL2", {"x"}, "y", {attr("axes", Ints{1})}); },
                           {2, 1},
                           OpKind::unary,
                           3},
                    OpCase{"ArgMax",
                           13,
                           {2, 3},
                           [](OnnxBuilder& b) {
                             b.node("ArgMax", {"x"}, "a", {attr("axis", -1), attr("keepdims", 0)});
                             b.node("Cast", {"a"}, "y", {attr("to", int{Type::FLOAT})});
                           },
                           {2},
                           OpKind::cast,
                           2}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Images, MoreOps,
    testing::Values(
        OpCase{"Resize10",
               10,
               {1, 2, 4, 5},
               [](OnnxBuilder& b) {
                 b.constant<float>("s", {4}, {1, 1, 2, 1.5F}), b.node("Resize", {"x", "s"}, "y");
               },
               {1, 2, 8, 7},
               OpKind::resize},
        OpCase{"ResizeScales",
               13,
               {1, 2, 4, 5},
               [](OnnxBuilder& b) {
                 b.constant<float>("s", {4}, {1, 1, 0.5F, 2}), b.node("Resize", {"x", "", "s"}, "y");
               },
               {1, 2, 2, 10},
               OpKind::resize},
        OpCase{"ResizeSizes",
               13,
               {1, 2, 4, 5},
               [](OnnxBuilder& b) {
                 b.node("Resize", {"x", "", "", b.ints("z", {1, 2, 9, 3})}, "y", {attr("mode", "linear")});
               },
               {1, 2, 9, 3},
               OpKind::resize},
        OpCase{"ResizeAxes",
               18,
               {1, 2, 4, 5},
               [](OnnxBuilder& b) {
                 b.node("Resize", {"x", "", "", b.ints("z", {9, 3})}, "y", {attr("axes", Ints{-1, 2})});
               },
               {1, 2, 3, 9},
               OpKind::resize},
        OpCase{"DepthToSpace",
               13,
               {1, 8, 2, 3},
               [](OnnxBuilder& b) {
                 b.node("DepthToSpace", {"x"}, "y", {attr("blocksize", 2), attr("mode", "CRD")});
               },
               {1, 2, 4, 6},
               OpKind::depth_to_space},
        OpCase{"SpaceToDepth",
               13,
               {1, 2, 4, 6},
               [](OnnxBuilder& b) { b.node("SpaceToDepth", {"x"}, "y", {attr("blocksize", 2)}); },
               {1, 8, 2, 3},
               OpKind::space_to_depth},
        OpCase{"ConvTranspose",
               11,
               {1, 3, 4, 5},
               [](OnnxBuilder& b) {
                 constant(b, {3, 2, 3, 3});
                 b.node(
                     "ConvTranspose", {"x", "k"}, "y",
                     {attr("strides", Ints{2, 3}), attr("pads", Ints{1, 0, 0, 1}), attr("output_padding", Ints{1, 2})});
               },
               {1, 2, 9, 16},
               OpKind::conv_transpose},
        OpCase{"ConvTransposeOutputShape",
               11,
               {1, 2, 3, 3},
               [](OnnxBuilder& b) {
                 constant(b, {2, 1, 3, 3});
                 b.node("ConvTranspose", {"x", "k"}, "y",
                        {attr("strides", Ints{2, 2}), attr("output_shape", Ints{6, 5}), attr("group", 2)});
               },
               {1, 2, 6, 5},
               OpKind::conv_transpose},
        OpCase{
            "ConvTransposeSame",
            11,
            {1, 2, 3, 3},
            [](OnnxBuilder& b) {
              constant(b, {2, 1, 3, 3});
              b.node("ConvTranspose", {"x", "k"}, "y", {attr("strides", Ints{2, 2}), attr("auto_pad", "SAME_UPPER")});
            },
            {1, 1, 6, 6},
            OpKind::conv_transpose},
        // Two slices and their groups, joined, merged, turned, images; conv; and back.
        OpCase{"Conv3d",
               11,
               {2, 4, 5, 6, 7},
               [](OnnxBuilder& b) {
                 constant(b, {6, 2, 2, 3, 3});
                 b.node("Conv", {"x", "k"}, "y", {attr("strides", Ints{2, 1, 1}), attr("group", 2)});
               },
               {2, 6, 2, 4, 5},
               OpKind::transpose,
               11}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Normalizations, MoreOps,
    testing::Values(
        OpCase{"Layer",
               17,
               {2, 3, 4},
               [](OnnxBuilder& b) {
                 constant(b, {3, 4}), b.node("LayerNormalization", {"x", "k", "k"}, "y", {attr("axis", 1)});
               },
               {2, 3, 4},
               OpKind::layer_norm},
        OpCase{"Instance",
               11,
               {2, 3, 4, 5},
               [](OnnxBuilder& b) {
                 constant(b, {3}), b.node("InstanceNormalization", {"x", "k", "k"}, "y");
               },
               {2, 3, 4, 5},
               OpKind::instance_norm},
        OpCase{"GroupsOf18",
               18,
               {2, 6, 5},
               [](OnnxBuilder& b) {
                 constant(b, {2}), b.node("GroupNormalization", {"x", "k", "k"}, "y", {attr("num_groups", 2)});
               },
               {2, 6, 5},
               OpKind::group_norm},
        OpCase{"GroupsOf21",
               21,
               {2, 6, 5},
               [](OnnxBuilder& b) {
                 constant(b, {6}), b.node("GroupNormalization", {"x", "k", "k"}, "y", {attr("num_groups", 2)});
               },
               {2, 6, 5},
               OpKind::group_norm},
        OpCase{"LogSoftmaxOld",
               11,
               {2, 3, 5},
               [](OnnxBuilder& b) { b.node("LogSoftmax", {"x"}, "y"); },
               {2, 3, 5},
               OpKind::reshape,
               3}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Products, MoreOps,
    testing::Values(
        OpCase{"DynamicQuantizeMatMul",
               17,
               {2, 3},
               [](OnnxBuilder& b) {
                 b.constant<int8_t>("w", {3, 4}, std::vector<int8_t>(12, 1)), b.scalar("s", 0.5F), constant(b, {4});
                 b.node("com.microsoft.DynamicQuantizeMatMul", {"x", "w", "s", "", "k"}, "y");
               },
               {2, 4},
               OpKind::add,
               6},
        OpCase{"MatMulInteger",
               17,
               {2, 3},
               [](OnnxBuilder& b) {
                 b.node("DynamicQuantizeLinear", {"x"}, "q", {}, 3);
                 b.constant<int8_t>("w", {3, 4}, std::vector<int8_t>(12, 1));
                 b.node("MatMulInteger", {"q:0", "w", "q:2"}, "i");
                 b.node("Cast", {"i"}, "f", {attr("to", int{Type::FLOAT})}), b.node("Mul", {"f", "q:1"}, "y");
               },
               {2, 4},
               OpKind::mul,
               4},
        OpCase{"ConvInteger",
               17,
               {1, 3, 4, 4},
               [](OnnxBuilder& b) {
                 b.node("DynamicQuantizeLinear", {"x"}, "q", {}, 3);
                 b.constant<uint8_t>("w", {2, 3, 1, 1}, std::vector<uint8_t>(6, 1));
                 b.node("ConvInteger", {"q:0", "w", "q:2"}, "i");
                 b.node("Cast", {"i"}, "y", {attr("to", int{Type::FLOAT})});
               },
               {1, 2, 4, 4},
               OpKind::cast,
               3},
        OpCase{"GemmOfActivations",
               17,
               {2, 3},
               [](OnnxBuilder& b) {
                 constant(b, {3});
                 b.node("Gemm", {"x", "x", "k"}, "y", {attr("transA", 1), attr("alpha", 0.5F), attr("beta", 2.0F)});
               },
               {3, 3},
               OpKind::add,
               4},
        OpCase{"GemmTransA",
               17,
               {2, 3},
               [](OnnxBuilder& b) {
                 constant(b, {2, 5}), b.node("Gemm", {"x", "k"}, "y", {attr("transA", 1)});
               },
               {3, 5},
               OpKind::linear,
               2}),
    kName);

TEST(MoreOps, AttributesArrive) {
  OnnxBuilder b(18);
  b.input("x", {1, 4, 6, 6});
  b.node(
      "Resize", {"x", "", "", b.ints("z", {1, 4, 12, 6})}, "resize",
      {attr("mode", "linear"), attr("coordinate_transformation_mode", "align_corners"), attr("nearest_mode", "ceil")});
  b.node("ReduceProd", {"x", b.ints("a", {-1, 1})}, "prod");
  b.node("ArgMin", {"x"}, "arg", {attr("axis", 1), attr("select_last_index", 1)});
  b.node("LayerNormalization", {"x", b.constant<float>("g", {6}, Floats(6, 1))}, "layer", {attr("epsilon", 0.25F)});
  b.constant<float>("w", {4, 1, 3, 3}, Floats(36, 1));
  b.node("ConvTranspose", {"x", "w"}, "up",
         {attr("group", 4), attr("pads", Ints{1, 2, 0, 1}), attr("dilations", Ints{2, 1})});
  for (const char* name : {"resize", "prod", "layer", "up"}) b.output(name);
  b.output(b.node("Cast", {"arg"}, "index", {attr("to", int{Type::FLOAT})}));
  const Graph g = b.import();
  const Resize& resize = g.nodes[0].resize;
  EXPECT_EQ(resize.mode, Resize::Mode::linear);
  EXPECT_EQ(resize.coordinates, Resize::Coordinates::align_corners);
  EXPECT_EQ(resize.nearest, Resize::Nearest::ceil);
  EXPECT_TRUE(resize.scales.empty());
  EXPECT_EQ(g.nodes[1].reduction, Reduction::prod);
  EXPECT_EQ(g.nodes[1].axes, (Ints{1, 3}));
  const Node& arg = find(g, OpKind::arg);
  EXPECT_EQ(arg.axis, 1);
  EXPECT_TRUE(arg.select_last);
  EXPECT_EQ(arg.reduction, Reduction::min);
  EXPECT_EQ(g.tensor(arg.outputs[0]).dtype, DType::s64);
  EXPECT_EQ(find(g, OpKind::layer_norm).alpha, 0.25F);
  EXPECT_EQ(find(g, OpKind::layer_norm).axis, 3);
  EXPECT_EQ(find(g, OpKind::conv_transpose).window,
            (Window{.kh = 3, .kw = 3, .dilation_h = 2, .pad_top = 1, .pad_left = 2, .pad_bottom = 0, .pad_right = 1}));
}

// SAME_UPPER keeps more of the result's end, everything else more of its start.
TEST(MoreOps, TransposedConvolutionsCropAsTheirModeSays) {
  for (const bool upper : {true, false}) {
    OnnxBuilder b(11);
    b.input("x", {1, 1, 3});
    constant(b, {1, 1, 4});
    std::vector<Attr> attributes = {attr("strides", Ints{2}), attr("output_shape", Ints{5})};
    if (upper) attributes.push_back(attr("auto_pad", "SAME_UPPER"));
    b.output(b.node("ConvTranspose", {"x", "k"}, "y", attributes));
    const Window w = find(b.import(), OpKind::conv_transpose).window;  // 8 in all
    EXPECT_EQ(w.pad_left, upper ? 1 : 2);
    EXPECT_EQ(w.pad_right, upper ? 2 : 1);
  }
}

TEST(MoreOps, GroupsRepeatTheirParameters) {
  OnnxBuilder b(18);
  b.input("x", {2, 4, 5});
  b.constant<float>("g", {2}, {1, 2}), b.constant<float>("h", {2}, {3, 4});
  b.output(b.node("GroupNormalization", {"x", "g", "h"}, "y", {attr("num_groups", 2)}));
  const Graph g = b.import();
  const auto gamma = g.tensor(g.nodes[0].inputs[1]).values<float>(),
             beta = g.tensor(g.nodes[0].inputs[2]).values<float>();
  EXPECT_EQ(Floats(gamma.begin(), gamma.end()), (Floats{1, 1, 2, 2}));
  EXPECT_EQ(Floats(beta.begin(), beta.end()), (Floats{3, 3, 4, 4}));
}

// The planes that a kernel's depth meets become channels, group by group; weights follow.
TEST(MoreOps, DepthOfAKernelBecomesChannels) {
  OnnxBuilder b(11);
  b.input("x", {1, 1, 3, 2, 2});
  b.constant<int8_t>("q", {2, 1, 2, 1, 1}, {1, 2, 3, 4});
  b.dequantize<int8_t>("q", {0.5F, 0.25F}, 0, "w");
  b.output(b.node("Conv", {"x", "w"}, "y", {attr("pads", Ints{1, 0, 0, 0, 0, 0})}));
  const Graph g = b.import();
  EXPECT_EQ(find(g, OpKind::pad).pads, (Ints{0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
  const Node& conv = find(g, OpKind::conv);
  EXPECT_EQ(g.tensor(conv.inputs[0]).shape, (Shape{3, 2, 2, 2}));
  const Tensor& w = g.tensor(g.nodes[static_cast<size_t>(&conv - g.nodes.data()) - 1].inputs[0]);
  EXPECT_EQ(w.shape, (Shape{2, 2, 1, 1}));
  EXPECT_EQ(w.quant->axis, 0);
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, (Shape{1, 2, 3, 2, 2}));
}

// --- folded: the value is the target of a Reshape of 24 elements

struct FoldCase {
  const char* name;
  void (*build)(OnnxBuilder& b);  // makes "t" from x of shape 2, 3, 4
  Shape shape;
};

class MoreFolds : public testing::TestWithParam<FoldCase> {};

TEST_P(MoreFolds, GivesThatTarget) {
  OnnxBuilder b(18);
  b.input("x", {2, 3, 4});
  b.node("Shape", {"x"}, "s");
  GetParam().build(b);
  b.output(b.node("Reshape", {"x", "t"}, "y"));
  const Graph g = b.import();
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, GetParam().shape);
  EXPECT_EQ(g.nodes.size(), 1U) << print(g);
}

INSTANTIATE_TEST_SUITE_P(
    Import, MoreFolds,
    testing::Values(
        FoldCase{"ReduceProd", [](OnnxBuilder& b) { b.node("ReduceProd", {"s"}, "t"); }, {24}},
        FoldCase{"ReduceMaxOverAxes",
                 [](OnnxBuilder& b) {
                   b.constant<int64_t>("m", {2, 3}, {1, 2, 4, 3, 1, 2});
                   b.node("ReduceMax", {"m", b.ints("a", {0})}, "r", {attr("keepdims", 0)});  // 3 2 4
                   b.node("Identity", {"r"}, "t");
                 },
                 {3, 2, 4}},
        FoldCase{"WhereEqual",
                 [](OnnxBuilder& b) {
                   b.node("Equal", {"s", b.ints("three", {3})}, "e");
                   b.node("Where", {"e", b.ints("minus", {-1}), "s"}, "t");
                 },
                 {2, 3, 4}},
        FoldCase{"ModAndPow",
                 [](OnnxBuilder& b) {
                   b.node("Mod", {b.ints("m", {-7, 7}), b.ints("n", {4, -4})}, "r");  // 1 -1
                   b.node("Pow", {b.ints("b", {2, 24}), b.ints("e", {3, 1})}, "p");   // 8 24
                   b.node("Mul", {"r", "p"}, "q");                                    // 8 -24
                   b.node("Max", {"q", b.ints("floor", {1, -1})}, "t");
                 },
                 {8, 3}},
        FoldCase{"TruncatedMod",
                 [](OnnxBuilder& b) {
                   b.node("Mod", {b.ints("m", {-7, 7}), b.ints("n", {5, -5})}, "r", {attr("fmod", 1)});  // -2 2
                   b.node("Mul", {"r", b.ints("k", {-1, 1})}, "u");
                   b.node("Concat", {"u", b.ints("z", {-1})}, "t", {attr("axis", 0)});
                 },
                 {2, 2, 6}},
        FoldCase{
            "LogicAndNot",
            [](OnnxBuilder& b) {
              b.node("Less", {"s", b.ints("three", {3})}, "l"), b.node("Not", {"l"}, "n");
              b.node("Greater", {"s", "three"}, "g"), b.node("And", {"n", "g"}, "a"), b.node("Or", {"a", "l"}, "o");
              b.node("Where", {"o", "s", b.ints("minus", {-1})}, "t");
            },
            {2, 3, 4}},
        FoldCase{"FloorOfReals",
                 [](OnnxBuilder& b) {
                   b.node("Cast", {"s"}, "f", {attr("to", int{Type::FLOAT})});
                   b.node("Div", {"f", b.scalar("k", 1.5F)}, "d"), b.node("Floor", {"d"}, "w");  // 1 2 2
                   b.node("Cast", {"w"}, "i", {attr("to", int{Type::INT64})});
                   b.node("Concat", {"i", b.ints("r", {-1})}, "t", {attr("axis", 0)});
                 },
                 {1, 2, 2, 6}},
        FoldCase{"Tile",
                 [](OnnxBuilder& b) {
                   b.node("Tile", {b.constant<int64_t>("m", {1, 2}, {2, 3}), b.ints("r", {2, 1})}, "w");  // 2 3 2 3
                   b.node("Slice", {"w", b.ints("b", {1}), b.ints("e", {2})}, "v");
                   b.node("Concat", {b.node("Squeeze", {"v", b.ints("z", {0})}, "u"), b.ints("n", {-1})}, "t",
                          {attr("axis", 0)});
                 },
                 {2, 3, 4}},
        FoldCase{"NegAbs", [](OnnxBuilder& b) { b.node("Neg", {"s"}, "n"), b.node("Abs", {"n"}, "t"); }, {2, 3, 4}}),
    kName);

}  // namespace
}  // namespace octet::test

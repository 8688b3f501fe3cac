// Subgraphs on constants and shapes, folded at import.
#include <gtest/gtest.h>

#include "tests/support/onnx_builder.h"

namespace octet::test {
namespace {

// The value is the target of a Reshape of 24 elements.
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
    ImportFold, Fold,
    testing::Values(
        FoldCase{"Shape", [](OnnxBuilder& b) { b.node("Shape", {"x"}, "t"); }, {2, 3, 4}},
        FoldCase{"ShapePart",
                 [](OnnxBuilder& b) {
                   b.node("Concat", {b.node("Shape", {"x"}, "a", {attr("start", -1)}), b.ints("r", {-1})}, "t",
                          {attr("axis", 0)});
                 },
                 {4, 6}},
        FoldCase{"GatherUnsqueezeConcat",
                 [](OnnxBuilder& b) {
                   b.node("Gather", {b.node("Shape", {"x"}, "a"), b.constant<int64_t>("i", {}, {0})}, "g");
                   b.node("Concat", {b.node("Unsqueeze", {"g", b.ints("z", {0})}, "u"), b.ints("r", {-1})}, "t",
                          {attr("axis", 0)});
                 },
                 {2, 12}},
        FoldCase{"GatherBackwards",
                 [](OnnxBuilder& b) {
                   b.node("Gather", {b.node("Shape", {"x"}, "a"), b.ints("i", {-1, 0, 1})}, "t");
                 },
                 {4, 2, 3}},
        FoldCase{"SliceReversed",
                 [](OnnxBuilder& b) {
                   b.node("Slice",
                          {b.node("Shape", {"x"}, "a"), b.ints("s", {-1}), b.ints("e", {INT64_MIN}), b.ints("z", {0}),
                           b.ints("p", {-1})},
                          "t");
                 },
                 {4, 3, 2}},
        FoldCase{"Arithmetic",
                 [](OnnxBuilder& b) {
                   b.node("Mul", {b.node("Shape", {"x"}, "a"), b.ints("two", {2})}, "m");  // 4 6 8
                   b.node("Sub", {"m", b.ints("c", {2, 5, 0})}, "s");                      // 2 1 8
                   b.node("Div", {"s", b.ints("d", {2, 1, 4})}, "q");                      // 1 1 2
                   b.node("Add", {"q", b.ints("e", {3, 2, 0})}, "t");
                 },
                 {4, 3, 2}},
        FoldCase{"Casts",
                 [](OnnxBuilder& b) {
                   b.node("Cast",
                          {
                              b.node("Shape", {"x"}, "a"),
                          },
                          "f", {attr("to", int{Type::FLOAT})});
                   b.node("Mul", {"f", b.scalar("h", 0.5F)}, "h2");  // 1 1.5 2
                   b.node("Concat", {b.node("Cast", {"h2"}, "c", {attr("to", int{Type::INT64})}), b.ints("r", {-1})},
                          "t", {attr("axis", 0)});
                 },
                 {1, 1, 2, 12}},
        FoldCase{"ConstantOfShape",
                 [](OnnxBuilder& b) {
                   b.node("ConstantOfShape", {b.ints("n", {2})}, "c", {Attr{"value", tensor<int64_t>("", {1}, {12})}});
                   b.node("Div", {"c", b.ints("d", {1, 6})}, "t");
                 },
                 {12, 2}},
        FoldCase{"Range",
                 [](OnnxBuilder& b) {
                   b.node("Range",
                          {b.constant<int64_t>("s", {}, {4}), b.constant<int64_t>("l", {}, {1}),
                           b.constant<int64_t>("d", {}, {-1})},
                          "t");
                 },
                 {4, 3, 2}},
        FoldCase{"Expand",
                 [](OnnxBuilder& b) {
                   b.node("Expand", {b.ints("o", {1}), b.ints("n", {3})}, "c");
                   b.node("Mul", {"c", b.ints("d", {2, 2, 6})}, "t");
                 },
                 {2, 2, 6}},
        FoldCase{"SplitSqueeze",
                 [](OnnxBuilder& b) {
                   b.node("Split", {b.node("Shape", {"x"}, "a")}, "p", {}, 3);
                   b.node("Concat", {"p:2", b.ints("r", {-1}), "p:0"}, "t", {attr("axis", 0)});
                 },
                 {4, 3, 2}},
        FoldCase{"ConstantAttributes",
                 [](OnnxBuilder& b) { b.node("Constant", {}, "t", {attr("value_ints", Ints{24})}); },
                 {24}},
        FoldCase{"TransposeReshape",
                 [](OnnxBuilder& b) {
                   b.constant<int64_t>("m", {2, 2}, {2, 3, 4, 1});
                   b.node("Reshape", {b.node("Transpose", {"m"}, "mt"), b.ints("n", {-1})}, "t");
                 },
                 {2, 4, 3, 1}}),
    [](const auto& info) { return info.param.name; });

// Weights go through layout changes and float arithmetic at import.
TEST(ImportFold, FloatConstantsFold) {
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

TEST(ImportFold, BatchNormParametersAreDequantized) {
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

}  // namespace
}  // namespace octet::test

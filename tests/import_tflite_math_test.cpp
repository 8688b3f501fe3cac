// The graph form of TFLite's arithmetic, reductions and images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tflite_case.h"

namespace octet::test {
namespace {

using fb::BuiltinOperator;
using testing::ElementsAre;
using testing::IsEmpty;

struct Function {
  BuiltinOperator op;
  Unary function;
  float alpha = 0, beta = 0;
};

class ImportFunction : public testing::TestWithParam<Function> {};

TEST_P(ImportFunction, IsAUnaryNode) {
  const Function f = GetParam();
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 3}, kGrid));
  b.output(b.tensor("y", {}, {{0.25F}, {-7}}));
  if (f.op == BuiltinOperator::LEAKY_RELU) {
    fb::LeakyReluOptionsT o;
    o.alpha = f.alpha;
    b.op(f.op, {0}, {1}, o);
  } else {
    b.op(f.op, {0}, {1});
  }
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 1U);
  EXPECT_EQ(g.nodes[0].op, OpKind::unary);
  EXPECT_EQ(g.nodes[0].function, f.function);
  EXPECT_EQ(g.nodes[0].alpha, f.alpha);
  EXPECT_EQ(g.nodes[0].beta, f.beta);
  EXPECT_EQ(g.tensor(g.outputs[0]).quant, (QuantParams{{0.25F}, {-7}}));
}

INSTANTIATE_TEST_SUITE_P(
    All, ImportFunction,
    testing::Values(Function{BuiltinOperator::LOGISTIC, Unary::sigmoid}, Function{BuiltinOperator::TANH, Unary::tanh},
                    Function{BuiltinOperator::RELU, Unary::relu}, Function{BuiltinOperator::RELU6, Unary::clip, 0, 6},
                    Function{BuiltinOperator::RELU_N1_TO_1, Unary::clip, -1, 1},
                    Function{BuiltinOperator::RELU_0_TO_1, Unary::clip, 0, 1},
                    Function{BuiltinOperator::LEAKY_RELU, Unary::leaky_relu, 0.2F},
                    Function{BuiltinOperator::HARD_SWISH, Unary::hard_swish},
                    Function{BuiltinOperator::ELU, Unary::elu, 1}, Function{BuiltinOperator::GELU, Unary::gelu},
                    Function{BuiltinOperator::SQRT, Unary::sqrt}, Function{BuiltinOperator::RSQRT, Unary::rsqrt},
                    Function{BuiltinOperator::EXP, Unary::exp}, Function{BuiltinOperator::LOG, Unary::log},
                    Function{BuiltinOperator::SQUARE, Unary::square}, Function{BuiltinOperator::ABS, Unary::abs},
                    Function{BuiltinOperator::NEG, Unary::neg}, Function{BuiltinOperator::SIGN, Unary::sign},
                    Function{BuiltinOperator::FLOOR, Unary::floor}, Function{BuiltinOperator::CEIL, Unary::ceil},
                    Function{BuiltinOperator::ROUND, Unary::round}, Function{BuiltinOperator::SIN, Unary::sin},
                    Function{BuiltinOperator::COS, Unary::cos}));

struct Pair {
  BuiltinOperator op;
  OpKind kind;
};

class ImportBinary : public testing::TestWithParam<Pair> {};

TEST_P(ImportBinary, Broadcasts) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 1, 3}, kGrid));
  b.input(b.tensor("y", {4, 1}, kGrid));
  b.output(b.tensor("z", {}, {{0.25F}, {-7}}));
  b.op(GetParam().op, {0, 1}, {2});
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 1U);
  EXPECT_EQ(g.nodes[0].op, GetParam().kind);
  EXPECT_THAT(g.tensor(g.outputs[0]).shape, ElementsAre(2, 4, 3));
}

INSTANTIATE_TEST_SUITE_P(
    All, ImportBinary,
    testing::Values(Pair{BuiltinOperator::ADD, OpKind::add}, Pair{BuiltinOperator::SUB, OpKind::sub},
                    Pair{BuiltinOperator::MUL, OpKind::mul}, Pair{BuiltinOperator::DIV, OpKind::div},
                    Pair{BuiltinOperator::MAXIMUM, OpKind::maximum}, Pair{BuiltinOperator::MINIMUM, OpKind::minimum},
                    Pair{BuiltinOperator::POW, OpKind::pow}, Pair{BuiltinOperator::FLOOR_DIV, OpKind::floor_div},
                    Pair{BuiltinOperator::FLOOR_MOD, OpKind::floor_mod},
                    Pair{BuiltinOperator::SQUARED_DIFFERENCE, OpKind::squared_difference}));

TEST(ImportTfliteLogic, ComparisonsAndSelection) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 3}, kGrid));
  b.input(b.tensor("y", {3}, kGrid));
  const auto boolean = fb::TensorType::BOOL;
  const int less = b.tensor("less", {}, {}, boolean), not_less = b.tensor("not", {}, {}, boolean);
  const int both = b.tensor("both", {}, {}, boolean), z = b.output(b.tensor("z", {}, kGrid));
  b.op(BuiltinOperator::LESS, {0, 1}, {less});
  b.op(BuiltinOperator::LOGICAL_NOT, {less}, {not_less});
  b.op(BuiltinOperator::LOGICAL_OR, {less, not_less}, {both});
  b.op(BuiltinOperator::SELECT_V2, {both, 0, 1}, {z});
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 4U);
  EXPECT_EQ(g.nodes[0].relation, Relation::less);
  EXPECT_EQ(g.nodes[1].function, Unary::logical_not);
  EXPECT_EQ(g.nodes[2].connective, Connective::any);
  EXPECT_EQ(g.nodes[3].op, OpKind::where);
  EXPECT_EQ(g.tensor(g.outputs[0]).quant, (QuantParams{{0.5F}, {3}}));
}

Build pool(BuiltinOperator op, fb::Padding padding) {
  fb::Pool2DOptionsT o;
  o.padding = padding;
  o.filter_height = 2;
  o.filter_width = 3;
  o.stride_h = o.stride_w = 2;
  o.fused_activation_function = fb::ActivationFunctionType::RELU;
  return with_options(op, o);
}

Build reduce(BuiltinOperator op, std::vector<int32_t> axes, bool keep) {
  return [=](TfliteBuilder& b, int x, int y) {
    fb::ReducerOptionsT o;
    o.keep_dims = keep;
    b.op(op, {x, b.ints("axes", axes)}, {y}, o);
  };
}

using Mode = Resize::Mode;
using At = Resize::Coordinates;
using Near = Resize::Nearest;
using Linear = fb::ResizeBilinearOptionsT;
using Nearest = fb::ResizeNearestNeighborOptionsT;
constexpr auto kLinear = BuiltinOperator::RESIZE_BILINEAR, kNearest = BuiltinOperator::RESIZE_NEAREST_NEIGHBOR;

template <class Options>
Build resize(BuiltinOperator op, bool corners, bool half) {
  return [=](TfliteBuilder& b, int x, int y) {
    Options o;
    o.align_corners = corners;
    o.half_pixel_centers = half;
    b.op(op, {x, b.ints("size", {5, 7})}, {y}, o);
  };
}

std::function<void(const Graph&)> resizes(Mode mode, At coordinates, Near nearest) {
  return [=](const Graph& g) {
    EXPECT_EQ(g.nodes[0].resize.mode, mode);
    EXPECT_EQ(g.nodes[0].resize.coordinates, coordinates);
    if (mode == Mode::nearest) {
      EXPECT_EQ(g.nodes[0].resize.nearest, nearest);
    }
    EXPECT_THAT(g.nodes[0].resize.scales, IsEmpty());
  };
}

fb::DepthToSpaceOptionsT to_space(int block) {
  fb::DepthToSpaceOptionsT o;
  o.block_size = block;
  return o;
}

fb::SpaceToDepthOptionsT to_depth(int block) {
  fb::SpaceToDepthOptionsT o;
  o.block_size = block;
  return o;
}

INSTANTIATE_TEST_SUITE_P(
    Images, ImportTfliteOp,
    testing::Values(
        TfliteCase{"AveragePool",
                   {1, 5, 6, 3},
                   pool(BuiltinOperator::AVERAGE_POOL_2D, fb::Padding::SAME),
                   "average_pool",
                   {1, 3, 3, 3},
                   [](const Graph& g) {
                     const Node& n = g.nodes[0];
                     EXPECT_FALSE(n.count_include_pad);
                     EXPECT_EQ(
                         n.window,
                         (Window{.kh = 2, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1}));
                     EXPECT_EQ(n.range.lo, 3);
                   }},
        TfliteCase{
            "MaxPool", {1, 5, 6, 3}, pool(BuiltinOperator::MAX_POOL_2D, fb::Padding::VALID), "max_pool", {1, 2, 2, 3}},
        TfliteCase{"MeanOfImages",
                   {2, 5, 6, 3},
                   reduce(BuiltinOperator::MEAN, {2, 1}, true),
                   "global_average_pool",
                   {2, 1, 1, 3}},
        TfliteCase{"MeanOfImagesWithoutDimensions",
                   {2, 5, 6, 3},
                   reduce(BuiltinOperator::MEAN, {1, -2}, false),
                   "reduce",
                   {2, 3}},
        TfliteCase{"MeanOfChannels",
                   {2, 5, 6, 3},
                   reduce(BuiltinOperator::MEAN, {-1}, false),
                   "reduce",
                   {2, 5, 6},
                   [](const Graph& g) {
                     EXPECT_EQ(g.nodes[0].reduction, Reduction::mean);
                     EXPECT_THAT(g.nodes[0].axes, ElementsAre(3));
                   }},
        TfliteCase{"Sum",
                   {2, 5, 6},
                   reduce(BuiltinOperator::SUM, {2, 0, -1}, true),
                   "reduce",
                   {1, 5, 1},
                   [](const Graph& g) {
                     EXPECT_EQ(g.nodes[0].reduction, Reduction::sum);
                     EXPECT_THAT(g.nodes[0].axes, ElementsAre(0, 2));
                   }},
        TfliteCase{"ReduceMax",
                   {2, 5},
                   reduce(BuiltinOperator::REDUCE_MAX, {0, 1}, false),
                   "reduce",
                   {},
                   [](const Graph& g) { EXPECT_EQ(g.nodes[0].reduction, Reduction::max); }},
        TfliteCase{"LinearAsymmetric",
                   {1, 3, 4, 2},
                   resize<Linear>(kLinear, false, false),
                   "resize",
                   {1, 5, 7, 2},
                   resizes(Mode::linear, At::asymmetric, {})},
        TfliteCase{"LinearHalfPixel",
                   {1, 3, 4, 2},
                   resize<Linear>(kLinear, false, true),
                   "resize",
                   {1, 5, 7, 2},
                   resizes(Mode::linear, At::half_pixel, {})},
        TfliteCase{"LinearCorners",
                   {1, 3, 4, 2},
                   resize<Linear>(kLinear, true, false),
                   "resize",
                   {1, 5, 7, 2},
                   resizes(Mode::linear, At::align_corners, {})},
        TfliteCase{"NearestAsymmetric",
                   {1, 3, 4, 2},
                   resize<Nearest>(kNearest, false, false),
                   "resize",
                   {1, 5, 7, 2},
                   resizes(Mode::nearest, At::asymmetric, Near::floor)},
        TfliteCase{"NearestHalfPixel",
                   {1, 3, 4, 2},
                   resize<Nearest>(kNearest, false, true),
                   "resize",
                   {1, 5, 7, 2},
                   resizes(Mode::nearest, At::tf_half_pixel_nearest, Near::floor)},
        TfliteCase{"NearestCorners",
                   {1, 3, 4, 2},
                   resize<Nearest>(kNearest, true, false),
                   "resize",
                   {1, 5, 7, 2},
                   resizes(Mode::nearest, At::align_corners, Near::round_prefer_ceil)},
        TfliteCase{"DepthToSpace",
                   {1, 2, 3, 8},
                   with_options(BuiltinOperator::DEPTH_TO_SPACE, to_space(2)),
                   "depth_to_space",
                   {1, 4, 6, 2},
                   [](const Graph& g) { EXPECT_EQ(g.nodes[0].block, 2); }},
        TfliteCase{"SpaceToDepth",
                   {1, 4, 6, 2},
                   with_options(BuiltinOperator::SPACE_TO_DEPTH, to_depth(2)),
                   "space_to_depth",
                   {1, 2, 3, 8}}),
    tflite_case_name);

TEST(ImportTfliteRows, SoftmaxIsOverTheLastDimension) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 3}, kGrid));
  b.output(b.tensor("y", {}, {{1.0F / 256}, {-128}}));
  fb::SoftmaxOptionsT o;
  o.beta = 1;
  b.op(BuiltinOperator::SOFTMAX, {0}, {1}, o);
  const Graph g = b.import();
  EXPECT_EQ(g.nodes[0].op, OpKind::softmax);
  EXPECT_EQ(g.nodes[0].axis, 1);
}

TEST(ImportTfliteRows, ArgMin) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 3}, kGrid));
  b.output(b.tensor("y", {}, {}, fb::TensorType::INT64));
  fb::ArgMinOptionsT o;
  o.output_type = fb::TensorType::INT64;
  b.op(BuiltinOperator::ARG_MIN, {0, b.constant<int32_t>("axis", {}, {-1})}, {1}, o);
  const Graph g = b.import();
  EXPECT_EQ(g.nodes[0].op, OpKind::arg);
  EXPECT_EQ(g.nodes[0].reduction, Reduction::min);
  EXPECT_EQ(g.nodes[0].axis, 1);
  EXPECT_EQ(g.tensor(g.outputs[0]).dtype, DType::s64);
  EXPECT_THAT(g.tensor(g.outputs[0]).shape, ElementsAre(2));
}

TEST(ImportTfliteConversions, QuantizeRequantizeCast) {
  TfliteBuilder b;
  b.input(b.floats("x", {4}));
  const int q = b.tensor("q", {}, kGrid), r = b.tensor("r", {}, {{0.25F}, {9}}, fb::TensorType::UINT8);
  const int d = b.floats("d", {}), c = b.tensor("c", {}, {}, fb::TensorType::INT32);
  b.output(c);
  b.op(BuiltinOperator::QUANTIZE, {0}, {q});
  b.op(BuiltinOperator::QUANTIZE, {q}, {r});
  b.op(BuiltinOperator::DEQUANTIZE, {r}, {d});
  b.op(BuiltinOperator::CAST, {d}, {c});
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 4U);
  EXPECT_EQ(g.nodes[0].op, OpKind::quantize);
  EXPECT_EQ(g.nodes[1].op, OpKind::requantize);
  EXPECT_EQ(g.nodes[2].op, OpKind::dequantize);
  EXPECT_EQ(g.nodes[3].op, OpKind::cast);
}

TEST(ImportTfliteConversions, FloatOpsAreMeantToBeFloat) {
  TfliteBuilder b;
  b.input(b.tensor("x", {4}, kGrid));
  const int d = b.floats("d", {}), r = b.floats("r", {}), t = b.floats("t", {}), q = b.tensor("q", {}, kGrid);
  b.output(q);
  b.op(BuiltinOperator::DEQUANTIZE, {0}, {d});
  b.op(BuiltinOperator::RESHAPE, {d, b.ints("s", {2, 2})}, {r});
  b.op(BuiltinOperator::TANH, {r}, {t});
  b.op(BuiltinOperator::QUANTIZE, {t}, {q});
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 4U);
  EXPECT_EQ(g.nodes[1].island, "");  // values only move
  EXPECT_EQ(g.nodes[2].island, "float in the file");
  EXPECT_EQ(g.nodes[3].island, "");
}

}  // namespace
}  // namespace octet::test

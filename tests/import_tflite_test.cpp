// What the importer makes of TFLite files: the graph form that tflite.h promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "generator/import/model.h"
#include "tests/support/tflite_builder.h"

namespace octet::test {
namespace {

using fb::ActivationFunctionType;
using fb::BuiltinOperator;
using fb::Padding;
using testing::ElementsAre;
using testing::IsEmpty;

const Grid kHalf{{0.5F}, {3}}, kQuarter{{0.25F}, {-4}};

fb::Conv2DOptionsT conv_options(Padding padding, int stride, ActivationFunctionType activation = {}) {
  fb::Conv2DOptionsT o;
  o.padding = padding;
  o.stride_h = o.stride_w = stride;
  o.fused_activation_function = activation;
  return o;
}

const Node& only(const Graph& g) {
  EXPECT_EQ(g.nodes.size(), 1U) << print(g);
  return g.nodes.front();
}

const Tensor& input_of(const Graph& g, const Node& n, size_t i) {
  return g.tensor(n.inputs[i]);
}

const Tensor& result(const Graph& g) {
  return g.tensor(g.outputs.at(0));
}

template <class T>
std::vector<int> values(const Tensor& t) {
  const auto v = t.values<T>();
  return {v.begin(), v.end()};
}

std::vector<int8_t> counted(int n) {
  std::vector<int8_t> v;
  for (int i = 0; i < n; ++i) v.push_back(static_cast<int8_t>(i));
  return v;
}

TEST(ImportTflite, HeadOfTheGraph) {
  TfliteBuilder b;
  b.input(b.tensor("x", {1, 4}, kHalf));
  b.output(b.tensor("y", {1, 4}, kQuarter));
  b.op(BuiltinOperator::TANH, {0}, {1});
  const Graph g = b.import();
  EXPECT_TRUE(g.channels_last);
  EXPECT_EQ(g.format, "TFLite schema 3, int8");
  EXPECT_EQ(g.producer, "test");
  EXPECT_EQ(g.name, "");  // converters call every graph main
  EXPECT_EQ(only(g).op, OpKind::unary);
  EXPECT_EQ(only(g).name, "y");
  EXPECT_EQ(only(g).source, "TANH");
  EXPECT_EQ(g.tensor(g.inputs[0]).quant, (QuantParams{{0.5F}, {3}}));
  EXPECT_EQ(result(g).quant, (QuantParams{{0.25F}, {-4}}));
}

TEST(ImportTflite, ConvTurnsItsWeightsAndPutsTheOddPixelLast) {
  TfliteBuilder b;
  b.input(b.tensor("x", {1, 4, 5, 2}, kHalf));
  b.constant<int8_t>("w", {2, 2, 3, 2}, counted(24), {{1, 2}, {0, 0}, 0});
  b.constant<int32_t>("b", {2}, {10, 20}, {{0.5F, 1}, {0, 0}, 0});
  b.output(b.tensor("y", {1, 2, 3, 2}, kQuarter));
  b.op(BuiltinOperator::CONV_2D, {0, 1, 2}, {3}, conv_options(Padding::SAME, 2, ActivationFunctionType::RELU6));
  const Graph g = b.import();
  const Node& n = only(g);
  EXPECT_EQ(n.op, OpKind::conv);
  EXPECT_EQ(n.group, 1);
  EXPECT_EQ(n.window, (Window{.kh = 2, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_left = 1, .pad_right = 1}));
  EXPECT_THAT(result(g).shape, ElementsAre(1, 2, 3, 2));
  const Tensor& w = input_of(g, n, 1);
  EXPECT_THAT(w.shape, ElementsAre(2, 2, 2, 3));
  EXPECT_THAT(values<int8_t>(w),
              ElementsAre(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11, 12, 14, 16, 18, 20, 22, 13, 15, 17, 19, 21, 23));
  EXPECT_EQ(w.quant, (QuantParams{{1, 2}, {0, 0}, 0}));
  const Tensor& bias = input_of(g, n, 2);
  EXPECT_EQ(bias.dtype, DType::s32);
  EXPECT_EQ(bias.quant, std::nullopt);
  EXPECT_THAT(values<int32_t>(bias), ElementsAre(10, 20));
  EXPECT_EQ(n.range, (QRange{.lo = -4, .hi = 20}));  // 0 and 6 in quarters
}

TEST(ImportTflite, OddPaddingOfSame) {
  TfliteBuilder b;
  b.input(b.tensor("x", {1, 6, 6, 1}, kHalf));
  b.constant<int8_t>("w", {1, 3, 3, 1}, counted(9), {{1}, {0}});
  b.output(b.tensor("y", {}, kHalf));
  b.op(BuiltinOperator::CONV_2D, {0, 1, -1}, {2}, conv_options(Padding::SAME, 2));
  const Graph g = b.import();
  const Window& w = only(g).window;
  EXPECT_THAT((std::vector{w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}), ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(only(g).inputs.size(), 2U);  // -1: no bias
  EXPECT_EQ(only(g).range, QRange{});
}

TEST(ImportTflite, GroupsFollowFromTheChannels) {
  TfliteBuilder b;
  b.input(b.tensor("x", {1, 3, 3, 4}, kHalf));
  b.constant<int8_t>("w", {6, 1, 1, 2}, counted(12), {{1}, {0}});
  b.output(b.tensor("y", {}, kHalf));
  auto o = conv_options(Padding::VALID, 1);
  o.dilation_w_factor = 2;
  b.op(BuiltinOperator::CONV_2D, {0, 1}, {2}, o);
  const Graph g = b.import();
  EXPECT_EQ(only(g).group, 2);
  EXPECT_EQ(only(g).window.dilation_w, 2);
  EXPECT_EQ(only(g).window.dilation_h, 1);
  EXPECT_THAT(input_of(g, only(g), 1).shape, ElementsAre(6, 2, 1, 1));
}

// Old uint8 models: weights with a zero point of their own.
TEST(ImportTflite, DepthwiseWithAMultiplier) {
  TfliteBuilder b;
  const auto u8 = fb::TensorType::UINT8;
  b.input(b.tensor("x", {1, 4, 4, 2}, {{0.5F}, {128}}, u8));
  b.constant<uint8_t>("w", {1, 1, 2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}, {{0.1F}, {131}});
  b.output(b.tensor("y", {}, {{0.5F}, {7}}, u8));
  fb::DepthwiseConv2DOptionsT o;
  o.padding = Padding::VALID;
  o.stride_h = o.stride_w = 1;
  o.depth_multiplier = 2;
  b.op(BuiltinOperator::DEPTHWISE_CONV_2D, {0, 1}, {2}, o);
  const Graph g = b.import();
  EXPECT_EQ(only(g).op, OpKind::conv);
  EXPECT_EQ(only(g).group, 2);
  const Tensor& w = input_of(g, only(g), 1);
  EXPECT_THAT(w.shape, ElementsAre(4, 1, 1, 2));
  EXPECT_THAT(values<uint8_t>(w), ElementsAre(0, 4, 1, 5, 2, 6, 3, 7));
  EXPECT_EQ(w.quant, (QuantParams{{0.1F}, {131}}));
  EXPECT_THAT(result(g).shape, ElementsAre(1, 4, 3, 4));
  EXPECT_EQ(g.format, "TFLite schema 3, uint8");
}

TEST(ImportTflite, DepthwiseScalesMoveToTheFirstDimension) {
  TfliteBuilder b;
  b.input(b.tensor("x", {1, 4, 4, 2}, kHalf));
  b.constant<int8_t>("w", {1, 1, 1, 2}, {1, 2}, {{1, 2}, {0, 0}, 3});
  b.output(b.tensor("y", {}, kHalf));
  fb::DepthwiseConv2DOptionsT o;
  o.stride_h = o.stride_w = 1;
  b.op(BuiltinOperator::DEPTHWISE_CONV_2D, {0, 1}, {2}, o);
  const Graph g = b.import();
  EXPECT_EQ(input_of(g, only(g), 1).quant->axis, 0);
}

struct Crop {
  Padding padding;
  int out;
  int begin, end;
};

class ImportTransposeConv : public testing::TestWithParam<Crop> {};

// 4 pixels, stride 2, kernel 3: windows reach 9 pixels.
TEST_P(ImportTransposeConv, PadsCropTheResult) {
  const Crop c = GetParam();
  TfliteBuilder b;
  b.ints("shape", {1, c.out, c.out, 5});
  b.constant<int8_t>("w", {5, 3, 3, 2}, counted(90), {{1, 2, 3, 4, 5}, {0, 0, 0, 0, 0}, 0});
  b.input(b.tensor("x", {1, 4, 4, 2}, kHalf));
  b.output(b.tensor("y", {}, kHalf));
  fb::TransposeConvOptionsT o;
  o.padding = c.padding;
  o.stride_h = o.stride_w = 2;
  b.op(BuiltinOperator::TRANSPOSE_CONV, {0, 1, 2}, {3}, o);
  const Graph g = b.import();
  const Node& n = only(g);
  EXPECT_EQ(n.op, OpKind::conv_transpose);
  EXPECT_EQ(n.window.pad_top, c.begin);
  EXPECT_EQ(n.window.pad_bottom, c.end);
  EXPECT_EQ(n.window.pad_left, c.begin);
  EXPECT_EQ(n.window.pad_right, c.end);
  EXPECT_THAT(input_of(g, n, 1).shape, ElementsAre(2, 5, 3, 3));
  EXPECT_EQ(input_of(g, n, 1).quant->axis, 1);
  EXPECT_THAT(result(g).shape, ElementsAre(1, c.out, c.out, 5));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ImportTransposeConv,
                         testing::Values(Crop{Padding::SAME, 8, 0, 1}, Crop{Padding::SAME, 7, 1, 1},
                                         Crop{Padding::VALID, 9, 0, 0}, Crop{Padding::VALID, 10, 0, -1}));

TEST(ImportTflite, FullyConnectedTakesRows) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 1, 1, 3}, kHalf));
  b.constant<int8_t>("w", {4, 3}, counted(12), {{1}, {0}});
  b.output(b.tensor("y", {}, kHalf));
  b.op(BuiltinOperator::FULLY_CONNECTED, {0, 1}, {2}, fb::FullyConnectedOptionsT());
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 2U);
  EXPECT_EQ(g.nodes[0].op, OpKind::reshape);
  EXPECT_EQ(g.nodes[1].op, OpKind::linear);
  EXPECT_THAT(input_of(g, g.nodes[1], 0).shape, ElementsAre(2, 3));
  EXPECT_EQ(input_of(g, g.nodes[1], 0).quant, g.tensor(g.inputs[0]).quant);
  EXPECT_THAT(values<int8_t>(input_of(g, g.nodes[1], 1)), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(result(g).shape, ElementsAre(2, 4));
}

TEST(ImportTflite, FullyConnectedMayKeepItsDimensions) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 5, 3}, kHalf));
  b.constant<int8_t>("w", {4, 3}, counted(12), {{1}, {0}});
  b.output(b.tensor("y", {}, kHalf));
  fb::FullyConnectedOptionsT o;
  o.keep_num_dims = true;
  b.op(BuiltinOperator::FULLY_CONNECTED, {0, 1}, {2}, o);
  const Graph g = b.import();
  EXPECT_EQ(only(g).op, OpKind::linear);
  EXPECT_THAT(result(g).shape, ElementsAre(2, 5, 4));
}

TEST(ImportTflite, BatchMatmulTurnsWhatItsFlagsSay) {
  TfliteBuilder b;
  b.input(b.tensor("x", {2, 3, 4}, kHalf));
  b.input(b.tensor("y", {5, 3}, kHalf));
  b.output(b.tensor("z", {}, kHalf));
  fb::BatchMatMulOptionsT o;
  o.adj_x = o.adj_y = true;
  b.op(BuiltinOperator::BATCH_MATMUL, {0, 1}, {2}, o);
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 3U);
  EXPECT_THAT(g.nodes[0].perm, ElementsAre(0, 2, 1));
  EXPECT_THAT(g.nodes[1].perm, ElementsAre(1, 0));
  EXPECT_EQ(g.nodes[2].op, OpKind::matmul);
  EXPECT_THAT(result(g).shape, ElementsAre(2, 4, 5));
}

// Integers beside a float input stand for real weights.
TEST(ImportTflite, DynamicRangeWeightsAreDequantized) {
  TfliteBuilder b;
  b.input(b.floats("x", {1, 3}));
  b.constant<int8_t>("w", {4, 3}, counted(12), {{0.5F}, {0}});
  b.constant<float>("b", {4}, {1, 2, 3, 4});
  b.output(b.floats("y", {}));
  b.op(BuiltinOperator::FULLY_CONNECTED, {0, 1, 2}, {3}, fb::FullyConnectedOptionsT());
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 2U);
  EXPECT_EQ(g.nodes[0].op, OpKind::dequantize);
  EXPECT_TRUE(input_of(g, g.nodes[0], 0).is_constant());
  EXPECT_EQ(g.nodes[1].op, OpKind::linear);
  EXPECT_EQ(g.format, "TFLite schema 3, float");
}

TEST(ImportTflite, HalfConstantsBecomeFloats) {
  TfliteBuilder b;
  b.input(b.floats("x", {6}));
  b.constant<uint16_t>("h", {6}, {0x3c00, 0xc000, 0x0001, 0x7c00, 0x83ff, 0x3555});
  b.floats("f", {6});
  b.output(b.floats("y", {6}));
  b.op(BuiltinOperator::DEQUANTIZE, {1}, {2});
  b.op(BuiltinOperator::MUL, {0, 2}, {3}, fb::MulOptionsT());
  const Graph g = b.import();
  const auto v = input_of(g, only(g), 1).values<float>();
  EXPECT_EQ(std::vector<float>(v.begin(), v.end()),
            (std::vector<float>{1, -2, 0x1p-24F, std::numeric_limits<float>::infinity(), -0x1.ff8p-15F, 0x1.554p-2F}));
}

// --- activations

struct Fused {
  ActivationFunctionType activation;
  float scale;
  int zero;
  QRange range;
};

class ImportActivation : public testing::TestWithParam<Fused> {};

TEST_P(ImportActivation, IsARangeOfQuantizedValues) {
  const Fused f = GetParam();
  TfliteBuilder b;
  b.input(b.tensor("x", {2}, kHalf));
  b.output(b.tensor("y", {2}, {{f.scale}, {f.zero}}));
  fb::AddOptionsT o;
  o.fused_activation_function = f.activation;
  b.op(BuiltinOperator::ADD, {0, 0}, {1}, o);
  EXPECT_EQ(only(b.import()).range, f.range) << print(b.import());
}

constexpr int kNoLow = std::numeric_limits<int32_t>::min(), kNoHigh = std::numeric_limits<int32_t>::max();

INSTANTIATE_TEST_SUITE_P(
    Bounds, ImportActivation,
    testing::Values(Fused{ActivationFunctionType::NONE, 0.1F, 0, {}},
                    Fused{ActivationFunctionType::RELU, 0.1F, 5, {5, kNoHigh}},
                    Fused{ActivationFunctionType::RELU, 0.1F, -128, {}},
                    Fused{ActivationFunctionType::RELU6, 0.1F, -128, {kNoLow, -68}},
                    Fused{ActivationFunctionType::RELU6, 4, 0, {0, 2}},  // 1.5: away from zero
                    Fused{ActivationFunctionType::RELU6, 1e-30F, 0, {0, kNoHigh}},
                    Fused{ActivationFunctionType::RELU_N1_TO_1, 0.4F, 10, {7, 13}},  // 2.5: away from zero
                    Fused{ActivationFunctionType::RELU_N1_TO_1, 1e-3F, 0, {}}));

TEST(ImportTflite, FloatActivationsAreNodes) {
  TfliteBuilder b;
  b.input(b.floats("x", {2}));
  b.output(b.floats("y", {2}));
  fb::AddOptionsT o;
  o.fused_activation_function = ActivationFunctionType::RELU_N1_TO_1;
  b.op(BuiltinOperator::ADD, {0, 0}, {1}, o);
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 2U);
  EXPECT_EQ(g.nodes[1].function, Unary::clip);
  EXPECT_EQ(g.nodes[1].alpha, -1);
  EXPECT_EQ(g.nodes[1].beta, 1);
  EXPECT_EQ(g.nodes[1].name, "y/activation");
  EXPECT_EQ(g.tensor(g.nodes[0].outputs[0]).name, "y/linear");
}

// --- the file as a whole

TEST(ImportTflite, OpenBatch) {
  TfliteBuilder b;
  b.at(b.input(b.tensor("x", {1, 4}, kHalf))).shape_signature = {-1, 4};
  b.output(b.tensor("y", {1, 4}, kHalf));
  b.op(BuiltinOperator::TANH, {0}, {1});
  EXPECT_THAT(result(b.import({.batch = 3})).shape, ElementsAre(3, 4));
  EXPECT_THAT(result(b.import()).shape, ElementsAre(1, 4));
}

TEST(ImportTflite, NamesAreUnique) {
  TfliteBuilder b;
  b.input(b.tensor("", {4}, kHalf));
  b.tensor("t", {4}, kHalf);
  b.output(b.tensor("t", {4}, kHalf));
  b.op(BuiltinOperator::TANH, {0}, {1});
  b.op(BuiltinOperator::TANH, {1}, {2});
  const Graph g = b.import();
  EXPECT_EQ(g.tensor(g.inputs[0]).name, "tensor_0");
  EXPECT_EQ(g.nodes[0].name, "t");
  EXPECT_EQ(g.nodes[1].name, "t:2");
}

// Files from before operator codes passed 127 have the old field only.
TEST(ImportTflite, OldOperatorCodes) {
  TfliteBuilder b;
  b.input(b.tensor("x", {4}, kHalf));
  b.output(b.tensor("y", {4}, kHalf));
  b.op(BuiltinOperator::TANH, {0}, {1});
  b.model.operator_codes[0]->builtin_code = BuiltinOperator::ADD;  // 0: the default
  EXPECT_EQ(only(b.import()).source, "TANH");
}

TEST(ImportTflite, IntegersWithoutParametersCountFromZero) {
  TfliteBuilder b;
  b.input(b.tensor("x", {1, 4}));
  b.output(b.tensor("y", {4}));
  b.op(BuiltinOperator::RESHAPE, {0, b.ints("shape", {-1})}, {1});
  EXPECT_EQ(result(b.import()).quant, (QuantParams{{1}, {0}}));
}

TEST(ImportTflite, FilesAreKnownByTheirFirstBytes) {
  TfliteBuilder b;
  b.input(b.tensor("x", {4}, kHalf));
  b.output(b.tensor("y", {4}, kHalf));
  b.op(BuiltinOperator::TANH, {0}, {1});
  const auto path = std::filesystem::temp_directory_path() / "octet_import_tflite.onnx";
  std::ofstream(path, std::ios::binary) << b.bytes();
  const Graph g = import_model(path);
  EXPECT_EQ(g.name, "octet_import_tflite");
  EXPECT_EQ(g.profile, Profile::xnn);
  EXPECT_EQ(g.profile_reason, "a TFLite file");
  EXPECT_EQ(import_model(path, {.profile = Profile::tflm}).profile, Profile::tflm);
  const FileSummary summary = summarize_model(path);
  ASSERT_EQ(summary.ops.size(), 1U);
  EXPECT_EQ(summary.ops[0].op, "TANH");
  EXPECT_EQ(summary.ops[0].node, "0 'y'");
  EXPECT_TRUE(summary.ops[0].known);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace octet::test

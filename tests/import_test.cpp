// What passes receive for quantized layers, QDQ and QOperator, and how files are read (generator/import/onnx.h).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/support/onnx_builder.h"

namespace octet::test {
namespace {

template <class T>
std::vector<T> values(const Graph& g, TensorId id) {
  const auto v = g.tensor(id).values<T>();
  return {v.begin(), v.end()};
}

// The constant behind a dequantize node.
TensorId behind(const Graph& g, TensorId id) {
  const int producer = GraphIndex(g).producer[static_cast<size_t>(id)];
  if (producer < 0) return kNoTensor;
  const Node& n = g.nodes[static_cast<size_t>(producer)];
  return n.op == OpKind::dequantize ? n.inputs[0] : kNoTensor;
}

TEST(Import, QdqConv) {
  OnnxBuilder b;
  b.input("x", {-1, 2, 5, 5});
  const auto x = b.dequantize<uint8_t>(b.quantize<uint8_t>("x", 0.5F, 255, "q"), 0.5F, 255, "dq");
  const auto w =
      b.dequantize<int8_t>(b.constant<int8_t>("w", {3, 2, 1, 1}, {-128, 127, 0, 1, -1, 2}), {1, 2, 4}, 0, "dw");
  const auto bias = b.dequantize<int32_t>(b.constant<int32_t>("b", {3}, {-7, 0, 7}), {0.5F, 1, 2}, 0, "db");
  b.node("Conv", {x, w, bias}, "y", {attr("strides", Ints{2, 1}), attr("pads", Ints{0, 1, 2, 3})});
  b.output(b.quantize<int8_t>("y", 0.25F, -128, "out"));
  const Graph g = b.import({.batch = 2});
  EXPECT_EQ(g.format, "ONNX opset 17, QDQ");
  EXPECT_EQ(g.tensor(g.inputs[0]).shape, (Shape{2, 2, 5, 5}));
  const Node& conv = find(g, OpKind::conv);
  EXPECT_EQ(conv.window, (Window{.stride_h = 2, .pad_left = 1, .pad_bottom = 2, .pad_right = 3}));
  EXPECT_EQ(g.tensor(conv.outputs[0]).shape, (Shape{2, 3, 4, 9}));
  EXPECT_EQ(g.tensor(conv.outputs[0]).dtype, DType::f32);
  const Tensor& weights = g.tensor(behind(g, conv.inputs[1]));
  EXPECT_EQ(weights.quant, (QuantParams{{1, 2, 4}, {0, 0, 0}, 0}));
  EXPECT_EQ(weights.dtype, DType::s8);
  const Tensor& biases = g.tensor(behind(g, conv.inputs[2]));
  EXPECT_EQ(biases.quant, (QuantParams{{0.5F, 1, 2}, {0, 0, 0}, 0}));
  EXPECT_EQ(values<int32_t>(g, behind(g, conv.inputs[2])), (std::vector<int32_t>{-7, 0, 7}));
  EXPECT_EQ(g.tensor(g.nodes.front().outputs[0]).name, "q");
  EXPECT_EQ(g.tensor(g.outputs[0]).quant, (QuantParams{{0.25F}, {-128}}));
  EXPECT_EQ(g.tensor(g.outputs[0]).dtype, DType::s8);
}

TEST(Import, OneDimensionalConvKeepsItsRank) {
  OnnxBuilder b;
  b.input("x", {1, 4, 9});
  b.constant<float>("w", {4, 1, 3}, Floats(12, 1));
  b.output(b.node("Conv", {"x", "w"}, "y", {attr("group", 4), attr("pads", Ints{2, 0}), attr("dilations", Ints{2})}));
  const Graph g = b.import();
  const Node& conv = find(g, OpKind::conv);
  EXPECT_EQ(conv.window, (Window{.kw = 3, .dilation_w = 2, .pad_left = 2}));
  EXPECT_EQ(conv.group, 4);
  EXPECT_EQ(g.tensor(conv.outputs[0]).shape, (Shape{1, 4, 7}));
}

// --- linear

struct GemmForm {
  const char* name;
  bool trans_b, quantized, per_channel;
};

class Gemm : public testing::TestWithParam<GemmForm> {};

// Weights arrive as [oc, k] = [[1, 2, 3], [4, 5, 6]] with axis 0, whatever the file does.
TEST_P(Gemm, WeightsAreOutputsByInputs) {
  const GemmForm& form = GetParam();
  OnnxBuilder b;
  b.input("x", {5, 3});
  const Ints dims = form.trans_b ? Ints{2, 3} : Ints{3, 2};
  const std::vector<int8_t> q =
      form.trans_b ? std::vector<int8_t>{1, 2, 3, 4, 5, 6} : std::vector<int8_t>{1, 4, 2, 5, 3, 6};
  std::string w;
  if (!form.quantized)
    w = b.constant<float>("w", dims, Floats(q.begin(), q.end()));
  else if (form.per_channel)
    w = b.dequantize<int8_t>(b.constant("q", dims, q), {1, 2}, form.trans_b ? 0 : 1, "w");
  else
    w = b.dequantize<int8_t>(b.constant("q", dims, q), 0.5F, 7, "w");
  b.constant<float>("c", {1, 2}, {10, 20});
  b.output(b.node("Gemm", {"x", w, "c"}, "y", {attr("transB", form.trans_b ? 1 : 0)}));
  const Graph g = b.import();
  const Node& linear = find(g, OpKind::linear);
  const TensorId id = form.quantized ? behind(g, linear.inputs[1]) : linear.inputs[1];
  ASSERT_NE(id, kNoTensor);
  EXPECT_EQ(g.tensor(linear.inputs[1]).shape, (Shape{2, 3}));
  EXPECT_EQ(g.tensor(id).shape, (Shape{2, 3}));
  if (form.quantized) {
    EXPECT_EQ(values<int8_t>(g, id), (std::vector<int8_t>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(g.tensor(id).quant, form.per_channel ? (QuantParams{{1, 2}, {0, 0}, 0}) : (QuantParams{{0.5F}, {7}}));
  } else {
    EXPECT_EQ(values<float>(g, id), (Floats{1, 2, 3, 4, 5, 6}));
  }
  EXPECT_EQ(g.tensor(linear.inputs[2]).shape, Shape{2});
  EXPECT_EQ(values<float>(g, linear.inputs[2]), (Floats{10, 20}));
  EXPECT_EQ(g.tensor(linear.outputs[0]).shape, (Shape{5, 2}));
}

INSTANTIATE_TEST_SUITE_P(
    Import, Gemm,
    testing::Values(GemmForm{"Float", false, false, false}, GemmForm{"FloatTransB", true, false, false},
                    GemmForm{"PerTensor", false, true, false}, GemmForm{"PerTensorTransB", true, true, false},
                    GemmForm{"PerChannel", false, true, true}, GemmForm{"PerChannelTransB", true, true, true}),
    [](const auto& info) { return info.param.name; });

TEST(Import, MatMulThroughTransposeIsLinear) {
  OnnxBuilder b;
  b.input("x", {2, 5, 3});
  const auto w = b.dequantize<int8_t>(b.constant<int8_t>("q", {2, 3}, {1, 2, 3, 4, 5, 6}), {1, 2}, 0, "w");
  b.output(b.node("MatMul", {"x", b.node("Transpose", {w}, "t", {attr("perm", Ints{1, 0})})}, "y"));
  const Graph g = b.import();
  const Node& linear = find(g, OpKind::linear);
  EXPECT_EQ(g.tensor(linear.inputs[1]).name, "w");  // the file's own: two turns are none
  EXPECT_EQ(g.tensor(linear.outputs[0]).shape, (Shape{2, 5, 2}));
  EXPECT_EQ(g.nodes.size(), 2U) << print(g);
}

TEST(Import, MatMulOfActivationsStays) {
  OnnxBuilder b;
  b.input("x", {2, 1, 5, 3});
  b.input("y", {4, 3, 7});
  b.output(b.node("MatMul", {"x", "y"}, "z"));
  const Graph g = b.import();
  EXPECT_EQ(g.tensor(find(g, OpKind::matmul).outputs[0]).shape, (Shape{2, 4, 5, 7}));
}

TEST(Import, GemmFactorsGoIntoFloatConstants) {
  OnnxBuilder b;
  b.input("x", {1, 1});
  b.constant<float>("w", {1, 2}, {3, 5});
  b.scalar("c", 7);
  b.output(b.node("Gemm", {"x", "w", "c"}, "y", {attr("alpha", 2.0F), attr("beta", 0.5F)}));
  const Graph g = b.import();
  const Node& linear = find(g, OpKind::linear);
  EXPECT_EQ(values<float>(g, linear.inputs[1]), (Floats{6, 10}));
  EXPECT_EQ(values<float>(g, linear.inputs[2]), (Floats{3.5F, 3.5F}));  // one value for all
}

TEST(Import, GemmWithMatrixCIsFollowedByAdd) {
  OnnxBuilder b;
  b.input("x", {4, 1});
  b.constant<float>("w", {1, 2}, {3, 5});
  b.constant<float>("c", {4, 1}, {1, 2, 3, 4});
  b.output(b.node("Gemm", {"x", "w", "c"}, "y"));
  const Graph g = b.import();
  EXPECT_EQ(find(g, OpKind::linear).inputs.size(), 2U);
  const Node& add = find(g, OpKind::add);
  EXPECT_EQ(add.inputs[0], find(g, OpKind::linear).outputs[0]);
  EXPECT_EQ(g.tensor(add.outputs[0]).name, "y");
}

// --- quantization parameters

TEST(Import, ConstantReadTwoWaysIsTwoTensorsWithOneData) {
  OnnxBuilder b;
  b.input("x", {4});
  b.constant<uint8_t>("k", {4}, {0, 1, 254, 255});
  b.node("Add", {b.dequantize<uint8_t>("k", 1, 0, "a"), b.dequantize<uint8_t>("k", 2, 255, "c")}, "s");
  b.node("Add", {b.dequantize<uint8_t>("k", 1, 0, "d"), "s"}, "t");
  b.output(b.node("Add", {"x", "t"}, "y"));
  const Graph g = b.import();
  std::vector<TensorId> seen;
  for (const Node& n : g.nodes)
    if (n.op == OpKind::dequantize) seen.push_back(n.inputs[0]);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_EQ(g.tensor(seen[0]).data, g.tensor(seen[1]).data);
  EXPECT_EQ(g.tensor(seen[1]).quant, (QuantParams{{2}, {255}}));
}

TEST(Import, QuantizedConstantIsAConstant) {
  OnnxBuilder b;
  b.input("x", {8});
  const float inf = INFINITY;
  b.constant<float>("k", {8}, {0.5F, 1.5F, 2.5F, -0.5F, 300, -inf, NAN, inf});
  b.quantize<int8_t>("k", 1, 1, "q");
  b.output(b.node("Add", {"x", b.dequantize<int8_t>("q", 1, 1, "d")}, "y"));
  const Graph g = b.import();
  const Node& d = find(g, OpKind::dequantize);
  EXPECT_EQ(values<int8_t>(g, d.inputs[0]), (std::vector<int8_t>{1, 3, 3, 1, 127, -128, -128, 127}));
}

TEST(Import, QuantizedConstantPerChannel) {
  OnnxBuilder b;
  b.input("x", {2, 2});
  b.constant<float>("k", {2, 2}, {4, 4, -8, 100});
  b.constant<float>("s", {2}, {1, 2});
  b.constant<uint8_t>("z", {2}, {0, 5});
  b.node("QuantizeLinear", {"k", "s", "z"}, "q", {attr("axis", -1)});
  b.node("DequantizeLinear", {"q", "s", "z"}, "d", {attr("axis", 1)});
  b.output(b.node("Add", {"x", "d"}, "y"));
  const Graph g = b.import();
  EXPECT_EQ(values<uint8_t>(g, find(g, OpKind::dequantize).inputs[0]), (std::vector<uint8_t>{4, 7, 0, 55}));
  EXPECT_EQ(g.tensor(find(g, OpKind::dequantize).inputs[0]).quant->axis, 1);
}

TEST(Import, IntegersBetweenHaveTheirNeighboursParameters) {
  OnnxBuilder b;
  b.input("x", {1, 2, 4, 4}, Type::UINT8);
  b.node("MaxPool", {"x"}, "p", {attr("kernel_shape", Ints{2, 2})});
  b.node("Flatten", {"p"}, "f");
  b.output(b.dequantize<uint8_t>("f", 0.5F, 9, "y"));
  const Graph g = b.import();
  for (const char* name : {"x", "p", "f"})
    for (const Tensor& t : g.tensors)
      if (t.name == name) {
        EXPECT_EQ(t.quant, (QuantParams{{0.5F}, {9}})) << name;
      }
}

TEST(Import, IntegersWithoutParametersAreIntegers) {
  OnnxBuilder b;
  b.input("x", {1, 2, 4, 4}, Type::INT8);
  b.node("MaxPool", {"x"}, "p", {attr("kernel_shape", Ints{2, 2})});
  b.output(b.node("Flatten", {"p"}, "f"));
  const Graph g = b.import();
  for (const Tensor& t : g.tensors) EXPECT_EQ(t.quant, (QuantParams{{1}, {0}})) << t.name;
}

TEST(Import, ScalesOfOneElementArePerTensor) {
  OnnxBuilder b;
  b.input("x", {1, 3});
  b.constant<float>("s", {1}, {0.5F});
  b.constant<uint8_t>("z", {1}, {3});
  b.node("QuantizeLinear", {"x", "s", "z"}, "q");
  b.output(b.node("DequantizeLinear", {"q", "s", "z"}, "y", {attr("axis", 1)}));
  const Graph g = b.import();
  EXPECT_EQ(g.tensor(find(g, OpKind::quantize).outputs[0]).quant, (QuantParams{{0.5F}, {3}}));
}

TEST(Import, OutputDtypeWithoutZeroPoint) {
  OnnxBuilder b(21);
  b.input("x", {3});
  b.scalar("s", 0.5F);
  b.output(b.node("QuantizeLinear", {"x", "s"}, "q", {attr("output_dtype", int{Type::INT8})}));
  b.output(b.node("QuantizeLinear", {"x", "s"}, "r"));
  const Graph g = b.import();
  EXPECT_EQ(g.tensor(g.outputs[0]).dtype, DType::s8);
  EXPECT_EQ(g.tensor(g.outputs[1]).dtype, DType::u8);
}

// PyTorch's exporter: Q -> Cast -> DQ, and a bias whose zero points are a cast ConstantOfShape.
TEST(Import, PytorchCasts) {
  OnnxBuilder b(13);
  b.input("x", {1, 1, 2, 2});
  b.quantize<uint8_t>("x", 1, 0, "q");
  b.node("Cast", {"q"}, "c", {attr("to", int{Type::UINT8})});
  b.dequantize<uint8_t>("c", 1, 0, "d");
  b.node("Constant", {}, "n", {Attr{"value", tensor<int64_t>("", {1}, {2})}});
  b.node("ConstantOfShape", {"n"}, "zeros");
  b.node("Cast", {"zeros"}, "z", {attr("to", int{Type::INT32})});
  b.constant<int32_t>("b", {2}, {1, 2});
  b.constant<float>("bs", {2}, {1, 1});
  b.node("DequantizeLinear", {"b", "bs", "z"}, "bias", {attr("axis", 0)});
  const auto w = b.dequantize<int8_t>(b.constant<int8_t>("w", {2, 1, 1, 1}, {1, 2}), {1, 1}, 0, "dw");
  b.output(b.node("Conv", {"d", w, "bias"}, "y"));
  const Graph g = b.import();
  EXPECT_EQ(g.nodes.size(), 5U) << print(g);  // quantize, three dequantize, conv
  EXPECT_EQ(g.tensor(behind(g, find(g, OpKind::conv).inputs[2])).quant, (QuantParams{{1, 1}, {0, 0}, 0}));
}

// Relu and Clip between integers compare quantized values.
TEST(Import, ClipOfIntegersIsARange) {
  OnnxBuilder b;
  b.input("x", {4});
  b.quantize<uint8_t>("x", 1, 3, "q");
  b.node("Clip", {"q", "", b.constant<uint8_t>("hi", {}, {127})}, "c");
  b.output(b.dequantize<uint8_t>("c", 1, 3, "y"));
  const Graph g = b.import();
  EXPECT_EQ(find(g, OpKind::identity).range, (QRange{0, 127}));
}

// --- QOperator

void params(OnnxBuilder& b) {
  b.scalar("s", 0.5F);
  b.scalar("s2", 0.25F);
  b.constant<uint8_t>("z", {}, {128});
  b.constant<uint8_t>("z2", {}, {255});
}

TEST(Import, QLinearConv) {
  OnnxBuilder b;
  params(b);
  b.input("x", {1, 1, 3, 3}, Type::UINT8);
  b.constant<int8_t>("w", {2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, -128});
  b.constant<float>("ws", {2}, {1, 2});
  b.constant<int8_t>("wz", {2}, {0, -3});
  b.constant<int32_t>("b", {2}, {INT32_MIN, INT32_MAX});
  b.output(b.node("QLinearConv", {"x", "s", "z", "w", "ws", "wz", "s2", "z2", "b"}, "y"));
  const Graph g = b.import();
  EXPECT_EQ(g.format, "ONNX opset 17, QOperator");
  const Node& conv = find(g, OpKind::conv);
  EXPECT_EQ(g.tensor(conv.inputs[0]).quant, (QuantParams{{0.5F}, {128}}));
  EXPECT_EQ(g.tensor(conv.inputs[1]).quant, (QuantParams{{1, 2}, {0, -3}, 0}));
  EXPECT_FALSE(g.tensor(conv.inputs[2]).quant.has_value());
  EXPECT_EQ(g.tensor(conv.outputs[0]).quant, (QuantParams{{0.25F}, {255}}));
  EXPECT_EQ(g.tensor(conv.outputs[0]).shape, (Shape{1, 2, 2, 2}));
  EXPECT_EQ(conv.source, "QLinearConv");
}

TEST(Import, QLinearMatMulAndQGemmAreLinear) {
  OnnxBuilder b;
  params(b);
  b.input("x", {4, 3}, Type::UINT8);
  b.constant<int8_t>("w", {3, 2}, {1, 4, 2, 5, 3, 6});
  b.constant<float>("ws", {2}, {1, 2});
  b.constant<int8_t>("wz", {2}, {0, 1});
  b.constant<int32_t>("b", {2}, {7, 8});
  b.output(b.node("QLinearMatMul", {"x", "s", "z", "w", "ws", "wz", "s2", "z2"}, "m"));
  b.output(b.node("com.microsoft.QGemm", {"x", "s", "z", "w", "ws", "wz", "b", "s2", "z2"}, "g"));
  b.output(b.node("com.microsoft.QGemm", {"x", "s", "z", "w", "ws", "wz", "b"}, "f"));
  const Graph g = b.import();
  int seen = 0;
  for (const Node& n : g.nodes) {
    if (n.op != OpKind::linear) continue;
    const TensorId w = seen == 2 ? behind(g, n.inputs[1]) : n.inputs[1];
    EXPECT_EQ(values<int8_t>(g, w), (std::vector<int8_t>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(g.tensor(w).quant, (QuantParams{{1, 2}, {0, 1}, 0}));
    EXPECT_EQ(g.tensor(n.outputs[0]).dtype, seen == 2 ? DType::f32 : DType::u8);
    ++seen;
  }
  EXPECT_EQ(seen, 3);
  const Node& real = g.nodes.back();
  EXPECT_EQ(g.tensor(behind(g, real.inputs[2])).quant, (QuantParams{{0.5F, 1}, {0, 0}, 0}));
}

TEST(Import, MicrosoftOps) {
  OnnxBuilder b;
  params(b);
  b.input("x", {1, 2, 4, 4}, Type::UINT8);
  b.input("g", {1, 2, 1, 1}, Type::UINT8);
  const auto ms = [&](const char* op, std::vector<std::string> in, const char* name,
                      std::vector<Attr> attributes = {}) {
    b.output(b.node(std::string("com.microsoft.") + op, in, name, attributes));
  };
  ms("QLinearAdd", {"x", "s", "z", "x", "s", "z", "s2", "z2"}, "add");
  ms("QLinearMul", {"x", "s", "z", "g", "s2", "z2", "s2"}, "mul");
  ms("QLinearConcat", {"s2", "z2", "x", "s", "z", "x", "s", "z"}, "cat", {attr("axis", 1)});
  ms("QLinearAveragePool", {"x", "s", "z", "s2", "z2"}, "avg",
     {attr("kernel_shape", Ints{2, 2}), attr("count_include_pad", 1)});
  ms("QLinearGlobalAveragePool", {"x", "s", "z", "s2", "z2"}, "gap", {attr("channels_last", 0)});
  ms("QLinearGlobalAveragePool", {"x", "s", "z", "s2", "z2"}, "last", {attr("channels_last", 1)});
  ms("QLinearSigmoid", {"x", "s", "z", "s2", "z2"}, "sigmoid");
  ms("QLinearLeakyRelu", {"x", "s", "z", "s2", "z2"}, "leaky", {attr("alpha", 0.2F)});
  ms("QLinearSoftmax", {"x", "s", "z", "s2", "z2"}, "softmax", {attr("axis", -1), attr("opset", 13)});
  const Graph g = b.import();
  const auto shape = [&](size_t i) { return g.tensor(g.outputs[i]).shape; };
  EXPECT_EQ(shape(0), (Shape{1, 2, 4, 4}));
  EXPECT_EQ(shape(1), (Shape{1, 2, 4, 4}));
  EXPECT_EQ(shape(2), (Shape{1, 4, 4, 4}));
  EXPECT_EQ(shape(3), (Shape{1, 2, 3, 3}));
  EXPECT_EQ(shape(4), (Shape{1, 2, 1, 1}));
  EXPECT_EQ(shape(5), (Shape{1, 1, 1, 4}));
  for (size_t i = 0; i < g.outputs.size(); ++i)
    EXPECT_EQ(g.tensor(g.outputs[i]).quant, (QuantParams{{0.25F}, {i == 1 ? 0 : 255}})) << i;
  EXPECT_TRUE(find(g, OpKind::average_pool).count_include_pad);
  EXPECT_EQ(find(g, OpKind::softmax).axis, 3);
  for (const Node& n : g.nodes)
    if (n.source == "QLinearLeakyRelu") {
      EXPECT_EQ(n.alpha, 0.2F);
    }
}

// --- files

TEST(Import, TypedDataEqualsRawData) {
  OnnxBuilder b;
  b.input("x", {3});
  auto& k = *b.graph().add_initializer();
  k.set_name("k");
  k.set_data_type(Type::UINT8);
  k.add_dims(3);
  for (int v : {0, 128, 255}) k.add_int32_data(v);
  auto& s = *b.graph().add_initializer();
  s.set_name("s");
  s.set_data_type(Type::FLOAT);
  s.add_float_data(0.5F);
  b.node("DequantizeLinear", {"k", "s"}, "d");
  b.output(b.node("Add", {"x", "d"}, "y"));
  const Graph g = b.import();
  const Node& d = find(g, OpKind::dequantize);
  EXPECT_EQ(values<uint8_t>(g, d.inputs[0]), (std::vector<uint8_t>{0, 128, 255}));
  EXPECT_EQ(g.tensor(d.inputs[0]).quant, (QuantParams{{0.5F}, {0}}));
}

// Large raw_data goes around protobuf; small and large ones side by side must not be mixed up.
TEST(Import, LargeWeightsArriveWhole) {
  OnnxBuilder b;
  std::string last = b.input("x", {2048});
  for (int k = 0; k < 5; ++k) {
    const auto name = "k" + std::to_string(k);
    if (k % 2)
      b.scalar(name, static_cast<float>(k));
    else {
      Floats v(2048);
      for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i) * 10 + static_cast<float>(k);
      b.constant<float>(name, {2048}, v);
    }
    last = b.node("Add", {last, name}, "y" + std::to_string(k));
  }
  b.output(last);
  const Graph g = b.import();
  ASSERT_EQ(g.nodes.size(), 5U);
  for (size_t k = 0; k < 5; ++k) {
    const auto v = g.tensor(g.nodes[k].inputs[1]).values<float>();
    ASSERT_EQ(v.size(), k % 2 ? 1U : 2048U);
    EXPECT_EQ(v.back(), k % 2 ? static_cast<float>(k) : 20470 + static_cast<float>(k));
  }
}

TEST(Import, ExternalDataBesideTheModel) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "octet_external";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "weights.bin", std::ios::binary)
      << std::string("abcd") << std::string("\0\0\x80\x3f\0\0\0\x40", 8);
  OnnxBuilder b;
  b.input("x", {2});
  auto& t = *b.graph().add_initializer();
  t.set_name("k");
  t.set_data_type(Type::FLOAT);
  t.add_dims(2);
  t.set_data_location(Type::EXTERNAL);
  const auto entry = [&t](const char* key, const char* value) {
    auto& e = *t.add_external_data();
    e.set_key(key);
    e.set_value(value);
  };
  entry("location", "weights.bin");
  entry("offset", "4");
  entry("length", "8");
  b.output(b.node("Add", {"x", "k"}, "y"));
  std::ofstream(folder / "m.onnx", std::ios::binary) << b.bytes();
  const Graph g = import_onnx(folder / "m.onnx");
  EXPECT_EQ(values<float>(g, g.nodes[0].inputs[1]), (Floats{1, 2}));
  std::filesystem::remove_all(folder);
}

TEST(Import, OutputsKeepTheirNames) {
  OnnxBuilder b;
  b.input("x", {3});
  b.node("Relu", {"x"}, "r");
  b.output(b.node("Identity", {"r"}, "a"));  // takes the name
  b.output(b.node("Identity", {"r"}, "c"));  // already named: a copy
  b.output(b.node("Identity", {"x"}, "d"));  // an input: a copy
  const Graph g = b.import();
  ASSERT_EQ(g.outputs.size(), 3U);
  EXPECT_EQ(g.tensor(g.outputs[0]).name, "a");
  EXPECT_EQ(g.tensor(g.outputs[1]).name, "c");
  EXPECT_EQ(g.tensor(g.outputs[2]).name, "d");
  EXPECT_EQ(g.nodes.size(), 3U);
}

TEST(Import, UnreadThingsGo) {
  OnnxBuilder b;
  b.input("x", {3});
  b.constant<float>("unread", {3}, {1, 2, 3});
  auto& t = *b.graph().add_initializer();  // a type that would be refused
  t.set_name("halves");
  t.set_data_type(Type::FLOAT16);
  b.node("Exp", {"x"}, "dead");
  b.output(b.node("Relu", {"x"}, "y"));
  const Graph g = b.import();
  EXPECT_EQ(g.nodes.size(), 1U);
  EXPECT_EQ(g.tensors.size(), 2U);
}

TEST(Import, InitializersAmongTheInputsAreConstants) {
  OnnxBuilder b;
  b.input("x", {3});
  b.input("k", {3});
  b.constant<float>("k", {3}, {1, 2, 3});
  b.output(b.node("Add", {"x", "k"}, "y"));
  EXPECT_EQ(b.import().inputs.size(), 1U);
}

TEST(Import, DemoNetwork) {
  const Graph g = import_onnx(OCTET_SOURCE_DIR "/demo/digits.int8.onnx", {.batch = 3});
  EXPECT_EQ(g.tensor(g.inputs[0]).shape, (Shape{3, 1, 16, 16}));
  EXPECT_EQ(g.tensor(g.outputs[0]).shape, (Shape{3, 10}));
  std::map<OpKind, int> count;
  for (const Node& n : g.nodes) ++count[n.op];
  EXPECT_EQ(count[OpKind::conv], 8);
  EXPECT_EQ(count[OpKind::linear], 1);
  EXPECT_EQ(count[OpKind::quantize], 15);
  for (const Node& n : g.nodes)
    if (n.op == OpKind::conv) {
      EXPECT_EQ(g.tensor(behind(g, n.inputs[1])).quant->axis, 0);
    }
  EXPECT_NE(print(g).find("input  images: f32 3x1x16x16\n"), std::string::npos);
}

}  // namespace
}  // namespace octet::test

// What the importer refuses of single ops, of folding and of quantization.
#include <cmath>

#include "tests/support/reject_case.h"

namespace octet::test {
namespace {

void conv(OnnxBuilder& b, std::vector<Attr> attributes, const Ints& dims = {2, 3, 3, 3}) {
  b.constant<float>("w", dims, Floats(static_cast<size_t>(dims[0] * dims[1] * dims[2] * dims[3]), 1));
  one(b, "Conv", std::move(attributes), {"w"});
}

INSTANTIATE_TEST_SUITE_P(
    Windows, Reject,
    testing::Values(
        Refusal{"Rank",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 1, 2, 4, 4, 4}), b.constant<float>("w", {1, 1, 1, 1, 1, 1}, {1}),
                      b.output(b.node("Conv", {"x", "w"}, "y"));
                },
                {"node 'y' (Conv)", "rank 6; supported: 3 to 4"}},
        Refusal{"Group", [](OnnxBuilder& b) { conv(b, {attr("group", 2)}); }, {"attribute group is 2"}},
        Refusal{"GroupZero", [](OnnxBuilder& b) { conv(b, {attr("group", 0)}); }, {"attribute group is 0"}},
        Refusal{"Channels",
                [](OnnxBuilder& b) {
                  conv(b, {}, {2, 4, 1, 1});
                },
                {"weights 2x4x1x1 and input 1x3x4x4"}},
        Refusal{"KernelShape",
                [](OnnxBuilder& b) {
                  conv(b, {attr("kernel_shape", Ints{5, 5})});
                },
                {"attribute kernel_shape is [5, 5]"}},
        Refusal{"StrideZero",
                [](OnnxBuilder& b) {
                  conv(b, {attr("strides", Ints{1, 0})});
                },
                {"attribute strides is [1, 0]; supported: 1 to"}},
        Refusal{"StrideCount",
                [](OnnxBuilder& b) { conv(b, {attr("strides", Ints{1})}); },
                {"attribute strides is [1]; supported: 2 values"}},
        Refusal{"DilationHuge",
                [](OnnxBuilder& b) {
                  conv(b, {attr("dilations", Ints{1, INT64_MAX})});
                },
                {"attribute dilations is [1, 9223372036854775807]"}},
        Refusal{"PadsNegative",
                [](OnnxBuilder& b) {
                  conv(b, {attr("pads", Ints{0, 0, -1, 0})});
                },
                {"attribute pads is [0, 0, -1, 0]"}},
        Refusal{"PadsCount",
                [](OnnxBuilder& b) {
                  conv(b, {attr("pads", Ints{0, 0})});
                },
                {"attribute pads is [0, 0]; supported: 4 values"}},
        Refusal{"PadsBesideAutoPad",
                [](OnnxBuilder& b) {
                  conv(b, {attr("pads", Ints{1, 1, 1, 1}), attr("auto_pad", "VALID")});
                },
                {"beside auto_pad VALID"}},
        Refusal{
            "AutoPad", [](OnnxBuilder& b) { conv(b, {attr("auto_pad", "SAME")}); }, {"attribute auto_pad is 'SAME'"}},
        Refusal{"TooLarge",
                [](OnnxBuilder& b) {
                  conv(b, {attr("dilations", Ints{2, 2})});
                },
                {"a window of 5 on 4 pixels"}},
        Refusal{"WeightsByInputChannel",
                [](OnnxBuilder& b) {
                  const auto w = b.dequantize<int8_t>(b.constant<int8_t>("q", {2, 3, 1, 1}, {1, 2, 3, 4, 5, 6}),
                                                      {1, 2, 3}, 1, "w");
                  one(b, "Conv", {}, {w});
                },
                {"weights 'q' are quantized along axis 1"}},
        Refusal{"BiasShape",
                [](OnnxBuilder& b) {
                  b.constant<float>("w", {2, 3, 1, 1}, Floats(6, 1)), b.constant<float>("b", {3}, {1, 2, 3}),
                      one(b, "Conv", {}, {"w", "b"});
                },
                {"bias of shape 3; supported: 2"}},
        Refusal{"PoolKernelMissing", [](OnnxBuilder& b) { one(b, "MaxPool"); }, {"attribute kernel_shape is missing"}},
        Refusal{"PoolKernelZero",
                [](OnnxBuilder& b) {
                  one(b, "MaxPool", {attr("kernel_shape", Ints{0, 1})});
                },
                {"attribute kernel_shape is [0, 1]"}},
        Refusal{"PoolKernelRank",
                [](OnnxBuilder& b) { one(b, "AveragePool", {attr("kernel_shape", Ints{2})}); },
                {"attribute kernel_shape is [2] for an input of shape 1x3x4x4"}},
        Refusal{"PoolPads",
                [](OnnxBuilder& b) {
                  one(b, "MaxPool", {attr("kernel_shape", Ints{2, 2}), attr("pads", Ints{2, 0, 0, 0})});
                },
                {"attribute pads", "less than the kernel"}},
        Refusal{"ChannelsLastPool",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 4, 4, 3}, Type::UINT8), b.scalar("s", 1);
                  b.output(b.node("com.microsoft.QLinearAveragePool", {"x", "s", "", "s"}, "y",
                                  {attr("channels_last", 1), attr("kernel_shape", Ints{2, 2})}));
                },
                {"attribute channels_last is 1; supported: 0"}}),
    refusal_name);

INSTANTIATE_TEST_SUITE_P(
    Matrices, Reject,
    testing::Values(Refusal{"GemmInner",
                            [](OnnxBuilder& b) {
                              b.input("x", {2, 3}), b.constant<float>("w", {2, 3}, Floats(6, 1)),
                                  b.output(b.node("Gemm", {"x", "w"}, "y"));
                            },
                            {"input of shape 2x3 with weights [3, 2]"}},
                    Refusal{"GemmC",
                            [](OnnxBuilder& b) {
                              b.input("x", {2, 3}), b.constant<float>("w", {3, 4}, Floats(12, 1)),
                                  b.constant<float>("c", {3}, {1, 2, 3}),
                                  b.output(b.node("Gemm", {"x", "w", "c"}, "y"));
                            },
                            {"C of shape 3; supported: what broadcasts to 2x4"}},
                    Refusal{"InnerScales",
                            [](OnnxBuilder& b) {
                              b.input("x", {2, 3}),
                                  b.output(b.node("MatMul",
                                                  {"x", b.dequantize<int8_t>(b.constant<int8_t>("q", {3, 1}, {1, 2, 3}),
                                                                             {1, 2, 3}, 0, "w")},
                                                  "y"));
                            },
                            {"weights 'q^T' are quantized along their inner dimension"}},
                    Refusal{"MatMulInner",
                            [](OnnxBuilder& b) {
                              b.input("x", {2, 3}), b.input("z", {2, 3}), b.output(b.node("MatMul", {"x", "z"}, "y"));
                            },
                            {"shapes 2x3 and 2x3"}},
                    Refusal{"MatMulVector",
                            [](OnnxBuilder& b) {
                              b.input("x", {3}), b.input("z", {3, 2}), b.output(b.node("MatMul", {"x", "z"}, "y"));
                            },
                            {"shapes 3 and 3x2"}}),
    refusal_name);

INSTANTIATE_TEST_SUITE_P(
    Movement, Reject,
    testing::Values(
        Refusal{"ReshapeCount",
                [](OnnxBuilder& b) {
                  b.ints("s", {5, 5}), one(b, "Reshape", {}, {"s"});
                },
                {"from 1x3x4x4 to 5x5"}},
        Refusal{"ReshapeTwoOpen",
                [](OnnxBuilder& b) {
                  b.ints("s", {-1, -1}), one(b, "Reshape", {}, {"s"});
                },
                {"target [-1, -1]"}},
        Refusal{"ReshapeNegative",
                [](OnnxBuilder& b) { b.ints("s", {-2}), one(b, "Reshape", {}, {"s"}); },
                {"target [-2]"}},
        Refusal{"ReshapeOverflow",
                [](OnnxBuilder& b) {
                  b.ints("s", {INT64_MAX, INT64_MAX}), one(b, "Reshape", {}, {"s"});
                },
                {"target [9223372036854775807"}},
        Refusal{"ReshapeZero",
                [](OnnxBuilder& b) {
                  b.ints("s", {0, -1}), one(b, "Reshape", {attr("allowzero", 1)}, {"s"});
                },
                {"does not divide"}},
        Refusal{"ReshapeRest",
                [](OnnxBuilder& b) {
                  b.ints("s", {7, -1}), one(b, "Reshape", {}, {"s"});
                },
                {"does not divide"}},
        Refusal{"ReshapeComputed",
                [](OnnxBuilder& b) { b.input("s", {2}), one(b, "Reshape", {}, {"s"}); },
                {"shape ('s') is not constant"}},
        Refusal{"ReshapeLong",
                [](OnnxBuilder& b) { b.ints("s", Ints(9, 1)), one(b, "Reshape", {}, {"s"}); },
                {"9 dimensions"}},
        Refusal{"Perm",
                [](OnnxBuilder& b) {
                  one(b, "Transpose", {attr("perm", Ints{0, 1, 1, 2})});
                },
                {"attribute perm is [0, 1, 1, 2]"}},
        Refusal{"PermLength",
                [](OnnxBuilder& b) {
                  one(b, "Transpose", {attr("perm", Ints{0, 1})});
                },
                {"attribute perm is [0, 1]"}},
        Refusal{"Axis", [](OnnxBuilder& b) { one(b, "Concat", {attr("axis", 4)}); }, {"axis 4 of a tensor of rank 4"}},
        Refusal{"SqueezeWide",
                [](OnnxBuilder& b) { b.ints("a", {1}), one(b, "Squeeze", {}, {"a"}); },
                {"axis 1 of 1x3x4x4 is not 1"}},
        Refusal{"SqueezeTwice",
                [](OnnxBuilder& b) {
                  b.ints("a", {0, -4}), one(b, "Squeeze", {}, {"a"});
                },
                {"an axis appears twice"}},
        Refusal{"SliceStep",
                [](OnnxBuilder& b) {
                  b.ints("s", {0}), b.ints("e", {1}), b.ints("a", {0}), one(b, "Slice", {}, {"s", "e", "a", "s"});
                },
                {"step 0"}},
        Refusal{"SliceEmpty",
                [](OnnxBuilder& b) {
                  b.ints("s", {2}), b.ints("e", {2}), b.ints("a", {2}), one(b, "Slice", {}, {"s", "e", "a"});
                },
                {"result has shape 1x3x0x4"}},
        Refusal{"SliceLengths",
                [](OnnxBuilder& b) {
                  b.ints("s", {0, 0}), b.ints("e", {1}), one(b, "Slice", {}, {"s", "e"});
                },
                {"2 starts, 1 ends"}},
        Refusal{"SplitSizes",
                [](OnnxBuilder& b) {
                  b.ints("p", {1, 1}), b.input("x", {3}), b.node("Split", {"x", "p"}, "y", {}, 2), b.output("y:0");
                },
                {"pieces [1, 1] of 3 along axis 0"}},
        Refusal{"SplitNegative",
                [](OnnxBuilder& b) {
                  b.ints("p", {-1, 4}), b.input("x", {3}), b.node("Split", {"x", "p"}, "y", {}, 2), b.output("y:0");
                },
                {"pieces [-1, 4] of 3"}},
        Refusal{"SplitUneven",
                [](OnnxBuilder& b) { b.input("x", {3}), b.node("Split", {"x"}, "y", {}, 2), b.output("y:0"); },
                {"2 equal pieces of 3"}},
        Refusal{"ConcatShapes",
                [](OnnxBuilder& b) {
                  b.input("z", {1, 3, 5, 4}), one(b, "Concat", {attr("axis", 1)}, {"z"});
                },
                {"input 1 is f32 1x3x5x4 beside f32 1x3x4x4"}},
        Refusal{"ConcatTypes",
                [](OnnxBuilder& b) {
                  b.input("z", {1, 3, 4, 4}, Type::UINT8), one(b, "Concat", {attr("axis", 1)}, {"z"});
                },
                {"input 1 is u8"}},
        Refusal{"PadMode",
                [](OnnxBuilder& b) { b.ints("p", Ints(8, 1)), one(b, "Pad", {attr("mode", "mirror")}, {"p"}); },
                {"attribute mode is 'mirror'; supported: constant, reflect, edge, wrap"}},
        Refusal{"PadWrapsTooMuch",
                [](OnnxBuilder& b) {
                  b.ints("p", {0, 0, 5, 0, 0, 0, 0, 0}), one(b, "Pad", {attr("mode", "wrap")}, {"p"});
                },
                {"wraps 5 and 0 elements around 4"}},
        Refusal{"PadValue",
                [](OnnxBuilder& b) {
                  b.input("x", {4}, Type::INT64), b.ints("p", {1, 1}), b.ints("v", {(1 << 24) + 1});
                  b.output(b.node("Pad", {"x", "p", "v"}, "y"));
                },
                {"pads with [16777217]; supported: one integer of up to 16777216"}},
        Refusal{"PadReflectsTooMuch",
                [](OnnxBuilder& b) {
                  b.ints("p", {0, 0, 4, 0, 0, 0, 0, 0}), one(b, "Pad", {attr("mode", "reflect")}, {"p"});
                },
                {"reflects 4 elements of an axis of 4; supported: fewer than there are"}},
        Refusal{"PadNegative",
                [](OnnxBuilder& b) { b.ints("p", Ints(8, -1)), one(b, "Pad", {}, {"p"}); },
                {"attribute pads is [-1"}},
        Refusal{"PadCount",
                [](OnnxBuilder& b) {
                  b.ints("p", {1, 1}), one(b, "Pad", {}, {"p"});
                },
                {"2 pads for 4 axes"}},
        Refusal{"PadHuge",
                [](OnnxBuilder& b) { b.ints("p", Ints(8, 1 << 30)), one(b, "Pad", {}, {"p"}); },
                {"up to 2 GiB"}},
        Refusal{"ClipBounds",
                [](OnnxBuilder& b) {
                  b.scalar("l", 6), b.scalar("h", 0), one(b, "Clip", {}, {"l", "h"});
                },
                {"min 6 and max 0"}},
        Refusal{"ClipNan", [](OnnxBuilder& b) { b.scalar("l", NAN), one(b, "Clip", {}, {"l"}); }, {"min nan"}},
        Refusal{"BatchNormTraining",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {3}, {1, 2, 3}),
                      one(b, "BatchNormalization", {attr("training_mode", 1)}, {"k", "k", "k", "k"});
                },
                {"attribute training_mode is 1"}},
        Refusal{"BatchNormShape",
                [](OnnxBuilder& b) {
                  b.constant<float>("k", {2}, {1, 2}), one(b, "BatchNormalization", {}, {"k", "k", "k", "k"});
                },
                {"one value per channel"}},
        Refusal{"DropoutTraining",
                [](OnnxBuilder& b) {
                  b.scalar("r", 0.5F);
                  auto& t = *b.graph().add_initializer();
                  t.set_name("on");
                  t.set_data_type(Type::BOOL);
                  t.set_raw_data("\1");
                  one(b, "Dropout", {}, {"r", "on"});
                },
                {"training_mode is not false"}}),
    refusal_name);

INSTANTIATE_TEST_SUITE_P(
    Folding, Reject,
    testing::Values(Refusal{"DivisionByZero",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Div", {b.ints("a", {1}), b.ints("c", {0})}, "d");
                            },
                            {"node 'd' (Div)", "constants 1 div 0"}},
                    Refusal{"DivisionOverflow",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Div", {b.ints("a", {INT64_MIN}), b.ints("c", {-1})}, "d");
                            },
                            {"div -1 have no result"}},
                    Refusal{"Overflow",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Mul", {b.ints("a", {INT64_MAX}), b.ints("c", {2})}, "d");
                            },
                            {"mul 2 have no result"}},
                    Refusal{"CastOutOfRange",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Cast", {b.scalar("k", 1e30F)}, "d", {attr("to", int{Type::INT64})});
                            },
                            {"does not fit"}},
                    Refusal{"CastNan",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Cast", {b.scalar("k", NAN)}, "d", {attr("to", int{Type::INT8})});
                            },
                            {"value nan does not fit"}},
                    Refusal{"GatherIndex",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Gather", {b.ints("k", {1, 2}), b.ints("i", {2})}, "d");
                            },
                            {"index 2 of 2 rows"}},
                    Refusal{"RangeHuge",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Range", {b.scalar("s", 0), b.scalar("l", 1e9F), b.scalar("d", 1)}, "r");
                            },
                            {"a range of 1000000000 values"}},
                    Refusal{"RangeStepZero",
                            [](OnnxBuilder& b) {
                              relu(b), b.node("Range", {b.scalar("s", 0), b.scalar("l", 1), b.scalar("d", 0)}, "r");
                            },
                            {"a range of inf values"}},
                    Refusal{"ConstantOfShapeHuge",
                            [](OnnxBuilder& b) { relu(b), b.node("ConstantOfShape", {b.ints("n", {1 << 30})}, "z"); },
                            {"up to 2 GiB"}},
                    Refusal{"ConstantOfShapeNegative",
                            [](OnnxBuilder& b) { relu(b), b.node("ConstantOfShape", {b.ints("n", {-1})}, "z"); },
                            {"negative dimension"}},
                    // 2^28 bytes in all, whatever they are split over.
                    Refusal{"ManyLargeConstants",
                            [](OnnxBuilder& b) {
                              relu(b), b.ints("n", {1 << 24});
                              for (int k = 0; k < 100; ++k) b.node("ConstantOfShape", {"n"}, "z" + std::to_string(k));
                            },
                            {"pass 256 MiB"}},
                    Refusal{"DoublingConcat",
                            [](OnnxBuilder& b) {
                              relu(b);
                              std::string last = b.ints("n", Ints(1000, 1));
                              for (int k = 0; k < 60; ++k)
                                last = b.node("Concat", {last, last}, "z" + std::to_string(k), {attr("axis", 0)});
                            },
                            {"pass 256 MiB"}},
                    Refusal{"ConstantEmpty",
                            [](OnnxBuilder& b) { relu(b), b.node("Constant", {}, "k"); },
                            {"0 attributes; supported: one value"}},
                    Refusal{"ConstantString",
                            [](OnnxBuilder& b) { relu(b), b.node("Constant", {}, "k", {attr("value_string", "a")}); },
                            {"'value_string' is not supported"}},
                    Refusal{"ConstantType",
                            [](OnnxBuilder& b) {
                              relu(b);
                              onnx::TensorProto t;
                              t.set_data_type(Type::FLOAT16);
                              b.node("Constant", {}, "k", {Attr{"value", t}});
                            },
                            {"attribute value: dtype float16"}}),
    refusal_name);

void int16(OnnxBuilder& b) {
  b.input("x", {2});
  auto& t = *b.graph().add_initializer();
  t.set_name("k");
  t.set_data_type(Type::INT16);
}

void quantize(OnnxBuilder& b, float scale) {
  b.input("x", {1, 3, 4, 4});
  b.output(b.quantize<uint8_t>("x", scale, 0, "q"));
}

INSTANTIATE_TEST_SUITE_P(
    Quantization, Reject,
    testing::Values(
        Refusal{"ScaleZero",
                [](OnnxBuilder& b) { quantize(b, 0); },
                {"node 'q' (QuantizeLinear)", "scale 'q.s' holds 0", "positive normal"}},
        Refusal{"ScaleNegative", [](OnnxBuilder& b) { quantize(b, -0.5F); }, {"scale 'q.s' holds -0.5"}},
        Refusal{"ScaleNan", [](OnnxBuilder& b) { quantize(b, NAN); }, {"holds nan"}},
        Refusal{"ScaleInfinite", [](OnnxBuilder& b) { quantize(b, INFINITY); }, {"holds inf"}},
        Refusal{"ScaleDenormal", [](OnnxBuilder& b) { quantize(b, 1e-40F); }, {"scale 'q.s' holds 1e-40"}},
        Refusal{"ScaleType",
                [](OnnxBuilder& b) { b.constant<int32_t>("s", {}, {1}), one(b, "QuantizeLinear", {}, {"s"}); },
                {"scale 's' has dtype s32"}},
        Refusal{
            "ScaleMissing", [](OnnxBuilder& b) { one(b, "QuantizeLinear", {}, {""}); }, {"scale (input 1) is missing"}},
        Refusal{"ScaleCount",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {2}, {1, 2}), one(b, "QuantizeLinear", {}, {"s"});
                },
                {"scale 's' has 2 values for axis 1 of shape 1x3x4x4"}},
        Refusal{"ScaleShape",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {3, 1}, {1, 2, 3}), one(b, "QuantizeLinear", {}, {"s"});
                },
                {"scale 's' has shape 3x1"}},
        Refusal{"ScaleEmpty",
                [](OnnxBuilder& b) { b.constant<float>("s", {0}, {}), one(b, "QuantizeLinear", {}, {"s"}); },
                {"scale 's' has 0 values"}},
        Refusal{"ScaleAxis",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {3}, {1, 2, 3}), one(b, "QuantizeLinear", {attr("axis", 4)}, {"s"});
                },
                {"axis 4 of a tensor of rank 4"}},
        Refusal{"ZeroPointType",
                [](OnnxBuilder& b) {
                  b.scalar("s", 1), b.scalar("z", 1), one(b, "QuantizeLinear", {}, {"s", "z"});
                },
                {"input 'z' has dtype f32; supported: u8, s8"}},
        Refusal{"ZeroPointInt16",
                [](OnnxBuilder& b) {
                  b.scalar("s", 1), int16(b);
                  b.node("QuantizeLinear", {"x", "s", "k"}, "q");
                },
                {"initializer 'k': dtype int16"}},
        Refusal{"ZeroPointCount",
                [](OnnxBuilder& b) {
                  b.constant<float>("s", {3}, {1, 2, 3}), b.constant<uint8_t>("z", {2}, {0, 0}),
                      one(b, "QuantizeLinear", {}, {"s", "z"});
                },
                {"2 zero points for 3 scales"}},
        Refusal{"ZeroPointOtherType",
                [](OnnxBuilder& b) { b.input("x", {3}, Type::UINT8), b.output(b.dequantize<int8_t>("x", 1, 0, "y")); },
                {"zero point 'y.z' is s8, 'x' is u8"}},
        Refusal{"ZeroPointOfBias",
                [](OnnxBuilder& b) { relu(b), b.dequantize<int32_t>(b.constant<int32_t>("k", {1}, {5}), 1, 3, "d"); },
                {"zero point 3 of an s32 tensor; supported: 0"}},
        Refusal{"Blocks",
                [](OnnxBuilder& b) { b.scalar("s", 1), one(b, "QuantizeLinear", {attr("block_size", 16)}, {"s"}); },
                {"attribute block_size is 16 with 's' of shape", "supported: blocks of 1x3x4x4, of shape 1x1x4x4"}},
        Refusal{"ComputedScaleShape",
                [](OnnxBuilder& b) { b.input("s", {4}), one(b, "QuantizeLinear", {}, {"s"}); },
                {"input 's' has shape 4; supported for axis 1 of 1x3x4x4: one value, or 3"}},
        Refusal{"OutputType",
                [](OnnxBuilder& b) {
                  b.scalar("s", 1), one(b, "QuantizeLinear", {attr("output_dtype", int{Type::UINT16})}, {"s"});
                },
                {"attribute output_dtype is uint16"}},
        Refusal{"OutputTypeBesideZeroPoint",
                [](OnnxBuilder& b) {
                  b.scalar("s", 1), b.constant<uint8_t>("z", {}, {0}),
                      one(b, "QuantizeLinear", {attr("output_dtype", int{Type::INT8})}, {"s", "z"});
                },
                {"attribute output_dtype is s8; supported: the zero point's u8"}},
        Refusal{"DequantizeOfFloat",
                [](OnnxBuilder& b) { b.scalar("s", 1), one(b, "DequantizeLinear", {}, {"s"}); },
                {"input 'x' has dtype f32; supported: u8, s8, s32"}},
        Refusal{"OtherParameters",
                [](OnnxBuilder& b) { quantize(b, 1), b.output(b.dequantize<uint8_t>("q", 2, 0, "d")); },
                {"input 'q' is read with scale 2 and zero point 0, but has 1 and 0"}},
        Refusal{"OtherParametersBehindAPool",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 1, 4, 4}), b.quantize<uint8_t>("x", 1, 7, "q"),
                      b.node("MaxPool", {"q"}, "p", {attr("kernel_shape", Ints{2, 2})});
                  b.output(b.dequantize<uint8_t>("p", 1, 8, "d"));
                },
                {"'p' is read with scale 1 and zero point 8, but has 1 and 7"}},
        Refusal{"OtherParametersInConcat",
                [](OnnxBuilder& b) {
                  b.input("x", {2}), b.quantize<uint8_t>("x", 1, 7, "q"), b.quantize<uint8_t>("x", 1, 8, "r");
                  b.output(b.dequantize<uint8_t>(b.node("Concat", {"q", "r"}, "c", {attr("axis", 0)}), 1, 7, "d"));
                },
                {"node 'c' (Concat)", "the same on both sides"}},
        Refusal{"QLinearConvWeights",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 1, 3, 3}, Type::UINT8), b.input("w", {1, 1, 1, 1}, Type::INT8), b.scalar("s", 1),
                      b.constant<uint8_t>("z", {}, {0}), b.constant<int8_t>("wz", {}, {0});
                  b.output(b.node("QLinearConv", {"x", "s", "z", "w", "s", "wz", "s", "z"}, "y"));
                },
                {"weights 'w' are not constant"}},
        Refusal{"QLinearAddTypes",
                [](OnnxBuilder& b) {
                  b.input("x", {3}, Type::UINT8), b.input("z", {3}, Type::INT8), b.scalar("s", 1);
                  b.output(b.node("com.microsoft.QLinearAdd", {"x", "s", "", "z", "s", "", "s"}, "y"));
                },
                {"inputs of different types"}},
        Refusal{"QGemmAlpha",
                [](OnnxBuilder& b) {
                  b.input("x", {1, 1}, Type::UINT8), b.constant<int8_t>("w", {1, 1}, {1}), b.scalar("s", 1);
                  b.output(b.node("com.microsoft.QGemm", {"x", "s", "", "w", "s", ""}, "y", {attr("alpha", 2.0F)}));
                },
                {"attribute alpha is 2; supported: 1"}}),
    refusal_name);

}  // namespace
}  // namespace octet::test

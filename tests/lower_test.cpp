// lower(): weights as s8 terms, multipliers, the overflow proof, and specs of the plain ops.
#include "generator/passes/lower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "generator/kernel/requant.h"
#include "generator/passes/passes.h"
#include "runtime/status.h"
#include "tests/support/net.h"

namespace octet {
namespace {

using testing::HasSubstr;

// The lowered nodes of a network that run_passes accepts.
std::vector<LoweredNode> lowered(Net& net, bool fuse = true, bool views = true) {
  run_passes(net.graph, {.fuse = fuse});
  return lower(net.graph, place_tensors(net.graph, views));
}

template <class Spec>
const LoweredNode* find(const std::vector<LoweredNode>& nodes) {
  for (const LoweredNode& n : nodes)
    if (std::holds_alternative<Spec>(n.spec)) return &n;
  return nullptr;
}

template <class Spec>
int count(const std::vector<LoweredNode>& nodes) {
  return static_cast<int>(std::count_if(nodes.begin(), nodes.end(),
                                        [](const LoweredNode& n) { return std::holds_alternative<Spec>(n.spec); }));
}

std::string error_of(Net& net) {
  try {
    lowered(net);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::user) << e.what();
    return e.what();
  }
  return "no error";
}

// x [1, k] -> linear with these weights [oc, k].
struct LinearNet : Net {
  LinearNet(DType dtype, int64_t oc, const std::vector<int32_t>& values, QuantParams quant, int32_t x_zero = 128,
            float x_scale = 0.5f, float y_scale = 1.0f, DType x_dtype = DType::u8) {
    const auto k = static_cast<int64_t>(values.size()) / oc;
    const TensorId x = qdq(input("x", {1, k}), "x_q", x_scale, x_zero, x_dtype);
    output(qdq(node({.op = OpKind::linear, .name = "fc"}, {x, weights("w", dtype, {oc, k}, values, std::move(quant))},
                    {1, oc}),
               "y", y_scale, 3, x_dtype));
  }
};

// ---- weights

struct TermCase {
  const char* name;
  DType dtype;
  std::vector<int32_t> weights, zero_points;  // two output channels
  int terms;
};
class Terms : public testing::TestWithParam<TermCase> {};

TEST_P(Terms, AddUpToTheCentredWeights) {
  const TermCase& c = GetParam();
  const bool per_tensor = c.zero_points.size() == 1;
  LinearNet net(c.dtype, 2, c.weights,
                {std::vector<float>(c.zero_points.size(), 0.25f), c.zero_points, per_tensor ? -1 : 0});
  const auto nodes = lowered(net);
  const LoweredNode* n = find<ConvSpec>(nodes);
  ASSERT_TRUE(n);
  const auto& spec = std::get<ConvSpec>(n->spec);
  EXPECT_EQ(spec.weight_terms, c.terms);
  ASSERT_EQ(n->conv.weights.size(), c.weights.size() * static_cast<size_t>(c.terms));
  for (size_t i = 0; i < c.weights.size(); ++i) {
    int sum = 0;
    for (int t = 0; t < c.terms; ++t) sum += n->conv.weights[static_cast<size_t>(t) * c.weights.size() + i];
    const size_t channel = i / (c.weights.size() / 2);
    EXPECT_EQ(sum, c.weights[i] - c.zero_points[per_tensor ? 0 : channel]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Terms,
                         testing::Values(TermCase{"s8", DType::s8, {-128, 127, 0, 5}, {0}, 1},
                                         TermCase{"u8_in_the_middle", DType::u8, {0, 255, 128, 5}, {128}, 1},
                                         TermCase{"u8_one_off", DType::u8, {0, 255, 128, 5}, {127}, 2},
                                         TermCase{"u8_zero_at_top", DType::u8, {0, 255, 128, 5}, {255}, 2},
                                         TermCase{"u8_zero_at_bottom", DType::u8, {0, 254, 128, 5}, {0}, 2},
                                         TermCase{"u8_255_needs_three", DType::u8, {0, 255, 128, 5}, {0}, 3},
                                         TermCase{"u8_small_values", DType::u8, {0, 127, 1, 5}, {0}, 1},
                                         TermCase{
                                             "s8_zero_at_both_ends", DType::s8, {-128, 127, -128, 126}, {127, -128}, 2},
                                         TermCase{"per_channel", DType::u8, {0, 255, 3, 4}, {128, 0}, 1}),
                         [](const auto& info) { return info.param.name; });

// ---- requantization

// O, I, kh, kw in the file; O, kh, kw, I for kernels, whatever the weights' type.
TEST(LowerConv, WeightsInKernelOrder) {
  for (const auto& [dtype, zero] : {std::pair(DType::s8, 0), std::pair(DType::s8, 3), std::pair(DType::u8, 128)}) {
    Net net;
    std::vector<int32_t> values(12), expected = {0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11};
    std::iota(values.begin(), values.end(), zero);
    const TensorId w = net.weights("w", dtype, {2, 2, 1, 3}, values, {{0.5f}, {zero}, -1});
    const TensorId x = net.qdq(net.input("x", {1, 2, 1, 3}), "x_q", 0.5f, 128);
    net.output(net.qdq(net.conv("conv", x, w, kNoTensor, {.kw = 3}, {1, 2, 1, 1}), "y", 1, 3));
    const auto nodes = lowered(net);
    const auto& weights = find<ConvSpec>(nodes)->conv.weights;
    EXPECT_EQ(std::vector<int32_t>(weights.begin(), weights.end()), expected) << dtype_name(dtype) << " " << zero;
  }
}

TEST(LowerConv, MultipliersZeroPointsAndRange) {
  LinearNet net(DType::s8, 2, {1, 2, 3, 4}, {{0.1f, 0.3f}, {0, 0}, 0}, -128, 0.7f, 0.9f, DType::s8);
  const auto nodes = lowered(net);
  const LoweredNode* n = find<ConvSpec>(nodes);
  ASSERT_TRUE(n);
  const auto& spec = std::get<ConvSpec>(n->spec);
  EXPECT_EQ(spec.src_zero, 0) << "s8 is stored as q + 128";
  EXPECT_EQ(spec.requant, (Requant{.zero = 131, .lo = 0, .hi = 255}));
  for (size_t c = 0; c < 2; ++c) {
    const float product = 0.7f * (c ? 0.3f : 0.1f);
    EXPECT_EQ(n->conv.scale[c].m, product / 0.9f);
  }
  EXPECT_EQ(n->conv.bias, (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(std::tuple(spec.iw, spec.ow, spec.ic, spec.oc, spec.src_pitch, spec.dst_pitch),
            std::tuple(1, 1, 2, 2, 4, 4));
}

// s8 x [1, 1] -> linear of weights [oc, 1], float biases -> s8, no float edges: other profiles quantize those
// differently.
struct IntegerNet : Net {
  IntegerNet(Profile profile, const std::vector<int32_t>& weight, QuantParams quant, const std::vector<float>& bias,
             float y_scale = 1.0f, QRange range = {}) {
    graph.profile = profile;
    const auto oc = static_cast<int64_t>(weight.size());
    const TensorId x =
        graph.add({.name = "x", .dtype = DType::s8, .shape = {1, 1}, .quant = QuantParams{{0.5f}, {3}, -1}});
    graph.inputs.push_back(x);
    TensorId y =
        node({.op = OpKind::linear, .name = "fc"},
             {dequantize(x), weights("w", DType::s8, {oc, 1}, weight, std::move(quant)), constant("b", {oc}, bias)},
             {1, oc});
    if (range != QRange{}) y = unary("relu", y, Unary::relu);
    output(quantize(y, "y", y_scale, 5, DType::s8));
  }
};

TEST(LowerConv, EveryProfileHasItsForm) {
  const auto requant_of = [](Profile p, bool relu = false) {
    IntegerNet net(p, {7, -9}, {{0.25f, 0.125f}, {0, 0}, 0}, {0.3f, -1.7f}, 1.0f, relu ? QRange{0, 127} : QRange{});
    return std::get<ConvSpec>(find<ConvSpec>(lowered(net))->spec).requant;
  };
  EXPECT_EQ(requant_of(Profile::xnn).form, RequantForm::scaled);
  EXPECT_EQ(requant_of(Profile::tfl_ref).form, RequantForm::doubles);
  EXPECT_EQ(requant_of(Profile::tflm).form, RequantForm::fixed_away);
  EXPECT_EQ(requant_of(Profile::tflm, true).form, RequantForm::fixed_up) << "what is negative is clamped anyway";
  EXPECT_EQ(requant_of(Profile::tfl_ruy).form, RequantForm::fixed_up);
  EXPECT_EQ(requant_of(Profile::qnnpack).form, RequantForm::scaled);
  EXPECT_EQ(requant_of(Profile::torch_x86).form, RequantForm::biased);
  EXPECT_EQ(requant_of(Profile::tidl).form, RequantForm::shift);
  const Requant r = requant_of(Profile::onednn);
  EXPECT_EQ(r.form, RequantForm::affine);
  EXPECT_EQ(r.offset, 128);
}

TEST(LowerConv, KeepsFloatBiasesWhereTheProfileAddsThem) {
  IntegerNet kept(Profile::fbgemm, {7, -9}, {{0.25f, 0.5f}, {0, 0}, 0}, {0.3f, -1.7f});
  const auto k = lowered(kept);
  EXPECT_EQ(find<ConvSpec>(k)->conv.bias, (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(find<ConvSpec>(k)->conv.scale[1].b, -1.7f / 0.25f);
  IntegerNet rounded(Profile::qnnpack, {7, -9}, {{0.25f, 0.5f}, {0, 0}, 0}, {0.3f, -1.7f});
  EXPECT_EQ(find<ConvSpec>(lowered(rounded))->conv.bias, (std::vector<int32_t>{2, -7}));
}

TEST(LowerConv, RefusesWhatAFormCannotHold) {
  IntegerNet uneven(Profile::tidl, {7}, {{0.3f}, {0}, -1}, {0.0f});
  EXPECT_THAT(error_of(uneven), HasSubstr("of output channel 0; supported in profile tidl are powers of two"));
  // 2^29 * 0.5 * 0.5 as a bias, and a left shift of one.
  IntegerNet large(Profile::tflm, {7, 1}, {{0.5f, 0.5f}, {0, 0}, 0}, {0.0f, 0x1p27f}, 0.125f);
  EXPECT_THAT(error_of(large), HasSubstr("linear 'fc': the sum of output channel 1 can reach "));
}

TEST(LowerConv, MultipliersAtTheEndsOfTheWindow) {
  LinearNet tiny(DType::s8, 1, {127, 127}, {{0x1p-30f}, {0}, -1}, 0, 0x1p-20f, 1.0f);  // every product rounds to 0
  EXPECT_EQ(find<ConvSpec>(lowered(tiny))->conv.scale[0].m, 0x1p-32f);
  LinearNet most(DType::s8, 1, {1, 1}, {{255.0f}, {0}, -1}, 0, 1.0f, 1.0f);
  EXPECT_EQ(find<ConvSpec>(lowered(most))->conv.scale[0].m, 255.0f);
  LinearNet beyond(DType::s8, 2, {1, 1, 1, 1}, {{1.0f, 256.0f}, {0, 0}, 0}, 0, 1.0f, 1.0f);
  EXPECT_THAT(error_of(beyond), HasSubstr("linear 'fc': multiplier 256 of output channel 1 is out of range"));
  LinearNet silent(DType::s8, 2, {1, 1, 0, 0}, {{1.0f, 256.0f}, {0, 0}, 0}, 0, 1.0f, 1.0f);
  EXPECT_NO_THROW(lowered(silent)) << "a channel that is always 0 may have any scale";
}

TEST(LowerConv, WideOnlyWhereAProductCanLeaveS32) {
  LinearNet narrow(DType::s8, 1, std::vector<int32_t>(1000, 127), {{0.5f}, {0}, -1}, 0, 1.0f, 1.0f);
  EXPECT_FALSE(std::get<ConvSpec>(find<ConvSpec>(lowered(narrow))->spec).requant.wide);
  LinearNet wide(DType::s8, 1, std::vector<int32_t>(1000, 127), {{100.0f}, {0}, -1}, 0, 1.0f, 1.0f);
  EXPECT_TRUE(std::get<ConvSpec>(find<ConvSpec>(lowered(wide))->spec).requant.wide);
}

// x -> [relu ->] linear of k weights of 127 and a bias; sums reach k * 127 * (255 - zero) + bias.
std::string error_with_bias(int32_t zero, int32_t bias, DType dtype = DType::u8) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 2}), "x_q", 1.0f, zero, dtype);
  const TensorId w = net.weights("w", DType::s8, {2, 2}, {0, 0, 127, -128}, {{1.0f}, {0}, -1});
  const TensorId fc = net.node({.op = OpKind::linear, .name = "fc"}, {x, w}, {1, 2});
  const int32_t biases[] = {0, bias};
  net.graph.nodes.back().inputs.push_back(net.graph.add_constant<int32_t>("b", DType::s32, {2}, biases));
  net.output(net.qdq(fc, "y", 1.0f, 3));
  return error_of(net);
}

TEST(LowerConv, TheOverflowProofIsTightAtBothEnds) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  // With zero point 0 the sum lies in [-128 * 255, 127 * 255] + bias.
  EXPECT_EQ(error_with_bias(0, kMax - 127 * 255), "no error");
  EXPECT_THAT(
      error_with_bias(0, kMax - 127 * 255 + 1),
      HasSubstr("linear 'fc': the sum of output channel 1 can reach 2147483648; supported are sums below 2^31"));
  EXPECT_EQ(error_with_bias(0, -kMax + 128 * 255), "no error");
  EXPECT_THAT(error_with_bias(0, -kMax + 128 * 255 - 1), HasSubstr("can reach 2147483648"));
  // With zero point 255 signs turn round; s8 at -128 is as u8 at 0.
  EXPECT_EQ(error_with_bias(255, kMax - 128 * 255), "no error");
  EXPECT_THAT(error_with_bias(255, kMax - 128 * 255 + 1), HasSubstr("channel 1"));
  EXPECT_EQ(error_with_bias(-128, kMax - 127 * 255, DType::s8), "no error");
  EXPECT_THAT(error_with_bias(-128, kMax - 127 * 255 + 1, DType::s8), HasSubstr("channel 1"));
}

// Fixed point has less room than s32, which a channel of one value does not need: dead channels have huge biases.
TEST(LowerConv, ChannelsOfOneValueHaveNoProducts) {
  const auto net_with = [](int32_t bias, float scale) {
    Net net;
    net.graph.profile = Profile::tflm;
    const TensorId x = net.qdq(net.input("x", {1, 2}), "x_q", 1.0f, 0);
    const TensorId w = net.weights("w", DType::s8, {2, 2}, {1, 1, 127, -128}, {{0.5f, scale}, {0, 0}, 0});
    const TensorId fc = net.node({.op = OpKind::linear, .name = "fc"}, {x, w}, {1, 2});
    const int32_t biases[] = {0, bias};
    net.graph.nodes.back().inputs.push_back(net.graph.add_constant<int32_t>("b", DType::s32, {2}, biases));
    net.output(net.qdq(fc, "y", 1.0f, 3));
    return net;
  };
  Net net = net_with(1 << 30, 0x1p-28f);  // 4 steps, whatever x is
  const auto nodes = lowered(net);
  const LoweredNode& n = *find<ConvSpec>(nodes);
  EXPECT_THAT(n.conv.weights, testing::ElementsAre(1, 1, 0, 0));
  EXPECT_EQ(requantize(n.conv.bias[1], n.conv.scale[1], std::get<ConvSpec>(n.spec).requant), 3 + 4);
  Net saturated = net_with(1 << 30, 0x1p-20f);
  EXPECT_EQ(error_of(saturated), "no error");
  Net between = net_with(1 << 30, 0x1.2p-28f);  // 4.5 steps, more or less
  EXPECT_THAT(error_of(between), HasSubstr("the sum of output channel 1 can reach 107"));
}

Net product(const Shape& a, const Shape& b, const Shape& y, float scale_b) {
  Net net;
  net.graph.profile = Profile::tflm;
  const TensorId x = net.qdq(net.input("a", a), "a_q", 0.5f, 3);
  const TensorId w = net.qdq(net.input("b", b), "b_q", scale_b, 200);
  net.output(net.qdq(net.node({.op = OpKind::matmul, .name = "ab"}, {x, w}, y), "y_q", 1.0f, 7));
  return net;
}

TEST(LowerMatMul, StacksShareWhatBroadcasts) {
  Net net = product({2, 3, 4, 8}, {3, 8, 5}, {2, 3, 4, 5}, 0.25f);
  const auto nodes = lowered(net);
  const LoweredNode* n = find<MatMulSpec>(nodes);
  ASSERT_TRUE(n);
  const MatMulSpec expected = {.m = 4,
                               .k = 8,
                               .n = 5,
                               .a_pitch = 8,
                               .b_pitch = 8,
                               .dst_pitch = 8,
                               .batch = {2, 3},
                               .a_strides = {96, 32},
                               .b_strides = {0, 64},
                               .dst_strides = {96, 32},
                               .a_zero = 3,
                               .b_zero = 200,
                               .factor = fixed_point(0.125),
                               .zero = 7};
  EXPECT_EQ(std::get<MatMulSpec>(n->spec), expected) << to_string(n->spec);
}

TEST(LowerMatMul, RefusesWhatFixedPointCannotHold) {
  Net fits = product({1, 166}, {166, 1}, {1, 1}, 500), large = product({1, 167}, {167, 1}, {1, 1}, 500);
  EXPECT_EQ(error_of(fits), "no error");
  EXPECT_THAT(error_of(large), HasSubstr("'ab': its sums of 167 products can reach 8416800"));
  Net factor = product({1, 4}, {4, 1}, {1, 1}, 600);
  EXPECT_THAT(error_of(factor), HasSubstr("'ab': multiplier 300 is out of range"));
}

TEST(LowerMatMul, RefusesVectors) {
  Net net = product({8}, {8, 5}, {5}, 0.25f);
  EXPECT_THAT(error_of(net), HasSubstr("'ab': multiplies 8 by 8x5; supported are matrices"));
}

TEST(LowerConv, TheProofKnowsWhatAProducerLeaves) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  for (const bool relu : {false, true}) {
    Net net;
    const TensorId w1 = net.weights("w1", DType::s8, {1, 1}, {1}, {{1.0f}, {0}, -1});
    const TensorId w2 = net.weights("w2", DType::s8, {1, 1}, {-1}, {{1.0f}, {0}, -1});
    TensorId x = net.qdq(net.input("x", {1, 1}), "x_q", 1.0f, 128);
    x = net.node({.op = OpKind::linear, .name = "fc1"}, {x, w1}, {1, 1});
    if (relu) x = net.unary("relu", x, Unary::relu);
    x = net.qdq(x, "m_q", 1.0f, 100);
    x = net.node({.op = OpKind::linear, .name = "fc2"},
                 {net.qdq(net.node({.op = OpKind::reshape, .name = "r"}, {x}, {1, 1}), "r_q", 1.0f, 100), w2}, {1, 1});
    const int32_t bias[] = {kMax - 99};  // -1 * (0 - 100) would overflow; after relu the least is 0
    net.graph.nodes.back().inputs.push_back(net.graph.add_constant<int32_t>("b", DType::s32, {1}, bias));
    net.output(net.qdq(x, "y", 1.0f, 3));
    const std::string error = error_of(net);
    if (relu)
      EXPECT_EQ(error, "no error");
    else
      EXPECT_THAT(error, HasSubstr("linear 'fc2'"));
  }
}

TEST(LowerConv, ResidualKeepsBothRoundingsAndTheOrder) {
  for (const bool conv_first : {true, false}) {
    Net net;
    const TensorId x = net.qdq(net.input("x", {1, 4, 3, 3}), "x_q", 0.5f, 7);
    const TensorId w = net.weights("w", DType::s8, {4, 4, 1, 1}, std::vector<int32_t>(16, 1), {{0.25f}, {0}, -1});
    const TensorId c =
        net.qdq(net.unary("relu", net.conv("conv", x, w, kNoTensor, {}, {1, 4, 3, 3}), Unary::relu), "c_q", 0.7f, 11);
    const TensorId sum =
        net.node({.op = OpKind::add, .name = "add"}, {conv_first ? c : x, conv_first ? x : c}, {1, 4, 3, 3});
    net.output(net.qdq(net.unary("clip", sum, Unary::clip, 0, 6), "y", 0.9f, 13));
    const auto nodes = lowered(net);
    const auto& spec = std::get<ConvSpec>(find<ConvSpec>(nodes)->spec);
    EXPECT_TRUE(spec.residual);
    EXPECT_EQ(spec.residual_is_first, !conv_first);
    EXPECT_EQ(spec.requant, (Requant{.zero = 11, .lo = 11, .hi = 255}));
    const QuantView a{0.7f, 11, false}, b{0.5f, 7, false}, y{0.9f, 13, false};
    EXPECT_EQ(spec.add,
              conv_first ? add_formula(Profile::ort, a, b, y, 13, 20) : add_formula(Profile::ort, b, a, y, 13, 20));
  }
}

// ---- plain ops

TEST(LowerConcat, PiecesInPlaceGiveNothing) {
  const auto net_of = [](int64_t first) {
    Net net;
    const TensorId x = net.qdq(net.input("x", {1, 4, 3, 3}), "x_q", 0.5f, 7);
    std::vector<TensorId> pieces;
    for (int64_t c : {first, int64_t{5}}) {
      const TensorId w = net.weights("w" + std::to_string(c), DType::s8, {c, 4, 1, 1},
                                     std::vector<int32_t>(static_cast<size_t>(4 * c), 1), {{0.25f}, {0}, -1});
      pieces.push_back(net.qdq(net.conv("conv" + std::to_string(c), x, w, kNoTensor, {}, {1, c, 3, 3}),
                               "q" + std::to_string(c), 1.0f, 3));
    }
    net.output(net.qdq(net.node({.op = OpKind::concat, .name = "cat", .axis = 1}, pieces, {1, first + 5, 3, 3}), "y",
                       1.0f, 3));
    return net;
  };
  Net aligned = net_of(8), odd = net_of(3), copied = net_of(8);
  const auto in_place = lowered(aligned);
  EXPECT_EQ(count<LutSpec>(in_place) + count<CopySpec>(in_place), 0);
  const auto unaligned = lowered(odd);
  EXPECT_EQ(count<CopySpec>(unaligned), 2) << "neither may be written in fours";
  const auto without_views = lowered(copied, true, false);
  EXPECT_EQ(count<LutSpec>(without_views), 2);
}

TEST(LowerTable, StorageBytesOnBothSides) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, -3, DType::s8);
  net.output(net.qdq(net.unary("neg", x, Unary::neg), "y", 0.5f, 10, DType::u8));
  const auto nodes = lowered(net);
  const LoweredNode* n = find<LutSpec>(nodes);
  ASSERT_TRUE(n);
  ASSERT_EQ(n->data[OCTET_WEIGHTS].size(), 256u);
  for (int byte = 0; byte < 256; ++byte) {
    const int q = byte - 128, expected = std::clamp(10 - (q + 3), 0, 255);
    EXPECT_EQ(std::to_integer<int>(n->data[OCTET_WEIGHTS][static_cast<size_t>(byte)]), expected) << byte;
  }
}

TEST(LowerTable, TheSameBytesAreAView) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 6}), "x_q", 0.5f, -128, DType::s8);
  net.output(net.qdq(x, "y", 0.5f, 0, DType::u8));
  EXPECT_EQ(count<LutSpec>(lowered(net)), 0);
}

TEST(LowerTable, TheSameBytesInAConcatAreACopy) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 8}), "x_q", 0.5f, -128, DType::s8);
  const TensorId a = net.qdq(x, "a", 0.5f, 0, DType::u8), b = net.qdq(net.unary("neg", x, Unary::neg), "b", 0.5f, 0);
  net.output(net.qdq(net.node({.op = OpKind::concat, .name = "cat", .axis = 1}, {a, b}, {1, 16}), "y", 0.5f, 0));
  const auto nodes = lowered(net);
  ASSERT_EQ(count<LutSpec>(nodes), 2);
  const LoweredNode* n = find<LutSpec>(nodes);
  EXPECT_TRUE(std::get<LutSpec>(n->spec).copy);
  EXPECT_TRUE(n->data[OCTET_WEIGHTS].empty());
}

// LiteRT's networks of u8 begin so, and their convolutions are of s8.
TEST(LowerTable, ImagesThatOnlyChangeTheirTypeStayWithoutGaps) {
  Net net;
  const TensorId image =
      net.graph.add({.name = "x", .dtype = DType::u8, .shape = {1, 3, 3, 3}, .quant = QuantParams{{0.5f}, {127}, -1}});
  net.graph.inputs.push_back(image);
  net.graph.channels_last = true;
  const TensorId x = net.qdq(net.dequantize(image), "x_q", 0.5f, -1, DType::s8);
  const TensorId w = net.weights("w", DType::s8, {4, 3, 1, 1}, std::vector<int32_t>(12, 1), {{0.25f}, {0}, -1});
  net.output(net.qdq(net.conv("conv", x, w, kNoTensor, {}, {1, 3, 3, 4}), "y", 1.0f, 3));
  const auto nodes = lowered(net);
  EXPECT_EQ(count<LutSpec>(nodes), 0);
  const LoweredNode *edge = find<EdgeSpec>(nodes), *conv = find<ConvSpec>(nodes);
  ASSERT_TRUE(edge && conv);
  EXPECT_EQ(std::get<EdgeSpec>(edge->spec).pitch, 3);
  EXPECT_EQ(std::get<ConvSpec>(conv->spec).src_pitch, 3);
}

TEST(LowerSoftmax, AlongTheChannels) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {2, 7}), "x_q", 0.5f, 7);
  const TensorId y = net.node({.op = OpKind::softmax, .name = "softmax", .axis = 1}, {x}, {2, 7});
  net.output(net.qdq(y, "y", 1.0f / 256, 0));
  const auto nodes = lowered(net);
  const LoweredNode* n = find<SoftmaxSpec>(nodes);
  ASSERT_TRUE(n);
  const auto& spec = std::get<SoftmaxSpec>(n->spec);
  EXPECT_EQ(spec.form, SoftmaxForm::quotient);
  EXPECT_EQ(std::tuple(spec.rows, spec.length, spec.src_pitch), std::tuple(2, 7, 8));
  EXPECT_EQ(n->data[OCTET_WEIGHTS].size(), 1024u);
}

TEST(LowerSoftmax, AlongAnOuterAxis) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {2, 7, 3}), "x_q", 0.5f, 7);
  net.output(net.qdq(net.node({.op = OpKind::softmax, .name = "softmax", .axis = 1}, {x}, {2, 7, 3}), "y", 1, 0));
  const auto nodes = lowered(net);
  const auto& spec = std::get<SoftmaxSpec>(find<SoftmaxSpec>(nodes)->spec);
  EXPECT_EQ(std::tuple(spec.rows, spec.length, spec.pixels, spec.channels), std::tuple(2, 7, 1, 3));
}

TEST(LowerEdges, FloatEdgesKeepTheFilesOrder) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {2, 3, 4, 5}), "x_q", 0.5f, 7);
  net.output(net.qdq(net.unary("neg", x, Unary::neg), "y", 0.5f, 7));
  const auto nodes = lowered(net);
  const auto& in = std::get<QuantizeSpec>(find<QuantizeSpec>(nodes)->spec);
  EXPECT_EQ(std::tuple(in.n, in.pixels, in.channels, in.channels_first, in.pitch), std::tuple(2, 20, 3, true, 4));
  EXPECT_EQ(count<DequantizeSpec>(nodes), 1);
}

TEST(Lower, BatchNormIsOrtsScaleAndShift) {
  Net net;
  const TensorId x = net.qdq(net.input("x", {1, 2, 3, 3}), "x_q", 0.5f, 7);
  const TensorId y = net.node({.op = OpKind::batch_norm, .name = "bn", .alpha = 0},
                              {x, net.constant("s", {2}, {3, -1}), net.constant("o", {2}, {5, 6}),
                               net.constant("m", {2}, {4, 2}), net.constant("v", {2}, {4, 1})},
                              {1, 2, 3, 3});
  net.output(net.qdq(net.unary("relu", y, Unary::relu), "y", 0.5f, 9));
  const auto nodes = lowered(net);
  const LoweredNode* n = find<AffineSpec>(nodes);
  ASSERT_TRUE(n);
  EXPECT_EQ(std::get<AffineSpec>(n->spec).lo, 9);
  const auto* scale = reinterpret_cast<const float*>(n->data[OCTET_SCALE].data());
  const auto* shift = reinterpret_cast<const float*>(n->data[OCTET_BIAS].data());
  EXPECT_EQ(std::vector<float>(scale, scale + 2), (std::vector<float>{1.5f, -1}));
  EXPECT_EQ(std::vector<float>(shift, shift + 2), (std::vector<float>{-1, 8}));
}

TEST(Lower, ReduceMeanIsNotGlobalAveragePool) {
  for (const bool mean : {true, false}) {
    Net net;
    const TensorId x = net.qdq(net.input("x", {1, 2, 3, 3}), "x_q", 0.5f, 7);
    net.output(net.qdq(
        net.node(
            {.op = OpKind::global_average_pool, .name = "gap", .source = mean ? "ReduceMean" : "GlobalAveragePool"},
            {x}, {1, 2, 1, 1}),
        "y", 0.5f, 7));
    const auto nodes = lowered(net);
    const auto& pool = std::get<PoolSpec>(find<PoolSpec>(nodes)->spec);
    EXPECT_EQ(pool.kind, PoolKind::whole);
    EXPECT_EQ(pool.mean.form, mean ? MeanForm::vectors : MeanForm::scaled);
  }
}

}  // namespace
}  // namespace octet

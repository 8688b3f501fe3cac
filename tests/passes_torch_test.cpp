// What the passes make of the patterns that PyTorch's exporters write.
#include <gtest/gtest.h>

#include "generator/passes/edit.h"
#include "tests/support/conv_net.h"

namespace octet {
namespace {

void run(Graph& graph, std::initializer_list<void (*)(Graph&)> passes) {
  for (auto* pass : passes) {
    pass(graph);
    remove_dead_nodes(graph);
    verify(graph);
  }
}

// conv -> div -> batch norm, as networks in quantization-aware training have it.
struct QatNet : ConvNet {
  TensorId norm;
  explicit QatNet(float gamma, QuantParams weights = {{0.25f, 0.5f}, {0, 0}, 0}) : ConvNet(0.5f, {8, -4}, weights) {
    const TensorId factor = constant("factor", {1, 2, 1, 1}, {2, 4});
    const TensorId divided = node({.op = OpKind::div, .name = "div"}, {y, factor}, {1, 2, 3, 3});
    norm = node({.op = OpKind::batch_norm, .name = "bn", .alpha = 0},
                {divided, constant("s", {2}, {gamma, 1}), constant("o", {2}, {5, 6}), constant("m", {2}, {4, 0}),
                 constant("v", {2}, {4, 1})},
                {1, 2, 3, 3});
    output(norm);
  }
};

TEST(FoldBatchNorm, JoinsTheScalesOfQuantizedWeights) {
  QatNet net(3);
  run(net.graph, {fold_batch_norm});
  EXPECT_EQ(count(net.graph, OpKind::div), 0);
  EXPECT_EQ(count(net.graph, OpKind::batch_norm), 0);
  const Node* conv = find(net.graph, OpKind::conv);
  const Edit edit(net.graph);
  const Tensor& w = net.graph.tensor(dequantized_from(edit, conv->inputs[1]));
  EXPECT_EQ(w.quant->scale, (std::vector<float>{0.25f / 2 * 1.5f, 0.5f / 4}));  // gamma / sqrt(variance) = 1.5
  EXPECT_EQ(integers(w), (std::vector<int32_t>{1, -128, 127, 3}));
  const auto b = net.graph.tensor(conv->inputs[2]).values<float>();
  EXPECT_EQ(std::vector<float>(b.begin(), b.end()), (std::vector<float>{(8.0f / 2 - 4) * 1.5f + 5, -1 + 6}));
}

TEST(FoldBatchNorm, SpreadsOneScaleOverChannels) {
  QatNet net(3, {{0.25f}, {7}, -1});
  run(net.graph, {fold_batch_norm});
  const Edit edit(net.graph);
  const Tensor& w = net.graph.tensor(dequantized_from(edit, find(net.graph, OpKind::conv)->inputs[1]));
  EXPECT_EQ(*w.quant, (QuantParams{{0.1875f, 0.0625f}, {7, 7}, 0}));
}

TEST(FoldBatchNorm, LeavesWhatNegatesWeights) {
  QatNet net(-3);
  run(net.graph, {fold_batch_norm});
  EXPECT_EQ(count(net.graph, OpKind::batch_norm), 1);
}

// QuantizeLinear -> Clip on integers -> DequantizeLinear, as reduced ranges are written.
TEST(FuseRanges, AClampOfIntegersJoinsTheConv) {
  ConvNet net;
  const TensorId q = net.quantize(net.y, "y_q", 0.5f, 10);
  Tensor like = net.graph.tensor(q);
  like.name = "clipped";
  const TensorId clipped = net.graph.add(like);
  net.graph.nodes.push_back(
      {.op = OpKind::identity, .name = "clip", .inputs = {q}, .outputs = {clipped}, .range = {0, 127}});
  net.output(net.dequantize(clipped));
  run_passes(net.graph);
  const Node* conv = find(net.graph, OpKind::conv);
  ASSERT_TRUE(conv);
  EXPECT_EQ(conv->range.hi, 127);
  EXPECT_EQ(count(net.graph, OpKind::requantize), 0);
}

// conv -> relu -> reshape: what follows a move goes in front of it, so that the conv is quantized.
TEST(MoveQuantization, RelusRiseWithTheQuantizeBehindThem) {
  ConvNet net;
  const TensorId flat = net.node({.op = OpKind::reshape, .name = "flat"}, {net.y}, {1, 18});
  net.output(net.qdq(net.unary("relu", flat, Unary::relu), "y_q", 0.5f, 10));
  run(net.graph, {move_quantization, fold_qdq});
  const Node* conv = find(net.graph, OpKind::conv);
  ASSERT_TRUE(conv);
  EXPECT_EQ(conv->range.lo, 10);
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::reshape)->outputs[0]).name, "y_q");
}

TEST(MoveQuantization, RelusRiseIntoEveryPieceOfAConcat) {
  ConvNet net;
  const TensorId both = net.node({.op = OpKind::concat, .name = "both", .axis = 1}, {net.y, net.y}, {1, 4, 3, 3});
  net.output(net.qdq(net.unary("relu", both, Unary::relu), "y_q", 0.5f, 10));
  run(net.graph, {move_quantization});
  EXPECT_EQ(count(net.graph, OpKind::unary), 2);
  EXPECT_EQ(net.graph.tensor(find(net.graph, OpKind::concat)->inputs[0]).dtype, DType::u8);
}

// --- functions that are spelled out

struct Spelled : Net {
  TensorId x = input("x", {2, 3, 4});
  TensorId scalar(const std::string& name, float v) { return constant(name, {}, {v}); }
  TensorId mean(const std::string& name, TensorId t) {
    return node({.op = OpKind::reduce, .name = name, .axes = {2}, .reduction = Reduction::mean}, {t}, {2, 3, 1});
  }
  TensorId op(OpKind kind, const std::string& name, TensorId a, TensorId b, Shape s = {2, 3, 4}) {
    return node({.op = kind, .name = name}, {a, b}, std::move(s));
  }
};

struct LayerNormNet : Spelled {
  explicit LayerNormNet(bool by_pow, float epsilon = 0.25f) {
    const TensorId d = op(OpKind::sub, "centred", x, mean("mean", x));
    const TensorId sq = by_pow ? op(OpKind::pow, "pow", d, scalar("two", 2)) : op(OpKind::mul, "square", d, d);
    const TensorId sum = op(OpKind::add, "sum", mean("variance", sq), scalar("epsilon", epsilon), {2, 3, 1});
    const TensorId root = node({.op = OpKind::unary, .name = "root", .function = Unary::sqrt}, {sum}, {2, 3, 1});
    const TensorId scaled =
        op(OpKind::mul, "scaled", op(OpKind::div, "div", d, root), constant("g", {4}, {1, 2, 3, 4}));
    output(op(OpKind::add, "y", constant("h", {4}, {5, 6, 7, 8}), scaled));
  }
};

TEST(MatchFunctions, LayerNormalisation) {
  for (const bool by_pow : {true, false}) {
    LayerNormNet net(by_pow);
    run(net.graph, {match_functions});
    ASSERT_EQ(net.graph.nodes.size(), 1u) << print(net.graph);
    const Node& n = net.graph.nodes[0];
    EXPECT_EQ(n.op, OpKind::layer_norm);
    EXPECT_EQ(n.axis, 2);
    EXPECT_EQ(n.alpha, 0.25f);
    EXPECT_EQ(net.graph.tensor(n.inputs[1]).name, "g");
    EXPECT_EQ(net.graph.tensor(n.inputs[2]).name, "h");
    EXPECT_EQ(n.outputs[0], net.graph.outputs[0]);
  }
}

// The variance of something else.
TEST(MatchFunctions, LayerNormalisationOfTwoTensorsIsNone) {
  LayerNormNet net(false);
  const TensorId other = net.graph.add({.name = "other", .shape = {2, 3, 4}});
  net.graph.inputs.push_back(other);
  for (Node& n : net.graph.nodes)
    if (n.name == "square") n.inputs = {other, other};
  run(net.graph, {match_functions});
  EXPECT_EQ(count(net.graph, OpKind::layer_norm), 0);
}

TEST(MatchFunctions, GeluInEveryOrder) {
  for (int order = 0; order < 6; ++order) {
    Spelled net;
    const bool by_product = order % 2;
    const TensorId inner = by_product ? net.op(OpKind::mul, "in", net.scalar("r", 0.70710677f), net.x)
                                      : net.op(OpKind::div, "in", net.x, net.scalar("r", 1.4142135f));
    const TensorId erf = net.node({.op = OpKind::unary, .name = "erf", .function = Unary::erf}, {inner}, {2, 3, 4});
    const TensorId gate = net.op(OpKind::add, "gate", erf, net.scalar("one", 1)), half = net.scalar("half", 0.5f);
    const auto times = [&net](const std::string& name, TensorId a, TensorId b) {
      return net.op(OpKind::mul, name, a, b);
    };
    net.output(order / 2 == 0   ? times("y", times("p", net.x, gate), half)
               : order / 2 == 1 ? times("y", gate, times("p", half, net.x))
                                : times("y", times("p", gate, half), net.x));
    run(net.graph, {match_functions});
    ASSERT_EQ(net.graph.nodes.size(), 1u) << order << "\n" << print(net.graph);
    EXPECT_EQ(net.graph.nodes[0].function, Unary::gelu);
    EXPECT_EQ(net.graph.nodes[0].inputs[0], net.x);
  }
}

TEST(MatchFunctions, ErfWithAnotherFactorIsNoGelu) {
  Spelled net;
  const TensorId inner = net.op(OpKind::div, "in", net.x, net.scalar("r", 1.5f));
  const TensorId erf = net.node({.op = OpKind::unary, .name = "erf", .function = Unary::erf}, {inner}, {2, 3, 4});
  const TensorId gate = net.op(OpKind::add, "gate", erf, net.scalar("one", 1));
  net.output(net.op(OpKind::mul, "y", net.op(OpKind::mul, "p", net.x, gate), net.scalar("half", 0.5f)));
  run(net.graph, {match_functions});
  EXPECT_EQ(net.graph.nodes.size(), 5u);
}

// --- a product of two activations

struct ProductNet : Net {
  ProductNet() {
    const TensorId a = qdq(input("a", {2, 3}), "a_q", 0.5f, 7),
                   b = qdq(input("b", {3, 4}), "b_q", 0.25f, -3, DType::s8);
    output(qdq(node({.op = OpKind::matmul, .name = "product"}, {a, b}, {2, 4}), "y_q", 0.375f, 100));
  }
};

TEST(ExpandMatmul, SumsAndTheirRoundingAreSpelledOut) {
  ProductNet net;
  run(net.graph, {fold_qdq, expand_matmul});
  const Node* sum = find(net.graph, OpKind::integer_matmul);
  ASSERT_TRUE(sum);
  EXPECT_EQ(net.graph.tensor(sum->inputs[0]).name, "a_q");
  EXPECT_EQ(integers(net.graph.tensor(sum->inputs[2])), (std::vector<int32_t>{7}));
  EXPECT_EQ(integers(net.graph.tensor(sum->inputs[3])), (std::vector<int32_t>{-3}));
  std::vector<float> factors;
  for (const Node& n : net.graph.nodes) {
    if (n.op == OpKind::mul) factors.push_back(net.graph.tensor(n.inputs[1]).values<float>()[0]);
    if (n.op == OpKind::unary && n.function == Unary::clip) {
      EXPECT_EQ(n.alpha, -100.0f);
      EXPECT_EQ(n.beta, 155.0f);
    }
  }
  EXPECT_EQ(factors, (std::vector<float>{0.125f / 0.375f, 0.375f}));
}

TEST(ExpandMatmul, RuntimesThatRoundInIntegersKeepTheirOwn) {
  ProductNet net;
  net.graph.profile = Profile::tfl_ref;
  run(net.graph, {fold_qdq, expand_matmul});
  EXPECT_EQ(count(net.graph, OpKind::matmul), 1);
}

}  // namespace
}  // namespace octet

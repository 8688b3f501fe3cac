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

}  // namespace
}  // namespace octet

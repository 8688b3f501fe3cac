// Passes that only TensorFlow Lite's profiles need, and products with constant stacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "generator/passes/passes.h"
#include "generator/passes/table.h"
#include "runtime/status.h"
#include "tests/support/net.h"

namespace octet {
namespace {

using enum OpKind;

std::vector<OpKind> ops_of(const Graph& g) {
  std::vector<OpKind> ops;
  for (const Node& n : g.nodes) ops.push_back(n.op);
  return ops;
}

TensorId quantized(Graph& g, const char* name, Shape shape, float scale, int32_t zero) {
  return g.add(
      {.name = name, .dtype = DType::u8, .shape = std::move(shape), .quant = QuantParams{{scale}, {zero}, -1}});
}

// A quarter: every fourth step is a tie.
Graph quartered(Profile profile, int64_t count) {
  Graph g;
  g.profile = profile;
  g.channels_last = true;
  const TensorId x = quantized(g, "x", {count}, 0.25f, 10), y = quantized(g, "y", {count}, 1.0f, 128);
  g.inputs = {x};
  g.outputs = {y};
  g.nodes.push_back({.op = requantize, .name = "q", .source = "QUANTIZE", .inputs = {x}, .outputs = {y}});
  split_ties(g);
  verify(g);
  return g;
}

int32_t eight(const Graph& g, size_t node) {
  return table_of(g, g.nodes[node])[8];
}

TEST(SplitTies, WhatIsBeyondSixteensRoundsAwayFromZero) {
  const Graph g = quartered(Profile::tfl_ruy, 35);
  ASSERT_EQ(ops_of(g), (std::vector{reshape, split, unary, unary, concat, reshape})) << print(g);
  EXPECT_EQ(g.tensor(g.nodes[1].outputs[0]).shape, (Shape{1, 32}));
  EXPECT_EQ(g.tensor(g.nodes[1].outputs[1]).shape, (Shape{1, 3}));
  EXPECT_EQ(eight(g, 2), 128);  // -1/2 up
  EXPECT_EQ(eight(g, 3), 127);  // and away
}

TEST(SplitTies, FewElementsHaveOneTable) {
  const Graph g = quartered(Profile::tfl_ruy, 15);
  ASSERT_EQ(ops_of(g), (std::vector{reshape, unary, reshape})) << print(g);
  EXPECT_EQ(eight(g, 1), 127);
}

TEST(SplitTies, OthersStay) {
  EXPECT_EQ(ops_of(quartered(Profile::tfl_ruy, 32)), std::vector{requantize});
  for (Profile profile : {Profile::tfl_ref, Profile::xnn})  // XNNPACK takes these scales
    EXPECT_EQ(ops_of(quartered(profile, 35)), std::vector{requantize});
}

Graph product(Profile profile, Shape x, Shape w, Shape y) {
  Graph g;
  g.profile = profile;
  const TensorId a = quantized(g, "x", std::move(x), 0.5f, 10);
  const std::vector<uint8_t> values(static_cast<size_t>(element_count(w)), 3);
  const TensorId b = g.add_constant<uint8_t>("w", DType::u8, std::move(w), values);
  g.tensor(b).quant = QuantParams{{0.25f}, {1}, -1};
  const TensorId c = quantized(g, "y", std::move(y), 1.0f, 128);
  g.inputs = {a};
  g.outputs = {c};
  g.nodes.push_back({.op = matmul, .name = "ab", .source = "BATCH_MATMUL", .inputs = {a, b}, .outputs = {c}});
  split_matmul(g);
  verify(g);
  return g;
}

TEST(SplitMatmul, EveryMatrixIsALayer) {
  const Graph g = product(Profile::xnn, {2, 1, 4, 5}, {3, 5, 6}, {2, 3, 4, 6});
  EXPECT_EQ(count(g, linear), 6) << print(g);
  EXPECT_EQ(count(g, concat), 1);
  EXPECT_EQ(g.nodes.back().op, reshape);
  EXPECT_EQ(find(g, linear)->source, "BATCH_MATMUL");
}

TEST(SplitMatmul, ASharedMatrixIsOneLayer) {
  const Graph g = product(Profile::ort, {7, 4, 5}, {1, 1, 5, 6}, {1, 7, 4, 6});
  EXPECT_EQ(ops_of(g), (std::vector{reshape, linear})) << print(g);
}

TEST(SplitMatmul, VeryManyMatricesStayAProduct) {
  EXPECT_EQ(ops_of(product(Profile::tflm, {1, 1}, {1025, 1, 1}, {1025, 1, 1})), std::vector{matmul});
  EXPECT_EQ(count(product(Profile::tflm, {1, 1}, {1024, 1, 1}, {1024, 1, 1}), linear), 1024);
  EXPECT_THROW(product(Profile::xnn, {1, 1}, {1025, 1, 1}, {1025, 1, 1}), Error);
}

}  // namespace
}  // namespace octet

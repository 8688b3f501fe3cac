// The graph's own helpers: verifier, index, printer, dead nodes.
#include "generator/graph/graph.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/status.h"

namespace octet {
namespace {

// x (u8) -> conv with s8 weights -> y (u8), and a relu of y that nobody reads.
Graph small() {
  Graph g;
  g.name = "small";
  g.format = "test";
  const TensorId x = g.add({.name = "x", .dtype = DType::u8, .shape = {1, 1, 4, 4}, .quant = QuantParams{{0.5F}, {3}}});
  const TensorId w = g.add_constant<int8_t>("w", DType::s8, {2, 1, 1, 1}, std::vector<int8_t>{-128, 127});
  g.tensor(w).quant = QuantParams{{0.25F, 0.125F}, {0, 0}, 0};
  const TensorId y = g.add({.name = "y", .dtype = DType::u8, .shape = {1, 2, 4, 4}, .quant = QuantParams{{1}, {0}}});
  const TensorId z = g.add({.name = "z", .dtype = DType::u8, .shape = {1, 2, 4, 4}});
  g.inputs = {x};
  g.outputs = {y};
  g.nodes.push_back({.op = OpKind::conv, .name = "c", .inputs = {x, w}, .outputs = {y}});
  g.nodes.push_back({.op = OpKind::unary, .name = "r", .inputs = {y}, .outputs = {z}});
  return g;
}

std::string complaint(const Graph& g) {
  try {
    verify(g);
  } catch (const Error& e) {
    return e.kind() == ErrorKind::internal ? e.what() : "not internal";
  }
  return "fine";
}

TEST(Graph, CountsElements) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 5}), 30);
  EXPECT_EQ(element_count({2, 0}), 0);
  EXPECT_EQ(to_string(Shape{1, 3, 224, 224}), "1x3x224x224");
  EXPECT_EQ(to_string(Shape{}), "scalar");
}

TEST(Graph, IndexKnowsProducersAndEachReaderOnce) {
  Graph g = small();
  const TensorId sum = g.add({.name = "sum", .dtype = DType::u8, .shape = {1, 2, 4, 4}});
  g.nodes.push_back({.op = OpKind::add, .name = "a", .inputs = {2, 2}, .outputs = {sum}});
  const GraphIndex index(g);
  EXPECT_EQ(index.producer, (std::vector<int>{-1, -1, 0, 1, 2}));
  EXPECT_EQ(index.consumers[2], (std::vector<int>{1, 2}));
  EXPECT_EQ(index.consumers[0], (std::vector<int>{0}));
  EXPECT_TRUE(index.consumers[4].empty());
}

TEST(Graph, DeadNodesGoAndIdsStay) {
  Graph g = small();
  remove_dead_nodes(g);
  ASSERT_EQ(g.nodes.size(), 1U);
  EXPECT_EQ(g.nodes[0].name, "c");
  EXPECT_EQ(g.tensors.size(), 4U);
  g.outputs = {3};  // now nothing writes what is wanted
  remove_dead_nodes(g);
  EXPECT_TRUE(g.nodes.empty());
}

TEST(Graph, DeadChainsGoWhole) {
  Graph g = small();
  const TensorId after = g.add({.name = "after", .dtype = DType::u8, .shape = {1, 2, 4, 4}});
  g.nodes.push_back({.op = OpKind::unary, .name = "r2", .inputs = {3}, .outputs = {after}});
  g.outputs = {after};
  remove_dead_nodes(g);
  EXPECT_EQ(g.nodes.size(), 3U);
  g.outputs = {2};
  remove_dead_nodes(g);
  EXPECT_EQ(g.nodes.size(), 1U);
}

TEST(Graph, PrintsOneNodeALine) {
  Graph g = small();
  g.nodes[0].range = {.lo = 3};
  EXPECT_EQ(
      print(g),
      "graph small: test, 2 nodes, channels first\n"
      "  input  x: u8 1x1x4x4 (0.5, 3)\n"
      "    0  conv 1x1 [3..]               x, w: const s8 2x1x1x1 (0.125..0.25 by axis 0) -> y: u8 1x2x4x4 (1, 0)\n"
      "    1  unary relu                   y -> z: u8 1x2x4x4\n"
      "  output y: u8 1x2x4x4 (1, 0)\n");
}

struct Fault {
  const char* name;
  void (*break_it)(Graph&);
  const char* words;
};

class Verify : public testing::TestWithParam<Fault> {};

TEST_P(Verify, NamesTheFault) {
  Graph g = small();
  ASSERT_EQ(complaint(g), "fine");
  GetParam().break_it(g);
  EXPECT_NE(complaint(g).find(GetParam().words), std::string::npos) << complaint(g);
}

INSTANTIATE_TEST_SUITE_P(
    Graph, Verify,
    testing::Values(
        Fault{"InputId", [](Graph& g) { g.nodes[0].inputs[0] = 99; }, "node c: tensor id 99"},
        Fault{"NegativeId", [](Graph& g) { g.nodes[0].inputs[0] = kNoTensor; }, "node c: tensor id -1"},
        Fault{"OutputId", [](Graph& g) { g.outputs[0] = 4; }, "graph outputs: tensor id 4"},
        Fault{"WrittenTwice", [](Graph& g) { g.nodes[1].outputs[0] = 2; },
              "node r: tensor y is constant or written twice"},
        Fault{"ConstantWritten", [](Graph& g) { g.nodes[1].outputs[0] = 1; }, "node r: tensor w is constant"},
        Fault{"InputWritten", [](Graph& g) { g.nodes[1].outputs[0] = 0; }, "node r: tensor x"},
        Fault{"ReadEarly", [](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }, "node r: tensor y is read before"},
        Fault{"OutputUnwritten", [](Graph& g) { g.nodes.pop_back(), g.outputs[0] = 3; }, "graph outputs: tensor z"},
        Fault{"ConstantSize",
              [](Graph& g) {
                g.tensor(1).shape = {3, 1, 1, 1}, g.tensor(1).quant.reset();
              },
              "2 bytes of data"},
        Fault{"ZeroDimension", [](Graph& g) { g.tensor(0).shape[2] = 0; }, "tensor x: shape 1x1x0x4"},
        Fault{"ScaleCount",
              [](Graph& g) { g.tensor(1).quant->scale.pop_back(), g.tensor(1).quant->zero_point.pop_back(); },
              "1 scales along axis 0"},
        Fault{"ZeroPointCount", [](Graph& g) { g.tensor(1).quant->zero_point.pop_back(); },
              "2 scales and 1 zero points"},
        Fault{"Axis", [](Graph& g) { g.tensor(1).quant->axis = 4; }, "axis 4"},
        Fault{"ScaleZero", [](Graph& g) { g.tensor(0).quant->scale[0] = 0; }, "scale 0"},
        Fault{"ScaleNan", [](Graph& g) { g.tensor(0).quant->scale[0] = NAN; }, "scale nan"},
        Fault{"ZeroPoint", [](Graph& g) { g.tensor(0).quant->zero_point[0] = 256; }, "zero point 256"},
        Fault{"ZeroPointS8", [](Graph& g) { g.tensor(1).quant->zero_point[1] = -129; }, "zero point -129"},
        Fault{"QuantOnFloat", [](Graph& g) { g.tensor(0).dtype = DType::f32; }, "on dtype f32"},
        Fault{"Inputs", [](Graph& g) { g.nodes[0].inputs.pop_back(); }, "node c (conv): 1 inputs"},
        Fault{"Outputs", [](Graph& g) { g.nodes[1].outputs.clear(); }, "node r (unary): 0 outputs"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace octet

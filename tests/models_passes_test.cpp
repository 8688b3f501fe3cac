// Real networks through import, passes and lowering. They are not in the repository: OCTET_MODELS names the folder of
// the benchmark networks (shared/peers/make_models.py), OCTET_REFERENCE that of shared/reference/onnx. Absent files
// skip.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <ostream>

#include "generator/import/onnx.h"
#include "generator/passes/lower.h"
#include "generator/passes/passes.h"
#include "tests/support/net.h"

namespace octet {
namespace {

struct Model {
  const char* name;
  int convs, fused_adds, permutes, adds_left, muls, batch_norms;
  bool reference = false;  // of shared/reference, with trained weights
};
std::ostream& operator<<(std::ostream& os, const Model& m) {
  return os << m.name;
}

std::filesystem::path folder_of(const Model& model) {
  const char* given = std::getenv(model.reference ? "OCTET_REFERENCE" : "OCTET_MODELS");
  if (given) return given;
  return model.reference ? OCTET_SOURCE_DIR "/../shared/reference/onnx" : OCTET_SOURCE_DIR "/../peers/models";
}

class Models : public testing::TestWithParam<Model> {};

TEST_P(Models, HaveAnIntegerFormAndFuse) {
  const Model& model = GetParam();
  const std::filesystem::path path = folder_of(model) / (std::string(model.name) + ".int8.onnx");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
  Graph graph = import_onnx(path);
  run_passes(graph);
  int fused = 0, floats = 0;
  for (const Node& n : graph.nodes) {
    fused += n.fused_add ? 1 : 0;
    const bool edge = n.op == OpKind::quantize || n.op == OpKind::dequantize;
    floats += !edge && graph.tensor(n.outputs[0]).dtype == DType::f32 ? 1 : 0;
  }
  EXPECT_EQ(floats, 0);
  EXPECT_EQ(count(graph, OpKind::quantize), 1);
  EXPECT_EQ(count(graph, OpKind::dequantize), 1);
  EXPECT_EQ(count(graph, OpKind::conv), model.convs);
  EXPECT_EQ(fused, model.fused_adds);
  EXPECT_EQ(count(graph, OpKind::channel_permute), model.permutes);
  EXPECT_EQ(count(graph, OpKind::add), model.adds_left);
  EXPECT_EQ(count(graph, OpKind::mul), model.muls);
  EXPECT_EQ(count(graph, OpKind::batch_norm), model.batch_norms);
  EXPECT_EQ(count(graph, OpKind::transpose), 0);
  for (const bool views : {true, false}) {
    const std::vector<LoweredNode> nodes = lower(graph, place_tensors(graph, views));
    std::map<std::string, int> specs;
    for (const LoweredNode& n : nodes) ++specs[spec_op_name(n.spec)];
    std::string text;
    for (const auto& [name, times] : specs) text += " " + name + " " + std::to_string(times);
    std::cout << model.name << (views ? ", views:" : ", copies:") << text << "\n";
    EXPECT_GE(static_cast<int>(nodes.size()), model.convs);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Models,
    testing::Values(Model{"resnet18", 20, 8, 0, 0, 0, 0}, Model{"resnet50", 53, 16, 0, 0, 0, 0},
                    Model{"mobilenet_v2", 52, 10, 0, 0, 0, 0}, Model{"googlenet", 57, 0, 0, 0, 0, 0},
                    Model{"squeezenet1_1", 26, 0, 0, 0, 0, 0}, Model{"shufflenet_v2_x1_0", 56, 0, 16, 0, 0, 0},
                    Model{"mobilenet_v3_large", 62, 10, 0, 0, 8, 0}, Model{"densenet121", 120, 0, 0, 0, 0, 62},
                    Model{"mobilenet_v2", 53, 10, 0, 0, 0, 0, true}),
    [](const auto& info) { return std::string(info.param.reference ? "reference_" : "") + info.param.name; });

}  // namespace
}  // namespace octet

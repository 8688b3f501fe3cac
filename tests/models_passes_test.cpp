// Real networks through import, passes and lowering. They are not in the repository: OCTET_MODELS names folders that hold
// them (separated by ':'); without them every case skips.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <ostream>
#include <sstream>

#include "generator/import/onnx.h"
#include "generator/passes/lower.h"
#include "generator/passes/passes.h"
#include "tests/support/net.h"

namespace octet {
namespace {

struct Model {
  const char* name;
  int convs, fused_adds, permutes, adds_left, muls, batch_norms;
};
std::ostream& operator<<(std::ostream& os, const Model& m) { return os << m.name; }

std::filesystem::path path_of(const std::string& name) {
  std::string folders = OCTET_SOURCE_DIR "/../peers/models:" OCTET_SOURCE_DIR "/../shared/reference/onnx";
  if (const char* given = std::getenv("OCTET_MODELS")) folders = given;
  std::istringstream list(folders);
  for (std::string folder; std::getline(list, folder, ':');)
    if (const auto path = std::filesystem::path(folder) / name; std::filesystem::exists(path)) return path;
  return {};
}

class Models : public testing::TestWithParam<Model> {};

TEST_P(Models, HaveAnIntegerFormAndFuse) {
  const Model& model = GetParam();
  const std::filesystem::path path = path_of(std::string(model.name) + ".int8.onnx");
  if (path.empty()) GTEST_SKIP() << model.name << ".int8.onnx is in none of the folders of OCTET_MODELS";
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

INSTANTIATE_TEST_SUITE_P(All, Models,
                         testing::Values(Model{"resnet18", 20, 8, 0, 0, 0, 0}, Model{"resnet50", 53, 16, 0, 0, 0, 0},
                                         Model{"mobilenet_v2", 52, 10, 0, 0, 0, 0}, Model{"googlenet", 57, 0, 0, 0, 0, 0},
                                         Model{"squeezenet1_1", 26, 0, 0, 0, 0, 0},
                                         Model{"shufflenet_v2_x1_0", 56, 0, 16, 0, 0, 0},
                                         Model{"mobilenet_v3_large", 62, 10, 0, 0, 29, 0},
                                         Model{"densenet121", 120, 0, 0, 0, 0, 62}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace octet

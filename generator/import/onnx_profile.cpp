#include "generator/import/onnx_profile.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/status.h"

namespace octet {
namespace {

constexpr const char* kKey = "octet.profile";

// What the weights and biases of a graph's convolutions and linear layers look like.
struct Layers {
  bool per_channel_weights = false, integer_biases = false;
};

Layers look(const Graph& graph) {
  const GraphIndex index(graph);
  const auto behind = [&](const Node& n, size_t i) -> const Tensor* {
    if (i >= n.inputs.size() || n.inputs[i] == kNoTensor) return nullptr;
    const int source = index.producer[static_cast<size_t>(n.inputs[i])];
    if (source < 0 || graph.nodes[static_cast<size_t>(source)].op != OpKind::dequantize) return nullptr;
    return &graph.tensor(graph.nodes[static_cast<size_t>(source)].inputs[0]);
  };
  Layers layers;
  for (const Node& n : graph.nodes) {
    if (n.op != OpKind::conv && n.op != OpKind::linear && n.op != OpKind::conv_transpose) continue;
    const Tensor *weights = behind(n, 1), *bias = behind(n, 2);
    layers.per_channel_weights = layers.per_channel_weights || (weights && !weights->quant->per_tensor());
    layers.integer_biases = layers.integer_biases || (bias && bias->dtype == DType::s32);
  }
  return layers;
}

}  // namespace

ProfileChoice onnx_profile(const onnx_file::Model& file, const Graph& graph) {
  for (const auto& [key, value] : file.metadata)
    if (key == kKey) {
      const auto profile = find_profile(value);
      if (!profile) user_error(fmt::format("metadata {} names no profile; supported: {}", kKey, profile_names()));
      return {*profile, fmt::format("the file's metadata, {}", kKey)};
    }
  const bool quantized =
      std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return n.op == OpKind::dequantize; });
  if (!quantized || !file.producer.starts_with("pytorch")) return {Profile::ort, "an ONNX file"};
  const Layers layers = look(graph);
  if (layers.integer_biases && !layers.per_channel_weights)
    return {Profile::qnnpack, "an ONNX file of PyTorch's with one scale per weight tensor and s32 biases"};
  return {Profile::torch_x86, layers.integer_biases ? "an ONNX file of PyTorch's, with s32 biases"
                                                    : "an ONNX file of PyTorch's, with float biases"};
}

}  // namespace octet

// Whose arithmetic an ONNX file means.
#pragma once

#include <string>

#include "generator/graph/graph.h"
#include "generator/import/onnx_file.h"

namespace octet {

struct ProfileChoice {
  Profile profile = Profile::ort;
  std::string reason;
};

// The one that the file names in its metadata, as "octet.profile". Else, for what PyTorch's exporters wrote between
// QuantizeLinear and DequantizeLinear, one of PyTorch's: qnnpack where all weights have one scale and biases are s32,
// as that engine's modules are exported, torch-x86 otherwise. Else ONNX Runtime's.
//
// Measured over reference/pytorch: the exporter of quantized modules has already truncated their biases to s32, so
// every profile comes as near to PyTorch as the file allows, except that qnnpack's modules need its rounding of
// convolutions (onednn's gives 54.4 % instead of 53.1 % of outputs that differ). Files with float biases (PT2E, fake
// quantization) need a profile that keeps them: ort, which rounds them, flips 9.4 % of outputs where 1.9 % are
// unavoidable.
ProfileChoice onnx_profile(const onnx_file::Model& file, const Graph& graph);

}  // namespace octet

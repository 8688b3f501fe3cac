#include "generator/import/model.h"

#include "generator/import/onnx.h"

namespace octet {

Graph import_model(const std::filesystem::path& path, const ImportOptions& options) {
  Graph graph = import_onnx(path, options);
  graph.profile = Profile::ort;
  graph.profile_reason = "an ONNX file";
  if (options.profile) {
    graph.profile = *options.profile;
    graph.profile_reason = "asked for";
  }
  return graph;
}

}  // namespace octet

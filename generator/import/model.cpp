#include "generator/import/model.h"

#include <array>
#include <fstream>

#include "generator/import/onnx.h"
#include "generator/import/tflite.h"
#include "generator/import/tflite_file.h"

namespace octet {
namespace {

// Missing files and folders are for the importers to refuse.
bool begins_like_tflite(const std::filesystem::path& path) {
  std::array<char, 8> first{};
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::ifstream in(path, std::ios::binary);
  in.read(first.data(), first.size());
  return in && tflite_file::is_tflite(std::as_bytes(std::span(first)));
}

}  // namespace

FileSummary summarize_model(const std::filesystem::path& path) {
  return begins_like_tflite(path) ? summarize_tflite(path) : summarize_onnx(path);
}

Graph import_model(const std::filesystem::path& path, const ImportOptions& options) {
  const bool tflite = begins_like_tflite(path);
  Graph graph = tflite ? import_tflite(path, options) : import_onnx(path, options);
  if (tflite) {
    graph.profile = Profile::xnn;
    graph.profile_reason = "a TFLite file";
  }
  if (options.profile) {
    graph.profile = *options.profile;
    graph.profile_reason = "asked for";
  }
  return graph;
}

}  // namespace octet

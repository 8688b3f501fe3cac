#include "generator/import/model.h"

#include <array>
#include <fstream>

#include "generator/import/foreign.h"
#include "generator/import/onnx.h"
#include "generator/import/tflite.h"
#include "generator/import/tflite_file.h"
#include "generator/io/mapped_file.h"
#include "runtime/status.h"

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

void refuse_foreign(const std::filesystem::path& path) {
  std::string why;
  const auto file = MappedFile::open(path.string(), false, why);
  if (!file) return;
  if (const std::string format = foreign_format(file->bytes()); !format.empty())
    user_error(path.string() + ": " + format);
}

}  // namespace

FileSummary summarize_model(const std::filesystem::path& path) {
  return begins_like_tflite(path) ? summarize_tflite(path) : summarize_onnx(path);
}

Graph import_model(const std::filesystem::path& path, const ImportOptions& options) {
  refuse_foreign(path);
  const bool tflite = begins_like_tflite(path);
  Graph graph = tflite ? import_tflite(path, options) : import_onnx(path, options);
  graph.profile = tflite ? Profile::xnn : Profile::ort;
  graph.profile_reason = tflite ? "a TFLite file" : "an ONNX file";
  if (options.profile) {
    graph.profile = *options.profile;
    graph.profile_reason = "asked for";
  }
  return graph;
}

}  // namespace octet

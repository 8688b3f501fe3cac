#include "generator/import/foreign.h"

#include <algorithm>
#include <string_view>

namespace octet {
namespace {

uint32_t little_endian(std::span<const std::byte> bytes, size_t at, size_t count) {
  uint32_t v = 0;
  for (size_t i = 0; i < count; ++i) v |= std::to_integer<uint32_t>(bytes[at + i]) << (8 * i);
  return v;
}

std::string_view text(std::span<const std::byte> bytes, size_t at, size_t count) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, count};
}

bool begins(std::span<const std::byte> file, std::string_view with) {
  return file.size() >= with.size() && text(file, 0, with.size()) == with;
}

// The names in a zip archive's directory, each followed by a line feed; what is damaged ends the list.
std::string zip_names(std::span<const std::byte> file) {
  constexpr size_t kEnd = 22, kEntry = 46, kComment = 65535;
  std::string names;
  if (file.size() < kEnd) return names;
  const size_t from = file.size() - kEnd - std::min(kComment, file.size() - kEnd);
  const size_t end = text(file, from, file.size() - from).rfind("PK\5\6");
  if (end == std::string_view::npos || from + end + kEnd > file.size()) return names;
  size_t at = little_endian(file, from + end + 16, 4);
  while (at < file.size() && file.size() - at >= kEntry && text(file, at, 4) == "PK\1\2") {
    const size_t name = little_endian(file, at + 28, 2);
    if (name > file.size() - at - kEntry) break;
    names += text(file, at + kEntry, name);
    names += '\n';
    at += kEntry + name + little_endian(file, at + 30, 2) + little_endian(file, at + 32, 2);
  }
  return names;
}

std::string archive(const std::string& names) {
  const auto holds = [&names](std::string_view part) { return names.find(part) != std::string::npos; };
  if (holds("/constants.pkl\n"))
    return "a TorchScript archive (torch.jit.save); supported: ONNX and TFLite files. Export the module that it was "
           "made "
           "from: torch.onnx.export(module, example, \"model.onnx\", dynamo=False, opset_version=17)";
  if (holds("models/model.json\n") || holds("serialized_exported_program.json\n"))
    return "a torch.export archive (torch.export.save); supported: ONNX and TFLite files. Convert it: "
           "torch.onnx.export(torch.export.load(FILE).module(), example, \"model.onnx\", dynamo=True)";
  if (holds("/data.pkl\n"))
    return "a PyTorch checkpoint (torch.save), which holds weights and no network; supported: ONNX and TFLite files. "
           "Load it into its module and export that with torch.onnx.export";
  if (holds("config.json\n") && holds("model.weights.h5\n"))
    return "a Keras archive; supported: ONNX and TFLite files. Convert it with "
           "tf.lite.TFLiteConverter.from_keras_model";
  return "a zip archive; supported: ONNX and TFLite files";
}

}  // namespace

std::string foreign_format(std::span<const std::byte> file) {
  if (begins(file, "PK\3\4")) return archive(zip_names(file));
  if (begins(file, "\x89HDF\r\n"))
    return "an HDF5 file, as Keras writes; supported: ONNX and TFLite files. Convert it with "
           "tf.lite.TFLiteConverter.from_keras_model";
  if (begins(file, "\x80\2") || begins(file, "\x80\4"))
    return "a Python pickle, as old versions of torch.save write; supported: ONNX and TFLite files. Load it into its "
           "module and export that with torch.onnx.export";
  return "";
}

}  // namespace octet

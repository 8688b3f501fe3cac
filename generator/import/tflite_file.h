// A TFLite file as plain structures, checked for form but not for meaning. tflite_file.cpp alone knows flatbuffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generator/graph/graph.h"

namespace octet::tflite_file {

// Where `problem` is not empty the rest is not to be relied upon: it is a user error to use this tensor.
struct FileTensor {
  std::string name;  // unique: made from its number where the file gives none, or the same twice
  DType dtype = DType::f32;
  Shape shape;
  bool open_batch = false;                    // the first dimension is for the caller to choose
  std::optional<QuantParams> quant;           // u8, s8 and s32 tensors
  std::shared_ptr<const ConstantBytes> data;  // constants only; float16 ones are f32 here
  std::string problem;                        // "dtype INT16; supported: ..."
};

// A field of a node's options that the file writes. What is not written has the default of its type, 0, unless the
// format says otherwise.
struct Option {
  enum class Type : uint8_t { integer /* and flags */, real, name /* of an enumeration */, integers };
  std::string_view name;  // as the format calls it: "stride_w"
  Type type = Type::integer;
  int64_t integer = 0;
  float real = 0;
  std::string text;  // "SAME"
  std::vector<int64_t> integers;
};

struct FileNode {
  size_t index = 0;
  std::string op;                    // "CONV_2D"; a custom one's own name in front of " (custom)"
  std::vector<int> inputs, outputs;  // tensors; -1: an absent input
  std::vector<Option> options;
};

struct Model {
  std::string graph_name, producer;
  std::vector<FileTensor> tensors;
  std::vector<FileNode> nodes;
  std::vector<int> inputs, outputs;
};

// Whether these are the first bytes of a TFLite file, of whatever version.
bool is_tflite(std::span<const std::byte> bytes);

// User errors if the bytes are no TFLite model. Constants are views of the bytes that keep the owner alive where they
// are aligned, else copies.
Model parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner = nullptr);

// A node goes by its first output, in quotes and behind its number: "3 'conv1'".
std::string node_name(const Model& model, const FileNode& node);

}  // namespace octet::tflite_file

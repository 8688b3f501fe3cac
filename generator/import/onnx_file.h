// An ONNX file as plain structures, checked for form but not for meaning. onnx_file.cpp alone knows protobuf.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/import/common.h"

namespace octet::onnx_file {

using importing::in_quotes;
using importing::shape_problem;

// A constant. Where `problem` is not empty the rest is not to be relied upon: it is a user error to read this tensor.
struct Constant {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::shared_ptr<const ConstantBytes> data;
  bool external = false;  // from a file beside the model
  std::string problem;    // "dtype float16; supported: ..."
};

enum class AttributeType : uint8_t { other, real, integer, text, tensor, reals, integers };

struct Attribute {
  std::string name;
  AttributeType type = AttributeType::other;
  float real = 0;
  int64_t integer = 0;
  std::string text;
  Constant tensor;
  std::vector<float> reals;
  std::vector<int64_t> integers;
};

struct FileNode {
  std::string name, op, domain;  // name: the first output's where the file gives none; domain: "" for ai.onnx
  std::vector<std::string> inputs, outputs;
  std::vector<Attribute> attributes;
};

struct Dimension {
  int64_t value = -1;  // -1: open
  std::string symbol;
};

struct GraphInput {
  std::string name;
  int type = 0;  // as in the file
  bool has_shape = false;
  std::vector<Dimension> shape;
};

struct Model {
  std::string graph_name, producer;
  int64_t opset = 0;           // of the default domain; 0: not imported
  bool external_data = false;  // some constant's
  std::vector<FileNode> nodes;
  std::vector<Constant> constants;  // initializers
  std::vector<GraphInput> inputs;
  std::vector<std::string> outputs;
  std::vector<std::pair<std::string, std::string>> metadata;  // metadata_props
};

// User errors if the bytes are no ONNX model. `folder` holds external data; empty: refused. With an owner of the bytes,
// weights are views of them that keep it alive; else they are copies.
Model parse(std::span<const std::byte> bytes, const std::filesystem::path& folder,
            std::shared_ptr<const void> owner = nullptr);

// The type of that number in the file; false if it is none of Octet's.
bool dtype_of(int onnx_type, DType& dtype);
std::string type_name(int onnx_type);  // "float16"

}  // namespace octet::onnx_file

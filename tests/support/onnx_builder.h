// ONNX models for tests of the importer, written through protobuf itself. `model` is open to any vandalism.
#pragma once

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "generator/import/onnx.h"

namespace octet::test {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using Type = onnx::TensorProto;

struct Attr {
  std::string name;
  std::variant<int64_t, float, std::string, Ints, Floats, onnx::TensorProto> value;
};
Attr attr(std::string name, int value);
Attr attr(std::string name, float value);
Attr attr(std::string name, const char* value);
Attr attr(std::string name, Ints value);

template <class T>
onnx::TensorProto tensor(const std::string& name, const Ints& dims, const std::vector<T>& values);

// Methods give the name of what they add.
class OnnxBuilder {
 public:
  explicit OnnxBuilder(int64_t opset = 17);

  onnx::ModelProto model;
  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  std::string input(const std::string& name, const Ints& dims, int type = Type::FLOAT);  // -1: symbol "N"
  template <class T>
  std::string constant(const std::string& name, const Ints& dims, const std::vector<T>& values) {
    *graph().add_initializer() = tensor(name, dims, values);
    return name;
  }
  std::string scalar(const std::string& name, float value) { return constant<float>(name, {}, {value}); }
  std::string ints(const std::string& name, const Ints& values) {
    return constant<int64_t>(name, {static_cast<int64_t>(values.size())}, values);
  }
  // Outputs are the name, or NAME:0, NAME:1 ... An "a.b.Op" is Op of domain a.b.
  std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& name,
                   const std::vector<Attr>& attributes = {}, int outputs = 1);
  void output(const std::string& name);

  // Scale and zero point as constants, u8 or s8 by T.
  template <class T>
  std::string quantize(const std::string& x, float scale, T zero, const std::string& name) {
    return node("QuantizeLinear", {x, scalar(name + ".s", scale), constant<T>(name + ".z", {}, {zero})}, name);
  }
  template <class T>
  std::string dequantize(const std::string& x, float scale, T zero, const std::string& name) {
    return node("DequantizeLinear", {x, scalar(name + ".s", scale), constant<T>(name + ".z", {}, {zero})}, name);
  }
  // Per channel, zero points 0.
  template <class T>
  std::string dequantize(const std::string& x, const Floats& scales, int axis, const std::string& name) {
    const Ints dims = {static_cast<int64_t>(scales.size())};
    return node("DequantizeLinear",
                {x, constant<float>(name + ".s", dims, scales),
                 constant<T>(name + ".z", dims, std::vector<T>(scales.size(), T{0}))},
                name, {attr("axis", axis)});
  }

  std::string bytes() const { return model.SerializeAsString(); }
  Graph import(const ImportOptions& options = {}) const;
};

Graph import_bytes(const std::string& bytes, const ImportOptions& options = {});

// The text of the user error, or a word about what happened instead.
std::string refusal(const std::string& bytes, const ImportOptions& options = {});
std::string refusal(const OnnxBuilder& b, const ImportOptions& options = {});

// The only node of that kind; fails the test if there is none.
const Node& find(const Graph& g, OpKind op);

}  // namespace octet::test

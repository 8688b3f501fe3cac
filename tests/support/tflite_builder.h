// TFLite models for tests of the importer, written through flatbuffers itself. `model` is open to any vandalism.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "generator/import/tflite.h"
#include "tflite_generated.h"

namespace octet::test {

namespace fb = tflite_schema;
using Dims = std::vector<int32_t>;

// One scale and zero point, or one per index of `axis`.
struct Grid {
  std::vector<float> scale;
  std::vector<int64_t> zero_point;
  int axis = 0;
};

// Methods give the number of what they add.
class TfliteBuilder {
 public:
  TfliteBuilder();

  fb::ModelT model;
  fb::SubGraphT& graph() { return *model.subgraphs[0]; }
  fb::TensorT& at(int tensor) { return *graph().tensors[static_cast<size_t>(tensor)]; }
  fb::OperatorT& last_op() { return *graph().operators.back(); }

  int tensor(const std::string& name, const Dims& shape, const Grid& grid = {},
             fb::TensorType type = fb::TensorType::INT8);
  int floats(const std::string& name, const Dims& shape) { return tensor(name, shape, {}, fb::TensorType::FLOAT32); }
  int input(int tensor);
  int output(int tensor);
  template <class T>
  int constant(const std::string& name, const Dims& shape, const std::vector<T>& values, const Grid& grid = {}) {
    const int t = tensor(name, shape, grid, type_of<T>());
    const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
    fill(t, std::vector<uint8_t>(bytes, bytes + values.size() * sizeof(T)));
    return t;
  }
  int ints(const std::string& name, const std::vector<int32_t>& values) {
    return constant<int32_t>(name, {static_cast<int32_t>(values.size())}, values);
  }

  void op(fb::BuiltinOperator code, const std::vector<int>& inputs, const std::vector<int>& outputs);
  template <class Options>
  void op(fb::BuiltinOperator code, const std::vector<int>& inputs, const std::vector<int>& outputs, Options options) {
    op(code, inputs, outputs);
    last_op().builtin_options.Set(std::move(options));
  }

  std::string bytes() const;
  Graph import(const ImportOptions& options = {}) const;

 private:
  template <class T>
  static fb::TensorType type_of() {
    if constexpr (std::is_same_v<T, float>) return fb::TensorType::FLOAT32;
    if constexpr (std::is_same_v<T, int32_t>) return fb::TensorType::INT32;
    if constexpr (std::is_same_v<T, int64_t>) return fb::TensorType::INT64;
    if constexpr (std::is_same_v<T, uint8_t>) return fb::TensorType::UINT8;
    if constexpr (std::is_same_v<T, uint16_t>) return fb::TensorType::FLOAT16;
    return fb::TensorType::INT8;
  }
  void fill(int tensor, std::vector<uint8_t> bytes);
};

// The text of the user error, or a word about what happened instead.
std::string tflite_refusal(const std::string& bytes, const ImportOptions& options = {});
std::string tflite_refusal(const TfliteBuilder& b, const ImportOptions& options = {});

}  // namespace octet::test

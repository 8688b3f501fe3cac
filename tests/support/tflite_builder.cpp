#include "tests/support/tflite_builder.h"

#include <algorithm>
#include <memory>

#include "runtime/status.h"
#include "tests/support/corpus.h"

namespace octet::test {

TfliteBuilder::TfliteBuilder() {
  model.version = 3;
  model.description = "test";
  model.buffers.push_back(std::make_unique<fb::BufferT>());  // the empty one of all activations
  model.subgraphs.push_back(std::make_unique<fb::SubGraphT>());
  graph().name = "main";
}

int TfliteBuilder::tensor(const std::string& name, const Dims& shape, const Grid& grid, fb::TensorType type) {
  auto t = std::make_unique<fb::TensorT>();
  t->name = name;
  t->shape = shape;
  t->type = type;
  if (!grid.scale.empty()) {
    t->quantization = std::make_unique<fb::QuantizationParametersT>();
    t->quantization->scale = grid.scale;
    t->quantization->zero_point = grid.zero_point;
    t->quantization->quantized_dimension = grid.axis;
  }
  graph().tensors.push_back(std::move(t));
  return static_cast<int>(graph().tensors.size()) - 1;
}

int TfliteBuilder::input(int tensor) {
  graph().inputs.push_back(tensor);
  return tensor;
}

int TfliteBuilder::output(int tensor) {
  graph().outputs.push_back(tensor);
  return tensor;
}

void TfliteBuilder::fill(int tensor, std::vector<uint8_t> bytes) {
  auto buffer = std::make_unique<fb::BufferT>();
  buffer->data = std::move(bytes);
  at(tensor).buffer = static_cast<uint32_t>(model.buffers.size());
  model.buffers.push_back(std::move(buffer));
}

void TfliteBuilder::op(fb::BuiltinOperator code, const std::vector<int>& inputs, const std::vector<int>& outputs) {
  auto& codes = model.operator_codes;
  auto known = std::find_if(codes.begin(), codes.end(), [code](const auto& c) { return c->builtin_code == code; });
  if (known == codes.end()) {
    codes.push_back(std::make_unique<fb::OperatorCodeT>());
    codes.back()->builtin_code = code;
    codes.back()->deprecated_builtin_code = static_cast<int8_t>(std::min(127, static_cast<int>(code)));
    known = codes.end() - 1;
  }
  auto op = std::make_unique<fb::OperatorT>();
  op->opcode_index = static_cast<uint32_t>(known - codes.begin());
  op->inputs = inputs;
  op->outputs = outputs;
  graph().operators.push_back(std::move(op));
}

std::string TfliteBuilder::bytes() const {
  flatbuffers::FlatBufferBuilder out;
  fb::FinishModelBuffer(out, fb::CreateModel(out, &model));
  return {reinterpret_cast<const char*>(out.GetBufferPointer()), out.GetSize()};
}

Graph TfliteBuilder::import(const ImportOptions& options) const {
  const std::string file = bytes();
  keep_in_corpus(file);
  return import_tflite(std::as_bytes(std::span(file)), options);
}

std::string tflite_refusal(const std::string& bytes, const ImportOptions& options) {
  keep_in_corpus(bytes);
  try {
    import_tflite(std::as_bytes(std::span(bytes)), options);
  } catch (const Error& e) {
    return e.kind() == ErrorKind::user ? e.what() : std::string("internal: ") + e.what();
  } catch (const std::exception& e) {
    return std::string("exception: ") + e.what();
  }
  return "accepted";
}

std::string tflite_refusal(const TfliteBuilder& b, const ImportOptions& options) {
  return tflite_refusal(b.bytes(), options);
}

}  // namespace octet::test

#include "tests/support/onnx_builder.h"

#include <fmt/format.h>

#include "runtime/status.h"
#include "tests/support/corpus.h"

namespace octet::test {
namespace {

void set(onnx::AttributeProto& a, const Attr& attr) {
  a.set_name(attr.name);
  if (const auto* i = std::get_if<int64_t>(&attr.value)) {
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(*i);
  } else if (const auto* f = std::get_if<float>(&attr.value)) {
    a.set_type(onnx::AttributeProto::FLOAT);
    a.set_f(*f);
  } else if (const auto* s = std::get_if<std::string>(&attr.value)) {
    a.set_type(onnx::AttributeProto::STRING);
    a.set_s(*s);
  } else if (const auto* ints = std::get_if<Ints>(&attr.value)) {
    a.set_type(onnx::AttributeProto::INTS);
    for (int64_t v : *ints) a.add_ints(v);
  } else if (const auto* floats = std::get_if<Floats>(&attr.value)) {
    a.set_type(onnx::AttributeProto::FLOATS);
    for (float v : *floats) a.add_floats(v);
  } else {
    a.set_type(onnx::AttributeProto::TENSOR);
    *a.mutable_t() = std::get<onnx::TensorProto>(attr.value);
  }
}

template <class T>
constexpr int type_of() {
  if constexpr (std::is_same_v<T, float>) return Type::FLOAT;
  if constexpr (std::is_same_v<T, uint8_t>) return Type::UINT8;
  if constexpr (std::is_same_v<T, int8_t>) return Type::INT8;
  if constexpr (std::is_same_v<T, int32_t>) return Type::INT32;
  return Type::INT64;
}

}  // namespace

Attr attr(std::string name, int value) {
  return {std::move(name), int64_t{value}};
}
Attr attr(std::string name, float value) {
  return {std::move(name), value};
}
Attr attr(std::string name, const char* value) {
  return {std::move(name), std::string(value)};
}
Attr attr(std::string name, Ints value) {
  return {std::move(name), std::move(value)};
}

template <class T>
onnx::TensorProto tensor(const std::string& name, const Ints& dims, const std::vector<T>& values) {
  onnx::TensorProto t;
  t.set_name(name);
  t.set_data_type(type_of<T>());
  for (int64_t d : dims) t.add_dims(d);
  t.set_raw_data(values.data(), values.size() * sizeof(T));
  return t;
}
template onnx::TensorProto tensor(const std::string&, const Ints&, const std::vector<float>&);
template onnx::TensorProto tensor(const std::string&, const Ints&, const std::vector<uint8_t>&);
template onnx::TensorProto tensor(const std::string&, const Ints&, const std::vector<int8_t>&);
template onnx::TensorProto tensor(const std::string&, const Ints&, const std::vector<int32_t>&);
template onnx::TensorProto tensor(const std::string&, const Ints&, const std::vector<int64_t>&);

OnnxBuilder::OnnxBuilder(int64_t opset) {
  model.set_ir_version(8);
  model.set_producer_name("test");
  auto* set = model.add_opset_import();
  set->set_domain("");
  set->set_version(opset);
  graph().set_name("net");
}

std::string OnnxBuilder::input(const std::string& name, const Ints& dims, int type) {
  auto& v = *graph().add_input();
  v.set_name(name);
  auto& t = *v.mutable_type()->mutable_tensor_type();
  t.set_elem_type(type);
  t.mutable_shape();
  for (int64_t d : dims) {
    auto& dim = *t.mutable_shape()->add_dim();
    if (d < 0)
      dim.set_dim_param("N");
    else
      dim.set_dim_value(d);
  }
  return name;
}

std::string OnnxBuilder::node(const std::string& op, const std::vector<std::string>& inputs, const std::string& name,
                              const std::vector<Attr>& attributes, int outputs) {
  auto& n = *graph().add_node();
  const size_t dot = op.rfind('.');
  n.set_op_type(dot == std::string::npos ? op : op.substr(dot + 1));
  if (dot != std::string::npos) n.set_domain(op.substr(0, dot));
  n.set_name(name);
  for (const std::string& i : inputs) n.add_input(i);
  for (int k = 0; k < outputs; ++k) n.add_output(outputs == 1 ? name : fmt::format("{}:{}", name, k));
  for (const Attr& a : attributes) set(*n.add_attribute(), a);
  return name;
}

void OnnxBuilder::output(const std::string& name) {
  graph().add_output()->set_name(name);
}

Graph OnnxBuilder::import(const ImportOptions& options) const {
  return import_bytes(bytes(), options);
}

Graph import_bytes(const std::string& bytes, const ImportOptions& options) {
  keep_in_corpus(bytes);
  return import_onnx(std::as_bytes(std::span(bytes)), options);
}

std::string refusal(const std::string& bytes, const ImportOptions& options) {
  try {
    import_bytes(bytes, options);
  } catch (const Error& e) {
    return e.kind() == ErrorKind::user ? e.what() : std::string("internal error: ") + e.what();
  }
  return "accepted";
}

std::string refusal(const OnnxBuilder& b, const ImportOptions& options) {
  return refusal(b.bytes(), options);
}

const Node& find(const Graph& g, OpKind op) {
  for (const Node& n : g.nodes)
    if (n.op == op) return n;
  throw std::runtime_error(fmt::format("no {} in\n{}", op_name(op), print(g)));
}

}  // namespace octet::test

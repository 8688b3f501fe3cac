#include "generator/import/onnx_file.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>

#include "generator/import/payloads.h"
#include "runtime/status.h"

namespace octet::onnx_file {
namespace {

namespace fs = std::filesystem;
using importing::clean_name;
using Proto = onnx::TensorProto;

class TensorReader {
 public:
  TensorReader(const fs::path& folder, std::shared_ptr<const void> owner) : folder_(folder), owner_(std::move(owner)) {}

  // Empties `t`. `payload` stands for its raw_data where that was taken out of the message, and lives in the file.
  Constant read(Proto& t, std::span<const std::byte> payload = {}) const {
    Constant c{.name = clean_name(t.name()), .shape = {t.dims().begin(), t.dims().end()}};
    if (!dtype_of(t.data_type(), c.dtype)) {
      c.problem = fmt::format("dtype {}; supported: float, uint8, int8, int32, int64, bool", type_name(t.data_type()));
    } else if (t.has_segment()) {
      c.problem = "segments; supported: whole tensors";
    } else {
      c.problem = shape_problem(c.shape, c.dtype);
    }
    if (c.problem.empty()) fill(c, t, payload);
    t.Clear();
    return c;
  }

 private:
  void fill(Constant& c, const Proto& t, std::span<const std::byte> payload) const {
    const size_t count = static_cast<size_t>(element_count(c.shape));
    if (t.data_location() == Proto::EXTERNAL) return external(c, t, count * dtype_bytes(c.dtype));
    if (!payload.empty()) return raw(c, payload, count * dtype_bytes(c.dtype), owner_);
    if (t.has_raw_data()) return raw(c, std::as_bytes(std::span(t.raw_data())), count * dtype_bytes(c.dtype), nullptr);
    switch (c.dtype) {
      case DType::f32: return typed<float>(c, t.float_data(), count);
      case DType::s64: return typed<int64_t>(c, t.int64_data(), count);
      case DType::s32: return typed<int32_t>(c, t.int32_data(), count);
      case DType::u8: return typed<uint8_t>(c, t.int32_data(), count);
      case DType::s8: return typed<int8_t>(c, t.int32_data(), count);
      case DType::boolean: return typed<bool>(c, t.int32_data(), count);
    }
  }

  static void raw(Constant& c, std::span<const std::byte> bytes, size_t expected,
                  const std::shared_ptr<const void>& owner) {
    if (bytes.size() != expected) {
      c.problem = fmt::format("{} bytes of raw_data for {} {}, which takes {}", bytes.size(), dtype_name(c.dtype),
                              to_string(c.shape), expected);
      return;
    }
    // A file aligns nothing; bytes do not mind.
    if (owner && dtype_bytes(c.dtype) == 1)
      c.data = std::make_shared<const ConstantBytes>(bytes, owner);
    else
      c.data = std::make_shared<const ConstantBytes>(std::vector<std::byte>(bytes.begin(), bytes.end()));
  }

  template <class T, class Field>
  static void typed(Constant& c, const Field& field, size_t count) {
    if (static_cast<size_t>(field.size()) != count) {
      c.problem = fmt::format("{} values for {} {}, which takes {}", field.size(), dtype_name(c.dtype),
                              to_string(c.shape), count);
      return;
    }
    std::vector<std::byte> data(count * sizeof(T));
    for (size_t i = 0; i < count; ++i) {
      const auto v = field.Get(static_cast<int>(i));
      const T value = static_cast<T>(v);
      if constexpr (std::is_integral_v<T>)
        if (static_cast<int64_t>(value) != static_cast<int64_t>(v))
          c.problem = fmt::format("value {} does not fit {}", v, dtype_name(c.dtype));
      std::memcpy(data.data() + i * sizeof(T), &value, sizeof(T));
    }
    c.data = std::make_shared<const ConstantBytes>(std::move(data));
  }

  void external(Constant& c, const Proto& t, size_t bytes) const {
    c.external = true;
    std::string location;
    uint64_t offset = 0, length = bytes;
    const auto number = [&c](const std::string& text, uint64_t& value) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size())
        c.problem = "external data with a bad offset or length";
    };
    for (const auto& entry : t.external_data()) {
      if (entry.key() == "location") location = clean_name(entry.value());
      if (entry.key() == "offset") number(entry.value(), offset);
      if (entry.key() == "length") number(entry.value(), length);
    }
    if (!c.problem.empty()) return;
    const std::string who = fmt::format("external data in {}", in_quotes(location));
    if (folder_.empty()) {
      c.problem = who + "; supported when loading from a file only";
      return;
    }
    if (length != bytes) {
      c.problem = fmt::format("{}: {} bytes for {} {}, which takes {}", who, length, dtype_name(c.dtype),
                              to_string(c.shape), bytes);
      return;
    }
    read_beside(c, location, offset, bytes, who);
  }

  // Only regular files in the model's folder or below it.
  void read_beside(Constant& c, const fs::path& location, uint64_t offset, size_t bytes, const std::string& who) const {
    std::error_code error;
    const fs::path root = fs::weakly_canonical(folder_, error), file = fs::weakly_canonical(root / location, error);
    const bool inside = std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
    if (location.empty() || location.is_absolute() || !inside) {
      c.problem = who + "; supported: files beside the model";
    } else if (!fs::is_regular_file(file, error)) {
      c.problem = who + ": no such file beside the model";
    } else if (const uint64_t size = fs::file_size(file, error); error || offset > size || bytes > size - offset) {
      c.problem = fmt::format("{}: {} bytes at {} wanted, the file has {}", who, bytes, offset, size);
    } else {
      std::vector<std::byte> data(bytes);
      std::ifstream in(file, std::ios::binary);
      in.seekg(static_cast<std::streamoff>(offset));
      in.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(bytes));
      if (in)
        c.data = std::make_shared<const ConstantBytes>(std::move(data));
      else
        c.problem = who + ": cannot be read";
    }
  }

  const fs::path& folder_;
  std::shared_ptr<const void> owner_;
};

Attribute read_attribute(onnx::AttributeProto& a, const TensorReader& tensors) {
  Attribute r{.name = clean_name(a.name())};
  switch (a.type()) {
    case onnx::AttributeProto::FLOAT:
      r.type = AttributeType::real;
      r.real = a.f();
      break;
    case onnx::AttributeProto::INT:
      r.type = AttributeType::integer;
      r.integer = a.i();
      break;
    case onnx::AttributeProto::STRING:
      r.type = AttributeType::text;
      r.text = clean_name(a.s());
      break;
    case onnx::AttributeProto::TENSOR:
      r.type = AttributeType::tensor;
      r.tensor = tensors.read(*a.mutable_t());
      break;
    case onnx::AttributeProto::FLOATS:
      r.type = AttributeType::reals;
      r.reals = {a.floats().begin(), a.floats().end()};
      break;
    case onnx::AttributeProto::INTS:
      r.type = AttributeType::integers;
      r.integers = {a.ints().begin(), a.ints().end()};
      break;
    default: break;
  }
  return r;
}

FileNode read_node(onnx::NodeProto& n, const TensorReader& tensors) {
  FileNode r{.name = clean_name(n.name()), .op = clean_name(n.op_type()), .domain = clean_name(n.domain())};
  if (r.domain == "ai.onnx") r.domain.clear();
  for (const std::string& s : n.input()) r.inputs.push_back(clean_name(s));
  for (const std::string& s : n.output()) r.outputs.push_back(clean_name(s));
  if (r.name.empty() && !r.outputs.empty()) r.name = r.outputs[0];
  for (onnx::AttributeProto& a : *n.mutable_attribute()) r.attributes.push_back(read_attribute(a, tensors));
  return r;
}

GraphInput read_input(const onnx::ValueInfoProto& v) {
  GraphInput r{.name = clean_name(v.name())};
  if (!v.type().has_tensor_type()) return r;
  const auto& type = v.type().tensor_type();
  r.type = type.elem_type();
  r.has_shape = type.has_shape();
  for (const auto& d : type.shape().dim()) {
    Dimension dim{.symbol = clean_name(d.dim_param())};
    if (d.has_dim_value() && d.dim_value() > 0)
      dim.value = d.dim_value();
    else if (d.has_dim_value() && d.dim_value() < -1)
      dim.symbol = fmt::format("{}", d.dim_value());
    r.shape.push_back(dim);
  }
  return r;
}

Model read_model(onnx::ModelProto& m, const Payloads& payloads, const TensorReader& tensors) {
  Model r;
  auto& g = *m.mutable_graph();
  r.graph_name = clean_name(g.name());
  r.producer = clean_name(m.producer_name() + (m.producer_version().empty() ? "" : " " + m.producer_version()));
  for (const auto& set : m.opset_import())
    if (set.domain().empty() || set.domain() == "ai.onnx") r.opset = set.version();
  for (const auto& p : m.metadata_props()) r.metadata.emplace_back(p.key(), p.value());
  if (g.sparse_initializer_size())
    user_error(fmt::format("sparse initializer {}; supported: dense ones",
                           in_quotes(clean_name(g.sparse_initializer(0).values().name()))));
  for (size_t i = 0; i < static_cast<size_t>(g.initializer_size()); ++i) {
    const auto at = payloads.raw_data.find(i);
    const auto payload = at == payloads.raw_data.end() ? std::span<const std::byte>() : at->second;
    r.constants.push_back(tensors.read(*g.mutable_initializer(static_cast<int>(i)), payload));
    r.external_data = r.external_data || r.constants.back().external;
  }
  for (onnx::NodeProto& n : *g.mutable_node()) {
    r.nodes.push_back(read_node(n, tensors));
    for (const Attribute& a : r.nodes.back().attributes) r.external_data = r.external_data || a.tensor.external;
  }
  for (const auto& v : g.input()) r.inputs.push_back(read_input(v));
  for (const auto& v : g.output()) r.outputs.push_back(clean_name(v.name()));
  return r;
}

}  // namespace

Model parse(std::span<const std::byte> bytes, const fs::path& folder, std::shared_ptr<const void> owner) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    user_error(
        fmt::format("{} bytes; supported: ONNX files below 2 GiB (larger ones with external data)", bytes.size()));
  Payloads payloads;
  const bool taken = take_payloads(bytes, payloads);
  if (!taken) payloads = {};
  const auto message = taken ? std::as_bytes(std::span(payloads.message)) : bytes;
  const google::protobuf::LogSilencer quiet;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(message.data()),
                                                static_cast<int>(message.size()));
  onnx::ModelProto model;
  if (bytes.empty() || !model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    user_error("not an ONNX model, or cut short");
  if (!model.has_graph() || !model.graph().node_size()) user_error("not an ONNX model: it has no graph with nodes");
  return read_model(model, payloads, TensorReader(folder, std::move(owner)));
}

bool dtype_of(int onnx_type, DType& dtype) {
  switch (onnx_type) {
    case Proto::FLOAT: dtype = DType::f32; return true;
    case Proto::UINT8: dtype = DType::u8; return true;
    case Proto::INT8: dtype = DType::s8; return true;
    case Proto::INT32: dtype = DType::s32; return true;
    case Proto::INT64: dtype = DType::s64; return true;
    case Proto::BOOL: dtype = DType::boolean; return true;
    default: return false;
  }
}

std::string type_name(int onnx_type) {
  static constexpr std::array kNames = {"undefined",      "float",    "uint8",        "int8",           "uint16",
                                        "int16",          "int32",    "int64",        "string",         "bool",
                                        "float16",        "double",   "uint32",       "uint64",         "complex64",
                                        "complex128",     "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
                                        "float8e5m2fnuz", "uint4",    "int4",         "float4e2m1"};
  const bool known = onnx_type >= 0 && onnx_type < static_cast<int>(kNames.size());
  return known ? kNames[static_cast<size_t>(onnx_type)] : fmt::format("number {}", onnx_type);
}

}  // namespace octet::onnx_file

#include "generator/import/tflite_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "generator/import/common.h"
#include "runtime/status.h"
#include "tflite_generated.h"

namespace octet::tflite_file {
namespace {

namespace fb = tflite_schema;
using importing::clean_name;
using importing::in_quotes;

// Of a vector whose elements the verifier has not seen to be aligned: it looks at its length, which has 32 bits.
int64_t element(const flatbuffers::Vector<int64_t>& v, size_t i) {
  int64_t value;
  std::memcpy(&value, v.Data() + i * sizeof(value), sizeof(value));
  return flatbuffers::EndianScalar(value);
}

template <class T>
size_t count(const flatbuffers::Vector<T>* v) {
  return v ? v->size() : 0;
}

// What is copied out of the file. Tables may share their vectors, so a small file could ask for any amount of memory;
// an honest one copies no more than a few times its own bytes.
class Budget {
 public:
  explicit Budget(size_t file_bytes) : left_((file_bytes + (1 << 16)) * 16) {}

  void spend(size_t bytes) {
    if (bytes > left_) user_error("its tables repeat their parts by reference too often");
    left_ -= bytes;
  }

  template <class To, class T>
  std::vector<To> copy(const flatbuffers::Vector<T>* v) {
    spend(count(v) * sizeof(To));
    return v ? std::vector<To>(v->begin(), v->end()) : std::vector<To>();
  }

  std::string text(const flatbuffers::String* s) {
    if (!s) return {};
    spend(s->size());
    return clean_name({s->c_str(), s->size()});
  }

 private:
  size_t left_;
};

// --- tensors

bool dtype_of(fb::TensorType type, DType& dtype) {
  switch (type) {
    case fb::TensorType::FLOAT32: dtype = DType::f32; return true;
    case fb::TensorType::UINT8: dtype = DType::u8; return true;
    case fb::TensorType::INT8: dtype = DType::s8; return true;
    case fb::TensorType::INT32: dtype = DType::s32; return true;
    case fb::TensorType::INT64: dtype = DType::s64; return true;
    case fb::TensorType::BOOL: dtype = DType::boolean; return true;
    default: return false;
  }
}

std::string type_name(fb::TensorType type) {
  const char* name = fb::EnumNameTensorType(type);
  return *name ? name : fmt::format("number {}", static_cast<int>(type));
}

// IEEE binary16 -> binary32, exactly.
float from_half(uint16_t h) {
  const uint32_t sign = (h & 0x8000u) << 16, exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float tiny = std::ldexp(static_cast<float>(fraction), -24);
  return sign ? -tiny : tiny;
}

class TensorReader {
 public:
  TensorReader(const fb::Model& model, std::shared_ptr<const void> owner, Budget& budget)
      : model_(model), owner_(std::move(owner)), budget_(budget) {}

  FileTensor read(const fb::Tensor& t, size_t index) {
    FileTensor r{.name = unique_name(budget_.text(t.name()), index), .shape = budget_.copy<int64_t>(t.shape())};
    const bool half = t.type() == fb::TensorType::FLOAT16;
    if (!dtype_of(t.type(), r.dtype) && !half) {
      r.problem = fmt::format("dtype {}; supported: FLOAT32, UINT8, INT8, INT32, INT64, BOOL, and constant FLOAT16",
                              type_name(t.type()));
      return r;
    }
    if (t.is_variable()) r.problem = "a variable; supported: networks without state";
    if (t.sparsity()) r.problem = "sparse; supported: dense tensors";
    if (count(t.shape_signature()) && t.shape_signature()->Get(0) < 0) r.open_batch = true;
    if (const std::string p = importing::shape_problem(r.shape, r.dtype); r.problem.empty() && !p.empty())
      r.problem = p;
    if (r.problem.empty()) read_quantization(r, t);
    if (r.problem.empty()) read_data(r, t, half);
    if (r.problem.empty() && half && !r.data) r.problem = "dtype FLOAT16 of an activation; supported: FLOAT32";
    return r;
  }

 private:
  std::string unique_name(std::string name, size_t index) {
    if (name.empty()) name = fmt::format("tensor_{}", index);
    if (!names_.insert(name).second) {
      name += fmt::format(":{}", index);  // no other tensor has this number, but its name may look so
      while (!names_.insert(name).second) name += "'";
    }
    return name;
  }

  void read_quantization(FileTensor& r, const fb::Tensor& t) {
    const fb::QuantizationParameters* q = t.quantization();
    const bool integer = r.dtype == DType::u8 || r.dtype == DType::s8 || r.dtype == DType::s32;
    if (!q || !count(q->scale()) || !integer) return;
    if (q->details_type() != fb::QuantizationDetails::NONE) {
      r.problem = "quantized in a way of its own; supported: one scale, or one per channel";
      return;
    }
    const size_t scales = q->scale()->size(), zeros = count(q->zero_point());
    QuantParams p{.scale = budget_.copy<float>(q->scale())};
    if (scales > 1) {
      const int axis = q->quantized_dimension();
      const bool known = axis >= 0 && static_cast<size_t>(axis) < r.shape.size();
      if (!known || r.shape[static_cast<size_t>(axis)] != static_cast<int64_t>(scales)) {
        r.problem = fmt::format("{} scales along dimension {} of shape {}; supported: one, or one per channel", scales,
                                axis, to_string(r.shape));
        return;
      }
      p.axis = axis;
    }
    for (float s : p.scale)
      if (!(s > 0) || !std::isnormal(s)) r.problem = fmt::format("scale {}; supported: positive normal numbers", s);
    if (zeros > 1 && zeros != scales) r.problem = fmt::format("{} zero points for {} scales", zeros, scales);
    if (!r.problem.empty()) return;
    const auto [lo, hi] = r.dtype == DType::u8   ? std::pair(0, 255)
                          : r.dtype == DType::s8 ? std::pair(-128, 127)
                                                 : std::pair(0, 0);
    budget_.spend(scales * sizeof(int32_t));
    for (size_t i = 0; i < scales; ++i) {
      const int64_t z = zeros ? element(*q->zero_point(), zeros == 1 ? 0 : i) : 0;
      if (z < lo || z > hi) {
        r.problem = fmt::format("zero point {} of a {} tensor; supported: {} to {}", z, dtype_name(r.dtype), lo, hi);
        return;
      }
      p.zero_point.push_back(static_cast<int32_t>(z));
    }
    r.quant = std::move(p);
  }

  // Tensors whose buffer is empty are computed.
  void read_data(FileTensor& r, const fb::Tensor& t, bool half) {
    if (t.external_buffer()) {
      r.problem = "its values are in another file; supported: whole files";
      return;
    }
    if (t.buffer() >= count(model_.buffers())) {
      r.problem = fmt::format("buffer {} of {}", t.buffer(), count(model_.buffers()));
      return;
    }
    const fb::Buffer& buffer = *model_.buffers()->Get(t.buffer());
    if (buffer.offset() > 1 || buffer.size() > 1) {
      r.problem = "its values stand behind the flatbuffer; supported: files below 2 GiB";
      return;
    }
    const size_t elements = static_cast<size_t>(element_count(r.shape));
    const size_t expected = elements * (half ? 2 : dtype_bytes(r.dtype));
    if (!count(buffer.data()) && expected) return;
    if (count(buffer.data()) != expected) {
      r.problem = fmt::format("{} bytes for {} {}, which takes {}", count(buffer.data()), type_name(t.type()),
                              to_string(r.shape), expected);
      return;
    }
    const auto* bytes = expected ? reinterpret_cast<const std::byte*>(buffer.data()->data()) : nullptr;
    if (half) {
      budget_.spend(elements * sizeof(float));
      std::vector<std::byte> wide(elements * sizeof(float));
      for (size_t i = 0; i < elements; ++i) {
        uint16_t h;
        std::memcpy(&h, bytes + i * sizeof(h), sizeof(h));
        const float v = from_half(h);
        std::memcpy(wide.data() + i * sizeof(v), &v, sizeof(v));
      }
      r.data = std::make_shared<const ConstantBytes>(std::move(wide));
    } else if (owner_ && reinterpret_cast<uintptr_t>(bytes) % dtype_bytes(r.dtype) == 0) {
      r.data = std::make_shared<const ConstantBytes>(std::span(bytes, expected), owner_);
    } else {
      budget_.spend(expected);
      r.data = std::make_shared<const ConstantBytes>(std::vector<std::byte>(bytes, bytes + expected));
    }
  }

  const fb::Model& model_;
  std::shared_ptr<const void> owner_;
  Budget& budget_;
  std::unordered_set<std::string> names_;
};

// --- options

// The type table of the member of BuiltinOptions with that number, or nullptr.
const flatbuffers::TypeTable* options_type(fb::BuiltinOptions type) {
  const flatbuffers::TypeTable& all = *fb::BuiltinOptionsTypeTable();
  for (size_t i = 1; i < all.num_elems; ++i)
    if (all.values[i] == static_cast<int64_t>(type)) return all.type_refs[all.type_codes[i].sequence_ref]();
  return nullptr;
}

// A value of an enumeration whose values count from 0.
std::string enumerated(const flatbuffers::TypeTable& type, int64_t value) {
  const bool known = value >= 0 && static_cast<size_t>(value) < type.num_elems;
  return known ? type.names[value] : fmt::format("number {}", value);
}

// The fields that the file writes, by the schema's own description of the table.
std::vector<Option> read_options(const fb::Operator& op, Budget& budget) {
  std::vector<Option> options;
  const flatbuffers::TypeTable* type = options_type(op.builtin_options_type());
  const auto* table = static_cast<const flatbuffers::Table*>(op.builtin_options());
  if (!type || !table) return options;
  for (size_t i = 0; i < type->num_elems; ++i) {
    const flatbuffers::TypeCode code = type->type_codes[i];
    const auto field = flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(i));
    if (!table->GetOptionalFieldOffset(field)) continue;
    Option o{.name = type->names[i]};
    if (code.is_repeating) {
      o.type = Option::Type::integers;
      o.integers = budget.copy<int64_t>(table->GetPointer<const flatbuffers::Vector<int32_t>*>(field));
    } else if (code.base_type == flatbuffers::ET_FLOAT) {
      o.type = Option::Type::real;
      o.real = table->GetField<float>(field, 0);
    } else if (code.base_type == flatbuffers::ET_INT) {
      o.integer = table->GetField<int32_t>(field, 0);
    } else {
      o.integer = table->GetField<int8_t>(field, 0);
    }
    if (!code.is_repeating && code.sequence_ref >= 0) {
      o.type = Option::Type::name;
      o.text = enumerated(*type->type_refs[code.sequence_ref](), o.integer);
    }
    options.push_back(std::move(o));
  }
  return options;
}

// --- nodes

// Numbers of tensors, each in its range.
std::vector<int> checked(std::vector<int> all, size_t tensors, int least, const std::string& who) {
  for (int t : all)
    if (t < least || t >= static_cast<int64_t>(tensors))
      user_error(fmt::format("{}: tensor {} of {}", who, t, tensors));
  return all;
}

std::string op_name(const fb::OperatorCode& code, Budget& budget) {
  const int number = std::max(static_cast<int>(code.builtin_code()), static_cast<int>(code.deprecated_builtin_code()));
  if (number == static_cast<int>(fb::BuiltinOperator::CUSTOM)) return budget.text(code.custom_code()) + " (custom)";
  const char* name = fb::EnumNameBuiltinOperator(static_cast<fb::BuiltinOperator>(number));
  return *name ? name : fmt::format("operator {}", number);
}

FileNode read_node(const fb::Model& model, const fb::Operator& op, size_t index, size_t tensors, Budget& budget) {
  const std::string who = fmt::format("node {}", index);
  if (op.opcode_index() >= count(model.operator_codes()))
    user_error(fmt::format("{}: operator code {} of {}", who, op.opcode_index(), count(model.operator_codes())));
  FileNode r{.index = index, .op = op_name(*model.operator_codes()->Get(op.opcode_index()), budget)};
  r.inputs = checked(budget.copy<int>(op.inputs()), tensors, -1, who);
  r.outputs = checked(budget.copy<int>(op.outputs()), tensors, 0, who);
  r.options = read_options(op, budget);
  return r;
}

// Tables are small and shallow, and no field is a reason to go deeper: what the file repeats by reference is limited.
constexpr unsigned kMostDepth = 16, kMostTables = 1 << 20;

}  // namespace

bool is_tflite(std::span<const std::byte> bytes) {
  return bytes.size() >= 8 && std::memcmp(bytes.data() + 4, fb::ModelIdentifier(), 4) == 0;
}

Model parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  constexpr size_t kLeast = 32;  // nothing smaller holds a model; flatbuffers' own checks want room for a root
  if (bytes.size() >= static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    user_error(fmt::format("{} bytes; supported: TFLite files below 2 GiB", bytes.size()));
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), kMostDepth, kMostTables);
  if (bytes.size() < kLeast || !fb::VerifyModelBuffer(verifier)) user_error("not a TFLite model, or damaged");
  const fb::Model& model = *fb::GetModel(data);
  constexpr uint32_t kVersion = 3;
  if (model.version() != kVersion)
    user_error(fmt::format("schema version {}; supported: {}", model.version(), kVersion));
  if (count(model.subgraphs()) != 1) user_error(fmt::format("{} subgraphs; supported: 1", count(model.subgraphs())));
  const fb::SubGraph& graph = *model.subgraphs()->Get(0);
  if (!count(graph.operators())) user_error("not a TFLite model: it has no operators");
  Budget budget(bytes.size());
  Model r{.graph_name = budget.text(graph.name()), .producer = budget.text(model.description())};
  TensorReader reader(model, std::move(owner), budget);
  for (size_t i = 0; i < count(graph.tensors()); ++i)
    r.tensors.push_back(reader.read(*graph.tensors()->Get(static_cast<unsigned>(i)), i));
  const size_t tensors = r.tensors.size();
  for (size_t i = 0; i < graph.operators()->size(); ++i)
    r.nodes.push_back(read_node(model, *graph.operators()->Get(static_cast<unsigned>(i)), i, tensors, budget));
  r.inputs = checked(budget.copy<int>(graph.inputs()), tensors, 0, "graph inputs");
  r.outputs = checked(budget.copy<int>(graph.outputs()), tensors, 0, "graph outputs");
  return r;
}

std::string node_name(const Model& model, const FileNode& node) {
  const std::string number = fmt::format("{}", node.index);
  if (node.outputs.empty()) return number;
  return number + " " + in_quotes(model.tensors[static_cast<size_t>(node.outputs[0])].name);
}

}  // namespace octet::tflite_file

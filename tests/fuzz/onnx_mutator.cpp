#include "tests/fuzz/onnx_mutator.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "tests/support/onnx_builder.h"
#include "tests/support/random.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace octet::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

class Mutator {
 public:
  Mutator(onnx::ModelProto& model, uint32_t seed) : model_(model), random_(seed) {}

  void run() {
    for (uint32_t times = 1 + random_() % 3; times > 0; --times) {
      messages_.clear();
      words_.clear();
      collect(model_);
      mutate(*messages_[random_() % messages_.size()]);
    }
  }

 private:
  struct Slot {
    const FieldDescriptor* field;
    int count;  // of a repeated field; 1 for one that is there
  };

  static std::vector<Slot> slots(const Message& m) {
    std::vector<const FieldDescriptor*> fields;
    m.GetReflection()->ListFields(m, &fields);
    std::vector<Slot> found;
    for (const FieldDescriptor* f : fields)
      found.push_back({f, f->is_repeated() ? m.GetReflection()->FieldSize(m, f) : 1});
    return found;
  }

  void collect(Message& m) {
    messages_.push_back(&m);
    const Reflection& r = *m.GetReflection();
    for (const auto& [f, count] : slots(m)) {
      if (f->cpp_type() == FieldDescriptor::CPPTYPE_STRING && f->name() != "raw_data")
        for (int i = 0; i < count; ++i)
          words_.push_back(f->is_repeated() ? r.GetRepeatedString(m, f, i) : r.GetString(m, f));
      if (f->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      for (int i = 0; i < count; ++i)
        collect(f->is_repeated() ? *r.MutableRepeatedMessage(&m, f, i) : *r.MutableMessage(&m, f));
    }
  }

  void mutate(Message& m) {
    const std::vector<Slot> present = slots(m);
    if (present.empty() || random_() % 16 == 0)
      return add(m, *m.GetDescriptor()->field(pick(m.GetDescriptor()->field_count())));
    const auto& [f, count] = present[random_() % present.size()];
    const Reflection& r = *m.GetReflection();
    if (!f->is_repeated()) {
      if (random_() % 8 == 0) return r.ClearField(&m, f);
      return change(m, f, -1);
    }
    switch (random_() % 8) {
      case 0: return r.RemoveLast(&m, f);
      case 1: return r.SwapElements(&m, f, pick(count), pick(count));
      case 2: return add(m, *f);
      case 3: {  // one gone, the order kept
        for (int i = pick(count); i + 1 < count; ++i) r.SwapElements(&m, f, i, i + 1);
        return r.RemoveLast(&m, f);
      }
      default: return change(m, f, pick(count));
    }
  }

  int pick(int count) { return static_cast<int>(random_() % static_cast<uint32_t>(count)); }

  // A new element, or a first value; messages are copies of one of their kind.
  void add(Message& m, const FieldDescriptor& f) {
    const Reflection& r = *m.GetReflection();
    if (f.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      std::vector<const Message*> alike;
      for (const Message* other : messages_)
        if (other->GetDescriptor() == f.message_type() && other != &m) alike.push_back(other);
      if (alike.empty() || f.message_type() == m.GetDescriptor()) return;
      std::unique_ptr<Message> copy(alike[random_() % alike.size()]->New());
      copy->CopyFrom(*alike[random_() % alike.size()]);
      (f.is_repeated() ? r.AddMessage(&m, &f) : r.MutableMessage(&m, &f))->CopyFrom(*copy);
      return;
    }
    if (f.is_repeated()) switch (f.cpp_type()) {
        case FieldDescriptor::CPPTYPE_INT32: r.AddInt32(&m, &f, 0); break;
        case FieldDescriptor::CPPTYPE_INT64: r.AddInt64(&m, &f, 1); break;
        case FieldDescriptor::CPPTYPE_UINT64: r.AddUInt64(&m, &f, 1); break;
        case FieldDescriptor::CPPTYPE_FLOAT: r.AddFloat(&m, &f, 1); break;
        case FieldDescriptor::CPPTYPE_DOUBLE: r.AddDouble(&m, &f, 1); break;
        case FieldDescriptor::CPPTYPE_STRING: r.AddString(&m, &f, word()); break;
        default: return;
      }
    change(m, &f, f.is_repeated() ? r.FieldSize(m, &f) - 1 : -1);
  }

  // Element `i` of a repeated field; -1: the field itself.
  void change(Message& m, const FieldDescriptor* f, int i) {
    const Reflection& r = *m.GetReflection();
    const bool one = i < 0;
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32: {
        const auto v = static_cast<int32_t>(integer(one ? r.GetInt32(m, f) : r.GetRepeatedInt32(m, f, i)));
        return one ? r.SetInt32(&m, f, v) : r.SetRepeatedInt32(&m, f, i, v);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const int64_t v = integer(one ? r.GetInt64(m, f) : r.GetRepeatedInt64(m, f, i));
        return one ? r.SetInt64(&m, f, v) : r.SetRepeatedInt64(&m, f, i, v);
      }
      case FieldDescriptor::CPPTYPE_FLOAT: {
        const float v = real(one ? r.GetFloat(m, f) : r.GetRepeatedFloat(m, f, i));
        return one ? r.SetFloat(&m, f, v) : r.SetRepeatedFloat(&m, f, i, v);
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        if (one) r.SetEnumValue(&m, f, static_cast<int>(random_() % 24));
        return;
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string v = one ? r.GetString(m, f) : r.GetRepeatedString(m, f, i);
        v = f->name() == "raw_data" ? bytes(std::move(v)) : word();
        return one ? r.SetString(&m, f, v) : r.SetRepeatedString(&m, f, i, v);
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return mutate(one ? *r.MutableMessage(&m, f) : *r.MutableRepeatedMessage(&m, f, i));
      default: return;
    }
  }

  int64_t integer(int64_t now) {
    static constexpr int64_t kEdges[] = {0,
                                         1,
                                         -1,
                                         2,
                                         3,
                                         4,
                                         5,
                                         7,
                                         8,
                                         12,
                                         16,
                                         17,
                                         32,
                                         64,
                                         100,
                                         127,
                                         128,
                                         -128,
                                         255,
                                         256,
                                         1000,
                                         4096,
                                         65535,
                                         65536,
                                         1 << 20,
                                         (int64_t{1} << 31) - 1,
                                         int64_t{1} << 31,
                                         -(int64_t{1} << 31),
                                         int64_t{1} << 32,
                                         int64_t{1} << 62,
                                         std::numeric_limits<int64_t>::max(),
                                         std::numeric_limits<int64_t>::min()};
    const auto u = static_cast<uint64_t>(now);
    switch (random_() % 4) {
      case 0: return static_cast<int64_t>(u + 1);
      case 1: return static_cast<int64_t>(u - 1);
      case 2: return static_cast<int64_t>(random_() % 8);
      default: return kEdges[random_() % std::size(kEdges)];
    }
  }

  float real(float now) {
    static constexpr float kEdges[] = {0.0f,
                                       -0.0f,
                                       1.0f,
                                       -1.0f,
                                       0.5f,
                                       1e-45f,
                                       1e-38f,
                                       1e-30f,
                                       1e-10f,
                                       1e10f,
                                       1e30f,
                                       3.4e38f,
                                       -3.4e38f,
                                       127.0f,
                                       255.0f,
                                       6.0f,
                                       std::numeric_limits<float>::infinity(),
                                       -std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::quiet_NaN()};
    switch (random_() % 4) {
      case 0: return now * 2;
      case 1: return now / 3;
      default: return kEdges[random_() % std::size(kEdges)];
    }
  }

  // Mostly a name or word of this model, or an operator.
  std::string word() {
    static const std::vector<std::string> operators = supported_onnx_ops();
    const uint32_t kind = random_() % 8;
    if (kind < 5 && !words_.empty()) return words_[random_() % words_.size()];
    if (kind < 7) return operators[random_() % operators.size()];
    return bytes(words_.empty() ? std::string("x") : words_[random_() % words_.size()]);
  }

  std::string bytes(std::string text) {
    if (random_() % 8 == 0) text.resize(random_() % (2 * text.size() + 8));
    const size_t n = text.size();
    text.resize(n + 8);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()), n, text.size()));
    return text;
  }

  onnx::ModelProto& model_;
  Random random_;
  std::vector<Message*> messages_;
  std::vector<std::string> words_;
};

}  // namespace

size_t mutate_onnx(uint8_t* data, size_t size, size_t most, unsigned seed) {
  onnx::ModelProto model;
  if (seed % 8 == 0 || !model.ParseFromArray(data, static_cast<int>(size))) return LLVMFuzzerMutate(data, size, most);
  Mutator(model, seed).run();
  const std::string bytes = model.SerializeAsString();
  if (bytes.size() > most || bytes.empty()) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace octet::fuzz

#include "generator/import/payloads.h"

#include <cstdint>

namespace octet::onnx_file {
namespace {

// Field numbers of onnx.proto on the way to a weight, all of them length-delimited.
constexpr uint64_t kGraph = 7, kInitializer = 5, kRawData = 9;
constexpr size_t kWorthTaking = 1024;

// One field of a message: its number, all of its bytes, and the content of a length-delimited one.
struct Field {
  uint64_t number = 0;
  bool delimited = false;
  std::span<const std::byte> whole, content;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ == bytes_.size(); }

  // False at malformed bytes, and at groups, which onnx.proto does not use.
  bool next(Field& f) {
    const size_t begin = at_;
    uint64_t key, length = 0;
    if (!varint(key)) return false;
    f.number = key >> 3;
    f.delimited = (key & 7) == 2;
    switch (key & 7) {
      case 0: {
        uint64_t value;
        if (!varint(value)) return false;
        break;
      }
      case 1: length = 8; break;
      case 2:
        if (!varint(length)) return false;
        break;
      case 5: length = 4; break;
      default: return false;
    }
    if (length > bytes_.size() - at_) return false;
    f.content = bytes_.subspan(at_, length);
    at_ += length;
    f.whole = bytes_.subspan(begin, at_ - begin);
    return true;
  }

 private:
  bool varint(uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto byte = static_cast<uint64_t>(bytes_[at_++]);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

void append(std::string& to, std::span<const std::byte> bytes) {
  to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void append_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}

void append_message(std::string& to, uint64_t number, const std::string& content) {
  append_varint(to, number << 3 | 2);
  append_varint(to, content.size());
  to += content;
}

// As in protobuf, the last of several raw_data counts.
bool copy_initializer(std::span<const std::byte> bytes, size_t index, Payloads& result, std::string& to) {
  std::string content;
  Field f;
  for (Reader r(bytes); !r.at_end();) {
    if (!r.next(f)) return false;
    const bool raw = f.number == kRawData && f.delimited;
    if (raw) result.raw_data.erase(index);
    if (raw && f.content.size() >= kWorthTaking)
      result.raw_data[index] = f.content;
    else
      append(content, f.whole);
  }
  append_message(to, kInitializer, content);
  return true;
}

}  // namespace

bool take_payloads(std::span<const std::byte> file, Payloads& result) {
  size_t initializers = 0;
  Field f, g;
  for (Reader model(file); !model.at_end();) {
    if (!model.next(f)) return false;
    if (f.number != kGraph || !f.delimited) {
      append(result.message, f.whole);
      continue;
    }
    std::string graph;
    for (Reader r(f.content); !r.at_end();) {
      if (!r.next(g)) return false;
      if (g.number != kInitializer || !g.delimited)
        append(graph, g.whole);
      else if (!copy_initializer(g.content, initializers++, result, graph))
        return false;
    }
    append_message(result.message, kGraph, graph);
  }
  return true;
}

}  // namespace octet::onnx_file

#include "generator/io/npy.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "runtime/status.h"

namespace octet {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxRank = 32;  // NumPy's own limit
constexpr size_t kMaxHeader = size_t{1} << 16;

struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<int64_t> shape;
};

// The header is a Python dictionary literal with three known keys: {'descr': '<f4', 'fortran_order': False,
// 'shape': (1, 3), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    Header h;
    bool descr = false, fortran = false, shape = false;
    expect('{');
    while (!take('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !descr) {
        h.descr = string();
        descr = true;
      } else if (key == "fortran_order" && !fortran) {
        h.fortran = boolean();
        fortran = true;
      } else if (key == "shape" && !shape) {
        h.shape = tuple();
        shape = true;
      } else {
        fail("unexpected key");
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    if (!descr || !fortran || !shape) fail("descr, fortran_order or shape is missing");
    skip_space();
    if (at_ != text_.size()) fail("text behind its end");
    return h;
  }

 private:
  [[noreturn]] void fail(const char* why) const { user_error(name_ + ": corrupt .npy header: " + why); }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail("it is not a dictionary of descr, fortran_order and shape");
  }
  std::string string() {
    skip_space();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"'))
      fail("a string is missing (records are not supported)");
    const size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) fail("a string does not end");
    const std::string s(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return s;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return word == "True";
      }
    fail("fortran_order is not True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> dims;
    expect('(');
    while (!take(')')) {
      dims.push_back(number());
      if (dims.size() > kMaxRank) fail("more than 32 dimensions");
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return dims;
  }
  int64_t number() {
    skip_space();
    const size_t begin = at_;
    int64_t n = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (n > (int64_t{1} << 48)) fail("a dimension is too large");
      n = n * 10 + (text_[at_] - '0');
    }
    if (at_ == begin) fail("a dimension is not a whole number");
    return n;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
};

// How an element type of a file becomes one of ours: float64 ('f8') is the one that narrows.
struct FileType {
  DType dtype;
  size_t bytes;
};

std::optional<FileType> file_type(const std::string& descr) {
  if (descr.size() != 3) return {};
  const std::string kind = descr.substr(1);
  const bool single = kind == "u1" || kind == "i1" || kind == "b1";
  if (descr[0] != '<' && !(single && (descr[0] == '|' || descr[0] == '>' || descr[0] == '='))) return {};
  if (kind == "f4") return FileType{DType::f32, 4};
  if (kind == "f8") return FileType{DType::f32, 8};
  if (kind == "u1") return FileType{DType::u8, 1};
  if (kind == "i1") return FileType{DType::s8, 1};
  if (kind == "b1") return FileType{DType::boolean, 1};
  if (kind == "i4") return FileType{DType::s32, 4};
  if (kind == "i8") return FileType{DType::s64, 8};
  return {};
}

// Product of the dimensions, or nothing where it does not fit `most`.
std::optional<size_t> count_elements(std::span<const int64_t> shape, size_t most) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  size_t n = 1;
  for (const int64_t d : shape) {
    if (static_cast<uint64_t>(d) > most / n) return {};
    n *= static_cast<size_t>(d);
  }
  return n;
}

// Column-major elements of `size` bytes to row-major.
std::vector<uint8_t> to_row_major(Bytes data, std::span<const int64_t> shape, size_t size) {
  std::vector<uint8_t> out(data.size());
  std::vector<int64_t> index(shape.size(), 0);
  std::vector<size_t> stride(shape.size(), size);  // of the row-major side, in bytes
  for (size_t d = shape.size(); d-- > 1;) stride[d - 1] = stride[d] * static_cast<size_t>(shape[d]);
  size_t to = 0;
  for (size_t from = 0; from < data.size(); from += size) {
    std::memcpy(out.data() + to, data.data() + from, size);
    for (size_t d = 0; d < shape.size(); ++d) {  // the first dimension runs fastest in the file
      to += stride[d];
      if (++index[d] < shape[d]) break;
      to -= stride[d] * static_cast<size_t>(shape[d]);
      index[d] = 0;
    }
  }
  return out;
}

std::vector<uint8_t> narrow_doubles(Bytes data) {
  std::vector<uint8_t> out(data.size() / 2);
  for (size_t i = 0; i < data.size() / 8; ++i) {
    double wide;
    std::memcpy(&wide, data.data() + 8 * i, 8);
    const auto f = static_cast<float>(wide);  // beyond float's range: infinity, as in NumPy
    std::memcpy(out.data() + 4 * i, &f, 4);
  }
  return out;
}

}  // namespace

std::string dims_text(std::span<const int64_t> shape) {
  std::string text;
  for (const int64_t d : shape) text += (text.empty() ? "" : "x") + std::to_string(d);
  return shape.empty() ? "scalar" : text;
}

Array parse_npy(Bytes bytes, const std::string& name) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    user_error(name + ": not a .npy file (it does not begin with \\x93NUMPY)");
  const int version = bytes[6];
  if (version < 1 || version > 3)
    user_error(name + ": .npy version " + std::to_string(version) + " (1 to 3 are supported)");
  const size_t prefix = version == 1 ? 10 : 12;
  if (bytes.size() < prefix) user_error(name + ": truncated .npy file");
  size_t header_bytes = bytes[8] | static_cast<size_t>(bytes[9]) << 8;
  if (version > 1) header_bytes |= static_cast<size_t>(bytes[10]) << 16 | static_cast<size_t>(bytes[11]) << 24;
  if (header_bytes > kMaxHeader || header_bytes > bytes.size() - prefix)
    user_error(name + ": corrupt .npy header: it claims " + std::to_string(header_bytes) + " bytes");
  const Header header =
      HeaderParser({reinterpret_cast<const char*>(bytes.data()) + prefix, header_bytes}, name).parse();
  const auto type = file_type(header.descr);
  if (!type)
    user_error(name + ": element type '" + header.descr +
               "' (supported: <f4, <f8, |u1, |i1, |b1, <i4, <i8, little endian)");
  const Bytes data = bytes.subspan(prefix + header_bytes);
  const auto count = count_elements(header.shape, data.size() / type->bytes);
  if (!count || *count * type->bytes != data.size())
    user_error(name + ": shape " + dims_text(header.shape) + " of '" + header.descr + "' does not match its " +
               std::to_string(data.size()) + " bytes of data");
  Array array{type->dtype, header.shape, {}};
  if (header.fortran && header.shape.size() > 1)
    array.data = to_row_major(data, header.shape, type->bytes);
  else
    array.data.assign(data.begin(), data.end());
  if (type->bytes != dtype_bytes(type->dtype)) array.data = narrow_doubles(array.data);
  return array;
}

std::vector<uint8_t> format_npy(const Array& array) {
  static const char* const descr[] = {"<f4", "|u1", "|i1", "<i4", "<i8", "|b1"};
  std::string header =
      std::string("{'descr': '") + descr[static_cast<size_t>(array.dtype)] + "', 'fortran_order': False, 'shape': (";
  for (const int64_t d : array.shape) header += std::to_string(d) + (array.shape.size() == 1 ? "," : ", ");
  if (array.shape.size() > 1) header.resize(header.size() - 2);
  header += "), }";
  // The data begin at a multiple of 64 bytes, as NumPy writes them.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string head(kMagic);
  for (const size_t byte : {size_t{1}, size_t{0}, header.size() & 255, header.size() >> 8})
    head += static_cast<char>(byte);
  head += header;
  std::vector<uint8_t> out(head.begin(), head.end());
  out.insert(out.end(), array.data.begin(), array.data.end());
  return out;
}

Array read_npy(const std::string& path) {
  return parse_npy(read_file(path), path);
}

void write_npy(const std::string& path, const Array& array) {
  const std::vector<uint8_t> bytes = format_npy(array);
  const Bytes piece(bytes);
  write_file(path, {&piece, 1});
}

}  // namespace octet

// NumPy's .npy (one array) and .npz (a zip of them). Files come from anywhere: sizes are checked against the bytes that
// are there before memory is asked for, and whatever is wrong is a user error that names file and reason.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "generator/io/file.h"
#include "runtime/dtype.h"

namespace octet {

struct Array {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> data;  // dense, row-major, little endian

  int64_t elements() const { return static_cast<int64_t>(data.size() / dtype_bytes(dtype)); }
  template <class T>
  std::span<const T> values() const {
    return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
  }
  template <class T>
  std::span<T> values() {
    return {reinterpret_cast<T*>(data.data()), data.size() / sizeof(T)};
  }
};

// float64 is rounded to float32 and Fortran order becomes row-major; other element types than DType's are refused.
Array parse_npy(Bytes bytes, const std::string& name);
std::vector<uint8_t> format_npy(const Array& array);
Array read_npy(const std::string& path);
void write_npy(const std::string& path, const Array& array);

// An open .npz. Members are unpacked when asked for; `deflate` and stored members are understood.
class NpzReader {
 public:
  explicit NpzReader(const std::string& path);
  NpzReader(std::vector<uint8_t> bytes, std::string path);
  const std::vector<std::string>& names() const { return names_; }  // in the archive's order, without ".npy"
  Array read(const std::string& name) const;

 private:
  struct Member {
    uint32_t method, crc;
    size_t packed, size, header;  // bytes, bytes unpacked, offset of the local header
  };
  void read_directory();
  Bytes packed_bytes(const std::string& name, const Member& member) const;

  std::string path_;
  std::vector<uint8_t> bytes_;
  std::vector<std::string> names_;
  std::map<std::string, Member> members_;
};

// Stored, in the given order; names must differ.
void write_npz(const std::string& path, std::span<const std::pair<std::string, Array>> arrays);

std::string dims_text(std::span<const int64_t> shape);  // "1x3x224x224", "scalar"

}  // namespace octet

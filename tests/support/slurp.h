// A whole file as bytes, for tests that compare files.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace octet {

inline std::string slurp(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace octet

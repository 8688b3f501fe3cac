// The README's tables of supported operators are the importers' lists.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "generator/import/onnx.h"
#include "generator/import/tflite.h"

namespace octet {
namespace {

// Every `Name` in backquotes between the table's marker and the next marker or heading.
std::set<std::string> listed(const std::string& marker) {
  std::ifstream in(OCTET_SOURCE_DIR "/README.md");
  std::set<std::string> ops;
  std::string line;
  while (std::getline(in, line) && line.rfind("<!-- supported " + marker, 0) != 0) {
  }
  while (std::getline(in, line) && line.rfind("## ", 0) != 0 && line.rfind("<!--", 0) != 0)
    for (size_t at = line.find('`'); at != std::string::npos; at = line.find('`', at)) {
      const size_t end = line.find('`', at + 1);
      if (end == std::string::npos) break;
      ops.insert(line.substr(at + 1, end - at - 1));
      at = end + 1;
    }
  return ops;
}

std::set<std::string> as_set(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

TEST(Readme, ListsTheOperatorsOfOnnx) {
  EXPECT_EQ(listed("ONNX"), as_set(supported_onnx_ops()));
}

TEST(Readme, ListsTheOperatorsOfTflite) {
  EXPECT_EQ(listed("TFLite"), as_set(supported_tflite_ops()));
}

}  // namespace
}  // namespace octet

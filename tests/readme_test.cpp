// The README's table of supported operators is the importer's list.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "generator/import/onnx.h"

namespace octet {
namespace {

// Every `Name` in backquotes between the table's marker and the next heading.
std::set<std::string> listed() {
  std::ifstream in(OCTET_SOURCE_DIR "/README.md");
  std::set<std::string> ops;
  std::string line;
  while (std::getline(in, line) && line.find("<!-- supported") == std::string::npos) {
  }
  while (std::getline(in, line) && line.rfind("## ", 0) != 0)
    for (size_t at = line.find('`'); at != std::string::npos; at = line.find('`', at)) {
      const size_t end = line.find('`', at + 1);
      if (end == std::string::npos) break;
      ops.insert(line.substr(at + 1, end - at - 1));
      at = end + 1;
    }
  return ops;
}

TEST(Readme, ListsTheSupportedOperators) {
  const std::vector<std::string> all = supported_onnx_ops();
  EXPECT_EQ(listed(), std::set<std::string>(all.begin(), all.end()));
}

}  // namespace
}  // namespace octet

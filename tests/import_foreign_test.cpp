// Files that are no models here are named, with a word about what to do.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "generator/import/foreign.h"

namespace octet {
namespace {

std::string number(size_t value, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i) s += static_cast<char>(value >> (8 * i) & 255);
  return s;
}

// A zip archive's first header and its directory; nothing is in it.
std::string zip(const std::vector<std::string>& names, const std::string& comment = "") {
  std::string file = "PK\3\4" + std::string(26, '\0'), entries;
  for (const std::string& name : names)
    entries += "PK\1\2" + std::string(24, '\0') + number(name.size(), 2) + std::string(16, '\0') + name;
  const size_t at = file.size();
  file += entries + "PK\5\6" + std::string(8, '\0') + number(entries.size(), 4) + number(at, 4) +
          number(comment.size(), 2) + comment;
  return file;
}

std::string format_of(const std::string& file) {
  return foreign_format(std::as_bytes(std::span(file)));
}

struct ForeignCase {
  const char* name;
  std::string file;
  const char* begins;  // of what is said
  const char* advice;
};

void PrintTo(const ForeignCase& c, std::ostream* out) {
  *out << c.name;
}

class Foreign : public testing::TestWithParam<ForeignCase> {};

TEST_P(Foreign, IsNamed) {
  const std::string text = format_of(GetParam().file);
  EXPECT_TRUE(text.starts_with(GetParam().begins)) << text;
  EXPECT_NE(text.find(GetParam().advice), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, Foreign,
    testing::Values(
        ForeignCase{"TorchScript", zip({"m/data/0", "m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"}),
                    "a TorchScript archive", "torch.onnx.export(module, example, \"model.onnx\", dynamo=False"},
        ForeignCase{"Exported", zip({"m/version", "m/models/model.json"}), "a torch.export archive",
                    "torch.export.load(FILE).module()"},
        ForeignCase{"ExportedOld", zip({"serialized_exported_program.json"}, "a comment"), "a torch.export archive",
                    "dynamo=True"},
        ForeignCase{"Checkpoint", zip({"m/data.pkl", "m/data/0"}), "a PyTorch checkpoint", "torch.onnx.export"},
        ForeignCase{"Pickle", "\x80\2}q", "a Python pickle", "torch.onnx.export"},
        ForeignCase{"Keras", zip({"metadata.json", "config.json", "model.weights.h5"}), "a Keras archive",
                    "TFLiteConverter"},
        ForeignCase{"Hdf5", std::string("\x89HDF\r\n\x1a\n"), "an HDF5 file", "TFLiteConverter"},
        ForeignCase{"Zip", zip({"readme.txt"}), "a zip archive", "supported: ONNX and TFLite"}),
    [](const auto& info) { return info.param.name; });

TEST(ForeignFiles, OthersAreNotNamed) {
  for (const std::string file : {"", "P", "\x08\x07\x12\x07pytorch", "PK\3"}) EXPECT_EQ(format_of(file), "");
}

// Whatever is cut off or changed: no byte beyond the end is read, and it is some zip archive.
TEST(ForeignFiles, DamagedArchivesAreJustZips) {
  const std::string whole = zip({"m/constants.pkl"});
  for (size_t size = 4; size < whole.size(); ++size)
    EXPECT_TRUE(format_of(whole.substr(0, size)).starts_with("a zip archive")) << size;
  for (size_t at = 4; at < whole.size(); ++at)
    for (const char value : {'\0', '\x7f', '\xff'}) {
      std::string damaged = whole;
      damaged[at] = value;
      EXPECT_NE(format_of(damaged), "");
    }
}

}  // namespace
}  // namespace octet

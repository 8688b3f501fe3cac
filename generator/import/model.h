// A model file of any format -> Graph, with the profile that its bytes follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "generator/graph/graph.h"

namespace octet {

struct ImportOptions {
  int64_t batch = 1;               // for a first dimension of graph inputs that the file leaves open
  std::optional<Profile> profile;  // instead of the one that the file asks for
};

// By the file's own first bytes: ONNX or TFLite. User errors name the file and what is wrong with it.
Graph import_model(const std::filesystem::path& path, const ImportOptions& options = {});

// A node of the file.
struct FileOp {
  std::string op;         // as Node::source has it
  std::string full_name;  // with its domain
  std::string node;       // as errors call it
  bool known = false;     // whether the importer takes that operator at all
};

// What a file says of itself, whether it can be imported or not.
struct FileSummary {
  std::string graph_name, producer, format;
  std::vector<FileOp> ops;
  size_t constant_bytes = 0;
};

FileSummary summarize_model(const std::filesystem::path& path);

}  // namespace octet

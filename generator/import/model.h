// A model file of any format -> Graph, with the profile that its bytes follow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "generator/graph/graph.h"

namespace octet {

struct ImportOptions {
  int64_t batch = 1;               // for a first dimension of graph inputs that the file leaves open
  std::optional<Profile> profile;  // instead of the one that the file asks for
};

// By the file's own first bytes: ONNX or TFLite. User errors name the file and what is wrong with it.
Graph import_model(const std::filesystem::path& path, const ImportOptions& options = {});

}  // namespace octet

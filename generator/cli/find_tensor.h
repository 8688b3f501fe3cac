// Names that the user gave -> tensors inside a network.
#pragma once

#include <string>
#include <vector>

#include "generator/cli/inside.h"
#include "generator/graph/graph.h"

namespace octet::cli {

// Gives each source the other names that its values have in the file (as imported).
void add_aliases(const Graph& file, std::vector<Source>& sources);

struct FoundTensors {
  std::vector<Source> sources;  // one per name, each tensor once
  std::string lost;             // why one of them is not there, and what is near; empty: all are
};

// User errors: a name that the file does not have, or that means several things. "tensor:NAME" and "node:NAME" say
// which is meant.
FoundTensors find_tensors(const Graph& file, const std::vector<Source>& existing,
                          const std::vector<std::string>& names);

// Those of `known` that are spelled most like `name`, best first, at most five.
std::vector<std::string> near_matches(const std::string& name, const std::vector<std::string>& known);

}  // namespace octet::cli

// What llvm-mca's models of AArch64 cores say of a network's kernels. Nothing of it is measured.
#pragma once

#include <string>
#include <vector>

#include "generator/compile.h"

namespace octet::cli {

struct CoreText {
  std::vector<std::vector<std::string>> kernels;  // lines for each; empty for those without machine code
  std::string sum;                                // of all steps
};

// For AArch64 targets. Where tools are missing, the sum says so.
CoreText core_text(const CompiledModel& model);

}  // namespace octet::cli

// The kernels of a network as emitted C++, compiled with a compiler of this machine and loaded: `--engine cpp`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "generator/compile.h"
#include "runtime/abi.h"

namespace octet {

struct KernelLibrary {
  std::shared_ptr<void> handle;      // the code lives as long as this
  std::vector<OctetKernel> kernels;  // in the order of CompiledModel::kernels
};

// Everything goes through a temporary folder, which is gone on return. User error if there is no such compiler;
// internal error with the compiler's first lines if it refuses the code.
KernelLibrary build_kernel_library(const CompiledModel& model, const std::string& compiler);

}  // namespace octet

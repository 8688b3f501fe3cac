// Emitted kernels as functions of this process: written, compiled by a system compiler, loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "generator/emit_cpp/build.h"
#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

struct CompiledKernels {
  std::shared_ptr<SharedLibrary> library;  // keeps the functions alive
  std::vector<OctetKernel> kernels;        // in the order of the programs
};

// One file, compiled at once, with every warning that emitted code promises to be free of.
CompiledKernels compile_kernels(const std::vector<Program>& programs, const Target& target,
                                const std::string& compiler);

}  // namespace octet

// Kernels as emitted C++, compiled with a compiler of this machine and loaded.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "generator/compile.h"
#include "runtime/abi.h"

namespace octet {

struct KernelLibrary {
  std::shared_ptr<void> handle;      // the code lives as long as this
  std::vector<OctetKernel> kernels;  // in the order they were given
};

// The kernels of a network: `--engine cpp`. Everything goes through a temporary folder, which is gone on return. User
// error if there is no such compiler; internal error with the compiler's first lines if it refuses the code.
KernelLibrary build_kernel_library(const CompiledModel& model, const std::string& compiler);

// Programs of one target alone, in one file: what tests and benchmarks run.
KernelLibrary build_program_library(const std::vector<Program>& programs, const Target& target,
                                    const std::string& compiler, const std::string& extra_flags = "");

// The sources of those, for who builds them otherwise: source f holds the next result[f] kernels, and a table of them
// called table_name(f), `extern "C" const OctetKernel octet_kernels_0[]`.
std::vector<size_t> write_programs(const std::filesystem::path& folder, const std::vector<Program>& programs,
                                   const Target& target);
std::string table_name(size_t index);

}  // namespace octet

// Program -> C++ source. A file of kernels is kernels_begin, any number of emit_kernel, kernels_end, and the headers of
// kernel_headers beside it. It needs C++17 and -ffp-contract=off, no library and no instruction-set flag:
// `g++ -std=c++17 -O3 -ffp-contract=off`, or clang++.
#pragma once

#include <string>
#include <vector>

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

// The function `void NAME(const OctetArgs* args) noexcept` with the Program's heading as a comment. It reads its
// constants through args->p[OCTET_CONSTANTS], which the caller points at Program::constants.
std::string emit_kernel(const Program& program, const Target& target);

// What stands before and after the kernels of one file, all of one target: includes and a namespace of that name.
std::string kernels_begin(const Target& target);
std::string kernels_end(const Target& target);
std::string kernel_namespace(const Target& target);

// The files to write beside it; their text is embedded(name).
std::vector<std::string> kernel_headers(const Target& target);

}  // namespace octet

// A compiled network -> a folder of C++17 that needs nothing else: `octet compile` and CMake's octet_add_model.
//
//   NAME.h                        what a program includes: the tensors, arena_bytes, run()
//   NAME.cpp                      picks the best of the targets for the machine it runs on
//   NAME_<target>.cpp             the network in order, one call per step
//   NAME_<target>_kernels.h       the kernels, one line each
//   NAME_<target>_kernels_<i>.cpp the kernels, spread evenly over files that compile side by side
//   NAME_<target>_kernels.o       instead of most of that, their machine code (EmitOptions::make_object)
//   NAME_<target>_weights.cpp     packed weights, taken from NAME_<target>_weights.cpp.bin by the assembler
//   octet/                        the vector vocabulary; equal for all networks of one Octet
//
// `g++ -std=c++17 -O3 -ffp-contract=off -c *.cpp` builds it, from any folder; clang++ does too. Targets of x86 and of
// AArch64 may stand in one folder: what only one of them can compile is in an #if, so that a build for either takes all
// files, as one CMake project for several machines does.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "generator/compile.h"
#include "generator/emit_cpp/kernel_files.h"

namespace octet {

struct EmitOptions {
  std::string name;               // C++ identifier: namespace of the network and prefix of its files
  std::filesystem::path out_dir;  // made if it is not there
  // For the heads of the files; each may be empty.
  std::string model_file, producer, command_line, version;
  // Kernels of one target are spread over this many files; 0: as many as their size asks for. CMake passes a number,
  // because it must know the files' names before they exist.
  int kernel_files = 0;
  // If given, kernels come as objects; those of targets of no architecture (scalar) as C++ all the same.
  MakeObject make_object;
};

// Whether a network may be called that: an identifier in ASCII, no keyword, no reserved name.
bool is_model_name(std::string_view name);

// One CompiledModel per target, of one network, each compiled with threads = 1 and Emitter::compiler, or Emitter::jit
// where its kernels come as an object. At run time the
// best target that the machine has is taken, whatever the order here. Files of an earlier call with the same name and
// folder go.
// Errors: user errors for a name that is none, no target or one twice, objects for two architectures, and for what
// cannot be written.
void emit_model(const std::vector<CompiledModel>& per_target, const EmitOptions& options);

}  // namespace octet

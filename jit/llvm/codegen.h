// Machine code through LLVM. Nothing of LLVM shows here, and nothing of it is loaded before it is needed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "generator/program/program.h"
#include "runtime/abi.h"
#include "targets/target.h"

namespace octet {

// Whether Octet was built with LLVM; else making an object is a user error that says so.
bool has_llvm();

// Tells one build of LLVM's part from another, for what is kept on disk, without loading it; empty where there is none.
std::string llvm_build();

// A relocatable ELF object with one global function per Program, named as it is, each in a section of its own. For any
// target but `scalar`, on any machine. Keeps no state, so threads may compile at the same time. A Program that asks for
// an op that the target does not have is an internal error.
std::vector<uint8_t> llvm_object(std::span<const Program* const> programs, const Target& target);

// The code of the functions of such an object, in the order of `names`. It runs at any address that is a multiple of
// 64: a function that needs a relocation is an internal error that names it.
std::vector<std::vector<uint8_t>> code_of_object(std::span<const uint8_t> object, std::span<const std::string> names);

// That of one Program.
std::vector<uint8_t> llvm_code(const Program& program, const Target& target);

// An object made ready to run in this process by LLVM's linker (ORC); `names` are its functions. The machine must be
// able to run the target. `owner` keeps the code alive.
struct LinkedKernels {
  std::vector<OctetKernel> entries;  // in the order of `names`
  std::shared_ptr<void> owner;
};
LinkedKernels orc_link(std::span<const uint8_t> object, std::span<const std::string> names);

}  // namespace octet

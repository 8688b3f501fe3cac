// LLVM's side of codegen.h.
#pragma once

#include "jit/llvm/codegen.h"

namespace octet {

// Registers what LLVM generates code for; any number of times.
void prepare_llvm();

std::vector<uint8_t> make_object(std::span<const Program* const> programs, const Target& target);
std::vector<std::vector<uint8_t>> split_object(std::span<const uint8_t> object, std::span<const std::string> names);

}  // namespace octet

// What liboctet_llvm.so offers. LLVM is a library of 120 MB that takes 12 ms to load, so it is in a module of its own
// that is opened when code is first wanted of it.
#pragma once

#include "jit/llvm/codegen.h"

namespace octet {

struct LlvmModule {
  const char* version;  // of Octet: a module of another is refused
  std::vector<uint8_t> (*object)(std::span<const Program* const> programs, const Target& target);
  std::vector<std::vector<uint8_t>> (*code_of_object)(std::span<const uint8_t> object,
                                                      std::span<const std::string> names);
  LinkedKernels (*link)(std::span<const uint8_t> object, std::span<const std::string> names);
};

}  // namespace octet

extern "C" const octet::LlvmModule octet_llvm_module;

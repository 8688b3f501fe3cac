// LLVM's linker in this process.
#pragma once

#include "jit/llvm/codegen.h"

namespace octet {

LinkedKernels link_object(std::span<const uint8_t> object, std::span<const std::string> names);

}  // namespace octet

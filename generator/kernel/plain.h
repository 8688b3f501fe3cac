// Plain kernels: templates/plain_ops.h compiled into this program, with parameters made from specs.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "generator/kernel/spec.h"
#include "runtime/abi.h"

namespace octet {

struct PlainKernel {
  const char* name;  // of the function in templates/plain_ops.h
  OctetKernel function;
  std::vector<std::byte> params;  // what it reads by OCTET_CONSTANTS; tables come by OCTET_WEIGHTS as spec.h says
};

// The function of that name in this program, or nullptr.
OctetKernel plain_function(std::string_view name);

// Nothing for conv, add, mul, pairs, lut and interleave, which only Programs and the reference compute.
std::optional<PlainKernel> plain_kernel(const KernelSpec& spec);

}  // namespace octet

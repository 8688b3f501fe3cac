// How long kernels would take on AArch64 cores, by llvm-mca's models of them: nothing is measured, and no cache, branch
// predictor or instruction fetch is part of it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/a64_code.h"
#include "targets/target.h"

namespace octet {

struct Core {
  const char* name;  // as -mcpu has it
  int pipes;         // that take a dot of 16 bytes, or a product of matrices, each cycle
  bool i8mm;
};
// Those with models of their own: many others are given that of an older core.
std::vector<Core> modelled_cores(const Target& target);

// Dots a cycle, at most, for this kernel: where it multiplies matrices, twice as many.
int peak_dots(const Core& core, const A64Code& code);

// Whether llvm-mca-19 and llvm-objdump-19 can be run; else modelling is a user error that says so.
bool has_core_models();

struct ModelledKernel {
  double loop_dots = 0;  // dots a cycle in the hot loop, trip after trip; 0 where it has none
  double cycles = 0;     // of a whole call
};

// `object` holds the kernels, `codes` what read_a64() makes of each; `names` are theirs.
std::vector<ModelledKernel> model_kernels(std::span<const uint8_t> object, std::span<const std::string> names,
                                          std::span<const A64Code> codes, const Core& core);

}  // namespace octet

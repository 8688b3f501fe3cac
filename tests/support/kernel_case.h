// Every op but convolution: specs that hurt, operands for them, and the check of a kernel's whole output buffer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "generator/kernel/spec.h"
#include "runtime/abi.h"
#include "tests/support/memory.h"

namespace octet {

// Odd channel counts, padded pitches, both signs, zero points at both ends, clamps, ties, real layers.
// By profile: one for each form of the op.
const std::vector<Profile>& formula_profiles();
std::vector<KernelSpec> add_specs(Profile profile = Profile::ort, bool minus = false);
std::vector<KernelSpec> mul_specs(Profile profile = Profile::ort);
std::vector<KernelSpec> pair_specs();  // every form
std::vector<KernelSpec> max_pool_specs();
std::vector<KernelSpec> average_pool_specs(Profile profile);
std::vector<KernelSpec> mean_specs(Profile profile);  // whole images
std::vector<KernelSpec> reduce_mean_specs();
std::vector<KernelSpec> images_mean_specs();
std::vector<KernelSpec> pool_specs();  // all of these
std::vector<KernelSpec> affine_specs();
std::vector<KernelSpec> lut_specs();
std::vector<KernelSpec> interleave_specs();
std::vector<KernelSpec> resize_specs();
std::vector<KernelSpec> matmul_specs();
std::vector<KernelSpec> quantize_specs();
std::vector<KernelSpec> dequantize_specs();
std::vector<KernelSpec> edge_byte_specs();  // dense edges; those that keep the order have a Program
std::vector<KernelSpec> kernel_specs();     // all of them

// Operands and a guarded output for one run.
class KernelCase {
 public:
  KernelCase(const KernelSpec& spec, uint32_t seed);

  // The whole output buffer, guards included, after `kernel` has run on a fresh one. Whatever `constants` points to
  // comes by OCTET_CONSTANTS.
  using Kernel = std::function<void(const OctetArgs&)>;
  std::vector<uint8_t> run(const Kernel& kernel, const void* constants = nullptr) const;

  // The same in two steps: a guarded output buffer, and arguments that point into it.
  std::vector<uint8_t> fresh_output() const;
  OctetArgs args(std::vector<uint8_t>& output, const void* constants) const;
  // The operands that those point into.
  Memory operands() const;

  // What is wrong with `got` where the reference gave `expected`, or nothing. Channels between `channels` and
  // round_up(channels, 4) may hold anything; every other byte must be the same, guards and gaps included.
  std::string fault(const std::vector<uint8_t>& expected, const std::vector<uint8_t>& got) const;

  const KernelSpec& spec() const { return spec_; }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr uint8_t kUntouched = 0xA5;
  KernelSpec spec_;
  std::vector<uint8_t> src_, src2_, weights_, scale_, bias_;
  int64_t rows_ = 0, channels_ = 0, pitch_ = 0;  // of the output, in bytes
};

}  // namespace octet

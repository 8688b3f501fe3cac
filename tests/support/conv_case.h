// Convolution layers from shape files, filled with numbers that hurt, and the check of a kernel's whole output buffer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/conv_shapes.h"
#include "generator/kernel/spec.h"
#include "generator/program/program.h"
#include "generator/schedule/pack.h"
#include "tests/support/memory.h"

namespace octet {

// Quantization of a layer, and how its operands are filled.
enum class ConvFill { random, extremes, ties, sums };  // sums: weights of 0, and biases at the ends of what sums may be
struct ConvNumbers {
  std::string name;
  ConvFill fill = ConvFill::random;
  int src_zero = 0;
  Requant requant;
  bool residual = false, residual_is_first = false;
  AddFormula add;
  int weight_terms = 1;
  int weight_limit = 128;  // weights in [-limit, limit - 1]; up to 64 no maddubs pair saturates
  bool gapless = false;    // source pixels stand side by side, where groups allow it
  int extra_pitch = 0;     // bytes beyond the smallest pitch, of src, dst and src2
  bool bell = false;       // most weights are small, as in trained networks, so that some pairs are safe and some not
};
const std::vector<ConvNumbers>& conv_numbers();

struct ConvCase {
  std::string name;
  ConvSpec spec;
  ConvData data;
  std::vector<uint8_t> src, src2;  // with slack behind
};
ConvCase make_conv_case(const ConvShape& shape, const ConvNumbers& numbers, uint32_t seed);

// The reference's answer: n * oh * ow * oc bytes.
std::vector<uint8_t> expected_conv(const ConvCase& c);

// Output buffer with guards, as a kernel wants it; `fault` tells the first wrong byte, or is empty. Channels between oc
// and round_up(oc, 4) may hold anything; every other byte that is no output must be untouched.
class ConvOutput {
 public:
  explicit ConvOutput(const ConvSpec& spec, int scratch_bytes = 0);
  uint8_t* data() { return bytes_.data() + kGuard; }
  uint8_t* scratch() { return scratch_.data() + kGuard; }
  std::string fault(const std::vector<uint8_t>& expected) const;
  Memory memory() const { return {memory_of(bytes_), memory_of(scratch_)}; }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr uint8_t kUntouched = 0xA5;
  ConvSpec spec_;
  std::vector<uint8_t> bytes_, scratch_;
};

OctetArgs conv_args(const ConvCase& c, const PackedConv& packed, const Program& program, ConvOutput& out);
// The buffers that those point into.
Memory conv_memory(const ConvCase& c, const PackedConv& packed, const Program& program, const ConvOutput& out);

}  // namespace octet

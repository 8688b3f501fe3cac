// A network made by hand, without importer and passes: f32 in, quantize, two convolutions, dequantize, f32 out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "generator/compile.h"

namespace octet {

// Differs with the seed in weights and scales; equal seeds are the same network on every target.
CompiledModel small_model(const Target& target, uint32_t seed);

// Inputs that reach both ends of the quantized range and the values between, ties included.
std::vector<float> small_model_input(const CompiledModel& model, uint32_t seed);

// What the network computes, by the interpreter and the plain kernels of this process.
std::vector<float> run_here(CompiledModel model, const std::vector<float>& input);

}  // namespace octet

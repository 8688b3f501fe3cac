// Specs of the ops outside of int8: the parameters of the plain ops in templates/float_*.h, which say all there is to
// say. Their tensors are dense and in the file's order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/abi.h"
#include "templates/float_params.h"

namespace octet {

struct FloatSpec {
  using Params =
      std::variant<octet_float::Unary, octet_float::Cast, octet_float::Binary, octet_float::Where, octet_float::MatMul,
                   octet_float::Reduce, octet_float::Arg, octet_float::Softmax, octet_float::Norm, octet_float::Conv,
                   octet_float::IntegerConv, octet_float::Pool, octet_float::Interpolate, octet_float::Gather,
                   octet_float::GatherNd, octet_float::DynamicQuantize>;
  Params params;
  bool operator==(const FloatSpec& other) const;
};

const char* float_kernel_name(const FloatSpec& spec);  // of the plain op: "octet_float_conv"
const char* float_op_name(const FloatSpec& spec);      // the same without "octet_"
std::string float_text(const FloatSpec& spec);         // every parameter: equal text if and only if equal spec
std::string float_shape_text(const FloatSpec& spec);   // short, for tables
int64_t float_macs(const FloatSpec& spec);             // nominal multiply-accumulates
int64_t float_bytes(const FloatSpec& spec);            // activations read and written, each once
std::vector<std::byte> float_params(const FloatSpec& spec);

// The plain op, and the same by its name in templates/ (nullptr where there is none of that name).
OctetKernel float_function(const FloatSpec& spec);
OctetKernel float_function(std::string_view name);

}  // namespace octet

// templates/float_*.h compiled into this program.
#include <array>
#include <string_view>

#include "generator/kernel/float_spec.h"
#include "templates/float_move.h"

namespace octet {
namespace {

struct Row {
  const char* name;
  OctetKernel function;
};

#define OCTET_ROW(name)          \
  Row {                          \
    "octet_" #name, octet_##name \
  }
// In the order of FloatSpec::Params.
constexpr std::array<Row, std::variant_size_v<FloatSpec::Params>> kRows = {
    OCTET_ROW(float_unary),        OCTET_ROW(float_cast),
    OCTET_ROW(float_binary),       OCTET_ROW(float_where),
    OCTET_ROW(float_matmul),       OCTET_ROW(float_reduce),
    OCTET_ROW(float_arg),          OCTET_ROW(float_softmax),
    OCTET_ROW(float_norm),         OCTET_ROW(float_conv),
    OCTET_ROW(float_integer_conv), OCTET_ROW(float_pool),
    OCTET_ROW(float_interpolate),  OCTET_ROW(float_gather),
    OCTET_ROW(float_gather_nd),    OCTET_ROW(float_dynamic_quantize)};
#undef OCTET_ROW

}  // namespace

const char* float_kernel_name(const FloatSpec& spec) {
  return kRows[spec.params.index()].name;
}

const char* float_op_name(const FloatSpec& spec) {
  return float_kernel_name(spec) + std::char_traits<char>::length("octet_");
}

OctetKernel float_function(const FloatSpec& spec) {
  return kRows[spec.params.index()].function;
}

OctetKernel float_function(std::string_view name) {
  for (const Row& row : kRows)
    if (name == row.name) return row.function;
  return nullptr;
}

}  // namespace octet

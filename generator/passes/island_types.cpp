// Which element types the ops outside of int8 take.
#include <fmt/format.h>

#include <algorithm>

#include "generator/passes/integer_form.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Types = std::vector<DType>;

const Types kNumbers = {DType::f32, DType::s32, DType::s64};

bool takes_integers(Unary function) {
  switch (function) {
    case Unary::relu:
    case Unary::neg:
    case Unary::abs:
    case Unary::square:
    case Unary::sign: return true;
    default: return false;
  }
}

// Of input k; empty: any.
Types types_of(const Node& n, size_t k) {
  switch (n.op) {
    case OpKind::unary:
      if (n.function == Unary::logical_not) return {DType::boolean};
      return takes_integers(n.function) ? kNumbers : Types{DType::f32};
    case OpKind::add:
    case OpKind::sub:
    case OpKind::mul:
    case OpKind::div:
    case OpKind::maximum:
    case OpKind::minimum:
    case OpKind::pow:
    case OpKind::floor_div:
    case OpKind::floor_mod:
    case OpKind::squared_difference:
    case OpKind::prelu:
    case OpKind::reduce: return kNumbers;
    case OpKind::compare: {
      Types types = kNumbers;
      if (n.relation == Relation::equal || n.relation == Relation::not_equal) types.push_back(DType::boolean);
      return types;
    }
    case OpKind::logic: return {DType::boolean};
    case OpKind::where: return k == 0 ? Types{DType::boolean} : Types{};
    case OpKind::arg: return {DType::f32, DType::u8, DType::s8, DType::s32, DType::s64};
    case OpKind::gather:
    case OpKind::gather_nd: return k == 1 ? Types{DType::s32, DType::s64} : Types{};
    case OpKind::integer_matmul:
    case OpKind::integer_conv: return {DType::u8, DType::s8};
    case OpKind::resize: return n.resize.mode == Resize::Mode::nearest ? Types{} : Types{DType::f32};
    case OpKind::cast:
    case OpKind::identity:
    case OpKind::reshape:
    case OpKind::transpose:
    case OpKind::slice:
    case OpKind::split:
    case OpKind::pad:
    case OpKind::concat:
    case OpKind::expand:
    case OpKind::tile:
    case OpKind::depth_to_space:
    case OpKind::space_to_depth: return {};
    default: return {DType::f32};
  }
}

// Ops whose first two (where: last two) operands have one type.
bool has_equal_types(OpKind op) {
  switch (op) {
    case OpKind::cast:
    case OpKind::gather:
    case OpKind::gather_nd:
    case OpKind::integer_matmul:
    case OpKind::integer_conv: return false;
    default: return true;
  }
}

// Ops whose result has a type of its own.
bool chooses_type(OpKind op) {
  switch (op) {
    case OpKind::cast:
    case OpKind::arg:
    case OpKind::compare:
    case OpKind::quantize:
    case OpKind::dynamic_quantize:
    case OpKind::integer_matmul:
    case OpKind::integer_conv: return true;
    default: return false;
  }
}

}  // namespace

void check_island(const Graph& graph, const Node& n) {
  for (size_t k = 0; k < n.inputs.size(); ++k) {
    if (n.inputs[k] == kNoTensor) continue;
    const Tensor& t = graph.tensor(n.inputs[k]);
    const Types types = types_of(n, k);
    if (types.empty() || std::find(types.begin(), types.end(), t.dtype) != types.end()) continue;
    std::string names;
    for (DType d : types) names += (names.empty() ? "" : ", ") + std::string(dtype_name(d));
    user_error(fmt::format("{}: input '{}' is {}; supported for {}: {}", describe(n), t.name, dtype_name(t.dtype),
                           op_name(n.op), names));
  }
  const size_t first = n.op == OpKind::where ? 1 : 0;
  for (size_t k = first + 1; k < n.inputs.size() && has_equal_types(n.op); ++k) {
    if (n.inputs[k] == kNoTensor) continue;
    const Tensor &a = graph.tensor(n.inputs[first]), &b = graph.tensor(n.inputs[k]);
    if (a.dtype != b.dtype)
      user_error(fmt::format("{}: '{}' is {} and '{}' {}; supported are operands of one type", describe(n), a.name,
                             dtype_name(a.dtype), b.name, dtype_name(b.dtype)));
  }
  const Tensor &from = graph.tensor(n.inputs[first]), &to = graph.tensor(n.outputs[0]);
  if (!chooses_type(n.op) && from.dtype != to.dtype)
    user_error(fmt::format("{}: makes {} '{}' of {} '{}'; supported are results of the operands' type", describe(n),
                           dtype_name(to.dtype), to.name, dtype_name(from.dtype), from.name));
}

}  // namespace octet

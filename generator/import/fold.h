// Constants computed from constants, as exporters need them for the targets of reshapes: for the importers of every
// format.
#pragma once

#include <cstddef>
#include <vector>

#include "generator/import/common.h"

namespace octet::importing {

// The values of a constant as another type, toward zero; what does not fit is an error.
std::vector<std::byte> cast_values(const NodeInputs& n, const Tensor& t, DType to);

// Dimensions of one element repeated up to `shape`, which the constant broadcasts to.
std::vector<std::byte> repeated(const Tensor& t, const Shape& shape);

// a + b, a - b, a * b, a / b of constants of one type (f32, s32, s64) that broadcast to `shape`; '/' is toward zero.
std::vector<std::byte> combined(const NodeInputs& n, char op, const Tensor& a, const Tensor& b, const Shape& shape);

// Constants one behind the other: `outer` rows of each in turn.
std::vector<std::byte> joined(const std::vector<const Tensor*>& pieces, int64_t outer);

}  // namespace octet::importing

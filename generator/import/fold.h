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

// What the op of two operands that `like` describes (op, relation, connective) makes of constants of one type (f32,
// s32, s64; booleans in logic) that broadcast to `shape`. Integers divide toward zero; what has no result is an error.
std::vector<std::byte> combined(const NodeInputs& n, const Node& like, const Tensor& a, const Tensor& b,
                                const Shape& shape);

// Constants one behind the other: `outer` rows of each in turn.
std::vector<std::byte> joined(const std::vector<const Tensor*>& pieces, int64_t outer);

}  // namespace octet::importing

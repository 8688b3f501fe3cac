// Fills operands: type extremes in every combination first, then rounding ties and saturation thresholds, then random.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/op_cases.h"

namespace octet {

enum class Filling { extremes, ties, random };

// `size` bytes of elements. `which` numbers the operands of an op, so that their values meet in every combination.
std::vector<uint8_t> filled(size_t size, Elem elem, Filling filling, int which);

}  // namespace octet

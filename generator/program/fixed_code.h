// Fixed-point products of s32 lanes by one factor for all of them (generator/kernel/fixed_point.h).
#pragma once

#include "generator/kernel/fixed_point.h"
#include "generator/program/program.h"

namespace octet {

// x = shift_away(x, n). |x| + 2^(n - 1) must fit s32.
void emit_shift_away(Builder& b, int w, Reg x, int n);

// x = x * 2^n, and the low half of x * factor by a shift where the factor is a power of two.
void emit_times(Builder& b, int w, Reg x, int32_t factor);

// scale_away(x, m) and scale_up(x, m), in another register. They want fits_scale of the largest |x|.
Reg emit_scale_away(Builder& b, int w, Reg x, const FixedPoint& m);
Reg emit_scale_up(Builder& b, int w, Reg x, const FixedPoint& m);
bool fits_scale(int64_t largest, const FixedPoint& m);

}  // namespace octet

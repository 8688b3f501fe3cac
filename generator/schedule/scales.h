// The constants of output channels as epilogues read them: for every vector of accumulators scale_words() vectors of 32
// bits, side by side, whose lanes are those of the accumulators.
#pragma once

#include <cstdint>

#include "generator/kernel/spec.h"

namespace octet {

// Which vector holds what. `doubles` has one f64 a lane instead, 2 * real, in the room of two vectors: kernels convert
// twice the value, and then halve it with ties away from zero.
enum ScaleWord : int {
  kWordM = 0,           // scaled, biased, affine
  kWordB = 1,           // biased, affine
  kWordMultiplier = 0,  // fixed
  kWordRound = 1,       // fixed
  kWordRight = 2,       // fixed
  kWordLeft = 3,        // fixed where mixed
  kWordSign = 4,        // and ties go away from zero
  kWordShiftRound = 0,  // shift
  kWordShift = 1        // shift
};

// Fixed point in one product and one shift. With p = acc * 2^left * multiplier and n = -exponent > 0,
//   scale_up:   floor((floor((p + 2^30) / 2^31) + 2^(n-1)) / 2^n) = floor((p + 2^30 + 2^(30+n)) / 2^(31+n)),
// since a floor inside a floor may be left out; with 4p, 2^32 divides what is added, so that it may be added after the
// high half is taken:
//   (mulhi32(acc << (2 + left), multiplier) + 2^n + 1) >> (n + 1).
// scale_away subtracts 1 before its shift where the first rounding gave a negative number, here 2 where acc is
// negative: the same, since -1 * 2^30 is all that acc < 0 can round to 0, and it gives 0 either way. n = 0 has no
// second rounding: (mulhi32(..) + 1) >> 1, and no sign. From n = 31 on the result is 0.
int scale_words(const Requant& requant);

// Writes channel `scale` to `lane` of the vectors that begin at `words`, of `lanes` lanes each.
void put_scale(const ChannelScale& scale, const Requant& requant, uint32_t* words, int lanes, int lane);

}  // namespace octet

// Softmax and log softmax of bytes as plain loops: the last part of plain_ops.h, which includes it.
// generator/kernel/softmax.h has the formulas and makes the tables. Sums go from left to right.
#ifndef OCTET_PLAIN_SOFTMAX_H
#define OCTET_PLAIN_SOFTMAX_H

#include "float_math.h"

namespace octet_plain {
namespace {

// Rows of `length` elements, `step` bytes apart, in blocks of pixels times channels rows.
struct Softmax {
  int32_t blocks, length, pixels, channels;
  int64_t src_block, src_pitch, src_step, dst_block, dst_pitch, dst_step;  // bytes between blocks, pixels, elements
  int32_t zero;                                                            // storage byte
  int32_t offset;                                                          // 128 for s8: q = byte - offset
  int32_t rounds_up;                                                       // reciprocal: as u8 results are rounded
  float inverse;                                                           // quotient: of the result's scale
  float src_scale, dst_scale;
  int32_t least, multiplier, exponent;  // log_fixed
};

struct Row {
  const uint8_t* src;
  uint8_t* dst;
  int64_t src_step, dst_step;
  int32_t length;

  int32_t byte(int64_t i) const { return src[i * src_step]; }
  int32_t largest() const {
    int32_t most = 0;
    for (int64_t i = 0; i < length; ++i) most = byte(i) > most ? byte(i) : most;
    return most;
  }
  // Sum of the table's entries at the distances from `most`.
  template <class Sum, class T>
  Sum sum(const T* table, int32_t most) const {
    Sum total = 0;
    for (int64_t i = 0; i < length; ++i) total += static_cast<Sum>(table[most - byte(i)]);
    return total;
  }
  // dst = value(distance from `most`).
  template <class Value>
  void write(int32_t most, Value value) const {
    for (int64_t i = 0; i < length; ++i) dst[i * dst_step] = value(most - byte(i));
  }
};

template <class Each>
inline void for_each_row(const OctetArgs* args, const Softmax& p, Each each) {
  const uint8_t* src = in<uint8_t>(args, OCTET_SRC);
  uint8_t* dst = out<uint8_t>(args);
  for (int64_t b = 0; b < p.blocks; ++b)
    for (int64_t pixel = 0; pixel < p.pixels; ++pixel)
      for (int64_t c = 0; c < p.channels; ++c)
        each(Row{src + b * p.src_block + pixel * p.src_pitch + c, dst + b * p.dst_block + pixel * p.dst_pitch + c,
                 p.src_step, p.dst_step, p.length});
}

inline uint8_t byte_of(int64_t v) { return static_cast<uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v); }

// ---- gemmlowp's functions of fixed point ----------------------------------------------------------------------------

inline int32_t sat32(int64_t v) {
  return static_cast<int32_t>(v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v);
}

inline int32_t leading_zeros(uint32_t v) {
  int32_t n = 0;
  for (; n < 32 && !(v >> 31); ++n) v <<= 1;
  return n;
}

// (a + b) / 2, ties away from zero.
inline int32_t half_sum(int32_t a, int32_t b) {
  const int64_t sum = static_cast<int64_t>(a) + b;
  return static_cast<int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
}

// x * 2^n, saturating to the left and rounding ties away from zero to the right.
inline int32_t times_power(int32_t x, int32_t n) {
  return n >= 0 ? sat32(static_cast<int64_t>(x) << n) : octet_math::shift_away(x, -n);
}

// 1 / (1 + a) of a Q0.31 in [0, 1]: three steps of Newton and Raphson, from 48/17 - 32/17 x.
inline int32_t one_over_one_plus(int32_t a) {
  using octet_math::srdhm;
  const int32_t half = half_sum(a, INT32_MAX);
  int32_t x = 1515870810 + srdhm(half, -1010580540);
  for (int i = 0; i < 3; ++i) x += times_power(srdhm(x, (1 << 29) - srdhm(half, x)), 2);
  return times_power(x, 1);
}

// The natural logarithm of a Q12.19 in Q5.26.
inline int32_t log_of_sum(int32_t v) {
  using octet_math::srdhm;
  constexpr int32_t kLog2 = 1488522236, kRootOfRootOfHalf = 1805811301, kRootOfHalf = 1518500250;
  constexpr int32_t kNumerator = 117049297, kDenominator = 127690142, kInverse = 1057819769, kFraction = 638450708;
  constexpr int32_t kIn = 12, kOut = 5, kInner = kOut + 1;  // integer bits
  const int32_t quarter = times_power(536870912, -kInner);
  const int32_t a_zeros = leading_zeros(static_cast<uint32_t>(v));
  const int32_t a = times_power(srdhm(times_power(v, a_zeros - 1), kRootOfHalf), 1);
  const int32_t a_power = sat32(static_cast<int64_t>(times_power(kIn - a_zeros, 31 - kInner)) + quarter);
  const int32_t scaled = srdhm(v, kRootOfHalf);
  const int32_t b_zeros = leading_zeros(static_cast<uint32_t>(scaled)) - 1;
  const int32_t b = times_power(v, b_zeros);
  const int32_t b_power = sat32(static_cast<int64_t>(times_power(kIn - b_zeros, 31 - kInner)) - quarter);
  const int32_t r = a < b ? a : b, power = a_power > b_power ? a_power : b_power;
  const int32_t p = half_sum(r, kRootOfRootOfHalf);
  const int32_t q = 2 * (r - kRootOfRootOfHalf), q2 = srdhm(q, q);
  const int32_t numerator = srdhm(q, r) + srdhm(srdhm(q, q2), kNumerator);
  const int32_t denominator = srdhm(p, kInverse + q + srdhm(kDenominator, q2)) + srdhm(kFraction, q);
  const int32_t quotient = srdhm(times_power(numerator, -kInner), one_over_one_plus(denominator));
  return times_power(srdhm(power, kLog2) + quotient, kInner - kOut);
}

}  // namespace
}  // namespace octet_plain

OCTET_PLAIN void octet_plain_softmax(const OctetArgs* args) {
  using namespace octet_plain;
  const Softmax p = *in<Softmax>(args, OCTET_CONSTANTS);
  const Rounder round = round_then_zero(p.zero, 0, 255);
  const float* table = in<float>(args, OCTET_WEIGHTS);
  for_each_row(args, p, [&](const Row& row) {
    const int32_t most = row.largest();
    const float sum = row.sum<float>(table, most);
    row.write(most, [&](int32_t d) {
      const float scaled = table[d] * p.inverse;
      return round(scaled / sum);
    });
  });
}

OCTET_PLAIN void octet_plain_softmax_reciprocal(const OctetArgs* args) {
  using namespace octet_plain;
  const Softmax p = *in<Softmax>(args, OCTET_CONSTANTS);
  const float* table = in<float>(args, OCTET_WEIGHTS);
  for_each_row(args, p, [&](const Row& row) {
    const int32_t most = row.largest();
    const float scaled_sum = row.sum<float>(table, most) * p.dst_scale;
    const float inverse = 1.0f / scaled_sum;
    row.write(most, [&](int32_t d) {
      const float v = table[d] * inverse;
      const float up = v + 0.5f;  // rounded itself, which is what u8 results show
      return byte_of(p.rounds_up ? static_cast<int64_t>(up) : static_cast<int64_t>(static_cast<double>(v) + 0.5));
    });
  });
}

OCTET_PLAIN void octet_plain_softmax_exact(const OctetArgs* args) {
  using namespace octet_plain;
  const Softmax p = *in<Softmax>(args, OCTET_CONSTANTS);
  const uint32_t* table = in<uint32_t>(args, OCTET_WEIGHTS);
  const double inverse = 1.0 / static_cast<double>(p.dst_scale);
  for_each_row(args, p, [&](const Row& row) {
    const int32_t most = row.largest();
    const double sum = static_cast<double>(row.sum<uint64_t>(table, most));
    row.write(most, [&](int32_t d) {
      const double v = static_cast<double>(table[d]) * inverse / sum;
      return byte_of(octet_math::round_even(v < 65536.0 ? v : 65536.0) + static_cast<int64_t>(p.zero));
    });
  });
}

OCTET_PLAIN void octet_plain_softmax_fixed(const OctetArgs* args) {
  using namespace octet_plain;
  const Softmax p = *in<Softmax>(args, OCTET_CONSTANTS);
  const int32_t* table = in<int32_t>(args, OCTET_WEIGHTS);
  for_each_row(args, p, [&](const Row& row) {
    const int32_t most = row.largest();
    const uint32_t sum = static_cast<uint32_t>(row.sum<int32_t>(table + 256, most));
    const int32_t zeros = leading_zeros(sum), shift = 12 - zeros + 31 - 8;
    const int32_t inverse = one_over_one_plus(static_cast<int32_t>((sum << zeros) - 0x80000000u));
    row.write(most,
              [&](int32_t d) { return byte_of(octet_math::shift_away(octet_math::srdhm(inverse, table[d]), shift)); });
  });
}

OCTET_PLAIN void octet_plain_log_softmax(const OctetArgs* args) {
  using namespace octet_plain;
  const Softmax p = *in<Softmax>(args, OCTET_CONSTANTS);
  const float* table = in<float>(args, OCTET_WEIGHTS);
  const Rounder round = round_then_zero(p.zero, 0, 255);
  const float ratio = p.src_scale / p.dst_scale;
  for_each_row(args, p, [&](const Row& row) {
    const int32_t most = row.largest();
    const float log_sum = static_cast<float>(octet_float::log_of(static_cast<double>(row.sum<float>(table, most))));
    const float largest = p.src_scale * static_cast<float>(most - p.offset);
    const float shift = (largest + log_sum) / p.dst_scale;
    row.write(most, [&](int32_t d) {
      const float scaled = ratio * static_cast<float>(most - d - p.offset);
      return round(scaled - shift);
    });
  });
}

OCTET_PLAIN void octet_plain_log_softmax_fixed(const OctetArgs* args) {
  using namespace octet_plain;
  const Softmax p = *in<Softmax>(args, OCTET_CONSTANTS);
  const int32_t *sums = in<int32_t>(args, OCTET_WEIGHTS) + 256, *scaled = sums + 256;
  const int32_t left = p.exponent > 0 ? p.exponent : 0, right = left - p.exponent;
  for_each_row(args, p, [&](const Row& row) {
    const int32_t most = row.largest(), log_sum = log_of_sum(row.sum<int32_t>(sums, most));
    // The distance at which the result leaves the type.
    const int64_t below = static_cast<int64_t>(log_sum) - 2147483648;
    const int32_t limit = octet_math::shift_away(
        octet_math::srdhm(sat32(static_cast<int64_t>(static_cast<uint64_t>(below) << left)), p.multiplier), right);
    const int32_t least = limit > p.least - 1 ? limit : p.least - 1;
    row.write(most, [&](int32_t d) {
      if (-d <= least) return uint8_t{0};
      return byte_of(int64_t{octet_math::shift_away(static_cast<int64_t>(scaled[d]) - log_sum, 22)} + 255);
    });
  });
}

#endif

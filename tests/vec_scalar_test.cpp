// The two scalar functions that everything else trusts, against the library's own and against hard cases.
#include "templates/vec_scalar.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/random.h"

namespace octet_scalar {
namespace {

float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

uint32_t to_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

// Bit for bit, except that a NaN is a NaN.
bool fma_agrees(float a, float b, float c) {
  const float got = fma_once(a, b, c), want = std::fma(a, b, c);
  const bool same = std::isnan(want) ? std::isnan(got) : to_bits(got) == to_bits(want);
  EXPECT_TRUE(same) << std::hexfloat << a << " * " << b << " + " << c << " = " << got << ", not " << want;
  return same;
}

TEST(FmaOnce, AnyBitPatterns) {
  octet::Random random(1);
  for (int n = 0; n < 3'000'000; ++n)
    if (!fma_agrees(from_bits(random()), from_bits(random()), from_bits(random()))) return;
}

// Operands near each other, so that sums cancel, round and tie: few significant bits, exponents within a window.
TEST(FmaOnce, TiesAndCancellation) {
  octet::Random random(2);
  for (int n = 0; n < 4'000'000; ++n) {
    const uint32_t keep = ~0u << random() % 23;
    float x[3];
    for (float& v : x)
      v = from_bits((random() & 0x80000000u) | (127 - 30 + random() % 60) << 23 | (random() & 0x7fffffu & keep));
    if (n % 2) x[2] = std::ldexp(x[0] * x[1], n / 2 % 3 * 24 - 24) * (n / 6 % 2 ? 1.0f : -1.0f);
    if (!fma_agrees(x[0], x[1], x[2])) return;
  }
}

// Results among the subnormal numbers and at the overflow threshold, where a second rounding hides best.
TEST(FmaOnce, SubnormalAndHugeResults) {
  octet::Random random(3);
  for (int n = 0; n < 3'000'000; ++n) {
    const bool huge = n % 2;
    const int low = huge ? 245 : 0, center = huge ? 127 + 63 : 127 - 74;
    auto mantissa = [&] { return (random() & 0x7fffffu & (~0u << random() % 23)) | (random() & 0x80000000u); };
    const float a = from_bits(static_cast<uint32_t>(center + static_cast<int>(random() % 20) - 10) << 23 | mantissa());
    const float b = from_bits(static_cast<uint32_t>(center + static_cast<int>(random() % 20) - 10) << 23 | mantissa());
    const float c = from_bits(static_cast<uint32_t>(low + static_cast<int>(random() % 10)) << 23 | mantissa());
    if (!fma_agrees(a, b, c)) return;
  }
  // The product lies just above half of the smallest subnormal: a rounding to 53 bits loses that.
  fma_agrees(0x1p-75f * (1 + 0x1p-23f), 0x1p-75f, 0x1p-127f);
  fma_agrees(-0x1p-75f * (1 + 0x1p-23f), 0x1p-75f, 0x1p-127f);
}

TEST(FmaOnce, ListOfExtremes) {
  const float inf = INFINITY, max = 0x1.fffffep127f;
  const float list[] = {0.0f, 1.0f,         0x1p-149f, 0x1p-126f,      max,    inf,
                        NAN,  1 + 0x1p-23f, 0x1p-60f,  0x1.fffffep-1f, 0x1p63f};
  for (const float a : list)
    for (const float b : list)
      for (const float c : list)
        for (const int signs : {0, 1, 2, 3}) fma_agrees(signs & 1 ? -a : a, b, signs & 2 ? -c : c);
}

TEST(RoundEven, EveryExponent) {
  octet::Random random(4);
  for (uint32_t exponent = 0; exponent < 127 + 31; ++exponent)
    for (int n = 0; n < 20'000; ++n) {
      const float x = from_bits((random() & 0x80000000u) | exponent << 23 | (random() & 0x7fffffu & (~0u << n % 24)));
      ASSERT_EQ(round_even(x), std::llrint(x)) << std::hexfloat << x;
    }
  for (int k = -5'000'000; k < 5'000'000; ++k) {  // every tie that binary32 holds near zero
    const float x = static_cast<float>(k) + 0.5f;
    ASSERT_EQ(round_even(x), std::llrint(x)) << x;
  }
  EXPECT_EQ(round_even(-2147483648.0f), INT32_MIN);
}

}  // namespace
}  // namespace octet_scalar

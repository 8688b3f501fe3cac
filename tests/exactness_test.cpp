// The proof that vpmaddubsw cannot saturate, against brute force.
#include "generator/schedule/exactness.h"

#include <gtest/gtest.h>

#include "generator/schedule/schedule.h"
#include "targets/target.h"

namespace octet {
namespace {

bool leaves_s16(int sum) {
  return sum > 32767 || sum < -32768;
}

// Every pair of activations, not only the corners that the proof looks at.
bool saturates_by_trial(int w0, int w1, ActivationRange r) {
  for (int a0 = r.lo; a0 <= r.hi; ++a0)
    for (int a1 = r.lo; a1 <= r.hi; ++a1)
      if (leaves_s16(a0 * w0 + a1 * w1)) return true;
  return false;
}

class Exactness : public testing::TestWithParam<ActivationRange> {};

TEST_P(Exactness, EqualsBruteForceAroundTheBoundary) {
  const ActivationRange r = GetParam();
  int saturating = 0;
  for (int w0 = -128; w0 <= 127; w0 += w0 < -120 || w0 > 118 ? 1 : 7)
    for (int w1 = -128; w1 <= 127; ++w1) {
      const int near = std::abs(std::abs(w0) + std::abs(w1) - 128);
      if (near > 3 && std::abs(w1) < 126 && w1 % 31 != 0) continue;
      saturating += pair_saturates(w0, w1, r);
      ASSERT_EQ(pair_saturates(w0, w1, r), saturates_by_trial(w0, w1, r)) << w0 << " " << w1;
    }
  EXPECT_EQ(saturating > 0, r.hi > 128) << "the ranges must meet both answers";
}

INSTANTIATE_TEST_SUITE_P(Ranges, Exactness,
                         testing::Values(ActivationRange{0, 255}, ActivationRange{0, 127}, ActivationRange{0, 128},
                                         ActivationRange{128, 255}, ActivationRange{17, 200},
                                         ActivationRange{255, 255}));

// All 65,536 pairs with all corners of the full range; numerics.md 3.2 counted 49,279 safe ones.
TEST(ExactnessCount, FullRange) {
  int safe = 0;
  for (int w0 = -128; w0 <= 127; ++w0)
    for (int w1 = -128; w1 <= 127; ++w1) {
      bool trial = false;
      for (int a : {0, 255})
        for (int b : {0, 255}) trial |= leaves_s16(a * w0 + b * w1);
      ASSERT_EQ(pair_saturates(w0, w1), trial) << w0 << " " << w1;
      safe += !trial;
    }
  EXPECT_EQ(safe, 49279);
}

// One bad pair decides, wherever it is; neighbours of different taps, output channels or 4-groups are no pair.
TEST(Scan, FindsOnePairAtEveryPlace) {
  ConvSpec spec{.ic = 5, .oc = 3, .window = {.kh = 2, .kw = 1}};
  ConvData data{.weights = std::vector<int8_t>(30, 64), .bias = {0, 0, 0}, .scale = {{1}, {1}, {1}}};
  EXPECT_EQ(scan_pairs(spec, data).pairs, 18);
  EXPECT_TRUE(scan_pairs(spec, data).exact());
  for (size_t i = 0; i < data.weights.size(); ++i) {
    data.weights[i] = 65;
    EXPECT_EQ(scan_pairs(spec, data).saturating, i % 5 == 4 ? 0 : 1) << i;  // channel 4 has no neighbour
    data.weights[i] = 64;
  }
  data.weights[4] = data.weights[5] = 127;  // the last channel of a tap and the first of the next
  EXPECT_EQ(scan_pairs(spec, data).saturating, 1) << "127 + 64 of the second tap only";
}

TEST(Scan, DecidesTheDotFormOfTheSchedule) {
  const Target& avx2 = *find_target("avx2");
  ConvSpec spec{.ic = 4, .oc = 4};
  ConvData data{.weights = std::vector<int8_t>(16, 64), .bias = {0, 0, 0, 0}, .scale = {{1}, {1}, {1}, {1}}};
  EXPECT_EQ(choose_conv(spec, data, avx2, Emitter::jit).dot, DotForm::maddubs);
  data.weights[15] = 65;
  EXPECT_EQ(choose_conv(spec, data, avx2, Emitter::jit).dot, DotForm::widened);
  EXPECT_EQ(choose_conv(spec, data, *find_target("avx512_vnni"), Emitter::jit).dot, DotForm::fused);
  data.source = {0, 254};  // 254 * (64 + 65) = 32766
  EXPECT_EQ(choose_conv(spec, data, avx2, Emitter::jit).dot, DotForm::maddubs);
}

}  // namespace
}  // namespace octet

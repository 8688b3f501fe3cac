// The larger and the smaller of two bytes, and PReLU in the form of every profile, by hand.
#include <gtest/gtest.h>

#include <array>

#include "generator/kernel/requant.h"
#include "runtime/status.h"

namespace octet {
namespace {

QuantView s8(float scale, int zero_point) {
  return {scale, zero_point, true};
}

TEST(Pair, LargerAndSmaller) {
  const QuantView v = s8(0.1f, 3);
  EXPECT_EQ(pair_bytes(3, 200, extremum_formula(true, v, v, v, 10, 190)), 190);
  EXPECT_EQ(pair_bytes(3, 200, extremum_formula(false, v, v, v, 10, 190)), 10);
  EXPECT_EQ(pair_bytes(77, 76, extremum_formula(false, v, v, v, 0, 255)), 76);
  EXPECT_THROW(extremum_formula(true, v, s8(0.2f, 3), v, 0, 255), Error);
  EXPECT_THROW(extremum_formula(true, v, v, s8(0.1f, 4), 0, 255), Error);
}

TEST(Pair, PreluOfEachProfile) {
  const auto prelu = [](Profile p, int x, int slope, float out_scale) {
    const PairFormula f = prelu_formula(p, s8(0.1f, 3), s8(0.01f, -7), s8(out_scale, -20), 0, 255);
    return pair_bytes(static_cast<uint8_t>(x + 128), static_cast<uint8_t>(slope + 128), f) - 128;
  };
  const std::vector<std::array<int, 3>> rows = {{-100, 16, -67}, {3, 100, -20}, {127, 5, 127}};
  for (Profile p : all_profiles()) {
    if (p == Profile::tidl) continue;
    for (const auto& [x, slope, want] : rows) EXPECT_EQ(prelu(p, x, slope, 0.05f), want) << profile_name(p);
    EXPECT_EQ(prelu(p, -50, -32, 0.05f), is_tflite(p) ? 7 : 6);  // 26.5
  }
  EXPECT_EQ(prelu(Profile::tfl_ref, 6, 0, 0.2f), -18);  // 1.5, away from zero
  EXPECT_EQ(prelu(Profile::ort, 8, 0, 0.2f), -18);      // 2.5, to even
  EXPECT_EQ(prelu(Profile::tfl_ref, 8, 0, 0.2f), -17);
  EXPECT_THROW(prelu_formula(Profile::tidl, {}, {}, {}, 0, 255), Error);
  EXPECT_THROW(prelu_formula(Profile::xnn, {.scale = 1e5f}, {}, {}, 0, 255), Error);
}

}  // namespace
}  // namespace octet

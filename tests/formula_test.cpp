// The scalar formulas of every profile at ties and extremes, by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "generator/kernel/conv_scale.h"
#include "generator/kernel/fixed_point.h"
#include "generator/kernel/requant.h"
#include "generator/kernel/resize.h"
#include "runtime/status.h"

namespace octet {
namespace {

TEST(Requantize, RoundsTiesToEvenBeforeAddingAnOddZeroPoint) {
  for (const auto& [acc, want] : std::vector<std::pair<int, int>>{{1, 7}, {3, 9}, {5, 9}, {-1, 7}, {-3, 5}, {-5, 5}})
    EXPECT_EQ(requantize(acc, {.m = 0.5f}, {.zero = 7}), want) << acc;
}

TEST(Requantize, SaturatesAtBothEndsAndAtInfinity) {
  constexpr int kMin = std::numeric_limits<int32_t>::min(), kMax = std::numeric_limits<int32_t>::max();
  for (float m : {0x1p-31f, 0.01f, 1.0f, 255.0f, std::numeric_limits<float>::max()}) {
    EXPECT_EQ(requantize(kMax, {.m = m}, {.zero = 255, .lo = 3, .hi = 250, .wide = true}), 250);
    EXPECT_EQ(requantize(kMin, {.m = m}, {.zero = 0, .lo = 3, .hi = 250, .wide = true}), 3);
  }
  EXPECT_EQ(requantize(kMax, {.m = 0x1p-31f}, {.zero = 0}), 1);  // f32(2^31 - 1) is 2^31
}

TEST(Requantize, EqualsConvertingFirstWhereTheProductFits) {
  for (int acc = -70000; acc < 70000; acc += 7)
    for (float m : {0.00390625f, 0.0123f, 0.5f, 1.5f}) {
      const Requant r = {.zero = 113, .lo = 20, .hi = 240};
      const int direct = static_cast<int>(std::nearbyintf(static_cast<float>(acc) * m)) + r.zero;
      ASSERT_EQ(requantize(acc, {.m = m}, r), std::clamp(direct, r.lo, r.hi)) << acc << " * " << m;
    }
}

int rounded(int32_t acc, const ChannelScale& c, RequantForm form) {
  return requantize(acc, c, {.zero = 100, .form = form}) - 100;
}

// x = floor((2^left * acc * multiplier + 2^30) / 2^31), then x / 2^n: with 2^30 the first is a halving with ties up.
TEST(Requantize, FixedPointRoundsTwice) {
  const FixedPoint quarter{1 << 30, -1};
  struct Row {
    int acc, away, up;
  };
  for (const Row& r : std::vector<Row>{{0, 0, 0},
                                       {1, 1, 1},    // 1/4, by way of 1/2
                                       {2, 1, 1},    // 1/2
                                       {6, 2, 2},    // 3/2
                                       {-1, 0, 0},   // by way of 0
                                       {-2, -1, 0},  // -1/2
                                       {-6, -2, -1},
                                       {-7, -2, -1}}) {  // -7/4, by way of -3
    EXPECT_EQ(rounded(r.acc, {.fixed = quarter}, RequantForm::fixed_away), r.away) << r.acc;
    EXPECT_EQ(rounded(r.acc, {.fixed = quarter}, RequantForm::fixed_up), r.up) << r.acc;
    EXPECT_EQ(rounded(r.acc, {.fixed = quarter, .ties_up = true}, RequantForm::fixed_away), r.up) << r.acc;
  }
  for (const RequantForm form : {RequantForm::fixed_away, RequantForm::fixed_up}) {
    const FixedPoint twice{1 << 30, 2}, half{1 << 30, 0}, none{std::numeric_limits<int32_t>::max(), -31};
    EXPECT_EQ(rounded(3, {.fixed = twice}, form), 6);
    EXPECT_EQ(rounded(-3, {.fixed = twice}, form), -6);
    EXPECT_EQ(rounded(3, {.fixed = half}, form), 2);  // ties up, for lack of a second rounding
    EXPECT_EQ(rounded(-3, {.fixed = half}, form), -1);
    EXPECT_EQ(rounded((1 << 29) - 1, {.fixed = none}, form), 0);
    EXPECT_EQ(rounded(-(1 << 29) + 1, {.fixed = none}, form), 0);
    EXPECT_EQ(rounded(12345, {}, form), 0);
    EXPECT_EQ(rounded(1 << 28, {.fixed = half}, form), 155);
    EXPECT_EQ(rounded(-(1 << 28), {.fixed = half}, form), -100);
  }
}

TEST(Requantize, DoublesRoundTiesAwayFromZero) {
  for (const auto& [acc, want] : std::vector<std::pair<int, int>>{{1, 1}, {-1, -1}, {3, 2}, {-3, -2}, {5, 3}, {-5, -3}})
    EXPECT_EQ(rounded(acc, {.real = 0.5}, RequantForm::doubles), want) << acc;
  EXPECT_EQ(rounded(1, {.real = 0x1.fffffffffffffp-2}, RequantForm::doubles), 0);  // just below 1/2
  EXPECT_EQ(rounded(std::numeric_limits<int32_t>::min(), {.real = 255}, RequantForm::doubles), -100);
}

TEST(Requantize, ShiftRoundsTiesUp) {
  for (const auto& [acc, want] : std::vector<std::pair<int, int>>{{1, 1}, {-1, 0}, {3, 2}, {-3, -1}, {-5, -2}, {4, 2}})
    EXPECT_EQ(rounded(acc, {.fixed = {1, -1}}, RequantForm::shift), want) << acc;
  EXPECT_EQ(rounded(-7, {.fixed = {1, 0}}, RequantForm::shift), -7);
  EXPECT_EQ(rounded(1 << 29, {.fixed = {1, -30}}, RequantForm::shift), 1);
}

TEST(Requantize, FloatBiasesRoundWhereTheirRuntimesDo) {
  for (const auto& [acc, want] : std::vector<std::pair<int, int>>{{1, 2}, {2, 2}, {3, 4}, {-1, 0}, {-2, -2}})
    EXPECT_EQ(rounded(acc, {.m = 1, .b = 0.5f}, RequantForm::biased), want) << acc;
  // 4097 * 4097 = 2^24 + 2^13 + 1 is no float: one rounding keeps the 1.
  const Requant factor{.zero = 100, .form = RequantForm::biased, .factor = 4097};
  EXPECT_EQ(requantize(-16785408, {.m = 1, .b = 4097}, factor), 101);
  // ((acc / 2) + 1/4) * 2 + zero point, and only then to the nearest even.
  const Requant u8{.zero = 3, .form = RequantForm::affine, .factor = 2};
  const Requant s8{.zero = 131, .form = RequantForm::affine, .factor = 2, .offset = 128};
  for (const auto& [acc, want] : std::vector<std::pair<int, int>>{{0, 4}, {1, 4}, {2, 6}, {-1, 2}, {-9, 0}}) {
    EXPECT_EQ(requantize(acc, {.m = 0.5f, .b = 0.25f}, u8), want) << acc;
    EXPECT_EQ(requantize(acc, {.m = 0.5f, .b = 0.25f}, s8), acc == -9 ? 122 : want + 128) << acc;
  }
}

TEST(ConvScale, IsWhatTheProfileSays) {
  const float x = 0.3f, w = 0.07f, y = 0.9f, bias = 1.7f;
  const auto traits = [&](Profile p) {
    return ConvTraits{.profile = p, .per_tensor = false, .src_scale = x, .weight_scale = w, .dst_scale = y};
  };
  const auto scale = [&](const ConvTraits& t) { return channel_scale(t, 0, w, bias); };
  const auto form = [](const ConvTraits& t) {
    Requant r;
    set_form(t, true, r);
    return r;
  };
  const float product = x * w;
  for (const Profile p : {Profile::ort, Profile::xnn}) {
    EXPECT_EQ(form(traits(p)).form, RequantForm::scaled);
    EXPECT_EQ(scale(traits(p)).m, product / y);
  }
  const double real = static_cast<double>(x) * static_cast<double>(w) / static_cast<double>(y);
  const double in_float = static_cast<double>(product) / static_cast<double>(y);
  ASSERT_NE(real, in_float);
  ConvTraits ref = traits(Profile::tfl_ref), ruy = traits(Profile::tfl_ruy);
  EXPECT_EQ(form(ref).form, RequantForm::fixed_away);
  EXPECT_EQ(form(ruy).form, RequantForm::fixed_up);
  EXPECT_EQ(scale(ref).fixed, fixed_point(real));
  ref.kind = ruy.kind = ConvKind::fully_connected;
  EXPECT_EQ(form(ref).form, RequantForm::doubles);
  EXPECT_EQ(scale(ref).real, real);
  EXPECT_EQ(scale(ruy).real, real);
  ruy.per_tensor = true;
  EXPECT_EQ(scale(ruy).real, in_float);
  ref.is_signed = false;
  EXPECT_EQ(scale(ref).real, in_float);
  ConvTraits depthwise = traits(Profile::xnn);
  depthwise.kind = ConvKind::depthwise;
  depthwise.channels = 11;
  EXPECT_EQ(form(depthwise).form, RequantForm::scaled);
  depthwise.is_signed = false;
  EXPECT_EQ(form(depthwise).form, RequantForm::scaled);
  depthwise.profile = Profile::tfl_ruy;
  depthwise.is_signed = true;
  EXPECT_EQ(form(depthwise).form, RequantForm::fixed_away);
  EXPECT_TRUE(channel_scale(depthwise, 7, w, 0).ties_up);
  EXPECT_FALSE(channel_scale(depthwise, 8, w, 0).ties_up);

  for (const Profile p : {Profile::xnn, Profile::tfl_ref, Profile::tfl_ruy, Profile::tflm}) {
    ConvTraits activations = traits(p);
    activations.kind = ConvKind::product;
    EXPECT_EQ(form(activations).form, RequantForm::fixed_away) << profile_name(p);
    EXPECT_EQ(scale(activations).fixed, fixed_point(real)) << profile_name(p);
    activations.is_signed = false;
    EXPECT_EQ(scale(activations).real, p == Profile::tflm ? real : in_float) << profile_name(p);
  }

  ConvTraits torch = traits(Profile::torch_x86);
  EXPECT_EQ(form(torch).form, RequantForm::affine);
  EXPECT_EQ(form(torch).factor, 1 / y);
  const float back = 1 / (1 / x);
  EXPECT_EQ(scale(torch).m, back * w);
  EXPECT_EQ(scale(torch).b, bias);
  torch.groups = 101;
  EXPECT_EQ(form(torch).form, RequantForm::biased);
  EXPECT_EQ(form(torch).factor, 1.0f);
  EXPECT_EQ(scale(torch).b, bias / product);
  torch.per_tensor = true;
  EXPECT_EQ(form(torch).factor, 1 / product);
  EXPECT_EQ(scale(torch).b, bias);
  EXPECT_EQ(scale(traits(Profile::qnnpack)).m, product * (1 / y));
}

TEST(ConvScale, KnowsPowersOfTwo) {
  EXPECT_EQ(power_of_two(1), 0);
  EXPECT_EQ(power_of_two(0x1p-30), 30);
  for (const double none : {0.0, 2.0, 0.75, 0x1p-31, -0.5}) EXPECT_FALSE(power_of_two(none)) << none;
}

TEST(Requantize, KnowsWhenAProductLeavesS32) {
  EXPECT_FALSE(requant_is_wide(1 << 30, {.m = 1.0f}, {}));
  EXPECT_TRUE(requant_is_wide(int64_t{1} << 31, {.m = 1.0f}, {}));
  EXPECT_TRUE(requant_is_wide(2147483647, {.m = 1.0f}, {}));  // f32 makes it 2^31
  EXPECT_FALSE(requant_is_wide(2147483647, {.m = 0.99f}, {}));
  EXPECT_TRUE(requant_is_wide(1 << 24, {.m = 128.0f}, {}));
}

TEST(FixedPoint, FactorsAndProducts) {
  EXPECT_EQ(fixed_point(0.5), (FixedPoint{1 << 30, 0}));
  EXPECT_EQ(fixed_point(1.0), (FixedPoint{1 << 30, 1}));
  EXPECT_EQ(fixed_point(0.75), (FixedPoint{3 << 29, 0}));
  EXPECT_EQ(fixed_point(1.0 - 0x1p-40), (FixedPoint{1 << 30, 1}));  // rounds up to 2^31
  EXPECT_EQ(fixed_point(0.0), FixedPoint{});
  EXPECT_EQ(fixed_point(0x1p-32), (FixedPoint{1 << 30, -31}));
  EXPECT_EQ(fixed_point(0x1p-33), FixedPoint{});
  using octet_math::srdhm, octet_math::shift_up, octet_math::shift_away;
  constexpr int kMin = std::numeric_limits<int32_t>::min(), kMax = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(srdhm(1, 1 << 30), 1);  // 0.5
  EXPECT_EQ(srdhm(-1, 1 << 30), 0);
  EXPECT_EQ(srdhm(3, 1 << 30), 2);
  EXPECT_EQ(srdhm(-3, 1 << 30), -1);
  EXPECT_EQ(srdhm(kMax, kMax), kMax - 1);
  EXPECT_EQ(srdhm(kMin, kMax), kMin + 1);
  for (const auto& [x, n, up, away] : std::vector<std::array<int, 4>>{{5, 1, 3, 3},
                                                                      {-5, 1, -2, -3},
                                                                      {6, 2, 2, 2},
                                                                      {-6, 2, -1, -2},
                                                                      {-7, 2, -2, -2},
                                                                      {9, 0, 9, 9},
                                                                      {kMax, 31, 1, 1},
                                                                      {kMin, 31, -1, -1},
                                                                      {1 << 30, 31, 1, 1},
                                                                      {-(1 << 30), 31, 0, -1}}) {
    EXPECT_EQ(shift_up(x, n), up) << x << " >> " << n;
    EXPECT_EQ(shift_away(x, n), away) << x << " >> " << n;
  }
  EXPECT_EQ(scale_away(-10, fixed_point(0.25)), -3);  // -2.5; srdhm is exact here
  EXPECT_EQ(scale_up(-10, fixed_point(0.25)), -2);
  EXPECT_EQ(scale_away(7, fixed_point(3.0)), 21);
}

TEST(Bias, RoundsInBinary64AndRefusesWhatS32CannotHold) {
  EXPECT_EQ(quantize_bias(Profile::ort, 0.375f, 0.5f, 0.5f), 2);  // 1.5
  EXPECT_EQ(quantize_bias(Profile::ort, 0.625f, 0.5f, 0.5f), 2);  // 2.5
  EXPECT_EQ(quantize_bias(Profile::ort, -0.625f, 0.5f, 0.5f), -2);
  EXPECT_EQ(quantize_bias(Profile::ort, -2147483648.0f, 1.0f, 1.0f), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(quantize_bias(Profile::ort, 2147483648.0f, 1.0f, 1.0f), std::nullopt);
  EXPECT_EQ(quantize_bias(Profile::ort, 1.0f, 1e-20f, 1e-20f), std::nullopt);
  EXPECT_EQ(quantize_bias(Profile::ort, std::nanf(""), 1.0f, 1.0f), std::nullopt);
}

TEST(Quantize, TiesSaturationInfinitiesAndNan) {
  const QuantView u8{.scale = 0.5f, .zero_point = 3}, s8{.scale = 0.5f, .zero_point = -3, .is_signed = true};
  EXPECT_EQ(quantize(0.25f, u8), 3);  // 0.5 -> 0
  EXPECT_EQ(quantize(0.75f, u8), 5);  // 1.5 -> 2
  EXPECT_EQ(quantize(-0.25f, u8), 3);
  EXPECT_EQ(quantize(0.75f, s8), 127);  // -1 + 128
  const float inf = std::numeric_limits<float>::infinity();
  for (const QuantView& q : {u8, s8}) {
    EXPECT_EQ(quantize(inf, q), 255);
    EXPECT_EQ(quantize(-inf, q), 0);
    EXPECT_EQ(quantize(std::nanf(""), q), 0);
    EXPECT_EQ(quantize(1e30f, q, 10, 20), 20);
    for (int b = 0; b < 256; ++b) EXPECT_EQ(quantize(dequantize(static_cast<uint8_t>(b), q), q), b);
  }
}

TEST(Quantize, TheGuidesExample) {  // [-6, 6] to u8: scale 0.047058824, zero point 128
  const QuantView q{.scale = 0.047058824f, .zero_point = 128};
  EXPECT_EQ(quantize(-6.0f, q), 0);
  EXPECT_EQ(quantize(0.0f, q), 128);
  EXPECT_EQ(quantize(6.0f, q), 255);
}

TEST(Add, ConstantsAndTies) {
  const QuantView a{.scale = 0.5f, .zero_point = 3}, b{.scale = 0.25f, .zero_point = 200},
      y{.scale = 0.5f, .zero_point = 7};
  const AddFormula f = add_formula(Profile::ort, a, b, y, 0, 255);
  EXPECT_EQ(f.ra, 1.0f);
  EXPECT_EQ(f.rb, 0.5f);
  EXPECT_EQ(f.kb, 7.0f - 103.0f);
  EXPECT_EQ(add_bytes(3, 201, f), 8);  // 7.5: the zero point is in before rounding, so 8 and not 7
  EXPECT_EQ(add_bytes(4, 201, f), 8);  // 8.5
  EXPECT_EQ(add_bytes(255, 255, f), 255);
  EXPECT_EQ(add_bytes(0, 0, f), 0);
  const QuantView s{.scale = 0.5f, .zero_point = -125, .is_signed = true};
  const AddFormula g = add_formula(Profile::ort, s, b, s, 10, 250);
  EXPECT_EQ(add_bytes(3, 201, g), 10);     // bytes: z = 3, so 3.5, clamped
  EXPECT_EQ(add_bytes(103, 201, g), 104);  // q: -25 + 0.5 = -24.5 -> -24
}

// The sums of two s8 values in every form; q values in and out. 0.5 * 5 + 0.25 * 6 = 4, and so on by hand.
int add_q(const AddFormula& f, int a, int b) {
  return add_bytes(static_cast<uint8_t>(a + 128), static_cast<uint8_t>(b + 128), f) - 128;
}

const QuantView kHalf{.scale = 0.5f, .is_signed = true}, kQuarter{.scale = 0.25f, .is_signed = true},
    kOne{.scale = 1, .zero_point = 3, .is_signed = true};

TEST(Add, EachProfileRoundsItsTiesItsOwnWay) {
  // 2.5, 3.5, -2.5, -3.5 in units of the result, whose zero point is 3.
  const std::vector<std::pair<int, int>> pairs = {{3, 4}, {5, 4}, {-3, -4}, {-5, -4}};
  const auto sums = [&](Profile profile) {
    std::vector<int> q;
    for (const auto& [a, b] : pairs) q.push_back(add_q(add_formula(profile, kHalf, kQuarter, kOne, 0, 255), a, b) - 3);
    return q;
  };
  EXPECT_EQ(sums(Profile::ort), (std::vector<int>{3, 3, -3, -3}));  // 5.5 and 6.5 are 6, 0.5 and -0.5 are 0
  EXPECT_EQ(sums(Profile::fbgemm), (std::vector<int>{2, 4, -2, -4}));
  EXPECT_EQ(sums(Profile::qnnpack), (std::vector<int>{3, 4, -3, -4}));
  EXPECT_EQ(sums(Profile::xnn), (std::vector<int>{3, 4, -2, -3}));
  EXPECT_EQ(sums(Profile::tidl), (std::vector<int>{3, 4, -2, -3}));
  for (Profile p : {Profile::tfl_ref, Profile::tflm, Profile::tfl_ruy})
    EXPECT_EQ(sums(p), (std::vector<int>{3, 4, -3, -4}));
}

TEST(Add, DifferencesOfEachProfile) {
  for (const Profile p : all_profiles()) {
    const AddFormula f = sub_formula(p, kHalf, kQuarter, kOne, 0, 255);
    EXPECT_EQ(add_q(f, 10, 4), 7) << profile_name(p);       // 5 - 1 + 3
    EXPECT_EQ(add_q(f, -10, 4), -3) << profile_name(p);     // -5 - 1 + 3
    EXPECT_EQ(add_q(f, 127, -128), 99) << profile_name(p);  // 63.5 + 32 + 3 = 98.5, which all round to 99 or 98
  }
}

TEST(Add, FactorsOfTheIntegerForms) {
  const AddFormula xnn = add_formula(Profile::xnn, {.scale = 0.3f}, {.scale = 0.1f}, {.scale = 0.2f}, 0, 255);
  EXPECT_EQ(xnn.form, AddForm::shifted_up);
  EXPECT_EQ(xnn.shift, 20);
  EXPECT_EQ(xnn.ma.multiplier, 1572864);  // 1.5 * 2^20
  EXPECT_EQ(xnn.mb.multiplier, 524288);
  const AddFormula qnn = add_formula(Profile::qnnpack, {.scale = 0.3f}, {.scale = 0.1f}, {.scale = 0.2f}, 0, 255);
  EXPECT_EQ(qnn.shift, 21);
  EXPECT_EQ(qnn.ma.multiplier, 2 * 1572864);
  const AddFormula tfl = add_formula(Profile::tflm, {.scale = 0.5f}, {.scale = 0.125f}, {.scale = 1}, 0, 255);
  EXPECT_EQ(tfl.ma, (FixedPoint{1 << 30, 0}));
  EXPECT_EQ(tfl.mb, (FixedPoint{1 << 30, -2}));
  EXPECT_EQ(tfl.m_out, (FixedPoint{1 << 30, -19}));
  // XNNPACK leaves such scales to the builtin kernels.
  EXPECT_EQ(add_formula(Profile::xnn, {.scale = 300}, {}, {}, 0, 255).form, AddForm::doubling);
  EXPECT_EQ(add_formula(Profile::xnn, {}, {.scale = 0x1p-11f}, {}, 0, 255).form, AddForm::doubling);
}

TEST(Add, ScalesThatNoKernelTakesAreRefused) {
  EXPECT_THROW(add_formula(Profile::tfl_ref, {}, {}, {.scale = 0x1p-20f}, 0, 255), Error);
  EXPECT_THROW(add_formula(Profile::qnnpack, {.scale = 256}, {}, {}, 0, 255), Error);
  EXPECT_THROW(add_formula(Profile::qnnpack, {.scale = 0x1p-11f}, {.scale = 0x1p-11f}, {}, 0, 255), Error);
  EXPECT_THROW(mul_formula(Profile::tfl_ref, {.scale = 128}, {.scale = 128}, {}, 0, 255), Error);
  EXPECT_THROW(mul_formula(Profile::tidl, {}, {}, {}, 0, 255), Error);
  EXPECT_THROW(average_formula(Profile::xnn, {}, {.scale = 2}, 0, 255), Error);
  EXPECT_THROW(average_formula(Profile::fbgemm, {}, {.zero_point = 2}, 0, 255), Error);
  EXPECT_THROW(global_average_formula(Profile::tidl, {}, {}, 4, 0, 255), Error);
}

TEST(Mul, EachProfileRoundsItsTiesItsOwnWay) {
  const QuantView a{.scale = 0.5f, .zero_point = 10}, b{.zero_point = 20}, y{.zero_point = 7};
  const auto products = [&](Profile profile) {  // 0.5, 1.5, -0.5, -1.5
    const MulFormula f = mul_formula(profile, a, b, y, 0, 255);
    EXPECT_EQ(mul_bytes(255, 255, f), 255);
    EXPECT_EQ(mul_bytes(0, 255, f), 0);
    std::vector<int> q;
    for (const uint8_t x : {uint8_t{11}, uint8_t{13}, uint8_t{9}, uint8_t{7}}) q.push_back(mul_bytes(x, 21, f) - 7);
    return q;
  };
  EXPECT_EQ(products(Profile::ort), (std::vector<int>{1, 1, -1, -1}));  // 7.5 and 8.5 are 8, 6.5 and 5.5 are 6
  for (Profile p : {Profile::xnn, Profile::fbgemm, Profile::qnnpack})
    EXPECT_EQ(products(p), (std::vector<int>{0, 2, 0, -2})) << profile_name(p);
  for (Profile p : {Profile::tfl_ref, Profile::tflm, Profile::tfl_ruy})
    EXPECT_EQ(products(p), (std::vector<int>{1, 2, 0, -1})) << profile_name(p);  // no shift to round away
}

TEST(Clamp, RangesFoldAndMayLieBesideEachOther) {
  const QuantView u8{.scale = 0.1f, .zero_point = 5}, s8{.scale = 0.1f, .zero_point = -5, .is_signed = true};
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(clamp_range(0, inf, u8), (QRange{5, 255}));
  EXPECT_EQ(clamp_range(0, 6, u8), (QRange{5, 65}));
  EXPECT_EQ(clamp_range(0, 6, s8), (QRange{-5, 55}));
  EXPECT_EQ(byte_range(clamp_range(0, 6, s8), s8), (ByteRange{123, 183}));
  EXPECT_EQ(clamp_range(0, 6, u8, {70, 80}), (QRange{65, 65}));
  EXPECT_EQ(clamp_range(0, 6, u8, {0, 3}), (QRange{5, 5}));
  EXPECT_EQ(byte_range({}, s8), (ByteRange{0, 255}));
}

TEST(Pool, EachProfileRoundsItsTiesItsOwnWay) {
  const QuantView u8{.zero_point = 1}, s8{.zero_point = 1, .is_signed = true};
  const auto average = [](Profile p, const QuantView& v, const std::vector<uint8_t>& taps, int count) {
    return mean_bytes(taps, count, 0, average_formula(p, v, v, 0, 255));
  };
  EXPECT_EQ(average(Profile::ort, u8, {1, 4}, 2), 2);  // (0 + 3) / 2 + 1 = 2.5
  EXPECT_EQ(average(Profile::ort, u8, {2, 3}, 4), 2);  // 0.75 + 1
  EXPECT_EQ(average(Profile::ort, u8, {}, 0), 1);
  EXPECT_EQ(average(Profile::fbgemm, u8, {1, 4}, 2), 3);          // rne(1.5) + 1
  EXPECT_EQ(average(Profile::fbgemm, u8, {1, 2}, 2), 1);          // rne(0.5) + 1
  EXPECT_EQ(average(Profile::xnn, u8, {1, 4}, 2), 3);             // 2.5
  EXPECT_EQ(average(Profile::xnn, u8, {1, 2, 2}, 3), 2);          // 5 / 3
  EXPECT_EQ(average(Profile::xnn, s8, {126, 127}, 2), 126);       // q: -1.5 -> -2
  EXPECT_EQ(average(Profile::xnn, s8, {127, 127, 128}, 3), 127);  // -2 / 3 -> -1
  EXPECT_EQ(average(Profile::xnn, s8, {129, 130}, 2), 130);
  const auto global = [](Profile p, const QuantView& v, const std::vector<uint8_t>& taps) {
    const auto count = static_cast<int>(taps.size());
    return mean_bytes(taps, count, 0, global_average_formula(p, v, v, count, 0, 255));
  };
  EXPECT_EQ(global(Profile::ort, u8, {1, 4}), 3);  // rne(1.5) + 1
  EXPECT_EQ(global(Profile::ort, u8, {1, 2}), 1);
  EXPECT_EQ(global(Profile::xnn, u8, {1, 2}), 2);   // rne(0.5 + 1)
  EXPECT_EQ(global(Profile::xnn, u8, {1, 4}), 2);   // rne(1.5 + 1)
  EXPECT_EQ(global(Profile::tflm, u8, {1, 2}), 2);  // 0.5, away from zero
}

TEST(Pool, TensorFlowLitesMeanDividesTheFactor) {
  const MeanFormula f = global_average_formula(Profile::tfl_ref, {.scale = 0.75f}, {.scale = 1}, 49, 0, 255);
  EXPECT_EQ(f.fixed, (FixedPoint{static_cast<int32_t>((int64_t{3} << 29) * 32 / 49), -5}));
}

// The order of ORT's float additions, spelled out for ten values that start one float behind an aligned address: three
// before the first vector, one vector, three after.
TEST(Pool, MeanAddsInTheOrderOfAlignedVectors) {
  const MeanFormula s = reduce_mean_formula(Profile::ort, {.scale = 0.1f}, {.scale = 0x1p-20f}, 13, 0, 255);
  const std::vector<uint8_t> taps = {200, 3, 177, 91, 255, 14, 68, 33, 129, 250, 1, 99, 180};
  const auto d = [&](size_t i) { return dequantize(taps[i], s.src); };
  float sum = (d(3) + d(7) + (d(5) + d(9))) + (d(4) + d(8) + (d(6) + d(10)));
  for (size_t i : {0, 1, 2, 11, 12}) sum += d(i);
  // Too fine a scale to saturate: compare the low bits of the mean.
  const float mean = sum / 13.0f;
  MeanFormula fine = s;
  fine.dst.scale = mean / 200.0f;
  EXPECT_EQ(mean_bytes(taps, 13, 5, fine), quantize(mean, fine.dst));  // 5 * 13 = 1 mod 4
}

TEST(Affine, RoundsTheProductAndTheSumApart) {
  const AffineSpec s{.src = {.scale = 1}, .dst = {.scale = 1}};
  EXPECT_EQ(affine_byte(3, 0.5f, 1.0f, s), 2);  // 2.5
  EXPECT_EQ(affine_byte(5, 0.5f, 1.0f, s), 4);  // 3.5
  const Affine a = batch_norm_affine(2.0f, 1.0f, 3.0f, 3.75f, 0.25f);
  EXPECT_EQ(a.scale, 1.0f);
  EXPECT_EQ(a.shift, -2.0f);
}

// One row of three pixels made six wide, as LiteRT 2.3.0 gives it.
using Ints = std::vector<int>;
Ints resized(BlendForm form, Resize::Coordinates coordinates, const std::array<int, 3>& row, int offset) {
  Ints out;
  for (const ResizeNeighbours& x : resize_neighbours(form, coordinates, 3, 6)) {
    const auto left = static_cast<uint8_t>(row[static_cast<size_t>(x.first)] + offset);
    const auto right = static_cast<uint8_t>(row[static_cast<size_t>(x.second)] + offset);
    out.push_back(blend_bytes(form, {left, right, left, right}, {}, x, offset) - offset);
  }
  return out;
}

TEST(Resize, BlendsAsTheRuntimesDo) {
  using enum Resize::Coordinates;
  const std::array<int, 3> s8 = {-128, 127, -3}, u8 = {0, 255, 6};
  EXPECT_EQ(resized(BlendForm::fixed11, half_pixel, s8, 128), (Ints{-128, -64, 63, 95, 30, -3}));
  EXPECT_EQ(resized(BlendForm::fixed11, asymmetric, s8, 128), (Ints{-128, 0, 127, 62, -3, -3}));
  EXPECT_EQ(resized(BlendForm::fixed11, align_corners, s8, 128), (Ints{-128, -26, 76, 101, 49, -3}));
  EXPECT_EQ(resized(BlendForm::fixed10, half_pixel, s8, 128), (Ints{-128, -64, 63, 95, 30, -3}));
  EXPECT_EQ(resized(BlendForm::fixed10, asymmetric, s8, 128), (Ints{-128, -1, 127, 62, -3, -3}));  // -0.5
  EXPECT_EQ(resized(BlendForm::fixed10, align_corners, s8, 128), (Ints{-128, -26, 76, 101, 49, -3}));
  for (BlendForm form : {BlendForm::fixed11, BlendForm::terms, BlendForm::weights}) {
    EXPECT_EQ(resized(form, half_pixel, u8, 0), (Ints{0, 64, 191, 193, 68, 6}));
    EXPECT_EQ(resized(form, asymmetric, u8, 0), (Ints{0, 128, 255, 131, 6, 6}));
    EXPECT_EQ(resized(form, align_corners, u8, 0), (Ints{0, 102, 204, 205, 106, 6}));
  }
}
}  // namespace
}  // namespace octet

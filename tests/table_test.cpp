// Tables and softmax of every profile. Vectors named LiteRT are what its kernels give (and tflite-micro's, where said).
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "generator/kernel/plain.h"
#include "generator/kernel/requant.h"
#include "generator/kernel/softmax.h"
#include "generator/kernel/tables.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr Profile kTflite[] = {Profile::tfl_ref, Profile::tflm, Profile::tfl_ruy, Profile::xnn};

QuantView s8(float scale, int zero_point) {
  return {scale, zero_point, true};
}

// The table's values at these q.
std::vector<int> at(const Lut& table, const QuantView& src, const QuantView& dst) {
  std::vector<int> out;
  for (int q : {-128, -100, -64, -33, -10, -3, -1, 0, 1, 2, 3, 10, 33, 64, 100, 127}) {
    if (!src.is_signed) q += 128;
    out.push_back(table[static_cast<size_t>(q + src.offset())] - dst.offset());
  }
  return out;
}

std::vector<int> values(Profile p, Unary f, float alpha, float beta, const QuantView& src, const QuantView& dst) {
  return at(function_table(p, f, alpha, beta, src, dst), src, dst);
}

TEST(Tables, HardSwishAsLiteRtHasIt) {
  for (Profile p : kTflite)
    EXPECT_EQ(values(p, Unary::hard_swish, 0, 0, s8(0.05f, -3), s8(0.03f, -100)),
              (std::vector<int>{-100, -100, -100, -113, -105, -100, -98, -97, -96, -95, -95, -87, -52, 12, 72, 117}));
  EXPECT_THROW(function_table(Profile::xnn, Unary::hard_swish, 0, 0, s8(1, 0), s8(0x1p-9f, 0)), Error);
}

TEST(Tables, RealFunctionsAsLiteRtHasThem) {
  for (Profile p : kTflite) {
    EXPECT_EQ(values(p, Unary::elu, 1, 0, s8(0.05f, -3), s8(0.05f, -3)),
              (std::vector<int>{-23, -23, -22, -19, -9, -3, -1, 0, 1, 2, 3, 10, 33, 64, 100, 127}));
    EXPECT_EQ(values(p, Unary::gelu, 0, 0, s8(0.0625f, 0), s8(0.125f, 5)),
              (std::vector<int>{5, 5, 5, 5, 4, 4, 5, 5, 5, 6, 6, 9, 21, 37, 55, 69}));
    EXPECT_EQ(values(p, Unary::sigmoid, 0, 0, s8(0.05f, -3), s8(1.0f / 256, -128)),
              (std::vector<int>{-128, -126, -116, -81, -22, 0, 6, 10, 13, 16, 19, 40, 92, 119, 127, 127}));
    EXPECT_EQ(values(p, Unary::tanh, 0, 0, s8(0.05f, -3), s8(1.0f / 128, 0)),
              (std::vector<int>{-128, -128, -127, -116, -43, 0, 13, 19, 25, 31, 37, 73, 121, 127, 127, 127}));
    EXPECT_THROW(function_table(p, Unary::softplus, 0, 0, s8(1, 0), s8(1, 0)), Error);
  }
}

TEST(Tables, LeakyReluHasEightBitFactorsInXnnpackAlone) {
  const QuantView x = s8(0.05f, -3);
  for (Profile p : kTflite)
    EXPECT_EQ(values(p, Unary::leaky_relu, 0.1f, 0, x, s8(0.04f, 7)),
              (std::vector<int>{-9, -5, -1, 3, 6, 7, 10, 11, 12, 13, 15, 23, 52, 91, 127, 127}));
  for (Profile p : {Profile::tfl_ref, Profile::tflm, Profile::tfl_ruy})  // -2 * -0.5 and the like: 0, away from zero
    EXPECT_EQ(values(p, Unary::leaky_relu, -0.5f, 0, x, x),
              (std::vector<int>{59, 45, 27, 12, 0, -3, -1, 0, 1, 2, 3, 10, 33, 64, 100, 127}));
  EXPECT_EQ(values(Profile::xnn, Unary::leaky_relu, -0.5f, 0, x, x),
            (std::vector<int>{60, 46, 28, 12, 1, -3, -1, 0, 1, 2, 3, 10, 33, 64, 100, 127}));
}

TEST(Tables, ClampsRequantizeExceptForMicrosRelu6) {
  for (Profile p : {Profile::tfl_ref, Profile::tfl_ruy, Profile::xnn})
    EXPECT_EQ(values(p, Unary::clip, 0, 6, s8(0.1f, -3), s8(0.05f, -7)),
              (std::vector<int>{-7, -7, -7, -7, -7, -7, -3, -1, 1, 3, 5, 19, 65, 113, 113, 113}));
  EXPECT_EQ(values(Profile::tflm, Unary::clip, 0, 6, s8(0.1f, -3), s8(0.1f, -3)),
            (std::vector<int>{-3, -3, -3, -3, -3, -3, -1, 0, 1, 2, 3, 10, 33, 57, 57, 57}));
}

TEST(Tables, RequantizeByProfile) {
  const QuantView x = s8(0.05f, -3), half = s8(0.1f, 7), u8{.scale = 0.05f, .zero_point = 125}, y = s8(0.07f, 7);
  const std::vector<int> ties_away = {-55, -41, -23, -8, 4, 7, 8, 9, 9, 10, 10, 14, 25, 41, 59, 72};
  for (Profile p : {Profile::tfl_ref, Profile::tflm}) EXPECT_EQ(at(requantize_table(p, x, half), x, half), ties_away);
  // 0.5 * 2 is 1, 0.5 * -97 is -48.5: the factor is 0.5, which has no shift to round away from zero.
  for (Profile p : {Profile::xnn, Profile::tfl_ruy}) EXPECT_EQ(at(requantize_table(p, x, half), x, half), ties_away);
  for (Profile p : kTflite)
    EXPECT_EQ(at(requantize_table(p, u8, y), u8, y),
              (std::vector<int>{-82, -62, -37, -14, 2, 7, 8, 9, 10, 11, 11, 16, 33, 55, 81, 100}));
  for (Profile p : all_profiles()) {
    EXPECT_TRUE(is_identity(requantize_table(p, x, x))) << profile_name(p);
    EXPECT_FALSE(differs_at_ties(p, x, x));
  }
  // A quarter: -2 * 0.25 is -0.5.
  EXPECT_TRUE(differs_at_ties(Profile::tfl_ruy, s8(0.25f, 0), s8(1, 0)));
  EXPECT_FALSE(differs_at_ties(Profile::xnn, s8(0.25f, 0), s8(1, 0)));  // XNNPACK takes it
  EXPECT_TRUE(differs_at_ties(Profile::xnn, {.scale = 0.25f, .zero_point = 100}, s8(1, 0)));
}

// 1.5, 2.5, -1.5, -2.5 in units of the result.
TEST(Quantize, EachFormRoundsItsTiesItsOwnWay) {
  const QuantView q{.scale = 0.5f, .zero_point = 10};
  const auto all = [&](QuantizeForm form) {
    std::vector<int> out;
    for (float x : {0.75f, 1.25f, -0.75f, -1.25f}) out.push_back(quantize_as(form, x, q) - 10);
    return out;
  };
  EXPECT_EQ(all(QuantizeForm::quotient_even), (std::vector<int>{2, 2, -2, -2}));
  EXPECT_EQ(all(QuantizeForm::product_even), (std::vector<int>{2, 2, -2, -2}));
  EXPECT_EQ(all(QuantizeForm::quotient_away), (std::vector<int>{2, 3, -2, -3}));
  EXPECT_EQ(all(QuantizeForm::quotient_up), (std::vector<int>{2, 3, -1, -2}));
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (QuantizeForm f : {QuantizeForm::quotient_even, QuantizeForm::product_even, QuantizeForm::quotient_away,
                         QuantizeForm::quotient_up}) {
    EXPECT_EQ(quantize_as(f, kInf, q, 3, 250), 250);
    EXPECT_EQ(quantize_as(f, -kInf, q, 3, 250), 3);
    EXPECT_EQ(quantize_as(f, std::nanf(""), q, 3, 250), 3);
  }
  EXPECT_EQ(clamp_range(0, 6, {.scale = 4.0f}, {}, QuantizeForm::quotient_away), (QRange{0, 2}));
  EXPECT_EQ(clamp_range(0, 10, {.scale = 4.0f}, {}, QuantizeForm::quotient_away), (QRange{0, 3}));
  EXPECT_EQ(clamp_range(0, 10, {.scale = 4.0f}), (QRange{0, 2}));
}

// PyTorch multiplies by the reciprocal: 49 * RN32(1 / 49) is below 1, and 0.5 * 49 then no tie.
TEST(Tables, PyTorchMultipliesByTheReciprocal) {
  int differ = 0;
  for (int scale = 3; scale < 200; ++scale) {
    const QuantView x{.scale = 1}, y{.scale = static_cast<float>(scale)};
    const Lut torch = requantize_table(Profile::fbgemm, x, y), ort = requantize_table(Profile::ort, x, y);
    for (size_t q = 0; q < 256; ++q) {
      const float inverse = 1.0f / y.scale;
      EXPECT_EQ(torch[q], std::nearbyint(static_cast<float>(q) * inverse));
      differ += torch[q] != ort[q];
    }
  }
  EXPECT_GT(differ, 0);
}

TEST(Tables, ConcatRescalesInItsOwnWay) {
  const QuantView x{.scale = 0.5f, .zero_point = 3}, y{.scale = 1, .zero_point = 10};
  const Lut table = concat_table(Profile::tfl_ref, x, y);  // (q - 3) / 2, ties away from zero
  EXPECT_EQ(table[4], 11);
  EXPECT_EQ(table[2], 9);
  EXPECT_EQ(table[6], 12);
  EXPECT_EQ(concat_table(Profile::ort, x, y)[4], 10);
  for (Profile p : all_profiles()) EXPECT_TRUE(is_identity(concat_table(p, x, x)));
}

// ---- softmax --------------------------------------------------------------------------------------------------------

const std::vector<int> kRows = {-128, -100, -17, 0, 5, 60, 126, 127, 127, 10, 9, 8, 7, 6, 5, 4, 3, 2};

// Rows of nine, in q; along the channels, or as the middle one of three dimensions.
std::vector<int> softmax(Profile profile, bool is_log, const QuantView& src, const QuantView& dst,
                         const std::vector<int>& rows, int pixels = 0) {
  const int count = static_cast<int>(rows.size()) / 9;
  SoftmaxSpec s{.form = softmax_form(profile, is_log, 9, src, dst), .rows = count, .length = 9};
  s.src_pitch = s.dst_pitch = 12;
  if (pixels > 0) {
    s.rows = 1, s.pixels = pixels, s.channels = count / pixels;
    s.src_pitch = s.dst_pitch = 4;
  }
  s.src = src, s.dst = dst;
  const auto place = [&](int row, int i) {
    if (pixels == 0) return static_cast<size_t>(row * 12 + i);
    return static_cast<size_t>((i * pixels + row / s.channels) * 4 + row % s.channels);
  };
  std::vector<uint8_t> in(static_cast<size_t>(9 * count * 12)), out(in.size(), 0xA5);
  for (int row = 0; row < count; ++row)
    for (int i = 0; i < 9; ++i)
      in[place(row, i)] = static_cast<uint8_t>(rows[static_cast<size_t>(row * 9 + i)] + src.offset());
  const auto tables = softmax_tables(s.form, src, 9);
  const auto plain = plain_kernel(s);
  OctetArgs args{};
  args.p[OCTET_SRC] = in.data();
  args.p[OCTET_DST] = out.data();
  args.p[OCTET_WEIGHTS] = tables.data();
  args.p[OCTET_CONSTANTS] = plain->params.data();
  plain->function(&args);
  std::vector<int> got;
  for (int row = 0; row < count; ++row)
    for (int i = 0; i < 9; ++i) got.push_back(out[place(row, i)] - dst.offset());
  return got;
}

TEST(Softmax, AsLiteRtHasIt) {
  std::vector<int> u8;
  for (int q : kRows) u8.push_back(q + 128);
  for (Profile p : kTflite)
    for (int pixels : {0, 1, 2}) {
      EXPECT_EQ(softmax(p, false, s8(0.1f, 3), s8(1.0f / 256, -128), kRows, pixels),
                (std::vector<int>{-128, -128, -128, -128, -128, -128, -48, -40, -40, -87, -91, -94, -98, -100, -103,
                                  -105, -108, -110}));
      EXPECT_EQ(softmax(p, false, {.scale = 0.03f, .zero_point = 100}, {.scale = 1.0f / 256}, u8, pixels),
                (std::vector<int>{0, 0, 1, 2, 2, 11, 78, 81, 81, 32, 31, 30, 29, 28, 28, 27, 26, 25}));
      EXPECT_EQ(softmax(p, true, s8(0.02f, 3), s8(16.0f / 256, 127), kRows, pixels),
                (std::vector<int>{25, 34, 61, 66, 68, 86, 107, 107, 107, 93, 93, 92, 92, 92, 92, 91, 91, 91}));
    }
}

TEST(Softmax, TheExactFormRoundsTheRealQuotient) {
  const QuantView src{.scale = 0.07f, .zero_point = 100}, dst{.scale = 0.004f, .zero_point = 3};
  std::vector<int> rows;
  for (int q : kRows) rows.push_back(q + 128);
  const std::vector<int> got = softmax(Profile::fbgemm, false, src, dst, rows);
  for (size_t row = 0; row < 2; ++row) {
    double sum = 0;
    for (size_t i = 0; i < 9; ++i) sum += std::exp(0.07 * rows[9 * row + i]);
    for (size_t i = 0; i < 9; ++i) {
      const double want = std::exp(0.07 * rows[9 * row + i]) / sum / 0.004 + 3;
      EXPECT_NEAR(got[9 * row + i], want, 0.5001);
    }
  }
}

TEST(Softmax, WhatNoRuntimeHasIsRefused) {
  EXPECT_THROW(softmax_form(Profile::tfl_ref, false, 9, s8(0.5f, 0), s8(1.0f / 128, -128)), Error);
  EXPECT_THROW(softmax_form(Profile::xnn, false, 9, s8(0.5f, 0), s8(1.0f / 256, 0)), Error);
  EXPECT_THROW(softmax_form(Profile::xnn, true, 9, s8(0.5f, 0), s8(1.0f / 256, -128)), Error);
  EXPECT_THROW(softmax_form(Profile::tflm, false, 4096, s8(0.5f, 0), s8(1.0f / 256, -128)), Error);
  EXPECT_THROW(softmax_form(Profile::ort, true, 9, s8(0.5f, 0), s8(1.0f / 16, 127)), Error);
  EXPECT_THROW(softmax_form(Profile::tfl_ref, false, 9, s8(0x1p-26f, 0), s8(1.0f / 256, -128)), Error);
  EXPECT_NO_THROW(softmax_form(Profile::tfl_ref, false, 9, s8(0x1.000002p-26f, 0), s8(1.0f / 256, -128)));
  EXPECT_THROW(softmax_form(Profile::tidl, false, 9, s8(0.5f, 0), s8(1.0f / 256, -128)), Error);
}

}  // namespace
}  // namespace octet

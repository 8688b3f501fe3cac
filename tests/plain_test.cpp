// Plain ops against the reference where that is written apart from them, and by hand where it is not.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "generator/kernel/lut.h"
#include "generator/kernel/plain.h"
#include "generator/kernel/reference.h"
#include "tests/support/kernel_case.h"
#include "tests/support/random.h"

namespace octet {
namespace {

class Plain : public testing::TestWithParam<KernelSpec> {};

TEST_P(Plain, EqualsTheReference) {
  const KernelSpec& spec = GetParam();
  const std::optional<PlainKernel> plain = plain_kernel(spec);
  ASSERT_TRUE(plain);
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    const KernelCase c(spec, seed);
    const auto expected = c.run([&](const OctetArgs& args) { reference(spec, args); });
    const auto got = c.run([&](const OctetArgs& args) { plain->function(&args); }, plain->params.data());
    ASSERT_EQ(c.fault(expected, got), "") << to_string(spec) << " seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Pool, Plain, testing::ValuesIn(pool_specs()));
INSTANTIATE_TEST_SUITE_P(Resize, Plain, testing::ValuesIn(resize_specs()));
INSTANTIATE_TEST_SUITE_P(MatMul, Plain, testing::ValuesIn(matmul_specs()));
INSTANTIATE_TEST_SUITE_P(Affine, Plain, testing::ValuesIn(affine_specs()));
INSTANTIATE_TEST_SUITE_P(Quantize, Plain, testing::ValuesIn(quantize_specs()));
INSTANTIATE_TEST_SUITE_P(Dequantize, Plain, testing::ValuesIn(dequantize_specs()));

// The specs above must saturate, tie and stay between, or equal bytes would mean little.
TEST(PlainCases, OutputsAreNotAllTheSame) {
  size_t varied = 0, all = 0;
  for (const KernelSpec& spec : kernel_specs()) {
    const KernelCase c(spec, 1);
    const auto bytes = c.run([&](const OctetArgs& args) { reference(spec, args); });
    varied += std::set<uint8_t>(bytes.begin() + 256, bytes.end() - 256).size() > 2;
    ++all;
  }
  EXPECT_GT(varied * 3, all * 2);
}

TEST(PlainOps, NoneForWhatAlwaysHasAProgram) {
  EXPECT_FALSE(plain_kernel(ConvSpec{}));
  EXPECT_FALSE(plain_kernel(AddSpec{}));
  EXPECT_FALSE(plain_kernel(MulSpec{}));
  EXPECT_FALSE(plain_kernel(PairSpec{}));
  EXPECT_FALSE(plain_kernel(LutSpec{}));
  EXPECT_FALSE(plain_kernel(InterleaveSpec{}));
}

// ---- edges, permutations, copies ------------------------------------------------------------------------------------

template <class In, class Out>
void run(const KernelSpec& spec, const std::vector<In>& src, std::vector<Out>& dst, const void* weights = nullptr) {
  OctetArgs args{};
  args.p[OCTET_SRC] = src.data(), args.p[OCTET_DST] = dst.data(), args.p[OCTET_WEIGHTS] = weights;
  reference(spec, args);
}

TEST(PlainEdge, MovesBytesBetweenPlanesAndPixelsAndFlipsSigns) {
  EdgeSpec s;
  s.n = 2, s.pixels = 2, s.channels = 3, s.pitch = 8, s.quant.is_signed = true;
  const std::vector<uint8_t> planes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // n, c, pixels
  std::vector<uint8_t> stored(32, 0xA5), back(12);
  run(s, planes, stored);
  const std::vector<uint8_t> want = {0x81, 0x83, 0x85, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5};
  EXPECT_TRUE(std::equal(want.begin(), want.end(), stored.begin()));
  EXPECT_EQ(stored[24], 0x88);
  EXPECT_EQ(stored[27], 0xA5);
  s.to_storage = false;
  run(s, stored, back);
  EXPECT_EQ(back, planes);
  s.channels_first = false;
  run(s, stored, back);
  EXPECT_EQ(back, (std::vector<uint8_t>{1, 3, 5, 2, 4, 6, 7, 9, 11, 8, 10, 12}));
}

TEST(PlainPermute, PicksChannels) {
  const ChannelPermuteSpec s{.pixels = 2, .channels = 5, .src_pitch = 8, .dst_pitch = 8};
  const std::vector<uint16_t> perm = {4, 0, 3, 1, 2};
  std::vector<uint8_t> src(16), dst(16, 0xA5);
  for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<uint8_t>(i);
  run(s, src, dst, perm.data());
  EXPECT_EQ(dst, (std::vector<uint8_t>{4, 0, 3, 1, 2, 0xA5, 0xA5, 0xA5, 12, 8, 11, 9, 10, 0xA5, 0xA5, 0xA5}));
}

TEST(PlainCopy, TransposesElementsOfAnySize) {
  for (int bytes : {1, 2, 4, 8}) {
    const CopySpec s{
        .dims = {3, 2}, .src_strides = {bytes, 3 * bytes}, .dst_strides = {2 * bytes, bytes}, .bytes = bytes};
    std::vector<uint8_t> src(static_cast<size_t>(6 * bytes)), dst(src.size() + 1, 0xA5);
    for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<uint8_t>(i);
    run(s, src, dst);
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 2; ++j)
        for (int b = 0; b < bytes; ++b)
          EXPECT_EQ(dst[static_cast<size_t>((i * 2 + j) * bytes + b)],
                    src[static_cast<size_t>((j * 3 + i) * bytes + b)]);
    EXPECT_EQ(dst.back(), 0xA5);
  }
}

TEST(PlainCopy, SixDimensionsFillAndOffsets) {
  CopySpec s{.dims = {1, 2, 1, 2, 1, 2},
             .src_strides = {0, 4, 0, 2, 0, 1},
             .dst_strides = {0, 8, 0, 4, 0, 1},
             .src_offset = 1,
             .dst_offset = 2,
             .fill = true,
             .fill_value = 9,
             .fill_bytes = 18};
  const std::vector<uint8_t> src = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<uint8_t> dst(20, 0xA5);
  run(s, src, dst);
  EXPECT_EQ(dst, (std::vector<uint8_t>{9, 9, 1, 2, 9, 9, 3, 4, 9, 9, 5, 6, 9, 9, 7, 8, 9, 9, 0xA5, 0xA5}));
  s.dims.push_back(1);
  EXPECT_ANY_THROW(run(s, src, dst));
}

// ---- softmax --------------------------------------------------------------------------------------------------------

TEST(PlainSoftmax, QuantizedEqualsTheFormula) {
  Random random(7);
  for (int length : {1, 5, 64, 1000})
    for (const QuantView& dst_view :
         {QuantView{.scale = 1.0f / 256}, QuantView{.scale = 1.0f / 256, .zero_point = -128, .is_signed = true},
          QuantView{.scale = 0.001f, .zero_point = 200}}) {
      const SoftmaxSpec s{.rows = 3,
                          .length = length,
                          .src_pitch = round_up(length, 4),
                          .dst_pitch = round_up(length, 4) + 4,
                          .src = {.scale = 0.07f},
                          .dst = dst_view};
      const auto table = softmax_table(s.src.scale, length);
      std::vector<uint8_t> src(static_cast<size_t>(3 * s.src_pitch)), dst(static_cast<size_t>(3 * s.dst_pitch), 0xA5);
      for (uint8_t& b : src) b = static_cast<uint8_t>(random());
      run(s, src, dst, table.data());
      for (int row = 0; row < 3; ++row) {
        const uint8_t* x = src.data() + row * s.src_pitch;
        const int largest = *std::max_element(x, x + length);
        float sum = 0;
        for (int i = 0; i < length; ++i) sum += table[static_cast<size_t>(largest - x[i])];
        for (int i = 0; i < length; ++i) {
          const float scaled = table[static_cast<size_t>(largest - x[i])] * softmax_inverse(dst_view.scale);
          const float v = scaled / sum;
          const int want = std::clamp(static_cast<int>(std::nearbyint(v)) + dst_view.zero(), 0, 255);
          ASSERT_EQ(dst[static_cast<size_t>(row * s.dst_pitch + i)], want);
        }
        EXPECT_EQ(dst[static_cast<size_t>(row * s.dst_pitch + length)], 0xA5);
      }
    }
}

// Bytes from ONNX Runtime 1.31. Its inverse of 0.0037 is 270, not 270.27: the eighth byte would be 87.
TEST(PlainSoftmax, QuantizedAsOnnxRuntimeHasIt) {
  const SoftmaxSpec s{
      .length = 9, .src_pitch = 12, .dst_pitch = 12, .src = {.scale = 0.03256937488913536f}, .dst = {.scale = 0.0037f}};
  const std::vector<uint8_t> src = {205, 205, 231, 250, 97, 129, 116, 253, 213, 0, 0, 0};
  std::vector<uint8_t> dst(12, 0xA5);
  run(s, src, dst, softmax_table(s.src.scale, s.length).data());
  EXPECT_EQ(dst, (std::vector<uint8_t>{18, 18, 42, 78, 1, 2, 1, 86, 24, 0xA5, 0xA5, 0xA5}));
}

// Where ONNX Runtime's own f32 overflows.
TEST(PlainSoftmax, ARowOfOneIsCertain) {
  const SoftmaxSpec s{.length = 1, .src = {.scale = 0.1f}, .dst = {.scale = 0.005f, .zero_point = 3}};
  const std::vector<uint8_t> src = {77, 0, 0, 0};
  std::vector<uint8_t> dst(4, 0xA5);
  run(s, src, dst, softmax_table(s.src.scale, s.length).data());
  EXPECT_EQ(dst[0], 203);
}

}  // namespace
}  // namespace octet

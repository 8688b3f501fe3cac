// The line that replaces a channel's staircase: right for every byte where there is one, refused where there is none.
#include "generator/schedule/affine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "generator/kernel/requant.h"
#include "tests/support/random.h"

namespace octet {
namespace {

// The byte that the line gives, as a kernel computes it.
int line_byte(const AffineSpec& s, const FusedAffine& line, size_t channel, int byte) {
  const float v = std::fma(static_cast<float>(byte), line.scale[channel], line.shift[channel]);
  return static_cast<int>(std::clamp<int64_t>(std::llrint(v) + s.dst.zero(), s.lo, s.hi));
}

// How many of the channels have a line; each that has one is tried with all bytes.
size_t checked(const AffineSpec& s, const std::vector<float>& scale, const std::vector<float>& shift) {
  size_t fused = 0;
  for (size_t c = 0; c < scale.size(); ++c) {
    const auto line = fuse_affine(s, std::span(&scale[c], 1), std::span(&shift[c], 1));
    fused += line.has_value();
    for (int byte = 0; line && byte < 256; ++byte)
      EXPECT_EQ(line_byte(s, *line, 0, byte), affine_byte(static_cast<uint8_t>(byte), scale[c], shift[c], s))
          << "scale " << scale[c] << ", shift " << shift[c] << ", byte " << byte;
  }
  return fused;
}

struct Numbers {
  QuantView src, dst;
  int lo = 0, hi = 255;
};

class FuseAffine : public testing::TestWithParam<Numbers> {};

TEST_P(FuseAffine, RandomChannelsNearlyAllHaveALineAndItIsRight) {
  const Numbers& n = GetParam();
  const AffineSpec s{.src = n.src, .dst = n.dst, .lo = n.lo, .hi = n.hi};
  Random random(11);
  const auto number = [&](float size) { return (static_cast<float>(random() % 2000001) / 1e6f - 1.0f) * size; };
  std::vector<float> scale, shift;
  for (int c = 0; c < 3000; ++c) {
    scale.push_back(number(4 * n.dst.scale / n.src.scale));
    shift.push_back(number(200 * n.dst.scale));
  }
  EXPECT_GE(checked(s, scale, shift), 2950u);
}

INSTANTIATE_TEST_SUITE_P(
    Parameters, FuseAffine,
    testing::Values(
        Numbers{{.scale = 0.0173f, .zero_point = 113}, {.scale = 0.031f}},
        Numbers{{.scale = 0.0211f, .zero_point = -7, .is_signed = true}, {.scale = 0.4f, .zero_point = 255}},
        Numbers{{.scale = 3.1f}, {.scale = 0.0007f, .zero_point = -128, .is_signed = true}, 30, 200},
        Numbers{{.scale = 1e-6f, .zero_point = 255}, {.scale = 1e-3f, .zero_point = 127, .is_signed = true}},
        Numbers{{.scale = 250.0f, .zero_point = 3}, {.scale = 17.0f, .zero_point = 1}}));

TEST(FuseAffine, TiesThatGoBothWaysAreRefused) {
  // byte / 2: ties to 0, 2, 2, 4, ...
  const AffineSpec s{.src = {.scale = 0.5f}, .dst = {.scale = 1}};
  EXPECT_FALSE(fuse_affine(s, std::vector<float>{1.0f}, std::vector<float>{0.0f}));
  EXPECT_FALSE(fuse_affine(s, std::vector<float>{0.4f, 1.0f}, std::vector<float>{0.1f, 0.0f})) << "one channel of two";
  EXPECT_TRUE(fuse_affine(s, std::vector<float>{2.0f}, std::vector<float>{-0.75f})) << "no ties: -0.75, 0.25, 1.25 ...";
}

TEST(FuseAffine, ValuesBeyond32BitsAreRefused) {
  const AffineSpec s{.src = {.scale = 1}, .dst = {.scale = 1}};
  for (float huge : {1e8f, 3e38f, -1e8f}) EXPECT_FALSE(fuse_affine(s, std::vector<float>{huge}, std::vector<float>{0}));
  EXPECT_FALSE(fuse_affine(s, std::vector<float>{1}, std::vector<float>{1e9f}));
  EXPECT_TRUE(fuse_affine(s, std::vector<float>{1e5f}, std::vector<float>{1e6f}));
}

TEST(FuseAffine, ConstantChannelsHaveALine) {
  const AffineSpec s{.src = {.scale = 0.1f}, .dst = {.scale = 0.1f}, .lo = 10};
  EXPECT_EQ(checked(s, {0.0f, 0.0f, -3.0f, 1e-9f}, {0.31f, -7.0f, -80.0f, 99.0f}), 4u);
}

}  // namespace
}  // namespace octet

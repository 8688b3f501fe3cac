// Packing: its inverse, its sums, merging of groups; schedules cover every channel once.
#include "generator/schedule/pack.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

#include "generator/schedule/edges.h"
#include "generator/schedule/winograd.h"
#include "tests/support/conv_case.h"

namespace octet {
namespace {

std::vector<ConvShape> shapes() {
  return read_conv_shapes(OCTET_SOURCE_DIR "/tests/shapes/tails.txt");
}

class Pack : public testing::TestWithParam<const char*> {};

TEST_P(Pack, UnpackGivesTheWeightsBack) {
  const Target& target = *find_target(GetParam());
  std::set<DotForm> forms;
  for (const ConvShape& shape : shapes())
    for (const ConvNumbers& numbers : conv_numbers()) {
      if (shape.spec.is_depthwise()) continue;
      ConvCase c = make_conv_case(shape, numbers, 7);
      merge_groups(c.spec, c.data);
      const ConvSchedule s = choose_conv(c.spec, c.data, target, Emitter::jit, {.winograd = WinogradUse::never});
      forms.insert(s.dot);
      ASSERT_EQ(unpack_weights(c.spec, s, pack_conv(c.spec, s, c.data)), c.data.weights) << c.name;
    }
  EXPECT_EQ(forms.size(), target.best_dot == DotForm::maddubs ? 3u : target.best_dot == DotForm::matrix ? 2u : 1u);
}

INSTANTIATE_TEST_SUITE_P(Targets, Pack, testing::Values("scalar", "avx2", "avx512_vnni", "neon_dot", "neon_i8mm"));

TEST_P(Pack, UnpackGivesTheSumsOfWinogradTermsBack) {
  const Target& target = *find_target(GetParam());
  for (const ConvShape& shape : read_conv_shapes(OCTET_SOURCE_DIR "/tests/shapes/winograd.txt"))
    for (const ConvNumbers& numbers : conv_numbers()) {
      const ConvCase c = make_conv_case(shape, numbers, 7);
      const ConvSchedule s = choose_conv(c.spec, c.data, target, Emitter::jit, {.winograd = WinogradUse::everywhere});
      ASSERT_EQ(s.dot, DotForm::winograd) << c.name;
      const size_t one = c.data.weights.size() / static_cast<size_t>(c.spec.weight_terms);
      std::vector<int16_t> sums(one);
      for (size_t i = 0; i < c.data.weights.size(); ++i)
        sums[i % one] = static_cast<int16_t>(sums[i % one] + c.data.weights[i]);
      ASSERT_EQ(unpack_winograd(c.spec, s, pack_conv(c.spec, s, c.data)), sums) << c.name;
    }
}

// The bias of a class holds the zero point times the weights of the taps that the class has, and no others.
TEST(PackBias, HoldsTheZeroPointPerClass) {
  const ConvShape shape = parse_conv_shape("3x3x4 -> 4 k3 p1 test:bias");
  ConvSpec spec = shape.spec;
  spec.src_zero = 255;
  ConvData data{.weights = std::vector<int8_t>(4 * 9 * 4, -128), .bias = {1, 2, 3, 4}, .scale = {{5}, {6}, {7}, {8}}};
  const Target& target = *find_target("scalar");
  const ConvSchedule s = choose_conv(spec, data, target, Emitter::jit);
  const PackedConv p = pack_conv(spec, s, data);
  ASSERT_EQ(p.bias.size(), 9u * 4);
  for (size_t c = 0; c < 4; ++c) EXPECT_EQ(std::bit_cast<float>(p.scale[c]), data.scale[c].m);
  const int taps[] = {4, 6, 4, 6, 9, 6, 4, 6, 4};
  for (int k = 0; k < 9; ++k)
    for (int c = 0; c < 4; ++c) EXPECT_EQ(p.bias[4 * k + c], c + 1 + 255 * 128 * 4 * taps[k]) << k << " " << c;
  spec.src_zero = 0;
  EXPECT_EQ(pack_conv(spec, s, data).bias, data.bias) << "one class is enough where padding is worth nothing";
}

TEST(MergeGroups, GivesMultiplesOfFour) {
  const auto merged = [](int groups, int ic, int oc) {
    ConvSpec s{.ic = ic, .oc = oc, .groups = groups};
    ConvData d{.weights = std::vector<int8_t>(static_cast<size_t>(oc * (ic / groups)), 1)};
    merge_groups(s, d);
    return s.groups;
  };
  EXPECT_EQ(merged(8, 16, 16), 4);  // 2 channels
  EXPECT_EQ(merged(3, 12, 24), 3);  // as it should be
  EXPECT_EQ(merged(5, 10, 15), 1);  // no divisor fits
  EXPECT_EQ(merged(6, 6, 12), 1);   // 4 does not divide 6
  EXPECT_EQ(merged(12, 12, 24), 3);
  EXPECT_EQ(merged(8, 8, 8), 8);  // depthwise stays
}

TEST(SplitChannels, CoversEveryChannelOnceAndNoneBeyond) {
  for (int bytes : {16, 32, 64})
    for (int most : {2, 4})
      for (int channels = 1; channels < 300; ++channels) {
        std::set<int> seen;
        for (const OcBlock& b : split_channels(channels, most, bytes))
          for (int n = 0; n < b.count; ++n)
            for (const VectorGroup& g : b.groups)
              for (int j = 0; j < g.vectors; ++j)
                for (int lane = 0; lane < g.bytes / 4; ++lane)
                  EXPECT_TRUE(seen.insert(b.oc + n * b.channels + g.channel(j, lane)).second);
        ASSERT_EQ(static_cast<int>(seen.size()), round_up(channels, 4));
        ASSERT_EQ(*seen.rbegin(), round_up(channels, 4) - 1);
      }
}

TEST(Taps, AgreeWithTrying) {
  for (int in : {1, 2, 5, 9})
    for (int kernel : {1, 2, 3, 7})
      for (int stride : {1, 2, 3})
        for (int dilation : {1, 2, 3})
          for (int pad : {0, 1, 4, 9})
            for (int o = 0; o < 8; ++o) {
              const Taps t = taps_at(o, in, kernel, stride, dilation, pad);
              for (int k = 0; k < kernel; ++k) {
                const int i = o * stride - pad + k * dilation;
                ASSERT_EQ(i >= 0 && i < in, k >= t.begin && k < t.end)
                    << in << " " << kernel << " " << stride << " " << dilation << " " << pad << " " << o << " " << k;
              }
            }
}

}  // namespace
}  // namespace octet

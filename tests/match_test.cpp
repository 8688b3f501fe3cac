// Re-ordered input channels: no 16-bit sum of a matched schedule can saturate, whatever the activations are.
#include "generator/schedule/match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "generator/schedule/pack.h"
#include "targets/target.h"
#include "tests/support/conv_case.h"
#include "tests/support/random.h"

namespace octet {
namespace {

// Least and largest sum of products of these weights with activations in [0, hi], each by itself.
bool leaves_s16(const std::vector<int>& weights, int hi) {
  int least = 0, most = 0;
  for (const int w : weights) (w < 0 ? least : most) += w * hi;
  return most > 32767 || least < -32768;
}

// Walks the schedule as the kernel does: `sums` is told the input channels of every 16-bit sum, for every output
// channel.
template <class Sums>
void each_sum(const ConvSpec& spec, const ConvSchedule& s, Sums sums) {
  const int taps = spec.window.kh * spec.window.kw, oc = spec.oc / spec.groups;
  auto chunk = s.orders.begin();
  const auto channel = [&](int i) { return chunk->channel + i / 16 * 16 + chunk->order[static_cast<size_t>(i)]; };
  for (int g = 0; g < spec.groups; ++g)
    for (const OcBlock& b : s.blocks)
      for (int n = 0; n < b.count; ++n)
        for (int term_tap = 0; term_tap < spec.weight_terms * taps; ++term_tap)
          for (const ChunkRun& run : s.runs)
            for (int c = 0; c < run.count; ++c, ++chunk)
              for (int step = 0; step < run.steps();) {
                const DotForm form = run.form_of(step);
                const bool two = form == DotForm::chained && step + 1 < run.steps();
                for (int word = 0; word < 4 && form != DotForm::widened; word += 2) {
                  std::vector<int> in;
                  for (int k = step; k <= step + two; ++k)
                    in.insert(in.end(), {channel(4 * k + word), channel(4 * k + word + 1)});
                  for (int o = 0; o < b.channels && b.oc + n * b.channels + o < oc; ++o)
                    sums(term_tap / taps, g * oc + b.oc + n * b.channels + o, term_tap % taps, in);
                }
                step += two ? 2 : 1;
              }
  EXPECT_EQ(chunk, s.orders.end());
}

// Returns the schedule after the check, for what else a test wants to know.
ConvSchedule check(const ConvSpec& spec, const ConvData& data) {
  const ConvSchedule s = choose_conv(spec, data, *find_target("avx2"), Emitter::jit);
  if (s.dot != DotForm::matched) return s;
  const int ic = spec.ic / spec.groups, taps = spec.window.kh * spec.window.kw;
  each_sum(spec, s, [&](int term, int oc, int tap, const std::vector<int>& channels) {
    std::vector<int> weights;
    for (const int c : channels)
      weights.push_back(c < ic ? data.weights[static_cast<size_t>(((term * spec.oc + oc) * taps + tap) * ic + c)] : 0);
    ASSERT_FALSE(leaves_s16(weights, data.source.hi)) << "output channel " << oc << " tap " << tap;
  });
  return s;
}

ConvData data_of(const ConvSpec& spec, std::vector<int8_t> pattern) {
  const auto rows = static_cast<size_t>(spec.weight_terms * spec.oc * spec.window.kh * spec.window.kw);
  const auto ic = static_cast<size_t>(spec.ic / spec.groups);
  ConvData d;
  for (size_t i = 0; i < rows * ic; ++i) d.weights.push_back(pattern[i % ic % pattern.size()]);
  d.bias.assign(static_cast<size_t>(spec.oc), 0);
  d.scale.assign(static_cast<size_t>(spec.oc), {.m = 1});
  return d;
}

TEST(Match, NoSumOfAnyShapeSaturates) {
  int matched = 0;
  for (const ConvShape& shape : read_conv_shapes(OCTET_SOURCE_DIR "/tests/shapes/tails.txt"))
    for (const ConvNumbers& numbers : conv_numbers())
      for (const int hi : {255, 254, 200, 129, 1}) {
        if (shape.spec.is_depthwise()) continue;
        ConvCase c = make_conv_case(shape, numbers, 11);
        merge_groups(c.spec, c.data);
        c.data.source.hi = hi;
        SCOPED_TRACE(c.name);
        matched += check(c.spec, c.data).dot == DotForm::matched;
      }
  EXPECT_GT(matched, 20) << "the shapes and numbers must meet the matched form";
}

TEST(Match, NeighboursThatSaturateArePairedAcross) {
  const ConvSpec spec{.ih = 3, .iw = 8, .ic = 64, .oh = 3, .ow = 8, .oc = 16};
  const ConvSchedule s = check(spec, data_of(spec, {100, 100, -100, -100}));
  ASSERT_EQ(s.dot, DotForm::matched) << s.reason;
  EXPECT_EQ(s.runs, (std::vector<ChunkRun>{{DotForm::maddubs, 0, 32, 2}})) << s.reason;
}

TEST(Match, FewLargeWeightsAreChained) {
  const ConvSpec spec{.ih = 3, .iw = 8, .ic = 40, .oh = 3, .ow = 8, .oc = 16};
  const ConvSchedule s = check(spec, data_of(spec, {-128, -1, 127, 2, 0, 0, 0, 0}));
  ASSERT_EQ(s.dot, DotForm::matched) << s.reason;
  EXPECT_EQ(s.runs, (std::vector<ChunkRun>{{DotForm::chained, 0, 32, 1}, {DotForm::chained, 0, 8, 1}})) << s.reason;
}

TEST(Match, WhatNothingGoesWithIsWidened) {
  const ConvSpec spec{.ih = 3, .iw = 8, .ic = 64, .oh = 3, .ow = 8, .oc = 16};
  for (const int8_t w : {int8_t{127}, int8_t{-128}, int8_t{65}})
    EXPECT_EQ(check(spec, data_of(spec, {w})).dot, DotForm::widened) << int{w};
  ConvData narrow = data_of(spec, {65});
  narrow.source.hi = 252;  // 252 * 130 = 32760
  EXPECT_EQ(check(spec, narrow).dot, DotForm::maddubs);
}

// One block of output channels of many needs wide k-steps: all get them, and nothing else changes.
TEST(Match, OneBadTapWidensOneRun) {
  const ConvSpec spec{.ih = 3, .iw = 8, .ic = 128, .oh = 3, .ow = 8, .oc = 64};
  ConvData data = data_of(spec, {100, 100, -100, -100});
  for (int i = 0; i < 128; ++i) data.weights[static_cast<size_t>(17 * 128 + i)] = i / 16 == 3 && i < 58 ? 127 : 0;
  const ConvSchedule s = check(spec, data);
  ASSERT_EQ(s.dot, DotForm::matched) << s.reason;
  ASSERT_EQ(s.runs.size(), 2u) << s.reason;
  EXPECT_EQ(s.runs[0], (ChunkRun{DotForm::maddubs, 0, 32, 3}));
  EXPECT_GT(s.runs[1].wide_steps, 0);
}

}  // namespace
}  // namespace octet

// The cost model: close to what was measured, and ordered as machines are.
#include "generator/schedule/cost.h"

#include <gtest/gtest.h>

#include "bench/conv_shapes.h"

namespace octet {
namespace {

const Target& vnni() {
  return *find_target("avx512_vnni");
}
const Target& avx2() {
  return *find_target("avx2");
}

ConvSpec layer(const std::string& line) {
  return parse_conv_shape(line + " test:layer").spec;
}

// Microseconds of the eight networks' layers on the machine of the tables, best of a second's rounds.
struct Measured {
  const char* layer;
  bool residual;
  double microseconds;
};

class CostModel : public testing::TestWithParam<Measured> {};

TEST_P(CostModel, IsWithinATenthOfTheMeasurement) {
  const Measured& m = GetParam();
  ConvSpec s = layer(m.layer);
  s.residual = m.residual;
  const double predicted = 1e6 * predict_cycles(s, vnni()) / cost_table(vnni())->clock;
  EXPECT_NEAR(predicted / m.microseconds, 1, 0.1) << m.layer << ": " << predicted << " us";
}

INSTANTIATE_TEST_SUITE_P(
    Layers, CostModel,
    testing::Values(Measured{"56x56x64 -> 64", false, 62.2}, Measured{"56x56x64 -> 256", true, 321.2},
                    Measured{"56x56x64 -> 64 k3 p1", false, 324.7}, Measured{"28x28x128 -> 128 k3 p1", false, 301.5},
                    Measured{"14x14x256 -> 256 k3 p1", false, 455.7},
                    Measured{"28x28x256 -> 256 k3 s2 p1", false, 481.3}, Measured{"14x14x1024 -> 256", false, 223.5},
                    Measured{"28x28x128 -> 512", true, 277.3}, Measured{"28x28x192 -> 192 k3 p1 g192", false, 12.3},
                    Measured{"14x14x576 -> 576 k3 p1 g576", false, 10.1}, Measured{"7x7x960 -> 320", false, 65.5}));

// The choice between the forms is the model's: what wins clearly is taken, and what hardly wins, loses, or needs too
// much memory for it is not.
TEST(Cost, ChoosesWinogradWhereItPays) {
  const auto wanted = [](const char* line, const Target& target) {
    return winograd_wanted(layer(line), target, Emitter::jit);
  };
  for (const char* line : {"56x56x64 -> 64 k3 p1", "28x28x128 -> 32 k3 p1", "27x27x32 -> 128 k3 p1"})
    for (const Target* t : {&vnni(), &avx2()}) EXPECT_TRUE(wanted(line, *t)) << line << " " << t->name;
  for (const char* line : {"7x7x512 -> 512 k3 p1", "14x14x256 -> 256 k3 p1", "7x7x128 -> 32 k3 p1", "56x56x64 -> 64",
                           "56x56x64 -> 64 k3 s2 p1", "56x56x64 -> 64 k3 d2 p2", "56x56x64 -> 64 k3 p1 g2"})
    for (const Target* t : {&vnni(), &avx2()}) EXPECT_FALSE(wanted(line, *t)) << line << " " << t->name;
  EXPECT_TRUE(wanted("14x14x96 -> 208 k3 p1", avx2()));
  EXPECT_FALSE(wanted("14x14x96 -> 208 k3 p1", vnni()));
  EXPECT_FALSE(wanted("56x56x64 -> 64 k3 p1", *find_target("scalar"))) << "nothing was measured";
}

double predicted(const std::string& line, const Target& target, int64_t network_bytes = 0) {
  return predict_cycles(layer(line), target, network_bytes);
}

TEST(Cost, GrowsWithTheWork) {
  for (const Target* t : {&vnni(), &avx2()}) {
    EXPECT_LT(predicted("14x14x64 -> 64", *t), predicted("14x14x64 -> 128", *t));
    EXPECT_LT(predicted("14x14x64 -> 64", *t), predicted("14x14x128 -> 64", *t));
    EXPECT_LT(predicted("14x14x64 -> 64", *t), predicted("28x14x64 -> 64", *t));
    EXPECT_LT(predicted("14x14x64 -> 64", *t), predicted("14x14x64 -> 64 k3 p1", *t));
    EXPECT_LT(predicted("14x14x64 -> 64 k3 p1 g64", *t), predicted("14x14x64 -> 64 k5 p2 g64", *t));
    EXPECT_LT(predicted("1x1x2048 -> 1000", *t, 3 << 20), predicted("1x1x2048 -> 1000", *t, 30 << 20));
    ConvSpec s = layer("14x14x64 -> 64");
    const double alone = predict_cycles(s, *t);
    s.residual = true;
    EXPECT_LT(alone, predict_cycles(s, *t));
  }
}

TEST(Cost, PaddingTapsAreFree) {
  EXPECT_EQ(executed_macs(layer("2x2x4 -> 4 k3 p1")), 4 * 4 * 4 * 4);
  EXPECT_EQ(executed_macs(layer("3x1x4 -> 8 k3x1 p1,0,1,0")), 7 * 8 * 4);
  EXPECT_EQ(executed_macs(layer("5x5x6 -> 6 k3 g6")), 9 * 9 * 6);
}

TEST(Cost, WideningAndSmallTilesCostTime) {
  const ConvSpec s = layer("28x28x128 -> 128 k3 p1");
  const CostTable& table = *cost_table(avx2());
  const auto cost = [&](const ConvSchedule& c) { return cost_of(s, c, table).core; };
  const ConvSchedule safe = conv_schedule(s, DotForm::maddubs, avx2(), Emitter::jit);
  EXPECT_LT(cost(safe), cost(conv_schedule(s, DotForm::widened, avx2(), Emitter::jit)));
  ConvSchedule small = safe;
  for (OcBlock& b : small.blocks) b.pixels = 1;
  EXPECT_LT(cost(safe), cost(small));
}

TEST(Cost, CountsBytesOnce) {
  ConvSpec s = layer("8x8x16 -> 32 k3 p1");
  EXPECT_EQ(traffic(s).activations, 64 * 16 + 64 * 32);
  EXPECT_EQ(traffic(s).constants, 32 * 9 * 16 + 8 * 32);
  s.residual = true;
  s.src2_pitch = 64;
  EXPECT_EQ(traffic(s).activations, 64 * 16 + 64 * 32 + 64 * 64);
  EXPECT_EQ(traffic(LutSpec{.pixels = 10, .channels = 5, .src_pitch = 8, .dst_pitch = 12}).bytes(), 80 + 120 + 256);
  EXPECT_EQ(traffic(InterleaveSpec{.pixels = 10, .channels = 10, .a_pitch = 8, .b_pitch = 20, .dst_pitch = 12}).bytes(),
            80 + 200 + 120);
  EXPECT_EQ(traffic(AddSpec{.pixels = 10, .channels = 4, .broadcast = Broadcast::b}).bytes(), 40 + 4 + 40);
}

TEST(Cost, LevelsHoldWhatTheirNamesSay) {
  EXPECT_STREQ(level_name(level_of(1000)), "L1");
  EXPECT_STREQ(level_name(level_of(500'000)), "L2");
  EXPECT_STREQ(level_name(level_of(4'000'000)), "L3");
  EXPECT_STREQ(level_name(level_of(100'000'000)), "DRAM");
}

TEST(Cost, EveryOpHasConstants) {
  const KernelSpec specs[] = {AddSpec{},
                              MulSpec{},
                              PoolSpec{},
                              LutSpec{},
                              LutSpec{.copy = true},
                              AffineSpec{},
                              QuantizeSpec{},
                              DequantizeSpec{},
                              EdgeSpec{},
                              SoftmaxSpec{},
                              CopySpec{.dims = {4}, .src_strides = {1}, .dst_strides = {1}},
                              ChannelPermuteSpec{},
                              InterleaveSpec{},
                              ResizeSpec{},
                              MatMulSpec{}};
  for (const Target* t : {&vnni(), &avx2(), find_target("avx512_vbmi")})
    for (const KernelSpec& s : specs) EXPECT_GT(predict_cycles(s, *t), 0) << spec_op_name(s);
  for (const PoolKind kind : {PoolKind::average, PoolKind::whole})
    EXPECT_GT(predict_cycles(PoolSpec{.kind = kind}, vnni()), 0);
}

TEST(Cost, NothingIsPredictedWhereNothingWasMeasured) {
  EXPECT_EQ(predicted("14x14x64 -> 64", *find_target("scalar")), 0);
}

}  // namespace
}  // namespace octet

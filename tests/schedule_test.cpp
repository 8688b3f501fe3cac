// Schedules of convolutions: tiles keep the register budget, and nothing small is left over at the end of a row.
#include "generator/schedule/schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "bench/conv_shapes.h"
#include "generator/program/build.h"
#include "generator/program/registers.h"
#include "generator/schedule/tiling.h"
#include "runtime/status.h"

namespace octet {
namespace {

ConvSchedule schedule(const std::string& line, const char* target, Emitter emitter, int weight = 1,
                      WinogradUse winograd = WinogradUse::never) {
  const ConvSpec s = parse_conv_shape(line + " test:layer").spec;
  ConvData d;
  const int products = s.ic / s.groups * s.window.kh * s.window.kw;
  d.weights.assign(static_cast<size_t>(s.oc * products), static_cast<int8_t>(weight));
  return choose_conv(s, d, *find_target(target), emitter, {.winograd = winograd});
}

std::string tiles(const ConvSchedule& s) {
  const std::string text = to_string(s);
  return text.substr(text.find("tiles") + 6);
}

struct Expected {
  const char* layer;
  const char* target;
  Emitter emitter;
  int weight;
  const char* tiles;
};

class Tiles : public testing::TestWithParam<Expected> {};

TEST_P(Tiles, AreTheMeasuredOnes) {
  const Expected& e = GetParam();
  EXPECT_EQ(tiles(schedule(e.layer, e.target, e.emitter, e.weight)), e.tiles) << e.layer << " " << e.target;
}

constexpr Emitter kJit = Emitter::jit, kCompiler = Emitter::compiler;
INSTANTIATE_TEST_SUITE_P(
    Layers, Tiles,
    testing::Values(Expected{"28x28x128 -> 128 k3 p1", "avx512_vnni", kJit, 1, "7x(4x64B)*2"},
                    Expected{"28x28x128 -> 128 k3 p1", "avx512_vnni", kCompiler, 1, "7x(4x64B)*2"},
                    Expected{"28x28x128 -> 128 k3 p1", "avx2", kJit, 64, "5x(2x32B)*8"},
                    Expected{"28x28x128 -> 128 k3 p1", "avx2", kJit, 65, "3x(4x32B)*4"},
                    Expected{"28x28x128 -> 128 k3 p1", "avx2", kCompiler, 64, "4x(2x32B)*8"},
                    Expected{"28x28x128 -> 128 k3 p1", "avx2", kCompiler, 65, "2x(4x32B)*4"},
                    Expected{"13x13x64 -> 64 k3 p1", "avx512_vnni", kJit, 1, "7x(4x64B)*1"},
                    Expected{"8x8x64 -> 64 k3 p1", "avx512_vnni", kJit, 1, "4x(4x64B)*1"},
                    Expected{"56x56x144 -> 24", "avx512_vnni", kJit, 1, "14x(1x64B+1x32B)*1"},
                    Expected{"56x56x128 -> 40", "avx512_vnni", kJit, 1, "9x(2x64B+1x32B)*1"},
                    Expected{"112x112x16 -> 96", "avx512_vnni", kJit, 1, "4x(4x64B)*1 8x(2x64B)*1"},
                    Expected{"1x1x2048 -> 1000", "avx512_vnni", kJit, 1, "1x(4x64B)*15 1x(2x64B+1x32B)*1"},
                    Expected{"1x1x2048 -> 1000", "avx512_vnni", kCompiler, 1, "1x(4x64B)*15 1x(2x64B+1x32B)*1"}));

TEST(Schedule, WinogradTilesHaveSingleVectors) {
  const auto chosen = [](const char* layer, const char* target, Emitter emitter) {
    const ConvSchedule s = schedule(layer, target, emitter, 1, WinogradUse::everywhere);
    EXPECT_EQ(s.dot, DotForm::winograd) << layer;
    return tiles(s);
  };
  EXPECT_EQ(chosen("28x28x128 -> 128 k3 p1", "avx512_vnni", kJit), "7x(4*1x64B)*2");
  EXPECT_EQ(chosen("14x14x128 -> 72 k3 p1", "avx512_vnni", kJit), "4x(4*1x64B+1x32B)*1");
  EXPECT_EQ(chosen("28x28x128 -> 128 k3 p1", "avx2", kJit), "3x(4*1x32B)*4");
  EXPECT_EQ(chosen("28x28x128 -> 128 k3 p1", "avx2", kCompiler), "2x(4*1x32B)*4");
}

// Sums beyond 26 bits cannot be told from others by what is left of them: then bytes it is.
TEST(Schedule, WinogradWantsSmallSums) {
  const auto dot = [](const char* layer, int weight) {
    return schedule(layer, "avx512_vnni", kJit, weight, WinogradUse::everywhere).dot;
  };
  // 9 * 114 * 255 * 128 < 2^25 <= 9 * 115 * 255 * 128
  EXPECT_EQ(dot("4x4x114 -> 4 k3 p1", -128), DotForm::winograd);
  EXPECT_EQ(dot("4x4x115 -> 4 k3 p1", -128), DotForm::fused);
  EXPECT_EQ(dot("4x4x115 -> 4 k3 p1", 127), DotForm::winograd);
  EXPECT_EQ(dot("4x4x116 -> 4 k3 p1", 127), DotForm::fused);
}

TEST(Schedule, TextTellsEverythingThatMakesAnotherKernel) {
  ConvSchedule s = schedule("28x28x128 -> 72 k3 p1", "avx512_vnni", kJit);
  const std::string text = to_string(s);
  const auto differs = [&](auto change) {
    ConvSchedule other = s;
    change(other);
    return to_string(other) != text;
  };
  EXPECT_TRUE(differs([](ConvSchedule& o) { o.dot = DotForm::widened; }));
  EXPECT_TRUE(differs([](ConvSchedule& o) { o.unroll = 2; }));
  EXPECT_TRUE(differs([](ConvSchedule& o) { o.runs = {{DotForm::maddubs, 0, 32, 4}}; }));
  s.runs = {{DotForm::maddubs, 0, 32, 4}};
  const std::string with_runs = to_string(s);
  for (const ChunkRun& run : {ChunkRun{DotForm::chained, 0, 32, 4}, ChunkRun{DotForm::maddubs, 1, 32, 4},
                              ChunkRun{DotForm::maddubs, 0, 16, 4}, ChunkRun{DotForm::maddubs, 0, 32, 3}}) {
    s.runs = {run};
    EXPECT_NE(to_string(s), with_runs);
  }
  EXPECT_TRUE(differs([](ConvSchedule& o) { o.registers = 30; }));
  EXPECT_TRUE(differs([](ConvSchedule& o) { o.blocks[0].pixels = 3; }));
  EXPECT_TRUE(differs([](ConvSchedule& o) { o.blocks[0].groups[0].bytes = 16; }));
  EXPECT_TRUE(differs([](ConvSchedule& o) { o.blocks[0].groups[0].vectors = 2; }));
}

TEST(Schedule, NoTileIsTooSmallToFillThePipeline) {
  for (int width = 8; width < 80; ++width)
    for (int oc : {16, 32, 48, 64, 80, 128, 144, 256}) {
      const std::string layer = fmt::format("3x{}x128 -> {} k3 p1", width, oc);
      for (const OcBlock& b : schedule(layer, "avx512_vnni", kJit).blocks) {
        const int count = (width + b.pixels - 1) / b.pixels, narrowest = width / count;
        EXPECT_GE(narrowest * b.vectors(), b.vectors() == 1 ? 4 : 8) << layer << " " << b.pixels;
        EXPECT_LE(b.pixels * b.vectors(), 28) << layer;
      }
    }
}

// Every candidate keeps the register budget, and no two of them are the same tiles.
TEST(Schedule, CandidatesDifferAndFit) {
  for (const Target& target : all_targets())
    for (const char* layer :
         {"28x28x128 -> 128 k3 p1", "13x13x24 -> 40", "1x1x2048 -> 1000", "56x56x16 -> 96", "1x3x4 -> 4"})
      for (const int weight : {0, 1, 127}) {  // 0: winograd where the shape has it
        const ConvSpec s = parse_conv_shape(std::string(layer) + " test:layer").spec;
        const ConvSchedule chosen =
            schedule(layer, target.name, kJit, weight, weight ? WinogradUse::never : WinogradUse::everywhere);
        const auto build = chosen.dot == DotForm::winograd ? build_winograd : build_conv;
        std::vector<std::string> seen;
        const std::vector<Tiling> all = tilings(s, chosen, target);
        EXPECT_LE(all.size(), 6u);
        for (const Tiling& t : all) {
          ConvSchedule other = chosen;
          apply(t, s, target, other);
          for (const OcBlock& b : other.blocks) EXPECT_LE(b.pixels * b.vectors(), 32) << layer;
          EXPECT_NO_THROW(allocate(build(s, other, target, "conv"), target.vector_registers)) << to_string(other);
          EXPECT_EQ(std::count(seen.begin(), seen.end(), to_string(other)), 0) << to_string(other);
          seen.push_back(to_string(other));
        }
        EXPECT_EQ(std::count(seen.begin(), seen.end(), to_string(chosen)), 1) << layer << " " << target.name;
      }
}

TEST(Schedule, RefusesGroupsThatMergingComesFirstFor) {
  EXPECT_THROW(schedule("4x4x6 -> 6 g3", "avx2", kJit), Error);
}

}  // namespace
}  // namespace octet

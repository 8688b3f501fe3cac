// Measured choices of register tiles: the file, and what reads it.
#include "generator/schedule/tuned.h"

#include <gtest/gtest.h>

#include "bench/conv_shapes.h"
#include "runtime/status.h"

namespace octet {
namespace {

const std::string kHead = "octet tuned tilings, version 1\n";

std::string error_of(const std::string& text) {
  try {
    TunedTilings::parse(text, "tuned.txt");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::user);
    return e.what();
  }
  return "";
}

TEST(Tuned, TextReadsBackEqual) {
  TunedTilings t;
  t.set("avx2", "A CPU", "widened dot, conv 1x1", {4, 12, 2});
  t.set("avx512_vnni", "A CPU", "fused dot, conv 1x1", {2, 28, 1});
  t.set("avx2", "A CPU", "widened dot, conv 1x1", {2, 8, 1});  // the later choice stays
  const TunedTilings back = TunedTilings::parse(t.text(), "t");
  EXPECT_EQ(back.size(), 2u);
  EXPECT_EQ(back.text(), t.text());
  ASSERT_NE(back.find("avx2", "A CPU", "widened dot, conv 1x1"), nullptr);
  EXPECT_EQ(*back.find("avx2", "A CPU", "widened dot, conv 1x1"), (Tiling{2, 8, 1}));
  EXPECT_EQ(back.find("avx2", "Another", "widened dot, conv 1x1"), nullptr);
  EXPECT_EQ(back.find("scalar", "A CPU", "widened dot, conv 1x1"), nullptr);
  t.erase("avx2", "A CPU", "widened dot, conv 1x1");
  EXPECT_EQ(t.size(), 1u);
}

TEST(Tuned, CommentsAndEmptyLinesAreNothing) {
  EXPECT_EQ(TunedTilings::parse(kHead + "# ours\n\nz80 | A | v4 a28 u1 | conv\n", "t").size(), 1u);
}

TEST(Tuned, RefusesWhatItDoesNotKnowByLine) {
  EXPECT_NE(error_of("").find("tuned.txt: the first line"), std::string::npos);
  EXPECT_NE(error_of("octet tuned tilings, version 2\n").find("version 1"), std::string::npos);
  for (const char* line :
       {"avx2 | A | v4 a28 u1", "avx2 | A | v3 a28 u1 | conv", "avx2 | A | v4 a28 | conv",
        "avx2 | A | v4 a99 u1 | conv", "avx2 | A | v4 a3 u1 | conv", "avx2 | A | v4 a28 u0 | conv",
        "avx2 | A | v4 a28 u9 | conv", "avx2 | A | v4 a28 u1 x | conv", "avx2 | A | v4 a-8 u1 | conv",
        "avx2 | A | v4x a28 u1 | conv", "avx2 | A | v4 a28 u1 | conv | more", "\x01\x02"})
    EXPECT_NE(error_of(kHead + "# one\n" + line + "\n").find("tuned.txt: line 3 is not"), std::string::npos) << line;
}

TEST(Tuned, AChoiceIsTakenAndKeepsTheRegisterBudget) {
  const ConvSpec s = parse_conv_shape("28x28x128 -> 128 t:t").spec;
  const Target& avx2 = *find_target("avx2");
  const ConvSchedule usual = conv_schedule(s, DotForm::widened, avx2, Emitter::jit);
  TunedTilings tuned;
  const auto schedule = [&] { return conv_schedule(s, DotForm::widened, avx2, Emitter::jit, {.tuned = &tuned}); };
  tuned.set("avx2", "not this machine", tuned_layer(s, usual), {1, 8, 8});
  EXPECT_EQ(schedule(), usual);
  tuned.set("avx2", host_cpu(), tuned_layer(s, usual), {1, 8, 8});
  EXPECT_EQ(schedule().vectors(), 1);
  EXPECT_EQ(schedule().pixels(), 8);
  EXPECT_EQ(schedule().unroll, 8);
  tuned.set("avx2", host_cpu(), tuned_layer(s, usual), {4, 32, 1});
  EXPECT_LE(schedule().pixels() * schedule().vectors(), 12);
}

TEST(Tuned, LayersThatScheduleOtherwiseHaveOtherNames) {
  const ConvSpec s = parse_conv_shape("28x28x128 -> 128 t:t").spec;
  const Target& avx2 = *find_target("avx2");
  const auto name = [&](DotForm dot, Emitter emitter) { return tuned_layer(s, conv_schedule(s, dot, avx2, emitter)); };
  EXPECT_NE(name(DotForm::widened, Emitter::jit), name(DotForm::maddubs, Emitter::jit));
  EXPECT_NE(name(DotForm::widened, Emitter::jit), name(DotForm::widened, Emitter::compiler));
  EXPECT_EQ(name(DotForm::widened, Emitter::jit).find(" | "), std::string::npos);
}

TEST(Tuned, WhatIsMeasuredBeginsWithTheDefaultAndHasNoRepeats) {
  for (const char* line : {"28x28x128 -> 128 t:t", "14x14x256 -> 1024 t:t", "28x28x128 -> 128 k3 p1 t:t"})
    for (const char* target : {"avx2", "avx512_vnni"}) {
      const ConvSpec s = parse_conv_shape(line).spec;
      const Target& t = *find_target(target);
      const ConvSchedule usual = conv_schedule(s, t.best_dot, t, Emitter::jit);
      const std::vector<Tiling> all = tilings_to_measure(s, usual, t);
      EXPECT_LE(all.size(), 6u);
      EXPECT_EQ(all.front(), usual.tiling);
      for (size_t i = 0; i < all.size(); ++i)
        for (size_t k = 0; k < i; ++k) EXPECT_FALSE(all[i] == all[k]) << to_string(all[i]);
    }
}

}  // namespace
}  // namespace octet

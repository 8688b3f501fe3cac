// Elementwise and pooling Programs: op x shape x target x engine, whole buffers against the reference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "generator/kernel/pooling.h"
#include "generator/kernel/reference.h"
#include "generator/program/build.h"
#include "generator/program/elementwise.h"
#include "generator/schedule/affine.h"
#include "tests/support/engines.h"
#include "tests/support/kernel_case.h"

namespace octet {
namespace {

struct Runner {
  const Engine* engine;
  const Target* target;  // whose facts the Programs keep; an engine but the interpreter has one of its own
  std::string name() const {
    std::string n = fmt::format("{}_{}", engine->name, target->name);
    for (char& c : n)
      if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    return n;
  }
};

// Of the emulated engines one is enough: AArch64's targets differ in dots alone, of which these Programs have few, and
// its compilers meet every op in op_test.
bool is_spare(const Engine& e) {
  return e.name.starts_with("cpp") && !is_native(*e.target) && e.name != "cpp/neon_dot/aarch64_clang";
}

std::vector<Runner> runners() {
  std::vector<Runner> all;
  for (const Engine& e : all_engines())
    for (const Target& t : all_targets())
      if (e.name == "interpreter" || (std::strcmp(e.target->name, t.name) == 0 && !is_spare(e)))
        all.push_back({&e, &t});
  return all;
}

class Builders : public testing::TestWithParam<Runner> {};

// A C++ compiler takes a good part of a second per kernel: not all shapes can be tried there.
bool is_slow(const Runner& r) {
  return r.engine->name.starts_with("cpp");
}

Memory memory(const KernelCase& c, const std::vector<uint8_t>& output, const Program& program) {
  Memory all = c.operands();
  all.push_back(memory_of(output));
  all.push_back(memory_of(program.constants));
  return all;
}

void check(const Runner& r, const std::vector<KernelSpec>& specs, size_t least, size_t most_where_slow = 20) {
  if (!r.engine->unavailable.empty()) GTEST_SKIP() << r.engine->unavailable;
  const size_t step = is_slow(r) ? (specs.size() + most_where_slow - 1) / most_where_slow : 1;
  std::vector<Program> programs;
  std::vector<KernelSpec> built;
  for (size_t i = 0; i < specs.size(); i += step) {
    std::optional<Program> p = build_program(specs[i], *r.target, fmt::format("kernel_{}", programs.size()));
    if (!p) continue;
    programs.push_back(std::move(*p));
    built.push_back(specs[i]);
  }
  ASSERT_GE(built.size(), least / step) << "too few of the specs have a Program";
  const std::vector<RunKernel> kernels = r.engine->load(programs);
  for (size_t i = 0; i < built.size(); ++i) {
    const KernelCase c(built[i], static_cast<uint32_t>(i) + 1);
    const auto expected = c.run([&](const OctetArgs& args) { reference(built[i], args); });
    std::vector<uint8_t> got = c.fresh_output();
    kernels[i](c.args(got, programs[i].constants.data()), memory(c, got, programs[i]));
    ASSERT_EQ(c.fault(expected, got), "") << to_string(built[i]);
  }
}

TEST_P(Builders, Add) {
  for (Profile profile : formula_profiles()) check(GetParam(), add_specs(profile), 60, 10);
}
TEST_P(Builders, Sub) {
  for (Profile profile : formula_profiles()) check(GetParam(), add_specs(profile, true), 60, 4);
}
TEST_P(Builders, Mul) {
  for (Profile profile : formula_profiles()) check(GetParam(), mul_specs(profile), 40, 8);
}
TEST_P(Builders, Pair) {
  check(GetParam(), pair_specs(), 150, 25);
}
TEST_P(Builders, MaxPool) {
  check(GetParam(), max_pool_specs(), 60, 6);
}
TEST_P(Builders, AveragePool) {
  for (Profile profile : {Profile::ort, Profile::xnn, Profile::fbgemm})
    check(GetParam(), average_pool_specs(profile), 120, 6);
}
TEST_P(Builders, Mean) {
  for (Profile profile : {Profile::ort, Profile::xnn, Profile::tflm, Profile::fbgemm})
    check(GetParam(), mean_specs(profile), 90, 6);
  check(GetParam(), reduce_mean_specs(), 60, 6);
  check(GetParam(), images_mean_specs(), 60, 3);
}
// Sums of many pixels at their largest: partial ones in words must not saturate.
TEST_P(Builders, GlobalAverageOfLargestBytes) {
  const Runner& r = GetParam();
  if (!r.engine->unavailable.empty()) GTEST_SKIP() << r.engine->unavailable;
  constexpr int kMost = 400;
  std::vector<PoolSpec> specs;
  std::vector<Program> programs;
  const auto sizes = is_slow(r) ? std::vector<int>{129, kMost} : std::vector<int>{1, 2, 3, 127, 128, 129, 257, kMost};
  for (const int pixels : sizes) {
    specs.push_back({.kind = PoolKind::whole, .iw = pixels, .channels = 64, .src_pitch = 64, .dst_pitch = 64});
    specs.back().mean = global_average_formula(Profile::ort, {}, {}, pixels, 0, 255);
    programs.push_back(*build_pool(specs.back(), *r.target, fmt::format("kernel_{}", programs.size())));
  }
  const std::vector<RunKernel> kernels = r.engine->load(programs);
  const std::vector<uint8_t> src(kMost * 64 + OCTET_SLACK_BYTES, 255);
  for (size_t i = 0; i < specs.size(); ++i) {
    std::vector<uint8_t> got(64), want(64);
    OctetArgs args{};
    args.p[OCTET_SRC] = src.data();
    args.p[OCTET_CONSTANTS] = programs[i].constants.data();
    args.p[OCTET_DST] = want.data();
    reference(specs[i], args);
    args.p[OCTET_DST] = got.data();
    kernels[i](args, {memory_of(src), memory_of(got), memory_of(programs[i].constants)});
    EXPECT_EQ(got, want) << to_string(specs[i]);
    EXPECT_EQ(got, std::vector<uint8_t>(64, 255));
  }
}
TEST_P(Builders, Lut) {
  check(GetParam(), lut_specs(), 25);
}
TEST_P(Builders, Interleave) {
  check(GetParam(), interleave_specs(), 10);
}
TEST_P(Builders, Affine) {
  check(GetParam(), affine_specs(), 20);
}
TEST_P(Builders, FusedAffine) {
  const Runner& r = GetParam();
  if (!r.engine->unavailable.empty()) GTEST_SKIP() << r.engine->unavailable;
  std::vector<AffineSpec> specs;
  for (const KernelSpec& s : affine_specs()) {
    if (!is_slow(r) || specs.size() < 6) specs.push_back(std::get<AffineSpec>(s));
  }
  std::vector<Program> programs;
  for (const AffineSpec& s : specs)
    programs.push_back(build_fused_affine(s, *r.target, fmt::format("kernel_{}", programs.size())));
  const std::vector<RunKernel> kernels = r.engine->load(programs);
  size_t fused = 0;
  for (size_t i = 0; i < specs.size(); ++i)
    for (uint32_t seed = 1; seed <= 4; ++seed) {
      const KernelCase c(specs[i], seed);
      const auto floats = [&](const void* p) {
        return std::span(static_cast<const float*>(p), static_cast<size_t>(specs[i].channels));
      };
      const auto expected = c.run([&](const OctetArgs& args) { reference(specs[i], args); });
      std::vector<uint8_t> got = c.fresh_output();
      OctetArgs args = c.args(got, programs[i].constants.data());
      auto line = fuse_affine(specs[i], floats(args.p[OCTET_SCALE]), floats(args.p[OCTET_BIAS]));
      if (!line) continue;
      ++fused;
      for (auto* v : {&line->scale, &line->shift}) v->resize(v->size() + OCTET_SLACK_BYTES / sizeof(float));
      args.p[OCTET_SCALE] = line->scale.data();
      args.p[OCTET_BIAS] = line->shift.data();
      Memory all = memory(c, got, programs[i]);
      all.insert(all.end(), {memory_of(line->scale), memory_of(line->shift)});
      kernels[i](args, all);
      ASSERT_EQ(c.fault(expected, got), "") << to_string(specs[i]);
    }
  EXPECT_GE(fused, 6u);
}
TEST_P(Builders, Quantize) {
  check(GetParam(), quantize_specs(), 30);
}
TEST_P(Builders, Edge) {
  check(GetParam(), edge_byte_specs(), 30);
}

INSTANTIATE_TEST_SUITE_P(Engines, Builders, testing::ValuesIn(runners()), [](const auto& i) { return i.param.name(); });

TEST(Tiles, CoverEveryChannelOnceAndNothingElse) {
  for (int bytes : {16, 32, 64})
    for (int channels = 1; channels < 300; ++channels) {
      int next = 0;
      for (const Tile& t : tiles(channels, bytes)) {
        EXPECT_EQ(t.at, next);
        EXPECT_LE(t.pieces, 4);
        EXPECT_LE(t.bytes, bytes);
        next += t.count * t.channels();
      }
      EXPECT_EQ(next, round_up(channels, 4)) << channels << " by " << bytes;
    }
}

TEST(BuildProgram, LeavesToPlainOpsWhatHasNoProgram) {
  const Target& t = *find_target("avx512_vbmi");
  EXPECT_FALSE(build_program(ConvSpec{}, t, "k"));
  PoolSpec mean{.kind = PoolKind::whole, .mean = {.form = MeanForm::vectors}};
  EXPECT_FALSE(build_program(mean, t, "k"));
  mean.n = 2, mean.ih = 5, mean.iw = 3, mean.channels = 5;
  EXPECT_FALSE(build_program(mean, t, "k"));
  mean.mean.form = MeanForm::sequential;
  EXPECT_FALSE(build_program(mean, t, "k"));
  PoolSpec large{.ih = 13, .iw = 13};
  large.window = {.kh = 13, .kw = 13};
  EXPECT_FALSE(build_program(large, t, "k"));
}

}  // namespace
}  // namespace octet

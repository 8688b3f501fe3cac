// Convolution: shape x numbers x target x engine, whole buffers against the plain answer.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "generator/program/plan_conv.h"
#include "generator/program/registers.h"
#include "generator/schedule/winograd.h"
#include "tests/support/conv_case.h"
#include "tests/support/engines.h"
#include "tests/support/random.h"

namespace octet {
namespace {

const char* const kShapes = OCTET_SOURCE_DIR "/tests/shapes/";

struct Runner {
  const Engine* engine;
  const Target* target;
  Emitter emitter;
  std::string name() const {
    std::string n = fmt::format("{}_{}_{}", engine->name, target->name, emitter == Emitter::jit ? "jit" : "compiler");
    for (char& c : n)
      if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    return n;
  }
};

enum class Speed { any, fast };

// A C++ compiler takes seconds per kernel, LLVM hundredths: they meet every fifth shape with one kind of numbers.
bool compiles_slowly(const Engine& e) {
  return e.name.starts_with("cpp") || e.name.starts_with("llvm") || e.target->backend == Backend::llvm;
}

std::vector<Runner> runners(Speed speed) {
  std::vector<const Target*> targets;
  for (const Target& t : all_targets())
    // Convolutions look nothing up: a target that only adds a form of tables gives the Programs of the one before it.
    if (t.table != TableForm::permute) targets.push_back(&t);
  std::vector<Runner> all;
  for (const Engine& e : all_engines())
    for (const Target* t : targets) {
      const bool any = e.name == "interpreter";
      if (!e.name.starts_with("jit") && speed == Speed::fast) continue;
      if (!any && std::strcmp(e.target->name, t->name) != 0) continue;
      if (any || e.name.starts_with("jit") || e.name.starts_with("llvm")) all.push_back({&e, t, Emitter::jit});
      if (any || e.name.starts_with("cpp")) all.push_back({&e, t, Emitter::compiler});
    }
  return all;
}

// Schedules, packs and builds every case, loads all at once, runs and compares each. Where the target's dot wants
// activations flipped, operands lie so in every combination.
void check(const Runner& r, std::vector<ConvCase> cases, const TilingChoice& choice = {}) {
  if (!r.engine->unavailable.empty()) GTEST_SKIP() << r.engine->unavailable;
  const bool flips = r.target->best_dot == DotForm::flipped && choice.winograd != WinogradUse::everywhere;
  if (flips)
    for (size_t i = 0; i < cases.size(); ++i) cases[i].spec.flips = {i % 2 == 1, i % 4 >= 2, i % 8 >= 4};
  std::vector<Program> programs;
  std::vector<PlannedConv> plans;
  for (const ConvCase& c : cases) {
    SCOPED_TRACE(c.name);
    PlannedConv plan = plan_conv(c.spec, c.data, *r.target, r.emitter, choice);
    programs.push_back(plan.build(fmt::format("conv_{}", programs.size())));
    EXPECT_NO_THROW(allocate(programs.back(), plan.registers)) << plan.schedule;
    plans.push_back(std::move(plan));
  }
  const std::vector<RunKernel> kernels = r.engine->load(programs);
  ASSERT_EQ(kernels.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    ConvOutput out(cases[i].spec, plans[i].scratch_bytes);
    kernels[i](conv_args(cases[i], plans[i].packed, programs[i], out),
               conv_memory(cases[i], plans[i].packed, programs[i], out));
    const std::string fault = out.fault(expected_conv(cases[i]));
    ASSERT_TRUE(fault.empty()) << cases[i].name << ": " << fault << "\n" << programs[i].heading[1];
  }
}

class Conv : public testing::TestWithParam<Runner> {};

TEST_P(Conv, TailsEqualTheReference) {
  std::vector<ConvCase> cases;
  uint32_t seed = 1;
  int seen = 0;
  const bool few = compiles_slowly(*GetParam().engine);
  for (const ConvShape& shape : read_conv_shapes(std::string(kShapes) + "tails.txt")) {
    if (few && seen++ % 5 != 0) continue;
    const auto& numbers = conv_numbers();
    const size_t only = 4 * cases.size() % numbers.size();
    for (size_t n = 0; n < numbers.size(); ++n, ++seed)
      if (!few || n == only) cases.push_back(make_conv_case(shape, numbers[n], seed));
  }
  check(GetParam(), cases);
}

// The form winograd, whether it pays or not.
TEST_P(Conv, WinogradEqualsTheReference) {
  std::vector<ConvCase> cases;
  uint32_t seed = 1;
  int seen = 0;
  const bool few = compiles_slowly(*GetParam().engine);
  for (const char* file : {"winograd.txt", "tails.txt"})
    for (const ConvShape& shape : read_conv_shapes(std::string(kShapes) + file)) {
      if (!has_winograd(shape.spec) || (few && seen++ % 6 != 5)) continue;
      const auto& numbers = conv_numbers();
      for (size_t n = 0; n < numbers.size(); ++n, ++seed)
        if (!few || n == 5 * cases.size() % numbers.size()) cases.push_back(make_conv_case(shape, numbers[n], seed));
    }
  for (const ConvCase& c : cases) ASSERT_TRUE(fits_winograd(c.spec, c.data)) << c.name;
  check(GetParam(), cases, {.winograd = WinogradUse::everywhere});
}

// Every form of requantization on every engine: of a row with a tail of pixels and channels, and of a depthwise layer.
TEST_P(Conv, FormsEqualTheReference) {
  std::vector<ConvCase> cases;
  uint32_t seed = 1;
  for (const char* line : {"2x9x8 -> 20 forms:pointwise", "3x5x24 -> 24 k3 p1 g24 forms:depthwise"})
    for (const ConvNumbers& n : conv_numbers())
      if (n.requant.form != RequantForm::scaled) cases.push_back(make_conv_case(parse_conv_shape(line), n, seed++));
  check(GetParam(), cases);
}

// A layer as a line of a shape file, so that a failure can be repeated from what it prints.
std::string random_layer(Random& random) {
  const auto upto = [&random](uint32_t n) { return 1 + static_cast<int>(random() % n); };
  const int groups = random() % 4 ? 1 : upto(5);
  const int kh = upto(5), kw = upto(5), dh = upto(2), dw = upto(3);
  const int pads[4] = {upto(5) - 1, upto(5) - 1, upto(5) - 1, upto(5) - 1};
  const int reach_h = (kh - 1) * dh + 1 - pads[0] - pads[2], reach_w = (kw - 1) * dw + 1 - pads[1] - pads[3];
  const int ih = std::max(upto(9), reach_h), iw = std::max(upto(random() % 4 ? 9 : 60), reach_w);
  return fmt::format("n{} {}x{}x{} -> {} k{}x{} s{}x{} d{}x{} p{},{},{},{} g{} random:layer", upto(2), ih, iw,
                     groups * upto(groups == 1 ? 40 : 12), groups * upto(groups == 1 ? 150 : 20), kh, kw, upto(3),
                     upto(3), dh, dw, pads[0], pads[1], pads[2], pads[3], groups);
}

TEST_P(Conv, RandomLayersEqualTheReference) {
  const char* const wanted = std::getenv("OCTET_FUZZ");  // how many; a day's worth if you like
  const bool few = compiles_slowly(*GetParam().engine);
  const int count = wanted ? std::atoi(wanted) : few ? 2 : 100;
  Random random(20);
  std::vector<ConvCase> cases;
  for (int i = 0; i < count; ++i) {
    const std::string line = random_layer(random);
    const ConvShape shape = parse_conv_shape(line);
    if (shape.spec.is_depthwise()) continue;
    const auto& numbers = conv_numbers()[random() % conv_numbers().size()];
    cases.push_back(make_conv_case(shape, numbers, static_cast<uint32_t>(i)));
    cases.back().name += ": " + line;
    if (cases.size() < 50 && i + 1 < count) continue;
    check(GetParam(), cases);
    if (HasFatalFailure() || IsSkipped()) return;
    cases.clear();
  }
}

// Layers at their real size, where loops run long; each meets two kinds of numbers. Too much for interpreters and
// compilers.
class ConvNetworks : public testing::TestWithParam<Runner> {};

TEST_P(ConvNetworks, EqualTheReference) {
  std::vector<ConvCase> cases;
  uint32_t seed = 1000;
  for (const ConvShape& shape : read_conv_shapes(std::string(kShapes) + "networks.txt"))
    for (int k = 0; k < 2; ++k, ++seed)
      cases.push_back(make_conv_case(shape, conv_numbers()[seed % conv_numbers().size()], seed));
  check(GetParam(), cases);
}

// Whatever a measurement chooses, the bytes stay.
TEST_P(ConvNetworks, EveryCandidateTilingEqualsTheReference) {
  std::vector<ConvCase> cases;
  uint32_t seed = 2000;
  for (const char* file : {"tails.txt", "winograd.txt"})
    for (const ConvShape& shape : read_conv_shapes(std::string(kShapes) + file))
      for (int k = 0; k < 2; ++k, ++seed)
        cases.push_back(make_conv_case(shape, conv_numbers()[seed % conv_numbers().size()], seed));
  for (int candidate = 1; candidate < 6; ++candidate) {
    SCOPED_TRACE(candidate);
    const auto winograd = candidate % 2 ? WinogradUse::never : WinogradUse::everywhere;
    check(GetParam(), cases, {.candidate = candidate, .winograd = winograd});
    if (HasFatalFailure() || IsSkipped()) return;
  }
}

std::string runner_name(const testing::TestParamInfo<Runner>& i) {
  return i.param.name();
}

INSTANTIATE_TEST_SUITE_P(Engines, Conv, testing::ValuesIn(runners(Speed::any)), runner_name);
INSTANTIATE_TEST_SUITE_P(Engines, ConvNetworks, testing::ValuesIn(runners(Speed::fast)), runner_name);

}  // namespace
}  // namespace octet

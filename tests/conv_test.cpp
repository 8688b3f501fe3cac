// Convolution: shape x numbers x target x engine, whole buffers against the plain answer.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "generator/program/plan_conv.h"
#include "generator/program/registers.h"
#include "tests/support/conv_case.h"
#include "tests/support/engines.h"

namespace octet {
namespace {

const char* const kShapes = OCTET_SOURCE_DIR "/tests/shapes/";

// A target whose activation registers serve four k-steps, as AArch64's do; nothing else in these tests has any.
const Target& by_element() {
  static const Target t = {"by_element", 16, 32, 32, DotForm::fused, 4, false, false};
  return t;
}

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

std::vector<Runner> runners(Speed speed) {
  std::vector<const Target*> targets{&by_element()};
  for (const Target& t : all_targets()) targets.push_back(&t);
  std::vector<Runner> all;
  for (const Engine& e : all_engines())
    for (const Target* t : targets) {
      const bool any = e.name == "interpreter";
      if (any && speed == Speed::fast) continue;
      if (!any && std::strcmp(e.target->name, t->name) != 0) continue;
      if (any || e.name.starts_with("jit")) all.push_back({&e, t, Emitter::jit});
      if (any || e.name.starts_with("cpp")) all.push_back({&e, t, Emitter::compiler});
    }
  return all;
}

// Schedules, packs and builds every case, loads all at once, runs and compares each.
void check(const Runner& r, const std::vector<ConvCase>& cases) {
  if (!r.engine->unavailable.empty()) GTEST_SKIP() << r.engine->unavailable;
  std::vector<Program> programs;
  std::vector<PackedConv> packed;
  for (const ConvCase& c : cases) {
    SCOPED_TRACE(c.name);
    PlannedConv plan = plan_conv(c.spec, c.data, *r.target, r.emitter);
    programs.push_back(plan.build(fmt::format("conv_{}", programs.size())));
    EXPECT_NO_THROW(allocate(programs.back(), plan.registers)) << plan.schedule;
    packed.push_back(std::move(plan.packed));
  }
  const std::vector<RunKernel> kernels = r.engine->load(programs);
  ASSERT_EQ(kernels.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    ConvOutput out(cases[i].spec);
    kernels[i](conv_args(cases[i], packed[i], programs[i], out));
    const std::string fault = out.fault(expected_conv(cases[i]));
    ASSERT_TRUE(fault.empty()) << cases[i].name << ": " << fault << "\n" << programs[i].heading[1];
  }
}

class Conv : public testing::TestWithParam<Runner> {};

TEST_P(Conv, TailsEqualTheReference) {
  std::vector<ConvCase> cases;
  uint32_t seed = 1;
  // A C++ compiler takes a second per kernel: there every shape meets one kind of numbers, and all kinds come up.
  const bool few = GetParam().engine->name.starts_with("cpp");
  for (const ConvShape& shape : read_conv_shapes(std::string(kShapes) + "tails.txt")) {
    const auto& numbers = conv_numbers();
    for (size_t n = 0; n < numbers.size(); ++n, ++seed)
      if (!few || n == cases.size() % numbers.size()) cases.push_back(make_conv_case(shape, numbers[n], seed));
  }
  check(GetParam(), cases);
}

// Layers at their real size, where loops run long; each meets two kinds of numbers. Too much for interpreters.
class ConvNetworks : public testing::TestWithParam<Runner> {};

TEST_P(ConvNetworks, EqualTheReference) {
  std::vector<ConvCase> cases;
  uint32_t seed = 1000;
  for (const ConvShape& shape : read_conv_shapes(std::string(kShapes) + "networks.txt"))
    for (int k = 0; k < 2; ++k, ++seed)
      cases.push_back(make_conv_case(shape, conv_numbers()[seed % conv_numbers().size()], seed));
  check(GetParam(), cases);
}

std::string runner_name(const testing::TestParamInfo<Runner>& i) {
  return i.param.name();
}

INSTANTIATE_TEST_SUITE_P(Engines, Conv, testing::ValuesIn(runners(Speed::any)), runner_name);
INSTANTIATE_TEST_SUITE_P(Engines, ConvNetworks, testing::ValuesIn(runners(Speed::fast)), runner_name);

}  // namespace
}  // namespace octet

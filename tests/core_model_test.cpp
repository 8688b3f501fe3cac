// AArch64 kernels without a machine: what their code looks like, how many instructions a call runs, and how long it
// would take by llvm-mca's models. Beside a baseline (tests/arm64/baseline.json), so that a change for the worse shows;
// OCTET_BASELINE=write replaces it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/core_model.h"
#include "generator/emit_cpp/build.h"
#include "generator/import/model.h"
#include "generator/io/file.h"
#include "generator/passes/passes.h"
#include "generator/program/plan_conv.h"
#include "jit/backend.h"
#include "jit/llvm/codegen.h"
#include "jit/load.h"
#include "runtime/status.h"
#include "tests/support/conv_case.h"
#include "tests/support/op_cases.h"
#include "tests/support/shell.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;
const fs::path kSource = OCTET_SOURCE_DIR;

// Kernels of one target, compiled.
struct Kernels {
  const Target* target = nullptr;
  std::vector<Program> programs;
  std::vector<std::string> what, names;  // in words, as the Programs are called
  std::vector<uint8_t> object;
  std::vector<A64Code> codes;

  void add(const ConvShape& shape, const ConvNumbers& numbers, bool flipped) {
    ConvCase c = make_conv_case(shape, numbers, 1);
    c.spec.flips = {flipped, flipped, flipped};
    names.push_back(fmt::format("kernel{}", programs.size()));
    what.push_back(fmt::format("{} {}{}", shape.name, numbers.name, flipped ? " flipped" : ""));
    programs.push_back(plan_conv(c.spec, c.data, *target, emitter_of(*target)).build(names.back()));
  }
  void compile() {
    std::vector<const Program*> all;
    for (const Program& p : programs) all.push_back(&p);
    object = llvm_object(all, *target);
    const auto bytes = code_of_object(object, names);
    for (size_t k = 0; k < names.size(); ++k) codes.push_back(read_a64(bytes[k], programs[k]));
  }
};

const ConvNumbers& numbers_called(const std::string& name) {
  const auto& all = conv_numbers();
  return *std::find_if(all.begin(), all.end(), [&name](const ConvNumbers& n) { return n.name == name; });
}

bool is_flipped(const Target& target) {
  return target.best_dot == DotForm::flipped;
}

// Whose figures the baseline has: between convolutions activations lie flipped where the dot wants them so.
Kernels baseline_kernels(const char* target) {
  Kernels k{.target = find_target(target)};
  const bool flipped = is_flipped(*k.target);
  for (const char* line :
       {"224x224x3 -> 64 k7 s2 p3 resnet50:conv1", "56x56x64 -> 64 k3 p1 resnet50:layer1.0.conv2",
        "56x56x64 -> 256 resnet50:layer1.0.conv3", "28x28x128 -> 128 k3 p1 resnet50:layer2.1.conv2",
        "14x14x1024 -> 256 resnet50:layer3.1.conv1", "14x14x256 -> 256 k3 p1 resnet50:layer3.1.conv2",
        "7x7x512 -> 2048 resnet50:layer4.1.conv3", "1x1x2048 -> 1000 resnet50:fc",
        "112x112x16 -> 96 mobilenet_v2:features.2.expand", "56x56x144 -> 24 mobilenet_v2:features.3.project",
        "7x7x320 -> 1280 mobilenet_v2:features.18", "56x56x144 -> 144 k3 p1 g144 mobilenet_v2:features.3.depthwise",
        "14x14x576 -> 576 k3 s2 p1 g576 mobilenet_v2:features.14.depthwise",
        "28x28x58 -> 58 shufflenet_v2:stage2.1.branch2.0"})
    k.add(parse_conv_shape(line), numbers_called("random"), flipped);
  k.add(parse_conv_shape("28x28x128 -> 128 k3 p1 resnet50:layer2.1.conv2"), numbers_called("residual"), flipped);
  if (flipped)
    k.add(parse_conv_shape("28x28x128 -> 128 k3 p1 resnet50:layer2.1.conv2"), numbers_called("random"), false);
  k.compile();
  return k;
}

class A64 : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_llvm()) GTEST_SKIP() << "Octet was built without LLVM";
  }
};
class CoreModel : public A64, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Targets, CoreModel, testing::Values("neon_dot", "neon_i8mm"),
                         [](const auto& info) { return std::string(info.param); });

// ---- the code's shape -----------------------------------------------------------------------------------------------

TEST_P(CoreModel, ConvolutionsLookAsTheirSchedulesMeant) {
  Kernels k{.target = find_target(GetParam())};
  for (const char* file : {"networks.txt", "tails.txt"})
    for (const ConvShape& shape : read_conv_shapes((kSource / "tests/shapes" / file).string())) {
      k.add(shape, numbers_called("random"), is_flipped(*k.target));
      if (std::string_view(file) == "networks.txt") k.add(shape, numbers_called("residual"), false);
    }
  k.compile();
  for (size_t i = 0; i < k.names.size(); ++i) EXPECT_EQ(faults(k.codes[i]), "") << k.what[i];
}

TEST_P(CoreModel, MobilenetLooksAsItsSchedulesMeant) {
  const fs::path file = kSource / "../shared/reference/onnx/mobilenet_v2.int8.onnx";
  if (!fs::exists(file)) GTEST_SKIP() << "no " << file;
  Graph graph = import_model(file.string(), {});
  run_passes(graph, {});
  const Target* target = find_target(GetParam());
  const CompiledModel model = compile(graph, {.target = target, .emitter = emitter_of(*target)});
  int convolutions = 0;
  for (const KernelUnit& u : model.kernels) {
    if (!std::holds_alternative<ConvSpec>(u.spec) || !u.program) continue;
    ++convolutions;
    EXPECT_EQ(faults(read_a64(llvm_code(*u.program, *target), *u.program)), "") << u.name << ": " << u.schedule;
  }
  EXPECT_GT(convolutions, 30);
}

TEST_F(A64, FaultsAreSeen) {
  const Target& target = *find_target("neon_dot");
  Builder b("bad");
  const Reg acc = b.load(16, Role::acc, {OCTET_BIAS, 0});
  b.loop(5, {{OCTET_SRC, 4}}, [&] {
    const Reg act = b.load_act(16, {OCTET_SRC, 0}, 4);  // one k-step: there is no element to choose
    b.dot4s(16, acc, act, Mem{OCTET_WEIGHTS, 0}, 0);
  });
  b.store(16, {OCTET_DST, 0}, acc);
  const Program p = b.finish();
  const A64Code code = read_a64(llvm_code(p, target), p);
  EXPECT_NE(faults(code).find("0 dots by element, not 1"), std::string::npos) << faults(code);
  EXPECT_EQ(code.whole.inner.at(0).trips, 5);
  EXPECT_EQ(dots_run(code.whole), 5);
  const auto all = static_cast<int64_t>(code.words.size()),
             body = static_cast<int64_t>(code.of(*hot_loop(code)).size());
  EXPECT_EQ(instructions_run(code.whole), all + 4 * body);
}

TEST_F(A64, EveryOpIsRead) {
  for (const char* name : {"neon", "neon_dot", "neon_i8mm"})
    for (const OpCase& op : op_cases())
      if (const Target& target = *find_target(name); suits(op, 16, target)) {
        const Program p = program_of(op, 16, 4);
        const A64Code code = read_a64(llvm_code(p, target), p);
        EXPECT_GE(instructions_run(code.whole), static_cast<int64_t>(code.words.size())) << name << " " << p.name;
      }
}

TEST(CoreModels, AreMissedByName) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/none", 1);
  EXPECT_FALSE(has_core_models());
  std::string said;
  try {
    model_kernels({}, {}, {}, modelled_cores(*find_target("neon_dot")).front());
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::user);
    said = e.what();
  }
  EXPECT_NE(said.find("Debian: llvm-19"), std::string::npos) << said;
  setenv("PATH", path.c_str(), 1);
}

// ---- figures --------------------------------------------------------------------------------------------------------

struct Baseline {
  std::string file = (kSource / "tests/arm64/baseline.json").string();
  bool write = std::getenv("OCTET_BASELINE") && std::string_view(std::getenv("OCTET_BASELINE")) == "write";
  Json json = Json::object();

  Baseline() {
    if (std::ifstream in(file); in) json = Json::parse(in);
  }

  // Compares with what is stored, or stores.
  void check(const std::string& target, const std::string& kernel, const std::string& figure, double value) {
    Json& stored = json[target][kernel][figure];
    const bool known = stored.is_number();
    const double was = known ? stored.get<double>() : 0;
    const bool differs = !known || std::abs(value - was) > 0.02 * std::abs(was);
    if (write) {
      if (!known || value != was) fmt::print("{} {}: {} {} -> {}\n", target, kernel, figure, was, value);
      stored = value == std::floor(value) ? Json(static_cast<int64_t>(value)) : Json(value);
    } else {
      EXPECT_FALSE(differs) << target << " " << kernel << ": " << figure << " was " << was << ", is " << value
                            << "; if that is meant: tests/arm64/write_baseline";
    }
  }
  void finish() const {
    if (write) write_file(file, json.dump(1) + "\n");
  }
};

TEST_P(CoreModel, InstructionsPerCallAreThoseOfTheBaseline) {
  const Kernels k = baseline_kernels(GetParam());
  Baseline baseline;
  for (size_t i = 0; i < k.names.size(); ++i) {
    const A64Loop* hot = hot_loop(k.codes[i]);
    ASSERT_TRUE(hot) << k.what[i];
    baseline.check(GetParam(), k.what[i], "instructions", static_cast<double>(instructions_run(k.codes[i].whole)));
    baseline.check(GetParam(), k.what[i], "dots", static_cast<double>(dots_run(k.codes[i].whole)));
    baseline.check(GetParam(), k.what[i], "loop instructions", static_cast<double>(hot->end - hot->first));
    baseline.check(GetParam(), k.what[i], "loop dots", static_cast<double>(hot->dots()));
  }
  baseline.finish();
}

TEST_P(CoreModel, CyclesByTheModelsAreThoseOfTheBaseline) {
  if (!has_core_models()) GTEST_SKIP() << "no llvm-mca-19 and llvm-objdump-19";
  const Kernels k = baseline_kernels(GetParam());
  Baseline baseline;
  for (const Core& core : modelled_cores(*k.target)) {
    const std::vector<ModelledKernel> modelled = model_kernels(k.object, k.names, k.codes, core);
    for (size_t i = 0; i < k.names.size(); ++i) {
      const std::string name = core.name;
      const double whole = static_cast<double>(dots_run(k.codes[i].whole)) / modelled[i].cycles;
      baseline.check(GetParam(), k.what[i], name + " loop", std::round(1000 * modelled[i].loop_dots) / 1000);
      baseline.check(GetParam(), k.what[i], name, std::round(1000 * whole) / 1000);
    }
  }
  baseline.finish();
}

// What the loops' trips say is what an emulated processor counts, instruction by instruction.
TEST_P(CoreModel, InstructionsPerCallAreThoseThatAnEmulatorCounts) {
  for (const char* tool : {"qemu-aarch64", "aarch64-linux-gnu-gcc"})
    if (!has_compiler(tool)) GTEST_SKIP() << "no " << tool;
  const Kernels k = baseline_kernels(GetParam());
  const TemporaryFolder folder;
  const Bytes object[] = {k.object};
  write_file((folder.path() / "kernels.o").string(), object);
  // Which instructions run does not depend on what they read, so every pointer points into zeros of its own.
  std::string declarations, calls;
  for (const std::string& name : k.names) {
    declarations += fmt::format("void {}(void**);\n", name);
    calls += fmt::format("  {}(args);\n", name);
  }
  const std::string text = fmt::format(
      "enum {{ kArgs = {}, kRoom = 1 << 25 }};\nstatic unsigned char memory[kArgs + 1][kRoom];\n{}"
      "int main(void) {{\n  void* args[kArgs];\n  for (int i = 0; i < kArgs; ++i) args[i] = memory[i] + kRoom / 2;\n"
      "{}  return 0;\n}}\n",
      int{OCTET_ARG_COUNT}, declarations, calls);
  write_file((folder.path() / "main.c").string(), text);
  const ShellResult built = shell(
      fmt::format("cd {} && aarch64-linux-gnu-gcc -O1 -static main.c kernels.o -o kernels", folder.path().string()));
  ASSERT_EQ(built.code, 0) << built.output;
  const ShellResult run = shell(fmt::format("qemu-aarch64 -cpu max -plugin {},prefix=kernel -d plugin {}/kernels",
                                            OCTET_QEMU_COUNT, folder.path().string()));
  ASSERT_EQ(run.code, 0) << run.output;
  std::map<std::string, int64_t> counted;
  std::istringstream lines(run.output);
  for (std::string name, n; lines >> name >> n;) counted[name] = std::stoll(n);
  for (size_t i = 0; i < k.names.size(); ++i)
    EXPECT_EQ(counted[k.names[i]], instructions_run(k.codes[i].whole)) << k.what[i];
}

}  // namespace
}  // namespace octet

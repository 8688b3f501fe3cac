// What compilers make of emitted convolutions for AArch64, looked at instruction by instruction: in loops of dots
// nothing is spilled, no accumulator moves, and each dot names its activation's element.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/library.h"
#include "generator/program/plan_conv.h"
#include "tests/support/conv_case.h"
#include "tests/support/shell.h"
#include "tests/support/toolchain.h"

namespace octet {
namespace {

struct Instruction {
  std::string name, operands;
};
using Code = std::vector<Instruction>;

// The innermost loops of a disassembly: from the target of a conditional branch back to it, with no other within.
std::vector<Code> innermost_loops(const std::string& disassembly) {
  std::vector<Code> loops;
  Code code;
  std::map<std::string, size_t> at;  // address -> index
  size_t last = 0;                   // behind the last branch back
  std::istringstream lines(disassembly);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Instruction i;
    std::string address;
    if (!(words >> address >> i.name) || address.back() != ':') continue;
    std::getline(words, i.operands);
    at[address.substr(0, address.size() - 1)] = code.size();
    code.push_back(i);
    if (!i.name.starts_with("b.") && !i.name.starts_with("cb")) continue;
    const size_t symbol = i.operands.find(" <"), space = i.operands.find_last_of(" \t", symbol - 1);
    const auto target = at.find(i.operands.substr(space + 1, symbol - space - 1));
    if (target == at.end()) continue;
    if (target->second >= last) loops.emplace_back(code.begin() + static_cast<long>(target->second), code.end());
    last = code.size();
  }
  return loops;
}

struct Loop {
  const Toolchain* toolchain;
  const Target* target;
};

std::vector<Loop> all() {
  std::vector<Loop> list;
  for (const Toolchain& toolchain : toolchains())
    for (const Target& target : all_targets())
      if (target.arch == Arch::aarch64 && toolchain.arch == target.arch) list.push_back({&toolchain, &target});
  return list;
}

class EmittedLoops : public testing::TestWithParam<Loop> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EmittedLoops);

TEST_P(EmittedLoops, AreDotsAndLoadsAlone) {
  const auto& [toolchain, target] = GetParam();
  if (const std::string missing = toolchain->missing(); !missing.empty()) GTEST_SKIP() << missing;
  std::vector<Program> programs;
  for (const char* line : {"14x14x64 -> 64 k3 p1 loops:body", "14x14x256 -> 96 loops:pointwise"}) {
    const ConvCase c = make_conv_case(parse_conv_shape(line), conv_numbers()[0], 1);
    programs.push_back(
        plan_conv(c.spec, c.data, *target, Emitter::compiler).build(fmt::format("conv_{}", programs.size())));
  }
  const TemporaryFolder folder;
  write_programs(folder.path(), programs, *target);
  const std::string source = (folder.path() / "kernels_0.cpp").string();
  const char* const objdump = toolchain->emulator.empty() ? "objdump" : "aarch64-linux-gnu-objdump";
  const ShellResult built = shell(fmt::format("{0} {1} -c '{2}' -o '{2}.o' && {3} -d --no-show-raw-insn '{2}.o'",
                                              toolchain->command(), kEmittedFlags, source, objdump));
  ASSERT_EQ(built.code, 0) << built.output;

  size_t loops_of_dots = 0;
  for (const Code& loop : innermost_loops(built.output)) {
    const auto count = [&](auto matches) { return std::count_if(loop.begin(), loop.end(), matches); };
    const auto named = [&](std::initializer_list<const char*> names) {
      return count([&](const Instruction& i) { return std::find(names.begin(), names.end(), i.name) != names.end(); });
    };
    const bool by_element = target->features[0] != '\0';
    const auto dots = by_element ? named({"sdot", "sudot", "usdot"}) : named({"smull2"});
    if (dots == 0) continue;
    ++loops_of_dots;
    std::string text;
    for (const Instruction& i : loop) text += i.name + i.operands + "\n";
    EXPECT_EQ(named({"str", "stp", "stur", "st1"}), 0) << text;
    EXPECT_EQ(count([](const Instruction& i) {
                return i.operands.find("[sp") != std::string::npos && i.operands.find('q') != std::string::npos;
              }),
              0)
        << text;
    if (!by_element) continue;
    EXPECT_EQ(count([](const Instruction& i) { return i.operands.find(".4b[") != std::string::npos; }), dots) << text;
    EXPECT_EQ(count([](const Instruction& i) {
                return i.name == "dup" || (i.name == "mov" && i.operands.find(".16b") != std::string::npos);
              }),
              0)
        << text;
  }
  EXPECT_GE(loops_of_dots, 2u) << built.output;
}

INSTANTIATE_TEST_SUITE_P(All, EmittedLoops, testing::ValuesIn(all()), [](const auto& tested) {
  return fmt::format("{}_{}", tested.param.target->name, tested.param.toolchain->name);
});

}  // namespace
}  // namespace octet

// Every op of the vocabulary, alone, on every engine: op x width x filling against what the case says it computes,
// whole buffers with guard bytes and the gaps between outputs included.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/engines.h"
#include "tests/support/fill.h"
#include "tests/support/op_cases.h"

namespace octet {
namespace {

constexpr int kVectors = 64;
constexpr size_t kGuard = 64;

struct Instance {
  const Engine* engine;
  const OpCase* op;
  int width;
  Filling filling;
};

std::string kernel_name(const OpCase& op, int width) {
  return op.name + "_" + std::to_string(width);
}

std::vector<Instance> all_instances() {
  std::vector<Instance> all;
  for (const Engine& engine : all_engines())
    for (const OpCase& op : op_cases())
      for (const int w : {16, 32, 64})
        for (const Filling filling : {Filling::extremes, Filling::ties, Filling::random})
          if (suits(op, w, *engine.target)) all.push_back({&engine, &op, w, filling});
  return all;
}

struct Kernel {
  Program program;
  RunKernel run;
};

struct Loaded {
  std::map<std::string, Kernel> kernels;
  std::string error;  // what made loading fail, so that it is tried once and not by each test
};

// All programs of an engine are loaded together, once, because compiling C++ costs seconds however little there is of
// it.
Loaded load(const Engine& engine) {
  std::vector<Program> programs;
  for (const OpCase& op : op_cases())
    for (const int w : {16, 32, 64})
      if (suits(op, w, *engine.target)) programs.push_back(program_of(op, w, kVectors));
  Loaded result;
  try {
    const std::vector<RunKernel> runs = engine.load(programs);
    for (size_t k = 0; k < programs.size(); ++k) result.kernels[programs[k].name] = {programs[k], runs[k]};
  } catch (const std::exception& e) {
    result.error = e.what();
  }
  return result;
}

const Loaded& loaded(const Engine& engine) {
  static std::map<std::string, Loaded> engines;
  const auto known = engines.find(engine.name);
  return known != engines.end() ? known->second : engines[engine.name] = load(engine);
}

class OpTest : public testing::TestWithParam<Instance> {};

TEST_P(OpTest, ComputesItsMeaning) {
  const auto& [engine, op, w, filling] = GetParam();
  if (!engine->unavailable.empty()) GTEST_SKIP() << engine->name << ": " << engine->unavailable;
  ASSERT_EQ(loaded(*engine).error, "");
  const Kernel& kernel = loaded(*engine).kernels.at(kernel_name(*op, w));

  const size_t bytes = static_cast<size_t>(kVectors * w);
  std::vector<uint8_t> in[3];
  for (int k = 0; k < 3; ++k) in[k] = filled(bytes + OCTET_SLACK_BYTES, op->inputs[static_cast<size_t>(k)], filling, k);
  std::vector<uint8_t> got(kGuard + kDstStride * bytes + kGuard, 0xA5), want = got;
  for (int v = 0; v < kVectors; ++v)
    op->expect(&in[0][static_cast<size_t>(v * w)], &in[1][static_cast<size_t>(v * w)],
               &in[2][static_cast<size_t>(v * w)], &want[kGuard + static_cast<size_t>(kDstStride * v * w)], w);

  OctetArgs args{};
  args.p[OCTET_SRC] = in[0].data();
  args.p[OCTET_WEIGHTS] = in[1].data();
  args.p[OCTET_SRC2] = in[2].data();
  args.p[OCTET_DST] = got.data() + kGuard;
  args.p[OCTET_CONSTANTS] = kernel.program.constants.empty() ? nullptr : kernel.program.constants[0].data();
  kernel.run(args, {memory_of(in[0]), memory_of(in[1]), memory_of(in[2]), memory_of(got),
                    memory_of(kernel.program.constants)});

  const size_t at = static_cast<size_t>(std::mismatch(got.begin(), got.end(), want.begin()).first - got.begin());
  EXPECT_EQ(at, got.size()) << "first difference at byte " << static_cast<long>(at) - static_cast<long>(kGuard)
                            << " of dst: " << int{got[at]} << ", expected " << int{want[at]} << "\n"
                            << print(kernel.program);
}

std::string instance_name(const testing::TestParamInfo<Instance>& info) {
  static const char* const fillings[] = {"extremes", "ties", "random"};
  const Instance& i = info.param;
  std::string name = i.engine->name + "_" + kernel_name(*i.op, i.width) + "_" + fillings[static_cast<int>(i.filling)];
  for (char& c : name)
    if (c == '+')
      c = 'p';
    else if (!std::isalnum(static_cast<unsigned char>(c)))
      c = '_';
  return name;
}

void PrintTo(const Instance& i, std::ostream* out) {
  *out << i.engine->name << " " << kernel_name(*i.op, i.width);
}

INSTANTIATE_TEST_SUITE_P(All, OpTest, testing::ValuesIn(all_instances()), instance_name);

// A kernel elsewhere that dies takes no test with it.
TEST(Emulated, WhatDiesIsAnError) {
  const auto engine = std::find_if(all_engines().begin(), all_engines().end(),
                                   [](const Engine& e) { return e.name == "cpp/neon/aarch64_clang"; });
  if (engine == all_engines().end()) GTEST_SKIP() << "this machine emulates none";
  if (!engine->unavailable.empty()) GTEST_SKIP() << engine->unavailable;
  const std::vector<RunKernel> kernels = engine->load({program_of(op_cases()[0], 16, kVectors)});
  for (int again = 0; again < 2; ++again) {
    try {
      kernels[0](OctetArgs{}, {});
      ADD_FAILURE() << "reads nothing from nowhere";
    } catch (const std::exception& e) {
      EXPECT_EQ(std::string(e.what()).find("emulated kernels"), 0u) << e.what();
    }
  }
}

// An op that has no case would be an op that nobody checks.
TEST(OpCases, CoverTheVocabulary) {
  std::vector<bool> seen(256);
  for (const OpCase& op : op_cases()) {
    const Program p = program_of(op, std::max(16, op.min_width), kVectors);
    for (const Inst& i : p.code) seen[static_cast<size_t>(i.op)] = true;
  }
#define OCTET_OP(name, ...) EXPECT_TRUE(seen[static_cast<size_t>(Op::name)]) << #name;
#include "generator/program/ops.inc"
#undef OCTET_OP
}

}  // namespace
}  // namespace octet

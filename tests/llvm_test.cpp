// LLVM's machine code for AArch64, looked at instruction by instruction: this machine need not be able to run it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <span>
#include <thread>

#include "bench/a64_code.h"
#include "generator/io/file.h"
#include "generator/program/plan_conv.h"
#include "jit/backend.h"
#include "jit/dump.h"
#include "jit/llvm/codegen.h"
#include "runtime/status.h"
#include "tests/support/conv_case.h"
#include "tests/support/op_cases.h"

namespace octet {
namespace {

std::vector<const Target*> neon_targets() {
  std::vector<const Target*> all;
  for (const Target& t : all_targets())
    if (t.backend == Backend::llvm) all.push_back(&t);
  return all;
}

std::vector<uint32_t> words_of(const std::vector<uint8_t>& code) {
  std::vector<uint32_t> words(code.size() / 4);
  std::memcpy(words.data(), code.data(), 4 * words.size());
  return words;
}

// ---- every op -------------------------------------------------------------------------------------------------------

class LlvmOps : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_llvm()) GTEST_SKIP() << "Octet was built without LLVM";
  }
};

struct OpPrograms {
  std::vector<Program> programs;
  std::vector<const Program*> pointers;
  std::vector<std::string> names;

  OpPrograms(const Target& target, int w) {
    for (const OpCase& op : op_cases())
      if (suits(op, w, target)) programs.push_back(program_of(op, w, 4));
    for (const Program& p : programs) {
      pointers.push_back(&p);
      names.push_back(p.name);
    }
  }
};

// That they compute their meaning is op_test's business, under an emulator where need be.
TEST_F(LlvmOps, NeedNoRelocation) {
  for (const Target* target : neon_targets()) {
    const OpPrograms ops(*target, 16);
    const auto codes = code_of_object(llvm_object(ops.pointers, *target), ops.names);
    ASSERT_EQ(codes.size(), ops.programs.size());
    for (size_t k = 0; k < codes.size(); ++k) {
      EXPECT_GE(codes[k].size(), 8u) << ops.names[k];
      EXPECT_EQ(codes[k], llvm_code(ops.programs[k], *target)) << ops.names[k] << ": its company changes its code";
      EXPECT_EQ(count(words_of(codes[k]), kSpills), 0) << ops.names[k];
    }
  }
}

TEST_F(LlvmOps, AreMadeByThreadsAtTheSameTime) {
  const Target& target = *find_target("neon_i8mm");
  const OpPrograms ops(target, 16);
  std::array<std::vector<uint8_t>, 3> objects;
  std::vector<std::thread> threads;
  for (auto& object : objects) threads.emplace_back([&] { object = llvm_object(ops.pointers, target); });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(objects[0], objects[1]);
  EXPECT_EQ(objects[0], objects[2]);
}

// x86 reads constants next to its code, which only a linker can place.
TEST_F(LlvmOps, AreRefusedAsCodeWhereTheyNeedARelocation) {
  const Target& target = *find_target("avx2");
  for (const OpCase& op : op_cases()) {
    if (op.name != "scale64") continue;
    try {
      llvm_code(program_of(op, 16, 4), target);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::internal);
      EXPECT_STREQ(e.what(), "scale64_16: its code needs a relocation, so it does not run on its own");
    }
  }
}

Program one_dot(Op op, int group, int act_bytes) {
  Builder b("one_dot");
  const Reg acc = b.load(16, Role::acc, {OCTET_BIAS, 0}), act = b.load_act(16, {OCTET_SRC, 0}, act_bytes);
  if (op == Op::dot4)
    b.dot4(16, acc, act, Mem{OCTET_WEIGHTS, 0}, group);
  else
    b.dot4s(16, acc, act, Mem{OCTET_WEIGHTS, 0}, group);
  b.store(16, {OCTET_DST, 0}, acc);
  return b.finish();
}

TEST_F(LlvmOps, DotsAreByElement) {
  for (const auto& [name, op] : {std::pair("neon_dot", Op::dot4s), {"neon_i8mm", Op::dot4}})
    for (const int act_bytes : {8, 16})
      for (int group = 0; group < act_bytes / 4; ++group) {
        const auto code = words_of(llvm_code(one_dot(op, group, act_bytes), *find_target(name)));
        EXPECT_EQ(count(code, kDotsByElement), 1) << name << " " << act_bytes << " " << group;
        EXPECT_EQ(count(code, kSplats), 0) << name << " " << act_bytes << " " << group;
      }
}

std::string refusal(const Program& p, const char* target) {
  try {
    llvm_code(p, *find_target(target));
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal);
    return e.what();
  }
  return "none";
}

TEST_F(LlvmOps, AreRefusedWhereTheTargetLacksThem) {
  for (const char* target : {"neon", "neon_dot"})
    EXPECT_EQ(refusal(one_dot(Op::dot4, 0, 16), target), "one_dot: dot4 in a Program for a target without i8mm");
  Builder product("product");
  const Reg sum = product.load(16, Role::acc, {OCTET_BIAS, 0});
  product.op(Op::mmla, 16, sum, product.load(16, Role::act, {OCTET_SRC, 0}), Mem{OCTET_WEIGHTS, 0});
  product.store(16, {OCTET_DST, 0}, sum);
  const Program matrix = product.finish();
  for (const char* target : {"neon", "neon_dot"})
    EXPECT_EQ(refusal(matrix, target), "product: mmla in a Program for a target without i8mm");
  EXPECT_EQ(refusal(matrix, "avx2"), "product: mmla, which x86 does not have");
  EXPECT_EQ(refusal(one_dot(Op::dot4s, 0, 16), "avx2"), "one_dot: dot4s in a Program for avx2");
  EXPECT_EQ(refusal(one_dot(Op::dot4, 2, 16), "avx512_vnni"),
            "one_dot: dot4 of element group 2, which x86 does not have");
  EXPECT_EQ(refusal(one_dot(Op::dot4s, 0, 16), "scalar"), "no machine code for target scalar");
  Builder b("across");
  const Reg index = b.load(64, Role::temp, {OCTET_SRC, 0});
  b.op(Op::permute128, 64, index, index, Mem{OCTET_WEIGHTS, 0});
  b.store(64, {OCTET_DST, 0}, index);
  EXPECT_EQ(refusal(b.finish(), "neon"), "across: permute128 in a Program for a target without it");
}

// ---- whole kernels --------------------------------------------------------------------------------------------------

// Baseline NEON is left out: its dots need temporaries that no schedule knows of.
TEST_F(LlvmOps, ConvolutionsKeepTheirRegistersAndDots) {
  for (const Target* target : {find_target("neon_dot"), find_target("neon_i8mm")}) {
    uint32_t seed = 1;
    for (const char* line : {"14x14x64 -> 64 k3 p1 llvm:body", "7x9x13 -> 37 k3 p1 llvm:odd",
                             "28x28x64 -> 96 llvm:pointwise", "1x1x512 -> 1000 llvm:linear",
                             "30x30x3 -> 32 k3 s2 p1 llvm:first", "14x14x24 -> 24 k3 p1 g24 llvm:depthwise"})
      for (const ConvNumbers& n : conv_numbers()) {
        if (n.name != "random" && n.name != "residual" && n.name != "fixed_away_residual") continue;
        SCOPED_TRACE(fmt::format("{} {} {}", target->name, line, n.name));
        const ConvCase c = make_conv_case(parse_conv_shape(line), n, seed++);
        const Program p = plan_conv(c.spec, c.data, *target, emitter_of(*target)).build("conv");
        const std::vector<uint8_t> bytes = llvm_code(p, *target);
        const auto code = words_of(bytes);
        EXPECT_LE(count(code, kSpills), n.residual ? 8 : 0);
        EXPECT_EQ(count(code, kSplats), 0);
        EXPECT_EQ(faults(read_a64(bytes, p)), "");
      }
  }
}

// ---- without LLVM, and for people -----------------------------------------------------------------------------------

TEST(Llvm, IsMissedByName) {
  if (has_llvm()) GTEST_SKIP() << "Octet was built with LLVM";
  for (const Target* target : neon_targets()) {
    EXPECT_FALSE(can_compile(*target));
    CodeMemory memory;
    try {
      compile(one_dot(Op::dot4s, 0, 16), *target, memory);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::user);
      EXPECT_NE(std::string(e.what()).find("built without LLVM"), std::string::npos) << e.what();
    }
  }
}

TEST_F(LlvmOps, AreDumpedWithoutOffsets) {
  const std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / "octet_llvm_dump_test";
  const Target& target = *find_target("neon_dot");
  const Program p = one_dot(Op::dot4s, 0, 16);
  CodeMemory memory;
  CodeOffsets offsets = {1, 2, 3};
  const CompiledKernel kernel = compile(p, target, memory, &offsets);
  EXPECT_TRUE(offsets.empty());
  dump_kernel(directory.string(), p, target, kernel, offsets);
  const auto content = [&](const char* name) {
    const std::vector<uint8_t> bytes = read_file(directory / name, 1 << 20);
    return std::string(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(content("one_dot.program.txt"), print(p));
  EXPECT_EQ(content("one_dot.bin").size(), kernel.code_bytes);
  const std::string listing = content("one_dot.asm.txt");
  EXPECT_NE(listing.find("-m aarch64 one_dot.bin"), std::string::npos) << listing;
  EXPECT_NE(listing.find("dot4s.16 acc0 act1 [weights+0]"), std::string::npos) << listing;
  EXPECT_NE(listing.find("c0 03 5f d6"), std::string::npos) << "it returns:\n" << listing;
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace octet

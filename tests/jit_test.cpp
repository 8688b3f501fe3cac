// Machine code where the op tests do not look: every op with its result in the place of each operand and apart from
// all, in the registers that only the longer encodings reach, with pointers on the stack; and the memory that code
// lives in.
#include "jit/backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "generator/program/interpret.h"
#include "jit/dump.h"
#include "jit/x64/homes.h"
#include "runtime/status.h"
#include "tests/support/fill.h"
#include "tests/support/op_cases.h"

namespace octet {
namespace {

constexpr int kVectors = 16;

// ---- every op, its operands placed on purpose -----------------------------------------------------------------------

enum class Placing { apart, into_a, into_b, into_c };

struct Variant {
  const Target* target;
  Placing placing;
  int crowd;  // registers kept busy, so that the op gets the later ones
};

bool is_op(const Inst& i) {
  return (op_row(i.op).operands & (kD | kA)) == (kD | kA) && !(op_row(i.op).operands & (kEarlyClobber | kScratch));
}

bool is_read_after(const Program& p, size_t k, Reg r) {
  return std::any_of(p.code.begin() + static_cast<long>(k) + 1, p.code.end(),
                     [&](const Inst& i) { return i.a == r || i.b == r || i.c == r; });
}

// Gives a result that begins to live the virtual register of one operand that dies there.
Program placed(Program p, Placing placing) {
  std::vector<Reg> alias(p.registers.size());
  std::iota(alias.begin(), alias.end(), 0);
  std::vector<bool> written(p.registers.size());
  for (size_t k = 0; k < p.code.size(); ++k) {
    const Inst& i = p.code[k];
    const Reg operand = placing == Placing::into_a ? i.a : placing == Placing::into_b ? i.b : i.c;
    if (placing != Placing::apart && is_op(i) && operand != kNone && !written[static_cast<size_t>(i.d)] &&
        !is_read_after(p, k, operand))
      alias[static_cast<size_t>(i.d)] = alias[static_cast<size_t>(operand)];
    if (i.d != kNone) written[static_cast<size_t>(i.d)] = true;
  }
  std::vector<Reg> operands;
  for (Inst& i : p.code)
    for (Reg* r : {&i.d, &i.a, &i.b, &i.c})
      if (*r != kNone) {
        *r = alias[static_cast<size_t>(*r)];
        if (r != &i.c || !(op_row(i.op).operands & kScratch)) operands.push_back(*r);
      }
  if (placing != Placing::apart) return p;
  for (const Reg r : operands) {  // a last look at everything keeps it alive past its op
    p.code.insert(p.code.end() - 1, {.op = Op::copy, .bytes = 16, .d = r, .a = r});
  }
  return p;
}

Program crowded(Program p, int registers) {
  for (int n = 0; n < registers; ++n) {
    const Reg r = static_cast<Reg>(p.registers.size());
    p.registers.push_back(Role::temp);
    p.code.insert(p.code.begin(), {.op = Op::load, .bytes = 16, .d = r, .m = {OCTET_SRC, 0}});
    p.code.push_back({.op = Op::copy, .bytes = 16, .d = r, .a = r});
  }
  return p;
}

class PlacedOps : public testing::TestWithParam<Variant> {};

TEST_P(PlacedOps, ComputeWhatTheyMean) {
  const auto& [target, placing, crowd] = GetParam();
  if (!host_runs(*target))
    GTEST_SKIP() << target->name << ": this machine does not run it, or OCTET_MAX_TARGET caps it";
  for (const OpCase& op : op_cases())
    for (int w : {16, 32, 64}) {
      if (!suits(op, w, *target)) continue;
      const Program p = crowded(placed(program_of(op, w, kVectors), placing), crowd);
      verify(p);
      SCOPED_TRACE(print(p));
      CodeMemory memory;
      const OctetKernel run = compile(p, *target, memory).entry;
      memory.seal();
      for (const Filling filling : {Filling::extremes, Filling::ties, Filling::random}) {
        const size_t bytes = static_cast<size_t>(kVectors * w);
        std::vector<uint8_t> in[3];
        for (int k = 0; k < 3; ++k)
          in[k] = filled(bytes + OCTET_SLACK_BYTES, op.inputs[static_cast<size_t>(k)], filling, k);
        std::vector<uint8_t> got(64 + kDstStride * bytes + 64, 0xA5), want = got;
        for (size_t v = 0; v < bytes; v += static_cast<size_t>(w))
          op.expect(&in[0][v], &in[1][v], &in[2][v], &want[64 + kDstStride * v], w);
        OctetArgs args{{in[0].data(), in[1].data(), got.data() + 64, nullptr, nullptr, in[2].data(),
                        p.constants.empty() ? nullptr : p.constants[0].data(), nullptr}};
        run(&args);
        ASSERT_TRUE(got == want);
      }
    }
}

std::vector<Variant> all_variants() {
  std::vector<Variant> all;
  for (const Target& target : all_targets())
    for (const Placing placing : {Placing::apart, Placing::into_a, Placing::into_b, Placing::into_c})
      for (const int crowd : {0, target.vector_registers / 2})
        if (can_compile(target)) all.push_back({&target, placing, crowd});
  return all;
}

std::string variant_name(const testing::TestParamInfo<Variant>& info) {
  static const char* const placings[] = {"apart", "into_a", "into_b", "into_c"};
  return std::string(info.param.target->name) + "_" + placings[static_cast<int>(info.param.placing)] +
         (info.param.crowd ? "_high" : "_low");
}

INSTANTIATE_TEST_SUITE_P(All, PlacedOps, testing::ValuesIn(all_variants()), variant_name);

// ---- pointers and counters ------------------------------------------------------------------------------------------

// `depth` loops around a sum, each walking a pointer of its own that it sets anew, all arguments read after the loops.
Program many_pointers(int depth) {
  Builder b("many_pointers");
  const Reg acc = b.load(16, Role::acc, {OCTET_BIAS, 0});
  std::vector<Ptr> walkers(static_cast<size_t>(depth));
  for (Ptr& q : walkers) q = b.ptr();
  std::function<void(int)> nest = [&](int level) {
    if (level == depth) return;
    const Ptr q = walkers[static_cast<size_t>(level)];
    b.ptr_set(q, {level == 0 ? Ptr{OCTET_SRC} : walkers[static_cast<size_t>(level - 1)], 16});
    b.loop(2 + level % 2, {{q, 16}, {OCTET_SRC2, 4}}, [&] {
      b.op(Op::add32, 16, acc, acc, Mem{q, -16});
      nest(level + 1);
      b.op(Op::sub32, 16, acc, acc, Mem{OCTET_SRC2, -8});
    });
    b.ptr_add(OCTET_SRC2, -4 * (2 + level % 2));
  };
  nest(0);
  for (const Ptr p : {OCTET_SRC, OCTET_WEIGHTS, OCTET_SCALE, OCTET_SCRATCH}) {
    b.op(Op::xor_, 16, acc, acc, Mem{p, 0});
    b.store_low(16, {OCTET_DST, 32 + 16 * p}, acc, 12);
  }
  b.store_split(16, {OCTET_DST, 0}, acc, 4, {4, {0, 4, 12, 20}});
  return b.finish();
}

TEST(Pointers, WorkOnTheStackToo) {
  std::vector<uint8_t> data = filled(4096, Elem::u8, Filling::random, 0);
  for (const Target& target : all_targets())
    for (int depth = 1; depth <= 9; ++depth) {
      if (!can_compile(target) || !host_runs(target)) continue;
      const Program p = many_pointers(depth);
      EXPECT_EQ(place_pointers_and_counters(p, 14).slots > 0, depth >= 5) << depth;
      CodeMemory memory;
      const OctetKernel run = compile(p, target, memory).entry;
      memory.seal();
      std::vector<uint8_t> got(256), want(256);
      OctetArgs args{};
      for (int k = 0; k < OCTET_ARG_COUNT; ++k) args.p[k] = &data[static_cast<size_t>(256 + 64 * k)];
      args.p[OCTET_DST] = got.data();
      run(&args);
      args.p[OCTET_DST] = want.data();
      interpret(p, args);
      EXPECT_EQ(got, want) << target.name << ", depth " << depth << "\n" << print(p);
    }
}

TEST(Pointers, InnerLoopsKeepTheirRegisters) {
  const Program p = many_pointers(9);
  const Homes homes = place_pointers_and_counters(p, 6);
  std::vector<size_t> loops;  // in the order of their begins
  for (const Inst& i : p.code)
    if (i.op == Op::loop_begin) loops.push_back(static_cast<size_t>(i.extra));
  EXPECT_EQ(homes.counters[loops.front()].kind, Home::slot);
  EXPECT_EQ(homes.counters[loops.back()].kind, Home::reg);
  EXPECT_EQ(homes.pointers.back().kind, Home::reg);
  EXPECT_EQ(homes.pointers[OCTET_SRC2].kind, Home::reg);
  EXPECT_EQ(homes.pointers[OCTET_CONSTANTS].kind, Home::none) << "nothing reads it";
}

TEST(Pointers, ShareHomesWhenTheirTimesAreApart) {
  Builder b("one_after_another");
  for (int n = 0; n < 40; ++n) {
    const Ptr q = b.ptr();
    b.ptr_set(q, {OCTET_SRC, 16 * n});
    b.loop(2, {{q, 16}}, [&] { b.store(16, {OCTET_DST, 16 * n}, b.load(16, Role::temp, {q, 0})); });
  }
  const Homes homes = place_pointers_and_counters(b.finish(), 15);
  EXPECT_EQ(homes.slots, 0);
  EXPECT_EQ(homes.registers, 4);
}

// ---- refusals -------------------------------------------------------------------------------------------------------

Program one_dot(int group) {
  Builder b("one_dot");
  const Reg acc = b.load(16, Role::acc, {OCTET_BIAS, 0}), act = b.load_act(16, {OCTET_SRC, 0}, 16);
  b.dot4(16, acc, act, Mem{OCTET_WEIGHTS, 0}, group);
  b.store(16, {OCTET_DST, 0}, acc);
  return b.finish();
}

Program one_permute() {
  Builder b("one_permute");
  const Reg index = b.load(64, Role::temp, {OCTET_SRC, 0});
  b.op(Op::permute128, 64, index, index, Mem{OCTET_WEIGHTS, 0});
  b.store(64, {OCTET_DST, 0}, index);
  return b.finish();
}

std::string refusal(const Program& p, const char* target) {
  CodeMemory memory;
  try {
    compile(p, *find_target(target), memory);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal);
    return e.what();
  }
  return "none";
}

TEST(Compile, RefusesWhatTheTargetDoesNotHave) {
  EXPECT_EQ(refusal(one_dot(0), "avx512_vnni"), "none");
  EXPECT_EQ(refusal(one_dot(2), "avx512_vnni"), "one_dot: dot4 of element group 2, which x86 does not have");
  EXPECT_EQ(refusal(one_dot(0), "avx2"), "one_dot: dot4 in a Program for avx2, whose dot form is maddubs or widened");
  EXPECT_EQ(refusal(one_permute(), "avx512_vbmi"), "none");
  for (const char* target : {"avx2", "avx512_vnni"})
    EXPECT_EQ(refusal(one_permute(), target), "one_permute: permute128 in a Program for a target without it");
  EXPECT_EQ(refusal(one_dot(0), "scalar"), "one_dot: no machine code for target scalar");
}

// ---- memory and dumps -----------------------------------------------------------------------------------------------

std::string protection_of(const void* p) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    size_t begin = 0, end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%zx-%zx %4s", &begin, &end, rights) == 3 && begin <= reinterpret_cast<size_t>(p) &&
        reinterpret_cast<size_t>(p) < end)
      return rights;
  }
  return "unmapped";
}

TEST(CodeMemory, IsNeverWritableAndExecutable) {
  const void* code;
  {
    CodeMemory memory;
    const std::span<uint8_t> first = memory.reserve(100);
    code = first.data();
    memory.commit("first", 100);
    const std::span<uint8_t> second = memory.reserve(1000);
    EXPECT_EQ(second.data() - first.data(), 128);
    memory.commit("second", 1000);
    EXPECT_EQ(protection_of(code), "rw-p");
    memory.seal();
    EXPECT_EQ(protection_of(code), "r-xp");
    const std::span<uint8_t> third = memory.reserve(size_t{9} << 20);
    EXPECT_GE(third.size(), size_t{9} << 20);
    EXPECT_EQ(protection_of(third.data()), "rw-p");
    EXPECT_EQ(protection_of(code), "r-xp");
    CodeMemory moved = std::move(memory);
    moved.seal();
    EXPECT_EQ(protection_of(code), "r-xp");
  }
  EXPECT_NE(protection_of(code), "r-xp");
}

TEST(Dump, ShowsTheCodeOfEveryInstruction) {
  const std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / "octet_dump_test";
  const Target& target = *find_target("avx512_vnni");  // made, not run: any machine can
  const Program p = one_dot(0);
  CodeMemory memory;
  CodeOffsets offsets;
  const CompiledKernel kernel = compile(p, target, memory, &offsets);
  memory.seal();
  dump_kernel(directory.string(), p, target, kernel, offsets);

  const auto content = [&](const std::string& name) {
    std::ifstream file(directory / name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  };
  EXPECT_EQ(content("one_dot.program.txt"), print(p));
  EXPECT_EQ(content("one_dot.bin").size(), kernel.code_bytes);
  const std::string listing = content("one_dot.asm.txt");
  const size_t dot = listing.find("dot4.16 acc0 act1 [weights+0]");
  ASSERT_NE(dot, std::string::npos) << listing;
  const std::string bytes = listing.substr(dot, 80);
  EXPECT_NE(bytes.find(": 62 f2 "), std::string::npos) << "the dot's EVEX bytes follow its line:\n" << listing;
  std::filesystem::remove_all(directory);
}

TEST(Dump, SaysWhereItCannotWrite) {
  CodeMemory memory;
  CodeOffsets offsets;
  const Program p = one_dot(0);
  const CompiledKernel kernel = compile(p, *find_target("avx512_vnni"), memory, &offsets);
  try {
    dump_kernel("/proc/octet", p, *find_target("avx512_vnni"), kernel, offsets);
    FAIL() << "wrote into /proc";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::user);
    EXPECT_NE(std::string(e.what()).find("/proc/octet"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace octet

// The register allocator against brute force: random structured programs are walked trip by trip, and whoever reads a
// register must find there what was last written to it.
#include "generator/program/registers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "runtime/status.h"

namespace octet {
namespace {

constexpr int kRegisters = 12;

// Random loops, up to three deep, over a pool of registers small enough that none has to spill: new ones, accumulators
// that live across loops, early-clobber stores, fused multiply-adds with every mix of operands.
class RandomProgram {
 public:
  explicit RandomProgram(unsigned seed) : random_(seed) {}

  Program make() {
    const std::vector<Reg> seeds = {builder_.load(16, Role::acc, {OCTET_BIAS, 0}),
                                    builder_.load(16, Role::weight, {OCTET_WEIGHTS, 0})};
    block(seeds, 0);
    for (const Reg r : seeds) builder_.store(16, {OCTET_DST, 0}, r);
    return builder_.finish();
  }

 private:
  int pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  Reg any(const std::vector<Reg>& known) { return known[static_cast<size_t>(pick(static_cast<int>(known.size())))]; }

  void block(std::vector<Reg> known, int depth) {
    for (int n = 2 + pick(8); n > 0; --n) {
      const bool grows = known.size() < 9;
      const Reg d = grows && pick(2) ? builder_.reg(Role::temp) : any(known);
      switch (pick(depth < 3 ? 8 : 6)) {
        case 0: builder_.load_into(16, d, {OCTET_SRC, 16 * n}); break;
        case 1: builder_.op(Op::sub32, 16, d, any(known), any(known)); break;
        case 2: builder_.fma(16, d, any(known), any(known), any(known)); break;
        case 3: builder_.copy(16, d, any(known)); break;
        case 4: builder_.dot4(16, any(known), any(known), Mem{OCTET_WEIGHTS, 0}, 0); continue;
        case 5:
          if (pick(2)) builder_.op(Op::mulhi32, 16, builder_.reg(Role::temp), any(known), any(known));
          builder_.store_split(16, {OCTET_DST, 0}, any(known), 2, {2, {0, 8}});
          continue;
        default: builder_.loop(2, {}, [&] { block(known, depth + 1); }); continue;
      }
      if (std::find(known.begin(), known.end(), d) == known.end()) known.push_back(d);
    }
  }

  std::mt19937 random_;
  Builder builder_{"random"};
};

// Runs the loops for real; a physical register holds the name of who wrote it last.
class Walk {
 public:
  Walk(const Program& p, const std::vector<int>& physical) : program_(p), physical_(physical), holds_(64, kNone) {}

  void run() {
    std::vector<std::pair<size_t, int>> loops;
    for (size_t k = 0; k < program_.code.size(); ++k) {
      const Inst& i = program_.code[k];
      if (i.op == Op::loop_begin) loops.push_back({k, i.imm});
      if (i.op == Op::loop_end) {
        if (--loops.back().second > 0)
          k = loops.back().first;
        else
          loops.pop_back();
        continue;
      }
      step(i, k);
    }
  }

 private:
  int& of(Reg r) { return holds_[static_cast<size_t>(physical_[static_cast<size_t>(r)])]; }
  void read(Reg r, size_t k) { ASSERT_EQ(of(r), r) << "instruction " << k << "\n" << print(program_); }

  void step(const Inst& i, size_t k) {
    const uint8_t operands = op_row(i.op).operands;
    if (operands & kEarlyClobber) of(i.d) = i.d;
    if (operands & kScratch) of(i.c) = i.c;
    if (operands & kReadsD) read(i.d, k);
    if (operands & kA) read(i.a, k);
    if ((operands & kB) && i.b != kNone) read(i.b, k);
    if ((operands & kC) && i.c != kNone) read(i.c, k);
    if (operands & kD) of(i.d) = i.d;
  }

  const Program& program_;
  const std::vector<int>& physical_;
  std::vector<Reg> holds_;
};

TEST(Registers, LiveOnesNeverShare) {
  int longest = 0, crowded = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    const Program p = RandomProgram(seed).make();
    std::vector<int> physical;
    try {
      physical = allocate(p, kRegisters);
    } catch (const Error&) {
      ++crowded;
      continue;
    }
    for (const int r : physical) ASSERT_LT(r, kRegisters);
    Walk(p, physical).run();
    if (HasFatalFailure()) return;
    longest = std::max(longest, static_cast<int>(p.code.size()));
  }
  EXPECT_GT(longest, 100);
  EXPECT_LT(crowded, 1500) << "most programs were refused: the test tests little";
}

TEST(Registers, AnAccumulatorOutlivesTheLoopThatTouchesIt) {
  Builder b("carried");
  const Reg acc = b.load(16, Role::acc, {OCTET_BIAS, 0});
  Reg inner = kNone;
  b.loop(4, {{OCTET_SRC, 16}}, [&] {
    b.op(Op::add32, 16, acc, acc, Mem{OCTET_SRC, 0});
    inner = b.load(16, Role::temp, {OCTET_SRC2, 0});  // after acc's last line in the text, not in time
    b.store(16, {OCTET_DST, 0}, inner);
  });
  const Program p = b.finish();
  const std::vector<int> physical = allocate(p, 2);
  EXPECT_NE(physical[static_cast<size_t>(acc)], physical[static_cast<size_t>(inner)]);
  EXPECT_THROW(allocate(p, 1), Error);
}

TEST(Registers, ADyingOperandGivesItsPlaceToTheResult) {
  Builder b("reuse");
  const Reg x = b.load(16, Role::temp, {OCTET_SRC, 0}), y = b.load(16, Role::temp, {OCTET_SRC2, 0});
  const Reg d = b.reg(Role::temp);
  b.fma(16, d, x, Mem{OCTET_SCALE, 0}, y);  // y dies, x does not
  b.store(16, {OCTET_DST, 0}, d);
  b.store(16, {OCTET_DST, 16}, x);
  const std::vector<int> physical = allocate(b.finish(), 16);
  EXPECT_EQ(physical[static_cast<size_t>(d)], physical[static_cast<size_t>(y)]);
}

TEST(Registers, AnEarlyClobberedResultKeepsAwayFromItsSource) {
  Builder b("split");
  const Reg x = b.load(32, Role::temp, {OCTET_SRC, 0});
  b.store_split(32, {OCTET_DST, 0}, x, 2, {2, {0, 32}});
  const Program p = b.finish();
  const Reg scratch = p.code.back().d;
  const std::vector<int> physical = allocate(p, 2);
  EXPECT_NE(physical[static_cast<size_t>(x)], physical[static_cast<size_t>(scratch)]);
  EXPECT_THROW(allocate(p, 1), Error);
}

TEST(Registers, TooManyAreAnInternalErrorThatSaysWhere) {
  Builder b("conv_too_wide");
  std::vector<Reg> all;
  for (int k = 0; k < 5; ++k) all.push_back(b.load(16, k < 4 ? Role::acc : Role::weight, {OCTET_SRC, 16 * k}));
  for (const Reg r : all) b.store(16, {OCTET_DST, 0}, r);
  const Program p = b.finish();
  EXPECT_EQ(allocate(p, 5), (std::vector<int>{0, 1, 2, 3, 4}));
  try {
    allocate(p, 4);
    FAIL() << "five registers in four";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal);
    EXPECT_STREQ(e.what(), "conv_too_wide: instruction 4 (load) needs 5 vector registers, there are 4 (live: 4 acc)");
  }
}

}  // namespace
}  // namespace octet

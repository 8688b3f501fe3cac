// The Program's builder, verifier and printer.
#include "generator/program/program.h"

#include <gtest/gtest.h>

#include "runtime/status.h"

namespace octet {
namespace {

Program doubled_sum() {
  Builder b("doubled_sum");
  const Reg acc = b.load(16, Role::acc, {OCTET_BIAS, 0});
  b.loop(3, {{OCTET_SRC, 16}}, [&] {
    const Reg x = b.load(16, Role::act, {OCTET_SRC, 0});
    b.op(Op::add32, 16, acc, acc, x);
  });
  b.loop(1, {{OCTET_SRC, 16}}, [&] { b.op(Op::add32, 16, acc, acc, Mem{OCTET_SRC, 0}); });
  b.op(Op::add32, 16, acc, acc, b.constant32(7));
  b.op(Op::add32, 16, acc, acc, b.constant32(7));
  b.store(16, {OCTET_DST, 0}, acc);
  return b.finish();
}

TEST(Program, PrintsEveryInstructionOnce) {
  const std::string text = print(doubled_sum());
  EXPECT_NE(text.find("loop 3 {"), std::string::npos) << text;
  EXPECT_NE(text.find("src +16"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + static_cast<long>(doubled_sum().code.size())) << text;
}

TEST(Program, OneTripLeavesNoLoopAndConstantsAreShared) {
  const Program p = doubled_sum();
  EXPECT_EQ(p.bumps.size(), 1u);
  EXPECT_EQ(p.constants.size(), 1u);
}

TEST(Program, VerifyRefusesARegisterReadBeforeItIsWritten) {
  Builder b("bad");
  const Reg never = b.reg(Role::temp);
  b.store(16, {OCTET_DST, 0}, never);
  EXPECT_THROW(b.finish(), Error);
}

TEST(Program, VerifyRefusesAnOddWidthAndAnUnbalancedLoop) {
  Builder b("bad");
  b.load(24, Role::temp, {OCTET_SRC, 0});
  EXPECT_THROW(b.finish(), Error);
  Program p = doubled_sum();
  p.code.pop_back();
  for (size_t k = p.code.size(); k-- > 0;)
    if (p.code[k].op == Op::loop_end) p.code.erase(p.code.begin() + static_cast<long>(k));
  EXPECT_THROW(verify(p), Error);
}

}  // namespace
}  // namespace octet

// The probes that every share of the machine's limit is divided by: what they run touches just what they claim to.
#include <gtest/gtest.h>

#include "bench/bandwidth.h"
#include "bench/peak.h"
#include "generator/program/registers.h"
#include "jit/backend.h"

namespace octet {
namespace {

// Instructions of the innermost loop.
std::vector<Inst> inner_loop(const Program& p) {
  std::vector<Inst> body;
  for (const Inst& i : p.code) {
    if (i.op == Op::loop_begin) body.clear();
    if (i.op == Op::loop_end) break;
    if (i.op != Op::loop_begin && i.op != Op::note) body.push_back(i);
  }
  return body;
}

class Probe : public testing::TestWithParam<Target> {};

TEST_P(Probe, PeakKeepsItsAccumulatorsInRegisters) {
  const Program p = peak_program(GetParam());
  EXPECT_NO_THROW(allocate(p, GetParam().vector_registers));  // there is no spilling: what does not fit throws
  const std::vector<Inst> body = inner_loop(p);
  EXPECT_GE(body.size(), 40u);
  for (const Inst& i : body) EXPECT_EQ(i.m.ptr, kNone) << op_row(i.op).name;
}

TEST_P(Probe, ReadsEachByteOnceAndWritesNone) {
  constexpr int64_t kBytes = 16384;
  const Program p = read_program(GetParam(), kBytes, 3);
  EXPECT_NO_THROW(allocate(p, GetParam().vector_registers));
  int64_t offset = 0;
  for (const Inst& i : inner_loop(p)) {
    EXPECT_EQ(i.op, Op::or_);
    EXPECT_EQ(i.bytes, GetParam().vector_bytes);
    EXPECT_EQ(i.m.offset, offset);
    offset += i.bytes;
  }
  const std::vector<Bump>& steps = p.bumps.back();
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].step, offset);
}

TEST_P(Probe, CopiesHalfTheBytes) {
  const Program p = copy_program(GetParam(), 16384, 3);
  EXPECT_NO_THROW(allocate(p, GetParam().vector_registers));
  int64_t read = 0, written = 0;
  for (const Inst& i : inner_loop(p)) (i.op == Op::load ? read : written) += i.bytes;
  EXPECT_EQ(read, written);
}

TEST_P(Probe, NearerMemoryIsNotSlower) {
  const std::vector<Bandwidth> levels = measure_bandwidth(GetParam());
  if (levels.empty()) GTEST_SKIP() << "this machine cannot run " << GetParam().name;
  ASSERT_EQ(levels.size(), 4u);
  for (size_t l = 0; l + 1 < levels.size(); ++l) {
    EXPECT_GT(levels[l].read, 1e9) << levels[l].level;
    EXPECT_GT(levels[l].copy, 1e9) << levels[l].level;
    EXPECT_LT(levels[l].bytes, levels[l + 1].bytes);
  }
  EXPECT_GT(levels.front().read, levels.back().read);
  EXPECT_GT(peak_gmacs(GetParam()), 1);
}

std::vector<Target> machine_code_targets() {
  std::vector<Target> all;
  for (const Target& t : all_targets())
    if (can_compile(t)) all.push_back(t);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Targets, Probe, testing::ValuesIn(machine_code_targets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace octet

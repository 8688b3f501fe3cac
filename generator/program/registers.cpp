#include "generator/program/registers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "runtime/status.h"

namespace octet {
namespace {

constexpr int kMostRegisters = 64;

// The registers that an instruction reads, d included where it accumulates.
struct Reads {
  std::array<Reg, 4> reg;
  int count = 0;

  Reads(const Inst& i, uint8_t operands) {
    if (operands & kReadsD) reg[static_cast<size_t>(count++)] = i.d;
    if (operands & kA) reg[static_cast<size_t>(count++)] = i.a;
    if ((operands & kB) && i.b != kNone) reg[static_cast<size_t>(count++)] = i.b;
    if ((operands & kC) && i.c != kNone) reg[static_cast<size_t>(count++)] = i.c;
  }
  const Reg* begin() const { return reg.data(); }
  const Reg* end() const { return reg.data() + count; }
};

std::vector<Interval> lifetimes_of_registers(const Program& p) {
  Lifetimes lifetimes(p, p.registers.size());
  for (int k = 0; k < static_cast<int>(p.code.size()); ++k) {
    const Inst& i = p.code[static_cast<size_t>(k)];
    if (i.op == Op::loop_begin) lifetimes.enter_loop(k);
    if (i.op == Op::loop_end) lifetimes.leave_loop();
    const uint8_t operands = op_row(i.op).operands;
    const bool early = operands & kEarlyClobber;  // d lives before the last read, and the operands past the write
    for (const Reg r : Reads(i, operands)) lifetimes.touch(r, early ? 2 * k + 1 : 2 * k);
    if (operands & kScratch) {  // apart from all that is read or written
      lifetimes.touch(i.c, 2 * k);
      lifetimes.touch(i.c, 2 * k + 1);
    }
    if ((operands & kD) && early) lifetimes.touch(i.d, 2 * k);
    if (operands & kD) lifetimes.touch(i.d, 2 * k + 1);
  }
  return lifetimes.intervals();
}

// Walks the list in order; `free_` is a bit per physical register, so that a step costs a few instructions.
class Scan {
 public:
  Scan(const Program& p, int registers)
      : program_(p),
        intervals_(lifetimes_of_registers(p)),
        physical_(p.registers.size(), kNone),
        registers_(registers),
        free_(registers == kMostRegisters ? ~uint64_t{0} : (uint64_t{1} << registers) - 1) {}

  std::vector<int> run() {
    for (int k = 0; k < static_cast<int>(program_.code.size()); ++k) {
      const Inst& i = program_.code[static_cast<size_t>(k)];
      if (i.op == Op::loop_end) release_all_until(2 * k);
      const uint8_t operands = op_row(i.op).operands;
      const Reads reads(i, operands);
      if ((operands & kScratch) && physical_[static_cast<size_t>(i.c)] == kNone) place(i.c, k, 0);
      uint64_t dying = 0;
      for (const Reg r : reads) dying |= release(r, 2 * k);
      if ((operands & kD) && physical_[static_cast<size_t>(i.d)] == kNone) place(i.d, k, dying);
      for (const Reg r : reads) release(r, 2 * k + 1);
      if (operands & kD) release(i.d, 2 * k + 1);
      if (operands & kScratch) release(i.c, 2 * k + 1);
    }
    return std::move(physical_);
  }

 private:
  // Frees r's register if r dies at that position; returns its bit, or 0.
  uint64_t release(Reg r, int position) {
    if (intervals_[static_cast<size_t>(r)].last != position) return 0;
    const uint64_t bit = uint64_t{1} << physical_[static_cast<size_t>(r)];
    free_ |= bit;
    return bit;
  }

  void release_all_until(int position) {
    for (uint64_t taken = ~free_; taken; taken &= taken - 1) {
      const int r = std::countr_zero(taken);
      if (r >= registers_) break;
      if (intervals_[static_cast<size_t>(owner_[static_cast<size_t>(r)])].last <= position) free_ |= uint64_t{1} << r;
    }
  }

  void place(Reg d, int k, uint64_t preferred) {
    if (!free_) fail(k);
    const int r = std::countr_zero(preferred ? preferred : free_);
    free_ &= ~(uint64_t{1} << r);
    physical_[static_cast<size_t>(d)] = r;
    owner_[static_cast<size_t>(r)] = d;
  }

  [[noreturn]] void fail(int k) const {
    std::array<int, 5> live{};
    for (int r = 0; r < registers_; ++r)
      ++live[static_cast<size_t>(program_.registers[static_cast<size_t>(owner_[static_cast<size_t>(r)])])];
    std::string roles;
    for (size_t role = 0; role < live.size(); ++role)
      if (live[role]) roles += fmt::format(", {} {}", live[role], role_name(static_cast<Role>(role)));
    internal_error(fmt::format("{}: instruction {} ({}) needs {} vector registers, there are {} (live{})",
                               program_.name, k, op_row(program_.code[static_cast<size_t>(k)].op).name, registers_ + 1,
                               registers_, roles.replace(0, 1, ":")));
  }

  const Program& program_;
  std::vector<Interval> intervals_;
  std::vector<int> physical_;
  int registers_;
  uint64_t free_;
  std::array<Reg, kMostRegisters> owner_{};  // of each physical register, the virtual one last placed there
};

}  // namespace

Lifetimes::Lifetimes(const Program& p, size_t values) : intervals_(values), loop_end_(p.code.size(), -1) {
  std::vector<int> open;
  for (int k = 0; k < static_cast<int>(p.code.size()); ++k) {
    const Op op = p.code[static_cast<size_t>(k)].op;
    if (op == Op::loop_begin) open.push_back(k);
    if (op != Op::loop_end) continue;
    loop_end_[static_cast<size_t>(open.back())] = k;
    open.pop_back();
  }
}

void Lifetimes::enter_loop(int begin) {
  open_.push_back({2 * begin, 2 * loop_end(begin)});
}

void Lifetimes::touch(int value, int position) {
  Interval& i = intervals_[static_cast<size_t>(value)];
  if (!i.used()) i.first = position;
  i.last = std::max(i.last, position);
  if (open_.empty() || i.first > open_.back().begin) return;  // born in the innermost loop
  for (const OpenLoop& loop : open_)
    // The outermost loop that it was born before. Arguments are born with the first instruction, which may be the loop.
    if (i.first <= loop.begin) {
      i.last = std::max(i.last, loop.end);
      break;
    }
}

std::vector<int> allocate(const Program& program, int registers) {
  if (registers < 1 || registers > kMostRegisters)
    internal_error(fmt::format("{}: allocation for {} registers", program.name, registers));
  return Scan(program, registers).run();
}

}  // namespace octet

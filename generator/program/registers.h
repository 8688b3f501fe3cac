// Vector registers of a lowering: which physical register each virtual one lives in.
#pragma once

#include <vector>

#include "generator/program/program.h"

namespace octet {

// Positions count reads and writes apart: instruction k reads at 2k and writes at 2k + 1, so that what is written may
// take the place of what is read for the last time.
struct Interval {
  int first = -1, last = -1;  // -1: never touched

  bool used() const { return first >= 0; }
  bool overlaps(const Interval& other) const { return first <= other.last && other.first <= last; }
};

// Collects lifetimes over a flat list with loops. What exists before a loop and is touched in it lives to the loop's
// end, because the next trip may touch it again.
class Lifetimes {
 public:
  Lifetimes(const Program& program, size_t values);

  void enter_loop(int begin);  // the instruction that opens it
  void leave_loop() { open_.pop_back(); }
  void touch(int value, int position);

  int loop_end(int begin) const { return loop_end_[static_cast<size_t>(begin)]; }
  const std::vector<Interval>& intervals() const { return intervals_; }

 private:
  struct OpenLoop {
    int begin, end;  // positions
  };
  std::vector<Interval> intervals_;
  std::vector<int> loop_end_;  // per instruction: the end of the loop that it opens
  std::vector<OpenLoop> open_;
};

// One physical register in [0, registers) per virtual register, or kNone for one that is never touched. A destination
// may share the register of any operand that dies there, unless its op is early-clobber; it takes one by preference,
// which is what saves a copy in front of a fused multiply-add. There is no spilling: a Program that needs more is an
// internal error that names kernel, instruction and what is live, for its schedule asked too much.
std::vector<int> allocate(const Program& program, int registers);

}  // namespace octet

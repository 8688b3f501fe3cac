#include "tests/support/pressure.h"

#include <algorithm>
#include <vector>

namespace octet {

int register_pressure(const Program& p) {
  constexpr size_t kNever = ~size_t{0};
  std::vector<size_t> first(p.registers.size(), kNever), last(p.registers.size(), 0);
  struct Loop {
    size_t begin, end;
  };
  std::vector<Loop> loops;
  std::vector<size_t> open;
  const auto each = [](const Inst& i, auto visit) {
    const uint8_t has = op_row(i.op).operands;
    if ((has & kD) && i.d != kNone) visit(static_cast<size_t>(i.d), true);
    if ((has & kA) && i.a != kNone) visit(static_cast<size_t>(i.a), false);
    if ((has & kB) && i.b != kNone) visit(static_cast<size_t>(i.b), false);
    if ((has & kC) && i.c != kNone) visit(static_cast<size_t>(i.c), false);
  };
  for (size_t k = 0; k < p.code.size(); ++k) {
    if (p.code[k].op == Op::loop_begin) open.push_back(k);
    if (p.code[k].op == Op::loop_end) {
      loops.push_back({open.back(), k});  // inner loops before the loops around them
      open.pop_back();
    }
    each(p.code[k], [&](size_t r, bool) { first[r] = std::min(first[r], k), last[r] = k; });
  }
  for (const Loop& l : loops)
    for (size_t r = 0; r < first.size(); ++r)
      if (first[r] < l.begin && last[r] > l.begin && last[r] < l.end) last[r] = l.end;
  std::vector<bool> live(p.registers.size());
  std::vector<std::vector<size_t>> ends(p.code.size());
  for (size_t r = 0; r < first.size(); ++r)
    if (first[r] != kNever) ends[last[r]].push_back(r);
  int now = 0, most = 0;
  for (size_t k = 0; k < p.code.size(); ++k) {
    const Inst& i = p.code[k];
    const bool clobbers = op_row(i.op).operands & kEarlyClobber;
    const auto end = [&] {
      for (size_t r : ends[k])
        if (live[r]) live[r] = false, --now;
    };
    if (!clobbers) end();  // operands that die here may give their place to d
    const bool has_d = op_row(i.op).operands & kD;
    if (has_d && first[static_cast<size_t>(i.d)] == k) {
      live[static_cast<size_t>(i.d)] = true, ++now;
      most = std::max(most, now);
    }
    end();  // a result that nobody reads dies here too
    most = std::max(most, now);
  }
  return most;
}

}  // namespace octet

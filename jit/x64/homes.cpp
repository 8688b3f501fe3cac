#include "jit/x64/homes.h"

#include <algorithm>
#include <numeric>

#include "generator/program/registers.h"

namespace octet {
namespace {

bool uses_memory(const Inst& i) {
  const uint8_t operands = op_row(i.op).operands;
  return i.op == Op::ptr_set || i.op == Op::ptr_index || (operands & kMem) || ((operands & kB) && i.b == kNone) ||
         ((operands & kC) && i.c == kNone);
}

// Which pointers something reads or writes through.
std::vector<bool> pointers_in_use(const Program& p) {
  std::vector<bool> in_use(static_cast<size_t>(p.pointers));
  for (const Inst& i : p.code)
    if (uses_memory(i)) in_use[static_cast<size_t>(i.m.ptr)] = true;
  return in_use;
}

// Pointers first, then one value per loop, numbered by its row in bumps.
class Usage {
 public:
  explicit Usage(const Program& p)
      : in_use_(pointers_in_use(p)),
        lifetimes_(p, static_cast<size_t>(p.pointers) + p.bumps.size()),
        runs_of_(lifetimes_.intervals().size()) {
    for (Ptr q = 0; q < OCTET_ARG_COUNT; ++q) use(q, 0, 1);  // loaded by the prologue
    double runs = 1;
    for (int k = 0; k < static_cast<int>(p.code.size()); ++k) {
      const Inst& i = p.code[static_cast<size_t>(k)];
      if (i.op == Op::loop_begin) {
        count(p, i, 2 * k, 1);
        lifetimes_.enter_loop(k);
        runs *= i.imm;
      } else if (i.op == Op::loop_end) {
        for (const Bump& b : p.bumps[static_cast<size_t>(i.extra)])
          if (b.step) use(b.ptr, 2 * k, runs);
        lifetimes_.leave_loop();
        count(p, i, 2 * k + 1, runs);
        runs /= i.imm;
      } else {
        if (uses_memory(i)) use(i.m.ptr, 2 * k, runs);
        if (i.target != kNone) use(i.target, 2 * k + 1, runs);
      }
    }
  }

  const std::vector<Interval>& intervals() const { return lifetimes_.intervals(); }
  double runs_of(size_t value) const { return runs_of_[value]; }

 private:
  void use(Ptr q, int position, double runs) {
    if (!in_use_[static_cast<size_t>(q)]) return;
    lifetimes_.touch(q, position);
    runs_of_[static_cast<size_t>(q)] += runs;
  }

  void count(const Program& p, const Inst& i, int position, double runs) {
    lifetimes_.touch(p.pointers + i.extra, position);
    runs_of_[static_cast<size_t>(p.pointers + i.extra)] += runs;
  }

  std::vector<bool> in_use_;
  Lifetimes lifetimes_;
  std::vector<double> runs_of_;  // how often each value is used in one run of the kernel
};

// Something that can hold one value at a time.
class Place {
 public:
  bool is_free(const Interval& wanted) const {
    return std::none_of(taken_.begin(), taken_.end(), [&](const Interval& t) { return t.overlaps(wanted); });
  }
  void take(const Interval& interval) { taken_.push_back(interval); }

 private:
  std::vector<Interval> taken_;
};

size_t first_free(const std::vector<Place>& places, const Interval& interval) {
  size_t n = 0;
  while (n < places.size() && !places[n].is_free(interval)) ++n;
  return n;
}

}  // namespace

Homes place_pointers_and_counters(const Program& p, int registers) {
  const Usage usage(p);
  const std::vector<Interval>& intervals = usage.intervals();
  std::vector<size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return usage.runs_of(x) > usage.runs_of(y); });

  std::vector<Home> homes(intervals.size());
  std::vector<Place> registers_in_use, slots_in_use;
  for (const size_t value : order) {
    const Interval& interval = intervals[value];
    if (!interval.used()) continue;
    Home& home = homes[value];
    home = {Home::reg, static_cast<int>(first_free(registers_in_use, interval))};
    if (home.index >= registers) home = {Home::slot, static_cast<int>(first_free(slots_in_use, interval))};
    std::vector<Place>& places = home.kind == Home::reg ? registers_in_use : slots_in_use;
    places.resize(std::max(places.size(), static_cast<size_t>(home.index) + 1));
    places[static_cast<size_t>(home.index)].take(interval);
  }

  Homes result;
  result.pointers.assign(homes.begin(), homes.begin() + p.pointers);
  result.counters.assign(homes.begin() + p.pointers, homes.end());
  result.registers = static_cast<int>(registers_in_use.size());
  result.slots = static_cast<int>(slots_in_use.size());
  return result;
}

}  // namespace octet

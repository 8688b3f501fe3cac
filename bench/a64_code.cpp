#include "bench/a64_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "runtime/status.h"

namespace octet {
namespace {

// How far a branch goes, in instructions; 0 for anything else.
int64_t jump(uint32_t word) {
  const auto field = [word](int bits, int at) {
    return static_cast<int64_t>(static_cast<int32_t>(word << (32 - at - bits)) >> (32 - bits));
  };
  if ((word & 0xff000010) == 0x54000000) return field(19, 5);  // B.cond
  if ((word & 0x7e000000) == 0x34000000) return field(19, 5);  // CBZ, CBNZ
  if ((word & 0x7e000000) == 0x36000000) return field(14, 5);  // TBZ, TBNZ
  if ((word & 0x7c000000) == 0x14000000) return field(26, 0);  // B, BL
  return 0;
}

// The Program's loops, in the order in which they begin; without their places in the code.
std::vector<A64Loop> program_loops(const Program& program) {
  std::vector<A64Loop> loops(1);
  std::vector<size_t> open = {0};
  for (const Inst& i : program.code) {
    A64Loop& here = loops[open.back()];
    switch (i.op) {
      case Op::loop_begin:
        open.push_back(loops.size());
        loops.push_back({.trips = i.imm});
        break;
      case Op::loop_end: open.pop_back(); break;
      case Op::dot4:
      case Op::dot4s: ++(i.imm >= 0 ? here.by_element : here.in_place); break;
      case Op::mmla: ++here.matrices; break;
      case Op::store:
      case Op::store_low:
      case Op::store_split: ++here.stores; break;
      default: break;
    }
  }
  return loops;
}

void visit(const A64Loop& loop, int64_t times, const std::function<void(const A64Loop&, int64_t)>& f) {
  times *= loop.trips;
  f(loop, times);
  for (const A64Loop& l : loop.inner) visit(l, times, f);
}

}  // namespace

int count(std::span<const uint32_t> code, A64Encodings any_of) {
  return static_cast<int>(std::count_if(code.begin(), code.end(), [&](uint32_t word) {
    return std::any_of(any_of.begin(), any_of.end(), [&](A64Encoding e) { return (word & e.mask) == e.bits; });
  }));
}

A64Code read_a64(const std::vector<uint8_t>& code, const Program& program) {
  const auto refuse = [&program](const std::string& why) { internal_error(program.name + ": its code " + why); };
  A64Code a{.words = std::vector<uint32_t>(code.size() / 4)};
  std::memcpy(a.words.data(), code.data(), 4 * a.words.size());
  std::vector<A64Loop> flat = {{.first = 0, .end = a.words.size()}};
  for (size_t at = 0; at < a.words.size(); ++at) {
    const int64_t by = jump(a.words[at]);
    if (by > 0 || -by > static_cast<int64_t>(at)) refuse("does not always go on with the next instruction");
    if (by < 0) flat.push_back({.first = at - static_cast<size_t>(-by), .end = at + 1});
  }
  std::stable_sort(flat.begin(), flat.end(), [](const A64Loop& x, const A64Loop& y) {
    return x.first != y.first ? x.first < y.first : x.end > y.end;
  });
  const std::vector<A64Loop> loops = program_loops(program);
  if (flat.size() != loops.size())
    refuse(fmt::format("has {} loops, the Program {}", flat.size() - 1, loops.size() - 1));
  size_t next = 0;
  const std::function<A64Loop()> nested = [&] {
    A64Loop loop = loops[next];
    loop.first = flat[next].first;
    loop.end = flat[next].end;
    ++next;
    while (next < flat.size() && flat[next].first < loop.end) {
      if (flat[next].end > loop.end) refuse("has loops that overlap");
      loop.inner.push_back(nested());
    }
    return loop;
  };
  a.whole = nested();
  return a;
}

int64_t instructions_run(const A64Loop& loop) {
  auto in_a_trip = static_cast<int64_t>(loop.end - loop.first);
  for (const A64Loop& l : loop.inner) in_a_trip += instructions_run(l) - static_cast<int64_t>(l.end - l.first);
  return loop.trips * in_a_trip;
}

int64_t dots_run(const A64Loop& loop) {
  int64_t all = 0;
  visit(loop, 1, [&all](const A64Loop& l, int64_t times) { all += times * l.dots(); });
  return all;
}

bool multiplies_matrices(const A64Loop& loop) {
  bool any = false;
  visit(loop, 1, [&any](const A64Loop& l, int64_t) { any |= l.matrices > 0; });
  return any;
}

const A64Loop* hot_loop(const A64Code& code) {
  const A64Loop* hot = nullptr;
  int64_t most = 0;
  visit(code.whole, 1, [&](const A64Loop& l, int64_t times) {
    if (l.inner.empty() && &l != &code.whole && times * l.dots() > most) hot = &l, most = times * l.dots();
  });
  return hot;
}

std::string faults(const A64Code& code) {
  std::string text;
  visit(code.whole, 1, [&](const A64Loop& l, int64_t) {
    const auto own = [&](A64Encodings any_of) {
      int64_t n = count(code.of(l), any_of);
      for (const A64Loop& inner : l.inner) n -= count(code.of(inner), any_of);
      return n;
    };
    const auto check = [&](int64_t found, int64_t wanted, const char* what) {
      if (found != wanted) text += fmt::format("{:#x}: {} {}, not {}\n", 4 * l.first, found, what, wanted);
    };
    check(own(kDotsByElement), l.by_element, "dots by element");
    check(own(kDotsOfVectors), l.in_place, "dots of vectors");
    check(own(kMatrices), l.matrices, "products of matrices");
    if (!l.inner.empty() || &l == &code.whole) return;
    check(own(kSpills), 0, "accesses to the stack");
    if (l.dots() == 0 || l.stores > 0 || l.matrices > 0) return;  // pixels are zipped into matrices
    check(own(kSplats), 0, "splats beside dots");
    check(own(kMoves), 0, "moves beside dots");
  });
  return text;
}

}  // namespace octet

#include "generator/emit_cpp/scopes.h"

#include <algorithm>
#include <utility>

namespace octet {
namespace {

// A loop, or the whole kernel (number 0).
struct Scope {
  size_t parent;
  size_t depth;
  size_t begin;  // its loop_begin
};

// The scopes of a program and which of them each instruction stands in; a loop's own two rows belong to its inside,
// where the pointers advance.
struct Scopes {
  std::vector<Scope> all = {{0, 0, 0}};
  std::vector<size_t> of;

  explicit Scopes(const Program& program) {
    size_t now = 0;
    for (size_t k = 0; k < program.code.size(); ++k) {
      if (program.code[k].op == Op::loop_begin) {
        all.push_back({now, all[now].depth + 1, k});
        now = all.size() - 1;
      }
      of.push_back(now);
      if (program.code[k].op == Op::loop_end) now = all[now].parent;
    }
  }

  size_t common(size_t s, size_t t) const {
    while (s != t) {
      size_t& deeper = all[s].depth >= all[t].depth ? s : t;
      deeper = all[deeper].parent;
    }
    return s;
  }
};

// Follows one variable through the program.
struct Trace {
  bool seen = false;
  size_t first = 0;   // instruction
  size_t common = 0;  // the innermost scope around all its uses
};

void touch(const Scopes& scopes, Trace& t, size_t k) {
  if (!t.seen) t = {true, k, scopes.of[k]};
  t.common = scopes.common(t.common, scopes.of[k]);
}

size_t declaration(const Scopes& scopes, const Trace& t) {
  size_t s = scopes.of[t.first];
  if (s == t.common) return t.first;
  while (scopes.all[s].parent != t.common) s = scopes.all[s].parent;
  return scopes.all[s].begin;
}

bool writes_memory(Op op) {
  return op == Op::store || op == Op::store_low || op == Op::store_split;
}

class Finder {
 public:
  explicit Finder(const Program& program)
      : program_(program),
        scopes_(program),
        registers_(program.registers.size()),
        pointers_(static_cast<size_t>(program.pointers)) {
    found_.registers.resize(registers_.size());
    found_.pointers.resize(pointers_.size());
  }

  Variables run() {
    for (size_t k = 0; k < program_.code.size(); ++k) visit(k);
    while (pass_on()) {
    }
    for (size_t r = 0; r < registers_.size(); ++r) finish(found_.registers[r], registers_[r]);
    for (size_t p = 0; p < pointers_.size(); ++p) finish(found_.pointers[p], pointers_[p]);
    return std::move(found_);
  }

 private:
  void visit(size_t k) {
    const Inst& i = program_.code[k];
    const uint8_t operands = op_row(i.op).operands;
    if (i.op == Op::ptr_set) {
      Variable& target = point(k, i.target);
      target.changes |= i.target < OCTET_ARG_COUNT || pointers_[static_cast<size_t>(i.target)].first != k;
      point(k, i.m.ptr);
    } else if (i.op == Op::ptr_add) {
      point(k, i.target).changes = true;
    } else if (i.op == Op::ptr_index) {
      point(k, i.target).changes = true;
      point(k, i.m.ptr).used = true;
    } else if (i.op == Op::loop_end) {
      for (const Bump& b : program_.bumps[static_cast<size_t>(i.extra)])
        if (b.step) point(k, b.ptr).changes = true;
    }
    if (operands & kA) reg(k, i.a).used = true;
    if ((operands & kB) && i.b != kNone) reg(k, i.b).used = true;
    if ((operands & kC) && i.c != kNone) reg(k, i.c).used = true;
    if ((operands & kD) && i.op != Op::store_split) {  // whose scratch is the compiler's business
      Variable& d = reg(k, i.d);
      d.bytes = std::max<int>(d.bytes, i.bytes);
      d.changes |= registers_[static_cast<size_t>(i.d)].first != k;
    }
    const bool memory = (operands & kMem) || ((operands & kB) && i.b == kNone) || ((operands & kC) && i.c == kNone);
    if (memory) {
      Variable& p = point(k, i.m.ptr);
      p.used = true;
      p.stored_to |= writes_memory(i.op);
    }
  }

  Variable& reg(size_t k, Reg r) {
    touch(scopes_, registers_[static_cast<size_t>(r)], k);
    return found_.registers[static_cast<size_t>(r)];
  }
  Variable& point(size_t k, Ptr p) {
    touch(scopes_, pointers_[static_cast<size_t>(p)], k);
    return found_.pointers[static_cast<size_t>(p)];
  }

  // What is asked of a pointer is asked of the one it is set from. True if that was news.
  bool pass_on() {
    bool news = false;
    for (const Inst& i : program_.code) {
      if (i.op != Op::ptr_set) continue;
      const Variable& to = found_.pointers[static_cast<size_t>(i.target)];
      Variable& from = found_.pointers[static_cast<size_t>(i.m.ptr)];
      news |= (to.used && !from.used) || (to.stored_to && !from.stored_to);
      from.used |= to.used;
      from.stored_to |= to.stored_to;
    }
    return news;
  }

  void finish(Variable& v, const Trace& t) const {
    if (!t.seen) return;
    v.declare = declaration(scopes_, t);
    v.changes |= v.declare != t.first;
  }

  const Program& program_;
  Scopes scopes_;
  std::vector<Trace> registers_, pointers_;
  Variables found_;
};

}  // namespace

Variables find_variables(const Program& program) {
  return Finder(program).run();
}

}  // namespace octet

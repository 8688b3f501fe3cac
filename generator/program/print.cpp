#include <fmt/format.h>

#include "generator/program/names.h"
#include "generator/program/program.h"

namespace octet {

const char* argument_name(OctetArg arg) {
  static const char* const names[] = {"src", "weights", "dst", "bias", "scale", "src2", "constants", "scratch"};
  return names[arg];
}

std::string pointer_name(Ptr p) {
  return p < OCTET_ARG_COUNT ? argument_name(static_cast<OctetArg>(p)) : fmt::format("p{}", p);
}

namespace {

std::string memory(Mem m) {
  return fmt::format("[{}{:+}]", pointer_name(m.ptr), m.offset);
}

}  // namespace

std::string print(const Program& p) {
  std::string text =
      fmt::format("program {}: {} instructions, {} registers\n", p.name, p.code.size(), p.registers.size());
  for (const std::string& line : p.heading) text += "; " + line + "\n";
  size_t depth = 1;
  auto reg = [&](Reg r) { return fmt::format("{}{}", role_name(p.registers[static_cast<size_t>(r)]), r); };
  for (size_t k = 0; k < p.code.size(); ++k) {
    const Inst& i = p.code[k];
    const OpRow& row = op_row(i.op);
    if (i.op == Op::loop_end) --depth;
    std::string line = fmt::format("{:5} {:{}}", k, "", 2 * depth);
    switch (i.op) {
      case Op::loop_begin:
        line += fmt::format("loop {} {{", i.imm);
        ++depth;
        break;
      case Op::loop_end:
        line += "}";
        for (const Bump& b : p.bumps[static_cast<size_t>(i.extra)])
          if (b.step) line += fmt::format(" {} {:+}", pointer_name(b.ptr), b.step);
        break;
      case Op::ptr_set: line += fmt::format("{} = {}", pointer_name(i.target), memory(i.m)); break;
      case Op::ptr_add: line += fmt::format("{} {:+}", pointer_name(i.target), i.imm); break;
      case Op::ptr_index: line += fmt::format("{} += s64 at {}", pointer_name(i.target), memory(i.m)); break;
      case Op::note: line += "; " + p.notes[static_cast<size_t>(i.extra)]; break;
      default:
        line += fmt::format("{}.{}", row.name, i.bytes);
        if (row.operands & kD) line += " " + reg(i.d);
        if (row.operands & kA) line += " " + reg(i.a);
        if (row.operands & kB) line += " " + (i.b == kNone ? memory(i.m) : reg(i.b));
        if (row.operands & kC) line += " " + (i.c == kNone ? memory(i.m) : reg(i.c));
        if (row.operands & kScratch) line += " ~" + reg(i.c);
        if (row.operands & kMem) line += " " + memory(i.m);
        if (i.imm) line += fmt::format(" #{}", i.imm);
        if (i.op == Op::store_split) {
          const Split& s = p.splits[static_cast<size_t>(i.extra)];
          for (int q = 0; q < s.exist; ++q) line += fmt::format(" {:+}", s.offset[static_cast<size_t>(q)]);
        }
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace octet

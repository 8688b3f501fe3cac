#include "generator/program/program.h"

#include <cstring>
#include <limits>

#include "runtime/status.h"

namespace octet {

const OpRow& op_row(Op op) {
  static const OpRow rows[] = {
#define OCTET_OP(name, operands) {#name, static_cast<uint8_t>(operands)},
#include "generator/program/ops.inc"
#undef OCTET_OP
  };
  return rows[static_cast<size_t>(op)];
}

const char* role_name(Role role) {
  static const char* const names[] = {"acc", "act", "weight", "scale", "temp"};
  return names[static_cast<size_t>(role)];
}

Reg Builder::reg(Role role) {
  program_.registers.push_back(role);
  return static_cast<Reg>(program_.registers.size()) - 1;
}

Ptr Builder::ptr() {
  return program_.pointers++;
}

void Builder::loop(int64_t trip, const std::vector<Bump>& bumps, const std::function<void()>& body) {
  if (trip <= 0) return;
  if (trip == 1) {
    body();
    for (const Bump& b : bumps) ptr_add(b.ptr, b.step);
    return;
  }
  if (trip > std::numeric_limits<int32_t>::max()) internal_error(program_.name + ": loop of more than 2^31 trips");
  program_.bumps.push_back(bumps);
  const auto id = static_cast<int32_t>(program_.bumps.size()) - 1;
  put({.op = Op::loop_begin, .imm = static_cast<int32_t>(trip), .extra = id});
  body();
  put({.op = Op::loop_end, .imm = static_cast<int32_t>(trip), .extra = id});
}

void Builder::ptr_set(Ptr target, Mem from) {
  put({.op = Op::ptr_set, .m = from, .target = target});
}

void Builder::ptr_add(Ptr target, int64_t step) {
  if (step == 0) return;
  if (step != static_cast<int32_t>(step)) internal_error(program_.name + ": pointer step beyond 2^31");
  put({.op = Op::ptr_add, .imm = static_cast<int32_t>(step), .target = target});
}

void Builder::ptr_index(Ptr target, Mem step) {
  put({.op = Op::ptr_index, .m = step, .target = target});
}

Mem Builder::table(const std::vector<int64_t>& steps) {
  const auto first = static_cast<int32_t>(64 * program_.constants.size());
  program_.constants.resize(program_.constants.size() + (8 * steps.size() + 63) / 64);
  if (!steps.empty()) std::memcpy(program_.constants.data()->data() + first, steps.data(), 8 * steps.size());
  return {OCTET_CONSTANTS, first};
}

void Builder::note(const std::string& text) {
  program_.notes.push_back(text);
  put({.op = Op::note, .extra = static_cast<int32_t>(program_.notes.size()) - 1});
}

void Builder::store(int w, Mem m, Reg a) {
  put({.op = Op::store, .bytes = static_cast<uint8_t>(w), .a = a, .m = m});
}

void Builder::store_low(int w, Mem m, Reg a, int bytes) {
  put({.op = Op::store_low, .bytes = uint8_t(w), .a = a, .m = m, .imm = bytes});
}

void Builder::store_split(int w, Mem m, Reg a, int pieces, const Split& split) {
  program_.splits.push_back(split);
  put({.op = Op::store_split,
       .bytes = static_cast<uint8_t>(w),
       .d = reg(Role::temp),
       .a = a,
       .m = m,
       .imm = pieces,
       .extra = static_cast<int32_t>(program_.splits.size()) - 1});
}

void Builder::dot(Op op, int w, Reg d, Reg a, Operand b, int group) {
  put({.op = op, .bytes = static_cast<uint8_t>(w), .d = d, .a = a, .b = b.reg, .m = b.mem, .imm = group});
}

void Builder::op(Op op, int w, Reg d, Reg a, Operand b) {
  const Reg scratch = op_row(op).operands & kScratch ? reg(Role::temp) : kNone;
  put({.op = op, .bytes = static_cast<uint8_t>(w), .d = d, .a = a, .b = b.reg, .c = scratch, .m = b.mem});
}

void Builder::scale64(int w, Reg d, Reg a, Mem m) {
  put({.op = Op::scale64, .bytes = static_cast<uint8_t>(w), .d = d, .a = a, .c = reg(Role::temp), .m = m});
}

void Builder::unary(Op op, int w, Reg d, Reg a, int imm) {
  put({.op = op, .bytes = static_cast<uint8_t>(w), .d = d, .a = a, .imm = imm});
}

void Builder::fma(int w, Reg d, Reg a, Operand b, Operand c) {
  put({.op = Op::fma_f32,
       .bytes = static_cast<uint8_t>(w),
       .d = d,
       .a = a,
       .b = b.reg,
       .c = c.reg,
       .m = b.reg == kNone ? b.mem : c.mem});
}

void Builder::blend8(int w, Reg d, Reg a, Operand b, Reg c) {
  put({.op = Op::blend8, .bytes = static_cast<uint8_t>(w), .d = d, .a = a, .b = b.reg, .c = c, .m = b.mem});
}

Reg Builder::put_mem(Op op, int w, Reg d, Mem m, int imm) {
  put({.op = op, .bytes = static_cast<uint8_t>(w), .d = d, .m = m, .imm = imm});
  return d;
}

Mem Builder::constant32(int32_t value) {
  return constant_block({value, value, value, value});
}

Mem Builder::constant_block(const std::array<int32_t, 4>& dwords) {
  Vector64 v;
  for (size_t i = 0; i < v.size(); i += 16) std::memcpy(&v[i], dwords.data(), 16);
  auto& all = program_.constants;
  size_t i = 0;
  while (i < all.size() && all[i] != v) ++i;
  if (i == all.size()) all.push_back(v);
  return {OCTET_CONSTANTS, static_cast<int32_t>(64 * i)};
}

Mem Builder::constant16(int32_t value) {
  const uint32_t u = static_cast<uint16_t>(value);
  return constant32(static_cast<int32_t>(u | u << 16));
}

Mem Builder::constant8(int32_t value) {
  return constant32(static_cast<int32_t>(static_cast<uint8_t>(value) * 0x01010101u));
}

Mem Builder::constant_f32(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, 4);
  return constant32(bits);
}

Program Builder::finish() {
  verify(program_);
  return std::move(program_);
}

namespace {

// What is wrong with one instruction, or nullptr.
const char* fault(const Program& p, const Inst& i, const std::vector<bool>& written) {
  const uint8_t need = op_row(i.op).operands;
  auto is_reg = [&](Reg r) { return r >= 0 && r < static_cast<Reg>(p.registers.size()); };
  auto is_read = [&](Reg r) { return is_reg(r) && written[static_cast<size_t>(r)]; };
  auto is_ptr = [&](Ptr q) { return q >= 0 && q < p.pointers; };
  auto indexes = [&](const auto& table) { return i.extra >= 0 && i.extra < static_cast<int32_t>(table.size()); };
  if (need != kNoRegs && i.bytes != 16 && i.bytes != 32 && i.bytes != 64) return "vector width is not 16, 32 or 64";
  if ((need & kD) && !is_reg(i.d)) return "no destination register";
  if ((need & kReadsD) && !is_read(i.d)) return "accumulates into a register never written";
  if ((need & kA) && !is_read(i.a)) return "reads a before it is written";
  if ((need & kB) && i.b != kNone && !is_read(i.b)) return "reads b before it is written";
  if ((need & kC) && i.c != kNone && !is_read(i.c)) return "reads c before it is written";
  if ((need & kC) && i.b == kNone && i.c == kNone) return "two memory operands";
  if ((need & kEarlyClobber) && (i.d == i.a || ((need & kB) && i.d == i.b))) return "destination equals a source";
  if ((need & kScratch) && !is_reg(i.c)) return "no scratch register";
  if ((need & kScratch) && (i.c == i.d || i.c == i.a || i.c == i.b)) return "scratch register equals another";
  const bool uses_mem = (need & kMem) || ((need & kB) && i.b == kNone) || ((need & kC) && i.c == kNone) ||
                        i.op == Op::ptr_set || i.op == Op::ptr_index;
  if (uses_mem && !is_ptr(i.m.ptr)) return "no memory operand";
  switch (i.op) {
    case Op::loop_begin:
    case Op::loop_end: return i.imm < 2 || !indexes(p.bumps) ? "loop without two trips or bumps" : nullptr;
    case Op::ptr_set:
    case Op::ptr_index:
    case Op::ptr_add: return is_ptr(i.target) ? nullptr : "no pointer to change";
    case Op::note: return indexes(p.notes) ? nullptr : "no such note";
    case Op::load_act: return i.imm == 4 || i.imm == 8 || i.imm == 16 ? nullptr : "activation bytes not 4, 8 or 16";
    case Op::store_low: return i.imm >= 4 && i.imm < i.bytes && i.imm % 4 == 0 ? nullptr : "stores no dwords, or all";
    case Op::store_split:
      if (i.imm != 1 && i.imm != 2 && i.imm != 4) return "pieces not 1, 2 or 4";
      if (!indexes(p.splits)) return "no such split";
      return p.splits[static_cast<size_t>(i.extra)].exist >= 1 && p.splits[static_cast<size_t>(i.extra)].exist <= i.imm
                 ? nullptr
                 : "stores more pieces than there are";
    case Op::blend8: return i.c == kNone ? "chooses by memory" : nullptr;
    case Op::permute128: return i.bytes == 64 ? nullptr : "vector width is not 64";
    case Op::dot4:
    case Op::dot4s: return i.imm >= -1 && i.imm <= 3 ? nullptr : "dot group not -1..3";
    default: return nullptr;
  }
}

}  // namespace

void verify(const Program& p) {
  std::vector<bool> written(p.registers.size());
  std::vector<int32_t> open;
  for (size_t k = 0; k < p.code.size(); ++k) {
    const Inst& i = p.code[k];
    const char* what = fault(p, i, written);
    if (!what && i.op == Op::loop_begin) open.push_back(i.extra);
    if (!what && i.op == Op::loop_end) {
      if (open.empty() || open.back() != i.extra)
        what = "loop ends that did not begin";
      else
        open.pop_back();
    }
    if (what) internal_error(p.name + ": instruction " + std::to_string(k) + " (" + op_row(i.op).name + "): " + what);
    if (op_row(i.op).operands & kD) written[static_cast<size_t>(i.d)] = true;
  }
  if (!open.empty()) internal_error(p.name + ": a loop does not end");
}

}  // namespace octet

#include "jit/x64/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "generator/program/registers.h"
#include "jit/split.h"
#include "jit/x64/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Xbyak::Reg64;

// General registers in the order of use. rdi holds the arguments until they are loaded; rax comes last because it is
// what values on the stack pass through, where there are any.
const std::array<Reg64, 15>& general_registers() {
  using Xbyak::Operand;
  static const std::array<Reg64, 15> pool = {
      Reg64(Operand::RSI), Reg64(Operand::RDX), Reg64(Operand::RCX), Reg64(Operand::R8),  Reg64(Operand::R9),
      Reg64(Operand::R10), Reg64(Operand::R11), Reg64(Operand::RDI), Reg64(Operand::RBX), Reg64(Operand::RBP),
      Reg64(Operand::R12), Reg64(Operand::R13), Reg64(Operand::R14), Reg64(Operand::R15), Reg64(Operand::RAX)};
  return pool;
}
constexpr int kArguments = 7;                       // rdi
constexpr int kFirstSaved = 8, kLastSaved = 13;     // the callee's to preserve
constexpr int kWithoutStack = 15, kWithStack = 14;  // registers for pointers and counters

Homes find_homes(const Program& p) {
  Homes homes = place_pointers_and_counters(p, kWithoutStack);
  return homes.slots == 0 ? homes : place_pointers_and_counters(p, kWithStack);
}

bool is_innermost(const Program& p, size_t loop_begin) {
  size_t k = loop_begin + 1;
  while (p.code[k].op != Op::loop_begin && p.code[k].op != Op::loop_end) ++k;
  return p.code[k].op == Op::loop_end;
}

}  // namespace

size_t most_code_bytes(const Program& p) {
  size_t bumps = 0;
  for (const auto& loop : p.bumps) bumps += loop.size();
  return 1024 + 96 * p.code.size() + 16 * bumps;  // an instruction has at most 15 bytes, a split at most six of them
}

Lowering::Lowering(const Program& p, int vector_registers, std::span<uint8_t> room)
    : CodeGenerator(room.size(), room.data()),
      program_(p),
      physical_(allocate(p, vector_registers)),
      homes_(find_homes(p)) {}

size_t Lowering::run(CodeOffsets* offsets) {
  try {
    begin();
    enter();
    if (offsets) offsets->clear();
    for (size_t k = 0; k < program_.code.size(); ++k) {
      if (offsets) offsets->push_back(static_cast<uint32_t>(getSize()));
      lower(program_.code[k], k);
    }
    if (offsets) offsets->push_back(static_cast<uint32_t>(getSize()));
    leave();
    tables();
    if (reads_largest_s32_) {
      align(64);
      L(largest_s32_);
      for (int lane = 0; lane < 8; ++lane) dq(std::bit_cast<uint64_t>(2147483647.0));
    }
    ready();
  } catch (const Xbyak::Error& e) {
    internal_error(program_.name + ": assembler: " + e.what());
  }
  return getSize();
}

Xbyak::Xmm Lowering::in_width(int physical, int bytes) {
  if (bytes == 64) return Xbyak::Zmm(physical);
  if (bytes == 32) return Xbyak::Ymm(physical);
  return Xmm(physical);
}

// ---- structure ----------------------------------------------------------------------------------------------------

Reg64 Lowering::base(Ptr p) {
  const Home& h = home(p);
  if (h.kind == Home::reg) return general_registers()[static_cast<size_t>(h.index)];
  if (h.kind == Home::none) internal_error(program_.name + ": a pointer that nobody reads has no register");
  mov(rax, stack(h));
  return rax;
}

void Lowering::enter() {
  const auto& pool = general_registers();
  for (int r = kFirstSaved; r <= std::min(kLastSaved, homes_.registers - 1); ++r) push(pool[static_cast<size_t>(r)]);
  if (homes_.slots) sub(rsp, 8 * homes_.slots);
  const auto load = [&](auto&& wanted) {
    for (Ptr p = 0; p < OCTET_ARG_COUNT; ++p) {
      const Home& h = home(p);
      if (h.kind == Home::none || !wanted(h)) continue;
      const Reg64& to = h.kind == Home::reg ? pool[static_cast<size_t>(h.index)] : rax;
      mov(to, qword[rdi + 8 * p]);
      if (h.kind == Home::slot) mov(stack(h), rax);
    }
  };
  const auto replaces_arguments = [](const Home& h) { return h.kind == Home::reg && h.index == kArguments; };
  load([&](const Home& h) { return !replaces_arguments(h); });
  load(replaces_arguments);
}

void Lowering::leave() {
  if (homes_.slots) add(rsp, 8 * homes_.slots);
  for (int r = std::min(kLastSaved, homes_.registers - 1); r >= kFirstSaved; --r)
    pop(general_registers()[static_cast<size_t>(r)]);
  vzeroupper();
  ret();
}

void Lowering::begin_loop(const Inst& i, size_t k) {
  const Home& counter = homes_.counters[static_cast<size_t>(i.extra)];
  if (counter.kind == Home::reg)
    mov(general_registers()[static_cast<size_t>(counter.index)].cvt32(), i.imm);
  else
    mov(stack(counter), i.imm);
  // For decoders that fetch 32 bytes at a time. Zen 4 does not care: dot loops run at 99 % of peak with or without.
  if (is_innermost(program_, k)) align(32);
  tops_.push_back(getCurr());
}

void Lowering::end_loop(const Inst& i) {
  for (const Bump& b : program_.bumps[static_cast<size_t>(i.extra)]) add_to_pointer(b.ptr, b.step);
  const Home& counter = homes_.counters[static_cast<size_t>(i.extra)];
  if (counter.kind == Home::reg)
    dec(general_registers()[static_cast<size_t>(counter.index)].cvt32());
  else
    dec(stack(counter));
  jnz(tops_.back());
  tops_.pop_back();
}

void Lowering::set_pointer(Ptr target, Mem from) {
  const Home& h = home(target);
  if (h.kind == Home::none) return;
  const Reg64& to = h.kind == Home::reg ? general_registers()[static_cast<size_t>(h.index)] : rax;
  lea(to, address(from));
  if (h.kind == Home::slot) mov(stack(h), rax);
}

void Lowering::index_pointer(Ptr p, Mem step) {
  const Home& h = home(p);
  if (h.kind == Home::none) return;
  if (h.kind == Home::reg) {
    add(general_registers()[static_cast<size_t>(h.index)], address(step));
    return;
  }
  mov(rax, address(step));
  add(stack(h), rax);
}

void Lowering::add_to_pointer(Ptr p, int32_t step) {
  const Home& h = home(p);
  if (h.kind == Home::none || step == 0) return;
  if (h.kind == Home::reg)
    add(general_registers()[static_cast<size_t>(h.index)], static_cast<uint32_t>(step));
  else
    add(stack(h), static_cast<uint32_t>(step));
}

// ---- vector instructions ------------------------------------------------------------------------------------------

void Lowering::lower(const Inst& i, size_t k) {
  const int w = i.bytes;
  const auto d = [&] { return vector(i.d, w); };
  const auto a = [&] { return vector(i.a, w); };
  switch (i.op) {
    case Op::note: return;
    case Op::loop_begin: return begin_loop(i, k);
    case Op::loop_end: return end_loop(i);
    case Op::ptr_set: return set_pointer(i.target, i.m);
    case Op::ptr_add: return add_to_pointer(i.target, i.imm);
    case Op::ptr_index: return index_pointer(i.target, i.m);
    case Op::load: return vmovups(d(), address(i.m));
    case Op::copy:
      if (d().getIdx() != a().getIdx()) vmovaps(d(), a());
      return;
    case Op::load_act: return load_act(i);
    case Op::widen8_16: return vpmovzxbw(d(), address(i.m));
    case Op::widen8_32: return vpmovzxbd(d(), address(i.m));
    case Op::broadcast32: return vpbroadcastd(d(), address(i.m));
    case Op::store: return vmovups(address(i.m), a());
    case Op::store_low: return store_low(i);
    case Op::store_split: return store_split(i);
    case Op::srl16: return vpsrlw(d(), a(), static_cast<uint8_t>(i.imm));
    case Op::sll16: return vpsllw(d(), a(), static_cast<uint8_t>(i.imm));
    case Op::sll32: return vpslld(d(), a(), static_cast<uint8_t>(i.imm));
    case Op::sra32: return vpsrad(d(), a(), static_cast<uint8_t>(i.imm));
    case Op::dot4s:
    case Op::mmla: internal_error(fmt::format("{}: {}, which x86 does not have", program_.name, op_row(i.op).name));
    case Op::mulhi32: return mulhi32(i);
    case Op::scale64: return scale64(i);
    case Op::cvt_f32: return vcvtdq2ps(d(), a());
    case Op::cvt_i32: return vcvtps2dq(d(), a());
    case Op::fma_f32: return fma(i);
    default: return i.b == kNone ? binary(i, address(i.m)) : binary(i, vector(i.b, w));
  }
}

void Lowering::binary(const Inst& i, const Operand& b) {
  const Xmm d = vector(i.d, i.bytes), a = vector(i.a, i.bytes);
  switch (i.op) {
    case Op::dot4:
      // Every group of a broadcast activation is the same, and without groups it is what the instruction does.
      if (i.imm > 0)
        internal_error(fmt::format("{}: dot4 of element group {}, which x86 does not have", program_.name, i.imm));
      return dot4(d, a, b);
    case Op::dot2: return dot2(d, a, b);
    case Op::and_:
    case Op::or_:
    case Op::xor_: return bitwise(i.op, d, a, b);
    case Op::shuffle8: return vpshufb(d, a, b);
    case Op::blend8: return blend8(d, a, b, vector(i.c, i.bytes));
    case Op::permute128: return permute128(d, a, b);
    case Op::maddubs: return vpmaddubsw(d, a, b);
    case Op::madd16: return vpmaddwd(d, a, b);
    case Op::add16: return vpaddw(d, a, b);
    case Op::sub16: return vpsubw(d, a, b);
    case Op::add32: return vpaddd(d, a, b);
    case Op::sub32: return vpsubd(d, a, b);
    case Op::max_i32: return vpmaxsd(d, a, b);
    case Op::min_i32: return vpminsd(d, a, b);
    case Op::sllv32: return vpsllvd(d, a, b);
    case Op::srav32: return vpsravd(d, a, b);
    case Op::mul32: return vpmulld(d, a, b);
    case Op::max_u8: return vpmaxub(d, a, b);
    case Op::min_u8: return vpminub(d, a, b);
    case Op::adds16: return vpaddsw(d, a, b);
    case Op::packs32: return vpackssdw(d, a, b);
    case Op::packus16: return vpackuswb(d, a, b);
    case Op::zip_lo8: return vpunpcklbw(d, a, b);
    case Op::zip_hi8: return vpunpckhbw(d, a, b);
    case Op::zip_lo16: return vpunpcklwd(d, a, b);
    case Op::zip_hi16: return vpunpckhwd(d, a, b);
    case Op::zip_lo64: return vpunpcklqdq(d, a, b);
    case Op::zip_hi64: return vpunpckhqdq(d, a, b);
    case Op::add_f32: return vaddps(d, a, b);
    case Op::sub_f32: return vsubps(d, a, b);
    case Op::mul_f32: return vmulps(d, a, b);
    case Op::div_f32: return vdivps(d, a, b);
    case Op::max_f32:  // the second operand where one is NaN or both are zero, as the vocabulary has it
      return vmaxps(d, a, b);
    case Op::min_f32: return vminps(d, a, b);
    default: internal_error(program_.name + ": x86 lowering does not know " + op_row(i.op).name);
  }
}

// The digits of the instruction's name say which operands are multiplied and which is added: d = x * z + y (132),
// y * x + z (213), y * z + x (231), where x is d, y a register, and z a register or memory. So d has to hold one of the
// operands that are not in memory, and is given `a` where it holds none.
void Lowering::fma(const Inst& i) {
  const int w = i.bytes;
  const Xmm d = vector(i.d, w), a = vector(i.a, w);
  const auto b = [&] { return vector(i.b, w); };
  const auto c = [&] { return vector(i.c, w); };
  const auto is_d = [&](const Xmm& x) { return x.getIdx() == d.getIdx(); };
  if (i.c == kNone) {
    if (is_d(b())) return vfmadd213ps(d, a, address(i.m));
    if (!is_d(a)) vmovaps(d, a);
    return vfmadd213ps(d, b(), address(i.m));
  }
  if (i.b == kNone) {
    if (is_d(c())) return vfmadd231ps(d, a, address(i.m));
    if (!is_d(a)) vmovaps(d, a);
    return vfmadd132ps(d, c(), address(i.m));
  }
  if (is_d(c())) return vfmadd231ps(d, a, b());
  if (is_d(b())) return vfmadd213ps(d, a, c());
  if (!is_d(a)) vmovaps(d, a);
  return vfmadd213ps(d, b(), c());
}

// The instruction multiplies even dwords to qwords; the odd ones go to even places first.
void Lowering::mulhi32(const Inst& i) {
  const int w = i.bytes;
  const Xmm d = vector(i.d, w), a = vector(i.a, w), t = vector(i.c, w);
  const auto with = [&](const Operand& b) {
    vmovshdup(t, b);
    vmovshdup(d, a);
    vpmuldq(d, d, t);
    vpmuldq(t, a, b);
  };
  if (i.b == kNone)
    with(address(i.m));
  else
    with(vector(i.b, w));
  merge_odd(d, t);
}

// What is too small for s32 converts to the smallest anyway.
void Lowering::scale64(const Inst& i) {
  const int w = i.bytes;
  const Xmm d = vector(i.d, w), a = vector(i.a, w), t = vector(i.c, w);
  const auto half = [&](const Xmm& x) { return in_width(x.getIdx(), std::max(16, w / 2)); };
  const auto scale = [&](const Xmm& to, const Xmm& from, int offset) {
    vcvtdq2pd(to, half(from));
    vmulpd(to, to, address(Mem{i.m.ptr, i.m.offset + offset}));
    vminpd(to, to, ptr[rip + largest_s32_]);
    vcvttpd2dq(half(to), to);
  };
  reads_largest_s32_ = true;
  if (w == 16)
    vpshufd(t, a, 0b11'10'11'10);
  else
    upper_half(t, a);
  scale(t, t, w);
  scale(d, a, 0);
  if (w == 16)
    vpunpcklqdq(d, d, t);
  else
    put_upper_half(d, t);
}

void Lowering::load_act(const Inst& i) {
  const Xmm d = vector(i.d, i.bytes);
  if (i.imm == 4) return vpbroadcastd(d, address(i.m));
  if (i.imm == 8) return vpbroadcastq(d, address(i.m));
  return i.bytes == 16 ? vmovups(d, address(i.m)) : repeat_block(d, address(i.m));
}

void Lowering::store_low(const Inst& i) {
  const Reg64 to = base(i.m.ptr);
  int64_t at = i.m.offset;
  int left = i.imm;
  for (int half = i.bytes / 2; half >= 16; half /= 2) {
    if (left < half) continue;
    vmovups(address(to, at), vector(i.a, half));
    at += half;
    left -= half;
    if (left == 0) return;
    upper_half(vector(i.a, half), vector(i.a, 2 * half));
  }
  const Xmm a = vector(i.a, 16);
  if (left == 4) return vmovd(address(to, at), a);
  vmovq(address(to, at), a);
  if (left == 12) vpextrd(address(to, at + 8), a, 2);
}

// Pieces that lie side by side in memory too are stored together.
void Lowering::store_split(const Inst& i) {
  const int pieces = i.imm, piece = i.bytes / pieces;
  const Split& split = program_.splits[static_cast<size_t>(i.extra)];
  const Reg64 to = base(i.m.ptr);
  const bool in_order = pieces == 1 || i.bytes == 16;
  if (!in_order) gather_pieces(vector(i.d, i.bytes), vector(i.a, i.bytes), pieces);
  const int from = physical_[static_cast<size_t>(in_order ? i.a : i.d)];

  for (int q = 0; q < split.exist;) {
    const int run = pieces_together(split, q, piece);
    const int64_t offset = int64_t{i.m.offset} + split.offset[static_cast<size_t>(q)];
    store_part(address(to, offset), from, q * piece, run * piece);
    q += run;
  }
}

// Bytes [from, from + bytes) of a register. Half blocks come in order, so the second block may take the first one's
// place once its turn has come.
void Lowering::store_part(const Address& m, int physical, int from, int bytes) {
  const Xmm x(physical);
  if (bytes >= 16) {
    if (from == 0) return vmovups(m, in_width(physical, bytes));
    return store_upper(m, x, from, bytes);
  }
  if (bytes == 8) {
    if (from == 16) lower_second_block(x);
    return from % 16 == 0 ? vmovq(m, x) : vmovhps(m, x);
  }
  return from == 0 ? vmovd(m, x) : vpextrd(m, x, static_cast<uint8_t>(from / 4));
}

}  // namespace octet

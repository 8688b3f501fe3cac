// What the x86 targets share. Only the .cpp files beside it include this, because it brings Xbyak with it.
#pragma once

#include <xbyak/xbyak.h>

#include <span>
#include <vector>

#include "generator/program/program.h"
#include "jit/backend.h"
#include "jit/x64/homes.h"

namespace octet {

// Structure, addresses, and every op whose instruction has one name in VEX and EVEX: the assembler picks the encoding
// by width and register number. Decides nothing: registers come from the allocator, the order from the Program.
class Lowering : protected Xbyak::CodeGenerator {
 public:
  Lowering(const Program& program, int vector_registers, std::span<uint8_t> room);
  virtual ~Lowering() = default;

  // Returns the bytes of code; fills `offsets` if given.
  size_t run(CodeOffsets* offsets);

 protected:
  using Xmm = Xbyak::Xmm;  // and its wider kin, Ymm and Zmm
  using Address = Xbyak::Address;
  using Operand = Xbyak::Operand;

  // The ops that differ between the targets.
  virtual void dot4(const Xmm& d, const Xmm& a, const Operand& b) = 0;
  virtual void dot2(const Xmm& d, const Xmm& a, const Operand& b) = 0;
  virtual void bitwise(Op op, const Xmm& d, const Xmm& a, const Operand& b) = 0;
  virtual void blend8(const Xmm& d, const Xmm& a, const Operand& b, const Xmm& c) = 0;
  virtual void permute128(const Xmm& d, const Xmm& a, const Operand& b) = 0;
  // d = the odd dwords of d and, at the even places, the odd dwords of t, which is destroyed.
  virtual void merge_odd(const Xmm& d, const Xmm& t) = 0;
  virtual void upper_half(const Xmm& d, const Xmm& a) = 0;        // of a ymm or zmm `a`, to the low half of d
  virtual void put_upper_half(const Xmm& d, const Xmm& a) = 0;    // of d, from the low half of a
  virtual void repeat_block(const Xmm& d, const Address& m) = 0;  // 16 bytes of memory, d wider than that
  // Piece q of `pieces` of every block, side by side, becomes bytes [q * w / pieces, ...) of d; w is 32 or 64.
  virtual void gather_pieces(const Xmm& d, const Xmm& a, int pieces) = 0;
  virtual void store_upper(const Address& m, const Xmm& a, int from, int bytes) = 0;  // whole blocks, from >= 16
  virtual void lower_second_block(const Xmm& a) = 0;                                  // block 1 of a ymm to block 0
  virtual void begin() {}     // before the arguments are loaded; rax is free
  virtual void tables() = 0;  // what the ops above read relative to rip, behind the code

  // A physical register in the width of an instruction.
  static Xmm in_width(int physical, int bytes);

  const Program& program_;

 private:
  Xmm vector(Reg r, int bytes) const { return in_width(physical_[static_cast<size_t>(r)], bytes); }
  Address stack(Home slot) const { return qword[rsp + 8 * slot.index]; }
  const Home& home(Ptr p) const { return homes_.pointers[static_cast<size_t>(p)]; }
  Xbyak::Reg64 base(Ptr p);  // a pointer in a register; one that lives on the stack is loaded
  Address address(Xbyak::Reg64 base, int64_t offset) { return ptr[base + static_cast<size_t>(offset)]; }
  Address address(Mem m) { return address(base(m.ptr), m.offset); }

  void enter();
  void leave();
  void begin_loop(const Inst& i, size_t k);
  void end_loop(const Inst& i);
  void set_pointer(Ptr target, Mem from);
  void add_to_pointer(Ptr p, int32_t step);
  void index_pointer(Ptr p, Mem step);

  void lower(const Inst& i, size_t k);
  void binary(const Inst& i, const Operand& b);
  void fma(const Inst& i);
  void mulhi32(const Inst& i);
  void scale64(const Inst& i);
  void load_act(const Inst& i);
  void store_low(const Inst& i);
  void store_split(const Inst& i);
  void store_part(const Address& m, int physical, int from, int bytes);

  std::vector<int> physical_;  // of each virtual register
  Homes homes_;
  std::vector<const uint8_t*> tops_;  // of the open loops
  Xbyak::Label largest_s32_;          // as f64, a vector of them
  bool reads_largest_s32_ = false;
};

}  // namespace octet

// A Program is one kernel's loop nest, written once by a builder and lowered by everybody: interpreter, C++ source,
// Xbyak, LLVM. It is a flat list of instructions over virtual registers and virtual pointers; loops are a begin and an
// end row with a constant trip count.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "generator/program/ops.h"
#include "runtime/abi.h"

namespace octet {

using Reg = int32_t;  // virtual vector register; kNone = absent
using Ptr = int32_t;  // virtual pointer; the first OCTET_ARG_COUNT are the kernel's arguments
inline constexpr int32_t kNone = -1;

enum class Role : uint8_t { acc, act, weight, scale, temp };
const char* role_name(Role role);

// The only address mode.
struct Mem {
  Ptr ptr = kNone;
  int32_t offset = 0;
};

struct Inst {
  Op op = Op::note;
  uint8_t bytes = 0;  // vector width of this instruction: 16, 32 or 64; 0 for structure
  Reg d = kNone, a = kNone, b = kNone, c = kNone;
  Mem m;
  int32_t imm = 0;        // trip count, dot group, shift, byte count, number of pieces or pointer step
  Ptr target = kNone;     // ptr_set, ptr_add, ptr_index: the pointer that changes
  int32_t extra = kNone;  // loop_begin/loop_end: index of bumps; store_split: of splits; note: of notes
};

struct Bump {
  Ptr ptr;
  int32_t step;
};

struct Split {
  int exist = 0;  // pieces stored
  std::array<int32_t, 4> offset{};
};

using Vector64 = std::array<uint8_t, 64>;

struct Program {
  std::string name;                  // identifier of the kernel, unique in a model
  std::vector<std::string> heading;  // spec and schedule in words: the comment above the emitted function
  std::vector<Inst> code;
  std::vector<Role> registers;           // role of each virtual register; registers are mutable, not SSA
  std::vector<std::vector<Bump>> bumps;  // per loop
  std::vector<Split> splits;
  std::vector<std::string> notes;
  std::vector<Vector64> constants;  // read through pointer OCTET_CONSTANTS, 64 bytes each
  int pointers = OCTET_ARG_COUNT;
};

// Throws an internal error that names the instruction if the Program is malformed: unbalanced loops, registers read
// before they are written, operands that the op's row does not have, widths other than 16, 32, 64.
void verify(const Program& program);

// Text form; its line numbers (one per instruction, loops indented) are what every dump refers to.
std::string print(const Program& program);

// Appends instructions; the vocabulary as functions. All `b` operands may be a register or a memory operand.
class Builder {
 public:
  struct Operand {  // register or memory
    Reg reg = kNone;
    Mem mem;
    Operand(Reg r) : reg(r) {}  // NOLINT(google-explicit-constructor)
    Operand(Mem m) : mem(m) {}  // NOLINT(google-explicit-constructor)
  };

  explicit Builder(std::string name) { program_.name = std::move(name); }

  Reg reg(Role role);
  Ptr ptr();

  // body once if trip == 1 (then plain pointer steps), nothing if trip == 0.
  void loop(int64_t trip, const std::vector<Bump>& bumps, const std::function<void()>& body);
  void ptr_set(Ptr target, Mem from);
  void ptr_add(Ptr target, int64_t step);
  void ptr_index(Ptr target, Mem step);
  void note(const std::string& text);
  void heading(const std::string& line) { program_.heading.push_back(line); }

  // Loads and the like return the register they write.
  Reg load(int w, Role role, Mem m) { return put_mem(Op::load, w, reg(role), m); }
  Reg load_act(int w, Mem m, int n) { return put_mem(Op::load_act, w, reg(Role::act), m, n); }
  Reg widen8_16(int w, Mem m) { return put_mem(Op::widen8_16, w, reg(Role::temp), m); }
  Reg widen8_32(int w, Mem m) { return put_mem(Op::widen8_32, w, reg(Role::temp), m); }
  Reg broadcast32(int w, Mem m) { return put_mem(Op::broadcast32, w, reg(Role::temp), m); }
  void load_into(int w, Reg d, Mem m) { put_mem(Op::load, w, d, m); }
  void copy(int w, Reg d, Reg a) { put({Op::copy, uint8_t(w), d, a}); }
  void store(int w, Mem m, Reg a);
  void store_low(int w, Mem m, Reg a, int bytes);
  void store_split(int w, Mem m, Reg a, int pieces, const Split& split);

  void dot4(int w, Reg d, Reg a, Operand b, int group) { dot(Op::dot4, w, d, a, b, group); }
  void dot4s(int w, Reg d, Reg a, Operand b, int group) { dot(Op::dot4s, w, d, a, b, group); }
  void dot2(int w, Reg d, Reg a, Operand b) { dot(Op::dot2, w, d, a, b, 0); }
  // d = op(a, b); d may equal a unless the op's row says kEarlyClobber.
  void op(Op op, int w, Reg d, Reg a, Operand b);
  void unary(Op op, int w, Reg d, Reg a, int imm = 0);  // cvt_f32, cvt_i32, srl16, sll16, sll32, sra32
  void scale64(int w, Reg d, Reg a, Mem m);
  void fma(int w, Reg d, Reg a, Operand b, Operand c);  // at most one of b and c is memory
  void blend8(int w, Reg d, Reg a, Operand b, Reg c);

  // The address of a splatted constant (deduplicated).
  Mem constant32(int32_t value);
  Mem constant16(int32_t value);
  Mem constant8(int32_t value);
  Mem constant_f32(float value);
  Mem constant_block(const std::array<int32_t, 4>& dwords);  // 16 bytes, repeated

  // Appends a table of steps for ptr_index to the constants; the address of the first.
  Mem table(const std::vector<int64_t>& steps);

  Program finish();  // verifies

 private:
  void dot(Op op, int w, Reg d, Reg a, Operand b, int group);
  Reg put_mem(Op op, int w, Reg d, Mem m, int imm = 0);
  void put(Inst inst) { program_.code.push_back(inst); }

  Program program_;
};

}  // namespace octet

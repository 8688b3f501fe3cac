// Program -> LLVM IR. Only the .cpp files beside it include this, because it brings LLVM with it.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <memory>

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

// Vectors of a given number of bytes, seen as lanes of any type. Registers hold them as lanes of 8 bits.
class VectorBuilder : public llvm::IRBuilder<> {
 public:
  using Value = llvm::Value;
  using Type = llvm::Type;
  using llvm::IRBuilder<>::IRBuilder;

  static int bytes_of(const Value* v);
  Value* as(Value* v, Type* lane);
  Value* as_ints(Value* v, int bits) { return as(v, getIntNTy(static_cast<unsigned>(bits))); }
  Value* as_bytes(Value* v) { return as_ints(v, 8); }
  Value* as_f32(Value* v) { return as(v, getFloatTy()); }

  // `count` lanes of v from `first` on.
  Value* lanes(Value* v, int first, int count);
  Value* low_half(Value* v);
  Value* high_half(Value* v);
  // Those of a, then those of b.
  Value* joined(Value* a, Value* b);
  // An intrinsic whose overloads follow from the result and the operands.
  Value* call(llvm::Intrinsic::ID id, Type* result, std::initializer_list<Value*> operands) {
    return CreateIntrinsic(result, id, llvm::ArrayRef<Value*>(operands.begin(), operands.size()));
  }
};

// What IR that is no instruction set's own cannot say, or not so that the best instruction comes of it. Operands and
// results are vectors of bytes.
class InstructionSet {
 public:
  using Value = llvm::Value;
  virtual ~InstructionSet() = default;

  // acc + the dots of `op`, which is dot4 or dot4s. Internal errors: a group or an op that the target does not have.
  virtual Value* dot(VectorBuilder& b, Op op, Value* acc, Value* act, Value* weights, int group) const = 0;
  virtual Value* mmla(VectorBuilder& b, Value* acc, Value* x, Value* y) const = 0;
  virtual Value* maddubs(VectorBuilder& b, Value* x, Value* y) const = 0;
  virtual Value* madd16(VectorBuilder& b, Value* x, Value* y) const = 0;
  virtual Value* packs32(VectorBuilder& b, Value* x, Value* y) const = 0;
  virtual Value* packus16(VectorBuilder& b, Value* x, Value* y) const = 0;
  virtual Value* shuffle8(VectorBuilder& b, Value* table, Value* index) const = 0;
  virtual Value* permute128(VectorBuilder& b, Value* index, Value* x, Value* y) const = 0;
  virtual Value* cvt_i32(VectorBuilder& b, Value* x) const = 0;
  virtual Value* scale64(VectorBuilder& b, Value* x, Value* factors) const = 0;  // factors: twice the bytes
};

std::unique_ptr<InstructionSet> aarch64_instructions(const Program& program, const Target& target);
std::unique_ptr<InstructionSet> x86_instructions(const Program& program, const Target& target);

// Adds the kernel to the module as a global function of its name, op by op and in the shape that the code generator is
// to keep: no optimization of IR shall run over it. `features` are the function's, in LLVM's words.
void lower_to_ir(const Program& program, const InstructionSet& isa, const std::string& features, llvm::Module& module);

}  // namespace octet

#include <llvm/IR/IntrinsicsAArch64.h>

#include <cstring>

#include "jit/llvm/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

// NEON at 16 bytes. Names of constants and what they become are spelled so that no constant comes from memory: a kernel
// must not need a relocation.
class Aarch64 final : public InstructionSet {
 public:
  Aarch64(const Program& program, const Target& target)
      : program_(program),
        dotprod_(std::strstr(target.features, "dotprod") != nullptr),
        i8mm_(std::strstr(target.features, "i8mm") != nullptr) {}

  Value* dot(VectorBuilder& b, Op op, Value* acc, Value* act, Value* weights, int group) const override {
    // The splat stands beside its dot, where the code generator folds the two into the form by element.
    if (group >= 0) act = b.as_bytes(b.CreateShuffleVector(b.as_ints(act, 32), std::vector<int>(4, group)));
    Value* sum = b.as_ints(acc, 32);
    if (op == Op::dot4) {
      if (!i8mm_) internal_error(program_.name + ": dot4 in a Program for a target without i8mm");
      return b.call(llvm::Intrinsic::aarch64_neon_usdot, sum->getType(), {sum, act, weights});
    }
    // Only the last operand may be an element.
    if (dotprod_) return b.call(llvm::Intrinsic::aarch64_neon_sdot, sum->getType(), {sum, weights, act});
    Value *low = pair_sums(b, b.low_half(act), b.low_half(weights)),
          *high = pair_sums(b, b.high_half(act), b.high_half(weights));
    return b.CreateAdd(sum, b.call(llvm::Intrinsic::aarch64_neon_addp, sum->getType(), {low, high}));
  }

  Value* mmla(VectorBuilder& b, Value* acc, Value* x, Value* y) const override {
    if (!i8mm_) internal_error(program_.name + ": mmla in a Program for a target without i8mm");
    Value* sum = b.as_ints(acc, 32);
    return b.call(llvm::Intrinsic::aarch64_neon_usmmla, sum->getType(), {sum, x, y});
  }

  // Products of even and of odd bytes: a u8 times an s8 fits in 16 bits, and the sum of two saturates.
  Value* maddubs(VectorBuilder& b, Value* x, Value* y) const override {
    Value *u = b.as_ints(x, 16), *s = b.as_ints(y, 16);
    Value* low_byte = b.CreateVectorSplat(8, b.getInt16(0xff));
    Value* even = b.CreateMul(b.CreateAnd(u, low_byte), b.CreateAShr(b.CreateShl(s, 8), 8));
    Value* odd = b.CreateMul(b.CreateLShr(u, 8), b.CreateAShr(s, 8));
    return b.call(llvm::Intrinsic::sadd_sat, u->getType(), {even, odd});
  }

  Value* madd16(VectorBuilder& b, Value* x, Value* y) const override {
    Value *p = b.as_ints(x, 16), *q = b.as_ints(y, 16);
    auto* four = vector(b, 32, 4);
    const auto products = [&](Value* u, Value* v) { return b.call(llvm::Intrinsic::aarch64_neon_smull, four, {u, v}); };
    return b.call(llvm::Intrinsic::aarch64_neon_addp, four,
                  {products(b.low_half(p), b.low_half(q)), products(b.high_half(p), b.high_half(q))});
  }

  Value* packs32(VectorBuilder& b, Value* x, Value* y) const override {
    const auto narrow = [&](Value* v) {
      return b.call(llvm::Intrinsic::aarch64_neon_sqxtn, vector(b, 16, 4), {b.as_ints(v, 32)});
    };
    return b.joined(narrow(x), narrow(y));
  }

  Value* packus16(VectorBuilder& b, Value* x, Value* y) const override {
    const auto narrow = [&](Value* v) {
      return b.call(llvm::Intrinsic::aarch64_neon_sqxtun, vector(b, 8, 8), {b.as_ints(v, 16)});
    };
    return b.joined(narrow(x), narrow(y));
  }

  // tbl gives 0 for indices from 16 on, which those from 128 stay.
  Value* shuffle8(VectorBuilder& b, Value* table, Value* index) const override {
    return b.call(llvm::Intrinsic::aarch64_neon_tbl1, table->getType(),
                  {table, b.CreateAnd(index, b.CreateVectorSplat(16, b.getInt8(0x8f)))});
  }

  Value* permute128(VectorBuilder&, Value*, Value*, Value*) const override {
    internal_error(program_.name + ": permute128 in a Program for a target without it");
  }

  Value* cvt_i32(VectorBuilder& b, Value* x) const override {
    return b.call(llvm::Intrinsic::aarch64_neon_fcvtns, vector(b, 32, 4), {b.as_f32(x)});
  }

  // Truncated to 64 bits, saturating, then narrowed to 32, saturating.
  Value* scale64(VectorBuilder& b, Value* x, Value* factors) const override {
    Value *lanes = b.as_ints(x, 32), *m = b.as(factors, b.getDoubleTy());
    const auto scaled = [&](Value* ints, Value* by) {
      Value* product = b.CreateFMul(b.CreateSIToFP(ints, by->getType()), by);
      Value* wide = b.call(llvm::Intrinsic::fptosi_sat, vector(b, 64, 2), {product});
      return b.call(llvm::Intrinsic::aarch64_neon_sqxtn, vector(b, 32, 2), {wide});
    };
    return b.joined(scaled(b.low_half(lanes), b.low_half(m)), scaled(b.high_half(lanes), b.high_half(m)));
  }

 private:
  static llvm::Type* vector(VectorBuilder& b, unsigned bits, unsigned lanes) {
    return llvm::FixedVectorType::get(b.getIntNTy(bits), lanes);
  }

  // Of eight bytes each: products in 16 bits, neighbours added in 32.
  static Value* pair_sums(VectorBuilder& b, Value* x, Value* y) {
    Value* products = b.call(llvm::Intrinsic::aarch64_neon_smull, vector(b, 16, 8), {x, y});
    return b.call(llvm::Intrinsic::aarch64_neon_saddlp, vector(b, 32, 4), {products});
  }

  const Program& program_;
  bool dotprod_, i8mm_;
};

}  // namespace

std::unique_ptr<InstructionSet> aarch64_instructions(const Program& program, const Target& target) {
  return std::make_unique<Aarch64>(program, target);
}

}  // namespace octet

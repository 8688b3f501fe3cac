#include <fmt/format.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <array>

#include "jit/llvm/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

namespace Intrinsic = llvm::Intrinsic;
using Intrinsic::ID;

// AVX2 and AVX-512, whose instructions have one intrinsic per width.
class X86 final : public InstructionSet {
 public:
  X86(const Program& program, const Target& target) : program_(program), target_(target) {}

  Value* dot(VectorBuilder& b, Op op, Value* acc, Value* act, Value* weights, int group) const override {
    if (op != Op::dot4 || target_.best_dot != DotForm::fused)
      internal_error(fmt::format("{}: {} in a Program for {}", program_.name, op_row(op).name, target_.name));
    // Every group of a broadcast activation is the same, and without groups it is what the instruction does.
    if (group > 0)
      internal_error(fmt::format("{}: dot4 of element group {}, which x86 does not have", program_.name, group));
    Value* sum = b.as_ints(acc, 32);
    return b.call(by_width(acc, {Intrinsic::x86_avx512_vpdpbusd_128, Intrinsic::x86_avx512_vpdpbusd_256,
                                 Intrinsic::x86_avx512_vpdpbusd_512}),
                  sum->getType(), {sum, b.as_ints(act, 32), b.as_ints(weights, 32)});
  }

  Value* mmla(VectorBuilder&, Value*, Value*, Value*) const override {
    internal_error(program_.name + ": mmla, which x86 does not have");
  }

  Value* maddubs(VectorBuilder& b, Value* x, Value* y) const override {
    return b.call(by_width(x, {Intrinsic::x86_ssse3_pmadd_ub_sw_128, Intrinsic::x86_avx2_pmadd_ub_sw,
                               Intrinsic::x86_avx512_pmaddubs_w_512}),
                  ints_like(b, x, 16), {x, y});
  }

  Value* madd16(VectorBuilder& b, Value* x, Value* y) const override {
    return b.call(
        by_width(x, {Intrinsic::x86_sse2_pmadd_wd, Intrinsic::x86_avx2_pmadd_wd, Intrinsic::x86_avx512_pmaddw_d_512}),
        ints_like(b, x, 32), {b.as_ints(x, 16), b.as_ints(y, 16)});
  }

  Value* packs32(VectorBuilder& b, Value* x, Value* y) const override {
    return b.call(by_width(x, {Intrinsic::x86_sse2_packssdw_128, Intrinsic::x86_avx2_packssdw,
                               Intrinsic::x86_avx512_packssdw_512}),
                  ints_like(b, x, 16), {b.as_ints(x, 32), b.as_ints(y, 32)});
  }

  Value* packus16(VectorBuilder& b, Value* x, Value* y) const override {
    return b.call(by_width(x, {Intrinsic::x86_sse2_packuswb_128, Intrinsic::x86_avx2_packuswb,
                               Intrinsic::x86_avx512_packuswb_512}),
                  x->getType(), {b.as_ints(x, 16), b.as_ints(y, 16)});
  }

  Value* shuffle8(VectorBuilder& b, Value* table, Value* index) const override {
    return b.call(by_width(table, {Intrinsic::x86_ssse3_pshuf_b_128, Intrinsic::x86_avx2_pshuf_b,
                                   Intrinsic::x86_avx512_pshuf_b_512}),
                  table->getType(), {table, index});
  }

  Value* permute128(VectorBuilder& b, Value* index, Value* x, Value* y) const override {
    if (target_.table != TableForm::permute)
      internal_error(program_.name + ": permute128 in a Program for a target without it");
    return b.call(Intrinsic::x86_avx512_vpermi2var_qi_512, x->getType(), {x, index, y});
  }

  Value* cvt_i32(VectorBuilder& b, Value* x) const override {
    Value* f = b.as_f32(x);
    llvm::Type* ints = ints_like(b, x, 32);
    if (VectorBuilder::bytes_of(x) < 64)
      return b.call(VectorBuilder::bytes_of(x) == 16 ? Intrinsic::x86_sse2_cvtps2dq : Intrinsic::x86_avx_cvt_ps2dq_256,
                    ints, {f});
    constexpr int kAsTheMachineRounds = 4;
    return b.call(Intrinsic::x86_avx512_mask_cvtps2dq_512, ints,
                  {f, llvm::PoisonValue::get(ints), b.getInt16(0xffff), b.getInt32(kAsTheMachineRounds)});
  }

  // Clamped first, for IR leaves open what converting beyond s32 gives; what is no number becomes the smallest.
  Value* scale64(VectorBuilder& b, Value* x, Value* factors) const override {
    Value *lanes = b.as_ints(x, 32), *m = b.as(factors, b.getDoubleTy());
    Value* product = b.CreateFMul(b.CreateSIToFP(lanes, m->getType()), m);
    Value *least = llvm::ConstantFP::get(m->getType(), -2147483648.0),
          *most = llvm::ConstantFP::get(m->getType(), 2147483647.0);
    product = b.CreateSelect(b.CreateFCmpOGT(product, least), product, least);
    product = b.CreateSelect(b.CreateFCmpOLT(product, most), product, most);
    return b.CreateFPToSI(product, lanes->getType());
  }

 private:
  static ID by_width(const Value* v, const std::array<ID, 3>& of_16_32_64) {
    const int bytes = VectorBuilder::bytes_of(v);
    return of_16_32_64[bytes == 16 ? 0 : bytes == 32 ? 1 : 2];
  }

  static llvm::Type* ints_like(VectorBuilder& b, const Value* v, int bits) {
    return llvm::FixedVectorType::get(b.getIntNTy(static_cast<unsigned>(bits)),
                                      static_cast<unsigned>(8 * VectorBuilder::bytes_of(v) / bits));
  }

  const Program& program_;
  const Target& target_;
};

}  // namespace

std::unique_ptr<InstructionSet> x86_instructions(const Program& program, const Target& target) {
  return std::make_unique<X86>(program, target);
}

}  // namespace octet

#include "jit/x64/lower.h"
#include "jit/x64/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Xbyak::Ymm;

class LoweringAvx2 final : public Lowering {
 public:
  using Lowering::Lowering;

 private:
  void dot4(const Xmm&, const Xmm&, const Operand&) override {
    internal_error(program_.name + ": dot4 in a Program for avx2, whose dot form is maddubs or widened");
  }
  void dot2(const Xmm&, const Xmm&, const Operand&) override {
    internal_error(program_.name + ": dot2 in a Program for avx2, which has no such instruction");
  }

  void bitwise(Op op, const Xmm& d, const Xmm& a, const Operand& b) override {
    if (op == Op::and_) return vpand(d, a, b);
    return op == Op::or_ ? vpor(d, a, b) : vpxor(d, a, b);
  }

  void blend8(const Xmm& d, const Xmm& a, const Operand& b, const Xmm& c) override { vpblendvb(d, a, b, c); }

  void permute128(const Xmm&, const Xmm&, const Operand&) override {
    internal_error(program_.name + ": permute128 in a Program for a target without it");
  }

  void merge_odd(const Xmm& d, const Xmm& t) override {
    vmovshdup(t, t);
    vpblendd(d, t, d, 0b1010'1010);
  }

  void upper_half(const Xmm& d, const Xmm& a) override { vextracti128(Xmm(d.getIdx()), Ymm(a.getIdx()), 1); }
  void put_upper_half(const Xmm& d, const Xmm& a) override {
    vinserti128(Ymm(d.getIdx()), Ymm(d.getIdx()), Xmm(a.getIdx()), 1);
  }

  void repeat_block(const Xmm& d, const Address& m) override { vbroadcasti128(Ymm(d.getIdx()), m); }

  void gather_pieces(const Xmm& d, const Xmm& a, int pieces) override {
    const Ymm to(d.getIdx()), from(a.getIdx());
    if (pieces == 2) return vpermq(to, from, 0b11'01'10'00);
    reads_quarters_ = true;
    vmovups(to, ptr[rip + quarters_]);
    vpermd(to, to, from);
  }

  void store_upper(const Address& m, const Xmm& a, int, int) override { vextracti128(m, Ymm(a.getIdx()), 1); }

  void lower_second_block(const Xmm& a) override { vextracti128(Xmm(a.getIdx()), Ymm(a.getIdx()), 1); }

  void tables() override {
    if (!reads_quarters_) return;
    align(32);
    L(quarters_);
    for (const uint32_t lane : {0, 4, 1, 5, 2, 6, 3, 7}) dd(lane);
  }

  Xbyak::Label quarters_;  // dword order that brings quarter q of both blocks together
  bool reads_quarters_ = false;
};

}  // namespace

size_t lower_avx2(const Program& program, int registers, std::span<uint8_t> room, CodeOffsets* offsets) {
  return LoweringAvx2(program, registers, room).run(offsets);
}

}  // namespace octet

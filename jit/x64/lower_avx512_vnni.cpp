#include <algorithm>

#include "jit/x64/lower.h"
#include "jit/x64/lowering.h"
#include "runtime/status.h"

namespace octet {
namespace {

using Xbyak::Ymm;
using Xbyak::Zmm;

// avx512_vnni, and avx512_vbmi, which has one instruction more. Registers 16 to 31 exist in EVEX only, so what has an
// EVEX name of its own goes by that at every width.
class LoweringAvx512Vnni final : public Lowering {
 public:
  LoweringAvx512Vnni(const Program& program, int registers, std::span<uint8_t> room, bool vbmi)
      : Lowering(program, registers, room), vbmi_(vbmi) {}

 private:
  void dot4(const Xmm& d, const Xmm& a, const Operand& b) override { vpdpbusd(d, a, b, Xbyak::EvexEncoding); }

  void dot2(const Xmm& d, const Xmm& a, const Operand& b) override { vpdpwssd(d, a, b, Xbyak::EvexEncoding); }

  void bitwise(Op op, const Xmm& d, const Xmm& a, const Operand& b) override {
    if (op == Op::and_) return vpandd(d, a, b);
    return op == Op::or_ ? vpord(d, a, b) : vpxord(d, a, b);
  }

  void begin() override {
    const auto& code = program_.code;
    if (std::none_of(code.begin(), code.end(), [](const Inst& i) { return i.op == Op::mulhi32; })) return;
    mov(eax, 0b0101'0101'0101'0101);
    kmovw(even_dwords(), eax);
  }

  static Xbyak::Opmask even_dwords() { return Xbyak::Opmask(2); }

  void merge_odd(const Xmm& d, const Xmm& t) override { vmovshdup(d | even_dwords(), t); }

  void upper_half(const Xmm& d, const Xmm& a) override {
    if (a.isZMM()) return vextracti64x4(Ymm(d.getIdx()), Zmm(a.getIdx()), 1);
    vextracti32x4(Xmm(d.getIdx()), Ymm(a.getIdx()), 1);
  }
  void put_upper_half(const Xmm& d, const Xmm& a) override {
    if (d.isZMM()) return vinserti64x4(Zmm(d.getIdx()), Zmm(d.getIdx()), Ymm(a.getIdx()), 1);
    vinserti32x4(Ymm(d.getIdx()), Ymm(d.getIdx()), Xmm(a.getIdx()), 1);
  }

  // No program value lives in a mask register.
  void blend8(const Xmm& d, const Xmm& a, const Operand& b, const Xmm& c) override {
    vpmovb2m(k1, c);
    vpblendmb(d | k1, a, b);
  }

  void permute128(const Xmm& d, const Xmm& a, const Operand& b) override {
    if (!vbmi_) internal_error(program_.name + ": permute128 in a Program for a target without it");
    vpermi2b(d, a, b);
  }

  void repeat_block(const Xmm& d, const Address& m) override {
    if (d.isZMM()) return vbroadcasti32x4(Zmm(d.getIdx()), m);
    vbroadcasti32x4(Ymm(d.getIdx()), m);
  }

  void gather_pieces(const Xmm& d, const Xmm& a, int pieces) override {
    if (d.isZMM()) {
      const Zmm to(d.getIdx()), from(a.getIdx());
      vmovups(to, ptr[rip + use(pieces == 2 ? halves_64_ : quarters_64_)]);
      return pieces == 2 ? vpermq(to, to, from) : vpermd(to, to, from);
    }
    const Ymm to(d.getIdx()), from(a.getIdx());
    if (pieces == 2) return vpermq(to, from, 0b11'01'10'00);
    vmovups(to, ptr[rip + use(quarters_32_)]);
    vpermd(to, to, from);
  }

  void store_upper(const Address& m, const Xmm& a, int from, int bytes) override {
    if (bytes == 32) return vextracti64x4(m, Zmm(a.getIdx()), 1);
    if (from == 16) return vextracti32x4(m, Ymm(a.getIdx()), 1);
    vextracti32x4(m, Zmm(a.getIdx()), static_cast<uint8_t>(from / 16));
  }

  void lower_second_block(const Xmm& a) override { vextracti32x4(Xmm(a.getIdx()), Ymm(a.getIdx()), 1); }

  // Orders that bring piece q of every block together.
  struct Table {
    Xbyak::Label label;
    bool used = false;
  };

  static const Xbyak::Label& use(Table& table) {
    table.used = true;
    return table.label;
  }

  void tables() override {
    const auto place = [&](Table& table) {
      if (!table.used) return false;
      align(64);
      L(table.label);
      return true;
    };
    if (place(halves_64_))
      for (const uint64_t lane : {0, 2, 4, 6, 1, 3, 5, 7}) dq(lane);
    if (place(quarters_64_))
      for (const uint32_t lane : {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}) dd(lane);
    if (place(quarters_32_))
      for (const uint32_t lane : {0, 4, 1, 5, 2, 6, 3, 7}) dd(lane);
  }

  Table halves_64_, quarters_64_, quarters_32_;
  bool vbmi_;
};

}  // namespace

size_t lower_avx512_vnni(const Program& program, int registers, std::span<uint8_t> room, CodeOffsets* offsets) {
  return LoweringAvx512Vnni(program, registers, room, false).run(offsets);
}

size_t lower_avx512_vbmi(const Program& program, int registers, std::span<uint8_t> room, CodeOffsets* offsets) {
  return LoweringAvx512Vnni(program, registers, room, true).run(offsets);
}

}  // namespace octet

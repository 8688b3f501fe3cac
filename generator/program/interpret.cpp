#include "generator/program/interpret.h"

#include <cstring>
#include <vector>

#include "templates/vec_scalar.h"

namespace octet {
namespace {

using octet_scalar::Vec;

// The running kernel. Everything is allocated once, before the first instruction.
class Machine {
 public:
  Machine(const Program& program, const OctetArgs& args)
      : program_(program), registers_(program.registers.size()), pointers_(static_cast<size_t>(program.pointers)) {
    for (size_t p = 0; p < OCTET_ARG_COUNT; ++p)
      pointers_[p] = static_cast<uint8_t*>(const_cast<void*>(args.p[p]));  // the ABI: destinations are written
    if (!pointers_[OCTET_CONSTANTS] && !program.constants.empty())
      pointers_[OCTET_CONSTANTS] = const_cast<uint8_t*>(program.constants[0].data());
    trips_.reserve(16);
  }

  void run() {
    const std::vector<Inst>& code = program_.code;
    for (size_t k = 0; k < code.size(); ++k) {
      const Inst& i = code[k];
      switch (i.bytes) {
        case 16: compute<16>(i); break;
        case 32: compute<32>(i); break;
        case 64: compute<64>(i); break;
        default: k = control(i, k);
      }
    }
  }

 private:
  struct Trip {
    size_t begin;
    int32_t left;
  };

  uint8_t* address(Mem m) const { return pointers_[static_cast<size_t>(m.ptr)] + m.offset; }

  // Structure; returns the instruction last executed, which is the loop's begin where it goes round again.
  size_t control(const Inst& i, size_t k) {
    switch (i.op) {
      case Op::loop_begin: trips_.push_back({k, i.imm}); break;
      case Op::loop_end:
        for (const Bump& b : program_.bumps[static_cast<size_t>(i.extra)])
          pointers_[static_cast<size_t>(b.ptr)] += b.step;
        if (--trips_.back().left > 0) return trips_.back().begin;
        trips_.pop_back();
        break;
      case Op::ptr_set: pointers_[static_cast<size_t>(i.target)] = address(i.m); break;
      case Op::ptr_add: pointers_[static_cast<size_t>(i.target)] += i.imm; break;
      case Op::ptr_index: {
        int64_t step;
        std::memcpy(&step, address(i.m), sizeof step);
        pointers_[static_cast<size_t>(i.target)] += step;
        break;
      }
      default: break;  // a note
    }
    return k;
  }

  // A vector is bytes without alignment, so a memory operand is a register that lies elsewhere.
  template <int W>
  Vec<W>& reg(Reg r) {
    return *reinterpret_cast<Vec<W>*>(registers_[static_cast<size_t>(r)].b);
  }
  template <int W>
  const Vec<W>& operand(Reg r, Mem m) {
    return r == kNone ? *reinterpret_cast<const Vec<W>*>(address(m)) : reg<W>(r);
  }

  template <int W>
  void compute(const Inst& i) {
    namespace v = octet_scalar;
    auto a = [&]() -> const Vec<W>& { return reg<W>(i.a); };
    auto b = [&]() -> const Vec<W>& { return operand<W>(i.b, i.m); };
    auto c = [&]() -> const Vec<W>& { return operand<W>(i.c, i.m); };
    auto d = [&]() -> Vec<W>& { return reg<W>(i.d); };
    switch (i.op) {
      case Op::loop_begin:
      case Op::loop_end:
      case Op::ptr_set:
      case Op::ptr_add:
      case Op::ptr_index:
      case Op::note: break;
      case Op::load: d() = v::load<W>(address(i.m)); break;
      case Op::copy: d() = a(); break;
      case Op::load_act: d() = v::load_act<W>(address(i.m), i.imm); break;
      case Op::widen8_16: d() = v::widen8_16<W>(address(i.m)); break;
      case Op::widen8_32: d() = v::widen8_32<W>(address(i.m)); break;
      case Op::broadcast32: d() = v::broadcast32<W>(address(i.m)); break;
      case Op::store: v::store(address(i.m), a()); break;
      case Op::store_low: v::store_low(address(i.m), a(), i.imm); break;
      case Op::store_split: {
        const Split& s = program_.splits[static_cast<size_t>(i.extra)];
        v::store_split(address(i.m), a(), i.imm, s.exist, s.offset.data());
        break;
      }
      case Op::dot4: v::dot4(d(), a(), b(), i.imm); break;
      case Op::dot4s: v::dot4s(d(), a(), b(), i.imm); break;
      case Op::mmla: d() = v::mmla(d(), a(), b()); break;
      case Op::dot2: v::dot2(d(), a(), b()); break;
      case Op::maddubs: d() = v::maddubs(a(), b()); break;
      case Op::madd16: d() = v::madd16(a(), b()); break;
      case Op::add32: d() = v::add32(a(), b()); break;
      case Op::sub32: d() = v::sub32(a(), b()); break;
      case Op::max_i32: d() = v::max_i32(a(), b()); break;
      case Op::min_i32: d() = v::min_i32(a(), b()); break;
      case Op::and_: d() = v::and_(a(), b()); break;
      case Op::or_: d() = v::or_(a(), b()); break;
      case Op::xor_: d() = v::xor_(a(), b()); break;
      case Op::srl16: d() = v::srl16(a(), i.imm); break;
      case Op::sll16: d() = v::sll16(a(), i.imm); break;
      case Op::sll32: d() = v::sll32(a(), i.imm); break;
      case Op::sra32: d() = v::sra32(a(), i.imm); break;
      case Op::sllv32: d() = v::sllv32(a(), b()); break;
      case Op::srav32: d() = v::srav32(a(), b()); break;
      case Op::mul32: d() = v::mul32(a(), b()); break;
      case Op::mulhi32: d() = v::mulhi32(a(), b()); break;
      case Op::max_u8: d() = v::max_u8(a(), b()); break;
      case Op::min_u8: d() = v::min_u8(a(), b()); break;
      case Op::add16: d() = v::add16(a(), b()); break;
      case Op::sub16: d() = v::sub16(a(), b()); break;
      case Op::adds16: d() = v::adds16(a(), b()); break;
      case Op::packs32: d() = v::packs32(a(), b()); break;
      case Op::packus16: d() = v::packus16(a(), b()); break;
      case Op::zip_lo8: d() = v::zip_lo8(a(), b()); break;
      case Op::zip_hi8: d() = v::zip_hi8(a(), b()); break;
      case Op::zip_lo16: d() = v::zip_lo16(a(), b()); break;
      case Op::zip_hi16: d() = v::zip_hi16(a(), b()); break;
      case Op::zip_lo64: d() = v::zip_lo64(a(), b()); break;
      case Op::zip_hi64: d() = v::zip_hi64(a(), b()); break;
      case Op::shuffle8: d() = v::shuffle8(a(), b()); break;
      case Op::blend8: d() = v::blend8(a(), b(), reg<W>(i.c)); break;
      case Op::permute128:
        if constexpr (W == 64) d() = v::permute128(d(), a(), b());
        break;
      case Op::cvt_f32: d() = v::cvt_f32(a()); break;
      case Op::cvt_i32: d() = v::cvt_i32(a()); break;
      case Op::scale64: d() = v::scale64(a(), address(i.m)); break;
      case Op::add_f32: d() = v::add_f32(a(), b()); break;
      case Op::sub_f32: d() = v::sub_f32(a(), b()); break;
      case Op::mul_f32: d() = v::mul_f32(a(), b()); break;
      case Op::div_f32: d() = v::div_f32(a(), b()); break;
      case Op::fma_f32: d() = v::fma_f32(a(), b(), c()); break;
      case Op::max_f32: d() = v::max_f32(a(), b()); break;
      case Op::min_f32: d() = v::min_f32(a(), b()); break;
    }
  }

  const Program& program_;
  std::vector<Vec<64>> registers_;
  std::vector<uint8_t*> pointers_;
  std::vector<Trip> trips_;  // of the open loops
};

}  // namespace

void interpret(const Program& program, const OctetArgs& args) {
  Machine(program, args).run();
}

}  // namespace octet

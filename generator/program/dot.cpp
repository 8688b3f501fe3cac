#include "generator/program/dot.h"

namespace octet {

void DotEmitter::begin() {
  if (form_ == DotForm::maddubs || form_ == DotForm::chained) held_ = b_.load(bytes_, Role::weight, b_.constant16(1));
  if (form_ == DotForm::widened) held_ = b_.load(bytes_, Role::weight, b_.constant16(0xff));
  if (to_flip_) held_ = b_.load(bytes_, Role::weight, b_.constant8(0x80));
}

void DotEmitter::activation(Reg act) {
  if (to_flip_) b_.op(Op::xor_, bytes_, act, act, held_);
  if (form_ != DotForm::widened) return;
  b_.op(Op::and_, bytes_, even_ = b_.reg(Role::act), act, held_);
  b_.unary(Op::srl16, bytes_, odd_ = b_.reg(Role::act), act, 8);
}

void DotEmitter::dot(int w, Reg acc, Reg act, Reg weights, Mem at, int group) {
  const Builder::Operand operand = weights == kNone ? Builder::Operand(at) : Builder::Operand(weights);
  if (form_ == DotForm::fused) {
    b_.dot4(w, acc, act, operand, group);
    return;
  }
  if (form_ == DotForm::flipped) {
    b_.dot4s(w, acc, act, operand, group);
    return;
  }
  const Reg x = b_.reg(Role::temp);
  if (form_ != DotForm::widened) {
    b_.op(Op::maddubs, w, x, act, operand);
    b_.op(Op::madd16, w, x, x, held_);
    b_.op(Op::add32, w, acc, acc, x);
    return;
  }
  b_.op(Op::madd16, w, x, even_, at);
  b_.op(Op::add32, w, acc, acc, x);
  const Reg y = b_.reg(Role::temp);
  b_.op(Op::madd16, w, y, odd_, Mem{at.ptr, at.offset + w});
  b_.op(Op::add32, w, acc, acc, y);
}

void DotEmitter::dot_two(int w, Reg acc, Reg act, Reg next_act, Mem at, Mem next_at) {
  const Reg x = b_.reg(Role::temp), y = b_.reg(Role::temp);
  b_.op(Op::maddubs, w, x, act, at);
  b_.op(Op::maddubs, w, y, next_act, next_at);
  b_.op(Op::add16, w, x, x, y);
  b_.op(Op::madd16, w, x, x, held_);
  b_.op(Op::add32, w, acc, acc, x);
}

int DotEmitter::extra_registers(DotForm form) {
  switch (form) {
    case DotForm::fused: return 0;
    case DotForm::maddubs: return 2;  // ones, product
    case DotForm::widened: return 3;  // mask, even, product; odd takes the place of the activation
    case DotForm::chained: return 4;  // ones, second activation, two products
    case DotForm::matched: return 5;  // those of maddubs and of widened
    case DotForm::matrix: return 0;
    case DotForm::winograd: return 1;  // products, where they are not added at once
    case DotForm::flipped: return 1;   // the sign bits
  }
  return 0;
}

}  // namespace octet

#include "generator/program/dot.h"

#include "runtime/status.h"

namespace octet {

DotEmitter::DotEmitter(Builder& b, DotForm form, int bytes) : b_(b), form_(form), bytes_(bytes) {
  if (form_ == DotForm::maddubs) ones_ = b_.load(bytes_, Role::temp, b_.constant16(1));
}

void DotEmitter::prepare(Reg act) {
  if (form_ != DotForm::widened) return;
  Halves h{act, b_.reg(Role::act), b_.reg(Role::act)};
  b_.op(Op::and_, bytes_, h.even, act, b_.constant16(0xff));
  b_.unary(Op::srl16, bytes_, h.odd, act, 8);
  for (Halves& old : halves_)
    if (old.act == act) {
      old = h;
      return;
    }
  halves_.push_back(h);
}

void DotEmitter::dot(int w, Reg acc, Reg act, Reg shared, Mem weights, int group) {
  if (form_ == DotForm::fused) {
    if (shared != kNone) b_.dot4(w, acc, act, shared, group);
    else b_.dot4(w, acc, act, weights, group);
    return;
  }
  const auto add_madd16 = [&](Reg words, Builder::Operand b) {
    const Reg sum = b_.reg(Role::temp);
    b_.op(Op::madd16, w, sum, words, b);
    b_.op(Op::add32, w, acc, acc, sum);
  };
  if (form_ == DotForm::maddubs) {
    const Reg pairs = b_.reg(Role::temp);
    b_.op(Op::maddubs, w, pairs, act, weights);
    add_madd16(pairs, ones_);
    return;
  }
  for (const Halves& h : halves_)
    if (h.act == act) {
      add_madd16(h.even, weights);
      add_madd16(h.odd, Mem{weights.ptr, weights.offset + w});
      return;
    }
  internal_error("widened dot of an activation that was not prepared");
}

}  // namespace octet

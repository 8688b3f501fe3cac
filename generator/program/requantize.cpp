#include "generator/program/requantize.h"

#include "runtime/status.h"

namespace octet {

int Requantizer::temporaries() const {
  switch (r_.form) {
    case RequantForm::fixed_away:
    case RequantForm::fixed_up: return 2;
    case RequantForm::biased:
    case RequantForm::doubles: return 1;
    default: return 0;
  }
}

void Requantizer::hold(int first, int last, int spare) {
  held_.clear();
  first_held_ = first;
  if (r_.form == RequantForm::doubles) return;
  for (int v = first; v < last; ++v)
    for (int k = 0; k < words_ && static_cast<int>(held_.size()) < spare; ++k)
      held_.push_back(b_.load(w_, Role::scale, word_at(v, k)));
}

Mem Requantizer::word_at(int vector, int k) const {
  return {from_.ptr, words_ * (4 * from_.group.oc + vector * w_) + k * w_};
}

Builder::Operand Requantizer::word(int vector, int k) const {
  const auto at = static_cast<size_t>((vector - first_held_) * words_ + k);
  if (vector >= first_held_ && at < held_.size()) return held_[at];
  return word_at(vector, k);
}

int Requantizer::add() const {
  return r_.form == RequantForm::affine ? r_.offset : r_.zero;
}

bool Requantizer::clamped() const {
  return r_.wide && r_.form != RequantForm::doubles;
}

Reg Requantizer::operator()(int vector, Reg x) {
  switch (r_.form) {
    case RequantForm::scaled:
      b_.unary(Op::cvt_f32, w_, x, x);
      b_.op(Op::mul_f32, w_, x, x, word(vector, kWordM));
      return rounded(x);
    case RequantForm::biased: return biased(vector, x);
    case RequantForm::affine: return affine(vector, x);
    case RequantForm::fixed_away:
    case RequantForm::fixed_up: return fixed(vector, x);
    case RequantForm::doubles: return doubles(vector, x);
    case RequantForm::shift:
      b_.op(Op::add32, w_, x, x, word(vector, kWordShiftRound));
      b_.op(Op::srav32, w_, x, x, word(vector, kWordShift));
      return x;
  }
  internal_error("an unknown form of requantization");
}

Reg Requantizer::rounded(Reg x) {
  if (r_.wide) {
    b_.op(Op::max_f32, w_, x, x, b_.constant_f32(static_cast<float>(r_.lo - add())));
    b_.op(Op::min_f32, w_, x, x, b_.constant_f32(static_cast<float>(r_.hi - add())));
  }
  b_.unary(Op::cvt_i32, w_, x, x);
  return x;
}

Reg Requantizer::biased(int vector, Reg x) {
  b_.unary(Op::cvt_f32, w_, x, x);
  if (r_.factor == 1) {
    b_.op(Op::add_f32, w_, x, x, word(vector, kWordB));
  } else {
    const Builder::Operand held = word(vector, kWordB);
    const Reg bias = held.reg == kNone ? b_.load(w_, Role::temp, held.mem) : held.reg;
    b_.fma(w_, x, bias, b_.constant_f32(r_.factor), x);
  }
  b_.op(Op::mul_f32, w_, x, x, word(vector, kWordM));
  return rounded(x);
}

Reg Requantizer::affine(int vector, Reg x) {
  b_.unary(Op::cvt_f32, w_, x, x);
  b_.op(Op::mul_f32, w_, x, x, word(vector, kWordM));
  b_.op(Op::add_f32, w_, x, x, word(vector, kWordB));
  b_.op(Op::mul_f32, w_, x, x, b_.constant_f32(r_.factor));
  if (r_.zero != r_.offset) b_.op(Op::add_f32, w_, x, x, b_.constant_f32(static_cast<float>(r_.zero - r_.offset)));
  return rounded(x);
}

Reg Requantizer::fixed(int vector, Reg x) {
  if (r_.mixed)
    b_.op(Op::sllv32, w_, x, x, word(vector, kWordLeft));
  else
    b_.unary(Op::sll32, w_, x, x, 2);
  const Reg y = b_.reg(Role::temp);
  b_.op(Op::mulhi32, w_, y, x, word(vector, kWordMultiplier));
  if (r_.form == RequantForm::fixed_away) {
    b_.unary(Op::sra32, w_, x, x, 31);
    b_.op(Op::and_, w_, x, x, r_.mixed ? word(vector, kWordSign) : Builder::Operand(b_.constant32(-2)));
    b_.op(Op::add32, w_, y, y, x);
  }
  b_.op(Op::add32, w_, y, y, word(vector, kWordRound));
  b_.op(Op::srav32, w_, y, y, word(vector, kWordRight));
  return y;
}

Reg Requantizer::doubles(int vector, Reg x) {
  b_.scale64(w_, x, x, word_at(vector, 0));
  if (r_.wide) {  // beyond any byte, and so that nothing wraps below
    b_.op(Op::max_i32, w_, x, x, b_.constant32(-2048));
    b_.op(Op::min_i32, w_, x, x, b_.constant32(2047));
  }
  const Reg sign = b_.reg(Role::temp);
  b_.unary(Op::sra32, w_, sign, x, 31);
  b_.op(Op::add32, w_, x, x, sign);
  b_.op(Op::add32, w_, x, x, b_.constant32(1));
  b_.unary(Op::sra32, w_, x, x, 1);
  return x;
}

}  // namespace octet

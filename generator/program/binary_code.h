// Sums and products of two quantized values as instructions: AddFormula and MulFormula (generator/kernel/binary.h) on
// s32 lanes. What depends on one operand alone is apart, so that a broadcast computes it once.
#pragma once

#include <cmath>

#include "generator/kernel/binary.h"
#include "generator/program/epilogue.h"
#include "generator/program/program.h"

namespace octet {

class AddCode {
 public:
  // factor_bytes: width of the vectors whose factors stay in registers; 0 where registers are short.
  AddCode(Builder& b, const AddFormula& f, int factor_bytes);

  // What must have been subtracted from the operands' storage bytes.
  int lane_zero_a() const { return keeps_zeros() ? 0 : f_.offset_a; }
  int lane_zero_b() const { return keeps_zeros() ? 0 : f_.offset_b; }

  // The part of one operand, in the register of its lanes.
  Reg a_part(int w, Reg lanes);
  Reg b_part(int w, Reg lanes);
  // The rounded result, from the two parts, which are destroyed unless `keep` names one.
  Reg sum(int w, Reg a, Reg b, Reg keep = kNone);
  BytePack pack() const { return {f_.offset_out, f_.lo, f_.hi}; }

 private:
  bool keeps_zeros() const { return f_.form == AddForm::shifted_up || f_.form == AddForm::shifted_away; }
  Reg factor(int w, Reg kept, float value);
  Reg real_part(int w, Reg lanes, Reg kept, float r, float k);
  Reg doubled_part(int w, Reg lanes, const FixedPoint& m);

  Builder& b_;
  const AddFormula& f_;
  Reg ra_ = kNone, rb_ = kNone;
  bool wide_ = false;
};

class MulCode {
 public:
  MulCode(Builder& b, const MulFormula& f) : b_(b), f_(f) {}

  // The byte at m minus its zero point: s32 lanes, or f32 ones in the real form.
  Reg factor_a(int w, Mem m);
  Reg factor_b(int w, Mem m);
  // The rounded result, in the register of a or another one.
  Reg product(int w, Reg a, Reg b);
  bool is_real() const { return f_.form == MulForm::real; }
  Reg scaled(int w, Reg product);  // from f32 or s32 products
  BytePack pack() const { return {f_.offset_out, f_.lo, f_.hi}; }

 private:
  Builder& b_;
  const MulFormula& f_;
};

}  // namespace octet

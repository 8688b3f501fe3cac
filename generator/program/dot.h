// The target's exact form of acc.s32 += sum of four u8 * s8.
#pragma once

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

class DotEmitter {
 public:
  // `flipped`: activations come as u8 ^ 0x80 already, which only the form `flipped` can use.
  DotEmitter(Builder& b, DotForm form, int activation_bytes, bool flipped = false)
      : b_(b), form_(form), bytes_(activation_bytes), to_flip_(form == DotForm::flipped && !flipped) {}

  // Once per tile, before its loops: what they hold in registers.
  void begin();
  // Once after an activation is loaded, before the dots with it.
  void activation(Reg act);
  // Weights in a register (fused and flipped only; kNone otherwise) or at `at`.
  void dot(int w, Reg acc, Reg act, Reg weights, Mem at, int group);
  // Two k-steps at once, chained.
  void dot_two(int w, Reg acc, Reg act, Reg next_act, Mem at, Mem next_at);

  // Registers alive in the inner loop besides accumulators, the activation and weights.
  static int extra_registers(DotForm form);

 private:
  Builder& b_;
  DotForm form_;
  int bytes_;
  bool to_flip_;
  Reg held_ = kNone;  // ones, the mask of even bytes or sign bits
  Reg even_ = kNone, odd_ = kNone;
};

}  // namespace octet

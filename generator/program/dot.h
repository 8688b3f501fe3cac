// acc += sum of four products, in the exact form that the schedule chose: the one place that spells it out.
#pragma once

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

class DotEmitter {
 public:
  // Loads the constants that the form needs, for vectors of `bytes`.
  DotEmitter(Builder& b, DotForm form, int bytes);

  // Before the dots of an activation register: the widened form splits it into even and odd bytes.
  void prepare(Reg act);

  // acc += dot(act, weights). `shared`: the weights in a register (fused form only), else kNone and they are read at
  // `weights`; the widened form reads 2 * w bytes there. `group` as in dot4: 0, or -1 for per-lane activations.
  void dot(int w, Reg acc, Reg act, Reg shared, Mem weights, int group);

 private:
  struct Halves {
    Reg act, even, odd;
  };
  Builder& b_;
  DotForm form_;
  int bytes_;
  Reg ones_ = kNone;
  std::vector<Halves> halves_;
};

}  // namespace octet
